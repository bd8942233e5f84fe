//! One call from its first byte to the end of its answer, as it is recorded.
//!
//! Enters: the request's line and peer, and later the outcome. Leaves: one audit record and the
//! metrics, exactly once, also when the peer goes away or a handler panics; and a span where
//! traces are exported.

use std::sync::Arc;

use http::{HeaderMap, Request};
use jiff::Timestamp;
use tokio::time::Instant;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

use super::audit::AuditRecord;
use super::current::{self, Mark};
use super::guest::{Guest, Known};
use super::service::{Method, Parts};
use super::trace::{TRACEPARENT, Trace};
use crate::status::code_name;

/// A call in progress; recorded as CANCELLED if dropped before its end.
pub(super) struct Call {
    guest: Arc<Guest>,
    began: Instant,
    at: Timestamp,
    /// Its place among the methods of the contract.
    method: Option<usize>,
    known: Option<Arc<Known>>,
    trace: Trace,
    mark: Mark,
    /// Only where an exporter listens, and to a trace that is wanted.
    span: Span,
    ended: bool,
}

impl Call {
    pub(super) fn begin<B>(
        guest: &Arc<Guest>,
        method: Option<usize>,
        request: &Request<B>,
    ) -> Self {
        let parts = guest.parts();
        let trace = Trace::of(request.headers(), &parts.env);
        parts.metrics.call_began();
        Self {
            began: Instant::now(),
            at: parts.env.now(),
            // A path of the caller's own making may hold anything, a person's number too.
            mark: Mark { method: parts.name(method), partner: None, trace: trace.id() },
            method,
            known: None,
            trace,
            span: Span::none(),
            ended: false,
            guest: guest.clone(),
        }
    }

    /// Notes whose call it is.
    pub(super) fn of_partner(&mut self, known: &Arc<Known>) {
        self.mark.partner = Some(known.partner.id.clone());
        self.known = Some(known.clone());
        self.open_span();
    }

    fn open_span(&mut self) {
        if self.trace.is_unwanted() {
            return;
        }
        self.span = tracing::info_span!(
            // The log leaves spans of this target out: it has the mark.
            target: "puente::call",
            "rpc",
            method = self.mark.method,
            partner = self.mark.partner.as_ref().map_or("", |partner| partner.as_str()),
            trace_id = self.mark.trace.as_str(),
        );
        if !self.span.is_disabled()
            && let Some(parent) = self.trace.parent()
        {
            // Fails only where no exporter listens.
            let _ = self.span.set_parent(parent);
        }
    }

    pub(super) fn span(&self) -> &Span {
        &self.span
    }

    /// What log lines say of it.
    pub(super) fn mark(&self) -> &Mark {
        &self.mark
    }

    pub(super) fn guest(&self) -> &Arc<Guest> {
        &self.guest
    }

    pub(super) fn parts(&self) -> &Parts {
        self.guest.parts()
    }

    /// When it began, on its connection's own clock and by the calendar.
    pub(super) fn began(&self) -> (Instant, Timestamp) {
        (self.began, self.at)
    }

    /// Puts the trace into the answer's headers.
    pub(super) fn stamp(&self, headers: &mut HeaderMap) {
        if let Some(value) = self.trace.header() {
            headers.insert(TRACEPARENT, value);
        }
    }

    /// Does `work` for this call: what is logged meanwhile bears its trace.
    pub(super) fn within<T>(&self, work: impl FnOnce() -> T) -> T {
        current::within(&self.mark, || self.span.in_scope(work))
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
        if std::mem::replace(&mut self.ended, true) {
            return;
        }
        if self.known.is_none() {
            self.open_span();
        }
        let took = self.began.elapsed();
        let parts = self.guest.parts();
        let partner = self.mark.partner.as_ref().map_or("", |partner| partner.as_str());
        let well = match (code, &self.known, self.method) {
            (Code::Ok, Some(known), Some(method)) => known.well.of(method),
            _ => None,
        };
        let method: &Method = parts.method(self.method);
        parts.metrics.call_ended(&method.metrics, partner, code_name(code), took, well);
        let record = AuditRecord {
            at: self.at,
            event: "call",
            method: self.mark.method,
            partner,
            code: code_name(code),
            reason,
            certificate: self.guest.thumbprint(),
            address: self.guest.address(),
            trace_id: self.mark.trace.as_str(),
            duration_us: u64::try_from(took.as_micros()).unwrap_or(u64::MAX),
        };
        if self.span.is_disabled() {
            return parts.audit.record(&record);
        }
        // For traces only: in the log the record itself has it.
        self.span.set_attribute("code", record.code);
        self.span.in_scope(|| parts.audit.record(&record));
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.end(Code::Cancelled, "");
    }
}
