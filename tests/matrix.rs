//! Who may call what: every method of the descriptors, with every kind of credentials, against a
//! table kept beside the tests.
//!
//! `UPDATE_GOLDEN=1 cargo test matrix` writes the table anew; its changes are for review.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error as _;
use std::fmt::Write as _;
use std::path::PathBuf;

use prost_reflect::DescriptorPool;
use puente::cli::Client;
use puente::domain::partner::Role;
use puente::domain::scope::Scope;
use puente::proto::puente::access::v1::Role as RoleMessage;
use puente::proto::{ACCESS, FILE_DESCRIPTOR_SET, MethodAccess, Needs};
use tonic::transport::Channel;

use crate::common::stage::{Stage, further_partner};
use crate::common::wire::{self, call_empty, tls_config};
use crate::common::{verdict, within};

/// Partners that `init` makes, one a role; whoever of them may hold a method's scope calls it.
const PARTNERS: [(&str, Role); 7] = [
    ("registry", Role::ExportRegistry),
    ("marketplace", Role::Marketplace),
    ("customs", Role::Customs),
    ("inv", Role::Agency),
    ("ministry", Role::Analyst),
    ("auditor", Role::Auditor),
    ("operator", Role::Operator),
];

const HEADER: &str = "\
# method | no certificate | no token | token of another certificate | wrong scope | right scope
# Calls carry an empty message, so the right scope mostly ends at the first field that must be given.
";

fn golden() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden/matrix.txt")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_method_answers_as_the_table_says() {
    // Every method is asked with tokens of its own, more a minute than a partner needs.
    let stage = Stage::with(|config| config.oauth.tokens_per_minute = 10_000).await;
    let mut table = HEADER.to_owned();
    let mut callers = BTreeMap::new();
    for method in ACCESS {
        let caller = Caller::of(&stage, method, &mut callers).await;
        let cells = [
            refused_cell(&stage, method).await,
            cell(method, caller.channel.clone(), None).await,
            cell(method, caller.channel.clone(), Some(&caller.foreign)).await,
            cell(method, caller.channel.clone(), Some(&caller.wrong)).await,
            cell(method, caller.channel.clone(), Some(&caller.right)).await,
        ];
        writeln!(table, "{} | {}", method.path, cells.join(" | ")).unwrap();
    }
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(golden(), &table).unwrap();
    }
    let expected = std::fs::read_to_string(golden()).unwrap_or_default();
    let different: Vec<_> = table.lines().filter(|row| !expected.contains(*row)).collect();
    assert!(table == expected, "differs from tests/golden/matrix.txt:\n{}", different.join("\n"));
    stage.stop().await;
}

/// A broker's whole grant, method by method: its scope lets it call what is for customs too, and
/// what it may do there is judged further in.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_calls_what_its_grant_says_and_nothing_else() {
    let stage = Stage::with(|config| config.oauth.tokens_per_minute = 10_000).await;
    let broker = further_partner(&stage.folder, "despachante", RoleMessage::Broker).await;
    let token = broker.tokens.token().await.unwrap().access_token;
    let mut table = "# method | a broker without a delegation, with its whole grant\n".to_owned();
    for method in ACCESS {
        let verdict = cell(method, broker.channel(), Some(&token)).await;
        let granted = match method.needs {
            Needs::Certificate => true,
            Needs::AnyScope(names) => {
                let mut scopes = names.iter().map(|name| name.parse().unwrap());
                scopes.any(|scope| Role::Broker.grantable().contains(scope))
            }
        };
        let refused = verdict == "PERMISSION_DENIED:SCOPE_MISSING";
        assert_ne!(granted, refused, "{}: {verdict}", method.path);
        writeln!(table, "{} | {verdict}", method.path).unwrap();
    }
    let golden = golden().with_file_name("broker.txt");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&golden, &table).unwrap();
    }
    let expected = std::fs::read_to_string(&golden).unwrap_or_default();
    let different: Vec<_> = table.lines().filter(|row| !expected.contains(*row)).collect();
    assert!(table == expected, "differs from tests/golden/broker.txt:\n{}", different.join("\n"));
    stage.stop().await;
}

