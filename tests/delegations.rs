//! Delegations from outside: by customs' commands, and what brokers are told of each other's.

use puente::cli::Client;
use puente::proto::puente::access::v1::Role;
use puente::proto::puente::customs::v1::declaration_service_client::DeclarationServiceClient;
use puente::proto::puente::customs::v1::delegation_service_client::DelegationServiceClient;
use puente::proto::puente::customs::v1::{
    Delegation, GetDeclarationRequest, GetDelegationRequest, ListDeclarationsRequest,
    ListDelegationsRequest, RecordDelegationRequest, RevokeDelegationRequest,
};
use serde_json::Value;
use tonic::Code;

use crate::common::process::{Ran, run_beside};
use crate::common::stage::{Stage, further_partner};
use crate::common::{ask, goods, reason};
use crate::declarations::hand_in;

const ONE: &str = "26001EC01000001A";
/// An exporter of which nothing is declared.
const OTHER: &str = "33693450239";

async fn run_as(stage: &Stage, partner: &str, args: &[&str]) -> Ran {
    let profile = stage.folder.profile(partner);
    let rest = ["--output", "json", "--profile", profile.to_str().unwrap()];
    run_beside(&[args, &rest].concat()).await
}

fn json(ran: &Ran) -> Value {
    serde_json::from_str(&ran.out).unwrap_or_else(|reason| panic!("{reason}: {ran:?}"))
}

