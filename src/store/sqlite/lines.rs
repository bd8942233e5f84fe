//! Sale lines: each id counts once, for ever; rollups move with them.
//!
//! Enters: a batch, under the ledger head. Leaves: what became of each line.
//! Rollups and totals are gathered in memory over the batch and written once.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension};
use rust_decimal::Decimal;

use super::documents::{signed, unsigned};
use super::questions::parsed;
use crate::change::{BatchAnswer, LineBatch, LineListing, LineNote, LineRow, NoteVerdict};
use crate::domain::listing::listing_key;
use crate::domain::sale::{SaleKind, SaleLine, WarningReason};

/// Stores the lines that are new and says what became of each.
///
/// `entry` is the index of the ledger entry that takes them.
pub fn append(
    connection: &Connection,
    batch: &LineBatch,
    entry: u64,
) -> rusqlite::Result<BatchAnswer> {
    let mut answer = BatchAnswer {
        refused: u32::try_from(batch.refused.len()).unwrap_or(u32::MAX),
        notes: batch.refused.clone(),
        ..BatchAnswer::default()
    };
    let mut gathered = Gathered::default();
    let mut next_seq = next_seq(connection)?;
    for row in &batch.lines {
        if let Some(first) = taken(connection, batch, row)? {
            answer.duplicates += 1;
            answer.notes.push(note(row, NoteVerdict::Duplicate, vec![], Some(first)));
            continue;
        }
        let mut warnings = row.warnings.clone();
        judge_original(connection, batch, row, &mut warnings)?;
        let cell = gathered.add(connection, batch, row, &warnings)?;
        insert(connection, batch, row, &warnings, cell, entry, next_seq)?;
        next_seq += 1;
        if warnings.is_empty() {
            answer.accepted += 1;
        } else {
            answer.warned += 1;
            let reasons = warnings.iter().map(ToString::to_string).collect();
            answer.notes.push(note(row, NoteVerdict::AcceptedWithWarning, reasons, None));
        }
    }
    answer.notes.sort_by_key(|note| note.position);
    gathered.write(connection, batch)?;
    answer.next_line = progress(connection, batch, &answer)?;
    Ok(answer)
}

/// What the ledger entry says of a batch.
pub fn facts(answer: &BatchAnswer) -> Vec<(String, String)> {
    [
        ("accepted", answer.accepted),
        ("warned", answer.warned),
        ("duplicates", answer.duplicates),
        ("refused", answer.refused),
    ]
    .map(|(name, count)| (name.to_owned(), count.to_string()))
    .to_vec()
}

fn next_seq(connection: &Connection) -> rusqlite::Result<i64> {
    connection
        .prepare_cached("SELECT COALESCE(MAX(line_seq), 0) + 1 FROM sale_lines")?
        .query_row([], |row| row.get(0))
}

/// The entry that first took this line id, if any did.
fn taken(
    connection: &Connection,
    batch: &LineBatch,
    row: &LineRow,
) -> rusqlite::Result<Option<u64>> {
    connection
        .prepare_cached(
            "SELECT entry_index FROM line_identity WHERE marketplace = ?1 AND line_id = ?2",
        )?
        .query_row((batch.marketplace.as_str(), row.line.line_id.as_str()), |row| row.get(0))
        .optional()
        .map(|found| found.map(unsigned))
}

fn note(
    row: &LineRow,
    verdict: NoteVerdict,
    reasons: Vec<String>,
    first_entry: Option<u64>,
) -> LineNote {
    LineNote {
        position: row.position,
        line_id: row.line.line_id.to_string(),
        verdict,
        reasons,
        field: String::new(),
        message: String::new(),
        first_entry,
    }
}

