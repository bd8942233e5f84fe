use super::*;

fn addresses() -> (SocketAddr, SocketAddr) {
    (SocketAddr::from(([127, 0, 0, 1], 8443)), SocketAddr::from(([127, 0, 0, 1], 9443)))
}

async fn init(dir: &Path) -> Outcome {
    let (listen, admin) = addresses();
    create(dir, (listen, admin), None, &Env::system()).await
}

#[tokio::test]
async fn a_missing_folder_is_made_whole() {
    let place = tempfile::tempdir().unwrap();
    let dir = place.path().join("a/gateway");
    init(&dir).await.unwrap();
    let config = Config::load(&dir.join("puente.toml")).unwrap();
    assert_eq!(
        config.ledger_key().unwrap().verifying_key().to_string(),
        fs::read_to_string(dir.join("ledger/vkey.txt")).unwrap().trim()
    );
    config.page_key().unwrap();
    assert_eq!(config.oauth.issuer, "https://127.0.0.1:8443");
    for member in MEMBERS {
        let profile = super::super::Profile::load(&Shelf::of(&dir).profile(member.id)).unwrap();
        assert!(profile.ca.exists() && profile.certificate.exists() && profile.key.exists());
        assert_eq!(profile.client_id, member.id);
    }
    // Nothing beside it.
    assert_eq!(fs::read_dir(dir.parent().unwrap()).unwrap().count(), 1);
}

#[tokio::test]
async fn an_empty_folder_is_filled() {
    let place = tempfile::tempdir().unwrap();
    init(place.path()).await.unwrap();
    assert!(place.path().join("puente.toml").exists());
    assert!(!place.path().join(".puente-init").exists());
}

#[tokio::test]
async fn a_folder_with_something_in_it_is_left_alone() {
    let place = tempfile::tempdir().unwrap();
    fs::write(place.path().join("thesis.txt"), "mine").unwrap();
    let failure = init(place.path()).await.unwrap_err();
    assert_eq!(failure.reason, "FOLDER_NOT_EMPTY");
    assert_eq!(fs::read_dir(place.path()).unwrap().count(), 1);
}

#[cfg(unix)]
#[tokio::test]
async fn keys_are_their_owners_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let place = tempfile::tempdir().unwrap();
    init(place.path()).await.unwrap();
    for key in [
        "pki/ca.key.pem",
        "pki/server.key.pem",
        "pki/clients/customs.key.pem",
        "ledger/ledger.key",
        "keys/pages.key",
    ] {
        let mode = fs::metadata(place.path().join(key)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{key}");
    }
}
