//! The two rows of a line: its id, and the line itself.
//!
//! Enters: lines. Leaves: rows, or who has taken the id before. Statements are made once a
//! transaction, and what all lines of a batch have in common is bound once a batch.

use rusqlite::{CachedStatement, Connection, OptionalExtension};

use super::documents::{signed, unsigned};
use crate::change::{LineBatch, LineRow, ReadyLine};
use crate::domain::sale::WarningReason;
use crate::store::verdicts::{other_amounts, verdict};

/// Who took which line id.
pub struct Identity<'c> {
    insert: CachedStatement<'c>,
    read: CachedStatement<'c>,
    is_abandoned: CachedStatement<'c>,
    replace: CachedStatement<'c>,
}

impl<'c> Identity<'c> {
    pub fn over(connection: &'c Connection) -> rusqlite::Result<Self> {
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

    /// Binds what the lines of the batch have in common.
    pub fn begin(&mut self, batch: &LineBatch, entry: u64) -> rusqlite::Result<()> {
        self.insert.raw_bind_parameter(1, batch.marketplace.as_str())?;
        self.insert.raw_bind_parameter(3, signed(entry))?;
        self.replace.raw_bind_parameter(1, batch.marketplace.as_str())?;
        self.replace.raw_bind_parameter(3, signed(entry))
    }

    /// Takes the id for the line about to be stored, or answers the entry that has taken it
    /// before. The unique key is what makes a line count once.
    pub fn take(
        &mut self,
        batch: &LineBatch,
        row: &LineRow,
        seq: i64,
    ) -> rusqlite::Result<Option<u64>> {
        let line_id = row.line.line_id.as_str();
        self.insert.raw_bind_parameter(2, line_id)?;
        self.insert.raw_bind_parameter(4, seq)?;
        if self.insert.raw_execute()? == 1 {
            return Ok(None);
        }
        let taken = self.taken(batch, row)?;
        if taken.is_none() {
            self.replace.raw_bind_parameter(2, line_id)?;
            self.replace.raw_bind_parameter(4, seq)?;
            self.replace.raw_execute()?;
        }
        Ok(taken)
    }

    /// The entry that has taken the id; none if it never came, or if the report that took it was
    /// abandoned and so counts nowhere.
    pub fn taken(&mut self, batch: &LineBatch, row: &LineRow) -> rusqlite::Result<Option<u64>> {
        let id = (batch.marketplace.as_str(), row.line.line_id.as_str());
        let found: Option<(i64, i64)> =
            self.read.query_row(id, |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
        let Some((entry, seq)) = found else { return Ok(None) };
        let abandoned = self.is_abandoned.exists([seq])?;
        Ok((!abandoned).then(|| unsigned(entry)))
    }
}

/// Stores lines.
pub struct Insert<'c> {
    statement: CachedStatement<'c>,
    /// Whether columns that few lines have may hold something of the line before.
    rare: bool,
}

impl<'c> Insert<'c> {
    pub fn over(connection: &'c Connection) -> rusqlite::Result<Self> {
        let sql = "INSERT INTO sale_lines (report, marketplace, entry_index, line_seq, line_id, \
             order_id, kind, sku, listing, quantity, unit_price, currency, sold_at, day, \
             destination, cell, verdict, original_line_id, declaration, declaration_item, \
             other_amounts) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, \
             ?15, ?16, ?17, ?18, ?19, ?20, ?21)";
        Ok(Self { statement: connection.prepare_cached(sql)?, rare: true })
    }

    /// Binds what the lines of the batch have in common.
    pub fn begin(&mut self, batch: &LineBatch, entry: u64) -> rusqlite::Result<()> {
        self.statement.raw_bind_parameter(1, &batch.report)?;
        self.statement.raw_bind_parameter(2, batch.marketplace.as_str())?;
        self.statement.raw_bind_parameter(3, signed(entry))
    }

    /// Stores one line.
    pub fn line(
        &mut self,
        ready: &ReadyLine,
        warnings: &[WarningReason],
        cell: i64,
        seq: i64,
    ) -> rusqlite::Result<()> {
        let ReadyLine { row, texts, .. } = ready;
        let line = &row.line;
        let statement = &mut self.statement;
        statement.raw_bind_parameter(4, seq)?;
        statement.raw_bind_parameter(5, line.line_id.as_str())?;
        statement.raw_bind_parameter(6, line.order_id.as_str())?;
        statement.raw_bind_parameter(7, line.kind.as_str())?;
        statement.raw_bind_parameter(8, line.sku.as_str())?;
        statement.raw_bind_parameter(9, row.listing.as_ref().map(|l| l.key.as_str()))?;
        statement.raw_bind_parameter(10, texts.quantity())?;
        statement.raw_bind_parameter(11, texts.unit_price())?;
        statement.raw_bind_parameter(12, line.currency.as_str())?;
        statement.raw_bind_parameter(13, texts.sold_at())?;
        statement.raw_bind_parameter(14, texts.day())?;
        statement.raw_bind_parameter(15, texts.destination())?;
        statement.raw_bind_parameter(16, cell)?;
        statement.raw_bind_parameter(17, verdict(warnings))?;
        let rare = line.original_line_id.is_some()
            || line.declaration.is_some()
            || line.declaration_item.is_some()
            || line.other_amounts.is_some();
        if rare || self.rare {
            statement
                .raw_bind_parameter(18, line.original_line_id.as_ref().map(|id| id.as_str()))?;
            statement.raw_bind_parameter(19, line.declaration.as_ref().map(ToString::to_string))?;
            statement.raw_bind_parameter(20, line.declaration_item)?;
            statement.raw_bind_parameter(21, other_amounts(line))?;
            self.rare = rare;
        }
        statement.raw_execute().map(drop)
    }
}
