//! How much of the gateway one partner may take.
//!
//! Enters: the partner with its limits, and what sort of call it is. Leaves: an admission
//! that holds a place until it is dropped, or when to come back. It knows nothing of what
//! the call does.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultDirectRateLimiter, RateLimiter};

use super::limits::{Limits, Quota};
use crate::domain::partner::{Limits as PartnerLimits, Partner, PartnerId};
use crate::error::Error;

/// Counts calls: those in progress and those a second.
pub(super) struct Quotas {
    quota: Quota,
    calls_per_partner: u32,
    calls: u32,
    in_progress: Arc<AtomicU32>,
    /// Each with the state of the directory that its limits are of.
    by_partner: Mutex<HashMap<PartnerId, (u64, Arc<Share>)>>,
}

/// What one partner has used of its limits.
pub(super) struct Share {
    limits: PartnerLimits,
    reads: Option<DefaultDirectRateLimiter>,
    writes: Option<DefaultDirectRateLimiter>,
    in_progress: Arc<InProgress>,
    /// Calls in progress of all partners.
    of_all: Arc<AtomicU32>,
}

#[derive(Default)]
struct InProgress {
    calls: AtomicU32,
    streams: AtomicU32,
}

/// What sort of call asks to be let in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sort {
    pub(super) writes: bool,
    pub(super) streams: bool,
}

/// A call's place among those in progress, given back when dropped.
pub(super) struct Admission {
    share: Arc<Share>,
    streams: bool,
}

/// Counts each message of a stream against the caller's quota.
pub(super) struct StreamQuota {
    share: Arc<Share>,
    writes: bool,
}

impl Quotas {
    pub(super) fn new(limits: &Limits, quota: &Quota) -> Self {
        Self {
            quota: quota.clone(),
            calls_per_partner: limits.calls_per_partner,
            calls: limits.calls,
            in_progress: Arc::default(),
            by_partner: Mutex::default(),
        }
    }

    /// The partner's counts; new ones if its limits were changed. `as_of` is the state of the
    /// directory that `partner` is of: an older one never brings its limits back.
    pub(super) fn share(&self, partner: &Partner, as_of: u64) -> Arc<Share> {
        let mut shares = self.by_partner.lock().unwrap_or_else(PoisonError::into_inner);
        let before = shares.get_mut(&partner.id);
        if let Some((of, share)) = before
            && (share.limits == partner.limits || *of > as_of)
        {
            *of = as_of.max(*of);
            return share.clone();
        }
        let in_progress = shares.get(&partner.id).map(|(_, share)| share.in_progress.clone());
        let share = Arc::new(Share {
            limits: partner.limits,
            reads: limiter(partner.limits.reads_per_second, &self.quota),
            writes: limiter(partner.limits.writes_per_second, &self.quota),
            in_progress: in_progress.unwrap_or_default(),
            of_all: self.in_progress.clone(),
        });
        shares.insert(partner.id.clone(), (as_of, share.clone()));
        share
    }

    /// Lets a call in.
    ///
    /// # Errors
    /// `TOO_MANY_CALLS` or `TOO_MANY_STREAMS` while too many of this partner are in progress,
    /// `OVERLOADED` while too many of all are, `QUOTA_EXCEEDED` with the time after which it fits.
    pub(super) fn admit(&self, share: &Arc<Share>, sort: Sort) -> Result<Admission, Error> {
        // The partner's own bounds first: one that is over them must not take from the others.
        let admission = self.place(share, sort)?;
        share.take(sort.writes)?;
        Ok(admission)
    }

    fn place(&self, share: &Arc<Share>, sort: Sort) -> Result<Admission, Error> {
        let own = &share.in_progress;
        if let Err(calls) = enter(&own.calls, self.calls_per_partner) {
            return Err(Error::exhausted(
                "TOO_MANY_CALLS",
                format!("{calls} calls of this partner are in progress already"),
                Duration::from_millis(200),
            )
            .with("quota", "calls_per_partner"));
        }
        if sort.streams
            && let Err(streams) = enter(&own.streams, share.limits.streams)
        {
            leave(&own.calls);
            return Err(Error::exhausted(
                "TOO_MANY_STREAMS",
                format!("{streams} streams of this partner are open already"),
                Duration::from_secs(1),
            )
            .with("quota", "streams"));
        }
        if enter(&share.of_all, self.calls).is_err() {
            leave(&own.calls);
            if sort.streams {
                leave(&own.streams);
            }
            return Err(Error::unavailable(
                "OVERLOADED",
                "too many calls are in progress: retry with the same request_id",
                Duration::from_millis(500),
            ));
        }
        Ok(Admission { share: share.clone(), streams: sort.streams })
    }
}

/// Takes one of `most` places.
///
/// # Errors
/// How many are taken, if all are.
fn enter(taken: &AtomicU32, most: u32) -> Result<(), u32> {
    let one_more = |taken| (taken < most).then_some(taken + 1);
    taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more).map(|_| ())
}

