//! Sums made anew from the stored lines, and compared with those that the write path keeps.
//!
//! Enters: one snapshot of the store. Leaves: what differs. Lines are read one by one, and cells
//! are added up in windows, so that memory does not grow with the lines.

use std::collections::HashMap;
use std::pin::pin;

use deadpool_postgres::GenericClient;
use futures_util::TryStreamExt;
use tokio_postgres::Row;

use super::fault::Fault;
use super::values::{Day, Param, counted, parsed, query, totals, unsigned};
use super::{names, orders};
use crate::domain::currency::Currency;
use crate::domain::decimal::{Quantity, Totals, UnitPrice};
use crate::domain::sale::{SaleKind, WarningReason};
use crate::store::check::{Difference, SumsCheck};

/// Cells that are added up at once; each further window reads the lines once more.
const WINDOW: usize = 1_000_000;

/// Compares everything that is kept with what the lines add up to; names `most` differences.
pub async fn sums<C: GenericClient>(client: &C, most: usize) -> Result<SumsCheck, Fault> {
    let mut check = Check { client, most, outcome: SumsCheck::default() };
    let repeats = check.orders().await?;
    let mut window = Window::after(client, i64::MIN).await?;
    check.lines(&mut window, true).await?;
    for (row, kept, lines) in names::differences(client).await? {
        check.differs(("net_sold", row), "quantity", kept, lines);
    }
    check.cells(&window, &repeats).await?;
    while let Some(last) = window.is_full() {
        window = Window::after(client, last).await?;
        check.lines(&mut window, false).await?;
        check.cells(&window, &repeats).await?;
    }
    Ok(check.outcome)
}

