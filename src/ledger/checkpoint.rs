//! Checkpoints (C2SP tlog-checkpoint): the signed statement of how long the ledger is and what
//! its root is.
//!
//! Enters: the tree's size and root, the record of the last checkpoint signed, and the proof
//! that one continues the other. Leaves: a signed note, or the refusal to sign. It must not
//! know where the record is kept; it only makes sure that it is asked for.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::Hash;
use super::merkle::{self, Tree};
use super::note::{KeyName, Note, NoteError, SigningKey, VerifyingKey};

/// The body of a checkpoint.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Checkpoint {
    origin: String,
    size: u64,
    root: Hash,
    extensions: Vec<String>,
}

impl Checkpoint {
    /// What there is to say of `tree`, in the ledger called `origin`.
    pub fn of(origin: &KeyName, tree: &Tree) -> Self {
        Self::new(origin, tree.size(), tree.root())
    }

    /// A checkpoint over `size` leaves with that root, without extension lines.
    pub fn new(origin: &KeyName, size: u64, root: Hash) -> Self {
        Self { origin: origin.to_string(), size, root, extensions: Vec::new() }
    }

    /// The ledger's name.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The number of leaves.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The root over them.
    pub fn root(&self) -> &Hash {
        &self.root
    }

    /// Opaque lines after the root; this ledger writes none.
    pub fn extensions(&self) -> &[String] {
        &self.extensions
    }
}

impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n{}\n{}\n", self.origin, self.size, self.root)?;
        self.extensions.iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}

impl FromStr for Checkpoint {
    type Err = CheckpointError;

    fn from_str(text: &str) -> Result<Self, CheckpointError> {
        let lines = text.strip_suffix('\n').ok_or(CheckpointError::Malformed)?;
        let lines: Vec<&str> = lines.split('\n').collect();
        let [origin, size, root, extensions @ ..] = lines.as_slice() else {
            return Err(CheckpointError::Malformed);
        };
        if lines.iter().any(|line| line.is_empty() || line.contains(|c: char| c < ' ')) {
            return Err(CheckpointError::Malformed);
        }
        Ok(Self {
            origin: (*origin).to_owned(),
            size: decimal(size).ok_or(CheckpointError::Malformed)?,
            root: root.parse().map_err(|_| CheckpointError::Malformed)?,
            extensions: extensions.iter().map(|line| (*line).to_owned()).collect(),
        })
    }
}

/// The record of the last checkpoint signed, kept outside the store: with it, a store that was
/// restored from an old copy is noticed before it contradicts what was published.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct LastSigned {
    /// The ledger's name.
    pub origin: String,
    /// The number of leaves signed over.
    pub size: u64,
    /// The root signed.
    pub root: Hash,
}

/// Allows `next` to be signed after `last`: the same ledger, not shorter, and `proof` (as
/// [`merkle::consistency_proof`] makes it, empty if there was none before) shows that it
/// continues what was signed. A ledger without record may sign anything: whether there ought
/// to be one is for the operator to say, who makes the first with `init`.
pub fn guard(
    last: Option<&LastSigned>,
    next: &Checkpoint,
    proof: &[Hash],
) -> Result<(), GuardError> {
    let Some(last) = last else { return Ok(()) };
    if last.origin != next.origin {
        return Err(GuardError::Origin {
            recorded: last.origin.clone(),
            origin: next.origin.clone(),
        });
    }
    if next.size < last.size {
        return Err(GuardError::Shorter { recorded: last.size, size: next.size });
    }
    merkle::verify_consistency(last.size, next.size, &last.root, &next.root, proof)
        .map_err(|_| GuardError::Forked { recorded: last.size, size: next.size })
}

/// Signs checkpoints of one ledger, each only if it continues the one before.
#[derive(Debug)]
pub struct Signer {
    key: SigningKey,
}

impl Signer {
    /// A signer whose key's name is the ledger's origin.
    pub fn new(key: SigningKey) -> Self {
        Self { key }
    }

    /// The ledger's name.
    pub fn origin(&self) -> &KeyName {
        self.key.verifying_key().name()
    }

    /// What others verify with.
    pub fn verifying_key(&self) -> &VerifyingKey {
        self.key.verifying_key()
    }

