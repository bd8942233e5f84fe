//! Puente: a gRPC gateway between a country's export authorities and the
//! marketplaces that sell its producers' goods abroad.
//!
//! One order of dependence, each module knows only what stands to its right:
//! `cli`, `gateway`, (`rpc`, `oauth`), `gate`, `status`, `app`, `store`,
//! `change`, `error`, `ledger`, `domain`, `clock`; `proto` holds generated code
//! and is known by `cli`, `gateway`, `rpc`, `gate` and `status` only.
#![forbid(unsafe_code)]

pub mod app;
pub mod change;
pub mod cli;
pub mod clock;
pub mod config;
pub mod domain;
pub mod error;
pub mod gate;
pub mod gateway;
pub mod ledger;
pub mod oauth;
pub mod pki;
pub mod proto;
pub mod rpc;
pub mod status;
pub mod store;
pub mod telemetry;
