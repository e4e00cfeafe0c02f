//! `harness status` and `harness cancel`: plans under way, by the store's locks and records.

use super::options::ResultOptions;
use super::stdout::print;
use crate::engine::{self, Handed};
use crate::error::{Error, Result};
use crate::interrupt;
use crate::plan::{self, PlanLine};
use crate::run::{Checkpoint, Place, Progress};
use crate::spec::RunSpec;
use crate::store::{Holder, Store};
use crate::talk::say;
use crate::units::duration;
use clap::Args;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// What to do where no plan is kept.
const NO_PLAN: &str = "a table or sweep leaves one, or name a file that `harness plan` wrote";

/// Options of both.
#[derive(Args, Debug)]
pub struct StatusArgs {
    /// Plans: files of `harness plan`, or beginnings of names below results/plans; all of those by default.
    plans: Vec<String>,
    #[command(flatten)]
    results: ResultOptions,
}

/// Options of `cancel`.
#[derive(Args, Debug)]
pub struct CancelArgs {
    /// End the work on every plan that is under way, where none is named and there are several.
    #[arg(long, conflicts_with = "plans")]
    all: bool,
    #[command(flatten)]
    of: StatusArgs,
}

impl CancelArgs {
    /// The plans to end: those that are named, or the one that is under way.
    fn chosen(&self, store: &Store) -> Result<Vec<Handed>> {
        let mut found = chosen(&self.of)?;
        if !self.of.plans.is_empty() {
            return Ok(found);
        }
        // One whose batch system cannot be asked may be.
        let works = |line: &PlanLine| store.holder::<RunSpec>(&line.id).is_some();
        found.retain(|handed| handed.lines.iter().any(works) || !matches!(handed.alive(), Ok(0)));
        match found.len() {
            0 => Err(Error::Input("no plan is under way here; `harness status` lists those that are kept".into())),
            2.. if !self.all => {
                let names: Vec<&str> = found.iter().map(|handed| handed.name.as_str()).collect();
                let names = names.join(", ");
                Err(Error::Input(format!("several plans are under way, {names}: name the one to end, or add --all")))
            }
            _ => Ok(found),
        }
    }
}

/// How a run is.
enum State {
    Done { note: Option<&'static str> },
    Running { holder: Holder, at: Option<Progress> },
    Waiting { at: Option<Progress> },
    Failed { why: String },
}

impl State {
    fn of(line: &PlanLine, store: &Store) -> Self {
        // In this order: what is just being finished is running, then done.
        let holder = store.holder::<RunSpec>(&line.id);
        let at = Checkpoint::progress(&store.state(&line.id));
        match (store.named::<RunSpec>(&line.id), holder) {
            (Ok(Some(run)), _) => State::Done { note: run.diverged_at_step.map(|_| "diverged") },
            (_, Some(holder)) => State::Running { holder, at },
            (Err(error), None) => {
                State::Failed { why: store.failure::<RunSpec>(&line.id).unwrap_or_else(|| error.to_string()) }
            }
            (Ok(None), None) => match store.failure::<RunSpec>(&line.id) {
                Some(why) => State::Failed { why },
                None => State::Waiting { at },
            },
        }
    }

    fn told(&self, epochs: usize) -> String {
        let at = |at: &Option<Progress>| match at.map(|progress| progress.place) {
            None => String::new(),
            Some(Place { epochs: done, steps: 0 }) => format!(" after {done} of {epochs} epochs"),
            Some(Place { epochs: done, steps }) => format!(" after {done} of {epochs} epochs and {steps} steps"),
        };
        match self {
            State::Done { note } => note.map_or_else(|| "done".into(), |note| format!("done, {note}")),
            State::Running { holder, at: progress } => {
                format!("running{} (process {} on {})", at(progress), holder.pid, holder.host)
            }
            State::Waiting { at: progress } => format!("waiting{}", at(progress)),
            State::Failed { why } => format!("failed: {why}"),
        }
    }