    /// Signs a checkpoint over `size` leaves with `root`, if [`guard`] allows it after `last`.
    pub fn sign(
        &self,
        last: Option<&LastSigned>,
        size: u64,
        root: Hash,
        proof: &[Hash],
    ) -> Result<Unrecorded, GuardError> {
        let checkpoint = Checkpoint::new(self.origin(), size, root);
        guard(last, &checkpoint, proof)?;
        let note = Note::sign(checkpoint.to_string(), &[&self.key])?;
        Ok(Unrecorded(SignedCheckpoint { checkpoint, note }))
    }
}

/// A signed checkpoint that nobody may see yet: first its [`LastSigned`] becomes durable.
#[derive(Debug)]
#[must_use = "record it, then publish it"]
pub struct Unrecorded(SignedCheckpoint);

impl Unrecorded {
    /// What to write, and sync, outside the store.
    pub fn last(&self) -> LastSigned {
        let Checkpoint { origin, size, root, .. } = self.0.checkpoint();
        LastSigned { origin: origin.clone(), size: *size, root: *root }
    }

    /// The checkpoint, to be published now that [`Unrecorded::last`] is durable.
    pub fn recorded(self) -> SignedCheckpoint {
        self.0
    }
}

/// A checkpoint with its signatures. Its text is the signed note.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SignedCheckpoint {
    checkpoint: Checkpoint,
    note: Note,
}

impl SignedCheckpoint {
    /// Reads a signed note and accepts it if the ledger whose key is `log` signed it: the
    /// signature holds, no signature is wrong, and the origin is the key's name.
    pub fn open(note: &str, log: &VerifyingKey) -> Result<Self, CheckpointError> {
        let note: Note = note.parse()?;
        note.verify(std::slice::from_ref(log))?;
        let checkpoint: Checkpoint = note.text().parse()?;
        if checkpoint.origin != log.name().as_str() {
            return Err(CheckpointError::Origin {
                found: checkpoint.origin,
                expected: log.name().to_string(),
            });
        }
        Ok(Self { checkpoint, note })
    }

    /// What was signed.
    pub fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// The note with its signature lines.
    pub fn note(&self) -> &Note {
        &self.note
    }
}

impl fmt::Display for SignedCheckpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.note.fmt(f)
    }
}

/// A decimal number without leading zeroes, as C2SP texts write them.
pub(super) fn decimal(text: &str) -> Option<u64> {
    let number: u64 = text.parse().ok()?;
    (number.to_string() == text).then_some(number)
}

/// Why a text is no acceptable checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// The note or its signatures are wrong.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// The body is not origin, size, root and non-empty extension lines.
    #[error("not a checkpoint: expected lines with origin, size and root")]
    Malformed,
    /// Signed, but for another ledger.
    #[error("a checkpoint of {found}, not of {expected}")]
    Origin {
        /// The ledger it speaks of.
        found: String,
        /// The ledger whose key was given.
        expected: String,
    },
}

/// Why a checkpoint must not be signed, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GuardError {
    /// The store lost entries that a signed checkpoint covers.
    #[error(
        "the ledger has {size} entries, but a checkpoint over {recorded} was signed: \
         restore the missing entries, or start a new ledger under a new origin"
    )]
    Shorter {
        /// Entries signed over.
        recorded: u64,
        /// Entries there are.
        size: u64,
    },
    /// The store holds other entries than a signed checkpoint covers.
    #[error(
        "the ledger of {size} entries does not continue the checkpoint signed over {recorded}: \
         an entry below {recorded} differs; restore the store that signed it, or start a new \
         ledger under a new origin"
    )]
    Forked {
        /// Entries signed over.
        recorded: u64,
        /// Entries there are.
        size: u64,
    },
    /// The record belongs to another ledger.
    #[error(
        "the record of signed checkpoints is of {recorded}, the ledger's origin is {origin}: \
         configure the origin's own record file, or put the former origin back"
    )]
    Origin {
        /// The record's ledger.
        recorded: String,
        /// This ledger.
        origin: String,
    },
    /// The note could not be made.
    #[error(transparent)]
    Note(#[from] NoteError),
}

#[cfg(test)]
#[path = "checkpoint_tests.rs"]
mod tests;
