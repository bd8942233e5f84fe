//! `puente report export`: files that can be pushed again, go on after a cut, and read back exactly.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use parquet::file::reader::{FileReader as _, SerializedFileReader};
use parquet::record::Field;
use puente::proto::puente::sales::v1::{LineKind, SalesReport};
use rust_decimal::Decimal;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::common::goods;
use crate::common::process::{Ran, run_beside};
use crate::common::push::{append, open_report, report};
use crate::common::stage::{Stage, read};

const HEADER: &str = "line_id,order_id,kind,original_line_id,sku,quantity,unit_price,currency,\
                      sold_at,destination,declaration,declaration_item,discount,tax,shipping,\
                      platform_fee,settlement_amount,settlement_currency";

/// Lines as they really are, and some with ids that a spreadsheet would run.
const SALES: [&str; 9] = [
    "L1,O1,SALE,,MALBEC,6,12.345,CNY,2026-11-11T00:00:03+08:00,CN-SH,18817EC08028500L,3,0.5,1.25,,,,",
    "L2,O1,SALE,,MALBEC,0.75,0,USD,2026-11-11T10:00:00.123456Z,,,,,,,2.5,71.1,USD",
    "=HYPERLINK(1),O2,SALE,,=1+1,1,999999999999.1234567891,CNY,2026-11-01T00:00:00-03:00,,,,,,,,,",
    "'=kept,+O,SALE,,@SKU,2,3,CNY,2026-11-30T23:59:59+08:00,CN,,,,,,,,",
    "\"a,\"\"b\"\"\",-O,SALE,,S,1,5,CNY,2026-11-02T00:00:00+08:00,,,,,,,,,",
    "R1,O1,RETURN,L1,MALBEC,1,12.345,CNY,2026-11-12T00:00:00+08:00,CN-SH,,,,,,,,",
    "R2,O1,REFUND,L1,MALBEC,1,2.5,CNY,2026-11-12T00:00:00+08:00,CN-SH,,,,,,,,",
    "C1,O9,CANCELLATION,NONE,MALBEC,1,2.5,CNY,2026-11-12T00:00:00+08:00,CN-SH,,,,,,,,",
    "A1,-O,ADJUSTMENT,'=kept,@SKU,-1,-0.0000000001,CNY,2026-11-12T00:00:00+08:00,CN-SH,,,,,,,,",
];

/// Runs a command as `partner`.
async fn puente(stage: &Stage, partner: &str, args: &[&str]) -> Ran {
    let profile = stage.folder.profile(partner);
    let mut args = args.to_vec();
    args.extend(["--profile", profile.to_str().unwrap()]);
    run_beside(&args).await
}

async fn ok(stage: &Stage, partner: &str, args: &[&str]) -> Ran {
    let ran = puente(stage, partner, args).await;
    assert_eq!(ran.code, 0, "{args:?}: {}", ran.err);
    ran
}

