//! Sale lines on their way into a report, batch by batch.
//!
//! Enters: the lines of a batch, parsed or refused one by one. Leaves: what became of each,
//! once the stored ones are durable. Which lines are new is the store's to judge.

use std::sync::Arc;

use super::catalog::Offered;
use super::write::{Intent, Written, answered, refused};
use super::{App, Page};
use crate::change::{
    BatchAnswer, Change, Expect, Kind, LineBatch, LineNote, LineRow, Refusal, Write,
};
use crate::domain::caller::Visibility;
use crate::domain::partner::PartnerId;
use crate::domain::period::Period;
use crate::domain::report::{Report, ReportState};
use crate::domain::sale::{SaleLine, WarningReason};
use crate::error::{Error, Result};
use crate::ledger::{Draft, EntryKind};
use crate::store::writer::Queued;
use crate::store::{LineQuery, StoredLine};

/// The report that lines are pushed into: what of it never changes.
#[derive(Clone, Debug)]
pub struct Target {
    /// Its key.
    pub key: String,
    /// Whose it is.
    pub marketplace: PartnerId,
    /// The days it is about.
    pub period: Period,
}

/// A batch as it was sent.
#[derive(Debug, Default)]
pub struct SentBatch {
    /// Place of its first line in the sender's own sequence, from 0.
    pub first_line: u64,
    /// How many lines it holds.
    pub sent: u32,
    /// The well-formed lines with their places in the batch.
    pub lines: Vec<(u32, SaleLine)>,
    /// The malformed ones.
    pub refused: Vec<LineNote>,
}

/// A batch in the queue of the writer.
pub struct QueuedBatch {
    app: App,
    batch: Arc<LineBatch>,
    queued: Queued,
}

impl App {
    /// The report of that key for pushing into it, with how far it is.
    ///
    /// # Errors
    /// `NOT_FOUND` also for another partner's report.
    pub async fn push_target(
        &self,
        visibility: &Visibility,
        key: &str,
    ) -> Result<(Target, ReportState)> {
        let report: Report = self
            .document(Kind::Report, key)
            .await?
            .map(|held| held.value)
            .filter(|report: &Report| visibility.allows(&report.marketplace))
            .ok_or_else(Error::not_found)?;
        let target =
            Target { key: key.to_owned(), marketplace: report.marketplace, period: report.period };
        Ok((target, report.state))
    }

    /// Stored lines of a report, as far as the caller may see it, in the order they were stored.
    pub async fn stored_lines(
        &self,
        visibility: &Visibility,
        mut query: LineQuery,
    ) -> Result<Page<StoredLine>> {
        self.held_report(visibility, &query.report).await?;
        let asked = query.limit as usize;
        query.limit = query.limit.saturating_add(1);
        let mut items = self.store.lines(query).await?;
        let more = items.len() > asked;
        items.truncate(asked);
        let next = items.last().filter(|_| more).map(|last| last.seq.to_string());
        Ok(Page { items, next })
    }

    /// Appends one batch and waits until it is durable.
    ///
    /// # Errors
    /// As [`QueuedBatch::settled`].
    pub async fn append_lines(
        &self,
        intent: &Intent,
        target: &Target,
        sent: SentBatch,
    ) -> Result<Written<BatchAnswer>> {
        self.enqueue_lines(intent, target, sent).await?.settled().await
    }

    /// What [`append_lines`](App::append_lines) would answer; nothing is stored.
    ///
    /// # Errors
    /// As [`QueuedBatch::settled`].
    pub async fn preview_lines(&self, target: &Target, sent: SentBatch) -> Result<BatchAnswer> {
        let batch = Arc::new(self.judged(target, sent).await?);
        let held = self.document::<Report>(Kind::Report, &target.key).await?;
        let state = held.ok_or_else(Error::not_found)?.value.state;
        if state == ReportState::Open {
            return self.store.preview(batch).await;
        }
        let (kind, key, state) = (Kind::Report, target.key.clone(), state.to_string());
        self.closed(batch, Refusal::WrongState { kind, key, state }).await
    }

