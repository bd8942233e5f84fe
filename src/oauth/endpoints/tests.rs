//! The endpoints as a client meets them, with the certificate's identity laid beside the request.

use axum::body::Body;
use axum::response::Response;
use http::{Method, Request, StatusCode};
use http_body_util::BodyExt as _;
use jiff::Timestamp;
use serde_json::{Value, json};
use tempfile::TempDir;
use tower::ServiceExt as _;

use super::super::{keys, settings};
use super::*;
use crate::app::App;
use crate::app::write::{Intent, Plan, put};
use crate::change::Kind;
use crate::clock::{Clock as _, CountingIds, ManualClock};
use crate::domain::identity::CertificateIdentity;
use crate::domain::partner::Role;
use crate::domain::request_id::RequestId;
use crate::domain::scope::Scope;
use crate::gate::token::{Revocations, SignatureAlgorithm};
use crate::ledger::{Draft, EntryKind};
use crate::store::sqlite::SqliteStore;
use crate::store::writer::WriterLimits;

const FORM: &str = "application/x-www-form-urlencoded";
const ASK: &str = "grant_type=client_credentials";

struct Bench {
    _folder: TempDir,
    app: App,
    clock: Arc<ManualClock>,
    verifier: Arc<Verifier>,
    router: Router,
}

impl Bench {
    async fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let settings = OAuthSettings {
            signing_keys: folder.path().join("keys"),
            tokens_per_minute: 20,
            ..Default::default()
        };
        let start: Timestamp = "2026-11-24T12:00:00.25Z".parse().unwrap();
        let clock = Arc::new(ManualClock::new(start));
        let env = Env { clock: clock.clone(), ids: Arc::new(CountingIds::default()) };
        keys::create(&settings.signing_keys, SignatureAlgorithm::ES256, start).unwrap();
        let ring = Arc::new(KeyRing::load(&settings, start).unwrap());
        let mut suspended = partner("suspended");
        suspended.state = PartnerState::Suspended;
        let partners = vec![partner("marketplace"), partner("customs"), suspended];
        let app = people(&folder, &env, partners).await;
        let directory = app.directory.clone();
        let verifier = Arc::new(Verifier::new(ring.clone(), Arc::new(Revoked(directory.clone()))));
        let tokens = Tokens::new(app.clone());
        let oauth = OAuth::new(directory, tokens, ring, verifier.clone(), settings, env);
        Self { _folder: folder, app, clock, verifier, router: router(Arc::new(oauth)) }
    }

    async fn ask(&self, peer: Option<PeerIdentity>, request: Request<Body>) -> Response {
        let mut request = request;
        if let Some(peer) = peer {
            request.extensions_mut().insert(peer);
        }
        self.router.clone().oneshot(request).await.unwrap()
    }

    async fn post(
        &self,
        peer: Option<PeerIdentity>,
        path: &str,
        body: &str,
    ) -> (StatusCode, Value) {
        let request = Request::post(path)
            .header("content-type", FORM)
            .body(Body::from(body.to_owned()))
            .unwrap();
        read(self.ask(peer, request).await).await
    }

    async fn token(&self, id: &str, body: &str) -> String {
        let (status, answer) = self.post(Some(peer(id)), TOKEN, body).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
        answer["access_token"].as_str().unwrap().to_owned()
    }
}

/// The application over a store of its own, with these partners in it.
async fn people(folder: &TempDir, env: &Env, partners: Vec<Partner>) -> App {
    let store = SqliteStore::open(&folder.path().join("store.db")).unwrap();
    let app = App::start(Arc::new(store), env.clone(), WriterLimits::default()).await.unwrap();
    for partner in partners {
        let id = RequestId::new(env.ids.uuid()).unwrap();
        let intent = Intent::internal("operator".parse().unwrap(), id);
        let key = partner.id.to_string();
        let columns = || vec![partner.role.to_string()];
        let plan = || async {
            let (expect, write) = put(Kind::Partner, &key, &key, "ACTIVE", columns(), &partner, 0)?;
            Ok(Plan {
                answer: (),
                expect: vec![expect],
                writes: vec![write],
                draft: Draft::new(EntryKind::PartnerCreated).about(format!("partners/{key}")),
            })
        };
        app.write(&intent, plan).await.unwrap();
    }
    app
}

