//! `harness work`: makes the runs of a plan, or some of its lines, in processes of this machine.

use super::make::PartArgs;
use super::options::{DataOptions, KeepOptions, LogOptions, ResultOptions};
use crate::device;
use crate::error::{Error, Result};
use crate::plan::{self, LineNumbers};
use crate::pool::{Job, Pool};
use crate::run::{Checkpoint, Progress};
use crate::spec::{Request, RunSpec};
use crate::store::Store;
use clap::Args;
use std::path::PathBuf;
use std::time::Duration;

/// Options of `work`.
#[derive(Args, Debug)]
pub struct WorkArgs {
    /// A plan that `harness plan` wrote; - reads it from stdin.
    plan: PathBuf,
    /// Only these of its lines, counted from 1, like 3 or 1-4,7.
    #[arg(long, value_name = "LINES")]
    line: Option<LineNumbers>,
    /// Processes at once.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=256))]
    jobs: u64,
    /// Threads of each; by default the machine's are shared out.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1024))]
    threads: Option<u64>,
    /// Keep every run's state after its last epoch, so that one of more epochs resumes from it.
    #[arg(long)]
    keep_state: bool,
    /// Seconds that processes may take to keep their state when they are asked to end; 30 by default.
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=86_400))]
    grace: Option<u64>,
    #[command(flatten)]
    keep: KeepOptions,
    #[command(flatten)]
    log: LogOptions,
    #[command(flatten)]
    part: PartArgs,
    #[command(flatten)]
    data: DataOptions,
    #[command(flatten)]
    results: ResultOptions,
}

/// How far the runs of `jobs` are in the store: whether there is a record, and the places of those that are unfinished.
fn places(jobs: &[Job<RunSpec>], store: &Store) -> Vec<(bool, Option<Progress>)> {
    let ids = jobs.iter().map(|job| job.request.id());
    ids.map(|id| (store.has_record::<RunSpec>(&id), Checkpoint::progress(&store.state(&id)))).collect()
}

/// Makes those that the store lacks. Exit code 130 says that some are unfinished, with their state kept; 75 that none
/// has got any further.
pub fn main(args: WorkArgs) -> Result<()> {
    let lines = args.line.unwrap_or_default().of(&plan::read(&args.plan)?)?;
    let jobs: Vec<_> = args.part.of(&lines).iter().map(plan::PlanLine::job).collect();
    // One that is not there is told once, and not by every run.
    jobs.iter().try_for_each(|job| device::open(job.request.device).map(drop))?;
    let mut arguments = args.data.arguments();
    arguments.extend(args.keep.arguments());
    arguments.extend(args.log.arguments());
    arguments.extend(args.keep_state.then(|| "--keep-state".into()));
    let (at_once, threads) = (args.jobs as usize, args.threads.map(|threads| threads as usize));
    let grace = args.grace.map(Duration::from_secs);
    let pool = Pool { at_once, threads, arguments, until: args.part.until(), grace, ..Pool::default() };
    let store = Store::open(&args.results.results)?;
    let before = places(&jobs, &store);
    match pool.make(&jobs, &store) {
        Err(Error::Interrupted) if places(&jobs, &store) == before => Err(Error::NoStep),
        outcome => outcome,
    }
}
