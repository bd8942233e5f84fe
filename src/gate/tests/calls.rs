//! The steps of the gate, each with the refusal that is its own.

use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody};
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use super::super::limits::Limits;
use super::world::*;
use crate::domain::partner::Partner;
use crate::domain::scope::ScopeSet;
use crate::pki::{Name, Profile, partner_uri};

#[tokio::test]
async fn each_step_refuses_with_a_reason_of_its_own() {
    let mut suspended = partner("suspended");
    suspended.suspend("under review".into(), suspended.created_at).unwrap();
    let plan = Plan { partners: vec![partner("marketplace"), suspended], ..Plan::default() };
    let world = World::start(plan).await;
    let (_, mut client) = world.client_of("marketplace").await;
    let read = world.token("marketplace", &client, "listings.read");

    expect(&client.call(HEALTH, None).await, Code::Ok, "");
    expect(&client.call(READ, Some(&read)).await, Code::Ok, "");
    expect(&client.call(READ, None).await, Code::Unauthenticated, "TOKEN_MISSING");
    let unknown = client.call("/puente.listings.v1.ListingService/Steal", Some(&read)).await;
    expect(&unknown, Code::Unimplemented, "METHOD_UNKNOWN");

    let denied = client.call(WRITE, Some(&read)).await;
    expect(&denied, Code::PermissionDenied, "SCOPE_MISSING");
    let info = denied.get_details_error_info().unwrap();
    assert_eq!(
        (info.domain.as_str(), info.metadata["scope"].as_str()),
        ("puente", "listings.write")
    );
    // Beyond the partner's grant, even if a token says so.
    let admin = world.token("marketplace", &client, "partners.admin");
    let path = "/puente.access.v1.PartnerService/ListPartners";
    expect(&client.call(path, Some(&admin)).await, Code::PermissionDenied, "SCOPE_MISSING");

    let write = world.token("marketplace", &client, "listings.write");
    expect(&client.call(WRITE, Some(&write)).await, Code::Ok, "");

    let (_, mut renewed) = world.client_of("marketplace").await;
    let replayed = renewed.call(READ, Some(&read)).await;
    expect(&replayed, Code::Unauthenticated, "TOKEN_NOT_BOUND");

    let (_, mut stranger) = world.client_of("nobody").await;
    expect(&stranger.call(HEALTH, None).await, Code::Unauthenticated, "CERTIFICATE_UNKNOWN");
    let (_, mut kept_out) = world.client_of("suspended").await;
    expect(&kept_out.call(HEALTH, None).await, Code::PermissionDenied, "PARTNER_SUSPENDED");

    let record = world.audited(|record| record["reason"] == "PARTNER_SUSPENDED").await;
    assert_eq!(record["partner"], "suspended");
    let record = world.audited(|record| record["reason"] == "SCOPE_MISSING").await;
    assert_eq!(record["partner"], "marketplace");
    assert_eq!(record["method"], WRITE);
    assert_eq!(record["code"], "PERMISSION_DENIED");
}

#[tokio::test]
async fn a_partner_is_known_anew_whenever_the_directory_changes() {
    let world = World::start(Plan::default()).await;
    let (_, mut client) = world.client_of("marketplace").await;
    let token = world.token("marketplace", &client, "listings.read");
    let with = |change: fn(&mut Partner)| {
        let mut changed = partner("marketplace");
        change(&mut changed);
        world.directory.replace(vec![changed]);
    };
    for _ in 0..2 {
        expect(&client.call(READ, Some(&token)).await, Code::Ok, "");
        with(|partner| partner.suspend("under review".into(), partner.created_at).unwrap());
        let refused = client.call(READ, Some(&token)).await;
        expect(&refused, Code::PermissionDenied, "PARTNER_SUSPENDED");
        with(|partner| partner.scopes = ScopeSet::EMPTY);
        let refused = client.call(READ, Some(&token)).await;
        expect(&refused, Code::PermissionDenied, "SCOPE_MISSING");
        world.directory.replace(vec![]);
        let refused = client.call(READ, Some(&token)).await;
        expect(&refused, Code::Unauthenticated, "CERTIFICATE_UNKNOWN");
        with(|_| {});
    }
    // The certificate's name is another partner's now.
    let name = partner("marketplace").identities.first().unwrap().clone();
    let mut other = partner("second");
    other.bind(name, other.created_at).unwrap();
    world.directory.replace(vec![other]);
    let refused = client.call(READ, Some(&token)).await;
    expect(&refused, Code::Unauthenticated, "TOKEN_CLIENT_MISMATCH");
}

