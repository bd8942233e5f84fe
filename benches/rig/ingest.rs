//! Sale lines through the whole gateway, against tonic that drops them and against the raw store.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Instant;

use puente::clock::Env;
use puente::proto::puente::sales::v1::push_sale_lines_request::Part as Sent;
use puente::proto::puente::sales::v1::push_sale_lines_response::Part as Got;
use puente::proto::puente::sales::v1::sales_report_service_client::SalesReportServiceClient;
use puente::proto::puente::sales::v1::{PushSaleLinesRequest, PushStart, SaleLineBatch};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Request;

use crate::common::push;
use crate::common::stage::ProcessStage;
use crate::input::{self, Lines};
use crate::measure::{Meter, Report, Sample, micros, peak_mib};
use crate::raw;
use crate::server::{self, Peer};

/// Lines a message, as `puente push sales` sends them.
const BATCH: usize = 1000;

pub async fn measure(rounds: usize, count: usize, data: Option<&Path>) -> Report {
    let lines = Lines::read(data, count);
    let title = format!("Ingest: {} lines of {}, {BATCH} a message", lines.all.len(), lines.origin);
    let sides = ["tonic, decoded and dropped", "raw SQLite, 5,000 a transaction", "the gateway"];
    let mut report = Report::new(title, "lines", &sides);
    let batches: Vec<SaleLineBatch> = batches(&lines);
    let args = raw::ingest_args(data, count);
    let mut memory = 0.0_f64;
    for _ in 0..rounds {
        // A fresh store each round, for both.
        let stage = server::gateway();
        server::offer(&stage).await;
        let peer = Peer::start(&stage, &[]);
        report.add(0, send(&stage, peer.address, peer.pid(), "", &batches).await);
        drop(peer);
        report.add(1, raw::run(&args));
        let report_name = open(&stage).await;
        let served = (stage.served.address, stage.served.pid());
        report.add(2, send(&stage, served.0, served.1, &report_name, &batches).await);
        memory = memory.max(peak_mib(served.1));
        let stored = push::report(&stage.client("marketplace"), &report_name).await;
        let counts = stored.counts.unwrap();
        assert_eq!((counts.accepted + counts.accepted_with_warning) as usize, lines.all.len());
    }
    report.ratio("lines a second, gateway to raw store", "at least 0.80", 2, 1, |s| s.rate);
    report.ratio("CPU a line, gateway to raw store", "-", 2, 1, |s| s.cpu);
    let own = report.sides[2].1.iter().zip(&report.sides[1].1).zip(&report.sides[0].1);
    let own: Vec<f64> = own.map(|((all, raw), drop)| all.cpu / (raw.cpu + drop.cpu)).collect();
    let ratio = own.iter().sum::<f64>() / own.len() as f64;
    let what = "CPU a line, gateway to decoding and raw store together".to_owned();
    report.ratios.push((what, ratio, "-".into()));
    report.notes.push(format!("The gateway had {memory:.0} MiB resident at most."));
    report
}

async fn open(stage: &ProcessStage) -> String {
    push::open_report(&stage.client("marketplace"), input::period()).await.name
}

fn batches(lines: &Lines) -> Vec<SaleLineBatch> {
    let env = Env::system();
    (0..)
        .step_by(BATCH)
        .zip(lines.all.chunks(BATCH))
        .map(|(first_line, lines)| SaleLineBatch {
            request_id: env.ids.uuid().to_string(),
            first_line,
            lines: lines.to_vec(),
        })
        .collect()
}

/// Pushes everything over one stream; the latency is that of a batch until it is durable.
async fn send(
    stage: &ProcessStage,
    address: SocketAddr,
    pid: u32,
    report: &str,
    batches: &[SaleLineBatch],
) -> Sample {
    let token = server::token(&stage.client("marketplace")).await;
    let channel = server::channels(stage, address, 1).remove(0);
    let (sender, receiver) = mpsc::channel(4);
    let start = PushStart { report: report.to_owned(), validate_only: false };
    sender.send(PushSaleLinesRequest { part: Some(Sent::Start(start)) }).await.unwrap();
    let mut request = Request::new(ReceiverStream::new(receiver));
    request.metadata_mut().insert("authorization", token);
    let mut client = SalesReportServiceClient::new(channel).max_decoding_message_size(64 << 20);
    let mut answers = client.push_sale_lines(request).await.unwrap().into_inner();
    let welcome = match answers.message().await.unwrap().and_then(|answer| answer.part) {
        Some(Got::Welcome(welcome)) => welcome,
        other => panic!("no welcome: {other:?}"),
    };
    let mut parts: Vec<PushSaleLinesRequest> = batches
        .iter()
        .rev()
        .map(|batch| PushSaleLinesRequest { part: Some(Sent::Batch(batch.clone())) })
        .collect();
    let meter = Meter::start(pid);
    let (mut waiting, mut latencies, mut lines) = (VecDeque::new(), Vec::new(), 0);
    loop {
        while waiting.len() < welcome.window as usize
            && let Some(part) = parts.pop()
        {
            waiting.push_back(Instant::now());
            sender.send(part).await.unwrap();
        }
        let Some(began) = waiting.pop_front() else { break };
        let Some(Got::Result(result)) = answers.message().await.unwrap().unwrap().part else {
            panic!("no result");
        };
        latencies.push(micros(began));
        let counts = result.counts.unwrap();
        lines += counts.accepted + counts.accepted_with_warning;
    }
    meter.sample(lines as usize, latencies)
}
