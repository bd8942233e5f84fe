//! HTTP on one connection, with every limit set.
//!
//! Enters: a TLS stream whose peer is known. Leaves: requests to the routes, each with its
//! [`PeerIdentity`](super::peer::PeerIdentity) and connection in the extensions. It knows
//! nothing of methods or tokens. tonic's own server leaves streams and resets unlimited,
//! which is why hyper is driven from here.

use std::convert::Infallible;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use axum::Router;
use axum::body::Body;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Request, Response, StatusCode};
use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tower::service_fn as tower_service_fn;
use tower_service::Service as _;

use super::answer::Answer;
use super::asked::BoxError;
use super::connection::{CallGuard, Connection, Progress};
use super::guest::Guest;
use super::limits::{Limits, seconds};
use super::service::{Gate, Passing, is_call, not_a_call};
use super::threads::Spawner;

/// What is served: calls through the gate, and all else beside it.
#[derive(Clone)]
pub struct Routes {
    gate: Gate,
    other: Router,
}

impl Routes {
    /// Calls through `gate`, all else to `other`. What neither knows is refused, and recorded if
    /// it is a call.
    pub fn new(gate: Gate, other: Router) -> Self {
        let rest = tower_service_fn(|request: Request<Body>| async move {
            let guest = request.extensions().get::<Arc<Guest>>().filter(|_| is_call(&request));
            let response = match guest.cloned() {
                Some(guest) => Gate::turn_away(&guest, &request),
                None => not_a_call(&request),
            };
            Ok::<_, Infallible>(response.map(Body::new))
        });
        Self { gate, other: other.fallback_service(rest) }
    }
}

/// Serves one connection until its peer leaves, it is asked to leave and its calls have ended,
/// or it is cut. `http2` is what ALPN agreed on.
pub(super) async fn serve<IO>(
    io: IO,
    http2: bool,
    connection: Arc<Connection>,
    routes: Routes,
    limits: &Arc<Limits>,
    spawner: Spawner,
) where
    IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let Routes { gate, other } = routes;
    let guest = Guest::new(connection.clone(), gate.clone());
    let other = Arc::new(other);
    let streams = spawner.clone();
    let service = service_fn(move |request: Request<Incoming>| {
        let place = if is_call(&request) { gate.place(&request) } else { None };
        streams.expect_stream(gate.streams(place));
        let guard = guest.connection().begin_call();
        let answering = match place {
            Some(_) => Sort::Call(Gate::pass(&guest, place, request)),
            None => Sort::Other(Box::pin(beside(guest.clone(), other.clone(), request))),
        };
        Answering { answering, guard: Some(guard) }
    });
    let io = TokioIo::new(io);
    // What ends a connection early is the peer's affair; calls were audited one by one.
    if http2 {
        let serving = pin!(http2_builder(limits, spawner).serve_connection(io, service));
        until_gone(serving, http2::Connection::graceful_shutdown, &connection).await;
    } else {
        let serving = pin!(http1_builder(limits).serve_connection(io, service));
        until_gone(serving, http1::Connection::graceful_shutdown, &connection).await;
    }
}

async fn until_gone<F: Future>(
    mut serving: Pin<&mut F>,
    leave: impl FnOnce(Pin<&mut F>),
    connection: &Connection,
) {
    tokio::select! {
        _ = &mut serving => return,
        () = connection.cut().cancelled() => return,
        () = connection.leave().cancelled() => leave(serving.as_mut()),
    }
    tokio::select! {
        _ = serving => {}
        () = connection.cut().cancelled() => {}
    }
}

