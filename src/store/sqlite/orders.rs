//! Orders of a report: distinct pairs of order and listing over its lines of kind SALE.
//!
//! Enters: a report that is about to be sealed. Leaves: its counts, read beside the writer, and
//! later written under the ledger head. Until then each line of kind SALE counts as an order of
//! its cell, so only cells with lines that repeat a pair are written.

use std::collections::HashMap;

use rusqlite::Connection;

use super::documents::{signed, unsigned};
use super::gains;
use crate::change::OrderCounts;

/// Counts the orders of a report. Lines are sorted by SQLite, which takes to disk what is many.
pub fn count(connection: &Connection, report: &str) -> rusqlite::Result<OrderCounts> {
    let mut statement = connection.prepare_cached(
        "SELECT order_id, sku, cell FROM sale_lines WHERE report = ?1 AND kind = 'SALE' \
         ORDER BY order_id, sku, line_seq",
    )?;
    let mut rows = statement.query([report])?;
    let (mut orders, mut last) = (0, (String::new(), String::new()));
    let mut repeats: HashMap<i64, u64> = HashMap::new();
    while let Some(row) = rows.next()? {
        let (order, sku) = (row.get_ref(0)?.as_str()?, row.get_ref(1)?.as_str()?);
        // No order has an empty number, so the first line is never taken for a repeated one.
        if last.0 == order && last.1 == sku {
            *repeats.entry(row.get(2)?).or_default() += 1;
            continue;
        }
        orders += 1;
        for (held, now) in [(&mut last.0, order), (&mut last.1, sku)] {
            held.clear();
            held.push_str(now);
        }
    }
    let mut repeats: Vec<(u64, u64)> =
        repeats.into_iter().map(|(cell, lines)| (unsigned(cell), lines)).collect();
    repeats.sort_unstable();
    Ok(OrderCounts { report: report.to_owned(), orders, repeats })
}

/// Writes counts that were read when the report held what it holds now. In rollups each pair is
/// counted once, in the cell of its earliest line.
pub fn write(connection: &Connection, counts: &OrderCounts) -> rusqlite::Result<()> {
    for (cell, repeats) in &counts.repeats {
        gains::repeats(connection, signed(*cell), *repeats)?;
    }
    connection
        .prepare_cached("UPDATE report_progress SET orders = ?2 WHERE report = ?1")?
        .execute((&counts.report, signed(counts.orders)))?;
    Ok(())
}
