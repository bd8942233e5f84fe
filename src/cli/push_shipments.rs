//! `puente push shipments`: records from a file what left under declarations.

use std::path::PathBuf;

use super::batches::{finish, progress, read_all, row_fault};
use super::csv::{CsvFile, RowFault, shipments};
use super::output::{facts, show};
use super::push_declarations::rejected;
use super::{Client, Connect, Outcome};
use crate::proto::puente::customs::v1::declaration_service_client::DeclarationServiceClient;
use crate::proto::puente::customs::v1::record_shipments_request::Part;
use crate::proto::puente::customs::v1::{
    RecordShipmentsChunk, RecordShipmentsHeader, RecordShipmentsRequest, RecordShipmentsResponse,
    RejectedCustomsRow, ShipmentRow,
};

/// Rows in one request; so many rejected ones its answer can list, at least.
const PART: usize = 2_000;
/// Rows in one message; the contract's most.
const CHUNK: usize = 1_000;

/// Send what left under export declarations
///
/// Of no item more leaves than was declared. A shipment is known by declaration, item, day and
/// reference: one that is recorded already changes nothing, so the file can be sent again.
///
/// Columns: declaration,item,shipped_quantity,shipped_on,reference,post_shipment; the last two may
/// be left out. post_shipment is true where nothing more of the item leaves, also if less left than
/// was declared.
///
/// Example:
///   puente push shipments shipments.csv --profile profiles/customs.toml
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Shipments {
    /// The file, CSV in UTF-8
    file: PathBuf,
    /// Check and answer as for real, but store nothing
    #[arg(long)]
    validate_only: bool,
    #[command(flatten)]
    connect: Connect,
}

impl Shipments {
    pub(super) async fn run(self) -> Outcome {
        let client = self.connect.client()?;
        let file = CsvFile::open(&self.file, shipments::LAYOUT)?;
        let (rows, mut bad) = read_all(&file, shipments::read)?;
        let mut answer = RecordShipmentsResponse::default();
        let bar = progress(rows.len() as u64, "shipments");
        for part in rows.chunks(PART) {
            add(&mut answer, send(&client, self.validate_only, part).await?);
            bar.inc(part.len() as u64);
        }
        bar.finish_and_clear();
        let told: Vec<RowFault> = answer.rejected_rows.iter().map(fault).collect();
        answer.rejected += bad.len() as i64;
        answer.rejected_rows.extend(bad.iter().map(rejected));
        answer.rejected_rows.sort_by_key(|row| row.row);
        bad.extend(told);
        let name = "puente.customs.v1.RecordShipmentsResponse";
        show(self.connect.output(), name, &answer, table)?;
        finish(&self.file, bad)
    }
}

/// Sends some rows as one request under a fresh id.
pub(super) async fn send(
    client: &Client,
    validate_only: bool,
    rows: &[ShipmentRow],
) -> Outcome<RecordShipmentsResponse> {
    let header = RecordShipmentsHeader { request_id: client.request_id(), validate_only };
    let chunks =
        rows.chunks(CHUNK).map(|rows| Part::Chunk(RecordShipmentsChunk { rows: rows.to_vec() }));
    let messages: Vec<_> = std::iter::once(Part::Header(header))
        .chain(chunks)
        .map(|part| RecordShipmentsRequest { part: Some(part) })
        .collect();
    client
        .call(messages, |channel, request| async move {
            DeclarationServiceClient::new(channel)
                .max_decoding_message_size(64 << 20)
                .record_shipments(request.map(tokio_stream::iter))
                .await
        })
        .await
}

/// A row that the gateway left out, by the names of the columns.
pub(super) fn fault(rejected: &RejectedCustomsRow) -> RowFault {
    let fault = row_fault(rejected.row, rejected.fault.clone());
    RowFault { column: shipments::column(&fault.column).to_owned(), ..fault }
}

/// Adds the answer to one request to those before it; the receipt is the last one's.
fn add(all: &mut RecordShipmentsResponse, part: RecordShipmentsResponse) {
    all.recorded += part.recorded;
    all.unchanged += part.unchanged;
    all.rejected += part.rejected;
    all.rejected_rows.extend(part.rejected_rows);
    all.receipt = part.receipt.or(all.receipt.take());
}

fn table(answer: &RecordShipmentsResponse) -> String {
    facts([
        ("Shipments recorded", answer.recorded.to_string()),
        ("Unchanged", answer.unchanged.to_string()),
        ("Rows refused", answer.rejected.to_string()),
        ("Ledger entry", answer.receipt.as_ref().map(|r| r.index.to_string()).unwrap_or_default()),
    ])
}
