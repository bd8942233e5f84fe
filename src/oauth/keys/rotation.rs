//! Makes signing keys and lets one follow another without a refused call.
//!
//! Enters: the folder and the moment. Leaves: a new key file and a new list, the list
//! replaced in one step. A new key is published for one overlap before it signs; the one
//! before it is accepted for one overlap after that.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::{SignedDuration, Timestamp};
use zeroize::Zeroizing;

use super::file::{self, KeyFault, KeyList, KeyRecord, LIST, Private};
use crate::gate::token::{LEEWAY, SignatureAlgorithm};

/// How long two keys overlap: no token outlives its key, and no reader of our published keys
/// meets a key it has not seen.
pub fn overlap(token_lifetime: SignedDuration, jwks_cache: SignedDuration) -> SignedDuration {
    token_lifetime.saturating_add(jwks_cache).saturating_add(LEEWAY)
}

/// Makes `folder` with a first key, active from `now` on; answers its kid.
///
/// # Errors
/// If the folder has a list already, or cannot be written.
pub fn create(
    folder: &Path,
    algorithm: SignatureAlgorithm,
    now: Timestamp,
) -> Result<String, KeyFault> {
    let path = folder.join(LIST);
    if path.exists() {
        return Err(KeyFault::new(&path, "stands there already: rotate instead"));
    }
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(|fault| KeyFault::new(folder, fault))?;
    let record = write_key(folder, algorithm, now)?;
    let kid = record.kid.clone();
    write_list(folder, &KeyList { key: vec![record] })?;
    Ok(kid)
}

/// Adds a key that signs from one overlap after `now` and retires those before it one overlap
/// later; drops keys retired already, with their files. Answers the new kid.
///
/// # Errors
/// If the list or a file cannot be read or written; then the old list still stands.
pub fn rotate(
    folder: &Path,
    now: Timestamp,
    token_lifetime: SignedDuration,
    jwks_cache: SignedDuration,
) -> Result<String, KeyFault> {
    // Reads all keys, so that a folder in disorder is not made worse.
    file::read(folder)?;
    let mut list = file::list(folder)?;
    let algorithm = list
        .key
        .iter()
        .max_by_key(|key| key.active_from)
        .map_or(SignatureAlgorithm::ES256, |key| key.algorithm);
    let span = overlap(token_lifetime, jwks_cache);
    let out_of_range = |_| KeyFault::new(folder, "the overlap reaches beyond the calendar");
    let active_from = now.checked_add(span).map_err(out_of_range)?;
    let retire_at = active_from.checked_add(span).map_err(out_of_range)?;

    let (gone, mut kept): (Vec<_>, Vec<_>) =
        list.key.drain(..).partition(|key| key.retire_at.is_some_and(|at| at <= now));
    for key in &mut kept {
        key.retire_at.get_or_insert(retire_at);
    }
    let record = write_key(folder, algorithm, active_from)?;
    let kid = record.kid.clone();
    kept.push(record);
    write_list(folder, &KeyList { key: kept })?;
    // Only now: no list names these files any more.
    for key in gone {
        let path = folder.join(&key.file);
        fs::remove_file(&path).map_err(|fault| KeyFault::new(&path, fault))?;
    }
    Ok(kid)
}

fn write_key(
    folder: &Path,
    algorithm: SignatureAlgorithm,
    active_from: Timestamp,
) -> Result<KeyRecord, KeyFault> {
    let pkcs8 = generate(algorithm)
        .ok_or_else(|| KeyFault::new(folder, format!("no {algorithm} key can be made here")))?;
    let (kid, _) = Private::parse(algorithm, &pkcs8)
        .ok_or_else(|| KeyFault::new(folder, "the key just made cannot be read"))?
        .published()
        .map_err(|fault| KeyFault::new(folder, fault))?;
    let name = PathBuf::from(format!("{kid}.pem"));
    write_secret(&folder.join(&name), &pem(&pkcs8))?;
    Ok(KeyRecord { kid, file: name, algorithm, active_from, retire_at: None })
}

fn generate(algorithm: SignatureAlgorithm) -> Option<Zeroizing<Vec<u8>>> {
    let bytes = match algorithm {
        SignatureAlgorithm::ES256 => {
            EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new())
                .ok()?
                .as_ref()
                .to_vec()
        }
        SignatureAlgorithm::EdDSA => {
            Ed25519KeyPair::generate_pkcs8v1(&SystemRandom::new()).ok()?.as_ref().to_vec()
        }
        SignatureAlgorithm::PS256 => return None,
    };
    Some(Zeroizing::new(bytes))
}

fn pem(pkcs8: &[u8]) -> Zeroizing<String> {
    let body = Zeroizing::new(STANDARD.encode(pkcs8));
    let mut pem = Zeroizing::new(String::with_capacity(body.len() * 2 + 80));
    pem.push_str("-----BEGIN PRIVATE KEY-----\n");
    // Base64 is ASCII, so every 64 bytes are 64 characters.
    let mut rest = body.as_str();
    while !rest.is_empty() {
        let (line, next) = rest.split_at(rest.len().min(64));
        pem.push_str(line);
        pem.push('\n');
        rest = next;
    }
    pem.push_str("-----END PRIVATE KEY-----\n");
    pem
}

fn write_secret(path: &Path, text: &str) -> Result<(), KeyFault> {
    let fault = |fault| KeyFault::new(path, fault);
    let mut options = OpenOptions::new();
    let mut file = options.write(true).create_new(true).mode(0o600).open(path).map_err(fault)?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(fault)
}

/// Replaces the list in one step, so that a reader sees the old or the new, never a half.
fn write_list(folder: &Path, list: &KeyList) -> Result<(), KeyFault> {
    let path = folder.join(LIST);
    let fault = |fault| KeyFault::new(&path, fault);
    let text = toml::to_string(list).map_err(|fault| KeyFault::new(&path, fault))?;
    let next = folder.join("signing.toml.next");
    let mut file = File::create(&next).map_err(fault)?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(fault)?;
    fs::rename(&next, &path).map_err(fault)?;
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(fault)
}
