//! Which authorities must clear goods, and whose certificates they need.
//!
//! Enters: a tariff code, a country, a mode of entry, a day. Leaves: a [`Requirement`]. The rules
//! are dated rows of data: those here are the default, and the reference table `certificates`
//! replaces them.

use std::collections::BTreeSet;

use jiff::civil::Date;

use super::certificate::CertificateIssuer;
use super::fault::Fault;
use super::ncm::NcmCode;
use super::offer::EntryMode;
use super::partner::Authority;
use super::period::Validity;
use super::place::CountryCode;
use super::reference::{ReferenceRow, ReferenceTable};
use super::rule_table::{CellFault, RowFault, SOURCE, tariff_prefix};

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
    /// Whose certificate is needed.
    issuers: Vec<(Only, CertificateIssuer)>,
    /// Who must clear besides those whose certificate is needed.
    clears: Vec<(Only, Authority)>,
    validity: Validity,
}

/// For which goods a part of a rule holds; `None` is for all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Only {
    country: Option<CountryCode>,
    mode: Option<EntryMode>,
}

impl Only {
    /// Whether it holds for goods bound so; what is not known of them meets no condition.
    fn meets(self, country: Option<CountryCode>, mode: Option<EntryMode>) -> bool {
        (self.country.is_none() || self.country == country)
            && (self.mode.is_none() || self.mode == mode)
    }

    /// What follows the name of an attribute: nothing, `.CN`, `.BONDED`, or `.CN.BONDED`.
    fn parse(suffix: &str) -> Option<Self> {
        let mut only = Self::default();
        let mut parts = suffix.split('.');
        if !parts.next()?.is_empty() {
            return None;
        }
        for part in parts {
            match part.parse::<EntryMode>() {
                Ok(mode) if only.mode.is_none() => only.mode = Some(mode),
                Err(_) if only == Self::default() => only.country = Some(part.parse().ok()?),
                Ok(_) | Err(_) => return None,
            }
        }
        Some(only)
    }
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
        let china = Only { country: "CN".parse().ok(), mode: None };
        let rules = DEFAULT.iter().map(|(prefix, everywhere, in_china)| Rule {
            prefix: (*prefix).to_owned(),
            issuers: issuers(everywhere)
                .map(|issuer| (Only::default(), issuer))
                .chain(issuers(in_china).map(|issuer| (china, issuer)))
                .collect(),
            clears: Vec::new(),
            validity: Validity::default(),
        });
        Self(rules.collect())
    }
}

/// The names in a list; none of [`DEFAULT`] is unknown, see the test.
fn issuers(names: &str) -> impl Iterator<Item = CertificateIssuer> + '_ {
    listed(names).filter_map(|name| name.parse().ok())
}

/// The names in a list parted by spaces or commas.
fn listed(names: &str) -> impl Iterator<Item = &str> {
    names.split([' ', ',']).filter(|name| !name.is_empty())
}

impl Requirements {
    /// The rules of the reference table `certificates`, and what is wrong with its rows.
    ///
    /// The code is a beginning of a tariff code, 2 to 8 digits. The attribute `issuers` names whose
    /// certificate is needed, `clears` who must clear although no certificate of theirs is; either
    /// may be bound to a country, a mode of entry, or both, as `issuers.CN`, `clears.DIRECT_MAIL`,
    /// `issuers.CN.BONDED`, and then adds to what holds for all. Several names are parted by spaces
    /// or commas. `source` is the act that the row rests on.
    pub fn read(table: &ReferenceTable) -> (Self, Vec<RowFault>) {
        let (mut rules, mut faults) = (Vec::with_capacity(table.rows.len()), Vec::new());
        for (place, row) in table.rows.iter().enumerate() {
            match Rule::read(row) {
                Ok(rule) => rules.push(rule),
                Err((column, message)) => faults.push(RowFault { row: place, column, message }),
            }
        }
        (Self(rules), faults)
    }

    /// What goods of `ncm` need on `day` when bound for `country` and entering by `mode` (`None`:
    /// not known).
    pub fn of(
        &self,
        ncm: NcmCode,
        country: Option<CountryCode>,
        mode: Option<EntryMode>,
        day: Date,
    ) -> Requirement {
        let digits = ncm.digits();
        let rule = self
            .0
            .iter()
            .filter(|rule| digits.starts_with(&rule.prefix) && rule.validity.holds_on(day))
            .max_by_key(|rule| rule.prefix.len());
        let issuers: BTreeSet<_> = rule
            .iter()
            .flat_map(|rule| &rule.issuers)
            .filter(|(only, _)| only.meets(country, mode))
            .map(|(_, issuer)| *issuer)
            .collect();
        let clears = rule.iter().flat_map(|rule| &rule.clears);
        let authorities = std::iter::once(Authority::Customs)
            .chain(issuers.iter().filter_map(|issuer| issuer.authority()))
            .chain(clears.filter(|(only, _)| only.meets(country, mode)).map(|(_, one)| *one))
            .collect();
        Requirement { authorities, issuers }
    }

    /// The days after `day` on which other rules may begin to hold for goods of `ncm`.
    pub fn turns(&self, ncm: NcmCode, day: Date) -> impl Iterator<Item = Date> {
        let digits = ncm.digits();
        self.0
            .iter()
            .filter(move |rule| digits.starts_with(&rule.prefix))
            .flat_map(|rule| rule.validity.turns())
            .filter(move |turn| *turn > day)
    }
}

