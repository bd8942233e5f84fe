//! Sale lines: each id counts once, for ever; rollups move with them.
//!
//! Enters: batches, under the ledger head. Leaves: what became of each line, and rows to be stored.

use std::borrow::Cow;
use std::sync::Arc;

use super::fault::Fault;
use super::pass::{NewLine, Pass};
use super::sums::Added;
use crate::change::{BatchAnswer, LineBatch, NoteVerdict};
use crate::domain::decimal::Totals;
use crate::domain::fault;
use crate::domain::sale::WarningReason;
use crate::store::verdicts::{note, refused, verdict};

impl Pass {
    /// Takes in the lines of a batch that are new and says what became of each. `entry` is the index
    /// of the ledger entry that takes them.
    pub fn append(&mut self, batch: &Arc<LineBatch>, entry: u64) -> Result<BatchAnswer, Fault> {
        let mut answer = BatchAnswer {
            refused: u32::try_from(batch.refused.len()).unwrap_or(u32::MAX),
            notes: batch.refused.clone(),
            ..BatchAnswer::default()
        };
        // All lines of a cell are of one day and kind. What comes too late may take no id.
        let closed = self.closed()?;
        let whole = closed.whole(batch.period);
        let too_late: Vec<Option<fault::Fault>> =
            batch.cells().iter().map(|cell| closed.refuses(whole, cell)).collect();
        let mut added: Vec<Option<Added>> = vec![None; batch.cells().len()];
        for (place, ready) in batch.lines().iter().enumerate() {
            let row = &ready.row;
            let line_id = row.line.line_id.as_str();
            if let Some(first) = self.ids.taken(&self.standing, batch, line_id) {
                answer.duplicates += 1;
                answer.notes.push(note(row, NoteVerdict::Duplicate, vec![], Some(first)));
                continue;
            }
            if let Some(fault) = &too_late[ready.cell] {
                answer.refused += 1;
                answer.notes.push(refused(row, fault.clone()));
                continue;
            }
            let mut warnings = Cow::Borrowed(row.warnings.as_slice());
            if whole && warnings.contains(&WarningReason::OutsidePeriod) {
                // An adjustment is dated when it occurs, which is after the period.
                warnings.to_mut().retain(|warning| *warning != WarningReason::OutsidePeriod);
            }
            if let Some(odd) = self.originals.judge(&self.standing, batch, row)? {
                warnings.to_mut().push(odd);
            }
            let counts = !warnings.contains(&WarningReason::ExceedsOriginal);
            self.head.last_line += 1;
            let seq = self.head.last_line;
            self.ids.take(batch, line_id, (entry, seq, row.line.sold_at.day()));
            self.originals.came(batch, row, seq, counts);
            let key = &batch.cells()[ready.cell];
            let cell = match &mut added[ready.cell] {
                Some(added) => added,
                empty => {
                    let number = self.sums.number(&mut self.head, batch, key);
                    let (sums, left_out) = (Totals::default(), Totals::default());
                    empty.insert(Added { number, sums, left_out })
                }
            };
            let sums = if counts { &mut cell.sums } else { &mut cell.left_out };
            *sums = sums.plus(ready.written)?;
            self.rows.push(NewLine {
                batch: batch.clone(),
                place,
                seq,
                entry,
                cell: cell.number,
                verdict: verdict(&warnings),
                counts,
            });
            if warnings.is_empty() {
                answer.accepted += 1;
            } else {
                answer.warned += 1;
                let reasons = warnings.iter().map(ToString::to_string).collect();
                answer.notes.push(note(row, NoteVerdict::AcceptedWithWarning, reasons, None));
            }
        }
        answer.notes.sort_by_key(|note| note.position);
        for (key, added) in batch.cells().iter().zip(added) {
            if let Some(added) = added {
                self.sums.take(batch, key, added)?;
            }
        }
        answer.next_line = self.progress.batch(batch, &answer, entry);
        Ok(answer)
    }
}
