//! CUIT, the Argentine tax id.
//!
//! Enters: eleven digits, with or without hyphens. Leaves: a [`Cuit`] whose check digit holds. That
//! it exists, and that its holder may export, are other questions: see
//! [`exporter`](super::exporter).

use std::fmt;
use std::str::FromStr;

use super::fault::Fault;

/// A well-formed tax id of a person or company. Personal data: `Debug` and [`Cuit::masked`] hide
/// the middle, so that it cannot slip into a log; `Display` prints it whole, without hyphens.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Cuit(u64);

const REASON: &str = "INVALID_CUIT";

impl Cuit {
    /// The prefixes given to persons (20 to 27) and companies (30, 33, 34).
    pub const PREFIXES: [u8; 9] = [20, 23, 24, 25, 26, 27, 30, 33, 34];

    /// The id of this prefix and eight-digit number, with its check digit computed. `None` if
    /// the prefix is not a seller's, the number has more than eight digits, or the check digit
    /// would be 10, which is never issued.
    pub fn from_parts(prefix: u8, number: u32) -> Option<Self> {
        if !Self::PREFIXES.contains(&prefix) || number > 99_999_999 {
            return None;
        }
        let ten = u64::from(prefix) * 100_000_000 + u64::from(number);
        Some(Self(ten * 10 + check_digit(ten)?))
    }

    /// The first two digits, which tell persons from companies.
    pub fn prefix(self) -> u8 {
        // Eleven digits divided by nine powers of ten leave at most two.
        (self.0 / 1_000_000_000) as u8
    }

    /// The prefix and the last two digits, for logs: `30*******12`.
    pub fn masked(self) -> String {
        format!("{}*******{:02}", self.prefix(), self.0 % 100)
    }
}

impl fmt::Display for Cuit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl fmt::Debug for Cuit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cuit({})", self.masked())
    }
}

impl FromStr for Cuit {
    type Err = Fault;

    fn from_str(text: &str) -> Result<Self, Fault> {
        // Each hyphen may be there or not, but only in its own place.
        let plain = text.split_at_checked(2).map(|(head, tail)| {
            let tail = tail.strip_prefix('-').unwrap_or(tail);
            match tail.split_at_checked(8) {
                Some((number, last)) => (head, number, last.strip_prefix('-').unwrap_or(last)),
                None => (head, tail, ""),
            }
        });
        let Some((head, number, last)) = plain else { return Err(shape()) };
        if (head.len(), number.len(), last.len()) != (2, 8, 1) {
            return Err(shape());
        }
        let mut all: u64 = 0;
        for byte in head.bytes().chain(number.bytes()).chain(last.bytes()) {
            match byte {
                b'0'..=b'9' => all = all * 10 + u64::from(byte - b'0'),
                _ => return Err(shape()),
            }
        }
        let (ten, digit) = (all / 10, all % 10);
        let prefix = ten / 100_000_000;
        if [50, 51, 55].contains(&prefix) {
            return Err(Fault::malformed(
                REASON,
                format!(
                    "the prefix {prefix} is the tax authority's for foreign countries, not a \
                     seller's; give the seller's own CUIT"
                ),
            ));
        }
        if !Self::PREFIXES.iter().any(|known| u64::from(*known) == prefix) {
            return Err(Fault::malformed(
                REASON,
                format!(
                    "no CUIT begins with {prefix:02}; persons have 20, 23, 24, 25, 26 or 27, \
                     companies 30, 33 or 34"
                ),
            ));
        }
        match check_digit(ten) {
            Some(expected) if expected == digit => Ok(Self(all)),
            _ => Err(Fault::malformed(
                REASON,
                format!(
                    "the check digit {digit} does not fit the ten digits before it; compare the \
                     number with the seller's tax certificate"
                ),
            )),
        }
    }
}

serde_as_text!(Cuit);

/// Modulo 11 over ten digits, weights 5 4 3 2 7 6 5 4 3 2; `None` where it comes to 10.
fn check_digit(ten: u64) -> Option<u64> {
    let mut rest = ten;
    let mut sum = 0;
    for weight in [2, 3, 4, 5, 6, 7, 2, 3, 4, 5] {
        sum += rest % 10 * weight;
        rest /= 10;
    }
    match 11 - sum % 11 {
        11 => Some(0),
        10 => None,
        digit => Some(digit),
    }
}

fn shape() -> Fault {
    Fault::malformed(
        REASON,
        "a CUIT is 11 digits, plain (30500010912) or with hyphens after the second and before \
         the last (30-50001091-2)",
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_cuit() -> impl Strategy<Value = Cuit> {
        (0..Cuit::PREFIXES.len(), 0u32..100_000_000)
            .prop_filter_map("check digit 10", |(p, n)| Cuit::from_parts(Cuit::PREFIXES[p], n))
    }

    proptest! {
        #[test]
        fn parses_what_it_prints(cuit in any_cuit()) {
            let text = cuit.to_string();
            prop_assert_eq!(text.len(), 11);
            prop_assert_eq!(text.parse::<Cuit>().unwrap(), cuit);
            let hyphens = format!("{}-{}-{}", &text[..2], &text[2..10], &text[10..]);
            prop_assert_eq!(hyphens.parse::<Cuit>().unwrap(), cuit);
        }

        #[test]
        fn one_wrong_digit_is_noticed(cuit in any_cuit(), place in 2usize..11, by in 1u8..10) {
            let mut digits = cuit.to_string().into_bytes();
            digits[place] = b'0' + (digits[place] - b'0' + by) % 10;
            prop_assert!(String::from_utf8(digits).unwrap().parse::<Cuit>().is_err());
        }

        #[test]
        fn no_text_panics(text in ".{0,20}") {
            let _ = text.parse::<Cuit>();
        }

        #[test]
        fn debug_hides_the_middle(cuit in any_cuit()) {
            let debug = format!("{cuit:?}");
            prop_assert!(!debug.contains(&cuit.to_string()[2..9]));
        }
    }

    #[test]
    fn known_numbers_hold() {
        for text in ["30-50001091-2", "33-69345023-9", "20-26756539-3"] {
            assert_eq!(text.parse::<Cuit>().unwrap().to_string(), text.replace('-', ""));
        }
    }

    #[test]
    fn each_fault_is_told_apart() {
        for (text, word) in [
            ("", "11 digits"),
            ("3050001091", "11 digits"),
            ("305-0001091-2", "11 digits"),
            ("30--500010912", "11 digits"),
            ("3-0500010912", "11 digits"),
            ("30 50001091 2", "11 digits"),
            ("3０500010912", "11 digits"),
            ("30500010913", "check digit"),
            ("50000000016", "foreign countries"),
            ("55000002206", "foreign countries"),
            ("21267565393", "begins with 21"),
        ] {
            let fault = text.parse::<Cuit>().unwrap_err();
            assert_eq!(fault.reason, "INVALID_CUIT");
            assert!(fault.message.contains(word), "{text}: {fault}");
        }
    }

    #[test]
    fn a_check_digit_of_ten_is_never_issued() {
        let ten = (0..1000).find(|n| Cuit::from_parts(20, *n).is_none()).unwrap();
        for digit in 0..10 {
            assert!(format!("20{ten:08}{digit}").parse::<Cuit>().is_err());
        }
    }
}
