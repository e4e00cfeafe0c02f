//! Figures of runs whose layers were measured (`diagnostics`): loss and accuracy of every layer against epochs (paper,
//! appendix A.2.3), both sides of Theorem 1, and the angle of every layer's update to backpropagation's.

use super::labels::{epochs, file_name, remark, title, worst_to_best};
use super::plot::{Line, Plot, Point, Scale, Spread};
use super::{Cell, Report, distinct};
use crate::record::{EpochDiagnostics, LayerDiagnostics};
use sll_core::posterior::UnitPosterior;

/// The same colour, dashed, seven rows further on: see [`super::stroke::Stroke`].
const DASHED: usize = 7;
/// Degrees below which an update is the gradient, up to rounding.
const SAME: f64 = 0.5;

/// What is drawn of a posterior.
type Value = fn(&UnitPosterior) -> f64;

fn loss(unit: &UnitPosterior) -> f64 {
    -unit.log_likelihood
}

/// For each column: `-bound` and `-angles`, and for each of its rows with posteriors `-<row>-loss` and
/// `-<row>-accuracy`. Nothing where nothing was measured.
pub fn plots(report: &Report) -> Vec<(String, Plot)> {
    let mut plots = Vec::new();
    for column in 0..report.columns.len() {
        let label = &report.columns[column].label;
        let name = |what: &str| format!("{}-{what}", file_name(label));
        for row in 0..report.rows.len() {
            let (cell, rule) = (report.cell(row, column), &report.rows[row]);
            let title = format!("{rule}: {}", title(label, &[cell]));
            let kinds = [
                ("loss", "cross-entropy of the layer's own posterior (nats)", Scale::Any, loss as Value),
                ("accuracy", "accuracy of the layer's own posterior (%)", Scale::Percent, |unit| unit.accuracy),
            ];
            for (what, y_label, scale, value) in kinds {
                let of_layer = |l: usize| {
                    let value = move |e: &EpochDiagnostics| e.layers.get(l)?.posterior.as_ref().map(value);
                    line(l, format!("layer {}", l + 1), cell, &value).map(trained)
                };
                let series: Vec<Line> = (0..depth(cell)).filter_map(of_layer).collect();
                // A lone output has a figure already, the table's own.
                if series.len() > 1 {
                    let y_label = format!("{y_label}, {}", images(cell));
                    plots.push((
                        name(&format!("{}-{what}", file_name(rule))),
                        plot(title.clone(), y_label, scale, series),
                    ));
                }
            }
        }
        let cells: Vec<&Cell> = (0..report.rows.len()).map(|row| report.cell(row, column)).collect();
        let title = title(label, &cells);
        let sides = sides(report, &cells);
        if !sides.is_empty() {
            let y_label = "nats, D = KL(q||p); the bound: whole above dashed".to_string();
            plots.push((name("bound"), plot(format!("Theorem 1: {title}"), y_label, Scale::Any, sides)));
        }
        let angles = angles(report, &cells);
        if !angles.is_empty() {
            let y_label = "degrees from BP's update; layers at 0 left out".to_string();
            plots.push((name("angles"), plot(title, y_label, Scale::Any, angles)));
        }
    }
    plots
}

fn plot(title: String, y_label: String, scale: Scale, series: Vec<Line>) -> Plot {
    let last = series.iter().flat_map(|line| &line.points).map(|p| p.x as usize).max().unwrap_or(0);
    Plot { title, x_label: "epochs trained".into(), y_label, ticks: epochs(last), scale, spread: Spread::Band, series }
}

/// Layers of the networks in a cell.
fn depth(cell: &Cell) -> usize {
    cell.sound().flat_map(|run| &run.diagnostics).map(|epoch| epoch.layers.len()).max().unwrap_or(0)
}

fn images(cell: &Cell) -> String {
    distinct(cell.sound(), |run| format!("{} images", run.evaluated_on))
}

/// Without the measurement before training, whose values at chance would flatten all that follows; a lone one stays.
fn trained(mut line: Line) -> Line {
    if line.points.len() > 1 {
        line.points.retain(|point| point.x > 0.0);
    }
    line
}

