//! The parts of the table of lines, one for each month of sale.
//!
//! A line's day may be in any month, so parts are made when lines for them come, under the head, in
//! the transaction that stores the lines; and with each that of the month after it, so that the
//! first line of a month mostly finds its part there.

use std::collections::HashSet;

use jiff::civil::Date;

use super::fault::Fault;
use super::pass::Pass;
use super::values::query_opt;

/// The months that lines have parts of the table for, of those that were looked at.
pub type Parts = HashSet<(i16, i8)>;

/// The years whose months have a part each; other days are so rare that one part before and one
/// after them will do.
const YEARS: std::ops::Range<i16> = 2000..2100;

/// Makes the parts of the table that the lines go to. They are attached, which hinders nobody who
/// reads the others.
pub async fn make(
    client: &deadpool_postgres::Client,
    pass: &Pass,
    known: &mut Parts,
) -> Result<(), Fault> {
    let mut months: HashSet<(i16, i8)> = HashSet::new();
    for row in &pass.rows {
        let day = row.ready().row.line.sold_at.day();
        if YEARS.contains(&day.year()) && !known.contains(&(day.year(), day.month())) {
            let next = day.last_of_month().tomorrow().unwrap_or(day);
            let both = [day, next].into_iter().filter(|day| YEARS.contains(&day.year()));
            months.extend(both.map(|day| (day.year(), day.month())));
        }
    }
    for (year, month) in months {
        let name = format!("sale_lines_{year:04}_{month:02}");
        let sql = "SELECT 1 FROM pg_inherits WHERE inhparent = 'sale_lines'::regclass \
                   AND inhrelid = to_regclass($1)";
        if query_opt(client, sql, &[&name]).await?.is_none() {
            let first = Date::new(year, month, 1).map_err(|e| Fault::Unfit(e.to_string()))?;
            let end = first.last_of_month().tomorrow().map_err(|e| Fault::Unfit(e.to_string()))?;
            client
                .batch_execute(&format!(
                    "CREATE TABLE {name} (LIKE sale_lines INCLUDING DEFAULTS); \
                     ALTER TABLE sale_lines ATTACH PARTITION {name} \
                     FOR VALUES FROM ('{first}') TO ('{end}')"
                ))
                .await?;
        }
        known.insert((year, month));
    }
    Ok(())
}
