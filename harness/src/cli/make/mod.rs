//! `harness table` and `harness sweep`: plan, run what is missing, write what was asked for.

mod collect;
mod sweep;
mod write;

pub use sweep::{SweepArgs, sweep};

use super::{DataOptions, ResultOptions};
use crate::device;
use crate::error::{Error, Result};
use crate::estimate::{self, Crew};
use crate::experiment::{Choices, Experiment, Kind, Plan, Profile, expand, find};
use crate::pool::{Job, Pool, share};
use crate::report::place::ShelfFlags;
use crate::run;
use crate::spec::{DeviceName, MOST_EPOCHS, Request, RunSpec, within};
use crate::store::Store;
use crate::suggest::did_you_mean;
use crate::talk::say;
use clap::Args;
use datasets::LoadOptions;
use std::collections::BTreeSet;

/// Options of tables.
#[derive(Args, Debug)]
pub struct TableArgs {
    /// Its name, or a .toml file of the same form (experiments/table1.toml is one); a wrong name lists the right ones.
    name: String,
    /// Epochs in place of the profile's.
    #[arg(long, value_name = "N")]
    epochs: Option<usize>,
    /// flex, cpu-tch or cuda:N; the first GPU if this build and machine have one, else flex.
    #[arg(long)]
    device: Option<DeviceName>,
    #[command(flatten)]
    make: MakeArgs,
}

/// What tables and sweeps take alike.
#[derive(Args, Debug)]
pub struct MakeArgs {
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
    /// Keep every run's state after its last epoch, so that a profile of more epochs resumes from it.
    #[arg(long)]
    keep_state: bool,
    /// Say what would be run, a line a run on stdout, check all that the runs check, say what they would cost, and
    /// stop.
    #[arg(long)]
    dry_run: bool,
    /// Run nothing: write what the store has.
    #[arg(long, conflicts_with = "dry_run")]
    no_run: bool,
    /// Processes at once; by default as many as there are cores (one on a GPU).
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=256))]
    jobs: Option<u64>,
    #[command(flatten)]
    shelf: ShelfFlags,
    #[command(flatten)]
    data: DataOptions,
    #[command(flatten)]
    results: ResultOptions,
}

