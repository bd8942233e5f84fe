//! What sale lines add up to: daily cells, totals of reports.
//!
//! Enters: lines as they are stored. Leaves: sums, gathered in memory over a transaction and
//! written once; exact, or refused. What was written stays in memory for the next transaction,
//! so that a cell in use is neither looked up nor read again.

use std::borrow::Cow;
use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension};

use super::documents::{signed, unsigned};
use super::questions::parsed;
use crate::change::{CellKey, Goods, LineBatch};
use crate::domain::currency::Currency;
use crate::domain::decimal::Totals;
use crate::domain::fault::Fault;
use crate::domain::listing::listing_key;
use crate::domain::partner::PartnerId;
use crate::domain::sale::SaleKind;

/// How many cells may stay in memory from one transaction to the next.
const KEPT: usize = 20_000;

/// Rollups and totals as the transaction under way leaves them.
#[derive(Default)]
pub struct Sums {
    reports: HashMap<String, OfReport>,
    /// The highest cell in use; read when the first new cell is needed.
    last_cell: Option<i64>,
    /// What the transaction has added to cells so far.
    moved: Vec<Moved>,
}

/// What lines of a marketplace have added to cells, with the sign of their kinds.
pub struct Moved {
    /// The marketplace.
    pub marketplace: PartnerId,
    /// What came to each cell.
    pub cells: Vec<(CellKey, Totals)>,
}

/// The sums of one report that were asked for.
struct OfReport {
    marketplace: PartnerId,
    places: HashMap<CellKey, usize>,
    cells: Vec<Cell>,
    /// Cells to be written.
    changed: Vec<usize>,
    totals: HashMap<(SaleKind, Currency), Total>,
}

/// A rollup cell.
struct Cell {
    id: i64,
    key: CellKey,
    /// Whether it is in the table.
    stored: bool,
    /// What it holds: with the sign of its kind.
    held: Totals,
    /// What came since: as written.
    added: Totals,
}

/// A report's total of one kind in one currency, as written.
#[derive(Default)]
struct Total {
    /// What the table holds; not read yet if none.
    held: Option<Totals>,
    added: Totals,
}

/// What the lines of one batch add, cell by cell.
pub struct Added<'b> {
    batch: &'b LineBatch,
    counted: Vec<Option<Counted>>,
}

/// What lines add to a cell, as written.
struct Counted {
    place: usize,
    id: i64,
    sums: Totals,
    /// Of lines that count in totals, not in nets.
    left_out: Totals,
}

/// Exact sum; refused rather than rounded when it no longer fits 28 digits.
pub fn plus(held: Totals, added: Totals) -> rusqlite::Result<Totals> {
    held.plus(added).map_err(unfit)
}

/// A fault of the domain in what is to be written: the change is refused, its neighbours are not.
pub fn unfit(fault: Fault) -> rusqlite::Error {
    rusqlite::Error::ToSqlConversionFailure(fault.to_string().into())
}

impl<'b> Added<'b> {
    /// Nothing yet of the batch.
    pub fn of(batch: &'b LineBatch) -> Self {
        let counted = batch.cells().iter().map(|_| None).collect();
        Self { batch, counted }
    }

    /// Adds a line to a cell of its batch and answers the cell's number. One that exceeds its sale
    /// does not count: it has its cell, which holds it back until it is explained, and adds to
    /// totals alone.
    pub fn add(
        &mut self,
        sums: &mut Sums,
        connection: &Connection,
        cell: usize,
        written: Totals,
        counts: bool,
    ) -> rusqlite::Result<i64> {
        let counted = match &mut self.counted[cell] {
            Some(counted) => counted,
            empty => {
                let (place, id) = sums.find(connection, self.batch, &self.batch.cells()[cell])?;
                let (sums, left_out) = (Totals::default(), Totals::default());
                empty.insert(Counted { place, id, sums, left_out })
            }
        };
        let sums = if counts { &mut counted.sums } else { &mut counted.left_out };
        *sums = plus(*sums, written)?;
        Ok(counted.id)
    }
}

