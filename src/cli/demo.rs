//! `puente demo`: the whole exchange, end to end, on this machine.
//!
//! Enters: the built-in data or a folder of real files. Leaves: what every partner did and saw,
//! as it happens, then a check of every number. The gateway runs inside this process, but its
//! clients know the contract only and reach it over sockets, mutual TLS and tokens of their own.

mod checks;
mod expected;
mod exporters;
mod input;
mod push;
mod real;
mod sales;
mod screen;
mod steps;
mod world;

use std::fmt::Display;
use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::json;

use self::checks::Checks;
use self::input::Input;
use self::push::Taken;
use self::screen::Screen;
use self::world::{Place, World};
use super::output::{Output, print, print_json};
use super::{Client, Failure, Outcome};
use crate::clock::Env;
use crate::domain::exporter::argentine_day;
use crate::proto::puente::common::v1::Receipt;
use crate::proto::puente::listings::v1::Listing;
use crate::proto::puente::sales::v1::{SaleLineBatch, SalesReport};
use crate::telemetry::{Telemetry, TelemetrySettings};

/// Watch the whole exchange happen
///
/// Makes identities for this run only, starts a gateway on free ports of this machine, and lets
/// every partner do its part over mutual TLS: the registry sends exporters, the marketplace
/// verifies sellers and offers listings, customs and agencies clear them, the marketplace reports
/// its sales, the ministry reads its top ten, the auditor checks a receipt. Then every number is
/// checked. Nothing is left behind.
///
/// Example:
///   puente demo
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Demo {
    /// Run on real files kept in this folder instead of the built-in data
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Keep everything in the embedded store, or in a PostgreSQL that is started for this run
    #[arg(long, value_enum, default_value_t = Kept::Embedded)]
    store: Kept,
    /// Keep everything in this empty PostgreSQL database
    #[arg(long, value_name = "URL")]
    database_url: Option<String>,
    /// Leave the gateway up at the end, with commands to try; Ctrl-C ends it
    #[arg(long)]
    keep: bool,
    /// Tables as it goes, or one JSON document at the end
    #[arg(long, value_enum, default_value_t = Output::Table)]
    output: Output,
}

/// Which of the stores.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Kept {
    Embedded,
    Postgres,
}

impl Demo {
    fn place(&self) -> Place {
        match (&self.database_url, self.store) {
            (Some(url), _) => Place::Database(url.clone()),
            (None, Kept::Postgres) => Place::Cluster,
            (None, Kept::Embedded) => Place::Folder,
        }
    }

    pub(super) async fn run(self) -> Outcome {
        let settings = TelemetrySettings { log: "warn".into(), ..TelemetrySettings::default() };
        let telemetry = Telemetry::install(&settings)
            .map_err(|reason| Failure::new("TELEMETRY", format!("{reason:#}")))?;
        let mut run = self.begin(telemetry.registry()).await?;
        // Whoever interrupts wants no gateway and no folder left behind.
        let outcome = tokio::select! {
            outcome = self.play(&mut run) => outcome,
            _ = tokio::signal::ctrl_c() => Err(Failure::new("INTERRUPTED", "the demo was stopped")),
        };
        if outcome.is_ok() && self.keep {
            let commands = run.commands();
            match self.output {
                Output::Table => print(&commands)?,
                Output::Json => eprintln!("{commands}"),
            }
            // An error means that there is no Ctrl-C to wait for.
            let _ = tokio::signal::ctrl_c().await;
        }
        let Run { world, checks, .. } = run;
        let stopped = world.stop().await;
        outcome.and(stopped)?;
        match checks.failed() {
            0 => Ok(()),
            failed => Err(Failure::new(
                "CHECKS_FAILED",
                format!("{failed} checks did not hold, see above"),
            )),
        }
    }

