//! Six million lines through one stream: TPC-H's lineitem as sales.
//!
//! Each lineitem is a SALE under an ascending id; each of the 10,000 suppliers is a seller with one
//! listing and one destination; `l_extendedprice / l_quantity` is the unit price, exact in cents.
//! Shipment days of all years fall into 2025, as a report holds a year at most. Lines are made by
//! `tpchgen-cli` while they are sent; nobody holds them in memory.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Lines};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use puente::cli::Client;
use puente::clock::Env;
use puente::proto::puente::clearance::v1::clearance_service_client::ClearanceServiceClient;
use puente::proto::puente::clearance::v1::{DecideRequest, Decision};
use puente::proto::puente::common::v1::Period;
use puente::proto::puente::listings::v1::batch_listing_result::Outcome;
use puente::proto::puente::listings::v1::listing_service_client::ListingServiceClient;
use puente::proto::puente::listings::v1::{BatchCreateListingsRequest, BatchListing, Listing};
use puente::proto::puente::sales::v1::sales_analytics_service_client::SalesAnalyticsServiceClient;
use puente::proto::puente::sales::v1::sales_report_service_client::SalesReportServiceClient;
use puente::proto::puente::sales::v1::{
    LineKind, SaleLine, SaleLineBatch, SealSalesReportRequest, TopProductsRequest,
};
use tokio::sync::mpsc;

use crate::common::push::{self, Push};
use crate::common::stage::ProcessStage;
use crate::common::{ask, goods};
use crate::measure::{Meter, Report, Sample, forget_peak, micros, peak_mib};
use crate::{raw, server};

/// Lines of scale factor 1.
pub const ALL: usize = 6_001_215;
/// What all are held against.
const FEW: usize = 400_000;
const SUPPLIERS: usize = 10_000;
/// Lines a message.
const BATCH: usize = 1000;
/// Questions of each kind, after a first one.
const CALLS: usize = 200;
const DESTINATIONS: [&str; 5] = ["CN-SH", "CN-GD", "CN-BJ", "CN-ZJ", "CN"];

/// Few lines and `count` of them, each into a fresh gateway and a fresh raw store.
pub async fn measure(count: usize, generator: &Path) -> Report {
    let title = format!("TPC-H: {count} lines of lineitem over one stream, {BATCH} a message");
    let sides = [
        "the gateway, the first 400,000 lines",
        "the gateway, all lines",
        "raw SQLite, the first 400,000 lines",
        "raw SQLite, all lines",
    ];
    let mut report = Report::new(title, "lines", &sides);
    let mut figures = Vec::new();
    // A short run has no second size to compare with.
    for (side, count) in [(0, FEW.min(count)), (1, count)].into_iter().skip((count <= FEW).into()) {
        let run = Run::of(count, generator).await;
        report.add(side, run.sample);
        eprintln!("  {run:#?}");
        figures.push((count, run));
        let generator = generator.to_str().unwrap();
        report.add(side + 2, raw::run(&["raw-tpch", &count.to_string(), generator]));
    }
    report.ratio("CPU a line, all lines to few, the gateway", "at most 1.3", 1, 0, |s| s.cpu);
    report.ratio("CPU a line, all lines to few, raw store", "-", 3, 2, |s| s.cpu);
    report.ratio("lines a second, gateway to raw store, all lines", "at least 0.80", 1, 3, |s| {
        s.rate
    });
    report.notes.push(table(&figures));
    report
}

