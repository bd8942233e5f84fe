//! Entries, the leaves of the ledger.
//!
//! Enters: a [`Draft`] from a use case, and the [`Stamp`] of who, when and under which
//! request. Leaves: an [`Entry`], whose text is one JSON object in canonical form (keys in a
//! fixed order, no white space, facts sorted by key): these bytes are the leaf.
//!
//! A leaf never holds personal data (a CUIT is one): what an entry is about is then named by
//! the [`Commitment`] alone, whose salt stays in the store.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::{Commitment, EntryKind, Hash};

/// The longest leaf, in bytes: C2SP tlog-tiles gives its length in 16 bits.
pub const MAX_ENTRY_BYTES: usize = 65_535;

/// The version of the leaf's form.
const VERSION: u8 = 1;

/// What a use case says about a change, before it has a place and a time.
#[derive(Clone, PartialEq, Eq)]
pub struct Draft {
    kind: EntryKind,
    resource: Option<String>,
    personal: bool,
    on_behalf_of: Option<String>,
    content: Vec<u8>,
    facts: BTreeMap<String, String>,
}

impl Draft {
    /// A draft of `kind`, of nothing yet.
    pub fn new(kind: EntryKind) -> Self {
        Self {
            kind,
            resource: None,
            personal: false,
            on_behalf_of: None,
            content: vec![],
            facts: BTreeMap::new(),
        }
    }

    /// Commits to `content`, the canonical bytes of what changed; they never enter the leaf.
    pub fn over(mut self, content: Vec<u8>) -> Self {
        self.content = content;
        self
    }

    /// Names the resource that changed, in the leaf too (`listings/...`). A name that holds a
    /// CUIT is treated as personal whatever is said here.
    pub fn about(mut self, resource: impl Into<String>) -> Self {
        self.resource = Some(resource.into());
        self
    }

    /// Names a resource whose name is personal data (`exporters/{cuit}`): the store may find
    /// the entry by it, the leaf does not show it.
    pub fn about_person(mut self, resource: impl Into<String>) -> Self {
        self.resource = Some(resource.into());
        self.personal = true;
        self
    }

    /// Names for whom a broker acts, by what lets it: names of delegations (`delegations/...`),
    /// which say nothing of a person. None of them, and nobody is named.
    pub fn on_behalf_of(mut self, delegations: &[String]) -> Self {
        self.on_behalf_of = (!delegations.is_empty()).then(|| delegations.join(","));
        self
    }

    /// Adds a fact for the leaf, such as an outcome or a count: never personal data. The last
    /// value given for a key stands.
    pub fn fact(mut self, key: impl Into<String>, value: impl fmt::Display) -> Self {
        self.facts.insert(key.into(), value.to_string());
        self
    }

    /// Adds a sum of money or goods, written with a decimal point so that eleven digits of it
    /// are not taken for a CUIT.
    pub fn amount(self, key: impl Into<String>, value: Decimal) -> Self {
        if value.scale() == 0 {
            self.fact(key, format_args!("{value}.0"))
        } else {
            self.fact(key, value)
        }
    }

    /// What kind of thing happened.
    pub fn kind(&self) -> EntryKind {
        self.kind
    }

    /// The resource that changed, for the store's index.
    pub fn resource(&self) -> Option<&str> {
        self.resource.as_deref()
    }

    /// Whether the resource's name is personal data and so stays out of the leaf.
    pub fn is_personal(&self) -> bool {
        self.personal || self.resource.as_deref().is_some_and(holds_cuit)
    }

    /// What the entry commits to; keep it with the salt.
    pub fn content(&self) -> &[u8] {
        &self.content
    }

    /// Makes the entry. `salt` is fresh random bytes, kept in the store beside the entry.
    ///
    /// # Errors
    /// When the leaf would be too long, hold a control character, or show a CUIT.
    pub fn seal(&self, stamp: &Stamp, salt: &[u8; 32]) -> Result<Entry, EntryError> {
        let resource = if self.is_personal() { None } else { self.resource.clone() };
        Entry::from_body(Body {
            v: VERSION,
            at: whole_micros(stamp.at),
            kind: self.kind.to_string(),
            actor: stamp.actor.clone(),
            on_behalf_of: self.on_behalf_of.clone(),
            certificate: stamp.certificate.clone(),
            request_id: stamp.request_id.clone(),
            trace_id: stamp.trace_id.clone(),
            resource,
            facts: self.facts.clone(),
            commitment: Commitment::of(salt, &self.content),
        })
    }
}

