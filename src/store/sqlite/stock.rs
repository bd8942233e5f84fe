//! Where the stock of listings follows from, and which sales were matched by hand.
//!
//! Enters: which listings or lines. Leaves: rows as they are kept; all that is said of one listing
//! comes from one snapshot, if the connection is in one.

use rusqlite::types::ToSql;
use rusqlite::{Connection, Row};

use super::documents::{self, signed, unsigned};
use super::net_sold;
use super::questions::parsed;
use super::rollups::unfit;
use crate::change::{Kind, Record};
use crate::domain::reconciliation::{Named, Rematch};
use crate::store::PageQuery;
use crate::store::stock::{HeldRematch, ListingStock, RematchQuery, StockQuery};

/// The listings that are asked for, in the order of their keys where a page is.
pub fn listings(
    connection: &Connection,
    query: &StockQuery,
) -> rusqlite::Result<Vec<ListingStock>> {
    let found: Vec<Record> = match query {
        StockQuery::Page(page) => documents::page(connection, page)?,
        StockQuery::Keys(keys) => {
            let mut found = Vec::with_capacity(keys.len());
            for key in keys {
                found.extend(documents::one(connection, Kind::Listing, key)?);
            }
            found
        }
    };
    found.into_iter().map(|listing| stock(connection, listing)).collect()
}

fn stock(connection: &Connection, listing: Record) -> rusqlite::Result<ListingStock> {
    let of_listing = |kind| -> rusqlite::Result<Vec<Record>> {
        let mut page = PageQuery::all(kind, u32::MAX);
        page.equal.push(("listing", listing.key.clone()));
        documents::page(connection, &page)
    };
    let items = of_listing(Kind::DeclarationItem)?;
    let findings = of_listing(Kind::Finding)?;
    let net = net_sold::of(connection, &listing.key)?;
    Ok(ListingStock { listing, items, findings, net })
}

/// Matches by hand.
pub fn rematches(
    connection: &Connection,
    query: &RematchQuery,
) -> rusqlite::Result<Vec<HeldRematch>> {
    match query {
        RematchQuery::Listing(key, limit) => select(connection, "m.listing = ?1", &[key, limit]),
        RematchQuery::Lines(lines) => {
            let mut found = Vec::new();
            for line in lines {
                found.extend(select(connection, "m.line_seq = ?1", &[&signed(*line), &1])?);
            }
            Ok(found)
        }
    }
}

fn select(
    connection: &Connection,
    condition: &str,
    values: &[&dyn ToSql],
) -> rusqlite::Result<Vec<HeldRematch>> {
    let sql = format!(
        "SELECT m.line_seq, s.line_id, m.entry_index, m.name, m.reason, m.rematched_by, \
         m.rematched_at FROM line_rematches m JOIN sale_lines s ON s.line_seq = m.line_seq \
         WHERE {condition} ORDER BY m.entry_index DESC, m.line_seq LIMIT ?2"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement.query_map(values, held)?;
    rows.collect()
}

fn held(row: &Row<'_>) -> rusqlite::Result<HeldRematch> {
    let name: Option<String> = row.get(3)?;
    let to = match name.map(|name| name.parse::<Named>()).transpose().map_err(unfit)? {
        Some(Named::Item(key)) => Some(key),
        Some(Named::Declaration(_) | Named::Nothing) | None => None,
    };
    Ok(HeldRematch {
        line: unsigned(row.get(0)?),
        line_id: parsed(row, 1)?,
        entry: unsigned(row.get(2)?),
        rematch: Rematch { to, reason: parsed(row, 4)?, by: parsed(row, 5)?, at: parsed(row, 6)? },
    })
}
