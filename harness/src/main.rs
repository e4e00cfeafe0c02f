//! The command line: parses, runs, maps the outcome to an exit code. `harness --help` says the rest.

use harness::cli;
use sll_core::memory::CountingAllocator;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

fn main() -> ExitCode {
    harness::interrupt::listen();
    match harness::device::within_memory(|| cli::dispatch(cli::parse())) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            harness::talk::tell(format_args!("error: {error}"));
            ExitCode::from(error.exit_code())
        }
    }
}
