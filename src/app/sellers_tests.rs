//! The answers kept apart, on two clocks, and the registry's queue.

use super::*;
use crate::app::exporters_tests::{fact, revoked, row, suspended, sync};
use crate::app::sync::SyncMode;
use crate::app::test_stage::Stage;
use crate::domain::partner::Role;
use crate::domain::verification::{Decision, VerificationState};

const WINERY: &str = "30500010912";
const COOP: &str = "33693450239";

async fn asked(stage: &Stage, cuit: &str, question: Question) -> Verdict {
    let caller = stage.caller("market", Role::Marketplace);
    stage.app.verify_seller(&caller, cuit.parse().unwrap(), &question).await.unwrap().verdict
}

fn moment(text: &str) -> Option<Timestamp> {
    Some(text.parse().unwrap())
}

#[tokio::test]
async fn unknown_eligible_and_not_eligible_are_three_answers() {
    let stage = Stage::set().await;
    assert_eq!(asked(&stage, WINERY, Question::default()).await, Verdict::Unknown);

    let rows = vec![row(2, WINERY, fact("2026-01-01", None))];
    sync(&stage, SyncMode::Delta, rows).await.unwrap();
    let since = "2026-01-01".parse().unwrap();
    assert_eq!(asked(&stage, WINERY, Question::default()).await, Verdict::Eligible { since });

    let intent = stage.intent("registry");
    stage.app.record_eligibility(&intent, WINERY, "", suspended("2026-06-01")).await.unwrap();
    let reason = IneligibleReason::Suspended;
    assert_eq!(asked(&stage, WINERY, Question::default()).await, Verdict::NotEligible { reason });
}

#[tokio::test]
async fn a_suspension_recorded_late_is_seen_as_known_then_and_now() {
    let stage = Stage::set().await;
    let rows = vec![row(2, WINERY, fact("2026-01-01", None))];
    sync(&stage, SyncMode::Delta, rows).await.unwrap();
    stage.clock.advance(30 * 86_400);
    let intent = stage.intent("registry");
    stage.app.record_eligibility(&intent, WINERY, "", suspended("2026-06-10")).await.unwrap();

    let at = moment("2026-06-15T12:00:00Z");
    let now = Question { at, ..Question::default() };
    assert!(matches!(asked(&stage, WINERY, now).await, Verdict::NotEligible { .. }));
    let then = Question { at, as_known_at: at, ..Question::default() };
    assert!(matches!(asked(&stage, WINERY, then).await, Verdict::Eligible { .. }));
    let before = moment("2026-05-01T00:00:00Z");
    let unheard = Question { at, as_known_at: before, ..Question::default() };
    assert_eq!(asked(&stage, WINERY, unheard).await, Verdict::Unknown);
}

#[tokio::test]
async fn chapters_limit_the_goods() {
    let stage = Stage::set().await;
    let mut wine_only = fact("2026-01-01", Some("2026-12-31"));
    wine_only.chapters = ["22".parse().unwrap()].into_iter().collect();
    sync(&stage, SyncMode::Delta, vec![row(2, WINERY, wine_only)]).await.unwrap();
    let of =
        |chapter: &str| Question { chapter: Some(chapter.parse().unwrap()), ..Question::default() };
    assert!(matches!(asked(&stage, WINERY, of("22")).await, Verdict::Eligible { .. }));
    let reason = IneligibleReason::ChapterNotAuthorised;
    assert_eq!(asked(&stage, WINERY, of("03")).await, Verdict::NotEligible { reason });
    let later = Question { at: moment("2027-02-01T00:00:00Z"), ..Question::default() };
    let reason = IneligibleReason::Expired;
    assert_eq!(asked(&stage, WINERY, later).await, Verdict::NotEligible { reason });
    let earlier = Question { at: moment("2025-02-01T00:00:00Z"), ..Question::default() };
    let reason = IneligibleReason::NotYetValid;
    assert_eq!(asked(&stage, WINERY, earlier).await, Verdict::NotEligible { reason });
}

#[tokio::test]
async fn a_verification_is_asked_for_decided_and_follows_the_exporter() {
    let stage = Stage::set().await;
    let (app, market) = (&stage.app, stage.caller("market", Role::Marketplace));
    let registry = stage.caller("registry", Role::ExportRegistry);
    let cuit: Cuit = COOP.parse().unwrap();
    let asked_for = app.request_verification(&stage.intent("market"), cuit, None).await.unwrap();
    let key = asked_for.value.value.id.to_string();
    assert_eq!(asked(&stage, COOP, Question::default()).await, Verdict::Checking);
    let again = app.request_verification(&stage.intent("market"), cuit, None).await.unwrap_err();
    assert_eq!(again.reason, "VERIFICATION_OPEN");
    assert!(again.metadata.iter().any(|(_, name)| name.ends_with(&key)));

    let other = stage.caller("other", Role::Marketplace);
    assert_eq!(app.verification(&other, &key).await.unwrap_err().reason, "NOT_FOUND");
    let queue = app.list_verifications(&registry, None, 10, String::new()).await.unwrap();
    assert_eq!(queue.items.len(), 1);

    let intent = stage.intent("registry");
    let early = app.decide_verification(&intent, &key, "", Decision::Verify, None).await;
    assert_eq!(early.unwrap_err().reason, "EXPORTER_NOT_ELIGIBLE");
    let rows = vec![row(2, COOP, fact("2026-01-01", None))];
    sync(&stage, SyncMode::Delta, rows).await.unwrap();
    app.decide_verification(&intent, &key, "", Decision::Verify, None).await.unwrap();
    let read = app.verification(&market, &key).await.unwrap();
    assert_eq!(read.value.state, VerificationState::Verified);

    let intent = stage.intent("registry");
    app.record_eligibility(&intent, COOP, "", revoked("2026-06-01")).await.unwrap();
    let read = app.verification(&market, &key).await.unwrap();
    assert_eq!(read.value.state, VerificationState::Revoked);
    let listed = |state| app.list_verifications(&registry, Some(state), 10, String::new());
    assert_eq!(listed(VerificationState::Revoked).await.unwrap().items.len(), 1);
    assert!(listed(VerificationState::Verified).await.unwrap().items.is_empty());
    let queue = app.list_verifications(&registry, None, 10, String::new()).await.unwrap();
    assert!(queue.items.is_empty());
}

#[tokio::test]
async fn of_requests_at_once_for_one_company_one_stands() {
    let stage = Stage::set().await;
    let cuit: Cuit = COOP.parse().unwrap();
    let intents: Vec<_> = (0..8).map(|_| stage.intent("market")).collect();
    let asking = intents.iter().map(|intent| stage.app.request_verification(intent, cuit, None));
    let (stands, refused): (Vec<_>, Vec<_>) =
        futures_util::future::join_all(asking).await.into_iter().partition(Result::is_ok);
    assert_eq!((stands.len(), refused.len()), (1, 7));
    let key = stands[0].as_ref().unwrap().value.value.id.to_string();
    for refusal in refused.into_iter().map(Result::unwrap_err) {
        assert_eq!(refusal.reason, "VERIFICATION_OPEN");
        assert!(refusal.metadata.iter().any(|(_, name)| name.ends_with(&key)));
    }
    let preview = crate::app::write::Intent { validate_only: true, ..stage.intent("market") };
    let previewed = stage.app.request_verification(&preview, cuit, None).await.unwrap_err();
    assert_eq!(previewed.reason, "VERIFICATION_OPEN");
    // Another marketplace has a queue of its own.
    stage.app.request_verification(&stage.intent("other"), cuit, None).await.unwrap();
}
