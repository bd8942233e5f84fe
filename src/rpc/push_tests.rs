//! A push from outside: order, window, back-pressure, ends.

use std::sync::Arc;

use futures_util::StreamExt as _;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Request};
use tonic_types::StatusExt as _;

use super::*;
use crate::clock::{CountingIds, Env, ManualClock};
use crate::domain::caller::Admission;
use crate::domain::partner::Role;
use crate::proto::puente::common::v1::Period;
use crate::proto::puente::sales::v1::sales_report_service_server::SalesReportService as _;
use crate::proto::puente::sales::v1::{
    AppendSaleLinesRequest, ControlTotal, GetSalesReportRequest, LineKind, ListSalesReportsRequest,
    OpenSalesReportRequest, ReportState, SaleLine, SalesReport, SealSalesReportRequest, Verdict,
};
use crate::rpc::page_token::PageTokens;
use crate::rpc::sales::SalesReports;
use crate::store::sqlite::SqliteStore;
use crate::store::writer::WriterLimits;

struct Gateway {
    app: App,
    sales: SalesReports,
    _folder: tempfile::TempDir,
}

async fn gateway() -> Gateway {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&folder.path().join("puente.db")).unwrap();
    let env = Env {
        clock: Arc::new(ManualClock::new("2026-02-01T00:00:00Z".parse().unwrap())),
        ids: Arc::new(CountingIds::default()),
    };
    let app = App::start(Arc::new(store), env, WriterLimits::default()).await.unwrap();
    let pages = PageTokens::new(&[7; 32]).unwrap();
    Gateway { sales: SalesReports::new(app.clone(), pages), app, _folder: folder }
}

fn caller(partner: &str) -> Caller {
    Caller::admitted(Admission {
        partner: partner.parse().unwrap(),
        role: if partner == "customs" { Role::Customs } else { Role::Marketplace },
        agency: None,
        scopes: "sales.write sales.read".parse().unwrap(),
        method: "/puente.sales.v1.SalesReportService/Test".into(),
        client_address: "127.0.0.1:1".into(),
        certificate_thumbprint: "print".into(),
        trace_id: "0af7651916cd43dd8448eb211c80319c".to_owned(),
    })
}

fn by<T>(partner: &str, message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.extensions_mut().insert(caller(partner));
    request
}

fn id(number: u32) -> String {
    format!("00000000-0000-4000-8000-{number:012}")
}

fn january() -> Option<Period> {
    let day = |day| crate::proto::google::r#type::Date { year: 2026, month: 1, day };
    Some(Period { first: Some(day(1)), last: Some(day(31)) })
}

impl Gateway {
    async fn open(&self, partner: &str) -> SalesReport {
        let request = OpenSalesReportRequest {
            request_id: id(999_000),
            period: january(),
            validate_only: false,
        };
        let opened = self.sales.open_sales_report(by(partner, request)).await.unwrap();
        opened.into_inner().report.unwrap()
    }

    async fn get(&self, partner: &str, name: &str) -> std::result::Result<SalesReport, Status> {
        let request = GetSalesReportRequest { name: name.to_owned() };
        let got = self.sales.get_sales_report(by(partner, request)).await?;
        Ok(got.into_inner().report.unwrap())
    }

    async fn seal(
        &self,
        number: u32,
        name: &str,
        expected_totals: Vec<ControlTotal>,
    ) -> std::result::Result<SalesReport, Status> {
        let request = SealSalesReportRequest {
            request_id: id(number),
            name: name.to_owned(),
            expected_totals,
            etag: String::new(),
            validate_only: false,
        };
        let sealed = self.sales.seal_sales_report(by("marketplace", request)).await?;
        Ok(sealed.into_inner().report.unwrap())
    }

    async fn append(
        &self,
        report: &str,
        batch: SaleLineBatch,
    ) -> std::result::Result<BatchResult, Status> {
        let request = AppendSaleLinesRequest {
            report: report.to_owned(),
            batch: Some(batch),
            validate_only: false,
        };
        let answer = self.sales.append_sale_lines(by("marketplace", request)).await?;
        Ok(answer.into_inner().result.unwrap())
    }

    /// Opens a stream and sends its start; answers come from the second half.
    async fn push(&self, report: &str, dry: bool) -> (Sender, impl Stream<Item = Got> + Unpin) {
        let (sender, receiver) = mpsc::channel(64);
        let start = PushStart { report: report.to_owned(), validate_only: dry };
        sender.send(Ok(PushSaleLinesRequest { part: Some(Sent::Start(start)) })).await.unwrap();
        let incoming = ReceiverStream::new(receiver);
        let answers = push(self.app.clone(), caller("marketplace"), incoming);
        (sender, Box::pin(answers))
    }
}

