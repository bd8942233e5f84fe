//! Which months are closed: they take no more lines.
//!
//! Enters: the store, under the ledger head. Leaves: the months.

use rusqlite::Connection;

use super::questions::parsed;
use crate::store::verdicts::Closed;

/// Reads them.
pub fn read(connection: &Connection) -> rusqlite::Result<Closed> {
    let months: rusqlite::Result<_> = connection
        .prepare_cached("SELECT key FROM closed_months")?
        .query_map([], |row| parsed(row, 0))?
        .collect();
    months.map(Closed::of)
}
