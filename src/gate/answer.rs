//! From an admitted call to the end of its answer.
//!
//! Enters: the request and its handler. Leaves: the handler's answer, or a status where
//! time, standing or the handler itself gave way. Everything the call holds (its place,
//! its record) is held until the last frame is taken.

use std::convert::Infallible;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt as _;
use http::{HeaderMap, Request, Response};
use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep, sleep_until};
use tonic::body::Body;
use tonic::{Code, Status};
use tracing::Span;

use super::asked::{Asked, BoxError};
use super::call::Call;
use super::current::{self, Mark};
use super::handlers::{Answering, Handler};
use super::heard::Heard;
use super::question::Question;
use super::quota::{Admission, Sort};
use super::service::refuse;
use super::standing::{Activity, Standing};
use crate::error::Error;

/// Resolves when the call must end, with the reason.
type Ends = Pin<Box<dyn Future<Output = Error> + Send>>;

/// A call of one message each way, within its time. A struct and not an `async fn`: what those
/// hold they hold once for each level, and all of it is moved when the call is spawned.
pub(super) struct Unary {
    /// None once it is answered.
    held: Option<(Call, Admission)>,
    handling: Handling,
    until: Instant,
    /// Most answers are there at the first look; this is for those that are not.
    timer: Option<Pin<Box<Sleep>>>,
}

impl Unary {
    pub(super) fn begin(
        call: Call,
        admission: Admission,
        standing: Standing,
        within: Duration,
        request: Request<Incoming>,
        handler: &dyn Handler,
    ) -> Self {
        let request = request.map(|body| Asked::from(Question::new(body, standing)));
        let handling = handle(&call, handler, request);
        let until = call.began().0 + within;
        Self { held: Some((call, admission)), handling, until, timer: None }
    }

    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Response<Answer>> {
        let outcome = match self.handling.poll_unpin(cx) {
            Poll::Ready(outcome) => outcome.map_err(|Panicked| None),
            Poll::Pending => {
                let until = self.until;
                let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(until)));
                ready!(timer.as_mut().poll(cx));
                Err(Some(Error::deadline()))
            }
        };
        let Some((call, admission)) = self.held.take() else { return Poll::Pending };
        Poll::Ready(match outcome {
            Ok(response) => follow(call, admission, None, response),
            Err(None) => panicked(call),
            Err(Some(error)) => refuse(call, error),
        })
    }
}

/// Runs a call that streams for as long as its maker's standing holds.
pub(super) async fn stream(
    call: Call,
    admission: Admission,
    sort: Sort,
    standing: Standing,
    asked: Option<Duration>,
    request: Request<Incoming>,
    handler: Arc<dyn Handler>,
) -> Response<Answer> {
    let activity = Activity::begin();
    let mut ends: Ends = Box::pin(standing.ends(activity.clone(), asked));
    let (heard, quota) = (activity.clone(), admission.stream_quota(sort));
    let request = request.map(|body| Asked::from(Heard::new(body, heard, quota)));
    let outcome = {
        let mut handling = handle(&call, &*handler, request);
        tokio::select! {
            biased;
            error = &mut ends => Err(error),
            handled = &mut handling => Ok(handled),
        }
    };
    match outcome {
        Ok(Ok(response)) => follow(call, admission, Some(Watch { ends, activity }), response),
        Ok(Err(Panicked)) => panicked(call),
        Err(error) => refuse(call, error),
    }
}

/// A handler panicked. What it said may hold what nobody shall read, so it goes nowhere.
struct Panicked;

/// A handler at work, for its call.
struct Handling {
    /// None if it panicked at once.
    work: Option<Answering>,
    mark: Mark,
    span: Span,
}

fn handle(call: &Call, handler: &dyn Handler, request: Request<Asked>) -> Handling {
    let work = catch_unwind(AssertUnwindSafe(|| handler.call(request))).ok();
    Handling { work, mark: call.mark().clone(), span: call.span().clone() }
}

impl Future for Handling {
    type Output = Result<Response<Body>, Panicked>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { work, mark, span } = &mut *self;
        let Some(work) = work else { return Poll::Ready(Err(Panicked)) };
        // Unwind safety: what the handler had in hand is dropped; what it shared is behind locks
        // that are taken as found after a panic, or channels.
        let step =
            AssertUnwindSafe(|| current::within(mark, || span.in_scope(|| work.as_mut().poll(cx))));
        Poll::Ready(match catch_unwind(step) {
            Ok(polled) => {
                let Ok(response): Result<_, Infallible> = ready!(polled);
                Ok(response)
            }
            Err(_) => Err(Panicked),
        })
    }
}

