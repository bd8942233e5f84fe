//! The gateway's side of TLS: its certificate, whom it lets in, and how both are renewed
//! while it runs.
//!
//! Enters: four files and the clock. Leaves: the rustls configuration of the moment,
//! whole or not at all: a bad file keeps the old one and raises an alarm. It knows
//! nothing of connections; they ask it again whether their certificate still holds.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use arc_swap::ArcSwap;
use jiff::{SignedDuration, Timestamp};
use rustls::ServerConfig;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::server::NoServerSessionStorage;
use rustls::time_provider::TimeProvider;
use rustls_pki_types::{CertificateDer, UnixTime};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::material::{Material, MaterialError};
use super::verifier::{ClientVerifier, Freshness, unix_time};
use crate::clock::Env;

/// Where the TLS identity is and how strict it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsSettings {
    /// The gateway's certificate, followed by its intermediates, PEM.
    pub certificate: PathBuf,
    /// Its private key, PEM; only its owner may be able to read it.
    pub key: PathBuf,
    /// The authorities whose client certificates are let in, PEM.
    pub client_ca: PathBuf,
    /// Their revocation lists, one for each authority, PEM. Without it nothing but the
    /// operator's own hand takes a certificate back.
    #[serde(default)]
    pub crl: Option<PathBuf>,
    /// How long after its `nextUpdate` a revocation list is still relied on; then nobody
    /// gets in. Default 86,400.
    #[serde(default = "one_day")]
    pub crl_grace_seconds: u64,
    /// Lets TLS 1.2 in too, with forward secrecy and AEAD only. Default false.
    #[serde(default)]
    pub allow_tls12: bool,
}

/// What readiness, metrics and the operator want to know about the TLS identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsHealth {
    /// Why the last reload was refused; the one before it is in force.
    pub alarm: Option<String>,
    /// The revocation lists.
    pub revocation: Freshness,
    /// When the revocation lists must have been renewed.
    pub revocation_next_update: Option<Timestamp>,
    /// When the gateway's own certificate ends.
    pub certificate_not_after: Timestamp,
    /// Whether clients can be let in now.
    pub ready: bool,
}

/// Holds the TLS configuration of the moment and renews it from its files.
pub struct TlsReloader {
    settings: TlsSettings,
    env: Env,
    provider: Arc<CryptoProvider>,
    current: ArcSwap<Loaded>,
    state: Mutex<State>,
    generation: watch::Sender<u64>,
}

struct Loaded {
    config: Arc<ServerConfig>,
    verifier: Arc<ClientVerifier>,
    list_numbers: Vec<(Vec<u8>, Vec<u8>)>,
    next_update: Option<Timestamp>,
    certificate_not_after: Timestamp,
}

struct State {
    seen: Vec<Option<Stamp>>,
    alarm: Option<String>,
}

/// What changes about a file when it is replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Stamp {
    modified: Option<SystemTime>,
    len: u64,
    inode: u64,
}

impl TlsReloader {
    /// Reads the files for the first time.
    ///
    /// # Errors
    /// The first file that cannot be used, and how to mend it.
    pub fn load(settings: TlsSettings, env: Env) -> Result<Self, MaterialError> {
        // X25519MLKEM768 first, by the feature `prefer-post-quantum`.
        let provider = Arc::new(aws_lc_rs::default_provider());
        let seen = stamps(&settings);
        let loaded = Loaded::read(&settings, &env, &provider)?;
        Ok(Self {
            settings,
            env,
            provider,
            current: ArcSwap::from_pointee(loaded),
            state: Mutex::new(State { seen, alarm: None }),
            generation: watch::channel(0).0,
        })
    }

    /// The configuration for the next handshake.
    pub fn config(&self) -> Arc<ServerConfig> {
        self.current.load().config.clone()
    }

