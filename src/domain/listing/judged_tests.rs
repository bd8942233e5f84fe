//! Every way of judging anew keeps what the rule at the top of the module says.

use jiff::ToSpan;
use jiff::civil::date;
use proptest::prelude::*;

use super::*;
use crate::domain::listing::{Decision, Offer};
use crate::domain::reference::{ReferenceRow, ReferenceTable};

const TODAY: Date = date(2027, 1, 15);

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

fn listing(certificates: &[&str]) -> Listing {
    let offer: Offer = serde_json::from_value(serde_json::json!({
        "title": "Malbec", "ncm": "2204.21.00", "channel": "OFFICIAL_STORE", "unit": "C62",
        "statistical_unit": "LTR", "statistical_factor": "0.75", "price": "18.50",
        "currency": "USD", "destination": "CN",
    }))
    .unwrap();
    let offer = Offer {
        certificates: certificates.iter().map(|one| one.parse().unwrap()).collect(),
        ..offer
    };
    let (marketplace, sku) = ("marketplace".parse().unwrap(), "W-1".parse().unwrap());
    Listing::draft(marketplace, sku, "30500010912".parse().unwrap(), offer, at(0))
}

/// Cleared by all of whom `rules` ask on `TODAY`.
fn cleared(certificates: &[&str], rules: &Requirements) -> Listing {
    let mut one = listing(certificates);
    one.submit(&one.requirement(rules, TODAY), TODAY, at(1)).unwrap();
    for authority in one.requirement(rules, TODAY).authorities {
        one.decide(authority, Decision::Clear, None, None, at(2)).unwrap();
    }
    one
}

/// Rules for wine: rows of (attribute, names, first day, last day).
fn rules(rows: &[(&str, &str, Option<Date>, Option<Date>)]) -> Requirements {
    let row = |(name, value, from, to): &(&str, &str, Option<Date>, Option<Date>)| ReferenceRow {
        code: "2204".to_owned(),
        title_es: String::new(),
        title_en: String::new(),
        attributes: [((*name).to_owned(), (*value).to_owned())].into(),
        valid_from: *from,
        valid_to: *to,
    };
    let table = ReferenceTable {
        id: "certificates".to_owned(),
        version: "1".to_owned(),
        source: "test".to_owned(),
        loaded_at: Timestamp::UNIX_EPOCH,
        digest: String::new(),
        rows: rows.iter().map(row).collect(),
    };
    let (rules, faults) = Requirements::read(&table);
    assert_eq!(faults, []);
    rules
}

#[test]
fn a_certificate_that_ended_suspends_and_its_extension_lifts() {
    let rules = Requirements::default();
    let mut one = cleared(&["INV:1:2027-02-28"], &rules);
    assert_eq!(one.judge(&rules, TODAY, at(3)), None);
    let turn = one.next_turn(&rules, TODAY).unwrap();
    assert_eq!(turn, date(2027, 3, 1));
    assert_eq!(one.judge(&rules, date(2027, 2, 28), at(3)), None);
    assert_eq!(one.judge(&rules, turn, at(3)), Some(Verdict::Suspended));
    assert_eq!(one.state, ListingState::Suspended);
    assert_eq!(one.suspension_reasons, [SuspensionReason::Certificate].into());
    assert_eq!(one.ended_certificates(&rules, turn), ["INV:1:2027-02-28".parse().unwrap()]);
    assert_eq!(one.judge(&rules, turn, at(4)), None, "judged once");
    assert_eq!(one.next_turn(&rules, turn), None);

    assert!(!one.extend(&"INV:2:2028-01-01".parse().unwrap(), at(5)));
    assert!(!one.extend(&"INV:1:2027-01-01".parse().unwrap(), at(5)));
    assert!(one.extend(&"INV:1:2028-01-01".parse().unwrap(), at(5)));
    assert_eq!(one.judge(&rules, turn, at(5)), Some(Verdict::Reinstated));
    assert_eq!(one.state, ListingState::Cleared);
    assert_eq!(one.next_turn(&rules, turn), Some(date(2028, 1, 2)));
}

#[test]
fn a_marketplace_s_word_alone_lifts_nothing() {
    let rules = Requirements::default();
    let mut one = cleared(&["INV:1:2027-01-31"], &rules);
    let day = date(2027, 2, 1);
    one.judge(&rules, day, at(3)).unwrap();
    let before = one.clone();
    let mut offer = one.offer.clone();
    offer.certificates = vec!["INV:1:2029-01-01".parse().unwrap()];
    assert!(one.change(offer, at(4)).unwrap());
    one.ask_again(&before, &rules, day, at(4));
    one.judge(&rules, day, at(4));
    assert_eq!(one.state, ListingState::UnderReview);
    let waiting: Vec<_> = one.reviews.iter().filter(|r| r.state == ReviewState::Pending).collect();
    assert_eq!(waiting.len(), 1);
    assert_eq!(waiting[0].authority, Authority::Inv);
    one.decide(Authority::Inv, Decision::Clear, None, None, at(5)).unwrap();
    assert_eq!(one.state, ListingState::Cleared);
}

