//! What the gate counts, on OpenTelemetry's meter `puente`.
//!
//! Enters: outcomes. Leaves: counters and histograms by method, partner and code. Labels
//! are from closed sets only: nothing a stranger sends becomes one.

use std::time::Duration;

use opentelemetry::metrics::{Counter, Histogram, Meter, UpDownCounter};
use opentelemetry::{KeyValue, global};

use super::verifier::Freshness;

/// The gate's instruments; made once, after the meter provider is set.
#[derive(Clone)]
pub struct Metrics {
    calls: Counter<u64>,
    seconds: Histogram<f64>,
    in_progress: UpDownCounter<i64>,
    connections: UpDownCounter<i64>,
    handshakes: Counter<u64>,
    handshake_seconds: Histogram<f64>,
    panics: Counter<u64>,
    tls: opentelemetry::metrics::Gauge<u64>,
    audit_dropped: opentelemetry::metrics::Gauge<u64>,
}

impl Metrics {
    /// Instruments of the global meter provider.
    pub fn global() -> Self {
        Self::of(&global::meter("puente"))
    }

    /// Instruments of `meter`.
    pub fn of(meter: &Meter) -> Self {
        let fine = vec![0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0];
        Self {
            calls: meter
                .u64_counter("puente_calls")
                .with_description("Calls that ended, by method, partner and gRPC code")
                .build(),
            seconds: meter
                .f64_histogram("puente_call_duration")
                .with_unit("s")
                .with_description("From the first byte of a call to the end of its answer")
                .with_boundaries(fine.clone())
                .build(),
            in_progress: meter
                .i64_up_down_counter("puente_calls_in_progress")
                .with_description("Calls in progress")
                .build(),
            connections: meter
                .i64_up_down_counter("puente_connections")
                .with_description("Connections open, after their handshake")
                .build(),
            handshakes: meter
                .u64_counter("puente_handshakes")
                .with_description("Handshakes that ended, by outcome")
                .build(),
            handshake_seconds: meter
                .f64_histogram("puente_handshake_duration")
                .with_unit("s")
                .with_description("TLS handshakes that succeeded")
                .with_boundaries(fine)
                .build(),
            panics: meter
                .u64_counter("puente_panics")
                .with_description("Calls that ended in a panic of ours")
                .build(),
            tls: meter
                .u64_gauge("puente_tls_state")
                .with_description(
                    "1 for what is so: reload_failed, crl_in_grace, crl_stale (nobody gets in)",
                )
                .build(),
            audit_dropped: meter
                .u64_gauge("puente_audit_dropped")
                .with_description("Audit records the disk did not take in time")
                .build(),
        }
    }

    pub(super) fn call_began(&self) {
        self.in_progress.add(1, &[]);
    }

    /// `method` must be one of the contract's, or `unknown`.
    pub(super) fn call_ended(
        &self,
        method: &'static str,
        partner: &str,
        code: &'static str,
        took: Duration,
    ) {
        self.in_progress.add(-1, &[]);
        self.calls.add(
            1,
            &[
                KeyValue::new("method", method),
                KeyValue::new("partner", partner.to_owned()),
                KeyValue::new("code", code),
            ],
        );
        self.seconds.record(took.as_secs_f64(), &[KeyValue::new("method", method)]);
    }

    pub(super) fn panicked(&self) {
        self.panics.add(1, &[]);
    }

    pub(super) fn connected(&self, took: Duration) {
        self.connections.add(1, &[]);
        self.handshakes.add(1, &[KeyValue::new("outcome", "ok")]);
        self.handshake_seconds.record(took.as_secs_f64(), &[]);
    }

    pub(super) fn disconnected(&self) {
        self.connections.add(-1, &[]);
    }

    pub(super) fn refused(&self, outcome: &'static str) {
        self.handshakes.add(1, &[KeyValue::new("outcome", outcome)]);
    }

    pub(super) fn tls_state(&self, alarm: bool, freshness: Freshness) {
        for (state, on) in [
            ("reload_failed", alarm),
            ("crl_in_grace", freshness == Freshness::InGrace),
            ("crl_stale", freshness == Freshness::Stale),
        ] {
            self.tls.record(u64::from(on), &[KeyValue::new("state", state)]);
        }
    }

    pub(super) fn audit_dropped(&self, dropped: u64) {
        self.audit_dropped.record(dropped, &[]);
    }
}
