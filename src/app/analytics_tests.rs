//! Questions over a store that holds lines of two marketplaces.

use std::sync::Arc;

use super::*;
use crate::app::test_stage::Stage;
use crate::change::{Change, LineBatch, LineListing, LineRow, Write};
use crate::domain::caller::Visibility;
use crate::domain::exchange::tests::rate;
use crate::domain::sale::{RawLine, SaleLine};
use crate::domain::summary::SummaryRow;
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
    hold_rows(stage, marketplace, lines.iter().map(|text| row(text)).collect()).await;
}

async fn hold_rows(stage: &Stage, marketplace: &str, rows: Vec<LineRow>) {
    let report = format!("report-of-{marketplace}");
    let batch = LineBatch::new(
        marketplace.parse().unwrap(),
        report.clone(),
        "2026-01-01..2026-12-31".parse().unwrap(),
        0,
        rows.len() as u32,
        rows,
        vec![],
    );
    for orders in [false, true] {
        let write = match orders {
            false => Write::Lines(Arc::new(batch.clone())),
            true => {
                let counts = stage.app.store.count_orders(&report).await.unwrap();
                Write::CountOrders(Arc::new(counts))
            }
        };
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

fn one() -> Sight {
    Visibility::Own("one".parse().unwrap()).into()
}

fn everybody() -> Sight {
    Visibility::All.into()
}

/// Rows by these dimensions.
async fn sums(
    stage: &Stage,
    sight: &Sight,
    question: impl Into<Question>,
    by: &[Dimension],
) -> Vec<SummaryRow> {
    stage.app.summarize(sight, question.into(), by, false).await.unwrap().rows
}

#[tokio::test]
async fn a_marketplace_is_told_about_itself_whatever_it_asks() {
    let stage = stage().await;
    let query = RollupQuery { marketplace: Some("two".to_owned()), ..RollupQuery::default() };
    let own = sums(&stage, &one(), query.clone(), &[]).await;
    assert_eq!(own.iter().map(|row| row.currency.as_str()).collect::<Vec<_>>(), ["CNY"]);
    let theirs = sums(&stage, &everybody(), query, &[]).await;
    assert_eq!(theirs.iter().map(|row| row.currency.as_str()).collect::<Vec<_>>(), ["USD"]);
    let by = [Dimension::Marketplace];
    let all = sums(&stage, &everybody(), RollupQuery::default(), &by).await;
    assert_eq!(all.len(), 2);
}

#[tokio::test]
async fn products_are_ranked_and_spread_over_chapters() {
    let stage = stage().await;
    let top = async |measure, limit| {
        let all = Question::default();
        stage.app.top_products(&one(), all, measure, limit).await.unwrap()
    };
    let listings = |ranking: &Ranking| -> Vec<String> {
        ranking.products.iter().map(|one| one.sums.listing.clone()).collect()
    };
    let by_amount = top(Measure::Amount, 10).await;
    assert_eq!(listings(&by_amount), ["key-W2", "key-W1", "key-S1"]);
    assert_eq!(by_amount.products[1].sums.sums.amount.to_string(), "45");
    assert_eq!(by_amount.currency.as_deref(), Some("CNY"));
    let chapters: Vec<_> =
        by_amount.chapters.iter().map(|share| (share.chapter.as_str(), share.products)).collect();
    assert_eq!(chapters, [("22", 2), ("03", 1)]);
    let by_quantity = top(Measure::Quantity, 2).await;
    assert_eq!(listings(&by_quantity), ["key-W1", "key-S1"]);
    assert_eq!(by_quantity.products[0].sums.sums.quantity.to_string(), "9");
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
    let top = |query: RollupQuery, measure| {
        let stage = &stage;
        async move { stage.app.top_products(&everybody(), query.into(), measure, 10).await }
    };
    let error = top(all.clone(), Measure::Amount).await.unwrap_err();
    assert_eq!(error.reason, "CURRENCY_REQUIRED");
    assert_eq!(error.metadata, [("currencies".to_owned(), "CNY,USD".to_owned())]);
    let usd = RollupQuery { currency: Some("USD".to_owned()), ..all.clone() };
    let asked = top(usd, Measure::Amount).await.unwrap();
    assert_eq!((asked.products.len(), asked.currency.as_deref()), (1, Some("USD")));
    let asked = top(all, Measure::Quantity).await.unwrap();
    assert_eq!(asked.currency, None);
}

#[tokio::test]
async fn a_country_holds_its_regions_and_a_region_only_itself() {
    let stage = stage().await;
    for (destination, lines) in [("CN", 6), ("CN-SH", 3), ("CN-S", 1), ("US", 0), ("C", 0)] {
        let query =
            RollupQuery { destination: Some(destination.to_owned()), ..RollupQuery::default() };
        let rows = sums(&stage, &one(), query, &[]).await;
        assert_eq!(rows.iter().map(|row| row.sums.lines).sum::<u64>(), lines, "{destination}");
    }
}

/// A question about May 2026 and what was before it.
fn may(compare_with: Comparison) -> Question {
    let query = RollupQuery {
        from: Some("2026-05-01".parse().unwrap()),
        to: Some("2026-05-31".parse().unwrap()),
        ..RollupQuery::default()
    };
    Question { query, compare_with: Some(compare_with), rates: Rates::default() }
}

/// Lines of May 2026, of the month before and of the year before.
async fn three_months(stage: &Stage) {
    let line = |text: &str, day: &str| {
        let mut row = row(text);
        row.line.sold_at = format!("{day}T10:00:00Z").parse().unwrap();
        row
    };
    let rows = vec![
        line("L1 O1 SALE W1 6 5 CNY CN-SH", "2026-05-10"),
        line("L2 O2 SALE W2 1 80 CNY CN-GD", "2026-05-11"),
        line("L3 O3 SALE W1 4 5 CNY CN-SH", "2026-04-10"),
        line("L4 O4 SALE S1 2 10 CNY CN-SH", "2026-04-30"),
        line("L5 O5 SALE W1 1 7 USD CN-SH", "2025-05-31"),
    ];
    hold_rows(stage, "one", rows).await;
}

#[tokio::test]
async fn rows_are_compared_with_the_month_and_the_year_before() {
    let stage = Stage::set().await;
    three_months(&stage).await;
    let told = |summary: Summary| -> Vec<String> {
        let rows = summary.rows.iter();
        rows.map(|row| {
            let before = row.before.unwrap();
            let (now, then) = (row.sums, before);
            format!(
                "{} {} {}/{} {}/{}",
                row.values.join(" "),
                row.currency,
                now.lines,
                then.lines,
                now.amount,
                then.amount
            )
        })
        .collect()
    };
    let ask = async |by: &[Dimension], with| {
        stage.app.summarize(&one(), may(with), by, false).await.unwrap()
    };
    let summary = ask(&[Dimension::NcmChapter], Comparison::PreviousPeriod).await;
    let april = ("2026-04-01".parse().unwrap(), "2026-04-30".parse().unwrap());
    assert_eq!(summary.terms.compared_with, Some(april));
    assert_eq!(told(summary), ["03 CNY 0/1 0/20", "22 CNY 2/1 110/20"]);
    // A day is compared with the one as far before: 30 April is 30 May a month later.
    let summary = ask(&[Dimension::Day], Comparison::PreviousPeriod).await;
    assert_eq!(
        told(summary),
        ["2026-05-10 CNY 1/1 30/20", "2026-05-11 CNY 1/0 80/0", "2026-05-30 CNY 0/1 0/20"]
    );
    let summary = ask(&[Dimension::Month], Comparison::YearBefore).await;
    assert_eq!(told(summary), ["2026-05 CNY 2/0 110/0", "2026-05 USD 0/1 0/7"]);

    // Days that are no whole month are compared with as many days.
    let mut week = may(Comparison::PreviousPeriod);
    (week.query.from, week.query.to) =
        (Some("2026-05-08".parse().unwrap()), Some("2026-05-14".parse().unwrap()));
    let summary = stage.app.summarize(&one(), week, &[Dimension::Week], false).await.unwrap();
    assert_eq!(told(summary), ["2026-W19 CNY 1/0 30/0", "2026-W20 CNY 1/0 80/0"]);

    let mut unbounded = may(Comparison::YearBefore);
    unbounded.query.to = None;
    let error = stage.app.summarize(&one(), unbounded, &[], false).await.unwrap_err();
    assert_eq!((error.reason, error.fields[0].field.as_str()), ("INVALID_FIELD", "period"));
}

#[tokio::test]
async fn products_are_compared_in_the_currency_they_are_ranked_in() {
    let stage = Stage::set().await;
    three_months(&stage).await;
    let ranking = async |question| {
        stage.app.top_products(&one(), question, Measure::Amount, 10).await.unwrap()
    };
    let told = |ranking: &Ranking| -> Vec<String> {
        let products = ranking.products.iter();
        products.map(|one| format!("{} {}", one.sums.listing, one.before.unwrap().amount)).collect()
    };
    let month = ranking(may(Comparison::PreviousPeriod)).await;
    assert_eq!(told(&month), ["key-W2 0", "key-W1 20"]);
    // The year before it sold in dollars, which are not compared with yuan but at a rate.
    assert_eq!(told(&ranking(may(Comparison::YearBefore)).await), ["key-W2 0", "key-W1 0"]);
    let rates = Rates::new(vec![rate("USD CNY 7.2")]).unwrap();
    let year = ranking(Question { rates, ..may(Comparison::YearBefore) }).await;
    assert_eq!(told(&year), ["key-W2 0", "key-W1 50.4"]);
    assert_eq!(year.terms.conversion, Some(("CNY".parse().unwrap(), vec![rate("USD CNY 7.2")])));
}

#[tokio::test]
async fn amounts_are_converted_only_at_rates_that_the_question_brings() {
    let stage = stage().await;
    let at = |rates: &[&str]| Question {
        rates: Rates::new(rates.iter().map(|text| rate(text)).collect()).unwrap(),
        ..Question::default()
    };
    let rows = sums(&stage, &everybody(), at(&["CNY USD 0.13885", "EUR USD 1.08"]), &[]).await;
    // 165 CNY are 22.91025 USD, and 1,000 USD are themselves; a half goes to the even side.
    assert_eq!(rows.len(), 1);
    assert_eq!(
        (rows[0].currency.as_str(), rows[0].sums.amount.to_string()),
        ("USD", "1022.9102".to_owned())
    );
    let error =
        stage.app.summarize(&everybody(), at(&["CNY EUR 0.12"]), &[], false).await.unwrap_err();
    assert_eq!((error.reason, error.fields[0].field.as_str()), ("RATE_MISSING", "rates"));
    assert_eq!(error.metadata, [("currencies".to_owned(), "USD".to_owned())]);

    let ranking = stage
        .app
        .top_products(&everybody(), at(&["USD CNY 7.2"]), Measure::Amount, 2)
        .await
        .unwrap();
    let told: Vec<_> = ranking
        .products
        .iter()
        .map(|one| format!("{} {} {}", one.sums.listing, one.sums.sums.amount, one.sums.share))
        .collect();
    assert_eq!(told, ["key-W9 7200 0.9776", "key-W2 80 0.0109"]);
    assert_eq!(ranking.currency.as_deref(), Some("CNY"));
    assert_eq!(ranking.terms.conversion.unwrap().1, [rate("USD CNY 7.2")]);
}

#[tokio::test]
async fn shares_are_parts_of_all_amounts_in_the_currency() {
    let stage = stage().await;
    let by = [Dimension::NcmChapter];
    let all = stage.app.summarize(&everybody(), Question::default(), &by, true).await.unwrap();
    let told: Vec<_> = all
        .rows
        .iter()
        .map(|row| format!("{} {} {}", row.values[0], row.currency, row.share.unwrap()))
        .collect();
    assert_eq!(told, ["03 CNY 0.2424", "22 CNY 0.7576", "22 USD 1"]);
}
