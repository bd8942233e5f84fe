//! Control totals and keys of reports, by example.

use super::*;

fn total(kind: SaleKind, currency: &str, lines: u64, quantity: &str, amount: &str) -> ControlTotal {
    ControlTotal {
        kind,
        currency: currency.parse().unwrap(),
        lines,
        quantity: quantity.parse().unwrap(),
        amount: amount.parse().unwrap(),
    }
}

fn report() -> Report {
    let (marketplace, period) =
        ("marketplace".parse().unwrap(), "2010-12-01..2010-12-31".parse().unwrap());
    Report::open(marketplace, period, Timestamp::UNIX_EPOCH)
}

fn outcome(accepted: u64, warned: u64, refused: u64) -> Outcome {
    let totals = vec![
        total(SaleKind::Sale, "GBP", 3, "7", "823746.14"),
        total(SaleKind::Cancellation, "GBP", 1, "2", "74789.12"),
    ];
    Outcome { accepted, warned, refused, totals }
}

#[test]
fn the_state_follows_from_what_it_holds() {
    for (counts, state) in [
        ((4, 0, 0), ReportState::Accepted),
        ((3, 1, 0), ReportState::PartiallyAccepted),
        ((4, 0, 1), ReportState::PartiallyAccepted),
        ((0, 4, 0), ReportState::PartiallyAccepted),
        ((0, 0, 0), ReportState::Rejected),
        ((0, 0, 9), ReportState::Rejected),
    ] {
        let outcome = outcome(counts.0, counts.1, counts.2);
        let sealed = report().seal(&outcome, &[], Timestamp::UNIX_EPOCH).unwrap();
        assert_eq!(sealed.state, state);
        let again = sealed.seal(&outcome, &[], Timestamp::UNIX_EPOCH).unwrap_err();
        assert_eq!(again.reason, "REPORT_SEALED");
    }
    let abandoned = report().abandon().unwrap();
    assert_eq!(abandoned.takes_lines().unwrap_err().reason, "REPORT_ABANDONED");
}

#[test]
fn totals_are_compared_to_the_last_digit_and_each_difference_is_named() {
    let held = outcome(4, 0, 0);
    let mut expected = held.totals.clone();
    expected[0].amount = "823746.1400".parse().unwrap();
    report().seal(&held, &expected, Timestamp::UNIX_EPOCH).unwrap();

    expected[0].amount = "823746.15".parse().unwrap();
    expected[1] = total(SaleKind::Sale, "USD", 1, "1", "1");
    let fault = report().seal(&held, &expected, Timestamp::UNIX_EPOCH).unwrap_err();
    assert_eq!(fault.reason, "CONTROL_TOTALS_MISMATCH");
    let subjects: Vec<_> = fault.violations.iter().map(|v| v.subject.as_str()).collect();
    assert_eq!(subjects, ["SALE/GBP", "SALE/USD", "CANCELLATION/GBP"]);
    assert_eq!(
        fault.violations[0].description,
        "amount: expected 823746.15, found 823746.14, difference -0.01"
    );
    let paths: Vec<_> =
        fault.violations.iter().flat_map(|v| &v.fields).map(|(path, _)| path).collect();
    let [amount, lines, quantity, other, missing] = paths[..] else { panic!("{paths:?}") };
    assert_eq!(amount, "expected_totals[0].amount");
    assert_eq!(lines, "expected_totals[1].lines");
    assert_eq!(quantity, "expected_totals[1].quantity");
    assert_eq!(other, "expected_totals[1].amount");
    assert_eq!(missing, "expected_totals", "what is stored and not expected is in no element");
    expected[1] = expected[0];
    let many: Vec<_> = ["AED", "ARS", "BRL", "CNY", "EUR", "USD"]
        .into_iter()
        .flat_map(|code| SaleKind::ALL.iter().map(move |kind| total(*kind, code, 1, "1", "1")))
        .collect();
    let fault = report().seal(&held, &many, Timestamp::UNIX_EPOCH).unwrap_err();
    assert!(fault.violations.len() == TOTALS_NAMED && fault.message.len() < 1000);
    let twice = report().seal(&held, &expected, Timestamp::UNIX_EPOCH).unwrap_err();
    assert_eq!(twice.reason, "INVALID_FIELD");
}

#[test]
fn a_report_survives_its_document_and_keys_differ() {
    let sealed = report().seal(&outcome(4, 0, 0), &[], Timestamp::UNIX_EPOCH).unwrap();
    let json = serde_json::to_string(&sealed).unwrap();
    assert_eq!(serde_json::from_str::<Report>(&json).unwrap(), sealed);
    let other = report_key(&sealed.marketplace, sealed.period, 2);
    assert_ne!(sealed.key(), other);
}
