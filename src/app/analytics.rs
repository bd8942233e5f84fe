//! Questions about sales: what sold best, and sums.
//!
//! Enters: which rollup cells, and whose. Leaves: ranked listings and sums; never a line. A
//! question costs what its answer holds, not what history holds.

mod shapes;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::Timestamp;

pub use self::shapes::{ChapterShare, Question, Ranking, Sight, Summary, Terms, TopProduct};
use super::small_groups::{self, Groups};
use super::{App, decode, reports};
use crate::change::Kind;
use crate::domain::analytics::{Dimension, Measure, RollupCell};
use crate::domain::caller::Caller;
use crate::domain::comparison::{Comparison, Earlier};
use crate::domain::decimal::Totals;
use crate::domain::exchange::{Rate, Rates};
use crate::domain::exporter::argentine_day;
use crate::domain::listing::Listing;
use crate::domain::ranking::{RankedListing, TopListings};
use crate::domain::report::Report;
use crate::domain::role::Role;
use crate::domain::summary::{self, RowKey};
use crate::domain::suppression::Hidden;
use crate::error::{Error, Result};
use crate::store::{self, PageQuery, RollupQuery};

/// The most rows of a summary.
const MAX_ROWS: usize = 10_000;
/// The most sums that a question may hold in memory.
const MAX_CELLS: usize = 500_000;

impl App {
    /// Whose sales a caller may ask about.
    pub fn sight(&self, caller: &Caller) -> Sight {
        let least = (caller.role() == Role::Analyst && self.least_sellers > 1)
            .then_some(self.least_sellers as usize);
        Sight { visibility: caller.visibility(), least_sellers: least }
    }

    /// Ranks listings by `measure`; a marketplace sees its own, whatever it asks for.
    ///
    /// # Errors
    /// `CURRENCY_REQUIRED` (metadata `currencies`) to rank by amount over several without rates;
    /// `RATE_MISSING` (metadata `currencies`) with rates, but none for one of them;
    /// `TOO_MANY_ROWS` beyond 500,000 listings.
    pub async fn top_products(
        &self,
        sight: &Sight,
        question: Question,
        measure: Measure,
        limit: u32,
    ) -> Result<Ranking> {
        let Question { query, compare_with, rates } = question;
        let earlier = earlier(&query, compare_with)?;
        let limit = limit as usize;
        let ranking = store::Ranking { measure, limit, rates: rates.clone() };
        let asked = bounded(sight, query.clone());
        let top = self.store.top(asked, ranking).await?.ok_or_else(too_many)?;
        let TopListings { listings, currency, rates: used } = top;
        let mut products = self.titled(listings).await?;
        // Those that equal the last one compete for its place by their skus.
        products.sort_by(|a, b| {
            let value = |one: &TopProduct| one.sums.value(measure);
            value(b)
                .cmp(&value(a))
                .then_with(|| (&a.sku, &a.sums.listing).cmp(&(&b.sku, &b.sums.listing)))
        });
        products.truncate(limit);
        if let Some(least) = sight.least_sellers {
            let chapters = self.conceal_products(sight, query, least, &mut products).await?;
            let terms = Terms::of(&rates, used, None);
            return Ok(Ranking { products, chapters, currency, terms });
        }
        let currency = currency.or_else(|| query.currency.clone());
        let mut terms = Terms::of(&rates, used, earlier);
        if let Some(earlier) = earlier {
            let query = RollupQuery { currency: currency.clone(), ..query };
            self.compare(sight, query, earlier, &rates, &mut products, &mut terms).await?;
        }
        let chapters = self.chapters(&products);
        Ok(Ranking { products, chapters, currency, terms })
    }

