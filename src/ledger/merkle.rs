//! The Merkle tree of RFC 6962 over the ledger's leaves.
//!
//! Enters: leaf hashes in order, and hashes of complete subtrees a store kept. Leaves:
//! roots, inclusion and consistency proofs, and the verdict on somebody else's. It holds
//! only the frontier in memory; where the other nodes lie is the store's affair.
//!
//! A [`Node`] is a complete subtree of `2^level` leaves, the `index`-th of its level; level 0
//! are the leaves, whose hashes stand with the entries. [`Tree::append`] returns each node of
//! level 1 and up the moment it is complete; it never changes afterwards. Proofs are built
//! from complete nodes only: `*_nodes` says which, so that a store may read them in one query.

use serde::{Deserialize, Serialize};

use super::Hash;

/// The longest proof there can be: a path in a tree of 2^64 leaves.
pub const MAX_PROOF_HASHES: usize = 64;

/// Names a complete subtree: the `index`-th one of `2^level` leaves.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Node {
    /// The logarithm of the number of leaves below; 0 is a leaf.
    pub level: u8,
    /// The place among the subtrees of that level, from 0.
    pub index: u64,
}

/// Answers with the hash of a complete subtree, leaves (level 0) included.
pub type Fetch<'a> = &'a dyn Fn(Node) -> Option<Hash>;

/// The state that appending needs: the size and the roots of the complete subtrees
/// that the size's binary digits name, largest first.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(try_from = "Frontier")]
pub struct Tree {
    size: u64,
    peaks: Vec<Hash>,
}

impl Tree {
    /// The tree without leaves.
    pub fn new() -> Self {
        Self::default()
    }

    /// A tree read back from where it was kept; `peaks` are the hashes of
    /// [`Tree::peak_nodes`]`(size)`, in that order.
    pub fn from_peaks(size: u64, peaks: Vec<Hash>) -> Result<Self, TreeError> {
        let expected = size.count_ones() as usize;
        if peaks.len() != expected {
            return Err(TreeError::Peaks { size, expected, found: peaks.len() });
        }
        Ok(Self { size, peaks })
    }

    /// A tree of `size` leaves whose peaks `fetch` knows.
    pub fn restore(size: u64, fetch: Fetch<'_>) -> Result<Self, TreeError> {
        let peaks = Self::peak_nodes(size).into_iter().map(|node| known(node, fetch));
        Ok(Self { size, peaks: peaks.collect::<Result<_, _>>()? })
    }

    /// The nodes that make the frontier of a tree of `size` leaves, largest first.
    pub fn peak_nodes(size: u64) -> Vec<Node> {
        Span { start: 0, end: size }.nodes()
    }

    /// The number of leaves.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The frontier's hashes, largest subtree first.
    pub fn peaks(&self) -> &[Hash] {
        &self.peaks
    }

    /// The root over all leaves (RFC 6962, 2.1).
    pub fn root(&self) -> Hash {
        fold(&self.peaks)
    }

    /// Appends one leaf hash and pushes to `completed` every interior node (level 1 and up)
    /// that became complete by it, lowest first. A tree takes at most 2^64 - 1 leaves.
    pub fn append(&mut self, leaf: Hash, completed: &mut Vec<(Node, Hash)>) {
        let mut hash = leaf;
        // Each trailing one of the size is a peak that this leaf completes a parent for.
        for level in 1..=self.size.trailing_ones() as u8 {
            let Some(left) = self.peaks.pop() else { break };
            hash = Hash::node(&left, &hash);
            completed.push((Node { level, index: self.size >> level }, hash));
        }
        self.peaks.push(hash);
        self.size += 1;
    }

    /// Appends leaf hashes in order; returns the interior nodes they completed.
    pub fn append_all(&mut self, leaves: impl IntoIterator<Item = Hash>) -> Vec<(Node, Hash)> {
        let mut completed = Vec::new();
        for leaf in leaves {
            self.append(leaf, &mut completed);
        }
        completed
    }
}

/// What a kept [`Tree`] is read from before it is judged.
#[derive(Deserialize)]
struct Frontier {
    size: u64,
    peaks: Vec<Hash>,
}

impl TryFrom<Frontier> for Tree {
    type Error = TreeError;

