//! Listings: products that a marketplace offers for a seller, and how far their clearance is.
//!
//! Enters: what the marketplace offers, what authorities decide, what suspends. Leaves: a changed
//! [`Listing`] or a fault. Whether the seller is eligible is for the caller to ask first.

mod judged;

use std::collections::BTreeSet;

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

pub use self::judged::Verdict;
use super::certificate::CertificateIssuer;
use super::cuit::Cuit;
use super::derived::derived_id;
use super::fault::Fault;
pub use super::offer::{Channel, EntryMode, Offer};
use super::partner::{Authority, PartnerId};
use super::requirements::Requirement;
use super::text::{Note, Sku};

named_enum! {
    /// How far a listing is.
    pub enum ListingState ("a listing's state", "INVALID_FIELD") {
        /// Being written; no authority sees it.
        Draft = "DRAFT",
        /// Handed in; nobody has decided.
        Submitted = "SUBMITTED",
        /// Some authority has decided, others have not.
        UnderReview = "UNDER_REVIEW",
        /// Everyone has cleared it: it may be sold.
        Cleared = "CLEARED",
        /// An authority has refused it.
        Refused = "REFUSED",
        /// An authority needs to know more.
        InfoRequested = "INFO_REQUESTED",
        /// Was cleared; may not be sold for now.
        Suspended = "SUSPENDED",
        /// Taken back; final.
        Withdrawn = "WITHDRAWN",
    }
}

named_enum! {
    /// What one authority has decided about a revision.
    pub enum ReviewState ("a review's state", "INVALID_FIELD") {
        /// Not decided.
        Pending = "PENDING",
        /// May be sold.
        Cleared = "CLEARED",
        /// May not be sold.
        Refused = "REFUSED",
        /// The authority needs to know more.
        InfoRequested = "INFO_REQUESTED",
    }
}

named_enum! {
    /// What an authority decides about its part.
    pub enum Decision ("a decision", "INVALID_FIELD") {
        /// May be sold.
        Clear = "CLEAR",
        /// May not be sold; needs a note.
        Refuse = "REFUSE",
        /// More must be known; needs a note.
        RequestInfo = "REQUEST_INFO",
    }
}

named_enum! {
    /// Why a listing may not be sold for now.
    pub enum SuspensionReason ("a reason for suspension", "INVALID_FIELD") {
        /// The seller is not eligible.
        Seller = "SELLER",
        /// A certificate that it needs has run out.
        Certificate = "CERTIFICATE",
        /// An authority has called the product back.
        Recall = "RECALL",
    }
}

/// One authority's part in the clearance of a revision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Review {
    /// The authority.
    pub authority: Authority,
    /// What it has decided.
    pub state: ReviewState,
    /// What it told the marketplace.
    #[serde(default)]
    pub note: Option<Note>,
    /// When it decided.
    #[serde(default)]
    pub decided_at: Option<Timestamp>,
}

impl Review {
    fn pending(authority: Authority) -> Self {
        Self { authority, state: ReviewState::Pending, note: None, decided_at: None }
    }
}

/// A product that a marketplace offers for a seller.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listing {
    /// Whose it is.
    pub marketplace: PartnerId,
    /// The marketplace's article number; never changes.
    pub sku: Sku,
    /// The seller; never changes.
    pub seller: Cuit,
    /// What is offered.
    #[serde(flatten)]
    pub offer: Offer,
    /// How far it is.
    pub state: ListingState,
    /// Counts the changes that need a clearance of their own, from 1.
    pub revision: u32,
    /// The authorities' parts in the clearance of this revision.
    #[serde(default)]
    pub reviews: Vec<Review>,
    /// Why it may not be sold for now.
    #[serde(default)]
    pub suspension_reasons: BTreeSet<SuspensionReason>,
    /// When it was last handed in.
    #[serde(default)]
    pub submitted_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// The offer's fields read as the listing's own.
impl std::ops::Deref for Listing {
    type Target = Offer;

    fn deref(&self) -> &Offer {
        &self.offer
    }
}

