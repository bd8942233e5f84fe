//! Stored sale lines between wire and domain.

use super::explain;
use super::wire::{number, report_key};
use crate::domain::decimal::UnitPrice;
use crate::error::Result;
use crate::proto::puente::sales::v1 as proto;
use crate::rpc::page_token::Asked;
use crate::rpc::wire;
use crate::store::{LineQuery, StoredLine};

/// Which lines are asked for.
///
/// # Errors
/// `INVALID_FIELD`; `INVALID_PAGE_TOKEN` never, as only our own tokens open.
pub fn query(message: &proto::ListSaleLinesRequest, asked: &Asked) -> Result<LineQuery> {
    let report = report_key("report", &message.report)?;
    Ok(LineQuery {
        report,
        remarked: verdict("verdict", message.verdict)?,
        reason: wire::optional("reason", &message.reason)?,
        // What a token of ours holds is the place of a line.
        after: asked.after.parse().unwrap_or(0),
        limit: asked.limit,
    })
}

/// Whether lines are to carry a remark; either if nothing is said.
///
/// # Errors
/// `INVALID_FIELD` for a verdict that no stored line has.
pub fn verdict(field: &str, verdict: i32) -> Result<Option<bool>> {
    match proto::Verdict::try_from(verdict) {
        Ok(proto::Verdict::Unspecified) => Ok(None),
        Ok(proto::Verdict::Accepted) => Ok(Some(false)),
        Ok(proto::Verdict::AcceptedWithWarning) => Ok(Some(true)),
        Ok(proto::Verdict::Duplicate | proto::Verdict::Refused) | Err(_) => {
            let message = "is not the verdict of a stored line; lines are stored as ACCEPTED or \
                           ACCEPTED_WITH_WARNING";
            Err(wire::invalid(field, message))
        }
    }
}

/// A stored line on the wire.
pub fn stored(stored: StoredLine) -> proto::StoredSaleLine {
    let StoredLine { entry, line, reasons, explanation, .. } = stored;
    let verdict = match reasons.is_empty() {
        true => proto::Verdict::Accepted,
        false => proto::Verdict::AcceptedWithWarning,
    };
    let other = line.other_amounts.map(|amounts| *amounts).unwrap_or_default();
    let amount = |amount: Option<UnitPrice>| text(amount.as_ref());
    let item = line.declaration_item.and_then(|item| i32::try_from(item).ok());
    proto::StoredSaleLine {
        line: Some(proto::SaleLine {
            line_id: line.line_id.to_string(),
            order_id: line.order_id.to_string(),
            kind: proto::LineKind::from(line.kind).into(),
            original_line_id: text(line.original_line_id.as_ref()),
            sku: line.sku.to_string(),
            quantity: line.quantity.to_string(),
            unit_price: line.unit_price.to_string(),
            currency: line.currency.to_string(),
            sold_at: line.sold_at.to_string(),
            destination: text(line.destination.as_ref()),
            declaration: text(line.declaration.as_ref()),
            declaration_item: item.unwrap_or(0),
            discount: amount(other.discount),
            tax: amount(other.tax),
            shipping: amount(other.shipping),
            platform_fee: amount(other.platform_fee),
            settlement_amount: amount(other.settlement_amount),
            settlement_currency: text(other.settlement_currency.as_ref()),
        }),
        verdict: verdict.into(),
        reasons: reasons.iter().map(ToString::to_string).collect(),
        entry_index: number(entry),
        explanation: explanation.map(explain::explanation),
    }
}

/// What is not known is empty.
fn text(value: Option<&impl ToString>) -> String {
    value.map(ToString::to_string).unwrap_or_default()
}
