//! Orders of a report: distinct pairs of order and listing over its lines of kind SALE.
//!
//! Enters: a report that is about to be sealed. Leaves: its counts, read beside the writer.

use std::collections::HashMap;
use std::pin::pin;

use deadpool_postgres::GenericClient;
use futures_util::TryStreamExt;

use super::fault::Fault;
use super::values::{Param, unsigned};
use crate::change::OrderCounts;

/// Counts the orders of a report. Lines are sorted by the database, which takes to disk what is
/// many.
pub async fn count(client: &impl GenericClient, report: &str) -> Result<OrderCounts, Fault> {
    let sql = "SELECT order_id, sku, cell FROM sale_lines WHERE report = $1 AND kind = 'SALE' \
               ORDER BY order_id, sku, line_seq";
    let statement = client.prepare_cached(sql).await?;
    let mut rows = pin!(client.query_raw(&statement, [&report as Param<'_>]).await?);
    let (mut orders, mut last) = (0, (String::new(), String::new()));
    let mut repeats: HashMap<i64, u64> = HashMap::new();
    while let Some(row) = rows.try_next().await? {
        let (order, sku): (&str, &str) = (row.try_get(0)?, row.try_get(1)?);
        // No order has an empty number, so the first line is never taken for a repeated one.
        if last.0 == order && last.1 == sku {
            *repeats.entry(row.try_get(2)?).or_default() += 1;
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
