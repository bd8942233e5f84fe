//! Reports and their lines through the application: warnings, races, what sealing sees.

use std::sync::Arc;

use super::*;
use crate::app::lines::{SentBatch, Target};
use crate::app::test_stage::Stage;
use crate::change::{BatchAnswer, Change, NEVER};
use crate::domain::exporter::{EligibilityStatus, Exporter, NewFact};
use crate::domain::listing::{Listing, ListingState};
use crate::domain::sale::{RawLine, SaleLine};
use crate::error::ErrorKind::Exhausted;

fn marketplace() -> PartnerId {
    "marketplace".parse().unwrap()
}

fn line(line_id: &str, sku: &str, day: &str) -> SaleLine {
    SaleLine::parse(&RawLine {
        line_id,
        order_id: "O1",
        kind: "SALE",
        sku,
        quantity: "2",
        unit_price: "10.5",
        currency: "CNY",
        sold_at: &format!("{day}T23:30:00+08:00"),
        destination: "CN-SH",
        ..RawLine::default()
    })
    .unwrap()
}

fn sent(first_line: u64, lines: Vec<SaleLine>) -> SentBatch {
    SentBatch {
        first_line,
        sent: lines.len() as u32,
        lines: (0..).zip(lines).collect(),
        refused: vec![],
    }
}

impl Stage {
    async fn may(&self) -> Target {
        let intent = self.intent("marketplace");
        let period = "2026-05-01..2026-05-31".parse().unwrap();
        let opened = self.app.open_report(&intent, &marketplace(), period).await.unwrap();
        let all = Visibility::All;
        self.app.push_target(&all, &opened.value.key).await.unwrap().0
    }

    async fn append(&self, target: &Target, lines: Vec<SaleLine>) -> BatchAnswer {
        let intent = self.intent("marketplace");
        self.app.append_lines(&intent, target, sent(0, lines)).await.unwrap().value
    }

    async fn seal(&self, key: &str) -> Result<Written<ReportView>> {
        self.app.seal_report(&self.intent("marketplace"), &Visibility::All, key, &[], "").await
    }

    /// Writes a document past all rules.
    async fn put<T: serde::Serialize>(
        &self,
        kind: Kind,
        key: &str,
        state: &str,
        columns: Vec<String>,
        value: &T,
    ) {
        let version =
            self.app.store.record(kind, key).await.unwrap().map_or(0, |held| held.version);
        let (expect, write) =
            put(kind, key, "marketplace", state, columns, value, version).unwrap();
        let intent = self.intent("operator");
        let change = Change {
            request: intent.request,
            actor: intent.actor,
            expect: vec![expect],
            writes: vec![write],
            draft: Draft::new(EntryKind::ListingUpdated),
            answer: b"{}".to_vec(),
        };
        self.app.writer.submit(change).await.unwrap().unwrap();
    }

    async fn put_listing(&self, sku: &str, state: ListingState) {
        let listing: Listing = serde_json::from_value(serde_json::json!({
            "marketplace": "marketplace",
            "sku": sku,
            "seller": "30-50001091-2",
            "title": "Malbec",
            "ncm": "2204.21.00",
            "channel": "OFFICIAL_STORE",
            "unit": "C62",
            "statistical_unit": "LTR",
            "statistical_factor": "0.75",
            "price": "10.5",
            "currency": "CNY",
            "state": state,
            "revision": 1,
            "created_at": "2026-01-01T00:00:00Z",
            "updated_at": "2026-01-01T00:00:00Z",
        }))
        .unwrap();
        let columns = vec![
            sku.to_owned(),
            listing.seller.to_string(),
            "22042100".to_owned(),
            "OFFICIAL_STORE".to_owned(),
            NEVER.to_owned(),
        ];
        self.put(Kind::Listing, &listing.key(), state.as_str(), columns, &listing).await;
    }

    /// The seller, eligible from January on; suspended from `suspended` on, if given.
    async fn put_seller(&self, suspended: Option<&str>) {
        let at = "2026-01-01T00:00:00Z".parse().unwrap();
        let mut seller = Exporter::register(
            "30-50001091-2".parse().unwrap(),
            "Bodega".parse().unwrap(),
            "MICRO".parse().unwrap(),
            "AR-M".parse().unwrap(),
            at,
        );
        let fact = |status, from: &str| NewFact {
            status,
            cause: None,
            legal_instrument: None,
            valid_from: from.parse().unwrap(),
            valid_to: None,
            chapters: Default::default(),
        };
        seller.record(fact(EligibilityStatus::Eligible, "2026-01-01"), at).unwrap();
        if let Some(from) = suspended {
            seller.record(fact(EligibilityStatus::Suspended, from), at).unwrap();
        }
        let columns = vec!["AR-M".to_owned(), "MICRO".to_owned(), NEVER.to_owned()];
        let key = seller.cuit.to_string();
        self.put(Kind::Exporter, &key, "ELIGIBLE", columns, &seller).await;
    }
}

