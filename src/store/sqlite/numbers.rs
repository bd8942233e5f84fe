//! The numbers that rollup cells go by.
//!
//! Enters: what lines of a cell have in common. Leaves: the cell's number, made of that of its
//! slice (a report's lines of one day, kind, currency and destination) and that of its goods.
//! Both get a number when they are first seen and keep it for ever; those in use stay in memory,
//! so that nothing is looked up for a line of a slice and a listing that were seen before.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use jiff::civil::Date;
use rusqlite::{Connection, OptionalExtension, Params};

use crate::change::{CellKey, Goods, LineBatch, LineListing};
use crate::domain::currency::Currency;
use crate::domain::listing::listing_key;
use crate::domain::partner::PartnerId;
use crate::domain::place::Destination;
use crate::domain::sale::SaleKind;
use crate::domain::text::Sku;

/// The lower bits of a cell's number, which are its goods'; the slice's are above.
const GOODS_BITS: u32 = 32;
/// How many numbers may stay in memory from one transaction to the next, of each sort.
const KEPT: usize = 50_000;

/// The numbers in use.
#[derive(Default)]
pub struct Numbers {
    reports: HashMap<String, OfReport>,
    /// By where they lie; they are held so that nothing else will lie there.
    listed: HashMap<usize, (Arc<LineListing>, i64)>,
}

#[derive(Default)]
struct OfReport {
    slices: HashMap<Slice, i64>,
    unlisted: HashMap<Sku, i64>,
}

/// What the cells of a slice have in common, within a report.
type Slice = (Date, SaleKind, Currency, Option<Destination>);

impl Numbers {
    /// The number of a cell that lines of the batch belong to.
    pub fn cell(
        &mut self,
        connection: &Connection,
        batch: &LineBatch,
        key: &CellKey,
    ) -> rusqlite::Result<i64> {
        let of_report = self.reports.entry(batch.report.clone()).or_default();
        let slice = (key.day, key.kind, key.currency, key.destination);
        let slice = match of_report.slices.get(&slice) {
            Some(known) => *known,
            None => *of_report.slices.entry(slice).or_insert(slice_number(connection, batch, key)?),
        };
        let number = || goods_number(connection, &batch.marketplace, &key.goods);
        let goods = match &key.goods {
            Goods::Listed(listing) => match self.listed.get(&Arc::as_ptr(listing).addr()) {
                Some((_, known)) => *known,
                None => {
                    let held = (listing.clone(), number()?);
                    self.listed.entry(Arc::as_ptr(listing).addr()).or_insert(held).1
                }
            },
            Goods::Unlisted(sku) => match of_report.unlisted.get(sku) {
                Some(known) => *known,
                None => *of_report.unlisted.entry(sku.clone()).or_insert(number()?),
            },
        };
        Ok(slice << GOODS_BITS | goods)
    }

    /// Lets go of what is kept where it has become too much.
    pub fn trim(&mut self) {
        let of = |report: &OfReport| report.slices.len() + report.unlisted.len() + 1;
        if self.reports.values().map(of).sum::<usize>() > KEPT {
            self.reports.clear();
        }
        if self.listed.len() > KEPT {
            self.listed.clear();
        }
    }
}

fn slice_number(
    connection: &Connection,
    batch: &LineBatch,
    key: &CellKey,
) -> rusqlite::Result<i64> {
    let (day, destination) = (key.day.to_string(), destination(key));
    let (kind, currency) = (key.kind.as_str(), key.currency.as_str());
    number(
        connection,
        "SELECT slice FROM rollup_slices WHERE report = ?1 AND day = ?2 AND kind = ?3 \
         AND currency = ?4 AND destination = ?5",
        (&batch.report, &day, kind, currency, &destination),
        "INSERT INTO rollup_slices (report, day, kind, currency, destination, marketplace) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        (&batch.report, &day, kind, currency, &destination, batch.marketplace.as_str()),
    )
}

fn goods_number(
    connection: &Connection,
    marketplace: &PartnerId,
    goods: &Goods,
) -> rusqlite::Result<i64> {
    let (listing, [seller, ncm, channel, province, size_class]) = about(marketplace, goods);
    let key = (&*listing, seller, ncm, channel, province, size_class);
    number(
        connection,
        "SELECT goods FROM rollup_goods WHERE listing = ?1 AND seller = ?2 AND ncm = ?3 \
         AND channel = ?4 AND province = ?5 AND size_class = ?6",
        key,
        "INSERT INTO rollup_goods (listing, seller, ncm, channel, province, size_class) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        key,
    )
}

/// The number of a row, which is stored if it is new: SQLite gives it the next one.
fn number(
    connection: &Connection,
    read: &str,
    key: impl Params,
    insert: &str,
    row: impl Params,
) -> rusqlite::Result<i64> {
    let known = connection.prepare_cached(read)?.query_row(key, |row| row.get(0)).optional()?;
    match known {
        Some(known) => Ok(known),
        None => connection.prepare_cached(insert)?.insert(row),
    }
}

/// Goods as the table has them: the listing, then what it adds, which is seller, ncm, channel,
/// province, size class.
fn about<'g>(marketplace: &PartnerId, goods: &'g Goods) -> (Cow<'g, str>, [&'g str; 5]) {
    match goods {
        Goods::Unlisted(sku) => (Cow::Owned(listing_key(marketplace, sku.as_str())), [""; 5]),
        Goods::Listed(l) => (
            Cow::Borrowed(l.key.as_str()),
            [&*l.seller, &*l.ncm, l.channel.as_str(), &*l.province, &*l.size_class],
        ),
    }
}

/// The destination as the table has it.
fn destination(key: &CellKey) -> String {
    key.destination.as_ref().map(ToString::to_string).unwrap_or_default()
}
