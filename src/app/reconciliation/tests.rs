//! Reconciliation as its users see it: states, explanations, matches by hand, deadlines.

mod consignment;
mod lines;

use super::questions::DiscrepanciesQuery;
use super::*;
use crate::app::Page;
use crate::app::declarations::{NamedListing, NewDeclaration, NewItem};
use crate::app::lines::SentBatch;
use crate::app::listings::tests::{SELLER, stage, submitted, wine};
use crate::app::test_stage::Stage;
use crate::app::write::Written;
use crate::domain::caller::Visibility;
use crate::domain::customs_declaration::{Goods, Incoterm, ItemNumber, NewShipment, Terms};
use crate::domain::declaration::DeclarationNumber;
use crate::domain::reconciliation::{Cause, Named};
use crate::domain::sale::{RawLine, SaleLine};
use crate::error::ErrorKind;
use crate::ledger::EntryKind;

const ONE: &str = "26001EC01000001A";
const TWO: &str = "26001EC01000002B";
const DAY: i64 = 24 * 3600;

fn number(text: &str) -> DeclarationNumber {
    text.parse().unwrap()
}

fn item(item: i64) -> ItemNumber {
    item.try_into().unwrap()
}

fn customs(stage: &Stage) -> Caller {
    stage.caller("customs", Role::Customs)
}

/// A declaration of one item of the article, official on a day of February, with what left in March.
async fn declare(stage: &Stage, text: &str, sku: &str, day: u8, left: &str) {
    let goods = Goods {
        ncm: "2204.21.00".parse().unwrap(),
        quantity: "100".parse().unwrap(),
        unit: "LTR".parse().unwrap(),
        fob: "1200.50".parse().unwrap(),
        currency: "USD".parse().unwrap(),
    };
    let new = NewDeclaration {
        number: number(text),
        terms: Terms {
            exporter: SELLER.parse().unwrap(),
            declarant: SELLER.parse().unwrap(),
            incoterm: Incoterm::Fob,
            destination: "CN".parse().ok(),
            officialised_on: format!("2026-02-0{day}").parse().unwrap(),
        },
        items: vec![NewItem {
            item: item(1),
            listing: NamedListing { key: None, sku: sku.parse().ok() },
            goods,
        }],
    };
    let (customs, app) = (customs(stage), &stage.app);
    app.register_declaration(&customs, &stage.intent("customs"), None, &new).await.unwrap();
    if left != "0" {
        let shipment = NewShipment {
            quantity: left.parse().unwrap(),
            shipped_on: "2026-03-01".parse().unwrap(),
            reference: None,
            post_shipment: true,
        };
        let shipments = [(item(1), shipment)];
        let intent = stage.intent("customs");
        app.record_shipment(&customs, &intent, number(text), "", &shipments).await.unwrap();
    }
}

/// Lines written as `id kind original|- sku bottles name|-`, in a report of their own.
async fn sell(stage: &Stage, month: u8, lines: &[&str]) {
    let intent = stage.intent("market");
    let period = format!("2026-0{month}-01..2026-0{month}-28").parse().unwrap();
    let market = "market".parse().unwrap();
    let key = stage.app.open_report(&intent, &market, period).await.unwrap().value.key;
    let (target, _) = stage.app.push_target(&Visibility::All, &key).await.unwrap();
    let line = |text: &&str| {
        let parts: Vec<&str> = text.split(' ').collect();
        let [line_id, kind, original, sku, quantity, name] = parts[..] else {
            panic!("not a line: {text}");
        };
        let (declaration, item) = name.split_once('/').unwrap_or((name, "0"));
        SaleLine::parse(&RawLine {
            line_id,
            order_id: "O",
            kind,
            original_line_id: if original == "-" { "" } else { original },
            sku,
            quantity,
            unit_price: "10",
            currency: "CNY",
            sold_at: &format!("2026-0{month}-07T08:00:00+08:00"),
            declaration: if declaration == "-" { "" } else { declaration },
            declaration_item: item.parse().unwrap(),
            ..RawLine::default()
        })
        .unwrap()
    };
    let sent = SentBatch {
        sent: lines.len() as u32,
        lines: (0..).zip(lines.iter().map(line)).collect(),
        ..SentBatch::default()
    };
    let answer = stage.app.append_lines(&stage.intent("market"), &target, sent).await.unwrap();
    assert_eq!(answer.value.refused, 0, "{:?}", answer.value.notes);
}

