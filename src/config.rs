//! Every knob of the gateway, in one file `puente.toml`.
//!
//! Enters: the path of the file. Leaves: a checked [`Config`] whose paths are complete, or one
//! line that says which file, line and key is wrong, why, and what to do. Unknown keys are
//! refused. Secrets stand in files of their own, of which only the path is here. Only `cli` and
//! `gateway` read this; they pass values on.

mod store;

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

pub use self::store::StoreSettings;
use crate::gate::audit::AuditSettings;
use crate::gate::limits::{Limits, Quota};
use crate::gate::material::check_owner_only;
use crate::gate::tls::TlsSettings;
use crate::ledger::{KeyName, SigningKey};
use crate::oauth::settings::OAuthSettings;
use crate::telemetry::TelemetrySettings;

/// The configuration of one gateway.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where partners come in: gRPC and OAuth over mutual TLS. Default 127.0.0.1:8443.
    #[serde(default = "listen")]
    pub listen: SocketAddr,
    /// Where the machine's own operator looks: metrics, health. A loopback address, because it
    /// asks for no certificate. Default 127.0.0.1:9443.
    #[serde(default = "admin_listen")]
    pub admin_listen: SocketAddr,
    /// Folder of the store. Default `data`.
    #[serde(default = "data_dir")]
    pub data_dir: PathBuf,
    /// A database instead of the store in that folder.
    #[serde(default)]
    pub store: Option<StoreSettings>,
    /// The gateway's certificate and whose certificates it lets in.
    pub tls: TlsSettings,
    /// Tokens.
    #[serde(default)]
    pub oauth: OAuthSettings,
    /// The ledger's name and key.
    pub ledger: LedgerSettings,
    /// Page tokens.
    pub pages: PageSettings,
    /// Bounds on what a peer can cost.
    #[serde(default)]
    pub limits: Limits,
    /// How partners' own limits are applied.
    #[serde(default)]
    pub quota: Quota,
    /// The record of every call, in files under `data_dir`.
    #[serde(default)]
    pub audit: AuditSettings,
    /// The write path.
    #[serde(default)]
    pub writer: WriterSettings,
    /// Sales reports.
    #[serde(default)]
    pub reports: ReportSettings,
    /// Questions about sales.
    #[serde(default)]
    pub analytics: AnalyticsSettings,
    /// Logs and traces.
    #[serde(default)]
    pub telemetry: TelemetrySettings,
}

/// Section `[ledger]`: who signs what the ledger says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LedgerSettings {
    /// The ledger's name in its checkpoints, for ever; the name of the key too.
    pub origin: String,
    /// The Ed25519 key that signs checkpoints, as C2SP signed-note writes it; only its owner may
    /// be able to read it.
    pub key: PathBuf,
    /// Where the last checkpoint signed is recorded. Keep it outside `data_dir`, so that a
    /// restored store cannot bring an old record with it. Default `ledger/last-signed.json`.
    #[serde(default = "ledger_record")]
    pub record: PathBuf,
}

/// Section `[pages]`: what seals page tokens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PageSettings {
    /// File of 32 random bytes in hexadecimal; the same for all replicas; only its owner may be
    /// able to read it.
    pub key: PathBuf,
}

/// Section `[writer]`: how changes are gathered into transactions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WriterSettings {
    /// Changes in one transaction at most. Default 512.
    pub group_changes: usize,
    /// Documents and sale lines in one transaction at most. Default 8,000.
    pub group_weight: u32,
    /// Documents and sale lines that may wait; callers wait beyond it. Default 40,000.
    pub queue_weight: u32,
}

impl Default for WriterSettings {
    fn default() -> Self {
        Self { group_changes: 512, group_weight: 8_000, queue_weight: 40_000 }
    }
}

impl WriterSettings {
    fn check(&self) -> Result<(), String> {
        if self.group_changes == 0 {
            return Err("writer.group_changes must be at least 1".into());
        }
        if self.group_weight == 0 {
            return Err("writer.group_weight must be at least 1".into());
        }
        if self.queue_weight < self.group_weight {
            return Err("writer.queue_weight must not be less than writer.group_weight".into());
        }
        Ok(())
    }
}

