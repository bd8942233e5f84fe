//! Delegations: what an exporter let a broker do for it, on two clocks.
//!
//! Enters: facts that customs states, and questions about a day. Leaves: whether the broker acts for
//! the exporter on it. Days are Argentine days. Facts are added, never changed: where several hold on
//! a day, the one recorded later counts.

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::cuit::Cuit;
use super::fault::Fault;
use super::partner::PartnerId;
use super::period::Validity;
use super::text::Cause;

/// The most facts of one delegation; a real one has a few.
const MAX_FACTS: usize = 1000;

named_enum! {
    /// What a fact says of a delegation.
    pub enum Effect ("what a fact says of a delegation", "INVALID_FIELD") {
        /// The broker acts for the exporter.
        Granted = "GRANTED",
        /// It no longer does.
        Revoked = "REVOKED",
    }
}

named_enum! {
    /// Whether the broker may act on a day, and why not.
    pub enum DelegationState ("a delegation's state", "INVALID_FIELD") {
        /// It may.
        Active = "ACTIVE",
        /// Its first day lies ahead.
        Pending = "PENDING",
        /// Its last day is over.
        Expired = "EXPIRED",
        /// It was taken back.
        Revoked = "REVOKED",
    }
}

/// A statement about a delegation, not yet recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewFact {
    /// What it says.
    pub effect: Effect,
    /// The first day on which it holds.
    pub valid_from: Date,
    /// The last day, itself included; `None` is without end, as for every revocation.
    pub valid_to: Option<Date>,
    /// What it rests on.
    pub source: Cause,
}

/// A statement about a delegation, as recorded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fact {
    /// See [`NewFact::effect`].
    pub effect: Effect,
    /// See [`NewFact::valid_from`].
    pub valid_from: Date,
    /// See [`NewFact::valid_to`].
    #[serde(default)]
    pub valid_to: Option<Date>,
    /// See [`NewFact::source`].
    pub source: Cause,
    /// When it became known here.
    pub recorded_at: Timestamp,
    /// Who stated it.
    pub recorded_by: PartnerId,
}

impl Fact {
    /// The days on which it holds.
    pub fn validity(&self) -> Validity {
        Validity { from: Some(self.valid_from), to: self.valid_to }
    }

    fn says(&self, new: &NewFact) -> bool {
        self.effect == new.effect
            && (self.valid_from, self.valid_to) == (new.valid_from, new.valid_to)
            && self.source == new.source
    }
}

/// What one exporter delegated to one broker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delegation {
    /// The broker.
    pub broker: PartnerId,
    /// The exporter.
    pub exporter: Cuit,
    /// All that was ever recorded, the oldest first.
    pub facts: Vec<Fact>,
    /// When it was first recorded.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

impl Delegation {
    /// A pair of which nothing is recorded yet.
    pub fn between(broker: PartnerId, exporter: Cuit, at: Timestamp) -> Self {
        Self { broker, exporter, facts: Vec::new(), created_at: at, updated_at: at }
    }

    /// Adds a fact that `by` states; false, and nothing touched, if it stands already and nothing
    /// that was recorded later bears on its days.
    ///
    /// # Errors
    /// `INVALID_FIELD` on `valid_to` before `valid_from`; `DELEGATION_NOT_HELD` where a revocation
    /// would end nothing; `TOO_MANY_FACTS`.
    pub fn record(&mut self, new: NewFact, by: &PartnerId, at: Timestamp) -> Result<bool, Fault> {
        if self.holds(&new) {
            return Ok(false);
        }
        self.check(&new)?;
        // What is recorded later is known later, also within one microsecond and by a clock that
        // went back.
        let next = |last: &Fact| last.recorded_at + SignedDuration::from_micros(1);
        let recorded_at = self.facts.last().map_or(at, |last| at.max(next(last)));
        let NewFact { effect, valid_from, valid_to, source } = new;
        let recorded_by = by.clone();
        self.facts.push(Fact { effect, valid_from, valid_to, source, recorded_at, recorded_by });
        self.updated_at = at;
        Ok(true)
    }

    fn check(&self, new: &NewFact) -> Result<(), Fault> {
        if let Some(last) = new.valid_to.filter(|last| *last < new.valid_from) {
            let first = new.valid_from;
            let words = format!("the last day {last} is before the first day {first}");
            return Err(Fault::malformed("INVALID_FIELD", words).at("valid_to"));
        }
        if self.facts.len() >= MAX_FACTS {
            return Err(Fault::illegal_state(
                "TOO_MANY_FACTS",
                format!("of one delegation at most {MAX_FACTS} facts are recorded"),
            ));
        }
        if new.effect == Effect::Revoked && !self.is_active_from(new.valid_from) {
            return Err(Fault::illegal_state(
                "DELEGATION_NOT_HELD",
                format!(
                    "nothing is delegated on {} or later that could be taken back",
                    new.valid_from
                ),
            ));
        }
        Ok(())
    }

    /// Whether the broker acts for the exporter on `day`, as known at a moment (`None`: by all
    /// that is known).
    pub fn is_active(&self, day: Date, as_known_at: Option<Timestamp>) -> bool {
        self.holding(day, as_known_at).is_some_and(|fact| fact.effect == Effect::Granted)
    }

    /// How it stands on `day`, by all that is known.
    pub fn state(&self, day: Date) -> DelegationState {
        match self.holding(day, None).map(|fact| fact.effect) {
            Some(Effect::Granted) => DelegationState::Active,
            Some(Effect::Revoked) => DelegationState::Revoked,
            None if self.is_active_from(day) => DelegationState::Pending,
            None => DelegationState::Expired,
        }
    }

