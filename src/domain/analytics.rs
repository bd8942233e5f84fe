//! Questions about sums of sales: top products, and sums by dimension.
//!
//! Enters: rollup cells, which the write path keeps. Leaves: ranked products and rows, in an order
//! that does not depend on that of the cells. Sums are exact; currencies are never added up.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::decimal::{Totals, exact_sum};
use super::fault::Fault;
use super::sale::SaleKind;

named_enum! {
    /// By what sales are summed.
    pub enum Dimension ("a dimension", "INVALID_DIMENSION") {
        /// The kind of the line.
        Kind = "kind",
        /// The currency.
        Currency = "currency",
        /// The marketplace.
        Marketplace = "marketplace",
        /// The seller's CUIT.
        Seller = "seller",
        /// The listing's key.
        Listing = "listing",
        /// The first two digits of the NCM code.
        NcmChapter = "ncm_chapter",
        /// The first four digits of the NCM code.
        NcmHeading = "ncm_heading",
        /// The seller's size.
        SizeClass = "size_class",
        /// The seller's province.
        Province = "province",
        /// Where the buyers are.
        Destination = "destination",
        /// The shop.
        Channel = "channel",
        /// The line's day.
        Day = "day",
        /// The line's ISO week.
        Week = "week",
        /// The line's month.
        Month = "month",
        /// The line's quarter.
        Quarter = "quarter",
        /// The line's year.
        Year = "year",
    }
}

named_enum! {
    /// By what products are ranked.
    pub enum Measure ("a measure", "INVALID_MEASURE") {
        /// The net amount, in one currency.
        Amount = "amount",
        /// The net quantity.
        Quantity = "quantity",
        /// The number of distinct orders.
        Orders = "orders",
    }
}

/// Sums over the lines of one day, listing, destination, currency and kind; signed by the kind.
/// What is not known is empty; where the sku has no listing, so is the seller.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RollupCell {
    /// The marketplace's id.
    pub marketplace: String,
    /// The day in the lines' own offset.
    pub day: Date,
    /// The listing's key, known or not.
    pub listing: String,
    /// The seller's CUIT.
    pub seller: String,
    /// The NCM leaf, eight digits.
    pub ncm: String,
    /// The shop.
    pub channel: String,
    /// The seller's province.
    pub province: String,
    /// The seller's size.
    pub size_class: String,
    /// Where the buyers are.
    pub destination: String,
    /// The currency.
    pub currency: String,
    /// The kind.
    pub kind: SaleKind,
    /// Lines.
    pub lines: u64,
    /// Net quantity.
    pub quantity: Decimal,
    /// Net amount.
    pub amount: Decimal,
    /// Distinct orders counted here; `None` until the report is sealed.
    pub orders: Option<u64>,
}

impl RollupCell {
    /// Its value in a dimension; empty where not known.
    pub fn value(&self, dimension: Dimension) -> String {
        let first = |count: usize| self.ncm.get(..count).unwrap_or_default().to_owned();
        match dimension {
            Dimension::Kind => self.kind.to_string(),
            Dimension::Currency => self.currency.clone(),
            Dimension::Marketplace => self.marketplace.clone(),
            Dimension::Seller => self.seller.clone(),
            Dimension::Listing if self.has_listing() => self.listing.clone(),
            Dimension::Listing => String::new(),
            Dimension::NcmChapter => first(2),
            Dimension::NcmHeading => first(4),
            Dimension::SizeClass => self.size_class.clone(),
            Dimension::Province => self.province.clone(),
            Dimension::Destination => self.destination.clone(),
            Dimension::Channel => self.channel.clone(),
            Dimension::Day => self.day.to_string(),
            Dimension::Week => {
                let week = self.day.iso_week_date();
                format!("{:04}-W{:02}", week.year(), week.week())
            }
            Dimension::Month => format!("{:04}-{:02}", self.day.year(), self.day.month()),
            Dimension::Quarter => {
                format!("{:04}-Q{}", self.day.year(), (self.day.month() + 2) / 3)
            }
            Dimension::Year => format!("{:04}", self.day.year()),
        }
    }

    /// Whether the lines' sku has a listing.
    pub fn has_listing(&self) -> bool {
        !self.seller.is_empty()
    }

    fn totals(&self) -> Totals {
        Totals { lines: self.lines, quantity: self.quantity, amount: self.amount }
    }
}

/// One sum.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SummaryRow {
    /// The values of the dimensions asked for, in that order.
    pub values: Vec<String>,
    /// The currency of the amount.
    pub currency: String,
    /// Lines.
    pub lines: u64,
    /// Net quantity.
    pub quantity: Decimal,
    /// Net amount.
    pub amount: Decimal,
}

