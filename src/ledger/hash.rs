//! SHA-256 as RFC 6962 uses it.
//!
//! Enters: bytes of a leaf, or two child hashes. Leaves: [`struct@Hash`], whose text is
//! standard padded base64, as C2SP formats write it. It knows nothing of trees.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

const LEAF_PREFIX: u8 = 0x00;
const NODE_PREFIX: u8 = 0x01;

/// A SHA-256 hash in a Merkle tree.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hash([u8; 32]);

impl Hash {
    /// The root of the tree without leaves: SHA-256 of nothing (RFC 6962, 2.1).
    pub fn empty_root() -> Self {
        Self::of(&[])
    }

    /// The hash of a leaf: SHA-256(0x00 || data) (RFC 6962, 2.1).
    pub fn leaf(data: &[u8]) -> Self {
        Self::of(&[&[LEAF_PREFIX], data])
    }

    /// The hash of an interior node: SHA-256(0x01 || left || right) (RFC 6962, 2.1).
    pub fn node(left: &Self, right: &Self) -> Self {
        let mut input = [NODE_PREFIX; 65];
        input[1..33].copy_from_slice(&left.0);
        input[33..].copy_from_slice(&right.0);
        Self::of(&[&input])
    }

    /// SHA-256 of the parts, one after the other.
    pub(super) fn of(parts: &[&[u8]]) -> Self {
        let mut context = digest::Context::new(&digest::SHA256);
        for part in parts {
            context.update(part);
        }
        let mut out = [0; 32];
        out.copy_from_slice(context.finish().as_ref());
        Self(out)
    }

    /// The hash whose bytes these are.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl TryFrom<&[u8]> for Hash {
    type Error = HashError;

    fn try_from(bytes: &[u8]) -> Result<Self, HashError> {
        bytes.try_into().map(Self).map_err(|_| HashError::Length(bytes.len()))
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&STANDARD.encode(self.0))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hash({self})")
    }
}

impl FromStr for Hash {
    type Err = HashError;

    fn from_str(text: &str) -> Result<Self, HashError> {
        // 44 characters hold 32 bytes; anything longer need not be decoded.
        if text.len() > 44 {
            return Err(HashError::Base64);
        }
        Self::try_from(STANDARD.decode(text).map_err(|_| HashError::Base64)?.as_slice())
    }
}

impl Serialize for Hash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Hash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// Why a text or byte string is no hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HashError {
    /// Not standard padded base64 of 32 bytes.
    #[error("a hash is 44 characters of standard base64")]
    Base64,
    /// Another number of bytes than 32.
    #[error("a hash has 32 bytes, not {0}")]
    Length(usize),
}
