//! Which client certificates TLS lets in.
//!
//! Enters: trust anchors, revocation lists and a grace. Leaves: a rustls verifier,
//! which is asked at each handshake and again for open connections when its files
//! change. It knows nothing of files, partners or tokens.

use std::fmt;
use std::future::Future;
use std::sync::{Arc, OnceLock};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::CryptoProvider;
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, RootCertStore, SignatureScheme,
};
use rustls_pki_types::{CertificateDer, CertificateRevocationListDer, UnixTime};

use super::peer::sha256;

/// Whether the revocation lists are fresh enough to rely on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// No list is configured: nothing can be taken back but by hand.
    None,
    /// Every list is within its time.
    Fresh,
    /// A list is past its time but within the grace: renew it now.
    InGrace,
    /// A list is past its time and the grace: nobody gets in.
    Stale,
}

/// Verifies client certificates: chain, time, revocation, and that the certificate was made
/// for clients.
pub(super) struct ClientVerifier {
    /// Refuses on any list past its time.
    strict: Arc<dyn ClientCertVerifier>,
    /// Takes lists past their time; asked only within the grace.
    lenient: Arc<dyn ClientCertVerifier>,
    next_update: Option<Timestamp>,
    grace: SignedDuration,
}

impl ClientVerifier {
    /// `next_update` is the earliest of all `lists`, none if there are none.
    pub(super) fn new(
        provider: &Arc<CryptoProvider>,
        roots: RootCertStore,
        lists: Vec<CertificateRevocationListDer<'static>>,
        next_update: Option<Timestamp>,
        grace: SignedDuration,
    ) -> Result<Self, rustls::server::VerifierBuilderError> {
        let roots = Arc::new(roots);
        let builder = || {
            WebPkiClientVerifier::builder_with_provider(roots.clone(), provider.clone())
                .with_crls(lists.iter().cloned())
        };
        Ok(Self {
            // Without this call webpki takes a list of last year as good.
            strict: builder().enforce_revocation_expiration().build()?,
            lenient: builder().build()?,
            next_update,
            grace,
        })
    }

    /// How fresh the revocation lists are at `now`.
    pub(super) fn freshness(&self, now: Timestamp) -> Freshness {
        match self.next_update {
            None => Freshness::None,
            Some(at) if now <= at => Freshness::Fresh,
            Some(at) if now <= at.saturating_add(self.grace).unwrap_or(at) => Freshness::InGrace,
            Some(_) => Freshness::Stale,
        }
    }

    /// Verifies a chain, leaf first, as a handshake at `now` would.
    pub(super) fn verify(
        &self,
        chain: &[CertificateDer<'static>],
        now: Timestamp,
    ) -> Result<(), rustls::Error> {
        let Some((leaf, intermediates)) = chain.split_first() else {
            return Err(rustls::Error::NoCertificatesPresented);
        };
        self.verify_client_cert(leaf, intermediates, unix_time(now)).map(|_| ())
    }
}

/// The moment as rustls wants it.
pub(super) fn unix_time(at: Timestamp) -> UnixTime {
    let seconds = at.as_second().max(0).unsigned_abs();
    UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds))
}

impl ClientCertVerifier for ClientVerifier {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        // Naming the authorities we trust tells a stranger who our partners are.
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        note_presented(end_entity);
        let at = i64::try_from(now.as_secs())
            .ok()
            .and_then(|seconds| Timestamp::from_second(seconds).ok())
            .unwrap_or(Timestamp::MAX);
        let webpki = match self.freshness(at) {
            Freshness::None | Freshness::Fresh | Freshness::InGrace => &self.lenient,
            Freshness::Stale => &self.strict,
        };
        let verified = webpki.verify_client_cert(end_entity, intermediates, now)?;
        // webpki lets a certificate without extended key usages do anything.
        if !says_client_auth(end_entity) {
            return Err(CertificateError::InvalidPurpose.into());
        }
        Ok(verified)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.strict.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.strict.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.strict.supported_verify_schemes()
    }
}

fn says_client_auth(leaf: &CertificateDer<'_>) -> bool {
    x509_parser::parse_x509_certificate(leaf).is_ok_and(|(_, certificate)| {
        matches!(certificate.extended_key_usage(), Ok(Some(usage)) if usage.value.client_auth)
    })
}

impl fmt::Debug for ClientVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientVerifier")
            .field("next_update", &self.next_update)
            .field("grace", &self.grace)
            .finish_non_exhaustive()
    }
}

tokio::task_local! {
    /// The leaf shown in the handshake that is being polled; a refused handshake leaves no
    /// session to ask.
    static PRESENTED: Presented;
}

/// The certificate a peer showed, as far as it came to that.
#[derive(Clone, Default)]
pub(super) struct Presented(Arc<OnceLock<[u8; 32]>>);

impl Presented {
    /// Its thumbprint, base64url without padding.
    pub(super) fn thumbprint(&self) -> Option<String> {
        self.0.get().map(|digest| URL_SAFE_NO_PAD.encode(digest))
    }
}

/// Runs a handshake and tells which certificate it was shown.
pub(super) async fn presented_during<F: Future>(handshake: F) -> (F::Output, Presented) {
    let presented = Presented::default();
    let outcome = PRESENTED.scope(presented.clone(), handshake).await;
    (outcome, presented)
}

fn note_presented(leaf: &CertificateDer<'_>) {
    // Outside a handshake (an open connection is checked again) nobody asks.
    let _ = PRESENTED.try_with(|presented| {
        let _ = presented.0.set(sha256(leaf));
    });
}
