//! Exports of sale lines between wire and domain.
//!
//! Enters: a request, perhaps with the cursor of an earlier stream. Leaves: the messages of a
//! stream. The next part is read when the one before was taken, so that a slow reader costs
//! nothing but its connection.

use std::sync::Arc;

use futures_util::Stream;
use futures_util::stream;
use tonic::Status;

use super::lines::verdict;
use super::wire::{name, number, report_key};
use crate::app::export::{Export, ExportPart, ExportQuestion, ExportScope, Position};
use crate::domain::caller::Caller;
use crate::error::{Error, Result};
use crate::proto::puente::sales::v1 as proto;
use crate::proto::puente::sales::v1::export_sale_lines_request::Scope;
use crate::rpc::page_token::{PageTokens, binding};
use crate::rpc::wire;
use crate::store::ExportedLine;

/// The most lines of a message, and how many it has when the caller does not say: far less than
/// the 4 MiB that most clients take, however long the texts in them are.
const MAX_LINES: u32 = 1000;
/// How many kinds there are.
const KINDS: usize = 5;

/// An export as it was asked for.
pub struct Asked {
    /// Which lines.
    pub question: ExportQuestion,
    /// Where an earlier stream ended.
    pub from: Option<Position>,
    /// The most lines of a message.
    pub limit: u32,
    /// What its cursors are bound to: the partner and the question.
    pub binding: Vec<u8>,
}

/// What makes cursors of positions.
pub struct Sealing {
    /// The key.
    pub pages: PageTokens,
    /// What they are bound to.
    pub binding: Vec<u8>,
}

/// Reads a request.
///
/// # Errors
/// `INVALID_FIELD`, `INVALID_PERIOD`; `INVALID_CURSOR` for a cursor that is not from an answer to
/// this partner and question.
pub fn open(
    pages: &PageTokens,
    caller: &Caller,
    mut message: proto::ExportSaleLinesRequest,
) -> Result<Asked> {
    let cursor = std::mem::take(&mut message.cursor);
    let limit = match u32::try_from(std::mem::take(&mut message.max_lines)) {
        Ok(0) => MAX_LINES,
        Ok(limit @ 1..=MAX_LINES) => limit,
        Ok(_) | Err(_) => {
            let message = "a message has 1 to 1,000 lines; 0 means 1,000";
            return Err(wire::invalid("max_lines", message));
        }
    };
    let binding = binding(caller, &wire::digest(caller.method(), &message));
    let question = question(message)?;
    let from = match cursor.as_str() {
        "" => None,
        sealed => {
            let position = pages.unseal(sealed, &binding).and_then(|text| text.parse().ok());
            Some(position.ok_or_else(strange)?)
        }
    };
    Ok(Asked { question, from, limit, binding })
}

fn question(message: proto::ExportSaleLinesRequest) -> Result<ExportQuestion> {
    let scope = match message.scope {
        Some(Scope::Report(report)) => ExportScope::Report(report_key("report", &report)?),
        Some(Scope::Period(period)) => ExportScope::Period(wire::span("period", Some(&period))?),
        None => return Err(wire::invalid("scope", "give a report or a period")),
    };
    let marketplace = match message.marketplace.as_str() {
        "" => None,
        name => Some(wire::partner_name("marketplace", name)?),
    };
    wire::count("kinds", &message.kinds, 0, KINDS)?;
    wire::unique("kinds", &message.kinds)?;
    let mut kinds = Vec::new();
    for (place, kind) in message.kinds.iter().enumerate() {
        kinds.push(wire::chosen::<proto::LineKind, _>(&format!("kinds[{place}]"), *kind)?);
    }
    let remarked = verdict("verdict", message.verdict)?;
    let reason = wire::optional("reason", &message.reason)?;
    Ok(ExportQuestion { scope, marketplace, kinds, remarked, reason })
}

/// The messages of an export, the last of which says so.
pub fn messages(
    export: Export,
    limit: u32,
    sealing: Sealing,
) -> impl Stream<Item = std::result::Result<proto::ExportSaleLinesResponse, Status>> + Send {
    let sealing = Arc::new(sealing);
    stream::unfold(Some(export), move |export| {
        let sealing = sealing.clone();
        async move {
            let mut export = export?;
            let answer = match export.next(limit).await {
                Ok(part) => sealing.message(part),
                Err(error) => Err(error),
            };
            let goes_on = answer.as_ref().is_ok_and(|message| !message.done);
            Some((answer.map_err(Status::from), goes_on.then_some(export)))
        }
    })
}

impl Sealing {
    fn message(&self, part: ExportPart) -> Result<proto::ExportSaleLinesResponse> {
        let ExportPart { of, lines, position } = part;
        let done = of.is_none();
        let (report, marketplace) = of
            .map(|(key, marketplace)| (name(&key), format!("partners/{marketplace}")))
            .unwrap_or_default();
        Ok(proto::ExportSaleLinesResponse {
            lines: lines.into_iter().map(|line| exported(line, &report, &marketplace)).collect(),
            cursor: self.pages.seal(&self.binding, &position.to_string())?,
            ledger_size: number(position.entries),
            exported_lines: number(position.exported),
            done,
        })
    }
}

fn exported(line: ExportedLine, report: &str, marketplace: &str) -> proto::ExportedSaleLine {
    let ExportedLine { stored, seller, ncm } = line;
    let proto::StoredSaleLine { line, verdict, reasons, entry_index, explanation } =
        super::lines::stored(stored);
    proto::ExportedSaleLine {
        line,
        report: report.to_owned(),
        marketplace: marketplace.to_owned(),
        verdict,
        reasons,
        entry_index,
        seller_cuit: seller,
        ncm,
        explanation,
    }
}

fn strange() -> Error {
    Error::invalid(
        "INVALID_CURSOR",
        "cursor",
        "the cursor is not from an answer to this export: send it as it came, with all other \
         fields as they were, or begin again without it",
    )
}
