//! Runs from a Parquet file that a table left: those written today have each run's whole record; those of before have
//! its columns, from which all but curves and unit accuracies comes back.

use super::file;
use crate::error::{Error, Result};
use crate::record::{DataInfo, EpochDiagnostics, LayerDiagnostics, PeakBytes, Provenance, RunResult, stamp};
use crate::spec::{DeviceName, Request, RunSpec};
use polars::prelude::DataFrame;
use sll_core::memory::{ByCategory, StepBytes};
use sll_core::posterior::{Affinity, UnitPosterior};
use sll_core::rule::StepCost;
use std::collections::BTreeSet;
use std::path::Path;

/// The runs in the file at `path`, and what is wrong with the others.
///
/// # Errors
/// Where the file cannot be read as Parquet, or has no runs.
pub fn read_runs(path: &Path) -> Result<(Vec<RunResult>, Vec<String>)> {
    let (mut runs, wrong) = each_row(&frame_of_runs(path)?, |row| row.run());
    with_layers(&mut runs, path)?;
    Ok((runs, wrong))
}

/// What `read` makes of the rows, and what is wrong with the others.
fn each_row<T>(frame: &DataFrame, read: impl Fn(&FrameRow) -> std::result::Result<T, String>) -> (Vec<T>, Vec<String>) {
    let (mut found, mut wrong) = (Vec::new(), Vec::new());
    for index in 0..frame.height() {
        let row = FrameRow { frame, index };
        match read(&row) {
            Ok(value) => found.push(value),
            Err(why) => wrong.push(format!("run {}: {why}", row.text("run_id").unwrap_or_default())),
        }
    }
    (found, wrong)
}

/// The table in the file at `path`, which is one of runs.
fn frame_of_runs(path: &Path) -> Result<DataFrame> {
    let frame = file::read(path)?;
    let next = "name the `runs.parquet` of a table or sweep";
    match is_of_runs(&frame) {
        true => Ok(frame),
        false => Err(Error::Input(format!(
            "{} has no runs: it lacks the columns `run_id` and `spec`; {next}",
            path.display()
        ))),
    }
}

/// A run in its place in a table or sweep.
#[derive(Clone, Debug)]
pub struct LabelledRun {
    /// Its row's label.
    pub row: String,
    /// Its column's label.
    pub column: String,
    /// The swept value, where that is one number.
    pub value: Option<f64>,
    /// The run.
    pub run: RunResult,
}

impl LabelledRun {
    /// Whether it stands in the column `label`, which a smaller network's sizes may follow in brackets.
    pub fn is_of(&self, label: &str) -> bool {
        self.column.strip_prefix(label).is_some_and(|rest| rest.is_empty() || rest.starts_with(" ("))
    }
}

/// The runs of the page in `folder` in their places; none where it is no page of runs. Those that cannot be read are
/// left out, and told to `say`.
pub fn read_labelled(folder: &Path, say: &mut dyn FnMut(&str)) -> Result<Vec<LabelledRun>> {
    let path = folder.join("runs.parquet");
    if !path.is_file() {
        return Ok(Vec::new());
    }
    let (runs, wrong) = each_row(&frame_of_runs(&path)?, |row| {
        let place = |name| row.text(name).ok_or_else(|| format!("it has no `{name}`"));
        Ok(LabelledRun { row: place("row")?, column: place("column")?, value: row.number("value"), run: row.run()? })
    });
    if let Some(first) = wrong.first() {
        let all = wrong.len() + runs.len();
        say(&format!("{}: {} of {all} runs cannot be read and are left out; {first}", path.display(), wrong.len()));
    }
    Ok(runs)
}