impl fmt::Debug for Draft {
    /// Shows neither the content nor a personal resource.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let resource = self.resource.as_deref().filter(|_| !self.is_personal());
        f.debug_struct("Draft")
            .field("kind", &self.kind)
            .field("resource", &resource)
            .field("facts", &self.facts)
            .finish_non_exhaustive()
    }
}

/// Who did it, when, and under which request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Stamp {
    /// When the writer took it, UTC; kept to the microsecond.
    pub at: Timestamp,
    /// The partner's id (`marketplace`), or the gateway's own name for what it derives.
    pub actor: String,
    /// SHA-256 over the actor's certificate, base64url as in a token's `x5t#S256`.
    pub certificate: Option<String>,
    /// The caller's request id, or the key a derived change is raised under.
    pub request_id: String,
    /// The W3C trace id, 32 hexadecimal digits.
    pub trace_id: Option<String>,
}

/// One leaf of the ledger: what happened, and its canonical text.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    body: Body,
    text: String,
}

impl Entry {
    /// Reads a leaf. Only the canonical form is accepted: what is read is, byte for byte, what
    /// this program would have written. Kinds that are newer than this program are read too.
    pub fn parse(leaf: &[u8]) -> Result<Self, EntryError> {
        if leaf.len() > MAX_ENTRY_BYTES {
            return Err(EntryError::TooLong(leaf.len()));
        }
        let body: Body = serde_json::from_slice(leaf).map_err(|_| EntryError::Malformed)?;
        if body.v != VERSION {
            return Err(EntryError::Version(body.v));
        }
        let entry = Self::from_body(body)?;
        if entry.text.as_bytes() == leaf { Ok(entry) } else { Err(EntryError::NotCanonical) }
    }

    fn from_body(body: Body) -> Result<Self, EntryError> {
        if !is_kind(&body.kind) {
            return Err(EntryError::Malformed);
        }
        for (field, text) in body.texts() {
            if text.chars().any(char::is_control) {
                return Err(EntryError::Control(field.to_owned()));
            }
            if holds_cuit(text) {
                return Err(EntryError::Personal(field.to_owned()));
            }
        }
        // Unwrap safety: serialising strings, numbers and maps with string keys cannot fail.
        let text = serde_json::to_string(&body).expect("an entry's body is plain JSON");
        if text.len() > MAX_ENTRY_BYTES {
            return Err(EntryError::TooLong(text.len()));
        }
        Ok(Self { body, text })
    }

    /// The canonical text; its bytes are the leaf.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The RFC 6962 leaf hash.
    pub fn leaf_hash(&self) -> Hash {
        Hash::leaf(self.text.as_bytes())
    }

    /// When it was recorded, in whole microseconds.
    pub fn at(&self) -> Timestamp {
        self.body.at
    }

    /// What happened, unless the kind is newer than this program.
    pub fn kind(&self) -> Option<EntryKind> {
        self.body.kind.parse().ok()
    }

    /// What happened, as written.
    pub fn kind_text(&self) -> &str {
        &self.body.kind
    }

    /// The partner who did it.
    pub fn actor(&self) -> &str {
        &self.body.actor
    }

    /// The delegations under which a broker acted, joined by commas.
    pub fn on_behalf_of(&self) -> Option<&str> {
        self.body.on_behalf_of.as_deref()
    }

    /// The thumbprint of the actor's certificate.
    pub fn certificate(&self) -> Option<&str> {
        self.body.certificate.as_deref()
    }

    /// The request that caused it.
    pub fn request_id(&self) -> &str {
        &self.body.request_id
    }

    /// The trace of that request.
    pub fn trace_id(&self) -> Option<&str> {
        self.body.trace_id.as_deref()
    }

    /// The resource that changed; none where its name is personal data.
    pub fn resource(&self) -> Option<&str> {
        self.body.resource.as_deref()
    }