/// Sums the cells by the dimensions and, always, by currency; ordered by the values, then by
/// currency. No dimension gives one row for each currency.
///
/// # Errors
/// `AMOUNT_OUT_OF_RANGE` if a sum does not fit 28 digits.
pub fn summarize(cells: &[RollupCell], dimensions: &[Dimension]) -> Result<Vec<SummaryRow>, Fault> {
    let mut sums: BTreeMap<(Vec<String>, &str), Totals> = BTreeMap::new();
    for cell in cells {
        let values = dimensions.iter().map(|dimension| cell.value(*dimension)).collect();
        let sum = sums.entry((values, cell.currency.as_str())).or_default();
        *sum = sum.plus(cell.totals())?;
    }
    let rows = sums.into_iter().map(|((values, currency), sum)| SummaryRow {
        values,
        currency: currency.to_owned(),
        lines: sum.lines,
        quantity: sum.quantity,
        amount: sum.amount,
    });
    Ok(rows.collect())
}

/// The listings that sold best.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopListings {
    /// Best first; equal measures by listing key.
    pub listings: Vec<RankedListing>,
    /// The currency of the amounts; `None` where there are several.
    pub currency: Option<String>,
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
    /// Net quantity.
    pub quantity: Decimal,
    /// Net amount; means nothing where there are several currencies.
    pub amount: Decimal,
    /// Distinct orders over sealed reports.
    pub orders: u64,
    /// Its part in the measure over all cells asked about, those without a listing included;
    /// four decimals, 0 where the whole is not above zero.
    pub share: Decimal,
}

/// Ranks listings by the measure. Lines whose sku has no listing count for the whole, but are not
/// ranked. Seller and NCM are those of the latest day.
///
/// # Errors
/// `CURRENCY_REQUIRED` (metadata `currencies`) to rank by amount over several currencies;
/// `AMOUNT_OUT_OF_RANGE`.
pub fn top(cells: &[RollupCell], measure: Measure, limit: usize) -> Result<TopListings, Fault> {
    let currencies: BTreeSet<&str> = cells.iter().map(|cell| cell.currency.as_str()).collect();
    if measure == Measure::Amount && currencies.len() > 1 {
        let currencies: Vec<&str> = currencies.into_iter().collect();
        return Err(Fault::illegal_state(
            "CURRENCY_REQUIRED",
            format!(
                "amounts in several currencies ({}) cannot be ranked together; ask for one in \
                 filter.currency, or rank by quantity or orders",
                currencies.join(", ")
            ),
        )
        .with("currencies", currencies.join(",")));
    }
    let mut sums: BTreeMap<&str, (Date, RankedListing)> = BTreeMap::new();
    let mut whole = Decimal::ZERO;
    for cell in cells {
        whole = exact_sum(whole, cell_measure(cell, measure))?;
        if !cell.has_listing() {
            continue;
        }
        let (latest, sum) = sums.entry(&cell.listing).or_insert_with(|| (cell.day, unsold(cell)));
        // The day alone would leave the choice between two cells of it to their order.
        if (*latest, &sum.seller, &sum.ncm) < (cell.day, &cell.seller, &cell.ncm) {
            *latest = cell.day;
            sum.seller.clone_from(&cell.seller);
            sum.ncm.clone_from(&cell.ncm);
        }
        sum.quantity = exact_sum(sum.quantity, cell.quantity)?;
        sum.amount = exact_sum(sum.amount, cell.amount).or_else(|fault| {
            // Over several currencies the sum is not shown.
            if currencies.len() > 1 { Ok(Decimal::ZERO) } else { Err(fault) }
        })?;
        sum.orders += cell.orders.unwrap_or(0);
    }
    let mut listings: Vec<RankedListing> = sums.into_values().map(|(_, sum)| sum).collect();
    // Stable: equal ones stay in the order of their keys.
    listings.sort_by_key(|one| Reverse(listing_measure(one, measure)));
    listings.truncate(limit);
    for one in &mut listings {
        if whole > Decimal::ZERO {
            let share = listing_measure(one, measure).checked_div(whole).unwrap_or_default();
            one.share = share.round_dp(4).normalize();
        }
    }
    let currency = match currencies.len() {
        1 => currencies.first().map(|currency| (*currency).to_owned()),
        _ => None,
    };
    Ok(TopListings { listings, currency })
}

fn unsold(cell: &RollupCell) -> RankedListing {
    RankedListing {
        listing: cell.listing.clone(),
        seller: cell.seller.clone(),
        ncm: cell.ncm.clone(),
        quantity: Decimal::ZERO,
        amount: Decimal::ZERO,
        orders: 0,
        share: Decimal::ZERO,
    }
}

fn cell_measure(cell: &RollupCell, measure: Measure) -> Decimal {
    match measure {
        Measure::Amount => cell.amount,
        Measure::Quantity => cell.quantity,
        Measure::Orders => cell.orders.unwrap_or(0).into(),
    }
}

