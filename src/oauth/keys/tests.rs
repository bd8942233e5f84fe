//! Keys on disk: making, rotating, reading again, refusing what is out of order.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;

use jiff::SignedDuration;
use serde_json::json;
use tempfile::TempDir;

use super::*;
use crate::gate::token::SignatureAlgorithm::{ES256, EdDSA, PS256};

const LIFETIME: SignedDuration = SignedDuration::from_secs(600);
const CACHE: SignedDuration = SignedDuration::from_secs(300);
const SPAN: i64 = 600 + 300 + 10;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).unwrap()
}

fn settings(folder: &TempDir) -> OAuthSettings {
    OAuthSettings { signing_keys: folder.path().join("keys"), ..Default::default() }
}

fn kids(ring: &KeyRing, now: Timestamp) -> Vec<String> {
    ring.published(now).into_iter().filter_map(|jwk| jwk.common.key_id).collect()
}

fn signer(ring: &KeyRing, now: Timestamp) -> String {
    let token = ring.sign(&json!({}), now).unwrap();
    jsonwebtoken::decode_header(token).unwrap().kid.unwrap()
}

fn accepts(ring: &KeyRing, kid: &str, now: Timestamp) -> bool {
    matches!(ring.find("https://localhost:8443", kid, now), KeyFound::Key(_))
}

#[test]
fn a_new_key_is_published_before_it_signs_and_the_old_one_outlives_its_tokens() {
    for algorithm in [ES256, EdDSA] {
        let folder = TempDir::new().unwrap();
        let settings = settings(&folder);
        let first = create(&settings.signing_keys, algorithm, at(0)).unwrap();
        let ring = KeyRing::load(&settings, at(0)).unwrap();
        assert_eq!(kids(&ring, at(0)), [&*first]);

        let second = rotate(&settings.signing_keys, at(100), LIFETIME, CACHE).unwrap();
        ring.poll(at(100));
        assert_eq!(kids(&ring, at(100)), [first.clone(), second.clone()]);
        assert_eq!(signer(&ring, at(100 + SPAN - 1)), first);
        assert_eq!(signer(&ring, at(100 + SPAN)), second);
        // The last token of the first key was made just before and still holds to its end.
        assert!(accepts(&ring, &first, at(100 + SPAN + 600 + 10)));
        assert!(accepts(&ring, &first, at(100 + 2 * SPAN - 1)));
        assert!(!accepts(&ring, &first, at(100 + 2 * SPAN)), "retired");
        assert_eq!(kids(&ring, at(100 + 2 * SPAN)), [&*second]);

        let third = rotate(&settings.signing_keys, at(5000), LIFETIME, CACHE).unwrap();
        ring.poll(at(5000));
        assert_eq!(kids(&ring, at(5000)), [second, third]);
        assert!(!settings.signing_keys.join(format!("{first}.pem")).exists(), "wiped away");
    }
}

#[test]
fn rotating_again_before_the_new_key_signs_leaves_no_gap() {
    let folder = TempDir::new().unwrap();
    let settings = settings(&folder);
    create(&settings.signing_keys, ES256, at(0)).unwrap();
    rotate(&settings.signing_keys, at(10), LIFETIME, CACHE).unwrap();
    rotate(&settings.signing_keys, at(20), LIFETIME, CACHE).unwrap();
    let ring = KeyRing::load(&settings, at(20)).unwrap();
    for second in (20..3 * SPAN).step_by(7) {
        let kid = signer(&ring, at(second));
        assert!(accepts(&ring, &kid, at(second + 609)), "a token made at {second} holds");
    }
}

#[test]
fn kid_is_the_thumbprint_and_no_debug_output_shows_a_key() {
    let folder = TempDir::new().unwrap();
    let settings = settings(&folder);
    let kid = create(&settings.signing_keys, ES256, at(0)).unwrap();
    let ring = KeyRing::load(&settings, at(0)).unwrap();
    let jwk = &ring.published(at(0))[0];
    assert_eq!(jwk.thumbprint(jsonwebtoken::jwk::ThumbprintHash::SHA256).unwrap(), kid);
    let json = serde_json::to_value(jwk).unwrap();
    assert_eq!(
        (&json["use"], &json["alg"], &json["kty"]),
        (&json!("sig"), &json!("ES256"), &json!("EC"))
    );
    assert!(json.get("d").is_none());
    let pem = fs::read_to_string(settings.signing_keys.join(format!("{kid}.pem"))).unwrap();
    let debug = format!("{ring:?}");
    assert!(debug.contains("[redacted]") && debug.contains(&kid));
    assert!(pem.lines().skip(1).all(|line| line.starts_with('-') || !debug.contains(line)));
}