/// Adds what is odd about the sale a line cites: unknown, in another currency, or exceeded.
fn judge_original(
    connection: &Connection,
    batch: &LineBatch,
    row: &LineRow,
    warnings: &mut Vec<WarningReason>,
) -> rusqlite::Result<()> {
    let line = &row.line;
    if !line.kind.cites_a_sale() {
        return Ok(());
    }
    let Some(original) = &line.original_line_id else {
        warnings.push(WarningReason::UnknownOriginal);
        return Ok(());
    };
    let sale = connection
        .prepare_cached(
            "SELECT s.quantity, s.unit_price, s.currency FROM line_identity i \
             JOIN sale_lines s ON s.line_seq = i.line_seq \
             WHERE i.marketplace = ?1 AND i.line_id = ?2 AND s.kind = 'SALE'",
        )?
        .query_row((batch.marketplace.as_str(), original.as_str()), |row| {
            let quantity: Decimal = parsed(row, 0)?;
            let price: Decimal = parsed(row, 1)?;
            Ok((quantity, price, row.get::<_, String>(2)?))
        })
        .optional()?;
    let Some((sold, price, currency)) = sale else {
        warnings.push(WarningReason::UnknownOriginal);
        return Ok(());
    };
    let (mut quantity, mut amount) =
        magnitudes(line.kind, line.quantity.value(), line.unit_price.value());
    let mut earlier = connection.prepare_cached(
        "SELECT kind, quantity, unit_price FROM sale_lines \
         WHERE marketplace = ?1 AND original_line_id = ?2 \
         AND verdict NOT LIKE '%EXCEEDS_ORIGINAL%'",
    )?;
    let mut rows = earlier.query((batch.marketplace.as_str(), original.as_str()))?;
    while let Some(row) = rows.next()? {
        let (q, a) = magnitudes(parsed(row, 0)?, parsed(row, 1)?, parsed(row, 2)?);
        // Saturating: what no longer fits 28 digits exceeds every sale there can be.
        quantity = quantity.saturating_add(q);
        amount = amount.saturating_add(a);
    }
    let paid = sold.saturating_mul(price);
    if currency != line.currency.as_str() || quantity > sold || amount > paid {
        warnings.push(WarningReason::ExceedsOriginal);
    }
    Ok(())
}

/// What a line takes back of the sale it cites: quantity and amount.
fn magnitudes(kind: SaleKind, quantity: Decimal, price: Decimal) -> (Decimal, Decimal) {
    let (signed_quantity, signed_amount) = kind.signed(quantity, price);
    match kind {
        SaleKind::Sale | SaleKind::Adjustment => (Decimal::ZERO, Decimal::ZERO),
        SaleKind::Return | SaleKind::Refund | SaleKind::Cancellation => {
            (-signed_quantity, -signed_amount)
        }
    }
}

fn insert(
    connection: &Connection,
    batch: &LineBatch,
    row: &LineRow,
    warnings: &[WarningReason],
    cell: Option<i64>,
    entry: u64,
    seq: i64,
) -> rusqlite::Result<()> {
    let line = &row.line;
    connection
        .prepare_cached(
            "INSERT INTO line_identity (marketplace, line_id, entry_index, line_seq) \
             VALUES (?1, ?2, ?3, ?4)",
        )?
        .execute((batch.marketplace.as_str(), line.line_id.as_str(), signed(entry), seq))?;
    let verdict = if warnings.is_empty() {
        "ACCEPTED".to_owned()
    } else {
        warnings.iter().map(ToString::to_string).collect::<Vec<_>>().join(";")
    };
    connection
        .prepare_cached(
            "INSERT INTO sale_lines (line_seq, report, marketplace, line_id, order_id, kind, \
             original_line_id, sku, listing, quantity, unit_price, currency, sold_at, day, \
             destination, declaration, declaration_item, other_amounts, cell, verdict, entry_index) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, \
             ?18, ?19, ?20, ?21)",
        )?
        .execute(rusqlite::params![
            seq,
            batch.report,
            batch.marketplace.as_str(),
            line.line_id.as_str(),
            line.order_id.as_str(),
            line.kind.as_str(),
            line.original_line_id.as_ref().map(|id| id.as_str()),
            line.sku.as_str(),
            row.listing.as_ref().map(|listing| listing.key.as_str()),
            line.quantity.to_string(),
            line.unit_price.to_string(),
            line.currency.as_str(),
            line.sold_at.to_string(),
            line.sold_at.day().to_string(),
            line.destination.as_ref().map(ToString::to_string).unwrap_or_default(),
            line.declaration.as_ref().map(ToString::to_string),
            line.declaration_item,
            other_amounts(line),
            cell,
            verdict,
            signed(entry),
        ])?;
    Ok(())
}

/// The optional amounts as one JSON object, absent where the line has none.
fn other_amounts(line: &SaleLine) -> Option<String> {
    line.other_amounts.as_ref().and_then(|amounts| serde_json::to_string(amounts).ok())
}

/// What a batch adds to rollups and totals.
#[derive(Default)]
struct Gathered {
    cells: HashMap<CellKey, Cell>,
    totals: HashMap<(SaleKind, String), Sums>,
    /// The highest cell in use; read once, when the first new cell is needed.
    last_cell: Option<i64>,
}

