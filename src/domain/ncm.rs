//! Tariff codes of the Mercosur nomenclature (NCM): chapters, headings, leaf codes.
//!
//! Enters: text as customs forms have it. Leaves: parsed codes. Whether a code is in force stands
//! in the [`Nomenclature`](super::reference::Nomenclature), a table of its own.

use std::fmt;
use std::str::FromStr;

use super::fault::Fault;
use super::wording::quoted;

/// One reason for whatever is not a code of the nomenclature; the message tells which.
const REASON: &str = "UNKNOWN_NCM";

/// A chapter: the first two digits, 01 to 99.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Chapter(u8);

impl Chapter {
    /// The chapter of this number; `None` unless 1 to 99.
    pub const fn new(number: u8) -> Option<Self> {
        if number >= 1 && number <= 99 { Some(Self(number)) } else { None }
    }

    /// 1 to 99.
    pub const fn number(self) -> u8 {
        self.0
    }
}

impl fmt::Display for Chapter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}", self.0)
    }
}

impl FromStr for Chapter {
    type Err = Fault;

    fn from_str(text: &str) -> Result<Self, Fault> {
        match digits(text, 2) {
            Some(number @ 1..=99) => Ok(Self(number as u8)),
            _ => Err(Fault::malformed(
                REASON,
                format!("{} is not a chapter; give two digits, 01 to 99", quoted(text)),
            )),
        }
    }
}

serde_as_text!(Chapter);

/// A heading: the first four digits, printed `22.04`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Heading(u16);

impl Heading {
    /// The heading of this number; `None` unless 0100 to 9999.
    pub const fn new(number: u16) -> Option<Self> {
        if number >= 100 && number <= 9999 { Some(Self(number)) } else { None }
    }

    /// 100 to 9999.
    pub const fn number(self) -> u16 {
        self.0
    }

    /// The chapter it stands in.
    pub const fn chapter(self) -> Chapter {
        Chapter((self.0 / 100) as u8)
    }
}

impl fmt::Display for Heading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}.{:02}", self.0 / 100, self.0 % 100)
    }
}

/// Accepts `22.04` and `2204`.
impl FromStr for Heading {
    type Err = Fault;

    fn from_str(text: &str) -> Result<Self, Fault> {
        let number = match text.split_once('.') {
            Some((chapter, rest)) => match (digits(chapter, 2), digits(rest, 2)) {
                (Some(chapter), Some(rest)) => Some(chapter * 100 + rest),
                _ => None,
            },
            None => digits(text, 4),
        };
        match number {
            Some(number @ 100..=9999) => Ok(Self(number as u16)),
            _ => Err(Fault::malformed(
                REASON,
                format!("{} is not a heading; give four digits, as 22.04", quoted(text)),
            )),
        }
    }
}

serde_as_text!(Heading);

/// An eight-digit leaf code, with the national suffix (SIM) if one was given; printed
/// `2204.21.00` or `2204.21.00.100A`. The suffix's letter is accepted, never computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NcmCode {
    leaf: u32,
    suffix: Option<SimSuffix>,
}

/// The three digits that the customs system adds to a leaf, and its control letter if given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SimSuffix {
    digits: u16,
    letter: Option<char>,
}

impl NcmCode {
    /// The leaf of these eight digits as a number; `None` unless 0100.00.00 to 9999.99.99.
    pub const fn from_number(leaf: u32) -> Option<Self> {
        if leaf >= 1_000_000 && leaf <= 99_999_999 {
            Some(Self { leaf, suffix: None })
        } else {
            None
        }
    }

    /// The eight digits as a number.
    pub const fn number(self) -> u32 {
        self.leaf
    }

    /// The eight digits without points.
    pub fn digits(self) -> String {
        format!("{:08}", self.leaf)
    }

    /// The same code without its national suffix.
    #[must_use]
    pub const fn leaf(self) -> Self {
        Self { leaf: self.leaf, suffix: None }
    }

    /// The national suffix, if one was given.
    pub const fn suffix(self) -> Option<SimSuffix> {
        self.suffix
    }

    /// The heading it stands under.
    pub const fn heading(self) -> Heading {
        Heading((self.leaf / 10_000) as u16)
    }

    /// The chapter it stands in.
    pub const fn chapter(self) -> Chapter {
        self.heading().chapter()
    }

    /// The six digits that all customs of the world share (HS).
    pub const fn subheading(self) -> u32 {
        self.leaf / 100
    }
}

impl fmt::Display for NcmCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let n = self.leaf;
        write!(f, "{:04}.{:02}.{:02}", n / 10_000, n / 100 % 100, n % 100)?;
        if let Some(suffix) = self.suffix {
            write!(f, ".{:03}", suffix.digits)?;
            if let Some(letter) = suffix.letter {
                write!(f, "{letter}")?;
            }
        }
        Ok(())
    }
}

