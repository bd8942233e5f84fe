//! From a listening socket to connections that serve: the first door.
//!
//! Enters: TCP connections of anyone. Leaves: TLS connections with a verified client
//! certificate, within the caps; all others are closed, counted and recorded. It knows
//! nothing of what is said on a connection.

use std::collections::HashMap;
use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustls_pki_types::CertificateDer;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::audit::{AuditRecord, AuditSink};
use super::connection::{Connection, Connections, verify_one};
use super::http::{self, Routes};
use super::limits::{Limits, seconds};
use super::metrics::Metrics;
use super::peer::PeerIdentity;
use super::threads::{Spawner, Threads};
use super::tls::TlsReloader;
use super::verifier::{Presented, presented_during};
use crate::clock::Env;

/// What the accept loop works with.
#[derive(Clone)]
pub struct Door {
    /// Certificates and whom they let in.
    pub tls: Arc<TlsReloader>,
    /// Every bound.
    pub limits: Arc<Limits>,
    /// Where refused handshakes are recorded.
    pub audit: AuditSink,
    /// Where they are counted.
    pub metrics: Metrics,
    /// The time.
    pub env: Env,
    /// The connections that are open; shared with who wants to count them.
    pub connections: Arc<Connections>,
    /// Where they are served; ended when serving ends.
    pub threads: Arc<Threads>,
}

/// How serving ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drained {
    /// Connections that had not ended by the drain deadline and were cut.
    pub cut: usize,
}

/// Serves `routes` on `listener` until `shutdown`, then takes no more connections, lets calls
/// in progress end within `limits.drain_seconds`, and cuts what is left.
///
/// Every request has a [`PeerIdentity`] in its extensions.
pub async fn serve(
    listener: TcpListener,
    door: Door,
    routes: Routes,
    shutdown: impl Future<Output = ()>,
) -> Drained {
    let sweep = tokio::spawn(door.connections.clone().sweep(
        door.tls.clone(),
        door.limits.clone(),
        door.env.clone(),
    ));
    let state = tokio::spawn(report_state(door.clone()));
    let places = Arc::new(Semaphore::new(door.limits.connections as usize));
    let addresses = Arc::new(Addresses::default());
    let mut open = JoinSet::new();
    let main = Handle::current();
    let mut back_off = Duration::ZERO;

    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        while open.try_join_next().is_some() {}
        let accepted = tokio::select! {
            biased;
            () = &mut shutdown => break,
            accepted = accept(&listener, &places, back_off) => accepted,
        };
        match accepted {
            Ok((stream, address, place)) => {
                back_off = Duration::ZERO;
                let Some(entry) = addresses.enter(address, &door.limits) else {
                    door.refuse("too_many_from_address", address, None, Instant::now());
                    continue;
                };
                let Some(seat) = door.threads.seat() else { continue };
                let (door, routes) = (door.clone(), routes.clone());
                let (runtime, main) = (seat.runtime.clone(), Spawner::new(main.clone()));
                let served = async move {
                    let _held = (place, seat);
                    connection(door, routes, stream, entry, main).await;
                };
                open.spawn_on(served, &runtime);
            }
            Err(error) => back_off = next_back_off(&error, back_off),
        }
    }
    drop(listener);
    let drained = drain(&door, &mut open).await;
    door.threads.stop().await;
    sweep.abort();
    state.abort();
    drained
}

async fn drain(door: &Door, open: &mut JoinSet<()>) -> Drained {
    door.connections.leave_all();
    let all_gone = async { while open.join_next().await.is_some() {} };
    let in_time = tokio::time::timeout(seconds(door.limits.drain_seconds), all_gone).await;
    let cut = if in_time.is_err() { door.connections.cut_all() } else { 0 };
    if cut > 0 {
        tracing::warn!(target: "puente::gate", cut, "drain deadline passed; connections cut");
    }
    open.shutdown().await;
    Drained { cut }
}

/// Waits for a place first, so that what is over the cap waits in the kernel and costs nothing.
async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
    back_off: Duration,
) -> io::Result<(std::net::TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    tokio::time::sleep(back_off).await;
    let place = places.clone().acquire_owned().await.map_err(io::Error::other)?;
    let (stream, address) = listener.accept().await?;
    // To be taken up by the runtime of the thread that serves it.
    Ok((stream.into_std()?, address, place))
}

/// Out of file descriptors or memory: wait longer each time, up to a second. A connection that
/// died in the queue is no reason to wait.
fn next_back_off(error: &io::Error, last: Duration) -> Duration {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    if matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
    {
        return Duration::ZERO;
    }
    let next = (last * 2).clamp(Duration::from_millis(10), Duration::from_secs(1));
    tracing::error!(target: "puente::gate", %error, wait = ?next, "cannot accept connections");
    next
}

async fn connection(
    door: Door,
    routes: Routes,
    stream: std::net::TcpStream,
    entry: AddressEntry,
    spawner: Spawner,
) {
    let began = Instant::now();
    let address = entry.address;
    let generation = *door.tls.changes().borrow();
    let Ok(stream) = TcpStream::from_std(stream) else {
        return door.refuse("closed_by_peer", address, None, began);
    };
    let (tls, entry) = match handshake(&door, stream, entry).await {
        Ok(done) => done,
        Err(refused) => return door.refuse(refused.reason, address, refused.presented, began),
    };
    let (_, session) = tls.get_ref();
    let chain: Vec<CertificateDer<'static>> =
        session.peer_certificates().unwrap_or_default().to_vec();
    let http2 = session.alpn_protocol() == Some(b"h2");
    let Some(Ok(peer)) = chain.first().map(|leaf| PeerIdentity::from_leaf(leaf, address)) else {
        return door.refuse("certificate_unreadable", address, None, began);
    };
    let connection = Connection::new(peer, chain, retirement(&door, began));
    let place = door.connections.enter(connection.clone());
    // Renewed while we shook hands: the check over the open connections may have missed this one.
    if *door.tls.changes().borrow() != generation {
        verify_one(&connection, &door.tls);
    }
    door.metrics.connected(began.elapsed());
    http::serve(tls, http2, connection, routes, &door.limits, spawner).await;
    door.metrics.disconnected();
    drop((place, entry));
}

