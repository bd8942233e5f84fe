//! What the shared parsers take and refuse.

use super::*;
use crate::proto::puente::access::v1::{GetPartnerRequest, Role as WireRole};

#[test]
fn a_digest_tells_method_and_content_apart() {
    let one = GetPartnerRequest { name: "partners/inv".into() };
    let two = GetPartnerRequest { name: "partners/inal".into() };
    assert_eq!(digest("/a", &one), digest("/a", &one));
    assert_ne!(digest("/a", &one), digest("/b", &one));
    assert_ne!(digest("/a", &one), digest("/a", &two));
    assert_ne!(digest_bytes("/a", &[b"bc"]), digest_bytes("/ab", &[b"c"]));
}

#[test]
fn moments_go_and_come_back_in_microseconds() {
    for text in ["2026-11-24T12:00:00.123456Z", "1969-12-31T23:59:59.999999Z"] {
        let at: Timestamp = text.parse().unwrap();
        assert_eq!(moment("at", Some(timestamp(at))).unwrap(), at);
    }
    let cut = moment("at", Some(prost_types::Timestamp { seconds: 1, nanos: 1_999 })).unwrap();
    assert_eq!(cut.as_microsecond(), 1_000_001);
    for (seconds, nanos) in [(0, -1), (0, 1_000_000_000), (i64::MAX, 0), (i64::MIN, 0)] {
        assert!(moment("at", Some(prost_types::Timestamp { seconds, nanos })).is_err());
    }
    assert_eq!(moment("at", None).unwrap_err().fields[0].field, "at");
}

#[test]
fn days_are_of_the_calendar() {
    let day_of = |year, month, day| super::day("d", Some(&gtype::Date { year, month, day }));
    assert_eq!(date(day_of(2024, 2, 29).unwrap()), gtype::Date { year: 2024, month: 2, day: 29 });
    for (year, month, day) in
        [(2023, 2, 29), (0, 1, 1), (1899, 12, 31), (2023, 0, 1), (2023, 1, 0), (10_000, 1, 1)]
    {
        assert!(day_of(year, month, day).is_err(), "{year}-{month}-{day}");
    }
}

#[test]
fn names_have_their_form() {
    assert_eq!(partner_name("name", "partners/inv").unwrap().as_str(), "inv");
    for name in ["", "partners", "partners/", "partners/A", "sellers/inv", "partners/inv/x"] {
        assert_eq!(partner_name("name", name).unwrap_err().fields[0].field, "name", "{name}");
    }
    let uuid = "0198c7a2-6a0f-7b51-9c7e-1f2a3b4c5d6e";
    assert_eq!(uuid_name("name", &format!("listings/{uuid}"), "listings").unwrap(), uuid);
    assert!(uuid_name("name", &format!("listings/{}", uuid.to_uppercase()), "listings").is_err());
    assert!(uuid_name("name", "listings/0198c7a26a0f7b519c7e1f2a3b4c5d6e", "listings").is_err());
    assert_eq!(cuit_name("name", "sellers/30500010912", "sellers").unwrap(), "30500010912");
    assert!(cuit_name("name", "sellers/30-50001091-2", "sellers").is_err());
}

#[test]
fn enums_must_be_said_and_known() {
    use crate::domain::partner::Role;
    let role = |number| chosen::<WireRole, Role>("role", number);
    assert_eq!(role(4).unwrap(), Role::Marketplace);
    assert!(role(0).is_err() && role(99).is_err() && role(-1).is_err());
    assert_eq!(optionally::<WireRole, Role>("role", 0).unwrap(), None);
}

#[test]
fn texts_count_characters_not_bytes() {
    assert!(text("t", "ñ".repeat(200), 1, 200).is_ok());
    assert!(text("t", "ñ".repeat(201), 1, 200).is_err());
    assert!(text("t", String::new(), 1, 200).is_err());
    assert_eq!(unique("l", &["a", "b", "a"]).unwrap_err().fields[0].field, "l[2]");
}
