//! `puente doctor --rollups`: are the sums that are kept those of the stored lines?

use serde_json::{Value, json};

use super::{describe, shown};
use crate::cli::output;
use crate::config::Config;
use crate::gateway;
use crate::store::check::SumsCheck;

/// Makes all sums anew and compares; names `most` differences.
pub async fn check(config: &Config, most: usize) -> Result<SumsCheck, String> {
    let path = config.store_path();
    if config.store.is_none() && !path.exists() {
        return Err(format!("{} is missing", shown(&path)));
    }
    let store = gateway::store::open(config).await.map_err(|error| describe(&error))?;
    store.check_sums(most).await.map_err(|error| describe(&error))
}

/// The outcome in a sentence.
pub fn judged(outcome: &Result<SumsCheck, String>) -> Result<String, String> {
    let SumsCheck { lines, cells, reports, found, .. } = outcome.as_ref().map_err(Clone::clone)?;
    let seen = format!("{lines} lines, {cells} cells, {reports} reports");
    match found {
        0 => Ok(seen),
        found => Err(format!("{seen}: {found} sums are not those of the lines")),
    }
}

/// The outcome for programs.
pub fn json(check: &SumsCheck) -> Value {
    let differences: Vec<_> = check
        .differences
        .iter()
        .map(|one| {
            json!({"table": one.table, "row": one.row, "what": one.what, "kept": one.kept,
                   "lines": one.lines})
        })
        .collect();
    json!({
        "lines": check.lines.to_string(),
        "cells": check.cells.to_string(),
        "reports": check.reports.to_string(),
        "found": check.found.to_string(),
        "differences": differences,
    })
}

/// The differences for people; nothing if there is none.
pub fn table(check: &SumsCheck) -> String {
    if check.differences.is_empty() {
        return String::new();
    }
    let mut table = output::table(["Table", "Row", "What", "Kept", "By the lines"]);
    for one in &check.differences {
        table.add_row([one.table, &one.row, one.what, &one.kept, &one.lines]);
    }
    let more = check.found - check.differences.len() as u64;
    match more {
        0 => format!("{table}\n"),
        more => format!("{table}\nand {more} more\n"),
    }
}
