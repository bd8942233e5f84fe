//! What can go wrong between the store and its database, and what it means for callers.
//!
//! Enters: errors of the client, values that do not fit. Leaves: an [`Error`]. What the database
//! says of a failed statement may quote a partner's data, so only its code and the table and
//! constraint that it names go on, into the log.

use std::time::Duration;

use deadpool_postgres::PoolError;

use crate::domain::fault;
use crate::error::Error;

/// What went wrong.
#[derive(Debug)]
pub enum Fault {
    /// A statement or the connection failed.
    Database(tokio_postgres::Error),
    /// What is to be written, or was read, does not fit.
    Unfit(String),
    /// There is no connection to be had.
    Unreachable(String),
}

impl From<tokio_postgres::Error> for Fault {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Database(error)
    }
}

impl From<fault::Fault> for Fault {
    fn from(fault: fault::Fault) -> Self {
        Self::Unfit(fault.to_string())
    }
}

impl From<PoolError> for Fault {
    fn from(error: PoolError) -> Self {
        match error {
            PoolError::Backend(error) => Self::Unreachable(told(&error)),
            other => Self::Unreachable(other.to_string()),
        }
    }
}

impl Fault {
    /// Whether the fault lies in what was to be written and not in the database: another
    /// transaction without it may succeed.
    pub fn is_of_data(&self) -> bool {
        match self {
            // Values that do not fit a column, and constraints that they violate.
            Self::Database(error) => {
                error.code().is_some_and(|code| matches!(&code.code()[..2], "22" | "23"))
            }
            Self::Unfit(_) => true,
            Self::Unreachable(_) => false,
        }
    }

    /// Whether the database gave no answer, so that what became of the statement is not known.
    pub fn is_silence(&self) -> bool {
        match self {
            Self::Database(error) => match error.code() {
                None => true,
                // It ended the connection, and may have done so at any moment.
                Some(code) => code.code().starts_with("57P"),
            },
            Self::Unfit(_) | Self::Unreachable(_) => false,
        }
    }

    /// Whether another database, or this one in a moment, would do.
    pub fn is_elsewhere(&self) -> bool {
        match self {
            Self::Unreachable(_) => true,
            // It takes no writes: a standby, or a primary no more.
            Self::Database(error) => error.code().is_some_and(|code| code.code() == "25006"),
            Self::Unfit(_) => false,
        }
    }

    /// Whether the statement failed only since one before it did.
    pub fn follows_another(&self) -> bool {
        matches!(self, Self::Database(error) if error.code().is_some_and(|c| c.code() == "25P02"))
    }

    /// What the caller is told.
    pub fn error(&self) -> Error {
        let passing = match self {
            Self::Unreachable(_) => true,
            Self::Unfit(_) => false,
            Self::Database(error) => error.code().is_none_or(|code| {
                let code = code.code();
                // Connections, resources, operators, failovers, locks and time limits.
                matches!(&code[..2], "08" | "53" | "57" | "58" | "40" | "55") || code == "25006"
            }),
        };
        if passing {
            Error::unavailable(
                "STORE_UNAVAILABLE",
                "the store cannot serve at this moment: retry with the same request_id",
                Duration::from_secs(1),
            )
            .because(self)
        } else {
            Error::internal(format!("store: {self}"))
        }
    }
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Database(error) => f.write_str(&told(error)),
            Self::Unfit(reason) | Self::Unreachable(reason) => f.write_str(reason),
        }
    }
}

/// An error without the values that it may quote.
pub fn told(error: &tokio_postgres::Error) -> String {
    let Some(said) = error.as_db_error() else {
        let cause = std::error::Error::source(error);
        return cause.map_or_else(|| error.to_string(), |cause| format!("{error}: {cause}"));
    };
    let named = [said.table(), said.constraint()].into_iter().flatten().collect::<Vec<_>>();
    match said.code().code() {
        // Of connecting: there is no data in what it says.
        code if matches!(&code[..2], "08" | "28" | "3D" | "53" | "57") => {
            format!("{code} {}", said.message())
        }
        code => format!("{code} {}", named.join(" ")).trim_end().to_owned(),
    }
}
