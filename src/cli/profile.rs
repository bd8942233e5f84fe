//! Who the command line is: a profile, one file a partner.
//!
//! Enters: the path of a TOML file. Leaves: where the gateway is and which identity to show it,
//! with complete paths. Unknown keys are refused.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::failure::{Failure, Outcome};

/// A client's profile.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// The gateway, `https://HOST:PORT`.
    pub endpoint: String,
    /// The name that the gateway's certificate must carry, where it is not the host of `endpoint`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_name: Option<String>,
    /// The authority of the gateway's certificate, PEM.
    pub ca: PathBuf,
    /// The partner's certificate with its intermediates, PEM.
    pub certificate: PathBuf,
    /// The certificate's private key, PEM; only its owner may be able to read it.
    pub key: PathBuf,
    /// The partner's id.
    pub client_id: String,
    /// Where to keep the access token between commands; without it each command asks for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_cache: Option<PathBuf>,
}

impl Profile {
    /// Reads the profile at `path`; relative paths in it are taken from its folder.
    pub fn load(path: &Path) -> Outcome<Self> {
        let text = std::fs::read_to_string(path).map_err(|reason| {
            Failure::file(path, reason)
                .hint("puente init DIR writes a profile for each partner into DIR/profiles")
        })?;
        let mut profile: Self = toml::from_str(&text).map_err(|error| {
            let line = error.span().map_or(1, |s| text[..s.start].matches('\n').count() + 1);
            let message = error.message().replace('\n', ", ");
            Failure::new("INVALID_PROFILE", format!("{}:{line}: {message}", path.display()))
                .hint("a profile has endpoint, ca, certificate, key and client_id")
        })?;
        let folder = path.parent().unwrap_or(Path::new(""));
        for path in [&mut profile.ca, &mut profile.certificate, &mut profile.key]
            .into_iter()
            .chain(profile.token_cache.as_mut())
        {
            *path = folder.join(&path);
        }
        Ok(profile)
    }

    /// Host and port of the gateway.
    pub fn address(&self) -> Outcome<(String, u16)> {
        let wrong = || {
            Failure::new(
                "INVALID_PROFILE",
                format!("endpoint {} is not https://HOST:PORT", self.endpoint),
            )
        };
        let uri: http::Uri = self.endpoint.parse().map_err(|_| wrong())?;
        if uri.scheme_str() != Some("https") || !matches!(uri.path(), "" | "/") {
            return Err(wrong());
        }
        let host = uri.host().ok_or_else(wrong)?;
        Ok((host.trim_matches(['[', ']']).to_owned(), uri.port_u16().unwrap_or(443)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(text: &str) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("p.toml");
        std::fs::write(&path, text).unwrap();
        (folder, path)
    }

    const GOOD: &str = "endpoint = \"https://127.0.0.1:8443\"\nca = \"../pki/ca.pem\"\n\
                        certificate = \"a.pem\"\nkey = \"/k.pem\"\nclient_id = \"customs\"\n";

    #[test]
    fn paths_are_the_files_neighbours() {
        let (folder, path) = write(GOOD);
        let profile = Profile::load(&path).unwrap();
        assert_eq!(profile.ca, folder.path().join("../pki/ca.pem"));
        assert_eq!(profile.key, Path::new("/k.pem"));
        assert_eq!(profile.address().unwrap(), ("127.0.0.1".into(), 8443));
    }

    #[test]
    fn unknown_keys_and_other_schemes_are_refused() {
        let (_folder, path) = write(&format!("{GOOD}tokn = 1\n"));
        let failure = Profile::load(&path).unwrap_err();
        assert_eq!(failure.reason, "INVALID_PROFILE");
        assert!(failure.message.contains("p.toml:6: unknown field `tokn`"), "{failure}");
        let (_folder, path) = write(&GOOD.replace("https", "http"));
        assert!(Profile::load(&path).unwrap().address().is_err());
    }
}
