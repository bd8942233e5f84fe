//! Facts of eligibility that became known after they took effect, and the lines they bear on.
//!
//! Enters: an exporter with a fact just recorded. Leaves: which of its sales that fact puts in
//! another light. A stored line never changes; what was learnt later is said beside it.

use std::str::FromStr as _;

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::cuit::Cuit;
use super::derived::derived_id;
use super::exporter::{Eligibility, EligibilityFact, EligibilityStatus, Exporter, argentine_day};
use super::ncm::Chapter;
use super::partner::PartnerId;
use super::request_id::RequestId;
use super::text::LineId;

named_enum! {
    /// How far a late fact is.
    pub enum LateFactState ("a late fact's state", "INVALID_FIELD") {
        /// Lines are still looked through.
        Pending = "PENDING",
        /// Every line that it bears on is marked.
        Settled = "SETTLED",
    }
}

/// A fact that took an exporter's eligibility away for days that had come when it was recorded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LateFact {
    /// The exporter.
    pub exporter: Cuit,
    /// What it says.
    pub said: LateStatement,
    /// The request that recorded it.
    pub recorded_by: (PartnerId, RequestId),
    /// How far it is.
    pub state: LateFactState,
    /// Lines marked; counted when it is settled.
    pub lines: u64,
}

/// What a late fact says, as far as those may know who see the lines.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LateStatement {
    /// What the exporter is while it holds.
    pub status: EligibilityStatus,
    /// The first Argentine day on which it holds.
    pub valid_from: Date,
    /// The last day, itself included; `None` is without end.
    #[serde(default)]
    pub valid_to: Option<Date>,
    /// When it became known.
    pub recorded_at: Timestamp,
}

/// A line that was sold while its seller was not eligible, as is known since a late fact.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MarkedLine {
    /// The marketplace's id of the line.
    pub line_id: LineId,
    /// Its day, in its own offset.
    pub day: Date,
}

/// Lines of one report that one late fact bears on, in the order they were stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Marks {
    /// Key of the late fact.
    pub late_fact: String,
    /// What it says.
    pub said: LateStatement,
    /// Key of the report.
    pub report: String,
    /// Whose report it is.
    pub marketplace: PartnerId,
    /// Which part of the report's marked lines these are, from 0.
    pub part: u32,
    /// The lines.
    pub lines: Vec<MarkedLine>,
    /// When they were marked.
    pub marked_at: Timestamp,
}

impl LateFact {
    /// Those of the facts of `exporter` behind the first `known` that may take eligibility away
    /// for days up to `today`; they were recorded by this request.
    pub fn among(
        exporter: &Exporter,
        known: usize,
        today: Date,
        recorded_by: &(PartnerId, RequestId),
    ) -> Vec<Self> {
        let late = exporter.facts.iter().skip(known).filter(|fact| is_late(exporter, fact, today));
        late.map(|fact| Self {
            exporter: exporter.cuit,
            said: LateStatement {
                status: fact.status,
                valid_from: fact.valid_from,
                valid_to: fact.valid_to,
                recorded_at: fact.recorded_at,
            },
            recorded_by: recorded_by.clone(),
            state: LateFactState::Pending,
            lines: 0,
        })
        .collect()
    }

    /// The days of lines that it may bear on. The day after it was recorded is one of them: days of
    /// lines are in their own offset, which is ahead of ours.
    pub fn days(&self) -> (Date, Date) {
        let recorded = argentine_day(self.said.recorded_at);
        let last = recorded.tomorrow().unwrap_or(recorded);
        (self.said.valid_from, self.said.valid_to.map_or(last, |to| to.min(last)))
    }

    /// Whether `exporter`, whose fact it is, was eligible on `day` for goods of `chapter` (`None`:
    /// any) until it was recorded, and by it is not.
    pub fn takes(&self, exporter: &Exporter, day: Date, chapter: Option<Chapter>) -> bool {
        let (first, last) = self.days();
        let at = self.said.recorded_at;
        let eligible = |known| {
            matches!(exporter.eligibility(day, Some(known), chapter), Eligibility::Eligible { .. })
        };
        (first..=last).contains(&day) && eligible(before(at)) && !eligible(at)
    }
}

impl Marks {
    /// The key: parts of one report stand together under their fact.
    pub fn key(&self) -> String {
        format!("{}/{}/{:06}", self.late_fact, self.report, self.part)
    }

    /// The name under which it is recorded, once, whoever comes to it first.
    pub fn request_id(&self) -> Option<RequestId> {
        let part = self.part.to_string();
        RequestId::from_str(&derived_id("marks", &[&self.late_fact, &self.report, &part])).ok()
    }
}

