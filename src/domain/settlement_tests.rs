//! Where settlements stand follows from reports and the day, in any order.

use jiff::civil::date;
use proptest::prelude::*;

use super::*;
use crate::domain::reference::{ReferenceRow, ReferenceTable};
use crate::domain::rule_table::RowFault;

fn terms(rows: &[(&str, &[(&str, &str)])]) -> (TariffTerms, Vec<RowFault>) {
    let row = |(code, attributes): &(&str, &[(&str, &str)])| ReferenceRow {
        code: (*code).to_owned(),
        title_es: String::new(),
        title_en: String::new(),
        attributes: attributes.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect(),
        valid_from: None,
        valid_to: None,
    };
    TariffTerms::read(&ReferenceTable {
        id: "settlement_terms".to_owned(),
        version: "1".to_owned(),
        source: "test".to_owned(),
        loaded_at: Timestamp::UNIX_EPOCH,
        digest: String::new(),
        rows: rows.iter().map(row).collect(),
    })
}

fn settlement() -> Settlement {
    Settlement {
        declaration: "26001EC01000001A".parse().unwrap(),
        item: 1i64.try_into().unwrap(),
        exporter: "30500010912".parse().unwrap(),
        ncm: "2204.21.00".parse().unwrap(),
        shipped_on: date(2026, 1, 1),
        term: Some(Term { days: 60, source: "x".to_owned() }),
        currency: "USD".parse().unwrap(),
        settled: Amount::ZERO,
        certified: false,
        reports: Vec::new(),
    }
}

#[test]
fn the_longest_code_sets_the_term_and_faults_are_told() {
    let (rules, faults) = terms(&[
        ("22", &[("days", "180"), ("source", "a")]),
        ("22.04", &[("days", "365"), ("source", "b")]),
    ]);
    assert_eq!(faults, []);
    let days = |ncm: &str| rules.term(ncm.parse().unwrap(), date(2026, 1, 1)).map(|term| term.days);
    assert_eq!(
        (days("2204.21.00"), days("2203.00.00"), days("0306.17.90")),
        (Some(365), Some(180), None)
    );
    let faulty = terms(&[
        ("wine", &[("days", "1"), ("source", "a")]),
        ("22", &[("days", "0"), ("source", "a")]),
        ("22", &[("days", "3661"), ("source", "a")]),
        ("22", &[("days", "30")]),
        ("22", &[("days", "30"), ("source", "a"), ("dais", "3")]),
    ]);
    let columns: Vec<_> = faulty.1.iter().map(|fault| (fault.row, fault.column)).collect();
    let cells = "attributes";
    assert_eq!(columns, [(0, "code"), (1, cells), (2, cells), (3, cells), (4, cells)]);
}

proptest! {
    /// Whatever is reported on whatever day: the sum is that of the documents in its currency, a
    /// document counts once, what is certified stays so, and every refusal names state and ways.
    #[test]
    fn any_history_keeps_the_rules(steps in prop::collection::vec(
        (0u8..6, 0u32..400, 0u8..2, prop::bool::weighted(0.05), 0i32..3), 1..40,
    )) {
        let fob: Amount = "1000".parse().unwrap();
        let by: PartnerId = "customs".parse().unwrap();
        let mut one = settlement();
        let mut day = one.shipped_on;
        for (document, amount, foreign, certifies, days) in steps {
            day = day.saturating_add(jiff::Span::new().days(days * 7));
            let new = NewReport {
                amount: Amount::of(amount.into()),
                currency: if foreign == 1 { "EUR" } else { "USD" }.parse().unwrap(),
                settled_on: day,
                evidence: format!("S-{document}").parse().unwrap(),
                reporter: SettlementReporter::Bank,
                certifies,
            };
            let (before, state) = (one.clone(), one.state(day));
            let known = before.reports.iter().find(|r| r.reported.evidence == new.evidence);
            match one.report(&new, fob, &by, Timestamp::UNIX_EPOCH, day) {
                Ok(true) => prop_assert!(known.is_none() && state != SettlementState::Certified),
                Ok(false) => prop_assert_eq!(known.map(|r| &r.reported), Some(&new)),
                Err(fault) if known.is_some() => prop_assert_eq!(fault.reason, "SETTLEMENT_DIFFERS"),
                Err(fault) => {
                    prop_assert_eq!(fault.reason, "ILLEGAL_TRANSITION");
                    let names: Vec<_> = fault.metadata.iter().map(|(name, _)| *name).collect();
                    prop_assert_eq!(names, ["state", "allowed"]);
                    prop_assert_eq!(state, SettlementState::Certified);
                    prop_assert_eq!(&one, &before);
                }
            }
            let sum = one.reports.iter().filter(|r| r.reported.currency == one.currency)
                .try_fold(Amount::ZERO, |sum, r| sum.plus(r.reported.amount)).unwrap();
            prop_assert_eq!(sum, one.settled);
            prop_assert!(!before.certified || one.certified);
            let (now, turn) = (one.state(day), one.next_turn(day));
            if let Some(turn) = turn {
                prop_assert_eq!(one.state(turn.yesterday().unwrap()), now);
                prop_assert_eq!(one.state(turn), SettlementState::Overdue);
            } else {
                prop_assert!(matches!(now, SettlementState::Certified | SettlementState::Overdue));
            }
        }
    }
}
