//! `puente certificate`: certificates of goods, as their issuers have them.

use super::output::{date, facts, show, table, word};
use super::{Connect, Outcome, parse};
use crate::proto::google::r#type::Date;
use crate::proto::puente::clearance::v1::clearance_service_client::ClearanceServiceClient;
use crate::proto::puente::clearance::v1::{ExtendCertificateRequest, ExtendCertificateResponse};
use crate::proto::puente::listings::v1::{Certificate as Certified, CertificateIssuer};

/// Let certificates of goods hold for longer
#[derive(clap::Subcommand)]
pub enum Certificate {
    Extend(Extend),
}

/// Let a certificate hold until a later day, on every listing that carries it
///
/// For the agency that issued it, and for customs where the issuer clears nothing here (GACC).
/// Listings that were suspended for the certificate alone come back.
///
/// Example:
///   puente certificate extend INV INV-2026-004512 --until 2027-12-31 --profile profiles/inv.toml
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Extend {
    /// Who issued it: INV, SENASA, INAL or GACC
    #[arg(value_parser = |text: &str| parse::issuer(&parse::typed(text)))]
    issuer: CertificateIssuer,
    /// Its number as printed
    #[arg(value_name = "NUMBER")]
    number: String,
    /// The last day on which it is good from now on
    #[arg(long, value_name = "DATE", value_parser = parse::date)]
    until: Date,
    /// Check and answer as for real, but store nothing
    #[arg(long)]
    validate_only: bool,
    #[command(flatten)]
    connect: Connect,
}

impl Certificate {
    pub(super) async fn run(self) -> Outcome {
        match self {
            Self::Extend(extend) => extend.run().await,
        }
    }
}

impl Extend {
    async fn run(self) -> Outcome {
        let client = self.connect.client()?;
        let certificate = Certified {
            issuer: self.issuer.into(),
            number: self.number.clone(),
            valid_to: Some(self.until),
        };
        let request = ExtendCertificateRequest {
            request_id: client.request_id(),
            certificate: Some(certificate),
            validate_only: self.validate_only,
        };
        let answer = client
            .call(request, |channel, request| async move {
                ClearanceServiceClient::new(channel).extend_certificate(request).await
            })
            .await?;
        let name = "puente.clearance.v1.ExtendCertificateResponse";
        show(self.connect.output(), name, &answer, |answer| self.told(answer))
    }

    fn told(&self, answer: &ExtendCertificateResponse) -> String {
        let issuer = word(self.issuer.as_str_name(), "CERTIFICATE_ISSUER_");
        let head = facts([
            ("Certificate", format!("{issuer} {}", self.number)),
            ("Until", date(Some(&self.until))),
            ("Listings", answer.listings.len().to_string()),
            ("Reinstated", answer.reinstated.to_string()),
            (
                "Ledger entry",
                answer.receipt.as_ref().map(|r| r.index.to_string()).unwrap_or_default(),
            ),
        ]);
        let mut listings = table(["Listing"]);
        for listing in &answer.listings {
            listings.add_row([listing]);
        }
        format!("{head}{listings}\n")
    }
}
