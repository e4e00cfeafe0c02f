//! `harness pace`: times the steps that it is asked for on stdin, a line of JSON each. Tables start it to learn how
//! long they will take.

use super::options::ResultOptions;
use super::stdout::print;
use crate::error::{Error, Result};
use crate::estimate::pace::{MOST, times};
use crate::spec::MemorySpec;
use clap::Args;

/// Options of `pace`.
#[derive(Args, Debug)]
pub struct PaceArgs {
    /// How long to time; of what is left then, only the work is counted.
    #[arg(long)]
    seconds: f64,
    /// The process that asks: this one ends when that one is gone.
    #[arg(long, value_name = "PID")]
    parent: u32,
    #[command(flatten)]
    results: ResultOptions,
}

/// Reads specs as JSON and prints the pace of each as soon as it is known.
pub fn main(args: PaceArgs) -> Result<()> {
    crate::interrupt::follow(args.parent);
    crate::interrupt::nothing_to_keep();
    let wrong = |e: serde_json::Error| Error::Input(format!("stdin is not a list of steps: {e}"));
    let specs: Vec<MemorySpec> = serde_json::from_reader(std::io::stdin()).map_err(wrong)?;
    sll_core::memory::at_most(MOST);
    let mut told = |pace| print(&serde_json::to_string(&pace).expect("plain data"));
    times(&specs, args.seconds, &args.results.results, &mut told)
}
