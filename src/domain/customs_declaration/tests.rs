//! What may be declared, amended and shipped, by example and over random histories.

use jiff::civil::date;
use proptest::prelude::*;
use rust_decimal::Decimal;

use super::*;
use crate::domain::decimal::Quantity;
use crate::domain::listing::{Channel, Listing, Offer};

fn at(minute: i64) -> Timestamp {
    Timestamp::from_second(1_790_000_000 + minute * 60).unwrap()
}

fn customs() -> PartnerId {
    "customs".parse().unwrap()
}

fn terms() -> Terms {
    Terms {
        exporter: "30500010912".parse().unwrap(),
        declarant: "33693450239".parse().unwrap(),
        incoterm: Incoterm::Fob,
        destination: "CN".parse().ok(),
        officialised_on: date(2026, 2, 1),
    }
}

fn listing() -> Listing {
    let offer = Offer {
        title: "Malbec".parse().unwrap(),
        ncm: "2204.21.00".parse().unwrap(),
        gtin: None,
        channel: Channel::OfficialStore,
        unit: "C62".parse().unwrap(),
        statistical_unit: "LTR".parse().unwrap(),
        statistical_factor: "0.75".parse().unwrap(),
        price: "18.50".parse().unwrap(),
        currency: "USD".parse().unwrap(),
        certificates: vec![],
        destination: None,
        producer: None,
        origin: None,
        entry_mode: None,
    };
    let (marketplace, sku) = ("market".parse().unwrap(), "W-1".parse().unwrap());
    Listing::draft(marketplace, sku, "30500010912".parse().unwrap(), offer, at(0))
}

fn number() -> DeclarationNumber {
    "26001EC01000001A".parse().unwrap()
}

fn item_number(item: i64) -> ItemNumber {
    item.try_into().unwrap()
}

fn goods(quantity: &str) -> Goods {
    Goods {
        ncm: "2204.21.00".parse().unwrap(),
        quantity: quantity.parse().unwrap(),
        unit: "LTR".parse().unwrap(),
        fob: "1200.50".parse().unwrap(),
        currency: "USD".parse().unwrap(),
    }
}

fn declared(item: i64, quantity: &str) -> DeclaredItem {
    let goods = goods(quantity);
    DeclaredItem::declare(number(), &terms(), item_number(item), goods, &listing(), None).unwrap()
}

/// A declaration of two items, 100 litres each.
fn declaration() -> (Declaration, BTreeMap<ItemNumber, DeclaredItem>) {
    let mut declaration = Declaration::register(number(), terms(), customs(), at(0));
    declaration.items = 2;
    let items = [1, 2].map(|item| (item_number(item), declared(item, "100")));
    (declaration, items.into())
}

fn shipment(quantity: &str, day: i8) -> NewShipment {
    NewShipment {
        quantity: quantity.parse().unwrap(),
        shipped_on: date(2026, 3, day),
        reference: None,
        post_shipment: false,
    }
}

fn wish() -> Wish {
    Wish {
        reason: "as the exporter asked".parse().unwrap(),
        declarant: None,
        incoterm: None,
        destination: None,
        items: vec![],
    }
}

fn quantity_of(item: i64, quantity: &str) -> Wish {
    let quantity = Some(quantity.parse().unwrap());
    Wish { items: vec![ItemWish { item: item_number(item), quantity, fob: None }], ..wish() }
}

fn told(fault: &Fault, name: &str) -> String {
    let found = fault.metadata.iter().find(|(key, _)| *key == name);
    found.map(|(_, value)| value.clone()).unwrap_or_default()
}

