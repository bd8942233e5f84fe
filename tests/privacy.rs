//! What partners say stays out of logs, the audit record, metrics and the ledger's leaves; and no
//! text of theirs can forge a line.

use std::time::Duration;

use puente::domain::listing::listing_key;
use puente::proto::puente::access::v1::partner_service_client::PartnerServiceClient;
use puente::proto::puente::access::v1::{Role, SuspendPartnerRequest};
use puente::proto::puente::customs::v1::declaration_service_client::DeclarationServiceClient;
use puente::proto::puente::customs::v1::delegation_service_client::DelegationServiceClient;
use puente::proto::puente::customs::v1::{
    AmendDeclarationRequest, Declaration, ListDeclarationsRequest, RecordDelegationRequest,
    RegisterDeclarationRequest,
};
use puente::proto::puente::ledger::v1::GetEntryRequest;
use puente::proto::puente::ledger::v1::ledger_service_client::LedgerServiceClient;
use puente::proto::puente::listings::v1::listing_service_client::ListingServiceClient;
use puente::proto::puente::listings::v1::{CreateListingRequest, SubmitListingRequest};
use puente::proto::puente::registry::v1::registry_service_client::RegistryServiceClient;
use puente::proto::puente::registry::v1::sync_exporters_request::Part;
use puente::proto::puente::sellers::v1::seller_service_client::SellerServiceClient;
use puente::proto::puente::sellers::v1::{
    BatchVerifySellersRequest, GetSellerRequest, RequestVerificationRequest, VerifySellerRequest,
};
use tonic::Request;

use crate::common::push::{append, open_report};
use crate::common::stage::{ProcessStage, further_partner, read};
use crate::common::wire::{self, authorize, get, tls_config};
use crate::common::{ask, goods};
use crate::exactly_once::entries;

/// A CUIT whose check digit is right, and the same with a wrong one.
const CANARY: &str = "20-31415926-9";
const WRONG: &str = "20314159260";
const EMAIL: &str = "canary@market.example";
/// Would be a line of its own where control characters are let through.
const FORGED: &str = "x\r\n{\"level\":\"INFO\",\"forged\":true}\r\n\u{1b}[2J\u{202e}";

