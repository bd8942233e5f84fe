//! Questions about the ledger, reports and rollups.

use std::collections::{BTreeMap, HashMap};
use std::str::FromStr;

use rusqlite::types::{Type, Value};
use rusqlite::{Connection, OptionalExtension, Row, params_from_iter};

use super::documents::{signed, unsigned};
use super::explanations;
use super::rollups::unfit;
use crate::domain::analytics::RollupCell;
use crate::domain::coarse::Merging;
use crate::domain::decimal::exact_sum;
use crate::ledger::{Hash, Node};
use crate::store::{KindTotal, ReportProgress, RollupQuery, StoredEntry};

/// A ledger entry with what opens its commitment.
pub fn entry(connection: &Connection, index: u64) -> rusqlite::Result<Option<StoredEntry>> {
    connection
        .prepare_cached("SELECT entry, salt, content FROM ledger_entries WHERE entry_index = ?1")?
        .query_row([signed(index)], |row| {
            Ok(StoredEntry { entry: row.get(0)?, salt: row.get(1)?, content: row.get(2)? })
        })
        .optional()
}

/// Complete nodes of the tree.
pub fn nodes(connection: &Connection, nodes: &[Node]) -> rusqlite::Result<Vec<Option<Hash>>> {
    let mut statement = connection
        .prepare_cached("SELECT hash FROM ledger_nodes WHERE level = ?1 AND node_index = ?2")?;
    nodes
        .iter()
        .map(|node| {
            statement
                .query_row((node.level, signed(node.index)), |row| row.get::<_, [u8; 32]>(0))
                .optional()
                .map(|hash| hash.map(Hash::from_bytes))
        })
        .collect()
}

/// What a report holds so far.
pub fn report_progress(connection: &Connection, report: &str) -> rusqlite::Result<ReportProgress> {
    let counts = connection
        .prepare_cached(
            "SELECT next_line, accepted, warned, duplicates, refused, orders, last_entry, \
             explained, EXISTS (SELECT 1 FROM closed_months m CROSS JOIN rollup_slices s \
             ON s.report = ?1 AND s.day BETWEEN m.key || '-01' AND m.key || '-31' \
             CROSS JOIN rollup_cells c ON c.cell BETWEEN (s.slice << 32) AND (s.slice << 32 | 4294967295) \
             AND c.lines > 0) FROM report_progress WHERE report = ?1",
        )?
        .query_row([report], |row| {
            Ok(ReportProgress {
                next_line: unsigned(row.get(0)?),
                accepted: unsigned(row.get(1)?),
                warned: unsigned(row.get(2)?),
                duplicates: unsigned(row.get(3)?),
                refused: unsigned(row.get(4)?),
                orders: row.get::<_, Option<i64>>(5)?.map(unsigned),
                last_entry: row.get::<_, Option<i64>>(6)?.map(unsigned),
                explained: unsigned(row.get(7)?),
                in_closed_month: row.get(8)?,
                totals: Vec::new(),
            })
        })
        .optional()?;
    let mut statement = connection.prepare_cached(
        "SELECT kind, currency, lines, quantity, amount FROM report_totals WHERE report = ?1 \
         ORDER BY kind, currency",
    )?;
    let totals: rusqlite::Result<Vec<KindTotal>> = statement
        .query_map([report], |row| {
            Ok(KindTotal {
                kind: row.get(0)?,
                currency: row.get(1)?,
                lines: unsigned(row.get(2)?),
                quantity: parsed(row, 3)?,
                amount: parsed(row, 4)?,
            })
        })?
        .collect();
    Ok(ReportProgress { totals: totals?, ..counts.unwrap_or_default() })
}

/// Rollup cells that match; cells of the same dimensions in several reports come separately where
/// they are not merged, those of abandoned reports not at all.
pub fn rollups(connection: &Connection, query: &RollupQuery) -> rusqlite::Result<Vec<RollupCell>> {
    let Some(by) = &query.by else {
        let mut cells = Vec::new();
        each_cell(connection, query, |cell| {
            cells.push(cell);
            Ok(true)
        })?;
        return Ok(cells);
    };
    let mut merging = Merging::by(by);
    merge(connection, query, &mut merging)?;
    Ok(merging.cells())
}

/// Merges the cells that match, until there are more than the query takes.
pub fn merge(
    connection: &Connection,
    query: &RollupQuery,
    merging: &mut Merging,
) -> rusqlite::Result<()> {
    let most = query.at_most.unwrap_or(usize::MAX);
    each_cell(connection, query, |cell| {
        merging.add(cell).map_err(unfit)?;
        Ok(merging.len() <= most)
    })
}

