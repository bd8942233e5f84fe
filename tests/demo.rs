//! The demo as a newcomer runs it: one process, the built-in data, every number checked.

use std::process::Command;

use serde_json::Value;

#[test]
fn the_whole_exchange_happens_and_every_check_holds() {
    let output = Command::new(env!("CARGO_BIN_EXE_puente"))
        .args(["demo", "--output", "json"])
        .output()
        .unwrap();
    let log = String::from_utf8_lossy(&output.stderr);
    let document: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|reason| panic!("standard output is no JSON document: {reason}\n{log}"));
    let failed: Vec<_> =
        array(&document["checks"]).iter().filter(|check| check["held"] != true).collect();
    assert!(failed.is_empty(), "{failed:#?}\n{log}");
    assert!(output.status.success(), "{log}");
    assert!(document["held"].as_u64().unwrap() > 430, "{}", document["held"]);

    let wines = found(&document, "wines in the top ten by amount");
    assert_eq!(wines, "7");
    assert_eq!(found(&document, "net of everything"), "10247 lines, 37322 pieces, 2269478.5483");
    assert_eq!(found(&document, "lines that were duplicates"), "10247");
    assert_eq!(found(&document, "a part is reported: the settlement of item 2"), "PARTIAL");
    assert_eq!(found(&document, "a day later: the settlement of item 1"), "OVERDUE");
    assert_eq!(found(&document, "a day later: why"), "CERTIFICATE");
    assert_eq!(found(&document, "listings that the extension lets in again"), "2");
    assert_eq!(
        found(&document, "lines marked, by name"),
        "EJEMPLO-TARDE-2 EJEMPLO-TARDE-3 EJEMPLO-TARDE-4"
    );
}

#[test]
fn a_folder_without_the_files_is_told_before_anything_starts() {
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_puente"))
        .args(["demo", "--data"])
        .arg(folder.path())
        .output()
        .unwrap();
    let log = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1));
    assert!(log.starts_with("error: DEMO_INPUT: ") && log.contains("rns_sample"), "{log}");
    assert!(output.stdout.is_empty());
}

fn found<'d>(document: &'d Value, name: &str) -> &'d str {
    let check = array(&document["checks"]).iter().find(|check| check["name"] == name);
    check.unwrap_or_else(|| panic!("no check is called {name}"))["found"].as_str().unwrap()
}

fn array(value: &Value) -> &Vec<Value> {
    value.as_array().unwrap()
}
