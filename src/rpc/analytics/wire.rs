//! Questions about sales, wire to domain and back.
//!
//! Enters: fields of `SalesAnalyticsService`'s messages. Leaves: what they ask, and answers.

use jiff::civil::Date;
use rust_decimal::Decimal;

use crate::app::analytics::{Ranking, Summary, Terms, TopProduct};
use crate::domain::analytics::{Dimension, Measure};
use crate::domain::comparison::{Comparison, change};
use crate::domain::cuit::Cuit;
use crate::domain::currency::Currency;
use crate::domain::decimal::{Amount, Totals};
use crate::domain::exchange::{Rate, Rates};
use crate::domain::fault::InField as _;
use crate::domain::listing::Channel;
use crate::domain::ncm::NcmCode;
use crate::domain::place::{Destination, Province};
use crate::domain::size_class::SizeClass;
use crate::domain::summary::SummaryRow;
use crate::error::Result;
use crate::proto::puente::common::v1 as common;
use crate::proto::puente::listings::v1 as listings;
use crate::proto::puente::sales::v1 as proto;
use crate::rpc::wire::{self, same_names};
use crate::store::RollupQuery;

/// Listings ranked when the caller does not say how many.
const DEFAULT_LIMIT: u32 = 10;
/// The most listings ranked.
const MAX_LIMIT: i32 = 1000;
/// The most dimensions of a summary.
const MAX_DIMENSIONS: usize = 2;
/// The most rates of a question.
const MAX_RATES: usize = 100;

same_names!(proto::Comparison, Comparison { PreviousPeriod, YearBefore });
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
        DestinationCountry,
    }
);

/// By what to rank; the amount where nothing is said.
pub fn measure(sent: i32) -> Result<Measure> {
    let said = wire::optionally::<proto::Measure, _>("measure", sent)?;
    Ok(said.unwrap_or(Measure::Amount))
}

/// How many listings to rank.
pub fn limit(sent: i32) -> Result<u32> {
    match sent {
        0 => Ok(DEFAULT_LIMIT),
        1..=MAX_LIMIT => Ok(sent.unsigned_abs()),
        _ => Err(wire::invalid("limit", "is 1 to 1,000; 0 means 10")),
    }
}

/// By what to sum.
pub fn dimensions(sent: Vec<i32>) -> Result<Vec<Dimension>> {
    wire::count("dimensions", &sent, 0, MAX_DIMENSIONS)?;
    wire::unique("dimensions", &sent)?;
    let chosen = sent.into_iter().enumerate().map(|(place, dimension)| {
        wire::chosen::<proto::Dimension, _>(&format!("dimensions[{place}]"), dimension)
    });
    chosen.collect()
}

/// With what to compare, if with anything.
pub fn comparison(sent: i32) -> Result<Option<Comparison>> {
    wire::optionally::<proto::Comparison, _>("compare_with", sent)
}

/// At what rates to convert.
pub fn rates(sent: Vec<proto::ExchangeRate>) -> Result<Rates> {
    wire::count("rates", &sent, 0, MAX_RATES)?;
    let parsed = sent.into_iter().enumerate().map(|(place, rate)| {
        let field = |name: &str| format!("rates[{place}].{name}");
        let units: Amount = wire::exact(&field("rate"), rate.rate.as_ref())?;
        Ok(Rate {
            from: wire::parsed(&field("from"), &rate.from)?,
            to: wire::parsed(&field("to"), &rate.to)?,
            rate: units.value(),
            source: wire::text(&field("source"), rate.source, 1, 200)?,
            day: wire::day(&field("date"), rate.date.as_ref())?,
        })
    });
    Ok(Rates::new(parsed.collect::<Result<_>>()?).at("rates")?)
}

/// Which rollup cells a question is about.
pub fn query(
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

/// The answer to a question for what sold best.
pub fn ranking(ranking: Ranking) -> proto::TopProductsResponse {
    let Ranking { products, chapters, currency, terms } = ranking;
    let priced = currency.is_some();
    let (conversion, compared_with) = agreed(terms);
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
        conversion,
        compared_with,
    }
}

