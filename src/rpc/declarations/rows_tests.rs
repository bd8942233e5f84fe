//! Rows as they are gathered: bounded, each judged alone, however they are cut.

use super::super::wire::tests::whole;
use super::*;
use crate::domain::caller::Admission;
use crate::domain::partner::Role;
use crate::proto::google::r#type::{Date, Decimal};

fn caller() -> Caller {
    Caller::admitted(Admission {
        partner: "customs".parse().unwrap(),
        role: Role::Customs,
        agency: None,
        scopes: Role::Customs.grantable(),
        method: "/puente.customs.v1.DeclarationService/RegisterDeclarations".into(),
        client_address: "".into(),
        certificate_thumbprint: "".into(),
        trace_id: String::new(),
    })
}

fn header() -> pb::RegisterDeclarationsHeader {
    pb::RegisterDeclarationsHeader {
        request_id: "0198c7a2-6a0f-7b51-9c7e-1f2a3b4c5d6e".into(),
        ..Default::default()
    }
}

fn row(number: i64) -> pb::DeclarationRow {
    pb::DeclarationRow { row: number, declaration: Some(whole()) }
}

fn gathered(chunks: &[&[pb::DeclarationRow]]) -> (wire::Digest, Rows<DeclarationRow>) {
    let (_, mut gathered) = Gathered::begin(&caller(), &mut header()).unwrap();
    let tables = Tables::default();
    for chunk in chunks {
        gathered.take(chunk, |row| row.row, |row| declaration_row(row, &tables)).unwrap();
    }
    gathered.end()
}

#[test]
fn how_rows_are_cut_into_chunks_is_no_content() {
    let rows = [row(2), row(3), row(4)];
    let (whole, good) = gathered(&[&rows]);
    assert_eq!(whole, gathered(&[&rows[..1], &rows[1..]]).0);
    assert_ne!(whole, gathered(&[&rows[..2]]).0);
    assert_eq!((good.rows.len(), good.rejected.len()), (3, 0));
}

#[test]
fn each_bad_row_is_told_by_number_field_and_reason() {
    let mut number = row(2);
    number.declaration.as_mut().unwrap().number = "x".into();
    let mut none = row(3);
    none.declaration.as_mut().unwrap().items.clear();
    let mut two = row(4);
    let items = &mut two.declaration.as_mut().unwrap().items;
    items.push(pb::DeclarationItem { item: 2, ..items[0].clone() });
    let absent = pb::DeclarationRow { row: 5, declaration: None };
    let (_, rows) = gathered(&[&[number, none, two, absent, row(-1), row(7)]]);
    let told: Vec<_> =
        rows.rejected.iter().map(|one| (one.row, &*one.reason, &*one.field)).collect();
    assert_eq!(
        told,
        [
            (2, "INVALID_DECLARATION", "declaration.number"),
            (3, "INVALID_FIELD", "declaration.items"),
            (4, "INVALID_FIELD", "declaration.items"),
            (5, "INVALID_FIELD", "declaration"),
            (-1, "INVALID_FIELD", "row"),
        ]
    );
    assert_eq!(rows.rows.len(), 1);
}

#[test]
fn a_row_of_shipments_names_its_declaration() {
    let good = pb::ShipmentRow {
        row: 2,
        declaration: "declarations/18817EC08028500L".into(),
        shipment: Some(pb::ItemShipment {
            item: 1,
            quantity: Some(Decimal { value: "3.5".into() }),
            shipped_on: Some(Date { year: 2018, month: 6, day: 1 }),
            ..Default::default()
        }),
    };
    assert_eq!(shipment_row(&good).unwrap().shipment.quantity.to_string(), "3.5");
    let refused = |row: pb::ShipmentRow| shipment_row(&row).err().unwrap().fields[0].field.clone();
    let bare = pb::ShipmentRow { declaration: "18817EC08028500L".into(), ..good.clone() };
    assert_eq!(refused(bare), "declaration");
    let mut nothing = good.clone();
    nothing.shipment.as_mut().unwrap().quantity = None;
    assert_eq!(refused(nothing), "shipment.quantity");
    assert_eq!(refused(pb::ShipmentRow { shipment: None, ..good }), "shipment");
}

#[test]
fn a_stream_is_bounded() {
    let (_, mut gathered) = Gathered::begin(&caller(), &mut header()).unwrap();
    let take = |gathered: &mut Gathered<()>, rows: &[pb::DeclarationRow]| {
        gathered.take(rows, |row| row.row, |_| Ok(())).err().map(|error| error.reason)
    };
    assert_eq!(take(&mut gathered, &[]), Some("INVALID_FIELD"));
    assert_eq!(take(&mut gathered, &vec![row(2); IN_A_CHUNK + 1]), Some("INVALID_FIELD"));
    gathered.sent = MAX_ROWS;
    assert_eq!(take(&mut gathered, &[row(2)]), Some("TOO_MANY_ROWS"));
    let mut nameless = pb::RegisterDeclarationsHeader::default();
    assert!(Gathered::<()>::begin(&caller(), &mut nameless).is_err());
}
