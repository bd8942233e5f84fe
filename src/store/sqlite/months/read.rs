//! Cells read as they come to a cube.
//!
//! Enters: the store's file. Leaves: all cells, or what moved some of them by other ways than lines.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use jiff::civil::Date;
use rusqlite::{Connection, Row};
use rust_decimal::Decimal;

use super::take::Listed;
use super::{Held, MOST, Months, give_up};
use crate::change::OrderCounts;
use crate::domain::decimal::Totals;
use crate::domain::exact::Exact;
use crate::store::cube::{About, Coming, Cube, GoodsId, GroupId, GroupKey, Unfit};
use crate::store::sqlite::documents::{signed, unsigned};
use crate::store::sqlite::questions::parsed;
use crate::store::sqlite::{connect, group, read_only};

impl Months {
    /// Reads everything from the daily cells.
    pub(super) fn read_anew(&self, listed: &mut Listed) {
        let mut held = self.held_to_change();
        if held.given_up {
            return;
        }
        *held = Held::default();
        listed.clear();
        drop(held);
        let read = || -> rusqlite::Result<(u64, Held)> {
            let connection = connect(&self.path, read_only())?;
            let snapshot = connection.unchecked_transaction()?;
            let size = group::tree(&snapshot)?.size();
            let mut cube = Cube::default();
            let fits = all(&snapshot, None, &mut cube, |cube, group, coming| {
                cube.add(group, coming, size)?;
                Ok(cube.sums() <= MOST && !self.stopped())
            })?;
            let counted = snapshot
                .prepare("SELECT report FROM report_progress WHERE orders IS NOT NULL")?
                .query_map([], |row| row.get(0))?
                .collect::<rusqlite::Result<_>>()?;
            let much = cube.sums() > MOST;
            let mut held = Held { cube: Some(cube), counted, read_at: size, ..Held::default() };
            if fits.is_err() || much {
                give_up(&mut held);
            }
            Ok((size, held))
        };
        match read() {
            // It may have been cut off.
            Ok(_) if self.stopped() => {}
            Ok((size, read)) => {
                let mut held = self.held_to_change();
                *held = read;
                self.upto.store(size, Ordering::SeqCst);
            }
            Err(reason) => tracing::warn!(%reason, "sums by month could not be read"),
        }
    }

    /// What the orders that a sealed report repeats take from its cells; its lines are there already
    /// and count as one each.
    pub(super) fn repeats(&self, counts: &OrderCounts) -> Result<Vec<Late>, Unfit> {
        let connection = self.connection()?;
        let mut all = Vec::new();
        for (cell, repeats) in &counts.repeats {
            all.extend(late(&connection, ONE, [signed(*cell)], |_, coming| {
                let orders = -repeats.cast_signed();
                let (quantity, amount) = (Decimal::ZERO, Decimal::ZERO);
                Ok(Coming { lines: 0, quantity, amount, orders, ..coming })
            })?);
        }
        Ok(all)
    }

    /// The sums of one line: its quantity and unit price stand for them in what is read.
    pub(super) fn explained(&self, line: u64) -> Result<Vec<Late>, Unfit> {
        late(&self.connection()?, EXPLAINED, [signed(line)], |key, coming| {
            let amount = Exact::of(coming.quantity).times(coming.amount);
            let amount = amount.and_then(Exact::decimal).map_err(|_| Unfit)?;
            let written = Totals { lines: coming.lines, quantity: coming.quantity, amount };
            let Totals { lines, quantity, amount } = key.kind.net(written);
            Ok(Coming { lines, quantity, amount, ..coming })
        })
    }

    fn connection(&self) -> Result<Connection, Unfit> {
        connect(&self.path, read_only()).map_err(unreadable)
    }
}

/// What is to be read of cells after the transaction that moved them.
fn late<P: rusqlite::Params>(
    connection: &Connection,
    sql: &str,
    params: P,
    of: impl Fn(&GroupKey, Coming) -> Result<Coming, Unfit>,
) -> Result<Vec<Late>, Unfit> {
    let mut all = Vec::new();
    each(connection, sql, params, |about, key, coming| {
        all.push(of(&key, coming).map(|coming| (about.map(Box::from), key, coming)));
    })
    .map_err(unreadable)?;
    all.into_iter().collect()
}

fn unreadable(reason: rusqlite::Error) -> Unfit {
    tracing::warn!(%reason, "what moves sums by month could not be read");
    Unfit
}

