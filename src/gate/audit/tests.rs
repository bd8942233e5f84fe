use std::fs;

use super::*;

fn record(reason: &str) -> AuditRecord<'_> {
    AuditRecord {
        at: Timestamp::UNIX_EPOCH,
        event: "call",
        method: "/puente.ledger.v1.LedgerService/GetCheckpoint",
        partner: "auditor",
        code: "OK",
        reason,
        certificate: "",
        address: "127.0.0.1:1",
        trace_id: "",
        duration_us: 1,
    }
}

fn lines(records: impl Iterator<Item = String>) -> Vec<u8> {
    let mut all = Vec::new();
    for reason in records {
        line::with(&record(&reason), |line| all.extend_from_slice(line));
    }
    all
}

fn kept(folder: &Path) -> Vec<serde_json::Value> {
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    paths.sort();
    let texts = paths.iter().map(|path| fs::read_to_string(path).unwrap());
    let parsed = |text: String| -> Vec<serde_json::Value> {
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    texts.flat_map(parsed).collect()
}

#[test]
fn a_flood_keeps_to_its_size_and_the_newest_stay() {
    let folder = tempfile::tempdir().unwrap();
    let settings = AuditSettings { file_bytes: 1_000, files_kept: 2 };
    let mut files = Files::open(folder.path(), settings.clone()).unwrap();
    // Some at once and some alone, so that a batch is parted between files, at its lines only.
    for n in 0..50 {
        files.append(&lines((0..n % 7).map(|m| format!("R{n}-{m}")))).unwrap();
    }
    files.append(&lines(["last".to_owned()].into_iter())).unwrap();
    let sizes: Vec<u64> = fs::read_dir(folder.path())
        .unwrap()
        .map(|e| e.unwrap().metadata().unwrap().len())
        .collect();
    assert_eq!(sizes.len(), 3);
    assert!(sizes.iter().all(|size| *size <= 1_000), "{sizes:?}");
    drop(files);
    let mut again = Files::open(folder.path(), settings).unwrap();
    again.append(&lines(["after".to_owned()].into_iter())).unwrap();
    let kept = kept(folder.path());
    let newest: Vec<_> = kept.iter().rev().take(2).map(|r| r["reason"].clone()).collect();
    assert_eq!(newest, ["after", "last"]);
}

#[test]
fn every_record_is_one_line_of_json() {
    let folder = tempfile::tempdir().unwrap();
    let sink = AuditSink::to_folder(folder.path(), AuditSettings::default()).unwrap();
    let at: Timestamp = "2026-05-31T23:59:59.000042Z".parse().unwrap();
    sink.record(&AuditRecord {
        at,
        method: "/a\n{\"forged\":1}",
        partner: "\"\\",
        duration_us: 1_203,
        ..record("X\r\n\u{202e}\x1b[2J")
    });
    sink.finish();
    let kept = kept(folder.path());
    assert_eq!(kept.len(), 1);
    assert_eq!(kept[0]["at"], "2026-05-31T23:59:59.000042Z");
    assert_eq!(kept[0]["reason"], "X\\u{d}\\u{a}\\u{202e}\\u{1b}[2J");
    assert_eq!(kept[0]["method"], "/a\\u{a}{\"forged\":1}");
    assert_eq!(kept[0]["partner"], "\"\\");
    assert_eq!(kept[0]["duration_us"], 1_203);
}

#[test]
fn at_the_end_nothing_is_lost_and_each_threads_records_are_in_its_order() {
    let folder = tempfile::tempdir().unwrap();
    let sink = AuditSink::to_folder(folder.path(), AuditSettings::default()).unwrap();
    std::thread::scope(|threads| {
        for thread in 0..4 {
            let sink = sink.clone();
            threads.spawn(move || {
                for n in 0..500 {
                    sink.record(&AuditRecord { duration_us: n, ..record(&thread.to_string()) });
                }
            });
        }
    });
    sink.finish();
    let kept = kept(folder.path());
    assert_eq!((kept.len(), sink.dropped()), (2_000, 0));
    for thread in 0..4 {
        let thread = thread.to_string();
        let own = kept.iter().filter(|record| record["reason"] == thread.as_str());
        let numbers: Vec<u64> = own.map(|record| record["duration_us"].as_u64().unwrap()).collect();
        assert_eq!(numbers, (0..500).collect::<Vec<_>>());
    }
    sink.record(&record("too late"));
    assert_eq!(sink.dropped(), 1);
}

#[test]
fn what_the_queue_has_no_room_for_is_counted_and_what_it_took_stays_whole() {
    let queue = Queue::default();
    let line = [b'x'; 1_000];
    let taken = (0..ROOM / 1_000 + 5).filter(|_| queue.push(&line)).count();
    assert_eq!(taken, ROOM / 1_000);
    let mut lines = Vec::new();
    assert!(queue.take(&mut lines));
    assert_eq!(lines.len(), taken * 1_000);
    assert!(queue.push(&line), "there is room again");
}
