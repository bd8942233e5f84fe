use std::collections::HashMap;

use ct_merkle::mem_backed_tree::MemoryBackedTree;
use proptest::prelude::*;
use sha2::Sha256;

use super::*;

/// A tree together with every complete node, as a store keeps them.
struct Kept {
    tree: Tree,
    nodes: HashMap<Node, Hash>,
}

impl Kept {
    fn over(leaves: &[Vec<u8>]) -> Self {
        let hashes: Vec<Hash> = leaves.iter().map(|leaf| Hash::leaf(leaf)).collect();
        let mut tree = Tree::new();
        let mut nodes: HashMap<Node, Hash> =
            tree.append_all(hashes.iter().copied()).into_iter().collect();
        nodes.extend((0..).map(|index| Node { level: 0, index }).zip(hashes));
        Self { tree, nodes }
    }

    fn fetch(&self) -> impl Fn(Node) -> Option<Hash> + '_ {
        |node| self.nodes.get(&node).copied()
    }
}

fn oracle(leaves: &[Vec<u8>]) -> MemoryBackedTree<Sha256, Vec<u8>> {
    let mut tree = MemoryBackedTree::new();
    leaves.iter().for_each(|leaf| tree.push(leaf.clone()));
    tree
}

fn oracle_root(leaves: &[Vec<u8>]) -> Hash {
    Hash::try_from(oracle(leaves).root().as_bytes().as_slice()).unwrap()
}

fn bytes(hashes: &[Hash]) -> Vec<u8> {
    hashes.iter().flat_map(|hash| *hash.as_bytes()).collect()
}

fn numbered(size: u64) -> Vec<Vec<u8>> {
    (0..size).map(|n| n.to_be_bytes().to_vec()).collect()
}

/// The leaves of Certificate Transparency's reference vectors.
fn reference() -> Vec<Vec<u8>> {
    ["", "00", "10", "2021", "3031", "40414243", "5051525354555657"]
        .into_iter()
        .chain(["606162636465666768696a6b6c6d6e6f"])
        .map(|leaf| hex::decode(leaf).unwrap())
        .collect()
}

#[test]
fn roots_of_the_reference_tree() {
    let roots = [
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ];
    for (size, root) in roots.into_iter().enumerate() {
        let tree = Kept::over(&reference()[..size]).tree;
        assert_eq!(hex::encode(tree.root().as_bytes()), root, "size {size}");
    }
}

#[test]
fn proofs_of_the_reference_tree() {
    let kept = Kept::over(&reference());
    let path = inclusion_proof(5, 8, &kept.fetch()).unwrap();
    assert_eq!(
        hex::encode(bytes(&path)),
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b\
         ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0\
         d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"
    );
    let proof = consistency_proof(6, 8, &kept.fetch()).unwrap();
    assert_eq!(
        hex::encode(bytes(&proof)),
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a\
         ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0\
         d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"
    );
}

#[test]
fn every_proof_of_small_trees_equals_the_oracle() {
    let leaves = numbered(36);
    let kept = Kept::over(&leaves);
    for size in 1..=36 {
        let part = &leaves[..size as usize];
        let theirs = oracle(part);
        let root = oracle_root(part);
        for index in 0..size {
            let path = inclusion_proof(index, size, &kept.fetch()).unwrap();
            assert_eq!(bytes(&path), theirs.prove_inclusion(index as usize).as_bytes());
            let leaf = Hash::leaf(&leaves[index as usize]);
            verify_inclusion(&leaf, index, size, &path, &root).unwrap();
            assert_ne!(Ok(()), verify_inclusion(&leaf, index ^ 1, size, &path, &root));
        }
        for old in 1..=size {
            let proof = consistency_proof(old, size, &kept.fetch()).unwrap();
            let additions = (size - old) as usize;
            assert_eq!(bytes(&proof), theirs.prove_consistency(additions).as_bytes());
            let old_root = oracle_root(&leaves[..old as usize]);
            verify_consistency(old, size, &old_root, &root, &proof).unwrap();
        }
    }
}

#[test]
fn edges_of_consistency() {
    let kept = Kept::over(&numbered(5));
    let (empty, root) = (Hash::empty_root(), kept.tree.root());
    assert_eq!(verify_consistency(0, 5, &empty, &root, &[]), Ok(()));
    assert_eq!(verify_consistency(0, 0, &empty, &empty, &[]), Ok(()));
    assert_eq!(verify_consistency(0, 5, &root, &root, &[]), Err(TreeError::NotConsistent));
    assert_eq!(verify_consistency(5, 5, &root, &root, &[]), Ok(()));
    assert_eq!(verify_consistency(5, 5, &root, &root, &[root]), Err(TreeError::NotConsistent));
    assert_eq!(verify_consistency(4, 5, &root, &root, &[]), Err(TreeError::NotConsistent));
    let shrinks = Err(TreeError::Shrinks { old: 6, new: 5 });
    assert_eq!(verify_consistency(6, 5, &root, &root, &[]), shrinks);
}

