//! Throughput and step memory against the number of workers, a figure each for every network.

use super::{PipelineBench, PipelinedNetwork, Way, WayTimes};
use crate::error::Result;
use crate::report::picture::{Line as Series, Plot, Point, Scale, Spread, Stroke, of_part, of_rule, save_all};
use crate::units::MIB;
use std::path::{Path, PathBuf};

/// Draws every network as SVG and as PNG and says where they are.
pub fn write(found: &PipelineBench, dir: &Path) -> Result<Vec<PathBuf>> {
    let plots = found.networks.iter().flat_map(|measured| {
        let [throughput, memory] = names(measured);
        [(throughput, images(found, measured)), (memory, bytes(found, measured))]
    });
    save_all(plots, dir)
}

/// The names of a network's figures.
pub(super) fn names(measured: &PipelinedNetwork) -> [String; 2] {
    ["throughput", "memory"].map(|what| format!("{what}-{}", measured.network))
}

fn plot(found: &PipelineBench, measured: &PipelinedNetwork, title: &str) -> Plot {
    let most = measured.units.len();
    Plot {
        title: format!("{title}, {} on {}", measured.rule, measured.title),
        subtitle: format!("flex, {}", found.provenance.hardware),
        x_label: "N, workers of one thread each".into(),
        ticks: (1..=most).map(|n| (n as f64, n.to_string())).collect(),
        scale: Scale::Amount,
        spread: Spread::Bars,
        ..Plot::default()
    }
}

fn point(x: usize, y: f64, low: f64, high: f64) -> Point {
    Point { x: x as f64, y, low, high }
}

/// The same value for every N.
fn level(measured: &PipelinedNetwork, stroke: Stroke, label: String, value: f64) -> Series {
    let ends = [1, measured.units.len()].map(|n| point(n, value, value, value));
    Series::new(stroke, label, "", ends.to_vec())
}

fn pipelines(measured: &PipelinedNetwork) -> impl Iterator<Item = (usize, &WayTimes)> {
    measured.lines.iter().filter_map(|line| match line.way {
        Way::Pipeline(workers) if workers <= measured.units.len() => Some((workers, line)),
        _ => None,
    })
}

fn name(measured: &PipelinedNetwork) -> &'static str {
    let info = baselines::rules().iter().find(|info| info.title == measured.rule);
    info.map_or("sll", |info| info.settings.name())
}

fn images(found: &PipelineBench, measured: &PipelinedNetwork) -> Plot {
    let (threads, batch, own) = (found.provenance.threads, measured.batch as f64, of_rule(name(measured)));
    let simulated = |index: usize, label: &str, rate: &dyn Fn(usize) -> f64| {
        let points = (1..=measured.units.len()).map(|n| point(n, rate(n), rate(n), rate(n)));
        Series::new(of_part(index), label, "simulated", points.collect())
    };
    let mut series =
        vec![simulated(0, "N cores", &|n| measured.cores(n)), simulated(1, "N devices", &|n| measured.devices(n))];
    let levels = [(Way::Bp, "BP", of_rule("bp")), (Way::Serial, measured.rule.as_str(), own.part(0, 2))];
    for (way, title, stroke) in levels {
        if let Some(line) = measured.line(way) {
            series.push(level(measured, stroke, format!("{title}, {threads} threads"), measured.images(line)));
        }
    }
    let rate = |(n, line): (usize, &WayTimes)| {
        point(n, batch / line.step.median, batch / line.step.high, batch / line.step.low)
    };
    series.push(Series::new(own, format!("{}, N workers", measured.rule), "", pipelines(measured).map(rate).collect()));
    Plot {
        y_label: "images a second".into(),
        y_remark: "bars: quartiles of bursts".into(),
        series,
        ..plot(found, measured, "Throughput")
    }
}

fn bytes(found: &PipelineBench, measured: &PipelinedNetwork) -> Plot {
    let (threads, own) = (found.provenance.threads, of_rule(name(measured)));
    let mib = |bytes: u64| bytes as f64 / MIB;
    let mut series = Vec::new();
    let levels = [(Way::Bp, "BP", of_rule("bp")), (Way::Serial, measured.rule.as_str(), own.part(0, 2))];
    for (way, title, stroke) in levels {
        if let Some(line) = measured.line(way) {
            series.push(level(measured, stroke, format!("{title}, {threads} threads"), mib(line.peak)));
        }
    }
    let points = pipelines(measured).map(|(n, line)| point(n, mib(line.peak), mib(line.peak), mib(line.peak)));
    series.push(Series::new(own, format!("{}, N workers", measured.rule), "", points.collect()));
    Plot {
        y_label: "step memory, MiB".into(),
        y_remark: "above parameters, optimiser state and fixed matrices".into(),
        series,
        ..plot(found, measured, "Memory of a step")
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::found;
    use super::*;

    #[test]
    fn each_network_has_a_figure_of_throughput_and_one_of_memory() {
        let found = found();
        let heights = |plot: &Plot| plot.series.iter().map(|line| line.points[0].y).collect::<Vec<_>>();
        let drawn = images(&found, &found.networks[0]);
        assert_eq!(drawn.series.len(), 5);
        assert!((heights(&drawn)[2] - 12_500.0).abs() < 1e-6);
        assert_eq!(heights(&bytes(&found, &found.networks[0])), [5.0, 3.0, 3.0]);
        let dir = tempfile::tempdir().unwrap();
        let written = write(&found, dir.path()).unwrap();
        assert!(written.iter().any(|path| path.ends_with("throughput-vit.svg")), "{written:?}");
    }
}