type Sender = mpsc::Sender<std::result::Result<PushSaleLinesRequest, Status>>;
type Got = std::result::Result<PushSaleLinesResponse, Status>;

fn line(number: u32) -> SaleLine {
    SaleLine {
        line_id: format!("L{number:06}"),
        order_id: format!("O{}", number / 3),
        kind: LineKind::Sale.into(),
        sku: "SKU".to_owned(),
        quantity: "2".to_owned(),
        unit_price: "1.25".to_owned(),
        currency: "CNY".to_owned(),
        sold_at: "2026-01-15T10:00:00+08:00".to_owned(),
        ..SaleLine::default()
    }
}

fn lines(first: u32, count: u32) -> SaleLineBatch {
    SaleLineBatch {
        request_id: id(first + 1),
        first_line: first.into(),
        lines: (first..first + count).map(line).collect(),
    }
}

async fn send(sender: &Sender, batch: SaleLineBatch) {
    sender.send(Ok(PushSaleLinesRequest { part: Some(Sent::Batch(batch)) })).await.unwrap();
}

fn welcome(got: Option<Got>) -> PushWelcome {
    match got.unwrap().unwrap().part.unwrap() {
        Answer::Welcome(welcome) => welcome,
        Answer::Result(result) => panic!("{result:?}"),
    }
}

fn result(got: Option<Got>) -> BatchResult {
    match got.unwrap().unwrap().part.unwrap() {
        Answer::Result(result) => result,
        Answer::Welcome(welcome) => panic!("{welcome:?}"),
    }
}

fn reason(status: &Status) -> String {
    status.get_error_details().error_info().unwrap().reason.clone()
}

