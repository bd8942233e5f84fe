//! Exporters and their eligibility, on two clocks: when a fact holds, and when it became known.
//!
//! Enters: facts that the registry states, and questions about a day. Leaves: answers. Days are
//! Argentine days, UTC-3 all year. Facts are added, never changed: where several hold on a day,
//! the one recorded later counts, whatever the clock did between them.

use std::collections::BTreeSet;

use jiff::civil::Date;
use jiff::tz::Offset;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::cuit::Cuit;
use super::fault::Fault;
use super::ncm::Chapter;
use super::period::Validity;
use super::place::Province;
use super::size_class::SizeClass;
use super::text::{Cause, Name};

named_enum! {
    /// What an exporter is while a fact holds, in order of gravity.
    pub enum EligibilityStatus ("an eligibility status", "INVALID_FIELD") {
        /// May export.
        Eligible = "ELIGIBLE",
        /// May not for now; a later fact can lift it.
        Suspended = "SUSPENDED",
        /// May not any more; final.
        Revoked = "REVOKED",
    }
}

named_enum! {
    /// Why an exporter is not eligible, in a word.
    pub enum IneligibleReason ("a reason", "INVALID_FIELD") {
        /// Suspended on that day.
        Suspended = "SUSPENDED",
        /// Revoked for good.
        Revoked = "REVOKED",
        /// The last validity was over.
        Expired = "EXPIRED",
        /// The first validity lay ahead.
        NotYetValid = "NOT_YET_VALID",
        /// Eligible, but not for the goods asked about.
        ChapterNotAuthorised = "CHAPTER_NOT_AUTHORISED",
    }
}

/// What is known of an exporter's right to export on some day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Eligibility {
    /// It may, and has without a gap since this day.
    Eligible {
        /// The first day.
        since: Date,
    },
    /// It may not.
    NotEligible(IneligibleReason),
    /// Nothing was known of it yet.
    Unknown,
}

/// A status and the day since which it has held without a gap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The status.
    pub status: EligibilityStatus,
    /// The first day.
    pub since: Date,
}

/// A statement of the registry, not yet recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewFact {
    /// What the exporter is while it holds.
    pub status: EligibilityStatus,
    /// Why, in the registry's words.
    pub cause: Option<Cause>,
    /// The act that it rests on.
    pub legal_instrument: Option<Name>,
    /// The first Argentine day on which it holds.
    pub valid_from: Date,
    /// The last day, itself included; `None` is without end.
    pub valid_to: Option<Date>,
    /// The chapters that the exporter is authorised for; none means all.
    pub chapters: BTreeSet<Chapter>,
}

impl NewFact {
    /// The days on which it holds.
    pub fn validity(&self) -> Validity {
        Validity { from: Some(self.valid_from), to: self.valid_to }
    }

    /// Whether both hold on some day.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.validity().overlaps(other.validity())
    }

    fn check(&self) -> Result<(), Fault> {
        match self.valid_to {
            Some(_) if self.status == EligibilityStatus::Revoked => Err(Fault::malformed(
                "INVALID_FIELD",
                "a revocation is final: leave valid_to empty, or suspend instead",
            )
            .at("valid_to")),
            Some(last) if last < self.valid_from => Err(Fault::malformed(
                "INVALID_FIELD",
                format!("the last day {last} is before the first day {}", self.valid_from),
            )
            .at("valid_to")),
            Some(_) | None => Ok(()),
        }
    }
}

/// A statement of the registry, as recorded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EligibilityFact {
    /// See [`NewFact::status`].
    pub status: EligibilityStatus,
    /// See [`NewFact::cause`].
    #[serde(default)]
    pub cause: Option<Cause>,
    /// See [`NewFact::legal_instrument`].
    #[serde(default)]
    pub legal_instrument: Option<Name>,
    /// See [`NewFact::valid_from`].
    pub valid_from: Date,
    /// See [`NewFact::valid_to`].
    #[serde(default)]
    pub valid_to: Option<Date>,
    /// See [`NewFact::chapters`].
    #[serde(default)]
    pub chapters: BTreeSet<Chapter>,
    /// When it became known here.
    pub recorded_at: Timestamp,
}

