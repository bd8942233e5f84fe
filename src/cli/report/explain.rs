//! `puente report explain`: why a line that exceeds its sale counts all the same.

use super::lines::remarks;
use crate::cli::output::{facts, show};
use crate::cli::{Connect, Outcome, parse};
use crate::proto::puente::sales::v1::sales_report_service_client::SalesReportServiceClient;
use crate::proto::puente::sales::v1::{
    ExplainSaleLineRequest, ExplainSaleLineResponse, ExplanationCause,
};

/// Explain a line that exceeds the sale it is about, so that it counts
///
/// For customs. Such lines are left out of net sums until then; report lines with --reason
/// exceeds-original lists them.
///
/// Example:
///   puente report explain 2026-11-000123/2 --marketplace marketplace --cause goodwill-refund \
///     --evidence "credit note 0001-00004412" --profile profiles/customs.toml
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Explain {
    /// The marketplace's number of the line
    #[arg(value_name = "LINE_ID")]
    line_id: String,
    /// Whose line it is
    #[arg(long, value_name = "PARTNER")]
    marketplace: String,
    /// goodwill-refund, partial-shipment-credit, unit-error, currency-difference or other
    #[arg(long, value_parser = |text: &str| parse::explanation_cause(&parse::typed(text)))]
    cause: ExplanationCause,
    /// What that rests on, such as the number of a credit note; no personal data
    #[arg(long, value_name = "TEXT")]
    evidence: String,
    /// Only check, change nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    connect: Connect,
}

impl Explain {
    pub(super) async fn run(self) -> Outcome {
        let client = self.connect.client()?;
        let request = ExplainSaleLineRequest {
            request_id: client.request_id(),
            marketplace: parse::name("partners", &self.marketplace),
            line_id: self.line_id,
            cause: self.cause.into(),
            evidence: self.evidence,
            validate_only: self.dry_run,
        };
        let answer = client
            .call(request, |channel, request| async move {
                SalesReportServiceClient::new(channel).explain_sale_line(request).await
            })
            .await?;
        let name = "puente.sales.v1.ExplainSaleLineResponse";
        show(self.connect.output(), name, &answer, explained)
    }
}

fn explained(answer: &ExplainSaleLineResponse) -> String {
    let stored = answer.line.clone().unwrap_or_default();
    let line = stored.line.clone().unwrap_or_default();
    let entry = stored.explanation.as_ref().and_then(|why| why.entry_index);
    facts([
        ("Line", line.line_id),
        ("About", line.original_line_id),
        ("Warnings", remarks(&stored)),
        ("Evidence", stored.explanation.map(|why| why.evidence).unwrap_or_default()),
        ("Ledger entry", entry.map_or_else(|| "-".to_owned(), |index| index.to_string())),
    ])
}
