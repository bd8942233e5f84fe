//! A unary read through everything that stands before it, against tonic that answers at once.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use puente::proto::puente::sellers::v1::seller_service_client::SellerServiceClient;
use puente::proto::puente::sellers::v1::{BatchVerifySellersRequest, VerifySellerRequest};
use tonic::Request;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::Channel;

use crate::common::stage::ProcessStage;
use crate::common::wire;
use crate::idle;
use crate::measure::{Meter, Report, Sample, Until, micros};
use crate::server::{self, Peer};

const CONNECTIONS: usize = 8;
const CALLS: usize = 256;
const COMPANIES: usize = 10_000;

pub async fn measure(rounds: usize, time: Duration) -> Report {
    let stage = server::gateway();
    let load = Load::of(&stage).await;
    let (peer, per_core) = (Peer::start(&stage, &[]), Peer::start(&stage, &["per-core"]));
    let names = ["bare tonic, mutual TLS", "the gateway", "bare tonic, a runtime for each core"];
    let mut report = Report::new(title("Gate"), "calls", &names);
    let sides = [
        (peer.address, peer.pid()),
        (stage.served.address, stage.served.pid()),
        (per_core.address, per_core.pid()),
    ];
    report.notes.push(first_uses(&stage, &load).await);
    load.read_all(&stage).await;
    load.alternate(&mut report, &stage, &sides, rounds, time).await;
    report.ratio("CPU a call, gateway to bare tonic", "at most 1.15", 1, 0, |s| s.cpu);
    report.ratio("calls a second, gateway to bare tonic", "-", 1, 0, |s| s.rate);
    report.ratio("CPU a call, gateway to bare tonic a runtime for each core", "-", 1, 2, |s| s.cpu);
    idle::measure(&mut report).await;
    report
}

/// Of a report on this load.
pub fn title(what: &str) -> String {
    format!("{what}: VerifySeller, {CONNECTIONS} connections x {CALLS} calls")
}

/// How many signatures it costs when all callers use a token for the first time at once.
async fn first_uses(stage: &ProcessStage, load: &Load) -> String {
    let channels = server::channels(stage, stage.served.address, CONNECTIONS);
    // The connections stand before the race begins.
    let other = server::token(&stage.client("marketplace")).await;
    for channel in &channels {
        call(&mut SellerServiceClient::new(channel.clone()), &load.cuits[0], &other).await;
    }
    let before = signature_checks(stage).await;
    let callers = channels.iter().flat_map(|channel| (0..CALLS).map(move |_| channel.clone()));
    let callers: Vec<_> = callers
        .map(|channel| {
            let (cuit, token) = (load.cuits[0].clone(), load.token.clone());
            tokio::spawn(async move {
                call(&mut SellerServiceClient::new(channel), &cuit, &token).await;
            })
        })
        .collect();
    let calls = callers.len();
    for caller in callers {
        caller.await.unwrap();
    }
    let checks = signature_checks(stage).await - before;
    format!("Signature checks for {calls} calls that used one new token at once: {checks}.")
}

async fn signature_checks(stage: &ProcessStage) -> u64 {
    let (_, metrics) = wire::get(stage.served.admin_address, "/metrics").await.unwrap();
    let name = "puente_token_signature_checks_total";
    let line = metrics.lines().find(|line| line.starts_with(name)).expect("the counter");
    line.rsplit_once(' ').unwrap().1.parse().unwrap()
}

/// What is asked, and as whom.
pub struct Load {
    cuits: Vec<String>,
    token: MetadataValue<Ascii>,
}

impl Load {
    /// Questions about companies that the gateway then knows.
    pub async fn of(stage: &ProcessStage) -> Self {
        let cuits = server::cuits(COMPANIES);
        server::sync(&stage.client("registry"), &cuits).await;
        Self { cuits, token: server::token(&stage.client("marketplace")).await }
    }

    /// Has each company read from the store once: what is measured is the answer from memory,
    /// however few calls a loaded machine makes in a round.
    pub async fn read_all(&self, stage: &ProcessStage) {
        let client = stage.client("marketplace");
        for some in self.cuits.chunks(1000) {
            let request = BatchVerifySellersRequest { cuits: some.to_vec(), ..Default::default() };
            let answer = client
                .call(request, |channel, request| async move {
                    SellerServiceClient::new(channel).batch_verify_sellers(request).await
                })
                .await
                .unwrap();
            assert_eq!(answer.results.len(), some.len());
        }
    }

    /// Rounds of the sides of a report, given by address and process, one after another.
    pub async fn alternate(
        &self,
        report: &mut Report,
        stage: &ProcessStage,
        sides: &[(SocketAddr, u32)],
        rounds: usize,
        time: Duration,
    ) {
        for round in 0..=rounds {
            for (side, (address, pid)) in sides.iter().enumerate() {
                let channels = server::channels(stage, *address, CONNECTIONS);
                // The first round warms up.
                let time = if round == 0 { time / 4 } else { time };
                let sample = self.run(&channels, *pid, time).await;
                if round > 0 {
                    report.add(side, sample);
                }
            }
        }
    }

    async fn run(&self, channels: &[Channel], pid: u32, time: Duration) -> Sample {
        for channel in channels {
            call(&mut SellerServiceClient::new(channel.clone()), &self.cuits[0], &self.token).await;
        }
        let meter = Meter::start(pid);
        let until = Until::after(time);
        let calling = channels.iter().flat_map(|channel| (0..CALLS).map(move |n| (channel, n)));
        let callers: Vec<_> = calling
            .map(|(channel, n)| {
                let mut client = SellerServiceClient::new(channel.clone());
                let (cuits, token) = (self.cuits.clone(), self.token.clone());
                let until = Until::after(time);
                tokio::spawn(async move {
                    let mut latencies = Vec::with_capacity(4096);
                    for cuit in cuits.iter().cycle().skip(n * 31) {
                        let began = Instant::now();
                        call(&mut client, cuit, &token).await;
                        latencies.push(micros(began));
                        if until.over() {
                            break;
                        }
                    }
                    latencies
                })
            })
            .collect();
        let mut latencies = Vec::new();
        for caller in callers {
            latencies.extend(caller.await.unwrap());
        }
        assert!(until.over());
        meter.sample(latencies.len(), latencies)
    }
}

async fn call(client: &mut SellerServiceClient<Channel>, cuit: &str, token: &MetadataValue<Ascii>) {
    let mut request = Request::new(VerifySellerRequest { cuit: cuit.into(), ..Default::default() });
    request.metadata_mut().insert("authorization", token.clone());
    let answer = client.verify_seller(request).await.unwrap().into_inner();
    assert_eq!(answer.answer.map(|answer| answer.verdict), Some(1), "eligible");
}
