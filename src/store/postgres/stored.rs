//! Stored sale lines, read back as they came; and by page, for exports.
//!
//! Enters: which lines of a report. Leaves: the lines in the order they were stored, each with
//! what was odd about it.

use std::collections::{HashMap, HashSet};

use deadpool_postgres::GenericClient;
use tokio_postgres::Row;

use super::fault::Fault;
use super::values::{Param, counted, optional, parsed, parsed_text, query, signed};
use crate::domain::explanation::Explanation;
use crate::domain::partner::PartnerId;
use crate::domain::sale::{SaleLine, WarningReason};
use crate::domain::text::LineId;
use crate::store::{ExportPage, ExportQuery, ExportedLine, HeldLine, LineQuery, StoredLine};

/// The columns of `sale_lines s` that [`stored`] reads, in this order, and how many there are.
const COLUMNS: &str = "s.line_seq, s.entry_index, s.verdict, s.line_id, s.order_id, \
     s.kind, s.original_line_id, s.sku, s.quantity, s.unit_price, s.currency, s.sold_at, \
     s.destination, s.declaration, s.declaration_item, s.other_amounts";
const MORE: usize = 16;

/// Lines that match, in the order they were stored.
pub async fn lines(
    client: &impl GenericClient,
    asked: &LineQuery,
) -> Result<Vec<StoredLine>, Fault> {
    let mut sql = format!("SELECT {COLUMNS} FROM sale_lines s WHERE report = $1 AND line_seq > $2");
    let (after, limit) = (signed(asked.after), i64::from(asked.limit));
    let mut values: Vec<Param<'_>> = vec![&asked.report, &after, &limit];
    match asked.remarked.or(asked.reason.map(|_| true)) {
        // As the index of remarked lines says it, so that it serves.
        Some(true) => sql.push_str(" AND verdict <> 'ACCEPTED'"),
        Some(false) => sql.push_str(" AND verdict = 'ACCEPTED'"),
        None => {}
    }
    let reason = asked.reason.map(|reason| reason.as_str());
    if let Some(reason) = &reason {
        sql.push_str(" AND $4 = ANY(string_to_array(verdict, ';'))");
        values.push(reason);
    }
    sql.push_str(" ORDER BY line_seq LIMIT $3");
    all(client, &query(client, &sql, &values).await?).await
}

/// The line that a marketplace's line id belongs to.
pub async fn line(
    client: &impl GenericClient,
    marketplace: &PartnerId,
    id: &LineId,
) -> Result<Option<HeldLine>, Fault> {
    let sql = format!(
        "SELECT {COLUMNS}, s.report FROM line_identity i JOIN sale_lines s \
         ON s.line_seq = i.line_seq AND s.day = i.day WHERE i.marketplace = $1 AND i.line_id = $2"
    );
    let rows = query(client, &sql, &[&marketplace.as_str(), &id.as_str()]).await?;
    let Some(line) = all(client, &rows).await?.pop() else { return Ok(None) };
    Ok(Some(HeldLine { report: rows[0].try_get(MORE)?, line }))
}

