//! The store on other machines: PostgreSQL.
//!
//! Enters: groups of changes and questions. Leaves: committed state. Whoever holds the row of the
//! ledger head writes; that row is all that replicas share. Questions take a connection of a pool
//! each and see the last committed snapshot.

mod check;
pub mod cluster;
mod connection;
mod documents;
mod fault;
mod group;
mod head;
mod identity;
mod lines;
mod names;
mod orders;
mod originals;
mod parts;
mod pass;
mod progress;
mod questions;
mod renaming;
mod rollups;
mod standing;
mod stock;
mod stored;
mod sums;
mod values;
mod writing;

use std::sync::Arc;

use async_trait::async_trait;
use deadpool_postgres::{Client, Pool, Transaction};
use jiff::civil::Date;
use tokio::sync::Mutex;
use tokio_postgres::tls::{MakeTlsConnect, TlsConnect};
use tokio_postgres::{IsolationLevel, Socket};

pub use self::connection::Settings;
use self::fault::Fault;
use self::group::Writing;
use super::check::SumsCheck;
use super::stock::{HeldRematch, ListingStock, RematchQuery, StockQuery};
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
    refinery::embed_migrations!("src/store/migrations/postgres");
}

/// How many readers may work at once.
const READERS: usize = 8;
/// What holds off other replicas while one brings the schema up to date: "puente" in ASCII.
const MIGRATING: i64 = 0x7075_656e_7465;

/// A store in a PostgreSQL database.
pub struct PostgresStore {
    writing: Arc<Mutex<Writing>>,
    readers: Pool,
}

/// Brings the schema of a database up to date; waits for whoever does so already.
///
/// # Errors
/// `STORE_UNUSABLE` if the database cannot be reached, or is newer than this binary.
pub async fn migrate<T>(settings: &Settings, tls: T) -> Result<()>
where
    T: MakeTlsConnect<Socket>,
    T::Stream: Send + 'static,
{
    let unusable = |reason: String| {
        Error::precondition(
            "STORE_UNUSABLE",
            format!(
                "the database cannot be used: {reason}; check that it is there, takes writes and \
                 lets this user make tables, and that no newer version has made it"
            ),
        )
    };
    let told = |error: tokio_postgres::Error| unusable(fault::told(&error));
    let (mut client, connection) = settings.patient().connect(tls).await.map_err(told)?;
    let speaking = tokio::spawn(connection);
    client.execute("SELECT pg_advisory_lock($1)", &[&MIGRATING]).await.map_err(told)?;
    let runner = migrations::migrations::runner();
    runner.run_async(&mut client).await.map_err(|error| unusable(error.to_string()))?;
    // The lock goes with the connection.
    drop(client);
    let _ended = speaking.await;
    Ok(())
}

impl PostgresStore {
    /// A store in a database whose schema is up to date; it connects when it is first used.
    ///
    /// # Errors
    /// `STORE_UNUSABLE` if the settings cannot be used.
    pub fn over<T>(settings: &Settings, tls: T) -> Result<Self>
    where
        T: MakeTlsConnect<Socket> + Clone + Send + Sync + 'static,
        T::Stream: Send + Sync,
        T::TlsConnect: Send + Sync,
        <T::TlsConnect as TlsConnect<Socket>>::Future: Send,
    {
        let (writer, doubt, readers) = connection::pools(settings, tls, READERS)
            .map_err(|reason| Error::precondition("STORE_UNUSABLE", reason))?;
        let writing = Arc::new(Mutex::new(Writing::over(writer, doubt)));
        Ok(Self { writing, readers })
    }

    /// A connection for one question.
    async fn reader(&self) -> Result<Client> {
        self.readers.get().await.map_err(|error| Fault::from(error).error())
    }
}

/// One snapshot for a question of several statements; leaving it ends it.
async fn snapshot(client: &mut Client) -> Result<Transaction<'_>> {
    let begun = client
        .build_transaction()
        .isolation_level(IsolationLevel::RepeatableRead)
        .read_only(true)
        .start();
    begun.await.map_err(|error| Fault::from(error).error())
}

fn failed(fault: Fault) -> Error {
    fault.error()
}

#[async_trait]
impl Store for PostgresStore {
    async fn commit(&self, group: Group) -> Result<Vec<Judged>> {
        let writing = self.writing.clone();
        // On a task of its own, so that nobody who goes away ends a COMMIT half-way.
        tokio::spawn(async move { writing.lock().await.commit(&group).await })
            .await
            .map_err(|ended| Error::internal(format!("the writer ended: {ended}")))?
    }

