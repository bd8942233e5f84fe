//! The marketplace offers listings; customs and agencies clear them, each for its part.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};

use super::super::Run;
use super::super::screen::Table;
use crate::cli::batches::{progress, read_all};
use crate::cli::csv::{CsvFile, listings as file};
use crate::cli::output::word;
use crate::cli::{Client, Outcome};
use crate::proto::puente::clearance::v1::clearance_service_client::ClearanceServiceClient;
use crate::proto::puente::clearance::v1::{DecideRequest, Decision, ListPendingRequest};
use crate::proto::puente::listings::v1::batch_listing_result::Outcome as Told;
use crate::proto::puente::listings::v1::listing_service_client::ListingServiceClient;
use crate::proto::puente::listings::v1::{
    BatchCreateListingsRequest, BatchCreateListingsResponse, BatchListing, ListListingsRequest,
    Listing, ListingState,
};

/// Decisions under way at once.
const AT_ONCE: usize = 8;
/// Who decides about listings.
pub(super) const AUTHORITIES: [&str; 4] = ["customs", "inv", "senasa", "inal"];

/// Sends the listings, and some that cannot be.
pub(in super::super) async fn offer(run: &mut Run) -> Outcome {
    run.screen.title("The marketplace offers listings")?;
    let path = run.world.file("listings.csv", &run.input.listings)?;
    let (rows, bad) = read_all(&CsvFile::open(&path, file::LAYOUT)?, file::read)?;
    run.check("rows that cannot be read", 0, bad.len());
    let marketplace = run.client("marketplace")?;

    let faults = send(&marketplace, faulty(&rows), true).await?;
    let mut table = Table::new("What would be refused", ["Mistake", "Reason", "Field"]);
    for (result, (mistake, reason)) in faults.results.into_iter().zip(MISTAKES) {
        let fault = match result.outcome {
            Some(Told::Fault(fault)) => fault,
            Some(Told::Listing(_)) | None => Default::default(),
        };
        run.check(mistake, reason, &fault.reason);
        table.row([mistake.to_owned(), fault.reason, fault.field]);
    }
    run.screen.table(table)?;

    let answer = send(&marketplace, rows.clone(), false).await?;
    run.check("new listings", rows.len(), answer.created);
    run.check("refused listings", 0, answer.faulty);
    for result in answer.results {
        if let Some(Told::Listing(listing)) = result.outcome {
            run.listings.push(listing);
        }
    }
    run.screen.table(by_chapter(&run.listings))
}

const MISTAKES: [(&str, &str); 3] = [
    ("a tariff code that is not in the nomenclature", "UNKNOWN_NCM"),
    ("a bar code with a wrong check digit", "INVALID_GTIN"),
    ("no certificate", "CERTIFICATES_MISSING"),
];

/// The first listing under other skus, with a mistake each.
fn faulty(rows: &[BatchListing]) -> Vec<BatchListing> {
    let change: [fn(&mut Listing); 3] = [
        |listing| listing.ncm = "2204.21.99".into(),
        |listing| listing.gtin = "7799999900012".into(),
        |listing| listing.certificates.clear(),
    ];
    let first = rows.first().and_then(|row| row.listing.clone()).unwrap_or_default();
    (1..)
        .zip(change)
        .map(|(row, change)| {
            let mut listing = Listing { sku: format!("MISTAKE-{row}"), ..first.clone() };
            change(&mut listing);
            BatchListing { row, listing: Some(listing) }
        })
        .collect()
}

pub(super) async fn send(
    client: &Client,
    items: Vec<BatchListing>,
    validate_only: bool,
) -> Outcome<BatchCreateListingsResponse> {
    let request = BatchCreateListingsRequest {
        request_id: client.request_id(),
        items,
        submit: true,
        validate_only,
    };
    call!(client, ListingServiceClient.batch_create_listings, request)
}

