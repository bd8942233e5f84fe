//! `puente partner`: who takes part; for the operator.

use clap::{Args, Subcommand};

use super::output::{facts, show, table, word};
use super::{Client, Connect, Failure, Outcome, parse};
use crate::proto::puente::access::v1::partner_service_client::PartnerServiceClient;
use crate::proto::puente::access::v1::{
    BindCertificateRequest, CertificateIdentity, CreatePartnerRequest, GetPartnerRequest,
    ListPartnersRequest, ListPartnersResponse, Partner as PartnerMessage, PartnerLimits,
    ReinstatePartnerRequest, Role, SetGrantRequest, SuspendPartnerRequest,
    UnbindCertificateRequest, UpdatePartnerRequest,
};
use crate::proto::puente::common::v1::Authority;

/// Keep the partners of the exchange, as its operator
///
/// Examples:
///   puente partner create second-market --role marketplace --display-name "Second market" \
///     --identity san_uri:urn:puente:partner:second-market --profile profiles/operator.toml
///   puente partner suspend second-market --reason "contract ended" --profile profiles/operator.toml
#[derive(Subcommand)]
#[command(verbatim_doc_comment)]
pub enum Partner {
    /// List all partners
    List(Connect),
    /// Show one partner
    Get(Named),
    /// Register a partner; it gets all scopes of its role unless --scopes gives fewer
    Create(Create),
    /// Shut a partner out at once
    Suspend(Reasoned),
    /// Let a suspended partner in again
    Reinstate(Reasoned),
    /// Let an attribute of a certificate name a partner
    Bind(Bound),
    /// Take an attribute away from a partner
    Unbind(Bound),
    /// Replace the scopes that a partner may use
    Grant(Grant),
    /// Change a partner's display name or limits
    Update(Update),
}

/// One partner.
#[derive(Args)]
pub struct Named {
    /// The partner's id, such as marketplace
    partner: String,
    #[command(flatten)]
    connect: Connect,
}

/// A new partner.
#[derive(Args)]
pub struct Create {
    /// Its id for ever: 2 to 31 lower-case letters, digits and hyphens
    id: String,
    /// export-registry, customs, agency, marketplace, analyst, auditor, operator or broker
    #[arg(long, value_parser = |text: &str| parse::role(&parse::typed(text)))]
    role: Role,
    /// Which agency, for the role agency: inv, senasa or inal
    #[arg(long, value_parser = |text: &str| parse::agency(&parse::typed(text)))]
    agency: Option<Authority>,
    /// What people call it
    #[arg(long, value_name = "NAME")]
    display_name: String,
    /// A certificate attribute that names it, TYPE:VALUE, such as san_uri:urn:puente:partner:ID
    #[arg(long = "identity", value_name = "TYPE:VALUE", value_parser = identity)]
    identities: Vec<CertificateIdentity>,
    /// Fewer scopes than its role's, joined by commas
    #[arg(long, value_name = "SCOPE[,SCOPE]", value_delimiter = ',')]
    scopes: Vec<String>,
    #[command(flatten)]
    connect: Connect,
}

/// A decision with its reason.
#[derive(Args)]
pub struct Reasoned {
    /// The partner's id
    partner: String,
    /// Why
    #[arg(long)]
    reason: String,
    #[command(flatten)]
    connect: Connect,
}

/// An attribute and a partner.
#[derive(Args)]
pub struct Bound {
    /// The partner's id
    partner: String,
    /// TYPE:VALUE; the types are subject_dn, san_dns, san_uri and san_email
    #[arg(value_name = "TYPE:VALUE", value_parser = identity)]
    identity: CertificateIdentity,
    #[command(flatten)]
    connect: Connect,
}

/// A grant.
#[derive(Args)]
pub struct Grant {
    /// The partner's id
    partner: String,
    /// All the scopes it shall have, joined by commas
    #[arg(long, value_name = "SCOPE[,SCOPE]", value_delimiter = ',', required = true)]
    scopes: Vec<String>,
    #[command(flatten)]
    connect: Connect,
}

