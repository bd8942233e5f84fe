//! Monthly and yearly sums of all sales, in memory: what makes a question about years of sales
//! cost what its listings are and not what their days and lines were.
//!
//! Enters: what lines add to daily cells. Leaves: the same sums as those of the cells, by month,
//! for questions about whole months, and by day for the few months whose days are held; [`reach`]
//! says which. It must not know where cells are kept.

mod best;
mod column;
mod days;
mod fold;
mod reach;
mod saved;

use std::collections::HashMap;

use jiff::civil::Date;
use rust_decimal::Decimal;

use self::column::{Column, Span};
use self::days::HeldDays;
pub use self::days::{DaysRead, MOST_DAYS};
pub use self::reach::{Reach, reach};
pub use self::saved::Saved;
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
    groups: Vec<Group>,
    places: HashMap<GroupKey, GroupId>,
    /// One for each month and each year that anything was sold in.
    columns: Vec<Column>,
    spans: HashMap<Span, u32>,
    /// Months whose days are held too, those that came first before others.
    days: Vec<HeldDays>,
    /// The most digits after the point that any quantity and any amount has.
    scales: [u8; 2],
    sums: usize,
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
    /// How many sums it holds, which is what its memory goes by: 40 bytes each.
    pub fn sums(&self) -> usize {
        self.sums
    }

    /// The place of what was sold, if it is there.
    pub fn known_goods(&self, about: About<&str>) -> Option<GoodsId> {
        self.known.get(key_of(about).as_str()).copied()
    }

    /// The place of what was sold.
    ///
    /// # Errors
    /// [`Unfit`] beyond four billion of them.
    pub fn goods(&mut self, about: About<&str>) -> Result<GoodsId, Unfit> {
        let key = key_of(about);
        if let Some(known) = self.known.get(key.as_str()) {
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
        self.known.insert(key.into(), id);
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

    /// Adds what came to a group; `size` is the ledger's after it.
    ///
    /// # Errors
    /// [`Unfit`]; the cube is of no use from then on.
    pub fn add(&mut self, group: GroupId, coming: Coming, size: u64) -> Result<(), Unfit> {
        self.put(group, Span::year_of(coming.day), coming)?;
        self.put(group, Span::month_of(coming.day), coming)?;
        self.add_to_days(group, coming, size)
    }

    /// Adds to a column.
    fn put(&mut self, group: GroupId, span: Span, coming: Coming) -> Result<(), Unfit> {
        self.widen([coming.quantity.scale(), coming.amount.scale()])?;
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
            Ok(found) => column.add(places[found].1, coming),
            Err(vacant) => {
                if places.len() == places.capacity() {
                    // Doubling would waste half the memory.
                    places.reserve_exact(7);
                }
                places.insert(vacant, (at, column.push(group, coming)?));
                self.sums += 1;
                Ok(())
            }
        }
    }

    fn widen(&mut self, scales: [u32; 2]) -> Result<(), Unfit> {
        for (held, came) in self.scales.iter_mut().zip(scales) {
            *held = (*held).max(u8::try_from(came).map_err(|_| Unfit)?);
        }
        Ok(())
    }
}

/// What goods are known by.
fn key_of(about: About<&str>) -> String {
    about.join("\0")
}

fn place(of: usize) -> Result<u32, Unfit> {
    u32::try_from(of).map_err(|_| Unfit)
}

/// Months counted from the year 0.
pub fn month_of(day: Date) -> i32 {
    i32::from(day.year()) * 12 + i32::from(day.month()) - 1
}

#[cfg(test)]
#[path = "cube/tests.rs"]
mod tests;
