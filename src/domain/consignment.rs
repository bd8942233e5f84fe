//! How long goods may lie abroad unsold.
//!
//! Enters: goods and the day on which they left. Leaves: the last day on which they are sold or
//! brought back, by the rule that held on that day.

use jiff::ToSpan as _;
use jiff::civil::Date;

use super::derived::derived_id;
use super::ncm::NcmCode;
use super::reconciliation::ItemKey;
use super::tariff_terms::TariffTerms;

/// The days where the reference table `consignment` has no row for the goods and the day.
///
/// Source: exports on consignment, up to 360 days, as the project's notes on the domain have it;
/// verify the legal instrument before relying on it, and load the table.
pub const DEFAULT_DAYS: u16 = 360;

/// The last day on which goods of `ncm` that left on that day are sold or brought back.
pub fn sell_by(terms: &TariffTerms, ncm: NcmCode, shipped_on: Date) -> Date {
    let days = terms.term(ncm, shipped_on).map_or(DEFAULT_DAYS, |term| term.days);
    shipped_on.saturating_add(i64::from(days).days())
}

/// What names, for ever, that stock of an item was left after this deadline: a UUID.
pub fn overdue_id(item: ItemKey, deadline: Date) -> String {
    derived_id("overdue", &[&item.to_string(), &deadline.to_string()])
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;
    use crate::domain::reference::{ReferenceRow, ReferenceTable};

    fn row(code: &str, days: &str, from: Option<Date>, to: Option<Date>) -> ReferenceRow {
        let attributes = [("days", days), ("source", "x")];
        ReferenceRow {
            code: code.to_owned(),
            title_es: String::new(),
            title_en: String::new(),
            attributes: attributes.map(|(name, value)| (name.into(), value.into())).into(),
            valid_from: from,
            valid_to: to,
        }
    }

    #[test]
    fn the_longest_code_of_the_day_counts_and_360_days_without_one() {
        let rows = vec![
            row("22", "180", None, Some(date(2015, 6, 30))),
            row("22", "240", Some(date(2015, 7, 1)), None),
            row("2204.21", "90", Some(date(2020, 1, 1)), None),
        ];
        let (terms, faults) = TariffTerms::read(&ReferenceTable {
            id: "consignment".to_owned(),
            version: "1".to_owned(),
            source: "x".to_owned(),
            loaded_at: jiff::Timestamp::UNIX_EPOCH,
            digest: String::new(),
            rows,
        });
        assert_eq!(faults, []);
        let (wine, fish) = ("2204.21.00".parse().unwrap(), "0303.89.90".parse().unwrap());
        assert_eq!(sell_by(&terms, wine, date(2015, 6, 30)), date(2015, 12, 27));
        assert_eq!(sell_by(&terms, wine, date(2015, 7, 1)), date(2016, 2, 26));
        assert_eq!(sell_by(&terms, wine, date(2020, 1, 1)), date(2020, 3, 31));
        assert_eq!(sell_by(&terms, fish, date(2017, 3, 1)), date(2018, 2, 24));
    }
}
