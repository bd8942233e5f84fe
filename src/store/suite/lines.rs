//! Sale lines: each counts once, totals and rollups are exact.

use rust_decimal::Decimal;

use super::*;
use crate::change::{BatchAnswer, LineBatch, LineListing, LineNote, LineRow, NoteVerdict, Refusal};
use crate::domain::analytics::RollupCell;
use crate::domain::sale::{SaleLine, WarningReason};
use crate::store::{KindTotal, LineQuery, ReportProgress, RollupQuery, StoredLine};

/// A line written as `line_id order_id kind original|- sku quantity unit_price sold_at`, in CNY
/// and to CN-SH.
pub fn line(text: &str) -> SaleLine {
    let parts: Vec<&str> = text.split(' ').collect();
    let [line_id, order_id, kind, original, sku, quantity, unit_price, sold_at] = parts[..] else {
        panic!("not a line: {text}");
    };
    SaleLine {
        line_id: line_id.parse().unwrap(),
        order_id: order_id.parse().unwrap(),
        kind: kind.parse().unwrap(),
        original_line_id: (original != "-").then(|| original.parse().unwrap()),
        sku: sku.parse().unwrap(),
        quantity: quantity.parse().unwrap(),
        unit_price: unit_price.parse().unwrap(),
        currency: "CNY".parse().unwrap(),
        sold_at: sold_at.parse().unwrap(),
        destination: Some("CN-SH".parse().unwrap()),
        declaration: None,
        declaration_item: None,
        other_amounts: None,
    }
}

/// A line of known listing `sku`, sold by one seller of Mendoza.
pub fn row(position: u32, text: &str) -> LineRow {
    let line = line(text);
    let listing = LineListing {
        key: format!("listing-{}", line.sku),
        seller: "20267565393".to_owned(),
        ncm: "22042100".to_owned(),
        channel: "OFFICIAL_STORE".parse().unwrap(),
        province: "AR-M".to_owned(),
        size_class: "MICRO".to_owned(),
    };
    LineRow { position, line, listing: Some(Arc::new(listing)), warnings: vec![] }
}

pub fn batch(report: &str, first_line: u64, rows: Vec<LineRow>) -> LineBatch {
    let sent = rows.len() as u32;
    LineBatch::new(
        "marketplace".parse().unwrap(),
        report.to_owned(),
        "2026-01-01..2026-02-28".parse().unwrap(),
        first_line,
        sent,
        rows,
        vec![],
    )
}

fn texts(report: &str, first_line: u64, lines: &[&str]) -> LineBatch {
    batch(report, first_line, (0..).zip(lines).map(|(place, text)| row(place, text)).collect())
}

pub fn lines_change(number: u128, expect: Vec<Expect>, batch: LineBatch) -> Change {
    Change {
        draft: Draft::new(EntryKind::LinesAppended).about("salesReports/r"),
        answer: vec![],
        ..change(number, expect, vec![Write::Lines(Arc::new(batch))])
    }
}

async fn append(store: &dyn Store, number: u128, batch: LineBatch) -> (u64, BatchAnswer) {
    let committed = committed(store, lines_change(number, vec![], batch)).await;
    (committed.receipt.index, serde_json::from_slice(&committed.answer).unwrap())
}

/// Counts the orders of a report, as when it is sealed.
pub async fn count_orders(store: &dyn Store, number: u128, report: &str) {
    let counts = store.count_orders(report).await.unwrap();
    let write = Write::CountOrders(Arc::new(counts));
    committed(store, change(number, vec![], vec![write])).await;
}

fn counts(answer: &BatchAnswer) -> [u32; 4] {
    [answer.accepted, answer.warned, answer.duplicates, answer.refused]
}

fn decimal(text: &str) -> Decimal {
    text.parse().unwrap()
}

fn total(kind: &str, lines: u64, quantity: &str, amount: &str) -> KindTotal {
    KindTotal {
        kind: kind.to_owned(),
        currency: "CNY".to_owned(),
        lines,
        quantity: decimal(quantity),
        amount: decimal(amount),
    }
}

/// Net lines, quantity and amount over cells.
fn net(cells: &[RollupCell]) -> (u64, Decimal, Decimal) {
    cells.iter().fold((0, Decimal::ZERO, Decimal::ZERO), |(lines, quantity, amount), cell| {
        (
            lines + cell.lines,
            quantity + decimal(&cell.quantity.to_string()),
            amount + decimal(&cell.amount.to_string()),
        )
    })
}

