//! Customs' file of shipments.
//!
//! Enters: rows. Leaves: messages for `RecordShipments`. Which column a fault of the gateway is
//! about is told here too.

use super::declarations::item;
use super::{Layout, Row, RowFault};
use crate::cli::parse;
use crate::proto::puente::customs::v1::{ItemShipment, ShipmentRow};

/// The columns.
pub const LAYOUT: Layout = Layout {
    required: &["declaration", "item", "shipped_quantity", "shipped_on"],
    optional: &["reference", "post_shipment"],
    added: &[],
};

/// One row.
pub fn read(row: &Row<'_>) -> Result<ShipmentRow, RowFault> {
    let shipment = ItemShipment {
        item: row.parse("item", item)?,
        quantity: Some(row.parse("shipped_quantity", parse::decimal)?),
        shipped_on: Some(row.parse("shipped_on", parse::date)?),
        reference: row.owned("reference"),
        post_shipment: row.maybe("post_shipment", yes_or_no)?.unwrap_or_default(),
    };
    Ok(ShipmentRow {
        row: i64::try_from(row.line).unwrap_or(i64::MAX),
        declaration: row.parse("declaration", |text| Ok(format!("declarations/{text}")))?,
        shipment: Some(shipment),
    })
}

/// The column that the gateway means by `field`.
pub fn column(field: &str) -> &str {
    match field.strip_prefix("shipment.").unwrap_or(field) {
        "quantity" => "shipped_quantity",
        same => same,
    }
}

fn yes_or_no(text: &str) -> Result<bool, String> {
    text.parse().map_err(|_| "expected true or false".into())
}
