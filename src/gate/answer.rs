//! From an admitted call to the end of its answer.
//!
//! Enters: the request and the handlers. Leaves: the handler's answer, or a status where
//! time, standing or the handler itself gave way. Everything the call holds (its place,
//! its record) is held until the last frame is taken.

use std::any::Any;
use std::convert::Infallible;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use bytes::Bytes;
use futures_util::FutureExt as _;
use http::{HeaderMap, Request, Response};
use http_body::{Body as HttpBody, Frame};
use tonic::{Code, Status};
use tower_service::Service as _;
use tracing::Instrument as _;

use super::call::{Call, connection_of};
use super::framing::Framing;
use super::question::Question;
use super::quota::{Admission, Sort, StreamQuota};
use super::service::refuse;
use super::standing::{Activity, Standing};
use crate::error::Error;

/// Resolves when the call must end, with the reason.
type Ends = Pin<Box<dyn Future<Output = Error> + Send>>;

/// Runs a call of one message each way within its time.
pub(super) async fn unary(
    call: Call,
    admission: Admission,
    standing: Standing,
    within: Duration,
    request: Request<Body>,
    services: Router,
) -> Response<Body> {
    let parts = call.parts().clone();
    let request = request.map(|body| Body::new(Question::new(body, parts, standing)));
    let span = call.span().clone();
    let handling = handle(services, request).instrument(span);
    match tokio::time::timeout(within, handling).await {
        Ok(Ok(response)) => follow(call, admission, None, Activity::begin(), response),
        Ok(Err(Panicked)) => panicked(call),
        Err(_) => refuse(call, Error::deadline()),
    }
}

/// Runs a call that streams for as long as its maker's standing holds.
pub(super) async fn stream(
    call: Call,
    admission: Admission,
    sort: Sort,
    standing: Standing,
    asked: Option<Duration>,
    request: Request<Body>,
    services: Router,
) -> Response<Body> {
    let activity = Activity::begin();
    let connection = connection_of(&request).cloned();
    let mut ends: Ends =
        Box::pin(standing.ends(call.parts().clone(), connection, activity.clone(), asked));
    let heard = activity.clone();
    let quota = admission.stream_quota(sort);
    let request = request.map(|body| Body::new(Heard::new(body, heard, quota)));
    let span = call.span().clone();
    let outcome = {
        let mut handling = std::pin::pin!(handle(services, request).instrument(span));
        tokio::select! {
            biased;
            error = &mut ends => Err(error),
            handled = &mut handling => Ok(handled),
        }
    };
    match outcome {
        Ok(Ok(response)) => follow(call, admission, Some(ends), activity, response),
        Ok(Err(Panicked)) => panicked(call),
        Err(error) => refuse(call, error),
    }
}

/// A handler panicked. What it said may hold what nobody shall read, so it goes nowhere.
struct Panicked;

impl From<Box<dyn Any + Send>> for Panicked {
    fn from(_: Box<dyn Any + Send>) -> Self {
        Self
    }
}

async fn handle(mut services: Router, request: Request<Body>) -> Result<Response<Body>, Panicked> {
    // Unwind safety: what the handler had in hand is dropped; what it shared is behind locks
    // that are taken as found after a panic, or channels.
    let handling = catch_unwind(AssertUnwindSafe(|| services.call(request)))?;
    let Ok(response): Result<_, Infallible> = AssertUnwindSafe(handling).catch_unwind().await?;
    Ok(response)
}

fn panicked(call: Call) -> Response<Body> {
    call.parts().metrics.panicked();
    call.span().in_scope(|| tracing::error!(target: "puente::rpc", "a handler panicked"));
    refuse(call, Error::internal("a handler panicked"))
}

/// Lets the answer go out, watched to its end.
fn follow(
    mut call: Call,
    admission: Admission,
    ends: Option<Ends>,
    activity: Activity,
    response: Response<Body>,
) -> Response<Body> {
    let (mut head, body) = response.into_parts();
    call.stamp(&mut head.headers);
    if call.end_as_told(&head.headers) {
        return Response::from_parts(head, body);
    }
    activity.mark();
    let answer = Answer { body, call, ends, activity, ended: false, _admission: admission };
    Response::from_parts(head, Body::new(answer))
}

/// The body of an answer.
struct Answer {
    body: Body,
    call: Call,
    /// Only streams are asked to end.
    ends: Option<Ends>,
    activity: Activity,
    ended: bool,
    _admission: Admission,
}

impl Answer {
    /// Ends the answer with a status of ours; the handler's stream is dropped at once.
    fn end_with(&mut self, error: Error) -> Frame<Bytes> {
        self.ended = true;
        self.ends = None;
        self.body = Body::empty();
        let status = Status::from(error);
        self.call.end_with(&status);
        let mut trailers = HeaderMap::new();
        // Fails only for a status whose text is no header value, which it escapes.
        let _ = status.add_header(&mut trailers);
        Frame::trailers(trailers)
    }
}

impl HttpBody for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let this = &mut *self;
        if this.ended {
            return Poll::Ready(None);
        }
        if let Some(ends) = &mut this.ends
            && let Poll::Ready(error) = ends.as_mut().poll(cx)
        {
            return Poll::Ready(Some(Ok(this.end_with(error))));
        }
        let span = this.call.span().clone();
        let polled = {
            let _inside = span.enter();
            let body = AssertUnwindSafe(&mut this.body);
            // Bound whole, so that the closure takes the wrapper and not what is in it.
            catch_unwind(AssertUnwindSafe(move || {
                let AssertUnwindSafe(body) = body;
                Pin::new(body).poll_frame(cx)
            }))
        };
        match polled {
            Err(_) => {
                this.call.parts().metrics.panicked();
                span.in_scope(|| tracing::error!(target: "puente::rpc", "a stream panicked"));
                Poll::Ready(Some(Ok(this.end_with(Error::internal("a stream panicked")))))
            }
            Ok(Poll::Ready(Some(Ok(frame)))) => {
                match frame.trailers_ref() {
                    Some(trailers) => {
                        if !this.call.end_as_told(trailers) {
                            this.call.end(Code::Unknown, "");
                        }
                    }
                    None => this.activity.mark(),
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Ok(Poll::Ready(Some(Err(error)))) => {
                this.call.end(Code::Unknown, "ANSWER_BROKEN");
                Poll::Ready(Some(Err(error)))
            }
            Ok(Poll::Ready(None)) => {
                this.call.end(Code::Unknown, "");
                Poll::Ready(None)
            }
            Ok(Poll::Pending) => Poll::Pending,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.ended
    }
}

/// The body of a request whose messages are noted, and held back while they are beyond the
/// quota: their sender is slowed down, and loses nothing.
struct Heard {
    body: Body,
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
    fn new(body: Body, activity: Activity, quota: StreamQuota) -> Self {
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
                std::task::ready!(wait.as_mut().poll(cx));
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
}

impl HttpBody for Heard {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        std::task::ready!(self.poll_paid(cx));
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        // An empty DATA frame is no message.
        if let Poll::Ready(Some(Ok(frame))) = &polled
            && let Some(data) = frame.data_ref().filter(|data| !data.is_empty())
        {
            self.activity.mark();
            self.begun(data);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }
}
