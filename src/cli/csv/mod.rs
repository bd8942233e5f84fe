//! CSV files as people and spreadsheets write them, read strictly.
//!
//! Enters: a path and the columns a file may have. Leaves: the file found sound as a whole
//! (UTF-8, a header of known columns), then its rows one by one, each with the number of its
//! first line in the file; a bad row is a [`RowFault`] and does not spoil the others. It knows
//! nothing of what rows mean; its children do.

pub mod declarations;
pub mod delegations;
pub mod exporters;
pub mod listings;
pub mod reference;
pub mod sales;
pub mod shipments;
mod sound;

use std::fmt;
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use csv::{ByteRecord, ReaderBuilder, Terminator};

use self::sound::Soundness;
use super::failure::{Failure, Outcome};
use super::request_id::ContentHash;

/// The columns of a kind of file.
#[derive(Clone, Copy, Debug)]
pub struct Layout {
    /// Must stand in the header.
    pub required: &'static [&'static str],
    /// May be left out; an empty cell and a missing column mean the same.
    pub optional: &'static [&'static str],
    /// What an export adds; read over.
    pub added: &'static [&'static str],
}

/// A bad row, or a bad cell of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowFault {
    /// The line of the file on which the row begins, from 1; the header is line 1.
    pub line: u64,
    /// The column at fault; empty for the row as a whole.
    pub column: String,
    /// A fixed word, as in the API.
    pub reason: String,
    /// What is wrong.
    pub message: String,
}

impl RowFault {
    /// A cell that cannot be read.
    pub fn cell(line: u64, column: &str, message: impl Into<String>) -> Self {
        let reason = "INVALID_FIELD".into();
        Self { line, column: column.into(), reason, message: message.into() }
    }

    fn row(line: u64, message: impl Into<String>) -> Self {
        Self { reason: "INVALID_ROW".into(), ..Self::cell(line, "", message) }
    }
}

impl fmt::Display for RowFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { line, column, reason, message } = self;
        let message: String =
            message.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        let message = message.trim_start_matches(&format!("{column}: "));
        if column.is_empty() {
            write!(f, "line {line}: {reason}: {message}")
        } else {
            write!(f, "line {line}: {column}: {reason}: {message}")
        }
    }
}

/// A file found sound as a whole.
pub struct CsvFile {
    path: PathBuf,
    columns: Vec<&'static str>,
    /// SHA-256 of the content.
    pub hash: ContentHash,
    /// Length in bytes.
    pub length: u64,
}

impl CsvFile {
    /// Reads the file at `path` once, for its encoding and its header.
    ///
    /// # Errors
    /// `INVALID_FILE` with file and line for a byte that is not UTF-8 or a header that is not as
    /// `layout` says.
    pub fn open(path: &Path, layout: Layout) -> Outcome<Self> {
        let sound = Soundness::of(path)?;
        let mut file =
            Self { path: path.to_owned(), columns: vec![], hash: sound.hash, length: sound.length };
        let mut rows = file.raw_rows()?;
        let header = rows.header().map_err(|reason| file.fault(1, reason))?;
        file.columns = columns(&header, layout).map_err(|reason| file.fault(1, reason))?;
        Ok(file)
    }

    /// The path as given.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The rows after the header.
    pub fn rows(&self) -> Outcome<Rows<'_>> {
        let mut raw = self.raw_rows()?;
        raw.header().map_err(|reason| self.fault(1, reason))?;
        Ok(Rows { raw, columns: &self.columns })
    }

    fn raw_rows(&self) -> Outcome<RawRows> {
        let mut file =
            File::open(&self.path).map_err(|reason| Failure::file(&self.path, reason))?;
        sound::skip_mark(&mut file).map_err(|reason| Failure::file(&self.path, reason))?;
        // Lines are counted by their line feeds; the carriage return before one is taken off.
        let reader = ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .terminator(Terminator::Any(b'\n'))
            .from_reader(BufReader::with_capacity(256 * 1024, file));
        Ok(RawRows { reader, record: ByteRecord::new() })
    }

    fn fault(&self, line: u64, reason: String) -> Failure {
        Failure::new("INVALID_FILE", format!("{}:{line}: {reason}", self.path.display()))
            .hint("nothing was sent; mend the file and run the command again")
    }
}

