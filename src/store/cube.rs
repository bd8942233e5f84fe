//! Monthly and yearly sums of all sales, in memory: what makes a question about years of sales
//! cost what its listings are and not what their days and lines were.
//!
//! Enters: what lines add to daily cells. Leaves: the same sums as those of the cells, by month,
//! for questions about whole months; [`reach`] says which days are left to ask the cells about. It
//! must not know where cells are kept.

mod fold;
mod reach;

use std::collections::HashMap;

use jiff::civil::Date;
use rust_decimal::Decimal;

pub use self::reach::{Reach, reach};
use crate::domain::currency::Currency;
use crate::domain::exact::Exact;
use crate::domain::place::Destination;
use crate::domain::sale::SaleKind;

/// Sums by month, one for each group of lines that differ in nothing but their day.
#[derive(Default)]
pub struct Cube {
    goods: Vec<About<Box<str>>>,
    known: HashMap<Box<str>, GoodsId>,
    /// Where keys of `known` are put together.
    wanted: String,
    groups: Vec<Group>,
    places: HashMap<GroupKey, usize>,
    months: usize,
}

/// What lines say of what was sold, each text empty where not known: the marketplace's id, the
/// listing's key, the seller's CUIT, the NCM leaf, the shop, the seller's province and size.
pub type About<T> = [T; 7];

/// The place of what was sold in a cube.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct GoodsId(u32);

/// What tells groups of lines apart, apart from their days.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct GroupKey {
    /// What was sold.
    pub goods: GoodsId,
    /// Where the buyers are.
    pub destination: Option<Destination>,
    /// The currency.
    pub currency: Currency,
    /// The kind.
    pub kind: SaleKind,
}

/// What comes to a group on a day.
#[derive(Clone, Copy, Debug)]
pub struct Coming {
    /// The day.
    pub day: Date,
    /// Lines.
    pub lines: u64,
    /// Net quantity.
    pub quantity: Decimal,
    /// Net amount.
    pub amount: Decimal,
    /// Distinct orders; below zero where some that were counted turn out to be repeated.
    pub orders: i64,
}

/// A sum that the cube cannot hold; whoever keeps it does without from then on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unfit;

struct Group {
    key: GroupKey,
    /// Digits after the point in all of its sums.
    quantity_scale: u32,
    amount_scale: u32,
    years: Vec<Span>,
    months: Vec<Span>,
}

/// The sums of a month or a year, which its latest day tells.
#[derive(Clone, Copy)]
struct Span {
    quantity: i128,
    amount: i128,
    latest: Date,
    lines: u32,
    orders: i32,
}

impl Cube {
    /// How many sums by month it holds, which is what its memory goes by: 48 bytes each.
    pub fn months(&self) -> usize {
        self.months
    }

    /// The place of what was sold.
    ///
    /// # Errors
    /// [`Unfit`] beyond four billion of them.
    pub fn goods(&mut self, about: About<&str>) -> Result<GoodsId, Unfit> {
        self.wanted.clear();
        for text in about {
            self.wanted.push_str(text);
            self.wanted.push('\0');
        }
        if let Some(known) = self.known.get(self.wanted.as_str()) {
            return Ok(*known);
        }
        let id = GoodsId(u32::try_from(self.goods.len()).map_err(|_| Unfit)?);
        self.goods.push(about.map(Box::from));
        self.known.insert(self.wanted.as_str().into(), id);
        Ok(id)
    }

    /// Adds what came.
    ///
    /// # Errors
    /// [`Unfit`]; the cube is of no use from then on.
    pub fn add(&mut self, key: GroupKey, coming: Coming) -> Result<(), Unfit> {
        let groups = &mut self.groups;
        let place = *self.places.entry(key).or_insert_with(|| {
            groups.push(Group {
                key,
                quantity_scale: 0,
                amount_scale: 0,
                years: Vec::new(),
                months: Vec::new(),
            });
            groups.len() - 1
        });
        if self.groups[place].add(coming)? {
            self.months += 1;
        }
        Ok(())
    }
}

impl Group {
    /// Adds what came and says whether it is the first of its month.
    fn add(&mut self, coming: Coming) -> Result<bool, Unfit> {
        widen(&mut self.quantity_scale, coming.quantity.scale(), |span| &mut span.quantity)(
            &mut self.years,
            &mut self.months,
        )?;
        widen(&mut self.amount_scale, coming.amount.scale(), |span| &mut span.amount)(
            &mut self.years,
            &mut self.months,
        )?;
        let span = Span {
            quantity: digits(coming.quantity, self.quantity_scale)?,
            amount: digits(coming.amount, self.amount_scale)?,
            latest: coming.day,
            lines: u32::try_from(coming.lines).map_err(|_| Unfit)?,
            orders: i32::try_from(coming.orders).map_err(|_| Unfit)?,
        };
        put(&mut self.years, span, |day| i32::from(day.year()))?;
        put(&mut self.months, span, month_of)
    }
}

/// Brings all sums to as many digits after the point as the most exact of them has.
fn widen<'s>(
    scale: &'s mut u32,
    wanted: u32,
    of: fn(&mut Span) -> &mut i128,
) -> impl FnOnce(&mut [Span], &mut [Span]) -> Result<(), Unfit> + 's {
    move |years, months| {
        let Some(more) = wanted.checked_sub(*scale).filter(|more| *more > 0) else {
            return Ok(());
        };
        let factor = 10i128.checked_pow(more).ok_or(Unfit)?;
        for span in years.iter_mut().chain(months) {
            let digits = of(span);
            *digits = digits.checked_mul(factor).ok_or(Unfit)?;
        }
        *scale = wanted;
        Ok(())
    }
}

fn digits(value: Decimal, scale: u32) -> Result<i128, Unfit> {
    Exact::of(value).at(scale).map_err(|_| Unfit)
}

/// Adds a span to those of a group, which are in order; says whether it is new there.
fn put(spans: &mut Vec<Span>, new: Span, index: fn(Date) -> i32) -> Result<bool, Unfit> {
    let at = index(new.latest);
    match spans.binary_search_by_key(&at, |span| index(span.latest)) {
        Ok(place) => {
            let held = &mut spans[place];
            held.quantity = held.quantity.checked_add(new.quantity).ok_or(Unfit)?;
            held.amount = held.amount.checked_add(new.amount).ok_or(Unfit)?;
            held.lines = held.lines.checked_add(new.lines).ok_or(Unfit)?;
            held.orders = held.orders.checked_add(new.orders).ok_or(Unfit)?;
            // What only counts orders is about lines that came before.
            held.latest = held.latest.max(new.latest);
            Ok(false)
        }
        Err(place) => {
            if spans.len() == spans.capacity() {
                // Doubling would waste half the memory.
                spans.reserve_exact(6);
            }
            spans.insert(place, new);
            Ok(true)
        }
    }
}

/// Months counted from the year 0.
fn month_of(day: Date) -> i32 {
    i32::from(day.year()) * 12 + i32::from(day.month()) - 1
}

#[cfg(test)]
#[path = "cube/tests.rs"]
mod tests;
