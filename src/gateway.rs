//! The gateway, from listener to drain: the page to read first.
//!
//! Enters: a configuration. Leaves: a running gateway. It reads straight down:
//! store, use cases, ledger, identity, tokens, gate, routes, listeners.

mod admin;
mod database_tls;
pub mod store;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;

use crate::app::App;
use crate::app::access::Tokens;
use crate::app::checkpoints::Checkpoints;
use crate::app::deadlines::Deadlines;
use crate::app::ledger::LedgerDesk;
use crate::clock::Env;
use crate::config::Config;
use crate::domain::report::ReportRules;
use crate::gate::audit::AuditSink;
use crate::gate::connection::Connections;
use crate::gate::metrics::Metrics;
use crate::gate::service::{Gate, GateParts};
use crate::gate::threads::Threads;
use crate::gate::tls::TlsReloader;
use crate::gate::token::Verifier;
use crate::gate::{Door, Drained, Routes};
use crate::ledger::Signer;
use crate::oauth::OAuth;
use crate::oauth::keys::KeyRing;
use crate::rpc::page_token::PageTokens;
use crate::rpc::{self, Services};
use crate::store::writer::WriterLimits;

/// A gateway that serves until it is stopped.
pub struct Running {
    /// Where partners come in.
    pub address: SocketAddr,
    /// Where the machine's own operator looks.
    pub admin_address: SocketAddr,
    stop: watch::Sender<bool>,
    serving: JoinHandle<Drained>,
    tls: Arc<TlsReloader>,
    ring: Arc<KeyRing>,
    env: Env,
    audit: AuditSink,
    deadlines: Arc<Deadlines>,
    // Ends with the gateway.
    _beside: JoinSet<()>,
}

impl Running {
    /// Asks the gateway to stop: no new connections, calls in progress may end within the drain
    /// deadline. Returns once it has and every record of a call is in its file.
    pub async fn stop(self) -> anyhow::Result<Drained> {
        // Nobody listens any more if serving has ended by itself.
        let _ = self.stop.send(true);
        let drained = self.serving.await?;
        let audit = self.audit;
        tokio::task::spawn_blocking(move || audit.finish()).await?;
        Ok(drained)
    }

    /// Reads certificates, revocation lists and signing keys again now, without waiting for the
    /// next look at their files. What cannot be used is told in the log and the old stays.
    pub fn renew(&self) {
        // The alarm is up in readiness and metrics; there is nobody else to tell.
        let _ = self.tls.reload();
        self.ring.poll(self.env.now());
    }

    /// Looks now for what the calendar changes, which it does every so often by itself.
    pub fn look_at_the_calendar(&self) {
        self.deadlines.look();
    }
}

/// Starts a gateway as `config` says; it serves once this returns.
///
/// # Errors
/// The first thing that cannot be used, named so that the operator can mend it: a file, a port,
/// the store.
pub async fn start(config: &Config, registry: prometheus::Registry) -> anyhow::Result<Running> {
    start_by(config, registry, Env::system()).await
}