/// State, net sold and stock of the one item of a declaration.
async fn stands(stage: &Stage, text: &str) -> String {
    let found = stage.app.reconciliation(&customs(stage), number(text), None, None).await.unwrap();
    assert_eq!(found.len(), 1);
    told(&found[0])
}

fn told(account: &Account) -> String {
    let of = account.item.map_or_else(|| account.sku.to_string(), |key| key.to_string());
    assert_eq!(
        account.shipped,
        account.net_sold + account.stock + account.reimported + account.written_off
    );
    format!("{of} {} {} {}", account.state, account.net_sold.normalize(), account.stock.normalize())
}

async fn differences(stage: &Stage, caller: &Caller, query: DiscrepanciesQuery) -> Vec<String> {
    let (mut all, mut after) = (Vec::new(), String::new());
    loop {
        let query = DiscrepanciesQuery { after, limit: 1, ..query.clone() };
        let Page { items, next } = stage.app.list_discrepancies(caller, &query).await.unwrap();
        assert!(items.len() <= 1);
        all.extend(items.iter().map(told));
        match next {
            Some(next) => after = next,
            None => return all,
        }
    }
}

async fn explain(stage: &Stage, text: &str, cause: Cause, quantity: &str) -> Result<Account> {
    let found = Found {
        cause,
        quantity: quantity.parse().unwrap(),
        evidence: "survey report 7".parse().unwrap(),
    };
    let (customs, intent) = (customs(stage), stage.intent("customs"));
    let target = (number(text), item(1));
    let written = stage.app.explain_discrepancy(&customs, &intent, target, "", &found).await?;
    assert_eq!(written.receipt.unwrap().kind, EntryKind::DiscrepancyExplained);
    Ok(written.value)
}

async fn escalate(stage: &Stage, difference: Difference) -> Result<Written<Account>> {
    let (customs, intent) = (customs(stage), stage.intent("customs"));
    let reason = "nobody answers".parse().unwrap();
    stage.app.escalate_discrepancy(&customs, &intent, &difference, "", &reason).await
}

#[tokio::test]
async fn items_stand_as_what_was_shipped_and_sold_says() {
    let stage = stage().await;
    submitted(&stage, &wine("W-1")).await;
    declare(&stage, ONE, "W-1", 1, "0").await;
    assert_eq!(stands(&stage, ONE).await, format!("{ONE}/0001 DECLARED 0 0"));
    declare(&stage, TWO, "W-1", 2, "75").await;
    assert_eq!(stands(&stage, TWO).await, format!("{TWO}/0001 SHIPPED 0 75"));
    // Bottles of 0.75 l.
    sell(&stage, 4, &["S1 SALE - W-1 60 -", "R1 RETURN S1 W-1 20 -"]).await;
    assert_eq!(stands(&stage, TWO).await, format!("{TWO}/0001 OPEN_STOCK 30 45"));
    let named = format!("S2 SALE - W-1 2 {ONE}/1");
    sell(&stage, 5, &[&named, "S3 SALE - W-1 61 -"]).await;
    assert_eq!(stands(&stage, ONE).await, format!("{ONE}/0001 OVERSOLD 1.5 -1.5"));
    assert_eq!(stands(&stage, TWO).await, format!("{TWO}/0001 OVERSOLD 75.75 -0.75"));
    let everything = differences(&stage, &customs(&stage), DiscrepanciesQuery::default()).await;
    assert_eq!(everything.len(), 2);
    let absent = stage.app.reconciliation(&customs(&stage), number(ONE), Some(item(2)), None).await;
    assert_eq!(absent.unwrap_err(), Error::not_found());
}