    async fn begin(&self, registry: prometheus::Registry) -> Outcome<Run> {
        let env = Env::system();
        let began = env.now();
        let today = argentine_day(began);
        let input = match &self.data {
            None => input::builtin(today),
            Some(folder) => real::read(folder, today),
        }
        .map_err(|reason| Failure::new("DEMO_INPUT", format!("{reason:#}")))?;
        let screen = Screen::new(self.output);
        screen.put(&format!("Puente: the whole exchange on {}\n", input.name))?;
        Ok(Run {
            env,
            began,
            world: World::start(self.place(), registry).await?,
            input,
            screen,
            checks: Checks::default(),
            listings: Vec::new(),
            reports: Vec::new(),
            taken: Taken::default(),
        })
    }

    async fn play(&self, run: &mut Run) -> Outcome {
        steps::all(run).await?;
        let seconds = run.env.now().duration_since(run.began).as_secs_f64();
        self.conclude(run, seconds)
    }

    fn conclude(&self, run: &mut Run, seconds: f64) -> Outcome {
        let (count, failed) = (run.checks.count(), run.checks.failed());
        match self.output {
            Output::Json => print_json(&json!({
                "data": run.input.name,
                "steps": run.screen.document(),
                "checks": run.checks.document(),
                "held": count - failed,
                "failed": failed,
                "seconds": seconds,
            })),
            Output::Table => {
                run.screen.title("Every number is checked")?;
                run.screen.table(run.checks.table())?;
                if let Some(failures) = run.checks.failures() {
                    run.screen.table(failures)?;
                }
                run.screen.put(&if failed == 0 {
                    format!("\ndemo: all {count} checks held in {seconds:.1} s\n")
                } else {
                    format!("\ndemo: {failed} of {count} checks FAILED in {seconds:.1} s\n")
                })
            }
        }
    }
}

/// A run under way: who takes part, and what later steps need of earlier ones.
struct Run {
    /// The machine's clock, by which the run is timed; its world has one of its own.
    env: Env,
    began: Timestamp,
    world: World,
    input: Input,
    screen: Screen,
    checks: Checks,
    /// The marketplace's listings, in the order of its file.
    listings: Vec<Listing>,
    /// The marketplace's reports.
    reports: Vec<Reported>,
    /// Which entry took which line.
    taken: Taken,
}

/// A report as it was pushed and sealed.
struct Reported {
    batches: Vec<SaleLineBatch>,
    /// The receipt of the first batch.
    first: Receipt,
    report: SalesReport,
    /// The receipt of the seal.
    sealed: Receipt,
}

impl Run {
    fn client(&self, partner: &str) -> Outcome<Arc<Client>> {
        self.world.client(partner)
    }

    /// Checks that `found` is written as `expected` is.
    fn check(&mut self, name: impl Into<String>, expected: impl Display, found: impl Display) {
        self.checks.equal(self.screen.section(), name, expected, found);
    }

    /// Checks that something was refused with this reason.
    fn check_refused<T>(&mut self, name: &str, reason: &str, answer: &Outcome<T>) {
        let found = match answer {
            Ok(_) => "not refused",
            Err(failure) => &failure.reason,
        };
        self.check(name, reason, found);
    }

    /// Commands to try while the gateway is up.
    fn commands(&self) -> String {
        let puente =
            std::env::current_exe().map_or("puente".into(), |path| path.display().to_string());
        let as_partner = |partner| format!("--profile {}", self.world.profile(partner).display());
        let period = steps::whole_period(&self.input)
            .map_or_else(|_| String::new(), |(first, last)| format!("{first}..{last}"));
        let report = self.reports.first().map_or("", |reported| &reported.report.name);
        format!(
            "\nThe gateway stays up at https://{}. Try, in another terminal:\n
  {puente} verify {} {}
  {puente} report top-products --period {period} --limit 5 {}
  {puente} report summary --by province,channel {}
  {puente} report get {report} {}
  {puente} ledger checkpoint {}
  {puente} ledger proof 7 {} > 7.tlog-proof
  {puente} ledger verify 7.tlog-proof --key {}

Ctrl-C ends it; nothing is left behind.",
            self.world.address,
            self.input.companies.eligible,
            as_partner("marketplace"),
            as_partner("ministry"),
            as_partner("ministry"),
            as_partner("marketplace"),
            as_partner("auditor"),
            as_partner("auditor"),
            self.world.ledger_key().display(),
        )
    }
}