/// What else was seen, by number of lines.
fn table(figures: &[(usize, Run)]) -> String {
    let mut rows = String::from("| |");
    figures.iter().for_each(|(count, _)| write!(rows, " {count} lines |").unwrap());
    rows.push_str(" goal |\n|---|");
    figures.iter().for_each(|_| rows.push_str("---|"));
    rows.push_str("---|\n");
    let mut row = |what: &str, goal: &str, cell: &dyn Fn(&Run) -> String| {
        let cells: Vec<String> = figures.iter().map(|(_, run)| cell(run)).collect();
        writeln!(rows, "| {what} | {} | {goal} |", cells.join(" | ")).unwrap();
    };
    row("CPU a line, 400,000 after 400,000, us", "", &|run| {
        run.slices.iter().map(|us| format!("{us:.1}")).collect::<Vec<_>>().join(" ")
    });
    row("CPU a line, all lines to their own first 400,000", "", &|run| {
        run.slices.first().map_or(String::new(), |first| format!("{:.2}", run.sample.cpu / first))
    });
    row("peak resident memory in the push, MiB", "under 200", &|run| {
        format!("{:.0}", run.push_mib)
    });
    row("the same with sealing and questions", "", &|run| format!("{:.0}", run.peak_mib));
    row("the same before, with 10,000 listings offered and cleared", "", &|run| {
        format!("{:.0}", run.prepared_mib)
    });
    let top = |at: usize| {
        move |run: &Run| {
            let Times { first, p50, p99 } = run.top[at];
            format!("{first:.2}, {p50:.2}, {p99:.2}")
        }
    };
    row("TopProducts of the year at the server, ms: first, p50, p99", "under 5", &top(0));
    row("TopProducts of a month at the server, ms: first, p50, p99", "under 5", &top(1));
    row("sealing, s", "", &|run| format!("{:.2}", run.seal.as_secs_f64()));
    row("on disk, MiB", "", &|run| format!("{:.0}", run.disk_mib));
    rows
}

/// What one push was like.
#[derive(Debug)]
struct Run {
    sample: Sample,
    /// CPU microseconds of the server for each line, 400,000 after 400,000.
    slices: Vec<f64>,
    /// Most resident memory: while sellers and listings came, in the push, and from it to the end.
    prepared_mib: f64,
    push_mib: f64,
    peak_mib: f64,
    seal: Duration,
    disk_mib: f64,
    /// TopProducts of the whole year and of a month.
    top: [Times; 2],
}

/// Milliseconds at the server.
#[derive(Clone, Copy, Debug)]
struct Times {
    first: f64,
    p50: f64,
    p99: f64,
}

impl Run {
    async fn of(count: usize, generator: &Path) -> Self {
        let stage = server::gateway();
        let pid = stage.served.pid();
        let cuits = server::cuits(SUPPLIERS);
        server::sync(&stage.client("registry"), &cuits).await;
        offer(&stage, &cuits).await;
        let client = stage.client("marketplace");
        let period = year();
        let prepared_mib = peak_mib(pid);
        forget_peak(pid);
        let name = push::open_report(&client, period).await.name;
        let (sample, slices) = send(&client, &name, pid, count, generator).await;
        let push_mib = peak_mib(pid);
        let stored = push::report(&client, &name).await;
        assert_eq!(stored.counts.unwrap().accepted as usize, count);
        let request =
            SealSalesReportRequest { request_id: client.request_id(), name, ..Default::default() };
        let began = Instant::now();
        ask!(client, SalesReportServiceClient.seal_sales_report(request)).unwrap();
        let seal = began.elapsed();
        // The store may have something to tidy up.
        tokio::time::sleep(Duration::from_secs(2)).await;
        let month =
            Period { first: Some(goods::date(2025, 6, 1)), last: Some(goods::date(2025, 6, 30)) };
        let top = [top(&stage, period, 0).await, top(&stage, month, 1 + CALLS).await];
        let disk_mib = size(&stage.path().join("data")) as f64 / f64::from(1 << 20);
        Self {
            sample,
            slices,
            prepared_mib,
            push_mib,
            peak_mib: peak_mib(pid),
            seal,
            disk_mib,
            top,
        }
    }
}

fn year() -> Period {
    Period { first: Some(goods::date(2025, 1, 1)), last: Some(goods::date(2025, 12, 31)) }
}

