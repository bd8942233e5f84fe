//! Exporters as questions about sellers need them, in memory.
//!
//! Enters: CUITs. Leaves: what the registry holds of each, or that it holds nothing. Read from the
//! store on a miss, dropped as soon as any exporter was written; it holds a bounded number of
//! CUITs, known or not.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::{App, decode};
use crate::change::Kind;
use crate::domain::cuit::Cuit;
use crate::domain::exporter::Exporter;
use crate::error::Result;

/// How many CUITs are kept; when there is no room all of them are dropped and read again.
const ROOM: usize = 100_000;

/// The exporters asked about lately.
#[derive(Default)]
pub struct KnownExporters {
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    /// How often exporters had been written when the first of these was read.
    as_of: u64,
    by_cuit: HashMap<Cuit, Option<Arc<Exporter>>>,
}

impl App {
    /// What is known now of an exporter; `None`: the registry holds nothing of it.
    pub async fn exporter_of(&self, cuit: Cuit) -> Result<Option<Arc<Exporter>>> {
        let as_of = self.writer.touched(Kind::Exporter);
        if let Some(known) = self.known_exporters.one(as_of, cuit) {
            return Ok(known);
        }
        Ok(self.exporters_of(&[cuit]).await?.remove(&cuit).flatten())
    }

    /// What is known now of each of the exporters; `None`: the registry holds nothing of it.
    pub async fn exporters_of(
        &self,
        cuits: &[Cuit],
    ) -> Result<HashMap<Cuit, Option<Arc<Exporter>>>> {
        let as_of = self.writer.touched(Kind::Exporter);
        let mut known = HashMap::with_capacity(cuits.len());
        let unknown = self.known_exporters.look_up(as_of, cuits, &mut known);
        if unknown.is_empty() {
            return Ok(known);
        }
        let keys = unknown.iter().map(ToString::to_string).collect();
        let mut read: HashMap<Cuit, Arc<Exporter>> = HashMap::new();
        for record in self.store.records(Kind::Exporter, keys).await? {
            let exporter: Exporter = decode(&record)?.value;
            read.insert(exporter.cuit, Arc::new(exporter));
        }
        let fresh: Vec<_> =
            unknown.into_iter().map(|cuit| (cuit, read.get(&cuit).cloned())).collect();
        self.known_exporters.keep(as_of, &fresh);
        known.extend(fresh);
        Ok(known)
    }
}

impl KnownExporters {
    /// What is kept of one, if anything is and it is of now.
    fn one(&self, as_of: u64, cuit: Cuit) -> Option<Option<Arc<Exporter>>> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        (kept.as_of == as_of).then(|| kept.by_cuit.get(&cuit).cloned()).flatten()
    }

    /// Fills `known` with what is kept and answers the CUITs that are not, each once.
    fn look_up(
        &self,
        as_of: u64,
        cuits: &[Cuit],
        known: &mut HashMap<Cuit, Option<Arc<Exporter>>>,
    ) -> Vec<Cuit> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.as_of != as_of {
            kept.by_cuit.clear();
            kept.as_of = as_of;
        }
        let mut unknown = Vec::new();
        for cuit in cuits {
            match kept.by_cuit.get(cuit) {
                Some(exporter) => {
                    known.insert(*cuit, exporter.clone());
                }
                None => unknown.push(*cuit),
            }
        }
        drop(kept);
        unknown.sort_unstable();
        unknown.dedup();
        unknown
    }

    /// Keeps what was read, unless something was written since `as_of`.
    fn keep(&self, as_of: u64, fresh: &[(Cuit, Option<Arc<Exporter>>)]) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.as_of != as_of || fresh.len() > ROOM {
            return;
        }
        if kept.by_cuit.len() + fresh.len() > ROOM {
            kept.by_cuit.clear();
        }
        kept.by_cuit.extend(fresh.iter().cloned());
    }
}
