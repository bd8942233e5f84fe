//! A cube answers as the daily cells do.

use jiff::civil::date;
use proptest::prelude::*;
use rust_decimal::Decimal;

use super::*;
use crate::domain::analytics::{Dimension, Measure, RollupCell};
use crate::domain::coarse::Merging;
use crate::domain::exchange::Rates;
use crate::domain::exchange::tests::rate;
use crate::domain::ranking::{ListingSums, top};
use crate::domain::summary::sums;
use crate::store::{Ranking, RollupQuery};

fn cell(draw: (u16, i32, u8, i64, u32)) -> RollupCell {
    use jiff::ToSpan;
    let (bits, day, kind, amount, scale) = draw;
    let either = |bit: u16, one: &str, other: &str| {
        if bits >> bit & 1 == 0 { one.to_owned() } else { other.to_owned() }
    };
    let kind = SaleKind::ALL[usize::from(kind)];
    RollupCell {
        marketplace: either(0, "one", "two"),
        day: date(2010, 11, 20).checked_add(day.days()).unwrap(),
        listing: either(1, "a", "b"),
        seller: either(2, "", "30500010912"),
        ncm: either(3, "22042100", "03061790"),
        channel: either(4, "OFFICIAL_STORE", "SELLER_STORE"),
        province: either(5, "AR-M", "AR-U"),
        size_class: either(6, "MICRO", "LARGE"),
        destination: match bits >> 7 & 3 {
            0 => "CN",
            1 => "CN-SH",
            2 => "US",
            _ => "",
        }
        .to_owned(),
        currency: either(9, "CNY", "USD"),
        kind,
        lines: 1,
        quantity: Decimal::from(amount.signum()),
        amount: Decimal::new(amount, scale).normalize(),
        orders: Some(u64::from(kind == SaleKind::Sale)),
    }
}

fn cube(cells: &[RollupCell]) -> Cube {
    let mut cube = Cube::default();
    add_all(&mut cube, cells, |cube, group, coming| cube.add(group, coming, 1));
    cube
}

fn add_all(
    cube: &mut Cube,
    cells: &[RollupCell],
    add: impl Fn(&mut Cube, GroupId, Coming) -> Result<(), Unfit>,
) {
    for cell in cells {
        let goods = cube
            .goods([
                &cell.marketplace,
                &cell.listing,
                &cell.seller,
                &cell.ncm,
                &cell.channel,
                &cell.province,
                &cell.size_class,
            ])
            .unwrap();
        let key = GroupKey {
            goods,
            destination: cell.destination.parse().ok(),
            currency: cell.currency.parse().unwrap(),
            kind: cell.kind,
        };
        let coming = Coming {
            day: cell.day,
            lines: cell.lines,
            quantity: cell.quantity,
            amount: cell.amount,
            orders: cell.orders.map_or(0, u64::cast_signed),
        };
        let group = cube.group(key).unwrap();
        add(cube, group, coming).unwrap();
    }
}

/// Lets the cube, which holds these cells, hold the days beside whole months too.
fn hold_days(cube: &mut Cube, cells: &[RollupCell], reach: &Reach) {
    for month in reach.months_of_days() {
        let of_month: Vec<_> =
            cells.iter().filter(|cell| month_of(cell.day) == month).cloned().collect();
        let mut days = Cube::default();
        add_all(&mut days, &of_month, Cube::add_day);
        cube.adopt(month, DaysRead { size: 1, settled: 1 }, days).unwrap();
    }
    assert!(cube.holds(reach));
}

fn query(draw: (u16, i32, i32, u8)) -> RollupQuery {
    use jiff::ToSpan;
    let (bits, from, length, span) = draw;
    let some = |bit: u16, text: &str| (bits >> bit & 3 == 3).then(|| text.to_owned());
    let first = date(2010, 11, 20).checked_add(from.days()).unwrap();
    let last = first.checked_add(length.days()).unwrap();
    let (from, to) = match span {
        0 => (None, None),
        1 => (Some(first.first_of_month()), Some(last.last_of_month())),
        2 => (Some(first), None),
        _ => (Some(first), Some(last)),
    };
    RollupQuery {
        from,
        to,
        marketplace: some(0, "one"),
        seller: some(2, "30500010912"),
        ncm_prefix: some(4, "2204"),
        province: some(6, "AR-U"),
        destination: some(8, "CN"),
        currency: some(10, "USD"),
        channel: some(12, "SELLER_STORE"),
        size_class: some(14, "LARGE"),
        listings: some(1, "b").map(|key| vec![key]),
        ..RollupQuery::default()
    }
}