/// The known columns in the order of the file.
fn columns(header: &[String], layout: Layout) -> Result<Vec<&'static str>, String> {
    let mut columns = Vec::new();
    let mut known = layout.required.iter().chain(layout.optional).chain(layout.added);
    let all = || layout.required.iter().chain(layout.optional).copied().collect::<Vec<_>>();
    for name in header {
        let column = known.clone().find(|column| *column == name);
        let Some(column) = column else {
            return Err(format!(
                "unknown column \"{}\"; the columns are {}",
                name.escape_debug(),
                all().join(",")
            ));
        };
        if columns.contains(column) {
            return Err(format!("column {column} stands twice in the header"));
        }
        columns.push(*column);
    }
    let missing: Vec<_> =
        known.by_ref().take(layout.required.len()).filter(|c| !columns.contains(c)).collect();
    if let Some(first) = missing.first() {
        return Err(format!("column {first} is missing; the columns are {}", all().join(",")));
    }
    Ok(columns)
}

struct RawRows {
    reader: csv::Reader<BufReader<File>>,
    record: ByteRecord,
}

impl RawRows {
    /// Reads the next record; the line on which it begins.
    fn next(&mut self) -> Result<Option<u64>, String> {
        loop {
            let before = self.reader.position().line();
            if !self.reader.read_byte_record(&mut self.record).map_err(|e| e.to_string())? {
                return Ok(None);
            }
            // A line that holds nothing but a carriage return.
            if self.record.len() == 1 && matches!(&self.record[0], b"\r" | b"") {
                continue;
            }
            let inside: usize =
                self.record.iter().map(|cell| cell.iter().filter(|b| **b == b'\n').count()).sum();
            let passed = self.reader.position().line() - before;
            // Empty lines before the record are passed too; its own line end is the last one.
            let empty = passed.saturating_sub(inside as u64 + 1);
            return Ok(Some(before + empty));
        }
    }

    fn header(&mut self) -> Result<Vec<String>, String> {
        if self.next()?.is_none() {
            return Err("the file is empty; its first line must name the columns".into());
        }
        Ok((0..self.record.len()).map(|at| cell(&self.record, at).to_owned()).collect())
    }

    /// Bytes read so far.
    fn place(&self) -> u64 {
        self.reader.position().byte()
    }
}

/// The file was found to be UTF-8; a cell is whole.
fn cell(record: &ByteRecord, at: usize) -> &str {
    let bytes = record.get(at).unwrap_or_default();
    let last = at + 1 == record.len();
    let bytes = if last { bytes.strip_suffix(b"\r").unwrap_or(bytes) } else { bytes };
    std::str::from_utf8(bytes).unwrap_or_default()
}

/// The rows of a file, one by one.
pub struct Rows<'f> {
    raw: RawRows,
    columns: &'f [&'static str],
}

impl Rows<'_> {
    /// The next row, or why it is bad; `None` after the last one.
    pub fn next(&mut self) -> Option<Result<Row<'_>, RowFault>> {
        let line = match self.raw.next() {
            Ok(Some(line)) => line,
            Ok(None) => return None,
            Err(reason) => return Some(Err(RowFault::row(0, reason))),
        };
        let (expected, found) = (self.columns.len(), self.raw.record.len());
        if expected != found {
            let inside = self.raw.record.iter().any(|cell| cell.contains(&b'\n'));
            let quote = if inside { "; a quotation mark may be left open" } else { "" };
            return Some(Err(RowFault::row(
                line,
                format!("{found} columns instead of {expected}{quote}"),
            )));
        }
        Some(Ok(Row { line, record: &self.raw.record, columns: self.columns }))
    }

    /// Bytes of the file read so far, for progress bars.
    pub fn place(&self) -> u64 {
        self.raw.place()
    }
}

/// One row.
pub struct Row<'r> {
    /// The line of the file on which it begins.
    pub line: u64,
    record: &'r ByteRecord,
    columns: &'r [&'static str],
}

impl Row<'_> {
    /// The cell of `column`; empty if the file does not have the column.
    pub fn text(&self, column: &str) -> &str {
        match self.columns.iter().position(|known| *known == column) {
            Some(at) => cell(self.record, at),
            None => "",
        }
    }

    /// Whether the file has the column.
    pub fn has(&self, column: &str) -> bool {
        self.columns.contains(&column)
    }

    /// The cell of `column` as text of its own.
    pub fn owned(&self, column: &str) -> String {
        self.text(column).to_owned()
    }

    /// The cell of `column` as `parse` reads it.
    pub fn parse<T>(
        &self,
        column: &str,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Result<T, RowFault> {
        let text = self.text(column);
        if text.is_empty() {
            return Err(RowFault::cell(self.line, column, "must be given"));
        }
        parse(text).map_err(|reason| RowFault::cell(self.line, column, reason))
    }

    /// The same where the cell may be empty.
    pub fn maybe<T>(
        &self,
        column: &str,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Result<Option<T>, RowFault> {
        if self.text(column).is_empty() { Ok(None) } else { self.parse(column, parse).map(Some) }
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
