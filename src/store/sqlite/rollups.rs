//! What sale lines add up to: daily cells, totals of reports, orders.
//!
//! Enters: lines as they are stored. Leaves: sums, gathered in memory over a batch and written
//! once; exact, or refused.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use jiff::civil::Date;
use rusqlite::{Connection, OptionalExtension};

use super::documents::{signed, unsigned};
use super::questions::parsed;
use crate::change::{LineBatch, LineListing, LineRow};
use crate::domain::currency::Currency;
use crate::domain::decimal::Totals;
use crate::domain::fault::Fault;
use crate::domain::listing::listing_key;
use crate::domain::place::Destination;
use crate::domain::sale::{SaleKind, WarningReason};
use crate::domain::text::Sku;

/// What a batch adds to rollups and totals.
#[derive(Default)]
pub struct Gathered {
    cells: HashMap<CellKey, Cell>,
    totals: HashMap<(SaleKind, Currency), Totals>,
    /// The highest cell in use; read once, when the first new cell is needed.
    last_cell: Option<i64>,
}

/// A rollup cell on its way: what it held before the batch, and holds after.
struct Cell {
    id: i64,
    new: bool,
    sums: Totals,
}

#[derive(PartialEq, Eq, Hash)]
struct CellKey {
    day: Date,
    goods: Goods,
    destination: Option<Destination>,
    currency: Currency,
    kind: SaleKind,
}

/// What was sold: a known listing, or the sku of one that is not.
#[derive(PartialEq, Eq, Hash)]
enum Goods {
    Listed(Arc<LineListing>),
    Unlisted(Sku),
}

/// Exact sum; refused rather than rounded when it no longer fits 28 digits.
pub fn plus(held: Totals, added: Totals) -> rusqlite::Result<Totals> {
    held.plus(added).map_err(unfit)
}

/// A fault of the domain in what is to be written: the change is refused, its neighbours are not.
pub fn unfit(fault: Fault) -> rusqlite::Error {
    rusqlite::Error::ToSqlConversionFailure(fault.to_string().into())
}

impl Gathered {
    /// Adds a line and answers its cell; a line that exceeds its sale has none, and so stays out
    /// of net until explained.
    pub fn add(
        &mut self,
        connection: &Connection,
        batch: &LineBatch,
        row: &LineRow,
        warnings: &[WarningReason],
    ) -> rusqlite::Result<Option<i64>> {
        let line = &row.line;
        let one = line.signed();
        let total = self.totals.entry((line.kind, line.currency)).or_default();
        *total = plus(*total, line.as_written())?;
        if warnings.contains(&WarningReason::ExceedsOriginal) {
            return Ok(None);
        }
        let goods = match &row.listing {
            Some(listing) => Goods::Listed(listing.clone()),
            None => Goods::Unlisted(line.sku.clone()),
        };
        let key = CellKey {
            day: line.sold_at.day(),
            goods,
            destination: line.destination,
            currency: line.currency,
            kind: line.kind,
        };
        if let Some(cell) = self.cells.get_mut(&key) {
            cell.sums = plus(cell.sums, one)?;
            return Ok(Some(cell.id));
        }
        let mut cell = match held_cell(connection, batch, &key)? {
            Some((id, sums)) => Cell { id, new: false, sums },
            None => Cell { id: self.fresh_cell(connection)?, new: true, sums: Totals::default() },
        };
        cell.sums = plus(cell.sums, one)?;
        let id = cell.id;
        self.cells.insert(key, cell);
        Ok(Some(id))
    }

    fn fresh_cell(&mut self, connection: &Connection) -> rusqlite::Result<i64> {
        let last = match self.last_cell {
            Some(last) => last,
            None => connection
                .prepare_cached("SELECT COALESCE(MAX(cell), 0) FROM rollup_cells")?
                .query_row([], |row| row.get(0))?,
        };
        self.last_cell = Some(last + 1);
        Ok(last + 1)
    }

    /// Writes what was gathered.
    pub fn write(self, connection: &Connection, batch: &LineBatch) -> rusqlite::Result<()> {
        let mut read = connection.prepare_cached(
            "SELECT lines, quantity, amount FROM report_totals \
             WHERE report = ?1 AND kind = ?2 AND currency = ?3",
        )?;
        let mut write = connection.prepare_cached(
            "INSERT INTO report_totals (report, kind, currency, lines, quantity, amount) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (report, kind, currency) DO UPDATE SET \
             lines = excluded.lines, quantity = excluded.quantity, amount = excluded.amount",
        )?;
        for ((kind, currency), added) in self.totals {
            let held = read
                .query_row((&batch.report, kind.as_str(), currency.as_str()), sums)
                .optional()?
                .unwrap_or_default();
            let now = plus(held, added)?;
            write.execute((
                &batch.report,
                kind.as_str(),
                currency.as_str(),
                signed(now.lines),
                now.quantity.to_string(),
                now.amount.to_string(),
            ))?;
        }
        for (key, cell) in self.cells {
            write_cell(connection, batch, &key, &cell)?;
        }
        Ok(())
    }
}

