//! The trace a call belongs to (W3C Trace Context).
//!
//! Enters: the `traceparent` header. Leaves: the trace id under which everything about
//! the call is logged, and the header for the answer. An invalid header is ignored, as
//! the standard asks. It knows nothing of exporters.

use http::{HeaderMap, HeaderValue};
use opentelemetry::Context;
use opentelemetry::trace::{
    SpanContext, SpanId, TraceContextExt as _, TraceFlags, TraceId, TraceState,
};

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
        let random = env.ids.random();
        let mut fresh = Self { id: [0; 16], parent: None, span: [0; 8], flags: 0 };
        fresh.id.copy_from_slice(&random[..16]);
        fresh.span.copy_from_slice(&random[16..24]);
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
    pub fn id(&self) -> String {
        hex::encode(self.id)
    }

    /// The header for the answer.
    pub(super) fn header(&self) -> Option<HeaderValue> {
        let text =
            format!("00-{}-{}-{:02x}", hex::encode(self.id), hex::encode(self.span), self.flags);
        HeaderValue::from_str(&text).ok()
    }

    /// The caller's span as OpenTelemetry's parent, if it sent one.
    pub(super) fn parent(&self) -> Option<Context> {
        let parent = SpanId::from_bytes(self.parent?);
        Some(Context::new().with_remote_span_context(SpanContext::new(
            TraceId::from_bytes(self.id),
            parent,
            TraceFlags::new(self.flags & 1),
            true,
            TraceState::NONE,
        )))
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
        assert_eq!(trace.id(), "4bf92f3577b34da6a3ce929d0e0e4736");
        let header = trace.header().unwrap();
        let header = header.to_str().unwrap();
        assert!(header.starts_with("00-4bf92f3577b34da6a3ce929d0e0e4736-"));
        assert!(!header.contains("00f067aa0ba902b7"));
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
            assert_ne!(of(wrong).id(), "4bf92f3577b34da6a3ce929d0e0e4736", "{wrong}");
            assert!(of(wrong).parent().is_none());
        }
    }
}
