//! Whether the maker of a call that is still going on may go on.
//!
//! Enters: who it was let in as. Leaves: the refusal, within a second of the moment it came
//! to be: a partner suspended, a token revoked or run out, a certificate unbound, a grant
//! taken away. It knows nothing of messages.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use super::guest::Guest;
use super::limits::seconds;
use super::service::{Rule, scope};
use super::token::VerifiedToken;
use crate::domain::partner::PartnerId;
use crate::error::Error;

/// Who a call was let in as.
pub(super) struct Standing {
    guest: Arc<Guest>,
    partner: PartnerId,
    rule: Rule,
    token: Option<Arc<VerifiedToken>>,
}

/// When a message last passed on a stream, in either direction.
#[derive(Clone)]
pub(super) struct Activity {
    since: Instant,
    last: Arc<AtomicU64>,
}

impl Standing {
    pub(super) fn new(
        guest: Arc<Guest>,
        partner: PartnerId,
        rule: Rule,
        token: Option<Arc<VerifiedToken>>,
    ) -> Self {
        Self { guest, partner, rule, token }
    }

    /// Every check that can turn out otherwise than when the call was let in.
    pub(super) fn check(&self) -> Result<(), Error> {
        let parts = self.guest.parts();
        let now = parts.env.now();
        let known = self.guest.identify(now)?;
        if known.partner.id != self.partner {
            return Err(Error::unauthenticated(
                "CERTIFICATE_REBOUND",
                "the client certificate names another partner by now: call again",
            ));
        }
        if let Some(token) = &self.token {
            parts.verifier.hold(token, now)?;
        }
        scope(&self.rule, &known.partner, self.token.as_deref()).map(|_| ())
    }

    /// Resolves when the stream must end, with the reason.
    pub(super) async fn ends(self, activity: Activity, asked: Option<Duration>) -> Error {
        let parts = self.guest.parts();
        let mut changes = parts.directory.changes();
        let began = Instant::now();
        let idle = seconds(parts.limits.stream_idle_seconds);
        let deadline = asked.and_then(|asked| began.checked_add(asked));
        let watches = self.rule.access.server_streams && !self.rule.access.writes;
        let leaving = async {
            if !watches {
                return std::future::pending().await;
            }
            self.guest.connection().leave().cancelled().await;
            // A download may be near its end; a watch has none.
            tokio::time::sleep(seconds(parts.limits.drain_seconds) / 3).await;
        };
        tokio::pin!(leaving);
        loop {
            let next = Instant::now() + Duration::from_secs(1);
            tokio::select! {
                _ = changes.changed() => {}
                () = tokio::time::sleep_until(deadline.map_or(next, |at| at.min(next))) => {}
                () = &mut leaving => return moving_on(),
            }
            if let Err(error) = self.check() {
                return error;
            }
            if deadline.is_some_and(|at| Instant::now() >= at) {
                return Error::deadline();
            }
            if activity.idle() >= idle {
                return Error::unavailable(
                    "STREAM_IDLE",
                    "the stream had no message for too long: open it again where it stopped",
                    Duration::from_secs(1),
                );
            }
        }
    }
}

impl Activity {
    pub(super) fn begin() -> Self {
        Self { since: Instant::now(), last: Arc::default() }
    }

    pub(super) fn mark(&self) {
        let now = u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last.store(now, Ordering::Relaxed);
    }

    fn idle(&self) -> Duration {
        self.since
            .elapsed()
            .saturating_sub(Duration::from_millis(self.last.load(Ordering::Relaxed)))
    }
}

fn moving_on() -> Error {
    Error::unavailable(
        "DRAINING",
        "this connection is being closed: connect again and go on where the stream stopped",
        Duration::from_millis(100),
    )
}
