//! `puente init`: a folder from which a gateway can be served and called at once.
//!
//! Enters: a folder's path and two addresses. Leaves: configuration, development authority,
//! identities, keys, profiles, and a store that knows the partners and the code tables; all of it
//! or nothing.

mod bootstrap;

use std::fs::{self, DirBuilder};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use clap::Args;
use jiff::SignedDuration;
use serde_json::json;

use super::output::{Output, print, print_json};
use super::pki::{LIFETIME_DAYS, Shelf};
use super::{Failure, Outcome, Show};
use crate::clock::Env;
use crate::config::{Config, StoreSettings};
use crate::gate::token::SignatureAlgorithm;
use crate::ledger::SigningKey;
use crate::oauth::keys;
use crate::pki::{self, Name};

pub use self::bootstrap::MEMBERS;

const DAY: SignedDuration = SignedDuration::from_hours(24);

/// Make a folder from which a gateway can be served
///
/// Writes puente.toml, a development authority with one identity and profile for each partner,
/// keys, and the store. The folder must be missing or empty.
///
/// Example:
///   puente init gateway && puente serve --config gateway/puente.toml
#[derive(Args)]
#[command(verbatim_doc_comment)]
pub struct Init {
    /// The folder to make
    dir: PathBuf,
    /// Where partners come in
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:8443")]
    listen: SocketAddr,
    /// Where metrics and health are; a loopback address
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:9443")]
    admin_listen: SocketAddr,
    /// Keep everything in this empty PostgreSQL database instead of the folder
    #[arg(long, value_name = "URL")]
    database_url: Option<String>,
    /// File of the database user's password
    #[arg(long, value_name = "FILE", requires = "database_url")]
    database_password_file: Option<PathBuf>,
    /// Authorities of the database's certificate, PEM; needed if it is on another machine
    #[arg(long, value_name = "FILE", requires = "database_url")]
    database_ca: Option<PathBuf>,
    #[command(flatten)]
    show: Show,
}

impl Init {
    pub(super) async fn run(self) -> Outcome {
        if self.listen.port() == 0 {
            return Err(Failure::new(
                "INVALID_ADDRESS",
                "--listen needs a port: the profiles name it",
            ));
        }
        let store = self.store()?;
        create(&self.dir, (self.listen, self.admin_listen), store.as_ref(), &Env::system()).await?;
        let dir = self.dir.display();
        match self.show.output {
            Output::Json => {
                let profiles: serde_json::Map<_, _> = MEMBERS
                    .iter()
                    .map(|member| {
                        let path = Shelf::of(&self.dir).profile(member.id);
                        (member.id.to_owned(), json!(path.display().to_string()))
                    })
                    .collect();
                print_json(&json!({
                    "config": self.dir.join("puente.toml").display().to_string(),
                    "endpoint": endpoint(self.listen),
                    "ledgerKey": self.dir.join("ledger/vkey.txt").display().to_string(),
                    "profiles": profiles,
                }))
            }
            Output::Table => print(&format!(
                "{dir}/puente.toml       the configuration; docs/puente.example.toml explains every key
{dir}/pki/              a development authority and identities: not for production
{dir}/keys/             keys that sign tokens and seal page tokens
{dir}/ledger/vkey.txt   the ledger's public key, for auditors
{dir}/profiles/         one profile a partner: {}
{dir}/data/             the store

Next:
  puente serve --config {dir}/puente.toml
  puente verify 30-50001091-2 --profile {dir}/profiles/marketplace.toml
",
                MEMBERS.map(|member| member.id).join(", ")
            )),
        }
    }
}

impl Init {
    /// The database, if one is named; files are found from here as from the folder.
    fn store(&self) -> Outcome<Option<StoreSettings>> {
        let whole = |path: &Option<PathBuf>| {
            let whole = |path: &PathBuf| {
                std::path::absolute(path).map_err(|reason| Failure::file(path, reason))
            };
            path.as_ref().map(whole).transpose()
        };
        let Some(url) = &self.database_url else { return Ok(None) };
        let (password_file, ca) = (whole(&self.database_password_file)?, whole(&self.database_ca)?);
        Ok(Some(StoreSettings { url: url.clone(), password_file, ca }))
    }
}

/// Makes `dir`, which must be missing or empty, as a whole or not at all. Partners come in at the
/// first of the two addresses, the operator at the other; without a database the store is in the
/// folder.
///
/// # Errors
/// `FOLDER_NOT_EMPTY`, or whatever could not be written.
pub async fn create(
    dir: &Path,
    addresses: (SocketAddr, SocketAddr),
    store: Option<&StoreSettings>,
    env: &Env,
) -> Outcome {
    let there = occupied(dir)?;
    // In an existing folder, which may be a mount point, beside what will be moved up; else beside
    // the folder itself. Either way on the same file system.
    let name = dir.file_name().unwrap_or_default().to_string_lossy();
    let draft = if there {
        dir.join(".puente-init")
    } else {
        dir.with_file_name(format!(".{name}.puente-init"))
    };
    let made = fill(&draft, addresses, store, env).await;
    let placed = made.and_then(|()| {
        if there { move_up(&draft, dir) } else { fs::rename(&draft, dir) }
            .map_err(|reason| Failure::file(dir, reason))
    });
    if placed.is_err() {
        // The failure is told already; what cannot be removed stays under the draft's name.
        let _ = fs::remove_dir_all(&draft);
    }
    placed
}

