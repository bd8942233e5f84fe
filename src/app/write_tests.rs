//! The common course of writes: what a retry meets.

use super::*;
use crate::app::Versioned;
use crate::app::test_stage::Stage;
use crate::domain::report::Report;

#[tokio::test]
async fn a_request_refused_because_its_twin_was_faster_gets_the_twin_s_answer() {
    let stage = Stage::set().await;
    let (intent, other) = (stage.intent("marketplace"), stage.intent("marketplace"));
    let marketplace = "marketplace".parse().unwrap();
    let period = "2026-05-01..2026-05-31".parse().unwrap();
    let refuse = |intent: Intent| {
        let app = stage.app.clone();
        async move {
            let plan = || async { Err(Error::already_exists("REPORT_EXISTS", "there is one")) };
            app.write::<Versioned<Report>, _, _>(&intent, plan).await
        }
    };
    let late = stage
        .app
        .write::<Versioned<Report>, _, _>(&intent, || async {
            stage.app.open_report(&intent, &marketplace, period).await.unwrap();
            Err(Error::already_exists("REPORT_EXISTS", "there is one"))
        })
        .await
        .unwrap();
    assert!(late.replayed && late.receipt.is_some());
    assert_eq!(refuse(other).await.unwrap_err().reason, "REPORT_EXISTS");
}
