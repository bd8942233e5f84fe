//! Certificates, key and revocation lists as their files have them.
//!
//! Enters: the paths. Leaves: parsed and checked content, or which file is bad, why,
//! and what mends it. It knows nothing of connections or time.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rustls::RootCertStore;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer};
use x509_parser::prelude::FromDer as _;
use x509_parser::revocation_list::CertificateRevocationList;
use zeroize::Zeroizing;

use super::tls::TlsSettings;

/// Which file is bad and why.
#[derive(Debug, thiserror::Error)]
pub enum MaterialError {
    /// The file cannot be opened.
    #[error("{}: {source}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// Others than the owner can read a private key.
    #[error(
        "{}: others than its owner can read this private key (mode {mode:o}); \
         mend it with: chmod 600 {}",
        path.display(),
        path.display()
    )]
    KeyReadableByOthers {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The content is not what it must be.
    #[error("{}: {why}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// A revocation list with a smaller number than the one in force.
    #[error("the revocation list is older than the one in force; what was revoked stays revoked")]
    OlderList,
}

impl MaterialError {
    pub(super) fn content(path: &Path, why: impl std::fmt::Display) -> Self {
        Self::Content { path: path.to_owned(), why: why.to_string() }
    }
}

/// Everything a TLS configuration is made of.
pub(super) struct Material {
    pub(super) chain: Vec<CertificateDer<'static>>,
    pub(super) key: PrivateKeyDer<'static>,
    pub(super) roots: RootCertStore,
    pub(super) lists: Vec<List>,
    pub(super) not_after: Timestamp,
}

/// One revocation list whose signature was checked.
pub(super) struct List {
    pub(super) der: CertificateRevocationListDer<'static>,
    pub(super) issuer: Vec<u8>,
    /// Big-endian, without leading zeros; empty if the list has none.
    pub(super) number: Vec<u8>,
    pub(super) next_update: Option<Timestamp>,
}

impl Material {
    pub(super) fn read(settings: &TlsSettings) -> Result<Self, MaterialError> {
        let chain = certificates(&settings.certificate)?;
        let not_after = not_after(&settings.certificate, &chain[0])?;
        let key = private_key(&settings.key)?;
        let authorities = certificates(&settings.client_ca)?;
        let mut roots = RootCertStore::empty();
        for authority in &authorities {
            roots
                .add(authority.clone())
                .map_err(|e| MaterialError::content(&settings.client_ca, e))?;
        }
        let lists = match &settings.crl {
            Some(path) => revocation_lists(path, &authorities)?,
            None => Vec::new(),
        };
        Ok(Self { chain, key, roots, lists, not_after })
    }
}

/// Refuses a private key that others than its owner can read.
///
/// # Errors
/// [`MaterialError::KeyReadableByOthers`] with the command that mends it.
pub fn check_owner_only(path: &Path) -> Result<(), MaterialError> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let meta = std::fs::metadata(path)
            .map_err(|source| MaterialError::Open { path: path.to_owned(), source })?;
        let mode = meta.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(MaterialError::KeyReadableByOthers { path: path.to_owned(), mode });
        }
    }
    Ok(())
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, MaterialError> {
    check_owner_only(path)?;
    let pem = Zeroizing::new(read(path)?);
    PrivateKeyDer::from_pem_slice(&pem).map_err(|e| MaterialError::content(path, e))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, MaterialError> {
    let found = CertificateDer::pem_slice_iter(&read(path)?)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|e| MaterialError::content(path, e))?;
    if found.is_empty() {
        return Err(MaterialError::content(path, "there is no certificate in it"));
    }
    Ok(found)
}

fn not_after(path: &Path, leaf: &CertificateDer<'_>) -> Result<Timestamp, MaterialError> {
    let (_, certificate) =
        x509_parser::parse_x509_certificate(leaf).map_err(|e| MaterialError::content(path, e))?;
    Timestamp::from_second(certificate.validity().not_after.timestamp())
        .map_err(|e| MaterialError::content(path, e))
}

fn revocation_lists(
    path: &Path,
    authorities: &[CertificateDer<'static>],
) -> Result<Vec<List>, MaterialError> {
    let ders = CertificateRevocationListDer::pem_slice_iter(&read(path)?)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|e| MaterialError::content(path, e))?;
    if ders.is_empty() {
        return Err(MaterialError::content(path, "there is no revocation list in it"));
    }
    ders.into_iter().map(|der| revocation_list(path, der, authorities)).collect()
}

/// Checks the signature now: webpki would find a bad one at each handshake and refuse everyone.
fn revocation_list(
    path: &Path,
    der: CertificateRevocationListDer<'static>,
    authorities: &[CertificateDer<'static>],
) -> Result<List, MaterialError> {
    let (issuer, number, next_update) = {
        let (_, list) = CertificateRevocationList::from_der(&der)
            .map_err(|e| MaterialError::content(path, e))?;
        let named: Vec<_> = authorities
            .iter()
            .filter_map(|authority| x509_parser::parse_x509_certificate(authority).ok())
            .map(|(_, authority)| authority)
            .filter(|authority| authority.subject().as_raw() == list.issuer().as_raw())
            .collect();
        // None named: the list of an intermediate, whose certificate comes with the client's chain.
        if !named.is_empty() && !named.iter().any(|a| list.verify_signature(a.public_key()).is_ok())
        {
            return Err(MaterialError::content(
                path,
                "the revocation list is not signed by the authority it names",
            ));
        }
        let next_update =
            list.next_update().and_then(|at| Timestamp::from_second(at.timestamp()).ok());
        if next_update.is_none() {
            return Err(MaterialError::content(path, "the revocation list has no nextUpdate"));
        }
        let number = list.crl_number().map(|n| n.to_bytes_be()).unwrap_or_default();
        (list.issuer().as_raw().to_vec(), number, next_update)
    };
    Ok(List { der, issuer, number, next_update })
}

fn read(path: &Path) -> Result<Vec<u8>, MaterialError> {
    std::fs::read(path).map_err(|source| MaterialError::Open { path: path.to_owned(), source })
}
