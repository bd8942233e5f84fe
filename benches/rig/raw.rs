//! The raw store: what somebody would write by hand over the same schema, without any rule.
//!
//! Values are ready as text before the clock starts; a line's id is taken once, by the key of
//! the identity table; rollups are gathered in memory over a transaction, as the gateway does.

use std::collections::HashMap;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use puente::proto::puente::sales::v1::{LineKind, SaleLine};
use puente::store::sqlite::SqliteStore;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OptionalExtension as _, Transaction, params};
use rust_decimal::Decimal;
use tokio::sync::{mpsc, oneshot};

use crate::input::Lines;
use crate::measure::{Meter, Sample, Until, micros};
use crate::server;
use crate::tpch::Lineitems;
use crate::writes::CALLERS;

const LINES: usize = 5000;
const REPORT: &str = "0198c7a2-6a0f-7b51-9c7e-1f2a3b4c5d6e";

/// Runs a side of this file as a process of its own.
pub fn run<S: AsRef<std::ffi::OsStr>>(args: &[S]) -> Sample {
    let program = std::env::current_exe().unwrap();
    let output =
        Command::new(program).args(args).stderr(Stdio::inherit()).output().expect("the raw side");
    let text = String::from_utf8(output.stdout).unwrap();
    let n: Vec<f64> = text.split_whitespace().map(|n| n.parse().unwrap()).collect();
    Sample { rate: n[0], p50: n[1], p99: n[2], cpu: n[3] }
}

pub fn ingest_args(data: Option<&Path>, count: usize) -> Vec<String> {
    let mut args = vec!["raw-ingest".to_owned(), count.to_string()];
    args.extend(data.map(|path| path.to_str().unwrap().to_owned()));
    args
}

fn tell(sample: Sample) {
    println!("{} {} {} {}", sample.rate, sample.p50, sample.p99, sample.cpu);
}

/// The store's own settings, over its own schema as of its last migration.
fn open(folder: &Path) -> Connection {
    let path = folder.join("raw.db");
    drop(SqliteStore::open(&path).unwrap());
    let connection = Connection::open(path).unwrap();
    connection.set_prepared_statement_cache_capacity(128);
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).unwrap();
    connection.pragma_update(None, "cache_size", -16 * 1024).unwrap();
    connection.pragma_update(None, "journal_mode", "WAL").unwrap();
    connection.pragma_update(None, "synchronous", "FULL").unwrap();
    connection.pragma_update(None, "journal_size_limit", 64 * 1024 * 1024).unwrap();
    connection.pragma_update(None, "foreign_keys", true).unwrap();
    connection
}

struct Row {
    line: SaleLine,
    kind: &'static str,
    listing: String,
    quantity: Decimal,
    amount: Decimal,
}

fn row(line: SaleLine) -> Row {
    let kind = match line.kind() {
        LineKind::Cancellation => "CANCELLATION",
        LineKind::Adjustment => "ADJUSTMENT",
        _ => "SALE",
    };
    let sign = if kind == "CANCELLATION" { Decimal::NEGATIVE_ONE } else { Decimal::ONE };
    let quantity = line.quantity.parse::<Decimal>().unwrap() * sign;
    let amount = quantity * line.unit_price.parse::<Decimal>().unwrap();
    // As long as the gateway's key of a listing.
    let listing = format!("0198c7a2-6a0f-5b51-9c7e-{:0>12}", &line.sku[7..]);
    Row { line, kind, listing, quantity, amount }
}

/// Lines into identity, lines, rollups and totals.
pub fn ingest(args: &[String]) {
    let data = args.get(1).map(Path::new);
    let rows: Vec<Row> =
        Lines::read(data, args[0].parse().unwrap()).all.into_iter().map(row).collect();
    let folder = tempfile::tempdir().unwrap();
    let mut connection = open(folder.path());
    let meter = Meter::start(std::process::id());
    let (mut seq, mut numbers, mut latencies) = (0, Numbers::default(), Vec::new());
    for (entry, lines) in (0..).zip(rows.chunks(LINES)) {
        let began = Instant::now();
        let transaction = connection.transaction().unwrap();
        append(&transaction, lines, entry, &mut seq, &mut numbers);
        transaction.commit().unwrap();
        latencies.push(micros(began));
    }
    tell(meter.sample(rows.len(), latencies));
}

