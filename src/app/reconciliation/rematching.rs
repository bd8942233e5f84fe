//! Sales matched by hand.
//!
//! Enters: sales of one listing, and the item that they belong to, or none to give them back to
//! what they say themselves. Leaves: which lines moved. What takes a sale back goes with it.

use serde::{Deserialize, Serialize};

use super::changes::listing_name;
use super::customs_only;
use crate::app::App;
use crate::app::reports::name as report_name;
use crate::app::write::{Intent, Plan, Written};
use crate::change::{Kind, Write};
use crate::domain::caller::Caller;
use crate::domain::customs_declaration::{DeclaredItem, ItemNumber};
use crate::domain::declaration::DeclarationNumber;
use crate::domain::fault::Fault;
use crate::domain::listing::listing_key;
use crate::domain::partner::PartnerId;
use crate::domain::reconciliation::{ItemKey, Named, Rematch};
use crate::domain::report::{Report, ReportState};
use crate::domain::text::{LineId, Note, Sku};
use crate::error::{Error, Result};
use crate::ledger::{Draft, EntryKind};
use crate::store::HeldLine;
use crate::store::stock::RematchQuery;

/// Which sales are matched to what.
#[derive(Clone, Debug)]
pub struct Rematching {
    /// Whose lines they are.
    pub marketplace: PartnerId,
    /// The lines, each once.
    pub lines: Vec<LineId>,
    /// The item; `None` gives them back.
    pub to: Option<(DeclarationNumber, ItemNumber)>,
    /// Why.
    pub reason: Note,
}

/// What became of sales that were matched by hand.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rematched {
    /// Key of their listing.
    pub listing: String,
    /// The lines that moved, in the order asked for; those that stood so already are not among
    /// them.
    pub lines: Vec<RematchedLine>,
}

/// A line that was matched by hand.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RematchedLine {
    /// The line.
    pub line: LineId,
    /// Under which name it was counted.
    pub from: Named,
    /// Under which name it is counted.
    pub to: Named,
}

impl App {
    /// Matches sales by hand, all or none; no receipt if all stand so already.
    ///
    /// # Errors
    /// `NOT_CUSTOMS`, `NOT_FOUND` for a line that is not there, `UNKNOWN_ITEM`,
    /// `LINE_CITES_SALE`, `REPORT_ABANDONED`, `LISTING_MISMATCH` if the item's goods are of another
    /// listing, or the lines of several.
    pub async fn rematch_sales(
        &self,
        caller: &Caller,
        intent: &Intent,
        asked: &Rematching,
    ) -> Result<Written<Rematched>> {
        customs_only(caller)?;
        self.write(intent, || async {
            let target = match asked.to {
                Some((number, item)) => Some(self.target(number, item).await?),
                None => None,
            };
            let mut listing: Option<String> = target.as_ref().map(|item| item.listing.clone());
            let to = target.as_ref().map(super::key_of);
            let (mut moved, mut writes) = (Vec::new(), Vec::new());
            for (place, line) in asked.lines.iter().enumerate() {
                let at = |fault: Fault| fault.at(&format!("line_ids[{place}]"));
                let held = self.store.line(&asked.marketplace, line).await?;
                let held = held.ok_or_else(Error::not_found)?;
                self.may_be_rematched(&held).await?.map_err(at)?;
                let own = listing_key(&asked.marketplace, held.line.line.sku.as_str());
                let expected = listing.get_or_insert_with(|| own.clone());
                if *expected != own {
                    return Err(at(of_another(&held.line.line.sku)).into());
                }
                let (from, then) = self.names(&held, to).await?;
                if from == then {
                    continue;
                }
                moved.push(RematchedLine { line: line.clone(), from, to: then });
                let (reason, by) = (asked.reason.clone(), caller.partner().clone());
                let rematch = Rematch { to, reason, by, at: self.env.now() };
                writes.push(Write::Rematch(held.line.seq, rematch));
            }
            let listing = listing.ok_or_else(Error::not_found)?;
            let draft = Draft::new(EntryKind::SalesRematched)
                .about(listing_name(&listing))
                .fact("lines", moved.len());
            let draft = match to {
                Some(ItemKey { declaration, item }) => {
                    draft.fact("declaration", declaration).fact("item", item)
                }
                None => draft.fact("given_back", true),
            };
            let answer = Rematched { listing, lines: moved };
            Ok(Plan { answer, expect: Vec::new(), writes, draft })
        })
        .await
    }

    async fn target(&self, number: DeclarationNumber, item: ItemNumber) -> Result<DeclaredItem> {
        let key = DeclaredItem::key_of(number, item);
        let held = self.document::<DeclaredItem>(Kind::DeclarationItem, &key).await?;
        held.map(|held| held.value).ok_or_else(|| {
            let message = "there is no such item of a declaration: register it first";
            Fault::illegal_state("UNKNOWN_ITEM", message).with("item", item).at("item").into()
        })
    }

    /// Whether the line has a match of its own, and counts.
    async fn may_be_rematched(&self, held: &HeldLine) -> Result<std::result::Result<(), Fault>> {
        if held.line.line.original_line_id.is_some() {
            let message = "the line takes a sale back and goes where that goes: match the sale";
            let fault = Fault::illegal_state("LINE_CITES_SALE", message)
                .with("state", held.line.line.kind)
                .with("allowed", "lines without an original_line_id");
            return Ok(Err(fault));
        }
        let report = self.document::<Report>(Kind::Report, &held.report).await?;
        let report = report.ok_or_else(|| Error::internal("a line without its report"))?.value;
        if report.state == ReportState::Abandoned {
            let message = "the report that took the line was abandoned, so it counts nowhere";
            let fault = Fault::illegal_state("REPORT_ABANDONED", message)
                .with("state", report.state)
                .with("allowed", "lines of reports that stand")
                .with("report", report_name(&held.report));
            return Ok(Err(fault));
        }
        Ok(Ok(()))
    }

    /// Under which name a line counts, and would.
    async fn names(&self, held: &HeldLine, to: Option<ItemKey>) -> Result<(Named, Named)> {
        let line = &held.line.line;
        let own = Named::of(line.declaration, line.declaration_item);
        let by_hand = self.store.rematches(RematchQuery::Lines(vec![held.line.seq])).await?;
        let by_hand = by_hand.into_iter().next().and_then(|held| held.rematch.to);
        Ok((by_hand.map_or(own, Named::Item), to.map_or(own, Named::Item)))
    }
}

fn of_another(sku: &Sku) -> Fault {
    let message = format!(
        "the line is of the article {sku}, and not of the listing of the item or of the lines \
         before it; match the lines of each listing by themselves"
    );
    Fault::illegal_state("LISTING_MISMATCH", message).with("sku", sku)
}
