//! PartnerService: partners, grants and certificates, for the operator.

use tonic::{Request, Response, Status};

use super::page_token::{PageTokens, paged};
use super::wire::{self, answer, caller, intent, same_names, writes};
use crate::app::partners::{NewPartner, PartnerEdit, PartnerFilter};
use crate::app::{App, Versioned};
use crate::domain::identity::{CertificateIdentity, IdentityKind};
use crate::domain::partner::{Agency, Limits, Partner, PartnerId, PartnerState, Role};
use crate::domain::scope::ScopeSet;
use crate::error::{Error, Result};
use crate::proto::puente::access::v1 as pb;
use crate::proto::puente::access::v1::partner_service_server::PartnerService;
use crate::proto::puente::common::v1::Authority;

/// Serves the partners of the exchange.
pub struct Partners {
    app: App,
    pages: PageTokens,
}

impl Partners {
    /// Serves `app`'s partners.
    pub fn new(app: App, pages: PageTokens) -> Self {
        Self { app, pages }
    }
}

#[tonic::async_trait]
impl PartnerService for Partners {
    async fn create_partner(
        &self,
        request: Request<pb::CreatePartnerRequest>,
    ) -> Result<Response<pb::CreatePartnerResponse>, Status> {
        let caller = caller(&request)?;
        let mut request = request.into_inner();
        let intent = intent(&caller, &mut request)?;
        let new = new_partner(request)?;
        let written = self.app.create_partner(&intent, new).await?;
        answer(written, |partner, receipt| pb::CreatePartnerResponse {
            partner: Some(partner.into()),
            receipt,
        })
    }

    async fn get_partner(
        &self,
        request: Request<pb::GetPartnerRequest>,
    ) -> Result<Response<pb::GetPartnerResponse>, Status> {
        let id = wire::partner_name("name", &request.get_ref().name)?;
        let partner = self.app.partner(&id).await?;
        Ok(Response::new(pb::GetPartnerResponse { partner: Some(partner.into()) }))
    }

    async fn list_partners(
        &self,
        request: Request<pb::ListPartnersRequest>,
    ) -> Result<Response<pb::ListPartnersResponse>, Status> {
        let caller = caller(&request)?;
        let mut request = request.into_inner();
        let asked = self.pages.open(&caller, &mut request)?;
        let filter = PartnerFilter {
            role: wire::optionally::<pb::Role, _>("role", request.role)?,
            state: wire::optionally::<pb::PartnerState, _>("state", request.state)?,
        };
        let page = self.app.list_partners(filter, asked.limit, asked.after.clone()).await?;
        Ok(Response::new(pb::ListPartnersResponse {
            next_page_token: self.pages.next(&asked, page.next.as_deref())?,
            partners: page.items.into_iter().map(Into::into).collect(),
        }))
    }

    async fn update_partner(
        &self,
        request: Request<pb::UpdatePartnerRequest>,
    ) -> Result<Response<pb::UpdatePartnerResponse>, Status> {
        let caller = caller(&request)?;
        let mut request = request.into_inner();
        let intent = intent(&caller, &mut request)?;
        let (id, etag) = target(&request.name, &request.etag)?;
        let edit = edit(request)?;
        let written = self.app.update_partner(&intent, &id, &etag, edit).await?;
        answer(written, |partner, receipt| pb::UpdatePartnerResponse {
            partner: Some(partner.into()),
            receipt,
        })
    }

    async fn suspend_partner(
        &self,
        request: Request<pb::SuspendPartnerRequest>,
    ) -> Result<Response<pb::SuspendPartnerResponse>, Status> {
        let caller = caller(&request)?;
        let mut request = request.into_inner();
        let intent = intent(&caller, &mut request)?;
        let (id, etag) = target(&request.name, &request.etag)?;
        let reason = wire::text("reason", request.reason, 1, 500)?;
        let written = self.app.suspend_partner(&intent, &id, &etag, reason).await?;
        answer(written, |partner, receipt| pb::SuspendPartnerResponse {
            partner: Some(partner.into()),
            receipt,
        })
    }

    async fn reinstate_partner(
        &self,
        request: Request<pb::ReinstatePartnerRequest>,
    ) -> Result<Response<pb::ReinstatePartnerResponse>, Status> {
        let caller = caller(&request)?;
        let mut request = request.into_inner();
        let intent = intent(&caller, &mut request)?;
        let (id, etag) = target(&request.name, &request.etag)?;
        let reason = wire::text("reason", request.reason, 1, 500)?;
        let written = self.app.reinstate_partner(&intent, &id, &etag, reason).await?;
        answer(written, |reinstated, receipt| pb::ReinstatePartnerResponse {
            partner: Some(reinstated.partner.into()),
            receipt,
        })
    }

