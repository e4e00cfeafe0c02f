//! SoftHebb: soft winner-take-all Hebbian layers under a linear classifier (Journé et al. 2023).
//!
//! `u = W x` without bias, at every position of a convolution, and `y = softmax(t u)` over the units or channels; the
//! winner keeps `+y`, all others get `-y`. With the sum over samples and positions `dW_k = Σ y_k (x - u_k w_k)`,
//! `w_k <- w_k + η_k dW_k / max|dW|` and `η_k = η |‖w_k‖ - 1|^p`: rows settle at norm 1. All hidden layers learn at
//! once, each from the output of those below, for `unsupervised_epochs`; then they are frozen, running statistics
//! included, and the output layer learns by cross-entropy. A batch makes several updates, one of each `chunk` images.
//!
//! Meant for convolutions with `batch_norm = "before"` and `activation = "triangle"`: what a layer reads has to be
//! centred, or rows from the second layer on do not settle. Unlike in the reference borders are padded with zeros, and
//! the activation has no power.
//!
//! One layer's activations are kept: memory is constant in depth. The hidden layers see no label and no optimiser.

use crate::facts::{Rule, Usual, Variant, Variants};
use crate::local::train_classifier;
use crate::per_layer::PerLayer;
use burn::tensor::{Tensor, activation};
use serde::{Deserialize, Serialize};
use sll_core::layer::{Activation, BatchNormAt, WeightSlot};
use sll_core::memory::gradients_gone;
use sll_core::op::inject;
use sll_core::optim::Updater;
use sll_core::rng::{mix, upload};
use sll_core::rule::{Batch, LearningRule, StepCost, StepReport};
use sll_core::{Cut, Error, Network, NetworkSpec, Pass, Result, Shape};

/// Settings of SoftHebb.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SoftHebbConfig {
    /// Epochs of Hebbian learning; the classifier learns in all later ones. At 0 the hidden layers stay random, and a
    /// batch norm keeps its initial statistics.
    pub unsupervised_epochs: usize,
    /// `t`, the factor on `u` in the competition: larger is harder (authors' code, layer by layer: 1, 0.65, 0.25).
    pub temperature: PerLayer<f64>,
    /// `η` of the Hebbian layers, which the recipe's learning rate does not touch (authors' code: 0.08, 0.005, 0.01).
    pub lr: PerLayer<f64>,
    /// `p`, how strongly a row's learning rate depends on its norm; 0 for not at all.
    pub lr_exponent: f64,
    /// Norm of each row of hidden weights at the start: the reference's, large enough for different units to win at
    /// first, where small rows leave all to a few. Not 1, where a row stands still.
    pub init_norm: f64,
    /// Images of one Hebbian update (authors' code: batches of 10). An update has a length of its own, whatever it sums
    /// over: it is their number that counts.
    #[serde(skip_serializing_if = "is_authors")]
    pub chunk: usize,
}

/// Of [`SoftHebbConfig::chunk`].
const AUTHORS: usize = 10;

/// A run is named as before there was a choice, and told apart by its numerics.
fn is_authors(chunk: &usize) -> bool {
    *chunk == AUTHORS
}

impl Default for SoftHebbConfig {
    fn default() -> Self {
        let (temperature, lr) = (PerLayer::all(1.0), PerLayer::all(0.05));
        Self { unsupervised_epochs: 1, temperature, lr, lr_exponent: 0.5, init_norm: 25.0, chunk: AUTHORS }
    }
}

/// The rule, built for one network.
pub struct SoftHebb(SoftHebbConfig);

impl Rule for SoftHebbConfig {
    const VARIANTS: Variants<Self> = &[Variant {
        title: "SoftHebb",
        equation: "dw_k = sum y_k (x - u_k w_k), y = softmax(t u) of the winner, - of the others; then a linear \
            classifier",
        paper: "Journe, Garcia Rodriguez, Guo & Moraitis 2023",
        ..Variant::local(Self::default)
    }];

