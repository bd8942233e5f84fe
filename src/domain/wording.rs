//! Two macros that give values one text form, and the quoting of strangers' text in messages.
//!
//! Enters: what someone sent. Leaves: the same, short and harmless, for use in an error.

/// Serialises a type through its `Display` and `FromStr`, so that a document can only hold
/// values that parse.
macro_rules! serde_as_text {
    ($Name:ty) => {
        impl serde::Serialize for $Name {
            fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $Name {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(from)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

/// An enum whose variants have one written form each: `ALL`, `as_str`, `Display`, `FromStr`, serde.
macro_rules! named_enum {
    (
        $(#[$meta:meta])*
        $vis:vis enum $Name:ident ($what:literal, $reason:literal) {
            $( $(#[$variant_meta:meta])* $Variant:ident = $text:literal ),+ $(,)?
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        $vis enum $Name {
            $( $(#[$variant_meta])* $Variant ),+
        }

        impl $Name {
            /// Every value, in the order of declaration.
            pub const ALL: &'static [Self] = &[$( Self::$Variant ),+];

            /// The written form.
            pub const fn as_str(self) -> &'static str {
                match self { $( Self::$Variant => $text ),+ }
            }
        }

        impl std::fmt::Display for $Name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl std::str::FromStr for $Name {
            type Err = $crate::domain::fault::Fault;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                match text {
                    $( $text => Ok(Self::$Variant), )+
                    _ => Err($crate::domain::fault::Fault::malformed(
                        $reason,
                        format!(
                            "{} is not {}; use one of: {}",
                            $crate::domain::wording::quoted(text),
                            $what,
                            [$( $text ),+].join(", "),
                        ),
                    )),
                }
            }
        }

        serde_as_text!($Name);
    };
}

/// The longest excerpt of a stranger's text that a message repeats.
const EXCERPT_CHARS: usize = 40;

/// Digits of a CUIT, which is personal data and never stands in a message.
const CUIT_DIGITS: usize = 11;

/// Text in quotes with controls escaped, cut to 40 characters; "an empty value" if there is none.
/// Eleven digits in a row, hyphens between them or not, are hidden but for the first two: in
/// whatever field they were sent, they may be a CUIT.
pub(crate) fn quoted(text: &str) -> String {
    if text.is_empty() {
        return "an empty value".to_owned();
    }
    // A little more than is shown, so that a CUIT at the cut is seen whole.
    let start: String = text.chars().take(EXCERPT_CHARS + CUIT_DIGITS + 2).collect();
    let shown = hidden(&start);
    match shown.char_indices().nth(EXCERPT_CHARS) {
        Some((end, _)) => format!("{:?}...", &shown[..end]),
        None => format!("{shown:?}"),
    }
}

/// The text with what reads as a CUIT hidden; as many characters as before.
fn hidden(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let outside = |c: char| !c.is_ascii_digit() && c != '-';
        let end = if first.is_ascii_digit() {
            rest.find(outside).unwrap_or(rest.len())
        } else {
            first.len_utf8()
        };
        let (run, after) = rest.split_at(end);
        let digits = run.bytes().filter(u8::is_ascii_digit).count();
        for (place, c) in run.chars().enumerate() {
            let hide = digits == CUIT_DIGITS && place >= 2 && c.is_ascii_digit();
            shown.push(if hide { '*' } else { c });
        }
        rest = after;
    }
    shown
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_cuit_is_hidden_in_whatever_it_stands() {
        for (text, shown) in [
            ("20267565393", "\"20*********\""),
            ("Ñ 30-50001091-2;", "\"Ñ 30-********-*;\""),
            ("2026-11-11T00:00:03", "\"2026-11-11T00:00:03\""),
            ("7790001000011", "\"7790001000011\""),
        ] {
            assert_eq!(quoted(text), shown);
        }
        let late = format!("{}20267565393", "x".repeat(35));
        assert!(!quoted(&late).contains("2026"));
    }

    proptest! {
        #[test]
        fn no_text_panics(text in ".{0,60}|[0-9-]{0,60}") {
            let _ = quoted(&text);
        }
    }
}
