//! What all areas share between wire and domain: receipts, times, names, bounds, request keys.
//!
//! Enters: fields of generated messages. Leaves: domain values, or `INVALID_ARGUMENT` with the
//! field's path in proto spelling. The rules are those of `buf.validate` beside the fields.

use std::str::FromStr;

use aws_lc_rs::digest::{Context, SHA256};
use jiff::Timestamp;
use jiff::civil::Date;
use prost::Message;
use tonic::metadata::MetadataValue;
use tonic::{Response, Status};

use crate::app::write::{Intent, Written};
use crate::domain::caller::Caller;
use crate::domain::fault::{Fault, InField};
use crate::domain::partner::PartnerId;
use crate::domain::period::Period;
use crate::domain::request_id::RequestId;
use crate::domain::text::is_unfit;
use crate::error::{Error, Result};
use crate::ledger::Receipt;
use crate::proto::google::r#type as gtype;
use crate::proto::puente::common::v1 as common;

/// The metadata key of an answer that was given before to the same request.
pub const REPLAYED: &str = "puente-replayed";

pub use crate::gate::caller;

/// SHA-256.
pub type Digest = [u8; 32];

/// A request that changes something; `writes!` implements it.
pub trait Writing: Message {
    /// Takes the request id out, so that what is left is the content itself.
    fn take_request_id(&mut self) -> String;
    /// Whether to judge only.
    fn validate_only(&self) -> bool;
}

/// Says of request messages that they change something.
macro_rules! writes {
    ($($Request:ty),+ $(,)?) => {
        $(impl $crate::rpc::wire::Writing for $Request {
            fn take_request_id(&mut self) -> String {
                std::mem::take(&mut self.request_id)
            }
            fn validate_only(&self) -> bool {
                self.validate_only
            }
        })+
    };
}
pub(crate) use writes;

/// The intent of a changing call; `request` keeps the content without the request id.
///
/// # Errors
/// `INVALID_FIELD` if the request id is no UUID.
pub fn intent<R: Writing>(caller: &Caller, request: &mut R) -> Result<Intent> {
    let id = request_id(&request.take_request_id())?;
    let digest = digest(caller.method(), request);
    Ok(Intent::of(caller, id, digest, request.validate_only()))
}

/// SHA-256 over a method's path and a message; clear the request id first.
pub fn digest<M: Message>(method: &str, message: &M) -> Digest {
    digest_bytes(method, &[&message.encode_to_vec()])
}

