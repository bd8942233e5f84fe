//! Exports of sale lines: cut anywhere and gone on with they bring what an uncut one brings, and
//! nobody's but one's own.

use prost::Message as _;
use puente::cli::Client;
use puente::proto::puente::common::v1::Period;
use puente::proto::puente::listings::v1::CreateListingRequest;
use puente::proto::puente::listings::v1::listing_service_client::ListingServiceClient;
use puente::proto::puente::sales::v1::export_sale_lines_request::Scope;
use puente::proto::puente::sales::v1::sales_report_service_client::SalesReportServiceClient;
use puente::proto::puente::sales::v1::{
    ExportSaleLinesRequest, ExportSaleLinesResponse, ExportedSaleLine, LineKind, SaleLine,
    SaleLineBatch, Verdict,
};
use tonic::{Code, Status};

use crate::common::push::{append, open_report};
use crate::common::stage::{ProcessStage, Stage, sync_exporter};
use crate::common::{ask, goods, verdict, within};

type Messages = Vec<ExportSaleLinesResponse>;

fn of_report(name: &str, max_lines: i32) -> ExportSaleLinesRequest {
    let scope = Some(Scope::Report(name.to_owned()));
    ExportSaleLinesRequest { scope, max_lines, ..Default::default() }
}

fn of_period(period: Period, max_lines: i32) -> ExportSaleLinesRequest {
    let scope = Some(Scope::Period(period));
    ExportSaleLinesRequest { scope, max_lines, ..Default::default() }
}

/// All messages of one stream.
async fn export(client: &Client, request: ExportSaleLinesRequest) -> Result<Messages, Status> {
    let mut stream = ask!(client, SalesReportServiceClient.export_sale_lines(request))?;
    let mut messages = Vec::new();
    while let Some(message) = stream.message().await? {
        messages.push(message);
    }
    Ok(messages)
}

/// The lines of messages as they went over the wire, one after the other.
fn bytes(messages: &[ExportSaleLinesResponse]) -> Vec<u8> {
    lines(messages).iter().flat_map(|line| line.encode_length_delimited_to_vec()).collect()
}

fn lines(messages: &[ExportSaleLinesResponse]) -> Vec<ExportedSaleLine> {
    messages.iter().flat_map(|message| message.lines.clone()).collect()
}

fn ids(messages: &[ExportSaleLinesResponse]) -> Vec<String> {
    lines(messages).into_iter().map(|line| line.line.unwrap().line_id).collect()
}

/// A whole export ends with one message that says so, counts what it brought and shows one state.
fn assert_whole(messages: &[ExportSaleLinesResponse]) {
    let last = messages.last().unwrap();
    assert!(last.done && last.lines.is_empty());
    assert_eq!(messages.iter().filter(|message| message.done).count(), 1);
    assert_eq!(last.exported_lines, lines(messages).len() as i64);
    assert!(messages.iter().all(|message| message.ledger_size == last.ledger_size));
}

async fn create_listing(client: &Client) {
    let request = CreateListingRequest {
        request_id: client.request_id(),
        listing: Some(goods::listing("MALBEC")),
        validate_only: false,
    };
    ask!(client, ListingServiceClient.create_listing(request)).unwrap();
}

fn batch_of(lines: Vec<SaleLine>) -> SaleLineBatch {
    SaleLineBatch { lines, ..goods::batch(0, 0) }
}

fn december() -> Period {
    Period { first: Some(goods::date(2026, 12, 1)), last: Some(goods::date(2026, 12, 31)) }
}

