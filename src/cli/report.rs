//! `puente report`: what was sold, and corrections of what was reported.

mod explain;
mod export;
mod figures;
mod lines;
mod marked;
mod questions;

use super::output::{date, facts, moment, number, show, table, word};
use super::push_sales::{read_answer, totals};
use super::{Connect, Outcome, parse};
use crate::proto::puente::common::v1::Period;
use crate::proto::puente::sales::v1::sales_report_service_client::SalesReportServiceClient;
use crate::proto::puente::sales::v1::{
    ListSalesReportsRequest, ListSalesReportsResponse, ReportState, ReviseSalesReportRequest,
    SalesReport,
};

/// Read what was sold: reports, rankings, sums; correct a sealed report
#[derive(clap::Subcommand)]
pub enum Report {
    Get(Get),
    List(List),
    Revise(Revise),
    Lines(lines::Lines),
    Marked(marked::Marked),
    Explain(explain::Explain),
    Export(export::Export),
    TopProducts(questions::TopProducts),
    Summary(questions::Summary),
}

/// Read one report with its counts and sums
///
/// Example:
///   puente report get salesReports/0198c7a2-... --profile profiles/marketplace.toml
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Get {
    /// The report's name, as push sales and report list print it
    name: String,
    #[command(flatten)]
    connect: Connect,
}

/// List reports, the newest period first
#[derive(clap::Args)]
pub struct List {
    /// Only the reports of exactly this period
    #[arg(long, value_name = "FROM..TO", value_parser = parse::period)]
    period: Option<Period>,
    /// Only reports in this state, such as open or accepted
    #[arg(long, value_parser = |text: &str| parse::report_state(&parse::typed(text)))]
    state: Option<ReportState>,
    /// Only reports of this marketplace
    #[arg(long, value_name = "PARTNER")]
    marketplace: Option<String>,
    #[command(flatten)]
    connect: Connect,
}

/// Open a revision of a sealed report, to correct it
///
/// A revision holds corrections only: send what was missing, and CANCELLATION, RETURN, REFUND or
/// ADJUSTMENT lines for what was wrong, with push sales for the same period. Once it is sealed it
/// takes the place of the report that it corrects.
///
/// Example:
///   puente report revise salesReports/0198c7a2-... --reason "orders of 30 November were missing" \
///     --profile profiles/marketplace.toml
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Revise {
    /// The report's name, as push sales and report list print it
    name: String,
    /// Why, for those who read the report
    #[arg(long, value_name = "TEXT")]
    reason: String,
    #[command(flatten)]
    connect: Connect,
}

impl Report {
    pub(super) async fn run(self) -> Outcome {
        match self {
            Self::Get(get) => get.run().await,
            Self::List(list) => list.run().await,
            Self::Revise(revise) => revise.run().await,
            Self::Lines(lines) => lines.run().await,
            Self::Marked(marked) => marked.run().await,
            Self::Explain(explain) => explain.run().await,
            Self::Export(export) => export.run().await,
            Self::TopProducts(top) => top.run().await,
            Self::Summary(summary) => summary.run().await,
        }
    }
}

impl Get {
    async fn run(self) -> Outcome {
        let client = self.connect.client()?;
        let answer = read_answer(&client, &parse::name("salesReports", &self.name)).await?;
        let name = "puente.sales.v1.GetSalesReportResponse";
        show(self.connect.output(), name, &answer, |answer| {
            answer.report.as_ref().map(one).unwrap_or_default()
        })
    }
}

impl List {
    async fn run(self) -> Outcome {
        let client = self.connect.client()?;
        let mut request = ListSalesReportsRequest {
            page_size: 1000,
            period: self.period,
            state: self.state.unwrap_or_default().into(),
            marketplace: self
                .marketplace
                .as_ref()
                .map(|id| parse::name("partners", id))
                .unwrap_or_default(),
            ..Default::default()
        };
        let mut answer = ListSalesReportsResponse::default();
        loop {
            let page = client
                .call(request.clone(), |channel, request| async move {
                    SalesReportServiceClient::new(channel).list_sales_reports(request).await
                })
                .await?;
            answer.reports.extend(page.reports);
            request.page_token = page.next_page_token;
            if request.page_token.is_empty() {
                break;
            }
        }
        show(self.connect.output(), "puente.sales.v1.ListSalesReportsResponse", &answer, |answer| {
            many(&answer.reports)
        })
    }
}

impl Revise {
    async fn run(self) -> Outcome {
        let client = self.connect.client()?;
        let request = ReviseSalesReportRequest {
            request_id: client.request_id(),
            name: parse::name("salesReports", &self.name),
            reason: self.reason,
            ..Default::default()
        };
        let answer = client
            .call(request, |channel, request| async move {
                SalesReportServiceClient::new(channel).revise_sales_report(request).await
            })
            .await?;
        let name = "puente.sales.v1.ReviseSalesReportResponse";
        show(self.connect.output(), name, &answer, |answer| {
            answer.report.as_ref().map(one).unwrap_or_default()
        })
    }
}

fn one(report: &SalesReport) -> String {
    let counts = report.counts.unwrap_or_default();
    let or_none = |name: &str| if name.is_empty() { "-".to_owned() } else { name.to_owned() };
    let text = facts([
        ("Report", report.name.clone()),
        ("Marketplace", report.marketplace.clone()),
        ("Period", period(report)),
        ("State", word(report.state().as_str_name(), "REPORT_STATE_")),
        ("Revision", report.revision.to_string()),
        ("Supersedes", or_none(&report.supersedes)),
        ("Superseded by", or_none(&report.superseded_by)),
        ("Accepted", counts.accepted.to_string()),
        ("Accepted with a warning", counts.accepted_with_warning.to_string()),
        ("Duplicates", counts.duplicate.to_string()),
        ("Refused", counts.refused.to_string()),
        ("Orders", report.orders.to_string()),
        ("Opened", moment(report.create_time.as_ref())),
        ("Sealed", moment(report.seal_time.as_ref())),
        ("Abandoned unless it changes before", moment(report.expire_time.as_ref())),
        ("Explained", report.explained_lines.to_string()),
    ]);
    text + &totals(report)
}

fn many(reports: &[SalesReport]) -> String {
    let mut table = table(["Period", "Marketplace", "State", "Lines", "Report"]);
    for report in reports {
        let counts = report.counts.unwrap_or_default();
        table.add_row([
            comfy_table::Cell::new(period(report)),
            comfy_table::Cell::new(&report.marketplace),
            comfy_table::Cell::new(word(report.state().as_str_name(), "REPORT_STATE_")),
            number(counts.accepted + counts.accepted_with_warning),
            comfy_table::Cell::new(&report.name),
        ]);
    }
    format!("{table}\n")
}

fn period(report: &SalesReport) -> String {
    let Period { first, last } = report.period.unwrap_or_default();
    format!("{}..{}", date(first.as_ref()), date(last.as_ref()))
}
