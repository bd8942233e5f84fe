use std::collections::HashMap;

use proptest::prelude::*;

use super::*;
use crate::ledger::{Draft, EntryKind, Node, Signer, SigningKey, Stamp, Tree};

/// A ledger of `size` entries as a store would keep it.
struct Ledger {
    signer: Signer,
    entries: Vec<Entry>,
    tree: Tree,
    nodes: HashMap<Node, Hash>,
}

impl Ledger {
    fn of(size: u64) -> Self {
        let name = "ledger.example/puente".parse().unwrap();
        let signer = Signer::new(SigningKey::from_seed(name, &[5; 32]).unwrap());
        let entries: Vec<Entry> = (0..size).map(entry).collect();
        let (mut tree, mut nodes) = (Tree::new(), HashMap::new());
        nodes.extend(tree.append_all(entries.iter().map(Entry::leaf_hash)));
        let leaves = entries.iter().map(Entry::leaf_hash);
        nodes.extend((0..).map(|index| Node { level: 0, index }).zip(leaves));
        Self { signer, entries, tree, nodes }
    }

    fn proof(&self, index: u64) -> Proof {
        let (size, root) = (self.tree.size(), self.tree.root());
        let fetch = |node| self.nodes.get(&node).copied();
        let path = merkle::inclusion_proof(index, size, &fetch).unwrap();
        let signed = self.signer.sign(None, size, root, &[]).unwrap().recorded();
        Proof::new(&self.entries[index as usize], index, path, &signed)
    }
}

fn entry(number: u64) -> Entry {
    let stamp = Stamp {
        at: "2026-11-24T11:00:00Z".parse().unwrap(),
        actor: "marketplace".into(),
        certificate: None,
        request_id: format!("request-{number}"),
        trace_id: None,
    };
    let draft = Draft::new(EntryKind::LinesAppended).fact("accepted", number);
    draft.seal(&stamp, &[number as u8; 32]).unwrap()
}

#[test]
fn every_entry_of_a_ledger_is_proven_offline() {
    for size in [1, 2, 7, 16, 21] {
        let ledger = Ledger::of(size);
        for index in 0..size {
            let text = ledger.proof(index).to_string();
            let verified = verify(&text, ledger.signer.verifying_key()).unwrap();
            assert_eq!(verified.index, index);
            assert_eq!(verified.entry, ledger.entries[index as usize]);
            assert_eq!(verified.checkpoint.size(), size);
        }
    }
}

#[test]
fn a_proof_for_another_place_or_key_or_entry_fails() {
    let ledger = Ledger::of(9);
    let log = ledger.signer.verifying_key();
    let proof = ledger.proof(4);
    let moved = Proof { index: 5, ..proof.clone() };
    assert_eq!(moved.verify(log), Err(ProofError::Tree(TreeError::NotIncluded)));
    let other = Proof { extra: Some(entry(3).text().into()), ..proof.clone() };
    assert_eq!(other.verify(log), Err(ProofError::Tree(TreeError::NotIncluded)));
    let bare = Proof { extra: None, ..proof.clone() };
    assert_eq!(bare.to_string().parse::<Proof>().unwrap().verify(log), Err(ProofError::NoEntry));
    let stranger = SigningKey::from_seed(log.name().clone(), &[6; 32]).unwrap();
    assert!(matches!(
        proof.verify(stranger.verifying_key()),
        Err(ProofError::Checkpoint(CheckpointError::Note(_)))
    ));
}

#[test]
fn texts_are_parsed_strictly() {
    let good = Ledger::of(9).proof(4).to_string();
    assert_eq!(good.parse::<Proof>().unwrap().to_string(), good);
    let hash = format!("{}\n", Hash::empty_root());
    for (bad, error) in [
        (String::new(), ProofError::Malformed),
        (good.replace("@v1", "@v2"), ProofError::Header),
        (good.replace("index 4", "index 04"), ProofError::Malformed),
        (good.replace("index 4", "index +4"), ProofError::Malformed),
        (good.replace("index 4\n", ""), ProofError::Malformed),
        (good.replace("extra ", "extra  "), ProofError::Malformed),
        (good.replace("index 4\n", "index 4\nextra AAAA\n"), ProofError::Malformed),
        (good.replace("index 4\n", "index 4\nAAAA\n"), ProofError::Malformed),
        (good.replace("index 4\n", &format!("index 4\n{}", hash.repeat(61))), ProofError::TooLong),
        (good.replace('\n', "\r\n"), ProofError::Malformed),
        ("x".repeat(MAX_PROOF_BYTES + 1), ProofError::TooLong),
    ] {
        assert_eq!(bad.parse::<Proof>(), Err(error), "{bad}");
    }
}

/// Writes sample proofs for verifiers that no one here wrote:
/// `PUENTE_PROOFS=DIR cargo test --lib proofs_for_foreign`.
#[test]
fn proofs_for_foreign_verifiers() {
    let Some(dir) = std::env::var_os("PUENTE_PROOFS").map(std::path::PathBuf::from) else { return };
    for size in [1, 2, 7, 21] {
        let ledger = Ledger::of(size);
        let key = ledger.signer.verifying_key().to_string();
        std::fs::write(dir.join("vkey"), key).unwrap();
        for index in 0..size {
            let name = format!("{size}-{index}.tlog-proof");
            std::fs::write(dir.join(name), ledger.proof(index).to_string()).unwrap();
        }
    }
}

proptest! {
    #[test]
    fn a_flipped_bit_anywhere_is_noticed(place in any::<usize>(), bit in 0_u8..7) {
        let ledger = Ledger::of(9);
        let mut bytes = ledger.proof(4).to_string().into_bytes();
        let place = place % bytes.len();
        bytes[place] ^= 1 << bit;
        if let Ok(text) = String::from_utf8(bytes) {
            prop_assert!(verify(&text, ledger.signer.verifying_key()).is_err(), "{}", text);
        }
    }
}
