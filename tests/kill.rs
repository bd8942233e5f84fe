//! kill -9 in the middle of a push, again and again: nothing acknowledged is lost, nothing is
//! doubled, and the ledger goes on from what it had shown.

use std::collections::BTreeMap;
use std::time::Duration;

use puente::cli::Client;
use puente::ledger::{Hash, SignedCheckpoint, Tree, VerifyingKey, proof};
use puente::proto::puente::common::v1::Receipt;
use puente::proto::puente::ledger::v1::ledger_service_client::LedgerServiceClient;
use puente::proto::puente::ledger::v1::{
    FindReceiptRequest, GetCheckpointRequest, GetEntryRequest, GetProofRequest,
};
use puente::proto::puente::sales::v1::SaleLineBatch;

use crate::common::push::{Push, append, open_report, report, stored};
use crate::common::stage::{ProcessStage, read};
use crate::common::{ask, goods};

const LINES: u64 = 6_000;
const BATCH: u64 = 50;
const KILLS: u64 = 6;

/// A marketplace that writes down what was acknowledged, as it must.
struct Marketplace {
    batches: Vec<SaleLineBatch>,
    receipts: BTreeMap<usize, Receipt>,
}

impl Marketplace {
    /// The first batch that nobody has acknowledged.
    fn next(&self) -> usize {
        (0..).find(|n| !self.receipts.contains_key(n)).unwrap()
    }

    /// Pushes until everything is acknowledged (true) or the stream breaks (false).
    async fn push(&mut self, client: &Client, report: &str) -> bool {
        let Ok(mut push) = Push::open(client, report).await else { return false };
        let acknowledged = self.next() as u64 * BATCH;
        assert!(push.welcome.committed_lines as u64 >= acknowledged, "acknowledged lines are lost");
        let window = push.welcome.window as usize;
        let (mut sent, mut answered) = (self.next(), self.next());
        while answered < self.batches.len() {
            while sent < self.batches.len() && sent - answered < window {
                if !push.send(self.batches[sent].clone()).await {
                    break;
                }
                sent += 1;
            }
            let Ok(result) = push.result().await else { return false };
            assert_eq!(result.request_id, self.batches[answered].request_id);
            self.receipts.insert(answered, result.receipt.unwrap());
            answered += 1;
        }
        true
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_killed_during_a_push_loses_nothing_and_doubles_nothing() {
    let mut stage = ProcessStage::start();
    let key: VerifyingKey = read(&stage.path().join("ledger/vkey.txt")).trim().parse().unwrap();
    let client = stage.client("marketplace");
    let name = open_report(&client, goods::period()).await.name;
    let batches = (0..LINES / BATCH).map(|n| goods::batch(n * BATCH, (n + 1) * BATCH)).collect();
    let mut marketplace = Marketplace { batches, receipts: BTreeMap::new() };
    let mut seen: Vec<(u64, Hash)> = Vec::new();

    let seed = puente::clock::Env::system().now().as_nanosecond() as u64;
    let mut killed_midway = 0;
    for round in 0..KILLS {
        let client = stage.client("marketplace");
        // A connection and a token first, so that the kill meets the push.
        report(&client, &name).await;
        let pause = Duration::from_millis(5 + (seed >> (round * 7)) % 120);
        let pushing = marketplace.push(&client, &name);
        let finished = tokio::select! {
            finished = pushing => finished,
            () = tokio::time::sleep(pause) => false,
        };
        killed_midway += u32::from(!finished);
        stage.served.kill();
        stage.restart();

        let client = stage.client("marketplace");
        let acknowledged = marketplace.next() as u64 * BATCH;
        let report = report(&client, &name).await;
        let (lines, sum) = stored(&report);
        assert!(lines >= acknowledged, "round {round}, seed {seed}: {lines} < {acknowledged}");
        // Lines go in order, so a lost, doubled or half-taken batch would show here.
        assert_eq!(lines % BATCH, 0, "round {round}, seed {seed}: half a batch");
        assert_eq!(sum, goods::amount(lines), "round {round}, seed {seed}");
        assert_eq!(report.committed_lines as u64, lines, "round {round}, seed {seed}");
        check_ledger(&stage, &key, &mut seen, &marketplace.receipts).await;
    }
    assert!(killed_midway >= 2, "the push was over before most kills: seed {seed}");

    let client = stage.client("marketplace");
    assert!(marketplace.push(&client, &name).await, "the last push broke");
    let whole = report(&client, &name).await;
    assert_eq!(stored(&whole), (LINES, goods::amount(LINES)));
    assert_eq!(whole.counts.unwrap().duplicate, 0, "retries with their ids are no duplicates");

    // Every batch once more under its id: the same receipts, whoever answered first.
    for (n, batch) in marketplace.batches.iter().enumerate().step_by(10) {
        let again = append(&client, &name, batch.clone()).await.unwrap();
        assert_eq!(again.receipt.as_ref(), marketplace.receipts.get(&n));
    }
    assert_eq!(stored(&report(&client, &name).await), (LINES, goods::amount(LINES)));
    check_ledger(&stage, &key, &mut seen, &marketplace.receipts).await;
}

/// The ledger of now contains every ledger seen before and every receipt given.
async fn check_ledger(
    stage: &ProcessStage,
    key: &VerifyingKey,
    seen: &mut Vec<(u64, Hash)>,
    receipts: &BTreeMap<usize, Receipt>,
) {
    let auditor = stage.client("auditor");
    let answer =
        ask!(auditor, LedgerServiceClient.get_checkpoint(GetCheckpointRequest {})).unwrap();
    let signed = SignedCheckpoint::open(&answer.note, key).unwrap();
    let checkpoint = (signed.checkpoint().size(), *signed.checkpoint().root());

    // Every leaf anew: each root seen so far must come out again on the way.
    let mut roots = BTreeMap::new();
    let mut tree = Tree::new();
    for index in 0..checkpoint.0 as i64 {
        let entry = ask!(auditor, LedgerServiceClient.get_entry(GetEntryRequest { index }));
        let entry = entry.unwrap().entry.unwrap();
        tree.append(Hash::leaf(&entry.data), &mut Vec::new());
        roots.insert(tree.size(), (tree.root(), Hash::leaf(&entry.data)));
    }
    seen.push(checkpoint);
    for (size, root) in &*seen {
        assert_eq!(roots[size].0, *root, "the ledger of size {size} was another");
    }
    for receipt in receipts.values() {
        let leaf = roots[&(receipt.index as u64 + 1)].1;
        assert_eq!(receipt.leaf_hash, leaf.as_bytes(), "entry {} was exchanged", receipt.index);
    }

    // The newest receipt as its owner checks it: by the proof alone, and by its request.
    if let Some((_, receipt)) = receipts.last_key_value() {
        let client = stage.client("marketplace");
        let request = GetProofRequest { index: receipt.index };
        let answer = ask!(client, LedgerServiceClient.get_proof(request)).unwrap();
        let verified = proof::verify(&answer.tlog_proof, key).unwrap();
        assert_eq!(verified.index, receipt.index as u64);
        assert_eq!(verified.entry.leaf_hash().as_bytes(), receipt.leaf_hash.as_slice());
        let request =
            FindReceiptRequest { request_id: receipt.request_id.clone(), partner: String::new() };
        let found = ask!(client, LedgerServiceClient.find_receipt(request)).unwrap();
        assert_eq!(found.receipts, std::slice::from_ref(receipt));
    }
}
