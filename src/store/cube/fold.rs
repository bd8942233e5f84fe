//! Sums of a cube folded to what a question asks for.

use std::collections::{HashMap, HashSet};

use jiff::civil::Date;

use super::{About, Cube, Group, Reach, Span, month_of};
use crate::domain::analytics::{Dimension, RollupCell};
use crate::domain::currency::Currency;
use crate::domain::exact::Exact;
use crate::domain::fault::Fault;
use crate::domain::ranking::ListingSums;
use crate::domain::sale::SaleKind;
use crate::store::RollupQuery;

/// Sums on their way.
#[derive(Clone, Copy)]
struct Sum {
    quantity: Exact,
    amount: Exact,
    latest: Date,
    lines: u64,
    orders: u64,
}

const NOTHING: Sum = Sum {
    quantity: Exact::new(0, 0),
    amount: Exact::new(0, 0),
    latest: Date::MIN,
    lines: 0,
    orders: 0,
};

/// What merged cells have in common; what is not asked about is empty.
#[derive(PartialEq, Eq, Hash)]
struct Key<'c> {
    goods: About<&'c str>,
    destination: String,
    currency: Currency,
    kind: Option<SaleKind>,
    month: Option<i32>,
}

impl Cube {
    /// What each listing sold in the years and months of `reach`, in no particular order; several
    /// sums may be about one listing.
    ///
    /// # Errors
    /// `AMOUNT_OUT_OF_RANGE` if a sum does not fit 38 digits.
    pub fn listings(
        &self,
        query: &RollupQuery,
        reach: &Reach,
    ) -> Result<Vec<ListingSums<'_>>, Fault> {
        let asked = self.asked(query);
        let mut currencies: Vec<Currency> = Vec::new();
        let mut sums: Vec<Vec<Sum>> = Vec::new();
        for group in self.groups.iter().filter(|group| asked.holds(group)) {
            let currency = group.key.currency;
            let at = match currencies.iter().position(|known| *known == currency) {
                Some(at) => at,
                None => {
                    currencies.push(currency);
                    sums.push(vec![NOTHING; self.goods.len()]);
                    currencies.len() - 1
                }
            };
            let sum = &mut sums[at][group.key.goods.0 as usize];
            *sum = sum.plus(group.sum(reach)?)?;
        }
        let mut told = Vec::with_capacity(self.goods.len());
        for (currency, sums) in currencies.into_iter().zip(sums) {
            for (about, sum) in self.goods.iter().zip(sums).filter(|(_, sum)| sum.lines > 0) {
                let [_, listing, seller, ncm, ..] = about;
                told.push(ListingSums {
                    listing,
                    seller,
                    ncm,
                    currency: currency.as_str(),
                    latest: sum.latest,
                    lines: sum.lines,
                    quantity: sum.quantity,
                    amount: sum.amount,
                    orders: sum.orders,
                });
            }
        }
        Ok(told)
    }

    /// Cells of the years and months of `reach`, merged by the dimensions asked for, as merged
    /// daily cells would be.
    ///
    /// # Errors
    /// `AMOUNT_OUT_OF_RANGE` if a sum does not fit 28 digits.
    pub fn cells(
        &self,
        query: &RollupQuery,
        reach: &Reach,
        by: &[Dimension],
    ) -> Result<Vec<RollupCell>, Fault> {
        use Dimension::*;
        let asked = self.asked(query);
        let by_any = |any: &[Dimension]| by.iter().any(|one| any.contains(one));
        let (by_kind, by_month) = (by_any(&[Kind]), by_any(&[Month, Quarter]));
        let by_time = by_month || by_any(&[Year]);
        let (by_region, by_country) = (by_any(&[Destination]), by_any(&[DestinationCountry]));
        let goods: Vec<About<&str>> = self.goods.iter().map(|about| seen(about, by)).collect();
        let mut sums: HashMap<Key<'_>, Sum> = HashMap::new();
        for group in self.groups.iter().filter(|group| asked.holds(group)) {
            let destination = match group.key.destination {
                Some(place) if by_region => place.to_string(),
                Some(place) if by_country => place.country().to_string(),
                Some(_) | None => String::new(),
            };
            let key = |month| Key {
                goods: goods[group.key.goods.0 as usize],
                destination: destination.clone(),
                currency: group.key.currency,
                kind: by_kind.then_some(group.key.kind),
                month,
            };
            if !by_time {
                let sum = sums.entry(key(None)).or_insert(NOTHING);
                *sum = sum.plus(group.sum(reach)?)?;
                continue;
            }
            for span in group.spans(reach) {
                let sum = sums.entry(key(Some(month_of(span.latest)))).or_insert(NOTHING);
                *sum = sum.plus(group.exact(span))?;
            }
        }
        let held = sums.into_iter().filter(|(_, sum)| sum.lines > 0);
        held.map(|(key, sum)| key.cell(sum)).collect()
    }

    /// Which groups a question is about.
    fn asked<'q>(&self, query: &'q RollupQuery) -> Asked<'q> {
        let listings: Option<HashSet<&str>> =
            query.listings.as_ref().map(|keys| keys.iter().map(String::as_str).collect());
        let equal =
            |asked: &Option<String>, value: &str| asked.as_ref().is_none_or(|asked| asked == value);
        let goods = self.goods.iter().map(|about| {
            let [marketplace, listing, seller, ncm, channel, province, size_class] = about;
            equal(&query.marketplace, marketplace)
                && equal(&query.seller, seller)
                && equal(&query.province, province)
                && equal(&query.size_class, size_class)
                && equal(&query.channel, channel)
                && query.ncm_prefix.as_ref().is_none_or(|prefix| ncm.starts_with(&**prefix))
                && listings.as_ref().is_none_or(|keys| keys.contains(&**listing))
        });
        Asked {
            goods: goods.collect(),
            currency: query.currency.as_deref(),
            destination: query.destination.as_deref(),
        }
    }
}