/// A rollup cell on its way: what it held before the batch, and holds after.
struct Cell {
    id: i64,
    new: bool,
    sums: Sums,
}

#[derive(PartialEq, Eq, Hash)]
struct CellKey {
    day: String,
    listing: String,
    about: Option<LineListing>,
    destination: String,
    currency: String,
    kind: SaleKind,
}

#[derive(Clone, Copy, Default)]
struct Sums {
    lines: u64,
    quantity: Decimal,
    amount: Decimal,
}

impl Sums {
    /// Exact sum; refused rather than rounded when it no longer fits 28 digits.
    fn plus(self, other: Self) -> rusqlite::Result<Self> {
        let overflow =
            || rusqlite::Error::ToSqlConversionFailure("a total exceeds 28 digits".into());
        Ok(Self {
            lines: self.lines + other.lines,
            quantity: self.quantity.checked_add(other.quantity).ok_or_else(overflow)?,
            amount: self.amount.checked_add(other.amount).ok_or_else(overflow)?,
        })
    }
}

impl Gathered {
    /// Adds a line and answers its cell; a line that exceeds its sale has none, and so stays out
    /// of net until explained.
    fn add(
        &mut self,
        connection: &Connection,
        batch: &LineBatch,
        row: &LineRow,
        warnings: &[WarningReason],
    ) -> rusqlite::Result<Option<i64>> {
        let line = &row.line;
        let (quantity, amount) = line.kind.signed(line.quantity.value(), line.unit_price.value());
        let one = Sums { lines: 1, quantity, amount };
        let total = self.totals.entry((line.kind, line.currency.to_string())).or_default();
        *total = total.plus(one)?;
        if warnings.contains(&WarningReason::ExceedsOriginal) {
            return Ok(None);
        }
        let listing = match &row.listing {
            Some(listing) => listing.key.clone(),
            None => listing_key(&batch.marketplace, line.sku.as_str()),
        };
        let key = CellKey {
            day: line.sold_at.day().to_string(),
            listing,
            about: row.listing.clone(),
            destination: line.destination.as_ref().map(ToString::to_string).unwrap_or_default(),
            currency: line.currency.to_string(),
            kind: line.kind,
        };
        if let Some(cell) = self.cells.get_mut(&key) {
            cell.sums = cell.sums.plus(one)?;
            return Ok(Some(cell.id));
        }
        let mut cell = match held_cell(connection, &batch.report, &key)? {
            Some((id, sums)) => Cell { id, new: false, sums },
            None => Cell { id: self.fresh_cell(connection)?, new: true, sums: Sums::default() },
        };
        cell.sums = cell.sums.plus(one)?;
        let id = cell.id;
        self.cells.insert(key, cell);
        Ok(Some(id))
    }

    fn fresh_cell(&mut self, connection: &Connection) -> rusqlite::Result<i64> {
        let last = match self.last_cell {
            Some(last) => last,
            None => connection
                .prepare_cached("SELECT COALESCE(MAX(cell), 0) FROM rollup_cells")?
                .query_row([], |row| row.get(0))?,
        };
        self.last_cell = Some(last + 1);
        Ok(last + 1)
    }

    fn write(self, connection: &Connection, batch: &LineBatch) -> rusqlite::Result<()> {
        let mut read = connection.prepare_cached(
            "SELECT lines, quantity, amount FROM report_totals \
             WHERE report = ?1 AND kind = ?2 AND currency = ?3",
        )?;
        let mut write = connection.prepare_cached(
            "INSERT INTO report_totals (report, kind, currency, lines, quantity, amount) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (report, kind, currency) DO UPDATE SET \
             lines = excluded.lines, quantity = excluded.quantity, amount = excluded.amount",
        )?;
        for ((kind, currency), added) in self.totals {
            let held = read
                .query_row((&batch.report, kind.as_str(), &currency), sums)
                .optional()?
                .unwrap_or_default();
            let now = held.plus(added)?;
            write.execute((
                &batch.report,
                kind.as_str(),
                &currency,
                signed(now.lines),
                now.quantity.normalize().to_string(),
                now.amount.normalize().to_string(),
            ))?;
        }
        for (key, cell) in self.cells {
            write_cell(connection, batch, &key, &cell)?;
        }
        Ok(())
    }
}

/// What a line's listing adds to the key of its cell: seller, ncm, channel, province, size class.
fn about(key: &CellKey) -> [&str; 5] {
    match &key.about {
        None => [""; 5],
        Some(l) => [&l.seller, &l.ncm, l.channel.as_str(), &l.province, &l.size_class],
    }
}

