//! What the contract's rules for declarations take and refuse.

use super::*;

fn decimal(value: &str) -> Option<gtype::Decimal> {
    Some(gtype::Decimal { value: value.into() })
}

fn day(year: i32, month: i32, day: i32) -> Option<gtype::Date> {
    Some(gtype::Date { year, month, day })
}

pub(in super::super) fn whole() -> pb::Declaration {
    pb::Declaration {
        number: "18817EC08028500L".into(),
        exporter_cuit: "30-50001091-2".into(),
        incoterm: pb::Incoterm::Fob.into(),
        destination: "CN".into(),
        officialised_on: day(2018, 5, 2),
        items: vec![pb::DeclarationItem {
            item: 1,
            sku: "W-1".into(),
            ncm: "2204.21.00".into(),
            declared_quantity: decimal("7200.5"),
            statistical_unit: "LTR".into(),
            fob: decimal("98400.00"),
            currency: "USD".into(),
            ..pb::DeclarationItem::default()
        }],
        ..pb::Declaration::default()
    }
}

fn refused(change: impl FnOnce(&mut pb::Declaration)) -> (&'static str, String) {
    let mut sent = whole();
    change(&mut sent);
    let error = new("declaration", Some(&sent), &Tables::default()).unwrap_err();
    (error.reason, error.fields[0].field.clone())
}

#[test]
fn a_whole_declaration_parses_and_the_exporter_declares_where_nobody_else_is_named() {
    let parsed = new("declaration", Some(&whole()), &Tables::default()).unwrap();
    assert_eq!(parsed.terms.declarant, parsed.terms.exporter);
    assert_eq!(parsed.number.office(), "817");
    let declarant = pb::Declaration { declarant_cuit: "33693450239".into(), ..whole() };
    let parsed = new("declaration", Some(&declarant), &Tables::default()).unwrap();
    assert_eq!(parsed.terms.declarant.to_string(), "33693450239");
}

#[test]
fn every_fault_names_its_field() {
    type Fault = fn(&mut pb::Declaration);
    let cases: [(Fault, &str, &str); 15] = [
        (|d| d.number = "18817EC08028500".into(), "INVALID_DECLARATION", "number"),
        (|d| d.exporter_cuit = "30500010913".into(), "INVALID_CUIT", "exporter_cuit"),
        (|d| d.declarant_cuit = "1".into(), "INVALID_CUIT", "declarant_cuit"),
        (|d| d.incoterm = 0, "INVALID_FIELD", "incoterm"),
        (|d| d.incoterm = 12, "INVALID_FIELD", "incoterm"),
        (|d| d.destination = "china".into(), "INVALID_DESTINATION", "destination"),
        (|d| d.officialised_on = day(2018, 2, 30), "INVALID_FIELD", "officialised_on"),
        (|d| d.items.clear(), "INVALID_FIELD", "items"),
        (|d| d.items[0].item = 10_000, "INVALID_FIELD", "items[0].item"),
        (|d| d.items[0].sku.clear(), "INVALID_FIELD", "items[0].sku"),
        (|d| d.items[0].listing = "listings/1".into(), "INVALID_FIELD", "items[0].listing"),
        (|d| d.items[0].ncm.clear(), "INVALID_FIELD", "items[0].ncm"),
        (
            |d| d.items[0].declared_quantity = decimal("0.000"),
            "INVALID_FIELD",
            "items[0].declared_quantity",
        ),
        (|d| d.items[0].fob = decimal("-1"), "INVALID_FIELD", "items[0].fob"),
        (|d| d.items.push(d.items[0].clone()), "INVALID_FIELD", "items[1].item"),
    ];
    for (change, reason, field) in cases {
        assert_eq!(refused(change), (reason, format!("declaration.{field}")));
    }
}

#[test]
fn an_amendment_says_why_and_names_something() {
    let base = pb::AmendDeclarationRequest {
        reason: "as asked".into(),
        incoterm: pb::Incoterm::Cif.into(),
        ..pb::AmendDeclarationRequest::default()
    };
    assert!(wish(base.clone()).is_ok());
    let refused =
        |request: pb::AmendDeclarationRequest| wish(request).unwrap_err().fields[0].field.clone();
    assert_eq!(
        refused(pb::AmendDeclarationRequest { reason: " ".into(), ..base.clone() }),
        "reason"
    );
    assert_eq!(refused(pb::AmendDeclarationRequest { incoterm: 0, ..base.clone() }), "items");
    let item = pb::ItemAmendment { item: 1, ..pb::ItemAmendment::default() };
    assert_eq!(
        refused(pb::AmendDeclarationRequest { items: vec![item], ..base }),
        "items[0].declared_quantity"
    );
}

#[test]
fn filters_are_checked_and_days_may_be_many() {
    let period = |first, last| Some(shared::Period { first, last });
    let query = query(pb::ListDeclarationsRequest {
        officialised: period(day(2010, 1, 1), day(2026, 12, 31)),
        ..pb::ListDeclarationsRequest::default()
    });
    assert!(query.unwrap().officialised.is_some());
    for (office, year) in [("81", ""), ("8170", ""), ("٨١٧", ""), ("", "2018"), ("", "1")] {
        let request = pb::ListDeclarationsRequest {
            office: office.into(),
            year: year.into(),
            ..pb::ListDeclarationsRequest::default()
        };
        assert!(super::query(request).is_err(), "{office} {year}");
    }
}
