//! The ledger: what happened, in order, provable.
//!
//! Enters: drafts of entries made by use cases, hashes a store kept, a signing key.
//! Leaves: canonical entries (the leaves), an RFC 6962 Merkle tree over them, C2SP
//! signed checkpoints, inclusion and consistency proofs, receipts. It must not know
//! how anything is stored or served: no runtime, no SQL, no clock, no randomness.
//!
//! The order of durable steps a writer keeps:
//! 1. [`Draft::seal`] each entry, [`Tree::append`] its [`Entry::leaf_hash`], and commit the
//!    entry, its leaf hash and the completed nodes in one transaction with the change.
//! 2. [`Signer::sign`] a checkpoint against the last one signed, make [`Unrecorded::last`]
//!    durable outside the store, and only then take [`Unrecorded::recorded`] and publish it.

pub mod checkpoint;
pub mod commitment;
pub mod entry;
pub mod hash;
pub mod kind;
pub mod merkle;
pub mod note;
pub mod proof;
pub mod receipt;

pub use checkpoint::{Checkpoint, GuardError, LastSigned, SignedCheckpoint, Signer, Unrecorded};
pub use commitment::Commitment;
pub use entry::{Draft, Entry, EntryError, MAX_ENTRY_BYTES, Stamp};
pub use hash::Hash;
pub use kind::EntryKind;
pub use merkle::{Node, Tree};
pub use note::{KeyName, Note, SigningKey, VerifyingKey};
pub use proof::{Proof, Verified};
pub use receipt::Receipt;
