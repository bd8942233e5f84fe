//! What ends by date ends by itself, once, and says why.

use jiff::SignedDuration;

use crate::app::clearance::Ruling;
use crate::app::exporters_tests::{row, suspended, sync};
use crate::app::listings::patch::OfferPatch;
use crate::app::listings::tests::{SELLER, agency as agency_of, stage, submitted, wine};
use crate::app::reference::CERTIFICATES;
use crate::app::sync::SyncMode;
use crate::app::test_stage::Stage;
use crate::app::{Versioned, decode};
use crate::change::Kind;
use crate::domain::exporter::NewFact;
use crate::domain::listing::{Decision, Listing, ListingState, ReviewState, SuspensionReason};
use crate::domain::partner::{Agency, Role};
use crate::domain::reference::{ReferenceRow, ReferenceTable};
use crate::ledger::{Entry, EntryKind};

async fn held(stage: &Stage, key: &str) -> Listing {
    let record = stage.app.store.record(Kind::Listing, key).await.unwrap().unwrap();
    let held: Versioned<Listing> = decode(&record).unwrap();
    assert_eq!(record.state, held.value.state.as_str());
    held.value
}

async fn clear(stage: &Stage, key: &str, by: &str, agency: Option<Agency>) {
    let caller = match agency {
        Some(agency) => agency_of(stage, agency),
        None => stage.caller(by, Role::Customs),
    };
    let ruling = Ruling {
        listing: key.to_owned(),
        etag: String::new(),
        decision: Decision::Clear,
        revision: None,
        note: None,
    };
    stage.app.decide_listing(&caller, &stage.intent(by), &ruling).await.unwrap();
}

/// A cleared listing of wine with these certificates.
async fn cleared(stage: &Stage, sku: &str, certificates: &[&str]) -> String {
    let mut new = wine(sku);
    new.offer.certificates = certificates.iter().map(|one| one.parse().unwrap()).collect();
    let key = submitted(stage, &new).await;
    clear(stage, &key, "customs", None).await;
    clear(stage, &key, "inv", Some(Agency::Inv)).await;
    assert_eq!(held(stage, &key).await.state, ListingState::Cleared);
    key
}

/// The entries of a kind, with their facts.
async fn entries(stage: &Stage, kind: EntryKind) -> Vec<Entry> {
    let size = stage.app.store.tree().await.unwrap().size();
    let mut found = Vec::new();
    for index in 0..size {
        let stored = stage.app.store.entry(index).await.unwrap().unwrap();
        let entry = Entry::parse(&stored.entry).unwrap();
        if entry.kind() == Some(kind) {
            found.push(entry);
        }
    }
    found
}

/// Moves the clock to the first second of a day in Argentina.
fn turn_to(stage: &Stage, day: &str) {
    let midnight: jiff::Timestamp = format!("{day}T03:00:00Z").parse().unwrap();
    let wait: SignedDuration = midnight.duration_since(stage.app.env.now());
    stage.clock.advance(wait.as_secs());
}

fn rules(version: &str, rows: &[(&str, &str, &str, &str)]) -> ReferenceTable {
    let row = |(code, name, value, from): &(&str, &str, &str, &str)| ReferenceRow {
        code: (*code).to_owned(),
        title_es: String::new(),
        title_en: String::new(),
        attributes: [((*name).to_owned(), (*value).to_owned())].into(),
        valid_from: from.parse().ok(),
        valid_to: None,
    };
    ReferenceTable {
        id: CERTIFICATES.to_owned(),
        version: version.to_owned(),
        source: "Resolución de ejemplo".to_owned(),
        loaded_at: jiff::Timestamp::UNIX_EPOCH,
        digest: String::new(),
        rows: rows.iter().map(row).collect(),
    }
}

