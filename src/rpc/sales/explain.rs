//! Explanations of lines between wire and domain.

use super::wire::number;
use crate::app::explanations::Finding;
use crate::domain::explanation::{Explanation, ExplanationCause};
use crate::domain::text::Note;
use crate::error::Result;
use crate::proto::puente::sales::v1 as proto;
use crate::rpc::wire::{self, same_names};

same_names!(
    proto::ExplanationCause,
    ExplanationCause {
        GoodwillRefund,
        PartialShipmentCredit,
        UnitError,
        CurrencyDifference,
        Other
    }
);

/// What is said of a line.
///
/// # Errors
/// `INVALID_FIELD`.
pub fn finding(cause: i32, evidence: String) -> Result<Finding> {
    let cause = wire::chosen::<proto::ExplanationCause, _>("cause", cause)?;
    let evidence = wire::text("evidence", evidence, 1, 1000)?;
    let evidence: Note = wire::parsed("evidence", &evidence)?;
    Ok(Finding { cause, evidence })
}

/// An explanation on the wire.
pub fn explanation(explanation: Explanation) -> proto::LineExplanation {
    proto::LineExplanation {
        cause: proto::ExplanationCause::from(explanation.cause).into(),
        evidence: explanation.evidence.to_string(),
        explained_by: format!("partners/{}", explanation.explained_by),
        explain_time: Some(wire::timestamp(explanation.explained_at)),
        entry_index: explanation.entry.map(number),
    }
}
