//! Verifications: what marketplaces ask the registry about companies, and its answers.
//!
//! Enters: requests and decisions. Leaves: verifications; a verified one follows the exporter's
//! eligibility from then on, which is judged when it is read.

use super::write::{Intent, Plan, Written, already_there, check_etag, put};
use super::{App, Page, Versioned};
use crate::change::{Expect, Kind, Write};
use crate::domain::caller::{Caller, Visibility};
use crate::domain::cuit::Cuit;
use crate::domain::exporter::{EligibilityStatus, Exporter};
use crate::domain::partner::PartnerId;
use crate::domain::text::Note;
use crate::domain::verification::{Decision, Verification, VerificationState};
use crate::error::{Error, Result};
use crate::ledger::{Draft, EntryKind};
use crate::store::PageQuery;

/// The states of a verification that waits for the registry.
const WAITING: [VerificationState; 3] =
    [VerificationState::Requested, VerificationState::Checking, VerificationState::NeedsInfo];
const WAITING_WORDS: [&str; 3] = [WAITING[0].as_str(), WAITING[1].as_str(), WAITING[2].as_str()];
/// The most verifications of one company by one marketplace that are looked at.
const OF_ONE: u32 = 1000;

impl App {
    /// Puts a company into the registry's queue.
    ///
    /// # Errors
    /// `VERIFICATION_OPEN` if the caller has one waiting for the same company.
    pub async fn request_verification(
        &self,
        intent: &Intent,
        cuit: Cuit,
        message: Option<Note>,
    ) -> Result<Written<Versioned<Verification>>> {
        let requester = &intent.request.partner;
        // Version 7: keys in the order of time, so that the registry reads the oldest first.
        let id = self.env.ids.uuid();
        self.write(intent, || async {
            // What is stored is judged under the head; a preview is not handed to the writer.
            if intent.validate_only
                && let Some(open) = self.waiting_verification(requester, cuit).await?
            {
                return Err(already_there(Kind::Verification, &open.id.to_string()));
            }
            let none = Expect::NoneLike {
                kind: Kind::Verification,
                owner: requester.clone(),
                column: "cuit",
                value: cuit.to_string(),
                states: &WAITING_WORDS,
            };
            let verification =
                Verification::request(id, requester.clone(), cuit, message.clone(), self.env.now());
            let (expect, write) = put_verification(&verification, 0)?;
            let draft = about(EntryKind::VerificationRequested, &verification);
            let answer = Versioned { value: verification, version: 1 };
            Ok(Plan { answer, expect: vec![none, expect], writes: vec![write], draft })
        })
        .await
    }

    /// A verification that the caller asked for; others are as if they were not there.
    pub async fn verification(
        &self,
        caller: &Caller,
        key: &str,
    ) -> Result<Versioned<Verification>> {
        let mut held: Versioned<Verification> =
            self.document(Kind::Verification, key).await?.ok_or_else(Error::not_found)?;
        if held.value.requester != *caller.partner() {
            return Err(Error::not_found());
        }
        self.follow(std::slice::from_mut(&mut held)).await?;
        Ok(held)
    }

    /// The registry's queue, the oldest first; without a state, all that wait.
    pub async fn list_verifications(
        &self,
        caller: &Caller,
        state: Option<VerificationState>,
        limit: u32,
        after: String,
    ) -> Result<Page<Versioned<Verification>>> {
        let mut page = self.merged(&caller.visibility(), &kept_as(state), limit, after).await?;
        self.follow(&mut page.items).await?;
        if let Some(state) = state {
            page.items.retain(|held| held.value.state == state);
        }
        Ok(page)
    }

    /// Decides one verification.
    ///
    /// # Errors
    /// `ILLEGAL_TRANSITION` if its state does not allow it; `EXPORTER_NOT_ELIGIBLE` if it shall
    /// be verified and the registry holds no eligibility today; `STALE_ETAG`.
    pub async fn decide_verification(
        &self,
        intent: &Intent,
        key: &str,
        etag: &str,
        decision: Decision,
        note: Option<Note>,
    ) -> Result<Written<Versioned<Verification>>> {
        self.write(intent, || async {
            let held: Versioned<Verification> =
                self.document(Kind::Verification, key).await?.ok_or_else(Error::not_found)?;
            check_etag(etag, held.version)?;
            let mut verification = held.value;
            verification.decide(decision, note.clone(), self.env.now())?;
            let mut expect = Vec::new();
            if decision == Decision::Verify {
                expect.push(self.eligible_today(verification.cuit).await?);
            }
            let (own, write) = put_verification(&verification, held.version)?;
            expect.push(own);
            let draft = about(EntryKind::VerificationDecided, &verification)
                .fact("state", verification.state);
            let answer = Versioned { value: verification, version: held.version + 1 };
            Ok(Plan { answer, expect, writes: vec![write], draft })
        })
        .await
    }

