//! A report as Parquet: every run in one file, every cell in another, and every layer in a third where it was measured.

mod layers;

use super::atomic::write_atomically;
use super::stats::{Aggregate, CellStats, half_width_95};
use super::{Cell, Report, distinct};
use crate::error::{Error, Result};
use crate::record::RunResult;
use polars::prelude::{Column, DataFrame, NamedFrom, ParquetWriter, Series};
use std::io::Write;
use std::path::{Path, PathBuf};

/// Writes `<name>.parquet`, a row a run, `<name>.aggregate.parquet`, a row a cell, and of runs with diagnostics
/// `<name>.layers.parquet`, a row a run, epoch and layer; says where they are.
pub fn write(report: &Report, dir: &Path) -> Result<Vec<PathBuf>> {
    let measured = report.runs().any(|run| !run.diagnostics.is_empty());
    let files = [("parquet", runs(report)), ("aggregate.parquet", cells(report))].into_iter();
    files
        .chain(measured.then(|| ("layers.parquet", layers::columns(report))))
        .map(|(extension, columns)| save(&dir.join(format!("{}.{extension}", report.name)), columns))
        .collect()
}

pub(crate) fn save(path: &Path, columns: Vec<Column>) -> Result<PathBuf> {
    // In memory first: polars calls a disk that is full a file out of specification.
    let mut bytes = Vec::new();
    let made =
        DataFrame::new_infer_height(columns).and_then(|mut frame| ParquetWriter::new(&mut bytes).finish(&mut frame));
    made.map_err(|e| Error::Failed(format!("cannot make {}: {e}", path.display())))?;
    write_atomically(path, |file| file.write_all(&bytes))?;
    Ok(path.to_path_buf())
}

/// Columns that are each one question asked of every item. The answers' type is the column's, items or none.
pub(crate) struct Columns<'a, T> {
    /// What is asked.
    pub items: &'a [T],
    /// Answers so far.
    pub columns: Vec<Column>,
}

impl<T> Columns<'_, T> {
    /// Adds the column `name`.
    pub fn add<V>(mut self, name: &str, value: impl Fn(&T) -> V) -> Self
    where
        Series: NamedFrom<Vec<V>, [V]>,
    {
        let answers: Vec<V> = self.items.iter().map(value).collect();
        self.columns.push(Series::new(name.into(), answers).into());
        self
    }
}

struct RunRow<'a> {
    row: &'a str,
    column: &'a super::Column,
    run: &'a RunResult,
}