fn by_chapter(listings: &[Listing]) -> Table {
    #[derive(Default)]
    struct Group<'l> {
        count: usize,
        example: &'l str,
        certificates: BTreeSet<String>,
        authorities: BTreeSet<String>,
    }
    let mut groups: BTreeMap<&str, Group<'_>> = BTreeMap::new();
    for listing in listings {
        let group = groups.entry(listing.ncm.get(..2).unwrap_or_default()).or_default();
        group.count += 1;
        if group.example.is_empty() {
            group.example = &listing.title;
        }
        let issuers = listing.certificates.iter().map(|one| one.issuer().as_str_name());
        group.certificates.extend(issuers.map(|name| word(name, "CERTIFICATE_ISSUER_")));
        let reviews = listing.reviews.iter().map(|one| one.authority().as_str_name());
        group.authorities.extend(reviews.map(|name| word(name, "AUTHORITY_")));
    }
    let mut table = Table::new(
        "Handed in, by tariff chapter",
        ["Chapter", "#Listings", "Certificates", "To be cleared by", "For example"],
    );
    let joined = |words: BTreeSet<String>| words.into_iter().collect::<Vec<_>>().join(", ");
    for (chapter, group) in groups {
        table.row([
            chapter.to_owned(),
            group.count.to_string(),
            joined(group.certificates),
            joined(group.authorities),
            group.example.to_owned(),
        ]);
    }
    table
}

/// Each authority clears what waits for it.
pub(in super::super) async fn clear(run: &mut Run) -> Outcome {
    run.screen.title("Customs and agencies clear them, each for its own part")?;
    let mut table = Table::new("Decisions", ["Authority", "#Waiting", "#Cleared", "#Left"]);
    for authority in AUTHORITIES {
        let client = run.client(authority)?;
        let waiting = pending(&client).await?;
        let expected = run
            .listings
            .iter()
            .filter(|listing| {
                let mut reviews = listing.reviews.iter().map(|one| one.authority().as_str_name());
                reviews.any(|name| name == format!("AUTHORITY_{}", authority.to_uppercase()))
            })
            .count();
        run.check(format!("waiting for {authority}"), expected, waiting.len());
        let bar = progress(waiting.len() as u64, "decisions");
        let decisions = stream::iter(&waiting).map(|listing| decide(&client, listing));
        let cleared: Vec<Listing> =
            decisions.buffer_unordered(AT_ONCE).inspect(|_| bar.inc(1)).try_collect().await?;
        bar.finish_and_clear();
        let left = pending(&client).await?.len();
        run.check(format!("left for {authority}"), 0, left);
        table.row([
            authority.to_owned(),
            waiting.len().to_string(),
            cleared.len().to_string(),
            left.to_string(),
        ]);
    }
    run.screen.table(table)?;
    let marketplace = run.client("marketplace")?;
    let state = ListingState::Cleared.into();
    let cleared = list(&marketplace, ListListingsRequest { state, ..Default::default() }).await?;
    run.check("listings that may be sold", run.listings.len(), cleared.len());
    run.screen.say(&format!("The marketplace sees {} listings cleared.", cleared.len()))
}

async fn pending(client: &Client) -> Outcome<Vec<Listing>> {
    let request = ListPendingRequest { page_size: 1000, ..Default::default() };
    Ok(call!(client, ClearanceServiceClient.list_pending, request)?.listings)
}

pub(super) async fn decide(client: &Client, listing: &Listing) -> Outcome<Listing> {
    let request = DecideRequest {
        request_id: client.request_id(),
        listing: listing.name.clone(),
        decision: Decision::Clear.into(),
        revision: listing.revision,
        ..Default::default()
    };
    let answer = call!(client, ClearanceServiceClient.decide, request)?;
    Ok(answer.listing.unwrap_or_default())
}

/// The listings that a partner sees.
pub(super) async fn list(client: &Client, request: ListListingsRequest) -> Outcome<Vec<Listing>> {
    let request = ListListingsRequest { page_size: 1000, ..request };
    Ok(call!(client, ListingServiceClient.list_listings, request)?.listings)
}