#[test]
fn a_missing_node_is_named() {
    let kept = Kept::over(&numbered(4));
    let lacking = |node: Node| (node.level == 0).then(|| kept.nodes[&node]);
    let missing = Node { level: 1, index: 1 };
    assert_eq!(inclusion_proof(0, 4, &lacking), Err(TreeError::Missing(missing)));
    let beyond = Err(TreeError::Beyond { index: 4, size: 4 });
    assert_eq!(inclusion_proof(4, 4, &lacking), beyond);
}

#[test]
fn a_frontier_reads_back_and_a_wrong_one_is_refused() {
    let kept = Kept::over(&numbered(11));
    let text = serde_json::to_string(&kept.tree).unwrap();
    assert_eq!(serde_json::from_str::<Tree>(&text).unwrap(), kept.tree);
    assert_eq!(Tree::restore(11, &kept.fetch()).unwrap(), kept.tree);
    assert!(serde_json::from_str::<Tree>(&text.replace("11", "12")).is_err());
}

#[test]
fn coordinates_hold_near_the_largest_size() {
    let size = u64::MAX;
    assert_eq!(Tree::peak_nodes(size).len(), 64);
    for index in [0, size / 2, size - 1] {
        assert!(inclusion_spans(index, size).unwrap().len() <= MAX_PROOF_HASHES);
    }
    assert!(consistency_spans(size - 1, size).unwrap().len() <= MAX_PROOF_HASHES + 1);
}

proptest! {
    #[test]
    fn appended_in_any_batches_the_tree_is_the_oracles(
        size in 1_u64..300,
        cuts in proptest::collection::vec(1_usize..40, 0..20),
    ) {
        let leaves = numbered(size);
        let mut tree = Tree::new();
        let mut nodes = Vec::new();
        let mut rest: &[Vec<u8>] = &leaves;
        for cut in cuts.into_iter().chain([leaves.len()]) {
            let (batch, after) = rest.split_at(cut.min(rest.len()));
            nodes.extend(tree.append_all(batch.iter().map(|leaf| Hash::leaf(leaf))));
            rest = after;
        }
        prop_assert_eq!(tree.root(), oracle_root(&leaves));
        prop_assert_eq!(&tree, &Kept::over(&leaves).tree);
        // Each interior node is complete exactly once.
        let count = nodes.len();
        prop_assert_eq!(nodes.into_iter().collect::<HashMap<_, _>>().len(), count);
        prop_assert_eq!(count as u64, size - u64::from(size.count_ones()));
    }

    #[test]
    fn proofs_ask_for_the_nodes_announced_and_hold_only_unchanged(
        size in 2_u64..300,
        pick in any::<(u64, u64)>(),
        flip in any::<(usize, usize)>(),
    ) {
        let kept = Kept::over(&numbered(size));
        let (index, old) = (pick.0 % size, pick.1 % size + 1);
        let asked = std::cell::RefCell::new(Vec::new());
        let fetch = |node: Node| {
            asked.borrow_mut().push(node);
            kept.nodes.get(&node).copied()
        };
        let path = inclusion_proof(index, size, &fetch).unwrap();
        prop_assert_eq!(asked.take(), inclusion_nodes(index, size).unwrap());
        let proof = consistency_proof(old, size, &fetch).unwrap();
        prop_assert_eq!(asked.take(), consistency_nodes(old, size).unwrap());

        let root = kept.tree.root();
        let leaf = kept.nodes[&Node { level: 0, index }];
        let old_root = Tree::restore(old, &kept.fetch()).unwrap().root();
        prop_assert_eq!(verify_inclusion(&leaf, index, size, &path, &root), Ok(()));
        prop_assert_eq!(verify_consistency(old, size, &old_root, &root, &proof), Ok(()));

        for cut in 0..path.len() {
            prop_assert!(verify_inclusion(&leaf, index, size, &path[..cut], &root).is_err());
        }
        let bent = |hashes: &[Hash]| {
            let mut hashes = hashes.to_vec();
            let at = flip.0 % hashes.len();
            let mut bytes = *hashes[at].as_bytes();
            bytes[flip.1 % 32] ^= 1 << (flip.1 % 8);
            hashes[at] = Hash::from_bytes(bytes);
            hashes
        };
        prop_assert!(verify_inclusion(&leaf, index, size, &bent(&path), &root).is_err());
        if !proof.is_empty() {
            let bent = bent(&proof);
            prop_assert!(verify_consistency(old, size, &old_root, &root, &bent).is_err());
        }
    }
}
