//! Proofs that can be checked offline (C2SP tlog-proof).
//!
//! Enters: an entry, its index, an audit path and a signed checkpoint. Leaves: one text (a
//! `.tlog-proof` file), with the entry itself in `extra`, and the verdict on such a text,
//! for which nothing but the ledger's public key is needed.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::checkpoint::{Checkpoint, CheckpointError, SignedCheckpoint, decimal};
use super::merkle::{self, MAX_PROOF_HASHES, TreeError};
use super::{Entry, EntryError, Hash, VerifyingKey};

const HEADER: &str = "c2sp.org/tlog-proof@v1";
const EXTRA: &str = "extra ";
const INDEX: &str = "index ";
/// An entry in base64, a path and a note with many cosignatures stay far below.
const MAX_PROOF_BYTES: usize = 1 << 20;

/// A tlog-proof as written, not verified.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Proof {
    extra: Option<Vec<u8>>,
    index: u64,
    path: Vec<Hash>,
    checkpoint: String,
}

impl Proof {
    /// The proof that `entry` stands at `index` in the ledger `checkpoint` speaks of; `path` is
    /// [`merkle::inclusion_proof`]`(index, checkpoint.size(), ..)`.
    pub fn new(entry: &Entry, index: u64, path: Vec<Hash>, checkpoint: &SignedCheckpoint) -> Self {
        Self {
            extra: Some(entry.text().as_bytes().to_vec()),
            index,
            path,
            checkpoint: checkpoint.to_string(),
        }
    }

    /// The index it speaks of.
    pub fn index(&self) -> u64 {
        self.index
    }

    /// Verifies the proof: the entry in `extra` is in the ledger that signed the checkpoint with
    /// the key `log`.
    pub fn verify(&self, log: &VerifyingKey) -> Result<Verified, ProofError> {
        let entry = Entry::parse(self.extra.as_deref().ok_or(ProofError::NoEntry)?)?;
        let checkpoint = SignedCheckpoint::open(&self.checkpoint, log)?.checkpoint().clone();
        let (size, root) = (checkpoint.size(), checkpoint.root());
        merkle::verify_inclusion(&entry.leaf_hash(), self.index, size, &self.path, root)?;
        Ok(Verified { entry, index: self.index, checkpoint })
    }
}

/// Verifies the text of a proof; see [`Proof::verify`].
pub fn verify(proof: &str, log: &VerifyingKey) -> Result<Verified, ProofError> {
    proof.parse::<Proof>()?.verify(log)
}

/// What a proof has shown.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Verified {
    /// The entry, as it stands in the ledger.
    pub entry: Entry,
    /// Where it stands.
    pub index: u64,
    /// The checkpoint it was shown under.
    pub checkpoint: Checkpoint,
}

impl fmt::Display for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{HEADER}")?;
        if let Some(extra) = &self.extra {
            writeln!(f, "{EXTRA}{}", STANDARD.encode(extra))?;
        }
        writeln!(f, "{INDEX}{}", self.index)?;
        self.path.iter().try_for_each(|hash| writeln!(f, "{hash}"))?;
        write!(f, "\n{}", self.checkpoint)
    }
}

impl FromStr for Proof {
    type Err = ProofError;

    fn from_str(text: &str) -> Result<Self, ProofError> {
        if text.len() > MAX_PROOF_BYTES {
            return Err(ProofError::TooLong);
        }
        let (head, checkpoint) = text.split_once("\n\n").ok_or(ProofError::Malformed)?;
        let mut lines = head.split('\n').peekable();
        if lines.next() != Some(HEADER) {
            return Err(ProofError::Header);
        }
        let extra = lines.next_if(|line| line.starts_with(EXTRA));
        let extra = extra.map(|line| STANDARD.decode(&line[EXTRA.len()..])).transpose();
        let index = lines.next().and_then(|line| decimal(line.strip_prefix(INDEX)?));
        let path: Result<Vec<Hash>, _> = lines.take(MAX_PROOF_HASHES + 1).map(str::parse).collect();
        let path = path.map_err(|_| ProofError::Malformed)?;
        if path.len() > MAX_PROOF_HASHES {
            return Err(ProofError::TooLong);
        }
        Ok(Self {
            extra: extra.map_err(|_| ProofError::Malformed)?,
            index: index.ok_or(ProofError::Malformed)?,
            path,
            checkpoint: checkpoint.to_owned(),
        })
    }
}

/// Why a proof proves nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// The first line is not that of the format.
    #[error("not a proof: the first line must be {HEADER}")]
    Header,
    /// A later line breaks the format.
    #[error("not a proof: expected extra, index, hashes, an empty line and a checkpoint")]
    Malformed,
    /// Longer than any proof of a ledger can be.
    #[error("the proof is too long")]
    TooLong,
    /// No `extra` line, so it is not known what would be proven.
    #[error("the proof does not carry its entry")]
    NoEntry,
    /// What `extra` carries is no entry.
    #[error("the entry in the proof: {0}")]
    Entry(#[from] EntryError),
    /// The checkpoint is not the ledger's.
    #[error("the checkpoint in the proof: {0}")]
    Checkpoint(#[from] CheckpointError),
    /// The path does not lead to the checkpoint's root.
    #[error(transparent)]
    Tree(#[from] TreeError),
}

#[cfg(test)]
#[path = "proof_tests.rs"]
mod tests;
