//! The rule of matching, by example and over random histories.

use jiff::ToSpan;
use jiff::civil::{Date, date};
use proptest::prelude::*;
use rust_decimal::Decimal;

use super::*;

const TODAY: Date = date(2026, 11, 24);
const NUMBERS: [&str; 3] = ["26001EC01000001A", "26001EC01000002B", "26001EC01000003C"];

fn number(which: usize) -> DeclarationNumber {
    NUMBERS[which].parse().unwrap()
}

fn quantity(text: &str) -> Quantity {
    text.parse().unwrap()
}

fn item(which: usize, shipped: &str) -> StockItem {
    let shipments = match shipped {
        "0" => vec![],
        some => vec![left(some, 1)],
    };
    StockItem {
        key: ItemKey { declaration: number(which), item: 1 },
        officialised_on: date(2026, 2, 1).saturating_add((which as i64).days()),
        declared: quantity("1000"),
        shipments,
        explained: vec![],
        escalated: false,
    }
}

/// What left on a day of March, to be sold within 360 days.
fn left(amount: &str, day: i8) -> Shipped {
    let on = date(2026, 3, day);
    Shipped { quantity: quantity(amount), on, sell_by: Some(on.saturating_add(360.days())) }
}

fn movement(line: &str, minute: i64, amount: &str) -> Movement {
    Movement {
        line: line.parse().unwrap(),
        at: Timestamp::from_second(1_775_000_000 + minute * 60).unwrap(),
        quantity: quantity(amount),
        original: None,
        named: Named::Nothing,
    }
}

fn back(line: &str, minute: i64, amount: &str, original: &str) -> Movement {
    Movement { original: original.parse().ok(), ..movement(line, minute, amount) }
}

fn named(movement: Movement, which: usize) -> Movement {
    Movement { named: Named::Declaration(number(which)), ..movement }
}

/// State and stock of each item, and what is undeclared.
fn standing(items: Vec<StockItem>, movements: Vec<Movement>) -> (Vec<(ItemState, String)>, String) {
    let folded = fold(items, movements, TODAY).unwrap().standing;
    let positions = folded.positions.iter();
    (
        positions.map(|position| (position.state, position.stock.to_string())).collect(),
        folded.undeclared.to_string(),
    )
}

#[test]
fn every_state_follows_from_what_happened() {
    use ItemState::{
        Balanced, Declared, Escalated, Explained as Settled, OpenStock, Overdue, Oversold, Shipped,
    };
    let sold = |amount: &str| vec![movement("s", 1, amount)];
    let explained = |cause, amount| StockItem {
        explained: vec![Explained { cause, quantity: quantity(amount) }],
        ..item(0, "100")
    };
    let late = |escalated| {
        let mut item = StockItem { escalated, ..item(0, "100") };
        item.shipments[0].sell_by = Some(date(2026, 11, 23));
        item
    };
    for (name, item, movements, state, stock) in [
        ("declared", item(0, "0"), vec![], Declared, "0"),
        ("sold before it left", item(0, "0"), sold("1"), Oversold, "-1"),
        ("shipped", item(0, "100"), vec![], Shipped, "100"),
        ("open", item(0, "100"), sold("99.25"), OpenStock, "0.75"),
        ("balanced", item(0, "100"), sold("100"), Balanced, "0"),
        ("oversold", item(0, "100"), sold("100.5"), Oversold, "-0.5"),
        ("overdue", late(false), sold("99"), Overdue, "1"),
        ("sold in time", late(false), sold("100"), Balanced, "0"),
        ("escalated", late(true), sold("99"), Escalated, "1"),
        ("escalated and settled", late(true), sold("100"), Balanced, "0"),
        ("lost", explained(Cause::Loss, "40"), sold("60"), Settled, "0"),
        ("brought back", explained(Cause::Reimport, "40"), sold("60"), Settled, "0"),
        ("in boxes, not bottles", explained(Cause::UnitError, "20"), sold("120"), Settled, "0"),
        ("counted too many", explained(Cause::UnitError, "-40"), sold("60"), Settled, "0"),
        ("explained in part", explained(Cause::Damage, "10"), sold("60"), OpenStock, "30"),
    ] {
        let (positions, undeclared) = standing(vec![item], movements);
        assert_eq!(positions, [(state, stock.to_owned())], "{name}");
        assert_eq!(undeclared, "0", "{name}");
    }
}

#[test]
fn what_left_first_is_sold_first_and_the_rest_has_its_own_deadline() {
    let two = StockItem { shipments: vec![left("60", 20), left("40", 1)], ..item(0, "0") };
    let sell_by = |sold: &str| {
        let standing = fold(vec![two.clone()], vec![movement("s", 1, sold)], TODAY).unwrap();
        standing.standing.positions[0].sell_by
    };
    assert_eq!(sell_by("39"), Some(date(2027, 2, 24)));
    assert_eq!(sell_by("40"), Some(date(2027, 3, 15)));
    assert_eq!(sell_by("99"), Some(date(2027, 3, 15)));
    assert_eq!(sell_by("100"), None);
    assert_eq!(sell_by("101"), None);
}

