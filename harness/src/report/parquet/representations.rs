//! One row for every run, epoch and hidden layer whose output was measured.

use super::columns::Columns;
use crate::record::{EpochRepresentations, LayerRepresentation, RunResult};
use crate::report::Report;
use polars::prelude::Column;

struct Row<'a> {
    row: &'a str,
    column: &'a str,
    run: &'a RunResult,
    epoch: &'a EpochRepresentations,
    index: usize,
    layer: &'a LayerRepresentation,
}

impl Row<'_> {
    fn fresh(&self, place: usize) -> Option<f64> {
        self.layer.fresh.get(place).map(|fresh| fresh.distortion.mean)
    }

    fn codes(&self, place: usize) -> Option<u64> {
        self.layer.fresh.get(place).map(|fresh| fresh.codes as u64)
    }
}

pub(super) fn columns(report: &Report) -> Vec<Column> {
    let mut items = Vec::new();
    for (row, column, cell) in report.each() {
        let (row, column) = (report.rows[row].as_str(), report.columns[column].label.as_str());
        for (run, epoch) in cell.runs.iter().flat_map(|run| run.representations.iter().map(move |epoch| (run, epoch))) {
            let layers = epoch.layers.iter().enumerate();
            items.extend(layers.map(|(index, layer)| Row { row, column, run, epoch, index, layer }));
        }
    }
    let sizes = items.iter().map(|item| item.layer.fresh.len()).max().unwrap_or(0);
    let mut columns = Columns::of(&items)
        .add("row", |r| r.row.to_string())
        .add("column", |r| r.column.to_string())
        .add("rule", |r| r.run.spec.rule.name().to_string())
        .add("dataset", |r| r.run.spec.dataset.clone())
        .add("run_id", |r| r.run.run_id.clone())
        .add("seed", |r| r.run.spec.seed)
        .add("epoch", |r| r.epoch.epoch as u64)
        .add("layer", |r| r.index as u64 + 1)
        .add("layer_name", |r| r.layer.name.clone())
        .add("effective_rank", |r| r.layer.effective_rank)
        .add("scatter_ratio_h", |r| r.layer.h.scatter_ratio)
        .add("scatter_ratio_v", |r| r.layer.v.scatter_ratio)
        .add("nearest_mean_h", |r| r.layer.h.nearest_mean)
        .add("nearest_mean_v", |r| r.layer.v.nearest_mean)
        .add("v_is_the_rules_own", |r| r.layer.own)
        .add("own_distortion_mean", |r| r.layer.own_distortion.map(|d| d.mean))
        .add("own_distortion_max", |r| r.layer.own_distortion.map(|d| d.max));
    for place in 0..sizes {
        columns = columns
            .add(&format!("codes_{}", place + 1), |r| r.codes(place))
            .add(&format!("distortion_{}", place + 1), |r| r.fresh(place));
    }
    columns.columns
}

#[cfg(test)]
mod tests {
    use crate::report::{example, parquet};

    #[test]
    fn every_layer_of_every_epoch_is_a_row() {
        let dir = tempfile::tempdir().unwrap();
        let paths = parquet::write(&example::represented(), dir.path()).unwrap();
        assert!(paths[3].ends_with("representations.parquet"), "{paths:?}");
        let frame = parquet::file::read(&paths[3]).unwrap();
        assert_eq!(frame.height(), 2 * 2 * 2);
        let at = |column: &str| frame.column(column).unwrap().f64().unwrap().get(7);
        assert_eq!(
            (at("effective_rank"), at("own_distortion_max"), at("distortion_2")),
            (Some(30.0), Some(0.9), Some(0.04))
        );
    }
}