fn listing_measure(listing: &RankedListing, measure: Measure) -> Decimal {
    match measure {
        Measure::Amount => listing.amount,
        Measure::Quantity => listing.quantity,
        Measure::Orders => listing.orders.into(),
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use proptest::prelude::*;

    use super::*;

    fn cell(listing: &str, day: Date, currency: &str, kind: SaleKind, amount: i64) -> RollupCell {
        RollupCell {
            marketplace: "marketplace".to_owned(),
            day,
            listing: listing.to_owned(),
            seller: "30500010912".to_owned(),
            ncm: "22042100".to_owned(),
            channel: "OFFICIAL_STORE".to_owned(),
            province: "AR-M".to_owned(),
            size_class: "MICRO".to_owned(),
            destination: "CN-SH".to_owned(),
            currency: currency.to_owned(),
            kind,
            lines: 1,
            quantity: Decimal::from(amount.signum()),
            amount: Decimal::new(amount, 2),
            orders: (kind == SaleKind::Sale).then_some(1),
        }
    }

    const DAY: Date = date(2010, 12, 1);

    #[test]
    fn days_fall_into_their_spans() {
        let one = cell("a", date(2010, 12, 31), "CNY", SaleKind::Sale, 1);
        let values: Vec<String> = Dimension::ALL.iter().map(|d| one.value(*d)).collect();
        assert_eq!(values[11..], ["2010-12-31", "2010-W52", "2010-12", "2010-Q4", "2010"]);
        assert_eq!(values[5..7], ["22", "2204"]);
    }

    #[test]
    fn sums_are_net_and_apart_by_currency() {
        let cells = [
            cell("a", DAY, "CNY", SaleKind::Sale, 1000),
            cell("b", DAY, "CNY", SaleKind::Cancellation, -250),
            cell("b", DAY, "USD", SaleKind::Sale, 1),
        ];
        let rows = summarize(&cells, &[]).unwrap();
        let sums: Vec<_> = rows.iter().map(|r| (r.currency.as_str(), r.amount)).collect();
        assert_eq!(sums, [("CNY", Decimal::new(75, 1)), ("USD", Decimal::new(1, 2))]);
        let rows = summarize(&cells, &[Dimension::Kind]).unwrap();
        assert_eq!(rows.len(), 3);
        assert_eq!(rows[0].values, ["CANCELLATION"]);
    }

    #[test]
    fn equal_listings_stand_in_the_order_of_their_keys() {
        let cells: Vec<_> =
            ["c", "a", "b"].map(|key| cell(key, DAY, "CNY", SaleKind::Sale, 100)).into();
        let ranked = top(&cells, Measure::Amount, 2).unwrap();
        let keys: Vec<_> = ranked.listings.iter().map(|one| one.listing.as_str()).collect();
        assert_eq!(keys, ["a", "b"]);
        assert_eq!(ranked.listings[0].share, Decimal::new(3333, 4));
        assert_eq!(ranked.currency.as_deref(), Some("CNY"));
    }

    #[test]
    fn amounts_of_several_currencies_are_not_ranked() {
        let cells =
            [cell("a", DAY, "USD", SaleKind::Sale, 1), cell("a", DAY, "CNY", SaleKind::Sale, 1)];
        let fault = top(&cells, Measure::Amount, 10).unwrap_err();
        assert_eq!(fault.metadata, [("currencies", "CNY,USD".to_owned())]);
        let ranked = top(&cells, Measure::Orders, 10).unwrap();
        assert_eq!((ranked.listings[0].orders, ranked.currency), (2, None));
    }

    #[test]
    fn what_has_no_listing_counts_for_the_whole_only() {
        let mut unknown = cell("x", DAY, "CNY", SaleKind::Sale, 300);
        unknown.seller.clear();
        let cells = [unknown.clone(), cell("a", DAY, "CNY", SaleKind::Sale, 100)];
        let ranked = top(&cells, Measure::Amount, 10).unwrap();
        assert_eq!(ranked.listings.len(), 1);
        assert_eq!(ranked.listings[0].share, Decimal::new(25, 2));
        assert_eq!(unknown.value(Dimension::Listing), "");
    }

    proptest! {
        #[test]
        fn the_order_of_cells_does_not_matter(
            parts in proptest::collection::vec((0u8..4, 1i8..28, -500i64..500), 0..20),
        ) {
            let mut cells: Vec<_> = parts
                .into_iter()
                .map(|(key, day, amount)| {
                    let key = key.to_string();
                    cell(&key, date(2010, 12, day), "CNY", SaleKind::Adjustment, amount)
                })
                .collect();
            let there = (top(&cells, Measure::Amount, 3), summarize(&cells, &[Dimension::Week]));
            cells.reverse();
            prop_assert_eq!(&there.0, &top(&cells, Measure::Amount, 3));
            prop_assert_eq!(&there.1, &summarize(&cells, &[Dimension::Week]));
        }
    }
}
