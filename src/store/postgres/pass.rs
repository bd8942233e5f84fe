//! One way through the changes of a group, in memory: each is judged against what the database holds
//! and what those before it write.
//!
//! Enters: all that the changes are judged by, read in a few batches. Leaves: what became of each
//! change, and what is to be written, once, at the end.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use deadpool_postgres::GenericClient;
use futures_util::{FutureExt, try_join};
use jiff::Timestamp;

use super::fault::Fault;
use super::head::Head;
use super::identity::Ids;
use super::originals::Originals;
use super::progress::Progress;
use super::rollups::signed_line;
use super::standing::Standing;
use super::sums::Sums;
use super::values::{parsed, query, signed};
use super::{questions, stored};
use crate::change::{
    Change, Committed, Expect, Kind, LineBatch, ReadyLine, Refusal, RequestKey, Write,
};
use crate::domain::decimal::Totals;
use crate::domain::explanation::Explanation;
use crate::domain::month::Month;
use crate::domain::partner::PartnerId;
use crate::domain::reconciliation::Rematch;
use crate::ledger::{Entry, Hash, Node, Receipt, Stamp};
use crate::store::verdicts::{self, Closed};
use crate::store::{Judged, StoredRequest};

/// A line to be stored.
pub struct NewLine {
    /// Its batch.
    pub batch: Arc<LineBatch>,
    /// Its place among the lines of the batch.
    pub place: usize,
    /// Its place among all lines.
    pub seq: i64,
    /// The ledger entry that takes it.
    pub entry: u64,
    /// The number of its cell.
    pub cell: i64,
    /// What was odd about it.
    pub verdict: std::borrow::Cow<'static, str>,
    /// Whether it adds to nets.
    pub counts: bool,
}

impl NewLine {
    /// The line.
    pub fn ready(&self) -> &ReadyLine {
        &self.batch.lines()[self.place]
    }
}

/// A stored line that a change does something to.
pub struct Touched {
    /// Its place among all lines.
    pub seq: i64,
    /// Its marketplace.
    pub marketplace: PartnerId,
    /// Its id.
    pub line_id: String,
    /// The key of its listing, also of one that does not exist yet.
    pub goods: String,
    cell: i64,
    net: Totals,
}

/// Appended to the ledger, with the request it answers.
pub struct Appended {
    /// The entry.
    pub entry: Entry,
    /// What opens its commitment.
    pub salt: [u8; 32],
    /// The content it commits to.
    pub content: Vec<u8>,
    /// The request.
    pub request: RequestKey,
    /// Its answer.
    pub answer: Vec<u8>,
}

/// What the changes are judged by, as those before leave it, and what is to be written.
pub struct Pass {
    pub head: Head,
    pub sums: Sums,
    pub standing: Standing,
    pub progress: Progress,
    pub ids: Ids,
    pub(super) originals: Originals,
    requests: HashMap<(String, String), StoredRequest>,
    explained: HashSet<i64>,
    months: HashSet<String>,
    pub(super) closed: Option<Closed>,
    pub touched: HashMap<u64, Touched>,
    pub rows: Vec<NewLine>,
    pub explanations: Vec<(u64, Explanation, u64)>,
    pub rematched: Vec<(u64, Rematch, u64)>,
    pub appended: Vec<Appended>,
    /// Nodes of the tree that the changes have completed, leaves too.
    pub nodes: Vec<(Node, Hash)>,
}

