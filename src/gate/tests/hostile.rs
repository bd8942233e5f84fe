//! Peers that have a good certificate and bad manners: what they cost is bounded, they are
//! sent away, and a neighbour is served all the while.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;
use tonic::Code;

use super::super::limits::Limits;
use super::world::*;
use crate::pki::Profile;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut out = (u32::try_from(payload.len()).unwrap().to_be_bytes()[1..]).to_vec();
    out.extend([kind, flags]);
    out.extend(stream.to_be_bytes());
    out.extend(payload);
    out
}

/// A literal header without indexing and without Huffman coding (RFC 7541, 6.2.2).
fn literal(name: &str, value: &str) -> Vec<u8> {
    let mut out = vec![0];
    for text in [name, value] {
        assert!(text.len() < 127);
        out.push(u8::try_from(text.len()).unwrap());
        out.extend(text.as_bytes());
    }
    out
}

fn call(path: &str, token: Option<&str>) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in [
        (":method", "POST"),
        (":scheme", "https"),
        (":path", path),
        (":authority", "localhost"),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
    ] {
        block.extend(literal(name, value));
    }
    if let Some(token) = token {
        let value = format!("Bearer {token}");
        block.extend([0, 13]);
        block.extend(b"authorization");
        // A length over 126 goes on in sevens (RFC 7541, 5.1).
        block.push(127);
        let mut rest = value.len() - 127;
        while rest >= 128 {
            block.push(u8::try_from(rest % 128 + 128).unwrap());
            rest /= 128;
        }
        block.push(u8::try_from(rest).unwrap());
        block.extend(value.as_bytes());
    }
    block
}

async fn rude(world: &World, settings: &[u8]) -> TlsStream<TcpStream> {
    let issued = world.issue(&Profile::client("marketplace", HOUR));
    let mut tls = world.tls(Some(&issued), "h2").await;
    tls.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.unwrap();
    tls.write_all(&frame(SETTINGS, 0, 0, settings)).await.unwrap();
    tls
}

/// Sends until sent away; the kinds of frame that came back.
async fn until_sent_away(tls: TlsStream<TcpStream>, send: Vec<u8>) -> Vec<u8> {
    let (mut read, mut write) = tokio::io::split(tls);
    let sending = tokio::spawn(async move {
        // What is not taken any more is the point.
        let _ = write.write_all(&send).await;
        let _ = write.flush().await;
        std::future::pending::<()>().await;
        drop(write);
    });
    let mut kinds = Vec::new();
    within(Duration::from_secs(20), async {
        loop {
            let mut head = [0; 9];
            if read.read_exact(&mut head).await.is_err() {
                break;
            }
            kinds.push(head[3]);
            let len = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
            let mut payload = vec![0; len];
            if read.read_exact(&mut payload).await.is_err() {
                break;
            }
        }
    })
    .await;
    sending.abort();
    kinds
}

fn odd(n: u32) -> u32 {
    n * 2 + 1
}

#[tokio::test]
async fn rapid_reset_and_made_you_reset_end_in_goaway() {
    let world = World::start(Plan::default()).await;
    let (_, mut neighbour) = world.client_of("second").await;
    let headers = call(HANG, None);

    let mut rapid = Vec::new();
    for n in 0..20_000 {
        rapid.extend(frame(HEADERS, END_HEADERS, odd(n), &headers));
        rapid.extend(frame(RST_STREAM, 0, odd(n), &8_u32.to_be_bytes()));
    }
    let tls = rude(&world, &[]).await;
    let kinds = until_sent_away(tls, rapid).await;
    assert!(kinds.contains(&GOAWAY), "{kinds:?}");
    expect(&neighbour.call(HEALTH, None).await, Code::Ok, "");

    // A window beyond 2^31-1 makes us reset the stream (CVE-2025-8671).
    let mut made = Vec::new();
    for n in 0..20_000 {
        made.extend(frame(HEADERS, END_HEADERS, odd(n), &headers));
        made.extend(frame(WINDOW_UPDATE, 0, odd(n), &0x7fff_ffff_u32.to_be_bytes()));
    }
    let tls = rude(&world, &[]).await;
    let kinds = until_sent_away(tls, made).await;
    let resets = kinds.iter().filter(|kind| **kind == RST_STREAM).count();
    assert!(kinds.contains(&GOAWAY) && resets <= 200, "{resets}");
    expect(&neighbour.call(HEALTH, None).await, Code::Ok, "");
}

