//! Which authorities must clear goods, and whose certificates they need.
//!
//! Enters: a tariff code, a country, a day. Leaves: a [`Requirement`]. The rules are dated rows of
//! data: those here are the default, and the reference table `certificates` replaces them.

use std::collections::BTreeSet;

use jiff::civil::Date;

use super::certificate::CertificateIssuer;
use super::fault::Fault;
use super::ncm::NcmCode;
use super::partner::Authority;
use super::period::Validity;
use super::place::CountryCode;
use super::reference::ReferenceTable;

/// What goods need before they may be sold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requirement {
    /// Who must clear them; customs always.
    pub authorities: BTreeSet<Authority>,
    /// Of whom they need a certificate that is good.
    pub issuers: BTreeSet<CertificateIssuer>,
}

/// The rules of all goods.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requirements(Vec<Rule>);

/// A rule for codes that begin with `prefix`; of several the longest prefix counts.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Rule {
    prefix: String,
    /// Whose certificate is needed: everywhere (`None`), or for one country besides.
    issuers: Vec<(Option<CountryCode>, CertificateIssuer)>,
    validity: Validity,
}

/// What the agencies' public duties come to, by chapter or heading. Undated, as none of them has
/// changed since the registry became electronic; a change is a row of the reference table.
const DEFAULT: &[(&str, &str, &str)] = &[
    // prefix, issuers everywhere, issuers for China
    ("02", "SENASA", "GACC"),
    ("03", "SENASA", "GACC"),
    ("04", "SENASA", "GACC"),
    ("05", "SENASA", ""),
    ("07", "SENASA", ""),
    ("08", "SENASA", ""),
    ("09", "INAL", ""),
    ("10", "SENASA", ""),
    ("11", "INAL", ""),
    ("12", "INAL", ""),
    ("15", "INAL", ""),
    ("16", "SENASA", ""),
    ("17", "INAL", ""),
    ("18", "INAL", ""),
    ("19", "INAL", ""),
    ("20", "INAL", ""),
    ("21", "INAL", ""),
    ("22", "INAL", ""),
    ("2204", "INV", ""),
];

impl Default for Requirements {
    fn default() -> Self {
        let rules = DEFAULT.iter().map(|(prefix, everywhere, china)| Rule {
            prefix: (*prefix).to_owned(),
            issuers: issuers(everywhere)
                .map(|issuer| (None, issuer))
                .chain(issuers(china).map(|issuer| ("CN".parse().ok(), issuer)))
                .collect(),
            validity: Validity::default(),
        });
        Self(rules.collect())
    }
}

/// The names in a list parted by spaces or commas; none of [`DEFAULT`] is unknown, see the test.
fn issuers(names: &str) -> impl Iterator<Item = CertificateIssuer> + '_ {
    names.split([' ', ',']).filter_map(|name| name.parse().ok())
}

impl Requirements {
    /// The rules of the reference table `certificates`: code is a prefix of 2 to 8 digits,
    /// attribute `issuers` names whose certificate is needed, `issuers.CN` whose besides for
    /// China; several are parted by spaces or commas.
    ///
    /// # Errors
    /// `TABLE_FAULTY`, naming the row.
    pub fn from_table(table: &ReferenceTable) -> Result<Self, Fault> {
        let mut rules = Vec::with_capacity(table.rows.len());
        for row in &table.rows {
            let faulty = |what: String| {
                Fault::malformed("TABLE_FAULTY", format!("row {}: {what}", row.code))
            };
            let prefix: String = row.code.chars().filter(|c| *c != '.').collect();
            let sound =
                (2..=8).contains(&prefix.len()) && prefix.bytes().all(|byte| byte.is_ascii_digit());
            if !sound {
                return Err(faulty("the code is not 2 to 8 digits of the tariff".to_owned()));
            }
            let mut issuers = Vec::new();
            for (name, value) in &row.attributes {
                let country = match name.strip_prefix("issuers") {
                    Some("") => None,
                    Some(rest) => match rest.strip_prefix('.').map(str::parse) {
                        Some(Ok(country)) => Some(country),
                        Some(Err(_)) | None => {
                            return Err(faulty(format!("{name} names no country")));
                        }
                    },
                    None => continue,
                };
                for issuer in value.split([' ', ',']).filter(|name| !name.is_empty()) {
                    let issuer: CertificateIssuer =
                        issuer.parse().map_err(|fault: Fault| faulty(fault.message))?;
                    issuers.push((country, issuer));
                }
            }
            let validity = Validity { from: row.valid_from, to: row.valid_to };
            rules.push(Rule { prefix, issuers, validity });
        }
        Ok(Self(rules))
    }

