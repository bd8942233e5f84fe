//! The common course of every write: plan, submit or replay, try again if stale.
//!
//! Enters: an [`Intent`] and a way to plan. Leaves: the answer with its receipt.

use std::future::Future;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{App, encode};
use crate::change::{Actor, Change, Committed, Expect, Kind, Record, Refusal, RequestKey, Write};
use crate::domain::caller::Caller;
use crate::domain::partner::PartnerId;
use crate::domain::request_id::RequestId;
use crate::error::{Error, Result};
use crate::ledger::{Draft, Receipt};

/// How often a write is planned anew when what it read changed before it was applied.
const ATTEMPTS: usize = 8;

/// Who wants something written, under which request key.
#[derive(Clone, Debug)]
pub struct Intent {
    /// The request key.
    pub request: RequestKey,
    /// Who acts, for the ledger.
    pub actor: Actor,
    /// Whether to judge only and store nothing.
    pub validate_only: bool,
}

impl Intent {
    /// The intent of a call that the gate admitted.
    ///
    /// `digest` is the SHA-256 over method and body, without the request id.
    pub fn of(
        caller: &Caller,
        request_id: RequestId,
        digest: [u8; 32],
        validate_only: bool,
    ) -> Self {
        Self {
            request: RequestKey { partner: caller.partner().clone(), request_id, digest },
            actor: Actor {
                certificate: Some(caller.certificate_thumbprint().to_owned()),
                trace_id: Some(caller.trace_id().to_owned()),
            },
            validate_only,
        }
    }

    /// The intent of the gateway's own steps, recorded as `partner`'s.
    pub fn internal(partner: PartnerId, request_id: RequestId) -> Self {
        Self {
            request: RequestKey { partner, request_id, digest: [0; 32] },
            actor: Actor { certificate: None, trace_id: None },
            validate_only: false,
        }
    }
}

/// What a use case wants to do, after it looked at what is.
pub struct Plan<T> {
    /// The answer if it is done.
    pub answer: T,
    /// What must still hold when it is done.
    pub expect: Vec<Expect>,
    /// What to write.
    pub writes: Vec<Write>,
    /// What the ledger says; it commits to the answer's JSON.
    pub draft: Draft,
}

/// An answer with its receipt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written<T> {
    /// The answer.
    pub value: T,
    /// Its place in the ledger; `None` if nothing was stored (`validate_only`).
    pub receipt: Option<Receipt>,
    /// Whether the same request had been answered before.
    pub replayed: bool,
}

impl<T> Written<T> {
    /// The same, said of another value.
    pub fn map<U>(self, convert: impl FnOnce(T) -> U) -> Written<U> {
        let Self { value, receipt, replayed } = self;
        Written { value: convert(value), receipt, replayed }
    }
}

impl App {
    /// Plans and submits, or answers from an earlier request with the same key.
    ///
    /// `plan` changes nothing; it is also called for a request that turns out to be a repeated
    /// one, and again if what it read changed before its change was applied. A plan that
    /// neither writes nor expects anything is answered without a receipt.
    ///
    /// # Errors
    /// Those of `plan`; `REQUEST_ID_REUSED`; `CONTENDED` if others kept changing the same thing.
    pub async fn write<T, F, P>(&self, intent: &Intent, mut plan: P) -> Result<Written<T>>
    where
        T: Serialize + DeserializeOwned,
        P: FnMut() -> F,
        F: Future<Output = Result<Plan<T>>>,
    {
        for _ in 0..ATTEMPTS {
            let planned = plan().await;
            let nothing = |plan: &Plan<T>| plan.writes.is_empty() && plan.expect.is_empty();
            let submits =
                planned.as_ref().is_ok_and(|plan| !(intent.validate_only || nothing(plan)));
            // The store answers a repeated request from its keys when it is submitted. Only what
            // is not submitted must be looked up here: what the request itself changed, sent
            // twice at once or again, is no reason to refuse it.
            if !submits && let Some(earlier) = self.replay(intent).await? {
                return answered(earlier);
            }
            let Plan { answer, expect, writes, draft } = planned?;
            if !submits {
                return Ok(Written { value: answer, receipt: None, replayed: false });
            }
            let encoded = encode(&answer)?;
            let draft = draft.over(encoded.clone());
            let touched: Vec<Kind> = writes
                .iter()
                .filter_map(|write| match write {
                    Write::Put(record) => Some(record.kind),
                    Write::Lines(_)
                    | Write::CountOrders { .. }
                    | Write::Explain { .. }
                    | Write::Rematch(..) => None,
                })
                .collect();
            let change = Change {
                request: intent.request.clone(),
                actor: intent.actor.clone(),
                expect,
                writes,
                draft,
                answer: encoded,
            };
            match self.writer.submit(change).await? {
                Ok(committed) => {
                    for kind in [Kind::Partner, Kind::Revocation, Kind::ReferenceTable] {
                        if touched.contains(&kind) {
                            self.refresh(kind).await?;
                        }
                    }
                    // What was planned is the answer, unless another came before.
                    return match committed.replayed {
                        true => answered(committed),
                        false => Ok(Written {
                            value: answer,
                            receipt: Some(committed.receipt),
                            replayed: false,
                        }),
                    };
                }
                Err(Refusal::Stale { .. }) => {}
                Err(refusal) => return Err(refused(refusal)),
            }
        }
        Err(Error::contended())
    }

