//! `harness table` and `harness sweep`: plan, run what is missing, write what was asked for.

mod chosen;
mod collect;
mod hand;
mod part;
mod sweep;
mod write;

pub use chosen::{Asked, Chosen, lines};
pub use hand::EngineArgs;
pub use part::PartArgs;
pub use sweep::{SweepArgs, sweep};

use super::{DataOptions, KeepOptions, LogOptions, ResultOptions};
use crate::engine;
use crate::error::{Error, Result};
use crate::estimate::Crew;
use crate::experiment::{Experiment, Kind, Profile, find};
use crate::pool::{Job, Pool, share};
use crate::report::place::ShelfFlags;
use crate::run;
use crate::spec::{DeviceName, Request, RunSpec};
use crate::store::Store;
use crate::talk::say;
use chosen::tell_time;
use clap::Args;
use hand::Way;

/// An experiment, and what stands in place of its profile's epochs and of the device that would be chosen.
#[derive(Args, Debug)]
pub struct NamedArgs {
    /// Its name (below), or a .toml file of the same form, as docs/formats.md describes it.
    pub name: String,
    /// Epochs in place of the profile's.
    #[arg(long, value_name = "N")]
    pub epochs: Option<usize>,
    /// flex, cpu-tch or cuda:N; the first GPU if this build and machine have one, else flex.
    #[arg(long)]
    pub device: Option<DeviceName>,
}

/// Options of tables.
#[derive(Args, Debug)]
pub struct TableArgs {
    #[command(flatten)]
    named: NamedArgs,
    #[command(flatten)]
    make: MakeArgs,
}

/// Which runs of an experiment.
#[derive(Args, Debug)]
pub struct SelectArgs {
    /// How much to run; quick without a GPU, short with one.
    #[arg(long, value_enum)]
    profile: Option<Profile>,
    /// Seeds 0..N in place of the profile's; of more, those that have been run before stay.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=10_000))]
    seeds: Option<u64>,
    /// Run this row only (repeatable); the others show what has been run before.
    #[arg(long = "row", value_name = "LABEL")]
    rows: Vec<String>,
    /// Let runs of earlier versions' numerics stand where there is none of this one's; they are marked.
    #[arg(long)]
    older: bool,
    #[command(flatten)]
    data: DataOptions,
    #[command(flatten)]
    results: ResultOptions,
}

/// What tables and sweeps take alike.
#[derive(Args, Debug)]
pub struct MakeArgs {
    #[command(flatten)]
    select: SelectArgs,
    /// Keep every run's state after its last epoch, so that a profile of more epochs resumes from it.
    #[arg(long)]
    keep_state: bool,
    #[command(flatten)]
    keep: KeepOptions,
    #[command(flatten)]
    log: LogOptions,
    /// Say what would be run, a line a run on stdout, check all that the runs check, say what they would cost, and
    /// stop. Of a batch system, print the script.
    #[arg(long)]
    dry_run: bool,
    /// Run nothing: write what the store has.
    #[arg(long, conflicts_with = "dry_run")]
    no_run: bool,
    /// Processes at once, on this machine or in a task of a batch system; by default as many as there are cores here,
    /// one on a GPU, and one in a task.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=256))]
    jobs: Option<u64>,
    #[command(flatten)]
    part: PartArgs,
    #[command(flatten)]
    engine: EngineArgs,
    #[command(flatten)]
    shelf: ShelfFlags,
}

/// Makes the table.
pub fn table(args: TableArgs) -> Result<()> {
    let NamedArgs { name, epochs, device } = args.named;
    make(find(&name, &Kind::TABLES)?, &called(&name), device, epochs, &args.make)
}

/// An experiment as a command names it, without the folder of a file.
fn called(name: &str) -> String {
    name.rsplit('/').next().unwrap_or(name).to_string()
}

