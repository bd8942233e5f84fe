//! The registry suspends a seller: its listings are suspended and say why; then it lifts it.

use super::super::Run;
use super::super::screen::Table;
use super::listings::list;
use super::sellers::ask;
use crate::cli::output::word;
use crate::cli::parse::proto_date;
use crate::cli::{Client, Outcome};
use crate::domain::exporter::argentine_day;
use crate::proto::puente::common::v1::EligibilityStatus;
use crate::proto::puente::listings::v1::{ListListingsRequest, Listing};
use crate::proto::puente::registry::v1::registry_service_client::RegistryServiceClient;
use crate::proto::puente::registry::v1::{
    EligibilityFact, RecordEligibilityRequest, RecordEligibilityResponse,
};
use crate::proto::puente::sellers::v1::VerifySellerRequest;
use crate::proto::puente::sellers::v1::seller_service_client::SellerServiceClient;

/// The seller of the first listing, suspended from today and let in again.
pub(in super::super) async fn suspend_and_lift(run: &mut Run) -> Outcome {
    run.screen.title("The registry suspends a seller, and lifts it again")?;
    let (registry, marketplace) = (run.client("registry")?, run.client("marketplace")?);
    let cuit = run.listings.first().map(|one| one.seller_cuit.clone()).unwrap_or_default();
    let offered = run.listings.iter().filter(|one| one.seller_cuit == cuit).count();
    let before = run.world.env.now();
    let mut table = Table::new(
        "What the marketplace sees",
        ["", "Seller", "Reason", "#Listings", "State", "Why"],
    );

    see(run, &marketplace, &cuit, "before", "ELIGIBLE", "CLEARED", &mut table).await?;
    let suspended = record(run, &registry, &cuit, EligibilityStatus::Suspended).await?;
    run.check("listings that the suspension touches", offered, suspended.affected_listings);
    let listings =
        see(run, &marketplace, &cuit, "suspended", "NOT_ELIGIBLE", "SUSPENDED", &mut table).await?;
    for listing in &listings {
        run.check(format!("{} says why", listing.sku), "SELLER", reasons(listing));
    }
    let request = VerifySellerRequest {
        cuit: cuit.clone(),
        as_known_at: Some(prost_types::Timestamp {
            seconds: before.as_second(),
            nanos: before.subsec_nanosecond(),
        }),
        ..Default::default()
    };
    let known = call!(marketplace, SellerServiceClient.verify_seller, request)?;
    let verdict = known.answer.unwrap_or_default().verdict();
    run.check(
        "the answer as known before the suspension",
        "ELIGIBLE",
        word(verdict.as_str_name(), "VERDICT_"),
    );

    let lifted = record(run, &registry, &cuit, EligibilityStatus::Eligible).await?;
    run.check("listings that the lifting touches", offered, lifted.affected_listings);
    see(run, &marketplace, &cuit, "lifted", "ELIGIBLE", "CLEARED", &mut table).await?;
    run.screen.table(table)?;
    run.screen.say(
        "Asked what was known before the suspension, the gateway still answers ELIGIBLE: when a \
         fact holds and when it became known are two clocks.",
    )
}

async fn record(
    run: &Run,
    client: &Client,
    cuit: &str,
    status: EligibilityStatus,
) -> Outcome<RecordEligibilityResponse> {
    let today = argentine_day(run.world.env.now());
    let (cause, instrument) = match status {
        EligibilityStatus::Suspended | EligibilityStatus::Revoked => {
            ("Causa de ejemplo", "Disposición de ejemplo")
        }
        EligibilityStatus::Eligible | EligibilityStatus::Unspecified => ("", ""),
    };
    let request = RecordEligibilityRequest {
        request_id: client.request_id(),
        name: format!("exporters/{cuit}"),
        fact: Some(EligibilityFact {
            status: status.into(),
            cause: cause.into(),
            legal_instrument: instrument.into(),
            valid_from: Some(proto_date(today)),
            ..Default::default()
        }),
        ..Default::default()
    };
    call!(client, RegistryServiceClient.record_eligibility, request)
}

/// What the marketplace sees of the seller and its listings, checked and put into the table.
async fn see(
    run: &mut Run,
    client: &Client,
    cuit: &str,
    when: &str,
    verdict: &str,
    state: &str,
    table: &mut Table,
) -> Outcome<Vec<Listing>> {
    let answer = ask(client, cuit).await?;
    let found = word(answer.verdict().as_str_name(), "VERDICT_");
    run.check(format!("{when}: the seller"), verdict, &found);
    let request = ListListingsRequest { seller_cuit: cuit.to_owned(), ..Default::default() };
    let listings = list(client, request).await?;
    let states =
        distinct(listings.iter().map(|one| word(one.state().as_str_name(), "LISTING_STATE_")));
    run.check(format!("{when}: its listings"), state, &states);
    let why = distinct(listings.iter().map(reasons));
    table.row([when.to_owned(), found, answer.reason, listings.len().to_string(), states, why]);
    Ok(listings)
}

pub(super) fn reasons(listing: &Listing) -> String {
    let names = listing.suspension_reasons().map(|reason| reason.as_str_name());
    distinct(names.map(|name| word(name, "SUSPENSION_REASON_")))
}

pub(super) fn distinct(words: impl Iterator<Item = String>) -> String {
    words.collect::<std::collections::BTreeSet<_>>().into_iter().collect::<Vec<_>>().join(", ")
}
