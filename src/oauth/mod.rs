//! OAuth 2.0: the keys that sign tokens and the endpoints that give them out.
//!
//! Enters: HTTP requests over connections whose certificate the gate has read. Leaves:
//! access tokens bound to that certificate, what is known of a token, the published keys
//! and the server's metadata. It knows no gRPC and no storage; it never logs a token.

pub mod endpoints;
pub mod keys;
pub mod settings;

pub use endpoints::{OAuth, router};
