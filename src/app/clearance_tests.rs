//! Clearance, each authority for its part.

use super::*;
use crate::app::listings::tests::{agency, stage, submitted, wine};
use crate::app::test_stage::Stage;
use crate::domain::partner::{Agency, Role};
use crate::error::Error;

fn ruling(listing: &str, decision: Decision) -> Ruling {
    Ruling {
        listing: listing.to_owned(),
        etag: String::new(),
        decision,
        revision: None,
        note: Some("as inspected".parse().unwrap()),
    }
}

async fn decide(stage: &Stage, caller: &Caller, ruling: Ruling) -> Result<Written<Shown>> {
    let intent = stage.intent(caller.partner().as_str());
    stage.app.decide_listing(caller, &intent, &ruling).await
}

async fn pending(stage: &Stage, caller: &Caller) -> Vec<String> {
    let mut query = PendingQuery { limit: 2, ..PendingQuery::default() };
    let mut keys = Vec::new();
    loop {
        let page = stage.app.list_pending(caller, &query).await.unwrap();
        keys.extend(page.items.iter().map(|shown| shown.listing.key()));
        match page.next {
            Some(next) => query.after = next,
            None => return keys,
        }
    }
}

#[tokio::test]
async fn each_authority_clears_its_part_and_sees_what_waits_for_it() {
    let stage = stage().await;
    let (customs, inv) = (stage.caller("customs", Role::Customs), agency(&stage, Agency::Inv));
    let senasa = agency(&stage, Agency::Senasa);
    let mut keys = Vec::new();
    for sku in ["W-5", "W-4", "W-3", "W-2", "W-1"] {
        keys.push(submitted(&stage, &wine(sku)).await);
        stage.clock.advance(1);
    }
    assert_eq!(pending(&stage, &customs).await, keys, "the longest waiting first");
    assert_eq!(pending(&stage, &inv).await, keys);
    assert!(pending(&stage, &senasa).await.is_empty());

    let half = decide(&stage, &inv, ruling(&keys[1], Decision::Clear)).await.unwrap();
    assert_eq!(half.value.listing.state, ListingState::UnderReview);
    assert_eq!(half.receipt.unwrap().kind, EntryKind::ListingCleared);
    assert_eq!(pending(&stage, &inv).await.len(), 4);
    assert_eq!(pending(&stage, &customs).await, keys);
    let whole = decide(&stage, &customs, ruling(&keys[1], Decision::Clear)).await.unwrap();
    assert_eq!(whole.value.listing.state, ListingState::Cleared);

    let foreign = decide(&stage, &senasa, ruling(&keys[0], Decision::Clear)).await.unwrap_err();
    assert_eq!(foreign.reason, "NOT_COMPETENT");
    let refused = decide(&stage, &customs, ruling(&keys[0], Decision::Refuse)).await.unwrap();
    assert_eq!(refused.value.listing.state, ListingState::Refused);
}

#[tokio::test]
async fn stale_and_foreign_decisions_are_refused() {
    let stage = stage().await;
    let customs = stage.caller("customs", Role::Customs);
    let key = submitted(&stage, &wine("W-1")).await;
    let stale = Ruling { etag: "\"1\"".into(), ..ruling(&key, Decision::Clear) };
    assert_eq!(decide(&stage, &customs, stale).await.unwrap_err().reason, "STALE_ETAG");
    let old = Ruling { revision: Some(7), ..ruling(&key, Decision::Clear) };
    assert_eq!(decide(&stage, &customs, old).await.unwrap_err().reason, "STALE_REVISION");
    let silent = Ruling { note: None, ..ruling(&key, Decision::Refuse) };
    assert_eq!(decide(&stage, &customs, silent).await.unwrap_err().reason, "NOTE_REQUIRED");
    let nothing = ruling("0198c7a2-6a0f-8b51-9c7e-1f2a3b4c5d6e", Decision::Clear);
    assert_eq!(decide(&stage, &customs, nothing).await.unwrap_err(), Error::not_found());
    let market = stage.caller("market", Role::Marketplace);
    let own = decide(&stage, &market, ruling(&key, Decision::Clear)).await.unwrap_err();
    assert_eq!(own.reason, "NOT_AN_AUTHORITY");
}
