//! One durable transaction for a group of changes.
//!
//! Enters: a [`Group`]. Leaves: what became of each change, in order. The order of the steps is
//! the design: judge, write, append the entry, remember the request, move the head, commit, answer.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;
use rusqlite::types::Type;
use rusqlite::{CachedStatement, Connection, OptionalExtension, Statement, TransactionBehavior};

use super::documents::{self, signed, unsigned};
use super::lines::{Kept, Lines};
use super::months::{self, Months};
use super::{expected, explanations, failure, orders};
use crate::change::{BatchAnswer, Change, Committed, Expect, Kind, LineBatch, Refusal, Write};
use crate::error::Result;
use crate::ledger::{Entry, Hash, Node, Receipt, Stamp, Tree};
use crate::store::{Group, Judged, StoredRequest, verdicts};

/// What the writer's last transaction left, so that the next need not read it again.
///
/// It holds only as long as nobody else has written, and is gone once a transaction fails.
pub struct Memory {
    last: Option<Last>,
    /// Who is told what each transaction has added to sums.
    months: Arc<Months>,
}

impl Memory {
    /// Nothing yet; `months` are told what comes.
    pub fn beside(months: Arc<Months>) -> Self {
        Self { last: None, months }
    }
}

struct Last {
    /// SQLite's number for what others have written, as of that transaction.
    version: i64,
    tree: Tree,
    kept: Kept,
}

/// Applies the group; on an unexpected fault of one change the others are tried without it.
pub fn commit(
    connection: &mut Connection,
    memory: &mut Memory,
    group: Group,
) -> Result<Vec<Judged>> {
    match attempt(connection, memory, &group) {
        Ok(judged) => Ok(judged),
        Err(fault) => {
            rollback(connection);
            memory.months.lost();
            if group.changes.len() == 1 || !is_data_fault(&fault) {
                return Err(failure(&fault));
            }
            one_by_one(connection, memory, group)
        }
    }
}

/// What [`commit`] would answer to a batch, leaving no trace.
pub fn preview(connection: &mut Connection, batch: &LineBatch) -> Result<BatchAnswer> {
    let judge = |connection: &mut Connection| {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let index = tree(&transaction)?.size();
        Lines::over(&transaction, Kept::default()).append(batch, index)
        // Dropping the transaction rolls it back.
    };
    judge(connection).map_err(|fault| failure(&fault))
}

/// Commits each change in a transaction of its own, so that only the faulty one fails.
fn one_by_one(
    connection: &mut Connection,
    memory: &mut Memory,
    group: Group,
) -> Result<Vec<Judged>> {
    let at = group.at;
    let mut judged = Vec::with_capacity(group.changes.len());
    for (change, salt) in group.changes.into_iter().zip(group.salts) {
        let alone = Group { changes: vec![change], at, salts: vec![salt] };
        match attempt(connection, memory, &alone) {
            Ok(one) => judged.extend(one),
            Err(fault) if is_data_fault(&fault) => {
                rollback(connection);
                memory.months.lost();
                judged.push(Err(Refusal::Unrecordable(fault.to_string())));
            }
            Err(fault) => {
                rollback(connection);
                memory.months.lost();
                return Err(failure(&fault));
            }
        }
    }
    Ok(judged)
}

/// FULL and IOERR may have rolled back by themselves: look before asking for it.
fn rollback(connection: &Connection) {
    if !connection.is_autocommit() {
        // Nothing more can be done if this fails; the next BEGIN says so.
        let _ = connection.execute_batch("ROLLBACK");
    }
}

/// Whether the fault lies in what was to be written and not in the disk or the file.
fn is_data_fault(fault: &rusqlite::Error) -> bool {
    use rusqlite::ErrorCode::{ConstraintViolation, TooBig, TypeMismatch};
    matches!(fault.sqlite_error_code(), Some(ConstraintViolation | TooBig | TypeMismatch))
        || matches!(
            fault,
            rusqlite::Error::ToSqlConversionFailure(_)
                | rusqlite::Error::FromSqlConversionFailure(..)
        )
}

fn attempt(
    connection: &mut Connection,
    memory: &mut Memory,
    group: &Group,
) -> rusqlite::Result<Vec<Judged>> {
    let last = memory.last.take();
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let version = transaction
        .prepare_cached("PRAGMA data_version")?
        .query_row([], |row| row.get::<_, i64>(0))?;
    let (tree, kept) = match last {
        Some(last) if last.version == version => (last.tree, last.kept),
        Some(_) | None => (tree(&transaction)?, Kept::default()),
    };
    let before = tree.size();
    let mut pass = Pass::over(&transaction, tree, kept)?;
    let mut judged = Vec::with_capacity(group.changes.len());
    for (change, salt) in group.changes.iter().zip(&group.salts) {
        judged.push(pass.apply(change, group.at, salt)?);
    }
    let (tree, mut kept) = pass.done()?;
    let steps = months::steps(kept.moved(), group, &judged);
    // Before it is durable: whoever sees the lines must know that sums of them are on their way.
    if !steps.is_empty() {
        memory.months.announce(tree.size());
    }
    transaction.commit()?;
    if !steps.is_empty() {
        memory.months.take(tree.size(), steps);
    }
    memory.months.committed(before, tree.size());
    memory.last = Some(Last { version, tree, kept });
    Ok(judged)
}

