//! Reports that were left open for too long.
//!
//! Enters: how long a report may stay open without a change. Leaves: reports that are ABANDONED,
//! each recorded once. What is open is looked at again and again; the clock decides.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;
use uuid::Uuid;

use super::reports::{document, name, unchanged};
use super::write::{Intent, Plan};
use super::{App, Versioned};
use crate::change::Kind;
use crate::domain::month::Month;
use crate::domain::partner::Partner;
use crate::domain::report::{Report, ReportState};
use crate::domain::request_id::RequestId;
use crate::error::{Error, Result};
use crate::ledger::{Draft, Entry, EntryKind};
use crate::store::{PageQuery, ReportProgress, RollupQuery};

/// How often open reports are looked at.
const EVERY: Duration = Duration::from_secs(3600);

impl App {
    /// Abandons what was left open for as long as [`App::report_rules`] says, now and every hour,
    /// for ever. Run it beside the server.
    pub async fn keep_reports(self) {
        let open_days = self.report_rules.open_days;
        loop {
            match self.abandon_reports().await {
                Ok(0) => {}
                Ok(count) => tracing::info!(count, "reports abandoned after {open_days} days"),
                Err(reason) => tracing::error!(?reason, "open reports could not be looked at"),
            }
            tokio::time::sleep(EVERY).await;
        }
    }

    /// Abandons every open report that did not change for as long as [`App::report_rules`] says.
    /// Answers how many.
    pub async fn abandon_reports(&self) -> Result<usize> {
        let mut query = PageQuery::all(Kind::Report, super::reports::PAGE);
        query.state = Some(ReportState::Open.to_string());
        let mut abandoned = 0;
        for record in self.all(query).await? {
            if self.abandon_report(&record.key).await? {
                abandoned += 1;
            }
        }
        Ok(abandoned)
    }

    /// Abandons the report of that key if it is time. Answers whether.
    async fn abandon_report(&self, key: &str) -> Result<bool> {
        let intent = Intent::internal(Partner::GATEWAY.parse()?, abandoning(key)?);
        let written = self
            .write(&intent, || async {
                let held = self.document::<Report>(Kind::Report, key).await?;
                let Some(Versioned { value: report, version }) = held else {
                    return Ok(left());
                };
                let progress = self.store.report_progress(key).await?;
                let changed = self.last_change(&report, &progress).await?;
                let expires = self.report_rules.expires(changed);
                if report.state != ReportState::Open || self.env.now() < expires {
                    return Ok(left());
                }
                let Some(still_open) = self.still_open(self.months_of(key).await?).await? else {
                    return Ok(left());
                };
                let report = report.abandon()?;
                let draft = Draft::new(EntryKind::ReportAbandoned)
                    .about(name(key))
                    .fact("lines", progress.accepted + progress.warned)
                    .fact("last_change", changed);
                let (held, write) = document(&report, version)?;
                let mut expect = vec![held, unchanged(key, &progress)];
                expect.extend(still_open);
                Ok(Plan { answer: true, expect, writes: vec![write], draft })
            })
            .await?;
        Ok(written.value && !written.replayed)
    }

    /// Whether a report that is ABANDONED now was so when the ledger had `entries` entries.
    pub(super) async fn was_abandoned(&self, key: &str, entries: u64) -> Result<bool> {
        let made = self.store.request(&Partner::GATEWAY.parse()?, &abandoning(key)?).await?;
        Ok(made.is_none_or(|made| made.receipt.index < entries))
    }

    /// The months that lines of a report count in. What a closed month sums up to stays as it is,
    /// so a report that counts in one is not abandoned.
    async fn months_of(&self, key: &str) -> Result<BTreeSet<Month>> {
        let query = RollupQuery { report: Some(key.to_owned()), ..RollupQuery::default() };
        let cells = self.store.rollups(query).await?;
        Ok(cells.iter().map(|cell| Month::of(cell.day)).collect())
    }

    /// When a report is abandoned unless it changes before; `None` if it is not open, or holds
    /// lines in a closed month.
    pub(super) async fn expires(
        &self,
        report: &Report,
        progress: &ReportProgress,
    ) -> Result<Option<Timestamp>> {
        if report.state != ReportState::Open || progress.in_closed_month {
            return Ok(None);
        }
        let changed = self.last_change(report, progress).await?;
        Ok(Some(self.report_rules.expires(changed)))
    }

    /// When a report was opened or took its last batch.
    async fn last_change(&self, report: &Report, progress: &ReportProgress) -> Result<Timestamp> {
        let Some(index) = progress.last_entry else { return Ok(report.opened_at) };
        let stored = self.store.entry(index).await?;
        let stored = stored.ok_or_else(|| Error::internal("a batch without its entry"))?;
        let entry = Entry::parse(&stored.entry)
            .map_err(|reason| Error::internal(format!("entry {index}: {reason}")))?;
        Ok(entry.at())
    }
}

/// A report is abandoned once, so its own key names the request, whoever sees it first.
fn abandoning(key: &str) -> Result<RequestId> {
    let id = Uuid::parse_str(key).ok().and_then(RequestId::new);
    id.ok_or_else(|| Error::internal("the key of a report is no UUID"))
}

/// Nothing is to be done.
fn left() -> Plan<bool> {
    Plan {
        answer: false,
        expect: Vec::new(),
        writes: Vec::new(),
        draft: Draft::new(EntryKind::ReportAbandoned),
    }
}

#[cfg(test)]
#[path = "abandon_tests.rs"]
mod tests;