/// Makes `experiment`, which the command line called `words`.
fn make(
    experiment: Experiment,
    words: &str,
    device: Option<DeviceName>,
    epochs: Option<usize>,
    args: &MakeArgs,
) -> Result<()> {
    args.part.no_other_engine(&args.engine)?;
    let select = &args.select;
    let store = Store::at(&select.results.results);
    // What is only written down, or handed to others, may be another machine's.
    let here = !args.no_run && args.engine.is_local();
    let chosen = Chosen::new(experiment, device, epochs, select, Asked { here, fetches: !args.dry_run })?;
    let Chosen { choices, jobs, .. } = &chosen;
    let finder = collect::Finder { store: &store, older: select.older };
    let left = finder.left(jobs);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let at_once = args.jobs.map_or(if choices.device.card().is_some() { 1 } else { cores }, |n| n as usize);
    let outcome = match args.no_run {
        true => Ok(()),
        false => {
            // A dry run leaves nothing behind, not even what is written to see how fast the disk is.
            let scratch =
                tempfile::tempdir().map_err(|e| Error::file("create a folder in", &std::env::temp_dir(), e))?;
            let results = if args.dry_run { scratch.path() } else { store.results() };
            if !args.dry_run {
                store.ready()?;
            }
            let crew = Crew { jobs: at_once, threads: share(at_once), keeps_state: args.keep_state, results };
            let loads = match tell_time(&chosen, &left, crew) {
                Err(Error::Interrupted) => return Err(Error::Interrupted),
                // A table does not need to know how long it will take.
                Err(error) => {
                    say!("how long it will take is not known: {error}");
                    Vec::new()
                }
                Ok(loads) => loads,
            };
            if args.dry_run && here {
                say!("{} runs: {} already done, {} to do", jobs.len(), jobs.len() - left.len(), left.len());
                return listed(&left);
            }
            let handed = engine::place(store.results(), &chosen.name(), &lines(jobs, &left, &loads));
            match args.engine.hand_over(&handed, &finder, args)? {
                Way::Here => handed.write()?,
                Way::Over => return Ok(()),
                Way::Ended => say!("the batch system has no task of it left"),
            }
            let mut arguments = select.data.arguments();
            arguments.extend(args.keep.arguments());
            arguments.extend(args.log.arguments());
            arguments.extend(args.keep_state.then(|| "--keep-state".into()));
            let pool = Pool { at_once, arguments, until: args.part.until(), ..Pool::default() };
            // Runs of earlier numerics that stand in are not the pool's business.
            match here {
                true => pool.make(&args.part.of(if select.older { &left } else { jobs }), &store),
                false => missing(&finder.left(jobs), &store),
            }
        }
    };
    if matches!(outcome, Err(Error::Interrupted)) {
        return Err(Error::Interrupted);
    }
    if args.part.is_shard() {
        say!("a part of the runs: when all parts are done, the same command without --shard writes the page");
        return outcome;
    }
    // What ran is written down even if some runs failed.
    let Chosen { plan, choices, options, .. } = chosen;
    let (report, unread) = collect::report(plan, &choices, words, select, &finder, &options);
    if args.no_run && report.runs().next().is_none() {
        let store = select.results.results.display();
        return Err(Error::Missing(format!("nothing written: the store in {store} has none of its runs")));
    }
    let page = write::write(&report, &choices, args)?;
    let failed = |why: String| if unread.is_empty() { why } else { format!("{why}\n{}", unread.join("\n")) };
    match outcome {
        Err(Error::Failed(why)) => return Err(Error::Failed(failed(why))),
        Err(other) => return Err(other),
        Ok(()) if !unread.is_empty() => return Err(Error::Failed(failed("the table lacks runs".into()))),
        Ok(()) => {}
    }
    super::print(&std::fs::read_to_string(page).unwrap_or_default())
}

/// Fails if runs are `left`, with what is known of why.
fn missing(left: &[Job<RunSpec>], store: &Store) -> Result<()> {
    let why = |job: &Job<RunSpec>| {
        let why = store.failure::<RunSpec>(&job.request.id()).unwrap_or_else(|| "it is not finished".into());
        format!("  {}: {why}", job.title)
    };
    match left.len() {
        0 => Ok(()),
        n => Err(Error::Failed(format!(
            "{n} runs are not done; the same command hands them over again\n{}",
            left.iter().map(why).collect::<Vec<_>>().join("\n")
        ))),
    }
}

/// A line a run, and all that the runs themselves would be refused for.
fn listed(jobs: &[Job<RunSpec>]) -> Result<()> {
    jobs.iter().try_for_each(|job| super::print(&format!("{}  {}", job.request.id(), job.title)))?;
    let refused = |job: &Job<RunSpec>| run::check(&job.request).err().map(|why| format!("  {}: {why}", job.title));
    let refused: Vec<String> = jobs.iter().filter_map(refused).collect();
    match refused.is_empty() {
        true => Ok(()),
        false => {
            Err(Error::Input(format!("{} of {} runs would fail:\n{}", refused.len(), jobs.len(), refused.join("\n"))))
        }
    }
}
