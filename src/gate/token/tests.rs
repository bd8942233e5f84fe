//! Forged, stale and misplaced tokens, each refused for its own reason.

use std::sync::Barrier;
use std::sync::atomic::AtomicBool;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::DecodingKey;
use serde_json::{Value, json};

use super::*;
use crate::domain::partner::Role;

const ISSUER: &str = "https://localhost:8443";
const THUMBPRINT: &str = "A4DtL2JmUMhAsvJj5tKyn64SqzmuXbMrJa0n761y5v0";
const NOW: i64 = 1_800_000_000;

/// Two keys of one issuer in memory; the second appears at the first refresh.
struct Keys {
    pair: EcdsaKeyPair,
    late: Ed25519KeyPair,
    retire_at: Option<Timestamp>,
    refreshed: AtomicBool,
    refreshes: AtomicU64,
}

impl Keys {
    fn new() -> Self {
        Self {
            pair: EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap(),
            late: Ed25519KeyPair::generate().unwrap(),
            retire_at: None,
            refreshed: AtomicBool::new(false),
            refreshes: AtomicU64::new(0),
        }
    }

    fn public(&self) -> &[u8] {
        self.pair.public_key().as_ref()
    }

    fn sign(&self, header: &str, claims: &str) -> String {
        let signed =
            format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
        let signature = if header.contains("EdDSA") {
            self.late.sign(signed.as_bytes())
        } else {
            self.pair.sign(&SystemRandom::new(), signed.as_bytes()).unwrap()
        };
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

impl KeySource for Keys {
    fn find(&self, issuer: &str, kid: &str, now: Timestamp) -> KeyFound {
        let key = |algorithm, key| {
            KeyFound::Key(Arc::new(VerifyingKey {
                kid: kid.into(),
                algorithm,
                key,
                audience: "puente".into(),
                retire_at: self.retire_at,
            }))
        };
        match kid {
            _ if issuer != ISSUER => KeyFound::UnknownIssuer,
            "one" if self.retire_at.is_none_or(|at| now < at) => {
                key(SignatureAlgorithm::ES256, DecodingKey::from_ec_der(self.public()))
            }
            "late" if self.refreshed.load(Ordering::SeqCst) => key(
                SignatureAlgorithm::EdDSA,
                DecodingKey::from_ed_der(self.late.public_key().as_ref()),
            ),
            _ => KeyFound::UnknownKey,
        }
    }

    fn generation(&self) -> u64 {
        u64::from(self.refreshed.load(Ordering::SeqCst))
    }

    fn refresh(&self, _now: Timestamp) {
        self.refreshes.fetch_add(1, Ordering::SeqCst);
        self.refreshed.store(true, Ordering::SeqCst);
    }
}

/// Revocations in memory.
#[derive(Default)]
struct Revoked(Mutex<Vec<String>>);

impl Revocations for Revoked {
    fn is_revoked(&self, jti: &str) -> bool {
        self.0.lock().unwrap().iter().any(|one| one == jti)
    }
}

fn header() -> Value {
    json!({ "alg": "ES256", "typ": "at+jwt", "kid": "one" })
}

fn claims() -> Value {
    json!({
        "iss": ISSUER, "aud": "puente", "sub": "marketplace", "client_id": "marketplace",
        "iat": NOW, "nbf": NOW, "exp": NOW + 600, "jti": "0198f5a0-0000-7000-8000-000000000001",
        "scope": "sales.read openid sales.write", "cnf": { "x5t#S256": THUMBPRINT },
    })
}

fn with(mut object: Value, name: &str, value: Value) -> Value {
    object[name] = value;
    object
}

fn without(mut object: Value, name: &str) -> Value {
    object.as_object_mut().unwrap().remove(name);
    object
}

fn partner(id: &str) -> Partner {
    let id = id.parse().unwrap();
    Partner::register(id, Role::Marketplace, None, "A partner".into(), at(NOW)).unwrap()
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap()
}

fn verifier(keys: Keys) -> (Arc<Keys>, Verifier) {
    let keys = Arc::new(keys);
    (keys.clone(), Verifier::new(keys, Arc::new(Revoked::default())))
}

fn check(verifier: &Verifier, token: &str, now: i64) -> Result<(), &'static str> {
    verifier
        .verify(token, THUMBPRINT, &partner("marketplace"), at(now))
        .map(|_| ())
        .map_err(|fault| fault.reason())
}

#[test]
fn a_good_token_is_accepted_and_read() {
    let (keys, verifier) = verifier(Keys::new());
    for typ in ["at+jwt", "application/at+jwt", "AT+JWT"] {
        let token =
            keys.sign(&with(header(), "typ", json!(typ)).to_string(), &claims().to_string());
        let read = verifier.verify(&token, THUMBPRINT, &partner("marketplace"), at(NOW)).unwrap();
        assert_eq!(read.client_id(), "marketplace");
        assert_eq!(read.expires_at(), at(NOW + 600));
        assert_eq!(read.scopes(), "sales.write sales.read".parse().unwrap());
    }
}

#[test]
fn forged_headers_and_shapes_are_refused() {
    let (keys, verifier) = verifier(Keys::new());
    let good = keys.sign(&header().to_string(), &claims().to_string());
    let parts: Vec<&str> = good.split('.').collect();
    let signed = |header: Value| keys.sign(&header.to_string(), &claims().to_string());
    let unsigned = |header: Value, signature: &str| {
        format!(
            "{}.{}.{signature}",
            URL_SAFE_NO_PAD.encode(header.to_string()),
            URL_SAFE_NO_PAD.encode(claims().to_string())
        )
    };
    let hs256 = jsonwebtoken::encode(
        &jsonwebtoken::Header {
            typ: Some("at+jwt".into()),
            kid: Some("one".into()),
            ..jsonwebtoken::Header::new(jsonwebtoken::Algorithm::HS256)
        },
        &claims(),
        &jsonwebtoken::EncodingKey::from_secret(keys.public()),
    )
    .unwrap();
    let other = Keys::new().sign(&header().to_string(), &claims().to_string());
    let twice = claims().to_string().replacen('{', r#"{"scope":"partners.admin","#, 1);
    let nested = claims()
        .to_string()
        .replace(r#"{"x5t#S256""#, r#"{"x5t#S256":"someone else's","x5t#S256""#);
    let padded = format!("{}=", parts[1]);
    let zeros = URL_SAFE_NO_PAD.encode([0; 64]);
    let other_key = json!({ "kty": "EC", "crv": "P-256", "x": "AA", "y": "AA" });

    let table: Vec<(&str, String, &str)> = vec![
        ("alg none", unsigned(with(header(), "alg", json!("none")), ""), "TOKEN_ALGORITHM_REFUSED"),
        ("HS256 keyed with the public key", hs256, "TOKEN_ALGORITHM_REFUSED"),
        ("ES384", signed(with(header(), "alg", json!("ES384"))), "TOKEN_ALGORITHM_REFUSED"),
        ("r = s = 0", unsigned(header(), &zeros), "TOKEN_SIGNATURE_INVALID"),
        ("no signature", unsigned(header(), ""), "TOKEN_SIGNATURE_INVALID"),
        ("another's key", other, "TOKEN_SIGNATURE_INVALID"),
        (
            "claims swapped",
            {
                let claims = with(claims(), "scope", json!("partners.admin")).to_string();
                format!("{}.{}.{}", parts[0], URL_SAFE_NO_PAD.encode(claims), parts[2])
            },
            "TOKEN_SIGNATURE_INVALID",
        ),
        ("kid climbs", signed(with(header(), "kid", json!("../one"))), "TOKEN_UNKNOWN_KEY"),
        ("kid SQL", signed(with(header(), "kid", json!("' OR 1=1 --"))), "TOKEN_UNKNOWN_KEY"),
        ("kid NUL", signed(with(header(), "kid", json!("one\0"))), "TOKEN_UNKNOWN_KEY"),
        ("kid number", signed(with(header(), "kid", json!(1))), "TOKEN_MALFORMED"),
        ("no kid", signed(without(header(), "kid")), "TOKEN_MALFORMED"),
        ("no alg", signed(without(header(), "alg")), "TOKEN_MALFORMED"),
        ("no typ", signed(without(header(), "typ")), "TOKEN_MALFORMED"),
        ("typ JWT", signed(with(header(), "typ", json!("JWT"))), "TOKEN_MALFORMED"),
        ("crit", signed(with(header(), "crit", json!(["b64"]))), "TOKEN_MALFORMED"),
        ("crit empty", signed(with(header(), "crit", json!([]))), "TOKEN_MALFORMED"),
        ("1 MB", format!("{good}{}", "A".repeat(1 << 20)), "TOKEN_MALFORMED"),
        ("just over 8 KiB", format!("{good}{}", "A".repeat(8192)), "TOKEN_MALFORMED"),
        ("two parts", format!("{}.{}", parts[0], parts[1]), "TOKEN_MALFORMED"),
        ("four parts", format!("{good}."), "TOKEN_MALFORMED"),
        ("five parts", format!("{good}.a.b"), "TOKEN_MALFORMED"),
        ("padding", format!("{}.{padded}.{}", parts[0], parts[2]), "TOKEN_MALFORMED"),
        ("a space", format!(" {good}"), "TOKEN_MALFORMED"),
        ("a member twice", keys.sign(&header().to_string(), &twice), "TOKEN_MALFORMED"),
        ("a nested member twice", keys.sign(&header().to_string(), &nested), "TOKEN_MALFORMED"),
        (
            "header twice",
            keys.sign(
                r#"{"alg":"none","alg":"ES256","typ":"at+jwt","kid":"one"}"#,
                &claims().to_string(),
            ),
            "TOKEN_MALFORMED",
        ),
        (
            "two objects",
            keys.sign(&header().to_string(), &format!("{}{{}}", claims())),
            "TOKEN_MALFORMED",
        ),
        ("no object", keys.sign(&header().to_string(), "[]"), "TOKEN_MALFORMED"),
        ("deep", keys.sign(&header().to_string(), &"[".repeat(4000)), "TOKEN_MALFORMED"),
        ("empty", String::new(), "TOKEN_MISSING"),
    ];
    for (name, token, reason) in table {
        assert_eq!(check(&verifier, &token, NOW), Err(reason), "{name}");
    }
    for name in ["jku", "x5u", "jwk", "x5c"] {
        let token = signed(with(header(), name, other_key.clone()));
        assert_eq!(check(&verifier, &token, NOW), Ok(()), "{name} is not looked at");
    }
}

#[test]
fn every_claim_is_required_and_typed() {
    let (keys, verifier) = verifier(Keys::new());
    let signed = |claims: Value| keys.sign(&header().to_string(), &claims.to_string());
    for name in ["iss", "exp", "aud", "sub", "client_id", "iat", "jti", "cnf", "scope"] {
        let missing = check(&verifier, &signed(without(claims(), name)), NOW);
        assert_eq!(missing, Err("TOKEN_MALFORMED"), "{name} missing");
        let null = check(&verifier, &signed(with(claims(), name, Value::Null)), NOW);
        assert_eq!(null, Err("TOKEN_MALFORMED"), "{name} null");
    }
    let table = [
        ("iss", json!([ISSUER]), Err("TOKEN_MALFORMED")),
        ("iss", json!("https://localhost:8443/"), Err("TOKEN_WRONG_ISSUER")),
        ("aud", json!("another"), Err("TOKEN_WRONG_AUDIENCE")),
        ("aud", json!([]), Err("TOKEN_WRONG_AUDIENCE")),
        ("aud", json!(["another", "puente"]), Ok(())),
        ("aud", json!(["puente", 1]), Err("TOKEN_MALFORMED")),
        ("exp", json!("1800000600"), Err("TOKEN_MALFORMED")),
        ("exp", json!(1e300), Err("TOKEN_MALFORMED")),
        ("exp", json!(i64::MAX), Err("TOKEN_MALFORMED")),
        ("exp", json!(u64::MAX), Err("TOKEN_MALFORMED")),
        ("iat", json!(1.5), Err("TOKEN_MALFORMED")),
        ("nbf", json!("soon"), Err("TOKEN_MALFORMED")),
        ("cnf", json!({}), Err("TOKEN_MALFORMED")),
        ("cnf", json!({ "jkt": THUMBPRINT }), Err("TOKEN_MALFORMED")),
        ("cnf", json!({ "x5t#S256": "another" }), Err("TOKEN_NOT_BOUND")),
        ("client_id", json!("customs"), Err("TOKEN_CLIENT_MISMATCH")),
        ("client_id", json!(["marketplace"]), Err("TOKEN_MALFORMED")),
        ("scope", json!(["sales.read"]), Err("TOKEN_MALFORMED")),
        ("scope", json!(""), Ok(())),
    ];
    for (name, value, expected) in table {
        let token = signed(with(claims(), name, value.clone()));
        assert_eq!(check(&verifier, &token, NOW), expected, "{name} {value}");
    }
    assert_eq!(check(&verifier, &signed(without(claims(), "nbf")), NOW), Ok(()));
}

#[test]
fn time_is_judged_to_the_second_also_for_remembered_tokens() {
    let (keys, verifier) = verifier(Keys::new());
    let good = keys.sign(&header().to_string(), &claims().to_string());
    for remembered in [false, true] {
        for (now, expected) in [
            (NOW - 11, Err("TOKEN_NOT_YET_VALID")),
            (NOW - 10, Ok(())),
            (NOW + 609, Ok(())),
            (NOW + 610, Err("TOKEN_EXPIRED")),
        ] {
            assert_eq!(check(&verifier, &good, now), expected, "{now} {remembered}");
        }
    }
    for name in ["iat", "nbf"] {
        let ahead = with(claims(), name, json!(NOW + 11)).to_string();
        let ahead = keys.sign(&header().to_string(), &ahead);
        assert_eq!(check(&verifier, &ahead, NOW), Err("TOKEN_NOT_YET_VALID"), "{name}");
        assert_eq!(check(&verifier, &ahead, NOW + 1), Ok(()), "{name}");
    }
}

#[test]
fn a_token_of_another_certificate_is_refused_also_when_remembered() {
    let (keys, verifier) = verifier(Keys::new());
    let good = keys.sign(&header().to_string(), &claims().to_string());
    assert_eq!(check(&verifier, &good, NOW), Ok(()));
    let elsewhere = verifier.verify(&good, "another", &partner("marketplace"), at(NOW));
    assert_eq!(elsewhere, Err(TokenFault::NotBound));
    let other = verifier.verify(&good, THUMBPRINT, &partner("customs"), at(NOW));
    assert_eq!(other, Err(TokenFault::ClientMismatch));
}

#[test]
fn a_retired_key_is_refused_also_for_remembered_tokens() {
    let keys = Keys { retire_at: Some(at(NOW + 60)), ..Keys::new() };
    let (keys, verifier) = verifier(keys);
    let good = keys.sign(&header().to_string(), &claims().to_string());
    assert_eq!(check(&verifier, &good, NOW + 59), Ok(()));
    assert_eq!(check(&verifier, &good, NOW + 60), Err("TOKEN_UNKNOWN_KEY"));
}

#[test]
fn an_unknown_key_costs_one_look_and_is_then_remembered() {
    let (keys, verifier) = verifier(Keys::new());
    let late = json!({ "alg": "EdDSA", "typ": "at+jwt", "kid": "late" });
    let late = keys.sign(&late.to_string(), &claims().to_string());
    assert_eq!(check(&verifier, &late, NOW), Ok(()), "found at the first look");
    assert_eq!(keys.refreshes.load(Ordering::SeqCst), 1);

    let unknown = |kid: &str| {
        keys.sign(&with(header(), "kid", json!(kid)).to_string(), &claims().to_string())
    };
    let refused = Err("TOKEN_UNKNOWN_KEY");
    for i in 0..100 {
        assert_eq!(check(&verifier, &unknown(&format!("forged {i}")), NOW), refused);
    }
    assert_eq!(keys.refreshes.load(Ordering::SeqCst), 1, "no more than one look a second");
    assert_eq!(check(&verifier, &unknown("x"), NOW + 2), refused);
    assert_eq!(check(&verifier, &unknown("x"), NOW + 9), refused);
    assert_eq!(keys.refreshes.load(Ordering::SeqCst), 2, "remembered as unknown");
    assert_eq!(check(&verifier, &unknown("x"), NOW + 33), refused);
    assert_eq!(keys.refreshes.load(Ordering::SeqCst), 3, "for a while");
}

#[test]
fn a_revocation_holds_at_the_next_use() {
    let (keys, revoked) = (Arc::new(Keys::new()), Arc::new(Revoked::default()));
    let verifier = Verifier::new(keys.clone(), revoked.clone());
    let good = keys.sign(&header().to_string(), &claims().to_string());
    assert_eq!(check(&verifier, &good, NOW), Ok(()));
    revoked.0.lock().unwrap().push("0198f5a0-0000-7000-8000-000000000001".into());
    assert_eq!(check(&verifier, &good, NOW), Err("TOKEN_REVOKED"));
}

#[test]
fn many_at_once_check_a_signature_once() {
    let (keys, verifier) = verifier(Keys::new());
    let good = keys.sign(&header().to_string(), &claims().to_string());
    let barrier = Barrier::new(16);
    std::thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| {
                barrier.wait();
                for _ in 0..50 {
                    assert_eq!(check(&verifier, &good, NOW), Ok(()));
                }
            });
        }
    });
    assert_eq!(verifier.signature_checks(), 1);
}