    /// Outcomes and counts.
    pub fn facts(&self) -> &BTreeMap<String, String> {
        &self.body.facts
    }

    /// The commitment to what changed.
    pub fn commitment(&self) -> &Commitment {
        &self.body.commitment
    }
}

/// The leaf's members in the order they are written.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    v: u8,
    #[serde(with = "micros")]
    at: Timestamp,
    kind: String,
    actor: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    on_behalf_of: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    certificate: Option<String>,
    request_id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    trace_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    resource: Option<String>,
    facts: BTreeMap<String, String>,
    commitment: Commitment,
}

impl Body {
    /// Every text that came from outside, with the name of its field.
    fn texts(&self) -> impl Iterator<Item = (&str, &str)> {
        let optional = [
            ("on_behalf_of", &self.on_behalf_of),
            ("certificate", &self.certificate),
            ("trace_id", &self.trace_id),
            ("resource", &self.resource),
        ];
        let optional =
            optional.into_iter().filter_map(|(name, text)| Some((name, text.as_deref()?)));
        let facts = self.facts.iter().map(|(key, value)| (key.as_str(), value.as_str()));
        let keys = self.facts.keys().map(|key| ("facts", key.as_str()));
        [("actor", self.actor.as_str()), ("request_id", self.request_id.as_str())]
            .into_iter()
            .chain(optional)
            .chain(facts)
            .chain(keys)
    }
}

fn whole_micros(at: Timestamp) -> Timestamp {
    Timestamp::from_microsecond(at.as_microsecond()).unwrap_or(at)
}

/// RFC 3339 in UTC with exactly six digits of fraction.
mod micros {
    use jiff::Timestamp;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(at: &Timestamp, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(&format_args!("{at:.6}"))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Timestamp, D::Error> {
        String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
    }
}

/// Two words of small letters and underscores with a dot between.
fn is_kind(text: &str) -> bool {
    let word =
        |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    text.split_once('.').is_some_and(|(area, what)| word(area) && word(what))
}

/// Whether a text holds something that reads as a CUIT with its check digit right: eleven
/// digits that stand alone, or two, eight and one with hyphens between.
fn holds_cuit(text: &str) -> bool {
    let is_digits =
        |part: &str, length| part.len() == length && part.bytes().all(|b| b.is_ascii_digit());
    // A point or comma between digits belongs to a number, which then is no CUIT.
    let parts = text.split(|c: char| !(c.is_alphanumeric() || matches!(c, '.' | ',')));
    let parts: Vec<&str> = parts.map(|part| part.trim_matches(['.', ','])).collect();
    parts.iter().any(|part| is_digits(part, 11) && checks_as_cuit(part))
        || parts.windows(3).any(|three| {
            is_digits(three[0], 2)
                && is_digits(three[1], 8)
                && is_digits(three[2], 1)
                && checks_as_cuit(&three.concat())
        })
}

/// The check digit of a CUIT (modulo 11, weights 5 4 3 2 7 6 5 4 3 2), over eleven ASCII digits.
fn checks_as_cuit(digits: &str) -> bool {
    let weights = [5, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1];
    let sum: u32 = digits.bytes().zip(weights).map(|(d, w)| u32::from(d - b'0') * w).sum();
    digits.starts_with(['2', '3']) && sum.is_multiple_of(11)
}

/// Why something is no entry of this ledger.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EntryError {
    /// Longer than [`MAX_ENTRY_BYTES`].
    #[error("an entry has at most 65535 bytes, not {0}")]
    TooLong(usize),
    /// Not the JSON object an entry is.
    #[error("not a ledger entry")]
    Malformed,
    /// Of a later form than this program reads.
    #[error("a ledger entry of version {0}, which this program does not read")]
    Version(u8),
    /// The same content in another spelling.
    #[error("not in canonical form")]
    NotCanonical,
    /// A control character stands in the field.
    #[error("{0} holds a control character")]
    Control(String),
    /// The field shows a CUIT, which must never enter a leaf.
    #[error("{0} shows a CUIT")]
    Personal(String),
}

#[cfg(test)]
#[path = "entry_tests.rs"]
mod tests;