const MORNING: &str = "2026-01-05T08:00:00+08:00";

pub async fn a_line_counts_once_for_ever(place: &dyn Place) {
    let store = place.open();
    let one = format!("L1 O1 SALE - A 2 10.5 {MORNING}");
    let other = format!("L1 O9 SALE - B 7 1 {MORNING}");
    let two = format!("L2 O1 SALE - A 1 10.5 {MORNING}");
    let (entry, answer) = append(&*store, 1, texts("r", 0, &[&one, &other, &two])).await;
    assert_eq!(counts(&answer), [2, 0, 1, 0]);
    let duplicate = |position, line_id: &str, first| LineNote {
        position,
        line_id: line_id.to_owned(),
        verdict: NoteVerdict::Duplicate,
        reasons: vec![],
        field: String::new(),
        message: String::new(),
        first_entry: Some(first),
    };
    assert_eq!(answer.notes, [duplicate(1, "L1", entry)]);

    let three = format!("L3 O2 SALE - A 1 10.5 {MORNING}");
    let (later, answer) = append(&*store, 2, texts("r", 3, &[&two, &three])).await;
    assert_eq!(counts(&answer), [1, 0, 1, 0]);
    assert_eq!(answer.notes, [duplicate(0, "L2", entry)]);

    let (_, answer) = append(&*store, 3, texts("another", 0, &[&three])).await;
    assert_eq!(counts(&answer), [0, 0, 1, 0]);
    assert_eq!(answer.notes, [duplicate(0, "L3", later)]);

    let mut theirs = texts("theirs", 0, &[&one]);
    theirs.marketplace = "another".parse().unwrap();
    let (_, answer) = append(&*store, 4, theirs).await;
    assert_eq!(counts(&answer), [1, 0, 0, 0], "an id is one marketplace's own");

    let progress = store.report_progress("r").await.unwrap();
    assert_eq!(progress.totals, [total("SALE", 3, "4", "42")]);
    assert_eq!((progress.accepted, progress.duplicates), (3, 2));

    drop(store);
    let store = place.open();
    let (_, answer) = append(&*store, 5, texts("r", 5, &[&one, &two, &three])).await;
    assert_eq!(counts(&answer), [0, 0, 3, 0]);
}

pub async fn totals_are_as_written_and_rollups_are_signed(place: &dyn Place) {
    let store = place.open();
    let lines = [
        format!("L1 O1 SALE - A 10 12.345 {MORNING}"),
        format!("L2 O1 SALE - B 3 0 {MORNING}"),
        format!("L3 O1 RETURN L1 A 2 12.345 {MORNING}"),
        format!("L4 O1 REFUND L1 A 1 0.0000000001 {MORNING}"),
        format!("L5 O1 CANCELLATION L1 A 3 12.345 {MORNING}"),
        format!("L6 O1 ADJUSTMENT L1 A -1 12.345 {MORNING}"),
    ];
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let (_, answer) = append(&*store, 1, texts("r", 0, &lines)).await;
    assert_eq!(counts(&answer), [6, 0, 0, 0], "{:?}", answer.notes);
    let progress = store.report_progress("r").await.unwrap();
    assert_eq!(
        progress.totals,
        [
            total("ADJUSTMENT", 1, "-1", "-12.345"),
            total("CANCELLATION", 1, "3", "37.035"),
            total("REFUND", 1, "1", "0.0000000001"),
            total("RETURN", 1, "2", "24.69"),
            total("SALE", 2, "13", "123.45"),
        ]
    );
    let cells = store.rollups(RollupQuery::default()).await.unwrap();
    assert_eq!(net(&cells), (6, decimal("7"), decimal("74.0699999999")));
    let orders: u64 = cells.iter().filter_map(|cell| cell.orders).sum();
    assert_eq!(orders, 2, "in an open report each line of kind SALE is one");
}

