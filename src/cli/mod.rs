//! The command line: one file a command.
//!
//! Enters: arguments, files, profiles. Leaves: tables or JSON on standard output, what went wrong
//! on standard error, and an exit code: 0 for success, 1 for anything refused, 2 for wrong usage.
//! Client commands know the contract only, as any integrator's client does.

mod access_token;
mod batches;
mod certificate;
mod clear;
mod client;
mod connection;
mod csv;
mod declaration;
mod delegation;
mod demo;
mod doctor;
mod failure;
mod init;
mod ledger;
mod output;
mod parse;
mod partner;
mod period;
mod pki;
mod profile;
mod push;
mod push_declarations;
mod push_delegations;
mod push_listings;
mod push_sales;
mod push_shipments;
mod reconcile;
mod report;
mod request_id;
mod rules;
mod serve;
mod settlement;
mod sync;
mod token;
mod verification;
mod verify;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

pub use self::client::Client;
pub use self::failure::{Failure, Outcome};
pub use self::output::Output;
pub use self::profile::Profile;

/// Puente: a gateway between export authorities and the marketplaces that sell abroad.
#[derive(Parser)]
#[command(name = "puente", version, about, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Init(init::Init),
    Serve(serve::Serve),
    Doctor(doctor::Doctor),
    Demo(demo::Demo),
    #[command(subcommand)]
    Pki(pki::Pki),
    Token(token::Token),
    Verify(verify::Verify),
    #[command(subcommand)]
    Verification(verification::Verification),
    #[command(subcommand)]
    Sync(sync::Sync),
    #[command(subcommand)]
    Push(push::Push),
    Clear(clear::Clear),
    #[command(subcommand)]
    Certificate(certificate::Certificate),
    #[command(subcommand)]
    Declaration(declaration::Declaration),
    Reconcile(reconcile::Reconcile),
    #[command(subcommand)]
    Delegation(delegation::Delegation),
    #[command(subcommand)]
    Settlement(settlement::Settlement),
    #[command(subcommand)]
    Report(report::Report),
    #[command(subcommand)]
    Period(period::Period),
    #[command(subcommand)]
    Ledger(ledger::Ledger),
    #[command(subcommand)]
    Partner(partner::Partner),
    #[command(subcommand)]
    Rules(rules::Rules),
}

/// What every client command takes.
#[derive(Args, Clone, Debug)]
pub struct Connect {
    /// Who you are: a file that `puente init` or your operator made
    #[arg(long, value_name = "FILE", env = "PUENTE_PROFILE")]
    pub profile: PathBuf,
    #[command(flatten)]
    pub show: Show,
}

/// How the answer is shown.
#[derive(Args, Clone, Copy, Debug)]
pub struct Show {
    /// A table for people, or the answer as JSON
    #[arg(long, value_enum, default_value_t = Output::Table)]
    pub output: Output,
}

impl Connect {
    /// The client of the profile.
    pub fn client(&self) -> Outcome<Client> {
        Client::load(&self.profile)
    }

    /// Table or JSON.
    pub fn output(&self) -> Output {
        self.show.output
    }
}

/// Reads the arguments, runs the command, says what went wrong.
pub fn main() -> ExitCode {
    // Wrong usage ends here with exit code 2; --help and --version with 0.
    let cli = Cli::parse();
    let outcome = runtime().and_then(|runtime| runtime.block_on(run(cli.command)));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            output::tell(&failure);
            ExitCode::FAILURE
        }
    }
}

async fn run(command: Command) -> Outcome {
    match command {
        Command::Init(init) => init.run().await,
        Command::Serve(serve) => serve.run().await,
        Command::Demo(demo) => demo.run().await,
        Command::Doctor(doctor) => doctor.run().await,
        Command::Pki(pki) => pki.run(),
        Command::Token(token) => token.run().await,
        Command::Verify(verify) => verify.run().await,
        Command::Verification(verification) => verification.run().await,
        Command::Sync(sync) => sync.run().await,
        Command::Push(push) => push.run().await,
        Command::Clear(clear) => clear.run().await,
        Command::Certificate(certificate) => certificate.run().await,
        Command::Declaration(declaration) => declaration.run().await,
        Command::Reconcile(reconcile) => reconcile.run().await,
        Command::Delegation(delegation) => delegation.run().await,
        Command::Settlement(settlement) => settlement.run().await,
        Command::Report(report) => report.run().await,
        Command::Period(period) => period.run().await,
        Command::Ledger(ledger) => ledger.run().await,
        Command::Partner(partner) => partner.run().await,
        Command::Rules(rules) => rules.run().await,
    }
}

fn runtime() -> Outcome<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|reason| Failure::new("RUNTIME", format!("threads cannot be started: {reason}")))
}
