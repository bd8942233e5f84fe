//! Revisions of sealed reports.
//!
//! Enters: which report is to be corrected, and why. Leaves: a report that takes the corrections;
//! once sealed it takes the place of the one it builds on.

use super::reports::{ReportView, kept, name, report_exists};
use super::write::{Intent, Written};
use super::{App, Versioned};
use crate::change::{Expect, Kind};
use crate::domain::caller::Visibility;
use crate::domain::report::{Report, ReportState};
use crate::error::{Error, Result};
use crate::ledger::{Draft, EntryKind};

impl App {
    /// Opens a revision of the sealed report of that key.
    ///
    /// # Errors
    /// `NOT_FOUND`, `STALE_ETAG`; `REPORT_EXISTS` if a revision is open; `TOO_MANY_OPEN_REPORTS`;
    /// those of [`Report::revise`], `REPORT_SUPERSEDED` with the name of the revision to go on with.
    pub async fn revise_report(
        &self,
        intent: &Intent,
        visibility: &Visibility,
        key: &str,
        reason: &str,
        etag: &str,
    ) -> Result<Written<ReportView>> {
        let opened = self
            .write(intent, || async {
                let held = self.report(visibility, key).await?;
                if !etag.is_empty() && etag != held.etag() {
                    return Err(Error::stale_etag());
                }
                let Versioned { value: former, version } = held.report;
                let all = self.revisions(&former.marketplace, former.period).await?;
                let number = all.last().map_or(1, |last| last.revision).saturating_add(1);
                let revision = former
                    .revise(number, reason.to_owned(), self.env.now())
                    .map_err(|fault| pointing(fault.into(), &former))?;
                if let Some(open) = all.iter().find(|one| one.state == ReportState::Open) {
                    return Err(report_exists(open));
                }
                let room = self.room_for_report(&former.marketplace).await?;
                let draft = Draft::new(EntryKind::ReportRevised)
                    .about(name(&revision.key()))
                    .fact("supersedes", name(key))
                    .fact("revision", number);
                let same = Expect::Version { kind: Kind::Report, key: key.to_owned(), version };
                kept(revision, 0, vec![same, room], Vec::new(), draft)
            })
            .await?;
        Ok(opened.map(|report| self.just_opened(report)))
    }

    /// The report whose place `sealed` takes, as it is from then on.
    pub(super) async fn giving_way(&self, sealed: &Report) -> Result<Option<Versioned<Report>>> {
        let Some(key) = sealed.supersedes.as_ref().filter(|_| sealed.state.stands()) else {
            return Ok(None);
        };
        let held = self
            .document::<Report>(Kind::Report, key)
            .await?
            .ok_or_else(|| Error::internal("a revision of a report that is not there"))?;
        let value = held.value.give_way(&sealed.key())?;
        Ok(Some(Versioned { value, version: held.version }))
    }
}

/// Names the revision that took the report's place, where one did.
fn pointing(error: Error, report: &Report) -> Error {
    match &report.superseded_by {
        Some(key) => error.with("name", name(key)),
        None => error,
    }
}

#[cfg(test)]
#[path = "revisions_tests.rs"]
mod tests;
