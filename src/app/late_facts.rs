//! Late facts: what was learnt of sellers after their lines were stored, and the lines concerned.
//!
//! Enters: exporters with facts just recorded, questions. Leaves: late facts to be written in the
//! same change, and the lines that were marked, by name. The marking itself goes on beside the
//! server, see [`marking`].

pub mod marking;

use serde::{Deserialize, Serialize};

use super::write::{Intent, put};
use super::{App, Page, decode};
use crate::change::{Kind, Write};
use crate::domain::caller::Visibility;
use crate::domain::exporter::Exporter;
use crate::domain::late_fact::{LateFact, MarkedLine, Marks};
use crate::error::Result;
use crate::store::PageQuery;

/// Documents of marks read at a time.
const READ: u32 = 16;

/// Which marked lines to list: all that is given must hold.
#[derive(Clone, Debug, Default)]
pub struct MarksQuery {
    /// Of this report (its key).
    pub report: Option<String>,
    /// By this late fact (its key).
    pub late_fact: Option<String>,
    /// The `next` of the page before; empty for the first page.
    pub after: String,
    /// At most so many lines.
    pub limit: u32,
}

/// A marked line with why it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Marked {
    /// The line.
    pub line: MarkedLine,
    /// Why, where and when; without the other lines.
    pub by: Marks,
}

impl App {
    /// Marked lines that the caller may see, by fact, report and in the order they were stored.
    pub async fn marked_lines(
        &self,
        visibility: &Visibility,
        query: &MarksQuery,
    ) -> Result<Page<Marked>> {
        let limit = query.limit as usize;
        // The document before, and how many lines of the next one the pages before brought.
        let (before, skip) = query.after.split_once(' ').unwrap_or_default();
        let (mut before, mut skip) = (before.to_owned(), skip.parse().unwrap_or(0));
        let mut items = Vec::new();
        loop {
            let mut page = PageQuery::all(Kind::Marks, READ);
            page.owner = visibility.owner().map(ToString::to_string);
            let equal = [("report", &query.report), ("late_fact", &query.late_fact)];
            page.equal = equal.into_iter().filter_map(|(c, v)| Some((c, v.clone()?))).collect();
            page.after.clone_from(&before);
            let records = self.store.page(page).await?;
            let more = records.len() == READ as usize;
            for record in records {
                let mut marks: Marks = decode(&record)?.value;
                let lines = std::mem::take(&mut marks.lines);
                let count = lines.len();
                let room = limit - items.len();
                let taken = lines.into_iter().skip(skip).take(room);
                items.extend(taken.map(|line| Marked { line, by: marks.clone() }));
                if count - skip.min(count) > room {
                    return Ok(Page { items, next: Some(format!("{before} {}", skip + room)) });
                }
                (before, skip) = (record.key, 0);
            }
            if !more {
                return Ok(Page { items, next: None });
            }
        }
    }

    /// What is to be written with `exporter`, of which the facts behind the first `known` are
    /// recorded by this change.
    pub(super) fn late_facts(
        &self,
        intent: &Intent,
        exporter: &Exporter,
        known: usize,
    ) -> Result<Vec<Write>> {
        let recorded_by = (intent.request.partner.clone(), intent.request.request_id);
        let late = LateFact::among(exporter, known, self.today(), &recorded_by);
        late.iter()
            .map(|fact| {
                let key = self.env.ids.uuid().to_string();
                put_late_fact(&key, fact, 0).map(|(_, write)| write)
            })
            .collect()
    }
}

fn put_late_fact(
    key: &str,
    fact: &LateFact,
    version: u64,
) -> Result<(crate::change::Expect, Write)> {
    let columns = vec![fact.exporter.to_string()];
    put(Kind::LateFact, key, "", fact.state.as_str(), columns, fact, version)
}

#[cfg(test)]
#[path = "late_facts/tests.rs"]
mod tests;
