//! Sums made anew from the stored lines, and compared with those that the write path keeps.
//!
//! Enters: one snapshot of the store. Leaves: what differs. Lines are read one by one, and cells
//! are added up in windows, so that memory does not grow with the lines.

use std::collections::HashMap;

use rusqlite::Connection;

use super::documents::unsigned;
use super::questions::parsed;
use super::rollups::plus;
use super::{net_sold, orders};
use crate::domain::currency::Currency;
use crate::domain::decimal::{Quantity, Totals, UnitPrice};
use crate::domain::sale::{SaleKind, WarningReason};
use crate::store::check::{Difference, SumsCheck};

/// Cells that are added up at once; each further window reads the lines once more.
const WINDOW: usize = 1_000_000;

/// Compares everything that is kept with what the lines add up to; names `most` differences.
pub fn sums(connection: &Connection, most: usize) -> rusqlite::Result<SumsCheck> {
    let mut check = Check { connection, most, outcome: SumsCheck::default() };
    let repeats = check.orders()?;
    let mut window = Window::after(connection, i64::MIN)?;
    check.lines(&mut window, true)?;
    for (row, kept, lines) in net_sold::differences(connection)? {
        check.differs(("net_sold", row), "quantity", kept, lines);
    }
    check.cells(&window, &repeats)?;
    while let Some(last) = window.is_full() {
        window = Window::after(connection, last)?;
        check.lines(&mut window, false)?;
        check.cells(&window, &repeats)?;
    }
    Ok(check.outcome)
}

struct Check<'c> {
    connection: &'c Connection,
    most: usize,
    outcome: SumsCheck,
}

/// What lines add to some cells that follow each other.
struct Window {
    /// Their numbers, ascending.
    cells: Vec<i64>,
    sums: Vec<Totals>,
}

impl Window {
    /// The first cells after one.
    fn after(connection: &Connection, cell: i64) -> rusqlite::Result<Self> {
        let cells: Vec<i64> = connection
            .prepare_cached("SELECT cell FROM rollup_cells WHERE cell > ?1 ORDER BY cell")?
            .query_map([cell], |row| row.get(0))?
            .take(WINDOW)
            .collect::<rusqlite::Result<_>>()?;
        let sums = vec![Totals::default(); cells.len()];
        Ok(Self { cells, sums })
    }

    /// Its last cell, if there may be more after it.
    fn is_full(&self) -> Option<i64> {
        self.cells.last().copied().filter(|_| self.cells.len() == WINDOW)
    }

    fn cell(&mut self, cell: i64) -> Option<&mut Totals> {
        let place = self.cells.binary_search(&cell).ok()?;
        self.sums.get_mut(place)
    }
}

/// What the lines of one report add up to.
#[derive(Default)]
struct OfReport {
    accepted: u64,
    warned: u64,
    explained: u64,
    totals: HashMap<(SaleKind, Currency), Totals>,
}

