//! Documents as they stand under the ledger head: as the database has them, with what the changes
//! before have written.
//!
//! Enters: the changes of a group. Leaves: which of their conditions hold, without asking again.

use std::collections::{BTreeMap, HashMap, HashSet};

use deadpool_postgres::GenericClient;
use futures_util::future::{try_join, try_join_all};

use super::documents;
use super::fault::Fault;
use super::values::{counted, query};
use crate::change::{Change, Expect, Kind, Record, Refusal, Write};

/// The state of a report of which nothing counts.
pub const ABANDONED: &str = "ABANDONED";

/// Whose documents in which state a condition counts.
type Held = (Kind, String, &'static str);
/// Whose documents with which value in which column a condition looks for.
type Alike = (Kind, String, &'static str, String);

/// Documents as they stand.
#[derive(Default)]
pub struct Standing {
    /// Version and state in the database; there is none of those that are missing.
    known: HashMap<(Kind, String), (u64, String)>,
    /// Keys in the database.
    held: HashMap<Held, Vec<String>>,
    /// Keys and states in the database.
    alike: HashMap<Alike, Vec<(String, String)>>,
    /// What the changes before have written.
    written: HashMap<Kind, HashMap<String, Record>>,
    /// Reports that the database says are abandoned, of those that were looked at.
    abandoned: HashSet<String>,
}

impl Standing {
    /// Reads in one batch what the changes are judged by.
    pub async fn of(client: &impl GenericClient, changes: &[Change]) -> Result<Self, Fault> {
        let mut keys: HashMap<Kind, HashSet<&str>> = HashMap::new();
        let mut held: HashMap<Held, i64> = HashMap::new();
        let mut alike: HashSet<Alike> = HashSet::new();
        let mut puts: HashMap<Kind, i64> = HashMap::new();
        for change in changes {
            for expect in &change.expect {
                match expect {
                    Expect::Version { kind, key, .. } | Expect::State { kind, key, .. } => {
                        keys.entry(*kind).or_default().insert(key);
                    }
                    Expect::Fewer { kind, owner, state, than } => {
                        let most = held.entry((*kind, owner.to_string(), state)).or_default();
                        *most = (*most).max(i64::from(*than));
                    }
                    Expect::NoneLike { kind, owner, column, value, .. } => {
                        alike.insert((*kind, owner.to_string(), column, value.clone()));
                    }
                    Expect::Progress { .. } | Expect::Unexplained { .. } => {}
                }
            }
            for write in &change.writes {
                if let Write::Put(record) = write {
                    keys.entry(record.kind).or_default().insert(&record.key);
                    *puts.entry(record.kind).or_default() += 1;
                }
            }
        }
        let known = try_join_all(keys.into_iter().map(|(kind, keys)| async move {
            let keys: Vec<&str> = keys.into_iter().collect();
            let sql =
                format!("SELECT key, version, state FROM {} WHERE key = ANY($1)", kind.table());
            let rows = query(client, &sql, &[&keys]).await?;
            rows.iter()
                .map(|row| Ok(((kind, row.try_get(0)?), (counted(row, 1)?, row.try_get(2)?))))
                .collect::<Result<Vec<_>, Fault>>()
        }));
        // What the changes before move out of a state must not make room for what is not counted.
        let held = held.into_iter().map(|(of, than)| {
            let most = than + puts.get(&of.0).copied().unwrap_or(0);
            (of, most)
        });
        let held = try_join_all(held.map(|((kind, owner, state), most)| async move {
            let sql = format!(
                "SELECT key FROM {} WHERE owner = $1 AND state = $2 LIMIT $3",
                kind.table()
            );
            let rows = query(client, &sql, &[&owner, &state, &most]).await?;
            let keys: Result<Vec<String>, Fault> =
                rows.iter().map(|row| Ok(row.try_get(0)?)).collect();
            Ok::<_, Fault>(((kind, owner, state), keys?))
        }));
        let alike =
            try_join_all(alike.into_iter().map(|(kind, owner, column, value)| async move {
                let sql = format!(
                    "SELECT key, state FROM {} WHERE {column} = $1 AND owner = $2",
                    kind.table()
                );
                let rows = query(client, &sql, &[&value, &owner]).await?;
                let found: Result<Vec<_>, Fault> =
                    rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect();
                Ok::<_, Fault>(((kind, owner, column, value), found?))
            }));
        let (known, (held, alike)) = try_join(known, try_join(held, alike)).await?;
        Ok(Self {
            known: known.into_iter().flatten().collect(),
            held: held.into_iter().collect(),
            alike: alike.into_iter().collect(),
            ..Self::default()
        })
    }

    /// Version and state of a document that a change names; version 0 and no state if there is none.
    pub fn standing(&self, kind: Kind, key: &str) -> (u64, &str) {
        if let Some(record) = self.written.get(&kind).and_then(|written| written.get(key)) {
            return (record.version, &record.state);
        }
        let known = self.known.get(&(kind, key.to_owned()));
        known.map_or((0, ""), |(version, state)| (*version, state))
    }

    /// The state of a document that a change names, before any of them.
    pub fn was(&self, kind: Kind, key: &str) -> &str {
        self.known.get(&(kind, key.to_owned())).map_or("", |(_, state)| state)
    }

    /// Why a condition on documents does not hold, if it does not.
    pub fn judge(&self, expect: &Expect) -> Option<Refusal> {
        match expect {
            Expect::Version { kind, key, version } => {
                let (stands, _) = self.standing(*kind, key);
                (stands != *version).then(|| Refusal::Stale { kind: *kind, key: key.clone() })
            }
            Expect::State { kind, key, state } => {
                let (_, stands) = self.standing(*kind, key);
                (stands != *state).then(|| Refusal::WrongState {
                    kind: *kind,
                    key: key.clone(),
                    state: stands.to_owned(),
                })
            }
            Expect::Fewer { kind, owner, state, than } => {
                let written = self.written(*kind);
                let held = self.held.get(&(*kind, owner.to_string(), *state));
                let still = held.into_iter().flatten().filter(|key| !written.contains_key(*key));
                let fresh = written
                    .values()
                    .filter(|record| record.owner == owner.as_str() && record.state == *state);
                let count = still.count() + fresh.count();
                (count >= *than as usize).then_some(Refusal::TooMany { kind: *kind, most: *than })
            }
            Expect::NoneLike { kind, owner, column, value, states } => {
                let written = self.written(*kind);
                let place = kind.columns().iter().position(|name| name == column);
                let like = (*kind, owner.to_string(), *column, value.clone());
                let still = self.alike.get(&like).into_iter().flatten();
                let still = still
                    .filter(|(key, _)| !written.contains_key(key))
                    .map(|(key, state)| (key, state));
                let fresh = written
                    .values()
                    .filter(|record| {
                        let held = place.and_then(|at| record.columns.get(at));
                        record.owner == owner.as_str() && held == Some(value)
                    })
                    .map(|record| (&record.key, &record.state));
                let found: BTreeMap<&String, &String> = still.chain(fresh).collect();
                let mut found = found.into_iter();
                let held = found.find(|(_, state)| states.contains(&state.as_str()));
                held.map(|(key, _)| Refusal::Held { kind: *kind, key: key.clone() })
            }
            Expect::Progress { .. } | Expect::Unexplained { .. } => None,
        }
    }

    /// Takes in a document as its next version; it is written at the end.
    pub fn put(&mut self, record: &Record) {
        let version = self.standing(record.kind, &record.key).0 + 1;
        let written = self.written.entry(record.kind).or_default();
        written.insert(record.key.clone(), Record { version, ..record.clone() });
    }

    /// What the changes have written so far.
    pub fn written(&self, kind: Kind) -> &HashMap<String, Record> {
        static NOTHING: std::sync::LazyLock<HashMap<String, Record>> =
            std::sync::LazyLock::new(HashMap::new);
        self.written.get(&kind).unwrap_or(&NOTHING)
    }

    /// Remembers that the database says a report is abandoned.
    pub fn is_known_as_abandoned(&mut self, report: &str) {
        if !self.abandoned.contains(report) {
            self.abandoned.insert(report.to_owned());
        }
    }

    /// Whether nothing of a report counts, of those that lines were looked at of.
    pub fn is_abandoned(&self, report: &str) -> bool {
        match self.written(Kind::Report).get(report) {
            Some(record) => record.state == ABANDONED,
            None => self.abandoned.contains(report),
        }
    }

    /// Writes all.
    pub async fn write(&self, client: &impl GenericClient) -> Result<(), Fault> {
        try_join_all(self.written.iter().map(|(kind, written)| async move {
            documents::put(client, *kind, &written.values().collect::<Vec<_>>()).await
        }))
        .await?;
        Ok(())
    }
}
