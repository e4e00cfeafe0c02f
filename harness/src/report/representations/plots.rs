//! Layers over epochs, distances against codes, and how weights are distributed.

use super::{depth, last, named};
use crate::record::{EpochRepresentations, LayerRepresentation};
use crate::report::axis::Axis;
use crate::report::labels::{data, epochs, remark, settings, worst_to_best};
use crate::report::picture::{Line, Plot, Point, Scale, Spread, Stroke};
use crate::report::{Cell, Report};

/// What is drawn of a layer.
type Value = fn(&LayerRepresentation) -> Option<f64>;

/// What is drawn over epochs: a file's name, a title, the side axis' label and scale, and the value.
const CURVES: [(&str, &str, &str, Scale, Value); 4] = [
    ("rank", "Effective rank of h", "effective rank of 500 images", Scale::Amount, |l| l.effective_rank),
    ("scatter-h", "Classes in h", "scatter between classes over within", Scale::Amount, |l| l.h.scatter_ratio),
    ("scatter-v", "Classes in v = R h", "scatter between classes over within", Scale::Amount, |l| l.v.scatter_ratio),
    ("nearest-mean", "Nearest class mean in h", "images nearest to their class's mean (%)", Scale::Percent, |l| {
        l.h.nearest_mean
    }),
];

/// For each column what is measured over epochs, a line a row and hidden layer, then `-distances` and the layers'
/// `-weights-<layer>`. Nothing where nothing was measured.
pub fn plots(report: &Report) -> Vec<(String, Plot)> {
    let strokes = report.strokes();
    let mut plots = Vec::new();
    for (column, planned) in report.columns.iter().enumerate() {
        let label = &planned.label;
        let rows: Vec<(usize, &Cell)> =
            (0..report.rows.len()).map(|row| (row, report.cell(row, column))).filter(|(_, c)| depth(c) > 0).collect();
        let cells: Vec<&Cell> = rows.iter().map(|(_, cell)| *cell).collect();
        let head = |what: &str| Plot {
            title: format!("{what} · {}", data(label, &cells)),
            subtitle: settings(report, &cells),
            ..Plot::default()
        };
        let each_layer = |of: &dyn Fn(&Cell, usize, Stroke, String) -> Option<Line>| -> Vec<Line> {
            let of_row = |(row, cell): &(usize, &Cell)| {
                let name = |l: usize| format!("{}, layer {}", report.rows[*row], l + 1);
                let depth = depth(cell);
                (0..depth).filter_map(|l| of(cell, l, strokes[*row].part(l, depth), name(l))).collect::<Vec<_>>()
            };
            rows.iter().flat_map(of_row).collect()
        };
        for (what, title, y_label, scale, value) in CURVES {
            let series = each_layer(&|cell, l, stroke, name| {
                let points = over_epochs(cell, &|epoch| value(epoch.layers.get(l)?));
                (!points.is_empty()).then(|| Line::new(stroke, name, remark(&[cell], &cells), points))
            });
            let last = series.iter().flat_map(|line| &line.points).map(|p| p.x as usize).max().unwrap_or(0);
            let (x_label, ticks, y_label) = ("epochs trained".to_string(), epochs(last), y_label.to_string());
            plots.push((
                named(label, what),
                Plot { x_label, y_label, ticks, scale, spread: Spread::Band, series, ..head(title) },
            ));
        }
        let codes: Vec<f64> = cells
            .iter()
            .flat_map(|cell| cell.sound().filter_map(|run| last(run, 0)))
            .flat_map(|layer| layer.fresh.iter().map(|fresh| fresh.codes as f64))
            .collect();
        let axis = Axis::of(&codes);
        plots.push((
            named(label, "distances"),
            Plot {
                x_label: format!("codes d_o of a fresh R{}", axis.remark()),
                y_label: "squared distances in a minibatch: mean relative error".into(),
                ticks: axis.ticks(&codes),
                scale: Scale::Amount,
                spread: Spread::Band,
                series: each_layer(&|cell, l, stroke, name| {
                    let points = against_codes(cell, l, &axis);
                    (!points.is_empty()).then(|| Line::new(stroke, name, remark(&[cell], &cells), points))
                }),
                ..head("Distances under R")
            },
        ));
        let layers =
            cells.iter().flat_map(|cell| cell.sound()).filter_map(|run| Some(run.picture.as_ref()?.weights.len()));
        for l in 0..layers.max().unwrap_or(0) {
            plots.push((named(label, &format!("weights-{}", l + 1)), weights(report, &rows, &strokes, l, head)));
        }
    }
    plots
}