/// No table can make up for these: whatever it holds, they must be so.
#[test]
fn the_table_holds_every_method_and_lets_nobody_in_without_credentials() {
    let pool = DescriptorPool::decode(FILE_DESCRIPTOR_SET).unwrap();
    let described: BTreeSet<String> = pool
        .services()
        .flat_map(|service| {
            let full_name = service.full_name().to_owned();
            service.methods().map(move |m| format!("/{full_name}/{}", m.name())).collect::<Vec<_>>()
        })
        .collect();
    let text = std::fs::read_to_string(golden()).unwrap();
    let rows: Vec<Vec<&str>> = text
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| line.split(" | ").collect())
        .collect();
    let tabled: BTreeSet<String> = rows.iter().map(|row| row[0].to_owned()).collect();
    let missing: Vec<_> = described.difference(&tabled).collect();
    assert!(missing.is_empty(), "not in tests/golden/matrix.txt: {missing:?}");
    let known: BTreeSet<String> = ACCESS.iter().map(|method| method.path.to_owned()).collect();
    assert_eq!(tabled, known, "the table has other methods than the gateway");

    for row in rows {
        assert_eq!(row.len(), 6, "{row:?}");
        assert_eq!(row[1], "TLS_REFUSED", "{}", row[0]);
        if row[0].starts_with("/puente.") {
            assert_eq!(row[2], "UNAUTHENTICATED:TOKEN_MISSING", "{}", row[0]);
            assert_eq!(row[3], "UNAUTHENTICATED:TOKEN_NOT_BOUND", "{}", row[0]);
            assert_eq!(row[4], "PERMISSION_DENIED:SCOPE_MISSING", "{}", row[0]);
        }
        assert!(
            !row[5].starts_with("UNAUTHENTICATED") && !row[5].starts_with("PERMISSION_DENIED"),
            "{} is closed to those it is for: {}",
            row[0],
            row[5]
        );
        // The health service of tonic knows Check and Watch; health's newest method is declared,
        // and says by itself that it is not there.
        let known_gap = row[0] == "/grpc.health.v1.Health/List";
        assert!(
            known_gap || !row[5].starts_with("UNIMPLEMENTED") && !row[5].starts_with("INTERNAL"),
            "{} is not served: {}",
            row[0],
            row[5]
        );
    }
}

/// What a client without a certificate sees is the alert that says so, before any HTTP.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_certificate_the_handshake_is_refused() {
    use tokio::io::AsyncReadExt as _;
    let stage = Stage::start().await;
    let config = tls_config(&stage.path().join("pki/ca.pem"), None, "h2");
    let mut stream = wire::connect(stage.address(), config).await.unwrap();
    let error = stream.read_u8().await.unwrap_err();
    assert!(error.to_string().contains("CertificateRequired"), "{error}");
    // The refusal is on record.
    let audit = stage.path().join("data/audit/audit-00000000.jsonl");
    let recorded = within(std::time::Duration::from_secs(2), || async {
        std::fs::read_to_string(&audit).ok().filter(|text| text.contains("TLS_REFUSED"))
    });
    assert!(recorded.await.is_some());
    stage.stop().await;
}

/// A partner who may call a method, with tokens of every kind.
#[derive(Clone)]
struct Caller {
    channel: Channel,
    /// Holds the scope, and was given to another certificate of the same partner.
    foreign: String,
    /// Given to this certificate, without the scope.
    wrong: String,
    /// Given to this certificate, with nothing but the scope.
    right: String,
}

impl Caller {
    /// Who calls `method`; `met` keeps those before, so that tokens are asked for once a scope.
    async fn of(
        stage: &Stage,
        method: &MethodAccess,
        met: &mut BTreeMap<(&'static str, Scope, Scope), Self>,
    ) -> Self {
        let needed: Vec<Scope> = match method.needs {
            Needs::Certificate => vec![Scope::ReferenceRead],
            Needs::AnyScope(names) => names.iter().map(|name| name.parse().unwrap()).collect(),
        };
        let (partner, scope) = needed
            .iter()
            .find_map(|scope| {
                let holder = PARTNERS.iter().find(|(_, role)| role.grantable().contains(*scope));
                holder.map(|(partner, _)| (*partner, *scope))
            })
            .unwrap_or_else(|| panic!("no partner may call {}", method.path));
        let other = match needed.contains(&Scope::EventsRead) {
            true => Scope::ReferenceRead,
            false => Scope::EventsRead,
        };
        if let Some(caller) = met.get(&(partner, scope, other)) {
            return caller.clone();
        }
        let client = stage.client(partner);
        let identity = stage.folder.second_identity(partner);
        let second = stage.folder.profile_of(partner, &identity);
        let second = Client::new(second, puente::clock::Env::system()).unwrap();
        let caller = Self {
            channel: client.channel(),
            foreign: token(&second, scope).await,
            wrong: token(&client, other).await,
            right: token(&client, scope).await,
        };
        met.insert((partner, scope, other), caller.clone());
        caller
    }
}

async fn token(client: &Client, scope: Scope) -> String {
    client.tokens.ask(Some(scope.as_str())).await.unwrap().access_token
}

async fn cell(method: &MethodAccess, channel: Channel, token: Option<&str>) -> String {
    // Health's Watch answers for as long as it is asked.
    let endless = method.server_streams && !method.client_streams;
    match call_empty(channel, method.path, token, endless).await {
        Ok(_) => "OK".into(),
        Err(status) => verdict(&status),
    }
}

/// The same without a certificate, over a connection of its own.
async fn refused_cell(stage: &Stage, method: &MethodAccess) -> String {
    let config = tls_config(&stage.path().join("pki/ca.pem"), None, "h2");
    let channel = wire::channel(stage.address(), config);
    match call_empty(channel, method.path, None, true).await {
        Ok(_) => "OK".into(),
        // Made on this side, because the connection broke; what the gateway says has no source.
        Err(status) if status.source().is_some() => "TLS_REFUSED".into(),
        Err(status) => verdict(&status),
    }
}
