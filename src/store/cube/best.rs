//! The listings that sold best, found among all of a cube by their numbers; texts are looked at
//! only for those few.
//!
//! Enters: a question and how to rank. Leaves: sums that `domain::ranking` ranks as it would all.

use std::cmp::Reverse;
use std::collections::HashMap;

use jiff::civil::Date;

use super::column::{Column, Sum};
use super::{Cube, Group, Reach};
use crate::domain::analytics::Measure;
use crate::domain::currency::Currency;
use crate::domain::exact::Exact;
use crate::domain::exchange::{self, Rates};
use crate::domain::ranking::ListingSums;
use crate::store::{Ranking, RollupQuery};

/// What to rank instead of all.
pub struct Best<'c> {
    /// All sums of the listings that may be among the best; for each currency, what else there is,
    /// as sums without a seller, which count for the whole and are not ranked.
    pub sums: Vec<ListingSums<'c>>,
    /// How many listings there are.
    pub listings: usize,
}

/// All sums in one currency, as digits at the cube's scales.
#[derive(Clone, Copy, Default)]
struct Whole {
    quantity: i128,
    amount: i128,
    lines: u64,
    orders: i64,
}

/// What each listing sold in each currency, by the measure.
struct Run {
    /// By currency, then listing.
    values: Vec<Vec<i128>>,
    wholes: Vec<Whole>,
    /// Which listings sold anything.
    sold: Vec<bool>,
    /// The sum of what quantities, and amounts, are without their sign.
    sizes: [u128; 2],
}

/// Beyond it a sum may have more digits than a decimal holds.
const DECIMAL: u128 = 1 << 96;