#[tokio::test]
async fn a_certificate_with_two_registered_names_is_refused() {
    let world = World::start(Plan::default()).await;
    let mut profile = Profile::client("marketplace", HOUR);
    profile.names.push(Name::Uri(partner_uri("second")));
    let mut client = world.client(&world.issue(&profile)).await;
    expect(&client.call(HEALTH, None).await, Code::Unauthenticated, "CERTIFICATE_AMBIGUOUS");
}

#[tokio::test]
async fn a_panic_is_an_internal_error_and_the_connection_lives() {
    let world = World::start(Plan::default()).await;
    let (_, mut client) = world.client_of("marketplace").await;
    let token = world.token("marketplace", &client, "listings.write listings.read");
    let failed = client.call(PANIC, Some(&token)).await;
    expect(&failed, Code::Internal, "INTERNAL");
    assert!(!format!("{failed:?}").contains("20-12345678-6"));
    expect(&client.call(READ, Some(&token)).await, Code::Ok, "");
}

#[tokio::test]
async fn a_deadline_holds_and_a_malformed_one_is_refused() {
    let world = World::start(Plan::default()).await;
    let (_, mut client) = world.client_of("marketplace").await;
    let token = world.token("marketplace", &client, "listings.read");
    let hung = |timeout: &str| Client::request(HANG, Some(&token)).header("grpc-timeout", timeout);
    let late = within(Duration::from_secs(2), client.send(hung("50m"))).await;
    expect(&late, Code::DeadlineExceeded, "DEADLINE_EXCEEDED");
    expect(&client.send(hung("999999999S")).await, Code::InvalidArgument, "INVALID_TIMEOUT");

    let limits = Limits { unary_seconds: 1, ..Limits::default() };
    let world = World::start(Plan { limits, ..Plan::default() }).await;
    let (_, mut client) = world.client_of("marketplace").await;
    let token = world.token("marketplace", &client, "listings.read");
    let request = Client::request(HANG, Some(&token)).header("grpc-timeout", "99999999H");
    let capped = within(Duration::from_secs(3), client.send(request)).await;
    expect(&capped, Code::DeadlineExceeded, "DEADLINE_EXCEEDED");
}

#[tokio::test]
async fn metadata_is_bounded_and_binary_values_are_checked() {
    let world = World::start(Plan::default()).await;
    let (_, mut client) = world.client_of("marketplace").await;
    let large = Client::request(HEALTH, None).header("x-large", "a".repeat(17 * 1024));
    expect(&client.send(large).await, Code::ResourceExhausted, "METADATA_TOO_LARGE");
    let wrong = Client::request(HEALTH, None).header("x-bin", "*");
    expect(&client.send(wrong).await, Code::InvalidArgument, "METADATA_INVALID");
    let huge = Client::request(HEALTH, None).header("x-huge", "a".repeat(200 * 1024));
    assert_ne!(client.send(huge).await.code(), Code::Ok);
    let (_, mut second) = world.client_of("second").await;
    expect(&second.call(HEALTH, None).await, Code::Ok, "");
}

#[tokio::test]
async fn a_used_up_quota_says_when_to_retry_and_touches_nobody_else() {
    let mut small = partner("marketplace");
    small.limits.reads_per_second = 1;
    let plan = Plan { partners: vec![small, partner("second")], ..Plan::default() };
    let world = World::start(plan).await;
    let (_, mut client) = world.client_of("marketplace").await;
    let mut last = Status::ok("");
    for _ in 0..10 {
        last = client.call(HEALTH, None).await;
    }
    expect(&last, Code::ResourceExhausted, "QUOTA_EXCEEDED");
    assert!(last.get_details_retry_info().unwrap().retry_delay.is_some());
    assert!(last.get_details_quota_failure().is_some());
    let (_, mut second) = world.client_of("second").await;
    expect(&second.call(HEALTH, None).await, Code::Ok, "");
}

