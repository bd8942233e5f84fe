//! What is kept of net sales by name says what the lines say.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, TestRunner};
use rust_decimal::Decimal;

use super::lines::{batch, lines_change, row};
use super::*;
use crate::domain::declaration::DeclarationNumber;
use crate::domain::reconciliation::{
    Folded, ItemKey, Movement, Named, NetByName, Rematch, Shipped, StockItem, fold, stand,
};
use crate::domain::sale::WarningReason;
use crate::store::{LineQuery, StoredLine};

const ONE: &str = "26001EC01000001A";
const TWO: &str = "26001EC01000002B";

/// A sale is matched to an item, or given back.
pub fn rematch(line: u64, to: (Option<DeclarationNumber>, Option<u32>)) -> Write {
    let to = match Named::of(to.0, to.1) {
        Named::Item(key) => Some(key),
        Named::Declaration(_) | Named::Nothing => None,
    };
    let (reason, by) = ("seen in the books".parse().unwrap(), "customs".parse().unwrap());
    Write::Rematch(line, Rematch { to, reason, by, at: at(2) })
}

fn key(number: &str, item: u32) -> ItemKey {
    ItemKey { declaration: number.parse().unwrap(), item }
}

/// A line of article A as `line_id kind original|- quantity name|-`.
fn sold(place: u32, text: &str) -> crate::change::LineRow {
    let parts: Vec<&str> = text.split(' ').collect();
    let [id, kind, original, quantity, name] = parts[..] else { panic!("not a line: {text}") };
    let mut row =
        row(place, &format!("{id} O {kind} {original} A {quantity} 1 2026-01-05T08:00:00Z"));
    if name != "-" {
        (row.line.declaration, row.line.declaration_item) = match name.parse().unwrap() {
            Named::Nothing => (None, None),
            Named::Declaration(number) => (Some(number), None),
            Named::Item(key) => (Some(key.declaration), Some(key.item)),
        };
    }
    row
}

async fn push(store: &dyn Store, number: u128, report: &str, lines: &[&str]) {
    let rows = (0..).zip(lines).map(|(place, text)| sold(place, text)).collect();
    committed(store, lines_change(number, vec![], batch(report, 0, rows))).await;
}

/// The sums of article A as `name:quantity`, those of nothing left out.
async fn sums(store: &dyn Store) -> Vec<String> {
    let outcome = store.check_sums(10).await.unwrap();
    assert!(outcome.differences.is_empty(), "{:?}", outcome.differences);
    let net = store.net_sold("listing-A").await.unwrap();
    let some = net.iter().filter(|(_, sum)| !sum.is_zero());
    let mut told: Vec<_> = some.map(|(named, sum)| format!("{named}:{sum}")).collect();
    told.sort();
    told
}

/// So many under each name, sorted as [`sums`] are.
fn told(sums: &[(&str, i32)]) -> Vec<String> {
    let mut told: Vec<_> = sums.iter().map(|(name, sum)| format!("{name}:{sum}")).collect();
    told.sort();
    told
}

/// The place of a line among all.
async fn seq(store: &dyn Store, id: &str) -> u64 {
    let line = store.line(&"marketplace".parse().unwrap(), &id.parse().unwrap()).await.unwrap();
    line.unwrap().line.seq
}

pub async fn names_follow_the_sales_whatever_comes_first(place: &dyn Place) {
    let store = place.open();
    let (one, three) = (&*format!("{ONE}/0001"), &*format!("{TWO}/0003"));
    let named = &*format!("S2 SALE - 10 {one}");
    push(&*store, 1, "r", &["S1 SALE - 5 -", named, "R1 RETURN S1 1 -", "R2 RETURN S2 4 -"]).await;
    assert_eq!(sums(&*store).await, told(&[("", 4), (one, 6)]));
    // What takes a sale back comes first, with a name of its own, until the sale comes.
    let own = &*format!("R3 RETURN S3 1 {TWO}");
    push(&*store, 2, "r", &[own, "R4 RETURN S4 2 -"]).await;
    assert_eq!(sums(&*store).await, told(&[("", 2), (one, 6), (TWO, -1)]));
    let later = &*format!("S4 SALE - 7 {ONE}");
    push(&*store, 3, "another", &["S3 SALE - 3 -", later]).await;
    // R3 left its declaration for the unnamed S3, R4 joined the declaration of S4.
    assert_eq!(sums(&*store).await, told(&[("", 6), (one, 6), (ONE, 5)]));
    // By hand, and back: what takes a sale back goes with it.
    let write = rematch(seq(&*store, "S4").await, (TWO.parse().ok(), Some(3)));
    committed(&*store, change(4, vec![], vec![write])).await;
    assert_eq!(sums(&*store).await, told(&[("", 6), (one, 6), (three, 5)]));
    push(&*store, 5, "r", &["R5 CANCELLATION S4 1 -", "A1 ADJUSTMENT S4 -1 -"]).await;
    assert_eq!(sums(&*store).await, told(&[("", 6), (one, 6), (three, 3)]));
    let write = rematch(seq(&*store, "S4").await, (None, None));
    committed(&*store, change(6, vec![], vec![write])).await;
    assert_eq!(sums(&*store).await, told(&[("", 6), (one, 6), (ONE, 3)]));
}

