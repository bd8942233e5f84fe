//! The registry learns late that a seller was suspended: the lines sold since are marked by name.

use std::time::Duration;

use jiff::ToSpan as _;
use jiff::civil::Date;

use super::super::Run;
use super::super::screen::Table;
use super::period;
use crate::cli::output::{date, word};
use crate::cli::parse::proto_date;
use crate::cli::{Client, Outcome};
use crate::domain::exporter::argentine_day;
use crate::proto::puente::common::v1::EligibilityStatus;
use crate::proto::puente::listings::v1::Listing;
use crate::proto::puente::registry::v1::registry_service_client::RegistryServiceClient;
use crate::proto::puente::registry::v1::{EligibilityFact, RecordEligibilityRequest};
use crate::proto::puente::sales::v1::late_fact_service_client::LateFactServiceClient;
use crate::proto::puente::sales::v1::sales_report_service_client::SalesReportServiceClient;
use crate::proto::puente::sales::v1::{
    AppendSaleLinesRequest, LineCounts, LineKind, ListMarkedLinesRequest, MarkedLine,
    OpenSalesReportRequest, SaleLine, SaleLineBatch,
};

/// How many days ago the suspension took effect that is recorded today.
const AGO: i32 = 30;
/// How often it is looked whether the lines are marked, and for how long.
const LOOK: (Duration, u32) = (Duration::from_millis(200), 100);

/// Lines before and since that day, of that seller and of another; then the suspension.
pub(in super::super) async fn mark(run: &mut Run) -> Outcome {
    if run.input.customs.is_none() {
        return Ok(());
    }
    run.screen.title("A suspension that becomes known late marks what was sold since")?;
    let (Some(late), Some(other)) = (run.listings.last().cloned(), run.listings.get(1).cloned())
    else {
        return Ok(());
    };
    let today = argentine_day(run.world.env.now());
    let effect = today.saturating_sub(AGO.days());
    let marketplace = run.client("marketplace")?;
    let (report, counts) = sell(&marketplace, &late, &other, effect).await?;
    run.check("lines accepted while nothing was known", 5, counts.accepted);
    run.check(
        "lines marked while nothing was known",
        0,
        marked(&marketplace, &report).await?.len(),
    );

    let registry = run.client("registry")?;
    let request = RecordEligibilityRequest {
        request_id: registry.request_id(),
        name: format!("exporters/{}", late.seller_cuit),
        fact: Some(EligibilityFact {
            status: EligibilityStatus::Suspended.into(),
            cause: "Causa de ejemplo".into(),
            legal_instrument: "Disposición de ejemplo".into(),
            valid_from: Some(proto_date(effect)),
            ..Default::default()
        }),
        ..Default::default()
    };
    call!(registry, RegistryServiceClient.record_eligibility, request)?;
    let mut found = Vec::new();
    for _ in 0..LOOK.1 {
        found = marked(&marketplace, &report).await?;
        if !found.is_empty() {
            break;
        }
        tokio::time::sleep(LOOK.0).await;
    }
    let ids: Vec<&str> = found.iter().map(|line| line.line_id.as_str()).collect();
    let expected = "EJEMPLO-TARDE-2 EJEMPLO-TARDE-3 EJEMPLO-TARDE-4";
    run.check("lines marked, by name", expected, ids.join(" "));
    let mut table = Table::new("Lines that are marked", ["Line", "Sold on", "Its seller", "Since"]);
    for line in &found {
        let fact = line.late_fact.clone().unwrap_or_default();
        let since = date(fact.valid_from.as_ref());
        run.check(format!("{}: since when", line.line_id), effect, &since);
        let status = word(fact.status().as_str_name(), "ELIGIBILITY_STATUS_");
        table.row([line.line_id.clone(), date(line.sold_on.as_ref()), status, since]);
    }
    run.screen.table(table)?;
    let read = super::pushing::read(&marketplace, &report).await?.counts.unwrap_or_default();
    run.check("lines that are accepted as before", counts.accepted, read.accepted);
    run.screen.say(&format!(
        "Recorded today, in effect since {effect}. What was sold on the day before, and what another \
         seller sold, is not marked; no stored line is changed."
    ))
}

/// A report of the last weeks: one line of the day before `effect`, three since, one of another.
async fn sell(
    marketplace: &Client,
    late: &Listing,
    other: &Listing,
    effect: Date,
) -> Outcome<(String, LineCounts)> {
    let days = [(late, -1), (late, 0), (late, 10), (late, AGO - 1), (other, 10)];
    let lines = (1..).zip(days).map(|(place, (listing, after))| SaleLine {
        line_id: format!("EJEMPLO-TARDE-{place}"),
        order_id: format!("EJEMPLO-TARDE-{place}"),
        kind: LineKind::Sale.into(),
        sku: listing.sku.clone(),
        quantity: "1".into(),
        unit_price: "10".into(),
        currency: "USD".into(),
        sold_at: format!("{}T12:00:00+08:00", effect.saturating_add(after.days())),
        destination: "CN".into(),
        ..Default::default()
    });
    let lines: Vec<SaleLine> = lines.collect();
    let last = effect.saturating_add(AGO.days());
    let open = OpenSalesReportRequest {
        request_id: marketplace.request_id(),
        period: Some(period((effect.saturating_sub(1.days()), last))),
        validate_only: false,
    };
    let opened = call!(marketplace, SalesReportServiceClient.open_sales_report, open)?;
    let name = opened.report.unwrap_or_default().name;
    let request = AppendSaleLinesRequest {
        report: name.clone(),
        batch: Some(SaleLineBatch { request_id: marketplace.request_id(), first_line: 0, lines }),
        ..Default::default()
    };
    let answer = call!(marketplace, SalesReportServiceClient.append_sale_lines, request)?;
    Ok((name, answer.result.and_then(|result| result.counts).unwrap_or_default()))
}

async fn marked(client: &Client, report: &str) -> Outcome<Vec<MarkedLine>> {
    let request = ListMarkedLinesRequest { report: report.to_owned(), ..Default::default() };
    Ok(call!(client, LateFactServiceClient.list_marked_lines, request)?.lines)
}
