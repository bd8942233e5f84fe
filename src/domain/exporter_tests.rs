use jiff::civil::date;
use proptest::prelude::*;

use super::*;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + second).unwrap()
}

fn exporter() -> Exporter {
    let cuit = "30500010912".parse().unwrap();
    let name = "Bodega de ejemplo S.A.".parse().unwrap();
    Exporter::register(cuit, name, SizeClass::Micro, Province::Mendoza, at(0))
}

fn fact(status: EligibilityStatus, from: Date, to: Option<Date>) -> NewFact {
    NewFact {
        status,
        cause: None,
        legal_instrument: None,
        valid_from: from,
        valid_to: to,
        chapters: BTreeSet::new(),
    }
}

use EligibilityStatus::{Eligible, Revoked, Suspended};

#[test]
fn a_suspension_recorded_late_is_seen_only_by_who_knows_of_it() {
    let mut one = exporter();
    one.record(fact(Eligible, date(2024, 1, 1), None), at(10)).unwrap();
    one.record(fact(Suspended, date(2024, 3, 1), Some(date(2024, 3, 31))), at(20)).unwrap();
    let march = date(2024, 3, 15);
    assert_eq!(
        one.eligibility(march, Some(at(19)), None),
        Eligibility::Eligible { since: date(2024, 1, 1) }
    );
    assert_eq!(
        one.eligibility(march, Some(at(20)), None),
        Eligibility::NotEligible(IneligibleReason::Suspended)
    );
    assert!(one.eligible_on(date(2024, 2, 15)) && !one.eligible_on(march));
    assert_eq!(
        one.eligibility(date(2024, 4, 2), None, None),
        Eligibility::Eligible { since: date(2024, 4, 1) }
    );
    assert_eq!(one.eligibility(march, Some(at(9)), None), Eligibility::Unknown);
    assert_eq!(one.standing(march), Some(Standing { status: Suspended, since: date(2024, 3, 1) }));
}

#[test]
fn before_between_and_after_are_told_apart() {
    let mut one = exporter();
    one.record(fact(Eligible, date(2024, 1, 1), Some(date(2024, 1, 31))), at(1)).unwrap();
    one.record(fact(Eligible, date(2024, 3, 1), Some(date(2024, 3, 31))), at(2)).unwrap();
    let on = |day| one.eligibility(day, None, None);
    assert_eq!(on(date(2023, 12, 31)), Eligibility::NotEligible(IneligibleReason::NotYetValid));
    assert_eq!(on(date(2024, 1, 31)), Eligibility::Eligible { since: date(2024, 1, 1) });
    assert_eq!(on(date(2024, 2, 1)), Eligibility::NotEligible(IneligibleReason::Expired));
    assert_eq!(on(date(2024, 4, 1)), Eligibility::NotEligible(IneligibleReason::Expired));
    assert_eq!(one.standing(date(2024, 4, 1)), None);
}

#[test]
fn validities_that_touch_have_no_gap() {
    let mut one = exporter();
    one.record(fact(Eligible, date(2024, 1, 1), Some(date(2024, 1, 31))), at(1)).unwrap();
    one.record(fact(Eligible, date(2024, 2, 1), None), at(2)).unwrap();
    assert_eq!(
        one.eligibility(date(2024, 6, 1), None, None),
        Eligibility::Eligible { since: date(2024, 1, 1) }
    );
}

#[test]
fn what_is_recorded_later_counts_by_a_clock_that_stands_or_goes_back_too() {
    let mut one = exporter();
    one.record(fact(Suspended, date(2024, 1, 1), None), at(2)).unwrap();
    one.record(fact(Eligible, date(2024, 1, 1), None), at(2)).unwrap();
    assert_eq!(one.standing(date(2024, 1, 1)).unwrap().status, Eligible);
    one.record(fact(Suspended, date(2024, 1, 1), None), at(1)).unwrap();
    assert_eq!(one.standing(date(2024, 1, 1)).unwrap().status, Suspended);
}

