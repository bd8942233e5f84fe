//! Moves what was committed from the write-ahead log into the file, beside the writer.
//!
//! Enters: how long the log is after each commit. Leaves: a log that stays short. A commit is
//! durable once it is in the log; moving it is work that no caller should wait for.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use rusqlite::Connection;
use rusqlite::hooks::Wal;

/// When pages of the log are moved.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// Pages from one move to the next.
    pub step: i32,
    /// With so many pages the writer moves what is left by itself: only while it writes nothing
    /// can the log begin anew, so that this bounds it.
    pub bound: i32,
}

impl Default for Pace {
    /// A step is SQLite's own; the bound is 32 MiB.
    fn default() -> Self {
        Self { step: 1000, bound: 8000 }
    }
}

/// A thread that moves pages while the writer goes on. It ends when it is dropped.
pub struct Checkpointer(Option<JoinHandle<()>>);

impl Checkpointer {
    /// Watches the log of `writer` and works with a connection of its own.
    ///
    /// # Errors
    /// Those of the system, which may have no thread left.
    pub fn start(writer: &mut Connection, own: Connection, pace: Pace) -> std::io::Result<Self> {
        let (wake, woken) = sync_channel(1);
        let thread = std::thread::Builder::new()
            .name("puente-log".into())
            .spawn(move || run(&own, &woken))?;
        writer.wal_hook(Some(watch(pace, wake))).map_err(std::io::Error::other)?;
        Ok(Self(Some(thread)))
    }

    /// Ends it; the log is the writer's alone from here on.
    pub fn end(&mut self, writer: &mut Connection) {
        // With the hook goes what wakes the thread. Without a hook nothing is moved any more
        // until the file is closed.
        if writer.wal_hook(None::<fn(&mut Wal, i32) -> rusqlite::Result<()>>).is_ok()
            && let Some(thread) = self.0.take()
        {
            // It does not panic; there is nothing to tell if it did.
            let _ended = thread.join();
        }
    }
}

fn watch(
    pace: Pace,
    wake: SyncSender<()>,
) -> impl FnMut(&mut Wal, i32) -> rusqlite::Result<()> + Send {
    let mut moved = 0;
    move |log, pages| {
        if pages < moved {
            // The log has begun anew.
            moved = 0;
        }
        if pages >= pace.bound {
            // If a reader or the thread is in the way, the next commit tries again.
            let _later = log.checkpoint();
        } else if pages - moved >= pace.step && wake.try_send(()).is_ok() {
            moved = pages;
        }
        Ok(())
    }
}

fn run(connection: &Connection, woken: &Receiver<()>) {
    while woken.recv().is_ok() {
        let moved = connection
            .prepare_cached("PRAGMA wal_checkpoint(PASSIVE)")
            .and_then(|mut statement| statement.query_row([], |_row| Ok(())));
        if let Err(reason) = moved {
            // The writer does it once the log has grown to its bound.
            tracing::warn!(%reason, "pages of the log could not be moved");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::connect;
    use super::*;

    fn open(path: &Path) -> Connection {
        connect(path, rusqlite::OpenFlags::default()).unwrap()
    }

    #[test]
    fn the_log_begins_anew_and_nothing_of_it_is_left_at_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("puente.db");
        let log = folder.path().join("puente.db-wal");
        let mut writer = open(&path);
        writer.execute_batch("CREATE TABLE t (x)").unwrap();
        let pace = Pace { step: 10, bound: 50 };
        let mut checkpointer = Checkpointer::start(&mut writer, open(&path), pace).unwrap();
        for n in 0..1000 {
            writer.execute("INSERT INTO t VALUES (?1 || hex(zeroblob(2000)))", [n]).unwrap();
        }
        let pages = std::fs::metadata(&log).unwrap().len() / 4096;
        assert!(pages < 500, "{pages} pages for over 1000 that were written");
        checkpointer.end(&mut writer);
        drop(writer);
        assert!(!log.exists(), "the last to close leaves one whole file");
        let lines: i64 =
            open(&path).query_row("SELECT COUNT(*) FROM t", [], |row| row.get(0)).unwrap();
        assert_eq!(lines, 1000);
    }
}
