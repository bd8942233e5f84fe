//! `puente ledger`: what happened, and the proof of it.

use std::path::{Path, PathBuf};

use serde_json::json;

use super::output::{Output, facts, moment, print, print_json, show, table};
use super::{Connect, Failure, Outcome, Show, parse};
use crate::ledger::{self, Hash, SignedCheckpoint, VerifyingKey, merkle, proof};
use crate::proto::puente::ledger::v1::ledger_service_client::LedgerServiceClient;
use crate::proto::puente::ledger::v1::{
    FindReceiptRequest, FindReceiptResponse, GetCheckpointRequest, GetConsistencyProofRequest,
    GetConsistencyProofResponse, GetEntryRequest, GetEntryResponse, GetProofRequest,
};

/// Read the ledger, and prove what it says
#[derive(clap::Subcommand)]
pub enum Ledger {
    Checkpoint(Checkpoint),
    Entry(Entry),
    Proof(Proof),
    Verify(Verify),
    Consistency(Consistency),
    Receipt(Receipt),
}

/// Print the newest signed checkpoint (C2SP tlog-checkpoint)
#[derive(clap::Args)]
pub struct Checkpoint {
    #[command(flatten)]
    connect: Connect,
}

/// Print one entry
#[derive(clap::Args)]
pub struct Entry {
    /// The entry's place, from 0
    index: i64,
    #[command(flatten)]
    connect: Connect,
}

/// Print the proof that an entry is in the ledger (C2SP tlog-proof)
///
/// Example:
///   puente ledger proof 7 --profile profiles/auditor.toml > 7.tlog-proof
///   puente ledger verify 7.tlog-proof --key ledger/vkey.txt
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Proof {
    /// The entry's place, from 0
    index: i64,
    #[command(flatten)]
    connect: Connect,
}

/// Check a proof without the gateway
#[derive(clap::Args)]
pub struct Verify {
    /// The proof, as puente ledger proof prints it; - for standard input
    file: PathBuf,
    /// The ledger's public key: the key itself, or the file it is in (ledger/vkey.txt)
    #[arg(long, value_name = "VKEY")]
    key: String,
    #[command(flatten)]
    show: Show,
}

/// Prove that the ledger continues a checkpoint you kept: nothing was altered or removed since
///
/// The proof and both checkpoints are checked here, with the ledger's public key; the newest
/// checkpoint is printed, to be kept for the next time.
///
/// Example:
///   puente ledger checkpoint --profile profiles/auditor.toml > monday.checkpoint
///   puente ledger consistency monday.checkpoint --key ledger/vkey.txt --profile profiles/auditor.toml
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Consistency {
    /// The checkpoint, as puente ledger checkpoint prints it; - for standard input
    file: PathBuf,
    /// The ledger's public key: the key itself, or the file it is in (ledger/vkey.txt)
    #[arg(long, value_name = "VKEY")]
    key: String,
    #[command(flatten)]
    connect: Connect,
}

/// Find out what became of a request
#[derive(clap::Args)]
pub struct Receipt {
    /// The request's id
    request_id: String,
    /// The partner that made it; auditors and operators may name another than themselves
    #[arg(long)]
    partner: Option<String>,
    #[command(flatten)]
    connect: Connect,
}

impl Ledger {
    pub(super) async fn run(self) -> Outcome {
        match self {
            Self::Checkpoint(checkpoint) => checkpoint.run().await,
            Self::Entry(entry) => entry.run().await,
            Self::Proof(proof) => proof.run().await,
            Self::Verify(verify) => verify.run(),
            Self::Consistency(consistency) => consistency.run().await,
            Self::Receipt(receipt) => receipt.run().await,
        }
    }
}

impl Checkpoint {
    async fn run(self) -> Outcome {
        let client = self.connect.client()?;
        let answer = client
            .call(GetCheckpointRequest {}, |channel, request| async move {
                LedgerServiceClient::new(channel).get_checkpoint(request).await
            })
            .await?;
        show(self.connect.output(), "puente.ledger.v1.GetCheckpointResponse", &answer, |answer| {
            answer.note.clone()
        })
    }
}