    fn build(&self, net: &mut Network, _seed: u64) -> Result<Box<dyn LearningRule>> {
        Ok(Box::new(self.init(net)?))
    }

    fn preparation(&self) -> (&'static str, usize) {
        ("unsupervised_epochs", self.unsupervised_epochs)
    }

    fn learning_epoch(&self) -> usize {
        0
    }

    /// What a layer reads has to be centred, and its units to compete on the way up, too.
    fn usual(&self) -> Usual {
        Usual { activation: Activation::Triangle, batch_norm: BatchNormAt::Before, ..Usual::default() }
    }

    fn numerics(&self, _network: &NetworkSpec) -> u32 {
        // A batch came to make several updates.
        9
    }
}

impl SoftHebbConfig {
    fn check(&self) -> Result<()> {
        self.temperature.given().iter().try_for_each(|&t| Error::check_gain("temperature", t))?;
        self.lr.given().iter().try_for_each(|&lr| Error::check_gain("lr", lr))?;
        Error::check_gain("init_norm", self.init_norm)?;
        if self.chunk == 0 {
            return Err(Error::setting("chunk", 0, "an update needs at least one image (default 10)"));
        }
        if !(self.lr_exponent.is_finite() && self.lr_exponent >= 0.0) {
            return Err(Error::setting("lr_exponent", self.lr_exponent, "must be 0 or positive (default 0.5)"));
        }
        if self.init_norm == 1.0 && self.lr_exponent > 0.0 {
            let reason = "rows of norm 1 have learning rate 0 and never move; take a larger norm (default 25)";
            return Err(Error::setting("init_norm", self.init_norm, reason));
        }
        Ok(())
    }

    /// Scales the hidden layers' weights and clears their biases.
    ///
    /// # Errors
    /// If a setting is out of its range, or the rule cannot run on `net`.
    pub fn init(&self, net: &mut Network) -> Result<SoftHebb> {
        self.check()?;
        for layer in 0..net.depth() - 1 {
            let staged = net.stages(layer).is_some();
            let Some(mut slot) = slot(net, layer).filter(|_| staged) else {
                let name = &net.layer_names()[layer];
                let reason = format!("layer {layer} ({name}) is more than one affine map; use an MLP or a CNN");
                return Err(Error::Unsupported { rule: "SoftHebb".into(), reason });
            };
            slot.clear_bias();
            let rows = rescaled(slot.rows(), self.init_norm);
            slot.set_rows(rows);
        }
        Ok(SoftHebb(*self))
    }
}

/// Every row at the given norm. On the host, so that every device starts from the same bits.
fn rescaled(rows: Tensor<2>, norm: f64) -> Tensor<2> {
    let ([count, columns], device) = (rows.dims(), rows.device());
    let mut values = rows.into_data().try_to_vec::<f32>().expect("weights are f32");
    for row in values.chunks_mut(columns) {
        let found = row.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>().sqrt();
        row.iter_mut().for_each(|value| *value = (f64::from(*value) * norm / found) as f32);
    }
    upload(values, [count, columns], &device)
}

/// What competes: the channels of a map, the units of a vector.
fn channels(shape: Shape) -> usize {
    match shape {
        Shape::Map { c, .. } => c,
        other => other.len(),
    }
}

/// The only affine map of a layer.
fn slot(net: &mut Network, layer: usize) -> Option<WeightSlot<'_>> {
    let mut slots = net.weights().swap_remove(layer);
    (slots.len() == 1).then(|| slots.remove(0))
}

/// `[rows, 1]`.
fn norms(rows: &Tensor<2>) -> Tensor<2> {
    rows.clone().square().sum_dim(1).sqrt()
}

