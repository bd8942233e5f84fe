//! Rollup cells merged while they are read, so that a question holds what its answer holds and
//! not what history holds.
//!
//! Enters: cells one by one, and the dimensions a question is about. Leaves: fewer cells that
//! answer it alike.

use std::collections::HashMap;

use jiff::civil::Date;

use super::analytics::{Dimension, RollupCell};
use super::decimal::Totals;
use super::fault::Fault;
use super::sale::SaleKind;

/// Cells merged so far: those that differ in no dimension asked about, nor in currency, are one.
pub struct Merging {
    by: Vec<Dimension>,
    cells: HashMap<Key, Sums>,
}

#[derive(PartialEq, Eq, Hash)]
struct Key {
    marketplace: String,
    listing: String,
    seller: String,
    ncm: String,
    channel: String,
    province: String,
    size_class: String,
    destination: String,
    currency: String,
    day: Option<Date>,
    kind: Option<SaleKind>,
}

struct Sums {
    totals: Totals,
    orders: Option<u64>,
    latest: Date,
    kind: SaleKind,
}

impl Merging {
    /// Begins, for a question about these dimensions.
    pub fn by(dimensions: &[Dimension]) -> Self {
        Self { by: dimensions.to_vec(), cells: HashMap::new() }
    }

    /// How many cells there are by now.
    pub fn len(&self) -> usize {
        self.cells.len()
    }

    /// Whether there is none yet.
    pub fn is_empty(&self) -> bool {
        self.cells.is_empty()
    }

    /// Adds one.
    ///
    /// # Errors
    /// `AMOUNT_OUT_OF_RANGE` if a sum does not fit 28 digits.
    pub fn add(&mut self, cell: RollupCell) -> Result<(), Fault> {
        use Dimension::*;
        let asked = |any: &[Dimension]| self.by.iter().any(|one| any.contains(one));
        let keep = |any: &[Dimension], text: String| if asked(any) { text } else { String::new() };
        let country = keep(&[DestinationCountry], cell.value(DestinationCountry));
        let destination = if asked(&[Destination]) { cell.destination } else { country };
        let key = Key {
            marketplace: keep(&[Marketplace], cell.marketplace),
            listing: keep(&[Listing], cell.listing),
            // Without a seller the sku has no listing.
            seller: keep(&[Seller, Listing], cell.seller),
            ncm: keep(&[NcmChapter, NcmHeading], cell.ncm),
            channel: keep(&[Channel], cell.channel),
            province: keep(&[Province], cell.province),
            size_class: keep(&[SizeClass], cell.size_class),
            destination,
            currency: cell.currency,
            day: match asked(&[Day, Week]) {
                true => Some(cell.day),
                false => asked(&[Month, Quarter, Year]).then(|| cell.day.first_of_month()),
            },
            kind: asked(&[Kind]).then_some(cell.kind),
        };
        let sums = self.cells.entry(key).or_insert_with(|| Sums {
            totals: Totals::default(),
            orders: None,
            latest: cell.day,
            kind: cell.kind,
        });
        let RollupCell { lines, quantity, amount, .. } = cell;
        sums.totals = sums.totals.plus(Totals { lines, quantity, amount })?;
        sums.orders = match (sums.orders, cell.orders) {
            (None, None) => None,
            (held, added) => Some(held.unwrap_or(0) + added.unwrap_or(0)),
        };
        sums.latest = sums.latest.max(cell.day);
        Ok(())
    }

    /// The merged cells in no particular order. The day of one that is not asked about is its
    /// latest, and what else is not asked about is empty.
    pub fn cells(self) -> Vec<RollupCell> {
        let cell = |(key, sums): (Key, Sums)| RollupCell {
            marketplace: key.marketplace,
            day: key.day.unwrap_or(sums.latest),
            listing: key.listing,
            seller: key.seller,
            ncm: key.ncm,
            channel: key.channel,
            province: key.province,
            size_class: key.size_class,
            destination: key.destination,
            currency: key.currency,
            kind: key.kind.unwrap_or(sums.kind),
            lines: sums.totals.lines,
            quantity: sums.totals.quantity,
            amount: sums.totals.amount,
            orders: sums.orders,
        };
        self.cells.into_iter().map(cell).collect()
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use proptest::prelude::*;
    use rust_decimal::Decimal;

    use super::*;
    use crate::domain::analytics::Measure;
    use crate::domain::exchange::Rates;
    use crate::domain::ranking::{ListingSums, top};
    use crate::domain::summary::sums;

    fn cell(draw: (u8, i8, u8, i64)) -> RollupCell {
        let (bits, day, kind, amount) = draw;
        let either = |bit: u8, one: &str, other: &str| {
            if bits >> bit & 1 == 0 { one.to_owned() } else { other.to_owned() }
        };
        let kind = SaleKind::ALL[usize::from(kind)];
        RollupCell {
            marketplace: either(0, "one", "two"),
            day: date(2026, 1 + day % 12, day),
            listing: either(1, "a", "b"),
            seller: either(2, "", "30500010912"),
            ncm: either(3, "22042100", "03061790"),
            channel: either(4, "OFFICIAL_STORE", "SELLER_STORE"),
            province: either(5, "AR-M", "AR-U"),
            size_class: either(6, "MICRO", "LARGE"),
            destination: either(7, "CN-SH", ""),
            currency: "CNY".to_owned(),
            kind,
            lines: 1,
            quantity: Decimal::from(amount.signum()),
            amount: Decimal::new(amount, 2),
            orders: (kind == SaleKind::Sale).then_some(1),
        }
    }

    fn merged(cells: &[RollupCell], by: &[Dimension]) -> Vec<RollupCell> {
        let mut merging = Merging::by(by);
        cells.iter().for_each(|cell| merging.add(cell.clone()).unwrap());
        merging.cells()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]

        #[test]
        fn merged_cells_answer_as_all_of_them(
            drawn in proptest::collection::vec((any::<u8>(), 1i8..28, 0u8..5, -500i64..500), 0..30),
        ) {
            let cells: Vec<_> = drawn.into_iter().map(cell).collect();
            for one in Dimension::ALL {
                for other in Dimension::ALL {
                    let by = [*one, *other];
                    let few = merged(&cells, &by);
                    let none = Rates::default();
                    prop_assert_eq!(sums(&few, &by, &none), sums(&cells, &by, &none));
                }
            }
            let few = merged(&cells, &[Dimension::Listing, Dimension::NcmChapter]);
            for measure in Measure::ALL {
                let top = |cells: &[RollupCell]| {
                    let sums = cells.iter().map(ListingSums::from);
                    top(sums, *measure, 9, &Rates::default())
                };
                prop_assert_eq!(top(&few), top(&cells));
            }
            prop_assert!(merged(&cells, &[]).len() <= 1);
        }
    }
}
