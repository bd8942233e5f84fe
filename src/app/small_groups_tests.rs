//! What an analyst is told, and what it could reckon.

use std::sync::Arc;

use super::*;
use crate::app::analytics::Question;
use crate::app::test_stage::Stage;
use crate::change::{Change, LineBatch, LineListing, LineRow, Write};
use crate::domain::analytics::Measure;
use crate::domain::caller::Visibility;
use crate::domain::exchange::Rates;
use crate::domain::exchange::tests::rate;
use crate::domain::role::Role;
use crate::domain::sale::{RawLine, SaleLine};
use crate::ledger::{Draft, EntryKind};

/// A sale of a seller: `province ncm amount currency`.
fn row(seller: u32, text: &str) -> LineRow {
    let parts: Vec<&str> = text.split(' ').collect();
    let [province, ncm, unit_price, currency] = parts[..] else { panic!("not a sale: {text}") };
    let line = SaleLine::parse(&RawLine {
        line_id: &format!("L{seller}-{ncm}-{currency}"),
        order_id: "O1",
        kind: "SALE",
        sku: &format!("S{seller}-{ncm}"),
        quantity: "1",
        unit_price,
        currency,
        destination: "CN-SH",
        sold_at: "2026-05-10T10:00:00Z",
        ..RawLine::default()
    })
    .unwrap();
    let listing = LineListing {
        key: format!("key-{seller}-{ncm}"),
        seller: format!("{}", 20_000_000_000u64 + u64::from(seller)),
        ncm: ncm.to_owned(),
        channel: "OFFICIAL_STORE".parse().unwrap(),
        province: province.to_owned(),
        size_class: "MICRO".to_owned(),
    };
    LineRow { position: 0, line, listing: Some(Arc::new(listing)), warnings: vec![] }
}

/// Two sellers of Tierra del Fuego, three of Chubut and five of Mendoza; wine, and shrimp of one.
async fn stage() -> Stage {
    let mut stage = Stage::set().await;
    stage.app.least_sellers = 3;
    let mut rows: Vec<LineRow> = Vec::new();
    for (sellers, province) in [(0..2, "AR-V"), (10..13, "AR-U"), (20..25, "AR-M")] {
        for seller in sellers {
            rows.push(row(seller, &format!("{province} 22042100 {} CNY", 100 + seller)));
        }
    }
    rows.push(row(24, "AR-M 03061790 1000 CNY"));
    rows.push(row(24, "AR-M 22042100 7 USD"));
    let sent = rows.len() as u32;
    let period = "2026-05-01..2026-05-31".parse().unwrap();
    let batch =
        LineBatch::new("one".parse().unwrap(), "r".to_owned(), period, 0, sent, rows, vec![]);
    let intent = stage.intent("one");
    let change = Change {
        request: intent.request,
        actor: intent.actor,
        expect: vec![],
        writes: vec![Write::Lines(Arc::new(batch))],
        draft: Draft::new(EntryKind::LinesAppended),
        answer: b"{}".to_vec(),
    };
    stage.app.writer.submit(change).await.unwrap().unwrap();
    stage
}

fn analyst(stage: &Stage) -> Sight {
    stage.app.sight(&stage.caller("ministry", Role::Analyst))
}

fn only(currency: &str) -> RollupQuery {
    RollupQuery { currency: Some(currency.to_owned()), ..RollupQuery::default() }
}

/// Rows as `values amount`, an amount of `s` where it is suppressed.
async fn told(stage: &Stage, question: impl Into<Question>, by: &[Dimension]) -> Vec<String> {
    let sight = analyst(stage);
    let summary = stage.app.summarize(&sight, question.into(), by, true).await.unwrap();
    let row = |row: &SummaryRow| match row.suppressed {
        true => {
            assert_eq!((row.sums, row.share, row.before), Default::default(), "{row:?}");
            format!("{} s", row.values.join(" "))
        }
        false => format!("{} {}", row.values.join(" "), row.sums.amount),
    };
    summary.rows.iter().map(row).collect()
}

