//! Rows of a sync: gathered from the stream, each judged alone.
//!
//! Enters: the stream of header and chunks. Leaves: the good rows, and the faults of the others.
//! How the caller cut the rows into chunks is no part of the request's content.

use prost::Message;
use tonic::Streaming;

use crate::app::sync::{MAX_ROWS, Rejected, Sync, SyncMode, SyncRow, Synced};
use crate::app::write::Intent;
use crate::domain::caller::Caller;
use crate::domain::exporter::NewFact;
use crate::domain::text::{Cause, Name};
use crate::error::{Error, Result};
use crate::proto::puente::common::v1 as common;
use crate::proto::puente::registry::v1 as pb;
use crate::proto::puente::registry::v1::sync_exporters_request::Part;
use crate::rpc::wire::{self, Writing, same_names};

same_names!(pb::SyncMode, SyncMode { Delta, Snapshot });

/// Reads a whole sync.
///
/// # Errors
/// `HEADER_MISSING`, `TOO_MANY_ROWS`, or what is wrong with the header or a chunk's size.
pub async fn gather(
    caller: &Caller,
    mut stream: Streaming<pb::SyncExportersRequest>,
) -> Result<(Intent, Sync), tonic::Status> {
    let first = stream.message().await?.and_then(|message| message.part);
    let Some(Part::Header(mut header)) = first else {
        return Err(Error::invalid(
            "HEADER_MISSING",
            "header",
            "the first message of a sync is its header, with request_id and mode",
        )
        .into());
    };
    let request_id =
        wire::request_id(&header.take_request_id()).map_err(|error| error.within("header"))?;
    let mode = wire::chosen::<pb::SyncMode, _>("header.mode", header.mode)?;
    let mut gathered = Gathered::begin(caller, &header);
    while let Some(message) = stream.message().await? {
        match message.part {
            Some(Part::Chunk(chunk)) => gathered.take(chunk)?,
            Some(Part::Header(_)) => {
                return Err(wire::invalid("header", "only the first message is a header").into());
            }
            None => return Err(wire::invalid("part", "is required and missing").into()),
        }
    }
    let (digest, rows, rejected) = gathered.end();
    let intent = Intent::of(caller, request_id, digest, header.validate_only);
    Ok((intent, Sync { mode, digest: hex::encode(digest), rows, rejected }))
}

struct Gathered {
    hash: aws_lc_rs::digest::Context,
    sent: usize,
    rows: Vec<SyncRow>,
    rejected: Vec<Rejected>,
}

impl Gathered {
    fn begin(caller: &Caller, header: &pb::SyncExportersHeader) -> Self {
        let mut hash = aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA256);
        hash.update(&wire::digest(caller.method(), header));
        Self { hash, sent: 0, rows: Vec::new(), rejected: Vec::new() }
    }

    fn take(&mut self, chunk: pb::SyncExportersChunk) -> Result<()> {
        wire::count("chunk.rows", &chunk.rows, 1, 1000)?;
        self.sent += chunk.rows.len();
        if self.sent > MAX_ROWS {
            return Err(Error::exhausted(
                "TOO_MANY_ROWS",
                format!("a sync has at most {MAX_ROWS} rows: send several deltas"),
                std::time::Duration::from_secs(1),
            ));
        }
        for row in chunk.rows {
            self.hash.update(&row.encode_length_delimited_to_vec());
            let number = row.row;
            match parse(row) {
                Ok(row) => self.rows.push(row),
                Err(error) => self.rejected.push(rejected(number, &error)),
            }
        }
        Ok(())
    }

    fn end(self) -> (wire::Digest, Vec<SyncRow>, Vec<Rejected>) {
        let mut digest = [0; 32];
        digest.copy_from_slice(self.hash.finish().as_ref());
        (digest, self.rows, self.rejected)
    }
}

fn parse(sent: pb::ExporterRow) -> Result<SyncRow> {
    if sent.row < 0 {
        return Err(wire::invalid("row", "is below 0"));
    }
    Ok(SyncRow {
        row: sent.row,
        cuit: wire::parsed("cuit", &sent.cuit)?,
        legal_name: named("legal_name", &sent.legal_name)?,
        size_class: wire::chosen::<common::SizeClass, _>("size_class", sent.size_class)?,
        province: wire::parsed("province", &sent.province)?,
        fact: fact("fact", sent.fact)?,
    })
}

fn named(field: &str, sent: &str) -> Result<Name> {
    wire::parsed(field, sent)
}

/// A fact as sent; when it was recorded is for the gateway to say.
pub fn fact(field: &str, sent: Option<pb::EligibilityFact>) -> Result<NewFact> {
    let sent = wire::required(field, sent)?;
    fact_in(&sent).map_err(|error| error.within(field))
}