    /// What a report that takes no more lines answers: nothing new, or that it is closed.
    async fn closed(&self, batch: Arc<LineBatch>, refusal: Refusal) -> Result<BatchAnswer> {
        let report = batch.report.clone();
        let mut answer = self.store.preview(batch).await?;
        if answer.accepted + answer.warned > 0 {
            return Err(refused(refusal));
        }
        answer.next_line = self.store.report_progress(&report).await?.next_line;
        Ok(answer)
    }

    /// Hands a batch to the writer; batches of one report are judged in the order in which this
    /// returns.
    pub async fn enqueue_lines(
        &self,
        intent: &Intent,
        target: &Target,
        sent: SentBatch,
    ) -> Result<QueuedBatch> {
        let batch = Arc::new(self.judged(target, sent).await?);
        let draft = Draft::new(EntryKind::LinesAppended)
            .about(format!("{}/{}", Kind::Report.collection(), target.key))
            .fact("first_line", batch.first_line)
            .fact("sent", batch.sent)
            .over(intent.request.digest.to_vec());
        let change = Change {
            request: intent.request.clone(),
            actor: intent.actor.clone(),
            expect: vec![Expect::State {
                kind: Kind::Report,
                key: target.key.clone(),
                state: ReportState::Open.as_str(),
            }],
            writes: vec![Write::Lines(batch.clone())],
            draft,
            answer: Vec::new(),
        };
        let queued = self.writer.enqueue(change).await?;
        Ok(QueuedBatch { app: self.clone(), batch, queued })
    }

    /// Adds to each line what is known of its listing now, and what is odd about it.
    async fn judged(&self, target: &Target, sent: SentBatch) -> Result<LineBatch> {
        let SentBatch { first_line, sent, lines, refused } = sent;
        let skus = lines.iter().map(|(_, line)| line.sku.as_str());
        let offers = self.offers(&target.marketplace, skus).await?;
        let found: Vec<_> = lines
            .iter()
            .map(|(_, line)| {
                let offer = offers.get(line.sku.as_str()).and_then(Option::as_deref);
                let warnings = warnings(line, offer, &target.period);
                (offer.map(|offer| offer.about.clone()), warnings)
            })
            .collect();
        let rows = lines
            .into_iter()
            .zip(found)
            .map(|((position, line), (listing, warnings))| LineRow {
                position,
                line,
                listing,
                warnings,
            })
            .collect();
        let (marketplace, report) = (target.marketplace.clone(), target.key.clone());
        Ok(LineBatch::new(marketplace, report, target.period, first_line, sent, rows, refused))
    }
}

/// What is odd about a line before it is held against the lines stored already.
fn warnings(line: &SaleLine, offer: Option<&Offered>, period: &Period) -> Vec<WarningReason> {
    let day = line.sold_at.day();
    let mut warnings = Vec::new();
    match offer {
        None => warnings.push(WarningReason::UnknownSku),
        Some(offer) => {
            if !offer.cleared {
                warnings.push(WarningReason::ListingNotCleared);
            }
            let eligible = offer.seller.as_ref().is_some_and(|seller| seller.eligible_on(day));
            if !eligible {
                warnings.push(WarningReason::SellerNotEligible);
            }
        }
    }
    if !period.contains(day) {
        warnings.push(WarningReason::OutsidePeriod);
    }
    warnings
}

impl QueuedBatch {
    /// Waits until the stored lines are durable.
    ///
    /// A batch for a report that takes no more lines is answered without a receipt if it holds
    /// none that is new: pushing everything again is harmless.
    ///
    /// # Errors
    /// `REPORT_SEALED`, `REPORT_ABANDONED`, `REQUEST_ID_REUSED`.
    pub async fn settled(self) -> Result<Written<BatchAnswer>> {
        match self.queued.judged().await? {
            Ok(committed) => answered(committed),
            Err(refusal @ Refusal::WrongState { .. }) => {
                let value = self.app.closed(self.batch, refusal).await?;
                Ok(Written { value, receipt: None, replayed: false })
            }
            Err(refusal) => Err(refused(refusal)),
        }
    }
}
