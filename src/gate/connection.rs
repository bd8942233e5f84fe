//! The connections that are open, and what ends them.
//!
//! Enters: each connection after its handshake. Leaves: the decision that one must go:
//! politely (GOAWAY, calls in progress end first) when it is idle or old, at once when
//! its certificate no longer holds or its peer does not take its answers. It knows
//! nothing of HTTP or of what the calls are.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use rustls_pki_types::CertificateDer;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::limits::{Limits, seconds};
use super::peer::PeerIdentity;
use super::tls::TlsReloader;
use super::verifier::Freshness;
use crate::clock::Env;

/// How long a peer that was asked to go may take.
const GOODBYE: Duration = Duration::from_secs(5);

/// One open connection.
pub struct Connection {
    peer: PeerIdentity,
    chain: Vec<CertificateDer<'static>>,
    since: Instant,
    /// When it is asked to go because of its age.
    retires: Option<Instant>,
    calls: AtomicUsize,
    /// Milliseconds after `since` when the last call began or ended; 0 before the first.
    last_call: AtomicU64,
    answers: Mutex<Answers>,
    cut: CancellationToken,
    leave: CancellationToken,
}

/// The answers on their way, and some that have ended.
#[derive(Default)]
struct Answers {
    all: Vec<Weak<Progress>>,
    /// Those that have ended are taken out when there are so many in all: a look at each for
    /// every new one would cost more than the calls.
    sift_at: usize,
}

/// Whether the peer takes an answer: milliseconds after the connection's start when a frame
/// was handed over that is still not taken, or 0.
#[derive(Debug, Default)]
pub(super) struct Progress(AtomicU64);

/// A call in progress on a connection; ends when dropped.
pub(super) struct CallGuard(Arc<Connection>);

impl Connection {
    pub(super) fn new(
        peer: PeerIdentity,
        chain: Vec<CertificateDer<'static>>,
        retires: Option<Instant>,
    ) -> Arc<Self> {
        Arc::new(Self {
            peer,
            chain,
            since: Instant::now(),
            retires,
            calls: AtomicUsize::new(0),
            last_call: AtomicU64::new(0),
            answers: Mutex::default(),
            cut: CancellationToken::new(),
            leave: CancellationToken::new(),
        })
    }

    /// Who is at the other end.
    pub fn peer(&self) -> &PeerIdentity {
        &self.peer
    }

    /// Fires when the connection must end at once.
    pub fn cut(&self) -> &CancellationToken {
        &self.cut
    }

    /// Fires when the connection must take no more calls and end with the last one.
    pub(super) fn leave(&self) -> &CancellationToken {
        &self.leave
    }

    pub(super) fn begin_call(self: &Arc<Self>) -> CallGuard {
        self.calls.fetch_add(1, Ordering::Relaxed);
        self.last_call.store(self.elapsed(), Ordering::Relaxed);
        CallGuard(self.clone())
    }

    /// Watches over an answer that the peer must take from now on.
    pub(super) fn follow(&self) -> Arc<Progress> {
        let progress = Arc::new(Progress::default());
        progress.handed(self);
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        answers.add(&progress);
        drop(answers);
        progress
    }

    /// Milliseconds since the start, never 0.
    pub(super) fn elapsed(&self) -> u64 {
        u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX).max(1)
    }

    /// Lets it go, or cuts it, if the limits say so.
    fn look(&self, limits: &Limits, now: Instant) {
        let age = now.saturating_duration_since(self.since);
        let last = self.last_call.load(Ordering::Relaxed);
        if last == 0 {
            let patience = seconds(limits.first_request_seconds);
            if age >= patience {
                self.leave.cancel();
            }
            // A peer that has not even finished its preface cannot be asked.
            if age >= patience + patience.min(GOODBYE) {
                self.cut.cancel();
            }
            return;
        }
        let idle = age.saturating_sub(Duration::from_millis(last));
        if self.calls.load(Ordering::Relaxed) == 0 {
            if idle >= seconds(limits.idle_seconds) {
                self.leave.cancel();
            }
            // A peer that does not even go when asked is still pinging us.
            if idle >= seconds(limits.idle_seconds) + GOODBYE {
                self.cut.cancel();
            }
        }
        if self.retires.is_some_and(|at| now >= at) {
            self.leave.cancel();
        }
        let answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        // An answer nobody asks for any more is not upgraded: it has ended.
        let stalled = answers.all.iter().filter_map(Weak::upgrade).any(|answer| {
            let since = answer.0.load(Ordering::Relaxed);
            since != 0
                && age.saturating_sub(Duration::from_millis(since))
                    >= seconds(limits.stalled_seconds)
        });
        if stalled {
            self.cut.cancel();
        }
    }
}