/// The next lines of a report for an export.
pub async fn export(client: &impl GenericClient, asked: &ExportQuery) -> Result<ExportPage, Fault> {
    let remarked = asked.remarked == Some(true) || asked.reason.is_some();
    let remarked = if remarked { " AND verdict <> 'ACCEPTED'" } else { "" };
    let days = asked.days.map(|days| [days.first(), days.last()].map(super::values::Day));
    let on_days = if days.is_some() { " AND s.day BETWEEN $4 AND $5" } else { "" };
    // Days are looked for in their parts of the table alone.
    let sql = format!(
        "SELECT {COLUMNS}, g.seller, g.ncm FROM sale_lines s \
         LEFT JOIN rollup_goods g ON g.goods = s.cell & 4294967295 \
         WHERE s.report = $1 AND s.line_seq > $2{remarked}{on_days} \
         ORDER BY s.line_seq LIMIT $3"
    );
    let (after, look_at) = (signed(asked.after), i64::from(asked.look_at));
    let mut values: Vec<Param<'_>> = vec![&asked.report, &after, &look_at];
    if let Some([first, last]) = &days {
        values.extend([first as Param<'_>, last]);
    }
    let rows = query(client, &sql, &values).await?;
    let ended = rows.len() < asked.look_at as usize;
    let (mut kept, mut reached, mut next) = (Vec::new(), asked.after, None);
    for row in rows {
        if counted(&row, 1)? >= asked.entries {
            // All that follow came later still.
            return page(client, kept, asked, None).await;
        }
        reached = counted(&row, 0)?;
        if takes(&row, asked)? {
            kept.push(row);
            if kept.len() >= asked.limit as usize {
                next = Some(reached);
                break;
            }
        }
    }
    if !ended {
        next = Some(reached);
    }
    page(client, kept, asked, next).await
}

fn takes(row: &Row, asked: &ExportQuery) -> Result<bool, Fault> {
    let (verdict, kind): (&str, _) = (row.try_get(2)?, parsed(row, 5)?);
    let of_kind = asked.kinds.is_empty() || asked.kinds.contains(&kind);
    let as_remarked = asked.remarked.is_none_or(|wanted| wanted == (verdict != "ACCEPTED"));
    let for_reason =
        asked.reason.is_none_or(|reason| verdict.split(';').any(|r| r == reason.as_str()));
    Ok(of_kind && as_remarked && for_reason)
}

async fn page(
    client: &impl GenericClient,
    rows: Vec<Row>,
    asked: &ExportQuery,
    next: Option<u64>,
) -> Result<ExportPage, Fault> {
    let mut lines = Vec::with_capacity(rows.len());
    for (mut stored, row) in all(client, &rows).await?.into_iter().zip(&rows) {
        let known = |entry| entry < asked.entries;
        stored.explanation.take_if(|why| !why.entry.is_some_and(known));
        let text = |at| -> Result<String, Fault> {
            Ok(row.try_get::<_, Option<String>>(at)?.unwrap_or_default())
        };
        lines.push(ExportedLine { stored, seller: text(MORE)?, ncm: text(MORE + 1)? });
    }
    Ok(ExportPage { lines, next })
}

/// Lines from rows that begin with [`COLUMNS`], each with why it counts if it was explained.
async fn all(client: &impl GenericClient, rows: &[Row]) -> Result<Vec<StoredLine>, Fault> {
    let mut lines: Vec<StoredLine> = rows.iter().map(stored).collect::<Result<_, _>>()?;
    // Few lines exceed their sale, so the others are not looked up.
    let exceeding = |line: &&StoredLine| line.reasons.contains(&WarningReason::ExceedsOriginal);
    let places: Vec<i64> = lines.iter().filter(exceeding).map(|line| signed(line.seq)).collect();
    if places.is_empty() {
        return Ok(lines);
    }
    let sql = "SELECT line_seq, cause, evidence, explained_by, explained_at, entry_index \
               FROM line_explanations WHERE line_seq = ANY($1)";
    let mut explained = HashMap::new();
    for row in query(client, sql, &[&places]).await? {
        let why = Explanation {
            cause: parsed(&row, 1)?,
            evidence: parsed(&row, 2)?,
            explained_by: parsed(&row, 3)?,
            explained_at: parsed(&row, 4)?,
            entry: Some(counted(&row, 5)?),
        };
        explained.insert(counted(&row, 0)?, why);
    }
    for line in &mut lines {
        line.explanation = explained.remove(&line.seq);
    }
    Ok(lines)
}

fn stored(row: &Row) -> Result<StoredLine, Fault> {
    let verdict: &str = row.try_get(2)?;
    let reasons: Result<Vec<WarningReason>, Fault> =
        verdict.split(';').filter(|word| *word != "ACCEPTED").map(parsed_text).collect();
    let other: Option<&str> = row.try_get(15)?;
    let other = other.map(serde_json::from_str).transpose();
    let item: Option<i64> = row.try_get(14)?;
    let line = SaleLine {
        line_id: parsed(row, 3)?,
        order_id: parsed(row, 4)?,
        kind: parsed(row, 5)?,
        original_line_id: optional(row, 6)?,
        sku: parsed(row, 7)?,
        quantity: parsed(row, 8)?,
        unit_price: parsed(row, 9)?,
        currency: parsed(row, 10)?,
        sold_at: parsed(row, 11)?,
        destination: optional(row, 12)?,
        declaration: optional(row, 13)?,
        declaration_item: item.and_then(|item| u32::try_from(item).ok()),
        other_amounts: other.map_err(|reason| Fault::Unfit(reason.to_string()))?,
    };
    let (seq, entry) = (counted(row, 0)?, counted(row, 1)?);
    Ok(StoredLine { seq, entry, line, reasons: reasons?, explanation: None })
}

/// Which of these lines were explained.
pub async fn explained(client: &impl GenericClient, lines: &[i64]) -> Result<HashSet<i64>, Fault> {
    let sql = "SELECT line_seq FROM line_explanations WHERE line_seq = ANY($1)";
    let rows = query(client, sql, &[&lines]).await?;
    rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
}
