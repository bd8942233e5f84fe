//! The marketplace reports what it sold, loses its connection, goes on, and sends all of it again.

use std::collections::BTreeMap;

use rust_decimal::Decimal;

use super::super::push::{How, Pushed, batches, end, push};
use super::super::screen::{Table, grouped};
use super::super::{Reported, Run};
use super::period;
use crate::cli::batches::{progress, read_all};
use crate::cli::csv::{CsvFile, sales};
use crate::cli::output::{decimal, word};
use crate::cli::{Client, Failure, Outcome};
use crate::proto::google::r#type::Decimal as Exact;
use crate::proto::puente::common::v1::Receipt;
use crate::proto::puente::ledger::v1::FindReceiptRequest;
use crate::proto::puente::ledger::v1::ledger_service_client::LedgerServiceClient;
use crate::proto::puente::sales::v1::sales_report_service_client::SalesReportServiceClient;
use crate::proto::puente::sales::v1::{
    AppendSaleLinesRequest, ControlTotal, GetSalesReportRequest, LineKind, OpenSalesReportRequest,
    SaleLine, SaleLineBatch, SalesReport, SealSalesReportRequest, SealSalesReportResponse, Verdict,
};

/// Lines in a batch the first time, with the connection cut, and the last time.
const SIZES: [usize; 3] = [250, 333, 777];
/// After how many answered batches the connection is cut.
const CUT_AFTER: usize = 3;
/// How many lines a warning is expected for: those that take back a sale without naming it.
fn expected_warnings(lines: &[SaleLine]) -> usize {
    let cites = |line: &SaleLine| {
        matches!(line.kind(), LineKind::Return | LineKind::Refund | LineKind::Cancellation)
    };
    lines.iter().filter(|line| cites(line) && line.original_line_id.is_empty()).count()
}

/// Opens, fills and seals every report.
pub(in super::super) async fn report(run: &mut Run) -> Outcome {
    run.screen.title("The marketplace reports what it sold")?;
    run.screen.say(&format!(
        "Batches of {} lines on one stream, several under way, each answered once it is durable. \
         One connection is cut on the way, with batches unanswered.",
        SIZES[0]
    ))?;
    let marketplace = run.client("marketplace")?;
    let total: usize = run.input.reports.iter().map(|file| file.lines).sum();
    let bar = progress(total as u64, "sale lines");
    let mut table = Table::new(
        "Reports",
        ["Period", "#Lines", "#Batches", "#Accepted", "#With warning", "#Orders", "State"],
    );
    let to_cut = 1.min(run.input.reports.len() - 1);
    for place in 0..run.input.reports.len() {
        let file = &run.input.reports[place];
        let (days, count) = ((file.first, file.last), file.lines);
        let what = format!("{} to {}", days.0, days.1);
        let path = run.world.file(&format!("sales-{}.csv", file.first.year()), &file.text)?;
        let (lines, bad) = read_all(&CsvFile::open(&path, sales::LAYOUT)?, sales::read)?;
        run.check(format!("{what}: rows that can be read"), count, lines.len());
        run.check(format!("{what}: rows that cannot be read"), 0, bad.len());

        let open = OpenSalesReportRequest {
            request_id: marketplace.request_id(),
            period: Some(period(days)),
            validate_only: false,
        };
        let opened = call!(marketplace, SalesReportServiceClient.open_sales_report, open)?;
        let name = opened.report.unwrap_or_default().name;
        let batches = batches(&marketplace, &lines, SIZES[0]);
        if place == to_cut {
            cut(run, &name, &batches, &bar).await?;
        }
        let how = How { resume: true, cut_after: None };
        let pushed = push(&marketplace, &name, &batches, how, &bar).await?;
        let first = note(run, &marketplace, &batches, &pushed).await?;

        let read = read(&marketplace, &name).await?;
        let counts = read.counts.unwrap_or_default();
        let warnings = expected_warnings(&lines);
        run.check(
            format!("{what}: lines stored"),
            count,
            counts.accepted + counts.accepted_with_warning,
        );
        run.check(format!("{what}: lines with a warning"), warnings, counts.accepted_with_warning);
        run.check(format!("{what}: lines refused"), 0, counts.refused);
        run.check(format!("{what}: lines counted twice"), 0, counts.duplicate);

        let sealed = seal_with_totals(run, &marketplace, &name, &what, &lines).await?;
        let report = sealed.report.unwrap_or_default();
        let state = word(report.state().as_str_name(), "REPORT_STATE_");
        let expected = if warnings == 0 { "ACCEPTED" } else { "PARTIALLY_ACCEPTED" };
        run.check(format!("{what}: state"), expected, &state);
        table.row([
            what,
            grouped(count),
            batches.len().to_string(),
            grouped(counts.accepted),
            grouped(counts.accepted_with_warning),
            grouped(report.orders),
            state,
        ]);
        run.reports.push(Reported {
            batches,
            first,
            report,
            sealed: sealed.receipt.unwrap_or_default(),
        });
    }
    bar.finish_and_clear();
    run.check("lines whose ledger entry is known", total, run.taken.len());
    run.screen.table(table)?;
    run.screen.say(
        "Control totals were compared to the last digit; totals that were wrong by 0.0001 were \
         refused first.",
    )?;
    read_back(run, &marketplace).await
}

