//! A whole application over a store of its own, with a clock that stands still: for tests.

use std::sync::Arc;

use tempfile::TempDir;

use super::App;
use super::write::Intent;
use crate::clock::{Env, ManualClock, SystemIds};
use crate::domain::caller::{Admission, Caller};
use crate::domain::partner::Role;
use crate::domain::request_id::RequestId;
use crate::store::sqlite::SqliteStore;
use crate::store::writer::WriterLimits;

/// The application of one test.
pub struct Stage {
    /// The application.
    pub app: App,
    /// Its clock, which stands at noon UTC of 1 June 2026 until told.
    pub clock: Arc<ManualClock>,
    /// Keeps the store's folder until the test ends.
    _folder: TempDir,
}

impl Stage {
    /// An application that holds nothing yet.
    pub async fn set() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::new("2026-06-01T12:00:00Z".parse().unwrap()));
        let env = Env { clock: clock.clone(), ids: Arc::new(SystemIds) };
        let store = SqliteStore::open(&folder.path().join("puente.db")).unwrap();
        let app = App::start(Arc::new(store), env, WriterLimits::default()).await.unwrap();
        Self { app, clock, _folder: folder }
    }

    /// A caller with all that its role may be granted.
    pub fn caller(&self, partner: &str, role: Role) -> Caller {
        Caller::admitted(Admission {
            partner: partner.parse().unwrap(),
            role,
            agency: None,
            scopes: role.grantable(),
            method: "/puente.test.v1.Test/Test".into(),
            client_address: "127.0.0.1:1".into(),
            certificate_thumbprint: "thumbprint".into(),
            trace_id: "4bf92f3577b34da6a3ce929d0e0e4736".to_owned(),
        })
    }

    /// A fresh intent of a partner.
    pub fn intent(&self, partner: &str) -> Intent {
        let id = RequestId::new(self.app.env.ids.uuid()).unwrap();
        Intent::of(&self.caller(partner, Role::Operator), id, [0; 32], false)
    }
}
