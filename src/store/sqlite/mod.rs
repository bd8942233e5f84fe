//! The embedded store: SQLite in WAL mode, synchronous FULL, one writer, many readers.
//!
//! Enters: groups of changes and questions. Leaves: committed state. One
//! connection writes, on a thread of its own; readers take a connection each and
//! see the last committed snapshot.

mod check;
mod checkpointer;
mod closed;
mod documents;
mod expected;
mod explanations;
mod export;
mod gains;
mod group;
mod line_tables;
mod lines;
mod months;
mod names;
mod net_sold;
mod numbers;
mod orders;
mod originals;
mod questions;
mod rollups;
mod stock;
mod stored;
mod writing;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use jiff::civil::Date;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};
use tokio::sync::Semaphore;

use self::months::Months;
use self::writing::Writing;
use super::check::SumsCheck;
use super::stock::{HeldRematch, ListingStock, RematchQuery, StockQuery};
use super::writer::Groups;
use super::{
    ExportPage, ExportQuery, Group, HeldLine, Judged, LineQuery, PageQuery, Ranking,
    ReportProgress, RollupQuery, Store, StoredEntry, StoredLine, StoredRequest,
};
use crate::change::{BatchAnswer, Kind, LineBatch, OrderCounts, Record};
use crate::domain::analytics::RollupCell;
use crate::domain::partner::PartnerId;
use crate::domain::ranking::TopListings;
use crate::domain::reconciliation::NetByName;
use crate::domain::request_id::RequestId;
use crate::domain::text::LineId;
use crate::error::{Error, Result};
use crate::ledger::{Hash, Node, Tree};

mod migrations {
    refinery::embed_migrations!("src/store/migrations/sqlite");
}

/// How many readers may work at once.
const READERS: usize = 4;
/// SQLite's page cache for each connection, in KiB.
const CACHE_KIB: i64 = 16 * 1024;
/// Prepared statements kept by each connection.
const STATEMENTS: usize = 128;

/// A store in one file of this machine.
pub struct SqliteStore {
    writing: Writing,
    months: Arc<Months>,
    summing: Option<std::thread::JoinHandle<()>>,
    readers: Arc<Readers>,
}

struct Readers {
    path: PathBuf,
    idle: Mutex<Vec<Connection>>,
    room: Arc<Semaphore>,
}

impl SqliteStore {
    /// Opens the store in file `path`, making it if it is not there, and brings its schema up to
    /// date.
    ///
    /// # Errors
    /// `STORE_UNUSABLE` if the file cannot be opened, is no store of ours or is newer than this
    /// binary.
    pub fn open(path: &Path) -> Result<Self> {
        let mut connection = connect(path, OpenFlags::default()).map_err(|e| unusable(path, &e))?;
        migrations::migrations::runner().run(&mut connection).map_err(|e| unusable(path, &e))?;
        net_sold::catch_up(&mut connection).map_err(|e| unusable(path, &e))?;
        let months = Arc::new(Months::new(path));
        let writing = Writing::start(connection, path, months.clone())?;
        let keeping = months.clone();
        let summing = std::thread::Builder::new()
            .name("puente-months".into())
            .spawn(move || keeping.keep())
            .map_err(|e| Error::internal(format!("thread of sums: {e}")))?;
        let readers = Readers {
            path: path.to_owned(),
            idle: Mutex::new(Vec::new()),
            room: Arc::new(Semaphore::new(READERS)),
        };
        let readers = Arc::new(readers);
        Ok(Self { writing, months, summing: Some(summing), readers })
    }

    /// Waits until sums by month are as current as the cells; says whether they are held.
    #[cfg(test)]
    pub fn sums_by_month(&self) -> bool {
        self.months.settled()
    }

    /// Whether a start would take sums by month from the file beside the store.
    #[cfg(test)]
    pub fn sums_by_month_are_saved(&self) -> bool {
        self.months.are_saved()
    }

    /// Answers a question of several statements from one snapshot.
    async fn read<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T> {
        // Leaving the transaction ends it.
        self.read_one(|c| question(&*c.unchecked_transaction()?)).await
    }

    /// Runs a question on a reader's connection, off the async threads; each of its statements
    /// sees a snapshot of its own.
    async fn read_one<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T> {
        let readers = self.readers.clone();
        let room = readers
            .room
            .clone()
            .acquire_owned()
            .await
            .map_err(|_closed| Error::internal("reader pool closed"))?;
        tokio::task::spawn_blocking(move || {
            let _room = room;
            let kept = readers.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let connection = match kept {
                Some(connection) => connection,
                None => connect(&readers.path, read_only()).map_err(|e| failure(&e))?,
            };
            let answer = question(&connection).map_err(|e| failure(&e));
            if answer.is_ok() {
                readers.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
            }
            answer
        })
        .await
        .map_err(|e| Error::internal(format!("reader: {e}")))?
    }
}

impl Drop for SqliteStore {
    /// Waits for the last group and closes the readers, then the connection that writes: the last
    /// one that can write leaves one whole file behind, without a log beside it.
    fn drop(&mut self) {
        self.writing.finish();
        self.readers.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
        self.months.stop();
        if let Some(summing) = self.summing.take() {
            // It has nothing to tell.
            let _ended = summing.join();
        }
    }
}

#[async_trait]
impl Store for SqliteStore {
    async fn commit(&self, group: Group) -> Result<Vec<Judged>> {
        self.writing.commit(group).await
    }

    fn follow(self: Arc<Self>, groups: Groups) -> Result<()> {
        self.writing.follow(groups)
    }

    async fn preview(&self, batch: Arc<LineBatch>) -> Result<BatchAnswer> {
        self.writing.preview(batch).await
    }

