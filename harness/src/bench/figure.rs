//! The rules that PyTorch has too, network by network, against its BP; crosses are the floor.

use super::parquet;
use super::pytorch::RULES;
use super::shown::{Shown, ShownLine};
use crate::error::Result;
use crate::report::picture::{Line as Series, Plot, Point, Scale, Spread, save_all, strokes};
use crate::report::place::pages;
use std::path::{Path, PathBuf};

/// Draws `bench` as SVG and as PNG and says where they are; nothing of no networks.
pub fn write(shown: &Shown, dir: &Path) -> Result<Vec<PathBuf>> {
    save_all([("bench".to_string(), plot(shown))], dir)
}

/// Draws the figures of every bench in `results` again from the Parquet beside them, and says where they are.
pub fn redraw(results: &Path) -> Result<Vec<PathBuf>> {
    let mut written = Vec::new();
    for (_, folder) in pages(results)? {
        let there = folder.join(parquet::FILE);
        if there.exists() {
            written.extend(write(&parquet::read(&there)?, &folder)?);
        }
    }
    Ok(written)
}

fn plot(shown: &Shown) -> Plot {
    let theirs = shown.networks.iter().flat_map(|network| &network.lines).any(|line| line.torch_bp.is_some());
    let base = |line: &ShownLine| Some(if theirs { line.torch_bp? } else { line.bp? }.median);
    let strokes = strokes(RULES.iter().map(|(title, name)| (*name, *title)));
    let series = RULES.iter().zip(strokes).filter_map(|((title, _), stroke)| {
        let (mut points, mut model) = (Vec::new(), Vec::new());
        for (place, network) in shown.networks.iter().enumerate() {
            let Some(line) = network.lines.iter().find(|line| line.rule == *title) else { continue };
            let (Some(ours), Some(base)) = (line.ours, base(line)) else { continue };
            let x = place as f64;
            points.push(Point { x, y: ours.median / base, low: ours.low / base, high: ours.high / base });
            model.push((x, line.floor / base));
        }
        (!points.is_empty()).then(|| Series { model, ..Series::new(stroke, *title, "", points) })
    });
    let whose = if theirs { "eager PyTorch's BP" } else { "our own BP" };
    let version = shown.pytorch.as_ref().map_or(String::new(), |version| format!(" · PyTorch {version}"));
    let batches: Vec<String> =
        shown.networks.iter().map(|network| format!("{} {}", network.name, network.batch)).collect();
    let (device, threads, hardware) = (&shown.device, shown.threads, &shown.hardware);
    Plot {
        title: format!("Time of a training step over that of {whose}"),
        subtitle: format!("{device}, {threads} threads, {hardware}{version} · batches: {}", batches.join(", ")),
        x_label: "network".into(),
        y_label: format!("our time over that of {whose}"),
        y_remark: "bars: quartiles; crosses: the floor of what this machine could do".into(),
        ticks: shown.networks.iter().enumerate().map(|(i, network)| (i as f64, network.name.clone())).collect(),
        scale: Scale::Amount,
        spread: Spread::Bars,
        kinds: true,
        series: series.collect(),
        ..Plot::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::record::Bench;
    use crate::bench::record::tests::bench;

    #[test]
    fn rules_are_drawn_against_pytorchs_bp_or_where_there_is_none_our_own() {
        let mut bench = bench();
        let heights =
            |bench: &Bench| plot(&Shown::of(bench)).series.iter().map(|line| line.points[0].y).collect::<Vec<_>>();
        assert_eq!(heights(&bench), [2.0, 1.0]);
        bench.networks[0].lines.iter_mut().for_each(|line| line.torch_bp = None);
        assert_eq!(heights(&bench), [1.0, 0.5]);
        let dir = tempfile::tempdir().unwrap();
        let paths = write(&Shown::of(&bench), dir.path()).unwrap();
        assert!(std::fs::read_to_string(&paths[0]).unwrap().contains("our own BP"));
        bench.networks.clear();
        assert!(write(&Shown::of(&bench), dir.path()).unwrap().is_empty());
    }
}
