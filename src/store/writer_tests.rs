//! What followers of the writer learn when a commit's outcome is not known.

use async_trait::async_trait;

use super::*;
use crate::change::{Actor, BatchAnswer, LineBatch, OrderCounts, Record, RequestKey};
use crate::domain::analytics::RollupCell;
use crate::domain::partner::PartnerId;
use crate::domain::ranking::TopListings;
use crate::domain::reconciliation::NetByName;
use crate::domain::request_id::RequestId;
use crate::domain::text::LineId;
use crate::ledger::{Draft, EntryKind, Hash, Node, Tree};
use crate::store::check::SumsCheck;
use crate::store::{
    ExportPage, ExportQuery, HeldLine, LineQuery, PageQuery, Ranking, ReportProgress, RollupQuery,
    StoredEntry, StoredLine, StoredRequest,
};

/// A store whose commits may be durable, and which never says so.
struct Silent;

#[async_trait]
impl Store for Silent {
    async fn commit(&self, _: Group) -> Result<Vec<Judged>> {
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
    async fn check_sums(&self, _: usize) -> Result<SumsCheck> {
        unimplemented!()
    }
    async fn ping(&self) -> Result<()> {
        unimplemented!()
    }
}

#[tokio::test]
async fn a_commit_of_unknown_outcome_makes_followers_read_again() {
    let writer = Writer::start(Arc::new(Silent), Env::system(), WriterLimits::default());
    let mut size = writer.ledger_size();
    let record = Record {
        kind: Kind::Partner,
        key: "inv".to_owned(),
        owner: "inv".to_owned(),
        state: "SUSPENDED".to_owned(),
        columns: vec!["AGENCY".to_owned()],
        version: 0,
        body: Vec::new(),
    };
    let request = RequestKey {
        partner: "operator".parse().unwrap(),
        request_id: "0198c7a2-6a0f-7b51-9c7e-1f2a3b4c5d6e".parse().unwrap(),
        digest: [0; 32],
    };
    let change = Change {
        request,
        actor: Actor { certificate: None, trace_id: None },
        expect: Vec::new(),
        writes: vec![Write::Put(record)],
        draft: Draft::new(EntryKind::PartnerSuspended),
        answer: Vec::new(),
    };
    writer.submit(change).await.unwrap_err();
    assert_eq!(writer.touched(Kind::Partner), 1);
    assert_eq!(writer.touched(Kind::Listing), 0);
    tokio::time::timeout(Duration::from_secs(5), size.changed()).await.unwrap().unwrap();
}
