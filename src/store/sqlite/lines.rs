//! Sale lines: each id counts once, for ever; rollups move with them.
//!
//! Enters: a batch, under the ledger head. Leaves: what became of each line.
//! Rollups and totals are gathered in memory over the batch and written once.

use std::borrow::Cow;
use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};

use rusqlite::{CachedStatement, Connection, OptionalExtension};
use rust_decimal::Decimal;

use super::documents::{signed, unsigned};
use super::questions::parsed;
use super::rollups::{Gathered, plus, unfit};
use crate::change::{BatchAnswer, LineBatch, LineNote, LineRow, NoteVerdict};
use crate::domain::decimal::{Quantity, Totals, UnitPrice};
use crate::domain::fault::Fault;
use crate::domain::month::{self, Month};
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
    let mut originals = HashMap::new();
    let mut next_seq = next_seq(connection)?;
    let closed = closed_months(connection)?;
    let mut identity = Identity::over(connection)?;
    let mut insert = Insert::over(connection)?;
    for row in &batch.lines {
        // A closed month takes no line, so none may take an id there.
        let month = Month::of(row.line.sold_at.day());
        let is_closed = closed.contains(&month);
        let taken = match is_closed {
            true => identity.taken(batch, row)?,
            false => identity.take(batch, row, entry, next_seq)?,
        };
        if let Some(first) = taken {
            answer.duplicates += 1;
            answer.notes.push(note(row, NoteVerdict::Duplicate, vec![], Some(first)));
            continue;
        }
        if is_closed {
            answer.refused += 1;
            answer.notes.push(out_of_time(row, month));
            continue;
        }
        let mut warnings = row.warnings.clone();
        judge_original(connection, batch, row, &mut originals, &mut warnings)?;
        let cell = gathered.add(connection, batch, row, &warnings)?;
        insert.line(batch, row, &warnings, cell, entry, next_seq)?;
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
    answer.next_line = progress(connection, batch, &answer, entry)?;
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

/// The months that take no more lines, mostly some dozens.
fn closed_months(connection: &Connection) -> rusqlite::Result<HashSet<Month>> {
    connection
        .prepare_cached("SELECT key FROM closed_months")?
        .query_map([], |row| parsed(row, 0))?
        .collect()
}

fn out_of_time(row: &LineRow, month: Month) -> LineNote {
    let Fault { reason, message, .. } = month::closed(month);
    let verdict = NoteVerdict::Refused;
    let field = "sold_at".to_owned();
    LineNote { field, message, ..note(row, verdict, vec![reason.to_owned()], None) }
}

fn next_seq(connection: &Connection) -> rusqlite::Result<i64> {
    connection
        .prepare_cached("SELECT COALESCE(MAX(line_seq), 0) + 1 FROM sale_lines")?
        .query_row([], |row| row.get(0))
}

/// Who took which line id; statements are made once for a batch.
struct Identity<'c> {
    insert: CachedStatement<'c>,
    read: CachedStatement<'c>,
    is_abandoned: CachedStatement<'c>,
    replace: CachedStatement<'c>,
}

impl<'c> Identity<'c> {
    fn over(connection: &'c Connection) -> rusqlite::Result<Self> {
        Ok(Self {
            insert: connection.prepare_cached(
                "INSERT INTO line_identity (marketplace, line_id, entry_index, line_seq) \
                 VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING",
            )?,
            read: connection.prepare_cached(
                "SELECT entry_index, line_seq FROM line_identity \
                 WHERE marketplace = ?1 AND line_id = ?2",
            )?,
            is_abandoned: connection.prepare_cached(
                "SELECT 1 FROM sale_lines s JOIN sales_reports r ON r.key = s.report \
                 WHERE s.line_seq = ?1 AND r.state = 'ABANDONED'",
            )?,
            replace: connection.prepare_cached(
                "UPDATE line_identity SET entry_index = ?3, line_seq = ?4 \
                 WHERE marketplace = ?1 AND line_id = ?2",
            )?,
        })
    }

