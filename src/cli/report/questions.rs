//! Questions about all sales: rankings and sums.
//!
//! Enters: arguments. Leaves: one request, and its answer as a table or as JSON.

use clap::Args;

use super::figures;
use crate::cli::output::show;
use crate::cli::{Connect, Outcome, parse};
use crate::proto::puente::common::v1::{Period, SizeClass};
use crate::proto::puente::listings::v1::Channel;
use crate::proto::puente::sales::v1::sales_analytics_service_client::SalesAnalyticsServiceClient;
use crate::proto::puente::sales::v1::{
    Comparison, Dimension, ExchangeRate, Measure, SalesFilter, SummarizeRequest, TopProductsRequest,
};

/// Rank what sold best in a period
///
/// Examples:
///   puente report top-products --period 2026-11-01..2026-11-30 --limit 10 --measure amount \
///     --profile profiles/ministry.toml
///   puente report top-products --period 2026-11-01..2026-11-30 --ncm 2204 --destination CN \
///     --compare year-before --rate "CNY:USD=0.1389@BCRA, A 3500@2026-11-30" \
///     --profile profiles/ministry.toml
#[derive(Args)]
#[command(verbatim_doc_comment)]
pub struct TopProducts {
    /// The days asked about, both ends included
    #[arg(long, value_name = "FROM..TO", value_parser = parse::period)]
    period: Period,
    /// How many to rank
    #[arg(long, value_name = "N", default_value_t = 10,
          value_parser = clap::value_parser!(i32).range(1..=1000))]
    limit: i32,
    /// By what: amount, quantity or orders
    #[arg(long, default_value = "amount", value_parser = |text: &str| parse::measure(&parse::typed(text)))]
    measure: Measure,
    #[command(flatten)]
    filter: Filter,
    #[command(flatten)]
    terms: Terms,
    #[command(flatten)]
    connect: Connect,
}

/// Sum sales by up to two dimensions
///
/// Dimensions: kind, currency, marketplace, seller, listing, ncm_chapter, ncm_heading, size_class,
/// province, destination, destination_country, channel, day, week (ISO 8601), month, quarter, year.
/// There is one row for each currency at least: amounts in different currencies are added only at
/// rates that you give.
///
/// Examples:
///   puente report summary --by ncm_chapter,month --profile profiles/ministry.toml
///   puente report summary --by province --period 2026-07-01..2026-09-30 --shares \
///     --compare previous --profile profiles/ministry.toml
///   puente report summary --by destination_country --rate CNY:USD=0.1389@BCRA@2026-11-30 \
///     --rate EUR:USD=1.0850@BCE@2026-11-30 --profile profiles/ministry.toml
#[derive(Args)]
#[command(verbatim_doc_comment)]
pub struct Summary {
    /// The days asked about, both ends included; all days if left out
    #[arg(long, value_name = "FROM..TO", value_parser = parse::period)]
    period: Option<Period>,
    /// By what to sum
    #[arg(long, value_name = "DIM[,DIM]", value_delimiter = ',',
          value_parser = |text: &str| parse::dimension(&parse::typed(text)))]
    by: Vec<Dimension>,
    /// Say each row's share of all amounts in its currency
    #[arg(long)]
    shares: bool,
    #[command(flatten)]
    filter: Filter,
    #[command(flatten)]
    terms: Terms,
    #[command(flatten)]
    connect: Connect,
}

/// With what to compare, and at what rates to convert.
#[derive(Args)]
struct Terms {
    /// Compare with the days just before (previous) or with the same days a year before (year-before)
    #[arg(long, value_name = "WITH", value_parser = |text: &str| parse::comparison(text))]
    compare: Option<Comparison>,
    /// Convert amounts at this rate, whose source and day stand in the answer; once for each currency
    #[arg(long, value_name = "FROM:TO=RATE@SOURCE@DATE", value_parser = parse::rate)]
    rate: Vec<ExchangeRate>,
}

/// What narrows a question.
#[derive(Args)]
struct Filter {
    /// Only sales of this marketplace
    #[arg(long, value_name = "PARTNER")]
    marketplace: Option<String>,
    /// Only sales of this seller
    #[arg(long, value_name = "CUIT")]
    seller: Option<String>,
    /// Only goods whose NCM code starts with these digits
    #[arg(long, value_name = "DIGITS")]
    ncm: Option<String>,
    /// Only sellers in this province, such as AR-M
    #[arg(long, value_name = "ISO")]
    province: Option<String>,
    /// Only sellers of this size, such as micro or medium-1
    #[arg(long, value_parser = |text: &str| parse::size_class(&parse::typed(text)))]
    size_class: Option<SizeClass>,
    /// Only sales through this shop: official-store or seller-store
    #[arg(long, value_parser = |text: &str| parse::channel(&parse::typed(text)))]
    channel: Option<Channel>,
    /// Only buyers there, such as CN or CN-SH
    #[arg(long, value_name = "ISO")]
    destination: Option<String>,
    /// Only sales in this currency
    #[arg(long, value_name = "ISO")]
    currency: Option<String>,
    /// Only what had been sealed by then: a date or a moment
    #[arg(long, value_name = "WHEN", value_parser = parse::moment)]
    as_of: Option<prost_types::Timestamp>,
}

impl Filter {
    fn message(self) -> SalesFilter {
        SalesFilter {
            marketplace: self
                .marketplace
                .map(|id| parse::name("partners", &id))
                .unwrap_or_default(),
            seller_cuit: self.seller.unwrap_or_default(),
            ncm_prefix: self.ncm.unwrap_or_default().replace('.', ""),
            province: self.province.unwrap_or_default(),
            size_class: self.size_class.unwrap_or_default().into(),
            channel: self.channel.unwrap_or_default().into(),
            destination: self.destination.unwrap_or_default(),
            currency: self.currency.unwrap_or_default(),
            as_of: self.as_of,
        }
    }
}

impl TopProducts {
    pub(super) async fn run(self) -> Outcome {
        let client = self.connect.client()?;
        let request = TopProductsRequest {
            period: Some(self.period),
            measure: self.measure.into(),
            limit: self.limit,
            filter: Some(self.filter.message()),
            compare_with: self.terms.compare.unwrap_or_default().into(),
            rates: self.terms.rate,
        };
        let answer = client
            .call(request, |channel, request| async move {
                SalesAnalyticsServiceClient::new(channel).top_products(request).await
            })
            .await?;
        show(
            self.connect.output(),
            "puente.sales.v1.TopProductsResponse",
            &answer,
            figures::ranking,
        )
    }
}

impl Summary {
    pub(super) async fn run(self) -> Outcome {
        let client = self.connect.client()?;
        let by: Vec<Dimension> = self.by.clone();
        let request = SummarizeRequest {
            period: self.period,
            dimensions: by.iter().map(|dimension| i32::from(*dimension)).collect(),
            filter: Some(self.filter.message()),
            compare_with: self.terms.compare.unwrap_or_default().into(),
            rates: self.terms.rate,
            with_shares: self.shares,
        };
        let answer = client
            .call(request, |channel, request| async move {
                SalesAnalyticsServiceClient::new(channel)
                    .max_decoding_message_size(64 << 20)
                    .summarize(request)
                    .await
            })
            .await?;
        show(self.connect.output(), "puente.sales.v1.SummarizeResponse", &answer, |answer| {
            figures::sums(answer, &by)
        })
    }
}
