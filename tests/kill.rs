//! kill -9 in the middle of a push, again and again: nothing acknowledged is lost, nothing is
//! doubled, and the ledger goes on from what it had shown.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use puente::cli::Client;
use puente::ledger::{Hash, SignedCheckpoint, Tree, VerifyingKey, proof};
use puente::proto::puente::common::v1::Receipt;
use puente::proto::puente::ledger::v1::ledger_service_client::LedgerServiceClient;
use puente::proto::puente::ledger::v1::{
    FindReceiptRequest, GetCheckpointRequest, GetEntryRequest, GetProofRequest,
};
use puente::proto::puente::sales::v1::{SaleLine, SaleLineBatch};

use tokio::sync::oneshot;

use crate::common::push::{Push, append, open_report, report, stored};
use crate::common::stage::{ProcessStage, read};
use crate::common::{ask, goods, process, within};

const LINES: u64 = 15_000;
const BATCH: u64 = 50;
const KILLS: u64 = 8;

/// One acknowledgement of a push.
#[derive(Default)]
struct Awaited {
    left: usize,
    come: Option<oneshot::Sender<()>>,
}

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

    /// Pushes until everything is acknowledged (true) or the stream breaks (false); says when the
    /// acknowledgement that `awaited` counts down to has come.
    async fn push(&mut self, client: &Client, report: &str, awaited: Awaited) -> bool {
        let Awaited { mut left, mut come } = awaited;
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
            left = left.saturating_sub(1);
            if left == 0
                && let Some(come) = come.take()
            {
                come.send(()).unwrap();
            }
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
    for round in 0..KILLS {
        let client = stage.client("marketplace");
        // A connection and a token first, so that the kill meets the push.
        report(&client, &name).await;
        let (come, awaited) = oneshot::channel();
        let left = 1 + (seed >> (round * 5)) as usize % 16;
        let pause = Duration::from_micros((seed >> (round * 3)) % 12_000);
        let pushing = marketplace.push(&client, &name, Awaited { left, come: Some(come) });
        let killing = async {
            awaited.await.unwrap();
            tokio::time::sleep(pause).await;
            stage.served.kill();
        };
        let (finished, ()) = tokio::join!(pushing, killing);
        assert!(!finished, "round {round}, seed {seed}: the push was over before the kill");
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
    let client = stage.client("marketplace");
    assert!(marketplace.push(&client, &name, Awaited::default()).await, "the last push broke");
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

/// The command sends again what it has no answer to, by itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_command_goes_on_when_a_killed_gateway_comes_back() {
    let mut stage = ProcessStage::start();
    let (client, name, file) = sales_file(&stage).await;
    let command = push_command(&stage, &file).spawn().unwrap();
    until_some_lines_are_in(&client, &name).await;
    stage.served.kill();
    stage.restart_in_place();

    let output = tokio::task::spawn_blocking(|| command.wait_with_output()).await.unwrap().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let held = report(&stage.client("marketplace"), &name).await;
    assert_eq!(stored(&held), (LINES, goods::amount(LINES)));
}

/// A command that was killed goes on where it stopped when it is run again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_command_goes_on_when_it_is_run_again() {
    let stage = ProcessStage::start();
    let (client, name, file) = sales_file(&stage).await;
    let mut command = push_command(&stage, &file).spawn().unwrap();
    until_some_lines_are_in(&client, &name).await;
    command.kill().unwrap();
    command.wait().unwrap();
    let before = stored(&report(&client, &name).await).0;
    assert!(before < LINES, "the command was over before it was killed");

    let mut again = push_command(&stage, &file);
    let output = tokio::task::spawn_blocking(move || again.output()).await.unwrap().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let answer: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let resumed: u64 = answer["resumedAt"].as_str().unwrap().parse().unwrap();
    assert!(resumed > 0, "it began from the start: {answer}");
    assert_eq!(stored(&report(&client, &name).await), (LINES, goods::amount(LINES)));
}

async fn sales_file(stage: &ProcessStage) -> (Client, String, PathBuf) {
    let client = stage.client("marketplace");
    let name = open_report(&client, goods::period()).await.name;
    let mut text = String::from("line_id,order_id,kind,sku,quantity,unit_price,currency,sold_at\n");
    for line in (0..LINES).map(goods::sale) {
        let SaleLine { line_id, order_id, sku, quantity, unit_price, currency, sold_at, .. } = line;
        text += &format!(
            "{line_id},{order_id},SALE,{sku},{quantity},{unit_price},{currency},{sold_at}\n"
        );
    }
    let file = stage.folder.scratch("sales.csv", text);
    (client, name, file)
}

fn push_command(stage: &ProcessStage, file: &Path) -> Command {
    let mut command = process::command();
    command
        .args(["push", "sales"])
        .arg(file)
        .args(["--period", "2026-11-01..2026-11-30", "--batch-lines", "50", "--output", "json"])
        .arg("--profile")
        .arg(stage.folder.profile("marketplace"))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

async fn until_some_lines_are_in(client: &Client, name: &str) {
    let some = within(Duration::from_secs(10), || async {
        (report(client, name).await.committed_lines > 0).then_some(())
    });
    assert!(some.await.is_some(), "no line came in");
}

/// Size and root of the ledger as the gateway signs it now.
pub async fn checkpoint(stage: &ProcessStage, key: &VerifyingKey) -> (u64, Hash) {
    let auditor = stage.client("auditor");
    let answer =
        ask!(auditor, LedgerServiceClient.get_checkpoint(GetCheckpointRequest {})).unwrap();
    let signed = SignedCheckpoint::open(&answer.note, key).unwrap();
    (signed.checkpoint().size(), *signed.checkpoint().root())
}

/// The ledger of now contains every ledger seen before and every receipt given.
pub async fn check_ledger(
    stage: &ProcessStage,
    key: &VerifyingKey,
    seen: &mut Vec<(u64, Hash)>,
    receipts: &BTreeMap<usize, Receipt>,
) {
    let auditor = stage.client("auditor");
    let checkpoint = checkpoint(stage, key).await;

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
