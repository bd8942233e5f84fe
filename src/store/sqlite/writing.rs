//! The one connection that writes, and who has it when.
//!
//! Enters: groups of changes, and batches to be judged only. Leaves: what became of them. Groups of
//! the write path are committed on a thread of its own; whoever else asks waits until it is their
//! turn, which comes between two groups.

use std::convert::Infallible;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, PoisonError};
use std::thread::JoinHandle;

use rusqlite::Connection;
use tokio::sync::Mutex;

use super::checkpointer::{Checkpointer, Pace};
use super::group::{self, Memory};
use super::months::Months;
use super::{connect, unusable};
use crate::change::{BatchAnswer, LineBatch};
use crate::error::{Error, Result};
use crate::store::writer::Groups;
use crate::store::{Group, Judged};

/// The connection that writes. Dropping it waits until the connection is closed.
pub struct Writing {
    /// `None` only while it is dropped. Its queue is fair.
    pen: Option<Arc<Mutex<Pen>>>,
    following: std::sync::Mutex<Vec<JoinHandle<()>>>,
    closed: std::sync::Mutex<Receiver<Infallible>>,
}

/// What it takes to write.
struct Pen {
    connection: Connection,
    memory: Memory,
    checkpointer: Checkpointer,
    // Last, so that it goes once the connection is closed.
    _open: Sender<Infallible>,
}

impl Writing {
    /// Over `connection` to the store in file `path`; `months` are told what is committed.
    pub fn start(mut connection: Connection, path: &Path, months: Arc<Months>) -> Result<Self> {
        let own = connect(path, rusqlite::OpenFlags::default()).map_err(|e| unusable(path, &e))?;
        let checkpointer = Checkpointer::start(&mut connection, own, Pace::default())
            .map_err(|e| Error::internal(format!("thread for the log: {e}")))?;
        let (_open, closed) = channel();
        let pen = Pen { connection, memory: Memory::beside(months), checkpointer, _open };
        Ok(Self {
            pen: Some(Arc::new(Mutex::new(pen))),
            following: std::sync::Mutex::default(),
            closed: std::sync::Mutex::new(closed),
        })
    }

    /// Commits a group off the async threads.
    pub async fn commit(&self, group: Group) -> Result<Vec<Judged>> {
        self.write(move |pen| pen.commit(group)).await
    }

    /// What a batch would be answered, leaving no trace.
    pub async fn preview(&self, batch: Arc<LineBatch>) -> Result<BatchAnswer> {
        self.write(move |pen| group::preview(&mut pen.connection, &batch)).await
    }

    /// Commits groups on a thread of their own until no more can come.
    pub fn follow(&self, mut groups: Groups) -> Result<()> {
        let pen = self.pen()?;
        let thread = std::thread::Builder::new().name("puente-writer".into()).spawn(move || {
            while let Some((group, answers)) = groups.next_blocking() {
                let outcome = outliving_panics(|| pen.blocking_lock().commit(group));
                answers.give(outcome);
            }
        });
        let thread = thread.map_err(|e| Error::internal(format!("writer thread: {e}")))?;
        self.following.lock().unwrap_or_else(PoisonError::into_inner).push(thread);
        Ok(())
    }

    /// Waits until all groups are committed that its threads follow.
    pub fn finish(&self) {
        let threads =
            std::mem::take(&mut *self.following.lock().unwrap_or_else(PoisonError::into_inner));
        for thread in threads {
            // It catches panics by itself; there is nothing to tell if it ended by one.
            let _ended = thread.join();
        }
    }

    async fn write<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut Pen) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let mut pen = self.pen()?.lock_owned().await;
        // Whoever goes away meanwhile learns the outcome by its request key.
        tokio::task::spawn_blocking(move || outliving_panics(|| job(&mut pen)))
            .await
            .map_err(|e| Error::internal(format!("writer: {e}")))?
    }

    fn pen(&self) -> Result<Arc<Mutex<Pen>>> {
        self.pen.clone().ok_or_else(|| Error::internal("the store is closed"))
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        self.finish();
        drop(self.pen.take());
        // Ends once nobody holds the pen any more; nothing is ever sent.
        let _closed = self.closed.get_mut().unwrap_or_else(PoisonError::into_inner).recv();
    }
}

impl Pen {
    fn commit(&mut self, group: Group) -> Result<Vec<Judged>> {
        group::commit(&mut self.connection, &mut self.memory, group)
    }
}

impl Drop for Pen {
    fn drop(&mut self) {
        self.checkpointer.end(&mut self.connection);
    }
}

/// A panic undoes its transaction while it unwinds, and must not end the one write path.
fn outliving_panics<T>(job: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(job))
        .unwrap_or_else(|_| Err(Error::internal("the writer panicked")))
}
