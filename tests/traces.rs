//! A call goes on with its caller's trace, answers it, and reports a span of it to a collector.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{
    TraceService, TraceServiceServer,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::trace::v1::Span;
use puente::proto::puente::sellers::v1::VerifySellerRequest;
use puente::proto::puente::sellers::v1::seller_service_client::SellerServiceClient;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status};

use crate::common::stage::ProcessStage;
use crate::common::{goods, within};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00f067aa0ba902b7";

/// A collector that keeps what it is sent.
#[derive(Clone, Default)]
struct Collector(Arc<Mutex<Vec<Span>>>);

#[tonic::async_trait]
impl TraceService for Collector {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let resources = request.into_inner().resource_spans;
        let spans = resources.into_iter().flat_map(|r| r.scope_spans).flat_map(|scope| scope.spans);
        self.0.lock().unwrap().extend(spans);
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

impl Collector {
    async fn start() -> (Self, SocketAddr) {
        let collector = Self::default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let service = TraceServiceServer::new(collector.clone());
        tokio::spawn(
            tonic::transport::Server::builder()
                .add_service(service)
                .serve_with_incoming(TcpListenerStream::new(listener)),
        );
        (collector, address)
    }

    fn spans(&self) -> Vec<Span> {
        self.0.lock().unwrap().clone()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_callers_trace_goes_through_the_gateway_to_the_collector() {
    let (collector, address) = Collector::start().await;
    let mut stage =
        ProcessStage::with(&format!("[telemetry]\notlp_endpoint = \"http://{address}\"\n"));
    let client = stage.client("marketplace");
    let message = VerifySellerRequest { cuit: goods::CUIT.into(), ..Default::default() };
    let mut request = client.authorized(message.clone()).await.unwrap();
    let traceparent = format!("00-{TRACE}-{PARENT}-01");
    request.metadata_mut().insert("traceparent", traceparent.parse().unwrap());
    let answer = SellerServiceClient::new(client.channel()).verify_seller(request).await.unwrap();
    let told = answer.metadata().get("traceparent").unwrap().to_str().unwrap().to_owned();
    assert!(told.starts_with(&format!("00-{TRACE}-")), "{told}");
    assert!(!told.contains(PARENT), "{told}");

    // Without one, a trace of its own; and a refusal has one, too.
    let mut request = client.authorized(message).await.unwrap();
    request.metadata_mut().insert("authorization", "Bearer x".parse().unwrap());
    let status =
        SellerServiceClient::new(client.channel()).verify_seller(request).await.unwrap_err();
    let own = status.metadata().get("traceparent").unwrap().to_str().unwrap().to_owned();
    assert!(own.starts_with("00-") && !own.contains(TRACE), "{own}");

    // What was not sent yet is sent when the gateway stops.
    drop(client);
    stage.served.signal("TERM");
    assert!(stage.served.ended(Duration::from_secs(10)).is_some());
    let span = within(Duration::from_secs(2), || async {
        collector.spans().into_iter().find(|span| hex::encode(&span.trace_id) == TRACE)
    });
    let span = span.await.expect("no span of the trace came");
    assert_eq!(hex::encode(&span.parent_span_id), PARENT);
    let method = "/puente.sellers.v1.SellerService/VerifySeller";
    assert!(format!("{:?}", span.attributes).contains(method), "{span:?}");
    // Whoever reads the record of calls, or a log line of a call, finds the trace by its id.
    let record = stage.path().join("data/audit/audit-00000000.jsonl");
    let record = std::fs::read_to_string(record).unwrap();
    let ended = record.lines().filter(|line| line.contains(TRACE) && line.contains("\"OK\""));
    assert_eq!(ended.count(), 1, "{record}");
    let log = stage.served.logged();
    assert!(log.contains(&own[3..35]), "the refusal is not in the log: {log}");
    assert!(!log.contains(TRACE), "what went well is in the log: {log}");
}