#[test]
fn the_oldest_stock_goes_first_and_a_sale_may_be_parted() {
    let folded = fold(
        vec![item(1, "50"), item(0, "10")],
        vec![movement("b", 2, "30"), movement("a", 1, "8")],
        TODAY,
    )
    .unwrap();
    let matches: Vec<_> = folded
        .matches
        .iter()
        .map(|one| (one.line.as_str(), one.item.unwrap().declaration, one.quantity.to_string()))
        .collect();
    assert_eq!(
        matches,
        [
            ("a", number(0), "8".to_owned()),
            ("b", number(0), "2".to_owned()),
            ("b", number(1), "28".to_owned()),
        ]
    );
}

#[test]
fn a_sale_goes_where_it_says_and_stays_there_when_there_is_no_stock() {
    let (positions, undeclared) = standing(
        vec![item(0, "10"), item(1, "50")],
        vec![movement("b", 0, "4"), named(movement("a", 1, "60"), 1)],
    );
    assert_eq!(
        positions,
        [(ItemState::OpenStock, "6".to_owned()), (ItemState::Oversold, "-10".to_owned())]
    );
    assert_eq!(undeclared, "0");
    // What names the older item goes there before an earlier sale that names nothing.
    let (positions, _) = standing(
        vec![item(0, "10"), item(1, "50")],
        vec![movement("b", 0, "4"), named(movement("a", 1, "10"), 0)],
    );
    assert_eq!(
        positions,
        [(ItemState::Balanced, "0".to_owned()), (ItemState::OpenStock, "46".to_owned())]
    );
    // A declaration that is not known is no declaration.
    let (_, undeclared) = standing(vec![item(0, "10")], vec![named(movement("a", 1, "7"), 2)]);
    assert_eq!(undeclared, "7");
}

#[test]
fn what_comes_back_is_taken_off_its_sale_or_the_newest() {
    let after = |backs: Vec<Movement>| {
        let sales = vec![movement("a", 1, "10"), movement("b", 2, "5")];
        let items = vec![item(0, "10"), item(1, "10")];
        let folded = fold(items, [sales, backs].concat(), TODAY).unwrap().standing;
        let stocks = folded.positions.iter().map(|position| position.stock.to_string());
        (stocks.collect::<Vec<_>>().join(" "), folded.beyond.to_string())
    };
    // Five of "a" come back: "b" moves up to the older item.
    assert_eq!(after(vec![back("r", 3, "-5", "a")]), ("0 10".to_owned(), "0".to_owned()));
    // More than "a" was: the rest off the newest.
    assert_eq!(after(vec![back("r", 3, "-12", "a")]), ("7 10".to_owned(), "0".to_owned()));
    // It cites nothing: off "b", the newest; what is beyond "b" off "a".
    assert_eq!(after(vec![movement("r", 3, "-7")]), ("2 10".to_owned(), "0".to_owned()));
    // More than was ever sold: kept in sight.
    assert_eq!(after(vec![movement("r", 3, "-20")]), ("10 10".to_owned(), "5".to_owned()));
    // It names a declaration under which nothing was sold.
    assert_eq!(after(vec![named(movement("r", 3, "-1"), 1)]), ("0 5".to_owned(), "1".to_owned()));
}

#[test]
fn sales_without_any_declaration_are_undeclared() {
    assert_eq!(standing(vec![], vec![movement("a", 1, "3"), movement("b", 2, "-1")]).1, "2");
}

prop_compose! {
    fn any_item(which: usize)(
        shipped in prop::collection::vec(0u32..500, 0..3),
        explained in prop::collection::vec((0..Cause::ALL.len(), -20i64..100), 0..3),
        escalated: bool,
        sell_by in prop::option::of(-30i64..30),
    ) -> StockItem {
        StockItem {
            shipments: shipped
                .into_iter()
                .map(|n| Shipped {
                    quantity: Quantity::whole(n),
                    on: date(2026, 3, 1),
                    sell_by: sell_by.map(|days| TODAY.saturating_add(days.days())),
                })
                .collect(),
            explained: explained
                .into_iter()
                .map(|(cause, n)| {
                    let cause = Cause::ALL[cause];
                    let n = if cause == Cause::UnitError { n } else { n.abs() };
                    Explained { cause, quantity: Quantity::of(Decimal::new(n, 1)) }
                })
                .collect(),
            escalated,
            ..item(which, "0")
        }
    }
}

