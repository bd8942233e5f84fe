//! The gate: everything that happens to a call before a handler sees it.
//!
//! Enters: TCP connections. Leaves: calls with a [`Caller`](crate::domain::caller::Caller)
//! that only the gate can make. It knows the directory of partners and the access table of
//! the contract, and nothing of what the handlers do.
//!
//! The path of a request: [`accept`] (caps, TLS by [`tls`], the peer's [`peer`] identity),
//! HTTP within [`limits`], then the steps in [`service`]: identify, quota, token, scope,
//! deadline, handler; every outcome goes to [`audit`] and [`metrics`].

pub mod accept;
mod answer;
pub mod asked;
pub mod audit;
mod call;
pub mod connection;
pub mod current;
mod deadline;
pub mod escape;
mod framing;
mod guest;
pub mod handlers;
mod heard;
mod http;
pub mod limits;
pub mod material;
mod metadata;
pub mod metrics;
pub mod peer;
mod question;
pub mod quota;
pub mod service;
mod standing;
#[cfg(test)]
mod tests;
pub mod threads;
pub mod tls;
pub mod token;
pub mod trace;
pub mod verifier;

pub use accept::{Door, Drained, serve};
pub use http::Routes;
pub use service::{Gate, GateParts, caller};
