//! The ledger: dense entries, a tree that agrees with them, answers that stay.

use super::*;
use crate::change::{NEVER, Refusal};
use crate::ledger::{Commitment, Entry, Hash, Node, Tree, merkle};

pub async fn an_empty_store_has_an_empty_tree(place: &dyn Place) {
    let store = place.open();
    let tree = store.tree().await.unwrap();
    assert_eq!((tree.size(), tree.root()), (0, Hash::empty_root()));
    assert_eq!(store.entry(0).await.unwrap(), None);
    store.ping().await.unwrap();
}

pub async fn entries_nodes_and_tree_agree(place: &dyn Place) {
    let store = place.open();
    let mut number = 0;
    for group in [1, 3, 2, 7] {
        let changes = (0..group).map(|_| {
            number += 1;
            change(number, vec![], vec![])
        });
        for (index, one) in commit(&*store, changes.collect()).await.into_iter().enumerate() {
            let receipt = one.unwrap().receipt;
            assert_eq!(receipt.index as usize, number as usize - group + index);
            let stored = store.entry(receipt.index).await.unwrap().unwrap();
            let entry = Entry::parse(&stored.entry).unwrap();
            assert_eq!(entry.leaf_hash(), receipt.leaf_hash);
            assert_eq!((entry.at(), entry.actor()), (at(0), "marketplace"));
            assert_eq!(entry.request_id(), receipt.request_id);
            let salt: [u8; 32] = stored.salt.try_into().unwrap();
            assert_eq!(entry.commitment(), &Commitment::of(&salt, &stored.content));
        }
    }
    let tree = store.tree().await.unwrap();
    assert_eq!(tree.size(), 13);
    let mut again = Tree::new();
    let mut nodes = Vec::new();
    for index in 0..13 {
        let stored = store.entry(index).await.unwrap().unwrap();
        let leaf = Hash::leaf(&stored.entry);
        nodes.push((Node { level: 0, index }, leaf));
        again.append(leaf, &mut nodes);
    }
    assert_eq!(again.root(), tree.root());
    let asked = nodes.iter().map(|(node, _)| *node).collect();
    let answered = store.nodes(asked).await.unwrap();
    assert_eq!(answered, nodes.iter().map(|(_, hash)| Some(*hash)).collect::<Vec<_>>());
    assert_eq!(store.nodes(vec![Node { level: 4, index: 0 }]).await.unwrap(), [None]);
    for index in 0..13 {
        let needed = merkle::inclusion_nodes(index, 13).unwrap();
        let found = store.nodes(needed).await.unwrap();
        assert!(found.iter().all(Option::is_some), "a proof for {index} lacks a node");
    }
}

pub async fn the_same_request_gets_the_same_answer_for_ever(place: &dyn Place) {
    let store = place.open();
    let put = || vec![Write::Put(record(Kind::Exporter, "e", "ELIGIBLE", &["", "", ""]))];
    let first = change(1, vec![at_version(Kind::Exporter, "e", 0)], put());
    let mut judged = commit(&*store, vec![first.clone(), first.clone()]).await;
    let again = judged.pop().unwrap().unwrap();
    let once = judged.pop().unwrap().unwrap();
    assert!(!once.replayed && again.replayed);
    assert_eq!((&once.receipt, &once.answer), (&again.receipt, &again.answer));
    let later = committed(&*store, first).await;
    assert_eq!(later, again);
    let key = request(1, 1);
    let kept = store.request(&key.partner, &key.request_id).await.unwrap().unwrap();
    assert_eq!((kept.digest, kept.receipt, kept.answer), (key.digest, once.receipt, once.answer));
    assert_eq!(store.tree().await.unwrap().size(), 1);
    assert_eq!(store.record(Kind::Exporter, "e").await.unwrap().unwrap().version, 1);
}

pub async fn a_request_id_with_another_body_is_refused(place: &dyn Place) {
    let store = place.open();
    let first = change(1, vec![], vec![]);
    let mut other = first.clone();
    other.request.digest = [2; 32];
    let judged = commit(&*store, vec![first, other.clone()]).await;
    assert!(judged[0].is_ok());
    assert_eq!(judged[1], Err(Refusal::RequestIdReused));
    // The id is one partner's: another may use it.
    other.request.partner = "another".parse().unwrap();
    assert!(!committed(&*store, other).await.replayed);
}

pub async fn everything_is_there_after_opening_again(place: &dyn Place) {
    let store = place.open();
    let put = vec![Write::Put(record(Kind::Exporter, "e", "ELIGIBLE", &["AR-M", "MICRO", NEVER]))];
    let first = change(1, vec![], put);
    let once = committed(&*store, first.clone()).await;
    let tree = store.tree().await.unwrap();
    let entry = store.entry(0).await.unwrap();
    drop(store);
    let store = place.open();
    assert_eq!(store.tree().await.unwrap().root(), tree.root());
    assert_eq!(store.entry(0).await.unwrap(), entry);
    assert_eq!(store.record(Kind::Exporter, "e").await.unwrap().unwrap().version, 1);
    let again = committed(&*store, first).await;
    assert!(again.replayed);
    assert_eq!(again.receipt, once.receipt);
    let next = committed(&*store, change(2, vec![], vec![])).await;
    assert_eq!(next.receipt.index, 1);
}