    fn try_from(kept: Frontier) -> Result<Self, TreeError> {
        Self::from_peaks(kept.size, kept.peaks)
    }
}

/// The nodes [`inclusion_proof`] will ask for.
pub fn inclusion_nodes(index: u64, size: u64) -> Result<Vec<Node>, TreeError> {
    Ok(inclusion_spans(index, size)?.iter().flat_map(Span::nodes).collect())
}

/// The audit path of the leaf at `index` in the tree of the first `size` leaves, from the
/// leaf's sibling up to the root's child (RFC 6962, 2.1.1).
pub fn inclusion_proof(index: u64, size: u64, fetch: Fetch<'_>) -> Result<Vec<Hash>, TreeError> {
    inclusion_spans(index, size)?.iter().map(|span| span.hash(fetch)).collect()
}

/// The nodes [`consistency_proof`] will ask for.
pub fn consistency_nodes(old: u64, new: u64) -> Result<Vec<Node>, TreeError> {
    Ok(consistency_spans(old, new)?.iter().flat_map(Span::nodes).collect())
}

/// The proof that the tree of the first `new` leaves begins with the tree of the first `old`
/// (RFC 6962, 2.1.2). Empty when `old` is 0 or equals `new`.
pub fn consistency_proof(old: u64, new: u64, fetch: Fetch<'_>) -> Result<Vec<Hash>, TreeError> {
    consistency_spans(old, new)?.iter().map(|span| span.hash(fetch)).collect()
}

/// Checks an audit path (RFC 9162, 2.1.3.2).
pub fn verify_inclusion(
    leaf: &Hash,
    index: u64,
    size: u64,
    path: &[Hash],
    root: &Hash,
) -> Result<(), TreeError> {
    if index >= size {
        return Err(TreeError::Beyond { index, size });
    }
    let (mut place, mut last) = (index, size - 1);
    let mut hash = *leaf;
    for sibling in path {
        if last == 0 {
            return Err(TreeError::NotIncluded);
        }
        if place & 1 == 1 || place == last {
            hash = Hash::node(sibling, &hash);
            // A right edge without sibling rises until it has one on its left.
            let rise = place.trailing_zeros();
            place >>= rise;
            last >>= rise;
        } else {
            hash = Hash::node(&hash, sibling);
        }
        place >>= 1;
        last >>= 1;
    }
    if last == 0 && hash == *root { Ok(()) } else { Err(TreeError::NotIncluded) }
}

/// Checks a consistency proof (RFC 9162, 2.1.4.2). From size 0 only the empty root and an
/// empty proof hold; between equal sizes only equal roots and an empty proof.
pub fn verify_consistency(
    old: u64,
    new: u64,
    old_root: &Hash,
    new_root: &Hash,
    proof: &[Hash],
) -> Result<(), TreeError> {
    if old > new {
        return Err(TreeError::Shrinks { old, new });
    }
    let holds = |yes: bool| if yes { Ok(()) } else { Err(TreeError::NotConsistent) };
    if old == new {
        return holds(proof.is_empty() && old_root == new_root);
    }
    if old == 0 {
        return holds(proof.is_empty() && *old_root == Hash::empty_root());
    }
    // A complete old tree is itself a node of the new one; the proof then leaves it out.
    let (first, rest) = if old.is_power_of_two() {
        (old_root, proof)
    } else {
        proof.split_first().ok_or(TreeError::NotConsistent)?
    };
    let rise = (old - 1).trailing_ones();
    let (mut place, mut last) = ((old - 1) >> rise, (new - 1) >> rise);
    let (mut was, mut is) = (*first, *first);
    for hash in rest {
        if last == 0 {
            return Err(TreeError::NotConsistent);
        }
        if place & 1 == 1 || place == last {
            was = Hash::node(hash, &was);
            is = Hash::node(hash, &is);
            let rise = place.trailing_zeros();
            place >>= rise;
            last >>= rise;
        } else {
            is = Hash::node(&is, hash);
        }
        place >>= 1;
        last >>= 1;
    }
    holds(last == 0 && was == *old_root && is == *new_root)
}

/// The leaves from `start` to before `end`; `start` is a multiple of the smallest power of two
/// that is not less than their number, as in every range RFC 6962 hashes.
#[derive(Clone, Copy)]
struct Span {
    start: u64,
    end: u64,
}

