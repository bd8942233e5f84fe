//! Closed months: the ministry says when what a month sums up to is final.
//!
//! Enters: months and who closes them. Leaves: closed months. Lines dated in one are refused by
//! the store, under the ledger head.

use super::write::{Intent, Plan, Written, put};
use super::{App, Page, Versioned};
use crate::change::{Expect, Kind};
use crate::domain::exporter::argentine_day;
use crate::domain::month::{ClosedMonth, Month, closed};
use crate::domain::partner::PartnerId;
use crate::domain::period::Period;
use crate::error::{Error, Result};
use crate::ledger::{Draft, EntryKind};
use crate::store::PageQuery;

impl App {
    /// Closes every month from `first` to `last` that is not closed, and answers all of them.
    ///
    /// # Errors
    /// `PERIOD_NOT_OVER`; `PERIOD_CLOSED` (already exists) if nothing is left to close.
    pub async fn close_months(
        &self,
        intent: &Intent,
        by: &PartnerId,
        first: Month,
        last: Month,
    ) -> Result<Written<Vec<ClosedMonth>>> {
        self.write(intent, || async {
            let (now, mut months) = (self.env.now(), Vec::new());
            let (mut expect, mut writes) = (Vec::new(), Vec::new());
            for month in first.through(last) {
                if let Some(held) = self.closed_month(month).await? {
                    months.push(held);
                    continue;
                }
                let closed = ClosedMonth::close(month, by.clone(), argentine_day(now), now)?;
                let key = month.to_string();
                let (held, write) =
                    put(Kind::ClosedMonth, &key, by.as_str(), "CLOSED", vec![], &closed, 0)?;
                expect.push(held);
                writes.push(write);
                months.push(closed);
            }
            if writes.is_empty() {
                let message = "every month asked for is closed already";
                return Err(Error::already_exists("PERIOD_CLOSED", message));
            }
            let draft = Draft::new(EntryKind::PeriodClosed)
                .about(format!("{}/{last}", Kind::ClosedMonth.collection()))
                .fact("first_month", first)
                .fact("last_month", last)
                .fact("closed_now", writes.len());
            Ok(Plan { answer: months, expect, writes, draft })
        })
        .await
    }

    /// Closed months, the earliest first.
    pub async fn closed_months(
        &self,
        after: &str,
        limit: u32,
    ) -> Result<Page<Versioned<ClosedMonth>>> {
        let after = after.to_owned();
        self.documents(PageQuery { after, ..PageQuery::all(Kind::ClosedMonth, limit) }).await
    }

    /// Refuses to open a report of a period none of whose months takes lines.
    ///
    /// # Errors
    /// `PERIOD_CLOSED`.
    pub(super) async fn takes_lines(&self, period: Period) -> Result<()> {
        for month in period.months() {
            if self.closed_month(month).await?.is_none() {
                return Ok(());
            }
        }
        Err(closed(Month::of(period.last())).into())
    }

    /// That none of the months is closed, nor gets closed meanwhile; `None` if one is.
    pub(super) async fn still_open(
        &self,
        months: impl IntoIterator<Item = Month>,
    ) -> Result<Option<Vec<Expect>>> {
        let mut expect = Vec::new();
        for month in months {
            if self.closed_month(month).await?.is_some() {
                return Ok(None);
            }
            let (kind, key) = (Kind::ClosedMonth, month.to_string());
            expect.push(Expect::Version { kind, key, version: 0 });
        }
        Ok(Some(expect))
    }

    async fn closed_month(&self, month: Month) -> Result<Option<ClosedMonth>> {
        let held = self.document::<ClosedMonth>(Kind::ClosedMonth, &month.to_string()).await?;
        Ok(held.map(|held| held.value))
    }
}

#[cfg(test)]
#[path = "periods_tests.rs"]
mod tests;