struct Check<'c, C> {
    client: &'c C,
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
    async fn after(client: &impl GenericClient, cell: i64) -> Result<Self, Fault> {
        let sql = "SELECT cell FROM rollup_cells WHERE cell > $1 ORDER BY cell LIMIT $2";
        let rows = query(client, sql, &[&cell, &super::values::signed(WINDOW as u64)]).await?;
        let cells: Vec<i64> = rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
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

impl<C: GenericClient> Check<'_, C> {
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
    async fn orders(&mut self) -> Result<HashMap<u64, u64>, Fault> {
        let sql = "SELECT report, orders FROM report_progress WHERE orders IS NOT NULL";
        let sealed = query(self.client, sql, &[]).await?;
        let mut repeats = HashMap::new();
        for row in sealed {
            let (report, kept): (String, u64) = (row.try_get(0)?, counted(&row, 1)?);
            let counts = orders::count(self.client, &report).await?;
            if kept != counts.orders {
                self.differs(("report_progress", report), "orders", kept, counts.orders);
            }
            repeats.extend(counts.repeats);
        }
        Ok(repeats)
    }

    /// Reads every line: adds those of the window's cells up and, where `reports` says so, holds
    /// against them what is kept by report.
    async fn lines(&mut self, window: &mut Window, reports: bool) -> Result<(), Fault> {
        let sql = "SELECT s.cell, s.kind, s.quantity, s.unit_price, s.verdict, \
             e.line_seq IS NOT NULL, s.line_seq, s.report, s.currency, COALESCE(c.cell = s.cell \
             AND t.report = s.report AND t.marketplace = s.marketplace AND t.day = s.day \
             AND t.kind = s.kind AND t.currency = s.currency AND t.destination = s.destination \
             AND (s.listing IS NULL OR g.listing = s.listing), false) FROM sale_lines s \
             LEFT JOIN line_explanations e ON e.line_seq = s.line_seq \
             LEFT JOIN rollup_cells c ON c.cell = s.cell \
             LEFT JOIN rollup_slices t ON t.slice = s.cell >> 32 \
             LEFT JOIN rollup_goods g ON g.goods = s.cell & 4294967295 ORDER BY s.line_seq";
        let statement = self.client.prepare_cached(sql).await?;
        let none: [Param<'_>; 0] = [];
        let mut rows = pin!(self.client.query_raw(&statement, none).await?);
        let mut by_report: HashMap<String, OfReport> = HashMap::new();
        while let Some(row) = rows.try_next().await? {
            let row = &row;
            let (kind, quantity): (SaleKind, Quantity) = (parsed(row, 1)?, parsed(row, 2)?);
            let price: UnitPrice = parsed(row, 3)?;
            let amount = quantity.priced(price);
            let written = Totals { lines: 1, quantity: quantity.value(), amount };
            let verdict = row.try_get::<_, &str>(4)?;
            let exceeds = WarningReason::ExceedsOriginal.as_str();
            let explained: bool = row.try_get(5)?;
            let counts = explained || !verdict.split(';').any(|reason| reason == exceeds);
            let cell: i64 = row.try_get(0)?;
            if counts && let Some(sums) = window.cell(cell) {
                *sums = sums.plus(kind.net(written))?;
            }
            if !reports {
                continue;
            }
            self.outcome.lines += 1;
            if !row.try_get::<_, bool>(9)? {
                let place = ("sale_lines", format!("line {}", row.try_get::<_, i64>(6)?));
                self.differs(place, "cell", cell, "one of its own report, day, goods and kind");
            }
            let report = row.try_get::<_, &str>(7)?;
            let of = match by_report.get_mut(report) {
                Some(of) => of,
                None => by_report.entry(report.to_owned()).or_default(),
            };
            let verdicts = if verdict == "ACCEPTED" { &mut of.accepted } else { &mut of.warned };
            *verdicts += 1;
            of.explained += u64::from(explained);
            let total = of.totals.entry((kind, parsed(row, 8)?)).or_default();
            *total = total.plus(written)?;
        }
        if reports {
            self.outcome.reports = by_report.len() as u64;
            self.progress(&by_report).await?;
            self.totals(by_report).await?;
        }
        Ok(())
    }

    async fn progress(&mut self, by_report: &HashMap<String, OfReport>) -> Result<(), Fault> {
        let sql = "SELECT report, accepted, warned, explained FROM report_progress";
        let (mut known, none) = (0, OfReport::default());
        for row in query(self.client, sql, &[]).await? {
            let report: String = row.try_get(0)?;
            let of = by_report.get(&report).inspect(|_| known += 1).unwrap_or(&none);
            let counts =
                [("accepted", of.accepted), ("warned", of.warned), ("explained", of.explained)];
            for (column, (what, lines)) in (1..).zip(counts) {
                let kept = counted(&row, column)?;
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

    async fn totals(&mut self, mut by_report: HashMap<String, OfReport>) -> Result<(), Fault> {
        let place = |report: &str, kind: SaleKind, currency: Currency| {
            ("report_totals", format!("{report} {kind} {currency}"))
        };
        let sql = "SELECT report, kind, currency, lines, quantity, amount FROM report_totals";
        for row in query(self.client, sql, &[]).await? {
            let report: String = row.try_get(0)?;
            let (kind, currency) = (parsed(&row, 1)?, parsed(&row, 2)?);
            let kept = totals(&row, 3)?;
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

    async fn cells(&mut self, window: &Window, repeats: &HashMap<u64, u64>) -> Result<(), Fault> {
        let (Some(first), Some(last)) = (window.cells.first(), window.cells.last()) else {
            return Ok(());
        };
        let sql = "SELECT c.cell, c.lines, c.quantity, c.amount, c.orders, s.kind, s.report, \
             s.day, g.listing, s.currency, s.destination FROM rollup_cells c \
             LEFT JOIN rollup_slices s ON s.slice = c.cell >> 32 \
             LEFT JOIN rollup_goods g ON g.goods = c.cell & 4294967295 \
             WHERE c.cell BETWEEN $1 AND $2 ORDER BY c.cell";
        let statement = self.client.prepare_cached(sql).await?;
        let between: [Param<'_>; 2] = [first, last];
        let mut rows = pin!(self.client.query_raw(&statement, between).await?);
        let mut sums = window.sums.iter();
        while let Some(row) = rows.try_next().await? {
            self.outcome.cells += 1;
            let cell: i64 = row.try_get(0)?;
            let lines = sums.next().copied().unwrap_or_default();
            let Some((kind, place)) = about(&row)? else {
                let place = ("rollup_cells", cell.to_string());
                self.differs(place, "cell", cell, "one of a slice and goods that are known");
                continue;
            };
            let place = || ("rollup_cells", format!("{cell}: {place} {kind}"));
            self.compare(place, totals(&row, 1)?, lines);
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
            let kept = row.try_get::<_, Option<i64>>(4)?.map(unsigned).unwrap_or_default();
            if kept != orders {
                self.differs(place(), "orders", kept, orders);
            }
        }
        Ok(())
    }
}

/// The kind of a cell's lines, and what else tells it apart; none if its numbers are not known.
fn about(row: &Row) -> Result<Option<(SaleKind, String)>, Fault> {
    let (Some(report), Some(listing)) =
        (row.try_get::<_, Option<&str>>(6)?, row.try_get::<_, Option<&str>>(8)?)
    else {
        return Ok(None);
    };
    let (day, currency): (Day, &str) = (row.try_get(7)?, row.try_get(9)?);
    let destination: &str = row.try_get(10)?;
    let place = format!("{report} {} {listing} {currency} {destination}", day.0);
    Ok(Some((parsed(row, 5)?, place)))
}