/// Hands over the cells that match one by one, as long as more are wanted.
fn each_cell(
    connection: &Connection,
    query: &RollupQuery,
    mut take: impl FnMut(RollupCell) -> rusqlite::Result<bool>,
) -> rusqlite::Result<()> {
    let mut conditions: BTreeMap<&str, String> = BTreeMap::new();
    let mut equal = |condition: &'static str, value: &Option<String>| {
        if let Some(value) = value {
            conditions.insert(condition, value.clone());
        }
    };
    equal("s.marketplace = ?", &query.marketplace);
    equal("s.report = ?", &query.report);
    let reports = query.reports.as_ref().map(|keys| serde_json::json!(keys).to_string());
    equal("s.report IN (SELECT value FROM json_each(?))", &reports);
    let listings = query.listings.as_ref().map(|keys| serde_json::json!(keys).to_string());
    equal("g.listing IN (SELECT value FROM json_each(?))", &listings);
    equal("s.day >= ?", &query.from.map(|day| day.to_string()));
    equal("s.day <= ?", &query.to.map(|day| day.to_string()));
    equal("g.seller = ?", &query.seller);
    equal("g.province = ?", &query.province);
    equal("g.size_class = ?", &query.size_class);
    equal("g.channel = ?", &query.channel);
    equal("s.currency = ?", &query.currency);
    equal("instr(g.ncm, ?) = 1", &query.ncm_prefix);
    // A country holds its regions, but CN-S does not hold CN-SH.
    equal("(s.destination = ? OR instr(s.destination, ? || '-') = 1)", &query.destination);
    // CROSS fixes the order of a join: few goods are looked for in each slice, else all cells of
    // the slices are read as they lie.
    let of_few = query.listings.is_some() || query.seller.is_some();
    let cells = match of_few {
        true => {
            "rollup_goods g CROSS JOIN rollup_slices s CROSS JOIN rollup_cells c \
                 ON c.cell = (s.slice << 32 | g.goods)"
        }
        false => {
            "rollup_slices s CROSS JOIN rollup_cells c \
                  ON c.cell BETWEEN (s.slice << 32) AND (s.slice << 32 | 4294967295) \
                  CROSS JOIN rollup_goods g ON g.goods = c.cell & 4294967295"
        }
    };
    let mut sql = format!(
        "SELECT s.report, s.marketplace, s.day, g.listing, g.seller, g.ncm, g.channel, \
         g.province, g.size_class, s.destination, s.currency, s.kind, c.lines, c.quantity, \
         c.amount, c.orders, c.cell FROM {cells} WHERE c.lines > 0 AND s.report NOT IN \
         (SELECT key FROM sales_reports WHERE state = 'ABANDONED')",
    );
    let mut values = Vec::with_capacity(conditions.len());
    for (condition, value) in conditions {
        values.push(Value::Text(value));
        sql.push_str(" AND ");
        sql.push_str(&condition.replace('?', &format!("?{}", values.len())));
    }
    let mut statement = connection.prepare_cached(&sql)?;
    let later = match query.explained_by {
        Some(at) => explanations::after(connection, at)?,
        None => HashMap::new(),
    };
    let before = |row: &Row<'_>| -> rusqlite::Result<RollupCell> {
        let mut cell = cell(row)?;
        if let Some(late) = later.get(&row.get(16)?) {
            cell.lines = cell.lines.saturating_sub(late.lines);
            cell.quantity = exact_sum(cell.quantity, -late.quantity).map_err(unfit)?;
            cell.amount = exact_sum(cell.amount, -late.amount).map_err(unfit)?;
        }
        Ok(cell)
    };
    // What holds no line but those explained later is as if it were not there yet.
    let counts = |cell: &rusqlite::Result<RollupCell>| !matches!(cell, Ok(cell) if cell.lines == 0);
    let mut rows = statement.query_map(params_from_iter(values), before)?.filter(counts);
    while let Some(cell) = rows.next().transpose()? {
        if !take(cell)? {
            break;
        }
    }
    Ok(())
}

fn cell(row: &Row<'_>) -> rusqlite::Result<RollupCell> {
    let orders: Option<i64> = row.get(15)?;
    Ok(RollupCell {
        marketplace: row.get(1)?,
        day: parsed(row, 2)?,
        listing: row.get(3)?,
        seller: row.get(4)?,
        ncm: row.get(5)?,
        channel: row.get(6)?,
        province: row.get(7)?,
        size_class: row.get(8)?,
        destination: row.get(9)?,
        currency: row.get(10)?,
        kind: parsed(row, 11)?,
        lines: unsigned(row.get(12)?),
        quantity: parsed(row, 13)?,
        amount: parsed(row, 14)?,
        orders: orders.map(unsigned),
    })
}

/// A column that holds the canonical text of a value.
pub fn parsed<T>(row: &Row<'_>, at: usize) -> rusqlite::Result<T>
where
    T: FromStr,
    T::Err: std::fmt::Display,
{
    let text = row.get_ref(at)?.as_str()?;
    text.parse().map_err(|reason: T::Err| {
        rusqlite::Error::FromSqlConversionFailure(at, Type::Text, reason.to_string().into())
    })
}
