//! The runs of an experiment that the command line chooses.

use super::args::SelectArgs;
use crate::device;
use crate::error::{Error, Result};
use crate::estimate::{self, Crew, Tried};
use crate::experiment::{Choices, Experiment, Plan, Profile, expand};
use crate::plan::PlanLine;
use crate::pool::Job;
use crate::report::place::variant;
use crate::spec::{DeviceName, MOST_EPOCHS, Request, RunSpec, within};
use crate::suggest::did_you_mean;
use crate::talk::say;
use datasets::LoadOptions;
use std::collections::{BTreeSet, HashMap};

/// What the runs are chosen for.
#[derive(Clone, Copy, Debug)]
pub struct Asked {
    /// Whether they are made on this machine, whose device is then opened.
    pub here: bool,
    /// Whether data that are not here may be fetched.
    pub fetches: bool,
}

/// The runs that were chosen, and how.
pub struct Chosen {
    /// All of the experiment's cells.
    pub plan: Plan,
    /// The profile and the rest.
    pub choices: Choices,
    /// Where data come from.
    pub options: LoadOptions,
    /// The runs, first seeds first.
    pub jobs: Vec<Job<RunSpec>>,
}

impl Chosen {
    /// Plans `experiment`.
    pub fn new(
        experiment: Experiment,
        device: Option<DeviceName>,
        epochs: Option<usize>,
        args: &SelectArgs,
        asked: Asked,
    ) -> Result<Self> {
        within("epochs", epochs.unwrap_or(1), 1, MOST_EPOCHS)?;
        let options = args.data.load_options()?;
        let choices = choices(device, epochs, args, asked.here)?;
        let planning = LoadOptions { online: options.online && asked.fetches, ..options.clone() };
        let plan = expand(experiment, &choices, &planning)?;
        plan.choices.iter().for_each(|line| say!("data {line}"));
        if !asked.fetches && options.online {
            say!("a dry run fetches no data; without --dry-run what is missing is looked for on the network");
        }
        known_rows(&plan, &args.rows)?;
        let jobs = jobs(&plan, &args.rows);
        match jobs.is_empty() {
            true => Err(nothing(&plan, &choices)),
            false => Ok(Self { plan, choices, options, jobs }),
        }
    }

    /// The experiment with its variant, as a plan is called.
    pub fn name(&self) -> String {
        let choices = &self.choices;
        let variant = variant(Some(choices.profile.name()), choices.device, choices.epochs);
        format!("{}-{variant}", self.plan.experiment.name)
    }
}

/// Why there is no run.
fn nothing(plan: &Plan, choices: &Choices) -> Error {
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
    Error::Missing(format!("nothing to run, nothing written: {why}"))
}

/// The plan's lines: `jobs`, with what those of them take that are `left`, as `loads` has it in their order.
pub fn lines(jobs: &[Job<RunSpec>], left: &[Job<RunSpec>], loads: &[Tried]) -> Vec<PlanLine> {
    let known = left.iter().zip(loads).filter_map(|(job, load)| Some((job.request.id(), load.as_ref().ok()?)));
    let known: HashMap<String, _> = known.collect();
    let line = |job: &Job<RunSpec>| {
        let id = job.request.id();
        let load = known.get(&id);
        let (seconds, bytes) = (load.map(|load| load.seconds()), load.and_then(|load| load.bytes()));
        PlanLine { id, title: job.title.clone(), seconds, bytes, spec: job.request.clone() }
    };
    jobs.iter().map(line).collect()
}

/// What was asked for, and what is chosen where nothing was; says so.
fn choices(device: Option<DeviceName>, epochs: Option<usize>, args: &SelectArgs, here: bool) -> Result<Choices> {
    let gpu = device::gpu();
    let chosen = device.or(gpu).unwrap_or_default();
    if here {
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
/// Gives what each of them takes.
pub fn tell_time(chosen: &Chosen, left: &[Job<RunSpec>], crew: Crew) -> Result<Vec<Tried>> {
    if left.is_empty() {
        return Ok(Vec::new());
    }
    let specs: Vec<&RunSpec> = left.iter().map(|job| &job.request).collect();
    let of_left = crew.of(left.len());
    let loads = estimate::measure(&specs, of_left, &chosen.options)?;
    say!("{}", estimate::command_cost(&specs, &loads, of_left)?);
    if !chosen.plan.experiment.is_built_in() {
        return Ok(loads);
    }
    let choices = chosen.choices.clone();
    let paper = Choices { profile: Profile::Paper, seeds: None, epochs: None, assume_present: true, ..choices };
    say!("{}", estimate::paper_cost(&chosen.plan.experiment, &paper, crew)?);
    Ok(loads)
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
