//! What the settings of the embedded store must come to.

use refinery::Target;
use rusqlite::StatementStatus;

use super::lines::{Kept, Lines};
use super::*;
use crate::change::{LineListing, LineRow};
use crate::domain::listing::listing_key;
use crate::domain::sale::{RawLine, SaleLine};

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

/// What a store of the version before narrow keys holds: two reports on two days, goods that were
/// listed, listed differently and not at all, and a line that is held back.
const WIDE: &str = "
    INSERT INTO rollup_cells VALUES
    (1, 'r', 'market', '2026-01-05', 'A', '20267565393', '22042100', 'OFFICIAL_STORE', 'AR-M', 'MICRO',
        'CN-SH', 'CNY', 'SALE', 2, '3', '30.5', 2),
    (2, 'r', 'market', '2026-01-05', 'A', '20267565393', '22042100', 'OFFICIAL_STORE', 'AR-M', 'SMALL',
        'CN-SH', 'CNY', 'SALE', 1, '1', '10', 1),
    (3, 'r', 'market', '2026-01-06', '(key of B)', '', '', '', '', '', '', 'USD', 'SALE', 1, '2', '8', 1),
    (4, 'r', 'market', '2026-01-06', 'A', '20267565393', '22042100', 'OFFICIAL_STORE', 'AR-M', 'MICRO',
        'CN-SH', 'CNY', 'RETURN', 0, '0', '0', NULL),
    (5, 's', 'market', '2026-01-05', 'A', '20267565393', '22042100', 'OFFICIAL_STORE', 'AR-M', 'MICRO',
        'CN-SH', 'CNY', 'SALE', 1, '7', '70', 1);
    INSERT INTO sale_lines (line_seq, report, marketplace, line_id, order_id, kind,
        original_line_id, sku, listing, quantity, unit_price, currency, sold_at, day, destination,
        cell, verdict, entry_index) VALUES
    (1, 'r', 'market', 'L1', 'O1', 'SALE', NULL, 'A', 'A', '1', '10', 'CNY', '2026-01-05T08:00:00Z',
        '2026-01-05', 'CN-SH', 1, 'ACCEPTED', 0),
    (2, 'r', 'market', 'L2', 'O2', 'SALE', NULL, 'A', 'A', '2', '10.25', 'CNY', '2026-01-05T08:00:00Z',
        '2026-01-05', 'CN-SH', 1, 'ACCEPTED', 0),
    (3, 'r', 'market', 'L3', 'O3', 'SALE', NULL, 'A', 'A', '1', '10', 'CNY', '2026-01-05T08:00:00Z',
        '2026-01-05', 'CN-SH', 2, 'ACCEPTED', 0),
    (4, 'r', 'market', 'L4', 'O4', 'SALE', NULL, 'B', NULL, '2', '4', 'USD', '2026-01-06T08:00:00Z',
        '2026-01-06', '', 3, 'UNKNOWN_SKU', 0),
    (5, 'r', 'market', 'L5', 'O1', 'RETURN', 'L1', 'A', 'A', '9', '10', 'CNY', '2026-01-06T08:00:00Z',
        '2026-01-06', 'CN-SH', 4, 'EXCEEDS_ORIGINAL', 0),
    (6, 's', 'market', 'L6', 'O6', 'SALE', NULL, 'A', 'A', '7', '10', 'CNY', '2026-01-05T08:00:00Z',
        '2026-01-05', 'CN-SH', 5, 'ACCEPTED', 0);
    INSERT INTO report_totals VALUES ('r', 'SALE', 'CNY', 3, '4', '40.5'),
        ('r', 'SALE', 'USD', 1, '2', '8'), ('r', 'RETURN', 'CNY', 1, '9', '90'),
        ('s', 'SALE', 'CNY', 1, '7', '70');
    INSERT INTO report_progress (report, next_line, accepted, warned, duplicates, refused)
        VALUES ('r', 5, 3, 2, 0, 0), ('s', 1, 1, 0, 0, 0);
";

