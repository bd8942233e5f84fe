//! Listings as sale lines need them, in memory.
//!
//! Enters: the skus of a batch. Leaves: what is known of each listing and of its seller. Read
//! from the store on a miss, dropped as soon as a listing or an exporter was written; it holds
//! a bounded number of skus, known or not.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use super::{App, decode};
use crate::change::{Kind, LineListing};
use crate::domain::exporter::Exporter;
use crate::domain::listing::{Listing, ListingState, listing_key};
use crate::domain::partner::PartnerId;
use crate::error::Result;

/// How many skus are kept; when there is no room all of them are dropped and read again.
const ROOM: usize = 100_000;

/// A listing as a sale line needs it.
#[derive(Clone, Debug)]
pub struct Offered {
    /// What rollups need to know.
    pub about: Arc<LineListing>,
    /// Whether it may be sold.
    pub cleared: bool,
    /// Its seller, if the registry knows it.
    pub seller: Option<Arc<Exporter>>,
}

/// What is known of each sku of a batch; `None`: no such listing.
pub type Offers<'a> = HashMap<&'a str, Option<Arc<Offered>>>;

/// The skus asked about lately.
#[derive(Default)]
pub struct Catalog {
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    /// How often listings and exporters had been written when the first of these was read.
    as_of: [u64; 2],
    count: usize,
    by_marketplace: HashMap<PartnerId, HashMap<String, Option<Arc<Offered>>>>,
}

impl App {
    /// What is known now of the listings of `marketplace` with these skus.
    pub async fn offers<'a>(
        &self,
        marketplace: &PartnerId,
        skus: impl Iterator<Item = &'a str>,
    ) -> Result<Offers<'a>> {
        let as_of = [self.writer.touched(Kind::Listing), self.writer.touched(Kind::Exporter)];
        let mut offers = Offers::new();
        let unknown = self.catalog.look_up(as_of, marketplace, skus, &mut offers);
        if unknown.is_empty() {
            return Ok(offers);
        }
        let read = self.read_offers(marketplace, &unknown).await?;
        let fresh: Vec<_> = unknown.into_iter().map(|sku| (sku, read.get(sku).cloned())).collect();
        self.catalog.keep(as_of, marketplace, &fresh);
        offers.extend(fresh);
        Ok(offers)
    }

    async fn read_offers(
        &self,
        marketplace: &PartnerId,
        skus: &HashSet<&str>,
    ) -> Result<HashMap<String, Arc<Offered>>> {
        let keys = skus.iter().map(|sku| listing_key(marketplace, sku)).collect();
        let mut listings: Vec<(String, Listing)> = Vec::new();
        for record in self.store.records(Kind::Listing, keys).await? {
            let listing = decode(&record)?.value;
            listings.push((record.key, listing));
        }
        let cuits: BTreeSet<String> =
            listings.iter().map(|(_, listing)| listing.seller.to_string()).collect();
        let mut sellers: BTreeMap<String, Arc<Exporter>> = BTreeMap::new();
        for record in self.store.records(Kind::Exporter, cuits.into_iter().collect()).await? {
            let exporter = decode(&record)?.value;
            sellers.insert(record.key, Arc::new(exporter));
        }
        let offered = listings.into_iter().map(|(key, listing)| {
            let seller = sellers.get(&listing.seller.to_string()).cloned();
            (listing.sku.to_string(), Arc::new(offered(key, &listing, seller)))
        });
        Ok(offered.collect())
    }
}

fn offered(key: String, listing: &Listing, seller: Option<Arc<Exporter>>) -> Offered {
    let (province, size_class) = match &seller {
        Some(seller) => (seller.province.to_string(), seller.size_class.to_string()),
        None => Default::default(),
    };
    let about = LineListing {
        key,
        seller: listing.seller.to_string(),
        ncm: format!("{:08}", listing.ncm.number()),
        channel: listing.channel,
        province,
        size_class,
    };
    Offered { about: Arc::new(about), cleared: listing.state == ListingState::Cleared, seller }
}

impl Catalog {
    /// Fills `offers` with what is kept and answers the skus that are not.
    fn look_up<'a>(
        &self,
        as_of: [u64; 2],
        marketplace: &PartnerId,
        skus: impl Iterator<Item = &'a str>,
        offers: &mut Offers<'a>,
    ) -> HashSet<&'a str> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.bring_to(as_of);
        let ours = kept.by_marketplace.get(marketplace);
        let mut unknown = HashSet::new();
        for sku in skus {
            if offers.contains_key(sku) {
                continue;
            }
            match ours.and_then(|ours| ours.get(sku)) {
                Some(offer) => {
                    offers.insert(sku, offer.clone());
                }
                None => {
                    unknown.insert(sku);
                }
            }
        }
        unknown
    }

    /// Keeps what was read, unless something was written since `as_of`.
    fn keep(
        &self,
        as_of: [u64; 2],
        marketplace: &PartnerId,
        fresh: &[(&str, Option<Arc<Offered>>)],
    ) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.as_of != as_of {
            return;
        }
        if kept.count + fresh.len() > ROOM {
            kept.empty();
        }
        if fresh.len() > ROOM {
            return;
        }
        kept.count += fresh.len();
        let ours = kept.by_marketplace.entry(marketplace.clone()).or_default();
        for (sku, offer) in fresh {
            ours.insert((*sku).to_owned(), offer.clone());
        }
    }
}

impl Kept {
    /// Drops everything if something was written since it was read.
    fn bring_to(&mut self, as_of: [u64; 2]) {
        if self.as_of != as_of {
            self.empty();
            self.as_of = as_of;
        }
    }

    fn empty(&mut self) {
        self.by_marketplace.clear();
        self.count = 0;
    }
}
