//! Stored sale lines in bulk, page by page.
//!
//! Enters: which lines of a report, and after which one. Leaves: the next of them. Every page is a
//! short read of its own: whoever takes pages slowly holds no snapshot, and so no log, in the
//! meantime. No index is kept for it beyond those that are there: by report, and by report over
//! the lines with a remark.

use std::ops::ControlFlow;

use rusqlite::{CachedStatement, Connection, OptionalExtension, Row};

use super::documents::{signed, unsigned};
use super::stored::{COLUMNS, stored};
use crate::store::{ExportPage, ExportQuery, ExportedLine};

/// What a [`Filter`] looks at, after [`COLUMNS`] where it is not among them.
const VERDICT: usize = 2;
const KIND: usize = 5;
const DAY: usize = 16;
const CELL: usize = 17;

/// The next page.
pub fn page(connection: &Connection, query: &ExportQuery) -> rusqlite::Result<ExportPage> {
    let only_remarked =
        query.remarked == Some(true) || query.reason.is_some() || !counts_in(connection, query)?;
    // As the index of remarked lines says it, so that it serves.
    let remarked = if only_remarked { " AND verdict <> 'ACCEPTED'" } else { "" };
    let sql = format!(
        "SELECT {COLUMNS}, s.day, s.cell FROM sale_lines s WHERE report = ?1 AND line_seq > ?2\
         {remarked} ORDER BY line_seq"
    );
    let filter = Filter::of(query);
    let mut cells = Cells::over(connection)?;
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query((&query.report, signed(query.after)))?;
    let mut lines = Vec::new();
    let mut reached = query.after;
    for _ in 0..query.look_at {
        let Some(row) = rows.next()? else { return Ok(ExportPage { lines, next: None }) };
        match filter.takes(row)? {
            ControlFlow::Break(()) => return Ok(ExportPage { lines, next: None }),
            ControlFlow::Continue(false) => reached = unsigned(row.get(0)?),
            ControlFlow::Continue(true) => {
                let mut line = stored(connection, row)?;
                let known = |entry| entry < query.entries;
                line.explanation.take_if(|why| !why.entry.is_some_and(known));
                reached = line.seq;
                let (seller, ncm) = cells.about(row.get(CELL)?)?;
                lines.push(ExportedLine { stored: line, seller, ncm });
                if lines.len() >= query.limit as usize {
                    break;
                }
            }
        }
    }
    Ok(ExportPage { lines, next: Some(reached) })
}

/// Whether lines of the report have cells on one of the days; where none has, what an older version
/// left without is all that can be found, and it carries a remark.
fn counts_in(connection: &Connection, query: &ExportQuery) -> rusqlite::Result<bool> {
    let Some(days) = query.days else { return Ok(true) };
    connection
        .prepare_cached(
            "SELECT 1 FROM rollup_slices WHERE report = ?1 AND day BETWEEN ?2 AND ?3 LIMIT 1",
        )?
        .exists((&query.report, days.first().to_string(), days.last().to_string()))
}

/// What of a report is asked for, in the words of the table.
struct Filter {
    entries: i64,
    days: Option<[String; 2]>,
    kinds: Vec<&'static str>,
    remarked: Option<bool>,
    reason: Option<&'static str>,
}

impl Filter {
    fn of(query: &ExportQuery) -> Self {
        Self {
            entries: signed(query.entries),
            days: query.days.map(|days| [days.first(), days.last()].map(|day| day.to_string())),
            kinds: query.kinds.iter().map(|kind| kind.as_str()).collect(),
            remarked: query.remarked,
            reason: query.reason.map(|reason| reason.as_str()),
        }
    }

    /// Whether the row is asked for; breaks where all that follow came later than is asked for.
    fn takes(&self, row: &Row<'_>) -> rusqlite::Result<ControlFlow<(), bool>> {
        if row.get::<_, i64>(1)? >= self.entries {
            return Ok(ControlFlow::Break(()));
        }
        let text = |at: usize| row.get_ref(at)?.as_str().map_err(rusqlite::Error::from);
        let on_days = match &self.days {
            None => true,
            // Days are written so that they sort as text.
            Some([first, last]) => (first.as_str()..=last.as_str()).contains(&text(DAY)?),
        };
        let of_kind = self.kinds.is_empty() || self.kinds.contains(&text(KIND)?);
        let verdict = text(VERDICT)?;
        let as_remarked = self.remarked.is_none_or(|wanted| wanted == (verdict != "ACCEPTED"));
        let for_reason = self.reason.is_none_or(|reason| verdict.split(';').any(|r| r == reason));
        Ok(ControlFlow::Continue(on_days && of_kind && as_remarked && for_reason))
    }
}

/// What cells say of the listings they are about: seller and NCM code.
struct Cells<'c> {
    read: CachedStatement<'c>,
    /// Lines of one cell often follow each other.
    last: Option<(i64, (String, String))>,
}

impl<'c> Cells<'c> {
    fn over(connection: &'c Connection) -> rusqlite::Result<Self> {
        let sql = "SELECT seller, ncm FROM rollup_goods WHERE goods = ?1 & 4294967295";
        Ok(Self { read: connection.prepare_cached(sql)?, last: None })
    }

    fn about(&mut self, cell: Option<i64>) -> rusqlite::Result<(String, String)> {
        let Some(cell) = cell else { return Ok(Default::default()) };
        if let Some((last, about)) = &self.last
            && *last == cell
        {
            return Ok(about.clone());
        }
        let about = self
            .read
            .query_row([cell], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?
            .unwrap_or_default();
        self.last = Some((cell, about.clone()));
        Ok(about)
    }
}
