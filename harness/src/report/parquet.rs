//! A report as Parquet: every run in one file, every cell in another, and every layer in a third where it was measured.

mod columns;
mod curves;
pub(crate) mod file;
mod layers;
mod read;
mod representations;

pub(crate) use columns::Columns;
pub use curves::read as read_curves;
pub(crate) use read::FrameRow;
pub(crate) use read::stamps;
pub use read::{LabelledRun, has_runs, read_labelled, read_runs, read_stamps};

use super::stats::{Aggregate, CellStats, half_width_95};
use super::{Cell, Report, curves::of_report as curve_rows, distinct};
use crate::atomic::write_atomically;
use crate::error::Result;
use crate::experiment::PlannedColumn;
use crate::record::{RunResult, facts};
use crate::spec::Request;
use polars::prelude::{AnyValue, Column};
use std::path::{Path, PathBuf};

/// Writes `runs.parquet`, a row a run, `cells.parquet`, a row a cell, `curves.parquet`, a row a run and epoch, and of
/// runs with diagnostics `layers.parquet`, of those with representations `representations.parquet`, a row a run, epoch
/// and layer; says where they are.
pub fn write(report: &Report, dir: &Path) -> Result<Vec<PathBuf>> {
    let measured = report.runs().any(|run| !run.diagnostics.is_empty());
    let represented = report.runs().any(|run| !run.representations.is_empty());
    let files = [("runs", runs(report)), ("cells", cells(report)), ("curves", curves::columns(&curve_rows(report)))]
        .into_iter();
    files
        .chain(measured.then(|| ("layers", layers::columns(report))))
        .chain(represented.then(|| ("representations", representations::columns(report))))
        .map(|(name, columns)| file::write(&dir.join(format!("{name}.parquet")), columns))
        .collect()
}

/// Writes runs of any experiment to the Parquet file at `path`, a row each.
pub fn write_runs(runs: &[RunResult], path: &Path) -> Result<()> {
    let items: Vec<&RunResult> = runs.iter().collect();
    let columns = Columns::of(&items);
    file::write(path, run_columns(columns, |run| *run).columns).map(|_| ())
}

/// Writes the numbers and settings of runs to the CSV file at `path`, a line each; not their specs and whole records.
pub fn write_csv(runs: &[RunResult], path: &Path) -> Result<()> {
    let items: Vec<&RunResult> = runs.iter().collect();
    let columns = run_columns(Columns::of(&items), |run| *run).columns;
    let columns: Vec<&Column> =
        columns.iter().filter(|column| !["spec", "record"].contains(&column.name().as_str())).collect();
    let mut text = columns.iter().map(|column| column.name().to_string()).collect::<Vec<_>>().join(",") + "\n";
    for index in 0..runs.len() {
        let cells = columns.iter().map(|column| csv_cell(column, index));
        text += &(cells.collect::<Vec<_>>().join(",") + "\n");
    }
    write_atomically(path, text.as_bytes())
}

/// A value as RFC 4180 has it: in quotes where it has a comma, a quote or a line's end; empty where there is none.
fn csv_cell(column: &Column, index: usize) -> String {
    let text = match column.str() {
        Ok(texts) => texts.get(index).unwrap_or_default().to_string(),
        Err(_) => match column.get(index) {
            Ok(AnyValue::Null) | Err(_) => String::new(),
            Ok(value) => value.to_string(),
        },
    };
    match text.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text,
    }
}

struct RunRow<'a> {
    row: &'a str,
    column: &'a PlannedColumn,
    run: &'a RunResult,
}

fn run_rows(report: &Report) -> Vec<RunRow<'_>> {
    let rows = report.each().flat_map(|(row, column, cell)| {
        let place = move |run| RunRow { row: &report.rows[row], column: &report.columns[column], run };
        cell.runs.iter().map(place)
    });
    rows.collect()
}

fn runs(report: &Report) -> Vec<Column> {
    let items = run_rows(report);
    let columns = Columns::of(&items)
        .add("table", |_| report.name.clone())
        .add("row", |r| r.row.to_string())
        .add("column", |r| r.column.label.clone())
        .add("value", |r| r.column.number())
        .add("profile", |_| report.profile.clone());
    run_columns(columns, |r| r.run).columns
}

