//! The body of a call on its way to the handler.
//!
//! Enters: the request's bytes. Leaves: the same bytes, as one message (`Question`) or as a
//! stream of them (`Heard`).

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame};

use super::heard::Heard;
use super::question::Question;

/// What goes wrong with a body, as tonic takes it.
pub(super) type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The body of a call that was let in.
pub struct Asked(Sort);

enum Sort {
    One(Question),
    Many(Heard),
    #[cfg(test)]
    Bare(axum::body::Body),
}

/// For tests of what stands behind the gate.
#[cfg(test)]
impl From<axum::body::Body> for Asked {
    fn from(bare: axum::body::Body) -> Self {
        Self(Sort::Bare(bare))
    }
}

impl From<Question> for Asked {
    fn from(one: Question) -> Self {
        Self(Sort::One(one))
    }
}

impl From<Heard> for Asked {
    fn from(many: Heard) -> Self {
        Self(Sort::Many(many))
    }
}

impl HttpBody for Asked {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match &mut self.0 {
            Sort::One(one) => one.poll_frame(cx),
            Sort::Many(many) => many.poll_frame(cx),
            #[cfg(test)]
            Sort::Bare(bare) => Pin::new(bare).poll_frame(cx).map_err(Into::into),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            // Its end is a moment of its own: see there.
            Sort::One(_) => false,
            Sort::Many(many) => many.is_end_stream(),
            #[cfg(test)]
            Sort::Bare(bare) => bare.is_end_stream(),
        }
    }
}