/// The directory as the gate sees it.
struct Revoked(Arc<Directory>);

impl Revocations for Revoked {
    fn is_revoked(&self, jti: &str) -> bool {
        self.0.is_revoked(jti)
    }
}

fn name(id: &str) -> String {
    format!("urn:puente:partner:{id}")
}

fn partner(id: &str) -> Partner {
    let at = Timestamp::UNIX_EPOCH;
    let name: CertificateIdentity = format!("san_uri:{}", name(id)).parse().unwrap();
    let id = id.parse().unwrap();
    let mut partner =
        Partner::register(id, Role::Marketplace, None, "A partner".into(), at).unwrap();
    partner.identities.push(name);
    partner
}

fn peer(id: &str) -> PeerIdentity {
    peer_of(&[id])
}

/// A fresh certificate that carries the names of these partners.
fn peer_of(ids: &[&str]) -> PeerIdentity {
    let mut params = rcgen::CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    for id in ids {
        params.subject_alt_names.push(rcgen::SanType::URI(name(id).try_into().unwrap()));
    }
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap();
    PeerIdentity::from_leaf(certificate.der(), ([127, 0, 0, 1], 1).into()).unwrap()
}

/// A certificate whose subject alone says who it is.
fn peer_of_common_name(name: &str) -> PeerIdentity {
    let mut params = rcgen::CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(rcgen::DnType::CommonName, name);
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap();
    PeerIdentity::from_leaf(certificate.der(), ([127, 0, 0, 1], 1).into()).unwrap()
}

async fn read(response: Response) -> (StatusCode, Value) {
    let status = response.status();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, serde_json::from_slice(&body).unwrap_or(Value::Null))
}

fn claims(token: &str) -> Value {
    serde_json::to_value(jsonwebtoken::dangerous::insecure_decode::<Value>(token).unwrap().claims)
        .unwrap()
}

#[tokio::test]
async fn a_token_is_bound_to_the_certificate_and_holds_ten_minutes() {
    let bench = Bench::new().await;
    let request = Request::post(TOKEN).header("content-type", FORM).body(Body::from(ASK)).unwrap();
    let peer_here = peer("marketplace");
    let response = bench.ask(Some(peer_here.clone()), request).await;
    assert_eq!(response.headers()["cache-control"], "no-store");
    assert_eq!(response.headers()["pragma"], "no-cache");
    assert_eq!(response.headers()["content-type"], "application/json");
    let (status, answer) = read(response).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!((&answer["token_type"], &answer["expires_in"]), (&json!("Bearer"), &json!(600)));

    let token = answer["access_token"].as_str().unwrap();
    let header = jsonwebtoken::decode_header(token).unwrap();
    assert_eq!(header.typ.as_deref(), Some("at+jwt"));
    let claims = claims(token);
    assert_eq!(claims["iss"], "https://localhost:8443");
    assert_eq!(claims["aud"], "puente");
    assert_eq!(
        (&claims["sub"], &claims["client_id"]),
        (&json!("marketplace"), &json!("marketplace"))
    );
    assert_eq!(claims["cnf"], json!({ "x5t#S256": peer_here.thumbprint() }));
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 600);
    assert_eq!(claims["scope"], answer["scope"]);

    let now = bench.clock.now();
    let owner = partner("marketplace");
    bench.verifier.verify(token, peer_here.thumbprint(), &owner, now).unwrap();
    bench.verifier.verify(token, peer("marketplace").thumbprint(), &owner, now).unwrap_err();
}

