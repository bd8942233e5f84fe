//! Documents: one table a kind, one set of statements for all.
//!
//! Enters: records and page queries. Leaves: records. It knows no kind by name.

use std::sync::LazyLock;

use jiff::civil::Date;
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Row, params_from_iter};

use crate::change::{KINDS, Kind, NEVER, Record};
use crate::store::PageQuery;

/// The document, if there is one.
pub fn one(connection: &Connection, kind: Kind, key: &str) -> rusqlite::Result<Option<Record>> {
    connection.prepare_cached(&sql(kind).one)?.query_row([key], |row| record(kind, row)).optional()
}

/// Version and state of the document; version 0 and no state if there is none.
pub fn standing(connection: &Connection, kind: Kind, key: &str) -> rusqlite::Result<(u64, String)> {
    let found = connection
        .prepare_cached(&sql(kind).standing)?
        .query_row([key], |row| Ok((unsigned(row.get(0)?), row.get(1)?)))
        .optional()?;
    Ok(found.unwrap_or_default())
}

/// How many documents of a kind the owner has in that state, counted no further than `most`.
pub fn count(
    connection: &Connection,
    kind: Kind,
    owner: &str,
    state: &str,
    most: u32,
) -> rusqlite::Result<u32> {
    let sql = format!(
        "SELECT COUNT(*) FROM (SELECT 1 FROM {} WHERE owner = ?1 AND state = ?2 LIMIT ?3)",
        kind.table()
    );
    connection.prepare_cached(&sql)?.query_row((owner, state, most), |row| row.get(0))
}

/// The first document of the owner with that value in that column and in one of those states.
pub fn like(
    connection: &Connection,
    kind: Kind,
    owner: &str,
    (column, value): (&str, &str),
    states: &[&str],
) -> rusqlite::Result<Option<String>> {
    let sql = format!(
        "SELECT key, state FROM {} WHERE {column} = ?1 AND owner = ?2 ORDER BY key",
        kind.table()
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query((value, owner))?;
    while let Some(row) = rows.next()? {
        if states.contains(&row.get_ref(1)?.as_str()?) {
            return row.get(0).map(Some);
        }
    }
    Ok(None)
}

/// A page of documents in the order of their keys.
pub fn page(connection: &Connection, query: &PageQuery) -> rusqlite::Result<Vec<Record>> {
    let mut sql = format!("{} WHERE key > ?1", sql(query.kind).select);
    let mut values = vec![Value::Text(query.after.clone())];
    let mut also = |condition: &str, value: &str| {
        values.push(Value::Text(value.to_owned()));
        sql.push_str(" AND ");
        sql.push_str(&condition.replace('?', &format!("?{}", values.len())));
    };
    if let Some(owner) = &query.owner {
        also("owner = ?", owner);
    }
    if let Some(state) = &query.state {
        also("state = ?", state);
    }
    for (column, value) in &query.equal {
        also(&format!("{column} = ?"), value);
    }
    for (column, value) in &query.prefix {
        also(&format!("substr({column}, 1, {}) = ?", value.chars().count()), value);
    }
    for (column, first, last) in &query.between {
        also(&format!("{column} >= ?"), first);
        also(&format!("{column} <= ?"), last);
    }
    values.push(Value::Integer(i64::from(query.limit)));
    sql.push_str(&format!(" ORDER BY key LIMIT ?{}", values.len()));
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement.query_map(params_from_iter(values), |row| record(query.kind, row))?;
    rows.collect()
}

/// Documents that are due, see [`Store::due`](crate::store::Store::due).
pub fn due(
    connection: &Connection,
    kind: Kind,
    day: Date,
    after: Option<(String, String)>,
    limit: u32,
) -> rusqlite::Result<Vec<Record>> {
    let (due, key) = after.unwrap_or_default();
    let mut statement = connection.prepare_cached(&due_sql(kind))?;
    let rows = statement.query_map((day.to_string(), due, key, limit), |row| record(kind, row))?;
    rows.collect()
}

/// The bound of the partial index stands in the text, so that the index serves.
pub(super) fn due_sql(kind: Kind) -> String {
    format!(
        "{} WHERE due <= ?1 AND due < '{NEVER}' AND (due, key) > (?2, ?3) \
         ORDER BY due, key LIMIT ?4",
        sql(kind).select
    )
}

/// Writes a document as `version`.
pub fn put(connection: &Connection, record: &Record, version: u64) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached(&sql(record.kind).put)?;
    statement.raw_bind_parameter(1, &record.key)?;
    statement.raw_bind_parameter(2, &record.owner)?;
    statement.raw_bind_parameter(3, &record.state)?;
    statement.raw_bind_parameter(4, signed(version))?;
    statement.raw_bind_parameter(5, &record.body)?;
    for (at, value) in (6..).zip(&record.columns) {
        statement.raw_bind_parameter::<usize, _>(at, value)?;
    }
    statement.raw_execute().map(drop)
}

/// The statements for documents of one kind.
struct Sql {
    select: String,
    one: String,
    standing: String,
    put: String,
}

fn sql(kind: Kind) -> &'static Sql {
    static OF_KIND: LazyLock<[Sql; KINDS.len()]> = LazyLock::new(|| KINDS.map(Sql::of));
    &OF_KIND[kind as usize]
}

impl Sql {
    fn of(kind: Kind) -> Self {
        let (table, columns) = (kind.table(), kind.columns());
        let names: String = columns.iter().map(|name| format!(", {name}")).collect();
        let places: String = (0..columns.len()).map(|at| format!(", ?{}", at + 6)).collect();
        let sets: String =
            columns.iter().map(|name| format!(", {name} = excluded.{name}")).collect();
        let select = format!("SELECT key, owner, state, version, body{names} FROM {table}");
        Self {
            one: format!("{select} WHERE key = ?1"),
            standing: format!("SELECT version, state FROM {table} WHERE key = ?1"),
            put: format!(
                "INSERT INTO {table} (key, owner, state, version, body{names}) \
                 VALUES (?1, ?2, ?3, ?4, ?5{places}) ON CONFLICT (key) DO UPDATE SET \
                 owner = excluded.owner, state = excluded.state, version = excluded.version, \
                 body = excluded.body{sets}"
            ),
            select,
        }
    }
}

fn record(kind: Kind, row: &Row<'_>) -> rusqlite::Result<Record> {
    let columns: rusqlite::Result<Vec<String>> =
        (0..kind.columns().len()).map(|at| row.get(at + 5)).collect();
    Ok(Record {
        kind,
        key: row.get(0)?,
        owner: row.get(1)?,
        state: row.get(2)?,
        version: unsigned(row.get(3)?),
        body: row.get(4)?,
        columns: columns?,
    })
}

/// SQLite keeps signed integers; ours never reach the sign bit.
pub fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// The reverse of [`signed`].
pub fn unsigned(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}
