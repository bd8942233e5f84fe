//! The auditor takes a checkpoint, the marketplace a proof, and both are checked offline.

use super::super::Run;
use super::super::screen::Table;
use crate::cli::{Failure, Outcome};
use crate::ledger::{SignedCheckpoint, VerifyingKey, proof};
use crate::proto::puente::ledger::v1::ledger_service_client::LedgerServiceClient;
use crate::proto::puente::ledger::v1::{
    FindReceiptRequest, GetCheckpointRequest, GetEntryRequest, GetProofRequest,
};

/// Proves the entry that sealed the first report.
pub(in super::super) async fn prove(run: &mut Run) -> Outcome {
    run.screen.title("The auditor checks a receipt")?;
    let (auditor, marketplace) = (run.client("auditor")?, run.client("marketplace")?);
    let path = run.world.ledger_key();
    let key = std::fs::read_to_string(&path).map_err(|reason| Failure::file(&path, reason))?;
    let key: VerifyingKey =
        key.trim().parse().map_err(|reason| Failure::file(&path, format!("{reason}")))?;
    let receipt = run.reports.first().map(|one| one.sealed.clone()).unwrap_or_default();

    let request = GetProofRequest { index: receipt.index };
    let proven = call!(marketplace, LedgerServiceClient.get_proof, request)?;
    let verified = proof::verify(&proven.tlog_proof, &key);
    run.check("the proof holds", "yes", yes_or_why(&verified));
    let forged = forge(&proven.tlog_proof);
    run.check("a forged proof does not", true, proof::verify(&forged, &key).is_err());

    let answer = call!(auditor, LedgerServiceClient.get_checkpoint, GetCheckpointRequest {})?;
    run.check("the key is the one that auditors have", &key, &answer.verifier_key);
    let checkpoint = SignedCheckpoint::open(&answer.note, &key);
    run.check("the checkpoint's signature holds", "yes", yes_or_why(&checkpoint));
    let size = checkpoint.as_ref().map(|c| c.checkpoint().size()).unwrap_or_default();
    run.check("the checkpoint covers the receipt", true, size > receipt.index as u64);

    let mut table = Table::new("The marketplace's receipt, and what the proof shows", ["", "", ""]);
    if let Ok(verified) = &verified {
        let leaf = hex::encode(verified.entry.leaf_hash().as_bytes());
        let told = hex::encode(&receipt.leaf_hash);
        run.check("the entry's place", receipt.index, verified.index);
        run.check("the entry's hash", &told, &leaf);
        run.check("the entry's kind", &receipt.kind, verified.entry.kind_text());
        let rows = [
            ("entry", receipt.index.to_string(), verified.index.to_string()),
            ("kind", receipt.kind.clone(), verified.entry.kind_text().to_owned()),
            ("leaf hash", told, leaf),
            ("request", receipt.request_id.clone(), verified.entry.request_id().to_owned()),
        ];
        for (name, told, shown) in rows {
            table.row([name.to_owned(), told, shown]);
        }
    }
    run.screen.table(table)?;

    let request = GetEntryRequest { index: receipt.index };
    let entry = call!(auditor, LedgerServiceClient.get_entry, request)?.entry.unwrap_or_default();
    run.check("the auditor reads the same entry", true, entry.leaf_hash == receipt.leaf_hash);
    let request = FindReceiptRequest {
        request_id: receipt.request_id.clone(),
        partner: "partners/marketplace".into(),
    };
    let found = call!(auditor, LedgerServiceClient.find_receipt, request)?.receipts;
    run.check("and finds the receipt by the request", true, found.contains(&receipt));
    run.screen.say(&format!(
        "The checkpoint of {} signs {size} entries. The proof was checked without the gateway, \
         with the ledger's public key alone; with one character changed it fails.",
        answer.origin
    ))
}

fn yes_or_why<T>(result: &Result<T, impl std::fmt::Display>) -> String {
    result.as_ref().map_or_else(ToString::to_string, |_| "yes".to_owned())
}

/// The proof with another character in its entry.
fn forge(proof: &str) -> String {
    let Some(at) = proof.find("extra ").map(|at| at + 40) else { return String::new() };
    let other = if proof.as_bytes().get(at) == Some(&b'A') { "B" } else { "A" };
    let mut forged = proof.to_owned();
    forged.replace_range(at..=at, other);
    forged
}