async fn delegate(customs: &Client, broker: &str, exporter: &str) -> Delegation {
    let request = RecordDelegationRequest {
        request_id: customs.request_id(),
        broker: format!("partners/{broker}"),
        exporter_cuit: exporter.into(),
        valid_from: Some(goods::date(2026, 1, 1)),
        source: "Poder 7".into(),
        ..Default::default()
    };
    let answer = ask!(customs, DelegationServiceClient.record_delegation(request)).unwrap();
    answer.delegation.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_sees_its_own_delegations_and_what_they_are_about() {
    let stage = Stage::start().await.with_exporter().await;
    hand_in(&stage.client("marketplace"), &["W-1"]).await;
    let customs = stage.client("customs");
    let request = puente::proto::puente::customs::v1::RegisterDeclarationRequest {
        request_id: customs.request_id(),
        declaration: Some(goods::declaration(ONE, &["W-1"])),
        ..Default::default()
    };
    ask!(customs, DeclarationServiceClient.register_declaration(request)).unwrap();
    let first = further_partner(&stage.folder, "first", Role::Broker).await;
    let second = further_partner(&stage.folder, "second", Role::Broker).await;
    let own = delegate(&customs, "first", goods::CUIT).await;
    let others = delegate(&customs, "second", OTHER).await;

    // What is another's is told exactly as what is not there.
    let get = async |client: &Client, name: &str| {
        let request = GetDelegationRequest { name: name.into() };
        ask!(client, DelegationServiceClient.get_delegation(request))
    };
    let absent = format!("delegations/{}", first.request_id());
    let told = async |name: &str| {
        let status = get(&second, name).await.unwrap_err();
        (status.code(), status.message().to_owned(), status.details().to_vec())
    };
    assert_eq!(told(&own.name).await, told(&absent).await);
    let read = get(&first, &own.name).await.unwrap().delegation.unwrap();
    assert_eq!((read.exporter_cuit.as_str(), &read), (goods::CUIT, &own));
    let list = async |client: &Client| -> Vec<String> {
        let request = ListDelegationsRequest::default();
        let answer = ask!(client, DelegationServiceClient.list_delegations(request)).unwrap();
        answer.delegations.into_iter().map(|one| one.name).collect()
    };
    assert_eq!(list(&first).await, std::slice::from_ref(&own.name));
    assert_eq!(list(&second).await, std::slice::from_ref(&others.name));
    assert_eq!(list(&stage.client("marketplace")).await, [""; 0]);
    assert_eq!(list(&stage.client("auditor")).await.len(), 2);

    // The declaration is there for the one whose delegation holds, as long as it does.
    let declared = async |client: &Client| {
        let request = GetDeclarationRequest { name: format!("declarations/{ONE}") };
        let got = ask!(client, DeclarationServiceClient.get_declaration(request));
        let request = ListDeclarationsRequest::default();
        let listed = ask!(client, DeclarationServiceClient.list_declarations(request)).unwrap();
        assert_eq!(listed.declarations.len(), usize::from(got.is_ok()));
        got.map(|_| ()).map_err(|status| status.code())
    };
    assert_eq!(declared(&first).await, Ok(()));
    assert_eq!(declared(&second).await, Err(Code::NotFound));
    let request = RevokeDelegationRequest {
        request_id: customs.request_id(),
        name: own.name.clone(),
        source: "Revocatoria 1".into(),
        ..Default::default()
    };
    ask!(customs, DelegationServiceClient.revoke_delegation(request.clone())).unwrap();
    assert_eq!(declared(&first).await, Err(Code::NotFound));

    // A broker has customs.write, and writes no delegation with it.
    let request = RevokeDelegationRequest { name: others.name, ..request };
    let status = ask!(second, DelegationServiceClient.revoke_delegation(request)).unwrap_err();
    assert_eq!((status.code(), &*reason(&status)), (Code::PermissionDenied, "NOT_CUSTOMS"));
    let request = RecordDelegationRequest {
        request_id: second.request_id(),
        broker: "partners/second".into(),
        exporter_cuit: goods::CUIT.into(),
        valid_from: Some(goods::date(2026, 1, 1)),
        source: "its own word".into(),
        ..Default::default()
    };
    let status = ask!(second, DelegationServiceClient.record_delegation(request)).unwrap_err();
    assert_eq!((status.code(), &*reason(&status)), (Code::PermissionDenied, "NOT_CUSTOMS"));
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn customs_keeps_them_by_its_commands_and_from_a_file() {
    let stage = Stage::start().await;
    further_partner(&stage.folder, "despachante", Role::Broker).await;
    let lines = [
        "broker,exporter_cuit,valid_from,valid_to,source",
        "despachante,30-50001091-2,2026-01-01,,Poder 1",
        "despachante,33-69345023-9,2026-01-01,2026-01-31,Poder 2",
        "despachante,33-69345023-8,2026-01-01,,Poder 3",
        "nobody,20-26756539-3,2026-01-01,,Poder 4",
        "despachante,20-26756539-3,2026-02-01,2026-01-31,Poder 5",
    ];
    let file = stage.folder.scratch("delegations.csv", lines.join("\n"));
    let push = ["push", "delegations", file.to_str().unwrap()];
    for _ in 0..2 {
        let ran = run_as(&stage, "customs", &push).await;
        assert_eq!(ran.code, 1, "{ran:?}");
        let states: Vec<_> = json(&ran)["delegations"].as_array().unwrap().clone();
        let states: Vec<_> = states.iter().map(|one| one["state"].as_str().unwrap()).collect();
        assert_eq!(states, ["DELEGATION_STATE_ACTIVE", "DELEGATION_STATE_EXPIRED"]);
        for told in [
            "line 4: exporter_cuit: INVALID_CUIT: ",
            "line 5: UNKNOWN_BROKER: ",
            "line 6: valid_to: INVALID_FIELD: ",
        ] {
            assert!(ran.err.contains(told), "{told:?} is not told: {}", ran.err);
        }
    }
    let list = ["delegation", "list", "--exporter", "30-50001091-2", "--active-on", "2026-06-30"];
    let listed = json(&run_as(&stage, "customs", &list).await)["delegations"].clone();
    assert_eq!((listed.as_array().unwrap().len(), &listed[0]["validTo"]), (1, &Value::Null));
    assert_eq!(listed[0]["facts"].as_array().unwrap().len(), 1, "the file was sent twice");
    let name = listed[0]["name"].as_str().unwrap();
    let revoke = ["delegation", "revoke", name, "--source", "Revocatoria 1"];
    let ran = run_as(&stage, "customs", &revoke).await;
    assert_eq!(json(&ran)["delegation"]["state"], "DELEGATION_STATE_REVOKED", "{ran:?}");
    let listed = json(&run_as(&stage, "customs", &list[..4]).await)["delegations"].clone();
    assert_eq!(listed[0]["facts"][1]["effect"], "DELEGATION_EFFECT_REVOKED");
    let record = [
        "delegation",
        "record",
        "--broker",
        "despachante",
        "--exporter",
        "30-50001091-2",
        "--from",
        "2026-01-01",
        "--source",
        "Poder 6",
    ];
    let ran = run_as(&stage, "customs", &record).await;
    assert_eq!(json(&ran)["delegation"]["name"], name, "{ran:?}");
    let ran = run_as(&stage, "customs", &["delegation", "get", name]).await;
    assert_eq!(json(&ran)["delegation"]["facts"].as_array().unwrap().len(), 3, "{ran:?}");
    let ran = run_as(&stage, "marketplace", &record).await;
    assert!(ran.code == 1 && ran.err.starts_with("error: SCOPE_MISSING: "), "{ran:?}");
    stage.stop().await;
}
