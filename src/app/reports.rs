//! Sales reports: opened for a period, filled with lines, sealed with control totals.
//!
//! Enters: who reports, on which days, and what the lines should sum up to. Leaves: reports
//! with what they hold.

use std::cmp::Reverse;
use std::sync::Arc;

use jiff::Timestamp;

use super::write::{Intent, Plan, Written, put, too_many};
use super::{App, Page, Versioned, decode};
use crate::change::{Expect, Kind, OrderCounts, Record, Write};
use crate::domain::caller::Visibility;
use crate::domain::fault::Fault;
use crate::domain::partner::PartnerId;
use crate::domain::period::Period;
use crate::domain::report::{ControlTotal, Outcome, Report, ReportState};
use crate::error::{Error, Result};
use crate::ledger::{Draft, EntryKind};
use crate::store::{KindTotal, PageQuery, ReportProgress};

/// Documents read at a time.
pub(super) const PAGE: u32 = 1000;

/// A report and what it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportView {
    /// Its key.
    pub key: String,
    /// The report.
    pub report: Versioned<Report>,
    /// What it holds so far.
    pub progress: ReportProgress,
    /// When it is abandoned unless it changes before; `None` where nothing of the kind is ahead.
    pub expires: Option<Timestamp>,
}

/// Which reports to list.
#[derive(Clone, Debug, Default)]
pub struct ReportQuestion {
    /// Only this marketplace's.
    pub marketplace: Option<PartnerId>,
    /// Only those about exactly these days.
    pub period: Option<Period>,
    /// Only those in this state.
    pub state: Option<ReportState>,
}

impl ReportView {
    /// Changes with the report and with what it holds.
    pub fn etag(&self) -> String {
        let progress = &self.progress;
        let sent = progress.accepted + progress.warned + progress.duplicates + progress.refused;
        match progress.explained {
            0 => format!("\"{}.{sent}\"", self.report.version),
            explained => format!("\"{}.{sent}.{explained}\"", self.report.version),
        }
    }

    /// What the marketplace says of the period as of this report.
    pub fn statement(&self) -> Vec<ControlTotal> {
        // What cannot be read back is told where it is needed: when the report is sealed.
        let own: Vec<_> =
            self.progress.totals.iter().filter_map(|total| control_total(total).ok()).collect();
        self.report.value.statement(&own)
    }
}

impl App {
    /// Opens a report of `marketplace` about `period`.
    ///
    /// # Errors
    /// `REPORT_EXISTS` if there is one that stands, with name and state of the latest;
    /// `PERIOD_CLOSED` if all of its months are closed; `TOO_MANY_OPEN_REPORTS`.
    pub async fn open_report(
        &self,
        intent: &Intent,
        marketplace: &PartnerId,
        period: Period,
    ) -> Result<Written<ReportView>> {
        let opened = self
            .write(intent, || async {
                let held = self.revisions(marketplace, period).await?;
                if let Some(latest) = held.iter().rev().find(|report| report.state.stands()) {
                    return Err(report_exists(latest));
                }
                self.takes_lines(period).await?;
                let room = self.room_for_report(marketplace).await?;
                let report = Report {
                    revision: held.last().map_or(1, |last| last.revision.saturating_add(1)),
                    ..Report::open(marketplace.clone(), period, self.env.now())
                };
                let key = report.key();
                let draft = Draft::new(EntryKind::ReportOpened)
                    .about(name(&key))
                    .fact("first_day", period.first())
                    .fact("last_day", period.last());
                kept(report, 0, vec![room], Vec::new(), draft)
            })
            .await?;
        Ok(opened.map(|report| self.just_opened(report)))
    }

    /// Refuses if the marketplace has as many reports open as it may have; what must hold still
    /// when another is opened.
    pub(super) async fn room_for_report(&self, marketplace: &PartnerId) -> Result<Expect> {
        let (kind, most) = (Kind::Report, self.report_rules.open_at_once);
        let mut query = PageQuery::all(kind, most);
        query.owner = Some(marketplace.to_string());
        query.state = Some(ReportState::Open.to_string());
        if self.store.page(query).await?.len() >= most as usize {
            return Err(too_many(kind, most));
        }
        let (owner, state) = (marketplace.clone(), ReportState::Open.as_str());
        Ok(Expect::Fewer { kind, owner, state, than: most })
    }

