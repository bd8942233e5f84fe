//! Declarations between the contract's messages and the domain.
//!
//! Enters: messages or domain values. Leaves: the other. Rules are those that stand in
//! `declaration.proto` and `declaration_service.proto`.

use std::collections::HashSet;

use jiff::civil::Date;

use super::super::listings::wire::{exact, ncm};
use super::super::wire::{self as common, same_names};
use crate::app::declarations::questions::DeclarationsQuery;
use crate::app::declarations::{NamedListing, NewDeclaration, NewItem, Shown};
use crate::app::reference::Tables;
use crate::domain::customs_declaration::{
    AmendedField, Amendment, DeclaredItem, Goods, Incoterm, ItemNumber, ItemState, ItemWish,
    NewShipment, Shipment, Terms, Wish,
};
use crate::domain::decimal::{Amount, Quantity};
use crate::domain::declaration::DeclarationNumber;
use crate::domain::fault::InField as _;
use crate::domain::partner::PartnerId;
use crate::error::Result;
use crate::proto::google::r#type as gtype;
use crate::proto::puente::common::v1 as shared;
use crate::proto::puente::customs::v1 as pb;

same_names!(pb::Incoterm, Incoterm { Exw, Fca, Cpt, Cip, Dap, Dpu, Ddp, Fas, Fob, Cfr, Cif });
same_names!(pb::ItemState, ItemState { Declared, Shipped });

/// Items of one declaration, and shipments of one request.
const MAX_ITEMS: usize = 9999;

/// The number in `declarations/{number}`.
pub(in crate::rpc) fn number(field: &str, name: &str) -> Result<DeclarationNumber> {
    common::parsed(field, common::id(field, name, "declarations")?)
}

/// A marketplace that may be left out.
pub(in crate::rpc) fn marketplace(field: &str, name: &str) -> Result<Option<PartnerId>> {
    if name.is_empty() { Ok(None) } else { common::partner_name(field, name).map(Some) }
}

/// A whole declaration, as in a request to register one.
pub(super) fn new(
    field: &str,
    sent: Option<&pb::Declaration>,
    tables: &Tables,
) -> Result<NewDeclaration> {
    let sent = common::required(field, sent)?;
    declaration(sent, tables).map_err(|error| error.within(field))
}

fn declaration(sent: &pb::Declaration, tables: &Tables) -> Result<NewDeclaration> {
    common::sent_etag(sent.etag.clone())?;
    common::count("items", &sent.items, 1, MAX_ITEMS)?;
    let exporter = common::parsed("exporter_cuit", &sent.exporter_cuit)?;
    let terms = Terms {
        exporter,
        declarant: common::optional("declarant_cuit", &sent.declarant_cuit)?.unwrap_or(exporter),
        incoterm: common::chosen::<pb::Incoterm, _>("incoterm", sent.incoterm)?,
        destination: common::optional("destination", &sent.destination)?,
        officialised_on: common::day("officialised_on", sent.officialised_on.as_ref())?,
    };
    let items = each(&sent.items, |one| item(one, tables))?;
    once(items.iter().map(|item| item.item))?;
    Ok(NewDeclaration { number: common::parsed("number", &sent.number)?, terms, items })
}

fn item(sent: &pb::DeclarationItem, tables: &Tables) -> Result<NewItem> {
    let key = match sent.listing.as_str() {
        "" => None,
        name => Some(common::uuid_name("listing", name, "listings")?),
    };
    let sku = common::optional("sku", &sent.sku)?;
    if key.is_none() && sku.is_none() {
        return Err(common::invalid("sku", "or listing must be given"));
    }
    Ok(NewItem {
        item: item_number(sent.item)?,
        listing: NamedListing { key, sku },
        goods: Goods {
            ncm: common::required("ncm", ncm(&sent.ncm, tables)?)?,
            quantity: quantity("declared_quantity", sent.declared_quantity.as_ref())?,
            unit: common::parsed("statistical_unit", &sent.statistical_unit)?,
            fob: common::required("fob", exact::<Amount>("fob", sent.fob.as_ref())?)?,
            currency: common::parsed("currency", &sent.currency)?,
        },
    })
}

