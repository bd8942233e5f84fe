//! `POST /oauth2/introspect` (RFC 7662) and `POST /oauth2/revoke` (RFC 7009).
//!
//! Enters: a token. Leaves: what its owner may know of it, or its end. To everybody but
//! its owner a token does not exist.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use serde_json::json;

use super::answer::{Refusal, never_stored};
use super::form::Parameters;
use super::{OAuth, count};
use crate::domain::request_id::RequestId;
use crate::gate::peer::PeerIdentity;
use crate::gate::token::{LEEWAY, VerifiedToken};

/// Handles `POST /oauth2/introspect`.
pub async fn introspect(
    State(oauth): State<Arc<OAuth>>,
    peer: Option<Extension<PeerIdentity>>,
    parameters: Result<Parameters, Refusal>,
) -> Result<Response, Refusal> {
    let (_, token) = oauth.owned(peer.as_deref(), &parameters?)?;
    let body = match token {
        None => json!({ "active": false }),
        Some(token) => json!({
            "active": true,
            "iss": token.issuer(),
            "aud": oauth.settings.audience,
            "sub": token.client_id(),
            "client_id": token.client_id(),
            "iat": token.issued_at().as_second(),
            "exp": token.expires_at().as_second(),
            "jti": token.jti(),
            "scope": token.scopes().to_string(),
            "token_type": "Bearer",
            "cnf": { "x5t#S256": token.thumbprint() },
        }),
    };
    Ok(never_stored(StatusCode::OK, &body))
}

/// Handles `POST /oauth2/revoke`; an unknown token is no error.
pub async fn revoke(
    State(oauth): State<Arc<OAuth>>,
    peer: Option<Extension<PeerIdentity>>,
    parameters: Result<Parameters, Refusal>,
) -> Result<Response, Refusal> {
    let (peer, token) = oauth.owned(peer.as_deref(), &parameters?)?;
    if let Some(token) = token {
        oauth.end(peer, &token).await?;
    }
    Ok(never_stored(StatusCode::OK, &json!({})))
}

impl OAuth {
    /// The token named in the request, if it is ours, holds, and belongs to the caller.
    fn owned<'a>(
        &self,
        peer: Option<&'a PeerIdentity>,
        parameters: &Parameters,
    ) -> Result<(&'a PeerIdentity, Option<Arc<VerifiedToken>>), Refusal> {
        let partner = self.client(peer)?;
        count(&self.looked, &partner)?;
        let peer = peer.ok_or_else(|| Refusal::invalid_client("no client certificate"))?;
        if parameters.get("client_id").is_some_and(|id| id != partner.id.as_str()) {
            return Err(Refusal::invalid_client(
                "client_id is not the partner that the certificate belongs to",
            ));
        }
        let token = parameters
            .get("token")
            .ok_or_else(|| Refusal::invalid_request("parameter token is missing"))?;
        // Bound to another certificate of the same partner is still the partner's own.
        let token = self.verifier.inspect(token, self.env.now()).ok().filter(|token| {
            token.issuer() == self.settings.issuer && token.client_id() == partner.id.as_str()
        });
        Ok((peer, token))
    }

    async fn end(&self, peer: &PeerIdentity, token: &VerifiedToken) -> Result<(), Refusal> {
        let refuse = |fault: &dyn std::fmt::Display| {
            tracing::error!(%fault, jti = token.jti(), "a token cannot be revoked now");
            Refusal::server_error(Some(1))
        };
        let owner = token.client_id().parse().map_err(|fault| refuse(&fault))?;
        let jti: RequestId = token.jti().parse().map_err(|fault| refuse(&fault))?;
        // The revocation must outlast the leeway that the verifier gives on expiry.
        let until = token.expires_at().checked_add(LEEWAY).map_err(|fault| refuse(&fault))?;
        self.tokens
            .revoke(&owner, peer.thumbprint(), jti, until)
            .await
            .map_err(|fault| refuse(&fault))?;
        tracing::info!(partner = %owner, jti = token.jti(), "token revoked");
        Ok(())
    }
}
