//! The record of every call and every refused handshake.
//!
//! Enters: outcomes. Leaves: one event on the tracing target `audit` each, and one JSON
//! line each in files under the data folder, which together never grow beyond a size. It
//! never waits: what the disk cannot take in time is counted as dropped. Changes are
//! recorded in the ledger as well, by the write path; this is for what changed nothing.

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

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
#[derive(Clone, Debug, Serialize)]
pub struct AuditRecord {
    /// When it began.
    pub at: Timestamp,
    /// `call` or `handshake`.
    pub event: &'static str,
    /// The gRPC method, `/package.Service/Method`; empty for a handshake.
    pub method: String,
    /// The partner, once known.
    pub partner: String,
    /// The gRPC code by name; `TLS_REFUSED` for a handshake.
    pub code: &'static str,
    /// The error's reason, empty on success.
    pub reason: String,
    /// Thumbprint of the certificate, as far as one was shown.
    pub certificate: String,
    /// Where it came from.
    pub address: String,
    /// The trace under which the log has more.
    pub trace_id: String,
    /// How long it took, microseconds.
    pub duration_us: u64,
}

/// Where records go; cheap to clone.
#[derive(Clone)]
pub struct AuditSink(Arc<Sink>);

struct Sink {
    lines: Option<SyncSender<AuditRecord>>,
    dropped: AtomicU64,
}

/// Records waiting for the disk.
const WAITING: usize = 16_384;

impl AuditSink {
    /// Records to `folder`, made if missing, by a thread of its own that ends with the last
    /// clone of the sink.
    ///
    /// # Errors
    /// If the folder or the first file cannot be made.
    pub fn to_folder(folder: &Path, settings: AuditSettings) -> io::Result<Self> {
        let files = Files::open(folder, settings)?;
        let (lines, waiting) = sync_channel(WAITING);
        std::thread::Builder::new().name("audit".into()).spawn(move || write(&waiting, files))?;
        Ok(Self(Arc::new(Sink { lines: Some(lines), dropped: AtomicU64::new(0) })))
    }

    /// Records to tracing only.
    pub fn to_tracing() -> Self {
        Self(Arc::new(Sink { lines: None, dropped: AtomicU64::new(0) }))
    }

    /// How many records the disk did not take in time.
    pub fn dropped(&self) -> u64 {
        self.0.dropped.load(Ordering::Relaxed)
    }

    /// Records one outcome; never waits.
    pub fn record(&self, mut record: AuditRecord) {
        for text in [&mut record.method, &mut record.reason] {
            if let std::borrow::Cow::Owned(clean) = one_line(text) {
                *text = clean;
            }
        }
        tracing::info!(
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
        );
        if let Some(lines) = &self.0.lines
            && lines.try_send(record).is_err()
        {
            self.0.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

fn write(waiting: &Receiver<AuditRecord>, mut files: Files) {
    while let Ok(first) = waiting.recv() {
        let mut batch = vec![first];
        batch.extend(waiting.try_iter().take(WAITING));
        if let Err(error) = files.append(&batch) {
            tracing::error!(target: "puente::audit", %error, lost = batch.len(), "audit file");
        }
    }
}

/// The file being written and those closed before it, oldest first.
struct Files {
    folder: PathBuf,
    settings: AuditSettings,
    closed: VecDeque<PathBuf>,
    current: BufWriter<File>,
    len: u64,
    next: u64,
}

impl Files {
    fn open(folder: &Path, settings: AuditSettings) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let mut numbers: Vec<u64> = fs::read_dir(folder)?
            .filter_map(|entry| number(&entry.ok()?.file_name().into_string().ok()?))
            .collect();
        numbers.sort_unstable();
        let last = numbers.pop().unwrap_or(0);
        let closed = numbers.into_iter().map(|n| path(folder, n)).collect();
        let (file, len) = append_to(&path(folder, last))?;
        let current = BufWriter::new(file);
        Ok(Self { folder: folder.to_owned(), settings, closed, current, len, next: last + 1 })
    }

    fn append(&mut self, batch: &[AuditRecord]) -> io::Result<()> {
        for record in batch {
            let mut line = serde_json::to_vec(record)?;
            line.push(b'\n');
            if self.len > 0 && self.len + line.len() as u64 > self.settings.file_bytes {
                self.rotate()?;
            }
            self.len += line.len() as u64;
            self.current.write_all(&line)?;
        }
        self.current.flush()
    }

    fn rotate(&mut self) -> io::Result<()> {
        self.current.flush()?;
        self.closed.push_back(path(&self.folder, self.next - 1));
        while self.closed.len() > self.settings.files_kept as usize {
            if let Some(oldest) = self.closed.pop_front() {
                fs::remove_file(oldest)?;
            }
        }
        let (file, len) = append_to(&path(&self.folder, self.next))?;
        self.current = BufWriter::new(file);
        self.len = len;
        self.next += 1;
        Ok(())
    }
}

fn append_to(path: &Path) -> io::Result<(File, u64)> {
    let mut options = OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o640);
    let file = options.open(path)?;
    let len = file.metadata()?.len();
    Ok((file, len))
}

fn path(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("audit-{number:08}.jsonl"))
}

fn number(name: &str) -> Option<u64> {
    name.strip_prefix("audit-")?.strip_suffix(".jsonl")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(reason: &str) -> AuditRecord {
        AuditRecord {
            at: Timestamp::UNIX_EPOCH,
            event: "call",
            method: "/puente.ledger.v1.LedgerService/GetCheckpoint".into(),
            partner: "auditor".into(),
            code: "OK",
            reason: reason.into(),
            certificate: String::new(),
            address: "127.0.0.1:1".into(),
            trace_id: String::new(),
            duration_us: 1,
        }
    }

    #[test]
    fn a_flood_keeps_to_its_size_and_the_newest_stay() {
        let folder = tempfile::tempdir().unwrap();
        let settings = AuditSettings { file_bytes: 1_000, files_kept: 2 };
        let mut files = Files::open(folder.path(), settings.clone()).unwrap();
        for n in 0..100 {
            files.append(&[record(&format!("R{n}"))]).unwrap();
        }
        let sizes: Vec<u64> = fs::read_dir(folder.path())
            .unwrap()
            .map(|e| e.unwrap().metadata().unwrap().len())
            .collect();
        assert_eq!(sizes.len(), 3);
        assert!(sizes.iter().all(|size| *size <= 1_000), "{sizes:?}");
        let again = Files::open(folder.path(), settings).unwrap();
        let last = fs::read_to_string(path(folder.path(), again.next - 1)).unwrap();
        assert!(last.lines().last().unwrap().contains("\"R99\""));
    }

    #[test]
    fn every_record_is_one_line_of_json() {
        let folder = tempfile::tempdir().unwrap();
        let sink = AuditSink::to_folder(folder.path(), AuditSettings::default()).unwrap();
        let mut hostile = record("X\r\n\u{202e}\x1b[2J");
        hostile.method = "/a\n{\"forged\":1}".into();
        sink.record(hostile);
        let file = path(folder.path(), 0);
        let text = loop {
            let text = fs::read_to_string(&file).unwrap();
            if text.ends_with('\n') {
                break text;
            }
            std::thread::yield_now();
        };
        assert_eq!(text.lines().count(), 1);
        let parsed: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(parsed["reason"], "X\\u{d}\\u{a}\\u{202e}\\u{1b}[2J");
    }
}
