//! `POST /oauth2/token`: an access token for the partner of the certificate.
//!
//! Enters: grant type and scope. Leaves: a JWT of RFC 9068 bound to the certificate
//! (RFC 8705), or a refusal; a scope beyond the grant is refused, never trimmed.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use serde_json::json;

use super::answer::{Refusal, never_stored};
use super::form::Parameters;
use super::{OAuth, count};
use crate::domain::fault::Fault;
use crate::domain::partner::Partner;
use crate::domain::scope::ScopeSet;
use crate::gate::peer::PeerIdentity;

/// Handles `POST /oauth2/token`.
pub async fn token(
    State(oauth): State<Arc<OAuth>>,
    peer: Option<Extension<PeerIdentity>>,
    parameters: Result<Parameters, Refusal>,
) -> Response {
    let peer = peer.map(|Extension(peer)| peer);
    match oauth.issue(peer.as_ref(), parameters) {
        Ok(response) => response,
        Err(refusal) => {
            tracing::info!(error = refusal.error, why = refusal.description, "token refused");
            refusal.into_response()
        }
    }
}

impl OAuth {
    fn issue(
        &self,
        peer: Option<&PeerIdentity>,
        parameters: Result<Parameters, Refusal>,
    ) -> Result<Response, Refusal> {
        let partner = self.client(peer)?;
        let peer = peer.ok_or_else(|| Refusal::invalid_client("no client certificate"))?;
        count(&self.asked, &partner)?;
        let parameters = parameters?;
        if parameters.get("client_id").is_some_and(|id| id != partner.id.as_str()) {
            return Err(Refusal::invalid_client(
                "client_id is not the partner that the certificate belongs to",
            ));
        }
        match parameters.get("grant_type") {
            Some("client_credentials") => {}
            Some(_) => return Err(Refusal::unsupported_grant_type()),
            None => return Err(Refusal::invalid_request("grant_type is missing")),
        }
        let scope = granted(&partner, parameters.get("scope"))?.to_string();

        let now = self.env.now();
        let lifetime = self.settings.token_lifetime_seconds;
        let jti = self.env.ids.uuid();
        let claims = json!({
            "iss": self.settings.issuer,
            "aud": self.settings.audience,
            "sub": partner.id.as_str(),
            "client_id": partner.id.as_str(),
            "iat": now.as_second(),
            "nbf": now.as_second(),
            "exp": now.as_second() + i64::from(lifetime),
            "jti": jti,
            "scope": scope,
            "cnf": { "x5t#S256": peer.thumbprint() },
        });
        let token = self.ring.sign(&claims, now).map_err(|fault| {
            tracing::error!(%fault, "no token can be signed");
            Refusal::server_error(None)
        })?;
        tracing::info!(partner = %partner.id, %jti, scope, "token issued");
        let body = json!({
            "access_token": token,
            "token_type": "Bearer",
            "expires_in": lifetime,
            "scope": scope,
        });
        Ok(never_stored(StatusCode::OK, &body))
    }
}

/// The scopes asked for, all of them granted; the whole grant if none is named.
fn granted(partner: &Partner, asked: Option<&str>) -> Result<ScopeSet, Refusal> {
    let Some(asked) = asked else { return Ok(partner.scopes) };
    let asked: ScopeSet =
        asked.parse().map_err(|fault: Fault| Refusal::invalid_scope(fault.message))?;
    let beyond = asked.minus(partner.scopes);
    if beyond.is_empty() {
        return Ok(asked);
    }
    let partner_has = format!("{} is granted {}", partner.id, partner.scopes);
    Err(Refusal::invalid_scope(format!("{beyond} is beyond the grant: {partner_has}")))
}
