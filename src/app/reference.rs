//! Reference tables: what ships with the gateway, and what an operator loads.
//!
//! Enters: tables as CSV rows. Leaves: tables, and the nomenclature that
//! listings are checked against.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use arc_swap::ArcSwap;
use jiff::Timestamp;
use jiff::civil::Date;

use super::access::everything;
use super::write::{Intent, Plan, Written, put};
use super::{App, Page, Versioned, decode};
use crate::change::Kind;
use crate::domain::reference::{Nomenclature, ReferenceRow, ReferenceTable};
use crate::domain::requirements::Requirements;
use crate::domain::rule_table;
pub use crate::domain::rule_table::{CERTIFICATES, CONSIGNMENT, EXPORTA_SIMPLE, SETTLEMENT_TERMS};
use crate::domain::simple_regime::SimpleRegimes;
use crate::domain::tariff_terms::TariffTerms;
use crate::error::{Error, FieldViolation, Result};
use crate::ledger::{Draft, EntryKind};
use crate::store::{PageQuery, Store};

/// All reference tables in memory, as of the last refresh.
#[derive(Default)]
pub struct Reference {
    now: ArcSwap<Tables>,
    /// One load at a time, so that what was read earlier never replaces what was read later.
    loading: tokio::sync::Mutex<()>,
}

/// The tables of one moment.
#[derive(Default)]
pub struct Tables {
    /// By id (`ncm`, `provinces`, ...).
    pub by_id: BTreeMap<String, Arc<ReferenceTable>>,
    /// The tariff nomenclature, from table `ncm`.
    pub nomenclature: Nomenclature,
    /// Who clears which goods and certifies them, from table `certificates`.
    pub requirements: Requirements,
    /// How much may be exported under simplified regimes, from table `exporta_simple`.
    pub simple_regimes: SimpleRegimes,
    /// How long there is to settle proceeds, from table `settlement_terms`.
    pub settlement_terms: TariffTerms,
    /// How long goods may lie abroad unsold, from table `consignment`.
    pub consignment: TariffTerms,
}

impl Reference {
    /// The tables as of now.
    pub fn tables(&self) -> Arc<Tables> {
        self.now.load_full()
    }

    /// Reads all tables from the store.
    pub async fn load(&self, store: &dyn Store) -> Result<()> {
        let _one_at_a_time = self.loading.lock().await;
        let mut tables = Tables::default();
        for record in everything(store, Kind::ReferenceTable).await? {
            let table: ReferenceTable = decode(&record)?.value;
            match table.id.as_str() {
                NCM => tables.nomenclature = Nomenclature::from_table(&table),
                CERTIFICATES => tables.requirements = readable(Requirements::read(&table)),
                EXPORTA_SIMPLE => tables.simple_regimes = readable(SimpleRegimes::read(&table)),
                SETTLEMENT_TERMS => {
                    tables.settlement_terms = readable(TariffTerms::read(&table));
                }
                CONSIGNMENT => tables.consignment = readable(TariffTerms::read(&table)),
                _ => {}
            }
            tables.by_id.insert(table.id.clone(), Arc::new(table));
        }
        self.now.store(Arc::new(tables));
        Ok(())
    }
}

/// The id of the table that holds the tariff nomenclature.
pub const NCM: &str = "ncm";

/// The state of a table all of whose rules are in force everywhere.
pub(super) const CURRENT: &str = "CURRENT";

/// The state of a table by which what was there before is yet to be judged: listings that were
/// handed in, settlements that are open.
pub(super) const TO_APPLY: &str = "TO_APPLY";

/// Faults of rows that an answer names one by one; clients bound the metadata that carries them.
const FAULTS_SHOWN: usize = 40;

/// What a load of a table answers.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct TableLoaded {
    /// The table's id.
    pub id: String,
    /// Its version, as the source calls it.
    pub version: String,
    /// Where it comes from.
    pub source: String,
    /// When it was loaded.
    pub loaded_at: Timestamp,
    /// See [`ReferenceTable::digest`].
    #[serde(default)]
    pub digest: String,
    /// How many rows it has now.
    pub rows: u64,
    /// How it differs from the version before.
    pub difference: Difference,
}

