use proptest::prelude::*;

use super::*;

fn stamp() -> Stamp {
    Stamp {
        at: "2026-11-24T11:00:00Z".parse().unwrap(),
        actor: "marketplace".into(),
        certificate: Some("bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2".into()),
        request_id: "0190a6f0-0000-7000-8000-000000000001".into(),
        trace_id: None,
    }
}

#[test]
fn the_leaf_is_one_canonical_line() {
    let draft = Draft::new(EntryKind::ListingCleared)
        .over(b"content".to_vec())
        .about("listings/0190a6f0-0000-7000-8000-000000000002")
        .fact("outcome", "CLEARED")
        .fact("agency", "INV");
    let entry = draft.seal(&stamp(), &[0; 32]).unwrap();
    let expected = concat!(
        r#"{"v":1,"at":"2026-11-24T11:00:00.000000Z","kind":"listing.cleared","actor":"marketplace""#,
        r#","certificate":"bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2""#,
        r#","request_id":"0190a6f0-0000-7000-8000-000000000001""#,
        r#","resource":"listings/0190a6f0-0000-7000-8000-000000000002""#,
        r#","facts":{"agency":"INV","outcome":"CLEARED"}"#,
        r#","commitment":"K6N9Z+53iacskgzoyY8Rk35oh946YpcEKnE4jLgT+zw="}"#,
    );
    assert_eq!(entry.text(), expected);
    assert_eq!(Entry::parse(entry.text().as_bytes()).unwrap(), entry);
    assert_eq!(entry.kind(), Some(EntryKind::ListingCleared));
    assert!(entry.commitment().opens_with(&[0; 32], draft.content()));
}

#[test]
fn no_cuit_enters_a_leaf() {
    let kind = EntryKind::EligibilityRecorded;
    for draft in [
        Draft::new(kind).about_person("exporters/20123456786"),
        Draft::new(kind).about("sellers/20123456786"),
        Draft::new(kind).about("sellers/20-12345678-6"),
    ] {
        let entry = draft.seal(&stamp(), &[1; 32]).unwrap();
        assert_eq!(entry.resource(), None);
        assert!(!entry.text().contains("12345678"));
        assert!(!format!("{draft:?}").contains("12345678"));
    }
    let leak = Draft::new(kind).fact("cuit", "20-12345678-6");
    assert_eq!(leak.seal(&stamp(), &[1; 32]), Err(EntryError::Personal("cuit".into())));
    // Eleven digits without the check digit, and digits inside a UUID, are no CUIT.
    let fine = Draft::new(kind)
        .about("listings/0190a6f0-0000-7000-8000-120123456786")
        .fact("lines", 20_123_456_787_u64)
        .amount("amount", "20123456786".parse().unwrap())
        .amount("fob", "20123456786.50".parse().unwrap());
    let entry = fine.seal(&stamp(), &[1; 32]).unwrap();
    assert_eq!(entry.facts()["amount"], "20123456786.0");
    let sentence = Draft::new(kind).fact("note", "of 20123456786.");
    assert!(sentence.seal(&stamp(), &[1; 32]).is_err());
}

#[test]
fn what_is_not_canonical_is_refused() {
    let draft = Draft::new(EntryKind::ReportSealed).fact("a", 1).fact("b", 2);
    let entry = draft.seal(&stamp(), &[2; 32]).unwrap();
    let parse = |text: String| Entry::parse(text.as_bytes()).unwrap_err();
    let text = entry.text();
    assert_eq!(parse(text.replace("\"a\":", "\"a\": ")), EntryError::NotCanonical);
    assert_eq!(
        parse(text.replace(r#""a":"1","b":"2""#, r#""b":"2","a":"1""#)),
        EntryError::NotCanonical
    );
    assert_eq!(parse(text.replace(".000000Z", "Z")), EntryError::NotCanonical);
    assert_eq!(parse(text.replace("\"v\":1", "\"v\":2")), EntryError::Version(2));
    assert_eq!(parse(text.replace("facts", "fasts")), EntryError::Malformed);
    assert_eq!(parse(text.replace("report.sealed", "Report")), EntryError::Malformed);
    assert_eq!(parse(format!("{text}\n")), EntryError::NotCanonical);
    let later = Entry::parse(text.replace("report.sealed", "report.framed").as_bytes()).unwrap();
    assert_eq!((later.kind(), later.kind_text()), (None, "report.framed"));
}

#[test]
fn long_and_unclean_entries_are_refused() {
    let long = Draft::new(EntryKind::RulesLoaded).fact("note", "x".repeat(66_000));
    assert!(matches!(long.seal(&stamp(), &[3; 32]), Err(EntryError::TooLong(_))));
    let unclean = Draft::new(EntryKind::RulesLoaded).fact("note", "a\r\nb");
    let refused = Err(EntryError::Control("note".into()));
    assert_eq!(unclean.seal(&stamp(), &[3; 32]), refused);
    let content = Draft::new(EntryKind::RulesLoaded).over(vec![b'x'; 1_000_000]);
    assert!(content.seal(&stamp(), &[3; 32]).is_ok());
}

proptest! {
    #[test]
    fn every_sealed_entry_reads_back(
        kind in proptest::sample::select(EntryKind::ALL),
        micros in 0_i64..4_000_000_000_000_000,
        actor in "[a-z-]{1,20}",
        request_id in "\\PC{1,40}",
        delegations in proptest::collection::vec("[a-z]{1,9}", 0..3),
        facts in proptest::collection::btree_map("[a-z_]{1,9}", "\\PC{0,30}", 0..6),
        salt in any::<[u8; 32]>(),
    ) {
        let at = Timestamp::from_microsecond(micros).unwrap();
        let stamp = Stamp { at, actor, request_id, ..stamp() };
        let draft = facts
            .into_iter()
            .fold(Draft::new(kind).over(vec![1]), |draft, (key, value)| draft.fact(key, value))
            .on_behalf_of(&delegations);
        let entry = draft.seal(&stamp, &salt).unwrap();
        prop_assert_eq!(entry.at(), at);
        prop_assert_eq!(Entry::parse(entry.text().as_bytes()).unwrap(), entry);
    }

    #[test]
    fn hostile_leaves_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(Entry::parse(&bytes).is_err());
    }
}
