//! What a writer gets back: its place in the ledger.
//!
//! Enters: an entry and the index it was given. Leaves: a [`Receipt`], kept with the
//! request so that a retry gets the same one.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Entry, EntryKind, Hash};

/// An acknowledged write's place in the ledger.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Receipt {
    /// The entry's place, from 0.
    pub index: u64,
    /// The entry's RFC 6962 leaf hash.
    pub leaf_hash: Hash,
    /// When the entry was recorded, UTC, whole microseconds; the entry's own `at`.
    pub recorded_at: Timestamp,
    /// What the entry records.
    pub kind: EntryKind,
    /// The request that caused it.
    pub request_id: String,
}

impl Receipt {
    /// The receipt of `entry`, recorded at `index` as `kind`.
    pub fn new(index: u64, kind: EntryKind, entry: &Entry) -> Self {
        Self {
            index,
            leaf_hash: entry.leaf_hash(),
            recorded_at: entry.at(),
            kind,
            request_id: entry.request_id().to_owned(),
        }
    }
}