/// Adds all cells that count to a cube, or those of a span of days with both ends, as `add` does;
/// until that says that it is enough, or that one does not fit.
pub fn all(
    connection: &Connection,
    days: Option<(Date, Date)>,
    cube: &mut Cube,
    mut add: impl FnMut(&mut Cube, GroupId, Coming) -> Result<bool, Unfit>,
) -> rusqlite::Result<Result<(), Unfit>> {
    let mut slices = connection.prepare_cached(
        "SELECT slice, marketplace, day, destination, currency, kind FROM rollup_slices \
         WHERE day BETWEEN ?1 AND ?2 \
         AND report NOT IN (SELECT key FROM sales_reports WHERE state = 'ABANDONED') ORDER BY slice",
    )?;
    let mut cells = connection.prepare_cached(
        "SELECT cell & 4294967295, lines, quantity, amount, orders FROM rollup_cells \
         WHERE cell BETWEEN (?1 << 32) AND (?1 << 32 | 4294967295) AND lines > 0",
    )?;
    // All days, as texts.
    let (from, to) = match days {
        Some((from, to)) => (from.to_string(), to.to_string()),
        None => ("0000".to_owned(), "9999-99".to_owned()),
    };
    let mut goods = connection.prepare_cached(
        "SELECT listing, seller, ncm, channel, province, size_class FROM rollup_goods \
         WHERE goods = ?1",
    )?;
    let mut known: HashMap<i64, (Arc<str>, GoodsId)> = HashMap::new();
    let mut slices = slices.query((from, to))?;
    let mut marketplace: Arc<str> = "".into();
    while let Some(slice) = slices.next()? {
        let number: i64 = slice.get(0)?;
        if *marketplace != *slice.get_ref(1)?.as_str()? {
            marketplace = slice.get_ref(1)?.as_str()?.into();
        }
        let day: Date = parsed(slice, 2)?;
        let destination = match slice.get_ref(3)?.as_str()? {
            "" => None,
            _ => Some(parsed(slice, 3)?),
        };
        let (currency, kind) = (parsed(slice, 4)?, parsed(slice, 5)?);
        let mut rows = cells.query([number])?;
        while let Some(row) = rows.next()? {
            let (quantity, amount) = (parsed(row, 2)?, parsed(row, 3)?);
            let orders = row.get::<_, Option<i64>>(4)?.unwrap_or(0);
            let coming = Coming { day, lines: unsigned(row.get(1)?), quantity, amount, orders };
            let number = row.get(0)?;
            let held = known.get(&number).filter(|(of, _)| *of == marketplace);
            let goods = match held {
                Some((_, known)) => *known,
                None => match goods.query_row([number], |row| place(cube, &marketplace, row))? {
                    Ok(fresh) => {
                        known.insert(number, (marketplace.clone(), fresh));
                        fresh
                    }
                    Err(unfit) => return Ok(Err(unfit)),
                },
            };
            let added = cube
                .group(GroupKey { goods, destination, currency, kind })
                .and_then(|group| add(cube, group, coming));
            match added {
                Ok(true) => {}
                Ok(false) => return Ok(Ok(())),
                Err(unfit) => return Ok(Err(unfit)),
            }
        }
    }
    Ok(Ok(()))
}

/// The place of goods, whose row says the listing and what that adds.
fn place(
    cube: &mut Cube,
    marketplace: &str,
    row: &Row<'_>,
) -> rusqlite::Result<Result<GoodsId, Unfit>> {
    let mut about = [marketplace, "", "", "", "", "", ""];
    for (at, text) in about.iter_mut().skip(1).enumerate() {
        *text = row.get_ref(at)?.as_str()?;
    }
    Ok(cube.goods(about))
}

/// One cell.
const ONE: &str = "SELECT s.marketplace, g.listing, g.seller, g.ncm, g.channel, g.province, \
    g.size_class, s.destination, s.currency, s.kind, s.day, c.lines, c.quantity, c.amount, \
    c.orders FROM rollup_cells c JOIN rollup_slices s ON s.slice = c.cell >> 32 \
    JOIN rollup_goods g ON g.goods = c.cell & 4294967295 WHERE c.cell = ?1";

/// One line, as a cell.
const EXPLAINED: &str = "SELECT s.marketplace, g.listing, g.seller, g.ncm, g.channel, g.province, \
    g.size_class, s.destination, s.currency, s.kind, s.day, 1, l.quantity, l.unit_price, NULL \
    FROM sale_lines l JOIN rollup_slices s ON s.slice = l.cell >> 32 \
    JOIN rollup_goods g ON g.goods = l.cell & 4294967295 WHERE l.line_seq = ?1";

/// What came late to a cell: what was sold, the rest of the group's key, and what came.
pub type Late = (About<Box<str>>, GroupKey, Coming);

/// Hands over each cell as it would come to a cube; the place of the goods in the key is for the
/// taker to fill in.
fn each<P: rusqlite::Params>(
    connection: &Connection,
    sql: &str,
    params: P,
    mut take: impl FnMut(About<&str>, GroupKey, Coming),
) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(params)?;
    while let Some(row) = rows.next()? {
        let mut about = [""; 7];
        for (at, text) in about.iter_mut().enumerate() {
            *text = row.get_ref(at)?.as_str()?;
        }
        let destination = match row.get_ref(7)?.as_str()? {
            "" => None,
            _ => Some(parsed(row, 7)?),
        };
        let key = GroupKey {
            goods: GoodsId::default(),
            destination,
            currency: parsed(row, 8)?,
            kind: parsed(row, 9)?,
        };
        take(about, key, coming(row)?);
    }
    Ok(())
}

fn coming(row: &Row<'_>) -> rusqlite::Result<Coming> {
    Ok(Coming {
        day: parsed(row, 10)?,
        lines: unsigned(row.get(11)?),
        quantity: parsed(row, 12)?,
        amount: parsed(row, 13)?,
        orders: row.get::<_, Option<i64>>(14)?.unwrap_or(0),
    })
}