pub async fn originals_bound_what_is_taken_back(place: &dyn Place) {
    let store = place.open();
    let exceeds = |answer: &BatchAnswer| -> Vec<String> {
        answer
            .notes
            .iter()
            .filter(|note| note.reasons == ["EXCEEDS_ORIGINAL"])
            .map(|note| note.line_id.clone())
            .collect()
    };
    let lines = [
        format!("S O SALE - A 5 10 {MORNING}"),
        format!("R1 O RETURN S A 3 10 {MORNING}"),
        // One more than is left; a smaller one fits still, since this one does not count.
        format!("R2 O RETURN S A 3 10 {MORNING}"),
        format!("R3 O RETURN S A 2 10 {MORNING}"),
        // Money goes back apart from goods: 50 in all.
        format!("F1 O REFUND S A 1 50 {MORNING}"),
        format!("F2 O REFUND S A 1 0.01 {MORNING}"),
    ];
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let (_, answer) = append(&*store, 1, texts("r", 0, &lines[..4])).await;
    assert_eq!(exceeds(&answer), ["R2"]);
    let (_, answer) = append(&*store, 2, texts("r", 4, &lines[4..])).await;
    assert_eq!(exceeds(&answer), ["F2"]);
    let cells = store.rollups(RollupQuery::default()).await.unwrap();
    assert_eq!(net(&cells), (4, decimal("0"), decimal("0")), "what exceeds is left out of net");
    let progress = store.report_progress("r").await.unwrap();
    assert_eq!((progress.accepted, progress.warned), (4, 2));
    assert_eq!(progress.totals.iter().map(|total| total.lines).sum::<u64>(), 6);
}

pub async fn an_unknown_original_is_remarked(place: &dyn Place) {
    let store = place.open();
    let lines = [
        format!("C1 O CANCELLATION nowhere A 1 1 {MORNING}"),
        format!("C2 O CANCELLATION - A 1 1 {MORNING}"),
        // Citing what is no sale is citing no sale.
        format!("C3 O RETURN C1 A 1 1 {MORNING}"),
    ];
    let mut rows: Vec<LineRow> = (0..).zip(&lines).map(|(place, text)| row(place, text)).collect();
    rows[0].warnings.push(WarningReason::UnknownSku);
    rows[0].listing = None;
    let (_, answer) = append(&*store, 1, batch("r", 0, rows)).await;
    assert_eq!(counts(&answer), [0, 3, 0, 0]);
    let reasons: Vec<_> = answer.notes.iter().map(|note| note.reasons.join(" ")).collect();
    assert_eq!(reasons, ["UNKNOWN_SKU UNKNOWN_ORIGINAL", "UNKNOWN_ORIGINAL", "UNKNOWN_ORIGINAL"]);
    assert!(answer.notes.iter().all(|note| note.verdict == NoteVerdict::AcceptedWithWarning));
    let cells = store.rollups(RollupQuery::default()).await.unwrap();
    assert_eq!(net(&cells), (3, decimal("-3"), decimal("-2")), "they count all the same");
}

pub async fn progress_moves_without_gaps(place: &dyn Place) {
    let store = place.open();
    assert_eq!(store.report_progress("r").await.unwrap(), ReportProgress::default());
    let three = |from: u64| {
        let lines: Vec<String> =
            (from..from + 3).map(|n| format!("L{n:03} O SALE - A 1 1 {MORNING}")).collect();
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        texts("r", from, &lines)
    };
    let mut refused = three(3);
    refused.sent += 1;
    refused.refused.push(LineNote {
        position: 3,
        line_id: "L".to_owned(),
        verdict: NoteVerdict::Refused,
        reasons: vec!["INVALID_QUANTITY".to_owned()],
        field: "quantity".to_owned(),
        message: "not a number".to_owned(),
        first_entry: None,
    });
    for (number, sent, next) in [
        (1, three(10), 0),
        (2, three(0), 3),
        (3, refused.clone(), 7),
        (4, three(0), 7),
        (5, three(8), 7),
        (6, three(7), 10),
    ] {
        let (_, answer) = append(&*store, number, sent).await;
        assert_eq!(answer.next_line, next, "after change {number}");
        if number == 3 {
            assert_eq!(answer.notes, refused.refused);
        }
    }
    let progress = store.report_progress("r").await.unwrap();
    assert_eq!((progress.next_line, progress.refused), (10, 1));
}

pub async fn a_preview_leaves_no_trace(place: &dyn Place) {
    let store = place.open();
    let one = format!("L1 O SALE - A 1 1 {MORNING}");
    let two = format!("L2 O SALE - A 1 1 {MORNING}");
    append(&*store, 1, texts("r", 0, &[&one])).await;
    let before = store.report_progress("r").await.unwrap();
    for _ in 0..2 {
        let answer = store.preview(Arc::new(texts("r", 1, &[&one, &two]))).await.unwrap();
        assert_eq!(counts(&answer), [1, 0, 1, 0]);
        assert_eq!((answer.notes[0].first_entry, answer.next_line), (Some(0), 3));
    }
    assert_eq!(store.report_progress("r").await.unwrap(), before);
    assert_eq!(store.tree().await.unwrap().size(), 1);
    let (_, answer) = append(&*store, 2, texts("r", 1, &[&one, &two])).await;
    assert_eq!(counts(&answer), [1, 0, 1, 0]);
}

