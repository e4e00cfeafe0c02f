//! A memory figure as Markdown.

use super::text::{definitions, mib, notes, origin, percent};
use crate::atomic::write_atomically;
use crate::error::Result;
use crate::experiment::memory::Panel;
use crate::experiment::memory::figure::{BLOCK, DepthLine, FLAT, FigureData, is_bp};
use crate::record::Footprint;
use crate::report::grid::{Grid, escape, grouped};
use crate::units::MIB;
use sll_core::memory::MemoryUse;
use std::path::{Path, PathBuf};

/// Writes `README.md` and says where it is.
pub fn write(drawn: &FigureData, dir: &Path) -> Result<PathBuf> {
    let path = dir.join("README.md");
    write_atomically(&path, render(drawn).as_bytes())?;
    Ok(path)
}

/// The whole text.
pub fn render(drawn: &FigureData) -> String {
    let figure = &drawn.figure;
    let found: Vec<&Footprint> = drawn.each().map(|(.., found)| found).collect();
    let mut text = format!("# {}\n\n{}\n", escape(&figure.title), origin(&found, &drawn.command));
    for (panel, lines) in figure.panels.iter().zip(&drawn.panels) {
        let (suffix, label) = (&panel.suffix, escape(&panel.label));
        text += &format!("\n![step's peak](peak{suffix}.svg) ![whole](total{suffix}.svg)\n");
        text += &format!("\n## Step's peak against {}, MiB: {label}\n\n{}", escape(&figure.depth), peaks(panel, lines));
        text += &format!("\n{}", verdict(lines));
        text += &format!("\n## Most activations at once, MiB: {label}\n\n{}", activations(panel, lines));
        text += &format!("\n## What it is made of, and what grows: {label}\n\n{}", parts(lines));
        text += &format!("\n## Work: {label}\n\n{}", work(lines));
    }
    text += &format!("\n## What the numbers are\n\n{}", definitions(&found));
    text + &notes(&figure.notes)
}

fn peaks(panel: &Panel, lines: &[DepthLine]) -> Grid {
    let last = |line: &DepthLine| line.analytic_deviation().map_or("—".into(), percent);
    against_depth(panel, lines, |found| found.step_peak, ("theory off by at most", last))
}

fn activations(panel: &Panel, lines: &[DepthLine]) -> Grid {
    let last = |line: &DepthLine| {
        let share = line.deepest().map(|found| 100.0 * found.most_activations as f64 / found.step_peak as f64);
        share.map_or("—".into(), |share| format!("{share:.0} %"))
    };
    against_depth(panel, lines, |found| found.most_activations, ("of the step's peak, deepest", last))
}

/// What `part` picks at every depth, its slope, and one column more.
fn against_depth(
    panel: &Panel,
    lines: &[DepthLine],
    part: fn(&Footprint) -> u64,
    (title, last): (&str, impl Fn(&DepthLine) -> String),
) -> Grid {
    let depths = panel.depths.iter().map(usize::to_string);
    let header = ["rule".to_string()].into_iter().chain(depths);
    let mut grid = Grid::new(header.chain(["bytes a layer".into(), title.into()]));
    for line in lines {
        let at = |depth: &usize| match line.points.iter().find(|(d, _)| d == depth) {
            Some((_, found)) if is_bp(found) => format!("{} (BP)", mib(part(found))),
            Some((_, found)) => mib(part(found)),
            None => "—".into(),
        };
        let mut cells = vec![label(line)];
        cells.extend(panel.depths.iter().map(at));
        cells.push(line.slope(part).map_or("—".into(), signed));
        cells.push(last(line));
        grid.push(cells);
    }
    grid
}

fn label(line: &DepthLine) -> String {
    let label = escape(&line.label);
    match &line.missing {
        Some(reason) => format!("{label} ({})", escape(reason)),
        None => label,
    }
}

fn signed(bytes: f64) -> String {
    let whole = bytes.abs().round() as u64;
    let sign = if bytes < 0.0 && whole > 0 { "−" } else { "+" };
    format!("{sign}{}", grouped(whole))
}

