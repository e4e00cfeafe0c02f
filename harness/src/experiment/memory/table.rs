//! The paper's Table 3, memory: rules at the paper's sizes, measured where that fits into memory and otherwise
//! extrapolated from smaller batches. A step's peak is the largest of several affine functions of the batch, and long
//! matrices come in larger chunks beyond some size, so that the law through two batches holds near them and is an
//! approximation far from them.

use super::cell::{MemoryCell, Value};
use super::plan::{cell, choose, jobs_at, spec};
use super::{MemoryColumn, Size, Table};
use crate::error::{Error, Result};
use crate::pool::{Job, Pool};
use crate::record::Footprint;
use crate::spec::{DeviceName, MemorySpec, Request};
use crate::store::Store;
use crate::talk::say;
use crate::units::GIB;
use crate::weigh::analytic;
use baselines::RuleSpec;
use std::collections::HashSet;

/// Of the predicted bytes, for the allocator's slack and the program itself.
const MARGIN: f64 = 1.1;

/// A column with its measurements.
#[derive(Clone, Debug)]
pub struct FilledColumn {
    /// Bytes of the first row at every size that the paper's text allows; `None` where they were not measured.
    pub candidates: Vec<Option<f64>>,
    /// Which of the sizes stands.
    pub chosen: usize,
    /// One cell a row.
    pub cells: Vec<MemoryCell>,
}

/// A table with its measurements.
#[derive(Clone, Debug)]
pub struct TableData {
    /// What was asked for.
    pub table: Table,
    /// The command that made it.
    pub command: String,
    /// Bytes that one measurement was allowed to need.
    pub limit: u64,
    /// Columns in order.
    pub columns: Vec<FilledColumn>,
}

/// How a table is made.
#[derive(Clone, Debug)]
pub struct MemoryChoices<'a> {
    /// On what.
    pub device: DeviceName,
    /// How measurements are made.
    pub pool: &'a Pool,
    /// Bytes that one measurement may need.
    pub limit: u64,
    /// Leave the real batches alone; what was measured at them before still stands.
    pub extrapolate: bool,
    /// For the report.
    pub command: &'a str,
}

/// Makes what is missing and collects the table. Measurements that fail leave their cells empty and come back as the
/// second value.
pub fn make(table: &Table, choices: &MemoryChoices, store: &Store) -> Result<(TableData, Result<()>)> {
    let mut outcome = Ok(());
    let mut measure = |jobs: Vec<Job<MemorySpec>>| match choices.pool.make(&jobs, store) {
        Err(Error::Interrupted) => Err(Error::Interrupted),
        Err(error) => {
            outcome = Err(error);
            Ok(())
        }
        Ok(()) => Ok(()),
    };
    let of_sizes = size_jobs(table, choices.device)?;
    if !of_sizes.is_empty() {
        say!("which sizes the paper means: {} at two small batches of each", table.rows[0].label);
        measure(of_sizes)?;
    }
    let chosen = chosen(table, choices.device, store)?;
    let sizes = sizes(table, &chosen);
    say!("every rule at three small batches");
    measure(probe_jobs(table, &sizes, choices.device)?)?;
    if !choices.extrapolate {
        say!("the real batches, where the prediction stays below {:.1} GiB", choices.limit as f64 / GIB);
        let mut jobs = real_jobs(table, &sizes, choices.device, store)?;
        jobs.retain(|job| job.need.is_some_and(|need| need <= choices.limit));
        // The small ones first: what an interruption leaves is then the most cells.
        jobs.sort_by_key(|job| job.need);
        measure(jobs)?;
    }
    let mut columns = Vec::new();
    for ((column, size), (index, candidates)) in sizes.into_iter().zip(&chosen) {
        let mut cells = Vec::new();
        for row in &table.rows {
            cells.push(match spec(column, size, row, size.batch, choices.device)? {
                Ok(spec) => MemoryCell {
                    theory: analytic(&spec)?,
                    units_alone: units_alone(&spec)?,
                    ..cell(column, &spec, store)?
                },
                Err(reason) => MemoryCell { missing: Some(reason), ..MemoryCell::default() },
            });
        }
        columns.push(FilledColumn { candidates: candidates.clone(), chosen: *index, cells });
    }
    let command = choices.command.to_string();
    Ok((TableData { table: table.clone(), command, limit: choices.limit, columns }, outcome))
}