pub async fn lines_after_the_counts_were_read_are_seen(place: &dyn Place) {
    let store = place.open();
    let counted = |accepted| Expect::Progress {
        report: "r".to_owned(),
        accepted,
        warned: 0,
        refused: 0,
        explained: 0,
    };
    let append = |number, text: &str| lines_change(number, vec![], texts("r", 0, &[text]));
    let judged = commit(
        &*store,
        vec![
            change(1, vec![counted(0)], vec![]),
            append(2, &format!("L1 O SALE - A 1 1 {MORNING}")),
            change(3, vec![counted(0)], vec![]),
            change(4, vec![counted(1)], vec![]),
        ],
    )
    .await;
    assert!(judged[0].is_ok() && judged[1].is_ok() && judged[3].is_ok(), "{judged:?}");
    assert_eq!(judged[2], Err(Refusal::Stale { kind: Kind::Report, key: "r".into() }));
}

pub async fn orders_are_counted_once_a_listing(place: &dyn Place) {
    let store = place.open();
    let lines = [
        format!("L1 O1 SALE - A 1 1 {MORNING}"),
        "L2 O1 SALE - A 1 1 2026-01-06T08:00:00+08:00".to_owned(),
        format!("L3 O1 SALE - B 1 1 {MORNING}"),
        format!("L4 O2 SALE - A 1 1 {MORNING}"),
        format!("L5 O2 RETURN L4 A 1 1 {MORNING}"),
        // What only takes back is no order of its own.
        format!("L7 O3 REFUND - A 1 1 {MORNING}"),
    ];
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    append(&*store, 1, texts("r", 0, &lines)).await;
    // The next month's: one order goes on, one is new.
    let later =
        [format!("L8 O1 RETURN L1 A 1 1 {MORNING}"), format!("L9 O9 SALE - A 1 1 {MORNING}")];
    let later: Vec<&str> = later.iter().map(String::as_str).collect();
    append(&*store, 2, texts("other", 0, &later)).await;
    assert_eq!(store.report_progress("r").await.unwrap().orders, None);
    count_orders(&*store, 3, "r").await;
    assert_eq!(store.report_progress("r").await.unwrap().orders, Some(3));
    let query = RollupQuery { report: Some("r".to_owned()), ..RollupQuery::default() };
    let cells = store.rollups(query).await.unwrap();
    let of = |listing: &str| -> u64 {
        cells.iter().filter(|cell| cell.listing == listing).filter_map(|cell| cell.orders).sum()
    };
    assert_eq!((of("listing-A"), of("listing-B")), (2, 1));
    assert_eq!(store.report_progress("other").await.unwrap().orders, None);

    count_orders(&*store, 4, "other").await;
    assert_eq!(store.report_progress("other").await.unwrap().orders, Some(1));
    let cells = store.rollups(RollupQuery::default()).await.unwrap();
    let all: u64 = cells.iter().filter_map(|cell| cell.orders).sum();
    assert_eq!(all, 4, "over all reports an order counts once a listing");
}

