//! Declarations from registration to the last shipment, one by one and in rows.

use super::bulk::{DeclarationRow, Registered, Rows};
use super::questions::DeclarationsQuery;
use super::shipments::{ShipmentRow, Shipped};
use super::*;
use crate::app::Page;
use crate::app::listings::tests::{SELLER, stage, submitted, wine};
use crate::app::test_stage::Stage;
use crate::domain::customs_declaration::{Incoterm, ItemState, ItemWish};
use crate::domain::listing::listing_key;
use crate::domain::partner::Role;
use crate::error::ErrorKind;

const ONE: &str = "26001EC01000001A";
const TWO: &str = "26073EC01000002B";

fn number(text: &str) -> DeclarationNumber {
    text.parse().unwrap()
}

fn item_number(item: i64) -> ItemNumber {
    item.try_into().unwrap()
}

fn terms() -> Terms {
    Terms {
        exporter: SELLER.parse().unwrap(),
        declarant: "33693450239".parse().unwrap(),
        incoterm: Incoterm::Fob,
        destination: "CN".parse().ok(),
        officialised_on: "2026-02-01".parse().unwrap(),
    }
}

fn item(item: i64, sku: &str) -> NewItem {
    NewItem {
        item: item_number(item),
        listing: NamedListing { key: None, sku: sku.parse().ok() },
        goods: Goods {
            ncm: "2204.21.00".parse().unwrap(),
            quantity: "100".parse().unwrap(),
            unit: "LTR".parse().unwrap(),
            fob: "1200.50".parse().unwrap(),
            currency: "USD".parse().unwrap(),
        },
    }
}

fn new(number_text: &str, items: Vec<NewItem>) -> NewDeclaration {
    NewDeclaration { number: number(number_text), terms: terms(), items }
}

fn shipment(quantity: &str, day: &str) -> NewShipment {
    NewShipment {
        quantity: quantity.parse().unwrap(),
        shipped_on: day.parse().unwrap(),
        reference: None,
        post_shipment: false,
    }
}

fn customs(stage: &Stage) -> Caller {
    stage.caller("customs", Role::Customs)
}

async fn register(stage: &Stage, new: &NewDeclaration) -> Result<Written<Shown>> {
    let intent = stage.intent("customs");
    stage.app.register_declaration(&customs(stage), &intent, None, new).await
}

async fn ship(stage: &Stage, text: &str, item: i64, one: NewShipment) -> Result<Written<Shown>> {
    let (customs, intent) = (customs(stage), stage.intent("customs"));
    let shipments = [(item_number(item), one)];
    stage.app.record_shipment(&customs, &intent, number(text), "", &shipments).await
}

async fn rows(stage: &Stage, rows: Vec<(i64, DeclarationRow)>) -> Written<Registered> {
    let sent = Rows { digest: "d".into(), rows, rejected: vec![] };
    let intent = stage.intent("customs");
    stage.app.register_declarations(&customs(stage), &intent, None, &sent).await.unwrap()
}

fn row(text: &str, item: NewItem) -> DeclarationRow {
    DeclarationRow { number: number(text), terms: terms(), item }
}

async fn list(stage: &Stage, caller: &Caller, query: DeclarationsQuery) -> Page<Shown> {
    let query = DeclarationsQuery { limit: query.limit.max(1), ..query };
    stage.app.list_declarations(caller, &query).await.unwrap()
}

/// Numbers and items of all pages, two declarations a page.
async fn all(stage: &Stage, caller: &Caller, query: DeclarationsQuery) -> Vec<(String, Vec<u32>)> {
    let mut query = DeclarationsQuery { limit: 2, ..query };
    let mut found = Vec::new();
    loop {
        let page = list(stage, caller, query.clone()).await;
        assert!(page.items.len() <= 2);
        found.extend(page.items.into_iter().map(|shown| {
            let items = shown.items.iter().map(|item| item.item.get()).collect();
            (shown.declaration.number.to_string(), items)
        }));
        match page.next {
            Some(next) => query.after = next,
            None => return found,
        }
    }
}

