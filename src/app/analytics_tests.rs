//! Questions over a store that holds lines of two marketplaces.

use std::sync::Arc;

use super::*;
use crate::app::test_stage::Stage;
use crate::change::{Change, LineBatch, LineListing, LineRow, Write};
use crate::domain::sale::{RawLine, SaleLine};
use crate::ledger::{Draft, EntryKind};

fn row(text: &str) -> LineRow {
    let parts: Vec<&str> = text.split(' ').collect();
    let [line_id, order_id, kind, sku, quantity, unit_price, currency, destination] = parts[..]
    else {
        panic!("not a line: {text}");
    };
    let line = SaleLine::parse(&RawLine {
        line_id,
        order_id,
        kind,
        sku,
        quantity,
        unit_price,
        currency,
        destination,
        sold_at: "2026-05-10T10:00:00Z",
        ..RawLine::default()
    })
    .unwrap();
    let listing = LineListing {
        key: format!("key-{sku}"),
        seller: "30500010912".to_owned(),
        ncm: if sku.starts_with('W') { "22042100" } else { "03061790" }.to_owned(),
        channel: "OFFICIAL_STORE".parse().unwrap(),
        province: "AR-M".to_owned(),
        size_class: "MICRO".to_owned(),
    };
    LineRow { position: 0, line, listing: Some(Arc::new(listing)), warnings: vec![] }
}

/// Appends lines past reports and rules, then counts the orders.
async fn hold(stage: &Stage, marketplace: &str, lines: &[&str]) {
    let report = format!("report-of-{marketplace}");
    let batch = LineBatch {
        marketplace: marketplace.parse().unwrap(),
        report: report.clone(),
        first_line: 0,
        sent: lines.len() as u32,
        lines: lines.iter().map(|text| row(text)).collect(),
        refused: vec![],
    };
    for write in [Write::Lines(Arc::new(batch)), Write::CountOrders { report }] {
        let intent = stage.intent(marketplace);
        let change = Change {
            request: intent.request,
            actor: intent.actor,
            expect: vec![],
            writes: vec![write],
            draft: Draft::new(EntryKind::LinesAppended),
            answer: b"{}".to_vec(),
        };
        stage.app.writer.submit(change).await.unwrap().unwrap();
    }
}

async fn stage() -> Stage {
    let stage = Stage::set().await;
    let one = [
        "L1 O1 SALE W1 10 5 CNY CN-SH",
        "L2 O2 SALE W2 1 80 CNY CN",
        "L3 O2 SALE S1 4 10 CNY CN-SD",
        "L4 O3 SALE W1 1 5 CNY CN-S",
        "L5 O1 RETURN W1 2 5 CNY CN-SH",
        "L6 O1 REFUND W1 2 5 CNY CN-SH",
    ];
    hold(&stage, "one", &one).await;
    hold(&stage, "two", &["L1 O1 SALE W9 1 1000 USD US"]).await;
    stage
}

fn one() -> Visibility {
    Visibility::Own("one".parse().unwrap())
}

#[tokio::test]
async fn a_marketplace_is_told_about_itself_whatever_it_asks() {
    let stage = stage().await;
    let query = RollupQuery { marketplace: Some("two".to_owned()), ..RollupQuery::default() };
    let own = stage.app.summarize(&one(), query.clone(), &[]).await.unwrap();
    assert_eq!(own.iter().map(|row| row.currency.as_str()).collect::<Vec<_>>(), ["CNY"]);
    let theirs = stage.app.summarize(&Visibility::All, query, &[]).await.unwrap();
    assert_eq!(theirs.iter().map(|row| row.currency.as_str()).collect::<Vec<_>>(), ["USD"]);
    let by = [Dimension::Marketplace];
    let all = stage.app.summarize(&Visibility::All, RollupQuery::default(), &by).await.unwrap();
    assert_eq!(all.len(), 2);
}

#[tokio::test]
async fn products_are_ranked_and_spread_over_chapters() {
    let stage = stage().await;
    let top = async |measure, limit| {
        stage.app.top_products(&one(), RollupQuery::default(), measure, limit).await.unwrap()
    };
    let listings = |ranking: &Ranking| -> Vec<String> {
        ranking.products.iter().map(|one| one.sums.listing.clone()).collect()
    };
    let by_amount = top(Measure::Amount, 10).await;
    assert_eq!(listings(&by_amount), ["key-W2", "key-W1", "key-S1"]);
    assert_eq!(by_amount.products[1].sums.amount.to_string(), "45");
    assert_eq!(by_amount.currency.as_deref(), Some("CNY"));
    let chapters: Vec<_> =
        by_amount.chapters.iter().map(|share| (share.chapter.as_str(), share.products)).collect();
    assert_eq!(chapters, [("22", 2), ("03", 1)]);
    let by_quantity = top(Measure::Quantity, 2).await;
    assert_eq!(listings(&by_quantity), ["key-W1", "key-S1"]);
    assert_eq!(by_quantity.products[0].sums.quantity.to_string(), "9");
    let by_orders = top(Measure::Orders, 1).await;
    assert_eq!(
        (listings(&by_orders), by_orders.products[0].sums.orders),
        (vec!["key-W1".into()], 2)
    );
}

#[tokio::test]
async fn amounts_of_several_currencies_are_not_ranked_together() {
    let stage = stage().await;
    let all = RollupQuery::default();
    let asked = stage.app.top_products(&Visibility::All, all.clone(), Measure::Amount, 10).await;
    let error = asked.unwrap_err();
    assert_eq!(error.reason, "CURRENCY_REQUIRED");
    assert_eq!(error.metadata, [("currencies".to_owned(), "CNY,USD".to_owned())]);
    let usd = RollupQuery { currency: Some("USD".to_owned()), ..all.clone() };
    let asked = stage.app.top_products(&Visibility::All, usd, Measure::Amount, 10).await.unwrap();
    assert_eq!((asked.products.len(), asked.currency.as_deref()), (1, Some("USD")));
    let asked = stage.app.top_products(&Visibility::All, all, Measure::Quantity, 10).await.unwrap();
    assert_eq!(asked.currency, None);
}

#[tokio::test]
async fn a_country_holds_its_regions_and_a_region_only_itself() {
    let stage = stage().await;
    for (destination, lines) in [("CN", 6), ("CN-SH", 3), ("CN-S", 1), ("US", 0), ("C", 0)] {
        let query =
            RollupQuery { destination: Some(destination.to_owned()), ..RollupQuery::default() };
        let rows = stage.app.summarize(&one(), query, &[]).await.unwrap();
        assert_eq!(rows.iter().map(|row| row.lines).sum::<u64>(), lines, "{destination}");
    }
}
