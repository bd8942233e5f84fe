//! What was sold less what came back, of each listing under each name.
//!
//! Enters: what cells gain, and what moves between names. Leaves: one sum for each listing and
//! name, gathered over a transaction and written once; exact, or refused. Where declared items
//! stand follows from these sums alone, without a look at any line.

use std::collections::{BTreeMap, HashMap};

use rusqlite::{Connection, OptionalExtension};
use rust_decimal::Decimal;

use super::names::{self, Counted};
use super::questions::parsed;
use super::rollups::unfit;
use crate::change::{CellKey, Goods};
use crate::domain::decimal::{Quantity, exact_sum};
use crate::domain::listing::listing_key;
use crate::domain::partner::PartnerId;
use crate::domain::reconciliation::{Named, NetByName};

/// How many listings may stay in memory from one transaction to the next.
const KEPT: usize = 50_000;

/// The sums as the transaction under way leaves them.
#[derive(Default)]
pub struct NetSold {
    places: HashMap<String, usize>,
    listings: Vec<OfListing>,
    /// Listings with sums to be written.
    changed: Vec<usize>,
}

#[derive(Default)]
struct OfListing {
    key: String,
    changed: bool,
    /// Most listings have no other.
    nothing: Sum,
    named: HashMap<Named, Sum>,
}

#[derive(Default)]
struct Sum {
    /// What the table holds; not read yet if none.
    held: Option<Decimal>,
    added: Decimal,
}

impl NetSold {
    /// What a cell gains: lines of it that have a name are renamed one by one.
    pub fn cell(
        &mut self,
        marketplace: &PartnerId,
        cell: &CellKey,
        quantity: Decimal,
    ) -> rusqlite::Result<()> {
        match &cell.goods {
            Goods::Listed(listing) => self.add(&listing.key, Named::Nothing, quantity),
            Goods::Unlisted(sku) => {
                self.add(&listing_key(marketplace, sku.as_str()), Named::Nothing, quantity)
            }
        }
    }

    /// Counts a quantity under a name.
    pub fn add(&mut self, listing: &str, named: Named, quantity: Decimal) -> rusqlite::Result<()> {
        if quantity.is_zero() {
            return Ok(());
        }
        let place = match self.places.get(listing) {
            Some(place) => *place,
            None => {
                let place = self.listings.len();
                self.listings.push(OfListing { key: listing.to_owned(), ..OfListing::default() });
                self.places.insert(listing.to_owned(), place);
                place
            }
        };
        let of = &mut self.listings[place];
        if !of.changed {
            of.changed = true;
            self.changed.push(place);
        }
        let sum = match named {
            Named::Nothing => &mut of.nothing,
            Named::Item(_) | Named::Declaration(_) => of.named.entry(named).or_default(),
        };
        sum.added = exact_sum(sum.added, quantity).map_err(unfit)?;
        Ok(())
    }

    /// Takes a line out.
    pub fn take(&mut self, line: &Counted) -> rusqlite::Result<()> {
        self.add(&line.listing, line.named, -line.quantity)
    }

    /// Counts under one name what counted under another.
    pub fn rename(
        &mut self,
        listing: &str,
        quantity: Decimal,
        from: Named,
        to: Named,
    ) -> rusqlite::Result<()> {
        if from == to {
            return Ok(());
        }
        self.add(listing, from, -quantity)?;
        self.add(listing, to, quantity)
    }

    /// Writes what came since it was written last.
    pub fn write(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        if self.changed.is_empty() {
            return Ok(());
        }
        let mut read = connection
            .prepare_cached("SELECT quantity FROM net_sold WHERE listing = ?1 AND name = ?2")?;
        let mut write = connection.prepare_cached(
            "INSERT INTO net_sold (listing, name, quantity) VALUES (?1, ?2, ?3) \
             ON CONFLICT DO UPDATE SET quantity = excluded.quantity",
        )?;
        for place in self.changed.drain(..) {
            let OfListing { key, changed, nothing, named } = &mut self.listings[place];
            *changed = false;
            let named = named.iter_mut().map(|(named, sum)| (*named, sum));
            for (named, sum) in std::iter::once((Named::Nothing, nothing)).chain(named) {
                let added = std::mem::take(&mut sum.added);
                if added.is_zero() {
                    continue;
                }
                let name = named.to_string();
                let held = match sum.held {
                    Some(held) => held,
                    None => {
                        let held = |row: &rusqlite::Row<'_>| parsed::<Quantity>(row, 0);
                        let held = read.query_row((&*key, &name), held).optional()?;
                        held.unwrap_or_default().value()
                    }
                };
                let now = exact_sum(held, added).map_err(unfit)?;
                write.execute((&*key, &name, now.to_string()))?;
                sum.held = Some(now);
            }
        }
        Ok(())
    }