    async fn bind_certificate(
        &self,
        request: Request<pb::BindCertificateRequest>,
    ) -> Result<Response<pb::BindCertificateResponse>, Status> {
        let caller = caller(&request)?;
        let mut request = request.into_inner();
        let intent = intent(&caller, &mut request)?;
        let (id, etag) = target(&request.name, &request.etag)?;
        let identity = identity("identity", request.identity)?;
        let written = self.app.bind_certificate(&intent, &id, &etag, identity).await?;
        answer(written, |partner, receipt| pb::BindCertificateResponse {
            partner: Some(partner.into()),
            receipt,
        })
    }

    async fn unbind_certificate(
        &self,
        request: Request<pb::UnbindCertificateRequest>,
    ) -> Result<Response<pb::UnbindCertificateResponse>, Status> {
        let caller = caller(&request)?;
        let mut request = request.into_inner();
        let intent = intent(&caller, &mut request)?;
        let (id, etag) = target(&request.name, &request.etag)?;
        let identity = identity("identity", request.identity)?;
        let written = self.app.unbind_certificate(&intent, &id, &etag, identity).await?;
        answer(written, |partner, receipt| pb::UnbindCertificateResponse {
            partner: Some(partner.into()),
            receipt,
        })
    }

    async fn set_grant(
        &self,
        request: Request<pb::SetGrantRequest>,
    ) -> Result<Response<pb::SetGrantResponse>, Status> {
        let caller = caller(&request)?;
        let mut request = request.into_inner();
        let intent = intent(&caller, &mut request)?;
        let (id, etag) = target(&request.name, &request.etag)?;
        let scopes = scopes("scopes", &request.scopes)?;
        let written = self.app.set_grant(&intent, &id, &etag, scopes).await?;
        answer(written, |partner, receipt| pb::SetGrantResponse {
            partner: Some(partner.into()),
            receipt,
        })
    }
}

writes!(
    pb::CreatePartnerRequest,
    pb::UpdatePartnerRequest,
    pb::SuspendPartnerRequest,
    pb::ReinstatePartnerRequest,
    pb::BindCertificateRequest,
    pb::UnbindCertificateRequest,
    pb::SetGrantRequest,
);
paged!(pb::ListPartnersRequest);

same_names!(
    pb::Role,
    Role { ExportRegistry, Customs, Agency, Marketplace, Analyst, Auditor, Operator, Broker }
);
same_names!(pb::PartnerState, PartnerState { Active, Suspended });
same_names!(pb::IdentityType, IdentityKind { SubjectDn, SanDns, SanUri, SanEmail });
same_names!(Authority, Agency { Inv, Senasa, Inal });

impl From<Versioned<Partner>> for pb::Partner {
    fn from(partner: Versioned<Partner>) -> Self {
        let Versioned { value: partner, version } = partner;
        Self {
            name: format!("partners/{}", partner.id),
            role: pb::Role::from(partner.role).into(),
            agency: partner.agency.map_or(0, |agency| Authority::from(agency).into()),
            display_name: partner.display_name,
            state: pb::PartnerState::from(partner.state).into(),
            suspension_reason: partner.suspension_reason.unwrap_or_default(),
            identities: partner.identities.iter().map(Into::into).collect(),
            scopes: alphabetical(partner.scopes),
            limits: Some(partner.limits.into()),
            create_time: Some(wire::timestamp(partner.created_at)),
            update_time: Some(wire::timestamp(partner.updated_at)),
            etag: wire::etag(version),
        }
    }
}

impl From<&CertificateIdentity> for pb::CertificateIdentity {
    fn from(identity: &CertificateIdentity) -> Self {
        Self {
            r#type: pb::IdentityType::from(identity.kind()).into(),
            value: identity.value().to_owned(),
        }
    }
}

impl From<Limits> for pb::PartnerLimits {
    fn from(limits: Limits) -> Self {
        let number = |limit: u32| i32::try_from(limit).unwrap_or(i32::MAX);
        Self {
            reads_per_second: number(limits.reads_per_second),
            writes_per_second: number(limits.writes_per_second),
            streams: number(limits.streams),
        }
    }
}