/// Section `[reports]`: the life of sales reports.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ReportSettings {
    /// A report that stays open so many days without a change is abandoned. Default 90.
    pub open_days: u32,
    /// Reports that one marketplace may have open at once. Default 500.
    pub open_per_partner: u32,
}

impl Default for ReportSettings {
    fn default() -> Self {
        Self { open_days: 90, open_per_partner: 500 }
    }
}

/// Section `[analytics]`: what answers about sales tell.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AnalyticsSettings {
    /// Partners of the role ANALYST are told no figure about a group of fewer sellers than this;
    /// 0 or 1 keeps nothing back. Set it in production, to 5 or more. Default 0.
    pub least_sellers: u32,
}

/// Why a configuration cannot be used: one line with file, line, key, reason and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct ConfigError {
    /// The file at fault.
    pub path: PathBuf,
    /// The line in it, from 1, where one can be named.
    pub line: Option<usize>,
    /// The key, dotted, where one can be named.
    pub key: Option<String>,
    /// What is wrong and what to do.
    pub reason: String,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path.display())?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        match &self.key {
            Some(key) if !self.reason.starts_with(key.as_str()) => {
                write!(f, ": {key}: {}", self.reason)
            }
            Some(_) | None => write!(f, ": {}", self.reason),
        }
    }
}

impl Config {
    /// Reads and checks the file at `path`; relative paths in it are taken from its folder.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|reason| ConfigError {
            path: path.to_owned(),
            line: None,
            key: None,
            reason: format!("{reason}; make a configuration with: puente init DIR"),
        })?;
        let folder = path.parent().unwrap_or(Path::new(""));
        Self::parse(&text, path, folder)
    }

    /// Reads and checks `text`, which stands at `path`; relative paths are taken from `folder`.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn parse(text: &str, path: &Path, folder: &Path) -> Result<Self, ConfigError> {
        let mut config: Self =
            toml::from_str(text).map_err(|error| syntax_error(text, path, &error))?;
        config.resolve(folder);
        config.check().map_err(|reason| {
            let key = reason.split(' ').next().unwrap_or_default();
            ConfigError {
                path: path.to_owned(),
                line: line_of_key(text, key),
                key: Some(key.to_owned()),
                reason: reason.clone(),
            }
        })?;
        Ok(config)
    }

    /// The file of the embedded store.
    pub fn store_path(&self) -> PathBuf {
        self.data_dir.join("puente.db")
    }

    /// The key that signs checkpoints, whose name is the ledger's origin.
    ///
    /// # Errors
    /// If the file cannot be read, others can read it, or it holds the key of another origin.
    pub fn ledger_key(&self) -> Result<SigningKey, ConfigError> {
        let path = &self.ledger.key;
        let text = secret(path, "ledger.key")?;
        let fault = |reason: String| file_error(path, "ledger.key", reason);
        let key = SigningKey::from_secret_text(text.trim()).map_err(|e| fault(e.to_string()))?;
        let name = key.verifying_key().name().as_str();
        if name != self.ledger.origin {
            return Err(fault(format!(
                "the key is of the ledger {name}, but ledger.origin is {}: put the ledger's own \
                 key there, or its origin into the configuration",
                self.ledger.origin
            )));
        }
        Ok(key)
    }

    /// The key that seals page tokens.
    ///
    /// # Errors
    /// If the file cannot be read, others can read it, or it is not 32 bytes.
    pub fn page_key(&self) -> Result<Zeroizing<[u8; 32]>, ConfigError> {
        let path = &self.pages.key;
        let text = secret(path, "pages.key")?;
        let mut key = Zeroizing::new([0; 32]);
        hex::decode_to_slice(text.trim(), &mut *key).map_err(|_| {
            let reason = "expected 32 random bytes as 64 hexadecimal digits; make new ones with: \
                          openssl rand -hex 32";
            file_error(path, "pages.key", reason.into())
        })?;
        Ok(key)
    }

    fn resolve(&mut self, folder: &Path) {
        let TlsSettings { certificate, key, client_ca, crl, .. } = &mut self.tls;
        let paths = [
            &mut self.data_dir,
            certificate,
            key,
            client_ca,
            &mut self.ledger.key,
            &mut self.ledger.record,
            &mut self.pages.key,
        ];
        for path in paths.into_iter().chain(crl.as_mut()) {
            *path = folder.join(&path);
        }
        self.oauth.resolve(folder);
        self.store.iter_mut().for_each(|store| store.resolve(folder));
    }

    fn check(&self) -> Result<(), String> {
        if !self.admin_listen.ip().is_loopback() {
            return Err(format!(
                "admin_listen must be a loopback address, such as 127.0.0.1:{}: it asks for no \
                 certificate",
                self.admin_listen.port()
            ));
        }
        if self.listen == self.admin_listen && self.listen.port() != 0 {
            return Err("admin_listen must differ from listen".into());
        }
        if let Err(reason) = self.ledger.origin.parse::<KeyName>() {
            return Err(format!("ledger.origin cannot name a ledger: {reason}"));
        }
        self.oauth.check()?;
        self.store.as_ref().map_or(Ok(()), StoreSettings::check)?;
        self.limits.check()?;
        if self.quota.burst_seconds == 0 {
            return Err("quota.burst_seconds must be at least 1".into());
        }
        if self.audit.file_bytes == 0 {
            return Err("audit.file_bytes must be at least 1".into());
        }
        if self.reports.open_days == 0 {
            return Err("reports.open_days must be at least 1".into());
        }
        if !(1..=100_000).contains(&self.reports.open_per_partner) {
            return Err("reports.open_per_partner must be from 1 to 100000".into());
        }
        self.writer.check()
    }
}

