//! Bad lines, and lines that only look bad: a table of kinds, each with what becomes of it, pushed
//! over the wire between two sound lines that must land. The same table stands in docs/lines.md.
//!
//! `UPDATE_GOLDEN=1 cargo test bad_lines` writes the page's table anew; its changes are for review.

mod cites;
mod desk;
mod page;
mod table;

use std::collections::BTreeMap;
use std::path::PathBuf;

use http::uri::PathAndQuery;
use puente::cli::Client;
use puente::proto::puente::common::v1::Period;
use puente::proto::puente::sales::v1::sales_report_service_client::SalesReportServiceClient;
use puente::proto::puente::sales::v1::{
    AppendSaleLinesResponse, BatchResult, LineCounts, LineKind, ListSaleLinesRequest, SaleLine,
    SaleLineBatch, Verdict,
};
use tonic::{Code, Request, Status};
use tonic_prost::ProstCodec;

use self::desk::Desk;
use self::page::markdown;
use self::table::{Around, Becomes, Row, TABLE};
use crate::common::push::{Push, append, open_report, report};
use crate::common::{ask, goods};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_line_of_the_table_becomes_what_it_says_on_a_stream() {
    let desk = Desk::open().await;
    let report = open_report(&desk.client, november(30)).await.name;
    let mut push = Push::open(&desk.client, &report).await.unwrap();
    let mut held = Held::default();
    let mut place = 0;
    for (n, (_, row)) in rows().enumerate() {
        let place_of_row = Place::new("STREAM", n);
        let set = batch(&mut place, place_of_row.set_up());
        held.takes_set_up(push.exchange(set).await.unwrap());
        desk.other_sells(&place_of_row).await;
        let lines = place_of_row.with_neighbours(&row);
        let result = push.exchange(batch(&mut place, lines.to_vec())).await.unwrap();
        held.takes(&[(row, lines)], &result);
    }
    drop(push);
    held.is_all_of(&desk.client, &report).await;
    desk.stage.stop().await;
}

/// The whole table as one batch: bad lines do not touch each other either.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_line_of_the_table_becomes_what_it_says_in_one_batch() {
    let desk = Desk::open().await;
    let report = open_report(&desk.client, november(30)).await.name;
    let mut held = Held::default();
    let (mut place, mut all) = (0, Vec::new());
    for (n, (_, row)) in rows().enumerate() {
        let place_of_row = Place::new("BATCH", n);
        let set = batch(&mut place, place_of_row.set_up());
        held.takes_set_up(append(&desk.client, &report, set).await.unwrap());
        desk.other_sells(&place_of_row).await;
        all.push((row, place_of_row.with_neighbours(&row)));
    }
    let lines = all.iter().flat_map(|(_, lines)| lines.clone()).collect();
    let result = append(&desk.client, &report, batch(&mut place, lines)).await.unwrap();
    held.takes(&all, &result);
    held.is_all_of(&desk.client, &report).await;
    desk.stage.stop().await;
}

/// What cannot be read at all has no lines to judge: the batch is refused as a whole, the lines
/// before it stay, and the next batch is taken.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bytes_that_are_no_text_refuse_their_batch_alone() {
    let desk = Desk::open().await;
    let report_name = open_report(&desk.client, november(30)).await.name;
    let mut place = 0;
    let first = batch(&mut place, vec![sound("BYTES-1".into())]);
    append(&desk.client, &report_name, first).await.unwrap();
    // A lone surrogate as if it were UTF-8, Latin-1, a sequence cut short, one longer than needed.
    for id in [&b"B\xed\xa0\xbd"[..], b"Vi\xf1a", b"B\xe2\x80", b"B\xc0\xaf"] {
        let status = append_bytes(&desk.client, &report_name, id).await.unwrap_err();
        assert_eq!(status.code(), Code::Internal, "{id:?}: {status:?}");
    }
    let sane = append_bytes(&desk.client, &report_name, b"BYTES-2").await.unwrap();
    assert_eq!(sane.counts.unwrap().refused, 1, "a line with nothing but an id is refused alone");
    let last = batch(&mut place, vec![sound("BYTES-3".into())]);
    append(&desk.client, &report_name, last).await.unwrap();
    let counts = report(&desk.client, &report_name).await.counts.unwrap();
    assert_eq!((counts.accepted, counts.refused), (2, 1));
    desk.stage.stop().await;
}

