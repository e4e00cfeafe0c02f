//! From the store to a report.

use super::args::SelectArgs;
use super::part::PartArgs;
use crate::error::{Error, Result};
use crate::experiment::{Choices, Plan, Sweep};
use crate::pool::Job;
use crate::record::RunResult;
use crate::report::paths::{Paths, kind_of_source};
use crate::report::place::variant;
use crate::report::{Cell, Report};
use crate::run::macs_of_bp;
use crate::spec::{Request, RunSpec};
use crate::store::Store;
use datasets::LoadOptions;
use std::collections::HashSet;

/// Finds runs that are done.
pub struct Finder<'a> {
    pub store: &'a Store,
    /// Whether those of earlier numerics stand in for missing ones.
    pub older: bool,
}

impl Finder<'_> {
    fn of(&self, spec: &RunSpec, numerics: u32) -> Result<Option<RunResult>> {
        self.store.named::<RunSpec>(&spec.id_under(numerics))
    }

    /// The version of the numerics that a cell of the runs `specs` shows: the newest of which it has any, since a mean
    /// over several would be of none; this program's where it has none.
    fn version<'s>(&self, specs: impl Iterator<Item = &'s RunSpec> + Clone) -> u32 {
        let present = specs.clone().next().map_or(1, RunSpec::numerics);
        if !self.older {
            return present;
        }
        let any = |numerics: &u32| specs.clone().any(|spec| !matches!(self.of(spec, *numerics), Ok(None)));
        (1..=present).rev().find(any).unwrap_or(present)
    }

    /// The runs of one cell, and what is wrong with others.
    fn cell(&self, specs: &[RunSpec]) -> (Vec<RunResult>, Vec<Error>) {
        let Some(last) = specs.last() else { return (Vec::new(), Vec::new()) };
        let numerics = self.version(specs.iter());
        let (mut runs, mut errors) = (Vec::new(), Vec::new());
        for spec in specs {
            match self.of(spec, numerics) {
                Ok(run) => runs.extend(run),
                Err(error) => errors.push(error),
            }
        }
        // Fewer seeds asked for take nothing away.
        let further = (last.seed + 1..).map_while(|seed| self.of(&last.with_seed(seed), numerics).ok().flatten());
        runs.extend(further);
        (runs, errors)
    }

    /// Those of `jobs` that are not done, by what their cells show.
    pub fn left(&self, jobs: &[Job<RunSpec>]) -> Vec<Job<RunSpec>> {
        let cells: Vec<RunSpec> = jobs.iter().map(|job| job.request.with_seed(0)).collect();
        let is_left = |(job, cell): &(&Job<RunSpec>, &RunSpec)| {
            let seeds = jobs.iter().zip(&cells).filter(|(_, other)| other == cell).map(|(job, _)| &job.request);
            // One whose result cannot be used is set aside by the run itself, which then makes it again.
            !matches!(self.of(&job.request, self.version(seeds)), Ok(Some(_)))
        };
        jobs.iter().zip(&cells).filter(is_left).map(|(job, _)| job.clone()).collect()
    }

    /// Those of the `part` of `jobs` that a pool is given, which passes over what is done. The part is one of all runs,
    /// done or not, so that machines that start at other times share alike; what runs of earlier numerics stand in for
    /// is not among those that are `left`, and is not made.
    pub fn given(&self, part: PartArgs, jobs: &[Job<RunSpec>], left: &[Job<RunSpec>]) -> Vec<Job<RunSpec>> {
        let mut part = part.of(jobs);
        if self.older {
            let left: HashSet<String> = left.iter().map(|job| job.request.id()).collect();
            part.retain(|job| left.contains(&job.request.id()));
        }
        part
    }
}

