//! What reconciliation costs: lines that name declarations beside lines that name none, and the
//! differences of one exporter, at the size of a country's small exporters.
//!
//! `cargo bench --bench reconciliation`. Two stores hold the same 10,000 listings of 10,000
//! exporters with 50,000 declarations; into one go 400,000 lines that name an item each, or take
//! back a sale that does, into the other the same that name nothing, transaction by transaction in
//! turn. What is told is CPU time of the whole process, which a busy machine does not change much.

use std::sync::Arc;
use std::time::Instant;

use jiff::civil::date;
use jiff::{Timestamp, ToSpan as _};
use puente::app::App;
use puente::app::reconciliation::questions::DiscrepanciesQuery;
use puente::change::{
    Actor, Change, Kind, LineBatch, LineListing, LineRow, NEVER, Record, RequestKey, Write,
};
use puente::clock::Env;
use puente::domain::caller::{Admission, Caller};
use puente::domain::customs_declaration::{
    Declaration, DeclaredItem, Goods, Incoterm, ItemNumber, NewShipment, Terms,
};
use puente::domain::declaration::DeclarationNumber;
use puente::domain::listing::Listing;
use puente::domain::offer::Offer;
use puente::domain::partner::{PartnerId, Role};
use puente::domain::sale::{RawLine, SaleLine};
use puente::ledger::{Draft, EntryKind};
use puente::store::sqlite::SqliteStore;
use puente::store::writer::WriterLimits;
use puente::store::{Group, Store};

const EXPORTERS: usize = 10_000;
/// Declarations of one item each.
const DECLARATIONS: usize = 50_000;
const LINES: usize = 400_000;
/// Lines a batch, and batches a transaction.
const BATCH: usize = 1_000;
const BATCHES: usize = 5;
/// Exporters that are asked about.
const ASKED: usize = 2_000;

fn main() {
    // As criterion's benches are only built by `cargo test --benches`, so is this.
    if std::env::args().any(|arg| arg == "--test") {
        return;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(measure());
}

async fn measure() {
    let folder = tempfile::tempdir().unwrap();
    let env = Env::system();
    let open = |name: &str| Arc::new(SqliteStore::open(&folder.path().join(name)).unwrap());
    let (named, plain) = (open("named.db"), open("plain.db"));
    for store in [&named, &plain] {
        fill(&**store, &env).await;
    }
    let (mut with, mut without) = (0.0, 0.0);
    for first in (0..LINES).step_by(BATCH * BATCHES) {
        for (store, names, spent) in [(&named, true, &mut with), (&plain, false, &mut without)] {
            let group = lines(&env, first, names);
            let before = cpu_seconds();
            let judged = store.commit(group).await.unwrap();
            *spent += cpu_seconds() - before;
            assert!(judged.iter().all(Result::is_ok));
        }
    }
    let micros = |seconds: f64| seconds * 1e6 / LINES as f64;
    println!(
        "{LINES} lines, {DECLARATIONS} declarations, {EXPORTERS} exporters; CPU in the store:"
    );
    println!("  lines that name an item   {:.2} us a line", micros(with));
    println!("  lines that name nothing   {:.2} us a line", micros(without));
    println!("  ratio                     {:.2}", with / without);

    let limits = WriterLimits::default();
    let app = App::start(named.clone(), env.clone(), limits).await.unwrap();
    let customs = caller();
    let mut took = Vec::with_capacity(ASKED);
    let before = cpu_seconds();
    let mut found = 0;
    for asked in 0..ASKED {
        let exporter = cuit(asked * (EXPORTERS / ASKED)).parse().ok();
        let query = DiscrepanciesQuery { exporter, limit: 100, ..DiscrepanciesQuery::default() };
        let began = Instant::now();
        found += app.list_discrepancies(&customs, &query).await.unwrap().items.len();
        took.push(began.elapsed());
    }
    let spent = (cpu_seconds() - before) / ASKED as f64;
    took.sort();
    println!("differences of one exporter, {ASKED} exporters asked about, {found} found:");
    println!("  CPU a question            {:.3} ms", spent * 1e3);
    let at = |of: f64| took[((took.len() - 1) as f64 * of) as usize].as_secs_f64() * 1e3;
    println!("  wall p50 {:.3} ms, p99 {:.3} ms, max {:.3} ms", at(0.5), at(0.99), at(1.0));

    let began = Instant::now();
    let check = named.check_sums(10).await.unwrap();
    println!("  all sums made anew from the lines: {} differ", check.found);
    println!("  which took {:.1} s", began.elapsed().as_secs_f64());
}

/// CPU time of this process so far, user and system.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let after = stat.rsplit_once(") ").unwrap().1;
    let ticks: f64 = after.split(' ').skip(11).take(2).map(|n| n.parse::<f64>().unwrap()).sum();
    ticks / 100.0
}

