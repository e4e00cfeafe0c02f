//! Learning curves as data, a row a run and epoch: what `curves.parquet` holds, and what figures of them are drawn
//! from.

use super::Report;
use super::picture::{Line, Point};
use super::stats::mean;
use crate::record::{EpochPoint, RunResult};
use std::collections::BTreeMap;

/// One epoch of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct CurveRow {
    /// The table or sweep it was run for.
    pub table: String,
    /// Its row there.
    pub row: String,
    /// Its column there.
    pub column: String,
    /// The rule's name in specs.
    pub rule: String,
    /// The rule's name in tables.
    pub title: String,
    /// The data set.
    pub dataset: String,
    /// The network's name.
    pub network: String,
    /// The run.
    pub run_id: String,
    /// Its seed.
    pub seed: u64,
    /// `test`, or `validation` of held-out training images.
    pub evaluated_on: String,
    /// Whether the run diverged, in this epoch or a later one.
    pub diverged: bool,
    /// The epoch with its loss, accuracy and seconds.
    pub point: EpochPoint,
}

impl CurveRow {
    /// Every epoch of `run`, which fills a place of a table.
    pub fn of_run(table: &str, row: &str, column: &str, run: &RunResult) -> Vec<Self> {
        let one = |point: &EpochPoint| Self {
            table: table.into(),
            row: row.into(),
            column: column.into(),
            rule: run.spec.rule.name().into(),
            title: run.spec.rule.title(),
            dataset: run.spec.dataset.clone(),
            network: run.spec.network.name.clone(),
            run_id: run.run_id.clone(),
            seed: run.spec.seed,
            evaluated_on: run.evaluated_on.clone(),
            diverged: run.diverged_at_step.is_some(),
            point: *point,
        };
        run.curve.iter().map(one).collect()
    }
}

/// Every epoch of every run of a report.
pub fn of_report(report: &Report) -> Vec<CurveRow> {
    let rows = report.each().flat_map(|(row, column, cell)| {
        let (row, column) = (&report.rows[row], &report.columns[column].label);
        cell.runs.iter().flat_map(|run| CurveRow::of_run(&report.name, row, column, run))
    });
    rows.collect()
}

/// What a curve is drawn against.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Across {
    /// Passes over the training data.
    Epoch,
    /// Seconds since the start of training.
    Seconds,
}

/// What is drawn of an epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Height {
    /// Percent of the evaluated images that are classified.
    Accuracy,
    /// Percent of the evaluated images that are not, in logarithmic scale.
    Error,
    /// Mean training loss at the output, which is another one for each kind of rule.
    Loss,
}

impl Height {
    /// The value.
    pub fn of(self, point: &EpochPoint) -> f64 {
        match self {
            Height::Accuracy => point.test_accuracy,
            Height::Error => 100.0 - point.test_accuracy,
            Height::Loss => point.train_loss,
        }
    }
}

/// The share of a long training whose values decide no axis: the first epochs are far from all others.
pub const WARM: f64 = 0.05;
/// More epochs than this make a long training.
pub const LONG: usize = 20;

/// The place from which on curves decide what the side axis shows.
pub fn settled(lines: &[Line]) -> f64 {
    let longest = lines.iter().map(|line| line.points.len()).max().unwrap_or(0);
    let last = lines.iter().flat_map(|line| &line.points).map(|point| point.x).fold(0.0, f64::max);
    if longest > LONG { WARM * last } else { f64::NEG_INFINITY }
}

/// The curve of runs that differ in their seed: means over those that reached an epoch and did not diverge, ranging
/// from the least to the greatest.
pub fn curve<'a>(rows: impl IntoIterator<Item = &'a CurveRow>, across: Across, height: Height) -> Vec<Point> {
    let mut epochs: BTreeMap<usize, (Vec<f64>, Vec<f64>)> = BTreeMap::new();
    for row in rows.into_iter().filter(|row| !row.diverged) {
        let (seconds, heights) = epochs.entry(row.point.epoch).or_default();
        seconds.push(row.point.seconds);
        heights.push(height.of(&row.point));
    }
    let point = |(epoch, (seconds, heights)): (usize, (Vec<f64>, Vec<f64>))| {
        let x = match across {
            Across::Epoch => epoch as f64,
            Across::Seconds => mean(&seconds)?,
        };
        super::labels::worst_to_best(x, &heights)
    };
    epochs.into_iter().filter_map(point).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::example;

    #[test]
    fn a_curve_goes_through_means_and_ranges_from_the_worst_seed_to_the_best() {
        let rows = of_report(&example::table());
        assert_eq!(rows.len(), 6 * 3);
        let mnist = || rows.iter().filter(|row| row.column == "MNIST");
        let points = curve(mnist(), Across::Epoch, Height::Accuracy);
        assert_eq!((points.len(), points[2].x, points[2].low, points[2].high), (3, 3.0, 97.9, 98.4));
        let errors = curve(mnist(), Across::Seconds, Height::Error);
        assert_eq!((errors[0].x, errors[2].high), (1.0, 100.0 - 97.9));
        assert!((curve(mnist(), Across::Epoch, Height::Loss)[0].y - 0.1).abs() < 1e-12);
    }

    #[test]
    fn the_beginning_of_a_long_training_decides_no_axis() {
        let line = |epochs: usize| {
            let point = |epoch: usize| Point { x: epoch as f64, y: 1.0, low: 1.0, high: 1.0 };
            Line::new(crate::report::picture::of_rule("bp"), "BP", "", (1..=epochs).map(point).collect())
        };
        assert_eq!(settled(&[line(3), line(100)]), 5.0);
        assert_eq!(settled(&[line(20)]), f64::NEG_INFINITY);
    }

    #[test]
    fn a_run_that_diverged_is_in_the_data_and_in_no_curve() {
        let rows = of_report(&example::table());
        let cifar = || rows.iter().filter(|row| row.column == "CIFAR-10");
        assert_eq!(cifar().filter(|row| row.diverged).count(), 3);
        let points = curve(cifar(), Across::Epoch, Height::Accuracy);
        assert_eq!((points[2].low, points[2].high), (30.0, 31.0));
    }
}
