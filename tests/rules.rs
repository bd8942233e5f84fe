//! The nomenclature by `puente rules load`: a table is taken whole, and listings go by it at once.

use std::path::{Path, PathBuf};

use puente::proto::puente::listings::v1::CreateListingRequest;
use puente::proto::puente::listings::v1::listing_service_client::ListingServiceClient;
use tonic::Status;

use crate::common::process::{Ran, run_beside};
use crate::common::stage::Stage;
use crate::common::{ask, goods, reason};
use crate::exactly_once::entries;

async fn load(stage: &Stage, partner: &str, file: &Path) -> Ran {
    let profile = stage.folder.profile(partner);
    let (file, profile) = (file.to_str().unwrap(), profile.to_str().unwrap());
    run_beside(&["rules", "load", "ncm", file, "--profile", profile, "--output", "json"]).await
}

/// Whether a listing of this code would be taken.
async fn offer(stage: &Stage, ncm: &str) -> Result<(), Status> {
    let client = stage.client("marketplace");
    let mut listing = goods::listing("PROBE");
    listing.ncm = ncm.into();
    let request = CreateListingRequest {
        request_id: client.request_id(),
        listing: Some(listing),
        validate_only: true,
    };
    ask!(client, ListingServiceClient.create_listing(request)).map(|_| ())
}

async fn unknown(stage: &Stage, ncm: &str) -> bool {
    offer(stage, ncm).await.err().is_some_and(|status| reason(&status) == "UNKNOWN_NCM")
}

fn json(ran: &Ran) -> serde_json::Value {
    assert_eq!(ran.code, 0, "{ran:?}");
    serde_json::from_str(&ran.out).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_small_nomenclature_replaces_the_one_before() {
    let stage = Stage::start().await.with_exporter().await;
    assert!(offer(&stage, "2204.21.00").await.is_ok(), "init brings the leaves of the demo");
    assert!(unknown(&stage, "9999.99.99").await);

    let csv = stage.folder.scratch(
        "ncm.csv",
        "code,title_es,attributes\n22,Bebidas,level=chapter\n22.04,Vinos,level=heading\n\
         2204.10.10,Champaña,leaf=true;unit=LTR\n2204.10.90,Los demás,leaf=true;unit=LTR\n",
    );
    let answer = json(&load(&stage, "operator", &csv).await);
    assert_eq!(answer["table"]["rows"], "4");
    assert!(offer(&stage, "2204.10.10").await.is_ok());
    assert!(unknown(&stage, "2204.21.00").await, "a code of the table before still holds");

    // The form that Siscomex publishes: a heading is no leaf.
    let siscomex = stage.folder.scratch(
        "ncm.json",
        r#"{"Data_Ultima_Atualizacao_NCM": "Vigente em 13/05/2025", "Ato": "Res 1", "Nomenclaturas": [
        {"Codigo": "22", "Descricao": "Bebidas.", "Data_Inicio": "01/04/2022", "Data_Fim": "31/12/9999"},
        {"Codigo": "2204.21.00", "Descricao": "-- Em recipientes", "Data_Inicio": "01/04/2022",
         "Data_Fim": "31/12/9999"}]}"#,
    );
    let answer = json(&load(&stage, "operator", &siscomex).await);
    assert_eq!(
        (&answer["table"]["version"], &answer["table"]["rows"]),
        (&"2025-05-13".into(), &"2".into())
    );
    assert!(offer(&stage, "2204.21.00").await.is_ok());
    assert!(unknown(&stage, "2204.10.10").await);

    // A bad row keeps the whole table out, and nobody but the operator may load one.
    let before = entries(&stage.client("auditor")).await;
    let bad = stage.folder.scratch("bad.csv", "code,title_es\n2204.21.00,Vino,x\n");
    let ran = load(&stage, "operator", &bad).await;
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.err.contains("bad.csv: line 2: "), "{ran:?}");
    let ran = load(&stage, "marketplace", &csv).await;
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.err.starts_with("error: SCOPE_MISSING: "), "{ran:?}");
    assert_eq!(entries(&stage.client("auditor")).await, before);
    assert!(offer(&stage, "2204.21.00").await.is_ok());
    stage.stop().await;
}

