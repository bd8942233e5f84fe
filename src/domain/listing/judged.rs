//! Listings that were handed in, judged anew: by other rules, on another day, or with a certificate
//! that holds for longer.
//!
//! Enters: what goods need, and a day. Leaves: the listing as it is from then on, and what changed.
//! When to look again follows from the same rules.
//!
//! The rule for a listing that was handed in and not taken back:
//!
//! 1. It is suspended for CERTIFICATE as long as an issuer's certificate that its goods need is not
//!    there or not good; once all are, that reason is lifted.
//! 2. Whoever must clear it and had no part gets one that is PENDING: it waits in that authority's
//!    queue and is no longer cleared.
//! 3. A part that is PENDING is dropped where the authority need not clear such goods any more; what
//!    an authority decided stays.

use std::collections::BTreeSet;

use jiff::Timestamp;
use jiff::civil::Date;

use super::{Listing, ListingState, Review, ReviewState, SuspensionReason};
use crate::domain::certificate::{Certificate, CertificateIssuer};
use crate::domain::partner::Authority;
use crate::domain::requirements::{Requirement, Requirements};

/// What judging a listing anew came to, in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Verdict {
    /// It may not be sold any more until a certificate is there.
    Suspended,
    /// It may be sold again.
    Reinstated,
    /// It waits for an authority that it did not wait for before.
    Requeued,
    /// Something changed, and whether it may be sold did not.
    Noted,
}

impl Listing {
    /// What its goods need on `day`.
    pub fn requirement(&self, rules: &Requirements, day: Date) -> Requirement {
        let country = self.destination.map(|destination| destination.country());
        rules.of(self.ncm, country, self.entry_mode, day)
    }

    /// Judges it by `rules` as of `day`, see the top of this module. `None`, and nothing touched,
    /// if it stands so already, is DRAFT, or WITHDRAWN.
    pub fn judge(&mut self, rules: &Requirements, day: Date, at: Timestamp) -> Option<Verdict> {
        if !self.is_handed_in() {
            return None;
        }
        let needed = self.requirement(rules, day);
        let before = self.clone();
        if self.missing_certificates(&needed, day).is_empty() {
            self.suspension_reasons.remove(&SuspensionReason::Certificate);
        } else {
            self.suspension_reasons.insert(SuspensionReason::Certificate);
        }
        self.reviews.retain(|review| {
            review.state != ReviewState::Pending || needed.authorities.contains(&review.authority)
        });
        let known: BTreeSet<Authority> =
            self.reviews.iter().map(|review| review.authority).collect();
        let further = needed.authorities.difference(&known);
        self.reviews.extend(further.map(|authority| Review::pending(*authority)));
        if *self == before {
            return None;
        }
        self.settle();
        self.updated_at = at;
        Some(verdict(&before, self))
    }

    /// The first day after `day` on which [`Listing::judge`] may come to something else by the
    /// calendar alone: a certificate has ended, or other rules hold.
    pub fn next_turn(&self, rules: &Requirements, day: Date) -> Option<Date> {
        if !self.is_handed_in() {
            return None;
        }
        let outcome = |day| {
            let needed = self.requirement(rules, day);
            (self.missing_certificates(&needed, day), needed.authorities)
        };
        let ends = self.certificates.iter().filter_map(|one| one.valid_to().tomorrow().ok());
        let turns: BTreeSet<Date> =
            ends.filter(|end| *end > day).chain(rules.turns(self.ncm, day)).collect();
        let today = outcome(day);
        turns.into_iter().find(|turn| outcome(*turn) != today)
    }

    /// The certificates it had of the issuers of whom it has none that is good on `day`, each
    /// issuer's last to end.
    pub fn ended_certificates(&self, rules: &Requirements, day: Date) -> Vec<Certificate> {
        let missing = self.missing_certificates(&self.requirement(rules, day), day);
        let last = |issuer: &CertificateIssuer| {
            let of_issuer = self.certificates.iter().filter(|one| one.issuer() == *issuer);
            of_issuer.max_by_key(|one| one.valid_to()).cloned()
        };
        let mut ended: Vec<Certificate> = missing.iter().filter_map(last).collect();
        ended.sort();
        ended
    }

    /// Whether it carries the certificate of this issuer and number.
    pub fn carries(&self, issuer: CertificateIssuer, number: &str) -> bool {
        self.certificates.iter().any(|one| one.issuer() == issuer && one.number() == number)
    }

    /// Takes a later last day of a certificate that its issuer has extended; false, and nothing
    /// touched, if it does not carry that certificate, or carries it until that day or later.
    pub fn extend(&mut self, extended: &Certificate, at: Timestamp) -> bool {
        let same = |one: &&mut Certificate| {
            one.issuer() == extended.issuer()
                && one.number() == extended.number()
                && one.valid_to() < extended.valid_to()
        };
        let mut touched = false;
        for certificate in self.offer.certificates.iter_mut().filter(same) {
            *certificate = extended.clone();
            touched = true;
        }
        if touched {
            self.updated_at = at;
        }
        touched
    }

    /// Takes from the authorities whose certificates `before` lacked on `day` and it has now their
    /// decision, so that they look at the certificate: a marketplace's word alone lifts nothing.
    /// Customs looks at those of issuers that clear nothing.
    pub fn ask_again(&mut self, before: &Self, rules: &Requirements, day: Date, at: Timestamp) {
        if !self.is_handed_in()
            || !before.suspension_reasons.contains(&SuspensionReason::Certificate)
        {
            return;
        }
        let missing = |one: &Self| one.missing_certificates(&one.requirement(rules, day), day);
        let still = missing(self);
        let shown = missing(before).into_iter().filter(|issuer| !still.contains(issuer));
        let asked: BTreeSet<Authority> =
            shown.map(|issuer| issuer.authority().unwrap_or(Authority::Customs)).collect();
        for review in self.reviews.iter_mut().filter(|one| asked.contains(&one.authority)) {
            *review = Review::pending(review.authority);
        }
        if !asked.is_empty() {
            self.settle();
            self.updated_at = at;
        }
    }

    fn is_handed_in(&self) -> bool {
        use ListingState::*;
        match self.state {
            Draft | Withdrawn => false,
            Submitted | UnderReview | Cleared | Refused | InfoRequested | Suspended => true,
        }
    }
}

fn verdict(before: &Listing, after: &Listing) -> Verdict {
    let waits = |one: &Listing| one.reviews.iter().any(|r| r.state == ReviewState::Pending);
    let (was, is) = (before.state, after.state);
    if is == ListingState::Suspended && was != ListingState::Suspended {
        Verdict::Suspended
    } else if is == ListingState::Cleared && was != ListingState::Cleared {
        Verdict::Reinstated
    } else if waits(after) && !waits(before) {
        Verdict::Requeued
    } else {
        Verdict::Noted
    }
}

#[cfg(test)]
#[path = "judged_tests.rs"]
mod tests;
