//! A load of a table, gathered from its stream.
//!
//! Enters: the header and chunks of rows. Leaves: the whole table, checked row
//! by row, or every fault at once. Memory is bounded: rows and text are counted
//! as they come.

use std::collections::HashMap;

use jiff::Timestamp;
use jiff::civil::Date;
use prost::Message as _;
use tokio_stream::{Stream, StreamExt as _};
use tonic::Status;

use super::super::wire as common;
use super::wire;
use crate::app::encode;
use crate::app::write::Intent;
use crate::domain::caller::Caller;
use crate::domain::reference::{ReferenceRow, ReferenceTable};
use crate::domain::request_id::RequestId;
use crate::error::{Error, Result};
use crate::proto::puente::reference::v1 as pb;
use pb::load_reference_table_request::Part;

/// Rows of one table; the whole tariff of a country has some 15,000.
const MAX_ROWS: usize = 100_000;

/// Bytes of all rows of one table as sent.
const MAX_BYTES: usize = 32 << 20;

/// Rows in one message.
const MAX_CHUNK: usize = 1_000;

/// Faults named one by one; clients bound the metadata that carries them.
const FAULTS_SHOWN: usize = 40;

/// What one stream asks for.
#[derive(Debug)]
pub(super) struct Load {
    request_id: RequestId,
    validate_only: bool,
    /// The table, its rows in the order sent.
    pub(super) table: ReferenceTable,
}

impl Load {
    /// The intent of the load. Its digest is over what the rows say, so that a retry may cut the
    /// stream into other chunks.
    pub(super) fn intent(&self, caller: &Caller) -> Result<Intent> {
        let flags = [u8::from(self.validate_only)];
        let digest = common::digest_bytes(caller.method(), &[&flags, &encode(&self.table)?]);
        Ok(Intent::of(caller, self.request_id, digest, self.validate_only))
    }
}

/// Reads the stream to its end.
///
/// # Errors
/// `HEADER_EXPECTED`, `CHUNK_EXPECTED`, `TABLE_TOO_LARGE`, `TABLE_FAULTY`, and those of a header's
/// fields.
pub(super) async fn collect<S>(mut stream: S) -> Result<Load, Status>
where
    S: Stream<Item = Result<pb::LoadReferenceTableRequest, Status>> + Unpin,
{
    let Some(Part::Header(header)) = stream.next().await.transpose()?.and_then(|first| first.part)
    else {
        return Err(Error::invalid(
            "HEADER_EXPECTED",
            "header",
            "the first message of a load is its header",
        )
        .into());
    };
    let mut rows = Rows::default();
    let mut load = begin(header)?;
    while let Some(next) = stream.next().await.transpose()? {
        let Some(Part::Chunk(chunk)) = next.part else {
            return Err(Error::invalid(
                "CHUNK_EXPECTED",
                "chunk",
                "every message after the header carries a chunk of rows",
            )
            .into());
        };
        rows.take(&chunk)?;
    }
    load.table.rows = rows.sound()?;
    Ok(load)
}

fn begin(header: pb::LoadReferenceTableHeader) -> Result<Load> {
    let within = |error: Error| error.within("header");
    Ok(Load {
        request_id: common::request_id(&header.request_id).map_err(within)?,
        validate_only: header.validate_only,
        table: ReferenceTable {
            id: wire::table_id("table", &header.table).map_err(within)?,
            version: common::text("version", header.version, 1, 64).map_err(within)?,
            source: common::text("source", header.source, 1, 500).map_err(within)?,
            loaded_at: Timestamp::UNIX_EPOCH,
            digest: String::new(),
            rows: Vec::new(),
        },
    })
}

/// Rows as they come, and what is wrong with them.
#[derive(Default)]
struct Rows {
    sound: Vec<ReferenceRow>,
    sent: usize,
    bytes: usize,
    faulty: usize,
    faults: Vec<(String, String)>,
}

impl Rows {
    fn take(&mut self, chunk: &pb::LoadReferenceTableChunk) -> Result<()> {
        if chunk.rows.is_empty() || chunk.rows.len() > MAX_CHUNK {
            return Err(common::invalid(
                "chunk.rows",
                format!("a chunk carries 1 to {MAX_CHUNK} rows"),
            ));
        }
        self.bytes += chunk.encoded_len();
        if self.sent + chunk.rows.len() > MAX_ROWS || self.bytes > MAX_BYTES {
            return Err(Error::invalid(
                "TABLE_TOO_LARGE",
                "chunk.rows",
                format!("a table has at most {MAX_ROWS} rows and {MAX_BYTES} bytes"),
            ));
        }
        for sent in &chunk.rows {
            match wire::parse_row(sent) {
                Ok(row) => self.sound.push(row),
                Err(error) => self.fault(self.sent, &error),
            }
            self.sent += 1;
        }
        Ok(())
    }

    fn fault(&mut self, position: usize, error: &Error) {
        self.faulty += 1;
        if self.faults.len() < FAULTS_SHOWN {
            let field = error.fields.first().map_or("", |violation| &violation.field);
            let path = format!("rows[{position}].{field}");
            let path = path.trim_end_matches('.').to_owned();
            self.faults.push((path, format!("row {}: {}", position + 1, error.message)));
        }
    }

    fn sound(mut self) -> Result<Vec<ReferenceRow>> {
        if self.faulty == 0 {
            for (position, message) in overlaps(&self.sound) {
                self.fault(position, &Error::invalid("DUPLICATE_CODE", "code", message));
            }
        }
        if self.faulty == 0 {
            return Ok(self.sound);
        }
        let mut error = Error::invalid(
            "TABLE_FAULTY",
            "rows",
            format!(
                "{} of {} rows are faulty, the first {} are named; nothing was loaded",
                self.faulty,
                self.sent,
                self.faults.len()
            ),
        )
        .with("faults", self.faulty.to_string());
        error.fields = self
            .faults
            .into_iter()
            .map(|(field, description)| crate::error::FieldViolation { field, description })
            .collect();
        Err(error)
    }
}

/// Rows whose code came before in a row that holds on some of the same days.
fn overlaps(rows: &[ReferenceRow]) -> Vec<(usize, String)> {
    let span = |row: &ReferenceRow| {
        (row.valid_from.unwrap_or(Date::MIN), row.valid_to.unwrap_or(Date::MAX))
    };
    let mut known: HashMap<&str, Vec<usize>> = HashMap::new();
    let mut found = Vec::new();
    for (position, row) in rows.iter().enumerate() {
        let (first, last) = span(row);
        let earlier = known.entry(row.code.as_str()).or_default();
        let clash = earlier.iter().find(|other| {
            let (other_first, other_last) = span(&rows[**other]);
            first <= other_last && other_first <= last
        });
        if let Some(other) = clash {
            let message = format!(
                "the code {} came in row {} for some of the same days",
                row.code,
                other + 1
            );
            found.push((position, message));
        }
        earlier.push(position);
    }
    found
}

#[cfg(test)]
#[path = "load_tests.rs"]
mod tests;