/// The answer to a question for sums.
pub fn summary(dimensions: &[Dimension], summary: Summary) -> proto::SummarizeResponse {
    let (conversion, compared_with) = agreed(summary.terms);
    let rows = summary.rows.into_iter().map(|row| summary_row(dimensions, row)).collect();
    proto::SummarizeResponse { rows, conversion, compared_with }
}

fn agreed(terms: Terms) -> (Option<proto::Conversion>, Option<common::Period>) {
    let conversion = terms.conversion.map(|(currency, rates)| proto::Conversion {
        currency: currency.to_string(),
        rates: rates.into_iter().map(exchange_rate).collect(),
    });
    let compared_with = terms.compared_with.map(|(first, last)| common::Period {
        first: Some(wire::date(first)),
        last: Some(wire::date(last)),
    });
    (conversion, compared_with)
}

fn exchange_rate(rate: Rate) -> proto::ExchangeRate {
    proto::ExchangeRate {
        from: rate.from.to_string(),
        to: rate.to.to_string(),
        rate: Some(wire::decimal(rate.rate)),
        source: rate.source,
        date: Some(wire::date(rate.day)),
    }
}

fn product(rank: i32, one: TopProduct, priced: bool) -> proto::TopProduct {
    let TopProduct { sums, sku, title, before, suppressed } = one;
    if suppressed {
        let ncm = pointed(&sums.ncm);
        return proto::TopProduct { rank, ncm, suppressed: Some(true), ..Default::default() };
    }
    let before = before.map(|before| {
        let told = self::before(&sums.sums, &before);
        // Amounts of several currencies mean nothing together.
        proto::Before {
            amount: told.amount.filter(|_| priced),
            amount_change: told.amount_change.filter(|_| priced),
            ..told
        }
    });
    proto::TopProduct {
        rank,
        listing: format!("listings/{}", sums.listing),
        sku,
        title,
        ncm: pointed(&sums.ncm),
        seller_cuit: sums.seller,
        amount: priced.then(|| wire::decimal(sums.sums.amount)),
        quantity: Some(wire::decimal(sums.sums.quantity)),
        orders: i64::try_from(sums.orders).unwrap_or(i64::MAX),
        share: Some(wire::decimal(sums.share)),
        before,
        suppressed: None,
    }
}

fn before(now: &Totals, before: &Totals) -> proto::Before {
    let changed = |now, before| change(now, before).map(wire::decimal);
    let count = |lines: u64| -> Decimal { lines.into() };
    proto::Before {
        lines: i64::try_from(before.lines).unwrap_or(i64::MAX),
        quantity: Some(wire::decimal(before.quantity)),
        amount: Some(wire::decimal(before.amount)),
        lines_change: changed(count(now.lines), count(before.lines)),
        quantity_change: changed(now.quantity, before.quantity),
        amount_change: changed(now.amount, before.amount),
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
            | Dimension::DestinationCountry
            | Dimension::Channel
            | Dimension::Day
            | Dimension::Week
            | Dimension::Month
            | Dimension::Quarter
            | Dimension::Year => value,
        };
        (dimension.as_str().to_ascii_lowercase(), value)
    });
    let told = |value| (!row.suppressed).then(|| wire::decimal(value));
    proto::SummaryRow {
        dimensions: named.collect(),
        lines: i64::try_from(row.sums.lines).unwrap_or(i64::MAX),
        quantity: told(row.sums.quantity),
        amount: told(row.sums.amount),
        currency: row.currency,
        share: row.share.map(wire::decimal),
        before: row.before.map(|earlier| before(&row.sums, &earlier)),
        suppressed: row.suppressed.then_some(true),
    }
}

/// The resource name of an id; empty where there is none.
fn named(id: &str, collection: &str) -> String {
    if id.is_empty() { String::new() } else { format!("{collection}/{id}") }
}
