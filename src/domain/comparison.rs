//! The days that a period is compared with.
//!
//! Enters: a period and how to compare. Leaves: the earlier days, and for each of them the day of
//! the period that it is compared with.

use jiff::ToSpan;
use jiff::civil::Date;
use rust_decimal::Decimal;

use super::fault::Fault;

named_enum! {
    /// With what days the days asked about are compared.
    pub enum Comparison ("a comparison", "INVALID_COMPARISON") {
        /// The days just before: as many whole months if the period is whole months, as many days
        /// otherwise.
        PreviousPeriod = "PREVIOUS_PERIOD",
        /// The same days a year before; whole months with whole months.
        YearBefore = "YEAR_BEFORE",
    }
}

/// Earlier days, and how far before they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Earlier {
    first: Date,
    last: Date,
    period: (Date, Date),
    before: Distance,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Distance {
    Days(i32),
    Months(i32),
}

impl Earlier {
    /// The days to compare those from `first` to `last` with.
    ///
    /// # Errors
    /// `INVALID_PERIOD` if the calendar does not go back so far.
    pub fn of(first: Date, last: Date, comparison: Comparison) -> Result<Self, Fault> {
        let whole = first.day() == 1 && last == last.last_of_month();
        let months = (i32::from(last.year()) - i32::from(first.year())) * 12
            + (i32::from(last.month()) - i32::from(first.month()))
            + 1;
        // Both are dates of the calendar, so their distance in days fits.
        let days = last.duration_since(first).as_hours() as i32 / 24 + 1;
        let before = match comparison {
            Comparison::YearBefore => Distance::Months(12),
            Comparison::PreviousPeriod if whole => Distance::Months(months),
            Comparison::PreviousPeriod => Distance::Days(days),
        };
        let back = |day: Date| match before {
            Distance::Days(days) => day.checked_sub(days.days()),
            Distance::Months(months) => day.checked_sub(months.months()),
        };
        let too_early = |_| {
            let why = format!("there are no days before {first} to compare with");
            Fault::malformed("INVALID_PERIOD", why)
        };
        let last_before = back(last).map_err(too_early)?;
        Ok(Self {
            first: back(first).map_err(too_early)?,
            last: if whole { last_before.last_of_month() } else { last_before },
            period: (first, last),
            before,
        })
    }

    /// The first earlier day.
    pub fn first(self) -> Date {
        self.first
    }

    /// The last earlier day.
    pub fn last(self) -> Date {
        self.last
    }

    /// The day of the period that an earlier day is compared with.
    pub fn stands_for(self, day: Date) -> Date {
        let later = match self.before {
            Distance::Days(days) => day.checked_add(days.days()),
            Distance::Months(months) => day.checked_add(months.months()),
        };
        // A leap day has no fellow a year before.
        later.unwrap_or(day).clamp(self.period.0, self.period.1)
    }

    /// Whether all days of a month stand for days of one month.
    pub fn keeps_months(self) -> bool {
        matches!(self.before, Distance::Months(_))
    }
}

/// (now - before) / |before|, rounded half to even to four decimals; `None` where before is 0.
pub fn change(now: Decimal, before: Decimal) -> Option<Decimal> {
    if before.is_zero() {
        return None;
    }
    let change = now.checked_sub(before)?.checked_div(before.abs())?;
    Some(change.round_dp(4).normalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn earlier(period: &str, comparison: Comparison) -> (Earlier, String) {
        let (first, last) = period.split_once("..").unwrap();
        let earlier =
            Earlier::of(first.parse().unwrap(), last.parse().unwrap(), comparison).unwrap();
        (earlier, format!("{}..{}", earlier.first(), earlier.last()))
    }

    #[test]
    fn months_are_compared_with_months_and_days_with_days() {
        use Comparison::*;
        for (period, comparison, expected) in [
            ("2026-05-05..2026-05-11", PreviousPeriod, "2026-04-28..2026-05-04"),
            ("2026-04-01..2026-06-30", PreviousPeriod, "2026-01-01..2026-03-31"),
            ("2026-03-01..2026-03-31", PreviousPeriod, "2026-02-01..2026-02-28"),
            ("2026-01-01..2026-12-31", PreviousPeriod, "2025-01-01..2025-12-31"),
            ("2026-03-01..2026-03-30", PreviousPeriod, "2026-01-30..2026-02-28"),
            ("2025-02-01..2025-02-28", YearBefore, "2024-02-01..2024-02-29"),
            ("2024-02-29..2024-03-10", YearBefore, "2023-02-28..2023-03-10"),
        ] {
            assert_eq!(earlier(period, comparison).1, expected, "{period} {comparison}");
        }
        let first = Date::MIN;
        let fault = Earlier::of(first, first, PreviousPeriod).unwrap_err();
        assert_eq!(fault.reason, "INVALID_PERIOD");
    }

    #[test]
    fn each_earlier_day_stands_for_one_of_the_period() {
        let day = |text: &str| text.parse::<Date>().unwrap();
        let (weeks, _) = earlier("2026-05-05..2026-05-11", Comparison::PreviousPeriod);
        assert_eq!(weeks.stands_for(day("2026-04-28")), day("2026-05-05"));
        assert!(!weeks.keeps_months());
        let (month, _) = earlier("2026-02-01..2026-02-28", Comparison::PreviousPeriod);
        assert_eq!(month.stands_for(day("2026-01-31")), day("2026-02-28"));
        let (leap, _) = earlier("2024-02-29..2024-03-10", Comparison::YearBefore);
        assert_eq!(leap.stands_for(day("2023-02-28")), day("2024-02-29"));
        assert!(leap.keeps_months());
    }

    #[test]
    fn a_change_is_a_fraction_of_what_was_before() {
        let change = |now: &str, before: &str| {
            super::change(now.parse().unwrap(), before.parse().unwrap()).map(|c| c.to_string())
        };
        assert_eq!(change("125", "100").as_deref(), Some("0.25"));
        assert_eq!(change("0", "3").as_deref(), Some("-1"));
        assert_eq!(change("2", "3").as_deref(), Some("-0.3333"));
        assert_eq!(change("-50", "-100").as_deref(), Some("0.5"), "less was paid back");
        assert_eq!(change("5", "0"), None);
    }
}
