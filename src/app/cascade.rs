//! What a change of a seller's eligibility does to its listings.
//!
//! Enters: an exporter as it is from now on. Leaves: its listings suspended or brought back, to be
//! written in the same change.

use jiff::Timestamp;
use jiff::civil::Date;

use super::{App, decode, encode};
use crate::change::{Expect, Kind, Record, Write};
use crate::domain::exporter::{Eligibility, Exporter};
use crate::domain::listing::{Listing, ListingState, SuspensionReason};
use crate::error::Result;
use crate::store::PageQuery;

/// Listings read at a time.
const READ: u32 = 500;

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
    /// What follows for the listings of `seller`, which is from now on as given: each is judged
    /// by the chapter of its goods.
    pub async fn cascade(&self, seller: &Exporter, today: Date, at: Timestamp) -> Result<Cascade> {
        let mut cascade = Cascade::default();
        let mut query = PageQuery::all(Kind::Listing, READ);
        query.equal.push(("seller_cuit", seller.cuit.to_string()));
        loop {
            let records = self.store.page(query.clone()).await?;
            let full = records.len() == READ as usize;
            if let Some(last) = records.last() {
                query.after.clone_from(&last.key);
            }
            for record in records {
                cascade.follow(seller, record, today, at)?;
            }
            if !full {
                return Ok(cascade);
            }
        }
    }

    /// Whether there is any listing at all that could follow its seller.
    pub async fn has_listings(&self) -> Result<bool> {
        Ok(!self.store.page(PageQuery::all(Kind::Listing, 1)).await?.is_empty())
    }
}

impl Cascade {
    /// Adds what follows for one listing.
    fn follow(
        &mut self,
        seller: &Exporter,
        mut record: Record,
        today: Date,
        at: Timestamp,
    ) -> Result<()> {
        let mut listing: Listing = decode(&record)?.value;
        let before = listing.state;
        let chapter = listing.offer.ncm.chapter();
        let touched = match seller.eligibility(today, None, Some(chapter)) {
            Eligibility::Eligible { .. } => listing.lift(SuspensionReason::Seller, at),
            Eligibility::NotEligible(_) | Eligibility::Unknown => {
                listing.suspend(SuspensionReason::Seller, at)
            }
        };
        if !touched {
            return Ok(());
        }
        let suspended = |state| state == ListingState::Suspended;
        self.suspended += u32::from(!suspended(before) && suspended(listing.state));
        self.reinstated += u32::from(suspended(before) && !suspended(listing.state));
        let (kind, key, version) = (Kind::Listing, record.key.clone(), record.version);
        self.expect.push(Expect::Version { kind, key, version });
        listing.state.as_str().clone_into(&mut record.state);
        record.body = encode(&listing)?;
        self.writes.push(Write::Put(record));
        Ok(())
    }
}

#[cfg(test)]
#[path = "cascade_tests.rs"]
mod tests;
