//! The access token of the command line: asked for over the profile's own certificate.
//!
//! Enters: a connector and a profile. Leaves: a token that is still good for a while. It is kept
//! in memory, and in a file only if the profile says where.

use std::sync::Arc;

use http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_util::rt::TokioIo;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;

use super::connection::Connector;
use super::failure::{Failure, Outcome};
use super::profile::Profile;
use crate::clock::Env;
use crate::pki;

/// A token is fetched anew this long before it ends.
const MARGIN: SignedDuration = SignedDuration::from_secs(60);
/// The longest answer of a token endpoint that is read.
const MAX_ANSWER: usize = 64 * 1024;

/// Where tokens come from.
pub struct TokenSource {
    profile: Arc<Profile>,
    connector: Connector,
    env: Env,
    held: Mutex<Option<AccessToken>>,
}

/// An access token and what the gateway said of it.
#[derive(Clone, Serialize, Deserialize)]
pub struct AccessToken {
    /// The token.
    pub access_token: String,
    /// When it ends.
    pub expires_at: Timestamp,
    /// What it may be used for.
    pub scope: String,
    /// The certificate it is bound to, as its file had it; a new certificate needs a new token.
    certificate: String,
}

#[derive(Deserialize)]
struct Answer {
    access_token: String,
    expires_in: i64,
    #[serde(default)]
    scope: String,
}

#[derive(Deserialize)]
struct Refusal {
    error: String,
    #[serde(default)]
    error_description: String,
}

impl TokenSource {
    /// Asks over `connector` as the profile's partner.
    pub fn new(profile: Arc<Profile>, connector: Connector, env: Env) -> Self {
        Self { profile, connector, env, held: Mutex::new(None) }
    }

    /// A token that is good for at least a minute.
    pub async fn token(&self) -> Outcome<AccessToken> {
        let mut held = self.held.lock().await;
        if held.is_none() {
            *held = self.cached();
        }
        if let Some(token) = held.as_ref().filter(|token| self.fresh(token)) {
            return Ok(token.clone());
        }
        let token = self.ask(None).await?;
        self.cache(&token)?;
        *held = Some(token.clone());
        Ok(token)
    }

    /// Forgets the token, because the gateway did not accept it.
    pub async fn forget(&self) {
        *self.held.lock().await = None;
        if let Some(path) = &self.profile.token_cache {
            // It may be gone already.
            let _ = std::fs::remove_file(path);
        }
    }

    /// A new token with these scopes, or with all that the partner is granted.
    pub async fn ask(&self, scope: Option<&str>) -> Outcome<AccessToken> {
        let mut body = String::from("grant_type=client_credentials");
        if let Some(scope) = scope {
            body.push_str("&scope=");
            // Scope names have no character that would need an escape; others are refused there.
            body.push_str(&scope.replace(' ', "+"));
        }
        let (status, answer) = self.post("/oauth2/token", body).await?;
        if status != StatusCode::OK {
            return Err(self.refused(status, &answer));
        }
        let answer: Answer = serde_json::from_slice(&answer).map_err(|reason| {
            Failure::new("TOKEN_UNREADABLE", format!("{}: {reason}", self.profile.endpoint))
        })?;
        Ok(AccessToken {
            access_token: answer.access_token,
            expires_at: self.env.now() + SignedDuration::from_secs(answer.expires_in.max(0)),
            scope: answer.scope,
            certificate: self.certificate(),
        })
    }

    async fn post(&self, path: &str, body: String) -> Outcome<(StatusCode, Vec<u8>)> {
        let explain = |error: &(dyn std::error::Error + 'static)| self.connector.explain(error);
        let stream = TokioIo::new(self.connector.http().await?);
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(stream).await.map_err(|e| explain(&e))?;
        let connection = tokio::spawn(connection);
        let authority = self.profile.endpoint.trim_start_matches("https://").trim_end_matches('/');
        let request = Request::builder()
            .method(Method::POST)
            .uri(path)
            .header(header::HOST, authority)
            .header(header::ACCEPT, "application/json")
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Full::<bytes::Bytes>::from(body))
            .map_err(|reason| Failure::new("INVALID_PROFILE", reason.to_string()))?;
        let answer = match sender.send_request(request).await {
            Ok(answer) => answer,
            // With TLS 1.3 a refused certificate shows after the handshake, and on the connection:
            // the request only learns that it was given up.
            Err(given_up) => {
                return Err(match connection.await {
                    Ok(Err(broken)) => explain(&broken),
                    Ok(Ok(())) | Err(_) => explain(&given_up),
                });
            }
        };
        let status = answer.status();
        let body = Limited::new(answer.into_body(), MAX_ANSWER)
            .collect()
            .await
            .map_err(|error| explain(error.as_ref()))?;
        Ok((status, body.to_bytes().to_vec()))
    }

    fn refused(&self, status: StatusCode, answer: &[u8]) -> Failure {
        let endpoint = &self.profile.endpoint;
        match serde_json::from_slice::<Refusal>(answer) {
            Ok(refusal) => {
                let hint = match refusal.error.as_str() {
                    "invalid_client" => Some(
                        "the operator registers a certificate with: puente partner bind, and lets \
                         a suspended partner in again with: puente partner reinstate",
                    ),
                    "invalid_scope" => Some("ask without --scope for all that is granted"),
                    _ => None,
                };
                let failure = Failure::new(
                    refusal.error.to_uppercase(),
                    format!("{endpoint} gave no token: {}", refusal.error_description),
                );
                Failure { hint: hint.map(str::to_owned), ..failure }
            }
            Err(_) => Failure::new(
                "TOKEN_REFUSED",
                format!("{endpoint} gave no token: HTTP status {status}"),
            ),
        }
    }

    fn fresh(&self, token: &AccessToken) -> bool {
        token.expires_at > self.env.now() + MARGIN
    }

    /// The token of an earlier command, if the profile keeps it and the certificate is the same.
    fn cached(&self) -> Option<AccessToken> {
        let path = self.profile.token_cache.as_ref()?;
        crate::gate::material::check_owner_only(path).ok()?;
        let token: AccessToken = serde_json::from_slice(&std::fs::read(path).ok()?).ok()?;
        (token.certificate == self.certificate()).then_some(token)
    }

    fn cache(&self, token: &AccessToken) -> Outcome {
        if let Some(path) = &self.profile.token_cache {
            let text = serde_json::to_string(token)
                .map_err(|reason| Failure::new("INTERNAL", reason.to_string()))?;
            pki::write_secret(path, &text)?;
        }
        Ok(())
    }

    /// SHA-256 of the certificate's file.
    fn certificate(&self) -> String {
        let pem = std::fs::read(&self.profile.certificate).unwrap_or_default();
        hex::encode(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &pem))
    }
}
