//! The gateway as its operator runs it: health and metrics, drain, renewal of certificates.

use std::time::Duration;

use jiff::SignedDuration;
use puente::clock::Env;
use puente::pki;
use puente::proto::puente::sellers::v1::VerifySellerRequest;
use puente::proto::puente::sellers::v1::seller_service_client::SellerServiceClient;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;

use crate::common::push::{Push, open_report, report, stored};
use crate::common::stage::{ProcessStage, Stage, read};
use crate::common::wire::{self, get, tls_config};
use crate::common::{ask, goods, within};

const SOON: Duration = Duration::from_secs(2);

fn verify() -> VerifySellerRequest {
    VerifySellerRequest { cuit: goods::CUIT.into(), ..Default::default() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn health_and_metrics_are_on_the_loopback_port_only() {
    let stage = ProcessStage::start();
    let admin = stage.served.admin_address;
    assert!(admin.ip().is_loopback());
    assert_eq!(get(admin, "/livez").await.unwrap(), (200, "alive\n".into()));
    assert_eq!(get(admin, "/readyz").await.unwrap(), (200, "ready\n".into()));
    assert_eq!(get(admin, "/other").await.unwrap().0, 404);

    let client = stage.client("marketplace");
    ask!(client, SellerServiceClient.verify_seller(verify())).unwrap();
    let counted = within(SOON, || async {
        let (status, text) = get(admin, "/metrics").await.unwrap();
        assert_eq!(status, 200);
        let call = text.lines().find(|line| {
            line.starts_with("puente_calls")
                && line.contains("/puente.sellers.v1.SellerService/VerifySeller")
                && line.contains("code=\"OK\"")
                && line.contains("partner=\"marketplace\"")
        });
        call.is_some_and(|line| line.ends_with(" 1")).then_some(text)
    });
    let text = counted.await.expect("the call is not counted");
    for name in ["puente_call_duration", "puente_handshakes", "puente_connections"] {
        assert!(text.contains(name), "{name} is missing");
    }

    // Nothing of it where partners come in, and nothing of theirs here.
    let identity = stage.folder.identity("operator");
    for path in ["/metrics", "/livez", "/readyz"] {
        let config = tls_config(&stage.path().join("pki/ca.pem"), Some(&identity), "http/1.1");
        let answer = wire::post_form(stage.served.address, config, path, "").await.unwrap();
        assert_eq!(answer.0, 404, "{path}");
    }
    assert_eq!(get(admin, "/oauth2/jwks").await.unwrap().0, 404);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_sigterm_calls_in_progress_end_and_the_exit_code_is_0() {
    let mut stage = ProcessStage::start();
    let admin = stage.served.admin_address;
    let client = stage.client("marketplace");
    let name = open_report(&client, goods::period()).await.name;
    let mut push = Push::open(&client, &name).await.unwrap();
    push.exchange(goods::batch(0, 10)).await.unwrap();

    stage.served.signal("TERM");
    let not_ready = within(SOON, || async {
        let (status, text) = get(admin, "/readyz").await.ok()?;
        (status == 503).then_some(text)
    });
    let told = not_ready.await.expect("still ready while it stops");
    assert!(told.contains("stopping"), "{told}");
    assert_eq!(get(admin, "/livez").await.unwrap().0, 200);

    // What is under way is answered; who is new is not let in.
    assert_eq!(push.exchange(goods::batch(10, 20)).await.unwrap().committed_lines, 20);
    let new = stage.client("marketplace");
    assert!(new.tokens.token().await.is_err(), "a new connection was taken");
    assert!(stage.served.ended(Duration::from_millis(50)).is_none(), "the push was cut");
    drop((push, client));
    let status = stage.served.ended(Duration::from_secs(10)).expect("it does not end");
    assert_eq!(status.code(), Some(0), "{}", stage.served.logged());

    stage.restart();
    let client = stage.client("marketplace");
    assert_eq!(stored(&report(&client, &name).await), (20, goods::amount(20)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_answered_before_sigterm_is_in_the_record_of_calls() {
    const CALLS: usize = 200;
    let mut stage = ProcessStage::start();
    let client = stage.client("marketplace");
    for _ in 0..CALLS {
        ask!(client, SellerServiceClient.verify_seller(verify())).unwrap();
    }
    // At once: the last of them are not written yet.
    stage.served.signal("TERM");
    drop(client);
    assert!(stage.served.ended(Duration::from_secs(10)).is_some());
    let record = read(&stage.path().join("data/audit/audit-00000000.jsonl"));
    let ended = record.lines().filter(|line| {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        line["code"] == "OK" && line["partner"] == "marketplace"
    });
    assert_eq!(ended.count(), CALLS, "{record}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_renewed_certificate_is_taken_up_and_a_bad_one_is_not() {
    let stage = Stage::start().await;
    let ca = stage.path().join("pki/ca.pem");
    let identity = stage.folder.identity("marketplace");
    let client = stage.client("marketplace");
    ask!(client, SellerServiceClient.verify_seller(verify())).unwrap();
    let shown = async || {
        let config = tls_config(&ca, Some(&identity), "http/1.1");
        let stream = wire::connect(stage.address(), config).await.unwrap();
        stream.get_ref().1.peer_certificates().unwrap()[0].clone().into_owned()
    };
    let before = shown().await;

    let server = pki::Profile::localhost(SignedDuration::from_hours(24));
    let issued = stage.folder.authority().issue(&Env::system(), &server).unwrap();
    let (certificate, key) =
        (stage.path().join("pki/server.pem"), stage.path().join("pki/server.key.pem"));
    pki::write_secret(&key, &issued.key_pem).unwrap();
    pki::write_public(&certificate, &issued.certificate_pem).unwrap();
    let renewed = CertificateDer::from_pem_slice(issued.certificate_pem.as_bytes()).unwrap();
    assert_ne!(before, renewed);
    let taken_up =
        within(Duration::from_secs(3), || async { (shown().await == renewed).then_some(()) });
    assert!(taken_up.await.is_some(), "the new certificate is not shown");

    pki::write_public(&certificate, "not a certificate\n").unwrap();
    let alarmed = within(Duration::from_secs(3), || async {
        let (status, text) = get(stage.admin_address(), "/readyz").await.unwrap();
        assert_eq!(status, 200, "{text}");
        text.contains("alarm: ").then_some(text)
    });
    let text = alarmed.await.expect("no alarm");
    assert!(text.contains("server.pem"), "{text}");
    assert_eq!(shown().await, renewed);
    // Connections and calls went on all the time.
    ask!(client, SellerServiceClient.verify_seller(verify())).unwrap();
    stage.stop().await;
}