/// All that is known of a run.
fn run_columns<'a, T>(columns: Columns<'a, T>, of: impl Fn(&T) -> &RunResult) -> Columns<'a, T> {
    columns
        .add("rule", |item| of(item).spec.rule.name().to_string())
        .add("run_id", |item| of(item).run_id.clone())
        .add("numerics", |item| u64::from(of(item).numerics))
        .add("dataset", |item| of(item).spec.dataset.clone())
        .add("seed", |item| of(item).spec.seed)
        .add("epochs", |item| of(item).epochs as u64)
        .add("test_accuracy", |item| of(item).test_accuracy)
        .add("best_test_accuracy", |item| of(item).best_test_accuracy)
        .add("evaluated_on", |item| of(item).evaluated_on.clone())
        .add("seconds", |item| of(item).seconds)
        .add("diverged_at_step", |item| of(item).diverged_at_step)
        .add("parameters", |item| of(item).parameters)
        .add("macs_total", |item| of(item).macs.total())
        .add("macs_forward", |item| of(item).macs.forward)
        .add("macs_backward", |item| of(item).macs.backward)
        .add("macs_rule", |item| of(item).macs.rule)
        .add("bp_macs", |item| of(item).bp_macs)
        .add_bytes("", |item| Some(of(item).peak_bytes.standing))
        .add("step_peak_bytes", |item| of(item).peak_bytes.step_peak)
        .add("total_bytes", |item| of(item).peak_bytes.total)
        .add("memory_definition", |item| of(item).provenance.memory_definition.clone())
        .add_facts(|item| facts::all(&of(item).spec))
        .add("train_images", |item| of(item).data.train as u64)
        .add("evaluated_images", |item| of(item).data.test as u64)
        .add("data_digest", |item| of(item).data.digest.clone())
        .add("data_verified", |item| of(item).data.verified)
        .add("data_source", |item| of(item).data.source.clone())
        .add("device", |item| of(item).provenance.device.to_string())
        .add("hardware", |item| of(item).provenance.hardware.clone())
        .add("threads", |item| of(item).provenance.threads as u64)
        .add("pipeline_workers", |item| of(item).pipeline.as_ref().map(|pipeline| pipeline.workers as u64))
        .add("pipeline_step_peak_bytes", |item| of(item).pipeline.as_ref().map(|pipeline| pipeline.step_peak))
        .add("harness", |item| of(item).provenance.harness.clone())
        .add("backend", |item| of(item).provenance.backend.clone())
        .add("finished_unix", |item| of(item).provenance.finished_unix)
        .add("spec", |item| of(item).spec.to_toml())
        .add("record", |item| serde_json::to_string(of(item)).expect("plain data"))
}

struct CellRow<'a> {
    row: &'a str,
    column: &'a PlannedColumn,
    cell: &'a Cell,
    stats: CellStats,
}

impl CellRow<'_> {
    fn mean(&self, value: impl Fn(&RunResult) -> u64) -> Option<f64> {
        self.cell.aggregate(|run| value(run) as f64).map(|a| a.mean)
    }

    fn distinct(&self, name: impl Fn(&RunResult) -> String) -> Option<String> {
        (!self.cell.runs.is_empty()).then(|| distinct(&self.cell.runs, name))
    }
}

