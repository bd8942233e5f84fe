//! Section `[store]`: where everything is kept, if not in `data_dir`.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{ConfigError, file_error, secret};
use crate::store::postgres::Settings;

/// Section `[store]`: a PostgreSQL database instead of the embedded store in `data_dir`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoreSettings {
    /// `postgresql://USER@HOST[:PORT][,HOST...]/DATABASE`, without a password. Where it names
    /// several hosts, the one that takes writes is used.
    pub url: String,
    /// File of the user's password; only its owner may be able to read it.
    #[serde(default)]
    pub password_file: Option<PathBuf>,
    /// The authorities that the database's certificate must be of, PEM; its name must be that of the
    /// host. Without it all hosts must be this machine.
    #[serde(default)]
    pub ca: Option<PathBuf>,
}

impl StoreSettings {
    /// Takes relative paths from a folder.
    pub(super) fn resolve(&mut self, folder: &Path) {
        for path in self.password_file.iter_mut().chain(&mut self.ca) {
            *path = folder.join(&path);
        }
    }

    /// What is wrong, without reading any file.
    pub(super) fn check(&self) -> Result<(), String> {
        let parsed = Settings::parse(&self.url, None).map_err(|why| format!("store.url {why}"))?;
        if self.ca.is_none() && !parsed.is_local() {
            return Err("store.ca must be given, as store.url leads to other machines: what goes \
                        there is encrypted, and the certificate checked"
                .into());
        }
        Ok(())
    }

    /// How the database is reached.
    ///
    /// # Errors
    /// If the password cannot be read, or others can read it.
    pub fn reached(&self) -> Result<Settings, ConfigError> {
        let file = self.password_file.as_deref();
        let password = file.map(|path| secret(path, "store.password_file")).transpose()?;
        let password = password.as_ref().map(|text| text.trim());
        let path = file.unwrap_or(Path::new("puente.toml"));
        Settings::parse(&self.url, password)
            .map(|settings| if self.ca.is_some() { settings.encrypted() } else { settings })
            .map_err(|why| file_error(path, "store.url", why))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(url: &str, ca: Option<&str>) -> StoreSettings {
        StoreSettings { url: url.to_owned(), password_file: None, ca: ca.map(PathBuf::from) }
    }

    #[test]
    fn other_machines_are_spoken_to_under_tls_only() {
        for (url, ca, fine) in [
            ("postgresql://u@db.example,db2.example/puente", None, false),
            ("postgresql://u@db.example,db2.example/puente", Some("ca.pem"), true),
            ("postgresql://u@localhost,db2.example/puente", None, false),
            ("postgresql://u@localhost/puente", None, true),
            ("postgresql://u@[::1]:5433/puente", None, true),
            ("postgresql://u@%2Frun%2Fpostgresql/puente", None, true),
            ("postgresql://u:secret@localhost/puente", None, false),
            ("mysql://u@localhost/puente", None, false),
            ("postgresql:///puente", None, false),
        ] {
            let said = settings(url, ca).check();
            assert_eq!(said.is_ok(), fine, "{url}: {said:?}");
            assert!(!format!("{said:?}").contains("secret"));
        }
    }

    #[test]
    fn the_password_is_told_to_nobody() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("password");
        std::fs::write(&file, "open sesame\n").unwrap();
        let settings = |file| StoreSettings {
            password_file: Some(file),
            ..settings("postgresql://u@localhost/puente", None)
        };
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
        settings(file.clone()).reached().unwrap_err();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
        let reached = settings(file).reached().unwrap();
        assert!(!format!("{reached:?}").contains("sesame"), "{reached:?}");
    }
}
