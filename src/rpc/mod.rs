//! Handlers by area: thin, from wire to domain and back.
//!
//! Enters: generated messages and the gate's `Caller`. Leaves: generated messages. Each handler
//! parses, calls one use case, converts; rules stand in `domain` and `app`.

pub mod page_token;
pub mod partners;
pub mod registry;
pub mod sellers;
pub mod wire;