/// The same by another clock than the machine's.
///
/// # Errors
/// Those of [`start`].
pub async fn start_by(
    config: &Config,
    registry: prometheus::Registry,
    env: Env,
) -> anyhow::Result<Running> {
    let (stop, stopping) = watch::channel(false);
    let mut beside = JoinSet::new();

    // What is kept, and the one way to change it.
    let store = store::open(config).await?;
    let mut app = App::start(store, env.clone(), writer_limits(config)).await?;
    app.report_rules = report_rules(config);
    app.least_sellers = config.analytics.least_sellers;
    beside.spawn(app.clone().keep_fresh());
    beside.spawn(app.clone().keep_reports());
    beside.spawn(app.clone().keep_marks());
    beside.spawn(app.clone().keep_deadlines());
    beside.spawn(app.clone().keep_stock());
    let deadlines = app.deadlines.clone();

    // What others can check. A ledger that contradicts what was signed stops us here.
    let signer = Signer::new(config.ledger_key()?);
    let checkpoints = Arc::new(Checkpoints::new(signer, config.ledger.record.clone()));
    let ledger = LedgerDesk::new(app.clone(), checkpoints);
    ledger.checkpoint().await?;

    // Who is at the other end.
    let tls = Arc::new(TlsReloader::load(config.tls.clone(), env.clone())?);
    beside.spawn(tls.clone().watch());
    let ring = Arc::new(KeyRing::load(&config.oauth, env.now())?);
    let every = Duration::from_secs(config.oauth.key_poll_seconds.into());
    beside.spawn(ring.clone().watch(env.clone(), every));
    let verifier = Arc::new(Verifier::new(ring.clone(), app.directory.clone()));
    let oauth = Arc::new(OAuth::new(
        app.directory.clone(),
        Tokens::new(app.clone()),
        ring.clone(),
        verifier.clone(),
        config.oauth.clone(),
        env.clone(),
    ));

    // The handlers, and what stands before them.
    let audit = AuditSink::to_folder(&config.data_dir.join("audit"), config.audit.clone())
        .with_context(|| format!("audit record in {}", config.data_dir.display()))?;
    let metrics = Metrics::new(&registry)?;
    metrics.watch(verifier.clone());
    let limits = Arc::new(config.limits.clone());
    let pages = PageTokens::new(&*config.page_key()?)?;
    let services = Services { app: app.clone(), ledger: ledger.clone(), pages };
    let (handlers, health) = rpc::handlers(&services).await?;
    let gate = Gate::new(GateParts {
        handlers,
        directory: app.directory.clone(),
        verifier,
        limits: limits.clone(),
        quota: config.quota.clone(),
        audit: audit.clone(),
        metrics: metrics.clone(),
        env: env.clone(),
    });

    // The token endpoint stands beside it.
    let routes = Routes::new(gate, crate::oauth::router(oauth));

    // The doors.
    let listener = bind(config.listen, "listen").await?;
    let admin_listener = bind(config.admin_listen, "admin_listen").await?;
    let address = listener.local_addr()?;
    let admin_address = admin_listener.local_addr()?;
    let admin = admin::Admin {
        store: app.store.clone(),
        tls: tls.clone(),
        ring: ring.clone(),
        registry,
        stopping: stopping.clone(),
    };
    beside.spawn(admin::serve(admin_listener, admin));
    let door = Door {
        tls: tls.clone(),
        threads: Threads::start(limits.threads)?,
        limits,
        audit: audit.clone(),
        metrics,
        env: env.clone(),
        connections: Arc::new(Connections::default()),
    };
    let serving = tokio::spawn(serve(listener, door, routes, health, stopping));
    Ok(Running {
        address,
        admin_address,
        stop,
        serving,
        tls,
        ring,
        env,
        audit,
        deadlines,
        _beside: beside,
    })
}

/// Serves until told to stop; health says so before the first connection is turned away.
async fn serve(
    listener: TcpListener,
    door: Door,
    routes: Routes,
    health: HealthReporter,
    mut stopping: watch::Receiver<bool>,
) -> Drained {
    crate::gate::serve(listener, door, routes, async move {
        // The sender lives in `Running`; if it is gone, stopping is what is wanted.
        let _ = stopping.wait_for(|stop| *stop).await;
        for name in rpc::service_names() {
            health.set_service_status(name, ServingStatus::NotServing).await;
        }
    })
    .await
}

async fn bind(address: SocketAddr, key: &str) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| {
        format!("{key} = {address}: cannot listen there; is the port in use, or not yours?")
    })
}

fn report_rules(config: &Config) -> ReportRules {
    ReportRules {
        open_days: config.reports.open_days,
        open_at_once: config.reports.open_per_partner,
    }
}

fn writer_limits(config: &Config) -> WriterLimits {
    WriterLimits {
        group_changes: config.writer.group_changes,
        group_weight: config.writer.group_weight,
        queue_weight: config.writer.queue_weight,
    }
}
