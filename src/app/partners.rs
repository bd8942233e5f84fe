//! Partners: registering them, letting them in and keeping them out.
//!
//! Enters: an operator's decisions. Leaves: partners as they are then. Every change is in force
//! on this replica when it is answered, since the write path refreshes the directory.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::access::everything;
use super::write::{Intent, Plan, Written, check_etag, put};
use super::{App, Page, Versioned, decode};
use crate::change::{Expect, Kind, Write};
use crate::domain::identity::CertificateIdentity;
use crate::domain::partner::{Agency, Limits, Partner, PartnerId, PartnerState, Role};
use crate::domain::scope::{Scope, ScopeSet};
use crate::error::{Error, Result};
use crate::ledger::{Draft, EntryKind};
use crate::store::PageQuery;

/// A partner to be registered.
#[derive(Clone, Debug)]
pub struct NewPartner {
    /// Its id.
    pub id: PartnerId,
    /// Its role.
    pub role: Role,
    /// Which agency it is, if its role is AGENCY.
    pub agency: Option<Agency>,
    /// Its name for people.
    pub display_name: String,
    /// Certificate attributes that name it.
    pub identities: Vec<CertificateIdentity>,
    /// Its grant; `None` for all that its role allows.
    pub scopes: Option<ScopeSet>,
    /// How much it may ask; `None` for the defaults.
    pub limits: Option<Limits>,
}

/// What an operator changes of a partner; `None` stays as it is.
#[derive(Clone, Debug, Default)]
pub struct PartnerEdit {
    /// The new name for people.
    pub display_name: Option<String>,
    /// The new limits.
    pub limits: Option<Limits>,
}

/// Which partners to list.
#[derive(Clone, Copy, Debug, Default)]
pub struct PartnerFilter {
    /// Only those of this role.
    pub role: Option<Role>,
    /// Only those in this state.
    pub state: Option<PartnerState>,
}

/// A partner that was let in again, and why; the ledger commits to both.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reinstated {
    /// The partner as it is then.
    pub partner: Versioned<Partner>,
    /// The operator's words.
    pub reason: String,
}

impl App {
    /// Registers a partner.
    ///
    /// # Errors
    /// `PARTNER_EXISTS`; `CERTIFICATE_BOUND` if an attribute is another partner's; those of
    /// [`Partner::register`] and [`Partner::set_grant`].
    pub async fn create_partner(
        &self,
        intent: &Intent,
        new: NewPartner,
    ) -> Result<Written<Versioned<Partner>>> {
        self.write(intent, || async {
            let others = self.all_partners().await?;
            if others.iter().any(|held| held.value.id == new.id) {
                return Err(Error::already_exists(
                    "PARTNER_EXISTS",
                    format!("there is a partner {} already; ids are never given again", new.id),
                ));
            }
            let at = self.env.now();
            let NewPartner { id, role, agency, display_name, identities, scopes, limits } =
                new.clone();
            let mut partner = Partner::register(id, role, agency, display_name, at)?;
            for identity in identities {
                refuse_taken(&others, &identity)?;
                partner.bind(identity, at)?;
            }
            if let Some(scopes) = scopes {
                partner.set_grant(scopes, at)?;
            }
            if let Some(limits) = limits {
                partner.set_limits(limits, at)?;
            }
            let mut expect = as_read(&others);
            let (own, write) = put_partner(&partner, 0)?;
            expect.push(own);
            let draft = about(EntryKind::PartnerCreated, &partner).fact("role", partner.role);
            let answer = Versioned { value: partner, version: 1 };
            Ok(Plan { answer, expect, writes: vec![write], draft })
        })
        .await
    }

    /// The partner of that id.
    pub async fn partner(&self, id: &PartnerId) -> Result<Versioned<Partner>> {
        self.document(Kind::Partner, id.as_str()).await?.ok_or_else(Error::not_found)
    }

    /// Partners in the order of their ids.
    pub async fn list_partners(
        &self,
        filter: PartnerFilter,
        limit: u32,
        after: String,
    ) -> Result<Page<Versioned<Partner>>> {
        let mut query = PageQuery { after, ..PageQuery::all(Kind::Partner, limit) };
        query.state = filter.state.map(|state| state.to_string());
        query.equal.extend(filter.role.map(|role| ("role", role.to_string())));
        self.documents(query).await
    }

