//! Bytes that are no message, or far too many: each is told so at once, whatever it claims to be,
//! and the next caller is served.

use std::sync::Arc;
use std::time::{Duration, Instant};

use http::{Request, Response};
use http_body_util::BodyExt as _;
use prost::Message as _;
use tonic::body::Body;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use super::*;
use crate::app::checkpoints::{Checkpoints, begin};
use crate::app::test_stage::Stage;
use crate::domain::partner::Role;
use crate::gate::asked::Asked;
use crate::ledger::{KeyName, Signer, SigningKey};
use crate::proto::puente::sellers::v1::{BatchVerifySellersRequest, VerifySellerRequest};

const VERIFY: &str = "/puente.sellers.v1.SellerService/VerifySeller";
const BATCH: &str = "/puente.sellers.v1.SellerService/BatchVerifySellers";

/// All services, reached as the gate reaches them.
struct Bench {
    stage: Stage,
    handlers: Handlers,
    _folder: tempfile::TempDir,
}

impl Bench {
    async fn set() -> Self {
        let stage = Stage::set().await;
        let folder = tempfile::tempdir().unwrap();
        let record = folder.path().join("record.json");
        let origin: KeyName = "puente.test/ledger".parse().unwrap();
        begin(&record, origin.as_str()).unwrap();
        let signer = Signer::new(SigningKey::from_seed(origin, &[7; 32]).unwrap());
        let ledger = LedgerDesk::new(stage.app.clone(), Arc::new(Checkpoints::new(signer, record)));
        let pages = PageTokens::new(&[7; 32]).unwrap();
        let services = Services { app: stage.app.clone(), ledger, pages };
        let (handlers, _health) = handlers(&services).await.unwrap();
        Self { stage, handlers, _folder: folder }
    }

    async fn send(&self, path: &str, encoding: Option<&str>, body: Vec<u8>) -> Status {
        let mut request = Request::post(path).header("content-type", "application/grpc");
        if let Some(encoding) = encoding {
            request = request.header("grpc-encoding", encoding);
        }
        let mut request = request.body(Asked::from(axum::body::Body::from(body))).unwrap();
        request.extensions_mut().insert(self.stage.caller("market", Role::Marketplace));
        let began = Instant::now();
        let status = outcome(self.handlers.answer(path, request).await).await;
        assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
        status
    }

    /// A well-formed call is told what is wrong with what it asks.
    async fn serves(&self) {
        let ask = VerifySellerRequest { cuit: "20-1".into(), ..Default::default() };
        let status = self.send(VERIFY, None, framed(&ask.encode_to_vec())).await;
        let info = status.get_details_error_info().map(|info| info.reason);
        assert_eq!((status.code(), info.as_deref()), (Code::InvalidArgument, Some("INVALID_CUIT")));
    }
}

async fn outcome(response: Response<Body>) -> Status {
    let (head, body) = response.into_parts();
    Status::from_header_map(&head.headers).unwrap_or(
        match body.collect().await.unwrap().trailers().and_then(Status::from_header_map) {
            Some(status) => status,
            None => Status::unknown("no status"),
        },
    )
}

/// A message after its length, as gRPC sends it.
fn framed(message: &[u8]) -> Vec<u8> {
    prefixed(0, u32::try_from(message.len()).unwrap(), message)
}

fn prefixed(flag: u8, length: u32, message: &[u8]) -> Vec<u8> {
    let mut out = vec![flag];
    out.extend(length.to_be_bytes());
    out.extend(message);
    out
}

#[tokio::test]
async fn a_compressed_message_is_refused_unread() {
    let bench = Bench::set().await;
    // What a bomb looks like from outside: a few bytes that claim to be gzip.
    let bomb = prefixed(1, 4, &[0x1f, 0x8b, 8, 0]);
    for encoding in ["gzip", "deflate", "zstd"] {
        let status = bench.send(VERIFY, Some(encoding), bomb.clone()).await;
        assert_eq!(status.code(), Code::Unimplemented, "{encoding}: {status:?}");
    }
    assert_eq!(bench.send(VERIFY, None, bomb).await.code(), Code::Internal);
    bench.serves().await;
}

#[tokio::test]
async fn a_length_that_lies_is_refused_and_reserves_nothing() {
    let bench = Bench::set().await;
    let most = 4 * 1024 * 1024;
    for (length, message, code) in [
        (u32::MAX, &b"\x0a\x00"[..], Code::OutOfRange),
        (most + 1, b"\x0a\x00", Code::OutOfRange),
        // Says more than comes.
        (most, b"\x0a\x00", Code::Internal),
        (3, b"\x0a\x00", Code::Internal),
        // Says less: what is left over is no message.
        (1, b"\x0a\x00", Code::Internal),
    ] {
        let status = bench.send(VERIFY, None, prefixed(0, length, message)).await;
        assert_eq!(status.code(), code, "{length}: {status:?}");
    }
    assert_eq!(bench.send(VERIFY, None, vec![7, 0, 0, 0, 0]).await.code(), Code::Internal);
    assert_eq!(bench.send(VERIFY, None, Vec::new()).await.code(), Code::Internal);
    bench.serves().await;
}

#[tokio::test]
async fn deep_and_wide_messages_are_refused() {
    let bench = Bench::set().await;
    // Groups within groups of a field that nobody knows (tag 15, wire type 3).
    let deep = bench.send(VERIFY, None, framed(&vec![0x7b; 1_000_000])).await;
    assert_eq!(deep.code(), Code::Internal, "{deep:?}");
    // Two bytes an element.
    let wide =
        BatchVerifySellersRequest { cuits: vec![String::new(); 2_000_000], ..Default::default() };
    let wide = bench.send(BATCH, None, framed(&wide.encode_to_vec())).await;
    assert_eq!(wide.code(), Code::InvalidArgument, "{wide:?}");
    // One element that is everything.
    let long = VerifySellerRequest { cuit: "1".repeat(4_000_000), ..Default::default() };
    let long = bench.send(VERIFY, None, framed(&long.encode_to_vec())).await;
    assert_eq!(long.code(), Code::InvalidArgument);
    assert!(long.message().len() < 1_000 && long.details().len() < 1_000, "it is not echoed");
    // Not UTF-8, and a number where text belongs.
    for bytes in [&b"\x0a\x02\xff\xfe"[..], b"\x08\x01", b"\x0a\xff\xff\xff\xff\x0f"] {
        assert_eq!(bench.send(VERIFY, None, framed(bytes)).await.code(), Code::Internal);
    }
    bench.serves().await;
}
