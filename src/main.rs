//! The `puente` binary: arguments to command.

use std::process::ExitCode;

fn main() -> ExitCode {
    puente::cli::main()
}