/// The cells that match, as SQL would find them.
fn matching(cells: &[RollupCell], query: &RollupQuery) -> Vec<RollupCell> {
    let equal =
        |asked: &Option<String>, value: &str| asked.as_ref().is_none_or(|asked| asked == value);
    let holds = |cell: &&RollupCell| {
        query.from.is_none_or(|from| from <= cell.day)
            && query.to.is_none_or(|to| cell.day <= to)
            && equal(&query.marketplace, &cell.marketplace)
            && equal(&query.seller, &cell.seller)
            && equal(&query.province, &cell.province)
            && equal(&query.currency, &cell.currency)
            && equal(&query.channel, &cell.channel)
            && equal(&query.size_class, &cell.size_class)
            && query.ncm_prefix.as_ref().is_none_or(|ncm| cell.ncm.starts_with(ncm))
            && query.destination.as_ref().is_none_or(|asked| cell.destination.starts_with(asked))
            && query.listings.as_ref().is_none_or(|keys| keys.contains(&cell.listing))
    };
    cells.iter().filter(holds).cloned().collect()
}

/// The cells of the days that months leave over.
fn left_over(cells: &[RollupCell], query: &RollupQuery, reach: &Reach) -> Vec<RollupCell> {
    let spans = reach.days.iter().map(|(from, to)| {
        let query = RollupQuery { from: Some(*from), to: Some(*to), ..query.clone() };
        matching(cells, &query)
    });
    spans.flatten().collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_cube_and_the_days_beside_it_answer_as_the_cells_do(
        drawn in proptest::collection::vec(
            (any::<u16>(), 0..900i32, 0u8..5, -500i64..500, 0u32..6), 0..40),
        asked in (any::<u16>(), 0..600i32, 0..500i32, 0u8..4),
    ) {
        let cells: Vec<_> = drawn.into_iter().map(cell).collect();
        let (cube, query) = (cube(&cells), query(asked));
        let expected = matching(&cells, &query);
        let none = Rates::default();
        let timeless = [
            Dimension::Kind, Dimension::Currency, Dimension::Marketplace, Dimension::Seller,
            Dimension::Listing, Dimension::NcmHeading, Dimension::SizeClass, Dimension::Province,
            Dimension::Destination, Dimension::DestinationCountry, Dimension::Channel,
        ];
        let of_time = [Dimension::Month, Dimension::Quarter, Dimension::Year];
        for one in timeless {
            for other in timeless.iter().chain(&of_time) {
                let by = [one, *other];
                let by_month = matches!(other, Dimension::Month | Dimension::Quarter);
                let reach = reach(query.from, query.to, by_month);
                let mut merging = Merging::by(&by);
                let held = cube.cells(&query, &reach, &by).unwrap();
                for cell in held.into_iter().chain(left_over(&cells, &query, &reach)) {
                    merging.add(cell).unwrap();
                }
                prop_assert_eq!(
                    sums(&merging.cells(), &by, &none), sums(&expected, &by, &none), "{:?}", by);
            }
        }
        let reach = reach(query.from, query.to, false);
        for measure in Measure::ALL {
            let beside = left_over(&cells, &query, &reach);
            let held = cube.listings(&query, &reach).unwrap();
            let found = held.into_iter().chain(beside.iter().map(ListingSums::from));
            prop_assert_eq!(
                top(found, *measure, 2, &none),
                top(expected.iter().map(ListingSums::from), *measure, 2, &none));
        }
    }
}

/// Cells among which many are equal: few listings, amounts and days.
fn alike(draw: (u16, i32, u8, i64, bool)) -> RollupCell {
    let (bits, month, kind, amount, great) = draw;
    // Beyond what 64 bits hold, and what they hold sums of.
    let amount = if great { amount * 4_000_000_000_000_000_000 } else { amount };
    RollupCell {
        listing: ["a", "b", "c", "d", "e", "f"][usize::from(bits >> 10) % 6].to_owned(),
        ..cell((bits, month * 15, kind, amount, u32::from(bits & 1)))
    }
}