#[test]
fn files_out_of_order_are_refused_with_what_to_do() {
    let folder = TempDir::new().unwrap();
    let settings = settings(&folder);
    let keys = &settings.signing_keys;
    let refused = |part: &str| {
        let fault = KeyRing::load(&settings, at(0)).unwrap_err().to_string();
        assert!(fault.contains(part), "{fault}");
    };
    refused("puente init");
    let kid = create(keys, ES256, at(0)).unwrap();
    assert!(create(keys, ES256, at(0)).unwrap_err().to_string().contains("rotate"));
    let (pem, list) = (keys.join(format!("{kid}.pem")), keys.join("signing.toml"));
    assert_eq!(fs::metadata(&pem).unwrap().permissions().mode() & 0o777, 0o600);
    let (pem_text, list_text) =
        (fs::read_to_string(&pem).unwrap(), fs::read_to_string(&list).unwrap());

    fs::set_permissions(&pem, Permissions::from_mode(0o640)).unwrap();
    refused(&format!("chmod 600 {}", pem.display()));
    fs::set_permissions(&pem, Permissions::from_mode(0o600)).unwrap();
    fs::write(&pem, "-----BEGIN RSA PRIVATE KEY-----\nAA==\n-----END RSA PRIVATE KEY-----")
        .unwrap();
    refused("PKCS#8");
    fs::write(&pem, pem_text.replacen("MIG", "!!!", 1)).unwrap();
    refused("base64");
    fs::write(&pem, &pem_text).unwrap();

    fs::write(&list, list_text.replace("ES256", "EdDSA")).unwrap();
    refused("no EdDSA key");
    fs::write(&list, list_text.replace("ES256", "HS256")).unwrap();
    refused("HS256");
    fs::write(&list, list_text.replace(&format!("kid = \"{kid}"), "kid = \"x")).unwrap();
    refused("thumbprint");
    fs::write(&list, format!("{list_text}\n{list_text}")).unwrap();
    refused("twice");
    fs::write(&list, format!("{list_text}\nretire_at = \"2020-01-01T00:00:00Z\"\n")).unwrap();
    refused("not after its active_from");
    fs::write(&list, format!("{list_text}\nsecret = 1\n")).unwrap();
    refused("secret");
    fs::write(&list, &list_text).unwrap();
    assert!(KeyRing::load(&settings, at(-1)).unwrap_err().to_string().contains("active"));
    KeyRing::load(&settings, at(0)).unwrap();
}

#[test]
fn a_bad_change_keeps_the_old_keys_and_raises_an_alarm_until_mended() {
    let folder = TempDir::new().unwrap();
    let settings = settings(&folder);
    let kid = create(&settings.signing_keys, ES256, at(0)).unwrap();
    let ring = KeyRing::load(&settings, at(0)).unwrap();
    let list = settings.signing_keys.join("signing.toml");
    let text = fs::read_to_string(&list).unwrap();
    let before = ring.generation();

    fs::write(&list, "[[key").unwrap();
    ring.poll(at(1));
    assert!(ring.alarm().unwrap().contains("signing.toml"));
    assert_eq!(signer(&ring, at(1)), kid);
    assert_eq!(ring.generation(), before);

    fs::write(&list, text).unwrap();
    ring.poll(at(2));
    assert_eq!(ring.alarm(), None);
    assert!(ring.generation() > before);
}

#[test]
fn keys_of_an_outside_issuer_are_taken_by_type_and_use() {
    let folder = TempDir::new().unwrap();
    let mut settings = settings(&folder);
    create(&settings.signing_keys, ES256, at(0)).unwrap();
    let coordinate = "A4DtL2JmUMhAsvJj5tKyn64SqzmuXbMrJa0n761y5v0";
    let modulus = "A".repeat(342) + "w";
    let set = json!({ "keys": [
        { "kid": "ec", "kty": "EC", "crv": "P-256", "x": coordinate, "y": coordinate },
        { "kid": "ed", "kty": "OKP", "crv": "Ed25519", "x": coordinate, "alg": "EdDSA" },
        { "kid": "rsa", "kty": "RSA", "n": "w".to_owned() + &modulus[1..342], "e": "AQAB",
          "alg": "PS256", "use": "sig" },
        { "kid": "pkcs1", "kty": "RSA", "n": &modulus[..342], "e": "AQAB", "alg": "RS256" },
        { "kid": "short", "kty": "RSA", "n": &modulus[..171], "e": "AQAB", "alg": "PS256" },
        { "kid": "hmac", "kty": "oct", "k": coordinate, "alg": "HS256" },
        { "kid": "enc", "kty": "EC", "crv": "P-256", "x": coordinate, "y": coordinate,
          "use": "enc" },
        { "kty": "EC", "crv": "P-256", "x": coordinate, "y": coordinate },
    ]});
    let jwks_file = folder.path().join("outside.json");
    fs::write(&jwks_file, set.to_string()).unwrap();
    settings.outside_issuers = vec![OutsideIssuer {
        issuer: "https://login.example".into(),
        audience: "gateway".into(),
        jwks_file: jwks_file.clone(),
    }];
    let ring = KeyRing::load(&settings, at(0)).unwrap();
    let found = |kid: &str| match ring.find("https://login.example", kid, at(0)) {
        KeyFound::Key(key) => Some((key.algorithm, key.audience.clone())),
        KeyFound::UnknownKey | KeyFound::UnknownIssuer => None,
    };
    for (kid, algorithm) in [("ec", ES256), ("ed", EdDSA), ("rsa", PS256)] {
        assert_eq!(found(kid), Some((algorithm, "gateway".into())), "{kid}");
    }
    for kid in ["pkcs1", "short", "hmac", "enc", ""] {
        assert_eq!(found(kid), None, "{kid}");
    }
    assert!(!accepts(&ring, "ec", at(0)), "not ours");
    fs::write(&jwks_file, r#"{"keys":[]}"#).unwrap();
    assert!(KeyRing::load(&settings, at(0)).unwrap_err().to_string().contains("ES256"));
}
