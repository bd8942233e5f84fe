//! The `puente` binary: arguments to command.

fn main() {}