#[test]
fn what_a_connection_carried_before_is_asked_again_for_all_that_can_change() {
    let retires = Keys { retire_at: Some(at(NOW + 300)), ..Keys::new() };
    let (keys, revoked) = (Arc::new(retires), Arc::new(Revoked::default()));
    let verifier = Verifier::new(keys.clone(), revoked.clone());
    let header_of = |claims: Value| {
        let mut headers = HeaderMap::new();
        let token = keys.sign(&header().to_string(), &claims.to_string());
        headers.insert(AUTHORIZATION, format!("Bearer {token}").parse().unwrap());
        headers
    };
    let carried = Carried::default();
    let call = |headers: &HeaderMap, thumbprint: &str, id: &str, now: i64| {
        verifier
            .verify_call(headers, &carried, thumbprint, &partner(id), at(now))
            .map(|token| token.jti().to_owned())
            .map_err(|fault| fault.reason())
    };
    let first = "0198f5a0-0000-7000-8000-000000000001";
    let (one, other) = (header_of(claims()), header_of(with(claims(), "jti", json!("0198-2"))));
    let ok = |jti: &str| Ok(jti.to_owned());
    for _ in 0..3 {
        assert_eq!(call(&one, THUMBPRINT, "marketplace", NOW), ok(first));
    }
    assert_eq!(verifier.signature_checks(), 1);
    assert_eq!(call(&other, THUMBPRINT, "marketplace", NOW), ok("0198-2"), "not the one before");
    assert_eq!(call(&one, THUMBPRINT, "marketplace", NOW), ok(first));
    assert_eq!(verifier.signature_checks(), 2);
    assert_eq!(call(&one, "another", "marketplace", NOW), Err("TOKEN_NOT_BOUND"));
    assert_eq!(call(&one, THUMBPRINT, "customs", NOW), Err("TOKEN_CLIENT_MISMATCH"));
    assert_eq!(call(&one, THUMBPRINT, "marketplace", NOW - 11), Err("TOKEN_NOT_YET_VALID"));
    assert_eq!(call(&one, THUMBPRINT, "marketplace", NOW + 610), Err("TOKEN_UNKNOWN_KEY"));
    assert_eq!(call(&one, THUMBPRINT, "marketplace", NOW + 300), Err("TOKEN_UNKNOWN_KEY"));
    let mut twice = one.clone();
    twice.append(AUTHORIZATION, other[AUTHORIZATION].clone());
    assert_eq!(call(&twice, THUMBPRINT, "marketplace", NOW), Err("TOKEN_MISSING"));
    assert_eq!(call(&one, THUMBPRINT, "marketplace", NOW), ok(first));
    revoked.0.lock().unwrap().push(first.into());
    assert_eq!(call(&one, THUMBPRINT, "marketplace", NOW), Err("TOKEN_REVOKED"));
}

#[test]
fn the_bearer_token_is_taken_from_exactly_one_header() {
    let headers = |values: &[&str]| {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(AUTHORIZATION, value.parse().unwrap());
        }
        bearer(&headers).map(str::to_owned)
    };
    assert_eq!(headers(&["Bearer abc"]), Ok("abc".into()));
    assert_eq!(headers(&["bearer abc"]), Ok("abc".into()));
    for bad in [&[][..], &["Basic abc"], &["Bearer"], &["Bearer a", "Bearer b"]] {
        assert_eq!(headers(bad), Err(TokenFault::Missing), "{bad:?}");
    }
}
