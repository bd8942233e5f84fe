//! Explanations of lines that exceed the sale they are about.
//!
//! Enters: which line, and what the authority found. Leaves: the line, which counts from then on.

use super::App;
use super::reports::name;
use super::write::{Intent, Plan, Written};
use crate::change::{Expect, Kind, Write};
use crate::domain::caller::Visibility;
use crate::domain::explanation::{Explanation, ExplanationCause, may_be_explained};
use crate::domain::fault::Fault;
use crate::domain::month::Month;
use crate::domain::partner::PartnerId;
use crate::domain::report::Report;
use crate::domain::text::{LineId, Note};
use crate::error::{Error, Result};
use crate::ledger::{Draft, EntryKind};
use crate::store::{HeldLine, StoredLine};

/// What the authority says of a line.
#[derive(Clone, Debug)]
pub struct Finding {
    /// The cause.
    pub cause: ExplanationCause,
    /// What that rests on.
    pub evidence: Note,
}

impl App {
    /// Explains a line that exceeds its sale, so that it counts.
    ///
    /// # Errors
    /// `NOT_FOUND`, also for a line the caller may not see; those of [`may_be_explained`];
    /// `PERIOD_CLOSED` if its day lies in a closed month.
    pub async fn explain_line(
        &self,
        intent: &Intent,
        visibility: &Visibility,
        marketplace: &PartnerId,
        line: &LineId,
        finding: &Finding,
    ) -> Result<Written<StoredLine>> {
        if !visibility.allows(marketplace) {
            return Err(Error::not_found());
        }
        let explained = self
            .write(intent, || async {
                let HeldLine { report: key, mut line } =
                    self.store.line(marketplace, line).await?.ok_or_else(Error::not_found)?;
                let report = self
                    .document::<Report>(Kind::Report, &key)
                    .await?
                    .ok_or_else(|| Error::internal("a line without its report"))?;
                may_be_explained(&line.reasons, line.explanation.as_ref(), report.value.state)?;
                let month = Month::of(line.line.sold_at.day());
                let still_open = self.still_open([month]).await?.ok_or_else(|| closed(month))?;
                let explanation = Explanation {
                    cause: finding.cause,
                    evidence: finding.evidence.clone(),
                    explained_by: intent.request.partner.clone(),
                    explained_at: self.env.now(),
                    entry: None,
                };
                // The id of a line is the marketplace's own text, so the entry names the one that
                // took it instead.
                let draft = Draft::new(EntryKind::LineExplained)
                    .about(name(&key))
                    .fact("cause", explanation.cause)
                    .fact("kind", line.line.kind)
                    .fact("line_entry", line.entry);
                let version = report.version;
                let mut expect = vec![
                    Expect::Version { kind: Kind::Report, key: key.clone(), version },
                    Expect::Unexplained { report: key.clone(), line: line.seq },
                ];
                expect.extend(still_open);
                let write = Write::Explain {
                    report: key,
                    line: line.seq,
                    explanation: explanation.clone(),
                };
                line.explanation = Some(explanation);
                Ok(Plan { answer: line, expect, writes: vec![write], draft })
            })
            .await?;
        let entry = explained.receipt.as_ref().map(|receipt| receipt.index);
        Ok(explained.map(|mut line| {
            if let Some(explanation) = &mut line.explanation {
                explanation.entry = entry;
            }
            line
        }))
    }
}

fn closed(month: Month) -> Fault {
    Fault::illegal_state(
        "PERIOD_CLOSED",
        format!(
            "{month} is closed and what it sums up to is final; the marketplace sends what is \
             missing there as an ADJUSTMENT dated in an open month"
        ),
    )
    .with("state", "CLOSED")
}

#[cfg(test)]
#[path = "explanations_tests.rs"]
mod tests;