fn caller() -> Caller {
    Caller::admitted(Admission {
        partner: "customs".parse().unwrap(),
        role: Role::Customs,
        agency: None,
        scopes: Role::Customs.grantable(),
        method: "/puente.bench.v1.Bench/Bench".into(),
        client_address: "127.0.0.1:1".into(),
        certificate_thumbprint: "thumbprint".into(),
        trace_id: String::new(),
    })
}

/// The CUIT of an exporter, with its check digit.
fn cuit(exporter: usize) -> String {
    let weights = [5, 4, 3, 2, 7, 6, 5, 4, 3, 2];
    // A computed 10 is no CUIT: the next number is.
    (0..2)
        .find_map(|more| {
            let digits = format!("30{:08}", 88_000_001 + exporter * 2 + more);
            let sum: u32 = digits.bytes().zip(weights).map(|(d, w)| u32::from(d - b'0') * w).sum();
            match (11 - sum % 11) % 11 {
                10 => None,
                check => Some(format!("{digits}{check}")),
            }
        })
        .unwrap_or_else(|| "30500010912".to_owned())
}

fn marketplace() -> PartnerId {
    "marketplace".parse().unwrap()
}

fn sku(listing: usize) -> String {
    format!("SKU-{listing:05}")
}

/// Five declarations of each exporter's one listing.
fn number(declaration: usize) -> DeclarationNumber {
    format!("26001EC01{declaration:06}A").parse().unwrap()
}

async fn fill(store: &dyn Store, env: &Env) {
    let at = env.now();
    let mut records = Vec::new();
    for exporter in 0..EXPORTERS {
        let listing = Listing::draft(
            marketplace(),
            sku(exporter).parse().unwrap(),
            cuit(exporter).parse().unwrap(),
            offer(),
            at,
        );
        records.push(record(
            Kind::Listing,
            &listing.key(),
            "DRAFT",
            vec![
                listing.sku.to_string(),
                listing.seller.to_string(),
                listing.ncm.to_string(),
                listing.channel.to_string(),
                NEVER.to_owned(),
            ],
            &listing,
        ));
        for year in 0..DECLARATIONS / EXPORTERS {
            records.extend(declared(&listing, exporter * (DECLARATIONS / EXPORTERS) + year, at));
        }
        if records.len() > 5_000 {
            put(store, env, std::mem::take(&mut records)).await;
        }
    }
    put(store, env, records).await;
}

fn offer() -> Offer {
    Offer {
        title: "Malbec Reserva, 750 ml".parse().unwrap(),
        ncm: "2204.21.00".parse().unwrap(),
        gtin: None,
        channel: "OFFICIAL_STORE".parse().unwrap(),
        unit: "C62".parse().unwrap(),
        statistical_unit: "LTR".parse().unwrap(),
        statistical_factor: "0.75".parse().unwrap(),
        price: "18.50".parse().unwrap(),
        currency: "USD".parse().unwrap(),
        certificates: vec![],
        destination: None,
        producer: None,
        origin: None,
        entry_mode: None,
    }
}

/// A declaration with its one item, of which five litres left; eight sales come.
fn declared(listing: &Listing, which: usize, at: Timestamp) -> [Record; 2] {
    let terms = Terms {
        exporter: listing.seller,
        declarant: listing.seller,
        incoterm: Incoterm::Fob,
        destination: None,
        officialised_on: date(2026, 1, 1).saturating_add(((which % 5) as i64).days()),
    };
    let goods = Goods {
        ncm: listing.ncm,
        quantity: "100".parse().unwrap(),
        unit: listing.statistical_unit,
        fob: "1200.50".parse().unwrap(),
        currency: "USD".parse().unwrap(),
    };
    let customs: PartnerId = "customs".parse().unwrap();
    let number = number(which);
    let mut declaration = Declaration::register(number, terms, customs.clone(), at);
    declaration.items = 1;
    let item = ItemNumber::try_from(1).unwrap();
    let mut item = DeclaredItem::declare(number, &terms, item, goods, listing, None).unwrap();
    let shipment = NewShipment {
        quantity: "5".parse().unwrap(),
        shipped_on: date(2026, 2, 1),
        reference: None,
        post_shipment: true,
    };
    assert!(declaration.ship(&mut item, &shipment, &customs, at).unwrap());
    let columns = vec![
        item.listing.clone(),
        item.exporter.to_string(),
        item.officialised_on.to_string(),
        number.year().to_owned(),
        number.office().to_owned(),
    ];
    [
        record(Kind::Declaration, number.as_str(), "SHIPPED", vec![], &declaration),
        record(Kind::DeclarationItem, &item.key(), "SHIPPED", columns, &item),
    ]
}

