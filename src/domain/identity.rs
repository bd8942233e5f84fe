//! The one attribute of a certificate that names a partner.
//!
//! Enters: an attribute's kind and value, as the gate read them from a certificate or as an
//! operator registered them. Leaves: a [`CertificateIdentity`] to compare. It must not know X.509.

use std::fmt;
use std::str::FromStr;

use super::fault::Fault;
use super::wording::quoted;

named_enum! {
    /// The kinds of attribute that can name a partner (RFC 8705, 2.1.2, without the IP address).
    pub enum IdentityKind ("a kind of certificate identity", "INVALID_CERTIFICATE_IDENTITY") {
        /// The whole subject, in the text form of RFC 4514.
        SubjectDn = "subject_dn",
        /// A DNS name among the subject's alternative names.
        SanDns = "san_dns",
        /// A URI among the subject's alternative names.
        SanUri = "san_uri",
        /// A mail address among the subject's alternative names.
        SanEmail = "san_email",
    }
}

/// An attribute of a certificate that names a partner; written `san_uri:urn:puente:partner:inv`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CertificateIdentity {
    kind: IdentityKind,
    value: String,
}

impl CertificateIdentity {
    /// The longest value, in bytes.
    pub const MAX_BYTES: usize = 512;

    /// An identity; DNS names are compared in lower case and so kept.
    ///
    /// # Errors
    /// `INVALID_CERTIFICATE_IDENTITY` if the value is empty, over 512 bytes, or holds a control
    /// character or outer spaces.
    pub fn new(kind: IdentityKind, value: &str) -> Result<Self, Fault> {
        let refuse = |what: &str| {
            Err(Fault::malformed(
                "INVALID_CERTIFICATE_IDENTITY",
                format!(
                    "{} {what}; give the attribute as it stands in the certificate",
                    quoted(value)
                ),
            ))
        };
        if value.is_empty() {
            return refuse("names nobody");
        }
        if value.len() > Self::MAX_BYTES {
            return refuse("is longer than 512 bytes");
        }
        if value.chars().any(char::is_control) {
            return refuse("holds a control character");
        }
        if value.trim() != value {
            return refuse("begins or ends with a space");
        }
        let value = match kind {
            IdentityKind::SanDns => value.to_ascii_lowercase(),
            IdentityKind::SubjectDn | IdentityKind::SanUri | IdentityKind::SanEmail => {
                value.to_owned()
            }
        };
        Ok(Self { kind, value })
    }

    /// The kind of attribute.
    pub fn kind(&self) -> IdentityKind {
        self.kind
    }

    /// The attribute's value.
    pub fn value(&self) -> &str {
        &self.value
    }
}

impl fmt::Display for CertificateIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.kind, self.value)
    }
}

impl FromStr for CertificateIdentity {
    type Err = Fault;

    fn from_str(text: &str) -> Result<Self, Fault> {
        match text.split_once(':') {
            Some((kind, value)) => Self::new(kind.parse()?, value),
            None => Err(Fault::malformed(
                "INVALID_CERTIFICATE_IDENTITY",
                format!(
                    "{} is not of the form KIND:VALUE, for example \
                     san_uri:urn:puente:partner:marketplace",
                    quoted(text)
                ),
            )),
        }
    }
}

serde_as_text!(CertificateIdentity);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn parses_what_it_prints(kind in 0..4usize, value in "[!-~]([ -~]{0,40}[!-~])?") {
            let identity = CertificateIdentity::new(IdentityKind::ALL[kind], &value).unwrap();
            prop_assert_eq!(identity.to_string().parse::<CertificateIdentity>().unwrap(), identity);
        }
    }

    #[test]
    fn refuses_what_no_certificate_should_say() {
        for text in ["san_uri:", "san_ip:10.0.0.1", "urn", "san_dns:a\u{0}b", "san_dns: a"] {
            let fault = text.parse::<CertificateIdentity>().unwrap_err();
            assert_eq!(fault.reason, "INVALID_CERTIFICATE_IDENTITY", "{text}");
        }
    }

    #[test]
    fn dns_names_compare_without_case() {
        let one: CertificateIdentity = "san_dns:API.Example.org".parse().unwrap();
        assert_eq!(one, "san_dns:api.example.org".parse().unwrap());
    }
}
