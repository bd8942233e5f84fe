use proptest::prelude::*;

use super::*;
use crate::domain::scope::Scope;

fn marketplace() -> Partner {
    let id = "marketplace".parse().unwrap();
    Partner::register(
        id,
        Role::Marketplace,
        None,
        "A marketplace".to_owned(),
        Timestamp::UNIX_EPOCH,
    )
    .unwrap()
}

proptest! {
    #[test]
    fn an_id_parses_to_what_it_prints(text in "[a-z][a-z0-9-]{1,30}") {
        prop_assert_eq!(text.parse::<PartnerId>().unwrap().to_string(), text);
    }

    #[test]
    fn nothing_else_is_an_id(text in "[A-Z_.á0-9][a-z]{0,40}|[a-z]{32,40}|[a-z]?") {
        prop_assert_eq!(text.parse::<PartnerId>().unwrap_err().reason, "INVALID_PARTNER_ID");
    }
}

#[test]
fn nobody_is_named_as_the_gateway_itself() {
    let named = |id: &str| {
        let (id, role) = (id.parse().unwrap(), Role::Auditor);
        Partner::register(id, role, None, "Somebody".to_owned(), Timestamp::UNIX_EPOCH)
    };
    assert_eq!(named(Partner::GATEWAY).unwrap_err().reason, "RESERVED_PARTNER_ID");
    named("gateway-2").unwrap();
}

/// The grant table as it stands in the contract: scope, then the roles that can hold it.
#[test]
fn the_grants_are_those_of_the_contract() {
    use Role::*;
    const ALL: &[Role] = Role::ALL;
    let table: &[(&str, &[Role])] = &[
        ("sellers.verify", &[Marketplace, ExportRegistry, Customs, Agency, Broker]),
        ("sellers.read", &[ExportRegistry, Customs, Agency, Auditor]),
        ("registry.write", &[ExportRegistry]),
        ("listings.write", &[Marketplace]),
        ("listings.read", &[Marketplace, Customs, Agency, Auditor]),
        ("clearance.decide", &[Customs, Agency]),
        ("customs.write", &[Customs, Broker]),
        ("customs.read", &[Marketplace, Customs, Auditor, Broker]),
        ("sales.write", &[Marketplace]),
        ("sales.read", &[Marketplace, Customs, Auditor]),
        ("periods.close", &[Analyst]),
        ("analytics.read", &[Marketplace, Customs, Analyst, Auditor]),
        ("rules.write", &[Operator]),
        ("partners.admin", &[Operator]),
        ("ledger.read", &[Auditor, Operator]),
        ("events.read", ALL),
        ("reference.read", ALL),
    ];
    assert_eq!(table.len(), Scope::ALL.len());
    for (scope, roles) in table {
        let scope: Scope = scope.parse().unwrap();
        for role in Role::ALL {
            assert_eq!(role.grantable().contains(scope), roles.contains(role), "{scope} {role}");
        }
    }
}

#[test]
fn a_grant_beyond_the_role_is_refused_by_name() {
    let mut partner = marketplace();
    let fault = partner
        .set_grant("sales.write ledger.read".parse().unwrap(), Timestamp::UNIX_EPOCH)
        .unwrap_err();
    assert_eq!(fault.reason, "GRANT_BEYOND_ROLE");
    assert!(fault.message.contains("ledger.read"), "{fault}");
    assert_eq!(partner, marketplace());
    partner.set_grant("sales.write".parse().unwrap(), Timestamp::UNIX_EPOCH).unwrap();
}

#[test]
fn an_agency_says_which_and_nobody_else_does() {
    let register = |role, agency| {
        let id = "someone".parse().unwrap();
        Partner::register(id, role, agency, String::new(), Timestamp::UNIX_EPOCH)
    };
    assert_eq!(register(Role::Agency, None).unwrap_err().reason, "AGENCY_REQUIRED");
    let other = register(Role::Customs, Some(Agency::Inv)).unwrap_err();
    assert_eq!(other.reason, "AGENCY_NOT_ALLOWED");
    let inv = register(Role::Agency, Some(Agency::Inv)).unwrap();
    assert_eq!(inv.authority(), Some(Authority::Inv));
    assert_eq!(register(Role::Customs, None).unwrap().authority(), Some(Authority::Customs));
}

#[test]
fn suspension_and_identities_go_one_step_at_a_time() {
    let at = Timestamp::UNIX_EPOCH;
    let mut partner = marketplace();
    assert_eq!(partner.reinstate(at).unwrap_err().reason, "PARTNER_ACTIVE");
    partner.suspend("key lost".to_owned(), at).unwrap();
    assert_eq!(partner.suspend("again".to_owned(), at).unwrap_err().reason, "PARTNER_SUSPENDED");
    partner.reinstate(at).unwrap();
    assert_eq!(partner.suspension_reason, None);

    let identity: CertificateIdentity = "san_uri:urn:puente:partner:marketplace".parse().unwrap();
    partner.bind(identity.clone(), at).unwrap();
    assert_eq!(partner.bind(identity.clone(), at).unwrap_err().reason, "CERTIFICATE_BOUND");
    partner.unbind(&identity, at).unwrap();
    assert_eq!(partner.unbind(&identity, at).unwrap_err().reason, "CERTIFICATE_NOT_BOUND");
}

#[test]
fn a_partner_survives_its_document() {
    let mut partner = marketplace();
    partner.bind("san_dns:a.example".parse().unwrap(), Timestamp::UNIX_EPOCH).unwrap();
    let json = serde_json::to_string(&partner).unwrap();
    assert_eq!(serde_json::from_str::<Partner>(&json).unwrap(), partner);
}