#[test]
fn the_canary_is_what_it_should_be() {
    assert!(CANARY.parse::<puente::domain::cuit::Cuit>().is_ok());
    assert!(WRONG.parse::<puente::domain::cuit::Cuit>().is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_canary_is_found_outside_the_store_and_no_line_is_forged() {
    let mut stage = ProcessStage::with("[telemetry]\nlog = \"info,puente=trace\"\n");
    let cuit = CANARY.replace('-', "");
    let (registry, client) = (stage.client("registry"), stage.client("marketplace"));
    let (operator, auditor) = (stage.client("operator"), stage.client("auditor"));
    let customs = stage.client("customs");

    // Everywhere a CUIT, an address or free text may stand, rightly and wrongly.
    let mut sync = goods::exporters(registry.request_id(), &[&cuit, WRONG]);
    for part in &mut sync {
        if let Some(Part::Chunk(chunk)) = &mut part.part {
            chunk.rows[0].legal_name = format!("Bodega {EMAIL}");
            chunk.rows[1].legal_name = FORGED.into();
        }
    }
    let synced = ask!(registry, RegistryServiceClient.sync_exporters(tokio_stream::iter(sync)));
    assert_eq!(synced.unwrap().created, 1);
    for asked in [CANARY, &cuit, WRONG] {
        let request = VerifySellerRequest { cuit: asked.into(), ..Default::default() };
        let _ = ask!(client, SellerServiceClient.verify_seller(request));
    }
    let request =
        BatchVerifySellersRequest { cuits: vec![WRONG.into(), cuit.clone()], ..Default::default() };
    let _ = ask!(client, SellerServiceClient.batch_verify_sellers(request));
    for message in [EMAIL, FORGED] {
        let request = RequestVerificationRequest {
            request_id: client.request_id(),
            cuit: cuit.clone(),
            message: message.into(),
            ..Default::default()
        };
        let _ = ask!(client, SellerServiceClient.request_verification(request));
    }
    for name in [format!("sellers/{cuit}"), format!("sellers/{FORGED}")] {
        let _ = ask!(customs, SellerServiceClient.get_seller(GetSellerRequest { name }));
    }
    for (sku, title) in [("A", EMAIL), ("B", FORGED), (FORGED, "C")] {
        let mut listing = goods::listing(sku);
        listing.title = title.into();
        listing.seller_cuit.clone_from(&cuit);
        let request = CreateListingRequest {
            request_id: client.request_id(),
            listing: Some(listing),
            validate_only: false,
        };
        let _ = ask!(client, ListingServiceClient.create_listing(request));
    }
    // The canary exports what it offers, and declares for itself and for others.
    let request = SubmitListingRequest {
        request_id: client.request_id(),
        name: format!("listings/{}", listing_key(&"marketplace".parse().unwrap(), "A")),
        ..Default::default()
    };
    ask!(client, ListingServiceClient.submit_listing(request)).unwrap();
    for (number, declarant) in [("26001EC01000001A", &*cuit), ("26001EC01000002B", WRONG)] {
        let request = RegisterDeclarationRequest {
            request_id: customs.request_id(),
            declaration: Some(Declaration {
                exporter_cuit: cuit.clone(),
                declarant_cuit: declarant.into(),
                ..goods::declaration(number, &["A"])
            }),
            ..Default::default()
        };
        let told = ask!(customs, DeclarationServiceClient.register_declaration(request));
        assert_eq!(told.is_ok(), declarant == cuit, "{told:?}");
    }
    let request = AmendDeclarationRequest {
        request_id: customs.request_id(),
        name: "declarations/26001EC01000001A".into(),
        reason: format!("{EMAIL} {CANARY}"),
        declarant_cuit: "33693450239".into(),
        ..Default::default()
    };
    ask!(customs, DeclarationServiceClient.amend_declaration(request)).unwrap();
    let request = ListDeclarationsRequest { exporter_cuit: CANARY.into(), ..Default::default() };
    ask!(customs, DeclarationServiceClient.list_declarations(request)).unwrap();

    let broker = further_partner(&stage.folder, "despachante", Role::Broker).await;
    let request = RecordDelegationRequest {
        request_id: customs.request_id(),
        broker: "partners/despachante".into(),
        exporter_cuit: cuit.clone(),
        valid_from: Some(goods::date(2026, 1, 1)),
        source: format!("{EMAIL} {CANARY}"),
        ..Default::default()
    };
    ask!(customs, DelegationServiceClient.record_delegation(request)).unwrap();
    let request = RegisterDeclarationRequest {
        request_id: broker.request_id(),
        declaration: Some(Declaration {
            exporter_cuit: cuit.clone(),
            ..goods::declaration("26001EC01000003C", &["A"])
        }),
        ..Default::default()
    };
    ask!(broker, DeclarationServiceClient.register_declaration(request)).unwrap();

    let report = open_report(&client, goods::period()).await.name;
    let mut batch = goods::batch(0, 3);
    batch.lines[0].order_id = FORGED.into();
    batch.lines[1].sku = "A".into();
    append(&client, &report, batch).await.unwrap();
    let request = SuspendPartnerRequest {
        request_id: operator.request_id(),
        name: "partners/inal".into(),
        reason: format!("{FORGED} {EMAIL} {cuit}"),
        ..Default::default()
    };
    let _ = ask!(operator, PartnerServiceClient.suspend_partner(request));

    // A token, where it belongs and where it does not.
    let token = client.tokens.token().await.unwrap().access_token;
    let ca = stage.path().join("pki/ca.pem");
    let inv = stage.folder.identity("inv");
    let stranger = wire::channel(stage.served.address, tls_config(&ca, Some(&inv), "h2"));
    let mut request =
        Request::new(VerifySellerRequest { cuit: cuit.clone(), ..Default::default() });
    authorize(request.metadata_mut(), &token);
    let status = SellerServiceClient::new(stranger).verify_seller(request).await.unwrap_err();
    assert!(!format!("{status:?}").contains(&token));
    for path in ["/oauth2/introspect", "/oauth2/revoke"] {
        let config = tls_config(&ca, Some(&inv), "http/1.1");
        let form = format!("token={token}");
        wire::post_form(stage.served.address, config, path, &form).await.unwrap();
    }

    let (status, metrics) = get(stage.served.admin_address, "/metrics").await.unwrap();
    assert!(status == 200 && metrics.contains("puente_calls"), "{metrics}");
    let mut leaves = String::new();
    for index in 0..entries(&auditor).await {
        let entry = ask!(auditor, LedgerServiceClient.get_entry(GetEntryRequest { index }));
        leaves += &String::from_utf8(entry.unwrap().entry.unwrap().data).unwrap();
        leaves.push('\n');
    }
    for kind in ["declaration.registered", "delegation.recorded", "\"on_behalf_of\":\"delegations/"]
    {
        assert!(leaves.contains(kind), "{leaves}");
    }
    drop((registry, client, operator, auditor, customs, broker));
    stage.served.signal("TERM");
    assert!(stage.served.ended(Duration::from_secs(10)).is_some());
    let log = stage.served.logged();
    let audit: String = std::fs::read_dir(stage.path().join("data/audit"))
        .unwrap()
        .map(|entry| read(&entry.unwrap().path()))
        .collect();
    for (name, text) in [("log", &log), ("audit", &audit)] {
        assert!(text.contains("VerifySeller"), "the {name} does not hold the run:\n{text}");
        for line in text.lines() {
            let value: serde_json::Value = serde_json::from_str(line).unwrap_or_else(|reason| {
                panic!("the {name} has a line of another form: {reason}: {line}")
            });
            assert!(value.get("forged").is_none(), "the {name} has a forged line: {line}");
            assert!(!line.contains('\u{1b}') && !line.contains('\u{202e}'), "{name}: {line:?}");
        }
    }

    // The middle of a token is its content, which anybody can read.
    let secrets =
        [&cuit, CANARY, WRONG, "31415926", EMAIL, &token, token.split('.').nth(1).unwrap()];
    for (name, text) in [("log", log), ("audit", audit), ("metrics", metrics), ("leaves", leaves)] {
        for secret in secrets {
            let found = text.lines().find(|line| line.contains(secret));
            assert!(found.is_none(), "{secret} stands in the {name}: {found:?}");
        }
    }
}
