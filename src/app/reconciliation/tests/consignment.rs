//! How long goods may lie abroad follows from the table that is loaded.

use super::*;
use crate::domain::reference::{ReferenceRow, ReferenceTable};
use crate::domain::rule_table::CONSIGNMENT;

#[tokio::test]
async fn the_table_of_consignment_moves_deadlines() {
    let stage = stage().await;
    submitted(&stage, &wine("W-1")).await;
    declare(&stage, ONE, "W-1", 1, "75").await;
    assert_eq!(stage.app.raise_overdue().await.unwrap(), 0);
    let attributes = [("days", "90"), ("source", "Resolución de ejemplo")];
    let row = ReferenceRow {
        code: "2204".to_owned(),
        title_es: String::new(),
        title_en: String::new(),
        attributes: attributes.map(|(name, value)| (name.into(), value.into())).into(),
        valid_from: None,
        valid_to: None,
    };
    let table = ReferenceTable {
        id: CONSIGNMENT.to_owned(),
        version: "1".to_owned(),
        source: "Resolución de ejemplo".to_owned(),
        loaded_at: jiff::Timestamp::UNIX_EPOCH,
        digest: String::new(),
        rows: vec![row],
    };
    stage.app.load_table(&stage.intent("operator"), table).await.unwrap();
    stage.app.deadlines.stock().await;
    // 90 days from 1 March 2026 ended on 30 May; it is 1 June.
    assert_eq!(stands(&stage, ONE).await, format!("{ONE}/0001 OVERDUE 0 75"));
    assert_eq!(stage.app.raise_overdue().await.unwrap(), 1);
    assert_eq!(stage.app.raise_overdue().await.unwrap(), 0);
}
