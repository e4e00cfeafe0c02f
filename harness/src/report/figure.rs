//! A report as figures: accuracy against epochs for each column, or against the swept number and what it costs; every
//! layer where it was measured.

use super::axis::Axis;
use super::labels::{epochs, file_name, remark, title, worst_to_best, y_label};
use super::plot::{Line, Plot, Point, Scale, Spread};
use super::stats::{Aggregate, CellStats};
use super::{Cell, Report, distinct, heat, layers, tradeoff};
use crate::error::Result;
use crate::experiment::PlannedColumn;
use std::path::{Path, PathBuf};

/// Writes `accuracy.svg` for a sweep, with `tradeoff.rs` beside it, `grid.svg` for one over two parameters,
/// `<column>.svg` for each column of a table that has runs, and the layers of `layers.rs`, and says where they
/// are. Runs that diverged are in no line.
pub fn write(report: &Report, dir: &Path) -> Result<Vec<PathBuf>> {
    let mut plots = if report.is_sweep() {
        sweep(report).map(|plot| ("accuracy".to_string(), plot)).into_iter().collect()
    } else if report.is_grid() {
        Vec::new()
    } else {
        let columns = 0..report.columns.len();
        let name = |column: usize| file_name(&report.columns[column].label);
        columns.filter_map(|column| Some((name(column), curves(report, column)?))).collect::<Vec<_>>()
    };
    plots.extend(tradeoff::plots(report));
    plots.extend(layers::plots(report));
    let drawn = plots.into_iter().map(|(name, plot)| plot.save(&dir.join(format!("{name}.svg"))));
    drawn.chain(heat::write(report, dir).transpose()).collect()
}

/// Test accuracy against epochs: mean over seeds, band from the worst to the best.
fn curves(report: &Report, column: usize) -> Option<Plot> {
    let cells: Vec<(usize, &Cell)> = (0..report.rows.len()).map(|row| (row, report.cell(row, column))).collect();
    let line = |&(index, cell): &(usize, &Cell)| {
        let points = curve(cell);
        (!points.is_empty()).then(|| Line {
            index,
            label: report.rows[index].clone(),
            remark: remark(&[cell]),
            points,
            tags: vec![],
            model: vec![],
        })
    };
    let series: Vec<Line> = cells.iter().filter_map(line).collect();
    let last = series.iter().flat_map(|line| &line.points).map(|p| p.x as usize).max()?;
    let drawn: Vec<&Cell> = cells.iter().map(|(_, cell)| *cell).filter(|cell| cell.sound().next().is_some()).collect();
    Some(Plot {
        title: title(&report.columns[column].label, &drawn),
        x_label: "epoch".into(),
        y_label: y_label(&drawn, "band: worst to best seed"),
        ticks: epochs(last),
        scale: Scale::Percent,
        spread: Spread::Band,
        series,
    })
}

fn curve(cell: &Cell) -> Vec<Point> {
    let longest = cell.sound().map(|run| run.curve.len()).max().unwrap_or(0);
    let point = |i: usize| {
        let seen: Vec<_> = cell.sound().filter_map(|run| run.curve.get(i)).collect();
        let values: Vec<f64> = seen.iter().map(|point| point.test_accuracy).collect();
        worst_to_best(seen.first()?.epoch as f64, &values)
    };
    (0..longest).filter_map(point).collect()
}

/// Accuracy after the last epoch against the swept number, bars of one standard deviation.
fn sweep(report: &Report) -> Option<Plot> {
    let values: Vec<f64> = report.columns.iter().filter_map(PlannedColumn::number).collect();
    let axis = Axis::of(&values);
    let line = |row: usize| {
        let cells: Vec<&Cell> = (0..values.len()).map(|column| report.cell(row, column)).collect();
        let point = |(cell, value): (&&Cell, &f64)| {
            let Aggregate { mean, std, .. } = CellStats::of(cell).accuracy?;
            let std = std.unwrap_or(0.0);
            Some(Point { x: axis.place(*value), y: mean, low: mean - std, high: mean + std })
        };
        let mut points: Vec<Point> = cells.iter().zip(&values).filter_map(point).collect();
        points.sort_by(|a, b| a.x.total_cmp(&b.x));
        (!points.is_empty()).then(|| Line {
            index: row,
            label: report.rows[row].clone(),
            remark: remark(&cells),
            points,
            tags: vec![],
            model: vec![],
        })
    };
    let series: Vec<Line> = (0..report.rows.len()).filter_map(line).collect();
    let drawn: Vec<&Cell> = report.cells.iter().filter(|cell| cell.sound().next().is_some()).collect();
    let data = distinct(drawn.iter().flat_map(|cell| cell.sound()), |run| run.data.name.clone());
    (!series.is_empty()).then(|| Plot {
        title: title(&data, &drawn),
        x_label: format!("{}{}", report.column_axis, axis.remark()),
        y_label: y_label(&drawn, "bars: ± standard deviation"),
        ticks: axis.ticks(&values),
        scale: Scale::Percent,
        spread: Spread::Bars,
        series,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::example;

    fn written(report: &Report) -> Vec<(String, String)> {
        let dir = tempfile::tempdir().unwrap();
        let read = |path: PathBuf| {
            let name = path.strip_prefix(dir.path()).unwrap().display().to_string();
            (name, std::fs::read_to_string(&path).unwrap())
        };
        write(report, dir.path()).unwrap().into_iter().map(read).collect()
    }

    #[test]
    fn a_table_has_a_figure_for_each_column_with_its_rows() {
        let figures = written(&example::table());
        let names: Vec<&str> = figures.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["mnist.svg", "cifar-10.svg"]);
        assert!(figures[0].1.contains("BP") && !figures[0].1.contains("TP"), "a row without runs is not in it");
        assert!(figures[0].1.contains("MNIST (mnist-sample), n=3"), "{}", figures[0].1);
        assert!(figures[1].1.contains("unverified data") && figures[1].1.contains("n=2, 1 diverged"));
        assert_eq!(figures, written(&example::table()), "the same report gives the same bytes");
    }

    #[test]
    fn a_sweep_has_one_figure_with_every_row() {
        let figures = written(&example::sweep());
        assert_eq!(figures.len(), 1);
        assert_eq!(figures[0].0, "accuracy.svg");
        assert!(["BP", "TP", "projection size (logarithmic)", "n=2"].iter().all(|part| figures[0].1.contains(part)));
    }

    #[test]
    fn nothing_is_drawn_of_nothing_or_of_diverged_runs() {
        for runs in [vec![], vec![example::diverged(0)]] {
            for mut report in [example::table(), example::sweep()] {
                report.cells.iter_mut().for_each(|cell| cell.runs = runs.clone());
                assert!(written(&report).is_empty());
            }
        }
    }

    #[test]
    fn the_band_goes_from_the_worst_seed_to_the_best() {
        let points = curve(&example::table().cells[0]);
        assert_eq!((points.len(), points[2].x, points[2].low, points[2].high), (3, 3.0, 97.9, 98.4));
    }
}
