//! Sales reports: one marketplace, one period, sealed with control totals.
//!
//! Enters: what a report holds when it is sealed, and what the marketplace says it should. Leaves:
//! a changed [`Report`], or a fault that names every total that differs. Lines are kept elsewhere.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::currency::Currency;
use super::derived::derived_id;
use super::fault::{Fault, Violation};
use super::partner::PartnerId;
use super::period::Period;
use super::sale::SaleKind;

named_enum! {
    /// How far a report is.
    pub enum ReportState ("a report's state", "INVALID_FIELD") {
        /// Takes lines.
        Open = "OPEN",
        /// Takes no more lines; being judged.
        Sealed = "SEALED",
        /// Sealed, every line accepted.
        Accepted = "ACCEPTED",
        /// Sealed, with lines that carry a warning or were refused.
        PartiallyAccepted = "PARTIALLY_ACCEPTED",
        /// Sealed, and nothing of it counts.
        Rejected = "REJECTED",
        /// A later revision took its place; stays readable, and its lines count on.
        Superseded = "SUPERSEDED",
        /// Was left open for too long.
        Abandoned = "ABANDONED",
    }
}

impl ReportState {
    /// Whether a report in this state says something of its period, or may still.
    pub const fn stands(self) -> bool {
        match self {
            Self::Open
            | Self::Sealed
            | Self::Accepted
            | Self::PartiallyAccepted
            | Self::Superseded => true,
            Self::Rejected | Self::Abandoned => false,
        }
    }
}

/// The sum of the stored lines of one kind in one currency, as written in the lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ControlTotal {
    /// The kind.
    pub kind: SaleKind,
    /// The currency.
    pub currency: Currency,
    /// How many lines.
    pub lines: u64,
    /// Sum of the quantities.
    pub quantity: Decimal,
    /// Sum of quantity x unit_price.
    pub amount: Decimal,
}

/// How long reports of a marketplace stay open, and how many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReportRules {
    /// A report without a change for so many days is abandoned.
    pub open_days: u32,
    /// Reports that a marketplace may have open at once.
    pub open_at_once: u32,
}

impl Default for ReportRules {
    fn default() -> Self {
        Self { open_days: 90, open_at_once: 500 }
    }
}

impl ReportRules {
    /// When a report that last changed at `changed` is abandoned.
    pub fn expires(self, changed: Timestamp) -> Timestamp {
        let open = SignedDuration::from_hours(24 * i64::from(self.open_days));
        changed.checked_add(open).unwrap_or(Timestamp::MAX)
    }
}

/// Totals that differ and are named one by one; clients bound the metadata that carries them.
const TOTALS_NAMED: usize = 20;
/// Totals that the sentence for a person names.
const IN_WORDS: usize = 5;

/// What a report holds at the moment it is sealed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Lines stored without remark.
    pub accepted: u64,
    /// Lines stored with a warning.
    pub warned: u64,
    /// Times a malformed line was sent.
    pub refused: u64,
    /// The totals of the stored lines.
    pub totals: Vec<ControlTotal>,
}

/// A marketplace's report of what it sold in a period.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Whose it is.
    pub marketplace: PartnerId,
    /// The days it is about.
    pub period: Period,
    /// How far it is.
    pub state: ReportState,
    /// 1, and one more for each report opened about the period later.
    pub revision: u32,
    /// Key of the report that it revises.
    #[serde(default)]
    pub supersedes: Option<String>,
    /// Key of the revision that took its place.
    #[serde(default)]
    pub superseded_by: Option<String>,
    /// Why it was opened, if it is a revision.
    #[serde(default)]
    pub revision_reason: Option<String>,
    /// What the reports that it builds on sum up to.
    #[serde(default)]
    pub base: Vec<ControlTotal>,
    /// What it was sealed with.
    #[serde(default)]
    pub totals: Vec<ControlTotal>,
    /// When it was opened.
    pub opened_at: Timestamp,
    /// When it was sealed.
    #[serde(default)]
    pub sealed_at: Option<Timestamp>,
}

/// The key of a revision of the report of a marketplace about a period: the same for ever.
pub fn report_key(marketplace: &PartnerId, period: Period, revision: u32) -> String {
    let (period, revision) = (period.to_string(), revision.to_string());
    derived_id("report", &[marketplace.as_str(), &period, &revision])
}

impl Report {
    /// A new report that takes lines.
    pub fn open(marketplace: PartnerId, period: Period, at: Timestamp) -> Self {
        Self {
            marketplace,
            period,
            state: ReportState::Open,
            revision: 1,
            supersedes: None,
            superseded_by: None,
            revision_reason: None,
            base: Vec::new(),
            totals: Vec::new(),
            opened_at: at,
            sealed_at: None,
        }
    }

    /// Its key, see [`report_key`].
    pub fn key(&self) -> String {
        report_key(&self.marketplace, self.period, self.revision)
    }