#[tokio::test]
async fn a_certificate_that_ends_suspends_its_listings_at_midnight_and_once() {
    let stage = stage().await;
    let ends = cleared(&stage, "A", &["INV:1:2026-06-30"]).await;
    let also = cleared(&stage, "B", &["INV:1:2026-06-30", "INAL:9:2026-06-10"]).await;
    let stays = cleared(&stage, "C", &["INV:1:2026-06-30", "INV:2:2027-06-30"]).await;
    turn_to(&stage, "2026-07-01");
    stage.clock.advance(-1);
    assert_eq!(stage.app.meet_deadlines().await.listings, 0);
    stage.clock.advance(1);
    let (one, two) = tokio::join!(stage.app.meet_deadlines(), stage.app.meet_deadlines());
    assert_eq!(one.listings + two.listings, 2, "two who look at once do it once");
    assert_eq!(stage.app.meet_deadlines().await.listings, 0);
    for key in [&ends, &also] {
        let listing = held(&stage, key).await;
        assert_eq!(listing.state, ListingState::Suspended);
        assert_eq!(listing.suspension_reasons, [SuspensionReason::Certificate].into());
    }
    assert_eq!(held(&stage, &stays).await.state, ListingState::Cleared);
    let judged = entries(&stage, EntryKind::ListingsJudged).await;
    assert_eq!(judged.len(), 1, "one entry for one certificate and day");
    let facts = judged[0].facts();
    assert_eq!(facts["certificates_ended"], "INV:1:2026-06-30");
    assert_eq!(facts["suspended"], "2");
    for key in [&ends, &also] {
        assert!(facts["listings"].contains(key.as_str()), "{facts:?}");
    }

    // What its issuer extends comes back at once; what is another's is not extended.
    let longer = "INV:1:2027-01-31".parse().unwrap();
    let senasa = agency_of(&stage, Agency::Senasa);
    let refused = stage.app.extend_certificate(&senasa, &stage.intent("senasa"), &longer).await;
    assert_eq!(refused.unwrap_err().reason, "NOT_COMPETENT");
    let inv = agency_of(&stage, Agency::Inv);
    let extend = |text: &str| {
        let (certificate, inv, stage) = (text.parse().unwrap(), inv.clone(), &stage);
        async move { stage.app.extend_certificate(&inv, &stage.intent("inv"), &certificate).await }
    };
    assert_eq!(extend("INV:1:2026-06-30").await.unwrap_err().reason, "CERTIFICATE_ENDED");
    assert_eq!(extend("INV:404:2027-01-31").await.unwrap_err().reason, "NOT_FOUND");
    let done = extend("INV:1:2027-01-31").await.unwrap();
    assert_eq!((done.value.listings.len(), done.value.reinstated), (3, 2));
    assert_eq!(held(&stage, &ends).await.state, ListingState::Cleared);
    turn_to(&stage, "2027-02-01");
    assert_eq!(stage.app.meet_deadlines().await.listings, 2, "until it ends again");
}

#[tokio::test]
async fn a_marketplace_that_renews_what_ended_is_asked_about_again() {
    let stage = stage().await;
    let key = cleared(&stage, "A", &["INV:1:2026-06-30"]).await;
    turn_to(&stage, "2026-07-01");
    // Nobody has looked yet: the day alone counts.
    let patch = OfferPatch {
        certificates: Some(vec!["INV:1:2030-01-01".parse().unwrap()]),
        ..OfferPatch::default()
    };
    let market = stage.caller("market", Role::Marketplace);
    let intent = stage.intent("market");
    let shown = stage.app.update_listing(&market, &intent, &key, "", &patch).await.unwrap().value;
    assert_eq!(shown.listing.state, ListingState::UnderReview);
    clear(&stage, &key, "inv", Some(Agency::Inv)).await;
    assert_eq!(held(&stage, &key).await.state, ListingState::Cleared);
    assert_eq!(stage.app.meet_deadlines().await.listings, 0);
}

