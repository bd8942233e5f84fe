//! Sales reports and their lines between wire and domain.

use prost::Message as _;

use crate::app::App;
use crate::app::lines::SentBatch;
use crate::app::reports::{ReportQuestion, ReportView};
use crate::app::write::{Intent, Written};
use crate::change::{BatchAnswer, LineNote, NoteVerdict};
use crate::domain::caller::{Caller, Visibility};
use crate::domain::decimal::Amount;
use crate::domain::fault::Fault;
use crate::domain::partner::{Limits, PartnerId};
use crate::domain::report::{ControlTotal, ReportState};
use crate::domain::sale::{RawLine, SaleKind, SaleLine};
use crate::error::Result;
use crate::proto::puente::sales::v1 as proto;
use crate::rpc::wire::{self, same_names};
use crate::store::KindTotal;

/// The most lines of a batch.
pub const MAX_LINES: usize = 10_000;
/// The most bytes of a batch, encoded; a message may be a little larger.
pub const MAX_BYTES: usize = 4_000_000;

/// Batches of one push under way at once: those of the transaction that commits, and as many that
/// wait for the next.
pub const WINDOW: usize = 12;

/// The most control totals of a report.
const MAX_TOTALS: usize = 200;

/// What the digest of a batch begins with: the same batch is the same request in both methods.
const BATCH: &str = "puente.sales.v1.SaleLineBatch";

same_names!(
    proto::ReportState,
    ReportState { Open, Sealed, Accepted, PartiallyAccepted, Rejected, Superseded, Abandoned }
);
same_names!(proto::LineKind, SaleKind { Sale, Return, Refund, Cancellation, Adjustment });

/// The key in a report's name.
pub fn report_key(field: &str, name: &str) -> Result<String> {
    wire::uuid_name(field, name, "salesReports")
}

/// A state on the wire.
pub fn state(state: ReportState) -> proto::ReportState {
    state.into()
}

