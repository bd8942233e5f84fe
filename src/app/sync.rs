//! Syncing exporters: the registry's file, whole or in part, as one change.
//!
//! Enters: rows that parsed, and the faults of those that did not. Leaves: how many exporters are
//! new, changed, as they were, or suspended. One change and one receipt, so that a cut connection
//! leaves nothing half done.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::access::everything;
use super::cascade::Cascade;
use super::exporters::put_exporter;
use super::write::{Intent, Plan, Written};
use super::{App, Versioned, decode};
use crate::change::{Kind, Record};
use crate::domain::cuit::Cuit;
use crate::domain::exporter::{EligibilityStatus, Exporter, NewFact};
use crate::domain::place::Province;
use crate::domain::size_class::SizeClass;
use crate::domain::text::{Cause, Name};
use crate::error::{Error, Result};
use crate::ledger::{Draft, EntryKind};

/// The most rows of one sync; it is held in memory and written in one transaction.
pub const MAX_ROWS: usize = 100_000;
/// The most rejected rows that an answer lists.
const LISTED: usize = 1000;
/// Exporters read from the store at a time.
const READ: usize = 1000;
/// The cause of a revocation by absence.
const ABSENT: &str = "Ausente del padrón completo enviado por el registro";

/// How the rows relate to what is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SyncMode {
    /// Additions and changes.
    Delta,
    /// Everything: who is absent is suspended from today on, until a file holds it again.
    Snapshot,
}

/// A row of the registry's file.
#[derive(Clone, Debug)]
pub struct SyncRow {
    /// Its number in the sender's file.
    pub row: i64,
    /// The exporter.
    pub cuit: Cuit,
    /// Its legal name.
    pub legal_name: Name,
    /// Its size.
    pub size_class: SizeClass,
    /// Its province.
    pub province: Province,
    /// One interval of its eligibility.
    pub fact: NewFact,
}

/// A row that was left out, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rejected {
    /// Its number in the sender's file.
    pub row: i64,
    /// A fixed word.
    pub reason: String,
    /// The field at fault; empty where it is no single one.
    pub field: String,
    /// One sentence for a person.
    pub message: String,
}

/// A whole sync.
#[derive(Clone, Debug)]
pub struct Sync {
    /// How the rows relate to what is held.
    pub mode: SyncMode,
    /// SHA-256 over mode and rows as sent, in hexadecimal; the ledger commits to it.
    pub digest: String,
    /// The rows that parsed, in the order sent.
    pub rows: Vec<SyncRow>,
    /// The rows that did not.
    pub rejected: Vec<Rejected>,
}

/// What a sync came to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Synced {
    /// [`Sync::digest`].
    pub content: String,
    /// Exporters that were not known before.
    pub created: i64,
    /// Exporters of which something changed.
    pub updated: i64,
    /// Exporters that stood as sent.
    pub unchanged: i64,
    /// Exporters suspended because a snapshot did not hold them.
    pub suspended: i64,
    /// Rows left out.
    pub rejected: i64,
    /// The first of them by row number.
    pub rejected_rows: Vec<Rejected>,
}

impl App {
    /// Takes a whole sync as one change.
    ///
    /// # Errors
    /// `SNAPSHOT_INCOMPLETE` if a row of a snapshot was rejected: a broken file suspends nobody.
    pub async fn sync_exporters(&self, intent: &Intent, sync: &Sync) -> Result<Written<Synced>> {
        let mut by_cuit: BTreeMap<Cuit, Vec<&SyncRow>> = BTreeMap::new();
        for row in &sync.rows {
            by_cuit.entry(row.cuit).or_default().push(row);
        }
        self.write(intent, || async {
            let mut held = self.held(sync.mode, by_cuit.keys()).await?;
            let mut merge = Merge::at(self.env.now(), self.today());
            merge.rejected.clone_from(&sync.rejected);
            for (cuit, rows) in &by_cuit {
                merge.take(held.remove(cuit), rows)?;
            }
            if sync.mode == SyncMode::Snapshot {
                if !merge.rejected.is_empty() {
                    return Err(incomplete(&merge.rejected));
                }
                // What is left of those held is absent from the file.
                for exporter in held.into_values() {
                    merge.suspend_absent(exporter)?;
                }
            }
            self.planned(intent, sync, merge).await
        })
        .await
    }

