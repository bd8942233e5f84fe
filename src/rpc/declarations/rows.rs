//! Rows of declarations and of shipments: gathered from a stream, each judged alone.
//!
//! Enters: streams of header and chunks. Leaves: the good rows, and the faults of the others. How
//! the caller cut the rows into chunks is no part of the request's content.

use prost::Message;
use tonic::{Status, Streaming};

use super::wire::{new, number, shipment};
use crate::app::declarations::bulk::{DeclarationRow, MAX_ROWS, Registered, Rows};
use crate::app::declarations::shipments::{ShipmentRow, Shipped};
use crate::app::reference::Tables;
use crate::app::sync::Rejected;
use crate::app::write::Intent;
use crate::domain::caller::Caller;
use crate::error::{Error, Result};
use crate::proto::puente::common::v1 as shared;
use crate::proto::puente::customs::v1 as pb;
use crate::proto::puente::customs::v1::record_shipments_request::Part as ShipmentPart;
use crate::proto::puente::customs::v1::register_declarations_request::Part as DeclarationPart;
use crate::rpc::wire::{self, Writing};

/// The most rows in one message.
const IN_A_CHUNK: usize = 1000;

/// Reads a whole stream of declarations.
///
/// # Errors
/// `HEADER_MISSING`, `TOO_MANY_ROWS`, or what is wrong with the header or a chunk's size.
pub(super) async fn declarations(
    caller: &Caller,
    mut stream: Streaming<pb::RegisterDeclarationsRequest>,
    tables: &Tables,
) -> Result<(Intent, pb::RegisterDeclarationsHeader, Rows<DeclarationRow>), Status> {
    let first = stream.message().await?.and_then(|message| message.part);
    let Some(DeclarationPart::Header(mut header)) = first else { return Err(headless().into()) };
    let (request_id, mut gathered) = Gathered::begin(caller, &mut header)?;
    while let Some(message) = stream.message().await? {
        match message.part {
            Some(DeclarationPart::Chunk(chunk)) => {
                let parse = |row: &pb::DeclarationRow| declaration_row(row, tables);
                gathered.take(&chunk.rows, |row| row.row, parse)?;
            }
            Some(DeclarationPart::Header(_)) => return Err(second_header().into()),
            None => return Err(wire::invalid("part", "is required and missing").into()),
        }
    }
    let (digest, rows) = gathered.end();
    let intent = Intent::of(caller, request_id, digest, header.validate_only);
    Ok((intent, header, rows))
}

/// Reads a whole stream of shipments.
///
/// # Errors
/// As for [`declarations`].
pub(super) async fn shipments(
    caller: &Caller,
    mut stream: Streaming<pb::RecordShipmentsRequest>,
) -> Result<(Intent, Rows<ShipmentRow>), Status> {
    let first = stream.message().await?.and_then(|message| message.part);
    let Some(ShipmentPart::Header(mut header)) = first else { return Err(headless().into()) };
    let (request_id, mut gathered) = Gathered::begin(caller, &mut header)?;
    while let Some(message) = stream.message().await? {
        match message.part {
            Some(ShipmentPart::Chunk(chunk)) => {
                gathered.take(&chunk.rows, |row| row.row, shipment_row)?;
            }
            Some(ShipmentPart::Header(_)) => return Err(second_header().into()),
            None => return Err(wire::invalid("part", "is required and missing").into()),
        }
    }
    let (digest, rows) = gathered.end();
    Ok((Intent::of(caller, request_id, digest, header.validate_only), rows))
}

struct Gathered<T> {
    hash: aws_lc_rs::digest::Context,
    sent: usize,
    rows: Vec<(i64, T)>,
    rejected: Vec<Rejected>,
}

