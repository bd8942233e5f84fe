//! A file of sale lines cut into batches, always at the same places.
//!
//! Enters: the file and the report. Leaves: batches whose ids depend on the report, the file's
//! content and the lines' places only, so that running a command again repeats its batches.

use prost::Message as _;

use crate::cli::csv::{CsvFile, RowFault, Rows, sales};
use crate::cli::failure::Outcome;
use crate::cli::request_id::derived;
use crate::proto::puente::sales::v1::{SaleLine, SaleLineBatch};

/// A batch is closed at this many bytes, far below what the gateway takes.
const MAX_BYTES: usize = 1 << 20;

/// Batches of a file, one by one.
pub(super) struct Batches<'f> {
    rows: Rows<'f>,
    report: String,
    hash: [u8; 32],
    lines: usize,
    next_line: i64,
    /// Rows that are no sale lines at all; they never enter the sequence.
    pub(super) malformed: Vec<RowFault>,
}

/// A batch, and where its lines stand in the file.
#[derive(Clone)]
pub(super) struct Batch {
    pub(super) message: SaleLineBatch,
    pub(super) places: Vec<u64>,
    /// How far the file had been read, in bytes.
    pub(super) read_to: u64,
}

impl Batch {
    /// The place after its last line in the sequence of all lines.
    pub(super) fn end(&self) -> i64 {
        self.message.first_line + self.message.lines.len() as i64
    }
}

impl<'f> Batches<'f> {
    pub(super) fn new(file: &'f CsvFile, report: &str, lines: usize) -> Outcome<Self> {
        Ok(Self {
            rows: file.rows()?,
            report: report.to_owned(),
            hash: file.hash,
            lines,
            next_line: 0,
            malformed: Vec::new(),
        })
    }

    /// Keeps batches within what the gateway takes; before the first one.
    pub(super) fn limit(&mut self, lines: i32) {
        self.lines = self.lines.min(usize::try_from(lines).unwrap_or(1).max(1));
    }

    /// Lines in a batch at most.
    pub(super) fn size(&self) -> usize {
        self.lines
    }

    /// The next batch.
    pub(super) fn next(&mut self) -> Option<Batch> {
        let (mut lines, mut places): (Vec<SaleLine>, Vec<u64>) = (Vec::new(), Vec::new());
        let mut bytes = 0;
        while lines.len() < self.lines && bytes < MAX_BYTES {
            let Some(row) = self.rows.next() else { break };
            match row.and_then(|row| Ok((row.line, sales::read(&row)?))) {
                Ok((place, line)) => {
                    bytes += line.encoded_len();
                    lines.push(line);
                    places.push(place);
                }
                Err(fault) => self.malformed.push(fault),
            }
        }
        if lines.is_empty() {
            return None;
        }
        let first_line = self.next_line;
        self.next_line += lines.len() as i64;
        let request_id = derived(&[
            b"puente push sales 1",
            self.report.as_bytes(),
            &self.hash,
            &first_line.to_be_bytes(),
            &self.next_line.to_be_bytes(),
        ]);
        let message = SaleLineBatch { request_id, first_line, lines };
        Some(Batch { message, places, read_to: self.rows.place() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_file_is_cut_at_the_same_places_under_the_same_ids() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s.csv");
        let mut text =
            String::from("line_id,order_id,kind,sku,quantity,unit_price,currency,sold_at\n");
        for n in 0..7 {
            let kind = if n == 3 { "SOLD" } else { "SALE" };
            text.push_str(&format!("L{n},O,{kind},S,1,2,CNY,2026-11-11T00:00:03+08:00\n"));
        }
        std::fs::write(&path, text).unwrap();
        let file = CsvFile::open(&path, sales::LAYOUT).unwrap();
        let cut = |report: &str| {
            let mut batches = Batches::new(&file, report, 4).unwrap();
            let all: Vec<_> = std::iter::from_fn(|| batches.next()).collect();
            (all, batches.malformed)
        };
        let (one, malformed) = cut("salesReports/1");
        assert_eq!(
            one.iter().map(|b| b.places.clone()).collect::<Vec<_>>(),
            [vec![2, 3, 4, 6], vec![7, 8]]
        );
        assert_eq!((one[1].message.first_line, one[1].end()), (4, 6));
        assert_eq!(malformed[0].line, 5);
        let (again, _) = cut("salesReports/1");
        let (other, _) = cut("salesReports/2");
        assert_eq!(one[0].message.request_id, again[0].message.request_id);
        assert_ne!(one[0].message.request_id, other[0].message.request_id);
    }
}
