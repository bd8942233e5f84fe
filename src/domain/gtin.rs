//! GTIN, the number under a product's bar code.
//!
//! Enters: 8, 12, 13 or 14 digits. Leaves: a [`Gtin`] whose check digit holds.

use std::fmt;
use std::str::FromStr;

use super::fault::Fault;

/// A product number of GS1; printed with as many digits as it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Gtin {
    number: u64,
    length: u8,
}

impl Gtin {
    /// The number of these leading digits with its check digit appended; `None` unless there are
    /// 7, 11, 12 or 13 digits.
    pub fn from_body(body: &str) -> Option<Self> {
        let sound = body.bytes().all(|b| b.is_ascii_digit()) && LENGTHS.contains(&(body.len() + 1));
        if !sound {
            return None;
        }
        let body_number: u64 = body.parse().ok()?;
        let number = body_number * 10 + check_digit(body_number);
        Some(Self { number, length: body.len() as u8 + 1 })
    }

    /// Whether the number was issued by GS1 Argentina (prefixes 778 and 779).
    pub fn is_argentine(self) -> bool {
        let thirteen = match self.length {
            14 => self.number % 10_000_000_000_000,
            13 => self.number,
            _ => return false,
        };
        matches!(thirteen / 10_000_000_000, 778 | 779)
    }
}

const LENGTHS: [usize; 4] = [8, 12, 13, 14];

impl fmt::Display for Gtin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:0width$}", self.number, width = usize::from(self.length))
    }
}

impl FromStr for Gtin {
    type Err = Fault;

    fn from_str(text: &str) -> Result<Self, Fault> {
        let sound = LENGTHS.contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
        let (true, Ok(number)) = (sound, text.parse::<u64>()) else {
            return Err(Fault::malformed(
                "INVALID_GTIN",
                "a GTIN is 8, 12, 13 or 14 digits without spaces; leave it empty if the product \
                 has none",
            ));
        };
        let (body, digit) = (number / 10, number % 10);
        let expected = check_digit(body);
        if digit != expected {
            return Err(Fault::malformed(
                "INVALID_GTIN",
                format!(
                    "the last digit of {text} is {digit}, but its check digit comes to \
                     {expected}; read the bar code again"
                ),
            ));
        }
        Ok(Self { number, length: text.len() as u8 })
    }
}

serde_as_text!(Gtin);

/// Modulo 10 over the digits before the check digit, weights 3 1 3 1 ... from the right.
fn check_digit(body: u64) -> u64 {
    let (mut rest, mut sum, mut weight) = (body, 0, 3);
    while rest > 0 {
        sum += rest % 10 * weight;
        weight = 4 - weight;
        rest /= 10;
    }
    (10 - sum % 10) % 10
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn parses_what_it_prints(body in "[0-9]{7}|[0-9]{11}|[0-9]{12}|[0-9]{13}") {
            let gtin = Gtin::from_body(&body).unwrap();
            prop_assert_eq!(gtin.to_string().parse::<Gtin>().unwrap(), gtin);
            prop_assert!(gtin.to_string().starts_with(&body));
        }

        #[test]
        fn one_wrong_digit_is_noticed(body in "[0-9]{12}", place in 0usize..13, by in 1u8..10) {
            let mut digits = Gtin::from_body(&body).unwrap().to_string().into_bytes();
            digits[place] = b'0' + (digits[place] - b'0' + by) % 10;
            prop_assert!(String::from_utf8(digits).unwrap().parse::<Gtin>().is_err());
        }
    }

    #[test]
    fn known_numbers_hold() {
        let oil: Gtin = "7790272001029".parse().unwrap();
        assert!(oil.is_argentine());
        assert!(!"4006381333931".parse::<Gtin>().unwrap().is_argentine());
        for text in ["", "7790272001028", "779027200102", "779027200102X", "77 90272001029"] {
            assert_eq!(text.parse::<Gtin>().unwrap_err().reason, "INVALID_GTIN", "{text}");
        }
    }
}
