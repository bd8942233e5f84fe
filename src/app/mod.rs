//! Use cases: each turns a request into a `Change`, or answers a question.
//!
//! Enters: domain values, a `Caller`. Leaves: domain values and receipts. It
//! knows the store, not the transport; no generated code, no gRPC.

pub mod abandon;
pub mod access;
pub mod analytics;
pub mod builtin;
pub mod cascade;
pub mod catalog;
pub mod certificates;
pub mod checkpoints;
pub mod clearance;
pub mod deadlines;
pub mod declarations;
pub mod delegations;
pub mod explanations;
pub mod export;
pub mod exporters;
pub mod known;
pub mod late_facts;
pub mod ledger;
pub mod lines;
pub mod listings;
pub mod partners;
pub mod periods;
pub mod reconciliation;
pub mod reference;
pub mod reports;
pub mod revisions;
pub mod sellers;
pub mod settlements;
pub mod small_groups;
pub mod sync;
pub mod verifications;
pub mod write;

#[cfg(test)]
mod exporters_tests;
#[cfg(test)]
pub mod test_stage;

use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::change::{Kind, Record};
use crate::clock::Env;
use crate::domain::report::ReportRules;
use crate::error::{Error, Result};
use crate::store::writer::{Writer, WriterLimits};
use crate::store::{PageQuery, Store};

/// What every use case works with; clones share it.
#[derive(Clone)]
pub struct App {
    /// The store, for questions.
    pub store: Arc<dyn Store>,
    /// The one write path.
    pub writer: Writer,
    /// Time and identifiers.
    pub env: Env,
    /// All partners, in memory.
    pub directory: Arc<access::Directory>,
    /// Reference tables, in memory.
    pub reference: Arc<reference::Reference>,
    /// Listings that sale lines asked about lately, in memory.
    pub catalog: Arc<catalog::Catalog>,
    /// Exporters that were asked about lately, in memory.
    pub known_exporters: Arc<known::KnownExporters>,
    /// Wakes who looks for what is due.
    pub deadlines: Arc<deadlines::Deadlines>,
    /// How long reports stay open, and how many.
    pub report_rules: ReportRules,
    /// Of how many sellers a group must be for an analyst to learn about it; below 2, of any.
    pub least_sellers: u32,
}

impl App {
    /// Starts the write path over `store` and reads what is kept in memory.
    pub async fn start(store: Arc<dyn Store>, env: Env, limits: WriterLimits) -> Result<Self> {
        let writer = Writer::start(store.clone(), env.clone(), limits)?;
        let app = Self {
            store,
            writer,
            env,
            directory: Arc::new(access::Directory::default()),
            reference: Arc::new(reference::Reference::default()),
            catalog: Arc::new(catalog::Catalog::default()),
            known_exporters: Arc::new(known::KnownExporters::default()),
            deadlines: Arc::new(deadlines::Deadlines::default()),
            report_rules: ReportRules::default(),
            least_sellers: 0,
        };
        app.refresh(Kind::Partner).await?;
        app.refresh(Kind::ReferenceTable).await?;
        Ok(app)
    }

    /// Brings what is kept in memory of `kind` up to date with the store.
    pub async fn refresh(&self, kind: Kind) -> Result<()> {
        match kind {
            Kind::Partner | Kind::Revocation => {
                self.directory.load(&*self.store, self.env.now()).await
            }
            Kind::ReferenceTable => self.reference.load(&*self.store).await,
            Kind::Exporter
            | Kind::Verification
            | Kind::Listing
            | Kind::Declaration
            | Kind::DeclarationItem
            | Kind::Delegation
            | Kind::LateFact
            | Kind::Marks
            | Kind::Finding
            | Kind::RegimeYear
            | Kind::Settlement
            | Kind::Report
            | Kind::ClosedMonth => Ok(()),
        }
    }

    /// Reads partners and revocations again within a second of any change, for ever: should the
    /// refresh after a commit fail, a suspension still holds. Run it beside the server.
    pub async fn keep_fresh(self) {
        let mut size = self.writer.ledger_size();
        let mut read = [0; 2];
        while size.changed().await.is_ok() {
            tokio::time::sleep(std::time::Duration::from_millis(500)).await;
            let written = [Kind::Partner, Kind::Revocation].map(|kind| self.writer.touched(kind));
            if written == read {
                continue;
            }
            read = written;
            while let Err(reason) = self.refresh(Kind::Partner).await {
                tracing::error!(?reason, "partners could not be read again");
                tokio::time::sleep(std::time::Duration::from_millis(500)).await;
            }
        }
    }

    /// The document and its version, as the domain's value.
    pub async fn document<T: DeserializeOwned>(
        &self,
        kind: Kind,
        key: &str,
    ) -> Result<Option<Versioned<T>>> {
        self.store.record(kind, key).await?.map(|record| decode(&record)).transpose()
    }

    /// A page of documents, and the key after which the next page begins.
    pub async fn documents<T: DeserializeOwned>(
        &self,
        mut query: PageQuery,
    ) -> Result<Page<Versioned<T>>> {
        let asked = query.limit;
        query.limit = asked.saturating_add(1);
        let mut records = self.store.page(query).await?;
        let more = records.len() > asked as usize;
        records.truncate(asked as usize);
        let next = more.then(|| records.last().map(|last| last.key.clone())).flatten();
        let items: Result<Vec<_>> = records.iter().map(decode).collect();
        Ok(Page { items: items?, next })
    }
}

/// A value and how often it has been written; 0 if never.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, serde::Deserialize)]
pub struct Versioned<T> {
    /// The value.
    pub value: T,
    /// Its version, whose text is the etag of the API.
    pub version: u64,
}

/// Part of a list.
#[derive(Clone, Debug)]
pub struct Page<T> {
    /// The items, in the order of their keys.
    pub items: Vec<T>,
    /// The key after which the next page begins; `None` at the end.
    pub next: Option<String>,
}

/// Reads a document's body.
pub fn decode<T: DeserializeOwned>(record: &Record) -> Result<Versioned<T>> {
    let value = serde_json::from_slice(&record.body).map_err(|reason| {
        Error::internal(format!("{} in {}: {reason}", record.kind.table(), record.version))
    })?;
    Ok(Versioned { value, version: record.version })
}

/// Writes a value as JSON, for bodies, answers and commitments.
pub fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>> {
    serde_json::to_vec(value).map_err(|reason| Error::internal(format!("encode: {reason}")))
}
