use std::collections::HashMap;

use super::*;
use crate::ledger::Node;

fn signer(seed: u8) -> Signer {
    let name = "ledger.example/puente".parse().unwrap();
    Signer::new(SigningKey::from_seed(name, &[seed; 32]).unwrap())
}

fn grown(leaves: impl Iterator<Item = u64>) -> (Tree, HashMap<Node, Hash>) {
    let hashes: Vec<Hash> = leaves.map(|leaf| Hash::leaf(&leaf.to_be_bytes())).collect();
    let mut tree = Tree::new();
    let mut nodes: HashMap<Node, Hash> =
        tree.append_all(hashes.iter().copied()).into_iter().collect();
    nodes.extend((0..).map(|index| Node { level: 0, index }).zip(hashes));
    (tree, nodes)
}

fn sign(
    signer: &Signer,
    last: Option<&LastSigned>,
    leaves: impl Iterator<Item = u64>,
) -> Result<Unrecorded, GuardError> {
    let (tree, nodes) = grown(leaves);
    let old = last.map_or(0, |last| last.size);
    let proof = merkle::consistency_proof(old, tree.size(), &|node| nodes.get(&node).copied());
    signer.sign(last, tree.size(), tree.root(), &proof.unwrap_or_default())
}

#[test]
fn a_checkpoint_reads_back_and_verifies() {
    let signed = sign(&signer(1), None, 0..10).unwrap().recorded();
    let text = signed.to_string();
    assert_eq!(
        text,
        "ledger.example/puente\n\
         10\n\
         9NNEQSLIzgk9kn3aaObOgcWJMB5fPQ367ewTP9v/+hY=\n\
         \n\
         \u{2014} ledger.example/puente UYrwcyW0TqK+JteYn5yM/bXiIjmt2dxocXqIbGqzdpmud7P5hGCH\
         QZurALy0UZ3x6eSC9W4WqCjwLn0/QuRIk+p2RQg=\n"
    );
    assert_eq!(SignedCheckpoint::open(&text, signer(1).verifying_key()).unwrap(), signed);
    assert!(SignedCheckpoint::open(&text, signer(2).verifying_key()).is_err());
    assert!(SignedCheckpoint::open(&text.replace("10", "11"), signer(1).verifying_key()).is_err());
}

#[test]
fn growth_is_signed_and_so_is_the_same_again() {
    let signer = signer(1);
    let empty = sign(&signer, None, 0..0).unwrap().last();
    let first = sign(&signer, Some(&empty), 0..3).unwrap().last();
    let second = sign(&signer, Some(&first), 0..9).unwrap();
    let again = sign(&signer, Some(&second.last()), 0..9).unwrap();
    assert_eq!(again.recorded(), second.recorded());
}

#[test]
fn a_shorter_ledger_is_not_signed() {
    let last = sign(&signer(1), None, 0..10).unwrap().last();
    let refused = sign(&signer(1), Some(&last), 0..9).unwrap_err();
    assert_eq!(refused, GuardError::Shorter { recorded: 10, size: 9 });
    assert!(refused.to_string().contains("restore the missing entries, or start a new"));
}

#[test]
fn a_ledger_with_another_past_is_not_signed() {
    let last = sign(&signer(1), None, 0..10).unwrap().last();
    for size in [10, 11, 16, 40] {
        // Entry 4 differs, as after a restore that lost it and took others in its place.
        let other = (0..size).map(|leaf| if leaf == 4 { 99 } else { leaf });
        let refused = sign(&signer(1), Some(&last), other).unwrap_err();
        assert_eq!(refused, GuardError::Forked { recorded: 10, size });
    }
}

#[test]
fn another_origins_record_is_not_followed() {
    let mut last = sign(&signer(1), None, 0..10).unwrap().last();
    last.origin = "ledger.example/fuente".into();
    let refused = sign(&signer(1), Some(&last), 0..11).unwrap_err();
    assert!(matches!(refused, GuardError::Origin { .. }));
}

#[test]
fn bodies_are_parsed_strictly() {
    let root = Hash::empty_root();
    for good in [format!("o\n0\n{root}\n"), format!("o p+q\n18446744073709551615\n{root}\nx\ny\n")]
    {
        assert_eq!(good.parse::<Checkpoint>().unwrap().to_string(), good);
    }
    for bad in [
        String::new(),
        format!("o\n0\n{root}"),
        format!("\n0\n{root}\n"),
        format!("o\n00\n{root}\n"),
        format!("o\n+1\n{root}\n"),
        format!("o\n-1\n{root}\n"),
        format!("o\n18446744073709551616\n{root}\n"),
        format!("o\n1\n{root}\n\n"),
        format!("o\n1\n{root}x\n"),
        "o\n1\nAAAA\n".to_owned(),
        "o\n1\n".to_owned(),
    ] {
        assert_eq!(bad.parse::<Checkpoint>(), Err(CheckpointError::Malformed), "{bad}");
    }
}