#[test]
fn the_page_for_integrators_holds_the_table() {
    const MARKS: [&str; 2] = ["<!-- table -->\n", "<!-- end of table -->\n"];
    let page = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs/lines.md");
    let text = std::fs::read_to_string(&page).unwrap();
    let (before, rest) = text.split_once(MARKS[0]).expect("the table's first mark");
    let (held, after) = rest.split_once(MARKS[1]).expect("the table's last mark");
    let table = markdown();
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        let [first, last] = MARKS;
        std::fs::write(&page, format!("{before}{first}{table}{last}{after}")).unwrap();
        return;
    }
    let lines: Vec<_> = table.lines().filter(|line| !held.contains(line)).collect();
    assert!(held == table, "docs/lines.md has another table; not in it:\n{}", lines.join("\n"));
}

fn rows() -> impl Iterator<Item = (&'static str, Row)> {
    TABLE.iter().flat_map(|(section, rows)| rows.iter().map(move |row| (*section, *row)))
}

fn november(last: i32) -> Period {
    Period { first: Some(goods::date(2025, 11, 1)), last: Some(goods::date(2025, 11, last)) }
}

/// A line that nothing is wrong with.
fn sound(line_id: String) -> SaleLine {
    SaleLine {
        line_id,
        order_id: "ORDER-1".into(),
        unit_price: "20.00".into(),
        sold_at: "2025-11-11T10:00:00+08:00".into(),
        ..goods::sale(0)
    }
}

fn batch(place: &mut i64, lines: Vec<SaleLine>) -> SaleLineBatch {
    let first_line = *place;
    *place += lines.len() as i64;
    let request_id = puente::clock::Env::system().ids.uuid().to_string();
    SaleLineBatch { request_id, first_line, lines }
}

/// The lines of one row, under ids of their own.
struct Place {
    around: Around,
    own: String,
    after: SaleLine,
}

impl Place {
    fn new(method: &str, n: usize) -> Self {
        let id = |name: &str| format!("{method}-{n:03}/{name}");
        let around = Around {
            sold: id("SOLD"),
            cancelled: id("CANCELLED"),
            partly: id("PARTLY"),
            returned: id("RETURNED"),
            refused: id("REFUSED"),
            elsewhere: id("ELSEWHERE"),
            before: sound(id("1")),
        };
        Self { around, own: id("2"), after: sound(id("3")) }
    }

    /// What is sent before; all but the last line is accepted, that one is refused.
    fn set_up(&self) -> Vec<SaleLine> {
        let Around { sold, cancelled, partly, returned, refused, .. } = &self.around;
        let ten = |id: &String| SaleLine { quantity: "10".into(), ..sound(id.clone()) };
        let back = |id: String, kind: LineKind, original: &String, quantity: &str| SaleLine {
            kind: kind.into(),
            original_line_id: original.clone(),
            quantity: quantity.into(),
            ..sound(id)
        };
        vec![
            ten(sold),
            ten(cancelled),
            back(format!("{cancelled}/C"), LineKind::Cancellation, cancelled, "10"),
            ten(partly),
            back(returned.clone(), LineKind::Return, partly, "6"),
            back(format!("{partly}/R"), LineKind::Refund, partly, "6"),
            SaleLine { quantity: "?".into(), ..sound(refused.clone()) },
        ]
    }

    /// The row's line.
    fn line(&self, (_, change, _): &Row) -> SaleLine {
        let mut line = sound(self.own.clone());
        change(&mut line, &self.around);
        line
    }

    /// The same between two sound ones.
    fn with_neighbours(&self, row: &Row) -> [SaleLine; 3] {
        [self.around.before.clone(), self.line(row), self.after.clone()]
    }
}

/// What must be stored, and the counts that must be told.
#[derive(Default)]
struct Held {
    lines: BTreeMap<String, Vec<String>>,
    counts: LineCounts,
}

impl Held {
    fn takes_set_up(&mut self, result: BatchResult) {
        let told: Vec<_> = result.verdicts.iter().map(|v| (v.position, v.verdict())).collect();
        assert_eq!(told, [(6, Verdict::Refused)], "{:?}", result.verdicts);
        self.counts.accepted += 6;
        self.counts.refused += 1;
    }