    /// Changes name or limits.
    ///
    /// # Errors
    /// `INVALID_LIMITS`; `STALE_ETAG`.
    pub async fn update_partner(
        &self,
        intent: &Intent,
        id: &PartnerId,
        etag: &str,
        edit: PartnerEdit,
    ) -> Result<Written<Versioned<Partner>>> {
        self.change_partner(intent, id, etag, EntryKind::PartnerUpdated, |partner, at| {
            if let Some(name) = &edit.display_name {
                partner.display_name.clone_from(name);
                partner.updated_at = at;
            }
            if let Some(limits) = edit.limits {
                partner.set_limits(limits, at)?;
            }
            Ok(())
        })
        .await
    }

    /// Keeps a partner out from now on, its open streams too.
    ///
    /// # Errors
    /// `PARTNER_SUSPENDED` if it is out already; `OWN_ACCOUNT` if it is the caller, which would
    /// leave nobody to undo it; `STALE_ETAG`.
    pub async fn suspend_partner(
        &self,
        intent: &Intent,
        id: &PartnerId,
        etag: &str,
        reason: String,
    ) -> Result<Written<Versioned<Partner>>> {
        if *id == intent.request.partner {
            return Err(own_account("suspend itself"));
        }
        self.change_partner(intent, id, etag, EntryKind::PartnerSuspended, |partner, at| {
            Ok(partner.suspend(reason.clone(), at)?)
        })
        .await
    }

    /// Lets a suspended partner in again.
    ///
    /// # Errors
    /// `PARTNER_ACTIVE` if it is not suspended; `STALE_ETAG`.
    pub async fn reinstate_partner(
        &self,
        intent: &Intent,
        id: &PartnerId,
        etag: &str,
        reason: String,
    ) -> Result<Written<Reinstated>> {
        self.write(intent, || async {
            let held = self.partner_to_change(id, etag).await?;
            let mut partner = held.value;
            partner.reinstate(self.env.now())?;
            let (expect, write) = put_partner(&partner, held.version)?;
            let draft = about(EntryKind::PartnerReinstated, &partner);
            let partner = Versioned { value: partner, version: held.version + 1 };
            let answer = Reinstated { partner, reason: reason.clone() };
            Ok(Plan { answer, expect: vec![expect], writes: vec![write], draft })
        })
        .await
    }

    /// Lets certificates with this attribute in as this partner.
    ///
    /// # Errors
    /// `CERTIFICATE_BOUND` if any partner has the attribute; `TOO_MANY_CERTIFICATES`;
    /// `STALE_ETAG`.
    pub async fn bind_certificate(
        &self,
        intent: &Intent,
        id: &PartnerId,
        etag: &str,
        identity: CertificateIdentity,
    ) -> Result<Written<Versioned<Partner>>> {
        self.write(intent, || async {
            // All partners are read and expected unchanged, so that two operators who bind one
            // attribute to two partners at the same moment cannot both succeed.
            let all = self.all_partners().await?;
            let held = all
                .iter()
                .find(|held| held.value.id == *id)
                .cloned()
                .ok_or_else(Error::not_found)?;
            check_etag(etag, held.version)?;
            refuse_taken(&all, &identity)?;
            let mut partner = held.value;
            partner.bind(identity.clone(), self.env.now())?;
            let (_, write) = put_partner(&partner, held.version)?;
            let draft = about(EntryKind::PartnerIdentityBound, &partner)
                .fact("identity_type", identity.kind());
            let answer = Versioned { value: partner, version: held.version + 1 };
            Ok(Plan { answer, expect: as_read(&all), writes: vec![write], draft })
        })
        .await
    }

