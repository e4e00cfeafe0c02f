//! Which measurements a table is made of, and which of the sizes that the paper's text allows stands.

use super::cell::MemoryCell;
use super::{MemoryColumn, MemoryRow, Size};
use crate::error::Result;
use crate::paper::{self, QuotedMemory};
use crate::pool::Job;
use crate::record::Footprint;
use crate::spec::{DeviceName, MemorySpec};
use crate::store::Store;
use crate::units::GIB;

/// Where `paper.toml` has the quoted numbers.
const QUOTED: &str = "table3";

/// A measurement, or why it is impossible.
pub fn spec(
    column: &MemoryColumn,
    size: &Size,
    row: &MemoryRow,
    batch: usize,
    device: DeviceName,
) -> Result<std::result::Result<MemorySpec, String>> {
    let spec = MemorySpec {
        network: size.network.clone(),
        image: column.input.image,
        classes: column.input.classes,
        batch,
        rule: row.rule(1)?,
        optimizer: column.input.optimizer,
        momentum: 0.0,
        steps: column.input.steps,
        threads: 1,
        device,
    };
    spec.validate()?;
    Ok(spec.unsupported()?.map_or(Ok(spec), Err))
}

/// The measurements of `rows` at `batches`.
pub fn jobs_at(
    column: &MemoryColumn,
    size: &Size,
    rows: &[MemoryRow],
    batches: &[usize],
    device: DeviceName,
) -> Result<Vec<Job<MemorySpec>>> {
    let mut jobs = Vec::new();
    for (row, &batch) in rows.iter().flat_map(|row| batches.iter().map(move |batch| (row, batch))) {
        if let Ok(spec) = spec(column, size, row, batch, device)? {
            let title = format!("{} | {} | {}, batch {batch}", column.label, row.label, spec.network.name);
            jobs.push(Job { title, request: spec, need: None });
        }
    }
    Ok(jobs)
}

/// The measurements of the cell whose real batch `spec` has.
pub fn cell(column: &MemoryColumn, spec: &MemorySpec, store: &Store) -> Result<MemoryCell> {
    let mut probes: Vec<Footprint> = Vec::new();
    for batch in column.probes {
        probes.extend(store.find(&MemorySpec { batch, ..spec.clone() })?);
    }
    Ok(MemoryCell { probes, full: store.find(spec)?, batch: spec.batch, ..MemoryCell::default() })
}

/// The size whose first row comes nearest the paper's figure, in ratio, and that row's bytes at every size.
pub fn choose(
    first: &MemoryRow,
    column: &MemoryColumn,
    device: DeviceName,
    store: &Store,
) -> Result<(usize, Vec<Option<f64>>)> {
    let mut bytes = Vec::new();
    for size in &column.sizes {
        bytes.push(match spec(column, size, first, size.batch, device)? {
            Ok(spec) => cell(column, &spec, store)?.predicted(size.batch),
            Err(_) => None,
        });
    }
    let quoted = quoted(column, first).map(|quoted| quoted.gb);
    // The gigabyte that tools which report a GPU's memory mostly mean; the paper does not say.
    Ok((quoted.and_then(|gb| nearest(&bytes, gb * GIB)).unwrap_or(0), bytes))
}

/// Which of `bytes` is nearest to `wanted`, in ratio.
fn nearest(bytes: &[Option<f64>], wanted: f64) -> Option<usize> {
    let distance = |bytes: f64| (bytes / wanted).ln().abs();
    let known = bytes.iter().enumerate().filter_map(|(index, bytes)| Some((index, distance((*bytes)?))));
    known.min_by(|a, b| a.1.total_cmp(&b.1)).map(|(index, _)| index)
}

/// What the paper prints in a cell.
pub fn quoted(column: &MemoryColumn, row: &MemoryRow) -> Option<QuotedMemory> {
    paper::quoted_memory(QUOTED, column.quoted.as_deref()?, row.quoted.as_ref().unwrap_or(&row.label))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_is_so_in_ratio_and_among_what_is_known() {
        assert_eq!(nearest(&[Some(1.0), None, Some(8.0)], 3.0), Some(2));
        assert_eq!(nearest(&[Some(1.0), None, Some(8.0)], 2.0), Some(0));
        assert_eq!(nearest(&[None], 3.0), None);
    }
}
