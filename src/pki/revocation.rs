//! What an authority took back: serial numbers and the lists of them.
//!
//! Enters: PEM text and serial numbers. Leaves: the content of a list, to be signed by
//! [`Authority`](super::Authority). It knows nothing of keys.

use jiff::Timestamp;
use rcgen::{RevocationReason, RevokedCertParams, SerialNumber};
use x509_parser::prelude::FromDer as _;

use super::{PkiError, first_block, unreadable, x509_time};

/// A certificate's serial number; shown and read as lower-case hexadecimal.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Serial(Vec<u8>);

/// One certificate taken back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revoked {
    /// Whose.
    pub serial: Serial,
    /// When the authority took it back.
    pub at: Timestamp,
}

/// The content of a revocation list;
/// [`Authority::sign_list`](super::Authority::sign_list) makes it a signed one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RevocationList {
    /// Grows by one with every list the authority signs.
    pub number: u64,
    /// Every certificate taken back so far.
    pub revoked: Vec<Revoked>,
}

impl Serial {
    /// The serial number of the first certificate in `pem`.
    pub fn of_certificate(pem: &str) -> Result<Self, PkiError> {
        let der = first_block("certificate", pem)?;
        let (_, certificate) = x509_parser::parse_x509_certificate(&der)
            .map_err(|e| unreadable("certificate", e.to_string()))?;
        Ok(Self::from_der_integer(certificate.raw_serial()))
    }

    /// From the content of a DER INTEGER, whose leading zero only keeps it positive.
    pub(crate) fn from_der_integer(raw: &[u8]) -> Self {
        let start = raw.iter().position(|b| *b != 0).unwrap_or(raw.len());
        Self(raw[start..].to_vec())
    }
}

impl std::fmt::Display for Serial {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&hex::encode(&self.0))
    }
}

impl std::str::FromStr for Serial {
    type Err = PkiError;

    fn from_str(text: &str) -> Result<Self, PkiError> {
        let bytes =
            hex::decode(text.replace(':', "")).map_err(|e| unreadable("serial", e.to_string()))?;
        if bytes.is_empty() || bytes.len() > 20 {
            return Err(unreadable("serial", "1 to 20 bytes are expected".into()));
        }
        Ok(Self::from_der_integer(&bytes))
    }
}

impl RevocationList {
    /// What a signed list says, without checking its signature: for the authority's own.
    pub fn from_pem(pem: &str) -> Result<Self, PkiError> {
        let what = "revocation list";
        let der = first_block(what, pem)?;
        let (_, list) = x509_parser::revocation_list::CertificateRevocationList::from_der(&der)
            .map_err(|e| unreadable(what, e.to_string()))?;
        let number = list.crl_number().and_then(|n| u64::try_from(n).ok()).unwrap_or(0);
        let revoked = list
            .iter_revoked_certificates()
            .map(|entry| {
                let at = Timestamp::from_second(entry.revocation_date.timestamp())
                    .map_err(|e| unreadable(what, e.to_string()))?;
                Ok(Revoked { serial: Serial::from_der_integer(entry.raw_serial()), at })
            })
            .collect::<Result<_, PkiError>>()?;
        Ok(Self { number, revoked })
    }

    /// Takes `serial` back as of `at` and moves the number on; again is harmless.
    pub fn revoke(&mut self, serial: Serial, at: Timestamp) {
        if !self.revoked.iter().any(|r| r.serial == serial) {
            self.revoked.push(Revoked { serial, at });
        }
        self.number += 1;
    }
}

impl Revoked {
    pub(super) fn params(&self) -> RevokedCertParams {
        RevokedCertParams {
            serial_number: SerialNumber::from_slice(&self.serial.0),
            revocation_time: x509_time(self.at),
            reason_code: Some(RevocationReason::Unspecified),
            invalidity_date: None,
        }
    }
}
