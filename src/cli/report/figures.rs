//! Rankings and sums as tables for people.
//!
//! Enters: answers. Leaves: text, numbers below each other; columns that no row fills are left out.

use comfy_table::{Cell, Table};

use crate::cli::output::{aligned, date, decimal, number, percent, signed_percent, table, word};
use crate::proto::puente::common::v1::Period;
use crate::proto::puente::sales::v1::{
    Before, Conversion, Dimension, SummarizeResponse, SummaryRow, TopProduct, TopProductsResponse,
};

/// What stands where a group is too small to be told about.
const SUPPRESSED: &str = "(suppressed)";

/// One column: its name, and a cell for each row.
struct Column {
    name: String,
    cells: Vec<Cell>,
}

impl Column {
    fn text(name: &str, values: impl Iterator<Item = String>) -> Self {
        Self { name: name.to_owned(), cells: values.map(Cell::new).collect() }
    }

    fn numbers(name: &str, values: impl Iterator<Item = String>) -> Self {
        let cells = aligned(values.collect()).into_iter().map(number).collect();
        Self { name: name.to_owned(), cells }
    }

    fn words(name: &str, values: impl Iterator<Item = String>) -> Self {
        Self { name: name.to_owned(), cells: values.map(number).collect() }
    }
}

/// A ranking, with how it spreads over tariff chapters.
pub fn ranking(answer: &TopProductsResponse) -> String {
    let products = &answer.products;
    let each = |of: fn(&TopProduct) -> String| products.iter().map(of);
    let amount = format!("Amount {}", answer.currency);
    let mut columns = vec![
        Column::numbers("#", each(|one| one.rank.to_string())),
        Column::text("Product", each(title)),
        Column::text("NCM", each(|one| one.ncm.clone())),
        Column::numbers(amount.trim(), each(|one| decimal(one.amount.as_ref()))),
        Column::numbers("Quantity", each(|one| decimal(one.quantity.as_ref()))),
        Column::numbers("Orders", each(|one| figure(is_suppressed(one), one.orders))),
        Column::words("Share", each(|one| percent(one.share.as_ref()))),
    ];
    if let Some(days) = &answer.compared_with {
        let before: Vec<_> = products.iter().map(|one| one.before.as_ref()).collect();
        columns.extend(compared(days, amount.trim(), &before));
    }
    let ranked = products.len();
    let chapters = answer.chapters.iter().map(|one| match one.chapter.as_str() {
        "" => format!("{} of {ranked}: in chapters of few sellers\n", one.products),
        chapter => format!("{} of {ranked}: chapter {chapter} {}\n", one.products, one.title),
    });
    let chapters: String = chapters.collect();
    format!("{}{}{chapters}", drawn(columns), rates(answer.conversion.as_ref()))
}

/// Sums by these dimensions.
pub fn sums(answer: &SummarizeResponse, by: &[Dimension]) -> String {
    let rows = &answer.rows;
    let each = |of: fn(&SummaryRow) -> String| rows.iter().map(of);
    let mut columns: Vec<Column> = by
        .iter()
        .map(|dimension| {
            let name = word(dimension.as_str_name(), "DIMENSION_").to_ascii_lowercase();
            let value = |row: &SummaryRow| row.dimensions.get(&name).cloned().unwrap_or_default();
            Column::text(&name, rows.iter().map(value))
        })
        .collect();
    columns.extend([
        Column::numbers("Lines", each(|row| figure(row.suppressed(), row.lines))),
        Column::numbers("Quantity", each(|row| decimal(row.quantity.as_ref()))),
        Column::numbers("Amount", each(|row| decimal(row.amount.as_ref()))),
        Column::text("Currency", each(|row| row.currency.clone())),
    ]);
    if rows.iter().any(|row| row.share.is_some()) {
        columns.push(Column::words("Share", each(|row| percent(row.share.as_ref()))));
    }
    if let Some(days) = &answer.compared_with {
        let before: Vec<_> = rows.iter().map(|row| row.before.as_ref()).collect();
        columns.extend(compared(days, "Amount", &before));
    }
    if rows.iter().any(SummaryRow::suppressed) {
        let told = |row: &SummaryRow| if row.suppressed() { SUPPRESSED } else { "" }.to_owned();
        columns.push(Column::text("", each(told)));
    }
    format!("{}{}", drawn(columns), rates(answer.conversion.as_ref()))
}

