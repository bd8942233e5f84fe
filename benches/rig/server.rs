//! The servers under measurement, as processes, and connections to them.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use puente::cli::Client;
use puente::domain::cuit::Cuit;
use puente::proto::puente::listings::v1::listing_service_client::ListingServiceClient;
use puente::proto::puente::listings::v1::{BatchCreateListingsRequest, BatchListing};
use puente::proto::puente::registry::v1::registry_service_client::RegistryServiceClient;
use puente::proto::puente::registry::v1::sync_exporters_request::Part;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::Channel;

use crate::common::stage::ProcessStage;
use crate::common::{goods, process, wire};

/// What partners may do at once is raised; everything else is as `puente init` writes it.
const CONFIG: &str = "[limits]\nstreams_per_connection = 512\ncalls_per_partner = 4096\n\
                      connections_per_address = 4096\n\
                      [telemetry]\nlog = \"info,refinery_core=warn\"\n";
/// Counted at each call, and never used up.
const QUOTA: &str = "enforced = true\nburst_seconds = 1000000";
/// Listings that are on sale.
pub const LISTINGS: usize = 60;

/// A gateway that knows exporters and listings.
pub fn gateway() -> ProcessStage {
    ProcessStage::with_quota(QUOTA, CONFIG)
}

/// The first `count` example companies that can be numbered.
pub fn cuits(count: usize) -> Vec<String> {
    let numbers = (88_000_001..).filter_map(|n| Cuit::from_parts(30, n));
    numbers.take(count).map(|cuit| cuit.to_string()).collect()
}

/// Lets the registry say that these are eligible.
pub async fn sync(registry: &Client, cuits: &[String]) {
    let all: Vec<&str> = cuits.iter().map(String::as_str).collect();
    for some in all.chunks(1000) {
        let mut messages = goods::exporters(registry.request_id(), some);
        let rows = messages.iter_mut().filter_map(|message| match &mut message.part {
            Some(Part::Chunk(chunk)) => Some(&mut chunk.rows),
            Some(Part::Header(_)) | None => None,
        });
        for fact in rows.flatten().filter_map(|row| row.fact.as_mut()) {
            // Before the first line of any input: what is sold is sold by eligible sellers.
            fact.valid_from = Some(goods::date(1990, 1, 1));
        }
        let answer = registry
            .call(messages, |channel, request| async move {
                RegistryServiceClient::new(channel)
                    .sync_exporters(request.map(tokio_stream::iter))
                    .await
            })
            .await
            .unwrap();
        assert_eq!(answer.created as usize, some.len());
    }
}

/// The sku of the n-th listing.
pub fn sku(n: usize) -> String {
    format!("MALBEC-{:02}", n % LISTINGS)
}

/// Offers the listings, and clears them for every authority's part.
pub async fn offer(stage: &ProcessStage) {
    sync(&stage.client("registry"), &[goods::CUIT.to_owned()]).await;
    let marketplace = stage.client("marketplace");
    let items = (0..LISTINGS)
        .map(|n| BatchListing { row: n as i64, listing: Some(goods::listing(&sku(n))) })
        .collect();
    let request = BatchCreateListingsRequest {
        request_id: marketplace.request_id(),
        items,
        submit: true,
        ..Default::default()
    };
    let answer = marketplace
        .call(request, |channel, request| async move {
            ListingServiceClient::new(channel).batch_create_listings(request).await
        })
        .await
        .unwrap();
    assert_eq!(answer.created as usize, LISTINGS, "{:?}", answer.results.first());
    for authority in ["customs", "inv"] {
        let profile = stage.folder.profile(authority);
        let args = ["clear", "--all", "--profile", profile.to_str().unwrap()];
        let ran = process::run_beside(&args).await;
        assert_eq!(ran.code, 0, "{}", ran.err);
    }
}

/// A server beside the gateway as a process; killed when dropped.
pub struct Peer {
    child: Child,
    pub address: SocketAddr,
}

impl Peer {
    /// A bare tonic server with the certificates of a gateway's folder; see [`crate::peer::run`].
    pub fn start(stage: &ProcessStage, args: &[&str]) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        Self::of(command.arg("serve-peer").arg(stage.path().join("pki")).args(args))
    }

    /// Any server that says on one line where it listens.
    pub fn of(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Self { address: line.trim().parse().unwrap(), child }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `count` connections of the marketplace to `address`, made when first used.
pub fn channels(stage: &ProcessStage, address: SocketAddr, count: usize) -> Vec<Channel> {
    let identity = stage.folder.identity("marketplace");
    let config = wire::tls_config(&stage.path().join("pki/ca.pem"), Some(&identity), "h2");
    (0..count).map(|_| wire::channel(address, Arc::clone(&config))).collect()
}

/// The marketplace's token as the header that carries it.
pub async fn token(client: &Client) -> MetadataValue<Ascii> {
    let token = client.tokens.token().await.unwrap();
    MetadataValue::try_from(format!("Bearer {}", token.access_token)).unwrap()
}
