//! The parameters of a request: form-encoded, each at most once (RFC 6749, section 3.2).
//!
//! Enters: axum's reading of the body. Leaves: [`Parameters`], or the refusal.

use std::collections::HashMap;

use axum::extract::{Form, FromRequest, Request};
use axum::response::IntoResponse as _;
use http::StatusCode;
use http::header::AUTHORIZATION;

use super::answer::Refusal;

/// Ways of client authentication that are not offered here; silently ignoring one would let a
/// client believe that its secret was checked.
const OTHER_AUTHENTICATION: [&str; 3] =
    ["client_secret", "client_assertion", "client_assertion_type"];

/// Parameters by name; those without a value count as left out.
pub struct Parameters(HashMap<String, String>);

impl Parameters {
    /// The value of `name`.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    fn of(pairs: Vec<(String, String)>) -> Result<Self, Refusal> {
        let mut seen = HashMap::with_capacity(pairs.len());
        for (name, value) in pairs {
            if OTHER_AUTHENTICATION.contains(&name.as_str()) {
                return Err(other_authentication());
            }
            if seen.contains_key(&name) {
                return Err(Refusal::invalid_request(format!("parameter {name} comes twice")));
            }
            seen.insert(name, value);
        }
        seen.retain(|_, value| !value.is_empty());
        Ok(Self(seen))
    }
}

impl<S: Send + Sync> FromRequest<S> for Parameters {
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refusal> {
        if request.headers().contains_key(AUTHORIZATION) {
            return Err(other_authentication());
        }
        // Parameters in the address end up in the logs of whatever stands in between.
        if request.uri().query().is_some() {
            return Err(Refusal::invalid_request("parameters belong into the body"));
        }
        match Form::<Vec<(String, String)>>::from_request(request, state).await {
            Ok(Form(pairs)) => Self::of(pairs),
            Err(rejection) => Err(match rejection.into_response().status() {
                StatusCode::PAYLOAD_TOO_LARGE => Refusal::too_large(),
                StatusCode::UNSUPPORTED_MEDIA_TYPE => {
                    Refusal::invalid_request("the body must be application/x-www-form-urlencoded")
                }
                _ => Refusal::invalid_request("the body cannot be read"),
            }),
        }
    }
}

fn other_authentication() -> Refusal {
    Refusal::invalid_request(
        "clients are authenticated by their TLS certificate only: send no secret, assertion or \
         authorization header",
    )
}