/// What was before, and how it changed.
fn compared(days: &Period, amount: &str, before: &[Option<&Before>]) -> [Column; 5] {
    let told =
        |of: fn(&Before) -> String| before.iter().map(move |one| one.map(of).unwrap_or_default());
    let days = format!("{}..{}", date(days.first.as_ref()), date(days.last.as_ref()));
    [
        Column::numbers(&format!("Lines {days}"), told(|one| one.lines.to_string())),
        Column::numbers(&format!("Quantity {days}"), told(|one| decimal(one.quantity.as_ref()))),
        Column::words("Change", told(|one| signed_percent(one.quantity_change.as_ref()))),
        Column::numbers(&format!("{amount} {days}"), told(|one| decimal(one.amount.as_ref()))),
        Column::words("Change", told(|one| signed_percent(one.amount_change.as_ref()))),
    ]
}

/// The rates that were used, each with its source and day.
fn rates(conversion: Option<&Conversion>) -> String {
    let Some(conversion) = conversion else { return String::new() };
    let each = conversion.rates.iter().map(|rate| {
        let (units, day) = (decimal(rate.rate.as_ref()), date(rate.date.as_ref()));
        format!("1 {} = {units} {} ({}, {day})\n", rate.from, rate.to, clean(&rate.source))
    });
    format!("Amounts are converted into {}:\n{}", conversion.currency, each.collect::<String>())
}

fn title(product: &TopProduct) -> String {
    if is_suppressed(product) { SUPPRESSED.to_owned() } else { clean(&product.title) }
}

fn is_suppressed(product: &TopProduct) -> bool {
    product.suppressed()
}

/// A number, unless it is kept back.
fn figure(suppressed: bool, value: i64) -> String {
    if suppressed { String::new() } else { value.to_string() }
}

/// Text from outside without what moves a terminal's cursor.
fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

fn drawn(columns: Vec<Column>) -> String {
    let mut drawn: Table = table([""]);
    drawn.set_header(columns.iter().map(|column| &column.name));
    let rows = columns.first().map_or(0, |column| column.cells.len());
    let mut cells: Vec<_> = columns.into_iter().map(|column| column.cells.into_iter()).collect();
    for _ in 0..rows {
        drawn.add_row(cells.iter_mut().filter_map(Iterator::next));
    }
    format!("{drawn}\n")
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::proto::google::r#type::{Date, Decimal};
    use crate::proto::puente::sales::v1::ExchangeRate;

    fn exact(value: &str) -> Option<Decimal> {
        Some(Decimal { value: value.into() })
    }

    fn row(province: &str, amount: &str, change: &str) -> SummaryRow {
        SummaryRow {
            dimensions: HashMap::from([("province".into(), province.into())]),
            lines: 1200,
            quantity: exact("5"),
            amount: exact(amount),
            currency: "USD".into(),
            share: exact("0.25"),
            before: Some(Before { amount_change: exact(change), ..Before::default() }),
            suppressed: None,
        }
    }

    #[test]
    fn numbers_stand_below_each_other_and_changes_have_a_sign() {
        let day = |month| Some(Date { year: 2026, month, day: 1 });
        let hidden = SummaryRow {
            dimensions: HashMap::from([("province".into(), "AR-V".into())]),
            suppressed: Some(true),
            ..SummaryRow::default()
        };
        let answer = SummarizeResponse {
            rows: vec![row("AR-M", "1234.5", "0.25"), row("AR-U", "-2", "-0.5"), hidden],
            compared_with: Some(Period { first: day(1), last: day(2) }),
            conversion: Some(Conversion {
                currency: "USD".into(),
                rates: vec![ExchangeRate {
                    from: "CNY".into(),
                    to: "USD".into(),
                    rate: exact("0.1389"),
                    source: "a\u{1b}bank".into(),
                    date: day(3),
                }],
            }),
        };
        let text = sums(&answer, &[Dimension::Province]);
        for part in [
            "1,234.5 ",
            "-2.0 ",
            "1,200",
            "25.00 %",
            "+25.00 %",
            "-50.00 %",
            "(suppressed)",
            "2026-01-01..2026-02-01",
            "1 CNY = 0.1389 USD (a bank, 2026-03-01)",
        ] {
            assert!(text.contains(part), "{part} is missing in\n{text}");
        }
        let plain = sums(&SummarizeResponse::default(), &[Dimension::Province]);
        assert!(!plain.contains("Share") && !plain.contains("Change"), "{plain}");
    }
}