fn fact_in(sent: &pb::EligibilityFact) -> Result<NewFact> {
    wire::count("ncm_chapters", &sent.ncm_chapters, 0, 97)?;
    wire::unique("ncm_chapters", &sent.ncm_chapters)?;
    let chapters = sent.ncm_chapters.iter().enumerate();
    let valid_from = wire::day("valid_from", sent.valid_from.as_ref())?;
    let valid_to = wire::optional_day("valid_to", sent.valid_to.as_ref())?;
    if valid_to.is_some_and(|last| last < valid_from) {
        return Err(wire::invalid("valid_to", "is before valid_from"));
    }
    Ok(NewFact {
        status: wire::chosen::<common::EligibilityStatus, _>("status", sent.status)?,
        cause: Cause::optional(&sent.cause).map_err(|fault| fault.at("cause"))?,
        legal_instrument: Name::optional(&sent.legal_instrument)
            .map_err(|fault| fault.at("legal_instrument"))?,
        valid_from,
        valid_to,
        chapters: chapters
            .map(|(place, chapter)| wire::parsed(&format!("ncm_chapters[{place}]"), chapter))
            .collect::<Result<_>>()?,
    })
}

fn rejected(row: i64, error: &Error) -> Rejected {
    let fault = wire::fault(error);
    let reason = match fault.reason.as_str() {
        "INVALID_CUIT" => "INVALID_CUIT",
        // The contract has one word for all other fields.
        _ => "INVALID_FIELD",
    };
    Rejected { row, reason: reason.to_owned(), field: fault.field, message: fault.message }
}

/// The answer on the wire.
pub fn synced(synced: Synced, receipt: Option<common::Receipt>) -> pb::SyncExportersResponse {
    let rejected_rows = synced.rejected_rows.into_iter().map(|one| pb::RejectedRow {
        row: one.row,
        fault: Some(common::Fault { reason: one.reason, field: one.field, message: one.message }),
    });
    pb::SyncExportersResponse {
        created: synced.created,
        updated: synced.updated,
        unchanged: synced.unchanged,
        suspended: synced.suspended,
        rejected: synced.rejected,
        rejected_rows: rejected_rows.collect(),
        receipt,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::caller::Admission;
    use crate::domain::partner::Role;
    use crate::proto::google::r#type::Date;

    fn caller() -> Caller {
        Caller::admitted(Admission {
            partner: "registry".parse().unwrap(),
            role: Role::ExportRegistry,
            agency: None,
            scopes: Role::ExportRegistry.grantable(),
            method: "/puente.registry.v1.RegistryService/SyncExporters".into(),
            client_address: "".into(),
            certificate_thumbprint: "".into(),
            trace_id: String::new(),
        })
    }

    fn row(number: i64, cuit: &str) -> pb::ExporterRow {
        pb::ExporterRow {
            row: number,
            cuit: cuit.to_owned(),
            legal_name: "Bodega de ejemplo".to_owned(),
            size_class: common::SizeClass::Small.into(),
            province: "AR-M".to_owned(),
            fact: Some(pb::EligibilityFact {
                status: common::EligibilityStatus::Eligible.into(),
                valid_from: Some(Date { year: 2026, month: 1, day: 1 }),
                ..Default::default()
            }),
        }
    }

    fn gathered(chunks: &[&[pb::ExporterRow]]) -> (wire::Digest, Vec<SyncRow>, Vec<Rejected>) {
        let header = pb::SyncExportersHeader { mode: 1, ..Default::default() };
        let mut gathered = Gathered::begin(&caller(), &header);
        for chunk in chunks {
            gathered.take(pb::SyncExportersChunk { rows: chunk.to_vec() }).unwrap();
        }
        gathered.end()
    }

    #[test]
    fn how_rows_are_cut_into_chunks_is_no_content() {
        let rows = [row(2, "30-50001091-2"), row(3, "33693450239"), row(4, "20267565393")];
        let (whole, good, _) = gathered(&[&rows]);
        assert_eq!(whole, gathered(&[&rows[..1], &rows[1..]]).0);
        assert_ne!(whole, gathered(&[&rows[..2]]).0);
        assert_eq!(good.len(), 3);
    }

    #[test]
    fn each_bad_row_is_told_by_number_field_and_reason() {
        let mut fact = row(4, "33693450239");
        fact.fact.as_mut().unwrap().ncm_chapters = vec!["22".into(), "2".into()];
        let mut order = row(5, "33693450239");
        order.fact.as_mut().unwrap().valid_to = Some(Date { year: 2025, month: 1, day: 1 });
        let mut province = row(6, "33693450239");
        province.province = "AR-O".into();
        let bad = [row(2, "30500010913"), row(3, "30500010912"), fact, order, province];
        let (_, good, rejected) = gathered(&[&bad]);
        assert_eq!(good.len(), 1);
        let told: Vec<_> =
            rejected.iter().map(|one| (one.row, &*one.reason, &*one.field)).collect();
        assert_eq!(
            told,
            [
                (2, "INVALID_CUIT", "cuit"),
                (4, "INVALID_FIELD", "fact.ncm_chapters[1]"),
                (5, "INVALID_FIELD", "fact.valid_to"),
                (6, "INVALID_FIELD", "province"),
            ]
        );
    }

    #[test]
    fn a_sync_is_bounded() {
        let header = pb::SyncExportersHeader { mode: 1, ..Default::default() };
        let mut gathered = Gathered::begin(&caller(), &header);
        gathered.sent = MAX_ROWS;
        let chunk = pb::SyncExportersChunk { rows: vec![row(2, "30500010912")] };
        assert_eq!(gathered.take(chunk).unwrap_err().reason, "TOO_MANY_ROWS");
        let empty = pb::SyncExportersChunk { rows: Vec::new() };
        assert_eq!(gathered.take(empty).unwrap_err().reason, "INVALID_FIELD");
    }
}
