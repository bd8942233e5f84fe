//! The rules and the time under which listings are judged.
//!
//! Enters: listings and offers. Leaves: listings as they are from then on, and as the store keeps
//! them. All of one request is judged at one desk.

use std::sync::Arc;

use jiff::Timestamp;

use super::{NewListing, Shown};
use crate::app::Versioned;
use crate::app::reference::{CERTIFICATES, Tables};
use crate::app::write::{Plan, put};
use crate::change::{Expect, Kind, Write, due};
use crate::domain::certificate::Certificate;
use crate::domain::exporter::{Eligibility, Exporter, argentine_day};
use crate::domain::listing::{Listing, Offer, Verdict};
use crate::domain::partner::PartnerId;
use crate::domain::requirements::Requirement;
use crate::error::{Error, Result};
use crate::ledger::{Draft, EntryKind};

/// Rules and time of one moment, under which listings are judged.
pub(in crate::app) struct Desk {
    pub(super) tables: Arc<Tables>,
    pub(in crate::app) now: Timestamp,
}

impl Desk {
    pub(super) fn draft(&self, marketplace: &PartnerId, new: NewListing) -> Result<Listing> {
        self.check_ncm(&new.offer)?;
        Ok(Listing::draft(marketplace.clone(), new.sku, new.seller, new.offer, self.now))
    }

    pub(super) fn change(&self, listing: &mut Listing, offer: Offer) -> Result<bool> {
        if offer.ncm != listing.offer.ncm {
            self.check_ncm(&offer)?;
        }
        let mut before = listing.clone();
        if !listing.change(offer, self.now)? {
            return Ok(false);
        }
        self.judge(&mut before);
        let today = argentine_day(self.now);
        listing.ask_again(&before, &self.tables.requirements, today, self.now);
        self.judge(listing);
        Ok(true)
    }

    pub(super) fn check_ncm(&self, offer: &Offer) -> Result<()> {
        let today = argentine_day(self.now);
        Ok(self.tables.nomenclature.check(offer.ncm, today).map_err(|fault| fault.at("ncm"))?)
    }

    /// Hands `listing` in, if `seller`, its exporter as the registry has it, may export such goods.
    pub(super) fn submit(
        &self,
        listing: &mut Listing,
        seller: Option<&Versioned<Exporter>>,
    ) -> Result<()> {
        let chapter = Some(listing.ncm.chapter());
        let eligibility = seller.map_or(Eligibility::Unknown, |held| {
            // By all that is known: a clock that went back must not hide what was recorded.
            held.value.eligibility(argentine_day(self.now), None, chapter)
        });
        let refuse = |verdict: &str, reason: &str, words: &str| {
            Err(Error::precondition("SELLER_NOT_ELIGIBLE", words)
                .with("verdict", verdict)
                .with("seller_reason", reason)
                .with("resource", format!("listings/{}", listing.key())))
        };
        match eligibility {
            Eligibility::Eligible { .. } => {}
            Eligibility::NotEligible(reason) => {
                return refuse(
                    "NOT_ELIGIBLE",
                    reason.as_str(),
                    "the registry does not hold the seller eligible for these goods today",
                );
            }
            Eligibility::Unknown => {
                return refuse(
                    "UNKNOWN",
                    "",
                    "the registry does not know the seller: request its verification first",
                );
            }
        }
        let requirement = self.requirement(listing);
        Ok(listing.submit(&requirement, argentine_day(self.now), self.now)?)
    }

    /// Judges `listing` by the rules in force and the day it is.
    pub(in crate::app) fn judge(&self, listing: &mut Listing) -> Option<Verdict> {
        listing.judge(&self.tables.requirements, argentine_day(self.now), self.now)
    }

    /// The version of the rules in force; empty if they are those that the gateway brings.
    pub(in crate::app) fn rules(&self) -> &str {
        self.tables.by_id.get(CERTIFICATES).map_or("", |table| &table.version)
    }

    /// See [`Listing::ended_certificates`].
    pub(in crate::app) fn ended_certificates(&self, listing: &Listing) -> Vec<Certificate> {
        listing.ended_certificates(&self.tables.requirements, argentine_day(self.now))
    }

    pub(super) fn requirement(&self, listing: &Listing) -> Requirement {
        listing.requirement(&self.tables.requirements, argentine_day(self.now))
    }

    /// A listing as the store keeps it, in place of its version `version`.
    pub(in crate::app) fn put(&self, listing: &Listing, version: u64) -> Result<(Expect, Write)> {
        let today = argentine_day(self.now);
        let columns = vec![
            listing.sku.to_string(),
            listing.seller.to_string(),
            listing.ncm.digits(),
            listing.channel.as_str().to_owned(),
            due(listing.next_turn(&self.tables.requirements, today)),
        ];
        let (owner, state) = (listing.marketplace.as_str(), listing.state.as_str());
        put(Kind::Listing, &listing.key(), owner, state, columns, listing, version)
    }

    /// The listing with what it lacks today.
    pub(in crate::app) fn shown(&self, listing: Listing, version: u64) -> Shown {
        let today = argentine_day(self.now);
        let missing = listing.missing_certificates(&self.requirement(&listing), today);
        Shown { listing, version, missing }
    }

    /// Writes `listing` in place of its version `version`.
    pub(in crate::app) fn plan(
        &self,
        kind: EntryKind,
        listing: Listing,
        version: u64,
    ) -> Result<Plan<Shown>> {
        let (expect, write) = self.put(&listing, version)?;
        let draft = Draft::new(kind)
            .about(format!("listings/{}", listing.key()))
            .fact("ncm", listing.ncm)
            .fact("revision", listing.revision)
            .fact("state", listing.state);
        Ok(Plan {
            answer: self.shown(listing, version + 1),
            expect: vec![expect],
            writes: vec![write],
            draft,
        })
    }
}
