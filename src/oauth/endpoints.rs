//! The OAuth endpoints, on the same port as everything else.
//!
//! Enters: HTTP requests with the identity of their connection beside them. Leaves: JSON.
//! Each handler is a file; this one holds what they share and the routes.

mod answer;
mod form;
mod issue;
mod metadata;
mod standing;
#[cfg(test)]
mod tests;

use std::num::NonZeroU32;
use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};
use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

use self::answer::Refusal;
use super::keys::KeyRing;
use super::settings::OAuthSettings;
use crate::app::access::{Directory, Identified, Tokens};
use crate::clock::Env;
use crate::domain::partner::{Partner, PartnerState};
use crate::gate::peer::PeerIdentity;
use crate::gate::token::Verifier;

/// Path of the token endpoint.
pub const TOKEN: &str = "/oauth2/token";
/// Path of the introspection endpoint.
pub const INTROSPECT: &str = "/oauth2/introspect";
/// Path of the revocation endpoint.
pub const REVOKE: &str = "/oauth2/revoke";
/// Path of the published keys.
pub const JWKS: &str = "/oauth2/jwks";
/// Path of the metadata (RFC 8414).
pub const METADATA: &str = "/.well-known/oauth-authorization-server";

/// The longest body of a request, in bytes.
const MAX_BODY: usize = 8 * 1024;

/// Introspections and revocations for each token a partner may ask for.
const LOOKS: NonZeroU32 = NonZeroU32::MIN.saturating_add(9);

/// What the endpoints work with.
pub struct OAuth {
    directory: Arc<Directory>,
    tokens: Tokens,
    ring: Arc<KeyRing>,
    verifier: Arc<Verifier>,
    settings: OAuthSettings,
    env: Env,
    asked: DefaultKeyedRateLimiter<String>,
    looked: DefaultKeyedRateLimiter<String>,
}

impl OAuth {
    /// The endpoints over these partners, keys and settings; the settings were checked.
    pub fn new(
        directory: Arc<Directory>,
        tokens: Tokens,
        ring: Arc<KeyRing>,
        verifier: Arc<Verifier>,
        settings: OAuthSettings,
        env: Env,
    ) -> Self {
        let a_minute = NonZeroU32::new(settings.tokens_per_minute).unwrap_or(NonZeroU32::MIN);
        let asked = RateLimiter::keyed(Quota::per_minute(a_minute));
        let looked = RateLimiter::keyed(Quota::per_minute(a_minute.saturating_mul(LOOKS)));
        Self { directory, tokens, ring, verifier, settings, env, asked, looked }
    }

    /// The partner a connection's certificate belongs to (tls_client_auth, RFC 8705 section 2.1):
    /// exactly one registered attribute, and the partner not suspended.
    fn client(&self, peer: Option<&PeerIdentity>) -> Result<Arc<Partner>, Refusal> {
        let peer = peer.ok_or_else(|| {
            Refusal::invalid_client("no client certificate came with this connection")
        })?;
        let partner = match self.directory.by_identity(peer.identities()) {
            Identified::Partner(partner) => partner,
            Identified::Unknown => {
                return Err(Refusal::invalid_client(
                    "the certificate belongs to no partner: ask the operator to bind it",
                ));
            }
            Identified::Ambiguous => {
                return Err(Refusal::invalid_client(
                    "the certificate carries more than one registered name",
                ));
            }
        };
        match partner.state {
            PartnerState::Active => Ok(partner),
            PartnerState::Suspended => {
                Err(Refusal::invalid_client("the partner is suspended: ask the operator"))
            }
        }
    }
}

/// Counts a request of `partner` and refuses it if there were too many.
fn count(limiter: &DefaultKeyedRateLimiter<String>, partner: &Partner) -> Result<(), Refusal> {
    limiter.check_key(&partner.id.to_string()).map_err(|until| {
        let wait = until.wait_time_from(DefaultClock::default().now());
        Refusal::too_often(wait.as_secs() + 1)
    })
}

/// The endpoints, to be merged into the routes of the TLS port.
pub fn router(state: Arc<OAuth>) -> Router {
    Router::new()
        .route(TOKEN, post(issue::token))
        .route(INTROSPECT, post(standing::introspect))
        .route(REVOKE, post(standing::revoke))
        .route(JWKS, get(metadata::jwks))
        .route(METADATA, get(metadata::server))
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .with_state(state)
}
