//! Sums of sales by dimension, with their shares and how they changed.
//!
//! Enters: rollup cells, of the days asked about and of earlier ones, and rates. Leaves: rows, in
//! an order that does not depend on that of the cells. Sums are exact; currencies are added up only
//! at rates that were given.

use std::collections::BTreeMap;

use rust_decimal::Decimal;

use super::analytics::{Dimension, RollupCell};
use super::decimal::{Totals, exact_sum};
use super::exact::Exact;
use super::exchange::Rates;
use super::fault::Fault;

/// What tells rows apart: the values of the dimensions asked for, in that order, and the currency.
pub type RowKey = (Vec<String>, String);

/// One sum.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SummaryRow {
    /// The values of the dimensions asked for, in that order.
    pub values: Vec<String>,
    /// The currency of the amounts.
    pub currency: String,
    /// What was sold.
    pub sums: Totals,
    /// Its part in all amounts in its currency; four decimals. `None` where their sum is not above
    /// zero, or nobody asked.
    pub share: Option<Decimal>,
    /// What was sold in the days compared with.
    pub before: Option<Totals>,
    /// Whether the group is too small for the caller to learn about it: there are no figures.
    pub suppressed: bool,
}

/// Sums the cells by the dimensions, and by currency where none is converted.
///
/// # Errors
/// `RATE_MISSING` (metadata `currencies`) if there are rates, but none for a currency of the
/// cells; `AMOUNT_OUT_OF_RANGE` if a sum does not fit 28 digits.
pub fn sums(
    cells: &[RollupCell],
    dimensions: &[Dimension],
    rates: &Rates,
) -> Result<BTreeMap<RowKey, Totals>, Fault> {
    let mut exact: BTreeMap<(Vec<String>, &str), Totals> = BTreeMap::new();
    for cell in cells {
        let values = dimensions.iter().map(|dimension| cell.value(*dimension)).collect();
        let sum = exact.entry((values, cell.currency.as_str())).or_default();
        *sum = sum.plus(cell.totals())?;
    }
    let Some(target) = rates.target() else {
        let named = |((values, currency), sum): ((_, &str), _)| ((values, currency.into()), sum);
        return Ok(exact.into_iter().map(named).collect());
    };
    let mut converted: BTreeMap<RowKey, (Totals, Exact)> = BTreeMap::new();
    for ((values, currency), sum) in exact {
        let row = converted.entry((values, target.to_string())).or_default();
        row.0 = row.0.plus(Totals { amount: Decimal::ZERO, ..sum })?;
        row.1 = row.1.plus(rates.converted(Exact::of(sum.amount), currency)?)?;
    }
    let settled = converted.into_iter().map(|(key, (totals, amount))| {
        Ok((key, Totals { amount: rates.settled(amount)?, ..totals }))
    });
    settled.collect()
}

/// Rows of the sums, ordered by the values of the dimensions, then by currency; with what was sold
/// in earlier days where that is given, and with shares where asked for.
///
/// # Errors
/// `AMOUNT_OUT_OF_RANGE` if all amounts together do not fit 28 digits.
pub fn rows(
    now: BTreeMap<RowKey, Totals>,
    earlier: Option<BTreeMap<RowKey, Totals>>,
    with_shares: bool,
) -> Result<Vec<SummaryRow>, Fault> {
    let mut wholes: BTreeMap<String, Decimal> = BTreeMap::new();
    for ((_, currency), sum) in now.iter().filter(|_| with_shares) {
        let whole = wholes.entry(currency.clone()).or_default();
        *whole = exact_sum(*whole, sum.amount)?;
    }
    let mut rows: BTreeMap<RowKey, SummaryRow> = BTreeMap::new();
    for (key, sums) in now {
        let whole = wholes.get(&key.1).copied().unwrap_or_default();
        let share = share(sums.amount, whole);
        rows.insert(key, SummaryRow { sums, share, ..SummaryRow::default() });
    }
    if let Some(earlier) = earlier {
        for row in rows.values_mut() {
            row.before = Some(Totals::default());
        }
        for (key, sums) in earlier {
            rows.entry(key).or_default().before = Some(sums);
        }
    }
    let named =
        rows.into_iter().map(|((values, currency), row)| SummaryRow { values, currency, ..row });
    Ok(named.collect())
}

/// A part in a whole, rounded half to even to four decimals; `None` where the whole is not above
/// zero.
pub fn share(part: Decimal, whole: Decimal) -> Option<Decimal> {
    if whole <= Decimal::ZERO {
        return None;
    }
    part.checked_div(whole).map(|share| share.round_dp(4).normalize())
}

