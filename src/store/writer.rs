//! Group commit: gathers what is waiting, commits it once, answers all.
//!
//! Enters: [`Change`]s from any number of callers. Leaves: what became of each,
//! after it is durable. The queue is bounded by changes and by sale lines, so
//! that a slow disk slows the callers instead of filling memory. The store takes
//! the groups from [`Groups`] by itself, on a thread or task of its own.

mod groups;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

pub use groups::{Answers, Groups};
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot, watch};

use super::{Judged, Store};
use crate::change::{Change, KINDS, Kind, Write};
use crate::clock::Env;
use crate::error::{Error, Result};

/// How large a group and the queue before it may become.
#[derive(Clone, Copy, Debug)]
pub struct WriterLimits {
    /// Changes in one transaction.
    pub group_changes: usize,
    /// Weight of one transaction: a sale line weighs 1, a document 1.
    pub group_weight: u32,
    /// Weight waiting or under way at most; callers wait for room.
    pub queue_weight: u32,
}

impl Default for WriterLimits {
    fn default() -> Self {
        Self { group_changes: 512, group_weight: 8_000, queue_weight: 40_000 }
    }
}

/// A handle to the one write path; clones share it.
#[derive(Clone)]
pub struct Writer {
    queue: mpsc::UnboundedSender<Waiting>,
    room: Arc<Semaphore>,
    queue_weight: u32,
    size: watch::Receiver<u64>,
    touched: Arc<Touched>,
    // After the queue, so that it has ended when the store waits for the last group.
    _store: Arc<dyn Store>,
}

/// How many groups have written documents of each kind, in the order of [`KINDS`].
type Touched = [AtomicU64; KINDS.len()];

struct Waiting {
    change: Change,
    weight: u32,
    caller: Caller,
    room: OwnedSemaphorePermit,
}

/// Who waits for an answer, and on which runtime, if on one.
struct Caller {
    answer: oneshot::Sender<Result<Judged>>,
    runtime: Option<Handle>,
}

impl Writer {
    /// Starts the write path over `store`. It ends when the last handle is dropped, once all that
    /// is in the queue then has been committed.
    ///
    /// # Errors
    /// If the system has no thread left for the store.
    pub fn start(store: Arc<dyn Store>, env: Env, limits: WriterLimits) -> Result<Self> {
        let (queue, waiting) = mpsc::unbounded_channel();
        let (grown, size) = watch::channel(0);
        let touched = Arc::new(Touched::default());
        store.clone().follow(Groups::new(waiting, env, limits, grown, touched.clone()))?;
        let room = Arc::new(Semaphore::new(limits.queue_weight as usize));
        Ok(Self { queue, room, queue_weight: limits.queue_weight, size, touched, _store: store })
    }

    /// Hands a change in and waits until it is durable or refused.
    ///
    /// Dropping the future does not withdraw the change once it is in the queue: its outcome is
    /// learnt by its request key.
    pub async fn submit(&self, change: Change) -> Result<Judged> {
        self.enqueue(change).await?.judged().await
    }

    /// Hands a change in, waits for room in the queue and not longer: changes are judged in the
    /// order in which this returns.
    pub async fn enqueue(&self, change: Change) -> Result<Queued> {
        let weight = weight(&change).clamp(1, self.queue_weight);
        let room =
            self.room.clone().acquire_many_owned(weight).await.map_err(|_closed| stopping())?;
        let (answer, answered) = oneshot::channel();
        let caller = Caller { answer, runtime: Handle::try_current().ok() };
        self.queue.send(Waiting { change, weight, caller, room }).map_err(|_closed| stopping())?;
        Ok(Queued(answered))
    }

    /// Follows the size of the ledger as this writer moves it; 0 until its first commit. It also
    /// wakes when the outcome of a commit is not known.
    pub fn ledger_size(&self) -> watch::Receiver<u64> {
        self.size.clone()
    }

    /// Moves whenever a group that wrote documents of `kind` was committed or may have been,
    /// whether or not its caller waited for it: what is kept in memory of them is then out of
    /// date.
    pub fn touched(&self, kind: Kind) -> u64 {
        self.touched[kind as usize].load(Ordering::Acquire)
    }
}

/// A change in the queue.
pub struct Queued(oneshot::Receiver<Result<Judged>>);

impl Queued {
    /// Waits until the change is durable or refused.
    pub async fn judged(self) -> Result<Judged> {
        self.0.await.map_err(|_dropped| stopping())?
    }
}

fn stopping() -> Error {
    Error::unavailable("STOPPING", "the gateway is stopping: retry", Duration::from_secs(1))
}

fn weight(change: &Change) -> u32 {
    change
        .writes
        .iter()
        .map(|write| match write {
            Write::Put(_) | Write::Explain { .. } | Write::Rematch(..) => 1,
            Write::CountOrders(counts) => {
                u32::try_from(counts.repeats.len()).unwrap_or(u32::MAX).saturating_add(1)
            }
            Write::Lines(batch) => u32::try_from(batch.lines().len()).unwrap_or(u32::MAX),
        })
        .fold(0, u32::saturating_add)
}

#[cfg(test)]
#[path = "writer_tests.rs"]
mod tests;