struct Refused {
    reason: &'static str,
    presented: Option<String>,
}

async fn handshake(
    door: &Door,
    stream: TcpStream,
    mut entry: AddressEntry,
) -> Result<(TlsStream<TcpStream>, AddressEntry), Refused> {
    // Small frames must not wait for one another; failing to ask for it costs only time.
    let _ = stream.set_nodelay(true);
    let shaking = TlsAcceptor::from(door.tls.config()).accept(stream);
    let within = seconds(door.limits.handshake_seconds);
    let (outcome, presented) = presented_during(tokio::time::timeout(within, shaking)).await;
    entry.shaken();
    match outcome {
        Ok(Ok(tls)) => Ok((tls, entry)),
        Ok(Err(error)) => Err(Refused { reason: reason_of(&error), presented: shown(presented) }),
        Err(_) => Err(Refused { reason: "timeout", presented: shown(presented) }),
    }
}

fn shown(presented: Presented) -> Option<String> {
    presented.thumbprint()
}

fn retirement(door: &Door, began: Instant) -> Option<Instant> {
    let age = door.limits.connection_age_seconds;
    let spread = age / 10;
    let random = u64::from(door.env.ids.random()[0]);
    (age > 0).then(|| began + seconds(age - spread + 2 * spread * random / 255))
}

/// A refused handshake in a word for programs.
fn reason_of(error: &io::Error) -> &'static str {
    use rustls::{CertificateError as Bad, Error as Tls};
    let Some(tls) = error.get_ref().and_then(|inner| inner.downcast_ref::<Tls>()) else {
        return "closed_by_peer";
    };
    match tls {
        Tls::NoCertificatesPresented => "certificate_missing",
        Tls::InvalidCertificate(bad) => match bad {
            Bad::Expired | Bad::ExpiredContext { .. } => "certificate_expired",
            Bad::NotValidYet | Bad::NotValidYetContext { .. } => "certificate_not_yet_valid",
            Bad::Revoked => "certificate_revoked",
            Bad::UnknownIssuer => "certificate_of_unknown_authority",
            Bad::UnknownRevocationStatus => "revocation_unknown",
            Bad::ExpiredRevocationList | Bad::ExpiredRevocationListContext { .. } => {
                "revocation_list_expired"
            }
            Bad::InvalidPurpose | Bad::InvalidPurposeContext { .. } => {
                "certificate_not_for_clients"
            }
            _ => "certificate_refused",
        },
        Tls::PeerIncompatible(_) => "incompatible",
        Tls::AlertReceived(_) => "alert_from_peer",
        Tls::NoApplicationProtocol => "no_common_protocol",
        _ => "protocol_fault",
    }
}

impl Door {
    fn refuse(
        &self,
        reason: &'static str,
        address: SocketAddr,
        certificate: Option<String>,
        began: Instant,
    ) {
        self.metrics.refused(reason);
        self.audit.record(&AuditRecord {
            at: self.env.now(),
            event: "handshake",
            method: "",
            partner: "",
            code: "TLS_REFUSED",
            reason,
            certificate: certificate.as_deref().unwrap_or_default(),
            address: &address.to_string(),
            trace_id: "",
            duration_us: u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX),
        });
    }
}

async fn report_state(door: Door) {
    let mut tick = tokio::time::interval(Duration::from_secs(5));
    loop {
        tick.tick().await;
        let health = door.tls.health();
        door.metrics.tls_state(health.alarm.is_some(), health.revocation);
        door.metrics.audit_dropped(door.audit.dropped());
    }
}

/// Connections and handshakes by address; an IPv6 /64 counts as one.
#[derive(Default)]
struct Addresses(Mutex<HashMap<IpAddr, Counts>>);

#[derive(Default)]
struct Counts {
    open: u32,
    shaking: u32,
}

/// A connection's place among those of its address, given back when dropped.
struct AddressEntry {
    addresses: Arc<Addresses>,
    key: IpAddr,
    address: SocketAddr,
    shaking: bool,
}

impl Addresses {
    fn enter(self: &Arc<Self>, address: SocketAddr, limits: &Limits) -> Option<AddressEntry> {
        let key = network(address.ip());
        let mut all = self.lock();
        let counts = all.entry(key).or_default();
        if counts.open >= limits.connections_per_address
            || counts.shaking >= limits.handshakes_per_address
        {
            return None;
        }
        counts.open += 1;
        counts.shaking += 1;
        drop(all);
        Some(AddressEntry { addresses: self.clone(), key, address, shaking: true })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<IpAddr, Counts>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl AddressEntry {
    fn shaken(&mut self) {
        if std::mem::replace(&mut self.shaking, false)
            && let Some(counts) = self.addresses.lock().get_mut(&self.key)
        {
            counts.shaking -= 1;
        }
    }
}

impl Drop for AddressEntry {
    fn drop(&mut self) {
        self.shaken();
        let mut all = self.addresses.lock();
        if let Some(counts) = all.get_mut(&self.key) {
            counts.open -= 1;
            if counts.open == 0 {
                all.remove(&self.key);
            }
        }
    }
}

fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(v4) => IpAddr::V4(v4),
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from(u128::from(v6) & !u128::from(u64::MAX))),
    }
}

#[cfg(test)]
#[path = "accept_tests.rs"]
mod tests;