/// `±y` and the winner's `y` at each position, from `u [b, channels, positions]`.
fn compete(u: &Tensor<3>, temperature: f64) -> (Tensor<3>, Tensor<3>) {
    let y = activation::softmax(u.clone() * temperature, 1);
    let winner = u.clone().equal(u.clone().max_dim(1));
    let sure = y.clone().max_dim(1);
    (y.clone().neg().mask_where(winner, y), sure)
}

impl SoftHebb {
    /// The updates of one batch, chunk by chunk; gives the mean of one minus the winner's `y`.
    fn learn_features(&self, net: &mut Network, batch: &Batch) -> Tensor<1> {
        let starts = (0..batch.len()).step_by(self.0.chunk).enumerate();
        let doubts = starts.map(|(index, start)| {
            let chunk = batch.x.clone().narrow(0, start, self.0.chunk.min(batch.len() - start));
            // Masks are other ones for every update.
            let seed = if index == 0 { batch.seed } else { mix(batch.seed, index as u64) };
            self.update_features(net, chunk, Pass::Train { seed })
        });
        Tensor::cat(doubts.collect(), 0).mean()
    }

    /// One update of every hidden layer; gives the mean of one minus the winner's `y`.
    fn update_features(&self, net: &mut Network, mut x: Tensor<2>, pass: Pass) -> Tensor<1> {
        let samples = x.dims()[0];
        let mut doubts = Vec::with_capacity(net.depth());
        for layer in 0..net.depth() - 1 {
            let stages = net.stages(layer).expect("init refuses layers without stages");
            let z = stages.pre_activation(Tensor::from_inner(x), &pass.at(layer));
            x = stages.pool(stages.activate(z.clone().inner(), &pass.at(layer)));
            let units = channels(stages.pre_activation_shape());
            let u = z.clone().inner().reshape([samples as i32, units as i32, -1]);
            let (y, sure) = compete(&u, self.0.temperature.at(layer));
            // Each difference from 1 is exact, that of their mean is not.
            doubts.push((sure * -1.0 + 1.0).mean());
            let forget = (y.clone() * u).sum_dim(2).sum_dim(0).reshape([-1, 1]);
            let grads = inject(z, y.flatten(1, 2));
            let slot = slot(net, layer).expect("init refuses layers without weights");
            let learn = slot.gradient(&grads).expect("the weights made z");
            let rows = slot.rows();
            let change = learn - forget * rows.clone();
            let largest = change.clone().abs().max().reshape([1, 1]) + 1e-30;
            let lr = (norms(&rows) - 1.0).abs().powf_scalar(self.0.lr_exponent) * self.0.lr.at(layer);
            slot.set_rows(rows + change / largest * lr);
            drop(grads);
            gradients_gone();
        }
        Tensor::cat(doubts, 0).mean()
    }

    /// One step of the output layer on frozen features; gives the cross-entropy.
    fn learn_classes(&self, net: &mut Network, batch: &Batch, updater: &mut Updater) -> Tensor<1> {
        let output = net.depth() - 1;
        let features = net.valid().forward_range(0..output, batch.x.clone(), &Pass::Eval);
        train_classifier(net, output..output + 1, features, batch, updater)
    }
}

impl LearningRule for SoftHebb {
    /// The loss of a Hebbian step, which has no objective, is the mean over layers of one minus the winner's `y`.
    fn step(&mut self, net: &mut Network, batch: &Batch, updater: &mut Updater) -> Result<StepReport> {
        net.accept(batch)?;
        let features = batch.epoch < self.0.unsupervised_epochs && net.depth() > 1;
        let loss = match features {
            true => self.learn_features(net, batch),
            false => self.learn_classes(net, batch, updater),
        };
        Ok(StepReport { loss, units: Vec::new() })
    }

    fn cut(&self) -> Cut {
        Cut::EveryLayer
    }

