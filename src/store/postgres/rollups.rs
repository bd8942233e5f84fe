//! Questions about rollup cells. Cells are read one by one as they come, so that memory holds what
//! the answer holds.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::pin::pin;

use deadpool_postgres::GenericClient;
use futures_util::TryStreamExt;
use jiff::Timestamp;
use tokio_postgres::Row;

use super::fault::Fault;
use super::values::{Day, Param, parsed, query, totals, unsigned};
use crate::domain::analytics::{Dimension, RollupCell};
use crate::domain::coarse::Merging;
use crate::domain::decimal::{Quantity, Totals, UnitPrice, exact_sum};
use crate::domain::fault;
use crate::domain::ranking::{self, ListingSums, TopListings};
use crate::domain::sale::SaleKind;
use crate::store::{Ranking, RollupQuery};

/// Rollup cells that match; cells of the same dimensions in several reports come separately where
/// they are not merged, those of abandoned reports not at all.
pub async fn cells(
    client: &impl GenericClient,
    asked: &RollupQuery,
) -> Result<Vec<RollupCell>, Fault> {
    let mut all = Vec::new();
    let Some(by) = &asked.by else {
        each_cell(client, asked, |cell| {
            all.push(cell);
            Ok(true)
        })
        .await?;
        return Ok(all);
    };
    let most = asked.at_most.unwrap_or(usize::MAX);
    let mut merging = Merging::by(by);
    each_cell(client, asked, |cell| {
        merging.add(cell)?;
        Ok(merging.len() <= most)
    })
    .await?;
    Ok(merging.cells())
}

/// The listings that sold best.
pub async fn top(
    client: &impl GenericClient,
    mut asked: RollupQuery,
    ranking: &Ranking,
) -> Result<Result<Option<TopListings>, fault::Fault>, Fault> {
    asked.by = Some(vec![Dimension::Listing, Dimension::NcmChapter]);
    let cells = cells(client, &asked).await?;
    if cells.len() > asked.at_most.unwrap_or(usize::MAX) {
        return Ok(Ok(None));
    }
    let sums = cells.iter().map(ListingSums::from);
    Ok(ranking::top(sums, ranking.measure, ranking.limit, &ranking.rates).map(Some))
}

/// Hands over the cells that match one by one, as long as more are wanted.
async fn each_cell(
    client: &impl GenericClient,
    asked: &RollupQuery,
    mut take: impl FnMut(RollupCell) -> Result<bool, Fault>,
) -> Result<(), Fault> {
    let mut sql = String::from(
        "SELECT s.marketplace, s.day, g.listing, g.seller, g.ncm, g.channel, g.province, \
         g.size_class, s.destination, s.currency, s.kind, c.lines, c.quantity, c.amount, \
         c.orders, c.cell FROM rollup_slices s JOIN rollup_cells c \
         ON c.cell BETWEEN (s.slice << 32) AND (s.slice << 32 | 4294967295) \
         JOIN rollup_goods g ON g.goods = c.cell & 4294967295 \
         WHERE c.lines > 0 AND NOT EXISTS (SELECT 1 FROM sales_reports r \
         WHERE r.key = s.report AND r.state = 'ABANDONED')",
    );
    let mut values: Vec<Param<'_>> = Vec::new();
    let mut also = |condition: &str, value| {
        values.push(value);
        let place = format!("${}", values.len());
        let _ = write!(sql, " AND {}", condition.replace('?', &place));
    };
    for (condition, value) in [
        ("s.marketplace = ?", &asked.marketplace),
        ("s.report = ?", &asked.report),
        ("g.seller = ?", &asked.seller),
        ("g.province = ?", &asked.province),
        ("g.size_class = ?", &asked.size_class),
        ("g.channel = ?", &asked.channel),
        ("s.currency = ?", &asked.currency),
        ("starts_with(g.ncm, ?)", &asked.ncm_prefix),
        // A country holds its regions, but CN-S does not hold CN-SH.
        ("(s.destination = ? OR starts_with(s.destination, ? || '-'))", &asked.destination),
    ] {
        if let Some(value) = value {
            also(condition, value);
        }
    }
    for (condition, values) in
        [("s.report = ANY(?)", &asked.reports), ("g.listing = ANY(?)", &asked.listings)]
    {
        if let Some(values) = values {
            also(condition, values);
        }
    }
    let (from, to) = (asked.from.map(Day), asked.to.map(Day));
    for (condition, day) in [("s.day >= ?", &from), ("s.day <= ?", &to)] {
        if let Some(day) = day {
            also(condition, day);
        }
    }
    let later = match asked.explained_by {
        Some(at) => explained_after(client, at).await?,
        None => HashMap::new(),
    };
    let statement = client.prepare_cached(&sql).await?;
    let mut rows = pin!(client.query_raw(&statement, values).await?);
    while let Some(row) = rows.try_next().await? {
        let mut cell = cell(&row)?;
        if let Some(late) = later.get(&row.try_get(15)?) {
            cell.lines = cell.lines.saturating_sub(late.lines);
            cell.quantity = exact_sum(cell.quantity, -late.quantity)?;
            cell.amount = exact_sum(cell.amount, -late.amount)?;
        }
        // What holds no line but those explained later is as if it were not there yet.
        if cell.lines > 0 && !take(cell)? {
            break;
        }
    }
    Ok(())
}

fn cell(row: &Row) -> Result<RollupCell, Fault> {
    let Totals { lines, quantity, amount } = totals(row, 11)?;
    let orders: Option<i64> = row.try_get(14)?;
    Ok(RollupCell {
        marketplace: row.try_get(0)?,
        day: row.try_get::<_, Day>(1)?.0,
        listing: row.try_get(2)?,
        seller: row.try_get(3)?,
        ncm: row.try_get(4)?,
        channel: row.try_get(5)?,
        province: row.try_get(6)?,
        size_class: row.try_get(7)?,
        destination: row.try_get(8)?,
        currency: row.try_get(9)?,
        kind: parsed(row, 10)?,
        lines,
        quantity,
        amount,
        orders: orders.map(unsigned),
    })
}

/// What lines that were explained after that moment add to each cell.
async fn explained_after(
    client: &impl GenericClient,
    at: Timestamp,
) -> Result<HashMap<i64, Totals>, Fault> {
    let sql = "SELECT s.cell, s.kind, s.quantity, s.unit_price FROM line_explanations e \
               JOIN sale_lines s ON s.line_seq = e.line_seq WHERE e.explained_at > $1";
    let mut cells: HashMap<i64, Totals> = HashMap::new();
    for row in query(client, sql, &[&sortable(at)]).await? {
        let one = signed_line(parsed(&row, 1)?, parsed(&row, 2)?, parsed(&row, 3)?);
        let sums = cells.entry(row.try_get(0)?).or_default();
        *sums = sums.plus(one)?;
    }
    Ok(cells)
}

/// What a line adds to the sums of its cell.
pub fn signed_line(kind: SaleKind, quantity: Quantity, price: UnitPrice) -> Totals {
    let amount = quantity.priced(price);
    kind.net(Totals { lines: 1, quantity: quantity.value(), amount })
}

/// A moment as text that sorts as moments do.
pub fn sortable(at: Timestamp) -> String {
    format!("{at:.9}")
}
