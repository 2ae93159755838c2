//! The `synfire` command.

use std::process::ExitCode;

use synfire_runtime::observe::Allocations;

#[global_allocator]
static ALLOCATIONS: Allocations = Allocations::new();

fn main() -> ExitCode {
    synfire::cli::main(&ALLOCATIONS)
}