/// Whether on some day up to `today` the exporter was eligible until `fact` was recorded, and the
/// fact takes that away, for some goods at least.
fn is_late(exporter: &Exporter, fact: &EligibilityFact, today: Date) -> bool {
    if fact.valid_from > today {
        return false;
    }
    let takes = fact.status != EligibilityStatus::Eligible || !fact.chapters.is_empty();
    // What was known before can change only where a fact begins, or on the day after one ends.
    let turns = exporter
        .facts
        .iter()
        .flat_map(|fact| [Some(fact.valid_from), fact.valid_to.and_then(|to| to.tomorrow().ok())]);
    let mut days = turns.flatten().filter(|day| fact.validity().holds_on(*day) && *day <= today);
    let known = before(fact.recorded_at);
    let was = |day| exporter.eligibility(day, Some(known), None);
    takes && days.any(|day| matches!(was(day), Eligibility::Eligible { .. }))
}

/// The last moment at which something recorded at `at` was not known.
fn before(at: Timestamp) -> Timestamp {
    at - SignedDuration::from_micros(1)
}

#[cfg(test)]
mod tests {
    use jiff::ToSpan as _;
    use jiff::civil::date;
    use proptest::prelude::*;

    use super::*;
    use crate::domain::exporter::NewFact;
    use crate::domain::size_class::SizeClass;

    fn exporter() -> Exporter {
        Exporter::register(
            "30500010912".parse().unwrap(),
            "Bodega".parse().unwrap(),
            SizeClass::Small,
            "AR-M".parse().unwrap(),
            Timestamp::UNIX_EPOCH,
        )
    }

    fn day(offset: i32) -> Date {
        date(2026, 1, 1).saturating_add(offset.days())
    }

    fn moment(offset: i32) -> Timestamp {
        format!("{}T15:00:00Z", day(offset)).parse().unwrap()
    }

    fn recorder() -> (PartnerId, RequestId) {
        ("registry".parse().unwrap(), RequestId::from_str(&derived_id("a", &["b"])).unwrap())
    }

    fn a_fact() -> impl Strategy<Value = (NewFact, i32)> {
        let chapters = proptest::sample::subsequence(vec![3u8, 22], 0..=2);
        (0i32..60, 0i32..60, proptest::option::of(0i32..30), any::<bool>(), chapters).prop_map(
            |(at, from, days, eligible, chapters)| {
                let status = match eligible {
                    true => EligibilityStatus::Eligible,
                    false => EligibilityStatus::Suspended,
                };
                let fact = NewFact {
                    status,
                    cause: None,
                    legal_instrument: None,
                    valid_from: day(from),
                    valid_to: days.map(|days| day(from + days)),
                    chapters: chapters.into_iter().filter_map(Chapter::new).collect(),
                };
                (fact, at)
            },
        )
    }

    proptest! {
        /// Whatever was recorded: on a day that had come, goods of a chapter change from eligible to
        /// not eligible by a fact exactly if that fact is late and takes them.
        #[test]
        fn whatever_is_lost_is_lost_by_a_late_fact(
            mut facts in proptest::collection::vec(a_fact(), 1..8),
        ) {
            facts.sort_by_key(|(_, at)| *at);
            let mut one = exporter();
            for (fact, at) in facts {
                let (before, known) = (one.clone(), one.facts.len());
                if !one.record(fact, moment(at)).unwrap() {
                    continue;
                }
                let today = argentine_day(moment(at));
                let late = LateFact::among(&one, known, today, &recorder());
                prop_assert!(late.len() <= 1);
                for (offset, chapter) in (0..=at).flat_map(|at| [(at, 3), (at, 22)]) {
                    let (day, chapter) = (day(offset), Chapter::new(chapter));
                    let eligible = |one: &Exporter| {
                        matches!(one.eligibility(day, None, chapter), Eligibility::Eligible { .. })
                    };
                    let lost = eligible(&before) && !eligible(&one);
                    let taken = late.iter().any(|late| late.takes(&one, day, chapter));
                    prop_assert_eq!(lost, taken, "on {}", day);
                }
            }
        }

        /// What is answered as known at a moment is what was answered at that moment.
        #[test]
        fn the_past_is_answered_as_it_was_known(
            mut facts in proptest::collection::vec(a_fact(), 1..8),
        ) {
            facts.sort_by_key(|(_, at)| *at);
            let (mut one, mut told) = (exporter(), Vec::new());
            let answers = |one: &Exporter, known| -> Vec<Eligibility> {
                let asked = (0..95).flat_map(|at| [(at, None), (at, Chapter::new(3))]);
                asked.map(|(at, chapter)| one.eligibility(day(at), known, chapter)).collect()
            };
            for (fact, at) in facts {
                one.record(fact, moment(at)).unwrap();
                let known = one.facts.last().unwrap().recorded_at;
                told.push((known, answers(&one, None)));
            }
            for (known, answer) in told {
                prop_assert_eq!(answers(&one, Some(known)), answer);
            }
        }
    }
}
