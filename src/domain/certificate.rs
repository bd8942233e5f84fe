//! Certificates that goods carry: who issued them, number, last day.
//!
//! Enters: `ISSUER:NUMBER:VALID_TO`, or the parts. Leaves: a [`Certificate`]. Which goods need
//! which stands in [`requirements`](super::requirements).

use std::fmt;
use std::str::FromStr;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::fault::{Fault, InField};
use super::partner::Authority;
use super::period::day;
use super::wording::quoted;

named_enum! {
    /// Who issues certificates for goods.
    pub enum CertificateIssuer ("an issuer of certificates", "INVALID_CERTIFICATE") {
        /// Instituto Nacional de Vitivinicultura: export aptitude of wine.
        Inv = "INV",
        /// Servicio Nacional de Sanidad y Calidad Agroalimentaria: animal and plant products.
        Senasa = "SENASA",
        /// Instituto Nacional de Alimentos: packed food (RNE, RNPA).
        Inal = "INAL",
        /// General Administration of Customs of China: overseas food producers.
        Gacc = "GACC",
    }
}

impl CertificateIssuer {
    /// The authority here that certifies and clears; the Chinese one has no part here.
    pub const fn authority(self) -> Option<Authority> {
        match self {
            Self::Inv => Some(Authority::Inv),
            Self::Senasa => Some(Authority::Senasa),
            Self::Inal => Some(Authority::Inal),
            Self::Gacc => None,
        }
    }
}

/// A certificate; written `INV:INV-2026-004512:2027-03-31`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "Raw")]
pub struct Certificate {
    issuer: CertificateIssuer,
    number: String,
    valid_to: Date,
}

#[derive(Deserialize)]
struct Raw {
    issuer: CertificateIssuer,
    number: String,
    valid_to: Date,
}

impl TryFrom<Raw> for Certificate {
    type Error = Fault;

    fn try_from(raw: Raw) -> Result<Self, Fault> {
        Self::new(raw.issuer, &raw.number, raw.valid_to)
    }
}

impl Certificate {
    /// A certificate that is good until the end of `valid_to`.
    ///
    /// # Errors
    /// `INVALID_CERTIFICATE` on `number` unless it is 1 to 64 printable ASCII characters without
    /// spaces.
    pub fn new(issuer: CertificateIssuer, number: &str, valid_to: Date) -> Result<Self, Fault> {
        let sound =
            (1..=64).contains(&number.len()) && number.bytes().all(|b| b.is_ascii_graphic());
        if !sound {
            return Err(Fault::malformed(
                "INVALID_CERTIFICATE",
                format!(
                    "{} is not a certificate's number; give it as printed, 1 to 64 ASCII \
                     characters without spaces",
                    quoted(number)
                ),
            )
            .at("number"));
        }
        Ok(Self { issuer, number: number.to_owned(), valid_to })
    }

    /// Who issued it.
    pub fn issuer(&self) -> CertificateIssuer {
        self.issuer
    }

    /// Its number as printed.
    pub fn number(&self) -> &str {
        &self.number
    }

    /// The last day on which it is good.
    pub fn valid_to(&self) -> Date {
        self.valid_to
    }

    /// Whether it is good on `day`.
    pub fn is_valid_on(&self, day: Date) -> bool {
        day <= self.valid_to
    }

    /// Whether the number is of the form that its issuer uses today. Older ones have other forms,
    /// so this is worth a warning, not a refusal. Known for GACC only: `CARG` and 14 digits.
    pub fn has_current_form(&self) -> bool {
        match self.issuer {
            CertificateIssuer::Gacc => self.number.strip_prefix("CARG").is_some_and(|digits| {
                digits.len() == 14 && digits.bytes().all(|b| b.is_ascii_digit())
            }),
            CertificateIssuer::Inv | CertificateIssuer::Senasa | CertificateIssuer::Inal => true,
        }
    }
}

impl fmt::Display for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.issuer, self.number, self.valid_to)
    }
}

impl FromStr for Certificate {
    type Err = Fault;

    fn from_str(text: &str) -> Result<Self, Fault> {
        let parts = text
            .split_once(':')
            .and_then(|(issuer, rest)| rest.rsplit_once(':').map(|(n, to)| (issuer, n, to)));
        let Some((issuer, number, valid_to)) = parts else {
            return Err(Fault::malformed(
                "INVALID_CERTIFICATE",
                format!(
                    "{} is not a certificate; write ISSUER:NUMBER:VALID_TO, as \
                     INV:INV-2026-004512:2027-03-31, several joined by ;",
                    quoted(text)
                ),
            ));
        };
        Self::new(issuer.parse().at("issuer")?, number, day(valid_to).at("valid_to")?)
    }
}

#[cfg(test)]
mod tests {
    use jiff::ToSpan;
    use jiff::civil::date;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn parses_what_it_prints(issuer in 0..4usize, number in "[!-~]{1,64}", days in 0i32..60_000) {
            let valid_to = date(1950, 1, 1).saturating_add(days.days());
            let certificate =
                Certificate::new(CertificateIssuer::ALL[issuer], &number, valid_to).unwrap();
            prop_assert_eq!(certificate.to_string().parse::<Certificate>().unwrap(), certificate.clone());
            let json = serde_json::to_string(&certificate).unwrap();
            prop_assert_eq!(serde_json::from_str::<Certificate>(&json).unwrap(), certificate);
        }
    }

    #[test]
    fn faults_name_the_part() {
        for (text, field) in [
            ("INV", None),
            ("INV:1", None),
            ("AFIP:1:2026-01-01", Some("issuer")),
            ("INV::2026-01-01", Some("number")),
            ("INV:1 2:2026-01-01", Some("number")),
            ("INV:1:2026-13-01", Some("valid_to")),
        ] {
            let fault = text.parse::<Certificate>().unwrap_err();
            assert_eq!(fault.field.as_deref(), field, "{text}");
        }
    }

    #[test]
    fn it_is_good_through_its_last_day_and_old_forms_are_known() {
        let gacc: Certificate = "GACC:CARG12345678901234:2026-12-31".parse().unwrap();
        assert!(gacc.is_valid_on(date(2026, 12, 31)) && !gacc.is_valid_on(date(2027, 1, 1)));
        assert!(gacc.has_current_form());
        assert!(!"GACC:32001:2026-12-31".parse::<Certificate>().unwrap().has_current_form());
    }
}
