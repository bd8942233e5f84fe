//! Code tables, and the tariff nomenclature that is built from one of them.
//!
//! Enters: rows with the days on which they hold. Leaves: answers about codes. Where the rows come
//! from is not known here.

use std::collections::BTreeMap;

use aws_lc_rs::digest::{Context, SHA256};
use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::fault::Fault;
use super::ncm::NcmCode;
use super::period::Validity;
use super::wording::quoted;

/// One code and what it means.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReferenceRow {
    /// The code, as the table writes it.
    pub code: String,
    /// What it means, in Spanish.
    pub title_es: String,
    /// What it means, in English; may be empty.
    #[serde(default)]
    pub title_en: String,
    /// More about it, by name.
    #[serde(default)]
    pub attributes: BTreeMap<String, String>,
    /// The first day on which it holds; `None` is since ever.
    #[serde(default)]
    pub valid_from: Option<Date>,
    /// The last day, itself included; `None` is without end.
    #[serde(default)]
    pub valid_to: Option<Date>,
}

impl ReferenceRow {
    /// The days on which it holds.
    pub fn validity(&self) -> Validity {
        Validity { from: self.valid_from, to: self.valid_to }
    }
}

/// One version of a code table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReferenceTable {
    /// Its id, as `ncm` or `provinces`.
    pub id: String,
    /// The version, as its source calls it.
    pub version: String,
    /// Where it comes from.
    pub source: String,
    /// When this version was loaded.
    #[serde(default)]
    pub loaded_at: Timestamp,
    /// [`ReferenceTable::content_digest`] of it when it was loaded; empty if that was before there
    /// were digests.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub digest: String,
    /// The rows; a code may come again in a row that holds on other days.
    pub rows: Vec<ReferenceRow>,
}

impl ReferenceTable {
    /// SHA-256 in hexadecimal over id, version, source and rows in their order.
    pub fn content_digest(&self) -> String {
        let mut hash = Context::new(&SHA256);
        let mut part = |text: &str| {
            hash.update(&(text.len() as u64).to_be_bytes());
            hash.update(text.as_bytes());
        };
        for text in [&self.id, &self.version, &self.source] {
            part(text);
        }
        for row in &self.rows {
            let day = |day: Option<Date>| day.map(|day| day.to_string()).unwrap_or_default();
            part(&row.code);
            part(&row.title_es);
            part(&row.title_en);
            part(&row.attributes.len().to_string());
            for (name, value) in &row.attributes {
                part(name);
                part(value);
            }
            part(&day(row.valid_from));
            part(&day(row.valid_to));
        }
        hash.finish().as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The row of `code` that holds on `day`.
    pub fn row_on(&self, code: &str, day: Date) -> Option<&ReferenceRow> {
        self.rows.iter().find(|row| row.code == code && row.validity().holds_on(day))
    }
}

/// The tariff: chapters, headings and leaf codes, with their titles and days.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Nomenclature {
    /// By digits without points.
    entries: BTreeMap<String, Vec<Entry>>,
    version: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    title_es: String,
    title_en: String,
    leaf: bool,
    validity: Validity,
}

impl Nomenclature {
    /// The nomenclature of the reference table `ncm`: codes with or without points; a code of
    /// eight digits is a leaf, unless its attribute `leaf` says otherwise.
    pub fn from_table(table: &ReferenceTable) -> Self {
        let mut entries: BTreeMap<String, Vec<Entry>> = BTreeMap::new();
        for row in &table.rows {
            let digits: String = row.code.chars().filter(char::is_ascii_digit).collect();
            let leaf = match row.attributes.get("leaf") {
                Some(said) => said == "true",
                None => digits.len() == 8,
            };
            entries.entry(digits).or_default().push(Entry {
                title_es: row.title_es.clone(),
                title_en: row.title_en.clone(),
                leaf,
                validity: row.validity(),
            });
        }
        Self { entries, version: table.version.clone() }
    }

    /// The version of the table it was built from.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Whether the code is a leaf in force on `day`.
    pub fn is_leaf(&self, code: NcmCode, day: Date) -> bool {
        self.entry(&code.digits(), day).is_some_and(|entry| entry.leaf)
    }

    /// Refuses a code that cannot be declared on `day`.
    ///
    /// # Errors
    /// `UNKNOWN_NCM`, telling what it is instead and what stands near it.
    pub fn check(&self, code: NcmCode, day: Date) -> Result<(), Fault> {
        if self.is_leaf(code, day) {
            return Ok(());
        }
        Err(Fault::malformed("UNKNOWN_NCM", self.why_not(&code.leaf().to_string())))
    }

