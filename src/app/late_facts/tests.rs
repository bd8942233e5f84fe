//! Lines that stand in another light: which are marked, once, and that nothing stored changes.

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::marking::Marking;
use super::*;
use crate::app::exporters_tests::{fact, row, suspended, sync};
use crate::app::lines::SentBatch;
use crate::app::listings::tests::{SELLER, stage, submitted, wine};
use crate::app::sync::SyncMode;
use crate::app::test_stage::Stage;
use crate::domain::exporter::NewFact;
use crate::domain::partner::PartnerId;
use crate::domain::sale::{RawLine, SaleLine, WarningReason};
use crate::ledger::{Entry, EntryKind};
use crate::store::{LineQuery, StoredLine};

fn line(id: &str, day: &str) -> SaleLine {
    SaleLine::parse(&RawLine {
        line_id: id,
        order_id: "O1",
        kind: "SALE",
        sku: "W-1",
        quantity: "1",
        unit_price: "18.50",
        currency: "USD",
        sold_at: &format!("{day}T12:00:00+08:00"),
        ..RawLine::default()
    })
    .unwrap()
}

fn market() -> PartnerId {
    "market".parse().unwrap()
}

async fn open(stage: &Stage) -> String {
    let period = "2026-05-01..2026-05-31".parse().unwrap();
    stage.app.open_report(&stage.intent("market"), &market(), period).await.unwrap().value.key
}

async fn push(stage: &Stage, report: &str, lines: Vec<SaleLine>) {
    let (target, _) = stage.app.push_target(&Visibility::All, report).await.unwrap();
    let lines: Vec<_> = (0..).zip(lines).collect();
    let sent = SentBatch { sent: lines.len() as u32, lines, ..SentBatch::default() };
    stage.app.append_lines(&stage.intent("market"), &target, sent).await.unwrap();
}

async fn record(stage: &Stage, fact: NewFact) {
    let intent = stage.intent("registry");
    stage.app.record_eligibility(&intent, SELLER, "", fact).await.unwrap();
}

async fn stored(stage: &Stage, report: &str) -> Vec<StoredLine> {
    let query = LineQuery {
        report: report.to_owned(),
        remarked: None,
        reason: None,
        after: 0,
        limit: 100_000,
    };
    stage.app.store.lines(query).await.unwrap()
}

/// Line ids of all pages.
async fn marked(stage: &Stage, visibility: &Visibility, limit: u32) -> Vec<String> {
    let mut query = MarksQuery { limit, ..MarksQuery::default() };
    let mut found = Vec::new();
    loop {
        let page = stage.app.marked_lines(visibility, &query).await.unwrap();
        assert!(page.items.len() <= limit as usize);
        found.extend(page.items.into_iter().map(|one| one.line.line_id.to_string()));
        match page.next {
            Some(next) => query.after = next,
            None => return found,
        }
    }
}

