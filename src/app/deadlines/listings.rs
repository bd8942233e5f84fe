//! Listings whose certificates end, and listings that rules loaded since concern.
//!
//! Enters: listings that are due, or all of them after a load of rules. Leaves: listings as
//! [`Listing::judge`] has them. The ledger names each that changed: one entry for each (certificate,
//! last day) that ended, or for the rules.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{READ, due_on, left, place};
use crate::app::listings::Desk;
use crate::app::reference::CERTIFICATES;
use crate::app::write::{Intent, Plan};
use crate::app::{App, decode};
use crate::change::{Kind, Record, Write};
use crate::domain::certificate::Certificate;
use crate::domain::listing::{Listing, SuspensionReason, Verdict};
use crate::domain::partner::Partner;
use crate::domain::request_id::RequestId;
use crate::error::Result;
use crate::ledger::{Draft, EntryKind};
use crate::store::PageQuery;

/// Listings in one change, all of which its entry names.
const AT_ONCE: usize = 500;

/// The certificates that ended; none where rules are the cause.
type Cause = Vec<Certificate>;

/// A listing to be judged: its key, and the version that was looked at.
type Seen = (String, u64);

/// What judging listings anew came to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Judged {
    suspended: u32,
    reinstated: u32,
    requeued: u32,
    noted: u32,
    /// The names of all of these.
    listings: Vec<String>,
}

impl Judged {
    fn count(&mut self, verdict: Verdict, listing: &Listing) {
        let counted = match verdict {
            Verdict::Suspended => &mut self.suspended,
            Verdict::Reinstated => &mut self.reinstated,
            Verdict::Requeued => &mut self.requeued,
            Verdict::Noted => &mut self.noted,
        };
        *counted += 1;
        self.listings.push(format!("listings/{}", listing.key()));
    }

    fn add(&mut self, other: Self) {
        self.suspended += other.suspended;
        self.reinstated += other.reinstated;
        self.requeued += other.requeued;
        self.noted += other.noted;
        self.listings.extend(other.listings);
    }

    fn facts(&self, draft: Draft) -> Draft {
        draft
            .fact("suspended", self.suspended)
            .fact("reinstated", self.reinstated)
            .fact("requeued", self.requeued)
            .fact("noted", self.noted)
    }
}

impl App {
    /// Judges every listing that is due. Answers how many changed.
    pub(super) async fn judge_due_listings(&self) -> Result<usize> {
        let (today, desk) = (self.today(), self.desk());
        let mut causes: BTreeMap<Cause, Vec<Seen>> = BTreeMap::new();
        let mut after = None;
        loop {
            let records = self.store.due(Kind::Listing, today, after, READ).await?;
            let full = records.len() == READ as usize;
            after = records.last().map(place);
            for record in records {
                let cause = cause(&desk, &decode(&record)?.value);
                causes.entry(cause).or_default().push((record.key, record.version));
            }
            if !full {
                break;
            }
        }
        let mut changed = 0;
        for (cause, listings) in causes {
            for part in listings.chunks(AT_ONCE) {
                changed += self.judge_listings(&cause, part).await?.listings.len();
            }
        }
        Ok(changed)
    }

    /// Judges all listings that were handed in by rules that were loaded and not yet applied, and
    /// then says so. Cut short, it begins anew; what it did stays. Answers how many changed.
    pub(super) async fn apply_rules(&self) -> Result<usize> {
        let Some(record) = self.table_to_apply(CERTIFICATES).await? else { return Ok(0) };
        let mut all = Judged::default();
        let mut query = PageQuery::all(Kind::Listing, READ);
        loop {
            let records = self.store.page(query.clone()).await?;
            let full = records.len() == READ as usize;
            if let Some(last) = records.last() {
                query.after.clone_from(&last.key);
            }
            let desk = self.desk();
            let mut concerned = Vec::new();
            for record in records {
                if judged(&desk, &record)?.is_some() {
                    concerned.push((record.key, record.version));
                }
            }
            if !concerned.is_empty() {
                all.add(self.judge_listings(&Vec::new(), &concerned).await?);
            }
            if !full {
                break;
            }
        }
        self.rules_applied(record, |draft| all.facts(draft)).await?;
        Ok(all.listings.len())
    }

    /// Judges these listings in one change, except those that others wrote meanwhile: they are due
    /// again, or their writer has judged them.
    async fn judge_listings(&self, cause: &Cause, listings: &[Seen]) -> Result<Judged> {
        let ended: Vec<String> = cause.iter().map(ToString::to_string).collect();
        let ended = ended.join(" ");
        let mut parts = vec![ended.clone()];
        parts.extend(listings.iter().map(|(key, version)| format!("{key} {version}")));
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        let id = RequestId::of_step("listings.judged", &parts)?;
        let intent = Intent::internal(Partner::GATEWAY.parse()?, id);
        let seen: BTreeMap<&str, u64> = listings.iter().map(|(k, v)| (k.as_str(), *v)).collect();
        let written = self
            .write(&intent, || async {
                let desk = self.desk();
                let keys = listings.iter().map(|(key, _)| key.clone()).collect();
                let mut answer = Judged::default();
                let (mut expect, mut writes) = (Vec::new(), Vec::new());
                for record in self.store.records(Kind::Listing, keys).await? {
                    if seen.get(record.key.as_str()) != Some(&record.version) {
                        continue;
                    }
                    let Some((listing, verdict)) = judged(&desk, &record)? else { continue };
                    if let Some(verdict) = verdict {
                        answer.count(verdict, &listing);
                    }
                    let (own, write) = desk.put(&listing, record.version)?;
                    expect.push(own);
                    writes.push(write);
                }
                if writes.is_empty() {
                    return Ok(left(answer, EntryKind::ListingsJudged));
                }
                let draft = answer
                    .facts(Draft::new(EntryKind::ListingsJudged))
                    .fact("certificates_ended", &ended)
                    .fact("rules", desk.rules())
                    .fact("listings", answer.listings.join(" "));
                Ok(Plan { answer, expect, writes, draft })
            })
            .await?;
        Ok(if written.replayed { Judged::default() } else { written.value })
    }
}

/// What judging `listing` would be for.
fn cause(desk: &Desk, listing: &Listing) -> Cause {
    let mut judged = listing.clone();
    desk.judge(&mut judged);
    let noted = |one: &Listing| one.suspension_reasons.contains(&SuspensionReason::Certificate);
    if noted(&judged) && !noted(listing) { desk.ended_certificates(listing) } else { Vec::new() }
}

/// The listing as judged; `None` if neither it nor the day it is due on would change.
fn judged(desk: &Desk, record: &Record) -> Result<Option<(Listing, Option<Verdict>)>> {
    let mut listing: Listing = decode(record)?.value;
    let verdict = desk.judge(&mut listing);
    let (_, write) = desk.put(&listing, record.version)?;
    let same_day = matches!(&write, Write::Put(put) if due_on(put) == due_on(record));
    Ok((verdict.is_some() || !same_day).then_some((listing, verdict)))
}
