//! Who is shut out is out within the second, on open connections and streams too.

use std::time::{Duration, Instant};

use puente::proto::puente::access::v1::partner_service_client::PartnerServiceClient;
use puente::proto::puente::access::v1::{
    ReinstatePartnerRequest, SetGrantRequest, SuspendPartnerRequest,
};
use puente::proto::puente::sales::v1::ListSalesReportsRequest;
use puente::proto::puente::sales::v1::sales_report_service_client::SalesReportServiceClient;
use tokio::io::AsyncReadExt as _;

use crate::common::process::run_beside;
use crate::common::push::{Push, open_report};
use crate::common::stage::Stage;
use crate::common::wire::{self, tls_config};
use crate::common::{ask, goods, verdict};

/// V7 of the promises: suspension and revocation of a token.
const SECOND: Duration = Duration::from_secs(1);

async fn open_push(stage: &Stage) -> (puente::cli::Client, String, Push) {
    let client = stage.client("marketplace");
    let name = open_report(&client, goods::period()).await.name;
    let mut push = Push::open(&client, &name).await.unwrap();
    push.exchange(goods::batch(0, 10)).await.unwrap();
    (client, name, push)
}

/// The stream's end, which must come by itself within `patience`.
async fn end_of(push: &mut Push, patience: Duration) -> tonic::Status {
    let ended = tokio::time::timeout(patience, push.result()).await;
    ended.expect("the stream is still open").unwrap_err()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revoked_certificate_is_cut_off_within_two_seconds() {
    let stage = Stage::start().await;
    let (_client, _, mut push) = open_push(&stage).await;
    let ca = stage.path().join("pki/ca.pem");
    let identity = stage.folder.identity("marketplace");
    let idle = tls_config(&ca, Some(&identity), "http/1.1");
    let mut idle = wire::connect(stage.address(), idle).await.unwrap();

    let dir = stage.path();
    let ran = run_beside(&["pki", "revoke", "marketplace", "--dir", dir.to_str().unwrap()]).await;
    assert_eq!(ran.code, 0, "{ran:?}");
    let revoked = Instant::now();
    end_of(&mut push, Duration::from_secs(2)).await;
    // The idle connection is cut, too: it ends, or breaks.
    let mut byte = [0];
    let left = Duration::from_secs(2).saturating_sub(revoked.elapsed());
    let read = tokio::time::timeout(left, idle.read(&mut byte)).await;
    assert!(!matches!(read.expect("the idle connection is still open"), Ok(1..)));

    // And it does not get in again, while others do.
    let again = tls_config(&ca, Some(&identity), "http/1.1");
    let error = wire::post_form(stage.address(), again, "/oauth2/token", "").await.unwrap_err();
    assert!(error.to_string().contains("CertificateRevoked"), "{error}");
    let told = stage.client("marketplace").tokens.token().await.err().unwrap();
    assert_eq!(told.reason, "TLS_REFUSED", "{told}");
    assert!(stage.client("customs").tokens.token().await.is_ok());
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_suspended_partner_is_out_within_a_second_and_back_when_reinstated() {
    let stage = Stage::start().await;
    let operator = stage.client("operator");
    let (client, _, mut push) = open_push(&stage).await;
    let request = SuspendPartnerRequest {
        request_id: operator.request_id(),
        name: "partners/marketplace".into(),
        reason: "contract ended".into(),
        ..Default::default()
    };
    ask!(operator, PartnerServiceClient.suspend_partner(request)).unwrap();
    let status = end_of(&mut push, SECOND).await;
    assert_eq!(verdict(&status), "PERMISSION_DENIED:PARTNER_SUSPENDED");

    // By the token it has, and it gets no other.
    let list = ListSalesReportsRequest::default();
    let status = ask!(client, SalesReportServiceClient.list_sales_reports(list.clone()));
    assert_eq!(verdict(&status.unwrap_err()), "PERMISSION_DENIED:PARTNER_SUSPENDED");
    let told = stage.client("marketplace").tokens.token().await.err().unwrap();
    assert_eq!(told.reason, "INVALID_CLIENT", "{told}");

    let request = ReinstatePartnerRequest {
        request_id: operator.request_id(),
        name: "partners/marketplace".into(),
        reason: "contract renewed".into(),
        ..Default::default()
    };
    ask!(operator, PartnerServiceClient.reinstate_partner(request)).unwrap();
    assert!(ask!(client, SalesReportServiceClient.list_sales_reports(list)).is_ok());
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revoked_token_is_out_within_a_second() {
    let stage = Stage::start().await;
    let (client, _, mut push) = open_push(&stage).await;
    let ca = stage.path().join("pki/ca.pem");
    let token = client.tokens.token().await.unwrap().access_token;
    let form = format!("token={token}");
    let revoke = async |partner: &str| {
        let config = tls_config(&ca, Some(&stage.folder.identity(partner)), "http/1.1");
        let answer = wire::post_form(stage.address(), config, "/oauth2/revoke", &form).await;
        assert_eq!(answer.unwrap().0, 200);
    };
    let list = ListSalesReportsRequest::default();

    // Only its owner can.
    revoke("customs").await;
    assert!(ask!(client, SalesReportServiceClient.list_sales_reports(list.clone())).is_ok());
    revoke("marketplace").await;
    let status = end_of(&mut push, SECOND).await;
    assert_eq!(verdict(&status), "UNAUTHENTICATED:TOKEN_REVOKED");
    let status = ask!(client, SalesReportServiceClient.list_sales_reports(list.clone()));
    assert_eq!(verdict(&status.unwrap_err()), "UNAUTHENTICATED:TOKEN_REVOKED");

    // A new one is good.
    client.tokens.forget().await;
    assert!(ask!(client, SalesReportServiceClient.list_sales_reports(list)).is_ok());
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_grant_taken_away_is_gone_from_tokens_given_before() {
    let stage = Stage::start().await;
    let operator = stage.client("operator");
    let (client, _, mut push) = open_push(&stage).await;
    let request = SetGrantRequest {
        request_id: operator.request_id(),
        name: "partners/marketplace".into(),
        scopes: vec!["sales.read".into(), "sellers.verify".into()],
        ..Default::default()
    };
    ask!(operator, PartnerServiceClient.set_grant(request)).unwrap();
    let status = end_of(&mut push, SECOND).await;
    assert_eq!(verdict(&status), "PERMISSION_DENIED:SCOPE_MISSING");
    let list = ListSalesReportsRequest::default();
    assert!(ask!(client, SalesReportServiceClient.list_sales_reports(list)).is_ok());
    let told = client.tokens.ask(Some("sales.write")).await.err().unwrap();
    assert_eq!(told.reason, "INVALID_SCOPE", "{told}");
    stage.stop().await;
}
