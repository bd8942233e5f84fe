//! Values, entities and rules of the exchange; pure, so that every rule can be read and tested alone.
//!
//! Enters: text and times that others hand in. Leaves: parsed values, changed entities, or a
//! [`fault::Fault`] that says what is wrong. It must not know the network, the database, the
//! clock, threads or any generated code.

#[macro_use]
mod wording;

pub mod caller;
pub mod fault;
pub mod identity;
pub mod partner;
pub mod scope;
