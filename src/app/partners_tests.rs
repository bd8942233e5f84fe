//! What an operator may do, and that it holds at once.

use super::*;
use crate::app::access::Identified;
use crate::app::test_stage::Stage;

fn new(id: &str, role: Role) -> NewPartner {
    NewPartner {
        id: id.parse().unwrap(),
        role,
        agency: None,
        display_name: format!("Partner {id}"),
        identities: vec![identity(id)],
        scopes: None,
        limits: None,
    }
}

fn identity(id: &str) -> CertificateIdentity {
    format!("san_uri:urn:puente:partner:{id}").parse().unwrap()
}

fn id(text: &str) -> PartnerId {
    text.parse().unwrap()
}

async fn two() -> Stage {
    let stage = Stage::set().await;
    for (name, role) in [("operator", Role::Operator), ("market", Role::Marketplace)] {
        stage.app.create_partner(&stage.intent("operator"), new(name, role)).await.unwrap();
    }
    stage
}

#[tokio::test]
async fn a_partner_is_known_by_its_certificate_at_once() {
    let stage = two().await;
    let found = stage.app.directory.by_identity(&[identity("market")]);
    let Identified::Partner(partner) = found else { panic!("{found:?}") };
    assert_eq!(partner.id.as_str(), "market");
    assert_eq!(partner.scopes, Role::Marketplace.grantable());
    let intent = stage.intent("operator");
    let again = stage.app.create_partner(&intent, new("market", Role::Broker)).await;
    assert_eq!(again.unwrap_err().reason, "PARTNER_EXISTS");
}

#[tokio::test]
async fn an_attribute_names_one_partner_only() {
    let stage = two().await;
    let mut other = new("other", Role::Marketplace);
    other.identities = vec![identity("market")];
    let intent = stage.intent("operator");
    let taken = stage.app.create_partner(&intent, other).await.unwrap_err();
    assert_eq!(taken.reason, "CERTIFICATE_BOUND");

    let intent = stage.intent("operator");
    let bound = stage.app.bind_certificate(&intent, &id("operator"), "", identity("market")).await;
    assert_eq!(bound.unwrap_err().reason, "CERTIFICATE_BOUND");
    let intent = stage.intent("operator");
    let freed = stage.app.unbind_certificate(&intent, &id("market"), "", identity("market")).await;
    assert!(freed.unwrap().value.value.identities.is_empty());
    let intent = stage.intent("operator");
    stage.app.bind_certificate(&intent, &id("operator"), "", identity("market")).await.unwrap();
}

#[tokio::test]
async fn two_operators_cannot_bind_one_attribute_to_two_partners() {
    let stage = two().await;
    let (one, two) = (stage.intent("operator"), stage.intent("operator"));
    let (market, operator) = (id("market"), id("operator"));
    let (first, second) = tokio::join!(
        stage.app.bind_certificate(&one, &market, "", identity("fresh")),
        stage.app.bind_certificate(&two, &operator, "", identity("fresh")),
    );
    assert_eq!(u8::from(first.is_ok()) + u8::from(second.is_ok()), 1);
    let refused = first.err().or(second.err()).unwrap();
    assert_eq!(refused.reason, "CERTIFICATE_BOUND");
}

#[tokio::test]
async fn a_suspension_holds_at_once_and_is_lifted() {
    let stage = two().await;
    let changes = stage.app.directory.changes();
    let intent = stage.intent("operator");
    let reason = "key lost".to_owned();
    let suspended =
        stage.app.suspend_partner(&intent, &id("market"), "\"1\"", reason.clone()).await.unwrap();
    assert_eq!(suspended.value.version, 2);
    assert!(changes.has_changed().unwrap());
    assert!(!stage.app.directory.partner(&id("market")).unwrap().is_active());

    let again = stage.app.suspend_partner(&intent, &id("market"), "\"1\"", reason).await.unwrap();
    assert!(again.replayed);
    assert_eq!((again.value, again.receipt), (suspended.value, suspended.receipt));

    let intent = stage.intent("operator");
    let lifted =
        stage.app.reinstate_partner(&intent, &id("market"), "", "new key".into()).await.unwrap();
    assert!(lifted.value.partner.value.is_active());
    assert!(stage.app.directory.partner(&id("market")).unwrap().is_active());
}

#[tokio::test]
async fn an_operator_cannot_shut_itself_out() {
    let stage = two().await;
    let (app, own) = (&stage.app, id("operator"));
    let intent = stage.intent("operator");
    let refused = [
        app.suspend_partner(&intent, &own, "", "mistake".into()).await.unwrap_err(),
        app.set_grant(&intent, &own, "", ScopeSet::EMPTY).await.unwrap_err(),
        app.unbind_certificate(&intent, &own, "", identity("operator")).await.unwrap_err(),
    ];
    assert!(refused.iter().all(|error| error.reason == "OWN_ACCOUNT"), "{refused:?}");
}

#[tokio::test]
async fn a_grant_stays_within_the_role_and_etags_hold() {
    let stage = two().await;
    let beyond = ScopeSet::of(&[Scope::RegistryWrite]);
    let intent = stage.intent("operator");
    let refused = stage.app.set_grant(&intent, &id("market"), "", beyond).await.unwrap_err();
    assert_eq!(refused.reason, "GRANT_BEYOND_ROLE");
    let less = ScopeSet::of(&[Scope::SalesWrite]);
    let stale = stage.app.set_grant(&intent, &id("market"), "\"7\"", less).await.unwrap_err();
    assert_eq!(stale.reason, "STALE_ETAG");
    let granted = stage.app.set_grant(&intent, &id("market"), "\"1\"", less).await.unwrap();
    assert_eq!(granted.value.value.scopes, less);
    let nobody = stage.app.set_grant(&stage.intent("operator"), &id("nobody"), "", less).await;
    assert_eq!(nobody.unwrap_err().reason, "NOT_FOUND");
}

#[tokio::test]
async fn lists_are_filtered_and_go_on() {
    let stage = two().await;
    let first = stage.app.list_partners(PartnerFilter::default(), 1, String::new()).await.unwrap();
    assert_eq!(first.items[0].value.id.as_str(), "market");
    let next = first.next.unwrap();
    let second = stage.app.list_partners(PartnerFilter::default(), 1, next).await.unwrap();
    assert_eq!((second.items[0].value.id.as_str(), second.next), ("operator", None));
    let filter = PartnerFilter { role: Some(Role::Operator), state: Some(PartnerState::Active) };
    let some = stage.app.list_partners(filter, 9, String::new()).await.unwrap();
    assert_eq!(some.items.len(), 1);
}

#[tokio::test]
async fn judging_only_stores_nothing() {
    let stage = two().await;
    let mut intent = stage.intent("operator");
    intent.validate_only = true;
    let judged = stage.app.suspend_partner(&intent, &id("market"), "", "why".into()).await.unwrap();
    assert_eq!((judged.receipt, judged.value.version), (None, 2));
    assert!(stage.app.directory.partner(&id("market")).unwrap().is_active());
}
