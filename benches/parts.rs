//! The inner parts of the write path and of the gate, each alone, by criterion.
//!
//! `cargo bench --bench parts`; a word after `--` picks those whose names hold it. What matters as
//! a whole is measured by `scripts/bench`; this says where a change of it comes from.

use std::sync::Arc;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use jiff::{SignedDuration, Timestamp};
use puente::change::{Actor, Change, LineBatch, LineListing, LineRow, RequestKey, Write};
use puente::clock::Env;
use puente::domain::analytics::Measure;
use puente::domain::exchange::Rates;
use puente::domain::period::Period;
use puente::domain::sale::{RawLine, SaleLine};
use puente::gate::token::{Revocations, SignatureAlgorithm, Verifier};
use puente::ledger::{Draft, EntryKind, Hash, Stamp, Tree};
use puente::oauth::keys::{KeyRing, create};
use puente::oauth::settings::OAuthSettings;
use puente::store::sqlite::SqliteStore;
use puente::store::{Group, Ranking, RollupQuery, Store as _};
use serde_json::json;

/// Lines a batch, as the command line sends them.
const LINES: usize = 1000;
/// Lines a transaction.
const GROUP: usize = 5000;

criterion_group!(parts, lines, store, questions, ledger, tokens);
criterion_main!(parts);

fn lines(c: &mut Criterion) {
    let (id, listing) = (line_id(0), listing());
    let mut group = c.benchmark_group("lines");
    group.throughput(Throughput::Elements(1));
    group.bench_function("parse one", |b| b.iter(|| SaleLine::parse(&raw(&id)).unwrap()));
    group.throughput(Throughput::Elements(LINES as u64));
    let rows = rows(0, &listing);
    group.bench_function("make a batch ready", |b| {
        b.iter_batched(|| rows.clone(), batch, BatchSize::LargeInput);
    });
    group.finish();
}

fn store(c: &mut Criterion) {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&folder.path().join("puente.db")).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let (env, listing) = (Env::system(), listing());
    let mut next = 0;
    let mut group = c.benchmark_group("store");
    group.sample_size(20);
    group.throughput(Throughput::Elements(GROUP as u64));
    group.bench_function("append new lines, durable", |b| {
        let fresh = || {
            let batches = (0..GROUP / LINES).map(|n| batch(rows(next + n * LINES, &listing)));
            let group = transaction(&env, batches.collect());
            next += GROUP;
            group
        };
        let mut append = |group| runtime.block_on(store.commit(group)).unwrap();
        b.iter_batched(fresh, &mut append, BatchSize::PerIteration);
    });
    let known: Vec<LineBatch> =
        (0..GROUP / LINES).map(|n| batch(rows(n * LINES, &listing))).collect();
    group.bench_function("append known lines, durable", |b| {
        let again = || transaction(&env, known.clone());
        let mut append = |group| runtime.block_on(store.commit(group)).unwrap();
        b.iter_batched(again, &mut append, BatchSize::PerIteration);
    });
    group.throughput(Throughput::Elements(LINES as u64));
    let seen = Arc::new(known[0].clone());
    group.bench_function("judge a known batch", |b| {
        b.iter(|| runtime.block_on(store.preview(Arc::clone(&seen))).unwrap());
    });
    group.finish();
}

/// TopProducts over so many listings, each sold in each month to each of these.
fn questions(c: &mut Criterion) {
    const LISTINGS: usize = 10_000;
    const MONTHS: usize = 12;
    const DESTINATIONS: [&str; 5] = ["CN-SH", "CN-GD", "CN-BJ", "CN-ZJ", "CN"];
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&folder.path().join("puente.db")).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let env = Env::system();
    let all: Vec<Arc<LineListing>> = (0..LISTINGS)
        .map(|n| Arc::new(LineListing { key: format!("listing-{n:05}"), ..(*listing()).clone() }))
        .collect();
    let row = |n: usize| {
        let (n_of_listing, rest) = (n % LISTINGS, n / LISTINGS);
        let (id, price) = (line_id(n), format!("{}.50", 1 + (n * 7919) % 400));
        let sold_at = format!("2026-{:02}-11T09:30:00+08:00", 1 + rest % MONTHS);
        let destination = DESTINATIONS[rest / MONTHS];
        let raw = RawLine { unit_price: &price, sold_at: &sold_at, destination, ..raw(&id) };
        LineRow {
            position: (n % LINES) as u32,
            line: SaleLine::parse(&raw).unwrap(),
            listing: Some(Arc::clone(&all[n_of_listing])),
            warnings: vec![],
        }
    };
    for first in (0..LISTINGS * MONTHS * DESTINATIONS.len()).step_by(GROUP) {
        let batches = (first..first + GROUP).step_by(LINES);
        let batches = batches.map(|first| batch((first..first + LINES).map(row).collect()));
        runtime.block_on(store.commit(transaction(&env, batches.collect()))).unwrap();
    }
    let ranking = Ranking { measure: Measure::Amount, limit: 10, rates: Rates::default() };
    let ask = |query: &RollupQuery| {
        let top = runtime.block_on(store.top(query.clone(), ranking.clone()));
        assert!(top.unwrap().unwrap().listings.len() >= 10);
    };
    let of = |from: &str, to: &str| RollupQuery {
        from: Some(from.parse().unwrap()),
        to: Some(to.parse().unwrap()),
        ..RollupQuery::default()
    };
    let mut group = c.benchmark_group("best of 10,000 listings, 5 destinations");
    for (name, query) in [
        ("a year", of("2026-01-01", "2026-12-31")),
        ("a month", of("2026-06-01", "2026-06-30")),
        ("eleven months", of("2026-01-01", "2026-11-30")),
        (
            "a year, one destination",
            RollupQuery { destination: Some("CN-SH".to_owned()), ..of("2026-01-01", "2026-12-31") },
        ),
        ("days of three months", of("2026-06-03", "2026-08-20")),
    ] {
        group.bench_function(name, |b| b.iter(|| ask(&query)));
    }
    group.finish();
}