#[tokio::test]
async fn a_difference_is_explained_and_no_more_than_it_is() {
    let stage = stage().await;
    submitted(&stage, &wine("W-1")).await;
    declare(&stage, ONE, "W-1", 1, "75").await;
    sell(&stage, 4, &["S1 SALE - W-1 80 -"]).await;
    let refused = explain(&stage, ONE, Cause::Damage, "15.1").await.unwrap_err();
    assert_eq!((refused.kind, refused.reason), (ErrorKind::Precondition, "EXPLAINS_TOO_MUCH"));
    let part = explain(&stage, ONE, Cause::Damage, "5").await.unwrap();
    assert_eq!((told(&part), part.version), (format!("{ONE}/0001 OPEN_STOCK 60 10"), 1));
    let rest = explain(&stage, ONE, Cause::Reimport, "10").await.unwrap();
    assert_eq!(told(&rest), format!("{ONE}/0001 EXPLAINED 60 0"));
    assert_eq!(stands(&stage, ONE).await, told(&rest));
    let why = &rest.findings.explanations[1];
    assert_eq!((why.by.as_str(), why.at), ("customs", stage.app.env.now()));

    let illegal = explain(&stage, ONE, Cause::Loss, "1").await.unwrap_err();
    assert_eq!(illegal.reason, "ILLEGAL_TRANSITION");
    let allowed = "SHIPPED, OPEN_STOCK, OVERDUE, ESCALATED".to_owned();
    let state = ("state".to_owned(), "EXPLAINED".to_owned());
    assert_eq!(illegal.metadata, [state, ("allowed".to_owned(), allowed)]);
    let illegal = escalate(&stage, Difference::Item(number(ONE), item(1))).await.unwrap_err();
    assert_eq!(illegal.metadata[1].1, "OVERSOLD, OVERDUE, UNDECLARED");
    let found = Found {
        cause: Cause::UnitError,
        quantity: "1".parse().unwrap(),
        evidence: "x".parse().unwrap(),
    };
    let (caller, intent) = (customs(&stage), stage.intent("customs"));
    let target = (number(ONE), item(1));
    let stale = stage.app.explain_discrepancy(&caller, &intent, target, "\"1\"", &found).await;
    assert_eq!(stale.unwrap_err().reason, "STALE_ETAG");
}

#[tokio::test]
async fn what_is_sold_under_no_declaration_is_told_and_handed_on() {
    let stage = stage().await;
    // Sold before anybody has offered it.
    sell(&stage, 4, &["S1 SALE - W-1 8 -"]).await;
    let customs = customs(&stage);
    let all = async || differences(&stage, &customs, DiscrepanciesQuery::default()).await;
    assert_eq!(all().await, [""; 0]);
    let key = submitted(&stage, &wine("W-1")).await;
    assert_eq!(all().await, ["W-1 UNDECLARED 6 -6"]);
    let done = escalate(&stage, Difference::Undeclared(key.clone())).await.unwrap();
    assert_eq!(done.receipt.unwrap().kind, EntryKind::DiscrepancyEscalated);
    assert_eq!(told(&done.value), "W-1 ESCALATED 6 -6");
    let again = escalate(&stage, Difference::Undeclared(key.clone())).await.unwrap_err();
    assert_eq!(again.metadata[0].1, "ESCALATED");
    declare(&stage, ONE, "W-1", 1, "6").await;
    assert_eq!(all().await, [""; 0], "declared late, and all of it sold");
    let gone = escalate(&stage, Difference::Undeclared(key)).await.unwrap_err();
    assert_eq!(gone, Error::not_found());
}

