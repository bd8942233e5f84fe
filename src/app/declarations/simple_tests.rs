//! What is declared under a simplified regime stays within its limits, also at once.

use crate::app::declarations::bulk::{DeclarationRow, Rows};
use crate::app::declarations::{NamedListing, NewDeclaration, NewItem, Shown};
use crate::app::listings::tests::{SELLER, stage, submitted, wine};
use crate::app::test_stage::Stage;
use crate::app::write::Written;
use crate::domain::customs_declaration::{Goods, Incoterm, ItemWish, Terms, Wish};
use crate::domain::partner::Role;
use crate::error::{Error, Result};

fn terms(day: &str) -> Terms {
    Terms {
        exporter: SELLER.parse().unwrap(),
        declarant: "33693450239".parse().unwrap(),
        incoterm: Incoterm::Fob,
        destination: "CN".parse().ok(),
        officialised_on: day.parse().unwrap(),
    }
}

fn item(item: i64, fob: &str) -> NewItem {
    NewItem {
        item: item.try_into().unwrap(),
        listing: NamedListing { key: None, sku: "W-1".parse().ok() },
        goods: Goods {
            ncm: "2204.21.00".parse().unwrap(),
            quantity: "100".parse().unwrap(),
            unit: "LTR".parse().unwrap(),
            fob: fob.parse().unwrap(),
            currency: "USD".parse().unwrap(),
        },
    }
}

/// The number of the place-th declaration under Exporta Simple.
fn number(place: u32) -> String {
    format!("26001ES01{place:06}A")
}

async fn declare(
    stage: &Stage,
    number: &str,
    day: &str,
    items: Vec<NewItem>,
) -> Result<Written<Shown>> {
    let customs = stage.caller("customs", Role::Customs);
    let new = NewDeclaration { number: number.parse().unwrap(), terms: terms(day), items };
    stage.app.register_declaration(&customs, &stage.intent("customs"), None, &new).await
}

fn told<'e>(error: &'e Error, name: &str) -> &'e str {
    let found = error.metadata.iter().find(|(key, _)| key == name);
    found.map_or("", |(_, value)| value.as_str())
}

#[tokio::test]
async fn an_operation_above_its_limit_is_refused_with_limit_sum_and_source() {
    let stage = stage().await;
    submitted(&stage, &wine("W-1")).await;
    let items = vec![item(1, "9000"), item(2, "6000.01")];
    let above = declare(&stage, &number(1), "2026-02-01", items.clone()).await.unwrap_err();
    assert_eq!(above.reason, "SIMPLE_REGIME_LIMIT");
    for (name, value) in [
        ("per", "OPERATION"),
        ("limit", "15000"),
        ("sum", "9000"),
        ("asked", "6000.01"),
        ("currency", "USD"),
        ("source", "RG AFIP 4458/2019"),
    ] {
        assert_eq!(told(&above, name), value, "{name}: {above:?}");
    }
    assert_eq!(above.fields[0].field, "declaration.items[1].fob");
    // Under another regime nothing is bounded.
    declare(&stage, "26001EC01000001A", "2026-02-01", items).await.unwrap();
    declare(&stage, &number(1), "2026-02-01", vec![item(1, "15000")]).await.unwrap();

    let mut euros = item(1, "100");
    euros.goods.currency = "EUR".parse().unwrap();
    let other = declare(&stage, &number(2), "2026-02-01", vec![euros]).await.unwrap_err();
    assert_eq!((other.reason, told(&other, "currency")), ("SIMPLE_REGIME_CURRENCY", "USD"));

    // Amended upward it is judged again, downward never refused.
    let amend = |fob: &str| {
        let (stage, fob) = (&stage, fob.parse().unwrap());
        async move {
            let customs = stage.caller("customs", Role::Customs);
            let wish = Wish {
                reason: "x".parse().unwrap(),
                declarant: None,
                incoterm: None,
                destination: None,
                items: vec![ItemWish {
                    item: 1i64.try_into().unwrap(),
                    quantity: None,
                    fob: Some(fob),
                }],
            };
            let (intent, number) = (stage.intent("customs"), number(1).parse().unwrap());
            stage.app.amend_declaration(&customs, &intent, number, "", &wish).await
        }
    };
    assert_eq!(amend("15000.01").await.unwrap_err().reason, "SIMPLE_REGIME_LIMIT");
    amend("1").await.unwrap();
    amend("15000").await.unwrap();
}

#[tokio::test]
async fn a_year_is_bounded_also_for_those_who_declare_at_once_and_in_rows() {
    let stage = stage().await;
    submitted(&stage, &wine("W-1")).await;
    for place in 1..=38 {
        declare(&stage, &number(place), "2026-02-01", vec![item(1, "15000")]).await.unwrap();
    }
    // 570,000 are declared: two of these three fit.
    let (one, two, three) = (number(41), number(42), number(43));
    let (one, two, three) = tokio::join!(
        declare(&stage, &one, "2026-12-31", vec![item(1, "15000")]),
        declare(&stage, &two, "2026-01-01", vec![item(1, "15000")]),
        declare(&stage, &three, "2026-06-01", vec![item(1, "15000")]),
    );
    let refused: Vec<_> = [one, two, three].into_iter().filter_map(Result::err).collect();
    assert_eq!(refused.len(), 1, "{refused:?}");
    assert_eq!((told(&refused[0], "per"), told(&refused[0], "sum")), ("YEAR", "600000"));
    // The next year begins anew.
    declare(&stage, &number(50), "2027-01-01", vec![item(1, "14000")]).await.unwrap();

    let row = |place: u32, items: NewItem| DeclarationRow {
        number: number(place).parse().unwrap(),
        terms: terms("2027-03-01"),
        item: items,
    };
    let sent = Rows {
        digest: "d".into(),
        rows: vec![
            (2, row(60, item(1, "10000"))),
            (3, row(60, item(2, "5000.5"))),
            (4, row(60, item(3, "5000"))),
        ],
        rejected: vec![],
    };
    let customs = stage.caller("customs", Role::Customs);
    let intent = stage.intent("customs");
    let answer =
        stage.app.register_declarations(&customs, &intent, None, &sent).await.unwrap().value;
    assert_eq!((answer.items, answer.rejected), (2, 1));
    let left = &answer.rejected_rows[0];
    assert_eq!((left.row, left.reason.as_str()), (3, "SIMPLE_REGIME_LIMIT"));
    assert_eq!(left.field, "declaration.items[0].fob");
}