fn panicked(call: Call) -> Response<Answer> {
    call.parts().metrics.panicked();
    call.within(|| tracing::error!(target: "puente::rpc", "a handler panicked"));
    refuse(call, Error::internal("a handler panicked"))
}

/// Lets the answer go out, watched to its end.
fn follow(
    mut call: Call,
    admission: Admission,
    watch: Option<Watch>,
    response: Response<Body>,
) -> Response<Answer> {
    let (mut head, body) = response.into_parts();
    call.stamp(&mut head.headers);
    if call.end_as_told(&head.headers) {
        return Response::from_parts(head, Answer(Kind::Told(body)));
    }
    if let Some(watch) = &watch {
        watch.activity.mark();
    }
    let followed = Followed { body, call, watch, ended: false, _admission: admission };
    Response::from_parts(head, Answer(Kind::Followed(followed)))
}

/// The body of an answer.
#[derive(Default)]
pub struct Answer(Kind);

#[derive(Default)]
#[allow(
    clippy::large_enum_variant,
    reason = "the large one is what there is; a box costs each call"
)]
enum Kind {
    #[default]
    Empty,
    /// The head told the outcome.
    Told(Body),
    Followed(Followed),
}

/// A body that tells the outcome when it ends.
struct Followed {
    body: Body,
    call: Call,
    /// Only streams are asked to end.
    watch: Option<Watch>,
    ended: bool,
    _admission: Admission,
}

struct Watch {
    ends: Ends,
    activity: Activity,
}

type Polled = Poll<Option<Result<Frame<Bytes>, BoxError>>>;

impl Followed {
    /// Ends the answer with a status of ours; the handler's stream is dropped at once.
    fn end_with(&mut self, error: Error) -> Frame<Bytes> {
        self.ended = true;
        self.watch = None;
        self.body = Body::empty();
        let status = self.call.within(|| Status::from(error));
        self.call.end_with(&status);
        let mut trailers = HeaderMap::new();
        // Fails only for a status whose text is no header value, which it escapes.
        let _ = status.add_header(&mut trailers);
        Frame::trailers(trailers)
    }

    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Polled {
        if self.ended {
            return Poll::Ready(None);
        }
        if let Some(watch) = &mut self.watch
            && let Poll::Ready(error) = watch.ends.as_mut().poll(cx)
        {
            return Poll::Ready(Some(Ok(self.end_with(error))));
        }
        let (call, body) = (&self.call, &mut self.body);
        let polled =
            catch_unwind(AssertUnwindSafe(|| call.within(|| Pin::new(&mut *body).poll_frame(cx))));
        match polled {
            Err(_) => {
                self.call.parts().metrics.panicked();
                self.call.within(|| tracing::error!(target: "puente::rpc", "a stream panicked"));
                Poll::Ready(Some(Ok(self.end_with(Error::internal("a stream panicked")))))
            }
            Ok(Poll::Ready(Some(Ok(frame)))) => {
                match (frame.trailers_ref(), &self.watch) {
                    (Some(trailers), _) => {
                        if !self.call.end_as_told(trailers) {
                            self.call.end(Code::Unknown, "");
                        }
                    }
                    (None, Some(watch)) => watch.activity.mark(),
                    (None, None) => {}
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Ok(Poll::Ready(Some(Err(error)))) => {
                self.call.end(Code::Unknown, "ANSWER_BROKEN");
                Poll::Ready(Some(Err(error.into())))
            }
            Ok(Poll::Ready(None)) => {
                self.call.end(Code::Unknown, "");
                Poll::Ready(None)
            }
            Ok(Poll::Pending) => Poll::Pending,
        }
    }
}

impl HttpBody for Answer {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Polled {
        match &mut self.0 {
            Kind::Empty => Poll::Ready(None),
            Kind::Told(body) => Pin::new(body).poll_frame(cx).map_err(Into::into),
            Kind::Followed(followed) => followed.poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Kind::Empty => true,
            Kind::Told(body) => body.is_end_stream(),
            Kind::Followed(followed) => followed.ended,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Kind::Empty => SizeHint::with_exact(0),
            Kind::Told(body) => body.size_hint(),
            Kind::Followed(_) => SizeHint::default(),
        }
    }
}
