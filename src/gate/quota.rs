//! How much of the gateway one partner may take.
//!
//! Enters: the partner with its limits, and what sort of call it is. Leaves: an admission
//! that holds a place until it is dropped, or when to come back. It knows nothing of what
//! the call does.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultDirectRateLimiter, RateLimiter};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::limits::{Limits, Quota};
use crate::domain::partner::{Limits as PartnerLimits, Partner, PartnerId};
use crate::error::Error;

/// Counts calls: those in progress and those a second.
pub(super) struct Quotas {
    quota: Quota,
    calls_per_partner: u32,
    all: Arc<Semaphore>,
    by_partner: Mutex<HashMap<PartnerId, Arc<Share>>>,
}

/// What one partner has used of its limits.
struct Share {
    limits: PartnerLimits,
    reads: Option<DefaultDirectRateLimiter>,
    writes: Option<DefaultDirectRateLimiter>,
    in_progress: Arc<Mutex<InProgress>>,
}

#[derive(Default)]
struct InProgress {
    calls: u32,
    streams: u32,
}

/// What sort of call asks to be let in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sort {
    pub(super) writes: bool,
    pub(super) streams: bool,
}

/// A call's place among those in progress, given back when dropped.
pub(super) struct Admission {
    _place: OwnedSemaphorePermit,
    in_progress: Arc<Mutex<InProgress>>,
    streams: bool,
    share: Arc<Share>,
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
            all: Arc::new(Semaphore::new(limits.calls as usize)),
            by_partner: Mutex::default(),
        }
    }

    /// Lets a call in.
    ///
    /// # Errors
    /// `TOO_MANY_CALLS` or `TOO_MANY_STREAMS` while too many of this partner are in progress,
    /// `OVERLOADED` while too many of all are, `QUOTA_EXCEEDED` with the time after which it fits.
    pub(super) fn admit(&self, partner: &Partner, sort: Sort) -> Result<Admission, Error> {
        let share = self.share(partner);
        // The partner's own bounds first: one that is over them must not take from the others.
        let admission = self.place(share, sort)?;
        admission.share.take(sort.writes)?;
        Ok(admission)
    }

    /// The partner's counts; new ones if its limits were changed.
    fn share(&self, partner: &Partner) -> Arc<Share> {
        let mut shares = self.by_partner.lock().unwrap_or_else(PoisonError::into_inner);
        let before = shares.get(&partner.id);
        if let Some(share) = before
            && share.limits == partner.limits
        {
            return share.clone();
        }
        let in_progress = before.map(|share| share.in_progress.clone()).unwrap_or_default();
        let share = Arc::new(Share::new(partner.limits, &self.quota, in_progress));
        shares.insert(partner.id.clone(), share.clone());
        share
    }

    fn place(&self, share: Arc<Share>, sort: Sort) -> Result<Admission, Error> {
        let mut counts = share.in_progress.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.calls >= self.calls_per_partner {
            return Err(Error::exhausted(
                "TOO_MANY_CALLS",
                format!("{} calls of this partner are in progress already", counts.calls),
                Duration::from_millis(200),
            )
            .with("quota", "calls_per_partner"));
        }
        if sort.streams && counts.streams >= share.limits.streams {
            return Err(Error::exhausted(
                "TOO_MANY_STREAMS",
                format!("{} streams of this partner are open already", counts.streams),
                Duration::from_secs(1),
            )
            .with("quota", "streams"));
        }
        let place = self.all.clone().try_acquire_owned().map_err(|_| {
            Error::unavailable(
                "OVERLOADED",
                "too many calls are in progress: retry with the same request_id",
                Duration::from_millis(500),
            )
        })?;
        counts.calls += 1;
        counts.streams += u32::from(sort.streams);
        drop(counts);
        let in_progress = share.in_progress.clone();
        Ok(Admission { _place: place, in_progress, streams: sort.streams, share })
    }
}

impl Share {
    fn new(limits: PartnerLimits, quota: &Quota, in_progress: Arc<Mutex<InProgress>>) -> Self {
        Self {
            limits,
            reads: limiter(limits.reads_per_second, quota),
            writes: limiter(limits.writes_per_second, quota),
            in_progress,
        }
    }

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
        let mut counts = self.in_progress.lock().unwrap_or_else(PoisonError::into_inner);
        counts.calls -= 1;
        counts.streams -= u32::from(self.streams);
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
        let (one, two, three) = (partner("one"), partner("two"), partner("three"));
        let first = quotas.admit(&one, READ).unwrap();
        let _second = quotas.admit(&one, READ).unwrap();
        assert_eq!(quotas.admit(&one, READ).err().unwrap().reason, "TOO_MANY_CALLS");
        let _other = quotas.admit(&two, WATCH).unwrap();
        assert_eq!(quotas.admit(&two, WATCH).err().unwrap().reason, "TOO_MANY_STREAMS");
        assert_eq!(quotas.admit(&three, READ).err().unwrap().reason, "OVERLOADED");
        drop(first);
        quotas.admit(&three, READ).unwrap();
    }

    #[test]
    fn a_used_up_quota_says_when_to_come_back_and_new_limits_hold_at_once() {
        let quotas = Quotas::new(&Limits::default(), &Quota::default());
        let mut one = partner("one");
        quotas.admit(&one, WRITE).unwrap();
        quotas.admit(&one, WRITE).unwrap();
        let refused = quotas.admit(&one, WRITE).err().unwrap();
        assert_eq!(refused.reason, "QUOTA_EXCEEDED");
        assert!(refused.retry_after.unwrap() <= Duration::from_secs(1));
        quotas.admit(&one, READ).unwrap();
        one.limits.writes_per_second = 5;
        quotas.admit(&one, WRITE).unwrap();
    }
}
