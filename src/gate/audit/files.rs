//! The files of the record: one that is written, and those closed before it.
//!
//! Enters: whole lines. Leaves: files of a bounded size and number. It knows nothing of what
//! the lines say.

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::AuditSettings;

/// The file being written and those closed before it, oldest first.
pub(super) struct Files {
    folder: PathBuf,
    settings: AuditSettings,
    closed: VecDeque<PathBuf>,
    current: File,
    len: u64,
    next: u64,
}

impl Files {
    pub(super) fn open(folder: &Path, settings: AuditSettings) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let mut numbers: Vec<u64> = fs::read_dir(folder)?
            .filter_map(|entry| number(&entry.ok()?.file_name().into_string().ok()?))
            .collect();
        numbers.sort_unstable();
        let last = numbers.pop().unwrap_or(0);
        let closed = numbers.into_iter().map(|n| path(folder, n)).collect();
        let (current, len) = append_to(&path(folder, last))?;
        Ok(Self { folder: folder.to_owned(), settings, closed, current, len, next: last + 1 })
    }

    /// Appends whole lines; none is parted between two files.
    pub(super) fn append(&mut self, mut lines: &[u8]) -> io::Result<()> {
        while !lines.is_empty() {
            let room = self.settings.file_bytes.saturating_sub(self.len);
            let fits = whole_lines(lines, usize::try_from(room).unwrap_or(usize::MAX));
            let fits = match (fits, self.len) {
                // A line longer than a file has one to itself.
                (0, 0) => first_line(lines),
                (0, _) => {
                    self.rotate()?;
                    continue;
                }
                (fits, _) => fits,
            };
            let (now, later) = lines.split_at(fits);
            self.current.write_all(now)?;
            self.len += now.len() as u64;
            lines = later;
        }
        Ok(())
    }

    fn rotate(&mut self) -> io::Result<()> {
        self.closed.push_back(path(&self.folder, self.next - 1));
        while self.closed.len() > self.settings.files_kept as usize {
            if let Some(oldest) = self.closed.pop_front() {
                fs::remove_file(oldest)?;
            }
        }
        let (file, len) = append_to(&path(&self.folder, self.next))?;
        self.current = file;
        self.len = len;
        self.next += 1;
        Ok(())
    }
}

/// How many of the first `room` bytes are whole lines.
fn whole_lines(lines: &[u8], room: usize) -> usize {
    if lines.len() <= room {
        return lines.len();
    }
    lines[..room].iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1)
}

fn first_line(lines: &[u8]) -> usize {
    lines.iter().position(|byte| *byte == b'\n').map_or(lines.len(), |end| end + 1)
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

pub(super) fn path(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("audit-{number:08}.jsonl"))
}

fn number(name: &str) -> Option<u64> {
    name.strip_prefix("audit-")?.strip_suffix(".jsonl")?.parse().ok()
}