fn held_cell(
    connection: &Connection,
    report: &str,
    key: &CellKey,
) -> rusqlite::Result<Option<(i64, Sums)>> {
    let [seller, ncm, channel, province, size_class] = about(key);
    connection
        .prepare_cached(
            "SELECT lines, quantity, amount, cell FROM rollup_cells WHERE report = ?1 AND \
             day = ?2 AND listing = ?3 AND kind = ?4 AND currency = ?5 AND destination = ?6 AND \
             seller = ?7 AND ncm = ?8 AND channel = ?9 AND province = ?10 AND size_class = ?11",
        )?
        .query_row(
            (
                report,
                &key.day,
                &key.listing,
                key.kind.as_str(),
                &key.currency,
                &key.destination,
                seller,
                ncm,
                channel,
                province,
                size_class,
            ),
            |row| Ok((row.get(3)?, sums(row)?)),
        )
        .optional()
}

fn write_cell(
    connection: &Connection,
    batch: &LineBatch,
    key: &CellKey,
    cell: &Cell,
) -> rusqlite::Result<()> {
    let lines = signed(cell.sums.lines);
    let quantity = cell.sums.quantity.normalize().to_string();
    let amount = cell.sums.amount.normalize().to_string();
    if !cell.new {
        connection
            .prepare_cached(
                "UPDATE rollup_cells SET lines = ?2, quantity = ?3, amount = ?4 WHERE cell = ?1",
            )?
            .execute((cell.id, lines, quantity, amount))?;
        return Ok(());
    }
    let [seller, ncm, channel, province, size_class] = about(key);
    connection
        .prepare_cached(
            "INSERT INTO rollup_cells (cell, report, marketplace, day, listing, seller, ncm, \
             channel, province, size_class, destination, currency, kind, lines, quantity, amount) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)",
        )?
        .execute(rusqlite::params![
            cell.id,
            batch.report,
            batch.marketplace.as_str(),
            key.day,
            key.listing,
            seller,
            ncm,
            channel,
            province,
            size_class,
            key.destination,
            key.currency,
            key.kind.as_str(),
            lines,
            quantity,
            amount,
        ])?;
    Ok(())
}

fn sums(row: &rusqlite::Row<'_>) -> rusqlite::Result<Sums> {
    Ok(Sums { lines: unsigned(row.get(0)?), quantity: parsed(row, 1)?, amount: parsed(row, 2)? })
}

/// Moves the counts of a report and answers where the client goes on.
fn progress(
    connection: &Connection,
    batch: &LineBatch,
    answer: &BatchAnswer,
) -> rusqlite::Result<u64> {
    let end = batch.first_line + u64::from(batch.sent);
    connection
        .prepare_cached(
            "INSERT INTO report_progress \
             (report, next_line, accepted, warned, duplicates, refused) \
             VALUES (?1, CASE WHEN ?2 = 0 THEN ?3 ELSE 0 END, ?4, ?5, ?6, ?7) \
             ON CONFLICT (report) DO UPDATE SET next_line = CASE WHEN ?2 <= next_line \
             THEN MAX(next_line, ?3) ELSE next_line END, accepted = accepted + ?4, \
             warned = warned + ?5, duplicates = duplicates + ?6, refused = refused + ?7 \
             RETURNING next_line",
        )?
        .query_row(
            (
                &batch.report,
                signed(batch.first_line),
                signed(end),
                answer.accepted,
                answer.warned,
                answer.duplicates,
                answer.refused,
            ),
            |row| row.get(0),
        )
        .map(unsigned)
}

/// Makes counts of orders exact for a report: distinct pairs of order and listing over its sales,
/// each counted in the cell of its earliest line.
pub fn count_orders(connection: &Connection, report: &str) -> rusqlite::Result<()> {
    connection
        .prepare_cached("UPDATE rollup_cells SET orders = 0 WHERE report = ?1")?
        .execute([report])?;
    connection
        .prepare_cached(
            "UPDATE rollup_cells SET orders = counted.orders FROM ( \
               SELECT cell, COUNT(*) AS orders FROM ( \
                 SELECT cell, MIN(line_seq) FROM sale_lines \
                 WHERE report = ?1 AND kind = 'SALE' AND cell IS NOT NULL \
                 GROUP BY order_id, sku) \
               GROUP BY cell) AS counted \
             WHERE rollup_cells.cell = counted.cell",
        )?
        .execute([report])?;
    Ok(())
}
