use proptest::prelude::*;

use super::*;

fn raw() -> RawLine<'static> {
    RawLine {
        line_id: "L-1",
        order_id: "O-1",
        kind: "SALE",
        sku: "MALBEC-750",
        quantity: "6",
        unit_price: "12.345",
        currency: "CNY",
        sold_at: "2026-11-11T00:00:03+08:00",
        destination: "CN-SH",
        declaration: "18817EC08028500L",
        declaration_item: 1,
        ..RawLine::default()
    }
}

fn decimal(text: &str) -> Decimal {
    text.parse().unwrap()
}

#[test]
fn the_kind_gives_the_sign() {
    let table = [
        ("SALE", "6", "74.07"),
        ("CANCELLATION", "-6", "-74.07"),
        ("RETURN", "-6", "0"),
        ("REFUND", "0", "-74.07"),
        ("ADJUSTMENT", "6", "74.07"),
    ];
    for (kind, quantity, amount) in table {
        let line = SaleLine::parse(&RawLine { kind, ..raw() }).unwrap();
        let signed = line.signed();
        assert_eq!(
            (signed.quantity, signed.amount),
            (decimal(quantity), decimal(amount)),
            "{kind}"
        );
        let written = line.as_written();
        assert_eq!((written.quantity, written.amount), (decimal("6"), decimal("74.07")), "{kind}");
    }
    let taken = SaleLine::parse(&RawLine { kind: "ADJUSTMENT", quantity: "-2", ..raw() }).unwrap();
    assert_eq!(taken.signed().amount, decimal("-24.69"));
}

#[test]
fn the_first_fault_is_named_by_field_and_reason() {
    let r = raw();
    let table = [
        (RawLine { line_id: "", ..r }, "line_id", "INVALID_LINE_ID"),
        (RawLine { order_id: " x", ..r }, "order_id", "INVALID_FIELD"),
        (RawLine { kind: "SALES", ..r }, "kind", "INVALID_KIND"),
        (RawLine { original_line_id: "L-0", ..r }, "original_line_id", "INVALID_FIELD"),
        (RawLine { sku: "", ..r }, "sku", "INVALID_SKU"),
        (RawLine { quantity: "1e3", ..r }, "quantity", "INVALID_QUANTITY"),
        (RawLine { quantity: "-1", ..r }, "quantity", "INVALID_QUANTITY"),
        (RawLine { unit_price: "1,5", ..r }, "unit_price", "INVALID_PRICE"),
        (RawLine { unit_price: "-1", ..r }, "unit_price", "INVALID_PRICE"),
        (
            RawLine { quantity: "999999999999", unit_price: "999999999999", ..r },
            "unit_price",
            "AMOUNT_OUT_OF_RANGE",
        ),
        (RawLine { currency: "RMB", ..r }, "currency", "INVALID_CURRENCY"),
        (RawLine { sold_at: "2026-11-31T00:00:00Z", ..r }, "sold_at", "INVALID_SOLD_AT"),
        (RawLine { destination: "UK", ..r }, "destination", "INVALID_DESTINATION"),
        (RawLine { declaration: "X", ..r }, "declaration", "INVALID_DECLARATION"),
        (RawLine { declaration: "", ..r }, "declaration_item", "INVALID_DECLARATION"),
        (RawLine { declaration_item: -1, ..r }, "declaration_item", "INVALID_DECLARATION"),
        (RawLine { tax: "-1", ..r }, "tax", "INVALID_FIELD"),
        (RawLine { discount: "x", ..r }, "discount", "INVALID_FIELD"),
        (RawLine { settlement_amount: "1", ..r }, "settlement_currency", "INVALID_FIELD"),
        (RawLine { settlement_currency: "USD", ..r }, "settlement_amount", "INVALID_FIELD"),
    ];
    for (line, field, reason) in table {
        let fault = SaleLine::parse(&line).unwrap_err();
        assert_eq!((fault.field.as_deref(), fault.reason), (Some(field), reason), "{fault}");
    }
}

#[test]
fn zero_is_legitimate_and_what_is_unknown_stays_empty() {
    let line = SaleLine::parse(&RawLine {
        quantity: "0",
        unit_price: "0",
        destination: "",
        declaration: "",
        declaration_item: 0,
        ..raw()
    })
    .unwrap();
    assert_eq!((line.destination, line.declaration, line.declaration_item), (None, None, None));
    assert_eq!(line.other_amounts, None);
}

#[test]
fn a_line_survives_its_document() {
    let line = SaleLine::parse(&RawLine {
        kind: "REFUND",
        original_line_id: "L-0",
        tax: "1.5",
        settlement_amount: "7",
        settlement_currency: "USD",
        ..raw()
    })
    .unwrap();
    let json = serde_json::to_string(&line).unwrap();
    assert_eq!(serde_json::from_str::<SaleLine>(&json).unwrap(), line);
}

proptest! {
    #[test]
    fn amounts_are_exact(quantity in "[0-9]{1,6}(\\.[0-9]{1,3})?", price in "[0-9]{1,6}(\\.[0-9]{1,7})?") {
        let line = SaleLine::parse(&RawLine { quantity: &quantity, unit_price: &price, ..raw() });
        let line = line.unwrap();
        let amount = line.quantity.times(line.unit_price).unwrap();
        prop_assert_eq!(line.signed().amount, amount.value());
    }

    #[test]
    fn no_text_panics(quantity in ".{0,40}", price in "[-0-9.]{0,40}", at in ".{0,30}") {
        let _ = SaleLine::parse(&RawLine {
            quantity: &quantity, unit_price: &price, sold_at: &at, kind: "ADJUSTMENT", ..raw()
        });
    }
}
