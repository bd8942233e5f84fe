//! How long goods may lie abroad unsold.
//!
//! Enters: the day on which goods left. Leaves: the last day on which they are sold or brought
//! back, by the rule that held on that day.

use jiff::ToSpan as _;
use jiff::civil::{Date, date};

use super::derived::derived_id;
use super::reconciliation::ItemKey;

/// A rule and from which day on it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConsignmentRule {
    /// The first day for which it holds.
    pub valid_from: Date,
    /// Days from the shipment in which goods are sold or brought back.
    pub days: i32,
}

/// The rules, the latest last. Goods that left before the first have no deadline.
///
/// Source: exports on consignment, up to 360 days, as the project's notes on the domain have it;
/// verify the legal instrument before relying on it.
pub const RULES: [ConsignmentRule; 1] =
    [ConsignmentRule { valid_from: date(2000, 1, 1), days: 360 }];

/// The last day on which what left on that day is sold or brought back; `None` without a rule.
pub fn sell_by(rules: &[ConsignmentRule], shipped_on: Date) -> Option<Date> {
    let rule = rules.iter().rev().find(|rule| rule.valid_from <= shipped_on)?;
    Some(shipped_on.saturating_add(rule.days.days()))
}

/// What names, for ever, that stock of an item was left after this deadline: a UUID.
pub fn overdue_id(item: ItemKey, deadline: Date) -> String {
    derived_id("overdue", &[&item.to_string(), &deadline.to_string()])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rule_of_the_day_counts() {
        let rules = [
            ConsignmentRule { valid_from: date(2010, 1, 1), days: 180 },
            ConsignmentRule { valid_from: date(2015, 7, 1), days: 360 },
        ];
        assert_eq!(sell_by(&rules, date(2009, 12, 31)), None);
        assert_eq!(sell_by(&rules, date(2015, 6, 30)), Some(date(2015, 12, 27)));
        assert_eq!(sell_by(&rules, date(2015, 7, 1)), Some(date(2016, 6, 25)));
        assert_eq!(sell_by(&RULES, date(2017, 3, 1)), Some(date(2018, 2, 24)));
    }
}
