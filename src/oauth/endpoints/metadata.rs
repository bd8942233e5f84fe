//! What clients read before they ask: the server's metadata (RFC 8414) and its keys.
//!
//! Enters: nothing. Leaves: JSON in which every advertised value is true.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use serde_json::json;

use super::answer::kept_for;
use super::{INTROSPECT, JWKS, OAuth, REVOKE, TOKEN};
use crate::domain::scope::Scope;

/// Handles `GET /.well-known/oauth-authorization-server`.
pub async fn server(State(oauth): State<Arc<OAuth>>) -> Response {
    let issuer = &oauth.settings.issuer;
    let at = |path: &str| format!("{issuer}{path}");
    let by_certificate = ["tls_client_auth"];
    let scopes: Vec<&str> = Scope::ALL.iter().map(|scope| scope.as_str()).collect();
    let body = json!({
        "issuer": issuer,
        "token_endpoint": at(TOKEN),
        "token_endpoint_auth_methods_supported": by_certificate,
        "introspection_endpoint": at(INTROSPECT),
        "introspection_endpoint_auth_methods_supported": by_certificate,
        "revocation_endpoint": at(REVOKE),
        "revocation_endpoint_auth_methods_supported": by_certificate,
        "jwks_uri": at(JWKS),
        "grant_types_supported": ["client_credentials"],
        // There is no authorization endpoint, so there is no response type; RFC 8414 wants the
        // member nonetheless.
        "response_types_supported": [],
        "scopes_supported": scopes,
        "tls_client_certificate_bound_access_tokens": true,
        // The whole port asks for certificates, so the aliases are the endpoints themselves.
        "mtls_endpoint_aliases": {
            "token_endpoint": at(TOKEN),
            "introspection_endpoint": at(INTROSPECT),
            "revocation_endpoint": at(REVOKE),
        },
    });
    kept_for(oauth.settings.jwks_cache_seconds, "application/json", &body)
}

/// Handles `GET /oauth2/jwks`: every key that is not retired, those included that sign later.
pub async fn jwks(State(oauth): State<Arc<OAuth>>) -> Response {
    let body = json!({ "keys": oauth.ring.published(oauth.env.now()) });
    kept_for(oauth.settings.jwks_cache_seconds, "application/jwk-set+json", &body)
}
