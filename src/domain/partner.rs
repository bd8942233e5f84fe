//! Partners: who takes part, in which role, under which certificate names, with which grant.
//!
//! Enters: an operator's decisions. Leaves: a changed [`Partner`] or a fault. It must not know how
//! a partner proves itself; that is the gate's.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::fault::Fault;
use super::identity::CertificateIdentity;
pub use super::role::{Agency, Authority, Role, authority_of};
use super::scope::ScopeSet;
use super::wording::quoted;

/// A partner's short name, `^[a-z][a-z0-9-]{1,30}$`; also its OAuth client id.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PartnerId(Arc<str>);

impl PartnerId {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PartnerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for PartnerId {
    type Err = Fault;

    fn from_str(text: &str) -> Result<Self, Fault> {
        let sound = (2..=31).contains(&text.len())
            && text.starts_with(|c: char| c.is_ascii_lowercase())
            && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if sound {
            Ok(Self(text.into()))
        } else {
            Err(Fault::malformed(
                "INVALID_PARTNER_ID",
                format!(
                    "{} is not a partner id; use 2 to 31 lower-case letters, digits and hyphens, \
                     beginning with a letter",
                    quoted(text)
                ),
            ))
        }
    }
}

serde_as_text!(PartnerId);

named_enum! {
    /// Whether a partner is let in.
    pub enum PartnerState ("a partner's state", "INVALID_PARTNER_STATE") {
        /// Let in.
        Active = "ACTIVE",
        /// Kept out until reinstated.
        Suspended = "SUSPENDED",
    }
}

/// How much a partner may ask of the gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Limits {
    /// Calls a second that only read.
    pub reads_per_second: u32,
    /// Calls a second that write; a message of a stream counts as one.
    pub writes_per_second: u32,
    /// Streams open at once.
    pub streams: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { reads_per_second: 200, writes_per_second: 100, streams: 16 }
    }
}

/// One who takes part. Read the fields freely; change them by the methods, which hold the rules.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Partner {
    /// Short name, for ever.
    pub id: PartnerId,
    /// Bounds the grant.
    pub role: Role,
    /// Which agency it is; given exactly if the role is AGENCY.
    #[serde(default)]
    pub agency: Option<Agency>,
    /// Name for people.
    pub display_name: String,
    /// Whether it is let in.
    pub state: PartnerState,
    /// Why it is kept out, while it is.
    #[serde(default)]
    pub suspension_reason: Option<String>,
    /// Certificate attributes that name it, sorted; none is shared with another partner.
    #[serde(default)]
    pub identities: Vec<CertificateIdentity>,
    /// What it is granted; within what its role allows.
    pub scopes: ScopeSet,
    /// How much it may ask.
    #[serde(default)]
    pub limits: Limits,
    /// When it was registered.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

impl Partner {
    /// The most certificate identities of one partner: enough to roll over two sites at once.
    pub const MAX_IDENTITIES: usize = 16;
    /// The id under which the ledger records what the gateway does by itself; nobody else's.
    pub const GATEWAY: &'static str = "gateway";

    /// A new, active partner with no certificate yet and all that its role allows.
    ///
    /// # Errors
    /// `RESERVED_PARTNER_ID`; `AGENCY_REQUIRED` or `AGENCY_NOT_ALLOWED` if role and agency do not
    /// fit.
    pub fn register(
        id: PartnerId,
        role: Role,
        agency: Option<Agency>,
        display_name: String,
        at: Timestamp,
    ) -> Result<Self, Fault> {
        if id.as_str() == Self::GATEWAY {
            let message = "the ledger names the gateway itself so; choose another id";
            return Err(Fault::malformed("RESERVED_PARTNER_ID", message).at("partner_id"));
        }
        match (role == Role::Agency, agency) {
            (true, None) => {
                return Err(Fault::malformed(
                    "AGENCY_REQUIRED",
                    "a partner of role AGENCY says which one it is: INV, SENASA or INAL",
                )
                .at("agency"));
            }
            (false, Some(agency)) => {
                return Err(Fault::malformed(
                    "AGENCY_NOT_ALLOWED",
                    format!("{agency} is given, but only role AGENCY has an agency, not {role}"),
                )
                .at("agency"));
            }
            (true, Some(_)) | (false, None) => {}
        }
        Ok(Self {
            id,
            role,
            agency,
            display_name,
            state: PartnerState::Active,
            suspension_reason: None,
            identities: Vec::new(),
            scopes: role.grantable(),
            limits: Limits::default(),
            created_at: at,
            updated_at: at,
        })
    }

