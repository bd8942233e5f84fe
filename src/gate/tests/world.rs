//! A gateway in miniature and clients of every kind.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use axum::Router;
use axum::body::Body;
use axum::routing::{get, post};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::client::conn::http2::SendRequest;
use hyper_util::rt::{TokioExecutor, TokioIo};
use jiff::{SignedDuration, Timestamp};
use jsonwebtoken::DecodingKey;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde_json::json;
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_util::sync::CancellationToken;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use super::super::audit::{AuditSettings, AuditSink};
use super::super::handlers::Handlers;
use super::super::limits::{Limits, Quota};
use super::super::metrics::Metrics;
use super::super::peer::PeerIdentity;
use super::super::threads::Threads;
use super::super::tls::{TlsReloader, TlsSettings};
use super::super::token::{KeyFound, KeySource, SignatureAlgorithm, Verifier, VerifyingKey};
use super::super::{Door, Drained, Gate, GateParts, Routes, serve};
use crate::app::access::Directory;
use crate::clock::{Env, ManualClock, SystemIds};
use crate::domain::caller::Caller;
use crate::domain::partner::{Partner, Role};
use crate::pki::{
    Authority, Issued, Profile, RevocationList, partner_uri, write_public, write_secret,
};

pub const READ: &str = "/puente.listings.v1.ListingService/GetListing";
pub const WRITE: &str = "/puente.listings.v1.ListingService/CreateListing";
pub const PANIC: &str = "/puente.listings.v1.ListingService/UpdateListing";
pub const HANG: &str = "/puente.listings.v1.ListingService/ListListings";
pub const STREAM: &str = "/puente.sales.v1.SalesReportService/PushSaleLines";
pub const HEALTH: &str = "/grpc.health.v1.Health/Check";
pub const HOUR: SignedDuration = SignedDuration::from_hours(1);

const ISSUER: &str = "https://localhost";

/// What a test may set before the gateway starts.
pub struct Plan {
    pub limits: Limits,
    pub partners: Vec<Partner>,
    pub crl_valid_for: SignedDuration,
    pub crl_grace_seconds: u64,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            partners: vec![partner("marketplace"), partner("second")],
            crl_valid_for: SignedDuration::from_hours(24),
            crl_grace_seconds: 60,
        }
    }
}

pub struct World {
    pub env: Env,
    pub clock: Arc<ManualClock>,
    pub folder: TempDir,
    pub authority: Authority,
    pub list: Mutex<RevocationList>,
    pub tls: Arc<TlsReloader>,
    pub directory: Arc<Directory>,
    pub address: SocketAddr,
    pub shutdown: CancellationToken,
    pub served: JoinHandle<Drained>,
    keys: Arc<Keys>,
    valid_for: SignedDuration,
}

pub fn partner(id: &str) -> Partner {
    let mut partner = Partner::register(
        id.parse().unwrap(),
        Role::Marketplace,
        None,
        id.to_owned(),
        Timestamp::UNIX_EPOCH,
    )
    .unwrap();
    let name = format!("san_uri:{}", partner_uri(id)).parse().unwrap();
    partner.bind(name, Timestamp::UNIX_EPOCH).unwrap();
    partner.limits.reads_per_second = 1_000;
    partner
}

