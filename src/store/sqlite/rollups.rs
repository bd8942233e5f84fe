//! What sale lines add up to: daily cells, totals of reports.
//!
//! Enters: lines as they are stored. Leaves: sums, gathered in memory over a transaction and
//! written once, in the order of the cells' numbers, as what [cells gain](super::gains); exact, or
//! refused.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension};

use super::documents::{signed, unsigned};
use super::gains::{self, Gains};
use super::numbers::Numbers;
use super::questions::parsed;
use crate::change::{CellKey, LineBatch};
use crate::domain::currency::Currency;
use crate::domain::decimal::Totals;
use crate::domain::fault::Fault;
use crate::domain::partner::PartnerId;
use crate::domain::sale::SaleKind;

/// How many reports may stay in memory from one transaction to the next.
const KEPT: usize = 1_000;

/// Rollups and totals as the transaction under way leaves them.
#[derive(Default)]
pub struct Sums {
    reports: HashMap<String, OfReport>,
    numbers: Numbers,
    gains: Gains,
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

/// The sums of one report.
struct OfReport {
    marketplace: PartnerId,
    /// What came to cells since it was written last; the same cell may stand here more than once.
    cells: Vec<Cell>,
    totals: HashMap<(SaleKind, Currency), Total>,
}

/// What came to a rollup cell, as written.
struct Cell {
    number: i64,
    key: CellKey,
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
    number: i64,
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
                let key = &self.batch.cells()[cell];
                let number = sums.numbers.cell(connection, self.batch, key)?;
                let (sums, left_out) = (Totals::default(), Totals::default());
                empty.insert(Counted { number, sums, left_out })
            }
        };
        let sums = if counts { &mut counted.sums } else { &mut counted.left_out };
        *sums = plus(*sums, written)?;
        Ok(counted.number)
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
    /// Takes in what the lines of a batch add.
    pub fn take(&mut self, added: Added<'_>) -> rusqlite::Result<()> {
        let Added { batch, counted } = added;
        if counted.iter().all(Option::is_none) {
            return Ok(());
        }
        let report = self.reports.entry(batch.report.clone()).or_insert_with(|| OfReport {
            marketplace: batch.marketplace.clone(),
            cells: Vec::new(),
            totals: HashMap::new(),
        });
        for (key, counted) in batch.cells().iter().zip(counted) {
            let Some(Counted { number, sums, left_out }) = counted else { continue };
            let total = report.totals.entry((key.kind, key.currency)).or_default();
            total.added = plus(total.added, plus(sums, left_out)?)?;
            // A cell that only holds lines back is stored all the same.
            report.cells.push(Cell { number, key: key.clone(), added: sums });
        }
        Ok(())
    }

    /// Writes what came since it was written last.
    pub fn write(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        for (key, report) in &mut self.reports {
            write_totals(connection, key, &mut report.totals)?;
            if !report.cells.is_empty() {
                self.moved.push(write_cells(connection, report, &mut self.gains)?);
            }
        }
        Ok(())
    }

    /// Gives away what was added to cells since this was asked last.
    pub fn moved(&mut self) -> Vec<Moved> {
        std::mem::take(&mut self.moved)
    }

    /// Adds the gains of some cells to their sums, where too many wait.
    pub fn fold_some(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        self.gains.fold_some(connection)
    }

    /// Lets go of what is kept where it has become too much; all of it is written.
    pub fn trim(&mut self) {
        if self.reports.len() > KEPT {
            self.reports.clear();
        }
        self.numbers.trim();
    }
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

/// Writes what cells gain, in the order of their numbers, which is that of the table. What the
/// totals of the report, written before, do not show to fit is added to the sums and must.
fn write_cells(
    connection: &Connection,
    report: &mut OfReport,
    gains: &mut Gains,
) -> rusqlite::Result<Moved> {
    let OfReport { marketplace, cells, totals } = report;
    cells.sort_by_key(|cell| cell.number);
    let mut moved: Vec<(CellKey, Totals)> = Vec::with_capacity(cells.len());
    let mut cells = cells.drain(..).peekable();
    while let Some(Cell { number, key, mut added }) = cells.next() {
        while let Some(more) = cells.next_if(|cell| cell.number == number) {
            added = plus(added, more.added)?;
        }
        let added = key.kind.net(added);
        // Until the report is sealed each sale counts as an order.
        let orders = (key.kind == SaleKind::Sale).then_some(added.lines);
        let total = totals.get(&(key.kind, key.currency)).and_then(|total| total.held);
        if total.is_some_and(|total| gains::surely_fit(key.kind, total)) {
            gains.add(connection, number, added, orders)?;
        } else {
            gains::add_now(connection, number, added, orders)?;
        }
        if added.lines > 0 {
            moved.push((key, added));
        }
    }
    Ok(Moved { marketplace: marketplace.clone(), cells: moved })
}

/// Lines, quantity and amount, the first columns of a row.
pub fn sums(row: &rusqlite::Row<'_>) -> rusqlite::Result<Totals> {
    Ok(Totals { lines: unsigned(row.get(0)?), quantity: parsed(row, 1)?, amount: parsed(row, 2)? })
}
