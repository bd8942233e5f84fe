//! The trace a call belongs to (W3C Trace Context).
//!
//! Enters: the `traceparent` header. Leaves: the trace id under which everything about
//! the call is logged, and the header for the answer. An invalid header is ignored, as
//! the standard asks. It knows nothing of exporters.

use http::{HeaderMap, HeaderValue};
use opentelemetry::Context;
use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt as _, TraceFlags, TraceState};

use crate::clock::Env;

/// The header's name.
pub(super) const TRACEPARENT: &str = "traceparent";

/// The trace of one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trace {
    id: [u8; 16],
    parent: Option<[u8; 8]>,
    span: [u8; 8],
    flags: u8,
}

impl Trace {
    /// Goes on with the caller's trace, or begins one.
    pub(super) fn of(headers: &HeaderMap, env: &Env) -> Self {
        let random = env.ids.trace();
        let mut fresh = Self { id: [0; 16], parent: None, span: [0; 8], flags: 0 };
        fresh.id.copy_from_slice(&random[..16]);
        fresh.span.copy_from_slice(&random[16..]);
        // All zeros means "none" to the standard.
        fresh.span[7] |= 1;
        fresh.id[15] |= 1;
        let mut values = headers.get_all(TRACEPARENT).iter();
        match (values.next().and_then(|value| parse(value.as_bytes())), values.next()) {
            (Some((id, parent, flags)), None) => Self { id, parent: Some(parent), flags, ..fresh },
            _ => fresh,
        }
    }

    /// The trace id, 32 hexadecimal digits.
    pub fn id(&self) -> TraceId {
        let mut digits = [0; 32];
        spell(&self.id, &mut digits);
        TraceId(digits)
    }

    /// The header for the answer.
    pub(super) fn header(&self) -> Option<HeaderValue> {
        let mut text = *b"00-                                -                -  ";
        spell(&self.id, &mut text[3..35]);
        spell(&self.span, &mut text[36..52]);
        spell(&[self.flags], &mut text[53..]);
        let mut value = HeaderValue::from_bytes(&text).ok()?;
        // It comes once: to both ends' tables of headers sent before it is only a burden.
        value.set_sensitive(true);
        Some(value)
    }

    /// Whether the caller asked that nothing of this trace be kept.
    pub(super) fn is_unwanted(&self) -> bool {
        self.parent.is_some() && self.flags & 1 == 0
    }

    /// The caller's span as OpenTelemetry's parent, if it sent one.
    pub(super) fn parent(&self) -> Option<Context> {
        let parent = SpanId::from_bytes(self.parent?);
        Some(Context::new().with_remote_span_context(SpanContext::new(
            opentelemetry::trace::TraceId::from_bytes(self.id),
            parent,
            TraceFlags::new(self.flags & 1),
            true,
            TraceState::NONE,
        )))
    }
}

/// A trace id as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceId([u8; 32]);

impl TraceId {
    /// 32 hexadecimal digits.
    pub fn as_str(&self) -> &str {
        // Digits are always text.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

/// Writes `bytes` as hexadecimal digits, two for each, into `digits`.
fn spell(bytes: &[u8], digits: &mut [u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for (byte, pair) in bytes.iter().zip(digits.chunks_exact_mut(2)) {
        pair[0] = DIGITS[usize::from(byte >> 4)];
        pair[1] = DIGITS[usize::from(byte & 15)];
    }
}

/// Version 00: `00-` 32 hex `-` 16 hex `-` 2 hex, lower case, neither id all zeros.
fn parse(value: &[u8]) -> Option<([u8; 16], [u8; 8], u8)> {
    if value.len() != 55
        || &value[..3] != b"00-"
        || value[35] != b'-'
        || value[52] != b'-'
        || value.iter().any(u8::is_ascii_uppercase)
    {
        return None;
    }
    let (mut id, mut span, mut flags) = ([0; 16], [0; 8], [0; 1]);
    hex::decode_to_slice(&value[3..35], &mut id).ok()?;
    hex::decode_to_slice(&value[36..52], &mut span).ok()?;
    hex::decode_to_slice(&value[53..], &mut flags).ok()?;
    (id != [0; 16] && span != [0; 8]).then_some((id, span, flags[0]))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    fn of(value: &str) -> Trace {
        let mut headers = HeaderMap::new();
        headers.insert(TRACEPARENT, HeaderValue::from_str(value).unwrap());
        Trace::of(&headers, &Env::system())
    }

    #[test]
    fn a_valid_trace_goes_on_under_a_span_of_our_own() {
        let trace = of(GOOD);
        assert_eq!(trace.id().as_str(), "4bf92f3577b34da6a3ce929d0e0e4736");
        let header = trace.header().unwrap();
        let header = header.to_str().unwrap();
        assert!(header.starts_with("00-4bf92f3577b34da6a3ce929d0e0e4736-"));
        assert!(!header.contains("00f067aa0ba902b7"));
        assert_eq!(parse(header.as_bytes()), Some((trace.id, trace.span, 1)));
    }

    #[test]
    fn an_invalid_one_is_ignored() {
        for wrong in [
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "",
        ] {
            assert_ne!(of(wrong).id().as_str(), "4bf92f3577b34da6a3ce929d0e0e4736", "{wrong}");
            assert!(of(wrong).parent().is_none());
        }
    }
}
