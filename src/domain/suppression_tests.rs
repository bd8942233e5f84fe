//! Small groups, and those who would reckon them.

use jiff::civil::{Date, date};
use proptest::prelude::*;
use rust_decimal::Decimal;

use super::*;
use crate::domain::analytics::tests::cell;
use crate::domain::sale::SaleKind;

const LEAST: usize = 3;
const DAY: Date = date(2026, 5, 10);

/// What one seller sold of a heading, from a province.
fn sale(seller: u32, province: &str, heading: &str) -> RollupCell {
    RollupCell {
        seller: format!("{:011}", 20_000_000_000u64 + u64::from(seller)),
        province: province.to_owned(),
        ncm: format!("{heading}0000"),
        ..cell(&seller.to_string(), DAY, "CNY", SaleKind::Sale, 100)
    }
}

fn sales(sellers: std::ops::Range<u32>, province: &str, heading: &str) -> Vec<RollupCell> {
    sellers.map(|seller| sale(seller, province, heading)).collect()
}

/// The values of the hidden rows.
fn hidden_values(cells: &[RollupCell], by: &[Dimension], filters: &[Filter]) -> Vec<String> {
    let hidden = hidden(cells, by, filters, LEAST).unwrap();
    let mut values: Vec<String> = hidden.rows.iter().map(|(v, _)| v.join(" ")).collect();
    values.sort();
    values
}

fn within(dimension: Dimension, value: &str) -> Filter {
    Filter { dimension, value: value.to_owned() }
}

use Dimension::{Currency, Kind, Marketplace, Month, NcmChapter, NcmHeading, Province};

#[test]
fn a_hidden_row_is_never_alone() {
    let cells =
        [sales(0..2, "AR-V", "2204"), sales(10..13, "AR-U", "2204"), sales(20..25, "AR-M", "2204")]
            .concat();
    // Alone, AR-V would be all less the others: the smallest of the others hides with it.
    assert_eq!(hidden_values(&cells, &[Province], &[]), ["AR-U", "AR-V"]);
    assert_eq!(hidden_values(&cells, &[NcmHeading], &[]), [""; 0]);
    // Two that are small are enough for each other where they are enough together.
    let more = [cells.clone(), sales(30..31, "AR-Z", "2204")].concat();
    assert_eq!(hidden_values(&more, &[Province], &[]), ["AR-V", "AR-Z"]);
}

#[test]
fn kinds_currencies_and_marketplaces_hide_nobody() {
    let cells = sales(0..1, "AR-V", "2204");
    for by in [&[][..], &[Kind], &[Currency], &[Marketplace], &[Kind, Marketplace]] {
        assert_eq!(hidden(&cells, by, &[], LEAST).unwrap(), Hidden::default(), "{by:?}");
        let one = [within(Marketplace, "marketplace")];
        assert_eq!(hidden(&cells, by, &one, LEAST).unwrap(), Hidden::default(), "{by:?}");
    }
    assert_eq!(hidden_values(&cells, &[Province, Kind], &[]), ["AR-V SALE"]);
    assert_eq!(hidden_values(&cells, &[Month], &[]), ["2026-05"]);
}

#[test]
fn a_filter_is_judged_as_a_row_of_its_dimension() {
    let cells =
        [sales(0..2, "AR-V", "2204"), sales(10..13, "AR-U", "2204"), sales(20..25, "AR-M", "2204")]
            .concat();
    for (province, is_hidden) in [("AR-V", true), ("AR-U", true), ("AR-M", false), ("AR-Z", true)] {
        let hidden = hidden(&cells, &[Kind], &[within(Province, province)], LEAST).unwrap();
        assert_eq!(hidden.all, is_hidden, "{province}");
    }
}

#[test]
fn headings_agree_with_their_chapters() {
    let cells = [
        sales(0..2, "AR-M", "2205"),
        sales(10..14, "AR-M", "2204"),
        sales(20..23, "AR-M", "0306"),
        sales(30..34, "AR-M", "0409"),
    ]
    .concat();
    assert_eq!(hidden_values(&cells, &[NcmChapter], &[]), [""; 0]);
    // 2205 is its chapter less 2204, so 2204 hides with it and no other chapter's heading does.
    assert_eq!(hidden_values(&cells, &[NcmHeading], &[]), ["2204", "2205"]);
    // A chapter that hides takes its headings along.
    let few =
        [sales(0..1, "AR-M", "2205"), sales(10..13, "AR-M", "0306"), sales(20..24, "AR-M", "0409")];
    let few = few.concat();
    assert_eq!(hidden_values(&few, &[NcmChapter], &[]), ["03", "22"]);
    assert_eq!(hidden_values(&few, &[NcmHeading], &[]), ["0306", "2205"]);
}

