//! Customs' file of delegations, one a row.
//!
//! Enters: rows. Leaves: messages for `RecordDelegation`, each with its line.

use super::{Layout, Row, RowFault};
use crate::cli::parse;
use crate::proto::puente::customs::v1::RecordDelegationRequest;

/// The columns.
pub const LAYOUT: Layout = Layout {
    required: &["broker", "exporter_cuit", "valid_from", "source"],
    optional: &["valid_to"],
    added: &[],
};

/// One row, with its line.
pub fn read(row: &Row<'_>) -> Result<(u64, RecordDelegationRequest), RowFault> {
    let request = RecordDelegationRequest {
        broker: row.parse("broker", |text| Ok(parse::name("partners", text)))?,
        exporter_cuit: row.parse("exporter_cuit", |text| Ok(text.to_owned()))?,
        valid_from: Some(row.parse("valid_from", parse::date)?),
        valid_to: row.maybe("valid_to", parse::date)?,
        source: row.parse("source", |text| Ok(text.to_owned()))?,
        ..RecordDelegationRequest::default()
    };
    Ok((row.line, request))
}