fn cells(report: &Report) -> Vec<Column> {
    let items: Vec<CellRow> = report
        .each()
        .map(|(row, column, cell)| CellRow {
            row: &report.rows[row],
            column: &report.columns[column],
            cell,
            stats: CellStats::of(cell),
        })
        .collect();
    let mean = |aggregate: Option<Aggregate>| aggregate.map(|a| a.mean);
    Columns::of(&items)
        .add("table", |_| report.name.clone())
        .add("row", |r| r.row.to_string())
        .add("column", |r| r.column.label.clone())
        .add("value", |r| r.column.number())
        .add("n", |r| r.stats.n() as u64)
        .add("mean", |r| mean(r.stats.accuracy))
        .add("std", |r| r.stats.accuracy.and_then(|a| a.std))
        .add("half_width_95", |r| half_width_95(&r.cell.accuracies()))
        .add("best_mean", |r| mean(r.stats.best))
        .add("best_std", |r| r.stats.best.and_then(|a| a.std))
        .add("diverged", |r| r.stats.diverged as u64)
        .add("quoted_mean", |r| r.cell.quoted.as_ref().map(|q| q.mean))
        .add("quoted_std", |r| r.cell.quoted.as_ref().and_then(|q| q.std))
        .add("quoted_network", |r| r.cell.quoted.as_ref().map(|q| q.network.clone()))
        .add("quoted_note", |r| r.cell.quoted.as_ref().and_then(|q| q.note.clone()))
        .add("verdict", |r| r.cell.verdict().map(|verdict| verdict.to_string()))
        .add("missing", |r| r.cell.missing.clone())
        .add("evaluated_on", |r| r.distinct(|run| run.evaluated_on.clone()))
        .add("parameters", |r| r.cell.runs.first().map(|run| run.parameters))
        .add("macs_total", |r| r.cell.runs.first().map(|run| run.macs.total()))
        .add("epochs", |r| r.cell.runs.first().map(|run| run.epochs as u64))
        .add("step_peak_mean", |r| r.mean(|run| run.peak_bytes.step_peak))
        .add("total_bytes_mean", |r| r.mean(|run| run.peak_bytes.total))
        .add("seconds_mean", |r| mean(r.cell.aggregate(|run| run.seconds)))
        .add("data_digest", |r| r.distinct(|run| run.data.digest.clone()))
        .add("verified", |r| (!r.cell.runs.is_empty()).then(|| r.cell.runs.iter().all(|run| run.data.verified)))
        .add("profile", |_| report.profile.clone())
        .add("device", |r| r.distinct(|run| run.provenance.device.to_string()))
        .add("seeds", |r| r.distinct(|run| run.spec.seed.to_string()))
        .columns
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::example;
    use polars::prelude::{DataFrame, DataType};

    fn written(report: &Report) -> Vec<DataFrame> {
        let dir = tempfile::tempdir().unwrap();
        let paths = write(report, dir.path()).unwrap();
        assert!(paths[0].ends_with("runs.parquet") && paths[1].ends_with("cells.parquet"), "{paths:?}");
        paths.iter().map(|path| file::read(path).unwrap()).collect()
    }

    fn number(frame: &DataFrame, column: &str, row: usize) -> Option<f64> {
        frame.column(column).unwrap().cast(&DataType::Float64).unwrap().f64().unwrap().get(row)
    }

    fn text(frame: &DataFrame, column: &str, row: usize) -> Option<String> {
        frame.column(column).unwrap().str().unwrap().get(row).map(str::to_string)
    }

    #[test]
    fn runs_and_cells_are_read_back_as_they_were() {
        let frames = written(&example::table());
        let (runs, cells) = (&frames[0], &frames[1]);
        assert_eq!((runs.height(), cells.height()), (6, 4));
        assert_eq!((number(runs, "test_accuracy", 1), number(runs, "test_accuracy", 5)), (Some(98.4), None));
        assert_eq!(number(runs, "seed", 2), Some(2.0));
        assert_eq!(number(runs, "macs_total", 0), Some(3_214_400.0));
        assert_eq!((number(runs, "diverged_at_step", 0), number(runs, "diverged_at_step", 5)), (None, Some(7.0)));
        assert_eq!((number(runs, "value", 0), number(runs, "depth", 0)), (None, None));
        assert_eq!(text(runs, "optimizer", 0).unwrap(), "adamax");
        assert!(text(runs, "spec", 0).unwrap().contains("mnist-sample"));
        assert_eq!((number(cells, "n", 1), number(cells, "diverged", 1)), (Some(2.0), Some(1.0)));
        assert_eq!((number(cells, "mean", 1), number(cells, "best_mean", 1)), (Some(30.5), Some(31.0)));
        assert_eq!((number(cells, "mean", 2), number(cells, "quoted_mean", 2)), (None, Some(97.96)));
        assert_eq!(text(cells, "seeds", 0).unwrap(), "0, 1, 2");
        assert_eq!(text(cells, "missing", 2).unwrap(), "TP is not implemented");
        assert_eq!(
            cells.column("verified").unwrap().bool().unwrap().iter().collect::<Vec<_>>(),
            [Some(true), Some(false), None, None]
        );
    }

    #[test]
    fn without_runs_the_schema_is_the_same() {
        let full = written(&example::table());
        let mut report = example::table();
        report.cells.iter_mut().for_each(|cell| *cell = Cell::default());
        let bare = written(&report);
        assert_eq!((bare[0].height(), bare[1].height()), (0, 4));
        for (full, bare) in full.iter().zip(&bare) {
            assert_eq!(full.schema(), bare.schema());
        }
        assert_eq!(bare[0].column("diverged_at_step").unwrap().dtype(), &DataType::UInt64);
        assert_eq!(bare[0].column("value").unwrap().dtype(), &DataType::Float64);
    }
}