    /// Reads the files again. All of them are put in force together, or, if one is bad, none.
    ///
    /// # Errors
    /// Why the old ones were kept; the alarm stays up until a reload succeeds.
    pub fn reload(&self) -> Result<(), MaterialError> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        // Stamps first: a file replaced while it is read is read again on the next look.
        state.seen = stamps(&self.settings);
        let before = self.current.load();
        let outcome = Loaded::read(&self.settings, &self.env, &self.provider)
            .and_then(|loaded| loaded.not_older_than(&before).map(|()| loaded));
        match outcome {
            Ok(loaded) => {
                self.current.store(Arc::new(loaded));
                state.alarm = None;
                self.generation.send_modify(|n| *n += 1);
                tracing::info!(target: "puente::tls", "certificates and revocation lists renewed");
                Ok(())
            }
            Err(error) => {
                tracing::error!(
                    target: "puente::tls",
                    error = %error,
                    "certificates not renewed: the old ones stay in force"
                );
                state.alarm = Some(error.to_string());
                Err(error)
            }
        }
    }

    /// Reloads if a file was replaced since the last look; says whether it tried.
    pub fn reload_if_changed(&self) -> bool {
        let now = stamps(&self.settings);
        let changed = self.state.lock().unwrap_or_else(PoisonError::into_inner).seen != now;
        if changed {
            // The alarm is the answer; whoever watches files has nobody to tell.
            let _ = self.reload();
        }
        changed
    }

    /// Looks at the files every second, and at once on SIGHUP, for ever. Run it beside the server.
    pub async fn watch(self: Arc<Self>) {
        let mut tick = tokio::time::interval(std::time::Duration::from_secs(1));
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut hangup = hangup();
        loop {
            let asked = tokio::select! {
                _ = tick.tick() => false,
                () = hangup.next() => true,
            };
            let this = self.clone();
            // Reading files may block; a panic in there must not end the watch.
            let _ = tokio::task::spawn_blocking(move || {
                if asked {
                    // The alarm is the answer; whoever sends a signal reads the log.
                    let _ = this.reload();
                } else {
                    this.reload_if_changed();
                }
            })
            .await;
        }
    }

    /// Moves after every reload that changed what is in force.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.generation.subscribe()
    }

    /// Whether a chain, leaf first, would be let in now.
    ///
    /// # Errors
    /// Why not.
    pub fn verify_again(&self, chain: &[CertificateDer<'static>]) -> Result<(), rustls::Error> {
        self.current.load().verifier.verify(chain, self.env.now())
    }

    /// The state of certificates and lists at this moment.
    pub fn health(&self) -> TlsHealth {
        let loaded = self.current.load();
        let now = self.env.now();
        let revocation = loaded.verifier.freshness(now);
        TlsHealth {
            alarm: self.state.lock().unwrap_or_else(PoisonError::into_inner).alarm.clone(),
            revocation,
            revocation_next_update: loaded.next_update,
            certificate_not_after: loaded.certificate_not_after,
            ready: revocation != Freshness::Stale && now <= loaded.certificate_not_after,
        }
    }
}

impl Loaded {
    fn read(
        settings: &TlsSettings,
        env: &Env,
        provider: &Arc<CryptoProvider>,
    ) -> Result<Self, MaterialError> {
        let material = Material::read(settings)?;
        let grace = SignedDuration::from_secs(
            i64::try_from(settings.crl_grace_seconds).unwrap_or(i64::MAX / 4),
        );
        let next_update = material.lists.iter().filter_map(|list| list.next_update).min();
        let list_numbers =
            material.lists.iter().map(|l| (l.issuer.clone(), l.number.clone())).collect();
        let verifier = ClientVerifier::new(
            provider,
            material.roots,
            material.lists.into_iter().map(|list| list.der).collect(),
            next_update,
            grace,
        )
        .map_err(|e| MaterialError::content(&settings.client_ca, e))?;
        let verifier = Arc::new(verifier);

        let versions: &[&rustls::SupportedProtocolVersion] = if settings.allow_tls12 {
            &[&rustls::version::TLS13, &rustls::version::TLS12]
        } else {
            &[&rustls::version::TLS13]
        };
        let mut config =
            ServerConfig::builder_with_details(provider.clone(), Arc::new(OurTime(env.clone())))
                .with_protocol_versions(versions)
                .map_err(|e| MaterialError::content(&settings.certificate, e))?
                .with_client_cert_verifier(verifier.clone())
                .with_single_cert(material.chain, material.key)
                .map_err(|e| MaterialError::content(&settings.key, e))?;
        // A resumed session brings its old chain back unverified: each handshake is a full one.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Self {
            config: Arc::new(config),
            verifier,
            list_numbers,
            next_update,
            certificate_not_after: material.not_after,
        })
    }

    /// A revocation list with a smaller number than the one in force would let the revoked
    /// back in.
    fn not_older_than(&self, before: &Self) -> Result<(), MaterialError> {
        for (issuer, number) in &before.list_numbers {
            let newer = self.list_numbers.iter().find(|(other, _)| other == issuer);
            if let Some((_, newer)) = newer
                && (newer.len(), newer) < (number.len(), number)
            {
                return Err(MaterialError::OlderList);
            }
        }
        Ok(())
    }
}

/// rustls on the gateway's own clock.
#[derive(Clone)]
struct OurTime(Env);

impl TimeProvider for OurTime {
    fn current_time(&self) -> Option<UnixTime> {
        Some(unix_time(self.0.now()))
    }
}

impl std::fmt::Debug for OurTime {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("OurTime")
    }
}

/// SIGHUP, where there is such a thing.
struct Hangup {
    #[cfg(unix)]
    signal: Option<tokio::signal::unix::Signal>,
}

fn hangup() -> Hangup {
    Hangup {
        #[cfg(unix)]
        signal: tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup()).ok(),
    }
}

impl Hangup {
    async fn next(&mut self) {
        #[cfg(unix)]
        if let Some(signal) = &mut self.signal
            && signal.recv().await.is_some()
        {
            return;
        }
        std::future::pending().await
    }
}

fn stamps(settings: &TlsSettings) -> Vec<Option<Stamp>> {
    let mut files = vec![&settings.certificate, &settings.key, &settings.client_ca];
    files.extend(&settings.crl);
    files.into_iter().map(|path| stamp(path)).collect()
}

fn stamp(path: &Path) -> Option<Stamp> {
    let meta = std::fs::metadata(path).ok()?;
    #[cfg(unix)]
    let inode = std::os::unix::fs::MetadataExt::ino(&meta);
    #[cfg(not(unix))]
    let inode = 0;
    Some(Stamp { modified: meta.modified().ok(), len: meta.len(), inode })
}

fn one_day() -> u64 {
    86_400
}
