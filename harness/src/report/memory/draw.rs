//! A memory figure as pictures: one of the step's peak, one of the whole with what grows.

use crate::error::Result;
use crate::experiment::memory::figure::{DepthLine, FigureData};
use crate::record::Footprint;
use crate::report::distinct;
use crate::report::picture::{self, Plot, Point, Scale, Spread, Stroke, of_part, save_all, strokes};
use crate::units::MIB;
use sll_core::memory::MemoryUse;
use std::path::{Path, PathBuf};

/// What is drawn of a measurement.
type Part = fn(&MemoryUse) -> u64;

/// Writes `peak<suffix>` and `total<suffix>` for every panel that has measurements, each as SVG and as PNG, and says
/// where they are.
pub fn write(drawn: &FigureData, dir: &Path) -> Result<Vec<PathBuf>> {
    let panels = drawn.figure.panels.iter().enumerate();
    let plots = panels.flat_map(|(index, panel)| {
        let both = [("peak", step(drawn, index)), ("total", total(drawn, index))];
        both.map(|(what, plot)| Some((format!("{what}{}", panel.suffix), plot?)))
    });
    save_all(plots.flatten(), dir)
}

/// How each row is drawn, in every panel.
fn rows(drawn: &FigureData, panel: usize) -> Vec<Stroke> {
    let titles = drawn.figure.rows.iter().zip(&drawn.panels[panel]).map(|(row, line)| {
        let own = row.rule.get("name").and_then(toml::Value::as_str).unwrap_or_default().to_string();
        let title = match row.layers_per_unit {
            // Its number of units follows the depth, and its title with it.
            Some(_) => "SLLi+".to_string(),
            None => line.points.first().map_or(String::new(), |(_, found)| found.spec.rule.title()),
        };
        (own, title)
    });
    let titles: Vec<(String, String)> = titles.collect();
    strokes(titles.iter().map(|(rule, title)| (rule.as_str(), title.as_str())))
}

/// The step's peak.
fn step(drawn: &FigureData, panel: usize) -> Option<Plot> {
    let modelled = drawn.panels[panel].iter().flat_map(|line| &line.points).any(|(_, found)| found.analytic.is_some());
    let remark = |line: &DepthLine| match line.slope(|found| found.bytes.step_peak()) {
        Some(slope) if slope.abs() < 0.005 * MIB => "+0.00 MiB a layer".to_string(),
        Some(slope) => format!("{:+.2} MiB a layer", slope / MIB),
        None => String::new(),
    };
    let y_label = if modelled { "step's peak (MiB); crosses: theory" } else { "step's peak (MiB)" };
    plot(drawn, panel, y_label, MemoryUse::step_peak, remark, Vec::new())
}

/// The whole peak, and those parts of it that every rule has and that grow with depth.
fn total(drawn: &FigureData, panel: usize) -> Option<Plot> {
    let lines = &drawn.panels[panel];
    let first = lines.iter().find(|line| !line.points.is_empty())?;
    let mut parts: Vec<(&str, &DepthLine, Part)> = vec![
        ("parameters", first, |b| b.standing.parameters),
        ("optimiser state", first, |b| b.standing.optimizer_state),
    ];
    let sll = lines.iter().find(|line| line.label == "SLL" && !line.points.is_empty());
    parts.extend(sll.map(|sll| ("R (SLL)", sll, (|b| b.standing.fixed) as Part)));
    let parts = parts
        .into_iter()
        .enumerate()
        .map(|(i, (label, line, part))| picture::Line::new(of_part(i), label, "part of the total", points(line, part)));
    let growth = |line: &DepthLine| {
        line.slope(|found| found.bytes.total())
            .map_or(String::new(), |slope| format!("{:+.2} MiB a layer", slope / MIB))
    };
    plot(drawn, panel, "peak of training, all (MiB)", MemoryUse::total, growth, parts.collect())
}

fn plot(
    drawn: &FigureData,
    panel: usize,
    y_label: &str,
    part: Part,
    remark: impl Fn(&DepthLine) -> String,
    more: Vec<picture::Line>,
) -> Option<Plot> {
    let model = |(depth, found): &(usize, Footprint)| Some((*depth as f64, part(&found.analytic?) as f64 / MIB));
    let lines = drawn.panels[panel].iter().zip(rows(drawn, panel));
    let mut series: Vec<picture::Line> = lines
        .filter(|(line, _)| !line.points.is_empty())
        .map(|(line, stroke)| picture::Line {
            model: line.points.iter().filter_map(model).collect(),
            ..picture::Line::new(stroke, &line.label, remark(line), points(line, part))
        })
        .collect();
    if series.is_empty() {
        return None;
    }
    series.extend(more);
    let device = distinct(drawn.each().map(|(.., found)| found), |found| found.provenance.device.to_string());
    let (figure, panel) = (&drawn.figure, &drawn.figure.panels[panel]);
    let [channels, height, width] = figure.input.image;
    let optimizer = format!("{:?}", figure.input.optimizer).to_lowercase();
    Some(Plot {
        title: figure.title.clone(),
        subtitle: format!(
            "{}, {} · images of {channels}x{height}x{width}, batch {}, {optimizer} · {device}",
            panel.network.name, panel.label, figure.batch
        ),
        x_label: figure.depth.clone(),
        y_label: y_label.into(),
        ticks: panel.depths.iter().map(|&depth| (depth as f64, depth.to_string())).collect(),
        scale: Scale::Amount,
        spread: Spread::Bars,
        series,
        ..Plot::default()
    })
}

fn points(line: &DepthLine, part: Part) -> Vec<Point> {
    let point = |(depth, found): &(usize, Footprint)| {
        let y = part(&found.bytes) as f64 / MIB;
        Point { x: *depth as f64, y, low: y, high: y }
    };
    line.points.iter().map(point).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::memory::figure::tests::drawn;

    #[test]
    fn there_is_a_picture_of_the_steps_peak_and_one_of_the_whole() {
        let dir = tempfile::tempdir().unwrap();
        let paths = write(&drawn(100), dir.path()).unwrap();
        let names: Vec<&str> = paths.iter().map(|path| path.file_name().unwrap().to_str().unwrap()).collect();
        assert_eq!(names, ["peak.svg", "peak.png", "total.svg", "total.png"]);
        let texts = [0, 2].map(|index: usize| std::fs::read_to_string(&paths[index]).unwrap());
        for part in ["SLL", "BP", "+1.00 MiB a layer", "+0.00 MiB a layer", "crosses: theory", "hidden layers"] {
            assert!(texts[0].contains(part), "no {part:?}");
        }
        for part in ["parameters", "optimiser state", "R (SLL)"] {
            assert!(texts[1].contains(part) && !texts[0].contains(part), "{part:?}");
        }
    }

    #[test]
    fn nothing_is_drawn_of_nothing() {
        let mut empty = drawn(0);
        empty.panels[0].iter_mut().for_each(|line| line.points.clear());
        assert!(write(&empty, tempfile::tempdir().unwrap().path()).unwrap().is_empty());
    }
}
