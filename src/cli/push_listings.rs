//! `puente push listings`: makes or updates listings by their sku, and submits them.

use std::path::PathBuf;

use super::batches::{finish, progress, read_all, row_fault, wire_fault};
use super::csv::{CsvFile, RowFault, listings};
use super::output::{facts, show};
use super::{Client, Connect, Outcome};
use crate::proto::puente::listings::v1::batch_listing_result::Outcome as ListingOutcome;
use crate::proto::puente::listings::v1::listing_service_client::ListingServiceClient;
use crate::proto::puente::listings::v1::{
    BatchCreateListingsRequest, BatchCreateListingsResponse, BatchListing, BatchListingResult,
};

/// Listings in one request; the contract's most.
const BATCH: usize = 500;

/// Send listings: make or update each by its sku, and submit it for clearance
///
/// Columns: sku,seller_cuit,title,ncm,gtin,channel,unit,statistical_unit,statistical_factor,price,
/// currency,certificates,destination,producer,origin,entry_mode; gtin and the last five may be left
/// out.
/// Certificates are ISSUER:NUMBER:VALID_TO joined by ;
///
/// Example:
///   puente push listings listings.csv --profile profiles/marketplace.toml
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Listings {
    /// The file, CSV in UTF-8
    file: PathBuf,
    /// Leave them as drafts
    #[arg(long)]
    no_submit: bool,
    /// Check and answer as for real, but store nothing
    #[arg(long)]
    validate_only: bool,
    #[command(flatten)]
    connect: Connect,
}

impl Listings {
    pub(super) async fn run(self) -> Outcome {
        let client = self.connect.client()?;
        let file = CsvFile::open(&self.file, listings::LAYOUT)?;
        let (rows, mut bad) = read_all(&file, listings::read)?;
        let mut answer = BatchCreateListingsResponse::default();
        let bar = progress(rows.len() as u64, "listings");
        for items in rows.chunks(BATCH) {
            let part = self.send(&client, items.to_vec()).await?;
            bar.inc(items.len() as u64);
            add(&mut answer, part);
        }
        bar.finish_and_clear();
        let told: Vec<RowFault> = answer
            .results
            .iter()
            .filter_map(|result| match &result.outcome {
                Some(ListingOutcome::Fault(fault)) => {
                    Some(row_fault(result.row, Some(fault.clone())))
                }
                Some(ListingOutcome::Listing(_)) | None => None,
            })
            .collect();
        answer.faulty += i32::try_from(bad.len()).unwrap_or(i32::MAX);
        answer.results.extend(bad.iter().map(|fault| BatchListingResult {
            row: fault.line as i64,
            outcome: Some(ListingOutcome::Fault(wire_fault(fault))),
        }));
        answer.results.sort_by_key(|result| result.row);
        bad.extend(told);
        show(
            self.connect.output(),
            "puente.listings.v1.BatchCreateListingsResponse",
            &answer,
            table,
        )?;
        finish(&self.file, bad)
    }

    async fn send(
        &self,
        client: &Client,
        items: Vec<BatchListing>,
    ) -> Outcome<BatchCreateListingsResponse> {
        let request = BatchCreateListingsRequest {
            request_id: client.request_id(),
            items,
            submit: !self.no_submit,
            validate_only: self.validate_only,
        };
        client
            .call(request, |channel, request| async move {
                ListingServiceClient::new(channel)
                    .max_decoding_message_size(64 << 20)
                    .batch_create_listings(request)
                    .await
            })
            .await
    }
}

/// Adds the answer to one request to those before it; the receipt is the last one's.
fn add(all: &mut BatchCreateListingsResponse, part: BatchCreateListingsResponse) {
    all.results.extend(part.results);
    all.created += part.created;
    all.updated += part.updated;
    all.unchanged += part.unchanged;
    all.faulty += part.faulty;
    all.receipt = part.receipt.or(all.receipt.take());
}

fn table(answer: &BatchCreateListingsResponse) -> String {
    facts([
        ("New listings", answer.created.to_string()),
        ("Changed", answer.updated.to_string()),
        ("Unchanged", answer.unchanged.to_string()),
        ("Refused", answer.faulty.to_string()),
        ("Ledger entry", answer.receipt.as_ref().map(|r| r.index.to_string()).unwrap_or_default()),
    ])
}
