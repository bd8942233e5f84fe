use std::path::Path;

use super::*;

const SAMPLE: &str = include_str!("../docs/puente.example.toml");

fn parse(text: &str) -> Result<Config, ConfigError> {
    Config::parse(text, Path::new("puente.toml"), Path::new("/etc/puente"))
}

fn fault(text: &str) -> String {
    parse(text).unwrap_err().to_string()
}

/// The sample with one line replaced.
fn with(from: &str, to: &str) -> String {
    assert!(SAMPLE.contains(from), "{from}");
    SAMPLE.replacen(from, to, 1)
}

#[test]
fn the_sample_is_accepted_and_its_paths_are_the_files_neighbours() {
    let config = parse(SAMPLE).unwrap();
    assert_eq!(config.tls.certificate, Path::new("/etc/puente/pki/server.pem"));
    assert_eq!(config.ledger.record, Path::new("/etc/puente/ledger/last-signed.json"));
    assert_eq!(config.oauth.signing_keys, Path::new("/etc/puente/keys"));
    assert_eq!(config.store_path(), Path::new("/etc/puente/data/puente.db"));
}

#[test]
fn the_sample_names_every_knob_with_its_default() {
    let config = parse(SAMPLE).unwrap();
    assert_eq!(config.limits, Limits::default());
    assert_eq!(config.quota, Quota::default());
    assert_eq!(config.writer, WriterSettings::default());
    assert_eq!(config.audit, AuditSettings::default());
    assert_eq!(config.analytics, AnalyticsSettings::default());
    assert_eq!(config.telemetry, TelemetrySettings::default());
    assert_eq!((config.listen, config.admin_listen), (listen(), admin_listen()));

    let named: std::collections::BTreeSet<String> = keys(SAMPLE).map(|(_, key)| key).collect();
    let whole: toml::Table = toml::Table::try_from(&config).unwrap();
    for (section, value) in &whole {
        match value {
            toml::Value::Table(inner) => {
                for key in inner.keys() {
                    assert!(named.contains(&format!("{section}.{key}")), "{section}.{key}");
                }
            }
            _ => assert!(named.contains(section), "{section}"),
        }
    }
}

#[test]
fn an_unknown_key_is_refused_with_its_line() {
    let text = with("connections_per_address", "conections_per_address");
    let line = text.lines().position(|l| l.starts_with("conections")).unwrap() + 1;
    let fault = fault(&text);
    assert!(fault.starts_with(&format!("puente.toml:{line}: limits.conections_per_address: ")));
    assert!(fault.contains("unknown field") && fault.contains("spelling"), "{fault}");
    assert!(!fault.contains('\n'));
}

#[test]
fn a_wrong_type_is_refused_with_its_line() {
    let text = with("connections = 10000", "connections = \"many\"");
    let line = text.lines().position(|l| l.contains("\"many\"")).unwrap() + 1;
    let fault = fault(&text);
    assert!(fault.starts_with(&format!("puente.toml:{line}: limits.connections: ")), "{fault}");
}

#[test]
fn a_missing_key_is_named_without_a_line() {
    let fault = fault(&with("client_ca = \"pki/ca.pem\"\n", ""));
    assert!(fault.starts_with("puente.toml: missing field `client_ca`"), "{fault}");
}

#[test]
fn broken_syntax_is_refused_with_its_line() {
    let fault = fault("listen = \"127.0.0.1:1\nadmin_listen = 3");
    assert!(fault.starts_with("puente.toml:1"), "{fault}");
    assert!(!fault.contains('\n'), "{fault}");
}

#[test]
fn values_that_cannot_work_are_refused_with_their_line() {
    for (from, to, key) in [
        ("admin_listen = \"127.0.0.1:9443\"", "admin_listen = \"0.0.0.0:9443\"", "admin_listen"),
        ("frame_bytes = 16384", "frame_bytes = 1", "limits.frame_bytes"),
        ("token_lifetime_seconds = 600", "token_lifetime_seconds = 1", "oauth.token_lifetime"),
        ("queue_weight = 40000", "queue_weight = 1", "writer.queue_weight"),
        ("burst_seconds = 2", "burst_seconds = 0", "quota.burst_seconds"),
    ] {
        let text = with(from, to);
        let line = text.lines().position(|l| l == to).unwrap() + 1;
        let fault = fault(&text);
        assert!(fault.starts_with(&format!("puente.toml:{line}: {key}")), "{fault}");
    }
}

#[test]
fn a_missing_file_says_how_to_make_one() {
    let fault = Config::load(Path::new("/nonexistent/puente.toml")).unwrap_err().to_string();
    assert!(fault.contains("/nonexistent/puente.toml") && fault.contains("puente init"), "{fault}");
}

#[cfg(unix)]
#[test]
fn keys_that_others_can_read_are_refused() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pages.key");
    std::fs::write(&path, "ab".repeat(32)).unwrap();
    let mut config = parse(SAMPLE).unwrap();
    config.pages.key = path.clone();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    let fault = config.page_key().unwrap_err().to_string();
    assert!(fault.contains("pages.key") && fault.contains("chmod 600"), "{fault}");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(*config.page_key().unwrap(), [0xab; 32]);
    std::fs::write(&path, "ab").unwrap();
    assert!(config.page_key().unwrap_err().to_string().contains("64 hexadecimal"));
}
