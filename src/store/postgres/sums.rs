//! What sale lines add up to: daily cells, totals of reports.
//!
//! Enters: lines as they are stored. Leaves: sums, held in memory over a transaction and written
//! once; exact, or refused. What was written stays in memory for the next transaction, which may
//! go on from it if nobody else has moved the ledger.

use std::collections::{HashMap, HashSet};

use deadpool_postgres::GenericClient;
use futures_util::future::{try_join, try_join3};
use jiff::civil::Date;

use super::fault::Fault;
use super::head::Head;
use super::values::{Day, Param, execute, parsed, query, signed, totals, unsigned};
use crate::change::{CellKey, Goods, LineBatch};
use crate::domain::currency::Currency;
use crate::domain::decimal::Totals;
use crate::domain::listing::listing_key;
use crate::domain::partner::PartnerId;
use crate::domain::sale::SaleKind;

/// The lower bits of a cell's number, which are its goods'; the slice's are above.
const GOODS_BITS: u32 = 32;
/// How much may stay in memory from one transaction to the next, of each sort.
const KEPT: usize = 50_000;

/// Rollups and totals as the changes so far leave them.
#[derive(Default)]
pub struct Sums {
    slices: HashMap<Slice, i64>,
    goods: HashMap<About, i64>,
    cells: HashMap<i64, Cell>,
    totals: HashMap<(String, SaleKind, Currency), Total>,
    /// Reports whose totals are read.
    reports: HashSet<String>,
    new_slices: Vec<(Slice, i64, PartnerId)>,
    new_goods: Vec<(About, i64)>,
}

/// Report, day, kind, currency and destination.
type Slice = (String, Date, SaleKind, Currency, String);
/// Listing, seller, ncm, channel, province and size class.
type About = [String; 6];

#[derive(Clone, Copy, Default)]
struct Cell {
    held: Totals,
    orders: Option<u64>,
    changed: bool,
}

#[derive(Default)]
struct Total {
    held: Totals,
    changed: bool,
}

/// What the lines of one batch add to one of its cells.
#[derive(Clone, Copy)]
pub struct Added {
    /// The cell's number.
    pub number: i64,
    /// As written.
    pub sums: Totals,
    /// Of lines that count in totals, not in nets.
    pub left_out: Totals,
}

impl Sums {
    /// Reads what the batches add to and is not known yet, and the cells of these numbers.
    pub async fn read(
        &mut self,
        client: &impl GenericClient,
        batches: &[&LineBatch],
        also: Vec<i64>,
    ) -> Result<(), Fault> {
        let (mut slices, mut goods) = (HashSet::new(), HashSet::new());
        for batch in batches {
            for cell in batch.cells() {
                slices.insert(slice(batch, cell));
                goods.insert(about(&batch.marketplace, &cell.goods));
            }
        }
        let reports: Vec<&str> = batches.iter().map(|batch| batch.report.as_str()).collect();
        let fresh: Vec<&str> =
            reports.into_iter().filter(|report| !self.reports.contains(*report)).collect();
        let (found, known, sums) = try_join3(
            find_slices(client, slices.iter().filter(|one| !self.slices.contains_key(*one))),
            find_goods(client, goods.iter().filter(|one| !self.goods.contains_key(*one))),
            find_totals(client, &fresh),
        )
        .await?;
        self.slices.extend(found);
        self.goods.extend(known);
        self.totals.extend(sums);
        self.reports.extend(fresh.into_iter().map(str::to_owned));
        let mut numbers: HashSet<i64> = also.into_iter().collect();
        for batch in batches {
            for cell in batch.cells() {
                let slice = self.slices.get(&slice(batch, cell));
                let goods = self.goods.get(&about(&batch.marketplace, &cell.goods));
                if let (Some(slice), Some(goods)) = (slice, goods) {
                    numbers.insert(slice << GOODS_BITS | goods);
                }
            }
        }
        numbers.retain(|number| !self.cells.contains_key(number));
        if numbers.is_empty() {
            return Ok(());
        }
        let numbers: Vec<i64> = numbers.into_iter().collect();
        let sql =
            "SELECT cell, orders, lines, quantity, amount FROM rollup_cells WHERE cell = ANY($1)";
        for row in query(client, sql, &[&numbers]).await? {
            let orders = row.try_get::<_, Option<i64>>(1)?.map(unsigned);
            let cell = Cell { held: totals(&row, 2)?, orders, changed: false };
            self.cells.insert(row.try_get(0)?, cell);
        }
        Ok(())
    }

