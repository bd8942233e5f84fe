//! The `puente` binary: arguments to command.

use std::process::ExitCode;

/// Lines and answers are made of small strings; what it gains alone is still to be measured.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    puente::cli::main()
}
