//! Exporters kept by file and by fact.

use crate::app::exporters::ExporterFilter;
use crate::app::sync::{Rejected, Sync, SyncMode, SyncRow, Synced};
use crate::app::test_stage::Stage;
use crate::app::write::Written;
use crate::domain::cuit::Cuit;
use crate::domain::exporter::{EligibilityStatus, NewFact};
use crate::domain::place::Province;
use crate::domain::size_class::SizeClass;
use crate::error::Result;

/// An interval of eligibility for all goods.
pub fn fact(from: &str, to: Option<&str>) -> NewFact {
    NewFact {
        status: EligibilityStatus::Eligible,
        cause: None,
        legal_instrument: None,
        valid_from: from.parse().unwrap(),
        valid_to: to.map(|day| day.parse().unwrap()),
        chapters: Default::default(),
    }
}

/// A suspension without end.
pub fn suspended(from: &str) -> NewFact {
    NewFact { status: EligibilityStatus::Suspended, ..fact(from, None) }
}

/// A revocation.
pub fn revoked(from: &str) -> NewFact {
    NewFact { status: EligibilityStatus::Revoked, ..fact(from, None) }
}

/// A row of the registry's file.
pub fn row(row: i64, cuit: &str, fact: NewFact) -> SyncRow {
    SyncRow {
        row,
        cuit: cuit.parse().unwrap(),
        legal_name: "Bodega de ejemplo".parse().unwrap(),
        size_class: SizeClass::Small,
        province: "AR-M".parse::<Province>().unwrap(),
        fact,
    }
}

/// Sends these rows.
pub async fn sync(stage: &Stage, mode: SyncMode, rows: Vec<SyncRow>) -> Result<Written<Synced>> {
    let sync = Sync { mode, digest: "00".repeat(32), rows, rejected: Vec::new() };
    stage.app.sync_exporters(&stage.intent("registry"), &sync).await
}

const ONE: &str = "30500010912";
const TWO: &str = "33693450239";
const THREE: &str = "20267565393";

fn counts(synced: &Synced) -> (i64, i64, i64, i64, i64) {
    let Synced { created, updated, unchanged, suspended, rejected, .. } = synced;
    (*created, *updated, *unchanged, *suspended, *rejected)
}

#[tokio::test]
async fn the_same_file_again_changes_nothing() {
    let stage = Stage::set().await;
    let rows = || {
        vec![
            row(2, ONE, fact("2024-01-01", Some("2024-12-31"))),
            row(3, ONE, fact("2026-01-01", None)),
            row(4, TWO, fact("2026-01-01", None)),
        ]
    };
    let first = sync(&stage, SyncMode::Delta, rows()).await.unwrap();
    assert_eq!(counts(&first.value), (2, 0, 0, 0, 0));
    let version = stage.app.exporter(ONE).await.unwrap().exporter.version;
    stage.clock.advance(86_400);
    let second = sync(&stage, SyncMode::Delta, rows()).await.unwrap();
    assert_eq!(counts(&second.value), (0, 0, 2, 0, 0));
    let held = stage.app.exporter(ONE).await.unwrap();
    assert_eq!(held.exporter.version, version);
    assert_eq!(held.since, Some("2026-01-01".parse().unwrap()));
    assert_eq!(held.exporter.value.facts.len(), 2);
}

#[tokio::test]
async fn a_delta_leaves_others_and_a_snapshot_suspends_them_until_they_are_back() {
    let stage = Stage::set().await;
    let open = || fact("2026-01-01", None);
    sync(&stage, SyncMode::Delta, vec![row(2, ONE, open()), row(3, TWO, open())]).await.unwrap();
    let delta = sync(&stage, SyncMode::Delta, vec![row(2, THREE, open())]).await.unwrap();
    assert_eq!(counts(&delta.value), (1, 0, 0, 0, 0));
    let rows = vec![row(2, ONE, open()), row(3, THREE, suspended("2026-06-01"))];
    let snapshot = sync(&stage, SyncMode::Snapshot, rows).await.unwrap();
    assert_eq!(counts(&snapshot.value), (0, 1, 1, 1, 0));
    let status = |held: &super::exporters::Listed| held.status;
    let two = stage.app.exporter(TWO).await.unwrap();
    assert_eq!(status(&two), Some(EligibilityStatus::Suspended));

    // Absent again changes nothing; back in the file, it may sell again.
    let rows = vec![row(2, ONE, open()), row(3, THREE, suspended("2026-06-01"))];
    let again = sync(&stage, SyncMode::Snapshot, rows).await.unwrap();
    assert_eq!(counts(&again.value), (0, 0, 2, 0, 0));
    let back = sync(&stage, SyncMode::Delta, vec![row(2, TWO, open())]).await.unwrap();
    assert_eq!(counts(&back.value), (0, 1, 0, 0, 0));
    let two = stage.app.exporter(TWO).await.unwrap();
    assert_eq!(status(&two), Some(EligibilityStatus::Eligible));

    // Revoked is final: a row that says otherwise is left out, and the others land.
    sync(&stage, SyncMode::Delta, vec![row(2, TWO, revoked("2026-06-01"))]).await.unwrap();
    let rows = vec![row(2, TWO, fact("2026-05-01", None)), row(3, ONE, suspended("2026-05-01"))];
    let late = sync(&stage, SyncMode::Delta, rows).await.unwrap();
    assert_eq!(counts(&late.value), (0, 1, 1, 0, 1));
    assert_eq!(late.value.rejected_rows[0].reason, "ELIGIBILITY_REVOKED");
    let intent = stage.intent("registry");
    let fact = fact("2026-06-01", None);
    let refused = stage.app.record_eligibility(&intent, TWO, "", fact).await.unwrap_err();
    assert_eq!(refused.reason, "ELIGIBILITY_REVOKED");
}

