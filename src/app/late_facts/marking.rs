//! Marking lines that late facts bear on, beside the server.
//!
//! Enters: late facts that wait. Leaves: marks, each part of each report and fact once, and late
//! facts that are settled. Facts that wait together are worked off together: a report is looked
//! through once for all of them, in short reads. What was cut off is done again from the start of
//! the facts under way; parts that were written are recognised and not written twice.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;

use super::put_late_fact;
use crate::app::reports::PAGE;
use crate::app::write::{Intent, Plan, put};
use crate::app::{App, Versioned, decode};
use crate::change::Kind;
use crate::domain::analytics::Dimension;
use crate::domain::cuit::Cuit;
use crate::domain::exporter::Exporter;
use crate::domain::late_fact::{LateFact, LateFactState, MarkedLine, Marks};
use crate::domain::ncm::Chapter;
use crate::domain::partner::Partner;
use crate::domain::period::Period;
use crate::domain::report::Report;
use crate::domain::request_id::RequestId;
use crate::domain::sale::WarningReason;
use crate::error::{Error, Result};
use crate::ledger::{Draft, EntryKind};
use crate::store::{ExportQuery, ExportedLine, PageQuery, RollupQuery};

/// How often it is looked whether a late fact waits.
const EVERY: Duration = Duration::from_secs(1);
/// How long after a fact its lines are looked through: batches that were judged before it was
/// known are stored by then.
const SETTLING: SignedDuration = SignedDuration::from_secs(2);
/// Late facts worked off together.
const TOGETHER: u32 = 500;
/// Lines of one part of marks, and so of one entry of the ledger.
const PART: usize = 1000;
/// Lines that one short read looks at.
const LOOK_AT: u32 = 20_000;

/// A late fact under way.
struct Waiting {
    key: String,
    version: u64,
    fact: LateFact,
    exporter: Arc<Exporter>,
    /// The entry that recorded it.
    entry: u64,
    marked: u64,
}

/// Lines of one report found for one fact and not written yet, and how many parts were.
#[derive(Default)]
struct Found {
    lines: Vec<MarkedLine>,
    parts: u32,
}

impl App {
    /// Marks lines whenever a late fact waits, for ever. Run it beside the server.
    pub async fn keep_marks(self) {
        let mut settled = None;
        loop {
            let touched = self.writer.touched(Kind::LateFact);
            if settled != Some(touched) {
                match self.mark_late_lines().await {
                    Ok(Marking::Nothing) => settled = Some(touched),
                    Ok(Marking::Settled { facts, lines }) => {
                        tracing::info!(facts, lines, "lines marked that late facts bear on");
                    }
                    Ok(Marking::TooEarly) => {}
                    Err(reason) => tracing::error!(?reason, "late facts could not be worked off"),
                }
            }
            tokio::time::sleep(EVERY).await;
        }
    }

    /// Works off late facts that wait, as many as go together.
    pub async fn mark_late_lines(&self) -> Result<Marking> {
        let mut query = PageQuery::all(Kind::LateFact, TOGETHER);
        query.state = Some(LateFactState::Pending.to_string());
        let records = self.store.page(query).await?;
        if records.is_empty() {
            return Ok(Marking::Nothing);
        }
        let ripe = self.env.now() - SETTLING;
        let mut held = Vec::with_capacity(records.len());
        for record in records {
            let late: Versioned<LateFact> = decode(&record)?;
            if late.value.said.recorded_at <= ripe {
                held.push((record.key, late));
            }
        }
        let mut waiting = self.waiting(held).await?;
        if waiting.is_empty() {
            return Ok(Marking::TooEarly);
        }
        for record in self.all(PageQuery::all(Kind::Report, PAGE)).await? {
            let report: Report = decode(&record)?.value;
            if report.state.stands() {
                self.mark_report(&record.key, &report, &mut waiting).await?;
            }
        }
        self.settle(waiting).await
    }

    async fn waiting(&self, held: Vec<(String, Versioned<LateFact>)>) -> Result<Vec<Waiting>> {
        let cuits: Vec<Cuit> = held.iter().map(|(_, late)| late.value.exporter).collect();
        let exporters = self.exporters_of(&cuits).await?;
        let mut waiting = Vec::with_capacity(held.len());
        for (key, Versioned { value: fact, version }) in held {
            let exporter = exporters.get(&fact.exporter).cloned().flatten();
            let exporter = exporter.ok_or_else(|| Error::internal("a fact of no exporter"))?;
            let (partner, request_id) = &fact.recorded_by;
            let request = self.store.request(partner, request_id).await?;
            let request = request.ok_or_else(|| Error::internal("a fact without its request"))?;
            let entry = request.receipt.index;
            waiting.push(Waiting { key, version, fact, exporter, entry, marked: 0 });
        }
        Ok(waiting)
    }