    /// Checks the answer to a batch of these rows, three lines each.
    fn takes(&mut self, sent: &[(Row, [SaleLine; 3])], result: &BatchResult) {
        let mut told = result.verdicts.iter().peekable();
        let (before, mut wrong) = (self.counts, Vec::new());
        for (n, ((what, _, becomes), lines)) in sent.iter().enumerate() {
            let at = n as i32 * 3 + 1;
            // What is not told of is accepted: so are the neighbours.
            let verdict = told.next_if(|verdict| verdict.position == at);
            let got = verdict.map(|v| (v.verdict(), v.reasons.join("; "), v.field.as_str()));
            let (verdict_due, reasons, field) = becomes.told();
            let due = match becomes {
                Becomes::Accepted => None,
                _ => Some((verdict_due, reasons.join("; "), field)),
            };
            if got != due {
                wrong.push(format!("{what}: {:?} due, got {verdict:?}: {:?}", due, lines[1]));
                continue;
            }
            if let Some(verdict) = verdict {
                let sent_id: String = lines[1].line_id.chars().take(64).collect();
                assert_eq!(verdict.line_id, sent_id, "{what}");
                let refused = verdict_due == Verdict::Refused;
                assert_eq!(verdict.message.is_empty(), !refused, "{what}: {verdict:?}");
                let duplicate = verdict_due == Verdict::Duplicate;
                assert_eq!(verdict.first_entry_index.is_some(), duplicate, "{what}: {verdict:?}");
            }
            for neighbour in [&lines[0], &lines[2]] {
                self.lines.insert(neighbour.line_id.clone(), Vec::new());
            }
            self.counts.accepted += 2;
            match becomes {
                Becomes::Accepted => self.counts.accepted += 1,
                Becomes::Warned(_) => self.counts.accepted_with_warning += 1,
                Becomes::Duplicate => self.counts.duplicate += 1,
                Becomes::Refused { .. } => self.counts.refused += 1,
            }
            if matches!(becomes, Becomes::Accepted | Becomes::Warned(_)) {
                let reasons = reasons.iter().map(ToString::to_string).collect();
                self.lines.insert(lines[1].line_id.clone(), reasons);
            }
        }
        assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
        assert_eq!(told.next(), None, "told of a line that nothing is wrong with");
        let counts = result.counts.unwrap();
        assert_eq!(counts, minus(self.counts, before));
        assert!(result.receipt.is_some());
    }

    /// Checks that the report holds just these.
    async fn is_all_of(&self, client: &Client, name: &str) {
        assert_eq!(report(client, name).await.counts.unwrap(), self.counts);
        let (mut stored, mut page_token) = (BTreeMap::new(), String::new());
        loop {
            let request = ListSaleLinesRequest {
                report: name.to_owned(),
                page_size: 1000,
                page_token,
                ..Default::default()
            };
            let page = ask!(client, SalesReportServiceClient.list_sale_lines(request)).unwrap();
            for held in page.lines {
                stored.insert(held.line.unwrap().line_id, held.reasons);
            }
            page_token = page.next_page_token;
            if page_token.is_empty() {
                break;
            }
        }
        let (held, due) = (self.counts, stored.len() as i64);
        assert_eq!(due, held.accepted + held.accepted_with_warning);
        for (line_id, reasons) in &self.lines {
            assert_eq!(stored.get(line_id), Some(reasons), "{line_id}");
        }
    }
}

fn minus(a: LineCounts, b: LineCounts) -> LineCounts {
    LineCounts {
        accepted: a.accepted - b.accepted,
        accepted_with_warning: a.accepted_with_warning - b.accepted_with_warning,
        duplicate: a.duplicate - b.duplicate,
        refused: a.refused - b.refused,
    }
}

impl Becomes {
    /// Verdict, reasons and field as the gateway tells them.
    fn told(&self) -> (Verdict, Vec<&'static str>, &'static str) {
        match *self {
            Self::Accepted => (Verdict::Accepted, vec![], ""),
            Self::Warned(reasons) => (Verdict::AcceptedWithWarning, reasons.to_vec(), ""),
            Self::Duplicate => (Verdict::Duplicate, vec![], ""),
            Self::Refused { reason, field } => (Verdict::Refused, vec![reason], field),
        }
    }
}

/// AppendSaleLines with one line whose id is these bytes; only the fields that this needs.
#[derive(Clone, PartialEq, prost::Message)]
struct BytesRequest {
    #[prost(string, tag = "1")]
    report: String,
    #[prost(message, optional, tag = "2")]
    batch: Option<BytesBatch>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct BytesBatch {
    #[prost(string, tag = "1")]
    request_id: String,
    #[prost(message, repeated, tag = "3")]
    lines: Vec<BytesLine>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct BytesLine {
    #[prost(bytes = "vec", tag = "1")]
    line_id: Vec<u8>,
}

async fn append_bytes(client: &Client, report: &str, id: &[u8]) -> Result<BatchResult, Status> {
    let lines = vec![BytesLine { line_id: id.to_vec() }];
    let batch = Some(BytesBatch { request_id: client.request_id(), lines });
    let request: Request<BytesRequest> =
        client.authorized(BytesRequest { report: report.to_owned(), batch }).await.unwrap();
    let mut grpc = tonic::client::Grpc::new(client.channel());
    grpc.ready().await.unwrap();
    let path = PathAndQuery::from_static("/puente.sales.v1.SalesReportService/AppendSaleLines");
    let codec = ProstCodec::<BytesRequest, AppendSaleLinesResponse>::default();
    Ok(grpc.unary(request, path, codec).await?.into_inner().result.unwrap())
}
