//! `puente verification`: a seller before the registry.

use super::output::{moment, show, table, word};
use super::{Connect, Outcome, parse};
use crate::proto::puente::registry::v1::registry_service_client::RegistryServiceClient;
use crate::proto::puente::registry::v1::{
    DecideVerificationRequest, ListVerificationsRequest, ListVerificationsResponse,
    VerificationDecision,
};
use crate::proto::puente::sellers::v1::seller_service_client::SellerServiceClient;
use crate::proto::puente::sellers::v1::{
    RequestVerificationRequest, Verification as SellerVerification, VerificationState,
};

/// Ask the registry to look at a seller, or answer as the registry
#[derive(clap::Subcommand)]
pub enum Verification {
    Request(Request),
    List(List),
    Decide(Decide),
}

/// Put a seller into the registry's queue
///
/// Example:
///   puente verification request 30-50001091-2 --profile profiles/marketplace.toml
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Request {
    /// The seller's tax id
    cuit: String,
    /// What the registry should know
    #[arg(long, default_value = "")]
    message: String,
    #[command(flatten)]
    connect: Connect,
}

/// List the registry's queue
#[derive(clap::Args)]
pub struct List {
    /// Only those in this state, such as requested or checking
    #[arg(long, value_parser = |text: &str| parse::verification_state(&parse::typed(text)))]
    state: Option<VerificationState>,
    #[command(flatten)]
    connect: Connect,
}

/// Answer about a seller, as the registry
///
/// Example:
///   puente verification decide verifications/0198c7a2-... verify --profile profiles/registry.toml
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Decide {
    /// The verification's name
    name: String,
    /// start-checking, verify, reject or needs-info
    #[arg(value_parser = |text: &str| parse::verification_decision(&parse::typed(text)))]
    decision: VerificationDecision,
    /// Why; needed to reject or to ask for more
    #[arg(long, default_value = "")]
    note: String,
    #[command(flatten)]
    connect: Connect,
}

impl Verification {
    pub(super) async fn run(self) -> Outcome {
        match self {
            Self::Request(request) => request.run().await,
            Self::List(list) => list.run().await,
            Self::Decide(decide) => decide.run().await,
        }
    }
}

impl Request {
    async fn run(self) -> Outcome {
        let client = self.connect.client()?;
        let request = RequestVerificationRequest {
            request_id: client.request_id(),
            cuit: self.cuit,
            message: self.message,
            validate_only: false,
        };
        let answer = client
            .call(request, |channel, request| async move {
                SellerServiceClient::new(channel).request_verification(request).await
            })
            .await?;
        show(
            self.connect.output(),
            "puente.sellers.v1.RequestVerificationResponse",
            &answer,
            |answer| rows(answer.verification.as_slice()),
        )
    }
}

impl List {
    async fn run(self) -> Outcome {
        let client = self.connect.client()?;
        let mut request = ListVerificationsRequest {
            page_size: 1000,
            state: self.state.unwrap_or_default().into(),
            ..Default::default()
        };
        let mut answer = ListVerificationsResponse::default();
        loop {
            let page = client
                .call(request.clone(), |channel, request| async move {
                    RegistryServiceClient::new(channel).list_verifications(request).await
                })
                .await?;
            answer.verifications.extend(page.verifications);
            request.page_token = page.next_page_token;
            if request.page_token.is_empty() {
                break;
            }
        }
        show(
            self.connect.output(),
            "puente.registry.v1.ListVerificationsResponse",
            &answer,
            |answer| rows(&answer.verifications),
        )
    }
}

impl Decide {
    async fn run(self) -> Outcome {
        let client = self.connect.client()?;
        let request = DecideVerificationRequest {
            request_id: client.request_id(),
            name: parse::name("verifications", &self.name),
            decision: self.decision.into(),
            note: self.note,
            ..Default::default()
        };
        let answer = client
            .call(request, |channel, request| async move {
                RegistryServiceClient::new(channel).decide_verification(request).await
            })
            .await?;
        show(
            self.connect.output(),
            "puente.registry.v1.DecideVerificationResponse",
            &answer,
            |answer| rows(answer.verification.as_slice()),
        )
    }
}

fn rows(verifications: &[SellerVerification]) -> String {
    let mut table = table(["CUIT", "State", "Asked by", "Changed", "Note", "Verification"]);
    for one in verifications {
        table.add_row([
            one.cuit.clone(),
            word(one.state().as_str_name(), "VERIFICATION_STATE_"),
            one.requester.clone(),
            moment(one.update_time.as_ref()),
            one.note.clone(),
            one.name.clone(),
        ]);
    }
    format!("{table}\n")
}