#[tokio::test]
async fn open_streams_end_within_a_second_when_their_maker_may_no_longer_call() {
    let world = World::start(Plan::default()).await;
    let (_, mut client) = world.client_of("marketplace").await;
    let token = world.token("marketplace", &client, "sales.write");

    let mut stream = open(&mut client, &token).await;
    let mut suspended = partner("marketplace");
    suspended.suspend("under review".into(), suspended.created_at).unwrap();
    world.directory.replace(vec![suspended, partner("second")]);
    let ended = within(Duration::from_secs(1), end(&mut stream)).await;
    expect(&ended, Code::PermissionDenied, "PARTNER_SUSPENDED");

    world.directory.replace(vec![partner("marketplace")]);
    let mut stream = open(&mut client, &token).await;
    world.clock.advance(700);
    let ended = within(Duration::from_millis(1_500), end(&mut stream)).await;
    expect(&ended, Code::Unauthenticated, "TOKEN_EXPIRED");
    world.audited(|record| record["reason"] == "TOKEN_EXPIRED" && record["method"] == STREAM).await;
}

#[tokio::test]
async fn the_messages_of_a_stream_beyond_the_quota_are_held_back_and_none_is_lost() {
    let mut slow = partner("marketplace");
    slow.limits.writes_per_second = 1;
    let world = World::start(Plan { partners: vec![slow], ..Plan::default() }).await;
    let (_, mut client) = world.client_of("marketplace").await;
    let token = world.token("marketplace", &client, "sales.write");
    let began = std::time::Instant::now();
    let mut stream = open(&mut client, &token).await;
    for _ in 0..3 {
        stream._send.send(Ok(Frame::data(Bytes::from_static(b"\0\0\0\0\0")))).await.unwrap();
    }
    let mut back = 0;
    while back < 15 {
        back += stream.answer.frame().await.unwrap().unwrap().into_data().unwrap().len();
    }
    // Two at once, then one a second; the message in hand is passed on before it is counted.
    assert!(began.elapsed() > Duration::from_millis(800), "{:?}", began.elapsed());
}

#[tokio::test]
async fn an_idle_stream_ends_and_a_caller_that_leaves_is_recorded() {
    let limits = Limits { stream_idle_seconds: 1, ..Limits::default() };
    let world = World::start(Plan { limits, ..Plan::default() }).await;
    let (_, mut client) = world.client_of("marketplace").await;
    let token = world.token("marketplace", &client, "sales.write");
    let mut stream = open(&mut client, &token).await;
    let ended = within(Duration::from_secs(4), end(&mut stream)).await;
    expect(&ended, Code::Unavailable, "STREAM_IDLE");

    let stream = open(&mut client, &token).await;
    drop((stream, client));
    world.audited(|record| record["code"] == "CANCELLED" && record["method"] == STREAM).await;
}

#[tokio::test]
async fn the_trace_goes_on_and_comes_back() {
    let world = World::start(Plan::default()).await;
    let (_, mut client) = world.client_of("marketplace").await;
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let request = Client::request(HEALTH, None)
        .header("traceparent", format!("00-{trace}-00f067aa0ba902b7-01"))
        .body(Body::from(&[0u8; 5][..]))
        .unwrap();
    let response = client.send.send_request(request).await.unwrap();
    let back = response.headers()["traceparent"].to_str().unwrap();
    assert!(back.contains(trace), "{back}");
    world.audited(|record| record["trace_id"] == trace).await;
}

#[tokio::test]
async fn what_is_no_call_is_told_so() {
    let world = World::start(Plan::default()).await;
    let (_, mut client) = world.client_of("marketplace").await;
    for (path, status) in [("/nothing", 404), (READ, 415)] {
        let request = http::Request::post(format!("https://localhost{path}"))
            .header("content-type", "application/json")
            .body(Body::empty())
            .unwrap();
        assert_eq!(client.send.send_request(request).await.unwrap().status(), status, "{path}");
    }
    for method in ["GET", "PUT", "OPTIONS"] {
        let request = Client::request(HEALTH, None).method(method).body(Body::from(&[0u8; 5][..]));
        let answer = client.send.send_request(request.unwrap()).await.unwrap();
        assert_eq!(answer.status(), 405, "{method}");
    }
}

