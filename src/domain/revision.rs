//! Revisions: how a sealed report is corrected.
//!
//! Enters: a sealed report and why it is to be corrected. Leaves: its next revision, which holds
//! corrections only and builds on what is there. A line counts once, in the report that took it;
//! that report may be superseded, the line is not.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::currency::Currency;
use super::fault::Fault;
use super::report::{ControlTotal, Report, ReportState};
use super::sale::SaleKind;

impl Report {
    /// The revision of this report that takes corrections, as number `revision` about the period.
    ///
    /// # Errors
    /// `REPORT_OPEN`, `REPORT_SUPERSEDED`, `REPORT_REJECTED`, `REPORT_ABANDONED`, with metadata
    /// `state`.
    pub fn revise(&self, revision: u32, reason: String, at: Timestamp) -> Result<Self, Fault> {
        let (refusal, message) = match self.state {
            ReportState::Accepted | ReportState::PartiallyAccepted => {
                return Ok(Self {
                    revision,
                    supersedes: Some(self.key()),
                    revision_reason: Some(reason),
                    base: self.statement(&self.totals),
                    ..Self::open(self.marketplace.clone(), self.period, at)
                });
            }
            ReportState::Open | ReportState::Sealed => (
                "REPORT_OPEN",
                "the report is not sealed yet; push corrections into it, then seal it",
            ),
            ReportState::Superseded => {
                ("REPORT_SUPERSEDED", "a revision took the place of the report; revise that one")
            }
            ReportState::Rejected => (
                "REPORT_REJECTED",
                "the report was sealed without a line, so there is nothing to correct; open a new \
                 one for the period",
            ),
            ReportState::Abandoned => (
                "REPORT_ABANDONED",
                "the report was left open for too long and nothing of it counts; open a new one \
                 for the period",
            ),
        };
        Err(Fault::illegal_state(refusal, message).with("state", self.state))
    }

    /// This report, once the revision of that key was sealed.
    ///
    /// # Errors
    /// As [`revise`](Self::revise), if something else became of it meanwhile.
    pub fn give_way(mut self, revision: &str) -> Result<Self, Fault> {
        self.revise(self.revision, String::new(), self.opened_at)?;
        self.state = ReportState::Superseded;
        self.superseded_by = Some(revision.to_owned());
        Ok(self)
    }

    /// What the marketplace says of the period as of this revision: its `own` totals together
    /// with those of the reports it builds on, by kind and currency. A sum of more than 28 digits,
    /// which no market has, is left out.
    pub fn statement(&self, own: &[ControlTotal]) -> Vec<ControlTotal> {
        let mut sums: BTreeMap<(SaleKind, Currency), Option<ControlTotal>> = BTreeMap::new();
        for total in self.base.iter().chain(own) {
            sums.entry((total.kind, total.currency))
                .and_modify(|sum| *sum = sum.and_then(|sum| plus(sum, total)))
                .or_insert(Some(*total));
        }
        sums.into_values().flatten().collect()
    }
}

fn plus(sum: ControlTotal, other: &ControlTotal) -> Option<ControlTotal> {
    Some(ControlTotal {
        lines: sum.lines.checked_add(other.lines)?,
        quantity: sum.quantity.checked_add(other.quantity)?,
        amount: sum.amount.checked_add(other.amount)?,
        ..sum
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::report::Outcome;

    fn total(kind: SaleKind, lines: u64, amount: &str) -> ControlTotal {
        ControlTotal {
            kind,
            currency: "CNY".parse().unwrap(),
            lines,
            quantity: lines.into(),
            amount: amount.parse().unwrap(),
        }
    }

    fn sealed(report: Report, totals: Vec<ControlTotal>) -> Report {
        let outcome = Outcome { accepted: 1, totals, ..Outcome::default() };
        report.seal(&outcome, &[], Timestamp::UNIX_EPOCH).unwrap()
    }

    fn open() -> Report {
        let period = "2026-05-01..2026-05-31".parse().unwrap();
        Report::open("marketplace".parse().unwrap(), period, Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn a_revision_builds_on_what_is_there() {
        let first = sealed(open(), vec![total(SaleKind::Sale, 3, "10.5")]);
        let second = first.revise(2, "lines missing".into(), Timestamp::UNIX_EPOCH).unwrap();
        assert_eq!((second.revision, second.state), (2, ReportState::Open));
        assert_eq!(second.supersedes, Some(first.key()));
        assert_ne!(second.key(), first.key());

        let own = vec![total(SaleKind::Sale, 1, "0.01"), total(SaleKind::Cancellation, 1, "3")];
        let second = sealed(second, own);
        let whole = [total(SaleKind::Sale, 4, "10.51"), total(SaleKind::Cancellation, 1, "3")];
        assert_eq!(second.statement(&second.totals), whole);
        let third = second.revise(3, "again".into(), Timestamp::UNIX_EPOCH).unwrap();
        assert_eq!(third.statement(&[]), whole, "a chain sums up all of it");

        let gone = first.give_way(&second.key()).unwrap();
        assert_eq!(gone.superseded_by, Some(second.key()));
        let fault = gone.revise(4, "x".into(), Timestamp::UNIX_EPOCH).unwrap_err();
        assert_eq!(fault.reason, "REPORT_SUPERSEDED");
    }

    #[test]
    fn only_what_was_sealed_with_lines_is_revised() {
        let refused = |report: Report| {
            report.revise(2, "x".into(), Timestamp::UNIX_EPOCH).unwrap_err().reason
        };
        assert_eq!(refused(open()), "REPORT_OPEN");
        assert_eq!(refused(open().abandon().unwrap()), "REPORT_ABANDONED");
        let empty = open().seal(&Outcome::default(), &[], Timestamp::UNIX_EPOCH).unwrap();
        assert_eq!(refused(empty), "REPORT_REJECTED");
    }
}