    /// The number of a cell that lines of the batch belong to; slices and goods that are seen for
    /// the first time get one for ever.
    pub fn number(&mut self, head: &mut Head, batch: &LineBatch, cell: &CellKey) -> i64 {
        let slice = slice(batch, cell);
        let slice = match self.slices.get(&slice) {
            Some(known) => *known,
            None => {
                head.last_slice += 1;
                let fresh = (slice.clone(), head.last_slice, batch.marketplace.clone());
                self.new_slices.push(fresh);
                self.slices.insert(slice, head.last_slice);
                head.last_slice
            }
        };
        let about = about(&batch.marketplace, &cell.goods);
        let goods = match self.goods.get(&about) {
            Some(known) => *known,
            None => {
                head.last_goods += 1;
                self.new_goods.push((about.clone(), head.last_goods));
                self.goods.insert(about, head.last_goods);
                head.last_goods
            }
        };
        slice << GOODS_BITS | goods
    }

    /// Takes in what the lines of a batch add to one of its cells.
    pub fn take(&mut self, batch: &LineBatch, key: &CellKey, added: Added) -> Result<(), Fault> {
        let Added { number, sums, left_out } = added;
        // A cell that only holds lines back is stored all the same.
        let cell = self.cells.entry(number).or_insert(Cell { changed: true, ..Cell::default() });
        if sums.lines > 0 {
            cell.held = cell.held.plus(key.kind.net(sums))?;
            cell.changed = true;
        }
        if cell.changed {
            // Until the report is sealed each sale counts as an order.
            cell.orders = (key.kind == SaleKind::Sale).then_some(cell.held.lines);
        }
        let total = (batch.report.clone(), key.kind, key.currency);
        let total = self.totals.entry(total).or_default();
        total.held = total.held.plus(sums.plus(left_out)?)?;
        total.changed = true;
        Ok(())
    }

    /// Counts a line that was left out of its cell until now.
    pub fn count(&mut self, cell: i64, added: Totals) -> Result<(), Fault> {
        let cell = self.cells.entry(cell).or_default();
        cell.held = cell.held.plus(added)?;
        cell.changed = true;
        Ok(())
    }

    /// Counts each order of a cell once, without the lines that repeat one.
    pub fn count_orders(&mut self, cell: i64, repeats: u64) {
        if let Some(cell) = self.cells.get_mut(&cell) {
            cell.orders = Some(cell.held.lines.saturating_sub(repeats));
            cell.changed = true;
        }
    }

    /// Writes what has changed.
    pub async fn write(&self, client: &impl GenericClient) -> Result<(), Fault> {
        let numbers =
            try_join(write_slices(client, &self.new_slices), write_goods(client, &self.new_goods));
        let sums = try_join(
            write_cells(client, self.cells.iter().filter(|(_, cell)| cell.changed)),
            write_totals(client, self.totals.iter().filter(|(_, total)| total.changed)),
        );
        try_join(numbers, sums).await?;
        Ok(())
    }

    /// What was written is no news any more; lets go of what has become too much.
    pub fn settled(&mut self) {
        self.new_slices.clear();
        self.new_goods.clear();
        self.cells.values_mut().for_each(|cell| cell.changed = false);
        self.totals.values_mut().for_each(|total| total.changed = false);
        if self.cells.len() > KEPT || self.slices.len() > KEPT || self.goods.len() > KEPT {
            *self = Self::default();
        }
    }
}

fn slice(batch: &LineBatch, cell: &CellKey) -> Slice {
    let destination = cell.destination.as_ref().map(ToString::to_string).unwrap_or_default();
    (batch.report.clone(), cell.day, cell.kind, cell.currency, destination)
}

fn about(marketplace: &PartnerId, goods: &Goods) -> About {
    match goods {
        Goods::Unlisted(sku) => {
            let mut about = About::default();
            about[0] = listing_key(marketplace, sku.as_str());
            about
        }
        Goods::Listed(l) => {
            [&*l.key, &*l.seller, &*l.ncm, l.channel.as_str(), &*l.province, &*l.size_class]
                .map(str::to_owned)
        }
    }
}

