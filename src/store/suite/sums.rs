//! What is kept of sums is what the stored lines add up to, whatever has happened.

use std::collections::HashSet;

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, TestRunner};

use super::lines::{batch, lines_change, row};
use super::*;
use crate::change::BatchAnswer;
use crate::domain::declaration::DeclarationNumber;
use crate::domain::explanation::{Explanation, ExplanationCause};
use crate::domain::sale::{SaleKind, WarningReason};
use crate::store::check::{Difference, SumsCheck};
use crate::store::{LineQuery, StoredLine};

/// Kind, which line it cites, sku, quantity, price, day, currency, name.
type Sent = (&'static str, u8, u8, u16, String, u8, bool, u8);

/// What may happen to a store, to one of three reports each.
#[derive(Clone, Debug)]
enum Step {
    /// Lines come.
    Lines(u8, Vec<Sent>),
    /// The first line that exceeds its sale is explained.
    Explain(u8),
    /// A line is matched to an item by hand, or given back.
    Rematch(u8, u8),
    /// The orders are counted, as when it is sealed.
    Seal(u8),
    /// Nothing of it counts any more.
    Abandon(u8),
    /// The store is opened again.
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    let kind = prop::sample::select(vec!["SALE", "SALE", "SALE", "RETURN", "REFUND", "ADJUSTMENT"]);
    let price = "(0|[1-9][0-9]{0,3})(\\.[0-9]{1,4})?";
    let line = (kind, 0..60u8, 0..3u8, 1..9u16, price, 1..4u8, any::<bool>(), 0..6u8);
    prop_oneof![
        6 => (0..3u8, prop::collection::vec(line, 1..12)).prop_map(|(r, l)| Step::Lines(r, l)),
        3 => (0..3u8).prop_map(Step::Explain),
        2 => (0..3u8, 0..6u8).prop_map(|(r, name)| Step::Rematch(r, name)),
        2 => (0..3u8).prop_map(Step::Seal),
        1 => (0..3u8).prop_map(Step::Abandon),
        1 => Just(Step::Reopen),
    ]
}

async fn check(store: &dyn Store) -> SumsCheck {
    store.check_sums(100).await.unwrap()
}

pub async fn sums_are_those_of_the_lines_after_any_history(place: &dyn Place) {
    let mut runner =
        TestRunner::new(Config { cases: 12, failure_persistence: None, ..Config::default() });
    let mut store = place.open();
    let (mut number, mut explained) = (0, 0);
    for case in 0..12 {
        let mut closed = HashSet::new();
        let mut steps =
            prop::collection::vec(step(), 1..16).new_tree(&mut runner).unwrap().current();
        if case == 0 {
            steps.splice(..0, exceeding_and_explained());
        }
        for step in &steps {
            number += 1;
            if let Step::Lines(report, _) | Step::Seal(report) | Step::Abandon(report) = step
                && closed.contains(report)
            {
                continue;
            }
            match step {
                Step::Lines(report, lines) => {
                    let report = format!("r{case}-{report}");
                    let rows = (0..).zip(lines).map(|(place, line)| {
                        let (kind, cites, sku, quantity, price, day, dollars, named) = line;
                        let cited = match *kind {
                            "SALE" => "-".to_owned(),
                            _ => format!("L{case}-{cites}"),
                        };
                        let id = (number * 7 + u128::from(place)) % 60;
                        let mut row = row(
                            place,
                            &format!(
                                "L{case}-{id} O{} {kind} {cited} S{sku} {quantity} {price} \
                                 2026-01-0{day}T00:00:00Z",
                                id % 4
                            ),
                        );
                        if *dollars {
                            row.line.currency = "USD".parse().unwrap();
                        }
                        (row.line.declaration, row.line.declaration_item) = name(*named);
                        if *sku == 2 {
                            row.listing = None;
                        }
                        row
                    });
                    let sent = batch(&report, 0, rows.collect());
                    let done = committed(&*store, lines_change(number, vec![], sent)).await;
                    let _: BatchAnswer = serde_json::from_slice(&done.answer).unwrap();
                }
                Step::Explain(report) => {
                    let report = format!("r{case}-{report}");
                    if let Some(line) = unexplained(&*store, &report).await {
                        let write = explain(&report, line.seq);
                        committed(&*store, change(number, vec![], vec![write])).await;
                        explained += 1;
                    }
                }
                Step::Rematch(report, named) => {
                    if let Some(line) = a_sale(&*store, &format!("r{case}-{report}")).await {
                        let write = net_sold::rematch(line.seq, name(*named));
                        committed(&*store, change(number, vec![], vec![write])).await;
                    }
                }
                Step::Seal(report) => {
                    closed.insert(*report);
                    let counts = store.count_orders(&format!("r{case}-{report}")).await.unwrap();
                    let write = Write::CountOrders(Arc::new(counts));
                    committed(&*store, change(number, vec![], vec![write])).await;
                }
                Step::Abandon(report) => {
                    closed.insert(*report);
                    let key = format!("r{case}-{report}");
                    let days = &["2026-01-01", "2026-01-31"];
                    let write = Write::Put(record(Kind::Report, &key, "ABANDONED", days));
                    committed(&*store, change(number, vec![], vec![write])).await;
                }
                Step::Reopen => {
                    drop(store);
                    store = place.open();
                }
            }
        }
        let outcome = check(&*store).await;
        assert!(outcome.differences.is_empty(), "{steps:?}\n{:?}", outcome.differences);
        assert_eq!(outcome.found, 0);
    }
    assert!(explained > 0, "no history has explained a line");
}

/// How the first history begins, as chance alone may explain nothing in all of them: its second
/// line takes back more than its first, which has the number 7.
fn exceeding_and_explained() -> [Step; 2] {
    let line = |kind, quantity| (kind, 7, 0, quantity, "1".to_owned(), 1, false, 0);
    [Step::Lines(0, vec![line("SALE", 1), line("RETURN", 8)]), Step::Explain(0)]
}

/// Of six, three name something.
fn name(which: u8) -> (Option<DeclarationNumber>, Option<u32>) {
    let number = "26001EC01000001A".parse().ok();
    match which {
        0 => (number, None),
        1 => (number, Some(1)),
        2 => (number, Some(2)),
        _ => (None, None),
    }
}

async fn a_sale(store: &dyn Store, report: &str) -> Option<StoredLine> {
    let lines = store.lines(all_of(report)).await.unwrap();
    lines.into_iter().find(|line| line.line.kind == SaleKind::Sale)
}

fn all_of(report: &str) -> LineQuery {
    LineQuery { report: report.to_owned(), remarked: None, reason: None, after: 0, limit: 100 }
}

async fn unexplained(store: &dyn Store, report: &str) -> Option<StoredLine> {
    let query = LineQuery { reason: Some(WarningReason::ExceedsOriginal), ..all_of(report) };
    store.lines(query).await.unwrap().into_iter().find(|line| line.explanation.is_none())
}

fn explain(report: &str, line: u64) -> Write {
    let explanation = Explanation {
        cause: ExplanationCause::Other,
        evidence: "x".parse().unwrap(),
        explained_by: "customs".parse().unwrap(),
        explained_at: at(1),
        entry: None,
    };
    Write::Explain { report: report.to_owned(), line, explanation }
}

/// Which cells are of sales.
const SALES: &str = "cell >> 32 IN (SELECT slice FROM rollup_slices WHERE kind = 'SALE')";

/// SQL of an unkind hand, and what is then said.
#[tokio::test]
async fn a_number_that_somebody_changed_is_named() {
    let folder = Folder::new();
    let store = folder.open();
    let lines = [
        "L1 O1 SALE - A 2 10 2026-01-05T08:00:00Z",
        "L2 O1 SALE - A 2 10 2026-01-05T08:00:00Z",
        "L3 O1 RETURN L1 A 9 10 2026-01-06T08:00:00Z",
    ];
    let rows = (0..).zip(lines).map(|(place, text)| row(place, text)).collect();
    committed(&*store, lines_change(1, vec![], batch("r", 0, rows))).await;
    let counts = store.count_orders("r").await.unwrap();
    assert_eq!((counts.orders, counts.repeats.as_slice()), (1, &[(1 << 32 | 1, 1)][..]));
    committed(&*store, change(2, vec![], vec![Write::CountOrders(Arc::new(counts))])).await;
    let clean = check(&*store).await;
    assert_eq!((clean.lines, clean.cells, clean.reports, clean.found), (3, 2, 1, 0));

    let hand = rusqlite::Connection::open(folder.0.path().join("puente.db")).unwrap();
    for (sql, undo, named) in [
        ("amount = '41'", "amount = '40'", ("rollup_cells", "amount", "41", "40")),
        ("lines = 3", "lines = 2", ("rollup_cells", "lines", "3", "2")),
        ("orders = 2", "orders = 1", ("rollup_cells", "orders", "2", "1")),
    ] {
        let set = |what: &str| format!("UPDATE cell_sums SET {what} WHERE {SALES}");
        hand.execute_batch(&set(sql)).unwrap();
        let outcome = check(&*store).await;
        let found: Vec<_> = outcome.differences.iter().map(told).collect();
        assert_eq!(found, [named]);
        hand.execute_batch(&set(undo)).unwrap();
    }
    for (sql, undo, named) in [
        (
            "UPDATE report_totals SET quantity = '5' WHERE kind = 'SALE'",
            "UPDATE report_totals SET quantity = '4' WHERE kind = 'SALE'",
            ("report_totals", "quantity", "5", "4"),
        ),
        (
            "UPDATE report_progress SET warned = 0",
            "UPDATE report_progress SET warned = 1",
            ("report_progress", "warned", "0", "1"),
        ),
        (
            "UPDATE report_progress SET orders = 7",
            "UPDATE report_progress SET orders = 1",
            ("report_progress", "orders", "7", "1"),
        ),
        (
            "UPDATE net_sold SET quantity = '5'",
            "UPDATE net_sold SET quantity = '4'",
            ("net_sold", "quantity", "5", "4"),
        ),
        (
            "UPDATE sale_lines SET cell = 99 WHERE line_id = 'L3'",
            "UPDATE sale_lines SET cell = 2 << 32 | 1 WHERE line_id = 'L3'",
            ("sale_lines", "cell", "99", "one of its own report, day, goods and kind"),
        ),
        (
            "INSERT INTO cell_sums VALUES (99, 0, '0', '0', NULL)",
            "DELETE FROM cell_sums WHERE cell = 99",
            ("rollup_cells", "cell", "99", "one of a slice and goods that are known"),
        ),
    ] {
        hand.execute_batch(sql).unwrap();
        let outcome = check(&*store).await;
        assert_eq!(outcome.differences.iter().map(told).collect::<Vec<_>>(), [named]);
        hand.execute_batch(undo).unwrap();
    }
    for table in ["cell_sums", "cell_gains"] {
        let sql = format!("UPDATE {table} SET lines = lines + 1, amount = '7'");
        assert_eq!(hand.execute(&sql, []).unwrap(), 1);
    }
    let few = store.check_sums(1).await.unwrap();
    assert_eq!((few.differences.len(), few.found), (1, 4), "all are counted, some are named");
}

fn told(one: &Difference) -> (&str, &str, &str, &str) {
    (one.table, one.what, one.kept.as_str(), one.lines.as_str())
}
