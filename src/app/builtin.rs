//! The reference tables that ship with the gateway.
//!
//! Enters: the files under `data/reference`, compiled in. Leaves: tables, and
//! rows of files of the same form. A table that is already there is never touched.

use std::collections::BTreeMap;

use csv::{ReaderBuilder, StringRecord};
use jiff::Timestamp;
use jiff::civil::Date;

use super::App;
use super::write::Intent;
use crate::domain::partner::PartnerId;
use crate::domain::period::day;
use crate::domain::reference::{ReferenceRow, ReferenceTable};
use crate::domain::request_id::RequestId;
use crate::error::{Error, Result};

/// Names each table's file, version and source.
const INDEX: &str = include_str!("../../data/reference/tables.csv");

/// The columns of a table's file.
pub const COLUMNS: [&str; 6] =
    ["code", "title_es", "title_en", "attributes", "valid_from", "valid_to"];

/// The tables that ship with the gateway.
///
/// # Errors
/// `INTERNAL` if a file that was compiled in is not sound; a test reads them all.
pub fn tables() -> Result<Vec<ReferenceTable>> {
    let mut reader = ReaderBuilder::new().from_reader(INDEX.as_bytes());
    let mut tables = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|reason| Error::internal(format!("tables.csv: {reason}")))?;
        let [id, file, version, source] = fields(&record).map_err(Error::internal)?;
        let text =
            file_text(file).ok_or_else(|| Error::internal(format!("{file} is not compiled in")))?;
        let rows = parse_rows(text).map_err(|fault| {
            Error::internal(format!("{file}:{}: {}", fault.line, fault.message))
        })?;
        tables.push(ReferenceTable {
            id: id.to_owned(),
            version: version.to_owned(),
            source: source.to_owned(),
            loaded_at: Timestamp::UNIX_EPOCH,
            digest: String::new(),
            rows,
        });
    }
    Ok(tables)
}

fn file_text(file: &str) -> Option<&'static str> {
    Some(match file {
        "certificates.csv" => include_str!("../../data/reference/certificates.csv"),
        "exporta_simple.csv" => include_str!("../../data/reference/exporta_simple.csv"),
        "settlement_terms.csv" => include_str!("../../data/reference/settlement_terms.csv"),
        "countries.csv" => include_str!("../../data/reference/countries.csv"),
        "currencies.csv" => include_str!("../../data/reference/currencies.csv"),
        "incoterms.csv" => include_str!("../../data/reference/incoterms.csv"),
        "ncm.csv" => include_str!("../../data/reference/ncm.csv"),
        "provinces.csv" => include_str!("../../data/reference/provinces.csv"),
        "regions.csv" => include_str!("../../data/reference/regions.csv"),
        "size_classes.csv" => include_str!("../../data/reference/size_classes.csv"),
        "units.csv" => include_str!("../../data/reference/units.csv"),
        _ => return None,
    })
}

impl App {
    /// Loads the tables that ship with the gateway where there is none of that name, recorded as
    /// `partner`'s doing. Answers how many were loaded; doing it again loads none.
    pub async fn load_builtin_tables(&self, partner: &PartnerId) -> Result<usize> {
        let mut loaded = 0;
        for table in tables()? {
            if self.reference.tables().by_id.contains_key(&table.id) {
                continue;
            }
            let id = RequestId::new(self.env.ids.uuid())
                .ok_or_else(|| Error::internal("a fresh UUID is never nil"))?;
            self.load_table(&Intent::internal(partner.clone(), id), table).await?;
            loaded += 1;
        }
        Ok(loaded)
    }
}

/// What is wrong with a line of a table's file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowFault {
    /// The line in the file, from 1.
    pub line: u64,
    /// The column at fault; empty if it lies in none.
    pub column: &'static str,
    /// What is wrong and what to do.
    pub message: String,
}