    /// A report that holds nothing yet.
    pub(super) fn just_opened(&self, report: Versioned<Report>) -> ReportView {
        let expires = Some(self.report_rules.expires(report.value.opened_at));
        let (key, progress) = (report.value.key(), ReportProgress::default());
        ReportView { key, report, progress, expires }
    }

    /// Every report of a marketplace about a period, the latest last.
    pub(super) async fn revisions(
        &self,
        marketplace: &PartnerId,
        period: Period,
    ) -> Result<Vec<Report>> {
        let mut query = PageQuery::all(Kind::Report, PAGE);
        query.owner = Some(marketplace.to_string());
        query.equal = days(period);
        let records = self.all(query).await?;
        let reports: Result<Vec<_>> =
            records.iter().map(|record| Ok(decode::<Report>(record)?.value)).collect();
        let mut reports = reports?;
        reports.sort_by_key(|report| report.revision);
        Ok(reports)
    }

    /// Seals a report: no line can be added any more.
    ///
    /// The totals it is sealed with are those under the ledger head: a line that slips in after
    /// they were read makes the plan stale. The report that a revision builds on is superseded in
    /// the same change, unless the revision holds no line.
    ///
    /// # Errors
    /// `NOT_FOUND`, `STALE_ETAG`, `REPORT_SEALED`; `CONTROL_TOTALS_MISMATCH`, naming each total
    /// that differs, when `expected` holds any and they are not those of the stored lines.
    pub async fn seal_report(
        &self,
        intent: &Intent,
        visibility: &Visibility,
        key: &str,
        expected: &[ControlTotal],
        etag: &str,
    ) -> Result<Written<ReportView>> {
        let sealed = self
            .write(intent, || async {
                let held = self.report(visibility, key).await?;
                if !etag.is_empty() && etag != held.etag() {
                    return Err(Error::stale_etag());
                }
                let ReportView { report: Versioned { value: report, version }, progress, .. } =
                    held;
                let report = report.seal(&outcome(&progress)?, expected, self.env.now())?;
                let mut draft = Draft::new(EntryKind::ReportSealed)
                    .about(name(key))
                    .fact("state", report.state)
                    .fact("lines", progress.accepted + progress.warned)
                    .fact("warned", progress.warned)
                    .fact("refused", progress.refused);
                let mut expect = vec![unchanged(key, &progress)];
                // Beside the writer, which only writes the numbers: a line that comes meanwhile makes
                // the plan stale.
                let counts = match intent.validate_only {
                    true => OrderCounts::default(),
                    false => self.store.count_orders(key).await?,
                };
                let mut writes = vec![Write::CountOrders(Arc::new(counts))];
                if let Some(former) = self.giving_way(&report).await? {
                    draft = draft.fact("supersedes", name(&former.value.key()));
                    let (held, write) = document(&former.value, former.version)?;
                    expect.push(held);
                    writes.push(write);
                }
                kept(report, version, expect, writes, draft)
            })
            .await?;
        // A sealed report takes no more lines, so this reads the same for ever.
        let mut progress = self.store.report_progress(key).await?;
        if sealed.receipt.is_none() {
            progress.orders = None;
        }
        let key = key.to_owned();
        Ok(sealed.map(|report| ReportView { key, report, progress, expires: None }))
    }

    /// One report, as far as the caller may see it.
    pub async fn report(&self, visibility: &Visibility, key: &str) -> Result<ReportView> {
        let report = self.held_report(visibility, key).await?;
        self.view(key, report).await
    }

    /// The report with what it holds.
    async fn view(&self, key: &str, report: Versioned<Report>) -> Result<ReportView> {
        let progress = self.store.report_progress(key).await?;
        let expires = self.expires(&report.value, &progress).await?;
        Ok(ReportView { key: key.to_owned(), report, progress, expires })
    }

