//! Development identities: a small certificate authority that issues what a gateway and
//! its partners need, and the revocation list that takes it back.
//!
//! Enters: the clock, names and lifetimes. Leaves: PEM text, and files whose keys only
//! their owner can read. It knows nothing of partners, tokens or the gateway; a
//! production gateway uses certificates of a real authority and never comes here.

mod revocation;

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::net::IpAddr;
use std::path::Path;
use std::time::{Duration, SystemTime};

use jiff::{SignedDuration, Timestamp};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DistinguishedName,
    DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose, SanType,
    SerialNumber,
};
use zeroize::Zeroizing;

pub use self::revocation::{RevocationList, Revoked, Serial};
use crate::clock::Env;

/// Why a certificate, key or list could not be made, read or written.
#[derive(Debug, thiserror::Error)]
pub enum PkiError {
    /// The certificate library refused; a name with characters it cannot carry, usually.
    #[error("certificate cannot be made: {0}")]
    Make(#[from] rcgen::Error),
    /// The text is not what it should be.
    #[error("{what} cannot be read: {why}")]
    Read {
        /// What was read: "certificate", "revocation list", "serial".
        what: &'static str,
        /// What was wrong.
        why: String,
    },
    /// The file system refused.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: String,
        /// What the operating system said.
        source: std::io::Error,
    },
}

/// A certificate authority with its key in memory.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate_pem: String,
    key_pem: Zeroizing<String>,
}

/// A certificate and its key, fresh from the authority.
pub struct Issued {
    /// The certificate alone, PEM.
    pub certificate_pem: String,
    /// The PKCS#8 key, PEM.
    pub key_pem: Zeroizing<String>,
    /// What a revocation names.
    pub serial: Serial,
    /// The last moment it is valid.
    pub not_after: Timestamp,
}

/// What a certificate shall say. Start from [`Profile::server`], [`Profile::client`] or
/// [`Profile::bare`] and change what differs.
#[derive(Clone, Debug)]
pub struct Profile {
    /// The common name; for people, never an identity.
    pub common_name: String,
    /// The organisation, if any.
    pub organization: Option<String>,
    /// Subject alternative names.
    pub names: Vec<Name>,
    /// Extended key usages; empty leaves the extension out.
    pub usages: Vec<Usage>,
    /// First moment of validity, relative to now; negative lies in the past.
    pub starts_in: SignedDuration,
    /// Last moment of validity, relative to now; negative makes an expired certificate.
    pub ends_in: SignedDuration,
}

/// One subject alternative name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Name {
    /// A host name.
    Dns(String),
    /// An address.
    Ip(IpAddr),
    /// A URI, such as `urn:puente:partner:registry`.
    Uri(String),
    /// A mail address.
    Email(String),
}

/// What a key may be used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Usage {
    /// id-kp-clientAuth
    Client,
    /// id-kp-serverAuth
    Server,
}

/// The SAN URI that stands for a partner in the certificates issued here.
pub fn partner_uri(partner: &str) -> String {
    format!("urn:puente:partner:{partner}")
}

