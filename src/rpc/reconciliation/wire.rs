//! Reconciliation between the contract's messages and the domain.
//!
//! Enters: messages or domain values. Leaves: the other. Rules are those that stand in
//! `reconciliation_service.proto`.

use rust_decimal::Decimal;

use super::super::declarations::wire as declared;
use super::super::page_token::Asked;
use super::super::wire::{self as common, same_names};
use crate::app::reconciliation::line_matches::{LineMatch, LineMatchesQuery};
use crate::app::reconciliation::questions::{DiscrepanciesQuery, Matches};
use crate::app::reconciliation::{
    Account, Difference, Found, Rematched, RematchedLine, Rematching,
};
use crate::domain::customs_declaration::ItemNumber;
use crate::domain::decimal::Quantity;
use crate::domain::declaration::DeclarationNumber;
use crate::domain::finding::{Escalation, ItemExplanation};
use crate::domain::partner::PartnerId;
use crate::domain::reconciliation::{Cause, ItemKey, ItemState, Named, Share};
use crate::domain::text::Note;
use crate::error::Result;
use crate::proto::google::r#type as gtype;
use crate::proto::puente::common::v1 as shared;
use crate::proto::puente::customs::v1 as pb;
use crate::store::stock::HeldRematch;

same_names!(
    pb::ReconciliationState,
    ItemState {
        Declared,
        Shipped,
        OpenStock,
        Balanced,
        Oversold,
        Overdue,
        Explained,
        Escalated,
        Undeclared
    }
);
same_names!(pb::DiscrepancyCause, Cause { Loss, Sample, Damage, Reimport, UnitError });

/// An item that may be left out.
pub(super) fn optional_item(sent: i32) -> Result<Option<ItemNumber>> {
    if sent == 0 { Ok(None) } else { declared::item_number(sent).map(Some) }
}

/// An item with its declaration, or neither.
fn optional_target(
    declaration: &str,
    item: i32,
) -> Result<Option<(DeclarationNumber, ItemNumber)>> {
    match (declaration, optional_item(item)?) {
        ("", None) => Ok(None),
        ("", Some(_)) => Err(common::invalid("declaration", "comes with item; give both or none")),
        (_, None) => Err(common::invalid("item", "comes with declaration; give both or none")),
        (name, Some(item)) => Ok(Some((declared::number("declaration", name)?, item))),
    }
}

/// Which accounts are asked for; where the page begins and ends is for the caller to add.
pub(super) fn query(request: pb::ListDiscrepanciesRequest) -> Result<DiscrepanciesQuery> {
    Ok(DiscrepanciesQuery {
        state: common::optionally::<pb::ReconciliationState, _>("state", request.state)?,
        exporter: common::optional("exporter_cuit", &request.exporter_cuit)?,
        listing: match request.listing.as_str() {
            "" => None,
            name => Some(common::uuid_name("listing", name, "listings")?),
        },
        marketplace: declared::marketplace("marketplace", &request.marketplace)?,
        declaration: match request.declaration.as_str() {
            "" => None,
            name => Some(declared::number("declaration", name)?),
        },
        on: common::optional_day("at", request.at.as_ref())?,
        ..DiscrepanciesQuery::default()
    })
}

/// What customs found.
pub(super) fn found(request: pb::ExplainDiscrepancyRequest) -> Result<Found> {
    let quantity: Quantity = common::exact("quantity", request.quantity.as_ref())?;
    if quantity.is_zero() {
        return Err(common::invalid("quantity", "must not be zero"));
    }
    let cause = common::chosen::<pb::DiscrepancyCause, _>("cause", request.cause)?;
    if quantity.is_negative() && cause != Cause::UnitError {
        return Err(common::invalid("quantity", "is below zero, which only a unit error is"));
    }
    Ok(Found { cause, quantity, evidence: note("evidence", request.evidence)? })
}

/// Which difference is handed on, and why.
pub(super) fn escalation(request: pb::EscalateDiscrepancyRequest) -> Result<(Difference, Note)> {
    let target = optional_target(&request.declaration, request.item)?;
    let difference = match (target, request.listing.as_str()) {
        (Some((number, item)), "") => Difference::Item(number, item),
        (None, name) if !name.is_empty() => {
            Difference::Undeclared(common::uuid_name("listing", name, "listings")?)
        }
        (Some(_) | None, _) => {
            let what = "or declaration and item must be given, and not both";
            return Err(common::invalid("listing", what));
        }
    };
    Ok((difference, note("reason", request.reason)?))
}

/// Which sales are matched to what.
pub(super) fn rematching(request: pb::RematchSalesRequest) -> Result<Rematching> {
    common::count("line_ids", &request.line_ids, 1, 1000)?;
    common::unique("line_ids", &request.line_ids)?;
    let line = |(place, id): (usize, &String)| common::parsed(&format!("line_ids[{place}]"), id);
    Ok(Rematching {
        marketplace: common::partner_name("marketplace", &request.marketplace)?,
        lines: request.line_ids.iter().enumerate().map(line).collect::<Result<_>>()?,
        to: optional_target(&request.declaration, request.item)?,
        reason: note("reason", request.reason)?,
    })
}

