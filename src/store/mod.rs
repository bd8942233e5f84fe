//! What is kept, and the one way to change it.
//!
//! Enters: [`Change`]s from use cases, and questions. Leaves: documents, ledger entries, rollups.
//! [`Writer`](writer::Writer) gathers changes into groups; a [`Store`] applies a group in one
//! durable transaction. It must not know who asks or over which transport; rows stop here.

pub mod check;
pub mod cube;
pub mod postgres;
pub mod sqlite;
pub mod stock;
mod verdicts;
pub mod writer;

#[cfg(test)]
mod suite;

use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use jiff::civil::Date;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use self::check::SumsCheck;
use self::stock::{HeldRematch, ListingStock, RematchQuery, StockQuery};
use self::writer::Groups;
use crate::change::{
    BatchAnswer, Change, Committed, Kind, LineBatch, OrderCounts, Record, Refusal,
};
use crate::domain::analytics::{Dimension, Measure, RollupCell};
use crate::domain::exchange::Rates;
use crate::domain::explanation::Explanation;
use crate::domain::partner::PartnerId;
use crate::domain::period::Period;
use crate::domain::ranking::TopListings;
use crate::domain::reconciliation::NetByName;
use crate::domain::request_id::RequestId;
use crate::domain::sale::{SaleKind, SaleLine, WarningReason};
use crate::domain::text::LineId;
use crate::error::Result;
use crate::ledger::{Hash, Node, Receipt, Tree};

/// A durable store with its ledger.
///
/// Every method answers from committed state. Errors are `INTERNAL` or, where waiting helps,
/// `UNAVAILABLE`; they never carry a partner's data.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// Applies a group of changes in one transaction and returns once it is durable.
    ///
    /// Changes are judged in order, each against what those before it wrote; a refused one
    /// leaves no trace and does not touch its neighbours. An error means that none was applied,
    /// or that the outcome is unknown and is learnt by asking for the request keys.
    async fn commit(&self, group: Group) -> Result<Vec<Judged>>;

    /// Starts to commit what comes from `groups`, one after another and each as by
    /// [`commit`](Store::commit), until no more can come.
    ///
    /// As provided, on a task of the runtime it is called on. A store that blocks has a thread of
    /// its own, so that nothing is handed on between the queue and the disk; dropping it waits
    /// until the last group is committed.
    ///
    /// # Errors
    /// If there is nothing to run it on.
    fn follow(self: Arc<Self>, mut groups: Groups) -> Result<()> {
        tokio::spawn(async move {
            while let Some((group, answers)) = groups.next().await {
                answers.give(self.commit(group).await);
            }
        });
        Ok(())
    }

    /// What [`commit`](Store::commit) would answer to a batch of lines at this moment; nothing is
    /// stored.
    async fn preview(&self, batch: Arc<LineBatch>) -> Result<BatchAnswer>;

    /// The document, if there is one.
    async fn record(&self, kind: Kind, key: &str) -> Result<Option<Record>>;

    /// Those of the documents that exist, in no particular order.
    async fn records(&self, kind: Kind, keys: Vec<String>) -> Result<Vec<Record>>;

    /// A page of documents in the order of their keys.
    async fn page(&self, query: PageQuery) -> Result<Vec<Record>>;

    /// Documents of a kind with a column `due` that are due on `day` or were before, in the order
    /// of (due, key) and at most `limit`; those after `after`, a value of both, where it is given.
    /// What it costs follows from what is due, not from what is kept.
    async fn due(
        &self,
        kind: Kind,
        day: Date,
        after: Option<(String, String)>,
        limit: u32,
    ) -> Result<Vec<Record>>;

    /// What became of an earlier request.
    async fn request(&self, partner: &PartnerId, id: &RequestId) -> Result<Option<StoredRequest>>;

    /// The Merkle tree as of the last commit.
    async fn tree(&self) -> Result<Tree>;

    /// A ledger entry with what opens its commitment.
    async fn entry(&self, index: u64) -> Result<Option<StoredEntry>>;

    /// Complete nodes of the tree, leaves (level 0) included, one answer for each asked.
    async fn nodes(&self, nodes: Vec<Node>) -> Result<Vec<Option<Hash>>>;

    /// What a report holds so far; zeros if nothing.
    async fn report_progress(&self, report: &str) -> Result<ReportProgress>;

    /// Rollup cells that match.
    async fn rollups(&self, query: RollupQuery) -> Result<Vec<RollupCell>>;

    /// The listings that sold best, over rollup cells that match; `None` if there are more listings
    /// than [`RollupQuery::at_most`].
    ///
    /// # Errors
    /// Those of [`ranking::top`](crate::domain::ranking::top).
    async fn top(&self, query: RollupQuery, ranking: Ranking) -> Result<Option<TopListings>>;

    /// Lines of a report that match, in the order they were stored.
    async fn lines(&self, query: LineQuery) -> Result<Vec<StoredLine>>;

    /// The next lines of a report for an export, in the order they were stored.
    ///
    /// A page may hold none although more follow. As stored lines never change, and explanations
    /// recorded after the first `entries` are left out, the same query is answered the same for
    /// ever.
    async fn export(&self, query: ExportQuery) -> Result<ExportPage>;

    /// The line that a marketplace's line id belongs to, with the key of its report.
    async fn line(&self, marketplace: &PartnerId, id: &LineId) -> Result<Option<HeldLine>>;

    /// Counts the orders of a report as it is now, to be written when it is sealed.
    async fn count_orders(&self, report: &str) -> Result<OrderCounts>;

    /// What was sold less what came back of a listing, in selling units, for each name; also of a
    /// listing that does not exist yet.
    async fn net_sold(&self, listing: &str) -> Result<NetByName>;

    /// What the stock of listings follows from, in one snapshot.
    async fn stock(&self, query: StockQuery) -> Result<Vec<ListingStock>>;

    /// Matches of sales by hand.
    async fn rematches(&self, query: RematchQuery) -> Result<Vec<HeldRematch>>;

    /// Makes all sums anew from the lines, in one snapshot, and says where those that are kept
    /// differ; names `most` differences.
    async fn check_sums(&self, most: usize) -> Result<SumsCheck>;

    /// Answers if the store can be read; used by readiness.
    async fn ping(&self) -> Result<()>;
}

