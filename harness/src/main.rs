//! The command line: parses, runs, maps the outcome to an exit code. `harness --help` says the rest.

use clap::Parser;
use harness::cli::Cli;
use sll_core::memory::CountingAllocator;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

fn main() -> ExitCode {
    harness::interrupt::listen();
    match harness::device::within_memory(|| harness::cli::dispatch(Cli::parse())) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(error.exit_code())
        }
    }
}
