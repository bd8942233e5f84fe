//! Which line went to which item, and that lines and sums say the same.

use std::collections::BTreeMap;

use rust_decimal::Decimal;

use super::*;
use crate::app::reconciliation::line_matches::{LineMatch, LineMatchesQuery};
use crate::app::reconciliation::{Rematched, Rematching};

fn asked(listing: &str) -> LineMatchesQuery {
    let listing = listing.to_owned();
    LineMatchesQuery { listing, declaration: None, item: None, from: 0, limit: 1000 }
}

async fn matched(stage: &Stage, query: LineMatchesQuery) -> Vec<LineMatch> {
    let (mut all, mut query) = (Vec::new(), query);
    loop {
        let page = stage.app.line_matches(&customs(stage), &query).await.unwrap();
        assert!(page.lines.len() <= query.limit);
        all.extend(page.lines);
        match page.next {
            Some(next) => query.from = next,
            None => return all,
        }
    }
}

fn shown(one: &LineMatch) -> String {
    let to = one.item.map_or_else(|| "-".to_owned(), |key| key.to_string());
    let hand = if one.by_hand { " by hand" } else { "" };
    format!("{} {to} {}{hand}", one.line, one.quantity.normalize())
}

async fn rematch(stage: &Stage, line: &str, to: Option<&str>) -> Written<Rematched> {
    let wish = Rematching {
        marketplace: "market".parse().unwrap(),
        lines: vec![line.parse().unwrap()],
        to: to.map(|text| (number(text), item(1))),
        reason: "books".parse().unwrap(),
    };
    stage.app.rematch_sales(&customs(stage), &stage.intent("customs"), &wish).await.unwrap()
}

#[tokio::test]
async fn each_line_is_told_with_the_items_it_went_to() {
    let stage = stage().await;
    let key = submitted(&stage, &wine("W-1")).await;
    submitted(&stage, &wine("W-2")).await;
    declare(&stage, ONE, "W-1", 1, "60").await;
    declare(&stage, TWO, "W-1", 2, "30").await;
    // Bottles of 0.75 l.
    let named = format!("S3 SALE - W-1 4 {TWO}/1");
    sell(&stage, 4, &["S1 SALE - W-1 60 -", "R1 RETURN S1 W-1 20 -", "X SALE - W-2 9 -"]).await;
    sell(&stage, 5, &[&named, "S2 SALE - W-1 60 -"]).await;
    let told = |lines: &[LineMatch]| lines.iter().map(shown).collect::<Vec<_>>();
    let whole = matched(&stage, asked(&key)).await;
    assert_eq!(
        told(&whole),
        [
            format!("S3 {TWO}/0001 3"),
            format!("S1 {ONE}/0001 30"),
            // What is left of the older item, then of the newer; the rest is sold above it.
            format!("S2 {ONE}/0001 30"),
            format!("S2 {TWO}/0001 15"),
        ]
    );
    assert_eq!(matched(&stage, LineMatchesQuery { limit: 1, ..asked(&key) }).await, whole);
    let of = |text: &str, item: Option<i64>| LineMatchesQuery {
        declaration: Some(number(text)),
        item: item.map(super::item),
        ..asked(&key)
    };
    assert_eq!(matched(&stage, of(TWO, None)).await.len(), 2);
    assert_eq!(matched(&stage, of(TWO, Some(1))).await.len(), 2);
    assert_eq!(matched(&stage, of(TWO, Some(2))).await, []);

    rematch(&stage, "S1", Some(TWO)).await;
    let moved = told(&matched(&stage, asked(&key)).await);
    assert!(moved.contains(&format!("S1 {TWO}/0001 30 by hand")), "{moved:?}");
    rematch(&stage, "S1", None).await;
    assert_eq!(matched(&stage, asked(&key)).await, whole, "given back");

    for (partner, role) in [("second", Role::Marketplace), ("broker", Role::Broker)] {
        let hidden = stage.app.line_matches(&stage.caller(partner, role), &asked(&key)).await;
        assert_eq!(hidden.unwrap_err(), Error::not_found());
    }
}

#[tokio::test]
async fn lines_add_up_to_what_items_stand_at() {
    let stage = stage().await;
    let key = submitted(&stage, &wine("W-1")).await;
    for (text, day, left) in [(ONE, 1, "40"), (TWO, 2, "20.5")] {
        declare(&stage, text, "W-1", day, left).await;
    }
    // Any mixture: named, cited, beyond what was sold, of another article, by hand.
    let mut seed = 7_u64;
    let mut next = |most: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % most
    };
    for month in 1..=6 {
        let mut lines = Vec::new();
        for n in 0..12 {
            let named = ["-".to_owned(), format!("{ONE}/1"), format!("{TWO}/1"), TWO.to_owned()];
            let name = &named[next(4) as usize];
            let (id, quantity) = (format!("{month}-{n}"), 1 + next(9));
            lines.push(match next(4) {
                0 if n > 0 => format!("{id} RETURN {month}-{} W-1 {quantity} -", next(n)),
                1 if n % 2 == 0 => format!("{id} ADJUSTMENT - W-1 -{quantity} {name}"),
                _ => format!("{id} SALE - W-1 {quantity} {name}"),
            });
        }
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        sell(&stage, month, &lines).await;
        let mut sums: BTreeMap<String, Decimal> = BTreeMap::new();
        for one in matched(&stage, asked(&key)).await {
            let of = one.item.map_or_else(String::new, |key| key.to_string());
            *sums.entry(of).or_default() += one.quantity;
        }
        for text in [ONE, TWO] {
            let found = stage.app.reconciliation(&customs(&stage), number(text), None, None).await;
            let net = found.unwrap()[0].net_sold;
            let of_lines = sums.get(&format!("{text}/0001")).copied().unwrap_or_default();
            assert_eq!(of_lines, net, "{text} after month {month}");
        }
    }
    let all = matched(&stage, asked(&key)).await;
    assert!(all.len() > 4, "there is something to add up: {}", all.len());
}
