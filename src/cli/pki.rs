//! `puente pki`: the development identities in a folder made by `puente init`.
//!
//! Enters: the folder. Leaves: certificates, the revocation list, signing keys, each file replaced
//! in one step; a running gateway takes up the new ones by itself.

use std::fs;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::output::{Output, print, print_json, table};
use super::{Failure, Outcome, Profile, Show};
use crate::clock::Env;
use crate::config::Config;
use crate::domain::partner::PartnerId;
use crate::oauth::keys;
use crate::pki::{self, Authority, Issued, RevocationList, Serial};

/// How long certificates issued here live, unless said otherwise.
pub const LIFETIME_DAYS: i64 = 397;
/// How long a revocation list signed here holds.
const LIST_LIFETIME: SignedDuration = SignedDuration::from_hours(24 * 397);

/// Issue and revoke the identities of a folder made by `puente init`
#[derive(Subcommand)]
pub enum Pki {
    Issue(Issue),
    Revoke(Revoke),
    RotateSigningKey(RotateSigningKey),
    #[command(name = "show")]
    ShowAll(ShowAll),
}

/// Issue a client certificate for a partner, in place of the one it has
///
/// The former certificate stays good until it ends or is revoked. A partner that is new to the
/// gateway must also be registered: puente partner create.
///
/// Example:
///   puente pki issue --dir gateway second-market
#[derive(Args)]
#[command(verbatim_doc_comment)]
pub struct Issue {
    /// The partner's id
    partner: String,
    /// The folder made by puente init
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
    /// How many days it lives
    #[arg(long, default_value_t = LIFETIME_DAYS, value_parser = clap::value_parser!(i64).range(1..=3650))]
    days: i64,
    #[command(flatten)]
    show: Show,
}

/// Revoke a certificate, by partner (the one it has now) or by serial number
#[derive(Args)]
pub struct Revoke {
    /// A partner's id, or a serial number as pki show prints it
    certificate: String,
    /// The folder made by puente init
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
    #[command(flatten)]
    show: Show,
}

/// Make a new key that signs tokens; the one before it is accepted until its tokens have ended
#[derive(Args)]
pub struct RotateSigningKey {
    /// The folder made by puente init
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
    #[command(flatten)]
    show: Show,
}

/// Show what was issued, and what was revoked
#[derive(Args)]
pub struct ShowAll {
    /// The folder made by puente init
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
    #[command(flatten)]
    show: Show,
}

impl Pki {
    pub(super) fn run(self) -> Outcome {
        match self {
            Self::Issue(issue) => issue.run(),
            Self::Revoke(revoke) => revoke.run(),
            Self::RotateSigningKey(rotate) => rotate.run(),
            Self::ShowAll(show) => show.run(),
        }
    }
}

/// The development authority in a folder made by `init`.
pub struct Shelf {
    dir: PathBuf,
}

/// One line of `pki/issued.tsv`.
struct Record {
    serial: String,
    name: String,
    not_after: String,
}

impl Shelf {
    /// The authority of `dir`.
    pub fn of(dir: &Path) -> Self {
        Self { dir: dir.to_owned() }
    }

    /// The authority's certificate.
    pub fn ca(&self) -> PathBuf {
        self.dir.join("pki/ca.pem")
    }

    /// Certificate and key of a client.
    pub fn client(&self, partner: &str) -> (PathBuf, PathBuf) {
        let folder = self.dir.join("pki/clients");
        (folder.join(format!("{partner}.pem")), folder.join(format!("{partner}.key.pem")))
    }

    /// The profile of a client.
    pub fn profile(&self, partner: &str) -> PathBuf {
        self.dir.join("profiles").join(format!("{partner}.toml"))
    }

    /// Makes the authority, with an empty revocation list.
    pub fn create(&self, env: &Env, lifetime: SignedDuration) -> Outcome<Authority> {
        let authority = Authority::create(env, "Puente development CA", lifetime)?;
        pki::write_public(&self.ca(), authority.certificate_pem())?;
        pki::write_secret(&self.dir.join("pki/ca.key.pem"), authority.key_pem())?;
        let list = RevocationList { number: 1, revoked: Vec::new() };
        let pem = authority.sign_list(env, &list, LIST_LIFETIME)?;
        pki::write_public(&self.list(), &pem)?;
        Ok(authority)
    }