/// Reads a table's file: UTF-8 CSV with the header line [`COLUMNS`]; attributes are `name=value`
/// joined by `;`, days are ISO 8601 or empty.
///
/// # Errors
/// The first fault of the file.
pub fn parse_rows(text: &str) -> Result<Vec<ReferenceRow>, RowFault> {
    let mut reader = ReaderBuilder::new().from_reader(text.as_bytes());
    let header = reader.headers().map_err(|reason| broken(&reason))?;
    if header.iter().ne(COLUMNS) {
        return Err(RowFault {
            line: 1,
            column: "",
            message: format!("the header line must be {}", COLUMNS.join(",")),
        });
    }
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|reason| broken(&reason))?;
        let line = record.position().map_or(0, csv::Position::line);
        let at = |column| move |message| RowFault { line, column, message };
        let [code, title_es, title_en, attributes, valid_from, valid_to] =
            fields(&record).map_err(at(""))?;
        if code.is_empty() || !code.bytes().all(|b| b.is_ascii_graphic()) || code.len() > 64 {
            let message = "a code is 1 to 64 printable ASCII characters without spaces".to_owned();
            return Err(at("code")(message));
        }
        rows.push(ReferenceRow {
            code: code.to_owned(),
            title_es: title_es.to_owned(),
            title_en: title_en.to_owned(),
            attributes: parse_attributes(attributes).map_err(at("attributes"))?,
            valid_from: parse_day(valid_from).map_err(at("valid_from"))?,
            valid_to: parse_day(valid_to).map_err(at("valid_to"))?,
        });
    }
    Ok(rows)
}

fn parse_attributes(text: &str) -> Result<BTreeMap<String, String>, String> {
    let mut attributes = BTreeMap::new();
    for pair in text.split(';').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair
            .split_once('=')
            .filter(|(name, _)| !name.is_empty())
            .ok_or("attributes are name=value, joined by ;")?;
        if attributes.insert(name.to_owned(), value.to_owned()).is_some() {
            return Err(format!("the attribute {name} comes twice"));
        }
    }
    Ok(attributes)
}

fn parse_day(text: &str) -> Result<Option<Date>, String> {
    if text.is_empty() { Ok(None) } else { day(text).map(Some).map_err(|fault| fault.message) }
}

fn fields<const N: usize>(record: &StringRecord) -> Result<[&str; N], String> {
    let fields: Vec<&str> = record.iter().collect();
    fields.try_into().map_err(|_other_length| format!("a line has {N} columns"))
}

fn broken(reason: &csv::Error) -> RowFault {
    let line = reason.position().map_or(1, csv::Position::line);
    RowFault { line, column: "", message: format!("not a CSV file in UTF-8: {reason}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_table_that_ships_reads() {
        let tables = tables().unwrap();
        assert_eq!(tables.len(), 11);
        for table in &tables {
            assert_eq!(crate::domain::rule_table::faults(table), [], "{}", table.id);
        }
        let ncm = tables.iter().find(|table| table.id == "ncm").unwrap();
        assert!(ncm.rows.iter().any(|row| row.code == "2204.21.00"));
        assert!(tables.iter().all(|table| !table.rows.is_empty() && !table.version.is_empty()));
    }

    #[test]
    fn a_fault_names_its_line_and_column() {
        let head = COLUMNS.join(",");
        for (row, column) in [
            (",x,,,,", "code"),
            ("a b,x,,,,", "code"),
            ("A,x,,leaf,,", "attributes"),
            ("A,x,,a=1;a=2,,", "attributes"),
            ("A,x,,,2026-02-30,", "valid_from"),
            ("A,x,,,,soon", "valid_to"),
            ("A,x", ""),
        ] {
            let fault = parse_rows(&format!("{head}\nB,fine,,,,\n{row}\n")).unwrap_err();
            assert_eq!((fault.line, fault.column), (3, column), "{row}: {fault:?}");
        }
        assert_eq!(parse_rows("code,title\n").unwrap_err().line, 1);
    }
}
