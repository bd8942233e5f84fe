//! Questions about sales: what sold best, and sums.
//!
//! Enters: which rollup cells, and whose. Leaves: ranked listings and sums; never a line. A
//! question costs what its answer holds, not what history holds.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;
use rust_decimal::Decimal;

use super::{App, decode, reports};
use crate::change::Kind;
use crate::domain::analytics::{
    self, Dimension, Measure, RankedListing, RollupCell, SummaryRow, TopListings,
};
use crate::domain::caller::Visibility;
use crate::domain::exporter::argentine_day;
use crate::domain::listing::Listing;
use crate::domain::report::Report;
use crate::error::{Error, Result};
use crate::store::{PageQuery, RollupQuery};

/// The most rows of a summary.
const MAX_ROWS: usize = 10_000;
/// The most sums that a question may hold in memory.
const MAX_CELLS: usize = 500_000;

/// The listings that sold best.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ranking {
    /// Best first; equal ones by sku, then by listing.
    pub products: Vec<TopProduct>,
    /// How they spread over tariff chapters, the most frequent first.
    pub chapters: Vec<ChapterShare>,
    /// The currency of the amounts; `None` where there are several.
    pub currency: Option<String>,
}

/// One ranked listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopProduct {
    /// What it sold.
    pub sums: RankedListing,
    /// The marketplace's article number.
    pub sku: String,
    /// What buyers read.
    pub title: String,
}

/// How many of the ranked listings belong to a tariff chapter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChapterShare {
    /// Two digits.
    pub chapter: String,
    /// Its title in Spanish; empty if the nomenclature does not have it.
    pub title: String,
    /// How many.
    pub products: usize,
}

impl App {
    /// Ranks listings by `measure`; a marketplace sees its own, whatever it asks for.
    ///
    /// # Errors
    /// `CURRENCY_REQUIRED` (metadata `currencies`) to rank by amount over several; `TOO_MANY_ROWS`
    /// beyond 500,000 listings.
    pub async fn top_products(
        &self,
        visibility: &Visibility,
        query: RollupQuery,
        measure: Measure,
        limit: u32,
    ) -> Result<Ranking> {
        let asked = query.currency.clone();
        let by = vec![Dimension::Listing, Dimension::NcmChapter];
        let cells = self.cells(visibility, query, by).await?;
        let TopListings { mut listings, currency } = analytics::top(&cells, measure, usize::MAX)?;
        let limit = limit as usize;
        if let Some(last) = limit.checked_sub(1).and_then(|place| listings.get(place)) {
            // Those that equal the last one compete for its place by their skus.
            let least = value(last, measure);
            listings.retain(|one| value(one, measure) >= least);
        }
        let mut products = self.titled(listings).await?;
        products.sort_by(|a, b| {
            value(&b.sums, measure)
                .cmp(&value(&a.sums, measure))
                .then_with(|| (&a.sku, &a.sums.listing).cmp(&(&b.sku, &b.sums.listing)))
        });
        products.truncate(limit);
        let chapters = self.chapters(&products);
        Ok(Ranking { products, chapters, currency: currency.or(asked) })
    }

    /// The same question about what had been sealed by `at`. Each line counts in the report that
    /// took it, superseded or not, so what a report was sealed with is what was known then.
    pub async fn as_of(&self, mut query: RollupQuery, at: Timestamp) -> Result<RollupQuery> {
        let mut sealed = Vec::new();
        for record in self.all(PageQuery::all(Kind::Report, reports::PAGE)).await? {
            let report: Report = decode(&record)?.value;
            if report.sealed_at.is_some_and(|sealed_at| sealed_at <= at) {
                sealed.push(record.key);
            }
        }
        query.reports = Some(sealed);
        Ok(query)
    }

    /// Adds what buyers know a listing by.
    async fn titled(&self, listings: Vec<RankedListing>) -> Result<Vec<TopProduct>> {
        let keys = listings.iter().map(|one| one.listing.clone()).collect();
        let mut known: HashMap<String, Listing> = HashMap::new();
        for record in self.store.records(Kind::Listing, keys).await? {
            let listing = decode(&record)?.value;
            known.insert(record.key, listing);
        }
        let products = listings.into_iter().map(|sums| {
            let listing = known.get(&sums.listing);
            TopProduct {
                sku: listing.map(|listing| listing.sku.to_string()).unwrap_or_default(),
                title: listing.map(|listing| listing.title.to_string()).unwrap_or_default(),
                sums,
            }
        });
        Ok(products.collect())
    }

    /// Sums by the dimensions and by currency.
    ///
    /// # Errors
    /// `TOO_MANY_ROWS` beyond 10,000.
    pub async fn summarize(
        &self,
        visibility: &Visibility,
        query: RollupQuery,
        dimensions: &[Dimension],
    ) -> Result<Vec<SummaryRow>> {
        let cells = self.cells(visibility, query, dimensions.to_vec()).await?;
        let rows = analytics::summarize(&cells, dimensions)?;
        if rows.len() > MAX_ROWS {
            return Err(Error::invalid(
                "TOO_MANY_ROWS",
                "dimensions",
                format!(
                    "the answer would hold {} rows, {MAX_ROWS} at most are given: narrow the \
                     period or the filter, or sum by something coarser",
                    rows.len()
                ),
            ));
        }
        Ok(rows)
    }

    /// The cells that a question by these dimensions is about, as far as the caller may ask.
    async fn cells(
        &self,
        visibility: &Visibility,
        mut query: RollupQuery,
        by: Vec<Dimension>,
    ) -> Result<Vec<RollupCell>> {
        if let Some(own) = visibility.owner() {
            query.marketplace = Some(own.to_string());
        }
        (query.by, query.at_most) = (Some(by), Some(MAX_CELLS));
        let cells = self.store.rollups(query).await?;
        if cells.len() > MAX_CELLS {
            return Err(Error::invalid(
                "TOO_MANY_ROWS",
                "period",
                format!(
                    "the question is about more than {MAX_CELLS} sums: narrow the period or \
                     the filter, or sum by something coarser"
                ),
            ));
        }
        Ok(cells)
    }

    /// How listings spread over chapters, the most frequent first, equal ones by chapter.
    fn chapters(&self, products: &[TopProduct]) -> Vec<ChapterShare> {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for chapter in products.iter().filter_map(|one| one.sums.ncm.get(..2)) {
            *counts.entry(chapter).or_default() += 1;
        }
        let tables = self.reference.tables();
        let today = argentine_day(self.env.now());
        let title = |chapter| tables.nomenclature.title_es(chapter, today).unwrap_or_default();
        let mut shares: Vec<ChapterShare> = counts
            .into_iter()
            .map(|(chapter, products)| ChapterShare {
                chapter: chapter.to_owned(),
                title: title(chapter).to_owned(),
                products,
            })
            .collect();
        shares.sort_by_key(|share| std::cmp::Reverse(share.products));
        shares
    }
}

/// What a listing is ranked by.
fn value(listing: &RankedListing, measure: Measure) -> Decimal {
    match measure {
        Measure::Amount => listing.amount,
        Measure::Quantity => listing.quantity,
        Measure::Orders => listing.orders.into(),
    }
}

#[cfg(test)]
#[path = "analytics_tests.rs"]
mod tests;
