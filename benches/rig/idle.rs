//! What a connection costs in memory while nobody uses it.

use std::net::SocketAddr;
use std::time::Duration;

use puente::proto::puente::sellers::v1::VerifySellerRequest;
use puente::proto::puente::sellers::v1::seller_service_client::SellerServiceClient;
use tonic::Request;
use tonic::transport::Channel;

use crate::common::stage::ProcessStage;
use crate::measure::{Report, resident_kib};
use crate::server::{self, Peer};

const CONNECTIONS: usize = 2000;
/// Made before, so that what a process takes once is not counted.
const BEFORE: usize = 200;

/// Adds to a report of the gate what an idle connection costs there and in bare tonic: one that
/// has been made, has made one call, and waits. Both processes are new.
pub async fn measure(report: &mut Report) {
    let stage = server::gateway();
    let peer = Peer::start(&stage, &[]);
    let bare = each(&stage, peer.address, peer.pid()).await;
    let ours = each(&stage, stage.served.address, stage.served.pid()).await;
    let what = "resident memory an idle connection, gateway to bare tonic";
    report.ratios.push((what.to_owned(), ours / bare, "at most 1.5".to_owned()));
    report.notes.push(format!(
        "Resident memory for each of {CONNECTIONS} idle connections after one call: {bare:.1} KiB \
         in bare tonic, {ours:.1} KiB in the gateway."
    ));
}

/// KiB for each connection.
async fn each(stage: &ProcessStage, address: SocketAddr, pid: u32) -> f64 {
    let token = server::token(&stage.client("marketplace")).await;
    let connect = async |count| {
        let channels = server::channels(stage, address, count);
        for channel in &channels {
            let cuit = "30-50001091-2".to_owned();
            let mut request = Request::new(VerifySellerRequest { cuit, ..Default::default() });
            request.metadata_mut().insert("authorization", token.clone());
            SellerServiceClient::new(channel.clone()).verify_seller(request).await.unwrap();
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
        channels
    };
    let _before: Vec<Channel> = connect(BEFORE).await;
    let so_far = resident_kib(pid);
    let _idle: Vec<Channel> = connect(CONNECTIONS).await;
    (resident_kib(pid) - so_far) / CONNECTIONS as f64
}
