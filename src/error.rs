//! The one error of the crate: what callers may know, and what only the log may.
//!
//! Enters: faults of the domain, the store and the gate. Leaves: an [`Error`]
//! that `status` turns into a gRPC status and `cli` into one line for a person.
//! It knows nothing of gRPC.

use std::fmt;
use std::time::Duration;

use crate::domain::fault::{Fault, FaultKind};

/// Shorthand for a fallible answer of the application.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The class of an error; decides the gRPC code and whether a retry can help.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The request itself is wrong; the same request never succeeds.
    Invalid,
    /// No such thing, or nothing the caller may see.
    NotFound,
    /// A thing of that name exists already.
    AlreadyExists,
    /// The thing is not in a state that allows this.
    Precondition,
    /// The thing changed since the caller read it; read again, then retry.
    Aborted,
    /// The caller is known but may not do this.
    Permission,
    /// The caller is not known, or its token is not good.
    Unauthenticated,
    /// A quota or limit is reached; retry later.
    Exhausted,
    /// The gateway cannot serve now; retry later with the same request id.
    Unavailable,
    /// The caller's deadline passed; the outcome of a write is unknown until asked by request id.
    Deadline,
    /// The method exists in the contract of another version only.
    Unimplemented,
    /// A fault of ours; details are in the log under the trace id.
    Internal,
}

/// A field of the request and what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldViolation {
    /// Path of the field in the request, in proto spelling (`lines[3].quantity`).
    pub field: String,
    /// What is wrong and what to do.
    pub description: String,
}

/// What went wrong: public text for the caller, internal text for the log.
#[derive(Clone, PartialEq, Eq)]
pub struct Error {
    /// Its class.
    pub kind: ErrorKind,
    /// A fixed word for programs, SCREAMING_SNAKE_CASE; documented in docs/integrators.md.
    pub reason: &'static str,
    /// One sentence for a person at the caller's side.
    pub message: String,
    /// What only our log may hold.
    pub internal: Option<String>,
    /// Fields at fault.
    pub fields: Vec<FieldViolation>,
    /// Where several conditions on the state of things failed, each of them; what it is about
    /// stands where a field would.
    pub conditions: Vec<FieldViolation>,
    /// Details for programs (`state`, `allowed`, `resource`, ...).
    pub metadata: Vec<(String, String)>,
    /// When a retry makes sense.
    pub retry_after: Option<Duration>,
}

impl Error {
    fn new(kind: ErrorKind, reason: &'static str, message: impl Into<String>) -> Self {
        Self {
            kind,
            reason,
            message: message.into(),
            internal: None,
            fields: Vec::new(),
            conditions: Vec::new(),
            metadata: Vec::new(),
            retry_after: None,
        }
    }

    /// A field of the request is malformed.
    pub fn invalid(
        reason: &'static str,
        field: impl Into<String>,
        message: impl Into<String>,
    ) -> Self {
        let message = message.into();
        let mut error = Self::new(ErrorKind::Invalid, reason, message.clone());
        error.fields.push(FieldViolation { field: field.into(), description: message });
        error
    }

    /// No such thing, or nothing the caller may see: one text for both, on purpose.
    pub fn not_found() -> Self {
        Self::new(ErrorKind::NotFound, "NOT_FOUND", "no such resource")
    }

    /// A thing of that name exists already.
    pub fn already_exists(reason: &'static str, message: impl Into<String>) -> Self {
        Self::new(ErrorKind::AlreadyExists, reason, message)
    }

    /// The state does not allow this.
    pub fn precondition(reason: &'static str, message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Precondition, reason, message)
    }

    /// The etag given is not the current one.
    pub fn stale_etag() -> Self {
        Self::new(
            ErrorKind::Aborted,
            "STALE_ETAG",
            "the resource changed since it was read: read it again and retry with its new etag",
        )
    }

