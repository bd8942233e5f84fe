//! Who may ask the ledger what, and that its answers can be checked.

use std::sync::Arc;

use super::*;
use crate::app::checkpoints;
use crate::app::test_stage::Stage;
use crate::app::write::{Intent, Plan, put};
use crate::change::Kind;
use crate::domain::partner::Role;
use crate::ledger::{Draft, EntryKind, Signer, SigningKey};

struct Scene {
    stage: Stage,
    desk: LedgerDesk,
    _folder: tempfile::TempDir,
}

impl Scene {
    async fn set() -> Self {
        let stage = Stage::set().await;
        let folder = tempfile::tempdir().unwrap();
        let record = folder.path().join("record.json");
        let origin: crate::ledger::KeyName = "puente.test/ledger".parse().unwrap();
        let key = SigningKey::from_seed(origin.clone(), &[7; 32]).unwrap();
        checkpoints::begin(&record, origin.as_str()).unwrap();
        let checkpoints = checkpoints::Checkpoints::new(Signer::new(key), record);
        let desk = LedgerDesk::new(stage.app.clone(), Arc::new(checkpoints));
        Self { stage, desk, _folder: folder }
    }

    /// Something done by a partner.
    async fn done_by(&self, partner: &str) -> (Receipt, Intent) {
        let intent = self.stage.intent(partner);
        let key = intent.request.request_id.to_string();
        let written = self.stage.app.write(&intent, || async {
            let (expect, write) =
                put(Kind::Report, &key, partner, "OPEN", vec![String::new(); 2], &"body", 0)?;
            Ok(Plan {
                answer: "done".to_owned(),
                expect: vec![expect],
                writes: vec![write],
                draft: Draft::new(EntryKind::ReportOpened),
            })
        });
        (written.await.unwrap().receipt.unwrap(), intent)
    }
}

#[tokio::test]
async fn every_write_is_proven_under_a_checkpoint_that_continues_the_last() {
    let scene = Scene::set().await;
    let auditor = scene.stage.caller("auditor", Role::Auditor);
    let key = scene.desk.checkpoints().verifying_key().clone();
    for _ in 0..5 {
        let (receipt, _) = scene.done_by("market").await;
        let proven = scene.desk.proof(&auditor, receipt.index).await.unwrap();
        assert_eq!(proven.leaf_hash, receipt.leaf_hash);
        let verified = crate::ledger::proof::verify(&proven.proof.to_string(), &key).unwrap();
        assert_eq!(verified.entry.leaf_hash(), receipt.leaf_hash);
        assert!(verified.checkpoint.size() > receipt.index);
    }
}

#[tokio::test]
async fn a_partner_without_the_scope_sees_its_own_only() {
    let scene = Scene::set().await;
    let (receipt, intent) = scene.done_by("market").await;
    let id = intent.request.request_id;
    let market = scene.stage.caller("market", Role::Marketplace);
    let other = scene.stage.caller("other", Role::Marketplace);
    let auditor = scene.stage.caller("auditor", Role::Auditor);
    let of_market: PartnerId = "market".parse().unwrap();

    assert_eq!(scene.desk.find_receipt(&market, None, &id).await.unwrap(), receipt);
    assert_eq!(scene.desk.find_receipt(&auditor, Some(&of_market), &id).await.unwrap(), receipt);
    scene.desk.proof(&market, receipt.index).await.unwrap();

    let not_found = Error::not_found();
    for refused in [
        scene.desk.find_receipt(&other, None, &id).await.unwrap_err(),
        scene.desk.find_receipt(&other, Some(&of_market), &id).await.unwrap_err(),
        scene.desk.find_receipt(&auditor, None, &id).await.unwrap_err(),
        scene.desk.proof(&other, receipt.index).await.unwrap_err(),
        scene.desk.proof(&auditor, receipt.index + 1).await.unwrap_err(),
        scene.desk.entry(&other, receipt.index).await.unwrap_err(),
    ] {
        assert_eq!(refused, not_found);
    }
}

#[tokio::test]
async fn every_size_continues_every_smaller_one() {
    let scene = Scene::set().await;
    for _ in 0..9 {
        scene.done_by("market").await;
    }
    let newest = scene.desk.checkpoint().await.unwrap();
    let size = newest.checkpoint().size();
    for new in 0..=size {
        for old in 0..=new {
            let shown = scene.desk.consistency(old, Some(new)).await.unwrap();
            assert_eq!((shown.old.size(), shown.new.size()), (old, new));
            let (was, is) = (shown.old.root(), shown.new.root());
            merkle::verify_consistency(old, new, &was, &is, &shown.hashes).unwrap();
        }
    }
    let shown = scene.desk.consistency(3, None).await.unwrap();
    assert_eq!((shown.new.size(), &shown.new.root()), (size, newest.checkpoint().root()));
    assert_eq!(shown.checkpoint, newest);
}

#[tokio::test]
async fn nothing_is_proven_of_what_no_checkpoint_covers() {
    let scene = Scene::set().await;
    scene.done_by("market").await;
    let size = scene.desk.checkpoint().await.unwrap().checkpoint().size();
    for (old, new, field) in [(size + 1, None, "old_size"), (0, Some(size + 1), "new_size")] {
        let refused = scene.desk.consistency(old, new).await.unwrap_err();
        assert_eq!((refused.reason, refused.fields[0].field.as_str()), ("INVALID_SIZE", field));
    }
}