#[tokio::test]
async fn scope_is_the_grant_or_less_and_never_trimmed() {
    let bench = Bench::new().await;
    let asked = |scope: &str| format!("{ASK}&scope={scope}");
    let scope = |token: String| claims(&token)["scope"].as_str().unwrap().to_owned();
    let less = bench.token("marketplace", &asked("sales.write")).await;
    assert_eq!(scope(less), "sales.write");
    let all = bench.token("marketplace", ASK).await;
    assert_eq!(
        scope(bench.token("marketplace", &asked("")).await),
        scope(all),
        "empty is left out"
    );
    for beyond in ["partners.admin", "sales.write+partners.admin", "nothing", "%22%0d%0a"] {
        let (status, answer) = bench.post(Some(peer("marketplace")), TOKEN, &asked(beyond)).await;
        assert_eq!((status, &answer["error"]), (StatusCode::BAD_REQUEST, &json!("invalid_scope")));
        let description = answer["error_description"].as_str().unwrap();
        assert!(description.chars().all(|c| matches!(c, ' '..='~') && c != '"' && c != '\\'));
    }
}

#[tokio::test]
async fn who_is_no_client_gets_invalid_client() {
    let bench = Bench::new().await;
    for (name, peer) in [
        ("no certificate", None),
        ("unknown", Some(peer("stranger"))),
        ("no name", Some(peer_of(&[]))),
        ("two names", Some(peer_of(&["marketplace", "customs"]))),
        ("a longer name", Some(peer("marketplace2"))),
        ("a shorter name", Some(peer("market"))),
        ("the name as common name only", Some(peer_of_common_name("marketplace"))),
        ("suspended", Some(peer("suspended"))),
    ] {
        for path in [TOKEN, INTROSPECT, REVOKE] {
            let (status, answer) = bench.post(peer.clone(), path, &format!("{ASK}&token=x")).await;
            assert_eq!(status, StatusCode::UNAUTHORIZED, "{name} {path}");
            assert_eq!(answer["error"], "invalid_client", "{name} {path}");
        }
    }
    let (status, answer) =
        bench.post(Some(peer("marketplace")), TOKEN, &format!("{ASK}&client_id=customs")).await;
    assert_eq!((status, &answer["error"]), (StatusCode::UNAUTHORIZED, &json!("invalid_client")));
    bench.token("marketplace", &format!("{ASK}&client_id=marketplace")).await;
}

#[tokio::test]
async fn malformed_requests_are_refused_with_the_word_of_the_standard() {
    let bench = Bench::new().await;
    let long = format!("{ASK}&scope={}", "a".repeat(9000));
    let cases = [
        (FORM, "", 400, "invalid_request"),
        (FORM, "grant_type=password", 400, "unsupported_grant_type"),
        (FORM, "grant_type=client_credentials&grant_type=password", 400, "invalid_request"),
        (FORM, "grant_type=client_credentials&x=1&x=1", 400, "invalid_request"),
        (FORM, "grant_type=client_credentials&client_secret=x", 400, "invalid_request"),
        (FORM, &long, 413, "invalid_request"),
        ("application/json", "{}", 400, "invalid_request"),
        ("text/plain", ASK, 400, "invalid_request"),
    ];
    for (media_type, body, status, error) in cases {
        let request = Request::post(TOKEN)
            .header("content-type", media_type)
            .body(Body::from(body.to_owned()))
            .unwrap();
        let response = bench.ask(Some(peer("marketplace")), request).await;
        assert_eq!(response.headers()["cache-control"], "no-store");
        let (got, answer) = read(response).await;
        assert_eq!(
            (got.as_u16(), &answer["error"]),
            (status, &json!(error)),
            "{media_type} {body:.60}"
        );
    }
    let basic = Request::post(TOKEN)
        .header("content-type", FORM)
        .header("authorization", "Basic eDp5")
        .body(Body::from(ASK))
        .unwrap();
    assert_eq!(bench.ask(Some(peer("marketplace")), basic).await.status(), 400);
    let get = Request::get(TOKEN).body(Body::empty()).unwrap();
    assert_eq!(bench.ask(Some(peer("marketplace")), get).await.status(), 405);
    let query = Request::post(format!("{TOKEN}?{ASK}"))
        .header("content-type", FORM)
        .body(Body::from(ASK))
        .unwrap();
    assert_eq!(bench.ask(Some(peer("marketplace")), query).await.status(), 400);
}