    /// Refuses unless the report takes lines.
    ///
    /// # Errors
    /// `REPORT_SEALED` or `REPORT_ABANDONED`, with metadata `state`.
    pub fn takes_lines(&self) -> Result<(), Fault> {
        let fault = match self.state {
            ReportState::Open => return Ok(()),
            ReportState::Abandoned => Fault::illegal_state(
                "REPORT_ABANDONED",
                "the report was left open for too long and takes no more lines; open a new one",
            ),
            ReportState::Sealed
            | ReportState::Accepted
            | ReportState::PartiallyAccepted
            | ReportState::Rejected
            | ReportState::Superseded => Fault::illegal_state(
                "REPORT_SEALED",
                "the report is sealed and takes no more lines; revise it, and send what is missing \
                 or wrong into the revision",
            ),
        };
        Err(fault.with("state", self.state))
    }

    /// Seals it with what it holds: REJECTED if it has no line, PARTIALLY_ACCEPTED if one carries
    /// a warning or was refused, else ACCEPTED. `expected`, when it holds any, must be the very
    /// totals, to the last digit.
    ///
    /// # Errors
    /// `REPORT_SEALED`, `REPORT_ABANDONED`; `CONTROL_TOTALS_MISMATCH` with one violation for each
    /// of the first twenty totals that differ.
    pub fn seal(
        mut self,
        outcome: &Outcome,
        expected: &[ControlTotal],
        at: Timestamp,
    ) -> Result<Self, Fault> {
        self.takes_lines()?;
        if !expected.is_empty() {
            compare(expected, &outcome.totals)?;
        }
        self.state = if outcome.accepted + outcome.warned == 0 {
            ReportState::Rejected
        } else if outcome.warned + outcome.refused > 0 {
            ReportState::PartiallyAccepted
        } else {
            ReportState::Accepted
        };
        self.totals.clone_from(&outcome.totals);
        self.sealed_at = Some(at);
        Ok(self)
    }

    /// Gives up an open report.
    ///
    /// # Errors
    /// `REPORT_SEALED` or `REPORT_ABANDONED` unless it is open.
    pub fn abandon(mut self) -> Result<Self, Fault> {
        self.takes_lines()?;
        self.state = ReportState::Abandoned;
        Ok(self)
    }
}

fn compare(expected: &[ControlTotal], found: &[ControlTotal]) -> Result<(), Fault> {
    type Pair<'a> = (Option<(usize, &'a ControlTotal)>, Option<&'a ControlTotal>);
    let mut pairs: BTreeMap<(SaleKind, Currency), Pair<'_>> = BTreeMap::new();
    for (place, total) in expected.iter().enumerate() {
        let pair = pairs.entry((total.kind, total.currency)).or_default();
        if pair.0.replace((place, total)).is_some() {
            return Err(Fault::malformed(
                "INVALID_FIELD",
                format!("{} in {} is given twice; give each once", total.kind, total.currency),
            )
            .at("expected_totals"));
        }
    }
    for total in found {
        pairs.entry((total.kind, total.currency)).or_default().1 = Some(total);
    }
    let mut violations = Vec::new();
    for ((kind, currency), (expected, found)) in pairs {
        let differences = differences(expected.map(|(_, total)| total), found);
        if differences.is_empty() {
            continue;
        }
        let subject = format!("{kind}/{currency}");
        let told = |(name, what): &(&str, String)| format!("{name}: {what}");
        let description = differences.iter().map(told).collect::<Vec<_>>().join("; ");
        let fields = match expected {
            Some((place, _)) => differences
                .into_iter()
                .map(|(name, what)| (format!("expected_totals[{place}].{name}"), what))
                .collect(),
            None => {
                let what =
                    format!("holds no {subject}, which the stored lines have; {description}");
                vec![("expected_totals".to_owned(), what)]
            }
        };
        violations.push(Violation { subject, description, fields });
    }
    if violations.is_empty() {
        return Ok(());
    }
    let named: Vec<String> = violations
        .iter()
        .take(IN_WORDS)
        .map(|v| format!("{} ({})", v.subject, v.description))
        .collect();
    let more = match violations.len().saturating_sub(IN_WORDS) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    violations.truncate(TOTALS_NAMED);
    let mut fault = Fault::illegal_state(
        "CONTROL_TOTALS_MISMATCH",
        format!(
            "the stored lines do not sum up to what is expected: {}; find the lines that are \
             missing or too many, then seal again",
            named.join(", ") + &more
        ),
    );
    fault.violations = violations;
    Err(fault)
}

/// What differs by name, each as `expected 3, found 2, difference -1`.
fn differences(
    expected: Option<&ControlTotal>,
    found: Option<&ControlTotal>,
) -> Vec<(&'static str, String)> {
    let numbers = |total: Option<&ControlTotal>| {
        total.map_or_else(Default::default, |total| {
            [Decimal::from(total.lines), total.quantity, total.amount]
        })
    };
    let names = ["lines", "quantity", "amount"];
    let (expected, found): ([Decimal; 3], [Decimal; 3]) = (numbers(expected), numbers(found));
    let differing = (0..3).filter(|i| expected[*i] != found[*i]);
    differing
        .map(|i| {
            let (expected, found) = (expected[i].normalize(), found[i].normalize());
            let difference = found.checked_sub(expected).map(|d| d.normalize().to_string());
            let difference = difference.unwrap_or_else(|| "too large to say".to_owned());
            (names[i], format!("expected {expected}, found {found}, difference {difference}"))
        })
        .collect()
}

#[cfg(test)]
#[path = "report_tests.rs"]
mod tests;