#[tokio::test]
async fn totals_less_rows_tell_an_analyst_of_nobody() {
    let stage = stage().await;
    // All 10 sellers in yuan, which an analyst may always know.
    assert_eq!(told(&stage, only("CNY"), &[]).await, [" 2144"]);
    // AR-V alone could be reckoned from all and the others, so AR-U hides with it.
    assert_eq!(
        told(&stage, only("CNY"), &[Dimension::Province]).await,
        ["AR-M 1610", "AR-U s", "AR-V s"]
    );
    // The same by filter: what a row does not tell, a filter does not either.
    for (province, rows) in
        [("AR-M", [" 1610"]), ("AR-U", [" s"]), ("AR-V", [" s"]), ("AR-Z", [" s"])]
    {
        let query = RollupQuery { province: Some(province.to_owned()), ..only("CNY") };
        assert_eq!(told(&stage, query, &[]).await, rows, "{province}");
    }
    let query = RollupQuery { province: Some("AR-V".to_owned()), ..only("CNY") };
    assert_eq!(
        told(&stage, query, &[Dimension::Destination]).await,
        ["SUPPRESSED s"],
        "not even where they sold to"
    );
    // Dollars are one seller's: by chapter they hide, and hide what is converted from them.
    assert_eq!(told(&stage, only("USD"), &[Dimension::NcmChapter]).await, ["22 s"]);
    let converted =
        Question { rates: Rates::new(vec![rate("USD CNY 7")]).unwrap(), ..Question::default() };
    assert_eq!(told(&stage, converted, &[Dimension::NcmChapter]).await, ["03 s", "22 s"]);
    // Kinds, currencies and marketplaces are never kept back.
    assert_eq!(told(&stage, only("USD"), &[Dimension::Kind]).await, ["SALE 7"]);
}

#[tokio::test]
async fn a_seller_is_a_group_of_one() {
    let stage = stage().await;
    for by in [Dimension::Seller, Dimension::Listing] {
        assert_eq!(told(&stage, only("CNY"), &[by]).await, ["SUPPRESSED s"], "{by}");
    }
    for seller in ["20000000024", "20000000099"] {
        let query = RollupQuery { seller: Some(seller.to_owned()), ..only("CNY") };
        assert_eq!(told(&stage, query, &[Dimension::Kind]).await, ["SUPPRESSED s"], "{seller}");
    }
    let narrow = RollupQuery { ncm_prefix: Some("220421".to_owned()), ..only("CNY") };
    let sight = analyst(&stage);
    let error = stage.app.summarize(&sight, narrow.into(), &[], false).await.unwrap_err();
    assert_eq!((error.reason, error.fields[0].field.as_str()), ("TOO_NARROW", "filter.ncm_prefix"));
}

#[tokio::test]
async fn a_ranking_tells_an_analyst_of_kinds_of_goods_and_nothing_of_products() {
    let stage = stage().await;
    let (analyst, all) = (analyst(&stage), Visibility::All.into());
    let top = async |sight, query: RollupQuery| {
        stage.app.top_products(sight, query.into(), Measure::Amount, 3).await
    };
    let ranking = top(&analyst, only("CNY")).await.unwrap();
    let ncms: Vec<_> = ranking.products.iter().map(|one| one.sums.ncm.as_str()).collect();
    // The best is shrimp, which one seller sells.
    assert_eq!(ncms, ["", "22042100", "22042100"]);
    assert!(ranking.products.iter().all(|one| one.suppressed));
    let chapters: Vec<_> =
        ranking.chapters.iter().map(|one| (one.chapter.as_str(), one.products)).collect();
    assert_eq!(chapters, [("22", 2), ("", 1)]);
    let ranking = top(&all, only("CNY")).await.unwrap();
    assert!(ranking.products.iter().all(|one| !one.suppressed && !one.sums.seller.is_empty()));

    let query = RollupQuery { province: Some("AR-V".to_owned()), ..only("CNY") };
    assert_eq!(top(&analyst, query).await.unwrap_err().reason, "GROUP_TOO_SMALL");
    let query = RollupQuery { seller: Some("20000000024".to_owned()), ..only("CNY") };
    assert_eq!(top(&analyst, query).await.unwrap_err().reason, "GROUP_TOO_SMALL");
}

#[tokio::test]
async fn only_analysts_are_told_less_and_only_where_it_is_set() {
    let mut stage = stage().await;
    for role in [Role::Customs, Role::Auditor, Role::Marketplace] {
        assert_eq!(stage.app.sight(&stage.caller("other", role)).least_sellers, None, "{role}");
    }
    assert_eq!(analyst(&stage).least_sellers, Some(3));
    stage.app.least_sellers = 1;
    assert_eq!(analyst(&stage).least_sellers, None);
    stage.app.least_sellers = 0;
    assert_eq!(
        told(&stage, only("CNY"), &[Dimension::Province]).await,
        ["AR-M 1610", "AR-U 333", "AR-V 201"]
    );
}
