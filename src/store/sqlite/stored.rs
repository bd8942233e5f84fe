//! Stored sale lines, read back as they came.
//!
//! Enters: which lines of a report. Leaves: the lines in the order they were stored, each with
//! what was odd about it.

use rusqlite::types::{Type, Value};
use rusqlite::{Connection, OptionalExtension, Row, params_from_iter};

use super::documents::{signed, unsigned};
use super::explanations;
use super::questions::parsed;
use crate::domain::partner::PartnerId;
use crate::domain::sale::{OtherAmounts, SaleLine, WarningReason};
use crate::domain::text::LineId;
use crate::store::{HeldLine, LineQuery, StoredLine};

/// The columns of `sale_lines s` that [`stored`] reads, in this order.
pub(super) const COLUMNS: &str = "s.line_seq, s.entry_index, s.verdict, s.line_id, s.order_id, \
     s.kind, s.original_line_id, s.sku, s.quantity, s.unit_price, s.currency, s.sold_at, \
     s.destination, s.declaration, s.declaration_item, s.other_amounts";

/// Lines that match, in the order they were stored.
pub fn lines(connection: &Connection, query: &LineQuery) -> rusqlite::Result<Vec<StoredLine>> {
    let mut sql = format!("SELECT {COLUMNS} FROM sale_lines s WHERE report = ?1 AND line_seq > ?2");
    let mut values = vec![
        Value::Text(query.report.clone()),
        Value::Integer(signed(query.after)),
        Value::Integer(i64::from(query.limit)),
    ];
    let remarked = query.remarked.or(query.reason.map(|_| true));
    match remarked {
        // As the index of remarked lines says it, so that it serves.
        Some(true) => sql.push_str(" AND verdict <> 'ACCEPTED'"),
        Some(false) => sql.push_str(" AND verdict = 'ACCEPTED'"),
        None => {}
    }
    if let Some(reason) = query.reason {
        sql.push_str(" AND instr(';' || verdict || ';', ?4) > 0");
        values.push(Value::Text(format!(";{reason};")));
    }
    sql.push_str(" ORDER BY line_seq LIMIT ?3");
    let mut statement = connection.prepare_cached(&sql)?;
    let lines = statement.query_map(params_from_iter(values), |row| stored(connection, row))?;
    lines.collect()
}

/// The line that a marketplace's line id belongs to.
pub fn line(
    connection: &Connection,
    marketplace: &PartnerId,
    id: &LineId,
) -> rusqlite::Result<Option<HeldLine>> {
    let sql = format!(
        "SELECT {COLUMNS}, s.report FROM line_identity i \
         JOIN sale_lines s ON s.line_seq = i.line_seq WHERE i.marketplace = ?1 AND i.line_id = ?2"
    );
    connection
        .prepare_cached(&sql)?
        .query_row((marketplace.as_str(), id.as_str()), |row| {
            Ok(HeldLine { report: row.get(16)?, line: stored(connection, row)? })
        })
        .optional()
}

/// A line from a row that begins with [`COLUMNS`].
pub(super) fn stored(connection: &Connection, row: &Row<'_>) -> rusqlite::Result<StoredLine> {
    let verdict: String = row.get(2)?;
    let reasons: rusqlite::Result<Vec<WarningReason>> = verdict
        .split(';')
        .filter(|word| *word != "ACCEPTED")
        .map(|word| word.parse().map_err(|reason| unreadable(2, reason)))
        .collect();
    let other: Option<String> = row.get(15)?;
    let other: Option<Box<OtherAmounts>> = other
        .map(|text| serde_json::from_str(&text))
        .transpose()
        .map_err(|reason| unreadable(15, reason))?;
    let line = SaleLine {
        line_id: parsed(row, 3)?,
        order_id: parsed(row, 4)?,
        kind: parsed(row, 5)?,
        original_line_id: optional(row, 6)?,
        sku: parsed(row, 7)?,
        quantity: parsed(row, 8)?,
        unit_price: parsed(row, 9)?,
        currency: parsed(row, 10)?,
        sold_at: parsed(row, 11)?,
        destination: optional(row, 12)?,
        declaration: optional(row, 13)?,
        declaration_item: row.get(14)?,
        other_amounts: other,
    };
    let (seq, entry, reasons) = (unsigned(row.get(0)?), unsigned(row.get(1)?), reasons?);
    // Few lines exceed their sale, so the others are not looked up.
    let explanation = match reasons.contains(&WarningReason::ExceedsOriginal) {
        true => explanations::of(connection, seq)?,
        false => None,
    };
    Ok(StoredLine { seq, entry, line, reasons, explanation })
}

/// A column that may be absent, or empty.
fn optional<T>(row: &Row<'_>, at: usize) -> rusqlite::Result<Option<T>>
where
    T: std::str::FromStr,
    T::Err: std::fmt::Display,
{
    match row.get::<_, Option<String>>(at)?.as_deref() {
        None | Some("") => Ok(None),
        Some(_) => parsed(row, at).map(Some),
    }
}

fn unreadable(at: usize, reason: impl std::fmt::Display) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(at, Type::Text, reason.to_string().into())
}
