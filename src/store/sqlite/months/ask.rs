//! Questions answered by sums by month, with the days beside whole months by daily cells.
//!
//! Enters: queries. Leaves: cells and rankings, the same as daily cells alone would give. A question
//! waits a moment for what was committed before it.

use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::time::Duration;

use jiff::civil::Date;
use rusqlite::Connection;

use super::Months;
use crate::domain::analytics::{Dimension, RollupCell};
use crate::domain::coarse::Merging;
use crate::domain::fault::Fault;
use crate::domain::ranking::{self, ListingSums, TopListings};
use crate::store::cube::{Cube, Reach, reach};
use crate::store::sqlite::rollups::unfit;
use crate::store::sqlite::{group, questions};
use crate::store::{Ranking, RollupQuery};

/// How long a question waits for what was committed before it.
const PATIENCE: Duration = Duration::from_millis(50);

impl Months {
    /// Cells by sums by month, with the days beside whole months by daily cells; `None` where the
    /// daily cells must answer alone.
    pub fn rollups(
        &self,
        connection: &Connection,
        query: &RollupQuery,
    ) -> rusqlite::Result<Option<Vec<RollupCell>>> {
        let Some(by) = &query.by else { return Ok(None) };
        let Some(reach) = answerable(query, by) else { return Ok(None) };
        self.with_cube(connection, &reach, |cube, days| {
            let mut merging = Merging::by(by);
            let most = query.at_most.unwrap_or(usize::MAX);
            for cell in cube.cells(query, &reach, by).map_err(unfit)? {
                if merging.len() <= most {
                    merging.add(cell).map_err(unfit)?;
                }
            }
            for query in beside(query, days) {
                questions::merge(connection, &query, &mut merging)?;
            }
            Ok(merging.cells())
        })
    }

    /// The listings that sold best, by sums by month as far as they go.
    pub fn top(
        &self,
        connection: &Connection,
        mut query: RollupQuery,
        ranking: &Ranking,
    ) -> rusqlite::Result<Result<Option<TopListings>, Fault>> {
        let by = [Dimension::Listing, Dimension::NcmChapter];
        query.by = Some(by.to_vec());
        let most = query.at_most.unwrap_or(usize::MAX);
        let rank = |sums: Vec<ListingSums<'_>>, beside: &[RollupCell]| {
            let sums = sums.into_iter().chain(beside.iter().map(ListingSums::from));
            ranking::top(sums, ranking.measure, ranking.limit, &ranking.rates)
        };
        if let Some(reach) = answerable(&query, &by) {
            let ranked = self.with_cube(connection, &reach, |cube, days| {
                if days.is_empty()
                    && let Some(best) = cube.best(&query, &reach, ranking)
                {
                    return Ok((best.listings <= most).then(|| rank(best.sums, &[])));
                }
                let mut merging = Merging::by(&by);
                for query in beside(&query, days) {
                    questions::merge(connection, &query, &mut merging)?;
                }
                let (cells, held) =
                    (merging.cells(), cube.listings(&query, &reach).map_err(unfit)?);
                Ok((cells.len() + held.len() <= most).then(|| rank(held, &cells)))
            })?;
            if let Some(ranked) = ranked {
                return Ok(ranked.transpose());
            }
        }
        let cells = questions::rollups(connection, &query)?;
        Ok((cells.len() <= most).then(|| rank(Vec::new(), &cells)).transpose())
    }

    /// Asks the sums in memory, if they hold all that was durable when asked; `ask` is told of days
    /// that they do not hold, and then they are exactly what the connection's snapshot is.
    fn with_cube<T>(
        &self,
        connection: &Connection,
        reach: &Reach,
        ask: impl FnOnce(&Cube, &[(Date, Date)]) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<Option<T>> {
        self.hold_days(reach)?;
        let settled = |cube: &Cube| cube.holds(reach).then(|| cube.settled(reach));
        let alone = self.held().cube.as_ref().and_then(settled);
        let (wanted, snapshot) = match alone {
            Some(settled) => (self.durable.load(Ordering::SeqCst).max(settled), u64::MAX),
            None => {
                let snapshot = group::tree(connection)?.size();
                (self.announced.load(Ordering::SeqCst), snapshot)
            }
        };
        let upto = || self.upto.load(Ordering::SeqCst);
        if upto() < wanted {
            let inbox = self.inbox.lock().unwrap_or_else(PoisonError::into_inner);
            let waited = self.changed.wait_timeout_while(inbox, PATIENCE, |_| upto() < wanted);
            drop(waited.unwrap_or_else(PoisonError::into_inner));
        }
        let held = self.held();
        let Some(cube) = &held.cube else { return Ok(None) };
        // Days may have come or gone meanwhile.
        if upto() < wanted || upto() > snapshot || settled(cube) != alone {
            return Ok(None);
        }
        ask(cube, if alone.is_some() { &[] } else { &reach.days }).map(Some)
    }
}

/// How far sums by month can answer, if at all.
fn answerable(query: &RollupQuery, by: &[Dimension]) -> Option<Reach> {
    let by_day = by.iter().any(|one| matches!(one, Dimension::Day | Dimension::Week));
    let by_report = query.report.is_some() || query.reports.is_some();
    if by_day || by_report || query.explained_by.is_some() {
        return None;
    }
    let by_month = by.iter().any(|one| matches!(one, Dimension::Month | Dimension::Quarter));
    Some(reach(query.from, query.to, by_month))
}

/// The same query about each of these spans of days.
fn beside(query: &RollupQuery, days: &[(Date, Date)]) -> Vec<RollupQuery> {
    let spans = days.iter();
    spans
        .map(|(from, to)| RollupQuery { from: Some(*from), to: Some(*to), ..query.clone() })
        .collect()
}
