//! Logs, traces and metrics of the process.
//!
//! Enters: settings. Leaves: a JSON log on standard error, traces over OTLP
//! where an endpoint is set, and a registry that the loopback port exposes in
//! the Prometheus text format. Nothing else in the crate installs a subscriber.

use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::WithExportConfig as _;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::SdkTracerProvider;
use prometheus::{Encoder as _, Registry, TextEncoder};
use serde::{Deserialize, Serialize};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _};

/// What the operator may choose.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TelemetrySettings {
    /// Which events are logged, as `tracing` filter directives.
    pub log: String,
    /// Where traces go, an OTLP/gRPC endpoint such as `http://127.0.0.1:4317`; empty for nowhere.
    pub otlp_endpoint: String,
}

impl Default for TelemetrySettings {
    fn default() -> Self {
        Self { log: "info,refinery_core=warn".into(), otlp_endpoint: String::new() }
    }
}

/// What must live as long as the process; dropping it flushes traces.
pub struct Telemetry {
    registry: Registry,
    tracer: Option<SdkTracerProvider>,
    meter: SdkMeterProvider,
}

impl Telemetry {
    /// Installs log, traces and metrics for this process; once, and from within the runtime.
    ///
    /// # Errors
    /// If the filter or the endpoint is malformed, or a subscriber is installed already.
    pub fn install(settings: &TelemetrySettings) -> anyhow::Result<Self> {
        opentelemetry::global::set_text_map_propagator(TraceContextPropagator::new());
        let resource = Resource::builder()
            .with_service_name("puente")
            .with_attribute(opentelemetry::KeyValue::new(
                "service.version",
                env!("CARGO_PKG_VERSION"),
            ))
            .build();
        let registry = Registry::new();
        let reader =
            opentelemetry_prometheus::exporter().with_registry(registry.clone()).build()?;
        let meter =
            SdkMeterProvider::builder().with_reader(reader).with_resource(resource.clone()).build();
        opentelemetry::global::set_meter_provider(meter.clone());
        let tracer = if settings.otlp_endpoint.is_empty() {
            None
        } else {
            let exporter = opentelemetry_otlp::SpanExporter::builder()
                .with_tonic()
                .with_endpoint(&settings.otlp_endpoint)
                .build()?;
            let provider = SdkTracerProvider::builder()
                .with_batch_exporter(exporter)
                .with_resource(resource)
                .build();
            opentelemetry::global::set_tracer_provider(provider.clone());
            Some(provider)
        };
        let log = tracing_subscriber::fmt::layer()
            .json()
            .flatten_event(true)
            .with_span_list(false)
            .with_writer(std::io::stderr)
            .with_filter(EnvFilter::try_new(&settings.log)?);
        let traces = tracer.as_ref().map(|provider| {
            tracing_opentelemetry::layer()
                .with_tracer(provider.tracer("puente"))
                .with_filter(tracing_subscriber::filter::LevelFilter::INFO)
        });
        tracing_subscriber::registry().with(log).with(traces).try_init()?;
        tell_panics_without_their_text();
        Ok(Self { registry, tracer, meter })
    }

    /// The registry behind `/metrics`.
    pub fn registry(&self) -> Registry {
        self.registry.clone()
    }
}

impl Drop for Telemetry {
    fn drop(&mut self) {
        // Flushing may fail when the collector is gone; there is nobody left to tell.
        if let Some(tracer) = &self.tracer {
            let _ = tracer.shutdown();
        }
        let _ = self.meter.shutdown();
    }
}

/// A panic's text may hold what a caller sent: the log gets the place only.
fn tell_panics_without_their_text() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(place, "panic");
    }));
}

/// The registry in the Prometheus text format.
pub fn metrics_text(registry: &Registry) -> String {
    let mut text = Vec::new();
    if let Err(reason) = TextEncoder::new().encode(&registry.gather(), &mut text) {
        tracing::error!(%reason, "metrics could not be encoded");
    }
    String::from_utf8(text).unwrap_or_default()
}
