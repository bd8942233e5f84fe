//! Who is at the other end of a connection, as its certificate says.
//!
//! Enters: the certificate chain that TLS has verified. Leaves: a [`PeerIdentity`],
//! made once for each connection and put into the extensions of each request on it.
//! It knows nothing of partners: which one these names stand for is the directory's.

use std::net::SocketAddr;
use std::sync::Arc;

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use rustls_pki_types::CertificateDer;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::x509::X509Name;

use crate::domain::identity::{CertificateIdentity, IdentityKind};
use crate::pki::Serial;

/// The verified certificate of a connection and where it comes from.
#[derive(Clone, Debug)]
pub struct PeerIdentity(Arc<Facts>);

#[derive(Debug)]
struct Facts {
    thumbprint: [u8; 32],
    thumbprint_text: String,
    identities: Vec<CertificateIdentity>,
    subject: String,
    serial: Serial,
    not_after: Timestamp,
    address: SocketAddr,
}

/// A verified certificate that cannot be read all the same.
#[derive(Debug, thiserror::Error)]
#[error("client certificate cannot be read: {0}")]
pub struct UnreadableCertificate(String);

impl PeerIdentity {
    /// Reads the leaf of a chain that TLS has verified.
    ///
    /// # Errors
    /// If the leaf is not X.509, which a verified one never is.
    pub fn from_leaf(
        leaf: &CertificateDer<'_>,
        address: SocketAddr,
    ) -> Result<Self, UnreadableCertificate> {
        let (_, certificate) = x509_parser::parse_x509_certificate(leaf)
            .map_err(|e| UnreadableCertificate(e.to_string()))?;
        let not_after = certificate.validity().not_after.timestamp();
        let thumbprint = sha256(leaf);
        let subject = distinguished_name(certificate.subject());
        Ok(Self(Arc::new(Facts {
            thumbprint,
            thumbprint_text: URL_SAFE_NO_PAD.encode(thumbprint),
            identities: identities(&certificate, &subject),
            subject,
            serial: Serial::from_der_integer(certificate.raw_serial()),
            not_after: Timestamp::from_second(not_after).unwrap_or(Timestamp::MAX),
            address,
        })))
    }

    /// SHA-256 over the DER of the certificate.
    pub fn thumbprint_bytes(&self) -> &[u8; 32] {
        &self.0.thumbprint
    }

    /// The same as base64url without padding, as `cnf["x5t#S256"]` has it (RFC 8705).
    pub fn thumbprint(&self) -> &str {
        &self.0.thumbprint_text
    }

    /// Every name the certificate offers, by which a partner may be registered.
    pub fn identities(&self) -> &[CertificateIdentity] {
        &self.0.identities
    }

    /// The subject, RFC 4514; for people, and only where personal data may stand.
    pub fn subject(&self) -> &str {
        &self.0.subject
    }

    /// The serial number, by which its authority can take the certificate back.
    pub fn serial(&self) -> &Serial {
        &self.0.serial
    }

    /// The last moment the certificate is valid.
    pub fn not_after(&self) -> Timestamp {
        self.0.not_after
    }

    /// Where the connection comes from.
    pub fn address(&self) -> SocketAddr {
        self.0.address
    }
}

/// SHA-256 of `bytes`.
pub(super) fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(digest::digest(&digest::SHA256, bytes).as_ref());
    out
}

fn identities(certificate: &X509Certificate<'_>, subject: &str) -> Vec<CertificateIdentity> {
    let mut found = Vec::new();
    if !subject.is_empty() {
        found.extend(CertificateIdentity::new(IdentityKind::SubjectDn, subject).ok());
    }
    let Ok(Some(names)) = certificate.subject_alternative_name() else { return found };
    for name in &names.value.general_names {
        let (kind, value) = match name {
            GeneralName::DNSName(value) => (IdentityKind::SanDns, value),
            GeneralName::URI(value) => (IdentityKind::SanUri, value),
            GeneralName::RFC822Name(value) => (IdentityKind::SanEmail, value),
            _ => continue,
        };
        // A name that breaks the rules of its kind can be nobody's registered one.
        if let Ok(identity) = CertificateIdentity::new(kind, value)
            && !found.contains(&identity)
        {
            found.push(identity);
        }
    }
    found
}

