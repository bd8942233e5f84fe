//! Many listings at once, by their sku.
//!
//! Enters: whole listings, each good or already known to be faulty. Leaves: what
//! became of each. The good ones are taken as one change; a faulty one changes nothing.

use std::collections::{HashMap, HashSet};

use serde::{Deserialize, Serialize};

use super::super::decode;
use super::super::write::{Intent, Plan, Written};
use super::{Desk, NewListing, Shown, seller_stands, unchanged};
use crate::app::{App, Versioned};
use crate::change::{Expect, Kind, Write};
use crate::domain::caller::Caller;
use crate::domain::exporter::Exporter;
use crate::domain::fault::Fault;
use crate::domain::listing::{Listing, ListingState, listing_key};
use crate::domain::partner::PartnerId;
use crate::error::{Error, ErrorKind, Result};
use crate::ledger::{Draft, EntryKind};

/// One item of a batch, with the sender's own number of it.
#[derive(Clone, Debug)]
pub struct BatchItem {
    /// The sender's number.
    pub row: i64,
    /// The listing, or what was wrong with it before it came here.
    pub listing: std::result::Result<NewListing, ItemFault>,
}

/// Why an item was refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ItemFault {
    /// A fixed word for programs.
    pub reason: String,
    /// The field at fault, inside the item; may be empty.
    pub field: String,
    /// One sentence for a person.
    pub message: String,
}

impl From<&Error> for ItemFault {
    fn from(error: &Error) -> Self {
        Self {
            reason: error.reason.to_owned(),
            field: error.fields.first().map(|one| one.field.clone()).unwrap_or_default(),
            message: error.message.clone(),
        }
    }
}

/// What became of one item.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The listing as it is now.
    Listing(Box<Shown>),
    /// What is wrong with it.
    Fault(ItemFault),
}

/// What became of a batch.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchAnswer {
    /// One outcome an item with its number, in the order sent.
    pub results: Vec<(i64, Outcome)>,
    /// Listings that were not there before.
    pub created: u32,
    /// Listings of which something changed.
    pub updated: u32,
    /// Listings that were sent as they stood.
    pub unchanged: u32,
    /// Items with a fault.
    pub faulty: u32,
}

impl App {
    /// Makes or updates the caller's listings by their sku, and hands in those that wait for it
    /// if `submit`; no receipt if every item is faulty.
    pub async fn batch_listings(
        &self,
        caller: &Caller,
        intent: &Intent,
        items: &[BatchItem],
        submit: bool,
    ) -> Result<Written<BatchAnswer>> {
        self.write(intent, || async {
            let held = self.listings_of(caller.partner(), items).await?;
            let sellers = if submit { self.sellers_of(items).await? } else { HashMap::new() };
            let batch = Batch {
                desk: self.desk(),
                marketplace: caller.partner(),
                held,
                sellers,
                submit,
                met: HashSet::new(),
                submitted: 0,
                expect: Vec::new(),
                writes: Vec::new(),
                answer: BatchAnswer::default(),
            };
            batch.plan(items)
        })
        .await
    }

    async fn listings_of(
        &self,
        marketplace: &PartnerId,
        items: &[BatchItem],
    ) -> Result<HashMap<String, Versioned<Listing>>> {
        let listings = items.iter().filter_map(|item| item.listing.as_ref().ok());
        let keys: HashSet<_> =
            listings.map(|new| listing_key(marketplace, new.sku.as_str())).collect();
        let records = self.store.records(Kind::Listing, keys.into_iter().collect()).await?;
        records.iter().map(|record| Ok((record.key.clone(), decode(record)?))).collect()
    }

    async fn sellers_of(
        &self,
        items: &[BatchItem],
    ) -> Result<HashMap<String, Versioned<Exporter>>> {
        let listings = items.iter().filter_map(|item| item.listing.as_ref().ok());
        let cuits: HashSet<_> = listings.map(|new| new.seller.to_string()).collect();
        let records = self.store.records(Kind::Exporter, cuits.into_iter().collect()).await?;
        records.iter().map(|record| Ok((record.key.clone(), decode(record)?))).collect()
    }
}

/// A batch while its items are judged one by one.
struct Batch<'a> {
    desk: Desk,
    marketplace: &'a PartnerId,
    held: HashMap<String, Versioned<Listing>>,
    sellers: HashMap<String, Versioned<Exporter>>,
    submit: bool,
    met: HashSet<String>,
    submitted: u32,
    expect: Vec<Expect>,
    writes: Vec<Write>,
    answer: BatchAnswer,
}

impl Batch<'_> {
    fn plan(mut self, items: &[BatchItem]) -> Result<Plan<BatchAnswer>> {
        for item in items {
            let outcome = match &item.listing {
                Err(fault) => Outcome::Fault(fault.clone()),
                Ok(new) => match self.take(new) {
                    Ok(shown) => Outcome::Listing(Box::new(shown)),
                    Err(error) if error.kind == ErrorKind::Internal => return Err(error),
                    Err(error) => Outcome::Fault(ItemFault::from(&error)),
                },
            };
            self.answer.faulty += u32::from(matches!(outcome, Outcome::Fault(_)));
            self.answer.results.push((item.row, outcome));
        }
        let answer = self.answer;
        let draft = Draft::new(EntryKind::ListingsBatched)
            .fact("created", answer.created)
            .fact("updated", answer.updated)
            .fact("unchanged", answer.unchanged)
            .fact("faulty", answer.faulty)
            .fact("submitted", self.submitted);
        Ok(Plan { answer, expect: self.expect, writes: self.writes, draft })
    }

    /// Judges one item; what it changes is noted only once nothing is wrong with it.
    fn take(&mut self, new: &NewListing) -> Result<Shown> {
        let key = listing_key(self.marketplace, new.sku.as_str());
        if !self.met.insert(key.clone()) {
            return Err(Error::invalid(
                "DUPLICATE_SKU",
                "sku",
                "the sku came before in this batch: send each once",
            ));
        }
        let (mut listing, version, mut changed) = match self.held.get(&key) {
            None => (self.desk.draft(self.marketplace, new.clone())?, 0, true),
            Some(held) => {
                let mut listing = held.value.clone();
                if listing.seller != new.seller {
                    return Err(Fault::conflict(
                        "SELLER_CHANGED",
                        "the seller of a sku never changes: offer the product under another sku",
                    )
                    .at("seller_cuit")
                    .into());
                }
                let changed = self.desk.change(&mut listing, new.offer.clone())?;
                (listing, held.version, changed)
            }
        };
        let waits = [ListingState::Draft, ListingState::Refused, ListingState::InfoRequested];
        if self.submit && waits.contains(&listing.state) {
            let seller = self.sellers.get(&listing.seller.to_string());
            self.desk.submit(&mut listing, seller)?;
            let stands = seller_stands(&listing, seller);
            if !self.expect.contains(&stands) {
                self.expect.push(stands);
            }
            self.submitted += 1;
            changed = true;
        }
        if !changed {
            self.answer.unchanged += 1;
            self.expect.push(unchanged(&key, version));
            return Ok(self.desk.shown(listing, version));
        }
        let (expect, write) = self.desk.put(&listing, version)?;
        self.expect.push(expect);
        self.writes.push(write);
        let counted =
            if version == 0 { &mut self.answer.created } else { &mut self.answer.updated };
        *counted += 1;
        Ok(self.desk.shown(listing, version + 1))
    }
}
