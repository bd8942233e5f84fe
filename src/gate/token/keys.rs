//! Public keys that tokens are checked with, and where they come from.
//!
//! Enters: records made by whoever keeps keys. Leaves: a [`VerifyingKey`] by issuer
//! and key id. Nothing here reads a token.

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::{Deserialize, Serialize};

/// The signature algorithms accepted in tokens (FAPI 2.0, section 5.4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SignatureAlgorithm {
    /// ECDSA over P-256 with SHA-256.
    ES256,
    /// Ed25519.
    EdDSA,
    /// RSASSA-PSS with SHA-256; for outside issuers only.
    PS256,
}

impl SignatureAlgorithm {
    /// The name in a JOSE header.
    pub fn name(self) -> &'static str {
        match self {
            Self::ES256 => "ES256",
            Self::EdDSA => "EdDSA",
            Self::PS256 => "PS256",
        }
    }

    pub(super) fn jose(self) -> Algorithm {
        match self {
            Self::ES256 => Algorithm::ES256,
            Self::EdDSA => Algorithm::EdDSA,
            Self::PS256 => Algorithm::PS256,
        }
    }
}

impl fmt::Display for SignatureAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A public key with all that its tokens are measured by.
#[derive(Clone, Debug)]
pub struct VerifyingKey {
    /// Key id, as in the token's header.
    pub kid: String,
    /// The only algorithm its tokens may use.
    pub algorithm: SignatureAlgorithm,
    /// The key.
    pub key: DecodingKey,
    /// The audience that its issuer's tokens must name.
    pub audience: String,
    /// From this moment on nothing it signed is accepted.
    pub retire_at: Option<Timestamp>,
}

/// What a source of keys answers.
#[derive(Clone, Debug)]
pub enum KeyFound {
    /// The key, not retired.
    Key(Arc<VerifyingKey>),
    /// The issuer is accepted but has no such key, or it is retired.
    UnknownKey,
    /// The issuer is not accepted at all.
    UnknownIssuer,
}

/// Keeps the public keys of the issuers this gateway accepts.
pub trait KeySource: Send + Sync + 'static {
    /// The key `kid` of `issuer`, unless retired at `now`.
    fn find(&self, issuer: &str, kid: &str, now: Timestamp) -> KeyFound;

    /// A number that changes whenever any key does.
    fn generation(&self) -> u64;

    /// Looks for changes now, instead of at the next poll. Must be cheap: local files only.
    fn refresh(&self, now: Timestamp);
}
