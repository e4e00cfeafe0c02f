//! What a rule's first steps do to the weights of each layer, in a few numbers: they tell a signal of the wrong sign or
//! scale, and a layer that is left out, where accuracy may hide them (Adam forgets a scale; on top of random layers a
//! good output layer still learns).

use crate::device;
use crate::error::Result;
use crate::run::Loader;
use crate::spec::{Recipe, RunSpec};
use datasets::LoadOptions;
use sll_core::Network;
use sll_core::layer::WeightSlot;
use sll_core::optim::{OptimizerConfig, OptimizerKind};
use sll_core::rng::{Purpose, Stream};
use sll_core::rule::{Batch, LearningRule};

/// Of the change `Δ` of a layer's weights: `‖Δ‖`, and `r · Δ` for three fixed `r` of random signs. A wrong sign shows
/// along each `r` to which `Δ` is not nearly orthogonal.
pub type Signal = [f64; 4];

/// Gradient descent's rate. Adam's step would be the same for a signal of any scale.
const LR: f64 = 0.1;
/// Images of a step: enough for a direction, few enough for a test of every rule with every fault.
const BATCH: usize = 32;
/// A head that starts at zero sends nothing down in its first step.
const STEPS: u64 = 2;
/// Names the random signs.
const SEED: u64 = 0;

/// Builds a rule for a network.
pub type Build<'a> = &'a dyn Fn(&mut Network) -> sll_core::Result<Box<dyn LearningRule>>;

/// The signal of each layer under `rule`, built for the network of `spec` by `build`: two steps of gradient descent on
/// the run's first images, in the first epoch that trains hidden layers and in the first that trains the output.
pub fn measure(spec: &RunSpec, build: Build) -> Result<Vec<Signal>> {
    let device = device::open(spec.device)?;
    let data = datasets::load(&spec.dataset, &LoadOptions::default())?;
    let mut net = spec.network.build(data.shape, data.classes, spec.seed, &device)?;
    let recipe = Recipe { batch: BATCH, ..spec.recipe.clone() };
    let loader = Loader::new(data, &recipe, spec.seed, &device)?;
    let images = loader.epoch(0);
    let mut rule = build(&mut net)?;
    let config = OptimizerConfig { kind: OptimizerKind::Sgd, ..OptimizerConfig::default() };
    let mut updater = config.init()?;
    updater.set_lr(LR);
    let before = weights(&mut net);
    let mut epochs = vec![spec.rule.learning_epoch(), spec.rule.preparation().1];
    epochs.sort_unstable();
    epochs.dedup();
    for (phase, epoch) in epochs.into_iter().enumerate() {
        for step in 0..STEPS {
            let step = phase as u64 * STEPS + step;
            let batch = Batch { epoch, step, ..loader.batch(&images, step as usize)? };
            rule.step(&mut net, &batch, &mut updater)?;
        }
    }
    let layers = before.iter().zip(weights(&mut net)).enumerate();
    Ok(layers.map(|(layer, (before, after))| signal(layer as u64, before, &after)).collect())
}

/// The weights of every layer.
fn weights(net: &mut Network) -> Vec<Vec<f32>> {
    let values = |slot: WeightSlot| slot.rows().into_data().try_to_vec::<f32>().expect("f32 weights");
    net.weights().into_iter().map(|slots| slots.into_iter().flat_map(values).collect()).collect()
}

fn signal(layer: u64, before: &[f32], after: &[f32]) -> Signal {
    let change: Vec<f64> = before.iter().zip(after).map(|(before, after)| f64::from(after - before)).collect();
    let along = |direction| {
        let signs = Stream::new(SEED, Purpose::Noise, &[layer, direction]).signs(change.len(), 1.0);
        change.iter().zip(signs).map(|(change, sign)| change * f64::from(sign)).sum()
    };
    let square: f64 = change.iter().map(|change| change * change).sum();
    [square.sqrt(), along(0), along(1), along(2)].map(four_digits)
}

