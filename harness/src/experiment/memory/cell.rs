//! One cell of a memory table: the law through its small batches, and its value at the real one.

use super::law::Affine;
use crate::record::Footprint;
use sll_core::memory::{ByCategory, MemoryUse, StandingBytes, StepBytes};

/// A rule at one size.
#[derive(Clone, Debug, Default)]
pub struct MemoryCell {
    /// Why there is nothing.
    pub missing: Option<String>,
    /// Small batches: two through which the law is laid, and a third on which it is checked.
    pub probes: Vec<Footprint>,
    /// The real batch, measured.
    pub full: Option<Footprint>,
    /// The real batch.
    pub batch: usize,
    /// What theory says of the real batch, where the rule is modelled.
    pub theory: Option<MemoryUse>,
    /// The most, in percent, that its units alone can save.
    pub units_alone: Option<f64>,
}

/// What stands in a cell.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Value {
    /// Bytes at the real batch.
    pub bytes: MemoryUse,
    /// Measured there, or extrapolated.
    pub measured: bool,
}

impl MemoryCell {
    /// `bytes = a + b batch` of what `part` picks, through the first two small batches.
    fn law_of(&self, part: impl Fn(&MemoryUse) -> u64) -> Option<Affine> {
        let [first, second, ..] = &self.probes[..] else { return None };
        let point = |found: &Footprint| (found.spec.batch as f64, part(&found.bytes) as f64);
        Some(Affine::through(point(first), point(second)))
    }

    /// What `part` picks, at the real batch by its law.
    fn extrapolated(&self, part: impl Fn(&MemoryUse) -> u64) -> Option<u64> {
        Some(self.law_of(part)?.at(self.batch as f64).max(0.0).round() as u64)
    }

    /// The law of the whole peak.
    pub fn law(&self) -> Option<Affine> {
        self.law_of(MemoryUse::total)
    }

    /// The whole peak at `batch` by the law.
    pub fn predicted(&self, batch: usize) -> Option<f64> {
        self.law().map(|law| law.at(batch as f64))
    }

    /// By how many percent the law is off where it was not laid through: at the third small batch, and at the real one.
    pub fn deviations(&self) -> [Option<f64>; 2] {
        let off = |found: &Footprint| Some(self.law()?.deviation((found.spec.batch as f64, found.peak as f64)));
        [self.probes.get(2).and_then(off), self.full.as_ref().and_then(off)]
    }

    /// By how many percent theory is off the step's peak at the real batch, measured or extrapolated.
    pub fn theory_off(&self) -> Option<f64> {
        Some(100.0 * (self.theory?.step_peak() as f64 / self.value()?.bytes.step_peak() as f64 - 1.0))
    }

    /// What stands in the cell.
    pub fn value(&self) -> Option<Value> {
        if let Some(full) = &self.full {
            return Some(Value { bytes: full.bytes, measured: true });
        }
        // The step's peak by a law of its own: its parts may be those of different moments at the two batches.
        let mut rest = self.extrapolated(MemoryUse::step_peak)?;
        let mut left = StepBytes::CATEGORIES.len();
        let step = StepBytes::of_each(|category| {
            left -= 1;
            let part = self.extrapolated(|bytes| category.of(bytes.step)).unwrap_or(0).min(rest);
            rest -= part;
            if left == 0 { part + rest } else { part }
        });
        let standing =
            StandingBytes::of_each(|category| self.extrapolated(|bytes| category.of(bytes.standing)).unwrap_or(0));
        Some(Value { bytes: MemoryUse { standing, step }, measured: false })
    }

    /// Work and time as far as they are known: of the real batch, else of the largest small one.
    pub fn representative(&self) -> Option<&Footprint> {
        self.full.as_ref().or(self.probes.last())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::memory::example;

    /// Probes of 2, 4 and 6 samples whose step holds `step(batch)` bytes.
    fn cell(step: impl Fn(u64) -> u64) -> MemoryCell {
        let probe = |batch: usize| {
            let base = example::footprint("bp", 2, 0).spec;
            example::of(crate::spec::MemorySpec { batch, ..base }, step(batch as u64))
        };
        MemoryCell { probes: [2, 4, 6].map(probe).to_vec(), batch: 100, ..MemoryCell::default() }
    }

    #[test]
    fn an_affine_law_carries_every_part_to_the_real_batch() {
        let cell = cell(|batch| 1000 + 400 * batch);
        let value = cell.value().unwrap();
        assert!(!value.measured);
        assert_eq!((value.bytes.step_peak(), value.bytes.step.activations), (41_000, 20_500));
        assert_eq!(value.bytes.standing.parameters, 8192);
        assert!(cell.deviations()[0].unwrap().abs() < 1e-9);
        assert_eq!(cell.deviations()[1], None);
    }

    #[test]
    fn an_extrapolated_cell_is_its_line_though_its_parts_are_of_different_moments() {
        let mut cell = cell(|batch| 100_000 + 400 * batch);
        for (found, workspace) in cell.probes.iter_mut().zip([60_000, 20_000, 10]) {
            let step = found.bytes.step_peak();
            found.bytes.step = StepBytes { activations: step - workspace, gradients: 0, workspace };
        }
        let value = cell.value().unwrap();
        assert_eq!(value.bytes.step_peak(), 140_000);
        assert!((value.bytes.total() as f64 - cell.law().unwrap().at(100.0)).abs() < 2.0);
    }

    #[test]
    fn what_is_not_affine_shows_at_the_third_batch() {
        let bent = cell(|batch| 100_000 * batch * batch);
        assert!(bent.deviations()[0].unwrap() < -10.0);
        let few = MemoryCell { probes: bent.probes[..1].to_vec(), ..bent };
        assert_eq!((few.law(), few.value()), (None, None));
    }
}