pub async fn an_abandoned_report_gives_its_names_back(place: &dyn Place) {
    let store = place.open();
    let named = &*format!("S1 SALE - 10 {ONE}");
    push(&*store, 1, "left", &[named, "S2 SALE - 5 -"]).await;
    push(&*store, 2, "kept", &["R1 RETURN S1 4 -", &format!("R2 RETURN S2 1 {TWO}")]).await;
    assert_eq!(sums(&*store).await, told(&[("", 4), (ONE, 6)]));
    let abandon = || Write::Put(record(Kind::Report, "left", "ABANDONED", &["", ""]));
    committed(&*store, change(3, vec![], vec![abandon()])).await;
    assert_eq!(sums(&*store).await, told(&[("", -4), (TWO, -1)]));
    committed(&*store, change(4, vec![], vec![abandon()])).await;
    assert_eq!(sums(&*store).await, told(&[("", -4), (TWO, -1)]), "once");
    // Sent again, in another report.
    push(&*store, 5, "kept", &[named]).await;
    assert_eq!(sums(&*store).await, told(&[(ONE, 6), (TWO, -1)]));
}

/// A store whose sums somebody else did not keep; there are only embedded ones.
#[tokio::test]
async fn a_store_that_an_older_version_wrote_is_added_up_anew() {
    let place = Folder::new();
    let store = place.open();
    push(&*store, 1, "r", &["S1 SALE - 5 -", &format!("S2 SALE - 2 {ONE}")]).await;
    let held = sums(&*store).await;
    drop(store);
    place.forget_net_sold();
    let store = place.open();
    assert_eq!(sums(&*store).await, held);
    push(&*store, 2, "r", &["S3 SALE - 5 -"]).await;
    assert_eq!(sums(&*store).await, told(&[("", 10), (ONE, 2)]));
}

/// Lines in an order of arrival, and which of them are matched by hand afterwards.
#[derive(Clone, Debug)]
struct History {
    lines: Vec<(usize, String)>,
    rematched: Vec<(usize, u32)>,
    reports: Vec<u8>,
}

prop_compose! {
    fn a_line(id: usize)(
        kind in prop::sample::select(vec!["SALE", "SALE", "RETURN", "CANCELLATION", "ADJUSTMENT"]),
        cited in 0usize..24,
        quantity in 1u32..30,
        name in prop::sample::select(vec!["-", "-", ONE, TWO, "26001EC01000001A/0001"]),
        minus: bool,
    ) -> String {
        let sign = if kind == "ADJUSTMENT" && minus { "-" } else { "" };
        let cited = if kind == "SALE" { "-".to_owned() } else { format!("L{cited}") };
        // Small returns, so that most are no more than their sales.
        let quantity = if kind == "SALE" { quantity + 20 } else { quantity % 4 + 1 };
        format!("L{id} {kind} {cited} {sign}{quantity} {name}")
    }
}

fn histories() -> impl Strategy<Value = History> {
    let lines = (2usize..24).prop_flat_map(|n| (0..n).map(a_line).collect::<Vec<_>>());
    let rematched = prop::collection::vec((0usize..24, 0u32..3), 0..3);
    (lines, rematched, prop::collection::vec(0u8..3, 24)).prop_map(|(lines, rematched, reports)| {
        History { lines: lines.into_iter().enumerate().collect(), rematched, reports }
    })
}

