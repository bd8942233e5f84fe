//! What a store knows of the stock of a listing, and of sales that were matched by hand.
//!
//! Enters: nothing. Leaves: questions and their answers, as data.

use crate::change::Record;
use crate::domain::reconciliation::{NetByName, Rematch};
use crate::domain::text::LineId;
use crate::store::PageQuery;

/// Of which listings the stock is asked.
#[derive(Clone, Debug)]
pub enum StockQuery {
    /// A page of listings.
    Page(PageQuery),
    /// Those of these keys that exist.
    Keys(Vec<String>),
}

/// A listing with all that its stock follows from, in one snapshot.
#[derive(Clone, Debug)]
pub struct ListingStock {
    /// The listing.
    pub listing: Record,
    /// The items of declarations that are goods of it, by key.
    pub items: Vec<Record>,
    /// What customs found about these items, and about the listing itself.
    pub findings: Vec<Record>,
    /// What was sold less what came back, in selling units, for each name.
    pub net: NetByName,
}

/// Which matches by hand are asked for.
#[derive(Clone, Debug)]
pub enum RematchQuery {
    /// Those of sales of a listing, the latest first, at most so many.
    Listing(String, u32),
    /// The latest of each of these lines (places among all lines).
    Lines(Vec<u64>),
}

/// A match by hand, as recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldRematch {
    /// The line's place among all lines.
    pub line: u64,
    /// The marketplace's number of the line.
    pub line_id: LineId,
    /// The ledger entry that says so.
    pub entry: u64,
    /// What was said.
    pub rematch: Rematch,
}