impl Added<'_> {
    /// What the lines of the batch that count add to the nets of its cells.
    pub fn nets(&self) -> impl Iterator<Item = (&CellKey, Totals)> {
        let cells = self.batch.cells().iter().zip(&self.counted);
        cells.filter_map(|(cell, counted)| Some((cell, cell.kind.net(counted.as_ref()?.sums))))
    }
}

impl Sums {
    /// The place and number of a cell, which is new if the table does not have it.
    fn find(
        &mut self,
        connection: &Connection,
        batch: &LineBatch,
        key: &CellKey,
    ) -> rusqlite::Result<(usize, i64)> {
        let report = of_report(&mut self.reports, batch);
        if let Some(place) = report.places.get(key) {
            return Ok((*place, report.cells[*place].id));
        }
        let (id, stored, held) = match held_cell(connection, batch, key)? {
            Some((id, held)) => (id, true, held),
            None => (fresh_cell(connection, &mut self.last_cell)?, false, Totals::default()),
        };
        let place = report.cells.len();
        report.places.insert(key.clone(), place);
        report.cells.push(Cell { id, key: key.clone(), stored, held, added: Totals::default() });
        Ok((place, id))
    }

    /// Takes in what the lines of a batch add.
    pub fn take(&mut self, added: Added<'_>) -> rusqlite::Result<()> {
        let Added { batch, counted } = added;
        if counted.iter().all(Option::is_none) {
            return Ok(());
        }
        let report = of_report(&mut self.reports, batch);
        for Counted { place, sums, left_out, .. } in counted.into_iter().flatten() {
            let cell = &mut report.cells[place];
            // A cell that only holds lines back is stored all the same.
            if cell.added.lines == 0 && (sums.lines > 0 || !cell.stored) {
                report.changed.push(place);
            }
            cell.added = plus(cell.added, sums)?;
            let total = report.totals.entry((cell.key.kind, cell.key.currency)).or_default();
            total.added = plus(total.added, plus(sums, left_out)?)?;
        }
        Ok(())
    }

    /// Writes what came since it was written last.
    pub fn write(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        for (key, report) in &mut self.reports {
            write_totals(connection, key, &mut report.totals)?;
            if !report.changed.is_empty() {
                self.moved.push(write_cells(connection, key, report)?);
            }
        }
        Ok(())
    }

    /// Lets go of what is kept of a report, which somebody else has written.
    pub fn forget(&mut self, report: &str) {
        self.reports.remove(report);
    }

    /// Gives away what was added to cells since this was asked last.
    pub fn moved(&mut self) -> Vec<Moved> {
        std::mem::take(&mut self.moved)
    }

    /// Lets go of what is kept where it has become too much.
    pub fn trim(&mut self) {
        if self.reports.values().map(|report| report.cells.len()).sum::<usize>() > KEPT {
            self.reports.clear();
        }
    }
}

fn of_report<'s>(
    reports: &'s mut HashMap<String, OfReport>,
    batch: &LineBatch,
) -> &'s mut OfReport {
    reports.entry(batch.report.clone()).or_insert_with(|| OfReport {
        marketplace: batch.marketplace.clone(),
        places: HashMap::new(),
        cells: Vec::new(),
        changed: Vec::new(),
        totals: HashMap::new(),
    })
}

fn fresh_cell(connection: &Connection, last_cell: &mut Option<i64>) -> rusqlite::Result<i64> {
    let last = match *last_cell {
        Some(last) => last,
        None => connection
            .prepare_cached("SELECT COALESCE(MAX(cell), 0) FROM rollup_cells")?
            .query_row([], |row| row.get(0))?,
    };
    *last_cell = Some(last + 1);
    Ok(last + 1)
}