impl Cube {
    /// What to rank for the answer that ranking all sums in the years and months of `reach` gives,
    /// and in its days if they are held; `None` where numbers are so great that only that tells.
    pub fn best(&self, query: &RollupQuery, reach: &Reach, ranking: &Ranking) -> Option<Best<'_>> {
        let columns: Vec<&Column> = self.columns_in(reach).collect();
        let asked = self.asked_groups(query);
        let of = |measure| {
            move |sum: &Sum, [quantity, amount]: [i128; 2]| match measure {
                Measure::Amount => amount,
                Measure::Quantity => quantity,
                Measure::Orders => sum.orders.into(),
            }
        };
        let run = self.run(&columns, asked.as_deref(), of(ranking.measure))?;
        if run.sizes.iter().any(|size| *size >= DECIMAL) {
            return None;
        }
        let chosen = self.chosen(&run, ranking)?;
        let mut wholes = run.wholes;
        let mut sums = self.gathered(&columns, asked.as_deref(), &chosen, &mut wholes)?;
        let [of_quantity, of_amount] = self.scales.map(u32::from);
        for (currency, rest) in self.currencies.iter().zip(wholes) {
            if rest.lines == 0 {
                continue;
            }
            sums.push(ListingSums {
                listing: "",
                seller: "",
                ncm: "",
                currency: currency.as_str(),
                latest: Date::MIN,
                lines: rest.lines,
                quantity: Exact::new(rest.quantity, of_quantity),
                amount: Exact::new(rest.amount, of_amount),
                orders: u64::try_from(rest.orders).unwrap_or(0),
            });
        }
        let listings = run.sold.iter().filter(|sold| **sold).count();
        Some(Best { sums, listings })
    }

    /// Runs through all sums once.
    fn run(
        &self,
        columns: &[&Column],
        asked: Option<&[bool]>,
        value: impl Fn(&Sum, [i128; 2]) -> i128,
    ) -> Option<Run> {
        let mut run = Run {
            values: vec![vec![0; self.listings.len()]; self.currencies.len()],
            wholes: vec![Whole::default(); self.currencies.len()],
            sold: vec![false; self.listings.len()],
            sizes: [0; 2],
        };
        for column in columns {
            for (at, sum) in column.sums() {
                if asked.is_some_and(|asked| !asked[at]) {
                    continue;
                }
                let Group { currency, listing, listed, .. } = self.groups[at];
                let digits = self.digits(&sum)?;
                for (size, digits) in run.sizes.iter_mut().zip(digits) {
                    *size = size.saturating_add(digits.unsigned_abs());
                }
                run.wholes[currency as usize].add(&sum, digits)?;
                if listed {
                    let held = &mut run.values[currency as usize][listing as usize];
                    *held = held.checked_add(value(&sum, digits))?;
                    run.sold[listing as usize] |= sum.lines > 0;
                }
            }
        }
        Some(run)
    }

    /// Which listings may be among the best: a few too many where amounts are converted, as they
    /// are rounded only when they are ranked. None where they cannot be ranked, which `ranking`
    /// says.
    fn chosen(&self, run: &Run, ranking: &Ranking) -> Option<Vec<bool>> {
        let Ranking { measure, limit, rates } = ranking;
        let there = run.wholes.iter().filter(|whole| whole.lines > 0).count();
        let mut factors = vec![1; self.currencies.len()];
        let mut margin = 0;
        if *measure == Measure::Amount {
            if rates.target().is_some() {
                (factors, margin) = self.factors(rates)?;
            } else if there > 1 {
                return Some(vec![false; run.sold.len()]);
            }
        }
        let mut values: Vec<(i128, u32)> = Vec::with_capacity(run.sold.len());
        for (listing, _) in (0..).zip(&run.sold).filter(|(_, sold)| **sold) {
            let mut value = 0i128;
            for (held, factor) in run.values.iter().zip(&factors) {
                value = value.checked_add(held[listing as usize].checked_mul(*factor)?)?;
            }
            values.push((value, listing));
        }
        if let Some(last) = limit.checked_sub(1).filter(|last| *last < values.len()) {
            let (_, least, _) =
                values.select_nth_unstable_by_key(last, |(value, _)| Reverse(*value));
            let least = least.0.checked_sub(margin)?;
            values.retain(|(value, _)| *value >= least);
        }
        let mut chosen = vec![false; run.sold.len()];
        values.iter().for_each(|(_, listing)| chosen[*listing as usize] = true);
        Some(chosen)
    }

    /// What amounts in each currency are multiplied by, and how far rounding can move them.
    fn factors(&self, rates: &Rates) -> Option<(Vec<i128>, i128)> {
        let one = |currency: &Currency| rates.converted(Exact::new(1, 0), currency.as_str()).ok();
        let factors: Vec<Exact> = self.currencies.iter().map(one).collect::<Option<_>>()?;
        let scale = factors.iter().map(|factor| factor.scale()).max().unwrap_or(0);
        let digits = factors.iter().map(|factor| factor.digits(scale)).collect::<Option<_>>()?;
        let finer = (scale + u32::from(self.scales[1])).saturating_sub(exchange::DECIMALS);
        Some((digits, if finer > 0 { 10i128.checked_pow(finer)? } else { 0 }))
    }

    /// All sums of the chosen listings; takes them from the wholes.
    fn gathered(
        &self,
        columns: &[&Column],
        asked: Option<&[bool]>,
        chosen: &[bool],
        wholes: &mut [Whole],
    ) -> Option<Vec<ListingSums<'_>>> {
        let mut gathered: HashMap<(u32, u32), (Whole, Date)> = HashMap::new();
        for column in columns {
            for (place, (at, sum)) in (0..).zip(column.sums()) {
                let Group { key, currency, listing, listed, .. } = &self.groups[at];
                if !listed || !chosen[*listing as usize] || asked.is_some_and(|asked| !asked[at]) {
                    continue;
                }
                let digits = self.digits(&sum)?;
                wholes[*currency as usize].take(&sum, digits)?;
                let held = gathered.entry((key.goods.0, *currency));
                let (held, latest) = held.or_insert((Whole::default(), Date::MIN));
                held.add(&sum, digits)?;
                *latest = (*latest).max(column.latest(place));
            }
        }
        let [of_quantity, of_amount] = self.scales.map(u32::from);
        let sold = gathered.into_iter().filter(|(_, (held, _))| held.lines > 0);
        let told = sold.map(|((goods, currency), (held, latest))| {
            let [_, listing, seller, ncm, ..] = &self.goods[goods as usize].about;
            ListingSums {
                listing,
                seller,
                ncm,
                currency: self.currencies[currency as usize].as_str(),
                latest,
                lines: held.lines,
                quantity: Exact::new(held.quantity, of_quantity),
                amount: Exact::new(held.amount, of_amount),
                orders: u64::try_from(held.orders).unwrap_or(0),
            }
        });
        Some(told.collect())
    }

    /// Quantity and amount at the cube's scales.
    fn digits(&self, sum: &Sum) -> Option<[i128; 2]> {
        let [of_quantity, of_amount] = self.scales;
        Some([sum.quantity.digits(of_quantity.into())?, sum.amount.digits(of_amount.into())?])
    }
}

impl Whole {
    fn add(&mut self, sum: &Sum, [quantity, amount]: [i128; 2]) -> Option<()> {
        self.quantity = self.quantity.checked_add(quantity)?;
        self.amount = self.amount.checked_add(amount)?;
        self.lines += sum.lines;
        self.orders += sum.orders;
        Some(())
    }

    fn take(&mut self, sum: &Sum, [quantity, amount]: [i128; 2]) -> Option<()> {
        self.quantity = self.quantity.checked_sub(quantity)?;
        self.amount = self.amount.checked_sub(amount)?;
        self.lines -= sum.lines;
        self.orders -= sum.orders;
        Some(())
    }
}
