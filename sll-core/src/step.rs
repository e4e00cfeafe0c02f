//! What goes into a training step, and what it reports.

use crate::pass::Pass;
use burn::tensor::{Device, Int, Tensor};

/// One batch on the device.
#[derive(Clone, Debug)]
pub struct Batch {
    /// Inputs `[b, features]`, normalised; on the network's device, without a graph.
    pub x: Tensor<2>,
    /// Class of each sample.
    pub labels: Vec<usize>,
    /// The same once more where the network is, `[b]`, if they are there already: the host then has nothing to send.
    pub classes: Option<Tensor<1, Int>>,
    /// Seeds every random draw of this step; different for every step of a run.
    pub seed: u64,
    /// Steps done before this one, for rules that alternate.
    pub step: u64,
    /// Epochs done before this one, for rules that train in phases.
    pub epoch: usize,
}

impl Batch {
    /// A batch that stands alone: the first step of the first epoch.
    pub fn new(x: Tensor<2>, labels: Vec<usize>, seed: u64) -> Self {
        Self { x, labels, classes: None, seed, step: 0, epoch: 0 }
    }

    /// One-hot targets `[b, codes]` on `device`; codes beyond the classes stay 0.
    pub fn targets(&self, codes: usize, device: &Device) -> Tensor<2> {
        if let Some(classes) = &self.classes {
            let code = Tensor::<1, Int>::arange(0..codes as i64, (&classes.device(), classes.dtype()));
            return code.unsqueeze::<2>().equal(classes.clone().unsqueeze_dim::<2>(1)).float();
        }
        let mut values = vec![0.0; self.labels.len() * codes];
        for (row, &label) in self.labels.iter().enumerate() {
            values[row * codes + label] = 1.0;
        }
        crate::rng::upload(values, [self.labels.len(), codes], device)
    }

    /// The training pass of this step.
    pub fn pass(&self) -> Pass {
        Pass::Train { seed: self.seed }
    }

    /// The training pass of this step once more; see [`Pass::Replay`].
    pub fn replay(&self) -> Pass {
        Pass::Replay { seed: self.seed }
    }

    /// Number of samples.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// What each sample counts for in a mean over the batch, `1 / b`: signals are gradients of that mean.
    pub fn share(&self) -> f64 {
        1.0 / self.len() as f64
    }

    /// Whether there is no sample.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }
}

/// What a step did, left on the device so that nothing waits for it.
#[derive(Clone, Debug)]
pub struct StepReport {
    /// The rule's training loss, `[1]`: mean cross-entropy at the output where the rule has one there, else the mean of
    /// its own objective.
    pub loss: Tensor<1>,
    /// Objectives of single units, in order, where the rule reports them; empty where it does not.
    pub units: Vec<UnitLoss>,
}

/// The local objective of one unit in one step, batch means.
#[derive(Clone, Debug)]
pub struct UnitLoss {
    /// Cross-entropy of the unit's posterior, `[1]`; of a rule without one, its own objective.
    pub cross_entropy: Tensor<1>,
    /// Divergence from the parent's posterior, `[1]`; absent where the unit is not aligned.
    pub divergence: Option<Tensor<1>>,
}

impl UnitLoss {
    /// Cross-entropy plus `weight` times the divergence.
    pub fn total(&self, weight: f64) -> Tensor<1> {
        match &self.divergence {
            Some(divergence) => self.cross_entropy.clone() + divergence.clone() * weight,
            None => self.cross_entropy.clone(),
        }
    }
}