/// The report of all runs that can be read, and what is wrong with the others.
pub fn report(
    plan: Plan,
    choices: &Choices,
    words: &str,
    args: &SelectArgs,
    finder: &Finder,
    options: &LoadOptions,
) -> (Report, Vec<String>) {
    let paths = Paths::of(options, &args.results.results);
    let mut unread = Vec::new();
    let mut cells = Vec::new();
    for cell in plan.cells {
        let (mut runs, errors) = finder.cell(&cell.specs);
        unread.extend(errors.into_iter().map(|error| format!("  {error}")));
        for run in &mut runs {
            // Where the data lay on the machine is nobody's business; an older record lacks BP's work.
            run.data.source = kind_of_source(&run.data.source).to_string();
            run.bp_macs = run.bp_macs.or_else(|| macs_of_bp(&run.spec).ok());
        }
        let missing = cell.missing.map(|why| paths.told(&why));
        let missing = missing.or_else(|| runs.is_empty().then(|| "no run of this cell has finished".to_string()));
        cells.push(Cell { missing, runs, quoted: cell.quoted, authors: cell.authors });
    }
    let experiment = plan.experiment;
    let reference = experiment.reference();
    let variant = variant(Some(choices.profile.name()), choices.device, choices.epochs);
    let swept = experiment.sweep.as_ref().map_or_else(Vec::new, Sweep::parameters);
    let labels: Vec<&str> = swept.iter().map(|parameter| parameter.label.as_str()).collect();
    let report = Report {
        command: command(experiment.kind.subcommand(), words, choices, args),
        title: experiment.title,
        notes: experiment.notes,
        reading: experiment.reading.get(&variant).cloned().unwrap_or_default(),
        profile: choices.profile.name().to_string(),
        variant,
        row_axis: "rule".into(),
        column_axis: if labels.is_empty() { "data set".into() } else { labels.join(", ") },
        swept,
        reference,
        rows: experiment.rows.iter().map(|row| row.label.clone()).collect(),
        name: experiment.name,
        columns: plan.columns,
        cells,
    };
    (report, unread)
}

/// What makes the same page again.
fn command(kind: &str, words: &str, choices: &Choices, args: &SelectArgs) -> String {
    let rows: String = args.rows.iter().map(|row| format!(" --row '{row}'")).collect();
    format!(
        "harness {kind} {words} --profile {} --device {}{}{}{}{}{rows}",
        choices.profile.name(),
        choices.device,
        choices.seeds.map_or(String::new(), |n| format!(" --seeds {n}")),
        choices.epochs.map_or(String::new(), |n| format!(" --epochs {n}")),
        if args.data.allow_unverified { " --allow-unverified" } else { "" },
        if args.older { " --older" } else { "" },
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::example;

    #[test]
    fn a_cell_shows_one_version_and_lacks_what_that_version_lacks() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let specs = [0, 1].map(|seed| example::run(seed, 98.0).spec);
        let (present, jobs) =
            (specs[0].numerics(), specs.clone().map(|request| Job { title: String::new(), request, need: None }));
        let put = |seed: usize, numerics: u32| {
            let (spec, run_id) = (specs[seed].clone(), specs[seed].id_under(numerics));
            let run = RunResult { numerics, spec, run_id: run_id.clone(), ..example::run(seed as u64, 98.0) };
            store.lock::<RunSpec>(&run_id, || {}).unwrap().finish(&run).unwrap();
        };
        let seen = |older: bool| {
            let finder = Finder { store: &store, older };
            let (runs, errors) = finder.cell(&specs);
            assert!(errors.is_empty());
            let shown: Vec<(u64, u32)> = runs.iter().map(|run| (run.spec.seed, run.numerics)).collect();
            (shown, finder.left(&jobs).iter().map(|job| job.request.seed).collect::<Vec<_>>())
        };
        assert_eq!(seen(true), (vec![], vec![0, 1]));
        put(0, present - 1);
        put(1, present - 1);
        assert_eq!(seen(true), (vec![(0, present - 1), (1, present - 1)], vec![]));
        assert_eq!(seen(false), (vec![], vec![0, 1]));
        let given = |older: bool, shard: &str| {
            let finder = Finder { store: &store, older };
            let given = finder.given(PartArgs::shard(shard), &jobs, &finder.left(&jobs));
            given.iter().map(|job| job.request.seed).collect::<Vec<_>>()
        };
        assert_eq!([given(true, "2/2"), given(false, "2/2")], [vec![], vec![1]]);
        // A mean over a new seed and an old one would be of neither.
        put(0, present);
        assert_eq!(seen(true), (vec![(0, present)], vec![1]));
        assert_eq!([given(true, "1/2"), given(true, "2/2")], [vec![], vec![1]]);
    }
}
