//! Connections: to which database, how, and how many.
//!
//! Enters: the operator's settings. Leaves: two pools. The writer's has one connection, whose
//! transactions hold the ledger head and so may take no longer than a few seconds; readers share
//! the other. Both go to whichever of the hosts takes writes.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use deadpool_postgres::{
    Connect, Manager, ManagerConfig, Pool, RecyclingMethod, Runtime, Timeouts,
};
use futures_util::StreamExt as _;
use futures_util::stream::poll_fn;
use tokio::task::JoinHandle;
use tokio_postgres::config::{Host, SslMode, TargetSessionAttrs};
use tokio_postgres::error::Severity;
use tokio_postgres::tls::{MakeTlsConnect, TlsConnect};
use tokio_postgres::{AsyncMessage, Client, Config, Error, Socket};

/// How long to wait for a connection.
const CONNECT: Duration = Duration::from_secs(2);
/// How long the peer may leave what was sent unacknowledged.
const UNACKNOWLEDGED: Duration = Duration::from_secs(5);
/// What every connection of the writer asks for: a transaction that holds the head and hangs would
/// stop everybody.
const OF_WRITER: &str = "-c statement_timeout=5s -c idle_in_transaction_session_timeout=2s \
                         -c synchronous_commit=on";
const OF_READERS: &str = "-c statement_timeout=10min";

/// Where the database is and how it is spoken to.
#[derive(Clone)]
pub struct Settings {
    config: Config,
}

/// Without what the database is told to let us in.
impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("hosts", &self.config.get_hosts())
            .field("ports", &self.config.get_ports())
            .field("database", &self.config.get_dbname())
            .field("user", &self.config.get_user())
            .finish_non_exhaustive()
    }
}

impl Settings {
    /// Reads `postgresql://USER@HOST[:PORT][,HOST...]/DATABASE[?...]`, without a password, which
    /// comes apart.
    ///
    /// # Errors
    /// One sentence on what is wrong; it never quotes the URL.
    pub fn parse(url: &str, password: Option<&str>) -> Result<Self, String> {
        let mut config: Config = url
            .parse()
            .map_err(|_| "is no PostgreSQL URL: write postgresql://USER@HOST/DATABASE")?;
        if config.get_password().is_some() {
            return Err("must hold no password: put it into a file of its own".into());
        }
        if config.get_hosts().is_empty() {
            return Err("names no host".into());
        }
        if let Some(password) = password {
            config.password(password);
        }
        config
            .target_session_attrs(TargetSessionAttrs::ReadWrite)
            .connect_timeout(CONNECT)
            .tcp_user_timeout(UNACKNOWLEDGED)
            .application_name("puente");
        Ok(Self { config })
    }

    /// Whether all hosts are this machine, so that nobody can listen.
    pub fn is_local(&self) -> bool {
        self.config.get_hosts().iter().all(|host| match host {
            Host::Tcp(name) => {
                let ip = name.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback());
                ip || name == "localhost"
            }
            Host::Unix(_) => true,
        })
    }

    /// As these, but under TLS or not at all.
    #[must_use]
    pub fn encrypted(mut self) -> Self {
        self.config.ssl_mode(SslMode::Require);
        self
    }

    /// As these, but for a connection that takes as long as it needs, such as for migrations.
    pub(super) fn patient(&self) -> &Config {
        &self.config
    }
}

/// Whether the database has warned while it committed: a standby was not waited for, so that what
/// is committed is not durable there yet.
#[derive(Clone, Debug, Default)]
pub struct Doubt(Arc<AtomicBool>);

impl Doubt {
    /// Nothing was said yet.
    pub fn clear(&self) {
        self.0.store(false, Ordering::SeqCst);
    }

    /// Whether it has warned since.
    pub fn is_raised(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

/// Makes connections that listen to warnings.
struct Listening<T> {
    tls: T,
    doubt: Doubt,
}

type Connected = Result<(Client, JoinHandle<()>), Error>;

impl<T> Connect for Listening<T>
where
    T: MakeTlsConnect<Socket> + Clone + Send + Sync + 'static,
    T::Stream: Send + Sync,
    T::TlsConnect: Send + Sync,
    <T::TlsConnect as TlsConnect<Socket>>::Future: Send,
{
    fn connect(&self, config: &Config) -> Pin<Box<dyn Future<Output = Connected> + Send + '_>> {
        let config = config.clone();
        Box::pin(async move {
            let (client, mut connection) = config.connect(self.tls.clone()).await?;
            let doubt = self.doubt.clone();
            let task = tokio::spawn(async move {
                let mut messages = poll_fn(move |context| connection.poll_message(context));
                while let Some(message) = messages.next().await {
                    match message {
                        Ok(AsyncMessage::Notice(said)) => {
                            if said.parsed_severity() == Some(Severity::Warning) {
                                doubt.0.store(true, Ordering::SeqCst);
                            }
                        }
                        Ok(_) => {}
                        Err(error) => {
                            let reason = super::fault::told(&error);
                            tracing::warn!(%reason, "a connection to the database ended");
                        }
                    }
                }
            });
            Ok((client, task))
        })
    }
}

/// The writer's pool of one, with its doubts, and the readers'.
pub fn pools<T>(settings: &Settings, tls: T, readers: usize) -> Result<(Pool, Doubt, Pool), String>
where
    T: MakeTlsConnect<Socket> + Clone + Send + Sync + 'static,
    T::Stream: Send + Sync,
    T::TlsConnect: Send + Sync,
    <T::TlsConnect as TlsConnect<Socket>>::Future: Send,
{
    let doubt = Doubt::default();
    let pool = |options: &str, size: usize, doubt: Doubt| {
        let mut config = settings.config.clone();
        let given = config.get_options().map(|given| format!("{given} ")).unwrap_or_default();
        config.options(format!("{given}{options}"));
        let listening = Listening { tls: tls.clone(), doubt };
        let ways = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        Pool::builder(Manager::from_connect(config, listening, ways))
            .max_size(size)
            .runtime(Runtime::Tokio1)
            .timeouts(Timeouts {
                wait: Some(Duration::from_secs(10)),
                create: Some(Duration::from_secs(5)),
                recycle: None,
            })
            .build()
            .map_err(|error| error.to_string())
    };
    let writer = pool(OF_WRITER, 1, doubt.clone())?;
    Ok((writer, doubt, pool(OF_READERS, readers, Doubt::default())?))
}