/// Rules are refused with file, line, column and reason of every fault, and nothing of them holds.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn faulty_rules_are_told_line_by_line() {
    let stage = Stage::start().await;
    let profile = stage.folder.profile("operator");
    let profile = profile.to_str().unwrap();
    let load = |name: &str, text: &str| {
        let file = stage.folder.scratch(name, text);
        async move {
            let file = file.to_str().unwrap();
            let common = ["--version", "2027-01", "--source", "Resolución 1/2027"];
            let mut arguments = vec!["rules", "load", "certificates", file, "--profile", profile];
            arguments.extend(common);
            arguments.extend(["--output", "json"]);
            run_beside(&arguments).await
        }
    };
    let before = entries(&stage.client("auditor")).await;
    let ran = load(
        "rules.csv",
        "code,title_es,attributes,valid_from,valid_to\n\
         2204,Vinos,issuers=INV;source=Ley 14.878,,2026-12-31\n\
         22.04,Vinos,issuers=INV,2026-12-31,\n\
         \n\
         02,Carne,issuers=AFIP,,\n\
         03,Pesca,isuers=SENASA,,\n",
    )
    .await;
    assert_eq!(ran.code, 1, "{ran:?}");
    for told in [
        "rules.csv: line 3: valid_from: TABLE_FAULTY: ",
        "rules.csv: line 5: attributes: TABLE_FAULTY: \"AFIP\"",
        "rules.csv: line 6: attributes: TABLE_FAULTY: isuers is not known here",
        "nothing was loaded",
    ] {
        assert!(ran.err.contains(told), "{told}: {}", ran.err);
    }
    assert_eq!(entries(&stage.client("auditor")).await, before);

    let good = "code,title_es,attributes,valid_from,valid_to\n\
                2204,Vinos,issuers=INV;clears.CN.DIRECT_MAIL=SENASA,,2026-12-31\n\
                22.04,Vinos,issuers=INV INAL,2027-01-01,\n";
    let answer = json(&load("good.csv", good).await);
    let again = json(&load("good.csv", good).await);
    assert_eq!(answer["table"]["digest"].as_str().unwrap().len(), 64);
    assert_eq!(again["table"], answer["table"]);
    assert_eq!(again["unchanged"], "2");
    let show = ["rules", "show", "certificates", "--on", "2027-01-01", "--profile", profile];
    let shown = json(&run_beside(&[&show[..], &["--output", "json"]].concat()).await);
    let rows = shown["rows"].as_array().unwrap();
    assert_eq!((rows.len(), &rows[0]["code"]), (1, &"22.04".into()));
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_whole_nomenclature_is_loaded_where_it_is_there() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/data/reference");
    let file = folder.join("ncm_ch01-24_dev.json");
    if !file.exists() {
        println!("{} is not there: the whole nomenclature is not tested", file.display());
        return;
    }
    let published: serde_json::Value =
        serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    let codes: Vec<&str> = published["Nomenclaturas"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["Codigo"].as_str().unwrap())
        .collect();
    let stage = Stage::start().await.with_exporter().await;
    let answer = json(&load(&stage, "operator", &file).await);
    assert_eq!(answer["table"]["rows"], codes.len().to_string());

    let is_leaf = |code: &&&str| code.chars().filter(char::is_ascii_digit).count() == 8;
    let wines: Vec<_> =
        codes.iter().filter(is_leaf).filter(|code| code.starts_with("2204.")).collect();
    assert!(wines.len() > 3, "{wines:?}");
    for code in wines {
        assert!(offer(&stage, code).await.is_ok(), "{code}");
    }
    assert!(unknown(&stage, "2204.99.99").await);
    stage.stop().await;
}
