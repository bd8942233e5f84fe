//! Listings between the contract's messages and the domain.
//!
//! Enters: messages or domain values. Leaves: the other. Rules are those that
//! stand in `listing.proto` and `listings.proto`.

use std::str::FromStr;

use super::super::wire::{self as common, same_names};
use crate::app::listings::batch::{BatchAnswer, BatchItem, ItemFault, Outcome};
use crate::app::listings::patch::OfferPatch;
use crate::app::listings::{ListingsQuery, NewListing, Shown};
use crate::app::reference::Tables;
use crate::domain::certificate::{Certificate, CertificateIssuer};
use crate::domain::cuit::Cuit;
use crate::domain::currency::Currency;
use crate::domain::decimal::{Factor, UnitPrice};
use crate::domain::fault::Fault;
use crate::domain::gtin::Gtin;
use crate::domain::listing::{
    Channel, EntryMode, ListingState, Offer, Review, ReviewState, SuspensionReason,
};
use crate::domain::ncm::NcmCode;
use crate::domain::partner::Authority;
use crate::domain::place::Destination;
use crate::domain::text::{Name, Sku, Title};
use crate::domain::unit::Unit;
use crate::error::{Error, Result};
use crate::proto::google::r#type as gtype;
use crate::proto::puente::common::v1 as shared;
use crate::proto::puente::listings::v1 as pb;

same_names!(pb::Channel, Channel { OfficialStore, SellerStore });
same_names!(pb::CertificateIssuer, CertificateIssuer { Inv, Senasa, Inal, Gacc });
same_names!(
    pb::ListingState,
    ListingState {
        Draft,
        Submitted,
        UnderReview,
        Cleared,
        Refused,
        InfoRequested,
        Suspended,
        Withdrawn,
    }
);
same_names!(pb::EntryMode, EntryMode { Bonded, DirectMail });
same_names!(pb::ReviewState, ReviewState { Pending, Cleared, Refused, InfoRequested });
same_names!(pb::SuspensionReason, SuspensionReason { Seller, Certificate, Recall });
same_names!(shared::Authority, Authority { Customs, Inv, Senasa, Inal });

/// Certificates on one listing.
const MAX_CERTIFICATES: usize = 20;

/// Items in one batch.
const MAX_ITEMS: usize = 500;

/// What a listing message gives; every field's own rule has been checked.
struct Given {
    sku: Option<Sku>,
    seller: Option<Cuit>,
    title: Option<Title>,
    ncm: Option<NcmCode>,
    gtin: Option<Gtin>,
    channel: Option<Channel>,
    unit: Option<Unit>,
    statistical_unit: Option<Unit>,
    statistical_factor: Option<Factor>,
    price: Option<UnitPrice>,
    currency: Option<Currency>,
    certificates: Vec<Certificate>,
    destination: Option<Destination>,
    producer: Option<Name>,
    origin: Option<Destination>,
    entry_mode: Option<EntryMode>,
}

/// A whole listing, as in a request to make one.
pub(super) fn new(
    field: &str,
    listing: Option<&pb::Listing>,
    tables: &Tables,
) -> Result<NewListing> {
    let listing = common::required(field, listing)?;
    given(listing, tables).and_then(Given::whole).map_err(|error| error.within(field))
}

/// What an update changes: the fields of `listing` that `mask` names.
pub(super) fn patch(
    listing: Option<&pb::Listing>,
    mask: Option<&prost_types::FieldMask>,
    tables: &Tables,
) -> Result<OfferPatch> {
    let given = given(common::required("listing", listing)?, tables)
        .map_err(|error| error.within("listing"))?;
    let mask = common::required("update_mask", mask)?;
    let mut patch = OfferPatch::default();
    for path in &mask.paths {
        given.name(path, &mut patch)?;
    }
    Ok(patch)
}

/// The items of a batch; a faulty one keeps its fault and its place.
pub(super) fn items(items: &[pb::BatchListing], tables: &Tables) -> Result<Vec<BatchItem>> {
    common::count("items", items, 1, MAX_ITEMS)?;
    let item = |(place, item): (usize, &pb::BatchListing)| {
        if item.row < 0 {
            return Err(common::invalid(&format!("items[{place}].row"), "must be 0 or more"));
        }
        let listing = common::required("listing", item.listing.as_ref())
            .and_then(|listing| given(listing, tables)?.whole());
        Ok(BatchItem { row: item.row, listing: listing.map_err(|e| ItemFault::from(&e)) })
    };
    items.iter().enumerate().map(item).collect()
}

/// Which listings are asked for; where the page begins and ends is for the caller to add.
pub(super) fn query(request: pb::ListListingsRequest) -> Result<ListingsQuery> {
    let marketplace = request.marketplace.as_str();
    Ok(ListingsQuery {
        state: common::optionally::<pb::ListingState, _>("state", request.state)?,
        seller: common::optional("seller_cuit", &request.seller_cuit)?,
        channel: common::optionally::<pb::Channel, _>("channel", request.channel)?,
        ncm_prefix: ncm_prefix(request.ncm_prefix)?,
        sku: common::optional("sku", &request.sku)?,
        marketplace: match marketplace {
            "" => None,
            name => Some(common::partner_name("marketplace", name)?),
        },
        ..ListingsQuery::default()
    })
}

