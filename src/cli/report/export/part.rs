//! A file on its way: FILE.part, and beside it the place up to which it is sound.
//!
//! Enters: bytes, each time with the cursor after them. Leaves: FILE, in one step, when all are
//! there. However a command ends, the next one cuts FILE.part to what was noted last and goes on
//! from that cursor; what had come since comes again.

use std::fs::{File, OpenOptions};
use std::io::{self, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::cli::output::tell;
use crate::cli::{Failure, Outcome};

/// How many messages come between two notes.
const NOTE_EVERY: u32 = 16;

/// How far an export is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Place {
    /// Where it goes on; empty at the beginning.
    pub(super) cursor: String,
    /// How many lines came up to here.
    pub(super) lines: i64,
    /// What it shows.
    pub(super) ledger_size: i64,
    /// Whether these are all.
    pub(super) done: bool,
}

/// What is noted of a part.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Mark {
    /// Which export it is of.
    export: String,
    /// How many bytes of it are sound.
    bytes: u64,
    /// Where the export is after them.
    place: Place,
}

/// A file on its way.
pub(super) struct Part {
    to: PathBuf,
    file: File,
    mark: Mark,
    since: u32,
    /// Bytes that are not written yet.
    waiting: Vec<u8>,
}

impl Part {
    /// Opens the part of `to`, cut to what is sound of it; `export` says what it is of.
    ///
    /// # Errors
    /// `OTHER_EXPORT` if what is there is of another; `FILE_UNUSABLE`, also if another command
    /// fills it.
    pub(super) fn open(to: &Path, export: &str) -> Outcome<(Self, Place)> {
        let path = beside(to, ".part");
        let failed = |reason: io::Error| Failure::file(&path, reason);
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(failed)?;
        file.try_lock().map_err(|_| Failure::file(&path, "another command is filling it"))?;
        let mut mark = noted(&beside(to, ".part.cursor"))?;
        if !mark.export.is_empty() && mark.export != export {
            return Err(Failure::new(
                "OTHER_EXPORT",
                format!(
                    "{} was begun by another command: other lines, another format, another \
                     partner or another gateway",
                    path.display()
                ),
            )
            .hint("run that command again, remove the file, or name another one by --to"));
        }
        if file.metadata().map_err(failed)?.len() < mark.bytes {
            tell(format_args!("{} is not what it was: beginning anew", path.display()));
            mark = Mark::default();
        }
        mark.export = export.to_owned();
        file.set_len(mark.bytes).map_err(failed)?;
        file.seek(SeekFrom::End(0)).map_err(failed)?;
        let place = mark.place.clone();
        Ok((Self { to: to.to_owned(), file, mark, since: 0, waiting: Vec::new() }, place))
    }

    /// Whether nothing is in it.
    pub(super) fn is_empty(&self) -> bool {
        self.mark.bytes == 0
    }

    /// Puts what a file begins with before everything else.
    pub(super) fn begin(&mut self, head: &[u8]) {
        self.waiting.extend_from_slice(head);
    }

    /// Adds bytes, after which the export is at `place`.
    pub(super) fn append(&mut self, bytes: &[u8], place: Place) -> Outcome {
        self.waiting.extend_from_slice(bytes);
        self.write()?;
        self.mark.place = place;
        self.since += 1;
        if self.since >= NOTE_EVERY { self.note() } else { Ok(()) }
    }

    fn write(&mut self) -> Outcome {
        self.file.write_all(&self.waiting).map_err(|reason| self.failed(reason))?;
        self.mark.bytes += self.waiting.len() as u64;
        self.waiting.clear();
        Ok(())
    }

    /// Notes how far the part is, once that much of it is on disk.
    pub(super) fn note(&mut self) -> Outcome {
        if self.mark.place.cursor.is_empty() {
            return Ok(());
        }
        self.file.sync_data().map_err(|reason| self.failed(reason))?;
        let path = beside(&self.to, ".part.cursor");
        let text = serde_json::to_vec(&self.mark).unwrap_or_default();
        replace(&path, |file| file.write_all(&text))
            .map_err(|reason| Failure::file(&path, reason))?;
        self.since = 0;
        Ok(())
    }

    /// The part becomes the file.
    pub(super) fn become_whole(self) -> Outcome<Place> {
        let path = beside(&self.to, ".part");
        std::fs::rename(&path, &self.to).map_err(|reason| Failure::file(&self.to, reason))?;
        self.forget();
        Ok(self.mark.place)
    }

    /// `write` makes the file of the part.
    pub(super) fn become_other(
        mut self,
        write: impl FnOnce(&mut File, &mut File) -> Outcome,
    ) -> Outcome<Place> {
        self.file.seek(SeekFrom::Start(0)).map_err(|reason| self.failed(reason))?;
        let part = &mut self.file;
        let mut outcome = Ok(());
        let replaced = replace(&self.to, |file| {
            outcome = write(part, file);
            outcome.is_ok().then_some(()).ok_or_else(|| io::Error::other("not written"))
        });
        outcome?;
        replaced.map_err(|reason| Failure::file(&self.to, reason))?;
        self.forget();
        // The file is whole: a part that cannot be removed is in nobody's way.
        let _ = std::fs::remove_file(beside(&self.to, ".part"));
        Ok(self.mark.place)
    }

