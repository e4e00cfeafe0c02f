//! A memory figure as SVG: one picture of the step's peak, one of the whole with what grows.

use crate::error::Result;
use crate::experiment::memory::figure::{FigureData, Line};
use crate::record::Footprint;
use crate::report::plot::{self, Plot, Point, Scale, Spread};
use sll_core::memory::MemoryUse;
use std::path::{Path, PathBuf};

const MIB: f64 = 1_048_576.0;

/// What is drawn of a measurement.
type Part = fn(&MemoryUse) -> u64;

/// Writes `peak<suffix>.svg` and `total<suffix>.svg` for every panel that has measurements, and
/// says where they are.
pub fn write(drawn: &FigureData, dir: &Path) -> Result<Vec<PathBuf>> {
    let mut written = Vec::new();
    for (index, panel) in drawn.figure.panels.iter().enumerate() {
        for (what, plot) in [("peak", step(drawn, index)), ("total", total(drawn, index))] {
            let name = format!("{what}{}.svg", panel.suffix);
            if let Some(plot) = plot {
                written.push(plot.save(&dir.join(name))?);
            }
        }
    }
    Ok(written)
}

/// The step's peak.
fn step(drawn: &FigureData, panel: usize) -> Option<Plot> {
    let modelled = drawn.panels[panel].iter().flat_map(|line| &line.points).any(|(_, found)| found.analytic.is_some());
    let remark = |line: &Line| match line.slope(|found| found.bytes.step_peak()) {
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
    let rows = drawn.figure.rows.len();
    let of = |label: &str| lines.iter().find(|line| line.label == label && !line.points.is_empty());
    let first = lines.iter().find(|line| !line.points.is_empty())?;
    let mut parts: Vec<(&str, &Line, Part)> =
        vec![("parameters", first, |b| b.parameters), ("optimiser state", first, |b| b.optimizer_state)];
    parts.extend(of("SLL").map(|sll| ("R (SLL)", sll, (|b| b.fixed) as Part)));
    let parts = parts.into_iter().enumerate().map(|(i, (label, line, part))| {
        // Dashed, in colours after those of the rules.
        let remark = "part of the total".to_string();
        plot::Line {
            index: rows.max(7) + i,
            label: label.into(),
            remark,
            points: points(line, part),
            tags: vec![],
            model: Vec::new(),
        }
    });
    let growth = |line: &Line| {
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
    remark: impl Fn(&Line) -> String,
    more: Vec<plot::Line>,
) -> Option<Plot> {
    let lines = &drawn.panels[panel];
    let model = |(depth, found): &(usize, Footprint)| Some((*depth as f64, part(&found.analytic?) as f64 / MIB));
    let mut series: Vec<plot::Line> = lines
        .iter()
        .enumerate()
        .filter(|(_, line)| !line.points.is_empty())
        .map(|(index, line)| plot::Line {
            index,
            label: line.label.clone(),
            remark: remark(line),
            points: points(line, part),
            tags: vec![],
            model: line.points.iter().filter_map(model).collect(),
        })
        .collect();
    if series.is_empty() {
        return None;
    }
    series.extend(more);
    let panel = &drawn.figure.panels[panel];
    Some(Plot {
        title: format!("{}, {}, batch {}", drawn.figure.title, panel.label, drawn.figure.batch),
        x_label: drawn.figure.depth.clone(),
        y_label: y_label.into(),
        ticks: panel.depths.iter().map(|&depth| (depth as f64, depth.to_string())).collect(),
        scale: Scale::Amount,
        spread: Spread::Bars,
        series,
    })
}

fn points(line: &Line, part: Part) -> Vec<Point> {
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
        let texts: Vec<String> = paths.iter().map(|path| std::fs::read_to_string(path).unwrap()).collect();
        assert!(paths[0].ends_with("peak.svg") && paths[1].ends_with("total.svg"));
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
