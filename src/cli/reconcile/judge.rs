//! `puente reconcile explain` and `escalate`: what customs found about a difference.

use super::{findings, rows};
use crate::cli::output::show;
use crate::cli::{Connect, Outcome, parse};
use crate::proto::google::r#type::Decimal;
use crate::proto::puente::customs::v1::reconciliation_service_client::ReconciliationServiceClient;
use crate::proto::puente::customs::v1::{
    DiscrepancyCause, EscalateDiscrepancyRequest, ExplainDiscrepancyRequest, ItemReconciliation,
};

/// Explain part of where an item stands
///
/// For customs. Loss, sample, damage and reimport take away from stock; a unit-error corrects what
/// was shipped, below zero downward. No explanation is of more than the difference.
///
/// Example:
///   puente reconcile explain 18817EC08028500L 1 --cause damage --quantity 36 \
///     --evidence "survey report 7" --profile profiles/customs.toml
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Explain {
    /// The declaration: all 16 characters of its number
    #[arg(value_name = "NUMBER")]
    declaration: String,
    /// The item of it
    #[arg(value_name = "ITEM", value_parser = clap::value_parser!(i32).range(1..=9999))]
    item: i32,
    /// loss, sample, damage, reimport or unit-error
    #[arg(long, value_parser = |text: &str| parse::discrepancy_cause(&parse::typed(text)))]
    cause: DiscrepancyCause,
    /// How much, in the item's statistical unit
    #[arg(long, value_name = "QUANTITY", allow_hyphen_values = true,
          value_parser = parse::decimal)]
    quantity: Decimal,
    /// What that rests on, such as the number of a survey report; no personal data
    #[arg(long, value_name = "TEXT")]
    evidence: String,
    /// Only if nothing was found since: the etag that was read
    #[arg(long, value_name = "ETAG", default_value = "")]
    etag: String,
    /// Only check, change nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    connect: Connect,
}

/// Hand a difference on to be looked into
///
/// For customs: an item that is oversold or overdue, or what was sold of a listing under no
/// declaration.
///
/// Examples:
///   puente reconcile escalate 18817EC08028500L 1 --reason "nobody answers" \
///     --profile profiles/customs.toml
///   puente reconcile escalate --listing 0b1c5d3e-8f00-8a4b-9c1d-2e3f4a5b6c7d \
///     --reason "sold, never declared" --profile profiles/customs.toml
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Escalate {
    /// The declaration: all 16 characters of its number
    #[arg(value_name = "NUMBER", requires = "item", required_unless_present = "listing")]
    declaration: Option<String>,
    /// The item of it
    #[arg(value_name = "ITEM", value_parser = clap::value_parser!(i32).range(1..=9999))]
    item: Option<i32>,
    /// A listing, for what was sold of it under no declaration: its name or the last part of it
    #[arg(long, value_name = "LISTING", conflicts_with = "declaration")]
    listing: Option<String>,
    /// Why; no personal data
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Only if nothing was found since: the etag that was read
    #[arg(long, value_name = "ETAG", default_value = "")]
    etag: String,
    /// Only check, change nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    connect: Connect,
}

impl Explain {
    pub(super) async fn run(self) -> Outcome {
        let client = self.connect.client()?;
        let request = ExplainDiscrepancyRequest {
            request_id: client.request_id(),
            declaration: parse::name("declarations", &self.declaration),
            item: self.item,
            cause: self.cause.into(),
            quantity: Some(self.quantity),
            evidence: self.evidence,
            etag: self.etag,
            validate_only: self.dry_run,
        };
        let answer = client
            .call(request, |channel, request| async move {
                ReconciliationServiceClient::new(channel).explain_discrepancy(request).await
            })
            .await?;
        let name = "puente.customs.v1.ExplainDiscrepancyResponse";
        show(self.connect.output(), name, &answer, |answer| told(answer.reconciliation.as_ref()))
    }
}

impl Escalate {
    pub(super) async fn run(self) -> Outcome {
        let client = self.connect.client()?;
        let named = |collection: &str, text: Option<String>| {
            text.map(|text| parse::name(collection, &text)).unwrap_or_default()
        };
        let request = EscalateDiscrepancyRequest {
            request_id: client.request_id(),
            declaration: named("declarations", self.declaration),
            item: self.item.unwrap_or_default(),
            listing: named("listings", self.listing),
            reason: self.reason,
            etag: self.etag,
            validate_only: self.dry_run,
        };
        let answer = client
            .call(request, |channel, request| async move {
                ReconciliationServiceClient::new(channel).escalate_discrepancy(request).await
            })
            .await?;
        let name = "puente.customs.v1.EscalateDiscrepancyResponse";
        show(self.connect.output(), name, &answer, |answer| told(answer.reconciliation.as_ref()))
    }
}

fn told(account: Option<&ItemReconciliation>) -> String {
    let accounts = account.map(std::slice::from_ref).unwrap_or_default();
    format!("{}{}", rows(accounts), findings(accounts))
}