/// A count on the wire.
pub fn number(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// A bound on the wire.
pub fn bound(bound: usize) -> i32 {
    i32::try_from(bound).unwrap_or(i32::MAX)
}

/// A batch for the report of that key: its request, and its lines, each read or refused.
///
/// # Errors
/// `INVALID_FIELD` for what is wrong with the batch itself.
pub fn batch(
    caller: &Caller,
    report: &str,
    mut batch: proto::SaleLineBatch,
) -> Result<(Intent, SentBatch)> {
    let request_id = wire::request_id(&std::mem::take(&mut batch.request_id))?;
    let first_line = u64::try_from(batch.first_line)
        .map_err(|_| wire::invalid("first_line", "is below 0; the first line is line 0"))?;
    wire::count("lines", &batch.lines, 1, MAX_LINES)?;
    let encoded = batch.encode_to_vec();
    if encoded.len() > MAX_BYTES {
        return Err(wire::invalid(
            "lines",
            format!("have {} bytes together; {MAX_BYTES} are allowed: send fewer", encoded.len()),
        ));
    }
    let digest = wire::digest_bytes(BATCH, &[report.as_bytes(), &encoded]);
    let mut sent = SentBatch {
        first_line,
        sent: u32::try_from(batch.lines.len()).unwrap_or(u32::MAX),
        lines: Vec::with_capacity(batch.lines.len()),
        refused: Vec::new(),
    };
    for (position, line) in (0..).zip(&batch.lines) {
        match sale_line(line) {
            Ok(read) => sent.lines.push((position, read)),
            Err(fault) => sent.refused.push(malformed(position, line, fault)),
        }
    }
    Ok((Intent::of(caller, request_id, digest, false), sent))
}

fn sale_line(line: &proto::SaleLine) -> std::result::Result<SaleLine, Fault> {
    let kind = proto::LineKind::try_from(line.kind).ok().and_then(|kind| kind.try_into().ok());
    SaleLine::parse(&RawLine {
        line_id: &line.line_id,
        order_id: &line.order_id,
        // No kind has an empty name, so one that is not known is refused there.
        kind: kind.map_or("", SaleKind::as_str),
        original_line_id: &line.original_line_id,
        sku: &line.sku,
        quantity: &line.quantity,
        unit_price: &line.unit_price,
        currency: &line.currency,
        sold_at: &line.sold_at,
        destination: &line.destination,
        declaration: &line.declaration,
        declaration_item: line.declaration_item,
        discount: &line.discount,
        tax: &line.tax,
        shipping: &line.shipping,
        platform_fee: &line.platform_fee,
        settlement_amount: &line.settlement_amount,
        settlement_currency: &line.settlement_currency,
    })
}

fn malformed(position: u32, line: &proto::SaleLine, fault: Fault) -> LineNote {
    LineNote {
        position,
        // A stranger's text is kept short; a sound id is shorter still.
        line_id: line.line_id.chars().take(64).collect(),
        verdict: NoteVerdict::Refused,
        reasons: vec![fault.reason.to_owned()],
        field: fault.field.unwrap_or_default(),
        message: fault.message,
        first_entry: None,
    }
}

/// What became of a batch, on the wire.
pub fn result(request_id: String, written: Written<BatchAnswer>) -> proto::BatchResult {
    let Written { value: answer, receipt, .. } = written;
    proto::BatchResult {
        request_id,
        counts: Some(proto::LineCounts {
            accepted: answer.accepted.into(),
            accepted_with_warning: answer.warned.into(),
            duplicate: answer.duplicates.into(),
            refused: answer.refused.into(),
        }),
        verdicts: answer.notes.into_iter().map(verdict).collect(),
        committed_lines: number(answer.next_line),
        receipt: receipt.map(wire::receipt),
    }
}

fn verdict(note: LineNote) -> proto::LineVerdict {
    let verdict = match note.verdict {
        NoteVerdict::AcceptedWithWarning => proto::Verdict::AcceptedWithWarning,
        NoteVerdict::Duplicate => proto::Verdict::Duplicate,
        NoteVerdict::Refused => proto::Verdict::Refused,
    };
    proto::LineVerdict {
        position: i32::try_from(note.position).unwrap_or(i32::MAX),
        line_id: note.line_id,
        verdict: verdict.into(),
        reasons: note.reasons,
        field: note.field,
        message: note.message,
        first_entry_index: note.first_entry.map(number),
    }
}

/// A report on the wire.
pub fn report(view: ReportView) -> proto::SalesReport {
    let (etag, statement) = (view.etag(), view.statement());
    let ReportView { key, report, progress, expires } = view;
    let report = report.value;
    proto::SalesReport {
        name: name(&key),
        marketplace: format!("partners/{}", report.marketplace),
        period: Some(wire::period(&report.period)),
        state: state(report.state).into(),
        revision: i32::try_from(report.revision).unwrap_or(i32::MAX),
        counts: Some(proto::LineCounts {
            accepted: number(progress.accepted),
            accepted_with_warning: number(progress.warned),
            duplicate: number(progress.duplicates),
            refused: number(progress.refused),
        }),
        totals: progress.totals.into_iter().map(total).collect(),
        committed_lines: number(progress.next_line),
        create_time: Some(wire::timestamp(report.opened_at)),
        seal_time: report.sealed_at.map(wire::timestamp),
        orders: number(progress.orders.unwrap_or(0)),
        etag,
        supersedes: report.supersedes.as_deref().map(name).unwrap_or_default(),
        superseded_by: report.superseded_by.as_deref().map(name).unwrap_or_default(),
        revision_reason: report.revision_reason.unwrap_or_default(),
        period_totals: statement.into_iter().map(said).collect(),
        expire_time: expires.map(wire::timestamp),
        explained_lines: number(progress.explained),
    }
}

/// What a marketplace may have and send at once.
pub fn limits(app: &App, marketplace: &PartnerId) -> proto::ReportLimits {
    let partner = app.directory.partner(marketplace);
    let streams = partner.map_or_else(Limits::default, |partner| partner.limits).streams;
    let whole = |count: u32| i32::try_from(count).unwrap_or(i32::MAX);
    proto::ReportLimits {
        max_open_reports: whole(app.report_rules.open_at_once),
        max_streams: whole(streams),
        window: bound(WINDOW),
        max_lines_per_batch: bound(MAX_LINES),
        max_bytes_per_batch: bound(MAX_BYTES),
    }
}

/// The name of the report of that key.
pub fn name(key: &str) -> String {
    format!("salesReports/{key}")
}

fn said(total: ControlTotal) -> proto::ControlTotal {
    proto::ControlTotal {
        kind: proto::LineKind::from(total.kind).into(),
        currency: total.currency.to_string(),
        lines: number(total.lines),
        quantity: Some(wire::decimal(total.quantity.normalize())),
        amount: Some(wire::decimal(total.amount.normalize())),
    }
}

fn total(total: KindTotal) -> proto::ControlTotal {
    proto::ControlTotal {
        kind: total.kind.parse().map_or(0, |kind: SaleKind| proto::LineKind::from(kind).into()),
        currency: total.currency,
        lines: number(total.lines),
        quantity: Some(wire::decimal(total.quantity)),
        amount: Some(wire::decimal(total.amount)),
    }
}

/// The totals that a caller expects, each kind and currency once.
pub fn totals(field: &str, totals: &[proto::ControlTotal]) -> Result<Vec<ControlTotal>> {
    wire::count(field, totals, 0, MAX_TOTALS)?;
    let read = |(place, total)| control_total(&format!("{field}[{place}]"), total);
    totals.iter().enumerate().map(read).collect()
}

fn control_total(field: &str, total: &proto::ControlTotal) -> Result<ControlTotal> {
    let at = |name: &str| format!("{field}.{name}");
    let lines = u64::try_from(total.lines)
        .map_err(|_| wire::invalid(&at("lines"), "is below 0; count the lines"))?;
    let quantity: Amount = wire::exact(&at("quantity"), total.quantity.as_ref())?;
    let amount: Amount = wire::exact(&at("amount"), total.amount.as_ref())?;
    Ok(ControlTotal {
        kind: wire::chosen::<proto::LineKind, _>(&at("kind"), total.kind)?,
        currency: wire::parsed(&at("currency"), &total.currency)?,
        lines,
        quantity: quantity.value(),
        amount: amount.value(),
    })
}

/// Which reports a list is about; a marketplace sees its own, whatever it asks for.
pub fn question(
    caller: &Caller,
    message: &proto::ListSalesReportsRequest,
) -> Result<ReportQuestion> {
    let asked = match message.marketplace.as_str() {
        "" => None,
        name => Some(wire::partner_name("marketplace", name)?),
    };
    let marketplace = match caller.visibility() {
        Visibility::All => asked,
        Visibility::Own(own) => Some(own),
    };
    Ok(ReportQuestion {
        marketplace,
        period: wire::optional_span("period", message.period.as_ref())?,
        state: wire::optionally::<proto::ReportState, _>("state", message.state)?,
    })
}