#[tokio::test]
async fn eligibility_that_ends_or_begins_by_date_takes_the_listings_along() {
    let stage = stage().await;
    let july = NewFact { valid_to: Some("2026-07-31".parse().unwrap()), ..suspended("2026-07-01") };
    sync(&stage, SyncMode::Delta, vec![row(2, SELLER, july)]).await.unwrap();
    let key = cleared(&stage, "A", &["INV:1:2030-06-30"]).await;
    turn_to(&stage, "2026-07-01");
    assert_eq!(stage.app.meet_deadlines().await.exporters, 1);
    assert_eq!(stage.app.meet_deadlines().await.exporters, 0);
    let listing = held(&stage, &key).await;
    assert_eq!(listing.suspension_reasons, [SuspensionReason::Seller].into());
    turn_to(&stage, "2026-08-01");
    assert_eq!(stage.app.meet_deadlines().await.exporters, 1);
    assert_eq!(held(&stage, &key).await.state, ListingState::Cleared);
    let turned = entries(&stage, EntryKind::EligibilityTurned).await;
    let told: Vec<_> = turned
        .iter()
        .map(|entry| (entry.facts()["due"].as_str(), entry.facts()["status"].as_str()))
        .collect();
    assert_eq!(told, [("2026-07-01", "SUSPENDED"), ("2026-08-01", "ELIGIBLE")]);
}

#[tokio::test]
async fn new_rules_are_applied_to_what_was_cleared_and_every_change_is_named() {
    let stage = stage().await;
    let wine = cleared(&stage, "A", &["INV:1:2030-06-30"]).await;
    let both = cleared(&stage, "B", &["INV:1:2030-06-30", "SENASA:1:2030-06-30"]).await;
    let load = |table: ReferenceTable| {
        let stage = &stage;
        async move { stage.app.load_table(&stage.intent("operator"), table).await.unwrap().value }
    };
    let rows = [("2204", "issuers", "INV", ""), ("2204.21", "issuers", "INV SENASA", "2026-07-01")];
    load(rules("2", &rows)).await;
    assert_eq!(stage.app.meet_deadlines().await.listings, 0, "the same until July");
    assert_eq!(entries(&stage, EntryKind::RulesApplied).await.len(), 1);
    turn_to(&stage, "2026-07-01");
    assert_eq!(stage.app.meet_deadlines().await.listings, 2);
    let lacks = held(&stage, &wine).await;
    assert!(lacks.suspension_reasons.contains(&SuspensionReason::Certificate));
    let waits = held(&stage, &both).await;
    assert_eq!(waits.state, ListingState::UnderReview);
    assert_eq!(waits.reviews.last().unwrap().state, ReviewState::Pending);
    let judged = entries(&stage, EntryKind::ListingsJudged).await;
    let named = &judged.last().unwrap().facts()["listings"];
    assert!(named.contains(&wine) && named.contains(&both), "{named}");

    // Back to what was: loaded at once, applied to all.
    let loaded = load(rules("3", &[("2204", "issuers", "INV", "")])).await;
    assert_eq!(stage.app.meet_deadlines().await.listings, 2);
    assert_eq!(held(&stage, &wine).await.state, ListingState::Cleared);
    assert_eq!(held(&stage, &both).await.state, ListingState::Cleared);
    let applied = entries(&stage, EntryKind::RulesApplied).await;
    assert_eq!(applied.last().unwrap().facts()["digest"], loaded.digest);

    // The same again is on record and changes nothing.
    let again = load(rules("3", &[("2204", "issuers", "INV", "")])).await;
    assert_eq!((again.digest, again.loaded_at), (loaded.digest, loaded.loaded_at));
    let loads = entries(&stage, EntryKind::RulesLoaded).await;
    assert_eq!(loads.last().unwrap().facts()["changed"], "false");
    assert_eq!(stage.app.meet_deadlines().await.listings, 0);
    assert_eq!(entries(&stage, EntryKind::RulesApplied).await.len(), 2);
}