/// One value an epoch, mean over seeds, ranging from the least to the greatest; `None` where there is no value at all.
fn line(index: usize, label: String, cell: &Cell, value: &dyn Fn(&EpochDiagnostics) -> Option<f64>) -> Option<Line> {
    let longest = cell.sound().map(|run| run.diagnostics.len()).max().unwrap_or(0);
    let point = |i: usize| {
        let seen: Vec<_> = cell.sound().filter_map(|run| run.diagnostics.get(i)).collect();
        let values: Vec<f64> = seen.iter().filter_map(|epoch| value(epoch)).collect();
        worst_to_best(seen.first()?.epoch as f64, &values)
    };
    let points: Vec<Point> = (0..longest).filter_map(point).collect();
    (!points.is_empty()).then(|| Line { index, label, remark: remark(&[cell]), points, tags: vec![], model: vec![] })
}

/// `L_net`, and dashed the mean of the layers', for each row with several posteriors.
fn sides(report: &Report, cells: &[&Cell]) -> Vec<Line> {
    let bound = |e: &EpochDiagnostics| e.bound(|affinity| affinity.kl).filter(|bound| bound.gains.len() > 1);
    let both = |(row, cell): (usize, &&Cell)| {
        let rule = &report.rows[row];
        let network = line(row, format!("{rule}, network"), cell, &|e| Some(bound(e)?.network));
        let layers = line(row + DASHED, format!("{rule}, mean of layers"), cell, &|e| Some(bound(e)?.mean_of_layers));
        [network, layers]
    };
    cells.iter().enumerate().flat_map(both).flatten().map(trained).collect()
}

/// Angles of every row's layers but those that are the gradient's own; layers take turns in being dashed.
fn angles(report: &Report, cells: &[&Cell]) -> Vec<Line> {
    let of_row = |(row, cell): (usize, &&Cell)| {
        let of_layer = |l: usize| {
            let angle = move |e: &EpochDiagnostics| e.layers.get(l).and_then(|layer: &LayerDiagnostics| layer.angle);
            line(row + DASHED * (l % 2), format!("{}, layer {}", report.rows[row], l + 1), cell, &angle)
        };
        (0..depth(cell)).filter_map(of_layer).collect::<Vec<_>>()
    };
    let lines = cells.iter().enumerate().flat_map(of_row);
    lines.filter(|line| line.points.iter().any(|point| point.high > SAME)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::example;

    #[test]
    fn measured_layers_have_figures_by_row_and_by_column() {
        let report = example::measured();
        let drawn = plots(&report);
        let names: Vec<&str> = drawn.iter().map(|d| d.0.as_str()).collect();
        assert_eq!(names, ["mnist-sll-loss", "mnist-sll-accuracy", "mnist-bound", "mnist-angles"]);
        let series = |i: usize| &drawn[i].1.series;
        let ys = |line: &Line| line.points.iter().map(|p| (p.y * 1e3).round() / 1e3).collect::<Vec<_>>();
        assert_eq!(series(0).iter().map(ys).collect::<Vec<_>>(), [[0.5], [0.3], [0.1]]);
        assert_eq!(series(1)[2].points[0].y, 97.0);
        // -0.1 - (0.1 + 0.3), and the mean of -0.5, -0.3 - 0.1 and -0.1 - 0.3.
        assert_eq!((ys(&series(2)[0])[0], ys(&series(2)[1])[0]), (-0.5, -0.433));
        // BP has no angle to itself, SLL's output has none to BP.
        let labels: Vec<&str> = series(3).iter().map(|line| line.label.as_str()).collect();
        assert_eq!(labels, ["SLL, layer 1", "SLL, layer 2"]);
        assert!(drawn.iter().all(|(_, plot)| plot.svg().unwrap().contains("epochs trained")));
    }

    #[test]
    fn nothing_is_drawn_of_what_was_not_measured() {
        assert!(plots(&example::table()).is_empty());
        assert!(plots(&example::sweep()).is_empty());
    }
}