/// SHA-256 over a method's path and parts, each after its length.
pub fn digest_bytes(method: &str, parts: &[&[u8]]) -> Digest {
    let mut hash = Context::new(&SHA256);
    for part in std::iter::once(method.as_bytes()).chain(parts.iter().copied()) {
        hash.update(&(part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    let mut digest = [0; 32];
    digest.copy_from_slice(hash.finish().as_ref());
    digest
}

/// The request id as text, a UUID with hyphens in any case.
pub fn request_id(text: &str) -> Result<RequestId> {
    parsed("request_id", text)
}

/// Answers a write: `convert` makes the message of value and receipt; an answer that was given
/// before says so in its metadata.
pub fn answer<T, M>(
    written: Written<T>,
    convert: impl FnOnce(T, Option<common::Receipt>) -> M,
) -> Result<Response<M>, Status> {
    let mut response = Response::new(convert(written.value, written.receipt.map(receipt)));
    if written.replayed {
        response.metadata_mut().insert(REPLAYED, MetadataValue::from_static("true"));
    }
    Ok(response)
}

/// A receipt on the wire.
pub fn receipt(receipt: Receipt) -> common::Receipt {
    common::Receipt {
        index: i64::try_from(receipt.index).unwrap_or(i64::MAX),
        leaf_hash: receipt.leaf_hash.as_bytes().to_vec(),
        recorded_at: Some(timestamp(receipt.recorded_at)),
        request_id: receipt.request_id,
        kind: receipt.kind.to_string(),
    }
}

/// Why one element of a batch was refused; its first field at fault stands for all.
pub fn fault(error: &Error) -> common::Fault {
    common::Fault {
        reason: error.reason.to_owned(),
        field: error.fields.first().map(|violation| violation.field.clone()).unwrap_or_default(),
        message: error.message.clone(),
    }
}

/// The violation of a rule that has no reason of its own.
pub fn invalid(field: &str, message: impl Into<String>) -> Error {
    Error::invalid("INVALID_FIELD", field, message)
}

/// A text as the domain reads it; its fault is said of `field`.
pub fn parsed<T: FromStr<Err = Fault>>(field: &str, text: &str) -> Result<T> {
    Ok(text.parse::<T>().at(field)?)
}

/// The same, where an empty text means that nothing is said.
pub fn optional<T: FromStr<Err = Fault>>(field: &str, text: &str) -> Result<Option<T>> {
    if text.is_empty() { Ok(None) } else { parsed(field, text).map(Some) }
}

/// A message that must be there.
pub fn required<T>(field: &str, value: Option<T>) -> Result<T> {
    value.ok_or_else(|| invalid(field, "is required and missing"))
}

/// A text of `min` to `max` characters, none of them a control character or a mark that makes
/// text read as something else; blank only where `min` is 0.
pub fn text(field: &str, text: String, min: usize, max: usize) -> Result<String> {
    let text = sized(field, text, min, max)?;
    if min > 0 && text.trim().is_empty() {
        return Err(invalid(field, "is blank; write something"));
    }
    match text.chars().find(|c| is_unfit(*c)) {
        Some(c) => {
            let code = u32::from(c);
            Err(invalid(field, format!("holds the control character U+{code:04X}; remove it")))
        }
        None => Ok(text),
    }
}

/// Any text of `min` to `max` characters, such as one that is judged further on.
pub fn sized(field: &str, text: String, min: usize, max: usize) -> Result<String> {
    let length = text.chars().count();
    if length < min || length > max {
        return Err(invalid(field, format!("has {length} characters; {min} to {max} are allowed")));
    }
    Ok(text)
}

/// A list of `min` to `max` elements.
pub fn count<T>(field: &str, list: &[T], min: usize, max: usize) -> Result<()> {
    if list.len() < min || list.len() > max {
        let held = list.len();
        return Err(invalid(field, format!("has {held} elements; {min} to {max} are allowed")));
    }
    Ok(())
}

/// A list without an element twice.
pub fn unique<T: Eq + std::hash::Hash>(field: &str, list: &[T]) -> Result<()> {
    let mut seen = std::collections::HashSet::new();
    match list.iter().position(|one| !seen.insert(one)) {
        Some(again) => {
            Err(invalid(&format!("{field}[{again}]"), "stands in the list twice; send it once"))
        }
        None => Ok(()),
    }
}

/// A value of an enum that must be said: neither unspecified nor of a later contract.
pub fn chosen<W: TryFrom<i32>, D: TryFrom<W>>(field: &str, number: i32) -> Result<D> {
    if number == 0 {
        return Err(invalid(field, "is required and unspecified"));
    }
    W::try_from(number)
        .ok()
        .and_then(|wire| D::try_from(wire).ok())
        .ok_or_else(|| invalid(field, format!("{number} is no value that is allowed here")))
}

/// A value of an enum that may be left unspecified.
pub fn optionally<W: TryFrom<i32>, D: TryFrom<W>>(field: &str, number: i32) -> Result<Option<D>> {
    if number == 0 { Ok(None) } else { chosen::<W, D>(field, number).map(Some) }
}

/// Pairs the values of an enum of the wire with those of the domain that bear the same name:
/// `From` to the wire, `TryFrom` back. What the wire has beyond the domain's is refused.
macro_rules! same_names {
    ($Wire:ty, $Domain:ty { $($Variant:ident),+ $(,)? }) => {
        impl From<$Domain> for $Wire {
            fn from(value: $Domain) -> Self {
                match value { $(<$Domain>::$Variant => Self::$Variant),+ }
            }
        }
        impl TryFrom<$Wire> for $Domain {
            type Error = ();
            fn try_from(value: $Wire) -> ::std::result::Result<Self, ()> {
                $(if value == <$Wire>::$Variant { return Ok(Self::$Variant); })+
                Err(())
            }
        }
    };
}
pub(crate) use same_names;

/// The id in a resource name: `id("name", "partners/inv", "partners")` is `inv`.
pub fn id<'a>(field: &str, name: &'a str, collection: &str) -> Result<&'a str> {
    name.strip_prefix(collection)
        .and_then(|rest| rest.strip_prefix('/'))
        .filter(|id| !id.is_empty())
        .ok_or_else(|| invalid(field, format!("is not of the form {collection}/ID")))
}

/// The partner that a resource name names.
pub fn partner_name(field: &str, name: &str) -> Result<PartnerId> {
    parsed(field, id(field, name, "partners")?)
}

/// The key in a resource name that ends in a UUID, in lower case with hyphens.
pub fn uuid_name(field: &str, name: &str, collection: &str) -> Result<String> {
    let key = id(field, name, collection)?;
    let sound = key.len() == 36
        && key.bytes().enumerate().all(|(place, byte)| match place {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
        });
    if sound {
        Ok(key.to_owned())
    } else {
        Err(invalid(field, format!("is not of the form {collection}/UUID, in lower case")))
    }
}

/// The eleven digits in `exporters/{cuit}` or `sellers/{cuit}`; that they check is for the
/// look-up, where none is found.
pub fn cuit_name<'a>(field: &str, name: &'a str, collection: &str) -> Result<&'a str> {
    let digits = id(field, name, collection)?;
    if digits.len() == 11 && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        Ok(digits)
    } else {
        Err(invalid(field, format!("is not of the form {collection}/CUIT, eleven digits")))
    }
}