impl Pass {
    /// Reads what the changes are judged by. The transaction holds the head; `sums` are what the
    /// transaction before has kept, if nobody else has written since.
    pub async fn over(
        client: &impl GenericClient,
        head: Head,
        mut sums: Sums,
        changes: &[Change],
        batches: &[&LineBatch],
    ) -> Result<Self, Fault> {
        let writes = changes.iter().flat_map(|change| &change.writes);
        let repeated = writes.flat_map(|write| match write {
            Write::CountOrders(counts) => counts.repeats.as_slice(),
            Write::Put(_) | Write::Lines(_) | Write::Explain { .. } | Write::Rematch(..) => &[],
        });
        let partners: Vec<&str> =
            changes.iter().map(|change| change.request.partner.as_str()).collect();
        let ids: Vec<String> =
            changes.iter().map(|change| change.request.request_id.to_string()).collect();
        let touched = touched(client, changes).await?;
        let mut cells: Vec<i64> = repeated.map(|(cell, _)| signed(*cell)).collect();
        cells.extend(touched.values().map(|line| line.cell));
        let lines: Vec<i64> = changes
            .iter()
            .flat_map(|change| &change.expect)
            .filter_map(|expect| match expect {
                Expect::Unexplained { line, .. } => Some(signed(*line)),
                Expect::Version { .. }
                | Expect::State { .. }
                | Expect::Progress { .. }
                | Expect::Fewer { .. }
                | Expect::NoneLike { .. } => None,
            })
            .collect();
        let months = async {
            match batches.is_empty() {
                true => Ok(HashSet::new()),
                false => query(client, "SELECT key FROM closed_months", &[])
                    .await?
                    .iter()
                    .map(|row| Ok(row.try_get(0)?))
                    .collect::<Result<HashSet<String>, Fault>>(),
            }
        };
        let explained = async {
            match lines.is_empty() {
                true => Ok(HashSet::new()),
                false => stored::explained(client, &lines).await,
            }
        };
        let (standing, requests, progress, found, cited, months, explained, ()) = try_join!(
            Standing::of(client, changes),
            questions::requests(client, &partners, &ids),
            Progress::of(client, changes, batches),
            Ids::of(client, batches),
            Originals::of(client, batches),
            months,
            explained,
            sums.read(client, batches, cells).boxed(),
        )?;
        let (mut standing, (ids, abandoned), (originals, more)) = (standing, found, cited);
        for report in abandoned.iter().chain(&more) {
            standing.is_known_as_abandoned(report);
        }
        Ok(Self {
            head,
            sums,
            standing,
            progress,
            ids,
            originals,
            requests: requests.into_iter().collect(),
            explained,
            months,
            closed: None,
            touched,
            rows: Vec::new(),
            explanations: Vec::new(),
            rematched: Vec::new(),
            appended: Vec::new(),
            nodes: Vec::new(),
        })
    }

    /// Judges a change and takes in what it writes.
    pub fn apply(
        &mut self,
        change: &Change,
        at: Timestamp,
        salt: &[u8; 32],
    ) -> Result<Judged, Fault> {
        let key = &change.request;
        let request_id = key.request_id.to_string();
        let asked = (key.partner.to_string(), request_id);
        if let Some(StoredRequest { digest, receipt, answer }) = self.requests.get(&asked) {
            return Ok(if *digest == key.digest {
                let (receipt, answer) = (receipt.clone(), answer.clone());
                Ok(Committed { receipt, answer, replayed: true })
            } else {
                Err(Refusal::RequestIdReused)
            });
        }
        for expect in &change.expect {
            if let Some(refusal) = self.judge(expect) {
                return Ok(Err(refusal));
            }
        }
        let index = self.head.tree.size();
        let mut draft = change.draft.clone();
        let batch = change.writes.iter().find_map(|write| match write {
            Write::Lines(batch) => Some(batch),
            Write::Put(_) | Write::CountOrders(_) | Write::Explain { .. } | Write::Rematch(..) => {
                None
            }
        });
        let mut answer = None;
        if let Some(batch) = batch {
            let outcome = self.append(batch, index)?;
            for (name, count) in verdicts::facts(&outcome) {
                draft = draft.fact(name, count);
            }
            answer = Some(serde_json::to_vec(&outcome).unwrap_or_default());
        }
        let stamp = Stamp {
            at,
            actor: key.partner.to_string(),
            certificate: change.actor.certificate.clone(),
            request_id: asked.1.clone(),
            trace_id: change.actor.trace_id.clone(),
        };
        let entry = match draft.seal(&stamp, salt) {
            Ok(entry) => entry,
            // Lines are taken in by now: the group is tried again without this change.
            Err(reason) if batch.is_some() => return Err(Fault::Unfit(reason.to_string())),
            Err(reason) => return Ok(Err(Refusal::Unrecordable(reason.to_string()))),
        };
        for write in &change.writes {
            self.write(write, index)?;
        }
        let answer = answer.unwrap_or_else(|| change.answer.clone());
        let receipt = Receipt::new(index, draft.kind(), &entry);
        let stored =
            StoredRequest { digest: key.digest, receipt: receipt.clone(), answer: answer.clone() };
        self.requests.insert(asked, stored);
        let leaf = entry.leaf_hash();
        self.nodes.push((Node { level: 0, index }, leaf));
        self.head.tree.append(leaf, &mut self.nodes);
        let content = draft.content().to_vec();
        let (request, salt) = (key.clone(), *salt);
        let given = answer.clone();
        self.appended.push(Appended { entry, salt, content, request, answer: given });
        Ok(Ok(Committed { receipt, answer, replayed: false }))
    }

