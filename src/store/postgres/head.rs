//! The ledger head: whoever holds its row writes, and nobody else.

use deadpool_postgres::GenericClient;

use super::fault::Fault;
use super::questions;
use super::values::{execute, query_opt, signed};
use crate::ledger::Tree;

/// The head row, and what has been given away of it.
#[derive(Clone, PartialEq, Eq)]
pub struct Head {
    /// The tree.
    pub tree: Tree,
    /// The last number given to a line.
    pub last_line: i64,
    /// The last number given to a slice.
    pub last_slice: i64,
    /// The last number given to goods.
    pub last_goods: i64,
}

impl Head {
    /// Waits until nobody else holds the row, and holds it until the transaction ends.
    pub async fn held(client: &impl GenericClient) -> Result<Self, Fault> {
        Self::read(client, " FOR UPDATE").await
    }

    /// The row as the snapshot has it.
    pub async fn seen(client: &impl GenericClient) -> Result<Self, Fault> {
        Self::read(client, "").await
    }

    async fn read(client: &impl GenericClient, lock: &str) -> Result<Self, Fault> {
        let sql = format!(
            "SELECT size, frontier, last_line, last_slice, last_goods FROM ledger_head \
             WHERE id = 1{lock}"
        );
        let row = query_opt(client, &sql, &[]).await?;
        let row = row.ok_or_else(|| Fault::Unreachable("the ledger head is missing".into()))?;
        Ok(Self {
            tree: questions::tree(&row)?,
            last_line: row.try_get(2)?,
            last_slice: row.try_get(3)?,
            last_goods: row.try_get(4)?,
        })
    }

    /// Moves the row.
    pub async fn write(&self, client: &impl GenericClient) -> Result<(), Fault> {
        let frontier: Vec<u8> =
            self.tree.peaks().iter().flat_map(|hash| *hash.as_bytes()).collect();
        let sql = "UPDATE ledger_head SET size = $1, frontier = $2, last_line = $3, \
                   last_slice = $4, last_goods = $5 WHERE id = 1";
        let size = signed(self.tree.size());
        let Self { last_line, last_slice, last_goods, .. } = self;
        execute(client, sql, &[&size, &frontier, last_line, last_slice, last_goods]).await
    }
}
