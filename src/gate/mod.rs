//! The gate: everything that happens to a call before a handler sees it.
//!
//! Enters: TCP connections. Leaves: calls with a [`Caller`](crate::domain::caller::Caller)
//! that only the gate can make. It knows the directory of partners and the access table of
//! the contract, and nothing of what the handlers do.

pub mod limits;
pub mod material;
pub mod tls;
pub mod verifier;
