//! The loopback port: metrics, liveness, readiness.
//!
//! Enters: plain HTTP from this machine. Leaves: the state of the gateway. It
//! asks for no certificate, so it says nothing about partners and changes nothing.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::gate::tls::TlsReloader;
use crate::oauth::keys::KeyRing;
use crate::store::Store;
use crate::telemetry::metrics_text;

/// What the pages look at.
#[derive(Clone)]
pub(super) struct Admin {
    pub(super) store: Arc<dyn Store>,
    pub(super) tls: Arc<TlsReloader>,
    pub(super) ring: Arc<KeyRing>,
    pub(super) registry: prometheus::Registry,
    pub(super) stopping: watch::Receiver<bool>,
}

/// Serves the pages until the task is dropped.
pub(super) async fn serve(listener: TcpListener, admin: Admin) {
    let routes = Router::new()
        .route("/livez", get(|| async { "alive\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .with_state(admin);
    if let Err(reason) = axum::serve(listener, routes).await {
        tracing::error!(%reason, "the loopback port ended");
    }
}

async fn metrics(State(admin): State<Admin>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], metrics_text(&admin.registry))
}

/// 200 if calls can be served now; else 503 with one line for each reason. An alarm about a file
/// that was not put in force is told, and is no reason: the one before it still holds.
async fn ready(State(admin): State<Admin>) -> (StatusCode, String) {
    let mut reasons = Vec::new();
    if *admin.stopping.borrow() {
        reasons.push("stopping".to_owned());
    }
    if let Err(reason) = admin.store.ping().await {
        reasons.push(format!("store: {}", reason.message));
    }
    let tls = admin.tls.health();
    if !tls.ready {
        reasons.push(format!("tls: clients cannot be let in: {:?}", tls.revocation));
    }
    let mut text = String::new();
    for alarm in tls.alarm.into_iter().chain(admin.ring.alarm()) {
        text.push_str(&format!("alarm: {alarm}\n"));
    }
    let code = if reasons.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    text.insert_str(0, if reasons.is_empty() { "ready\n" } else { "not ready\n" });
    for reason in reasons {
        text.push_str(&format!("reason: {reason}\n"));
    }
    (code, text)
}