/// A change.
#[derive(Args)]
pub struct Update {
    /// The partner's id
    partner: String,
    /// What people call it
    #[arg(long, value_name = "NAME")]
    display_name: Option<String>,
    /// Reading calls a second; 0 for the gateway's default. All three limits go together
    #[arg(long, value_name = "N", requires_all = ["writes_per_second", "streams"])]
    reads_per_second: Option<i32>,
    /// Changing calls a second; 0 for the gateway's default
    #[arg(long, value_name = "N", requires_all = ["reads_per_second", "streams"])]
    writes_per_second: Option<i32>,
    /// Streams open at the same time; 0 for the gateway's default
    #[arg(long, value_name = "N", requires_all = ["reads_per_second", "writes_per_second"])]
    streams: Option<i32>,
    #[command(flatten)]
    connect: Connect,
}

/// `TYPE:VALUE`.
fn identity(text: &str) -> Result<CertificateIdentity, String> {
    let (kind, value) =
        text.split_once(':').ok_or("expected TYPE:VALUE, such as san_dns:api.market.example")?;
    let kind = parse::identity_type(&parse::typed(kind))?;
    Ok(CertificateIdentity { r#type: kind.into(), value: value.to_owned() })
}

/// Sends a request that answers with a partner, and shows the answer.
macro_rules! send {
    ($connect:expr, $client:expr, $request:expr, $method:ident, $answer:literal) => {{
        let answer = $client
            .call($request, |channel, request| async move {
                PartnerServiceClient::new(channel).$method(request).await
            })
            .await?;
        let name = concat!("puente.access.v1.", $answer);
        show($connect.output(), name, &answer, |answer| one(answer.partner.as_ref()))
    }};
}

impl Partner {
    pub(super) async fn run(self) -> Outcome {
        match self {
            Self::List(connect) => list(&connect, &connect.client()?).await,
            Self::Get(Named { partner, connect }) => {
                let client = connect.client()?;
                let request = GetPartnerRequest { name: parse::name("partners", &partner) };
                send!(connect, client, request, get_partner, "GetPartnerResponse")
            }
            Self::Create(create) => create.run().await,
            Self::Suspend(Reasoned { partner, reason, connect }) => {
                let client = connect.client()?;
                let request = SuspendPartnerRequest {
                    request_id: client.request_id(),
                    name: parse::name("partners", &partner),
                    reason,
                    ..Default::default()
                };
                send!(connect, client, request, suspend_partner, "SuspendPartnerResponse")
            }
            Self::Reinstate(Reasoned { partner, reason, connect }) => {
                let client = connect.client()?;
                let request = ReinstatePartnerRequest {
                    request_id: client.request_id(),
                    name: parse::name("partners", &partner),
                    reason,
                    ..Default::default()
                };
                send!(connect, client, request, reinstate_partner, "ReinstatePartnerResponse")
            }
            Self::Bind(Bound { partner, identity, connect }) => {
                let client = connect.client()?;
                let request = BindCertificateRequest {
                    request_id: client.request_id(),
                    name: parse::name("partners", &partner),
                    identity: Some(identity),
                    ..Default::default()
                };
                send!(connect, client, request, bind_certificate, "BindCertificateResponse")
            }
            Self::Unbind(Bound { partner, identity, connect }) => {
                let client = connect.client()?;
                let request = UnbindCertificateRequest {
                    request_id: client.request_id(),
                    name: parse::name("partners", &partner),
                    identity: Some(identity),
                    ..Default::default()
                };
                send!(connect, client, request, unbind_certificate, "UnbindCertificateResponse")
            }
            Self::Grant(Grant { partner, scopes, connect }) => {
                let client = connect.client()?;
                let request = SetGrantRequest {
                    request_id: client.request_id(),
                    name: parse::name("partners", &partner),
                    scopes,
                    ..Default::default()
                };
                send!(connect, client, request, set_grant, "SetGrantResponse")
            }
            Self::Update(update) => update.run().await,
        }
    }
}

impl Create {
    async fn run(self) -> Outcome {
        let client = self.connect.client()?;
        let partner = PartnerMessage {
            role: self.role.into(),
            agency: self.agency.unwrap_or_default().into(),
            display_name: self.display_name,
            identities: self.identities,
            scopes: self.scopes,
            ..Default::default()
        };
        let request = CreatePartnerRequest {
            request_id: client.request_id(),
            partner_id: self.id,
            partner: Some(partner),
            validate_only: false,
        };
        send!(self.connect, client, request, create_partner, "CreatePartnerResponse")
    }
}

impl Update {
    async fn run(self) -> Outcome {
        let limits = match (self.reads_per_second, self.writes_per_second, self.streams) {
            (Some(reads_per_second), Some(writes_per_second), Some(streams)) => {
                Some(PartnerLimits { reads_per_second, writes_per_second, streams })
            }
            _ => None,
        };
        let fields = [("display_name", self.display_name.is_some()), ("limits", limits.is_some())];
        let paths: Vec<String> =
            fields.iter().filter(|(_, given)| *given).map(|(path, _)| (*path).to_owned()).collect();
        if paths.is_empty() {
            return Err(Failure::new("NOTHING_TO_CHANGE", "give --display-name or limits"));
        }
        let client = self.connect.client()?;
        let request = UpdatePartnerRequest {
            request_id: client.request_id(),
            name: parse::name("partners", &self.partner),
            display_name: self.display_name.unwrap_or_default(),
            limits,
            update_mask: Some(prost_types::FieldMask { paths }),
            ..Default::default()
        };
        send!(self.connect, client, request, update_partner, "UpdatePartnerResponse")
    }
}

async fn list(connect: &Connect, client: &Client) -> Outcome {
    let mut request = ListPartnersRequest { page_size: 1000, ..Default::default() };
    let mut answer = ListPartnersResponse::default();
    loop {
        let page = client
            .call(request.clone(), |channel, request| async move {
                PartnerServiceClient::new(channel).list_partners(request).await
            })
            .await?;
        answer.partners.extend(page.partners);
        request.page_token = page.next_page_token;
        if request.page_token.is_empty() {
            break;
        }
    }
    show(connect.output(), "puente.access.v1.ListPartnersResponse", &answer, |answer| {
        let mut table = table(["Partner", "Role", "State", "Display name", "Scopes"]);
        for partner in &answer.partners {
            table.add_row([
                partner.name.trim_start_matches("partners/").to_owned(),
                role(partner),
                word(partner.state().as_str_name(), "PARTNER_STATE_"),
                partner.display_name.clone(),
                partner.scopes.len().to_string(),
            ]);
        }
        format!("{table}\n")
    })
}

fn one(partner: Option<&PartnerMessage>) -> String {
    let partner = partner.cloned().unwrap_or_default();
    let identities: Vec<_> = partner
        .identities
        .iter()
        .map(|one| {
            let kind = word(one.r#type().as_str_name(), "IDENTITY_TYPE_").to_ascii_lowercase();
            format!("{kind}:{}", one.value)
        })
        .collect();
    let limits = partner.limits.unwrap_or_default();
    facts([
        ("Partner", partner.name.clone()),
        ("Role", role(&partner)),
        ("State", word(partner.state().as_str_name(), "PARTNER_STATE_")),
        ("Suspended because", partner.suspension_reason.clone()),
        ("Display name", partner.display_name.clone()),
        ("Certificates", identities.join("\n")),
        ("Scopes", partner.scopes.join(" ")),
        (
            "Limits",
            format!(
                "{} reads, {} writes a second, {} streams",
                limits.reads_per_second, limits.writes_per_second, limits.streams
            ),
        ),
    ])
}

fn role(partner: &PartnerMessage) -> String {
    let role = word(partner.role().as_str_name(), "ROLE_");
    match partner.agency() {
        Authority::Unspecified => role,
        agency => format!("{role} {}", word(agency.as_str_name(), "AUTHORITY_")),
    }
}
