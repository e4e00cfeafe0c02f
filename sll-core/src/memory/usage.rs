//! How much memory training takes, by category.

use super::StepBytes;
use serde::{Deserialize, Serialize};

/// The memory of training by category, in bytes; measured, or as theory has it.
///
/// The first four stand between steps; a step's are what the heap is made of, above those four, at the moment when it
/// holds most.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemoryUse {
    /// The network's parameters.
    pub parameters: u64,
    /// The optimiser's state.
    pub optimizer_state: u64,
    /// What the rule keeps besides the network, fixed or learned: projections `R`, feedback matrices `B`, heads.
    pub fixed: u64,
    /// What the tensor library keeps for itself between steps, like packing buffers of its matrix products; theory has
    /// none.
    pub library: u64,
    /// What a step holds above these.
    #[serde(flatten)]
    pub step: StepBytes,
}

impl MemoryUse {
    /// Live bytes between two steps.
    pub fn standing(&self) -> u64 {
        self.parameters + self.optimizer_state + self.fixed + self.library
    }

    /// The most that a step holds above what stands.
    pub fn step_peak(&self) -> u64 {
        self.step.total()
    }

    /// The most bytes that training holds at once.
    pub fn total(&self) -> u64 {
        self.standing() + self.step_peak()
    }

    /// Every category with its name.
    pub fn parts(&self) -> [(&'static str, u64); 7] {
        [
            ("parameters", self.parameters),
            ("optimiser state", self.optimizer_state),
            ("fixed (R, B, heads)", self.fixed),
            ("library", self.library),
            ("activations", self.step.activations),
            ("gradients", self.step.gradients),
            ("workspace", self.step.workspace),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_over_what_stands_and_what_a_step_holds() {
        let step = StepBytes { activations: 16, gradients: 32, workspace: 64 };
        let bytes = MemoryUse { parameters: 1, optimizer_state: 2, fixed: 4, library: 8, step };
        assert_eq!((bytes.standing(), bytes.step_peak(), bytes.total()), (15, 112, 127));
        assert_eq!(bytes.parts().iter().map(|(_, part)| part).sum::<u64>(), bytes.total());
    }
}
