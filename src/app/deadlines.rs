//! What the calendar changes by itself, and rules that are new: looked for again and again.
//!
//! Enters: the clock, and the days that documents are due on. Leaves: changed documents, each change
//! recorded once. What is looked at follows from what is due, by an index of the store, not from
//! what is kept.

mod exporters;
mod listings;
mod settlements;
mod terms;

use std::time::Duration;

use tokio::sync::Notify;

use super::App;
use super::write::Plan;
use crate::change::Record;
use crate::error::Result;
use crate::ledger::{Draft, EntryKind};

/// How often is looked for what is due; also at once, when there is a reason to.
const EVERY: Duration = Duration::from_secs(20);

/// Documents read at a time.
const READ: u32 = 500;

/// Wakes who looks for what is due.
#[derive(Default)]
pub struct Deadlines {
    due: Notify,
    stock: Notify,
}

impl Deadlines {
    /// There is a reason to look now.
    pub fn look(&self) {
        self.due.notify_one();
    }

    /// There is a reason to look at stock now.
    pub(super) fn look_at_stock(&self) {
        self.stock.notify_one();
    }

    /// Waits until there is a reason to look at stock.
    pub(super) async fn stock(&self) {
        self.stock.notified().await;
    }
}

/// What became of all that was due.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Met {
    /// Exporters that are something else from today on.
    pub exporters: usize,
    /// Listings that were judged anew and changed.
    pub listings: usize,
    /// Settlements that are overdue from today on, or have another term.
    pub settlements: usize,
}

impl App {
    /// Does what is due, now and again and again, for ever. Run it beside the server.
    pub async fn keep_deadlines(self) {
        loop {
            let met = self.meet_deadlines().await;
            if met != Met::default() {
                tracing::info!(met.exporters, met.listings, met.settlements, "deadlines met");
            }
            tokio::select! {
                () = self.deadlines.due.notified() => {}
                () = tokio::time::sleep(EVERY) => {}
            }
        }
    }

    /// Does what is due by the clock. What fails is told, and done the next time.
    pub async fn meet_deadlines(&self) -> Met {
        Met {
            exporters: told("exporters", self.turn_exporters().await),
            listings: told("rules", self.apply_rules().await)
                + told("listings", self.judge_due_listings().await),
            settlements: told("terms", self.apply_settlement_terms().await)
                + told("settlements", self.raise_settlements().await),
        }
    }
}

fn told(what: &str, done: Result<usize>) -> usize {
    done.unwrap_or_else(|reason| {
        tracing::error!(?reason, what, "what is due could not be done");
        0
    })
}

/// Nothing is to be done.
fn left<T>(answer: T, kind: EntryKind) -> Plan<T> {
    Plan { answer, expect: Vec::new(), writes: Vec::new(), draft: Draft::new(kind) }
}

/// The place of a document among those that are due.
fn place(record: &Record) -> (String, String) {
    (due_on(record).to_owned(), record.key.clone())
}

/// The day on which a document is due; never, where its kind has no such column.
fn due_on(record: &Record) -> &str {
    let column = record.kind.columns().iter().position(|name| *name == "due");
    column.and_then(|at| record.columns.get(at)).map_or(crate::change::NEVER, String::as_str)
}

#[cfg(test)]
mod tests;