impl Authority {
    /// A new self-signed authority on a fresh P-256 key.
    pub fn create(
        env: &Env,
        common_name: &str,
        lifetime: SignedDuration,
    ) -> Result<Self, PkiError> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::default();
        params.distinguished_name = distinguished_name(common_name, None);
        params.serial_number = Some(fresh_serial(env));
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.not_before = x509_time(env.now() - SignedDuration::from_mins(5));
        params.not_after = x509_time(env.now() + lifetime);
        let certificate_pem = params.self_signed(&key)?.pem();
        let key_pem = Zeroizing::new(key.serialize_pem());
        Ok(Self { issuer: Issuer::new(params, key), certificate_pem, key_pem })
    }

    /// An authority from its certificate and PKCS#8 key, both PEM.
    pub fn from_pem(certificate_pem: &str, key_pem: &str) -> Result<Self, PkiError> {
        let key = KeyPair::from_pem(key_pem)?;
        Ok(Self {
            issuer: Issuer::from_ca_cert_pem(certificate_pem, key)?,
            certificate_pem: certificate_pem.to_owned(),
            key_pem: Zeroizing::new(key_pem.to_owned()),
        })
    }

    /// The authority's own certificate, PEM: what the other side must trust.
    pub fn certificate_pem(&self) -> &str {
        &self.certificate_pem
    }

    /// The authority's key, PKCS#8 PEM; for [`write_secret`] only.
    pub fn key_pem(&self) -> &str {
        &self.key_pem
    }

    /// Issues a certificate on a fresh P-256 key.
    pub fn issue(&self, env: &Env, profile: &Profile) -> Result<Issued, PkiError> {
        let key = KeyPair::generate()?;
        let serial = fresh_serial(env);
        let not_after = env.now() + profile.ends_in;
        let mut params = CertificateParams::default();
        params.distinguished_name =
            distinguished_name(&profile.common_name, profile.organization.as_deref());
        params.subject_alt_names =
            profile.names.iter().map(Name::to_san).collect::<Result<_, _>>()?;
        params.serial_number = Some(serial.clone());
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = profile.usages.iter().map(|u| u.purpose()).collect();
        params.use_authority_key_identifier_extension = true;
        params.not_before = x509_time(env.now() + profile.starts_in);
        params.not_after = x509_time(not_after);
        let certificate = params.signed_by(&key, &self.issuer)?;
        Ok(Issued {
            certificate_pem: certificate.pem(),
            key_pem: Zeroizing::new(key.serialize_pem()),
            serial: Serial::from_der_integer(&serial.to_bytes()),
            not_after,
        })
    }

    /// Signs `list` as of now, PEM. It must be renewed within `valid_for`: past that and
    /// the gateway's grace, no client gets in.
    pub fn sign_list(
        &self,
        env: &Env,
        list: &RevocationList,
        valid_for: SignedDuration,
    ) -> Result<String, PkiError> {
        let params = CertificateRevocationListParams {
            this_update: x509_time(env.now()),
            next_update: x509_time(env.now() + valid_for),
            crl_number: SerialNumber::from(list.number),
            issuing_distribution_point: None,
            revoked_certs: list.revoked.iter().map(Revoked::params).collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        Ok(params.signed_by(&self.issuer)?.pem()?)
    }
}

impl Profile {
    /// A gateway's own certificate, for the given hosts and addresses, for `lifetime`.
    pub fn server(names: Vec<Name>, lifetime: SignedDuration) -> Self {
        Self { names, usages: vec![Usage::Server], ..Self::bare("puente gateway", lifetime) }
    }

    /// A gateway's own certificate for `localhost`, 127.0.0.1 and ::1.
    pub fn localhost(lifetime: SignedDuration) -> Self {
        let names = vec![
            Name::Dns("localhost".into()),
            Name::Ip(std::net::Ipv4Addr::LOCALHOST.into()),
            Name::Ip(std::net::Ipv6Addr::LOCALHOST.into()),
        ];
        Self::server(names, lifetime)
    }

    /// A partner's certificate: SAN URI [`partner_uri`], clientAuth.
    pub fn client(partner: &str, lifetime: SignedDuration) -> Self {
        Self {
            names: vec![Name::Uri(partner_uri(partner))],
            usages: vec![Usage::Client],
            ..Self::bare(partner, lifetime)
        }
    }

    /// A certificate with a common name and nothing else.
    pub fn bare(common_name: &str, lifetime: SignedDuration) -> Self {
        Self {
            common_name: common_name.to_owned(),
            organization: None,
            names: Vec::new(),
            usages: Vec::new(),
            // Clocks differ between machines; a certificate is good for peers a little behind.
            starts_in: SignedDuration::from_mins(-5),
            ends_in: lifetime,
        }
    }
}

impl Name {
    fn to_san(&self) -> Result<SanType, rcgen::Error> {
        Ok(match self {
            Self::Dns(v) => SanType::DnsName(v.as_str().try_into()?),
            Self::Ip(v) => SanType::IpAddress(*v),
            Self::Uri(v) => SanType::URI(v.as_str().try_into()?),
            Self::Email(v) => SanType::Rfc822Name(v.as_str().try_into()?),
        })
    }
}

impl Usage {
    fn purpose(self) -> ExtendedKeyUsagePurpose {
        match self {
            Self::Client => ExtendedKeyUsagePurpose::ClientAuth,
            Self::Server => ExtendedKeyUsagePurpose::ServerAuth,
        }
    }
}

/// Writes a file only its owner can read (0600), durably and in one step: another reader
/// sees the old content or the new, never a part.
pub fn write_secret(path: &Path, content: &str) -> Result<(), PkiError> {
    write_atomically(path, content, 0o600)
}

