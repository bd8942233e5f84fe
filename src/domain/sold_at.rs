//! When something was sold: a moment, with the offset of the place where the clock stood.
//!
//! Enters: RFC 3339 text. Leaves: a [`SoldAt`], which keeps both the moment and the day as it was
//! written there.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::Offset;

use super::fault::Fault;
use super::wording::quoted;

/// A moment of sale in whole microseconds, and its offset from UTC in whole minutes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SoldAt {
    instant: Timestamp,
    offset: Offset,
}

impl SoldAt {
    /// The moment and offset as a store keeps them; `None` if the offset is not in whole minutes
    /// below 24 hours, or the moment lies beyond years 1900 to 9999 there. The moment is cut to
    /// microseconds.
    pub fn from_parts(instant: Timestamp, offset_minutes: i32) -> Option<Self> {
        if offset_minutes.abs() >= 24 * 60 {
            return None;
        }
        let offset = Offset::from_seconds(offset_minutes * 60).ok()?;
        let instant = Timestamp::from_microsecond(instant.as_microsecond()).ok()?;
        let year = offset.to_datetime(instant).year();
        (1900..=9999).contains(&year).then_some(Self { instant, offset })
    }

    /// The moment.
    pub fn instant(self) -> Timestamp {
        self.instant
    }

    /// Minutes that the place of sale was ahead of UTC.
    pub fn offset_minutes(self) -> i32 {
        self.offset.seconds() / 60
    }

    /// The date in its own offset: the day that reports and periods count it for.
    pub fn day(self) -> Date {
        self.local().date()
    }

    fn local(self) -> DateTime {
        self.offset.to_datetime(self.instant)
    }
}

/// `2010-12-01T08:26:00Z`, `2026-11-11T00:00:03.5+08:00`: no offset is written `Z`, a fraction only
/// if there is one.
impl fmt::Display for SoldAt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let local = self.local();
        let mut clock = *b"0000-00-00T00:00:00";
        let fields = [
            (0..4, i32::from(local.year())),
            (5..7, i32::from(local.month())),
            (8..10, i32::from(local.day())),
            (11..13, i32::from(local.hour())),
            (14..16, i32::from(local.minute())),
            (17..19, i32::from(local.second())),
        ];
        for (place, mut value) in fields {
            for digit in clock[place].iter_mut().rev() {
                *digit += (value % 10) as u8;
                value /= 10;
            }
        }
        f.write_str(std::str::from_utf8(&clock).unwrap_or_default())?;
        let micros = local.subsec_nanosecond() / 1000;
        if micros > 0 {
            write!(f, ".{}", format!("{micros:06}").trim_end_matches('0'))?;
        }
        match self.offset_minutes() {
            0 => f.write_str("Z"),
            minutes => {
                let sign = if minutes < 0 { '-' } else { '+' };
                write!(f, "{sign}{:02}:{:02}", minutes.abs() / 60, minutes.abs() % 60)
            }
        }
    }
}

impl FromStr for SoldAt {
    type Err = Fault;

    fn from_str(text: &str) -> Result<Self, Fault> {
        parse(text.as_bytes()).ok_or_else(|| {
            Fault::malformed(
                "INVALID_SOLD_AT",
                format!(
                    "{} is not a moment; write date, time and offset by RFC 3339, as \
                     2026-11-11T00:00:03+08:00 or 2026-11-10T16:00:03Z, of a day that the \
                     calendar has",
                    quoted(text)
                ),
            )
        })
    }
}

serde_as_text!(SoldAt);

fn parse(text: &[u8]) -> Option<SoldAt> {
    if text.len() < 20 {
        return None;
    }
    let (clock, mut rest) = text.split_at(19);
    let marks = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')];
    if marks.iter().any(|(place, mark)| clock[*place] != *mark) {
        return None;
    }
    let year = number(&clock[..4])? as i16;
    let two = |from: usize| number(&clock[from..from + 2]).map(|value| value as i8);
    let mut nanoseconds = 0;
    if let [b'.', fraction @ ..] = rest {
        let length = fraction.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if !(1..=9).contains(&length) {
            return None;
        }
        let (digits, after) = fraction.split_at(length);
        // Whole microseconds are kept, what is finer is cut off.
        let kept = &digits[..length.min(6)];
        nanoseconds = number(kept)? * 10i32.pow(9 - kept.len() as u32);
        rest = after;
    }
    let offset = match rest {
        b"Z" => Offset::UTC,
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => {
            let (hours, minutes) = (number(&[*h1, *h2])?, number(&[*m1, *m2])?);
            if hours > 23 || minutes > 59 {
                return None;
            }
            let seconds = (hours * 60 + minutes) * 60;
            Offset::from_seconds(if *sign == b'-' { -seconds } else { seconds }).ok()?
        }
        _ => return None,
    };
    if year < 1900 {
        return None;
    }
    let local =
        DateTime::new(year, two(5)?, two(8)?, two(11)?, two(14)?, two(17)?, nanoseconds).ok()?;
    Some(SoldAt { instant: offset.to_timestamp(local).ok()?, offset })
}

fn number(digits: &[u8]) -> Option<i32> {
    digits.iter().try_fold(0, |number, byte| {
        byte.is_ascii_digit().then(|| number * 10 + i32::from(byte - b'0'))
    })
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn parses_what_it_prints(
            micros in -2_000_000_000_000_000i64..200_000_000_000_000_000,
            minutes in -1439i32..=1439,
        ) {
            let instant = Timestamp::from_microsecond(micros).unwrap();
            let sold_at = SoldAt::from_parts(instant, minutes).unwrap();
            prop_assert_eq!(sold_at.to_string().parse::<SoldAt>().unwrap(), sold_at);
            let by_jiff: Timestamp = sold_at.to_string().parse().unwrap();
            prop_assert_eq!(by_jiff, instant);
            prop_assert!(sold_at.to_string().starts_with(&sold_at.local().to_string()));
        }

        #[test]
        fn no_text_panics(text in ".{0,40}|[0-9TZ:+.-]{18,40}") {
            let _ = text.parse::<SoldAt>();
        }
    }

    #[test]
    fn the_day_is_the_one_written() {
        let sold_at: SoldAt = "2026-11-11T00:00:03+08:00".parse().unwrap();
        assert_eq!(sold_at.day(), date(2026, 11, 11));
        assert_eq!(sold_at.instant(), "2026-11-10T16:00:03Z".parse().unwrap());
        assert_eq!("2026-11-10T16:00:03+00:00".parse::<SoldAt>().unwrap().to_string(), {
            "2026-11-10T16:00:03Z"
        });
        let fine: SoldAt = "2026-11-10T16:00:03.123456789Z".parse().unwrap();
        assert_eq!(fine.to_string(), "2026-11-10T16:00:03.123456Z");
    }

    #[test]
    fn what_is_no_moment_is_refused() {
        for text in [
            "",
            "2026-11-11",
            "2026-11-11T00:00:03",
            "2026-11-11 00:00:03Z",
            "2026-11-11t00:00:03z",
            "2026-02-29T00:00:00Z",
            "2026-11-11T24:00:00Z",
            "2026-11-11T23:59:60Z",
            "2026-11-11T00:00:03.Z",
            "2026-11-11T00:00:03.1234567890Z",
            "2026-11-11T00:00:03+24:00",
            "2026-11-11T00:00:03+0800",
            "0001-01-01T00:00:00Z",
        ] {
            assert_eq!(text.parse::<SoldAt>().unwrap_err().reason, "INVALID_SOLD_AT", "{text}");
        }
    }
}