    /// What goods of `ncm` need on `day` when bound for `country` (`None`: not known).
    pub fn of(&self, ncm: NcmCode, country: Option<CountryCode>, day: Date) -> Requirement {
        let digits = ncm.digits();
        let rule = self
            .0
            .iter()
            .filter(|rule| digits.starts_with(&rule.prefix) && rule.validity.holds_on(day))
            .max_by_key(|rule| rule.prefix.len());
        let issuers: BTreeSet<_> = rule
            .iter()
            .flat_map(|rule| &rule.issuers)
            .filter(|(only, _)| only.is_none() || *only == country)
            .map(|(_, issuer)| *issuer)
            .collect();
        let authorities = std::iter::once(Authority::Customs)
            .chain(issuers.iter().filter_map(|issuer| authority(*issuer)))
            .collect();
        Requirement { authorities, issuers }
    }
}

/// The authority that clears what it certifies; the Chinese one has no part here.
const fn authority(issuer: CertificateIssuer) -> Option<Authority> {
    match issuer {
        CertificateIssuer::Inv => Some(Authority::Inv),
        CertificateIssuer::Senasa => Some(Authority::Senasa),
        CertificateIssuer::Inal => Some(Authority::Inal),
        CertificateIssuer::Gacc => None,
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::super::reference::ReferenceRow;
    use super::*;

    const DAY: Date = date(2026, 11, 24);

    fn needs(
        rules: &Requirements,
        ncm: &str,
        country: &str,
    ) -> (Vec<&'static str>, Vec<&'static str>) {
        let needed = rules.of(ncm.parse().unwrap(), country.parse().ok(), DAY);
        (
            needed.authorities.iter().map(|a| a.as_str()).collect(),
            needed.issuers.iter().map(|i| i.as_str()).collect(),
        )
    }

    #[test]
    fn goods_need_what_the_agencies_duties_say() {
        let rules = Requirements::default();
        for (ncm, country, authorities, issuers) in [
            ("2204.21.00", "CN", vec!["CUSTOMS", "INV"], vec!["INV"]),
            ("2203.00.00", "CN", vec!["CUSTOMS", "INAL"], vec!["INAL"]),
            ("0306.17.90", "CN", vec!["CUSTOMS", "SENASA"], vec!["SENASA", "GACC"]),
            ("0306.17.90", "GB", vec!["CUSTOMS", "SENASA"], vec!["SENASA"]),
            ("0306.17.90", "", vec!["CUSTOMS", "SENASA"], vec!["SENASA"]),
            ("0903.00.90", "CN", vec!["CUSTOMS", "INAL"], vec!["INAL"]),
            ("4202.21.00", "CN", vec!["CUSTOMS"], vec![]),
        ] {
            assert_eq!(needs(&rules, ncm, country), (authorities, issuers), "{ncm} {country}");
        }
    }

    #[test]
    fn the_default_names_known_issuers_only() {
        for (prefix, everywhere, china) in DEFAULT {
            assert_eq!(issuers(everywhere).count(), 1, "{prefix}");
            assert_eq!(issuers(china).count(), usize::from(!china.is_empty()), "{prefix}");
        }
    }

    #[test]
    fn a_table_replaces_the_default_and_its_dates_count() {
        let row = |code: &str, name: &str, value: &str, from| ReferenceRow {
            code: code.to_owned(),
            title_es: String::new(),
            title_en: String::new(),
            attributes: [(name.to_owned(), value.to_owned())].into(),
            valid_from: from,
            valid_to: None,
        };
        let table = |rows| ReferenceTable {
            id: "certificates".to_owned(),
            version: "1".to_owned(),
            source: "test".to_owned(),
            loaded_at: jiff::Timestamp::UNIX_EPOCH,
            rows,
        };
        let rules = Requirements::from_table(&table(vec![
            row("22.04", "issuers", "INV,INAL", None),
            row("2204.21.00", "issuers", "SENASA", Some(date(2027, 1, 1))),
        ]))
        .unwrap();
        assert_eq!(needs(&rules, "2204.21.00", "CN").1, ["INV", "INAL"]);
        for (code, name, value) in
            [("x", "issuers", "INV"), ("22", "issuers", "AFIP"), ("22", "issuers.XX", "INV")]
        {
            let fault = Requirements::from_table(&table(vec![row(code, name, value, None)]));
            assert_eq!(fault.unwrap_err().reason, "TABLE_FAULTY");
        }
    }
}