    /// A note without its part means nothing, so it does not matter if it stays.
    fn forget(&self) {
        let _ = std::fs::remove_file(beside(&self.to, ".part.cursor"));
    }

    fn failed(&self, reason: io::Error) -> Failure {
        Failure::file(&beside(&self.to, ".part"), reason)
    }
}

/// What was noted; nothing if there is no note.
fn noted(path: &Path) -> Outcome<Mark> {
    let text = match std::fs::read(path) {
        Ok(text) => text,
        Err(reason) if reason.kind() == io::ErrorKind::NotFound => return Ok(Mark::default()),
        Err(reason) => return Err(Failure::file(path, reason)),
    };
    serde_json::from_slice(&text)
        .map_err(|reason| Failure::file(path, reason).hint("remove it, and the export begins anew"))
}

/// Writes a file beside `path` and puts it in its place in one step, once it is on disk.
fn replace(path: &Path, write: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<()> {
    let new = beside(path, ".new");
    let mut file = File::create(&new)?;
    write(&mut file)?;
    file.sync_all()?;
    std::fs::rename(&new, path)
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(cursor: &str, lines: i64) -> Place {
        Place { cursor: cursor.into(), lines, ledger_size: 9, done: false }
    }

    #[test]
    fn a_part_is_cut_to_what_was_noted_and_goes_on_there() {
        let folder = tempfile::tempdir().unwrap();
        let to = folder.path().join("e.csv");
        let (mut part, begun) = Part::open(&to, "one").unwrap();
        assert!(part.is_empty() && begun.cursor.is_empty());
        assert_eq!(Part::open(&to, "one").err().unwrap().reason, "FILE_UNUSABLE", "in use");
        part.begin(b"head\n");
        part.append(b"1\n2\n", place("c2", 2)).unwrap();
        part.note().unwrap();
        part.append(b"3\n4", place("c4", 4)).unwrap();
        drop(part);

        assert_eq!(Part::open(&to, "another").err().unwrap().reason, "OTHER_EXPORT");
        let (mut part, found) = Part::open(&to, "one").unwrap();
        assert_eq!((found.cursor.as_str(), found.lines, part.is_empty()), ("c2", 2, false));
        part.append(b"3\n", Place { done: true, ..place("c3", 3) }).unwrap();
        part.note().unwrap();
        assert!(!to.exists());
        let end = part.become_whole().unwrap();
        assert_eq!((end.lines, end.ledger_size, end.done), (3, 9, true));
        assert_eq!(std::fs::read_to_string(&to).unwrap(), "head\n1\n2\n3\n");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside");
    }

    #[test]
    fn what_cannot_be_gone_on_with_begins_anew() {
        let folder = tempfile::tempdir().unwrap();
        let to = folder.path().join("e.csv");
        // A part without a note.
        std::fs::write(beside(&to, ".part"), "half a ro").unwrap();
        let (mut part, begun) = Part::open(&to, "one").unwrap();
        assert!(part.is_empty() && begun.cursor.is_empty());
        part.append(b"1\n2\n", place("c2", 2)).unwrap();
        part.note().unwrap();
        drop(part);
        // A part that lost what was noted.
        std::fs::write(beside(&to, ".part"), "1").unwrap();
        let (part, begun) = Part::open(&to, "one").unwrap();
        assert!(part.is_empty() && begun.cursor.is_empty());
        drop(part);
        std::fs::write(beside(&to, ".part.cursor"), "{").unwrap();
        assert_eq!(Part::open(&to, "one").err().unwrap().reason, "FILE_UNUSABLE");
    }

    #[test]
    fn a_file_made_of_its_part_takes_its_place_only_when_it_is_whole() {
        let folder = tempfile::tempdir().unwrap();
        let to = folder.path().join("e.parquet");
        let (mut part, _) = Part::open(&to, "one").unwrap();
        part.append(b"abc", Place { done: true, ..place("c", 1) }).unwrap();
        part.note().unwrap();
        let refused = part.become_other(|_, _| Err(Failure::new("NO", "no"))).err().unwrap();
        assert_eq!(refused.reason, "NO");
        assert!(!to.exists());
        let (part, found) = Part::open(&to, "one").unwrap();
        assert!(found.done, "nothing needs to come again");
        part.become_other(|part, file| {
            io::copy(part, file).map(|_| ()).map_err(|e| Failure::new("IO", e.to_string()))
        })
        .unwrap();
        assert_eq!(std::fs::read(&to).unwrap(), b"abc");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside");
    }
}
