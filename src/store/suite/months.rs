//! The embedded store's sums by month answer as its daily cells do, and stay as current.

use super::lines::{batch, lines_change, row};
use super::*;
use crate::domain::analytics::{Dimension, Measure};
use crate::domain::coarse::Merging;
use crate::domain::exchange::Rates;
use crate::domain::explanation::{Explanation, ExplanationCause};
use crate::domain::ranking::{ListingSums, top};
use crate::domain::summary::sums;
use crate::store::{Ranking, RollupQuery};

fn query(period: Option<(&str, &str)>) -> RollupQuery {
    RollupQuery {
        from: period.map(|(from, _)| from.parse().unwrap()),
        to: period.map(|(_, to)| to.parse().unwrap()),
        ..RollupQuery::default()
    }
}

/// Asks for the same by sums by month and by daily cells; answers the lines over all days.
async fn lines_if_alike(store: &SqliteStore) -> u64 {
    assert!(store.sums_by_month(), "there are sums by month");
    let mut lines = 0;
    for period in [
        None,
        Some(("2026-01-01", "2026-02-28")),
        Some(("2026-01-01", "2026-01-31")),
        Some(("2026-01-06", "2026-03-01")),
        Some(("2026-01-06", "2026-01-08")),
        Some(("2025-01-01", "2027-12-31")),
    ] {
        let query = query(period);
        // Without dimensions, the daily cells come as they are.
        let cells = store.rollups(query.clone()).await.unwrap();
        lines = lines.max(cells.iter().map(|cell| cell.lines).sum());
        for by in [
            vec![],
            vec![Dimension::Listing, Dimension::Month],
            vec![Dimension::Kind, Dimension::Year],
            vec![Dimension::Day],
        ] {
            let mut merging = Merging::by(&by);
            cells.iter().for_each(|cell| merging.add(cell.clone()).unwrap());
            let asked = RollupQuery { by: Some(by.clone()), ..query.clone() };
            let found = store.rollups(asked).await.unwrap();
            let none = Rates::default();
            assert_eq!(
                sums(&found, &by, &none).unwrap(),
                sums(&merging.cells(), &by, &none).unwrap(),
                "{period:?} {by:?}"
            );
        }
        for measure in Measure::ALL {
            let rates = Rates::default();
            let expected = top(cells.iter().map(ListingSums::from), *measure, 1, &rates).unwrap();
            let ranking = Ranking { measure: *measure, limit: 1, rates };
            let found = store.top(query.clone(), ranking).await.unwrap().unwrap();
            assert_eq!(found, expected, "{period:?} {measure}");
        }
    }
    lines
}

#[tokio::test]
async fn sums_by_month_are_as_current_as_the_cells() {
    let place = Folder::new();
    let open = || SqliteStore::open(&place.0.path().join("puente.db")).unwrap();
    let append = async |store: &SqliteStore, number, report: &str, lines: &[&str]| {
        let rows = (0..).zip(lines).map(|(place, text)| row(place, text)).collect();
        committed(store, lines_change(number, vec![], batch(report, 0, rows))).await;
    };
    let store = open();
    assert_eq!(lines_if_alike(&store).await, 0);
    let first = [
        "L1 O1 SALE - A 2 10.125 2026-01-05T08:00:00Z",
        "L2 O1 SALE - B 1 3 2026-01-31T23:59:59Z",
        "L3 O2 SALE - A 5 2.5 2026-02-01T00:00:00Z",
    ];
    append(&store, 1, "r", &first).await;
    assert_eq!(lines_if_alike(&store).await, 3);
    let again = "L8 O1 SALE - A 1 1 2026-03-02T00:00:00Z";
    let more = ["L4 O1 RETURN L1 A 1 1 2026-03-01T00:00:00Z", again, first[0]];
    append(&store, 2, "r", &more).await;
    append(&store, 3, "q", &["L5 O7 SALE - B 1 0.0000000001 2025-12-31T00:00:00Z"]).await;
    assert_eq!(lines_if_alike(&store).await, 6);

    let count = Arc::new(store.count_orders("r").await.unwrap());
    let count = vec![Write::CountOrders(count)];
    committed(&store, change(4, vec![], count.clone())).await;
    assert_eq!(lines_if_alike(&store).await, 6);
    let ranking = Ranking { measure: Measure::Orders, limit: 1, rates: Rates::default() };
    let best = store.top(query(None), ranking).await.unwrap().unwrap().listings.remove(0);
    assert_eq!((best.listing.as_str(), best.orders), ("listing-A", 2));
    // Counting again counts nothing twice.
    committed(&store, change(5, vec![], count)).await;
    assert_eq!(lines_if_alike(&store).await, 6);

    // What exceeds its sale counts once it is explained.
    append(&store, 7, "r", &["L6 O1 RETURN L1 A 2 10.125 2026-01-07T00:00:00Z"]).await;
    assert_eq!(lines_if_alike(&store).await, 6);
    let explanation = Explanation {
        cause: ExplanationCause::UnitError,
        evidence: "boxes".parse().unwrap(),
        explained_by: "customs".parse().unwrap(),
        explained_at: at(0),
        entry: None,
    };
    let line = store.line(&"marketplace".parse().unwrap(), &"L6".parse().unwrap()).await;
    let line = line.unwrap().unwrap().line.seq;
    let explain = Write::Explain { report: "r".to_owned(), line, explanation };
    committed(&store, change(8, vec![], vec![explain])).await;
    assert_eq!(lines_if_alike(&store).await, 7);

    let period = &["2025-12-01", "2025-12-31"];
    let abandoned = record(Kind::Report, "q", "ABANDONED", period);
    committed(&store, change(6, vec![], vec![Write::Put(abandoned)])).await;
    assert_eq!(lines_if_alike(&store).await, 6);
    drop(store);

    // Nothing was written since: the sums are those of the file.
    let store = open();
    assert_eq!(lines_if_alike(&store).await, 6);
    assert!(store.sums_by_month_are_saved());
    let file = place.0.path().join("puente.db-months");
    let before = std::fs::read(&file).unwrap();
    // Another process looks at the store and has read it before more is written.
    let other = open();
    assert_eq!(lines_if_alike(&other).await, 6);
    append(&store, 9, "p", &["L9 O9 SALE - A 1 1 2026-03-02T00:00:00Z"]).await;
    assert_eq!(lines_if_alike(&store).await, 7);
    drop(other);
    assert!(!store.sums_by_month_are_saved());
    drop(store);
    // A file of an earlier moment, and one that is torn, are not looked at.
    let after = std::fs::read(&file).unwrap();
    for (other, stands) in
        [(&before[..], false), (&after[..after.len() - 1], false), (&after, true)]
    {
        std::fs::write(&file, other).unwrap();
        let store = open();
        assert_eq!(store.sums_by_month_are_saved(), stands);
        assert_eq!(lines_if_alike(&store).await, 7);
    }
}
