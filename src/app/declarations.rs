//! Export declarations: registered, amended, shipped, read.
//!
//! Enters: a caller, an intent, declared goods and shipments. Leaves: declarations with those of
//! their items that the caller may see. Every change of an item is written together with its
//! declaration, whose version therefore guards them all.

pub mod bulk;
mod goods;
pub mod questions;
pub mod shipments;
mod simple;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

pub use self::goods::NamedListing;
use super::delegations::mandates::Mandates;
use super::write::{Intent, Plan, Written, check_etag, put};
use super::{App, Versioned, decode};
use crate::change::{Expect, Kind, Record, Write};
use crate::domain::caller::Caller;
use crate::domain::customs_declaration::{
    Declaration, DeclaredItem, Goods, ItemNumber, NewShipment, Terms, Wish, unknown_item,
};
use crate::domain::declaration::DeclarationNumber;
use crate::domain::fault::InField as _;
use crate::domain::partner::PartnerId;
use crate::error::{Error, Result};
use crate::ledger::{Draft, EntryKind};

/// Documents read from the store at a time.
const READ: usize = 1000;

/// A declaration that customs made official.
#[derive(Clone, Debug)]
pub struct NewDeclaration {
    /// Its number.
    pub number: DeclarationNumber,
    /// What it says apart from its items.
    pub terms: Terms,
    /// Its items, each number once.
    pub items: Vec<NewItem>,
}

/// An item of a declaration that is to be registered.
#[derive(Clone, Debug)]
pub struct NewItem {
    /// Its number.
    pub item: ItemNumber,
    /// The listing it names.
    pub listing: NamedListing,
    /// What is declared of it.
    pub goods: Goods,
}

/// A declaration as it is shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shown {
    /// The declaration.
    pub declaration: Declaration,
    /// Its version, whose text is the etag of the API; 0 where it is not told.
    pub version: u64,
    /// Some of its items by number; which, the question says.
    pub items: Vec<DeclaredItem>,
    /// Whether the reader may know of these items only: then what tells of others, and who
    /// declared, is not shown either.
    pub in_part: bool,
}

impl Shown {
    fn whole(
        declaration: Declaration,
        version: u64,
        items: impl IntoIterator<Item = DeclaredItem>,
    ) -> Self {
        Self { declaration, version, items: items.into_iter().collect(), in_part: false }
    }
}

impl App {
    /// Registers a declaration with all its items.
    ///
    /// # Errors
    /// `NOT_CUSTOMS`, `NO_DELEGATION`, `DECLARATION_EXISTS` (metadata `name`); of an item
    /// `UNKNOWN_LISTING`, `UNKNOWN_SKU`, `AMBIGUOUS_SKU`, `LISTING_MISMATCH`, `UNIT_MISMATCH`,
    /// `SIMPLE_REGIME_LIMIT`, `SIMPLE_REGIME_CURRENCY`.
    pub async fn register_declaration(
        &self,
        caller: &Caller,
        intent: &Intent,
        marketplace: Option<&PartnerId>,
        new: &NewDeclaration,
    ) -> Result<Written<Shown>> {
        self.write(intent, || async {
            let (number, exporter) = (new.number, new.terms.exporter);
            let mandates = self.mandates(caller, [exporter]).await?;
            mandates.require(exporter)?;
            let held: Option<Versioned<Declaration>> =
                self.document(Kind::Declaration, number.as_str()).await?;
            if held.is_some() {
                return Err(Error::already_exists(
                    "DECLARATION_EXISTS",
                    "the declaration is registered: read it, and amend it where it is wrong",
                )
                .with("name", name(number)));
            }
            let names = new.items.iter().map(|item| &item.listing);
            let listings = self.named_listings(caller, &mandates, marketplace, names).await?;
            let mut declaration =
                Declaration::register(number, new.terms, caller.partner().clone(), self.env.now());
            let mut items = BTreeMap::new();
            let mut used = BTreeSet::new();
            let mut years = self.year_book(std::iter::once((number, new.terms))).await?;
            for (place, item) in new.items.iter().enumerate() {
                let within = format!("declaration.items[{place}]");
                let declared = listings.declare(number, &new.terms, item).at(&within)?;
                years.declare(&declaration, None, &declared).at(&within)?;
                used.insert(declared.listing.clone());
                items.insert(declared.item, declared);
            }
            declaration.items = u32::try_from(items.len()).unwrap_or(u32::MAX);
            let (own, write) = put_declaration(&declaration, 0)?;
            let mut writes = vec![write];
            for item in items.values() {
                writes.push(put_item(item)?);
            }
            let draft = about(EntryKind::DeclarationRegistered, &declaration)
                .fact("items", declaration.items);
            let (mut expect, draft) = mandates.act(draft, [exporter]);
            expect.push(own);
            expect.extend(used.iter().filter_map(|key| listings.stands(key)));
            for (year, write) in years.changes()? {
                expect.push(year);
                writes.push(write);
            }
            let answer = Shown::whole(declaration, 1, items.into_values());
            Ok(Plan { answer, expect, writes, draft })
        })
        .await
    }