    /// The verification of this company that waits for the registry, if `requester` has one.
    pub async fn waiting_verification(
        &self,
        requester: &PartnerId,
        cuit: Cuit,
    ) -> Result<Option<Verification>> {
        let mut query = PageQuery::all(Kind::Verification, OF_ONE);
        query.owner = Some(requester.to_string());
        query.equal.push(("cuit", cuit.to_string()));
        let page: Page<Versioned<Verification>> = self.documents(query).await?;
        Ok(page.items.into_iter().map(|held| held.value).find(|one| WAITING.contains(&one.state)))
    }

    /// That the exporter is eligible today, and stays as it was read until the decision is made.
    async fn eligible_today(&self, cuit: Cuit) -> Result<Expect> {
        let key = cuit.to_string();
        let held: Option<Versioned<Exporter>> = self.document(Kind::Exporter, &key).await?;
        let today = self.today();
        let eligible = held.filter(|held| {
            held.value.standing(today).is_some_and(|s| s.status == EligibilityStatus::Eligible)
        });
        match eligible {
            Some(held) => Ok(Expect::Version { kind: Kind::Exporter, key, version: held.version }),
            None => Err(Error::precondition(
                "EXPORTER_NOT_ELIGIBLE",
                "the registry holds no eligibility of this company today: record it first, then \
                 verify",
            )),
        }
    }

    /// Documents in any of `states`, merged in the order of their keys.
    async fn merged(
        &self,
        visibility: &Visibility,
        states: &[VerificationState],
        limit: u32,
        after: String,
    ) -> Result<Page<Versioned<Verification>>> {
        let mut items = Vec::new();
        let mut more = false;
        for state in states {
            let mut query = PageQuery::all(Kind::Verification, limit);
            query.owner = visibility.owner().map(ToString::to_string);
            query.state = Some(state.to_string());
            query.after.clone_from(&after);
            let page: Page<Versioned<Verification>> = self.documents(query).await?;
            more |= page.next.is_some();
            items.extend(page.items);
        }
        items.sort_by_key(|held| held.value.id);
        more |= items.len() > limit as usize;
        items.truncate(limit as usize);
        let last = items.last().map(|held| held.value.id.to_string());
        Ok(Page { items, next: last.filter(|_| more) })
    }

    /// Brings verified ones in line with what the exporters are today.
    async fn follow(&self, verifications: &mut [Versioned<Verification>]) -> Result<()> {
        let today = self.today();
        let verified = verifications.iter().map(|held| &held.value);
        let cuits: Vec<Cuit> = verified
            .filter(|one| one.state == VerificationState::Verified)
            .map(|one| one.cuit)
            .collect();
        let exporters = self.exporters_of(&cuits).await?;
        for held in verifications {
            if let Some(Some(exporter)) = exporters.get(&held.value.cuit) {
                held.value.follow(exporter.standing(today).map(|standing| standing.status));
            }
        }
        Ok(())
    }
}

/// In which states documents are kept that are read as `state`.
fn kept_as(state: Option<VerificationState>) -> Vec<VerificationState> {
    use VerificationState::*;
    match state {
        None => WAITING.to_vec(),
        Some(Expired | Suspended | Revoked | Verified) => vec![Verified],
        Some(state @ (Requested | Checking | NeedsInfo | Rejected)) => vec![state],
    }
}

fn put_verification(verification: &Verification, version: u64) -> Result<(Expect, Write)> {
    put(
        Kind::Verification,
        &verification.id.to_string(),
        verification.requester.as_str(),
        verification.state.as_str(),
        vec![verification.cuit.to_string()],
        verification,
        version,
    )
}

fn about(kind: EntryKind, verification: &Verification) -> Draft {
    Draft::new(kind).about(format!("verifications/{}", verification.id))
}