fn reasons(answer: &BatchAnswer) -> Vec<String> {
    answer.notes.iter().map(|note| note.reasons.join(" ")).collect()
}

#[tokio::test]
async fn a_line_carries_what_is_odd_about_it_when_it_comes() {
    let stage = Stage::set().await;
    let target = stage.may().await;
    let day = "2026-05-10";
    let answer = stage.append(&target, vec![line("L1", "A", day)]).await;
    assert_eq!(reasons(&answer), ["UNKNOWN_SKU"]);

    // What is kept in memory of the sku is dropped once a listing is written.
    stage.put_listing("A", ListingState::Submitted).await;
    let answer = stage.append(&target, vec![line("L2", "A", day)]).await;
    assert_eq!(reasons(&answer), ["LISTING_NOT_CLEARED SELLER_NOT_ELIGIBLE"]);
    stage.put_listing("A", ListingState::Cleared).await;
    stage.put_seller(None).await;
    let answer = stage.append(&target, vec![line("L3", "A", day), line("L4", "A", "2026-06-01")]);
    assert_eq!(reasons(&answer.await), ["OUTSIDE_PERIOD"]);

    stage.put_seller(Some("2026-05-10")).await;
    let lines = vec![line("L5", "A", "2026-05-09"), line("L6", "A", day)];
    let answer = stage.append(&target, lines).await;
    assert_eq!((answer.accepted, reasons(&answer)), (1, vec!["SELLER_NOT_ELIGIBLE".to_owned()]));
    assert_eq!(answer.notes[0].line_id, "L6");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sealing_sees_every_line_however_it_races_with_pushes() {
    let stage = Arc::new(Stage::set().await);
    let target = stage.may().await;
    stage.put_seller(None).await;
    stage.put_listing("A", ListingState::Cleared).await;
    let mut pushes = Vec::new();
    for push in 0..40 {
        let (stage, target) = (stage.clone(), target.clone());
        pushes.push(tokio::spawn(async move {
            let lines = (0..5).map(|n| line(&format!("L{push}-{n}"), "A", "2026-05-10"));
            let intent = stage.intent("marketplace");
            let batch = sent(push * 5, lines.collect());
            match stage.app.append_lines(&intent, &target, batch).await {
                Ok(written) => u64::from(written.value.accepted),
                Err(error) => {
                    assert_eq!(error.reason, "REPORT_SEALED");
                    0
                }
            }
        }));
    }
    let sealed = loop {
        tokio::task::yield_now().await;
        match stage.seal(&target.key).await {
            Ok(sealed) => break sealed.value,
            Err(error) => assert_eq!(error.reason, "CONTENDED"),
        }
    };
    let mut taken = 0;
    for push in pushes {
        taken += push.await.unwrap();
    }
    let held = &sealed.report.value.totals;
    assert_eq!(held.iter().map(|total| total.lines).sum::<u64>(), taken);
    let after = stage.app.report(&Visibility::All, &target.key).await.unwrap();
    assert_eq!(after.progress.accepted, taken);
    assert_eq!(after, sealed);
}

#[tokio::test]
async fn the_etag_moves_with_the_lines() {
    let stage = Stage::set().await;
    let target = stage.may().await;
    let read = stage.app.report(&Visibility::All, &target.key).await.unwrap().etag();
    stage.append(&target, vec![line("L1", "A", "2026-05-10")]).await;
    let intent = stage.intent("marketplace");
    let all = Visibility::All;
    let stale = stage.app.seal_report(&intent, &all, &target.key, &[], &read).await.unwrap_err();
    assert_eq!(stale.reason, "STALE_ETAG");
    let read = stage.app.report(&all, &target.key).await.unwrap().etag();
    let dry = Intent { validate_only: true, ..intent.clone() };
    let judged = stage.app.seal_report(&dry, &all, &target.key, &[], &read).await.unwrap();
    assert_eq!(judged.receipt, None);
    assert_eq!(judged.value.report.value.state, ReportState::PartiallyAccepted);
    let held = stage.app.report(&all, &target.key).await.unwrap();
    assert_eq!(held.report.value.state, ReportState::Open);
    stage.app.seal_report(&intent, &all, &target.key, &[], &read).await.unwrap();
}

#[tokio::test]
async fn an_empty_report_is_rejected() {
    let stage = Stage::set().await;
    let target = stage.may().await;
    let sealed = stage.seal(&target.key).await.unwrap();
    assert_eq!(sealed.value.report.value.state, ReportState::Rejected);
    assert_eq!(stage.seal(&target.key).await.unwrap_err().reason, "REPORT_SEALED");
}

#[tokio::test]
async fn a_trial_push_into_a_sealed_report_answers_as_a_real_one() {
    let stage = Stage::set().await;
    let target = stage.may().await;
    let known = || vec![line("L1", "S1", "2026-05-02")];
    stage.append(&target, known()).await;
    stage.seal(&target.key).await.unwrap();
    let app = &stage.app;
    let again = app.preview_lines(&target, sent(0, known())).await.unwrap();
    assert_eq!((again.duplicates, again.next_line), (1, 1));
    let fresh = sent(1, vec![line("L2", "S1", "2026-05-02")]);
    let refused = app.preview_lines(&target, fresh).await.unwrap_err();
    assert_eq!(refused.reason, "REPORT_SEALED");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_marketplace_has_no_more_open_reports_than_it_may_however_many_open_at_once() {
    let mut stage = Stage::set().await;
    stage.app.report_rules.open_at_once = 3;
    let stage = Arc::new(stage);
    let open = |day: u32| {
        let stage = stage.clone();
        async move {
            let period = format!("2026-05-{day:02}..2026-05-{day:02}").parse().unwrap();
            stage.app.open_report(&stage.intent("marketplace"), &marketplace(), period).await
        }
    };
    let opening: Vec<_> = (1..=12).map(|day| tokio::spawn(open(day))).collect();
    let mut opened = Vec::new();
    for one in opening {
        match one.await.unwrap() {
            Ok(report) => opened.push(report.value.key),
            Err(error) => {
                assert_eq!((error.kind, error.reason), (Exhausted, "TOO_MANY_OPEN_REPORTS"));
                assert!(error.metadata.contains(&("limit".into(), "3".into())), "{error:?}");
            }
        }
    }
    assert_eq!(opened.len(), 3);
    // Another marketplace has room of its own; a seal makes room, a revision takes it.
    let (intent, period) = (stage.intent("another"), "2026-05-01..2026-05-01".parse().unwrap());
    let another = "another".parse().unwrap();
    stage.app.open_report(&intent, &another, period).await.unwrap();
    let target = stage.app.push_target(&Visibility::All, &opened[0]).await.unwrap().0;
    stage.append(&target, vec![line("L1", "A", "2026-05-10")]).await;
    stage.seal(&opened[0]).await.unwrap();
    open(20).await.unwrap();
    let revise = stage.intent("marketplace");
    let full = stage.app.revise_report(&revise, &Visibility::All, &opened[0], "more", "").await;
    assert_eq!(full.unwrap_err().reason, "TOO_MANY_OPEN_REPORTS");
}

#[tokio::test]
async fn the_entry_of_a_batch_counts_what_is_remarkable() {
    let stage = Stage::set().await;
    let target = stage.may().await;
    stage.put_listing("A", ListingState::Cleared).await;
    stage.put_seller(Some("2026-05-10")).await;
    let mut back = line("L4", "A", "2026-05-09");
    back.kind = "RETURN".parse().unwrap();
    let lines = vec![
        line("L1", "A", "2026-05-09"),
        line("L2", "A", "2026-05-10"),
        line("L3", "B", "2026-05-11"),
        back,
        line("L5", "A", "2026-05-12"),
    ];
    stage.append(&target, lines).await;
    let size = stage.app.store.tree().await.unwrap().size();
    let stored = stage.app.store.entry(size - 1).await.unwrap().unwrap();
    let entry = crate::ledger::Entry::parse(&stored.entry).unwrap();
    let facts: Vec<_> = entry.facts().iter().map(|(k, v)| format!("{k}={v}")).collect();
    let expected = [
        "accepted=1",
        "duplicates=0",
        "first_line=0",
        "refused=0",
        "seller_not_eligible=2",
        "sent=5",
        "unknown_original=1",
        "unknown_sku=1",
        "warned=4",
    ];
    assert_eq!(facts, expected);
}