    /// Lets go of what is kept where it has become too much.
    pub fn trim(&mut self) {
        if self.listings.len() > KEPT {
            *self = Self::default();
        }
    }
}

/// The sums of a listing, in selling units.
pub fn of(connection: &Connection, listing: &str) -> rusqlite::Result<NetByName> {
    connection
        .prepare_cached("SELECT name, quantity FROM net_sold WHERE listing = ?1")?
        .query_map([listing], |row| Ok((parsed(row, 0)?, exact(row, 1)?)))?
        .collect()
}

/// A sum; it may have more digits than any one quantity.
fn exact(row: &rusqlite::Row<'_>, at: usize) -> rusqlite::Result<Decimal> {
    parsed(row, at)
}

/// Says that the sums hold all lines before this one.
pub fn holds(connection: &Connection, next_seq: i64) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO net_sold_head (id, line_seq) VALUES (1, ?1) \
             ON CONFLICT (id) DO UPDATE SET line_seq = excluded.line_seq",
        )?
        .execute([next_seq - 1])
        .map(drop)
}

/// Makes the sums anew where an older version has added lines and not to them.
pub fn catch_up(connection: &mut Connection) -> rusqlite::Result<()> {
    let transaction = connection.transaction()?;
    let last: i64 =
        transaction
            .query_row("SELECT COALESCE(MAX(line_seq), 0) FROM sale_lines", [], |row| row.get(0))?;
    let held: Option<i64> = transaction
        .query_row("SELECT line_seq FROM net_sold_head", [], |row| row.get(0))
        .optional()?;
    if held.unwrap_or(0) == last {
        return Ok(());
    }
    transaction.execute("DELETE FROM net_sold", [])?;
    for ((listing, named), sum) in anew(&transaction)? {
        transaction
            .prepare_cached("INSERT INTO net_sold (listing, name, quantity) VALUES (?1, ?2, ?3)")?
            .execute((listing, named.to_string(), sum.to_string()))?;
    }
    holds(&transaction, last + 1)?;
    transaction.commit()
}

/// The sums as all lines that count add up to.
fn anew(connection: &Connection) -> rusqlite::Result<BTreeMap<(String, Named), Decimal>> {
    let mut sums: BTreeMap<(String, Named), Decimal> = BTreeMap::new();
    names::each(connection, "TRUE", &[], |Counted { listing, quantity, named }| {
        let sum = sums.entry((listing, named)).or_default();
        *sum = exact_sum(*sum, quantity).map_err(unfit)?;
        Ok(())
    })?;
    Ok(sums)
}

/// Sums that are not what the lines add up to: which, as kept, as the lines say.
pub fn differences(connection: &Connection) -> rusqlite::Result<Vec<(String, String, String)>> {
    let mut lines = anew(connection)?;
    let mut statement =
        connection.prepare_cached("SELECT listing, name, quantity FROM net_sold")?;
    let mut rows = statement.query([])?;
    let mut found = Vec::new();
    let row_of = |listing: &str, named: Named| format!("{listing} {named}").trim_end().to_owned();
    while let Some(row) = rows.next()? {
        let key = (row.get::<_, String>(0)?, parsed::<Named>(row, 1)?);
        let kept = exact(row, 2)?;
        let sum = lines.remove(&key).unwrap_or_default();
        if kept != sum {
            found.push((row_of(&key.0, key.1), kept.to_string(), sum.to_string()));
        }
    }
    for ((listing, named), sum) in lines {
        if !sum.is_zero() {
            found.push((row_of(&listing, named), String::new(), sum.to_string()));
        }
    }
    Ok(found)
}
