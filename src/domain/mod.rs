//! Values, entities and rules of the exchange; pure, so that every rule can be read and tested alone.
//!
//! Enters: text and times that others hand in. Leaves: parsed values, changed entities, or a
//! [`fault::Fault`] that says what is wrong. It must not know the network, the database, the
//! clock, threads or any generated code.

#[macro_use]
mod wording;

pub mod analytics;
pub mod caller;
pub mod certificate;
pub mod coarse;
pub mod comparison;
pub mod consignment;
pub mod cuit;
pub mod currency;
pub mod customs_declaration;
pub mod decimal;
pub mod declaration;
pub mod delegation;
mod derived;
pub mod exact;
pub mod exchange;
pub mod explanation;
pub mod exporter;
pub mod fault;
pub mod finding;
pub mod gtin;
pub mod identity;
pub mod late_fact;
pub mod listing;
pub mod month;
pub mod ncm;
pub mod offer;
pub mod partner;
pub mod period;
pub mod place;
pub mod ranking;
pub mod reconciliation;
pub mod reference;
pub mod report;
pub mod request_id;
pub mod requirements;
mod revision;
pub mod role;
pub mod rule_table;
pub mod sale;
pub mod scope;
pub mod settlement;
pub mod simple_regime;
pub mod size_class;
pub mod sold_at;
pub mod summary;
pub mod suppression;
pub mod tariff_terms;
pub mod text;
pub mod unit;
pub mod verification;
