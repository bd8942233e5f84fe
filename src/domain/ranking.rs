//! The listings that sold best.
//!
//! Enters: sums of listings, as rollup cells or as they are held in memory, and rates. Leaves:
//! ranked listings, in an order that does not depend on that of the sums.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};

use jiff::civil::Date;
use rust_decimal::Decimal;

use super::analytics::{Measure, RollupCell};
use super::decimal::Totals;
use super::exact::Exact;
use super::exchange::{Rate, Rates};
use super::fault::Fault;
use super::summary::share;

/// What a listing sold in one currency; several may be about one listing.
#[derive(Clone, Copy, Debug)]
pub struct ListingSums<'c> {
    /// The listing's key, known or not.
    pub listing: &'c str,
    /// The seller's CUIT; empty where the sku has no listing.
    pub seller: &'c str,
    /// The NCM leaf, eight digits.
    pub ncm: &'c str,
    /// The currency of the amount.
    pub currency: &'c str,
    /// The latest day it is about.
    pub latest: Date,
    /// Lines.
    pub lines: u64,
    /// Net quantity.
    pub quantity: Exact,
    /// Net amount.
    pub amount: Exact,
    /// Distinct orders over sealed reports.
    pub orders: u64,
}

impl<'c> From<&'c RollupCell> for ListingSums<'c> {
    fn from(cell: &'c RollupCell) -> Self {
        Self {
            listing: &cell.listing,
            seller: &cell.seller,
            ncm: &cell.ncm,
            currency: &cell.currency,
            latest: cell.day,
            lines: cell.lines,
            quantity: Exact::of(cell.quantity),
            amount: Exact::of(cell.amount),
            orders: cell.orders.unwrap_or(0),
        }
    }
}

/// The listings that sold best.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopListings {
    /// Best first; equal measures by listing key. All that equal the last one asked for are there.
    pub listings: Vec<RankedListing>,
    /// The currency of the amounts; `None` where there are several.
    pub currency: Option<String>,
    /// The rates at which amounts were converted.
    pub rates: Vec<Rate>,
}

/// One ranked listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RankedListing {
    /// The listing's key.
    pub listing: String,
    /// The seller's CUIT.
    pub seller: String,
    /// The NCM leaf, eight digits.
    pub ncm: String,
    /// What it sold; the amount is 0 and means nothing where there are several currencies.
    pub sums: Totals,
    /// Distinct orders over sealed reports.
    pub orders: u64,
    /// Its part in the measure over all sums asked about, those without a listing included;
    /// four decimals, 0 where the whole is not above zero.
    pub share: Decimal,
}

impl RankedListing {
    /// What it is ranked by.
    pub fn value(&self, measure: Measure) -> Decimal {
        match measure {
            Measure::Amount => self.sums.amount,
            Measure::Quantity => self.sums.quantity,
            Measure::Orders => self.orders.into(),
        }
    }
}

/// A listing while its sums are added up.
struct Adding<'c> {
    about: ListingSums<'c>,
    amount: Exact,
}