#[test]
fn keys_of_items_sort_as_their_numbers() {
    let keys = [1, 2, 10, 9999].map(|item| DeclaredItem::key_of(number(), item_number(item)));
    assert!(keys.is_sorted());
    assert_eq!(keys[2], "26001EC01000001A/0010");
    for wrong in [0, -1, 10_000, i64::MAX] {
        assert!(ItemNumber::try_from(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn goods_agree_with_their_listing_or_are_refused_by_name() {
    let declare = |terms: &Terms, goods: Goods, sku: Option<&str>| {
        let sku = sku.map(|sku| sku.parse().unwrap());
        DeclaredItem::declare(number(), terms, item_number(1), goods, &listing(), sku.as_ref())
    };
    let stranger = Terms { exporter: "33693450239".parse().unwrap(), ..terms() };
    let sparkling = Goods { ncm: "2204.10.90".parse().unwrap(), ..goods("1") };
    let kilograms = Goods { unit: "KGM".parse().unwrap(), ..goods("1") };

    let item = declare(&terms(), goods("1"), Some("W-1")).unwrap();
    assert_eq!((item.listing, item.marketplace.as_str()), (listing().key(), "market"));
    let fault = declare(&stranger, sparkling.clone(), Some("W-2")).unwrap_err();
    assert_eq!(fault.reason, "LISTING_MISMATCH");
    assert_eq!(told(&fault, "differs"), "exporter_cuit,ncm,sku");
    assert!(!fault.message.contains("30500010912") && !fault.message.contains("33693450239"));
    let fault = declare(&terms(), sparkling, None).unwrap_err();
    assert_eq!((fault.reason, fault.field.as_deref()), ("LISTING_MISMATCH", Some("ncm")));
    let fault = declare(&terms(), kilograms, None).unwrap_err();
    assert_eq!(fault.reason, "UNIT_MISMATCH");
    assert_eq!(
        (told(&fault, "given"), told(&fault, "statistical_unit")),
        ("KGM".into(), "LTR".into())
    );
}

#[test]
fn less_may_leave_than_was_declared_and_never_more() {
    let (mut declaration, mut items) = declaration();
    let item = items.get_mut(&item_number(1)).unwrap();
    let mut ship = |shipment: &NewShipment| declaration.ship(item, shipment, &customs(), at(1));
    assert_eq!(ship(&shipment("60", 1)), Ok(true));
    assert_eq!(ship(&shipment("60", 1)), Ok(false), "the same again");
    let fault = ship(&shipment("61", 1)).unwrap_err();
    assert_eq!((fault.reason, told(&fault, "recorded")), ("SHIPMENT_DIFFERS", "60".into()));
    let fault = ship(&shipment("40.000001", 2)).unwrap_err();
    assert_eq!(fault.reason, "SHIPPED_ABOVE_DECLARED");
    let words = ["item", "declared", "shipped", "asked"].map(|name| told(&fault, name));
    assert_eq!(words, ["1", "100", "60", "40.000001"]);
    let early = NewShipment { shipped_on: date(2026, 1, 31), ..shipment("1", 1) };
    let fault = ship(&early).unwrap_err();
    assert_eq!(
        (fault.reason, told(&fault, "officialised_on")),
        ("SHIPPED_BEFORE_OFFICIALISED", "2026-02-01".into())
    );
    // Two of one day, told apart by their reference; the second says that nothing follows.
    let last =
        NewShipment { reference: "CRT-1".parse().ok(), post_shipment: true, ..shipment("39.5", 1) };
    assert_eq!(ship(&last), Ok(true));
    assert_eq!(ship(&last), Ok(false));
    let fault = ship(&shipment("0.1", 3)).unwrap_err();
    assert_eq!(
        (fault.reason, told(&fault, "state"), told(&fault, "allowed")),
        ("ILLEGAL_TRANSITION", "SHIPPING_CLOSED".into(), "DECLARED, SHIPPED".into())
    );
    assert_eq!((item.shipped.to_string(), item.state()), ("99.5".into(), ItemState::Shipped));
    assert_eq!((declaration.shipped_items, declaration.state()), (1, ItemState::Shipped));
    assert_eq!(declaration.revision(), 1, "shipments are no revision");
}

#[test]
fn terms_change_until_something_has_left() {
    let (mut declaration, mut items) = declaration();
    let change = Wish {
        declarant: "30500010912".parse().ok(),
        incoterm: Some(Incoterm::Cif),
        destination: "CN-SH".parse().ok(),
        ..wish()
    };
    assert_eq!(declaration.amend(&mut items, &change, &customs(), at(5)), Ok(true));
    assert_eq!(declaration.amend(&mut items, &change, &customs(), at(6)), Ok(false));
    assert_eq!(declaration.revision(), 2);
    let amendment = &declaration.amendments[0];
    assert_eq!((amendment.revision, amendment.at, &amendment.by), (2, at(5), &customs()));
    let fields: Vec<_> = amendment
        .fields
        .iter()
        .map(|one| (one.field.as_str(), one.before.as_str(), one.after.as_str()))
        .collect();
    assert_eq!(
        fields,
        [
            ("declarant_cuit", "33693450239", "30500010912"),
            ("incoterm", "FOB", "CIF"),
            ("destination", "CN", "CN-SH"),
        ]
    );

    let first = items.get_mut(&item_number(1)).unwrap();
    declaration.ship(first, &shipment("1", 1), &customs(), at(7)).unwrap();
    let back = Wish { incoterm: Some(Incoterm::Fob), ..wish() };
    let fault = declaration.amend(&mut items, &back, &customs(), at(8)).unwrap_err();
    assert_eq!(
        (fault.reason, told(&fault, "state"), told(&fault, "allowed")),
        ("ILLEGAL_TRANSITION", "SHIPPED".into(), "DECLARED".into())
    );
}

#[test]
fn quantities_fall_until_something_has_left_and_then_only_rise() {
    let (mut declaration, mut items) = declaration();
    let amend = |declaration: &mut Declaration, items: &mut BTreeMap<_, _>, wish: &Wish| {
        declaration.amend(items, wish, &customs(), at(5))
    };
    assert_eq!(amend(&mut declaration, &mut items, &quantity_of(1, "80")), Ok(true));
    let first = items.get_mut(&item_number(1)).unwrap();
    declaration.ship(first, &shipment("50", 1), &customs(), at(6)).unwrap();
    let fault = amend(&mut declaration, &mut items, &quantity_of(1, "60")).unwrap_err();
    assert_eq!(fault.reason, "AMENDED_DOWNWARD");
    let words = ["state", "allowed", "standing", "asked"].map(|name| told(&fault, name));
    assert_eq!(words, ["SHIPPED", "DECLARED", "80", "60"]);
    assert_eq!(fault.field.as_deref(), Some("items[0].declared_quantity"));
    assert_eq!(amend(&mut declaration, &mut items, &quantity_of(1, "90")), Ok(true));
    // Nothing of the second has left.
    assert_eq!(amend(&mut declaration, &mut items, &quantity_of(2, "1")), Ok(true));

    let first = items.get_mut(&item_number(1)).unwrap();
    let last = NewShipment { post_shipment: true, ..shipment("1", 2) };
    declaration.ship(first, &last, &customs(), at(7)).unwrap();
    let fault = amend(&mut declaration, &mut items, &quantity_of(1, "95")).unwrap_err();
    assert_eq!(
        (fault.reason, told(&fault, "state")),
        ("ILLEGAL_TRANSITION", "SHIPPING_CLOSED".into())
    );
    assert_eq!(amend(&mut declaration, &mut items, &quantity_of(1, "90")), Ok(false));
    let fault = amend(&mut declaration, &mut items, &quantity_of(3, "1")).unwrap_err();
    assert_eq!((fault.reason, told(&fault, "item")), ("UNKNOWN_ITEM", "3".into()));
    assert_eq!(declaration.amendments.len(), 3);
}

#[test]
fn further_items_are_an_amendment_and_amendments_end() {
    let (mut declaration, _) = declaration();
    declaration.extend(3, &customs(), at(1)).unwrap();
    let field = &declaration.amendments[0].fields[0];
    assert_eq!((declaration.items, declaration.revision()), (5, 2));
    assert_eq!(
        (field.field.as_str(), field.before.as_str(), field.after.as_str()),
        ("items", "2", "5")
    );
    while declaration.amendments.len() < MAX_AMENDMENTS {
        declaration.extend(1, &customs(), at(2)).unwrap();
    }
    let before = declaration.clone();
    let fault = declaration.extend(1, &customs(), at(2)).unwrap_err();
    assert_eq!(fault.reason, "TOO_MANY_AMENDMENTS");
    assert_eq!(declaration, before);
}

#[test]
fn documents_read_back() {
    let (mut declaration, mut items) = declaration();
    let first = items.get_mut(&item_number(1)).unwrap();
    let dated = NewShipment { reference: "CRT-1".parse().ok(), ..shipment("7", 1) };
    declaration.ship(first, &dated, &customs(), at(1)).unwrap();
    declaration.amend(&mut items, &quantity_of(2, "5"), &customs(), at(2)).unwrap();
    let text = serde_json::to_string(&declaration).unwrap();
    assert_eq!(serde_json::from_str::<Declaration>(&text).unwrap(), declaration);
    for item in items.values() {
        let text = serde_json::to_string(item).unwrap();
        assert_eq!(serde_json::from_str::<DeclaredItem>(&text).unwrap(), *item);
    }
}

/// One step of a history: a shipment, or an amendment of the quantity.
#[derive(Clone, Debug)]
enum Step {
    Ship(u32, i8, bool),
    Amend(u32),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (1u32..400, 1i8..20, prop::bool::weighted(0.1))
            .prop_map(|(tenths, day, last)| Step::Ship(tenths, day, last)),
        1 => (1u32..2000).prop_map(Step::Amend),
    ];
    prop::collection::vec(step, 0..30)
}

fn tenths(n: u32) -> Quantity {
    Quantity::of(Decimal::new(n.into(), 1))
}

fn take(
    declaration: &mut Declaration,
    items: &mut BTreeMap<ItemNumber, DeclaredItem>,
    step: &Step,
) -> Result<bool, Fault> {
    let one = item_number(1);
    match step {
        Step::Ship(quantity, day, last) => {
            let shipment = NewShipment {
                quantity: tenths(*quantity),
                post_shipment: *last,
                ..shipment("1", *day)
            };
            declaration.ship(items.get_mut(&one).unwrap(), &shipment, &customs(), at(1))
        }
        Step::Amend(quantity) => {
            let quantity = Some(tenths(*quantity));
            let wish = Wish { items: vec![ItemWish { item: one, quantity, fob: None }], ..wish() };
            declaration.amend(items, &wish, &customs(), at(1))
        }
    }
}

proptest! {
    #[test]
    fn whatever_happens_no_more_has_left_than_was_declared(steps in steps()) {
        let (mut declaration, mut items) = declaration();
        for step in &steps {
            let (before, held) = (declaration.clone(), items.clone());
            let outcome = take(&mut declaration, &mut items, step);
            let item = &items[&item_number(1)];
            prop_assert!(item.shipped <= item.goods.quantity);
            let sum: Decimal = item.shipments.iter().map(|s| s.reported.quantity.value()).sum();
            prop_assert_eq!(item.shipped.value(), sum);
            prop_assert_eq!(declaration.shipped_items, u32::from(!item.shipments.is_empty()));
            match outcome {
                // What is done stands: the same again, at once, is done already.
                Ok(true) => {
                    let (mut twice, mut same) = (declaration.clone(), items.clone());
                    prop_assert_eq!(take(&mut twice, &mut same, step), Ok(false));
                    prop_assert_eq!((&twice, &same), (&declaration, &items));
                }
                Ok(false) => prop_assert_eq!((&before, &held), (&declaration, &items)),
                Err(_) => (declaration, items) = (before, held),
            }
        }
    }
}
