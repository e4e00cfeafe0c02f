//! Figures of runs whose layers were measured (`diagnostics`): loss and accuracy of every layer against epochs (paper,
//! appendix A.2.3), both sides of Theorem 1, and the angle of every layer's update to backpropagation's.

use super::labels::{data, epochs, file_name, remark, settings, worst_to_best};
use super::picture::{Line, Plot, Point, Scale, Spread, Stroke};
use super::{Cell, Report, distinct};
use crate::record::{EpochDiagnostics, LayerDiagnostics};
use sll_core::posterior::UnitPosterior;

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
    let strokes = report.strokes();
    let mut plots = Vec::new();
    for column in 0..report.columns.len() {
        let label = &report.columns[column].label;
        let name = |what: &str| format!("{}-{what}", file_name(label));
        for (row, stroke) in strokes.iter().enumerate() {
            let (cell, rule) = (report.cell(row, column), &report.rows[row]);
            let kinds = [
                ("loss", "cross-entropy of the layer's own posterior (nats)", Scale::Any, loss as Value),
                ("accuracy", "accuracy of the layer's own posterior (%)", Scale::Percent, |unit| unit.accuracy),
            ];
            for (what, y_label, scale, value) in kinds {
                let depth = depth(cell);
                let of_layer = |l: usize| {
                    let value = move |e: &EpochDiagnostics| e.layers.get(l)?.posterior.as_ref().map(value);
                    line(stroke.part(l, depth), format!("layer {}", l + 1), &Drawn { cell, all: &[cell] }, &value)
                        .map(trained)
                };
                let series: Vec<Line> = (0..depth).filter_map(of_layer).collect();
                // A lone output has a figure already, the table's own.
                if series.len() > 1 {
                    let head = (format!("{rule} · {}", data(label, &[cell])), settings(report, &[cell]));
                    let y_label = format!("{y_label}, {}", images(cell));
                    plots.push((name(&format!("{}-{what}", file_name(rule))), plot(head, y_label, scale, series)));
                }
            }
        }
        let cells: Vec<&Cell> = (0..report.rows.len()).map(|row| report.cell(row, column)).collect();
        let measured: Vec<&Cell> = cells.iter().copied().filter(|cell| depth(cell) > 0).collect();
        let head = |what: &str| (format!("{what} · {}", data(label, &measured)), settings(report, &measured));
        let sides = sides(report, &strokes, &cells);
        if !sides.is_empty() {
            let y_label = "nats, D = KL(q‖p); the bound: the network's above the mean of the layers'".to_string();
            plots.push((name("bound"), plot(head("Theorem 1"), y_label, Scale::Any, sides)));
        }
        let angles = angles(report, &strokes, &cells);
        if !angles.is_empty() {
            let y_label = "degrees from BP's update; layers at 0 left out".to_string();
            plots.push((name("angles"), plot(head("Angle to BP's update"), y_label, Scale::Any, angles)));
        }
    }
    plots
}

fn plot((title, subtitle): (String, String), y_label: String, scale: Scale, series: Vec<Line>) -> Plot {
    let last = series.iter().flat_map(|line| &line.points).map(|p| p.x as usize).max().unwrap_or(0);
    let (x_label, ticks) = ("epochs trained".into(), epochs(last));
    Plot { title, subtitle, x_label, y_label, ticks, scale, spread: Spread::Band, series, ..Plot::default() }
}

/// A cell, and those that are drawn in the same figure.
struct Drawn<'a> {
    cell: &'a Cell,
    all: &'a [&'a Cell],
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
fn line(
    stroke: Stroke,
    label: String,
    drawn: &Drawn,
    value: &dyn Fn(&EpochDiagnostics) -> Option<f64>,
) -> Option<Line> {
    let longest = drawn.cell.sound().map(|run| run.diagnostics.len()).max().unwrap_or(0);
    let point = |i: usize| {
        let seen: Vec<_> = drawn.cell.sound().filter_map(|run| run.diagnostics.get(i)).collect();
        let values: Vec<f64> = seen.iter().filter_map(|epoch| value(epoch)).collect();
        worst_to_best(seen.first()?.epoch as f64, &values)
    };
    let points: Vec<Point> = (0..longest).filter_map(point).collect();
    (!points.is_empty()).then(|| Line::new(stroke, label, remark(&[drawn.cell], drawn.all), points))
}

/// `L_net`, and in a lighter shade the mean of the layers', for each row with several posteriors.
fn sides(report: &Report, strokes: &[Stroke], cells: &[&Cell]) -> Vec<Line> {
    let bound = |e: &EpochDiagnostics| e.bound(|affinity| affinity.kl).filter(|bound| bound.gains.len() > 1);
    let both = |(row, cell): (usize, &&Cell)| {
        let (rule, drawn) = (&report.rows[row], Drawn { cell, all: cells });
        let network = line(strokes[row].part(1, 2), format!("{rule}, network"), &drawn, &|e| Some(bound(e)?.network));
        let layers = line(strokes[row].part(0, 2), format!("{rule}, mean of layers"), &drawn, &|e| {
            Some(bound(e)?.mean_of_layers)
        });
        [network, layers]
    };
    cells.iter().enumerate().flat_map(both).flatten().map(trained).collect()
}

/// Angles of every row's layers but those that are the gradient's own.
fn angles(report: &Report, strokes: &[Stroke], cells: &[&Cell]) -> Vec<Line> {
    let of_row = |(row, cell): (usize, &&Cell)| {
        let (depth, drawn) = (depth(cell), Drawn { cell, all: cells });
        let of_layer = |l: usize| {
            let angle = move |e: &EpochDiagnostics| e.layers.get(l).and_then(|layer: &LayerDiagnostics| layer.angle);
            line(strokes[row].part(l, depth), format!("{}, layer {}", report.rows[row], l + 1), &drawn, &angle)
        };
        (0..depth).filter_map(of_layer).collect::<Vec<_>>()
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
