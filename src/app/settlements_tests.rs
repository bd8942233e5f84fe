//! Settlements from the first shipment to the last report, and the clock.

use super::*;
use crate::app::declarations::{NamedListing, NewDeclaration, NewItem};
use crate::app::listings::tests::{SELLER, stage, submitted, wine};
use crate::app::partners::NewPartner;
use crate::app::test_stage::Stage;
use crate::domain::customs_declaration::{Declaration, Goods, Incoterm, NewShipment, Terms};
use crate::domain::delegation::{Effect, NewFact};
use crate::domain::partner::PartnerId;
use crate::domain::reference::{ReferenceRow, ReferenceTable};
use crate::domain::settlement::SettlementReporter;
use crate::ledger::Entry;

const NUMBER: &str = "26001EC01000001A";

fn id(item: i64) -> (DeclarationNumber, ItemNumber) {
    (NUMBER.parse().unwrap(), item.try_into().unwrap())
}

/// A declaration with two items of wine, 1,000 USD each; nothing has left.
async fn declared() -> Stage {
    let stage = stage().await;
    submitted(&stage, &wine("W-1")).await;
    let item = |item: i64| NewItem {
        item: item.try_into().unwrap(),
        listing: NamedListing { key: None, sku: "W-1".parse().ok() },
        goods: Goods {
            ncm: "2204.21.00".parse().unwrap(),
            quantity: "100".parse().unwrap(),
            unit: "LTR".parse().unwrap(),
            fob: "1000".parse().unwrap(),
            currency: "USD".parse().unwrap(),
        },
    };
    let terms = Terms {
        exporter: SELLER.parse().unwrap(),
        declarant: SELLER.parse().unwrap(),
        incoterm: Incoterm::Fob,
        destination: None,
        officialised_on: "2026-02-01".parse().unwrap(),
    };
    let new =
        NewDeclaration { number: NUMBER.parse().unwrap(), terms, items: vec![item(1), item(2)] };
    let customs = stage.caller("customs", Role::Customs);
    let intent = stage.intent("customs");
    stage.app.register_declaration(&customs, &intent, None, &new).await.unwrap();
    stage
}

async fn ship(stage: &Stage, item: i64, day: &str) {
    let shipment = NewShipment {
        quantity: "10".parse().unwrap(),
        shipped_on: day.parse().unwrap(),
        reference: None,
        post_shipment: false,
    };
    let customs = stage.caller("customs", Role::Customs);
    let (number, item) = id(item);
    let (intent, shipments) = (stage.intent("customs"), [(item, shipment)]);
    stage.app.record_shipment(&customs, &intent, number, "", &shipments).await.unwrap();
}

fn report(amount: &str, evidence: &str) -> NewReport {
    NewReport {
        amount: amount.parse().unwrap(),
        currency: "USD".parse().unwrap(),
        settled_on: "2026-05-01".parse().unwrap(),
        evidence: evidence.parse().unwrap(),
        reporter: SettlementReporter::Bank,
        certifies: false,
    }
}

async fn record(stage: &Stage, item: i64, new: &NewReport) -> Result<Written<Shown>> {
    let customs = stage.caller("customs", Role::Customs);
    stage.app.record_settlement(&customs, &stage.intent("customs"), id(item), new).await
}

fn told<'e>(error: &'e Error, name: &str) -> &'e str {
    error.metadata.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value)
}

