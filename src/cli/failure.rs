//! What went wrong, as a person at a terminal is told.
//!
//! Enters: gRPC statuses with their details, configuration and file errors. Leaves: one line
//! `error: REASON: message (field: ...)` and, where one is known, a line with the next step.
//! It must not know how anything is printed besides.

use std::fmt;
use std::path::Path;

use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::config::ConfigError;
use crate::gate::material::MaterialError;
use crate::pki::PkiError;

/// The outcome of a command.
pub type Outcome<T = ()> = Result<T, Failure>;

/// A command's failure; its `Display` is what stands on standard error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// A fixed word for programs, as in the API's `ErrorInfo`.
    pub reason: String,
    /// What happened, one sentence.
    pub message: String,
    /// Fields at fault and what is wrong with each.
    pub fields: Vec<(String, String)>,
    /// Details for programs, by name.
    pub details: Vec<(String, String)>,
    /// What to do next.
    pub hint: Option<String>,
}

impl Failure {
    /// A failure of this reason.
    pub fn new(reason: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
            message: message.into(),
            fields: Vec::new(),
            details: Vec::new(),
            hint: None,
        }
    }

    /// Names a field at fault.
    #[must_use]
    pub fn at(mut self, field: impl Into<String>) -> Self {
        self.fields.push((field.into(), String::new()));
        self
    }

    /// Says what to do next.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The file at `path` cannot be used.
    pub fn file(path: &Path, reason: impl fmt::Display) -> Self {
        Self::new("FILE_UNUSABLE", format!("{}: {reason}", path.display()))
    }

    /// A detail that came with the gateway's answer.
    pub fn detail(&self, name: &str) -> Option<&str> {
        self.details.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}: {}", self.reason, one_line(&self.message))?;
        let mut between = " (";
        for (field, description) in &self.fields {
            write!(f, "{between}field: {field}")?;
            if !description.is_empty() && *description != self.message {
                write!(f, ": {}", one_line(description))?;
            }
            between = "; ";
        }
        let told = |name: &str| !matches!(name, "resource" | "quota");
        for (name, value) in self.details.iter().filter(|(name, _)| told(name)) {
            write!(f, "{between}{name}: {}", one_line(value))?;
            between = "; ";
        }
        if between == "; " {
            f.write_str(")")?;
        }
        match &self.hint {
            Some(hint) => write!(f, "\nhint: {}", one_line(hint)),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Failure {}

/// Text of others may hold what moves a terminal's cursor.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

impl From<Status> for Failure {
    fn from(status: Status) -> Self {
        let details = status.get_error_details();
        let info = details.error_info();
        let mut failure = Self::new(
            info.map_or_else(
                || crate::status::code_name(status.code()).to_owned(),
                |i| i.reason.clone(),
            ),
            status.message(),
        );
        if failure.message.is_empty() {
            failure.message = status.code().description().to_owned();
        }
        if let Some(info) = info {
            let mut metadata: Vec<_> = info.metadata.clone().into_iter().collect();
            metadata.sort();
            failure.details = metadata;
        }
        if let Some(request) = details.bad_request() {
            let violations = request.field_violations.iter();
            failure.fields = violations.map(|v| (v.field.clone(), v.description.clone())).collect();
        }
        if let Some(precondition) = details.precondition_failure() {
            let violations = precondition.violations.iter();
            let conditions: Vec<_> = violations
                .filter(|v| v.description != failure.message)
                .map(|v| (v.subject.clone(), v.description.clone()))
                .collect();
            // They say the same of what things are about; fields are for programs.
            if !conditions.is_empty() {
                failure.fields = conditions;
            }
        }
        failure.hint = next_step(&failure.reason, status.code()).map(str::to_owned);
        failure
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::new("INVALID_CONFIG", error.to_string())
    }
}

impl From<PkiError> for Failure {
    fn from(error: PkiError) -> Self {
        Self::new("PKI", error.to_string())
    }
}

impl From<MaterialError> for Failure {
    fn from(error: MaterialError) -> Self {
        Self::new("FILE_UNUSABLE", error.to_string())
    }
}

impl From<crate::error::Error> for Failure {
    fn from(error: crate::error::Error) -> Self {
        let mut failure = Self::new(error.reason, error.message);
        if let Some(internal) = error.internal {
            failure.message = format!("{} ({internal})", failure.message);
        }
        failure.fields =
            error.fields.into_iter().map(|field| (field.field, field.description)).collect();
        failure.details = error.metadata;
        failure
    }
}

impl From<crate::domain::fault::Fault> for Failure {
    fn from(fault: crate::domain::fault::Fault) -> Self {
        crate::error::Error::from(fault).into()
    }
}

fn next_step(reason: &str, code: Code) -> Option<&'static str> {
    Some(match reason {
        "SCOPE_MISSING" => {
            "this profile's partner is not granted that scope: use the profile of a partner that \
             is, or ask the operator: puente partner grant"
        }
        "PARTNER_SUSPENDED" => "the operator can let it in again: puente partner reinstate",
        "NOT_FOUND" => "check the name; what belongs to another partner is not found either",
        "STALE_ETAG" => "run the command again",
        "REPORT_SEALED" => "a sealed report takes no new line: put it into another period's report",
        "INVALID_CUIT" => "a CUIT has 11 digits, with or without hyphens, such as 30-50001091-2",
        _ => match code {
            Code::Unavailable | Code::DeadlineExceeded => {
                "run the command again: what was stored already counts once"
            }
            Code::ResourceExhausted => "wait a moment and run the command again",
            Code::Unauthenticated => {
                "check the profile's certificate: puente token --profile FILE says what is wrong"
            }
            Code::Internal => "quote the trace id to the operator of the gateway",
            Code::Ok
            | Code::Cancelled
            | Code::Unknown
            | Code::InvalidArgument
            | Code::NotFound
            | Code::AlreadyExists
            | Code::PermissionDenied
            | Code::FailedPrecondition
            | Code::Aborted
            | Code::OutOfRange
            | Code::Unimplemented
            | Code::DataLoss => return None,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;

    #[test]
    fn a_status_becomes_one_line_with_reason_and_field() {
        let error = Error::invalid("INVALID_CUIT", "cuit", "the check digit of the CUIT is wrong");
        let failure = Failure::from(Status::from(error));
        let text = failure.to_string();
        assert!(text.starts_with(
            "error: INVALID_CUIT: the check digit of the CUIT is wrong (field: cuit)\nhint: "
        ));
    }

    #[test]
    fn details_are_told_and_control_characters_are_not() {
        let error = Error::permission("SCOPE_MISSING", "no\x1b[2J scope").with("scope", "a.b");
        let text = Failure::from(Status::from(error)).to_string();
        assert!(text.starts_with("error: SCOPE_MISSING: no [2J scope (scope: a.b)\n"), "{text:?}");
    }

    #[test]
    fn a_status_without_details_gives_its_code() {
        let failure = Failure::from(Status::unavailable("gone"));
        assert_eq!(failure.reason, "UNAVAILABLE");
        assert!(failure.hint.is_some());
    }
}
