//! Who gets in, who is sent away, and that others do not notice.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::SignedDuration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tonic::Code;

use super::super::limits::Limits;
use super::super::verifier::Freshness;
use super::world::*;
use crate::clock::Env;
use crate::pki::{Authority, Issued, Profile, RevocationList, Usage, write_public};

/// The handshake of this identity is refused, for this reason.
async fn refused(world: &World, identity: Option<&Issued>, reason: &str) {
    let mut tls = world.tls(identity, "h2").await;
    let mut byte = [0];
    let read = within(Duration::from_secs(5), tls.read(&mut byte)).await;
    assert!(matches!(read, Err(_) | Ok(0)), "{reason}: {read:?}");
    let record = world.audited(|record| record["reason"] == reason).await;
    assert_eq!(record["code"], "TLS_REFUSED");
    assert_eq!(record["certificate"] == "", identity.is_none(), "{record}");
}

#[tokio::test]
async fn certificates_that_must_not_get_in_do_not_and_others_do() {
    let world = World::start(Plan::default()).await;
    let (_, mut good) = world.client_of("marketplace").await;
    let client = |change: fn(&mut Profile)| {
        let mut profile = Profile::client("marketplace", HOUR);
        change(&mut profile);
        world.issue(&profile)
    };
    refused(&world, None, "certificate_missing").await;
    let expired = client(|p| {
        p.starts_in = SignedDuration::from_hours(-2);
        p.ends_in = SignedDuration::from_hours(-1);
    });
    refused(&world, Some(&expired), "certificate_expired").await;
    let future = client(|p| p.starts_in = SignedDuration::from_mins(30));
    refused(&world, Some(&future), "certificate_not_yet_valid").await;
    let server_only = client(|p| p.usages = vec![Usage::Server]);
    refused(&world, Some(&server_only), "certificate_not_for_clients").await;
    let no_usage = client(|p| p.usages.clear());
    refused(&world, Some(&no_usage), "certificate_not_for_clients").await;
    let other = Authority::create(&Env::system(), "Other CA", HOUR).unwrap();
    let of_other = other.issue(&world.env, &Profile::client("marketplace", HOUR)).unwrap();
    refused(&world, Some(&of_other), "certificate_of_unknown_authority").await;
    let same_name = Authority::create(&Env::system(), "Test CA", HOUR).unwrap();
    let forged = same_name.issue(&world.env, &Profile::client("marketplace", HOUR)).unwrap();
    let mut tls = world.tls(Some(&forged), "h2").await;
    assert!(matches!(tls.read(&mut [0]).await, Err(_) | Ok(0)), "same name, other key");

    expect(&good.call(HEALTH, None).await, Code::Ok, "");
}

#[tokio::test]
async fn tls_1_3_only_post_quantum_first_and_nothing_to_resume() {
    let world = World::start(Plan::default()).await;
    let issued = world.issue(&Profile::client("marketplace", HOUR));
    let mut config = world.client_config(Some(&issued), &[&rustls::version::TLS13]);
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    let config = Arc::new(config);
    for _ in 0..2 {
        let mut tls = world.connect(config.clone()).await.unwrap();
        let ask = b"GET /whoami HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
        tls.write_all(ask).await.unwrap();
        let _ = tls.read_to_end(&mut Vec::new()).await;
        let session = tls.get_ref().1;
        assert_eq!(session.handshake_kind(), Some(rustls::HandshakeKind::Full));
        assert_eq!(session.tls13_tickets_received(), 0);
        let group = session.negotiated_key_exchange_group().unwrap().name();
        assert_eq!(group, rustls::NamedGroup::X25519MLKEM768);
    }
    let old = world.client_config(Some(&issued), &[&rustls::version::TLS12]);
    assert!(world.connect(Arc::new(old)).await.is_err());
    world.audited(|record| record["reason"] == "incompatible").await;
}