    /// Whether the partner is let in.
    pub fn is_active(&self) -> bool {
        self.state == PartnerState::Active
    }

    /// For whom the partner clears listings, if it does.
    pub fn authority(&self) -> Option<Authority> {
        authority_of(self.role, self.agency)
    }

    /// Keeps the partner out from now on.
    ///
    /// # Errors
    /// `PARTNER_SUSPENDED` if it already is.
    pub fn suspend(&mut self, reason: String, at: Timestamp) -> Result<(), Fault> {
        if !self.is_active() {
            return Err(Fault::illegal_state(
                "PARTNER_SUSPENDED",
                format!("partner {} is suspended already; reinstate it first", self.id),
            ));
        }
        self.state = PartnerState::Suspended;
        self.suspension_reason = Some(reason);
        self.updated_at = at;
        Ok(())
    }

    /// Lets a suspended partner in again.
    ///
    /// # Errors
    /// `PARTNER_ACTIVE` if it is not suspended.
    pub fn reinstate(&mut self, at: Timestamp) -> Result<(), Fault> {
        if self.is_active() {
            return Err(Fault::illegal_state(
                "PARTNER_ACTIVE",
                format!("partner {} is active; there is no suspension to lift", self.id),
            ));
        }
        self.state = PartnerState::Active;
        self.suspension_reason = None;
        self.updated_at = at;
        Ok(())
    }

    /// Lets certificates with this attribute in as this partner. That no other partner has it is
    /// for the caller to see to.
    ///
    /// # Errors
    /// `CERTIFICATE_BOUND` if it is bound already, `TOO_MANY_CERTIFICATES` at 16.
    pub fn bind(&mut self, identity: CertificateIdentity, at: Timestamp) -> Result<(), Fault> {
        let place = match self.identities.binary_search(&identity) {
            Ok(_) => {
                return Err(Fault::conflict(
                    "CERTIFICATE_BOUND",
                    format!("{identity} is bound to partner {} already", self.id),
                ));
            }
            Err(place) => place,
        };
        if self.identities.len() == Self::MAX_IDENTITIES {
            return Err(Fault::illegal_state(
                "TOO_MANY_CERTIFICATES",
                format!("partner {} has 16 certificate identities; unbind one first", self.id),
            ));
        }
        self.identities.insert(place, identity);
        self.updated_at = at;
        Ok(())
    }

    /// Lets certificates with this attribute in no more.
    ///
    /// # Errors
    /// `CERTIFICATE_NOT_BOUND` if it is not bound to this partner.
    pub fn unbind(&mut self, identity: &CertificateIdentity, at: Timestamp) -> Result<(), Fault> {
        let Ok(place) = self.identities.binary_search(identity) else {
            return Err(Fault::illegal_state(
                "CERTIFICATE_NOT_BOUND",
                format!("{identity} is not bound to partner {}", self.id),
            ));
        };
        self.identities.remove(place);
        self.updated_at = at;
        Ok(())
    }

    /// Replaces the grant.
    ///
    /// # Errors
    /// `GRANT_BEYOND_ROLE` if a scope is not for the partner's role; it names them.
    pub fn set_grant(&mut self, scopes: ScopeSet, at: Timestamp) -> Result<(), Fault> {
        let beyond = scopes.minus(self.role.grantable());
        if !beyond.is_empty() {
            return Err(Fault::malformed(
                "GRANT_BEYOND_ROLE",
                format!(
                    "the role {} can never be granted: {beyond}; it can be granted: {}",
                    self.role,
                    self.role.grantable()
                ),
            )
            .at("scopes"));
        }
        self.scopes = scopes;
        self.updated_at = at;
        Ok(())
    }

    /// Replaces the limits.
    ///
    /// # Errors
    /// `INVALID_LIMITS` if one is 0: suspend the partner instead.
    pub fn set_limits(&mut self, limits: Limits, at: Timestamp) -> Result<(), Fault> {
        if limits.reads_per_second == 0 || limits.writes_per_second == 0 || limits.streams == 0 {
            return Err(Fault::malformed(
                "INVALID_LIMITS",
                "a limit is at least 1; to keep a partner out, suspend it",
            )
            .at("limits"));
        }
        self.limits = limits;
        self.updated_at = at;
        Ok(())
    }
}

#[cfg(test)]
#[path = "partner_tests.rs"]
mod tests;
