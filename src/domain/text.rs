//! Bounded text: names and notes for people, and codes that partners give their own things.
//!
//! Enters: what strangers wrote. Leaves: text without control characters or marks that turn the
//! reading direction, no longer than its bound. Ñ, quotes, commas and any script stay.

use std::fmt;
use std::str::FromStr;

use super::fault::Fault;
use super::wording::quoted;

/// Text for people of 1 to `MAX` characters, trimmed.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Text<const MAX: usize>(Box<str>);

/// A partner's name, a legal name, a producer, a legal instrument.
pub type Name = Text<200>;
/// What buyers read of a listing.
pub type Title = Text<500>;
/// A cause, a reason for suspension, the source of a table.
pub type Cause = Text<500>;
/// What one party tells another about a decision.
pub type Note = Text<1000>;

impl<const MAX: usize> Text<MAX> {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The text, or nothing where it is empty but for spaces.
    ///
    /// # Errors
    /// As for parsing.
    pub fn optional(text: &str) -> Result<Option<Self>, Fault> {
        if text.trim().is_empty() { Ok(None) } else { text.parse().map(Some) }
    }
}

impl<const MAX: usize> fmt::Display for Text<MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl<const MAX: usize> FromStr for Text<MAX> {
    type Err = Fault;

    fn from_str(text: &str) -> Result<Self, Fault> {
        let trimmed = text.trim();
        let refuse = |what: String| Err(Fault::malformed("INVALID_FIELD", what));
        if trimmed.is_empty() {
            return refuse("the text is empty; write at least one character".to_owned());
        }
        let length = trimmed.chars().count();
        if length > MAX {
            return refuse(format!("the text has {length} characters; at most {MAX} are kept"));
        }
        match trimmed.chars().find(|c| is_unfit(*c)) {
            Some(c) => refuse(format!(
                "{} holds the control character U+{:04X}; remove it",
                quoted(trimmed),
                u32::from(c)
            )),
            None => Ok(Self(trimmed.into())),
        }
    }
}

impl<const MAX: usize> serde::Serialize for Text<MAX> {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&self.0)
    }
}

impl<'de, const MAX: usize> serde::Deserialize<'de> for Text<MAX> {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(from)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// Controls, line and paragraph separators, and the marks that make text read as something else
/// than it is (Unicode's bidirectional embeddings, overrides and isolates).
pub fn is_unfit(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
        || matches!(c, '\u{200E}' | '\u{200F}' | '\u{061C}' | '\u{FEFF}')
}

/// A code that a partner gives a thing of its own.
macro_rules! code {
    ($(#[$meta:meta])* $Name:ident, $what:literal, $reason:literal) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $Name(Box<str>);

        impl $Name {
            /// The code.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $Name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl std::borrow::Borrow<str> for $Name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $Name {
            type Err = Fault;

            fn from_str(text: &str) -> Result<Self, Fault> {
                if is_code(text) { Ok(Self(text.into())) } else {
                    Err(Fault::malformed($reason, format!(
                        "{} is not {}; give 1 to 64 printable ASCII characters, no space at \
                         either end",
                        quoted(text),
                        $what,
                    )))
                }
            }
        }

        serde_as_text!($Name);
    };
}

code! {
    /// A marketplace's own number of a line of sale, unique within the marketplace for ever.
    LineId, "a line id", "INVALID_LINE_ID"
}
code! {
    /// A marketplace's own number of an order.
    OrderId, "an order id", "INVALID_FIELD"
}
code! {
    /// A marketplace's own article number.
    Sku, "an article number", "INVALID_SKU"
}
code! {
    /// A number of a document that goes with goods, such as a transport document's.
    Reference, "a reference", "INVALID_FIELD"
}

/// `^[!-~]([ -~]{0,62}[!-~])?$`
fn is_code(text: &str) -> bool {
    let bytes = text.as_bytes();
    (1..=64).contains(&bytes.len())
        && bytes.iter().all(|b| (b' '..=b'~').contains(b))
        && bytes[0] != b' '
        && bytes[bytes.len() - 1] != b' '
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn parses_what_it_prints(text in "[^\\pC\\pZ]{1,40}( [^\\pC\\pZ]{1,40})?") {
            let parsed: Title = text.parse().unwrap();
            prop_assert_eq!(parsed.as_str(), text.as_str());
            prop_assert_eq!(parsed.to_string().parse::<Title>().unwrap(), parsed);
        }

        #[test]
        fn a_code_parses_to_what_it_prints(text in "[!-~]([ -~]{0,62}[!-~])?") {
            prop_assert_eq!(text.parse::<LineId>().unwrap().to_string(), text);
        }

        #[test]
        fn no_text_panics(text in ".{0,80}") {
            let _ = (text.parse::<Text<9>>(), text.parse::<Sku>());
        }
    }

    #[test]
    fn real_names_pass_and_traps_do_not() {
        let name: Name = "  Viñedos \"El Ñandú\", S.A. 葡萄酒 ".parse().unwrap();
        assert_eq!(name.as_str(), "Viñedos \"El Ñandú\", S.A. 葡萄酒");
        for text in ["", "   ", "a\u{0}b", "a\nb", "abc\u{202E}gpj", "\u{2066}x", "a\u{7f}"] {
            assert_eq!(text.parse::<Name>().unwrap_err().reason, "INVALID_FIELD", "{text:?}");
        }
        assert!("ñ".repeat(200).parse::<Name>().is_ok());
        assert!("ñ".repeat(201).parse::<Name>().is_err());
        assert_eq!(Note::optional(" ").unwrap(), None);
    }

    #[test]
    fn codes_are_plain() {
        for text in ["", " a", "a ", "ñ", "a\tb", &"x".repeat(65)] {
            assert_eq!(text.parse::<LineId>().unwrap_err().reason, "INVALID_LINE_ID", "{text:?}");
        }
    }
}
