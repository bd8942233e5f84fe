//! Which sale line was matched to which item.
//!
//! Enters: a caller and a listing. Leaves: the parts of its sales, each with the item it went to.
//! Nothing of this is kept: the lines of the reports that sold the listing are read and folded, so
//! a question costs what these reports hold. Sums alone are
//! [`matches`](crate::app::App::matches).

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;
use rust_decimal::Decimal;

use super::questions::sight;
use super::stock_item;
use crate::app::reports::PAGE;
use crate::app::{App, decode};
use crate::change::Kind;
use crate::domain::caller::Caller;
use crate::domain::customs_declaration::{DeclaredItem, ItemNumber};
use crate::domain::decimal::{Factor, Quantity};
use crate::domain::declaration::DeclarationNumber;
use crate::domain::finding::Findings;
use crate::domain::listing::Listing;
use crate::domain::reconciliation::{ItemKey, Match, Movement, Named, StockItem, fold};
use crate::domain::report::Report;
use crate::domain::sale::{SaleKind, WarningReason};
use crate::domain::text::LineId;
use crate::domain::unit::Unit;
use crate::error::{Error, Result};
use crate::store::stock::{ListingStock, RematchQuery, StockQuery};
use crate::store::{ExportQuery, PageQuery, RollupQuery, StoredLine};

/// Lines that one short read looks at.
const LOOK_AT: u32 = 20_000;
/// The most lines of one listing that are folded for one question.
const MOST: usize = 200_000;
/// The most matches by hand of one listing.
const BY_HAND: u32 = 1_000_000;

/// Which matches of lines to list: all that is given must hold.
#[derive(Clone, Debug)]
pub struct LineMatchesQuery {
    /// Key of the listing.
    pub listing: String,
    /// Only what went to items of this declaration.
    pub declaration: Option<DeclarationNumber>,
    /// Only what went to this item of it.
    pub item: Option<ItemNumber>,
    /// The place of the first, from 0.
    pub from: usize,
    /// At most so many.
    pub limit: usize,
}

/// Part of a sale, net of what came back, and the item it went to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LineMatch {
    /// The marketplace's number of the line.
    pub line: LineId,
    /// Key of the report that took it.
    pub report: String,
    /// When it was sold.
    pub sold_at: Timestamp,
    /// What it counts under.
    pub named: Named,
    /// Whether it was put there by hand.
    pub by_hand: bool,
    /// The item; `None` if there is none.
    pub item: Option<ItemKey>,
    /// How much of the sale, in statistical units.
    pub quantity: Decimal,
}

/// A page of matches.
#[derive(Clone, Debug)]
pub struct LineMatches {
    /// The unit of all quantities.
    pub unit: Unit,
    /// By what lines count under, then by (moment of sale, line id).
    pub lines: Vec<LineMatch>,
    /// The place after the last of them, if more follow.
    pub next: Option<usize>,
}

/// A line as it is told beside its match.
struct Told {
    report: String,
    at: Timestamp,
    named: Named,
    by_hand: bool,
}

impl App {
    /// To which items the sale lines of a listing were matched.
    ///
    /// # Errors
    /// `NOT_FOUND` if there is no such listing that the caller may see; `TOO_MANY_LINES` if it has
    /// more lines than are folded for a question.
    pub async fn line_matches(
        &self,
        caller: &Caller,
        query: &LineMatchesQuery,
    ) -> Result<LineMatches> {
        let stock = self.store.stock(StockQuery::Keys(vec![query.listing.clone()])).await?;
        let stock = self.delegated(caller, stock).await?.pop().ok_or_else(Error::not_found)?;
        let listing = decode::<Listing>(&stock.listing)?.value;
        if !sight(caller).allows(&listing.marketplace) {
            return Err(Error::not_found());
        }
        let items = self.stock_items(&stock)?;
        let (movements, told) = self.movements(&query.listing, &listing).await?;
        let folded = fold(items, movements, self.today())?;
        let mut wanted = folded.matches.into_iter().filter(|one| query.wants(one));
        let page: Vec<Match> = wanted.by_ref().skip(query.from).take(query.limit).collect();
        let next = wanted.next().map(|_| query.from + page.len());
        let lines =
            page.into_iter().filter_map(|one| told.get(&one.line).map(|told| told_of(told, one)));
        Ok(LineMatches { unit: listing.statistical_unit, lines: lines.collect(), next })
    }

    fn stock_items(&self, stock: &ListingStock) -> Result<Vec<StockItem>> {
        let terms = &self.reference.tables().consignment;
        let mut findings: HashMap<&str, Findings> = HashMap::new();
        for record in &stock.findings {
            findings.insert(&record.key, decode(record)?.value);
        }
        let items = stock.items.iter().map(|record| {
            let item = decode::<DeclaredItem>(record)?.value;
            let found = findings.remove(record.key.as_str()).unwrap_or_default();
            Ok(stock_item(&item, &found, terms))
        });
        items.collect()
    }