#[tokio::test]
async fn sales_are_matched_by_hand_and_given_back() {
    let stage = stage().await;
    let key = submitted(&stage, &wine("W-1")).await;
    submitted(&stage, &wine("W-2")).await;
    declare(&stage, ONE, "W-1", 1, "30").await;
    declare(&stage, TWO, "W-1", 2, "30").await;
    declare(&stage, "26001EC01000003C", "W-2", 2, "30").await;
    let lines = ["S1 SALE - W-1 20 -", "S2 SALE - W-1 20 -", "R2 RETURN S2 W-1 4 -"];
    sell(&stage, 4, &[&lines[..], &["S3 SALE - W-2 4 -"]].concat()).await;
    let rematch = async |lines: &[&str], to: Option<&str>| {
        let asked = Rematching {
            marketplace: "market".parse().unwrap(),
            lines: lines.iter().map(|line| line.parse().unwrap()).collect(),
            to: to.map(|text| (number(text), item(1))),
            reason: "seen in the books".parse().unwrap(),
        };
        stage.app.rematch_sales(&customs(&stage), &stage.intent("customs"), &asked).await
    };
    let both = async || {
        let stock = |told: String| told.rsplit_once(' ').unwrap().1.to_owned();
        (stock(stands(&stage, ONE).await), stock(stands(&stage, TWO).await))
    };
    assert_eq!(both().await, ("3".to_owned(), "30".to_owned()));
    let done = rematch(&["S1", "S2"], Some(TWO)).await.unwrap();
    assert_eq!(done.receipt.unwrap().kind, EntryKind::SalesRematched);
    let item_two = Named::Item(ItemKey { declaration: number(TWO), item: 1 });
    let moved = &done.value.lines;
    assert_eq!((moved.len(), moved[1].from, moved[1].to), (2, Named::Nothing, item_two));
    assert_eq!(both().await, ("30".to_owned(), "3".to_owned()), "the return goes along");
    let again = rematch(&["S1"], Some(TWO)).await.unwrap();
    assert_eq!((again.receipt, again.value.lines), (None, vec![]));
    rematch(&["S1"], None).await.unwrap();
    assert_eq!(both().await, ("15".to_owned(), "18".to_owned()));

    let matches = stage.app.matches(&customs(&stage), &key, 0, 10).await.unwrap();
    let shares: Vec<_> = matches.shares.iter().map(|one| (one.named, one.item)).collect();
    let of = |text| Some(ItemKey { declaration: number(text), item: 1 });
    assert_eq!(shares, [(item_two, of(TWO)), (Named::Nothing, of(ONE))]);
    let by_hand: Vec<_> =
        matches.by_hand.iter().map(|one| (one.line_id.as_str(), one.rematch.to)).collect();
    assert_eq!(by_hand, [("S1", None), ("S1", of(TWO)), ("S2", of(TWO))]);
    let page = stage.app.matches(&customs(&stage), &key, 1, 1).await.unwrap();
    assert_eq!((page.shares.len(), page.next, page.by_hand.len()), (1, None, 0));

    for (line, to, reason) in [
        ("R2", Some(TWO), "LINE_CITES_SALE"),
        ("S3", Some(TWO), "LISTING_MISMATCH"),
        ("S1", Some("26001EC01000009Z"), "UNKNOWN_ITEM"),
    ] {
        let refused = rematch(&[line], to).await.unwrap_err();
        assert_eq!((refused.kind, refused.reason), (ErrorKind::Precondition, reason));
    }
    assert_eq!(rematch(&["S9"], Some(TWO)).await.unwrap_err(), Error::not_found());
}

