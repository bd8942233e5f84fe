//! The marketplace asks whether companies may sell abroad.

use super::super::Run;
use super::super::screen::Table;
use crate::cli::output::{date, word};
use crate::cli::{Client, Outcome};
use crate::proto::puente::registry::v1::registry_service_client::RegistryServiceClient;
use crate::proto::puente::registry::v1::{
    DecideVerificationRequest, ListVerificationsRequest, VerificationDecision,
};
use crate::proto::puente::sellers::v1::seller_result::Outcome as Told;
use crate::proto::puente::sellers::v1::seller_service_client::SellerServiceClient;
use crate::proto::puente::sellers::v1::{
    BatchVerifySellersRequest, GetVerificationRequest, RequestVerificationRequest, SellerAnswer,
    Verification, VerifySellerRequest,
};

/// One by one and all at once: three answers and a refusal, kept apart.
pub(in super::super) async fn verify(run: &mut Run) -> Outcome {
    run.screen.title("The marketplace verifies sellers")?;
    run.screen.say(
        "A number that is malformed, one that nobody registered, and a company that may not sell \
         are different answers. The answer is yes or no and since when, never the dossier.",
    )?;
    let marketplace = run.client("marketplace")?;
    let companies = &run.input.companies;
    let mut asked = vec![("eligible", companies.eligible.clone(), "ELIGIBLE")];
    if let Some(suspended) = &companies.suspended {
        asked.push(("suspended", suspended.clone(), "NOT_ELIGIBLE"));
    }
    asked.push(("not registered", companies.unknown.clone(), "UNKNOWN"));
    asked.push(("wrong check digit", companies.malformed.clone(), "INVALID_CUIT"));

    let cuits = asked.iter().map(|(_, cuit, _)| cuit.clone()).collect();
    let request = BatchVerifySellersRequest { cuits, ..Default::default() };
    let batch = call!(marketplace, SellerServiceClient.batch_verify_sellers, request)?;
    run.check("answers of the batch", asked.len(), batch.results.len());

    let mut table =
        Table::new("Answers", ["Company", "CUIT", "Answer", "Reason", "Since", "In the batch"]);
    for ((what, cuit, expected), result) in asked.into_iter().zip(batch.results) {
        let (answer, reason, since) = match ask(&marketplace, &cuit).await {
            Ok(answer) => (
                word(answer.verdict().as_str_name(), "VERDICT_"),
                answer.reason.clone(),
                date(answer.eligible_since.as_ref()),
            ),
            Err(failure) => (failure.reason, failure.message, String::new()),
        };
        let together = match result.outcome {
            Some(Told::Answer(answer)) => word(answer.verdict().as_str_name(), "VERDICT_"),
            Some(Told::Fault(fault)) => fault.reason,
            None => String::new(),
        };
        run.check(format!("{what}, asked alone"), expected, &answer);
        run.check(format!("{what}, asked in a batch"), expected, &together);
        table.row([what.to_owned(), cuit, answer, reason, since, together]);
    }
    run.screen.table(table)
}

/// The answer about one company.
pub(super) async fn ask(client: &Client, cuit: &str) -> Outcome<SellerAnswer> {
    let request = VerifySellerRequest { cuit: cuit.to_owned(), ..Default::default() };
    let answer = call!(client, SellerServiceClient.verify_seller, request)?;
    Ok(answer.answer.unwrap_or_default())
}

/// The registry's queue: a company that it verifies, and one that it does not know.
pub(in super::super) async fn ask_the_registry(run: &mut Run) -> Outcome {
    run.screen.title("The marketplace asks the registry to look into two companies")?;
    let (marketplace, registry) = (run.client("marketplace")?, run.client("registry")?);
    let (eligible, unknown) =
        (run.input.companies.eligible.clone(), run.input.companies.unknown.clone());

    let known = request(&marketplace, &eligible).await?;
    let stranger = request(&marketplace, &unknown).await?;
    let answer = ask(&marketplace, &unknown).await?;
    run.check(
        "while the registry looks into it",
        "CHECKING",
        word(answer.verdict().as_str_name(), "VERDICT_"),
    );
    let queue = ListVerificationsRequest { page_size: 1000, ..Default::default() };
    let queue = call!(registry, RegistryServiceClient.list_verifications, queue)?.verifications;
    let queued = |name: &str| queue.iter().any(|one| one.name == name);
    run.check("both wait in the registry's queue", true, queued(&known) && queued(&stranger));

    decide(&registry, &known, VerificationDecision::StartChecking, "").await?;
    decide(&registry, &known, VerificationDecision::Verify, "").await?;
    let not_held = decide(&registry, &stranger, VerificationDecision::Verify, "").await;
    run.check_refused("verifying whom nobody registered", "EXPORTER_NOT_ELIGIBLE", &not_held);
    let note = "No exporter is registered under this number";
    decide(&registry, &stranger, VerificationDecision::Reject, note).await?;

    let mut table = Table::new("What the marketplace sees", ["CUIT", "State", "Note"]);
    for (name, expected) in [(known, "VERIFIED"), (stranger, "REJECTED")] {
        let read = GetVerificationRequest { name };
        let answer = call!(marketplace, SellerServiceClient.get_verification, read)?;
        let verification = answer.verification.unwrap_or_default();
        let state = word(verification.state().as_str_name(), "VERIFICATION_STATE_");
        run.check(format!("state of {expected}"), expected, &state);
        table.row([verification.cuit, state, verification.note]);
    }
    run.screen.table(table)
}

/// The name of a new verification.
async fn request(client: &Client, cuit: &str) -> Outcome<String> {
    let request = RequestVerificationRequest {
        request_id: client.request_id(),
        cuit: cuit.to_owned(),
        message: "Wants to open a store".into(),
        validate_only: false,
    };
    let answer = call!(client, SellerServiceClient.request_verification, request)?;
    Ok(answer.verification.unwrap_or_default().name)
}

async fn decide(
    client: &Client,
    name: &str,
    decision: VerificationDecision,
    note: &str,
) -> Outcome<Verification> {
    let request = DecideVerificationRequest {
        request_id: client.request_id(),
        name: name.to_owned(),
        decision: decision.into(),
        note: note.to_owned(),
        ..Default::default()
    };
    let answer = call!(client, RegistryServiceClient.decide_verification, request)?;
    Ok(answer.verification.unwrap_or_default())
}
