//! `harness plan`: the runs of an experiment, a line of JSON each, for whoever makes them elsewhere.

use super::make::{Asked, Chosen, NamedArgs, SelectArgs, lines};
use super::stdout::print;
use crate::error::{Error, Result};
use crate::estimate::{self, Crew};
use crate::experiment::{Kind, find};
use crate::plan;
use crate::pool::share;
use crate::spec::RunSpec;
use crate::talk::say;
use clap::Args;

/// Options of `plan`.
#[derive(Args, Debug)]
pub struct PlanArgs {
    #[command(flatten)]
    named: NamedArgs,
    #[command(flatten)]
    select: SelectArgs,
}

/// Prints every run, done or not, with what it takes on this machine, if steps can be timed here.
pub fn main(args: PlanArgs) -> Result<()> {
    let NamedArgs { name, epochs, device } = &args.named;
    let experiment = find(name, &Kind::TRAINING)?;
    let asked = Asked { here: false, fetches: true };
    let chosen = Chosen::new(experiment, *device, *epochs, &args.select, asked)?;
    let specs: Vec<&RunSpec> = chosen.jobs.iter().map(|job| &job.request).collect();
    let folder = tempfile::tempdir().map_err(|e| Error::Missing(format!("cannot make a temporary folder: {e}")))?;
    let crew = Crew { jobs: 1, threads: share(1), keeps_state: false, results: folder.path() };
    let loads = match estimate::measure(&specs, crew, &chosen.options) {
        Err(Error::Interrupted) => return Err(Error::Interrupted),
        Err(error) => {
            say!("seconds and bytes are not known: {error}");
            Vec::new()
        }
        Ok(loads) => loads,
    };
    print(plan::text(&lines(&chosen.jobs, &chosen.jobs, &loads)).trim_end())
}