    /// Marks the lines of one report, if it has any of a seller concerned on the days concerned.
    async fn mark_report(&self, key: &str, report: &Report, waiting: &mut [Waiting]) -> Result<()> {
        let days = waiting.iter().map(|one| one.fact.days());
        let Some((first, last)) = days.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1))) else {
            return Ok(());
        };
        let cells = self
            .store
            .rollups(RollupQuery {
                report: Some(key.to_owned()),
                from: Some(first),
                to: Some(last),
                by: Some(vec![Dimension::Seller]),
                ..RollupQuery::default()
            })
            .await?;
        // By seller: the facts of one line's seller are one look-up.
        let mut concerned: HashMap<String, Vec<usize>> = HashMap::new();
        for (place, one) in waiting.iter().enumerate() {
            let cuit = one.fact.exporter.to_string();
            if cells.iter().any(|cell| cell.seller == cuit) {
                concerned.entry(cuit).or_default().push(place);
            }
        }
        if concerned.is_empty() {
            return Ok(());
        }
        let mut query = ExportQuery {
            report: key.to_owned(),
            days: Period::new(first, last).ok(),
            kinds: Vec::new(),
            remarked: None,
            reason: None,
            entries: u64::MAX,
            after: 0,
            limit: LOOK_AT,
            look_at: LOOK_AT,
        };
        let mut found: BTreeMap<usize, Found> = BTreeMap::new();
        loop {
            let page = self.store.export(query.clone()).await?;
            for line in &page.lines {
                for place in concerned.get(&line.seller).into_iter().flatten() {
                    let one = &waiting[*place];
                    if !bears_on(one, line) {
                        continue;
                    }
                    let found = found.entry(*place).or_default();
                    let (line_id, day) =
                        (line.stored.line.line_id.clone(), line.stored.line.sold_at.day());
                    found.lines.push(MarkedLine { line_id, day });
                    if found.lines.len() == PART {
                        self.mark(one, key, report, found).await?;
                        waiting[*place].marked += PART as u64;
                    }
                }
            }
            match page.next {
                Some(next) => query.after = next,
                None => break,
            }
        }
        for (place, mut found) in found {
            let rest = found.lines.len();
            if rest > 0 {
                self.mark(&waiting[place], key, report, &mut found).await?;
                waiting[place].marked += rest as u64;
            }
        }
        Ok(())
    }

    /// Writes the next part of what was found, once for ever.
    async fn mark(
        &self,
        one: &Waiting,
        report: &str,
        of: &Report,
        found: &mut Found,
    ) -> Result<()> {
        let marks = Marks {
            late_fact: one.key.clone(),
            said: one.fact.said.clone(),
            report: report.to_owned(),
            marketplace: of.marketplace.clone(),
            part: found.parts,
            lines: std::mem::take(&mut found.lines),
            marked_at: self.env.now(),
        };
        found.parts += 1;
        let request_id = marks.request_id();
        let request_id = request_id.ok_or_else(|| Error::internal("a derived id is no UUID"))?;
        let intent = Intent::internal(Partner::GATEWAY.parse()?, request_id);
        self.write(&intent, || async {
            let draft = Draft::new(EntryKind::LinesMarked)
                .about(format!("{}/{report}", Kind::Report.collection()))
                .fact("late_fact", format_args!("{}/{}", Kind::LateFact.collection(), one.key))
                .fact("status", marks.said.status)
                .fact("part", marks.part)
                .fact("lines", marks.lines.len());
            let columns = vec![marks.report.clone(), marks.late_fact.clone()];
            let owner = marks.marketplace.as_str();
            let (expect, write) =
                put(Kind::Marks, &marks.key(), owner, "MARKED", columns, &marks, 0)?;
            Ok(Plan { answer: marks.clone(), expect: vec![expect], writes: vec![write], draft })
        })
        .await?;
        Ok(())
    }

    /// Says of facts whose lines are all marked that they are settled.
    async fn settle(&self, waiting: Vec<Waiting>) -> Result<Marking> {
        let lines: u64 = waiting.iter().map(|one| one.marked).sum();
        let fresh = RequestId::new(self.env.ids.uuid());
        let fresh = fresh.ok_or_else(|| Error::internal("a fresh UUID is never nil"))?;
        let intent = Intent::internal(Partner::GATEWAY.parse()?, fresh);
        self.write(&intent, || async {
            let (mut expect, mut writes) = (Vec::new(), Vec::new());
            for one in &waiting {
                let state = LateFactState::Settled;
                let fact = LateFact { state, lines: one.marked, ..one.fact.clone() };
                let (own, write) = put_late_fact(&one.key, &fact, one.version)?;
                expect.push(own);
                writes.push(write);
            }
            let draft = Draft::new(EntryKind::LateFactsSettled)
                .fact("facts", waiting.len())
                .fact("lines", lines);
            Ok(Plan { answer: lines, expect, writes, draft })
        })
        .await?;
        Ok(Marking::Settled { facts: waiting.len(), lines })
    }
}

/// What came of looking after late facts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Marking {
    /// None waits.
    Nothing,
    /// All that wait were recorded a moment ago.
    TooEarly,
    /// So many facts are settled, and so many lines marked by them.
    Settled {
        /// Late facts.
        facts: usize,
        /// Lines.
        lines: u64,
    },
}

/// Whether a line was sold while its seller was not eligible, as is known since the fact. A line
/// that was stored after it was judged with it, unless it was on its way: then only its seller was.
fn bears_on(one: &Waiting, line: &ExportedLine) -> bool {
    let day = line.stored.line.sold_at.day();
    let chapter = line.ncm.get(..2).and_then(|two| two.parse().ok()).and_then(Chapter::new);
    if line.stored.reasons.contains(&WarningReason::SellerNotEligible) {
        return false;
    }
    let chapter = if line.stored.entry < one.entry { chapter } else { None };
    one.fact.takes(&one.exporter, day, chapter)
}
