//! What an analyst is not told: figures of groups so small that they tell about somebody.
//!
//! Enters: a question, and the least number of sellers. Leaves: its answer without what would tell.
//! The rule is `domain::suppression`'s; here a question is widened so that it can be judged, and
//! rows and products lose their figures.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::App;
use super::analytics::{ChapterShare, Sight, TopProduct};
use crate::domain::analytics::{Dimension, RollupCell};
use crate::domain::summary::{RowKey, SummaryRow};
use crate::domain::suppression::{self, Filter, Hidden};
use crate::error::{Error, Result};
use crate::store::RollupQuery;

/// What stands for a value that may not be told.
const SUPPRESSED: &str = "SUPPRESSED";

/// The groups that a question is about.
pub struct Groups {
    least: usize,
    /// The dimensions whose values can be told at all.
    pub shown: Vec<Dimension>,
    filters: Vec<Filter>,
    /// Whether it asks about one seller.
    of_one: bool,
}

impl Groups {
    /// Those of a question that could single somebody out; none of one that cannot. Takes the
    /// filters out of the query, as a group is judged beside all others.
    ///
    /// # Errors
    /// `TOO_NARROW` if a filter is finer than what can be judged.
    pub fn of(
        least: usize,
        query: &mut RollupQuery,
        dimensions: &[Dimension],
    ) -> Result<Option<Self>> {
        use Dimension::*;
        let by_group = |dimension: &Dimension| !matches!(dimension, Kind | Currency | Marketplace);
        let singled_out = dimensions.iter().any(by_group)
            || query.seller.is_some()
            || query.province.is_some()
            || query.size_class.is_some()
            || query.channel.is_some()
            || query.ncm_prefix.is_some()
            || query.destination.is_some();
        if !singled_out {
            return Ok(None);
        }
        let of_ncm = match query.ncm_prefix.as_ref().map(String::len) {
            None | Some(2) => NcmChapter,
            Some(4) => NcmHeading,
            Some(_) => {
                let what = "ask by NCM chapter or heading, two or four digits";
                return Err(suppression::too_narrow(what).at("filter.ncm_prefix").into());
            }
        };
        let of_place = match query.destination.as_ref().is_some_and(|place| place.contains('-')) {
            true => Destination,
            false => DestinationCountry,
        };
        let filters = [
            (Marketplace, query.marketplace.take()),
            (Province, query.province.take()),
            (SizeClass, query.size_class.take()),
            (Channel, query.channel.take()),
            (of_ncm, query.ncm_prefix.take()),
            (of_place, query.destination.take()),
        ];
        let filter = |(dimension, value): (Dimension, Option<String>)| {
            value.map(|value| Filter { dimension, value })
        };
        let told = |dimension: &&Dimension| !of_one(dimension);
        Ok(Some(Self {
            least,
            shown: dimensions.iter().filter(told).copied().collect(),
            filters: filters.into_iter().filter_map(filter).collect(),
            of_one: query.seller.take().is_some(),
        }))
    }

    /// The dimensions that cells must be known by to be judged.
    pub fn known_by(&self, mut by: Vec<Dimension>) -> Vec<Dimension> {
        by.retain(|dimension| *dimension != Dimension::Listing);
        by.extend(self.filters.iter().map(|filter| filter.dimension));
        by.push(Dimension::Seller);
        by
    }

    /// What is to be hidden; leaves the cells that the filters leave.
    ///
    /// # Errors
    /// `TOO_NARROW` if it cannot be judged.
    pub fn hidden(&self, cells: &mut Vec<RollupCell>) -> Result<Hidden> {
        let mut hidden = suppression::hidden(cells, &self.shown, &self.filters, self.least)?;
        hidden.all |= self.of_one;
        cells.retain(|cell| self.filters.iter().all(|filter| filter.holds(cell)));
        Ok(hidden)
    }
}

/// Rows, by their keys.
type Rows = BTreeMap<RowKey, SummaryRow>;