fn write_totals(
    connection: &Connection,
    report: &str,
    totals: &mut HashMap<(SaleKind, Currency), Total>,
) -> rusqlite::Result<()> {
    let mut read = connection.prepare_cached(
        "SELECT lines, quantity, amount FROM report_totals \
         WHERE report = ?1 AND kind = ?2 AND currency = ?3",
    )?;
    let mut write = connection.prepare_cached(
        "INSERT INTO report_totals (report, kind, currency, lines, quantity, amount) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (report, kind, currency) DO UPDATE SET \
         lines = excluded.lines, quantity = excluded.quantity, amount = excluded.amount",
    )?;
    for ((kind, currency), total) in totals {
        if total.added.lines == 0 {
            continue;
        }
        let (kind, currency) = (kind.as_str(), currency.as_str());
        let held = match total.held {
            Some(held) => held,
            None => read.query_row((report, kind, currency), sums).optional()?.unwrap_or_default(),
        };
        let now = plus(held, std::mem::take(&mut total.added))?;
        let (quantity, amount) = (now.quantity.to_string(), now.amount.to_string());
        write.execute((report, kind, currency, signed(now.lines), quantity, amount))?;
        total.held = Some(now);
    }
    Ok(())
}

fn write_cells(
    connection: &Connection,
    key: &str,
    report: &mut OfReport,
) -> rusqlite::Result<Moved> {
    let mut moved = Vec::with_capacity(report.changed.len());
    let OfReport { marketplace, cells, changed, .. } = report;
    let mut update = connection.prepare_cached(
        "UPDATE rollup_cells SET lines = ?2, quantity = ?3, amount = ?4, orders = ?5 \
         WHERE cell = ?1",
    )?;
    let mut insert = connection.prepare_cached(
        "INSERT INTO rollup_cells (cell, report, marketplace, day, listing, seller, ncm, \
         channel, province, size_class, destination, currency, kind, lines, quantity, amount, \
         orders) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, \
         ?17)",
    )?;
    for place in changed.drain(..) {
        let cell = &mut cells[place];
        let added = cell.key.kind.net(std::mem::take(&mut cell.added));
        cell.held = plus(cell.held, added)?;
        if added.lines > 0 {
            moved.push((cell.key.clone(), added));
        }
        let lines = signed(cell.held.lines);
        // Until the report is sealed each sale counts as an order.
        let orders = (cell.key.kind == SaleKind::Sale).then_some(lines);
        let quantity = cell.held.quantity.to_string();
        let amount = cell.held.amount.to_string();
        if cell.stored {
            update.execute((cell.id, lines, quantity, amount, orders))?;
            continue;
        }
        cell.stored = true;
        let (day, listing, destination, about) = columns(marketplace, &cell.key);
        let [seller, ncm, channel, province, size_class] = about;
        insert.execute(rusqlite::params![
            cell.id,
            key,
            marketplace.as_str(),
            day,
            listing,
            seller,
            ncm,
            channel,
            province,
            size_class,
            destination,
            cell.key.currency.as_str(),
            cell.key.kind.as_str(),
            lines,
            quantity,
            amount,
            orders,
        ])?;
    }
    Ok(Moved { marketplace: marketplace.clone(), cells: moved })
}

/// A key as the table has it: day, listing, destination, then what the listing adds to it, which
/// is seller, ncm, channel, province, size class.
pub fn columns<'k>(
    marketplace: &PartnerId,
    key: &'k CellKey,
) -> (String, Cow<'k, str>, String, [&'k str; 5]) {
    let destination = key.destination.as_ref().map(ToString::to_string).unwrap_or_default();
    let (listing, about) = match &key.goods {
        Goods::Unlisted(sku) => (Cow::Owned(listing_key(marketplace, sku.as_str())), [""; 5]),
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
    let (day, listing, destination, about) = columns(&batch.marketplace, key);
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

fn sums(row: &rusqlite::Row<'_>) -> rusqlite::Result<Totals> {
    Ok(Totals { lines: unsigned(row.get(0)?), quantity: parsed(row, 1)?, amount: parsed(row, 2)? })
}
