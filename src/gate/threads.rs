//! The threads that serve connections, each with a runtime of its own.
//!
//! Enters: how many. Leaves: places for connections, on the thread that has the fewest. What a
//! call costs is its own work then, and not that of handing it from thread to thread. Calls that
//! stream run where the gateway's other work does: they may be long, and a thread that computes
//! serves nobody else. It knows nothing of what is served.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{JoinHandle, available_parallelism};
use std::time::Duration;

use tokio::runtime::{Builder, Handle};
use tokio_util::sync::CancellationToken;

/// How long work that blocks may hold up the end of a thread.
const LAST: Duration = Duration::from_secs(1);

/// Threads that serve; they end with `stop`.
pub struct Threads {
    all: Vec<Thread>,
    stop: CancellationToken,
    ends: Mutex<Vec<JoinHandle<()>>>,
}

struct Thread {
    runtime: Handle,
    connections: Arc<AtomicUsize>,
}

/// A connection's place on a thread; given back when dropped.
pub(super) struct Seat {
    pub(super) runtime: Handle,
    connections: Arc<AtomicUsize>,
}

impl Threads {
    /// Starts `count` threads, or as many as there are processors if it is 0.
    ///
    /// # Errors
    /// If the operating system does not give that many.
    pub fn start(count: u32) -> io::Result<Arc<Self>> {
        let count = match count {
            0 => available_parallelism().map_or(1, usize::from),
            count => count as usize,
        };
        let stop = CancellationToken::new();
        let (mut all, mut ends) = (Vec::new(), Vec::new());
        for n in 0..count {
            let runtime = Builder::new_current_thread().enable_all().build()?;
            all.push(Thread { runtime: runtime.handle().clone(), connections: Arc::default() });
            let stopped = stop.clone().cancelled_owned();
            let serve = move || {
                runtime.block_on(stopped);
                runtime.shutdown_timeout(LAST);
            };
            ends.push(std::thread::Builder::new().name(format!("serve-{n}")).spawn(serve)?);
        }
        Ok(Arc::new(Self { all, stop, ends: Mutex::new(ends) }))
    }

    /// A place on the thread that has the fewest connections.
    pub(super) fn seat(&self) -> Option<Seat> {
        let taken = |thread: &&Thread| thread.connections.load(Ordering::Relaxed);
        let Thread { runtime, connections } = self.all.iter().min_by_key(taken)?;
        connections.fetch_add(1, Ordering::Relaxed);
        Some(Seat { runtime: runtime.clone(), connections: connections.clone() })
    }

    /// Ends the threads and whatever still runs on them; returns when they have ended.
    pub(super) async fn stop(&self) {
        self.stop.cancel();
        let ends = std::mem::take(&mut *self.ends.lock().unwrap_or_else(PoisonError::into_inner));
        let join = move || ends.into_iter().for_each(|end| drop(end.join()));
        // It ends early only with the runtime, and everything with it.
        let _ = tokio::task::spawn_blocking(join).await;
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.connections.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Where the calls of one connection run: here, or, those that stream, on the main runtime.
#[derive(Clone)]
pub(super) struct Spawner {
    main: Handle,
    next_streams: Arc<AtomicBool>,
}

impl Spawner {
    pub(super) fn new(main: Handle) -> Self {
        Self { main, next_streams: Arc::default() }
    }

    /// Says whether the call that is spawned next is one that streams.
    pub(super) fn expect_stream(&self, streams: bool) {
        self.next_streams.store(streams, Ordering::Relaxed);
    }
}

impl<F> hyper::rt::Executor<F> for Spawner
where
    F: Future<Output: Send> + Send + 'static,
{
    fn execute(&self, call: F) {
        if self.next_streams.swap(false, Ordering::Relaxed) {
            self.main.spawn(call);
        } else {
            tokio::spawn(call);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn connections_are_spread_and_what_streams_runs_elsewhere() {
        let threads = Threads::start(2).unwrap();
        let here = || std::thread::current().name().unwrap_or_default().to_owned();
        let (one, two) = (threads.seat().unwrap(), threads.seat().unwrap());
        assert!(!Arc::ptr_eq(&one.connections, &two.connections));
        drop(one);
        let three = threads.seat().unwrap();
        assert!(!Arc::ptr_eq(&three.connections, &two.connections), "the freed place is used");

        let main = Handle::current();
        let connection = async move {
            let spawner = Spawner::new(main);
            let (tell, told) = std::sync::mpsc::channel();
            for streams in [true, false] {
                spawner.expect_stream(streams);
                let tell = tell.clone();
                hyper::rt::Executor::execute(&spawner, async move {
                    tell.send((streams, here())).unwrap();
                });
            }
            (here(), told)
        };
        let (own, told) = two.runtime.spawn(connection).await.unwrap();
        assert_eq!(own, "serve-1");
        let told = tokio::task::spawn_blocking(move || told.into_iter().collect::<Vec<_>>());
        for (streams, place) in told.await.unwrap() {
            assert_eq!(place.starts_with("serve-"), !streams, "{place}");
        }
        threads.stop().await;
    }
}
