//! What was measured as Parquet: a row a network and way.

use super::{PipelineBench, PipelinedNetwork, Way, WayTimes};
use crate::error::Result;
use crate::report::parquet::{Columns, file};
use std::path::{Path, PathBuf};

/// Its file.
pub const FILE: &str = "pipeline.parquet";

/// Writes `pipeline.parquet` and says where it is.
pub fn write(found: &PipelineBench, dir: &Path) -> Result<PathBuf> {
    let lines = |network| move |line| (network, line);
    let items: Vec<(&PipelinedNetwork, &WayTimes)> =
        found.networks.iter().flat_map(|network| network.lines.iter().map(lines(network))).collect();
    let place = &found.provenance;
    let units = |network: &PipelinedNetwork| network.units.iter().map(f64::to_string).collect::<Vec<_>>().join(" ");
    let columns = Columns::of(&items)
        .add("network", |(network, _)| network.title.clone())
        .add("batch", |(network, _)| network.batch as u64)
        .add("rule", |(network, line)| match line.way {
            Way::Bp => "BP".to_string(),
            Way::Serial | Way::Pipeline(_) => network.rule.clone(),
        })
        .add("workers", |(_, line)| match line.way {
            Way::Bp | Way::Serial => None,
            Way::Pipeline(workers) => Some(workers as u64),
        })
        .add("threads", |(_, line)| match line.way {
            Way::Bp | Way::Serial => place.threads as u64,
            Way::Pipeline(_) => 1,
        })
        .add("step_seconds", |(_, line)| line.step.median)
        .add("step_lower_quartile", |(_, line)| line.step.low)
        .add("step_upper_quartile", |(_, line)| line.step.high)
        .add("bursts", |(_, line)| line.step.n as u64)
        .add("gain", |(network, line)| network.gain(line))
        .add("bound", |(network, line)| network.bound(line))
        .add("slowed", |(network, line)| network.slowed(line))
        .add("step_peak_bytes", |(_, line)| line.peak)
        .add("unit_seconds", |(network, _)| units(network))
        .add("device", |_| place.device.to_string())
        .add("hardware", |_| place.hardware.clone())
        .add("harness", |_| place.harness.clone())
        .add("backend", |_| place.backend.clone())
        .add("finished_unix", |_| place.finished_unix)
        .columns;
    file::write(&dir.join(FILE), columns)
}

#[cfg(test)]
mod tests {
    use super::super::tests::found;
    use super::*;

    #[test]
    fn a_way_is_a_row_with_its_seconds_and_bytes() {
        let dir = tempfile::tempdir().unwrap();
        let frame = file::read(&write(&found(), dir.path()).unwrap()).unwrap();
        assert_eq!(frame.height(), 8);
        let count = |column: &str, row| frame.column(column).unwrap().u64().unwrap().get(row);
        assert_eq!(
            (count("workers", 1), count("workers", 3), count("step_peak_bytes", 3)),
            (None, Some(2), Some(6 << 20))
        );
        let times = |column: &str, row| frame.column(column).unwrap().f64().unwrap().get(row);
        assert_eq!((times("gain", 3), times("bound", 1)), (Some(1.4), None));
        let close = |column: &str, expected: f64| (times(column, 3).unwrap() - expected).abs() < 1e-9;
        assert!(close("bound", 1.4) && close("slowed", 1.1));
    }
}
