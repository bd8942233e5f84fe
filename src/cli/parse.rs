//! Arguments and cells of files as values of the contract.
//!
//! Enters: text. Leaves: dates, periods, moments and enum values as the protos have them, or what
//! was expected. The gateway judges everything else; this only converts.

use std::str::FromStr;

use jiff::civil;

use crate::proto::google::r#type::{Date, Decimal};
use crate::proto::puente::common::v1::Period;
use crate::proto::puente::sales::v1::{Comparison, ExchangeRate};

/// An ISO 8601 date.
pub fn date(text: &str) -> Result<Date, String> {
    let wrong = || format!("{} is not a date such as 2026-11-30", shown(text));
    let sound = text.len() == 10 && text.bytes().all(|b| b.is_ascii_digit() || b == b'-');
    let date = civil::Date::from_str(text).ok().filter(|_| sound).ok_or_else(wrong)?;
    Ok(proto_date(date))
}

/// A date of the calendar as the protos have it.
pub fn proto_date(date: civil::Date) -> Date {
    Date { year: date.year().into(), month: date.month().into(), day: date.day().into() }
}

/// `FROM..TO`, both days included.
pub fn period(text: &str) -> Result<Period, String> {
    let (first, last) = text.split_once("..").ok_or_else(|| {
        format!("{} is not FROM..TO, such as 2026-11-01..2026-11-30", shown(text))
    })?;
    let (first, last) = (date(first)?, date(last)?);
    if (first.year, first.month, first.day) > (last.year, last.month, last.day) {
        return Err("the period ends before it begins".into());
    }
    Ok(Period { first: Some(first), last: Some(last) })
}

/// An RFC 3339 moment, or a date, which means the end of that day in Argentina: what became known
/// during a day is known on it.
pub fn moment(text: &str) -> Result<prost_types::Timestamp, String> {
    let last = "T23:59:59.999999-03:00";
    let whole = if text.len() == 10 { format!("{text}{last}") } else { text.to_owned() };
    let at = jiff::Timestamp::from_str(&whole).map_err(|_| {
        format!("{} is neither a date nor a moment such as 2026-11-30T10:00:00-03:00", shown(text))
    })?;
    Ok(prost_types::Timestamp { seconds: at.as_second(), nanos: at.subsec_nanosecond() })
}

/// A decimal with a point.
pub fn decimal(text: &str) -> Result<Decimal, String> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let sound = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    if sound(whole) && sound(fraction) {
        Ok(Decimal { value: text.to_owned() })
    } else {
        Err(format!("{} is not a decimal such as 12.50", shown(text)))
    }
}

/// With what days to compare.
pub fn comparison(text: &str) -> Result<Comparison, String> {
    match text {
        "previous" => Ok(Comparison::PreviousPeriod),
        "year-before" => Ok(Comparison::YearBefore),
        _ => Err(format!("{} is neither previous nor year-before", shown(text))),
    }
}

/// `FROM:TO=RATE@SOURCE@DATE`; the source may hold `@` itself.
pub fn rate(text: &str) -> Result<ExchangeRate, String> {
    let wrong = || {
        format!(
            "{} is not FROM:TO=RATE@SOURCE@DATE, such as CNY:USD=0.1389@BCRA@2026-11-30",
            shown(text)
        )
    };
    let (currencies, rest) = text.split_once('=').ok_or_else(wrong)?;
    let (from, to) = currencies.split_once(':').ok_or_else(wrong)?;
    let (units, rest) = rest.split_once('@').ok_or_else(wrong)?;
    let (source, day) = rest.rsplit_once('@').ok_or_else(wrong)?;
    Ok(ExchangeRate {
        from: from.to_owned(),
        to: to.to_owned(),
        rate: Some(decimal(units)?),
        source: source.to_owned(),
        date: Some(date(day)?),
    })
}

/// The value of an enum by its proto name without `prefix`, as `from` finds whole names.
///
/// `words` names what there is, for the person who misspelt one.
pub fn word<T>(
    text: &str,
    prefix: &str,
    from: impl Fn(&str) -> Option<T>,
    words: &[&str],
) -> Result<T, String> {
    let known = words.contains(&text);
    from(&format!("{prefix}{text}"))
        .filter(|_| known)
        .ok_or_else(|| format!("{} is not one of {}", shown(text), words.join(", ")))
}

