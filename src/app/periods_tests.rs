//! Closed months through the application: what they refuse, and that they stay as they are.

use super::*;
use crate::app::lines::SentBatch;
use crate::app::test_stage::Stage;
use crate::change::NoteVerdict;
use crate::domain::caller::Visibility;
use crate::domain::sale::{RawLine, SaleLine};

fn month(text: &str) -> Month {
    text.parse().unwrap()
}

fn line(line_id: &str, kind: &str, day: &str) -> SaleLine {
    SaleLine::parse(&RawLine {
        line_id,
        order_id: "O1",
        kind,
        original_line_id: if kind == "SALE" { "" } else { "L1" },
        sku: "MALBEC",
        quantity: "2",
        unit_price: "10.5",
        currency: "CNY",
        sold_at: &format!("{day}T23:30:00+08:00"),
        ..RawLine::default()
    })
    .unwrap()
}

impl Stage {
    async fn close_through(&self, first: &str, last: &str) -> Result<Written<Vec<ClosedMonth>>> {
        let intent = self.intent("ministry");
        let by = "ministry".parse().unwrap();
        self.app.close_months(&intent, &by, month(first), month(last)).await
    }

    async fn open_for(&self, period: &str) -> Result<String> {
        let (intent, owner) = (self.intent("marketplace"), "marketplace".parse().unwrap());
        let opened = self.app.open_report(&intent, &owner, period.parse().unwrap()).await?;
        Ok(opened.value.key)
    }

    /// What became of the lines that were not plainly accepted.
    async fn push_dated(&self, key: &str, lines: Vec<SaleLine>) -> Vec<(NoteVerdict, Vec<String>)> {
        let (target, _) = self.app.push_target(&Visibility::All, key).await.unwrap();
        let sent = SentBatch {
            sent: lines.len() as u32,
            lines: (0..).zip(lines).collect(),
            ..SentBatch::default()
        };
        let intent = self.intent("marketplace");
        let answer = self.app.append_lines(&intent, &target, sent).await.unwrap().value;
        answer.notes.into_iter().map(|note| (note.verdict, note.reasons)).collect()
    }
}

#[tokio::test]
async fn months_are_closed_once_they_are_over() {
    let stage = Stage::set().await;
    assert_eq!(
        stage.close_through("2026-05", "2026-06").await.unwrap_err().reason,
        "PERIOD_NOT_OVER"
    );
    assert_eq!(stage.close_through("2026-05", "2026-05").await.unwrap().value.len(), 1);
    let closed = stage.close_through("2026-03", "2026-05").await.unwrap();
    assert_eq!(closed.value.len(), 3);
    assert_eq!(closed.receipt.unwrap().kind, EntryKind::PeriodClosed);
    assert_eq!(
        stage.close_through("2026-03", "2026-05").await.unwrap_err().reason,
        "PERIOD_CLOSED"
    );
    let page = stage.app.closed_months("", 2).await.unwrap();
    let months: Vec<_> = page.items.iter().map(|one| one.value.month.to_string()).collect();
    assert_eq!(months, ["2026-03", "2026-04"]);
    let rest = stage.app.closed_months(&page.next.unwrap(), 2).await.unwrap();
    assert_eq!((rest.items.len(), rest.next), (1, None));
}

#[tokio::test]
async fn a_closed_month_takes_no_line_and_adjustments_land_where_they_occur() {
    let stage = Stage::set().await;
    let both = stage.open_for("2026-04-15..2026-05-31").await.unwrap();
    stage.push_dated(&both, vec![line("L1", "SALE", "2026-04-20")]).await;
    stage.close_through("2026-04", "2026-04").await.unwrap();

    let sent = vec![
        line("L1", "SALE", "2026-04-20"),
        line("L2", "SALE", "2026-04-30"),
        line("L3", "RETURN", "2026-04-30"),
        line("L4", "ADJUSTMENT", "2026-04-30"),
        line("L5", "ADJUSTMENT", "2026-05-02"),
    ];
    let notes = stage.push_dated(&both, sent).await;
    assert_eq!(notes[0].0, NoteVerdict::Duplicate, "what came before is no news");
    for refused in &notes[1..4] {
        assert_eq!(*refused, (NoteVerdict::Refused, vec!["PERIOD_CLOSED".to_owned()]));
    }
    assert_eq!(notes[4].0, NoteVerdict::AcceptedWithWarning, "its sku is unknown, it is stored");
    assert_eq!(stage.open_for("2026-04-01..2026-04-30").await.unwrap_err().reason, "PERIOD_CLOSED");
}

