//! Months, and which of them the ministry has closed.
//!
//! Enters: `YYYY-MM`. Leaves: a [`Month`]; a [`ClosedMonth`] says who closed it and when. What a
//! closed month sums up to changes no more.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::fault::Fault;
use super::partner::PartnerId;
use super::period::Period;
use super::wording::quoted;

/// A month of the calendar from January 2000 to December 2099; ordered by time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Month {
    /// Its first day.
    first: Date,
}

impl Month {
    /// The month that holds `day`.
    pub fn of(day: Date) -> Self {
        Self { first: day.first_of_month() }
    }

    /// Its first day.
    pub fn first(self) -> Date {
        self.first
    }

    /// Its last day.
    pub fn last(self) -> Date {
        self.first.last_of_month()
    }

    /// Every month from this one to `last`, both included; none if `last` is earlier.
    pub fn through(self, last: Self) -> Vec<Self> {
        let next = |month: &Self| month.last().tomorrow().ok().map(Self::of);
        std::iter::successors(Some(self), next).take_while(|month| *month <= last).collect()
    }
}

impl Period {
    /// The months that its days lie in.
    pub fn months(self) -> Vec<Month> {
        Month::of(self.first()).through(Month::of(self.last()))
    }
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.first.year(), self.first.month())
    }
}

impl FromStr for Month {
    type Err = Fault;

    fn from_str(text: &str) -> Result<Self, Fault> {
        let sound = text.len() == 7
            && text.bytes().enumerate().all(|(place, byte)| match place {
                4 => byte == b'-',
                _ => byte.is_ascii_digit(),
            })
            && text.starts_with("20");
        let month = || Date::new(text[..4].parse().ok()?, text[5..].parse().ok()?, 1).ok();
        sound.then(month).flatten().map(Self::of).ok_or_else(|| {
            let message =
                format!("{} is not a month; write it as 2026-05, from 2000 on", quoted(text));
            Fault::malformed("INVALID_MONTH", message)
        })
    }
}

serde_as_text!(Month);

/// A month that takes no more lines.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClosedMonth {
    /// Which.
    pub month: Month,
    /// Who closed it.
    pub closed_by: PartnerId,
    /// When.
    pub closed_at: Timestamp,
}

impl ClosedMonth {
    /// Closes a month that is over on the day `today`.
    ///
    /// # Errors
    /// `PERIOD_NOT_OVER`.
    pub fn close(month: Month, by: PartnerId, today: Date, at: Timestamp) -> Result<Self, Fault> {
        if month.last() >= today {
            let message =
                format!("{month} is not over; close it after its last day, {}", month.last());
            return Err(Fault::illegal_state("PERIOD_NOT_OVER", message).with("month", month));
        }
        Ok(Self { month, closed_by: by, closed_at: at })
    }
}

/// What is wrong with a line dated in a closed month, or a report about nothing else.
pub fn closed(month: Month) -> Fault {
    Fault::illegal_state(
        "PERIOD_CLOSED",
        format!(
            "{month} is closed and takes no more lines of any kind; send what is missing or wrong \
             there as an ADJUSTMENT dated in an open month, into the report of that month"
        ),
    )
}

/// What is wrong with a line other than an ADJUSTMENT in a report all of whose months are closed.
pub fn adjustments_only() -> Fault {
    Fault::illegal_state(
        "PERIOD_CLOSED",
        "every month of the report's period is closed, so it takes ADJUSTMENT lines only, dated in \
         an open month; send other kinds into the report of the month they are dated in",
    )
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn months_have_one_form_and_run_over_years() {
        let november: Month = "2026-11".parse().unwrap();
        assert_eq!(november.to_string(), "2026-11");
        assert_eq!((november.first(), november.last()), (date(2026, 11, 1), date(2026, 11, 30)));
        let through: Vec<_> =
            november.through("2027-01".parse().unwrap()).iter().map(Month::to_string).collect();
        assert_eq!(through, ["2026-11", "2026-12", "2027-01"]);
        assert!(november.through("2026-10".parse().unwrap()).is_empty());
        for text in ["2026-13", "2026-00", "2026-1", "1999-12", "2100-01", "2026/01", "", "20é6-01"]
        {
            assert_eq!(text.parse::<Month>().unwrap_err().reason, "INVALID_MONTH", "{text}");
        }
        let period: Period = "2026-01-31..2026-03-01".parse().unwrap();
        assert_eq!(period.months().len(), 3);
    }

    #[test]
    fn a_month_is_closed_after_its_last_day() {
        let may: Month = "2026-05".parse().unwrap();
        let close = |today| {
            ClosedMonth::close(may, "ministry".parse().unwrap(), today, Timestamp::UNIX_EPOCH)
        };
        assert_eq!(close(date(2026, 5, 31)).unwrap_err().reason, "PERIOD_NOT_OVER");
        let closed = close(date(2026, 6, 1)).unwrap();
        let json = serde_json::to_string(&closed).unwrap();
        assert_eq!(serde_json::from_str::<ClosedMonth>(&json).unwrap(), closed);
    }
}
