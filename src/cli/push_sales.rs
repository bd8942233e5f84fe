//! `puente push sales`: a report for a period, its lines in a stream, resumed by itself.

mod batch;
mod stream;

use std::path::PathBuf;

use serde_json::json;

use self::batch::Batches;
use self::stream::{Push, Tally};
use super::batches::{progress, refused};
use super::csv::{CsvFile, sales};
use super::output::{Output, decimal, facts, number, print, print_json, table, to_value, word};
use super::{Client, Connect, Failure, Outcome, parse};
use crate::proto::puente::common::v1::Period;
use crate::proto::puente::sales::v1::sales_report_service_client::SalesReportServiceClient;
use crate::proto::puente::sales::v1::{
    GetSalesReportRequest, GetSalesReportResponse, OpenSalesReportRequest, SalesReport,
    SealSalesReportRequest,
};

/// Send a period's sale lines
///
/// Opens the report of the period, or goes on with it. Lines count once, however often they are
/// sent: after a fault run the same command again. Good lines are stored, bad ones listed.
///
/// Columns: line_id,order_id,kind,original_line_id,sku,quantity,unit_price,currency,sold_at,
/// destination,declaration, and, where you have them, declaration_item,discount,tax,shipping,
/// platform_fee,settlement_amount,settlement_currency.
///
/// Example:
///   puente push sales 2026-11.csv --period 2026-11-01..2026-11-30 --seal --profile marketplace.toml
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Sales {
    /// The file, CSV in UTF-8
    file: PathBuf,
    /// The days that the report is about, both ends included
    #[arg(long, value_name = "FROM..TO", value_parser = parse::period)]
    period: Period,
    /// Seal the report when every line is stored; left out if a line was refused
    #[arg(long)]
    seal: bool,
    /// Lines in one batch
    #[arg(long, value_name = "N", default_value_t = 1000,
          value_parser = clap::value_parser!(u32).range(1..=10_000))]
    batch_lines: u32,
    #[command(flatten)]
    connect: Connect,
}

impl Sales {
    pub(super) async fn run(self) -> Outcome {
        let client = self.connect.client()?;
        let file = CsvFile::open(&self.file, sales::LAYOUT)?;
        let report = self.open_report(&client).await?;
        let batches = Batches::new(&file, &report, self.batch_lines as usize)?;
        let bar = progress(file.length, "sale lines");
        let pushed = Push::new(&client, &report, &file, batches, &bar).run().await;
        bar.finish_and_clear();
        let tally = pushed?;

        let refused_lines = tally.refused();
        let sealed =
            if self.seal && refused_lines == 0 { self.seal(&client, &report).await? } else { None };
        let report = match sealed {
            Some(report) => report,
            None => read_report(&client, &report).await?,
        };
        match self.connect.output() {
            Output::Json => print_json(&json!({
                "name": report.name,
                "report": to_value("puente.sales.v1.SalesReport", &report)?,
                "counts": to_value("puente.sales.v1.LineCounts", &tally.counts)?,
                "malformedRows": tally.malformed.to_string(),
                "resumedAt": tally.resumed_at.to_string(),
            }))?,
            Output::Table => print(&show(&report, &tally))?,
        }
        if refused_lines == 0 {
            return Ok(());
        }
        let failure = refused(&self.file, refused_lines);
        Err(if self.seal {
            failure.hint("the report was not sealed; mend these rows and run the command again")
        } else {
            failure
        })
    }

    /// The name of the period's report, opened now or before.
    async fn open_report(&self, client: &Client) -> Outcome<String> {
        let request = OpenSalesReportRequest {
            request_id: client.request_id(),
            period: Some(self.period),
            validate_only: false,
        };
        let opened = client
            .call(request, |channel, request| async move {
                SalesReportServiceClient::new(channel).open_sales_report(request).await
            })
            .await;
        match opened {
            Ok(answer) => Ok(answer.report.unwrap_or_default().name),
            Err(failure) if failure.reason == "REPORT_EXISTS" => match failure.detail("name") {
                Some(name) => Ok(parse::name("salesReports", name)),
                None => Err(failure),
            },
            Err(failure) => Err(failure),
        }
    }

    /// Seals the report; `None` if it is sealed already.
    async fn seal(&self, client: &Client, name: &str) -> Outcome<Option<SalesReport>> {
        let request = SealSalesReportRequest {
            request_id: client.request_id(),
            name: name.to_owned(),
            ..Default::default()
        };
        let sealed = client
            .call(request, |channel, request| async move {
                SalesReportServiceClient::new(channel).seal_sales_report(request).await
            })
            .await;
        match sealed {
            Ok(answer) => Ok(answer.report),
            // Every line of the file is in it, so there is nothing left to do.
            Err(failure) if failure.reason == "REPORT_SEALED" => Ok(None),
            Err(failure) => Err(failure),
        }
    }
}

/// The report as it is now.
pub(super) async fn read_report(client: &Client, name: &str) -> Outcome<SalesReport> {
    let answer = read_answer(client, name).await?;
    answer.report.ok_or_else(|| Failure::new("INTERNAL", "the answer holds no report"))
}

/// The report of that name, with what its marketplace may have and send at once.
pub(super) async fn read_answer(client: &Client, name: &str) -> Outcome<GetSalesReportResponse> {
    let request = GetSalesReportRequest { name: name.to_owned() };
    client
        .call(request, |channel, request| async move {
            SalesReportServiceClient::new(channel).get_sales_report(request).await
        })
        .await
}

fn show(report: &SalesReport, tally: &Tally) -> String {
    let counts = tally.counts;
    let mut text = facts([
        ("Report", report.name.clone()),
        ("State", word(report.state().as_str_name(), "REPORT_STATE_")),
        ("Accepted", counts.accepted.to_string()),
        ("Accepted with a warning", counts.accepted_with_warning.to_string()),
        ("Duplicates", counts.duplicate.to_string()),
        ("Refused", (counts.refused + tally.malformed as i64).to_string()),
    ]);
    if tally.resumed_at > 0 {
        text.push_str(&format!(
            "Went on after {} lines that were sent before.\n",
            tally.resumed_at
        ));
    }
    text.push_str(&totals(report));
    text
}

/// The sums of a report by kind and currency.
pub(super) fn totals(report: &SalesReport) -> String {
    let mut table = table(["Kind", "Lines", "Quantity", "Amount", "Currency"]);
    for total in &report.totals {
        table.add_row([
            comfy_table::Cell::new(word(total.kind().as_str_name(), "LINE_KIND_")),
            number(total.lines),
            number(decimal(total.quantity.as_ref())),
            number(decimal(total.amount.as_ref())),
            comfy_table::Cell::new(&total.currency),
        ]);
    }
    format!("{table}\n")
}
