//! Settlements that terms loaded since concern.
//!
//! Enters: all items of which something was shipped, after a load of `settlement_terms`. Leaves:
//! open settlements with the term that holds now, and settlements of items that had none; one
//! entry for each five hundred names those that changed.

use std::collections::BTreeMap;

use super::{READ, left};
use crate::app::reference::{CURRENT, SETTLEMENT_TERMS, TO_APPLY};
use crate::app::settlements::{name, put_settlement};
use crate::app::write::{Intent, Plan, put};
use crate::app::{App, Versioned, decode};
use crate::change::{Expect, Kind, Record};
use crate::domain::customs_declaration::{DeclaredItem, ItemState};
use crate::domain::partner::Partner;
use crate::domain::reference::ReferenceTable;
use crate::domain::request_id::RequestId;
use crate::domain::settlement::Settlement;
use crate::domain::tariff_terms::TariffTerms;
use crate::error::Result;
use crate::ledger::{Draft, EntryKind};
use crate::store::PageQuery;

/// A settlement that is another by the terms of now, with the versions it was made from.
struct Changed {
    settlement: Settlement,
    /// Of the settlement; 0 where there was none.
    version: u64,
    /// Of its item.
    item: u64,
}

impl App {
    /// Lets every open settlement have the term that was loaded, and then says so. Cut short, it
    /// begins anew; what it did stays. Answers how many changed.
    pub(super) async fn apply_settlement_terms(&self) -> Result<usize> {
        let Some(loaded) = self.table_to_apply(SETTLEMENT_TERMS).await? else { return Ok(0) };
        let mut query = PageQuery::all(Kind::DeclarationItem, READ);
        query.state = Some(ItemState::Shipped.as_str().to_owned());
        let mut all = 0;
        loop {
            let items = self.store.page(query.clone()).await?;
            let full = items.len() == READ as usize;
            if let Some(last) = items.last() {
                query.after.clone_from(&last.key);
            }
            let keys = self.changed_settlements(&items).await?;
            if !keys.is_empty() {
                let keys = keys.into_iter().map(|one| one.settlement.key()).collect();
                all += self.move_settlements(&loaded, keys).await?;
            }
            if !full {
                break;
            }
        }
        self.rules_applied(loaded, |draft| draft.fact("settlements", all)).await?;
        Ok(all)
    }

    /// Those of the items' settlements that the terms of now change.
    async fn changed_settlements(&self, items: &[Record]) -> Result<Vec<Changed>> {
        let tables = self.reference.tables();
        let keys = items.iter().map(|item| item.key.clone()).collect();
        let mut kept: BTreeMap<String, Versioned<Settlement>> = BTreeMap::new();
        for record in self.store.records(Kind::Settlement, keys).await? {
            kept.insert(record.key.clone(), decode(&record)?);
        }
        let mut changed = Vec::new();
        for record in items {
            let item: DeclaredItem = decode(record)?.value;
            let kept = kept.remove(&record.key);
            changed.extend(by_terms(&item, record.version, kept, &tables.settlement_terms));
        }
        Ok(changed)
    }

    /// Writes the settlements of these items as the terms of now have them, in one change.
    async fn move_settlements(&self, loaded: &Record, items: Vec<String>) -> Result<usize> {
        let table = loaded.version.to_string();
        let parts: Vec<&str> =
            std::iter::once(table.as_str()).chain(items.iter().map(String::as_str)).collect();
        let id = RequestId::of_step("settlements.judged", &parts)?;
        let intent = Intent::internal(Partner::GATEWAY.parse()?, id);
        let written = self
            .write(&intent, || async {
                let records = self.store.records(Kind::DeclarationItem, items.clone()).await?;
                let changed = self.changed_settlements(&records).await?;
                if changed.is_empty() {
                    return Ok(left(0, EntryKind::SettlementsJudged));
                }
                let (mut expect, mut writes, mut names) = (Vec::new(), Vec::new(), Vec::new());
                for one in &changed {
                    let (own, write) = put_settlement(&one.settlement, self.today(), one.version)?;
                    let (kind, key) = (Kind::DeclarationItem, one.settlement.key());
                    expect.extend([own, Expect::Version { kind, key, version: one.item }]);
                    writes.push(write);
                    names.push(name(&one.settlement));
                }
                let draft = Draft::new(EntryKind::SettlementsJudged)
                    .fact("settlements", names.join(" "))
                    .fact("rules", &loaded.key);
                Ok(Plan { answer: changed.len(), expect, writes, draft })
            })
            .await?;
        Ok(if written.replayed { 0 } else { written.value })
    }
}

/// The settlement of an item by these terms; `None` if it stays as it is kept.
fn by_terms(
    item: &DeclaredItem,
    version: u64,
    kept: Option<Versioned<Settlement>>,
    terms: &TariffTerms,
) -> Option<Changed> {
    let Some(kept) = kept else {
        let settlement = Settlement::open(item, terms)?;
        return Some(Changed { settlement, version: 0, item: version });
    };
    let mut settlement = kept.value;
    let moved = settlement.take_term(terms);
    moved.then_some(Changed { settlement, version: kept.version, item: version })
}

impl App {
    /// The table, if what was there before is yet to be judged by it. It is read again: who loaded
    /// it may not have done so yet.
    pub(super) async fn table_to_apply(&self, table: &str) -> Result<Option<Record>> {
        let record = self.store.record(Kind::ReferenceTable, table).await?;
        let Some(record) = record.filter(|record| record.state == TO_APPLY) else {
            return Ok(None);
        };
        self.refresh(Kind::ReferenceTable).await?;
        Ok(Some(record))
    }

    /// Notes that everything was judged by the table in `loaded`, unless another one came.
    pub(super) async fn rules_applied(
        &self,
        loaded: Record,
        facts: impl Fn(Draft) -> Draft,
    ) -> Result<()> {
        let id = RequestId::of_step("rules.applied", &[&loaded.key, &loaded.version.to_string()])?;
        let intent = Intent::internal(Partner::GATEWAY.parse()?, id);
        self.write(&intent, || async {
            let held: Option<Versioned<ReferenceTable>> =
                self.document(Kind::ReferenceTable, &loaded.key).await?;
            let Some(held) = held.filter(|held| held.version == loaded.version) else {
                return Ok(left(false, EntryKind::RulesApplied));
            };
            let (key, version, table) = (&loaded.key, loaded.version, &held.value);
            let (expect, write) =
                put(Kind::ReferenceTable, key, "", CURRENT, vec![], table, version)?;
            let draft = facts(Draft::new(EntryKind::RulesApplied))
                .about(format!("referenceTables/{key}"))
                .fact("version", &table.version)
                .fact("digest", &table.digest);
            Ok(Plan { answer: true, expect: vec![expect], writes: vec![write], draft })
        })
        .await
        .map(drop)
    }
}
