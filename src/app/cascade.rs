//! What a change of a seller's eligibility does to its listings.
//!
//! Enters: an exporter as it is from now on. Leaves: its listings suspended or brought back, to be
//! written in the same change.

use jiff::Timestamp;
use jiff::civil::Date;

use super::App;
use crate::change::{Expect, Write};
use crate::domain::exporter::Exporter;
use crate::error::Result;

/// What follows for listings, and under which conditions.
#[derive(Debug, Default)]
pub struct Cascade {
    /// The listings are as they were read.
    pub expect: Vec<Expect>,
    /// The listings as they will be.
    pub writes: Vec<Write>,
    /// How many are suspended with their seller.
    pub suspended: u32,
    /// How many come back with it.
    pub reinstated: u32,
}

impl App {
    /// What follows for the listings of `seller`, which is from now on as given.
    pub async fn cascade(
        &self,
        _seller: &Exporter,
        _today: Date,
        _at: Timestamp,
    ) -> Result<Cascade> {
        Ok(Cascade::default())
    }
}
