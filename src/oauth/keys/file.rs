//! One folder of signing keys: `signing.toml` and the PKCS#8 files it names.
//!
//! Enters: paths. Leaves: [`SigningKey`]s whose file nobody else can read, or a
//! [`KeyFault`] that says what to do.

use std::fmt;
use std::fs::{self, File};
use std::io::Read as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use aws_lc_rs::digest;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _,
};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jiff::Timestamp;
use jsonwebtoken::jwk::{Jwk, PublicKeyUse, ThumbprintHash};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::super::settings::OutsideIssuer;
use crate::gate::token::{SignatureAlgorithm, VerifyingKey};

/// Name of the list of keys in their folder.
pub(super) const LIST: &str = "signing.toml";

/// The longest key file, in bytes; ours have about 250.
const MAX_PEM: usize = 4096;

/// What is wrong with a key or a list of keys.
#[derive(Debug, thiserror::Error)]
#[error("{}: {what}", path.display())]
pub struct KeyFault {
    /// The file at fault.
    pub path: PathBuf,
    /// What is wrong and what to do.
    pub what: String,
}

impl KeyFault {
    pub(super) fn new(path: &Path, what: impl fmt::Display) -> Self {
        Self { path: path.to_owned(), what: what.to_string() }
    }

    pub(super) fn no_active_key(folder: &Path) -> Self {
        Self::new(
            &folder.join(LIST),
            "no signing key is active now: check the clock and active_from and retire_at",
        )
    }
}

/// `signing.toml`.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct KeyList {
    #[serde(default)]
    pub(super) key: Vec<KeyRecord>,
}

/// One `[[key]]` of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct KeyRecord {
    pub(super) kid: String,
    pub(super) file: PathBuf,
    pub(super) algorithm: SignatureAlgorithm,
    pub(super) active_from: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) retire_at: Option<Timestamp>,
}

/// A key that signs tokens.
pub struct SigningKey {
    /// RFC 7638 thumbprint of its public half.
    pub kid: String,
    /// Its algorithm.
    pub algorithm: SignatureAlgorithm,
    /// From when on it signs.
    pub active_from: Timestamp,
    /// From when on what it signed is refused.
    pub retire_at: Option<Timestamp>,
    /// Its public half as published.
    pub jwk: Jwk,
    private: Private,
    public: DecodingKey,
}

/// The private half, kept by aws-lc, which wipes it.
pub(super) enum Private {
    Es256(EcdsaKeyPair),
    EdDsa(Ed25519KeyPair),
}

/// Reads the list and every key in it.
pub(super) fn read(folder: &Path) -> Result<Vec<SigningKey>, KeyFault> {
    let keys = list(folder)?.key;
    for (i, key) in keys.iter().enumerate() {
        if keys[..i].iter().any(|earlier| earlier.kid == key.kid) {
            let what = format!("key {} stands there twice", key.kid);
            return Err(KeyFault::new(&folder.join(LIST), what));
        }
    }
    keys.into_iter().map(|record| SigningKey::read(folder, record)).collect()
}

/// Reads the list alone.
pub(super) fn list(folder: &Path) -> Result<KeyList, KeyFault> {
    let path = folder.join(LIST);
    let text = fs::read_to_string(&path).map_err(|fault| {
        KeyFault::new(&path, format!("cannot be read ({fault}); 'puente init' makes one"))
    })?;
    toml::from_str(&text).map_err(|fault| KeyFault::new(&path, fault))
}

/// A digest that changes when a file does: contents of public files, size and time of private
/// ones. A file that is not there counts as empty.
pub(super) fn fingerprint(folder: &Path, outside: &[OutsideIssuer]) -> [u8; 32] {
    let mut context = digest::Context::new(&digest::SHA256);
    let mut add = |bytes: &[u8]| {
        context.update(&bytes.len().to_be_bytes());
        context.update(bytes);
    };
    add(&fs::read(folder.join(LIST)).unwrap_or_default());
    for record in list(folder).unwrap_or_default().key {
        if let Ok(file) = fs::metadata(folder.join(&record.file)) {
            add(format!("{} {} {} {}", file.len(), file.mtime(), file.mtime_nsec(), file.mode())
                .as_bytes());
        }
    }
    for issuer in outside {
        add(&fs::read(&issuer.jwks_file).unwrap_or_default());
    }
    let mut out = [0; 32];
    out.copy_from_slice(context.finish().as_ref());
    out
}

impl SigningKey {
    fn read(folder: &Path, record: KeyRecord) -> Result<Self, KeyFault> {
        let path = folder.join(&record.file);
        let fault = |what: &dyn fmt::Display| KeyFault::new(&path, what);
        if record.retire_at.is_some_and(|at| at <= record.active_from) {
            return Err(fault(&"its retire_at is not after its active_from"));
        }
        let private = Private::parse(record.algorithm, &pkcs8(&path)?)
            .ok_or_else(|| fault(&format!("no {} key in PKCS#8", record.algorithm)))?;
        let (kid, jwk) = private.published().map_err(|what| fault(&what))?;
        if kid != record.kid {
            return Err(fault(&format!(
                "its thumbprint is {kid}, but {LIST} calls it {}: correct the list",
                record.kid
            )));
        }
        Ok(Self {
            kid,
            algorithm: record.algorithm,
            active_from: record.active_from,
            retire_at: record.retire_at,
            jwk,
            public: private.public(),
            private,
        })
    }