/// Offers one listing a supplier and clears all of them.
async fn offer(stage: &ProcessStage, cuits: &[String]) {
    let marketplace = stage.client("marketplace");
    let mut names = Vec::new();
    let numbered: Vec<_> = cuits.iter().enumerate().collect();
    for some in numbered.chunks(500) {
        let items = some
            .iter()
            .map(|(n, cuit)| {
                let listing = Listing { seller_cuit: (*cuit).clone(), ..goods::listing(&sku(*n)) };
                BatchListing { row: *n as i64, listing: Some(listing) }
            })
            .collect();
        let request_id = marketplace.request_id();
        let request =
            BatchCreateListingsRequest { request_id, items, submit: true, ..Default::default() };
        let mut service =
            ListingServiceClient::new(marketplace.channel()).max_decoding_message_size(64 << 20);
        let request = marketplace.authorized(request).await.unwrap();
        let answer = service.batch_create_listings(request).await.unwrap().into_inner();
        assert_eq!(answer.created as usize, some.len());
        names.extend(answer.results.into_iter().filter_map(|result| match result.outcome {
            Some(Outcome::Listing(listing)) => Some(listing.name),
            Some(Outcome::Fault(_)) | None => None,
        }));
    }
    assert_eq!(names.len(), cuits.len());
    for authority in ["customs", "inv"] {
        let client = stage.client(authority);
        for some in names.chunks(128) {
            let decided = some.iter().map(async |name| {
                let request = DecideRequest {
                    request_id: client.request_id(),
                    listing: name.clone(),
                    decision: Decision::Clear.into(),
                    ..Default::default()
                };
                ask!(client, ClearanceServiceClient.decide(request)).unwrap();
            });
            futures_util::future::join_all(decided).await;
        }
    }
}

/// The article of the n-th supplier.
fn sku(n: usize) -> String {
    format!("TPCH-S-{n:05}")
}

/// Pushes `count` lines; what it cost, and what each line cost, 400,000 after 400,000.
async fn send(
    client: &Client,
    report: &str,
    pid: u32,
    count: usize,
    generator: &Path,
) -> (Sample, Vec<f64>) {
    let (made, mut batches) = mpsc::channel(8);
    let generator = generator.to_owned();
    let maker = std::thread::spawn(move || make(&generator, count, &made));
    let mut push = Push::open(client, report).await.unwrap();
    let window = push.welcome.window as usize;
    let meter = Meter::start(pid);
    let (mut slice, mut from, mut slices) = (Meter::start(pid), 0, Vec::new());
    let (mut waiting, mut latencies, mut lines) = (VecDeque::new(), Vec::new(), 0);
    loop {
        while waiting.len() < window
            && let Some(batch) = batches.recv().await
        {
            waiting.push_back(Instant::now());
            assert!(push.send(batch).await, "the stream broke");
        }
        let Some(began) = waiting.pop_front() else { break };
        let result = push.result().await.unwrap();
        latencies.push(micros(began));
        lines += result.counts.unwrap().accepted as usize;
        if lines >= from + FEW {
            slices.push(slice.sample(lines - from, Vec::new()).cpu);
            (slice, from) = (Meter::start(pid), lines);
        }
    }
    let sample = meter.sample(lines, latencies);
    maker.join().unwrap();
    (sample, slices)
}

/// Makes batches as long as somebody takes them.
fn make(generator: &Path, count: usize, made: &mpsc::Sender<SaleLineBatch>) {
    let env = Env::system();
    let mut lines = Lineitems::make(generator).take(count);
    for first_line in (0..).step_by(BATCH) {
        let lines: Vec<SaleLine> = lines.by_ref().take(BATCH).collect();
        let request_id = env.ids.uuid().to_string();
        if lines.is_empty()
            || made.blocking_send(SaleLineBatch { request_id, first_line, lines }).is_err()
        {
            break;
        }
    }
}

