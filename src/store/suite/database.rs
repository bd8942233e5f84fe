//! A database of its own for each test, on one cluster for all tests of a run.
//!
//! Tests may be processes of their own, so the cluster belongs to the process that started them: the
//! first test to need it starts it, and it is thrown away once that process has ended. Databases
//! are copies of one that is migrated already.

use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use tokio_postgres::NoTls;

use super::Place;
use crate::store::Store;
use crate::store::postgres::cluster::{Cluster, url};
use crate::store::postgres::{PostgresStore, Settings, migrate};

/// A database that is there until the cluster is thrown away.
pub struct Database {
    url: String,
}

impl Database {
    /// A fresh one, with no store open.
    pub async fn new() -> Self {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let folder = cluster().await;
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let name = format!("t_{}_{number}", std::process::id());
        execute(&url(&folder, "postgres"), &format!("CREATE DATABASE {name} TEMPLATE migrated"))
            .await;
        Self { url: url(&folder, &name) }
    }
}

impl Place for Database {
    fn open(&self) -> Arc<dyn Store> {
        let settings = Settings::parse(&self.url, None).unwrap();
        Arc::new(PostgresStore::over(&settings, NoTls).unwrap())
    }
}

async fn execute(url: &str, sql: &str) {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(connection);
    client.batch_execute(sql).await.unwrap();
}

/// The folder of the running cluster.
async fn cluster() -> PathBuf {
    let runner = match std::os::unix::process::parent_id() {
        // Whoever started this has gone already.
        0 | 1 => std::process::id(),
        parent => parent,
    };
    let folder = std::env::temp_dir().join(format!("puente-test-{runner}"));
    // One file for all runs, which stays.
    let lock = File::create(std::env::temp_dir().join("puente-test.lock")).unwrap();
    lock.lock().unwrap();
    let ready = folder.join("ready");
    if !ready.exists() {
        let cluster = Cluster::start(folder.clone()).unwrap();
        execute(&cluster.url("postgres"), "CREATE DATABASE migrated").await;
        let settings = Settings::parse(&cluster.url("migrated"), None).unwrap();
        migrate(&settings, NoTls).await.unwrap();
        std::fs::write(ready, "").unwrap();
        cluster.outlive(runner).unwrap();
    }
    folder
}