#[tokio::test]
async fn a_partner_that_asks_too_often_waits_and_others_do_not() {
    let bench = Bench::new().await;
    for _ in 0..20 {
        bench.token("marketplace", ASK).await;
    }
    let request = Request::post(TOKEN).header("content-type", FORM).body(Body::from(ASK)).unwrap();
    let response = bench.ask(Some(peer("marketplace")), request).await;
    assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
    let wait: u64 = response.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=4).contains(&wait));
    bench.token("customs", ASK).await;
}

#[tokio::test]
async fn a_token_is_known_to_its_owner_only() {
    let bench = Bench::new().await;
    let token = bench.token("marketplace", ASK).await;
    let ask = format!("token={token}&token_type_hint=access_token");
    let (status, answer) = bench.post(Some(peer("marketplace")), INTROSPECT, &ask).await;
    assert_eq!(status, StatusCode::OK);
    let claims = claims(&token);
    assert_eq!(answer["active"], true);
    for name in ["iss", "aud", "sub", "client_id", "iat", "exp", "jti", "scope", "cnf"] {
        assert_eq!(answer[name], claims[name], "{name}");
    }
    let inactive = json!({ "active": false });
    let (_, foreign) = bench.post(Some(peer("customs")), INTROSPECT, &ask).await;
    assert_eq!(foreign, inactive);
    let (_, garbage) = bench.post(Some(peer("customs")), INTROSPECT, "token=x.y.z").await;
    assert_eq!(garbage, inactive);
    let (status, _) = bench.post(Some(peer("customs")), INTROSPECT, "").await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    bench.clock.advance(610);
    let (_, expired) = bench.post(Some(peer("marketplace")), INTROSPECT, &ask).await;
    assert_eq!(expired, inactive);
}

#[tokio::test]
async fn a_revocation_is_its_owners_and_holds_at_once() {
    let bench = Bench::new().await;
    let token = bench.token("marketplace", ASK).await;
    let ask = format!("token={token}");
    let active = async || {
        let (_, answer) = bench.post(Some(peer("marketplace")), INTROSPECT, &ask).await;
        answer["active"].as_bool().unwrap()
    };
    let (foreign, _) = bench.post(Some(peer("customs")), REVOKE, &ask).await;
    assert_eq!(foreign, StatusCode::OK, "as if the token did not exist");
    assert!(active().await);
    for _ in 0..2 {
        let (status, _) = bench.post(Some(peer("marketplace")), REVOKE, &ask).await;
        assert_eq!(status, StatusCode::OK);
        assert!(!active().await);
    }
    let (unknown, _) = bench.post(Some(peer("marketplace")), REVOKE, "token=unknown").await;
    assert_eq!(unknown, StatusCode::OK);
    // With the leeway on expiry: never good again.
    bench.clock.advance(605);
    assert!(!active().await);
    let other = bench.token("marketplace", ASK).await;
    let (_, answer) =
        bench.post(Some(peer("marketplace")), INTROSPECT, &format!("token={other}")).await;
    assert_eq!(answer["active"], true, "others are untouched");
}

#[tokio::test]
async fn a_request_under_the_tokens_own_id_does_not_keep_a_revocation_out() {
    let bench = Bench::new().await;
    let token = bench.token("marketplace", ASK).await;
    let jti = claims(&token)["jti"].as_str().unwrap().parse().unwrap();
    let mut intent = Intent::internal("marketplace".parse().unwrap(), jti);
    intent.request.digest = [1; 32];
    let plan = || async {
        let value = partner("another");
        let columns = vec![value.role.to_string()];
        let (expect, write) =
            put(Kind::Partner, "another", "another", "ACTIVE", columns, &value, 0)?;
        let draft = Draft::new(EntryKind::PartnerCreated).about("partners/another");
        Ok(Plan { answer: (), expect: vec![expect], writes: vec![write], draft })
    };
    bench.app.write(&intent, plan).await.unwrap();
    let ask = format!("token={token}");
    let (status, _) = bench.post(Some(peer("marketplace")), REVOKE, &ask).await;
    assert_eq!(status, StatusCode::OK);
    let (_, answer) = bench.post(Some(peer("marketplace")), INTROSPECT, &ask).await;
    assert_eq!(answer["active"], false);
}