#[test]
fn new_rules_put_it_before_who_had_no_part_and_drop_who_has_none() {
    let before = rules(&[("issuers", "INV", None, None)]);
    let after = rules(&[("clears", "INAL", None, None)]);
    let mut one = cleared(&["INV:1:2027-02-28"], &before);
    assert_eq!(one.judge(&after, TODAY, at(3)), Some(Verdict::Requeued));
    assert_eq!(one.state, ListingState::UnderReview);
    let parts: Vec<_> = one.reviews.iter().map(|r| (r.authority, r.state)).collect();
    assert_eq!(
        parts,
        [
            (Authority::Customs, ReviewState::Cleared),
            (Authority::Inv, ReviewState::Cleared),
            (Authority::Inal, ReviewState::Pending)
        ],
        "what was decided stays"
    );
    assert_eq!(one.judge(&before, TODAY, at(4)), Some(Verdict::Reinstated));
    assert_eq!(one.state, ListingState::Cleared);

    let stricter = rules(&[("issuers", "INV SENASA", None, None)]);
    assert!(one.judge(&stricter, TODAY, at(5)).is_some());
    assert!(one.suspension_reasons.contains(&SuspensionReason::Certificate));
    assert_ne!(one.state, ListingState::Cleared);
}

#[test]
fn what_is_not_handed_in_or_taken_back_stays() {
    let rules = Requirements::default();
    let mut draft = listing(&[]);
    assert_eq!((draft.judge(&rules, TODAY, at(1)), draft.next_turn(&rules, TODAY)), (None, None));
    let mut gone = cleared(&["INV:1:2027-02-28"], &rules);
    gone.withdraw(at(3)).unwrap();
    assert_eq!(gone.judge(&rules, date(2030, 1, 1), at(4)), None);
    assert_eq!(gone.next_turn(&rules, TODAY), None);
}

fn steps() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(0u8..8, 1..40)
}

proptest! {
    /// Whatever happens, a listing that is cleared has every certificate that is needed and every
    /// authority's word; and between one turn and the next nothing has to be judged.
    #[test]
    fn what_is_cleared_may_be_sold(steps in steps(), ends in prop::collection::vec(0i32..60, 1..3)) {
        let early = date(2027, 2, 1);
        let mut all = [
            rules(&[("issuers", "INV", None, None)]),
            rules(&[("issuers", "INV", None, early.yesterday().ok()),
                    ("issuers", "INV INAL", Some(early), None)]),
            rules(&[("clears", "INAL", None, None)]),
        ].into_iter().cycle();
        let mut rules = all.next().unwrap();
        let names = ["INV:1", "INAL:1"];
        let certificates: Vec<String> = ends.iter().zip(names)
            .map(|(days, name)| format!("{name}:{}", TODAY.saturating_add(days.days())))
            .collect();
        let certificates: Vec<&str> = certificates.iter().map(String::as_str).collect();
        let mut one = cleared(&certificates, &rules);
        let mut day = TODAY;
        for (second, step) in (10..).zip(steps) {
            match step {
                0..=2 => {
                    let next = one.next_turn(&rules, day);
                    // Every day before the turn comes to what today comes to.
                    let quiet = next.unwrap_or(day.saturating_add(9.days()));
                    let mut probe = one.clone();
                    prop_assert_eq!(probe.judge(&rules, quiet.yesterday().unwrap().max(day), at(second)), None);
                    day = next.unwrap_or(day);
                }
                3 => rules = all.next().unwrap(),
                4 => {
                    let until = day.saturating_add(20.days());
                    one.extend(&format!("INV:1:{until}").parse().unwrap(), at(second));
                }
                5 | 6 => for authority in [Authority::Customs, Authority::Inv, Authority::Inal] {
                    let _no_part = one.decide(authority, Decision::Clear, None, None, at(second));
                },
                _ => {
                    let until = day.saturating_add(20.days());
                    one.extend(&format!("INAL:1:{until}").parse().unwrap(), at(second));
                }
            }
            one.judge(&rules, day, at(second));
            let needed = one.requirement(&rules, day);
            if one.state == ListingState::Cleared {
                prop_assert_eq!(one.missing_certificates(&needed, day), vec![]);
                for authority in needed.authorities {
                    prop_assert!(one.reviews.iter().any(
                        |r| r.authority == authority && r.state == ReviewState::Cleared
                    ));
                }
            } else {
                let why = !one.suspension_reasons.is_empty()
                    || one.reviews.iter().any(|r| r.state != ReviewState::Cleared);
                prop_assert!(why, "not cleared, and nothing says why: {:?}", one.state);
            }
        }
    }
}