impl<T> Gathered<T> {
    fn begin<H: Writing>(
        caller: &Caller,
        header: &mut H,
    ) -> Result<(crate::domain::request_id::RequestId, Self)> {
        let request_id =
            wire::request_id(&header.take_request_id()).map_err(|error| error.within("header"))?;
        let mut hash = aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA256);
        hash.update(&wire::digest(caller.method(), header));
        Ok((request_id, Self { hash, sent: 0, rows: Vec::new(), rejected: Vec::new() }))
    }

    fn take<S: Message>(
        &mut self,
        rows: &[S],
        number: impl Fn(&S) -> i64,
        parse: impl Fn(&S) -> Result<T>,
    ) -> Result<()> {
        wire::count("chunk.rows", rows, 1, IN_A_CHUNK)?;
        self.sent += rows.len();
        if self.sent > MAX_ROWS {
            return Err(Error::exhausted(
                "TOO_MANY_ROWS",
                format!("a stream has at most {MAX_ROWS} rows: send several"),
                std::time::Duration::from_secs(1),
            ));
        }
        for row in rows {
            self.hash.update(&row.encode_length_delimited_to_vec());
            let place = number(row);
            let parsed = match place {
                0.. => parse(row),
                _ => Err(wire::invalid("row", "is below 0")),
            };
            match parsed {
                Ok(parsed) => self.rows.push((place, parsed)),
                Err(error) => self.rejected.push(rejected(place, &error)),
            }
        }
        Ok(())
    }

    fn end(self) -> (wire::Digest, Rows<T>) {
        let mut digest = [0; 32];
        digest.copy_from_slice(self.hash.finish().as_ref());
        let Self { rows, rejected, .. } = self;
        (digest, Rows { digest: hex::encode(digest), rows, rejected })
    }
}

fn declaration_row(sent: &pb::DeclarationRow, tables: &Tables) -> Result<DeclarationRow> {
    let declaration = new("declaration", sent.declaration.as_ref(), tables)?;
    let mut items = declaration.items;
    match (items.pop(), items.is_empty()) {
        (Some(item), true) => {
            Ok(DeclarationRow { number: declaration.number, terms: declaration.terms, item })
        }
        _ => Err(wire::invalid("declaration.items", "a row carries exactly one item")),
    }
}

fn shipment_row(sent: &pb::ShipmentRow) -> Result<ShipmentRow> {
    let number = number("declaration", &sent.declaration)?;
    let sent = wire::required("shipment", sent.shipment.as_ref())?;
    let (item, shipment) = shipment(sent).map_err(|error| error.within("shipment"))?;
    Ok(ShipmentRow { number, item, shipment })
}

fn headless() -> Error {
    Error::invalid(
        "HEADER_MISSING",
        "header",
        "the first message of the stream is its header, with request_id",
    )
}

fn second_header() -> Error {
    wire::invalid("header", "only the first message is a header")
}

fn rejected(row: i64, error: &Error) -> Rejected {
    let shared::Fault { reason, field, message } = wire::fault(error);
    Rejected { row, reason, field, message }
}

/// What became of a stream of declarations.
pub(super) fn registered(
    registered: Registered,
    receipt: Option<shared::Receipt>,
) -> pb::RegisterDeclarationsResponse {
    pb::RegisterDeclarationsResponse {
        registered: registered.registered,
        extended: registered.extended,
        items: registered.items,
        unchanged: registered.unchanged,
        rejected: registered.rejected,
        rejected_rows: rejected_rows(registered.rejected_rows),
        receipt,
    }
}

/// What became of a stream of shipments.
pub(super) fn shipped(
    shipped: Shipped,
    receipt: Option<shared::Receipt>,
) -> pb::RecordShipmentsResponse {
    pb::RecordShipmentsResponse {
        recorded: shipped.recorded,
        unchanged: shipped.unchanged,
        rejected: shipped.rejected,
        rejected_rows: rejected_rows(shipped.rejected_rows),
        receipt,
    }
}

fn rejected_rows(rejected: Vec<Rejected>) -> Vec<pb::RejectedCustomsRow> {
    rejected
        .into_iter()
        .map(|Rejected { row, reason, field, message }| pb::RejectedCustomsRow {
            row,
            fault: Some(shared::Fault { reason, field, message }),
        })
        .collect()
}

#[cfg(test)]
#[path = "rows_tests.rs"]
mod tests;