/// One value an epoch, mean over seeds, from the least to the greatest.
fn over_epochs(cell: &Cell, value: &dyn Fn(&EpochRepresentations) -> Option<f64>) -> Vec<Point> {
    let longest = cell.sound().map(|run| run.representations.len()).max().unwrap_or(0);
    let point = |i: usize| {
        let seen: Vec<_> = cell.sound().filter_map(|run| run.representations.get(i)).collect();
        let values: Vec<f64> = seen.iter().filter_map(|epoch| value(epoch)).collect();
        worst_to_best(seen.first()?.epoch as f64, &values)
    };
    (0..longest).filter_map(point).collect()
}

/// The mean distortion by fresh projections after the last epoch.
fn against_codes(cell: &Cell, l: usize, axis: &Axis) -> Vec<Point> {
    let mut codes: Vec<usize> =
        cell.sound().filter_map(|run| last(run, l)).flat_map(|layer| layer.fresh.iter().map(|f| f.codes)).collect();
    codes.sort_unstable();
    codes.dedup();
    let point = |codes: usize| {
        let off = |layer: &LayerRepresentation| {
            layer.fresh.iter().find(|fresh| fresh.codes == codes).map(|fresh| fresh.distortion.mean)
        };
        let values: Vec<f64> = cell.sound().filter_map(|run| off(last(run, l)?)).collect();
        worst_to_best(axis.place(codes as f64), &values)
    };
    codes.into_iter().filter_map(point).collect()
}

/// The distribution of a layer's weights in each row, of the first seed.
fn weights(
    report: &Report,
    rows: &[(usize, &Cell)],
    strokes: &[Stroke],
    l: usize,
    head: impl Fn(&str) -> Plot,
) -> Plot {
    let line = |(row, cell): &(usize, &Cell)| {
        let spread = cell.sound().find_map(|run| run.picture.as_ref()?.weights.get(l))?;
        let [first, last] = spread.ends.map(f64::from);
        let step = (last - first) / (spread.density.len().max(2) - 1) as f64;
        let point = |(bin, density): (usize, &f32)| {
            let (x, y) = (first + step * bin as f64, f64::from(*density));
            Point { x, y, low: y, high: y }
        };
        let points: Vec<Point> = spread.density.iter().enumerate().map(point).collect();
        let remark = format!("std {:.4}", spread.std);
        (!points.is_empty()).then(|| Line::new(strokes[*row], &report.rows[*row], remark, points))
    };
    let series: Vec<Line> = rows.iter().filter_map(line).collect();
    let places = || series.iter().flat_map(|line| &line.points).map(|point| point.x);
    let (low, high) = (places().fold(0.0, f64::min), places().fold(0.0, f64::max));
    let ticks = [low, low / 2.0, 0.0, high / 2.0, high].map(|x| (x, format!("{x:.2}")));
    Plot {
        x_label: "weight".into(),
        y_label: "probability density after the last epoch, first seed".into(),
        ticks: ticks.into(),
        scale: Scale::Amount,
        series,
        ..head(&format!("Weights of layer {}", l + 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::example;

    #[test]
    fn layers_have_curves_distances_and_weights() {
        let drawn = plots(&example::represented());
        let names: Vec<&str> = drawn.iter().map(|plot| plot.0.as_str()).collect();
        let expected = ["rank", "scatter-h", "scatter-v", "nearest-mean", "distances", "weights-1"];
        assert_eq!(names, expected.map(|what| format!("mnist-{what}")));
        let line = |plot: usize, label: &str| drawn[plot].1.series.iter().find(|line| line.label == label).unwrap();
        let ys = |line: &Line| line.points.iter().map(|p| (p.x, p.y)).collect::<Vec<_>>();
        assert_eq!(ys(line(0, "SLL, layer 2")), [(0.0, 60.0), (3.0, 30.0)]);
        assert_eq!(ys(line(2, "SLL, layer 1")).last(), Some(&(3.0, 0.25)));
        let distances: Vec<f64> = line(4, "BP, layer 1").points.iter().map(|p| p.y).collect();
        assert_eq!(distances, [0.36, 0.04]);
        let weights = line(5, "SLL");
        assert_eq!(ys(weights)[..2], [(-0.5, 0.0), (0.0, 4.0)].map(|(x, y)| (x, y)));
        assert!(
            drawn.iter().all(|(name, plot)| plot.svg().is_some_and(|svg| svg.contains("MNIST")) || name.is_empty())
        );
    }

    #[test]
    fn nothing_is_drawn_of_what_was_not_measured() {
        assert!(plots(&example::table()).iter().all(|(_, plot)| plot.svg().is_none()));
    }
}
