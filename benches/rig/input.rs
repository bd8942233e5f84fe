//! The lines that are sent: real ones of a file outside if it is there, else the demo's.

use std::fs::File;
use std::path::Path;

use puente::proto::puente::common::v1::Period;
use puente::proto::puente::sales::v1::{LineKind, SaleLine};
use rust_decimal::Decimal;
use serde::Deserialize;

use crate::common::goods;
use crate::server;

/// Lines, and where they come from.
pub struct Lines {
    pub all: Vec<SaleLine>,
    pub origin: &'static str,
}

/// The period that holds all lines.
pub fn period() -> Period {
    Period { first: Some(goods::date(2010, 12, 1)), last: Some(goods::date(2011, 11, 30)) }
}

impl Lines {
    /// At most `count` real lines, or exactly so many made of the demo's under fresh ids.
    pub fn read(data: Option<&Path>, count: usize) -> Self {
        match data {
            Some(path) => Self { all: retail(path, count), origin: "Online Retail" },
            None => Self { all: superstore(count), origin: "the demo's sales, repeated" },
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Retail {
    invoice_no: String,
    stock_code: String,
    quantity: i64,
    invoice_date: String,
    unit_price: Decimal,
    country: String,
}

fn retail(path: &Path, count: usize) -> Vec<SaleLine> {
    let file = flate2::read::MultiGzDecoder::new(File::open(path).unwrap());
    let mut skus = std::collections::HashMap::new();
    csv::Reader::from_reader(file)
        .deserialize::<Retail>()
        .map(Result::unwrap)
        .take(count)
        .enumerate()
        .map(|(n, row)| {
            let next = skus.len();
            let place = *skus.entry(row.stock_code).or_insert(next);
            let kind = match (row.invoice_no.as_bytes()[0], row.quantity) {
                (b'C', ..0) => LineKind::Cancellation,
                (b'0'..=b'9', 0..) if !row.unit_price.is_sign_negative() => LineKind::Sale,
                _ => LineKind::Adjustment,
            };
            let quantity = match kind {
                LineKind::Cancellation => -row.quantity,
                _ => row.quantity,
            };
            SaleLine {
                line_id: format!("OR-{n:07}"),
                order_id: row.invoice_no,
                kind: kind.into(),
                sku: server::sku(place),
                quantity: quantity.to_string(),
                unit_price: row.unit_price.to_string(),
                currency: "GBP".into(),
                sold_at: format!("{}Z", row.invoice_date.replacen(' ', "T", 1)),
                destination: if row.country == "United Kingdom" { "GB" } else { "DE" }.into(),
                ..SaleLine::default()
            }
        })
        .collect()
}

#[derive(Deserialize)]
struct Sale {
    row_id: u32,
    order_id: String,
    order_date: String,
    product_id: String,
    quantity: Decimal,
    sales: Decimal,
}

fn superstore(count: usize) -> Vec<SaleLine> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/data/sales/superstore.csv");
    let rows: Vec<Sale> =
        csv::Reader::from_path(path).unwrap().deserialize().map(Result::unwrap).collect();
    let mut skus = std::collections::HashMap::new();
    let (rounds, mut lines) = (0.., Vec::with_capacity(count));
    for (round, row) in rounds.flat_map(|round| rows.iter().map(move |row| (round, row))) {
        if lines.len() == count {
            break;
        }
        let next = skus.len();
        let place = *skus.entry(row.product_id.as_str()).or_insert(next);
        // All years as one, without its leap day.
        let day = row.order_date[5..].replace("02-29", "02-28");
        let year = if day.starts_with("12") { 2010 } else { 2011 };
        lines.push(SaleLine {
            line_id: format!("SS-{round:05}-{:05}", row.row_id),
            order_id: format!("{}-{round}", row.order_id),
            kind: LineKind::Sale.into(),
            sku: server::sku(place),
            quantity: row.quantity.to_string(),
            unit_price: (row.sales / row.quantity).normalize().to_string(),
            currency: "USD".into(),
            sold_at: format!("{year}-{day}T12:00:00Z"),
            destination: "CN".into(),
            ..SaleLine::default()
        });
    }
    lines
}