    fn holds(&self, new: &NewFact) -> bool {
        let validity = Validity { from: Some(new.valid_from), to: new.valid_to };
        self.facts.iter().rposition(|held| held.says(new)).is_some_and(|place| {
            !self.facts[place + 1..].iter().any(|later| later.validity().overlaps(validity))
        })
    }

    /// The fact that counts on `day`: facts stand in the order of recording.
    fn holding(&self, day: Date, as_known_at: Option<Timestamp>) -> Option<&Fact> {
        self.facts
            .iter()
            .filter(|fact| as_known_at.is_none_or(|moment| fact.recorded_at <= moment))
            .rfind(|fact| fact.validity().holds_on(day))
    }

    /// Whether it is active on `day` or any later day: what holds can change only where a fact
    /// begins, or on the day after one ends.
    fn is_active_from(&self, day: Date) -> bool {
        let turns = self.facts.iter().flat_map(|fact| {
            [Some(fact.valid_from), fact.valid_to.and_then(|last| last.tomorrow().ok())]
        });
        let later = turns.flatten().filter(|turn| *turn > day);
        std::iter::once(day).chain(later).any(|day| self.is_active(day, None))
    }
}

#[cfg(test)]
mod tests {
    use jiff::ToSpan as _;
    use jiff::civil::date;
    use proptest::prelude::*;

    use super::*;

    const EXPORTER: &str = "30500010912";

    fn customs() -> PartnerId {
        "customs".parse().unwrap()
    }

    fn pair() -> Delegation {
        Delegation::between(
            "broker".parse().unwrap(),
            EXPORTER.parse().unwrap(),
            Timestamp::UNIX_EPOCH,
        )
    }

    fn fact(effect: Effect, from: Date, to: Option<Date>) -> NewFact {
        NewFact { effect, valid_from: from, valid_to: to, source: "Poder 7".parse().unwrap() }
    }

    fn june(day: i8) -> Date {
        date(2026, 6, day)
    }

    #[test]
    fn it_holds_on_its_days_until_it_is_taken_back_and_can_be_granted_again() {
        use DelegationState::{Active, Expired, Pending, Revoked};
        let (mut one, by, at) = (pair(), customs(), Timestamp::UNIX_EPOCH);
        let granted = fact(Effect::Granted, june(5), Some(june(20)));
        assert!(one.record(granted.clone(), &by, at).unwrap());
        assert!(!one.record(granted.clone(), &by, at).unwrap(), "known already");
        let states = |one: &Delegation| [4, 5, 20, 21].map(|day| one.state(june(day)));
        assert_eq!(states(&one), [Pending, Active, Active, Expired]);
        assert!(one.record(fact(Effect::Revoked, june(10), None), &by, at).unwrap());
        assert_eq!(states(&one), [Pending, Active, Revoked, Revoked]);
        // The same mandate stated again, after it was taken back, is news.
        assert!(one.record(granted, &by, at).unwrap());
        assert_eq!(states(&one), [Pending, Active, Active, Revoked]);
        assert_eq!(one.facts.len(), 3);
    }

    #[test]
    fn what_ends_nothing_and_what_ends_before_it_begins_is_refused() {
        let (mut one, by, at) = (pair(), customs(), Timestamp::UNIX_EPOCH);
        let mut reason = |new| one.record(new, &by, at).map_err(|fault| fault.reason);
        assert_eq!(reason(fact(Effect::Revoked, june(1), None)), Err("DELEGATION_NOT_HELD"));
        let backwards = fact(Effect::Granted, june(5), Some(june(4)));
        assert_eq!(reason(backwards), Err("INVALID_FIELD"));
        assert_eq!(reason(fact(Effect::Granted, june(5), Some(june(9)))), Ok(true));
        assert_eq!(reason(fact(Effect::Revoked, june(10), None)), Err("DELEGATION_NOT_HELD"));
        assert_eq!(reason(fact(Effect::Revoked, june(1), None)), Ok(true));
        // The same revocation again changes nothing.
        assert_eq!(reason(fact(Effect::Revoked, june(1), None)), Ok(false));
    }

    fn a_fact() -> impl Strategy<Value = NewFact> {
        (any::<bool>(), 0i32..40, proptest::option::of(0i32..20)).prop_map(
            |(granted, from, days)| {
                let from = june(1).saturating_add(from.days());
                let to = days.map(|days| from.saturating_add(days.days()));
                if granted {
                    fact(Effect::Granted, from, to)
                } else {
                    fact(Effect::Revoked, from, None)
                }
            },
        )
    }

    proptest! {
        /// What is said later as of a moment is what was said at that moment.
        #[test]
        fn the_past_is_answered_as_it_was_known(facts in proptest::collection::vec(a_fact(), 1..12)) {
            let (mut one, by) = (pair(), customs());
            let answers = |one: &Delegation, known| -> Vec<bool> {
                (0..70).map(|day| one.is_active(june(1).saturating_add(day.days()), known)).collect()
            };
            let mut told = Vec::new();
            for (second, new) in (1i64..).zip(facts) {
                let at = Timestamp::from_second(second).unwrap();
                // Refusals are no facts.
                let _ = one.record(new, &by, at);
                told.push((at, answers(&one, None)));
            }
            for (at, answer) in told {
                prop_assert_eq!(answers(&one, Some(at)), answer);
            }
        }
    }
}