/// Ranks listings by the measure and answers the first `limit`, with all that equal the last of
/// them. Lines whose sku has no listing count for the whole, but are not ranked. Seller and NCM
/// are those of the latest day.
///
/// # Errors
/// `CURRENCY_REQUIRED` (metadata `currencies`) to rank by amount over several currencies without
/// rates; `RATE_MISSING` (metadata `currencies`) with rates, but none for one of them;
/// `AMOUNT_OUT_OF_RANGE`.
pub fn top<'c>(
    sums: impl Iterator<Item = ListingSums<'c>>,
    measure: Measure,
    limit: usize,
    rates: &Rates,
) -> Result<TopListings, Fault> {
    let sums: Vec<ListingSums<'c>> = sums.collect();
    let mut currencies: BTreeSet<&str> = BTreeSet::new();
    for sum in &sums {
        if currencies.last() != Some(&sum.currency) {
            currencies.insert(sum.currency);
        }
    }
    let needed = rates.needed(currencies.iter().copied())?;
    let priced = rates.target().is_some() || currencies.len() <= 1;
    if measure == Measure::Amount && !priced {
        return Err(currency_required(&currencies));
    }
    let mut whole = Exact::default();
    let mut listings: HashMap<&str, Adding<'c>> = HashMap::with_capacity(sums.len());
    for sum in sums {
        let amount = match priced {
            true => rates.converted(sum.amount, sum.currency)?,
            false => Exact::default(),
        };
        whole = whole.plus(match measure {
            Measure::Amount => amount,
            Measure::Quantity => sum.quantity,
            Measure::Orders => Exact::new(sum.orders.into(), 0),
        })?;
        if sum.seller.is_empty() {
            continue;
        }
        match listings.entry(sum.listing) {
            std::collections::hash_map::Entry::Vacant(place) => {
                place.insert(Adding { about: sum, amount });
            }
            std::collections::hash_map::Entry::Occupied(place) => {
                place.into_mut().add(sum, amount)?
            }
        }
    }
    let listings = listings.into_values().map(|adding| ranked(adding, rates));
    let mut listings = best(listings.collect::<Result<_, _>>()?, measure, limit);
    let whole = match measure {
        Measure::Amount => rates.settled(whole)?,
        Measure::Quantity | Measure::Orders => whole.decimal()?,
    };
    for one in &mut listings {
        one.share = share(one.value(measure), whole).unwrap_or_default();
    }
    let currency = match rates.target() {
        Some(target) => Some(target.to_string()),
        None if priced => currencies.first().map(|currency| (*currency).to_owned()),
        None => None,
    };
    Ok(TopListings { listings, currency, rates: needed })
}

impl<'c> Adding<'c> {
    fn add(&mut self, sum: ListingSums<'c>, amount: Exact) -> Result<(), Fault> {
        let about = &mut self.about;
        // The day alone would leave the choice between two sums of it to their order.
        if (about.latest, about.seller, about.ncm) < (sum.latest, sum.seller, sum.ncm) {
            (about.latest, about.seller, about.ncm) = (sum.latest, sum.seller, sum.ncm);
        }
        about.lines += sum.lines;
        about.orders += sum.orders;
        about.quantity = about.quantity.plus(sum.quantity)?;
        self.amount = self.amount.plus(amount)?;
        Ok(())
    }
}

/// A listing whose texts are borrowed still: most are not among the best.
struct Candidate<'c> {
    about: ListingSums<'c>,
    sums: Totals,
}

fn ranked<'c>(adding: Adding<'c>, rates: &Rates) -> Result<Candidate<'c>, Fault> {
    let Adding { about, amount } = adding;
    let (lines, quantity) = (about.lines, about.quantity.decimal()?);
    Ok(Candidate { about, sums: Totals { lines, quantity, amount: rates.settled(amount)? } })
}

fn best(mut listings: Vec<Candidate<'_>>, measure: Measure, limit: usize) -> Vec<RankedListing> {
    let value = |one: &Candidate<'_>| match measure {
        Measure::Amount => one.sums.amount,
        Measure::Quantity => one.sums.quantity,
        Measure::Orders => one.about.orders.into(),
    };
    if let Some(last) = limit.checked_sub(1).filter(|last| *last < listings.len()) {
        let (_, last, _) = listings.select_nth_unstable_by_key(last, |one| Reverse(value(one)));
        let least = value(last);
        listings.retain(|one| value(one) >= least);
    }
    listings.sort_by_key(|one| (Reverse(value(one)), one.about.listing));
    let named = listings.into_iter().map(|Candidate { about, sums }| RankedListing {
        listing: about.listing.to_owned(),
        seller: about.seller.to_owned(),
        ncm: about.ncm.to_owned(),
        sums,
        orders: about.orders,
        share: Decimal::ZERO,
    });
    named.collect()
}