#[tokio::test]
async fn a_suspension_learnt_late_marks_the_lines_sold_since_by_name_and_once() {
    let stage = stage().await;
    submitted(&stage, &wine("W-1")).await;
    let report = open(&stage).await;
    let days = ["2026-05-09", "2026-05-10", "2026-05-11", "2026-05-20"];
    push(&stage, &report, days.map(|day| line(&format!("L{}", &day[8..]), day)).into()).await;
    let before = stored(&stage, &report).await;

    record(&stage, suspended("2026-05-10")).await;
    // What comes after it is known is judged with it, and not marked.
    push(&stage, &report, vec![line("LATER", "2026-05-12")]).await;
    assert_eq!(stage.app.mark_late_lines().await.unwrap(), Marking::TooEarly);
    stage.clock.advance(3);
    let settled = Marking::Settled { facts: 1, lines: 3 };
    assert_eq!(stage.app.mark_late_lines().await.unwrap(), settled);
    assert_eq!(stage.app.mark_late_lines().await.unwrap(), Marking::Nothing, "once");
    for limit in [1, 2, 100] {
        assert_eq!(marked(&stage, &Visibility::All, limit).await, ["L10", "L11", "L20"]);
    }
    assert_eq!(marked(&stage, &Visibility::Own(market()), 2).await.len(), 3);
    let second = Visibility::Own("second".parse().unwrap());
    assert!(marked(&stage, &second, 2).await.is_empty(), "another's");
    assert_eq!(stored(&stage, &report).await[..4], before, "no stored line changes");

    // The ledger says so about the report, and commits to the lines; it names neither them nor the
    // seller.
    let size = stage.app.store.tree().await.unwrap().size();
    let kinds = [EntryKind::LinesMarked, EntryKind::LateFactsSettled];
    for (index, kind) in (size - 2..size).zip(kinds) {
        let entry = stage.app.store.entry(index).await.unwrap().unwrap();
        let leaf = Entry::parse(&entry.entry).unwrap();
        assert_eq!((leaf.kind(), leaf.actor()), (Some(kind), "gateway"));
        assert!(!leaf.text().contains("L10") && !leaf.text().contains(SELLER));
        if kind == EntryKind::LinesMarked {
            assert_eq!(leaf.resource(), Some(&*format!("salesReports/{report}")));
            assert_eq!(leaf.facts()["lines"], "3");
            assert!(String::from_utf8(entry.content).unwrap().contains("\"L10\""));
        }
    }
}

#[tokio::test]
async fn what_was_cut_off_is_done_again_and_nothing_twice() {
    let stage = stage().await;
    submitted(&stage, &wine("W-1")).await;
    let (first, second) = (open(&stage).await, open_june(&stage).await);
    let many = |from: u32, day: &str| -> Vec<SaleLine> {
        (from..from + 1500).map(|n| line(&format!("L{n:05}"), day)).collect()
    };
    push(&stage, &first, many(0, "2026-05-20")).await;
    push(&stage, &second, many(2000, "2026-06-01")).await;
    record(&stage, suspended("2026-05-10")).await;
    stage.clock.advance(3);
    // As if it had ended after the first part: that part is written, the fact still waits.
    let app = &stage.app;
    let waiting = app.store.page(PageQuery::all(Kind::LateFact, 10)).await.unwrap();
    assert_eq!(app.mark_late_lines().await.unwrap(), Marking::Settled { facts: 1, lines: 3000 });
    let size = app.store.tree().await.unwrap().size();
    let again: LateFact = decode(&waiting[0]).unwrap().value;
    let (_, write) = put_late_fact(&waiting[0].key, &again, 2).unwrap();
    app.write(&stage.intent("gateway"), || async {
        Ok(crate::app::write::Plan {
            answer: (),
            expect: vec![],
            writes: vec![write.clone()],
            draft: crate::ledger::Draft::new(EntryKind::LateFactsSettled),
        })
    })
    .await
    .unwrap();
    assert_eq!(app.mark_late_lines().await.unwrap(), Marking::Settled { facts: 1, lines: 3000 });
    // One entry to make it wait again, one to settle it; no mark anew.
    assert_eq!(app.store.tree().await.unwrap().size(), size + 2);
    let names = marked(&stage, &Visibility::All, 700).await;
    let mut once = names.clone();
    once.sort_unstable();
    once.dedup();
    assert_eq!((names.len(), once.len()), (3000, 3000));
}

async fn open_june(stage: &Stage) -> String {
    let period = "2026-06-01..2026-06-30".parse().unwrap();
    stage.app.open_report(&stage.intent("market"), &market(), period).await.unwrap().value.key
}