pub async fn rollups_answer_what_they_are_asked(place: &dyn Place) {
    let store = place.open();
    // The day is the date where it was sold: the first is still the 4th in UTC.
    let first = row(0, &format!("L1 O SALE - A 1 1 {MORNING}"));
    let second = row(1, "L2 O SALE - A 1 10 2026-01-06T23:59:59+08:00");
    let mut third = row(2, "L3 O SALE - B 1 100 2026-02-01T00:00:00Z");
    third.listing = Some(Arc::new(LineListing {
        key: "listing-B".to_owned(),
        seller: "30500010912".to_owned(),
        ncm: "03061790".to_owned(),
        channel: "SELLER_STORE".parse().unwrap(),
        province: "AR-U".to_owned(),
        size_class: "LARGE".to_owned(),
    }));
    third.line.destination = Some("HK".parse().unwrap());
    third.line.currency = "USD".parse().unwrap();
    append(&*store, 1, batch("r", 0, vec![first, second, third])).await;
    let ask = async |query: RollupQuery| -> Decimal { net(&store.rollups(query).await.unwrap()).2 };
    let all = RollupQuery::default;
    let day = |text: &str| Some(text.parse().unwrap());
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(ask(all()).await, decimal("111"));
    assert_eq!(ask(RollupQuery { from: day("2026-01-06"), ..all() }).await, decimal("110"));
    assert_eq!(ask(RollupQuery { to: day("2026-01-05"), ..all() }).await, decimal("1"));
    for (query, amount) in [
        (RollupQuery { marketplace: some("marketplace"), ..all() }, "111"),
        (RollupQuery { marketplace: some("another"), ..all() }, "0"),
        (RollupQuery { report: some("r"), ..all() }, "111"),
        (RollupQuery { report: some("q"), ..all() }, "0"),
        (RollupQuery { seller: some("30500010912"), ..all() }, "100"),
        (RollupQuery { ncm_prefix: some("22"), ..all() }, "11"),
        (RollupQuery { ncm_prefix: some("0306"), ..all() }, "100"),
        (RollupQuery { province: some("AR-M"), ..all() }, "11"),
        (RollupQuery { size_class: some("LARGE"), ..all() }, "100"),
        (RollupQuery { channel: some("SELLER_STORE"), ..all() }, "100"),
        (RollupQuery { destination: some("CN"), ..all() }, "11"),
        (RollupQuery { destination: some("HK"), ..all() }, "100"),
        (RollupQuery { currency: some("USD"), ..all() }, "100"),
    ] {
        assert_eq!(ask(query.clone()).await, decimal(amount), "{query:?}");
    }
    // Merged while they are read: one cell a currency, and no more of them than asked for.
    let merged = RollupQuery { by: Some(vec![]), ..all() };
    let cells = store.rollups(merged.clone()).await.unwrap();
    assert_eq!((cells.len(), net(&cells).2), (2, decimal("111")));
    let few = store.rollups(RollupQuery { at_most: Some(0), ..merged }).await.unwrap();
    assert_eq!(few.len(), 1, "one more than allowed tells that there are too many");
}

pub async fn lines_that_cannot_be_recorded_do_not_touch_their_neighbours(place: &dyn Place) {
    let store = place.open();
    let sent = |line: &str| texts("r", 0, &[&format!("{line} O SALE - A 1 1 {MORNING}")]);
    let mut bad = lines_change(2, vec![], sent("L2"));
    bad.draft = bad.draft.fact("note", "two\nlines");
    let group = vec![lines_change(1, vec![], sent("L1")), bad, lines_change(3, vec![], sent("L3"))];
    let judged = commit(&*store, group).await;
    assert!(judged[0].is_ok() && judged[2].is_ok(), "{judged:?}");
    assert!(matches!(judged[1], Err(Refusal::Unrecordable(_))), "{judged:?}");
    assert_eq!(store.tree().await.unwrap().size(), 2);
    // Nothing is left of it: the same line is taken when it comes rightly.
    let (_, answer) = append(&*store, 4, sent("L2")).await;
    assert_eq!(counts(&answer)[0], 1, "{answer:?}");
}

pub async fn a_batch_is_refused_whole_when_the_report_is_closed(place: &dyn Place) {
    let store = place.open();
    let report =
        |state| Write::Put(record(Kind::Report, "r", state, &["2026-01-01", "2026-01-31"]));
    committed(&*store, change(1, vec![], vec![report("SEALED")])).await;
    let open = Expect::State { kind: Kind::Report, key: "r".into(), state: "OPEN" };
    let sent = texts("r", 0, &[&format!("L1 O SALE - A 1 1 {MORNING}")]);
    let judged = commit(&*store, vec![lines_change(2, vec![open], sent)]).await;
    assert!(matches!(judged[0], Err(Refusal::WrongState { .. })));
    assert_eq!(store.report_progress("r").await.unwrap(), ReportProgress::default());
    assert_eq!(store.rollups(RollupQuery::default()).await.unwrap(), []);
}

