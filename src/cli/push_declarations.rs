//! `puente push declarations`: registers export declarations from a file, one item a row.

use std::path::PathBuf;

use super::batches::{finish, progress, read_all, row_fault, wire_fault};
use super::csv::{CsvFile, RowFault, declarations};
use super::output::{facts, show};
use super::{Client, Connect, Outcome, parse};
use crate::proto::puente::customs::v1::declaration_service_client::DeclarationServiceClient;
use crate::proto::puente::customs::v1::register_declarations_request::Part;
use crate::proto::puente::customs::v1::{
    DeclarationRow, RegisterDeclarationsChunk, RegisterDeclarationsHeader,
    RegisterDeclarationsRequest, RegisterDeclarationsResponse, RejectedCustomsRow,
};

/// Rows in one request; so many rejected ones its answer can list, at least.
const PART: usize = 2_000;
/// Rows in one request where a declaration would otherwise be parted.
const LARGEST_PART: usize = 10_000;
/// Rows in one message; the contract's most.
const CHUNK: usize = 1_000;

/// Send export declarations, one item a row
///
/// A row that is registered already changes nothing, so the file can be sent again. Rows of one
/// declaration must agree in all but the item.
///
/// Columns: declaration,item,exporter_cuit,declarant_cuit,sku,ncm,destination,incoterm,
/// declared_quantity,statistical_unit,fob,currency,officialised_on; declarant_cuit (where the
/// exporter declared) and destination may be left out.
///
/// Example:
///   puente push declarations declarations.csv --profile profiles/customs.toml
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Declarations {
    /// The file, CSV in UTF-8
    file: PathBuf,
    /// Whose skus these are; needed where several marketplaces have one of them
    #[arg(long, value_name = "PARTNER")]
    marketplace: Option<String>,
    /// Check and answer as for real, but store nothing
    #[arg(long)]
    validate_only: bool,
    #[command(flatten)]
    connect: Connect,
}

impl Declarations {
    pub(super) async fn run(self) -> Outcome {
        let client = self.connect.client()?;
        let file = CsvFile::open(&self.file, declarations::LAYOUT)?;
        let (rows, mut bad) = read_all(&file, declarations::read)?;
        let marketplace = self.marketplace.as_ref().map(|id| parse::name("partners", id));
        let header = RegisterDeclarationsHeader {
            request_id: String::new(),
            marketplace: marketplace.unwrap_or_default(),
            validate_only: self.validate_only,
        };
        let mut answer = RegisterDeclarationsResponse::default();
        let bar = progress(rows.len() as u64, "declarations");
        let mut left = rows.as_slice();
        while !left.is_empty() {
            let (part, rest) = left.split_at(part(left));
            add(&mut answer, send(&client, header.clone(), part).await?);
            bar.inc(part.len() as u64);
            left = rest;
        }
        bar.finish_and_clear();
        let told: Vec<RowFault> = answer.rejected_rows.iter().map(fault).collect();
        answer.rejected += bad.len() as i64;
        answer.rejected_rows.extend(bad.iter().map(rejected));
        answer.rejected_rows.sort_by_key(|row| row.row);
        bad.extend(told);
        let name = "puente.customs.v1.RegisterDeclarationsResponse";
        show(self.connect.output(), name, &answer, table)?;
        finish(&self.file, bad)
    }
}

/// Sends some rows as one request under a fresh id.
pub(super) async fn send(
    client: &Client,
    header: RegisterDeclarationsHeader,
    rows: &[DeclarationRow],
) -> Outcome<RegisterDeclarationsResponse> {
    let header = RegisterDeclarationsHeader { request_id: client.request_id(), ..header };
    let chunks = rows
        .chunks(CHUNK)
        .map(|rows| Part::Chunk(RegisterDeclarationsChunk { rows: rows.to_vec() }));
    let messages: Vec<_> = std::iter::once(Part::Header(header))
        .chain(chunks)
        .map(|part| RegisterDeclarationsRequest { part: Some(part) })
        .collect();
    client
        .call(messages, |channel, request| async move {
            DeclarationServiceClient::new(channel)
                .max_decoding_message_size(64 << 20)
                .register_declarations(request.map(tokio_stream::iter))
                .await
        })
        .await
}

/// How many of the rows go together: rows of one declaration that follow each other do.
fn part(rows: &[DeclarationRow]) -> usize {
    let number = |row: &DeclarationRow| row.declaration.as_ref().map(|one| one.number.clone());
    let mut end = PART.min(rows.len());
    while end < rows.len().min(LARGEST_PART) && number(&rows[end]) == number(&rows[end - 1]) {
        end += 1;
    }
    end
}

/// A row that the gateway left out, by the names of the columns.
pub(super) fn fault(rejected: &RejectedCustomsRow) -> RowFault {
    let fault = row_fault(rejected.row, rejected.fault.clone());
    RowFault { column: declarations::column(&fault.column).to_owned(), ..fault }
}

/// The same of a row that never reached the gateway.
pub(super) fn rejected(fault: &RowFault) -> RejectedCustomsRow {
    let row = i64::try_from(fault.line).unwrap_or(i64::MAX);
    RejectedCustomsRow { row, fault: Some(wire_fault(fault)) }
}

/// Adds the answer to one request to those before it; the receipt is the last one's.
fn add(all: &mut RegisterDeclarationsResponse, part: RegisterDeclarationsResponse) {
    all.registered += part.registered;
    all.extended += part.extended;
    all.items += part.items;
    all.unchanged += part.unchanged;
    all.rejected += part.rejected;
    all.rejected_rows.extend(part.rejected_rows);
    all.receipt = part.receipt.or(all.receipt.take());
}

fn table(answer: &RegisterDeclarationsResponse) -> String {
    facts([
        ("New declarations", answer.registered.to_string()),
        ("With further items", answer.extended.to_string()),
        ("Items taken", answer.items.to_string()),
        ("Unchanged", answer.unchanged.to_string()),
        ("Rows refused", answer.rejected.to_string()),
        ("Ledger entry", answer.receipt.as_ref().map(|r| r.index.to_string()).unwrap_or_default()),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::puente::customs::v1::Declaration;

    #[test]
    fn a_declaration_is_not_parted_if_it_can_be_helped() {
        let rows = |numbers: &[(&str, usize)]| -> Vec<DeclarationRow> {
            let all =
                numbers.iter().flat_map(|(number, count)| std::iter::repeat_n(*number, *count));
            let declaration =
                |number: &str| Declaration { number: number.to_owned(), ..Declaration::default() };
            all.map(|number| DeclarationRow { row: 1, declaration: Some(declaration(number)) })
                .collect()
        };
        assert_eq!(part(&rows(&[("a", 3)])), 3);
        assert_eq!(part(&rows(&[("a", 1_999), ("b", 2), ("c", 5)])), 2_001);
        assert_eq!(part(&rows(&[("a", 2_000), ("b", 2)])), 2_000);
        assert_eq!(part(&rows(&[("a", 12_000)])), LARGEST_PART);
    }
}
