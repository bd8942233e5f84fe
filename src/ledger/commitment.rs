//! Salted commitments: a leaf says that content existed without saying what it was.
//!
//! Enters: a secret 32-byte salt and the content's canonical bytes. Leaves:
//! SHA-256(salt || content). The salt is kept beside the content, never in a leaf; once
//! it is destroyed, the leaf says nothing about the person any more.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::hash::{Hash, HashError};

/// SHA-256(salt || content), written in standard base64.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Commitment(Hash);

impl Commitment {
    /// Commits to `content` under `salt`, which must be fresh random bytes for each entry.
    pub fn of(salt: &[u8; 32], content: &[u8]) -> Self {
        Self(Hash::of(&[salt, content]))
    }

    /// Whether this commitment was made from `salt` and `content`.
    pub fn opens_with(&self, salt: &[u8; 32], content: &[u8]) -> bool {
        Self::of(salt, content) == *self
    }
}

impl fmt::Display for Commitment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Commitment {
    type Err = HashError;

    fn from_str(text: &str) -> Result<Self, HashError> {
        text.parse().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opens_only_with_the_same_salt_and_content() {
        let made = Commitment::of(&[7; 32], b"exporters/x");
        assert!(made.opens_with(&[7; 32], b"exporters/x"));
        assert!(!made.opens_with(&[8; 32], b"exporters/x"));
        assert!(!made.opens_with(&[7; 32], b"exporters/y"));
        assert_eq!(made.to_string().parse(), Ok(made));
    }
}
