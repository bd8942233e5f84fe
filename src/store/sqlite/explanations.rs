//! Lines that exceed their sale, once they are explained: from then on they count.
//!
//! Enters: an explanation, under the ledger head. Leaves: the line in its rollup cell. The cell was
//! found when the line came, with what was known of its listing then; until now it held the line
//! back.

use std::collections::HashMap;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension};

use super::documents::{signed, unsigned};
use super::gains;
use super::questions::parsed;
use super::rollups::plus;
use crate::domain::decimal::{Quantity, Totals, UnitPrice};
use crate::domain::explanation::Explanation;
use crate::domain::sale::SaleKind;

/// Records why the line counts, and counts it. `entry` is the ledger entry that says so.
pub fn explain(
    connection: &Connection,
    report: &str,
    line: u64,
    explanation: &Explanation,
    entry: u64,
) -> rusqlite::Result<()> {
    let line = signed(line);
    connection
        .prepare_cached(
            "INSERT INTO line_explanations \
             (line_seq, cause, evidence, explained_by, explained_at, entry_index) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute((
            line,
            explanation.cause.as_str(),
            explanation.evidence.as_str(),
            explanation.explained_by.as_str(),
            sortable(explanation.explained_at),
            signed(entry),
        ))?;
    let (cell, added) = connection
        .prepare_cached(
            "SELECT kind, quantity, unit_price, cell FROM sale_lines \
             WHERE line_seq = ?1 AND cell IS NOT NULL",
        )?
        .query_row([line], |row| {
            let added = signed_line(parsed(row, 0)?, parsed(row, 1)?, parsed(row, 2)?);
            Ok((row.get::<_, i64>(3)?, added))
        })?;
    gains::add_now(connection, cell, added, None)?;
    connection
        .prepare_cached("UPDATE report_progress SET explained = explained + 1 WHERE report = ?1")?
        .execute([report])?;
    Ok(())
}

/// Whether the line was explained.
pub fn is_explained(connection: &Connection, line: u64) -> rusqlite::Result<bool> {
    connection
        .prepare_cached("SELECT 1 FROM line_explanations WHERE line_seq = ?1")?
        .exists([signed(line)])
}

/// Why the line counts, if it was explained.
pub fn of(connection: &Connection, line: u64) -> rusqlite::Result<Option<Explanation>> {
    connection
        .prepare_cached(
            "SELECT cause, evidence, explained_by, explained_at, entry_index \
             FROM line_explanations WHERE line_seq = ?1",
        )?
        .query_row([signed(line)], |row| {
            Ok(Explanation {
                cause: parsed(row, 0)?,
                evidence: parsed(row, 1)?,
                explained_by: parsed(row, 2)?,
                explained_at: parsed(row, 3)?,
                entry: Some(unsigned(row.get(4)?)),
            })
        })
        .optional()
}

/// What lines that were explained after that moment add to each cell.
pub fn after(connection: &Connection, at: Timestamp) -> rusqlite::Result<HashMap<i64, Totals>> {
    let mut statement = connection.prepare_cached(
        "SELECT s.cell, s.kind, s.quantity, s.unit_price FROM line_explanations e \
         JOIN sale_lines s ON s.line_seq = e.line_seq WHERE e.explained_at > ?1",
    )?;
    let mut rows = statement.query([sortable(at)])?;
    let mut cells: HashMap<i64, Totals> = HashMap::new();
    while let Some(row) = rows.next()? {
        let one = signed_line(parsed(row, 1)?, parsed(row, 2)?, parsed(row, 3)?);
        let sums = cells.entry(row.get(0)?).or_default();
        *sums = plus(*sums, one)?;
    }
    Ok(cells)
}

/// What a line adds to the sums of its cell.
fn signed_line(kind: SaleKind, quantity: Quantity, price: UnitPrice) -> Totals {
    let amount = quantity.priced(price);
    kind.net(Totals { lines: 1, quantity: quantity.value(), amount })
}

/// A moment as text that sorts as moments do.
fn sortable(at: Timestamp) -> String {
    format!("{at:.9}")
}
