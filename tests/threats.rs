//! Keeps docs/threats.md true: every control it names is a file, every test it names is a test.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// One row of the table: threat, control, tests.
struct Row {
    line: usize,
    cells: Vec<String>,
}

#[test]
fn every_control_and_every_test_of_the_table_is_there() {
    let (rows, tests) = (rows(), tests());
    assert!(rows.len() > 50, "the table has only {} rows", rows.len());
    assert!(tests.len() > 200, "only {} tests were found", tests.len());
    let mut wrong = Vec::new();
    for Row { line, cells } in &rows {
        let mut fault = |what: String| wrong.push(format!("docs/threats.md:{line}: {what}"));
        let [_, control, test] = cells.as_slice() else {
            fault(format!("{} cells instead of threat, control, test", cells.len()));
            continue;
        };
        let (files, named) = (quoted(control), quoted(test));
        if files.is_empty() {
            fault("no file is named for the control".into());
        }
        for file in files.iter().filter(|file| !root().join(file).exists()) {
            fault(format!("there is no file {file}"));
        }
        if named.is_empty() {
            fault("no test is named".into());
        }
        for name in named.iter().filter(|name| !tests.contains(**name)) {
            fault(format!("there is no test {name}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_does_not_hold_yet_is_listed_apart() {
    let text = text();
    let (holds, not_yet) = text.split_once("## Not yet\n").expect("the section `Not yet`");
    assert!(holds.contains("## What holds\n"));
    let items: Vec<_> = not_yet.lines().filter(|line| line.starts_with("- ")).collect();
    assert!(!items.is_empty());
    let tests = tests();
    for item in items {
        let named = quoted(item).into_iter().find(|name| tests.contains(*name));
        assert!(named.is_none(), "a test stands for what does not hold yet: {item}");
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn text() -> String {
    fs::read_to_string(root().join("docs/threats.md")).unwrap()
}

/// The rows of the tables, without their heads.
fn rows() -> Vec<Row> {
    let cells = |row: &str| -> Vec<String> {
        row.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect()
    };
    text()
        .lines()
        .zip(1..)
        .filter(|(line, _)| line.starts_with('|') && !line.starts_with("| Threat"))
        .filter(|(line, _)| !line.trim_matches(|c| matches!(c, '|' | '-' | ' ')).is_empty())
        .map(|(line, number)| Row { line: number, cells: cells(line) })
        .collect()
}

/// What stands between backquotes.
fn quoted(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

/// Every test by the name under which `cargo nextest list` shows it, and the functions of the
/// foreign checks as `FILE::FUNCTION`.
fn tests() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for folder in ["src", "tests"] {
        let base = root().join(folder);
        for path in files(&base, "rs") {
            let inside = path.strip_prefix(&base).unwrap().with_extension("");
            let module = inside.to_str().unwrap().replace('/', "::");
            collect(
                &fs::read_to_string(&path).unwrap(),
                module.trim_end_matches("::mod"),
                &mut found,
            );
        }
    }
    for path in files(&root().join("tests/foreign"), "py") {
        let name = path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
        let text = fs::read_to_string(&path).unwrap();
        let functions = text.lines().filter_map(|line| line.strip_prefix("def "));
        found.extend(functions.map(|rest| format!("{name}::{}", word(rest))));
    }
    found
}

fn files(folder: &Path, kind: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.ends_with("node_modules") {
            found.extend(files(&path, kind));
        } else if path.extension().is_some_and(|extension| extension == kind) {
            found.push(path);
        }
    }
    found
}

/// The tests in one file of Rust.
fn collect(text: &str, module: &str, found: &mut BTreeSet<String>) {
    // A file `a_tests.rs` is the module `tests` of `a` as often as one of its own.
    let modules = [module.to_owned(), module.replace("_tests", "::tests")];
    let (mut inner, mut announced) = ("", false);
    for line in text.lines() {
        let code = line.trim_start();
        if line.starts_with("mod tests {") {
            inner = "::tests";
        } else if code.starts_with("#[test]") || code.starts_with("#[tokio::test") {
            announced = true;
        } else if let Some(rest) =
            code.strip_prefix("fn ").or_else(|| code.strip_prefix("async fn "))
        {
            if std::mem::take(&mut announced) {
                found.extend(
                    modules.iter().map(|module| format!("{module}{inner}::{}", word(rest))),
                );
            }
        } else if module == "store::suite"
            && let Some((_, name)) = code.trim_end_matches(',').split_once("::")
            && name.bytes().all(|c| c.is_ascii_lowercase() || c == b'_')
        {
            // Each promise of the suite is a test of every store.
            found.insert(format!("store::suite::sqlite::{name}"));
        }
    }
}

fn word(text: &str) -> &str {
    text.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default()
}
