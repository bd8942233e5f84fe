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

    /// The same fault, said of `field`; a field already named becomes its child (`field.child`).
    #[must_use]
    pub fn at(mut self, field: &str) -> Self {
        self.field = Some(match self.field {
            Some(child) => format!("{field}.{child}"),
            None => field.to_owned(),
        });
        self
    }

    fn new(kind: FaultKind, reason: &'static str, message: impl Into<String>) -> Self {
        Self { kind, reason, field: None, message: message.into() }
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
