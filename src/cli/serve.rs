//! `puente serve`: the gateway itself.

use std::net::SocketAddr;
use std::path::PathBuf;

use super::{Failure, Outcome};
use crate::config::Config;

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
        Err(Failure::new("SERVE", "the gateway is not assembled yet"))
    }
}
