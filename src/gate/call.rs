//! One call from its first byte to the end of its answer, as it is recorded.
//!
//! Enters: the request's line and peer, and later the outcome. Leaves: one audit record,
//! one line in the log's span and the metrics, exactly once, also when the peer goes away
//! or a handler panics.

use std::sync::Arc;

use http::{HeaderMap, Request};
use tokio::time::Instant;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

use super::audit::AuditRecord;
use super::connection::Connection;
use super::peer::PeerIdentity;
use super::service::Parts;
use super::trace::{TRACEPARENT, Trace};
use crate::domain::partner::PartnerId;
use crate::proto::MethodAccess;
use crate::status::code_name;

/// A call in progress; recorded as CANCELLED if dropped before its end.
pub(super) struct Call {
    parts: Arc<Parts>,
    began: Instant,
    record: Option<AuditRecord>,
    known: Option<&'static MethodAccess>,
    trace: Trace,
    span: Span,
}

impl Call {
    pub(super) fn begin<B>(parts: &Arc<Parts>, request: &Request<B>) -> Self {
        let trace = Trace::of(request.headers(), &parts.env);
        let peer = request.extensions().get::<PeerIdentity>();
        let known = crate::proto::access(request.uri().path());
        let record = AuditRecord {
            at: parts.env.now(),
            event: "call",
            // A path of the caller's own making may hold anything, a person's number too.
            method: known.map_or("unknown", |row| row.path).to_owned(),
            partner: String::new(),
            code: "UNKNOWN",
            reason: String::new(),
            certificate: peer.map(|peer| peer.thumbprint().to_owned()).unwrap_or_default(),
            address: peer.map(|peer| peer.address().to_string()).unwrap_or_default(),
            trace_id: trace.id(),
            duration_us: 0,
        };
        parts.metrics.call_began();
        Self {
            parts: parts.clone(),
            began: Instant::now(),
            record: Some(record),
            known,
            trace,
            span: Span::none(),
        }
    }

    /// Notes whose call it is.
    pub(super) fn of_partner(&mut self, partner: &PartnerId) {
        if let Some(record) = &mut self.record {
            partner.as_str().clone_into(&mut record.partner);
        }
        self.open_span(partner.as_str());
    }

    /// Opens the span whole: the log formats a span's fields when it is opened, and all of them
    /// again for each that is added later.
    fn open_span(&mut self, partner: &str) {
        self.span = tracing::info_span!(
            target: "puente::rpc",
            "rpc",
            method = self.known.map_or("unknown", |row| row.path),
            partner,
            trace_id = self.trace.id(),
        );
        if let Some(parent) = self.trace.parent() {
            // Fails only where no exporter listens.
            let _ = self.span.set_parent(parent);
        }
    }

    pub(super) fn span(&self) -> &Span {
        &self.span
    }

    pub(super) fn trace_id(&self) -> String {
        self.trace.id()
    }

    pub(super) fn parts(&self) -> &Arc<Parts> {
        &self.parts
    }

    /// Puts the trace into the answer's headers.
    pub(super) fn stamp(&self, headers: &mut HeaderMap) {
        if let Some(value) = self.trace.header() {
            headers.insert(TRACEPARENT, value);
        }
    }

    /// Records the outcome the headers or trailers of an answer tell; false if they tell none.
    pub(super) fn end_as_told(&mut self, headers: &HeaderMap) -> bool {
        let Some(code) = headers.get("grpc-status") else { return false };
        if code.as_bytes() == b"0" {
            self.end(Code::Ok, "");
            return true;
        }
        match Status::from_header_map(headers) {
            Some(status) => self.end_with(&status),
            None => self.end(Code::Unknown, ""),
        }
        true
    }

    /// Records the outcome a status tells.
    pub(super) fn end_with(&mut self, status: &Status) {
        let reason = status.get_details_error_info().map(|info| info.reason).unwrap_or_default();
        self.end(status.code(), &reason);
    }

    pub(super) fn end(&mut self, code: Code, reason: &str) {
        let Some(mut record) = self.record.take() else { return };
        let took = self.began.elapsed();
        let method = self.known.map_or("unknown", |row| row.path);
        record.code = code_name(code);
        reason.clone_into(&mut record.reason);
        record.duration_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        if record.partner.is_empty() {
            self.open_span("");
        }
        // For traces only: in the log the record itself has it.
        self.span.set_attribute("code", record.code);
        self.parts.metrics.call_ended(method, &record.partner, record.code, took);
        self.span.in_scope(|| self.parts.audit.record(record));
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.end(Code::Cancelled, "");
    }
}

/// The connection a request came over.
pub(super) fn connection_of<B>(request: &Request<B>) -> Option<&Arc<Connection>> {
    request.extensions().get::<Arc<Connection>>()
}
