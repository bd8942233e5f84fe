//! Public keys of an issuer run by others, from the JWK set its operator gave us.
//!
//! Enters: a file. Leaves: keys for signatures we accept; others are left out with a
//! line in the log.

use std::collections::HashSet;
use std::fs;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::DecodingKey;
use jsonwebtoken::jwk::{
    AlgorithmParameters, EllipticCurve, Jwk, JwkSet, KeyAlgorithm, PublicKeyUse,
};

use super::super::settings::OutsideIssuer;
use super::file::KeyFault;
use crate::gate::token::{SignatureAlgorithm, VerifyingKey};

/// Reads the keys of `issuer`.
pub(super) fn read(issuer: &OutsideIssuer) -> Result<Vec<VerifyingKey>, KeyFault> {
    let path = &issuer.jwks_file;
    let text = fs::read(path).map_err(|fault| {
        KeyFault::new(path, format!("the JWK set of {} cannot be read ({fault})", issuer.issuer))
    })?;
    let set: JwkSet = serde_json::from_slice(&text)
        .map_err(|fault| KeyFault::new(path, format!("not a JWK set: {fault}")))?;
    let mut seen = HashSet::new();
    let mut keys = Vec::new();
    for jwk in &set.keys {
        match verifying(jwk, &issuer.audience) {
            Ok(key) if seen.insert(key.kid.clone()) => keys.push(key),
            Ok(key) => {
                return Err(KeyFault::new(path, format!("key {} stands there twice", key.kid)));
            }
            Err(why) => {
                tracing::warn!(
                    issuer = issuer.issuer,
                    why,
                    "a key of an outside issuer is left out"
                );
            }
        }
    }
    if keys.is_empty() {
        return Err(KeyFault::new(path, "no key in it is for signatures by ES256, EdDSA or PS256"));
    }
    Ok(keys)
}

fn verifying(jwk: &Jwk, audience: &str) -> Result<VerifyingKey, &'static str> {
    let kid = jwk.common.key_id.clone().ok_or("it has no kid")?;
    match &jwk.common.public_key_use {
        None | Some(PublicKeyUse::Signature) => {}
        Some(PublicKeyUse::Encryption | PublicKeyUse::Other(_)) => {
            return Err("it is not for signatures");
        }
    }
    let (algorithm, named) = match &jwk.algorithm {
        AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P256 => {
            (SignatureAlgorithm::ES256, KeyAlgorithm::ES256)
        }
        AlgorithmParameters::OctetKeyPair(key) if key.curve == EllipticCurve::Ed25519 => {
            (SignatureAlgorithm::EdDSA, KeyAlgorithm::EdDSA)
        }
        AlgorithmParameters::RSA(key) => {
            let modulus = URL_SAFE_NO_PAD.decode(&key.n).map_err(|_| "its n is no base64url")?;
            if modulus.len() < 256 {
                return Err("its modulus has less than 2048 bits");
            }
            (SignatureAlgorithm::PS256, KeyAlgorithm::PS256)
        }
        // Foreign and open-ended enum: whatever else there is or will be is not accepted.
        _ => return Err("its type is not accepted"),
    };
    if jwk.common.key_algorithm.is_some_and(|algorithm| algorithm != named) {
        return Err("its alg is not accepted");
    }
    let key = DecodingKey::from_jwk(jwk).map_err(|_| "its numbers cannot be read")?;
    Ok(VerifyingKey { kid, algorithm, key, audience: audience.to_owned(), retire_at: None })
}
