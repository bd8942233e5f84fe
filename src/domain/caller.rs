//! Evidence that a call was let in, and what its maker may see.
//!
//! Enters: what the gate found out about a call. Leaves: a [`Caller`], without which no handler
//! and no use case can run. It must not know tokens or certificates, only what they proved.

use std::borrow::Cow;
use std::sync::Arc;

use super::fault::Fault;
use super::partner::{Agency, Authority, PartnerId, Role, authority_of};
use super::scope::ScopeSet;

/// What the gate found out about a call before it let it in.
#[derive(Clone, Debug)]
pub struct Admission {
    /// The partner that the certificate names and the token was issued to.
    pub partner: PartnerId,
    /// Its role.
    pub role: Role,
    /// Which agency it is, if its role is AGENCY.
    pub agency: Option<Agency>,
    /// The scopes of the token that are granted still.
    pub scopes: ScopeSet,
    /// The method called, `/puente.area.v1.Service/Method`.
    pub method: Cow<'static, str>,
    /// The client's network address, for the audit trail.
    pub client_address: Arc<str>,
    /// SHA-256 of the client's certificate, base64url without padding.
    pub certificate_thumbprint: Arc<str>,
    /// The trace this call is part of.
    pub trace_id: String,
}

/// Evidence of permission: whoever holds one was let in by the gate, for one call.
#[derive(Clone, Debug)]
pub struct Caller(Arc<Admission>);

impl Caller {
    /// Makes the evidence. Only `gate/` may call this, after every check has passed; the
    /// architecture test holds that line.
    pub fn admitted(admission: Admission) -> Self {
        Self(Arc::new(admission))
    }

    /// The partner that calls.
    pub fn partner(&self) -> &PartnerId {
        &self.0.partner
    }

    /// Its role.
    pub fn role(&self) -> Role {
        self.0.role
    }

    /// Which agency it is, if its role is AGENCY.
    pub fn agency(&self) -> Option<Agency> {
        self.0.agency
    }

    /// The scopes of its token.
    pub fn scopes(&self) -> ScopeSet {
        self.0.scopes
    }

    /// The method called, `/puente.area.v1.Service/Method`.
    pub fn method(&self) -> &str {
        &self.0.method
    }

    /// The client's network address, for the audit trail.
    pub fn client_address(&self) -> &str {
        &self.0.client_address
    }

    /// SHA-256 of the client's certificate, base64url without padding.
    pub fn certificate_thumbprint(&self) -> &str {
        &self.0.certificate_thumbprint
    }

    /// The trace this call is part of.
    pub fn trace_id(&self) -> &str {
        &self.0.trace_id
    }

    /// For whom the caller clears listings, if it does.
    pub fn authority(&self) -> Option<Authority> {
        authority_of(self.0.role, self.0.agency)
    }

    /// Whose resources the caller may see; every query takes this.
    pub fn visibility(&self) -> Visibility {
        match self.0.role {
            Role::Marketplace | Role::Broker => Visibility::Own(self.0.partner.clone()),
            Role::ExportRegistry
            | Role::Customs
            | Role::Agency
            | Role::Analyst
            | Role::Auditor
            | Role::Operator => Visibility::All,
        }
    }

    /// The authority the caller decides for.
    ///
    /// # Errors
    /// `NOT_AN_AUTHORITY` if it is neither customs nor an agency.
    pub fn require_authority(&self) -> Result<Authority, Fault> {
        self.authority().ok_or_else(|| {
            Fault::not_permitted(
                "NOT_AN_AUTHORITY",
                format!("{} is neither customs nor an agency and decides nothing", self.0.partner),
            )
        })
    }
}

/// Whose resources a query may touch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Visibility {
    /// Everybody's.
    All,
    /// This partner's only; all others are as if they were not there.
    Own(PartnerId),
}

impl Visibility {
    /// Whether what `owner` owns may be seen.
    pub fn allows(&self, owner: &PartnerId) -> bool {
        match self {
            Self::All => true,
            Self::Own(own) => own == owner,
        }
    }

    /// The owner to filter by; `None` is no filter.
    pub fn owner(&self) -> Option<&PartnerId> {
        match self {
            Self::All => None,
            Self::Own(own) => Some(own),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(partner: &str, role: Role, scopes: &str) -> Caller {
        Caller::admitted(Admission {
            partner: partner.parse().unwrap(),
            role,
            agency: None,
            scopes: scopes.parse().unwrap(),
            method: "/puente.sales.v1.SalesReportService/Open".into(),
            client_address: "127.0.0.1:1".into(),
            certificate_thumbprint: "".into(),
            trace_id: String::new(),
        })
    }

    #[test]
    fn a_marketplace_sees_its_own_only() {
        let one = caller("one", Role::Marketplace, "sales.read");
        assert!(one.visibility().allows(&"one".parse().unwrap()));
        assert!(!one.visibility().allows(&"two".parse().unwrap()));
        let auditor = caller("auditor", Role::Auditor, "sales.read");
        assert!(auditor.visibility().allows(&"two".parse().unwrap()));
    }
}
