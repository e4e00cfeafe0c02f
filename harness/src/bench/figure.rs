//! The rules that PyTorch has too, network by network, against its BP; crosses are the floor.

use super::pytorch::RULES;
use super::record::{Bench, Line};
use crate::error::Result;
use crate::report::plot::{Line as Series, Plot, Point, Scale, Spread};
use std::path::{Path, PathBuf};

/// Draws `bench.svg` and says where it is; nothing of no networks.
pub fn write(bench: &Bench, dir: &Path) -> Result<Option<PathBuf>> {
    let plot = plot(bench);
    match plot.series.is_empty() {
        true => Ok(None),
        false => plot.save(&dir.join("bench.svg")).map(Some),
    }
}

fn plot(bench: &Bench) -> Plot {
    let theirs = bench.networks.iter().flat_map(|network| &network.lines).any(|line| line.torch_bp.is_some());
    let base = |line: &Line| Some(if theirs { line.torch_bp? } else { line.bp? }.median);
    let series = RULES.iter().enumerate().filter_map(|(index, (title, _))| {
        let (mut points, mut model) = (Vec::new(), Vec::new());
        for (place, network) in bench.networks.iter().enumerate() {
            let Some(line) = network.lines.iter().find(|line| line.rule == *title) else { continue };
            let (Some(ours), Some(base)) = (line.ours, base(line)) else { continue };
            let x = place as f64;
            points.push(Point { x, y: ours.median / base, low: ours.low / base, high: ours.high / base });
            model.push((x, line.floor / base));
        }
        let (label, remark, tags) = (title.to_string(), "cross: its floor".into(), Vec::new());
        (!points.is_empty()).then_some(Series { index, label, remark, points, tags, model })
    });
    let whose = if theirs { "eager PyTorch's BP" } else { "our own BP" };
    Plot {
        title: format!("Time of a training step on {}, {} threads", bench.provenance.device, bench.provenance.threads),
        x_label: "network".into(),
        y_label: format!("time over that of {whose} (bars: quartiles)"),
        ticks: bench.networks.iter().enumerate().map(|(i, network)| (i as f64, network.network.to_string())).collect(),
        scale: Scale::Amount,
        spread: Spread::Bars,
        series: series.collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::record::tests::bench;

    #[test]
    fn rules_are_drawn_against_pytorchs_bp_or_where_there_is_none_our_own() {
        let mut bench = bench();
        let heights = |bench: &Bench| plot(bench).series.iter().map(|line| line.points[0].y).collect::<Vec<_>>();
        assert_eq!(heights(&bench), [2.0, 1.0]);
        bench.networks[0].lines.iter_mut().for_each(|line| line.torch_bp = None);
        assert_eq!(heights(&bench), [1.0, 0.5]);
        let dir = tempfile::tempdir().unwrap();
        let path = write(&bench, dir.path()).unwrap().unwrap();
        assert!(std::fs::read_to_string(path).unwrap().contains("our own BP"));
        bench.networks.clear();
        assert_eq!(write(&bench, dir.path()).unwrap(), None);
    }
}