impl Rule {
    fn read(row: &ReferenceRow) -> Result<Self, CellFault> {
        let prefix = tariff_prefix(row)?;
        let (mut issuers, mut clears) = (Vec::new(), Vec::new());
        for (name, value) in &row.attributes {
            let end = name.find('.').unwrap_or(name.len());
            let (word, suffix) = name.split_at(end);
            let only = Only::parse(suffix).ok_or_else(|| {
                cell(format!(
                    "{name}: after {word} may stand a country and a mode of entry, as \
                     {word}.CN.BONDED"
                ))
            })?;
            match word {
                "issuers" => issuers.extend(names(only, value)?),
                "clears" => clears.extend(names(only, value)?),
                SOURCE if suffix.is_empty() => {}
                _ => {
                    return Err(cell(format!(
                        "{name} is not known here; issuers, clears and source are"
                    )));
                }
            }
        }
        Ok(Self { prefix, issuers, clears, validity: row.validity() })
    }
}

fn names<T>(only: Only, value: &str) -> Result<Vec<(Only, T)>, CellFault>
where
    T: std::str::FromStr<Err = Fault>,
{
    listed(value)
        .map(|name| Ok((only, name.parse().map_err(|fault: Fault| cell(fault.message))?)))
        .collect()
}

fn cell(message: String) -> CellFault {
    ("attributes", message)
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
        let needed = rules.of(ncm.parse().unwrap(), country.parse().ok(), None, DAY);
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

    fn row(code: &str, attributes: &[(&str, &str)], from: Option<Date>) -> ReferenceRow {
        let pair = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        ReferenceRow {
            code: code.to_owned(),
            title_es: String::new(),
            title_en: String::new(),
            attributes: attributes.iter().map(pair).collect(),
            valid_from: from,
            valid_to: None,
        }
    }

    fn table(rows: Vec<ReferenceRow>) -> ReferenceTable {
        ReferenceTable {
            id: "certificates".to_owned(),
            version: "1".to_owned(),
            source: "test".to_owned(),
            loaded_at: jiff::Timestamp::UNIX_EPOCH,
            digest: String::new(),
            rows,
        }
    }

    #[test]
    fn a_table_replaces_the_default_and_its_dates_count() {
        let (rules, faults) = Requirements::read(&table(vec![
            row("22.04", &[("issuers", "INV,INAL"), ("source", "Ley 14.878")], None),
            row("2204.21.00", &[("issuers", "SENASA")], Some(date(2027, 1, 1))),
        ]));
        assert_eq!(faults, []);
        assert_eq!(needs(&rules, "2204.21.00", "CN").1, ["INV", "INAL"]);
        let turns: Vec<_> = rules.turns("2204.21.00".parse().unwrap(), DAY).collect();
        assert_eq!(turns, [date(2027, 1, 1)]);
    }

    #[test]
    fn country_and_mode_of_entry_add_to_what_holds_for_all() {
        let attributes = [
            ("issuers", "SENASA"),
            ("issuers.CN.BONDED", "GACC"),
            ("clears.DIRECT_MAIL", "INAL"),
            ("clears.CN", "INV"),
        ];
        let (rules, _) = Requirements::read(&table(vec![row("03", &attributes, None)]));
        for (country, mode, authorities, issuers) in [
            ("GB", None, vec!["CUSTOMS", "SENASA"], vec!["SENASA"]),
            ("CN", None, vec!["CUSTOMS", "INV", "SENASA"], vec!["SENASA"]),
            (
                "CN",
                Some(EntryMode::Bonded),
                vec!["CUSTOMS", "INV", "SENASA"],
                vec!["SENASA", "GACC"],
            ),
            ("GB", Some(EntryMode::DirectMail), vec!["CUSTOMS", "SENASA", "INAL"], vec!["SENASA"]),
        ] {
            let ncm = "0306.17.90".parse().unwrap();
            let needed = rules.of(ncm, country.parse().ok(), mode, DAY);
            let found: Vec<_> = needed.authorities.iter().map(|one| one.as_str()).collect();
            assert_eq!(found, authorities, "{country} {mode:?}");
            let found: Vec<_> = needed.issuers.iter().map(|one| one.as_str()).collect();
            assert_eq!(found, issuers, "{country} {mode:?}");
        }
    }

    #[test]
    fn every_fault_is_told_with_its_row_and_column() {
        let faulty = [
            ("x", "issuers", "INV", "code"),
            ("2204.21.00.1", "issuers", "INV", "code"),
            ("22", "issuers", "AFIP", "attributes"),
            ("22", "issuers.XX", "INV", "attributes"),
            ("22", "issuers.CN.CN", "INV", "attributes"),
            ("22", "issuers.BONDED.CN.BONDED", "INV", "attributes"),
            ("22", "clears", "GACC", "attributes"),
            ("22", "isuers", "INV", "attributes"),
        ];
        let rows = faulty.iter().map(|(code, name, value, _)| row(code, &[(name, value)], None));
        let faults = Requirements::read(&table(rows.collect())).1;
        assert_eq!(faults.len(), faulty.len());
        for (place, (fault, (.., column))) in faults.iter().zip(faulty).enumerate() {
            assert_eq!((fault.row, fault.column), (place, column), "{fault:?}");
        }
    }

    #[test]
    fn the_same_goods_have_one_rule_a_day_however_the_points_are_set() {
        let dated = |code: &str, from, to| ReferenceRow {
            valid_from: from,
            valid_to: to,
            ..row(code, &[("issuers", "INV")], None)
        };
        let rows = vec![
            dated("22.04", None, Some(date(2026, 12, 31))),
            dated("2204", Some(date(2027, 1, 1)), None),
            dated("22.0.4", Some(date(2030, 1, 1)), Some(date(2030, 1, 1))),
        ];
        let faults = super::super::rule_table::faults(&table(rows));
        let found: Vec<_> = faults.iter().map(|fault| (fault.row, fault.column)).collect();
        assert_eq!(found, [(2, "valid_from")]);
    }
}
