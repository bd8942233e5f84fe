//! Reference tables: what ships with the gateway, and what an operator loads.
//!
//! Enters: tables as CSV rows. Leaves: tables, and the nomenclature that
//! listings are checked against.

use std::collections::BTreeMap;
use std::sync::Arc;

use arc_swap::ArcSwap;

use super::access::everything;
use super::write::{Intent, Plan, Written, put};
use super::{App, Versioned, decode};
use crate::change::Kind;
use crate::domain::reference::{Nomenclature, ReferenceTable};
use crate::error::{Error, Result};
use crate::ledger::{Draft, EntryKind};
use crate::store::Store;

/// All reference tables in memory, as of the last refresh.
#[derive(Default)]
pub struct Reference {
    now: ArcSwap<Tables>,
}

/// The tables of one moment.
#[derive(Default)]
pub struct Tables {
    /// By id (`ncm`, `provinces`, ...).
    pub by_id: BTreeMap<String, Arc<ReferenceTable>>,
    /// The tariff nomenclature, from table `ncm`.
    pub nomenclature: Nomenclature,
}

impl Reference {
    /// The tables as of now.
    pub fn tables(&self) -> Arc<Tables> {
        self.now.load_full()
    }

    /// Reads all tables from the store.
    pub async fn load(&self, store: &dyn Store) -> Result<()> {
        let mut tables = Tables::default();
        for record in everything(store, Kind::ReferenceTable).await? {
            let table: ReferenceTable = decode(&record)?.value;
            if table.id == NCM {
                tables.nomenclature = Nomenclature::from_table(&table);
            }
            tables.by_id.insert(table.id.clone(), Arc::new(table));
        }
        self.now.store(Arc::new(tables));
        Ok(())
    }
}

/// The id of the table that holds the tariff nomenclature.
pub const NCM: &str = "ncm";

/// What a load of a table answers.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct TableLoaded {
    /// The table's id.
    pub id: String,
    /// Its version label.
    pub version: String,
    /// How many rows it has now.
    pub rows: u64,
}

impl App {
    /// Puts `table` in place of its former version.
    ///
    /// # Errors
    /// `EMPTY_TABLE` if it has no rows, so that a truncated file never empties a table.
    pub async fn load_table(
        &self,
        intent: &Intent,
        table: &ReferenceTable,
    ) -> Result<Written<TableLoaded>> {
        if table.rows.is_empty() {
            return Err(Error::invalid(
                "EMPTY_TABLE",
                "rows",
                "the table has no rows: a load replaces the whole table, so send all of it",
            ));
        }
        self.write(intent, || async {
            let held: Option<Versioned<ReferenceTable>> =
                self.document(Kind::ReferenceTable, &table.id).await?;
            let version = held.map_or(0, |held| held.version);
            let (expect, write) =
                put(Kind::ReferenceTable, &table.id, "", "CURRENT", vec![], table, version)?;
            let draft = Draft::new(EntryKind::RulesLoaded)
                .about(format!("referenceTables/{}", table.id))
                .fact("rows", table.rows.len())
                .fact("version", &table.version);
            Ok(Plan {
                answer: TableLoaded {
                    id: table.id.clone(),
                    version: table.version.clone(),
                    rows: table.rows.len() as u64,
                },
                expect: vec![expect],
                writes: vec![write],
                draft,
            })
        })
        .await
    }
}
