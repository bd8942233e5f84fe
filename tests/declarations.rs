//! Customs by its commands: files of declarations and shipments, good rows kept and bad ones told
//! with their line, sent again without harm; and what is read of them.

use std::path::{Path, PathBuf};

use puente::cli::Client;
use puente::proto::puente::listings::v1::listing_service_client::ListingServiceClient;
use puente::proto::puente::listings::v1::{BatchCreateListingsRequest, BatchListing};
use serde_json::Value;

use crate::common::process::{Ran, run_beside};
use crate::common::stage::Stage;
use crate::common::{ask, goods};
use crate::exactly_once::entries;

const COLUMNS: &str = "declaration,item,exporter_cuit,declarant_cuit,sku,ncm,destination,incoterm,\
                       declared_quantity,statistical_unit,fob,currency,officialised_on";
const ONE: &str = "26001EC01000001A";
const TWO: &str = "26073EC01000002B";

/// A row of 100 litres of wine.
fn row(number: &str, item: u32, sku: &str) -> String {
    format!(
        "{number},{item},{},33-69345023-9,{sku},2204.21.00,CN,FOB,100,LTR,1200.50,USD,2026-02-01",
        goods::CUIT
    )
}

/// A stage with two wines that were handed in, and customs' commands and files.
struct Desk {
    stage: Stage,
}

impl Desk {
    async fn open() -> Self {
        let stage = Stage::start().await.with_exporter().await;
        hand_in(&stage.client("marketplace"), &["W-1", "W-2"]).await;
        Self { stage }
    }

    fn file(&self, name: &str, lines: &[String]) -> PathBuf {
        self.stage.folder.scratch(name, lines.join("\n"))
    }

    async fn run_as(&self, partner: &str, args: &[&str]) -> Ran {
        let profile = self.stage.folder.profile(partner);
        let rest = ["--output", "json", "--profile", profile.to_str().unwrap()];
        run_beside(&[args, &rest].concat()).await
    }

    async fn push(&self, what: &str, file: &Path, more: &[&str]) -> Ran {
        let args = ["push", what, file.to_str().unwrap()];
        self.run_as("customs", &[&args, more].concat()).await
    }

    async fn entries(&self) -> i64 {
        entries(&self.stage.client("auditor")).await
    }
}

/// Makes listings of these skus and hands them in.
pub async fn hand_in(marketplace: &Client, skus: &[&str]) {
    let items = skus.iter().zip(1..);
    let request = BatchCreateListingsRequest {
        request_id: marketplace.request_id(),
        items: items
            .map(|(sku, row)| BatchListing { row, listing: Some(goods::listing(sku)) })
            .collect(),
        submit: true,
        validate_only: false,
    };
    let answer = ask!(marketplace, ListingServiceClient.batch_create_listings(request)).unwrap();
    assert_eq!(answer.faulty, 0, "{:?}", answer.results);
}

fn json(ran: &Ran) -> Value {
    serde_json::from_str(&ran.out).unwrap_or_else(|reason| panic!("{reason}: {ran:?}"))
}