#[test]
fn what_has_no_seller_is_no_group() {
    let mut unknown = sales(0..5, "", "2204");
    unknown.iter_mut().for_each(|cell| cell.seller.clear());
    let cells = [unknown, sales(10..14, "AR-M", "2204"), sales(20..24, "AR-U", "2204")].concat();
    assert_eq!(hidden_values(&cells, &[Province], &[]), ["", "AR-M"]);
}

#[test]
fn too_many_at_once_are_refused() {
    let filters = [
        within(Province, "AR-M"),
        within(NcmHeading, "2204"),
        within(Dimension::Destination, "CN-SH"),
        within(Dimension::Channel, "OFFICIAL_STORE"),
    ];
    let by = [Dimension::Day, Dimension::SizeClass];
    let fault = hidden(&sales(0..9, "AR-M", "2204"), &by, &filters, LEAST).unwrap_err();
    assert_eq!(fault.reason, "TOO_NARROW");
}

/// One who asks every question there is and reckons: for each total that is told, the sellers
/// behind what is not told of it must be none or enough.
fn attack(cells: &[RollupCell], tables: &[(Vec<Dimension>, Vec<Dimension>)]) {
    for (fine, coarse) in tables {
        let (in_fine, in_coarse) = (
            hidden(cells, fine, &[], LEAST).unwrap().rows,
            hidden(cells, coarse, &[], LEAST).unwrap().rows,
        );
        let key = |cell: &RollupCell, by: &[Dimension]| {
            (by.iter().map(|one| cell.value(*one)).collect::<Vec<_>>(), cell.currency.clone())
        };
        let mut untold: HashMap<RowKey, BTreeSet<&str>> = HashMap::new();
        for cell in cells.iter().filter(|cell| in_fine.contains(&key(cell, fine))) {
            untold.entry(key(cell, coarse)).or_default().insert(&cell.seller);
        }
        let has_totals = coarse.iter().any(|one| !matches!(one, Kind | Currency | Marketplace));
        for (total, sellers) in untold {
            // A total of all may itself be of few: then nothing beside it is told.
            let all_few = !has_totals && {
                let all = cells.iter().filter(|cell| key(cell, coarse) == total);
                all.map(|cell| &cell.seller).collect::<BTreeSet<_>>().len() < LEAST
            };
            let safe = in_coarse.contains(&total) || sellers.len() >= LEAST || all_few;
            assert!(safe, "{total:?} by {coarse:?} less {fine:?} tells of {sellers:?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn totals_less_rows_tell_of_nobody(
        drawn in proptest::collection::vec((0u32..14, 0usize..4, 0usize..4, 0usize..3, 0i8..3), 1..60),
    ) {
        let provinces = ["AR-M", "AR-U", "AR-V", "AR-Z"];
        let headings = ["2204", "2205", "0306", "0409"];
        let kinds = [SaleKind::Sale, SaleKind::Return, SaleKind::Refund];
        let cells: Vec<_> = drawn
            .into_iter()
            .map(|(seller, province, heading, kind, month)| RollupCell {
                kind: kinds[kind],
                day: date(2026, 5 + month, 10),
                quantity: Decimal::ONE,
                ..sale(seller, provinces[province], headings[heading])
            })
            .collect();
        attack(&cells, &[
            (vec![Province], vec![]),
            (vec![NcmChapter], vec![]),
            (vec![NcmHeading], vec![]),
            (vec![NcmHeading], vec![NcmChapter]),
            (vec![Province, NcmHeading], vec![Province]),
            (vec![Province, NcmHeading], vec![NcmHeading]),
            (vec![Province, NcmHeading], vec![Province, NcmChapter]),
            (vec![Province, NcmChapter], vec![Province]),
            (vec![Province, NcmChapter], vec![NcmChapter]),
            (vec![Province, Kind], vec![Province]),
            (vec![Province, Kind], vec![Kind]),
            (vec![Province, Month], vec![Province, Dimension::Quarter]),
            (vec![Province, Month], vec![Month]),
            (vec![Month], vec![Dimension::Year]),
        ]);
        // A filter tells no more than the row of its value.
        for province in provinces {
            let by_row = hidden(&cells, &[Province], &[], LEAST).unwrap().rows;
            let there = cells.iter().any(|cell| cell.province == province);
            let asked = hidden(&cells, &[], &[within(Province, province)], LEAST).unwrap();
            let row = (vec![province.to_owned()], "CNY".to_owned());
            prop_assert_eq!(asked.all, !there || by_row.contains(&row), "{}", province);
        }
    }
}