fn leave(taken: &AtomicU32) {
    taken.fetch_sub(1, Ordering::Relaxed);
}

impl Share {
    fn take(&self, writes: bool) -> Result<(), Error> {
        let (limiter, what) =
            if writes { (&self.writes, "writes") } else { (&self.reads, "reads") };
        let Some(limiter) = limiter else { return Ok(()) };
        limiter.check().map_err(|not_yet| {
            Error::exhausted(
                "QUOTA_EXCEEDED",
                format!("the quota of {what} a second is used up: retry later, or send batches"),
                not_yet.wait_time_from(DefaultClock::default().now()),
            )
            .with("quota", what)
        })
    }
}

impl Admission {
    pub(super) fn stream_quota(&self, sort: Sort) -> StreamQuota {
        StreamQuota { share: self.share.clone(), writes: sort.writes }
    }
}

impl StreamQuota {
    /// Counts one message.
    ///
    /// # Errors
    /// `QUOTA_EXCEEDED` with the time after which it fits.
    pub(super) fn take(&self) -> Result<(), Error> {
        self.share.take(self.writes)
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        leave(&self.share.of_all);
        leave(&self.share.in_progress.calls);
        if self.streams {
            leave(&self.share.in_progress.streams);
        }
    }
}

/// None where quotas are not enforced. A limit of 0 lets one call in a while pass, which a
/// partner that shall not call at all is suspended for.
fn limiter(per_second: u32, quota: &Quota) -> Option<DefaultDirectRateLimiter> {
    if !quota.enforced {
        return None;
    }
    let per_second = NonZeroU32::new(per_second).unwrap_or(NonZeroU32::MIN);
    let burst =
        per_second.saturating_mul(NonZeroU32::new(quota.burst_seconds).unwrap_or(NonZeroU32::MIN));
    Some(RateLimiter::direct(governor::Quota::per_second(per_second).allow_burst(burst)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::partner::Role;

    const READ: Sort = Sort { writes: false, streams: false };
    const WRITE: Sort = Sort { writes: true, streams: false };
    const WATCH: Sort = Sort { writes: false, streams: true };

    fn partner(id: &str) -> Partner {
        let mut partner = Partner::register(
            id.parse().unwrap(),
            Role::Marketplace,
            None,
            id.to_owned(),
            jiff::Timestamp::UNIX_EPOCH,
        )
        .unwrap();
        partner.limits = PartnerLimits { reads_per_second: 10, writes_per_second: 1, streams: 1 };
        partner
    }

    #[test]
    fn one_partner_cannot_starve_another() {
        let limits = Limits { calls: 3, calls_per_partner: 2, ..Limits::default() };
        let quotas = Quotas::new(&limits, &Quota::default());
        let shares = ["one", "two", "three"].map(|id| quotas.share(&partner(id), 1));
        let [one, two, three] = &shares;
        let first = quotas.admit(one, READ).unwrap();
        let _second = quotas.admit(one, READ).unwrap();
        assert_eq!(quotas.admit(one, READ).err().unwrap().reason, "TOO_MANY_CALLS");
        let watch = quotas.admit(two, WATCH).unwrap();
        assert_eq!(quotas.admit(two, WATCH).err().unwrap().reason, "TOO_MANY_STREAMS");
        assert_eq!(quotas.admit(three, WATCH).err().unwrap().reason, "OVERLOADED");
        drop(first);
        quotas.admit(three, READ).unwrap();
        // Whoever was refused holds nothing.
        drop(watch);
        for _ in 0..2 {
            quotas.admit(two, WATCH).unwrap();
            quotas.admit(three, WATCH).unwrap();
        }
    }

    #[test]
    fn a_used_up_quota_says_when_to_come_back_and_new_limits_hold_at_once() {
        let quotas = Quotas::new(&Limits::default(), &Quota::default());
        let mut one = partner("one");
        let share = quotas.share(&one, 1);
        quotas.admit(&share, WRITE).unwrap();
        quotas.admit(&share, WRITE).unwrap();
        let refused = quotas.admit(&share, WRITE).err().unwrap();
        assert_eq!(refused.reason, "QUOTA_EXCEEDED");
        assert!(refused.retry_after.unwrap() <= Duration::from_secs(1));
        quotas.admit(&share, READ).unwrap();
        let before = one.clone();
        one.limits.writes_per_second = 5;
        let held = quotas.admit(&share, READ).unwrap();
        let share = quotas.share(&one, 2);
        quotas.admit(&share, WRITE).unwrap();
        assert_eq!(share.in_progress.calls.load(Ordering::Relaxed), 1, "one is in progress still");
        drop(held);
        // Who still knows the limits of before does not bring them back, nor a second measure.
        assert!(Arc::ptr_eq(&quotas.share(&before, 1), &share));
        assert!(Arc::ptr_eq(&quotas.share(&one, 2), &share));
        assert!(Arc::ptr_eq(&quotas.share(&one, 3), &share), "nothing changed");
    }
}