#[tokio::test]
async fn a_file_of_the_registry_marks_as_a_single_fact_does() {
    let stage = stage().await;
    submitted(&stage, &wine("W-1")).await;
    let report = open(&stage).await;
    push(&stage, &report, vec![line("L1", "2026-05-20"), line("L2", "2026-05-25")]).await;
    let rows = vec![
        row(2, SELLER, fact("2026-01-01", Some("2026-05-20"))),
        row(3, SELLER, suspended("2026-05-21")),
    ];
    sync(&stage, SyncMode::Delta, rows).await.unwrap();
    stage.clock.advance(3);
    assert_eq!(stage.app.mark_late_lines().await.unwrap(), Marking::Settled { facts: 1, lines: 1 });
    assert_eq!(marked(&stage, &Visibility::All, 10).await, ["L2"]);
    // A suspension for days ahead bears on nothing that was sold.
    let rows = vec![row(2, SELLER, fact("2026-07-01", None))];
    sync(&stage, SyncMode::Delta, rows).await.unwrap();
    assert_eq!(stage.app.mark_late_lines().await.unwrap(), Marking::Nothing);
}

/// What happens in a random history: a line is pushed, or a fact recorded.
#[derive(Clone, Debug)]
enum Happening {
    Sold { day: u32 },
    Suspended { from: u32, days: Option<u32> },
    Eligible { from: u32 },
}

fn a_happening() -> impl Strategy<Value = Happening> {
    prop_oneof![
        3 => (1u32..=31).prop_map(|day| Happening::Sold { day }),
        1 => (1u32..=31, proptest::option::of(0u32..10))
            .prop_map(|(from, days)| Happening::Suspended { from, days }),
        1 => (1u32..=31).prop_map(|from| Happening::Eligible { from }),
    ]
}

/// Whatever the order in which sales and facts become known: a line whose seller, by all that is
/// known, was not eligible on its day either says so since it came or is marked; and a line is
/// marked only if a fact after it took its seller's eligibility away.
#[test]
fn no_line_of_a_seller_that_was_not_eligible_goes_unsaid() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut runner = TestRunner::new(Config { cases: 12, ..Config::default() });
    let histories = proptest::collection::vec(a_happening(), 1..16);
    let outcome = runner.run(&histories, |history| {
        runtime.block_on(async {
            let stage = stage().await;
            submitted(&stage, &wine("W-1")).await;
            let report = open(&stage).await;
            let may = |day: u32| format!("2026-05-{day:02}");
            for (number, one) in history.iter().enumerate() {
                match one {
                    Happening::Sold { day } => {
                        push(&stage, &report, vec![line(&format!("L{number}"), &may(*day))]).await;
                    }
                    Happening::Suspended { from, days } => {
                        let to = days.map(|days| may((from + days).min(31)).parse().unwrap());
                        record(&stage, NewFact { valid_to: to, ..suspended(&may(*from)) }).await;
                    }
                    Happening::Eligible { from } => record(&stage, fact(&may(*from), None)).await,
                }
            }
            stage.clock.advance(3);
            while stage.app.mark_late_lines().await.unwrap() != Marking::Nothing {}
            let marked = marked(&stage, &Visibility::All, 100).await;
            let exporter = stage.app.exporter(SELLER).await.unwrap().exporter.value;
            for held in stored(&stage, &report).await {
                let (id, day) = (held.line.line_id.to_string(), held.line.sold_at.day());
                let said = held.reasons.contains(&WarningReason::SellerNotEligible);
                let is_marked = marked.contains(&id);
                prop_assert!(exporter.eligible_on(day) || said || is_marked, "{id} goes unsaid");
                prop_assert!(!(said && is_marked), "{id} was judged with it");
                let entry = stage.app.store.entry(held.entry).await.unwrap().unwrap();
                let came = Entry::parse(&entry.entry).unwrap().at();
                let later = |fact: &crate::domain::exporter::EligibilityFact| {
                    fact.recorded_at >= came
                        && fact.validity().holds_on(day)
                        && fact.status == crate::domain::exporter::EligibilityStatus::Suspended
                };
                prop_assert!(!is_marked || exporter.facts.iter().any(later), "{id} for nothing");
            }
            Ok(())
        })
    });
    outcome.unwrap();
}
