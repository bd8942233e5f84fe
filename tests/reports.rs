//! The life of a report as partners see it: limits, explanations.

use puente::cli::Client;
use puente::proto::puente::sales::v1::sales_analytics_service_client::SalesAnalyticsServiceClient;
use puente::proto::puente::sales::v1::sales_report_service_client::SalesReportServiceClient;
use puente::proto::puente::sales::v1::{
    ExplainSaleLineRequest, ExplanationCause, GetSalesReportRequest, LineKind,
    ListSaleLinesRequest, OpenSalesReportRequest, SaleLine, SaleLineBatch, SummarizeRequest,
    Verdict,
};
use tonic::Code;

use crate::common::process::run_beside;
use crate::common::push::{Push, append, open_report};
use crate::common::stage::Stage;
use crate::common::{ask, goods, reason, verdict};

/// A batch of the first sale and more returns of it than were sold.
fn too_much(client: &Client) -> SaleLineBatch {
    let back = |line_id: &str, quantity: &str| SaleLine {
        line_id: line_id.into(),
        kind: LineKind::Return.into(),
        original_line_id: goods::sale(1).line_id,
        quantity: quantity.into(),
        ..goods::sale(1)
    };
    SaleLineBatch {
        request_id: client.request_id(),
        first_line: 0,
        lines: vec![goods::sale(1), back("R-1", "2"), back("R-2", "1")],
    }
}

fn explanation(client: &Client, line_id: &str) -> ExplainSaleLineRequest {
    ExplainSaleLineRequest {
        request_id: client.request_id(),
        marketplace: "partners/marketplace".into(),
        line_id: line_id.into(),
        cause: ExplanationCause::UnitError.into(),
        evidence: "nota de crédito 0001-00004412".into(),
        validate_only: false,
    }
}