    /// Takes the id for the line about to be stored, or answers the entry that has taken it
    /// before. The unique key is what makes a line count once.
    fn take(
        &mut self,
        batch: &LineBatch,
        row: &LineRow,
        entry: u64,
        seq: i64,
    ) -> rusqlite::Result<Option<u64>> {
        let own = (batch.marketplace.as_str(), row.line.line_id.as_str(), signed(entry), seq);
        if self.insert.execute(own)? == 1 {
            return Ok(None);
        }
        let taken = self.taken(batch, row)?;
        if taken.is_none() {
            self.replace.execute(own)?;
        }
        Ok(taken)
    }

    /// The entry that has taken the id; none if it never came, or if the report that took it was
    /// abandoned and so counts nowhere.
    fn taken(&mut self, batch: &LineBatch, row: &LineRow) -> rusqlite::Result<Option<u64>> {
        let id = (batch.marketplace.as_str(), row.line.line_id.as_str());
        let found: Option<(i64, i64)> =
            self.read.query_row(id, |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
        let Some((entry, seq)) = found else { return Ok(None) };
        let abandoned = self.is_abandoned.exists([seq])?;
        Ok((!abandoned).then(|| unsigned(entry)))
    }
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

/// A sale that lines of the batch cite, and what has been taken back of it.
struct Original {
    sold: Quantity,
    paid: Decimal,
    currency: String,
    taken: Totals,
}

/// Adds what is odd about the sale a line cites: unknown, in another currency, or exceeded.
///
/// `originals` keeps the sales that the batch has cited: a sale with thousands of refunds is added
/// up once a batch, not once a line.
fn judge_original<'a>(
    connection: &Connection,
    batch: &LineBatch,
    row: &'a LineRow,
    originals: &mut HashMap<&'a str, Original>,
    warnings: &mut Vec<WarningReason>,
) -> rusqlite::Result<()> {
    let line = &row.line;
    if !line.kind.cites_a_sale() {
        return Ok(());
    }
    let Some(cited) = &line.original_line_id else {
        warnings.push(WarningReason::UnknownOriginal);
        return Ok(());
    };
    let original = match originals.entry(cited.as_str()) {
        Entry::Occupied(known) => known.into_mut(),
        Entry::Vacant(place) => match original(connection, batch, cited.as_str())? {
            Some(found) => place.insert(found),
            None => {
                warnings.push(WarningReason::UnknownOriginal);
                return Ok(());
            }
        },
    };
    let taken = plus(original.taken, taken_back(line.kind, line.quantity, line.unit_price))?;
    let exceeds = taken.quantity > original.sold.value() || taken.amount > original.paid;
    if exceeds || original.currency != line.currency.as_str() {
        warnings.push(WarningReason::ExceedsOriginal);
    } else {
        original.taken = taken;
    }
    Ok(())
}

/// The sale of that id, with what stored lines have taken back of it; those that exceed it do not
/// count.
fn original(
    connection: &Connection,
    batch: &LineBatch,
    line_id: &str,
) -> rusqlite::Result<Option<Original>> {
    let sale = connection
        .prepare_cached(
            "SELECT s.quantity, s.unit_price, s.currency FROM line_identity i \
             JOIN sale_lines s ON s.line_seq = i.line_seq \
             WHERE i.marketplace = ?1 AND i.line_id = ?2 AND s.kind = 'SALE' AND s.report NOT IN \
             (SELECT key FROM sales_reports WHERE state = 'ABANDONED')",
        )?
        .query_row((batch.marketplace.as_str(), line_id), |row| {
            let quantity: Quantity = parsed(row, 0)?;
            let price: UnitPrice = parsed(row, 1)?;
            Ok((quantity, price, row.get::<_, String>(2)?))
        })
        .optional()?;
    let Some((sold, price, currency)) = sale else { return Ok(None) };
    let paid = sold.times(price).map_err(unfit)?.value();
    let mut taken = Totals::default();
    let mut earlier = connection.prepare_cached(
        "SELECT kind, quantity, unit_price FROM sale_lines \
         WHERE marketplace = ?1 AND original_line_id = ?2 \
         AND verdict NOT LIKE '%EXCEEDS_ORIGINAL%' AND report NOT IN \
         (SELECT key FROM sales_reports WHERE state = 'ABANDONED')",
    )?;
    let mut rows = earlier.query((batch.marketplace.as_str(), line_id))?;
    while let Some(row) = rows.next()? {
        taken = plus(taken, taken_back(parsed(row, 0)?, parsed(row, 1)?, parsed(row, 2)?))?;
    }
    Ok(Some(Original { sold, paid, currency, taken }))
}

/// What a line takes back of the sale it cites: quantity and amount.
fn taken_back(kind: SaleKind, quantity: Quantity, price: UnitPrice) -> Totals {
    if !kind.cites_a_sale() {
        return Totals::default();
    }
    let (quantity, amount) = kind.signed(quantity.value(), price.value());
    Totals { lines: 1, quantity: -quantity, amount: -amount }
}

/// Stores lines; the statement is made once for a batch.
struct Insert<'c>(CachedStatement<'c>);

