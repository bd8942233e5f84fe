//! Questions about sales over gRPC.
//!
//! Enters: requests of `SalesAnalyticsService`. Leaves: ranked listings and sums, never a line.

use jiff::civil::Date;
use tonic::{Request, Response, Status};

use super::wire::{self, same_names};
use crate::app::App;
use crate::app::analytics::{Ranking, TopProduct};
use crate::domain::analytics::{Dimension, Measure, SummaryRow};
use crate::domain::cuit::Cuit;
use crate::domain::currency::Currency;
use crate::domain::listing::Channel;
use crate::domain::ncm::NcmCode;
use crate::domain::place::{Destination, Province};
use crate::domain::size_class::SizeClass;
use crate::error::Result;
use crate::proto::puente::common::v1 as common;
use crate::proto::puente::listings::v1 as listings;
use crate::proto::puente::sales::v1 as proto;
use crate::proto::puente::sales::v1::sales_analytics_service_server::SalesAnalyticsService;
use crate::store::RollupQuery;

/// Listings ranked when the caller does not say how many.
const DEFAULT_LIMIT: u32 = 10;
/// The most listings ranked.
const MAX_LIMIT: i32 = 1000;
/// The most dimensions of a summary.
const MAX_DIMENSIONS: usize = 2;

/// Serves aggregates.
pub struct SalesAnalytics {
    app: App,
}

impl SalesAnalytics {
    /// Answers from `app`'s aggregates.
    pub fn new(app: App) -> Self {
        Self { app }
    }

    /// Which rollup cells a question is about.
    async fn query(
        &self,
        period: Option<common::Period>,
        filter: Option<proto::SalesFilter>,
    ) -> Result<RollupQuery> {
        let as_of = filter.as_ref().and_then(|filter| filter.as_of);
        let as_of = wire::optional_moment("filter.as_of", as_of)?;
        let query = query(period, filter)?;
        match as_of {
            Some(at) => self.app.as_of(query, at).await,
            None => Ok(query),
        }
    }
}

same_names!(proto::Measure, Measure { Amount, Quantity, Orders });
same_names!(
    proto::Dimension,
    Dimension {
        Kind,
        Currency,
        Marketplace,
        Seller,
        Listing,
        NcmChapter,
        NcmHeading,
        SizeClass,
        Province,
        Destination,
        Channel,
        Day,
        Week,
        Month,
        Quarter,
        Year,
    }
);

#[tonic::async_trait]
impl SalesAnalyticsService for SalesAnalytics {
    async fn top_products(
        &self,
        request: Request<proto::TopProductsRequest>,
    ) -> std::result::Result<Response<proto::TopProductsResponse>, Status> {
        let caller = wire::caller(&request)?;
        let message = request.into_inner();
        let period = wire::required("period", message.period)?;
        let query = self.query(Some(period), message.filter).await?;
        let measure = wire::optionally::<proto::Measure, _>("measure", message.measure)?
            .unwrap_or(Measure::Amount);
        let limit = match message.limit {
            0 => DEFAULT_LIMIT,
            1..=MAX_LIMIT => message.limit.unsigned_abs(),
            _ => return Err(wire::invalid("limit", "is 1 to 1,000; 0 means 10").into()),
        };
        let ranking = self.app.top_products(&caller.visibility(), query, measure, limit).await?;
        Ok(Response::new(ranked(ranking)))
    }

    async fn summarize(
        &self,
        request: Request<proto::SummarizeRequest>,
    ) -> std::result::Result<Response<proto::SummarizeResponse>, Status> {
        let caller = wire::caller(&request)?;
        let message = request.into_inner();
        let query = self.query(message.period, message.filter).await?;
        wire::count("dimensions", &message.dimensions, 0, MAX_DIMENSIONS)?;
        wire::unique("dimensions", &message.dimensions)?;
        let mut dimensions = Vec::new();
        for (place, dimension) in message.dimensions.into_iter().enumerate() {
            let field = format!("dimensions[{place}]");
            dimensions.push(wire::chosen::<proto::Dimension, _>(&field, dimension)?);
        }
        let rows = self.app.summarize(&caller.visibility(), query, &dimensions).await?;
        let rows = rows.into_iter().map(|row| summary_row(&dimensions, row)).collect();
        Ok(Response::new(proto::SummarizeResponse { rows }))
    }
}

