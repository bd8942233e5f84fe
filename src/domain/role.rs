//! Roles, agencies and authorities: what a partner is, and what that lets it be granted.
//!
//! Enters and leaves: names of the contract. It must not know any partner.

use super::scope::{Scope, ScopeSet};

named_enum! {
    /// What a partner is in the exchange; bounds what it can be granted.
    pub enum Role ("a partner's role", "INVALID_ROLE") {
        /// The registry of exporters.
        ExportRegistry = "EXPORT_REGISTRY",
        /// The customs service.
        Customs = "CUSTOMS",
        /// An agency that clears listings in its own competence.
        Agency = "AGENCY",
        /// A selling platform.
        Marketplace = "MARKETPLACE",
        /// A ministry or statistics office that reads aggregates.
        Analyst = "ANALYST",
        /// A court of accounts that reads and proves the ledger.
        Auditor = "AUDITOR",
        /// Runs the gateway.
        Operator = "OPERATOR",
        /// A customs broker or logistics operator that declares for those who delegated to it.
        Broker = "BROKER",
    }
}

impl Role {
    /// The most that a partner of this role can be granted; an operator may give less.
    pub const fn grantable(self) -> ScopeSet {
        use Scope::*;
        match self {
            Self::ExportRegistry => ScopeSet::of(&[
                SellersVerify,
                SellersRead,
                RegistryWrite,
                EventsRead,
                ReferenceRead,
            ]),
            Self::Customs => ScopeSet::of(&[
                SellersVerify,
                SellersRead,
                ListingsRead,
                ClearanceDecide,
                CustomsWrite,
                CustomsRead,
                SalesRead,
                AnalyticsRead,
                EventsRead,
                ReferenceRead,
            ]),
            Self::Agency => ScopeSet::of(&[
                SellersVerify,
                SellersRead,
                ListingsRead,
                ClearanceDecide,
                EventsRead,
                ReferenceRead,
            ]),
            Self::Marketplace => ScopeSet::of(&[
                SellersVerify,
                ListingsWrite,
                ListingsRead,
                CustomsRead,
                SalesWrite,
                SalesRead,
                AnalyticsRead,
                EventsRead,
                ReferenceRead,
            ]),
            Self::Analyst => {
                ScopeSet::of(&[PeriodsClose, AnalyticsRead, EventsRead, ReferenceRead])
            }
            Self::Auditor => ScopeSet::of(&[
                SellersRead,
                ListingsRead,
                CustomsRead,
                SalesRead,
                AnalyticsRead,
                LedgerRead,
                EventsRead,
                ReferenceRead,
            ]),
            Self::Operator => {
                ScopeSet::of(&[RulesWrite, PartnersAdmin, LedgerRead, EventsRead, ReferenceRead])
            }
            Self::Broker => {
                ScopeSet::of(&[SellersVerify, CustomsWrite, CustomsRead, EventsRead, ReferenceRead])
            }
        }
    }
}

named_enum! {
    /// The agencies that clear listings.
    pub enum Agency ("an agency", "INVALID_AGENCY") {
        /// Instituto Nacional de Vitivinicultura: wine.
        Inv = "INV",
        /// Servicio Nacional de Sanidad y Calidad Agroalimentaria: animal and plant products.
        Senasa = "SENASA",
        /// Instituto Nacional de Alimentos: packed food.
        Inal = "INAL",
    }
}

named_enum! {
    /// Who has a part in clearing a listing: customs and the agencies.
    pub enum Authority ("an authority", "INVALID_AUTHORITY") {
        /// The customs service.
        Customs = "CUSTOMS",
        /// See [`Agency::Inv`].
        Inv = "INV",
        /// See [`Agency::Senasa`].
        Senasa = "SENASA",
        /// See [`Agency::Inal`].
        Inal = "INAL",
    }
}

impl From<Agency> for Authority {
    fn from(agency: Agency) -> Self {
        match agency {
            Agency::Inv => Self::Inv,
            Agency::Senasa => Self::Senasa,
            Agency::Inal => Self::Inal,
        }
    }
}

/// For whom a partner of this role and agency clears listings, if it does.
pub fn authority_of(role: Role, agency: Option<Agency>) -> Option<Authority> {
    match role {
        Role::Customs => Some(Authority::Customs),
        Role::Agency => agency.map(Authority::from),
        Role::ExportRegistry
        | Role::Marketplace
        | Role::Analyst
        | Role::Auditor
        | Role::Operator
        | Role::Broker => None,
    }
}
