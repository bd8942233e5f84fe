//! Signed notes (C2SP signed-note), with Ed25519 keys.
//!
//! Enters: text to sign and a key, or a note and the keys trusted. Leaves: the note's text
//! form, or the verdict on it. It knows nothing of what the text means.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::signature::{self, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::hash::Hash;

/// The type byte of Ed25519 note signatures.
const ED25519: u8 = 0x01;
const SECRET_PREFIX: &str = "PRIVATE+KEY+";
const SIGNATURE_MARK: &str = "\u{2014} ";
/// More than any note of ours, with room for post-quantum cosignatures.
const MAX_NOTE_BYTES: usize = 1 << 20;
const MAX_SIGNATURES: usize = 100;

/// A key's name: not empty, without Unicode spaces, plus signs or control characters.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct KeyName(String);

impl KeyName {
    /// The name's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for KeyName {
    type Err = NoteError;

    fn from_str(text: &str) -> Result<Self, NoteError> {
        let foreign = |c: char| c.is_whitespace() || c.is_control() || c == '+';
        if text.is_empty() || text.contains(foreign) {
            return Err(NoteError::KeyName);
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A public key under a name. Its text is `name+ID+KEY`: the id in eight hexadecimal digits,
/// the key in base64 after its type byte.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct VerifyingKey {
    name: KeyName,
    id: [u8; 4],
    public: [u8; 32],
}

impl VerifyingKey {
    /// The Ed25519 key `public` under `name`.
    pub fn new(name: KeyName, public: [u8; 32]) -> Self {
        let hash = Hash::of(&[name.as_str().as_bytes(), b"\n", &[ED25519], &public]);
        let [a, b, c, d, ..] = *hash.as_bytes();
        Self { name, id: [a, b, c, d], public }
    }

    /// The key's name.
    pub fn name(&self) -> &KeyName {
        &self.name
    }

    /// The key's id: the first four bytes of a hash over name, type and key.
    pub fn id(&self) -> [u8; 4] {
        self.id
    }

    fn made(&self, signature: &Signature) -> bool {
        signature.name == self.name && signature.id == self.id
    }

    fn holds(&self, text: &str, signature: &Signature) -> bool {
        UnparsedPublicKey::new(&signature::ED25519, &self.public)
            .verify(text.as_bytes(), &signature.bytes)
            .is_ok()
    }
}

impl fmt::Display for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = [&[ED25519][..], &self.public].concat();
        write!(f, "{}+{}+{}", self.name, hex::encode(self.id), STANDARD.encode(key))
    }
}

impl FromStr for VerifyingKey {
    type Err = NoteError;

    fn from_str(text: &str) -> Result<Self, NoteError> {
        let (name, id, key) = split_key(text)?;
        let key = decode(key, NoteError::Key)?;
        let [ED25519, public @ ..] = key.as_slice() else { return Err(NoteError::KeyType) };
        let made = Self::new(name, public.try_into().map_err(|_| NoteError::Key)?);
        if made.id == id { Ok(made) } else { Err(NoteError::KeyId) }
    }
}

/// A private key under a name. Shown nowhere: `Debug` prints the public half.
pub struct SigningKey {
    public: VerifyingKey,
    pair: Ed25519KeyPair,
}

