//! The ministry reads what the sales meant.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive as _;

use super::super::Run;
use super::super::expected::Sums;
use super::super::screen::{Table, bar, grouped};
use super::{period, whole_period};
use crate::cli::output::{decimal, word};
use crate::cli::{Client, Outcome};
use crate::proto::google::r#type::Decimal as Exact;
use crate::proto::puente::sales::v1::sales_analytics_service_client::SalesAnalyticsServiceClient;
use crate::proto::puente::sales::v1::{
    Dimension, Measure, SummarizeRequest, SummaryRow, TopProduct, TopProductsRequest,
    TopProductsResponse,
};

/// The heading of wine.
const WINE: &str = "2204";
/// Rows of a table that is not shown whole.
const SHOWN: usize = 12;

/// By what the ministry sums.
const DIMENSIONS: [(Dimension, &str); 6] = [
    (Dimension::Kind, "kind of line"),
    (Dimension::Month, "month"),
    (Dimension::NcmChapter, "tariff chapter"),
    (Dimension::Province, "province of the seller"),
    (Dimension::Channel, "shop"),
    (Dimension::Destination, "destination"),
];

/// The top tens, then sums by everything.
pub(in super::super) async fn read(run: &mut Run) -> Outcome {
    run.screen.title("The ministry reads its top ten")?;
    let ministry = run.client("ministry")?;
    for (measure, name) in
        [(Measure::Amount, "amount"), (Measure::Quantity, "quantity"), (Measure::Orders, "orders")]
    {
        let answer = top(run, &ministry, measure, 10).await?;
        show_top(run, measure, name, &answer)?;
        let all = top(run, &ministry, measure, 1000).await?;
        check_top(run, measure, name, &answer, &all);
        if measure == Measure::Amount {
            check_each(run, &all);
        }
    }
    run.screen.say("Equal ones are ranked by sku.")?;

    run.screen.title("The ministry sums by what it likes")?;
    for (dimension, name) in DIMENSIONS {
        let rows = summarize(&ministry, vec![dimension]).await?;
        check_sums(run, dimension, name, &rows);
        show_sums(run, dimension, name, &rows)?;
    }
    let net = summarize(&ministry, Vec::new()).await?;
    let expected = run.input.expected.net.clone();
    let found = net.first().map(sums).unwrap_or_default();
    run.check("net of everything", line(&expected, &expected), line(&expected, &found));
    run.check("currencies", 1, net.len());
    if let Some(row) = net.first() {
        run.screen.say(&format!(
            "Net of everything: {} lines, {} pieces, {} {}.",
            grouped(row.lines),
            grouped(decimal(row.quantity.as_ref())),
            row.currency,
            grouped(decimal(row.amount.as_ref()))
        ))?;
    }
    Ok(())
}

async fn top(
    run: &Run,
    client: &Client,
    measure: Measure,
    limit: i32,
) -> Outcome<TopProductsResponse> {
    let request = TopProductsRequest {
        period: Some(period(whole_period(&run.input)?)),
        measure: measure.into(),
        limit,
        ..TopProductsRequest::default()
    };
    call!(client, SalesAnalyticsServiceClient.top_products, request)
}

fn show_top(run: &mut Run, measure: Measure, name: &str, answer: &TopProductsResponse) -> Outcome {
    let value = |product: &TopProduct| of(measure, product);
    let most = answer.products.first().map(value).unwrap_or_default();
    let title = format!("Top ten by {name} {}", answer.currency);
    let mut table = Table::new(&title, ["#", "Product", "NCM", "#Value", "#Share", ""]);
    for product in &answer.products {
        let value = value(product);
        table.row([
            product.rank.to_string(),
            product.title.clone(),
            product.ncm.clone(),
            grouped(value),
            decimal(product.share.as_ref()),
            bar(value.to_f64().unwrap_or_default(), most.to_f64().unwrap_or_default()),
        ]);
    }
    run.screen.table(table)?;
    if measure != Measure::Amount {
        return Ok(());
    }
    run.screen.say(&format!(
        "{} of the top {} are wines.",
        in_words(wines(&answer.products)),
        in_words(answer.products.len()).to_lowercase()
    ))
}

fn check_top(
    run: &mut Run,
    measure: Measure,
    name: &str,
    ten: &TopProductsResponse,
    all: &TopProductsResponse,
) {
    run.check(format!("the top ten by {name} begin the whole ranking"), true, {
        ten.products.len() == 10
            && ten.products.iter().zip(&all.products).all(|(one, same)| one.listing == same.listing)
    });
    let mut ranked: Vec<_> = all.products.iter().map(|one| (of(measure, one), one)).collect();
    let falls = ranked.is_sorted_by(|(value, _), (next, _)| value >= next);
    run.check(format!("the best by {name} come first"), true, falls);
    let Some(expected) = run.input.expected.top.get(name) else { return };
    // The expected file ranks equal ones by their sku.
    ranked.sort_by(|(v, one), (w, other)| w.cmp(v).then(one.sku.cmp(&other.sku)));
    ranked.truncate(expected.rows.len());
    let rows: Vec<_> = expected.rows.iter().map(|row| (row.value, row.sku.clone())).collect();
    let wines_expected = expected.wines;
    for (place, ((value, sku), (found, one))) in (1..).zip(rows.into_iter().zip(&ranked)) {
        let expected = format!("{sku} {}", value.normalize());
        run.check(format!("by {name}, place {place}"), expected, format!("{} {found}", one.sku));
    }
    let found = wines(ranked.iter().map(|(_, one)| *one));
    run.check(format!("wines in the top ten by {name}"), wines_expected, found);
}

