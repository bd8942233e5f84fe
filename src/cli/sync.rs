//! `puente sync`: the registry's exporters.

use std::path::PathBuf;

use super::batches::{finish, read_all, row_fault, wire_fault};
use super::csv::{CsvFile, exporters};
use super::output::{facts, show};
use super::{Connect, Failure, Outcome};
use crate::proto::puente::registry::v1::registry_service_client::RegistryServiceClient;
use crate::proto::puente::registry::v1::sync_exporters_request::Part;
use crate::proto::puente::registry::v1::{
    ExporterRow, RejectedRow, SyncExportersChunk, SyncExportersHeader, SyncExportersRequest,
    SyncExportersResponse, SyncMode,
};

/// Rows in one message; the contract's most.
const CHUNK: usize = 1000;

/// Send what the registry knows
#[derive(clap::Subcommand)]
pub enum Sync {
    Exporters(Exporters),
}

/// Send exporters and their eligibility
///
/// Several rows of one CUIT are intervals of eligibility. Good rows are taken, bad ones listed.
///
/// Columns: cuit,legal_name,size_class,province,status,cause,legal_instrument,valid_from,valid_to,
/// ncm_chapters; cause, legal_instrument, valid_to and ncm_chapters may be left out.
///
/// Example:
///   puente sync exporters exporters.csv --profile profiles/registry.toml
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Exporters {
    /// The file, CSV in UTF-8
    file: PathBuf,
    /// The file is everything: exporters that are not in it are suspended
    #[arg(long)]
    snapshot: bool,
    /// Check and answer as for real, but store nothing
    #[arg(long)]
    validate_only: bool,
    #[command(flatten)]
    connect: Connect,
}

impl Sync {
    pub(super) async fn run(self) -> Outcome {
        match self {
            Self::Exporters(exporters) => exporters.run().await,
        }
    }
}

impl Exporters {
    async fn run(self) -> Outcome {
        let client = self.connect.client()?;
        let file = CsvFile::open(&self.file, exporters::LAYOUT)?;
        let (rows, bad) = read_all(&file, exporters::read)?;
        if self.snapshot && !bad.is_empty() {
            // A snapshot with a hole would revoke whoever is in the hole.
            let told = finish(&self.file, bad);
            return told.map_err(|failure| {
                Failure { reason: "SNAPSHOT_INCOMPLETE".into(), ..failure }
                    .hint("nothing was sent: a snapshot is taken whole or not at all")
            });
        }
        let mut answer = if rows.is_empty() && !self.snapshot {
            SyncExportersResponse::default()
        } else {
            let messages = self.messages(client.request_id(), rows);
            client
                .call(messages, |channel, request| async move {
                    RegistryServiceClient::new(channel)
                        .max_decoding_message_size(64 << 20)
                        .sync_exporters(request.map(tokio_stream::iter))
                        .await
                })
                .await?
        };
        let mut all: Vec<_> =
            answer.rejected_rows.iter().map(|r| row_fault(r.row, r.fault.clone())).collect();
        answer.rejected += bad.len() as i64;
        answer.rejected_rows.extend(
            bad.iter().map(|fault| RejectedRow {
                row: fault.line as i64,
                fault: Some(wire_fault(fault)),
            }),
        );
        answer.rejected_rows.sort_by_key(|row| row.row);
        all.extend(bad);
        show(self.connect.output(), "puente.registry.v1.SyncExportersResponse", &answer, table)?;
        finish(&self.file, all)
    }

    fn messages(&self, request_id: String, rows: Vec<ExporterRow>) -> Vec<SyncExportersRequest> {
        let mode = if self.snapshot { SyncMode::Snapshot } else { SyncMode::Delta };
        let header = Part::Header(SyncExportersHeader {
            request_id,
            mode: mode.into(),
            validate_only: self.validate_only,
        });
        let mut parts = vec![header];
        let mut rows = rows.into_iter().peekable();
        while rows.peek().is_some() {
            let rows = rows.by_ref().take(CHUNK).collect();
            parts.push(Part::Chunk(SyncExportersChunk { rows }));
        }
        parts.into_iter().map(|part| SyncExportersRequest { part: Some(part) }).collect()
    }
}

fn table(answer: &SyncExportersResponse) -> String {
    facts([
        ("New exporters", answer.created.to_string()),
        ("Changed", answer.updated.to_string()),
        ("Unchanged", answer.unchanged.to_string()),
        ("Suspended", answer.suspended.to_string()),
        ("Rows refused", answer.rejected.to_string()),
        ("Ledger entry", answer.receipt.as_ref().map(|r| r.index.to_string()).unwrap_or_default()),
    ])
}
