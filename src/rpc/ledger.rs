//! `puente.ledger.v1.LedgerService`: checkpoint, entries, proofs, receipts.
//!
//! Enters: requests that the gate let in. Leaves: what others can check without
//! us. Which entries a caller may see is decided in `app::ledger`.

use tonic::{Request, Response, Status};

use super::wire;
use crate::app::ledger::LedgerDesk;
use crate::domain::partner::PartnerId;
use crate::error::{Error, Result};
use crate::proto::puente::ledger::v1 as pb;

/// Answers questions to the ledger.
pub struct Ledger {
    desk: LedgerDesk,
}

impl Ledger {
    /// Answers from `desk`.
    pub fn new(desk: LedgerDesk) -> Self {
        Self { desk }
    }
}

#[tonic::async_trait]
impl pb::ledger_service_server::LedgerService for Ledger {
    async fn get_checkpoint(
        &self,
        request: Request<pb::GetCheckpointRequest>,
    ) -> Result<Response<pb::GetCheckpointResponse>, Status> {
        wire::caller(&request)?;
        let signed = self.desk.checkpoint().await?;
        let checkpoint = signed.checkpoint();
        Ok(Response::new(pb::GetCheckpointResponse {
            note: signed.to_string(),
            size: signed_index(checkpoint.size())?,
            root_hash: checkpoint.root().as_bytes().to_vec(),
            origin: checkpoint.origin().to_owned(),
            verifier_key: self.desk.checkpoints().verifying_key().to_string(),
        }))
    }

    async fn get_entry(
        &self,
        request: Request<pb::GetEntryRequest>,
    ) -> Result<Response<pb::GetEntryResponse>, Status> {
        let caller = wire::caller(&request)?;
        let index = index(request.into_inner().index)?;
        let entry = self.desk.entry(&caller, index).await?;
        let entry = pb::Entry {
            index: signed_index(index)?,
            kind: entry.kind_text().to_owned(),
            partner: format!("partners/{}", entry.actor()),
            recorded_at: Some(wire::timestamp(entry.at())),
            data: entry.text().as_bytes().to_vec(),
            leaf_hash: entry.leaf_hash().as_bytes().to_vec(),
        };
        Ok(Response::new(pb::GetEntryResponse { entry: Some(entry) }))
    }

    async fn get_proof(
        &self,
        request: Request<pb::GetProofRequest>,
    ) -> Result<Response<pb::GetProofResponse>, Status> {
        let caller = wire::caller(&request)?;
        let index = index(request.into_inner().index)?;
        let proven = self.desk.proof(&caller, index).await?;
        Ok(Response::new(pb::GetProofResponse {
            tlog_proof: proven.proof.to_string(),
            leaf_hash: proven.leaf_hash.as_bytes().to_vec(),
        }))
    }

    async fn get_consistency_proof(
        &self,
        request: Request<pb::GetConsistencyProofRequest>,
    ) -> Result<Response<pb::GetConsistencyProofResponse>, Status> {
        wire::caller(&request)?;
        let request = request.into_inner();
        let old = size("old_size", request.old_size)?;
        let new = Some(size("new_size", request.new_size)?).filter(|new| *new > 0);
        let continued = self.desk.consistency(old, new).await?;
        Ok(Response::new(pb::GetConsistencyProofResponse {
            old_size: signed_index(continued.old.size())?,
            old_root_hash: continued.old.root().as_bytes().to_vec(),
            new_size: signed_index(continued.new.size())?,
            new_root_hash: continued.new.root().as_bytes().to_vec(),
            hashes: continued.hashes.iter().map(|hash| hash.as_bytes().to_vec()).collect(),
            note: continued.checkpoint.to_string(),
        }))
    }

    async fn find_receipt(
        &self,
        request: Request<pb::FindReceiptRequest>,
    ) -> Result<Response<pb::FindReceiptResponse>, Status> {
        let caller = wire::caller(&request)?;
        let request = request.into_inner();
        let id = wire::request_id(&request.request_id)?;
        let partner = partner_of(&request.partner)?;
        let receipt = self.desk.find_receipt(&caller, partner.as_ref(), &id).await?;
        Ok(Response::new(pb::FindReceiptResponse { receipts: vec![wire::receipt(receipt)] }))
    }
}

/// Whose request it was; empty for the caller's own.
fn partner_of(name: &str) -> Result<Option<PartnerId>> {
    if name.is_empty() { Ok(None) } else { wire::partner_name("partner", name).map(Some) }
}

/// An index as the caller sends it.
fn index(sent: i64) -> Result<u64> {
    u64::try_from(sent).map_err(|_negative| {
        wire::invalid("index", "an index is 0 or more: take it from a receipt")
    })
}

/// A size as the caller sends it.
fn size(field: &'static str, sent: i64) -> Result<u64> {
    u64::try_from(sent)
        .map_err(|_negative| wire::invalid(field, "a size is 0 or more: take it from a checkpoint"))
}

/// An index or size as the contract carries it.
fn signed_index(held: u64) -> Result<i64> {
    i64::try_from(held).map_err(|_beyond| Error::internal("ledger beyond 2^63 entries"))
}
