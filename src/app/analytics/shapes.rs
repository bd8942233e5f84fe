//! What is asked about sales, and how the answers look.
//!
//! Enters: parsed questions. Leaves: their answers' shapes. It reads nothing.

use crate::domain::caller::Visibility;
use crate::domain::comparison::Comparison;
use crate::domain::currency::Currency;
use crate::domain::decimal::Totals;
use crate::domain::exchange::{Rate, Rates};
use crate::domain::ranking::RankedListing;
use crate::domain::summary::SummaryRow;
use crate::store::RollupQuery;
use jiff::civil::Date;

/// Whose sales somebody may ask about.
#[derive(Clone, Debug)]
pub struct Sight {
    /// Whose.
    pub visibility: Visibility,
    /// Of how many sellers a group must be for them to learn about it, 2 or more; `None` if of any.
    pub least_sellers: Option<usize>,
}

impl From<Visibility> for Sight {
    fn from(visibility: Visibility) -> Self {
        Self { visibility, least_sellers: None }
    }
}

/// What is asked, apart from how the answer is arranged.
#[derive(Clone, Debug, Default)]
pub struct Question {
    /// Which sales.
    pub query: RollupQuery,
    /// With what days to compare the days asked about.
    pub compare_with: Option<Comparison>,
    /// At what rates to convert amounts.
    pub rates: Rates,
}

impl From<RollupQuery> for Question {
    fn from(query: RollupQuery) -> Self {
        Self { query, ..Self::default() }
    }
}

/// What an answer says of itself as a whole.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Terms {
    /// The currency that all amounts were converted into, and the rates that took.
    pub conversion: Option<(Currency, Vec<Rate>)>,
    /// The days compared with, both ends included.
    pub compared_with: Option<(Date, Date)>,
}

/// Sums by dimension.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// The rows, ordered by the values of the dimensions, then by currency.
    pub rows: Vec<SummaryRow>,
    /// What holds for all of them.
    pub terms: Terms,
}

/// The listings that sold best.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ranking {
    /// Best first; equal ones by sku, then by listing.
    pub products: Vec<TopProduct>,
    /// How they spread over tariff chapters, the most frequent first.
    pub chapters: Vec<ChapterShare>,
    /// The currency of the amounts; `None` where there are several.
    pub currency: Option<String>,
    /// What holds for all of them.
    pub terms: Terms,
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
    /// What it sold in the days compared with; the amount means nothing where the ranking has no
    /// currency.
    pub before: Option<Totals>,
    /// Whether it is not for the caller to learn about: there is nothing but its NCM code, and not
    /// that where too few sellers sold goods of it.
    pub suppressed: bool,
}

/// How many of the ranked listings belong to a tariff chapter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChapterShare {
    /// Two digits; empty for all of which too few sellers sold to be named.
    pub chapter: String,
    /// Its title in Spanish; empty if the nomenclature does not have it.
    pub title: String,
    /// How many.
    pub products: usize,
}