/// An account; where the reader is no authority, not why it was handed on, nor by whom.
pub(super) fn message(account: Account, in_part: bool) -> pb::ItemReconciliation {
    let (declaration, item) = item_of(account.item);
    pb::ItemReconciliation {
        declaration,
        item,
        listing: format!("listings/{}", account.listing),
        marketplace: partner(&account.marketplace),
        sku: account.sku.to_string(),
        exporter_cuit: account.exporter.to_string(),
        officialised_on: account.officialised_on.map(common::date),
        statistical_unit: account.unit.to_string(),
        state: pb::ReconciliationState::from(account.state).into(),
        declared_quantity: plain(account.declared),
        shipped_quantity: plain(account.shipped),
        net_sold_quantity: plain(account.net_sold),
        reimported_quantity: plain(account.reimported),
        written_off_quantity: plain(account.written_off),
        stock_quantity: plain(account.stock),
        sell_by: account.sell_by.map(common::date),
        explanations: account.findings.explanations.into_iter().map(explanation).collect(),
        escalation: account.findings.escalation.map(|one| escalated(one, in_part)),
        etag: common::etag(account.version),
    }
}

fn explanation(explanation: ItemExplanation) -> pb::ItemExplanation {
    let ItemExplanation { cause, quantity, evidence, by, at } = explanation;
    pb::ItemExplanation {
        cause: pb::DiscrepancyCause::from(cause).into(),
        quantity: Some(common::decimal(quantity)),
        evidence: evidence.to_string(),
        explained_by: partner(&by),
        explain_time: Some(common::timestamp(at)),
    }
}

fn escalated(escalation: Escalation, in_part: bool) -> pb::Escalation {
    let Escalation { reason, by, at } = escalation;
    let (reason, escalated_by) = told(in_part, &reason, &by);
    pb::Escalation { reason, escalated_by, escalate_time: Some(common::timestamp(at)) }
}

/// What became of sales that were matched by hand.
pub(super) fn rematched(
    rematched: Rematched,
    receipt: Option<shared::Receipt>,
) -> pb::RematchSalesResponse {
    let line = |RematchedLine { line, from, to }| pb::RematchedLine {
        line_id: line.to_string(),
        before: Some(sold_under(from)),
        after: Some(sold_under(to)),
    };
    pb::RematchSalesResponse {
        listing: format!("listings/{}", rematched.listing),
        lines: rematched.lines.into_iter().map(line).collect(),
        receipt,
    }
}

/// What sales were matched to; the token of the next page is for the caller to add.
pub(super) fn matches(matches: Matches, in_part: bool) -> pb::ListMatchesResponse {
    let Matches { unit, shares, beyond, by_hand, .. } = matches;
    pb::ListMatchesResponse {
        matches: shares.into_iter().map(share).collect(),
        next_page_token: String::new(),
        statistical_unit: unit.to_string(),
        beyond_quantity: plain(beyond),
        rematches: by_hand.into_iter().map(|held| recorded(held, in_part)).collect(),
    }
}

/// Which matches of lines are asked for.
pub(super) fn line_matches_query(
    request: &pb::ListLineMatchesRequest,
    asked: &Asked,
) -> Result<LineMatchesQuery> {
    let item = optional_item(request.item)?;
    let declaration = match request.declaration.as_str() {
        "" if item.is_some() => {
            return Err(common::invalid("item", "is one of a declaration; give it as well"));
        }
        "" => None,
        name => Some(declared::number("declaration", name)?),
    };
    Ok(LineMatchesQuery {
        listing: common::uuid_name("listing", &request.listing, "listings")?,
        declaration,
        item,
        // The token is our own: what it holds is a place, or nothing.
        from: asked.after.parse().unwrap_or_default(),
        limit: asked.limit as usize,
    })
}

/// A line and where it went.
pub(super) fn line_match(one: LineMatch) -> pb::LineMatch {
    let (declaration, item) = item_of(one.item);
    pb::LineMatch {
        line_id: one.line.to_string(),
        report: format!("salesReports/{}", one.report),
        sold_time: Some(common::timestamp(one.sold_at)),
        sold_under: Some(sold_under(one.named)),
        by_hand: one.by_hand,
        declaration,
        item,
        quantity: plain(one.quantity),
    }
}

fn share(share: Share) -> pb::SalesMatch {
    let (declaration, item) = item_of(share.item);
    let (sold_under, quantity) = (Some(sold_under(share.named)), plain(share.quantity));
    pb::SalesMatch { sold_under, declaration, item, quantity }
}

fn recorded(held: HeldRematch, in_part: bool) -> pb::RecordedRematch {
    let HeldRematch { line_id, entry, rematch, .. } = held;
    let (declaration, item) = item_of(rematch.to);
    let (reason, rematched_by) = told(in_part, &rematch.reason, &rematch.by);
    pb::RecordedRematch {
        line_id: line_id.to_string(),
        declaration,
        item,
        reason,
        rematched_by,
        rematch_time: Some(common::timestamp(rematch.at)),
        entry_index: i64::try_from(entry).unwrap_or(i64::MAX),
    }
}

/// Why something was done and by whom, for authorities only.
fn told(in_part: bool, reason: &Note, by: &PartnerId) -> (String, String) {
    if in_part { Default::default() } else { (reason.to_string(), partner(by)) }
}

fn sold_under(named: Named) -> pb::SoldUnder {
    let (declaration, item) = match named {
        Named::Item(key) => item_of(Some(key)),
        Named::Declaration(number) => (format!("declarations/{number}"), 0),
        Named::Nothing => item_of(None),
    };
    pb::SoldUnder { declaration, item }
}

fn item_of(key: Option<ItemKey>) -> (String, i32) {
    let of = |key: ItemKey| {
        (format!("declarations/{}", key.declaration), i32::try_from(key.item).unwrap_or(i32::MAX))
    };
    key.map(of).unwrap_or_default()
}

fn note(field: &str, text: String) -> Result<Note> {
    common::parsed(field, &common::text(field, text, 1, 1000)?)
}

fn plain(value: Decimal) -> Option<gtype::Decimal> {
    Some(common::decimal(value.normalize()))
}

fn partner(id: &PartnerId) -> String {
    format!("partners/{id}")
}
