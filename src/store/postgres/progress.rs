//! What reports hold so far, under the ledger head.

use std::collections::{HashMap, HashSet};

use deadpool_postgres::GenericClient;

use super::fault::Fault;
use super::values::{Param, counted, execute, query, signed, unsigned};
use crate::change::{BatchAnswer, Change, Expect, LineBatch, Write};

/// The counts of the reports that a group is about.
#[derive(Default)]
pub struct Progress {
    reports: HashMap<String, OfReport>,
    changed: HashSet<String>,
}

#[derive(Default)]
struct OfReport {
    next_line: u64,
    accepted: u64,
    warned: u64,
    duplicates: u64,
    refused: u64,
    explained: u64,
    orders: Option<u64>,
    last_entry: Option<u64>,
}

impl Progress {
    /// Reads the counts of all reports that the changes name.
    pub async fn of(
        client: &impl GenericClient,
        changes: &[Change],
        batches: &[&LineBatch],
    ) -> Result<Self, Fault> {
        let expected = changes.iter().flat_map(|change| &change.expect);
        let expected = expected.filter_map(|expect| match expect {
            Expect::Progress { report, .. } => Some(report.as_str()),
            Expect::Version { .. }
            | Expect::State { .. }
            | Expect::Unexplained { .. }
            | Expect::Fewer { .. }
            | Expect::NoneLike { .. } => None,
        });
        let written = changes.iter().flat_map(|change| &change.writes);
        let written = written.filter_map(|write| match write {
            Write::CountOrders(counts) => Some(counts.report.as_str()),
            Write::Explain { report, .. } => Some(report.as_str()),
            Write::Put(_) | Write::Lines(_) | Write::Rematch(..) => None,
        });
        let of_batches = batches.iter().map(|batch| batch.report.as_str());
        let reports: HashSet<&str> = expected.chain(written).chain(of_batches).collect();
        let reports: Vec<&str> = reports.into_iter().collect();
        if reports.is_empty() {
            return Ok(Self::default());
        }
        let sql = "SELECT report, next_line, accepted, warned, duplicates, refused, explained, \
                   orders, last_entry FROM report_progress WHERE report = ANY($1)";
        let mut read = Self::default();
        for row in query(client, sql, &[&reports]).await? {
            let of = OfReport {
                next_line: counted(&row, 1)?,
                accepted: counted(&row, 2)?,
                warned: counted(&row, 3)?,
                duplicates: counted(&row, 4)?,
                refused: counted(&row, 5)?,
                explained: counted(&row, 6)?,
                orders: row.try_get::<_, Option<i64>>(7)?.map(unsigned),
                last_entry: row.try_get::<_, Option<i64>>(8)?.map(unsigned),
            };
            read.reports.insert(row.try_get(0)?, of);
        }
        Ok(read)
    }

    /// Lines of a report accepted, warned of, refused and explained, in this order.
    pub fn counts(&self, report: &str) -> [u64; 4] {
        let of = |of: &OfReport| [of.accepted, of.warned, of.refused, of.explained];
        self.reports.get(report).map(of).unwrap_or_default()
    }

    /// Moves the counts of a report and answers where the client goes on.
    pub fn batch(&mut self, batch: &LineBatch, answer: &BatchAnswer, entry: u64) -> u64 {
        let end = batch.first_line + u64::from(batch.sent);
        self.changed.insert(batch.report.clone());
        let of = self.reports.entry(batch.report.clone()).or_default();
        if batch.first_line <= of.next_line {
            of.next_line = of.next_line.max(end);
        }
        of.accepted += u64::from(answer.accepted);
        of.warned += u64::from(answer.warned);
        of.duplicates += u64::from(answer.duplicates);
        of.refused += u64::from(answer.refused);
        of.last_entry = Some(entry);
        of.next_line
    }

    /// One more line of a report is explained.
    pub fn explained(&mut self, report: &str) {
        if let Some(of) = self.reports.get_mut(report) {
            of.explained += 1;
            self.changed.insert(report.to_owned());
        }
    }

    /// The orders of a report are counted.
    pub fn orders(&mut self, report: &str, orders: u64) {
        if let Some(of) = self.reports.get_mut(report) {
            of.orders = Some(orders);
            self.changed.insert(report.to_owned());
        }
    }

    /// Writes what has changed.
    pub async fn write(&self, client: &impl GenericClient) -> Result<(), Fault> {
        if self.changed.is_empty() {
            return Ok(());
        }
        let changed = self.reports.iter().filter(|(report, _)| self.changed.contains(*report));
        let (reports, held): (Vec<&String>, Vec<&OfReport>) = changed.unzip();
        let column =
            |of: fn(&OfReport) -> u64| -> Vec<i64> { held.iter().map(|h| signed(of(h))).collect() };
        let rare = |of: fn(&OfReport) -> Option<u64>| -> Vec<Option<i64>> {
            held.iter().map(|held| of(held).map(signed)).collect()
        };
        let sql = "INSERT INTO report_progress (report, next_line, accepted, warned, \
                   duplicates, refused, explained, orders, last_entry) SELECT * FROM \
                   unnest($1::text[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], \
                   $6::bigint[], $7::bigint[], $8::bigint[], $9::bigint[]) \
                   ON CONFLICT (report) DO UPDATE SET next_line = excluded.next_line, \
                   accepted = excluded.accepted, warned = excluded.warned, \
                   duplicates = excluded.duplicates, refused = excluded.refused, \
                   explained = excluded.explained, orders = excluded.orders, \
                   last_entry = excluded.last_entry";
        let columns = [
            column(|of| of.next_line),
            column(|of| of.accepted),
            column(|of| of.warned),
            column(|of| of.duplicates),
            column(|of| of.refused),
            column(|of| of.explained),
        ];
        let (orders, entries) = (rare(|of| of.orders), rare(|of| of.last_entry));
        let mut values: Vec<Param<'_>> = vec![&reports];
        values.extend(columns.iter().map(|column| column as Param<'_>));
        values.extend([&orders as Param<'_>, &entries]);
        execute(client, sql, &values).await
    }
}