#[cfg(test)]
mod tests {
    use jiff::civil::{Date, date};
    use proptest::prelude::*;

    use super::*;
    use crate::domain::analytics::tests::cell;
    use crate::domain::exchange::tests::rate;
    use crate::domain::sale::SaleKind;

    const DAY: Date = date(2010, 12, 1);

    fn mixed() -> [RollupCell; 3] {
        [
            cell("a", DAY, "CNY", SaleKind::Sale, 1000),
            cell("b", DAY, "CNY", SaleKind::Cancellation, -250),
            cell("b", DAY, "USD", SaleKind::Sale, 1),
        ]
    }

    #[test]
    fn sums_are_net_and_apart_by_currency() {
        let rows = rows(sums(&mixed(), &[], &Rates::default()).unwrap(), None, true).unwrap();
        let told: Vec<_> = rows.iter().map(|r| (r.currency.as_str(), r.sums.amount)).collect();
        assert_eq!(told, [("CNY", Decimal::new(75, 1)), ("USD", Decimal::new(1, 2))]);
        assert_eq!(rows[0].share, Some(Decimal::ONE));
        let by_kind = sums(&mixed(), &[Dimension::Kind], &Rates::default()).unwrap();
        assert_eq!(by_kind.len(), 3);
        assert_eq!(by_kind.keys().next().unwrap().0, ["CANCELLATION"]);
    }

    #[test]
    fn amounts_are_added_over_currencies_only_at_rates() {
        let rates = Rates::new(vec![rate("CNY USD 0.13891")]).unwrap();
        let all = sums(&mixed(), &[], &rates).unwrap();
        // 7.50 x 0.13891 + 0.01 = 1.051825, rounded at the end.
        let row = all.get(&(vec![], "USD".to_owned())).unwrap();
        assert_eq!((row.amount.to_string(), row.lines), ("1.0518".to_owned(), 3));
        // The currency of the sales can still be told.
        let apart = sums(&mixed(), &[Dimension::Currency], &rates).unwrap();
        let told: Vec<_> =
            apart.iter().map(|((v, c), t)| format!("{} {c} {}", v[0], t.amount)).collect();
        assert_eq!(told, ["CNY USD 1.0418", "USD USD 0.01"]);
    }

    #[test]
    fn rows_stand_beside_what_was_before() {
        let by = [Dimension::Listing];
        let sum = |cells: &[RollupCell]| sums(cells, &by, &Rates::default()).unwrap();
        let now = sum(&[cell("a", DAY, "CNY", SaleKind::Sale, 300)]);
        let earlier = sum(&[
            cell("a", DAY, "CNY", SaleKind::Sale, 100),
            cell("b", DAY, "CNY", SaleKind::Sale, 50),
        ]);
        let rows = rows(now, Some(earlier), false).unwrap();
        let told: Vec<_> = rows
            .iter()
            .map(|r| format!("{} {} {}", r.values[0], r.sums.amount, r.before.unwrap().amount))
            .collect();
        assert_eq!(told, ["a 3 1", "b 0 0.5"]);
        assert_eq!(rows[0].share, None, "nobody asked");
    }

    #[test]
    fn a_share_is_rounded_half_to_even() {
        let share = |part, whole| super::share(Decimal::from(part), Decimal::from(whole));
        assert_eq!(share(1, 3), Some(Decimal::new(3333, 4)));
        assert_eq!(share(1, 32), Some(Decimal::new(312, 4)));
        assert_eq!(share(3, 32), Some(Decimal::new(938, 4)));
        assert_eq!(share(-1, 4), Some(Decimal::new(-25, 2)));
        assert_eq!((share(1, 0), share(1, -1)), (None, None));
    }

    proptest! {
        #[test]
        fn the_order_of_cells_does_not_matter(
            parts in proptest::collection::vec((0u8..4, 1i8..28, -500i64..500), 0..20),
        ) {
            let mut cells: Vec<_> = parts
                .into_iter()
                .map(|(key, day, amount)| {
                    let day = date(2010, 12, day);
                    cell(&key.to_string(), day, "CNY", SaleKind::Adjustment, amount)
                })
                .collect();
            let by = [Dimension::Week, Dimension::Listing];
            let there = sums(&cells, &by, &Rates::default());
            cells.reverse();
            prop_assert_eq!(there, sums(&cells, &by, &Rates::default()));
        }
    }
}
