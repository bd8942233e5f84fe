//! Which store a configuration means.
//!
//! Enters: the configuration. Leaves: the embedded store of this machine, or the database that
//! replicas share, with its schema up to date.

use std::sync::Arc;

use tokio_postgres::NoTls;

use super::database_tls::DatabaseTls;
use crate::config::Config;
use crate::error::{Error, Result};
use crate::store::Store;
use crate::store::postgres::{self, PostgresStore};
use crate::store::sqlite::SqliteStore;

/// Opens the store.
///
/// # Errors
/// `STORE_UNUSABLE`, with what to do.
pub async fn open(config: &Config) -> Result<Arc<dyn Store>> {
    let Some(settings) = &config.store else {
        return Ok(Arc::new(SqliteStore::open(&config.store_path())?));
    };
    let unusable = |why: String| Error::precondition("STORE_UNUSABLE", why);
    let reached = settings.reached().map_err(|error| unusable(error.to_string()))?;
    match &settings.ca {
        None => {
            postgres::migrate(&reached, NoTls).await?;
            Ok(Arc::new(PostgresStore::over(&reached, NoTls)?))
        }
        Some(ca) => {
            let tls = DatabaseTls::trusting(ca)
                .map_err(|why| unusable(format!("store.ca {}: {why}", ca.display())))?;
            postgres::migrate(&reached, tls.clone()).await?;
            Ok(Arc::new(PostgresStore::over(&reached, tls)?))
        }
    }
}
