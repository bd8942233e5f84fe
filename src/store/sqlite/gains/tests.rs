//! Cells are exact whatever waits to be added to their sums, and are found without a look at all.

use std::path::Path;

use rusqlite::OpenFlags;

use super::super::documents::unsigned;
use super::super::lines::{Kept, Lines};
use super::super::{connect, migrations};
use super::*;
use crate::change::{LineBatch, LineRow};
use crate::domain::decimal::Amount;
use crate::domain::sale::{RawLine, SaleLine};

fn open(path: &Path) -> Connection {
    let mut connection = connect(path, OpenFlags::default()).unwrap();
    migrations::migrations::runner().run(&mut connection).unwrap();
    connection
}

fn totals(lines: u64, quantity: &str, amount: &str) -> Totals {
    let decimal = |text: &str| text.parse::<Amount>().unwrap().value();
    Totals { lines, quantity: decimal(quantity), amount: decimal(amount) }
}

/// Cells as everybody reads them.
fn cells(connection: &Connection) -> Vec<(i64, Totals, Option<u64>)> {
    connection
        .prepare("SELECT lines, quantity, amount, orders, cell FROM rollup_cells ORDER BY cell")
        .unwrap()
        .query_map([], |row| {
            Ok((row.get(4)?, sums(row)?, row.get::<_, Option<i64>>(3)?.map(unsigned)))
        })
        .unwrap()
        .map(Result::unwrap)
        .collect()
}

/// Rows of sums and of gains.
fn rows(connection: &Connection) -> [u32; 2] {
    ["cell_sums", "cell_gains"].map(|table| {
        let sql = format!("SELECT COUNT(*) FROM {table}");
        connection.query_row(&sql, [], |row| row.get(0)).unwrap()
    })
}

#[test]
fn cells_are_whole_whether_gains_are_folded_or_wait_and_after_any_end() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("puente.db");
    let mut connection = open(&path);
    let mut gains = Gains { most: 4, ..Gains::default() };
    let mut folded = false;
    let mut waited = false;
    for round in 1..=30_u64 {
        let transaction = connection.transaction().unwrap();
        for cell in 0..10 {
            let added = totals(1, "2.5", if cell % 2 == 0 { "0.01" } else { "-7" });
            let orders = (cell < 5).then_some(1);
            gains.add(&transaction, cell * 1_000_000_007, added, orders).unwrap();
        }
        gains.fold_some(&transaction).unwrap();
        if round % 3 == 0 {
            // As when the process ends before the transaction is durable.
            drop(transaction);
            gains = Gains { most: 4, ..Gains::default() };
        } else {
            transaction.commit().unwrap();
        }
        if round % 5 == 0 {
            drop(connection);
            connection = open(&path);
            gains = Gains { most: 4, ..Gains::default() };
        }
        let durable = round - round / 3;
        let all = cells(&connection);
        assert_eq!(all.len(), 10);
        for (place, (cell, sums, orders)) in (0..).zip(all) {
            assert_eq!(cell, place * 1_000_000_007);
            let times = Decimal::from(durable);
            let one = totals(1, "2.5", if place % 2 == 0 { "0.01" } else { "-7" });
            let quantity = (one.quantity * times).normalize();
            let amount = (one.amount * times).normalize();
            assert_eq!(sums, Totals { lines: durable, quantity, amount });
            assert_eq!(orders, (place < 5).then_some(durable));
        }
        let [sums, waiting] = rows(&connection);
        (folded, waited) = (folded || sums > 0, waited || waiting > 0);
        assert!(waiting <= 14, "{waiting} wait");
    }
    assert!(folded && waited);
}

#[test]
fn what_is_written_to_a_cell_by_other_ways_finds_its_gains() {
    let folder = tempfile::tempdir().unwrap();
    let connection = open(&folder.path().join("puente.db"));
    let mut gains = Gains::default();
    gains.add(&connection, 7, totals(3, "3", "30"), Some(3)).unwrap();
    gains.add(&connection, 8, totals(1, "-1", "0"), None).unwrap();
    repeats(&connection, 7, 1).unwrap();
    add_now(&connection, 8, totals(1, "-1", "-0.5"), None).unwrap();
    add_now(&connection, 9, totals(1, "1", "1"), Some(1)).unwrap();
    assert_eq!(rows(&connection), [3, 0]);
    gains.add(&connection, 8, totals(1, "-1", "-0.5"), None).unwrap();
    let held = [
        (7, totals(3, "3", "30"), Some(2)),
        (8, totals(3, "-3", "-1"), None),
        (9, totals(1, "1", "1"), Some(1)),
    ];
    assert_eq!(cells(&connection), held);
    assert_eq!(rows(&connection), [3, 1]);
}