/// Writes a file everyone can read (0644), durably and in one step.
pub fn write_public(path: &Path, content: &str) -> Result<(), PkiError> {
    write_atomically(path, content, 0o644)
}

#[allow(clippy::needless_update, reason = "the mode is set on unix only")]
fn write_atomically(path: &Path, content: &str, mode: u32) -> Result<(), PkiError> {
    let failed = |source| PkiError::File { path: path.display().to_string(), source };
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(".new");
    let aside = path.with_file_name(name);
    let mut options = OpenOptions::new();
    // Never through a link that somebody else put there.
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, mode);
    // A left-over of a broken run may have a wider mode, which opening again would keep.
    let _ = fs::remove_file(&aside);
    let mut file = options.open(&aside).map_err(failed)?;
    file.write_all(content.as_bytes()).and_then(|()| file.sync_all()).map_err(failed)?;
    fs::rename(&aside, path).map_err(failed)?;
    if let Some(Ok(folder)) = path.parent().map(fs::File::open) {
        folder.sync_all().map_err(failed)?;
    }
    Ok(())
}

fn distinguished_name(common_name: &str, organization: Option<&str>) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    if let Some(organization) = organization {
        name.push(DnType::OrganizationName, organization);
    }
    name.push(DnType::CommonName, common_name);
    name
}

/// Sixteen random bytes, the first neither zero nor with its high bit set, so that the DER
/// INTEGER holds exactly these bytes.
fn fresh_serial(env: &Env) -> SerialNumber {
    let mut bytes = env.ids.random()[..16].to_vec();
    // Test generators count in the first bytes: a reversed order keeps every serial different.
    bytes.reverse();
    bytes[0] = (bytes[0] & 0x7f) | 0x40;
    SerialNumber::from_slice(&bytes)
}

fn x509_time<T: From<SystemTime>>(at: Timestamp) -> T {
    let seconds = Duration::from_secs(at.as_second().max(0).unsigned_abs());
    T::from(SystemTime::UNIX_EPOCH + seconds)
}

fn first_block(what: &'static str, pem: &str) -> Result<Vec<u8>, PkiError> {
    let (_, block) = x509_parser::pem::parse_x509_pem(pem.as_bytes())
        .map_err(|e| unreadable(what, e.to_string()))?;
    Ok(block.contents)
}

fn unreadable(what: &'static str, why: String) -> PkiError {
    PkiError::Read { what, why }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: SignedDuration = SignedDuration::from_hours(24);

    #[test]
    fn an_authority_survives_its_pem_form() {
        let env = Env::system();
        let made = Authority::create(&env, "Puente development CA", DAY).unwrap();
        let again = Authority::from_pem(made.certificate_pem(), made.key_pem()).unwrap();
        let issued = again.issue(&env, &Profile::client("registry", DAY)).unwrap();
        assert_eq!(Serial::of_certificate(&issued.certificate_pem).unwrap(), issued.serial);
        let der = first_block("certificate", &issued.certificate_pem).unwrap();
        let (_, leaf) = x509_parser::parse_x509_certificate(&der).unwrap();
        let der = first_block("certificate", made.certificate_pem()).unwrap();
        let (_, root) = x509_parser::parse_x509_certificate(&der).unwrap();
        assert_eq!(leaf.issuer().as_raw(), root.subject().as_raw());
        assert!(leaf.extended_key_usage().unwrap().unwrap().value.client_auth);
    }

    #[test]
    fn a_revocation_list_reads_back_as_written() {
        let env = Env::system();
        let authority = Authority::create(&env, "Puente development CA", DAY).unwrap();
        let issued = authority.issue(&env, &Profile::client("customs", DAY)).unwrap();
        let now = Timestamp::from_second(env.now().as_second()).unwrap();
        let mut list = RevocationList::default();
        list.revoke(issued.serial.clone(), now);
        list.revoke(issued.serial.to_string().parse().unwrap(), now);
        let pem = authority.sign_list(&env, &list, DAY).unwrap();
        let read = RevocationList::from_pem(&pem).unwrap();
        assert_eq!(read, list);
        assert_eq!((read.number, read.revoked.len()), (2, 1));
    }

    #[cfg(unix)]
    #[test]
    fn a_secret_is_its_owners_alone_even_where_a_wider_file_stood() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ca.key.pem");
        write_public(&path, "old").unwrap();
        write_secret(&path, "new").unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_to_string(&path).unwrap(), "new");
    }
}
