//! What a new store knows from the beginning: the partners and the code tables.
//!
//! Enters: a configuration whose store is still empty. Leaves: a store whose first ledger entry
//! says that the ledger begins here, and which knows every partner that has a profile.

use std::path::Path;
use std::time::Duration;

use crate::app::App;
use crate::app::checkpoints;
use crate::app::partners::NewPartner;
use crate::app::write::{Intent, Plan};
use crate::cli::{Failure, Outcome};
use crate::clock::Env;
use crate::config::Config;
use crate::domain::identity::{CertificateIdentity, IdentityKind};
use crate::domain::partner::{Agency, Role};
use crate::domain::request_id::RequestId;
use crate::gateway;
use crate::ledger::{Draft, EntryKind};
use crate::pki::partner_uri;
use crate::store::writer::WriterLimits;

/// A partner that `init` makes.
#[derive(Clone, Copy, Debug)]
pub struct Member {
    /// Its id, and the name of its profile.
    pub id: &'static str,
    /// Its role, all of whose scopes it is granted.
    pub role: Role,
    /// Which agency it is, if it is one.
    pub agency: Option<Agency>,
    /// What people call it.
    pub display_name: &'static str,
}

/// Every partner that `init` makes.
pub const MEMBERS: [Member; 9] = [
    member("registry", Role::ExportRegistry, None, "Registry of exporters"),
    member("marketplace", Role::Marketplace, None, "Marketplace"),
    member("customs", Role::Customs, None, "Customs service"),
    member("inv", Role::Agency, Some(Agency::Inv), "Instituto Nacional de Vitivinicultura"),
    member(
        "senasa",
        Role::Agency,
        Some(Agency::Senasa),
        "Servicio Nacional de Sanidad y Calidad Agroalimentaria",
    ),
    member("inal", Role::Agency, Some(Agency::Inal), "Instituto Nacional de Alimentos"),
    member("ministry", Role::Analyst, None, "Ministry of economy"),
    member("auditor", Role::Auditor, None, "Court of accounts"),
    member("operator", Role::Operator, None, "Operator of the gateway"),
];

const fn member(
    id: &'static str,
    role: Role,
    agency: Option<Agency>,
    display_name: &'static str,
) -> Member {
    Member { id, role, agency, display_name }
}

/// Fills the store of `config`, and waits until it is closed.
pub async fn run(config: &Config, env: &Env) -> Outcome {
    checkpoints::begin(&config.ledger.record, &config.ledger.origin)?;
    let path = config.store_path();
    let store = gateway::store::open(config).await?;
    if store.tree().await?.size() > 0 {
        return Err(Failure::new("STORE_NOT_EMPTY", "the database holds a ledger already")
            .hint("name an empty database"));
    }
    let app = App::start(store, env.clone(), WriterLimits::default()).await?;
    begin_ledger(&app, &config.ledger.origin).await?;
    for member in &MEMBERS {
        app.create_partner(&intent(env)?, partner(member)?).await?;
    }
    app.load_builtin_tables(&"operator".parse()?).await?;
    drop(app);
    closed(&path).await;
    Ok(())
}

/// The first entry: which ledger this is.
async fn begin_ledger(app: &App, origin: &str) -> Outcome {
    app.write(&intent(&app.env)?, || async {
        Ok(Plan {
            answer: origin.to_owned(),
            expect: Vec::new(),
            writes: Vec::new(),
            draft: Draft::new(EntryKind::LedgerOrigin).fact("origin", origin),
        })
    })
    .await?;
    Ok(())
}

fn partner(member: &Member) -> Outcome<NewPartner> {
    let uri = partner_uri(member.id);
    Ok(NewPartner {
        id: member.id.parse()?,
        role: member.role,
        agency: member.agency,
        display_name: member.display_name.to_owned(),
        identities: vec![CertificateIdentity::new(IdentityKind::SanUri, &uri)?],
        scopes: None,
        limits: None,
    })
}

/// Recorded as the operator's: who ran the command holds its keys.
fn intent(env: &Env) -> Outcome<Intent> {
    let id = RequestId::new(env.ids.uuid())
        .ok_or_else(|| Failure::new("INTERNAL", "the generator made a nil UUID"))?;
    Ok(Intent::internal("operator".parse()?, id))
}

/// The store's own threads close it after the last handle is gone; its log file goes with that.
async fn closed(path: &Path) {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    for _ in 0..200 {
        if !Path::new(&log).exists() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