/// Four significant digits, for a file that people read.
fn four_digits(value: f64) -> f64 {
    format!("{value:.3e}").parse().expect("a number")
}

/// The layers whose signal is another than `then`, by more than `tolerance` of its length.
pub fn changed(now: &[Signal], then: &[Signal], tolerance: f64) -> Vec<usize> {
    let layers = 0..now.len().max(then.len());
    let differs = |layer: &usize| match (now.get(*layer), then.get(*layer)) {
        (Some(now), Some(then)) => !now.iter().zip(then).all(|(now, is)| (now - is).abs() <= tolerance * then[0]),
        _ => true,
    };
    layers.filter(differs).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::{Baseline, Entry, suite};
    use burn::tensor::Tensor;
    use sll_core::network::Cut;
    use sll_core::optim::Updater;
    use sll_core::rule::{StepCost, StepReport};
    use std::path::Path;

    /// A rule whose updates of the weights of layer `l` are multiplied by `factors[l]`.
    struct Tampered {
        rule: Box<dyn LearningRule>,
        factors: Vec<f64>,
    }

    impl LearningRule for Tampered {
        fn step(&mut self, net: &mut Network, batch: &Batch, updater: &mut Updater) -> sll_core::Result<StepReport> {
            let rows = |net: &mut Network| -> Vec<Vec<Tensor<2>>> {
                net.weights()
                    .into_iter()
                    .map(|slots| slots.iter().map(sll_core::layer::WeightSlot::rows).collect())
                    .collect()
            };
            let before = rows(net);
            let report = self.rule.step(net, batch, updater)?;
            let after = rows(net);
            for (((slots, before), after), factor) in
                net.weights().into_iter().zip(before).zip(after).zip(&self.factors)
            {
                for ((slot, before), after) in slots.into_iter().zip(before).zip(after) {
                    slot.set_rows(before.clone() + (after - before) * *factor);
                }
            }
            Ok(report)
        }

        fn cut(&self) -> Cut {
            self.rule.cut()
        }

        fn cost(&self, net: &Network, batch: usize) -> StepCost {
            self.rule.cost(net, batch)
        }

        fn fixed_values(&self, net: &Network) -> usize {
            self.rule.fixed_values(net)
        }
    }

    #[test]
    fn a_wrong_sign_a_wrong_scale_and_a_layer_left_out_fail_the_case_of_every_rule() {
        let committed = Baseline::load(Path::new("baseline.toml")).unwrap();
        let mut unseen = Vec::new();
        for (name, spec) in suite().unwrap() {
            let then = committed.entries.iter().find(|entry| entry.name == name).expect("a case of the suite");
            let fails = |factors: &[f64]| {
                let build: Build = &|net| {
                    let rule = spec.rule.init(net, spec.seed)?;
                    Ok(Box::new(Tampered { rule, factors: factors.to_vec() }))
                };
                let now = Entry { signals: measure(&spec, build).unwrap(), ..then.clone() };
                let now = Baseline { entries: vec![now], ..committed.clone() };
                let then = Baseline { entries: vec![then.clone()], ..committed.clone() };
                then.compare(&now).into_iter().any(|run| !run.faults.is_empty())
            };
            let whole = vec![1.0; then.signals.len()];
            assert!(!fails(&whole), "{name} fails as it is");
            for (what, factor) in [("sign", -1.0), ("scale", 1.2)] {
                if !fails(&vec![factor; whole.len()]) {
                    unseen.push(format!("{name}: {what} of all layers"));
                }
            }
            // Hidden layers of some rules never move.
            for layer in (0..whole.len()).filter(|&layer| then.signals[layer][0] > 0.0) {
                for (what, factor) in [("sign", -1.0), ("lack", 0.0)] {
                    let mut factors = whole.clone();
                    factors[layer] = factor;
                    if !fails(&factors) {
                        unseen.push(format!("{name}: {what} of layer {layer}"));
                    }
                }
            }
        }
        assert!(unseen.is_empty(), "not seen: {unseen:#?}");
    }
}