    /// The reports that match, the newest period first; `after` is what the page before ended
    /// with.
    pub async fn reports(
        &self,
        question: &ReportQuestion,
        after: &str,
        limit: u32,
    ) -> Result<Page<ReportView>> {
        // A marketplace has some dozens of reports a year: they are sorted here.
        let mut query = PageQuery::all(Kind::Report, PAGE);
        query.owner = question.marketplace.as_ref().map(ToString::to_string);
        query.state = question.state.map(|state| state.to_string());
        if let Some(period) = question.period {
            query.equal = days(period);
        }
        let mut records = self.all(query).await?;
        records.sort_by_cached_key(|record| Reverse(place(record)));
        let mut rest =
            records.iter().filter(|record| after.is_empty() || place(record).as_str() < after);
        let mut items = Vec::new();
        let mut last = None;
        for record in rest.by_ref().take(limit as usize) {
            items.push(self.view(&record.key, decode(record)?).await?);
            last = Some(place(record));
        }
        Ok(Page { items, next: rest.next().and(last) })
    }

    /// Every document that matches.
    pub(super) async fn all(&self, mut query: PageQuery) -> Result<Vec<Record>> {
        let mut all = Vec::new();
        loop {
            let page = self.store.page(query.clone()).await?;
            let full = page.len() >= query.limit as usize;
            if let Some(last) = page.last() {
                query.after.clone_from(&last.key);
            }
            all.extend(page);
            if !full {
                return Ok(all);
            }
        }
    }

    /// The report of that key; another's is as if it were not there.
    pub(super) async fn held_report(
        &self,
        visibility: &Visibility,
        key: &str,
    ) -> Result<Versioned<Report>> {
        self.document::<Report>(Kind::Report, key)
            .await?
            .filter(|held| visibility.allows(&held.value.marketplace))
            .ok_or_else(Error::not_found)
    }
}

/// Where a report stands in a list, when read backwards: by its first day, then by its key.
fn place(record: &Record) -> String {
    let first = record.columns.first().map_or("", String::as_str);
    format!("{first} {}", record.key)
}

pub(super) fn name(key: &str) -> String {
    format!("{}/{key}", Kind::Report.collection())
}

/// The columns of reports about these days.
fn days(period: Period) -> Vec<(&'static str, String)> {
    vec![("period_start", period.first().to_string()), ("period_end", period.last().to_string())]
}

pub(super) fn report_exists(report: &Report) -> Error {
    Error::already_exists(
        "REPORT_EXISTS",
        "there is a report of this marketplace for the same period: go on with that one",
    )
    .with("name", name(&report.key()))
    .with("state", report.state.as_str())
}

/// The condition that no line came since `progress` was read.
pub(super) fn unchanged(key: &str, progress: &ReportProgress) -> Expect {
    let ReportProgress { accepted, warned, refused, explained, .. } = *progress;
    Expect::Progress { report: key.to_owned(), accepted, warned, refused, explained }
}

/// A report as the store keeps it, and the condition that nobody changed it meanwhile.
pub(super) fn document(report: &Report, version: u64) -> Result<(Expect, Write)> {
    let columns = vec![report.period.first().to_string(), report.period.last().to_string()];
    let (owner, state) = (report.marketplace.as_str(), report.state.as_str());
    put(Kind::Report, &report.key(), owner, state, columns, report, version)
}

/// The plan that writes a report.
pub(super) fn kept(
    report: Report,
    version: u64,
    mut expect: Vec<Expect>,
    mut writes: Vec<Write>,
    draft: Draft,
) -> Result<Plan<Versioned<Report>>> {
    let (held, write) = document(&report, version)?;
    expect.push(held);
    writes.push(write);
    let answer = Versioned { value: report, version: version + 1 };
    Ok(Plan { answer, expect, writes, draft })
}

/// What a report holds, as the domain judges it.
fn outcome(progress: &ReportProgress) -> Result<Outcome> {
    let totals: Result<Vec<_>> = progress.totals.iter().map(control_total).collect();
    Ok(Outcome {
        accepted: progress.accepted,
        warned: progress.warned,
        refused: progress.refused,
        totals: totals?,
    })
}

fn control_total(total: &KindTotal) -> Result<ControlTotal> {
    let unreadable = |fault: Fault| Error::internal(format!("totals of a report: {fault}"));
    Ok(ControlTotal {
        kind: total.kind.parse().map_err(unreadable)?,
        currency: total.currency.parse().map_err(unreadable)?,
        lines: total.lines,
        quantity: total.quantity,
        amount: total.amount,
    })
}

#[cfg(test)]
#[path = "reports_tests.rs"]
mod tests;
