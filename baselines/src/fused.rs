//! BP with the update fused into the backward pass: a layer moves as soon as its gradient is there, and the gradient
//! goes (Lv et al. 2023; PyTorch calls it the optimiser step in the backward pass).
//!
//! Same numbers as BP, bit for bit: the signal of layer `l - 1` is made before layer `l` moves. Activations are kept as
//! in BP, but never more than one layer's gradients, which makes it the plain competitor of rules that train layer by
//! layer.

use crate::bp::Bp;
use crate::facts::{EVERY, Reach, Rule, Variant, Variants};
use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};
use sll_core::op::inject;
use sll_core::optim::Updater;
use sll_core::rule::{Batch, LearningRule, StepCost, StepReport};
use sll_core::{Cut, Network, Result};
use std::ops::Range;

/// Fused BP has no settings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FusedConfig {}

/// The rule, built for one network.
pub struct FusedBp {
    units: Vec<Range<usize>>,
}

impl Rule for FusedConfig {
    const VARIANTS: Variants<Self> = &[Variant {
        title: "BP, fused update",
        equation: "BP; layer l moves before the gradient of layer l - 1 is made",
        paper: "Lv et al. 2023, arXiv 2306.09782",
        activations: EVERY,
        update_locked: "yes",
        reach: Reach::All,
        ..Variant::local(Self::default)
    }];

    fn build(&self, net: &mut Network, _seed: u64) -> Result<Box<dyn LearningRule>> {
        Ok(Box::new(FusedBp { units: net.units(Cut::EveryLayer)? }))
    }
}

impl LearningRule for FusedBp {
    fn step(&mut self, net: &mut Network, batch: &Batch, updater: &mut Updater) -> Result<StepReport> {
        net.accept(batch)?;
        let mut x = Tensor::from_inner(batch.x.clone());
        let mut run = Vec::with_capacity(self.units.len());
        for unit in &self.units {
            let output = net.forward_range(unit.clone(), x.clone(), &batch.pass());
            run.push((x, output.clone()));
            // Each unit has a graph of its own, whose leaf is its input.
            x = output.detach().require_grad();
        }
        let (loss, error) = net.loss().evaluate(x.inner(), batch.targets(net.classes(), &batch.x.device()));
        let mut signal = Some(error * batch.share());
        for unit in self.units.iter().rev() {
            let (Some((input, output)), Some(dh)) = (run.pop(), signal.take()) else { break };
            let grads = inject(output, dh);
            signal = input.grad(&grads);
            drop(input);
            updater.step(net, unit.clone(), grads);
        }
        Ok(StepReport { loss: loss.mean(), units: Vec::new() })
    }

    fn cut(&self) -> Cut {
        Cut::EveryLayer
    }

    fn cost(&self, net: &Network, batch: usize) -> StepCost {
        Bp.cost(net, batch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sll_core::laws::{self, Build};

    const BP: Build = &|_| Ok(Box::new(Bp));
    const FUSED: Build = &|net| FusedConfig::default().build(net, 0);

    #[test]
    fn is_bp_bit_for_bit() {
        laws::same_update(|| laws::small_mlp(3), FUSED, BP);
        laws::same_update(laws::small_cnn, FUSED, BP);
        laws::same_update(|| laws::small_vit(false), FUSED, BP);
    }

    #[test]
    fn repeats_resumes_and_learns() {
        laws::repeats(|| laws::small_mlp(3), FUSED);
        laws::resumes(laws::small_cnn, FUSED);
        laws::learns(|| laws::small_mlp(2), FUSED, 80);
    }
}