/// Two reports of the first marketplace, lines of November in both: 50 sales, a return that is
/// fine and one that goes too far, and three that came with December.
async fn two_reports(client: &Client) -> [String; 2] {
    create_listing(client).await;
    let november = open_report(client, goods::period()).await.name;
    append(client, &november, goods::batch(0, 50)).await.unwrap();
    let back = |line_id: &str, quantity: &str| SaleLine {
        line_id: line_id.into(),
        kind: LineKind::Return.into(),
        original_line_id: "L-0000001".into(),
        quantity: quantity.into(),
        ..goods::sale(1)
    };
    append(client, &november, batch_of(vec![back("R-1", "1"), back("R-2", "9")])).await.unwrap();
    let late = open_report(client, december()).await.name;
    let mut lines: Vec<_> = (100..103).map(goods::sale).collect();
    lines.push(SaleLine { sold_at: "2026-12-01T00:00:00+08:00".into(), ..goods::sale(103) });
    append(client, &late, batch_of(lines)).await.unwrap();
    [november, late]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_export_cut_anywhere_goes_on_as_if_it_had_not_been() {
    let mut stage = ProcessStage::start();
    sync_exporter(&stage.client("registry")).await;
    let client = stage.client("marketplace");
    let [november, _] = two_reports(&client).await;
    let requests = [of_report(&november, 7), of_period(goods::period(), 7)];
    let mut uncut = Vec::new();
    for request in &requests {
        let messages = export(&client, request.clone()).await.unwrap();
        assert_whole(&messages);
        uncut.push(messages);
    }
    assert_eq!(ids(&uncut[0]).len(), 52);
    let all = ids(&uncut[1]);
    assert_eq!(all.len(), 55);
    assert_eq!((all[0].as_str(), all[54].as_str()), ("L-0000000", "L-0000102"));

    // What comes later does not appear in an export that has begun, wherever it goes on; nor does
    // a gateway that was started again disturb it.
    append(&client, &november, goods::batch(50, 60)).await.unwrap();
    stage.served.kill();
    stage.restart();
    let client = stage.client("marketplace");
    for (request, messages) in requests.iter().zip(&uncut) {
        for (place, message) in messages.iter().enumerate() {
            for max_lines in [3, 0] {
                let rest = ExportSaleLinesRequest {
                    max_lines,
                    cursor: message.cursor.clone(),
                    ..request.clone()
                };
                let rest = export(&client, rest).await.unwrap();
                let mut pieces = messages[..=place].to_vec();
                pieces.extend(rest);
                assert_eq!(bytes(&pieces), bytes(messages), "cut after message {place}");
                let last = pieces.last().unwrap();
                assert_eq!((last.done, last.exported_lines), (true, ids(messages).len() as i64));
                assert_eq!(last.ledger_size, messages[0].ledger_size);
            }
        }
    }
    let anew = export(&client, requests[0].clone()).await.unwrap();
    assert_eq!(ids(&anew).len(), 62);
    assert!(anew[0].ledger_size > uncut[0][0].ledger_size);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lines_come_as_stored_with_what_the_listing_said() {
    let stage = Stage::start().await.with_exporter().await;
    let client = stage.client("marketplace");
    let [november, late] = two_reports(&client).await;
    let messages = export(&client, of_report(&november, 0)).await.unwrap();
    assert_eq!(messages.len(), 2, "52 lines and the last word");
    let found = lines(&messages);
    assert_eq!(found[3].line.as_ref().unwrap(), &goods::sale(3));
    assert_eq!(found[3].report, november);
    assert_eq!(found[3].marketplace, "partners/marketplace");
    assert_eq!(found[3].verdict(), Verdict::AcceptedWithWarning);
    assert_eq!(found[3].reasons, ["LISTING_NOT_CLEARED"]);
    assert_eq!((found[3].seller_cuit.as_str(), found[3].ncm.as_str()), (goods::CUIT, "22042100"));
    assert!(found[3].entry_index > 0 && found[3].entry_index < messages[0].ledger_size);
    // Left out of net, and known whose it is all the same.
    assert!(found[51].reasons.contains(&"EXCEEDS_ORIGINAL".to_owned()), "{:?}", found[51]);
    assert_eq!(found[51].seller_cuit, goods::CUIT);
    assert_eq!(found[51].explanation, None);

    let narrow = async |request: ExportSaleLinesRequest| {
        let messages = export(&client, request).await.unwrap();
        assert_whole(&messages);
        ids(&messages)
    };
    let returns = ExportSaleLinesRequest {
        kinds: vec![LineKind::Return.into()],
        ..of_period(goods::period(), 0)
    };
    assert_eq!(narrow(returns).await, ["R-1", "R-2"]);
    let exceeding =
        ExportSaleLinesRequest { reason: "EXCEEDS_ORIGINAL".into(), ..of_report(&november, 0) };
    assert_eq!(narrow(exceeding).await, ["R-2"]);
    let plain = ExportSaleLinesRequest {
        verdict: Verdict::Accepted.into(),
        ..of_period(goods::period(), 0)
    };
    assert!(narrow(plain).await.is_empty());
    assert_eq!(narrow(of_period(december(), 0)).await, ["L-0000103"]);
    assert_eq!(narrow(of_report(&late, 0)).await.len(), 4);
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn exports_and_cursors_are_ones_own() {
    let stage = Stage::start().await.with_exporter().await;
    let first = stage.client("marketplace");
    let second = stage.second_marketplace("second").await;
    let [november, late] = two_reports(&first).await;
    let own = open_report(&second, goods::period()).await.name;
    append(&second, &own, goods::batch(0, 4)).await.unwrap();

    // Everybody gets their own, whatever they ask for; customs and the auditor get all.
    let everything = of_period(goods::period(), 10);
    for marketplace in ["", "partners/marketplace"] {
        let request = ExportSaleLinesRequest {
            marketplace: marketplace.into(),
            ..of_period(goods::period(), 0)
        };
        let found = lines(&export(&second, request).await.unwrap());
        assert_eq!(found.len(), 4);
        assert!(found.iter().all(|line| line.marketplace == "partners/second"));
    }
    for partner in ["customs", "auditor"] {
        let reader = stage.client(partner);
        let all = export(&reader, everything.clone()).await.unwrap();
        assert_whole(&all);
        assert_eq!(lines(&all).len(), 55 + 4);
        let one =
            ExportSaleLinesRequest { marketplace: "partners/second".into(), ..everything.clone() };
        assert_eq!(lines(&export(&reader, one).await.unwrap()).len(), 4);
    }
    // Whoever reads sums only is not given what lines need.
    let refused = stage.client("ministry").tokens.ask(Some("sales.read")).await.err().unwrap();
    assert_eq!(refused.reason, "INVALID_SCOPE");

    // A cursor is worth something to whom it was given, for what it was given.
    let begun = export(&first, everything.clone()).await.unwrap();
    let cursor = begun[1].cursor.clone();
    let with = |request: &ExportSaleLinesRequest| ExportSaleLinesRequest {
        cursor: cursor.clone(),
        ..request.clone()
    };
    assert!(export(&first, with(&everything)).await.is_ok());
    let customs = stage.client("customs");
    let others = [
        (&second, with(&everything)),
        (&customs, with(&everything)),
        (&first, with(&of_period(december(), 10))),
        (&first, with(&of_report(&november, 10))),
        (&first, with(&of_report(&late, 10))),
        (
            &first,
            ExportSaleLinesRequest { kinds: vec![LineKind::Sale.into()], ..with(&everything) },
        ),
        (&first, ExportSaleLinesRequest { verdict: 2, ..with(&everything) }),
        (&first, ExportSaleLinesRequest { cursor: cursor[1..].to_owned(), ..everything.clone() }),
        (&first, ExportSaleLinesRequest { cursor: "no cursor".into(), ..everything.clone() }),
    ];
    for (client, request) in others {
        let status = export(client, request.clone()).await.unwrap_err();
        assert_eq!(verdict(&status), "INVALID_ARGUMENT:INVALID_CURSOR", "{request:?}");
    }
    stage.stop().await;
}

/// Whoever reads slowly, or not at all, holds nothing: the log of the store can be emptied, which
/// an open snapshot would forbid. And who is suspended meanwhile gets no further.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_reader_holds_nothing_and_is_stopped_when_suspended() {
    let stage = Stage::start().await;
    let client = stage.client("marketplace");
    let name = open_report(&client, goods::period()).await.name;
    for from in (0..20_000).step_by(5_000) {
        append(&client, &name, goods::batch(from, from + 5_000)).await.unwrap();
    }
    let request = of_report(&name, 100);
    let mut stream =
        ask!(client, SalesReportServiceClient.export_sale_lines(request.clone())).unwrap();
    let mut taken = stream.message().await.unwrap().unwrap();
    let mut count = taken.lines.len();

    let store = stage.folder.config().store_path();
    let emptied = within(std::time::Duration::from_secs(10), || async {
        let store = rusqlite::Connection::open(&store).unwrap();
        let busy: i64 =
            store.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0)).unwrap();
        (busy == 0).then_some(())
    });
    emptied.await.expect("a reader holds a snapshot");

    let ran = crate::common::process::run_beside(&[
        "partner",
        "suspend",
        "marketplace",
        "--reason",
        "a test",
        "--profile",
        stage.folder.profile("operator").to_str().unwrap(),
    ])
    .await;
    assert_eq!(ran.code, 0, "{ran:?}");
    let status = loop {
        match stream.message().await {
            Ok(message) => taken = message.expect("the export came to its end"),
            Err(status) => break status,
        }
        count += taken.lines.len();
    };
    assert_eq!(verdict(&status), "PERMISSION_DENIED:PARTNER_SUSPENDED");
    assert_eq!(taken.exported_lines, count as i64);
    assert!(count < 20_000, "{count}");
    let rest = ExportSaleLinesRequest { cursor: taken.cursor, ..request };
    let status = export(&client, rest).await.unwrap_err();
    assert_eq!(status.code(), Code::PermissionDenied);
    stage.stop().await;
}