impl Span {
    /// The complete subtrees it consists of, largest first.
    fn nodes(&self) -> Vec<Node> {
        let mut left = self.end - self.start;
        let mut start = self.start;
        let mut nodes = Vec::with_capacity(left.count_ones() as usize);
        while left > 0 {
            let level = left.ilog2();
            nodes.push(Node { level: level as u8, index: start >> level });
            start += 1 << level;
            left -= 1 << level;
        }
        nodes
    }

    fn hash(&self, fetch: Fetch<'_>) -> Result<Hash, TreeError> {
        let hashes: Vec<Hash> =
            self.nodes().into_iter().map(|node| known(node, fetch)).collect::<Result<_, _>>()?;
        Ok(fold(&hashes))
    }

    /// Where RFC 6962 parts it: after the largest power of two less than its length.
    /// The length must be 2 or more.
    fn split(&self) -> (Self, Self) {
        let middle = self.start + (1 << (self.end - self.start - 1).ilog2());
        (Self { start: self.start, end: middle }, Self { start: middle, end: self.end })
    }
}

/// The ranges whose hashes make the audit path, leaf's sibling first.
fn inclusion_spans(index: u64, size: u64) -> Result<Vec<Span>, TreeError> {
    if index >= size {
        return Err(TreeError::Beyond { index, size });
    }
    let mut spans = Vec::new();
    let mut around = Span { start: 0, end: size };
    while around.end - around.start > 1 {
        let (left, right) = around.split();
        let (inside, sibling) = if index < right.start { (left, right) } else { (right, left) };
        spans.push(sibling);
        around = inside;
    }
    spans.reverse();
    Ok(spans)
}

/// The ranges whose hashes make the consistency proof: SUBPROOF of RFC 6962, 2.1.2.
fn consistency_spans(old: u64, new: u64) -> Result<Vec<Span>, TreeError> {
    if old > new {
        return Err(TreeError::Shrinks { old, new });
    }
    if old == 0 || old == new {
        return Ok(Vec::new());
    }
    let mut spans = Vec::new();
    let mut around = Span { start: 0, end: new };
    while around.end != old {
        let (left, right) = around.split();
        let (inside, sibling) = if old <= right.start { (left, right) } else { (right, left) };
        spans.push(sibling);
        around = inside;
    }
    if around.start != 0 {
        spans.push(around);
    }
    spans.reverse();
    Ok(spans)
}

fn known(node: Node, fetch: Fetch<'_>) -> Result<Hash, TreeError> {
    fetch(node).ok_or(TreeError::Missing(node))
}

/// The root over complete subtrees that follow each other, largest first.
fn fold(peaks: &[Hash]) -> Hash {
    let Some((last, before)) = peaks.split_last() else { return Hash::empty_root() };
    before.iter().rev().fold(*last, |right, left| Hash::node(left, &right))
}

/// What is wrong with a tree, a question about one, or a proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TreeError {
    /// The leaf asked about is not in a tree of that size.
    #[error("leaf {index} is not in a tree of {size} leaves")]
    Beyond {
        /// The leaf asked about.
        index: u64,
        /// The tree's size.
        size: u64,
    },
    /// A later tree cannot have fewer leaves.
    #[error("a tree of {old} leaves cannot become one of {new}")]
    Shrinks {
        /// Leaves before.
        old: u64,
        /// Leaves after.
        new: u64,
    },
    /// The store lacks a node that must be there.
    #[error("the stored tree lacks node {} of level {}", .0.index, .0.level)]
    Missing(Node),
    /// The kept frontier does not fit its size.
    #[error("a tree of {size} leaves has {expected} peaks, not {found}")]
    Peaks {
        /// The kept size.
        size: u64,
        /// Peaks that size has.
        expected: usize,
        /// Peaks kept.
        found: usize,
    },
    /// The path does not lead from the leaf to the root.
    #[error("the inclusion proof does not lead to the root")]
    NotIncluded,
    /// The trees do not continue one another.
    #[error("the later tree does not continue the earlier one")]
    NotConsistent,
}

#[cfg(test)]
#[path = "merkle_tests.rs"]
mod tests;
