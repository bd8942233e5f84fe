//! Customs' file of declarations, one item a row.
//!
//! Enters: rows. Leaves: messages for `RegisterDeclarations`. Which column a fault of the gateway
//! is about is told here too.

use super::{Layout, Row, RowFault};
use crate::cli::parse;
use crate::proto::puente::customs::v1::{Declaration, DeclarationItem, DeclarationRow};

/// The columns.
pub const LAYOUT: Layout = Layout {
    required: &[
        "declaration",
        "item",
        "exporter_cuit",
        "sku",
        "ncm",
        "incoterm",
        "declared_quantity",
        "statistical_unit",
        "fob",
        "currency",
        "officialised_on",
    ],
    optional: &["declarant_cuit", "destination"],
    added: &[],
};

/// One row.
pub fn read(row: &Row<'_>) -> Result<DeclarationRow, RowFault> {
    let text = |column: &str| row.parse(column, |text| Ok(text.to_owned()));
    let item = DeclarationItem {
        item: row.parse("item", item)?,
        sku: text("sku")?,
        ncm: text("ncm")?,
        declared_quantity: Some(row.parse("declared_quantity", parse::decimal)?),
        statistical_unit: text("statistical_unit")?,
        fob: Some(row.parse("fob", parse::decimal)?),
        currency: text("currency")?,
        ..DeclarationItem::default()
    };
    let declaration = Declaration {
        number: text("declaration")?,
        exporter_cuit: text("exporter_cuit")?,
        declarant_cuit: row.owned("declarant_cuit"),
        incoterm: row.parse("incoterm", parse::incoterm)?.into(),
        destination: row.owned("destination"),
        officialised_on: Some(row.parse("officialised_on", parse::date)?),
        items: vec![item],
        ..Declaration::default()
    };
    let row = i64::try_from(row.line).unwrap_or(i64::MAX);
    Ok(DeclarationRow { row, declaration: Some(declaration) })
}

/// The column that the gateway means by `field`.
pub fn column(field: &str) -> &str {
    let field = field.strip_prefix("declaration.").unwrap_or(field);
    match field.strip_prefix("items[0].").unwrap_or(field) {
        "number" => "declaration",
        "listing" => "sku",
        same => same,
    }
}

/// An item's number.
pub(super) fn item(text: &str) -> Result<i32, String> {
    text.parse()
        .ok()
        .filter(|item| (1..=9999).contains(item))
        .ok_or_else(|| "an item's number is from 1 to 9999".into())
}