/// Any order of arrival gives the same sums, and they say where items stand as the fold over all
/// lines does.
pub async fn sums_by_name_are_those_of_the_fold(place: &dyn Place) {
    let mut runner =
        TestRunner::new(Config { cases: 20, failure_persistence: None, ..Config::default() });
    let store = place.open();
    let mut number = 0;
    for case in 0..20u32 {
        let history = histories().new_tree(&mut runner).unwrap().current();
        let straight = history.lines.clone();
        let mut mixed = straight.clone();
        mixed.reverse();
        mixed.rotate_left(straight.len() / 3);
        let mut kept: Vec<(NetByName, Folded)> = Vec::new();
        for (order, lines) in [straight, mixed].into_iter().enumerate() {
            // Of a marketplace of its own each, so that ids and listings are.
            let tag = format!("c{case}o{order}");
            for lines in lines.chunks(5) {
                number += 1;
                let mut by_report: BTreeMap<u8, Vec<&str>> = BTreeMap::new();
                for (id, text) in lines {
                    by_report.entry(history.reports[*id]).or_default().push(text);
                }
                for (report, lines) in by_report {
                    number += 1;
                    let sent = of_market(&tag, report, &lines);
                    committed(&*store, lines_change(number, vec![], sent)).await;
                }
            }
            for (line, item) in &history.rematched {
                let id = format!("L{line}").parse().unwrap();
                let held = store.line(&tag.parse().unwrap(), &id).await.unwrap();
                let Some(held) = held.filter(|held| held.line.line.original_line_id.is_none())
                else {
                    continue;
                };
                number += 1;
                let to = (TWO.parse().ok().filter(|_| *item > 0), (*item > 0).then_some(*item));
                let write = rematch(held.line.seq, to);
                committed(&*store, change(number, vec![], vec![write])).await;
            }
            let net = store.net_sold(&format!("listing-{tag}")).await.unwrap();
            let today = "2026-06-01".parse().unwrap();
            let folded = fold(items(), movements(&*store, &tag, &history).await, today).unwrap();
            assert_eq!(stand(items(), &net, today).unwrap(), folded.standing, "{history:?}");
            kept.push((net.into_iter().filter(|(_, sum)| !sum.is_zero()).collect(), folded));
        }
        // Which of several returns exceeds their sale is told in the order they came, and is not
        // the same in another.
        if kept.iter().all(|(_, folded)| folded.matches.len() == kept[0].1.matches.len())
            && !exceeding(&*store, case).await
        {
            assert_eq!(kept[0], kept[1], "{history:?}");
        }
    }
    let outcome = store.check_sums(10).await.unwrap();
    assert!(outcome.differences.is_empty(), "{:?}", outcome.differences);
}

/// Whether a line of the case was left out as it exceeds its sale.
async fn exceeding(store: &dyn Store, case: u32) -> bool {
    for order in 0..2 {
        for report in 0..3 {
            let lines = store.lines(lines_of(&format!("c{case}o{order}"), report)).await.unwrap();
            if lines.iter().any(|line| !counts(line)) {
                return true;
            }
        }
    }
    false
}

fn counts(line: &StoredLine) -> bool {
    !line.reasons.contains(&WarningReason::ExceedsOriginal)
}

fn of_market(tag: &str, report: u8, lines: &[&str]) -> crate::change::LineBatch {
    let rows = (0..).zip(lines).map(|(place, text)| {
        let mut row = sold(place, text);
        let listing = Arc::unwrap_or_clone(row.listing.unwrap());
        let key = format!("listing-{tag}");
        row.listing = Some(Arc::new(crate::change::LineListing { key, ..listing }));
        row
    });
    let mut batch = batch(&format!("{tag}r{report}"), 0, rows.collect());
    batch.marketplace = tag.parse().unwrap();
    batch
}

fn lines_of(tag: &str, report: u8) -> LineQuery {
    let report = format!("{tag}r{report}");
    LineQuery { report, remarked: None, reason: None, after: 0, limit: 100 }
}

/// Two items of the first declaration and one of the second.
fn items() -> Vec<StockItem> {
    let item = |number: &str, item, day: &str| StockItem {
        key: key(number, item),
        officialised_on: day.parse().unwrap(),
        declared: "500".parse().unwrap(),
        shipments: vec![Shipped {
            quantity: "40".parse().unwrap(),
            on: "2026-01-02".parse().unwrap(),
            sell_by: None,
        }],
        explained: vec![],
        escalated: false,
    };
    vec![item(ONE, 1, "2026-01-01"), item(ONE, 2, "2026-01-01"), item(TWO, 1, "2026-01-02")]
}

/// The lines of a case as the fold takes them, names by hand among them.
async fn movements(store: &dyn Store, tag: &str, history: &History) -> Vec<Movement> {
    let mut movements = Vec::new();
    let mut sales = std::collections::HashSet::new();
    for report in 0..3 {
        let lines = store.lines(lines_of(tag, report)).await.unwrap();
        for StoredLine { line, .. } in lines.into_iter().filter(counts) {
            let by_hand = history.rematched.iter().rev().find(|(id, _)| {
                line.original_line_id.is_none() && line.line_id.as_str() == format!("L{id}")
            });
            let named = match by_hand {
                Some((_, item)) if *item > 0 => Named::Item(key(TWO, *item)),
                Some(_) | None => Named::of(line.declaration, line.declaration_item),
            };
            if line.kind == crate::domain::sale::SaleKind::Sale {
                sales.insert(line.line_id.clone());
            }
            let quantity: Decimal = line.signed().quantity;
            movements.push(Movement {
                at: line.sold_at.instant(),
                quantity: crate::domain::decimal::Quantity::of(quantity),
                original: line.original_line_id,
                line: line.line_id,
                named,
            });
        }
    }
    for movement in &mut movements {
        movement.original.take_if(|cited| !sales.contains(cited));
    }
    movements
}