/// How the rows of two versions of a table differ; a row is known by its code and first day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Difference {
    /// Rows that were not there before.
    pub created: u64,
    /// Rows of which something changed.
    pub updated: u64,
    /// Rows that stand as before.
    pub unchanged: u64,
    /// Rows that are no longer there.
    pub removed: u64,
}

/// Which rows of a table to list.
#[derive(Clone, Debug)]
pub struct RowsQuery {
    /// The table's id.
    pub table: String,
    /// Only codes that begin so.
    pub prefix: String,
    /// Only rows that hold on this day.
    pub on: Option<Date>,
    /// The `next` of the page before; empty for the first page.
    pub after: String,
    /// At most so many.
    pub limit: u32,
}

impl App {
    /// The tables in the order of their ids.
    pub fn reference_tables(&self, after: &str, limit: u32) -> Page<Arc<ReferenceTable>> {
        let tables = self.reference.tables();
        let ids = tables.by_id.iter().filter(|(id, _)| id.as_str() > after);
        page(ids.map(|(id, table)| (id.clone(), table.clone())), limit)
    }

    /// One table.
    ///
    /// # Errors
    /// `NOT_FOUND`.
    pub fn reference_table(&self, id: &str) -> Result<Arc<ReferenceTable>> {
        self.reference.tables().by_id.get(id).cloned().ok_or_else(Error::not_found)
    }

    /// Rows in the order of code and first day, and the version they are of.
    ///
    /// # Errors
    /// `NOT_FOUND` if there is no such table.
    pub fn reference_rows(&self, query: &RowsQuery) -> Result<(String, Page<ReferenceRow>)> {
        let table = self.reference_table(&query.table)?;
        let rows = table
            .rows
            .iter()
            .filter(|row| row.code.starts_with(&query.prefix))
            .filter(|row| query.on.is_none_or(|day| row.validity().holds_on(day)))
            .map(|row| (place(row), row.clone()))
            .filter(|(place, _)| *place > query.after);
        Ok((table.version.clone(), page(rows, query.limit)))
    }

    /// Puts `table` in place of its former version; its `loaded_at` is set to now. Sent as it
    /// stands, it changes nothing; the ledger has that it was sent.
    ///
    /// Listings that were handed in before are judged by new rules from then on, see
    /// `apply_rules`.
    ///
    /// # Errors
    /// `EMPTY_TABLE` if it has no rows, so that a truncated file never empties a table;
    /// `TABLE_FAULTY` with every faulty row if it is one that rules are made of and they cannot be;
    /// `VERSION_EXISTS` if the version in place has the same label and other rows.
    pub async fn load_table(
        &self,
        intent: &Intent,
        mut table: ReferenceTable,
    ) -> Result<Written<TableLoaded>> {
        if table.rows.is_empty() {
            return Err(Error::invalid(
                "EMPTY_TABLE",
                "rows",
                "the table has no rows: a load replaces the whole table, so send all of it",
            ));
        }
        sound(&table)?;
        table.rows.sort_by_cached_key(place);
        table.loaded_at = self.env.now();
        table.digest = table.content_digest();
        let table = &table;
        let written = self
            .write(intent, || async move {
                let held: Option<Versioned<ReferenceTable>> =
                    self.document(Kind::ReferenceTable, &table.id).await?;
                let version = held.as_ref().map_or(0, |held| held.version);
                let former = held.map(|held| held.value);
                let difference = difference(former.as_ref(), table);
                let same_rows =
                    difference.unchanged == table.rows.len() as u64 && difference.removed == 0;
                if let Some(former) = &former
                    && former.version == table.version
                    && !same_rows
                {
                    return Err(Error::already_exists(
                        "VERSION_EXISTS",
                        format!(
                            "version {} of {} was loaded before with other rows: give the new \
                             content a version of its own",
                            table.version, table.id
                        ),
                    ));
                }
                let stands = former.as_ref().filter(|former| {
                    same_rows && former.version == table.version && former.source == table.source
                });
                let applied = stands.is_some() || !self.concerns_anything(&table.id).await?;
                let state = if applied { CURRENT } else { TO_APPLY };
                let (expect, write) =
                    put(Kind::ReferenceTable, &table.id, "", state, vec![], table, version)?;
                let draft = Draft::new(EntryKind::RulesLoaded)
                    .about(format!("referenceTables/{}", table.id))
                    .fact("rows", table.rows.len())
                    .fact("version", &table.version)
                    .fact("digest", &table.digest)
                    .fact("changed", stands.is_none());
                Ok(Plan {
                    answer: TableLoaded {
                        id: table.id.clone(),
                        version: table.version.clone(),
                        source: table.source.clone(),
                        loaded_at: stands.map_or(table.loaded_at, |former| former.loaded_at),
                        digest: table.digest.clone(),
                        rows: table.rows.len() as u64,
                        difference,
                    },
                    expect: vec![expect],
                    writes: if stands.is_some() { vec![] } else { vec![write] },
                    draft,
                })
            })
            .await?;
        self.deadlines.look();
        if written.value.id == CONSIGNMENT {
            self.deadlines.look_at_stock();
        }
        Ok(written)
    }