    /// Amends a declaration; the answer holds the items that `wish` names.
    ///
    /// # Errors
    /// `NOT_FOUND`, `STALE_ETAG`, `SIMPLE_REGIME_LIMIT`, and those of [`Declaration::amend`].
    pub async fn amend_declaration(
        &self,
        caller: &Caller,
        intent: &Intent,
        number: DeclarationNumber,
        etag: &str,
        wish: &Wish,
    ) -> Result<Written<Shown>> {
        self.write(intent, || async {
            let (Versioned { value: mut declaration, version }, mandates) =
                self.declaration_to_change(caller, number, etag).await?;
            let wished = wish.items.iter().map(|wish| wish.item);
            let before = self.items_of(number, wished).await?;
            let mut items = before.clone();
            let (by, at) = (caller.partner(), self.env.now());
            let of = (number, declaration.terms);
            let mut years = self.year_book(std::iter::once(of)).await?;
            let changed = declaration.amend(&mut items, wish, by, at)?;
            for (number, item) in &items {
                years.declare(&declaration, before.get(number), item).at("items")?;
            }
            let draft = about(EntryKind::DeclarationAmended, &declaration)
                .fact("revision", declaration.revision())
                .fact("changed", changed);
            let act = mandates.act(draft, [declaration.terms.exporter]);
            let mut plan = changed_together(declaration, version, changed, before, items, act)?;
            for (year, write) in years.changes()? {
                plan.expect.push(year);
                plan.writes.push(write);
            }
            Ok(plan)
        })
        .await
    }

    /// Records what left under a declaration, all or nothing; the answer holds the items that
    /// `shipments` name.
    ///
    /// # Errors
    /// `NOT_FOUND`, `STALE_ETAG`, `UNKNOWN_ITEM`, and those of [`Declaration::ship`].
    pub async fn record_shipment(
        &self,
        caller: &Caller,
        intent: &Intent,
        number: DeclarationNumber,
        etag: &str,
        shipments: &[(ItemNumber, NewShipment)],
    ) -> Result<Written<Shown>> {
        self.write(intent, || async {
            let (Versioned { value: mut declaration, version }, mandates) =
                self.declaration_to_change(caller, number, etag).await?;
            let before = self.items_of(number, shipments.iter().map(|(item, _)| *item)).await?;
            let mut items = before.clone();
            let (by, at) = (caller.partner(), self.env.now());
            let mut recorded = 0u32;
            for (place, (number, shipment)) in shipments.iter().enumerate() {
                let within = format!("shipments[{place}]");
                let item = items.get_mut(number);
                let item = item.ok_or_else(|| unknown_item(*number)).at(&within)?;
                recorded += u32::from(declaration.ship(item, shipment, by, at).at(&within)?);
            }
            let draft = about(EntryKind::ShipmentRecorded, &declaration)
                .fact("shipments", recorded)
                .fact("state", declaration.state());
            let opened = items
                .iter()
                .filter_map(|(number, item)| {
                    self.open_settlement(before.get(number), item).transpose()
                })
                .collect::<Result<Vec<_>>>()?;
            let act = mandates.act(draft, [declaration.terms.exporter]);
            let mut plan =
                changed_together(declaration, version, recorded > 0, before, items, act)?;
            plan.writes.extend(opened);
            Ok(plan)
        })
        .await
    }