#[tokio::test]
async fn a_call_whose_message_comes_after_its_maker_was_suspended_does_nothing() {
    let world = World::start(Plan::default()).await;
    let (_, mut client) = world.client_of("marketplace").await;
    let token = world.token("marketplace", &client, "listings.write");
    let (send, frames) = tokio::sync::mpsc::channel::<Result<_, std::io::Error>>(1);
    let frames = tokio_stream::wrappers::ReceiverStream::new(frames);
    let request = Client::request(WRITE, Some(&token)).body(Body::new(StreamBody::new(frames)));
    let answer = tokio::spawn(client.send.send_request(request.unwrap()));
    tokio::time::sleep(Duration::from_millis(300)).await;
    let mut suspended = partner("marketplace");
    suspended.suspend("under review".into(), suspended.created_at).unwrap();
    world.directory.replace(vec![suspended]);
    assert!(!answer.is_finished(), "let in, and waited for");
    send.send(Ok(Frame::data(Bytes::from_static(b"\0\0\0\0\0")))).await.unwrap();
    drop(send);
    let response = within(Duration::from_secs(2), answer).await.unwrap().unwrap();
    expect(&outcome(response).await, Code::PermissionDenied, "PARTNER_SUSPENDED");
}

#[tokio::test]
async fn a_second_message_where_one_is_taken_is_refused() {
    let world = World::start(Plan::default()).await;
    let (_, mut client) = world.client_of("marketplace").await;
    let token = world.token("marketplace", &client, "listings.write");
    let request = Client::request(WRITE, Some(&token)).body(Body::from(&[0u8; 10][..])).unwrap();
    let response = client.send.send_request(request).await.unwrap();
    expect(&outcome(response).await, Code::InvalidArgument, "MORE_THAN_ONE_MESSAGE");
    expect(&client.call(WRITE, Some(&token)).await, Code::Ok, "");
}

#[tokio::test]
async fn bad_tokens_count_against_the_quota_of_who_sends_them() {
    let mut guesser = partner("marketplace");
    guesser.limits.reads_per_second = 1;
    let plan = Plan { partners: vec![guesser, partner("second")], ..Plan::default() };
    let world = World::start(plan).await;
    let (_, mut client) = world.client_of("marketplace").await;
    for _ in 0..2 {
        let refused = client.call(READ, Some("a.b.c")).await;
        expect(&refused, Code::Unauthenticated, "TOKEN_MALFORMED");
    }
    let refused = client.call(READ, Some("a.b.c")).await;
    expect(&refused, Code::ResourceExhausted, "QUOTA_EXCEEDED");
}

struct Open {
    answer: hyper::body::Incoming,
    _send: tokio::sync::mpsc::Sender<Result<Frame<Bytes>, std::io::Error>>,
}

/// A stream on which one message went there and came back.
async fn open(client: &mut Client, token: &str) -> Open {
    let (send, frames) = tokio::sync::mpsc::channel(1);
    let frames = tokio_stream::wrappers::ReceiverStream::new(frames);
    let request = Client::request(STREAM, Some(token)).body(Body::new(StreamBody::new(frames)));
    send.send(Ok(Frame::data(Bytes::from_static(b"\0\0\0\0\0")))).await.unwrap();
    let response = client.send.send_request(request.unwrap()).await.unwrap();
    let mut answer = response.into_body();
    assert!(answer.frame().await.unwrap().unwrap().is_data());
    Open { answer, _send: send }
}

async fn end(stream: &mut Open) -> Status {
    loop {
        match stream.answer.frame().await {
            Some(Ok(frame)) => {
                if let Some(status) = frame.trailers_ref().and_then(Status::from_header_map) {
                    return status;
                }
            }
            Some(Err(error)) => return Status::unknown(error.to_string()),
            None => return Status::unknown("no status"),
        }
    }
}
