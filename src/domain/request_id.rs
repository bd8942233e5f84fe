//! The name a caller gives a request, so that asking again is harmless.
//!
//! Enters: the text of a UUID. Leaves: a [`RequestId`].

use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

use super::derived::derived_id;
use super::fault::Fault;
use super::wording::quoted;

/// A UUID of any version but nil; printed in lower case with hyphens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RequestId(Uuid);

impl RequestId {
    /// A request id of a UUID made here; `None` for the nil UUID.
    pub fn new(uuid: Uuid) -> Option<Self> {
        (!uuid.is_nil()).then_some(Self(uuid))
    }

    /// The request id of a step that the gateway takes by itself, the same for the same parts for
    /// ever, so that the step is taken once.
    pub fn of_step(step: &str, parts: &[&str]) -> Result<Self, Fault> {
        derived_id(step, parts).parse()
    }

    /// The UUID.
    pub fn uuid(self) -> Uuid {
        self.0
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

impl FromStr for RequestId {
    type Err = Fault;

    fn from_str(text: &str) -> Result<Self, Fault> {
        let parsed = if text.len() == 36 { Uuid::try_parse(text).ok() } else { None };
        parsed.and_then(Self::new).ok_or_else(|| {
            Fault::malformed(
                "INVALID_REQUEST_ID",
                format!(
                    "{} is not a request id; make a UUID, new for each change and the same for \
                     each retry of it, as 0198c7a2-6a0f-7b51-9c7e-1f2a3b4c5d6e",
                    quoted(text)
                ),
            )
        })
    }
}

serde_as_text!(RequestId);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn parses_what_it_prints(number in 1u128..) {
            let id = RequestId::new(Uuid::from_u128(number)).unwrap();
            prop_assert_eq!(id.to_string().parse::<RequestId>().unwrap(), id);
            prop_assert_eq!(id.to_string().to_uppercase().parse::<RequestId>().unwrap(), id);
        }
    }

    #[test]
    fn only_the_usual_form_is_taken() {
        for text in [
            "",
            "00000000-0000-0000-0000-000000000000",
            "0198c7a26a0f7b519c7e1f2a3b4c5d6e",
            "{0198c7a2-6a0f-7b51-9c7e-1f2a3b4c5d6e}",
            "urn:uuid:0198c7a2-6a0f-7b51-9c7e-1f2a3b4c5d6e",
        ] {
            assert_eq!(text.parse::<RequestId>().unwrap_err().reason, "INVALID_REQUEST_ID");
        }
    }
}