/// A group of changes with what the transaction needs from outside, ready before it begins.
pub struct Group {
    /// The changes, in order of arrival.
    pub changes: Vec<Change>,
    /// The moment recorded in every entry of the group.
    pub at: Timestamp,
    /// One fresh salt for each change.
    pub salts: Vec<[u8; 32]>,
}

/// What became of one change of a group.
pub type Judged = std::result::Result<Committed, Refusal>;

/// Which documents to list.
#[derive(Clone, Debug)]
pub struct PageQuery {
    /// Their kind.
    pub kind: Kind,
    /// Only those of this owner.
    pub owner: Option<String>,
    /// Only those in this state.
    pub state: Option<String>,
    /// Only those whose column (one of [`Kind::columns`]) has this value.
    pub equal: Vec<(&'static str, String)>,
    /// Only those whose column begins so.
    pub prefix: Vec<(&'static str, String)>,
    /// Only those whose column, or key, is from the first to the second value, both included.
    pub between: Vec<(&'static str, String, String)>,
    /// Only those whose key is greater; empty for the first page.
    pub after: String,
    /// At most so many.
    pub limit: u32,
}

impl PageQuery {
    /// All documents of a kind, `limit` at a time.
    pub fn all(kind: Kind, limit: u32) -> Self {
        Self {
            kind,
            owner: None,
            state: None,
            equal: Vec::new(),
            prefix: Vec::new(),
            between: Vec::new(),
            after: String::new(),
            limit,
        }
    }
}

/// Which lines of a report to read.
#[derive(Clone, Debug)]
pub struct LineQuery {
    /// Key of the report.
    pub report: String,
    /// Only those with something odd about them, or only those without.
    pub remarked: Option<bool>,
    /// Only those odd for this reason.
    pub reason: Option<WarningReason>,
    /// Only those stored after this one (its `seq`); 0 for the first page.
    pub after: u64,
    /// At most so many.
    pub limit: u32,
}

/// A sale line as kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredLine {
    /// Its place among all lines; ascends in the order they were stored.
    pub seq: u64,
    /// The ledger entry that took it.
    pub entry: u64,
    /// The line.
    pub line: SaleLine,
    /// What was odd about it when it came.
    pub reasons: Vec<WarningReason>,
    /// Why it counts although it exceeds its sale.
    pub explanation: Option<Explanation>,
}

/// A sale line and where it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldLine {
    /// Key of the report that took it.
    pub report: String,
    /// The line.
    pub line: StoredLine,
}

/// Which lines of a report an export is about.
#[derive(Clone, Debug)]
pub struct ExportQuery {
    /// Key of the report.
    pub report: String,
    /// Only those of these days.
    pub days: Option<Period>,
    /// Only those of these kinds; empty for all.
    pub kinds: Vec<SaleKind>,
    /// Only those with something odd about them, or only those without.
    pub remarked: Option<bool>,
    /// Only those odd for this reason.
    pub reason: Option<WarningReason>,
    /// Only those that one of the first so many ledger entries took.
    pub entries: u64,
    /// Only those stored after this one (its `seq`); 0 for the first page.
    pub after: u64,
    /// At most so many, at least 1.
    pub limit: u32,
    /// Look at so many at most, at least 1.
    pub look_at: u32,
}

/// A part of an export.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExportPage {
    /// Lines that match, in the order they were stored.
    pub lines: Vec<ExportedLine>,
    /// Where the next page begins; `None` at the end of the report.
    pub next: Option<u64>,
}

