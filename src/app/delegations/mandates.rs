//! For whom a caller may declare.
//!
//! Enters: a caller and exporters. Leaves: those of them that it may act for today, with the
//! condition that this is still so when its change is stored. Customs acts for all; a broker for
//! those that delegated to it; nobody else declares.

use std::collections::{BTreeSet, HashMap};

use crate::app::{App, Page, Versioned, decode};
use crate::change::{Expect, Kind};
use crate::domain::caller::Caller;
use crate::domain::cuit::Cuit;
use crate::domain::delegation::Delegation;
use crate::domain::fault::Fault;
use crate::domain::partner::Role;
use crate::error::{Error, Result};
use crate::ledger::Draft;
use crate::store::PageQuery;

/// The most exporters that a broker declares for in one request: so many delegations are named by
/// one entry of the ledger.
pub const MOST: usize = 1000;
/// Up to so many exporters are looked up one by one.
const ONE_BY_ONE: usize = 32;
/// Documents read at a time.
const READ: u32 = 1000;

/// For whom a caller may act.
#[derive(Debug)]
pub enum Mandates {
    /// For everybody, in its own name.
    All,
    /// For these, each by a delegation.
    Of(HashMap<Cuit, Mandate>),
}

/// A delegation that holds today.
#[derive(Clone, Debug)]
pub struct Mandate {
    /// The delegation's key.
    pub key: String,
    version: u64,
}

impl App {
    /// For which of `exporters` the caller may declare today.
    ///
    /// # Errors
    /// `NOT_CUSTOMS` for whoever declares for nobody; `TOO_MANY_EXPORTERS`.
    pub async fn mandates(
        &self,
        caller: &Caller,
        exporters: impl IntoIterator<Item = Cuit>,
    ) -> Result<Mandates> {
        match caller.role() {
            Role::Customs => Ok(Mandates::All),
            Role::Broker => {
                let exporters: BTreeSet<Cuit> = exporters.into_iter().collect();
                let held = if exporters.len() <= ONE_BY_ONE {
                    self.one_by_one(caller, exporters).await?
                } else {
                    self.among_all(caller, &exporters).await?
                };
                // Counted over what the caller holds, so that it tells nothing of others.
                if held.len() > MOST { Err(too_many()) } else { Ok(Mandates::Of(held)) }
            }
            Role::ExportRegistry
            | Role::Agency
            | Role::Marketplace
            | Role::Analyst
            | Role::Auditor
            | Role::Operator => {
                Err(Error::permission("NOT_CUSTOMS", "declarations are registered by customs"))
            }
        }
    }

    async fn one_by_one(
        &self,
        broker: &Caller,
        exporters: BTreeSet<Cuit>,
    ) -> Result<HashMap<Cuit, Mandate>> {
        let mut held = HashMap::new();
        for exporter in exporters {
            held.extend(self.mandate(broker, exporter).await?.map(|one| (exporter, one)));
        }
        Ok(held)
    }

    /// The same from all that was delegated to the broker, which is read once.
    async fn among_all(
        &self,
        broker: &Caller,
        exporters: &BTreeSet<Cuit>,
    ) -> Result<HashMap<Cuit, Mandate>> {
        let (mut held, mut after) = (HashMap::new(), String::new());
        loop {
            let page = self.mandates_after(broker, after).await?;
            let own = page.items.into_iter().filter(|(exporter, _)| exporters.contains(exporter));
            held.extend(own);
            match page.next {
                Some(next) => after = next,
                None => return Ok(held),
            }
        }
    }

    /// For whom a broker acts today, in the order of the delegations' keys, after a key.
    pub(in crate::app) async fn mandates_after(
        &self,
        broker: &Caller,
        after: String,
    ) -> Result<Page<(Cuit, Mandate)>> {
        let mut query = PageQuery::all(Kind::Delegation, READ);
        query.owner = Some(broker.partner().to_string());
        query.after = after;
        let (today, mut items) = (self.today(), Vec::new());
        let records = self.store.page(query).await?;
        let more = records.len() == READ as usize;
        let next = records.last().filter(|_| more).map(|last| last.key.clone());
        for record in records {
            let held: Versioned<Delegation> = decode(&record)?;
            if held.value.is_active(today, None) {
                let mandate = Mandate { key: record.key, version: held.version };
                items.push((held.value.exporter, mandate));
            }
        }
        Ok(Page { items, next })
    }

    /// The delegation by which a broker acts for `exporter` today, if one holds.
    pub async fn mandate(&self, broker: &Caller, exporter: Cuit) -> Result<Option<Mandate>> {
        let held = self.delegation_between(broker.partner(), exporter).await?;
        let today = self.today();
        let held = held.filter(|(_, held)| held.value.is_active(today, None));
        Ok(held.map(|(key, held)| Mandate { key, version: held.version }))
    }
}

impl Mandates {
    /// Whether the caller may act for `exporter`.
    pub fn allow(&self, exporter: Cuit) -> bool {
        match self {
            Self::All => true,
            Self::Of(held) => held.contains_key(&exporter),
        }
    }

    /// Refuses acting for `exporter` without its delegation. The words are the same whether the
    /// exporter is known or not.
    ///
    /// # Errors
    /// `NO_DELEGATION`.
    pub fn require(&self, exporter: Cuit) -> std::result::Result<(), Fault> {
        if self.allow(exporter) {
            return Ok(());
        }
        Err(Fault::not_permitted(
            "NO_DELEGATION",
            "no delegation of this exporter to you holds today: without one you declare nothing \
             for it; customs records delegations",
        ))
    }

    /// That the delegations of these exporters are still as they were read, and the draft that
    /// names them. A delegation that was revoked in between refuses the change, which is then
    /// planned anew.
    pub fn act(
        &self,
        draft: Draft,
        exporters: impl IntoIterator<Item = Cuit>,
    ) -> (Vec<Expect>, Draft) {
        let Self::Of(held) = self else { return (Vec::new(), draft) };
        let exporters: BTreeSet<Cuit> = exporters.into_iter().collect();
        let used: Vec<&Mandate> =
            exporters.iter().filter_map(|exporter| held.get(exporter)).collect();
        let stands = |mandate: &&Mandate| Expect::Version {
            kind: Kind::Delegation,
            key: mandate.key.clone(),
            version: mandate.version,
        };
        let mut names: Vec<String> = used
            .iter()
            .map(|mandate| format!("{}/{}", Kind::Delegation.collection(), mandate.key))
            .collect();
        names.sort_unstable();
        (used.iter().map(stands).collect(), draft.on_behalf_of(&names))
    }
}

fn too_many() -> Error {
    let message = format!("a broker declares for at most {MOST} exporters at once: send several");
    let error = Error::exhausted("TOO_MANY_EXPORTERS", message, std::time::Duration::ZERO);
    Error { retry_after: None, ..error }
}
