//! The number of an export declaration (permiso de embarque).
//!
//! Enters: sixteen characters. Leaves: a [`DeclarationNumber`] that can be taken apart. The control
//! letter is accepted, never computed: its rule is not public.

use std::fmt;
use std::str::FromStr;

use super::fault::Fault;
use super::wording::quoted;

/// Year (2), customs office (3), subregime (4), number (6), control letter: `18817EC08028500L`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DeclarationNumber([u8; 16]);

impl DeclarationNumber {
    /// The whole number.
    pub fn as_str(&self) -> &str {
        self.part(0, 16)
    }

    /// The last two digits of the year.
    pub fn year(&self) -> &str {
        self.part(0, 2)
    }

    /// The customs office, three digits.
    pub fn office(&self) -> &str {
        self.part(2, 5)
    }

    /// The subregime, four characters: `EC01` is export for consumption.
    pub fn subregime(&self) -> &str {
        self.part(5, 9)
    }

    /// The running number, six digits.
    pub fn number(&self) -> &str {
        self.part(9, 15)
    }

    /// The control letter.
    pub fn control(&self) -> char {
        char::from(self.0[15])
    }

    fn part(&self, from: usize, to: usize) -> &str {
        std::str::from_utf8(&self.0[from..to]).unwrap_or_default()
    }
}

impl fmt::Display for DeclarationNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for DeclarationNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for DeclarationNumber {
    type Err = Fault;

    fn from_str(text: &str) -> Result<Self, Fault> {
        match <[u8; 16]>::try_from(text.as_bytes()) {
            Ok(bytes) if has_form(&bytes) => Ok(Self(bytes)),
            _ => Err(Fault::malformed(
                "INVALID_DECLARATION",
                format!(
                    "{} is not an export declaration; give all 16 characters without spaces: five \
                     digits, four of subregime, six digits, a capital letter, as 18817EC08028500L",
                    quoted(text)
                ),
            )),
        }
    }
}

serde_as_text!(DeclarationNumber);

fn has_form(bytes: &[u8; 16]) -> bool {
    bytes.iter().enumerate().all(|(place, byte)| match place {
        0..=4 | 9..=14 => byte.is_ascii_digit(),
        5 | 6 | 15 => byte.is_ascii_uppercase(),
        _ => byte.is_ascii_uppercase() || byte.is_ascii_digit(),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn parses_what_it_prints(text in "[0-9]{5}[A-Z]{2}[A-Z0-9]{2}[0-9]{6}[A-Z]") {
            prop_assert_eq!(text.parse::<DeclarationNumber>().unwrap().to_string(), text);
        }

        #[test]
        fn no_text_panics(text in ".{0,20}") {
            let _ = text.parse::<DeclarationNumber>();
        }
    }

    #[test]
    fn it_comes_apart() {
        let number: DeclarationNumber = "18817EC08028500L".parse().unwrap();
        assert_eq!(
            (number.year(), number.office(), number.subregime(), number.number(), number.control()),
            ("18", "817", "EC08", "028500", 'L')
        );
        for text in ["", "18817EC08028500", "18817ec08028500L", "18 817 EC08 028500 L"] {
            assert_eq!(
                text.parse::<DeclarationNumber>().unwrap_err().reason,
                "INVALID_DECLARATION"
            );
        }
    }
}