/// A listing.
pub(crate) fn message(shown: Shown) -> pb::Listing {
    let Shown { listing, version, missing } = shown;
    let offer = listing.offer.clone();
    pb::Listing {
        name: format!("listings/{}", listing.key()),
        marketplace: format!("partners/{}", listing.marketplace),
        sku: listing.sku.to_string(),
        seller_cuit: listing.seller.to_string(),
        title: offer.title.to_string(),
        ncm: offer.ncm.to_string(),
        gtin: text(offer.gtin),
        channel: pb::Channel::from(offer.channel).into(),
        unit: offer.unit.to_string(),
        statistical_unit: offer.statistical_unit.to_string(),
        statistical_factor: Some(common::decimal(offer.statistical_factor)),
        price: Some(common::decimal(offer.price)),
        currency: offer.currency.to_string(),
        certificates: offer.certificates.iter().map(certificate_message).collect(),
        destination: text(offer.destination),
        producer: text(offer.producer),
        origin: text(offer.origin),
        entry_mode: offer.entry_mode.map_or(0, |mode| pb::EntryMode::from(mode).into()),
        state: pb::ListingState::from(listing.state).into(),
        revision: i32::try_from(listing.revision).unwrap_or(i32::MAX),
        reviews: listing.reviews.iter().map(review).collect(),
        suspension_reasons: listing
            .suspension_reasons
            .iter()
            .map(|reason| pb::SuspensionReason::from(*reason).into())
            .collect(),
        missing_certificates: missing
            .into_iter()
            .map(|issuer| pb::CertificateIssuer::from(issuer).into())
            .collect(),
        create_time: Some(common::timestamp(listing.created_at)),
        update_time: Some(common::timestamp(listing.updated_at)),
        etag: common::etag(version),
    }
}

/// What became of a batch.
pub(super) fn batch(
    answer: BatchAnswer,
    receipt: Option<shared::Receipt>,
) -> pb::BatchCreateListingsResponse {
    use pb::batch_listing_result::Outcome as Wire;
    let count = |count: u32| i32::try_from(count).unwrap_or(i32::MAX);
    let results = answer.results.into_iter().map(|(row, outcome)| {
        let outcome = match outcome {
            Outcome::Listing(shown) => Wire::Listing(message(*shown)),
            Outcome::Fault(ItemFault { reason, field, message }) => {
                Wire::Fault(shared::Fault { reason, field, message })
            }
        };
        pb::BatchListingResult { row, outcome: Some(outcome) }
    });
    pb::BatchCreateListingsResponse {
        results: results.collect(),
        created: count(answer.created),
        updated: count(answer.updated),
        unchanged: count(answer.unchanged),
        faulty: count(answer.faulty),
        receipt,
    }
}

