//! The load of the gate on servers that others would take instead.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::gate::{self, Load};
use crate::measure::Report;
use crate::server::{self, Peer};

/// `grpc_go` is the program of `benches/peers/grpc-go`.
pub async fn measure(rounds: usize, time: Duration, grpc_go: &Path) -> Report {
    let stage = server::gateway();
    let load = Load::of(&stage).await;
    load.read_all(&stage).await;
    let bare = Peer::start(&stage, &[]);
    let go = Peer::of(Command::new(grpc_go).arg(stage.path().join("pki")));
    let names = ["bare tonic", "the gateway", "grpc-go without authorization"];
    let mut report = Report::new(gate::title("Peers"), "calls", &names);
    let sides = [
        (bare.address, bare.pid()),
        (stage.served.address, stage.served.pid()),
        (go.address, go.pid()),
    ];
    load.alternate(&mut report, &stage, &sides, rounds, time).await;
    report.ratio("CPU a call, gateway to grpc-go", "at most 0.80", 1, 2, |s| s.cpu);
    report.ratio("CPU a call, bare tonic to grpc-go", "-", 0, 2, |s| s.cpu);
    report.ratio("calls a second, gateway to grpc-go", "-", 1, 2, |s| s.rate);
    report
}