#[test]
fn cells_of_wide_keys_are_the_same_under_narrow_ones() {
    let folder = tempfile::tempdir().unwrap();
    let mut connection = connect(&folder.path().join("puente.db"), OpenFlags::default()).unwrap();
    let migrate = |connection: &mut Connection, target| {
        migrations::migrations::runner().set_target(target).run(connection).unwrap()
    };
    migrate(&mut connection, Target::Version(8));
    let market = "market".parse().unwrap();
    let key = listing_key(&market, "B");
    connection.execute_batch(&WIDE.replace("(key of B)", &key)).unwrap();
    let wide = "SELECT report, marketplace, day, listing, seller, ncm, channel, province, \
         size_class, destination, currency, kind, lines, quantity, amount, orders \
         FROM rollup_cells WHERE lines > 0";
    let before = told(&connection, wide);
    migrate(&mut connection, Target::Latest);
    net_sold::catch_up(&mut connection).unwrap();
    let all = RollupQuery::default();
    let cells = questions::rollups(&connection, &all).unwrap();
    let narrow = "SELECT s.report, s.marketplace, s.day, g.listing, g.seller, g.ncm, g.channel, \
         g.province, g.size_class, s.destination, s.currency, s.kind, c.lines, c.quantity, \
         c.amount, c.orders FROM rollup_cells c JOIN rollup_slices s ON s.slice = c.cell >> 32 \
         JOIN rollup_goods g ON g.goods = c.cell & 4294967295 WHERE c.lines > 0";
    assert_eq!(told(&connection, narrow), before);
    let in_sums = "SELECT COUNT(*) FROM cell_sums WHERE cell NOT IN (SELECT cell FROM cell_gains)";
    assert_eq!(told(&connection, in_sums), ["[Integer(5)]"], "nothing waits in an older store");
    assert_eq!((cells.len(), before.len()), (4, 4));
    let checked = check::sums(&connection, 9).unwrap();
    assert_eq!((checked.lines, checked.cells, checked.differences), (6, 5, vec![]));

    // Lines that come later find the cells that are there.
    let lines = [(Some("MICRO"), "A", "CNY", "CN-SH", "05"), (None, "B", "USD", "", "06")];
    let rows = (0..).zip(lines).map(|(position, (size_class, sku, currency, destination, day))| {
        let line = SaleLine::parse(&RawLine {
            line_id: &format!("N{position}"),
            order_id: "N",
            kind: "SALE",
            sku,
            quantity: "1",
            unit_price: "1",
            currency,
            sold_at: &format!("2026-01-{day}T09:00:00Z"),
            destination,
            ..RawLine::default()
        });
        let listing = size_class.map(|size_class| {
            Arc::new(LineListing {
                key: "A".into(),
                seller: "20267565393".into(),
                ncm: "22042100".into(),
                channel: "OFFICIAL_STORE".parse().unwrap(),
                province: "AR-M".into(),
                size_class: size_class.into(),
            })
        });
        LineRow { position, line: line.unwrap(), listing, warnings: vec![] }
    });
    let period = "2026-01-01..2026-01-31".parse().unwrap();
    let batch = LineBatch::new(market, "r".into(), period, 5, 2, rows.collect(), vec![]);
    let mut writing = Lines::over(&connection, Kept::default());
    assert_eq!(writing.append(&batch, 1).unwrap().accepted, 2);
    writing.done().unwrap();
    let checked = check::sums(&connection, 9).unwrap();
    assert_eq!((checked.lines, checked.cells, checked.differences), (8, 5, vec![]));
    let first = told(&connection, narrow).into_iter().find(|cell| cell.contains("MICRO"));
    assert!(first.unwrap().contains("Integer(3), Text(\"4\"), Text(\"31.5\"), Integer(3)"));
}

/// Rows as text, in order.
fn told(connection: &Connection, sql: &str) -> Vec<String> {
    let mut statement = connection.prepare(sql).unwrap();
    let columns = statement.column_count();
    let row = |row: &rusqlite::Row<'_>| {
        let values: Vec<rusqlite::types::Value> =
            (0..columns).map(|at| row.get(at).unwrap()).collect();
        Ok(format!("{values:?}"))
    };
    let mut rows: Vec<String> = statement.query_map([], row).unwrap().map(Result::unwrap).collect();
    rows.sort();
    rows
}

#[test]
fn what_is_due_is_found_by_its_index_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("puente.db");
    drop(SqliteStore::open(&path).unwrap());
    let connection = connect(&path, read_only()).unwrap();
    for (kind, index) in [
        (Kind::Listing, "listings_by_due"),
        (Kind::Exporter, "exporters_by_due"),
        (Kind::Settlement, "settlements_by_due"),
    ] {
        let sql = format!("EXPLAIN QUERY PLAN {}", documents::due_sql(kind));
        let mut statement = connection.prepare(&sql).unwrap();
        let plan: Vec<String> = statement
            .query_map(("2026-07-01", "", "", 10), |row| row.get(3))
            .unwrap()
            .collect::<rusqlite::Result<_>>()
            .unwrap();
        let plan = plan.join("; ");
        assert!(plan.contains(index) && !plan.contains("TEMP B-TREE"), "{plan}");
    }
}

#[test]
fn what_was_written_before_is_due_on_its_first_turn() {
    let connection = Connection::open_in_memory().unwrap();
    connection
        .execute_batch(
            r#"CREATE TABLE listings (key TEXT, state TEXT, body BLOB);
            CREATE TABLE exporters (key TEXT, body BLOB);
            INSERT INTO listings VALUES
            ('ends', 'CLEARED', CAST('{"submitted_at":"2026-05-01T00:00:00Z","certificates":[
                {"issuer":"INV","number":"1","valid_to":"2026-12-31"},
                {"issuer":"INV","number":"0","valid_to":"2026-01-31"}]}' AS BLOB)),
            ('bare', 'CLEARED', CAST('{"submitted_at":"2026-05-01T00:00:00Z"}' AS BLOB)),
            ('draft', 'DRAFT', CAST('{"certificates":[
                {"issuer":"INV","number":"1","valid_to":"2026-12-31"}]}' AS BLOB));
            INSERT INTO exporters VALUES
            ('turns', CAST('{"updated_at":"2026-06-01T02:00:00Z","facts":[
                {"valid_from":"2026-01-01"}, {"valid_from":"2026-05-31","valid_to":null},
                {"valid_from":"2026-04-01","valid_to":"2026-06-30"}]}' AS BLOB)),
            ('stays', CAST('{"updated_at":"2026-06-01T12:00:00Z","facts":[
                {"valid_from":"2026-01-01"}]}' AS BLOB));"#,
        )
        .unwrap();
    connection
        .execute_batch(include_str!("../migrations/sqlite/V10__days_on_which_something_ends.sql"))
        .unwrap();
    let due = |table: &str, key: &str| -> String {
        let sql = format!("SELECT due FROM {table} WHERE key = ?1");
        connection.query_row(&sql, [key], |row| row.get(0)).unwrap()
    };
    assert_eq!(due("listings", "ends"), "2027-01-01");
    assert_eq!(due("listings", "bare"), crate::change::NEVER);
    assert_eq!(due("listings", "draft"), crate::change::NEVER);
    assert_eq!(due("exporters", "turns"), "2026-07-01");
    assert_eq!(due("exporters", "stays"), crate::change::NEVER);
}
