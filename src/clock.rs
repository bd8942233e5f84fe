//! The only door to time and randomness, so that every test can hold both still.
//!
//! Enters: the operating system's clock and random source. Leaves: [`Timestamp`]
//! values in whole microseconds and fresh identifiers. It knows nothing of the rest.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use jiff::Timestamp;
use uuid::Uuid;

/// Tells the time.
pub trait Clock: Send + Sync + 'static {
    /// The present moment in UTC, truncated to microseconds, which is what stores keep.
    fn now(&self) -> Timestamp;
}

/// Makes identifiers nobody can guess.
pub trait Ids: Send + Sync + 'static {
    /// A fresh UUID; version 7, so that later ones sort after earlier ones.
    fn uuid(&self) -> Uuid;
    /// Thirty-two bytes from the operating system's random source, for salts and secrets.
    fn random(&self) -> [u8; 32];
    /// Twenty-four random bytes for the id of a trace and of a span: as unlikely to come twice, but
    /// drawn ahead and kept in memory, so never for a secret.
    fn trace(&self) -> [u8; 24] {
        let mut out = [0; 24];
        out.copy_from_slice(&self.random()[..24]);
        out
    }
}

/// Clock and identifiers together, as handed to those who need them.
#[derive(Clone)]
pub struct Env {
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The identifiers.
    pub ids: Arc<dyn Ids>,
}

impl Env {
    /// The machine's own clock and random source; made once, in `main` or by a test.
    pub fn system() -> Self {
        Self { clock: Arc::new(SystemClock), ids: Arc::new(SystemIds) }
    }

    /// The present moment in UTC, in whole microseconds.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }
}

/// The machine's clock.
pub struct SystemClock;

impl Clock for SystemClock {
    #[allow(clippy::disallowed_methods, reason = "the one place that may ask the machine")]
    fn now(&self) -> Timestamp {
        whole_micros(Timestamp::now())
    }
}

/// The machine's random source.
pub struct SystemIds;

impl Ids for SystemIds {
    #[allow(clippy::disallowed_methods, reason = "the one place that may ask the machine")]
    fn uuid(&self) -> Uuid {
        Uuid::now_v7()
    }

    #[allow(clippy::disallowed_methods, reason = "the one place that may ask the machine")]
    fn random(&self) -> [u8; 32] {
        let mut out = [0; 32];
        // Unwrap safety: aws-lc's generator fails only when the operating system has no entropy
        // source at all; nothing safe can be done then.
        aws_lc_rs::rand::fill(&mut out).expect("operating system random source");
        out
    }

    fn trace(&self) -> [u8; 24] {
        AHEAD.with_borrow_mut(|ahead| {
            if ahead.is_empty() {
                let drawn = std::iter::repeat_with(|| self.random()).take(AT_ONCE * 24 / 32);
                ahead.extend(drawn.flatten());
            }
            let mut out = [0; 24];
            let rest = ahead.len().saturating_sub(out.len());
            out.copy_from_slice(&ahead[rest..]);
            ahead.truncate(rest);
            out
        })
    }
}

/// How many ids of traces are drawn at once.
const AT_ONCE: usize = 64;

thread_local! {
    static AHEAD: std::cell::RefCell<Vec<u8>> = const { std::cell::RefCell::new(Vec::new()) };
}

/// The machine's clock, ahead of it by as much as it was told.
#[derive(Default)]
pub struct ClockAhead(AtomicI64);

impl ClockAhead {
    /// Goes ahead by so much more.
    pub fn advance(&self, by: jiff::SignedDuration) {
        let micros = i64::try_from(by.as_micros()).unwrap_or(0);
        self.0.fetch_add(micros, Ordering::SeqCst);
    }
}

impl Clock for ClockAhead {
    fn now(&self) -> Timestamp {
        let ahead = jiff::SignedDuration::from_micros(self.0.load(Ordering::SeqCst));
        SystemClock.now().saturating_add(ahead).unwrap_or(Timestamp::MAX)
    }
}

/// A clock that moves only when told.
pub struct ManualClock(AtomicI64);

impl ManualClock {
    /// A clock that stands at `start`.
    pub fn new(start: Timestamp) -> Self {
        Self(AtomicI64::new(start.as_microsecond()))
    }

    /// Moves the clock by `seconds`, backwards if negative.
    pub fn advance(&self, seconds: i64) {
        self.0.fetch_add(seconds * 1_000_000, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_microsecond(self.0.load(Ordering::SeqCst)).unwrap_or(Timestamp::MAX)
    }
}

/// Identifiers that come out the same in every run: 1, 2, 3, ...
#[derive(Default)]
pub struct CountingIds(AtomicU64);

impl Ids for CountingIds {
    fn uuid(&self) -> Uuid {
        Uuid::from_u128(u128::from(self.0.fetch_add(1, Ordering::SeqCst) + 1))
    }

    fn random(&self) -> [u8; 32] {
        let mut out = [0; 32];
        out[..8].copy_from_slice(&(self.0.fetch_add(1, Ordering::SeqCst) + 1).to_be_bytes());
        out
    }
}

fn whole_micros(at: Timestamp) -> Timestamp {
    Timestamp::from_microsecond(at.as_microsecond()).unwrap_or(at)
}
