//! However the same lines are cut into batches, grouped and sent again, the totals are the same.

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, TestRunner};

use super::lines::{batch, count_orders, lines_change, row};
use super::*;
use crate::change::LineRow;
use crate::store::{ReportProgress, RollupQuery};

/// A line without its id: order, kind, which earlier line it cites, sku, quantity, price, day.
type SomeLine = (u8, &'static str, Option<u8>, u8, u16, String, u8);

/// What became of the lines: totals, and every rollup cell as text.
type Outcome = (ReportProgress, Vec<String>);

pub async fn any_batching_gives_the_same_totals(place: &dyn Place) {
    let store = place.open();
    let mut runner =
        TestRunner::new(Config { cases: 16, failure_persistence: None, ..Config::default() });
    let mut case = 0;
    let strategy =
        (prop::collection::vec(some_line(), 1..40), prop::collection::vec(1..9usize, 40));
    for _ in 0..16 {
        let (lines, cuts) = strategy.new_tree(&mut runner).unwrap().current();
        case += 1;
        let whole = outcome(&*store, case, 0, &lines, &[lines.len()]).await;
        let cut = outcome(&*store, case, 1, &lines, &cuts).await;
        assert_eq!(whole, cut, "{lines:?} cut as {cuts:?}");
    }
}

fn some_line() -> impl Strategy<Value = SomeLine> {
    let kind = prop::sample::select(vec![
        "SALE",
        "SALE",
        "SALE",
        "RETURN",
        "REFUND",
        "CANCELLATION",
        "ADJUSTMENT",
    ]);
    let price = "(0|[1-9][0-9]{0,5})(\\.[0-9]{1,10})?";
    (0..6u8, kind, prop::option::of(0..40u8), 0..3u8, 1..500u16, price, 1..4u8)
}

/// Sends the lines into a report of a marketplace of its own, in batches of these sizes, half of
/// them sent once more, two batches a group; then counts the orders.
async fn outcome(
    store: &dyn Store,
    case: u128,
    way: u128,
    lines: &[SomeLine],
    sizes: &[usize],
) -> Outcome {
    let marketplace = format!("m{case}-{way}");
    let report = format!("report-{case}-{way}");
    let rows: Vec<LineRow> = (0..)
        .zip(lines)
        .map(|(n, (order, kind, cites, sku, quantity, price, day))| {
            let cites = match cites {
                Some(earlier) if *kind != "SALE" => format!("L{earlier:02}"),
                Some(_) | None => "-".to_owned(),
            };
            row(
                0,
                &format!(
                    "L{n:02} O{order} {kind} {cites} S{sku} {quantity} {price} \
                     2026-01-0{day}T00:00:00Z"
                ),
            )
        })
        .collect();
    let mut changes = Vec::new();
    let mut first = 0;
    for (number, size) in (0..).zip(sizes.iter().cycle()) {
        let part = &rows[first..rows.len().min(first + size)];
        if part.is_empty() {
            break;
        }
        for again in 0..=number % 2 {
            let placed = (0..).zip(part).map(|(position, row)| LineRow { position, ..row.clone() });
            let mut sent = batch(&report, first as u64, placed.collect());
            sent.marketplace = marketplace.parse().unwrap();
            let id = (case << 64) + (way << 60) + number * 2 + again;
            changes.push(lines_change(id, vec![], sent));
        }
        first += part.len();
    }
    while !changes.is_empty() {
        let group = changes.drain(..changes.len().min(2)).collect();
        for judged in commit(store, group).await {
            judged.unwrap();
        }
    }
    count_orders(store, (case << 64) + (way << 60) + 1000, &report).await;
    let mut progress = store.report_progress(&report).await.unwrap();
    assert_eq!(progress.next_line, lines.len() as u64);
    progress.duplicates = 0;
    progress.last_entry = None;
    let query = RollupQuery { report: Some(report), ..RollupQuery::default() };
    let mut cells: Vec<String> = store
        .rollups(query)
        .await
        .unwrap()
        .iter()
        .map(|cell| format!("{cell:?}").replace(&marketplace, ""))
        .collect();
    cells.sort();
    (progress, cells)
}
