//! Who is who: partners in memory, for the gate and the token endpoint.
//!
//! Enters: certificate attributes and token ids. Leaves: partners and whether a
//! token is revoked. Refreshed after every commit that touches a partner or a
//! revocation, so that a suspension holds at once on this replica.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use arc_swap::ArcSwap;
use jiff::Timestamp;
use tokio::sync::{Mutex, watch};

use super::write::{Intent, Plan, put};
use super::{App, decode};
use crate::change::{Actor, Kind, RequestKey};
use crate::domain::identity::CertificateIdentity;
use crate::domain::partner::{Partner, PartnerId};
use crate::domain::request_id::RequestId;
use crate::error::{Error, Result};
use crate::ledger::{Draft, EntryKind};
use crate::store::{PageQuery, Store};

/// Documents read at a time.
const PAGE: u32 = 1000;

/// All partners and revoked tokens, as of the last refresh.
pub struct Directory {
    now: ArcSwap<Snapshot>,
    changed: watch::Sender<u64>,
    /// One load at a time, so that what was read earlier never replaces what was read later.
    loading: Mutex<()>,
}

#[derive(Default)]
struct Snapshot {
    /// Higher than that of every snapshot before it.
    version: u64,
    by_id: HashMap<String, Arc<Partner>>,
    /// `None` where two partners claim one attribute, which then names nobody.
    by_identity: HashMap<CertificateIdentity, Option<Arc<Partner>>>,
    revoked: HashSet<String>,
}

/// Whom the attributes of a certificate name.
#[derive(Clone, Debug)]
pub enum Identified {
    /// Exactly one partner.
    Partner(Arc<Partner>),
    /// Nobody.
    Unknown,
    /// More than one registered attribute; which is meant is not ours to guess.
    Ambiguous,
}

impl Default for Directory {
    fn default() -> Self {
        Self { now: ArcSwap::default(), changed: watch::channel(0).0, loading: Mutex::default() }
    }
}

impl Directory {
    /// A directory of these partners only, for tests of the gate and the token endpoint.
    pub fn from_partners(partners: Vec<Partner>) -> Self {
        let directory = Self::default();
        directory.put(Snapshot::of(partners, HashSet::new()));
        directory
    }

    /// Puts these partners in the place of all, as a commit that touches them does.
    #[cfg(test)]
    pub fn replace(&self, partners: Vec<Partner>) {
        self.put(Snapshot::of(partners, HashSet::new()));
    }

    fn put(&self, mut snapshot: Snapshot) {
        self.changed.send_modify(|version| {
            snapshot.version = *version + 1;
            self.now.store(Arc::new(snapshot));
            *version += 1;
        });
    }

    /// The version of what is known now: whatever was asked of the same version holds still.
    pub fn version(&self) -> u64 {
        self.now.load().version
    }

    /// The partner that exactly one of the offered attributes names.
    pub fn by_identity(&self, offered: &[CertificateIdentity]) -> Identified {
        self.by_identity_as_of(offered).1
    }

    /// The same, with the [`version`](Self::version) that it is true of.
    pub fn by_identity_as_of(&self, offered: &[CertificateIdentity]) -> (u64, Identified) {
        let snapshot = self.now.load();
        let mut found = offered.iter().filter_map(|one| snapshot.by_identity.get(one));
        let identified = match (found.next(), found.next()) {
            (None, _) => Identified::Unknown,
            (Some(Some(partner)), None) => Identified::Partner(partner.clone()),
            (Some(_), _) => Identified::Ambiguous,
        };
        (snapshot.version, identified)
    }

    /// The partner of that id.
    pub fn partner(&self, id: &PartnerId) -> Option<Arc<Partner>> {
        self.now.load().by_id.get(id.as_str()).cloned()
    }

    /// Every partner, in no particular order.
    pub fn partners(&self) -> Vec<Arc<Partner>> {
        self.now.load().by_id.values().cloned().collect()
    }

    /// Whether the token of that `jti` was revoked.
    pub fn is_revoked(&self, jti: &str) -> bool {
        self.now.load().revoked.contains(jti)
    }

