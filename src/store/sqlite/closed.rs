//! Lines that come too late: months that the ministry has closed take no more.
//!
//! Enters: cells of a batch, under the ledger head. Leaves: for each whether its lines come too
//! late, and why.

use std::collections::HashSet;

use rusqlite::Connection;

use super::questions::parsed;
use crate::change::CellKey;
use crate::domain::fault::Fault;
use crate::domain::month::{self, Month};
use crate::domain::period::Period;
use crate::domain::sale::SaleKind;

/// The months that take no more lines, mostly some dozens.
pub struct Closed(HashSet<Month>);

impl Closed {
    /// Reads them.
    pub fn read(connection: &Connection) -> rusqlite::Result<Self> {
        let months: rusqlite::Result<_> = connection
            .prepare_cached("SELECT key FROM closed_months")?
            .query_map([], |row| parsed(row, 0))?
            .collect();
        months.map(Self)
    }

    /// Whether all months of a period are closed: its reports take adjustments only.
    pub fn whole(&self, period: Period) -> bool {
        // Mostly none is, and periods are looked at with every batch.
        !self.0.is_empty() && period.months().iter().all(|month| self.0.contains(month))
    }

    /// Why lines of the cell come too late, if they do, in a report whose period is closed as a
    /// `whole` or not.
    pub fn refuses(&self, whole: bool, cell: &CellKey) -> Option<Fault> {
        let month = Month::of(cell.day);
        if self.0.contains(&month) {
            return Some(month::closed(month).at("sold_at"));
        }
        (whole && cell.kind != SaleKind::Adjustment).then(|| month::adjustments_only().at("kind"))
    }
}
