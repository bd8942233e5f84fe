//! Answers of the endpoints: JSON, never stored, refusals as RFC 6749 section 5.2 says.
//!
//! Enters: what a handler found. Leaves: an HTTP response.

use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, PRAGMA, RETRY_AFTER};
use http::{HeaderValue, StatusCode};
use serde_json::{Value, json};

/// A refusal: a fixed word for programs and a sentence for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// HTTP status.
    pub status: StatusCode,
    /// The word of RFC 6749, section 5.2.
    pub error: &'static str,
    /// What is wrong and what to do; only characters RFC 6749 allows.
    pub description: String,
    /// After how many seconds to ask again.
    pub retry_after: Option<u64>,
}

impl Refusal {
    fn new(status: StatusCode, error: &'static str, description: impl Into<String>) -> Self {
        Self { status, error, description: plain(&description.into()), retry_after: None }
    }

    /// The request misses something, repeats something, or is not understood.
    pub fn invalid_request(description: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_request", description)
    }

    /// The caller is not a client known here.
    pub fn invalid_client(description: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "invalid_client", description)
    }

    /// More is asked for than granted.
    pub fn invalid_scope(description: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_scope", description)
    }

    /// Another grant type than client_credentials.
    pub fn unsupported_grant_type() -> Self {
        let description = "the only grant type here is client_credentials";
        Self::new(StatusCode::BAD_REQUEST, "unsupported_grant_type", description)
    }

    /// The body is longer than a request may be.
    pub fn too_large() -> Self {
        let description = "the body is longer than 8 KiB";
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "invalid_request", description)
    }

    /// The partner asked too often.
    pub fn too_often(seconds: u64) -> Self {
        let description =
            "too many requests: keep a token and use it until shortly before it expires";
        Self {
            retry_after: Some(seconds),
            ..Self::new(StatusCode::TOO_MANY_REQUESTS, "temporarily_unavailable", description)
        }
    }

    /// A fault here, not at the caller; details are in the log.
    pub fn server_error(retry_after: Option<u64>) -> Self {
        let description = "the gateway cannot do this now: try again";
        Self {
            retry_after,
            ..Self::new(StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable", description)
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let body = json!({ "error": self.error, "error_description": self.description });
        let mut response = never_stored(self.status, &body);
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

/// A JSON answer that no cache may keep (RFC 6749, section 5.1).
pub fn never_stored(status: StatusCode, body: &Value) -> Response {
    let mut response = json_answer("application/json", body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(PRAGMA, HeaderValue::from_static("no-cache"));
    response
}

/// A JSON answer that caches may keep for `seconds`.
pub fn kept_for(seconds: u32, media_type: &'static str, body: &Value) -> Response {
    let mut response = json_answer(media_type, body);
    if let Ok(value) = HeaderValue::try_from(format!("public, max-age={seconds}")) {
        response.headers_mut().insert(CACHE_CONTROL, value);
    }
    response
}

fn json_answer(media_type: &'static str, body: &Value) -> Response {
    let mut response = body.to_string().into_response();
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    response
}

/// RFC 6749 allows printable ASCII without `"` and `\` in a description; what a caller sent may
/// hold anything.
fn plain(text: &str) -> String {
    let plain = |c| match c {
        '"' => '\'',
        '\\' => '?',
        ' '..='~' => c,
        _ => '?',
    };
    text.chars().map(plain).collect()
}