    async fn preview(&self, batch: Arc<LineBatch>) -> Result<BatchAnswer> {
        let mut client = self.reader().await?;
        group::preview(&snapshot(&mut client).await?, &batch).await.map_err(failed)
    }

    async fn record(&self, kind: Kind, key: &str) -> Result<Option<Record>> {
        Ok(self.records(kind, vec![key.to_owned()]).await?.pop())
    }

    async fn records(&self, kind: Kind, keys: Vec<String>) -> Result<Vec<Record>> {
        documents::some(&self.reader().await?, kind, &keys).await.map_err(failed)
    }

    async fn page(&self, query: PageQuery) -> Result<Vec<Record>> {
        documents::page(&self.reader().await?, &query).await.map_err(failed)
    }

    async fn due(
        &self,
        kind: Kind,
        day: Date,
        after: Option<(String, String)>,
        limit: u32,
    ) -> Result<Vec<Record>> {
        documents::due(&self.reader().await?, kind, day, after, limit).await.map_err(failed)
    }

    async fn request(&self, partner: &PartnerId, id: &RequestId) -> Result<Option<StoredRequest>> {
        let (partners, ids) = ([partner.as_str()], [id.to_string()]);
        let found = questions::requests(&self.reader().await?, &partners, &ids).await;
        Ok(found.map_err(failed)?.pop().map(|(_, request)| request))
    }

    async fn tree(&self) -> Result<Tree> {
        questions::head(&self.reader().await?).await.map_err(failed)
    }

    async fn entry(&self, index: u64) -> Result<Option<StoredEntry>> {
        questions::entry(&self.reader().await?, index).await.map_err(failed)
    }

    async fn nodes(&self, nodes: Vec<Node>) -> Result<Vec<Option<Hash>>> {
        questions::nodes(&self.reader().await?, &nodes).await.map_err(failed)
    }

    async fn report_progress(&self, report: &str) -> Result<ReportProgress> {
        let mut client = self.reader().await?;
        let snapshot = snapshot(&mut client).await?;
        questions::report_progress(&snapshot, report).await.map_err(failed)
    }

    async fn rollups(&self, query: RollupQuery) -> Result<Vec<RollupCell>> {
        let mut client = self.reader().await?;
        rollups::cells(&snapshot(&mut client).await?, &query).await.map_err(failed)
    }

    async fn top(&self, query: RollupQuery, ranking: Ranking) -> Result<Option<TopListings>> {
        let mut client = self.reader().await?;
        let snapshot = snapshot(&mut client).await?;
        Ok(rollups::top(&snapshot, query, &ranking).await.map_err(failed)??)
    }

    async fn lines(&self, query: LineQuery) -> Result<Vec<StoredLine>> {
        let mut client = self.reader().await?;
        stored::lines(&snapshot(&mut client).await?, &query).await.map_err(failed)
    }

    async fn export(&self, query: ExportQuery) -> Result<ExportPage> {
        let mut client = self.reader().await?;
        stored::export(&snapshot(&mut client).await?, &query).await.map_err(failed)
    }

    async fn line(&self, marketplace: &PartnerId, id: &LineId) -> Result<Option<HeldLine>> {
        let mut client = self.reader().await?;
        stored::line(&snapshot(&mut client).await?, marketplace, id).await.map_err(failed)
    }

    async fn count_orders(&self, report: &str) -> Result<OrderCounts> {
        orders::count(&self.reader().await?, report).await.map_err(failed)
    }

    async fn net_sold(&self, listing: &str) -> Result<NetByName> {
        questions::net_sold(&self.reader().await?, listing).await.map_err(failed)
    }

    async fn stock(&self, query: StockQuery) -> Result<Vec<ListingStock>> {
        let mut client = self.reader().await?;
        stock::listings(&snapshot(&mut client).await?, &query).await.map_err(failed)
    }

    async fn rematches(&self, query: RematchQuery) -> Result<Vec<HeldRematch>> {
        let mut client = self.reader().await?;
        stock::rematches(&snapshot(&mut client).await?, &query).await.map_err(failed)
    }

    async fn check_sums(&self, most: usize) -> Result<SumsCheck> {
        let mut client = self.reader().await?;
        check::sums(&snapshot(&mut client).await?, most).await.map_err(failed)
    }

    async fn ping(&self) -> Result<()> {
        questions::head(&self.reader().await?).await.map(drop).map_err(failed)
    }
}