/// The rows without what is hidden; those by seller or listing become one for all of them.
pub fn conceal(
    rows: Vec<SummaryRow>,
    dimensions: &[Dimension],
    hidden: &Hidden,
    before: Option<&Hidden>,
) -> Vec<SummaryRow> {
    let suppressed = |values: Vec<String>, currency: String| SummaryRow {
        values,
        currency,
        suppressed: true,
        ..SummaryRow::default()
    };
    let nothing_told = || dimensions.iter().map(|_| SUPPRESSED.to_owned()).collect();
    if hidden.all {
        return vec![suppressed(nothing_told(), String::new())];
    }
    let of_one =
        |dimension: &Dimension| matches!(dimension, Dimension::Seller | Dimension::Listing);
    let one_by_one = dimensions.iter().any(of_one);
    let mut told = Rows::new();
    for mut row in rows {
        let is_hidden = one_by_one || hides(hidden, &row);
        if row.before.is_some() && before.is_some_and(|before| hides(before, &row)) {
            row.before = None;
        }
        if is_hidden {
            let values = match hides_whole(hidden, &row.currency) {
                true => nothing_told(),
                false => with_sellers(row.values, dimensions),
            };
            row = suppressed(values, row.currency);
        }
        told.insert((row.values.clone(), row.currency.clone()), row);
    }
    told.into_values().collect()
}

/// Whether each value of a dimension is a group of one.
fn of_one(dimension: &Dimension) -> bool {
    matches!(dimension, Dimension::Seller | Dimension::Listing)
}

/// Whether a row is hidden. Where amounts were converted it holds those of several currencies, and
/// is as hidden as any of them.
fn hides(hidden: &Hidden, row: &SummaryRow) -> bool {
    hidden.all
        || hides_whole(hidden, &row.currency)
        || hidden.rows.contains(&(row.values.clone(), row.currency.clone()))
        || hidden.converted && hidden.rows.iter().any(|(values, _)| *values == row.values)
}

fn hides_whole(hidden: &Hidden, currency: &str) -> bool {
    hidden.whole.contains(currency) || hidden.converted && !hidden.whole.is_empty()
}

/// The values with a word in the place of each seller and listing.
fn with_sellers(values: Vec<String>, dimensions: &[Dimension]) -> Vec<String> {
    let mut values = values.into_iter();
    let value = |dimension: &Dimension| match of_one(dimension) {
        true => SUPPRESSED.to_owned(),
        false => values.next().unwrap_or_default(),
    };
    dimensions.iter().map(value).collect()
}

impl App {
    /// Takes from the products what tells about their sellers, each being a group of one; answers
    /// how they spread over chapters that enough sellers sold of.
    ///
    /// # Errors
    /// `GROUP_TOO_SMALL` if all that the question is about is too small a group; `TOO_NARROW` if
    /// that cannot be judged.
    pub(super) async fn conceal_products(
        &self,
        sight: &Sight,
        mut query: RollupQuery,
        least: usize,
        products: &mut [TopProduct],
    ) -> Result<Vec<ChapterShare>> {
        let groups = Groups::of(least, &mut query, &[Dimension::NcmHeading])?;
        let Some(groups) = groups else { return Ok(Vec::new()) };
        let by = groups.known_by(vec![Dimension::NcmHeading]);
        let mut cells = self.cells(sight, query, by).await?;
        if groups.hidden(&mut cells)?.all {
            return Err(Error::precondition(
                "GROUP_TOO_SMALL",
                "so few sellers are within this filter that the answer would tell about them; \
                 ask with a wider filter",
            ));
        }
        let mut sellers: HashMap<&str, BTreeSet<&str>> = HashMap::new();
        for cell in cells.iter().filter(|cell| cell.has_listing()) {
            for code in [cell.ncm.get(..2), Some(cell.ncm.as_str())].into_iter().flatten() {
                sellers.entry(code).or_default().insert(&cell.seller);
            }
        }
        let few = |code: &str| sellers.get(code).is_none_or(|sellers| sellers.len() < least);
        let mut chapters = self.chapters(products);
        let (unnamed, named): (Vec<_>, Vec<_>) =
            chapters.drain(..).partition(|share| few(&share.chapter));
        chapters = named;
        if !unnamed.is_empty() {
            chapters.push(ChapterShare {
                chapter: String::new(),
                title: String::new(),
                products: unnamed.iter().map(|share| share.products).sum(),
            });
        }
        for product in products {
            product.suppressed = true;
            if few(&product.sums.ncm) {
                product.sums.ncm.clear();
            }
        }
        Ok(chapters)
    }
}

#[cfg(test)]
#[path = "small_groups_tests.rs"]
mod tests;
