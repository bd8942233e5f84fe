//! Clearance of listings by customs and agencies, each for its own part.
//!
//! Enters: an authority as caller, and its decision. Leaves: listings. Which part
//! a decision is about follows from who the caller is.

use std::collections::BTreeMap;

use super::listings::{Shown, seller_stands};
use super::write::{Intent, Written, check_etag};
use super::{App, Page, Versioned};
use crate::change::Kind;
use crate::domain::caller::Caller;
use crate::domain::exporter::{Eligibility, Exporter, argentine_day};
use crate::domain::listing::{Decision, Listing, ListingState, ReviewState, SuspensionReason};
use crate::domain::partner::{Authority, PartnerId};
use crate::domain::text::Note;
use crate::error::Result;
use crate::ledger::EntryKind;
use crate::store::PageQuery;

/// Listings read at a time.
const SCAN: u32 = 1000;

/// What waits for the caller's decision.
#[derive(Clone, Debug, Default)]
pub struct PendingQuery {
    /// Only of this marketplace.
    pub marketplace: Option<PartnerId>,
    /// Only with a tariff code that begins with these digits; empty for all.
    pub ncm_prefix: String,
    /// The `next` of the page before; empty for the first page.
    pub after: String,
    /// At most so many.
    pub limit: u32,
}

/// What an authority decides.
#[derive(Clone, Debug)]
pub struct Ruling {
    /// Key of the listing.
    pub listing: String,
    /// The etag the caller read; empty for any.
    pub etag: String,
    /// The decision.
    pub decision: Decision,
    /// The revision decided on; `None` for whichever is current.
    pub revision: Option<u32>,
    /// What the marketplace is told.
    pub note: Option<Note>,
}

impl App {
    /// Listings that wait for the caller's decision, the longest waiting first.
    ///
    /// All that wait are looked through for each page; memory is bounded by the page.
    ///
    /// # Errors
    /// `NOT_AN_AUTHORITY`.
    pub async fn list_pending(&self, caller: &Caller, query: &PendingQuery) -> Result<Page<Shown>> {
        let authority = caller.require_authority()?;
        let mut waiting: BTreeMap<String, Versioned<Listing>> = BTreeMap::new();
        let limit = query.limit as usize;
        for state in [ListingState::Submitted, ListingState::UnderReview] {
            let mut page = PageQuery::all(Kind::Listing, SCAN);
            page.state = Some(state.as_str().to_owned());
            page.owner = query.marketplace.as_ref().map(ToString::to_string);
            if !query.ncm_prefix.is_empty() {
                page.prefix.push(("ncm", query.ncm_prefix.clone()));
            }
            loop {
                let found: Page<Versioned<Listing>> = self.documents(page.clone()).await?;
                for held in found.items {
                    let place = place(&held.value);
                    if waits_for(&held.value, authority) && place > query.after {
                        waiting.insert(place, held);
                    }
                    if waiting.len() > limit + 1 {
                        waiting.pop_last();
                    }
                }
                match found.next {
                    Some(next) => page.after = next,
                    None => break,
                }
            }
        }
        let more = waiting.len() > limit;
        if more {
            waiting.pop_last();
        }
        let next =
            if more { waiting.last_key_value().map(|(place, _)| place.clone()) } else { None };
        let desk = self.desk();
        let items = waiting.into_values().map(|held| desk.shown(held.value, held.version));
        Ok(Page { items: items.collect(), next })
    }

    /// Decides the caller's part of a listing; the last word holds.
    ///
    /// # Errors
    /// `NOT_AN_AUTHORITY`, `NOT_FOUND` before it is handed in, `STALE_ETAG`, `STALE_REVISION`,
    /// `ILLEGAL_TRANSITION`, `NOT_COMPETENT`, `NOTE_REQUIRED`.
    pub async fn decide_listing(
        &self,
        caller: &Caller,
        intent: &Intent,
        ruling: &Ruling,
    ) -> Result<Written<Shown>> {
        let authority = caller.require_authority()?;
        self.write(intent, || async {
            let desk = self.desk();
            let Versioned { value: mut listing, version } =
                self.visible_listing(caller, &ruling.listing).await?;
            check_etag(&ruling.etag, version)?;
            // A suspension that was recorded while the listing was on its way here is seen now,
            // and one recorded from now on sees the listing.
            let seller: Option<Versioned<Exporter>> =
                self.document(Kind::Exporter, &listing.seller.to_string()).await?;
            let chapter = Some(listing.offer.ncm.chapter());
            let today = argentine_day(desk.now);
            let standing = seller.as_ref().map(|s| s.value.eligibility(today, None, chapter));
            if matches!(standing, Some(Eligibility::Eligible { .. })) {
                listing.lift(SuspensionReason::Seller, desk.now);
            } else {
                listing.suspend(SuspensionReason::Seller, desk.now);
            }
            let seller = seller_stands(&listing, seller.as_ref());
            // The same of its certificates, and of rules that are new.
            desk.judge(&mut listing);
            listing.decide(
                authority,
                ruling.decision,
                ruling.revision,
                ruling.note.clone(),
                desk.now,
            )?;
            let kind = match ruling.decision {
                Decision::Clear => EntryKind::ListingCleared,
                Decision::Refuse => EntryKind::ListingRefused,
                Decision::RequestInfo => EntryKind::ListingInfoRequested,
            };
            let mut plan = desk.plan(kind, listing, version)?;
            plan.draft = plan.draft.fact("authority", authority);
            plan.expect.push(seller);
            Ok(plan)
        })
        .await
    }
}

fn waits_for(listing: &Listing, authority: Authority) -> bool {
    listing
        .reviews
        .iter()
        .any(|review| review.authority == authority && review.state == ReviewState::Pending)
}

/// Where a listing stands among those that wait: by when it was handed in, then by key.
fn place(listing: &Listing) -> String {
    let since = listing.submitted_at.map_or(0, |at| at.as_microsecond().max(0));
    format!("{since:020} {}", listing.key())
}

#[cfg(test)]
#[path = "clearance_tests.rs"]
mod tests;