#[tokio::test]
async fn a_settlement_opens_with_the_first_shipment_and_ends_certified() {
    let stage = declared().await;
    let early = record(&stage, 1, &report("1", "S-1")).await.unwrap_err();
    assert_eq!(early.reason, "ILLEGAL_TRANSITION");
    assert_eq!((told(&early, "state"), told(&early, "allowed")), ("DECLARED", "SHIPPED"));
    assert_eq!(record(&stage, 3, &report("1", "S-1")).await.unwrap_err().reason, "NOT_FOUND");

    ship(&stage, 1, "2026-03-01").await;
    ship(&stage, 1, "2026-04-01").await;
    let customs = stage.caller("customs", Role::Customs);
    let opened = stage.app.settlement(&customs, id(1)).await.unwrap();
    assert_eq!(opened.state, SettlementState::Due);
    // 180 days for beverages, from the first shipment on.
    assert_eq!(opened.settlement.due_on(), "2026-08-28".parse().ok());

    let part = record(&stage, 1, &report("400.5", "S-1")).await.unwrap();
    assert_eq!(
        (part.value.state, part.value.settlement.settled),
        (SettlementState::Partial, "400.5".parse().unwrap())
    );
    assert_eq!(part.receipt.unwrap().kind, EntryKind::SettlementRecorded);
    let again = record(&stage, 1, &report("400.5", "S-1")).await.unwrap().value;
    assert_eq!(again.settlement.reports.len(), 1);
    assert_eq!(
        record(&stage, 1, &report("9", "S-1")).await.unwrap_err().reason,
        "SETTLEMENT_DIFFERS"
    );
    let other = NewReport { currency: "EUR".parse().unwrap(), ..report("9999", "S-2") };
    let kept = record(&stage, 1, &other).await.unwrap().value;
    assert_eq!(kept.state, SettlementState::Partial, "nothing is converted");
    let whole = record(&stage, 1, &report("599.5", "S-3")).await.unwrap().value;
    assert_eq!(whole.state, SettlementState::Certified);
    let late = record(&stage, 1, &report("1", "S-4")).await.unwrap_err();
    assert_eq!(late.reason, "ILLEGAL_TRANSITION");
    assert_eq!(
        (told(&late, "state"), told(&late, "allowed")),
        ("CERTIFIED", "DUE, PARTIAL, OVERDUE")
    );
    stage.clock.advance(400 * 86_400);
    assert_eq!(stage.app.meet_deadlines().await.settlements, 0);
}

#[tokio::test]
async fn what_is_not_settled_in_time_is_overdue_and_raised_once() {
    let stage = declared().await;
    ship(&stage, 1, "2026-03-01").await;
    ship(&stage, 2, "2026-03-01").await;
    record(&stage, 2, &report("10", "S-1")).await.unwrap();
    let customs = stage.caller("customs", Role::Customs);
    let in_state = |state, due_by: Option<&str>| {
        let (stage, customs) = (&stage, &customs);
        let query = SettlementsQuery {
            state: Some(state),
            due_by: due_by.map(|day| day.parse().unwrap()),
            limit: 10,
            ..SettlementsQuery::default()
        };
        async move {
            let page = stage.app.list_settlements(customs, &query).await.unwrap();
            page.items.len()
        }
    };
    assert_eq!(in_state(SettlementState::Due, Some("2026-08-27")).await, 0);
    assert_eq!(in_state(SettlementState::Due, Some("2026-08-28")).await, 1);
    let end: jiff::Timestamp = "2026-08-29T03:00:00Z".parse().unwrap();
    stage.clock.advance(end.duration_since(stage.app.env.now()).as_secs() - 1);
    assert_eq!(stage.app.meet_deadlines().await.settlements, 0);
    stage.clock.advance(1);
    assert_eq!(in_state(SettlementState::Overdue, None).await, 2, "reads go by the clock");
    let (one, two) = tokio::join!(stage.app.meet_deadlines(), stage.app.meet_deadlines());
    assert_eq!(one.settlements + two.settlements, 2);
    assert_eq!(stage.app.meet_deadlines().await.settlements, 0);
    let size = stage.app.store.tree().await.unwrap().size();
    let mut raised = Vec::new();
    for index in 0..size {
        let stored = stage.app.store.entry(index).await.unwrap().unwrap();
        let entry = Entry::parse(&stored.entry).unwrap();
        if entry.kind() == Some(EntryKind::SettlementOverdue) {
            assert_eq!(entry.facts()["due_on"], "2026-08-28");
            raised.push(entry.resource().unwrap_or_default().to_owned());
        }
    }
    raised.sort();
    assert_eq!(raised, [1, 2].map(|item| format!("declarations/{NUMBER}/settlements/{item}")));
    // What comes late still counts.
    let certifies = NewReport { certifies: true, ..report("5", "S-9") };
    let done = record(&stage, 2, &certifies).await.unwrap().value;
    assert_eq!(done.state, SettlementState::Certified);
}

#[tokio::test]
async fn settlements_are_for_customs_and_auditors() {
    let stage = declared().await;
    ship(&stage, 1, "2026-03-01").await;
    let query = || SettlementsQuery { limit: 10, ..SettlementsQuery::default() };
    for (partner, role, sees) in [
        ("customs", Role::Customs, true),
        ("auditor", Role::Auditor, true),
        ("market", Role::Marketplace, false),
        ("broker", Role::Broker, false),
    ] {
        let caller = stage.caller(partner, role);
        let listed = stage.app.list_settlements(&caller, &query()).await.unwrap().items;
        assert_eq!(!listed.is_empty(), sees, "{partner}");
        let read = stage.app.settlement(&caller, id(1)).await;
        match sees {
            true => assert_eq!(read.unwrap(), listed[0]),
            false => {
                let absent = stage.app.settlement(&caller, id(2)).await.unwrap_err();
                assert_eq!(read.unwrap_err(), absent, "{partner}");
            }
        }
        let intent = stage.intent(partner);
        let recorded =
            stage.app.record_settlement(&caller, &intent, id(1), &report("1", "S")).await;
        assert_eq!(recorded.is_ok(), role == Role::Customs, "{partner}");
    }
}

