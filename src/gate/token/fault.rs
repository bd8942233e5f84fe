//! Why a token is refused, in words for the caller.
//!
//! Enters: nothing. Leaves: [`TokenFault`], which becomes the crate's error. No
//! text here ever holds a part of the token.

use std::fmt;

use crate::error::Error;

/// Why a token is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenFault {
    /// No `authorization: Bearer` header, or more than one.
    Missing,
    /// Not a compact JWS of ours: the text says which rule it breaks.
    Malformed(&'static str),
    /// The header names an algorithm other than the one recorded for the key.
    AlgorithmRefused,
    /// No key of that id is published by that issuer, or it is retired.
    UnknownKey,
    /// The signature does not fit the key.
    SignatureInvalid,
    /// The issuer is not one this gateway accepts.
    WrongIssuer,
    /// The token was made for another service.
    WrongAudience,
    /// `exp` has passed.
    Expired,
    /// `nbf` or `iat` lies further ahead than clocks may differ.
    NotYetValid,
    /// The token is bound to another certificate than this connection's.
    NotBound,
    /// `client_id` is not the partner the certificate belongs to.
    ClientMismatch,
    /// The token was revoked.
    Revoked,
}

impl TokenFault {
    /// The fixed word for programs.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Missing => "TOKEN_MISSING",
            Self::Malformed(_) => "TOKEN_MALFORMED",
            Self::AlgorithmRefused => "TOKEN_ALGORITHM_REFUSED",
            Self::UnknownKey => "TOKEN_UNKNOWN_KEY",
            Self::SignatureInvalid => "TOKEN_SIGNATURE_INVALID",
            Self::WrongIssuer => "TOKEN_WRONG_ISSUER",
            Self::WrongAudience => "TOKEN_WRONG_AUDIENCE",
            Self::Expired => "TOKEN_EXPIRED",
            Self::NotYetValid => "TOKEN_NOT_YET_VALID",
            Self::NotBound => "TOKEN_NOT_BOUND",
            Self::ClientMismatch => "TOKEN_CLIENT_MISMATCH",
            Self::Revoked => "TOKEN_REVOKED",
        }
    }
}

impl fmt::Display for TokenFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Missing => {
                "no access token: get one from POST /oauth2/token with this certificate and send \
                 it as 'authorization: Bearer TOKEN', once"
            }
            Self::Malformed(what) => return write!(f, "the access token is malformed: {what}"),
            Self::AlgorithmRefused => {
                "the access token names another algorithm than its key is recorded with"
            }
            Self::UnknownKey => {
                "the access token is signed by a key that is not published or is retired: get a \
                 new token"
            }
            Self::SignatureInvalid => "the access token's signature does not fit its key",
            Self::WrongIssuer => "the access token's issuer is not accepted here",
            Self::WrongAudience => "the access token was made for another service",
            Self::Expired => "the access token has expired: get a new one from /oauth2/token",
            Self::NotYetValid => {
                "the access token is not valid yet: check the clocks of caller and issuer"
            }
            Self::NotBound => {
                "the access token is bound to another certificate: get one with the certificate \
                 of this connection"
            }
            Self::ClientMismatch => {
                "the access token belongs to another partner than the certificate"
            }
            Self::Revoked => "the access token was revoked: get a new one from /oauth2/token",
        })
    }
}

impl std::error::Error for TokenFault {}

impl From<TokenFault> for Error {
    fn from(fault: TokenFault) -> Self {
        Self::unauthenticated(fault.reason(), fault.to_string())
    }
}