/// Whether the folder is there; it must be empty then.
fn occupied(dir: &Path) -> Outcome<bool> {
    match fs::read_dir(dir) {
        Ok(mut entries) => match entries.next() {
            None => Ok(true),
            Some(_) => Err(Failure::new(
                "FOLDER_NOT_EMPTY",
                format!("{} is not empty; nothing was written", dir.display()),
            )
            .hint("name a folder that is missing or empty")),
        },
        Err(reason) if reason.kind() == std::io::ErrorKind::NotFound => {
            let parent = dir.parent().filter(|parent| !parent.as_os_str().is_empty());
            if let Some(parent) = parent {
                fs::create_dir_all(parent).map_err(|reason| Failure::file(parent, reason))?;
            }
            Ok(false)
        }
        Err(reason) => Err(Failure::file(dir, reason)),
    }
}

/// The configuration goes last: a folder without one is not yet made.
fn move_up(draft: &Path, dir: &Path) -> std::io::Result<()> {
    let mut entries: Vec<_> = fs::read_dir(draft)?.collect::<Result<_, _>>()?;
    entries.sort_by_key(|entry| entry.file_name() == "puente.toml");
    for entry in entries {
        fs::rename(entry.path(), dir.join(entry.file_name()))?;
    }
    fs::remove_dir(draft)
}

async fn fill(
    dir: &Path,
    (listen, admin_listen): (SocketAddr, SocketAddr),
    store: Option<&StoreSettings>,
    env: &Env,
) -> Outcome {
    // Left by a run that was cut off; it was never the folder itself.
    let _ = fs::remove_dir_all(dir);
    for part in ["", "pki/clients", "profiles", "ledger", "keys", "data"] {
        let folder = dir.join(part);
        // The store, keys and logs are their owner's alone; so is the draft, which must be ours
        // and not a folder that somebody else left here.
        DirBuilder::new()
            .recursive(!part.is_empty())
            .mode(0o700)
            .create(&folder)
            .map_err(|reason| Failure::file(&folder, reason))?;
    }
    identities(dir, listen, env)?;
    let origin = format!("puente.localhost/{}", &hex::encode(env.ids.random())[..12]);
    secrets(dir, &origin, env)?;
    let path = dir.join("puente.toml");
    let mut text = configuration(listen, admin_listen, &origin);
    if let Some(store) = store {
        let section = toml::to_string(store).map_err(|e| Failure::new("CONFIG", e.to_string()))?;
        text.push_str(&format!("\n[store]\n{section}"));
    }
    pki::write_public(&path, &text)?;
    let config = Config::load(&path)?;
    bootstrap::run(&config, env).await
}

fn identities(dir: &Path, listen: SocketAddr, env: &Env) -> Outcome {
    let shelf = Shelf::of(dir);
    let authority = shelf.create(env, DAY * 3650)?;
    let lifetime = DAY * i32::try_from(LIFETIME_DAYS).unwrap_or(i32::MAX);
    let mut server = pki::Profile::localhost(lifetime);
    if !listen.ip().is_loopback() && !listen.ip().is_unspecified() {
        server.names.push(Name::Ip(listen.ip()));
    }
    let issued = authority.issue(env, &server)?;
    shelf.note("(gateway)", &issued)?;
    pki::write_secret(&dir.join("pki/server.key.pem"), &issued.key_pem)?;
    pki::write_public(&dir.join("pki/server.pem"), &issued.certificate_pem)?;
    for member in &MEMBERS {
        shelf.issue_client(env, &authority, member.id, lifetime, &endpoint(listen))?;
    }
    Ok(())
}

fn secrets(dir: &Path, origin: &str, env: &Env) -> Outcome {
    let failed = |reason: String| Failure::new("KEY", reason);
    keys::create(&dir.join("keys"), SignatureAlgorithm::ES256, env.now())
        .map_err(|fault| failed(fault.to_string()))?;
    pki::write_secret(
        &dir.join("keys/pages.key"),
        &format!("{}\n", hex::encode(env.ids.random())),
    )?;
    let name = origin.parse().map_err(|reason| failed(format!("{reason}")))?;
    let text = SigningKey::secret_text(name, &env.ids.random())
        .map_err(|reason| failed(reason.to_string()))?;
    let key =
        SigningKey::from_secret_text(text.trim()).map_err(|reason| failed(reason.to_string()))?;
    pki::write_secret(&dir.join("ledger/ledger.key"), &format!("{}\n", text.trim()))?;
    let public = format!("{}\n", key.verifying_key());
    Ok(pki::write_public(&dir.join("ledger/vkey.txt"), &public)?)
}

/// Where clients on this machine reach a gateway that listens there.
pub fn endpoint(listen: SocketAddr) -> String {
    let ip =
        if listen.ip().is_unspecified() { IpAddr::V4(Ipv4Addr::LOCALHOST) } else { listen.ip() };
    format!("https://{}", SocketAddr::new(ip, listen.port()))
}

fn configuration(listen: SocketAddr, admin_listen: SocketAddr, origin: &str) -> String {
    let issuer = endpoint(listen);
    format!(
        r#"# Made by puente init; docs/puente.example.toml explains every key. Paths are relative to this file.
listen = "{listen}"
admin_listen = "{admin_listen}"
data_dir = "data"

[tls]
certificate = "pki/server.pem"
key = "pki/server.key.pem"
client_ca = "pki/ca.pem"
crl = "pki/crl.pem"

[oauth]
issuer = "{issuer}"
audience = "puente"
signing_keys = "keys"

[ledger]
origin = "{origin}"
key = "ledger/ledger.key"
record = "ledger/last-signed.json"

[pages]
key = "keys/pages.key"
"#
    )
}

#[cfg(test)]
#[path = "init_tests.rs"]
mod tests;