async fn delegate(stage: &Stage, exporter: &str, effect: Effect) {
    let fact = NewFact {
        effect,
        valid_from: "2026-05-01".parse().unwrap(),
        valid_to: None,
        source: "Poder 7".parse().unwrap(),
    };
    let pair = (&"broker".parse().unwrap(), exporter.parse().unwrap());
    let (customs, intent) = (stage.caller("customs", Role::Customs), stage.intent("customs"));
    stage.app.record_delegation(&customs, &intent, pair, "", &fact).await.unwrap();
}

#[tokio::test]
async fn a_broker_records_and_sees_settlements_of_those_that_delegated_only() {
    let stage = declared().await;
    ship(&stage, 1, "2026-03-01").await;
    ship(&stage, 2, "2026-03-01").await;
    let new = NewPartner {
        id: "broker".parse().unwrap(),
        role: Role::Broker,
        agency: None,
        display_name: "Broker".into(),
        identities: vec!["san_uri:urn:puente:partner:broker".parse().unwrap()],
        scopes: None,
        limits: None,
    };
    stage.app.create_partner(&stage.intent("operator"), new).await.unwrap();
    let broker = stage.caller("broker", Role::Broker);
    let listed = |exporter: Option<&str>, after: &str, limit| {
        let (stage, broker) = (&stage, &broker);
        let query = SettlementsQuery {
            exporter: exporter.map(|one| one.parse().unwrap()),
            after: after.to_owned(),
            limit,
            ..SettlementsQuery::default()
        };
        async move { stage.app.list_settlements(broker, &query).await.unwrap() }
    };
    let write = |item: i64| {
        let (stage, broker) = (&stage, &broker);
        async move {
            let intent = stage.intent("broker");
            let new = report("10", &format!("S-{item}"));
            stage.app.record_settlement(broker, &intent, id(item), &new).await
        }
    };
    // Another's is as if there were none.
    let missing = stage.app.settlement(&broker, id(7)).await.unwrap_err();
    assert_eq!(stage.app.settlement(&broker, id(1)).await.unwrap_err(), missing);
    assert_eq!(write(1).await.unwrap_err(), write(7).await.unwrap_err());
    for exporter in [None, Some(SELLER)] {
        let page = listed(exporter, "", 10).await;
        assert_eq!((page.items, page.next), (vec![], None));
    }

    delegate(&stage, SELLER, Effect::Granted).await;
    assert_eq!(stage.app.settlement(&broker, id(1)).await.unwrap().state, SettlementState::Due);
    let done = write(1).await.unwrap();
    assert_eq!(done.value.state, SettlementState::Partial);
    let stored = stage.app.store.entry(done.receipt.unwrap().index).await.unwrap().unwrap();
    let entry = Entry::parse(&stored.entry).unwrap();
    assert_eq!(entry.actor(), "broker");
    assert!(entry.text().contains("delegations/"), "for whom: {}", entry.text());
    let first = listed(None, "", 1).await;
    let second = listed(None, &first.next.unwrap(), 1).await;
    assert_eq!([&first.items, &second.items].map(|items| items[0].settlement.item.get()), [1, 2]);
    assert_eq!(listed(Some(SELLER), "", 10).await.items.len(), 2);

    delegate(&stage, SELLER, Effect::Revoked).await;
    assert_eq!(stage.app.settlement(&broker, id(1)).await.unwrap_err(), missing);
    assert_eq!(write(2).await.unwrap_err().reason, "NOT_FOUND");
    assert_eq!(listed(None, "", 10).await.items, []);
}