#[tokio::test]
async fn a_revoked_certificate_is_cut_within_a_second_and_stays_out() {
    let world = World::start(Plan::default()).await;
    tokio::spawn(world.tls.clone().watch());
    let (issued, mut client) = world.client_of("marketplace").await;
    let (_, mut neighbour) = world.client_of("second").await;
    let token = world.token("marketplace", &client, "sales.write");
    let request = Client::request(STREAM, Some(&token)).body(axum::body::Body::from("hello"));
    let response = client.send.send_request(request.unwrap()).await.unwrap();
    assert_eq!(response.status(), 200);
    expect(&neighbour.call(HEALTH, None).await, Code::Ok, "");
    tokio::time::sleep(Duration::from_millis(50)).await;

    let at = Instant::now();
    world.revoke(&issued);
    // A second for the look at the files, and one to act.
    within(Duration::from_millis(2_000), client.closed).await.unwrap();
    assert_eq!(outcome(response).await.code(), Code::Unknown, "after {:?}", at.elapsed());
    refused(&world, Some(&issued), "certificate_revoked").await;
    expect(&neighbour.call(HEALTH, None).await, Code::Ok, "");

    // A reload by hand (SIGHUP) holds at once.
    let (second, client) = world.client_of("second").await;
    world.revoke(&second);
    world.tls.reload().unwrap();
    within(Duration::from_secs(1), client.closed).await.unwrap();
}

#[tokio::test]
async fn a_slow_handshake_is_closed_at_its_deadline_and_nobody_waits_for_it() {
    let limits = Limits { handshake_seconds: 1, first_request_seconds: 1, ..Limits::default() };
    let world = World::start(Plan { limits, ..Plan::default() }).await;
    let mut slow = TcpStream::connect(world.address).await.unwrap();
    slow.write_all(&[22]).await.unwrap();
    let mut silent = world.tls(Some(&world.issue(&Profile::client("second", HOUR))), "h2").await;
    silent.write_all(b"PRI * HTTP/2").await.unwrap();
    let (_, mut client) = world.client_of("marketplace").await;
    expect(&client.call(HEALTH, None).await, Code::Ok, "");
    let ended = within(Duration::from_secs(2), slow.read(&mut [0])).await;
    assert!(matches!(ended, Err(_) | Ok(0)), "{ended:?}");
    world.audited(|record| record["reason"] == "timeout").await;
    // After the handshake: a preface that never ends. Our SETTINGS may come first.
    let mut rest = Vec::new();
    let _ = within(Duration::from_secs(3), silent.read_to_end(&mut rest)).await;
    expect(&client.call(HEALTH, None).await, Code::Ok, "");
}

#[tokio::test]
async fn a_stale_revocation_list_lets_nobody_in_after_its_grace() {
    let world = World::start(Plan {
        crl_valid_for: SignedDuration::from_mins(10),
        crl_grace_seconds: 60,
        ..Plan::default()
    })
    .await;
    assert_eq!(world.tls.health().revocation, Freshness::Fresh);
    world.clock.advance(601);
    assert_eq!(world.tls.health().revocation, Freshness::InGrace);
    let (issued, mut client) = world.client_of("marketplace").await;
    expect(&client.call(HEALTH, None).await, Code::Ok, "");
    world.clock.advance(60);
    let health = world.tls.health();
    assert!(!health.ready && health.revocation == Freshness::Stale);
    within(Duration::from_secs(2), client.closed).await.unwrap();
    refused(&world, Some(&issued), "revocation_list_expired").await;
}

#[tokio::test]
async fn a_certificate_that_expires_ends_its_connection() {
    let world = World::start(Plan::default()).await;
    let (_, mut client) = world.client_of("marketplace").await;
    // An answer says that the handshake is over on the other side too.
    expect(&client.call(HEALTH, None).await, Code::Ok, "");
    world.clock.advance(3_601);
    within(Duration::from_secs(2), client.closed).await.unwrap();
}

