//! What marketplaces offer: listings made, changed, handed in and taken back.
//!
//! Enters: a caller, an intent and parsed offers. Leaves: listings as they are
//! now, with their receipts. Which goods need whose clearance and certificates
//! is read from the reference tables; whether a seller may export, from the registry.

pub mod batch;
mod desk;
pub mod patch;

use serde::{Deserialize, Serialize};

pub(super) use self::desk::Desk;
use super::write::{Intent, Plan, Written, check_etag};
use super::{App, Page, Versioned};
use crate::change::{Expect, Kind};
use crate::domain::caller::{Caller, Visibility};
use crate::domain::certificate::CertificateIssuer;
use crate::domain::cuit::Cuit;
use crate::domain::exporter::Exporter;
use crate::domain::listing::{Channel, Listing, ListingState, Offer, listing_key};
use crate::domain::partner::PartnerId;
use crate::domain::text::Sku;
use crate::error::{Error, Result};
use crate::ledger::{Draft, EntryKind};
use crate::store::PageQuery;
use patch::OfferPatch;

/// A listing that a marketplace wants to have, whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewListing {
    /// The marketplace's article number.
    pub sku: Sku,
    /// The seller.
    pub seller: Cuit,
    /// What is offered.
    pub offer: Offer,
}

/// A listing as it is shown: with its version and what it lacks today.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shown {
    /// The listing.
    pub listing: Listing,
    /// Its version, whose text is the etag of the API.
    pub version: u64,
    /// Issuers whose certificate it needs and does not have, or has only expired.
    pub missing: Vec<CertificateIssuer>,
}

/// A listing taken back, and why; the reason is kept with the ledger's entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Withdrawal {
    /// The listing as it is now.
    pub shown: Shown,
    /// The marketplace's words; may be empty.
    pub reason: String,
}

/// Which listings to list; `None` and empty mean all.
#[derive(Clone, Debug, Default)]
pub struct ListingsQuery {
    /// In this state.
    pub state: Option<ListingState>,
    /// Of this seller.
    pub seller: Option<Cuit>,
    /// Sold through this shop.
    pub channel: Option<Channel>,
    /// With a tariff code that begins with these digits.
    pub ncm_prefix: String,
    /// With this sku.
    pub sku: Option<Sku>,
    /// Of this marketplace.
    pub marketplace: Option<PartnerId>,
    /// The `next` of the page before; empty for the first page.
    pub after: String,
    /// At most so many.
    pub limit: u32,
}

impl App {
    /// Makes a listing in the state DRAFT.
    ///
    /// # Errors
    /// `SKU_EXISTS` (metadata `name`), `UNKNOWN_NCM`.
    pub async fn create_listing(
        &self,
        caller: &Caller,
        intent: &Intent,
        new: &NewListing,
    ) -> Result<Written<Shown>> {
        let key = listing_key(caller.partner(), new.sku.as_str());
        self.write(intent, || async {
            let desk = self.desk();
            let held: Option<Versioned<Listing>> = self.document(Kind::Listing, &key).await?;
            if held.is_some() {
                return Err(Error::already_exists(
                    "SKU_EXISTS",
                    "the marketplace has a listing with this sku: update it, or offer the product \
                     under another sku",
                )
                .with("name", format!("listings/{key}")));
            }
            let listing =
                desk.draft(caller.partner(), new.clone()).map_err(|e| e.within("listing"))?;
            desk.plan(EntryKind::ListingCreated, listing, 0)
        })
        .await
    }

    /// Changes what `patch` names of the caller's listing at `key`.
    ///
    /// # Errors
    /// `NOT_FOUND`, `STALE_ETAG`, `UNKNOWN_NCM`, `LISTING_WITHDRAWN`.
    pub async fn update_listing(
        &self,
        caller: &Caller,
        intent: &Intent,
        key: &str,
        etag: &str,
        patch: &OfferPatch,
    ) -> Result<Written<Shown>> {
        self.write(intent, || async {
            let desk = self.desk();
            let Versioned { value: mut listing, version } =
                self.own_listing(caller, key, etag).await?;
            let offer = patch.apply(&listing.offer);
            if !desk.change(&mut listing, offer).map_err(|e| e.within("listing"))? {
                return Ok(Plan {
                    answer: desk.shown(listing, version),
                    expect: vec![unchanged(key, version)],
                    writes: vec![],
                    draft: Draft::new(EntryKind::ListingUpdated)
                        .about(format!("listings/{key}"))
                        .fact("changed", false),
                });
            }
            desk.plan(EntryKind::ListingUpdated, listing, version)
        })
        .await
    }

    /// Hands the caller's listing at `key` in to the authorities.
    ///
    /// # Errors
    /// `NOT_FOUND`, `STALE_ETAG`, `ILLEGAL_TRANSITION`, `SELLER_NOT_ELIGIBLE` (metadata `verdict`
    /// and `seller_reason`), `CERTIFICATES_MISSING` (metadata `issuers`).
    pub async fn submit_listing(
        &self,
        caller: &Caller,
        intent: &Intent,
        key: &str,
        etag: &str,
    ) -> Result<Written<Shown>> {
        self.write(intent, || async {
            let desk = self.desk();
            let Versioned { value: mut listing, version } =
                self.own_listing(caller, key, etag).await?;
            let seller: Option<Versioned<Exporter>> =
                self.document(Kind::Exporter, &listing.seller.to_string()).await?;
            desk.submit(&mut listing, seller.as_ref())?;
            let seller = seller_stands(&listing, seller.as_ref());
            let mut plan = desk.plan(EntryKind::ListingSubmitted, listing, version)?;
            plan.expect.push(seller);
            Ok(plan)
        })
        .await
    }

