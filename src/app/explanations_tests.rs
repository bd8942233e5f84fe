//! Explanations through the application: what they let count, once, and what they refuse.

use super::*;
use crate::app::lines::SentBatch;
use crate::app::test_stage::Stage;
use crate::domain::sale::{RawLine, SaleLine};
use crate::store::{LineQuery, RollupQuery};

const DAY: i64 = 24 * 3600;

/// `id kind original quantity price currency`, in May 2026.
fn line(text: &str) -> SaleLine {
    let parts: Vec<&str> = text.split(' ').collect();
    let [line_id, kind, original, quantity, unit_price, currency] = parts[..] else {
        panic!("not a line: {text}");
    };
    SaleLine::parse(&RawLine {
        line_id,
        order_id: "O1",
        kind,
        original_line_id: if original == "-" { "" } else { original },
        sku: "MALBEC",
        quantity,
        unit_price,
        currency,
        sold_at: "2026-05-07T23:30:00+08:00",
        ..RawLine::default()
    })
    .unwrap()
}

fn marketplace() -> PartnerId {
    "marketplace".parse().unwrap()
}

fn finding() -> Finding {
    Finding {
        cause: ExplanationCause::GoodwillRefund,
        evidence: "credit note 0001-00004412".parse().unwrap(),
    }
}

impl Stage {
    async fn open_with(&self, lines: &[&str]) -> String {
        let intent = self.intent("marketplace");
        let period = "2026-05-01..2026-05-31".parse().unwrap();
        let key = self.app.open_report(&intent, &marketplace(), period).await.unwrap().value.key;
        self.send(&key, lines).await;
        key
    }

    /// The ids of the lines that exceed their sale.
    async fn send(&self, key: &str, lines: &[&str]) -> Vec<String> {
        let (target, _) = self.app.push_target(&Visibility::All, key).await.unwrap();
        let sent = SentBatch {
            sent: lines.len() as u32,
            lines: (0..).zip(lines.iter().map(|text| line(text))).collect(),
            ..SentBatch::default()
        };
        let intent = self.intent("marketplace");
        let answer = self.app.append_lines(&intent, &target, sent).await.unwrap().value;
        let exceeds = |reasons: &[String]| reasons.iter().any(|one| one == "EXCEEDS_ORIGINAL");
        let notes = answer.notes.into_iter().filter(|note| exceeds(&note.reasons));
        notes.map(|note| note.line_id).collect()
    }

    async fn explain(&self, id: &str) -> Result<Written<StoredLine>> {
        self.explain_as(&self.intent("customs"), &Visibility::All, id).await
    }

    async fn explain_as(
        &self,
        intent: &Intent,
        visibility: &Visibility,
        id: &str,
    ) -> Result<Written<StoredLine>> {
        let id = id.parse().unwrap();
        self.app.explain_line(intent, visibility, &marketplace(), &id, &finding()).await
    }

    /// Net lines, quantity and amount in one currency.
    async fn net_of(&self, query: RollupQuery, currency: &str) -> (u64, String, String) {
        let all = Visibility::All.into();
        let rows = self.app.summarize(&all, query.into(), &[], false).await.unwrap().rows;
        let row = rows.into_iter().find(|row| row.currency == currency);
        row.map_or((0, "0".into(), "0".into()), |row| {
            (row.sums.lines, row.sums.quantity.to_string(), row.sums.amount.to_string())
        })
    }
}

fn sums(lines: u64, quantity: &str, amount: &str) -> (u64, String, String) {
    (lines, quantity.to_owned(), amount.to_owned())
}

#[tokio::test]
async fn an_explained_line_counts_from_then_on_and_its_verdict_stays() {
    let stage = Stage::set().await;
    let all = RollupQuery::default;
    let key = stage.open_with(&["S SALE - 2 10.5 CNY", "R RETURN S 3 10.5 CNY"]).await;
    assert_eq!(stage.net_of(all(), "CNY").await, sums(1, "2", "21"));
    let intent = stage.intent("marketplace");
    stage.app.seal_report(&intent, &Visibility::All, &key, &[], "").await.unwrap();
    let sealed = stage.app.report(&Visibility::All, &key).await.unwrap();
    let before = stage.app.env.now();
    stage.clock.advance(DAY);

    let explained = stage.explain("R").await.unwrap();
    let receipt = explained.receipt.unwrap();
    assert_eq!(receipt.kind, EntryKind::LineExplained);
    let stored = stage.app.store.entry(receipt.index).await.unwrap().unwrap();
    let entry = crate::ledger::Entry::parse(&stored.entry).unwrap();
    let facts: Vec<_> = entry.facts().iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    assert_eq!(facts, [("cause", "GOODWILL_REFUND"), ("kind", "RETURN"), ("line_entry", "1")]);
    assert!(!entry.text().contains("credit note"), "what a person wrote stays out of the leaf");

    assert_eq!(stage.net_of(all(), "CNY").await, sums(2, "-1", "21"));
    let listed = LineQuery {
        report: key.clone(),
        remarked: None,
        reason: Some(crate::domain::sale::WarningReason::ExceedsOriginal),
        after: 0,
        limit: 10,
    };
    let listed = stage.app.stored_lines(&Visibility::All, listed).await.unwrap().items;
    assert_eq!(listed, [explained.value], "with its verdict, and why it counts");
    let explanation = listed[0].explanation.as_ref().unwrap();
    assert_eq!(explanation.entry, Some(receipt.index));
    assert_eq!(explanation.explained_by.as_str(), "customs");

    // What it was sealed with is what it was; what was known before is answered as before.
    let after = stage.app.report(&Visibility::All, &key).await.unwrap();
    assert_eq!((after.progress.explained, after.progress.warned), (1, 2));
    assert_eq!(after.progress.totals, sealed.progress.totals);
    assert_ne!(after.etag(), sealed.etag());
    let then = stage.app.as_of(all(), before).await.unwrap();
    assert_eq!(stage.net_of(then, "CNY").await, sums(1, "2", "21"));
    let now = stage.app.as_of(all(), stage.app.env.now()).await.unwrap();
    assert_eq!(stage.net_of(now, "CNY").await, sums(2, "-1", "21"));
}

