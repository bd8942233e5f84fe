//! The measurement behind `scripts/bench`: the gateway against its bare parts.
//!
//! Each side is a process of its own; rounds of the sides alternate within one run, because
//! absolute figures move from run to run and only ratios of one run say something. Cost is
//! the CPU time of the server process, all its threads, for each call or line.

#[allow(dead_code, unused_imports, unused_macros, reason = "the tests use all of it")]
#[path = "../../tests/common/mod.rs"]
mod common;
mod gate;
mod idle;
mod ingest;
mod input;
mod measure;
mod peer;
mod peers;
mod raw;
mod server;
mod tpch;
mod writes;

use std::path::PathBuf;
use std::time::Duration;

use measure::Report;

/// How a run was asked for.
struct Asked {
    what: Vec<String>,
    rounds: usize,
    time: Duration,
    lines: Option<usize>,
    data: Option<PathBuf>,
    save: Option<PathBuf>,
    tpchgen: Option<PathBuf>,
    grpc_go: Option<PathBuf>,
}

fn main() {
    // Cargo says `--bench`; nothing else does.
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    match args.first().map(String::as_str) {
        Some("serve-peer") => peer::run(&args[1..]),
        Some("raw-ingest") => raw::ingest(&args[1..]),
        Some("raw-tpch") => raw::tpch(&args[1..]),
        Some("raw-writes") => raw::writes(&args[1..]),
        Some(_) | None => measure_all(&asked(args.into_iter())),
    }
}

fn asked(mut args: impl Iterator<Item = String>) -> Asked {
    let real = PathBuf::from("../shared/data/sales/online_retail_bench_original.csv.gz");
    let mut asked = Asked {
        what: Vec::new(),
        rounds: 3,
        time: Duration::from_secs(4),
        lines: None,
        data: real.exists().then_some(real),
        save: None,
        tpchgen: None,
        grpc_go: None,
    };
    while let Some(arg) = args.next() {
        let mut value = || args.next().unwrap_or_else(|| panic!("{arg} needs a value"));
        match arg.as_str() {
            "--rounds" => asked.rounds = value().parse().expect("a number of rounds"),
            "--seconds" => {
                asked.time = Duration::from_secs_f64(value().parse().expect("seconds"));
            }
            "--lines" => asked.lines = Some(value().parse().expect("a number of lines")),
            "--data" => asked.data = Some(value().into()),
            "--save" => asked.save = Some(value().into()),
            "--tpchgen" => asked.tpchgen = Some(value().into()),
            "--grpc-go" => asked.grpc_go = Some(value().into()),
            "gate" | "peers" | "ingest" | "writes" | "tpch" => asked.what.push(arg),
            other => panic!("{other}: see the head of scripts/bench"),
        }
    }
    if asked.what.is_empty() {
        asked.what = ["gate", "ingest", "writes"].map(str::to_owned).to_vec();
    }
    asked
}

fn measure_all(asked: &Asked) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    // A run of TPC-H stands in a section of its own, as it takes long and is rarely made.
    let (tpch, others): (Vec<_>, Vec<_>) = asked
        .what
        .iter()
        .map(|what| {
            let report = match what.as_str() {
                "gate" => runtime.block_on(gate::measure(asked.rounds, asked.time)),
                "ingest" => runtime.block_on(ingest::measure(
                    asked.rounds,
                    asked.lines.unwrap_or(150_000),
                    asked.data.as_deref(),
                )),
                "peers" => {
                    let grpc_go = asked.grpc_go.as_deref().expect("--grpc-go");
                    runtime.block_on(peers::measure(asked.rounds, asked.time, grpc_go))
                }
                "tpch" => {
                    let generator = asked.tpchgen.as_deref().expect("--tpchgen");
                    runtime.block_on(tpch::measure(asked.lines.unwrap_or(tpch::ALL), generator))
                }
                _ => runtime.block_on(writes::measure(asked.rounds, asked.time)),
            };
            println!("{report}");
            (what, report)
        })
        .partition(|(what, _)| *what == "tpch");
    if let Some(path) = &asked.save {
        for (section, reports) in [("tpch", tpch), ("figures", others)] {
            let reports: Vec<Report> = reports.into_iter().map(|(_, report)| report).collect();
            if !reports.is_empty() {
                measure::save(path, section, &reports);
            }
        }
    }
}
