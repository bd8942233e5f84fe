//! Settlement of the proceeds of exported goods: opened by shipments, reported, read.
//!
//! Enters: a caller, reports of customs or a bank. Leaves: settlements with what their items are
//! worth. That the time of one is over is raised beside, see [`deadlines`](super::deadlines).

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::write::{Intent, Plan, Written, put};
use super::{App, Page, Versioned, decode};
use crate::change::{Expect, Kind, Write, due};
use crate::domain::caller::Caller;
use crate::domain::cuit::Cuit;
use crate::domain::customs_declaration::{DeclaredItem, ItemNumber, ItemState};
use crate::domain::decimal::Amount;
use crate::domain::declaration::DeclarationNumber;
use crate::domain::partner::Role;
use crate::domain::settlement::{NewReport, Settlement, SettlementState, not_shipped};
use crate::error::{Error, Result};
use crate::ledger::{Draft, EntryKind};
use crate::store::PageQuery;

/// Documents read at a time.
const SCAN: u32 = 1000;
/// Documents looked at for one page; then it ends, full or not.
const SCANNED_AT_MOST: u32 = 20_000;

/// A settlement with what its item is declared to be worth.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shown {
    /// The settlement.
    pub settlement: Settlement,
    /// The value of the item, free on board.
    pub fob: Amount,
    /// Where it stands today.
    pub state: SettlementState,
}

/// Which settlements to list: all that is given must hold.
#[derive(Clone, Debug, Default)]
pub struct SettlementsQuery {
    /// Of this exporter.
    pub exporter: Option<Cuit>,
    /// In this state today.
    pub state: Option<SettlementState>,
    /// Whose time is over by the end of this day.
    pub due_by: Option<Date>,
    /// The `next` of the page before; empty for the first page.
    pub after: String,
    /// At most so many.
    pub limit: u32,
}

impl App {
    /// Records that proceeds of an item were settled.
    ///
    /// # Errors
    /// `NOT_CUSTOMS`, `NOT_FOUND` (for a broker also of exporters that did not delegate to it),
    /// `ILLEGAL_TRANSITION` before anything of the item has left, and
    /// those of [`Settlement::report`].
    pub async fn record_settlement(
        &self,
        caller: &Caller,
        intent: &Intent,
        (number, item): (DeclarationNumber, ItemNumber),
        new: &NewReport,
    ) -> Result<Written<Shown>> {
        if !matches!(caller.role(), Role::Customs | Role::Broker) {
            return Err(Error::permission("NOT_CUSTOMS", "settlements are recorded by customs"));
        }
        let key = DeclaredItem::key_of(number, item);
        self.write(intent, || async {
            let (at, today) = (self.env.now(), self.today());
            let held: Versioned<DeclaredItem> =
                self.document(Kind::DeclarationItem, &key).await?.ok_or_else(Error::not_found)?;
            let item = held.value;
            let mandates = self.mandates(caller, [item.exporter]).await?;
            if !mandates.allow(item.exporter) {
                return Err(Error::not_found());
            }
            let kept: Option<Versioned<Settlement>> = self.document(Kind::Settlement, &key).await?;
            let version = kept.as_ref().map_or(0, |kept| kept.version);
            let mut settlement = match kept {
                Some(kept) => kept.value,
                None => Settlement::open(&item, &self.reference.tables().settlement_terms)
                    .ok_or_else(|| not_shipped(ItemState::Declared))?,
            };
            let changed = settlement
                .report(new, item.goods.fob, caller.partner(), at, today)
                .map_err(|fault| Error::from(fault).within("report"))?;
            let (own, write) = put_settlement(&settlement, today, version)?;
            let state = settlement.state(today);
            let draft = Draft::new(EntryKind::SettlementRecorded)
                .about(name(&settlement))
                .fact("state", state)
                .fact("reporter", new.reporter)
                .fact("changed", changed);
            // The value of the item is what the sum is held against.
            let worth = Expect::Version {
                kind: Kind::DeclarationItem,
                key: key.clone(),
                version: held.version,
            };
            let (mut expect, draft) = mandates.act(draft, [item.exporter]);
            expect.extend([own, worth]);
            Ok(Plan {
                answer: Shown { settlement, fob: item.goods.fob, state },
                expect,
                writes: if changed { vec![write] } else { vec![] },
                draft,
            })
        })
        .await
    }

    /// The settlement of one item.
    ///
    /// # Errors
    /// `NOT_FOUND` if nothing of the item has left, or the caller may not see it.
    pub async fn settlement(
        &self,
        caller: &Caller,
        (number, item): (DeclarationNumber, ItemNumber),
    ) -> Result<Shown> {
        let key = DeclaredItem::key_of(number, item);
        let item: Versioned<DeclaredItem> =
            self.document(Kind::DeclarationItem, &key).await?.ok_or_else(Error::not_found)?;
        let seen = match sight(caller) {
            Sight::All => true,
            Sight::Delegated => self.mandate(caller, item.value.exporter).await?.is_some(),
            Sight::Nothing => false,
        };
        if !seen {
            return Err(Error::not_found());
        }
        let kept: Option<Versioned<Settlement>> = self.document(Kind::Settlement, &key).await?;
        let settlement = match kept {
            Some(kept) => kept.value,
            None => Settlement::open(&item.value, &self.reference.tables().settlement_terms)
                .ok_or_else(Error::not_found)?,
        };
        let state = settlement.state(self.today());
        Ok(Shown { settlement, fob: item.value.goods.fob, state })
    }