/// The key of the listing with this sku of this marketplace: the same for ever.
pub fn listing_key(marketplace: &PartnerId, sku: &str) -> String {
    derived_id("listing", &[marketplace.as_str(), sku])
}

impl Listing {
    /// A new listing in the state DRAFT.
    pub fn draft(
        marketplace: PartnerId,
        sku: Sku,
        seller: Cuit,
        offer: Offer,
        at: Timestamp,
    ) -> Self {
        Self {
            marketplace,
            sku,
            seller,
            offer,
            state: ListingState::Draft,
            revision: 1,
            reviews: Vec::new(),
            suspension_reasons: BTreeSet::new(),
            submitted_at: None,
            created_at: at,
            updated_at: at,
        }
    }

    /// Its key, see [`listing_key`].
    pub fn key(&self) -> String {
        listing_key(&self.marketplace, self.sku.as_str())
    }

    /// Replaces the offer; a change that must be cleared anew makes a new revision in the state
    /// DRAFT, unless nobody was asked about this one yet. False, and nothing touched, if the
    /// offer stands so already.
    ///
    /// # Errors
    /// `LISTING_WITHDRAWN`.
    pub fn change(&mut self, offer: Offer, at: Timestamp) -> Result<bool, Fault> {
        if self.state == ListingState::Withdrawn {
            return Err(Fault::illegal_state(
                "LISTING_WITHDRAWN",
                "the listing was withdrawn, which is final; offer the product under another sku",
            )
            .with("state", self.state));
        }
        if self.offer == offer {
            return Ok(false);
        }
        if self.state != ListingState::Draft && self.offer.needs_new_clearance(&offer) {
            self.revision += 1;
            self.state = ListingState::Draft;
            self.reviews.clear();
            self.suspension_reasons.clear();
        }
        self.offer = offer;
        self.updated_at = at;
        Ok(true)
    }

    /// The issuers that `requirement` asks for and of which no certificate is good on `day`.
    pub fn missing_certificates(
        &self,
        requirement: &Requirement,
        day: Date,
    ) -> Vec<CertificateIssuer> {
        let good = |issuer: &CertificateIssuer| {
            self.certificates.iter().any(|c| c.issuer() == *issuer && c.is_valid_on(day))
        };
        requirement.issuers.iter().copied().filter(|issuer| !good(issuer)).collect()
    }

    /// Hands it in to the authorities of `requirement`; what some of them cleared of this
    /// revision before stays cleared.
    ///
    /// # Errors
    /// `ILLEGAL_TRANSITION` unless DRAFT, REFUSED or INFO_REQUESTED; `CERTIFICATES_MISSING`
    /// (metadata `issuers`).
    pub fn submit(
        &mut self,
        requirement: &Requirement,
        today: Date,
        at: Timestamp,
    ) -> Result<(), Fault> {
        use ListingState::*;
        let allowed = [Draft, Refused, InfoRequested];
        if !allowed.contains(&self.state) {
            return Err(Fault::illegal_transition("submitting", self.state, &allowed));
        }
        let missing = self.missing_certificates(requirement, today);
        if !missing.is_empty() {
            let issuers: Vec<_> = missing.iter().map(|issuer| issuer.as_str()).collect();
            let issuers = issuers.join(",");
            return Err(Fault::illegal_state(
                "CERTIFICATES_MISSING",
                format!(
                    "goods of {} need a certificate that is good today of each of: {issuers}; add \
                     them to the listing and submit it again",
                    self.ncm
                ),
            )
            .with("issuers", issuers));
        }
        let kept = |authority: Authority| {
            let cleared = |r: &&Review| r.authority == authority && r.state == ReviewState::Cleared;
            self.reviews.iter().find(cleared).cloned()
        };
        self.reviews = requirement
            .authorities
            .iter()
            .map(|authority| kept(*authority).unwrap_or_else(|| Review::pending(*authority)))
            .collect();
        self.suspension_reasons.remove(&SuspensionReason::Certificate);
        self.submitted_at = Some(at);
        self.updated_at = at;
        self.settle();
        Ok(())
    }

