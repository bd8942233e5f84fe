//! Every number that bounds what a peer can cost: connections, HTTP/2, time, calls.
//!
//! Enters: the `[limits]` and `[quota]` sections of the configuration. Leaves: plain
//! values with safe defaults. It knows nothing of who uses them.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Bounds on connections, requests and time. All times are in seconds, all sizes in bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Threads that serve connections, each its own; 0 (the default): one for each processor.
    pub threads: u32,
    /// Connections open at once, handshakes included; more wait in the kernel. Default 10,000.
    pub connections: u32,
    /// Connections open at once from one address. Default 1,000: partners come through proxies.
    pub connections_per_address: u32,
    /// TLS handshakes in progress at once from one address. Default 64.
    pub handshakes_per_address: u32,
    /// A TLS handshake must be done within this. Default 10.
    pub handshake_seconds: u64,
    /// The first request must have come within this after the handshake. Default 30.
    pub first_request_seconds: u64,
    /// A connection without any call in progress is closed after this. Default 300.
    pub idle_seconds: u64,
    /// A connection older than this is asked to go (GOAWAY), a tenth earlier or later so that
    /// not all go at once; 0 never. Default 86,400.
    pub connection_age_seconds: u64,
    /// After SIGTERM, calls in progress may go on for this. Default 30.
    pub drain_seconds: u64,
    /// HTTP/2 streams at once on one connection. Default 128.
    pub streams_per_connection: u32,
    /// Streams reset by a peer before they were served, until it is sent away (rapid reset,
    /// CVE-2023-44487). Default 20.
    pub pending_reset_streams: usize,
    /// Streams reset by us for a peer's faults, until it is sent away (CVE-2025-8671,
    /// MadeYouReset). Default 64.
    pub local_reset_streams: usize,
    /// Request metadata, counted as HTTP/2 does (name + value + 32 each). Default 16 KiB.
    pub metadata_bytes: u32,
    /// Answer bytes buffered for one stream. Default 64 KiB.
    pub send_buffer_bytes: u32,
    /// Request bytes a peer may send ahead on one stream. Default 256 KiB.
    pub stream_window_bytes: u32,
    /// Request bytes a peer may send ahead on one connection. Default 1 MiB.
    pub connection_window_bytes: u32,
    /// Largest HTTP/2 frame. Default 16 KiB, the least the standard allows.
    pub frame_bytes: u32,
    /// A connection is pinged after this long without a frame. Default 60.
    pub keepalive_seconds: u64,
    /// A ping unanswered for this long ends the connection. Default 20.
    pub keepalive_timeout_seconds: u64,
    /// HTTP/1.1 request headers must be complete within this. Default 10.
    pub header_seconds: u64,
    /// A plain HTTP request (OAuth, JSON) must be answered within this. Default 30.
    pub http_seconds: u64,
    /// Most time for a unary call, also where the caller asks for more or for none.
    /// Default 60.
    pub unary_seconds: u64,
    /// A stream without a message in either direction ends after this. Default 300.
    pub stream_idle_seconds: u64,
    /// An answer message the peer does not take for this long ends its connection. Default 60.
    pub stalled_seconds: u64,
    /// Calls in progress at once, all partners together. Default 4,096.
    pub calls: u32,
    /// Calls in progress at once of one partner. Default 512.
    pub calls_per_partner: u32,
}

/// How the limits of each partner (set by the operator with the partner) are applied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Quota {
    /// Whether calls over a partner's limits a second are refused. Default true.
    pub enforced: bool,
    /// How many seconds of a partner's limit may come at once. Default 2.
    pub burst_seconds: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            threads: 0,
            connections: 10_000,
            connections_per_address: 1_000,
            handshakes_per_address: 64,
            handshake_seconds: 10,
            first_request_seconds: 30,
            idle_seconds: 300,
            connection_age_seconds: 86_400,
            drain_seconds: 30,
            streams_per_connection: 128,
            pending_reset_streams: 20,
            local_reset_streams: 64,
            metadata_bytes: 16 * 1024,
            send_buffer_bytes: 64 * 1024,
            stream_window_bytes: 256 * 1024,
            connection_window_bytes: 1024 * 1024,
            frame_bytes: 16 * 1024,
            keepalive_seconds: 60,
            keepalive_timeout_seconds: 20,
            header_seconds: 10,
            http_seconds: 30,
            unary_seconds: 60,
            stream_idle_seconds: 300,
            stalled_seconds: 60,
            calls: 4_096,
            calls_per_partner: 512,
        }
    }
}

impl Default for Quota {
    fn default() -> Self {
        Self { enforced: true, burst_seconds: 2 }
    }
}

impl Limits {
    /// The first value that cannot work, with what it must be.
    ///
    /// # Errors
    /// A sentence that names the key.
    pub fn check(&self) -> Result<(), String> {
        let positive = [
            ("connections", u64::from(self.connections)),
            ("connections_per_address", u64::from(self.connections_per_address)),
            ("handshakes_per_address", u64::from(self.handshakes_per_address)),
            ("handshake_seconds", self.handshake_seconds),
            ("first_request_seconds", self.first_request_seconds),
            ("idle_seconds", self.idle_seconds),
            ("drain_seconds", self.drain_seconds),
            ("streams_per_connection", u64::from(self.streams_per_connection)),
            ("pending_reset_streams", self.pending_reset_streams as u64),
            ("local_reset_streams", self.local_reset_streams as u64),
            ("metadata_bytes", u64::from(self.metadata_bytes)),
            ("send_buffer_bytes", u64::from(self.send_buffer_bytes)),
            ("keepalive_seconds", self.keepalive_seconds),
            ("keepalive_timeout_seconds", self.keepalive_timeout_seconds),
            ("header_seconds", self.header_seconds),
            ("http_seconds", self.http_seconds),
            ("unary_seconds", self.unary_seconds),
            ("stream_idle_seconds", self.stream_idle_seconds),
            ("stalled_seconds", self.stalled_seconds),
            ("calls", u64::from(self.calls)),
            ("calls_per_partner", u64::from(self.calls_per_partner)),
        ];
        if let Some((key, _)) = positive.iter().find(|(_, value)| *value == 0) {
            return Err(format!("limits.{key} must be at least 1"));
        }
        // RFC 9113, 6.5.2 and 6.9.1.
        if !(16_384..=16_777_215).contains(&self.frame_bytes) {
            return Err("limits.frame_bytes must be from 16384 to 16777215".into());
        }
        for (key, window) in [
            ("stream_window_bytes", self.stream_window_bytes),
            ("connection_window_bytes", self.connection_window_bytes),
        ] {
            if !(65_535..=0x7fff_ffff).contains(&window) {
                return Err(format!("limits.{key} must be from 65535 to 2147483647"));
            }
        }
        Ok(())
    }
}

/// Seconds of the configuration as a duration.
pub(super) fn seconds(value: u64) -> Duration {
    Duration::from_secs(value)
}
