//! Certificates that their issuer lets hold for longer.
//!
//! Enters: an authority as caller, a certificate with its new last day. Leaves: every listing that
//! carries it, with that day, and brought back where only the certificate kept it out.

use serde::{Deserialize, Serialize};

use super::listings::may_see;
use super::write::{Intent, Plan, Written};
use super::{App, Page, Versioned};
use crate::change::Kind;
use crate::domain::caller::Caller;
use crate::domain::certificate::Certificate;
use crate::domain::exporter::argentine_day;
use crate::domain::listing::{Listing, Verdict};
use crate::domain::partner::Authority;
use crate::error::{Error, Result};
use crate::ledger::{Draft, EntryKind};
use crate::store::PageQuery;

/// Listings read at a time.
const READ: u32 = 1000;

/// What extending a certificate came to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Extended {
    /// The names of the listings whose certificate holds for longer.
    pub listings: Vec<String>,
    /// How many of them may be sold again.
    pub reinstated: u32,
}

impl App {
    /// Takes the later last day of a certificate for all listings that carry it and were handed
    /// in. Those that carry it until that day or later stay as they are. An extension is rare, so
    /// all listings are looked through.
    ///
    /// # Errors
    /// `NOT_AN_AUTHORITY`; `NOT_COMPETENT` unless the certificate is the caller's own, or one of an
    /// issuer that clears nothing here and the caller customs; `CERTIFICATE_ENDED` (metadata
    /// `today`) if that day is over; `NOT_FOUND` if no listing carries it.
    pub async fn extend_certificate(
        &self,
        caller: &Caller,
        intent: &Intent,
        extended: &Certificate,
    ) -> Result<Written<Extended>> {
        let authority = caller.require_authority()?;
        if extended.issuer().authority().unwrap_or(Authority::Customs) != authority {
            return Err(Error::permission(
                "NOT_COMPETENT",
                format!("certificates of {} are not {authority}'s to extend", extended.issuer()),
            ));
        }
        self.write(intent, || async {
            let desk = self.desk();
            let today = argentine_day(desk.now);
            if extended.valid_to() < today {
                return Err(Error::precondition(
                    "CERTIFICATE_ENDED",
                    "the day until which the certificate shall hold is over: give a later one",
                )
                .with("today", today.to_string()));
            }
            let mut answer = Extended::default();
            let (mut expect, mut writes, mut carried) = (Vec::new(), Vec::new(), false);
            let mut query = PageQuery::all(Kind::Listing, READ);
            loop {
                let page: Page<Versioned<Listing>> = self.documents(query.clone()).await?;
                for Versioned { value: mut listing, version } in page.items {
                    let seen = may_see(caller, &listing);
                    if !seen || !listing.carries(extended.issuer(), extended.number()) {
                        continue;
                    }
                    carried = true;
                    if !listing.extend(extended, desk.now) {
                        continue;
                    }
                    let back = desk.judge(&mut listing) == Some(Verdict::Reinstated);
                    answer.reinstated += u32::from(back);
                    answer.listings.push(format!("listings/{}", listing.key()));
                    let (own, write) = desk.put(&listing, version)?;
                    expect.push(own);
                    writes.push(write);
                }
                match page.next {
                    Some(next) => query.after = next,
                    None => break,
                }
            }
            if !carried {
                return Err(Error::not_found());
            }
            let named: Vec<&str> = answer.listings.iter().take(NAMED).map(String::as_str).collect();
            let draft = Draft::new(EntryKind::CertificateExtended)
                .fact("certificate", extended)
                .fact("count", answer.listings.len())
                .fact("reinstated", answer.reinstated)
                .fact("listings", named.join(" "));
            Ok(Plan { answer, expect, writes, draft })
        })
        .await
    }
}

/// Listings that the entry names, which has room for so many; it commits to all of them.
const NAMED: usize = 1000;