#[tokio::test]
async fn a_declaration_is_registered_once_and_reads_back() {
    let stage = stage().await;
    submitted(&stage, &wine("W-1")).await;
    let declared = register(&stage, &new(ONE, vec![item(2, "W-1"), item(1, "W-1")])).await.unwrap();
    assert_eq!(declared.receipt.unwrap().kind, EntryKind::DeclarationRegistered);
    let Shown { declaration, items, version, in_part } =
        stage.app.declaration(&customs(&stage), number(ONE)).await.unwrap();
    assert_eq!((declaration.items, version, in_part), (2, 1, false));
    assert_eq!(items.iter().map(|item| item.item.get()).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(items, declared.value.items);

    let again = register(&stage, &new(ONE, vec![item(1, "W-1")])).await.unwrap_err();
    assert_eq!(again.reason, "DECLARATION_EXISTS");
    assert_eq!(again.metadata, [("name".to_owned(), format!("declarations/{ONE}"))]);
}

#[tokio::test]
async fn goods_are_of_a_listing_that_was_handed_in() {
    let stage = stage().await;
    let reason = async |listing: NamedListing| {
        let new = new(ONE, vec![NewItem { listing, ..item(1, "W-1") }]);
        register(&stage, &new).await.err().map(|error| error.reason)
    };
    let sku = |sku: &str| NamedListing { key: None, sku: sku.parse().ok() };
    let key = |key: &str| NamedListing { key: Some(key.to_owned()), sku: None };
    assert_eq!(reason(sku("W-1")).await, Some("UNKNOWN_SKU"));
    // A draft is nobody's but the marketplace's.
    let market = stage.caller("market", Role::Marketplace);
    let draft = stage.app.create_listing(&market, &stage.intent("market"), &wine("W-1")).await;
    let draft = draft.unwrap().value.listing.key();
    assert_eq!(reason(sku("W-1")).await, Some("UNKNOWN_SKU"));
    assert_eq!(reason(key(&draft)).await, Some("UNKNOWN_LISTING"));
    stage.app.submit_listing(&market, &stage.intent("market"), &draft, "").await.unwrap();
    let other = NamedListing { key: Some(draft.clone()), sku: "W-2".parse().ok() };
    assert_eq!(reason(other).await, Some("LISTING_MISMATCH"));

    // A second marketplace with the same article number.
    let second = stage.caller("second", Role::Marketplace);
    let intent = stage.intent("second");
    let listing = stage.app.create_listing(&second, &intent, &wine("W-1")).await.unwrap().value;
    let listing = listing.listing.key();
    assert_eq!(listing, listing_key(&"second".parse().unwrap(), "W-1"));
    stage.app.submit_listing(&second, &stage.intent("second"), &listing, "").await.unwrap();
    let ambiguous = register(&stage, &new(ONE, vec![item(1, "W-1")])).await.unwrap_err();
    assert_eq!(ambiguous.reason, "AMBIGUOUS_SKU");
    assert_eq!(ambiguous.metadata, [("marketplaces".to_owned(), "market,second".to_owned())]);
    assert_eq!(ambiguous.fields[0].field, "declaration.items[0].sku");
    let (customs, intent) = (customs(&stage), stage.intent("customs"));
    let marketplace = "second".parse().unwrap();
    let new = new(ONE, vec![item(1, "W-1")]);
    let declared =
        stage.app.register_declaration(&customs, &intent, Some(&marketplace), &new).await.unwrap();
    assert_eq!(declared.value.items[0].listing, listing);
}

#[tokio::test]
async fn shipments_stay_within_what_was_declared_also_when_they_come_at_once() {
    let stage = stage().await;
    submitted(&stage, &wine("W-1")).await;
    register(&stage, &new(ONE, vec![item(1, "W-1")])).await.unwrap();
    let days = (1..=9).map(|day| format!("2026-03-0{day}"));
    let together = days.map(|day| {
        let stage = &stage;
        async move { ship(stage, ONE, 1, shipment("30", &day)).await }
    });
    let outcomes = futures_util::future::join_all(together).await;
    let refused = outcomes.iter().filter_map(|one| one.as_ref().err());
    assert!(refused.clone().all(|error| {
        error.kind == ErrorKind::Precondition && error.reason == "SHIPPED_ABOVE_DECLARED"
    }));
    assert_eq!(refused.count(), 6);
    let shown = stage.app.declaration(&customs(&stage), number(ONE)).await.unwrap();
    assert_eq!(shown.items[0].shipped.to_string(), "90");
    assert_eq!(shown.declaration.shipped_items, 1);
    assert_eq!(shown.version, 4);

    let unknown = ship(&stage, ONE, 7, shipment("1", "2026-04-01")).await.unwrap_err();
    assert_eq!((unknown.reason, &*unknown.fields[0].field), ("UNKNOWN_ITEM", "shipments[0].item"));
    let absent = ship(&stage, TWO, 1, shipment("1", "2026-04-01")).await.unwrap_err();
    assert_eq!(absent, Error::not_found());
}

#[tokio::test]
async fn an_amendment_is_kept_with_who_when_and_why() {
    let stage = stage().await;
    submitted(&stage, &wine("W-1")).await;
    register(&stage, &new(ONE, vec![item(1, "W-1"), item(2, "W-1")])).await.unwrap();
    let wish = Wish {
        reason: "the buyer took less".parse().unwrap(),
        declarant: None,
        incoterm: Some(Incoterm::Cif),
        destination: None,
        items: vec![ItemWish { item: item_number(2), quantity: "80".parse().ok(), fob: None }],
    };
    let (customs, intent) = (customs(&stage), stage.intent("customs"));
    let amend = async |intent: &Intent, etag: &str, wish: &Wish| {
        stage.app.amend_declaration(&customs, intent, number(ONE), etag, wish).await
    };
    assert_eq!(amend(&intent, "\"7\"", &wish).await.unwrap_err().reason, "STALE_ETAG");
    let amended = amend(&intent, "\"1\"", &wish).await.unwrap();
    assert_eq!(amended.receipt.as_ref().unwrap().kind, EntryKind::DeclarationAmended);
    assert_eq!(amended.value.items.len(), 1, "what the request names");
    // The same request again is answered as the first time.
    let replayed = amend(&intent, "\"1\"", &wish).await.unwrap();
    assert!(replayed.replayed && replayed.value == amended.value);
    let shown = stage.app.declaration(&customs, number(ONE)).await.unwrap();
    assert_eq!((shown.version, shown.declaration.revision()), (2, 2));
    let amendment = &shown.declaration.amendments[0];
    assert_eq!(amendment.reason.as_str(), "the buyer took less");
    assert_eq!((amendment.by.as_str(), amendment.at), ("customs", stage.app.env.now()));
    assert_eq!(shown.items[0].goods.quantity.to_string(), "100");
    assert_eq!(shown.items[1].goods.quantity.to_string(), "80");
}

#[tokio::test]
async fn rows_are_taken_one_by_one_and_a_file_can_be_sent_again() {
    let stage = stage().await;
    for sku in ["W-1", "W-2"] {
        submitted(&stage, &wine(sku)).await;
    }
    let other_terms = Terms { incoterm: Incoterm::Cif, ..terms() };
    let sent = vec![
        (2, row(ONE, item(1, "W-1"))),
        (3, row(TWO, item(1, "W-2"))),
        (4, row(ONE, item(2, "W-9"))),
        (5, DeclarationRow { terms: other_terms, ..row(ONE, item(3, "W-2")) }),
        (6, row(ONE, item(1, "W-2"))),
        (7, row(ONE, item(1, "W-1"))),
        (8, row(ONE, item(4, "W-2"))),
    ];
    let first = rows(&stage, sent.clone()).await;
    let told = |answer: &Registered| -> Vec<(i64, String, String)> {
        let rows = answer.rejected_rows.iter();
        rows.map(|one| (one.row, one.reason.clone(), one.field.clone())).collect()
    };
    let bad = [
        (4, "UNKNOWN_SKU", "declaration.items[0].sku"),
        (5, "DECLARATION_DIFFERS", "declaration.incoterm"),
        (6, "DUPLICATE_ITEM", "declaration.items[0].item"),
    ]
    .map(|(row, reason, field)| (row, reason.to_owned(), field.to_owned()));
    assert_eq!(told(&first.value), bad);
    let answer = &first.value;
    assert_eq!((answer.registered, answer.items, answer.unchanged), (2, 3, 1));
    assert_eq!(first.receipt.unwrap().kind, EntryKind::DeclarationsBatched);

    // Again: nothing changes, and nothing is recorded.
    let again = rows(&stage, sent).await;
    assert_eq!(again.receipt, None);
    let answer = again.value;
    assert_eq!((answer.registered, answer.items, answer.unchanged, answer.rejected), (0, 0, 4, 3));
    assert_eq!(answer.rejected_rows[2].reason, "ITEM_DIFFERS");

    // The row that was mended comes later: a further item, and a revision.
    let late = rows(&stage, vec![(4, row(ONE, item(2, "W-2")))]).await.value;
    assert_eq!((late.extended, late.items), (1, 1));
    let shown = stage.app.declaration(&customs(&stage), number(ONE)).await.unwrap();
    assert_eq!((shown.declaration.items, shown.declaration.revision()), (3, 2));
    assert_eq!(shown.items.len(), 3);
}

#[tokio::test]
async fn shipments_come_in_rows_and_can_be_sent_again() {
    let stage = stage().await;
    submitted(&stage, &wine("W-1")).await;
    register(&stage, &new(ONE, vec![item(1, "W-1"), item(2, "W-1")])).await.unwrap();
    let of = |text: &str, item: i64, quantity: &str, day: &str| ShipmentRow {
        number: number(text),
        item: item_number(item),
        shipment: shipment(quantity, day),
    };
    let sent = Rows {
        digest: "d".into(),
        rows: vec![
            (2, of(ONE, 1, "60", "2026-03-01")),
            (3, of(ONE, 1, "41", "2026-03-02")),
            (4, of(ONE, 1, "40", "2026-03-02")),
            (5, of(TWO, 1, "1", "2026-03-02")),
            (6, of(ONE, 3, "1", "2026-03-02")),
            (7, of(ONE, 2, "1", "2026-01-31")),
        ],
        rejected: vec![],
    };
    let send = async || -> Written<Shipped> {
        let intent = stage.intent("customs");
        stage.app.record_shipments(&customs(&stage), &intent, &sent).await.unwrap()
    };
    let first = send().await;
    let told: Vec<_> = first
        .value
        .rejected_rows
        .iter()
        .map(|one| (one.row, one.reason.as_str(), one.field.as_str()))
        .collect();
    assert_eq!(
        told,
        [
            (3, "SHIPPED_ABOVE_DECLARED", "shipment.quantity"),
            (5, "UNKNOWN_DECLARATION", "declaration"),
            (6, "UNKNOWN_ITEM", "shipment.item"),
            (7, "SHIPPED_BEFORE_OFFICIALISED", "shipment.shipped_on"),
        ]
    );
    assert_eq!((first.value.recorded, first.value.unchanged), (2, 0));
    assert_eq!(first.receipt.unwrap().kind, EntryKind::ShipmentsBatched);
    let again = send().await;
    assert_eq!((again.value.recorded, again.value.unchanged, again.receipt), (0, 2, None));
    let shown = stage.app.declaration(&customs(&stage), number(ONE)).await.unwrap();
    let shipped: Vec<_> = shown.items.iter().map(|item| item.shipped.to_string()).collect();
    assert_eq!(shipped, ["100", "0"]);
}

#[tokio::test]
async fn each_sees_its_own_and_filters_hold_for_items() {
    let stage = stage().await;
    submitted(&stage, &wine("W-1")).await;
    let second = stage.caller("second", Role::Marketplace);
    let key = stage.app.create_listing(&second, &stage.intent("second"), &wine("S-1")).await;
    let key = key.unwrap().value.listing.key();
    stage.app.submit_listing(&second, &stage.intent("second"), &key, "").await.unwrap();
    let third = "26073EC01000003C";
    register(&stage, &new(ONE, vec![item(1, "W-1"), item(2, "S-1")])).await.unwrap();
    register(&stage, &new(TWO, vec![item(1, "W-1")])).await.unwrap();
    let dated = Terms { officialised_on: "2026-05-01".parse().unwrap(), ..terms() };
    let new = NewDeclaration { terms: dated, ..new(third, vec![item(1, "S-1"), item(2, "S-1")]) };
    register(&stage, &new).await.unwrap();
    ship(&stage, third, 2, shipment("1", "2026-05-02")).await.unwrap();

    let everything = DeclarationsQuery::default;
    let expect = |found: &[(&str, &[u32])]| -> Vec<(String, Vec<u32>)> {
        found.iter().map(|(number, items)| ((*number).to_owned(), items.to_vec())).collect()
    };
    let whole: &[(&str, &[u32])] = &[(ONE, &[1, 2]), (TWO, &[1]), (third, &[1, 2])];
    for (partner, role) in [("customs", Role::Customs), ("auditor", Role::Auditor)] {
        let caller = stage.caller(partner, role);
        assert_eq!(all(&stage, &caller, everything()).await, expect(whole), "{partner}");
    }
    let customs = customs(&stage);
    let marketplace = |id: &str| DeclarationsQuery {
        marketplace: id.parse().ok(),
        ..DeclarationsQuery::default()
    };
    let own: &[(&str, &[u32])] = &[(ONE, &[2]), (third, &[1, 2])];
    for (caller, query) in [
        (&second, everything()),
        (&second, marketplace("second")),
        (&customs, marketplace("second")),
        (&customs, DeclarationsQuery { listing: Some(key.clone()), ..everything() }),
    ] {
        assert_eq!(all(&stage, caller, query).await, expect(own));
    }
    assert!(all(&stage, &second, marketplace("market")).await.is_empty());
    let day = |text: &str| text.parse().unwrap();
    for (query, found) in [
        (DeclarationsQuery { office: "073".into(), ..everything() }, &whole[1..]),
        (DeclarationsQuery { year: "25".into(), ..everything() }, &[]),
        (DeclarationsQuery { exporter: SELLER.parse().ok(), ..everything() }, whole),
        (DeclarationsQuery { exporter: "33693450239".parse().ok(), ..everything() }, &[]),
        (DeclarationsQuery { state: Some(ItemState::Shipped), ..everything() }, &[(third, &[2])]),
        (
            DeclarationsQuery {
                officialised: Some((day("2026-02-01"), day("2026-02-28"))),
                ..everything()
            },
            &whole[..2],
        ),
    ] {
        assert_eq!(all(&stage, &customs, query).await, expect(found));
    }

    let shown = stage.app.declaration(&second, number(ONE)).await.unwrap();
    assert!(shown.in_part && shown.items.len() == 1 && shown.items[0].listing == key);
    assert_eq!(stage.app.declaration(&second, number(TWO)).await.unwrap_err(), Error::not_found());
}

#[path = "tests/broker.rs"]
mod broker;
