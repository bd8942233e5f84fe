//! Sale lines: each id counts once, for ever; rollups move with them.
//!
//! Enters: batches, under the ledger head. Leaves: what became of each line. What is known of
//! the store is kept over all batches of a transaction, and sums are written once at its end.

use rusqlite::{Connection, OptionalExtension};
use std::borrow::Cow;

use super::closed;
use super::documents::{self, signed, unsigned};
use super::line_tables::{Identity, Insert};
use super::names::{self, Names};
use super::net_sold::{self, NetSold};
use super::originals::Originals;
use super::rollups::{Added, Moved, Sums};
use crate::change::{BatchAnswer, LineBatch, NoteVerdict, Record};
use crate::domain::fault::Fault;
use crate::domain::reconciliation::Rematch;
use crate::domain::sale::WarningReason;
use crate::store::verdicts::{Closed, note, refused};

/// What the last transaction left of what lines are judged by.
#[derive(Default)]
pub struct Kept {
    next_seq: Option<i64>,
    sums: Sums,
    net: NetSold,
    /// The line before which all are known to be in the nets.
    holds: Option<i64>,
}

impl Kept {
    /// Gives away what the transaction has added to cells.
    pub fn moved(&mut self) -> Vec<Moved> {
        self.sums.moved()
    }
}

/// Stores lines, batch after batch, within one transaction.
pub struct Lines<'c> {
    connection: &'c Connection,
    kept: Kept,
    closed: Option<Closed>,
    originals: Originals,
    names: Names,
    statements: Option<(Identity<'c>, Insert<'c>)>,
}

impl<'c> Lines<'c> {
    /// Goes on from what the transaction before has kept.
    pub fn over(connection: &'c Connection, kept: Kept) -> Self {
        let (originals, names) = (Originals::default(), Names::default());
        Self { connection, kept, closed: None, originals, names, statements: None }
    }

    /// Stores the lines of a batch that are new and says what became of each. What they add up to
    /// is written when it is [settled](Self::settle).
    ///
    /// `entry` is the index of the ledger entry that takes them.
    pub fn append(&mut self, batch: &LineBatch, entry: u64) -> rusqlite::Result<BatchAnswer> {
        let Self { connection, kept, closed, originals, names, statements } = self;
        let mut answer = BatchAnswer {
            refused: u32::try_from(batch.refused.len()).unwrap_or(u32::MAX),
            notes: batch.refused.clone(),
            ..BatchAnswer::default()
        };
        let mut added = Added::of(batch);
        let next_seq = match &mut kept.next_seq {
            Some(next) => next,
            empty => empty.insert(next_seq(connection)?),
        };
        let closed = match closed {
            Some(closed) => closed,
            empty => empty.insert(closed::read(connection)?),
        };
        let (identity, insert) = match statements {
            Some(statements) => statements,
            empty => empty.insert((Identity::over(connection)?, Insert::over(connection)?)),
        };
        // All lines of a cell are of one day and kind. What comes too late may take no id.
        let whole = closed.whole(batch.period);
        let too_late: Vec<Option<Fault>> =
            batch.cells().iter().map(|cell| closed.refuses(whole, cell)).collect();
        identity.begin(batch, entry)?;
        insert.begin(batch, entry)?;
        for ready in batch.lines() {
            let row = &ready.row;
            let too_late = too_late[ready.cell].as_ref();
            let taken = match too_late {
                Some(_) => identity.taken(batch, row)?,
                None => identity.take(batch, row, *next_seq)?,
            };
            if let Some(first) = taken {
                answer.duplicates += 1;
                answer.notes.push(note(row, NoteVerdict::Duplicate, vec![], Some(first)));
                continue;
            }
            if let Some(fault) = too_late {
                answer.refused += 1;
                answer.notes.push(refused(row, fault.clone()));
                continue;
            }
            let mut warnings = Cow::Borrowed(row.warnings.as_slice());
            if whole && warnings.contains(&WarningReason::OutsidePeriod) {
                // An adjustment is dated when it occurs, which is after the period.
                warnings.to_mut().retain(|warning| *warning != WarningReason::OutsidePeriod);
            }
            if let Some(odd) = originals.judge(connection, batch, row)? {
                warnings.to_mut().push(odd);
            }
            let exceeds = warnings.contains(&WarningReason::ExceedsOriginal);
            let cell =
                added.add(&mut kept.sums, connection, ready.cell, ready.written, !exceeds)?;
            insert.line(ready, &warnings, cell, *next_seq)?;
            names.came(&mut kept.net, connection, batch, row, !exceeds)?;
            *next_seq += 1;
            if warnings.is_empty() {
                answer.accepted += 1;
            } else {
                answer.warned += 1;
                let reasons = warnings.iter().map(ToString::to_string).collect();
                answer.notes.push(note(row, NoteVerdict::AcceptedWithWarning, reasons, None));
            }
        }
        answer.notes.sort_by_key(|note| note.position);
        for (cell, net) in added.nets() {
            kept.net.cell(&batch.marketplace, cell, net.quantity)?;
        }
        kept.sums.take(added)?;
        answer.next_line = progress(connection, batch, &answer, entry)?;
        Ok(answer)
    }

