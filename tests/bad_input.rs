//! Whatever is wrong with a file, a configuration or an identity is told on one line that says
//! where, with an exit code that is not 0; and nothing is half-written.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use jiff::SignedDuration;
use puente::cli::Profile;
use puente::pki;

use crate::common::process::{Ran, run, run_beside};
use crate::common::push::{report, stored};
use crate::common::stage::{Folder, Stage, read};
use crate::common::wire::{self, tls_config};
use crate::exactly_once::entries;

const SALES: &str = "line_id,order_id,kind,sku,quantity,unit_price,currency,sold_at";

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// One line `error: REASON: ...` (and perhaps a hint) that holds all of `parts`; exit code 1.
#[track_caller]
fn refused(ran: &Ran, reason: &str, parts: &[&str]) {
    assert_eq!(ran.code, 1, "{ran:?}");
    let errors: Vec<_> = ran.err.lines().filter(|line| line.starts_with("error: ")).collect();
    assert_eq!(errors.len(), 1, "one line: {ran:?}");
    assert!(errors[0].starts_with(&format!("error: {reason}: ")), "{ran:?}");
    for part in parts {
        assert!(errors[0].contains(part), "{part:?} is not told: {}", errors[0]);
    }
    let others = ran.err.lines().filter(|l| !l.starts_with("error: ") && !l.starts_with("hint: "));
    assert!(others.clone().all(|line| line.contains("line ")), "{ran:?}");
}

/// A stage, and its commands and files.
struct Desk {
    stage: Stage,
}

impl Desk {
    async fn open() -> Self {
        Self { stage: Stage::start().await.with_exporter().await }
    }

    fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        self.stage.folder.scratch(name, content)
    }

    async fn as_partner(&self, partner: &str, args: &[&str]) -> Ran {
        let profile = self.stage.folder.profile(partner);
        let mut all = args.to_vec();
        all.extend(["--profile", text(&profile)]);
        run_beside(&all).await
    }

    async fn push_sales(&self, file: &Path, more: &[&str]) -> Ran {
        let mut args = vec!["push", "sales", text(file), "--period", "2026-11-01..2026-11-30"];
        args.extend(more);
        self.as_partner("marketplace", &args).await
    }

    async fn entries(&self) -> i64 {
        entries(&self.stage.client("auditor")).await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_rows_are_listed_and_good_ones_kept() {
    let desk = Desk::open().await;
    let file = desk.file(
        "mixed.csv",
        format!(
            "{SALES}\n\
             L1,O1,SALE,MALBEC,1,10.00,USD,2026-11-02T10:00:00Z\n\
             L2,O1,SOLD,MALBEC,1,10.00,USD,2026-11-02T10:00:00Z\n\
             L3,O1,SALE,MALBEC,1,10.00,USD\n\
             L4,O1,SALE,MALBEC,-1,10.00,USD,2026-11-02T10:00:00Z\n\
             L5,O1,SALE,MALBEC,1,10.00,USD,2026-02-30T10:00:00Z\n\
             L6,O1,SALE,MALBEC,2,10.00,USD,2026-11-02T10:00:00Z\n"
        ),
    );
    let ran = desk.push_sales(&file, &["--seal", "--output", "json"]).await;
    assert_eq!(ran.code, 1, "{ran:?}");
    for told in ["line 3: kind: ", "line 4: ", "line 5: quantity: ", "line 6: sold_at: "] {
        assert!(ran.err.contains(told), "{told:?} is not told: {}", ran.err);
    }
    assert!(ran.err.contains("mixed.csv"), "{}", ran.err);
    let answer: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    let name = answer["report"]["name"].as_str().unwrap();
    let client = desk.stage.client("marketplace");
    let held = report(&client, name).await;
    assert_eq!(stored(&held).0, 2, "the good lines are kept");
    assert!(held.seal_time.is_none(), "not sealed while rows are refused");

    // Running it again is harmless.
    assert_eq!(desk.push_sales(&file, &[]).await.code, 1);
    assert_eq!(stored(&report(&client, name).await).0, 2);
    desk.stage.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_with_a_fault_of_header_or_encoding_sends_nothing() {
    let desk = Desk::open().await;
    let before = desk.entries().await;
    let good = "L1,O1,SALE,MALBEC,1,10.00,USD,2026-11-02T10:00:00Z";
    let unknown = desk.file("unknown.csv", format!("{SALES},colour\n{good},red\n"));
    let missing = desk.file("missing.csv", format!("{}\n{good}\n", SALES.replace(",sku", "")));
    let twice = desk.file("twice.csv", format!("{SALES},sku\n{good},A\n"));
    let empty = desk.file("empty.csv", "");
    let mut bytes = format!("{SALES}\n{good}\n").into_bytes();
    bytes.extend(b"L2,O1,SALE,MALB\xffEC,1,10.00,USD,2026-11-02T10:00:00Z\n");
    let encoding = desk.file("encoding.csv", bytes);

    for (file, parts) in [
        (&unknown, ["unknown.csv:1: ", "colour"]),
        (&missing, ["missing.csv:1: ", "sku"]),
        (&twice, ["twice.csv:1: ", "sku"]),
        (&empty, ["empty.csv:1: ", "empty"]),
        (&encoding, ["encoding.csv:3: ", "UTF-8"]),
    ] {
        let ran = desk.push_sales(file, &[]).await;
        refused(&ran, "INVALID_FILE", &parts);
        assert!(ran.out.is_empty(), "{ran:?}");
    }
    for (partner, args) in
        [("registry", ["sync", "exporters"]), ("marketplace", ["push", "listings"])]
    {
        let ran = desk.as_partner(partner, &[args[0], args[1], text(&unknown)]).await;
        refused(&ran, "INVALID_FILE", &["unknown.csv:1: ", "unknown column"]);
    }
    let absent = desk.stage.folder.profile("absent").with_extension("csv");
    refused(&desk.push_sales(&absent, &[]).await, "FILE_UNUSABLE", &["absent.csv"]);
    assert_eq!(desk.entries().await, before, "something was written");
    desk.stage.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_rows_of_exporters_and_listings_are_listed() {
    let desk = Desk::open().await;
    let file = desk.file(
        "exporters.csv",
        "cuit,legal_name,size_class,province,status,valid_from\n\
         30880000027,Bodega,SMALL,AR-M,ELIGIBLE,2020-01-01\n\
         30880000028,Bodega,SMALL,AR-M,ELIGIBLE,2020-01-01\n\
         30880000027,Bodega,HUGE,AR-M,ELIGIBLE,2020-01-01\n\
         30880000027,Bodega,SMALL,AR-M,ELIGIBLE,2020-02-30\n",
    );
    let ran = desk.as_partner("registry", &["sync", "exporters", text(&file)]).await;
    assert_eq!(ran.code, 1, "{ran:?}");
    for told in ["line 3: cuit: INVALID_CUIT", "line 4: size_class: ", "line 5: valid_from: "] {
        assert!(ran.err.contains(told), "{told:?} is not told: {}", ran.err);
    }
    // A snapshot with a hole is not taken at all.
    let before = desk.entries().await;
    let ran = desk.as_partner("registry", &["sync", "exporters", text(&file), "--snapshot"]).await;
    assert_eq!(ran.code, 1, "{ran:?}");
    assert_eq!(desk.entries().await, before);

    let file = desk.file(
        "listings.csv",
        "sku,seller_cuit,title,ncm,gtin,channel,unit,statistical_unit,statistical_factor,price,currency\n\
         A,30880000027,Malbec,2204.21.00,,OFFICIAL_STORE,C62,LTR,0.75,18.50,USD\n\
         B,30880000028,Malbec,2204.21.00,,OFFICIAL_STORE,C62,LTR,0.75,18.50,USD\n\
         C,30880000027,Malbec,2204,,OFFICIAL_STORE,C62,LTR,0.75,18.50,USD\n\
         D,30880000027,Malbec,2204.21.00,7799999900012,OFFICIAL_STORE,C62,LTR,0.75,18.50,USD\n\
         E,30880000027,Malbec,2204.21.00,,CORNER_SHOP,C62,LTR,0.75,18.50,USD\n",
    );
    let ran = desk.as_partner("marketplace", &["push", "listings", text(&file)]).await;
    assert_eq!(ran.code, 1, "{ran:?}");
    for told in
        ["line 3: ", "INVALID_CUIT", "line 4: ", "line 5: ", "INVALID_GTIN", "line 6: channel"]
    {
        assert!(ran.err.contains(told), "{told:?} is not told: {}", ran.err);
    }
    desk.stage.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_identities_are_told_with_the_file() {
    let desk = Desk::open().await;
    let folder = &desk.stage.folder;
    let verify = async |profile: &Path| {
        run_beside(&["verify", "30-50001091-2", "--profile", text(profile)]).await
    };
    let with = |name: &str, change: &dyn Fn(&mut Profile)| {
        let mut profile = Profile::load(&folder.profile("marketplace")).unwrap();
        change(&mut profile);
        folder.scratch(&format!("{name}.toml"), toml::to_string(&profile).unwrap())
    };

    let expired = pki::Profile {
        starts_in: SignedDuration::from_hours(-48),
        ends_in: SignedDuration::from_hours(-1),
        ..pki::Profile::client("marketplace", SignedDuration::from_hours(1))
    };
    let expired = folder.issue("expired", &expired);
    let profile = with("expired-profile", &|profile| {
        profile.certificate.clone_from(&expired.certificate);
        profile.key.clone_from(&expired.key);
    });
    refused(&verify(&profile).await, "CERTIFICATE_EXPIRED", &["expired.pem"]);
    // A client that does not look at its own certificate hears it from the gateway.
    let config = tls_config(&folder.path().join("pki/ca.pem"), Some(&expired), "http/1.1");
    let error = wire::post_form(desk.stage.address(), config, "/oauth2/token", "").await;
    let error = error.unwrap_err().to_string();
    assert!(error.contains("CertificateExpired"), "{error}");

    let profile = with("no-key", &|profile| profile.key = "/nowhere/k.pem".into());
    refused(&verify(&profile).await, "FILE_UNUSABLE", &["/nowhere/k.pem"]);
    let profile = with("no-ca", &|profile| profile.ca = "/nowhere/ca.pem".into());
    refused(&verify(&profile).await, "FILE_UNUSABLE", &["/nowhere/ca.pem"]);

    let open = folder.second_identity("marketplace");
    fs::set_permissions(&open.key, Permissions::from_mode(0o644)).unwrap();
    let profile = with("open-key", &|profile| {
        profile.certificate.clone_from(&open.certificate);
        profile.key.clone_from(&open.key);
    });
    refused(&verify(&profile).await, "FILE_UNUSABLE", &["marketplace-second.key.pem", "chmod"]);

    let profile = with("other-port", &|profile| profile.endpoint = "https://127.0.0.1:1".into());
    refused(&verify(&profile).await, "UNREACHABLE", &["127.0.0.1:1", "refused"]);
    refused(&verify(&folder.profile("nobody")).await, "FILE_UNUSABLE", &["profiles/nobody.toml"]);
    let misspelt = read(&folder.profile("marketplace")) + "tokn_cache = \"x\"\n";
    let profile = folder.scratch("misspelt.toml", misspelt);
    refused(&verify(&profile).await, "INVALID_PROFILE", &["misspelt.toml:6", "tokn_cache"]);

    // Of an authority that the gateway does not know, and of one that the client does not.
    let other = Folder::make();
    let stranger = other.identity("marketplace");
    let profile = with("stranger", &|profile| {
        profile.certificate.clone_from(&stranger.certificate);
        profile.key.clone_from(&stranger.key);
    });
    refused(&verify(&profile).await, "TLS_REFUSED", &["marketplace.pem"]);
    let profile = with("mistrust", &|profile| profile.ca = other.path().join("pki/ca.pem"));
    refused(&verify(&profile).await, "TLS_UNTRUSTED", &["127.0.0.1"]);

    let ran = desk.as_partner("marketplace", &["verify", "30-50001091-3"]).await;
    refused(&ran, "INVALID_CUIT", &["field: cuit"]);
    desk.stage.stop().await;
}

#[test]
fn a_bad_configuration_is_told_with_file_line_and_key() {
    let folder = Folder::make();
    let path = folder.path().join("puente.toml");
    let whole = read(&path);
    let (lines, store) = (whole.lines().count(), folder.path().join("data/puente.db"));
    let held = fs::metadata(&store).unwrap().len();
    let serve = || run(&["serve", "--config", text(&path)]);
    for (changed, parts) in [
        (
            format!("{whole}\n[limits]\nconections = 5\n"),
            vec![format!("puente.toml:{}: limits.conections: ", lines + 3), "unknown field".into()],
        ),
        (
            format!("{whole}\n[limits]\nconnections = \"many\"\n"),
            vec![format!("puente.toml:{}: limits.connections: ", lines + 3)],
        ),
        (
            format!("{whole}\n[limits]\ncalls = 0\n"),
            vec![format!("puente.toml:{}: limits.calls ", lines + 3)],
        ),
        (
            whole.replace("admin_listen = \"127.0.0.1:", "admin_listen = \"0.0.0.0:"),
            vec!["puente.toml:3: admin_listen ".into(), "loopback".into()],
        ),
        (whole.replace("client_ca = \"pki/ca.pem\"\n", ""), vec!["client_ca".into()]),
        (whole.replace("pki/server.pem", "pki/none.pem"), vec!["pki/none.pem".into()]),
        (
            whole.replace("ledger/ledger.key", "ledger/none.key"),
            vec!["ledger/none.key".into(), "ledger.key".into()],
        ),
        (whole.replace("origin = \"", "origin = \"other-"), vec!["ledger.origin".into()]),
    ] {
        fs::write(&path, changed).unwrap();
        let ran = serve();
        let errors: Vec<_> = ran.err.lines().filter(|line| line.starts_with("error: ")).collect();
        assert_eq!((ran.code, errors.len()), (1, 1), "{ran:?}");
        for part in parts {
            assert!(errors[0].contains(&part), "{part:?} is not told: {}", errors[0]);
        }
    }
    fs::write(&path, &whole).unwrap();
    for key in ["pki/server.key.pem", "ledger/ledger.key", "keys/pages.key"] {
        let key = folder.path().join(key);
        fs::set_permissions(&key, Permissions::from_mode(0o644)).unwrap();
        let ran = serve();
        assert_eq!(ran.code, 1, "{}: {ran:?}", key.display());
        assert!(ran.err.contains(text(&key)), "{} is not told: {}", key.display(), ran.err);
        fs::set_permissions(&key, Permissions::from_mode(0o600)).unwrap();
    }
    assert_eq!(fs::metadata(&store).unwrap().len(), held, "the store was touched");
}

#[test]
fn a_port_in_use_and_a_folder_in_use_are_told() {
    let folder = Folder::make();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let path = folder.path().join("puente.toml");
    let ports = ["--listen", &address, "--admin-listen", "127.0.0.1:0"];
    let ran = run(&[&["serve", "--config", text(&path)][..], &ports].concat());
    refused_serve(&ran, &["listen", &address]);
    let ports = ["--listen", "127.0.0.1:0", "--admin-listen", &address];
    let ran = run(&[&["serve", "--config", text(&path)][..], &ports].concat());
    refused_serve(&ran, &["admin_listen", &address]);

    let before = fs::read_dir(folder.path()).unwrap().count();
    let ran = run(&["init", text(&folder.path())]);
    refused(&ran, "FOLDER_NOT_EMPTY", &[text(&folder.path())]);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), before);
}

/// Logs may stand before it.
#[track_caller]
fn refused_serve(ran: &Ran, parts: &[&str]) {
    let errors: Vec<_> = ran.err.lines().filter(|line| line.starts_with("error: ")).collect();
    assert_eq!((ran.code, errors.len()), (1, 1), "{ran:?}");
    for part in parts {
        assert!(errors[0].contains(part), "{part:?} is not told: {}", errors[0]);
    }
}

#[test]
fn wrong_usage_is_exit_code_2() {
    for args in [
        &[][..],
        &["sell"],
        &["push", "sales"],
        &["push", "sales", "f.csv", "--period", "2026-11-30..2026-11-01", "--profile", "p"],
        &["push", "sales", "f.csv", "--period", "2026-11", "--profile", "p"],
        &["verify", "30-50001091-2", "--profile", "p", "--output", "xml"],
        &["verify", "30-50001091-2", "--profile", "p", "--colour"],
        &["verify", "30-50001091-2"],
    ] {
        let ran = run(args);
        assert_eq!(ran.code, 2, "{args:?}: {ran:?}");
        let told = ran.err.contains("Usage") || ran.err.contains("--help");
        assert!(ran.out.is_empty() && told, "{args:?}: {ran:?}");
    }
    assert_eq!(run(&["--help"]).code, 0);
}