    pub(super) fn is_retired(&self, now: Timestamp) -> bool {
        self.retire_at.is_some_and(|at| at <= now)
    }

    pub(super) fn verifying(&self, audience: &str) -> VerifyingKey {
        VerifyingKey {
            kid: self.kid.clone(),
            algorithm: self.algorithm,
            key: self.public.clone(),
            audience: audience.to_owned(),
            retire_at: self.retire_at,
        }
    }

    pub(super) fn sign(&self, claims: &serde_json::Value) -> Result<String, KeyFault> {
        let header = serde_json::json!({
            "alg": self.algorithm.name(), "typ": "at+jwt", "kid": self.kid,
        });
        let mut token = URL_SAFE_NO_PAD.encode(header.to_string());
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(claims.to_string(), &mut token);
        let signature = match &self.private {
            Private::Es256(pair) => pair.sign(&SystemRandom::new(), token.as_bytes()),
            Private::EdDsa(pair) => Ok(pair.sign(token.as_bytes())),
        };
        let signature = signature.map_err(|_| {
            KeyFault::new(Path::new(&self.kid), "the key cannot sign: no randomness")
        })?;
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(signature.as_ref(), &mut token);
        Ok(token)
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey")
            .field("kid", &self.kid)
            .field("algorithm", &self.algorithm)
            .field("active_from", &self.active_from)
            .field("retire_at", &self.retire_at)
            .field("private", &"[redacted]")
            .finish_non_exhaustive()
    }
}

impl Private {
    pub(super) fn parse(algorithm: SignatureAlgorithm, pkcs8: &[u8]) -> Option<Self> {
        match algorithm {
            SignatureAlgorithm::ES256 => {
                EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8)
                    .ok()
                    .map(Self::Es256)
            }
            SignatureAlgorithm::EdDSA => Ed25519KeyPair::from_pkcs8(pkcs8).ok().map(Self::EdDsa),
            // Signing with RSA is slow and no client of ours needs it.
            SignatureAlgorithm::PS256 => None,
        }
    }

    fn public(&self) -> DecodingKey {
        match self {
            Self::Es256(pair) => DecodingKey::from_ec_der(pair.public_key().as_ref()),
            Self::EdDsa(pair) => DecodingKey::from_ed_der(pair.public_key().as_ref()),
        }
    }

    /// Thumbprint and published form.
    pub(super) fn published(&self) -> Result<(String, Jwk), jsonwebtoken::errors::Error> {
        let algorithm = match self {
            Self::Es256(_) => Algorithm::ES256,
            Self::EdDsa(_) => Algorithm::EdDSA,
        };
        let mut jwk = Jwk::from_decoding_key(&self.public(), Some(algorithm))?;
        let kid = jwk.thumbprint(ThumbprintHash::SHA256)?;
        jwk.common.key_id = Some(kid.clone());
        jwk.common.public_key_use = Some(PublicKeyUse::Signature);
        Ok((kid, jwk))
    }
}

/// The PKCS#8 bytes of a PEM file that only its owner can read; wiped when dropped.
fn pkcs8(path: &Path) -> Result<Zeroizing<Vec<u8>>, KeyFault> {
    let unreadable =
        |fault| KeyFault::new(path, format!("the signing key cannot be read ({fault})"));
    let mut file = File::open(path).map_err(unreadable)?;
    let mode = file.metadata().map_err(unreadable)?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        let what = format!(
            "others can read this signing key (mode {mode:04o}): run chmod 600 {}",
            path.display()
        );
        return Err(KeyFault::new(path, what));
    }
    // Room for any PKCS#8 we take, so that growing leaves no copy behind.
    let mut pem = Zeroizing::new(String::with_capacity(MAX_PEM));
    file.by_ref().take(MAX_PEM as u64).read_to_string(&mut pem).map_err(unreadable)?;
    // By hand, because PEM parsers leave copies behind that nobody wipes.
    let body = pem
        .trim()
        .strip_prefix("-----BEGIN PRIVATE KEY-----")
        .and_then(|rest| rest.strip_suffix("-----END PRIVATE KEY-----"))
        .ok_or_else(|| KeyFault::new(path, "not a PEM file with one PRIVATE KEY (PKCS#8)"))?;
    let mut joined = Zeroizing::new(String::with_capacity(body.len()));
    joined.extend(body.split_ascii_whitespace());
    let mut der = Zeroizing::new(vec![0; joined.len()]);
    let length = STANDARD
        .decode_slice(joined.as_bytes(), &mut der)
        .map_err(|_| KeyFault::new(path, "its PEM body is not base64"))?;
    der.truncate(length);
    Ok(der)
}