impl Check<'_> {
    fn differs(
        &mut self,
        (table, row): (&'static str, String),
        what: &'static str,
        kept: impl ToString,
        lines: impl ToString,
    ) {
        self.outcome.found += 1;
        if self.outcome.differences.len() < self.most {
            let (kept, lines) = (kept.to_string(), lines.to_string());
            self.outcome.differences.push(Difference { table, row, what, kept, lines });
        }
    }

    fn compare(&mut self, place: impl Fn() -> (&'static str, String), kept: Totals, lines: Totals) {
        if kept.lines != lines.lines {
            self.differs(place(), "lines", kept.lines, lines.lines);
        }
        if kept.quantity != lines.quantity {
            self.differs(place(), "quantity", kept.quantity, lines.quantity);
        }
        if kept.amount != lines.amount {
            self.differs(place(), "amount", kept.amount, lines.amount);
        }
    }

    /// Compares the orders of sealed reports; answers by cell how many lines repeat an order.
    fn orders(&mut self) -> rusqlite::Result<HashMap<u64, u64>> {
        let sealed: rusqlite::Result<Vec<(String, i64)>> = self
            .connection
            .prepare_cached("SELECT report, orders FROM report_progress WHERE orders IS NOT NULL")?
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect();
        let mut repeats = HashMap::new();
        for (report, kept) in sealed? {
            let counts = orders::count(self.connection, &report)?;
            if unsigned(kept) != counts.orders {
                self.differs(("report_progress", report), "orders", kept, counts.orders);
            }
            repeats.extend(counts.repeats);
        }
        Ok(repeats)
    }

    /// Reads every line: adds those of the window's cells up and, where `reports` says so, holds
    /// against them what is kept by report.
    fn lines(&mut self, window: &mut Window, reports: bool) -> rusqlite::Result<()> {
        let mut statement = self.connection.prepare_cached(
            "SELECT s.cell, s.kind, s.quantity, s.unit_price, s.verdict, e.line_seq IS NOT NULL, \
             s.line_seq, s.report, s.currency, IFNULL(t.report = s.report \
             AND t.marketplace = s.marketplace AND t.day = s.day AND t.kind = s.kind \
             AND t.currency = s.currency AND t.destination = s.destination \
             AND (s.listing IS NULL OR g.listing = s.listing) AND EXISTS \
             (SELECT 1 FROM rollup_cells c WHERE c.cell = s.cell), 0) FROM sale_lines s \
             LEFT JOIN line_explanations e ON e.line_seq = s.line_seq \
             LEFT JOIN rollup_slices t ON t.slice = s.cell >> 32 \
             LEFT JOIN rollup_goods g ON g.goods = s.cell & 4294967295 ORDER BY s.line_seq",
        )?;
        let mut rows = statement.query([])?;
        let mut by_report: HashMap<String, OfReport> = HashMap::new();
        while let Some(row) = rows.next()? {
            let (kind, quantity): (SaleKind, Quantity) = (parsed(row, 1)?, parsed(row, 2)?);
            let price: UnitPrice = parsed(row, 3)?;
            let amount = quantity.priced(price);
            let written = Totals { lines: 1, quantity: quantity.value(), amount };
            let verdict = row.get_ref(4)?.as_str()?;
            let exceeds = WarningReason::ExceedsOriginal.as_str();
            let explained: bool = row.get(5)?;
            let counts = explained || !verdict.split(';').any(|reason| reason == exceeds);
            let cell: Option<i64> = row.get(0)?;
            if counts && let Some(sums) = cell.and_then(|cell| window.cell(cell)) {
                *sums = plus(*sums, kind.net(written))?;
            }
            if !reports {
                continue;
            }
            self.outcome.lines += 1;
            if !row.get::<_, bool>(9)? {
                let place = ("sale_lines", format!("line {}", row.get::<_, i64>(6)?));
                let kept = cell.map(|cell| cell.to_string()).unwrap_or_default();
                self.differs(place, "cell", kept, "one of its own report, day, goods and kind");
            }
            let report = row.get_ref(7)?.as_str()?;
            let of = match by_report.get_mut(report) {
                Some(of) => of,
                None => by_report.entry(report.to_owned()).or_default(),
            };
            let verdicts = if verdict == "ACCEPTED" { &mut of.accepted } else { &mut of.warned };
            *verdicts += 1;
            of.explained += u64::from(explained);
            let total = of.totals.entry((kind, parsed(row, 8)?)).or_default();
            *total = plus(*total, written)?;
        }
        if reports {
            self.outcome.reports = by_report.len() as u64;
            self.progress(&by_report)?;
            self.totals(by_report)?;
        }
        Ok(())
    }

    fn progress(&mut self, by_report: &HashMap<String, OfReport>) -> rusqlite::Result<()> {
        let mut statement = self
            .connection
            .prepare_cached("SELECT report, accepted, warned, explained FROM report_progress")?;
        let mut rows = statement.query([])?;
        let (mut known, none) = (0, OfReport::default());
        while let Some(row) = rows.next()? {
            let report: String = row.get(0)?;
            let of = by_report.get(&report).inspect(|_| known += 1).unwrap_or(&none);
            let counts =
                [("accepted", of.accepted), ("warned", of.warned), ("explained", of.explained)];
            for (column, (what, lines)) in (1..).zip(counts) {
                let kept = unsigned(row.get(column)?);
                if kept != lines {
                    self.differs(("report_progress", report.clone()), what, kept, lines);
                }
            }
        }
        if known != by_report.len() {
            let missing = by_report.len() - known;
            self.differs(("report_progress", "of all reports".into()), "rows", "missing", missing);
        }
        Ok(())
    }

    fn totals(&mut self, mut by_report: HashMap<String, OfReport>) -> rusqlite::Result<()> {
        let place = |report: &str, kind: SaleKind, currency: Currency| {
            ("report_totals", format!("{report} {kind} {currency}"))
        };
        let mut statement = self.connection.prepare_cached(
            "SELECT report, kind, currency, lines, quantity, amount FROM report_totals",
        )?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let report: String = row.get(0)?;
            let (kind, currency) = (parsed(row, 1)?, parsed(row, 2)?);
            let kept = Totals {
                lines: unsigned(row.get(3)?),
                quantity: parsed(row, 4)?,
                amount: parsed(row, 5)?,
            };
            let of = by_report.get_mut(&report);
            let lines = of.and_then(|of| of.totals.remove(&(kind, currency))).unwrap_or_default();
            self.compare(|| place(&report, kind, currency), kept, lines);
        }
        for (report, of) in by_report {
            for ((kind, currency), lines) in of.totals {
                self.compare(|| place(&report, kind, currency), Totals::default(), lines);
            }
        }
        Ok(())
    }

    fn cells(&mut self, window: &Window, repeats: &HashMap<u64, u64>) -> rusqlite::Result<()> {
        let (Some(first), Some(last)) = (window.cells.first(), window.cells.last()) else {
            return Ok(());
        };
        let mut statement = self.connection.prepare_cached(
            "SELECT c.cell, c.lines, c.quantity, c.amount, c.orders, s.kind, s.report, s.day, \
             g.listing, s.currency, s.destination, g.goods IS NULL FROM rollup_cells c \
             LEFT JOIN rollup_slices s ON s.slice = c.cell >> 32 \
             LEFT JOIN rollup_goods g ON g.goods = c.cell & 4294967295 \
             WHERE c.cell BETWEEN ?1 AND ?2 ORDER BY c.cell",
        )?;
        let mut rows = statement.query((first, last))?;
        let mut sums = window.sums.iter();
        while let Some(row) = rows.next()? {
            self.outcome.cells += 1;
            let cell: i64 = row.get(0)?;
            let lines = sums.next().copied().unwrap_or_default();
            let text = |at| row.get::<_, String>(at).unwrap_or_default();
            if text(5).is_empty() || row.get(11)? {
                let place = ("rollup_cells", cell.to_string());
                self.differs(place, "cell", cell, "one of a slice and goods that are known");
                continue;
            }
            let kind: SaleKind = parsed(row, 5)?;
            let place = || {
                let key: Vec<String> = (6..=10).map(text).collect();
                ("rollup_cells", format!("{cell}: {} {kind}", key.join(" ")))
            };
            let kept = Totals {
                lines: unsigned(row.get(1)?),
                quantity: parsed(row, 2)?,
                amount: parsed(row, 3)?,
            };
            self.compare(place, kept, lines);
            let orders = match kind {
                SaleKind::Sale => {
                    let repeated = repeats.get(&unsigned(cell)).copied().unwrap_or_default();
                    lines.lines.saturating_sub(repeated)
                }
                SaleKind::Return
                | SaleKind::Refund
                | SaleKind::Cancellation
                | SaleKind::Adjustment => 0,
            };
            let kept = row.get::<_, Option<i64>>(4)?.map(unsigned).unwrap_or_default();
            if kept != orders {
                self.differs(place(), "orders", kept, orders);
            }
        }
        Ok(())
    }
}