/// Of each column the index of the size that stands by what `store` has, and the first row's bytes at every size.
type Chosen = (usize, Vec<Option<f64>>);

fn chosen(table: &Table, device: DeviceName, store: &Store) -> Result<Vec<Chosen>> {
    table.columns.iter().map(|column| choose(&table.rows[0], column, device, store)).collect()
}

/// Each column with its size of `chosen`.
fn sizes<'a>(table: &'a Table, chosen: &[Chosen]) -> Vec<(&'a MemoryColumn, &'a Size)> {
    table.columns.iter().zip(chosen).map(|(column, (index, _))| (column, &column.sizes[*index])).collect()
}

/// Of columns with several sizes the first row's measurements that choose one.
fn size_jobs(table: &Table, device: DeviceName) -> Result<Vec<Job<MemorySpec>>> {
    let mut jobs = Vec::new();
    for column in table.columns.iter().filter(|column| column.sizes.len() > 1) {
        for size in &column.sizes {
            jobs.extend(jobs_at(column, size, &table.rows[..1], &column.probes[..2], device)?);
        }
    }
    Ok(jobs)
}

/// Every row's small batches, from which larger ones are predicted.
fn probe_jobs(table: &Table, sizes: &[(&MemoryColumn, &Size)], device: DeviceName) -> Result<Vec<Job<MemorySpec>>> {
    let of = |(column, size): &(&MemoryColumn, &Size)| jobs_at(column, size, &table.rows, &column.probes, device);
    Ok(sizes.iter().map(of).collect::<Result<Vec<_>>>()?.concat())
}

/// Every row's real batches, with what they are predicted to need where the small ones are there.
fn real_jobs(
    table: &Table,
    sizes: &[(&MemoryColumn, &Size)],
    device: DeviceName,
    store: &Store,
) -> Result<Vec<Job<MemorySpec>>> {
    let mut jobs = Vec::new();
    for (column, size) in sizes {
        for mut job in jobs_at(column, size, &table.rows, &[size.batch], device)? {
            let cell = cell(column, &job.request, store)?;
            job.need = cell.predicted(size.batch).map(|bytes| (bytes * MARGIN) as u64);
            jobs.push(job);
        }
    }
    Ok(jobs)
}

/// The measurements that [`make`] would make by what the store has now: it decides which of several sizes stands, and
/// which real batches are known to have no room.
pub fn jobs(table: &Table, choices: &MemoryChoices, store: &Store) -> Result<Vec<Job<MemorySpec>>> {
    let device = choices.device;
    let chosen = chosen(table, device, store)?;
    let sizes = sizes(table, &chosen);
    let mut jobs = [size_jobs(table, device)?, probe_jobs(table, &sizes, device)?].concat();
    if !choices.extrapolate {
        let has_room = |job: &Job<MemorySpec>| job.need.is_none_or(|need| need <= choices.limit);
        jobs.extend(real_jobs(table, &sizes, device, store)?.into_iter().filter(has_room));
    }
    let mut seen = HashSet::new();
    jobs.retain(|job| seen.insert(job.request.id()));
    Ok(jobs)
}

/// The most, in percent of what BP's layers keep, that SLL with these units can save by keeping one unit at a time:
/// `1 - largest unit / all`. `None` for other rules, and for units that run again in place of being kept.
fn units_alone(spec: &MemorySpec) -> Result<Option<f64>> {
    let RuleSpec::Sll(rule) = spec.rule else { return Ok(None) };
    let places = spec.places()?;
    let largest = places.div_ceil(rule.units.unwrap_or(places));
    Ok((!rule.recompute).then(|| 100.0 * (1.0 - largest as f64 / places as f64)))
}

impl FilledColumn {
    /// By how many percent the cell of row `row` is below that of row `base`, by `of`; `None` for rows up to that one.
    pub fn reduction(&self, (row, base): (usize, usize), of: impl Fn(&Value) -> u64) -> Option<f64> {
        let value = |row: usize| Some(of(&self.cells.get(row)?.value()?) as f64);
        (row > base).then(|| Some(100.0 * (1.0 - value(row)? / value(base)?)))?
    }
}