    /// The authority as it stands in the folder.
    pub fn authority(&self) -> Outcome<Authority> {
        let read = |path: PathBuf| {
            fs::read_to_string(&path).map_err(|reason| {
                Failure::file(&path, reason).hint("give a folder made by: puente init DIR")
            })
        };
        Ok(Authority::from_pem(&read(self.ca())?, &read(self.dir.join("pki/ca.key.pem"))?)?)
    }

    /// Writes down what was issued, so that it can be revoked.
    pub fn note(&self, name: &str, issued: &Issued) -> Outcome {
        let _alone = self.alone()?;
        let path = self.index();
        let before = fs::read_to_string(&path).unwrap_or_default();
        let line = format!("{}\t{name}\t{}\n", issued.serial, issued.not_after);
        Ok(pki::write_public(&path, &(before + &line))?)
    }

    /// Issues a client certificate and writes it, its key, and the profile that uses them.
    pub fn issue_client(
        &self,
        env: &Env,
        authority: &Authority,
        partner: &str,
        lifetime: SignedDuration,
        endpoint: &str,
    ) -> Outcome<Issued> {
        let issued = authority.issue(env, &pki::Profile::client(partner, lifetime))?;
        self.note(partner, &issued)?;
        let (certificate, key) = self.client(partner);
        pki::write_secret(&key, &issued.key_pem)?;
        pki::write_public(&certificate, &issued.certificate_pem)?;
        let profile = Profile {
            endpoint: endpoint.to_owned(),
            server_name: None,
            ca: "../pki/ca.pem".into(),
            certificate: format!("../pki/clients/{partner}.pem").into(),
            key: format!("../pki/clients/{partner}.key.pem").into(),
            client_id: partner.to_owned(),
            token_cache: None,
        };
        let path = self.profile(partner);
        let text = toml::to_string(&profile).map_err(|reason| Failure::file(&path, reason))?;
        pki::write_public(&path, &text)?;
        Ok(issued)
    }

    /// Takes `serial` back: signs the next revocation list.
    fn revoke(&self, env: &Env, authority: &Authority, serial: &Serial) -> Outcome<RevocationList> {
        let _alone = self.alone()?;
        let mut list = self.revocations()?;
        list.revoke(serial.clone(), env.now());
        let pem = authority.sign_list(env, &list, LIST_LIFETIME)?;
        pki::write_public(&self.list(), &pem)?;
        Ok(list)
    }

    /// Keeps other commands waiting until it is dropped: of two that read, change and write the
    /// same file at once, one would undo what the other did, a revocation too.
    fn alone(&self) -> Outcome<fs::File> {
        let folder = self.dir.join("pki");
        let failed = |reason| Failure::file(&folder, reason);
        let lock = fs::File::open(&folder).map_err(failed)?;
        lock.lock().map_err(failed)?;
        Ok(lock)
    }

    fn list(&self) -> PathBuf {
        self.dir.join("pki/crl.pem")
    }

    fn index(&self) -> PathBuf {
        self.dir.join("pki/issued.tsv")
    }

    fn revocations(&self) -> Outcome<RevocationList> {
        let path = self.list();
        let pem = fs::read_to_string(&path).map_err(|reason| Failure::file(&path, reason))?;
        Ok(RevocationList::from_pem(&pem)?)
    }

    fn records(&self) -> Outcome<Vec<Record>> {
        let path = self.index();
        let text = fs::read_to_string(&path).map_err(|reason| {
            Failure::file(&path, reason).hint("give a folder made by: puente init DIR")
        })?;
        let record = |line: &str| {
            let mut cells = line.split('\t').map(str::to_owned);
            Some(Record { serial: cells.next()?, name: cells.next()?, not_after: cells.next()? })
        };
        Ok(text.lines().filter_map(record).collect())
    }

    fn config(&self) -> Outcome<Config> {
        Ok(Config::load(&self.dir.join("puente.toml"))?)
    }

    /// Where clients reach the gateway of this folder.
    fn endpoint(&self) -> Outcome<String> {
        Ok(self.config()?.oauth.issuer)
    }
}

