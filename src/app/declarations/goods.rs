//! Which listings declared goods are of.
//!
//! Enters: names of listings, or article numbers with or without their marketplace. Leaves: the
//! listings, as far as the caller may see them, or a fault that says what to give instead.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::NewItem;
use crate::app::delegations::mandates::Mandates;
use crate::app::listings::may_see;
use crate::app::{App, Versioned, decode};
use crate::change::{Expect, Kind, Record};
use crate::domain::caller::Caller;
use crate::domain::customs_declaration::{DeclaredItem, Terms};
use crate::domain::declaration::DeclarationNumber;
use crate::domain::fault::Fault;
use crate::domain::listing::{Listing, listing_key};
use crate::domain::partner::PartnerId;
use crate::domain::text::Sku;
use crate::error::Result;
use crate::store::PageQuery;

/// Marketplaces with one article number that are looked at.
const OF_ONE_SKU: u32 = 1000;

/// How an item says of which listing its goods are: by name, by article number, or both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedListing {
    /// Key of the listing.
    pub key: Option<String>,
    /// The article number.
    pub sku: Option<Sku>,
}

impl NamedListing {
    /// Whether it may mean the listing of `item`, as far as it says anything.
    pub(super) fn fits(&self, marketplace: Option<&PartnerId>, item: &DeclaredItem) -> bool {
        let by_key = self.key.as_ref().map(|key| *key == item.listing);
        let by_sku = self.sku.as_ref().is_none_or(|sku| *sku == item.sku);
        let of = marketplace.is_none_or(|marketplace| *marketplace == item.marketplace);
        by_key.unwrap_or(of) && by_sku
    }
}

/// The listings that some items name.
pub(super) struct NamedListings {
    marketplace: Option<PartnerId>,
    by_key: HashMap<String, Versioned<Listing>>,
    /// Keys by article number, where no marketplace is given.
    by_sku: HashMap<Sku, Vec<String>>,
}

impl App {
    /// Looks up all listings that `names` name, article numbers among those of `marketplace` if
    /// it is given. For a broker listings of others than its exporters are not there.
    pub(super) async fn named_listings(
        &self,
        caller: &Caller,
        mandates: &Mandates,
        marketplace: Option<&PartnerId>,
        names: impl Iterator<Item = &NamedListing>,
    ) -> Result<NamedListings> {
        let (mut keys, mut skus) = (BTreeSet::new(), BTreeSet::new());
        for name in names {
            match (&name.key, &name.sku, marketplace) {
                (Some(key), _, _) => drop(keys.insert(key.clone())),
                (None, Some(sku), Some(of)) => drop(keys.insert(listing_key(of, sku.as_str()))),
                (None, Some(sku), None) => drop(skus.insert(sku.clone())),
                (None, None, _) => {}
            }
        }
        let mut found = NamedListings {
            marketplace: marketplace.cloned(),
            by_key: HashMap::new(),
            by_sku: HashMap::new(),
        };
        for record in self.records_of(Kind::Listing, keys).await? {
            found.keep(caller, mandates, &record)?;
        }
        for sku in skus {
            let mut page = PageQuery::all(Kind::Listing, OF_ONE_SKU);
            page.equal.push(("sku", sku.to_string()));
            let mut keys = Vec::new();
            for record in self.store.page(page).await? {
                keys.extend(found.keep(caller, mandates, &record)?);
            }
            found.by_sku.insert(sku, keys);
        }
        Ok(found)
    }
}

impl NamedListings {
    /// Keeps a listing that the caller may see; its key.
    fn keep(
        &mut self,
        caller: &Caller,
        mandates: &Mandates,
        record: &Record,
    ) -> Result<Option<String>> {
        let held: Versioned<Listing> = decode(record)?;
        let seen = match mandates {
            Mandates::All => may_see(caller, &held.value),
            Mandates::Of(_) => {
                held.value.submitted_at.is_some() && mandates.allow(held.value.seller)
            }
        };
        if !seen {
            return Ok(None);
        }
        self.by_key.insert(record.key.clone(), held);
        Ok(Some(record.key.clone()))
    }

    /// The item as declared, if its listing is there and agrees with it.
    ///
    /// # Errors
    /// `UNKNOWN_LISTING`, `UNKNOWN_SKU`, `AMBIGUOUS_SKU` (metadata `marketplaces`), and those of
    /// [`DeclaredItem::declare`].
    pub(super) fn declare(
        &self,
        number: DeclarationNumber,
        terms: &Terms,
        new: &NewItem,
    ) -> std::result::Result<DeclaredItem, Fault> {
        let listing = self.find(&new.listing)?;
        let sku = new.listing.sku.as_ref();
        DeclaredItem::declare(number, terms, new.item, new.goods.clone(), listing, sku)
    }

    /// The condition that the listing is still as it was read.
    pub(super) fn stands(&self, key: &str) -> Option<Expect> {
        let version = self.by_key.get(key)?.version;
        Some(Expect::Version { kind: Kind::Listing, key: key.to_owned(), version })
    }

    fn find(&self, name: &NamedListing) -> std::result::Result<&Listing, Fault> {
        let listing = |key: &str| self.by_key.get(key).map(|held| &held.value);
        if let Some(key) = &name.key {
            return listing(key).ok_or_else(|| {
                Fault::illegal_state(
                    "UNKNOWN_LISTING",
                    "there is no such listing, or it was not handed in yet",
                )
                .at("listing")
            });
        }
        let Some(sku) = &name.sku else {
            return Err(Fault::malformed("INVALID_FIELD", "give the listing or its sku").at("sku"));
        };
        if let Some(marketplace) = &self.marketplace {
            return listing(&listing_key(marketplace, sku.as_str())).ok_or_else(unknown_sku);
        }
        match self.by_sku.get(sku).map(Vec::as_slice) {
            None | Some([]) => Err(unknown_sku()),
            Some([only]) => listing(only).ok_or_else(unknown_sku),
            Some(several) => Err(ambiguous_sku(several.iter().filter_map(|key| listing(key)))),
        }
    }
}

fn unknown_sku() -> Fault {
    Fault::illegal_state(
        "UNKNOWN_SKU",
        "no listing that was handed in has this sku; declare its goods once there is one",
    )
    .at("sku")
}

fn ambiguous_sku<'l>(listings: impl Iterator<Item = &'l Listing>) -> Fault {
    let of: BTreeMap<&str, ()> =
        listings.map(|listing| (listing.marketplace.as_str(), ())).collect();
    let of: Vec<&str> = of.into_keys().collect();
    let of = of.join(",");
    Fault::illegal_state(
        "AMBIGUOUS_SKU",
        format!("several marketplaces have this sku: {of}; say which is meant"),
    )
    .with("marketplaces", of)
    .at("sku")
}