impl TableData {
    /// Every measurement with its column, its row and what it is for.
    pub fn each(&self) -> impl Iterator<Item = (&str, &str, &'static str, &Footprint)> {
        self.table.columns.iter().zip(&self.columns).flat_map(move |(column, filled)| {
            filled.cells.iter().zip(&self.table.rows).flat_map(move |(cell, row)| {
                let probes = cell.probes.iter().map(|found| ("law", found));
                let all = probes.chain(cell.full.iter().map(|found| ("real batch", found)));
                all.map(move |(role, found)| (column.label.as_str(), row.label.as_str(), role, found))
            })
        })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::experiment::memory::{MemoryExperiment, example, parse};

    /// A table of three rows and one column with two possible sizes. BP holds `per_sample` bytes a sample.
    pub fn report(full: bool) -> TableData {
        let text = r#"
            kind = "memory-table"
            name = "table3"
            title = "Table 3"
            rows = [
                { label = "BP", rule = { name = "bp" } },
                { label = "SLL7+", rule = { name = "sll", units = 2 } },
                { label = "SLL12+", rule = { name = "sll", units = 12 } },
            ]
            [[columns]]
            label = "CIFAR-10"
            quoted = "cifar-10"
            probes = [2, 4, 6]
            input = { image = [1, 8, 8], classes = 10, optimizer = "adamw", steps = 2 }
            sizes = [
                { label = "small", network = { name = "mlp-2x800" }, batch = 8 },
                { label = "large", network = { name = "mlp-2x800" }, batch = 64 },
            ]
        "#;
        let MemoryExperiment::MemoryTable(table) = parse(text, "test").unwrap() else { panic!("a table") };
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let column = &table.columns[0];
        for (row, per_sample) in table.rows.iter().zip([50 << 20, 20 << 20, 0]) {
            for batch in column.probes.into_iter().chain(full.then_some(64)) {
                if let Ok(spec) = spec(column, &column.sizes[0], row, batch, DeviceName::Flex).unwrap() {
                    example::put(&store, &example::of(spec, per_sample * batch as u64));
                }
            }
        }
        let pool = Pool { at_once: 1, ..Pool::default() };
        let command = "harness footprint table3";
        let choices =
            MemoryChoices { device: DeviceName::Flex, pool: &pool, limit: 1 << 30, extrapolate: true, command };
        let (report, outcome) = make(&table, &choices, &store).unwrap();
        outcome.unwrap();
        report
    }

    #[test]
    fn of_the_sizes_that_nearest_the_quoted_memory_stands() {
        let report = report(false);
        // 3.05 quoted: 64 samples of 50 MiB are 3.1 GiB, 8 of them 0.4.
        assert_eq!(report.columns[0].chosen, 1);
    }

    #[test]
    fn cells_say_how_they_were_made_and_why_they_are_empty() {
        let (law, real) = (report(false), report(true));
        let values =
            |report: &TableData| report.columns[0].cells[..2].iter().map(|c| c.value().unwrap()).collect::<Vec<_>>();
        assert!(values(&law).iter().all(|value| !value.measured) && values(&real).iter().all(|value| value.measured));
        for (law, real) in values(&law).iter().zip(values(&real)) {
            assert!(law.bytes.total().abs_diff(real.bytes.total()) < 16, "the law is exact here");
        }
        assert!(law.columns[0].cells[2].missing.as_ref().unwrap().contains("1 to 3"));
        let reduction = law.columns[0].reduction((1, 0), |value| value.bytes.step_peak()).unwrap();
        assert!((reduction - 60.0).abs() < 0.01, "{reduction}");
        assert_eq!(law.columns[0].reduction((0, 0), |value| value.bytes.step_peak()), None);
        // Three layers in two units: the larger has two of them.
        let bounds: Vec<_> = law.columns[0].cells.iter().map(|cell| cell.units_alone).collect();
        assert_eq!((bounds[0], bounds[2]), (None, None));
        assert!((bounds[1].unwrap() - 33.33).abs() < 0.01, "{bounds:?}");
        assert_eq!((law.each().count(), real.each().count()), (6, 8));
    }
}