/// One transaction's way through the changes of a group.
struct Pass<'c> {
    connection: &'c Connection,
    tree: Tree,
    lines: Lines<'c>,
    /// Nodes of the tree that the changes have completed, leaves too.
    nodes: Vec<(Node, Hash)>,
    find_request: CachedStatement<'c>,
    insert_request: CachedStatement<'c>,
    insert_entry: CachedStatement<'c>,
}

impl<'c> Pass<'c> {
    fn over(connection: &'c Connection, tree: Tree, kept: Kept) -> rusqlite::Result<Self> {
        Ok(Self {
            connection,
            tree,
            lines: Lines::over(connection, kept),
            nodes: Vec::new(),
            find_request: connection.prepare_cached(REQUEST)?,
            insert_request: connection.prepare_cached(
                "INSERT INTO requests (partner, request_id, digest, entry_index, answer) \
                 VALUES (?1, ?2, ?3, ?4, ?5)",
            )?,
            insert_entry: connection.prepare_cached(
                "INSERT INTO ledger_entries (entry_index, entry, salt, content) \
                 VALUES (?1, ?2, ?3, ?4)",
            )?,
        })
    }

    fn apply(
        &mut self,
        change: &Change,
        at: Timestamp,
        salt: &[u8; 32],
    ) -> rusqlite::Result<Judged> {
        let key = &change.request;
        let request_id = key.request_id.to_string();
        if let Some(earlier) = found(&mut self.find_request, key.partner.as_str(), &request_id)? {
            return Ok(if earlier.digest == key.digest {
                let StoredRequest { receipt, answer, .. } = earlier;
                Ok(Committed { receipt, answer, replayed: true })
            } else {
                Err(Refusal::RequestIdReused)
            });
        }
        for expect in &change.expect {
            if let Some(refusal) = expected::judge(self.connection, expect)? {
                return Ok(Err(refusal));
            }
        }
        let index = self.tree.size();
        let mut draft = change.draft.clone();
        let batch = change.writes.iter().find_map(|write| match write {
            Write::Lines(batch) => Some(batch),
            Write::Put(_)
            | Write::CountOrders { .. }
            | Write::Explain { .. }
            | Write::Rematch(..) => None,
        });
        let mut answer = None;
        if let Some(batch) = batch {
            let outcome = self.lines.append(batch, index)?;
            for (name, count) in verdicts::facts(&outcome) {
                draft = draft.fact(name, count);
            }
            answer = Some(serde_json::to_vec(&outcome).unwrap_or_default());
        }
        let stamp = Stamp {
            at,
            actor: key.partner.to_string(),
            certificate: change.actor.certificate.clone(),
            request_id,
            trace_id: change.actor.trace_id.clone(),
        };
        let entry = match draft.seal(&stamp, salt) {
            Ok(entry) => entry,
            // Lines are written by now: the fault undoes the transaction, and the group is tried
            // again without this change.
            Err(reason) if batch.is_some() => {
                return Err(rusqlite::Error::ToSqlConversionFailure(reason.to_string().into()));
            }
            Err(reason) => return Ok(Err(Refusal::Unrecordable(reason.to_string()))),
        };
        // What was judged just now need not be read again.
        let mut stands: HashMap<(Kind, &str), u64> = HashMap::new();
        for expect in &change.expect {
            if let Expect::Version { kind, key, version } = expect {
                stands.insert((*kind, key), *version);
            }
        }
        for write in &change.writes {
            self.write(write, &mut stands)?;
        }
        let answer = answer.unwrap_or_else(|| change.answer.clone());
        self.record(&entry, salt, draft.content())?;
        self.insert_request.execute((
            key.partner.as_str(),
            &stamp.request_id,
            key.digest,
            signed(index),
            &answer,
        ))?;
        let receipt = Receipt::new(index, draft.kind(), &entry);
        Ok(Ok(Committed { receipt, answer, replayed: false }))
    }