    async fn record(&self, kind: Kind, key: &str) -> Result<Option<Record>> {
        let key = key.to_owned();
        self.read_one(move |c| documents::one(c, kind, &key)).await
    }

    async fn records(&self, kind: Kind, keys: Vec<String>) -> Result<Vec<Record>> {
        self.read(move |c| {
            let found: rusqlite::Result<Vec<_>> =
                keys.iter().map(|key| documents::one(c, kind, key)).collect();
            Ok(found?.into_iter().flatten().collect())
        })
        .await
    }

    async fn page(&self, query: PageQuery) -> Result<Vec<Record>> {
        self.read_one(move |c| documents::page(c, &query)).await
    }

    async fn due(
        &self,
        kind: Kind,
        day: Date,
        after: Option<(String, String)>,
        limit: u32,
    ) -> Result<Vec<Record>> {
        self.read_one(move |c| documents::due(c, kind, day, after, limit)).await
    }

    async fn request(&self, partner: &PartnerId, id: &RequestId) -> Result<Option<StoredRequest>> {
        let (partner, id) = (partner.to_string(), id.to_string());
        self.read_one(move |c| group::request(c, &partner, &id)).await
    }

    async fn tree(&self) -> Result<Tree> {
        self.read_one(group::tree).await
    }

    async fn entry(&self, index: u64) -> Result<Option<StoredEntry>> {
        self.read_one(move |c| questions::entry(c, index)).await
    }

    async fn nodes(&self, nodes: Vec<Node>) -> Result<Vec<Option<Hash>>> {
        self.read(move |c| questions::nodes(c, &nodes)).await
    }

    async fn report_progress(&self, report: &str) -> Result<ReportProgress> {
        let report = report.to_owned();
        self.read(move |c| questions::report_progress(c, &report)).await
    }

    async fn rollups(&self, query: RollupQuery) -> Result<Vec<RollupCell>> {
        let months = self.months.clone();
        self.read(move |c| match months.rollups(c, &query)? {
            Some(cells) => Ok(cells),
            None => questions::rollups(c, &query),
        })
        .await
    }

    async fn top(&self, query: RollupQuery, ranking: Ranking) -> Result<Option<TopListings>> {
        let months = self.months.clone();
        Ok(self.read(move |c| months.top(c, query, &ranking)).await??)
    }

    async fn lines(&self, query: LineQuery) -> Result<Vec<StoredLine>> {
        self.read(move |c| stored::lines(c, &query)).await
    }

    async fn export(&self, query: ExportQuery) -> Result<ExportPage> {
        self.read(move |c| export::page(c, &query)).await
    }

    async fn line(&self, marketplace: &PartnerId, id: &LineId) -> Result<Option<HeldLine>> {
        let (marketplace, id) = (marketplace.clone(), id.clone());
        self.read(move |c| stored::line(c, &marketplace, &id)).await
    }

    async fn count_orders(&self, report: &str) -> Result<OrderCounts> {
        let report = report.to_owned();
        self.read(move |c| orders::count(c, &report)).await
    }

    async fn net_sold(&self, listing: &str) -> Result<NetByName> {
        let listing = listing.to_owned();
        self.read_one(move |c| net_sold::of(c, &listing)).await
    }

    async fn stock(&self, query: StockQuery) -> Result<Vec<ListingStock>> {
        self.read(move |c| stock::listings(c, &query)).await
    }

    async fn rematches(&self, query: RematchQuery) -> Result<Vec<HeldRematch>> {
        self.read(move |c| stock::rematches(c, &query)).await
    }

    async fn check_sums(&self, most: usize) -> Result<SumsCheck> {
        self.read(move |c| check::sums(c, most)).await
    }

    async fn ping(&self) -> Result<()> {
        self.read_one(|c| c.query_row("SELECT size FROM ledger_head", [], |_| Ok(())).or_else(none))
            .await
    }
}

fn none(error: rusqlite::Error) -> rusqlite::Result<()> {
    match error {
        rusqlite::Error::QueryReturnedNoRows => Ok(()),
        other => Err(other),
    }
}

fn read_only() -> OpenFlags {
    OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX
}

fn connect(path: &Path, flags: OpenFlags) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(Duration::from_secs(5))?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    gains::know_sums(&connection)?;
    // Without this a kept statement is parsed and planned anew at each use where a bound LIMIT, or
    // a value held against the condition of a partial index, might call for another plan.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
    connection.pragma_update(None, "foreign_keys", true)?;
    if !flags.contains(OpenFlags::SQLITE_OPEN_READ_ONLY) {
        connection.pragma_update(None, "journal_mode", "WAL")?;
        // FULL makes every commit durable before it returns; an answer always means durable.
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "journal_size_limit", 64 * 1024 * 1024)?;
    }
    Ok(connection)
}

/// What a failed statement means for the caller.
fn failure(error: &rusqlite::Error) -> Error {
    use rusqlite::ErrorCode::{DatabaseBusy, DatabaseLocked, DiskFull, ReadOnly, SystemIoFailure};
    let passing = matches!(
        error.sqlite_error_code(),
        Some(DatabaseBusy | DatabaseLocked | DiskFull | ReadOnly | SystemIoFailure)
    );
    if passing {
        Error::unavailable(
            "STORE_UNAVAILABLE",
            "the store cannot serve at this moment: retry with the same request_id",
            Duration::from_secs(1),
        )
        .because(error)
    } else {
        Error::internal(format!("store: {error}"))
    }
}

fn unusable(path: &Path, error: &dyn std::fmt::Display) -> Error {
    Error::precondition(
        "STORE_UNUSABLE",
        format!(
            "the store {} cannot be used: {error}; check that the folder exists and is writable \
             and that the file was made by this or an older version",
            path.display()
        ),
    )
}

#[cfg(test)]
mod tests;