    async fn planned(&self, intent: &Intent, sync: &Sync, merge: Merge) -> Result<Plan<Synced>> {
        let Merge { at, today, changed, mut answer, mut rejected } = merge;
        let Cascade { mut expect, mut writes, mut suspended, mut reinstated } = Cascade::default();
        let follow = self.has_listings().await?;
        for Changed { exporter, version, known, moved } in changed {
            writes.extend(self.late_facts(intent, &exporter, known)?);
            if follow && moved {
                let cascade = self.cascade(&exporter, today, at).await?;
                expect.extend(cascade.expect);
                writes.extend(cascade.writes);
                suspended += cascade.suspended;
                reinstated += cascade.reinstated;
            }
            let (own, write) = put_exporter(&exporter, today, version)?;
            expect.push(own);
            writes.push(write);
        }
        rejected.sort_by_key(|one| one.row);
        answer.content.clone_from(&sync.digest);
        answer.rejected = i64::try_from(rejected.len()).unwrap_or(i64::MAX);
        rejected.truncate(LISTED);
        answer.rejected_rows = rejected;
        let draft = Draft::new(EntryKind::ExportersSynced)
            .fact("mode", if sync.mode == SyncMode::Snapshot { "SNAPSHOT" } else { "DELTA" })
            .fact("created", answer.created)
            .fact("updated", answer.updated)
            .fact("unchanged", answer.unchanged)
            .fact("suspended", answer.suspended)
            .fact("rejected", answer.rejected)
            .fact("listings_suspended", suspended)
            .fact("listings_reinstated", reinstated);
        Ok(Plan { answer, expect, writes, draft })
    }

    /// What is held: all of it for a snapshot, else of the companies sent.
    async fn held(
        &self,
        mode: SyncMode,
        sent: impl Iterator<Item = &Cuit>,
    ) -> Result<HashMap<Cuit, Versioned<Exporter>>> {
        let records = match mode {
            SyncMode::Snapshot => everything(&*self.store, Kind::Exporter).await?,
            SyncMode::Delta => {
                let keys: Vec<String> = sent.map(ToString::to_string).collect();
                let mut records: Vec<Record> = Vec::with_capacity(keys.len());
                for keys in keys.chunks(READ) {
                    records.extend(self.store.records(Kind::Exporter, keys.to_vec()).await?);
                }
                records
            }
        };
        let exporters = records.iter().map(|record| {
            let held: Versioned<Exporter> = decode(record)?;
            Ok((held.value.cuit, held))
        });
        exporters.collect()
    }
}

/// The merge of what was sent into what is held.
struct Merge {
    at: Timestamp,
    today: Date,
    changed: Vec<Changed>,
    answer: Synced,
    rejected: Vec<Rejected>,
}

/// An exporter to be written.
struct Changed {
    exporter: Exporter,
    /// Its version as held; 0 if it is new.
    version: u64,
    /// How many of its facts were held before.
    known: usize,
    /// Whether its facts changed, so that its listings follow.
    moved: bool,
}

impl Merge {
    fn at(at: Timestamp, today: Date) -> Self {
        let answer = Synced::default();
        Self { at, today, changed: Vec::new(), answer, rejected: Vec::new() }
    }