/// What an amendment shall make of a declaration.
pub(super) fn wish(request: pb::AmendDeclarationRequest) -> Result<Wish> {
    common::count("items", &request.items, 0, MAX_ITEMS)?;
    let reason = common::text("reason", request.reason, 1, 500)?;
    let wish = Wish {
        reason: common::parsed("reason", &reason)?,
        declarant: common::optional("declarant_cuit", &request.declarant_cuit)?,
        incoterm: common::optionally::<pb::Incoterm, _>("incoterm", request.incoterm)?,
        destination: common::optional("destination", &request.destination)?,
        items: each(&request.items, item_wish)?,
    };
    once(wish.items.iter().map(|item| item.item))?;
    let terms = wish.declarant.is_some() || wish.incoterm.is_some() || wish.destination.is_some();
    if terms || !wish.items.is_empty() {
        Ok(wish)
    } else {
        Err(common::invalid(
            "items",
            "names nothing to amend: give declarant_cuit, incoterm, destination or items",
        ))
    }
}

fn item_wish(sent: &pb::ItemAmendment) -> Result<ItemWish> {
    let declared = sent.declared_quantity.as_ref();
    if declared.is_none() && sent.fob.is_none() {
        return Err(common::invalid("declared_quantity", "or fob must be given"));
    }
    Ok(ItemWish {
        item: item_number(sent.item)?,
        quantity: declared.map(|sent| quantity("declared_quantity", Some(sent))).transpose()?,
        fob: exact("fob", sent.fob.as_ref())?,
    })
}

/// What left under one declaration.
pub(super) fn shipments(sent: &[pb::ItemShipment]) -> Result<Vec<(ItemNumber, NewShipment)>> {
    common::count("shipments", sent, 1, MAX_ITEMS)?;
    let one = |(place, sent): (usize, &pb::ItemShipment)| {
        shipment(sent).map_err(|error| error.within(&format!("shipments[{place}]")))
    };
    sent.iter().enumerate().map(one).collect()
}

/// What left of one item.
pub(super) fn shipment(sent: &pb::ItemShipment) -> Result<(ItemNumber, NewShipment)> {
    let shipment = NewShipment {
        quantity: quantity("quantity", sent.quantity.as_ref())?,
        shipped_on: common::day("shipped_on", sent.shipped_on.as_ref())?,
        reference: common::optional("reference", &sent.reference)?,
        post_shipment: sent.post_shipment,
    };
    Ok((item_number(sent.item)?, shipment))
}

/// Which declarations are asked for; where the page begins and ends is for the caller to add.
pub(super) fn query(request: pb::ListDeclarationsRequest) -> Result<DeclarationsQuery> {
    Ok(DeclarationsQuery {
        exporter: common::optional("exporter_cuit", &request.exporter_cuit)?,
        listing: match request.listing.as_str() {
            "" => None,
            name => Some(common::uuid_name("listing", name, "listings")?),
        },
        marketplace: marketplace("marketplace", &request.marketplace)?,
        office: digits("office", request.office, 3)?,
        year: digits("year", request.year, 2)?,
        officialised: days(request.officialised.as_ref())?,
        state: common::optionally::<pb::ItemState, _>("state", request.state)?,
        ..DeclarationsQuery::default()
    })
}

/// A declaration with those of its items that are shown. Where the reader may know of these
/// only, what tells of others and of the declarant is left out.
pub(super) fn message(shown: Shown) -> pb::Declaration {
    let Shown { declaration, version, items, in_part } = shown;
    let (number, terms) = (declaration.number, declaration.terms);
    let mut message = pb::Declaration {
        name: format!("declarations/{number}"),
        number: number.to_string(),
        year: number.year().to_owned(),
        office: number.office().to_owned(),
        subregime: number.subregime().to_owned(),
        serial: number.number().to_owned(),
        control_letter: number.control().to_string(),
        exporter_cuit: terms.exporter.to_string(),
        incoterm: pb::Incoterm::from(terms.incoterm).into(),
        destination: text(terms.destination),
        officialised_on: Some(common::date(terms.officialised_on)),
        items: items.into_iter().map(item_message).collect(),
        registered_by: partner(&declaration.registered_by),
        create_time: Some(common::timestamp(declaration.created_at)),
        ..pb::Declaration::default()
    };
    if !in_part {
        message.declarant_cuit = terms.declarant.to_string();
        message.item_count = count(declaration.items);
        message.shipped_item_count = count(declaration.shipped_items);
        message.revision = count(declaration.revision());
        message.amendments = declaration.amendments.into_iter().map(amendment).collect();
        message.update_time = Some(common::timestamp(declaration.updated_at));
        message.etag = if version == 0 { String::new() } else { common::etag(version) };
    }
    message
}