/// Adds what was measured of each layer, which files of before have beside them: `x.layers.parquet` beside `x.parquet`.
fn with_layers(runs: &mut [RunResult], path: &Path) -> Result<()> {
    let beside = path.with_extension("layers.parquet");
    let lacking = |run: &&mut RunResult| run.spec.recipe.diagnostics && run.diagnostics.is_empty();
    if !beside.exists() || !runs.iter_mut().any(|run| lacking(&run)) {
        return Ok(());
    }
    let frame = file::read(&beside)?;
    for run in runs.iter_mut().filter(lacking) {
        let rows = (0..frame.height()).map(|index| FrameRow { frame: &frame, index });
        for row in rows.filter(|row| row.text("run_id").as_ref() == Some(&run.run_id)) {
            let epoch = row.count("epoch").unwrap_or(0) as usize;
            if run.diagnostics.last().is_none_or(|last| last.epoch != epoch) {
                let seconds = row.number("diagnostics_seconds").unwrap_or(0.0);
                run.diagnostics.push(EpochDiagnostics { epoch, seconds, layers: Vec::new() });
            }
            run.diagnostics.last_mut().expect("just pushed").layers.push(row.layer());
        }
    }
    Ok(())
}

/// Whether the file at `path` has whole runs.
pub fn has_runs(path: &Path) -> Result<bool> {
    file::read(path).map(|frame| is_of_runs(&frame))
}

fn is_of_runs(frame: &DataFrame) -> bool {
    frame.column("run_id").is_ok() && frame.column("spec").is_ok()
}

/// The stamps ([`crate::record::stamp`]) of the runs in the file at `path`; none where there is no file.
pub fn read_stamps(path: &Path) -> Result<BTreeSet<String>> {
    stamps(path, "run_id", "seconds")
}

/// The stamps of records whose names and seconds stand in the columns `name` and `seconds` of the file at `path`.
pub(crate) fn stamps(path: &Path, name: &str, seconds: &str) -> Result<BTreeSet<String>> {
    if !path.exists() {
        return Ok(BTreeSet::new());
    }
    let frame = file::read(path)?;
    let of = |row: FrameRow| Some(stamp(&row.text(name)?, row.count("finished_unix")?, row.number(seconds)?));
    Ok((0..frame.height()).filter_map(|index| of(FrameRow { frame: &frame, index })).collect())
}

/// The column of what the library keeps, and its name in files of before.
const LIBRARY: (&str, &str) = ("library_bytes", "workspace_bytes");

/// A row of a table that was read.
pub(crate) struct FrameRow<'a> {
    /// The table.
    pub frame: &'a DataFrame,
    /// Which of its rows.
    pub index: usize,
}