    /// All lines of a listing that move stock, and what is told of each.
    async fn movements(
        &self,
        key: &str,
        listing: &Listing,
    ) -> Result<(Vec<Movement>, HashMap<LineId, Told>)> {
        let by_hand = self.by_hand(key).await?;
        let (mut movements, mut told) = (Vec::new(), HashMap::new());
        let mut sales: HashSet<LineId> = HashSet::new();
        let mut reports = PageQuery::all(Kind::Report, PAGE);
        reports.owner = Some(listing.marketplace.to_string());
        for record in self.all(reports).await? {
            if !decode::<Report>(&record)?.value.state.stands()
                || !self.sold_in(&record.key, key).await?
            {
                continue;
            }
            let mut query = ExportQuery {
                report: record.key.clone(),
                days: None,
                kinds: Vec::new(),
                remarked: None,
                reason: None,
                entries: u64::MAX,
                after: 0,
                limit: LOOK_AT,
                look_at: LOOK_AT,
            };
            loop {
                let page = self.store.export(query.clone()).await?;
                let own = page.lines.into_iter().map(|line| line.stored);
                for stored in own.filter(|one| one.line.sku == listing.sku && counts(one)) {
                    if movements.len() == MOST {
                        return Err(too_many());
                    }
                    if stored.line.kind == SaleKind::Sale {
                        sales.insert(stored.line.line_id.clone());
                    }
                    let (movement, hand) = movement(&stored, &by_hand, listing.statistical_factor)?;
                    let one = Told {
                        report: record.key.clone(),
                        at: movement.at,
                        named: movement.named,
                        by_hand: hand,
                    };
                    told.insert(movement.line.clone(), one);
                    movements.push(movement);
                }
                match page.next {
                    Some(next) => query.after = next,
                    None => break,
                }
            }
        }
        // What cites a line that is no sale of the listing counts under its own name.
        for movement in &mut movements {
            movement.original.take_if(|cited| !sales.contains(cited));
        }
        Ok((movements, told))
    }

    /// The latest match by hand of each line of a listing, by its place among all lines.
    async fn by_hand(&self, listing: &str) -> Result<HashMap<u64, Option<ItemKey>>> {
        let latest_first =
            self.store.rematches(RematchQuery::Listing(listing.to_owned(), BY_HAND)).await?;
        let mut by_hand = HashMap::new();
        for held in latest_first {
            by_hand.entry(held.line).or_insert(held.rematch.to);
        }
        Ok(by_hand)
    }

    /// Whether a report has any line of a listing.
    async fn sold_in(&self, report: &str, listing: &str) -> Result<bool> {
        let cells = self.store.rollups(RollupQuery {
            report: Some(report.to_owned()),
            listings: Some(vec![listing.to_owned()]),
            by: Some(Vec::new()),
            ..RollupQuery::default()
        });
        Ok(!cells.await?.is_empty())
    }
}

impl LineMatchesQuery {
    fn wants(&self, one: &Match) -> bool {
        let Some(declaration) = self.declaration else { return true };
        one.item.is_some_and(|key| {
            key.declaration == declaration && self.item.is_none_or(|item| item.get() == key.item)
        })
    }
}

fn told_of(told: &Told, Match { line, item, quantity }: Match) -> LineMatch {
    LineMatch {
        line,
        report: told.report.clone(),
        sold_at: told.at,
        named: told.named,
        by_hand: told.by_hand,
        item,
        quantity,
    }
}

/// What a line moves, and whether it was matched by hand.
fn movement(
    stored: &StoredLine,
    by_hand: &HashMap<u64, Option<ItemKey>>,
    factor: Factor,
) -> Result<(Movement, bool)> {
    let line = &stored.line;
    let hand = by_hand.get(&stored.seq).copied().flatten();
    let named = match hand {
        Some(item) => Named::Item(item),
        None => Named::of(line.declaration, line.declaration_item),
    };
    let movement = Movement {
        at: line.sold_at.instant(),
        quantity: Quantity::of(line.signed().quantity).in_statistical_units(factor)?,
        original: line.original_line_id.clone(),
        line: line.line_id.clone(),
        named,
    };
    Ok((movement, hand.is_some()))
}

/// Whether a line counts at all: one that exceeds its sale does once it was explained.
fn counts(stored: &StoredLine) -> bool {
    stored.explanation.is_some() || !stored.reasons.contains(&WarningReason::ExceedsOriginal)
}

fn too_many() -> Error {
    let message = format!(
        "the listing has more than {MOST} lines: ListMatches has the sums, ExportSaleLines the lines"
    );
    let error = Error::exhausted("TOO_MANY_LINES", message, std::time::Duration::ZERO);
    Error { retry_after: None, ..error }
}
