//! Values as rows have them.

use std::error::Error;
use std::str::FromStr;

use bytes::BytesMut;
use deadpool_postgres::GenericClient;
use jiff::civil::Date;
use tokio_postgres::Row;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, accepts, to_sql_checked};

use super::fault::Fault;
use crate::domain::decimal::Totals;

/// What a statement is given.
pub type Param<'p> = &'p (dyn ToSql + Sync);

/// Asks with a statement that the connection keeps.
pub async fn query(
    client: &impl GenericClient,
    sql: &str,
    params: &[Param<'_>],
) -> Result<Vec<Row>, Fault> {
    let statement = client.prepare_cached(sql).await?;
    Ok(client.query(&statement, params).await?)
}

/// As [`query`], for one row at most.
pub async fn query_opt(
    client: &impl GenericClient,
    sql: &str,
    params: &[Param<'_>],
) -> Result<Option<Row>, Fault> {
    let statement = client.prepare_cached(sql).await?;
    Ok(client.query_opt(&statement, params).await?)
}

/// Does with a statement that the connection keeps.
pub async fn execute(
    client: &impl GenericClient,
    sql: &str,
    params: &[Param<'_>],
) -> Result<(), Fault> {
    let statement = client.prepare_cached(sql).await?;
    client.execute(&statement, params).await?;
    Ok(())
}

/// A column that holds the canonical text of a value.
pub fn parsed<T>(row: &Row, at: usize) -> Result<T, Fault>
where
    T: FromStr,
    T::Err: std::fmt::Display,
{
    parsed_text(row.try_get(at)?)
}

/// The value that a text is of.
pub fn parsed_text<T>(text: &str) -> Result<T, Fault>
where
    T: FromStr,
    T::Err: std::fmt::Display,
{
    text.parse().map_err(|reason: T::Err| Fault::Unfit(reason.to_string()))
}

/// A column that may be absent, or empty.
pub fn optional<T>(row: &Row, at: usize) -> Result<Option<T>, Fault>
where
    T: FromStr,
    T::Err: std::fmt::Display,
{
    match row.try_get(at)? {
        None | Some("") => Ok(None),
        Some(text) => parsed_text(text).map(Some),
    }
}

/// A column that counts something.
pub fn counted(row: &Row, at: usize) -> Result<u64, Fault> {
    Ok(unsigned(row.try_get(at)?))
}

/// Lines, quantity and amount from three columns.
pub fn totals(row: &Row, at: usize) -> Result<Totals, Fault> {
    Ok(Totals {
        lines: counted(row, at)?,
        quantity: parsed(row, at + 1)?,
        amount: parsed(row, at + 2)?,
    })
}

/// PostgreSQL keeps signed integers; ours never reach the sign bit.
pub fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// The reverse of [`signed`].
pub fn unsigned(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}

/// A day as a column of type DATE has it: counted from 2000-01-01.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Day(pub Date);

const EPOCH: Date = jiff::civil::date(2000, 1, 1);

impl ToSql for Day {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        let days = self.0.since((jiff::Unit::Day, EPOCH))?.get_days();
        out.extend_from_slice(&days.to_be_bytes());
        Ok(IsNull::No)
    }

    accepts!(DATE);
    to_sql_checked!();
}

impl<'a> FromSql<'a> for Day {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        let days = i32::from_be_bytes(raw.try_into()?);
        Ok(Self(EPOCH.checked_add(jiff::Span::new().try_days(days)?)?))
    }

    accepts!(DATE);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_counted_both_ways() {
        for (text, days) in [("2000-01-01", 0), ("1999-12-31", -1), ("2026-11-24", 9824)] {
            let mut out = BytesMut::new();
            let day = Day(text.parse().unwrap());
            day.to_sql(&Type::DATE, &mut out).unwrap();
            assert_eq!(out[..], i32::to_be_bytes(days), "{text}");
            assert_eq!(Day::from_sql(&Type::DATE, &out).unwrap(), day);
        }
    }
}