fn runs(report: &Report) -> Vec<Column> {
    let items: Vec<RunRow> = report
        .each()
        .flat_map(|(row, column, cell)| {
            let place = move |run| RunRow { row: &report.rows[row], column: &report.columns[column], run };
            cell.runs.iter().map(place)
        })
        .collect();
    Columns { items: &items, columns: Vec::new() }
        .add("table", |_| report.name.clone())
        .add("row", |r| r.row.to_string())
        .add("column", |r| r.column.label.clone())
        .add("value", |r| r.column.value)
        .add("profile", |_| report.profile.clone())
        .add("rule", |r| r.run.spec.rule.name().to_string())
        .add("run_id", |r| r.run.run_id.clone())
        .add("dataset", |r| r.run.spec.dataset.clone())
        .add("seed", |r| r.run.spec.seed)
        .add("epochs", |r| r.run.epochs as u64)
        .add("test_accuracy", |r| r.run.test_accuracy)
        .add("best_test_accuracy", |r| r.run.best_test_accuracy)
        .add("evaluated_on", |r| r.run.evaluated_on.clone())
        .add("seconds", |r| r.run.seconds)
        .add("diverged_at_step", |r| r.run.diverged_at_step)
        .add("parameters", |r| r.run.parameters)
        .add("macs_total", |r| r.run.macs.total())
        .add("macs_forward", |r| r.run.macs.forward)
        .add("macs_backward", |r| r.run.macs.backward)
        .add("macs_rule", |r| r.run.macs.rule)
        .add("parameter_bytes", |r| r.run.peak_bytes.parameters)
        .add("optimizer_state_bytes", |r| r.run.peak_bytes.optimizer_state)
        .add("fixed_bytes", |r| r.run.peak_bytes.fixed)
        .add("library_bytes", |r| r.run.peak_bytes.library)
        .add("step_peak_bytes", |r| r.run.peak_bytes.step_peak)
        .add("total_bytes", |r| r.run.peak_bytes.total)
        .add("memory_definition", |r| r.run.provenance.memory_definition.clone())
        .add("network", |r| r.run.spec.network.name.clone())
        .add("depth", |r| r.run.spec.network.depth.map(|n| n as u64))
        .add("width", |r| r.run.spec.network.width.map(|n| n as u64))
        .add("dropout", |r| r.run.spec.network.dropout)
        .add("batch_norm", |r| r.run.spec.network.batch_norm)
        .add("optimizer", |r| format!("{:?}", r.run.spec.recipe.optimizer).to_lowercase())
        .add("lr", |r| r.run.spec.recipe.lr)
        .add("momentum", |r| r.run.spec.recipe.momentum)
        .add("weight_decay", |r| r.run.spec.recipe.weight_decay)
        .add("batch", |r| r.run.spec.recipe.batch as u64)
        .add("flip", |r| r.run.spec.recipe.flip)
        .add("crop_padding", |r| r.run.spec.recipe.crop_padding as u64)
        .add("train_images", |r| r.run.data.train as u64)
        .add("evaluated_images", |r| r.run.data.test as u64)
        .add("data_digest", |r| r.run.data.digest.clone())
        .add("data_verified", |r| r.run.data.verified)
        .add("data_source", |r| r.run.data.source.clone())
        .add("device", |r| r.run.provenance.device.clone())
        .add("hardware", |r| r.run.provenance.hardware.clone())
        .add("threads", |r| r.run.provenance.threads as u64)
        .add("harness", |r| r.run.provenance.harness.clone())
        .add("backend", |r| r.run.provenance.backend.clone())
        .add("finished_unix", |r| r.run.provenance.finished_unix)
        .add("spec", |r| r.run.spec.to_toml())
        .columns
}

struct CellRow<'a> {
    row: &'a str,
    column: &'a super::Column,
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
    Columns { items: &items, columns: Vec::new() }
        .add("table", |_| report.name.clone())
        .add("row", |r| r.row.to_string())
        .add("column", |r| r.column.label.clone())
        .add("value", |r| r.column.value)
        .add("n", |r| r.stats.n() as u64)
        .add("mean", |r| mean(r.stats.accuracy))
        .add("std", |r| r.stats.accuracy.and_then(|a| a.std))
        .add("half_width_95", |r| half_width_95(&r.cell.sound().map(|run| run.test_accuracy).collect::<Vec<_>>()))
        .add("best_mean", |r| mean(r.stats.best))
        .add("best_std", |r| r.stats.best.and_then(|a| a.std))
        .add("diverged", |r| r.stats.diverged as u64)
        .add("quoted_mean", |r| r.cell.quoted.as_ref().map(|q| q.mean))
        .add("quoted_std", |r| r.cell.quoted.as_ref().and_then(|q| q.std))
        .add("quoted_network", |r| r.cell.quoted.as_ref().map(|q| q.network.clone()))
        .add("quoted_note", |r| r.cell.quoted.as_ref().and_then(|q| q.note.clone()))
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
        .add("device", |r| r.distinct(|run| run.provenance.device.clone()))
        .add("seeds", |r| r.distinct(|run| run.spec.seed.to_string()))
        .columns
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::example;
    use polars::prelude::{DataType, ParquetReader, SerReader};

    fn written(report: &Report) -> Vec<DataFrame> {
        let dir = tempfile::tempdir().unwrap();
        let paths = write(report, dir.path()).unwrap();
        assert!(paths[0].ends_with("table1.parquet") && paths[1].ends_with("table1.aggregate.parquet"), "{paths:?}");
        paths.iter().map(|p| ParquetReader::new(std::fs::File::open(p).unwrap()).finish().unwrap()).collect()
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
        assert_eq!(number(runs, "test_accuracy", 1), Some(98.4));
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
