//! What was declared, shipped, sold, and lies in stock: the items of export declarations held
//! against the sale lines of one listing.
//!
//! Enters: the items of one listing and its movements, in any order. Leaves: a [`Folded`]: where
//! each item stands, and which sale was matched to which item. It is a pure projection: the same
//! facts give the same answer, whatever the order in which they arrived. It must not know where
//! facts are kept, nor when they became known: who calls hands in those that count.
//!
//! The rule of matching:
//!
//! 1. *Net of each sale.* What comes back is taken off the sale it cites. What cites none, or
//!    is more than was sold, is taken off the newest sales first, among those that name the same
//!    item or declaration, or among those that name none.
//! 2. *Named first, then the oldest.* Sales that name an item go to it; then those that name a
//!    declaration go to its items; then all others go to any stock of the listing. Within each,
//!    sales are taken by (moment of sale, line id), and items by (day of officialisation, number,
//!    item). What finds no stock is oversold: it stays with the newest item it could have gone
//!    to. What finds no item at all is undeclared.
//!
//! So where the items stand follows from one sum for each name ([`stand`]); only which sale went
//! where needs the sales ([`fold`]).

mod matching;
mod named;
mod rematch;
mod state;

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::decimal::Quantity;
use super::declaration::DeclarationNumber;
use super::fault::Fault;
use super::text::LineId;

pub use matching::{fold, shares, stand};
pub use rematch::Rematch;
pub use state::ItemState;

/// An item of a declaration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ItemKey {
    /// The declaration.
    pub declaration: DeclarationNumber,
    /// The item of it, from 1.
    pub item: u32,
}

named_enum! {
    /// Why stock is missing, or sales are above it.
    pub enum Cause ("a cause of a difference", "INVALID_FIELD") {
        /// Lost, for example at sea or by theft: written off.
        Loss = "LOSS",
        /// Given away as samples: written off.
        Sample = "SAMPLE",
        /// Spoilt or broken: written off.
        Damage = "DAMAGE",
        /// Brought back to the country.
        Reimport = "REIMPORT",
        /// Declared or shipped in another unit than meant: corrects what was shipped.
        UnitError = "UNIT_ERROR",
    }
}

/// A difference explained, in statistical units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Explained {
    /// Why.
    pub cause: Cause,
    /// How much; below zero only for a UNIT_ERROR that takes away.
    pub quantity: Quantity,
}

/// Goods that left under an item, in statistical units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shipped {
    /// How much.
    pub quantity: Quantity,
    /// When.
    pub on: Date,
    /// The last day on which it is sold or brought back, if a rule says so.
    pub sell_by: Option<Date>,
}

/// An item as far as it is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StockItem {
    /// Which one.
    pub key: ItemKey,
    /// The day on which the declaration became official.
    pub officialised_on: Date,
    /// How much was declared, in statistical units.
    pub declared: Quantity,
    /// What left.
    pub shipments: Vec<Shipped>,
    /// Differences that were explained.
    pub explained: Vec<Explained>,
    /// Whether an open difference was escalated.
    pub escalated: bool,
}

/// A sale line as far as stock is concerned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Movement {
    /// The line.
    pub line: LineId,
    /// When it happened.
    pub at: Timestamp,
    /// What it adds to what was sold, in statistical units; below zero for what comes back.
    pub quantity: Quantity,
    /// The sale it takes back, if it cites one.
    pub original: Option<LineId>,
    /// What it says it belongs to, or was re-matched to.
    pub named: Named,
}

/// What a line says it belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Named {
    /// An item of a declaration.
    Item(ItemKey),
    /// A declaration.
    Declaration(DeclarationNumber),
    /// Nothing.
    Nothing,
}

impl Named {
    /// What a line says that gives this declaration and this item of it.
    pub fn of(declaration: Option<DeclarationNumber>, item: Option<u32>) -> Self {
        match (declaration, item) {
            (None, _) => Self::Nothing,
            (Some(declaration), None) => Self::Declaration(declaration),
            (Some(declaration), Some(item)) => Self::Item(ItemKey { declaration, item }),
        }
    }

