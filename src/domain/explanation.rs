//! Explanations: why a line that takes back more than was sold counts all the same.
//!
//! Enters: a stored line's standing, and what customs found. Leaves: an [`Explanation`], or why
//! there is nothing to explain.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::fault::Fault;
use super::partner::PartnerId;
use super::report::ReportState;
use super::sale::WarningReason;
use super::text::Note;

named_enum! {
    /// What caused a line to exceed the sale it is about.
    pub enum ExplanationCause ("a cause of an explanation", "INVALID_FIELD") {
        /// More was paid back than had been paid, by the marketplace's will.
        GoodwillRefund = "GOODWILL_REFUND",
        /// A part of the sale was shipped and credited for itself.
        PartialShipmentCredit = "PARTIAL_SHIPMENT_CREDIT",
        /// Sale and return count in different units.
        UnitError = "UNIT_ERROR",
        /// What was paid in one currency was paid back in another.
        CurrencyDifference = "CURRENCY_DIFFERENCE",
        /// None of these; the evidence says which.
        Other = "OTHER",
    }
}

/// That a line which exceeds its sale was explained.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explanation {
    /// The cause.
    pub cause: ExplanationCause,
    /// What that rests on.
    pub evidence: Note,
    /// Who explained it.
    pub explained_by: PartnerId,
    /// When; the line counts from then on.
    pub explained_at: Timestamp,
    /// The ledger entry that records it; `None` until it is recorded.
    #[serde(default)]
    pub entry: Option<u64>,
}

/// Refuses unless a line stored for `reasons` in a report in `state` is left out of net sums and
/// not yet explained.
///
/// # Errors
/// `LINE_NOT_EXCEEDING`, `LINE_EXPLAINED`, `REPORT_ABANDONED`, each with metadata `state`.
pub fn may_be_explained(
    reasons: &[WarningReason],
    explained: Option<&Explanation>,
    state: ReportState,
) -> Result<(), Fault> {
    if !reasons.contains(&WarningReason::ExceedsOriginal) {
        let state = match reasons {
            [] => "ACCEPTED".to_owned(),
            reasons => reasons.iter().map(|one| one.as_str()).collect::<Vec<_>>().join(","),
        };
        let message = "the line does not exceed the sale it is about, so it counts as it is; \
                       nothing is to be explained";
        return Err(Fault::illegal_state("LINE_NOT_EXCEEDING", message).with("state", state));
    }
    if let Some(Explanation { cause, entry, .. }) = explained {
        let message = "the line was explained before and counts; an explanation is not changed";
        let fault = Fault::illegal_state("LINE_EXPLAINED", message)
            .with("state", "EXPLAINED")
            .with("cause", cause);
        return Err(match entry {
            Some(entry) => fault.with("entry_index", entry),
            None => fault,
        });
    }
    if state == ReportState::Abandoned {
        let message = "the report that took the line was abandoned, so the line counts nowhere; \
                       explain it once the marketplace has sent it again";
        return Err(Fault::illegal_state("REPORT_ABANDONED", message).with("state", state));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_left_out_is_explained_and_once() {
        use WarningReason::{ExceedsOriginal, OutsidePeriod, UnknownSku};
        let given = Explanation {
            cause: ExplanationCause::UnitError,
            evidence: "credit note 7".parse().unwrap(),
            explained_by: "customs".parse().unwrap(),
            explained_at: Timestamp::UNIX_EPOCH,
            entry: Some(9),
        };
        let refused = |reasons: &[_], explained, state| {
            let fault = may_be_explained(reasons, explained, state).unwrap_err();
            (fault.reason, fault.metadata[0].1.clone())
        };
        may_be_explained(&[UnknownSku, ExceedsOriginal], None, ReportState::Superseded).unwrap();
        let open = ReportState::Open;
        assert_eq!(refused(&[], None, open), ("LINE_NOT_EXCEEDING", "ACCEPTED".into()));
        assert_eq!(
            refused(&[UnknownSku, OutsidePeriod], None, open),
            ("LINE_NOT_EXCEEDING", "UNKNOWN_SKU,OUTSIDE_PERIOD".into())
        );
        assert_eq!(
            refused(&[ExceedsOriginal], Some(&given), open),
            ("LINE_EXPLAINED", "EXPLAINED".into())
        );
        assert_eq!(
            refused(&[ExceedsOriginal], None, ReportState::Abandoned),
            ("REPORT_ABANDONED", "ABANDONED".into())
        );
        let json = serde_json::to_string(&given).unwrap();
        assert_eq!(serde_json::from_str::<Explanation>(&json).unwrap(), given);
    }
}
