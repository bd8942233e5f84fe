//! The gateway from outside: one binary for all tests that start it or read its sources.

mod architecture;
mod demo;
