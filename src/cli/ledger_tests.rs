//! What an auditor's check says of a ledger that continues, and of one that was altered.

use super::*;
use crate::ledger::{KeyName, Signer, SigningKey, Tree};

struct Log {
    leaves: Vec<Hash>,
    signer: Signer,
}

impl Log {
    fn of(entries: &[&str]) -> Self {
        let origin: KeyName = "puente.test/ledger".parse().unwrap();
        let signer = Signer::new(SigningKey::from_seed(origin, &[7; 32]).unwrap());
        Self { leaves: entries.iter().map(|entry| Hash::leaf(entry.as_bytes())).collect(), signer }
    }

    fn checkpoint(&self, size: usize) -> SignedCheckpoint {
        let mut tree = Tree::new();
        tree.append_all(self.leaves[..size].iter().copied());
        self.signer.sign(None, size as u64, tree.root(), &[]).unwrap().recorded()
    }

    fn answer(&self, old: usize) -> GetConsistencyProofResponse {
        let mut nodes: std::collections::HashMap<_, _> =
            Tree::new().append_all(self.leaves.iter().copied()).into_iter().collect();
        nodes.extend(
            self.leaves.iter().enumerate().map(|(index, leaf)| {
                (crate::ledger::Node { level: 0, index: index as u64 }, *leaf)
            }),
        );
        let size = self.leaves.len();
        let hashes =
            merkle::consistency_proof(old as u64, size as u64, &|node| nodes.get(&node).copied());
        GetConsistencyProofResponse {
            note: self.checkpoint(size).to_string(),
            hashes: hashes.unwrap().iter().map(|hash| hash.as_bytes().to_vec()).collect(),
            ..GetConsistencyProofResponse::default()
        }
    }
}

const ENTRIES: [&str; 7] = ["a", "b", "c", "d", "e", "f", "g"];

#[test]
fn a_ledger_that_only_grew_continues_each_checkpoint() {
    let log = Log::of(&ENTRIES);
    for old in 0..=ENTRIES.len() {
        let kept = log.checkpoint(old);
        let newest =
            continued(kept.checkpoint(), &log.answer(old), log.signer.verifying_key()).unwrap();
        assert_eq!(newest.checkpoint().size(), ENTRIES.len() as u64);
    }
}

#[test]
fn an_altered_entry_a_bent_proof_and_another_key_are_noticed() {
    let (log, altered) = (Log::of(&ENTRIES), Log::of(&["a", "B", "c", "d", "e", "f", "g"]));
    let key = log.signer.verifying_key();
    for old in 2..=ENTRIES.len() {
        let kept = log.checkpoint(old);
        continued(kept.checkpoint(), &altered.answer(old), key).unwrap_err();
    }
    let (kept, mut bent) = (log.checkpoint(3), log.answer(3));
    bent.hashes[0][5] ^= 1;
    continued(kept.checkpoint(), &bent, key).unwrap_err();
    bent.hashes[0].pop();
    continued(kept.checkpoint(), &bent, key).unwrap_err();
    let other: KeyName = "puente.test/ledger".parse().unwrap();
    let other = SigningKey::from_seed(other, &[8; 32]).unwrap();
    continued(kept.checkpoint(), &log.answer(3), other.verifying_key()).unwrap_err();
}

#[test]
fn a_ledger_shorter_than_what_it_signed_is_no_wrong_question() {
    let kept = Log::of(&ENTRIES).checkpoint(5);
    let refused = told(&kept, Failure::new("INVALID_SIZE", "5 is more than the newest, 4"));
    assert_eq!(refused.reason, "LEDGER_INCONSISTENT");
    let other = told(&kept, Failure::new("TOKEN_EXPIRED", "expired"));
    assert_eq!(other.reason, "TOKEN_EXPIRED");
}
