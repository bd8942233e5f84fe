//! Reconciliation: what was declared, shipped, sold and lies in stock, item by item.
//!
//! Enters: what a store knows of listings' stock. Leaves: accounts, each in statistical units and
//! with the state that follows on a day. Nothing of them is kept: they are made anew whenever they
//! are read, from sums that the write path keeps.

mod changes;
pub mod line_matches;
pub mod overdue;
pub mod questions;
mod rematching;

use std::collections::HashMap;

use jiff::civil::Date;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

pub use self::changes::{Difference, Found};
pub use self::rematching::{Rematched, RematchedLine, Rematching};
use super::{App, Versioned, decode};
use crate::domain::caller::Caller;
use crate::domain::consignment::sell_by;
use crate::domain::cuit::Cuit;
use crate::domain::customs_declaration::DeclaredItem;
use crate::domain::decimal::{Factor, Quantity};
use crate::domain::finding::Findings;
use crate::domain::listing::Listing;
use crate::domain::partner::{PartnerId, Role};
use crate::domain::reconciliation::{
    ItemKey, ItemState, NetByName, Position, Share, Shipped, StockItem, shares,
};
use crate::domain::tariff_terms::TariffTerms;
use crate::domain::text::Sku;
use crate::domain::unit::Unit;
use crate::error::{Error, Result};
use crate::store::stock::ListingStock;

/// Where an item of a declaration stands, or what was sold of a listing under no declaration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// The item; `None` for sales under no declaration.
    pub item: Option<ItemKey>,
    /// Key of the listing.
    pub listing: String,
    /// Whose listing it is.
    pub marketplace: PartnerId,
    /// Its article number.
    pub sku: Sku,
    /// The exporter.
    pub exporter: Cuit,
    /// The day on which the item's declaration became official.
    pub officialised_on: Option<Date>,
    /// The unit of all quantities.
    pub unit: Unit,
    /// How it stands.
    pub state: ItemState,
    /// How much was declared.
    pub declared: Decimal,
    /// How much left, corrected by unit errors that were explained.
    pub shipped: Decimal,
    /// How much was sold and did not come back.
    pub net_sold: Decimal,
    /// How much was brought back to the country.
    pub reimported: Decimal,
    /// How much was lost, spoilt or given away.
    pub written_off: Decimal,
    /// What is left abroad; below zero by what was sold above it.
    pub stock: Decimal,
    /// Until when the oldest of it is sold or brought back.
    pub sell_by: Option<Date>,
    /// What customs found about it.
    pub findings: Findings,
    /// The version of what customs found, whose text is the etag; 0 before it found anything.
    pub version: u64,
}

/// The accounts of one listing.
#[derive(Clone, Debug)]
struct ListingAccounts {
    /// The listing.
    listing: Listing,
    /// Of its items, by (day of officialisation, number, item).
    items: Vec<Account>,
    /// Of what was sold under no declaration, if anything was.
    undeclared: Option<Account>,
    /// What was matched to what.
    shares: Vec<Share>,
    /// What came back beyond all sales it could belong to.
    beyond: Decimal,
}

impl ListingAccounts {
    /// All accounts, that of undeclared sales last.
    fn all(self) -> impl Iterator<Item = Account> {
        self.items.into_iter().chain(self.undeclared)
    }
}

impl App {
    /// The accounts of a listing on a day.
    ///
    /// # Errors
    /// `AMOUNT_OUT_OF_RANGE` if a sum in statistical units does not fit 28 digits.
    fn accounts(&self, stock: &ListingStock, today: Date) -> Result<ListingAccounts> {
        accounts(stock, &self.reference.tables().consignment, today)
    }
}

