//! What the gate counts.
//!
//! Enters: outcomes. Leaves: counters and histograms by method, partner and code. Labels
//! are from closed sets only: nothing a stranger sends becomes one. What is counted once a call
//! goes to the registry itself, by handles that are looked up once a partner: OpenTelemetry's
//! instruments look their attributes up each time. The rest is on its meter `puente`, and one
//! cannot tell the two apart in what is scraped.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use opentelemetry::metrics::{Counter, Histogram, UpDownCounter};
use opentelemetry::{KeyValue, global};
use prometheus::{
    HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, Opts, Registry,
};

use super::token::Verifier;
use super::verifier::Freshness;
use crate::domain::partner::PartnerId;
use crate::proto::ACCESS;

/// Seconds; the upper ends of the histograms' buckets.
const FINE: [f64; 12] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0];

/// The gate's instruments; made once for a registry, after the meter provider is set.
#[derive(Clone)]
pub struct Metrics {
    calls: IntCounterVec,
    seconds: HistogramVec,
    in_progress: IntGauge,
    well_ended: Arc<Mutex<HashMap<PartnerId, Arc<WellEnded>>>>,
    connections: UpDownCounter<i64>,
    handshakes: Counter<u64>,
    handshake_seconds: Histogram<f64>,
    panics: Counter<u64>,
    tls: opentelemetry::metrics::Gauge<u64>,
    audit_dropped: opentelemetry::metrics::Gauge<u64>,
}

/// What is counted of one method.
pub(super) struct MethodMetrics {
    name: &'static str,
    seconds: prometheus::Histogram,
}

/// Calls of one partner that ended well, in the order of [`ACCESS`]; each is made when counted.
pub(super) struct WellEnded([OnceLock<IntCounter>; ACCESS.len()]);

impl Metrics {
    /// Instruments of the global meter provider and of `registry`.
    ///
    /// # Errors
    /// If the registry has instruments of these names already.
    pub fn new(registry: &Registry) -> prometheus::Result<Self> {
        let of_calls = |name: &str, what: &str| scoped(Opts::new(name, what));
        let calls = IntCounterVec::new(
            of_calls("puente_calls_total", "Calls that ended, by method, partner and gRPC code"),
            &["method", "partner", "code"],
        )?;
        let seconds = HistogramVec::new(
            HistogramOpts {
                common_opts: of_calls(
                    "puente_call_duration_seconds",
                    "From the first byte of a call to the end of its answer",
                ),
                buckets: FINE.to_vec(),
            },
            &["method"],
        )?;
        let in_progress =
            IntGauge::with_opts(of_calls("puente_calls_in_progress", "Calls in progress"))?;
        registry.register(Box::new(calls.clone()))?;
        registry.register(Box::new(seconds.clone()))?;
        registry.register(Box::new(in_progress.clone()))?;
        let meter = global::meter("puente");
        Ok(Self {
            calls,
            seconds,
            in_progress,
            well_ended: Arc::default(),
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
                .with_boundaries(FINE.to_vec())
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
        })
    }

    /// What is counted of `method`, which must be one of the contract's, or `unknown`.
    pub(super) fn of_method(&self, method: &'static str) -> MethodMetrics {
        MethodMetrics { name: method, seconds: self.seconds.with_label_values(&[method]) }
    }

    /// Where the calls of a partner are counted that end well.
    pub(super) fn of_partner(&self, partner: &PartnerId) -> Arc<WellEnded> {
        let mut all = self.well_ended.lock().unwrap_or_else(PoisonError::into_inner);
        all.entry(partner.clone()).or_default().clone()
    }

    /// Lets it be seen how many signatures of tokens `verifier` has checked.
    pub fn watch(&self, verifier: Arc<Verifier>) {
        global::meter("puente")
            .u64_observable_counter("puente_token_signature_checks")
            .with_description("Signatures of access tokens checked: one for each token in use")
            .with_callback(move |counted| counted.observe(verifier.signature_checks(), &[]))
            .build();
    }

    pub(super) fn call_began(&self) {
        self.in_progress.inc();
    }

    /// Counts a call; `well` is the place for it if it ended well and its partner is known.
    pub(super) fn call_ended(
        &self,
        method: &MethodMetrics,
        partner: &str,
        code: &'static str,
        took: Duration,
        well: Option<&OnceLock<IntCounter>>,
    ) {
        self.in_progress.dec();
        method.seconds.observe(took.as_secs_f64());
        let counter = || self.calls.with_label_values(&[method.name, partner, code]);
        match well {
            Some(kept) => kept.get_or_init(counter).inc(),
            None => counter().inc(),
        }
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

impl Default for WellEnded {
    fn default() -> Self {
        Self(std::array::from_fn(|_| OnceLock::new()))
    }
}

impl WellEnded {
    /// The place of a method, by its place in [`ACCESS`].
    pub(super) fn of(&self, method: usize) -> Option<&OnceLock<IntCounter>> {
        self.0.get(method)
    }
}

/// With the label that the exporter gives to the instruments of the meter.
fn scoped(opts: Opts) -> Opts {
    opts.const_label("otel_scope_name", "puente")
}
