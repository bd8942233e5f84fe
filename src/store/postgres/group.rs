//! One durable transaction for a group of changes.
//!
//! Enters: a [`Group`]. Leaves: what became of each change, in order. The order of the steps is the
//! design: hold the head, read what the changes are judged by, judge them in memory, write, move
//! the head, commit, and only then answer.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::{Client, GenericClient, Object, Pool};
use futures_util::try_join;
use jiff::Timestamp;

use super::connection::Doubt;
use super::fault::Fault;
use super::head::Head;
use super::parts::{self, Parts};
use super::pass::Pass;
use super::renaming::Renaming;
use super::sums::Sums;
use super::writing;
use crate::change::{BatchAnswer, Change, LineBatch, Refusal, Write};
use crate::error::Result;
use crate::store::{Group, Judged};

/// How many milliseconds to wait before each further attempt to reach the database.
const BACK_OFF: [u64; 5] = [100, 200, 400, 800, 1_600];

/// What the last transaction left, so that the next need not read it again. It holds only as long as
/// nobody else has moved the head, and is gone once a transaction fails.
#[derive(Default)]
pub struct Memory {
    last: Option<Last>,
    parts: Parts,
}

struct Last {
    head: Head,
    sums: Sums,
    naming_citers: Option<bool>,
}

/// The one way to write, on a connection of its own.
pub struct Writing {
    pool: Pool,
    doubt: Doubt,
    memory: Memory,
}

/// What became of a transaction.
enum Outcome {
    Committed(Vec<Judged>),
    /// Nothing was applied.
    Failed(Fault),
    /// It may or may not be durable; it would have answered this.
    Unknown(Vec<Judged>, Fault),
}

impl Writing {
    /// Writes on connections of the pool, which has one, and is in doubt where that says so.
    pub fn over(pool: Pool, doubt: Doubt) -> Self {
        Self { pool, doubt, memory: Memory::default() }
    }

    /// Applies the group; on a fault of one change the others are tried without it, in ever smaller
    /// parts.
    pub async fn commit(&mut self, group: &Group) -> Result<Vec<Judged>> {
        let whole = group.changes.len();
        let mut judged = Vec::with_capacity(whole);
        let mut parts: Vec<Range<usize>> = std::iter::once(0..whole).collect();
        while let Some(part) = parts.pop() {
            match self.settle(group, part.clone()).await {
                Ok(some) => judged.extend(some),
                Err(fault) if whole == 1 || !fault.is_of_data() => return Err(fault.error()),
                Err(fault) if part.len() == 1 => {
                    judged.push(Err(Refusal::Unrecordable(fault.to_string())));
                }
                Err(_) => {
                    let middle = part.start + part.len() / 2;
                    parts.push(middle..part.end);
                    parts.push(part.start..middle);
                }
            }
        }
        Ok(judged)
    }

    /// Applies a part of a group in one transaction. As long as nothing can have been applied, it is
    /// tried again; what may have been is looked for by its request keys.
    async fn settle(&mut self, group: &Group, part: Range<usize>) -> Result<Vec<Judged>, Fault> {
        let mut promised: Option<Vec<Judged>> = None;
        let mut waits = BACK_OFF.into_iter();
        loop {
            let fault = match self.attempt(group, part.clone(), promised.is_some()).await {
                Outcome::Committed(judged) => {
                    return Ok(match promised {
                        Some(promised) => kept(promised, judged),
                        None => judged,
                    });
                }
                Outcome::Failed(fault) => fault,
                Outcome::Unknown(judged, fault) => {
                    tracing::warn!(%fault, "a commit was not answered: looking for its requests");
                    promised = promised.or(Some(judged));
                    fault
                }
            };
            let again = fault.is_silence() || fault.is_elsewhere();
            match waits.next() {
                Some(_) if fault.follows_another() => {}
                Some(wait) if again => tokio::time::sleep(Duration::from_millis(wait)).await,
                Some(_) | None => return Err(fault),
            }
        }
    }

