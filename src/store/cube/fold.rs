//! Sums of a cube folded to what a question asks for.

use std::collections::{HashMap, HashSet};

use jiff::civil::Date;

use super::column::{Column, Span, Sum};
use super::{About, Cube, Group, GroupKey, Reach, month_of};
use crate::domain::analytics::{Dimension, RollupCell};
use crate::domain::currency::Currency;
use crate::domain::exact::Exact;
use crate::domain::fault::Fault;
use crate::domain::ranking::ListingSums;
use crate::domain::sale::SaleKind;
use crate::store::RollupQuery;

/// Sums on their way, and the latest day they are about.
#[derive(Clone, Copy)]
struct Adding {
    sum: Sum,
    latest: Date,
}

const NOTHING: Adding = Adding {
    sum: Sum { quantity: Exact::new(0, 0), amount: Exact::new(0, 0), lines: 0, orders: 0 },
    latest: Date::MIN,
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
    /// What each listing sold in the years and months of `reach`, and in its days if they are held,
    /// in no particular order; several sums may be about one listing.
    ///
    /// # Errors
    /// `AMOUNT_OUT_OF_RANGE` if a sum does not fit 38 digits.
    pub fn listings(
        &self,
        query: &RollupQuery,
        reach: &Reach,
    ) -> Result<Vec<ListingSums<'_>>, Fault> {
        let mut sums: HashMap<(u32, Currency), Adding> = HashMap::new();
        self.each(query, reach, |group, column, at| {
            let GroupKey { goods, currency, .. } = self.groups[group].key;
            sums.entry((goods.0, currency)).or_insert(NOTHING).add(column, at)
        })?;
        let sold = sums.into_iter().filter(|(_, held)| held.sum.lines > 0);
        let told = sold.map(|((goods, currency), Adding { sum, latest })| {
            let [_, listing, seller, ncm, ..] = &self.goods[goods as usize].about;
            ListingSums {
                listing,
                seller,
                ncm,
                currency: currency.as_str(),
                latest,
                lines: sum.lines,
                quantity: sum.quantity,
                amount: sum.amount,
                orders: u64::try_from(sum.orders).unwrap_or(0),
            }
        });
        Ok(told.collect())
    }

    /// Cells of the years and months of `reach`, and of its days if they are held, merged by the
    /// dimensions asked for, as merged daily cells would be.
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
        let by_any = |any: &[Dimension]| by.iter().any(|one| any.contains(one));
        let (by_kind, by_time) = (by_any(&[Kind]), by_any(&[Month, Quarter, Year]));
        let (by_region, by_country) = (by_any(&[Destination]), by_any(&[DestinationCountry]));
        let goods: Vec<About<&str>> = self.goods.iter().map(|sold| seen(&sold.about, by)).collect();
        let key = |group: &Group, month| Key {
            goods: goods[group.key.goods.0 as usize],
            destination: match group.key.destination {
                Some(place) if by_region => place.to_string(),
                Some(place) if by_country => place.country().to_string(),
                Some(_) | None => String::new(),
            },
            currency: group.key.currency,
            kind: by_kind.then_some(group.key.kind),
            month,
        };
        let mut sums: HashMap<Key<'_>, Adding> = HashMap::new();
        if by_time {
            self.each(query, reach, |group, column, at| {
                let key = key(&self.groups[group], Some(month_of(column.latest(at))));
                sums.entry(key).or_insert(NOTHING).add(column, at)
            })?;
        } else {
            // Keys cost more than sums, so one for each group.
            let mut of_groups = vec![NOTHING; self.groups.len()];
            self.each(query, reach, |group, column, at| of_groups[group].add(column, at))?;
            let sold = self.groups.iter().zip(of_groups).filter(|(_, held)| held.sum.lines > 0);
            for (group, held) in sold {
                sums.entry(key(group, None)).or_insert(NOTHING).join(held)?;
            }
        }
        let held = sums.into_iter().filter(|(_, held)| held.sum.lines > 0);
        held.map(|(key, held)| key.cell(held)).collect()
    }

    /// Hands over each sum within reach that a question is about: its group, column and place.
    fn each(
        &self,
        query: &RollupQuery,
        reach: &Reach,
        mut take: impl FnMut(usize, &Column, u32) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        let asked = self.asked_groups(query);
        for column in self.columns_in(reach) {
            for (place, group) in (0..).zip(column.groups()) {
                if asked.as_ref().is_none_or(|asked| asked[group]) {
                    take(group, column, place)?;
                }
            }
        }
        Ok(())
    }

    /// The columns that together are the years and months of `reach`, and its days if all of them
    /// are held.
    pub(super) fn columns_in(&self, reach: &Reach) -> impl Iterator<Item = &Column> {
        let [before, after] = &reach.months;
        let whole = self.columns.iter().filter(move |column| match column.span {
            Span::Year(year) => reach.years.contains(&year),
            Span::Month(month) => before.contains(&month) || after.contains(&month),
            Span::Day(_) => false,
        });
        let days = if self.holds(reach) { &reach.days[..] } else { &[] };
        whole.chain(self.columns_of_days(days))
    }

    /// Which groups a question is about; `None` for all.
    pub(super) fn asked_groups(&self, query: &RollupQuery) -> Option<Vec<bool>> {
        let of_goods = self.asked_goods(query);
        let (currency, destination) = (query.currency.as_deref(), query.destination.as_deref());
        if of_goods.is_none() && currency.is_none() && destination.is_none() {
            return None;
        }
        let asked = self.groups.iter().map(|Group { key, .. }| {
            of_goods.as_ref().is_none_or(|goods| goods[key.goods.0 as usize])
                && currency.is_none_or(|asked| key.currency.as_str() == asked)
                && destination.is_none_or(|asked| {
                    // A country holds its regions, but CN-S does not hold CN-SH.
                    key.destination.is_some_and(|place| {
                        place.country().as_str() == asked || place.to_string() == asked
                    })
                })
        });
        Some(asked.collect())
    }

    fn asked_goods(&self, query: &RollupQuery) -> Option<Vec<bool>> {
        let RollupQuery { marketplace, seller, province, size_class, channel, .. } = query;
        let equal = [marketplace, seller, channel, province, size_class];
        if equal.iter().all(|asked| asked.is_none())
            && query.ncm_prefix.is_none()
            && query.listings.is_none()
        {
            return None;
        }
        let listings: Option<HashSet<u32>> = query.listings.as_ref().map(|keys| {
            keys.iter().filter_map(|key| self.listings.get(key.as_str()).copied()).collect()
        });
        let asked = self.goods.iter().map(|sold| {
            let [marketplace, _, seller, ncm, channel, province, size_class] = &sold.about;
            listings.as_ref().is_none_or(|listings| listings.contains(&sold.listing))
                && equal
                    .iter()
                    .zip([marketplace, seller, channel, province, size_class])
                    .all(|(asked, held)| asked.as_deref().is_none_or(|asked| asked == &**held))
                && query.ncm_prefix.as_ref().is_none_or(|prefix| ncm.starts_with(&**prefix))
        });
        Some(asked.collect())
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
    fn cell(self, Adding { sum, latest }: Adding) -> Result<RollupCell, Fault> {
        let [marketplace, listing, seller, ncm, channel, province, size_class] =
            self.goods.map(str::to_owned);
        Ok(RollupCell {
            marketplace,
            day: match self.month {
                Some(_) => latest.first_of_month(),
                None => latest,
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
            orders: Some(u64::try_from(sum.orders).unwrap_or(0)),
        })
    }
}

impl Adding {
    fn add(&mut self, column: &Column, at: u32) -> Result<(), Fault> {
        self.join(Self { sum: column.sum(at), latest: column.latest(at) })
    }

    fn join(&mut self, other: Self) -> Result<(), Fault> {
        let Sum { quantity, amount, lines, orders } = other.sum;
        let held = &mut self.sum;
        held.quantity = held.quantity.plus(quantity)?;
        held.amount = held.amount.plus(amount)?;
        held.lines += lines;
        held.orders += orders;
        self.latest = self.latest.max(other.latest);
        Ok(())
    }
}