/// The subject as RFC 4514 writes it: last RDN first, specials escaped, so that no two
/// different subjects read the same. (The parser's own form does neither.)
fn distinguished_name(name: &X509Name<'_>) -> String {
    let rdns: Vec<_> = name.iter_rdn().collect();
    let mut text = String::new();
    for rdn in rdns.into_iter().rev() {
        if !text.is_empty() {
            text.push(',');
        }
        for (n, attribute) in rdn.iter().enumerate() {
            if n > 0 {
                text.push('+');
            }
            let oid = attribute.attr_type().to_id_string();
            let keyword = keyword(&oid);
            match (keyword, attribute.as_str()) {
                (Ok(keyword), Ok(value)) => {
                    text.push_str(keyword);
                    text.push('=');
                    escape_value(&mut text, value);
                }
                // RFC 4514, 2.4: a type without a keyword has its value as hexadecimal.
                (Ok(oid) | Err(oid), _) => {
                    text.push_str(oid);
                    text.push_str("=#");
                    text.push_str(&hex::encode(attribute.attr_value().data));
                }
            }
        }
    }
    text
}

/// The keyword of RFC 4514, section 3, for an attribute type, or the type itself.
fn keyword(oid: &str) -> Result<&'static str, &str> {
    Ok(match oid {
        "2.5.4.3" => "CN",
        "2.5.4.7" => "L",
        "2.5.4.8" => "ST",
        "2.5.4.10" => "O",
        "2.5.4.11" => "OU",
        "2.5.4.6" => "C",
        "2.5.4.9" => "STREET",
        "0.9.2342.19200300.100.1.25" => "DC",
        "0.9.2342.19200300.100.1.1" => "UID",
        _ => return Err(oid),
    })
}

fn escape_value(text: &mut String, value: &str) {
    let last = value.chars().count().saturating_sub(1);
    for (n, c) in value.chars().enumerate() {
        match c {
            '"' | '+' | ',' | ';' | '<' | '>' | '\\' => {
                text.push('\\');
                text.push(c);
            }
            '#' if n == 0 => text.push_str("\\#"),
            ' ' if n == 0 || n == last => text.push_str("\\ "),
            c if c.is_control() => {
                let mut bytes = [0; 4];
                for byte in c.encode_utf8(&mut bytes).bytes() {
                    text.push_str(&format!("\\{byte:02x}"));
                }
            }
            c => text.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;
    use rustls_pki_types::pem::PemObject as _;

    use super::*;
    use crate::clock::Env;
    use crate::pki::{Authority, Name, Profile};

    fn peer(change: impl FnOnce(&mut Profile)) -> PeerIdentity {
        let (env, hour) = (Env::system(), SignedDuration::from_hours(1));
        let authority = Authority::create(&env, "Test CA", hour).unwrap();
        let mut profile = Profile::client("customs", hour);
        change(&mut profile);
        let issued = authority.issue(&env, &profile).unwrap();
        let leaf = CertificateDer::from_pem_slice(issued.certificate_pem.as_bytes()).unwrap();
        let peer = PeerIdentity::from_leaf(&leaf, "127.0.0.1:1".parse().unwrap()).unwrap();
        assert_eq!(peer.serial(), &issued.serial);
        assert_eq!(peer.not_after().as_second(), issued.not_after.as_second());
        peer
    }

    fn offered(peer: &PeerIdentity) -> Vec<String> {
        peer.identities().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn every_kind_of_name_is_offered_once_and_nothing_else() {
        let peer = peer(|profile| {
            profile.organization = Some("Aduana".into());
            profile.names.push(Name::Dns("API.aduana.example".into()));
            profile.names.push(Name::Dns("api.aduana.example".into()));
            profile.names.push(Name::Email("it@aduana.example".into()));
            profile.names.push(Name::Ip([10, 0, 0, 1].into()));
        });
        assert_eq!(
            offered(&peer),
            [
                "subject_dn:CN=customs,O=Aduana",
                "san_uri:urn:puente:partner:customs",
                "san_dns:api.aduana.example",
                "san_email:it@aduana.example",
            ]
        );
    }

    #[test]
    fn a_value_that_looks_like_two_attributes_reads_as_one() {
        let forged = peer(|profile| profile.common_name = "x,O=Aduana".into());
        let real = peer(|profile| {
            profile.common_name = "x".into();
            profile.organization = Some("Aduana".into());
        });
        assert_eq!(forged.subject(), "CN=x\\,O=Aduana");
        assert_eq!(real.subject(), "CN=x,O=Aduana");
        let spaced = peer(|profile| profile.common_name = " #a\"+;<>\\\n ".into());
        assert_eq!(spaced.subject(), "CN=\\ #a\\\"\\+\\;\\<\\>\\\\\\0a\\ ");
    }
}