    /// Of a Hebbian step: the hidden layers' forward pass and `Σ y x`. A classifier's step, which is all there is
    /// without Hebbian epochs, takes a forward pass of all layers and the output layer's weight gradient.
    fn cost(&self, net: &Network, _batch: usize) -> StepCost {
        let (costs, output) = (net.costs(), net.depth() - 1);
        let hidden: u64 = costs[..output].iter().map(|c| c.forward).sum();
        match hidden > 0 && self.0.unsupervised_epochs > 0 {
            true => StepCost { forward: hidden, backward: 0, rule: hidden },
            false => StepCost { forward: hidden + costs[output].forward, backward: costs[output].forward, rule: 0 },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;
    use sll_core::NetworkSpec;
    use sll_core::laws::{self, Build};
    use sll_core::optim::{OptimizerConfig, OptimizerKind};

    const HEBB: Build = &|net| Ok(Box::new(SoftHebbConfig::default().init(net)?));

    fn floats(tensor: Tensor<2>) -> Vec<f32> {
        tensor.into_data().try_to_vec().unwrap()
    }

    fn first_rows(net: &mut Network) -> Vec<Vec<f32>> {
        let rows = slot(net, 0).unwrap().rows();
        let n = rows.dims()[1];
        floats(rows).chunks(n).map(<[f32]>::to_vec).collect()
    }

    fn adam() -> Updater {
        let mut updater = OptimizerConfig { kind: OptimizerKind::Adam, ..Default::default() }.init().unwrap();
        updater.set_lr(1e-2);
        updater
    }

    fn cnn() -> Network {
        let spec = NetworkSpec {
            width: Some(4),
            batch_norm: BatchNormAt::Before,
            activation: Activation::Triangle,
            ..NetworkSpec::named("cnn-1")
        };
        spec.build([1, 16, 16], 4, 5, &Device::flex()).unwrap()
    }

    /// The images as the first layer reads them: at mean 0 and variance 1 where batch norm comes before it.
    fn centred(values: Vec<Vec<f32>>) -> Vec<Vec<f32>> {
        let all = || values.iter().flatten().copied();
        let count = all().count() as f32;
        let mean = all().sum::<f32>() / count;
        let deviation = (all().map(|v| (v - mean).powi(2)).sum::<f32>() / count + 1e-5).sqrt();
        values.iter().map(|image| image.iter().map(|v| (v - mean) / deviation).collect()).collect()
    }

    /// The definition in plain loops: new rows from rows `[k][n]` and patches `[position][n]`.
    fn definition(rows: &[Vec<f32>], patches: &[Vec<f32>], config: &SoftHebbConfig) -> Vec<Vec<f32>> {
        let mut change = vec![vec![0.0; rows[0].len()]; rows.len()];
        for x in patches {
            let u: Vec<f32> = rows.iter().map(|w| w.iter().zip(x).map(|(w, x)| w * x).sum()).collect();
            let winner = (0..u.len()).max_by(|&a, &b| u[a].total_cmp(&u[b])).unwrap();
            let weight = |k: usize| ((u[k] - u[winner]) * config.temperature.at(0) as f32).exp();
            let total: f32 = (0..u.len()).map(weight).sum();
            for (k, w) in rows.iter().enumerate() {
                let y = weight(k) / total * if k == winner { 1.0 } else { -1.0 };
                for (i, d) in change[k].iter_mut().enumerate() {
                    *d += y * (x[i] - u[k] * w[i]);
                }
            }
        }
        let largest = change.iter().flatten().fold(0.0f32, |m, d| m.max(d.abs()));
        let step = |(w, d): (&Vec<f32>, &Vec<f32>)| {
            let norm = w.iter().map(|w| w * w).sum::<f32>().sqrt();
            let lr = config.lr.at(0) as f32 * (norm - 1.0).abs().powf(config.lr_exponent as f32);
            w.iter().zip(d).map(|(w, d)| w + lr * d / largest).collect()
        };
        rows.iter().zip(&change).map(step).collect()
    }

    #[test]
    fn one_step_is_the_definition_in_plain_loops() {
        laws::one_thread();
        let (temperature, lr) = (PerLayer::all(0.7), PerLayer::all(0.3));
        let config = SoftHebbConfig { temperature, lr, init_norm: 2.0, chunk: 100, ..Default::default() };
        let images = |x: &Tensor<2>| floats(x.clone()).chunks(x.dims()[1]).map(<[f32]>::to_vec).collect::<Vec<_>>();
        let patch = |image: &Vec<f32>, row: i32, column: i32| -> Vec<f32> {
            let pixel = |r: i32, c: i32| {
                if (0..16).contains(&r) && (0..16).contains(&c) { image[(r * 16 + c) as usize] } else { 0.0 }
            };
            (0..9).map(|i| pixel(row + i / 3 - 1, column + i % 3 - 1)).collect()
        };
        for (mut net, conv) in [(laws::small_mlp(1), false), (cnn(), true)] {
            let (mut rule, batch) = (config.init(&mut net).unwrap(), laws::batch(&net, 0));
            let mut patches = images(&batch.x);
            if conv {
                patches = centred(patches);
                let at = |image| (0..256).map(move |p| patch(image, p / 16, p % 16));
                patches = patches.iter().flat_map(at).collect();
            }
            let before = first_rows(&mut net);
            assert!(before.iter().all(|w| (w.iter().map(|w| w * w).sum::<f32>() - 4.0).abs() < 1e-4));
            let expected = definition(&before, &patches, &config);
            rule.step(&mut net, &batch, &mut adam()).unwrap();
            for (k, (found, expected)) in first_rows(&mut net).iter().zip(&expected).enumerate() {
                for (a, b) in found.iter().zip(expected) {
                    assert!((a - b).abs() < 1e-4, "row {k}: {found:?}, not {expected:?}");
                }
            }
        }
    }

    #[test]
    fn rows_settle_at_norm_1() {
        laws::one_thread();
        let mut net = laws::small_mlp(1);
        let mut rule = SoftHebbConfig { init_norm: 3.0, ..Default::default() }.init(&mut net).unwrap();
        for step in 0..400 {
            let batch = laws::batch(&net, step);
            rule.step(&mut net, &batch, &mut adam()).unwrap();
        }
        for w in first_rows(&mut net) {
            let norm = w.iter().map(|w| w * w).sum::<f32>().sqrt();
            assert!((norm - 1.0).abs() < 0.1, "norm {norm}");
        }
    }

    #[test]
    fn rows_of_every_layer_shrink_towards_1() {
        // With batch norm behind the convolution those of the third layer grow from 5 to 6: what it reads is never
        // below 0, and its mean is what all rows learn.
        laws::one_thread();
        let spec = NetworkSpec {
            width: Some(8),
            depth: Some(3),
            batch_norm: BatchNormAt::Before,
            activation: Activation::Triangle,
            ..NetworkSpec::named("cnn-1")
        };
        let mut net = spec.build([1, 16, 16], 4, 5, &Device::flex()).unwrap();
        let mut rule = SoftHebbConfig { init_norm: 5.0, chunk: 8, ..Default::default() }.init(&mut net).unwrap();
        for step in 0..100 {
            let batch = laws::batch(&net, step);
            rule.step(&mut net, &batch, &mut adam()).unwrap();
        }
        for layer in 0..3 {
            let mean: f32 = norms(&slot(&mut net, layer).unwrap().rows()).mean().into_scalar();
            assert!(mean < 2.5, "layer {layer}: rows of norm {mean}");
        }
    }

    #[test]
    fn a_batch_makes_an_update_of_each_chunk() {
        laws::one_thread();
        let (mut net, mut other) = (cnn(), cnn());
        let config = SoftHebbConfig { chunk: 8, ..SoftHebbConfig::default() };
        let (mut rule, mut whole) = (config.init(&mut net).unwrap(), config.init(&mut other).unwrap());
        let batch = laws::batch(&net, 0);
        rule.step(&mut net, &batch, &mut adam()).unwrap();
        for start in [0, 8, 16] {
            let labels = batch.labels[start..start + 8].to_vec();
            let chunk = Batch::new(batch.x.clone().narrow(0, start, 8), labels, start as u64);
            whole.step(&mut other, &chunk, &mut adam()).unwrap();
        }
        assert_eq!(net.params(), other.params());
    }

    #[test]
    fn each_layer_has_its_own_rate_and_temperature() {
        laws::one_thread();
        let start = cnn().params();
        let moved = |config: SoftHebbConfig| {
            let mut net = cnn();
            let mut rule = config.init(&mut net).unwrap();
            let batch = laws::batch(&net, 0);
            rule.step(&mut net, &batch, &mut adam()).unwrap();
            net.params()
        };
        let good = SoftHebbConfig { chunk: 24, ..SoftHebbConfig::default() };
        let one = moved(good);
        assert_ne!(one[1][0], start[1][0]);
        for changed in [
            SoftHebbConfig { lr: PerLayer::list(&[0.05, 0.01]).unwrap(), ..good },
            SoftHebbConfig { temperature: PerLayer::list(&[1.0, 0.3]).unwrap(), ..good },
        ] {
            let other = moved(changed);
            assert_eq!(one[0], other[0]);
            assert_ne!(one[1], other[1]);
        }
    }

    #[test]
    fn after_the_unsupervised_epochs_only_the_classifier_learns() {
        laws::one_thread();
        let mut net = cnn();
        let (mut rule, mut updater) = (SoftHebbConfig::default().init(&mut net).unwrap(), adam());
        let mut step = |net: &mut Network, epoch, step| {
            let batch = Batch { epoch, ..laws::batch(net, step) };
            rule.step(net, &batch, &mut updater).unwrap().loss.into_scalar::<f32>()
        };
        let (start, output) = (net.params(), net.depth() - 1);
        for i in 0..3 {
            let doubt = step(&mut net, 0, i);
            assert!(doubt > 0.0 && doubt < 1.0, "doubt {doubt}");
        }
        let learned = net.params();
        assert!((0..output).all(|l| start[l] != learned[l]));
        assert_eq!(start[output], learned[output]);
        let losses: Vec<f32> = (0..40).map(|i| step(&mut net, 1, i)).collect();
        let (first, last) = (losses[..10].iter().sum::<f32>(), losses[30..].iter().sum::<f32>());
        assert!(last < 0.8 * first, "the classifier's loss went from {first} to {last}");
        assert_eq!(net.params()[..output], learned[..output]);
        assert_ne!(net.params()[output], learned[output]);
    }

    #[test]
    fn repeats_resumes_and_is_local() {
        laws::repeats(cnn, HEBB);
        laws::resumes(|| laws::small_mlp(2), HEBB);
        laws::resumes(cnn, HEBB);
        laws::local(|| laws::small_mlp(2), || laws::small_mlp(4), 2, HEBB);
    }

    #[test]
    fn mistakes_are_named() {
        let error = |config: SoftHebbConfig| config.init(&mut cnn()).err().unwrap().to_string();
        let good = SoftHebbConfig::default();
        assert!(error(SoftHebbConfig { temperature: PerLayer::all(0.0), ..good }).contains("temperature"));
        assert!(error(SoftHebbConfig { lr: PerLayer::all(f64::NAN), ..good }).contains("lr"));
        assert!(error(SoftHebbConfig { lr_exponent: -1.0, ..good }).contains("lr_exponent"));
        assert!(error(SoftHebbConfig { chunk: 0, ..good }).contains("chunk"));
        assert!(error(SoftHebbConfig { init_norm: 1.0, ..good }).contains("never move"));
        let refused = good.init(&mut laws::small_vit(true)).err().unwrap().to_string();
        assert!(refused.contains("SoftHebb") && refused.contains("CNN"), "{refused}");
    }
}