/// The same for lineitems, which are made while they are stored: only the storing is measured.
pub fn tpch(args: &[String]) {
    let (count, generator) = (args[0].parse().unwrap(), Path::new(&args[1]));
    let mut rows = Lineitems::make(generator).take(count).map(row);
    let folder = tempfile::tempdir().unwrap();
    let mut connection = open(folder.path());
    let (mut seq, mut latencies, mut cpu) = (0, Vec::new(), 0.0);
    let mut numbers = Numbers::default();
    for entry in 0.. {
        let lines: Vec<Row> = rows.by_ref().take(LINES).collect();
        if lines.is_empty() {
            break;
        }
        let (began, so_far) = (Instant::now(), thread_micros());
        let transaction = connection.transaction().unwrap();
        append(&transaction, &lines, entry, &mut seq, &mut numbers);
        transaction.commit().unwrap();
        cpu += thread_micros() - so_far;
        latencies.push(micros(began));
    }
    let took: f64 = latencies.iter().map(|took| f64::from(*took) / 1e6).sum();
    latencies.sort_unstable();
    let at = |share: usize| f64::from(latencies[(latencies.len() - 1) * share / 100]);
    let lines = seq as f64;
    tell(Sample { rate: lines / took, p50: at(50), p99: at(99), cpu: cpu / lines });
}

/// CPU time of this thread so far, microseconds.
fn thread_micros() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").expect("a Linux thread");
    let on_cpu = text.split_whitespace().next().and_then(|nanos| nanos.parse::<f64>().ok());
    on_cpu.expect("nanoseconds on the CPU") / 1000.0
}