#[tokio::test]
async fn tokens_of_an_outside_issuer_are_accepted_as_configured() {
    let folder = TempDir::new().unwrap();
    let now: Timestamp = "2026-11-24T12:00:00Z".parse().unwrap();
    let ring = |name: &str, settings: OAuthSettings| {
        let signing_keys = folder.path().join(name);
        keys::create(&signing_keys, SignatureAlgorithm::EdDSA, now).unwrap();
        KeyRing::load(&OAuthSettings { signing_keys, ..settings }, now).unwrap()
    };
    let theirs = ring("theirs", OAuthSettings::default());
    let jwks_file = folder.path().join("theirs.json");
    let set = json!({ "keys": theirs.published(now) });
    std::fs::write(&jwks_file, set.to_string()).unwrap();
    let outside = settings::OutsideIssuer {
        issuer: "https://login.example".into(),
        audience: "https://gateway.example".into(),
        jwks_file,
    };
    let ours = ring("ours", OAuthSettings { outside_issuers: vec![outside], ..Default::default() });
    let verifier = Verifier::new(Arc::new(ours), Arc::new(Revoked(Arc::default())));
    let token = |issuer: &str, audience: &str| {
        let claims = json!({
            "iss": issuer, "aud": audience, "sub": "a service account", "client_id": "customs",
            "iat": now.as_second(), "exp": now.as_second() + 60, "jti": "1", "scope": "openid",
            "cnf": { "x5t#S256": "thumbprint" },
        });
        theirs.sign(&claims, now).unwrap()
    };
    let judge = |issuer, audience| {
        verifier
            .verify(&token(issuer, audience), "thumbprint", &partner("customs"), now)
            .map(|token| token.scopes().is_empty())
            .map_err(|fault| fault.reason())
    };
    assert_eq!(judge("https://login.example", "https://gateway.example"), Ok(true));
    assert_eq!(judge("https://login.example", "puente"), Err("TOKEN_WRONG_AUDIENCE"));
    assert_eq!(judge("https://localhost:8443", "puente"), Err("TOKEN_UNKNOWN_KEY"));
    assert_eq!(judge("https://evil.example", "puente"), Err("TOKEN_WRONG_ISSUER"));
}

#[tokio::test]
async fn metadata_and_keys_say_what_is_true() {
    let bench = Bench::new().await;
    let get = |path: &str| Request::get(path).body(Body::empty()).unwrap();
    let response = bench.ask(None, get(METADATA)).await;
    assert_eq!(response.headers()["content-type"], "application/json");
    let (_, metadata) = read(response).await;
    let token = bench.token("marketplace", ASK).await;
    assert_eq!(metadata["issuer"], claims(&token)["iss"], "byte by byte");
    assert_eq!(metadata["tls_client_certificate_bound_access_tokens"], true);
    for endpoint in ["token", "introspection", "revocation"] {
        let methods = &metadata[format!("{endpoint}_endpoint_auth_methods_supported")];
        assert_eq!(methods, &json!(["tls_client_auth"]));
        let address = metadata[format!("{endpoint}_endpoint")].as_str().unwrap();
        let path = address.strip_prefix("https://localhost:8443").unwrap();
        let (status, _) = bench.post(None, path, "token=x").await;
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{path} is there and asks for a client");
    }
    for scope in metadata["scopes_supported"].as_array().unwrap() {
        assert!(Scope::ALL.iter().any(|one| one.as_str() == scope));
    }
    let path =
        metadata["jwks_uri"].as_str().unwrap().strip_prefix("https://localhost:8443").unwrap();
    let response = bench.ask(None, get(path)).await;
    assert_eq!(response.headers()["content-type"], "application/jwk-set+json");
    assert_eq!(response.headers()["cache-control"], "public, max-age=300");
    let (_, keys) = read(response).await;
    let kid = jsonwebtoken::decode_header(&token).unwrap().kid.unwrap();
    assert_eq!(keys["keys"].as_array().unwrap().len(), 1);
    assert_eq!(keys["keys"][0]["kid"], kid);
    let delete = Request::builder().method(Method::DELETE).uri(JWKS).body(Body::empty()).unwrap();
    assert_eq!(bench.ask(None, delete).await.status(), 405);
}