/// Makes the table.
pub fn table(args: TableArgs) -> Result<()> {
    let experiment = find(&args.name, Kind::Table)?;
    make(experiment, &called(&args.name), args.device, args.epochs, &args.make)
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
    within("epochs", epochs.unwrap_or(1), 1, MOST_EPOCHS)?;
    let store = Store::at(&args.results.results);
    let options = args.data.load_options()?;
    let choices = choices(device, epochs, args)?;
    let planning = LoadOptions { online: options.online && !args.dry_run, ..options.clone() };
    let plan = expand(experiment.clone(), &choices, &planning)?;
    plan.choices.iter().for_each(|line| say!("data {line}"));
    if args.dry_run && options.online {
        say!("a dry run fetches no data; without --dry-run what is missing is looked for on the network");
    }
    known_rows(&plan, &args.rows)?;
    let jobs = jobs(&plan, &args.rows);
    if jobs.is_empty() {
        let reasons = plan.reasons();
        let profile = choices.profile.name();
        let why = if reasons.is_empty() {
            let own = plan.experiment.rows.iter().filter_map(|row| row.authors.as_ref()?.setting.as_deref());
            let columns = plan.experiment.columns.iter().chain(own);
            let others: BTreeSet<&str> = columns.flat_map(|c| c.profile.keys().map(String::as_str)).collect();
            let others = others.into_iter().collect::<Vec<_>>().join(", ");
            format!("{} has no runs in the profile {profile}; it has some in {others}", plan.experiment.name)
        } else {
            reasons.join("; ")
        };
        return Err(Error::Missing(format!("nothing to run, nothing written: {why}")));
    }
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let at_once = args.jobs.map_or(if choices.device.card().is_some() { 1 } else { cores }, |n| n as usize);
    let finder = collect::Finder { store: &store, older: args.older };
    let left = finder.left(&jobs);
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
            match tell_time(&experiment, &choices, &left, crew, &options) {
                Err(Error::Interrupted) => return Err(Error::Interrupted),
                // A table does not need to know how long it will take.
                Err(error) => say!("how long it will take is not known: {error}"),
                Ok(()) => {}
            }
            if args.dry_run {
                say!("{} runs: {} already done, {} to do", jobs.len(), jobs.len() - left.len(), left.len());
                return listed(&left);
            }
            let mut arguments = args.data.arguments();
            arguments.extend(args.keep_state.then(|| "--keep-state".into()));
            let pool = Pool { at_once, threads: None, memory: None, arguments };
            // Runs of earlier numerics that stand in are not the pool's business.
            pool.make(if args.older { &left } else { &jobs }, &store)
        }
    };
    if matches!(outcome, Err(Error::Interrupted)) {
        return Err(Error::Interrupted);
    }
    // What ran is written down even if some runs failed.
    let (report, unread) = collect::report(plan, &choices, words, args, &finder, &options);
    if args.no_run && report.runs().next().is_none() {
        let store = args.results.results.display();
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

/// What was asked for, and what is chosen where nothing was; says so.
fn choices(device: Option<DeviceName>, epochs: Option<usize>, args: &MakeArgs) -> Result<Choices> {
    let gpu = device::gpu();
    let chosen = device.or(gpu).unwrap_or_default();
    // What is only written down may be another machine's.
    if !args.no_run {
        device::open(chosen)?;
    }
    let on_gpu = chosen.card().is_some();
    let profile = args.profile.unwrap_or(if on_gpu { Profile::Short } else { Profile::Quick });
    let why = |given: bool, otherwise: &str| if given { "as asked".to_string() } else { otherwise.to_string() };
    let by_profile = if on_gpu { "it runs on a GPU" } else { "it runs on no GPU, so minutes rather than hours" };
    say!("profile {}: {}", profile.name(), why(args.profile.is_some(), by_profile));
    let by_device =
        if gpu.is_some() { "the first GPU" } else { "no GPU that this build can use; `harness doctor` says more" };
    say!("device {chosen}: {}", why(device.is_some(), by_device));
    let allow_unverified = args.data.allow_unverified;
    Ok(Choices { profile, device: chosen, seeds: args.seeds, epochs, allow_unverified, assume_present: false })
}

/// Says what the runs that are left will take, and then what all of the paper's would; nothing where none is left.
fn tell_time(
    experiment: &Experiment,
    choices: &Choices,
    left: &[Job<RunSpec>],
    crew: Crew,
    options: &LoadOptions,
) -> Result<()> {
    if left.is_empty() {
        return Ok(());
    }
    let specs: Vec<&RunSpec> = left.iter().map(|job| &job.request).collect();
    say!("{}", estimate::command_cost(&specs, crew.of(left.len()), options)?);
    if !experiment.is_built_in() {
        return Ok(());
    }
    let paper = Choices { profile: Profile::Paper, seeds: None, epochs: None, assume_present: true, ..choices.clone() };
    say!("{}", estimate::paper_cost(experiment, &paper, crew)?);
    Ok(())
}

/// A wrong label is reported with the right ones.
fn known_rows(plan: &Plan, rows: &[String]) -> Result<()> {
    let known: Vec<&str> = plan.experiment.rows.iter().map(|row| row.label.as_str()).collect();
    match rows.iter().find(|row| !known.contains(&row.as_str())) {
        Some(row) => Err(Error::Input(format!(
            "`--row {row}`: {} has no such row; its rows are {}{}",
            plan.experiment.name,
            known.join(", "),
            did_you_mean(row, known)
        ))),
        None => Ok(()),
    }
}

/// Every run of a plan, or of some of its rows, first seeds first, so that an interrupted table has something in every
/// cell.
fn jobs(plan: &Plan, rows: &[String]) -> Vec<Job<RunSpec>> {
    let columns = plan.columns.len();
    let mut jobs: Vec<(usize, Job<RunSpec>)> = Vec::new();
    for (index, cell) in plan.cells.iter().enumerate() {
        let (row, column) = (&plan.experiment.rows[index / columns], &plan.columns[index % columns]);
        if !rows.is_empty() && !rows.contains(&row.label) {
            continue;
        }
        for (seed, spec) in cell.specs.iter().enumerate() {
            let title = format!("{} | {} | seed {}", row.label, column.label, spec.seed);
            jobs.push((seed, Job { title, request: spec.clone(), need: None }));
        }
    }
    jobs.sort_by_key(|(seed, _)| *seed);
    // A row that a sweep does not touch has the same run in every column.
    let mut seen = BTreeSet::new();
    jobs.into_iter().map(|(_, job)| job).filter(|job| seen.insert(job.request.id())).collect()
}
