//! Who took which line id.
//!
//! Enters: the ids of all lines of a group, looked up at once. Leaves: who has taken one before,
//! and rows for those that are taken now.

use std::collections::{HashMap, HashSet};

use deadpool_postgres::GenericClient;
use futures_util::future::try_join_all;
use jiff::civil::Date;

use super::fault::Fault;
use super::standing::Standing;
use super::values::{counted, query};
use crate::change::LineBatch;

/// The ids of a group's lines.
#[derive(Default)]
pub struct Ids {
    by_marketplace: HashMap<String, HashMap<String, Taken>>,
}

/// Who has taken an id.
pub struct Taken {
    /// The ledger entry.
    pub entry: u64,
    /// The line's place among all.
    pub seq: i64,
    /// Its day.
    pub day: Date,
    report: String,
    /// Whether the id is in the table.
    stored: bool,
    /// Whether it was taken by a change of this group.
    fresh: bool,
}

impl Ids {
    /// Looks up the ids of all lines; answers the reports of those found that are abandoned.
    pub async fn of(
        client: &impl GenericClient,
        batches: &[&LineBatch],
    ) -> Result<(Self, Vec<String>), Fault> {
        let mut asked: HashMap<&str, HashSet<&str>> = HashMap::new();
        for batch in batches {
            let ids = asked.entry(batch.marketplace.as_str()).or_default();
            ids.extend(batch.lines().iter().map(|ready| ready.row.line.line_id.as_str()));
        }
        let found = try_join_all(asked.into_iter().map(|(marketplace, ids)| async move {
            let ids: Vec<&str> = ids.into_iter().collect();
            let sql = "SELECT i.line_id, i.entry_index, i.line_seq, i.day, s.report, \
                       r.key IS NOT NULL FROM line_identity i JOIN sale_lines s \
                       ON s.line_seq = i.line_seq AND s.day = i.day LEFT JOIN sales_reports r \
                       ON r.key = s.report AND r.state = 'ABANDONED' \
                       WHERE i.marketplace = $1 AND i.line_id = ANY($2)";
            Ok::<_, Fault>((marketplace, query(client, sql, &[&marketplace, &ids]).await?))
        }));
        let (mut by_marketplace, mut abandoned) = (HashMap::new(), Vec::new());
        for (marketplace, rows) in found.await? {
            let mut ids = HashMap::with_capacity(rows.len());
            for row in rows {
                let taken = Taken {
                    entry: counted(&row, 1)?,
                    seq: row.try_get(2)?,
                    day: row.try_get::<_, super::values::Day>(3)?.0,
                    report: row.try_get(4)?,
                    stored: true,
                    fresh: false,
                };
                if row.try_get(5)? {
                    abandoned.push(taken.report.clone());
                }
                ids.insert(row.try_get(0)?, taken);
            }
            by_marketplace.insert(marketplace.to_owned(), ids);
        }
        Ok((Self { by_marketplace }, abandoned))
    }

    /// The entry that has taken the id; none if it never came, or if the report that took it was
    /// abandoned and so counts nowhere.
    pub fn taken(&self, standing: &Standing, batch: &LineBatch, id: &str) -> Option<u64> {
        let taken = self.by_marketplace.get(batch.marketplace.as_str())?.get(id)?;
        (!standing.is_abandoned(&taken.report)).then_some(taken.entry)
    }

    /// Takes the id for a line that is stored.
    pub fn take(&mut self, batch: &LineBatch, id: &str, (entry, seq, day): (u64, i64, Date)) {
        let marketplace = batch.marketplace.as_str();
        if !self.by_marketplace.contains_key(marketplace) {
            self.by_marketplace.insert(marketplace.to_owned(), HashMap::new());
        }
        let Some(ids) = self.by_marketplace.get_mut(marketplace) else { return };
        let stored = ids.get(id).is_some_and(|taken| taken.stored);
        let taken = Taken { entry, seq, day, report: batch.report.clone(), stored, fresh: true };
        ids.insert(id.to_owned(), taken);
    }

    /// What is to be written: marketplace, id, who has taken it, and whether a row of it is there.
    pub fn fresh(&self) -> impl Iterator<Item = (&str, &str, &Taken, bool)> {
        self.by_marketplace.iter().flat_map(|(marketplace, ids)| {
            let fresh = ids.iter().filter(|(_, taken)| taken.fresh);
            fresh.map(|(id, taken)| (marketplace.as_str(), id.as_str(), taken, taken.stored))
        })
    }
}
