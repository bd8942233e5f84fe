//! The keys that sign tokens, and the public keys of other accepted issuers.
//!
//! Enters: a folder with `signing.toml` and PKCS#8 files, JWK sets of outside issuers.
//! Leaves: signed tokens, the published key set, and public keys for the gate. A key is
//! published as soon as it stands in the list, signs from `active_from` on, and is
//! refused from `retire_at` on. A change that cannot be read keeps the keys at hand and
//! raises an alarm.

mod file;
mod outside;
mod rotation;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use jiff::Timestamp;
use jsonwebtoken::jwk::Jwk;

pub use self::file::{KeyFault, SigningKey};
pub use self::rotation::{create, overlap, rotate};
use super::settings::{OAuthSettings, OutsideIssuer};
use crate::clock::Env;
use crate::gate::token::{KeyFound, KeySource, VerifyingKey};

/// All keys of the moment, replaced as a whole when a file changes.
pub struct KeyRing {
    folder: PathBuf,
    issuer: String,
    audience: String,
    outside: Vec<OutsideIssuer>,
    keys: ArcSwap<Keys>,
    reading: Mutex<Reading>,
}

struct Keys {
    generation: u64,
    signing: Vec<SigningKey>,
    by_issuer: HashMap<String, HashMap<String, Arc<VerifyingKey>>>,
}

/// The files as last read, and what was wrong with them.
struct Reading {
    fingerprint: [u8; 32],
    alarm: Option<String>,
}

impl KeyRing {
    /// Reads the keys that `settings` name; at `now` one of them must be active.
    ///
    /// # Errors
    /// A sentence that names the file and what to do.
    pub fn load(settings: &OAuthSettings, now: Timestamp) -> Result<Self, KeyFault> {
        let fingerprint = file::fingerprint(&settings.signing_keys, &settings.outside_issuers);
        let ring = Self {
            folder: settings.signing_keys.clone(),
            issuer: settings.issuer.clone(),
            audience: settings.audience.clone(),
            outside: settings.outside_issuers.clone(),
            keys: ArcSwap::from_pointee(Keys {
                generation: 0,
                signing: Vec::new(),
                by_issuer: HashMap::new(),
            }),
            reading: Mutex::new(Reading { fingerprint, alarm: None }),
        };
        ring.keys.store(Arc::new(ring.read(1, now)?));
        Ok(ring)
    }

    /// Signs `claims` as an access token with the newest active key.
    ///
    /// # Errors
    /// If no key is active at `now`, which only a wrong clock can bring about.
    pub fn sign(&self, claims: &serde_json::Value, now: Timestamp) -> Result<String, KeyFault> {
        newest_active(&self.keys.load().signing, now)
            .ok_or_else(|| KeyFault::no_active_key(&self.folder))?
            .sign(claims)
    }

    /// The published keys: ours that are not retired at `now`.
    pub fn published(&self, now: Timestamp) -> Vec<Jwk> {
        let keys = self.keys.load();
        keys.signing.iter().filter(|key| !key.is_retired(now)).map(|key| key.jwk.clone()).collect()
    }

    /// Reads the files again if they changed; keys that cannot be read leave the old ones.
    pub fn poll(&self, now: Timestamp) {
        let mut reading = self.reading.lock().unwrap_or_else(PoisonError::into_inner);
        let fingerprint = file::fingerprint(&self.folder, &self.outside);
        if fingerprint == reading.fingerprint {
            return;
        }
        reading.fingerprint = fingerprint;
        match self.read(self.keys.load().generation + 1, now) {
            Ok(keys) => {
                tracing::info!(keys = keys.signing.len(), "token signing keys read again");
                self.keys.store(Arc::new(keys));
                reading.alarm = None;
            }
            Err(fault) => {
                tracing::error!(%fault, "token signing keys changed but cannot be read; the old \
                                         ones stay in use");
                reading.alarm = Some(fault.to_string());
            }
        }
    }

    /// What is wrong with the files as they are now, for readiness and `doctor`.
    pub fn alarm(&self) -> Option<String> {
        self.reading.lock().unwrap_or_else(PoisonError::into_inner).alarm.clone()
    }

    /// Polls the files until dropped.
    pub async fn watch(self: Arc<Self>, env: Env, every: Duration) {
        let mut ticks = tokio::time::interval(every);
        loop {
            ticks.tick().await;
            let (ring, now) = (Arc::clone(&self), env.now());
            // Files may be on a slow disk. A panic there leaves the keys as they are.
            let _ = tokio::task::spawn_blocking(move || ring.poll(now)).await;
        }
    }

    fn read(&self, generation: u64, now: Timestamp) -> Result<Keys, KeyFault> {
        let signing = file::read(&self.folder)?;
        if newest_active(&signing, now).is_none() {
            return Err(KeyFault::no_active_key(&self.folder));
        }
        let ours = signing.iter().map(|key| key.verifying(&self.audience)).map(by_kid).collect();
        let mut by_issuer = HashMap::from([(self.issuer.clone(), ours)]);
        for outside in &self.outside {
            let theirs = outside::read(outside)?.into_iter().map(by_kid).collect();
            by_issuer.insert(outside.issuer.clone(), theirs);
        }
        Ok(Keys { generation, signing, by_issuer })
    }
}

fn by_kid(key: VerifyingKey) -> (String, Arc<VerifyingKey>) {
    (key.kid.clone(), Arc::new(key))
}

fn newest_active(keys: &[SigningKey], now: Timestamp) -> Option<&SigningKey> {
    let active = keys.iter().filter(|key| key.active_from <= now && !key.is_retired(now));
    active.max_by_key(|key| key.active_from)
}

impl KeySource for KeyRing {
    fn find(&self, issuer: &str, kid: &str, now: Timestamp) -> KeyFound {
        match self.keys.load().by_issuer.get(issuer).map(|keys| keys.get(kid)) {
            None => KeyFound::UnknownIssuer,
            Some(Some(key)) if key.retire_at.is_none_or(|at| now < at) => {
                KeyFound::Key(Arc::clone(key))
            }
            Some(Some(_) | None) => KeyFound::UnknownKey,
        }
    }

    fn generation(&self) -> u64 {
        self.keys.load().generation
    }

    fn refresh(&self, now: Timestamp) {
        self.poll(now);
    }
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys = self.keys.load();
        f.debug_struct("KeyRing")
            .field("folder", &self.folder)
            .field("signing", &keys.signing)
            .finish_non_exhaustive()
    }
}
