//! Where a run happens: a folder for this run only, a gateway made from it, and one client a
//! partner, each with a certificate and connections of its own.
//!
//! Enters: nothing but a free port. Leaves: clients. The folder is gone when the world is.

use std::collections::HashMap;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::SignedDuration;

use crate::cli::init::{self, MEMBERS};
use crate::cli::pki::Shelf;
use crate::cli::profile::Profile;
use crate::cli::{Client, Failure, Outcome};
use crate::clock::{ClockAhead, Env};
use crate::config::{Config, StoreSettings};
use crate::gateway::{self, Running};
use crate::store::postgres::cluster::Cluster;

/// How long the identity of a partner that comes later lives.
const LIFETIME: SignedDuration = SignedDuration::from_hours(48);
/// What a run waits for instead of for the next day.
const A_DAY: SignedDuration = SignedDuration::from_hours(24);

/// Where the gateway keeps what it keeps.
pub enum Place {
    /// In the folder of the run.
    Folder,
    /// In a PostgreSQL that is started for the run.
    Cluster,
    /// In an empty database.
    Database(String),
}

/// A gateway with everybody who calls it.
pub struct World {
    /// Time and identifiers.
    pub env: Env,
    clock: Arc<ClockAhead>,
    /// Where partners come in.
    pub address: SocketAddr,
    folder: Folder,
    running: Running,
    /// After the gateway, which writes to it until it is stopped.
    _cluster: Option<Cluster>,
    clients: HashMap<String, Arc<Client>>,
}

impl World {
    /// Makes identities and a store, starts the gateway, and makes the clients.
    pub async fn start(place: Place, registry: prometheus::Registry) -> Outcome<Self> {
        let clock = Arc::new(ClockAhead::default());
        let env = Env { clock: clock.clone(), ..Env::system() };
        let folder = Folder::create(&env)?;
        let (cluster, url) = match place {
            Place::Folder => (None, None),
            Place::Database(url) => (None, Some(url)),
            Place::Cluster => {
                let name = format!("puente-{}", env.ids.uuid());
                let cluster = Cluster::start(std::env::temp_dir().join(name))
                    .map_err(|reason| Failure::new("CLUSTER", reason.to_string()))?;
                let url = cluster.url("postgres");
                (Some(cluster), Some(url))
            }
        };
        let store = url.map(|url| StoreSettings { url, password_file: None, ca: None });
        let (listen, admin) = free_ports()?;
        let home = folder.gateway();
        init::create(&home, (listen, admin), store.as_ref(), &env).await?;
        let config = Config::load(&home.join("puente.toml"))?;
        let running = gateway::start_by(&config, registry, env.clone())
            .await
            .map_err(|reason| Failure::new("GATEWAY", format!("{reason:#}")))?;
        let address = running.address;
        let (clients, _cluster) = (HashMap::new(), cluster);
        let mut world = Self { env, clock, address, folder, running, _cluster, clients };
        for member in &MEMBERS {
            world.connect(member.id)?;
        }
        Ok(world)
    }

    /// The client of a partner.
    pub fn client(&self, partner: &str) -> Outcome<Arc<Client>> {
        let client = self.clients.get(partner).cloned();
        client.ok_or_else(|| Failure::new("INTERNAL", format!("no client for {partner}")))
    }

    /// Another client of the same partner, with connections and a token of its own.
    pub fn another(&self, partner: &str) -> Outcome<Client> {
        Client::new(Profile::load(&self.profile(partner))?, self.env.clone())
    }

    /// Puts the clock of everybody in this run forward to the same hour of the next day.
    pub fn wait_a_day(&self) {
        self.clock.advance(A_DAY);
        self.running.look_at_the_calendar();
    }

    /// Issues an identity to a partner that `init` did not make, and makes its client.
    pub fn admit(&mut self, partner: &str) -> Outcome {
        let shelf = Shelf::of(&self.folder.gateway());
        let endpoint = init::endpoint(self.address);
        shelf.issue_client(&self.env, &shelf.authority()?, partner, LIFETIME, &endpoint)?;
        self.connect(partner)
    }

    /// The profile of a partner.
    pub fn profile(&self, partner: &str) -> PathBuf {
        Shelf::of(&self.folder.gateway()).profile(partner)
    }

    /// The ledger's public key, as auditors have it.
    pub fn ledger_key(&self) -> PathBuf {
        self.folder.gateway().join("ledger/vkey.txt")
    }

    /// Writes a file that a partner sends.
    pub fn file(&self, name: &str, text: &str) -> Outcome<PathBuf> {
        let path = self.folder.0.join(name);
        fs::write(&path, text).map_err(|reason| Failure::file(&path, reason))?;
        Ok(path)
    }

    /// Stops the gateway and removes the folder.
    pub async fn stop(self) -> Outcome {
        drop(self.clients);
        let stopped = self.running.stop().await;
        stopped.map_err(|reason| Failure::new("GATEWAY", format!("{reason:#}")))?;
        Ok(())
    }

    fn connect(&mut self, partner: &str) -> Outcome {
        let client = self.another(partner)?;
        self.clients.insert(partner.to_owned(), Arc::new(client));
        Ok(())
    }
}

/// A folder that is removed when the run ends, however it ends.
struct Folder(PathBuf);

impl Folder {
    fn create(env: &Env) -> Outcome<Self> {
        let path = std::env::temp_dir().join(format!("puente-demo-{}", env.ids.uuid().simple()));
        create_private(&path).map_err(|reason| Failure::file(&path, reason))?;
        Ok(Self(path))
    }

    fn gateway(&self) -> PathBuf {
        self.0.join("gateway")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // It holds nothing that outlives the run; what cannot be removed is in the folder for
        // temporary files.
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[cfg(unix)]
fn create_private(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    fs::DirBuilder::new().mode(0o700).create(path)
}

#[cfg(not(unix))]
fn create_private(path: &Path) -> std::io::Result<()> {
    fs::create_dir(path)
}

/// Two ports that were free a moment ago: the profiles name the first one, so it must be known
/// before the gateway starts.
fn free_ports() -> Outcome<(SocketAddr, SocketAddr)> {
    let bind = || {
        TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .map_err(|reason| Failure::new("ADDRESS", format!("no free port: {reason}")))
    };
    let address = |listener: &TcpListener| {
        listener
            .local_addr()
            .map_err(|reason| Failure::new("ADDRESS", format!("no free port: {reason}")))
    };
    let (one, other) = (bind()?, bind()?);
    Ok((address(&one)?, address(&other)?))
}
