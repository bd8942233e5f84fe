//! Exports: pages hold what matches, in the order stored, however small they are.

use super::lines::{batch, lines_change, row};
use super::*;
use crate::store::{ExportQuery, ExportedLine};

fn everything(report: &str, entries: u64) -> ExportQuery {
    ExportQuery {
        report: report.to_owned(),
        days: None,
        kinds: vec![],
        remarked: None,
        reason: None,
        entries,
        after: 0,
        limit: 1000,
        look_at: 1000,
    }
}

/// All lines, and how many pages they took.
async fn all(store: &dyn Store, mut query: ExportQuery) -> (Vec<ExportedLine>, usize) {
    let (mut lines, mut pages) = (Vec::new(), 0);
    loop {
        let page = store.export(query.clone()).await.unwrap();
        pages += 1;
        assert!(page.lines.len() <= query.limit as usize);
        lines.extend(page.lines);
        match page.next {
            Some(next) => {
                assert!(next > query.after);
                query.after = next;
            }
            None => return (lines, pages),
        }
    }
}

fn ids(lines: &[ExportedLine]) -> String {
    let ids: Vec<_> =
        lines.iter().map(|line| line.stored.line.line_id.as_str().to_owned()).collect();
    ids.join(" ")
}

pub async fn an_export_finds_what_matches_and_nothing_later(place: &dyn Place) {
    let store = place.open();
    let mut number = 0;
    let mut push = async |report: &str, lines: &[&str]| {
        number += 1;
        let rows = (0..).zip(lines).map(|(place, text)| row(place, text)).collect();
        committed(&*store, lines_change(number, vec![], batch(report, 0, rows))).await.receipt.index
    };
    let first = push(
        "r",
        &[
            "L1 O1 SALE - A 2 10 2026-01-05T08:00:00+08:00",
            "L2 O1 SALE - B 1 3 2026-01-06T08:00:00+08:00",
            "L3 O1 RETURN L1 A 1 10 2026-01-07T08:00:00+08:00",
        ],
    )
    .await;
    push("other", &["X1 O1 SALE - A 2 10 2026-01-05T08:00:00+08:00"]).await;
    push(
        "r",
        &[
            // Beyond what was sold, on a day of its own: left out of net.
            "L4 O1 RETURN L1 A 5 10 2026-03-01T08:00:00+08:00",
            "L5 O1 REFUND L9 A 1 10 2026-01-05T23:59:59+08:00",
        ],
    )
    .await;
    let size = store.tree().await.unwrap().size();
    push("r", &["L6 O1 SALE - A 2 10 2026-01-05T08:00:00+08:00"]).await;

    let (lines, pages) = all(&*store, everything("r", size)).await;
    assert_eq!((ids(&lines).as_str(), pages), ("L1 L2 L3 L4 L5", 1));
    assert_eq!(lines[0].stored.entry, first);
    let about = |line: &ExportedLine| (line.seller.clone(), line.ncm.clone());
    assert_eq!(about(&lines[0]), ("20267565393".to_owned(), "22042100".to_owned()));
    assert_eq!(about(&lines[3]), about(&lines[0]));
    let stored: Vec<_> = lines.iter().map(|line| line.stored.clone()).collect();
    for (limit, look_at) in [(1, 1000), (2, 1), (1000, 2), (3, 3)] {
        let (again, _) =
            all(&*store, ExportQuery { limit, look_at, ..everything("r", size) }).await;
        assert!(again.iter().map(|line| &line.stored).eq(&stored), "{limit} {look_at}");
    }
    assert_eq!(ids(&all(&*store, everything("r", first + 1)).await.0), "L1 L2 L3");
    assert_eq!(ids(&all(&*store, everything("nowhere", size)).await.0), "");

    let narrowed = [
        (ExportQuery { remarked: Some(true), ..everything("r", size) }, "L4 L5"),
        (ExportQuery { remarked: Some(false), ..everything("r", size) }, "L1 L2 L3"),
        (
            ExportQuery {
                reason: Some("EXCEEDS_ORIGINAL".parse().unwrap()),
                ..everything("r", size)
            },
            "L4",
        ),
        (
            ExportQuery {
                kinds: vec!["RETURN".parse().unwrap(), "REFUND".parse().unwrap()],
                ..everything("r", size)
            },
            "L3 L4 L5",
        ),
        (days("2026-01-05..2026-01-06", size), "L1 L2 L5"),
        (days("2026-03-01..2026-03-31", size), "L4"),
        (days("2026-02-01..2026-02-28", size), ""),
    ];
    for (query, expected) in narrowed {
        for look_at in [1, 1000] {
            let (lines, _) = all(&*store, ExportQuery { look_at, ..query.clone() }).await;
            assert_eq!(ids(&lines), expected, "{query:?}");
        }
    }
}

fn days(period: &str, entries: u64) -> ExportQuery {
    ExportQuery { days: Some(period.parse().unwrap()), ..everything("r", entries) }
}
