//! Many declarations at once, one item a row.
//!
//! Enters: rows that parsed, and the faults of those that did not. Leaves: how many declarations
//! are new or got further items, and the rows that were left out. The good rows are one change; a
//! row that stands already changes nothing, so that a file can be sent again.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::goods::NamedListings;
use super::simple::YearBook;
use super::{NewItem, put_declaration, put_item};
use crate::app::delegations::mandates::Mandates;
use crate::app::sync::Rejected;
use crate::app::write::{Intent, Plan, Written};
use crate::app::{App, Versioned, decode};
use crate::change::{Expect, Kind, Write};
use crate::domain::caller::Caller;
use crate::domain::cuit::Cuit;
use crate::domain::customs_declaration::{Declaration, DeclaredItem, ItemNumber, Terms};
use crate::domain::declaration::DeclarationNumber;
use crate::domain::fault::Fault;
use crate::domain::partner::PartnerId;
use crate::error::Result;
use crate::ledger::{Draft, EntryKind};

/// The most rows at once; they are held in memory and written in one transaction.
pub const MAX_ROWS: usize = 100_000;
/// The most rejected rows that an answer lists.
const LISTED: usize = 10_000;

/// Rows of a sender's file, good and bad.
#[derive(Clone, Debug)]
pub struct Rows<T> {
    /// SHA-256 over all rows as sent, in hexadecimal; the ledger commits to it.
    pub digest: String,
    /// The rows that parsed, each with its number in the sender's file, in the order sent.
    pub rows: Vec<(i64, T)>,
    /// The rows that did not.
    pub rejected: Vec<Rejected>,
}

/// One item of a declaration, with what the declaration says of itself.
#[derive(Clone, Debug)]
pub struct DeclarationRow {
    /// The declaration.
    pub number: DeclarationNumber,
    /// What it says apart from its items.
    pub terms: Terms,
    /// The item.
    pub item: NewItem,
}

/// What many rows of declarations came to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registered {
    /// [`Rows::digest`].
    pub content: String,
    /// Declarations that were not there before.
    pub registered: i64,
    /// Declarations that got further items.
    pub extended: i64,
    /// Items taken.
    pub items: i64,
    /// Items that stood as sent.
    pub unchanged: i64,
    /// Rows left out.
    pub rejected: i64,
    /// The first of them by row number.
    pub rejected_rows: Vec<Rejected>,
}

impl App {
    /// Takes the good rows as one change; no receipt if nothing changes.
    ///
    /// # Errors
    /// `NOT_CUSTOMS`, `TOO_MANY_EXPORTERS`.
    pub async fn register_declarations(
        &self,
        caller: &Caller,
        intent: &Intent,
        marketplace: Option<&PartnerId>,
        sent: &Rows<DeclarationRow>,
    ) -> Result<Written<Registered>> {
        let mut by_number: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (row, value) in &sent.rows {
            by_number.entry(value.number).or_default().push((*row, value));
        }
        self.write(intent, || async {
            let items = sent.rows.iter().map(|(_, row)| (row.number, row.item.item));
            let (mut held, known) = self.declared(items).await?;
            let exporters = sent.rows.iter().map(|(_, row)| row.terms.exporter);
            let mandates = self.mandates(caller, exporters).await?;
            // What is known needs no look at its listing.
            let fresh = sent.rows.iter().map(|(_, row)| row).filter(|row| {
                !known.contains_key(&DeclaredItem::key_of(row.number, row.item.item))
            });
            let names = fresh.map(|row| &row.item.listing);
            // Which row a declaration begins with is decided below.
            let registered = held.values().map(|held| (held.value.number, held.value.terms));
            let sent_terms = sent.rows.iter().map(|(_, row)| (row.number, row.terms));
            let declared: Vec<_> = registered.chain(sent_terms).collect();
            let mut intake = Intake {
                by: caller.partner(),
                at: self.env.now(),
                marketplace,
                listings: self.named_listings(caller, &mandates, marketplace, names).await?,
                mandates,
                declared_for: BTreeSet::new(),
                years: self.year_book(declared.into_iter()).await?,
                known,
                used: BTreeSet::new(),
                expect: Vec::new(),
                writes: Vec::new(),
                answer: Registered { content: sent.digest.clone(), ..Registered::default() },
                rejected: sent.rejected.clone(),
            };
            for (number, rows) in &by_number {
                intake.take(held.remove(number), rows)?;
            }
            intake.plan()
        })
        .await
    }

