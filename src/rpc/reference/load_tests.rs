//! Loads of tables, good and bad.

use tokio_stream::iter;

use super::*;

fn header() -> pb::LoadReferenceTableRequest {
    let header = pb::LoadReferenceTableHeader {
        request_id: "0198c7a2-6a0f-7b51-9c7e-1f2a3b4c5d6e".into(),
        table: "referenceTables/ncm".into(),
        version: "2026".into(),
        source: "a test".into(),
        validate_only: false,
    };
    pb::LoadReferenceTableRequest { part: Some(Part::Header(header)) }
}

fn row(code: &str) -> pb::ReferenceRow {
    pb::ReferenceRow { code: code.into(), title_es: "uno".into(), ..Default::default() }
}

fn chunk(rows: Vec<pb::ReferenceRow>) -> pb::LoadReferenceTableRequest {
    pb::LoadReferenceTableRequest { part: Some(Part::Chunk(pb::LoadReferenceTableChunk { rows })) }
}

async fn load(messages: Vec<pb::LoadReferenceTableRequest>) -> Result<Load, Status> {
    collect(iter(messages.into_iter().map(Ok))).await
}

fn reason(status: &Status) -> (String, Vec<(String, String)>) {
    use tonic_types::StatusExt as _;
    let details = status.get_error_details();
    let fields = details.bad_request().map_or(Vec::new(), |bad| {
        bad.field_violations.iter().map(|v| (v.field.clone(), v.description.clone())).collect()
    });
    (details.error_info().map_or(String::new(), |info| info.reason.clone()), fields)
}

#[tokio::test]
async fn a_stream_becomes_a_table_however_it_is_cut() {
    let whole = load(vec![header(), chunk(vec![row("A"), row("B")])]).await.unwrap();
    let cut = load(vec![header(), chunk(vec![row("A")]), chunk(vec![row("B")])]).await.unwrap();
    assert_eq!(whole.table, cut.table);
    assert_eq!(whole.table.id, "ncm");
    assert_eq!(whole.table.rows.len(), 2);
}

#[tokio::test]
async fn the_header_comes_first_and_once() {
    for (messages, expected) in [
        (vec![], "HEADER_EXPECTED"),
        (vec![chunk(vec![row("A")])], "HEADER_EXPECTED"),
        (vec![header(), header()], "CHUNK_EXPECTED"),
        (vec![header(), chunk(vec![])], "INVALID_FIELD"),
    ] {
        let status = load(messages).await.unwrap_err();
        assert_eq!(status.code(), tonic::Code::InvalidArgument);
        assert_eq!(reason(&status).0, expected);
    }
}

#[tokio::test]
async fn faulty_rows_are_all_named_with_their_numbers_and_nothing_is_loaded() {
    let mut endless = row("B");
    endless.valid_from = Some(crate::proto::google::r#type::Date { year: 2026, month: 2, day: 30 });
    let status = load(vec![header(), chunk(vec![row("A")]), chunk(vec![row(""), endless])])
        .await
        .unwrap_err();
    let (reason, fields) = reason(&status);
    assert_eq!(reason, "TABLE_FAULTY");
    assert_eq!(fields[0].0, "rows[1].code");
    assert!(fields[0].1.starts_with("row 2: "), "{fields:?}");
    assert_eq!(fields[1].0, "rows[2].valid_from");
}

#[tokio::test]
async fn a_code_may_come_again_for_other_days_only() {
    let day = |year| Some(crate::proto::google::r#type::Date { year, month: 1, day: 1 });
    let until = pb::ReferenceRow { valid_to: day(2024), ..row("A") };
    let from = pb::ReferenceRow { valid_from: day(2025), ..row("A") };
    load(vec![header(), chunk(vec![until.clone(), from])]).await.unwrap();
    let status = load(vec![header(), chunk(vec![until, row("A")])]).await.unwrap_err();
    let (reason, fields) = reason(&status);
    assert_eq!(reason, "TABLE_FAULTY");
    assert_eq!(fields[0].0, "rows[1].code");
}
