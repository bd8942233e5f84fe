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

/// Text in quotes with controls escaped, cut to 40 characters; "an empty value" if there is none.
pub(crate) fn quoted(text: &str) -> String {
    if text.is_empty() {
        return "an empty value".to_owned();
    }
    match text.char_indices().nth(EXCERPT_CHARS) {
        Some((end, _)) => format!("{:?}...", &text[..end]),
        None => format!("{text:?}"),
    }
}