/// Every listing by every measure.
fn check_each(run: &mut Run, all: &TopProductsResponse) {
    let mut found: BTreeMap<&str, String> =
        all.products.iter().map(|one| (one.sku.as_str(), measures(one))).collect();
    let expected: Vec<_> = run
        .input
        .expected
        .by_sku
        .iter()
        .map(|(sku, m)| (sku.clone(), format!("{} / {} / {}", m.amount, m.quantity, m.orders)))
        .collect();
    for (sku, expected) in expected {
        let found = found.remove(sku.as_str()).unwrap_or_default();
        run.check(format!("{sku}: amount / quantity / orders"), expected, found);
    }
}

fn wines<'p>(products: impl IntoIterator<Item = &'p TopProduct>) -> usize {
    products.into_iter().filter(|product| product.ncm.starts_with(WINE)).count()
}

fn of(measure: Measure, product: &TopProduct) -> Decimal {
    match measure {
        Measure::Amount | Measure::Unspecified => exact(product.amount.as_ref()),
        Measure::Quantity => exact(product.quantity.as_ref()),
        Measure::Orders => product.orders.into(),
    }
}

fn measures(product: &TopProduct) -> String {
    let (amount, quantity) = (exact(product.amount.as_ref()), exact(product.quantity.as_ref()));
    format!("{amount} / {quantity} / {}", product.orders)
}

/// The sums by these dimensions, over all days.
pub(super) async fn summarize(
    client: &Client,
    dimensions: Vec<Dimension>,
) -> Outcome<Vec<SummaryRow>> {
    let dimensions = dimensions.into_iter().map(i32::from).collect();
    let request = SummarizeRequest { dimensions, ..Default::default() };
    Ok(call!(client, SalesAnalyticsServiceClient.summarize, request)?.rows)
}

fn check_sums(run: &mut Run, dimension: Dimension, name: &str, rows: &[SummaryRow]) {
    let mut total = Sums { lines: Some(0), quantity: Some(Decimal::ZERO), amount: Decimal::ZERO };
    for row in rows {
        let sums = sums(row);
        total.lines = total.lines.zip(sums.lines).map(|(a, b)| a + b);
        total.quantity = total.quantity.zip(sums.quantity).map(|(a, b)| a + b);
        total.amount += sums.amount;
    }
    let net = run.input.expected.net.clone();
    run.check(format!("sums by {name} add up"), line(&net, &net), line(&net, &total));
    let known = run.input.expected.by.iter().find(|(of, _)| *of == dimension);
    let Some((_, expected)) = known else { return };
    let key = key(dimension);
    let mut found: BTreeMap<String, Sums> = rows
        .iter()
        .map(|row| (row.dimensions.get(&key).cloned().unwrap_or_default(), sums(row)))
        .collect();
    for (value, expected) in expected.clone() {
        let found = found.remove(&value).unwrap_or_default();
        run.check(format!("{name} {value}"), line(&expected, &expected), line(&expected, &found));
    }
    run.check(format!("other values of {name}"), 0, found.len());
}

fn show_sums(run: &mut Run, dimension: Dimension, name: &str, rows: &[SummaryRow]) -> Outcome {
    let key = key(dimension);
    let amount = |row: &SummaryRow| exact(row.amount.as_ref()).to_f64().unwrap_or_default();
    let most = rows.iter().map(amount).fold(0.0, f64::max);
    let more = rows.len().saturating_sub(SHOWN);
    let title = match more {
        0 => format!("By {name}"),
        _ => format!("By {name}, the first {SHOWN} of {}", rows.len()),
    };
    let mut table = Table::new(&title, ["Value", "#Lines", "#Quantity", "#Amount", "Currency", ""]);
    for row in rows.iter().take(SHOWN) {
        table.row([
            row.dimensions.get(&key).cloned().unwrap_or_default(),
            grouped(row.lines),
            grouped(decimal(row.quantity.as_ref())),
            grouped(decimal(row.amount.as_ref())),
            row.currency.clone(),
            bar(amount(row), most),
        ]);
    }
    run.screen.table(table)
}

/// The name of a dimension in the rows.
fn key(dimension: Dimension) -> String {
    word(dimension.as_str_name(), "DIMENSION_").to_lowercase()
}

fn sums(row: &SummaryRow) -> Sums {
    Sums {
        lines: Some(row.lines),
        quantity: Some(exact(row.quantity.as_ref())),
        amount: exact(row.amount.as_ref()),
    }
}

/// Sums as one text, as far as `known` knows them.
fn line(known: &Sums, sums: &Sums) -> String {
    let mut text = Vec::new();
    if known.lines.is_some() {
        text.push(format!("{} lines", sums.lines.unwrap_or_default()));
    }
    if known.quantity.is_some() {
        text.push(format!("{} pieces", sums.quantity.unwrap_or_default().normalize()));
    }
    text.push(sums.amount.normalize().to_string());
    text.join(", ")
}

fn exact(value: Option<&Exact>) -> Decimal {
    decimal(value).parse::<Decimal>().unwrap_or_default().normalize()
}

fn in_words(number: usize) -> String {
    const WORDS: [&str; 11] =
        ["None", "One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine", "Ten"];
    WORDS.get(number).map_or_else(|| number.to_string(), |word| (*word).to_owned())
}