    /// Settlements in the order of declarations and items, for a broker exporter by exporter. A
    /// page may hold fewer than asked although more follow.
    pub async fn list_settlements(
        &self,
        caller: &Caller,
        query: &SettlementsQuery,
    ) -> Result<Page<Shown>> {
        let mut gathered = Gathered { today: self.today(), found: Vec::new(), scanned: 0 };
        let next = match sight(caller) {
            Sight::All => self.gather_settlements(query, &mut gathered).await?,
            Sight::Delegated => {
                self.gather_settlements_delegated(caller, query, &mut gathered).await?
            }
            Sight::Nothing => None,
        };
        Ok(Page { items: self.with_worth(gathered.found, gathered.today).await?, next })
    }

    /// Takes in what matches, until a page is full or enough was looked at; answers where the next
    /// page begins.
    async fn gather_settlements(
        &self,
        query: &SettlementsQuery,
        gathered: &mut Gathered,
    ) -> Result<Option<String>> {
        let mut page = PageQuery::all(Kind::Settlement, SCAN);
        page.after.clone_from(&query.after);
        page.equal.extend(query.exporter.map(|cuit| ("exporter_cuit", cuit.to_string())));
        loop {
            let read: Page<Versioned<Settlement>> = self.documents(page.clone()).await?;
            gathered.scanned += SCAN;
            for settlement in read.items.into_iter().map(|held| held.value) {
                if gathered.found.len() >= query.limit as usize {
                    return Ok(Some(page.after));
                }
                page.after = settlement.key();
                if query.matches(&settlement, gathered.today) {
                    gathered.found.push(settlement);
                }
            }
            if read.next.is_none() || gathered.scanned >= SCANNED_AT_MOST {
                return Ok(read.next);
            }
        }
    }

    /// The same of those that delegated to the caller today, one exporter after the other in the
    /// order of the delegations. The place where the next page begins is the delegation before, the
    /// one within which the page ended, and where in it.
    async fn gather_settlements_delegated(
        &self,
        caller: &Caller,
        query: &SettlementsQuery,
        gathered: &mut Gathered,
    ) -> Result<Option<String>> {
        if let Some(exporter) = query.exporter {
            return match self.mandate(caller, exporter).await? {
                Some(_) => self.gather_settlements(query, gathered).await,
                None => Ok(None),
            };
        }
        let mut place = query.after.splitn(3, ' ');
        let mut part = || place.next().unwrap_or_default();
        let (mut before, at, within) = (part().to_owned(), part(), part());
        let page = self.mandates_after(caller, before.clone()).await?;
        for (exporter, mandate) in page.items {
            let after = if mandate.key == at { within.to_owned() } else { String::new() };
            let own = SettlementsQuery { exporter: Some(exporter), after, ..query.clone() };
            if let Some(next) = self.gather_settlements(&own, gathered).await? {
                return Ok(Some(format!("{before} {} {next}", mandate.key)));
            }
            before = mandate.key;
        }
        Ok(page.next)
    }

    async fn with_worth(&self, found: Vec<Settlement>, today: Date) -> Result<Vec<Shown>> {
        let keys: BTreeSet<String> = found.iter().map(Settlement::key).collect();
        let records = self.store.records(Kind::DeclarationItem, keys.into_iter().collect()).await?;
        let mut worth = BTreeMap::new();
        for record in &records {
            let item: DeclaredItem = decode(record)?.value;
            worth.insert(record.key.clone(), item.goods.fob);
        }
        let shown = found.into_iter().map(|settlement| {
            let fob = worth.get(&settlement.key()).copied();
            let fob = fob.ok_or_else(|| Error::internal("a settlement without its item"))?;
            Ok(Shown { state: settlement.state(today), settlement, fob })
        });
        shown.collect()
    }

    /// The settlement that the first shipment of `item` opens; none if it is not the first.
    pub(super) fn open_settlement(
        &self,
        before: Option<&DeclaredItem>,
        item: &DeclaredItem,
    ) -> Result<Option<Write>> {
        if before.is_some_and(|before| before.state() == ItemState::Shipped) {
            return Ok(None);
        }
        let opened = Settlement::open(item, &self.reference.tables().settlement_terms);
        let Some(opened) = opened else { return Ok(None) };
        // The version of the declaration guards it, as it does the item.
        let (_, write) = put_settlement(&opened, self.today(), 0)?;
        Ok(Some(write))
    }
}

/// A page of settlements in the making.
struct Gathered {
    today: Date,
    found: Vec<Settlement>,
    scanned: u32,
}

impl SettlementsQuery {
    fn matches(&self, one: &Settlement, today: Date) -> bool {
        self.state.is_none_or(|state| one.state(today) == state)
            && self.due_by.is_none_or(|day| one.due_on().is_some_and(|due| due <= day))
    }
}

/// Whose settlements a caller sees.
enum Sight {
    All,
    /// Those of exporters that delegated to it.
    Delegated,
    Nothing,
}

fn sight(caller: &Caller) -> Sight {
    match caller.role() {
        Role::Customs | Role::Auditor => Sight::All,
        Role::Broker => Sight::Delegated,
        Role::ExportRegistry
        | Role::Agency
        | Role::Marketplace
        | Role::Analyst
        | Role::Operator => Sight::Nothing,
    }
}

/// The resource's name.
pub(super) fn name(settlement: &Settlement) -> String {
    format!("declarations/{}/settlements/{}", settlement.declaration, settlement.item)
}

/// A settlement as the store keeps it, in place of its version `version`.
pub(super) fn put_settlement(
    settlement: &Settlement,
    today: Date,
    version: u64,
) -> Result<(Expect, Write)> {
    let columns = vec![settlement.exporter.to_string(), due(settlement.next_turn(today))];
    let state = settlement.state(today);
    put(Kind::Settlement, &settlement.key(), "", state.as_str(), columns, settlement, version)
}

#[cfg(test)]
#[path = "settlements_tests.rs"]
mod tests;
