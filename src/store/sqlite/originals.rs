//! The sales that lines take back: what was sold, and how much of it came back.
//!
//! Enters: lines that cite a sale. Leaves: what is odd about the sale each cites.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use rusqlite::{Connection, OptionalExtension};
use rust_decimal::Decimal;

use super::questions::parsed;
use super::rollups::{plus, unfit};
use crate::change::{LineBatch, LineRow};
use crate::domain::decimal::{Quantity, Totals, UnitPrice};
use crate::domain::sale::WarningReason;
use crate::store::verdicts::taken_back;

/// The sales that lines have cited, by marketplace and line id: one with thousands of refunds is
/// added up once a transaction, not once a line.
#[derive(Default)]
pub struct Originals(HashMap<(String, String), Original>);

/// A sale that lines cite, and what has been taken back of it.
struct Original {
    sold: Quantity,
    paid: Decimal,
    currency: String,
    taken: Totals,
}

impl Originals {
    /// What is odd about the sale a line cites: unknown, in another currency, or exceeded.
    pub fn judge(
        &mut self,
        connection: &Connection,
        batch: &LineBatch,
        row: &LineRow,
    ) -> rusqlite::Result<Option<WarningReason>> {
        let line = &row.line;
        if !line.kind.cites_a_sale() {
            return Ok(None);
        }
        let Some(cited) = &line.original_line_id else {
            return Ok(Some(WarningReason::UnknownOriginal));
        };
        let original = match self.0.entry((batch.marketplace.to_string(), cited.to_string())) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(place) => match original(connection, batch, cited.as_str())? {
                Some(found) => place.insert(found),
                None => return Ok(Some(WarningReason::UnknownOriginal)),
            },
        };
        let taken = plus(original.taken, taken_back(line.kind, line.quantity, line.unit_price))?;
        // Only by what the line itself takes: one that was explained may have gone beyond.
        let exceeds = (taken.quantity > original.sold.value()
            && taken.quantity > original.taken.quantity)
            || (taken.amount > original.paid && taken.amount > original.taken.amount);
        if exceeds || original.currency != line.currency.as_str() {
            return Ok(Some(WarningReason::ExceedsOriginal));
        }
        original.taken = taken;
        Ok(None)
    }

    /// Reads anew what was cited: the reports or the lines that count have changed.
    pub fn forget(&mut self) {
        self.0.clear();
    }
}

/// The sale of that id, with what stored lines have taken back of it; those that exceed it count
/// once they were explained, and money of another currency never.
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
        "SELECT kind, quantity, unit_price, currency = ?3 FROM sale_lines \
         WHERE marketplace = ?1 AND original_line_id = ?2 \
         AND (verdict NOT LIKE '%EXCEEDS_ORIGINAL%' OR EXISTS (SELECT 1 FROM line_explanations e \
         WHERE e.line_seq = sale_lines.line_seq)) AND report NOT IN \
         (SELECT key FROM sales_reports WHERE state = 'ABANDONED')",
    )?;
    let mut rows = earlier.query((batch.marketplace.as_str(), line_id, &currency))?;
    while let Some(row) = rows.next()? {
        let mut one = taken_back(parsed(row, 0)?, parsed(row, 1)?, parsed(row, 2)?);
        if !row.get::<_, bool>(3)? {
            one.amount = Decimal::ZERO;
        }
        taken = plus(taken, one)?;
    }
    Ok(Some(Original { sold, paid, currency, taken }))
}
