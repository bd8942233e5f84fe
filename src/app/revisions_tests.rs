//! Revisions through the application: lineage, and that each line counts once.

use super::*;
use crate::app::lines::SentBatch;
use crate::app::reports::ReportQuestion;
use crate::app::test_stage::Stage;
use crate::domain::analytics::Dimension;
use crate::domain::sale::{RawLine, SaleLine};
use crate::store::RollupQuery;

fn line(line_id: &str, kind: &str, original: &str, quantity: &str) -> SaleLine {
    SaleLine::parse(&RawLine {
        line_id,
        order_id: "O1",
        kind,
        original_line_id: original,
        sku: "MALBEC",
        quantity,
        unit_price: "10.5",
        currency: "CNY",
        sold_at: "2026-05-07T23:30:00+08:00",
        ..RawLine::default()
    })
    .unwrap()
}

impl Stage {
    async fn open_may(&self) -> Result<Written<ReportView>> {
        let period = "2026-05-01..2026-05-31".parse().unwrap();
        let marketplace = "marketplace".parse().unwrap();
        self.app.open_report(&self.intent("marketplace"), &marketplace, period).await
    }

    async fn push(&self, key: &str, lines: Vec<SaleLine>) -> (u32, u32) {
        let (target, _) = self.app.push_target(&Visibility::All, key).await.unwrap();
        let sent = SentBatch {
            sent: lines.len() as u32,
            lines: (0..).zip(lines).collect(),
            ..SentBatch::default()
        };
        let intent = self.intent("marketplace");
        let answer = self.app.append_lines(&intent, &target, sent).await.unwrap().value;
        (answer.accepted + answer.warned, answer.duplicates)
    }

    async fn sealed(&self, key: &str) -> ReportView {
        let intent = self.intent("marketplace");
        self.app.seal_report(&intent, &Visibility::All, key, &[], "").await.unwrap().value
    }

    async fn revise(&self, key: &str) -> Result<Written<ReportView>> {
        let intent = self.intent("marketplace");
        self.app.revise_report(&intent, &Visibility::All, key, "lines were missing", "").await
    }

    async fn read(&self, key: &str) -> Report {
        self.app.report(&Visibility::All, key).await.unwrap().report.value
    }

    /// Net lines and amount over everything.
    async fn net(&self) -> (u64, String) {
        let rows = self
            .app
            .summarize(
                &Visibility::All.into(),
                RollupQuery::default().into(),
                &[Dimension::Currency],
                false,
            )
            .await
            .unwrap()
            .rows;
        rows.first().map_or((0, "0".into()), |row| (row.sums.lines, row.sums.amount.to_string()))
    }
}

#[tokio::test]
async fn a_revision_takes_the_place_of_what_it_corrects_and_each_line_counts_once() {
    let stage = Stage::set().await;
    let first = stage.open_may().await.unwrap().value.key;
    let sales = || vec![line("L1", "SALE", "", "2"), line("L2", "SALE", "", "1")];
    stage.push(&first, sales()).await;
    assert_eq!(stage.revise(&first).await.unwrap_err().reason, "REPORT_OPEN");
    stage.sealed(&first).await;
    stage.clock.advance(60);

    let second = stage.revise(&first).await.unwrap().value;
    assert_eq!(second.report.value.revision, 2);
    assert_eq!(second.report.value.supersedes.as_deref(), Some(first.as_str()));
    let again = stage.revise(&first).await.unwrap_err();
    assert_eq!(again.reason, "REPORT_EXISTS");
    assert!(again.metadata.contains(&("name".into(), name(&second.key))), "{again:?}");
    let open = stage.open_may().await.unwrap_err();
    assert!(open.metadata.contains(&("name".into(), name(&second.key))), "{open:?}");

    // Sending everything again does no harm; what is new counts from now on.
    let mut lines = sales();
    lines.push(line("L3", "CANCELLATION", "L2", "1"));
    lines.push(line("L4", "SALE", "", "4"));
    assert_eq!(stage.push(&second.key, lines).await, (2, 2));
    assert_eq!(stage.net().await, (4, "63".into()));
    assert!(stage.read(&first).await.superseded_by.is_none(), "not before it is sealed");

    let sealed = stage.sealed(&second.key).await;
    let statement = sealed.statement();
    let amounts: Vec<_> =
        statement.iter().map(|total| (total.kind.as_str(), total.amount.to_string())).collect();
    assert_eq!(amounts, [("SALE", "73.5".into()), ("CANCELLATION", "10.5".to_owned())]);
    let former = stage.read(&first).await;
    assert_eq!(former.state, ReportState::Superseded);
    assert_eq!(former.superseded_by.as_ref(), Some(&second.key));
    assert_eq!(former.totals.len(), 1, "it stays as it was sealed");
    assert_eq!(stage.net().await, (4, "63".into()), "sealing changes no sum");

    // What was said before the revision can still be asked for.
    let before = former.sealed_at.unwrap();
    let query = stage.app.as_of(RollupQuery::default(), before).await.unwrap();
    let all = Visibility::All.into();
    let sums = stage.app.summarize(&all, query.into(), &[], false).await.unwrap().rows[0].sums;
    assert_eq!((sums.lines, sums.amount.to_string()), (2, "31.5".into()));

    let gone = stage.revise(&first).await.unwrap_err();
    assert_eq!(gone.reason, "REPORT_SUPERSEDED");
    assert!(gone.metadata.contains(&("name".into(), name(&second.key))));
    let third = stage.revise(&second.key).await.unwrap().value.report.value;
    assert_eq!((third.revision, third.base), (3, statement));
}

#[tokio::test]
async fn an_empty_revision_takes_nobodys_place() {
    let stage = Stage::set().await;
    let first = stage.open_may().await.unwrap().value.key;
    stage.push(&first, vec![line("L1", "SALE", "", "2")]).await;
    stage.sealed(&first).await;
    let second = stage.revise(&first).await.unwrap().value.key;
    assert_eq!(stage.sealed(&second).await.report.value.state, ReportState::Rejected);
    assert!(stage.read(&first).await.superseded_by.is_none());
    let third = stage.revise(&first).await.unwrap().value.report.value;
    assert_eq!((third.revision, third.supersedes), (3, Some(first)));
}

#[tokio::test]
async fn what_was_sealed_empty_does_not_stand_in_the_way_of_a_new_report() {
    let stage = Stage::set().await;
    let first = stage.open_may().await.unwrap().value.key;
    stage.sealed(&first).await;
    let second = stage.open_may().await.unwrap().value.report.value;
    assert_eq!((second.revision, second.supersedes), (2, None));
    let page = stage.app.reports(&ReportQuestion::default(), "", 10).await.unwrap();
    assert_eq!(page.items.len(), 2);
}