impl Entry {
    async fn run(self) -> Outcome {
        let client = self.connect.client()?;
        let answer = client
            .call(GetEntryRequest { index: self.index }, |channel, request| async move {
                LedgerServiceClient::new(channel).get_entry(request).await
            })
            .await?;
        show(self.connect.output(), "puente.ledger.v1.GetEntryResponse", &answer, entry_table)
    }
}

impl Proof {
    async fn run(self) -> Outcome {
        let client = self.connect.client()?;
        let answer = client
            .call(GetProofRequest { index: self.index }, |channel, request| async move {
                LedgerServiceClient::new(channel).get_proof(request).await
            })
            .await?;
        show(self.connect.output(), "puente.ledger.v1.GetProofResponse", &answer, |answer| {
            answer.tlog_proof.clone()
        })
    }
}

impl Verify {
    fn run(self) -> Outcome {
        let key = verifying_key(&self.key)?;
        let text = text_of(&self.file)?;
        let verified = proof::verify(&text, &key).map_err(|reason| {
            Failure::new("PROOF_INVALID", format!("{}: {reason}", self.file.display()))
                .hint("do not rely on it; ask the ledger for a fresh proof and compare")
        })?;
        let (entry, checkpoint) = (&verified.entry, &verified.checkpoint);
        match self.show.output {
            Output::Json => {
                let content: serde_json::Value =
                    serde_json::from_str(entry.text()).unwrap_or_default();
                print_json(&json!({
                    "verified": true,
                    "index": verified.index.to_string(),
                    "leafHash": entry.leaf_hash().to_string(),
                    "entry": content,
                    "checkpoint": {
                        "origin": checkpoint.origin(),
                        "size": checkpoint.size().to_string(),
                        "rootHash": checkpoint.root().to_string(),
                    },
                }))
            }
            Output::Table => print(&facts([
                ("Proven", format!("entry {} of {}", verified.index, checkpoint.origin())),
                ("Kind", entry.kind_text().to_owned()),
                ("By", entry.actor().to_owned()),
                ("At", entry.at().to_string()),
                ("About", entry.resource().unwrap_or_default().to_owned()),
                ("Request", entry.request_id().to_owned()),
                ("Among", format!("{} entries", checkpoint.size())),
            ])),
        }
    }
}

impl Consistency {
    async fn run(self) -> Outcome {
        let key = verifying_key(&self.key)?;
        let kept = SignedCheckpoint::open(&text_of(&self.file)?, &key).map_err(|reason| {
            Failure::new("CHECKPOINT_INVALID", format!("{}: {reason}", self.file.display()))
                .hint("give a checkpoint as puente ledger checkpoint prints it, and the key of its ledger")
        })?;
        let old_size = i64::try_from(kept.checkpoint().size()).unwrap_or(i64::MAX);
        let request = GetConsistencyProofRequest { old_size, new_size: 0 };
        let client = self.connect.client()?;
        let answer = client
            .call(request, |channel, request| async move {
                LedgerServiceClient::new(channel).get_consistency_proof(request).await
            })
            .await
            .map_err(|failure| told(&kept, failure))?;
        let newest = continued(kept.checkpoint(), &answer, &key).map_err(|reason| {
            Failure::new("LEDGER_INCONSISTENT", format!("{}: {reason}", self.file.display()))
                .hint("keep both checkpoints: together they prove that the ledger was altered")
        })?;
        let (old, new) = (kept.checkpoint(), newest.checkpoint());
        match self.connect.output() {
            Output::Json => print_json(&json!({
                "consistent": true,
                "origin": new.origin(),
                "oldSize": old.size().to_string(),
                "oldRootHash": old.root().to_string(),
                "newSize": new.size().to_string(),
                "newRootHash": new.root().to_string(),
                "note": answer.note,
            })),
            Output::Table => {
                print(&answer.note)?;
                eprintln!(
                    "the ledger of {} entries continues the checkpoint over {}",
                    new.size(),
                    old.size()
                );
                Ok(())
            }
        }
    }
}