impl FrameRow<'_> {
    /// A word, where the column has one.
    pub fn text(&self, column: &str) -> Option<String> {
        self.frame.column(column).ok()?.str().ok()?.get(self.index).map(String::from)
    }

    /// A number, where the column has one.
    pub fn number(&self, column: &str) -> Option<f64> {
        self.frame.column(column).ok()?.get(self.index).ok()?.extract()
    }

    /// A count, where the column has one.
    pub fn count(&self, column: &str) -> Option<u64> {
        self.frame.column(column).ok()?.get(self.index).ok()?.extract()
    }

    /// Bytes by category, each in its column behind `prefix`, where they add up to `total`. A category of later than
    /// the file has no column in it, and no bytes.
    pub fn bytes<B: ByCategory>(&self, prefix: &str, total: u64) -> Option<B> {
        let mut sum = 0;
        let bytes = B::of_each(|category| {
            let column = format!("{prefix}{}", category.column);
            let before = || (column == LIBRARY.0).then(|| self.count(LIBRARY.1)).flatten();
            let bytes = self.count(&column).or_else(before).unwrap_or(0);
            sum += bytes;
            bytes
        });
        (sum == total).then_some(bytes)
    }

    /// Yes or no, where the column has one.
    pub fn flag(&self, column: &str) -> Option<bool> {
        self.frame.column(column).ok()?.bool().ok()?.get(self.index)
    }

    /// The run, which must have the name that its spec gives it.
    fn run(&self) -> std::result::Result<RunResult, String> {
        let run = match self.text("record") {
            Some(record) => serde_json::from_str(&record).map_err(|e| format!("its record cannot be read: {e}"))?,
            None => self.of_columns()?,
        };
        match RunSpec::names(&run) {
            (told, spec) if told == spec => Ok(run),
            (told, spec) => Err(format!("it is called {told} and has {spec}'s spec")),
        }
    }

    fn layer(&self) -> LayerDiagnostics {
        let affinity = || {
            Some(Affinity {
                coefficient: self.number("bhattacharyya")?,
                surrogate: self.number("divergence_surrogate")?,
                kl: self.number("divergence_kl")?,
            })
        };
        let posterior = || {
            let (log_likelihood, accuracy) = (self.number("log_likelihood")?, self.number("accuracy")?);
            Some(UnitPosterior { log_likelihood, accuracy, parent: affinity() })
        };
        LayerDiagnostics {
            name: self.text("layer_name").unwrap_or_default(),
            angle: self.number("angle_to_bp_degrees"),
            posterior: posterior(),
        }
    }

    /// Where and with what a run or a measurement was made, on `device`, or which column is missing.
    pub fn provenance(&self, device: DeviceName) -> std::result::Result<Provenance, String> {
        let lacks = |column: &str| format!("it has no `{column}`");
        let text = |column: &str| self.text(column).ok_or_else(|| lacks(column));
        let count = |column: &str| self.count(column).ok_or_else(|| lacks(column));
        Ok(Provenance {
            device,
            hardware: text("hardware")?,
            threads: count("threads")? as usize,
            harness: text("harness")?,
            backend: text("backend")?,
            memory_definition: text("memory_definition")?,
            finished_unix: count("finished_unix")?,
        })
    }

    fn of_columns(&self) -> std::result::Result<RunResult, String> {
        let lacks = |column: &str| format!("it has no `{column}`");
        let text = |column: &str| self.text(column).ok_or_else(|| lacks(column));
        let number = |column: &str| self.number(column).ok_or_else(|| lacks(column));
        let count = |column: &str| self.count(column).ok_or_else(|| lacks(column));
        let run_id = text("run_id")?;
        let spec = RunSpec::from_toml(&text("spec")?, "its spec").map_err(|e| e.to_string())?;
        let numerics = (1..=spec.numerics()).rev().find(|numerics| spec.id_under(*numerics) == run_id);
        let numerics = numerics.ok_or("its spec has another form today, so that no version's name is its own")?;
        let (step_peak, total) = (count("step_peak_bytes")?, count("total_bytes")?);
        let standing = total.checked_sub(step_peak).and_then(|standing| self.bytes("", standing));
        let run = RunResult {
            run_id,
            numerics,
            test_accuracy: self.number("test_accuracy"),
            best_test_accuracy: self.number("best_test_accuracy"),
            evaluated_on: text("evaluated_on")?,
            epochs: count("epochs")? as usize,
            seconds: number("seconds")?,
            diverged_at_step: self.count("diverged_at_step"),
            parameters: count("parameters")?,
            macs: StepCost {
                forward: count("macs_forward")?,
                backward: count("macs_backward")?,
                rule: count("macs_rule")?,
            },
            bp_macs: self.count("bp_macs"),
            peak_bytes: PeakBytes {
                standing: standing.ok_or("its bytes by category are not `total_bytes` less `step_peak_bytes`")?,
                step_peak,
                step: StepBytes::default(),
                total,
            },
            curve: Vec::new(),
            unit_accuracy: Vec::new(),
            diagnostics: Vec::new(),
            representations: Vec::new(),
            picture: None,
            pipeline: None,
            data: DataInfo {
                name: spec.dataset.clone(),
                digest: text("data_digest")?,
                verified: self.flag("data_verified").ok_or_else(|| lacks("data_verified"))?,
                source: self.text("data_source").unwrap_or_default(),
                train: count("train_images")? as usize,
                test: count("evaluated_images")? as usize,
            },
            provenance: self.provenance(spec.device)?,
            spec,
        };
        match run.test_accuracy.is_none() && run.diverged_at_step.is_none() {
            true => Err(lacks("test_accuracy")),
            false => Ok(run.without_accuracy_if_diverged()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{Report, example, parquet};

    #[test]
    fn runs_come_back_whole_with_their_curves_and_layers() {
        for report in [example::table(), example::measured()] {
            let dir = tempfile::tempdir().unwrap();
            let paths = parquet::write(&report, dir.path()).unwrap();
            let (runs, wrong) = read_runs(&paths[0]).unwrap();
            assert_eq!((runs, wrong), (report.runs().cloned().collect(), vec![]));
            assert_eq!(read_stamps(&paths[0]).unwrap(), report.runs().map(RunResult::stamp).collect());
            let error = read_runs(&paths[1]).unwrap_err().to_string();
            assert!(error.contains("cells.parquet has no runs"), "{error}");
        }
    }

    #[test]
    fn a_file_of_before_gives_its_numbers_and_the_version_that_made_them() {
        let run = example::run(0, 98.0);
        let old = RunResult { run_id: run.spec.id_under(3), ..run.clone() };
        let report = |run: RunResult| {
            let mut report = Report { cells: vec![], ..example::table() };
            report.cells = (0..4).map(|_| Default::default()).collect();
            report.cells[0].runs = vec![run];
            report
        };
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("old.parquet");
        let columns = super::super::runs(&report(old));
        let columns = columns.into_iter().filter(|column| !["record", "numerics"].contains(&column.name().as_str()));
        file::write(&path, columns.collect()).unwrap();
        let (runs, wrong) = read_runs(&path).unwrap();
        assert_eq!((runs.len(), wrong), (1, vec![]));
        let found = &runs[0];
        assert_eq!((found.numerics, found.run_id.clone()), (3, run.spec.id_under(3)));
        assert_eq!((found.test_accuracy, found.macs, found.bp_macs), (run.test_accuracy, run.macs, run.bp_macs));
        assert_eq!((&found.provenance, &found.spec), (&run.provenance, &run.spec));
        assert_eq!(found.peak_bytes, run.peak_bytes);
    }

    #[test]
    fn layers_beside_a_file_of_before_come_back_too() {
        let mut report = example::measured();
        for run in report.cells.iter_mut().flat_map(|cell| &mut cell.runs) {
            run.spec.recipe.diagnostics = true;
            run.run_id = run.spec.id();
        }
        // BP and SLL of one seed have one spec in the example.
        report.cells.remove(0);
        report.rows.remove(0);
        let dir = tempfile::tempdir().unwrap();
        let paths = parquet::write(&report, dir.path()).unwrap();
        let columns = super::super::runs(&report).into_iter();
        let path = dir.path().join("old.parquet");
        file::write(&path, columns.filter(|column| column.name() != "record").collect()).unwrap();
        std::fs::rename(&paths[3], dir.path().join("old.layers.parquet")).unwrap();
        let (runs, _) = read_runs(&path).unwrap();
        for (found, run) in runs.iter().zip(report.runs()) {
            assert_eq!(found.diagnostics, run.diagnostics);
        }
    }

    #[test]
    fn what_is_no_parquet_and_what_has_another_spec_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.parquet");
        std::fs::write(&path, "no Parquet").unwrap();
        assert!(read_runs(&path).unwrap_err().to_string().contains("x.parquet"));
        let mut report = example::table();
        report.cells[0].runs[1].spec.seed = 99;
        let paths = parquet::write(&report, dir.path()).unwrap();
        let (runs, wrong) = read_runs(&paths[0]).unwrap();
        assert_eq!(runs.len(), 5);
        assert!(wrong.len() == 1 && wrong[0].contains("spec"), "{wrong:?}");
        let mut told = Vec::new();
        let labelled = read_labelled(dir.path(), &mut |sentence| told.push(sentence.to_string())).unwrap();
        assert!(labelled.iter().map(|run| &run.run).eq(&runs));
        let start = format!("{}: 1 of 6 runs cannot be read and are left out; {}", paths[0].display(), wrong[0]);
        assert_eq!(told, [start]);
    }
}
