//! `puente push delegations`: records from a file what exporters delegated to brokers.

use std::path::PathBuf;

use super::batches::{finish, progress, read_all};
use super::csv::{CsvFile, RowFault, delegations};
use super::delegation::{record, rows};
use super::output::show;
use super::{Connect, Failure, Outcome};
use crate::proto::puente::customs::v1::{ListDelegationsResponse, RecordDelegationRequest};

/// Refusals of one row; whatever else fails ends the command.
const OF_A_ROW: [&str; 6] = [
    "INVALID_CUIT",
    "INVALID_FIELD",
    "INVALID_PARTNER_ID",
    "UNKNOWN_BROKER",
    "DELEGATION_EXISTS",
    "TOO_MANY_FACTS",
];

/// Record delegations from a file, for customs
///
/// A row that stands already changes nothing, so the file can be sent again. Shows the delegations
/// as they are then.
///
/// Columns: broker,exporter_cuit,valid_from,valid_to,source; valid_to may be left out.
///
/// Example:
///   puente push delegations delegations.csv --profile profiles/customs.toml
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Delegations {
    /// The file, CSV in UTF-8
    file: PathBuf,
    /// Check and answer as for real, but store nothing
    #[arg(long)]
    validate_only: bool,
    #[command(flatten)]
    connect: Connect,
}

impl Delegations {
    pub(super) async fn run(self) -> Outcome {
        let client = self.connect.client()?;
        let file = CsvFile::open(&self.file, delegations::LAYOUT)?;
        let (requests, mut bad) = read_all(&file, delegations::read)?;
        let mut answer = ListDelegationsResponse::default();
        let bar = progress(requests.len() as u64, "delegations");
        for (line, request) in requests {
            let request = RecordDelegationRequest {
                request_id: client.request_id(),
                validate_only: self.validate_only,
                ..request
            };
            match record(&client, request).await {
                Ok(recorded) => answer.delegations.extend(recorded.delegation),
                Err(failure) if OF_A_ROW.contains(&failure.reason.as_str()) => {
                    bad.push(of_row(line, failure));
                }
                Err(failure) => return Err(failure),
            }
            bar.inc(1);
        }
        bar.finish_and_clear();
        let name = "puente.customs.v1.ListDelegationsResponse";
        show(self.connect.output(), name, &answer, |answer| rows(&answer.delegations))?;
        finish(&self.file, bad)
    }
}

/// The gateway's fields are the file's columns.
fn of_row(line: u64, failure: Failure) -> RowFault {
    let column = failure.fields.into_iter().next().map(|(field, _)| field).unwrap_or_default();
    RowFault { line, column, reason: failure.reason, message: failure.message }
}
