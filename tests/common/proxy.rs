//! A way to the gateway that breaks where a test wants it to.

use std::future::pending;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

/// A proxy of TCP connections.
pub struct Way {
    pub address: SocketAddr,
    shared: Arc<Shared>,
    accepting: JoinHandle<()>,
}

struct Shared {
    to: Mutex<Option<SocketAddr>>,
    trap: Mutex<Option<Trap>>,
    sprung: Notify,
    resets: watch::Sender<u64>,
}

/// Springs when this many more bytes have gone to the gateway, and lets a few more pass.
struct Trap {
    bytes: usize,
    more: usize,
}

impl Way {
    /// Opens a way to the gateway at `to`.
    pub async fn open(to: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            to: Mutex::new(Some(to)),
            trap: Mutex::default(),
            sprung: Notify::new(),
            resets: watch::Sender::new(0),
        });
        let way = Arc::clone(&shared);
        let accepting = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(carry(client, Arc::clone(&way)));
            }
        });
        Self { address, shared, accepting }
    }

    /// Where it leads from now on; nowhere resets whoever comes.
    pub fn lead(&self, to: Option<SocketAddr>) {
        *self.shared.to.lock().unwrap() = to;
    }

    /// Sets a trap that springs after this many bytes; after `more` of them its connection holds.
    pub fn set_trap(&self, bytes: usize, more: usize) {
        *self.shared.trap.lock().unwrap() = Some(Trap { bytes, more });
    }

    /// Waits until the trap has sprung.
    pub async fn sprung(&self) {
        self.shared.sprung.notified().await;
    }

    /// Resets all connections, towards both sides.
    pub fn reset(&self) {
        self.shared.resets.send_modify(|resets| *resets += 1);
    }
}

impl Drop for Way {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Shared {
    /// How many of `count` bytes may go on, and if the trap springs then, how many after it.
    fn pass(&self, count: usize) -> (usize, Option<usize>) {
        let mut trap = self.trap.lock().unwrap();
        match &mut *trap {
            None => (count, None),
            Some(Trap { bytes, .. }) if *bytes > count => {
                *bytes -= count;
                (count, None)
            }
            Some(Trap { bytes, more }) => {
                let passed = (*bytes, Some(*more));
                *trap = None;
                passed
            }
        }
    }
}

async fn carry(mut client: TcpStream, shared: Arc<Shared>) {
    let mut resets = shared.resets.subscribe();
    let to = *shared.to.lock().unwrap();
    let server = match to {
        Some(to) => TcpStream::connect(to).await.ok(),
        None => None,
    };
    let Some(mut server) = server else {
        client.set_zero_linger().unwrap();
        return;
    };
    client.set_nodelay(true).unwrap();
    server.set_nodelay(true).unwrap();
    let reset = {
        let (mut from_client, mut to_client) = client.split();
        let (mut from_server, mut to_server) = server.split();
        let back = async {
            // Whatever ends it, there is nothing more to say to the client.
            let _ = tokio::io::copy(&mut from_server, &mut to_client).await;
            let _ = to_client.shutdown().await;
        };
        let both = async { tokio::join!(there(&mut from_client, &mut to_server, &shared), back) };
        tokio::select! {
            _ = resets.changed() => true,
            _ = both => false,
        }
    };
    if reset {
        client.set_zero_linger().unwrap();
        server.set_zero_linger().unwrap();
    }
}

async fn there(from: &mut ReadHalf<'_>, to: &mut WriteHalf<'_>, shared: &Shared) -> io::Result<()> {
    let mut buffer = [0; 4096];
    loop {
        let count = from.read(&mut buffer).await?;
        if count == 0 {
            return to.shutdown().await;
        }
        let (passed, sprung) = shared.pass(count);
        to.write_all(&buffer[..passed]).await?;
        if let Some(more) = sprung {
            shared.sprung.notify_one();
            let rest = (&buffer[passed..count]).chain(from).take(more as u64);
            tokio::io::copy(&mut { rest }, to).await?;
            return pending().await;
        }
    }
}