fn currency_required(currencies: &BTreeSet<&str>) -> Fault {
    let currencies: Vec<&str> = currencies.iter().copied().collect();
    Fault::illegal_state(
        "CURRENCY_REQUIRED",
        format!(
            "amounts in several currencies ({}) cannot be ranked together; ask for one in \
             filter.currency, give rates, or rank by quantity or orders",
            currencies.join(", ")
        ),
    )
    .with("currencies", currencies.join(","))
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use proptest::prelude::*;

    use super::*;
    use crate::domain::analytics::tests::cell;
    use crate::domain::exchange::tests::rate;
    use crate::domain::sale::SaleKind;

    const DAY: Date = date(2010, 12, 1);

    fn top(cells: &[RollupCell], measure: Measure, limit: usize) -> Result<TopListings, Fault> {
        super::top(cells.iter().map(ListingSums::from), measure, limit, &Rates::default())
    }

    fn keys(top: &TopListings) -> Vec<&str> {
        top.listings.iter().map(|one| one.listing.as_str()).collect()
    }

    #[test]
    fn equal_listings_stand_in_the_order_of_their_keys_and_none_is_cut_off() {
        let mut cells: Vec<_> =
            ["c", "a", "b"].map(|key| cell(key, DAY, "CNY", SaleKind::Sale, 100)).into();
        cells.push(cell("d", DAY, "CNY", SaleKind::Sale, 99));
        cells.push(cell("z", DAY, "CNY", SaleKind::Sale, 101));
        let ranked = top(&cells, Measure::Amount, 2).unwrap();
        assert_eq!(keys(&ranked), ["z", "a", "b", "c"]);
        assert_eq!(ranked.listings[1].share, Decimal::new(2, 1));
        assert_eq!(ranked.currency.as_deref(), Some("CNY"));
        assert_eq!(keys(&top(&cells, Measure::Amount, 9).unwrap()).len(), 5);
    }

    #[test]
    fn amounts_of_several_currencies_are_ranked_only_at_rates() {
        let cells =
            [cell("a", DAY, "USD", SaleKind::Sale, 1), cell("a", DAY, "CNY", SaleKind::Sale, 1)];
        let fault = top(&cells, Measure::Amount, 10).unwrap_err();
        assert_eq!(fault.metadata, [("currencies", "CNY,USD".to_owned())]);
        let ranked = top(&cells, Measure::Orders, 10).unwrap();
        assert_eq!((ranked.listings[0].orders, &ranked.currency), (2, &None));
        assert_eq!(ranked.listings[0].sums.amount, Decimal::ZERO);

        let rates = Rates::new(vec![rate("CNY USD 0.5"), rate("EUR USD 1")]).unwrap();
        let sums = || cells.iter().map(ListingSums::from);
        let ranked = super::top(sums(), Measure::Amount, 10, &rates).unwrap();
        assert_eq!(ranked.listings[0].sums.amount, Decimal::new(15, 3));
        assert_eq!(ranked.currency.as_deref(), Some("USD"));
        assert_eq!(ranked.rates, [rate("CNY USD 0.5")]);
        let rates = Rates::new(vec![rate("USD EUR 1")]).unwrap();
        let fault = super::top(sums(), Measure::Quantity, 10, &rates).unwrap_err();
        assert_eq!(fault.metadata, [("currencies", "CNY".to_owned())]);
    }

    #[test]
    fn what_has_no_listing_counts_for_the_whole_only() {
        let mut unknown = cell("x", DAY, "CNY", SaleKind::Sale, 300);
        unknown.seller.clear();
        let cells = [unknown, cell("a", DAY, "CNY", SaleKind::Sale, 100)];
        let ranked = top(&cells, Measure::Amount, 10).unwrap();
        assert_eq!(ranked.listings.len(), 1);
        assert_eq!(ranked.listings[0].share, Decimal::new(25, 2));
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
            let there = top(&cells, Measure::Amount, 3);
            cells.reverse();
            prop_assert_eq!(&there, &top(&cells, Measure::Amount, 3));
        }
    }
}