type Slice = (String, &'static str, String, String);

/// The numbers that cells go by, as the gateway has them in memory.
#[derive(Default)]
struct Numbers {
    slices: HashMap<Slice, i64>,
    goods: HashMap<String, i64>,
}

impl Numbers {
    /// The number of a row's cell.
    fn cell(&mut self, t: &Transaction<'_>, row: &Row) -> i64 {
        let line = &row.line;
        let day = &line.sold_at[..10];
        let slice = (day.to_owned(), row.kind, line.currency.clone(), line.destination.clone());
        let slice = *self.slices.entry(slice).or_insert_with(|| {
            t.prepare_cached(
                "INSERT INTO rollup_slices (report, marketplace, day, kind, currency, destination) \
                 VALUES (?1, 'marketplace', ?2, ?3, ?4, ?5)",
            )
            .unwrap()
            .insert(params![REPORT, day, row.kind, line.currency, line.destination])
            .unwrap()
        });
        if let Some(goods) = self.goods.get(&row.listing) {
            return slice << 32 | goods;
        }
        let goods = t
            .prepare_cached(
                "INSERT INTO rollup_goods (listing, seller, ncm, channel, province, size_class) \
                 VALUES (?1, '30880000027', '22042100', 'OFFICIAL_STORE', 'AR-M', 'SMALL')",
            )
            .unwrap()
            .insert([&row.listing])
            .unwrap();
        self.goods.insert(row.listing.clone(), goods);
        slice << 32 | goods
    }
}

#[derive(Default)]
struct Sums {
    lines: i64,
    quantity: Decimal,
    amount: Decimal,
}

impl Sums {
    fn add(&mut self, lines: i64, quantity: Decimal, amount: Decimal) {
        self.lines += lines;
        self.quantity += quantity;
        self.amount += amount;
    }
}

fn append(t: &Transaction<'_>, rows: &[Row], entry: i64, seq: &mut i64, numbers: &mut Numbers) {
    let mut identity = t
        .prepare_cached(
            "INSERT OR IGNORE INTO line_identity (marketplace, line_id, entry_index, line_seq) \
             VALUES ('marketplace', ?1, ?2, ?3)",
        )
        .unwrap();
    let mut insert = t
        .prepare_cached(
            "INSERT INTO sale_lines (line_seq, report, marketplace, line_id, order_id, kind, sku, \
             listing, quantity, unit_price, currency, sold_at, day, destination, cell, verdict, \
             entry_index) VALUES (?1, ?2, 'marketplace', ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, \
             ?12, ?13, ?14, 'ACCEPTED', ?15)",
        )
        .unwrap();
    let mut cells: HashMap<i64, (&str, Sums)> = HashMap::new();
    let mut totals: HashMap<(&str, &str), Sums> = HashMap::new();
    for row in rows {
        let line = &row.line;
        if identity.execute(params![line.line_id, entry, *seq + 1]).unwrap() == 0 {
            continue;
        }
        *seq += 1;
        let cell = numbers.cell(t, row);
        let (_, sums) = cells.entry(cell).or_insert_with(|| (row.kind, Sums::default()));
        sums.add(1, row.quantity, row.amount);
        let total = totals.entry((row.kind, line.currency.as_str())).or_default();
        total.add(1, row.quantity, row.amount);
        insert
            .execute(params![
                *seq,
                REPORT,
                line.line_id,
                line.order_id,
                row.kind,
                line.sku,
                row.listing,
                line.quantity,
                line.unit_price,
                line.currency,
                line.sold_at,
                &line.sold_at[..10],
                line.destination,
                cell,
                entry,
            ])
            .unwrap();
    }
    write_cells(t, cells);
    write_totals(t, totals);
}

/// In the order of the table, so that each page of it is read and written once.
fn write_cells(t: &Transaction<'_>, cells: HashMap<i64, (&str, Sums)>) {
    let mut held =
        t.prepare_cached("SELECT lines, quantity, amount FROM cell_sums WHERE cell = ?1").unwrap();
    let mut write = t
        .prepare_cached(
            "INSERT OR REPLACE INTO cell_sums (cell, lines, quantity, amount, orders) \
             VALUES (?1, ?2, ?3, ?4, ?5)",
        )
        .unwrap();
    let mut cells: Vec<_> = cells.into_iter().collect();
    cells.sort_unstable_by_key(|(cell, _)| *cell);
    for (cell, (kind, mut sums)) in cells {
        let found = held
            .query_row([cell], |row| {
                let decimal = |at| row.get::<_, String>(at).map(|text| text.parse().unwrap());
                Ok((row.get(0)?, decimal(1)?, decimal(2)?))
            })
            .optional()
            .unwrap();
        if let Some((lines, quantity, amount)) = found {
            sums.add(lines, quantity, amount);
        }
        let (quantity, amount) = (sums.quantity.to_string(), sums.amount.to_string());
        let orders = (kind == "SALE").then_some(sums.lines);
        write.execute(params![cell, sums.lines, quantity, amount, orders]).unwrap();
    }
}

fn write_totals(t: &Transaction<'_>, totals: HashMap<(&str, &str), Sums>) {
    let mut total = t
        .prepare_cached(
            "INSERT INTO report_totals (report, kind, currency, lines, quantity, amount) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO UPDATE SET lines = lines + ?4, quantity = ?5, amount = ?6",
        )
        .unwrap();
    for ((kind, currency), sums) in totals {
        let (quantity, amount) = (sums.quantity.to_string(), sums.amount.to_string());
        total.execute(params![REPORT, kind, currency, sums.lines, quantity, amount]).unwrap();
    }
}

struct Waiting {
    cuit: String,
    done: oneshot::Sender<()>,
}

/// The rows of a verification request, all that wait in one transaction.
pub fn writes(args: &[String]) {
    let time = Duration::from_secs_f64(args[0].parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let mut connection = open(folder.path());
    let (send, mut waiting) = mpsc::unbounded_channel::<Waiting>();
    let writer = std::thread::spawn(move || {
        let mut index = 0;
        while let Some(first) = waiting.blocking_recv() {
            let mut group = vec![first];
            while let Ok(next) = waiting.try_recv() {
                group.push(next);
            }
            let transaction = connection.transaction().unwrap();
            for one in &group {
                write_one(&transaction, &one.cuit, index);
                index += 1;
            }
            transaction.commit().unwrap();
            for one in group {
                let _gone = one.done.send(());
            }
        }
    });
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let cuits = server::cuits(400_000);
    let meter = Meter::start(std::process::id());
    let latencies = runtime.block_on(async {
        let callers: Vec<_> = cuits
            .chunks(cuits.len() / CALLERS)
            .take(CALLERS)
            .map(|mine| {
                let (mine, send, until) = (mine.to_vec(), send.clone(), Until::after(time));
                tokio::spawn(async move {
                    let mut latencies = Vec::new();
                    for cuit in mine.into_iter().cycle() {
                        let began = Instant::now();
                        let (done, is_done) = oneshot::channel();
                        assert!(send.send(Waiting { cuit, done }).is_ok());
                        is_done.await.unwrap();
                        latencies.push(micros(began));
                        if until.over() {
                            break;
                        }
                    }
                    latencies
                })
            })
            .collect();
        let mut latencies = Vec::new();
        for caller in callers {
            latencies.extend(caller.await.unwrap());
        }
        latencies
    });
    tell(meter.sample(latencies.len(), latencies));
    drop(send);
    writer.join().unwrap();
}

/// As many rows and bytes as the gateway writes: document, request, ledger entry and its leaf.
fn write_one(t: &Transaction<'_>, cuit: &str, index: i64) {
    let (id, entry) = (format!("0198c7a2-6a0f-7b51-9c7e-{index:0>12}"), "x".repeat(420));
    t.prepare_cached(
        "INSERT INTO verifications (key, owner, state, cuit, version, body) \
         VALUES (?1, 'marketplace', 'REQUESTED', ?2, 1, ?3)",
    )
    .unwrap()
    .execute(params![id, cuit, &entry.as_bytes()[..250]])
    .unwrap();
    t.prepare_cached(
        "INSERT INTO requests (partner, request_id, digest, entry_index, answer) \
         VALUES ('marketplace', ?1, ?2, ?3, ?4)",
    )
    .unwrap()
    .execute(params![id, [7_u8; 32], index, &entry.as_bytes()[..280]])
    .unwrap();
    t.prepare_cached(
        "INSERT INTO ledger_entries (entry_index, entry, salt, content) VALUES (?1, ?2, ?3, ?4)",
    )
    .unwrap()
    .execute(params![index, entry.as_bytes(), [7_u8; 32], &entry.as_bytes()[..280]])
    .unwrap();
    t.prepare_cached("INSERT INTO ledger_nodes (level, node_index, hash) VALUES (0, ?1, ?2)")
        .unwrap()
        .execute(params![index, [7_u8; 32]])
        .unwrap();
}