/// A secret's text, if only its owner can read the file.
fn secret(path: &Path, key: &str) -> Result<Zeroizing<String>, ConfigError> {
    check_owner_only(path).map_err(|reason| ConfigError {
        path: path.to_owned(),
        line: None,
        key: Some(key.to_owned()),
        // The reason names the file itself.
        reason: reason.to_string().replace(&format!("{}: ", path.display()), ""),
    })?;
    std::fs::read_to_string(path)
        .map(Zeroizing::new)
        .map_err(|reason| file_error(path, key, reason.to_string()))
}

fn file_error(path: &Path, key: &str, reason: String) -> ConfigError {
    ConfigError { path: path.to_owned(), line: None, key: Some(key.to_owned()), reason }
}

fn syntax_error(text: &str, path: &Path, error: &toml::de::Error) -> ConfigError {
    let offset = error.span().map(|span| span.start.min(text.len()));
    let message = error.message().trim().replace('\n', ", ");
    let missing = message.starts_with("missing field");
    let hint = if message.starts_with("unknown field") {
        "; take it out or mend its spelling"
    } else if missing {
        "; add it, or make a whole configuration with: puente init DIR"
    } else {
        ""
    };
    ConfigError {
        path: path.to_owned(),
        // A missing key is nowhere; the span of the whole table would mislead.
        line: offset.filter(|_| !missing).map(|at| text[..at].matches('\n').count() + 1),
        key: offset.filter(|_| !missing).and_then(|at| key_at(text, at)),
        reason: format!("{message}{hint}"),
    }
}

/// The dotted key whose line holds the byte `at`.
fn key_at(text: &str, at: usize) -> Option<String> {
    let line = text[..at].matches('\n').count();
    keys(text).find(|(number, _)| *number == line + 1).map(|(_, key)| key)
}

fn line_of_key(text: &str, wanted: &str) -> Option<usize> {
    keys(text).find(|(_, key)| key == wanted).map(|(line, _)| line)
}

/// Line number and dotted key of every `key = value` line.
fn keys(text: &str) -> impl Iterator<Item = (usize, String)> {
    let mut section = String::new();
    text.lines().enumerate().filter_map(move |(number, line)| {
        let line = line.trim();
        if let Some(header) = line.strip_prefix('[') {
            section = header.split(']').next().unwrap_or_default().trim_matches('[').to_owned();
            return None;
        }
        let (key, _) = line.split_once('=')?;
        let key = key.trim();
        (!key.is_empty() && !key.starts_with('#')).then(|| {
            let whole = if section.is_empty() { key.into() } else { format!("{section}.{key}") };
            (number + 1, whole)
        })
    })
}

fn listen() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 8443))
}

fn admin_listen() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 9443))
}

fn data_dir() -> PathBuf {
    "data".into()
}

fn ledger_record() -> PathBuf {
    "ledger/last-signed.json".into()
}

#[cfg(test)]
#[path = "config_tests.rs"]
mod tests;
