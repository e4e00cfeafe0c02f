//! Shallow learning: the output layer alone learns, on hidden layers as they were drawn. The control that says what a
//! rule's training of hidden layers is worth (in the comparison of Frenkel, Lefebvre & Bol 2021, for one).

use crate::register::{Rule, Variant, Variants};
use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};
use sll_core::divergence::cross_entropy;
use sll_core::op::inject;
use sll_core::optim::Updater;
use sll_core::rule::{Batch, LearningRule, StepCost, StepReport};
use sll_core::{Cut, Network, Result};
use std::ops::Range;

/// Shallow learning has no settings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShallowConfig {}

/// The rule, built for one network.
pub struct Shallow {
    /// The layers of the last unit.
    output: Range<usize>,
}

impl Rule for ShallowConfig {
    const VARIANTS: Variants<Self> = &[Variant {
        title: "shallow",
        equation: "dW_L = (softmax(z_L) - y) h_{L-1}^T; hidden layers stay as they were drawn",
        paper: "control of Frenkel, Lefebvre & Bol 2021",
        trains_hidden: false,
        ..Variant::local(Self::default)
    }];

    fn build(&self, net: &mut Network, _seed: u64) -> Result<Box<dyn LearningRule>> {
        let units = net.units(Cut::EveryLayer)?;
        Ok(Box::new(Shallow { output: units[units.len() - 1].clone() }))
    }
}

impl LearningRule for Shallow {
    fn step(&mut self, net: &mut Network, batch: &Batch, updater: &mut Updater) -> Result<StepReport> {
        batch.check(net.classes())?;
        let h = net.forward_plain(0..self.output.start, batch.x.clone(), &batch.pass());
        let logits = net.forward_range(self.output.clone(), Tensor::from_inner(h), &batch.pass());
        let values = logits.clone().inner();
        let (loss, _, error) = cross_entropy(values, batch.targets(net.classes(), &batch.x.device()));
        updater.step(net, self.output.clone(), inject(logits, error * (1.0 / batch.len() as f64)));
        Ok(StepReport { loss: loss.mean(), units: Vec::new() })
    }

    fn cut(&self) -> Cut {
        Cut::EveryLayer
    }

    fn cost(&self, net: &Network) -> StepCost {
        let hidden = net.costs()[..self.output.start].iter().map(|c| c.forward).sum::<u64>();
        let output = &net.costs()[self.output.clone()];
        let forward = output.iter().map(|c| c.forward).sum::<u64>();
        let again = output.iter().map(|c| c.again).sum::<u64>();
        StepCost { forward: hidden + forward, backward: 2 * forward + again - output[0].input_grad, rule: 0 }
    }

    fn fixed_values(&self, _net: &Network) -> usize {
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bp::Bp;
    use sll_core::laws::{self, Build};

    const SHALLOW: Build = &|net| ShallowConfig::default().build(net, 0);

    #[test]
    fn the_output_moves_as_in_bp_and_nothing_else_does() {
        let train = |build| laws::train(&mut laws::small_mlp(2), build, 0..1);
        let (found, bp, before) = (train(SHALLOW), train(&|_| Ok(Box::new(Bp))), laws::small_mlp(2).params());
        assert_eq!((&found[..2], &found[2]), (&before[..2], &bp[2]));
    }

    #[test]
    fn repeats_resumes_and_learns() {
        laws::repeats(|| laws::small_mlp(2), SHALLOW);
        laws::resumes(laws::small_cnn, SHALLOW);
        // Of four classes; the hidden layers' random features do not tell them apart well.
        let accuracy = laws::accuracy(|| laws::small_mlp(1), SHALLOW, 240);
        assert!(accuracy > 40.0, "{accuracy} %");
    }
}