fn record(
    kind: Kind,
    key: &str,
    state: &str,
    columns: Vec<String>,
    value: &impl serde::Serialize,
) -> Record {
    Record {
        kind,
        key: key.to_owned(),
        owner: "marketplace".to_owned(),
        state: state.to_owned(),
        columns,
        version: 0,
        body: serde_json::to_vec(value).unwrap(),
    }
}

async fn put(store: &dyn Store, env: &Env, records: Vec<Record>) {
    let writes = records.into_iter().map(Write::Put).collect();
    let group = transaction(env, vec![change(env, writes)]);
    assert!(store.commit(group).await.unwrap().iter().all(Result::is_ok));
}

/// A transaction of lines from the `first` on: of fifty, one takes the sale before it back.
fn lines(env: &Env, first: usize, names: bool) -> Group {
    let batches = (0..BATCHES).map(|n| {
        let first = first + n * BATCH;
        let rows = (0..BATCH).map(|n| row(n, first + n, names)).collect();
        let period = "2026-11-01..2026-11-30".parse().unwrap();
        let report = "0198c7a2-6a0f-7b51-9c7e-1f2a3b4c5d6e".to_owned();
        let batch =
            LineBatch::new(marketplace(), report, period, first as u64, BATCH as u32, rows, vec![]);
        change(env, vec![Write::Lines(Arc::new(batch))])
    });
    transaction(env, batches.collect())
}

fn row(place: usize, line: usize, names: bool) -> LineRow {
    let takes_back = line % 50 == 49;
    let sold = if takes_back { line - 1 } else { line };
    // Listings in no order, as buyers come.
    let which = sold.wrapping_mul(7_919) % DECLARATIONS;
    let listing = which / (DECLARATIONS / EXPORTERS);
    let (id, original) = (format!("L-{line:09}"), format!("L-{:09}", line.saturating_sub(1)));
    let (sku, number) = (sku(listing), number(which));
    let line = SaleLine::parse(&RawLine {
        line_id: &id,
        order_id: "O-0001234",
        kind: if takes_back { "RETURN" } else { "SALE" },
        original_line_id: if takes_back { &original } else { "" },
        sku: &sku,
        quantity: "1",
        unit_price: "18.50",
        currency: "USD",
        sold_at: "2026-11-11T09:30:00+08:00",
        declaration: if names { number.as_str() } else { "" },
        declaration_item: i32::from(names),
        ..RawLine::default()
    });
    let about = LineListing {
        key: puente::domain::listing::listing_key(&marketplace(), &sku),
        seller: cuit(listing),
        ncm: "22042100".into(),
        channel: "OFFICIAL_STORE".parse().unwrap(),
        province: "AR-M".into(),
        size_class: "SMALL".into(),
    };
    LineRow {
        position: place as u32,
        line: line.unwrap(),
        listing: Some(Arc::new(about)),
        warnings: vec![],
    }
}

fn change(env: &Env, writes: Vec<Write>) -> Change {
    Change {
        request: RequestKey {
            partner: marketplace(),
            request_id: env.ids.uuid().to_string().parse().unwrap(),
            digest: [7; 32],
        },
        actor: Actor { certificate: None, trace_id: None },
        expect: vec![],
        writes,
        draft: Draft::new(EntryKind::LinesAppended).about("salesReports/bench"),
        answer: vec![],
    }
}

fn transaction(env: &Env, changes: Vec<Change>) -> Group {
    let salts = changes.iter().map(|_| env.ids.random()).collect();
    Group { changes, at: env.now(), salts }
}