/// A line with what its listing said when it was stored; empty where that was not known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExportedLine {
    /// The line.
    pub stored: StoredLine,
    /// CUIT of the seller, 11 digits.
    pub seller: String,
    /// NCM code, 8 digits.
    pub ncm: String,
}

/// A request that was answered before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredRequest {
    /// SHA-256 over its method and body.
    pub digest: [u8; 32],
    /// The receipt it was given.
    pub receipt: Receipt,
    /// The answer it was given, as JSON.
    pub answer: Vec<u8>,
}

/// A ledger entry as kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredEntry {
    /// The leaf, exactly as hashed.
    pub entry: Vec<u8>,
    /// The salt of its commitment.
    pub salt: Vec<u8>,
    /// The content it commits to.
    pub content: Vec<u8>,
}

/// What a report holds so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReportProgress {
    /// Lines of the client's sequence that are settled; where it goes on.
    pub next_line: u64,
    /// Lines stored without remark.
    pub accepted: u64,
    /// Lines stored with a remark.
    pub warned: u64,
    /// Times a known line was sent again.
    pub duplicates: u64,
    /// Times a malformed line was sent.
    pub refused: u64,
    /// The ledger entry of the last batch it took.
    pub last_entry: Option<u64>,
    /// Lines that exceed their sale and were explained.
    pub explained: u64,
    /// Whether lines of it count in a closed month.
    pub in_closed_month: bool,
    /// Distinct pairs of order and listing; counted when the report is sealed.
    pub orders: Option<u64>,
    /// Totals over the stored lines by (kind, currency), sorted.
    pub totals: Vec<KindTotal>,
}

/// Totals of one kind in one currency, as written in the lines: no sign from the kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KindTotal {
    /// The kind, as the domain spells it.
    pub kind: String,
    /// ISO 4217.
    pub currency: String,
    /// Lines.
    pub lines: u64,
    /// The sum of quantities.
    pub quantity: Decimal,
    /// The sum of quantity x unit price, exact.
    pub amount: Decimal,
}

/// How to rank listings.
#[derive(Clone, Debug)]
pub struct Ranking {
    /// By what.
    pub measure: Measure,
    /// How many, beside those that equal the last.
    pub limit: usize,
    /// Rates to convert amounts at.
    pub rates: Rates,
}

/// Which rollup cells to read; `None` and empty mean all.
#[derive(Clone, Debug, Default)]
pub struct RollupQuery {
    /// Only this marketplace's.
    pub marketplace: Option<String>,
    /// Only this report's (its key).
    pub report: Option<String>,
    /// Only these reports' (their keys).
    pub reports: Option<Vec<String>>,
    /// First day, inclusive.
    pub from: Option<Date>,
    /// Last day, inclusive.
    pub to: Option<Date>,
    /// Only this seller's (11 digits).
    pub seller: Option<String>,
    /// Only these listings (their keys).
    pub listings: Option<Vec<String>>,
    /// Only NCM codes that begin so.
    pub ncm_prefix: Option<String>,
    /// Only this province's.
    pub province: Option<String>,
    /// Only this size class's.
    pub size_class: Option<String>,
    /// Only this channel's.
    pub channel: Option<String>,
    /// Only this country with its regions, or this region.
    pub destination: Option<String>,
    /// Only this currency.
    pub currency: Option<String>,
    /// Leave out lines that exceed their sale and were explained after this moment.
    pub explained_by: Option<Timestamp>,
    /// Merge cells that differ in none of these dimensions, as they are read; `None` leaves all
    /// as they are kept.
    pub by: Option<Vec<Dimension>>,
    /// Stop once more than so many cells are held; `None` reads all.
    pub at_most: Option<usize>,
}
