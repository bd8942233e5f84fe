//! The messages of a stream on their way to the handler.
//!
//! Enters: the request's body. Leaves: its bytes, noted as a sign of life, and held back while
//! their messages are beyond the quota: their sender is slowed down, and loses nothing. It knows
//! nothing of what they say.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame};
use hyper::body::Incoming;

use super::asked::BoxError;
use super::framing::Framing;
use super::quota::StreamQuota;
use super::standing::Activity;

/// The body of a call that streams.
pub(super) struct Heard {
    body: Incoming,
    activity: Activity,
    framing: Framing,
    quota: StreamQuota,
    /// Messages that were passed on and are not counted yet.
    owed: u32,
    wait: Option<Pin<Box<tokio::time::Sleep>>>,
    /// The first message was counted when the call was let in.
    first: bool,
}

impl Heard {
    pub(super) fn new(body: Incoming, activity: Activity, quota: StreamQuota) -> Self {
        let framing = Framing::default();
        Self { body, activity, framing, quota, owed: 0, wait: None, first: true }
    }

    fn begun(&mut self, data: &[u8]) {
        let begun = self.framing.begun(data);
        if begun > 0 {
            self.owed += begun - u32::from(std::mem::take(&mut self.first));
        }
    }

    /// Ready once every message that was passed on is counted.
    fn poll_paid(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            if let Some(wait) = &mut self.wait {
                ready!(wait.as_mut().poll(cx));
                self.wait = None;
            }
            if self.owed == 0 {
                return Poll::Ready(());
            }
            match self.quota.take() {
                Ok(()) => self.owed -= 1,
                Err(not_yet) => {
                    let pause = not_yet.retry_after.unwrap_or(Duration::from_secs(1));
                    self.wait = Some(Box::pin(tokio::time::sleep(pause)));
                }
            }
        }
    }

    pub(super) fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        ready!(self.poll_paid(cx));
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        // An empty DATA frame is no message.
        if let Poll::Ready(Some(Ok(frame))) = &polled
            && let Some(data) = frame.data_ref().filter(|data| !data.is_empty())
        {
            self.activity.mark();
            self.begun(data);
        }
        polled.map_err(Into::into)
    }

    pub(super) fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }
}