/// Pushes on a connection that is cut with batches unanswered.
async fn cut(
    run: &mut Run,
    report: &str,
    batches: &[SaleLineBatch],
    bar: &indicatif::ProgressBar,
) -> Outcome {
    let lost = run.world.another("marketplace")?;
    let how = How { resume: false, cut_after: Some(CUT_AFTER) };
    let pushed = push(&lost, report, batches, how, bar).await?;
    run.check("batches answered before the cut", CUT_AFTER, pushed.results.len());
    Ok(())
}

/// Notes which entry took which line; batches whose answer was lost are asked for by their id.
async fn note(
    run: &mut Run,
    client: &Client,
    batches: &[SaleLineBatch],
    pushed: &Pushed,
) -> Outcome<Receipt> {
    let mut first = None;
    for (place, batch) in batches.iter().enumerate() {
        let receipt = match place.checked_sub(pushed.passed) {
            Some(place) => pushed.results.get(place).and_then(|result| result.receipt.clone()),
            None => find(client, &batch.request_id).await?,
        };
        let receipt = receipt.ok_or_else(|| Failure::new("INTERNAL", "a batch has no receipt"))?;
        run.taken.note(batch, receipt.index);
        first.get_or_insert(receipt);
    }
    if pushed.passed > 0 {
        let done = end(&batches[pushed.passed - 1]);
        run.check("lines that the gateway had after the cut", done, pushed.welcome.committed_lines);
        run.screen.say(&format!(
            "After the cut the gateway said that it had {} lines; the marketplace went on from \
             there, and found the receipts of the batches before by their request ids.",
            grouped(done)
        ))?;
    }
    first.ok_or_else(|| Failure::new("DEMO_INPUT", "a report has no line"))
}

/// The receipt of a request.
async fn find(client: &Client, request_id: &str) -> Outcome<Option<Receipt>> {
    let request = FindReceiptRequest { request_id: request_id.to_owned(), ..Default::default() };
    let answer = call!(client, LedgerServiceClient.find_receipt, request)?;
    Ok(answer.receipts.into_iter().next())
}

/// Seals with totals that are a little off, which is refused, then with the right ones.
async fn seal_with_totals(
    run: &mut Run,
    client: &Client,
    name: &str,
    what: &str,
    lines: &[SaleLine],
) -> Outcome<SealSalesReportResponse> {
    let totals = control_totals(lines)?;
    let mut wrong = totals.clone();
    if let Some(amount) = wrong.first_mut().and_then(|total| total.amount.as_mut()) {
        amount.value = (number(amount)? + Decimal::new(1, 4)).to_string();
    }
    let refused = seal(client, name, wrong).await;
    run.check_refused(&format!("{what}: wrong totals"), "CONTROL_TOTALS_MISMATCH", &refused);
    seal(client, name, totals).await
}

async fn seal(
    client: &Client,
    name: &str,
    expected_totals: Vec<ControlTotal>,
) -> Outcome<SealSalesReportResponse> {
    let request = SealSalesReportRequest {
        request_id: client.request_id(),
        name: name.to_owned(),
        expected_totals,
        ..Default::default()
    };
    call!(client, SalesReportServiceClient.seal_sales_report, request)
}

/// What the lines sum up to by kind and currency, as written.
fn control_totals(lines: &[SaleLine]) -> Outcome<Vec<ControlTotal>> {
    let mut sums: BTreeMap<(i32, &str), (i64, Decimal, Decimal)> = BTreeMap::new();
    for line in lines {
        let parse = |text: &str| text.parse::<Decimal>();
        let (Ok(quantity), Ok(price)) = (parse(&line.quantity), parse(&line.unit_price)) else {
            return Err(Failure::new("DEMO_INPUT", format!("{} is no sale line", line.line_id)));
        };
        let sum = sums.entry((line.kind, &line.currency)).or_default();
        sum.0 += 1;
        sum.1 += quantity;
        sum.2 += quantity * price;
    }
    let exact = |value: Decimal| Some(Exact { value: value.normalize().to_string() });
    Ok(sums
        .into_iter()
        .map(|((kind, currency), (lines, quantity, amount))| ControlTotal {
            kind,
            currency: currency.to_owned(),
            lines,
            quantity: exact(quantity),
            amount: exact(amount),
        })
        .collect())
}

fn number(value: &Exact) -> Outcome<Decimal> {
    let wrong = || Failure::new("INTERNAL", format!("{} is no decimal", value.value));
    value.value.parse::<Decimal>().map_err(|_| wrong())
}