/// The etag of a version.
pub fn etag(version: u64) -> String {
    format!("\"{version}\"")
}

/// An etag as sent; empty means that any version will do.
pub fn sent_etag(etag: String) -> Result<String> {
    sized("etag", etag, 0, 64)
}

/// A moment on the wire.
pub fn timestamp(at: Timestamp) -> prost_types::Timestamp {
    let micros = at.as_microsecond();
    prost_types::Timestamp {
        seconds: micros.div_euclid(1_000_000),
        nanos: i32::try_from(micros.rem_euclid(1_000_000) * 1_000).unwrap_or(0),
    }
}

/// A moment that must be there, cut to microseconds.
pub fn moment(field: &str, at: Option<prost_types::Timestamp>) -> Result<Timestamp> {
    let at = required(field, at)?;
    let refuse = || invalid(field, "is no moment between the years 1 and 9999");
    if !(0..1_000_000_000).contains(&at.nanos)
        || !(-62_135_596_800..=253_402_300_799).contains(&at.seconds)
    {
        return Err(refuse());
    }
    let micros = at
        .seconds
        .checked_mul(1_000_000)
        .and_then(|micros| micros.checked_add(i64::from(at.nanos / 1_000)))
        .ok_or_else(refuse)?;
    Timestamp::from_microsecond(micros).map_err(|_| refuse())
}

/// A moment that may be left out.
pub fn optional_moment(
    field: &str,
    at: Option<prost_types::Timestamp>,
) -> Result<Option<Timestamp>> {
    at.map(|at| moment(field, Some(at))).transpose()
}

/// A day on the wire.
pub fn date(day: Date) -> gtype::Date {
    gtype::Date {
        year: i32::from(day.year()),
        month: i32::from(day.month()),
        day: i32::from(day.day()),
    }
}

/// A day that must be there: a date of the calendar from 1900 on.
pub fn day(field: &str, date: Option<&gtype::Date>) -> Result<Date> {
    let date = required(field, date)?;
    let whole = || {
        let year = i16::try_from(date.year).ok().filter(|year| *year >= 1900)?;
        Date::new(year, i8::try_from(date.month).ok()?, i8::try_from(date.day).ok()?).ok()
    };
    whole().ok_or_else(|| {
        invalid(field, "must be a date of the calendar, with year (1900 to 9999), month and day")
    })
}

/// A day that may be left out.
pub fn optional_day(field: &str, date: Option<&gtype::Date>) -> Result<Option<Date>> {
    date.map(|date| day(field, Some(date))).transpose()
}

/// A span of days on the wire.
pub fn period(period: &Period) -> common::Period {
    common::Period { first: Some(date(period.first())), last: Some(date(period.last())) }
}

/// A span of days that must be there.
pub fn span(field: &str, period: Option<&common::Period>) -> Result<Period> {
    let sent = required(field, period)?;
    let first = day(&format!("{field}.first"), sent.first.as_ref())?;
    let last = day(&format!("{field}.last"), sent.last.as_ref())?;
    Ok(Period::new(first, last).at(field)?)
}

/// A span of days that may be left out.
pub fn optional_span(field: &str, period: Option<&common::Period>) -> Result<Option<Period>> {
    period.map(|sent| span(field, Some(sent))).transpose()
}

/// An exact decimal on the wire, as the domain writes it.
pub fn decimal(value: impl std::fmt::Display) -> gtype::Decimal {
    gtype::Decimal { value: value.to_string() }
}

/// An exact decimal that must be there, as the domain reads it.
pub fn exact<T: FromStr<Err = Fault>>(field: &str, value: Option<&gtype::Decimal>) -> Result<T> {
    parsed(field, &required(field, value)?.value)
}

#[cfg(test)]
#[path = "wire_tests.rs"]
mod tests;