/// Net lines and quantity over everything.
async fn net(client: &Client) -> (i64, String) {
    let answer =
        ask!(client, SalesAnalyticsServiceClient.summarize(SummarizeRequest::default())).unwrap();
    let row = &answer.rows[0];
    (row.lines, row.quantity.as_ref().unwrap().value.clone())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn customs_explains_a_line_and_a_marketplace_cannot() {
    let stage = Stage::start().await;
    let (marketplace, customs) = (stage.client("marketplace"), stage.client("customs"));
    let ministry = stage.client("ministry");
    let report = open_report(&marketplace, goods::period()).await.name;
    append(&marketplace, &report, too_much(&marketplace)).await.unwrap();
    assert_eq!(net(&ministry).await, (2, "0".into()), "one return fits, the other is left out");

    let own = ask!(
        marketplace,
        SalesReportServiceClient.explain_sale_line(explanation(&marketplace, "R-1"))
    );
    assert_eq!(verdict(&own.unwrap_err()), "PERMISSION_DENIED:SCOPE_MISSING");

    let request = explanation(&customs, "R-1");
    let explained =
        ask!(customs, SalesReportServiceClient.explain_sale_line(request.clone())).unwrap();
    let receipt = explained.receipt.unwrap();
    let line = explained.line.unwrap();
    assert_eq!(
        (receipt.kind.as_str(), line.verdict()),
        ("line.explained", Verdict::AcceptedWithWarning)
    );
    let why = line.explanation.clone().unwrap();
    assert_eq!((why.cause(), why.entry_index), (ExplanationCause::UnitError, Some(receipt.index)));
    assert_eq!(net(&ministry).await, (3, "-2".into()));

    // The same request again: the same answer. Another one: it is explained.
    let again = ask!(customs, SalesReportServiceClient.explain_sale_line(request)).unwrap();
    assert_eq!((again.receipt, again.line), (Some(receipt), Some(line.clone())));
    let twice =
        ask!(customs, SalesReportServiceClient.explain_sale_line(explanation(&customs, "R-1")))
            .unwrap_err();
    assert_eq!((twice.code(), reason(&twice)), (Code::FailedPrecondition, "LINE_EXPLAINED".into()));
    let unknown = explanation(&customs, "R-9");
    let unknown = ask!(customs, SalesReportServiceClient.explain_sale_line(unknown)).unwrap_err();
    assert_eq!(unknown.code(), Code::NotFound);

    // Its marketplace reads why.
    let lines = ListSaleLinesRequest {
        report: report.clone(),
        reason: "EXCEEDS_ORIGINAL".into(),
        ..Default::default()
    };
    let lines = ask!(marketplace, SalesReportServiceClient.list_sale_lines(lines)).unwrap().lines;
    assert_eq!(lines, [line]);
    let got = GetSalesReportRequest { name: report };
    let got = ask!(marketplace, SalesReportServiceClient.get_sales_report(got)).unwrap();
    assert_eq!(got.report.unwrap().explained_lines, 1);
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_line_is_explained_from_the_command_line() {
    let stage = Stage::start().await;
    let marketplace = stage.client("marketplace");
    let report = open_report(&marketplace, goods::period()).await.name;
    append(&marketplace, &report, too_much(&marketplace)).await.unwrap();
    let profile = stage.folder.profile("customs");
    let profile = profile.to_str().unwrap();
    let run = |cause: &'static str, more: &'static str| async move {
        let arguments = [
            "report",
            "explain",
            "R-1",
            "--marketplace",
            "marketplace",
            "--cause",
            cause,
            "--evidence",
            "credit note 7",
            "--profile",
            profile,
            "--output",
            more,
        ];
        run_beside(&arguments).await
    };
    assert_eq!(run("no-such-cause", "json").await.code, 2);
    let ran = run("unit-error", "json").await;
    assert_eq!(ran.code, 0, "{ran:?}");
    let answer: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    let why = &answer["line"]["explanation"];
    assert_eq!(why["cause"], "EXPLANATION_CAUSE_UNIT_ERROR");
    assert_eq!(why["evidence"], "credit note 7");
    let again = run("unit-error", "table").await;
    assert_eq!(again.code, 1);
    assert!(again.err.contains("LINE_EXPLAINED"), "{again:?}");
    let listed = run_beside(&["report", "lines", &report, "--warned", "--profile", profile]).await;
    assert!(listed.out.contains("explained: UNIT_ERROR"), "{listed:?}");
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_announced_is_what_is_enforced() {
    let stage = Stage::with(|config| config.reports.open_per_partner = 2).await;
    let client = stage.client("marketplace");
    let open = |day: i32| OpenSalesReportRequest {
        request_id: client.request_id(),
        period: Some(puente::proto::puente::common::v1::Period {
            first: Some(goods::date(2026, 11, day)),
            last: Some(goods::date(2026, 11, day)),
        }),
        validate_only: false,
    };
    let opened = ask!(client, SalesReportServiceClient.open_sales_report(open(1))).unwrap();
    let limits = opened.limits.unwrap();
    assert_eq!(limits.max_open_reports, 2);
    let report = opened.report.unwrap();
    assert!(report.expire_time.unwrap().seconds > report.create_time.unwrap().seconds);
    let got = GetSalesReportRequest { name: report.name.clone() };
    let got = ask!(client, SalesReportServiceClient.get_sales_report(got)).unwrap();
    assert_eq!((got.limits, got.report.unwrap().expire_time), (Some(limits), report.expire_time));
    ask!(client, SalesReportServiceClient.open_sales_report(open(2))).unwrap();
    let full = ask!(client, SalesReportServiceClient.open_sales_report(open(3))).unwrap_err();
    assert_eq!(verdict(&full), "RESOURCE_EXHAUSTED:TOO_MANY_OPEN_REPORTS");

    // As many streams as announced, and not one more.
    let mut pushes = Vec::new();
    for _ in 0..limits.max_streams {
        let push = Push::open(&client, &report.name).await.unwrap();
        assert_eq!(push.welcome.limits, Some(limits));
        let bounds = (push.welcome.max_lines_per_batch, push.welcome.max_bytes_per_batch);
        assert_eq!(bounds, (limits.max_lines_per_batch, limits.max_bytes_per_batch));
        pushes.push(push);
    }
    let over = Push::open(&client, &report.name).await.err().unwrap();
    assert_eq!(verdict(&over), "RESOURCE_EXHAUSTED:TOO_MANY_STREAMS");

    // As many lines a batch as announced, and not one more.
    let most = u64::try_from(limits.max_lines_per_batch).unwrap();
    append(&client, &report.name, goods::batch(0, most)).await.unwrap();
    let over = append(&client, &report.name, goods::batch(0, most + 1)).await.unwrap_err();
    assert_eq!(verdict(&over), "INVALID_ARGUMENT:INVALID_FIELD");
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_doctor_finds_a_sum_that_is_not_that_of_the_lines() {
    let stage = Stage::start().await;
    let marketplace = stage.client("marketplace");
    let report = open_report(&marketplace, goods::period()).await.name;
    append(&marketplace, &report, too_much(&marketplace)).await.unwrap();
    let config = stage.path().join("puente.toml");
    let doctor = async |output: &str| {
        let config = config.to_str().unwrap();
        run_beside(&["doctor", "--config", config, "--rollups", "--output", output]).await
    };
    // Beside the gateway, which is up.
    let clean = doctor("json").await;
    let answer: serde_json::Value = serde_json::from_str(&clean.out).unwrap();
    let rollups = &answer["rollups"];
    assert_eq!((&rollups["lines"], &rollups["found"]), (&"3".into(), &"0".into()), "{clean:?}");
    let of = |answer: &serde_json::Value| -> serde_json::Value {
        let checks = answer["checks"].as_array().unwrap().iter();
        checks.filter(|check| check["check"] == "rollups").map(|one| one["state"].clone()).collect()
    };
    assert_eq!(of(&answer), serde_json::json!(["good"]));

    let store = stage.path().join("data/puente.db");
    let hand = rusqlite::Connection::open(store).unwrap();
    hand.execute_batch(
        "UPDATE cell_gains SET quantity = '17' \
         WHERE cell >> 32 IN (SELECT slice FROM rollup_slices WHERE kind = 'SALE')",
    )
    .unwrap();
    let found = doctor("json").await;
    assert_eq!(found.code, 1, "{found:?}");
    let answer: serde_json::Value = serde_json::from_str(&found.out).unwrap();
    assert_eq!(of(&answer), serde_json::json!(["bad"]));
    let one = &answer["rollups"]["differences"][0];
    assert_eq!((&one["table"], &one["kept"]), (&"rollup_cells".into(), &"17".into()), "{one}");
    let told = doctor("table").await;
    assert!(told.out.contains("By the lines") && told.code == 1, "{told:?}");
    stage.stop().await;
}
