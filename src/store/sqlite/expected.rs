//! The conditions of a change, judged under the ledger head.
//!
//! Enters: what must hold. Leaves: a refusal where it does not.

use rusqlite::Connection;

use super::{documents, explanations, lines};
use crate::change::{Expect, Kind, Refusal};

/// Why a condition does not hold, if it does not.
pub fn judge(connection: &Connection, expect: &Expect) -> rusqlite::Result<Option<Refusal>> {
    Ok(match expect {
        Expect::Version { kind, key, version } => {
            let (stands, _) = documents::standing(connection, *kind, key)?;
            (stands != *version).then(|| Refusal::Stale { kind: *kind, key: key.clone() })
        }
        Expect::State { kind, key, state } => {
            let (_, stands) = documents::standing(connection, *kind, key)?;
            (stands != *state).then(|| Refusal::WrongState {
                kind: *kind,
                key: key.clone(),
                state: stands,
            })
        }
        Expect::Progress { report, accepted, warned, refused, explained } => {
            let stands = lines::counts(connection, report)?;
            (stands != [*accepted, *warned, *refused, *explained]).then(|| stale(report))
        }
        Expect::Unexplained { report, line } => {
            explanations::is_explained(connection, *line)?.then(|| stale(report))
        }
        Expect::Fewer { kind, owner, state, than } => {
            let held = documents::count(connection, *kind, owner.as_str(), state, *than)?;
            (held >= *than).then_some(Refusal::TooMany { kind: *kind, most: *than })
        }
        Expect::NoneLike { kind, owner, column, value, states } => {
            let held = documents::like(connection, *kind, owner.as_str(), (column, value), states)?;
            held.map(|key| Refusal::Held { kind: *kind, key })
        }
    })
}

fn stale(report: &str) -> Refusal {
    Refusal::Stale { kind: Kind::Report, key: report.to_owned() }
}
