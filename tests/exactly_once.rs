//! Whatever is sent again counts once, and is answered as the first time.

use std::collections::BTreeMap;

use puente::cli::Client;
use puente::proto::puente::common::v1::Period;
use puente::proto::puente::ledger::v1::ledger_service_client::LedgerServiceClient;
use puente::proto::puente::ledger::v1::{FindReceiptRequest, GetCheckpointRequest};
use puente::proto::puente::listings::v1::CreateListingRequest;
use puente::proto::puente::listings::v1::listing_service_client::ListingServiceClient;
use puente::proto::puente::registry::v1::registry_service_client::RegistryServiceClient;
use puente::proto::puente::sales::v1::sales_report_service_client::SalesReportServiceClient;
use puente::proto::puente::sales::v1::{OpenSalesReportRequest, SaleLineBatch, Verdict};
use tonic::Code;

use crate::common::push::{Push, append, open_report, report, stored};
use crate::common::random::Random;
use crate::common::stage::Stage;
use crate::common::{ask, goods, verdict};

/// How many entries the ledger has.
pub async fn entries(auditor: &Client) -> i64 {
    ask!(auditor, LedgerServiceClient.get_checkpoint(GetCheckpointRequest {})).unwrap().size
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lines_sent_again_in_other_batches_after_a_cut_count_once() {
    const LINES: u64 = 2_000;
    let stage = Stage::start().await;
    let client = stage.client("marketplace");
    let name = open_report(&client, goods::period()).await.name;

    // Sends 1,500 lines by 150, hears about the first 450, and is gone.
    let first: Vec<SaleLineBatch> = (0..10).map(|n| goods::batch(n * 150, (n + 1) * 150)).collect();
    let ids: Vec<String> = first.iter().map(|batch| batch.request_id.clone()).collect();
    let mut push = Push::open(&client, &name).await.unwrap();
    assert_eq!(push.welcome.committed_lines, 0);
    let window = push.welcome.window as usize;
    assert!(window >= 1);
    let mut batches = first.into_iter();
    for batch in batches.by_ref().take(window) {
        push.send(batch).await;
    }
    let mut receipts = BTreeMap::new();
    for (n, id) in ids.iter().enumerate().take(3) {
        let result = push.result().await.unwrap();
        assert_eq!(result.request_id, *id);
        receipts.insert(n, result.receipt.unwrap());
        if let Some(batch) = batches.next() {
            push.send(batch).await;
        }
    }
    drop(push);
    drop(client);

    // Comes back over another connection and sends everything from the start, by 170.
    let client = stage.client("marketplace");
    let mut push = Push::open(&client, &name).await.unwrap();
    assert!(push.welcome.committed_lines >= 450, "{}", push.welcome.committed_lines);
    let (mut accepted, mut duplicate) = (0, 0);
    for from in (0..LINES).step_by(170) {
        let result = push.exchange(goods::batch(from, LINES.min(from + 170))).await.unwrap();
        let counts = result.counts.unwrap();
        accepted += counts.accepted + counts.accepted_with_warning;
        duplicate += counts.duplicate;
        assert_eq!(counts.refused, 0);
        for line in result.verdicts.iter().filter(|line| line.verdict() == Verdict::Duplicate) {
            let n: u64 = line.line_id.trim_start_matches("L-").parse().unwrap();
            let taken_by = &ids[(n / 150) as usize];
            let request =
                FindReceiptRequest { request_id: taken_by.clone(), partner: String::new() };
            let found = match receipts.get(&((n / 150) as usize)) {
                Some(receipt) => receipt.clone(),
                None => {
                    let found = ask!(client, LedgerServiceClient.find_receipt(request)).unwrap();
                    receipts.insert((n / 150) as usize, found.receipts[0].clone());
                    found.receipts[0].clone()
                }
            };
            assert_eq!(line.first_entry_index, Some(found.index), "{}", line.line_id);
        }
    }
    assert_eq!(accepted + duplicate, LINES as i64);
    assert!(duplicate >= 450 && duplicate % 150 == 0, "whole batches were taken: {duplicate}");
    assert_eq!(stored(&report(&client, &name).await), (LINES, goods::amount(LINES)));
    drop(push);
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_request_has_the_same_answer_and_receipt() {
    let stage = Stage::start().await;
    let (client, auditor) = (stage.client("marketplace"), stage.client("auditor"));
    let registry = stage.client("registry");

    let messages = goods::exporters(registry.request_id(), &[goods::CUIT]);
    let sync = async || {
        let request = tokio_stream::iter(messages.clone());
        ask!(registry, RegistryServiceClient.sync_exporters(request)).unwrap()
    };
    let synced = sync().await;
    assert!(synced.receipt.is_some());
    assert_eq!(sync().await, synced);

    let create = CreateListingRequest {
        request_id: client.request_id(),
        listing: Some(goods::listing("MALBEC")),
        validate_only: false,
    };
    let created = ask!(client, ListingServiceClient.create_listing(create.clone())).unwrap();
    let again = ask!(client, ListingServiceClient.create_listing(create.clone())).unwrap();
    assert_eq!(again, created);

    let open = OpenSalesReportRequest {
        request_id: client.request_id(),
        period: Some(goods::period()),
        validate_only: false,
    };
    let opened = ask!(client, SalesReportServiceClient.open_sales_report(open.clone())).unwrap();
    let again = ask!(client, SalesReportServiceClient.open_sales_report(open.clone())).unwrap();
    assert_eq!(again, opened);

    let name = opened.report.unwrap().name;
    let batch = goods::batch(0, 25);
    let appended = append(&client, &name, batch.clone()).await.unwrap();
    let before = entries(&auditor).await;
    assert_eq!(append(&client, &name, batch.clone()).await.unwrap(), appended);
    // On a stream it is the same request, too.
    let mut push = Push::open(&client, &name).await.unwrap();
    assert_eq!(push.exchange(batch.clone()).await.unwrap().receipt, appended.receipt);
    drop(push);
    assert_eq!(entries(&auditor).await, before, "a replay made an entry");
    assert_eq!(stored(&report(&client, &name).await), (25, goods::amount(25)));

    // Another body under the same id is an error of its own, and changes nothing.
    let mut other = batch.clone();
    other.lines[3].quantity = "2".into();
    let status = append(&client, &name, other).await.unwrap_err();
    assert_eq!(verdict(&status), "ALREADY_EXISTS:REQUEST_ID_REUSED");
    let other = CreateListingRequest { listing: Some(goods::listing("OTHER")), ..create };
    let status = ask!(client, ListingServiceClient.create_listing(other)).unwrap_err();
    assert_eq!(verdict(&status), "ALREADY_EXISTS:REQUEST_ID_REUSED");
    let other = OpenSalesReportRequest { period: Some(month(2030, 1)), ..open };
    let status = ask!(client, SalesReportServiceClient.open_sales_report(other)).unwrap_err();
    assert_eq!(verdict(&status), "ALREADY_EXISTS:REQUEST_ID_REUSED");
    assert_eq!(entries(&auditor).await, before);
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn identical_requests_at_once_have_one_effect() {
    let stage = Stage::start().await;
    let auditor = stage.client("auditor");
    let clients = [stage.client("marketplace"), stage.client("marketplace")];
    let name = open_report(&clients[0], goods::period()).await.name;
    let before = entries(&auditor).await;

    let batch = goods::batch(0, 100);
    let sent = (0..16).map(|n| append(&clients[n % 2], &name, batch.clone()));
    let answers = futures_util::future::join_all(sent).await;
    let first = answers[0].as_ref().unwrap().clone();
    for answer in answers {
        // One that came while the other was being written may be asked to come again.
        match answer {
            Ok(answer) => assert_eq!(answer, first),
            Err(status) => assert_eq!(status.code(), Code::Aborted, "{status:?}"),
        }
    }
    assert_eq!(entries(&auditor).await, before + 1);
    assert_eq!(stored(&report(&clients[0], &name).await), (100, goods::amount(100)));

    // Different requests with the same lines: each line is taken by exactly one.
    let sent = (0..8).map(|n| append(&clients[n % 2], &name, goods::batch(100, 200)));
    let answers = futures_util::future::join_all(sent).await;
    let taken: i64 = answers
        .into_iter()
        .map(|answer| {
            let counts = answer.unwrap().counts.unwrap();
            assert_eq!(counts.accepted + counts.accepted_with_warning + counts.duplicate, 100);
            counts.accepted + counts.accepted_with_warning
        })
        .sum();
    assert_eq!(taken, 100);
    assert_eq!(stored(&report(&clients[0], &name).await), (200, goods::amount(200)));
    stage.stop().await;
}

/// However a client cuts its lines into batches, repeats and overlaps them, in whatever order: each
/// line counts once, and the answers add up.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_batching_counts_every_line_once() {
    const LINES: u64 = 400;
    let stage = Stage::start().await;
    let client = stage.client("marketplace");
    for case in 0..5_u64 {
        let mut random = Random::new(case + 1);
        let base = case * LINES;
        let name = open_report(&client, month(2020, case as i32 + 1)).await.name;
        let mut push = Push::open(&client, &name).await.unwrap();
        let mut expected = vec![false; LINES as usize];
        let mut ranges: Vec<_> = (0..30)
            .map(|_| {
                let from = random.below(LINES);
                (from, LINES.min(from + 1 + random.below(60)))
            })
            .collect();
        ranges.push((0, LINES));
        for (from, to) in ranges {
            let mut batch = goods::batch(base + from, base + to);
            batch.first_line = from as i64;
            if random.below(2) == 0 {
                batch.lines.reverse();
            }
            let repeated = random.below(3) == 0;
            let result = push.exchange(batch.clone()).await.unwrap();
            let counts = result.counts.unwrap();
            let range = from as usize..to as usize;
            let fresh = expected[range.clone()].iter().filter(|taken| !**taken).count() as i64;
            let stored = counts.accepted + counts.accepted_with_warning;
            assert_eq!(stored, fresh, "case {case}, lines {from}..{to}");
            assert_eq!(counts.duplicate, (to - from) as i64 - fresh, "case {case}, {from}..{to}");
            expected[range].fill(true);
            if repeated {
                assert_eq!(push.exchange(batch).await.unwrap().receipt, result.receipt);
            }
        }
        let report = report(&client, &name).await;
        let sum = goods::amount(base + LINES) - goods::amount(base);
        assert_eq!(stored(&report), (LINES, sum), "case {case}");
        assert_eq!(report.committed_lines, LINES as i64, "case {case}");
    }
    stage.stop().await;
}

fn month(year: i32, month: i32) -> Period {
    Period { first: Some(goods::date(year, month, 1)), last: Some(goods::date(year, month, 28)) }
}
