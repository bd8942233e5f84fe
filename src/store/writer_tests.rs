//! How groups are gathered and answered, and what followers of the writer learn of them.

use std::sync::Mutex;

use async_trait::async_trait;

use super::*;
use crate::change::{Actor, BatchAnswer, LineBatch, OrderCounts, Record, RequestKey};
use crate::domain::analytics::RollupCell;
use crate::domain::partner::PartnerId;
use crate::domain::period::Period;
use crate::domain::ranking::TopListings;
use crate::domain::reconciliation::NetByName;
use crate::domain::request_id::RequestId;
use crate::domain::text::LineId;
use crate::ledger::{Draft, EntryKind, Hash, Node, Tree};
use crate::store::Group;
use crate::store::check::SumsCheck;
use crate::store::sqlite::SqliteStore;
use crate::store::stock::{HeldRematch, ListingStock, RematchQuery, StockQuery};
use crate::store::{
    ExportPage, ExportQuery, HeldLine, LineQuery, PageQuery, Ranking, ReportProgress, RollupQuery,
    StoredEntry, StoredLine, StoredRequest,
};

/// A store whose commits may be durable, and which never says so. It takes one group for each
/// permit.
struct Silent {
    sizes: Mutex<Vec<usize>>,
    permits: Semaphore,
}

impl Silent {
    fn with(permits: usize) -> Arc<Self> {
        Arc::new(Self { sizes: Mutex::default(), permits: Semaphore::new(permits) })
    }
}

#[async_trait]
impl Store for Silent {
    async fn commit(&self, group: Group) -> Result<Vec<Judged>> {
        self.permits.acquire().await.unwrap().forget();
        self.sizes.lock().unwrap().push(group.changes.len());
        Err(Error::internal("the answer was lost"))
    }
    async fn preview(&self, _: Arc<LineBatch>) -> Result<BatchAnswer> {
        unimplemented!()
    }
    async fn record(&self, _: Kind, _: &str) -> Result<Option<Record>> {
        unimplemented!()
    }
    async fn records(&self, _: Kind, _: Vec<String>) -> Result<Vec<Record>> {
        unimplemented!()
    }
    async fn page(&self, _: PageQuery) -> Result<Vec<Record>> {
        unimplemented!()
    }
    async fn due(
        &self,
        _: Kind,
        _: jiff::civil::Date,
        _: Option<(String, String)>,
        _: u32,
    ) -> Result<Vec<Record>> {
        unimplemented!()
    }
    async fn request(&self, _: &PartnerId, _: &RequestId) -> Result<Option<StoredRequest>> {
        unimplemented!()
    }
    async fn tree(&self) -> Result<Tree> {
        unimplemented!()
    }
    async fn entry(&self, _: u64) -> Result<Option<StoredEntry>> {
        unimplemented!()
    }
    async fn nodes(&self, _: Vec<Node>) -> Result<Vec<Option<Hash>>> {
        unimplemented!()
    }
    async fn report_progress(&self, _: &str) -> Result<ReportProgress> {
        unimplemented!()
    }
    async fn rollups(&self, _: RollupQuery) -> Result<Vec<RollupCell>> {
        unimplemented!()
    }
    async fn top(&self, _: RollupQuery, _: Ranking) -> Result<Option<TopListings>> {
        unimplemented!()
    }
    async fn lines(&self, _: LineQuery) -> Result<Vec<StoredLine>> {
        unimplemented!()
    }
    async fn export(&self, _: ExportQuery) -> Result<ExportPage> {
        unimplemented!()
    }
    async fn line(&self, _: &PartnerId, _: &LineId) -> Result<Option<HeldLine>> {
        unimplemented!()
    }
    async fn count_orders(&self, _: &str) -> Result<OrderCounts> {
        unimplemented!()
    }
    async fn net_sold(&self, _: &str) -> Result<NetByName> {
        unimplemented!()
    }
    async fn stock(&self, _: StockQuery) -> Result<Vec<ListingStock>> {
        unimplemented!()
    }
    async fn rematches(&self, _: RematchQuery) -> Result<Vec<HeldRematch>> {
        unimplemented!()
    }
    async fn check_sums(&self, _: usize) -> Result<SumsCheck> {
        unimplemented!()
    }
    async fn ping(&self) -> Result<()> {
        unimplemented!()
    }
}