impl World {
    pub async fn start(plan: Plan) -> Self {
        let clock = Arc::new(ManualClock::new(Env::system().now()));
        let env = Env { clock: clock.clone(), ids: Arc::new(SystemIds) };
        let folder = tempfile::tempdir().unwrap();
        let authority = Authority::create(&env, "Test CA", SignedDuration::from_hours(48)).unwrap();
        let server =
            authority.issue(&env, &Profile::localhost(SignedDuration::from_hours(40))).unwrap();
        let at = |name: &str| folder.path().join(name);
        write_public(&at("server.pem"), &server.certificate_pem).unwrap();
        write_secret(&at("server.key.pem"), &server.key_pem).unwrap();
        write_public(&at("ca.pem"), authority.certificate_pem()).unwrap();
        let list = RevocationList { number: 1, revoked: vec![] };
        let signed = authority.sign_list(&env, &list, plan.crl_valid_for).unwrap();
        write_public(&at("crl.pem"), &signed).unwrap();

        let settings = TlsSettings {
            certificate: at("server.pem"),
            key: at("server.key.pem"),
            client_ca: at("ca.pem"),
            crl: Some(at("crl.pem")),
            crl_grace_seconds: plan.crl_grace_seconds,
            allow_tls12: false,
        };
        let tls = Arc::new(TlsReloader::load(settings, env.clone()).unwrap());
        let audit = AuditSink::to_folder(&at("audit"), AuditSettings::default()).unwrap();
        let limits = Arc::new(plan.limits);
        let directory = Arc::new(Directory::from_partners(plan.partners));
        let keys =
            Arc::new(Keys(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap()));
        let metrics = Metrics::new(&prometheus::Registry::new()).unwrap();
        let gate = Gate::new(GateParts {
            handlers: Handlers::of_router(handlers()),
            directory: directory.clone(),
            verifier: Arc::new(Verifier::new(keys.clone(), directory.clone())),
            limits: limits.clone(),
            quota: Quota::default(),
            audit: audit.clone(),
            metrics: metrics.clone(),
            env: env.clone(),
        });
        let door = Door {
            tls: tls.clone(),
            threads: Threads::start(limits.threads).unwrap(),
            limits,
            audit,
            metrics,
            env: env.clone(),
            connections: Arc::default(),
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shutdown = CancellationToken::new();
        let routes = Routes::new(gate, Router::new().route("/whoami", get(whoami)));
        let served = tokio::spawn({
            let (door, shutdown) = (door.clone(), shutdown.clone());
            async move { serve(listener, door, routes, shutdown.cancelled_owned()).await }
        });
        Self {
            env,
            clock,
            folder,
            authority,
            list: Mutex::new(list),
            tls,
            directory,
            address,
            shutdown,
            served,
            keys,
            valid_for: plan.crl_valid_for,
        }
    }

    pub fn issue(&self, profile: &Profile) -> Issued {
        self.authority.issue(&self.env, profile).unwrap()
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Takes a certificate back and puts the new list in place; the gateway must notice.
    pub fn revoke(&self, issued: &Issued) {
        let mut list = self.list.lock().unwrap();
        list.revoke(issued.serial.clone(), self.env.now());
        let signed = self.authority.sign_list(&self.env, &list, self.valid_for).unwrap();
        write_public(&self.path("crl.pem"), &signed).unwrap();
    }

    /// A TLS connection with this certificate, as far as the client can tell: with TLS 1.3 the
    /// refusal comes after the client's own end of the handshake, when it reads.
    pub async fn tls(&self, identity: Option<&Issued>, alpn: &str) -> TlsStream<TcpStream> {
        let mut config = self.client_config(identity, rustls::ALL_VERSIONS);
        config.alpn_protocols = vec![alpn.as_bytes().to_vec()];
        self.connect(Arc::new(config)).await.unwrap()
    }

    pub async fn connect(
        &self,
        config: Arc<ClientConfig>,
    ) -> std::io::Result<TlsStream<TcpStream>> {
        let stream = TcpStream::connect(self.address).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        TlsConnector::from(config).connect(name, stream).await
    }

    pub fn client_config(
        &self,
        identity: Option<&Issued>,
        versions: &[&'static rustls::SupportedProtocolVersion],
    ) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        let authority = self.authority.certificate_pem().as_bytes();
        roots.add(CertificateDer::from_pem_slice(authority).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .unwrap()
            .with_root_certificates(roots);
        match identity {
            None => builder.with_no_client_auth(),
            Some(issued) => builder
                .with_client_auth_cert(
                    vec![
                        CertificateDer::from_pem_slice(issued.certificate_pem.as_bytes()).unwrap(),
                    ],
                    PrivateKeyDer::from_pem_slice(issued.key_pem.as_bytes()).unwrap(),
                )
                .unwrap(),
        }
    }

    pub async fn client(&self, identity: &Issued) -> Client {
        let tls = self.tls(Some(identity), "h2").await;
        let (send, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(tls))
                .await
                .unwrap();
        let closed = tokio::spawn(async move {
            let _ = connection.await;
        });
        Client { send, closed, thumbprint: thumbprint(identity) }
    }

    /// A client of `partner` with a fresh certificate.
    pub async fn client_of(&self, partner: &str) -> (Issued, Client) {
        let issued = self.issue(&Profile::client(partner, HOUR));
        let client = self.client(&issued).await;
        (issued, client)
    }

    pub fn token(&self, partner: &str, client: &Client, scope: &str) -> String {
        self.sign(partner, &client.thumbprint, scope)
    }

    pub fn token_for(&self, partner: &str, issued: &Issued, scope: &str) -> String {
        self.sign(partner, &thumbprint(issued), scope)
    }

    fn sign(&self, partner: &str, thumbprint: &str, scope: &str) -> String {
        let now = self.env.now().as_second();
        let header = json!({"alg": "ES256", "typ": "at+jwt", "kid": "one"}).to_string();
        let claims = json!({
            "iss": ISSUER, "aud": "puente", "sub": partner, "client_id": partner,
            "iat": now, "exp": now + 600, "jti": self.env.ids.uuid().to_string(),
            "scope": scope, "cnf": {"x5t#S256": thumbprint},
        });
        let signed = format!(
            "{}.{}",
            URL_SAFE_NO_PAD.encode(header),
            URL_SAFE_NO_PAD.encode(claims.to_string())
        );
        let signature = self.keys.0.sign(&SystemRandom::new(), signed.as_bytes()).unwrap();
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    /// Waits until the audit files have a record that satisfies `wanted`.
    pub async fn audited(&self, wanted: impl Fn(&serde_json::Value) -> bool) -> serde_json::Value {
        let file = self.path("audit").join("audit-00000000.jsonl");
        within(Duration::from_secs(5), async {
            loop {
                let text = std::fs::read_to_string(&file).unwrap_or_default();
                let whole = text.lines().filter_map(|line| serde_json::from_str(line).ok());
                if let Some(found) = whole.into_iter().find(|record| wanted(record)) {
                    return found;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        })
        .await
    }
}

fn thumbprint(issued: &Issued) -> String {
    let leaf = CertificateDer::from_pem_slice(issued.certificate_pem.as_bytes()).unwrap();
    URL_SAFE_NO_PAD.encode(super::super::peer::sha256(&leaf))
}

pub async fn within<F: Future>(limit: Duration, future: F) -> F::Output {
    tokio::time::timeout(limit, future).await.expect("in time")
}

pub struct Client {
    pub send: SendRequest<Body>,
    pub closed: JoinHandle<()>,
    thumbprint: String,
}

impl Client {
    pub fn request(path: &str, token: Option<&str>) -> http::request::Builder {
        let mut request = Request::post(format!("https://localhost{path}"))
            .header("content-type", "application/grpc")
            .header("te", "trailers");
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        request
    }

    pub async fn call(&mut self, path: &str, token: Option<&str>) -> Status {
        self.send(Self::request(path, token)).await
    }

    pub async fn send(&mut self, request: http::request::Builder) -> Status {
        let request = request.body(Body::from(&[0u8; 5][..])).unwrap();
        match self.send.send_request(request).await {
            Ok(response) => outcome(response).await,
            Err(error) => Status::unknown(error.to_string()),
        }
    }
}

/// The status of an answer, by its trailers or headers.
pub async fn outcome(response: Response<hyper::body::Incoming>) -> Status {
    let (head, body) = response.into_parts();
    if let Some(status) = Status::from_header_map(&head.headers) {
        return status;
    }
    match body.collect().await {
        Ok(body) => body
            .trailers()
            .and_then(Status::from_header_map)
            .unwrap_or_else(|| Status::unknown(format!("no status; HTTP {}", head.status))),
        Err(error) => Status::unknown(error.to_string()),
    }
}

pub fn reason(status: &Status) -> String {
    status.get_details_error_info().map(|info| info.reason).unwrap_or_default()
}

#[track_caller]
pub fn expect(status: &Status, code: Code, why: &str) {
    assert_eq!((status.code(), reason(status).as_str()), (code, why), "{status:?}");
}

struct Keys(EcdsaKeyPair);

impl KeySource for Keys {
    fn find(&self, issuer: &str, kid: &str, _now: Timestamp) -> KeyFound {
        if issuer != ISSUER {
            return KeyFound::UnknownIssuer;
        }
        KeyFound::Key(Arc::new(VerifyingKey {
            kid: kid.to_owned(),
            algorithm: SignatureAlgorithm::ES256,
            key: DecodingKey::from_ec_der(self.0.public_key().as_ref()),
            audience: "puente".into(),
            retire_at: None,
        }))
    }

    fn generation(&self) -> u64 {
        0
    }

    fn refresh(&self, _now: Timestamp) {}
}

async fn whoami(request: axum::extract::Request) -> String {
    let peer = request.extensions().get::<PeerIdentity>().unwrap();
    peer.identities().iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

fn handlers() -> Router {
    Router::new()
        .route(READ, post(|| async { good() }))
        .route(WRITE, post(evidence))
        .route(PANIC, post(breaks))
        .route(HANG, post(|| async { std::future::pending::<()>().await }))
        .route(STREAM, post(|request: axum::extract::Request| async { echo(request) }))
        .route(HEALTH, post(|| async { good() }))
}

async fn breaks() -> Response<Body> {
    panic!("20-12345678-6")
}

async fn evidence(request: axum::extract::Request) -> Response<Body> {
    assert_eq!(request.extensions().get::<Caller>().unwrap().method(), WRITE);
    match request.into_body().collect().await {
        Ok(_) => good(),
        Err(error) => Status::from_error(Box::new(error)).into_http(),
    }
}

fn grpc(body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    response.headers_mut().insert("content-type", "application/grpc".parse().unwrap());
    response
}

fn good() -> Response<Body> {
    let trailers = async {
        let mut map = HeaderMap::new();
        map.insert("grpc-status", "0".parse().unwrap());
        Some(Ok(map))
    };
    grpc(Body::new(Full::new(Bytes::from_static(&[0; 5])).with_trailers(trailers)))
}

/// Sends back every frame until the caller ends, then goes on without a word.
fn echo(request: axum::extract::Request) -> Response<Body> {
    use futures_util::StreamExt as _;
    let frames = request.into_body().into_data_stream();
    let frames = frames.map(|data| data.map(Frame::data));
    grpc(Body::new(StreamBody::new(frames.chain(futures_util::stream::pending()))))
}
