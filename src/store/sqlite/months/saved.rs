//! Sums by month in a file beside the store, so that a start need not read all cells.
//!
//! Enters: the sums when the store is closed. Leaves: the same when it is opened next, if nothing
//! was written in between: the file says which ledger and which schema it is about, exactly, and
//! is not looked at for any other. It may be deleted at any time.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::PoisonError;
use std::sync::atomic::Ordering;

use rusqlite::Connection;

use super::{Held, Months, Written};
use crate::ledger::Hash;
use crate::store::cube::{Cube, Saved};
use crate::store::sqlite::{connect, group, read_only};

/// What comes before all else; another form of what follows gets another number.
const FORM: &str = "puente sums by month 1";

impl Months {
    /// Writes the sums down, if they are what the store holds at this moment.
    pub(super) fn save(&self) {
        let held = self.held();
        let Some(cube) = held.cube.as_ref().filter(|cube| cube.sums() > 0) else { return };
        let saved = || -> io::Result<()> {
            let (head, size) = self.reading().and_then(|c| head(&c)).map_err(io::Error::other)?;
            if size != self.complete(&held) {
                return Ok(());
            }
            let body = serde_json::to_vec(&(&held.counted, Saved::from(cube)))?;
            write(&beside(&self.path), &format!("{head} {}\n", Hash::leaf(&body)), &body)
        };
        if let Err(reason) = saved() {
            tracing::warn!(%reason, "sums by month could not be written; the next start reads cells");
        }
    }

    /// The sums as they were written down, and the ledger's size, if the store holds the same now.
    pub(super) fn restored(&self) -> Option<(u64, Held)> {
        let text = fs::read(beside(&self.path)).ok()?;
        let end = text.iter().position(|byte| *byte == b'\n')?;
        let (first, body) = (std::str::from_utf8(&text[..end]).ok()?, &text[end + 1..]);
        let (head, size) = self.reading().and_then(|c| head(&c)).ok()?;
        if first != format!("{head} {}", Hash::leaf(body)) {
            return None;
        }
        let (counted, saved): (_, Saved) = serde_json::from_slice(body).ok()?;
        let cube = Cube::try_from(saved).ok()?;
        Some((size, Held { cube: Some(cube), counted, read_at: size, ..Held::default() }))
    }

    /// The size of the ledger that the sums stand for, if all was taken in that came after they were
    /// read; 0 if not, or if others may have written meanwhile.
    fn complete(&self, held: &Held) -> u64 {
        let written = *self.written.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = self.upto.load(Ordering::SeqCst) >= self.announced.load(Ordering::SeqCst);
        match written {
            None => held.read_at,
            Some(Written { from, upto, alone }) if alone && taken && from <= held.read_at => {
                upto.max(held.read_at)
            }
            Some(_) => 0,
        }
    }

    fn reading(&self) -> rusqlite::Result<Connection> {
        connect(&self.path, read_only())
    }
}

/// What the store holds, in a line: its schema, and its ledger's size and root; the size once more.
fn head(connection: &Connection) -> rusqlite::Result<(String, u64)> {
    let snapshot = connection.unchecked_transaction()?;
    let schema: i64 =
        snapshot
            .query_row("SELECT MAX(version) FROM refinery_schema_history", [], |row| row.get(0))?;
    let tree = group::tree(&snapshot)?;
    let line = format!("{FORM} schema {schema} ledger {} {}", tree.size(), tree.root());
    Ok((line, tree.size()))
}

/// The file that stands beside the store.
fn beside(store: &Path) -> PathBuf {
    let mut name = OsString::from(store);
    name.push("-months");
    name.into()
}

/// Writes a file that is there as a whole or not at all.
fn write(path: &Path, first: &str, body: &[u8]) -> io::Result<()> {
    let mut draft = OsString::from(path);
    draft.push(format!(".{}", std::process::id()));
    let mut file = File::create(&draft)?;
    file.write_all(first.as_bytes())?;
    file.write_all(body)?;
    file.sync_all()?;
    fs::rename(&draft, path)
}
