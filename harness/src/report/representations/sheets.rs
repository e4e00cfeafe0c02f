//! Figure 3, every hidden layer's images as points, and Figure 5, the first layer's kernels; of the first seed.

use super::{depth, last, named};
use crate::record::{LayerPlanes, Picture, Planes, RunResult, Separation};
use crate::report::labels::{data, settings};
use crate::report::picture::Sheet;
use crate::report::picture::sheet::{Content, Panel};
use crate::report::{Cell, Report};

/// The points of one plane.
type Points = fn(&Planes) -> &Vec<[i16; 2]>;

/// How points were found: a file's name, a title, and the points of a plane.
const METHODS: [(&str, &str, Points); 2] =
    [("tsne", "t-SNE", |planes| &planes.tsne), ("pca", "Principal components", |planes| &planes.pca)];

/// For each column `-tsne`, `-pca` and, where the first layer is a convolution, `-kernels`.
pub fn sheets(report: &Report) -> Vec<(String, Sheet)> {
    let mut sheets = Vec::new();
    for (column, planned) in report.columns.iter().enumerate() {
        let drawn = |row: usize| {
            let cell = report.cell(row, column);
            let (run, picture) = cell.sound().find_map(|run| Some((run, run.picture.as_deref()?)))?;
            Some((report.rows[row].as_str(), cell, run, picture))
        };
        let rows: Vec<(&str, &Cell, &RunResult, &Picture)> = (0..report.rows.len()).filter_map(drawn).collect();
        let cells: Vec<&Cell> = rows.iter().map(|row| row.1).collect();
        let head = |what: &str| Sheet {
            title: format!("{what} · {}", data(&planned.label, &cells)),
            subtitle: format!("{}; of the first seed", settings(report, &cells)),
            ..Sheet::default()
        };
        let layers = cells.iter().map(|cell| depth(cell)).max().unwrap_or(0);
        for (what, title, points) in METHODS {
            // A line a layer; h and v of each row beside each other.
            let of_layer =
                |l: usize| rows.iter().flat_map(move |(name, _, run, picture)| pair(name, run, picture, l, points));
            let panels: Vec<Panel> = (0..layers).flat_map(of_layer).collect();
            let title = format!("{title}: images of each class in h and in v = R h");
            sheets.push((named(&planned.label, what), Sheet { across: 2 * rows.len(), panels, ..head(&title) }));
        }
        let panels: Vec<Panel> = rows.iter().filter_map(|(name, _, _, picture)| kernels(name, picture)).collect();
        let across = panels.len();
        sheets.push((named(&planned.label, "kernels"), Sheet { across, panels, ..head("First layer's kernels") }));
    }
    sheets
}

/// A row's layer: its output, and what its projection makes of it.
fn pair(name: &str, run: &RunResult, picture: &Picture, l: usize, points: fn(&Planes) -> &Vec<[i16; 2]>) -> [Panel; 2] {
    let none = LayerPlanes::default();
    let planes = picture.layers.get(l).unwrap_or(&none);
    let measured = last(run, l);
    let panel = |what: &str, plane: &Planes, of: Option<&Separation>| {
        let place = |[x, y]: &[i16; 2]| [x, y].map(|place| f64::from(*place) / 1000.0);
        let points =
            points(plane).iter().zip(&picture.labels).map(|(point, class)| (place(point), usize::from(*class)));
        let number = |value: Option<f64>, decimals: usize| value.map_or("—".into(), |x| format!("{x:.decimals$}"));
        Panel {
            name: format!("{name}, layer {}: {what}", l + 1),
            remark: format!(
                "scatter {}, nearest mean {} %",
                number(of.and_then(|of| of.scatter_ratio), 2),
                number(of.and_then(|of| of.nearest_mean), 1)
            ),
            content: Content::Points(points.collect()),
        }
    };
    let v = if measured.is_some_and(|layer| layer.own) { "v" } else { "v, fresh R" };
    [panel("h", &planes.h, measured.map(|layer| &layer.h)), panel(v, &planes.v, measured.map(|layer| &layer.v))]
}

/// A row's kernels as tiles: grey of one channel, in colours of three, of more their mean.
fn kernels(name: &str, picture: &Picture) -> Option<Panel> {
    let kernels = picture.kernels.as_ref()?;
    let [out, inner, side] = kernels.shape;
    let dots = side * side;
    let value = |kernel: usize, channel: usize, dot: usize| {
        f64::from(kernels.values[(kernel * inner + channel) * dots + dot]) / 127.0
    };
    let colour = |kernel: usize, dot: usize| match inner {
        3 => [0, 1, 2].map(|channel| value(kernel, channel, dot)),
        _ => [(0..inner).map(|channel| value(kernel, channel, dot)).sum::<f64>() / inner as f64; 3],
    };
    let tiles = (0..out).map(|kernel| (0..dots).map(|dot| colour(kernel, dot)).collect()).collect();
    let spread = picture.weights.first();
    Some(Panel {
        name: name.to_string(),
        remark: spread.map_or(String::new(), |w| format!("std {:.4}, before {:.4}", w.std, w.initial_std)),
        content: Content::Tiles { side, tiles },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::example;

    #[test]
    fn every_layer_is_a_line_of_h_and_v_for_each_row_with_its_numbers() {
        let found = sheets(&example::represented());
        let names: Vec<&str> = found.iter().map(|sheet| sheet.0.as_str()).collect();
        assert_eq!(names, ["mnist-tsne", "mnist-pca", "mnist-kernels"]);
        let (tsne, kernels) = (&found[0].1, &found[2].1);
        assert_eq!((tsne.across, tsne.panels.len()), (4, 8));
        let panel = |name: &str| tsne.panels.iter().find(|panel| panel.name == name).unwrap();
        assert_eq!(panel("SLL, layer 2: v").remark, "scatter 0.50, nearest mean 80.0 %");
        assert_eq!(panel("BP, layer 1: v, fresh R").remark, "scatter 0.25, nearest mean 40.0 %");
        let Content::Points(points) = &panel("SLL, layer 2: h").content else { panic!("tiles") };
        assert_eq!(points[..], [([1.0, -0.5], 7), ([-1.0, 0.5], 2)]);
        let Content::Tiles { side, tiles } = &kernels.panels[1].content else { panic!("points") };
        assert_eq!((*side, tiles.len(), tiles[0][1]), (2, 1, [-1.0; 3]));
        assert_eq!(kernels.panels[1].remark, "std 0.0500, before 0.0200");
        assert!(tsne.svg().unwrap().contains("SLL, layer 2: v"));
    }

    #[test]
    fn nothing_is_drawn_of_what_was_not_kept() {
        assert!(sheets(&example::table()).iter().all(|(_, sheet)| sheet.svg().is_none()));
    }
}