#[tokio::test]
async fn what_is_overdue_is_raised_once() {
    let stage = stage().await;
    submitted(&stage, &wine("W-1")).await;
    declare(&stage, ONE, "W-1", 1, "75").await;
    assert_eq!(stage.app.raise_overdue().await.unwrap(), 0);
    // 360 days from 1 March 2026 end on 24 February 2027; it is 1 June 2026.
    stage.clock.advance(268 * DAY);
    assert_eq!(stage.app.today().to_string(), "2027-02-24");
    assert_eq!(stage.app.raise_overdue().await.unwrap(), 0);
    stage.clock.advance(DAY);
    assert_eq!(stage.app.raise_overdue().await.unwrap(), 1);
    assert_eq!(stage.app.raise_overdue().await.unwrap(), 0);
    assert_eq!(stands(&stage, ONE).await, format!("{ONE}/0001 OVERDUE 0 75"));
    let on = "2027-02-24".parse().ok();
    let before = stage.app.reconciliation(&customs(&stage), number(ONE), None, on).await.unwrap();
    assert_eq!(before[0].state, ItemState::Shipped);
    assert_eq!(before[0].sell_by, on);
    let done = escalate(&stage, Difference::Item(number(ONE), item(1))).await.unwrap();
    assert_eq!(done.value.state, ItemState::Escalated);
    explain(&stage, ONE, Cause::Loss, "75").await.unwrap();
    assert_eq!(stands(&stage, ONE).await, format!("{ONE}/0001 EXPLAINED 0 0"));
}

#[tokio::test]
async fn each_sees_its_own_and_filters_hold() {
    let stage = stage().await;
    let key = submitted(&stage, &wine("W-1")).await;
    declare(&stage, ONE, "W-1", 1, "0").await;
    declare(&stage, TWO, "W-1", 2, "75").await;
    sell(&stage, 4, &[&format!("S1 SALE - W-1 1 {ONE}")]).await;
    let over = vec![format!("{ONE}/0001 OVERSOLD 0.75 -0.75")];
    let all = DiscrepanciesQuery::default;
    let owner = stage.caller("market", Role::Marketplace);
    let auditor = stage.caller("auditor", Role::Auditor);
    for caller in [&customs(&stage), &auditor, &owner] {
        assert_eq!(differences(&stage, caller, all()).await, over);
    }
    let other = stage.caller("second", Role::Marketplace);
    let broker = stage.caller("broker", Role::Broker);
    for caller in [&other, &broker] {
        assert_eq!(differences(&stage, caller, all()).await, [""; 0]);
        let hidden = stage.app.reconciliation(caller, number(ONE), None, None).await;
        assert_eq!(hidden.unwrap_err(), Error::not_found());
        let hidden = stage.app.matches(caller, &key, 0, 10).await;
        assert_eq!(hidden.unwrap_err(), Error::not_found());
    }
    let open = DiscrepanciesQuery { state: Some(ItemState::Shipped), ..all() };
    assert_eq!(
        differences(&stage, &customs(&stage), open).await,
        [format!("{TWO}/0001 SHIPPED 0 75")]
    );
    for (query, found) in [
        (DiscrepanciesQuery { exporter: SELLER.parse().ok(), ..all() }, true),
        (DiscrepanciesQuery { exporter: "33693450239".parse().ok(), ..all() }, false),
        (DiscrepanciesQuery { listing: Some(key.clone()), ..all() }, true),
        (DiscrepanciesQuery { listing: Some("none".into()), ..all() }, false),
        (DiscrepanciesQuery { marketplace: "market".parse().ok(), ..all() }, true),
        (DiscrepanciesQuery { marketplace: "second".parse().ok(), ..all() }, false),
        (DiscrepanciesQuery { declaration: Some(number(ONE)), ..all() }, true),
        (DiscrepanciesQuery { declaration: Some(number(TWO)), ..all() }, false),
    ] {
        let expected = if found { over.clone() } else { vec![] };
        assert_eq!(differences(&stage, &customs(&stage), query).await, expected);
    }
    let refused = {
        let found = Found {
            cause: Cause::Loss,
            quantity: "1".parse().unwrap(),
            evidence: "x".parse().unwrap(),
        };
        let (intent, target) = (stage.intent("broker"), (number(ONE), item(1)));
        stage.app.explain_discrepancy(&broker, &intent, target, "", &found).await.unwrap_err()
    };
    assert_eq!((refused.kind, refused.reason), (ErrorKind::Permission, "NOT_CUSTOMS"));
}