    /// Lets certificates with this attribute in no more.
    ///
    /// # Errors
    /// `CERTIFICATE_NOT_BOUND`; `OWN_ACCOUNT` for the caller's last one; `STALE_ETAG`.
    pub async fn unbind_certificate(
        &self,
        intent: &Intent,
        id: &PartnerId,
        etag: &str,
        identity: CertificateIdentity,
    ) -> Result<Written<Versioned<Partner>>> {
        let own = *id == intent.request.partner;
        self.change_partner(intent, id, etag, EntryKind::PartnerIdentityUnbound, |partner, at| {
            partner.unbind(&identity, at)?;
            if own && partner.identities.is_empty() {
                return Err(own_account("unbind its last certificate"));
            }
            Ok(())
        })
        .await
    }

    /// Replaces the grant; tokens given earlier lose what is taken away.
    ///
    /// # Errors
    /// `GRANT_BEYOND_ROLE`; `OWN_ACCOUNT` if the caller would lose partners.admin; `STALE_ETAG`.
    pub async fn set_grant(
        &self,
        intent: &Intent,
        id: &PartnerId,
        etag: &str,
        scopes: ScopeSet,
    ) -> Result<Written<Versioned<Partner>>> {
        if *id == intent.request.partner && !scopes.contains(Scope::PartnersAdmin) {
            return Err(own_account("take partners.admin from itself"));
        }
        self.change_partner(intent, id, etag, EntryKind::PartnerGranted, |partner, at| {
            Ok(partner.set_grant(scopes, at)?)
        })
        .await
    }

    /// Applies `rule` to one partner.
    async fn change_partner(
        &self,
        intent: &Intent,
        id: &PartnerId,
        etag: &str,
        kind: EntryKind,
        rule: impl Fn(&mut Partner, Timestamp) -> Result<()> + Sync,
    ) -> Result<Written<Versioned<Partner>>> {
        self.write(intent, || async {
            let held = self.partner_to_change(id, etag).await?;
            let mut partner = held.value;
            rule(&mut partner, self.env.now())?;
            let (expect, write) = put_partner(&partner, held.version)?;
            let mut draft = about(kind, &partner);
            if kind == EntryKind::PartnerGranted {
                draft = draft.fact("scopes", partner.scopes);
            }
            let answer = Versioned { value: partner, version: held.version + 1 };
            Ok(Plan { answer, expect: vec![expect], writes: vec![write], draft })
        })
        .await
    }

    async fn partner_to_change(&self, id: &PartnerId, etag: &str) -> Result<Versioned<Partner>> {
        let held = self.partner(id).await?;
        check_etag(etag, held.version)?;
        Ok(held)
    }

    async fn all_partners(&self) -> Result<Vec<Versioned<Partner>>> {
        everything(&*self.store, Kind::Partner).await?.iter().map(decode).collect()
    }
}

fn put_partner(partner: &Partner, version: u64) -> Result<(Expect, Write)> {
    let id = partner.id.as_str();
    let columns = vec![partner.role.to_string()];
    put(Kind::Partner, id, id, partner.state.as_str(), columns, partner, version)
}

/// What must hold for the partners that were looked at: nobody changed them.
fn as_read(partners: &[Versioned<Partner>]) -> Vec<Expect> {
    let expect = |held: &Versioned<Partner>| Expect::Version {
        kind: Kind::Partner,
        key: held.value.id.to_string(),
        version: held.version,
    };
    partners.iter().map(expect).collect()
}

fn refuse_taken(partners: &[Versioned<Partner>], identity: &CertificateIdentity) -> Result<()> {
    match partners.iter().find(|held| held.value.identities.contains(identity)) {
        None => Ok(()),
        Some(holder) => Err(Error::already_exists(
            "CERTIFICATE_BOUND",
            format!(
                "{identity} is bound to partner {} already; an attribute names one partner only",
                holder.value.id
            ),
        )
        .with("partner", holder.value.id.to_string())),
    }
}

fn own_account(what: &str) -> Error {
    Error::precondition(
        "OWN_ACCOUNT",
        format!("an operator cannot {what}: another operator has to do it"),
    )
}

fn about(kind: EntryKind, partner: &Partner) -> Draft {
    Draft::new(kind).about(format!("partners/{}", partner.id))
}

#[cfg(test)]
#[path = "partners_tests.rs"]
mod tests;