/// Pushes a file into November and answers its report.
async fn push(stage: &Stage, file: &Path) -> SalesReport {
    let file = file.to_str().unwrap();
    let args = ["push", "sales", file, "--period", "2026-11-01..2026-11-30", "--output", "json"];
    let told: serde_json::Value =
        serde_json::from_str(&ok(stage, "marketplace", &args).await.out).unwrap();
    report(&stage.client("marketplace"), told["name"].as_str().unwrap()).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_exported_can_be_pushed_again_and_reads_back_exactly() {
    let (stage, other) = (Stage::start().await, Stage::start().await);
    let file = stage.folder.scratch("sales.csv", format!("{HEADER}\n{}\n", SALES.join("\n")));
    let pushed = push(&stage, &file).await;
    assert_eq!(pushed.counts.unwrap().refused, 0);
    let name = pushed.name.as_str();
    let csv = stage.folder.scratch("e.csv", "from an earlier export");
    let told = ok(
        &stage,
        "auditor",
        &["report", "export", name, "--to", csv.to_str().unwrap(), "--output", "json"],
    )
    .await;
    let told: serde_json::Value = serde_json::from_str(&told.out).unwrap();
    assert_eq!((&told["exportedLines"], &told["resumedAt"]), (&"9".into(), &"0".into()));

    // The columns of the file that was pushed, as they were, then what the gateway says.
    let text = read(&csv);
    let rows: Vec<&str> = text.lines().collect();
    let more = "report,marketplace,verdict,reasons,explanation,entry_index,seller_cuit,ncm";
    assert_eq!(rows[0], format!("{HEADER},{more}"));
    assert!(rows[1].starts_with(&format!("{},{name},partners/marketplace,", SALES[0])));
    assert!(rows[3].starts_with("'=HYPERLINK(1),O2,SALE,,'=1+1,1,999999999999.1234567891,"));
    assert!(rows[4].starts_with("''=kept,'+O,SALE,,'@SKU,2,3,"), "{}", rows[4]);
    assert!(rows[9].starts_with("A1,'-O,ADJUSTMENT,''=kept,'@SKU,-1,-0.0000000001,"));

    // Another, empty gateway says the same of it, and a second time changes nothing.
    let again = push(&other, &csv).await;
    assert_eq!(again.totals, pushed.totals);
    assert_eq!(again.counts, pushed.counts);
    assert_eq!(push(&other, &csv).await.totals, pushed.totals);
    let twice = other.folder.scratch("twice.csv", "");
    let to = twice.to_str().unwrap();
    ok(&other, "marketplace", &["report", "export", &again.name, "--to", to]).await;
    let lines_of = |text: &str| -> Vec<String> {
        text.lines().map(|row| row.split(",salesReports/").next().unwrap().to_owned()).collect()
    };
    assert_eq!(lines_of(&read(&twice)), lines_of(&text));

    // The same on standard output, by the days.
    let days = ["report", "export", "--period", "2026-11-01..2026-11-30", "--to", "-"];
    assert_eq!(ok(&stage, "customs", &days).await.out, text);
    let none = ["report", "export", "--period", "2025-11-01..2025-11-30", "--to", "-"];
    assert_eq!(ok(&stage, "customs", &none).await.out, format!("{}\n", rows[0]));

    let parquet = csv.with_extension("parquet");
    let to = parquet.to_str().unwrap();
    let args = ["report", "export", name, "--format", "parquet", "--to", to];
    ok(&stage, "auditor", &args).await;
    let read_back = rows_of(&parquet);
    assert_eq!(read_back.len(), SALES.len());
    let first = &read_back[0];
    assert_eq!(first["sold_at"].1, "1794326403000000");
    assert_eq!((first["sold_at_offset"].1.as_str(), first["day"].1.as_str()), ("+08:00", "20768"));
    assert_eq!((first["declaration_item"].1.as_str(), first["tax"].1.as_str()), ("3", "1.25"));
    assert_eq!(first["shipping"].0, "null");
    assert_eq!(
        (read_back[2]["line_id"].1.as_str(), first["kind"].1.as_str()),
        ("=HYPERLINK(1)", "SALE")
    );
    assert_eq!(read_back[1]["sold_at"].1, "1794391200123456");
    let mut sums: BTreeMap<(String, String), (i64, Decimal, Decimal)> = BTreeMap::new();
    for row in &read_back {
        let number = |column: &str| row[column].1.parse::<Decimal>().unwrap();
        let sum = sums.entry((row["kind"].1.clone(), row["currency"].1.clone())).or_default();
        *sum = (
            sum.0 + 1,
            sum.1 + number("quantity"),
            sum.2 + number("quantity") * number("unit_price"),
        );
    }
    for total in &pushed.totals {
        let kind = total.kind().as_str_name().trim_start_matches("LINE_KIND_").to_owned();
        let value = |d: &Option<puente::proto::google::r#type::Decimal>| {
            d.as_ref().unwrap().value.parse::<Decimal>().unwrap()
        };
        let sum = sums.remove(&(kind, total.currency.clone())).unwrap();
        assert_eq!(sum, (total.lines, value(&total.quantity), value(&total.amount)), "{total:?}");
    }
    assert!(sums.is_empty(), "{sums:?}");

    let usage = ["report", "export", name, "--format", "parquet", "--to", "-"];
    assert_eq!(puente(&stage, "auditor", &usage).await.code, 2);
    let usage = ["report", "export", name, "--period", "2026-11-01..2026-11-30", "--to", to];
    assert_eq!(puente(&stage, "auditor", &usage).await.code, 2);
    stage.stop().await;
    other.stop().await;
}

/// The rows of a Parquet file: for each column its kind and its value, decimals as text.
fn rows_of(path: &Path) -> Vec<BTreeMap<String, (&'static str, String)>> {
    let reader = SerializedFileReader::new(std::fs::File::open(path).unwrap()).unwrap();
    let value = |field: &Field| match field {
        Field::Null => ("null", String::new()),
        Field::Str(text) => ("text", text.clone()),
        Field::Int(number) => ("int", number.to_string()),
        Field::Long(number) => ("long", number.to_string()),
        Field::Date(days) => ("date", days.to_string()),
        Field::TimestampMicros(micros) => ("moment", micros.to_string()),
        Field::Decimal(decimal) => {
            let negative = decimal.data()[0] & 0x80 != 0;
            let mut bytes = [if negative { 0xff } else { 0 }; 16];
            bytes[16 - decimal.data().len()..].copy_from_slice(decimal.data());
            let scale = u32::try_from(decimal.scale()).unwrap();
            let number = Decimal::from_i128_with_scale(i128::from_be_bytes(bytes), scale);
            ("decimal", number.normalize().to_string())
        }
        other => panic!("a column of another type: {other:?}"),
    };
    let rows = reader.get_row_iter(None).unwrap().map(|row| {
        row.unwrap().get_column_iter().map(|(name, field)| (name.clone(), value(field))).collect()
    });
    rows.collect()
}

