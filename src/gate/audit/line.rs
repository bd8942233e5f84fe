//! A record as one line of JSON.
//!
//! Enters: a record. Leaves: its bytes, in a buffer that is used again: this runs once a call.

use std::cell::RefCell;

use jiff::Timestamp;

use super::AuditRecord;

#[derive(Default)]
struct Desk {
    line: Vec<u8>,
    second: Second,
}

/// A second of the clock as text, which serves all records that begin in it.
#[derive(Default)]
struct Second {
    number: i64,
    text: String,
}

thread_local! {
    static DESK: RefCell<Desk> = RefCell::default();
}

/// Hands the line of `record`, line feed included, to `take`.
pub(super) fn with<T>(record: &AuditRecord<'_>, take: impl FnOnce(&[u8]) -> T) -> T {
    DESK.with_borrow_mut(|Desk { line, second }| {
        line.clear();
        line.extend_from_slice(b"{\"at\":\"");
        second.write(line, record.at);
        line.push(b'"');
        let members = [
            (",\"event\":\"", record.event),
            (",\"method\":\"", record.method),
            (",\"partner\":\"", record.partner),
            (",\"code\":\"", record.code),
            (",\"reason\":\"", record.reason),
            (",\"certificate\":\"", record.certificate),
            (",\"address\":\"", record.address),
            (",\"trace_id\":\"", record.trace_id),
        ];
        for (name, value) in members {
            line.extend_from_slice(name.as_bytes());
            text(line, value);
            line.push(b'"');
        }
        line.extend_from_slice(b",\"duration_us\":");
        digits(line, record.duration_us, 1);
        line.extend_from_slice(b"}\n");
        take(line)
    })
}

impl Second {
    /// RFC 3339 in UTC, always with microseconds.
    fn write(&mut self, line: &mut Vec<u8>, at: Timestamp) {
        let micros = at.as_microsecond();
        let number = micros.div_euclid(1_000_000);
        if self.number != number || self.text.is_empty() {
            let text = Timestamp::from_second(number).unwrap_or(Timestamp::MIN).to_string();
            text.trim_end_matches('Z').clone_into(&mut self.text);
            self.number = number;
        }
        line.extend_from_slice(self.text.as_bytes());
        line.push(b'.');
        digits(line, micros.rem_euclid(1_000_000).unsigned_abs(), 6);
        line.push(b'Z');
    }
}

/// What stands between the quotes of a JSON string.
fn text(line: &mut Vec<u8>, value: &str) {
    if value.bytes().all(|byte| byte >= b' ' && byte != b'"' && byte != b'\\') {
        line.extend_from_slice(value.as_bytes());
        return;
    }
    // Text is always JSON, and writing to memory does not fail.
    let quoted = serde_json::to_string(value).unwrap_or_default();
    let inner = quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default();
    line.extend_from_slice(inner.as_bytes());
}

/// `number` in at least `least` digits.
fn digits(line: &mut Vec<u8>, mut number: u64, least: usize) {
    let mut all = [b'0'; 20];
    let mut begins = all.len();
    while number > 0 || all.len() - begins < least {
        begins -= 1;
        all[begins] = b'0' + (number % 10) as u8;
        number /= 10;
    }
    line.extend_from_slice(&all[begins..]);
}
