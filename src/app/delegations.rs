//! Delegations: recorded and taken back by customs, read by those they concern.
//!
//! Enters: facts that customs states. Leaves: delegations. What a broker may do by them is judged
//! in [`mandates`], which every use case of declarations asks.

pub mod mandates;

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::write::{Intent, Plan, Written, check_etag, put};
use super::{App, Page, Versioned, decode};
use crate::change::{Expect, Kind, Write};
use crate::domain::caller::Caller;
use crate::domain::cuit::Cuit;
use crate::domain::delegation::{Delegation, DelegationState, Effect, NewFact};
use crate::domain::partner::{PartnerId, Role};
use crate::domain::text::Cause;
use crate::error::{Error, Result};
use crate::ledger::{Draft, EntryKind};
use crate::store::PageQuery;

/// Documents read at a time where a list is filtered by days.
const SCAN: u32 = 1000;
/// Documents looked at for one page of such a list; then the page ends, full or not.
const SCANNED_AT_MOST: u32 = 20_000;
/// Every state: of one pair there is one document, whatever it says.
const ANY_STATE: [&str; 4] = [
    DelegationState::Active.as_str(),
    DelegationState::Pending.as_str(),
    DelegationState::Expired.as_str(),
    DelegationState::Revoked.as_str(),
];

/// A delegation with its name and how it stands today.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shown {
    /// Its key, which says nothing of the exporter.
    pub key: String,
    /// The delegation.
    pub held: Versioned<Delegation>,
    /// How it stands today.
    pub state: DelegationState,
}

/// Which delegations to list: all that is given must hold.
#[derive(Clone, Debug, Default)]
pub struct DelegationsQuery {
    /// To this broker.
    pub broker: Option<PartnerId>,
    /// Of this exporter.
    pub exporter: Option<Cuit>,
    /// Under which the broker may act on this day.
    pub active_on: Option<Date>,
    /// As known at this moment; `None` is now.
    pub as_known_at: Option<Timestamp>,
    /// The `next` of the page before; empty for the first page.
    pub after: String,
    /// At most so many.
    pub limit: u32,
}

impl App {
    /// Records that `exporter` delegated to `broker`; no receipt if it stands so already.
    ///
    /// # Errors
    /// `NOT_CUSTOMS`, `UNKNOWN_BROKER`, `STALE_ETAG`, and those of [`Delegation::record`].
    pub async fn record_delegation(
        &self,
        caller: &Caller,
        intent: &Intent,
        (broker, exporter): (&PartnerId, Cuit),
        etag: &str,
        fact: &NewFact,
    ) -> Result<Written<Shown>> {
        customs_only(caller)?;
        if self.directory.partner(broker).is_none_or(|partner| partner.role != Role::Broker) {
            return Err(Error::precondition(
                "UNKNOWN_BROKER",
                "no partner of role BROKER has that name; the operator registers brokers",
            ));
        }
        let fresh = self.env.ids.uuid().to_string();
        self.write(intent, || async {
            let at = self.env.now();
            let held = self.delegation_between(broker, exporter).await?;
            let mut expect = Vec::new();
            let (key, held) = held.unwrap_or_else(|| {
                expect.push(Expect::NoneLike {
                    kind: Kind::Delegation,
                    owner: broker.clone(),
                    column: "exporter_cuit",
                    value: exporter.to_string(),
                    states: &ANY_STATE,
                });
                let value = Delegation::between(broker.clone(), exporter, at);
                (fresh.clone(), Versioned { value, version: 0 })
            });
            check_etag(etag, held.version)?;
            self.recorded(caller, key, held, fact, expect)
        })
        .await
    }

    /// Records that a delegation was taken back, from today on or since a day that is past.
    ///
    /// # Errors
    /// `NOT_CUSTOMS`, `NOT_FOUND`, `STALE_ETAG`, `INVALID_FIELD` on `revoked_from` for a day ahead,
    /// and those of [`Delegation::record`].
    pub async fn revoke_delegation(
        &self,
        caller: &Caller,
        intent: &Intent,
        key: &str,
        etag: &str,
        from: Option<Date>,
        source: &Cause,
    ) -> Result<Written<Shown>> {
        customs_only(caller)?;
        self.write(intent, || async {
            let held: Versioned<Delegation> =
                self.document(Kind::Delegation, key).await?.ok_or_else(Error::not_found)?;
            check_etag(etag, held.version)?;
            let today = self.today();
            let valid_from = from.unwrap_or(today);
            if valid_from > today {
                return Err(Error::invalid(
                    "INVALID_FIELD",
                    "revoked_from",
                    "lies ahead: record the delegation anew with its last day instead",
                ));
            }
            let source = source.clone();
            let fact = NewFact { effect: Effect::Revoked, valid_from, valid_to: None, source };
            self.recorded(caller, key.to_owned(), held, &fact, Vec::new())
        })
        .await
    }

