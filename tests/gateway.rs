//! The gateway from outside: one binary for all tests that start it or read its sources.

mod access_rules;
#[path = "../build/access.rs"]
mod access_table;
mod architecture;
mod bad_input;
mod bad_lines;
mod common;
mod cuts;
mod declarations;
mod delegations;
mod demo;
mod exactly_once;
mod export;
mod export_files;
mod isolation;
mod kill;
mod matrix;
mod operations;
mod privacy;
mod reports;
mod revocation;
mod rules;
mod threats;
mod traces;
