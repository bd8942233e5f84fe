//! The bare stack: tonic over mutual TLS that answers at once, and decodes lines and drops them.
//!
//! The same rustls provider, client verification and HTTP/2 windows as the gateway; no token,
//! no partner, no quota, no record, no store.

use std::convert::Infallible;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use puente::gate::limits::Limits;
use puente::proto::google::r#type::Date;
use puente::proto::puente::sales::v1 as sales;
use puente::proto::puente::sales::v1::push_sale_lines_request::Part as Sent;
use puente::proto::puente::sales::v1::push_sale_lines_response::Part as Answer;
use puente::proto::puente::sellers::v1 as sellers;
use rustls::crypto::aws_lc_rs;
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::body::Body;
use tonic::server::{Grpc, NamedService};
use tonic::transport::Server;
use tonic::transport::server::Connected;
use tonic::{Request, Response, Status, Streaming};
use tonic_prost::ProstCodec;
use tower::service_fn;
use tower_service::Service;

/// Serves with the certificates in a folder until it is killed; says where on one line. With
/// `per-core` after the folder, connections go round threads with a runtime each.
pub fn run(args: &[String]) {
    let acceptor = TlsAcceptor::from(Arc::new(tls(Path::new(&args[0]))));
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    println!("{}", listener.local_addr().unwrap());
    let per_core = args.get(1).is_some_and(|arg| arg == "per-core");
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let sends: Vec<_> = (0..if per_core { threads } else { 1 })
        .map(|_| {
            let (send, accepted) = tokio::sync::mpsc::unbounded_channel();
            let acceptor = acceptor.clone();
            std::thread::spawn(move || {
                let runtime = match per_core {
                    true => tokio::runtime::Builder::new_current_thread().enable_all().build(),
                    false => tokio::runtime::Runtime::new(),
                };
                runtime.expect("a runtime").block_on(serve(acceptor, accepted));
            });
            send
        })
        .collect();
    for (n, stream) in listener.incoming().enumerate() {
        sends[n % sends.len()].send(stream.unwrap()).unwrap();
    }
}

async fn serve(acceptor: TlsAcceptor, mut streams: UnboundedReceiver<std::net::TcpStream>) {
    let (send, accepted) = tokio::sync::mpsc::channel(16);
    tokio::spawn(async move {
        while let Some(stream) = streams.recv().await {
            let (acceptor, send) = (acceptor.clone(), send.clone());
            tokio::spawn(async move {
                stream.set_nodelay(true).unwrap();
                stream.set_nonblocking(true).unwrap();
                let stream = TcpStream::from_std(stream).unwrap();
                if let Ok(stream) = acceptor.accept(stream).await {
                    let _gone = send.send(Ok::<_, std::io::Error>(Io(stream))).await;
                }
            });
        }
    });
    let limits = Limits::default();
    Server::builder()
        .initial_stream_window_size(limits.stream_window_bytes)
        .initial_connection_window_size(limits.connection_window_bytes)
        .max_frame_size(limits.frame_bytes)
        .max_concurrent_streams(512)
        .add_service(Sellers)
        .add_service(Reports)
        .serve_with_incoming(ReceiverStream::new(accepted))
        .await
        .unwrap();
}

fn tls(pki: &Path) -> ServerConfig {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(pki.join("ca.pem")).unwrap()).unwrap();
    let verifier =
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone()).build();
    let chain = CertificateDer::pem_file_iter(pki.join("server.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_file(pki.join("server.key.pem")).unwrap();
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_client_cert_verifier(verifier.unwrap())
        .with_single_cert(chain.map(Result::unwrap).collect(), key)
        .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec()];
    config
}

/// Answers VerifySeller.
#[derive(Clone)]
struct Sellers;

impl NamedService for Sellers {
    const NAME: &'static str = "puente.sellers.v1.SellerService";
}

impl Service<http::Request<Body>> for Sellers {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let mut grpc = Grpc::new(ProstCodec::default());
        Box::pin(async move { Ok(grpc.unary(service_fn(verify), request).await) })
    }
}

async fn verify(
    request: Request<sellers::VerifySellerRequest>,
) -> Result<Response<sellers::VerifySellerResponse>, Status> {
    let answer = sellers::SellerAnswer {
        cuit: request.into_inner().cuit,
        verdict: sellers::Verdict::Eligible.into(),
        reason: String::new(),
        eligible_since: Some(Date { year: 2020, month: 1, day: 1 }),
        checked_at: Some(prost_types::Timestamp { seconds: 1_700_000_000, nanos: 1 }),
    };
    Ok(Response::new(sellers::VerifySellerResponse { answer: Some(answer) }))
}

/// Takes PushSaleLines.
#[derive(Clone)]
struct Reports;

impl NamedService for Reports {
    const NAME: &'static str = "puente.sales.v1.SalesReportService";
}

impl Service<http::Request<Body>> for Reports {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let mut grpc = Grpc::new(ProstCodec::default()).max_decoding_message_size(64 * 1024 * 1024);
        Box::pin(async move { Ok(grpc.streaming(service_fn(push), request).await) })
    }
}

type Answers = BoxStream<'static, Result<sales::PushSaleLinesResponse, Status>>;

async fn push(
    request: Request<Streaming<sales::PushSaleLinesRequest>>,
) -> Result<Response<Answers>, Status> {
    let answers = request.into_inner().map(|message| {
        let part = match message?.part {
            Some(Sent::Start(_)) | None => {
                Answer::Welcome(sales::PushWelcome { window: 4, ..Default::default() })
            }
            Some(Sent::Batch(batch)) => {
                let accepted = std::hint::black_box(&batch.lines).len() as i64;
                Answer::Result(sales::BatchResult {
                    request_id: batch.request_id,
                    committed_lines: batch.first_line + accepted,
                    counts: Some(sales::LineCounts { accepted, ..Default::default() }),
                    ..Default::default()
                })
            }
        };
        Ok(sales::PushSaleLinesResponse { part: Some(part) })
    });
    Ok(Response::new(Box::pin(answers)))
}

/// A TLS stream as tonic takes it; tonic's own TLS is not compiled in.
struct Io(TlsStream<TcpStream>);

impl Connected for Io {
    type ConnectInfo = ();

    fn connect_info(&self) {}
}

impl AsyncRead for Io {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for Io {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[std::io::IoSlice<'_>],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }
}
