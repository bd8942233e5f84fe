//! Exporters: what the registry holds of them, and recording one fact at a time.
//!
//! Enters: facts of eligibility. Leaves: exporters with what they are today; their listings
//! follow in the same change.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::write::{Intent, Plan, Written, check_etag, put};
use super::{App, Page, Versioned};
use crate::change::{Expect, Kind, Write, due};
use crate::domain::exporter::{EligibilityStatus, Exporter, NewFact};
use crate::domain::place::Province;
use crate::domain::size_class::SizeClass;
use crate::error::{Error, Result};
use crate::ledger::{Draft, EntryKind};
use crate::store::PageQuery;

/// Documents read at a time where a list is filtered by what is true today.
const SCAN: u32 = 1000;
/// Documents looked at for one page of such a list; then the page ends, full or not.
const SCANNED_AT_MOST: u32 = 20_000;

/// Which exporters to list.
#[derive(Clone, Copy, Debug, Default)]
pub struct ExporterFilter {
    /// Only those of this province.
    pub province: Option<Province>,
    /// Only those of this size.
    pub size_class: Option<SizeClass>,
    /// Only those that are this today.
    pub status: Option<EligibilityStatus>,
}

/// An exporter with what it is today.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listed {
    /// The exporter.
    pub exporter: Versioned<Exporter>,
    /// What it is today; `None` when no fact holds today.
    pub status: Option<EligibilityStatus>,
    /// Since which day it has been so without a gap.
    pub since: Option<Date>,
}

/// What recording a fact came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recorded {
    /// The exporter as it is then.
    pub listed: Listed,
    /// Listings that were suspended or brought back with it.
    pub affected_listings: u32,
}

impl App {
    /// The exporter of these eleven digits.
    pub async fn exporter(&self, cuit: &str) -> Result<Listed> {
        let exporter = self.document(Kind::Exporter, cuit).await?.ok_or_else(Error::not_found)?;
        Ok(listed(exporter, self.today()))
    }

    /// Exporters in the order of their CUITs. A page may hold fewer than asked although more
    /// follow.
    pub async fn list_exporters(
        &self,
        filter: ExporterFilter,
        limit: u32,
        after: String,
    ) -> Result<Page<Listed>> {
        let today = self.today();
        let mut query = PageQuery { after, ..PageQuery::all(Kind::Exporter, limit) };
        query.equal.extend(filter.province.map(|province| ("province", province.to_string())));
        query.equal.extend(filter.size_class.map(|size| ("size_class", size.to_string())));
        // The state of the document is the status of the day it was written; the status of today
        // may have moved on with the calendar, so it is judged here.
        query.limit = if filter.status.is_some() { SCAN } else { limit };
        let mut items = Vec::new();
        let mut scanned = 0;
        loop {
            let page: Page<Versioned<Exporter>> = self.documents(query.clone()).await?;
            scanned += query.limit;
            for exporter in page.items {
                if items.len() == limit as usize {
                    return Ok(Page { items, next: Some(query.after) });
                }
                query.after = exporter.value.cuit.to_string();
                let one = listed(exporter, today);
                if filter.status.is_none_or(|status| one.status == Some(status)) {
                    items.push(one);
                }
            }
            if page.next.is_none() || scanned >= SCANNED_AT_MOST || filter.status.is_none() {
                return Ok(Page { items, next: page.next });
            }
        }
    }

    /// Records one fact about one exporter, and suspends or brings back its listings.
    ///
    /// # Errors
    /// `ELIGIBILITY_REVOKED` if it was revoked, which is final; `STALE_ETAG`.
    pub async fn record_eligibility(
        &self,
        intent: &Intent,
        cuit: &str,
        etag: &str,
        fact: NewFact,
    ) -> Result<Written<Recorded>> {
        self.write(intent, || async {
            let held: Versioned<Exporter> =
                self.document(Kind::Exporter, cuit).await?.ok_or_else(Error::not_found)?;
            check_etag(etag, held.version)?;
            let (at, today) = (self.env.now(), self.today());
            let mut exporter = held.value;
            let known = exporter.facts.len();
            exporter.record(fact.clone(), at)?;
            let cascade = self.cascade(&exporter, today, at).await?;
            let (own, write) = put_exporter(&exporter, today, held.version)?;
            let draft = Draft::new(EntryKind::EligibilityRecorded)
                .about_person(format!("exporters/{cuit}"))
                .fact("status", fact.status)
                .fact("listings_suspended", cascade.suspended)
                .fact("listings_reinstated", cascade.reinstated);
            let affected_listings = cascade.suspended + cascade.reinstated;
            let exporter = Versioned { value: exporter, version: held.version + 1 };
            let (mut expect, mut writes) = (cascade.expect, cascade.writes);
            expect.push(own);
            writes.push(write);
            writes.extend(self.late_facts(intent, &exporter.value, known)?);
            let answer = Recorded { listed: listed(exporter, today), affected_listings };
            Ok(Plan { answer, expect, writes, draft })
        })
        .await
    }

    /// The day it is in Argentina.
    pub fn today(&self) -> Date {
        crate::domain::exporter::argentine_day(self.env.now())
    }
}

/// The exporter with what it is on `today`.
pub fn listed(exporter: Versioned<Exporter>, today: Date) -> Listed {
    let standing = exporter.value.standing(today);
    Listed {
        status: standing.map(|standing| standing.status),
        since: standing.map(|standing| standing.since),
        exporter,
    }
}

/// The document of an exporter whose former version is `version`.
pub fn put_exporter(exporter: &Exporter, today: Date, version: u64) -> Result<(Expect, Write)> {
    let state = exporter.standing(today).map_or("NONE", |standing| standing.status.as_str());
    let due = due(exporter.next_turn(today));
    let columns = vec![exporter.province.to_string(), exporter.size_class.to_string(), due];
    put(Kind::Exporter, &exporter.cuit.to_string(), "", state, columns, exporter, version)
}
