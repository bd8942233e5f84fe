//! Checks the access token of a call (RFC 9068, RFC 8705, RFC 8725).
//!
//! Enters: the bearer token, the thumbprint of the connection's certificate and the
//! partner that certificate belongs to. Leaves: a [`VerifiedToken`] or the reason why
//! not. The signature of a token is checked once and remembered by the hash of the
//! token's bytes; everything that can change (clock, revocation, retired keys, the
//! connection) is checked on every use. Nothing is ever fetched because a token says so.

mod cache;
mod fault;
mod jws;
mod keys;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use aws_lc_rs::digest;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue};
use jiff::{SignedDuration, Timestamp};

use self::cache::{Cache, TokenHash};
pub use self::fault::TokenFault;
pub use self::keys::{KeyFound, KeySource, SignatureAlgorithm, VerifyingKey};
use crate::domain::partner::Partner;
use crate::domain::scope::ScopeSet;

/// How far the clocks of issuer and gateway may differ.
pub const LEEWAY: SignedDuration = SignedDuration::from_secs(10);

const REMEMBERED_TOKENS: usize = 65_536;
const REMEMBERED_UNKNOWN_KEYS: usize = 1_024;
const UNKNOWN_KEY_HOLDS: SignedDuration = SignedDuration::from_secs(30);
const BETWEEN_REFRESHES: SignedDuration = SignedDuration::from_secs(1);

/// A token whose signature and claims were found good.
#[derive(Debug, PartialEq, Eq)]
pub struct VerifiedToken {
    issuer: String,
    client_id: String,
    jti: String,
    scopes: ScopeSet,
    thumbprint: String,
    issued_at: Timestamp,
    not_before: Option<Timestamp>,
    expires_at: Timestamp,
}

impl VerifiedToken {
    /// Who made it.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The partner it was given to.
    pub fn client_id(&self) -> &str {
        &self.client_id
    }

    /// Its identifier, the handle of a revocation.
    pub fn jti(&self) -> &str {
        &self.jti
    }

    /// What it allows; the partner's grant of the moment may allow less by now.
    pub fn scopes(&self) -> ScopeSet {
        self.scopes
    }

    /// SHA-256 of the certificate it is bound to, base64url without padding.
    pub fn thumbprint(&self) -> &str {
        &self.thumbprint
    }

    /// When it was made.
    pub fn issued_at(&self) -> Timestamp {
        self.issued_at
    }

    /// From this moment on it does not hold.
    pub fn expires_at(&self) -> Timestamp {
        self.expires_at
    }
}

/// The token of a request's `authorization` header.
///
/// # Errors
/// [`TokenFault::Missing`] if there is none, or more than one, or another scheme.
pub fn bearer(headers: &HeaderMap) -> Result<&str, TokenFault> {
    token_of(authorization(headers)?)
}

/// The one `authorization` header there must be.
fn authorization(headers: &HeaderMap) -> Result<&HeaderValue, TokenFault> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => Ok(value),
        _ => Err(TokenFault::Missing),
    }
}

fn token_of(value: &HeaderValue) -> Result<&str, TokenFault> {
    let value = value.to_str().map_err(|_| TokenFault::Missing)?;
    match value.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => Ok(token),
        Some(_) | None => Err(TokenFault::Missing),
    }
}

/// Knows which tokens were revoked; the directory of partners does.
pub trait Revocations: Send + Sync + 'static {
    /// Whether the token of that `jti` was revoked.
    fn is_revoked(&self, jti: &str) -> bool;
}

/// Checks tokens and remembers those found good.
pub struct Verifier {
    keys: Arc<dyn KeySource>,
    revocations: Arc<dyn Revocations>,
    known: Cache<Checked, TokenFault>,
    unknown: Mutex<UnknownKeys>,
    signature_checks: AtomicU64,
}

/// The header that the calls of one connection carried last, if its token was found good, so
/// that the next call that carries the same need not hash it.
#[derive(Default)]
pub(super) struct Carried(Mutex<Option<(HeaderValue, Arc<Checked>)>>);

/// A good token and the state of the keys it was found good by.
struct Checked {
    token: Arc<VerifiedToken>,
    generation: u64,
    retire_at: Option<Timestamp>,
}

/// Key ids that a look at the files did not find, and when that was.
#[derive(Default)]
struct UnknownKeys {
    generation: u64,
    seen: HashMap<TokenHash, Timestamp>,
    refreshed: Option<Timestamp>,
}

