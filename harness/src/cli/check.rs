//! `harness check`: the regression on accuracy and memory.

use super::print;
use crate::check::{self, Baseline};
use crate::error::{Error, Result};
use crate::talk::say;
use clap::Args;
use std::path::PathBuf;

/// Options of `check`.
#[derive(Args, Debug)]
pub struct CheckArgs {
    /// The committed baseline.
    #[arg(long, value_name = "FILE", default_value = "harness/baseline.toml")]
    baseline: PathBuf,
    /// Rewrite the baseline with what this build gives.
    #[arg(long)]
    update: bool,
    /// Processes at once; by default as many as there are cores.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=256))]
    jobs: Option<u64>,
}

/// Runs the suite afresh and compares, or updates.
pub fn main(args: CheckArgs) -> Result<()> {
    // Read first: a wrong path is no reason to train anything.
    let baseline = if args.update { None } else { Some(Baseline::load(&args.baseline)?) };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let measured = check::measure(args.jobs.map_or(cores, |n| n as usize))?;
    let Some(baseline) = baseline else {
        measured.save(&args.baseline)?;
        say!("wrote {}", args.baseline.display());
        return Ok(());
    };
    let (lines, regressions) = baseline.compare(&measured);
    for line in lines {
        print(&line)?;
    }
    match regressions.as_slice() {
        [] => print("no regression"),
        some => Err(Error::Failed(format!(
            "{} of {} numbers got worse: {}\nif that is meant, `harness check --update` rewrites {}",
            some.len(),
            2 * measured.entries.len(),
            some.join(", "),
            args.baseline.display()
        ))),
    }
}
