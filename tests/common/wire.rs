//! Below the clients: TLS as any partner or none, calls by path, plain HTTP.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use http::uri::PathAndQuery;
use hyper_util::rt::TokioIo;
use rustls::crypto::aws_lc_rs;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tonic::metadata::MetadataMap;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status};
use tonic_prost::ProstCodec;

/// A certificate and its key, in files.
#[derive(Clone, Debug)]
pub struct Identity {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

/// TLS 1.3 towards a gateway whose authority is `ca`.
pub fn tls_config(ca: &Path, identity: Option<&Identity>, alpn: &str) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(ca).unwrap()).unwrap();
    let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_root_certificates(roots);
    let mut config = match identity {
        None => builder.with_no_client_auth(),
        Some(Identity { certificate, key }) => {
            let chain = CertificateDer::pem_file_iter(certificate).unwrap();
            let key = PrivateKeyDer::from_pem_file(key).unwrap();
            builder.with_client_auth_cert(chain.map(Result::unwrap).collect(), key).unwrap()
        }
    };
    config.alpn_protocols = vec![alpn.as_bytes().to_vec()];
    Arc::new(config)
}

/// A connection, as far as the client can tell: with TLS 1.3 a refusal comes after the client's
/// own end of the handshake, when it reads.
pub async fn connect(
    address: SocketAddr,
    config: Arc<ClientConfig>,
) -> io::Result<TlsStream<TcpStream>> {
    let tcp = TcpStream::connect(address).await?;
    // As every gRPC client has it.
    tcp.set_nodelay(true)?;
    let name = ServerName::from(address.ip());
    TlsConnector::from(config).connect(name, tcp).await
}

/// A gRPC channel over [`connect`].
pub fn channel(address: SocketAddr, config: Arc<ClientConfig>) -> Channel {
    Endpoint::from_shared(format!("http://{address}"))
        .unwrap()
        .origin(format!("https://{address}").parse().unwrap())
        .connect_with_connector_lazy(tower::service_fn(move |_| {
            let config = config.clone();
            async move { connect(address, config).await.map(TokioIo::new) }
        }))
}

/// Sends one empty message to the method at `path`; what came back, messages counted. Works for
/// methods of every shape, because they are the same on the wire.
pub async fn call_empty(
    channel: Channel,
    path: &'static str,
    token: Option<&str>,
    endless: bool,
) -> Result<usize, Status> {
    let mut grpc = tonic::client::Grpc::new(channel);
    grpc.ready().await.map_err(|error| Status::from_error(Box::new(error)))?;
    let mut request = Request::new(tokio_stream::once(()));
    if let Some(token) = token {
        authorize(request.metadata_mut(), token);
    }
    let codec = ProstCodec::<(), ()>::default();
    let mut answers =
        grpc.streaming(request, PathAndQuery::from_static(path), codec).await?.into_inner();
    let mut count = 0;
    while answers.message().await?.is_some() {
        count += 1;
        if endless {
            break;
        }
    }
    Ok(count)
}

/// Puts a token into a call's metadata.
pub fn authorize(metadata: &mut MetadataMap, token: &str) {
    metadata.insert("authorization", format!("Bearer {token}").parse().unwrap());
}

/// GET over plain HTTP/1.1: status and body.
pub async fn get(address: SocketAddr, path: &str) -> io::Result<(u16, String)> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    exchange(&mut stream, &request).await
}

/// POST of a form over mutual TLS and HTTP/1.1: status and body.
pub async fn post_form(
    address: SocketAddr,
    config: Arc<ClientConfig>,
    path: &str,
    form: &str,
) -> io::Result<(u16, String)> {
    let mut stream = connect(address, config).await?;
    let request = format!(
        "POST {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-type: \
         application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n{form}",
        form.len()
    );
    exchange(&mut stream, &request).await
}

async fn exchange<S>(stream: &mut S, request: &str) -> io::Result<(u16, String)>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let status = answer.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0);
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body).to_owned();
    Ok((status, body))
}
