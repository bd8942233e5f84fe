//! The record of every call and every refused handshake.
//!
//! Enters: outcomes. Leaves: one JSON line each in files under the data folder, which together
//! never grow beyond a size; what was refused is one event on the tracing target `audit` besides.
//! It never waits: lines are gathered for a moment and written together, and what does not fit
//! the queue meanwhile is counted as dropped. A process that is killed loses what it gathered in
//! its last moment ([`GATHERED_FOR`]), one that is told to stop loses nothing. Changes are
//! recorded in the ledger as well, by the write path; this is for what changed nothing.

mod files;
mod line;

use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use self::files::Files;
use super::escape::one_line;

/// How much of the record is kept in files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AuditSettings {
    /// A file is closed when it has this many bytes. Default 64 MiB.
    pub file_bytes: u64,
    /// Closed files kept; the oldest goes first. Default 15, so about 1 GiB in all.
    pub files_kept: u32,
}

impl Default for AuditSettings {
    fn default() -> Self {
        Self { file_bytes: 64 * 1024 * 1024, files_kept: 15 }
    }
}

/// What happened to one call or one handshake.
#[derive(Clone, Copy, Debug)]
pub struct AuditRecord<'a> {
    /// When it began.
    pub at: Timestamp,
    /// `call` or `handshake`.
    pub event: &'static str,
    /// The gRPC method, `/package.Service/Method`; empty for a handshake.
    pub method: &'a str,
    /// The partner, once known.
    pub partner: &'a str,
    /// The gRPC code by name; `TLS_REFUSED` for a handshake.
    pub code: &'static str,
    /// The error's reason, empty on success.
    pub reason: &'a str,
    /// Thumbprint of the certificate, as far as one was shown.
    pub certificate: &'a str,
    /// Where it came from.
    pub address: &'a str,
    /// The trace under which the log has more.
    pub trace_id: &'a str,
    /// How long it took, microseconds.
    pub duration_us: u64,
}

/// How long lines are gathered before they are written; a killed process loses no more.
pub const GATHERED_FOR: Duration = Duration::from_millis(20);

/// Bytes of lines that may wait for the disk: some 20,000 records.
const ROOM: usize = 8 * 1024 * 1024;

/// Where records go; cheap to clone.
#[derive(Clone)]
pub struct AuditSink(Arc<Sink>);

struct Sink {
    /// None: to tracing only.
    queue: Option<Arc<Queue>>,
    writer: Mutex<Option<JoinHandle<()>>>,
    dropped: AtomicU64,
}

/// Lines on their way to the thread that writes them.
#[derive(Default)]
struct Queue {
    waiting: Mutex<Waiting>,
    wake: Condvar,
}

#[derive(Default)]
struct Waiting {
    lines: Vec<u8>,
    finished: bool,
}

impl AuditSink {
    /// Records to `folder`, made if missing, by a thread of its own that ends with
    /// [`finish`](Self::finish) or the last clone of the sink.
    ///
    /// # Errors
    /// If the folder or the first file cannot be made.
    pub fn to_folder(folder: &Path, settings: AuditSettings) -> io::Result<Self> {
        let files = Files::open(folder, settings)?;
        let queue = Arc::new(Queue::default());
        let writes = {
            let queue = queue.clone();
            move || write(&queue, files)
        };
        let writer = std::thread::Builder::new().name("audit".into()).spawn(writes)?;
        Ok(Self(Arc::new(Sink {
            queue: Some(queue),
            writer: Mutex::new(Some(writer)),
            dropped: AtomicU64::new(0),
        })))
    }

    /// Records to tracing only.
    pub fn to_tracing() -> Self {
        Self(Arc::new(Sink { queue: None, writer: Mutex::default(), dropped: AtomicU64::new(0) }))
    }

    /// How many records the disk did not take in time, or that came after the end.
    pub fn dropped(&self) -> u64 {
        self.0.dropped.load(Ordering::Relaxed)
    }

    /// Records one outcome; never waits.
    pub fn record(&self, record: &AuditRecord<'_>) {
        let (method, reason) = (one_line(record.method), one_line(record.reason));
        let record = AuditRecord { method: &method, reason: &reason, ..*record };
        tell(&record);
        let Some(queue) = &self.0.queue else { return };
        if !line::with(&record, |line| queue.push(line)) {
            self.0.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Takes no more records, and returns when all there are have been handed to the operating
    /// system. Blocks for as long as the disk does.
    pub fn finish(&self) {
        self.0.finish();
    }
}

impl Sink {
    fn finish(&self) {
        if let Some(queue) = &self.queue {
            queue.lock().finished = true;
            queue.wake.notify_all();
        }
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(writer) = writer {
            // It has nothing to say if it ended by a panic: the hook told of it.
            let _ended = writer.join();
        }
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.finish();
    }
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// False if there is no room.
    fn push(&self, line: &[u8]) -> bool {
        let mut waiting = self.lock();
        let (before, after) = (waiting.lines.len(), waiting.lines.len() + line.len());
        if waiting.finished || after > ROOM {
            return false;
        }
        waiting.lines.extend_from_slice(line);
        drop(waiting);
        // To wake a thread costs as much as a call: the first line does, and one half-way.
        if before == 0 || (before < ROOM / 2 && after >= ROOM / 2) {
            self.wake.notify_one();
        }
        true
    }

    /// Swaps the lines of a moment for `taken`, which must be empty; false at the end.
    fn take(&self, taken: &mut Vec<u8>) -> bool {
        let idle = |waiting: &mut Waiting| waiting.lines.is_empty() && !waiting.finished;
        let waiting = self.wake.wait_while(self.lock(), idle);
        let waiting = waiting.unwrap_or_else(PoisonError::into_inner);
        let more = |waiting: &mut Waiting| waiting.lines.len() < ROOM / 2 && !waiting.finished;
        let gathered = self.wake.wait_timeout_while(waiting, GATHERED_FOR, more);
        let mut waiting = gathered.unwrap_or_else(PoisonError::into_inner).0;
        std::mem::swap(&mut waiting.lines, taken);
        !taken.is_empty()
    }
}

fn write(queue: &Queue, mut files: Files) {
    let mut lines = Vec::new();
    while queue.take(&mut lines) {
        if let Err(error) = files.append(&lines) {
            let lost = lines.iter().filter(|byte| **byte == b'\n').count();
            tracing::error!(target: "puente::audit", %error, lost, "audit file");
        }
        lines.clear();
    }
}

/// What went well is in the files; what was refused is told in the log as well.
fn tell(record: &AuditRecord<'_>) {
    macro_rules! event {
        ($level:ident) => {
            tracing::$level!(
                target: "audit",
                event = record.event,
                method = record.method,
                partner = record.partner,
                code = record.code,
                reason = record.reason,
                certificate = record.certificate,
                address = record.address,
                trace_id = record.trace_id,
                duration_us = record.duration_us,
            )
        };
    }
    if record.code == "OK" { event!(debug) } else { event!(info) }
}

#[cfg(test)]
mod tests;