fn sales(lines: i64, quantity: &str, amount: &str) -> ControlTotal {
    let decimal =
        |value: &str| Some(crate::proto::google::r#type::Decimal { value: value.to_owned() });
    ControlTotal {
        kind: LineKind::Sale.into(),
        currency: "CNY".to_owned(),
        lines,
        quantity: decimal(quantity),
        amount: decimal(amount),
    }
}

#[tokio::test]
async fn batches_are_answered_in_order_and_resumed_after_a_cut() {
    let gateway = gateway().await;
    let report = gateway.open("marketplace").await;
    let (sender, mut answers) = gateway.push(&report.name, false).await;
    let said = welcome(answers.next().await);
    assert_eq!((said.committed_lines, said.window), (0, convert::bound(convert::WINDOW)));
    assert_eq!(said.report_state(), ReportState::Open);
    for first in 0..20 {
        send(&sender, lines(first * 10, 10)).await;
    }
    for first in 0..20 {
        let result = result(answers.next().await);
        assert_eq!(result.request_id, id(first * 10 + 1));
        assert_eq!(result.committed_lines, i64::from(first) * 10 + 10);
        let counts = result.counts.unwrap();
        assert_eq!((counts.accepted, counts.accepted_with_warning), (0, 10), "sku unknown");
        assert_eq!(result.verdicts[0].reasons, ["UNKNOWN_SKU"]);
        assert_eq!(result.receipt.unwrap().kind, "lines.appended");
    }
    drop((sender, answers));

    let (sender, mut answers) = gateway.push(&report.name, false).await;
    assert_eq!(welcome(answers.next().await).committed_lines, 200);
    // The last batch again, as after an answer that was lost: the same answer.
    send(&sender, lines(190, 10)).await;
    let again = result(answers.next().await);
    assert_eq!(again.counts.unwrap().accepted_with_warning, 10);
    assert_eq!(again.receipt.unwrap().index, 20);
    // Cut otherwise: each line counts once.
    send(&sender, lines(185, 20)).await;
    let cut = result(answers.next().await);
    let counts = cut.counts.unwrap();
    assert_eq!((counts.duplicate, counts.accepted_with_warning), (15, 5));
    assert_eq!(cut.verdicts[0].first_entry_index, Some(19));
    assert_eq!(cut.verdicts[0].verdict(), Verdict::Duplicate);
    assert_eq!(cut.committed_lines, 205);
    drop(sender);
    assert!(answers.next().await.is_none());
}

#[tokio::test]
async fn a_failed_batch_ends_the_push_after_the_results_before_it() {
    let gateway = gateway().await;
    let report = gateway.open("marketplace").await;
    let (sender, mut answers) = gateway.push(&report.name, false).await;
    welcome(answers.next().await);
    send(&sender, lines(0, 5)).await;
    let mut reused = lines(5, 5);
    reused.request_id = id(1);
    send(&sender, reused).await;
    send(&sender, lines(10, 5)).await;
    assert_eq!(result(answers.next().await).committed_lines, 5);
    let status = answers.next().await.unwrap().unwrap_err();
    assert_eq!((status.code(), reason(&status)), (Code::AlreadyExists, "REQUEST_ID_REUSED".into()));
    assert!(answers.next().await.is_none());

    let (sender, mut answers) = gateway.push(&report.name, false).await;
    welcome(answers.next().await);
    send(&sender, lines(5, 5)).await;
    send(&sender, SaleLineBatch { request_id: id(77), first_line: 0, lines: vec![] }).await;
    result(answers.next().await);
    let status = answers.next().await.unwrap().unwrap_err();
    assert_eq!((status.code(), reason(&status)), (Code::InvalidArgument, "INVALID_FIELD".into()));
    let details = status.get_error_details();
    assert_eq!(details.bad_request().unwrap().field_violations[0].field, "batch.lines");
}

#[tokio::test]
async fn no_more_is_read_than_the_window_holds() {
    let gateway = gateway().await;
    let report = gateway.open("marketplace").await;
    let (sender, receiver) = mpsc::channel(1);
    let answers = push(gateway.app.clone(), caller("marketplace"), ReceiverStream::new(receiver));
    let mut answers = Box::pin(answers);
    let start = PushStart { report: report.name, validate_only: false };
    sender.send(Ok(PushSaleLinesRequest { part: Some(Sent::Start(start)) })).await.unwrap();
    welcome(answers.next().await);
    // Nobody asks for answers, so nothing is read: the second batch finds no room.
    send(&sender, lines(0, 1)).await;
    let second = PushSaleLinesRequest { part: Some(Sent::Batch(lines(1, 1))) };
    assert!(sender.try_send(Ok(second)).is_err());
    assert_eq!(result(answers.next().await).committed_lines, 1);
}

#[tokio::test]
async fn malformed_lines_are_refused_one_by_one() {
    let gateway = gateway().await;
    let report = gateway.open("marketplace").await;
    let mut batch = lines(0, 9);
    batch.lines[1].quantity = "1e3".to_owned();
    batch.lines[2].unit_price = "-1".to_owned();
    batch.lines[3].sold_at = "2026-02-30T10:00:00Z".to_owned();
    batch.lines[4].kind = 0;
    batch.lines[5].line_id = " ".to_owned();
    batch.lines[6].currency = "XX".to_owned();
    batch.lines[7].quantity = "999999999999".to_owned();
    batch.lines[7].unit_price = "999999999999".to_owned();
    batch.lines[8].destination = "China".to_owned();
    let result = gateway.append(&report.name, batch).await.unwrap();
    let counts = result.counts.unwrap();
    assert_eq!((counts.accepted_with_warning, counts.refused), (1, 8));
    assert_eq!(result.committed_lines, 9, "refused lines are done too");
    let said: Vec<_> = result
        .verdicts
        .iter()
        .map(|verdict| (verdict.position, verdict.field.as_str(), verdict.reasons[0].as_str()))
        .collect();
    assert_eq!(
        said,
        [
            (0, "", "UNKNOWN_SKU"),
            (1, "quantity", "INVALID_QUANTITY"),
            (2, "unit_price", "INVALID_PRICE"),
            (3, "sold_at", "INVALID_SOLD_AT"),
            (4, "kind", "INVALID_KIND"),
            (5, "line_id", "INVALID_LINE_ID"),
            (6, "currency", "INVALID_CURRENCY"),
            (7, "unit_price", "AMOUNT_OUT_OF_RANGE"),
            (8, "destination", "INVALID_DESTINATION"),
        ]
    );
}

#[tokio::test]
async fn a_dry_push_judges_and_stores_nothing() {
    let gateway = gateway().await;
    let report = gateway.open("marketplace").await;
    let (sender, mut answers) = gateway.push(&report.name, true).await;
    welcome(answers.next().await);
    for first in [0, 5] {
        send(&sender, lines(first, 5)).await;
        let result = result(answers.next().await);
        assert_eq!(result.counts.unwrap().accepted_with_warning, 5);
        assert_eq!(result.committed_lines, i64::from(first) + 5);
        assert_eq!(result.receipt, None);
    }
    let report = gateway.get("marketplace", &report.name).await.unwrap();
    assert_eq!((report.committed_lines, report.totals.len()), (0, 0));
}

#[tokio::test]
async fn anothers_report_is_as_if_it_were_not_there() {
    let gateway = gateway().await;
    let report = gateway.open("another").await;
    let (_sender, mut answers) = gateway.push(&report.name, false).await;
    assert_eq!(answers.next().await.unwrap().unwrap_err().code(), Code::NotFound);
    assert!(answers.next().await.is_none());
    let refused = gateway.append(&report.name, lines(0, 1)).await.unwrap_err();
    assert_eq!(refused.code(), Code::NotFound);
    assert_eq!(gateway.get("marketplace", &report.name).await.unwrap_err().code(), Code::NotFound);
    assert!(gateway.get("customs", &report.name).await.is_ok());
    assert_eq!(gateway.seal(5, &report.name, vec![]).await.unwrap_err().code(), Code::NotFound);
    let list = async |partner: &str| {
        let listed =
            gateway.sales.list_sales_reports(by(partner, ListSalesReportsRequest::default()));
        listed.await.unwrap().into_inner().reports.len()
    };
    assert_eq!(
        (list("marketplace").await, list("another").await, list("customs").await),
        (0, 1, 1)
    );
}

#[tokio::test]
async fn a_report_is_sealed_with_the_totals_it_holds() {
    let gateway = gateway().await;
    let report = gateway.open("marketplace").await;
    gateway.append(&report.name, lines(0, 10)).await.unwrap();
    let wrong = gateway.seal(1001, &report.name, vec![sales(9, "20", "25.5")]).await.unwrap_err();
    assert_eq!(
        (wrong.code(), reason(&wrong)),
        (Code::FailedPrecondition, "CONTROL_TOTALS_MISMATCH".into())
    );
    let details = wrong.get_error_details();
    let violations = &details.precondition_failure().unwrap().violations;
    assert!(!violations.is_empty());
    assert!(
        violations.iter().all(|violation| violation.subject.contains("SALE")),
        "{violations:?}"
    );
    let fields = &details.bad_request().unwrap().field_violations;
    let told: Vec<_> = fields.iter().map(|v| (v.field.as_str(), v.description.as_str())).collect();
    let count = ("expected_totals[0].lines", "expected 9, found 10, difference 1");
    let amount = ("expected_totals[0].amount", "expected 25.5, found 25, difference -0.5");
    assert_eq!(told, [count, amount]);

    let sealed = gateway.seal(1002, &report.name, vec![sales(10, "20", "25.00")]).await.unwrap();
    assert_eq!(sealed.state(), ReportState::PartiallyAccepted);
    assert_eq!(sealed.orders, 4);
    assert!(sealed.seal_time.is_some());
    let again = gateway.seal(1002, &report.name, vec![sales(10, "20", "25.00")]).await.unwrap();
    assert_eq!(again, sealed);
    assert_eq!(gateway.get("marketplace", &report.name).await.unwrap(), sealed);
    let twice = gateway.seal(1003, &report.name, vec![]).await.unwrap_err();
    assert_eq!((twice.code(), reason(&twice)), (Code::FailedPrecondition, "REPORT_SEALED".into()));

    // Everything again, under new request ids: harmless, and said so.
    let mut again = lines(0, 10);
    again.request_id = id(5000);
    let again = gateway.append(&report.name, again).await.unwrap();
    assert_eq!((again.counts.unwrap().duplicate, again.receipt), (10, None));
    assert_eq!(again.committed_lines, 10);
    // The very same request: its first answer.
    let replayed = gateway.append(&report.name, lines(0, 10)).await.unwrap();
    assert_eq!(replayed.counts.unwrap().accepted_with_warning, 10);
    let late = gateway.append(&report.name, lines(9, 2)).await.unwrap_err();
    assert_eq!((late.code(), reason(&late)), (Code::FailedPrecondition, "REPORT_SEALED".into()));
}

#[tokio::test]
async fn a_period_has_one_report_and_lists_begin_with_the_newest() {
    let gateway = gateway().await;
    let report = gateway.open("marketplace").await;
    assert_eq!(gateway.open("marketplace").await, report, "the same request");
    let open = async |number: u32, month: i32| {
        let day = |day| crate::proto::google::r#type::Date { year: 2026, month, day };
        let request = OpenSalesReportRequest {
            request_id: id(number),
            period: Some(Period { first: Some(day(1)), last: Some(day(28)) }),
            validate_only: false,
        };
        gateway.sales.open_sales_report(by("marketplace", request)).await
    };
    open(1, 3).await.unwrap();
    open(2, 2).await.unwrap();
    let exists = open(3, 2).await.unwrap_err();
    assert_eq!((exists.code(), reason(&exists)), (Code::AlreadyExists, "REPORT_EXISTS".into()));
    let details = exists.get_error_details();
    assert_eq!(details.error_info().unwrap().metadata["state"], "OPEN");

    let mut token = String::new();
    let mut months = Vec::new();
    loop {
        let request =
            ListSalesReportsRequest { page_size: 2, page_token: token, ..Default::default() };
        let page = gateway.sales.list_sales_reports(by("customs", request)).await.unwrap();
        let page = page.into_inner();
        months.extend(
            page.reports
                .iter()
                .map(|report| report.period.as_ref().unwrap().first.as_ref().unwrap().month),
        );
        token = page.next_page_token;
        if token.is_empty() {
            break;
        }
    }
    assert_eq!(months, [3, 2, 1]);
}
