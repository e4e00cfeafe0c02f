//! BP: backpropagation (Rumelhart, Hinton & Williams 1986).
//!
//! `dz_L = softmax(z_L) - y`, `dz_l = (W_{l+1}ᵀ dz_{l+1}) (.) φ'(z_l)`, `dW_l = dz_l h_{l-1}ᵀ`.
//!
//! Keeps every layer's activations until the backward pass has gone by: memory grows with depth.

use crate::facts::{EVERY, Reach, Rule, Variant, Variants};
use crate::local::train_classifier;
use serde::{Deserialize, Serialize};
use sll_core::memory::MemoryUse;
use sll_core::model::{LocalUnit, Pattern};
use sll_core::optim::{OptimizerConfig, Updater};
use sll_core::rule::{Batch, LearningRule, StepCost, StepReport};
use sll_core::{Cut, Network, Result};

/// BP has no settings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BpConfig {}

/// The rule.
pub struct Bp;

impl Rule for BpConfig {
    const VARIANTS: Variants<Self> = &[Variant {
        title: "BP",
        equation: "dz_l = (W_{l+1}^T dz_{l+1}) (.) phi'(z_l), dW_l = dz_l h_{l-1}^T",
        paper: "Rumelhart, Hinton & Williams 1986",
        activations: EVERY,
        update_locked: "yes",
        reach: Reach::All,
        ..Variant::local(Self::default)
    }];

    fn build(&self, _net: &mut Network, _seed: u64) -> Result<Box<dyn LearningRule>> {
        Ok(Box::new(Bp))
    }
}

impl LearningRule for Bp {
    fn step(&mut self, net: &mut Network, batch: &Batch, updater: &mut Updater) -> Result<StepReport> {
        net.accept(batch)?;
        let loss = train_classifier(net, 0..net.depth(), batch.x.clone(), batch, updater);
        Ok(StepReport { loss, units: Vec::new() })
    }

    fn cut(&self) -> Cut {
        Cut::Whole
    }

    fn cost(&self, net: &Network, _batch: usize) -> StepCost {
        StepCost::of_units(net, std::slice::from_ref(&(0..net.depth())))
    }

    fn memory(&self, net: &Network, batch: usize, optimizer: &OptimizerConfig) -> Option<MemoryUse> {
        let whole = Pattern::Local(vec![LocalUnit::whole(0..net.depth())]);
        MemoryUse::of(net, batch, optimizer, &whole, (0, 0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;
    use sll_core::laws::{self, Build};
    use sll_core::layer::{Activation, BatchNormAt, Bias, Initial};
    use sll_core::output::OutputLoss;
    use sll_core::sll::SllConfig;
    use sll_core::{NetworkSpec, toy};

    const BP: Build = &|_| Ok(Box::new(Bp));

    #[test]
    fn sll_with_one_unit_is_bp_bit_for_bit() {
        let one: Build = &|net| Ok(Box::new(SllConfig { units: Some(1), ..SllConfig::default() }.init(net, 3)?));
        laws::same_update(|| laws::small_mlp(3), one, BP);
        laws::same_update(laws::small_cnn, one, BP);
        laws::same_update(|| laws::small_vit(false), one, BP);
    }

    #[test]
    fn every_setting_of_a_network_learns_and_resumes() {
        let toys = [toy::mlp(2), toy::cnn(false)];
        for (toy, change) in toys.iter().flat_map(|toy| SETTINGS.map(|change| (toy, change))) {
            let mut toy = toy.clone();
            change(&mut toy.spec);
            let build = || toy.build(&Device::flex()).unwrap();
            laws::learns(build, BP, 160);
            laws::resumes(build, BP);
            // A bias that there is not stays 0.
            let trained = laws::train(&mut build(), BP, 0..2);
            let bias = trained[0][1].clone().try_to_vec::<f32>().unwrap();
            assert_eq!(bias.iter().all(|b| *b == 0.0), toy.spec.bias == Bias::None, "{:?}", toy.spec);
        }
    }

    const SETTINGS: [fn(&mut NetworkSpec); 9] = [
        |spec| spec.batch_norm = BatchNormAt::Between,
        |spec| spec.batch_norm = BatchNormAt::Before,
        |spec| spec.batch_norm = BatchNormAt::After,
        |spec| spec.activation = Activation::LeakyRelu,
        |spec| spec.activation = Activation::StraightThroughRelu,
        |spec| (spec.initial, spec.bias) = (Initial::HeUniform, Bias::None),
        |spec| (spec.initial, spec.bias) = (Initial::Orthogonal, Bias::Zero),
        |spec| spec.loss = OutputLoss::Bce,
        |spec| spec.loss = OutputLoss::Mse,
    ];

    #[test]
    fn repeats_resumes_and_learns() {
        laws::repeats(|| laws::small_mlp(2), BP);
        laws::resumes(|| laws::small_mlp(2), BP);
        laws::resumes(laws::small_cnn, BP);
        laws::learns(|| laws::small_mlp(2), BP, 80);
    }
}
