//! A broker declares for those whose delegation to it holds, and for nobody else.

use super::*;
use crate::app::delegations::Shown as Delegated;
use crate::app::exporters_tests::{fact, row as exporter, sync};
use crate::app::listings::NewListing;
use crate::app::partners::NewPartner;
use crate::app::sync::SyncMode;
use crate::domain::delegation::{Effect, NewFact};
use crate::error::ErrorKind;

/// An exporter that delegates to nobody.
const OTHER: &str = "33693450239";
const THREE: &str = "26073EC01000003C";

/// A stage with a broker, and one wine each of two exporters.
async fn market_with_broker() -> Stage {
    let stage = stage().await;
    let rows = vec![exporter(2, OTHER, fact("2026-01-01", None))];
    sync(&stage, SyncMode::Delta, rows).await.unwrap();
    submitted(&stage, &wine("W-1")).await;
    submitted(&stage, &NewListing { seller: OTHER.parse().unwrap(), ..wine("O-1") }).await;
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
    stage
}

fn broker(stage: &Stage) -> Caller {
    stage.caller("broker", Role::Broker)
}

async fn delegate(stage: &Stage, exporter: &str, to: Option<&str>) -> Written<Delegated> {
    let fact = NewFact {
        effect: Effect::Granted,
        valid_from: "2026-05-01".parse().unwrap(),
        valid_to: to.map(|day| day.parse().unwrap()),
        source: "Poder 7".parse().unwrap(),
    };
    let pair = (&"broker".parse().unwrap(), exporter.parse().unwrap());
    let intent = stage.intent("customs");
    stage.app.record_delegation(&customs(stage), &intent, pair, "", &fact).await.unwrap()
}

async fn revoke(stage: &Stage, key: &str) -> Written<Delegated> {
    let (source, intent) = ("Revocatoria 1".parse().unwrap(), stage.intent("customs"));
    stage.app.revoke_delegation(&customs(stage), &intent, key, "", None, &source).await.unwrap()
}

fn of(exporter: &str, new: NewDeclaration) -> NewDeclaration {
    NewDeclaration { terms: Terms { exporter: exporter.parse().unwrap(), ..new.terms }, ..new }
}

async fn declare(stage: &Stage, new: &NewDeclaration) -> Result<Written<Shown>> {
    let intent = stage.intent("broker");
    stage.app.register_declaration(&broker(stage), &intent, None, new).await
}

async fn rows_of(stage: &Stage, rows: Vec<(i64, DeclarationRow)>) -> Written<Registered> {
    let (sent, intent) =
        (Rows { digest: "d".into(), rows, rejected: vec![] }, stage.intent("broker"));
    stage.app.register_declarations(&broker(stage), &intent, None, &sent).await.unwrap()
}

fn wish() -> Wish {
    Wish {
        reason: "none".parse().unwrap(),
        declarant: None,
        incoterm: Some(Incoterm::Cif),
        destination: None,
        items: vec![],
    }
}

fn shipped(rows: &[(&str, i64)]) -> Rows<ShipmentRow> {
    let row = |(text, place): &(&str, i64)| {
        let shipment = shipment("1", "2026-03-01");
        (*place, ShipmentRow { number: number(text), item: item_number(1), shipment })
    };
    Rows { digest: "d".into(), rows: rows.iter().map(row).collect(), rejected: vec![] }
}

/// What the broker is told of a declaration by everything that names one.
async fn told(stage: &Stage, text: &str) -> [Result<()>; 3] {
    let (app, broker, intent) = (&stage.app, broker(stage), stage.intent("broker"));
    let one = [(item_number(1), shipment("1", "2026-03-01"))];
    [
        app.declaration(&broker, number(text)).await.map(drop),
        app.amend_declaration(&broker, &intent, number(text), "", &wish()).await.map(drop),
        app.record_shipment(&broker, &intent, number(text), "", &one).await.map(drop),
    ]
}