    /// Takes an authority's decision about its part; `revision` is the one it looked at (`None`:
    /// whichever is current). The last word holds.
    ///
    /// # Errors
    /// `ILLEGAL_TRANSITION` in DRAFT and WITHDRAWN; `STALE_REVISION`; `NOT_COMPETENT` if it has no
    /// part; `NOTE_REQUIRED` to refuse or to ask.
    pub fn decide(
        &mut self,
        authority: Authority,
        decision: Decision,
        revision: Option<u32>,
        note: Option<Note>,
        at: Timestamp,
    ) -> Result<(), Fault> {
        use ListingState::*;
        let allowed = [Submitted, UnderReview, Cleared, Refused, InfoRequested, Suspended];
        if !allowed.contains(&self.state) {
            return Err(Fault::illegal_transition("deciding", self.state, &allowed));
        }
        if revision.is_some_and(|revision| revision != self.revision) {
            return Err(Fault::illegal_state(
                "STALE_REVISION",
                format!(
                    "the listing is at revision {} now; read it and decide anew",
                    self.revision
                ),
            )
            .with("revision", self.revision));
        }
        if decision != Decision::Clear && note.is_none() {
            return Err(Fault::malformed(
                "NOTE_REQUIRED",
                "to refuse or to ask for information, say in the note why or what",
            )
            .at("note"));
        }
        let Some(review) = self.reviews.iter_mut().find(|r| r.authority == authority) else {
            return Err(Fault::not_permitted(
                "NOT_COMPETENT",
                format!("the clearance of this listing has no part for {authority}"),
            ));
        };
        review.state = match decision {
            Decision::Clear => ReviewState::Cleared,
            Decision::Refuse => ReviewState::Refused,
            Decision::RequestInfo => ReviewState::InfoRequested,
        };
        review.note = note;
        review.decided_at = Some(at);
        self.updated_at = at;
        self.settle();
        Ok(())
    }

    /// Notes why it may not be sold for now; a cleared one is suspended at once, one under review
    /// when it would be cleared. False, and nothing touched, if noted already, or if it is DRAFT
    /// or WITHDRAWN.
    pub fn suspend(&mut self, reason: SuspensionReason, at: Timestamp) -> bool {
        if matches!(self.state, ListingState::Draft | ListingState::Withdrawn)
            || !self.suspension_reasons.insert(reason)
        {
            return false;
        }
        self.updated_at = at;
        self.settle();
        true
    }

    /// Lifts one reason; with the last of them the listing is what its reviews say again. False,
    /// and nothing touched, if it was not noted.
    pub fn lift(&mut self, reason: SuspensionReason, at: Timestamp) -> bool {
        if !self.suspension_reasons.remove(&reason) {
            return false;
        }
        self.updated_at = at;
        self.settle();
        true
    }

    /// Takes it back for good.
    ///
    /// # Errors
    /// `ILLEGAL_TRANSITION` if it was already.
    pub fn withdraw(&mut self, at: Timestamp) -> Result<(), Fault> {
        use ListingState::*;
        let allowed = [Draft, Submitted, UnderReview, Cleared, Refused, InfoRequested, Suspended];
        if self.state == Withdrawn {
            return Err(Fault::illegal_transition("withdrawing", self.state, &allowed));
        }
        self.state = Withdrawn;
        self.updated_at = at;
        Ok(())
    }

    /// Sets the state that reviews and suspensions come to; DRAFT and WITHDRAWN stay.
    fn settle(&mut self) {
        use ReviewState as R;
        if self.state == ListingState::Withdrawn || self.reviews.is_empty() {
            return;
        }
        let any = |state| self.reviews.iter().any(|review| review.state == state);
        self.state = if any(R::Refused) {
            ListingState::Refused
        } else if any(R::InfoRequested) {
            ListingState::InfoRequested
        } else if !any(R::Pending) {
            if self.suspension_reasons.is_empty() {
                ListingState::Cleared
            } else {
                ListingState::Suspended
            }
        } else if any(R::Cleared) {
            ListingState::UnderReview
        } else {
            ListingState::Submitted
        };
    }
}

#[cfg(test)]
#[path = "listing_tests.rs"]
mod tests;
