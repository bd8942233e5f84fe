//! `puente serve`: the gateway itself.

use std::net::SocketAddr;
use std::path::PathBuf;

use tokio::signal::unix::{SignalKind, signal};

use super::output::print;
use super::{Failure, Outcome};
use crate::config::Config;
use crate::gateway::{self, Running};
use crate::telemetry::Telemetry;

/// Serve a gateway until SIGTERM or SIGINT
///
/// Says on one line when it is ready; /readyz on the loopback port answers 200 from then on. The
/// log is JSON on standard error. SIGHUP takes up renewed certificates, revocation lists and keys.
///
/// Example:
///   puente serve --config gateway/puente.toml
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Serve {
    /// The configuration, as puente init writes it
    #[arg(long, value_name = "FILE", env = "PUENTE_CONFIG")]
    config: PathBuf,
    /// Listen there instead of where the configuration says
    #[arg(long, value_name = "ADDR:PORT", env = "PUENTE_LISTEN")]
    listen: Option<SocketAddr>,
    /// The same for metrics and health
    #[arg(long, value_name = "ADDR:PORT", env = "PUENTE_ADMIN_LISTEN")]
    admin_listen: Option<SocketAddr>,
}

impl Serve {
    pub(super) async fn run(self) -> Outcome {
        let mut config = Config::load(&self.config)?;
        config.listen = self.listen.unwrap_or(config.listen);
        config.admin_listen = self.admin_listen.unwrap_or(config.admin_listen);
        if !config.admin_listen.ip().is_loopback() {
            return Err(Failure::new(
                "INVALID_ADDRESS",
                "--admin-listen must be a loopback address: it asks for no certificate",
            ));
        }
        let failed = |reason: anyhow::Error| Failure::new("SERVE", whole(&reason));
        let telemetry = Telemetry::install(&config.telemetry).map_err(failed)?;
        let running = gateway::start(&config, telemetry.registry()).await.map_err(failed)?;
        // Whoever started the gateway waits for this line.
        print(&format!(
            "ready: https://{} (health and metrics: http://{})",
            running.address, running.admin_address
        ))?;
        told_to_stop(&running).await?;
        tracing::info!(drain_seconds = config.limits.drain_seconds, "stopping");
        running.stop().await.map_err(failed)?;
        Ok(())
    }
}

/// An error with its causes, each told once.
fn whole(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if text.is_empty() {
            text = cause;
        } else if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    text
}

/// Waits for SIGTERM or SIGINT; at SIGHUP takes up renewed files.
async fn told_to_stop(running: &Running) -> Outcome {
    let on =
        |kind| signal(kind).map_err(|reason| Failure::new("SERVE", format!("signals: {reason}")));
    let mut terminate = on(SignalKind::terminate())?;
    let mut interrupt = on(SignalKind::interrupt())?;
    let mut hang_up = on(SignalKind::hangup())?;
    loop {
        tokio::select! {
            _ = terminate.recv() => return Ok(()),
            _ = interrupt.recv() => return Ok(()),
            _ = hang_up.recv() => running.renew(),
        }
    }
}