/// The columns of slices, each as one array.
type SliceColumns<'s> = (Vec<&'s str>, Vec<Day>, Vec<&'s str>, Vec<&'s str>, Vec<&'s str>);

fn slice_columns<'s>(slices: impl Iterator<Item = &'s Slice>) -> SliceColumns<'s> {
    let mut columns = SliceColumns::default();
    for (report, day, kind, currency, destination) in slices {
        columns.0.push(report);
        columns.1.push(Day(*day));
        columns.2.push(kind.as_str());
        columns.3.push(currency.as_str());
        columns.4.push(destination);
    }
    columns
}

async fn find_slices(
    client: &impl GenericClient,
    slices: impl Iterator<Item = &Slice>,
) -> Result<Vec<(Slice, i64)>, Fault> {
    let (reports, days, kinds, currencies, destinations) = slice_columns(slices);
    if reports.is_empty() {
        return Ok(Vec::new());
    }
    let sql = "SELECT s.report, s.day, s.kind, s.currency, s.destination, s.slice \
               FROM unnest($1::text[], $2::date[], $3::text[], $4::text[], $5::text[]) \
               AS a (report, day, kind, currency, destination) JOIN rollup_slices s \
               ON s.report = a.report AND s.day = a.day AND s.kind = a.kind \
               AND s.currency = a.currency AND s.destination = a.destination";
    let values: [Param<'_>; 5] = [&reports, &days, &kinds, &currencies, &destinations];
    let slice = |row: &tokio_postgres::Row| {
        let day: Day = row.try_get(1)?;
        let key = (row.try_get(0)?, day.0, parsed(row, 2)?, parsed(row, 3)?, row.try_get(4)?);
        Ok((key, row.try_get(5)?))
    };
    query(client, sql, &values).await?.iter().map(slice).collect()
}

async fn find_goods(
    client: &impl GenericClient,
    goods: impl Iterator<Item = &About>,
) -> Result<Vec<(About, i64)>, Fault> {
    let columns = about_columns(goods);
    if columns[0].is_empty() {
        return Ok(Vec::new());
    }
    let sql = "SELECT g.goods, g.listing, g.seller, g.ncm, g.channel, g.province, g.size_class \
               FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], \
               $6::text[]) AS a (listing, seller, ncm, channel, province, size_class) \
               JOIN rollup_goods g ON g.listing = a.listing AND g.seller = a.seller \
               AND g.ncm = a.ncm AND g.channel = a.channel AND g.province = a.province \
               AND g.size_class = a.size_class";
    let [listings, sellers, ncms, channels, provinces, sizes] = &columns;
    let values: [Param<'_>; 6] = [listings, sellers, ncms, channels, provinces, sizes];
    let about = |row: &tokio_postgres::Row| {
        let mut about = About::default();
        for (at, text) in about.iter_mut().enumerate() {
            *text = row.try_get(at + 1)?;
        }
        Ok((about, row.try_get(0)?))
    };
    query(client, sql, &values).await?.iter().map(about).collect()
}

fn about_columns<'g>(goods: impl Iterator<Item = &'g About>) -> [Vec<&'g str>; 6] {
    let mut columns: [Vec<&str>; 6] = Default::default();
    for about in goods {
        for (column, text) in columns.iter_mut().zip(about) {
            column.push(text);
        }
    }
    columns
}

async fn find_totals(
    client: &impl GenericClient,
    reports: &[&str],
) -> Result<Vec<((String, SaleKind, Currency), Total)>, Fault> {
    if reports.is_empty() {
        return Ok(Vec::new());
    }
    let sql = "SELECT report, kind, currency, lines, quantity, amount FROM report_totals \
               WHERE report = ANY($1)";
    let rows = query(client, sql, &[&reports]).await?;
    let total = |row: &tokio_postgres::Row| {
        let key = (row.try_get(0)?, parsed(row, 1)?, parsed(row, 2)?);
        Ok((key, Total { held: totals(row, 3)?, changed: false }))
    };
    rows.iter().map(total).collect()
}

async fn write_slices(
    client: &impl GenericClient,
    fresh: &[(Slice, i64, PartnerId)],
) -> Result<(), Fault> {
    if fresh.is_empty() {
        return Ok(());
    }
    let (reports, days, kinds, currencies, destinations) =
        slice_columns(fresh.iter().map(|(slice, ..)| slice));
    let numbers: Vec<i64> = fresh.iter().map(|(_, number, _)| *number).collect();
    let marketplaces: Vec<&str> = fresh.iter().map(|(.., partner)| partner.as_str()).collect();
    let sql = "INSERT INTO rollup_slices (slice, report, day, kind, currency, destination, \
               marketplace) SELECT * FROM unnest($1::bigint[], $2::text[], $3::date[], \
               $4::text[], $5::text[], $6::text[], $7::text[])";
    let values: [Param<'_>; 7] =
        [&numbers, &reports, &days, &kinds, &currencies, &destinations, &marketplaces];
    execute(client, sql, &values).await
}

async fn write_goods(client: &impl GenericClient, fresh: &[(About, i64)]) -> Result<(), Fault> {
    if fresh.is_empty() {
        return Ok(());
    }
    let [listings, sellers, ncms, channels, provinces, sizes] =
        &about_columns(fresh.iter().map(|(about, _)| about));
    let numbers: Vec<i64> = fresh.iter().map(|(_, number)| *number).collect();
    let sql = "INSERT INTO rollup_goods (goods, listing, seller, ncm, channel, province, \
               size_class) SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[], \
               $4::text[], $5::text[], $6::text[], $7::text[])";
    execute(client, sql, &[&numbers, listings, sellers, ncms, channels, provinces, sizes]).await
}

async fn write_cells(
    client: &impl GenericClient,
    changed: impl Iterator<Item = (&i64, &Cell)>,
) -> Result<(), Fault> {
    let mut cells: Vec<(i64, &Cell)> = changed.map(|(number, cell)| (*number, cell)).collect();
    if cells.is_empty() {
        return Ok(());
    }
    cells.sort_unstable_by_key(|(number, _)| *number);
    let numbers: Vec<i64> = cells.iter().map(|(number, _)| *number).collect();
    let lines: Vec<i64> = cells.iter().map(|(_, cell)| signed(cell.held.lines)).collect();
    let quantities: Vec<String> =
        cells.iter().map(|(_, cell)| cell.held.quantity.to_string()).collect();
    let amounts: Vec<String> = cells.iter().map(|(_, cell)| cell.held.amount.to_string()).collect();
    let orders: Vec<Option<i64>> = cells.iter().map(|(_, cell)| cell.orders.map(signed)).collect();
    let sql = "INSERT INTO rollup_cells (cell, lines, quantity, amount, orders) SELECT * FROM \
               unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::bigint[]) \
               ON CONFLICT (cell) DO UPDATE SET lines = excluded.lines, \
               quantity = excluded.quantity, amount = excluded.amount, orders = excluded.orders";
    execute(client, sql, &[&numbers, &lines, &quantities, &amounts, &orders]).await
}

async fn write_totals(
    client: &impl GenericClient,
    changed: impl Iterator<Item = (&(String, SaleKind, Currency), &Total)>,
) -> Result<(), Fault> {
    let mut columns: (Vec<&str>, Vec<&str>, Vec<&str>) = Default::default();
    let mut sums: (Vec<i64>, Vec<String>, Vec<String>) = Default::default();
    for ((report, kind, currency), total) in changed {
        columns.0.push(report);
        columns.1.push(kind.as_str());
        columns.2.push(currency.as_str());
        sums.0.push(signed(total.held.lines));
        sums.1.push(total.held.quantity.to_string());
        sums.2.push(total.held.amount.to_string());
    }
    if columns.0.is_empty() {
        return Ok(());
    }
    let sql = "INSERT INTO report_totals (report, kind, currency, lines, quantity, amount) \
               SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[], \
               $5::text[], $6::text[]) ON CONFLICT (report, kind, currency) DO UPDATE SET \
               lines = excluded.lines, quantity = excluded.quantity, amount = excluded.amount";
    let (reports, kinds, currencies) = columns;
    execute(client, sql, &[&reports, &kinds, &currencies, &sums.0, &sums.1, &sums.2]).await
}