impl Verifier {
    /// A verifier that trusts `keys` and asks `revocations` on every use.
    pub fn new(keys: Arc<dyn KeySource>, revocations: Arc<dyn Revocations>) -> Self {
        Self {
            keys,
            revocations,
            known: Cache::new(REMEMBERED_TOKENS),
            unknown: Mutex::default(),
            signature_checks: AtomicU64::new(0),
        }
    }

    /// Checks the token of a call that came over a connection whose certificate has
    /// `thumbprint` (SHA-256, base64url without padding) and belongs to `partner`.
    ///
    /// # Errors
    /// The first rule that the token breaks.
    pub fn verify(
        &self,
        token: &str,
        thumbprint: &str,
        partner: &Partner,
        now: Timestamp,
    ) -> Result<Arc<VerifiedToken>, TokenFault> {
        let token = self.inspect(token, now)?;
        fits(&token, thumbprint, partner)?;
        Ok(token)
    }

    /// The same for the token of a call's headers. `carried` is of the call's connection: what it
    /// remembers is asked again for everything that can change.
    ///
    /// # Errors
    /// The first rule that the token breaks.
    pub(super) fn verify_call(
        &self,
        headers: &HeaderMap,
        carried: &Carried,
        thumbprint: &str,
        partner: &Partner,
        now: Timestamp,
    ) -> Result<Arc<VerifiedToken>, TokenFault> {
        let value = authorization(headers)?;
        let checked = match carried.same(value).filter(|checked| !self.keys_moved(checked, now)) {
            Some(checked) => checked,
            None => self.remembered(token_of(value)?, now)?,
        };
        self.hold(&checked.token, now)?;
        fits(&checked.token, thumbprint, partner)?;
        let token = Arc::clone(&checked.token);
        carried.keep(value, checked);
        Ok(token)
    }

    /// Checks everything about a token but the connection it is used on.
    ///
    /// # Errors
    /// The first rule that the token breaks.
    pub fn inspect(&self, token: &str, now: Timestamp) -> Result<Arc<VerifiedToken>, TokenFault> {
        let checked = self.remembered(token, now)?;
        self.hold(&checked.token, now)?;
        Ok(Arc::clone(&checked.token))
    }

    /// The token, checked now or earlier, by keys that stand.
    fn remembered(&self, token: &str, now: Timestamp) -> Result<Arc<Checked>, TokenFault> {
        // Before hashing, so that a huge token costs nothing.
        if token.len() > jws::MAX_TOKEN {
            return Err(TokenFault::Malformed("it is longer than 8 KiB"));
        }
        let hash = sha256(&[token.as_bytes()]);
        let mut checked = self.known.once(hash, || self.check(token, now))?;
        if self.keys_moved(&checked, now) {
            self.known.forget(&hash, &checked);
            checked = self.known.once(hash, || self.check(token, now))?;
        }
        Ok(checked)
    }

    /// How many signatures were checked since the start.
    pub fn signature_checks(&self) -> u64 {
        self.signature_checks.load(Ordering::Relaxed)
    }

    /// Whether a token found good earlier still is: what the clock or an operator can change.
    /// Open streams ask this again while they run.
    ///
    /// # Errors
    /// [`TokenFault::Expired`], [`TokenFault::NotYetValid`] or [`TokenFault::Revoked`].
    pub fn hold(&self, token: &VerifiedToken, now: Timestamp) -> Result<(), TokenFault> {
        if now >= later(token.expires_at, LEEWAY) {
            return Err(TokenFault::Expired);
        }
        let horizon = later(now, LEEWAY);
        if token.issued_at > horizon || token.not_before.is_some_and(|at| at > horizon) {
            return Err(TokenFault::NotYetValid);
        }
        if self.revocations.is_revoked(&token.jti) {
            return Err(TokenFault::Revoked);
        }
        Ok(())
    }

    fn keys_moved(&self, checked: &Checked, now: Timestamp) -> bool {
        checked.generation != self.keys.generation()
            || checked.retire_at.is_some_and(|at| at <= now)
    }

