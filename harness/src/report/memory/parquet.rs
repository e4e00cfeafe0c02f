//! Measurements as Parquet: one row each, whatever figure or table they are for.

use crate::error::{Error, Result};
use crate::record::Footprint;
use crate::report::parquet::{Columns, FrameRow, file, stamps};
use crate::spec::{MemorySpec, Request};
use sll_core::memory::{MemoryUse, StandingBytes, StepBytes};
use sll_core::rule::StepCost;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// A measurement in its place.
pub struct Measured<'a> {
    /// Panel or column.
    pub column: &'a str,
    /// Rule, as the figure or table labels it.
    pub row: &'a str,
    /// What it is for: `depth`, or in a table `law` or `real batch`.
    pub role: &'static str,
    /// The measurement.
    pub found: &'a Footprint,
}

/// What stands before the columns of theory's bytes.
const OF_THEORY: &str = "analytic_";

/// Its file.
pub const FILE: &str = "measurements.parquet";

/// The stamps ([`crate::record::stamp`]) of the measurements in the file at `path`; none where there is no file.
pub fn read_stamps(path: &Path) -> Result<BTreeSet<String>> {
    stamps(path, "measurement_id", "seconds_per_step")
}

/// Writes `measurements.parquet` of the experiment `name` and says where it is.
pub fn write(name: &str, items: &[Measured], dir: &Path) -> Result<PathBuf> {
    let columns = Columns::of(items)
        .add("experiment", |_| name.to_string())
        .add("column", |m| m.column.to_string())
        .add("row", |m| m.row.to_string())
        .add("role", |m| m.role.to_string())
        .add("measurement_id", |m| m.found.id.clone())
        .add("network", |m| m.found.spec.network.name.clone())
        .add("depth", |m| m.found.spec.network.depth.map(|n| n as u64))
        .add("width", |m| m.found.spec.network.width.map(|n| n as u64))
        .add("image", |m| m.found.spec.image.map(|side| side.to_string()).join("x"))
        .add("classes", |m| m.found.spec.classes as u64)
        .add("batch", |m| m.found.spec.batch as u64)
        .add("rule", |m| m.found.spec.rule.title())
        .add("optimizer", |m| format!("{:?}", m.found.spec.optimizer).to_lowercase())
        .add("steps", |m| m.found.spec.steps as u64)
        .add("parameters", |m| m.found.values)
        .add("macs_total", |m| m.found.macs.total())
        .add("macs_counted", |m| m.found.macs_counted)
        .add("macs_forward", |m| m.found.macs.forward)
        .add("macs_backward", |m| m.found.macs.backward)
        .add("macs_rule", |m| m.found.macs.rule)
        .add_bytes("", |m| Some(m.found.bytes.standing))
        .add_bytes("", |m| Some(m.found.bytes.step))
        .add("live_bytes", |m| m.found.live)
        .add("step_peak_bytes", |m| m.found.step_peak)
        .add("peak_bytes", |m| m.found.peak)
        .add("step_spread_bytes", |m| m.found.spread)
        .add_bytes(OF_THEORY, |m| m.found.analytic.map(|bytes| bytes.step))
        .add("analytic_step_peak_bytes", |m| m.found.analytic.map(|bytes| bytes.step_peak()))
        .add("analytic_peak_bytes", |m| m.found.analytic.map(|bytes| bytes.total()))
        .add("most_activation_bytes", |m| m.found.most_activations)
        .add("reserved_peak_bytes", |m| m.found.reserved_peak)
        .add("peak_rss_bytes", |m| m.found.peak_rss)
        .add("seconds_per_step", |m| m.found.seconds_per_step)
        .add("memory_definition", |m| m.found.provenance.memory_definition.clone())
        .add("device", |m| m.found.provenance.device.to_string())
        .add("hardware", |m| m.found.provenance.hardware.clone())
        .add("threads", |m| m.found.provenance.threads as u64)
        .add("harness", |m| m.found.provenance.harness.clone())
        .add("backend", |m| m.found.provenance.backend.clone())
        .add("finished_unix", |m| m.found.provenance.finished_unix)
        .add("spec", |m| m.found.spec.to_toml())
        .columns;
    file::write(&dir.join(FILE), columns)
}

