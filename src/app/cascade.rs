//! What a change of a seller's eligibility does to its listings.
//!
//! Enters: an exporter as it is from now on. Leaves: its listings suspended or brought back, to be
//! written in the same change.

use jiff::Timestamp;
use jiff::civil::Date;

use super::write::put;
use super::{App, Page, Versioned};
use crate::change::{Expect, Kind, Write};
use crate::domain::exporter::{Eligibility, Exporter};
use crate::domain::listing::Listing;
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
    /// What follows for the listings of `seller`, which is from now on as given.
    pub async fn cascade(&self, seller: &Exporter, today: Date, at: Timestamp) -> Result<Cascade> {
        let mut cascade = Cascade::default();
        let mut query = PageQuery::all(Kind::Listing, READ);
        query.equal.push(("seller_cuit", seller.cuit.to_string()));
        loop {
            let page: Page<Versioned<Listing>> = self.documents(query.clone()).await?;
            for held in page.items {
                cascade.follow(seller, held, today, at)?;
            }
            match page.next {
                Some(next) => query.after = next,
                None => return Ok(cascade),
            }
        }
    }
}
