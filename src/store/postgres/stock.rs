//! What the stock of listings follows from, and which sales were matched by hand.
//!
//! Enters: which listings or lines. Leaves: rows as they are kept; all that is said of one listing
//! comes from one snapshot, if the connection is in one.

use std::collections::HashMap;

use deadpool_postgres::GenericClient;
use tokio_postgres::Row;

use super::documents;
use super::fault::Fault;
use super::values::{Param, counted, optional, parsed, query, signed};
use crate::change::{Kind, Record};
use crate::domain::reconciliation::{Named, NetByName, Rematch};
use crate::store::stock::{HeldRematch, ListingStock, RematchQuery, StockQuery};

/// The listings that are asked for, in the order asked or, of a page, that of their keys.
pub async fn listings(
    client: &impl GenericClient,
    asked: &StockQuery,
) -> Result<Vec<ListingStock>, Fault> {
    let found = match asked {
        StockQuery::Page(page) => documents::page(client, page).await?,
        StockQuery::Keys(keys) => {
            let found = documents::some(client, Kind::Listing, keys).await?;
            let mut found: HashMap<String, Record> =
                found.into_iter().map(|listing| (listing.key.clone(), listing)).collect();
            keys.iter().filter_map(|key| found.remove(key)).collect()
        }
    };
    let keys: Vec<&str> = found.iter().map(|listing| listing.key.as_str()).collect();
    let (mut items, mut findings) = (
        of_listings(client, Kind::DeclarationItem, &keys).await?,
        of_listings(client, Kind::Finding, &keys).await?,
    );
    let mut nets: HashMap<String, NetByName> = HashMap::new();
    let sql = "SELECT listing, name, quantity FROM net_sold WHERE listing = ANY($1)";
    for row in query(client, sql, &[&keys]).await? {
        nets.entry(row.try_get(0)?).or_default().insert(parsed(&row, 1)?, parsed(&row, 2)?);
    }
    let stock = |listing: Record| ListingStock {
        items: items.remove(&listing.key).unwrap_or_default(),
        findings: findings.remove(&listing.key).unwrap_or_default(),
        net: nets.remove(&listing.key).unwrap_or_default(),
        listing,
    };
    Ok(found.into_iter().map(stock).collect())
}

/// Documents whose first column is one of the listings, by it, in the order of their keys.
async fn of_listings(
    client: &impl GenericClient,
    kind: Kind,
    listings: &[&str],
) -> Result<HashMap<String, Vec<Record>>, Fault> {
    let mut by_listing: HashMap<String, Vec<Record>> = HashMap::new();
    for record in documents::having(client, kind, "listing", listings).await? {
        if let Some(listing) = record.columns.first() {
            by_listing.entry(listing.clone()).or_default().push(record);
        }
    }
    Ok(by_listing)
}

/// Matches by hand.
pub async fn rematches(
    client: &impl GenericClient,
    asked: &RematchQuery,
) -> Result<Vec<HeldRematch>, Fault> {
    const COLUMNS: &str = "m.line_seq, s.line_id, m.entry_index, m.name, m.reason, \
         m.rematched_by, m.rematched_at FROM line_rematches m \
         JOIN sale_lines s ON s.line_seq = m.line_seq";
    let rows = match asked {
        RematchQuery::Listing(key, limit) => {
            let sql = format!(
                "SELECT {COLUMNS} WHERE m.listing = $1 \
                 ORDER BY m.entry_index DESC, m.line_seq LIMIT $2"
            );
            let values: [Param<'_>; 2] = [key, &i64::from(*limit)];
            query(client, &sql, &values).await?
        }
        RematchQuery::Lines(lines) => {
            let lines: Vec<i64> = lines.iter().map(|line| signed(*line)).collect();
            let sql = format!(
                "SELECT DISTINCT ON (a.place) {COLUMNS} JOIN unnest($1::bigint[]) \
                 WITH ORDINALITY AS a (line, place) ON a.line = m.line_seq \
                 ORDER BY a.place, m.entry_index DESC"
            );
            query(client, &sql, &[&lines]).await?
        }
    };
    rows.iter().map(held).collect()
}

fn held(row: &Row) -> Result<HeldRematch, Fault> {
    let to = match optional(row, 3)? {
        Some(Named::Item(key)) => Some(key),
        Some(Named::Declaration(_) | Named::Nothing) | None => None,
    };
    Ok(HeldRematch {
        line: counted(row, 0)?,
        line_id: parsed(row, 1)?,
        entry: counted(row, 2)?,
        rematch: Rematch { to, reason: parsed(row, 4)?, by: parsed(row, 5)?, at: parsed(row, 6)? },
    })
}