    /// Everything about a token that is the same on every use.
    fn check(&self, token: &str, now: Timestamp) -> Result<Checked, TokenFault> {
        let jws = jws::parse(token)?;
        // Read before the keys, so that a change in between is seen at the next use.
        let generation = self.keys.generation();
        let key = self.key(&jws.claims.issuer, &jws.kid, now)?;
        if jws.algorithm != key.algorithm.name() {
            return Err(TokenFault::AlgorithmRefused);
        }
        self.signature_checks.fetch_add(1, Ordering::Relaxed);
        let fits =
            jsonwebtoken::crypto::verify(jws.signature, jws.signed, &key.key, key.algorithm.jose());
        if !fits.unwrap_or(false) {
            return Err(TokenFault::SignatureInvalid);
        }
        let claims = jws.claims;
        if !claims.audience.contains(&key.audience) {
            return Err(TokenFault::WrongAudience);
        }
        let token = VerifiedToken {
            issuer: claims.issuer,
            client_id: claims.client_id,
            jti: claims.jti,
            scopes: claims.scopes,
            thumbprint: claims.thumbprint,
            issued_at: claims.issued_at,
            not_before: claims.not_before,
            expires_at: claims.expires_at,
        };
        // Here too, so that what no longer holds takes no place among the remembered.
        self.hold(&token, now)?;
        Ok(Checked { token: Arc::new(token), generation, retire_at: key.retire_at })
    }

    /// The key of that id; for an unknown one the files are looked at once, then it is
    /// remembered as unknown until the keys change or a while has passed.
    fn key(
        &self,
        issuer: &str,
        kid: &str,
        now: Timestamp,
    ) -> Result<Arc<VerifyingKey>, TokenFault> {
        match self.keys.find(issuer, kid, now) {
            KeyFound::Key(key) => return Ok(key),
            KeyFound::UnknownIssuer => return Err(TokenFault::WrongIssuer),
            KeyFound::UnknownKey => {}
        }
        let name = sha256(&[issuer.as_bytes(), &[0], kid.as_bytes()]);
        let mut unknown = self.unknown.lock().unwrap_or_else(PoisonError::into_inner);
        if unknown.is_known_missing(&name, self.keys.generation(), now) {
            return Err(TokenFault::UnknownKey);
        }
        if unknown.refreshed.is_some_and(|at| now < later(at, BETWEEN_REFRESHES) && now >= at) {
            return Err(TokenFault::UnknownKey);
        }
        unknown.refreshed = Some(now);
        self.keys.refresh(now);
        match self.keys.find(issuer, kid, now) {
            KeyFound::Key(key) => Ok(key),
            KeyFound::UnknownKey => {
                unknown.remember(name, self.keys.generation(), now);
                Err(TokenFault::UnknownKey)
            }
            KeyFound::UnknownIssuer => Err(TokenFault::WrongIssuer),
        }
    }
}

impl Carried {
    fn same(&self, value: &HeaderValue) -> Option<Arc<Checked>> {
        let carried = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (before, checked) = carried.as_ref()?;
        (before == value).then(|| checked.clone())
    }

    fn keep(&self, value: &HeaderValue, checked: Arc<Checked>) {
        let mut carried = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if carried.as_ref().is_none_or(|(_, before)| !Arc::ptr_eq(before, &checked)) {
            *carried = Some((value.clone(), checked));
        }
    }
}

/// Refuses a token of another certificate or another partner.
fn fits(token: &VerifiedToken, thumbprint: &str, partner: &Partner) -> Result<(), TokenFault> {
    if token.thumbprint != thumbprint {
        return Err(TokenFault::NotBound);
    }
    if token.client_id != partner.id.as_str() {
        return Err(TokenFault::ClientMismatch);
    }
    Ok(())
}

impl UnknownKeys {
    fn is_known_missing(&self, name: &TokenHash, generation: u64, now: Timestamp) -> bool {
        self.generation == generation
            && self.seen.get(name).is_some_and(|at| now < later(*at, UNKNOWN_KEY_HOLDS))
    }

    fn remember(&mut self, name: TokenHash, generation: u64, now: Timestamp) {
        if self.generation != generation || self.seen.len() >= REMEMBERED_UNKNOWN_KEYS {
            self.seen.clear();
            self.generation = generation;
        }
        self.seen.insert(name, now);
    }
}

fn later(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.checked_add(by).unwrap_or(Timestamp::MAX)
}

fn sha256(parts: &[&[u8]]) -> TokenHash {
    let mut context = digest::Context::new(&digest::SHA256);
    for part in parts {
        context.update(part);
    }
    let mut out = [0; 32];
    out.copy_from_slice(context.finish().as_ref());
    out
}