/// A way to the gateway that carries only so many bytes of answers.
struct Bridge {
    address: SocketAddr,
    left: Arc<AtomicI64>,
}

impl Bridge {
    async fn to(gateway: SocketAddr, bytes: i64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let left = Arc::new(AtomicI64::new(bytes));
        let carried = left.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let left = carried.clone();
                tokio::spawn(async move {
                    let server = TcpStream::connect(gateway).await.unwrap();
                    let (mut from_client, mut to_client) = client.into_split();
                    let (mut from_server, mut to_server) = server.into_split();
                    let asking = tokio::io::copy(&mut from_client, &mut to_server);
                    let answering = async {
                        let mut buffer = vec![0; 4096];
                        while let Ok(read @ 1..) = from_server.read(&mut buffer).await {
                            let before = left.fetch_sub(read as i64, Ordering::SeqCst);
                            if before < read as i64
                                || to_client.write_all(&buffer[..read]).await.is_err()
                            {
                                return;
                            }
                        }
                    };
                    tokio::select! {
                        _ = asking => {}
                        () = answering => {}
                    }
                });
            }
        });
        Self { address, left }
    }

    fn opens(&self) {
        self.left.store(i64::MAX, Ordering::SeqCst);
    }
}

/// A profile that goes over a bridge of its own.
async fn over_a_bridge(stage: &Stage, name: &str, bytes: i64) -> Bridge {
    let bridge = Bridge::to(stage.address(), bytes).await;
    let text = read(&stage.folder.profile("marketplace"));
    let there = text.replace(&stage.address().to_string(), &bridge.address.to_string());
    std::fs::write(stage.folder.profile(name), there).unwrap();
    bridge
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_was_cut_ends_as_one_that_was_not() {
    let stage = Stage::start().await;
    let client = stage.client("marketplace");
    let name = open_report(&client, goods::period()).await.name;
    append(&client, &name, goods::batch(0, 5_000)).await.unwrap();
    let path = |file: &str| stage.folder.scratch(file, "");
    let (whole, cut, other) = (path("whole.csv"), path("cut.csv"), path("cut.parquet"));
    std::fs::remove_file(&cut).unwrap();
    std::fs::remove_file(&other).unwrap();
    ok(&stage, "marketplace", &["report", "export", &name, "--to", whole.to_str().unwrap()]).await;

    let by_text = over_a_bridge(&stage, "text", 600_000).await;
    let by_columns = over_a_bridge(&stage, "columns", 700_000).await;
    let csv = ["report", "export", &name, "--to", cut.to_str().unwrap()];
    let columns = [&csv[..4], &[other.to_str().unwrap(), "--format", "parquet"]].concat();
    let (first, second) =
        tokio::join!(puente(&stage, "text", &csv), puente(&stage, "columns", &columns));
    for (ran, file) in [(first, &cut), (second, &other)] {
        assert_eq!(ran.code, 1, "{ran:?}");
        assert!(!file.exists() && beside(file, ".part").exists(), "{ran:?}");
        // As a machine leaves it that stops while it writes.
        let mut part = std::fs::File::options().append(true).open(beside(file, ".part")).unwrap();
        std::io::Write::write_all(&mut part, b"L-0004999,half a ro").unwrap();
    }

    // Neither what came since nor another question disturbs it.
    append(&client, &name, goods::batch(5_000, 5_010)).await.unwrap();
    by_text.opens();
    by_columns.opens();
    let narrowed = [&csv[..], &["--kind", "sale"]].concat();
    let refused = puente(&stage, "text", &narrowed).await;
    assert!(refused.code == 1 && refused.err.contains("OTHER_EXPORT"), "{refused:?}");
    for (profile, args) in [("text", &csv[..]), ("columns", &columns)] {
        let ran = ok(&stage, profile, &[args, &["--output", "json"]].concat()).await;
        let told: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
        assert_eq!(told["exportedLines"], "5000");
        let resumed: u64 = told["resumedAt"].as_str().unwrap().parse().unwrap();
        assert!((1_000..5_000).contains(&resumed), "{resumed}");
    }
    assert!(read(&cut) == read(&whole), "the file differs");
    let rows = rows_of(&other);
    let ids: Vec<_> = rows.iter().map(|row| row["line_id"].1.clone()).collect();
    assert_eq!(ids, (0..5_000).map(|n| goods::sale(n).line_id).collect::<Vec<_>>());
    assert!(rows.iter().all(|row| row["kind"].1 == kind_word(LineKind::Sale)));
    for file in [&cut, &other] {
        for ending in [".part", ".part.cursor", ".new", ".part.cursor.new"] {
            assert!(!beside(file, ending).exists(), "{ending} is left");
        }
    }
    stage.stop().await;
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    format!("{}{ending}", path.display()).into()
}

fn kind_word(kind: LineKind) -> &'static str {
    kind.as_str_name().trim_start_matches("LINE_KIND_")
}
