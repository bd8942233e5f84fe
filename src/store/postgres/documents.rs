//! Documents: one table a kind, one set of statements for all.
//!
//! Enters: records and page queries. Leaves: records. It knows no kind by name.

use std::fmt::Write as _;

use deadpool_postgres::GenericClient;
use jiff::civil::Date;
use tokio_postgres::Row;

use super::fault::Fault;
use super::values::{Param, counted, execute, query, signed};
use crate::change::{Kind, NEVER, Record};
use crate::store::PageQuery;

/// Those of the documents that exist.
pub async fn some(
    client: &impl GenericClient,
    kind: Kind,
    keys: &[String],
) -> Result<Vec<Record>, Fault> {
    let sql = format!("{} WHERE key = ANY($1)", select(kind));
    query(client, &sql, &[&keys]).await?.iter().map(|row| record(kind, row)).collect()
}

/// Those of the documents that have one of these values in a column, in the order of their keys.
pub async fn having(
    client: &impl GenericClient,
    kind: Kind,
    column: &'static str,
    values: &[&str],
) -> Result<Vec<Record>, Fault> {
    let sql = format!("{} WHERE {column} = ANY($1) ORDER BY key", select(kind));
    query(client, &sql, &[&values]).await?.iter().map(|row| record(kind, row)).collect()
}

/// A page of documents in the order of their keys.
pub async fn page(client: &impl GenericClient, asked: &PageQuery) -> Result<Vec<Record>, Fault> {
    let mut sql = format!("{} WHERE key > $1", select(asked.kind));
    let limit = i64::from(asked.limit);
    let mut values: Vec<Param<'_>> = vec![&asked.after, &limit];
    let mut also = |condition: String, value| {
        values.push(value);
        let place = format!("${}", values.len());
        let _ = write!(sql, " AND {}", condition.replace('?', &place));
    };
    if let Some(owner) = &asked.owner {
        also("owner = ?".into(), owner);
    }
    if let Some(state) = &asked.state {
        also("state = ?".into(), state);
    }
    for (column, value) in &asked.equal {
        also(format!("{column} = ?"), value);
    }
    for (column, value) in &asked.prefix {
        also(format!("starts_with({column}, ?)"), value);
    }
    for (column, first, last) in &asked.between {
        also(format!("{column} >= ?"), first);
        also(format!("{column} <= ?"), last);
    }
    sql.push_str(" ORDER BY key LIMIT $2");
    query(client, &sql, &values).await?.iter().map(|row| record(asked.kind, row)).collect()
}

/// Documents that are due, see [`Store::due`](crate::store::Store::due).
pub async fn due(
    client: &impl GenericClient,
    kind: Kind,
    day: Date,
    after: Option<(String, String)>,
    limit: u32,
) -> Result<Vec<Record>, Fault> {
    let (due, key) = after.unwrap_or_default();
    // The bound of the partial index stands in the text, so that the index serves.
    let sql = format!(
        "{} WHERE due <= $1 AND due < '{NEVER}' AND (due, key) > ($2, $3) \
         ORDER BY due, key LIMIT $4",
        select(kind)
    );
    let values: [Param<'_>; 4] = [&day.to_string(), &due, &key, &i64::from(limit)];
    query(client, &sql, &values).await?.iter().map(|row| record(kind, row)).collect()
}

/// Writes documents of a kind, each once, with their versions.
pub async fn put(
    client: &impl GenericClient,
    kind: Kind,
    records: &[&Record],
) -> Result<(), Fault> {
    let columns = kind.columns();
    let names: String = columns.iter().map(|name| format!(", {name}")).collect();
    let places: String = (6..6 + columns.len()).map(|at| format!(", ${at}::text[]")).collect();
    let sets: String = columns.iter().map(|name| format!(", {name} = excluded.{name}")).collect();
    let sql = format!(
        "INSERT INTO {} (key, owner, state, version, body{names}) SELECT * FROM \
         unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::bytea[]{places}) \
         ON CONFLICT (key) DO UPDATE SET owner = excluded.owner, state = excluded.state, \
         version = excluded.version, body = excluded.body{sets}",
        kind.table()
    );
    let keys: Vec<&str> = records.iter().map(|record| record.key.as_str()).collect();
    let owners: Vec<&str> = records.iter().map(|record| record.owner.as_str()).collect();
    let states: Vec<&str> = records.iter().map(|record| record.state.as_str()).collect();
    let versions: Vec<i64> = records.iter().map(|record| signed(record.version)).collect();
    let bodies: Vec<&[u8]> = records.iter().map(|record| record.body.as_slice()).collect();
    let values: Vec<Vec<&str>> = (0..columns.len())
        .map(|at| records.iter().map(|record| record.columns[at].as_str()).collect())
        .collect();
    let mut params: Vec<Param<'_>> = vec![&keys, &owners, &states, &versions, &bodies];
    params.extend(values.iter().map(|values| values as Param<'_>));
    execute(client, &sql, &params).await
}

fn select(kind: Kind) -> String {
    let names: String = kind.columns().iter().map(|name| format!(", {name}")).collect();
    format!("SELECT key, owner, state, version, body{names} FROM {}", kind.table())
}

fn record(kind: Kind, row: &Row) -> Result<Record, Fault> {
    let columns: Result<Vec<String>, _> =
        (0..kind.columns().len()).map(|at| row.try_get(at + 5)).collect();
    Ok(Record {
        kind,
        key: row.try_get(0)?,
        owner: row.try_get(1)?,
        state: row.try_get(2)?,
        version: counted(row, 3)?,
        body: row.try_get(4)?,
        columns: columns?,
    })
}