    /// The title in Spanish of a chapter, heading or leaf (digits without points), by the row
    /// that holds on `day`.
    pub fn title_es(&self, digits: &str, day: Date) -> Option<&str> {
        self.entry(digits, day).map(|entry| entry.title_es.as_str())
    }

    /// The title in English, likewise; may be empty.
    pub fn title_en(&self, digits: &str, day: Date) -> Option<&str> {
        self.entry(digits, day).map(|entry| entry.title_en.as_str())
    }

    /// Why `text` is no code that can be declared, in a sentence: what it is, or which leaves
    /// share its longest known beginning.
    pub fn why_not(&self, text: &str) -> String {
        let digits: String = text.chars().filter(|c| *c != '.').collect();
        let numeric = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        if !numeric || digits.len() > 8 {
            return format!(
                "{} is not an NCM code; give eight digits, as 2204.21.00",
                quoted(text)
            );
        }
        let kind = match digits.len() {
            8 => "is not in force in the nomenclature",
            2 => "is a chapter, which nobody can declare",
            4 => "is a heading, which nobody can declare",
            _ => "is not a whole code of eight digits",
        };
        let near = (2..=digits.len())
            .rev()
            .map(|length| self.leaves(&digits[..length]))
            .find(|leaves| !leaves.is_empty())
            .unwrap_or_default();
        if near.is_empty() {
            format!("{} {kind}; see the reference table ncm", quoted(text))
        } else {
            format!("{} {kind}; codes near it: {}", quoted(text), near.join(", "))
        }
    }

    /// Up to five leaves that begin so, with points.
    fn leaves(&self, prefix: &str) -> Vec<String> {
        self.entries
            .range(prefix.to_owned()..)
            .take_while(|(digits, _)| digits.starts_with(prefix))
            .filter(|(_, entries)| entries.iter().any(|entry| entry.leaf))
            .filter_map(|(digits, _)| digits.parse::<NcmCode>().ok())
            .map(|code| code.to_string())
            .take(5)
            .collect()
    }

    fn entry(&self, digits: &str, day: Date) -> Option<&Entry> {
        self.entries.get(digits)?.iter().find(|entry| entry.validity.holds_on(day))
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    fn row(code: &str, title: &str, to: Option<Date>) -> ReferenceRow {
        ReferenceRow {
            code: code.to_owned(),
            title_es: title.to_owned(),
            title_en: String::new(),
            attributes: BTreeMap::new(),
            valid_from: None,
            valid_to: to,
        }
    }

    fn tariff() -> Nomenclature {
        Nomenclature::from_table(&ReferenceTable {
            id: "ncm".to_owned(),
            version: "1".to_owned(),
            source: "test".to_owned(),
            loaded_at: Timestamp::UNIX_EPOCH,
            digest: String::new(),
            rows: vec![
                row("22", "Bebidas", None),
                row("22.04", "Vino", None),
                row("2204.10.10", "Espumoso", Some(date(2020, 12, 31))),
                row("2204.21.00", "Hasta 2 l", None),
            ],
        })
    }

    #[test]
    fn only_leaves_in_force_can_be_declared() {
        let (tariff, day) = (tariff(), date(2026, 1, 1));
        tariff.check("22042100".parse().unwrap(), day).unwrap();
        tariff.check("2204.21.00.100A".parse().unwrap(), day).unwrap();
        tariff.check("2204.10.10".parse().unwrap(), date(2020, 12, 31)).unwrap();
        let ended = tariff.check("2204.10.10".parse().unwrap(), day).unwrap_err();
        assert_eq!(ended.reason, "UNKNOWN_NCM");
        assert_eq!(tariff.title_es("22", day), Some("Bebidas"));
    }

    #[test]
    fn the_fault_tells_what_it_is_and_what_is_near() {
        let tariff = tariff();
        for (text, word) in [
            ("2204", "heading"),
            ("22.04", "2204.21.00"),
            ("22", "chapter"),
            ("2204.29.00", "codes near it"),
            ("9999.99.99", "reference table"),
            ("wine", "eight digits"),
        ] {
            let why = tariff.why_not(text);
            assert!(why.contains(word), "{text}: {why}");
        }
    }
}