#[tokio::test]
async fn floods_of_frames_that_ask_for_nothing_are_sent_away() {
    let limits = Limits { first_request_seconds: 2, ..Limits::default() };
    let world = World::start(Plan { limits, ..Plan::default() }).await;
    let (_, mut neighbour) = world.client_of("second").await;

    let mut continuation = frame(HEADERS, 0, 1, &call(HANG, None));
    for n in 0..50_000 {
        continuation.extend(frame(CONTINUATION, 0, 1, &literal("x", &format!("{n}"))));
    }
    let tls = rude(&world, &[]).await;
    until_sent_away(tls, continuation).await;
    expect(&neighbour.call(HEALTH, None).await, Code::Ok, "");

    for (kind, payload) in [(PING, &[0; 8][..]), (SETTINGS, &[0, 4, 0, 1, 0, 0][..])] {
        let flood = frame(kind, 0, 0, payload).repeat(20_000);
        let tls = rude(&world, &[]).await;
        until_sent_away(tls, flood).await;
        expect(&neighbour.call(HEALTH, None).await, Code::Ok, "");
    }
}

#[tokio::test]
async fn a_header_bomb_is_refused_before_it_is_unpacked() {
    let world = World::start(Plan::default()).await;
    let (_, mut neighbour) = world.client_of("second").await;
    // One entry of the dynamic table, named 10,000 times (RFC 7541, 6.2.1 and 6.1).
    let mut block = call(HEALTH, None);
    block.extend([0x40, 1, b'x', 0x7f, 0xa1, 0x1e]);
    block.extend([b'a'; 4000]);
    block.extend([0xbe; 10_000]);
    let mut bomb = frame(HEADERS, END_STREAM | END_HEADERS, 1, &block);
    bomb.extend(frame(GOAWAY, 0, 0, &[0; 8]));
    let tls = rude(&world, &[]).await;
    let kinds = until_sent_away(tls, bomb).await;
    assert!(kinds.contains(&HEADERS) || kinds.contains(&RST_STREAM) || kinds.contains(&GOAWAY));
    assert!(!kinds.contains(&DATA), "the call must not have been answered: {kinds:?}");
    expect(&neighbour.call(HEALTH, None).await, Code::Ok, "");
    // Refused below the gate, which would have had to hold all of it to count it.
    world.audited(|record| record["partner"] == "second").await;
    let file = world.path("audit").join("audit-00000000.jsonl");
    let records = std::fs::read_to_string(file).unwrap();
    assert!(!records.contains("METADATA_TOO_LARGE"), "{records}");
}

#[tokio::test]
async fn a_flood_of_empty_frames_on_an_open_stream_is_sent_away() {
    let limits = Limits {
        stream_idle_seconds: 1,
        idle_seconds: 1,
        first_request_seconds: 1,
        ..Limits::default()
    };
    let world = World::start(Plan { limits, ..Plan::default() }).await;
    let issued = world.issue(&Profile::client("marketplace", HOUR));
    let (_, mut neighbour) = world.client_of("second").await;
    let token = world.token_for("marketplace", &issued, "sales.write");
    let mut tls = world.tls(Some(&issued), "h2").await;
    tls.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.unwrap();
    tls.write_all(&frame(SETTINGS, 0, 0, &[])).await.unwrap();
    let mut flood = frame(HEADERS, END_HEADERS, 1, &call(STREAM, Some(&token)));
    flood.extend(frame(DATA, 0, 1, &[]).repeat(200_000));
    let kinds = until_sent_away(tls, flood).await;
    assert!(kinds.contains(&GOAWAY), "{kinds:?}");
    expect(&neighbour.call(HEALTH, None).await, Code::Ok, "");
}

#[tokio::test]
async fn a_peer_that_takes_no_answer_is_cut() {
    let limits = Limits { stalled_seconds: 1, ..Limits::default() };
    let world = World::start(Plan { limits, ..Plan::default() }).await;
    let (_, mut neighbour) = world.client_of("second").await;
    // SETTINGS_INITIAL_WINDOW_SIZE 0: not one byte may be sent.
    let tls = rude(&world, &[0, 4, 0, 0, 0, 0]).await;
    let mut asking = frame(HEADERS, END_HEADERS, 1, &call(HEALTH, None));
    asking.extend(frame(DATA, END_STREAM, 1, &[0; 5]));
    let kinds = within(Duration::from_secs(5), until_sent_away(tls, asking)).await;
    assert!(kinds.contains(&HEADERS) && !kinds.contains(&DATA), "{kinds:?}");
    expect(&neighbour.call(HEALTH, None).await, Code::Ok, "");
}
