//! Files of reference tables: a code, what it means, more about it.
//!
//! Enters: rows. Leaves: messages for `LoadReferenceTable`.

use std::collections::HashMap;

use super::{Layout, Row, RowFault};
use crate::cli::parse;
use crate::proto::puente::reference::v1::ReferenceRow;

/// The columns.
pub const LAYOUT: Layout = Layout {
    required: &["code", "title_es"],
    optional: &["title_en", "attributes", "valid_from", "valid_to"],
    added: &[],
};

/// One row.
pub fn read(row: &Row<'_>) -> Result<ReferenceRow, RowFault> {
    Ok(ReferenceRow {
        code: row.parse("code", |text| Ok(text.to_owned()))?,
        title_es: row.owned("title_es"),
        title_en: row.owned("title_en"),
        attributes: row.maybe("attributes", attributes)?.unwrap_or_default(),
        valid_from: row.maybe("valid_from", parse::date)?,
        valid_to: row.maybe("valid_to", parse::date)?,
    })
}

/// `NAME=VALUE`, joined by `;`.
pub fn attributes(text: &str) -> Result<HashMap<String, String>, String> {
    let pairs = text.split(';').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| {
            let (name, value) = pair.split_once('=').ok_or("expected NAME=VALUE, joined by ;")?;
            Ok((name.to_owned(), value.to_owned()))
        })
        .collect()
}