impl Issue {
    fn run(self) -> Outcome {
        self.partner.parse::<PartnerId>()?;
        let (env, shelf) = (Env::system(), Shelf::of(&self.dir));
        let (authority, endpoint) = (shelf.authority()?, shelf.endpoint()?);
        let lifetime = SignedDuration::from_hours(24 * self.days);
        let issued = shelf.issue_client(&env, &authority, &self.partner, lifetime, &endpoint)?;
        let (profile, uri) = (shelf.profile(&self.partner), pki::partner_uri(&self.partner));
        match self.show.output {
            Output::Json => print_json(&json!({
                "partner": self.partner,
                "serial": issued.serial.to_string(),
                "notAfter": issued.not_after.to_string(),
                "identity": format!("san_uri:{uri}"),
                "profile": profile.display().to_string(),
            })),
            Output::Table => print(&format!(
                "certificate {} for {}, until {}\nprofile {}\nA partner that is new is registered \
                 with:\n  puente partner create {} --role ROLE --display-name NAME --identity \
                 san_uri:{uri} --profile {}\n",
                issued.serial,
                self.partner,
                issued.not_after,
                profile.display(),
                self.partner,
                shelf.profile("operator").display(),
            )),
        }
    }
}

impl Revoke {
    fn run(self) -> Outcome {
        let (env, shelf) = (Env::system(), Shelf::of(&self.dir));
        let authority = shelf.authority()?;
        let serial = self.serial(&shelf)?;
        let list = shelf.revoke(&env, &authority, &serial)?;
        match self.show.output {
            Output::Json => print_json(&json!({
                "serial": serial.to_string(),
                "revoked": list.revoked.len(),
                "listNumber": list.number,
            })),
            Output::Table => print(&format!(
                "certificate {serial} is revoked; a running gateway knows within a second\n"
            )),
        }
    }

    /// The serial number of what was named, if it was issued here.
    fn serial(&self, shelf: &Shelf) -> Outcome<Serial> {
        let records = shelf.records()?;
        let newest = records.iter().rev().find(|record| record.name == self.certificate);
        let wanted = newest.map_or(self.certificate.as_str(), |record| record.serial.as_str());
        let unknown = || {
            Failure::new(
                "UNKNOWN_CERTIFICATE",
                format!("{} was not issued in {}", self.certificate, self.dir.display()),
            )
            .hint("puente pki show lists partners and serial numbers")
        };
        let serial: Serial = wanted.parse().map_err(|_| unknown())?;
        let known = records.iter().any(|record| record.serial == serial.to_string());
        known.then_some(serial).ok_or_else(unknown)
    }
}

impl RotateSigningKey {
    fn run(self) -> Outcome {
        let config = Shelf::of(&self.dir).config()?;
        let oauth = &config.oauth;
        let kid = keys::rotate(
            &oauth.signing_keys,
            Env::system().now(),
            SignedDuration::from_secs(oauth.token_lifetime_seconds.into()),
            SignedDuration::from_secs(oauth.jwks_cache_seconds.into()),
        )
        .map_err(|fault| Failure::new("SIGNING_KEYS", fault.to_string()))?;
        match self.show.output {
            Output::Json => print_json(&json!({ "kid": kid })),
            Output::Table => print(&format!(
                "new signing key {kid}; it is published now and signs once everyone has seen it\n"
            )),
        }
    }
}

impl ShowAll {
    fn run(self) -> Outcome {
        let shelf = Shelf::of(&self.dir);
        let (records, list, now) = (shelf.records()?, shelf.revocations()?, Env::system().now());
        let state = |record: &Record| {
            let revoked = list.revoked.iter().any(|one| one.serial.to_string() == record.serial);
            let ended = record.not_after.parse::<Timestamp>().is_ok_and(|at| at < now);
            match (revoked, ended) {
                (true, _) => "revoked",
                (false, true) => "expired",
                (false, false) => "good",
            }
        };
        match self.show.output {
            Output::Json => {
                let all: Vec<_> = records
                    .iter()
                    .map(|record| {
                        json!({
                            "serial": record.serial,
                            "name": record.name,
                            "notAfter": record.not_after,
                            "state": state(record),
                        })
                    })
                    .collect();
                print_json(&json!({ "certificates": all, "listNumber": list.number }))
            }
            Output::Table => {
                let mut table = table(["Name", "Serial", "Until", "State"]);
                for record in &records {
                    table.add_row([
                        record.name.as_str(),
                        &record.serial,
                        &record.not_after,
                        state(record),
                    ]);
                }
                print(&format!("{table}\n"))
            }
        }
    }
}

#[cfg(test)]
#[path = "pki_tests.rs"]
mod tests;
