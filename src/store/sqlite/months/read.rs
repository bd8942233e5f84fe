//! Cells read as they come to a cube.
//!
//! Enters: the store's file. Leaves: all cells, or what moved some of them by other ways than lines.

use rusqlite::{Connection, Row};
use rust_decimal::Decimal;

use super::Months;
use crate::change::OrderCounts;
use crate::domain::decimal::Totals;
use crate::domain::exact::Exact;
use crate::store::cube::{About, Coming, GoodsId, GroupKey, Unfit};
use crate::store::sqlite::documents::{signed, unsigned};
use crate::store::sqlite::questions::parsed;
use crate::store::sqlite::{connect, read_only};

impl Months {
    /// What the orders that a sealed report repeats take from its cells; its lines are there already
    /// and count as one each.
    pub(super) fn repeats(&self, counts: &OrderCounts) -> Result<Vec<Late>, Unfit> {
        let connection = self.connection()?;
        let mut all = Vec::new();
        for (cell, repeats) in &counts.repeats {
            all.extend(late(&connection, ONE, [signed(*cell)], |_, coming| {
                let orders = -repeats.cast_signed();
                let (quantity, amount) = (Decimal::ZERO, Decimal::ZERO);
                Ok(Coming { lines: 0, quantity, amount, orders, ..coming })
            })?);
        }
        Ok(all)
    }

    /// The sums of one line: its quantity and unit price stand for them in what is read.
    pub(super) fn explained(&self, line: u64) -> Result<Vec<Late>, Unfit> {
        late(&self.connection()?, EXPLAINED, [signed(line)], |key, coming| {
            let amount = Exact::of(coming.quantity).times(coming.amount);
            let amount = amount.and_then(Exact::decimal).map_err(|_| Unfit)?;
            let written = Totals { lines: coming.lines, quantity: coming.quantity, amount };
            let Totals { lines, quantity, amount } = key.kind.net(written);
            Ok(Coming { lines, quantity, amount, ..coming })
        })
    }

    fn connection(&self) -> Result<Connection, Unfit> {
        connect(&self.path, read_only()).map_err(unreadable)
    }
}

/// What is to be read of cells after the transaction that moved them.
fn late<P: rusqlite::Params>(
    connection: &Connection,
    sql: &str,
    params: P,
    of: impl Fn(&GroupKey, Coming) -> Result<Coming, Unfit>,
) -> Result<Vec<Late>, Unfit> {
    let mut all = Vec::new();
    each(connection, sql, params, |about, key, coming| {
        all.push(of(&key, coming).map(|coming| (about.map(Box::from), key, coming)));
        true
    })
    .map_err(unreadable)?;
    all.into_iter().collect()
}

fn unreadable(reason: rusqlite::Error) -> Unfit {
    tracing::warn!(%reason, "what moves sums by month could not be read");
    Unfit
}

/// All cells that count.
pub const EVERYTHING: &str = "SELECT s.marketplace, g.listing, g.seller, g.ncm, g.channel, \
    g.province, g.size_class, s.destination, s.currency, s.kind, s.day, c.lines, c.quantity, \
    c.amount, c.orders FROM rollup_slices s CROSS JOIN rollup_cells c \
    ON c.cell BETWEEN (s.slice << 32) AND (s.slice << 32 | 4294967295) \
    CROSS JOIN rollup_goods g ON g.goods = c.cell & 4294967295 WHERE c.lines > 0 \
    AND s.report NOT IN (SELECT key FROM sales_reports WHERE state = 'ABANDONED')";

const ONE: &str = "SELECT s.marketplace, g.listing, g.seller, g.ncm, g.channel, g.province, \
    g.size_class, s.destination, s.currency, s.kind, s.day, c.lines, c.quantity, c.amount, \
    c.orders FROM rollup_cells c JOIN rollup_slices s ON s.slice = c.cell >> 32 \
    JOIN rollup_goods g ON g.goods = c.cell & 4294967295 WHERE c.cell = ?1";

const EXPLAINED: &str = "SELECT s.marketplace, g.listing, g.seller, g.ncm, g.channel, g.province, \
    g.size_class, s.destination, s.currency, s.kind, s.day, 1, l.quantity, l.unit_price, NULL \
    FROM sale_lines l JOIN rollup_slices s ON s.slice = l.cell >> 32 \
    JOIN rollup_goods g ON g.goods = l.cell & 4294967295 WHERE l.line_seq = ?1";

/// What came late to a cell: what was sold, the rest of the group's key, and what came.
pub type Late = (About<Box<str>>, GroupKey, Coming);

/// Hands over each cell as it would come to a cube, as long as more are wanted; the place of the
/// goods in the key is for the taker to fill in.
pub fn each<P: rusqlite::Params>(
    connection: &Connection,
    sql: &str,
    params: P,
    mut take: impl FnMut(About<&str>, GroupKey, Coming) -> bool,
) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(params)?;
    while let Some(row) = rows.next()? {
        let mut about = [""; 7];
        for (at, text) in about.iter_mut().enumerate() {
            *text = row.get_ref(at)?.as_str()?;
        }
        let destination = match row.get_ref(7)?.as_str()? {
            "" => None,
            _ => Some(parsed(row, 7)?),
        };
        let key = GroupKey {
            goods: GoodsId::default(),
            destination,
            currency: parsed(row, 8)?,
            kind: parsed(row, 9)?,
        };
        if !take(about, key, coming(row)?) {
            break;
        }
    }
    Ok(())
}

fn coming(row: &Row<'_>) -> rusqlite::Result<Coming> {
    Ok(Coming {
        day: parsed(row, 10)?,
        lines: unsigned(row.get(11)?),
        quantity: parsed(row, 12)?,
        amount: parsed(row, 13)?,
        orders: row.get::<_, Option<i64>>(14)?.unwrap_or(0),
    })
}
