//! Connections to the gateway: TCP, then TLS 1.3 with the profile's certificate.
//!
//! Enters: a profile. Leaves: TLS streams for gRPC (`h2`) and for the token endpoint
//! (`http/1.1`), or what is wrong with the certificate, the trust or the network. It knows
//! nothing of tokens and messages.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use rustls::crypto::aws_lc_rs;
use rustls::{AlertDescription, CertificateError, ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::failure::{Failure, Outcome};
use super::profile::Profile;
use crate::gate::material::check_owner_only;

/// How long a connection may take to be made.
const PATIENCE: Duration = Duration::from_secs(10);

/// Makes connections as the partner of one profile.
#[derive(Clone)]
pub struct Connector {
    host: String,
    port: u16,
    name: ServerName<'static>,
    grpc: TlsConnector,
    http: TlsConnector,
    profile: Arc<Profile>,
}

impl Connector {
    /// Reads the profile's certificate, key and trust.
    pub fn new(profile: Arc<Profile>, now: Timestamp) -> Outcome<Self> {
        let (host, port) = profile.address()?;
        let name = profile.server_name.clone().unwrap_or_else(|| host.clone());
        let name = ServerName::try_from(name.clone()).map_err(|_| {
            Failure::new("INVALID_PROFILE", format!("{name} cannot be a certificate's name"))
        })?;
        let config = client_config(&profile, now)?;
        let with = |protocol: &[u8]| {
            let mut config = config.clone();
            config.alpn_protocols = vec![protocol.to_vec()];
            TlsConnector::from(Arc::new(config))
        };
        Ok(Self { host, port, name, grpc: with(b"h2"), http: with(b"http/1.1"), profile })
    }

    /// A connection for gRPC.
    pub async fn grpc(&self) -> io::Result<TlsStream<TcpStream>> {
        self.connect(&self.grpc).await
    }

    /// A connection for plain HTTP requests.
    pub async fn http(&self) -> Outcome<TlsStream<TcpStream>> {
        self.connect(&self.http).await.map_err(|error| self.explain(&error))
    }

    async fn connect(&self, tls: &TlsConnector) -> io::Result<TlsStream<TcpStream>> {
        let attempt = async {
            let tcp = TcpStream::connect((self.host.as_str(), self.port)).await?;
            tcp.set_nodelay(true)?;
            tls.connect(self.name.clone(), tcp).await
        };
        tokio::time::timeout(PATIENCE, attempt)
            .await
            .unwrap_or_else(|_| Err(io::Error::new(io::ErrorKind::TimedOut, "no answer in 10 s")))
    }

    /// What to tell a person of a connection that failed, now or while it was used.
    pub fn explain(&self, error: &(dyn std::error::Error + 'static)) -> Failure {
        let endpoint = &self.profile.endpoint;
        let certificate = self.profile.certificate.display();
        match cause::<rustls::Error>(error) {
            Some(rustls::Error::AlertReceived(alert)) => Failure::new(
                "TLS_REFUSED",
                format!("{endpoint} refused the certificate {certificate}: {}", alert_text(*alert)),
            )
            .hint("the operator issues a fresh one with: puente pki issue --dir DIR PARTNER"),
            Some(rustls::Error::InvalidCertificate(why)) => Failure::new(
                "TLS_UNTRUSTED",
                format!("the certificate of {endpoint} is not trusted: {}", server_text(why)),
            )
            .hint(format!(
                "check ca ({}), endpoint and server_name in the profile",
                self.profile.ca.display()
            )),
            Some(other) => Failure::new("TLS_FAILED", format!("{endpoint}: {other}")),
            None => {
                let why = cause::<io::Error>(error).map_or(error.to_string(), io_text);
                Failure::new("UNREACHABLE", format!("{endpoint}: {why}"))
                    .hint("is the gateway up? start it with: puente serve --config FILE")
            }
        }
    }
}

fn client_config(profile: &Profile, now: Timestamp) -> Outcome<ClientConfig> {
    let chain = certificates(profile, &profile.certificate)?;
    check_dates(profile, &chain, now)?;
    check_owner_only(&profile.key)?;
    let key = PrivateKeyDer::from_pem_file(&profile.key)
        .map_err(|reason| Failure::file(&profile.key, reason))?;
    let mut roots = RootCertStore::empty();
    for authority in certificates(profile, &profile.ca)? {
        roots.add(authority).map_err(|reason| Failure::file(&profile.ca, reason))?;
    }
    ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map(|builder| builder.with_root_certificates(roots))
        .and_then(|builder| builder.with_client_auth_cert(chain, key))
        .map_err(|reason| {
            Failure::file(&profile.key, format!("does not go with the certificate: {reason}"))
        })
}

fn certificates(
    profile: &Profile,
    path: &std::path::Path,
) -> Outcome<Vec<CertificateDer<'static>>> {
    let found = CertificateDer::pem_file_iter(path)
        .and_then(|all| all.collect::<Result<Vec<_>, _>>())
        .map_err(|reason| {
            Failure::file(path, reason)
                .hint(format!("the profile of {} names this file", profile.client_id))
        })?;
    if found.is_empty() {
        return Err(Failure::file(path, "there is no certificate in it"));
    }
    Ok(found)
}

/// Says so before the gateway does: after the handshake all it sends is an alert.
fn check_dates(profile: &Profile, chain: &[CertificateDer<'_>], now: Timestamp) -> Outcome {
    let path = &profile.certificate;
    let (_, leaf) = x509_parser::parse_x509_certificate(&chain[0])
        .map_err(|reason| Failure::file(path, reason))?;
    let validity = leaf.validity();
    if validity.not_after.timestamp() < now.as_second() {
        let at = Timestamp::from_second(validity.not_after.timestamp()).unwrap_or_default();
        return Err(Failure::new(
            "CERTIFICATE_EXPIRED",
            format!("{}: the certificate ended at {at}", path.display()),
        )
        .hint("the operator issues a fresh one with: puente pki issue --dir DIR PARTNER"));
    }
    if validity.not_before.timestamp() > now.as_second() {
        return Err(Failure::new(
            "CERTIFICATE_NOT_YET_VALID",
            format!("{}: the certificate does not hold yet", path.display()),
        )
        .hint("check this machine's clock"));
    }
    Ok(())
}

/// The first error of type `E` in a chain of causes, also inside of I/O errors.
fn cause<'e, E: std::error::Error + 'static>(
    error: &'e (dyn std::error::Error + 'static),
) -> Option<&'e E> {
    let mut next = Some(error);
    while let Some(this) = next {
        if let Some(found) = this.downcast_ref::<E>() {
            return Some(found);
        }
        let inner = this.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        next = match inner {
            Some(inner) => Some(inner),
            None => this.source(),
        };
    }
    None
}

fn alert_text(alert: AlertDescription) -> String {
    match alert {
        AlertDescription::CertificateExpired => "it is expired".into(),
        AlertDescription::CertificateRevoked => "it is revoked".into(),
        // Decrypt error: an authority of that name is let in, but another one signed.
        AlertDescription::UnknownCA | AlertDescription::DecryptError => {
            "its authority is not let in".into()
        }
        AlertDescription::CertificateRequired => "a certificate is asked for".into(),
        AlertDescription::BadCertificate | AlertDescription::CertificateUnknown => {
            "it is not acceptable".into()
        }
        other => format!("alert {other:?}"),
    }
}

fn server_text(why: &CertificateError) -> String {
    match why {
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            "its authority is not the profile's ca".into()
        }
        other => other.to_string(),
    }
}

fn io_text(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "connection refused".into(),
        io::ErrorKind::UnexpectedEof => "the connection was closed".into(),
        _ => error.to_string(),
    }
}
