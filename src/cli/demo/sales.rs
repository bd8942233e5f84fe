//! The built-in sale lines: real orders of a shop, read as sales of Argentine goods by the rules
//! in `data/README.md`.
//!
//! Enters: the committed CSV files. Leaves: one sales file a report, as a marketplace would send
//! them. A report holds at most 366 days, so there are four, one a year; each line is in the one
//! of its own day.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use anyhow::{Context as _, ensure};
use jiff::ToSpan as _;
use jiff::civil::{Date, date};
use rust_decimal::Decimal;
use serde::Deserialize;

const LINES: &str = include_str!("../../../data/sales/superstore.csv");
const REGIONS: &str = include_str!("../../../data/reference/regions.csv");

/// The mainland's regions stand first in their table.
const MAINLAND: usize = 31;

/// One report's file.
pub struct SalesFile {
    /// The first day of the report.
    pub first: Date,
    /// The last day of the report.
    pub last: Date,
    /// How many lines the file holds.
    pub lines: usize,
    /// The file, CSV.
    pub text: String,
}

#[derive(Deserialize)]
struct Row {
    row_id: u32,
    order_id: String,
    order_date: Date,
    product_id: String,
    state: String,
    quantity: u32,
    sales: Decimal,
}

#[derive(Deserialize)]
struct Region {
    code: String,
}

/// The header of a sales file.
pub const HEADER: &str =
    "line_id,order_id,kind,original_line_id,sku,quantity,unit_price,currency,sold_at,destination\n";

/// The files of the four reports; `skus` are those of the listings, in their order.
pub fn files(skus: &[String]) -> anyhow::Result<Vec<SalesFile>> {
    let rows = rows::<Row>(LINES)?;
    let listings = dealt(ranked(&rows), skus);
    let regions: Vec<String> = rows_of_regions()?;
    let states: BTreeSet<&str> = rows.iter().map(|row| row.state.as_str()).collect();
    let destinations = dealt(states.into_iter().collect(), &regions);

    let mut files: Vec<SalesFile> = [
        (date(2014, 1, 1), date(2014, 12, 31)),
        (date(2015, 1, 1), date(2015, 12, 31)),
        (date(2016, 1, 1), date(2016, 12, 31)),
        // One day longer, for the last cancellation.
        (date(2017, 1, 1), date(2018, 1, 1)),
    ]
    .map(|(first, last)| SalesFile { first, last, lines: 0, text: HEADER.to_owned() })
    .into();
    for row in &rows {
        let sku = listings.get(row.product_id.as_str()).context("a product without listing")?;
        let destination = destinations.get(row.state.as_str()).context("a state without region")?;
        let price = row
            .sales
            .checked_div(row.quantity.into())
            .filter(|price| price * Decimal::from(row.quantity) == row.sales)
            .with_context(|| format!("row {}: the unit price is not exact", row.row_id))?
            .normalize();
        for (kind, suffix, days) in happened(row.row_id) {
            let day = row.order_date.checked_add(days.days())?;
            let file = files.iter_mut().find(|file| file.first <= day && day <= file.last);
            let file = file.with_context(|| format!("row {}: {day}", row.row_id))?;
            let id = format!("SS-{:05}", row.row_id);
            let original = if kind == "SALE" { "" } else { &id };
            file.lines += 1;
            file.text.push_str(&format!(
                "{id}{suffix},{},{kind},{original},{sku},{},{price},USD,{day}T12:00:00Z,\
                 {destination}\n",
                row.order_id, row.quantity
            ));
        }
    }
    Ok(files)
}

/// What became of a row: kind, ending of the line's id, days after the sale.
fn happened(row_id: u32) -> Vec<(&'static str, &'static str, i64)> {
    let mut lines = vec![("SALE", "", 0)];
    if row_id.is_multiple_of(97) {
        lines.extend([("RETURN", "-RT", 7), ("REFUND", "-RF", 7)]);
    }
    if row_id.is_multiple_of(211) {
        lines.push(("CANCELLATION", "-CN", 1));
    }
    lines
}

/// The products, the one that sold for most first.
fn ranked(rows: &[Row]) -> Vec<&str> {
    let mut sold: BTreeMap<&str, Decimal> = BTreeMap::new();
    for row in rows {
        *sold.entry(&row.product_id).or_default() += row.sales;
    }
    let mut ranked: Vec<_> = sold.into_iter().collect();
    // Stable, so that equal ones stay in the order of their ids.
    ranked.sort_by_key(|(_, sum)| std::cmp::Reverse(*sum));
    ranked.into_iter().map(|(product, _)| product).collect()
}

/// Deals `names` like cards, one to each of `hands`, round after round.
fn dealt<'n, 'h>(names: Vec<&'n str>, hands: &'h [String]) -> HashMap<&'n str, &'h str> {
    names.into_iter().zip(hands.iter().map(String::as_str).cycle()).collect()
}

fn rows_of_regions() -> anyhow::Result<Vec<String>> {
    let regions: Vec<String> =
        rows::<Region>(REGIONS)?.into_iter().take(MAINLAND).map(|region| region.code).collect();
    ensure!(regions.len() == MAINLAND, "the table of regions is too short");
    Ok(regions)
}

fn rows<T: for<'de> Deserialize<'de>>(text: &str) -> anyhow::Result<Vec<T>> {
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    reader.deserialize().collect::<Result<_, _>>().context("a built-in file")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_are_as_many_as_the_rules_make() {
        let skus: Vec<String> = (0..60).map(|n| format!("SKU-{n}")).collect();
        let files = files(&skus).unwrap();
        let lines: Vec<_> = files.iter().map(|file| file.lines).collect();
        assert_eq!(lines.iter().sum::<usize>(), 10_247);
        for file in &files {
            assert_eq!(file.text.lines().count(), file.lines + 1);
        }
        let count = |kind: &str| {
            files.iter().map(|file| file.text.matches(&format!(",{kind},")).count()).sum::<usize>()
        };
        assert_eq!(["SALE", "RETURN", "REFUND", "CANCELLATION"].map(count), [9_994, 103, 103, 47]);
    }
}
