//! The message of a unary call on its way to the handler.
//!
//! Enters: the request's body. Leaves: its bytes, as long as they are one message whose maker
//! may still call when its last byte is here: a call is let in by its headers, and its message
//! may come a minute later, when the partner is suspended or the token revoked. It knows nothing
//! of what the message says.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use axum::body::Body;
use bytes::Bytes;
use http_body::{Body as HttpBody, Frame};
use tonic::Status;

use super::service::Parts;
use super::standing::Standing;
use crate::error::Error;

/// Before each message: whether it is compressed, and its length.
const PREFIX: usize = 5;

/// The body of a unary call.
pub(super) struct Question {
    body: Body,
    parts: Arc<Parts>,
    standing: Standing,
    message: OneMessage,
    whole: bool,
}

/// How far the one message is.
#[derive(Default)]
struct OneMessage {
    prefix: [u8; PREFIX],
    known: usize,
    left: usize,
}

impl Question {
    pub(super) fn new(body: Body, parts: Arc<Parts>, standing: Standing) -> Self {
        Self { body, parts, standing, message: OneMessage::default(), whole: false }
    }

    fn look(&mut self, frame: &Frame<Bytes>) -> Result<(), Error> {
        match frame.data_ref() {
            Some(data) if self.message.takes(data) => Ok(()),
            Some(_) => Err(Error::invalid(
                "MORE_THAN_ONE_MESSAGE",
                "",
                "this method takes one message, and there is more after it",
            )),
            None => self.end(),
        }
    }

    /// The handler begins after this, so it is the last moment to look.
    fn end(&mut self) -> Result<(), Error> {
        if std::mem::replace(&mut self.whole, true) {
            return Ok(());
        }
        self.standing.check(&self.parts)
    }
}

impl OneMessage {
    /// Whether `data` is still of the one message.
    fn takes(&mut self, mut data: &[u8]) -> bool {
        while self.known < PREFIX {
            let Some((first, rest)) = data.split_first() else { return true };
            (self.prefix[self.known], data) = (*first, rest);
            self.known += 1;
            if self.known == PREFIX {
                let [_, length @ ..] = self.prefix;
                self.left = u32::from_be_bytes(length) as usize;
            }
        }
        let fits = data.len() <= self.left;
        self.left = self.left.saturating_sub(data.len());
        fits
    }
}

impl HttpBody for Question {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let this = &mut *self;
        // tonic answers with the status it finds in an error of the body.
        let refused = |error: Error| axum::Error::new(Status::from(error));
        Poll::Ready(match ready!(Pin::new(&mut this.body).poll_frame(cx)) {
            Some(Ok(frame)) => Some(this.look(&frame).map(|()| frame).map_err(refused)),
            Some(Err(error)) => Some(Err(error)),
            None => this.end().err().map(|error| Err(refused(error))),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::OneMessage;

    #[test]
    fn one_message_is_one_however_it_is_cut() {
        let message = b"\0\0\0\0\x03abc";
        for cut in 0..=message.len() {
            let (head, tail) = message.split_at(cut);
            let mut one = OneMessage::default();
            assert!(one.takes(head) && one.takes(b"") && one.takes(tail), "{cut}");
            assert!(!one.takes(b"\0"), "{cut}");
        }
        assert!(!OneMessage::default().takes(b"\0\0\0\0\0\0\0\0\0\0"));
    }
}