impl EligibilityFact {
    /// The days on which it holds.
    pub fn validity(&self) -> Validity {
        Validity { from: Some(self.valid_from), to: self.valid_to }
    }

    fn covers(&self, chapter: Option<Chapter>) -> bool {
        self.chapters.is_empty() || chapter.is_none_or(|chapter| self.chapters.contains(&chapter))
    }

    fn says(&self, fact: &NewFact) -> bool {
        self.status == fact.status
            && self.cause == fact.cause
            && self.legal_instrument == fact.legal_instrument
            && self.validity() == fact.validity()
            && self.chapters == fact.chapters
    }
}

/// An exporter as the registry keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exporter {
    /// Its tax id.
    pub cuit: Cuit,
    /// Its legal name.
    pub legal_name: Name,
    /// Its size.
    pub size_class: SizeClass,
    /// Its province.
    pub province: Province,
    /// Every fact ever recorded, the oldest first.
    pub facts: Vec<EligibilityFact>,
    /// When the registry first sent it.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

impl Exporter {
    /// An exporter of which nothing is known but who it is.
    pub fn register(
        cuit: Cuit,
        legal_name: Name,
        size_class: SizeClass,
        province: Province,
        at: Timestamp,
    ) -> Self {
        Self {
            cuit,
            legal_name,
            size_class,
            province,
            facts: Vec::new(),
            created_at: at,
            updated_at: at,
        }
    }

    /// Sets who it is; false, and nothing touched, if it stands so already.
    pub fn describe(
        &mut self,
        legal_name: Name,
        size_class: SizeClass,
        province: Province,
        at: Timestamp,
    ) -> bool {
        let same = self.legal_name == legal_name
            && self.size_class == size_class
            && self.province == province;
        if !same {
            (self.legal_name, self.size_class, self.province) = (legal_name, size_class, province);
            self.updated_at = at;
        }
        !same
    }

    /// Whether exactly this was recorded and nothing recorded later bears on its days, so that
    /// recording it again would say nothing new.
    pub fn holds(&self, fact: &NewFact) -> bool {
        self.facts.iter().rposition(|held| held.says(fact)).is_some_and(|place| {
            !self.facts[place + 1..].iter().any(|later| later.validity().overlaps(fact.validity()))
        })
    }

    /// Adds a fact; false, and nothing touched, if it is held already.
    ///
    /// # Errors
    /// `ELIGIBILITY_REVOKED` once revoked; `INVALID_FIELD` on `valid_to` if it is before
    /// `valid_from`, or given for a revocation.
    pub fn record(&mut self, fact: NewFact, at: Timestamp) -> Result<bool, Fault> {
        fact.check()?;
        if self.holds(&fact) {
            return Ok(false);
        }
        if self.is_revoked() {
            return Err(Fault::illegal_state(
                "ELIGIBILITY_REVOKED",
                "the exporter was revoked, which is final; nothing can be recorded after it",
            ));
        }
        // What is recorded later is known later, also within one microsecond and by a clock that
        // went back.
        let next = |last: &EligibilityFact| last.recorded_at + SignedDuration::from_micros(1);
        let recorded_at = self.facts.last().map_or(at, |last| at.max(next(last)));
        let NewFact { status, cause, legal_instrument, valid_from, valid_to, chapters } = fact;
        self.facts.push(EligibilityFact {
            status,
            cause,
            legal_instrument,
            valid_from,
            valid_to,
            chapters,
            recorded_at,
        });
        self.updated_at = at;
        Ok(true)
    }

    /// Whether a revocation was ever recorded.
    pub fn is_revoked(&self) -> bool {
        self.facts.iter().any(|fact| fact.status == EligibilityStatus::Revoked)
    }