#[tokio::test]
async fn a_bad_file_keeps_the_old_ones_and_raises_an_alarm() {
    let world = World::start(Plan::default()).await;
    for (file, bad) in [
        ("crl.pem", "no list"),
        ("server.pem", "no certificate"),
        ("ca.pem", "no certificate"),
        ("server.key.pem", "no key"),
    ] {
        let good = std::fs::read_to_string(world.path(file)).unwrap();
        std::fs::write(world.path(file), bad).unwrap();
        assert!(world.tls.reload_if_changed());
        assert!(world.tls.health().alarm.is_some_and(|alarm| alarm.contains(file)), "{file}");
        let (_, mut client) = world.client_of("marketplace").await;
        expect(&client.call(HEALTH, None).await, Code::Ok, "");
        std::fs::write(world.path(file), good).unwrap();
        world.tls.reload().unwrap();
        assert_eq!(world.tls.health().alarm, None);
    }
    let rolled_back = RevocationList { number: 0, revoked: vec![] };
    let signed = world.authority.sign_list(&world.env, &rolled_back, HOUR).unwrap();
    write_public(&world.path("crl.pem"), &signed).unwrap();
    assert!(world.tls.reload().unwrap_err().to_string().contains("older"));
}

#[cfg(unix)]
#[tokio::test]
async fn a_key_that_others_can_read_is_refused_with_the_command_that_mends_it() {
    use std::os::unix::fs::PermissionsExt as _;
    let world = World::start(Plan::default()).await;
    let open = std::fs::Permissions::from_mode(0o644);
    std::fs::set_permissions(world.path("server.key.pem"), open).unwrap();
    let refused = world.tls.reload().unwrap_err().to_string();
    assert!(refused.contains("chmod 600"), "{refused}");
}

#[tokio::test]
async fn the_caps_hold_and_a_place_that_is_given_back_is_used() {
    let limits = Limits { handshakes_per_address: 1, connections: 2, ..Limits::default() };
    let world = World::start(Plan { limits, ..Plan::default() }).await;
    let slow = TcpStream::connect(world.address).await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    let mut second = TcpStream::connect(world.address).await.unwrap();
    let ended = within(Duration::from_secs(2), second.read(&mut [0])).await;
    assert!(matches!(ended, Err(_) | Ok(0)), "{ended:?}");
    world.audited(|record| record["reason"] == "too_many_from_address").await;
    drop(slow);
    world.audited(|record| record["reason"] == "closed_by_peer").await;

    // An answer says that the handshake is over on the other side too.
    let (_, mut one) = world.client_of("marketplace").await;
    expect(&one.call(HEALTH, None).await, Code::Ok, "");
    let (_, mut two) = world.client_of("second").await;
    expect(&two.call(HEALTH, None).await, Code::Ok, "");
    let third = world.client_of("second");
    tokio::pin!(third);
    assert!(tokio::time::timeout(Duration::from_millis(200), &mut third).await.is_err());
    drop(one);
    let (_, mut third) = within(Duration::from_secs(2), third).await;
    expect(&third.call(HEALTH, None).await, Code::Ok, "");
}

#[tokio::test]
async fn http_1_is_served_too_and_knows_its_peer() {
    let world = World::start(Plan::default()).await;
    let issued = world.issue(&Profile::client("marketplace", HOUR));
    let mut tls = world.tls(Some(&issued), "http/1.1").await;
    tls.write_all(b"GET /whoami HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
        .await
        .unwrap();
    let mut answer = String::new();
    let _ = tls.read_to_string(&mut answer).await;
    assert!(answer.contains("san_uri:urn:puente:partner:marketplace"), "{answer}");
    assert!(answer.contains("subject_dn:CN=marketplace"), "{answer}");
}

#[tokio::test]
async fn idle_connections_do_not_hold_up_a_drain_and_hung_calls_do_only_so_long() {
    let limits = Limits { drain_seconds: 1, ..Limits::default() };
    let world = World::start(Plan { limits, ..Plan::default() }).await;
    let (_, mut idle) = world.client_of("second").await;
    expect(&idle.call(HEALTH, None).await, Code::Ok, "");
    let (_, mut hung) = world.client_of("marketplace").await;
    let token = world.token("marketplace", &hung, "listings.read");
    let call = tokio::spawn(async move { hung.call(HANG, Some(&token)).await });
    tokio::time::sleep(Duration::from_millis(100)).await;
    world.shutdown.cancel();
    within(Duration::from_millis(900), idle.closed).await.unwrap();
    let drained = within(Duration::from_secs(3), world.served).await.unwrap();
    assert_eq!(drained.cut, 1);
    assert_eq!(call.await.unwrap().code(), Code::Unknown);
}
