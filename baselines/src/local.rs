//! What local rules share: each unit is trained at once by an objective on its own output, and then forgotten.
//!
//! ```text
//! h_l = f_l(sg(h_{l-1})),   dh_l = ∂L_l/∂h_l,   update unit l,   go on with sg(h_l)
//! ```
//!
//! The last unit ends in the network's classifier and is trained by cross-entropy. One unit's activations are held at a
//! time, and layer `l`'s update depends on nothing above it.

use burn::tensor::Tensor;
use sll_core::divergence::cross_entropy;
use sll_core::memory::{LocalUnit, MemoryUse, Pattern};
use sll_core::op::inject;
use sll_core::optim::{OptimizerConfig, Updater};
use sll_core::rule::{Batch, LearningRule, StepCost, StepReport};
use sll_core::{Cut, Network, Pass, Result};
use std::ops::Range;

/// The objective of the units below the last one.
pub trait Objective: Send {
    /// The signal `dL_l/dh_l [b, n_l]` (batch mean) for the output `h_l [b, n_l]` of unit `unit`. A head of its own
    /// that the objective learns is moved here.
    fn signal(&mut self, unit: usize, h: Tensor<2>, batch: &Batch, updater: &mut Updater) -> Tensor<2>;

    /// Logits `[b, K]` of a unit's own posterior; `None` where it has none.
    fn logits(&self, _unit: usize, _h: Tensor<2>) -> Option<Tensor<2>> {
        None
    }

    /// MACs per sample of all heads, both ways, without the units' own.
    fn macs(&self) -> u64;

    /// Values that the head of each unit but the last holds at the most while it makes the signal of `batch` samples,
    /// beside matrices `[b, K]`; `None` where that is not known.
    fn temporaries(&self, _batch: usize) -> Option<Vec<usize>> {
        None
    }

    /// See [`LearningRule::fixed_values`].
    fn fixed_values(&self) -> usize {
        0
    }

    /// See [`LearningRule::learned_values`].
    fn learned_values(&self) -> usize {
        0
    }

    /// See [`LearningRule::record`].
    ///
    /// # Errors
    /// If the parts cannot be written.
    fn record(&self) -> Result<Vec<Vec<u8>>> {
        Ok(Vec::new())
    }

    /// See [`LearningRule::load`].
    ///
    /// # Errors
    /// If the parts are not those of this objective.
    fn load(&mut self, record: Vec<Vec<u8>>) -> Result<()> {
        sll_core::learned::load_all::<sll_core::learned::Matrix>([], record)
    }
}

/// A rule made of an [`Objective`].
pub struct Local<O> {
    units: Vec<Range<usize>>,
    objective: O,
}

impl<O: Objective> Local<O> {
    /// Cuts `net` at every layer.
    ///
    /// # Errors
    /// Those of [`Network::units`].
    pub fn new(net: &Network, objective: O) -> Result<Self> {
        Ok(Self { units: net.units(Cut::EveryLayer)?, objective })
    }

    /// The objective.
    pub fn objective(&self) -> &O {
        &self.objective
    }

    /// The objective, for another rule that builds on it.
    pub fn into_objective(self) -> O {
        self.objective
    }

    /// The objective.
    pub fn objective_mut(&mut self) -> &mut O {
        &mut self.objective
    }
}

impl<O: Objective> LearningRule for Local<O> {
    fn step(&mut self, net: &mut Network, batch: &Batch, updater: &mut Updater) -> Result<StepReport> {
        batch.check(net.classes())?;
        let (pass, last) = (batch.pass(), self.units.len() - 1);
        let mut h = batch.x.clone();
        for (index, unit) in self.units[..last].iter().enumerate() {
            let output = net.forward_range(unit.clone(), Tensor::from_inner(h), &pass);
            h = output.clone().inner();
            let signal = self.objective.signal(index, h.clone(), batch, updater);
            updater.step(net, unit.clone(), inject(output, signal));
        }
        let loss = train_classifier(net, self.units[last].clone(), h, batch, updater);
        Ok(StepReport { loss, units: Vec::new() })
    }

    fn unit_logits(&self, net: &Network, x: Tensor<2>) -> Vec<Tensor<2>> {
        let mut h = x;
        let mut logits = Vec::new();
        for (index, unit) in self.units.iter().enumerate() {
            h = net.forward_range(unit.clone(), h, &Pass::Eval);
            match index + 1 == self.units.len() {
                true => logits.push(h.clone()),
                false => logits.extend(self.objective.logits(index, h.clone())),
            }
        }
        if logits.len() == self.units.len() { logits } else { Vec::new() }
    }

    fn cut(&self) -> Cut {
        Cut::EveryLayer
    }

    fn cost(&self, net: &Network) -> StepCost {
        StepCost { rule: self.objective.macs(), ..StepCost::of_units(net, &self.units) }
    }

    fn memory(&self, net: &Network, batch: usize, optimizer: &OptimizerConfig) -> Option<MemoryUse> {
        let heads = self.objective.temporaries(batch)?.into_iter().chain([0]);
        let units = self
            .units
            .iter()
            .zip(heads)
            .map(|(unit, head)| LocalUnit { segments: vec![unit.clone()], head: head as u64 });
        let values = (self.fixed_values(net), self.learned_values());
        MemoryUse::of(net, batch, optimizer, &Pattern::Local(units.collect()), values)
    }

    fn fixed_values(&self, _net: &Network) -> usize {
        self.objective.fixed_values()
    }

    fn learned_values(&self) -> usize {
        self.objective.learned_values()
    }

    fn record(&self) -> Result<Vec<Vec<u8>>> {
        self.objective.record()
    }

    fn load(&mut self, record: Vec<Vec<u8>>) -> Result<()> {
        self.objective.load(record)
    }
}

/// Trains the unit that ends in the network's classifier by cross-entropy on the detached input `h`; gives the loss.
pub fn train_classifier(
    net: &mut Network,
    unit: Range<usize>,
    h: Tensor<2>,
    batch: &Batch,
    updater: &mut Updater,
) -> Tensor<1> {
    let output = net.forward_range(unit.clone(), Tensor::from_inner(h), &batch.pass());
    let logits = output.clone().inner();
    let targets = batch.targets(net.classes(), &logits.device());
    let (loss, _, error) = cross_entropy(logits, targets);
    updater.step(net, unit, inject(output, error * (1.0 / batch.len() as f64)));
    loss.mean()
}
