//! What all commands that send files share: rows good and bad, progress, the last word.
//!
//! Enters: files and what the gateway said of their rows. Leaves: lines on standard error, and
//! the failure that ends a command some of whose rows were refused.

use std::io::IsTerminal as _;
use std::path::Path;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::csv::{CsvFile, Row, RowFault};
use super::failure::{Failure, Outcome};
use super::output::tell;
use crate::proto::puente::common::v1::Fault;

/// Every good row as `read` has it, and every bad one.
pub fn read_all<T>(
    file: &CsvFile,
    read: impl Fn(&Row<'_>) -> Result<T, RowFault>,
) -> Outcome<(Vec<T>, Vec<RowFault>)> {
    let mut rows = file.rows()?;
    let (mut good, mut bad) = (Vec::new(), Vec::new());
    while let Some(row) = rows.next() {
        match row.and_then(|row| read(&row)) {
            Ok(row) => good.push(row),
            Err(fault) => bad.push(fault),
        }
    }
    Ok((good, bad))
}

/// The fault of the row on `line` as the gateway told it.
pub fn row_fault(line: i64, fault: Option<Fault>) -> RowFault {
    let Fault { reason, field, message } = fault.unwrap_or_default();
    RowFault { line: u64::try_from(line).unwrap_or(0), column: field, reason, message }
}

/// The same fault as the gateway would have told it, for the JSON answer.
pub fn wire_fault(fault: &RowFault) -> Fault {
    Fault {
        reason: fault.reason.clone(),
        field: fault.column.clone(),
        message: fault.message.clone(),
    }
}

/// Lists bad rows on standard error, in the order of the file, and fails if there are any.
pub fn finish(path: &Path, mut bad: Vec<RowFault>) -> Outcome {
    if bad.is_empty() {
        return Ok(());
    }
    bad.sort_by_key(|fault| fault.line);
    for fault in &bad {
        tell(format_args!("{}: {fault}", path.display()));
    }
    Err(refused(path, bad.len() as u64))
}

/// The failure of a command that left `count` rows out.
pub fn refused(path: &Path, count: u64) -> Failure {
    let rows = if count == 1 { "1 row was" } else { &format!("{count} rows were") };
    Failure::new("ROWS_REFUSED", format!("{}: {rows} refused, see above", path.display()))
        .hint("the other rows are stored; mend these and run the command again: it does no harm")
}

/// A bar over `length` steps, on a terminal only.
pub fn progress(length: u64, what: &'static str) -> ProgressBar {
    let bar = ProgressBar::new(length);
    if !std::io::stderr().is_terminal() {
        bar.set_draw_target(ProgressDrawTarget::hidden());
    }
    if let Ok(style) = ProgressStyle::with_template("{prefix} [{bar:40}] {percent:>3}% {msg}") {
        bar.set_style(style.progress_chars("=> "));
    }
    bar.set_prefix(what);
    bar
}