    /// Whether what says so may go to that item.
    pub fn allows(self, key: ItemKey) -> bool {
        match self {
            Self::Item(named) => named == key,
            Self::Declaration(named) => named == key.declaration,
            Self::Nothing => true,
        }
    }
}

/// Part of a sale, net of what came back, and the item it was matched to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Match {
    /// The sale.
    pub line: LineId,
    /// The item; `None` if there is none.
    pub item: Option<ItemKey>,
    /// How much of the sale, in statistical units.
    pub quantity: Decimal,
}

/// Where an item stands, in statistical units. What was shipped, corrected by unit errors, is
/// net sold + stock + re-imported + written off, always.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// Which item.
    pub key: ItemKey,
    /// How much was declared.
    pub declared: Decimal,
    /// How much left, corrected by unit errors that were explained.
    pub shipped: Decimal,
    /// How much was sold and did not come back.
    pub net_sold: Decimal,
    /// How much was brought back to the country.
    pub reimported: Decimal,
    /// How much was lost, spoilt or given away.
    pub written_off: Decimal,
    /// What is left abroad; below zero by what was sold above it.
    pub stock: Decimal,
    /// The last day on which the oldest of the stock is sold or brought back, where some is left
    /// and a rule says so. What left first is taken to be sold first.
    pub sell_by: Option<Date>,
    /// The state that follows.
    pub state: ItemState,
}

/// Where a listing stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// Its items, by (day of officialisation, number, item).
    pub positions: Vec<Position>,
    /// Net sold under no declaration.
    pub undeclared: Decimal,
    /// What came back beyond all sales it could belong to.
    pub beyond: Decimal,
}

/// Where a listing stands, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Folded {
    /// Where it stands.
    pub standing: Standing,
    /// Which sale was matched to which item: by what they name, then (moment of sale, line id).
    pub matches: Vec<Match>,
}

/// How much of what was sold under a name was matched to an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Share {
    /// The name.
    pub named: Named,
    /// The item; `None` if there is none.
    pub item: Option<ItemKey>,
    /// How much, in statistical units.
    pub quantity: Decimal,
}

/// What was sold less what came back, in statistical units, for each name. What comes back goes
/// under the name of the sale it cites.
pub type NetByName = BTreeMap<Named, Decimal>;

impl StockItem {
    /// Until when the oldest of so much stock is sold or brought back: what left last is there
    /// longest.
    fn sell_by(&self, mut stock: Decimal) -> Option<Date> {
        if stock <= Decimal::ZERO {
            return None;
        }
        let mut shipments: Vec<&Shipped> = self.shipments.iter().collect();
        shipments.sort_by_key(|shipment| std::cmp::Reverse(shipment.on));
        let mut oldest = None;
        for shipment in shipments {
            oldest = Some(shipment);
            stock -= shipment.quantity.value();
            if stock <= Decimal::ZERO {
                break;
            }
        }
        oldest?.sell_by
    }

    /// Shipped (corrected), re-imported and written off.
    fn sums(&self) -> Result<Sums, Fault> {
        let mut sums = Sums::default();
        for shipment in &self.shipments {
            sums.shipped = plus(sums.shipped, shipment.quantity.value())?;
        }
        for one in &self.explained {
            let sum = match one.cause {
                Cause::UnitError => &mut sums.shipped,
                Cause::Reimport => &mut sums.reimported,
                Cause::Loss | Cause::Sample | Cause::Damage => &mut sums.written_off,
            };
            *sum = plus(*sum, one.quantity.value())?;
        }
        Ok(sums)
    }
}

/// What happened to an item apart from sales.
#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    shipped: Decimal,
    reimported: Decimal,
    written_off: Decimal,
}

impl Sums {
    /// What there is to sell.
    fn to_sell(self) -> Result<Decimal, Fault> {
        plus(self.shipped, -plus(self.reimported, self.written_off)?)
    }
}

fn plus(a: Decimal, b: Decimal) -> Result<Decimal, Fault> {
    super::decimal::exact_sum(a, b)
}

#[cfg(test)]
mod tests;
