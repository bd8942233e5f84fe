//! Monthly and yearly sums of all sales, in memory: what makes a question about years of sales
//! cost what its listings are and not what their days and lines were.
//!
//! Enters: what lines add to daily cells. Leaves: the same sums as those of the cells, by month,
//! for questions about whole months, and by day where days are held; [`reach`] says which. It
//! must not know where cells are kept.

mod best;
mod column;
mod fold;
mod reach;

use std::collections::HashMap;

use jiff::civil::Date;
use rust_decimal::Decimal;

use self::column::{Column, Span};
pub use self::reach::{Reach, reach};
use crate::domain::currency::Currency;
use crate::domain::place::Destination;
use crate::domain::sale::SaleKind;

/// Sums by month, one for each group of lines that differ in nothing but their day.
#[derive(Default)]
pub struct Cube {
    goods: Vec<Sold>,
    known: HashMap<Box<str>, GoodsId>,
    listings: HashMap<Box<str>, u32>,
    currencies: Vec<Currency>,
    /// Where keys of `known` are put together.
    wanted: String,
    groups: Vec<Group>,
    places: HashMap<GroupKey, GroupId>,
    /// One for each month and each year that anything was sold in.
    columns: Vec<Column>,
    spans: HashMap<Span, u32>,
    /// The most digits after the point that any quantity and any amount has.
    scales: [u8; 2],
    months: usize,
}

/// What lines say of what was sold, each text empty where not known: the marketplace's id, the
/// listing's key, the seller's CUIT, the NCM leaf, the shop, the seller's province and size.
pub type About<T> = [T; 7];

/// The place of what was sold in a cube.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct GoodsId(u32);

/// The place of a group in a cube.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct GroupId(u32);

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

struct Sold {
    about: About<Box<str>>,
    /// Which of the listings it is; several goods may be one, as a listing's seller and NCM change.
    listing: u32,
}

struct Group {
    key: GroupKey,
    /// Which of the currencies, and which of the listings.
    currency: u32,
    listing: u32,
    /// Whether its sku has a listing.
    listed: bool,
    /// Where its sums are: columns, and places there.
    places: Vec<(u32, u32)>,
}

impl Cube {
    /// How many sums by month it holds, which is what its memory goes by: 40 bytes each.
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
        let id = GoodsId(place(self.goods.len())?);
        let [_, listing, ..] = about;
        let listing = match self.listings.get(listing) {
            Some(known) => *known,
            None => {
                let fresh = place(self.listings.len())?;
                self.listings.insert(listing.into(), fresh);
                fresh
            }
        };
        self.goods.push(Sold { about: about.map(Box::from), listing });
        self.known.insert(self.wanted.as_str().into(), id);
        Ok(id)
    }

    /// The place of a group, if it is there.
    pub fn known_group(&self, key: &GroupKey) -> Option<GroupId> {
        self.places.get(key).copied()
    }

    /// The place of a group.
    ///
    /// # Errors
    /// [`Unfit`] beyond four billion of them.
    pub fn group(&mut self, key: GroupKey) -> Result<GroupId, Unfit> {
        if let Some(known) = self.known_group(&key) {
            return Ok(known);
        }
        let id = GroupId(place(self.groups.len())?);
        let currency = match self.currencies.iter().position(|known| *known == key.currency) {
            Some(known) => known,
            None => {
                self.currencies.push(key.currency);
                self.currencies.len() - 1
            }
        };
        let Sold { about: [_, _, seller, ..], listing } = &self.goods[key.goods.0 as usize];
        self.groups.push(Group {
            key,
            currency: place(currency)?,
            listing: *listing,
            listed: !seller.is_empty(),
            places: Vec::new(),
        });
        self.places.insert(key, id);
        Ok(id)
    }

    /// Adds what came to a group.
    ///
    /// # Errors
    /// [`Unfit`]; the cube is of no use from then on.
    pub fn add(&mut self, group: GroupId, coming: Coming) -> Result<(), Unfit> {
        for (held, value) in self.scales.iter_mut().zip([coming.quantity, coming.amount]) {
            *held = (*held).max(u8::try_from(value.scale()).map_err(|_| Unfit)?);
        }
        self.put(group, Span::year_of(coming.day), coming)?;
        if self.put(group, Span::month_of(coming.day), coming)? {
            self.months += 1;
        }
        Ok(())
    }

    /// Adds to a column; says whether the group had nothing there yet.
    fn put(&mut self, group: GroupId, span: Span, coming: Coming) -> Result<bool, Unfit> {
        let at = match self.spans.get(&span) {
            Some(at) => *at,
            None => {
                let at = place(self.columns.len())?;
                self.columns.push(Column::of(span));
                self.spans.insert(span, at);
                at
            }
        };
        let column = &mut self.columns[at as usize];
        let places = &mut self.groups[group.0 as usize].places;
        match places.binary_search_by_key(&at, |(column, _)| *column) {
            Ok(found) => column.add(places[found].1, coming).map(|()| false),
            Err(vacant) => {
                if places.len() == places.capacity() {
                    // Doubling would waste half the memory.
                    places.reserve_exact(7);
                }
                places.insert(vacant, (at, column.push(group, coming)?));
                Ok(true)
            }
        }
    }
}

fn place(of: usize) -> Result<u32, Unfit> {
    u32::try_from(of).map_err(|_| Unfit)
}

/// Months counted from the year 0.
fn month_of(day: Date) -> i32 {
    i32::from(day.year()) * 12 + i32::from(day.month()) - 1
}

#[cfg(test)]
#[path = "cube/tests.rs"]
mod tests;
