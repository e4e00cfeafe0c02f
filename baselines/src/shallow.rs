//! Shallow learning: the output layer alone learns, on hidden layers as they were drawn. The control that says what a
//! rule's training of hidden layers is worth (in the comparison of Frenkel, Lefebvre & Bol 2021, for one).

use crate::facts::{Rule, Variant, Variants};
use crate::local::train_classifier;
use serde::{Deserialize, Serialize};
use sll_core::layer::LayerCost;
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
        net.accept(batch)?;
        let h = net.forward_plain(0..self.output.start, batch.x.clone(), &batch.pass());
        let loss = train_classifier(net, self.output.clone(), h, batch, updater);
        Ok(StepReport { loss, units: Vec::new() })
    }

    fn cut(&self) -> Cut {
        Cut::EveryLayer
    }

    fn cost(&self, net: &Network, _batch: usize) -> StepCost {
        let costs = net.costs();
        let output = &costs[self.output.clone()];
        let there = |layers: &[LayerCost]| layers.iter().map(|layer| layer.forward).sum::<u64>();
        let again: u64 = output.iter().map(|layer| layer.again).sum();
        StepCost { forward: there(&costs), backward: 2 * there(output) + again - output[0].input_grad, rule: 0 }
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
