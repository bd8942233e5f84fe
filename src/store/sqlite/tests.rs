//! What the settings of the embedded store must come to.

use rusqlite::StatementStatus;

use super::*;

#[test]
fn a_kept_statement_is_not_planned_anew() {
    let folder = tempfile::tempdir().unwrap();
    let connection = connect(&folder.path().join("puente.db"), OpenFlags::default()).unwrap();
    connection
        .execute_batch("CREATE TABLE t (x, y); CREATE INDEX odd ON t (x) WHERE y <> 'A'")
        .unwrap();
    let sql = "SELECT x FROM t WHERE x > ?1 AND y = ?2 ORDER BY x LIMIT ?3";
    for limit in 0..3 {
        let mut kept = connection.prepare_cached(sql).unwrap();
        assert!(!kept.exists((limit, "B", limit)).unwrap());
        assert_eq!(kept.get_status(StatementStatus::RePrepare), 0);
    }
}

#[test]
fn a_commit_is_synced_and_readers_cannot_write() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("puente.db");
    let writer = connect(&path, OpenFlags::default()).unwrap();
    let pragma = |name: &str| -> String {
        writer
            .pragma_query_value(None, name, |row| row.get::<_, rusqlite::types::Value>(0))
            .map(|value| format!("{value:?}"))
            .unwrap()
    };
    assert_eq!(pragma("journal_mode"), "Text(\"wal\")");
    assert_eq!(pragma("synchronous"), "Integer(2)", "FULL");
    writer.execute_batch("CREATE TABLE t (x)").unwrap();
    let reader = connect(&path, read_only()).unwrap();
    assert!(reader.execute_batch("INSERT INTO t VALUES (1)").is_err());
}