/// Accepts `2204.21.00`, `22042100`, `2204.21.00.100` and `2204.21.00.100A`.
impl FromStr for NcmCode {
    type Err = Fault;

    fn from_str(text: &str) -> Result<Self, Fault> {
        leaf_and_suffix(text).ok_or_else(|| malformed(text))
    }
}

serde_as_text!(NcmCode);

/// `NNNN[.]NN[.]NN`, then, only if both points are there, `.NNN[A]`.
fn leaf_and_suffix(text: &str) -> Option<NcmCode> {
    let (heading, rest) = text.split_at_checked(4)?;
    let (first, rest) = after_point(rest);
    let (middle, rest) = rest.split_at_checked(2)?;
    let (second, rest) = after_point(rest);
    let (last, rest) = rest.split_at_checked(2)?;
    let number = digits(heading, 4)? * 10_000 + digits(middle, 2)? * 100 + digits(last, 2)?;
    let mut code = NcmCode::from_number(number)?;
    match rest.strip_prefix('.') {
        Some(suffix) if first && second => code.suffix = Some(sim_suffix(suffix)?),
        None if rest.is_empty() => {}
        Some(_) | None => return None,
    }
    Some(code)
}

fn after_point(text: &str) -> (bool, &str) {
    match text.strip_prefix('.') {
        Some(rest) => (true, rest),
        None => (false, text),
    }
}

fn sim_suffix(text: &str) -> Option<SimSuffix> {
    let (number, letter) = text.split_at_checked(3)?;
    let letter = match letter.as_bytes() {
        [] => None,
        [letter @ b'A'..=b'Z'] => Some(char::from(*letter)),
        _ => return None,
    };
    Some(SimSuffix { digits: digits(number, 3)? as u16, letter })
}

/// The number that exactly `count` ASCII digits spell.
fn digits(text: &str, count: usize) -> Option<u32> {
    let sound = text.len() == count && text.bytes().all(|b| b.is_ascii_digit());
    if sound { text.parse().ok() } else { None }
}

fn malformed(text: &str) -> Fault {
    let plain: String = text.chars().filter(|c| *c != '.').collect();
    let heading_only =
        (2..8).contains(&plain.len()) && plain.bytes().all(|byte| byte.is_ascii_digit());
    if heading_only {
        return Fault::malformed(
            REASON,
            format!(
                "{} is a chapter, heading or subheading, which nobody can declare; give the full \
                 code of eight digits, as 2204.21.00",
                quoted(text)
            ),
        );
    }
    Fault::malformed(
        REASON,
        format!(
            "{} is not an NCM code; give eight digits as 2204.21.00 or 22042100, with the customs \
             suffix if you have it: 2204.21.00.100A",
            quoted(text)
        ),
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn parses_what_it_prints(
            leaf in 1_000_000u32..100_000_000,
            suffix in proptest::option::of((0u16..1000, proptest::option::of(proptest::char::range('A', 'Z')))),
        ) {
            let suffix = suffix.map(|(digits, letter)| SimSuffix { digits, letter });
            let code = NcmCode { leaf, suffix };
            prop_assert_eq!(code.to_string().parse::<NcmCode>().unwrap(), code);
            prop_assert_eq!(format!("{leaf:08}").parse::<NcmCode>().unwrap(), code.leaf());
            let heading = code.heading();
            prop_assert_eq!(heading.to_string().parse::<Heading>().unwrap(), heading);
            let chapter = code.chapter();
            prop_assert_eq!(chapter.to_string().parse::<Chapter>().unwrap(), chapter);
        }

        #[test]
        fn no_text_panics(text in ".{0,20}|[0-9.A-Z]{0,16}") {
            let _ = (text.parse::<NcmCode>(), text.parse::<Heading>(), text.parse::<Chapter>());
        }
    }

    #[test]
    fn a_heading_is_not_a_code() {
        for text in ["22", "2204", "22.04", "2204.21", "220421", "2204.210"] {
            let fault = text.parse::<NcmCode>().unwrap_err();
            assert!(fault.message.contains("nobody can declare"), "{text}: {fault}");
        }
        for text in [
            "",
            "2204.21.00.",
            "2204.21.00.1",
            "2204.21.00.100a",
            "2204-21-00",
            "0000.00.01",
            "22042100.100",
        ] {
            let fault = text.parse::<NcmCode>().unwrap_err();
            assert!(fault.message.contains("is not an NCM code"), "{text}: {fault}");
        }
        assert_eq!("2204.2100".parse::<NcmCode>(), "220421.00".parse());
    }
}
