//! `puente doctor`: would this gateway start, and what will need care soon?
//!
//! Enters: a configuration file. Leaves: a table of checks; nothing is changed. It may run beside
//! a gateway that is up.

mod rollups;

use std::path::{Path, PathBuf};

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::output::{Output, print, print_json, table};
use super::{Failure, Outcome, Show};
use crate::app::checkpoints::fetch;
use crate::clock::Env;
use crate::config::Config;
use crate::gate::tls::TlsReloader;
use crate::gateway;
use crate::ledger::{Checkpoint, Entry, LastSigned, checkpoint, merkle};
use crate::oauth::keys::KeyRing;
use crate::store::Store;

/// What ends within this is told.
const SOON: SignedDuration = SignedDuration::from_hours(24 * 30);

/// Check configuration, keys, certificates, revocation list, clock, store and ledger
///
/// With --rollups all sums are made anew from the stored lines and compared with those that are
/// kept, each difference listed. That reads every line, in one snapshot; it may run beside a gateway
/// that is up, whose log of changes grows meanwhile.
///
/// Example:
///   puente doctor --config gateway/puente.toml --rollups
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Doctor {
    /// The configuration, as puente init writes it
    #[arg(long, value_name = "FILE", env = "PUENTE_CONFIG")]
    config: PathBuf,
    /// Make all sums anew from the stored lines, and compare
    #[arg(long)]
    rollups: bool,
    /// How many differences to list at most
    #[arg(long, value_name = "N", default_value_t = 100, requires = "rollups")]
    differences: usize,
    #[command(flatten)]
    show: Show,
}

/// One thing looked at.
struct Check {
    name: &'static str,
    state: State,
    detail: String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Good,
    Soon,
    Bad,
}

impl State {
    fn word(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Soon => "soon",
            Self::Bad => "BAD",
        }
    }
}

impl Check {
    fn of(name: &'static str, outcome: Result<String, String>) -> Self {
        match outcome {
            Ok(detail) => Self { name, state: State::Good, detail },
            Err(detail) => Self { name, state: State::Bad, detail },
        }
    }

    /// Something that ends at `at`.
    fn ending(name: &'static str, at: Timestamp, now: Timestamp) -> Self {
        let (state, detail) = if at <= now {
            (State::Bad, format!("ended at {at}: renew it"))
        } else if at < now + SOON {
            (State::Soon, format!("ends at {at}: renew it"))
        } else {
            (State::Good, format!("until {at}"))
        };
        Self { name, state, detail }
    }
}

impl Doctor {
    pub(super) async fn run(self) -> Outcome {
        let mut sums = None;
        let checks = match Config::load(&self.config) {
            Ok(config) => {
                let mut checks = vec![Check::of("configuration", Ok(shown(&self.config)))];
                checks.extend(examine(&config, &Env::system()).await);
                if self.rollups {
                    let outcome = rollups::check(&config, self.differences).await;
                    checks.push(Check::of("rollups", rollups::judged(&outcome)));
                    sums = outcome.ok();
                }
                checks
            }
            Err(error) => vec![Check::of("configuration", Err(error.to_string()))],
        };
        let bad = checks.iter().filter(|check| check.state == State::Bad).count();
        match self.show.output {
            Output::Json => {
                let all: Vec<_> = checks
                    .iter()
                    .map(|c| json!({"check": c.name, "state": c.state.word().to_lowercase(), "detail": c.detail}))
                    .collect();
                let mut answer = json!({ "good": bad == 0, "checks": all });
                if let Some(sums) = &sums {
                    answer["rollups"] = rollups::json(sums);
                }
                print_json(&answer)?;
            }
            Output::Table => {
                let mut table = table(["Check", "State", "Detail"]);
                for check in &checks {
                    table.add_row([check.name, check.state.word(), &check.detail]);
                }
                print(&format!("{table}\n"))?;
                if let Some(sums) = &sums {
                    print(&rollups::table(sums))?;
                }
            }
        }
        if bad == 0 {
            return Ok(());
        }
        let what = if bad == 1 { "1 check" } else { &format!("{bad} checks") };
        Err(Failure::new("NOT_HEALTHY", format!("{}: {what} failed", self.config.display())))
    }
}

