//! Stored sale lines, read back as they came.
//!
//! Enters: which lines of a report. Leaves: the lines in the order they were stored, each with
//! what was odd about it.

use rusqlite::types::{Type, Value};
use rusqlite::{Connection, Row, params_from_iter};

use super::documents::{signed, unsigned};
use super::questions::parsed;
use crate::domain::sale::{OtherAmounts, SaleLine, WarningReason};
use crate::store::{LineQuery, StoredLine};

/// The columns that [`stored`] reads, in this order.
pub(super) const COLUMNS: &str = "line_seq, entry_index, verdict, line_id, order_id, kind, \
     original_line_id, sku, quantity, unit_price, currency, sold_at, destination, declaration, \
     declaration_item, other_amounts";

/// Lines that match, in the order they were stored.
pub fn lines(connection: &Connection, query: &LineQuery) -> rusqlite::Result<Vec<StoredLine>> {
    let mut sql = format!("SELECT {COLUMNS} FROM sale_lines WHERE report = ?1 AND line_seq > ?2");
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
    statement.query_map(params_from_iter(values), stored)?.collect()
}

/// A line from a row that begins with [`COLUMNS`].
pub(super) fn stored(row: &Row<'_>) -> rusqlite::Result<StoredLine> {
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
    let (seq, entry) = (unsigned(row.get(0)?), unsigned(row.get(1)?));
    Ok(StoredLine { seq, entry, line, reasons: reasons? })
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