#[tokio::test]
async fn a_broker_declares_nothing_and_sees_nothing_without_a_delegation() {
    let stage = market_with_broker().await;
    register(&stage, &new(ONE, vec![item(1, "W-1")])).await.unwrap();
    let fresh = new(TWO, vec![item(1, "W-1")]);
    // An exporter that delegated to nobody, and one that nobody knows, are told the same.
    for exporter in [SELLER, "20267565393"] {
        let refused = declare(&stage, &of(exporter, fresh.clone())).await.unwrap_err();
        assert_eq!((refused.kind, refused.reason), (ErrorKind::Permission, "NO_DELEGATION"));
    }
    let answer = rows_of(&stage, vec![(2, row(TWO, item(1, "W-1")))]).await;
    assert_eq!((answer.value.items, answer.receipt), (0, None));
    assert_eq!(answer.value.rejected_rows[0].reason, "NO_DELEGATION");
    assert_eq!(answer.value.rejected_rows[0].field, "declaration.exporter_cuit");
    let (caller, intent) = (broker(&stage), stage.intent("broker"));
    let sent = shipped(&[(ONE, 2), (TWO, 3)]);
    let answer = stage.app.record_shipments(&caller, &intent, &sent).await.unwrap().value;
    let reasons: Vec<_> =
        answer.rejected_rows.iter().map(|row| (&row.reason, &row.message)).collect();
    assert_eq!(reasons[0], reasons[1], "what is another's is as what is not there");
    assert_eq!(reasons[0].0, "UNKNOWN_DECLARATION");
    for text in [ONE, TWO] {
        assert_eq!(told(&stage, text).await, [(); 3].map(|()| Err(Error::not_found())), "{text}");
    }
    assert!(list(&stage, &caller, DeclarationsQuery::default()).await.items.is_empty());
}

#[tokio::test]
async fn a_broker_declares_for_those_that_delegated_and_entries_name_both() {
    let stage = market_with_broker().await;
    let delegation = delegate(&stage, SELLER, None).await;
    assert_eq!(delegation.receipt.unwrap().kind, EntryKind::DelegationRecorded);
    let key = delegation.value.key;
    let made = [
        declare(&stage, &new(ONE, vec![item(1, "W-1")])).await.unwrap().receipt,
        rows_of(&stage, vec![(2, row(TWO, item(1, "W-1")))]).await.receipt,
    ];
    let (app, caller) = (&stage.app, broker(&stage));
    let intents = [0; 3].map(|_| stage.intent("broker"));
    let one = [(item_number(1), shipment("1", "2026-03-01"))];
    let amended = app.amend_declaration(&caller, &intents[0], number(ONE), "", &wish()).await;
    let left = app.record_shipment(&caller, &intents[1], number(ONE), "", &one).await;
    let rows = app.record_shipments(&caller, &intents[2], &shipped(&[(TWO, 2)])).await.unwrap();
    let further = [amended.unwrap().receipt, left.unwrap().receipt, rows.receipt];
    for receipt in made.into_iter().chain(further) {
        let stored = app.store.entry(receipt.unwrap().index).await.unwrap().unwrap();
        let entry = crate::ledger::Entry::parse(&stored.entry).unwrap();
        assert_eq!(entry.actor(), "broker");
        assert_eq!(entry.on_behalf_of(), Some(&*format!("delegations/{key}")));
        assert!(!entry.text().contains(SELLER));
    }
    // What customs does is in its own name.
    let own = register(&stage, &new(THREE, vec![item(1, "W-1")])).await.unwrap().receipt;
    let stored = app.store.entry(own.unwrap().index).await.unwrap().unwrap();
    assert_eq!(crate::ledger::Entry::parse(&stored.entry).unwrap().on_behalf_of(), None);

    // Goods of others cannot be declared, and their listings are not there.
    let fresh = new("26073EC01000004D", vec![item(1, "O-1")]);
    let unknown = new("26073EC01000004D", vec![item(1, "X-1")]);
    let [other, absent] = [declare(&stage, &fresh).await, declare(&stage, &unknown).await];
    assert_eq!(other.as_ref().unwrap_err(), absent.as_ref().unwrap_err());
    assert_eq!(other.unwrap_err().reason, "UNKNOWN_SKU");
    let others = of(OTHER, new("26073EC01000004D", vec![item(1, "O-1")]));
    assert_eq!(declare(&stage, &others).await.unwrap_err().reason, "NO_DELEGATION");
    register(&stage, &others).await.unwrap();
    assert_eq!(told(&stage, "26073EC01000004D").await, [(); 3].map(|()| Err(Error::not_found())));
}

#[tokio::test]
async fn a_delegation_holds_on_its_days_only() {
    let stage = market_with_broker().await;
    register(&stage, &new(ONE, vec![item(1, "W-1")])).await.unwrap();
    let read = async || stage.app.declaration(&broker(&stage), number(ONE)).await.is_ok();
    assert!(!read().await);
    let key = delegate(&stage, SELLER, Some("2026-06-02")).await.value.key;
    assert!(read().await);
    // 02:59 UTC of the third is the second in Argentina.
    stage.clock.advance(86_400 + 15 * 3600 - 1);
    assert!(read().await);
    stage.clock.advance(1);
    assert!(!read().await);
    assert_eq!(
        declare(&stage, &new(TWO, vec![item(1, "W-1")])).await.unwrap_err().reason,
        "NO_DELEGATION"
    );
    // Renewed, then taken back, at once.
    assert_eq!(delegate(&stage, SELLER, None).await.value.key, key);
    assert!(read().await);
    assert_eq!(revoke(&stage, &key).await.receipt.unwrap().kind, EntryKind::DelegationRevoked);
    assert!(!read().await);
    let again = delegate(&stage, SELLER, None).await;
    assert!(again.receipt.is_some() && read().await);
    assert!(delegate(&stage, SELLER, None).await.receipt.is_none(), "it stands already");
}

