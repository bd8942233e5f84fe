//! Reports that nobody seals: what the clock does to them, and to their lines.

use jiff::SignedDuration;

use super::*;
use crate::app::export::{ExportQuestion, ExportScope, Position};
use crate::app::lines::SentBatch;
use crate::app::test_stage::Stage;
use crate::domain::analytics::Dimension;
use crate::domain::caller::Visibility;
use crate::domain::sale::{RawLine, SaleLine};
use crate::store::RollupQuery;

const DAY: i64 = 24 * 3600;

fn line(line_id: &str, kind: &str, original: &str) -> SaleLine {
    SaleLine::parse(&RawLine {
        line_id,
        order_id: "O1",
        kind,
        original_line_id: original,
        sku: "MALBEC",
        quantity: "2",
        unit_price: "10.5",
        currency: "CNY",
        sold_at: "2026-05-07T23:30:00+08:00",
        ..RawLine::default()
    })
    .unwrap()
}

impl Stage {
    async fn may_left_open(&self) -> Report {
        let period = "2026-05-01..2026-05-31".parse().unwrap();
        let marketplace = "marketplace".parse().unwrap();
        let intent = self.intent("marketplace");
        self.app.open_report(&intent, &marketplace, period).await.unwrap().value.report.value
    }

    /// How many lines of those sent are new, and what was remarked of them.
    async fn push_into(&self, key: &str, lines: Vec<SaleLine>) -> Result<(u32, Vec<String>)> {
        let (target, _) = self.app.push_target(&Visibility::All, key).await.unwrap();
        let sent = SentBatch {
            sent: lines.len() as u32,
            lines: (0..).zip(lines).collect(),
            ..SentBatch::default()
        };
        let intent = self.intent("marketplace");
        let answer = self.app.append_lines(&intent, &target, sent).await?.value;
        let reasons = answer.notes.into_iter().flat_map(|note| note.reasons).collect();
        Ok((answer.accepted + answer.warned, reasons))
    }

    async fn lines_in_net(&self) -> u64 {
        let everything = RollupQuery::default();
        let dimensions = [Dimension::Currency];
        let all = Visibility::All.into();
        let summary = self.app.summarize(&all, everything.into(), &dimensions, false).await;
        summary.unwrap().rows.iter().map(|row| row.sums.lines).sum()
    }
}

#[tokio::test]
async fn what_is_left_open_is_abandoned_once_and_its_lines_may_be_sent_again() {
    let stage = Stage::set().await;
    let first = stage.may_left_open().await;
    stage.clock.advance(60 * DAY);
    assert_eq!(stage.push_into(&first.key(), vec![line("L1", "SALE", "")]).await.unwrap().0, 1);
    stage.clock.advance(60 * DAY);
    assert_eq!(stage.app.abandon_reports().await.unwrap(), 0, "it changed 60 days ago");
    assert_eq!(stage.lines_in_net().await, 1);

    stage.clock.advance(30 * DAY);
    assert_eq!(stage.app.abandon_reports().await.unwrap(), 1);
    assert_eq!(stage.app.abandon_reports().await.unwrap(), 0, "once");
    let size = stage.app.store.tree().await.unwrap().size();
    let entry = stage.app.store.entry(size - 1).await.unwrap().unwrap();
    assert_eq!(Entry::parse(&entry.entry).unwrap().kind(), Some(EntryKind::ReportAbandoned));
    assert_eq!(stage.lines_in_net().await, 0, "its lines leave net");
    let refused = stage.push_into(&first.key(), vec![line("L1", "SALE", "")]).await.unwrap_err();
    assert_eq!(refused.reason, "REPORT_ABANDONED");

    let second = stage.may_left_open().await;
    assert_eq!(second.revision, 2);
    let (_, reasons) =
        stage.push_into(&second.key(), vec![line("R1", "RETURN", "L1")]).await.unwrap();
    assert!(reasons.contains(&"UNKNOWN_ORIGINAL".to_owned()), "{reasons:?}");
    let again = || vec![line("L1", "SALE", ""), line("L1", "SALE", "")];
    assert_eq!(stage.push_into(&second.key(), again()).await.unwrap().0, 1);
    assert_eq!(stage.push_into(&second.key(), again()).await.unwrap().0, 0, "and counts once");
    assert_eq!(stage.lines_in_net().await, 2);
    let (_, reasons) =
        stage.push_into(&second.key(), vec![line("R2", "RETURN", "L1")]).await.unwrap();
    assert!(!reasons.contains(&"UNKNOWN_ORIGINAL".to_owned()), "{reasons:?}");
}