proptest! {
    #[test]
    fn the_best_are_found_among_all(
        drawn in proptest::collection::vec(
            (any::<u16>(), 0..60i32, 0u8..5, -2i64..3, any::<bool>()), 0..40),
        asked in (any::<u16>(), 0..600i32, 0..500i32, 0u8..2),
        limit in 1usize..5,
        filtered: bool,
    ) {
        let cells: Vec<_> = drawn.into_iter().map(alike).collect();
        let (mut cube, mut query) = (cube(&cells), query(asked));
        if !filtered {
            query = RollupQuery { from: query.from, to: query.to, ..RollupQuery::default() };
        }
        let reach = reach(query.from, query.to, false);
        prop_assert!(reach.days.is_empty());
        let written = serde_json::to_string(&Saved::from(&cube)).unwrap();
        let mut restored = Cube::try_from(serde_json::from_str::<Saved>(&written).unwrap()).unwrap();
        // It goes on from there.
        let more = &cells[..cells.len().min(3)];
        add_all(&mut restored, more, |cube, group, coming| cube.add(group, coming, 1));
        add_all(&mut cube, more, |cube, group, coming| cube.add(group, coming, 1));
        let cells = [&cells[..], more].concat();
        let expected = matching(&cells, &query);
        let rates = [&[][..], &["CNY USD 0.00015"], &["USD CNY 7.1"], &["EUR CNY 7.1"]];
        for rates in rates.map(|rates| Rates::new(rates.iter().map(|text| rate(text)).collect())) {
            let rates = rates.unwrap();
            for measure in Measure::ALL {
                let expected =
                    top(expected.iter().map(ListingSums::from), *measure, limit, &rates);
                let ranking = Ranking { measure: *measure, limit, rates: rates.clone() };
                for cube in [&cube, &restored] {
                    let best = cube.best(&query, &reach, &ranking).unwrap();
                    let found = top(best.sums.into_iter(), *measure, limit, &rates);
                    prop_assert_eq!(&found, &expected, "{} {:?}", measure, rates);
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn held_days_answer_as_the_cells_do_and_take_what_comes(
        drawn in proptest::collection::vec(
            (any::<u16>(), 0..150i32, 0u8..5, -500i64..500, 0u32..6), 0..60),
        came in 0usize..60,
        asked in (any::<u16>(), 0..100i32, 0..70i32, 2u8..4),
    ) {
        let cells: Vec<_> = drawn.into_iter().map(cell).collect();
        let (first, rest) = cells.split_at(came.min(cells.len()));
        let query = query(asked);
        let expected = matching(&cells, &query);
        let none = Rates::default();
        let reach = reach(query.from, query.to, false);
        let mut cube = cube(first);
        hold_days(&mut cube, first, &reach);
        // What the days were read with is there already, and the months take it in alone.
        let (again, rest) = rest.split_at(rest.len() / 2);
        hold_days(&mut cube, &[first, again].concat(), &reach);
        add_all(&mut cube, again, |cube, group, coming| cube.add(group, coming, 1));
        add_all(&mut cube, rest, |cube, group, coming| cube.add(group, coming, 2));
        for by in [[Dimension::Listing, Dimension::Kind], [Dimension::Year, Dimension::Province]] {
            let found = cube.cells(&query, &reach, &by).unwrap();
            prop_assert_eq!(sums(&found, &by, &none), sums(&expected, &by, &none), "{:?}", by);
        }
        for measure in Measure::ALL {
            let ranking = Ranking { measure: *measure, limit: 1, rates: none.clone() };
            let best = cube.best(&query, &reach, &ranking).unwrap();
            prop_assert_eq!(
                top(best.sums.into_iter(), *measure, 1, &none),
                top(expected.iter().map(ListingSums::from), *measure, 1, &none));
        }
    }
}

#[test]
fn great_numbers_are_left_to_whoever_adds_all() {
    let amount = Decimal::MAX / Decimal::TWO;
    let cells = ["a", "b", "c"].map(|listing| RollupCell {
        listing: listing.to_owned(),
        amount,
        ..cell((0b100, 0, 0, 1, 0))
    });
    let ranking = Ranking { measure: Measure::Amount, limit: 1, rates: Rates::default() };
    let best = |cells: &[RollupCell]| {
        let cube = cube(cells);
        let reach = reach(None, None, false);
        cube.best(&RollupQuery::default(), &reach, &ranking).map(|best| best.listings)
    };
    assert_eq!(best(&cells[..1]), Some(1));
    assert_eq!(best(&cells), None);
}

#[test]
fn what_does_not_fit_is_said() {
    let mut cube = Cube::default();
    let goods = cube.goods([""; 7]).unwrap();
    let key = GroupKey {
        goods,
        destination: None,
        currency: "USD".parse().unwrap(),
        kind: SaleKind::Sale,
    };
    let day = date(2010, 12, 1);
    let coming = Coming { day, lines: 1, quantity: Decimal::ONE, amount: Decimal::MAX, orders: 0 };
    let group = cube.group(key).unwrap();
    cube.add(group, coming, 1).unwrap();
    let finer = Coming { amount: Decimal::new(1, 28), ..coming };
    assert_eq!(cube.add(group, finer, 1), Err(Unfit));
    assert_eq!(cube.sums(), 2);
}
