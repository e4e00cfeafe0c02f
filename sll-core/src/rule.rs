//! What every learning rule is: something that turns a batch into an update of a chain of layers.

pub use crate::step::{Batch, StepReport, UnitLoss};

use crate::chain::Chain;
use crate::error::{Error, Result};
use crate::learned::Part;
use crate::memory::MemoryUse;
use crate::network::{Cut, Network};
use crate::optim::{OptimizerConfig, Updater};
use crate::pass::Pass;
use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// Analytic multiply-accumulates of one training step, per sample.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepCost {
    /// Forward passes.
    pub forward: u64,
    /// Backward passes.
    pub backward: u64,
    /// What the rule adds: projections, feedback, and their way back.
    pub rule: u64,
}

impl StepCost {
    /// All MACs.
    pub fn total(&self) -> u64 {
        self.forward + self.backward + self.rule
    }

    /// Forward and backward of units trained by backpropagation inside: per unit three times the forward work, less
    /// the gradient of the unit's input, which nobody needs, and what layers do again.
    pub fn of_units(net: &Network, units: &[Range<usize>]) -> Self {
        let costs = net.costs();
        let forward: u64 = costs.iter().map(|c| c.forward).sum();
        let again: u64 = costs.iter().map(|c| c.again).sum();
        let unneeded: u64 = units.iter().map(|unit| costs[unit.start].input_grad).sum();
        Self { forward, backward: 2 * forward + again - unneeded, rule: 0 }
    }
}

/// A learning rule. It is built for one network and keeps what it needs besides the network's parameters.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use sll_core::divergence::cross_entropy;
/// use sll_core::op::inject;
/// use sll_core::optim::{OptimizerConfig, Updater};
/// use sll_core::rule::{Batch, LearningRule, StepCost, StepReport};
/// use sll_core::{Cut, Network, NetworkSpec, Result};
///
/// /// The last layer learns alone: `dv = (softmax(v) - y) / b`.
/// struct LastLayer;
///
/// impl LearningRule for LastLayer {
///     fn step(&mut self, net: &mut Network, batch: &Batch, updater: &mut Updater) -> Result<StepReport> {
///         net.accept(batch)?;
///         let last = net.depth() - 1;
///         let h = net.forward_plain(0..last, batch.x.clone(), &batch.pass());
///         let output = net.forward_range(last..last + 1, Tensor::from_inner(h), &batch.pass());
///         let logits = output.clone().inner();
///         let (loss, _, error) = cross_entropy(logits.clone(), batch.targets(net.classes(), &logits.device()));
///         updater.step(net, last..last + 1, inject(output, error * batch.share()));
///         Ok(StepReport { loss: loss.mean(), units: Vec::new() })
///     }
///
///     fn cut(&self) -> Cut {
///         Cut::Whole
///     }
///
///     fn cost(&self, net: &Network, _batch: usize) -> StepCost {
///         let costs = net.costs();
///         let forward = costs.iter().map(|cost| cost.forward).sum();
///         StepCost { forward, backward: costs[net.depth() - 1].forward, rule: 0 }
///     }
/// }
///
/// let device = Device::flex();
/// let mut net = NetworkSpec { width: Some(8), ..NetworkSpec::named("mlp-2x800") }.build([1, 2, 2], 3, 0, &device)?;
/// let mut updater = OptimizerConfig::default().init()?;
/// updater.set_lr(0.1);
/// let batch = Batch::new(Tensor::ones([2, 4], &device), vec![1, 1], 0);
/// let mut loss = || Ok(LastLayer.step(&mut net, &batch, &mut updater)?.loss.into_scalar::<f32>());
/// assert!(loss()? > loss()?);
/// # Ok::<(), sll_core::Error>(())
/// ```
pub trait LearningRule: Send {
    /// One training step: updates `net` through `updater` and holds nothing of the batch afterwards.
    ///
    /// # Errors
    /// If the batch does not fit the network, which is [`Network::accept`]'s to say.
    fn step(&mut self, net: &mut Network, batch: &Batch, updater: &mut Updater) -> Result<StepReport>;

    /// The step as a chain of units that need nothing of the units above them, for [`crate::pipeline`]; `None` where
    /// the rule's step, with its settings, is no such chain. What [`LearningRule::step`] does is then what the links do
    /// in order, bit for bit.
    fn chain(&mut self) -> Option<Chain<'_>> {
        None
    }

    /// Class scores `[b, K]` of an evaluation-mode network ([`Network::valid`]).
    fn predict(&self, net: &Network, x: Tensor<2>) -> Tensor<2> {
        net.forward(x, &Pass::Eval)
    }

    /// Logits `[b, codes]` of each unit's own posterior, the one whose cross-entropy its objective has or could have,
    /// the output's last; empty for rules whose units have none. The first `K` codes are the classes.
    fn unit_logits(&self, _net: &Network, _x: Tensor<2>) -> Vec<Tensor<2>> {
        Vec::new()
    }

    /// Class scores of each unit's own head, the output's last; empty for rules without local heads.
    fn unit_scores(&self, net: &Network, x: Tensor<2>) -> Vec<Tensor<2>> {
        class_scores(self.unit_logits(net, x), net.classes())
    }

    /// How the rule cuts the network.
    fn cut(&self) -> Cut;

    /// Multiply-accumulates of a step on `batch` samples, per sample: the batch size counts where samples are
    /// multiplied with each other, or share a pass.
    fn cost(&self, net: &Network, batch: usize) -> StepCost;

    /// What the rule keeps besides the network's parameters, by name, each part once; learned ones in the order in
    /// which [`LearningRule::load`] takes them. Feedback weights inside layers belong to the network.
    fn parts(&self) -> Vec<Part<'_>> {
        Vec::new()
    }

    /// Values that the rule keeps fixed: projections and feedback weights.
    fn fixed_values(&self, _net: &Network) -> usize {
        self.parts().iter().map(Part::fixed_values).sum()
    }

    /// Analytic bytes of training with batches of `batch` samples; `None` where a rule or a layer is not modelled.
    fn memory(&self, _net: &Network, _batch: usize, _optimizer: &OptimizerConfig) -> Option<MemoryUse> {
        None
    }

    /// Values that the rule learns besides the network's parameters.
    fn learned_values(&self) -> usize {
        self.parts().iter().filter_map(Part::as_learned).map(|part| part.num_params()).sum()
    }

    /// What the rule has learned, for checkpoints, in parts.
    ///
    /// # Errors
    /// [`Error::Record`] if a part cannot be written.
    fn record(&self) -> Result<Vec<Vec<u8>>> {
        self.parts().iter().filter_map(Part::as_learned).map(|part| part.record()).collect()
    }

    /// Restores what [`LearningRule::record`] gave.
    ///
    /// # Errors
    /// [`Error::Record`] if the parts are not those of a rule like this one.
    fn load(&mut self, record: Vec<Vec<u8>>) -> Result<()> {
        match record.is_empty() {
            true => Ok(()),
            false => Err(Error::Record { what: "the rule".into(), reason: "this rule learns nothing".into() }),
        }
    }
}

/// Class scores from logits of a posterior over more codes: those of the classes, which come first.
fn class_scores(logits: Vec<Tensor<2>>, classes: usize) -> Vec<Tensor<2>> {
    // Codes beyond the classes can win no sample: they are labels of nothing.
    logits.into_iter().map(|v| v.narrow(1, 0, classes)).collect()
}