    /// Moves whenever a partner or a revocation changes; open streams check again on it.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// Reads partners and revocations from the store; revocations of tokens that have expired by
    /// `now` are left out.
    pub async fn load(&self, store: &dyn Store, now: Timestamp) -> Result<()> {
        let _one_at_a_time = self.loading.lock().await;
        let mut partners = Vec::new();
        for record in everything(store, Kind::Partner).await? {
            partners.push(decode::<Partner>(&record)?.value);
        }
        let mut revoked = HashSet::new();
        for record in everything(store, Kind::Revocation).await? {
            let revocation: Revocation = decode(&record)?.value;
            if revocation.expires_at > now {
                revoked.insert(record.key);
            }
        }
        self.put(Snapshot::of(partners, revoked));
        Ok(())
    }
}

impl Snapshot {
    fn of(partners: Vec<Partner>, revoked: HashSet<String>) -> Self {
        let mut snapshot = Self { revoked, ..Self::default() };
        for partner in partners.into_iter().map(Arc::new) {
            for identity in &partner.identities {
                snapshot
                    .by_identity
                    .entry(identity.clone())
                    .and_modify(|claimed| *claimed = None)
                    .or_insert_with(|| Some(partner.clone()));
            }
            snapshot.by_id.insert(partner.id.to_string(), partner);
        }
        snapshot
    }
}

/// Reads all documents of a small kind.
pub async fn everything(store: &dyn Store, kind: Kind) -> Result<Vec<crate::change::Record>> {
    let mut query = PageQuery::all(kind, PAGE);
    let mut all = Vec::new();
    loop {
        let page = store.page(query.clone()).await?;
        let full = page.len() == PAGE as usize;
        if let Some(last) = page.last() {
            query.after.clone_from(&last.key);
        }
        all.extend(page);
        if !full {
            return Ok(all);
        }
    }
}

/// A token that is no longer good, until it would have expired anyway.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
struct Revocation {
    expires_at: Timestamp,
}

/// Revokes tokens.
#[derive(Clone)]
pub struct Tokens {
    app: App,
}

impl Tokens {
    /// Revokes through `app`'s write path.
    pub fn new(app: App) -> Self {
        Self { app }
    }

    /// Revokes the token `jti` of `owner`, who asked for it with a certificate of this
    /// thumbprint; durable and in force here when it returns. Doing it again changes nothing.
    pub async fn revoke(
        &self,
        owner: &PartnerId,
        certificate: &str,
        jti: RequestId,
        expires_at: Timestamp,
    ) -> Result<()> {
        let key = jti.to_string();
        // A request id of its own: the owner, or a thief of its identity, knows the jti and could
        // use it up for something else beforehand.
        let request_id = RequestId::new(self.app.env.ids.uuid())
            .ok_or_else(|| Error::internal("a fresh UUID is never nil"))?;
        let intent = Intent {
            request: RequestKey { partner: owner.clone(), request_id, digest: [0; 32] },
            actor: Actor { certificate: Some(certificate.to_owned()), trace_id: None },
            validate_only: false,
        };
        let revocation = Revocation { expires_at };
        self.app
            .write(&intent, || async {
                let answer = revocation.clone();
                let draft = Draft::new(EntryKind::TokenRevoked).about(format!("tokens/{key}"));
                if self.app.store.record(Kind::Revocation, &key).await?.is_some() {
                    return Ok(Plan { answer, expect: vec![], writes: vec![], draft });
                }
                let (expect, write) =
                    put(Kind::Revocation, &key, owner.as_str(), "REVOKED", vec![], &revocation, 0)?;
                Ok(Plan { answer, expect: vec![expect], writes: vec![write], draft })
            })
            .await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::test_stage::Stage;

    #[tokio::test]
    async fn a_token_whose_jti_was_used_as_a_request_id_can_be_revoked_and_again() {
        let stage = Stage::set().await;
        let owner: PartnerId = "marketplace".parse().unwrap();
        let intent = stage.intent("marketplace");
        let jti = intent.request.request_id;
        let period = "2026-05-01..2026-05-31".parse().unwrap();
        let mut used = intent.clone();
        used.request.digest = [1; 32];
        stage.app.open_report(&used, &owner, period).await.unwrap();

        let tokens = Tokens::new(stage.app.clone());
        let expires_at = "2026-06-01T12:10:00Z".parse().unwrap();
        for _ in 0..2 {
            tokens.revoke(&owner, "thumbprint", jti, expires_at).await.unwrap();
            assert!(stage.app.directory.is_revoked(&jti.to_string()));
        }
        // One entry for the report, one for the revocation.
        assert_eq!(stage.app.store.tree().await.unwrap().size(), 2);
    }
}
