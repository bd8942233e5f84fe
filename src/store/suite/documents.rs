//! Documents: versions, states, pages, neighbours in a group.

use super::*;
use crate::change::{KINDS, NEVER, Refusal};
use crate::store::PageQuery;

pub async fn a_document_reads_back_with_its_version(place: &dyn Place) {
    let store = place.open();
    for (number, kind) in (1..).zip(KINDS) {
        let columns: Vec<&str> = kind.columns().to_vec();
        let mut document = record(kind, "one", "DRAFT", &columns);
        assert_eq!(store.record(kind, "one").await.unwrap(), None);
        committed(
            &*store,
            change(number, vec![at_version(kind, "one", 0)], vec![Write::Put(document.clone())]),
        )
        .await;
        document.version = 1;
        assert_eq!(store.record(kind, "one").await.unwrap(), Some(document.clone()));

        document.state = "CLEARED".to_owned();
        document.body = b"{}".to_vec();
        committed(
            &*store,
            change(
                100 + number,
                vec![at_version(kind, "one", 1)],
                vec![Write::Put(document.clone())],
            ),
        )
        .await;
        document.version = 2;
        let found = store.records(kind, vec!["two".into(), "one".into()]).await.unwrap();
        assert_eq!(found, vec![document]);
    }
}

pub async fn pages_follow_the_keys_and_the_filters(place: &dyn Place) {
    let store = place.open();
    let listing = |key: &str, owner: &str, state: &str, ncm: &str| {
        let mut listing = record(Kind::Listing, key, state, &[key, "20267565393", ncm, "X", NEVER]);
        listing.owner = owner.to_owned();
        Write::Put(listing)
    };
    let writes = vec![
        listing("c", "one", "CLEARED", "22042100"),
        listing("a", "one", "DRAFT", "22042100"),
        listing("d", "two", "CLEARED", "03061790"),
        listing("b", "one", "CLEARED", "22041010"),
    ];
    committed(&*store, change(1, vec![], writes)).await;
    let keys = async |query: PageQuery| -> Vec<String> {
        store.page(query).await.unwrap().into_iter().map(|found| found.key).collect()
    };
    let all = PageQuery::all(Kind::Listing, 3);
    assert_eq!(keys(all.clone()).await, ["a", "b", "c"]);
    assert_eq!(keys(PageQuery { after: "c".into(), ..all.clone() }).await, ["d"]);
    let one = PageQuery { owner: Some("one".into()), ..all.clone() };
    assert_eq!(keys(one.clone()).await, ["a", "b", "c"]);
    let cleared = PageQuery { state: Some("CLEARED".into()), ..one };
    assert_eq!(keys(cleared.clone()).await, ["b", "c"]);
    let still = PageQuery { equal: vec![("ncm", "22042100".into())], ..cleared.clone() };
    assert_eq!(keys(still).await, ["c"]);
    let wines = PageQuery { prefix: vec![("ncm", "2204".into())], ..all.clone() };
    assert_eq!(keys(wines).await, ["a", "b", "c"]);
    let some = |column, first: &str, last: &str| PageQuery {
        between: vec![(column, first.to_owned(), last.to_owned())],
        ..all.clone()
    };
    assert_eq!(keys(some("key", "b", "c")).await, ["b", "c"]);
    assert_eq!(keys(some("ncm", "22041010", "22042099")).await, ["b"]);
}

pub async fn a_stale_version_is_refused_and_leaves_no_trace(place: &dyn Place) {
    let store = place.open();
    let put =
        || vec![Write::Put(record(Kind::Exporter, "e", "ELIGIBLE", &["AR-M", "MICRO", NEVER]))];
    committed(&*store, change(1, vec![at_version(Kind::Exporter, "e", 0)], put())).await;
    let size = store.tree().await.unwrap().size();
    for wrong in [0, 2] {
        let stale = change(2, vec![at_version(Kind::Exporter, "e", wrong)], put());
        assert_eq!(
            commit(&*store, vec![stale]).await,
            [Err(Refusal::Stale { kind: Kind::Exporter, key: "e".into() })]
        );
    }
    assert_eq!(store.record(Kind::Exporter, "e").await.unwrap().unwrap().version, 1);
    assert_eq!(store.tree().await.unwrap().size(), size);
    let key = request(2, 1);
    assert_eq!(store.request(&key.partner, &key.request_id).await.unwrap(), None);
}