#[tokio::test]
async fn lists_hold_what_was_delegated_exporter_by_exporter() {
    let stage = market_with_broker().await;
    let others = async |text: &str| {
        register(&stage, &of(OTHER, new(text, vec![item(1, "O-1")]))).await.unwrap();
    };
    register(&stage, &new(ONE, vec![item(1, "W-1")])).await.unwrap();
    others(TWO).await;
    register(&stage, &new(THREE, vec![item(1, "W-1"), item(2, "W-1")])).await.unwrap();
    others("26073EC01000004D").await;
    register(&stage, &new("26073EC01000005E", vec![item(1, "W-1")])).await.unwrap();

    let (caller, everything) = (broker(&stage), DeclarationsQuery::default);
    assert!(all(&stage, &caller, everything()).await.is_empty());
    let key = delegate(&stage, SELLER, None).await.value.key;
    let expect = |found: &[(&str, &[u32])]| -> Vec<(String, Vec<u32>)> {
        found.iter().map(|(number, items)| ((*number).to_owned(), items.to_vec())).collect()
    };
    let own = expect(&[(ONE, &[1]), (THREE, &[1, 2]), ("26073EC01000005E", &[1])]);
    let foreign = expect(&[(TWO, &[1]), ("26073EC01000004D", &[1])]);
    assert_eq!(all(&stage, &caller, everything()).await, own);
    let exporter = |cuit: &str| DeclarationsQuery { exporter: cuit.parse().ok(), ..everything() };
    let listing = |sku: &str| DeclarationsQuery {
        listing: Some(listing_key(&"market".parse().unwrap(), sku)),
        ..everything()
    };
    for query in [exporter(SELLER), listing("W-1")] {
        assert_eq!(all(&stage, &caller, query).await, own);
    }
    for query in [exporter(OTHER), listing("O-1"), listing("X-1")] {
        assert!(all(&stage, &caller, query).await.is_empty());
    }
    let market = DeclarationsQuery { marketplace: "market".parse().ok(), ..everything() };
    assert_eq!(all(&stage, &caller, market).await, own);

    // Both: whichever delegation comes first, each exporter's stand together, in order.
    let other = delegate(&stage, OTHER, None).await.value.key;
    let both = if key < other { [&*own, &foreign] } else { [&*foreign, &own] }.concat();
    assert_eq!(all(&stage, &caller, everything()).await, both);
    let shown = stage.app.declaration(&caller, number(TWO)).await.unwrap();
    assert!(!shown.in_part, "the whole declaration of its exporter");
    revoke(&stage, &key).await;
    assert_eq!(all(&stage, &caller, everything()).await, foreign);
}

/// Whatever a broker has under way when its delegation is taken back is either stored before the
/// revocation or not at all.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_delegation_revoked_in_the_same_instant_lets_nothing_through() {
    let stage = market_with_broker().await;
    let app = &stage.app;
    let (mut before, mut refused) = (0, 0);
    for round in 0..60_u32 {
        let key = delegate(&stage, SELLER, None).await.value.key;
        let text = format!("26073EC01{:06}A", 100 + round);
        let declaration = new(&text, vec![item(1, "W-1")]);
        if round % 5 > 1 {
            register(&stage, &declaration).await.unwrap();
        }
        let act = async {
            let (caller, intent) = (broker(&stage), stage.intent("broker"));
            let one = [(item_number(1), shipment("1", "2026-03-01"))];
            let number = number(&text);
            match round % 5 {
                0 => declare(&stage, &declaration).await.ok()?.receipt,
                1 => rows_of(&stage, vec![(2, row(&text, item(1, "W-1")))]).await.receipt,
                2 => {
                    app.amend_declaration(&caller, &intent, number, "", &wish()).await.ok()?.receipt
                }
                3 => app.record_shipment(&caller, &intent, number, "", &one).await.ok()?.receipt,
                _ => {
                    let sent = shipped(&[(&text, 2)]);
                    app.record_shipments(&caller, &intent, &sent).await.ok()?.receipt
                }
            }
        };
        let (acted, revoked) = tokio::join!(act, revoke(&stage, &key));
        match acted {
            Some(receipt) => {
                let revoked = revoked.receipt.unwrap().index;
                assert!(receipt.index < revoked, "round {round}: stored after the revocation");
                before += 1;
            }
            None => refused += 1,
        }
    }
    assert_eq!(before + refused, 60);
}
