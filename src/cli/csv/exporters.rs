//! The registry's file of exporters.
//!
//! Enters: rows. Leaves: messages for `SyncExporters`; several rows of one CUIT are intervals.

use super::{Layout, Row, RowFault};
use crate::cli::parse;
use crate::proto::puente::registry::v1::{EligibilityFact, ExporterRow};

/// The columns.
pub const LAYOUT: Layout = Layout {
    required: &["cuit", "legal_name", "size_class", "province", "status", "valid_from"],
    optional: &["cause", "legal_instrument", "valid_to", "ncm_chapters"],
    added: &[],
};

/// One row.
pub fn read(row: &Row<'_>) -> Result<ExporterRow, RowFault> {
    let fact = EligibilityFact {
        status: row.parse("status", parse::eligibility)?.into(),
        cause: row.owned("cause"),
        legal_instrument: row.owned("legal_instrument"),
        valid_from: Some(row.parse("valid_from", parse::date)?),
        valid_to: row.maybe("valid_to", parse::date)?,
        ncm_chapters: row
            .text("ncm_chapters")
            .split(';')
            .filter(|chapter| !chapter.is_empty())
            .map(str::to_owned)
            .collect(),
        recorded_at: None,
    };
    Ok(ExporterRow {
        row: i64::try_from(row.line).unwrap_or(i64::MAX),
        cuit: row.parse("cuit", |text| Ok(text.to_owned()))?,
        legal_name: row.parse("legal_name", |text| Ok(text.to_owned()))?,
        size_class: row.parse("size_class", parse::size_class)?.into(),
        province: row.parse("province", |text| Ok(text.to_owned()))?,
        fact: Some(fact),
    })
}
