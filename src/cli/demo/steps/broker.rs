//! A customs broker declares for an exporter that delegated to it, and for nobody else.

use super::super::Run;
use super::super::screen::Table;
use crate::cli::{Client, Outcome, parse};
use crate::domain::exporter::argentine_day;
use crate::pki::partner_uri;
use crate::proto::puente::access::v1::partner_service_client::PartnerServiceClient;
use crate::proto::puente::access::v1::{
    CertificateIdentity, CreatePartnerRequest, IdentityType, Partner, Role,
};
use crate::proto::puente::customs::v1::declaration_service_client::DeclarationServiceClient;
use crate::proto::puente::customs::v1::delegation_service_client::DelegationServiceClient;
use crate::proto::puente::customs::v1::{
    Declaration, Delegation, GetDeclarationRequest, RecordDelegationRequest,
    RegisterDeclarationRequest, RegisterDeclarationResponse, RevokeDelegationRequest,
};
use crate::proto::puente::ledger::v1::GetEntryRequest;
use crate::proto::puente::ledger::v1::ledger_service_client::LedgerServiceClient;

/// The broker's id.
const BROKER: &str = "despachante";
/// The number that the broker registers, of no file.
const NUMBER: &str = "26001EC01999999Z";

/// Without a delegation nothing, with one what is its exporter's, and nothing once it is revoked.
pub(in super::super) async fn declare_for_another(run: &mut Run) -> Outcome {
    if run.input.customs.is_none() {
        return Ok(());
    }
    run.screen.title("A broker declares for the exporter that delegated to it, and nobody else")?;
    let customs = run.client("customs")?;
    let all = super::customs::list(&customs).await?;
    let Some(sample) = all.first().cloned() else { return Ok(()) };
    let own: Vec<_> = all.iter().filter(|one| one.exporter_cuit == sample.exporter_cuit).collect();
    let other = all.iter().find(|one| one.exporter_cuit != sample.exporter_cuit).cloned();
    let other = other.unwrap_or_default();
    let mut table = Table::new("What the broker is told", ["When", "Asks for", "Answer"]);
    let mut told = |run: &mut Run, when: &str, what: &str, expected: &str, found: String| {
        run.check(format!("{when}: {what}"), expected, &found);
        table.row([when.to_owned(), what.to_owned(), found]);
    };

    let broker = admit(run).await?;
    let when = "without a delegation";
    let seen = super::customs::list(&broker).await?.len();
    told(run, when, "all declarations", "0", seen.to_string());
    let answer = register(&broker, &sample).await;
    told(run, when, "to declare for an exporter", "NO_DELEGATION", word(&answer));

    let delegation = delegate(run, &customs, &sample.exporter_cuit).await?;
    let when = "with its delegation";
    let seen = super::customs::list(&broker).await?;
    let only = seen.iter().all(|one| one.exporter_cuit == sample.exporter_cuit);
    run.check("the broker sees of its exporter only", true, only);
    told(run, when, "all declarations", &own.len().to_string(), seen.len().to_string());
    let made = register(&broker, &sample).await;
    told(run, when, "to declare for its exporter", "done", word(&made));
    let answer = register(&broker, &other).await;
    told(run, when, "to declare for another", "NO_DELEGATION", word(&answer));
    let answer = get(&broker, &other.name).await;
    told(run, when, "a declaration of another", "NOT_FOUND", word(&answer));
    let receipt = made.ok().and_then(|answer| answer.receipt).unwrap_or_default();
    let request = GetEntryRequest { index: receipt.index };
    let auditor = run.client("auditor")?;
    let entry = call!(auditor, LedgerServiceClient.get_entry, request)?.entry.unwrap_or_default();
    let entry = String::from_utf8_lossy(&entry.data).into_owned();

    let request = RevokeDelegationRequest {
        request_id: customs.request_id(),
        name: delegation.name.clone(),
        source: "the exporter took it back, in this example".into(),
        ..Default::default()
    };
    call!(customs, DelegationServiceClient.revoke_delegation, request)?;
    let when = "once it is revoked";
    let answer = get(&broker, &format!("declarations/{NUMBER}")).await;
    told(run, when, "the declaration it registered", "NOT_FOUND", word(&answer));
    run.screen.table(table)?;
    run.check("the entry names who acted", true, entry.contains(&format!("\"{BROKER}\"")));
    run.check("the entry names for whom", true, entry.contains(&delegation.name));
    run.check("the entry shows no CUIT", false, entry.contains(&sample.exporter_cuit));
    run.screen.say(&format!(
        "The ledger's entry of what it declared names both: {BROKER} acted, under {}. Only who \
         may read that delegation learns which exporter it is.",
        delegation.name
    ))
}

/// Lets a broker in.
async fn admit(run: &mut Run) -> Outcome<std::sync::Arc<Client>> {
    run.world.admit(BROKER)?;
    let operator = run.client("operator")?;
    let request = CreatePartnerRequest {
        request_id: operator.request_id(),
        partner_id: BROKER.into(),
        partner: Some(Partner {
            role: Role::Broker.into(),
            display_name: "A customs broker".into(),
            identities: vec![CertificateIdentity {
                r#type: IdentityType::SanUri.into(),
                value: partner_uri(BROKER),
            }],
            ..Default::default()
        }),
        validate_only: false,
    };
    call!(operator, PartnerServiceClient.create_partner, request)?;
    run.client(BROKER)
}

async fn delegate(run: &Run, customs: &Client, exporter: &str) -> Outcome<Delegation> {
    let request = RecordDelegationRequest {
        request_id: customs.request_id(),
        broker: format!("partners/{BROKER}"),
        exporter_cuit: exporter.to_owned(),
        valid_from: Some(parse::proto_date(argentine_day(run.began))),
        source: "a mandate, in this example".into(),
        ..Default::default()
    };
    let answer = call!(customs, DelegationServiceClient.record_delegation, request)?;
    Ok(answer.delegation.unwrap_or_default())
}

/// The first item of a declaration under a number of its own.
async fn register(broker: &Client, like: &Declaration) -> Outcome<RegisterDeclarationResponse> {
    let declaration = Declaration {
        number: NUMBER.into(),
        items: like.items.first().cloned().into_iter().collect(),
        etag: String::new(),
        ..like.clone()
    };
    let request = RegisterDeclarationRequest {
        request_id: broker.request_id(),
        declaration: Some(declaration),
        ..Default::default()
    };
    call!(broker, DeclarationServiceClient.register_declaration, request)
}

async fn get(broker: &Client, name: &str) -> Outcome {
    let request = GetDeclarationRequest { name: name.to_owned() };
    call!(broker, DeclarationServiceClient.get_declaration, request).map(drop)
}

fn word<T>(answer: &Outcome<T>) -> String {
    answer.as_ref().map_or_else(|failure| failure.reason.clone(), |_| "done".to_owned())
}