fn alphabetical(scopes: ScopeSet) -> Vec<String> {
    let mut names: Vec<String> = scopes.iter().map(|scope| scope.to_string()).collect();
    names.sort();
    names
}

fn new_partner(request: pb::CreatePartnerRequest) -> Result<NewPartner> {
    let id = wire::parsed("partner_id", &request.partner_id)?;
    let partner = wire::required("partner", request.partner)?;
    new_in(id, partner).map_err(|error| error.within("partner"))
}

fn new_in(id: PartnerId, partner: pb::Partner) -> Result<NewPartner> {
    wire::sent_etag(partner.etag)?;
    wire::count("identities", &partner.identities, 0, Partner::MAX_IDENTITIES)?;
    let identities = partner.identities.into_iter().enumerate();
    Ok(NewPartner {
        id,
        role: wire::chosen::<pb::Role, _>("role", partner.role)?,
        agency: wire::optionally::<Authority, _>("agency", partner.agency)?,
        display_name: wire::text("display_name", partner.display_name, 1, 200)?,
        identities: identities
            .map(|(place, sent)| identity(&format!("identities[{place}]"), Some(sent)))
            .collect::<Result<_>>()?,
        scopes: match partner.scopes.as_slice() {
            [] => None,
            names => Some(scopes("scopes", names)?),
        },
        limits: partner.limits.map(|sent| limits("limits", sent)).transpose()?,
    })
}

fn target(name: &str, etag: &str) -> Result<(PartnerId, String)> {
    Ok((wire::partner_name("name", name)?, wire::sent_etag(etag.to_owned())?))
}

/// What the mask names; an empty mask names what is there (AIP-134).
fn edit(request: pb::UpdatePartnerRequest) -> Result<PartnerEdit> {
    let mask = wire::required("update_mask", request.update_mask)?.paths;
    if mask.iter().any(|path| !["display_name", "limits"].contains(&path.as_str())) {
        return Err(wire::invalid(
            "update_mask",
            "names a field that cannot be changed here; use display_name and limits",
        ));
    }
    let named = |path: &str, there: bool| {
        if mask.is_empty() { there } else { mask.iter().any(|named| named == path) }
    };
    let sent_limits = request.limits.map(|sent| limits("limits", sent)).transpose()?;
    let display_name = wire::text("display_name", request.display_name, 0, 200)?;
    let mut edit = PartnerEdit::default();
    if named("limits", sent_limits.is_some()) {
        edit.limits = Some(sent_limits.unwrap_or_default());
    }
    if named("display_name", !display_name.is_empty()) {
        edit.display_name = Some(wire::text("display_name", display_name, 1, 200)?);
    }
    Ok(edit)
}

fn identity(field: &str, sent: Option<pb::CertificateIdentity>) -> Result<CertificateIdentity> {
    let sent = wire::required(field, sent)?;
    let kind = wire::chosen::<pb::IdentityType, _>("type", sent.r#type);
    kind.and_then(|kind| {
        CertificateIdentity::new(kind, &sent.value).map_err(|fault| fault.at("value").into())
    })
    .map_err(|error: Error| error.within(field))
}

fn scopes(field: &str, names: &[String]) -> Result<ScopeSet> {
    wire::count(field, names, 0, 32)?;
    wire::unique(field, names)?;
    let mut scopes = ScopeSet::EMPTY;
    for (place, name) in names.iter().enumerate() {
        scopes.insert(wire::parsed(&format!("{field}[{place}]"), name)?);
    }
    Ok(scopes)
}

/// Limits as sent; 0 stands for the default.
fn limits(field: &str, sent: pb::PartnerLimits) -> Result<Limits> {
    let default = Limits::default();
    let one = |name: &str, number: i32, most: i32, default: u32| match number {
        0 => Ok(default),
        number if (1..=most).contains(&number) => Ok(number.unsigned_abs()),
        _ => Err(wire::invalid(
            &format!("{field}.{name}"),
            format!("1 to {most} are allowed; 0 means the default"),
        )),
    };
    Ok(Limits {
        reads_per_second: one(
            "reads_per_second",
            sent.reads_per_second,
            100_000,
            default.reads_per_second,
        )?,
        writes_per_second: one(
            "writes_per_second",
            sent.writes_per_second,
            100_000,
            default.writes_per_second,
        )?,
        streams: one("streams", sent.streams, 1_000, default.streams)?,
    })
}