#[track_caller]
fn counts(ran: &Ran, code: i32, expected: &[(&str, &str)]) {
    assert_eq!(ran.code, code, "{ran:?}");
    let answer = json(ran);
    for (name, count) in expected {
        assert_eq!(answer[name], *count, "{name}: {ran:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn good_rows_are_kept_bad_ones_told_and_the_file_can_be_sent_again() {
    let desk = Desk::open().await;
    let mut lines = vec![
        COLUMNS.to_owned(),
        row(ONE, 1, "W-1"),
        row(ONE, 2, "W-9"),
        row(TWO, 1, "W-2"),
        row(TWO, 2, "W-2").replace("LTR", "KGM"),
        row(TWO, 3, "W-2").replace("2204.21.00", "2204.10.90"),
        row(TWO, 4, "W-2").replace("FOB", "FOT"),
        row("26073EC0100002B", 1, "W-2"),
        row(TWO, 5, "W-2").replace("33-69345023-9", "33-69345023-8"),
        row(TWO, 6, "W-2").replace(",CN,", ",BR,"),
    ];
    let file = desk.file("declarations.csv", &lines);
    let before = desk.entries().await;
    let ran = desk.push("declarations", &file, &["--validate-only"]).await;
    counts(&ran, 1, &[("registered", "2"), ("items", "2"), ("rejected", "7")]);
    assert_eq!(desk.entries().await, before, "nothing is stored");

    let ran = desk.push("declarations", &file, &[]).await;
    counts(&ran, 1, &[("registered", "2"), ("items", "2"), ("unchanged", "0"), ("rejected", "7")]);
    for told in [
        "declarations.csv: line 3: sku: UNKNOWN_SKU: ",
        "line 5: statistical_unit: UNIT_MISMATCH: ",
        "line 6: ncm: LISTING_MISMATCH: ",
        "line 7: incoterm: INVALID_FIELD: ",
        "line 8: declaration: INVALID_DECLARATION: ",
        "line 9: declarant_cuit: INVALID_CUIT: ",
        "line 10: destination: DECLARATION_DIFFERS: ",
        "error: ROWS_REFUSED: ",
    ] {
        assert!(ran.err.contains(told), "{told:?} is not told: {}", ran.err);
    }
    assert!(!ran.err.contains("33693450238") && !ran.err.contains("33-69345023-8"), "{}", ran.err);

    // Mended and sent again: only what is new is taken; a third time nothing is.
    lines[2] = row(ONE, 2, "W-2");
    lines.truncate(4);
    let file = desk.file("declarations.csv", &lines);
    let ran = desk.push("declarations", &file, &[]).await;
    counts(&ran, 0, &[("registered", "0"), ("extended", "1"), ("items", "1"), ("unchanged", "2")]);
    let before = desk.entries().await;
    let ran = desk.push("declarations", &file, &[]).await;
    counts(&ran, 0, &[("items", "0"), ("unchanged", "3")]);
    assert!(json(&ran)["receipt"].is_null() && desk.entries().await == before, "{ran:?}");
    desk.stage.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shipments_are_told_apart_and_never_above_what_was_declared() {
    let desk = Desk::open().await;
    let declared = desk
        .file("declarations.csv", &[COLUMNS.to_owned(), row(ONE, 1, "W-1"), row(ONE, 2, "W-2")]);
    counts(&desk.push("declarations", &declared, &[]).await, 0, &[("items", "2")]);
    let file = desk.file(
        "shipments.csv",
        &[
            "declaration,item,shipped_quantity,shipped_on,reference,post_shipment".to_owned(),
            format!("{ONE},1,60,2026-03-01,,"),
            format!("{ONE},1,30,2026-03-01,CRT-2,"),
            format!("{ONE},1,10.000001,2026-03-02,,"),
            format!("{ONE},2,40.5,2026-03-02,,true"),
            format!("{ONE},2,1,2026-03-03,,"),
            format!("{TWO},1,1,2026-03-03,,"),
            format!("{ONE},1,x,2026-03-03,,"),
        ],
    );
    let ran = desk.push("shipments", &file, &[]).await;
    counts(&ran, 1, &[("recorded", "3"), ("unchanged", "0"), ("rejected", "4")]);
    for told in [
        "line 4: shipped_quantity: SHIPPED_ABOVE_DECLARED: ",
        "line 6: ILLEGAL_TRANSITION: ",
        "line 7: declaration: UNKNOWN_DECLARATION: ",
        "line 8: shipped_quantity: INVALID_FIELD: ",
    ] {
        assert!(ran.err.contains(told), "{told:?} is not told: {}", ran.err);
    }
    counts(&desk.push("shipments", &file, &[]).await, 1, &[("recorded", "0"), ("unchanged", "3")]);

    let ran = desk.run_as("customs", &["declaration", "get", ONE]).await;
    let declaration = &json(&ran)["declaration"];
    assert_eq!(declaration["office"], "001");
    assert_eq!(declaration["shippedItemCount"], 2);
    let items = declaration["items"].as_array().unwrap();
    let shipped: Vec<_> = items.iter().map(|item| &item["shippedQuantity"]["value"]).collect();
    assert_eq!(shipped, ["90", "40.5"]);
    assert_eq!(items[1]["shippingClosed"], true);
    assert_eq!(items[0]["shipments"][1]["reference"], "CRT-2");

    let ran = desk.run_as("marketplace", &["declaration", "list", "--state", "shipped"]).await;
    let listed = json(&ran);
    assert_eq!(listed["declarations"][0]["items"].as_array().unwrap().len(), 2, "{ran:?}");
    assert_eq!(listed["declarations"][0]["declarantCuit"], "");
    let ran = desk.run_as("customs", &["declaration", "list", "--office", "073"]).await;
    assert_eq!(json(&ran)["declarations"].as_array().unwrap().len(), 0, "{ran:?}");
    let ran = desk.run_as("customs", &["declaration", "get", TWO]).await;
    assert!(ran.code == 1 && ran.err.starts_with("error: NOT_FOUND: "), "{ran:?}");
    desk.stage.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_article_of_two_marketplaces_needs_to_be_told_whose_it_is() {
    let desk = Desk::open().await;
    let second = desk.stage.second_marketplace("second").await;
    hand_in(&second, &["W-1"]).await;
    let file = desk.file("declarations.csv", &[COLUMNS.to_owned(), row(ONE, 1, "W-1")]);
    let ran = desk.push("declarations", &file, &[]).await;
    assert!(ran.code == 1 && ran.err.contains("line 2: sku: AMBIGUOUS_SKU: "), "{ran:?}");
    let ran = desk.push("declarations", &file, &["--marketplace", "second"]).await;
    counts(&ran, 0, &[("registered", "1")]);
    let ran = desk.run_as("customs", &["declaration", "get", ONE]).await;
    assert_eq!(json(&ran)["declaration"]["items"][0]["marketplace"], "partners/second");
    let ran = desk.run_as("marketplace", &["declaration", "get", ONE]).await;
    assert!(ran.code == 1 && ran.err.starts_with("error: NOT_FOUND: "), "{ran:?}");
    // Not for marketplaces.
    let args = ["push", "declarations", file.to_str().unwrap()];
    let ran = desk.run_as("marketplace", &args).await;
    assert!(ran.code == 1 && ran.err.starts_with("error: SCOPE_MISSING: "), "{ran:?}");
    desk.stage.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn customs_reconciles_explains_and_matches_by_its_commands() {
    let desk = Desk::open().await;
    let declared = [COLUMNS.to_owned(), row(ONE, 1, "W-1"), row(TWO, 1, "W-1")];
    desk.push("declarations", &desk.file("declarations.csv", &declared), &[]).await;
    let left = [
        "declaration,item,shipped_quantity,shipped_on,reference,post_shipment".to_owned(),
        format!("{ONE},1,60,2026-03-01,,true"),
        format!("{TWO},1,30,2026-03-01,,true"),
    ];
    desk.push("shipments", &desk.file("shipments.csv", &left), &[]).await;
    // Bottles of 0.75 litres, of which 88 name nothing.
    let sold = [
        "line_id,order_id,kind,original_line_id,sku,quantity,unit_price,currency,sold_at,\
         destination,declaration,declaration_item"
            .to_owned(),
        "S1,O1,SALE,,W-1,90,10,CNY,2026-05-07T10:00:00+08:00,,,".to_owned(),
        "R1,O1,RETURN,S1,W-1,2,10,CNY,2026-05-08T10:00:00+08:00,,,".to_owned(),
        format!("S2,O2,SALE,,W-1,10,10,CNY,2026-05-09T10:00:00+08:00,,{TWO},1"),
        "S3,O3,SALE,,W-2,4,10,CNY,2026-05-09T10:00:00+08:00,,,".to_owned(),
    ];
    let file = desk.file("sales.csv", &sold);
    let args = ["push", "sales", file.to_str().unwrap(), "--period", "2026-05-01..2026-05-31"];
    let ran = desk.run_as("marketplace", &args).await;
    assert_eq!(ran.code, 0, "{ran:?}");

    // The 66 litres that name nothing fill the older item first.
    let states = async |partner: &str, args: &[&str]| {
        let ran = desk.run_as(partner, &[&["reconcile"], args].concat()).await;
        assert_eq!(ran.code, 0, "{ran:?}");
        let answer = json(&ran);
        let list = answer.get("items").or(answer.get("discrepancies")).unwrap().clone();
        let told = |one: &Value| {
            let state = one["state"].as_str().unwrap().replace("RECONCILIATION_STATE_", "");
            let name = one["declaration"].as_str().unwrap().replace("declarations/", "");
            format!("{name} {state} {}", one["stockQuantity"]["value"].as_str().unwrap())
        };
        list.as_array().unwrap().iter().map(told).collect::<Vec<_>>()
    };
    let (at, day) = ("--at", "2026-06-01");
    assert_eq!(states("customs", &[ONE, at, day]).await, [format!("{ONE} BALANCED 0")]);
    assert_eq!(states("auditor", &[TWO, at, day]).await, [format!("{TWO} OPEN_STOCK 16.5")]);
    assert_eq!(
        states("marketplace", &[TWO, at, "2028-01-01"]).await,
        [format!("{TWO} OVERDUE 16.5")]
    );
    assert_eq!(states("customs", &[at, day]).await, [" UNDECLARED -3"]);
    let open = ["--state", "open-stock", at, day, "--marketplace", "marketplace"];
    assert_eq!(states("customs", &open).await, [format!("{TWO} OPEN_STOCK 16.5")]);

    let explain = |number: &'static str, quantity: &'static str| {
        let why = ["--cause", "damage", "--quantity", quantity, "--evidence", "survey report 7"];
        [&["reconcile", "explain", number, "1"][..], &why].concat()
    };
    let ran = desk.run_as("customs", &explain(ONE, "1")).await;
    assert!(ran.code == 1 && ran.err.starts_with("error: ILLEGAL_TRANSITION: "), "{ran:?}");
    let ran = desk.run_as("customs", &explain(TWO, "17")).await;
    assert!(ran.code == 1 && ran.err.starts_with("error: EXPLAINS_TOO_MUCH: "), "{ran:?}");
    let ran = desk.run_as("customs", &[&explain(TWO, "16.5")[..], &["--dry-run"]].concat()).await;
    assert!(ran.code == 0 && json(&ran)["receipt"].is_null(), "{ran:?}");
    let ran = desk.run_as("marketplace", &explain(TWO, "16.5")).await;
    assert!(ran.code == 1 && ran.err.starts_with("error: SCOPE_MISSING: "), "{ran:?}");

    let rematch =
        ["reconcile", "rematch", "S1", "--marketplace", "marketplace", "--reason", "books"];
    let to = [&rematch[..], &["--to", TWO, "--item", "1"]].concat();
    let ran = desk.run_as("customs", &to).await;
    assert_eq!(json(&ran)["lines"][0]["after"]["item"], 1, "{ran:?}");
    assert_eq!(states("customs", &[TWO, at, day]).await, [format!("{TWO} OVERSOLD -43.5")]);
    let listing = json(&ran)["listing"].as_str().unwrap().to_owned();
    let ran = desk.run_as("customs", &["reconcile", "matches", &listing]).await;
    assert_eq!(json(&ran)["rematches"][0]["lineId"], "S1", "{ran:?}");
    assert_eq!(json(&ran)["matches"].as_array().unwrap().len(), 1, "{ran:?}");
    let of_two = ["reconcile", "matches", &listing, "--lines", "--declaration", TWO, "--item", "1"];
    let ran = desk.run_as("customs", &of_two).await;
    let lines: Vec<_> =
        json(&ran)["matches"].as_array().unwrap().iter().map(|one| one["lineId"].clone()).collect();
    assert_eq!(lines, ["S1", "S2"], "{ran:?}");
    assert_eq!(json(&ran)["matches"][0]["byHand"], true, "{ran:?}");
    let ran =
        desk.run_as("customs", &["reconcile", "escalate", TWO, "1", "--reason", "ask them"]).await;
    assert_eq!(json(&ran)["reconciliation"]["state"], "RECONCILIATION_STATE_ESCALATED", "{ran:?}");
    let ran = desk.run_as("customs", &[&rematch[..], &["--give-back"]].concat()).await;
    assert_eq!(ran.code, 0, "{ran:?}");
    let ran = desk.run_as("customs", &explain(TWO, "16.5")).await;
    assert_eq!(json(&ran)["reconciliation"]["state"], "RECONCILIATION_STATE_EXPLAINED", "{ran:?}");
    // Who handed it on, and why, is not for the marketplace.
    let ran = desk.run_as("marketplace", &["reconcile", TWO]).await;
    let escalation = &json(&ran)["items"][0]["escalation"];
    assert_eq!(
        (escalation["reason"].as_str(), escalation["escalatedBy"].as_str()),
        (Some(""), Some(""))
    );
    desk.stage.stop().await;
}