pub async fn lines_of_an_abandoned_report_count_nowhere(place: &dyn Place) {
    let store = place.open();
    let sale = format!("L1 O1 SALE - A 2 10.5 {MORNING}");
    let (entry, _) = append(&*store, 1, texts("r", 0, &[&sale])).await;
    assert_eq!(store.report_progress("r").await.unwrap().last_entry, Some(entry));
    let abandoned = record(Kind::Report, "r", "ABANDONED", &["2026-01-01", "2026-01-31"]);
    committed(&*store, change(2, vec![], vec![Write::Put(abandoned)])).await;
    assert_eq!(store.rollups(RollupQuery::default()).await.unwrap(), []);

    let back = format!("L2 O1 RETURN L1 A 1 10.5 {MORNING}");
    let (_, answer) = append(&*store, 3, texts("s", 0, &[&back])).await;
    assert_eq!(answer.notes[0].reasons, ["UNKNOWN_ORIGINAL"]);
    let (later, answer) = append(&*store, 4, texts("s", 1, &[&sale, &sale])).await;
    assert_eq!(counts(&answer), [1, 0, 1, 0], "taken anew, once");
    assert_eq!(answer.notes[0].first_entry, Some(later));
    let more = format!("L3 O1 RETURN L1 A 1 10.5 {MORNING}");
    let (_, answer) = append(&*store, 5, texts("s", 3, &[&more])).await;
    assert_eq!(counts(&answer), [1, 0, 0, 0]);
}

pub async fn a_closed_month_takes_no_line_but_knows_those_it_has(place: &dyn Place) {
    let store = place.open();
    let sale = format!("L1 O1 SALE - A 2 10.5 {MORNING}");
    append(&*store, 1, texts("r", 0, &[&sale])).await;
    let closed = record(Kind::ClosedMonth, "2026-01", "CLOSED", &[]);
    committed(&*store, change(2, vec![], vec![Write::Put(closed)])).await;
    let late = format!("L2 O1 ADJUSTMENT L1 A -1 10.5 {MORNING}");
    let next = "L3 O1 ADJUSTMENT L1 A -1 10.5 2026-02-01T00:00:00+08:00";
    let (_, answer) = append(&*store, 3, texts("r", 1, &[&sale, &late, next])).await;
    assert_eq!(counts(&answer), [1, 0, 1, 1]);
    assert_eq!(answer.notes[1].reasons, ["PERIOD_CLOSED"]);
    assert_eq!((answer.notes[1].field.as_str(), answer.next_line), ("sold_at", 4));
    assert_eq!(store.report_progress("r").await.unwrap().totals.len(), 2);
}

pub async fn lines_read_back_as_they_came(place: &dyn Place) {
    let store = place.open();
    let sale = format!("L1 O1 SALE - A 2 10.500 {MORNING}");
    let mut full = row(1, &format!("L2 O1 REFUND L1 A 1 0.125 {MORNING}"));
    full.line.destination = None;
    full.line.declaration = Some("18817EC08028500L".parse().unwrap());
    full.line.declaration_item = Some(2);
    full.line.other_amounts = Some(Box::new(crate::domain::sale::OtherAmounts {
        tax: Some("0.21".parse().unwrap()),
        ..Default::default()
    }));
    let unmatched = row(2, &format!("L3 O1 RETURN L0 A 1 1 {MORNING}"));
    let exceeding = row(3, &format!("L4 O1 RETURN L1 A 3 1 {MORNING}"));
    let rows = vec![row(0, &sale), full, unmatched, exceeding];
    let came: Vec<SaleLine> = rows.iter().map(|row| row.line.clone()).collect();
    let (entry, _) = append(&*store, 1, batch("r", 0, rows)).await;

    let all =
        LineQuery { report: "r".to_owned(), remarked: None, reason: None, after: 0, limit: 10 };
    let stored = store.lines(all.clone()).await.unwrap();
    assert_eq!(stored.iter().map(|one| one.line.clone()).collect::<Vec<_>>(), came);
    assert!(stored.iter().all(|one| one.entry == entry));
    let ids = |lines: Vec<StoredLine>| -> Vec<String> {
        lines.iter().map(|one| one.line.line_id.to_string()).collect()
    };
    let after = LineQuery { after: stored[1].seq, limit: 1, ..all.clone() };
    assert_eq!(ids(store.lines(after).await.unwrap()), ["L3"]);
    for (remarked, reason, found) in [
        (Some(false), None, &["L1", "L2"][..]),
        (Some(true), None, &["L3", "L4"]),
        (None, Some(WarningReason::UnknownOriginal), &["L3"]),
        (Some(true), Some(WarningReason::ExceedsOriginal), &["L4"]),
        (None, Some(WarningReason::UnknownSku), &[]),
    ] {
        let query = LineQuery { remarked, reason, ..all.clone() };
        assert_eq!(ids(store.lines(query).await.unwrap()), found, "{remarked:?} {reason:?}");
    }
    let elsewhere = LineQuery { report: "q".to_owned(), ..all };
    assert_eq!(store.lines(elsewhere).await.unwrap(), []);
}