pub(super) async fn read(client: &Client, name: &str) -> Outcome<SalesReport> {
    let request = GetSalesReportRequest { name: name.to_owned() };
    let answer = call!(client, SalesReportServiceClient.get_sales_report, request)?;
    Ok(answer.report.unwrap_or_default())
}

/// Reads every sealed report back, against what other code counted.
async fn read_back(run: &mut Run, client: &Client) -> Outcome {
    let mut found = Vec::new();
    for reported in &run.reports {
        found.push(read(client, &reported.report.name).await?);
    }
    let expected: Vec<_> = run
        .input
        .expected
        .reports
        .iter()
        .map(|report| (report.first.clone(), report.lines, report.orders))
        .collect();
    for ((first, lines, orders), report) in expected.into_iter().zip(&found) {
        let held: i64 = report.totals.iter().map(|total| total.lines).sum();
        run.check(format!("report from {first}: lines read back"), lines, held);
        run.check(format!("report from {first}: orders read back"), orders, report.orders);
    }
    let mut table =
        Table::new("Read back, as written", ["Kind", "#Lines", "#Quantity", "#Amount", "Currency"]);
    let mut sums: BTreeMap<(i32, String), (i64, Decimal, Decimal)> = BTreeMap::new();
    for total in found.iter().flat_map(|report| &report.totals) {
        let sum = sums.entry((total.kind, total.currency.clone())).or_default();
        let read = |value: &Option<Exact>| decimal(value.as_ref()).parse().unwrap_or(Decimal::ZERO);
        sum.0 += total.lines;
        sum.1 += read(&total.quantity);
        sum.2 += read(&total.amount);
    }
    for ((kind, currency), (lines, quantity, amount)) in sums {
        let kind = LineKind::try_from(kind).unwrap_or_default();
        table.row([
            word(kind.as_str_name(), "LINE_KIND_"),
            grouped(lines),
            grouped(quantity.normalize()),
            grouped(amount.normalize()),
            currency,
        ]);
    }
    run.screen.table(table)
}

/// Everything again, in other batches, after a cut connection; then one request once more.
pub(in super::super) async fn again(run: &mut Run) -> Outcome {
    run.screen.title("The marketplace sends all of it again")?;
    let total: usize = run.input.reports.iter().map(|file| file.lines).sum();
    let bar = progress(total as u64, "sale lines");
    let mut duplicates = 0;
    let mut named_right = 0;
    for place in 0..run.reports.len() {
        let name = run.reports[place].report.name.clone();
        let lines: Vec<_> =
            run.reports[place].batches.iter().flat_map(|batch| batch.lines.clone()).collect();
        let lost = run.world.another("marketplace")?;
        let cut = How { resume: false, cut_after: Some(1) };
        push(&lost, &name, &batches(&lost, &lines, SIZES[1]), cut, &bar).await?;
        drop(lost);
        let whole = run.world.another("marketplace")?;
        let sent = batches(&whole, &lines, SIZES[2]);
        let pushed = push(&whole, &name, &sent, How::default(), &bar).await?;
        let counts = pushed.counts();
        duplicates += counts.duplicate;
        let verdicts = pushed.results.iter().flat_map(|result| &result.verdicts);
        named_right += verdicts
            .filter(|one| one.verdict() == Verdict::Duplicate)
            .filter(|one| one.first_entry_index == run.taken.index(&one.line_id))
            .count();
        let before = &run.reports[place].report;
        let after = read(&whole, &name).await?;
        let same = before.totals == after.totals && before.orders == after.orders;
        run.check(format!("totals of report {} are as before", place + 1), true, same);
    }
    bar.finish_and_clear();
    run.check("lines that were duplicates", total, duplicates);
    run.check("duplicates that name the entry that took them", total, named_right);
    run.screen.say(&format!(
        "Connections cut after one batch of {}, then everything in batches of {}: {} lines, all \
         DUPLICATE, each with the number of the ledger entry that first took it; no total moved.",
        SIZES[1],
        SIZES[2],
        grouped(duplicates)
    ))?;

    let marketplace = run.client("marketplace")?;
    let Some(reported) = run.reports.first() else { return Ok(()) };
    let (first, batch) = (reported.first.clone(), reported.batches[0].clone());
    let request_id = batch.request_id.clone();
    let request = AppendSaleLinesRequest {
        report: reported.report.name.clone(),
        batch: Some(batch),
        validate_only: false,
    };
    let answer = call!(marketplace, SalesReportServiceClient.append_sale_lines, request)?;
    let receipt = answer.result.and_then(|result| result.receipt);
    run.check("the same request gives the same receipt", true, receipt.as_ref() == Some(&first));
    let found = find(&marketplace, &request_id).await?;
    run.check("and its receipt can be found", true, found.as_ref() == Some(&first));
    run.screen.say(&format!(
        "The first batch once more, as it was: the same receipt, entry {}, {}.",
        first.index,
        hex::encode(&first.leaf_hash)
    ))
}
