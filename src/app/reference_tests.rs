//! Tables are replaced whole, and read page by page.

use super::*;
use crate::app::test_stage::Stage;

fn row(code: &str, title: &str) -> ReferenceRow {
    ReferenceRow {
        code: code.into(),
        title_es: title.into(),
        title_en: String::new(),
        attributes: BTreeMap::new(),
        valid_from: None,
        valid_to: None,
    }
}

fn table(id: &str, version: &str, rows: Vec<ReferenceRow>) -> ReferenceTable {
    ReferenceTable {
        id: id.into(),
        version: version.into(),
        source: "a test".into(),
        loaded_at: Timestamp::UNIX_EPOCH,
        digest: String::new(),
        rows,
    }
}

#[tokio::test]
async fn a_new_version_replaces_the_table_and_says_how_it_differs() {
    let stage = Stage::set().await;
    let app = &stage.app;
    let intent = || stage.intent("operator");
    let first = table("units", "1", vec![row("B", "dos"), row("A", "uno"), row("C", "tres")]);
    let loaded = app.load_table(&intent(), first.clone()).await.unwrap().value;
    assert_eq!((loaded.rows, loaded.difference.created), (3, 3));
    assert_eq!(loaded.loaded_at, app.env.now());

    let second = table("units", "2", vec![row("A", "uno"), row("B", "two"), row("D", "cuatro")]);
    let relabelled = table("units", "1", second.rows.clone());
    let taken = app.load_table(&intent(), relabelled).await.unwrap_err();
    assert_eq!(taken.reason, "VERSION_EXISTS");
    let loaded = app.load_table(&intent(), second).await.unwrap().value;
    let expected = Difference { created: 1, updated: 1, unchanged: 1, removed: 1 };
    assert_eq!(loaded.difference, expected);
    let empty = app.load_table(&intent(), table("units", "3", vec![])).await.unwrap_err();
    assert_eq!(empty.reason, "EMPTY_TABLE");
    assert_eq!(app.reference_table("units").unwrap().version, "2");
    assert_eq!(app.reference_table("unit").unwrap_err(), Error::not_found());
}

#[tokio::test]
async fn rows_are_read_by_code_page_by_page() {
    let stage = Stage::set().await;
    let dated = |from: &str, to: &str| ReferenceRow {
        valid_from: from.parse().ok(),
        valid_to: to.parse().ok(),
        ..row("B", "dos")
    };
    let rows = vec![row("C", "x"), dated("2026-01-01", ""), dated("", "2025-12-31"), row("A", "y")];
    stage.app.load_table(&stage.intent("operator"), table("t1", "1", rows)).await.unwrap();
    let mut query = RowsQuery {
        table: "t1".into(),
        prefix: String::new(),
        on: None,
        after: String::new(),
        limit: 3,
    };
    let (version, page) = stage.app.reference_rows(&query).unwrap();
    assert_eq!((version.as_str(), page.items.len()), ("1", 3));
    query.after = page.next.unwrap();
    let (_, rest) = stage.app.reference_rows(&query).unwrap();
    assert_eq!((rest.items.len(), rest.next), (1, None));
    let today = RowsQuery { on: "2026-06-01".parse().ok(), after: String::new(), ..query };
    let (_, page) = stage.app.reference_rows(&today).unwrap();
    let codes: Vec<_> = page.items.iter().map(|row| row.code.as_str()).collect();
    assert_eq!(codes, ["A", "B", "C"]);
}

#[tokio::test]
async fn rules_that_cannot_be_read_are_not_loaded() {
    let stage = Stage::set().await;
    let mut bad = row("22", "Bebidas");
    bad.attributes.insert("issuers".into(), "AFIP".into());
    let refused =
        stage.app.load_table(&stage.intent("operator"), table(CERTIFICATES, "1", vec![bad])).await;
    assert_eq!(refused.unwrap_err().reason, "TABLE_FAULTY");
}
