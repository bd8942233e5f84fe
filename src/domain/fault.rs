//! What a rule of the domain says when it refuses.
//!
//! Enters: the reason and the words of a rule. Leaves: a [`Fault`], which `error` turns into the
//! one error of the program. It must not know status codes.

use std::fmt;

/// A refusal by a rule: a fixed reason for machines, and for people what is wrong and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What sort of refusal it is.
    pub kind: FaultKind,
    /// SCREAMING_SNAKE_CASE, stable for ever.
    pub reason: &'static str,
    /// The field that is at fault, by its name in the request, where there is one.
    pub field: Option<String>,
    /// One sentence that a stranger understands: what is wrong and what to do. Public.
    pub message: String,
    /// What programs may want to know besides, by name: the state, the missing issuers.
    pub metadata: Vec<(&'static str, String)>,
    /// Where several conditions failed, each of them.
    pub violations: Vec<Violation>,
}

/// One of several conditions that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// What it is about, as `SALE/CNY`.
    pub subject: String,
    /// The fields of the request that do not agree with it, by path, and how.
    pub fields: Vec<(String, String)>,
    /// What was expected and what was found.
    pub description: String,
}

/// The sorts of refusal, by what the caller has to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FaultKind {
    /// The value can never be right: mend it.
    Malformed,
    /// The value is right, the thing's state does not allow the step.
    IllegalState,
    /// Something else already holds this name or place.
    Conflict,
    /// The caller may not do this.
    NotPermitted,
}

impl Fault {
    /// The value can never be right.
    pub fn malformed(reason: &'static str, message: impl Into<String>) -> Self {
        Self::new(FaultKind::Malformed, reason, message)
    }

    /// The state of the thing does not allow the step.
    pub fn illegal_state(reason: &'static str, message: impl Into<String>) -> Self {
        Self::new(FaultKind::IllegalState, reason, message)
    }

    /// Something else already holds this name or place.
    pub fn conflict(reason: &'static str, message: impl Into<String>) -> Self {
        Self::new(FaultKind::Conflict, reason, message)
    }

    /// The caller may not do this.
    pub fn not_permitted(reason: &'static str, message: impl Into<String>) -> Self {
        Self::new(FaultKind::NotPermitted, reason, message)
    }

    /// A step that the thing's state does not allow; metadata `state` and `allowed` say where it
    /// stands and from where the step may be taken.
    pub fn illegal_transition<S: fmt::Display>(step: &str, state: S, allowed: &[S]) -> Self {
        let allowed: Vec<String> = allowed.iter().map(ToString::to_string).collect();
        let allowed = allowed.join(", ");
        Self::illegal_state(
            "ILLEGAL_TRANSITION",
            format!("{step} is not possible in the state {state}, only from: {allowed}"),
        )
        .with("state", state)
        .with("allowed", allowed)
    }

    /// The same fault, said of `field`; a field already named becomes its child (`field.child`).
    #[must_use]
    pub fn at(mut self, field: &str) -> Self {
        self.field = Some(match self.field {
            Some(child) => format!("{field}.{child}"),
            None => field.to_owned(),
        });
        self
    }

    /// The same fault with one more thing for programs to know.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl ToString) -> Self {
        self.metadata.push((name, value.to_string()));
        self
    }

    fn new(kind: FaultKind, reason: &'static str, message: impl Into<String>) -> Self {
        Self {
            kind,
            reason,
            field: None,
            message: message.into(),
            metadata: Vec::new(),
            violations: Vec::new(),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.field {
            Some(field) => write!(f, "{field}: {}", self.message),
            None => f.write_str(&self.message),
        }
    }
}

impl std::error::Error for Fault {}

/// Naming the field of a parse in one call: `text.parse::<Cuit>().at("seller_cuit")?`.
pub trait InField<T> {
    /// The same result; a fault is said of `field`.
    fn at(self, field: &str) -> Result<T, Fault>;
}

impl<T> InField<T> for Result<T, Fault> {
    fn at(self, field: &str) -> Result<T, Fault> {
        self.map_err(|fault| fault.at(field))
    }
}