    /// What holds on `day` by all that is known; `None` if no fact does.
    pub fn standing(&self, day: Date) -> Option<Standing> {
        let status_on = |day| self.holding(day, None).map(|fact| fact.status);
        let status = status_on(day)?;
        Some(Standing { status, since: self.since(day, |day| status_on(day) == Some(status)) })
    }

    /// Whether it may export goods of `chapter` (`None`: any goods) on `day`, as known at a
    /// moment (`None`: by all that is known).
    pub fn eligibility(
        &self,
        day: Date,
        as_known_at: Option<Timestamp>,
        chapter: Option<Chapter>,
    ) -> Eligibility {
        use EligibilityStatus::{Eligible, Revoked, Suspended};
        let eligible_on = |day| {
            self.holding(day, as_known_at)
                .is_some_and(|fact| fact.status == Eligible && fact.covers(chapter))
        };
        let reason = match self.holding(day, as_known_at).map(|fact| fact.status) {
            Some(Eligible) if eligible_on(day) => {
                return Eligibility::Eligible { since: self.since(day, eligible_on) };
            }
            Some(Eligible) => IneligibleReason::ChapterNotAuthorised,
            Some(Suspended) => IneligibleReason::Suspended,
            Some(Revoked) => IneligibleReason::Revoked,
            None => {
                let mut known = self.known(as_known_at).peekable();
                if known.peek().is_none() {
                    return Eligibility::Unknown;
                }
                if known.all(|fact| day < fact.valid_from) {
                    IneligibleReason::NotYetValid
                } else {
                    IneligibleReason::Expired
                }
            }
        };
        Eligibility::NotEligible(reason)
    }

    /// Whether it may export any goods on `day`, by all that is known.
    pub fn eligible_on(&self, day: Date) -> bool {
        self.holding(day, None).is_some_and(|fact| fact.status == EligibilityStatus::Eligible)
    }

    /// The first day after `day` on which another fact holds, or none does any more.
    pub fn next_turn(&self, day: Date) -> Option<Date> {
        let turns: BTreeSet<Date> = self
            .facts
            .iter()
            .flat_map(|fact| fact.validity().turns())
            .filter(|turn| *turn > day)
            .collect();
        let today = self.holding(day, None);
        turns.into_iter().find(|turn| self.holding(*turn, None) != today)
    }

    fn known(&self, as_known_at: Option<Timestamp>) -> impl Iterator<Item = &EligibilityFact> {
        self.facts
            .iter()
            .filter(move |fact| as_known_at.is_none_or(|moment| fact.recorded_at <= moment))
    }

    /// The fact that counts on `day`. Of equal ones the last is taken.
    fn holding(&self, day: Date, as_known_at: Option<Timestamp>) -> Option<&EligibilityFact> {
        self.known(as_known_at)
            .filter(|fact| fact.validity().holds_on(day))
            .max_by_key(|fact| (fact.recorded_at, fact.status))
    }

    /// The first of the days up to `day` on all of which `same` is true.
    fn since(&self, day: Date, same: impl Fn(Date) -> bool) -> Date {
        // What holds can change only where a fact begins, or on the day after one ends.
        let mut turns: Vec<Date> = self
            .facts
            .iter()
            .flat_map(|fact| [Some(fact.valid_from), fact.valid_to.and_then(|d| d.tomorrow().ok())])
            .flatten()
            .filter(|turn| *turn <= day)
            .collect();
        turns.sort_unstable_by(|a, b| b.cmp(a));
        turns.into_iter().find(|turn| !turn.yesterday().is_ok_and(&same)).unwrap_or(day)
    }
}

/// The day in Argentina (UTC-3) at a moment.
pub fn argentine_day(at: Timestamp) -> Date {
    Offset::constant(-3).to_datetime(at).date()
}

#[cfg(test)]
#[path = "exporter_tests.rs"]
mod tests;