    /// Why a condition does not hold, if it does not.
    fn judge(&self, expect: &Expect) -> Option<Refusal> {
        let stale = |report: &String| Refusal::Stale { kind: Kind::Report, key: report.clone() };
        match expect {
            Expect::Progress { report, accepted, warned, refused, explained } => {
                let stands = self.progress.counts(report);
                (stands != [*accepted, *warned, *refused, *explained]).then(|| stale(report))
            }
            Expect::Unexplained { report, line } => {
                self.explained.contains(&signed(*line)).then(|| stale(report))
            }
            Expect::Version { .. }
            | Expect::State { .. }
            | Expect::Fewer { .. }
            | Expect::NoneLike { .. } => self.standing.judge(expect),
        }
    }

    fn write(&mut self, write: &Write, entry: u64) -> Result<(), Fault> {
        match write {
            Write::Put(record) => {
                self.standing.put(record);
                if record.kind == Kind::Report {
                    self.originals.forget();
                }
                if record.kind == Kind::ClosedMonth {
                    self.closed = None;
                    self.months.insert(record.key.clone());
                }
                Ok(())
            }
            Write::CountOrders(counts) => {
                for (cell, repeats) in &counts.repeats {
                    self.sums.count_orders(signed(*cell), *repeats);
                }
                self.progress.orders(&counts.report, counts.orders);
                Ok(())
            }
            Write::Explain { report, line, explanation } => {
                let touched = self.touched(*line)?;
                let (cell, net) = (touched.cell, touched.net);
                self.sums.count(cell, net)?;
                self.progress.explained(report);
                self.originals.explained(signed(*line));
                self.explained.insert(signed(*line));
                self.explanations.push((*line, explanation.clone(), entry));
                Ok(())
            }
            Write::Rematch(line, rematch) => {
                self.touched(*line)?;
                self.rematched.push((*line, rematch.clone(), entry));
                Ok(())
            }
            Write::Lines(_) => Ok(()),
        }
    }

    fn touched(&self, line: u64) -> Result<&Touched, Fault> {
        self.touched.get(&line).ok_or_else(|| Fault::Unfit(format!("there is no line {line}")))
    }

    /// The months that take no more lines.
    pub(super) fn closed(&mut self) -> Result<&Closed, Fault> {
        let closed = match self.closed.take() {
            Some(closed) => closed,
            None => {
                let months = self.months.iter().map(|key| super::values::parsed_text(key));
                Closed::of(months.collect::<Result<HashSet<Month>, Fault>>()?)
            }
        };
        Ok(self.closed.insert(closed))
    }
}

/// The stored lines that changes explain or match by hand.
async fn touched(
    client: &impl GenericClient,
    changes: &[Change],
) -> Result<HashMap<u64, Touched>, Fault> {
    let lines: Vec<i64> = changes
        .iter()
        .flat_map(|change| &change.writes)
        .filter_map(|write| match write {
            Write::Explain { line, .. } | Write::Rematch(line, _) => Some(signed(*line)),
            Write::Put(_) | Write::Lines(_) | Write::CountOrders(_) => None,
        })
        .collect();
    if lines.is_empty() {
        return Ok(HashMap::new());
    }
    let sql = "SELECT line_seq, marketplace, line_id, listing, sku, cell, kind, quantity, \
               unit_price FROM sale_lines WHERE line_seq = ANY($1)";
    let mut all = HashMap::new();
    for row in query(client, sql, &[&lines]).await? {
        let marketplace: PartnerId = parsed(&row, 1)?;
        let seq: i64 = row.try_get(0)?;
        let goods = super::names::goods(&marketplace, row.try_get(3)?, row.try_get(4)?);
        let touched = Touched {
            seq,
            line_id: row.try_get(2)?,
            goods,
            marketplace,
            cell: row.try_get(5)?,
            net: signed_line(parsed(&row, 6)?, parsed(&row, 7)?, parsed(&row, 8)?),
        };
        all.insert(super::values::unsigned(seq), touched);
    }
    Ok(all)
}
