//! A bench as Parquet: a row a network and rule.

use super::record::{Bench, NetworkTimes, Quartiles, RuleTimes};
use super::shown::{Shown, ShownLine, ShownNetwork};
use crate::error::{Error, Result};
use crate::report::parquet::{Columns, FrameRow, file};
use std::path::{Path, PathBuf};

/// Its file.
pub const FILE: &str = "bench.parquet";

/// Writes `bench.parquet` and says where it is.
pub fn write(bench: &Bench, dir: &Path) -> Result<PathBuf> {
    let items: Vec<(&NetworkTimes, &RuleTimes)> =
        bench.networks.iter().flat_map(|network| network.lines.iter().map(move |line| (network, line))).collect();
    let place = &bench.provenance;
    let median = |spread: Option<Quartiles>| spread.map(|spread| spread.median);
    let mut columns = Columns::of(&items)
        .add("network", |(network, _)| network.title.clone())
        .add("batch", |(network, _)| network.batch as u64)
        .add("rule", |(_, line)| line.rule.to_string())
        .add("missing", |(_, line)| line.missing.clone());
    type Of = fn(&RuleTimes) -> Option<Quartiles>;
    let spreads: [(&str, Of); 5] = [
        ("step", |line| line.ours),
        ("bp", |line| line.bp),
        ("pytorch_bp", |line| line.torch_bp),
        ("pytorch", |line| line.torch),
        ("pytorch_fused", |line| line.fused),
    ];
    for (name, of) in spreads {
        columns = columns
            .add(&format!("{name}_seconds"), |(_, line)| median(of(line)))
            .add(&format!("{name}_lower_quartile"), |(_, line)| of(line).map(|spread| spread.low))
            .add(&format!("{name}_upper_quartile"), |(_, line)| of(line).map(|spread| spread.high))
            .add(&format!("{name}_steps"), |(_, line)| of(line).map(|spread| spread.n as u64));
    }
    for (index, name) in ["step", "pytorch", "pytorch_fused"].into_iter().enumerate() {
        columns = columns
            .add(&format!("{name}_calls"), |(_, line)| line.asked[index].map(|asked| asked.calls))
            .add(&format!("{name}_calls_with_work"), |(_, line)| line.asked[index].map(|asked| asked.work))
            .add(&format!("{name}_waits"), |(_, line)| line.asked[index].map(|asked| asked.waits));
    }
    let columns = columns
        .add("macs", |(_, line)| line.macs)
        .add("bp_macs", |(_, line)| line.bp_macs)
        .add("trained_values", |(_, line)| line.values as u64)
        .add("floor_seconds", |(_, line)| line.floor)
        .add("macs_per_second", |(network, _)| network.rates.macs)
        .add("copied_bytes_per_second", |(network, _)| network.rates.bytes)
        .add("our_macs_per_second", |(network, _)| network.products.0)
        .add("pytorch_macs_per_second", |(network, _)| network.products.1)
        .add("pytorch_version", |_| bench.pytorch.clone().ok())
        .add("device", |_| place.device.to_string())
        .add("hardware", |_| place.hardware.clone())
        .add("threads", |_| place.threads as u64)
        .add("harness", |_| place.harness.clone())
        .add("backend", |_| place.backend.clone())
        .add("finished_unix", |_| place.finished_unix)
        .columns;
    file::write(&dir.join(FILE), columns)
}

/// What the figure shows of the bench in the file at `path`: networks with the times of the rules that PyTorch has too.
///
/// # Errors
/// Where the file cannot be read as Parquet, or lacks a column.
pub fn read(path: &Path) -> Result<Shown> {
    let frame = file::read(path)?;
    let rows = (0..frame.height()).map(|index| FrameRow { frame: &frame, index });
    let mut networks: Vec<ShownNetwork> = Vec::new();
    let mut place = None;
    for row in rows {
        let parts = || {
            let spread = |name: &str| {
                let number = |what: &str| row.number(&format!("{name}_{what}"));
                let (median, low, high) = (number("seconds")?, number("lower_quartile")?, number("upper_quartile")?);
                Some(Quartiles { n: row.count(&format!("{name}_steps"))? as usize, low, median, high })
            };
            let title = row.text("network")?;
            let name = title.split(',').next()?.to_string();
            let line = ShownLine {
                rule: row.text("rule")?,
                ours: spread("step"),
                bp: spread("bp"),
                torch_bp: spread("pytorch_bp"),
                floor: row.number("floor_seconds")?,
            };
            let place =
                (row.text("device")?, row.count("threads")?, row.text("hardware")?, row.text("pytorch_version"));
            Some((name, row.count("batch")? as usize, line, place))
        };
        let lacks = || Error::Failed(format!("{} lacks columns; make its page again", path.display()));
        let (name, batch, line, of) = parts().ok_or_else(lacks)?;
        place = Some(of);
        match networks.last_mut().filter(|network| network.name == name) {
            Some(network) => network.lines.push(line),
            None => networks.push(ShownNetwork { name, batch, lines: vec![line] }),
        }
    }
    let (device, threads, hardware, pytorch) = place.unwrap_or_default();
    Ok(Shown { device, threads: threads as usize, hardware, pytorch, networks })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::record::tests::bench;

    #[test]
    fn what_the_figure_shows_comes_back_as_it_was() {
        let dir = tempfile::tempdir().unwrap();
        let path = write(&bench(), dir.path()).unwrap();
        assert_eq!(read(&path).unwrap(), Shown::of(&bench()));
    }

    #[test]
    fn a_rule_is_a_row_with_its_medians_and_one_that_does_not_run_has_none() {
        let dir = tempfile::tempdir().unwrap();
        let path = write(&bench(), dir.path()).unwrap();
        let frame = file::read(&path).unwrap();
        assert_eq!(frame.height(), 3);
        let number = |column: &str, row| frame.column(column).unwrap().f64().unwrap().get(row);
        assert_eq!((number("step_seconds", 1), number("pytorch_seconds", 1)), (Some(0.02), Some(0.015)));
        assert_eq!((number("step_seconds", 2), number("floor_seconds", 1)), (None, Some(0.016)));
        let count = |column: &str, row| frame.column(column).unwrap().u64().unwrap().get(row);
        assert_eq!((count("step_calls", 1), count("pytorch_waits", 1)), (Some(60), Some(1)));
        assert_eq!((count("step_calls", 2), count("pytorch_fused_calls_with_work", 1)), (None, Some(50)));
    }
}