impl SigningKey {
    /// The key of a 32-byte RFC 8032 seed. The caller wipes its copy.
    pub fn from_seed(name: KeyName, seed: &[u8; 32]) -> Result<Self, NoteError> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).map_err(|_| NoteError::Key)?;
        Self::from_pair(name, pair)
    }

    /// The key in an unencrypted PKCS#8 document (DER). The caller wipes its copy.
    pub fn from_pkcs8(name: KeyName, der: &[u8]) -> Result<Self, NoteError> {
        let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(der).map_err(|_| NoteError::Key)?;
        Self::from_pair(name, pair)
    }

    /// Reads the text [`SigningKey::secret_text`] writes, white space around it allowed.
    pub fn from_secret_text(text: &str) -> Result<Self, NoteError> {
        let rest = text.trim().strip_prefix(SECRET_PREFIX).ok_or(NoteError::Key)?;
        let (name, id, key) = split_key(rest)?;
        let key = Zeroizing::new(decode(key, NoteError::Key)?);
        let [ED25519, seed @ ..] = key.as_slice() else { return Err(NoteError::KeyType) };
        let seed: &[u8; 32] = seed.try_into().map_err(|_| NoteError::Key)?;
        let made = Self::from_seed(name, seed)?;
        if made.public.id == id { Ok(made) } else { Err(NoteError::KeyId) }
    }

    /// The text under which a seed is kept in a file, as Go's `note` package writes it:
    /// `PRIVATE+KEY+name+ID+SEED`.
    pub fn secret_text(name: KeyName, seed: &[u8; 32]) -> Result<Zeroizing<String>, NoteError> {
        let id = hex::encode(Self::from_seed(name.clone(), seed)?.public.id);
        let mut key = Zeroizing::new([ED25519; 33]);
        key[1..].copy_from_slice(seed);
        let key = Zeroizing::new(STANDARD.encode(key.as_slice()));
        // One allocation of the final length, so that no copy of the seed is left behind.
        let mut text = String::with_capacity(SECRET_PREFIX.len() + name.0.len() + 10 + key.len());
        for part in [SECRET_PREFIX, &name.0, "+", &id, "+", &key] {
            text.push_str(part);
        }
        Ok(Zeroizing::new(text))
    }

    fn from_pair(name: KeyName, pair: Ed25519KeyPair) -> Result<Self, NoteError> {
        let public = pair.public_key().as_ref().try_into().map_err(|_| NoteError::Key)?;
        Ok(Self { public: VerifyingKey::new(name, public), pair })
    }

    /// The public half, for those who verify.
    pub fn verifying_key(&self) -> &VerifyingKey {
        &self.public
    }

    fn sign(&self, text: &str) -> Signature {
        let bytes = self.pair.sign(text.as_bytes()).as_ref().to_vec();
        Signature { name: self.public.name.clone(), id: self.public.id, bytes }
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey").field("public", &self.public).finish_non_exhaustive()
    }
}

/// One signature line of a note; of any type, for lines of unknown keys are kept as they are.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Signature {
    name: KeyName,
    id: [u8; 4],
    bytes: Vec<u8>,
}

impl Signature {
    /// The name of the key that made it.
    pub fn name(&self) -> &KeyName {
        &self.name
    }
}

impl FromStr for Signature {
    type Err = NoteError;

    fn from_str(line: &str) -> Result<Self, NoteError> {
        let rest = line.strip_prefix(SIGNATURE_MARK).ok_or(NoteError::SignatureLine)?;
        let (name, blob) = rest.split_once(' ').ok_or(NoteError::SignatureLine)?;
        let blob = decode(blob, NoteError::SignatureLine)?;
        let (id, bytes) = blob.split_first_chunk().ok_or(NoteError::SignatureLine)?;
        if bytes.is_empty() {
            return Err(NoteError::SignatureLine);
        }
        Ok(Self { name: name.parse()?, id: *id, bytes: bytes.to_vec() })
    }
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let blob = [&self.id[..], &self.bytes].concat();
        write!(f, "{SIGNATURE_MARK}{} {}", self.name, STANDARD.encode(blob))
    }
}

/// Text with signatures under it. Its text is not to be trusted before
/// [`Note::verify`] has accepted it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Note {
    text: String,
    signatures: Vec<Signature>,
}

impl Note {
    /// Signs `text`, which must end in a newline and hold no other control character, with
    /// each of `keys`, in their order.
    pub fn sign(text: String, keys: &[&SigningKey]) -> Result<Self, NoteError> {
        check_text(&text)?;
        if keys.is_empty() {
            return Err(NoteError::Unsigned);
        }
        let signatures = keys.iter().map(|key| key.sign(&text)).collect();
        Ok(Self { text, signatures })
    }