    /// The part of it that is left.
    fn left(&self, epochs: usize) -> f64 {
        match self {
            State::Done { .. } => 0.0,
            State::Running { at: Some(progress), .. } | State::Waiting { at: Some(progress) } => {
                (1.0 - progress.epochs / epochs as f64).max(0.0)
            }
            _ => 1.0,
        }
    }
}

/// Prints a paragraph a plan, with a line a run.
pub fn status(args: StatusArgs) -> Result<()> {
    let store = Store::at(&args.results.results);
    for handed in chosen(&args)? {
        print(&told_of(&handed, &store))?;
    }
    Ok(())
}

fn told_of(handed: &Handed, store: &Store) -> String {
    let states: Vec<State> = handed.lines.iter().map(|line| State::of(line, store)).collect();
    let count = |is: fn(&State) -> bool| states.iter().filter(|state| is(state)).count();
    let running = count(|state| matches!(state, State::Running { .. }));
    let counts = format!(
        "{} done, {running} running, {} waiting, {} failed",
        count(|state| matches!(state, State::Done { .. })),
        count(|state| matches!(state, State::Waiting { .. })),
        count(|state| matches!(state, State::Failed { .. })),
    );
    let left = |(line, state): (&PlanLine, &State)| match state.left(line.spec.recipe.epochs) {
        0.0 => Some(0.0),
        part => line.seconds.map(|seconds| part * seconds),
    };
    let seconds: Option<f64> = handed.lines.iter().zip(&states).map(left).sum();
    let to_go = match seconds {
        Some(0.0) => String::new(),
        Some(seconds) => {
            format!("; about {} to go, {} at once", duration(seconds / running.max(1) as f64), running.max(1))
        }
        None => "; how long is not known".into(),
    };
    let queued = match handed.alive() {
        Ok(0) => String::new(),
        Ok(tasks) => {
            let words = handed.waits_for().unwrap_or_default().into_iter().collect::<Vec<_>>().join(", ");
            let why = if words.is_empty() { String::new() } else { format!(" (waiting for: {words})") };
            format!("; {tasks} tasks in the batch system{why}")
        }
        Err(error) => format!("; {error}"),
    };
    let line = |(line, state): (&PlanLine, &State)| {
        format!("\n  {}  {}: {}", line.id, line.title, state.told(line.spec.recipe.epochs))
    };
    let lines: String = handed.lines.iter().zip(&states).map(line).collect();
    format!("{}: {} runs: {counts}{to_go}{queued}{lines}", handed.name, states.len())
}

/// Ends the work on plans: jobs of batch systems, and processes of this machine as a signal ends them.
pub fn cancel(args: CancelArgs) -> Result<()> {
    let store = Store::at(&args.of.results.results);
    let (mut asked, mut works, mut failed) = (BTreeSet::new(), false, None);
    for handed in args.chosen(&store)? {
        // One batch system that cannot be asked keeps no other work alive.
        let tasks = handed.cancel().unwrap_or_else(|error| {
            say!("{}: {error}", handed.name);
            failed.get_or_insert(error);
            0
        });
        works |= tasks > 0;
        if tasks > 0 {
            say!("{}: ended {tasks} tasks of the batch system", handed.name);
        }
        for line in &handed.lines {
            let holder = store.holder::<RunSpec>(&line.id);
            works |= holder.is_some();
            match holder {
                Some(holder) if holder.is_here() && holder.pid > 0 && asked.insert(holder.pid) => {
                    interrupt::ask_to_end(holder.pid);
                    say!("{}: asked process {} to end; its state is kept", handed.name, holder.pid);
                }
                Some(holder) if tasks == 0 => {
                    say!(
                        "{}: process {} on {} works on {}; end it there",
                        handed.name,
                        holder.pid,
                        holder.host,
                        line.id
                    );
                }
                _ => {}
            }
        }
    }
    if !works && failed.is_none() {
        say!("nobody works on these plans");
    }
    failed.map_or(Ok(()), Err)
}

/// The plans that are named, or all that are kept.
fn chosen(args: &StatusArgs) -> Result<Vec<Handed>> {
    let kept = engine::all(&args.results.results)?;
    if args.plans.is_empty() {
        return match kept.is_empty() {
            true => Err(Error::Input(format!("there is no plan here; {NO_PLAN}"))),
            false => Ok(kept),
        };
    }
    let named = |name: &String| {
        let path = Path::new(name);
        let found: Vec<Handed> = if path.is_file() {
            let lines = plan::read(path)?;
            // Jobs are booked with the plan of these runs, if it was handed over.
            let same = |handed: &&Handed| plan::digest(&handed.lines) == plan::digest(&lines);
            let folder = kept.iter().find(same).map_or_else(PathBuf::new, |handed| handed.folder.clone());
            vec![Handed { name: name.clone(), folder, lines }]
        } else {
            kept.iter().filter(|handed| handed.name.starts_with(name.as_str())).cloned().collect()
        };
        match found.is_empty() {
            true => {
                let names: Vec<&str> = kept.iter().map(|handed| handed.name.as_str()).collect();
                let there = match names.is_empty() {
                    true => format!("there is none here: {NO_PLAN}"),
                    false => format!("there are {}", names.join(", ")),
                };
                Err(Error::Input(format!("`{name}` is no file and no plan's name; {there}")))
            }
            false => Ok(found),
        }
    };
    args.plans.iter().map(named).collect::<Result<Vec<_>>>().map(|all| all.into_iter().flatten().collect())
}
