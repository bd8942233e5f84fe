//! Exports of sale lines: all that match, in an order that never changes, from any place on.
//!
//! Enters: which lines, whose, and where an earlier stream ended. Leaves: part after part, each
//! with the position after it. What an export shows is fixed when it begins, as a size of the
//! ledger: lines that come later were taken by later entries. Nothing is held between two parts.

use std::collections::VecDeque;
use std::fmt;
use std::str::FromStr;

use super::{App, decode, reports};
use crate::change::Kind;
use crate::domain::caller::Visibility;
use crate::domain::partner::PartnerId;
use crate::domain::period::Period;
use crate::domain::report::{Report, ReportState};
use crate::domain::sale::{SaleKind, WarningReason};
use crate::error::{Error, Result};
use crate::store::{ExportQuery, ExportedLine, PageQuery};

/// Lines that are looked at for one part, so that none keeps a reader for long.
const LOOK_AT: u32 = 20_000;

/// Which lines to export.
#[derive(Clone, Debug)]
pub struct ExportQuestion {
    /// Of what.
    pub scope: ExportScope,
    /// Only this marketplace's.
    pub marketplace: Option<PartnerId>,
    /// Only those of these kinds; empty for all.
    pub kinds: Vec<SaleKind>,
    /// Only those with something odd about them, or only those without.
    pub remarked: Option<bool>,
    /// Only those odd for this reason.
    pub reason: Option<WarningReason>,
}

/// What an export is of.
#[derive(Clone, Debug)]
pub enum ExportScope {
    /// The report of this key, whatever its state.
    Report(String),
    /// Lines of these days, in all reports that count.
    Period(Period),
}

/// How far an export is. Its text form is for whoever goes on with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    /// The export shows what the first so many entries of the ledger took.
    pub entries: u64,
    /// Lines that were brought up to here.
    pub exported: u64,
    mark: Mark,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Mark {
    /// Nothing was looked at.
    Beginning,
    /// All up to this line (its `seq`) of the report of this key was looked at.
    After(String, u64),
    /// All was looked at.
    End,
}

/// An export under way.
pub struct Export {
    app: App,
    question: ExportQuestion,
    /// What is to be looked at: reports by key, each with its marketplace.
    left: VecDeque<(String, PartnerId)>,
    position: Position,
}

/// The next part of an export.
#[derive(Clone, Debug)]
pub struct ExportPart {
    /// The report that the lines are of; `None` once all was brought.
    pub of: Option<(String, PartnerId)>,
    /// Lines; may be none although more follow.
    pub lines: Vec<ExportedLine>,
    /// Where this part ends.
    pub position: Position,
}

impl App {
    /// Begins an export, or goes on with one after `from`.
    ///
    /// # Errors
    /// `NOT_FOUND` also for another partner's report; `EXPORT_LOST` if the store no longer has
    /// what the export began with.
    pub async fn export(
        &self,
        visibility: &Visibility,
        question: ExportQuestion,
        from: Option<Position>,
    ) -> Result<Export> {
        let entries = self.store.tree().await?.size();
        let begin = || Position { entries, exported: 0, mark: Mark::Beginning };
        let position = from.unwrap_or_else(begin);
        if position.entries > entries {
            return Err(lost());
        }
        let owner = visibility.owner().or(question.marketplace.as_ref());
        let mut left: VecDeque<_> = match &question.scope {
            ExportScope::Report(key) => {
                let held = self.held_report(visibility, key).await?.value;
                let asked = owner.is_none_or(|owner| *owner == held.marketplace);
                asked.then(|| (key.clone(), held.marketplace)).into_iter().collect()
            }
            ExportScope::Period(_) => self.counting(owner, position.entries).await?,
        };
        match &position.mark {
            Mark::Beginning => {}
            Mark::After(key, _) => {
                let at = left.iter().position(|(report, _)| report == key).ok_or_else(lost)?;
                left.drain(..at);
            }
            Mark::End => left.clear(),
        }
        Ok(Export { app: self.clone(), question, left, position })
    }

