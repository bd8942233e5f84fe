//! Durable unary writes of many callers, against the same rows written in groups by hand.

use std::time::{Duration, Instant};

use puente::clock::Env;
use puente::proto::puente::sellers::v1::RequestVerificationRequest;
use puente::proto::puente::sellers::v1::seller_service_client::SellerServiceClient;
use tonic::Request;

use crate::measure::{Meter, Report, Sample, Until, micros};
use crate::{raw, server};

pub const CALLERS: usize = 128;
const CONNECTIONS: usize = 8;

pub async fn measure(rounds: usize, time: Duration) -> Report {
    let title = format!("Writes: RequestVerification, {CALLERS} callers, each write durable");
    let mut report = Report::new(title, "writes", &["grouped raw SQLite", "the gateway"]);
    for _ in 0..rounds {
        report.add(0, raw::run(&["raw-writes", &time.as_secs_f64().to_string()]));
        report.add(1, gateway(time).await);
    }
    report.ratio("writes a second, gateway to raw", "at least 0.50", 1, 0, |s| s.rate);
    report.ratio("CPU a write, gateway to raw", "-", 1, 0, |s| s.cpu);
    report
}

async fn gateway(time: Duration) -> Sample {
    let stage = server::gateway();
    let token = server::token(&stage.client("marketplace")).await;
    let channels = server::channels(&stage, stage.served.address, CONNECTIONS);
    let cuits = server::cuits(400_000);
    let share = cuits.len() / CALLERS;
    let meter = Meter::start(stage.served.pid());
    let callers: Vec<_> = cuits
        .chunks(share)
        .take(CALLERS)
        .enumerate()
        .map(|(n, mine)| {
            let mut client = SellerServiceClient::new(channels[n % CONNECTIONS].clone());
            let (mine, token, until) = (mine.to_vec(), token.clone(), Until::after(time));
            tokio::spawn(async move {
                let env = Env::system();
                let mut latencies = Vec::new();
                for cuit in mine {
                    let mut request = Request::new(RequestVerificationRequest {
                        request_id: env.ids.uuid().to_string(),
                        cuit,
                        ..Default::default()
                    });
                    request.metadata_mut().insert("authorization", token.clone());
                    let began = Instant::now();
                    client.request_verification(request).await.unwrap();
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
    meter.sample(latencies.len(), latencies)
}