fn ledger(c: &mut Criterion) {
    let env = Env::system();
    let draft = draft().over(vec![7; 32]).fact("accepted", 1000).fact("warned", 0);
    let stamp = Stamp {
        at: env.now(),
        actor: "marketplace".into(),
        certificate: Some("x".repeat(43)),
        request_id: env.ids.uuid().to_string(),
        trace_id: Some("0".repeat(32)),
    };
    let leaf = Hash::leaf(b"leaf");
    let mut group = c.benchmark_group("ledger");
    group.bench_function("seal an entry", |b| b.iter(|| draft.seal(&stamp, &[7; 32]).unwrap()));
    group.bench_function("append a leaf", |b| {
        let (mut tree, mut completed) = (Tree::new(), Vec::new());
        b.iter(|| {
            completed.clear();
            tree.append(leaf, &mut completed);
        });
    });
    group.finish();
}

struct NoneRevoked;

impl Revocations for NoneRevoked {
    fn is_revoked(&self, _jti: &str) -> bool {
        false
    }
}

fn tokens(c: &mut Criterion) {
    let (folder, now) = (tempfile::tempdir().unwrap(), Env::system().now());
    let mut group = c.benchmark_group("token");
    for algorithm in [SignatureAlgorithm::ES256, SignatureAlgorithm::EdDSA] {
        let keys = folder.path().join(algorithm.name());
        create(&keys, algorithm, now).unwrap();
        let settings = OAuthSettings { signing_keys: keys, ..OAuthSettings::default() };
        let ring = Arc::new(KeyRing::load(&settings, now).unwrap());
        let verifier = Verifier::new(ring.clone(), Arc::new(NoneRevoked));
        let mut number = 0;
        let mut fresh = || {
            number += 1;
            token(&ring, &settings, now, number)
        };
        let known = fresh();
        group.bench_function(format!("{algorithm}, seen before"), |b| {
            b.iter(|| verifier.inspect(&known, now).unwrap());
        });
        group.bench_function(format!("{algorithm}, new"), |b| {
            let check = |token: String| verifier.inspect(&token, now).unwrap();
            b.iter_batched(&mut fresh, check, BatchSize::SmallInput);
        });
    }
    group.finish();
}

fn token(ring: &KeyRing, settings: &OAuthSettings, now: Timestamp, number: u64) -> String {
    let end = now + SignedDuration::from_mins(10);
    let claims = json!({
        "iss": settings.issuer,
        "aud": settings.audience,
        "sub": "marketplace",
        "client_id": "marketplace",
        "iat": now.as_second(),
        "nbf": now.as_second(),
        "exp": end.as_second(),
        "jti": number.to_string(),
        "scope": "sellers.verify sales.write",
        "cnf": { "x5t#S256": "x".repeat(43) },
    });
    ring.sign(&claims, now).unwrap()
}

fn line_id(number: usize) -> String {
    format!("L-{number:09}")
}

fn raw(line_id: &str) -> RawLine<'_> {
    RawLine {
        line_id,
        order_id: "O-0001234",
        kind: "SALE",
        sku: "MALBEC-07",
        quantity: "6",
        unit_price: "18.50",
        currency: "USD",
        sold_at: "2026-11-11T09:30:00+08:00",
        destination: "CN-SH",
        ..RawLine::default()
    }
}

fn listing() -> Arc<LineListing> {
    Arc::new(LineListing {
        key: "0198c7a2-6a0f-5b51-9c7e-000000000007".into(),
        seller: "30880000027".into(),
        ncm: "22042100".into(),
        channel: "OFFICIAL_STORE".parse().unwrap(),
        province: "AR-M".into(),
        size_class: "SMALL".into(),
    })
}

fn rows(first: usize, listing: &Arc<LineListing>) -> Vec<LineRow> {
    let row = |n: usize| LineRow {
        position: n as u32,
        line: SaleLine::parse(&raw(&line_id(first + n))).unwrap(),
        listing: Some(Arc::clone(listing)),
        warnings: vec![],
    };
    (0..LINES).map(row).collect()
}

fn batch(rows: Vec<LineRow>) -> LineBatch {
    let (sent, report) = (rows.len() as u32, "0198c7a2-6a0f-7b51-9c7e-1f2a3b4c5d6e".to_owned());
    let days = ["2026-11-01", "2026-11-30"].map(|day| day.parse().unwrap());
    let period = Period::new(days[0], days[1]).unwrap();
    LineBatch::new("marketplace".parse().unwrap(), report, period, 0, sent, rows, vec![])
}

fn draft() -> Draft {
    Draft::new(EntryKind::LinesAppended)
        .about("salesReports/0198c7a2-6a0f-7b51-9c7e-1f2a3b4c5d6e")
        .fact("first_line", 0)
}

/// A transaction of these batches, each a request of its own.
fn transaction(env: &Env, batches: Vec<LineBatch>) -> Group {
    let salts = batches.iter().map(|_| env.ids.random()).collect();
    let change = |batch| Change {
        request: RequestKey {
            partner: "marketplace".parse().unwrap(),
            request_id: env.ids.uuid().to_string().parse().unwrap(),
            digest: [7; 32],
        },
        actor: Actor { certificate: Some("x".repeat(43)), trace_id: Some("0".repeat(32)) },
        expect: vec![],
        writes: vec![Write::Lines(Arc::new(batch))],
        draft: draft().over(vec![7; 32]),
        answer: vec![],
    };
    Group { changes: batches.into_iter().map(change).collect(), at: env.now(), salts }
}