prop_compose! {
    fn any_movement(line: usize)(
        minute in 0i64..20,
        amount in -300i64..600,
        original in prop::option::of(0usize..30),
        names in prop::option::weighted(0.3, (0usize..3, prop::option::of(1u32..3))),
    ) -> Movement {
        Movement {
            quantity: Quantity::of(Decimal::new(amount, 1)),
            original: original.and_then(|line| format!("l{line}").parse().ok()),
            named: match names {
                None => Named::Nothing,
                Some((which, None)) => Named::Declaration(number(which)),
                Some((which, Some(item))) => {
                    Named::Item(ItemKey { declaration: number(which), item })
                }
            },
            ..movement(&format!("l{line}"), minute, "0")
        }
    }
}

fn histories() -> impl Strategy<Value = (Vec<StockItem>, Vec<Movement>)> {
    let items = (0usize..4).prop_flat_map(|n| (0..n.min(3)).map(any_item).collect::<Vec<_>>());
    let movements = (0usize..30).prop_flat_map(|n| (0..n).map(any_movement).collect::<Vec<_>>());
    (items, movements)
}

proptest! {
    #[test]
    fn any_order_of_arrival_gives_the_same((items, movements) in histories(), seed: u64) {
        let straight = fold(items.clone(), movements.clone(), TODAY).unwrap();
        let (mut mixed_items, mut mixed) = (items, movements);
        shuffle(&mut mixed_items, seed);
        shuffle(&mut mixed, seed.rotate_left(17));
        prop_assert_eq!(fold(mixed_items, mixed, TODAY).unwrap(), straight);
    }

    #[test]
    fn nothing_is_lost_and_nothing_made((items, movements) in histories()) {
        let Folded { standing, matches } = fold(items.clone(), movements.clone(), TODAY).unwrap();
        for (position, item) in standing.positions.iter().zip(&items) {
            let left: Decimal = item.shipments.iter().map(|one| one.quantity.value()).sum();
            let of = |causes: &[Cause]| -> Decimal {
                let explained = item.explained.iter().filter(|one| causes.contains(&one.cause));
                explained.map(|one| one.quantity.value()).sum()
            };
            prop_assert_eq!(position.shipped, left + of(&[Cause::UnitError]));
            prop_assert_eq!(position.reimported, of(&[Cause::Reimport]));
            prop_assert_eq!(position.written_off, of(&[Cause::Loss, Cause::Damage, Cause::Sample]));
            prop_assert_eq!(
                position.shipped,
                position.net_sold + position.stock + position.reimported + position.written_off
            );
            let matched = matches.iter().filter(|one| one.item == Some(position.key));
            prop_assert_eq!(matched.map(|one| one.quantity).sum::<Decimal>(), position.net_sold);
        }
        let under: Decimal = standing.positions.iter().map(|position| position.net_sold).sum();
        let all: Decimal = movements.iter().map(|one| one.quantity.value()).sum();
        prop_assert_eq!(under + standing.undeclared - standing.beyond, all);
        prop_assert!(matches.iter().all(|one| one.quantity > Decimal::ZERO));
    }

    /// One sum for each name is enough to know where items stand.
    #[test]
    fn sums_say_what_the_sales_say((items, movements) in histories()) {
        let folded = fold(items.clone(), movements.clone(), TODAY).unwrap();
        let (standing, shares) = shares(items, &sums(&movements), TODAY).unwrap();
        for position in &standing.positions {
            let matched = shares.iter().filter(|one| one.item == Some(position.key));
            prop_assert_eq!(matched.map(|one| one.quantity).sum::<Decimal>(), position.net_sold);
        }
        prop_assert_eq!(standing, folded.standing);
    }

    /// As long as stock lasts, no sale goes beyond it.
    #[test]
    fn stock_is_used_before_it_is_exceeded((items, movements) in histories()) {
        let movements: Vec<_> =
            movements.into_iter().map(|one| Movement { named: Named::Nothing, ..one }).collect();
        let folded = fold(items, movements, TODAY).unwrap().standing;
        let sold = |position: &&Position| position.net_sold > Decimal::ZERO;
        if folded.positions.iter().any(|position| position.stock > Decimal::ZERO) {
            prop_assert!(folded.positions.iter().filter(sold).all(|one| one.stock >= Decimal::ZERO));
            prop_assert_eq!(folded.undeclared, Decimal::ZERO);
        }
    }
}

fn sums(movements: &[Movement]) -> NetByName {
    let mut net = NetByName::new();
    for one in movements {
        let cited = movements.iter().find(|sale| {
            one.quantity.is_negative()
                && sale.quantity.value() > Decimal::ZERO
                && one.original.as_ref() == Some(&sale.line)
        });
        *net.entry(cited.unwrap_or(one).named).or_default() += one.quantity.value();
    }
    net
}

/// A permutation that `seed` fixes.
fn shuffle<T>(values: &mut [T], mut seed: u64) {
    for last in (1..values.len()).rev() {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        values.swap(last, (seed >> 33) as usize % (last + 1));
    }
}
