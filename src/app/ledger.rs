//! Questions to the ledger: checkpoint, entry, proof, receipt.
//!
//! Enters: a caller and an index or a request id. Leaves: what others can
//! check without us. A partner without `ledger.read` sees its own entries only.

use super::App;
use super::checkpoints::{Checkpoints, fetch};
use crate::domain::caller::Caller;
use crate::domain::partner::PartnerId;
use crate::domain::request_id::RequestId;
use crate::domain::scope::Scope;
use crate::error::{Error, Result};
use crate::ledger::merkle::{self, TreeError};
use crate::ledger::{Entry, Hash, Node, Proof, Receipt, SignedCheckpoint, Tree};

/// The application together with the signer of its ledger.
#[derive(Clone)]
pub struct LedgerDesk {
    app: App,
    checkpoints: std::sync::Arc<Checkpoints>,
}

impl LedgerDesk {
    /// Answers from `app`'s store, signing with `checkpoints`.
    pub fn new(app: App, checkpoints: std::sync::Arc<Checkpoints>) -> Self {
        Self { app, checkpoints }
    }

    /// The signer and its record.
    pub fn checkpoints(&self) -> &Checkpoints {
        &self.checkpoints
    }

    /// The newest checkpoint, over everything acknowledged by now.
    pub async fn checkpoint(&self) -> Result<SignedCheckpoint> {
        self.checkpoints.newest(&*self.app.store).await
    }

    /// The entry at `index`, if the caller may see it.
    pub async fn entry(&self, caller: &Caller, index: u64) -> Result<Entry> {
        let stored = self.app.store.entry(index).await?.ok_or_else(Error::not_found)?;
        let entry = Entry::parse(&stored.entry)
            .map_err(|reason| Error::internal(format!("entry {index}: {reason}")))?;
        let own = entry.actor() == caller.partner().as_str();
        if own || caller.scopes().contains(Scope::LedgerRead) {
            Ok(entry)
        } else {
            Err(Error::not_found())
        }
    }

    /// A proof that the entry at `index` is in the newest checkpoint (C2SP tlog-proof).
    ///
    /// # Errors
    /// `CHECKPOINT_PENDING` in the moment before a checkpoint covers the entry.
    pub async fn proof(&self, caller: &Caller, index: u64) -> Result<Proven> {
        let entry = self.entry(caller, index).await?;
        let checkpoint = self.checkpoint().await?;
        let size = checkpoint.checkpoint().size();
        if index >= size {
            return Err(Error::unavailable(
                "CHECKPOINT_PENDING",
                "no checkpoint covers the entry yet: retry",
                std::time::Duration::from_millis(200),
            ));
        }
        let nodes = merkle::inclusion_nodes(index, size)
            .map_err(|reason| Error::internal(reason.to_string()))?;
        let known = fetch(&*self.app.store, nodes).await?;
        let hashes = merkle::inclusion_proof(index, size, &|node| known.get(&node).copied())
            .map_err(|reason| Error::internal(reason.to_string()))?;
        let leaf_hash = entry.leaf_hash();
        Ok(Proven { proof: Proof::new(&entry, index, hashes, &checkpoint), leaf_hash })
    }

    /// The proof that the ledger of `new` entries, by default those of the newest checkpoint,
    /// continues that of `old`.
    ///
    /// # Errors
    /// `INVALID_SIZE`, naming the field, when a size is beyond the newest checkpoint or `old` is
    /// greater than `new`.
    pub async fn consistency(&self, old: u64, new: Option<u64>) -> Result<Continued> {
        let checkpoint = self.checkpoint().await?;
        let newest = checkpoint.checkpoint().size();
        let new = new.unwrap_or(newest);
        within("new_size", new, newest, "the newest checkpoint's size")?;
        within("old_size", old, new, "the new size")?;
        let asked = [consistency_nodes(old, new)?, Tree::peak_nodes(old), Tree::peak_nodes(new)];
        let known = fetch(&*self.app.store, asked.concat()).await?;
        let node = |node| known.get(&node).copied();
        let inner = |reason: TreeError| Error::internal(reason.to_string());
        Ok(Continued {
            old: Tree::restore(old, &node).map_err(inner)?,
            new: Tree::restore(new, &node).map_err(inner)?,
            hashes: merkle::consistency_proof(old, new, &node).map_err(inner)?,
            checkpoint,
        })
    }

    /// The receipt of a request: the caller's own, or with `ledger.read` one of `partner`.
    ///
    /// # Errors
    /// `NOT_FOUND` if no such request was done; another's without `ledger.read` reads the same.
    pub async fn find_receipt(
        &self,
        caller: &Caller,
        partner: Option<&PartnerId>,
        id: &RequestId,
    ) -> Result<Receipt> {
        let whose = partner.unwrap_or(caller.partner());
        if whose != caller.partner() && !caller.scopes().contains(Scope::LedgerRead) {
            return Err(Error::not_found());
        }
        let stored = self.app.store.request(whose, id).await?;
        stored.map(|request| request.receipt).ok_or_else(Error::not_found)
    }
}

/// The nodes that a proof between the sizes is made of.
fn consistency_nodes(old: u64, new: u64) -> Result<Vec<Node>> {
    merkle::consistency_nodes(old, new).map_err(|reason| Error::internal(reason.to_string()))
}

fn within(field: &'static str, size: u64, most: u64, what: &str) -> Result<()> {
    if size <= most {
        return Ok(());
    }
    Err(Error::invalid("INVALID_SIZE", field, format!("{size} is more than {what}, {most}")))
}

/// That the ledger at one size continues it at another.
#[derive(Clone, Debug)]
pub struct Continued {
    /// The tree of the old size.
    pub old: Tree,
    /// The tree of the new size.
    pub new: Tree,
    /// The proof (RFC 9162, 2.1.4).
    pub hashes: Vec<Hash>,
    /// The newest checkpoint.
    pub checkpoint: SignedCheckpoint,
}

/// A proof, and the leaf it is about.
#[derive(Clone, Debug)]
pub struct Proven {
    /// The proof, as text others check.
    pub proof: Proof,
    /// The RFC 6962 hash of the entry.
    pub leaf_hash: Hash,
}

#[cfg(test)]
#[path = "ledger_tests.rs"]
mod tests;
