//! Signed checkpoints: recorded outside the store before anybody sees them.
//!
//! Enters: the tree as committed. Leaves: the newest signed checkpoint. The
//! order of the steps is the promise: prove that the tree continues the last
//! one signed, sign, sync the record, publish.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use tokio::sync::Mutex;

use crate::error::{Error, Result};
use crate::ledger::{Hash, LastSigned, Node, SignedCheckpoint, Signer, VerifyingKey, merkle};
use crate::store::Store;

/// Signs the ledger's checkpoints and keeps the record of the last one.
pub struct Checkpoints {
    signer: Signer,
    record: PathBuf,
    newest: Mutex<Option<SignedCheckpoint>>,
}

impl Checkpoints {
    /// Signs with `signer` and keeps the record in file `record`, which [`begin`] made.
    pub fn new(signer: Signer, record: PathBuf) -> Self {
        Self { signer, record, newest: Mutex::new(None) }
    }

    /// What others verify checkpoints with.
    pub fn verifying_key(&self) -> &VerifyingKey {
        self.signer.verifying_key()
    }

    /// A checkpoint over everything committed in `store` by now.
    ///
    /// # Errors
    /// `LEDGER_INCONSISTENT` when the store does not continue what was signed before, as after a
    /// restore of an old copy: nothing is signed, and the message says what to do.
    pub async fn newest(&self, store: &dyn Store) -> Result<SignedCheckpoint> {
        let mut newest = self.newest.lock().await;
        let tree = store.tree().await?;
        if let Some(signed) = newest.as_ref().filter(|s| s.checkpoint().size() == tree.size()) {
            return Ok(signed.clone());
        }
        let last = read(&self.record)?;
        let proof = if last.size <= tree.size() {
            consistency(store, last.size, tree.size()).await?
        } else {
            Vec::new()
        };
        let unrecorded = self
            .signer
            .sign(Some(&last), tree.size(), tree.root(), &proof)
            .map_err(|reason| Error::precondition("LEDGER_INCONSISTENT", reason.to_string()))?;
        let text = serde_json::to_vec(&unrecorded.last())
            .map_err(|reason| Error::internal(format!("checkpoint record: {reason}")))?;
        write_durably(&self.record, &text)
            .map_err(|reason| Error::internal(format!("checkpoint record: {reason}")))?;
        let signed = unrecorded.recorded();
        *newest = Some(signed.clone());
        Ok(signed)
    }
}

/// The hashes of a consistency proof between two sizes of the ledger in `store`.
async fn consistency(store: &dyn Store, old: u64, new: u64) -> Result<Vec<Hash>> {
    let nodes = merkle::consistency_nodes(old, new).map_err(|e| Error::internal(e.to_string()))?;
    let known = fetch(store, nodes).await?;
    merkle::consistency_proof(old, new, &|node| known.get(&node).copied())
        .map_err(|e| Error::internal(e.to_string()))
}

/// Reads nodes of the tree at once, for the proofs that ask for them one by one.
pub async fn fetch(store: &dyn Store, nodes: Vec<Node>) -> Result<HashMap<Node, Hash>> {
    let hashes = store.nodes(nodes.clone()).await?;
    Ok(nodes.into_iter().zip(hashes).filter_map(|(node, hash)| Some((node, hash?))).collect())
}

/// Makes the record of a ledger that begins: nothing signed yet. Once, by `init`.
///
/// # Errors
/// If the file cannot be written.
pub fn begin(record: &Path, origin: &str) -> Result<()> {
    let nothing = LastSigned { origin: origin.to_owned(), size: 0, root: Hash::empty_root() };
    let text = serde_json::to_vec(&nothing)
        .map_err(|reason| Error::internal(format!("checkpoint record: {reason}")))?;
    write_durably(record, &text)
        .map_err(|reason| Error::internal(format!("{}: {reason}", record.display())))
}

/// The record; where it is missing nothing may be signed, since a ledger that lost it could
/// contradict what it signed before.
fn read(path: &Path) -> Result<LastSigned> {
    let unreadable = |reason: &dyn std::fmt::Display| {
        Error::precondition(
            "LEDGER_RECORD_UNREADABLE",
            format!(
                "the record of the last signed checkpoint, {}, cannot be read ({reason}): put \
                 back a good copy; without it nothing is signed",
                path.display()
            ),
        )
    };
    let text = fs::read(path).map_err(|reason| unreadable(&reason))?;
    serde_json::from_slice(&text).map_err(|reason| unreadable(&reason))
}

/// Writes a file so that after a power loss it is either the old or the new one, whole.
fn write_durably(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let beside = path.with_extension("new");
    let mut file = File::create(&beside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&beside, path)?;
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

#[cfg(test)]
#[path = "checkpoints_tests.rs"]
mod tests;