    /// One delegation, if the caller may see it.
    ///
    /// # Errors
    /// `NOT_FOUND`.
    pub async fn delegation(&self, caller: &Caller, key: &str) -> Result<Shown> {
        let held: Option<Versioned<Delegation>> = self.document(Kind::Delegation, key).await?;
        let held = held.filter(|held| caller.visibility().allows(&held.value.broker));
        Ok(self.shown(key.to_owned(), held.ok_or_else(Error::not_found)?))
    }

    /// Delegations in the order of their keys. A page may hold fewer than asked although more
    /// follow.
    pub async fn list_delegations(
        &self,
        caller: &Caller,
        query: &DelegationsQuery,
    ) -> Result<Page<Shown>> {
        let visibility = caller.visibility();
        let asked = query.broker.as_ref();
        let mut items = Vec::new();
        if asked.is_some_and(|asked| !visibility.allows(asked)) {
            return Ok(Page { items, next: None });
        }
        // Days are judged here; without them a page of the store is a page of the answer.
        let limit = if query.active_on.is_some() { SCAN } else { query.limit + 1 };
        let mut page = PageQuery::all(Kind::Delegation, limit);
        page.owner = asked.or(visibility.owner()).map(ToString::to_string);
        page.equal.extend(query.exporter.map(|cuit| ("exporter_cuit", cuit.to_string())));
        page.after.clone_from(&query.after);
        let mut scanned = 0;
        loop {
            let records = self.store.page(page.clone()).await?;
            let more = records.len() == page.limit as usize;
            scanned += page.limit;
            for record in records {
                if items.len() == query.limit as usize {
                    return Ok(Page { items, next: Some(page.after) });
                }
                page.after.clone_from(&record.key);
                let held: Versioned<Delegation> = decode(&record)?;
                let active = |day| held.value.is_active(day, query.as_known_at);
                if query.active_on.is_none_or(active) {
                    items.push(self.shown(record.key, held));
                }
            }
            if !more || scanned >= SCANNED_AT_MOST {
                return Ok(Page { items, next: more.then_some(page.after) });
            }
        }
    }

    /// What `exporter` delegated to `broker`, with its key.
    pub(super) async fn delegation_between(
        &self,
        broker: &PartnerId,
        exporter: Cuit,
    ) -> Result<Option<(String, Versioned<Delegation>)>> {
        let mut page = PageQuery::all(Kind::Delegation, 1);
        page.owner = Some(broker.to_string());
        page.equal.push(("exporter_cuit", exporter.to_string()));
        let found = self.store.page(page).await?;
        found
            .into_iter()
            .next()
            .map(|record| Ok((record.key.clone(), decode(&record)?)))
            .transpose()
    }

    /// The plan that adds `fact`, or none if it stands already.
    fn recorded(
        &self,
        caller: &Caller,
        key: String,
        held: Versioned<Delegation>,
        fact: &NewFact,
        mut expect: Vec<Expect>,
    ) -> Result<Plan<Shown>> {
        let Versioned { value: mut delegation, version } = held;
        let kind = match fact.effect {
            Effect::Granted => EntryKind::DelegationRecorded,
            Effect::Revoked => EntryKind::DelegationRevoked,
        };
        let draft = Draft::new(kind)
            .about(format!("{}/{key}", Kind::Delegation.collection()))
            .fact("broker", &delegation.broker)
            .fact("valid_from", fact.valid_from);
        let draft = match fact.valid_to {
            Some(last) => draft.fact("valid_to", last),
            None => draft,
        };
        if !delegation.record(fact.clone(), caller.partner(), self.env.now())? {
            let answer = self.shown(key, Versioned { value: delegation, version });
            return Ok(Plan { answer, expect: vec![], writes: vec![], draft });
        }
        let (own, write) = self.put_delegation(&key, &delegation, version)?;
        expect.push(own);
        let answer = self.shown(key, Versioned { value: delegation, version: version + 1 });
        Ok(Plan { answer, expect, writes: vec![write], draft })
    }

    fn put_delegation(
        &self,
        key: &str,
        delegation: &Delegation,
        version: u64,
    ) -> Result<(Expect, Write)> {
        let state = delegation.state(self.today());
        let columns = vec![delegation.exporter.to_string()];
        let owner = delegation.broker.as_str();
        put(Kind::Delegation, key, owner, state.as_str(), columns, delegation, version)
    }

    fn shown(&self, key: String, held: Versioned<Delegation>) -> Shown {
        let state = held.value.state(self.today());
        Shown { key, held, state }
    }
}

/// Customs keeps the mandates of declarants; who holds one does not write it himself.
fn customs_only(caller: &Caller) -> Result<()> {
    match caller.role() {
        Role::Customs => Ok(()),
        Role::Broker
        | Role::ExportRegistry
        | Role::Agency
        | Role::Marketplace
        | Role::Analyst
        | Role::Auditor
        | Role::Operator => {
            Err(Error::permission("NOT_CUSTOMS", "delegations are recorded by customs"))
        }
    }
}

#[cfg(test)]
#[path = "delegations/tests.rs"]
mod tests;