#[test]
fn the_same_again_says_nothing_new_unless_something_came_between() {
    let mut one = exporter();
    let eligible = fact(Eligible, date(2024, 1, 1), None);
    assert!(one.record(eligible.clone(), at(1)).unwrap());
    assert!(!one.record(eligible.clone(), at(2)).unwrap());
    assert!(one.record(fact(Suspended, date(2024, 3, 1), None), at(3)).unwrap());
    assert!(one.record(eligible, at(4)).unwrap(), "lifts the suspension");
    assert_eq!(one.standing(date(2024, 3, 1)).unwrap().status, Eligible);
}

#[test]
fn a_revocation_is_final() {
    let mut one = exporter();
    let ended = fact(Revoked, date(2024, 1, 1), Some(date(2024, 2, 1)));
    assert_eq!(one.record(ended, at(1)).unwrap_err().field.as_deref(), Some("valid_to"));
    let revoked = fact(Revoked, date(2024, 1, 1), None);
    one.record(revoked.clone(), at(1)).unwrap();
    assert!(!one.record(revoked, at(2)).unwrap());
    let fault = one.record(fact(Eligible, date(2025, 1, 1), None), at(3)).unwrap_err();
    assert_eq!(fault.reason, "ELIGIBILITY_REVOKED");
    assert_eq!(
        one.eligibility(date(2030, 1, 1), None, None),
        Eligibility::NotEligible(IneligibleReason::Revoked)
    );
}

#[test]
fn chapters_bound_what_may_be_exported() {
    let mut one = exporter();
    let mut wine = fact(Eligible, date(2024, 1, 1), None);
    wine.chapters.insert("22".parse().unwrap());
    one.record(wine, at(1)).unwrap();
    let asked = |chapter: Option<&str>| {
        one.eligibility(date(2024, 1, 1), None, chapter.map(|text| text.parse().unwrap()))
    };
    assert!(matches!(asked(Some("22")), Eligibility::Eligible { .. }));
    assert!(matches!(asked(None), Eligibility::Eligible { .. }));
    assert_eq!(asked(Some("03")), Eligibility::NotEligible(IneligibleReason::ChapterNotAuthorised));
}

#[test]
fn days_are_argentine() {
    assert_eq!(argentine_day("2024-01-02T02:59:59Z".parse().unwrap()), date(2024, 1, 1));
    assert_eq!(argentine_day("2024-01-02T03:00:00Z".parse().unwrap()), date(2024, 1, 2));
}

#[test]
fn an_exporter_survives_its_document() {
    let mut one = exporter();
    one.record(fact(Suspended, date(2024, 3, 1), Some(date(2024, 3, 31))), at(20)).unwrap();
    let json = serde_json::to_string(&one).unwrap();
    assert_eq!(serde_json::from_str::<Exporter>(&json).unwrap(), one);
}

proptest! {
    /// `since` against a walk back day by day.
    #[test]
    fn since_is_the_first_day_of_the_run(
        facts in proptest::collection::vec((0usize..2, 1i8..28, proptest::option::of(0i8..10)), 1..6),
        day in 1i8..28,
    ) {
        let mut one = exporter();
        for (second, (status, from, length)) in (0i64..).zip(facts) {
            let from = date(2024, 2, from);
            let to = length.map(|l| from.saturating_add(jiff::Span::new().days(l)));
            one.record(fact(EligibilityStatus::ALL[status], from, to), at(second)).unwrap();
        }
        let day = date(2024, 2, day);
        if let Some(Standing { status, since }) = one.standing(day) {
            let mut first = day;
            while one.holding(first.yesterday().unwrap(), None).map(|f| f.status) == Some(status) {
                first = first.yesterday().unwrap();
            }
            prop_assert_eq!(since, first);
        }
    }
}
