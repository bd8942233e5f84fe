//! The message of a unary call on its way to the handler.
//!
//! Enters: the request's body. Leaves: its bytes, as long as they are one message whose maker
//! may still call when its last byte is here: a call is let in by its headers, and its message
//! may come a minute later, when the partner is suspended or the token revoked. It knows nothing
//! of what the message says.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame};
use hyper::body::Incoming;
use tonic::Status;

use super::asked::BoxError;
use super::framing::Framing;
use super::standing::Standing;
use crate::error::Error;

/// The body of a unary call.
pub(super) struct Question {
    body: Incoming,
    standing: Standing,
    framing: Framing,
    begun: u32,
    whole: bool,
}

impl Question {
    pub(super) fn new(body: Incoming, standing: Standing) -> Self {
        Self { body, standing, framing: Framing::default(), begun: 0, whole: false }
    }

    fn look(&mut self, frame: &Frame<Bytes>) -> Result<(), Error> {
        match frame.data_ref() {
            Some(data) => {
                self.begun += self.framing.begun(data);
                if self.begun <= 1 {
                    return Ok(());
                }
                Err(Error::invalid(
                    "MORE_THAN_ONE_MESSAGE",
                    "",
                    "this method takes one message, and there is more after it",
                ))
            }
            None => self.end(),
        }
    }

    /// The handler begins after this, so it is the last moment to look.
    fn end(&mut self) -> Result<(), Error> {
        if std::mem::replace(&mut self.whole, true) {
            return Ok(());
        }
        self.standing.check()
    }

    pub(super) fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        // tonic answers with the status it finds in an error of the body.
        let refused = |error: Error| BoxError::from(Status::from(error));
        Poll::Ready(match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
            Some(Ok(frame)) => Some(self.look(&frame).map(|()| frame).map_err(refused)),
            Some(Err(error)) => Some(Err(error.into())),
            None => self.end().err().map(|error| Err(refused(error))),
        })
    }
}