    /// Those of the declarations that exist, and those of the items, by key.
    pub(super) async fn declared(
        &self,
        items: impl Iterator<Item = (DeclarationNumber, ItemNumber)>,
    ) -> Result<Declared> {
        let (mut numbers, mut keys) = (BTreeSet::new(), BTreeSet::new());
        for (number, item) in items {
            numbers.insert(number.to_string());
            keys.insert(DeclaredItem::key_of(number, item));
        }
        let mut declarations = HashMap::new();
        for record in self.records_of(Kind::Declaration, numbers).await? {
            let held: Versioned<Declaration> = decode(&record)?;
            declarations.insert(held.value.number, held);
        }
        let mut known = HashMap::new();
        for record in self.records_of(Kind::DeclarationItem, keys).await? {
            let held: Versioned<DeclaredItem> = decode(&record)?;
            known.insert(record.key, held.value);
        }
        Ok((declarations, known))
    }
}

/// Declarations by number, and items by key.
pub(super) type Declared =
    (HashMap<DeclarationNumber, Versioned<Declaration>>, HashMap<String, DeclaredItem>);

/// Rows while they are judged, declaration by declaration.
struct Intake<'a> {
    by: &'a PartnerId,
    at: Timestamp,
    marketplace: Option<&'a PartnerId>,
    listings: NamedListings,
    mandates: Mandates,
    /// The exporters of what is written.
    declared_for: BTreeSet<Cuit>,
    years: YearBook,
    known: HashMap<String, DeclaredItem>,
    used: BTreeSet<String>,
    expect: Vec<Expect>,
    writes: Vec<Write>,
    answer: Registered,
    rejected: Vec<Rejected>,
}

