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
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::{Format, Json, Writer};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _};

use crate::gate::current;

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
            .map_event_format(OfCall)
            .with_writer(std::io::stderr)
            // Spans of calls are for traces; a line says its call by itself.
            .with_filter(EnvFilter::try_new(&settings.log)?.add_directive(NO_SPANS.parse()?));
        let traces = tracer.as_ref().map(|provider| {
            tracing_opentelemetry::layer()
                .with_tracer(provider.tracer("puente"))
                .with_filter(tracing_subscriber::filter::LevelFilter::INFO)
        });
        // Not `with(None)`: for a layer that is not there, every span is opened.
        let logged = tracing_subscriber::registry().with(log);
        match traces {
            Some(traces) => logged.with(traces).try_init()?,
            None => logged.try_init()?,
        }
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

/// The log's filter for the spans of calls.
const NO_SPANS: &str = "puente::call=off";

/// Lines of JSON that say which call they belong to, under `span` as a span would be.
struct OfCall(Format<Json>);

impl<S, N> FormatEvent<S, N> for OfCall
where
    S: Subscriber + for<'lookup> LookupSpan<'lookup>,
    N: for<'writer> FormatFields<'writer> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> std::fmt::Result {
        let Some(mark) = current::look(|mark| mark.cloned()) else {
            return self.0.format_event(context, writer, event);
        };
        let mut line = String::new();
        self.0.format_event(context, Writer::new(&mut line), event)?;
        // Nothing in a mark needs an escape: names of ours and hexadecimal digits.
        let (method, trace) = (mark.method, mark.trace.as_str());
        let partner = mark.partner.as_ref().map_or("", |partner| partner.as_str());
        let line = line.trim_end().strip_suffix('}').unwrap_or_default();
        writeln!(
            writer,
            "{line},\"span\":{{\"method\":\"{method}\",\"name\":\"rpc\",\
             \"partner\":\"{partner}\",\"trace_id\":\"{trace}\"}}}}"
        )
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