/// Any case and either `-` or `_`, as arguments may be typed.
pub fn typed(text: &str) -> String {
    text.to_ascii_uppercase().replace('-', "_")
}

/// A resource's name from either the whole name or what stands after its collection.
pub fn name(collection: &str, text: &str) -> String {
    if text.contains('/') { text.to_owned() } else { format!("{collection}/{text}") }
}

/// Text of a file in a message: short, and without what moves a terminal's cursor.
fn shown(text: &str) -> String {
    let short: String =
        text.chars().take(40).map(|c| if c.is_control() { ' ' } else { c }).collect();
    let more = if text.chars().count() > 40 { "..." } else { "" };
    format!("\"{short}{more}\"")
}

/// Declares the words of an enum of the protos that files and arguments may use.
macro_rules! words {
    ($($(#[$doc:meta])* $name:ident: $type:ty, $prefix:literal, [$($word:literal),+ $(,)?];)*) => {
        $(
            $(#[$doc])*
            pub fn $name(text: &str) -> Result<$type, String> {
                word(text, $prefix, <$type>::from_str_name, &[$($word),+])
            }
        )*
    };
}

use crate::proto::puente::{
    access, clearance, common, customs, listings, registry, sales, sellers,
};

words! {
    /// A size class.
    size_class: common::v1::SizeClass, "SIZE_CLASS_",
        ["MICRO", "SMALL", "MEDIUM_1", "MEDIUM_2", "LARGE"];
    /// What an exporter is.
    eligibility: common::v1::EligibilityStatus, "ELIGIBILITY_STATUS_",
        ["ELIGIBLE", "SUSPENDED", "REVOKED"];
    /// The shop.
    channel: listings::v1::Channel, "CHANNEL_", ["OFFICIAL_STORE", "SELLER_STORE"];
    /// How goods come to the buyer.
    entry_mode: listings::v1::EntryMode, "ENTRY_MODE_", ["BONDED", "DIRECT_MAIL"];
    /// Who issues certificates of goods.
    issuer: listings::v1::CertificateIssuer, "CERTIFICATE_ISSUER_",
        ["INV", "SENASA", "INAL", "GACC"];
    /// Delivery terms.
    incoterm: customs::v1::Incoterm, "INCOTERM_",
        ["EXW", "FCA", "CPT", "CIP", "DAP", "DPU", "DDP", "FAS", "FOB", "CFR", "CIF"];
    /// How far a declared item is.
    item_state: customs::v1::ItemState, "ITEM_STATE_", ["DECLARED", "SHIPPED"];
    /// How far a settlement is.
    settlement_state: customs::v1::SettlementState, "SETTLEMENT_STATE_",
        ["DUE", "PARTIAL", "CERTIFIED", "OVERDUE"];
    /// Who reports a settlement.
    settlement_reporter: customs::v1::SettlementReporter, "SETTLEMENT_REPORTER_",
        ["CUSTOMS", "BANK"];
    /// Where a declared item stands.
    reconciliation_state: customs::v1::ReconciliationState, "RECONCILIATION_STATE_",
        ["DECLARED", "SHIPPED", "OPEN_STOCK", "BALANCED", "OVERSOLD", "OVERDUE", "EXPLAINED",
         "ESCALATED", "UNDECLARED"];
    /// Why stock is missing, or sales are above it.
    discrepancy_cause: customs::v1::DiscrepancyCause, "DISCREPANCY_CAUSE_",
        ["LOSS", "SAMPLE", "DAMAGE", "REIMPORT", "UNIT_ERROR"];
    /// The kind of a sale line.
    kind: sales::v1::LineKind, "LINE_KIND_",
        ["SALE", "RETURN", "REFUND", "CANCELLATION", "ADJUSTMENT"];
    /// How far a report is.
    report_state: sales::v1::ReportState, "REPORT_STATE_",
        ["OPEN", "SEALED", "ACCEPTED", "PARTIALLY_ACCEPTED", "REJECTED", "SUPERSEDED", "ABANDONED"];
    /// Why a line exceeds its sale.
    explanation_cause: sales::v1::ExplanationCause, "EXPLANATION_CAUSE_",
        ["GOODWILL_REFUND", "PARTIAL_SHIPMENT_CREDIT", "UNIT_ERROR", "CURRENCY_DIFFERENCE",
         "OTHER"];
    /// By what products are ranked.
    measure: sales::v1::Measure, "MEASURE_", ["AMOUNT", "QUANTITY", "ORDERS"];
    /// By what sales are summed.
    dimension: sales::v1::Dimension, "DIMENSION_",
        ["KIND", "CURRENCY", "MARKETPLACE", "SELLER", "LISTING", "NCM_CHAPTER", "NCM_HEADING",
         "SIZE_CLASS", "PROVINCE", "DESTINATION", "CHANNEL", "DAY", "WEEK", "MONTH", "QUARTER",
         "YEAR", "DESTINATION_COUNTRY"];
    /// What an authority says about a listing.
    decision: clearance::v1::Decision, "DECISION_", ["CLEAR", "REFUSE", "REQUEST_INFO"];
    /// What the registry says about a seller.
    verification_decision: registry::v1::VerificationDecision, "VERIFICATION_DECISION_",
        ["START_CHECKING", "VERIFY", "REJECT", "NEEDS_INFO"];
    /// How far a verification is.
    verification_state: sellers::v1::VerificationState, "VERIFICATION_STATE_",
        ["REQUESTED", "CHECKING", "NEEDS_INFO", "VERIFIED", "REJECTED", "EXPIRED", "SUSPENDED",
         "REVOKED"];
    /// What a partner is.
    role: access::v1::Role, "ROLE_",
        ["EXPORT_REGISTRY", "CUSTOMS", "AGENCY", "MARKETPLACE", "ANALYST", "AUDITOR", "OPERATOR",
         "BROKER"];
    /// Which agency.
    agency: common::v1::Authority, "AUTHORITY_", ["INV", "SENASA", "INAL"];
    /// Which attribute of a certificate.
    identity_type: access::v1::IdentityType, "IDENTITY_TYPE_",
        ["SUBJECT_DN", "SAN_DNS", "SAN_URI", "SAN_EMAIL"];
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_and_periods_are_iso_8601() {
        assert_eq!(date("2010-12-01").unwrap(), Date { year: 2010, month: 12, day: 1 });
        for wrong in ["2010-13-01", "2010-02-30", "01/12/2010", "20101201", "", "2010-12-01T00"] {
            assert!(date(wrong).is_err(), "{wrong}");
        }
        assert!(period("2010-12-01..2010-12-31").is_ok());
        assert!(period("2010-12-02..2010-12-01").is_err());
        assert!(period("2010-12-01").is_err());
    }

    #[test]
    fn enum_words_are_those_of_the_files() {
        assert_eq!(kind("SALE").unwrap(), sales::v1::LineKind::Sale);
        let why = kind("sale").unwrap_err();
        assert!(why.contains("\"sale\" is not one of SALE, RETURN"), "{why}");
        assert!(kind("UNSPECIFIED").is_err());
        assert_eq!(size_class("MEDIUM_1").unwrap(), common::v1::SizeClass::Medium1);
    }

    #[test]
    fn decimals_have_a_point() {
        assert_eq!(decimal("-0.750").unwrap().value, "-0.750");
        for wrong in ["", "1,5", "1.", ".5", "1e3", "+1", "NaN"] {
            assert!(decimal(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_rate_has_its_source_and_day() {
        let parsed = rate("CNY:USD=0.1389@BCRA, A 3500 @ 15:00@2026-11-30").unwrap();
        assert_eq!((parsed.from.as_str(), parsed.to.as_str()), ("CNY", "USD"));
        assert_eq!(parsed.rate.unwrap().value, "0.1389");
        assert_eq!(parsed.source, "BCRA, A 3500 @ 15:00");
        assert_eq!(parsed.date.unwrap().day, 30);
        for wrong in ["CNY:USD=0.1389", "CNY:USD=0.1389@BCRA", "CNY=1@BCRA@2026-11-30", "x"] {
            assert!(rate(wrong).is_err(), "{wrong}");
        }
        assert!(comparison("previous").is_ok() && comparison("week").is_err());
    }

    #[test]
    fn names_may_be_short() {
        assert_eq!(name("partners", "inv"), "partners/inv");
        assert_eq!(name("partners", "partners/inv"), "partners/inv");
    }
}