#[tokio::test]
async fn later_lines_are_judged_with_the_explained_one_counted() {
    let stage = Stage::set().await;
    let lines = ["S SALE - 5 10 CNY", "F REFUND S 1 60 CNY", "R RETURN S 2 10 CNY"];
    let key = stage.open_with(&lines).await;
    stage.explain("F").await.unwrap();
    // 60 of 50 were paid back: no more money, but the goods may come back still.
    let exceeding = stage.send(&key, &["F2 REFUND S 1 0.01 CNY", "R2 RETURN S 3 10 CNY"]).await;
    assert_eq!(exceeding, ["F2"]);

    // Money of another currency is never held against that of the sale.
    let lines = ["T SALE - 5 10 CNY", "G CANCELLATION T 2 100 USD"];
    assert_eq!(stage.send(&key, &lines).await, ["G"]);
    stage.explain("G").await.unwrap();
    assert_eq!(stage.net_of(RollupQuery::default(), "USD").await, sums(1, "-2", "-200"));
    let lines = ["G2 REFUND T 1 50 CNY", "G3 RETURN T 3 10 CNY", "G4 RETURN T 1 10 CNY"];
    assert_eq!(stage.send(&key, &lines).await, ["G4"]);
}

#[tokio::test]
async fn a_line_is_explained_once_and_only_if_it_is_left_out() {
    let stage = Stage::set().await;
    let lines = ["S SALE - 2 10.5 CNY", "R RETURN S 3 10.5 CNY", "U RETURN X 1 1 CNY"];
    let key = stage.open_with(&lines).await;
    let reason = |outcome: Result<Written<StoredLine>>| outcome.unwrap_err().reason;
    assert_eq!(reason(stage.explain("nowhere").await), "NOT_FOUND");
    let own = |partner: &str| Visibility::Own(partner.parse().unwrap());
    let intent = stage.intent("broker");
    assert_eq!(reason(stage.explain_as(&intent, &own("broker"), "R").await), "NOT_FOUND");
    let unmatched = stage.explain("U").await.unwrap_err();
    assert_eq!(unmatched.reason, "LINE_NOT_EXCEEDING");
    let state = ("state".to_owned(), "UNKNOWN_SKU,UNKNOWN_ORIGINAL".to_owned());
    assert!(unmatched.metadata.contains(&state), "{unmatched:?}");
    assert_eq!(reason(stage.explain("S").await), "LINE_NOT_EXCEEDING");

    let intent = stage.intent("customs");
    let dry = Intent { validate_only: true, ..intent.clone() };
    let judged = stage.explain_as(&dry, &Visibility::All, "R").await.unwrap();
    assert_eq!((judged.receipt, judged.value.explanation.unwrap().entry), (None, None));
    assert_eq!(stage.net_of(RollupQuery::default(), "CNY").await.0, 2);

    let first = stage.explain_as(&intent, &Visibility::All, "R").await.unwrap();
    let again = stage.explain_as(&intent, &Visibility::All, "R").await.unwrap();
    assert!(again.replayed);
    assert_eq!((&again.value, &again.receipt), (&first.value, &first.receipt));
    let twice = stage.explain("R").await.unwrap_err();
    assert_eq!(twice.reason, "LINE_EXPLAINED");
    assert!(twice.metadata.contains(&("state".into(), "EXPLAINED".into())), "{twice:?}");
    assert_eq!(stage.net_of(RollupQuery::default(), "CNY").await, sums(3, "-2", "21"));
    let held = stage.app.report(&Visibility::All, &key).await.unwrap();
    assert_eq!(held.progress.explained, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_two_who_explain_at_once_one_does() {
    let stage = Stage::set().await;
    stage.open_with(&["S SALE - 2 10.5 CNY", "R RETURN S 3 10.5 CNY"]).await;
    let both = futures_util::future::join_all((0..8).map(|_| stage.explain("R"))).await;
    assert_eq!(both.iter().filter(|one| one.is_ok()).count(), 1);
    let refused = both.into_iter().filter_map(Result::err);
    assert!(refused.map(|error| error.reason).all(|reason| reason == "LINE_EXPLAINED"));
    assert_eq!(stage.net_of(RollupQuery::default(), "CNY").await, sums(2, "-1", "21"));
}

#[tokio::test]
async fn what_is_final_is_not_explained() {
    let stage = Stage::set().await;
    let lines = ["S SALE - 2 10.5 CNY", "R RETURN S 3 10.5 CNY", "R2 RETURN S 3 10.5 CNY"];
    stage.open_with(&lines).await;
    stage.clock.advance(90 * DAY);
    assert_eq!(stage.app.abandon_reports().await.unwrap(), 1);
    assert_eq!(stage.explain("R").await.unwrap_err().reason, "REPORT_ABANDONED");
    // Sent again, it is another line of the same id.
    stage.open_with(&lines).await;
    stage.explain("R").await.unwrap();
    let (may, by) = ("2026-05".parse().unwrap(), "ministry".parse().unwrap());
    stage.app.close_months(&stage.intent("ministry"), &by, may, may).await.unwrap();
    let closed = stage.explain("R2").await.unwrap_err();
    assert_eq!(closed.reason, "PERIOD_CLOSED");
    assert!(closed.message.contains("ADJUSTMENT"), "{}", closed.message);
}