    /// Takes the caller's listing at `key` back for good.
    ///
    /// # Errors
    /// `NOT_FOUND`, `STALE_ETAG`, `ILLEGAL_TRANSITION`.
    pub async fn withdraw_listing(
        &self,
        caller: &Caller,
        intent: &Intent,
        key: &str,
        etag: &str,
        reason: &str,
    ) -> Result<Written<Withdrawal>> {
        self.write(intent, || async {
            let desk = self.desk();
            let Versioned { value: mut listing, version } =
                self.own_listing(caller, key, etag).await?;
            listing.withdraw(desk.now)?;
            let plan = desk.plan(EntryKind::ListingWithdrawn, listing, version)?;
            let answer = Withdrawal { shown: plan.answer, reason: reason.to_owned() };
            Ok(Plan { answer, expect: plan.expect, writes: plan.writes, draft: plan.draft })
        })
        .await
    }

    /// One listing, if the caller may see it: the marketplace its own, authorities and auditors
    /// those that were handed in.
    ///
    /// # Errors
    /// `NOT_FOUND`.
    pub async fn listing(&self, caller: &Caller, key: &str) -> Result<Shown> {
        let held = self.visible_listing(caller, key).await?;
        Ok(self.desk().shown(held.value, held.version))
    }

    /// Listings that the caller may see, in the order of their keys.
    pub async fn list_listings(
        &self,
        caller: &Caller,
        query: &ListingsQuery,
    ) -> Result<Page<Shown>> {
        let owner = match (caller.visibility(), &query.marketplace) {
            (Visibility::Own(own), Some(other)) if own != *other => {
                return Ok(Page { items: vec![], next: None });
            }
            (Visibility::Own(own), _) => Some(own),
            (Visibility::All, asked) => asked.clone(),
        };
        let mut page = PageQuery::all(Kind::Listing, query.limit);
        page.owner = owner.map(|owner| owner.to_string());
        page.state = query.state.map(|state| state.as_str().to_owned());
        page.after.clone_from(&query.after);
        let equal = [
            ("seller_cuit", query.seller.map(|seller| seller.to_string())),
            ("channel", query.channel.map(|channel| channel.as_str().to_owned())),
            ("sku", query.sku.as_ref().map(ToString::to_string)),
        ];
        page.equal = equal.into_iter().filter_map(|(column, v)| Some((column, v?))).collect();
        if !query.ncm_prefix.is_empty() {
            page.prefix.push(("ncm", query.ncm_prefix.clone()));
        }
        let desk = self.desk();
        let found: Page<Versioned<Listing>> = self.documents(page).await?;
        let seen = found.items.into_iter().filter(|held| may_see(caller, &held.value));
        let items = seen.map(|held| desk.shown(held.value, held.version)).collect();
        Ok(Page { items, next: found.next })
    }

    /// The listing at `key`, if the caller may see it.
    pub(super) async fn visible_listing(
        &self,
        caller: &Caller,
        key: &str,
    ) -> Result<Versioned<Listing>> {
        let held: Option<Versioned<Listing>> = self.document(Kind::Listing, key).await?;
        held.filter(|held| may_see(caller, &held.value)).ok_or_else(Error::not_found)
    }

    async fn own_listing(
        &self,
        caller: &Caller,
        key: &str,
        etag: &str,
    ) -> Result<Versioned<Listing>> {
        let held: Option<Versioned<Listing>> = self.document(Kind::Listing, key).await?;
        let held = held
            .filter(|held| held.value.marketplace == *caller.partner())
            .ok_or_else(Error::not_found)?;
        check_etag(etag, held.version)?;
        Ok(held)
    }

    /// The rules as of this moment.
    pub(super) fn desk(&self) -> Desk {
        Desk { tables: self.reference.tables(), now: self.env.now() }
    }
}

/// Whether `caller` may see `listing`: its owner always, others once it was handed in.
pub(super) fn may_see(caller: &Caller, listing: &Listing) -> bool {
    listing.marketplace == *caller.partner()
        || (caller.visibility() == Visibility::All && listing.submitted_at.is_some())
}

fn unchanged(key: &str, version: u64) -> Expect {
    Expect::Version { kind: Kind::Listing, key: key.to_owned(), version }
}

/// The condition that what the registry says of the seller did not change meanwhile.
pub(super) fn seller_stands(listing: &Listing, seller: Option<&Versioned<Exporter>>) -> Expect {
    Expect::Version {
        kind: Kind::Exporter,
        key: listing.seller.to_string(),
        version: seller.map_or(0, |held| held.version),
    }
}

#[cfg(test)]
#[path = "listings/tests.rs"]
pub(super) mod tests;
