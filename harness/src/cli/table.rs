//! `harness table` and `harness sweep`: plan, run what is missing, write what was asked for.

use super::{DataOptions, ResultOptions};
use crate::engine::{Engine, Job, share};
use crate::error::{Error, Result};
use crate::estimate::Crew;
use crate::experiment::{Choices, Experiment, Kind, Plan, Profile, expand, find};
use crate::report::{Cell, Report, figure, markdown, parquet};
use crate::spec::{MOST_EPOCHS, within};
use crate::store::Store;
use crate::talk::say;
use crate::{device, estimate};
use clap::Args;

/// Options of tables and sweeps.
#[derive(Args, Debug)]
pub struct TableArgs {
    /// Its name; a wrong one lists the right ones.
    name: String,
    /// How much to run; quick without a GPU, short with one.
    #[arg(long, value_enum)]
    profile: Option<Profile>,
    /// Seeds 0..N in place of the profile's.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=10_000))]
    seeds: Option<u64>,
    /// Run this row only (repeatable); the others show what has been run before.
    #[arg(long = "row", value_name = "LABEL")]
    rows: Vec<String>,
    /// Epochs in place of the profile's.
    #[arg(long, value_name = "N")]
    epochs: Option<usize>,
    /// flex, cpu-tch or cuda:N; the first GPU if this build and machine have one, else flex.
    #[arg(long)]
    device: Option<String>,
    /// Say what would be run, a line a run on stdout, and how long it would take, and stop.
    #[arg(long)]
    dry_run: bool,
    /// Processes at once; by default as many as there are cores (one on a GPU).
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=256))]
    jobs: Option<u64>,
    #[command(flatten)]
    data: DataOptions,
    #[command(flatten)]
    results: ResultOptions,
}

/// Makes the table or sweep.
pub fn main(args: TableArgs, kind: Kind) -> Result<()> {
    let experiment = find(&args.name, kind)?;
    within("epochs", args.epochs.unwrap_or(1), 1, MOST_EPOCHS)?;
    let store = Store::open(&args.results.results)?;
    let options = args.data.load_options()?;
    let gpu = device::open("cuda:0").is_ok();
    let device_name = args.device.clone().unwrap_or_else(|| if gpu { "cuda:0" } else { "flex" }.into());
    device::open(&device_name)?;
    let on_gpu = device_name.starts_with("cuda");
    let profile = args.profile.unwrap_or(if on_gpu { Profile::Short } else { Profile::Quick });
    let why = |given: bool, otherwise: &str| if given { "as asked".to_string() } else { otherwise.to_string() };
    say!(
        "profile {}: {}",
        profile.name(),
        why(
            args.profile.is_some(),
            if on_gpu { "it runs on a GPU" } else { "it runs on no GPU, so minutes rather than hours" }
        )
    );
    say!(
        "device {device_name}: {}",
        why(
            args.device.is_some(),
            if gpu { "the first GPU" } else { "no GPU that this build can use; `harness doctor` says more" }
        )
    );
    let allow_unverified = args.data.allow_unverified;
    let (seeds, epochs) = (args.seeds, args.epochs);
    let choices = Choices { profile, device: device_name, seeds, epochs, allow_unverified, assume_present: false };
    let plan = expand(experiment.clone(), &choices, &options)?;
    plan.choices.iter().for_each(|line| say!("data {line}"));
    known_rows(&plan, &args.rows)?;
    let jobs = jobs(&plan, &args.rows);
    if jobs.is_empty() {
        let reasons = plan.reasons();
        let why = if reasons.is_empty() {
            format!("{} has no runs in the profile {}; try --profile short", plan.experiment.name, profile.name())
        } else {
            reasons.join("; ")
        };
        return Err(Error::Missing(format!("nothing to run, nothing written: {why}")));
    }
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let at_once = args.jobs.map_or(if choices.device.starts_with("cuda") { 1 } else { cores }, |n| n as usize);
    let engine =
        Engine { jobs: at_once, threads: None, data_dir: args.data.data_dir.clone(), offline: args.data.offline };
    match tell_time(&experiment, &choices, &jobs, (at_once, &store), &options) {
        Err(Error::Interrupted) => return Err(Error::Interrupted),
        // A table does not need to know how long it will take.
        Err(error) => say!("how long it will take is not known: {error}"),
        Ok(()) => {}
    }
    if args.dry_run {
        return jobs.iter().try_for_each(|job| super::print(&format!("{}  {}", job.spec.id(), job.title)));
    }
    let outcome = match engine.execute(jobs, &store) {
        Err(Error::Interrupted) => return Err(Error::Interrupted),
        other => other,
    };
    // What ran is written down even if some runs failed.
    let (report, unread) = report(plan, &choices, &args, &store);
    for path in write(&report, &args)? {
        say!("wrote {}", path.display());
    }
    let failed = |why: String| if unread.is_empty() { why } else { format!("{why}\n{}", unread.join("\n")) };
    match outcome {
        Err(Error::Failed(why)) => return Err(Error::Failed(failed(why))),
        Err(other) => return Err(other),
        Ok(()) if !unread.is_empty() => return Err(Error::Failed(failed("the table lacks runs".into()))),
        Ok(()) => {}
    }
    super::print(&std::fs::read_to_string(args.results.results.join(format!("{}.md", report.name))).unwrap_or_default())
}