fn http2_builder(limits: &Limits, spawner: Spawner) -> http2::Builder<Spawner> {
    let mut builder = http2::Builder::new(spawner);
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits.streams_per_connection)
        .max_pending_accept_reset_streams(limits.pending_reset_streams)
        .max_local_error_reset_streams(limits.local_reset_streams)
        // Room above the gate's own bound, so that a little too much gets a gRPC answer.
        .max_header_list_size(limits.metadata_bytes.saturating_add(8 * 1024))
        .max_send_buf_size(limits.send_buffer_bytes as usize)
        .max_frame_size(limits.frame_bytes)
        .initial_stream_window_size(limits.stream_window_bytes)
        .initial_connection_window_size(limits.connection_window_bytes)
        .keep_alive_interval(seconds(limits.keepalive_seconds))
        .keep_alive_timeout(seconds(limits.keepalive_timeout_seconds));
    builder
}

fn http1_builder(limits: &Limits) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .half_close(false)
        .keep_alive(true)
        .max_headers(64)
        .max_buf_size(64 * 1024)
        .header_read_timeout(seconds(limits.header_seconds));
    builder
}

/// The answer to a request that is no call of a method there is.
async fn beside(
    guest: Arc<Guest>,
    other: Arc<Router>,
    request: Request<Incoming>,
) -> Response<Body> {
    let is_grpc = is_grpc(&request);
    let within = seconds(guest.parts().limits.http_seconds);
    let mut request = request.map(Body::new);
    request.extensions_mut().insert(guest.peer().clone());
    request.extensions_mut().insert(guest);
    let answering = Router::clone(&other).call(request);
    if is_grpc {
        let Ok(response) = answering.await;
        return response;
    }
    match tokio::time::timeout(within, answering).await {
        Ok(Ok(response)) => response,
        Err(_) => {
            let mut late = Response::new(Body::empty());
            *late.status_mut() = StatusCode::REQUEST_TIMEOUT;
            late
        }
    }
}

/// Whether a request is a gRPC call, by its content type.
pub(super) fn is_grpc<B>(request: &Request<B>) -> bool {
    let content_type = request.headers().get(CONTENT_TYPE).map(HeaderValue::as_bytes);
    content_type.is_some_and(|value| {
        value
            .strip_prefix(b"application/grpc")
            .is_some_and(|rest| rest.is_empty() || rest.starts_with(b"+") || rest.starts_with(b";"))
    })
}

/// An answer on its way, of either kind.
struct Answering {
    answering: Sort,
    /// None once it is there.
    guard: Option<CallGuard>,
}

#[allow(
    clippy::large_enum_variant,
    reason = "the large one is what there is; a box costs each call"
)]
enum Sort {
    Call(Passing),
    Other(Pin<Box<dyn Future<Output = Response<Body>> + Send>>),
}

impl Future for Answering {
    type Output = Result<Response<Followed>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let response = match &mut self.answering {
            Sort::Call(passing) => ready!(Pin::new(passing).poll(cx)).map(Served::Call),
            Sort::Other(other) => ready!(other.as_mut().poll(cx)).map(Served::Other),
        };
        let Some(guard) = self.guard.take() else { return Poll::Pending };
        // From now on, not from its first frame: a peer that grants no window at all is slow too.
        let progress = guard.connection().follow();
        Poll::Ready(Ok(response.map(|body| Followed { body, progress, guard })))
    }
}

/// The body of either kind of answer.
#[allow(
    clippy::large_enum_variant,
    reason = "the large one is what there is; a box costs each call"
)]
enum Served {
    Call(Answer),
    Other(Body),
}

/// An answer's body that tells its connection whether the peer takes it.
struct Followed {
    body: Served,
    progress: Arc<Progress>,
    guard: CallGuard,
}

impl HttpBody for Followed {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = &mut *self;
        this.progress.taken();
        let polled = match &mut this.body {
            Served::Call(body) => Pin::new(body).poll_frame(cx),
            Served::Other(body) => Pin::new(body).poll_frame(cx).map_err(Into::into),
        };
        if let Poll::Ready(Some(Ok(frame))) = &polled
            && frame.is_data()
        {
            this.progress.handed(this.guard.connection());
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        match &self.body {
            Served::Call(body) => body.is_end_stream(),
            Served::Other(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.body {
            Served::Call(body) => body.size_hint(),
            Served::Other(body) => body.size_hint(),
        }
    }
}
