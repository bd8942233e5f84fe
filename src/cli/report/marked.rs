//! `puente report marked`: lines whose seller was not eligible, as is known since.

use crate::cli::output::{date, moment, show, table, word};
use crate::cli::{Connect, Outcome, parse};
use crate::proto::puente::sales::v1::late_fact_service_client::LateFactServiceClient;
use crate::proto::puente::sales::v1::{
    ListMarkedLinesRequest, ListMarkedLinesResponse, MarkedLine,
};

/// List lines sold while their seller was not eligible, as became known after they were stored
///
/// For the marketplace itself, customs and auditors.
///
/// Example:
///   puente report marked --report salesReports/0198c7a2-... --profile profiles/customs.toml
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Marked {
    /// Only lines of this report, as push sales and report list print its name
    #[arg(long, value_name = "NAME")]
    report: Option<String>,
    /// Only lines marked by this fact, as the ledger's entry names it
    #[arg(long, value_name = "NAME")]
    late_fact: Option<String>,
    /// How many lines to list at most
    #[arg(long, value_name = "N", default_value_t = 1000,
          value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    limit: u32,
    #[command(flatten)]
    connect: Connect,
}

impl Marked {
    pub(super) async fn run(self) -> Outcome {
        let client = self.connect.client()?;
        let named = |collection: &str, text: &Option<String>| {
            text.as_ref().map(|text| parse::name(collection, text)).unwrap_or_default()
        };
        let mut request = ListMarkedLinesRequest {
            page_size: 1000,
            report: named("salesReports", &self.report),
            late_fact: named("lateFacts", &self.late_fact),
            ..Default::default()
        };
        let mut answer = ListMarkedLinesResponse::default();
        let most = self.limit as usize;
        loop {
            let page = client
                .call(request.clone(), |channel, request| async move {
                    LateFactServiceClient::new(channel).list_marked_lines(request).await
                })
                .await?;
            answer.lines.extend(page.lines);
            answer.lines.truncate(most);
            request.page_token = page.next_page_token;
            if request.page_token.is_empty() || answer.lines.len() == most {
                break;
            }
        }
        show(self.connect.output(), "puente.sales.v1.ListMarkedLinesResponse", &answer, |answer| {
            rows(&answer.lines)
        })
    }
}

fn rows(lines: &[MarkedLine]) -> String {
    let mut table =
        table(["Line", "Report", "Sold on", "Seller since then", "From", "Known since"]);
    for line in lines {
        let fact = line.late_fact.clone().unwrap_or_default();
        table.add_row([
            line.line_id.clone(),
            line.report.trim_start_matches("salesReports/").to_owned(),
            date(line.sold_on.as_ref()),
            word(fact.status().as_str_name(), "ELIGIBILITY_STATUS_"),
            date(fact.valid_from.as_ref()),
            moment(fact.recorded_at.as_ref()),
        ]);
    }
    format!("{table}\n")
}