/// Asks for the ten best listings of `period`, one question after the other; how long the server
/// says each took, by its record of calls, in which `before` such calls stand already.
async fn top(stage: &ProcessStage, period: Period, before: usize) -> Times {
    let client = stage.client("ministry");
    for _ in 0..=CALLS {
        let request = TopProductsRequest { period: Some(period), ..Default::default() };
        let answer = ask!(client, SalesAnalyticsServiceClient.top_products(request)).unwrap();
        assert_eq!(answer.products.len(), 10);
    }
    let recorded = crate::common::within(Duration::from_secs(10), || async {
        let times = recorded(&stage.path().join("data/audit"), "/TopProducts");
        (times.len() > before + CALLS).then_some(times)
    });
    let times = recorded.await.expect("a record of each call");
    let first = times[before];
    let mut rest = times[before + 1..].to_vec();
    rest.sort_by(f64::total_cmp);
    let at = |share: usize| rest[(rest.len() * share / 100).min(rest.len() - 1)];
    Times { first, p50: at(50), p99: at(99) }
}

/// Milliseconds of each call of a method, in order.
fn recorded(folder: &Path, method: &str) -> Vec<f64> {
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let text: String = files.iter().map(|file| std::fs::read_to_string(file).unwrap()).collect();
    text.lines()
        .filter(|line| line.contains(method))
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .map(|call| call["duration_us"].as_f64().unwrap() / 1000.0)
        .collect()
}

/// Bytes of all files in a folder.
fn size(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).unwrap().map(Result::unwrap);
    let sizes = entries.map(|entry| match entry.metadata() {
        Ok(held) if held.is_dir() => size(&entry.path()),
        Ok(held) => held.len(),
        Err(_) => 0,
    });
    sizes.sum()
}

/// Lineitems as sale lines, in the order of their orders.
pub struct Lineitems {
    generator: Child,
    rows: Lines<BufReader<ChildStdout>>,
}

impl Lineitems {
    /// Lets the generator at that path make all of them.
    pub fn make(generator: &Path) -> Self {
        let mut generator = Command::new(generator)
            .args(["tbl", "-s", "1", "-T", "lineitem", "--stdout", "--quiet", "--num-threads", "1"])
            .stdout(Stdio::piped())
            // It complains when nobody wants the rest.
            .stderr(Stdio::null())
            .spawn()
            .expect("tpchgen-cli; scripts/bench installs it");
        let rows = BufReader::with_capacity(1 << 20, generator.stdout.take().unwrap()).lines();
        Self { generator, rows }
    }
}

impl Iterator for Lineitems {
    type Item = SaleLine;

    fn next(&mut self) -> Option<SaleLine> {
        self.rows.next().map(|row| sale(&row.unwrap()))
    }
}

impl Drop for Lineitems {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.generator.kill();
        let _ = self.generator.wait();
    }
}

/// `orderkey|partkey|suppkey|linenumber|quantity|extendedprice|discount|tax|flag|status|shipdate|...`
fn sale(row: &str) -> SaleLine {
    let fields: Vec<&str> = row.split('|').take(11).collect();
    let [order, _, supplier, number, quantity, price, .., day] = fields[..] else {
        panic!("no lineitem: {row}");
    };
    let supplier: usize = supplier.parse().unwrap();
    let cents: u64 = price.replace('.', "").parse().unwrap();
    let pieces: u64 = quantity.parse().unwrap();
    assert_eq!(cents % pieces, 0, "the price of one is no whole number of cents: {row}");
    let cents = cents / pieces;
    // All years as one, without its leap day.
    let day = day[5..].replace("02-29", "02-28");
    SaleLine {
        line_id: format!("{order:0>8}-{number}"),
        order_id: order.to_owned(),
        kind: LineKind::Sale.into(),
        sku: sku(supplier - 1),
        quantity: quantity.to_owned(),
        unit_price: format!("{}.{:02}", cents / 100, cents % 100),
        currency: "USD".into(),
        sold_at: format!("2025-{day}T12:00:00+08:00"),
        destination: DESTINATIONS[supplier % DESTINATIONS.len()].into(),
        ..SaleLine::default()
    }
}