    /// Writes one thing; `stands` are versions of documents that nothing has changed since.
    fn write<'w>(
        &mut self,
        write: &'w Write,
        stands: &mut HashMap<(Kind, &'w str), u64>,
    ) -> rusqlite::Result<()> {
        match write {
            Write::Put(record) => {
                let version = match stands.remove(&(record.kind, record.key.as_str())) {
                    Some(version) => version,
                    None => documents::standing(self.connection, record.kind, &record.key)?.0,
                };
                if record.kind == Kind::Report && record.state == months::ABANDONED {
                    return self.lines.abandon(record, version + 1);
                }
                documents::put(self.connection, record, version + 1)?;
                match record.kind {
                    Kind::Report | Kind::ClosedMonth => self.lines.settle(),
                    Kind::Partner
                    | Kind::Exporter
                    | Kind::Verification
                    | Kind::Listing
                    | Kind::Declaration
                    | Kind::DeclarationItem
                    | Kind::Delegation
                    | Kind::LateFact
                    | Kind::Marks
                    | Kind::Finding
                    | Kind::RegimeYear
                    | Kind::Settlement
                    | Kind::ReferenceTable
                    | Kind::Revocation => Ok(()),
                }
            }
            Write::CountOrders(counts) => {
                self.lines.settle()?;
                orders::write(self.connection, counts)
            }
            Write::Explain { report, line, explanation } => {
                self.lines.settle()?;
                let entry = self.tree.size();
                explanations::explain(self.connection, report, *line, explanation, entry)?;
                self.lines.explained(*line)
            }
            Write::Rematch(line, rematch) => self.lines.rematch(*line, rematch, self.tree.size()),
            Write::Lines(_) => Ok(()),
        }
    }

    /// Appends the entry to the ledger.
    fn record(&mut self, entry: &Entry, salt: &[u8; 32], content: &[u8]) -> rusqlite::Result<()> {
        let index = self.tree.size();
        self.insert_entry.execute((signed(index), entry.text().as_bytes(), salt, content))?;
        let leaf = entry.leaf_hash();
        self.nodes.push((Node { level: 0, index }, leaf));
        self.tree.append(leaf, &mut self.nodes);
        Ok(())
    }

    /// Writes what was gathered, and the head; answers what the next transaction may go on from.
    fn done(mut self) -> rusqlite::Result<(Tree, Kept)> {
        // Level by level, as the table lies.
        self.nodes.sort_unstable_by_key(|(node, _)| *node);
        let mut insert = self.connection.prepare_cached(
            "INSERT INTO ledger_nodes (level, node_index, hash) VALUES (?1, ?2, ?3)",
        )?;
        for (node, hash) in &self.nodes {
            insert.execute((node.level, signed(node.index), hash.as_bytes()))?;
        }
        let kept = self.lines.done()?;
        self.connection
            .prepare_cached(
                "INSERT INTO ledger_head (id, size, frontier) VALUES (1, ?1, ?2) \
                 ON CONFLICT (id) DO UPDATE SET size = excluded.size, \
                 frontier = excluded.frontier",
            )?
            .execute((signed(self.tree.size()), encode_frontier(&self.tree)))?;
        Ok((self.tree, kept))
    }
}

/// The tree as the head row has it; empty before the first entry.
pub fn tree(connection: &Connection) -> rusqlite::Result<Tree> {
    let head: Option<(i64, Vec<u8>)> = connection
        .prepare_cached("SELECT size, frontier FROM ledger_head WHERE id = 1")?
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((size, frontier)) = head else { return Ok(Tree::new()) };
    let (hashes, rest) = frontier.as_chunks::<32>();
    let peaks = hashes.iter().map(|bytes| Hash::from_bytes(*bytes)).collect();
    match Tree::from_peaks(unsigned(size), peaks) {
        Ok(tree) if rest.is_empty() => Ok(tree),
        Ok(_) => Err(unreadable(1, "the ledger head is torn")),
        Err(reason) => Err(unreadable(1, &reason.to_string())),
    }
}

fn encode_frontier(tree: &Tree) -> Vec<u8> {
    tree.peaks().iter().flat_map(|hash| *hash.as_bytes()).collect()
}

fn unreadable(column: usize, reason: &str) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, Type::Blob, reason.to_owned().into())
}

const REQUEST: &str = "SELECT r.digest, r.answer, r.entry_index, e.entry FROM requests r \
    JOIN ledger_entries e ON e.entry_index = r.entry_index \
    WHERE r.partner = ?1 AND r.request_id = ?2";

/// What became of an earlier request.
pub fn request(
    connection: &Connection,
    partner: &str,
    id: &str,
) -> rusqlite::Result<Option<StoredRequest>> {
    found(&mut *connection.prepare_cached(REQUEST)?, partner, id)
}

fn found(
    request: &mut Statement<'_>,
    partner: &str,
    id: &str,
) -> rusqlite::Result<Option<StoredRequest>> {
    request
        .query_row((partner, id), |row| {
            let bytes: Vec<u8> = row.get(3)?;
            let entry =
                Entry::parse(&bytes).map_err(|reason| unreadable(3, &reason.to_string()))?;
            let kind = entry.kind().ok_or_else(|| unreadable(3, "entry of an unknown kind"))?;
            Ok(StoredRequest {
                digest: row.get(0)?,
                answer: row.get(1)?,
                receipt: Receipt::new(unsigned(row.get(2)?), kind, &entry),
            })
        })
        .optional()
}