    /// The reports that counted when the ledger had `entries` entries, the earliest first. Those
    /// opened later are among them; no line of theirs is.
    async fn counting(
        &self,
        owner: Option<&PartnerId>,
        entries: u64,
    ) -> Result<VecDeque<(String, PartnerId)>> {
        let mut query = PageQuery::all(Kind::Report, reports::PAGE);
        query.owner = owner.map(ToString::to_string);
        let mut counting = Vec::new();
        for record in self.all(query).await? {
            let report: Report = decode(&record)?.value;
            let abandoned = report.state == ReportState::Abandoned
                && self.was_abandoned(&record.key, entries).await?;
            if !abandoned {
                counting.push((report.period.first(), record.key, report.marketplace));
            }
        }
        counting.sort_by(|a, b| (a.0, &a.1).cmp(&(b.0, &b.1)));
        Ok(counting.into_iter().map(|(_, key, marketplace)| (key, marketplace)).collect())
    }
}

impl Export {
    /// The next part, of at most `limit` lines.
    pub async fn next(&mut self, limit: u32) -> Result<ExportPart> {
        while let Some((report, marketplace)) = self.left.front().cloned() {
            let page = self.app.store.export(self.query(&report, limit)).await?;
            self.position.exported += page.lines.len() as u64;
            self.position.mark = match page.next {
                Some(seq) => Mark::After(report.clone(), seq),
                None => {
                    self.left.pop_front();
                    self.left.front().map_or(Mark::End, |(next, _)| Mark::After(next.clone(), 0))
                }
            };
            // A report without a line that matches is passed over in silence; a long search is
            // not, so that whoever waits sees it come further.
            if !page.lines.is_empty() || page.next.is_some() {
                let of = Some((report, marketplace));
                return Ok(ExportPart { of, lines: page.lines, position: self.position.clone() });
            }
        }
        self.position.mark = Mark::End;
        Ok(ExportPart { of: None, lines: Vec::new(), position: self.position.clone() })
    }

    fn query(&self, report: &str, limit: u32) -> ExportQuery {
        let after = match &self.position.mark {
            Mark::After(key, seq) if key == report => *seq,
            Mark::After(..) | Mark::Beginning | Mark::End => 0,
        };
        let question = &self.question;
        ExportQuery {
            report: report.to_owned(),
            days: match question.scope {
                ExportScope::Report(_) => None,
                ExportScope::Period(days) => Some(days),
            },
            kinds: question.kinds.clone(),
            remarked: question.remarked,
            reason: question.reason,
            entries: self.position.entries,
            after,
            limit,
            look_at: LOOK_AT,
        }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} ", self.entries, self.exported)?;
        match &self.mark {
            Mark::Beginning => f.write_str("beginning"),
            Mark::After(report, seq) => write!(f, "after {report} {seq}"),
            Mark::End => f.write_str("end"),
        }
    }
}

/// Reads nothing but what [`Display`](fmt::Display) writes.
impl FromStr for Position {
    type Err = ();

    fn from_str(text: &str) -> std::result::Result<Self, ()> {
        let words: Vec<&str> = text.split(' ').collect();
        let (entries, exported, mark) = match words[..] {
            [entries, exported, "beginning"] => (entries, exported, Mark::Beginning),
            [entries, exported, "end"] => (entries, exported, Mark::End),
            [entries, exported, "after", report, seq] => {
                let seq = seq.parse().map_err(|_| ())?;
                (entries, exported, Mark::After(report.to_owned(), seq))
            }
            _ => return Err(()),
        };
        let number = |text: &str| text.parse().map_err(|_| ());
        Ok(Self { entries: number(entries)?, exported: number(exported)?, mark })
    }
}

fn lost() -> Error {
    Error::precondition(
        "EXPORT_LOST",
        "the gateway no longer has all that this export began with: begin it anew, without a cursor",
    )
}
