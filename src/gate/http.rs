//! HTTP on one connection, with every limit set.
//!
//! Enters: a TLS stream whose peer is known. Leaves: requests to the routes, each with its
//! [`PeerIdentity`](super::peer::PeerIdentity) and connection in the extensions. It knows
//! nothing of methods or tokens. tonic's own server leaves streams and resets unlimited,
//! which is why hyper is driven from here.

use std::convert::Infallible;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::Router;
use axum::body::Body;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Request, Response, StatusCode};
use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tower_service::Service as _;

use super::connection::{CallGuard, Connection, Progress};
use super::limits::{Limits, seconds};

/// Serves one connection until its peer leaves, it is asked to leave and its calls have ended,
/// or it is cut. `http2` is what ALPN agreed on.
pub(super) async fn serve<IO>(
    io: IO,
    http2: bool,
    connection: Arc<Connection>,
    routes: Router,
    limits: &Arc<Limits>,
) where
    IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = {
        let (connection, limits) = (connection.clone(), limits.clone());
        service_fn(move |request: Request<Incoming>| {
            answer(request, connection.clone(), routes.clone(), limits.clone())
        })
    };
    let io = TokioIo::new(io);
    // What ends a connection early is the peer's affair; calls were audited one by one.
    if http2 {
        let serving = pin!(http2_builder(limits).serve_connection(io, service));
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

fn http2_builder(limits: &Limits) -> http2::Builder<TokioExecutor> {
    let mut builder = http2::Builder::new(TokioExecutor::new());
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

async fn answer(
    request: Request<Incoming>,
    connection: Arc<Connection>,
    mut routes: Router,
    limits: Arc<Limits>,
) -> Result<Response<Followed>, Infallible> {
    let guard = connection.begin_call();
    let is_grpc = is_grpc(&request);
    let mut request = request.map(Body::new);
    request.extensions_mut().insert(connection.peer().clone());
    request.extensions_mut().insert(connection.clone());
    let answering = routes.call(request);
    let Ok(response) = if is_grpc {
        // Calls have deadlines of their own, which the gate knows.
        answering.await
    } else {
        match tokio::time::timeout(seconds(limits.http_seconds), answering).await {
            Ok(response) => response,
            Err(_) => {
                let mut late = Response::new(Body::empty());
                *late.status_mut() = StatusCode::REQUEST_TIMEOUT;
                Ok(late)
            }
        }
    };
    // From now on, not from its first frame: a peer that grants no window at all is slow too.
    let progress = connection.follow();
    Ok(response.map(|body| Followed { body, connection, progress, _guard: guard }))
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

/// An answer's body that tells its connection whether the peer takes it.
struct Followed {
    body: Body,
    connection: Arc<Connection>,
    progress: Arc<Progress>,
    _guard: CallGuard,
}

impl HttpBody for Followed {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let this = &mut *self;
        this.progress.taken();
        let polled = Pin::new(&mut this.body).poll_frame(cx);
        if let Poll::Ready(Some(Ok(frame))) = &polled
            && frame.is_data()
        {
            this.progress.handed(&this.connection);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
