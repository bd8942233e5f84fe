//! `puente report lines`: the stored lines of one report.

use crate::cli::output::{show, table, word};
use crate::cli::{Connect, Outcome, parse};
use crate::proto::puente::sales::v1::sales_report_service_client::SalesReportServiceClient;
use crate::proto::puente::sales::v1::{
    ListSaleLinesRequest, ListSaleLinesResponse, StoredSaleLine, Verdict,
};

/// List stored lines of a report, all or those that carry a warning
///
/// For the marketplace itself, customs and auditors.
///
/// Example:
///   puente report lines salesReports/0198c7a2-... --reason exceeds-original \
///     --profile profiles/customs.toml
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Lines {
    /// The report's name, as push sales and report list print it
    name: String,
    /// Only lines that carry a warning
    #[arg(long)]
    warned: bool,
    /// Only lines with this warning, such as unknown-original or exceeds-original
    #[arg(long, value_name = "REASON", default_value = "")]
    reason: String,
    /// How many lines to list at most
    #[arg(long, value_name = "N", default_value_t = 1000,
          value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    limit: u32,
    #[command(flatten)]
    connect: Connect,
}

impl Lines {
    pub(super) async fn run(self) -> Outcome {
        let client = self.connect.client()?;
        let verdict = if self.warned { Verdict::AcceptedWithWarning } else { Verdict::Unspecified };
        let mut request = ListSaleLinesRequest {
            page_size: 1000,
            report: parse::name("salesReports", &self.name),
            verdict: verdict.into(),
            reason: parse::typed(&self.reason),
            ..Default::default()
        };
        let mut answer = ListSaleLinesResponse::default();
        let most = self.limit as usize;
        loop {
            let page = client
                .call(request.clone(), |channel, request| async move {
                    SalesReportServiceClient::new(channel).list_sale_lines(request).await
                })
                .await?;
            answer.lines.extend(page.lines);
            answer.lines.truncate(most);
            request.page_token = page.next_page_token;
            if request.page_token.is_empty() || answer.lines.len() == most {
                break;
            }
        }
        show(self.connect.output(), "puente.sales.v1.ListSaleLinesResponse", &answer, |answer| {
            rows(&answer.lines)
        })
    }
}

fn rows(lines: &[StoredSaleLine]) -> String {
    let mut table = table(["Line", "Kind", "About", "Sku", "Quantity", "Price", "Day", "Warnings"]);
    for stored in lines {
        let line = stored.line.clone().unwrap_or_default();
        let kind = word(line.kind().as_str_name(), "LINE_KIND_");
        let price = format!("{} {}", line.unit_price, line.currency);
        let day = line.sold_at.get(..10).unwrap_or_default().to_owned();
        table.add_row([
            line.line_id,
            kind,
            line.original_line_id,
            line.sku,
            line.quantity,
            price,
            day,
            remarks(stored),
        ]);
    }
    format!("{table}\n")
}

/// The warnings of a line, and why it counts although it exceeds its sale.
pub(super) fn remarks(stored: &StoredSaleLine) -> String {
    let warnings = stored.reasons.join(", ");
    match &stored.explanation {
        Some(why) => {
            let cause = word(why.cause().as_str_name(), "EXPLANATION_CAUSE_");
            format!("{warnings} (explained: {cause})")
        }
        None => warnings,
    }
}