impl Intake<'_> {
    /// Takes the rows of one declaration, which are at least one.
    fn take(
        &mut self,
        held: Option<Versioned<Declaration>>,
        rows: &[(i64, &DeclarationRow)],
    ) -> Result<()> {
        let rows = self.delegated(rows);
        let Some((_, first)) = rows.first() else { return Ok(()) };
        let (mut declaration, version) = match held {
            Some(held) => (held.value, held.version),
            None => {
                let by = self.by.clone();
                (Declaration::register(first.number, first.terms, by, self.at), 0)
            }
        };
        let kept = self.years.keep(&declaration);
        let mut fresh: BTreeMap<ItemNumber, (i64, DeclaredItem)> = BTreeMap::new();
        for (number, row) in &rows {
            let came = fresh.get(&row.item.item).map(|(_, item)| item);
            match self.judge(&declaration.terms, row, came) {
                Ok(Some(item)) => match self.years.declare(&declaration, None, &item) {
                    Ok(()) => drop(fresh.insert(item.item, (*number, item))),
                    Err(fault) => {
                        let fault = fault.at("declaration.items[0]");
                        self.rejected.push(rejected(*number, fault));
                    }
                },
                Ok(None) => self.answer.unchanged += 1,
                Err(fault) => self.rejected.push(rejected(*number, fault)),
            }
        }
        let count = u32::try_from(fresh.len()).unwrap_or(u32::MAX);
        if count == 0 {
            return Ok(());
        }
        if version == 0 {
            declaration.items = count;
            self.answer.registered += 1;
        } else if let Err(fault) = declaration.extend(count, self.by, self.at) {
            self.years.restore(kept);
            let rows = fresh.into_values();
            self.rejected.extend(rows.map(|(number, _)| rejected(number, fault.clone())));
            return Ok(());
        } else {
            self.answer.extended += 1;
        }
        self.answer.items += i64::from(count);
        self.declared_for.insert(declaration.terms.exporter);
        let (own, write) = put_declaration(&declaration, version)?;
        self.expect.push(own);
        self.writes.push(write);
        for (_, item) in fresh.into_values() {
            self.writes.push(put_item(&item)?);
            self.used.insert(item.listing);
        }
        Ok(())
    }

    /// The rows whose exporters the caller may declare for; the others are left out.
    fn delegated<'r>(
        &mut self,
        rows: &[(i64, &'r DeclarationRow)],
    ) -> Vec<(i64, &'r DeclarationRow)> {
        let mut own = Vec::with_capacity(rows.len());
        for (number, row) in rows {
            match self.mandates.require(row.terms.exporter) {
                Ok(()) => own.push((*number, *row)),
                Err(fault) => {
                    let fault = fault.at("exporter_cuit").at("declaration");
                    self.rejected.push(rejected(*number, fault));
                }
            }
        }
        own
    }

    /// The item of a row; `None` if it stands so already. `came` is what an earlier row of the
    /// same file made of it.
    fn judge(
        &self,
        terms: &Terms,
        row: &DeclarationRow,
        came: Option<&DeclaredItem>,
    ) -> std::result::Result<Option<DeclaredItem>, Fault> {
        if let Some(field) = terms.differs_in(&row.terms) {
            return Err(Fault::conflict(
                "DECLARATION_DIFFERS",
                format!(
                    "{field} is not what is registered of the declaration, or what its first row \
                     says"
                ),
            )
            .at(field)
            .at("declaration"));
        }
        let same = |item: &DeclaredItem| {
            row.item.goods == item.goods && row.item.listing.fits(self.marketplace, item)
        };
        let (reason, words) = match (came, self.known_item(row)) {
            (Some(item), _) | (None, Some(item)) if same(item) => return Ok(None),
            (Some(_), _) => (
                "DUPLICATE_ITEM",
                "the item came before in this file, with other \
                 content: send it once",
            ),
            (None, Some(_)) => (
                "ITEM_DIFFERS",
                "the item is registered with other content: amend \
                 the declaration instead",
            ),
            (None, None) => {
                return self
                    .listings
                    .declare(row.number, terms, &row.item)
                    .map(Some)
                    .map_err(|fault| fault.at("declaration.items[0]"));
            }
        };
        Err(Fault::conflict(reason, words).at("declaration.items[0].item"))
    }

    fn known_item(&self, row: &DeclarationRow) -> Option<&DeclaredItem> {
        self.known.get(&DeclaredItem::key_of(row.number, row.item.item))
    }

    fn plan(mut self) -> Result<Plan<Registered>> {
        for (year, write) in self.years.changes()? {
            self.expect.push(year);
            self.writes.push(write);
        }
        self.expect.extend(self.used.iter().filter_map(|key| self.listings.stands(key)));
        let mut answer = self.answer;
        (answer.rejected, answer.rejected_rows) = listed(self.rejected);
        let draft = Draft::new(EntryKind::DeclarationsBatched)
            .fact("registered", answer.registered)
            .fact("extended", answer.extended)
            .fact("items", answer.items)
            .fact("unchanged", answer.unchanged)
            .fact("rejected", answer.rejected);
        let (stand, draft) = self.mandates.act(draft, self.declared_for);
        self.expect.extend(stand);
        Ok(Plan { answer, expect: self.expect, writes: self.writes, draft })
    }
}

/// The row that `fault` keeps out.
pub(super) fn rejected(row: i64, fault: Fault) -> Rejected {
    Rejected {
        row,
        reason: fault.reason.to_owned(),
        field: fault.field.unwrap_or_default(),
        message: fault.message,
    }
}

/// How many rows were left out, and the first of them by row number.
pub(super) fn listed(mut rejected: Vec<Rejected>) -> (i64, Vec<Rejected>) {
    let count = i64::try_from(rejected.len()).unwrap_or(i64::MAX);
    rejected.sort_by_key(|one| one.row);
    rejected.truncate(LISTED);
    (count, rejected)
}
