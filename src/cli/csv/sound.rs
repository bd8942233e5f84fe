//! A file read once from end to end: its encoding, its length, its hash.
//!
//! Enters: a path. Leaves: [`Soundness`], or the line of the first byte that is not UTF-8.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::Path;

use aws_lc_rs::digest::{Context, SHA256};

use crate::cli::failure::{Failure, Outcome};
use crate::cli::request_id::ContentHash;

/// The UTF-8 byte order mark that some spreadsheets put first.
const MARK: [u8; 3] = [0xef, 0xbb, 0xbf];

pub(super) struct Soundness {
    pub(super) hash: ContentHash,
    pub(super) length: u64,
}

impl Soundness {
    pub(super) fn of(path: &Path) -> Outcome<Self> {
        let failed = |reason: io::Error| Failure::file(path, reason);
        let mut file = File::open(path).map_err(failed)?;
        let mut context = Context::new(&SHA256);
        let mut buffer = vec![0; 256 * 1024];
        // Bytes of a character that the last read cut in two.
        let mut kept = 0;
        let (mut length, mut lines) = (0, 1_u64);
        loop {
            let read = file.read(&mut buffer[kept..]).map_err(failed)?;
            context.update(&buffer[kept..kept + read]);
            length += read as u64;
            let filled = kept + read;
            let checked = match std::str::from_utf8(&buffer[..filled]) {
                Ok(_) => filled,
                Err(fault) if fault.error_len().is_none() && read > 0 => fault.valid_up_to(),
                Err(fault) => {
                    let line = lines + line_feeds(&buffer[..fault.valid_up_to()]);
                    return Err(Failure::new(
                        "INVALID_FILE",
                        format!("{}:{line}: not UTF-8; save the file as UTF-8", path.display()),
                    )
                    .hint("nothing was sent; mend the file and run the command again"));
                }
            };
            lines += line_feeds(&buffer[..checked]);
            buffer.copy_within(checked..filled, 0);
            kept = filled - checked;
            if read == 0 {
                break;
            }
        }
        let mut hash = [0; 32];
        hash.copy_from_slice(context.finish().as_ref());
        Ok(Self { hash, length })
    }
}

/// Moves past the byte order mark, if the file begins with one.
pub(super) fn skip_mark(file: &mut File) -> io::Result<()> {
    let mut first = [0; 3];
    let read = file.read(&mut first)?;
    if read < 3 || first != MARK {
        file.seek(SeekFrom::Start(0))?;
    }
    Ok(())
}

fn line_feeds(bytes: &[u8]) -> u64 {
    bytes.iter().filter(|byte| **byte == b'\n').count() as u64
}