fn text<T: std::fmt::Display>(value: Option<T>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

fn certificate_message(certificate: &Certificate) -> pb::Certificate {
    pb::Certificate {
        issuer: pb::CertificateIssuer::from(certificate.issuer()).into(),
        number: certificate.number().to_owned(),
        valid_to: Some(common::date(certificate.valid_to())),
    }
}

fn review(review: &Review) -> pb::Review {
    pb::Review {
        authority: shared::Authority::from(review.authority).into(),
        state: pb::ReviewState::from(review.state).into(),
        note: text(review.note.as_ref()),
        decided_at: review.decided_at.map(common::timestamp),
    }
}

impl Given {
    /// The listing, if nothing that must be given is missing.
    fn whole(self) -> Result<NewListing> {
        let listing = NewListing {
            sku: must("sku", self.sku)?,
            seller: must("seller_cuit", self.seller)?,
            offer: Offer {
                title: must("title", self.title)?,
                ncm: must("ncm", self.ncm)?,
                gtin: self.gtin,
                channel: must("channel", self.channel)?,
                unit: must("unit", self.unit)?,
                statistical_unit: must("statistical_unit", self.statistical_unit)?,
                statistical_factor: must("statistical_factor", self.statistical_factor)?,
                price: must("price", self.price)?,
                currency: must("currency", self.currency)?,
                certificates: self.certificates,
                destination: self.destination,
                producer: self.producer,
                origin: self.origin,
                entry_mode: self.entry_mode,
            },
        };
        Ok(listing)
    }

    /// Adds the field at `path` of an update's mask to `patch`.
    fn name(&self, path: &str, patch: &mut OfferPatch) -> Result<()> {
        fn set<T: Clone>(field: &str, value: &Option<T>) -> Result<Option<T>> {
            must(&format!("listing.{field}"), value.clone()).map(Some)
        }
        match path {
            "title" => patch.title = set(path, &self.title)?,
            "ncm" => patch.ncm = set(path, &self.ncm)?,
            "gtin" => patch.gtin = Some(self.gtin),
            "channel" => patch.channel = set(path, &self.channel)?,
            "unit" => patch.unit = set(path, &self.unit)?,
            "statistical_unit" => patch.statistical_unit = set(path, &self.statistical_unit)?,
            "statistical_factor" => patch.statistical_factor = set(path, &self.statistical_factor)?,
            "price" => patch.price = set(path, &self.price)?,
            "currency" => patch.currency = set(path, &self.currency)?,
            "certificates" => patch.certificates = Some(self.certificates.clone()),
            "destination" => patch.destination = Some(self.destination),
            "producer" => patch.producer = Some(self.producer.clone()),
            "origin" => patch.origin = Some(self.origin),
            "entry_mode" => patch.entry_mode = Some(self.entry_mode),
            _ => {
                return Err(common::invalid(
                    "update_mask",
                    "names a field that cannot be changed; title, ncm, gtin, channel, unit, \
                     statistical_unit, statistical_factor, price, currency, certificates, \
                     destination, producer, origin and entry_mode can",
                ));
            }
        }
        Ok(())
    }
}

/// What must be given.
fn must<T>(field: &str, value: Option<T>) -> Result<T> {
    value.ok_or_else(|| common::invalid(field, "must be given"))
}

/// Checks every field that is given, by its own rule.
fn given(listing: &pb::Listing, tables: &Tables) -> Result<Given> {
    common::sent_etag(listing.etag.clone())?;
    common::count("certificates", &listing.certificates, 0, MAX_CERTIFICATES)?;
    let certificates = listing.certificates.iter().enumerate().map(|(place, sent)| {
        certificate(sent).map_err(|error| error.within(&format!("certificates[{place}]")))
    });
    Ok(Given {
        sku: common::optional("sku", &listing.sku)?,
        seller: common::optional("seller_cuit", &listing.seller_cuit)?,
        title: common::optional("title", &listing.title)?,
        ncm: ncm(&listing.ncm, tables)?,
        gtin: common::optional("gtin", &listing.gtin)?,
        channel: common::optionally::<pb::Channel, _>("channel", listing.channel)?,
        unit: common::optional("unit", &listing.unit)?,
        statistical_unit: common::optional("statistical_unit", &listing.statistical_unit)?,
        statistical_factor: exact("statistical_factor", listing.statistical_factor.as_ref())?,
        price: exact("price", listing.price.as_ref())?,
        currency: common::optional("currency", &listing.currency)?,
        certificates: certificates.collect::<Result<_>>()?,
        destination: common::optional("destination", &listing.destination)?,
        producer: common::optional("producer", &listing.producer)?,
        origin: common::optional("origin", &listing.origin)?,
        entry_mode: common::optionally::<pb::EntryMode, _>("entry_mode", listing.entry_mode)?,
    })
}

/// A whole tariff code of eight digits, with or without points.
pub(crate) fn ncm(text: &str, tables: &Tables) -> Result<Option<NcmCode>> {
    if text.is_empty() {
        return Ok(None);
    }
    let digits: String = text.chars().filter(|c| *c != '.').collect();
    let parts: Vec<usize> = text.split('.').map(str::len).collect();
    let sound = matches!(parts[..], [8] | [4, 4] | [6, 2] | [4, 2, 2]);
    if sound && let Ok(code) = digits.parse() {
        return Ok(Some(code));
    }
    Err(Error::invalid("UNKNOWN_NCM", "ncm", tables.nomenclature.why_not(text)))
}

/// A plain decimal that is not negative, `^[0-9]{1,12}([.][0-9]{1,10})?$`.
pub(crate) fn exact<T: FromStr<Err = Fault>>(
    field: &str,
    value: Option<&gtype::Decimal>,
) -> Result<Option<T>> {
    let Some(value) = value else { return Ok(None) };
    let all_digits = |part: &str, most| {
        (1..=most).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit())
    };
    let sound = match value.value.split_once('.') {
        Some((whole, rest)) => all_digits(whole, 12) && all_digits(rest, 10),
        None => all_digits(&value.value, 12),
    };
    if !sound {
        return Err(common::invalid(
            field,
            "must be a plain decimal such as 12.345, not negative, at most 12 digits before the \
             point and 10 after",
        ));
    }
    common::parsed(field, &value.value).map(Some)
}

pub(crate) fn certificate(sent: &pb::Certificate) -> Result<Certificate> {
    let issuer = common::chosen::<pb::CertificateIssuer, _>("issuer", sent.issuer)?;
    let valid_to = common::day("valid_to", sent.valid_to.as_ref())?;
    Ok(Certificate::new(issuer, &sent.number, valid_to)?)
}

/// The digits that a tariff code begins with; empty for all.
pub(crate) fn ncm_prefix(prefix: String) -> Result<String> {
    let sound = prefix.is_empty()
        || ((2..=8).contains(&prefix.len()) && prefix.bytes().all(|b| b.is_ascii_digit()));
    if sound {
        Ok(prefix)
    } else {
        Err(common::invalid("ncm_prefix", "must be 2 to 8 digits without points, as 2204"))
    }
}

#[cfg(test)]
#[path = "wire_tests.rs"]
mod tests;