/// A ledger that is now shorter than what it signed once is altered, not asked wrongly.
fn told(kept: &SignedCheckpoint, failure: Failure) -> Failure {
    if failure.reason != "INVALID_SIZE" {
        return failure;
    }
    let size = kept.checkpoint().size();
    let message = format!("the ledger has fewer than the {size} entries that it signed");
    Failure::new("LEDGER_INCONSISTENT", message)
        .hint("keep the checkpoint: it proves that entries were removed")
}

/// The newest checkpoint, if it continues `kept` as the answer means to prove.
fn continued(
    kept: &ledger::Checkpoint,
    answer: &GetConsistencyProofResponse,
    key: &VerifyingKey,
) -> Result<SignedCheckpoint, String> {
    let newest = SignedCheckpoint::open(&answer.note, key).map_err(|e| e.to_string())?;
    let hashes: Result<Vec<Hash>, _> =
        answer.hashes.iter().map(|hash| Hash::try_from(hash.as_slice())).collect();
    let hashes = hashes.map_err(|reason| reason.to_string())?;
    let new = newest.checkpoint();
    merkle::verify_consistency(kept.size(), new.size(), kept.root(), new.root(), &hashes)
        .map_err(|reason| reason.to_string())?;
    Ok(newest)
}

fn text_of(file: &Path) -> Outcome<String> {
    let text = if file.as_os_str() == "-" {
        std::io::read_to_string(std::io::stdin())
    } else {
        std::fs::read_to_string(file)
    };
    text.map_err(|reason| Failure::file(file, reason))
}

/// The key that `--key` gives, as text or as the path of its file.
fn verifying_key(given: &str) -> Outcome<VerifyingKey> {
    let path = Path::new(given);
    let text = if path.is_file() {
        std::fs::read_to_string(path).map_err(|reason| Failure::file(path, reason))?
    } else {
        given.to_owned()
    };
    text.trim().parse().map_err(|reason| {
        Failure::new("INVALID_KEY", format!("--key: {reason}"))
            .hint("give the ledger's public key or the path of its file, ledger/vkey.txt")
    })
}

impl Receipt {
    async fn run(self) -> Outcome {
        let client = self.connect.client()?;
        let request = FindReceiptRequest {
            request_id: self.request_id,
            partner: self
                .partner
                .as_ref()
                .map(|id| parse::name("partners", id))
                .unwrap_or_default(),
        };
        let answer = client
            .call(request, |channel, request| async move {
                LedgerServiceClient::new(channel).find_receipt(request).await
            })
            .await?;
        show(self.connect.output(), "puente.ledger.v1.FindReceiptResponse", &answer, receipts)
    }
}

fn entry_table(answer: &GetEntryResponse) -> String {
    let entry = answer.entry.clone().unwrap_or_default();
    facts([
        ("Entry", entry.index.to_string()),
        ("Kind", entry.kind),
        ("By", entry.partner),
        ("At", moment(entry.recorded_at.as_ref())),
        ("Leaf hash", hex::encode(entry.leaf_hash)),
        ("Content", String::from_utf8_lossy(&entry.data).into_owned()),
    ])
}

fn receipts(answer: &FindReceiptResponse) -> String {
    let mut table = table(["Entry", "Kind", "At", "Leaf hash"]);
    for receipt in &answer.receipts {
        table.add_row([
            receipt.index.to_string(),
            receipt.kind.clone(),
            moment(receipt.recorded_at.as_ref()),
            hex::encode(&receipt.leaf_hash),
        ]);
    }
    format!("{table}\n")
}

#[cfg(test)]
#[path = "ledger_tests.rs"]
mod tests;
