//! One row for every run, epoch and layer that was measured.

use super::columns::Columns;
use crate::record::{EpochDiagnostics, LayerDiagnostics, RunResult};
use crate::report::Report;
use polars::prelude::Column;
use sll_core::bound::Bound;
use sll_core::posterior::{Affinity, UnitPosterior};

struct Row<'a> {
    row: &'a str,
    column: &'a str,
    run: &'a RunResult,
    epoch: &'a EpochDiagnostics,
    index: usize,
    layer: &'a LayerDiagnostics,
    /// Theorem 1 at this epoch with `KL(q‖p)` and with `-2 ln BC`; the same in every layer's row.
    kl: Option<&'a Bound>,
    surrogate: Option<&'a Bound>,
    /// The layer's place among the rule's units, if a unit ends with it.
    unit: Option<usize>,
}

impl Row<'_> {
    fn posterior<T>(&self, value: impl Fn(&UnitPosterior) -> T) -> Option<T> {
        self.layer.posterior.as_ref().map(value)
    }

    fn affinity(&self, value: impl Fn(&Affinity) -> f64) -> Option<f64> {
        self.layer.posterior.and_then(|unit| unit.parent).as_ref().map(value)
    }
}

/// An epoch with what it gives for the theorem.
type Measured<'a> = (&'a str, &'a str, &'a RunResult, &'a EpochDiagnostics, [Option<Bound>; 2]);

pub(super) fn columns(report: &Report) -> Vec<Column> {
    let epochs: Vec<Measured> = report
        .each()
        .flat_map(|(row, column, cell)| {
            let place = (report.rows[row].as_str(), report.columns[column].label.as_str());
            cell.runs.iter().map(move |run| (place, run))
        })
        .flat_map(|((row, column), run)| {
            run.diagnostics.iter().map(move |epoch| {
                let bounds = [epoch.bound(|a| a.kl), epoch.bound(|a| a.surrogate)];
                (row, column, run, epoch, bounds)
            })
        })
        .collect();
    let items: Vec<Row> = epochs.iter().flat_map(rows).collect();
    Columns::of(&items)
        .add("table", |_| report.name.clone())
        .add("row", |r| r.row.to_string())
        .add("column", |r| r.column.to_string())
        .add("rule", |r| r.run.spec.rule.name().to_string())
        .add("dataset", |r| r.run.spec.dataset.clone())
        .add("run_id", |r| r.run.run_id.clone())
        .add("seed", |r| r.run.spec.seed)
        .add("evaluated_on", |r| r.run.evaluated_on.clone())
        .add("epoch", |r| r.epoch.epoch as u64)
        .add("layer", |r| r.index as u64 + 1)
        .add("layer_name", |r| r.layer.name.clone())
        .add("log_likelihood", |r| r.posterior(|unit| unit.log_likelihood))
        .add("accuracy", |r| r.posterior(|unit| unit.accuracy))
        .add("gain", |r| r.kl.and_then(|bound| bound.gains.get(r.unit?).copied()))
        .add("assumption_3", |r| r.kl.and_then(|bound| bound.gains.get(r.unit?).map(|gain| *gain >= 0.0)))
        .add("bhattacharyya", |r| r.affinity(|a| a.coefficient))
        .add("divergence_surrogate", |r| r.affinity(|a| a.surrogate))
        .add("divergence_kl", |r| r.affinity(|a| a.kl))
        .add("angle_to_bp_degrees", |r| r.layer.angle)
        .add("l_net_kl", |r| r.kl.map(|bound| bound.network))
        .add("mean_l_kl", |r| r.kl.map(|bound| bound.mean_of_layers))
        .add("assumption_4_kl", |r| r.kl.map(Bound::budget_holds))
        .add("l_net_surrogate", |r| r.surrogate.map(|bound| bound.network))
        .add("mean_l_surrogate", |r| r.surrogate.map(|bound| bound.mean_of_layers))
        .add("assumption_4_surrogate", |r| r.surrogate.map(Bound::budget_holds))
        .add("diagnostics_seconds", |r| r.epoch.seconds)
        .columns
}

fn rows<'a>(measured: &'a Measured) -> impl Iterator<Item = Row<'a>> {
    let (row, column, run, epoch, [kl, surrogate]) = measured;
    let mut units = 0;
    epoch.layers.iter().enumerate().map(move |(index, layer)| {
        let unit = layer.posterior.map(|_| units);
        units += usize::from(unit.is_some());
        let (kl, surrogate) = (kl.as_ref(), surrogate.as_ref());
        Row { row, column, run, epoch, index, layer, kl, surrogate, unit }
    })
}

#[cfg(test)]
mod tests {
    use crate::report::{example, parquet};
    use polars::prelude::{DataFrame, DataType};

    fn number(frame: &DataFrame, column: &str, row: usize) -> Option<f64> {
        frame.column(column).unwrap().cast(&DataType::Float64).unwrap().f64().unwrap().get(row)
    }

    #[test]
    fn every_layer_of_every_epoch_is_a_row() {
        let dir = tempfile::tempdir().unwrap();
        let paths = parquet::write(&example::measured(), dir.path()).unwrap();
        assert!(paths[3].ends_with("layers.parquet"), "{paths:?}");
        let frame = parquet::file::read(&paths[3]).unwrap();
        assert_eq!(frame.height(), 2 * 2 * 2 * 3);
        // BP, seed 0, epoch 0, layer 1: an angle and nothing else.
        assert_eq!(number(&frame, "angle_to_bp_degrees", 0), Some(0.0));
        assert_eq!((number(&frame, "log_likelihood", 0), number(&frame, "l_net_kl", 0)), (None, None));
        // SLL, seed 1, last epoch, layer 2.
        let row = 12 + 6 + 3 + 1;
        let at = |column: &str| number(&frame, column, row).unwrap();
        assert_eq!((at("epoch"), at("layer"), at("seed"), at("angle_to_bp_degrees")), (3.0, 2.0, 1.0, 70.0));
        assert_eq!((at("log_likelihood"), at("accuracy"), at("divergence_kl")), (-0.3, 95.0, 0.1));
        assert!((at("gain") - 0.2).abs() < 1e-12 && (at("l_net_kl") + 0.5).abs() < 1e-12);
        assert!((at("mean_l_surrogate") + 0.35).abs() < 1e-12);
        let holds = |column: &str| frame.column(column).unwrap().bool().unwrap().get(row);
        assert_eq!(
            (holds("assumption_3"), holds("assumption_4_kl"), holds("assumption_4_surrogate")),
            (Some(true), Some(false), Some(true))
        );
    }

    #[test]
    fn without_measurements_there_is_no_such_file() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(parquet::write(&example::table(), dir.path()).unwrap().len(), 3);
    }
}