    /// The answer to an earlier request with the same key.
    async fn replay(&self, intent: &Intent) -> Result<Option<Committed>> {
        let key = &intent.request;
        match self.store.request(&key.partner, &key.request_id).await? {
            None => Ok(None),
            Some(earlier) if earlier.digest != key.digest => Err(Error::request_id_reused()),
            Some(earlier) => Ok(Some(Committed {
                receipt: earlier.receipt,
                answer: earlier.answer,
                replayed: true,
            })),
        }
    }
}

/// What the caller of a committed change is told.
pub(super) fn answered<T: DeserializeOwned>(committed: Committed) -> Result<Written<T>> {
    let value = serde_json::from_slice(&committed.answer)
        .map_err(|reason| Error::internal(format!("stored answer: {reason}")))?;
    Ok(Written { value, receipt: Some(committed.receipt), replayed: committed.replayed })
}

/// What the caller of a refused change is told.
pub(super) fn refused(refusal: Refusal) -> Error {
    match refusal {
        Refusal::Stale { .. } => Error::contended(),
        Refusal::WrongState { kind, key, state } => wrong_state(kind, &key, &state),
        Refusal::TooMany { kind, most } => too_many(kind, most),
        Refusal::Held { kind, key } => already_there(kind, &key),
        Refusal::RequestIdReused => Error::request_id_reused(),
        Refusal::Unrecordable(reason) => Error::internal(format!("entry: {reason}")),
    }
}

/// There is a document already that there may be only one of.
pub(super) fn already_there(kind: Kind, key: &str) -> Error {
    let (reason, message) = match kind {
        Kind::Verification => (
            "VERIFICATION_OPEN",
            "a verification of this company is waiting already: read that one",
        ),
        Kind::Delegation => (
            "DELEGATION_EXISTS",
            "a delegation of this exporter to this broker was recorded at the same moment: send \
             the request again to add to it",
        ),
        Kind::Partner
        | Kind::Exporter
        | Kind::Listing
        | Kind::Report
        | Kind::ClosedMonth
        | Kind::Declaration
        | Kind::DeclarationItem
        | Kind::LateFact
        | Kind::Marks
        | Kind::Finding
        | Kind::RegimeYear
        | Kind::Settlement
        | Kind::ReferenceTable
        | Kind::Revocation => ("ALREADY_EXISTS", "there is one already: read that one"),
    };
    Error::already_exists(reason, message).with("name", format!("{}/{key}", kind.collection()))
}

/// As many documents of a kind as their owner may have; waiting alone does not help.
pub(super) fn too_many(kind: Kind, most: u32) -> Error {
    let (reason, what) = match kind {
        Kind::Report => ("TOO_MANY_OPEN_REPORTS", "reports of this marketplace are open: seal one"),
        Kind::Partner
        | Kind::Exporter
        | Kind::Verification
        | Kind::Listing
        | Kind::ClosedMonth
        | Kind::Declaration
        | Kind::DeclarationItem
        | Kind::LateFact
        | Kind::Marks
        | Kind::Delegation
        | Kind::Finding
        | Kind::RegimeYear
        | Kind::Settlement
        | Kind::ReferenceTable
        | Kind::Revocation => ("TOO_MANY", "of these are there: close one"),
    };
    let message = format!("as many as {most} {what} before another is opened");
    let error = Error::exhausted(reason, message, Duration::ZERO);
    Error { retry_after: None, ..error }.with("limit", most.to_string())
}

fn wrong_state(kind: Kind, key: &str, state: &str) -> Error {
    let reason = match kind {
        Kind::Report if state == "ABANDONED" => "REPORT_ABANDONED",
        Kind::Report => "REPORT_SEALED",
        Kind::Partner
        | Kind::Exporter
        | Kind::Verification
        | Kind::Listing
        | Kind::Declaration
        | Kind::DeclarationItem
        | Kind::LateFact
        | Kind::Marks
        | Kind::Delegation
        | Kind::Finding
        | Kind::RegimeYear
        | Kind::Settlement
        | Kind::ClosedMonth
        | Kind::ReferenceTable
        | Kind::Revocation => "WRONG_STATE",
    };
    if state.is_empty() {
        return Error::not_found();
    }
    Error::precondition(reason, format!("the resource is {state}, which does not allow this"))
        .with("state", state)
        .with("resource", format!("{}/{key}", kind.collection()))
}

/// A document as the store keeps it, and the condition that nobody changed it meanwhile.
pub fn put<T: Serialize>(
    kind: Kind,
    key: &str,
    owner: &str,
    state: &str,
    columns: Vec<String>,
    value: &T,
    version: u64,
) -> Result<(Expect, Write)> {
    let record = Record {
        kind,
        key: key.to_owned(),
        owner: owner.to_owned(),
        state: state.to_owned(),
        columns,
        version,
        body: encode(value)?,
    };
    debug_assert_eq!(record.columns.len(), kind.columns().len());
    let expect = Expect::Version { kind, key: key.to_owned(), version };
    Ok((expect, Write::Put(record)))
}

/// Refuses an etag that is not the one of `version`; an empty etag is always fine.
pub fn check_etag(etag: &str, version: u64) -> Result<()> {
    if etag.is_empty() || etag.trim_matches('"') == version.to_string() {
        Ok(())
    } else {
        Err(Error::stale_etag())
    }
}

#[cfg(test)]
#[path = "write_tests.rs"]
mod tests;
