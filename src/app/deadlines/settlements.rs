//! Settlements whose time is over.
//!
//! Enters: settlements that are due. Leaves: settlements that are OVERDUE, each raised once.

use super::{READ, due_on, left, place};
use crate::app::settlements::{name, put_settlement};
use crate::app::write::{Intent, Plan};
use crate::app::{App, Versioned};
use crate::change::{Kind, Record};
use crate::domain::partner::Partner;
use crate::domain::request_id::RequestId;
use crate::domain::settlement::Settlement;
use crate::error::Result;
use crate::ledger::{Draft, EntryKind};

impl App {
    /// Raises every settlement whose time is over. Answers how many.
    pub(super) async fn raise_settlements(&self) -> Result<usize> {
        let today = self.today();
        let (mut raised, mut after) = (0, None);
        loop {
            let records = self.store.due(Kind::Settlement, today, after, READ).await?;
            let full = records.len() == READ as usize;
            after = records.last().map(place);
            for record in &records {
                match self.raise_settlement(record).await {
                    Ok(done) => raised += usize::from(done),
                    // The next one may still be raised; this one is due until it is.
                    Err(reason) => tracing::error!(?reason, "a settlement could not be raised"),
                }
            }
            if !full {
                return Ok(raised);
            }
        }
    }

    /// Raises one; the item and its deadline name the step, so that it is taken once.
    async fn raise_settlement(&self, due: &Record) -> Result<bool> {
        let id = RequestId::of_step("settlement.overdue", &[&due.key, due_on(due)])?;
        let intent = Intent::internal(Partner::GATEWAY.parse()?, id);
        let written = self
            .write(&intent, || async {
                let held: Option<Versioned<Settlement>> =
                    self.document(Kind::Settlement, &due.key).await?;
                // Whoever wrote it meanwhile has judged it by that day.
                let Some(held) = held.filter(|held| held.version == due.version) else {
                    return Ok(left(false, EntryKind::SettlementOverdue));
                };
                let today = self.today();
                let (own, write) = put_settlement(&held.value, today, held.version)?;
                let mut draft = Draft::new(EntryKind::SettlementOverdue)
                    .about(name(&held.value))
                    .fact("state", held.value.state(today));
                if let (Some(last), Some(term)) = (held.value.due_on(), &held.value.term) {
                    draft = draft
                        .fact("due_on", last)
                        .fact("days", term.days)
                        .fact("source", &term.source);
                }
                Ok(Plan { answer: true, expect: vec![own], writes: vec![write], draft })
            })
            .await?;
        Ok(written.value && !written.replayed)
    }
}
