//! How long a call may take.
//!
//! Enters: the `grpc-timeout` header. Leaves: a duration, capped by ours. It knows
//! nothing of what runs meanwhile.

use std::time::Duration;

use http::HeaderMap;

use crate::error::Error;

/// What the caller allows, if it says; strictly as the gRPC protocol has it: 1 to 8 digits and
/// a unit of `H`, `M`, `S`, `m`, `u` or `n`.
///
/// # Errors
/// `INVALID_TIMEOUT` for anything else, for more than one, and for zero.
pub(super) fn asked(headers: &HeaderMap) -> Result<Option<Duration>, Error> {
    let mut values = headers.get_all("grpc-timeout").iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(refused());
    }
    parse(value.as_bytes()).map(Some).ok_or_else(refused)
}

/// The time for a unary call: what was asked for, at most ours.
pub(super) fn unary(asked: Option<Duration>, most: Duration) -> Duration {
    asked.map_or(most, |asked| asked.min(most))
}

fn parse(value: &[u8]) -> Option<Duration> {
    let (unit, digits) = value.split_last()?;
    if digits.is_empty() || digits.len() > 8 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let count = digits.iter().fold(0_u64, |n, digit| n * 10 + u64::from(digit - b'0'));
    if count == 0 {
        return None;
    }
    Some(match unit {
        b'H' => Duration::from_secs(count * 3600),
        b'M' => Duration::from_secs(count * 60),
        b'S' => Duration::from_secs(count),
        b'm' => Duration::from_millis(count),
        b'u' => Duration::from_micros(count),
        b'n' => Duration::from_nanos(count),
        _ => return None,
    })
}

fn refused() -> Error {
    Error::invalid(
        "INVALID_TIMEOUT",
        "grpc-timeout",
        "grpc-timeout must be 1 to 8 digits, not all zero, and a unit of H, M, S, m, u or n",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_protocols_own_form_is_read() {
        assert_eq!(parse(b"15S"), Some(Duration::from_secs(15)));
        assert_eq!(parse(b"99999999H"), Some(Duration::from_secs(99_999_999 * 3600)));
        assert_eq!(parse(b"1n"), Some(Duration::from_nanos(1)));
        for wrong in ["", "S", "15", "-1S", "+1S", "1.5S", "999999999S", "1s", "1 S", "0S", "1SS"] {
            assert_eq!(parse(wrong.as_bytes()), None, "{wrong}");
        }
    }

    #[test]
    fn ours_caps_what_is_asked() {
        let ours = Duration::from_secs(60);
        assert_eq!(unary(None, ours), ours);
        assert_eq!(unary(Some(Duration::from_secs(3600)), ours), ours);
        assert_eq!(unary(Some(Duration::from_secs(1)), ours), Duration::from_secs(1));
    }
}
