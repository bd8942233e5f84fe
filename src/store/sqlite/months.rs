//! Keeps sums by month in memory.
//!
//! Enters: what each committed transaction has added to cells, in order. Leaves: a cube that is as
//! current as the daily cells, for `ask`. A thread of its own keeps it, so that the writer hands
//! over what it has and goes on. Where there is nothing in memory (the store was opened just now,
//! or holds more than fits), the daily cells answer alone.

mod ask;
mod read;

use std::collections::{HashSet, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use self::read::{EVERYTHING, each};
use super::rollups::Moved;
use super::{connect, group, read_only};
use crate::change::{Goods, Kind, LineListing, OrderCounts, Write};
use crate::domain::listing::listing_key;
use crate::domain::sale::SaleKind;
use crate::store::cube::{Coming, Cube, GroupKey, Unfit};
use crate::store::{Group, Judged};

/// The most sums by month that are held, some 100 MB of them.
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
            Write::Put(_) | Write::Lines(_) | Write::Rematch { .. } => {}
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
    stopped: AtomicBool,
}

#[derive(Default)]
struct Held {
    /// `None` while they are read, and where they do not fit.
    cube: Option<Cube>,
    /// Reports whose orders are counted in it.
    counted: HashSet<String>,
    /// Whether there were too many, or one that does not fit; then nothing is kept any more.
    given_up: bool,
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

    /// Reads the sums, then takes in what comes, until told to stop. Runs on a thread of its own.
    pub fn keep(&self) {
        self.read_anew();
        loop {
            let mut inbox = self.inbox.lock().unwrap_or_else(PoisonError::into_inner);
            // Questions wait for this; under the lock, so that none misses it.
            self.changed.notify_all();
            while !inbox.lost && inbox.waiting.is_empty() && !self.stopped() {
                inbox = self.changed.wait(inbox).unwrap_or_else(PoisonError::into_inner);
            }
            if self.stopped() {
                return;
            }
            let lost = std::mem::take(&mut inbox.lost);
            let next = inbox.waiting.pop_front();
            drop(inbox);
            if lost {
                self.read_anew();
            }
            if let Some((size, steps)) = next {
                self.apply(size, steps);
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

    fn stopped(&self) -> bool {
        self.stopped.load(Ordering::SeqCst)
    }

    fn apply(&self, size: u64, steps: Vec<Step>) {
        let anew = steps.iter().any(|step| match step {
            Step::Anew => true,
            Step::Counted(counts) => self.held().counted.contains(&counts.report),
            Step::Moved(_) | Step::Explained(_) => false,
        });
        if anew && self.held().cube.is_some() {
            return self.read_anew();
        }
        // What was read anew has it already.
        if size <= self.upto.load(Ordering::SeqCst) {
            return;
        }
        let mut read = Vec::new();
        for step in &steps {
            match step {
                Step::Counted(counts) => read.push(self.repeats(counts)),
                Step::Explained(line) => read.push(self.explained(*line)),
                Step::Moved(_) | Step::Anew => {}
            }
        }
        let mut held = self.held_to_change();
        let Held { cube: Some(cube), counted, .. } = &mut *held else { return };
        let mut outcome = Ok(());
        for step in steps {
            outcome = outcome.and_then(|()| match step {
                Step::Moved(moved) => add_moved(cube, &moved),
                Step::Counted(counts) => {
                    counted.insert(counts.report.clone());
                    Ok(())
                }
                Step::Explained(_) | Step::Anew => Ok(()),
            });
        }
        for all in read {
            outcome = outcome.and(all).and_then(|all| {
                all.into_iter().try_for_each(|(about, key, coming)| {
                    let goods = cube.goods(about.each_ref().map(|text| &**text))?;
                    let group = cube.group(GroupKey { goods, ..key })?;
                    cube.add(group, coming)
                })
            });
        }
        if outcome.is_err() || cube.months() > MOST {
            give_up(&mut held);
        }
        self.upto.store(size, Ordering::SeqCst);
    }

    /// Reads everything from the daily cells.
    fn read_anew(&self) {
        let mut held = self.held_to_change();
        if held.given_up {
            return;
        }
        *held = Held::default();
        drop(held);
        let read = || -> rusqlite::Result<(u64, Held)> {
            let connection = connect(&self.path, read_only())?;
            let snapshot = connection.unchecked_transaction()?;
            let size = group::tree(&snapshot)?.size();
            let mut cube = Cube::default();
            let mut fits = Ok(());
            each(&snapshot, EVERYTHING, [], |about, key, coming| {
                let group =
                    cube.goods(about).and_then(|goods| cube.group(GroupKey { goods, ..key }));
                fits = group.and_then(|group| cube.add(group, coming));
                fits.is_ok() && cube.months() <= MOST && !self.stopped()
            })?;
            let counted = snapshot
                .prepare("SELECT report FROM report_progress WHERE orders IS NOT NULL")?
                .query_map([], |row| row.get(0))?
                .collect::<rusqlite::Result<_>>()?;
            let much = cube.months() > MOST;
            let mut held = Held { cube: Some(cube), counted, given_up: false };
            if fits.is_err() || much {
                give_up(&mut held);
            }
            Ok((size, held))
        };
        match read() {
            // It may have been cut off.
            Ok(_) if self.stopped() => {}
            Ok((size, read)) => {
                let mut held = self.held_to_change();
                *held = read;
                self.upto.store(size, Ordering::SeqCst);
            }
            Err(reason) => tracing::warn!(%reason, "sums by month could not be read"),
        }
    }

    fn held_to_change(&self) -> RwLockWriteGuard<'_, Held> {
        self.held.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn held(&self) -> RwLockReadGuard<'_, Held> {
        self.held.read().unwrap_or_else(PoisonError::into_inner)
    }
}

fn give_up(held: &mut Held) {
    let months = held.cube.as_ref().map_or(0, Cube::months);
    tracing::warn!(months, "sums by month do not fit: questions are answered by daily cells alone");
    (held.cube, held.given_up) = (None, true);
}

fn add_moved(cube: &mut Cube, moved: &Moved) -> Result<(), Unfit> {
    let marketplace = moved.marketplace.as_str();
    for (cell, totals) in &moved.cells {
        let goods = match &cell.goods {
            Goods::Unlisted(sku) => {
                let listing = listing_key(&moved.marketplace, sku.as_str());
                cube.goods([marketplace, &listing, "", "", "", "", ""])?
            }
            Goods::Listed(listing) => {
                let LineListing { key, seller, ncm, channel, province, size_class } = &**listing;
                let channel = channel.as_str();
                cube.goods([marketplace, key, seller, ncm, channel, province, size_class])?
            }
        };
        let key = GroupKey {
            goods,
            destination: cell.destination,
            currency: cell.currency,
            kind: cell.kind,
        };
        let coming = Coming {
            day: cell.day,
            lines: totals.lines,
            quantity: totals.quantity,
            amount: totals.amount,
            // Until the report is sealed each sale counts as an order.
            orders: match cell.kind {
                SaleKind::Sale => totals.lines.cast_signed(),
                SaleKind::Return
                | SaleKind::Refund
                | SaleKind::Cancellation
                | SaleKind::Adjustment => 0,
            },
        };
        let group = cube.group(key)?;
        cube.add(group, coming)?;
    }
    Ok(())
}
