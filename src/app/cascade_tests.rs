//! Listings follow their seller in the same change.

use super::*;
use crate::app::exporters_tests::{fact, row, suspended, sync};
use crate::app::sync::SyncMode;
use crate::app::test_stage::Stage;
use crate::app::write::{Plan, put};
use crate::change::NEVER;
use crate::domain::exporter::NewFact;
use crate::ledger::{Draft, EntryKind};

const SELLER: &str = "30500010912";

/// Stores a cleared listing of the seller's wine.
async fn cleared(stage: &Stage, sku: &str) -> String {
    let listing: Listing = serde_json::from_value(serde_json::json!({
        "marketplace": "market", "sku": sku, "seller": SELLER, "title": "Malbec 750 ml",
        "ncm": "2204.21.00", "channel": "OFFICIAL_STORE", "unit": "C62",
        "statistical_unit": "LTR", "statistical_factor": "0.75", "price": "12.50",
        "currency": "USD", "state": "CLEARED", "revision": 1,
        "reviews": [{ "authority": "CUSTOMS", "state": "CLEARED" }],
        "created_at": "2026-05-01T00:00:00Z", "updated_at": "2026-05-01T00:00:00Z",
    }))
    .unwrap();
    let key = listing.key();
    let columns = [sku, SELLER, "22042100", "OFFICIAL_STORE", NEVER].map(str::to_owned).to_vec();
    let plan = || async {
        let (expect, write) =
            put(Kind::Listing, &key, "market", "CLEARED", columns.clone(), &listing, 0)?;
        let draft = Draft::new(EntryKind::ListingCreated).about(format!("listings/{key}"));
        Ok(Plan { answer: (), expect: vec![expect], writes: vec![write], draft })
    };
    stage.app.write(&stage.intent("market"), plan).await.unwrap();
    key
}

async fn record(stage: &Stage, fact: NewFact) -> u32 {
    stage.clock.advance(1);
    let intent = stage.intent("registry");
    let recorded = stage.app.record_eligibility(&intent, SELLER, "", fact).await.unwrap();
    recorded.value.affected_listings
}

async fn state(stage: &Stage, key: &str) -> ListingState {
    let record = stage.app.store.record(Kind::Listing, key).await.unwrap().unwrap();
    let listing: Listing = decode(&record).unwrap().value;
    assert_eq!(record.state, listing.state.as_str());
    assert_eq!(
        listing.suspension_reasons.contains(&SuspensionReason::Seller),
        listing.state == ListingState::Suspended
    );
    listing.state
}

#[tokio::test]
async fn listings_go_and_come_back_with_their_seller() {
    let stage = Stage::set().await;
    let rows = vec![row(2, SELLER, fact("2026-01-01", None))];
    sync(&stage, SyncMode::Delta, rows).await.unwrap();
    let keys = [cleared(&stage, "one").await, cleared(&stage, "two").await];

    assert_eq!(record(&stage, suspended("2026-06-01")).await, 2);
    assert_eq!(state(&stage, &keys[0]).await, ListingState::Suspended);
    assert_eq!(record(&stage, fact("2026-06-01", None)).await, 2);
    assert_eq!(state(&stage, &keys[1]).await, ListingState::Cleared);

    let mut fish_only = fact("2026-06-01", None);
    fish_only.chapters = ["03".parse().unwrap()].into_iter().collect();
    assert_eq!(record(&stage, fish_only).await, 2);
    assert_eq!(state(&stage, &keys[0]).await, ListingState::Suspended);
}

#[tokio::test]
async fn a_sync_takes_listings_along() {
    let stage = Stage::set().await;
    let rows = vec![row(2, SELLER, fact("2026-01-01", None))];
    sync(&stage, SyncMode::Delta, rows.clone()).await.unwrap();
    let key = cleared(&stage, "one").await;
    stage.clock.advance(1);
    let rows = vec![row(2, SELLER, suspended("2026-05-01"))];
    sync(&stage, SyncMode::Delta, rows).await.unwrap();
    assert_eq!(state(&stage, &key).await, ListingState::Suspended);
    stage.clock.advance(1);
    let later = vec![row(2, SELLER, fact("2026-05-15", None))];
    sync(&stage, SyncMode::Delta, later).await.unwrap();
    assert_eq!(state(&stage, &key).await, ListingState::Cleared);
    sync(&stage, SyncMode::Snapshot, vec![row(2, "33693450239", fact("2026-01-01", None))])
        .await
        .unwrap();
    assert_eq!(state(&stage, &key).await, ListingState::Suspended);
}