fn accounts(stock: &ListingStock, terms: &TariffTerms, today: Date) -> Result<ListingAccounts> {
    let listing = decode::<Listing>(&stock.listing)?.value;
    let mut findings: HashMap<&str, Versioned<Findings>> = HashMap::new();
    for record in &stock.findings {
        findings.insert(&record.key, decode(record)?);
    }
    let mut found = |key: &str| {
        findings.remove(key).unwrap_or(Versioned { value: Findings::default(), version: 0 })
    };
    let mut declared: HashMap<ItemKey, (DeclaredItem, Versioned<Findings>)> = HashMap::new();
    let mut items = Vec::with_capacity(stock.items.len());
    for record in &stock.items {
        let item = decode::<DeclaredItem>(record)?.value;
        let known = found(&record.key);
        items.push(stock_item(&item, &known.value, terms));
        declared.insert(key_of(&item), (item, known));
    }
    let net = statistical(&stock.net, listing.statistical_factor)?;
    let (standing, shares) = shares(items, &net, today)?;
    let mut accounts = Vec::with_capacity(standing.positions.len());
    for position in standing.positions {
        if let Some((item, findings)) = declared.remove(&position.key) {
            accounts.push(account(item, findings, position));
        }
    }
    let undeclared = (!standing.undeclared.is_zero()).then(|| {
        undeclared(&stock.listing.key, &listing, standing.undeclared, found(&stock.listing.key))
    });
    Ok(ListingAccounts { listing, items: accounts, undeclared, shares, beyond: standing.beyond })
}

/// The key of an item, as reconciliation has it.
fn key_of(item: &DeclaredItem) -> ItemKey {
    ItemKey { declaration: item.declaration, item: item.item.get() }
}

fn stock_item(item: &DeclaredItem, findings: &Findings, terms: &TariffTerms) -> StockItem {
    let shipments = item.shipments.iter().map(|shipment| Shipped {
        quantity: shipment.reported.quantity,
        on: shipment.reported.shipped_on,
        sell_by: Some(sell_by(terms, item.goods.ncm, shipment.reported.shipped_on)),
    });
    StockItem {
        key: key_of(item),
        officialised_on: item.officialised_on,
        declared: item.goods.quantity,
        shipments: shipments.collect(),
        explained: findings.explained(),
        escalated: findings.escalation.is_some(),
    }
}

/// Selling units in statistical units.
fn statistical(net: &NetByName, factor: Factor) -> Result<NetByName> {
    let converted = net
        .iter()
        .map(|(named, sum)| Ok((*named, Quantity::of(*sum).in_statistical_units(factor)?.value())));
    converted.collect()
}

fn account(item: DeclaredItem, findings: Versioned<Findings>, position: Position) -> Account {
    Account {
        item: Some(position.key),
        listing: item.listing,
        marketplace: item.marketplace,
        sku: item.sku,
        exporter: item.exporter,
        officialised_on: Some(item.officialised_on),
        unit: item.goods.unit,
        state: position.state,
        declared: position.declared,
        shipped: position.shipped,
        net_sold: position.net_sold,
        reimported: position.reimported,
        written_off: position.written_off,
        stock: position.stock,
        sell_by: position.sell_by,
        findings: findings.value,
        version: findings.version,
    }
}

fn undeclared(
    key: &str,
    listing: &Listing,
    sold: Decimal,
    findings: Versioned<Findings>,
) -> Account {
    let escalated = findings.value.escalation.is_some();
    Account {
        item: None,
        listing: key.to_owned(),
        marketplace: listing.marketplace.clone(),
        sku: listing.sku.clone(),
        exporter: listing.seller,
        officialised_on: None,
        unit: listing.statistical_unit,
        state: if escalated { ItemState::Escalated } else { ItemState::Undeclared },
        declared: Decimal::ZERO,
        shipped: Decimal::ZERO,
        net_sold: sold,
        reimported: Decimal::ZERO,
        written_off: Decimal::ZERO,
        stock: -sold,
        sell_by: None,
        findings: findings.value,
        version: findings.version,
    }
}

/// Refuses whoever does not judge differences.
fn customs_only(caller: &Caller) -> Result<()> {
    match caller.role() {
        Role::Customs => Ok(()),
        Role::Broker
        | Role::ExportRegistry
        | Role::Agency
        | Role::Marketplace
        | Role::Analyst
        | Role::Auditor
        | Role::Operator => {
            Err(Error::permission("NOT_CUSTOMS", "differences are judged by customs"))
        }
    }
}

#[cfg(test)]
mod tests;