/// A key as the table has it: day, listing, destination, then what the listing adds to it, which
/// is seller, ncm, channel, province, size class.
fn columns<'k>(
    batch: &LineBatch,
    key: &'k CellKey,
) -> (String, Cow<'k, str>, String, [&'k str; 5]) {
    let destination = key.destination.as_ref().map(ToString::to_string).unwrap_or_default();
    let (listing, about) = match &key.goods {
        Goods::Unlisted(sku) => {
            (Cow::Owned(listing_key(&batch.marketplace, sku.as_str())), [""; 5])
        }
        Goods::Listed(l) => (
            Cow::Borrowed(l.key.as_str()),
            [&*l.seller, &*l.ncm, l.channel.as_str(), &*l.province, &*l.size_class],
        ),
    };
    (key.day.to_string(), listing, destination, about)
}

fn held_cell(
    connection: &Connection,
    batch: &LineBatch,
    key: &CellKey,
) -> rusqlite::Result<Option<(i64, Totals)>> {
    let (day, listing, destination, about) = columns(batch, key);
    let [seller, ncm, channel, province, size_class] = about;
    connection
        .prepare_cached(
            "SELECT lines, quantity, amount, cell FROM rollup_cells WHERE report = ?1 AND \
             day = ?2 AND listing = ?3 AND kind = ?4 AND currency = ?5 AND destination = ?6 AND \
             seller = ?7 AND ncm = ?8 AND channel = ?9 AND province = ?10 AND size_class = ?11",
        )?
        .query_row(
            (
                &batch.report,
                day,
                listing,
                key.kind.as_str(),
                key.currency.as_str(),
                destination,
                seller,
                ncm,
                channel,
                province,
                size_class,
            ),
            |row| Ok((row.get(3)?, sums(row)?)),
        )
        .optional()
}

fn write_cell(
    connection: &Connection,
    batch: &LineBatch,
    key: &CellKey,
    cell: &Cell,
) -> rusqlite::Result<()> {
    let lines = signed(cell.sums.lines);
    let quantity = cell.sums.quantity.to_string();
    let amount = cell.sums.amount.to_string();
    if !cell.new {
        connection
            .prepare_cached(
                "UPDATE rollup_cells SET lines = ?2, quantity = ?3, amount = ?4 WHERE cell = ?1",
            )?
            .execute((cell.id, lines, quantity, amount))?;
        return Ok(());
    }
    let (day, listing, destination, about) = columns(batch, key);
    let [seller, ncm, channel, province, size_class] = about;
    connection
        .prepare_cached(
            "INSERT INTO rollup_cells (cell, report, marketplace, day, listing, seller, ncm, \
             channel, province, size_class, destination, currency, kind, lines, quantity, amount) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)",
        )?
        .execute(rusqlite::params![
            cell.id,
            batch.report,
            batch.marketplace.as_str(),
            day,
            listing,
            seller,
            ncm,
            channel,
            province,
            size_class,
            destination,
            key.currency.as_str(),
            key.kind.as_str(),
            lines,
            quantity,
            amount,
        ])?;
    Ok(())
}

fn sums(row: &rusqlite::Row<'_>) -> rusqlite::Result<Totals> {
    Ok(Totals { lines: unsigned(row.get(0)?), quantity: parsed(row, 1)?, amount: parsed(row, 2)? })
}

/// Makes counts of orders exact for a report: distinct pairs of order and listing over its lines
/// of kind SALE. In rollups each pair is counted once, in the cell of its earliest line.
pub fn count_orders(connection: &Connection, report: &str) -> rusqlite::Result<()> {
    connection
        .prepare_cached("UPDATE rollup_cells SET orders = 0 WHERE report = ?1")?
        .execute([report])?;
    connection
        .prepare_cached(
            "UPDATE rollup_cells SET orders = counted.orders FROM ( \
               SELECT cell, COUNT(*) AS orders FROM ( \
                 SELECT cell, MIN(line_seq) FROM sale_lines \
                 WHERE report = ?1 AND kind = 'SALE' GROUP BY order_id, sku) \
               GROUP BY cell) AS counted \
             WHERE rollup_cells.cell = counted.cell",
        )?
        .execute([report])?;
    connection
        .prepare_cached(
            "UPDATE report_progress SET orders = (SELECT COUNT(*) FROM (SELECT 1 FROM sale_lines \
             WHERE report = ?1 AND kind = 'SALE' GROUP BY order_id, sku)) WHERE report = ?1",
        )?
        .execute([report])?;
    Ok(())
}
