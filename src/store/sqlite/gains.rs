//! What rollup cells gain, and when it is added to their sums.
//!
//! Enters: what the lines of a transaction add to cells. Leaves: cells that are exact at every
//! commit, in the view `rollup_cells`, where everybody reads them. Where each line has a cell of
//! its own at a random place, each would read and write a page of the sums' table. So gains go to
//! a small table first, whose pages stay in memory, and are folded into the sums in the order of
//! both, a stretch of cells in each transaction, so that a page takes many gains at once.

use rusqlite::functions::FunctionFlags;
use rusqlite::{Connection, OptionalExtension};
use rust_decimal::Decimal;

use super::documents::signed;
use super::rollups::{plus, sums, unfit};
use crate::domain::decimal::{Totals, exact_sum};
use crate::domain::sale::SaleKind;

/// Cells that may have gains which wait; in tests so few that both are always met.
const WAITING: i64 = if cfg!(test) { 3 } else { 100_000 };
/// How many are folded at least once there are too many.
const STRETCH: i64 = 2_000;

/// With fewer lines than this in all, no cell is too great, whatever they are.
const FEW: u64 = if cfg!(test) { 4 } else { 700_000 };

/// Where folding stands, from one transaction to the next.
pub struct Gains {
    /// Cells that may have gains which wait.
    most: i64,
    /// At most how many cells have gains; none if not known.
    known: Option<i64>,
    /// The last cell that was folded: the next stretch begins after it.
    folded: i64,
}

impl Default for Gains {
    fn default() -> Self {
        Self { most: WAITING, known: None, folded: i64::MIN }
    }
}

/// Teaches the connection the function that the view of cells adds with.
pub fn know_sums(connection: &Connection) -> rusqlite::Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8
        | FunctionFlags::SQLITE_DETERMINISTIC
        | FunctionFlags::SQLITE_INNOCUOUS;
    connection.create_scalar_function("exact_sum", 2, flags, |call| {
        let value = |at: usize| -> rusqlite::Result<Decimal> {
            let Some(text) = call.get_raw(at).as_str_or_null()? else { return Ok(Decimal::ZERO) };
            Decimal::from_str_exact(text)
                .map_err(|e| rusqlite::Error::UserFunctionError(Box::new(e)))
        };
        Ok(exact_sum(value(0)?, value(1)?).map_err(unfit)?.to_string())
    })
}

/// Whether no cell of lines that add up to `total` can fail to fit once its gains are folded, in
/// whatever order: then it need not be looked at when a line comes.
///
/// The amount of a line is below 10^13 with ten decimals, its quantity below 10^12 with six; 7 x
/// 10^28 fits. Sums of what is never below zero are no greater in a cell than in all.
pub fn surely_fit(kind: SaleKind, total: Totals) -> bool {
    let few = total.lines < FEW;
    let small = |sum: Decimal| sum < Decimal::from(1_000_000_000_000_000_000_i64);
    let one_sided = match kind {
        SaleKind::Sale | SaleKind::Return | SaleKind::Refund | SaleKind::Cancellation => true,
        SaleKind::Adjustment => false,
    };
    few || one_sided && small(total.quantity) && small(total.amount)
}

/// Adds to a cell at once, exactly or not at all; `orders` only where it may have any.
pub fn add_now(
    connection: &Connection,
    cell: i64,
    added: Totals,
    orders: Option<u64>,
) -> rusqlite::Result<()> {
    fold(connection, cell, cell)?;
    let held = connection
        .prepare_cached("SELECT lines, quantity, amount FROM cell_sums WHERE cell = ?1")?
        .query_row([cell], sums)
        .optional()?;
    let now = plus(held.unwrap_or_default(), added)?;
    connection
        .prepare_cached(
            "INSERT INTO cell_sums (cell, lines, quantity, amount, orders) \
             VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (cell) DO UPDATE SET lines = excluded.lines, \
             quantity = excluded.quantity, amount = excluded.amount, \
             orders = IFNULL(orders + excluded.orders, IFNULL(orders, excluded.orders))",
        )?
        .execute((
            cell,
            signed(now.lines),
            now.quantity.to_string(),
            now.amount.to_string(),
            orders.map(signed),
        ))?;
    Ok(())
}

/// Writes that so many lines of a cell repeat an order.
pub fn repeats(connection: &Connection, cell: i64, lines: u64) -> rusqlite::Result<()> {
    fold(connection, cell, cell)?;
    connection
        .prepare_cached("UPDATE cell_sums SET orders = lines - ?2 WHERE cell = ?1")?
        .execute((cell, signed(lines)))?;
    Ok(())
}

impl Gains {
    /// Takes down what a cell gains; it [surely fits](surely_fit).
    pub fn add(
        &mut self,
        connection: &Connection,
        cell: i64,
        added: Totals,
        orders: Option<u64>,
    ) -> rusqlite::Result<()> {
        let Totals { lines, quantity, amount } = added;
        connection
            .prepare_cached(
                "INSERT INTO cell_gains (cell, lines, quantity, amount, orders) \
                 VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (cell) DO UPDATE SET \
                 lines = lines + excluded.lines, quantity = exact_sum(quantity, excluded.quantity), \
                 amount = exact_sum(amount, excluded.amount), \
                 orders = IFNULL(orders + excluded.orders, orders)",
            )?
            .execute((
                cell,
                signed(lines),
                quantity.to_string(),
                amount.to_string(),
                orders.map(signed),
            ))?;
        self.known = self.known.map(|known| known + 1);
        Ok(())
    }

    /// Folds the next stretch of cells, if too many have gains.
    pub fn fold_some(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        if self.known.is_some_and(|known| known <= self.most) {
            return Ok(());
        }
        let count = "SELECT COUNT(*) FROM cell_gains";
        let waiting: i64 = connection.prepare_cached(count)?.query_row([], |row| row.get(0))?;
        self.known = Some(waiting);
        if waiting <= self.most {
            return Ok(());
        }
        let many = (waiting - self.most).max(STRETCH.min(self.most));
        let last: Option<i64> = connection
            .prepare_cached(
                "SELECT cell FROM cell_gains WHERE cell > ?1 ORDER BY cell LIMIT 1 OFFSET ?2",
            )?
            .query_row((self.folded, many - 1), |row| row.get(0))
            .optional()?;
        let from = self.folded.saturating_add(1);
        let folded = fold(connection, from, last.unwrap_or(i64::MAX))?;
        self.known = Some(waiting - signed(folded as u64));
        // After the last cell comes the first.
        self.folded = last.unwrap_or(i64::MIN);
        Ok(())
    }
}

/// Adds the gains of these cells to their sums, both ends included; answers of how many.
fn fold(connection: &Connection, from: i64, to: i64) -> rusqlite::Result<usize> {
    let folded = connection
        .prepare_cached(
            "INSERT INTO cell_sums (cell, lines, quantity, amount, orders) \
             SELECT cell, lines, quantity, amount, orders FROM cell_gains \
             WHERE cell BETWEEN ?1 AND ?2 ORDER BY cell ON CONFLICT (cell) DO UPDATE SET \
             lines = lines + excluded.lines, quantity = exact_sum(quantity, excluded.quantity), \
             amount = exact_sum(amount, excluded.amount), \
             orders = IFNULL(orders + excluded.orders, IFNULL(orders, excluded.orders))",
        )?
        .execute((from, to))?;
    if folded > 0 {
        connection
            .prepare_cached("DELETE FROM cell_gains WHERE cell BETWEEN ?1 AND ?2")?
            .execute((from, to))?;
    }
    Ok(folded)
}

#[cfg(test)]
mod tests;