    /// Merges the rows of one exporter, which are at least one.
    fn take(&mut self, held: Option<Versioned<Exporter>>, rows: &[&SyncRow]) -> Result<()> {
        let rows = self.apart(rows);
        let Some(last) = rows.iter().max_by_key(|row| row.row).copied() else { return Ok(()) };
        let version = held.as_ref().map_or(0, |held| held.version);
        let before = held.map(|held| held.value);
        let mut exporter = before.clone().unwrap_or_else(|| {
            Exporter::register(
                last.cuit,
                last.legal_name.clone(),
                last.size_class,
                last.province,
                self.at,
            )
        });
        exporter.describe(last.legal_name.clone(), last.size_class, last.province, self.at);
        for row in rows {
            if exporter.holds(&row.fact) {
                continue;
            }
            if let Err(fault) = exporter.record(row.fact.clone(), self.at) {
                self.reject(row, fault.reason, "", &fault.message);
            }
        }
        match &before {
            None if exporter.facts.is_empty() => return Ok(()),
            None => self.answer.created += 1,
            Some(before) if *before == exporter => {
                self.answer.unchanged += 1;
                return Ok(());
            }
            Some(_) => self.answer.updated += 1,
        }
        self.write(before.as_ref(), exporter, version);
        Ok(())
    }

    /// The rows in the order of recording, a revocation last as it is final; those that hold on
    /// the same day as one before them are rejected.
    fn apart<'a>(&mut self, rows: &[&'a SyncRow]) -> Vec<&'a SyncRow> {
        let mut apart: Vec<&SyncRow> = Vec::with_capacity(rows.len());
        for &row in rows {
            match apart.iter().find(|other| other.fact.overlaps(&row.fact)) {
                None => apart.push(row),
                Some(other) => {
                    let message = format!(
                        "holds on the same day as row {} of the same CUIT: let one end before \
                         the other begins",
                        other.row
                    );
                    self.reject(row, "OVERLAPPING_ROWS", "fact.valid_from", &message);
                }
            }
        }
        apart.sort_by_key(|row| {
            (row.fact.status == EligibilityStatus::Revoked, row.fact.valid_from)
        });
        apart
    }

    /// Suspends an exporter that a snapshot does not hold. One that is out for that reason, or
    /// revoked, stays as it is; absence is never final, since files can be wrong.
    fn suspend_absent(&mut self, held: Versioned<Exporter>) -> Result<()> {
        let before = held.value;
        let cause: Cause = ABSENT.parse()?;
        let is_out = before.facts.last().is_some_and(|last| last.cause.as_ref() == Some(&cause));
        if is_out || before.is_revoked() {
            return Ok(());
        }
        let fact = NewFact {
            status: EligibilityStatus::Suspended,
            cause: Some(cause),
            legal_instrument: None,
            valid_from: self.today,
            valid_to: None,
            chapters: Default::default(),
        };
        let mut exporter = before.clone();
        exporter.record(fact, self.at)?;
        self.answer.suspended += 1;
        self.write(Some(&before), exporter, held.version);
        Ok(())
    }

    fn write(&mut self, before: Option<&Exporter>, exporter: Exporter, version: u64) {
        let moved = before.is_none_or(|before| before.facts != exporter.facts);
        let known = before.map_or(0, |before| before.facts.len());
        self.changed.push(Changed { exporter, version, known, moved });
    }

    fn reject(&mut self, row: &SyncRow, reason: &str, field: &str, message: &str) {
        self.rejected.push(Rejected {
            row: row.row,
            reason: reason.to_owned(),
            field: field.to_owned(),
            message: message.to_owned(),
        });
    }
}

fn incomplete(rejected: &[Rejected]) -> Error {
    let first = rejected.iter().min_by_key(|one| one.row);
    let error = Error::precondition(
        "SNAPSHOT_INCOMPLETE",
        format!(
            "{} rows of the snapshot are malformed, so nothing was taken, lest a broken file \
             suspends those it lost: mend them, or send a delta",
            rejected.len()
        ),
    );
    match first {
        Some(first) => error
            .with("row", first.row.to_string())
            .with("row_reason", &*first.reason)
            .with("row_field", &*first.field),
        None => error,
    }
}
