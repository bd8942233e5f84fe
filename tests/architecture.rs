//! Holds the order of dependence: each module knows only what stands to its right.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// From left to right; modules in one group do not know each other.
const ORDER: &[&[&str]] = &[
    &["main"],
    &["cli"],
    &["gateway"],
    &["config"],
    &["telemetry"],
    &["rpc", "oauth"],
    &["gate"],
    &["status"],
    &["proto", "pki"],
    &["app"],
    &["store"],
    &["change"],
    &["error"],
    &["ledger"],
    &["domain"],
    &["clock"],
];

/// Crates that a module and all to its right must not know.
const FOREIGN: &[(&str, &[&str])] = &[
    ("app", &["tonic", "tonic_types", "prost", "prost_types", "axum", "hyper", "rustls"]),
    ("ledger", &["tokio", "rusqlite", "tokio_postgres"]),
    ("domain", &["tokio", "rusqlite", "tokio_postgres"]),
];

fn rank(module: &str) -> usize {
    ORDER
        .iter()
        .position(|group| group.contains(&module))
        .unwrap_or_else(|| panic!("module {module} has no place in the order: give it one"))
}

fn sources() -> Vec<(String, PathBuf, String)> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|kind| kind == "rs") {
                found.push(path);
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    walk(&root, &mut found);
    found
        .into_iter()
        .filter(|path| !path.ends_with("src/lib.rs"))
        .map(|path| {
            let inside = path.strip_prefix(&root).unwrap();
            let first = inside.components().next().unwrap().as_os_str().to_str().unwrap();
            let module = first.trim_end_matches(".rs").to_owned();
            let text = fs::read_to_string(&path).unwrap();
            (module, path, text)
        })
        .collect()
}

/// Code without comments and without the tests at its end.
fn code(text: &str) -> String {
    let before_tests = text.split("#[cfg(test)]\nmod ").next().unwrap_or(text);
    before_tests
        .lines()
        .map(|line| line.split("//").next().unwrap_or(""))
        .collect::<Vec<_>>()
        .join("\n")
}

fn is_test(path: &Path) -> bool {
    let name = path.file_name().unwrap().to_str().unwrap();
    name.contains("test")
        || name == "suite.rs"
        || path.components().any(|c| c.as_os_str() == "suite" || c.as_os_str() == "tests")
}

#[test]
fn each_module_knows_only_what_stands_to_its_right() {
    let mut wrong = BTreeSet::new();
    for (module, path, text) in sources() {
        if is_test(&path) {
            continue;
        }
        let mine = rank(&module);
        let code = code(&text);
        for (at, _) in code.match_indices("crate::") {
            let rest = &code[at + "crate::".len()..];
            let other: String =
                rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            if other.is_empty() || other == module {
                continue;
            }
            if rank(&other) <= mine {
                wrong.insert(format!("{} uses crate::{other}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "wrong way:\n{}", wrong.into_iter().collect::<Vec<_>>().join("\n"));
}

#[test]
fn inner_modules_know_no_transport_and_no_sql() {
    let mut wrong = Vec::new();
    for (module, path, text) in sources() {
        if is_test(&path) {
            continue;
        }
        let code = code(&text);
        for (from, crates) in FOREIGN {
            if rank(&module) < rank(from) || matches!(module.as_str(), "clock" | "proto" | "pki") {
                continue;
            }
            for foreign in *crates {
                if code.contains(&format!("{foreign}::")) {
                    wrong.push(format!("{} uses {foreign}", path.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "knows too much:\n{}", wrong.join("\n"));
}

#[test]
fn only_the_gate_makes_a_caller() {
    let makers: Vec<_> = sources()
        .into_iter()
        .filter(|(module, path, text)| {
            module != "gate"
                && module != "domain"
                && !is_test(path)
                && code(text).contains("Caller::admitted")
        })
        .map(|(_, path, _)| path)
        .collect();
    assert!(makers.is_empty(), "a Caller is made outside the gate: {makers:?}");
}

#[test]
fn files_stay_small() {
    let long: Vec<_> = sources()
        .into_iter()
        .map(|(_, path, text)| (path, code(&text).lines().count()))
        .filter(|(path, lines)| *lines > 400 && !is_test(path))
        .collect();
    assert!(long.is_empty(), "over 400 lines: {long:?}");
}
