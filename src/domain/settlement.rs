//! Settlement of export proceeds (liquidación de divisas): how long there is time, and what was
//! reported to have been settled.
//!
//! Enters: the reference table `settlement_terms`, shipped items, reports of customs or a bank.
//! Leaves: a changed [`Settlement`], and where it stands on a day. Nothing is converted: what was
//! settled in another currency is kept and not added up.

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::cuit::Cuit;
use super::currency::Currency;
use super::customs_declaration::{DeclaredItem, ItemNumber, ItemState};
use super::decimal::Amount;
use super::declaration::DeclarationNumber;
use super::fault::Fault;
use super::ncm::NcmCode;
use super::partner::PartnerId;
use super::tariff_terms::{TariffTerms, Term};
use super::text::Reference;

/// The most reports of one item; a real one has a few.
const MAX_REPORTS: usize = 1000;

named_enum! {
    /// How far the settlement of an item is.
    pub enum SettlementState ("a state of a settlement", "INVALID_FIELD") {
        /// Nothing was reported, and there is time.
        Due = "DUE",
        /// Part of it was reported, and there is time.
        Partial = "PARTIAL",
        /// All of it was reported, or a report certifies the whole; final.
        Certified = "CERTIFIED",
        /// The time is over, and it is not certified.
        Overdue = "OVERDUE",
    }
}

named_enum! {
    /// Who says that proceeds were settled.
    pub enum SettlementReporter ("who reports a settlement", "INVALID_FIELD") {
        /// The customs service.
        Customs = "CUSTOMS",
        /// The bank that follows the export.
        Bank = "BANK",
    }
}

/// Proceeds that are reported to have been settled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewReport {
    /// How much.
    pub amount: Amount,
    /// In which currency.
    pub currency: Currency,
    /// When.
    pub settled_on: Date,
    /// Names the document that shows it; the same document is one report.
    pub evidence: Reference,
    /// Who says so.
    pub reporter: SettlementReporter,
    /// Whether it certifies that the whole item is settled.
    pub certifies: bool,
}

/// A report as recorded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// What was reported.
    #[serde(flatten)]
    pub reported: NewReport,
    /// When it became known here.
    pub recorded_at: Timestamp,
    /// Who recorded it.
    pub recorded_by: PartnerId,
}

/// The settlement of one shipped item of a declaration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settlement {
    /// The declaration.
    pub declaration: DeclarationNumber,
    /// The item.
    pub item: ItemNumber,
    /// The exporter.
    pub exporter: Cuit,
    /// The tariff code.
    pub ncm: NcmCode,
    /// The day of the item's first shipment, from which the time runs.
    pub shipped_on: Date,
    /// How long there is time; `None` if no rule set a term when the goods left.
    #[serde(default)]
    pub term: Option<Term>,
    /// The currency in which the item is declared.
    pub currency: Currency,
    /// What was settled in that currency.
    pub settled: Amount,
    /// Whether the whole is settled.
    #[serde(default)]
    pub certified: bool,
    /// What was reported, in the order it became known.
    #[serde(default)]
    pub reports: Vec<Report>,
}

impl Settlement {
    /// The settlement of `item` as its first shipment opens it; `None` if nothing has left.
    pub fn open(item: &DeclaredItem, terms: &TariffTerms) -> Option<Self> {
        let shipped_on = item.shipments.iter().map(|one| one.reported.shipped_on).min()?;
        Some(Self {
            declaration: item.declaration,
            item: item.item,
            exporter: item.exporter,
            ncm: item.goods.ncm,
            shipped_on,
            term: terms.term(item.goods.ncm, shipped_on).cloned(),
            currency: item.goods.currency,
            settled: Amount::ZERO,
            certified: false,
            reports: Vec::new(),
        })
    }

    /// Its key, which is that of its item.
    pub fn key(&self) -> String {
        DeclaredItem::key_of(self.declaration, self.item)
    }

    /// The last day on which there is time; `None` if there is no term.
    pub fn due_on(&self) -> Option<Date> {
        let days = jiff::Span::new().days(i64::from(self.term.as_ref()?.days));
        Some(self.shipped_on.saturating_add(days))
    }

    /// Where it stands on `day`.
    pub fn state(&self, day: Date) -> SettlementState {
        if self.certified {
            SettlementState::Certified
        } else if self.due_on().is_some_and(|due| due < day) {
            SettlementState::Overdue
        } else if self.reports.is_empty() {
            SettlementState::Due
        } else {
            SettlementState::Partial
        }
    }

    /// The first day after `day` on which the calendar alone makes it something else.
    pub fn next_turn(&self, day: Date) -> Option<Date> {
        let over = self.due_on()?.tomorrow().ok()?;
        (!self.certified && over > day).then_some(over)
    }

    /// Takes the term that `terms` set for its goods. False, and nothing touched, if that is the
    /// one it has, or all is settled.
    pub fn take_term(&mut self, terms: &TariffTerms) -> bool {
        let term = terms.term(self.ncm, self.shipped_on);
        if self.certified || term == self.term.as_ref() {
            return false;
        }
        self.term = term.cloned();
        true
    }

    /// Takes a report; `fob` is what the item is declared to be worth. False, and nothing touched,
    /// if that report is recorded already.
    ///
    /// # Errors
    /// `ILLEGAL_TRANSITION` (metadata `state`, `allowed`) once certified; `SETTLEMENT_DIFFERS`
    /// (metadata `recorded`, `asked`) if the document came with something else;
    /// `TOO_MANY_REPORTS`; `AMOUNT_OUT_OF_RANGE`.
    pub fn report(
        &mut self,
        new: &NewReport,
        fob: Amount,
        by: &PartnerId,
        at: Timestamp,
        today: Date,
    ) -> Result<bool, Fault> {
        use SettlementState::{Certified, Due, Overdue, Partial};
        let same = |one: &&Report| one.reported.evidence == new.evidence;
        if let Some(known) = self.reports.iter().find(same) {
            return if known.reported == *new { Ok(false) } else { Err(differs(known, new)) };
        }
        let state = self.state(today);
        if state == Certified {
            let allowed = [Due, Partial, Overdue];
            return Err(Fault::illegal_transition("reporting a settlement", state, &allowed));
        }
        if self.reports.len() >= MAX_REPORTS {
            return Err(Fault::illegal_state(
                "TOO_MANY_REPORTS",
                format!("an item has at most {MAX_REPORTS} reports of its settlement"),
            ));
        }
        if new.currency == self.currency {
            self.settled = self.settled.plus(new.amount)?;
        }
        self.certified = new.certifies || self.settled >= fob && !fob.is_zero();
        self.reports.push(Report {
            reported: new.clone(),
            recorded_at: at,
            recorded_by: by.clone(),
        });
        Ok(true)
    }
}

fn differs(known: &Report, new: &NewReport) -> Fault {
    let told = |one: &NewReport| format!("{} {} on {}", one.amount, one.currency, one.settled_on);
    let recorded = told(&known.reported);
    Fault::conflict(
        "SETTLEMENT_DIFFERS",
        format!(
            "the document {} is recorded with other content, {recorded}: give another settlement \
             a document of its own",
            new.evidence
        ),
    )
    .with("recorded", recorded)
    .with("asked", told(new))
    .at("evidence")
}

/// Nothing of the item has left, so there is nothing to settle.
pub fn not_shipped(state: ItemState) -> Fault {
    Fault::illegal_transition("reporting a settlement", state, &[ItemState::Shipped])
}

#[cfg(test)]
#[path = "settlement_tests.rs"]
mod tests;