    /// Writes what the lines so far add up to, and reads anew what other writes may change: which
    /// months are closed, which reports are abandoned and so what was taken back.
    pub fn settle(&mut self) -> rusqlite::Result<()> {
        self.closed = None;
        self.originals.forget();
        self.names.forget();
        self.kept.sums.write(self.connection)?;
        self.kept.net.write(self.connection)?;
        let Kept { next_seq, holds, .. } = &mut self.kept;
        if let Some(next) = *next_seq
            && holds.replace(next) != Some(next)
        {
            net_sold::holds(self.connection, next)?;
        }
        Ok(())
    }

    /// Counts a line that was just explained, once all else is settled.
    pub fn explained(&mut self, line: u64) -> rusqlite::Result<()> {
        names::explained(&mut self.kept.net, self.connection, line)
    }

    /// Matches a line by hand, as the entry of that index says.
    pub fn rematch(&mut self, line: u64, rematch: &Rematch, entry: u64) -> rusqlite::Result<()> {
        self.settle()?;
        names::rematch(&mut self.kept.net, self.connection, line, rematch, entry)
    }

    /// Writes a report as abandoned: nothing of it counts from then on.
    pub fn abandon(&mut self, report: &Record, version: u64) -> rusqlite::Result<()> {
        self.settle()?;
        let (connection, net, key) = (self.connection, &mut self.kept.net, &report.key);
        let (_, state) = documents::standing(connection, report.kind, key)?;
        if state == report.state {
            return documents::put(connection, report, version);
        }
        names::abandoning(net, connection, key)?;
        documents::put(connection, report, version)?;
        names::abandoned(net, connection, key)?;
        self.settle()
    }

    /// Writes what the lines add up to and answers what the next transaction may go on from, if
    /// this one is committed.
    pub fn done(mut self) -> rusqlite::Result<Kept> {
        self.settle()?;
        self.kept.sums.fold_some(self.connection)?;
        self.kept.sums.trim();
        self.kept.net.trim();
        Ok(self.kept)
    }
}

fn next_seq(connection: &Connection) -> rusqlite::Result<i64> {
    connection
        .prepare_cached("SELECT COALESCE(MAX(line_seq), 0) + 1 FROM sale_lines")?
        .query_row([], |row| row.get(0))
}

/// Moves the counts of a report and answers where the client goes on.
fn progress(
    connection: &Connection,
    batch: &LineBatch,
    answer: &BatchAnswer,
    entry: u64,
) -> rusqlite::Result<u64> {
    let end = batch.first_line + u64::from(batch.sent);
    connection
        .prepare_cached(
            "INSERT INTO report_progress \
             (report, next_line, accepted, warned, duplicates, refused, last_entry) \
             VALUES (?1, CASE WHEN ?2 = 0 THEN ?3 ELSE 0 END, ?4, ?5, ?6, ?7, ?8) \
             ON CONFLICT (report) DO UPDATE SET next_line = CASE WHEN ?2 <= next_line \
             THEN MAX(next_line, ?3) ELSE next_line END, accepted = accepted + ?4, \
             warned = warned + ?5, duplicates = duplicates + ?6, refused = refused + ?7, \
             last_entry = ?8 \
             RETURNING next_line",
        )?
        .query_row(
            (
                &batch.report,
                signed(batch.first_line),
                signed(end),
                answer.accepted,
                answer.warned,
                answer.duplicates,
                answer.refused,
                signed(entry),
            ),
            |row| row.get(0),
        )
        .map(unsigned)
}

/// Lines of a report accepted, warned of, refused and explained, in this order.
pub fn counts(connection: &Connection, report: &str) -> rusqlite::Result<[u64; 4]> {
    let sql = "SELECT accepted, warned, refused, explained FROM report_progress WHERE report = ?1";
    let counts = connection
        .prepare_cached(sql)?
        .query_row([report], |row| {
            Ok([row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?].map(unsigned))
        })
        .optional()?;
    Ok(counts.unwrap_or_default())
}
