//! A marketplace's file of sale lines.
//!
//! Enters: rows. Leaves: messages for `PushSaleLines`. Quantities, prices and times stay text: the
//! gateway judges them, line by line.

use super::{Layout, Row, RowFault};
use crate::cli::parse;
use crate::proto::puente::sales::v1::SaleLine;

/// The columns.
pub const LAYOUT: Layout = Layout {
    required: &[
        "line_id",
        "order_id",
        "kind",
        "sku",
        "quantity",
        "unit_price",
        "currency",
        "sold_at",
    ],
    optional: &[
        "original_line_id",
        "destination",
        "declaration",
        "declaration_item",
        "discount",
        "tax",
        "shipping",
        "platform_fee",
        "settlement_amount",
        "settlement_currency",
    ],
};

/// One row.
pub fn read(row: &Row<'_>) -> Result<SaleLine, RowFault> {
    Ok(SaleLine {
        line_id: row.owned("line_id"),
        order_id: row.owned("order_id"),
        kind: row.parse("kind", parse::kind)?.into(),
        original_line_id: row.owned("original_line_id"),
        sku: row.owned("sku"),
        quantity: row.owned("quantity"),
        unit_price: row.owned("unit_price"),
        currency: row.owned("currency"),
        sold_at: row.owned("sold_at"),
        destination: row.owned("destination"),
        declaration: row.owned("declaration"),
        declaration_item: row.maybe("declaration_item", item)?.unwrap_or_default(),
        discount: row.owned("discount"),
        tax: row.owned("tax"),
        shipping: row.owned("shipping"),
        platform_fee: row.owned("platform_fee"),
        settlement_amount: row.owned("settlement_amount"),
        settlement_currency: row.owned("settlement_currency"),
    })
}

fn item(text: &str) -> Result<i32, String> {
    text.parse()
        .ok()
        .filter(|item| (1..=9999).contains(item))
        .ok_or_else(|| "an item's number is from 1 to 9999".into())
}