async fn examine(config: &Config, env: &Env) -> Vec<Check> {
    let now = env.now();
    let mut checks = tls(config, env);
    let ring = KeyRing::load(&config.oauth, now).map_err(|fault| fault.to_string());
    checks.push(Check::of(
        "signing keys",
        ring.map(|ring| format!("{} published", ring.published(now).len())),
    ));
    let pages = config.page_key().map_err(|error| error.to_string());
    checks.push(Check::of("page key", pages.map(|_| shown(&config.pages.key))));
    let key = config.ledger_key().map_err(|error| error.to_string());
    checks.push(Check::of("ledger key", key.map(|key| key.verifying_key().to_string())));
    checks.extend(store(config, now).await);
    checks
}

fn tls(config: &Config, env: &Env) -> Vec<Check> {
    let health = match TlsReloader::load(config.tls.clone(), env.clone()) {
        Ok(reloader) => reloader.health(),
        Err(error) => return vec![Check::of("certificates", Err(error.to_string()))],
    };
    let now = env.now();
    let mut checks = vec![Check::ending("certificate", health.certificate_not_after, now)];
    checks.push(match health.revocation_next_update {
        Some(at) => {
            let check = Check::ending("revocation list", at, now);
            // Within the grace everybody still gets in.
            if check.state == State::Bad && health.ready {
                let detail = format!("{}; in force by crl_grace_seconds only", check.detail);
                Check { state: State::Soon, detail, ..check }
            } else {
                check
            }
        }
        None => Check {
            name: "revocation list",
            state: State::Soon,
            detail: "none configured: a certificate cannot be revoked".into(),
        },
    });
    checks
}

/// The store, the clock against its newest entry, and the record against its ledger.
async fn store(config: &Config, now: Timestamp) -> Vec<Check> {
    let path = config.store_path();
    if config.store.is_none() && !path.exists() {
        let why =
            format!("{} is missing: restore it, or begin anew with puente init", shown(&path));
        return vec![Check::of("store", Err(why))];
    }
    // Before the tree, which only grows.
    let record = read_record(&config.ledger.record);
    let store = match gateway::store::open(config).await {
        Ok(store) => store,
        Err(error) => return vec![Check::of("store", Err(describe(&error)))],
    };
    let size = match store.tree().await {
        Ok(tree) => tree.size(),
        Err(error) => return vec![Check::of("store", Err(describe(&error)))],
    };
    let place = config.store.as_ref().map_or_else(|| shown(&path), |store| store.url.clone());
    let mut checks = vec![Check::of("store", Ok(format!("{place}, {size} ledger entries")))];
    checks.push(Check::of("clock", clock(&*store, size, now).await));
    let consistent = match record {
        Ok(last) => consistent(&*store, config, &last).await,
        Err(why) => Err(why),
    };
    checks.push(Check::of("ledger record", consistent));
    checks
}

/// The newest entry was written before now, or the clock went back.
async fn clock(store: &dyn Store, size: u64, now: Timestamp) -> Result<String, String> {
    let Some(newest) = size.checked_sub(1) else { return Ok(now.to_string()) };
    let stored = store.entry(newest).await.map_err(|error| describe(&error))?;
    let stored = stored.ok_or_else(|| format!("entry {newest} is missing"))?;
    let entry = Entry::parse(&stored.entry).map_err(|error| error.to_string())?;
    if entry.at() > now {
        return Err(format!("it is {now}, but entry {newest} was recorded at {}", entry.at()));
    }
    Ok(now.to_string())
}

fn read_record(path: &Path) -> Result<LastSigned, String> {
    let fault = |reason: String| format!("{}: {reason}: put back a good copy", path.display());
    let text = std::fs::read(path).map_err(|reason| fault(reason.to_string()))?;
    serde_json::from_slice(&text).map_err(|reason| fault(reason.to_string()))
}

async fn consistent(
    store: &dyn Store,
    config: &Config,
    last: &LastSigned,
) -> Result<String, String> {
    let tree = store.tree().await.map_err(|error| describe(&error))?;
    let origin = config.ledger.origin.parse().map_err(|error| format!("{error}"))?;
    let next = Checkpoint::of(&origin, &tree);
    let proof = if last.size <= tree.size() {
        let nodes = merkle::consistency_nodes(last.size, tree.size()).map_err(|e| e.to_string())?;
        let known = fetch(store, nodes).await.map_err(|error| describe(&error))?;
        merkle::consistency_proof(last.size, tree.size(), &|node| known.get(&node).copied())
            .map_err(|e| e.to_string())?
    } else {
        Vec::new()
    };
    checkpoint::guard(Some(last), &next, &proof).map_err(|error| error.to_string())?;
    Ok(format!("signed over {} of {} entries", last.size, tree.size()))
}

/// The operator may see what partners may not.
fn describe(error: &crate::error::Error) -> String {
    format!("{error:?}")
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}