    /// The signed text, its last newline included.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The signature lines, verified or not.
    pub fn signatures(&self) -> &[Signature] {
        &self.signatures
    }

    /// Accepts the note if at least one of `known` signed it and no signature under a known
    /// key is wrong or repeated; lines of other keys are ignored. Returns the keys that signed.
    pub fn verify<'k>(
        &self,
        known: &'k [VerifyingKey],
    ) -> Result<Vec<&'k VerifyingKey>, NoteError> {
        let mut signed = Vec::new();
        for key in known {
            let mut lines = self.signatures.iter().filter(|line| key.made(line));
            let Some(line) = lines.next() else { continue };
            if lines.next().is_some() || !key.holds(&self.text, line) {
                return Err(NoteError::BadSignature(key.name.clone()));
            }
            signed.push(key);
        }
        if signed.is_empty() { Err(NoteError::NoKnownSignature) } else { Ok(signed) }
    }
}

impl FromStr for Note {
    type Err = NoteError;

    fn from_str(note: &str) -> Result<Self, NoteError> {
        if note.len() > MAX_NOTE_BYTES {
            return Err(NoteError::TooLong);
        }
        // The last empty line parts the text from the signatures.
        let cut = note.rfind("\n\n").ok_or(NoteError::Unsigned)? + 1;
        let (text, lines) = (&note[..cut], &note[cut + 1..]);
        check_text(text)?;
        let lines = lines.strip_suffix('\n').ok_or(NoteError::SignatureLine)?;
        let lines: Vec<&str> = lines.split('\n').collect();
        if lines.len() > MAX_SIGNATURES {
            return Err(NoteError::TooLong);
        }
        let signatures = lines.into_iter().map(str::parse).collect::<Result<_, _>>()?;
        Ok(Self { text: text.to_owned(), signatures })
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        self.signatures.iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}

fn check_text(text: &str) -> Result<(), NoteError> {
    let foreign = |c: char| c < ' ' && c != '\n';
    if !text.ends_with('\n') || text.contains(foreign) { Err(NoteError::Text) } else { Ok(()) }
}

/// Parts `name+ID+KEY`; the key's base64 may hold plus signs of its own.
fn split_key(text: &str) -> Result<(KeyName, [u8; 4], &str), NoteError> {
    let mut parts = text.splitn(3, '+');
    let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(NoteError::Key);
    };
    let mut bytes = [0; 4];
    hex::decode_to_slice(id, &mut bytes).map_err(|_| NoteError::KeyId)?;
    Ok((name.parse()?, bytes, key))
}

fn decode(text: &str, error: NoteError) -> Result<Vec<u8>, NoteError> {
    STANDARD.decode(text).map_err(|_| error)
}

/// What is wrong with a note or a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// A key's name breaks the rules.
    #[error("a key name is not empty and has no spaces, plus signs or control characters")]
    KeyName,
    /// Not a key in the expected form.
    #[error("not a note key: expected name+id+base64")]
    Key,
    /// A key that is not Ed25519.
    #[error("not an Ed25519 note key (type 01)")]
    KeyType,
    /// The id written is not the key's.
    #[error("the key's id does not fit its name and bytes")]
    KeyId,
    /// The text cannot be signed.
    #[error("a note's text ends in a newline and has no other control character")]
    Text,
    /// A signature line breaks the rules.
    #[error("a malformed signature line")]
    SignatureLine,
    /// No signatures at all.
    #[error("the note is not signed")]
    Unsigned,
    /// Too many bytes or signatures.
    #[error("the note is too long")]
    TooLong,
    /// A known key's line does not hold, or stands twice.
    #[error("the signature of {0} is wrong")]
    BadSignature(KeyName),
    /// Nobody we know signed it.
    #[error("the note is not signed by a known key")]
    NoKnownSignature,
}

#[cfg(test)]
#[path = "note_tests.rs"]
mod tests;
