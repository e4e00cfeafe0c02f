//! A report as figures: accuracy against epochs for each column, or against the swept number and what it costs; every layer
//! where it was measured.

use super::atomic::write_atomically;
use super::axis::{Axis, epoch_ticks};
use super::plot::{Line, Plot, Point, Scale, Spread};
use super::stats::{Aggregate, CellStats, mean};
use super::{Cell, Report, distinct, layers, tradeoff};
use crate::error::{Error, Result};
use std::path::{Path, PathBuf};

/// Writes `figures/<name>.svg` for a sweep, with [`super::tradeoff`] beside it, `figures/<name>-<column>.svg` for each column
/// of a table that has runs, and the layers of [`super::layers`], and says where they are. Runs that diverged are in no line.
pub fn write(report: &Report, dir: &Path) -> Result<Vec<PathBuf>> {
    let mut plots = if report.is_sweep() {
        sweep(report).map(|plot| (report.name.clone(), plot)).into_iter().collect()
    } else {
        let columns = 0..report.columns.len();
        let name = |column: usize| format!("{}-{}", report.name, file_name(&report.columns[column].label));
        columns.filter_map(|column| Some((name(column), curves(report, column)?))).collect::<Vec<_>>()
    };
    plots.extend(tradeoff::plots(report));
    plots.extend(layers::plots(report));
    plots.into_iter().map(|(name, plot)| save(&dir.join("figures").join(format!("{name}.svg")), &plot)).collect()
}

pub(crate) fn save(path: &Path, plot: &Plot) -> Result<PathBuf> {
    let svg = plot.svg().map_err(|e| Error::Failed(format!("cannot draw {}: {e}", path.display())))?;
    write_atomically(path, svg.as_bytes())?;
    Ok(path.to_path_buf())
}

/// `label` with nothing that a file system could mind.
pub(super) fn file_name(label: &str) -> String {
    label.chars().map(|c| if c.is_ascii_alphanumeric() || c == '.' { c.to_ascii_lowercase() } else { '-' }).collect()
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

/// The mean of `values` at `x`, ranging from the least to the greatest; nothing of nothing.
pub(super) fn worst_to_best(x: f64, values: &[f64]) -> Option<Point> {
    let (low, high) = (values.iter().copied().reduce(f64::min)?, values.iter().copied().reduce(f64::max)?);
    Some(Point { x, y: mean(values)?, low, high })
}

/// Labels of an axis of epochs.
pub(super) fn epochs(last: usize) -> Vec<(f64, String)> {
    epoch_ticks(last).into_iter().map(|epoch| (epoch as f64, epoch.to_string())).collect()
}

/// Accuracy after the last epoch against the swept number, bars of one standard deviation.
fn sweep(report: &Report) -> Option<Plot> {
    let values: Vec<f64> = report.columns.iter().filter_map(|column| column.value).collect();
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

/// The column's label, the data really seen, n.
pub(super) fn title(label: &str, cells: &[&Cell]) -> String {
    let runs = || cells.iter().flat_map(|cell| cell.sound());
    let data = distinct(runs(), |run| run.data.name.clone());
    let named = if data.eq_ignore_ascii_case(label) { label.to_string() } else { format!("{label} ({data})") };
    let unverified = if runs().all(|run| run.data.verified) { "" } else { ", unverified data" };
    format!("{named}, {}{unverified}", n_text(cells))
}

/// What is measured, and how its spread is drawn where there is any.
pub(super) fn y_label(cells: &[&Cell], spread: &str) -> String {
    let images = distinct(cells.iter().flat_map(|cell| cell.sound()), |run| run.evaluated_on.clone());
    let spread = if cells.iter().any(|cell| cell.sound().count() > 1) { format!("; {spread}") } else { String::new() };
    format!("{images} accuracy (%){spread}")
}

/// `n=3`, or `n=1-3` where cells differ; cells without sound runs aside.
pub(super) fn n_text(cells: &[&Cell]) -> String {
    let counts = || cells.iter().map(|cell| cell.sound().count()).filter(|n| *n > 0);
    match (counts().min().unwrap_or(0), counts().max().unwrap_or(0)) {
        (least, most) if least == most => format!("n={most}"),
        (least, most) => format!("n={least}-{most}"),
    }
}

pub(super) fn remark(cells: &[&Cell]) -> String {
    match cells.iter().map(|cell| CellStats::of(cell).diverged).sum() {
        0 => n_text(cells),
        diverged => format!("{}, {diverged} diverged", n_text(cells)),
    }
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
        assert_eq!(names, ["figures/table1-mnist.svg", "figures/table1-cifar-10.svg"]);
        assert!(figures[0].1.contains("BP") && !figures[0].1.contains("TP"), "a row without runs is not in it");
        assert!(figures[0].1.contains("MNIST (mnist-sample), n=3"), "{}", figures[0].1);
        assert!(figures[1].1.contains("unverified data") && figures[1].1.contains("n=2, 1 diverged"));
        assert_eq!(figures, written(&example::table()), "the same report gives the same bytes");
    }

    #[test]
    fn a_sweep_has_one_figure_with_every_row() {
        let figures = written(&example::sweep());
        assert_eq!(figures.len(), 1);
        assert_eq!(figures[0].0, "figures/sweep-projection.svg");
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

    #[test]
    fn file_names_are_plain() {
        assert_eq!(file_name("CIFAR-10 / a"), "cifar-10---a");
    }
}
