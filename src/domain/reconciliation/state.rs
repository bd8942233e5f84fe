//! The state of an item, derived from what happened to it.
//!
//! Enters: sums and a day. Leaves: an [`ItemState`]. Nothing here is remembered: the same sums on
//! the same day are the same state.

use jiff::civil::Date;
use rust_decimal::Decimal;

use super::{Position, StockItem};

named_enum! {
    /// Where an item of a declaration stands.
    pub enum ItemState ("a state of a declared item", "INVALID_FIELD") {
        /// Nothing has left, nothing was sold.
        Declared = "DECLARED",
        /// All that left is there still, in time.
        Shipped = "SHIPPED",
        /// Some was sold, some is left, in time.
        OpenStock = "OPEN_STOCK",
        /// All that left was sold.
        Balanced = "BALANCED",
        /// More was sold than left.
        Oversold = "OVERSOLD",
        /// Some is left after the last day on which it had to be sold or brought back.
        Overdue = "OVERDUE",
        /// Nothing is left, and not all of it was sold: the rest was explained.
        Explained = "EXPLAINED",
        /// Sold under no declaration at all; said of a listing, never of an item.
        Undeclared = "UNDECLARED",
        /// A difference that was handed on to be looked into.
        Escalated = "ESCALATED",
    }
}

impl ItemState {
    /// Whether somebody has to explain it, or to wait for an answer.
    pub const fn is_discrepancy(self) -> bool {
        match self {
            Self::Oversold | Self::Overdue | Self::Undeclared | Self::Escalated => true,
            Self::Declared | Self::Shipped | Self::OpenStock | Self::Balanced | Self::Explained => {
                false
            }
        }
    }
}

/// The state of `position` (whose own state is not looked at) on `today`.
pub(super) fn of(item: &StockItem, position: &Position, today: Date) -> ItemState {
    let overdue = position.sell_by.is_some_and(|last| today > last);
    let state = match position.stock.cmp(&Decimal::ZERO) {
        std::cmp::Ordering::Less => ItemState::Oversold,
        std::cmp::Ordering::Greater if overdue => ItemState::Overdue,
        std::cmp::Ordering::Greater if position.stock == position.shipped => ItemState::Shipped,
        std::cmp::Ordering::Greater => ItemState::OpenStock,
        std::cmp::Ordering::Equal if !item.explained.is_empty() => ItemState::Explained,
        std::cmp::Ordering::Equal if item.shipments.is_empty() => ItemState::Declared,
        std::cmp::Ordering::Equal => ItemState::Balanced,
    };
    if item.escalated && state.is_discrepancy() { ItemState::Escalated } else { state }
}
