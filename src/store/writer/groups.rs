//! What waits in the queue, as groups for one transaction each, and the way back to the callers.
//!
//! Enters: changes from the queue, then what became of a group. Leaves: groups for the store, as
//! large as what was waiting allows, and answers. It waits for a change, never for a fuller group:
//! the next one gathers while this one is committed.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, mpsc, watch};

use super::{Caller, Touched, Waiting, WriterLimits};
use crate::change::{Change, Kind, Write};
use crate::clock::Env;
use crate::error::Result;
use crate::store::{Group, Judged};

/// The groups that a store shall commit, one after another.
pub struct Groups {
    waiting: mpsc::UnboundedReceiver<Waiting>,
    /// The first of the next group: it would have made the last one too heavy.
    held: Option<Waiting>,
    env: Env,
    limits: WriterLimits,
    followers: Arc<Followers>,
}

/// Those who learn of every commit.
struct Followers {
    grown: watch::Sender<u64>,
    touched: Arc<Touched>,
}

/// Where the answers to a group go.
///
/// Dropping it says nothing to the followers, and to the callers that the gateway is stopping.
pub struct Answers {
    callers: Vec<Caller>,
    kinds: Vec<Kind>,
    followers: Arc<Followers>,
    _room: Option<OwnedSemaphorePermit>,
}

impl Groups {
    pub(super) fn new(
        waiting: mpsc::UnboundedReceiver<Waiting>,
        env: Env,
        limits: WriterLimits,
        grown: watch::Sender<u64>,
        touched: Arc<Touched>,
    ) -> Self {
        let followers = Arc::new(Followers { grown, touched });
        Self { waiting, held: None, env, limits, followers }
    }

    /// Waits for the next group; `None` once no more can come.
    pub async fn next(&mut self) -> Option<(Group, Answers)> {
        let first = match self.held.take() {
            Some(first) => first,
            None => self.waiting.recv().await?,
        };
        Some(self.gather(first))
    }

    /// The same on a thread that may block.
    pub fn next_blocking(&mut self) -> Option<(Group, Answers)> {
        let first = match self.held.take() {
            Some(first) => first,
            None => self.waiting.blocking_recv()?,
        };
        Some(self.gather(first))
    }

    /// `first` and what waits behind it, as far as it fits into one transaction.
    fn gather(&mut self, first: Waiting) -> (Group, Answers) {
        let mut weight = first.weight;
        let (mut changes, mut callers) = (vec![first.change], vec![first.caller]);
        let mut room = first.room;
        while changes.len() < self.limits.group_changes {
            match self.waiting.try_recv() {
                Ok(next) if weight.saturating_add(next.weight) > self.limits.group_weight => {
                    self.held = Some(next);
                    break;
                }
                Ok(next) => {
                    weight += next.weight;
                    changes.push(next.change);
                    callers.push(next.caller);
                    room.merge(next.room);
                }
                Err(_none) => break,
            }
        }
        let kinds = written(&changes);
        let salts = changes.iter().map(|_| self.env.ids.random()).collect();
        let group = Group { changes, at: self.env.now(), salts };
        let followers = self.followers.clone();
        (group, Answers { callers, kinds, followers, _room: Some(room) })
    }
}

impl Answers {
    /// Tells everybody what became of the group.
    pub fn give(mut self, outcome: Result<Vec<Judged>>) {
        // Whoever waits for room need not wait for the answers.
        drop(self._room.take());
        self.followers.learn(&self.kinds, outcome.as_deref().ok());
        let callers = self.callers.into_iter();
        match outcome {
            Ok(judged) => answer(callers.zip(judged.into_iter().map(Ok))),
            Err(error) => answer(callers.map(|caller| (caller, Err(error.clone())))),
        }
    }
}

impl Followers {
    /// `judged` is `None` if the outcome is not known: some or all of it may be durable all the
    /// same, and whoever keeps a copy reads again.
    fn learn(&self, kinds: &[Kind], judged: Option<&[Judged]>) {
        for kind in kinds {
            self.touched[*kind as usize].fetch_add(1, Ordering::AcqRel);
        }
        let Some(judged) = judged else {
            self.grown.send_modify(|_size| {});
            return;
        };
        let applied = judged.iter().filter_map(|one| one.as_ref().ok());
        if let Some(size) = applied.map(|committed| committed.receipt.index + 1).max() {
            self.grown.send_if_modified(|known| {
                let larger = size > *known;
                *known = size.max(*known);
                larger
            });
        }
    }
}

/// A caller and what became of its change.
type Told = (Caller, Result<Judged>);

/// Answers each caller, on its own runtime.
///
/// A runtime is woken once for all its callers: woken one by one from outside, each would cost a
/// call of the system, and its answer would leave in a packet of its own.
fn answer(all: impl Iterator<Item = Told>) {
    let mut runtimes: Vec<(Handle, Vec<Told>)> = Vec::new();
    for (mut caller, judged) in all {
        let Some(runtime) = caller.runtime.take() else {
            caller.learn(judged);
            continue;
        };
        match runtimes.iter_mut().find(|(known, _)| known.id() == runtime.id()) {
            Some((_, there)) => there.push((caller, judged)),
            None => runtimes.push((runtime, vec![(caller, judged)])),
        }
    }
    for (runtime, there) in runtimes {
        let tell = move || there.into_iter().for_each(|(caller, judged)| caller.learn(judged));
        runtime.spawn(async { tell() });
    }
}

impl Caller {
    fn learn(self, judged: Result<Judged>) {
        // A caller that went away learns the outcome by its request key.
        let _gone = self.answer.send(judged);
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
            | Write::Rematch(..) => {}
        }
    }
    kinds
}