/// Ships part of an item as a gateway did that knew of no settlements.
async fn ship_as_before(stage: &Stage, item: i64, day: &str) {
    let (number, item) = id(item);
    let customs: PartnerId = "customs".parse().unwrap();
    let kind = Kind::DeclarationItem;
    let record = stage.app.store.record(kind, &DeclaredItem::key_of(number, item)).await.unwrap();
    let record = record.unwrap();
    let mut held: DeclaredItem = decode(&record).unwrap().value;
    let declaration: Option<Versioned<Declaration>> =
        stage.app.document(Kind::Declaration, number.as_str()).await.unwrap();
    let shipment = NewShipment {
        quantity: "10".parse().unwrap(),
        shipped_on: day.parse().unwrap(),
        reference: None,
        post_shipment: false,
    };
    let mut declaration = declaration.unwrap().value;
    assert!(declaration.ship(&mut held, &shipment, &customs, stage.app.env.now()).unwrap());
    let (state, version) = (held.state().as_str(), record.version);
    let (expect, write) =
        put(kind, &record.key, &record.owner, state, record.columns, &held, version).unwrap();
    let intent = stage.intent("customs");
    let written = stage.app.write(&intent, || async {
        let draft = Draft::new(EntryKind::ShipmentRecorded);
        let (expect, writes) = (vec![expect.clone()], vec![write.clone()]);
        Ok(Plan { answer: true, expect, writes, draft })
    });
    written.await.unwrap();
}

/// The table of terms with `days` for beverages.
async fn load_terms(stage: &Stage, table: &str, version: &str, days: &str) {
    let attributes = [("days", days), ("source", "Resolución de ejemplo")];
    let row = ReferenceRow {
        code: "22".to_owned(),
        title_es: String::new(),
        title_en: String::new(),
        attributes: attributes.map(|(name, value)| (name.into(), value.into())).into(),
        valid_from: None,
        valid_to: None,
    };
    let table = ReferenceTable {
        id: table.to_owned(),
        version: version.to_owned(),
        source: "Resolución de ejemplo".to_owned(),
        loaded_at: jiff::Timestamp::UNIX_EPOCH,
        digest: String::new(),
        rows: vec![row],
    };
    stage.app.load_table(&stage.intent("operator"), table).await.unwrap();
}

/// What the entries of a kind say they are about: their resource, or their fact of that name.
async fn about(stage: &Stage, kind: EntryKind, fact: &str) -> Vec<String> {
    let size = stage.app.store.tree().await.unwrap().size();
    let mut found = Vec::new();
    for index in 0..size {
        let stored = stage.app.store.entry(index).await.unwrap().unwrap();
        let entry = Entry::parse(&stored.entry).unwrap();
        if entry.kind() == Some(kind) {
            found.push(entry.facts()[fact].to_string());
        }
    }
    found
}

#[tokio::test]
async fn terms_loaded_later_move_what_is_open_and_not_what_is_certified() {
    let stage = declared().await;
    ship(&stage, 1, "2026-03-01").await;
    ship(&stage, 2, "2026-03-01").await;
    let certifies = NewReport { certifies: true, ..report("5", "S-9") };
    record(&stage, 2, &certifies).await.unwrap();
    let customs = stage.caller("customs", Role::Customs);

    load_terms(&stage, "settlement_terms", "2026-06", "30").await;
    let met = stage.app.meet_deadlines().await;
    // It is 1 June: what has 30 days from 1 March on is over at once.
    assert_eq!(met.settlements, 1);
    let moved = stage.app.settlement(&customs, id(1)).await.unwrap();
    assert_eq!(moved.settlement.due_on(), "2026-03-31".parse().ok());
    assert_eq!(moved.state, SettlementState::Overdue);
    let kept = stage.app.settlement(&customs, id(2)).await.unwrap();
    assert_eq!(kept.settlement.due_on(), "2026-08-28".parse().ok());
    assert_eq!(
        about(&stage, EntryKind::SettlementsJudged, "settlements").await,
        [format!("declarations/{NUMBER}/settlements/1")]
    );
    assert_eq!(about(&stage, EntryKind::RulesApplied, "settlements").await, ["1"]);
    assert_eq!(stage.app.meet_deadlines().await.settlements, 0, "applied once");

    load_terms(&stage, "settlement_terms", "2026-07", "400").await;
    stage.app.meet_deadlines().await;
    let moved = stage.app.settlement(&customs, id(1)).await.unwrap();
    assert_eq!(moved.state, SettlementState::Due, "there is time again");
}

#[tokio::test]
async fn items_shipped_before_there_were_settlements_get_theirs() {
    let stage = declared().await;
    ship_as_before(&stage, 1, "2026-03-01").await;
    let customs = stage.caller("customs", Role::Customs);
    let query = SettlementsQuery { limit: 10, ..SettlementsQuery::default() };
    assert_eq!(stage.app.list_settlements(&customs, &query).await.unwrap().items, []);

    load_terms(&stage, "settlement_terms", "2026-06", "60").await;
    stage.app.meet_deadlines().await;
    let listed = stage.app.list_settlements(&customs, &query).await.unwrap().items;
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0].settlement.due_on(), "2026-04-30".parse().ok());
}
