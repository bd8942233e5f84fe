//! `puente verify`: may this seller sell?

use super::output::{date, facts, moment, show, word};
use super::{Connect, Outcome, parse};
use crate::proto::puente::sellers::v1::seller_service_client::SellerServiceClient;
use crate::proto::puente::sellers::v1::{SellerAnswer, VerifySellerRequest, VerifySellerResponse};

/// Ask whether a seller is eligible to export
///
/// A CUIT that is unknown or not eligible is an answer too (exit code 0); a malformed one is not.
///
/// Examples:
///   puente verify 30-50001091-2 --profile profiles/marketplace.toml
///   puente verify 30500010912 --at 2026-06-30 --chapter 22 --profile profiles/marketplace.toml
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Verify {
    /// The seller's tax id, with or without hyphens
    cuit: String,
    /// Eligible on this day or at this moment (RFC 3339) instead of now
    #[arg(long, value_name = "WHEN", value_parser = parse::moment)]
    at: Option<prost_types::Timestamp>,
    /// As the registry knew it at this moment instead of now
    #[arg(long, value_name = "WHEN", value_parser = parse::moment)]
    as_known_at: Option<prost_types::Timestamp>,
    /// Eligible for goods of this NCM chapter or code, such as 22 or 2204.21.00
    #[arg(long, visible_alias = "ncm", value_name = "NCM")]
    chapter: Option<String>,
    #[command(flatten)]
    connect: Connect,
}

impl Verify {
    pub(super) async fn run(self) -> Outcome {
        let client = self.connect.client()?;
        let request = VerifySellerRequest {
            cuit: self.cuit,
            at: self.at,
            as_known_at: self.as_known_at,
            ncm: self.chapter.unwrap_or_default(),
        };
        let answer = client
            .call(request, |channel, request| async move {
                SellerServiceClient::new(channel).verify_seller(request).await
            })
            .await?;
        show(self.connect.output(), "puente.sellers.v1.VerifySellerResponse", &answer, table)
    }
}

fn table(response: &VerifySellerResponse) -> String {
    let SellerAnswer { cuit, reason, eligible_since, checked_at, .. } =
        response.answer.clone().unwrap_or_default();
    let verdict = response.answer.as_ref().map(SellerAnswer::verdict).unwrap_or_default();
    facts([
        ("CUIT", cuit),
        ("Verdict", word(verdict.as_str_name(), "VERDICT_")),
        ("Reason", reason),
        ("Eligible since", date(eligible_since.as_ref())),
        ("Checked at", moment(checked_at.as_ref())),
    ])
}