#[tokio::test]
async fn a_snapshot_with_a_bad_row_suspends_nobody() {
    let stage = Stage::set().await;
    let open = || fact("2026-01-01", None);
    sync(&stage, SyncMode::Delta, vec![row(2, ONE, open()), row(3, TWO, open())]).await.unwrap();
    let rejected = Rejected {
        row: 3,
        reason: "INVALID_CUIT".into(),
        field: "cuit".into(),
        message: "no".into(),
    };
    let sync = Sync {
        mode: SyncMode::Snapshot,
        digest: String::new(),
        rows: vec![row(2, ONE, open())],
        rejected: vec![rejected],
    };
    let intent = stage.intent("registry");
    let refused = stage.app.sync_exporters(&intent, &sync).await.unwrap_err();
    assert_eq!(refused.reason, "SNAPSHOT_INCOMPLETE");
    let two = stage.app.exporter(TWO).await.unwrap();
    assert_eq!(two.status, Some(EligibilityStatus::Eligible));
}

#[tokio::test]
async fn rows_of_one_exporter_that_overlap_are_told_apart() {
    let stage = Stage::set().await;
    let rows = vec![
        row(2, ONE, fact("2026-01-01", Some("2026-06-30"))),
        row(3, ONE, suspended("2026-06-30")),
        row(4, TWO, revoked("2026-02-01")),
        row(5, TWO, fact("2025-01-01", Some("2026-01-31"))),
    ];
    let synced = sync(&stage, SyncMode::Delta, rows).await.unwrap().value;
    assert_eq!(counts(&synced), (2, 0, 0, 0, 1));
    assert_eq!(synced.rejected_rows[0].row, 3);
    assert_eq!(synced.rejected_rows[0].reason, "OVERLAPPING_ROWS");
    assert_eq!(stage.app.exporter(TWO).await.unwrap().exporter.value.facts.len(), 2);
}

#[tokio::test]
async fn a_retry_gives_the_same_receipt() {
    let stage = Stage::set().await;
    let sync = Sync {
        mode: SyncMode::Delta,
        digest: String::new(),
        rows: vec![row(2, ONE, fact("2026-01-01", None))],
        rejected: Vec::new(),
    };
    let intent = stage.intent("registry");
    let first = stage.app.sync_exporters(&intent, &sync).await.unwrap();
    let second = stage.app.sync_exporters(&intent, &sync).await.unwrap();
    assert!(second.replayed && !first.replayed);
    assert_eq!((first.value, first.receipt), (second.value, second.receipt));
}

#[tokio::test]
async fn ten_thousand_are_synced_and_listed_by_what_they_are_today() {
    let stage = Stage::set().await;
    let rows: Vec<SyncRow> = (0..20_000)
        .filter_map(|number| Cuit::from_parts(30, 50_000_000 + number))
        .take(10_000)
        .enumerate()
        .map(|(at, cuit)| {
            let fact =
                if at % 10 == 0 { suspended("2026-05-01") } else { fact("2026-01-01", None) };
            row(at as i64 + 2, &cuit.to_string(), fact)
        })
        .collect();
    let synced = sync(&stage, SyncMode::Delta, rows.clone()).await.unwrap();
    assert_eq!(synced.value.created, 10_000);
    let filter =
        ExporterFilter { status: Some(EligibilityStatus::Suspended), ..ExporterFilter::default() };
    let mut after = String::new();
    let mut seen = 0;
    loop {
        let page = stage.app.list_exporters(filter, 300, after).await.unwrap();
        seen += page.items.len();
        match page.next {
            Some(next) => after = next,
            None => break,
        }
    }
    assert_eq!(seen, 1000);
    let again = sync(&stage, SyncMode::Snapshot, rows).await.unwrap();
    assert_eq!(again.value.unchanged, 10_000);
}
