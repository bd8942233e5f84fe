//! What an operator sets about tokens.
//!
//! Enters: section `[oauth]` of the configuration. Leaves: [`OAuthSettings`], found
//! sane by [`OAuthSettings::check`].

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// Section `[oauth]` of the configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OAuthSettings {
    /// This gateway's name as an issuer: its public origin, `https://HOST[:PORT]`, no path.
    /// Clients compare it byte by byte.
    pub issuer: String,
    /// What `aud` of every accepted token must name: this gateway as a service.
    pub audience: String,
    /// How long a token lives, 60 to 3600 seconds.
    pub token_lifetime_seconds: u32,
    /// Folder of the signing keys and their list, `signing.toml`.
    pub signing_keys: PathBuf,
    /// How often that folder is looked at, in seconds.
    pub key_poll_seconds: u32,
    /// How long others may keep our published keys, in seconds; a new key waits longer than this.
    pub jwks_cache_seconds: u32,
    /// Tokens a partner may ask for in a minute.
    pub tokens_per_minute: u32,
    /// Issuers besides this one whose tokens are accepted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub outside_issuers: Vec<OutsideIssuer>,
}

/// An authorization server run by others whose tokens are accepted here. Its tokens must
/// be bound to the caller's certificate and name the partner in `client_id`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OutsideIssuer {
    /// Its `iss`, byte by byte.
    pub issuer: String,
    /// What `aud` of its tokens must name.
    pub audience: String,
    /// Its public keys as a JWK set; kept current by the operator, never fetched.
    pub jwks_file: PathBuf,
}

impl Default for OAuthSettings {
    fn default() -> Self {
        Self {
            issuer: "https://localhost:8443".into(),
            audience: "puente".into(),
            token_lifetime_seconds: 600,
            signing_keys: "keys".into(),
            key_poll_seconds: 2,
            jwks_cache_seconds: 300,
            tokens_per_minute: 60,
            outside_issuers: Vec::new(),
        }
    }
}

impl OAuthSettings {
    /// Reads relative paths as relative to `folder`, that of the configuration file.
    pub fn resolve(&mut self, folder: &Path) {
        self.signing_keys = folder.join(&self.signing_keys);
        for outside in &mut self.outside_issuers {
            outside.jwks_file = folder.join(&outside.jwks_file);
        }
    }

    /// Checks what the types do not say.
    ///
    /// # Errors
    /// One sentence that names the key and what it must be.
    pub fn check(&self) -> Result<(), String> {
        let host = self.issuer.strip_prefix("https://").unwrap_or_default();
        if host.is_empty() || host.contains(['/', '?', '#', '@', ' ']) {
            return Err("oauth.issuer must be https://HOST[:PORT] with nothing after it".into());
        }
        if self.audience.is_empty() {
            return Err("oauth.audience must not be empty".into());
        }
        if !(60..=3600).contains(&self.token_lifetime_seconds) {
            return Err("oauth.token_lifetime_seconds must be from 60 to 3600".into());
        }
        if self.key_poll_seconds == 0 || self.key_poll_seconds > 60 {
            return Err("oauth.key_poll_seconds must be from 1 to 60".into());
        }
        if self.tokens_per_minute == 0 {
            return Err("oauth.tokens_per_minute must be at least 1".into());
        }
        let mut issuers: Vec<&str> = self.outside_issuers.iter().map(|o| &*o.issuer).collect();
        issuers.push(&self.issuer);
        issuers.sort_unstable();
        if issuers.windows(2).any(|two| two[0] == two[1]) {
            return Err("oauth.outside_issuers names an issuer twice, or this one".into());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_sane_and_unknown_keys_are_refused() {
        OAuthSettings::default().check().unwrap();
        assert!(toml::from_str::<OAuthSettings>("isuer = 'x'").is_err());
    }

    #[test]
    fn an_issuer_is_an_origin() {
        for bad in ["", "http://a", "https://", "https://a/", "https://a/x", "https://a?b"] {
            let settings = OAuthSettings { issuer: bad.into(), ..Default::default() };
            assert!(settings.check().is_err(), "{bad}");
        }
    }
}
