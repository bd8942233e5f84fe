//! Exporters whose eligibility begins or ends by date.
//!
//! Enters: exporters that are due. Leaves: exporters with the status of today, their listings
//! suspended or brought back in the same change, and one entry for each turn.

use super::{READ, due_on, left, place};
use crate::app::exporters::put_exporter;
use crate::app::write::{Intent, Plan};
use crate::app::{App, Versioned};
use crate::change::{Kind, Record};
use crate::domain::exporter::Exporter;
use crate::domain::partner::Partner;
use crate::domain::request_id::RequestId;
use crate::error::Result;
use crate::ledger::{Draft, EntryKind};

impl App {
    /// Lets every exporter that is due be what the facts say of today. Answers how many.
    pub(super) async fn turn_exporters(&self) -> Result<usize> {
        let today = self.today();
        let (mut turned, mut after) = (0, None);
        loop {
            let records = self.store.due(Kind::Exporter, today, after, READ).await?;
            let full = records.len() == READ as usize;
            after = records.last().map(place);
            for record in &records {
                match self.turn_exporter(record).await {
                    Ok(done) => turned += usize::from(done),
                    // The next one may still be done; this one is due until it is.
                    Err(reason) => tracing::error!(?reason, "an exporter could not be turned"),
                }
            }
            if !full {
                return Ok(turned);
            }
        }
    }

    async fn turn_exporter(&self, due: &Record) -> Result<bool> {
        let (day, version) = (due_on(due), due.version.to_string());
        let id = RequestId::of_step("eligibility.turned", &[&due.key, day, &version])?;
        let intent = Intent::internal(Partner::GATEWAY.parse()?, id);
        let written = self
            .write(&intent, || async {
                let held: Option<Versioned<Exporter>> =
                    self.document(Kind::Exporter, &due.key).await?;
                // Whoever wrote it meanwhile has judged it by that day.
                let Some(held) = held.filter(|held| held.version == due.version) else {
                    return Ok(left(false, EntryKind::EligibilityTurned));
                };
                let (at, today) = (self.env.now(), self.today());
                let cascade = self.cascade(&held.value, today, at).await?;
                let (own, write) = put_exporter(&held.value, today, held.version)?;
                let status = held.value.standing(today).map_or("NONE", |now| now.status.as_str());
                let draft = Draft::new(EntryKind::EligibilityTurned)
                    .about_person(format!("exporters/{}", due.key))
                    .fact("due", day)
                    .fact("status", status)
                    .fact("listings_suspended", cascade.suspended)
                    .fact("listings_reinstated", cascade.reinstated);
                let (mut expect, mut writes) = (cascade.expect, cascade.writes);
                expect.push(own);
                writes.push(write);
                Ok(Plan { answer: true, expect, writes, draft })
            })
            .await?;
        Ok(written.value && !written.replayed)
    }
}
