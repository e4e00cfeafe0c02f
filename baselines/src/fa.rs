//! FA: feedback alignment (Lillicrap, Cownden, Tweed & Akerman 2016).
//!
//! `dz_l = (B_{l+1} dz_{l+1}) (.) φ'(z_l)` with fixed random `B` in place of `Wᵀ`; `dW_l = dz_l h_{l-1}ᵀ` as in BP.
//!
//! Every weight matrix inside a layer gets its own `B`, drawn from the law of its initial weights, so FA runs on every
//! network; in a transformer block the residual and the attention keep their exact Jacobians. Memory as BP, plus `B`.

use crate::bp::Bp;
use crate::register::{EVERY, Reach, Rule, Variant, Variants};
use serde::{Deserialize, Serialize};
use sll_core::memory::{LocalUnit, MemoryModel, Pattern};
use sll_core::optim::{OptimizerConfig, Updater};
use sll_core::rng::{Purpose, Stream};
use sll_core::rule::{Batch, LearningRule, StepCost, StepReport};
use sll_core::{Cut, Error, Network, Result};

/// Settings of FA.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FaConfig {
    /// Factor on `B`; 1 draws it from the law of the initial weights.
    pub feedback_gain: f64,
}

impl Default for FaConfig {
    fn default() -> Self {
        Self { feedback_gain: 1.0 }
    }
}

/// The rule; its feedback weights live inside the layers they belong to.
pub struct Fa {
    values: usize,
}

impl Rule for FaConfig {
    const VARIANTS: Variants<Self> = &[Variant {
        title: "FA",
        equation: "dz_l = (B_{l+1} dz_{l+1}) (.) phi'(z_l), B fixed random",
        paper: "Lillicrap et al. 2016",
        stores: "fixed: B, one value a weight above the first layer",
        activations: EVERY,
        update_locked: "yes",
        reach: Reach::All,
        ..Variant::local(Self::default)
    }];

    fn build(&self, net: &mut Network, seed: u64) -> Result<Box<dyn LearningRule>> {
        Ok(Box::new(self.init(net, seed)?))
    }
}

impl FaConfig {
    /// Installs feedback weights drawn from `seed` in every layer of `net` but the first, which sends nothing on.
    pub fn init(&self, net: &mut Network, seed: u64) -> Result<Fa> {
        Error::check_gain("feedback_gain", self.feedback_gain)?;
        let device = net.device().clone();
        let mut values = 0;
        for (layer, slots) in net.weights().into_iter().enumerate() {
            // The first affine map of the network has no gradient to send on.
            for (index, place) in slots.into_iter().enumerate().skip(usize::from(layer == 0)) {
                values += place.values();
                let mut stream = Stream::new(seed, Purpose::Feedback, &[layer as u64, index as u64]);
                place.randomise(self.feedback_gain, &mut stream, &device);
            }
        }
        Ok(Fa { values })
    }
}

impl LearningRule for Fa {
    fn step(&mut self, net: &mut Network, batch: &Batch, updater: &mut Updater) -> Result<StepReport> {
        Bp.step(net, batch, updater)
    }

    fn cut(&self) -> Cut {
        Cut::Whole
    }

    fn cost(&self, net: &Network) -> StepCost {
        Bp.cost(net)
    }

    fn memory(&self, net: &Network, batch: usize, optimizer: &OptimizerConfig) -> Option<MemoryModel> {
        let whole = Pattern::Local(vec![LocalUnit::whole(0..net.depth())]);
        MemoryModel::of(net, batch, optimizer, &whole, (self.values, 0))
    }

    fn fixed_values(&self, _net: &Network) -> usize {
        self.values
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sll_core::laws::{self, Build};

    const FA: Build = &|net| Ok(Box::new(FaConfig::default().init(net, 3)?));

    #[test]
    fn with_feedback_equal_to_the_weights_it_is_bp() {
        // One step: the copy is of the weights before it, as BP's backward pass uses them.
        let tied: Build = &|net| {
            net.weights().into_iter().flatten().for_each(|slot| slot.tie());
            Ok(Box::new(Fa { values: 0 }))
        };
        laws::close_update(|| laws::small_mlp(3), tied, &|_| Ok(Box::new(Bp)), 1e-6);
        laws::close_update(laws::small_cnn, tied, &|_| Ok(Box::new(Bp)), 1e-6);
        laws::close_update(|| laws::small_vit(true), tied, &|_| Ok(Box::new(Bp)), 1e-6);
    }

    #[test]
    fn random_feedback_changes_every_layer_but_the_last() {
        let train = |build| laws::train(&mut laws::small_mlp(2), build, 0..1);
        let (fa, bp) = (train(FA), train(&|_| Ok(Box::new(Bp))));
        assert_eq!(fa[2], bp[2], "the output layer sees its own error in both");
        assert_ne!(fa[1], bp[1]);
        assert_ne!(fa[0], bp[0]);
    }

    #[test]
    fn keeps_one_feedback_weight_a_weight_above_the_first_layer() {
        let mut net = laws::small_mlp(2);
        let fa = FaConfig::default().init(&mut net, 3).unwrap();
        assert_eq!(fa.fixed_values(&net), 16 * 16 + 16 * 4);
    }

    #[test]
    fn repeats_resumes_and_learns() {
        laws::repeats(|| laws::small_mlp(2), FA);
        laws::resumes(|| laws::small_mlp(2), FA);
        laws::learns(|| laws::small_mlp(2), FA, 240);
        laws::learns(|| laws::small_vit(false), FA, 120);
    }
}