/// Which groups a question is about.
struct Asked<'q> {
    goods: Vec<bool>,
    currency: Option<&'q str>,
    destination: Option<&'q str>,
}

impl Asked<'_> {
    fn holds(&self, group: &Group) -> bool {
        self.goods[group.key.goods.0 as usize]
            && self.currency.is_none_or(|asked| group.key.currency.as_str() == asked)
            && self.destination.is_none_or(|asked| {
                // A country holds its regions, but CN-S does not hold CN-SH.
                group.key.destination.is_some_and(|place| {
                    place.country().as_str() == asked || place.to_string() == asked
                })
            })
    }
}

/// What stays apart when cells are merged by these dimensions.
fn seen<'c>(about: &'c About<Box<str>>, by: &[Dimension]) -> About<&'c str> {
    use Dimension::*;
    let keep = |any: &[Dimension], text: &'c str| match by.iter().any(|one| any.contains(one)) {
        true => text,
        false => "",
    };
    let [marketplace, listing, seller, ncm, channel, province, size_class] = about;
    [
        keep(&[Marketplace], marketplace),
        keep(&[Listing], listing),
        // Without a seller the sku has no listing.
        keep(&[Seller, Listing], seller),
        keep(&[NcmChapter, NcmHeading], ncm),
        keep(&[Channel], channel),
        keep(&[Province], province),
        keep(&[SizeClass], size_class),
    ]
}

impl Key<'_> {
    fn cell(self, sum: Sum) -> Result<RollupCell, Fault> {
        let [marketplace, listing, seller, ncm, channel, province, size_class] =
            self.goods.map(str::to_owned);
        Ok(RollupCell {
            marketplace,
            day: match self.month {
                Some(_) => sum.latest.first_of_month(),
                None => sum.latest,
            },
            listing,
            seller,
            ncm,
            channel,
            province,
            size_class,
            destination: self.destination,
            currency: self.currency.to_string(),
            kind: self.kind.unwrap_or(SaleKind::Sale),
            lines: sum.lines,
            quantity: sum.quantity.decimal()?,
            amount: sum.amount.decimal()?,
            orders: Some(sum.orders),
        })
    }
}

impl Group {
    fn exact(&self, span: &Span) -> Sum {
        Sum {
            quantity: Exact::new(span.quantity, self.quantity_scale),
            amount: Exact::new(span.amount, self.amount_scale),
            latest: span.latest,
            lines: span.lines.into(),
            orders: u64::try_from(span.orders).unwrap_or(0),
        }
    }

    /// Its years and months within reach.
    fn spans(&self, reach: &Reach) -> impl Iterator<Item = &Span> {
        let year = |span: &Span| i32::from(span.latest.year());
        let month = |span: &Span| month_of(span.latest);
        let [before, after] = &reach.months;
        within(&self.years, &reach.years, year)
            .iter()
            .chain(within(&self.months, before, month))
            .chain(within(&self.months, after, month))
    }

    fn sum(&self, reach: &Reach) -> Result<Sum, Fault> {
        self.spans(reach).try_fold(NOTHING, |sum, span| sum.plus(self.exact(span)))
    }
}

/// Those of the ordered spans whose index is in a range.
fn within<'s>(
    spans: &'s [Span],
    range: &std::ops::RangeInclusive<i32>,
    index: impl Fn(&Span) -> i32,
) -> &'s [Span] {
    if range.is_empty() {
        return &[];
    }
    let first = spans.partition_point(|span| index(span) < *range.start());
    let end = spans.partition_point(|span| index(span) <= *range.end());
    &spans[first..end]
}

impl Sum {
    fn plus(self, other: Self) -> Result<Self, Fault> {
        Ok(Self {
            quantity: self.quantity.plus(other.quantity)?,
            amount: self.amount.plus(other.amount)?,
            latest: self.latest.max(other.latest),
            lines: self.lines + other.lines,
            orders: self.orders + other.orders,
        })
    }
}