/// The measurement of one of the file's rows; what theory has between steps is one number there.
fn footprint(row: &FrameRow) -> Option<std::result::Result<Footprint, Error>> {
    let count = |column: &str| row.count(column);
    let text = |column: &str| row.text(column);
    let spec = text("spec")?.parse().ok().map(|table| MemorySpec::from_table(table, "its spec"))?;
    let theory = || {
        let peak = count("analytic_peak_bytes")?;
        let step: StepBytes = row.bytes(OF_THEORY, count("analytic_step_peak_bytes")?)?;
        let standing = StandingBytes { parameters: peak.checked_sub(step.total())?, ..StandingBytes::default() };
        Some(MemoryUse { standing, step })
    };
    let found = |spec: MemorySpec| {
        let (live, step_peak) = (count("live_bytes")?, count("step_peak_bytes")?);
        Some(Footprint {
            id: text("measurement_id")?,
            values: count("parameters")?,
            macs: StepCost {
                forward: count("macs_forward")?,
                backward: count("macs_backward")?,
                rule: count("macs_rule")?,
            },
            macs_counted: count("macs_counted")?,
            bytes: MemoryUse { standing: row.bytes("", live)?, step: row.bytes("", step_peak)? },
            live,
            step_peak,
            peak: count("peak_bytes")?,
            most_activations: count("most_activation_bytes")?,
            spread: count("step_spread_bytes")?,
            analytic: theory(),
            seconds_per_step: row.number("seconds_per_step")?,
            reserved_peak: count("reserved_peak_bytes"),
            peak_rss: count("peak_rss_bytes"),
            provenance: row.provenance(spec.device).ok()?,
            spec,
        })
    };
    match spec {
        Ok(spec) => found(spec).map(Ok),
        Err(error) => Some(Err(error)),
    }
}

/// The measurements in the file at `path`, each with its column and row.
///
/// # Errors
/// Where the file cannot be read as Parquet, lacks a column, or has a spec that is none today.
pub fn read(path: &Path) -> Result<Vec<(String, String, Footprint)>> {
    let frame = file::read(path)?;
    let lacks = || {
        let wrong = "lacks columns, or its bytes by category do not add up to their totals";
        Error::Failed(format!("{} {wrong}; make its page again", path.display()))
    };
    let one = |index: usize| {
        let row = FrameRow { frame: &frame, index };
        let found = footprint(&row).ok_or_else(lacks)??;
        Ok((row.text("column").ok_or_else(lacks)?, row.text("row").ok_or_else(lacks)?, found))
    };
    (0..frame.height()).map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::memory::example::footprint;

    #[test]
    fn a_measurement_is_a_row_with_its_parts_and_its_spec() {
        let dir = tempfile::tempdir().unwrap();
        let (bp, sll) = (footprint("bp", 3, 1000), footprint("name = \"sll\", units = 2", 2, 500));
        let measured = |found| Measured { column: "width 800", row: "x", role: "depth", found };
        let path = write("figure2x", &[measured(&bp), measured(&sll)], dir.path()).unwrap();
        let frame = file::read(&path).unwrap();
        assert_eq!(frame.height(), 2);
        let number = |column: &str, row| frame.column(column).unwrap().u64().unwrap().get(row);
        assert_eq!((number("step_peak_bytes", 0), number("depth", 0)), (Some(1000), Some(3)));
        assert_eq!(number("peak_bytes", 1), Some(sll.peak));
        assert_eq!(number("analytic_step_peak_bytes", 0), Some(1010));
        let rule = frame.column("rule").unwrap().str().unwrap().get(1).map(str::to_string);
        assert_eq!(rule.as_deref(), Some("SLL2+"));
    }
}
