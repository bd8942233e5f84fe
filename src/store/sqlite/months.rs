//! Keeps sums by month in memory.
//!
//! Enters: what each committed transaction has added to cells, in order. Leaves: a cube that is as
//! current as the daily cells, for `ask`. A thread of its own keeps it, so that the writer hands
//! over what it has and goes on. Where there is nothing in memory (the store was opened just now,
//! or holds more than fits), the daily cells answer alone.

mod ask;
mod days;
mod read;
mod saved;
mod take;

use std::collections::{HashSet, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use self::take::Listed;
use super::rollups::Moved;
use crate::change::{Kind, OrderCounts, Write};
use crate::store::cube::{Coming, Cube, GroupId};
use crate::store::{Group, Judged};

/// The most sums by month and year that are held, some 80 MB of them.
const MOST: usize = 2_000_000;
/// Transactions that may wait to be taken in; beyond, everything is read anew.
const WAITING: usize = 512;

/// The state of a report of which nothing counts.
pub const ABANDONED: &str = "ABANDONED";

/// What a transaction means to sums by month.
pub enum Step {
    /// Lines were added.
    Moved(Moved),
    /// The orders of a report were counted.
    Counted(Arc<OrderCounts>),
    /// A line that had been left out counts from now on (its place among all lines).
    Explained(u64),
    /// What was there counts no more.
    Anew,
}

/// What a transaction means to sums by month.
pub fn steps(moved: Vec<Moved>, group: &Group, judged: &[Judged]) -> Vec<Step> {
    let mut steps: Vec<Step> = moved.into_iter().map(Step::Moved).collect();
    let applied = group.changes.iter().zip(judged).filter(|(_, judged)| judged.is_ok());
    for write in applied.flat_map(|(change, _)| &change.writes) {
        match write {
            Write::CountOrders(counts) => steps.push(Step::Counted(counts.clone())),
            Write::Explain { line, .. } => steps.push(Step::Explained(*line)),
            Write::Put(record) if record.kind == Kind::Report && record.state == ABANDONED => {
                steps.push(Step::Anew);
            }
            Write::Put(_) | Write::Lines(_) | Write::Rematch(..) => {}
        }
    }
    steps
}

/// Sums by month, and what is to become of them.
pub struct Months {
    path: PathBuf,
    held: RwLock<Held>,
    inbox: Mutex<Inbox>,
    changed: Condvar,
    /// The ledger's size after the last transaction that moves sums, durable or about to be.
    announced: AtomicU64,
    /// The same, durable.
    durable: AtomicU64,
    /// The ledger's size after the last transaction that is taken in.
    upto: AtomicU64,
    /// How often days were read.
    attempts: AtomicU64,
    /// What this process has written to the ledger; none yet if nothing.
    written: Mutex<Option<Written>>,
    stopped: AtomicBool,
}

/// What one process has written to the ledger.
#[derive(Clone, Copy)]
struct Written {
    /// The ledger's size before the first transaction and after the last.
    from: u64,
    upto: u64,
    /// Whether nobody else has written in between.
    alone: bool,
}

#[derive(Default)]
struct Held {
    /// `None` while they are read, and where they do not fit.
    cube: Option<Cube>,
    /// Reports whose orders are counted in it.
    counted: HashSet<String>,
    /// The ledger's size when it was read.
    read_at: u64,
    /// Whether there were too many, or one that does not fit; then nothing is kept any more.
    given_up: bool,
    /// Months whose days are being read, and those that have too many.
    loading: Vec<Loading>,
    crowded: HashSet<i32>,
}

/// A month whose days are being read.
struct Loading {
    month: i32,
    /// Tells one attempt from another.
    number: u64,
    /// What has come meanwhile, each with the ledger's size by then.
    late: Vec<(u64, GroupId, Coming)>,
}

#[derive(Default)]
struct Inbox {
    waiting: VecDeque<(u64, Vec<Step>)>,
    lost: bool,
}

impl Months {
    /// Those of the store in file `path`; nothing is read before [`keep`](Self::keep).
    pub fn new(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            held: RwLock::default(),
            inbox: Mutex::default(),
            changed: Condvar::new(),
            announced: AtomicU64::new(0),
            durable: AtomicU64::new(0),
            upto: AtomicU64::new(0),
            attempts: AtomicU64::new(0),
            written: Mutex::default(),
            stopped: AtomicBool::new(false),
        }
    }

    /// Says that a transaction which moves sums is about to be durable.
    pub fn announce(&self, size: u64) {
        self.announced.store(size, Ordering::SeqCst);
    }

    /// Hands over what a durable transaction means; never waits.
    pub fn take(&self, size: u64, steps: Vec<Step>) {
        self.durable.store(size, Ordering::SeqCst);
        let mut inbox = self.inbox.lock().unwrap_or_else(PoisonError::into_inner);
        if inbox.waiting.len() < WAITING {
            inbox.waiting.push_back((size, steps));
        } else {
            inbox.waiting.clear();
            inbox.lost = true;
        }
        self.changed.notify_all();
    }

    /// Says that a transaction is durable, before which the ledger had one size and now has another.
    /// If others have written since the one before it, everything is read anew.
    pub fn committed(&self, before: u64, after: u64) {
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        let now = match *written {
            None => Written { from: before, upto: after, alone: true },
            Some(Written { from, upto, alone }) => {
                Written { from, upto: after, alone: alone && upto == before }
            }
        };
        let others = written.is_some_and(|written| written.upto != before);
        *written = Some(now);
        drop(written);
        if others {
            self.inbox.lock().unwrap_or_else(PoisonError::into_inner).lost = true;
            self.changed.notify_all();
        }
    }

    /// Says that what became of a transaction is not known.
    pub fn lost(&self) {
        self.announced.store(0, Ordering::SeqCst);
        self.durable.store(0, Ordering::SeqCst);
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner).lost = true;
        self.changed.notify_all();
    }

    /// Ends [`keep`](Self::keep).
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::SeqCst);
        // Under the lock, so that it is not missed between a look and a wait.
        let _inbox = self.inbox.lock().unwrap_or_else(PoisonError::into_inner);
        self.changed.notify_all();
    }

    /// Reads the sums, then takes in what comes, until told to stop, and writes them down. Runs on a
    /// thread of its own.
    pub fn keep(&self) {
        let mut listed = Listed::default();
        match self.restored() {
            Some((size, restored)) => {
                *self.held_to_change() = restored;
                self.upto.store(size, Ordering::SeqCst);
            }
            None => self.read_anew(&mut listed),
        }
        loop {
            let mut inbox = self.inbox.lock().unwrap_or_else(PoisonError::into_inner);
            // Questions wait for this; under the lock, so that none misses it.
            self.changed.notify_all();
            while !inbox.lost && inbox.waiting.is_empty() && !self.stopped() {
                inbox = self.changed.wait(inbox).unwrap_or_else(PoisonError::into_inner);
            }
            if self.stopped() && (inbox.lost || inbox.waiting.is_empty()) {
                let lost = inbox.lost;
                drop(inbox);
                if !lost {
                    self.save();
                }
                return;
            }
            let lost = std::mem::take(&mut inbox.lost);
            let next = inbox.waiting.pop_front();
            drop(inbox);
            if lost {
                self.read_anew(&mut listed);
            }
            if let Some((size, steps)) = next {
                self.apply(size, &steps, &mut listed);
            }
        }
    }

    /// Waits until the sums are read and nothing waits to be taken in; says whether they are held.
    #[cfg(test)]
    pub fn settled(&self) -> bool {
        let behind = |inbox: &mut Inbox| {
            let held = self.held();
            let current = held.given_up || held.cube.is_some();
            inbox.lost
                || !current
                || self.upto.load(Ordering::SeqCst) < self.durable.load(Ordering::SeqCst)
        };
        let inbox = self.inbox.lock().unwrap_or_else(PoisonError::into_inner);
        drop(self.changed.wait_while(inbox, behind).unwrap_or_else(PoisonError::into_inner));
        self.held().cube.is_some()
    }

    /// Whether a start would take the sums from the file beside the store.
    #[cfg(test)]
    pub fn are_saved(&self) -> bool {
        self.restored().is_some()
    }

    fn stopped(&self) -> bool {
        self.stopped.load(Ordering::SeqCst)
    }

    fn held_to_change(&self) -> RwLockWriteGuard<'_, Held> {
        self.held.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn held(&self) -> RwLockReadGuard<'_, Held> {
        self.held.read().unwrap_or_else(PoisonError::into_inner)
    }
}

fn give_up(held: &mut Held) {
    let count = held.cube.as_ref().map_or(0, Cube::sums);
    tracing::warn!(count, "sums by month do not fit: questions are answered by daily cells alone");
    (held.cube, held.given_up) = (None, true);
}
