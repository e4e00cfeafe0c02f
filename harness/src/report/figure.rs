//! A report as figures: accuracy against epochs for each column, or against the swept number and what it costs; every
//! layer where it was measured.

use super::axis::Axis;
use super::curves::{self, Across, CurveRow, Height, curve, settled};
use super::labels::{data, epochs, file_name, remark, remarks, settings, spread, subtitle, y_label};
use super::picture::{Line, Plot, Point, Scale, Spread, Stroke, save, save_all};
use super::stats::{Aggregate, CellStats};
use super::{Cell, Report, heat, layers, representations, tradeoff};
use crate::error::Result;
use crate::experiment::PlannedColumn;
use std::path::{Path, PathBuf};

/// Writes `accuracy` for a sweep, with `tradeoff` beside it, `grid` for one over two parameters, `<column>` for
/// each column of a table that has runs, and the layers of `layers` and `representations`, each as SVG and as PNG, and
/// says where they are. Runs that diverged are in no line.
pub fn write(report: &Report, dir: &Path) -> Result<Vec<PathBuf>> {
    let mut plots = if report.is_sweep() {
        sweep(report).map(|plot| ("accuracy".to_string(), plot)).into_iter().collect()
    } else if report.is_grid() || report.is_calibration() {
        // Of a calibration each row has axes of its own.
        Vec::new()
    } else {
        let rows = curves::of_report(report);
        let columns = 0..report.columns.len();
        let name = |column: usize| file_name(&report.columns[column].label);
        columns.filter_map(|column| Some((name(column), learning(report, &rows, column)?))).collect::<Vec<_>>()
    };
    plots.extend(tradeoff::plots(report));
    plots.extend(layers::plots(report));
    plots.extend(representations::plots(report));
    let mut written = save_all(plots, dir)?;
    for (name, sheet) in representations::sheets(report) {
        if let Some(svg) = sheet.svg() {
            written.extend(save(&svg, dir, &name)?);
        }
    }
    written.extend(heat::write(report, dir)?);
    Ok(written)
}

/// Test accuracy against epochs: mean over seeds, band from the worst to the best.
fn learning(report: &Report, rows: &[CurveRow], column: usize) -> Option<Plot> {
    let label = &report.columns[column].label;
    let cells: Vec<&Cell> = (0..report.rows.len()).map(|row| report.cell(row, column)).collect();
    let drawn: Vec<&Cell> = cells.iter().copied().filter(|cell| cell.sound().next().is_some()).collect();
    let line = |(row, stroke): (usize, Stroke)| {
        let own = rows.iter().filter(|curve| curve.row == report.rows[row] && curve.column == *label);
        let points = curve(own, Across::Epoch, Height::Accuracy);
        let last = format!("{:.2}", points.last()?.y);
        let quoted = cells[row].quoted.as_ref().map(|quoted| quoted.mean);
        let paper = quoted.map_or(String::new(), |quoted| format!("paper {quoted:.2}"));
        let remark = remarks([last, remark(&[cells[row]], &drawn), paper], ", ");
        Some(Line { quoted, ..Line::new(stroke, &report.rows[row], remark, points) })
    };
    let series: Vec<Line> = report.strokes().into_iter().enumerate().filter_map(line).collect();
    let last = series.iter().flat_map(|line| &line.points).map(|p| p.x as usize).max()?;
    let quoted = if series.iter().any(|line| line.quoted.is_some()) { "thin lines: the paper's" } else { "" };
    Some(Plot {
        title: format!("{} · {}", report.title, data(label, &drawn)),
        subtitle: settings(report, &drawn),
        x_label: "epoch".into(),
        y_label: y_label(&drawn),
        y_remark: remarks([spread(&drawn, "band: worst to best seed"), quoted.into()], "; "),
        ticks: epochs(last),
        scale: Scale::Percent,
        spread: Spread::Band,
        settled: settled(&series),
        series,
        ..Plot::default()
    })
}

/// Accuracy after the last epoch against the swept number, bars of one standard deviation.
fn sweep(report: &Report) -> Option<Plot> {
    let values: Vec<f64> = report.columns.iter().filter_map(PlannedColumn::number).collect();
    let axis = Axis::of(&values);
    let drawn: Vec<&Cell> = report.cells.iter().filter(|cell| cell.sound().next().is_some()).collect();
    let line = |(row, stroke): (usize, Stroke)| {
        let cells: Vec<&Cell> = (0..values.len()).map(|column| report.cell(row, column)).collect();
        let point = |(cell, value): (&&Cell, &f64)| {
            let Aggregate { mean, std, .. } = CellStats::of(cell).accuracy?;
            let std = std.unwrap_or(0.0);
            Some(Point { x: axis.place(*value), y: mean, low: mean - std, high: mean + std })
        };
        let mut points: Vec<Point> = cells.iter().zip(&values).filter_map(point).collect();
        points.sort_by(|a, b| a.x.total_cmp(&b.x));
        (!points.is_empty()).then(|| Line::new(stroke, &report.rows[row], remark(&cells, &drawn), points))
    };
    let series: Vec<Line> = report.strokes().into_iter().enumerate().filter_map(line).collect();
    (!series.is_empty()).then(|| Plot {
        title: report.title.clone(),
        subtitle: subtitle(report, &drawn),
        x_label: format!("{}{}", report.column_axis, axis.remark()),
        y_label: y_label(&drawn),
        y_remark: spread(&drawn, "bars: ± standard deviation"),
        ticks: axis.ticks(&values),
        scale: Scale::Percent,
        spread: Spread::Bars,
        series,
        ..Plot::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::example;
    use std::collections::BTreeMap;

    fn written(report: &Report) -> BTreeMap<String, String> {
        let dir = tempfile::tempdir().unwrap();
        let paths = write(report, dir.path()).unwrap();
        let (svgs, pngs): (Vec<_>, Vec<_>) = paths.iter().partition(|path| path.extension().unwrap() == "svg");
        assert_eq!(svgs.len(), pngs.len(), "{paths:?}");
        let read = |path: &&PathBuf| {
            let name = path.strip_prefix(dir.path()).unwrap().display().to_string();
            (name, std::fs::read_to_string(path).unwrap())
        };
        svgs.iter().map(read).collect()
    }

    #[test]
    fn a_table_has_a_figure_for_each_column_with_its_rows() {
        let figures = written(&example::table());
        assert_eq!(figures.keys().collect::<Vec<_>>(), ["cifar-10.svg", "mnist.svg"]);
        let (mnist, cifar) = (&figures["mnist.svg"], &figures["cifar-10.svg"]);
        assert!(mnist.contains("BP") && !mnist.contains("TP"), "a row without runs is not in it");
        for part in ["MNIST (mnist-sample)", "n=3", "3 epochs", "mlp-2x800", "adamax", "batch 128", "paper 99.25"] {
            assert!(mnist.contains(part), "no {part:?} in {mnist}");
        }
        assert!(cifar.contains("unverified data") && cifar.contains("n=2, 1 diverged"), "{cifar}");
        assert_eq!(figures, written(&example::table()), "the same report gives the same bytes");
    }

    #[test]
    fn a_sweep_has_one_figure_with_every_row() {
        let figures = written(&example::sweep());
        assert_eq!(figures.keys().collect::<Vec<_>>(), ["accuracy.svg"]);
        let figure = &figures["accuracy.svg"];
        assert!(["BP", "TP", "projection size (logarithmic)", "n=2"].iter().all(|part| figure.contains(part)));
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
}