impl Answers {
    fn add(&mut self, progress: &Arc<Progress>) {
        if self.all.len() >= self.sift_at.max(64) {
            self.all.retain(|answer| answer.strong_count() > 0);
            self.sift_at = self.all.len() * 2;
        }
        self.all.push(Arc::downgrade(progress));
    }
}

impl Progress {
    /// A frame was handed over.
    pub(super) fn handed(&self, connection: &Connection) {
        self.0.store(connection.elapsed(), Ordering::Relaxed);
    }

    /// The frame before was taken: the next one is asked for.
    pub(super) fn taken(&self) {
        self.0.store(0, Ordering::Relaxed);
    }
}

impl CallGuard {
    pub(super) fn connection(&self) -> &Arc<Connection> {
        &self.0
    }
}

impl Drop for CallGuard {
    fn drop(&mut self) {
        self.0.last_call.store(self.0.elapsed(), Ordering::Relaxed);
        self.0.calls.fetch_sub(1, Ordering::Relaxed);
    }
}

/// All open connections.
#[derive(Default)]
pub struct Connections {
    open: Mutex<HashMap<u64, Arc<Connection>>>,
    next: AtomicU64,
}

/// A place among the open connections; given back when dropped.
pub(super) struct Place {
    connections: Arc<Connections>,
    key: u64,
}

impl Connections {
    pub(super) fn enter(self: &Arc<Self>, connection: Arc<Connection>) -> Place {
        let key = self.next.fetch_add(1, Ordering::Relaxed);
        self.lock().insert(key, connection);
        Place { connections: self.clone(), key }
    }

    /// How many are open.
    pub fn len(&self) -> usize {
        self.lock().len()
    }

    /// Whether none is open.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Asks all to go when their calls have ended.
    pub(super) fn leave_all(&self) {
        self.all().iter().for_each(|connection| connection.leave.cancel());
    }

    /// Ends all at once; says how many there were.
    pub(super) fn cut_all(&self) -> usize {
        let all = self.all();
        all.iter().for_each(|connection| connection.cut.cancel());
        all.len()
    }

    /// Watches over the open connections, for ever: certificates that no longer hold since a
    /// reload or by the clock, idle, old and stalled ones.
    pub(super) async fn sweep(
        self: Arc<Self>,
        tls: Arc<TlsReloader>,
        limits: Arc<Limits>,
        env: Env,
    ) {
        let mut reloaded = tls.changes();
        let mut freshness = tls.health().revocation;
        let mut tick = tokio::time::interval(Duration::from_millis(500));
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let mut verify = tokio::select! {
                changed = reloaded.changed() => changed.is_ok(),
                _ = tick.tick() => false,
            };
            let fresh = tls.health().revocation;
            verify |=
                std::mem::replace(&mut freshness, fresh) != fresh && fresh == Freshness::Stale;
            if verify {
                let (all, tls) = (self.all(), tls.clone());
                // Thousands of signature checks; calls go on meanwhile.
                let _ = tokio::task::spawn_blocking(move || verify_all(&all, &tls)).await;
            }
            let (now, at) = (Instant::now(), env.now());
            for connection in self.all() {
                if at > connection.peer.not_after() {
                    tracing::warn!(
                        target: "puente::gate",
                        certificate = connection.peer.thumbprint(),
                        "connection cut: its certificate has expired"
                    );
                    connection.cut.cancel();
                }
                connection.look(&limits, now);
            }
        }
    }

    fn all(&self) -> Vec<Arc<Connection>> {
        self.lock().values().cloned().collect()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<u64, Arc<Connection>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.connections.lock().remove(&self.key);
    }
}

fn verify_all(connections: &[Arc<Connection>], tls: &TlsReloader) {
    for connection in connections {
        verify_one(connection, tls);
    }
}

/// Cuts a connection whose certificate would not be let in now.
pub(super) fn verify_one(connection: &Connection, tls: &TlsReloader) {
    if let Err(error) = tls.verify_again(&connection.chain) {
        tracing::warn!(
            target: "puente::gate",
            certificate = connection.peer.thumbprint(),
            %error,
            "connection cut: its certificate no longer holds"
        );
        connection.cut.cancel();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_that_have_ended_are_not_kept_and_those_on_their_way_are() {
        let mut answers = Answers::default();
        let on_their_way: Vec<Arc<Progress>> = (0..100).map(|_| Arc::default()).collect();
        for kept in &on_their_way {
            answers.add(kept);
            for _ in 0..100 {
                answers.add(&Arc::default());
            }
        }
        assert!(answers.all.len() <= 2 * on_their_way.len() + 1, "{}", answers.all.len());
        assert_eq!(answers.all.iter().filter_map(Weak::upgrade).count(), on_their_way.len());
    }
}
