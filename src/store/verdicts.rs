//! What every store says of a line alike, and what of it needs no look at any table.
//!
//! Enters: lines as they were judged, months that are closed. Leaves: verdicts, notes, facts.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};

use crate::change::{BatchAnswer, CellKey, LineNote, LineRow, NoteVerdict};
use crate::domain::decimal::{Quantity, Totals, UnitPrice};
use crate::domain::fault::Fault;
use crate::domain::month::{self, Month};
use crate::domain::period::Period;
use crate::domain::sale::{SaleKind, SaleLine, WarningReason};

/// The months that take no more lines, mostly some dozens.
pub struct Closed(HashSet<Month>);

impl Closed {
    /// These months.
    pub fn of(months: HashSet<Month>) -> Self {
        Self(months)
    }

    /// Whether all months of a period are closed: its reports take adjustments only.
    pub fn whole(&self, period: Period) -> bool {
        // Mostly none is, and periods are looked at with every batch.
        !self.0.is_empty() && period.months().iter().all(|month| self.0.contains(month))
    }

    /// Why lines of the cell come too late, if they do, in a report whose period is closed as a
    /// `whole` or not.
    pub fn refuses(&self, whole: bool, cell: &CellKey) -> Option<Fault> {
        let month = Month::of(cell.day);
        if self.0.contains(&month) {
            return Some(month::closed(month).at("sold_at"));
        }
        (whole && cell.kind != SaleKind::Adjustment).then(|| month::adjustments_only().at("kind"))
    }
}

/// What the ledger entry says of a batch: how many lines got which verdict, and how many were
/// stored for each reason for a warning, so that who follows the ledger sees them.
pub fn facts(answer: &BatchAnswer) -> Vec<(String, u32)> {
    let mut facts = vec![
        ("accepted".to_owned(), answer.accepted),
        ("warned".to_owned(), answer.warned),
        ("duplicates".to_owned(), answer.duplicates),
        ("refused".to_owned(), answer.refused),
    ];
    let stored = answer.notes.iter().filter(|n| n.verdict == NoteVerdict::AcceptedWithWarning);
    let mut counts = BTreeMap::new();
    for reason in stored.flat_map(|note| &note.reasons) {
        *counts.entry(reason.as_str()).or_default() += 1;
    }
    facts.extend(counts.into_iter().map(|(reason, count)| (reason.to_ascii_lowercase(), count)));
    facts
}

/// Of a line that is refused, and why.
pub fn refused(row: &LineRow, fault: Fault) -> LineNote {
    let Fault { reason, message, field, .. } = fault;
    let verdict = NoteVerdict::Refused;
    let field = field.unwrap_or_default();
    LineNote { field, message, ..note(row, verdict, vec![reason.to_owned()], None) }
}

/// What became of a line.
pub fn note(
    row: &LineRow,
    verdict: NoteVerdict,
    reasons: Vec<String>,
    first_entry: Option<u64>,
) -> LineNote {
    LineNote {
        position: row.position,
        line_id: row.line.line_id.to_string(),
        verdict,
        reasons,
        field: String::new(),
        message: String::new(),
        first_entry,
    }
}

/// How a stored line's remarks stand in its column.
pub fn verdict(warnings: &[WarningReason]) -> Cow<'static, str> {
    match warnings {
        [] => Cow::Borrowed("ACCEPTED"),
        [one] => Cow::Borrowed(one.as_str()),
        many => Cow::Owned(many.iter().map(|one| one.as_str()).collect::<Vec<_>>().join(";")),
    }
}

/// The optional amounts as one JSON object, absent where the line has none.
pub fn other_amounts(line: &SaleLine) -> Option<String> {
    line.other_amounts.as_deref().and_then(|amounts| serde_json::to_string(amounts).ok())
}

/// What a line takes back of the sale it cites: quantity and amount.
pub fn taken_back(kind: SaleKind, quantity: Quantity, price: UnitPrice) -> Totals {
    if !kind.cites_a_sale() {
        return Totals::default();
    }
    let written = Totals { lines: 1, quantity: quantity.value(), amount: quantity.priced(price) };
    let Totals { lines, quantity, amount } = kind.net(written);
    Totals { lines, quantity: -quantity, amount: -amount }
}
