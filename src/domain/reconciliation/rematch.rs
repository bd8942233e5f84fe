//! Sales matched to an item by hand.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::ItemKey;
use crate::domain::partner::PartnerId;
use crate::domain::text::Note;

/// That a sale was matched to an item by hand, or given back to what it says itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rematch {
    /// The item; `None` for what the sale says itself.
    #[serde(default)]
    pub to: Option<ItemKey>,
    /// Why.
    pub reason: Note,
    /// Who did it.
    pub by: PartnerId,
    /// When.
    pub at: Timestamp,
}