#[tokio::test]
async fn what_a_closed_month_sums_up_to_stays_though_its_report_is_left_open() {
    let stage = Stage::set().await;
    let left = stage.open_for("2026-04-01..2026-04-30").await.unwrap();
    stage.push_dated(&left, vec![line("L1", "SALE", "2026-04-20")]).await;
    let empty = stage.open_for("2026-03-01..2026-03-31").await.unwrap();
    stage.close_through("2026-03", "2026-04").await.unwrap();
    stage.clock.advance(100 * 24 * 3600);
    assert_eq!(stage.app.abandon_reports().await.unwrap(), 1, "only the one without lines");
    let (_, state) = stage.app.push_target(&Visibility::All, &left).await.unwrap();
    assert_eq!(state.as_str(), "OPEN");
    let (_, state) = stage.app.push_target(&Visibility::All, &empty).await.unwrap();
    assert_eq!(state.as_str(), "ABANDONED");
}

#[tokio::test]
async fn what_happens_to_a_sale_of_a_closed_month_is_dated_when_it_happens() {
    let stage = Stage::set().await;
    let april = stage.open_for("2026-04-01..2026-04-30").await.unwrap();
    stage.push_dated(&april, vec![line("L1", "SALE", "2026-04-20")]).await;
    let may = stage.open_for("2026-05-01..2026-05-31").await.unwrap();
    stage.close_through("2026-04", "2026-04").await.unwrap();
    let later = vec![
        line("L2", "ADJUSTMENT", "2026-05-02"),
        line("L3", "RETURN", "2026-05-02"),
        line("L4", "REFUND", "2026-05-03"),
    ];
    let unknown_sku_only = (NoteVerdict::AcceptedWithWarning, vec!["UNKNOWN_SKU".to_owned()]);
    assert_eq!(stage.push_dated(&may, later).await, vec![unknown_sku_only; 3]);
}

#[tokio::test]
async fn a_revision_of_a_closed_period_holds_adjustments_only() {
    let stage = Stage::set().await;
    let april = stage.open_for("2026-04-01..2026-04-30").await.unwrap();
    stage.push_dated(&april, vec![line("L1", "SALE", "2026-04-20")]).await;
    let (intent, all) = (stage.intent("marketplace"), Visibility::All);
    stage.app.seal_report(&intent, &all, &april, &[], "").await.unwrap();
    stage.close_through("2026-04", "2026-04").await.unwrap();
    let intent = stage.intent("marketplace");
    let revised = stage.app.revise_report(&intent, &all, &april, "two bottles broke", "").await;
    let revision = revised.unwrap().value.key;

    let (target, _) = stage.app.push_target(&all, &revision).await.unwrap();
    let lines = vec![
        line("L2", "RETURN", "2026-05-02"),
        line("L3", "ADJUSTMENT", "2026-04-30"),
        line("L4", "SALE", "2026-05-02"),
        line("L5", "ADJUSTMENT", "2026-05-02"),
        line("L1", "SALE", "2026-04-20"),
    ];
    let sent = SentBatch { sent: 5, lines: (0..).zip(lines).collect(), ..SentBatch::default() };
    let intent = stage.intent("marketplace");
    let answer = stage.app.append_lines(&intent, &target, sent).await.unwrap().value;
    let notes: Vec<_> = answer
        .notes
        .iter()
        .map(|note| (note.line_id.as_str(), note.reasons.join(" "), note.field.as_str()))
        .collect();
    let closed = || "PERIOD_CLOSED".to_owned();
    let expected = [
        ("L2", closed(), "kind"),
        ("L3", closed(), "sold_at"),
        ("L4", closed(), "kind"),
        ("L5", "UNKNOWN_SKU".to_owned(), ""),
        ("L1", String::new(), ""),
    ];
    assert_eq!(notes, expected);
    for note in answer.notes.iter().filter(|note| note.verdict == NoteVerdict::Refused) {
        assert!(note.message.contains("ADJUSTMENT"), "it says what to do: {}", note.message);
    }
    // It is sealed as any revision.
    let intent = stage.intent("marketplace");
    let sealed = stage.app.seal_report(&intent, &all, &revision, &[], "").await.unwrap().value;
    assert_eq!(sealed.report.value.supersedes, Some(april));
}