    /// The resource is being changed by others at this moment.
    pub fn contended() -> Self {
        let mut error = Self::new(
            ErrorKind::Aborted,
            "CONTENDED",
            "the resource is being changed by others at this moment: retry",
        );
        error.retry_after = Some(Duration::from_millis(200));
        error
    }

    /// The caller may not do this.
    pub fn permission(reason: &'static str, message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Permission, reason, message)
    }

    /// The caller is not known, or its token is not good.
    pub fn unauthenticated(reason: &'static str, message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Unauthenticated, reason, message)
    }

    /// A quota or limit is reached.
    pub fn exhausted(
        reason: &'static str,
        message: impl Into<String>,
        retry_after: Duration,
    ) -> Self {
        let mut error = Self::new(ErrorKind::Exhausted, reason, message);
        error.retry_after = Some(retry_after);
        error
    }

    /// The gateway cannot serve now.
    pub fn unavailable(
        reason: &'static str,
        message: impl Into<String>,
        retry_after: Duration,
    ) -> Self {
        let mut error = Self::new(ErrorKind::Unavailable, reason, message);
        error.retry_after = Some(retry_after);
        error
    }

    /// The caller's deadline passed.
    pub fn deadline() -> Self {
        Self::new(
            ErrorKind::Deadline,
            "DEADLINE_EXCEEDED",
            "the deadline passed before the answer; repeat a write with the same request_id to \
             learn its outcome",
        )
    }

    /// No such method here.
    pub fn unimplemented(method: &str) -> Self {
        Self::new(
            ErrorKind::Unimplemented,
            "METHOD_UNKNOWN",
            format!("this gateway has no method {method}"),
        )
    }

    /// A fault of ours; `context` goes to the log only.
    pub fn internal(context: impl Into<String>) -> Self {
        let mut error = Self::new(
            ErrorKind::Internal,
            "INTERNAL",
            "the gateway failed; nothing was stored unless a retry with the same request_id says \
             so; quote the trace id to the operator",
        );
        error.internal = Some(context.into());
        error
    }

    /// The same request id came before with another body.
    pub fn request_id_reused() -> Self {
        let mut error = Self::new(
            ErrorKind::AlreadyExists,
            "REQUEST_ID_REUSED",
            "this request_id was used before with another body: use a fresh UUID for a new \
             request, or repeat the first body exactly",
        );
        error.fields.push(FieldViolation {
            field: "request_id".into(),
            description: "already used with another body".into(),
        });
        error
    }

    /// Adds a detail for programs.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl Into<String>) -> Self {
        self.metadata.push((key.to_owned(), value.into()));
        self
    }

    /// Adds what only our log may hold.
    #[must_use]
    pub fn because(mut self, internal: impl fmt::Display) -> Self {
        self.internal = Some(internal.to_string());
        self
    }

    /// Prefixes the path of every field at fault, as when an element of a list is parsed.
    #[must_use]
    pub fn within(mut self, parent: &str) -> Self {
        for violation in &mut self.fields {
            violation.field = format!("{parent}.{}", violation.field);
        }
        self
    }
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        let kind = match fault.kind {
            FaultKind::Malformed => ErrorKind::Invalid,
            FaultKind::IllegalState => ErrorKind::Precondition,
            FaultKind::Conflict => ErrorKind::AlreadyExists,
            FaultKind::NotPermitted => ErrorKind::Permission,
        };
        let mut error = Self::new(kind, fault.reason, fault.message.clone());
        for (key, value) in fault.metadata {
            error = error.with(key, value);
        }
        let of = |(field, description)| FieldViolation { field, description };
        for violation in fault.violations {
            error.conditions.push(of((violation.subject, violation.description)));
            error.fields.extend(violation.fields.into_iter().map(of));
        }
        if let Some(field) = fault.field {
            error.fields.push(FieldViolation { field, description: fault.message });
        }
        error
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.reason, self.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {}: {}", self.kind, self.reason, self.message)?;
        if let Some(internal) = &self.internal {
            write!(f, " ({internal})")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}