pub async fn a_state_is_judged_under_the_head(place: &dyn Place) {
    let store = place.open();
    let open = || Expect::State { kind: Kind::Report, key: "r".into(), state: "OPEN" };
    let put = |state| Write::Put(record(Kind::Report, "r", state, &["2026-01-01", "2026-01-31"]));
    let wrong = |state: &str| {
        Err(Refusal::WrongState { kind: Kind::Report, key: "r".into(), state: state.into() })
    };
    assert_eq!(commit(&*store, vec![change(1, vec![open()], vec![])]).await, [wrong("")]);
    // Each is judged against what those before it in the group wrote.
    let judged = commit(
        &*store,
        vec![
            change(2, vec![], vec![put("OPEN")]),
            change(3, vec![open()], vec![put("SEALED")]),
            change(4, vec![open()], vec![]),
        ],
    )
    .await;
    assert!(judged[0].is_ok() && judged[1].is_ok());
    assert_eq!(judged[2], wrong("SEALED"));
}

pub async fn a_refused_change_does_not_touch_its_neighbours(place: &dyn Place) {
    let store = place.open();
    let put = |key| Write::Put(record(Kind::Partner, key, "ACTIVE", &["MARKETPLACE"]));
    let mut too_long = change(3, vec![], vec![put("long")]);
    too_long.draft = too_long.draft.fact("fact", "x".repeat(70_000));
    let judged = commit(
        &*store,
        vec![
            change(1, vec![], vec![put("first")]),
            change(2, vec![at_version(Kind::Partner, "first", 7)], vec![put("second")]),
            too_long,
            change(4, vec![], vec![put("last")]),
        ],
    )
    .await;
    assert!(judged[0].is_ok() && judged[3].is_ok(), "{judged:?}");
    assert!(matches!(judged[1], Err(Refusal::Stale { .. })));
    assert!(matches!(judged[2], Err(Refusal::Unrecordable(_))));
    let kept = store.page(PageQuery::all(Kind::Partner, 10)).await.unwrap();
    assert_eq!(kept.iter().map(|kept| kept.key.as_str()).collect::<Vec<_>>(), ["first", "last"]);
    assert_eq!(store.tree().await.unwrap().size(), 2);
}

pub async fn what_is_due_is_found_in_its_order(place: &dyn Place) {
    let store = place.open();
    let listing = |number: usize, due: &str| {
        let key = format!("l{number:05}");
        let columns = [key.as_str(), "20267565393", "22042100", "X", due];
        Write::Put(record(Kind::Listing, &key, "CLEARED", &columns))
    };
    let days = ["2026-07-02", NEVER, "2026-07-01", "2026-06-30", "2026-07-03"];
    let writes = (0..10_000).map(|number| listing(number, days[number % 5])).collect();
    committed(&*store, change(1, vec![], writes)).await;
    let mut found = Vec::new();
    let mut after = None;
    loop {
        let day = "2026-07-02".parse().unwrap();
        let page = store.due(Kind::Listing, day, after, 999).await.unwrap();
        let Some(last) = page.last() else { break };
        after = Some((last.columns[4].clone(), last.key.clone()));
        found.extend(page.into_iter().map(|one| (one.columns[4].clone(), one.key)));
    }
    let mut expected: Vec<_> = (0..10_000)
        .map(|number| (days[number % 5].to_owned(), format!("l{number:05}")))
        .filter(|(due, _)| due.as_str() <= "2026-07-02")
        .collect();
    expected.sort();
    assert!(found == expected, "{} found, {} expected", found.len(), expected.len());
}