impl<'c> Insert<'c> {
    fn over(connection: &'c Connection) -> rusqlite::Result<Self> {
        let sql = "INSERT INTO sale_lines (line_seq, report, marketplace, line_id, order_id, kind, \
             original_line_id, sku, listing, quantity, unit_price, currency, sold_at, day, \
             destination, declaration, declaration_item, other_amounts, cell, verdict, entry_index) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, \
             ?18, ?19, ?20, ?21)";
        connection.prepare_cached(sql).map(Self)
    }

    fn line(
        &mut self,
        batch: &LineBatch,
        row: &LineRow,
        warnings: &[WarningReason],
        cell: Option<i64>,
        entry: u64,
        seq: i64,
    ) -> rusqlite::Result<()> {
        let line = &row.line;
        self.0.execute(rusqlite::params![
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
            verdict(warnings),
            signed(entry),
        ])?;
        Ok(())
    }
}

fn verdict(warnings: &[WarningReason]) -> Cow<'static, str> {
    match warnings {
        [] => Cow::Borrowed("ACCEPTED"),
        [one] => Cow::Borrowed(one.as_str()),
        many => Cow::Owned(many.iter().map(|one| one.as_str()).collect::<Vec<_>>().join(";")),
    }
}

/// The optional amounts as one JSON object, absent where the line has none.
fn other_amounts(line: &SaleLine) -> Option<String> {
    line.other_amounts.as_deref().and_then(|amounts| serde_json::to_string(amounts).ok())
}

/// Moves the counts of a report and answers where the client goes on.
fn progress(
    connection: &Connection,
    batch: &LineBatch,
    answer: &BatchAnswer,
    entry: u64,
) -> rusqlite::Result<u64> {
    let end = batch.first_line + u64::from(batch.sent);
    connection
        .prepare_cached(
            "INSERT INTO report_progress \
             (report, next_line, accepted, warned, duplicates, refused, last_entry) \
             VALUES (?1, CASE WHEN ?2 = 0 THEN ?3 ELSE 0 END, ?4, ?5, ?6, ?7, ?8) \
             ON CONFLICT (report) DO UPDATE SET next_line = CASE WHEN ?2 <= next_line \
             THEN MAX(next_line, ?3) ELSE next_line END, accepted = accepted + ?4, \
             warned = warned + ?5, duplicates = duplicates + ?6, refused = refused + ?7, \
             last_entry = ?8 \
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
                signed(entry),
            ),
            |row| row.get(0),
        )
        .map(unsigned)
}

/// Lines of a report accepted, warned of and refused, in this order.
pub fn counts(connection: &Connection, report: &str) -> rusqlite::Result<[u64; 3]> {
    let counts = connection
        .prepare_cached("SELECT accepted, warned, refused FROM report_progress WHERE report = ?1")?
        .query_row([report], |row| Ok([row.get(0)?, row.get(1)?, row.get(2)?].map(unsigned)))
        .optional()?;
    Ok(counts.unwrap_or_default())
}