#[test]
fn what_may_not_fit_is_refused_when_it_comes() {
    let folder = tempfile::tempdir().unwrap();
    let connection = open(&folder.path().join("puente.db"));
    let largest = Totals { lines: 1, quantity: Decimal::ONE, amount: Decimal::MAX };
    add_now(&connection, 7, largest, None).unwrap();
    add_now(&connection, 7, totals(1, "1", "1"), None).unwrap_err();
    assert_eq!(cells(&connection), [(7, largest, None)]);

    let great = Decimal::from(1_000_000_000_000_000_000_i64);
    let total = |lines, amount| Totals { lines, quantity: Decimal::ONE, amount };
    assert!(surely_fit(SaleKind::Adjustment, total(FEW - 1, great)));
    assert!(!surely_fit(SaleKind::Adjustment, total(FEW, Decimal::ONE)));
    assert!(surely_fit(SaleKind::Refund, total(FEW, great - Decimal::ONE)));
    assert!(!surely_fit(SaleKind::Refund, total(FEW, great)));
}

#[test]
fn lines_that_take_a_cell_beyond_what_fits_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let connection = open(&folder.path().join("puente.db"));
    let first = 1_i64 << 32 | 1;
    let sql = "INSERT INTO cell_sums VALUES (?1, 1, '1', ?2, NULL)";
    connection.execute(sql, (first, Decimal::MAX.to_string())).unwrap();
    let written = |sent: u32| {
        let rows = (0..).take(sent as usize).map(|position| {
            let line = SaleLine::parse(&RawLine {
                line_id: &format!("L{position}"),
                order_id: "O",
                kind: "ADJUSTMENT",
                sku: "A",
                quantity: "1",
                unit_price: "1",
                currency: "CNY",
                sold_at: "2026-01-05T09:00:00Z",
                ..RawLine::default()
            });
            LineRow { position, line: line.unwrap(), listing: None, warnings: vec![] }
        });
        let period = "2026-01-01..2026-01-31".parse().unwrap();
        let market = "market".parse().unwrap();
        let batch = LineBatch::new(market, "r".into(), period, 0, sent, rows.collect(), vec![]);
        let transaction = connection.unchecked_transaction().unwrap();
        let mut writing = Lines::over(&transaction, Kept::default());
        writing.append(&batch, 1).unwrap();
        writing.done().map(|_| transaction.commit().unwrap())
    };
    assert!(written(FEW as u32).is_err());
    assert_eq!(rows(&connection), [1, 0]);
}

#[test]
fn cells_are_searched_by_their_number_on_both_sides() {
    let folder = tempfile::tempdir().unwrap();
    let connection = open(&folder.path().join("puente.db"));
    let of_slice = "c.cell BETWEEN (s.slice << 32) AND (s.slice << 32 | 4294967295)";
    for question in [
        format!("SELECT c.amount FROM rollup_slices s CROSS JOIN rollup_cells c ON {of_slice}"),
        "SELECT c.amount FROM rollup_goods g CROSS JOIN rollup_slices s CROSS JOIN rollup_cells c \
         ON c.cell = (s.slice << 32 | g.goods)"
            .to_owned(),
        "SELECT EXISTS (SELECT 1 FROM rollup_cells c WHERE c.cell = l.cell) FROM sale_lines l"
            .to_owned(),
        "SELECT c.cell, c.amount, t.day FROM rollup_cells c LEFT JOIN rollup_slices t \
         ON t.slice = c.cell >> 32 WHERE c.cell > 7 ORDER BY c.cell"
            .to_owned(),
    ] {
        let plan: Vec<String> = connection
            .prepare(&format!("EXPLAIN QUERY PLAN {question}"))
            .unwrap()
            .query_map([], |row| row.get(3))
            .unwrap()
            .collect::<rusqlite::Result<_>>()
            .unwrap();
        let plan = plan.join("; ");
        for bad in ["SCAN summed", "SCAN gained", "MATERIALIZE", "CO-ROUTINE", "TEMP B-TREE"] {
            assert!(!plan.contains(bad), "{question}: {plan}");
        }
        assert!(plan.contains("SEARCH summed") && plan.contains("SEARCH gained"), "{plan}");
    }
}