/// Says what the runs that are left will take, and then what all of the paper's would; nothing where none is left.
fn tell_time(
    experiment: &Experiment,
    choices: &Choices,
    jobs: &[Job],
    (at_once, store): (usize, &Store),
    options: &datasets::LoadOptions,
) -> Result<()> {
    let mut left = Vec::new();
    for job in jobs {
        if store.result(&job.spec.id())?.is_none() {
            left.push(&job.spec);
        }
    }
    let crew = |runs: usize| {
        let jobs = at_once.min(runs).max(1);
        Crew { jobs, threads: share(jobs), results: store.results() }
    };
    if left.is_empty() {
        return Ok(());
    }
    say!("{}", estimate::command_cost(&left, crew(left.len()), options)?);
    let paper = Choices { profile: Profile::Paper, seeds: None, epochs: None, assume_present: true, ..choices.clone() };
    say!("{}", estimate::paper_cost(experiment, &paper, crew(at_once))?);
    Ok(())
}

fn write(report: &Report, args: &TableArgs) -> Result<Vec<std::path::PathBuf>> {
    let dir = &args.results.results;
    let mut written = parquet::write(report, dir)?;
    written.push(markdown::write(report, dir)?);
    written.extend(figure::write(report, dir)?);
    Ok(written)
}

/// A wrong label is reported with the right ones.
fn known_rows(plan: &Plan, rows: &[String]) -> Result<()> {
    let known: Vec<&str> = plan.experiment.rows.iter().map(|row| row.label.as_str()).collect();
    match rows.iter().find(|row| !known.contains(&row.as_str())) {
        Some(row) => Err(Error::Input(format!(
            "`--row {row}`: {} has no such row; its rows are {}",
            plan.experiment.name,
            known.join(", ")
        ))),
        None => Ok(()),
    }
}

/// Every run of a plan, or of some of its rows, first seeds first, so that an interrupted table has something in every
/// cell.
fn jobs(plan: &Plan, rows: &[String]) -> Vec<Job> {
    let columns = plan.columns.len();
    let mut jobs: Vec<(usize, Job)> = Vec::new();
    for (index, cell) in plan.cells.iter().enumerate() {
        let (row, column) = (&plan.experiment.rows[index / columns], &plan.columns[index % columns]);
        if !rows.is_empty() && !rows.contains(&row.label) {
            continue;
        }
        for (seed, spec) in cell.specs.iter().enumerate() {
            let title = format!("{} | {} | seed {}", row.label, column.label, spec.seed);
            jobs.push((seed, Job { title, spec: spec.clone() }));
        }
    }
    jobs.sort_by_key(|(seed, _)| *seed);
    jobs.into_iter().map(|(_, job)| job).collect()
}

/// The report of all runs that can be read, and what is wrong with the others.
fn report(plan: Plan, choices: &Choices, args: &TableArgs, store: &Store) -> (Report, Vec<String>) {
    let mut unread = Vec::new();
    let cells = plan.cells.into_iter().map(|cell| {
        let mut runs = Vec::new();
        for spec in &cell.specs {
            match store.result(&spec.id()) {
                Ok(result) => runs.extend(result),
                Err(error) => unread.push(format!("  {error}")),
            }
        }
        let missing = cell.missing.or_else(|| runs.is_empty().then(|| "no run of this cell has finished".to_string()));
        Cell { missing, runs, quoted: cell.quoted }
    });
    let cells = cells.collect();
    let rows: String = args.rows.iter().map(|row| format!(" --row '{row}'")).collect();
    let kind = if plan.experiment.kind == Kind::Table { "table" } else { "sweep" };
    let unverified = if args.data.allow_unverified { " --allow-unverified" } else { "" };
    let report = Report {
        name: plan.experiment.name.clone(),
        title: plan.experiment.title.clone(),
        notes: plan.experiment.notes.clone(),
        reading: plan.experiment.reading.get(choices.profile.name()).cloned().unwrap_or_default(),
        profile: choices.profile.name().to_string(),
        command: format!(
            "harness {kind} {} --profile {} --device {}{}{}{unverified}{rows}",
            plan.experiment.name,
            choices.profile.name(),
            choices.device,
            choices.seeds.map_or(String::new(), |n| format!(" --seeds {n}")),
            choices.epochs.map_or(String::new(), |n| format!(" --epochs {n}")),
        ),
        row_axis: "rule".into(),
        column_axis: plan.experiment.sweep.as_ref().map_or("data set".into(), |sweep| sweep.label.clone()),
        rows: plan.experiment.rows.iter().map(|row| row.label.clone()).collect(),
        columns: plan.columns,
        cells,
    };
    (report, unread)
}