    /// Whether there is anything that was judged by a former version of the table.
    async fn concerns_anything(&self, table: &str) -> Result<bool> {
        let kind = match table {
            CERTIFICATES => Kind::Listing,
            SETTLEMENT_TERMS => Kind::DeclarationItem,
            _ => return Ok(false),
        };
        Ok(!self.store.page(PageQuery::all(kind, 1)).await?.is_empty())
    }
}

/// Rules that were read from a table that was found sound when it was loaded, by this version or
/// an older one that asked for less: what cannot be read is left out, and told.
fn readable<T>((rules, faults): (T, Vec<rule_table::RowFault>)) -> T {
    for fault in faults {
        tracing::error!(row = fault.row, column = fault.column, fault.message, "rule left out");
    }
    rules
}

/// Refuses a table that rules are made of and cannot be, with its faults.
fn sound(table: &ReferenceTable) -> Result<()> {
    let faults = rule_table::faults(table);
    if faults.is_empty() {
        return Ok(());
    }
    let shown = faults.len().min(FAULTS_SHOWN);
    let words = format!(
        "{} rows of {} are faulty, the first {shown} are named; nothing was loaded",
        faults.len(),
        table.rows.len()
    );
    let mut error =
        Error::invalid("TABLE_FAULTY", "rows", words).with("faults", faults.len().to_string());
    error.fields = faults
        .into_iter()
        .take(FAULTS_SHOWN)
        .map(|fault| FieldViolation {
            field: format!("rows[{}].{}", fault.row, fault.column),
            description: format!("row {}: {}", fault.row + 1, fault.message),
        })
        .collect();
    Err(error)
}

/// Where a row stands in its table; codes hold no space.
fn place(row: &ReferenceRow) -> String {
    match row.valid_from {
        Some(first) => format!("{} {first}", row.code),
        None => row.code.clone(),
    }
}

fn page<T>(mut rest: impl Iterator<Item = (String, T)>, limit: u32) -> Page<T> {
    let mut items = Vec::new();
    let mut last = None;
    for (key, item) in rest.by_ref().take(limit as usize) {
        items.push(item);
        last = Some(key);
    }
    let next = if rest.next().is_some() { last } else { None };
    Page { items, next }
}

fn difference(former: Option<&ReferenceTable>, table: &ReferenceTable) -> Difference {
    let rows = former.map_or(&[][..], |former| &former.rows);
    let before: BTreeMap<String, &ReferenceRow> =
        rows.iter().map(|row| (place(row), row)).collect();
    let mut difference = Difference::default();
    let mut met = HashSet::new();
    for row in &table.rows {
        let key = place(row);
        match before.get(&key) {
            None => difference.created += 1,
            Some(known) if *known == row => difference.unchanged += 1,
            Some(_) => difference.updated += 1,
        }
        met.insert(key);
    }
    difference.removed = before.keys().filter(|key| !met.contains(*key)).count() as u64;
    difference
}

#[cfg(test)]
#[path = "reference_tests.rs"]
mod tests;
