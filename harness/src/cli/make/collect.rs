//! From the store to a report.

use super::SelectArgs;
use crate::error::{Error, Result};
use crate::experiment::{Choices, Plan, Sweep};
use crate::pool::Job;
use crate::record::RunResult;
use crate::report::paths::{Paths, kind_of_source};
use crate::report::place::variant;
use crate::report::{Cell, Report};
use crate::run::macs_of_bp;
use crate::spec::RunSpec;
use crate::store::Store;
use datasets::LoadOptions;

/// Finds runs that are done.
pub struct Finder<'a> {
    pub store: &'a Store,
    /// Whether those of earlier numerics stand in for missing ones.
    pub older: bool,
}

impl Finder<'_> {
    /// Finished runs of `spec`, those of the newest version of the numerics that there are.
    fn find(&self, spec: &RunSpec) -> Result<Option<RunResult>> {
        let found =
            self.versions(spec).map(|numerics| self.of(spec, numerics)).find(|found| !matches!(found, Ok(None)));
        found.unwrap_or(Ok(None))
    }

    fn of(&self, spec: &RunSpec, numerics: u32) -> Result<Option<RunResult>> {
        self.store.named::<RunSpec>(&spec.id_under(numerics))
    }

    /// The versions that are looked for, newest first.
    fn versions(&self, spec: &RunSpec) -> impl Iterator<Item = u32> + use<> {
        let present = spec.numerics();
        (if self.older { 1 } else { present }..=present).rev()
    }

    /// The runs of one cell and what is wrong with others: all of one version, the newest of which there are any, since
    /// a mean over several would be of none.
    fn cell(&self, specs: &[RunSpec]) -> (Vec<RunResult>, Vec<Error>) {
        let Some(first) = specs.first() else { return (Vec::new(), Vec::new()) };
        for numerics in self.versions(first) {
            let found: Vec<_> = specs.iter().map(|spec| self.of(spec, numerics)).collect();
            let (runs, errors): (Vec<_>, Vec<_>) = found.into_iter().partition(Result::is_ok);
            let mut runs: Vec<RunResult> = runs.into_iter().filter_map(Result::ok).flatten().collect();
            let errors: Vec<Error> = errors.into_iter().filter_map(Result::err).collect();
            if !runs.is_empty() || !errors.is_empty() {
                // Fewer seeds asked for take nothing away.
                let last = specs.last().expect("there is a first");
                let next = |seed| RunSpec { seed, ..last.clone() };
                runs.extend((last.seed + 1..).map_while(|seed| self.of(&next(seed), numerics).ok().flatten()));
                return (runs, errors);
            }
        }
        (Vec::new(), Vec::new())
    }

    /// Those of `jobs` that are not done.
    pub fn left(&self, jobs: &[Job<RunSpec>]) -> Vec<Job<RunSpec>> {
        // One whose result cannot be used is set aside by the run itself, which then makes it again.
        jobs.iter().filter(|job| !matches!(self.find(&job.request), Ok(Some(_)))).cloned().collect()
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
