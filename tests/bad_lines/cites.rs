//! The rows about lines that belong to others: to the sale they cite, to what was sent before.

use puente::proto::puente::sales::v1::{LineKind, SaleLine};

use super::table::Becomes::{self, Accepted, Duplicate, Warned};
use super::table::{QUANTITY, Row, back};

const UNKNOWN: Becomes = Warned(&["UNKNOWN_ORIGINAL"]);
const EXCEEDS: Becomes = Warned(&["EXCEEDS_ORIGINAL"]);

/// What takes a sale back.
pub const ORIGINALS: &[Row] = &[
    ("all pieces come back", |l, a| back(l, LineKind::Return, &a.sold, "10", "20.00"), Accepted),
    ("all money is paid back", |l, a| back(l, LineKind::Refund, &a.sold, "10", "20.00"), Accepted),
    ("a cancellation", |l, a| back(l, LineKind::Cancellation, &a.sold, "10", "20.00"), Accepted),
    (
        "part of the money, in other pieces than were sold",
        |l, a| back(l, LineKind::Refund, &a.sold, "1", "37.5"),
        Accepted,
    ),
    ("no original", |l, _| back(l, LineKind::Return, "", "1", "20.00"), UNKNOWN),
    (
        "an original that never came",
        |l, _| back(l, LineKind::Refund, "NEVER", "1", "20.00"),
        UNKNOWN,
    ),
    (
        "an original of another marketplace",
        |l, a| back(l, LineKind::Return, &a.elsewhere, "1", "20.00"),
        UNKNOWN,
    ),
    (
        "a line that was refused",
        |l, a| back(l, LineKind::Return, &a.refused, "1", "20.00"),
        UNKNOWN,
    ),
    ("a return of a return", |l, a| back(l, LineKind::Return, &a.returned, "1", "20.00"), UNKNOWN),
    (
        "itself",
        |l, _| {
            let own = l.line_id.clone();
            back(l, LineKind::Cancellation, &own, "1", "20.00");
        },
        UNKNOWN,
    ),
    (
        "more pieces than were sold",
        |l, a| back(l, LineKind::Return, &a.sold, "10.000001", "0"),
        EXCEEDS,
    ),
    ("more pieces than are left", |l, a| back(l, LineKind::Return, &a.partly, "5", "0"), EXCEEDS),
    ("the pieces that are left", |l, a| back(l, LineKind::Return, &a.partly, "4", "0"), Accepted),
    (
        "more money than was paid",
        |l, a| back(l, LineKind::Refund, &a.sold, "10", "20.001"),
        EXCEEDS,
    ),
    ("more money than is left", |l, a| back(l, LineKind::Refund, &a.partly, "1", "80.01"), EXCEEDS),
    (
        "a cancellation of what partly came back",
        |l, a| back(l, LineKind::Cancellation, &a.partly, "10", "20.00"),
        EXCEEDS,
    ),
    (
        "a second cancellation",
        |l, a| back(l, LineKind::Cancellation, &a.cancelled, "10", "20.00"),
        EXCEEDS,
    ),
    (
        "another currency than the sale's",
        |l, a| {
            back(l, LineKind::Refund, &a.sold, "1", "1");
            l.currency = "CNY".into();
        },
        EXCEEDS,
    ),
];

/// The same again.
pub const AGAIN: &[Row] = &[
    ("the same line twice in a batch", |l, a| *l = a.before.clone(), Duplicate),
    ("a line of an earlier batch", |l, a| l.line_id = a.sold.clone(), Duplicate),
    (
        "the id of an earlier line with another content",
        |l, a| (l.line_id, l.unit_price) = (a.sold.clone(), "0.01".into()),
        Duplicate,
    ),
    (
        "the id of an earlier line, and malformed",
        |l, a| (l.line_id, l.quantity) = (a.sold.clone(), "many".into()),
        QUANTITY,
    ),
    (
        "the same content under another id: the same goods twice in one order",
        |l, a| *l = SaleLine { line_id: std::mem::take(&mut l.line_id), ..a.before.clone() },
        Accepted,
    ),
    (
        "an earlier id in small letters: another line",
        |l, a| l.line_id = a.sold.to_lowercase(),
        Accepted,
    ),
    ("a refused line, mended", |l, a| l.line_id = a.refused.clone(), Accepted),
    ("the id of a line of another marketplace", |l, a| l.line_id = a.elsewhere.clone(), Accepted),
];
