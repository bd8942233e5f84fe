//! A marketplace's file of listings.
//!
//! Enters: rows. Leaves: messages for `BatchCreateListings`.

use super::{Layout, Row, RowFault};
use crate::cli::parse;
use crate::proto::puente::listings::v1::{BatchListing, Certificate, Listing};

/// The columns.
pub const LAYOUT: Layout = Layout {
    required: &[
        "sku",
        "seller_cuit",
        "title",
        "ncm",
        "channel",
        "unit",
        "statistical_unit",
        "statistical_factor",
        "price",
        "currency",
    ],
    optional: &["gtin", "certificates", "destination", "producer", "origin", "entry_mode"],
    added: &[],
};

/// One row.
pub fn read(row: &Row<'_>) -> Result<BatchListing, RowFault> {
    let text = |column: &str| row.parse(column, |text| Ok(text.to_owned()));
    let listing = Listing {
        sku: text("sku")?,
        seller_cuit: text("seller_cuit")?,
        title: text("title")?,
        ncm: text("ncm")?,
        gtin: row.owned("gtin"),
        channel: row.parse("channel", parse::channel)?.into(),
        unit: text("unit")?,
        statistical_unit: text("statistical_unit")?,
        statistical_factor: Some(row.parse("statistical_factor", parse::decimal)?),
        price: Some(row.parse("price", parse::decimal)?),
        currency: text("currency")?,
        certificates: row.maybe("certificates", certificates)?.unwrap_or_default(),
        destination: row.owned("destination"),
        producer: row.owned("producer"),
        origin: row.owned("origin"),
        entry_mode: row.maybe("entry_mode", parse::entry_mode)?.unwrap_or_default().into(),
        ..Listing::default()
    };
    let row = i64::try_from(row.line).unwrap_or(i64::MAX);
    Ok(BatchListing { row, listing: Some(listing) })
}

/// `ISSUER:NUMBER:VALID_TO`, joined by `;`. A number may hold colons.
fn certificates(text: &str) -> Result<Vec<Certificate>, String> {
    let expected = "expected ISSUER:NUMBER:VALID_TO, joined by ;";
    text.split(';')
        .map(str::trim)
        .filter(|one| !one.is_empty())
        .map(|one| {
            let (issuer, rest) = one.split_once(':').ok_or(expected)?;
            let (number, valid_to) = rest.rsplit_once(':').ok_or(expected)?;
            Ok(Certificate {
                issuer: parse::issuer(issuer)?.into(),
                number: number.to_owned(),
                valid_to: Some(parse::date(valid_to)?),
            })
        })
        .collect()
}