/// What the slopes of the flat rules say.
fn verdict(lines: &[DepthLine]) -> String {
    let labels = |wanted: bool| -> Vec<String> {
        lines.iter().filter(|line| line.is_flat() == Some(wanted)).map(|line| escape(&line.label)).collect()
    };
    let (flat, grown) = (labels(true), labels(false));
    let mut text = String::new();
    if !flat.is_empty() {
        let on_card = lines.iter().filter_map(DepthLine::deepest).any(|found| found.spec.device.card().is_some());
        let rest = match on_card {
            true => format!(
                "Between the two deepest they differ by less than {:.0} MiB in all, which a block of LibTorch's \
                 caching allocator may be larger than was asked for",
                BLOCK / 1024.0 / 1024.0
            ),
            false => format!(
                "What they add for a layer, at most {FLAT:.0} bytes between the two deepest, are handles of tensors \
                 and reported losses, no activation"
            ),
        };
        let flat = flat.join("; ");
        text += &format!("Slope 0 in depth, of the step's peak and of its activations: {flat}. {rest}.\n");
    }
    if !grown.is_empty() {
        text += &format!("**Must not grow and does:** {}.\n", grown.join("; "));
    }
    text
}

fn parts(lines: &[DepthLine]) -> Grid {
    let names = MemoryUse::default().parts().into_iter().map(|(name, _)| name);
    let header = ["rule".to_string(), "depth".into()].into_iter().chain(names);
    let mut grid = Grid::new(header.chain(["total".into(), "of BP's".into()]));
    let bp = lines.first().and_then(DepthLine::deepest).map(|found| found.peak as f64);
    for line in lines {
        let Some((depth, found)) = line.points.last() else { continue };
        let mut cells = vec![escape(&line.label), depth.to_string()];
        for (index, (_, bytes)) in found.bytes.parts().into_iter().enumerate() {
            cells.push(with_slope(bytes, line.slope(|found| found.bytes.parts()[index].1)));
        }
        cells.push(with_slope(found.peak, line.slope(|found| found.bytes.total())));
        cells.push(bp.map_or("—".into(), |bp| format!("{:.2}", found.peak as f64 / bp)));
        grid.push(cells);
    }
    grid
}

/// `12.34 (+1.02)`: MiB, and MiB more for each layer.
fn with_slope(bytes: u64, slope: Option<f64>) -> String {
    let slope = slope.map(|slope| slope / MIB).filter(|slope| slope.abs() >= 0.005);
    mib(bytes) + &slope.map_or(String::new(), |slope| format!(" ({slope:+.2})"))
}

fn work(lines: &[DepthLine]) -> Grid {
    let header = [
        "rule",
        "depth",
        "MACs per sample and step",
        "counted",
        "of BP's",
        "seconds a step",
        "process's peak RSS, MiB",
    ];
    let mut grid = Grid::new(header);
    let bp = lines.first().and_then(DepthLine::deepest).map(|found| found.macs.total() as f64);
    for line in lines {
        let Some((depth, found)) = line.points.last() else { continue };
        grid.push(vec![
            escape(&line.label),
            depth.to_string(),
            grouped(found.macs.total()),
            grouped(found.macs_counted),
            bp.map_or("—".into(), |bp| format!("{:.2}", found.macs.total() as f64 / bp)),
            format!("{:.2}", found.seconds_per_step),
            found.peak_rss.map_or("—".into(), mib),
        ]);
    }
    grid
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::memory::figure::tests::drawn;

    #[test]
    fn the_text_has_peaks_slopes_parts_and_where_they_come_from() {
        let text = render(&drawn(100));
        for part in [
            "# An \\| example",
            "`harness footprint figure2x`",
            "A processor",
            "| BP   | 6.00 | 8.00 | +1 048 576    |",
            "| SLL  | 4.00 | 4.00 | +100          |",
            "+1.00 %",
            "Slope 0 in depth, of the step's peak and of its activations: SLL.",
            "| BP   | 3.00 | 4.00 | +524 288 ",
            "bytes of live tensors",
            "- Noted.",
        ] {
            assert!(text.contains(part), "no {part:?} in:\n{text}");
        }
        assert!(render(&drawn(9000)).contains("**Must not grow and does:** SLL."));
    }

    #[test]
    fn on_a_card_a_block_may_be_larger_than_what_was_asked_for() {
        let on_card = |bytes| {
            let mut drawn = drawn(bytes);
            let points = drawn.panels.iter_mut().flatten().flat_map(|line| &mut line.points);
            points.for_each(|(_, found)| found.spec.device = crate::spec::DeviceName::Cuda(0));
            render(&drawn)
        };
        let text = on_card(9000);
        assert!(text.contains("activations: SLL. Between the two deepest they differ by less than 1 MiB"), "{text}");
        assert!(on_card(2 << 20).contains("**Must not grow and does:** SLL."));
    }

    #[test]
    fn a_rule_that_cannot_run_says_why() {
        let mut drawn = drawn(0);
        let line = &mut drawn.panels[0][1];
        (line.points, line.missing) = (Vec::new(), Some("needs | more layers".into()));
        let text = render(&drawn);
        assert!(text.contains("SLL (needs \\| more layers)"), "{text}");
    }
}