    /// The declaration, if the caller may change it, and by what it may.
    async fn declaration_to_change(
        &self,
        caller: &Caller,
        number: DeclarationNumber,
        etag: &str,
    ) -> Result<(Versioned<Declaration>, Mandates)> {
        // Whoever declares for nobody is told so before anything is looked up.
        self.mandates(caller, []).await?;
        let held: Versioned<Declaration> = self
            .document(Kind::Declaration, number.as_str())
            .await?
            .ok_or_else(Error::not_found)?;
        let exporter = held.value.terms.exporter;
        let mandates = self.mandates(caller, [exporter]).await?;
        if !mandates.allow(exporter) {
            return Err(Error::not_found());
        }
        check_etag(etag, held.version)?;
        Ok((held, mandates))
    }

    /// Those of the items that exist.
    async fn items_of(
        &self,
        number: DeclarationNumber,
        items: impl Iterator<Item = ItemNumber>,
    ) -> Result<BTreeMap<ItemNumber, DeclaredItem>> {
        let keys: BTreeSet<String> = items.map(|item| DeclaredItem::key_of(number, item)).collect();
        let records = self.records_of(Kind::DeclarationItem, keys).await?;
        records
            .iter()
            .map(|record| decode::<DeclaredItem>(record).map(|held| (held.value.item, held.value)))
            .collect()
    }

    /// Those of the documents that exist, read in parts.
    async fn records_of(&self, kind: Kind, keys: BTreeSet<String>) -> Result<Vec<Record>> {
        let keys: Vec<String> = keys.into_iter().collect();
        let mut records = Vec::with_capacity(keys.len());
        for part in keys.chunks(READ) {
            records.extend(self.store.records(kind, part.to_vec()).await?);
        }
        Ok(records)
    }
}

/// A change of a declaration and of those of `items` that are no longer as `before`, under what
/// must hold for it; nothing is written if nothing `changed`.
fn changed_together(
    declaration: Declaration,
    version: u64,
    changed: bool,
    before: BTreeMap<ItemNumber, DeclaredItem>,
    items: BTreeMap<ItemNumber, DeclaredItem>,
    (mut expect, draft): (Vec<Expect>, Draft),
) -> Result<Plan<Shown>> {
    let (own, write) = put_declaration(&declaration, version)?;
    let mut writes = Vec::new();
    if changed {
        writes.push(write);
        for (number, item) in &items {
            if before.get(number) != Some(item) {
                writes.push(put_item(item)?);
            }
        }
    }
    let answer = Shown::whole(declaration, version + u64::from(changed), items.into_values());
    expect.push(own);
    Ok(Plan { answer, expect, writes, draft })
}

pub(super) fn name(number: DeclarationNumber) -> String {
    format!("{}/{number}", Kind::Declaration.collection())
}

fn about(kind: EntryKind, declaration: &Declaration) -> Draft {
    Draft::new(kind).about(name(declaration.number))
}

/// A declaration as the store keeps it, in place of its version `version`.
fn put_declaration(declaration: &Declaration, version: u64) -> Result<(Expect, Write)> {
    let key = declaration.number.as_str();
    put(Kind::Declaration, key, "", declaration.state().as_str(), Vec::new(), declaration, version)
}

/// An item as the store keeps it; its declaration's version guards it.
fn put_item(item: &DeclaredItem) -> Result<Write> {
    let columns = vec![
        item.listing.clone(),
        item.exporter.to_string(),
        item.officialised_on.to_string(),
        item.declaration.year().to_owned(),
        item.declaration.office().to_owned(),
    ];
    let (owner, state) = (item.marketplace.as_str(), item.state().as_str());
    let (_, write) = put(Kind::DeclarationItem, &item.key(), owner, state, columns, item, 0)?;
    Ok(write)
}

#[cfg(test)]
#[path = "declarations/tests.rs"]
mod tests;
