//! Group commit: gathers what is waiting, commits it once, answers all.
//!
//! Enters: [`Change`]s from any number of callers. Leaves: what became of each,
//! after it is durable. The queue is bounded by changes and by sale lines, so
//! that a slow disk slows the callers instead of filling memory.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot, watch};

use super::{Group, Judged, Store};
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
}

/// How many groups have written documents of each kind, in the order of [`KINDS`].
type Touched = [AtomicU64; KINDS.len()];

struct Waiting {
    change: Change,
    weight: u32,
    answer: oneshot::Sender<Result<Judged>>,
    _room: OwnedSemaphorePermit,
}

impl Writer {
    /// Starts the write path over `store`; it ends when the last handle is dropped.
    pub fn start(store: Arc<dyn Store>, env: Env, limits: WriterLimits) -> Self {
        let (queue, waiting) = mpsc::unbounded_channel();
        let (grown, size) = watch::channel(0);
        let touched = Arc::new(Touched::default());
        tokio::spawn(run(store, env, limits, waiting, grown, touched.clone()));
        let room = Arc::new(Semaphore::new(limits.queue_weight as usize));
        Self { queue, room, queue_weight: limits.queue_weight, size, touched }
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
        self.queue
            .send(Waiting { change, weight, answer, _room: room })
            .map_err(|_closed| stopping())?;
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
            Write::Put(_) | Write::Explain { .. } | Write::Rematch { .. } => 1,
            Write::CountOrders(counts) => {
                u32::try_from(counts.repeats.len()).unwrap_or(u32::MAX).saturating_add(1)
            }
            Write::Lines(batch) => u32::try_from(batch.lines().len()).unwrap_or(u32::MAX),
        })
        .fold(0, u32::saturating_add)
}

async fn run(
    store: Arc<dyn Store>,
    env: Env,
    limits: WriterLimits,
    mut waiting: mpsc::UnboundedReceiver<Waiting>,
    grown: watch::Sender<u64>,
    touched: Arc<Touched>,
) {
    let mut held = None;
    loop {
        let first = match held.take() {
            Some(first) => first,
            None => match waiting.recv().await {
                Some(first) => first,
                None => return,
            },
        };
        let mut total = first.weight;
        let mut group = vec![first];
        while group.len() < limits.group_changes {
            match waiting.try_recv() {
                Ok(next) if total.saturating_add(next.weight) > limits.group_weight => {
                    held = Some(next);
                    break;
                }
                Ok(next) => {
                    total += next.weight;
                    group.push(next);
                }
                Err(_none) => break,
            }
        }
        commit(&*store, &env, group, &grown, &touched).await;
    }
}

async fn commit(
    store: &dyn Store,
    env: &Env,
    group: Vec<Waiting>,
    grown: &watch::Sender<u64>,
    touched: &Touched,
) {
    let mut changes = Vec::with_capacity(group.len());
    let mut answers = Vec::with_capacity(group.len());
    let mut rooms = Vec::with_capacity(group.len());
    for Waiting { change, answer, _room, .. } in group {
        changes.push(change);
        answers.push(answer);
        rooms.push(_room);
    }
    let kinds = written(&changes);
    let salts = changes.iter().map(|_| env.ids.random()).collect();
    let outcome = store.commit(Group { changes, at: env.now(), salts }).await;
    drop(rooms);
    match outcome {
        Ok(judged) => {
            for kind in kinds {
                touched[kind as usize].fetch_add(1, Ordering::AcqRel);
            }
            let size = judged
                .iter()
                .filter_map(|one| one.as_ref().ok())
                .map(|committed| committed.receipt.index + 1)
                .max();
            if let Some(size) = size {
                grown.send_if_modified(|known| {
                    let larger = size > *known;
                    *known = size.max(*known);
                    larger
                });
            }
            for (answer, one) in answers.into_iter().zip(judged) {
                // A caller that went away learns the outcome by its request key.
                let _gone = answer.send(Ok(one));
            }
        }
        Err(error) => {
            // Some or all of it may be durable all the same: whoever keeps a copy reads again.
            for kind in kinds {
                touched[kind as usize].fetch_add(1, Ordering::AcqRel);
            }
            grown.send_modify(|_size| {});
            for answer in answers {
                let _gone = answer.send(Err(error.clone()));
            }
        }
    }
}

/// The kinds of documents that a group writes, if all of it is applied.
fn written(changes: &[Change]) -> Vec<Kind> {
    let mut kinds = Vec::new();
    for write in changes.iter().flat_map(|change| &change.writes) {
        match write {
            Write::Put(record) if !kinds.contains(&record.kind) => kinds.push(record.kind),
            Write::Put(_)
            | Write::Lines(_)
            | Write::CountOrders { .. }
            | Write::Explain { .. }
            | Write::Rematch { .. } => {}
        }
    }
    kinds
}

#[cfg(test)]
#[path = "writer_tests.rs"]
mod tests;
