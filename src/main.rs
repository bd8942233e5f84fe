//! The `puente` binary: arguments to command.

use std::process::ExitCode;

/// Lines and answers are made of small strings: half of what decoding costs is allocation.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    puente::cli::main()
}
