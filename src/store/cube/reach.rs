//! Which years and months a question about days can be answered by, and which days are left over.

use std::ops::RangeInclusive;

use jiff::civil::Date;

use super::month_of;

/// Whole years, months beside them, and single days beside those; together they are the days asked
/// about, each once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reach {
    /// Whole years.
    pub years: RangeInclusive<i32>,
    /// Whole months before and after them, counted from the year 0.
    pub months: [RangeInclusive<i32>; 2],
    /// Days before and after those, both ends included; at most two spans.
    pub days: Vec<(Date, Date)>,
}

impl Reach {
    /// The months that the single days are of.
    pub fn months_of_days(&self) -> impl Iterator<Item = i32> {
        self.days.iter().map(|(from, _)| month_of(*from))
    }
}

/// What a question about the days from `from` to `to` can be answered by; years only where
/// `by_month` does not ask for months.
pub fn reach(from: Option<Date>, to: Option<Date>, by_month: bool) -> Reach {
    // Beyond the calendar, so that nothing is cut off.
    const FIRST: i32 = -10_000 * 12;
    const LAST: i32 = 10_000 * 12 + 11;
    let mut days = Vec::new();
    let first = match from {
        None => FIRST,
        Some(day) if day.day() == 1 => month_of(day),
        Some(day) => {
            let end = day.last_of_month();
            days.push((day, to.map_or(end, |to| to.min(end))));
            month_of(day) + 1
        }
    };
    let last = match to {
        None => LAST,
        Some(day) if day == day.last_of_month() => month_of(day),
        Some(day) => {
            // Where both ends lie in one month, the days are there already.
            let begin = day.first_of_month();
            if first <= month_of(day) {
                days.push((begin, day));
            }
            month_of(day) - 1
        }
    };
    let no_months = [nothing(), nothing()];
    if first > last {
        return Reach { years: nothing(), months: no_months, days };
    }
    // The first month of the first whole year, and the last of the last.
    let (year, until) =
        (first.div_euclid(12) + i32::from(first.rem_euclid(12) > 0), (last + 1).div_euclid(12) - 1);
    if by_month || year > until {
        return Reach { years: nothing(), months: [first..=last, nothing()], days };
    }
    let months = [first..=year * 12 - 1, (until + 1) * 12..=last];
    Reach { years: year..=until, months, days }
}

fn nothing() -> RangeInclusive<i32> {
    RangeInclusive::new(1, 0)
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn days_are_left_over_only_at_the_ends() {
        let of = |from, to| reach(Some(from), Some(to), false);
        let years = of(date(1992, 1, 1), date(1998, 12, 31));
        assert_eq!((years.years, years.days), (1992..=1998, vec![]));
        let month = of(date(2012, 2, 1), date(2012, 2, 29));
        assert_eq!(month.months[0], 2012 * 12 + 1..=2012 * 12 + 1);
        assert!(month.years.is_empty() && month.days.is_empty());
        let within = of(date(2012, 2, 3), date(2012, 2, 9));
        assert_eq!(within.days, [(date(2012, 2, 3), date(2012, 2, 9))]);
        assert!(within.years.is_empty() && within.months.iter().all(|months| months.is_empty()));
        let all = reach(None, None, false);
        assert!(all.years.contains(&2012) && all.days.is_empty());
    }

    proptest! {
        #[test]
        fn each_day_asked_about_is_reached_once(
            from in 0..1200i32, length in 0..1200i32, by_month: bool,
        ) {
            use jiff::ToSpan;
            let day = |n: i32| date(2010, 11, 3).checked_add(n.days()).unwrap();
            let (first, last) = (day(from), day(from + length));
            let reach = reach(Some(first), Some(last), by_month);
            for n in from - 40..from + length + 40 {
                let one = day(n);
                let in_years = reach.years.contains(&i32::from(one.year()));
                let in_months =
                    reach.months.iter().filter(|months| months.contains(&month_of(one))).count();
                let in_days = reach.days.iter().filter(|(a, b)| *a <= one && one <= *b).count();
                let times = usize::from(in_years) + in_months + in_days;
                prop_assert_eq!(times, usize::from(first <= one && one <= last), "{}", one);
                prop_assert!(!(by_month && in_years));
            }
        }
    }
}