/// Which rollup cells a question is about.
fn query(
    period: Option<common::Period>,
    filter: Option<proto::SalesFilter>,
) -> Result<RollupQuery> {
    let (from, to) = days(period)?;
    let filter = filter.unwrap_or_default();
    let field = |name: &str| format!("filter.{name}");
    let marketplace = match filter.marketplace.as_str() {
        "" => None,
        name => Some(wire::partner_name(&field("marketplace"), name)?.to_string()),
    };
    let ncm = filter.ncm_prefix;
    let sound = (2..=8).contains(&ncm.len()) && ncm.bytes().all(|byte| byte.is_ascii_digit());
    if !ncm.is_empty() && !sound {
        let field = field("ncm_prefix");
        return Err(wire::invalid(&field, "is not 2 to 8 digits of an NCM code, without points"));
    }
    let seller: Option<Cuit> = wire::optional(&field("seller_cuit"), &filter.seller_cuit)?;
    let province: Option<Province> = wire::optional(&field("province"), &filter.province)?;
    let size_class: Option<SizeClass> =
        wire::optionally::<common::SizeClass, _>(&field("size_class"), filter.size_class)?;
    let channel = channel(&field("channel"), filter.channel)?;
    let destination: Option<Destination> =
        wire::optional(&field("destination"), &filter.destination)?;
    let currency: Option<Currency> = wire::optional(&field("currency"), &filter.currency)?;
    Ok(RollupQuery {
        marketplace,
        report: None,
        reports: None,
        from,
        to,
        seller: seller.map(|seller| seller.to_string()),
        ncm_prefix: (!ncm.is_empty()).then_some(ncm),
        province: province.map(|province| province.to_string()),
        size_class: size_class.map(|class| class.to_string()),
        channel: channel.map(|channel| channel.to_string()),
        destination: destination.map(|destination| destination.to_string()),
        currency: currency.map(|currency| currency.to_string()),
        ..RollupQuery::default()
    })
}

fn channel(field: &str, number: i32) -> Result<Option<Channel>> {
    match listings::Channel::try_from(number) {
        Ok(listings::Channel::Unspecified) => Ok(None),
        Ok(listings::Channel::OfficialStore) => Ok(Some(Channel::OfficialStore)),
        Ok(listings::Channel::SellerStore) => Ok(Some(Channel::SellerStore)),
        Err(_unknown) => Err(wire::invalid(field, format!("{number} is no channel"))),
    }
}

/// The days asked about; a question may span more years than a report.
fn days(period: Option<common::Period>) -> Result<(Option<Date>, Option<Date>)> {
    let Some(period) = period else { return Ok((None, None)) };
    let first = wire::day("period.first", period.first.as_ref())?;
    let last = wire::day("period.last", period.last.as_ref())?;
    if last < first {
        return Err(wire::invalid("period", "last must not be before first"));
    }
    Ok((Some(first), Some(last)))
}

fn ranked(ranking: Ranking) -> proto::TopProductsResponse {
    let Ranking { products, chapters, currency } = ranking;
    let priced = currency.is_some();
    proto::TopProductsResponse {
        products: (1..).zip(products).map(|(rank, one)| product(rank, one, priced)).collect(),
        chapters: chapters
            .into_iter()
            .map(|share| proto::ChapterShare {
                chapter: share.chapter,
                title: share.title,
                products: i32::try_from(share.products).unwrap_or(i32::MAX),
            })
            .collect(),
        currency: currency.unwrap_or_default(),
    }
}

fn product(rank: i32, one: TopProduct, priced: bool) -> proto::TopProduct {
    let TopProduct { sums, sku, title } = one;
    proto::TopProduct {
        rank,
        listing: format!("listings/{}", sums.listing),
        sku,
        title,
        ncm: pointed(&sums.ncm),
        seller_cuit: sums.seller,
        amount: priced.then(|| wire::decimal(sums.amount)),
        quantity: Some(wire::decimal(sums.quantity)),
        orders: i64::try_from(sums.orders).unwrap_or(i64::MAX),
        share: Some(wire::decimal(sums.share)),
    }
}

/// Eight digits of an NCM code with its points.
fn pointed(digits: &str) -> String {
    digits.parse::<NcmCode>().map_or_else(|_| digits.to_owned(), |code| code.to_string())
}

fn summary_row(dimensions: &[Dimension], row: SummaryRow) -> proto::SummaryRow {
    let named = dimensions.iter().zip(row.values).map(|(dimension, value)| {
        let value = match dimension {
            Dimension::Marketplace => named(&value, "partners"),
            Dimension::Listing => named(&value, "listings"),
            Dimension::Kind
            | Dimension::Currency
            | Dimension::Seller
            | Dimension::NcmChapter
            | Dimension::NcmHeading
            | Dimension::SizeClass
            | Dimension::Province
            | Dimension::Destination
            | Dimension::Channel
            | Dimension::Day
            | Dimension::Week
            | Dimension::Month
            | Dimension::Quarter
            | Dimension::Year => value,
        };
        (dimension.as_str().to_ascii_lowercase(), value)
    });
    proto::SummaryRow {
        dimensions: named.collect(),
        lines: i64::try_from(row.lines).unwrap_or(i64::MAX),
        quantity: Some(wire::decimal(row.quantity)),
        amount: Some(wire::decimal(row.amount)),
        currency: row.currency,
    }
}

/// The resource name of an id; empty where there is none.
fn named(id: &str, collection: &str) -> String {
    if id.is_empty() { String::new() } else { format!("{collection}/{id}") }
}
