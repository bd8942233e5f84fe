//! Periods: spans of whole days.
//!
//! Enters: two dates. Leaves: a [`Period`], both ends included.

use std::fmt;
use std::str::FromStr;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::fault::Fault;
use super::wording::quoted;

/// A span of days, both ends included; written `2010-12-01..2010-12-31`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Period {
    first: Date,
    last: Date,
}

impl Period {
    /// The longest period, in days: a leap year.
    pub const MAX_DAYS: i32 = 366;

    /// The days from `first` to `last`.
    ///
    /// # Errors
    /// `INVALID_PERIOD` if `last` is before `first`, or the period is longer than 366 days.
    pub fn new(first: Date, last: Date) -> Result<Self, Fault> {
        if last < first {
            return Err(Fault::malformed(
                "INVALID_PERIOD",
                format!("the last day {last} is before the first day {first}; exchange them"),
            ));
        }
        let period = Self { first, last };
        if period.days() > Self::MAX_DAYS {
            return Err(Fault::malformed(
                "INVALID_PERIOD",
                format!(
                    "from {first} to {last} are {} days; a period has at most 366, so split it",
                    period.days()
                ),
            ));
        }
        Ok(period)
    }

    /// The first day.
    pub fn first(self) -> Date {
        self.first
    }

    /// The last day.
    pub fn last(self) -> Date {
        self.last
    }

    /// How many days, 1 to 366.
    pub fn days(self) -> i32 {
        // Both are dates of the calendar, so their distance in days fits.
        self.last.duration_since(self.first).as_hours() as i32 / 24 + 1
    }

    /// Whether `day` is one of them.
    pub fn contains(self, day: Date) -> bool {
        self.first <= day && day <= self.last
    }

    /// Whether the two have a day in common.
    pub fn overlaps(self, other: Self) -> bool {
        self.first <= other.last && other.first <= self.last
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..{}", self.first, self.last)
    }
}

impl FromStr for Period {
    type Err = Fault;

    fn from_str(text: &str) -> Result<Self, Fault> {
        let Some((first, last)) = text.split_once("..") else {
            return Err(Fault::malformed(
                "INVALID_PERIOD",
                format!(
                    "{} is not a period; write FROM..TO with both days included, as \
                     2010-12-01..2010-12-31",
                    quoted(text)
                ),
            ));
        };
        Self::new(day(first)?, day(last)?)
    }
}

serde_as_text!(Period);

/// A date written `YYYY-MM-DD`, and in no other way.
///
/// # Errors
/// `INVALID_DATE`.
pub fn day(text: &str) -> Result<Date, Fault> {
    let bytes = text.as_bytes();
    let part = |from: usize, to: usize| {
        bytes[from..to].iter().try_fold(0i16, |number, byte| {
            byte.is_ascii_digit().then(|| number * 10 + i16::from(byte - b'0'))
        })
    };
    let date = if bytes.len() == 10 && bytes[4] == b'-' && bytes[7] == b'-' {
        match (part(0, 4), part(5, 7), part(8, 10)) {
            (Some(year @ 1900..), Some(month), Some(day)) => {
                Date::new(year, month as i8, day as i8).ok()
            }
            _ => None,
        }
    } else {
        None
    };
    date.ok_or_else(|| {
        Fault::malformed(
            "INVALID_DATE",
            format!("{} is not a date; write it as 2010-12-31, from year 1900 on", quoted(text)),
        )
    })
}

/// Days on which a row of a table holds; an end that is missing is open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Validity {
    /// The first day, itself included; `None` is since ever.
    pub from: Option<Date>,
    /// The last day, itself included; `None` is without end.
    pub to: Option<Date>,
}

impl Validity {
    /// Whether it holds on `day`.
    pub fn holds_on(self, day: Date) -> bool {
        self.from.is_none_or(|from| from <= day) && self.to.is_none_or(|to| day <= to)
    }

    /// The days from which on it holds, and no longer does.
    pub fn turns(self) -> impl Iterator<Item = Date> {
        let after = self.to.and_then(|last| last.tomorrow().ok());
        [self.from, after].into_iter().flatten()
    }

    /// Whether both hold on some day.
    pub fn overlaps(self, other: Self) -> bool {
        let before = |end: Option<Date>, start: Option<Date>| match (end, start) {
            (Some(end), Some(start)) => end < start,
            (None, _) | (_, None) => false,
        };
        !before(self.to, other.from) && !before(other.to, self.from)
    }
}

#[cfg(test)]
mod tests {
    use jiff::ToSpan;
    use jiff::civil::date;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn parses_what_it_prints(start in 0i32..60_000, days in 1i32..=366) {
            let first = date(1950, 1, 1).saturating_add(start.days());
            let period = Period::new(first, first.saturating_add((days - 1).days())).unwrap();
            prop_assert_eq!(period.days(), days);
            prop_assert_eq!(period.to_string().parse::<Period>().unwrap(), period);
        }

        #[test]
        fn no_text_panics(text in ".{0,24}|[0-9.-]{8,24}") {
            let _ = (text.parse::<Period>(), day(&text));
        }
    }

    #[test]
    fn ends_are_included_and_order_matters() {
        let december: Period = "2010-12-01..2010-12-31".parse().unwrap();
        assert!(december.contains(date(2010, 12, 1)) && december.contains(date(2010, 12, 31)));
        assert!(!december.contains(date(2011, 1, 1)));
        for text in [
            "2010-12-31..2010-12-01",
            "2010-01-01..2011-01-02",
            "2010-12-01",
            "2010-12-01..",
            "2010-12-01..2010-02-30",
            "2010-12-1..2010-12-31",
            "20101201..20101231",
        ] {
            let fault = text.parse::<Period>().unwrap_err();
            assert!(["INVALID_PERIOD", "INVALID_DATE"].contains(&fault.reason), "{text}");
        }
    }

    #[test]
    fn open_ends_overlap_what_reaches_them() {
        let until = |to| Validity { from: None, to: Some(to) };
        let since = |from| Validity { from: Some(from), to: None };
        assert!(until(date(2020, 1, 2)).overlaps(since(date(2020, 1, 2))));
        assert!(!until(date(2020, 1, 1)).overlaps(since(date(2020, 1, 2))));
        assert!(Validity::default().overlaps(since(date(2020, 1, 2))));
    }
}