#[tokio::test]
async fn an_abandoned_revision_leaves_what_it_would_have_revised() {
    let stage = Stage::set().await;
    let first = stage.may_left_open().await.key();
    stage.push_into(&first, vec![line("L1", "SALE", "")]).await.unwrap();
    let intent = stage.intent("marketplace");
    stage.app.seal_report(&intent, &Visibility::All, &first, &[], "").await.unwrap();
    let revise = || async {
        let intent = stage.intent("marketplace");
        stage.app.revise_report(&intent, &Visibility::All, &first, "missing", "").await.unwrap()
    };
    revise().await;
    stage.clock.advance(91 * DAY);
    assert_eq!(stage.app.abandon_reports().await.unwrap(), 1, "what is sealed stays");
    assert_eq!(stage.lines_in_net().await, 1);
    assert_eq!(revise().await.value.report.value.revision, 3);
}

/// An export shows one moment: what was abandoned later is in it still, what was abandoned before
/// is not.
#[tokio::test]
async fn an_export_keeps_to_the_moment_it_began_at() {
    let stage = Stage::set().await;
    let first = stage.may_left_open().await;
    let sales = (0..5).map(|n| line(&format!("L{n}"), "SALE", "")).collect();
    stage.push_into(&first.key(), sales).await.unwrap();
    let export = async |from: Option<Position>| {
        let question = ExportQuestion {
            scope: ExportScope::Period(first.period),
            marketplace: None,
            kinds: vec![],
            remarked: None,
            reason: None,
        };
        stage.app.export(&Visibility::All, question, from).await.unwrap()
    };
    let mut begun = export(None).await;
    let part = begun.next(2).await.unwrap();
    assert_eq!(part.lines.len(), 2);

    stage.clock.advance(91 * DAY);
    assert_eq!(stage.app.abandon_reports().await.unwrap(), 1);
    let second = stage.may_left_open().await;
    stage.push_into(&second.key(), vec![line("L0", "SALE", "")]).await.unwrap();

    let written: Position = part.position.to_string().parse().unwrap();
    assert_eq!(written, part.position);
    let mut resumed = export(Some(written)).await;
    for export in [&mut begun, &mut resumed] {
        let rest = export.next(1000).await.unwrap();
        assert_eq!((rest.lines.len(), rest.position.exported), (3, 5));
        assert!(export.next(1000).await.unwrap().of.is_none(), "the end");
    }
    let mut anew = export(None).await;
    let part = anew.next(1000).await.unwrap();
    assert_eq!(part.lines.len(), 1);
    assert_eq!(part.of.unwrap().0, second.key());
    let end = anew.next(1000).await.unwrap().position;
    assert!(
        export(Some(end.to_string().parse().unwrap())).await.next(9).await.unwrap().of.is_none()
    );
    let ahead: Position = format!("{} 0 beginning", end.entries + 1).parse().unwrap();
    let question = ExportQuestion {
        scope: ExportScope::Report(first.key()),
        marketplace: None,
        kinds: vec![],
        remarked: None,
        reason: None,
    };
    let refused = stage.app.export(&Visibility::All, question, Some(ahead)).await.err().unwrap();
    assert_eq!(refused.reason, "EXPORT_LOST");
    for text in ["", "1 2", "1 2 after x", "x 2 end", "1 2 end 3", "1 -2 end"] {
        assert!(text.parse::<Position>().is_err(), "{text}");
    }
}

#[tokio::test]
async fn a_report_says_when_it_is_abandoned() {
    let stage = Stage::set().await;
    let key = stage.may_left_open().await.key();
    let expires = || async { stage.app.report(&Visibility::All, &key).await.unwrap().expires };
    let in_days = |days: i64| Some(stage.app.env.now() + SignedDuration::from_hours(24 * days));
    assert_eq!(expires().await, in_days(90));
    stage.clock.advance(60 * DAY);
    assert_eq!(expires().await, in_days(30));
    stage.push_into(&key, vec![line("L1", "SALE", "")]).await.unwrap();
    assert_eq!(expires().await, in_days(90), "every batch puts it off");
    stage.clock.advance(90 * DAY - 1);
    assert_eq!(stage.app.abandon_reports().await.unwrap(), 0, "not before");
    let (may, by) = ("2026-05".parse().unwrap(), "ministry".parse().unwrap());
    stage.app.close_months(&stage.intent("ministry"), &by, may, may).await.unwrap();
    assert_eq!(expires().await, None, "what counts in a closed month stays");
}

#[tokio::test]
async fn a_report_is_abandoned_at_the_moment_it_said() {
    let stage = Stage::set().await;
    let key = stage.may_left_open().await.key();
    let said = stage.app.report(&Visibility::All, &key).await.unwrap().expires.unwrap();
    let left = said.duration_since(stage.app.env.now());
    stage.clock.advance(left.as_secs() - 1);
    assert_eq!(stage.app.abandon_reports().await.unwrap(), 0);
    stage.clock.advance(1);
    assert_eq!(stage.app.abandon_reports().await.unwrap(), 1);
    assert_eq!(stage.app.report(&Visibility::All, &key).await.unwrap().expires, None);
}