fn item_message(item: DeclaredItem) -> pb::DeclarationItem {
    pb::DeclarationItem {
        item: count(item.item.get()),
        listing: format!("listings/{}", item.listing),
        marketplace: partner(&item.marketplace),
        sku: item.sku.to_string(),
        ncm: item.goods.ncm.to_string(),
        declared_quantity: Some(common::decimal(item.goods.quantity)),
        statistical_unit: item.goods.unit.to_string(),
        fob: Some(common::decimal(item.goods.fob)),
        currency: item.goods.currency.to_string(),
        state: pb::ItemState::from(item.state()).into(),
        shipped_quantity: Some(common::decimal(item.shipped)),
        shipping_closed: item.shipping_closed,
        shipments: item.shipments.into_iter().map(shipment_message).collect(),
    }
}

fn shipment_message(shipment: Shipment) -> pb::Shipment {
    let Shipment { reported, recorded_at, recorded_by } = shipment;
    pb::Shipment {
        quantity: Some(common::decimal(reported.quantity)),
        shipped_on: Some(common::date(reported.shipped_on)),
        reference: text(reported.reference),
        post_shipment: reported.post_shipment,
        recorded_at: Some(common::timestamp(recorded_at)),
        recorded_by: partner(&recorded_by),
    }
}

fn amendment(amendment: Amendment) -> pb::Amendment {
    pb::Amendment {
        revision: count(amendment.revision),
        amended_at: Some(common::timestamp(amendment.at)),
        amended_by: partner(&amendment.by),
        reason: amendment.reason.to_string(),
        fields: amendment.fields.into_iter().map(amended_field).collect(),
    }
}

fn amended_field(field: AmendedField) -> pb::AmendedField {
    let AmendedField { item, field, before, after } = field;
    pb::AmendedField { item: item.map_or(0, |item| count(item.get())), field, before, after }
}

fn partner(id: &PartnerId) -> String {
    format!("partners/{id}")
}

fn count(count: u32) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

fn text<T: std::fmt::Display>(value: Option<T>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

/// An item's number.
pub(in crate::rpc) fn item_number(sent: i32) -> Result<ItemNumber> {
    Ok(ItemNumber::try_from(i64::from(sent)).at("item")?)
}

/// A quantity above zero, `^[0-9]{1,12}([.][0-9]{1,6})?$`.
fn quantity(field: &str, sent: Option<&gtype::Decimal>) -> Result<Quantity> {
    let quantity: Quantity = common::exact(field, sent)?;
    if quantity.is_zero() || quantity.is_negative() {
        return Err(common::invalid(field, "must be above zero"));
    }
    Ok(quantity)
}

fn digits(field: &str, sent: String, length: usize) -> Result<String> {
    let sound = sent.len() == length && sent.bytes().all(|byte| byte.is_ascii_digit());
    if sent.is_empty() || sound {
        Ok(sent)
    } else {
        Err(common::invalid(field, format!("must be {length} digits")))
    }
}

/// Days of any number, unlike those of a report.
fn days(sent: Option<&shared::Period>) -> Result<Option<(Date, Date)>> {
    let Some(sent) = sent else { return Ok(None) };
    let first = common::day("officialised.first", sent.first.as_ref())?;
    let last = common::day("officialised.last", sent.last.as_ref())?;
    if last < first {
        return Err(common::invalid("officialised", "last must not be before first"));
    }
    Ok(Some((first, last)))
}

/// Every element of `items`, by `parse`.
fn each<S, T>(items: &[S], parse: impl Fn(&S) -> Result<T>) -> Result<Vec<T>> {
    let one = |(place, sent): (usize, &S)| {
        parse(sent).map_err(|error| error.within(&format!("items[{place}]")))
    };
    items.iter().enumerate().map(one).collect()
}

fn once(items: impl Iterator<Item = ItemNumber>) -> Result<()> {
    let mut seen = HashSet::new();
    for (place, item) in items.enumerate() {
        if !seen.insert(item) {
            let field = format!("items[{place}].item");
            return Err(common::invalid(&field, "came before: send each item once"));
        }
    }
    Ok(())
}

#[cfg(test)]
#[path = "wire_tests.rs"]
pub(super) mod tests;
