//! Learning curves: one row for every run and epoch.

use super::columns::Columns;
use super::file;
use super::read::FrameRow;
use crate::error::{Error, Result};
use crate::record::EpochPoint;
use crate::report::curves::CurveRow;
use polars::prelude::Column;
use std::path::Path;

pub(super) fn columns(rows: &[CurveRow]) -> Vec<Column> {
    Columns::of(rows)
        .add("table", |r| r.table.clone())
        .add("row", |r| r.row.clone())
        .add("column", |r| r.column.clone())
        .add("rule", |r| r.rule.clone())
        .add("title", |r| r.title.clone())
        .add("dataset", |r| r.dataset.clone())
        .add("network", |r| r.network.clone())
        .add("run_id", |r| r.run_id.clone())
        .add("seed", |r| r.seed)
        .add("evaluated_on", |r| r.evaluated_on.clone())
        .add("diverged", |r| r.diverged)
        .add("epoch", |r| r.point.epoch as u64)
        .add("train_loss", |r| r.point.train_loss)
        .add("test_accuracy", |r| r.point.test_accuracy)
        .add("seconds", |r| r.point.seconds)
        .columns
}

/// The curves in the file at `path`.
///
/// # Errors
/// Where the file cannot be read as Parquet, or has no curves.
pub fn read(path: &Path) -> Result<Vec<CurveRow>> {
    let frame = file::read(path)?;
    let row = |index: usize| {
        let row = FrameRow { frame: &frame, index };
        let text = |column: &str| row.text(column);
        Some(CurveRow {
            table: text("table")?,
            row: text("row")?,
            column: text("column")?,
            rule: text("rule")?,
            title: text("title")?,
            dataset: text("dataset")?,
            network: text("network")?,
            run_id: text("run_id")?,
            seed: row.count("seed")?,
            evaluated_on: text("evaluated_on")?,
            diverged: row.flag("diverged")?,
            point: EpochPoint {
                epoch: row.count("epoch")? as usize,
                train_loss: row.number("train_loss")?,
                test_accuracy: row.number("test_accuracy")?,
                seconds: row.number("seconds")?,
            },
        })
    };
    let rows: Option<Vec<CurveRow>> = (0..frame.height()).map(row).collect();
    rows.filter(|rows| !rows.is_empty()).ok_or_else(|| {
        let next = "name the `curves.parquet` or `runs.parquet` of a table or sweep";
        Error::Input(format!("{} has no learning curves; {next}", path.display()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{curves, example, parquet};

    #[test]
    fn curves_come_back_as_they_were() {
        let dir = tempfile::tempdir().unwrap();
        let report = example::table();
        let paths = parquet::write(&report, dir.path()).unwrap();
        assert!(paths[2].ends_with("curves.parquet"));
        assert_eq!(read(&paths[2]).unwrap(), curves::of_report(&report));
    }

    #[test]
    fn what_has_no_curves_says_what_does() {
        let dir = tempfile::tempdir().unwrap();
        let paths = parquet::write(&example::table(), dir.path()).unwrap();
        let error = read(&paths[1]).unwrap_err().to_string();
        assert!(error.contains("cells.parquet") && error.contains("curves.parquet"), "{error}");
    }
}
