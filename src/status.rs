//! The only way from an [`Error`] to a gRPC status.
//!
//! Enters: an `Error`. Leaves: a `tonic::Status` with `google.rpc` details; the
//! internal text goes to the log and nowhere else.

use std::collections::HashMap;
use std::time::Duration;

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, PreconditionViolation, QuotaViolation, StatusExt};

use crate::error::{Error, ErrorKind};

/// The `domain` of every `google.rpc.ErrorInfo` of ours.
pub const ERROR_DOMAIN: &str = "puente";

/// The gRPC code of a class of errors (google.rpc.Code).
pub fn code(kind: ErrorKind) -> Code {
    match kind {
        ErrorKind::Invalid => Code::InvalidArgument,
        ErrorKind::NotFound => Code::NotFound,
        ErrorKind::AlreadyExists => Code::AlreadyExists,
        ErrorKind::Precondition => Code::FailedPrecondition,
        ErrorKind::Aborted => Code::Aborted,
        ErrorKind::Permission => Code::PermissionDenied,
        ErrorKind::Unauthenticated => Code::Unauthenticated,
        ErrorKind::Exhausted => Code::ResourceExhausted,
        ErrorKind::Unavailable => Code::Unavailable,
        ErrorKind::Deadline => Code::DeadlineExceeded,
        ErrorKind::Unimplemented => Code::Unimplemented,
        ErrorKind::Internal => Code::Internal,
    }
}

/// The code's name in google.rpc.Code.
pub fn code_name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

impl From<Error> for Status {
    fn from(error: Error) -> Self {
        if let Some(internal) = &error.internal {
            tracing::error!(reason = error.reason, internal = %internal, "internal fault");
        }
        let mut details = ErrorDetails::new();
        let metadata: HashMap<_, _> = error.metadata.iter().cloned().collect();
        details.set_error_info(error.reason, ERROR_DOMAIN, metadata);
        let by_field = |error: &Error| {
            let violations = error.fields.iter().map(|violation| {
                tonic_types::FieldViolation::new(&violation.field, &violation.description)
            });
            violations.collect::<Vec<_>>()
        };
        match error.kind {
            ErrorKind::Invalid | ErrorKind::AlreadyExists if !error.fields.is_empty() => {
                details.set_bad_request(by_field(&error));
            }
            ErrorKind::Precondition => {
                if !error.conditions.is_empty() && !error.fields.is_empty() {
                    details.set_bad_request(by_field(&error));
                }
                let subject = error
                    .metadata
                    .iter()
                    .find(|(key, _)| key == "resource")
                    .map_or("", |(_, value)| value);
                let conditions = match error.conditions.is_empty() {
                    true => &error.fields,
                    false => &error.conditions,
                };
                let mut violations: Vec<_> = conditions
                    .iter()
                    .map(|one| {
                        PreconditionViolation::new(error.reason, &one.field, &one.description)
                    })
                    .collect();
                if violations.is_empty() {
                    violations.push(PreconditionViolation::new(
                        error.reason,
                        subject,
                        &error.message,
                    ));
                }
                details.set_precondition_failure(violations);
            }
            ErrorKind::Exhausted => {
                details.set_quota_failure(vec![QuotaViolation::new(error.reason, &error.message)]);
            }
            ErrorKind::Invalid
            | ErrorKind::AlreadyExists
            | ErrorKind::NotFound
            | ErrorKind::Aborted
            | ErrorKind::Permission
            | ErrorKind::Unauthenticated
            | ErrorKind::Unavailable
            | ErrorKind::Deadline
            | ErrorKind::Unimplemented
            | ErrorKind::Internal => {}
        }
        if let Some(after) = error.retry_after {
            details.set_retry_info(Some(after.max(Duration::from_millis(1))));
        }
        Status::with_error_details(code(error.kind), error.message, details)
    }
}
