//! Settlements from the first shipment to the last report, and the clock.

use super::*;
use crate::app::declarations::{NamedListing, NewDeclaration, NewItem};
use crate::app::listings::tests::{SELLER, stage, submitted, wine};
use crate::app::test_stage::Stage;
use crate::domain::customs_declaration::{Goods, Incoterm, NewShipment, Terms};
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