    /// Adds what each of the products sold in earlier days.
    async fn compare(
        &self,
        sight: &Sight,
        mut query: RollupQuery,
        earlier: Earlier,
        rates: &Rates,
        products: &mut [TopProduct],
        terms: &mut Terms,
    ) -> Result<()> {
        (query.from, query.to) = (Some(earlier.first()), Some(earlier.last()));
        query.listings = Some(products.iter().map(|one| one.sums.listing.clone()).collect());
        if rates.target().is_some() {
            query.currency = None;
        }
        let cells = self.cells(sight, query, vec![Dimension::Listing]).await?;
        terms.also(rates, &cells)?;
        let mut before: HashMap<String, Totals> = HashMap::new();
        for ((mut values, _), sums) in summary::sums(&cells, &[Dimension::Listing], rates)? {
            let listing = values.pop().unwrap_or_default();
            let held = before.entry(listing).or_default();
            *held = held.plus(sums)?;
        }
        for product in products {
            product.before = Some(before.remove(&product.sums.listing).unwrap_or_default());
        }
        Ok(())
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
        (query.reports, query.explained_by) = (Some(sealed), Some(at));
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
                before: None,
                suppressed: false,
            }
        });
        Ok(products.collect())
    }

    /// Sums by the dimensions, and by currency where none is converted.
    ///
    /// # Errors
    /// `TOO_MANY_ROWS` beyond 10,000; `RATE_MISSING` (metadata `currencies`).
    pub async fn summarize(
        &self,
        sight: &Sight,
        question: Question,
        dimensions: &[Dimension],
        with_shares: bool,
    ) -> Result<Summary> {
        let Question { query, compare_with, rates } = question;
        let earlier = earlier(&query, compare_with)?;
        let mut terms = Terms::of(&rates, Vec::new(), earlier);
        let asked = Asked { query, dimensions, rates: &rates };
        let now = self.table(sight, &asked, None, &mut terms).await?;
        let before = match earlier {
            Some(earlier) => Some(self.table(sight, &asked, Some(earlier), &mut terms).await?),
            None => None,
        };
        let (before, hidden_before) = match before {
            Some(Table { sums, hidden }) => (Some(sums), hidden),
            None => (None, None),
        };
        let mut rows = summary::rows(now.sums, before, with_shares)?;
        if let Some(hidden) = now.hidden {
            rows = small_groups::conceal(rows, dimensions, &hidden, hidden_before.as_ref());
        }
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
        Ok(Summary { rows, terms })
    }

    /// The sums of the days asked about, or of the earlier ones, and what is to be hidden of them.
    async fn table(
        &self,
        sight: &Sight,
        asked: &Asked<'_>,
        earlier: Option<Earlier>,
        terms: &mut Terms,
    ) -> Result<Table> {
        let Asked { query, dimensions, rates } = asked;
        let (mut query, mut by) = (query.clone(), dimensions.to_vec());
        if let Some(earlier) = earlier {
            (query.from, query.to) = (Some(earlier.first()), Some(earlier.last()));
            if !earlier.keeps_months() && by.iter().any(|dimension| dimension.is_of_time()) {
                by.push(Dimension::Day);
            }
        }
        let groups = match sight.least_sellers {
            Some(least) => Groups::of(least, &mut query, dimensions)?,
            None => None,
        };
        if let Some(groups) = &groups {
            by = groups.known_by(by);
        }
        let mut cells = self.cells(sight, query, by).await?;
        for cell in cells.iter_mut() {
            cell.day = earlier.map_or(cell.day, |earlier| earlier.stands_for(cell.day));
        }
        let hidden = match &groups {
            Some(groups) => {
                let hidden = groups.hidden(&mut cells)?;
                Some(Hidden { converted: rates.target().is_some(), ..hidden })
            }
            None => None,
        };
        terms.also(rates, &cells)?;
        let shown = groups.as_ref().map_or(*dimensions, |groups| &groups.shown);
        Ok(Table { sums: summary::sums(&cells, shown, rates)?, hidden })
    }

    /// The cells that a question by these dimensions is about, as far as the caller may ask.
    pub(super) async fn cells(
        &self,
        sight: &Sight,
        mut query: RollupQuery,
        by: Vec<Dimension>,
    ) -> Result<Vec<RollupCell>> {
        query = bounded(sight, query);
        query.by = Some(by);
        let cells = self.store.rollups(query).await?;
        if cells.len() > MAX_CELLS { Err(too_many()) } else { Ok(cells) }
    }

    /// How listings spread over chapters, the most frequent first, equal ones by chapter.
    pub(super) fn chapters(&self, products: &[TopProduct]) -> Vec<ChapterShare> {
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

/// What a table of sums is asked for.
struct Asked<'q> {
    query: RollupQuery,
    dimensions: &'q [Dimension],
    rates: &'q Rates,
}

/// Sums, and what is to be hidden of them where small groups are.
struct Table {
    sums: BTreeMap<RowKey, Totals>,
    hidden: Option<Hidden>,
}

impl Terms {
    fn of(rates: &Rates, used: Vec<Rate>, earlier: Option<Earlier>) -> Self {
        Self {
            conversion: rates.target().map(|target| (target, used)),
            compared_with: earlier.map(|earlier| (earlier.first(), earlier.last())),
        }
    }

    /// Adds the rates that these cells need to those used.
    fn also(&mut self, rates: &Rates, cells: &[RollupCell]) -> Result<()> {
        let currencies: BTreeSet<&str> = cells.iter().map(|cell| cell.currency.as_str()).collect();
        let needed = rates.needed(currencies)?;
        if let Some((_, used)) = &mut self.conversion {
            used.extend(needed);
            used.sort_by_key(|rate| rate.from);
            used.dedup();
        }
        Ok(())
    }
}

/// The query as far as the caller may ask, and as far as memory goes.
fn bounded(sight: &Sight, mut query: RollupQuery) -> RollupQuery {
    if let Some(own) = sight.visibility.owner() {
        query.marketplace = Some(own.to_string());
    }
    query.at_most = Some(MAX_CELLS);
    query
}

fn too_many() -> Error {
    Error::invalid(
        "TOO_MANY_ROWS",
        "period",
        format!(
            "the question is about more than {MAX_CELLS} sums: narrow the period or the filter, \
             or sum by something coarser"
        ),
    )
}

/// The days to compare those of the query with.
fn earlier(query: &RollupQuery, compare_with: Option<Comparison>) -> Result<Option<Earlier>> {
    let Some(comparison) = compare_with else { return Ok(None) };
    let (Some(first), Some(last)) = (query.from, query.to) else {
        let message = "a comparison needs a period";
        return Err(Error::invalid("INVALID_FIELD", "period", message));
    };
    Ok(Some(Earlier::of(first, last, comparison)?))
}

#[cfg(test)]
#[path = "analytics_tests.rs"]
mod tests;