    /// One transaction. With `confirm` it moves the head row even if it changes nothing, so that it
    /// is durable wherever all before it must be.
    async fn attempt(&mut self, group: &Group, part: Range<usize>, confirm: bool) -> Outcome {
        let last = self.memory.last.take();
        let client = match self.pool.get().await {
            Ok(client) => client,
            Err(error) => return Outcome::Failed(error.into()),
        };
        let Memory { parts, .. } = &mut self.memory;
        let (changes, salts) = (&group.changes[part.clone()], &group.salts[part]);
        let done = transact(&client, last, parts, changes, salts, group.at, confirm).await;
        let (judged, last) = match done {
            Ok(done) => done,
            Err(fault) => {
                parts.clear();
                if fault.is_silence() || client.batch_execute("ROLLBACK").await.is_err() {
                    drop(Object::take(client));
                }
                return Outcome::Failed(fault);
            }
        };
        self.doubt.clear();
        match client.batch_execute("COMMIT").await {
            Ok(()) if self.doubt.is_raised() => {
                drop(Object::take(client));
                let fault = Fault::Unreachable("a standby was not waited for".into());
                Outcome::Unknown(judged, fault)
            }
            Ok(()) => {
                self.memory.last = Some(last);
                Outcome::Committed(judged)
            }
            Err(error) => {
                drop(Object::take(client));
                self.memory.parts.clear();
                let fault = Fault::from(error);
                match fault.is_silence() {
                    true => Outcome::Unknown(judged, fault),
                    false => Outcome::Failed(fault),
                }
            }
        }
    }
}

/// Everything but COMMIT.
async fn transact(
    client: &Client,
    last: Option<Last>,
    parts: &mut Parts,
    changes: &[Change],
    salts: &[[u8; 32]],
    at: Timestamp,
    confirm: bool,
) -> Result<(Vec<Judged>, Last), Fault> {
    let begin = async {
        client.batch_execute("BEGIN ISOLATION LEVEL READ COMMITTED").await.map_err(Fault::from)
    };
    let ((), head) = try_join!(begin, Head::held(client))?;
    let (sums, mut naming_citers) = match last {
        Some(last) if last.head == head => (last.sums, last.naming_citers),
        Some(_) | None => (Sums::default(), None),
    };
    let writes = changes.iter().flat_map(|change| &change.writes);
    let batches = writes.filter_map(|write| match write {
        Write::Lines(batch) => Some(&**batch),
        Write::Put(_) | Write::CountOrders(_) | Write::Explain { .. } | Write::Rematch(..) => None,
    });
    let batches: Vec<&LineBatch> = batches.collect();
    let mut pass = Pass::over(client, head, sums, changes, &batches).await?;
    let mut judged = Vec::with_capacity(changes.len());
    for (change, salt) in changes.iter().zip(salts) {
        judged.push(pass.apply(change, at, salt)?);
    }
    if !pass.appended.is_empty() {
        let renaming = Renaming::before(client, &pass, &mut naming_citers).await?;
        parts::make(client, &pass, parts).await?;
        writing::all(client, &pass).await?;
        renaming.after(client, &pass).await?;
    }
    if confirm || !pass.appended.is_empty() {
        pass.head.write(client).await?;
    }
    let Pass { head, mut sums, .. } = pass;
    sums.settled();
    Ok((judged, Last { head, sums, naming_citers }))
}

/// What was promised, as far as it is found to have been kept: a change is no replay of itself.
fn kept(promised: Vec<Judged>, found: Vec<Judged>) -> Vec<Judged> {
    let one = |(promised, found): (Judged, Judged)| match (&promised, &found) {
        (Ok(first), Ok(second)) if first.receipt == second.receipt => promised,
        (Ok(_) | Err(_), _) => found,
    };
    promised.into_iter().zip(found).map(one).collect()
}

/// What [`commit`](Writing::commit) would answer to a batch by one snapshot; nothing is stored.
pub async fn preview(
    client: &impl GenericClient,
    batch: &Arc<LineBatch>,
) -> Result<BatchAnswer, Fault> {
    let head = Head::seen(client).await?;
    let index = head.tree.size();
    let mut pass = Pass::over(client, head, Sums::default(), &[], &[&**batch]).await?;
    pass.append(batch, index)
}