/// Puts a partner as it is before its first version.
fn suspension(number: u128) -> Change {
    let record = Record {
        kind: Kind::Partner,
        key: number.to_string(),
        owner: "inv".to_owned(),
        state: "SUSPENDED".to_owned(),
        columns: vec!["AGENCY".to_owned()],
        version: 0,
        body: Vec::new(),
    };
    let request = RequestKey {
        partner: "operator".parse().unwrap(),
        request_id: uuid::Uuid::from_u128(number).to_string().parse().unwrap(),
        digest: [0; 32],
    };
    Change {
        request,
        actor: Actor { certificate: None, trace_id: None },
        expect: Vec::new(),
        writes: vec![Write::Put(record)],
        draft: Draft::new(EntryKind::PartnerSuspended),
        answer: Vec::new(),
    }
}

#[tokio::test]
async fn a_commit_of_unknown_outcome_makes_followers_read_again() {
    let store = Silent::with(1);
    let writer = Writer::start(store, Env::system(), WriterLimits::default()).unwrap();
    let mut size = writer.ledger_size();
    writer.submit(suspension(1)).await.unwrap_err();
    assert_eq!(writer.touched(Kind::Partner), 1);
    assert_eq!(writer.touched(Kind::Listing), 0);
    tokio::time::timeout(Duration::from_secs(5), size.changed()).await.unwrap().unwrap();
}

#[tokio::test]
async fn what_comes_while_a_group_is_committed_is_the_next_group() {
    let store = Silent::with(0);
    let limits = WriterLimits { group_changes: 3, ..WriterLimits::default() };
    let writer = Writer::start(store.clone(), Env::system(), limits).unwrap();
    let mut queued = Vec::new();
    for number in 1..=5 {
        queued.push(writer.enqueue(suspension(number)).await.unwrap());
        // The first is taken alone: nothing else was there.
        tokio::task::yield_now().await;
    }
    store.permits.add_permits(3);
    for one in queued {
        one.judged().await.unwrap_err();
    }
    assert_eq!(*store.sizes.lock().unwrap(), [1, 3, 1]);
}

#[test]
fn callers_of_every_runtime_are_answered_and_what_is_queued_outlives_the_handles() {
    let folder = tempfile::tempdir().unwrap();
    let open = || SqliteStore::open(&folder.path().join("puente.db")).unwrap();
    let writer = Writer::start(Arc::new(open()), Env::system(), WriterLimits::default()).unwrap();
    let callers: Vec<_> = (0..3)
        .map(|nth| {
            let writer = writer.clone();
            std::thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
                runtime.block_on(async {
                    let mut queued = Vec::new();
                    for number in 0..50 {
                        let change = suspension(1 + nth * 50 + number);
                        queued.push(writer.enqueue(change).await.unwrap());
                    }
                    for one in queued {
                        one.judged().await.unwrap().unwrap();
                    }
                });
            })
        })
        .collect();
    callers.into_iter().for_each(|caller| caller.join().unwrap());
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        for number in 151..=200 {
            // Nobody waits for the answer.
            drop(writer.enqueue(suspension(number)).await.unwrap());
        }
        drop(writer);
        assert_eq!(open().tree().await.unwrap().size(), 200);
    });
}

#[tokio::test]
async fn a_preview_has_its_turn_between_groups() {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(SqliteStore::open(&folder.path().join("puente.db")).unwrap());
    let writer = Writer::start(store.clone(), Env::system(), WriterLimits::default()).unwrap();
    let busy = tokio::spawn(async move {
        for number in 1.. {
            writer.submit(suspension(number)).await.unwrap().unwrap();
        }
    });
    let day = "2026-10-01".parse().unwrap();
    let period = Period::new(day, day).unwrap();
    let marketplace = "marketplace".parse().unwrap();
    let nothing = LineBatch::new(marketplace, "r".into(), period, 0, 0, Vec::new(), Vec::new());
    let nothing = Arc::new(nothing);
    for _ in 0..20 {
        store.preview(nothing.clone()).await.unwrap();
    }
    busy.abort();
}
