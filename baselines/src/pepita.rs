//! PEPITA: the error is sent through the network as a change of its input (Dellaferrera & Kreiman 2022), and its
//! variant of constant memory, MEMPEPITA (Pau & Aymone 2023).
//!
//! First pass on `x`: `h_l` and `e = softmax(z_L) - y`. Second pass on `x' = x + F e`, `F` fixed, with the same masks:
//! `h'_l`. Then `dW_l = (h_l - h'_l) h'_{l-1}ᵀ` without `φ'`, where `h'_0 = x'`; the output layer takes the second
//! pass's error, `dW_L = e' h'_{L-1}ᵀ`, but where it is the only dense layer behind convolutions the first pass's, as
//! in the authors' code. A convolution averages over its output positions, and `h` is taken before pooling. Biases,
//! which the reference lacks, move by the same rule; a batch norm's factors do not move.
//!
//! The first pass's activations are kept for the second: memory grows with depth as BP's does. `memory = "light"` keeps
//! none and runs the first pass again beside the second, layer by layer, with the same result.

use crate::facts::{EVERY, Reach, Rule, Usual, Variant, Variants};
use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};
use sll_core::layer::Stages;
use sll_core::learned::Part;
use sll_core::op::{Product, inject};
use sll_core::optim::{OptimizerKind, Updater};
use sll_core::rng::{Purpose, Stream, upload};
use sll_core::rule::{Batch, LearningRule, StepCost, StepReport};
use sll_core::{Cut, Error, Network, NetworkSpec, Pass, Result, Shape};

/// What becomes of the first pass's activations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Memory {
    /// Kept until the second pass has used them, as in the reference.
    #[default]
    Standard,
    /// Computed again beside the second pass: one more forward pass, memory constant in depth.
    Light,
}

/// How a convolution sums over its output positions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Positions {
    /// Sum divided by their number.
    #[default]
    Mean,
    /// Sum divided by the square root of their number.
    Sqrt,
}

/// Settings of PEPITA.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PepitaConfig {
    /// Factor on `F`, whose entries are the reference's `U(±0.05 √(6/n_0))`.
    pub projection_gain: f64,
    /// What becomes of the first pass's activations.
    pub memory: Memory,
    /// How a convolution sums over its output positions.
    pub positions: Positions,
}

impl Default for PepitaConfig {
    fn default() -> Self {
        Self { projection_gain: 1.0, memory: Memory::Standard, positions: Positions::Mean }
    }
}

/// The rule, built for one network.
pub struct Pepita {
    memory: Memory,
    /// `F` as `[K, n_0]`.
    projection: Tensor<2>,
    /// Of each hidden layer: the factor on its sum over positions.
    scales: Vec<f64>,
    /// Whether the output layer takes the first pass's error.
    first_error: bool,
}

impl Rule for PepitaConfig {
    const VARIANTS: Variants<Self> = &[
        Variant {
            title: "PEPITA",
            equation: "x' = x + F e; dW_l = (h_l - h'_l) h'_{l-1}^T, F fixed random",
            paper: "Dellaferrera & Kreiman 2022",
            stores: "fixed: F, K n_0 values",
            activations: EVERY,
            update_locked: "until the second pass",
            reach: Reach::Output,
            ..Variant::local(Self::default)
        },
        Variant {
            title: "MEMPEPITA",
            equation: "as PEPITA; the first pass is run again beside the second",
            paper: "Pau & Aymone 2023",
            stores: "fixed: F, K n_0 values",
            activations: "one layer's, twice",
            update_locked: "until the second pass",
            reach: Reach::Output,
            ..Variant::local(|| Self { memory: Memory::Light, ..Self::default() })
        },
    ];

    fn build(&self, net: &mut Network, seed: u64) -> Result<Box<dyn LearningRule>> {
        Ok(Box::new(self.init(net, seed)?))
    }

    fn title(&self) -> String {
        Self::VARIANTS[usize::from(self.memory == Memory::Light)].title.into()
    }

    fn usual(&self) -> Usual {
        Usual { optimizer: OptimizerKind::Sgd, lr: 0.1, ..Usual::default() }
    }

    fn numerics(&self, network: &NetworkSpec) -> u32 {
        // Behind convolutions alone the output layer came to take the first pass's error.
        if network.sees_vectors() { 0 } else { 9 }
    }
}

impl PepitaConfig {
    /// Draws `F` for `net` from `seed`.
    ///
    /// # Errors
    /// If a setting is out of its range, or the rule cannot run on `net`.
    pub fn init(&self, net: &Network, seed: u64) -> Result<Pepita> {
        Error::check_gain("projection_gain", self.projection_gain)?;
        let scale = |layer: usize| {
            let Some(stages) = net.stages(layer) else {
                let reason = format!(
                    "layer {layer} ({}) is more than one affine map, and the rule is written in pre-activations; use \
                     an MLP or a CNN, or a rule that trains units, such as dfa or sll",
                    net.layer_names()[layer]
                );
                return Err(Error::Unsupported { rule: "PEPITA".into(), reason });
            };
            let positions = match stages.pre_activation_shape() {
                Shape::Map { h, w, .. } => (h * w) as f64,
                _ => 1.0,
            };
            Ok(match self.positions {
                Positions::Mean => 1.0 / positions,
                Positions::Sqrt => 1.0 / positions.sqrt(),
            })
        };
        let scales = (0..net.depth() - 1).map(scale).collect::<Result<_>>()?;
        let (classes, n) = (net.classes(), net.input().len());
        let bound = self.projection_gain * 0.05 * (6.0 / n as f64).sqrt();
        let values = Stream::new(seed, Purpose::Feedback, &[0]).uniform(classes * n, bound);
        let projection = upload(values, [classes, n], &net.device().clone().inner());
        let below = net.depth().checked_sub(2).map(|layer| net.output_of(layer));
        let first_error = matches!(below, Some(Shape::Map { .. }));
        Ok(Pepita { memory: self.memory, projection, scales, first_error })
    }
}

/// `h` and, pooled, the next layer's input, from a plain `z`.
fn activate(stages: &dyn Stages, z: Tensor<2>, pass: &Pass) -> (Tensor<2>, Tensor<2>) {
    let h = stages.activate(z, pass);
    (h.clone(), stages.pool(h))
}

/// A hidden layer, whose stages [`PepitaConfig::init`] has seen.
fn stages(net: &Network, layer: usize) -> &dyn Stages {
    net.stages(layer).expect("init refuses layers without stages")
}

impl LearningRule for Pepita {
    fn step(&mut self, net: &mut Network, batch: &Batch, updater: &mut Updater) -> Result<StepReport> {
        net.accept(batch)?;
        let (output, replay) = (net.depth() - 1, batch.replay());
        let targets = batch.targets(net.classes(), &batch.x.device());
        let (mut x, mut kept) = (batch.x.clone(), Vec::new());
        for layer in 0..output {
            let (stages, pass) = (stages(net, layer), batch.pass().at(layer));
            let (h, next) = activate(stages, stages.pre_activation(x, &pass), &pass);
            x = next;
            if self.memory == Memory::Standard {
                kept.push(h);
            }
        }
        let logits = net.forward_plain(output..output + 1, x, &batch.pass());
        let (loss, error) = net.loss().evaluate(logits, targets.clone());

        let mut modulated = batch.x.clone() + error.clone().product(self.projection.clone());
        let (mut kept, mut x) = (kept.into_iter(), batch.x.clone());
        for layer in 0..output {
            let (stages, pass) = (stages(net, layer), replay.at(layer));
            let first = kept.next().unwrap_or_else(|| {
                let (h, next) = activate(stages, stages.pre_activation(x.clone(), &pass), &pass);
                x = next;
                h
            });
            let z = stages.pre_activation(Tensor::from_inner(modulated), &pass);
            let (second, next) = activate(stages, z.clone().inner(), &pass);
            modulated = next;
            let signal = (first - second) * (self.scales[layer] / batch.len() as f64);
            // Both streams have passed this layer: it may change.
            updater.step(net, layer..layer + 1, inject(z, signal));
        }
        let logits = net.forward_range(output..output + 1, Tensor::from_inner(modulated), &replay);
        let error = match self.first_error {
            true => error,
            false => net.loss().evaluate(logits.clone().inner(), targets).1,
        };
        updater.step(net, output..output + 1, inject(logits, error * batch.share()));
        Ok(StepReport { loss: loss.mean(), units: Vec::new() })
    }

    fn cut(&self) -> Cut {
        Cut::EveryLayer
    }

    fn cost(&self, net: &Network, _batch: usize) -> StepCost {
        let costs = net.costs();
        let all: u64 = costs.iter().map(|c| c.forward).sum();
        let again = match self.memory {
            Memory::Standard => 0,
            Memory::Light => all - costs[costs.len() - 1].forward,
        };
        StepCost { forward: 2 * all + again, backward: all, rule: self.fixed_values(net) as u64 }
    }

    fn parts(&self) -> Vec<Part<'_>> {
        vec![Part::fixed("projection", self.projection.clone())]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::{Device, TensorData};
    use sll_core::laws::{self, Build};
    use sll_core::optim::{OptimizerConfig, OptimizerKind};

    const PEPITA: Build = &|net| Ok(Box::new(PepitaConfig::default().init(net, 3)?));
    const LIGHT: Build =
        &|net| Ok(Box::new(PepitaConfig { memory: Memory::Light, ..Default::default() }.init(net, 3)?));

    fn floats(data: &TensorData) -> Vec<f32> {
        data.clone().try_to_vec().unwrap()
    }

    fn sgd() -> Updater {
        let config = OptimizerConfig { kind: OptimizerKind::Sgd, ..Default::default() };
        let mut updater = config.init().unwrap();
        updater.set_lr(1.0);
        updater
    }

    /// `x W + b`, through ReLU where `hidden`.
    fn affine(x: &[f32], w: &[f32], b: &[f32], hidden: bool) -> Vec<f32> {
        let m = b.len();
        let z = |j: usize| b[j] + x.iter().enumerate().map(|(i, x)| x * w[i * m + j]).sum::<f32>();
        (0..m).map(|j| if hidden { z(j).max(0.0) } else { z(j) }).collect()
    }

    fn error(logits: &[f32], label: usize) -> Vec<f32> {
        let total: f32 = logits.iter().map(|z| z.exp()).sum();
        logits.iter().enumerate().map(|(k, z)| z.exp() / total - f32::from(k == label)).collect()
    }

    #[test]
    fn one_step_is_the_definition_in_plain_loops() {
        laws::one_thread();
        let spec = NetworkSpec { width: Some(5), ..NetworkSpec::named("mlp-2x800") };
        let mut net = spec.build([1, 3, 2], 4, 2, &Device::flex()).unwrap();
        // A large F, so that the hidden updates stand out from rounding.
        let mut rule = PepitaConfig { projection_gain: 20.0, ..Default::default() }.init(&net, 3).unwrap();
        let batch = laws::batch(&net, 1);
        let before: Vec<Vec<Vec<f32>>> = net.params().iter().map(|l| l.iter().map(floats).collect()).collect();
        let (x, f) = (floats(&batch.x.clone().into_data()), floats(&rule.projection.clone().into_data()));
        let run = |x: Vec<f32>| {
            let mut h = vec![x];
            for (l, p) in before.iter().enumerate() {
                h.push(affine(&h[l], &p[0], &p[1], l < 2));
            }
            h
        };
        let mut expected: Vec<Vec<Vec<f32>>> =
            before.iter().map(|l| l.iter().map(|p| vec![0.0; p.len()]).collect()).collect();
        for (x, &label) in x.chunks(6).zip(&batch.labels) {
            let first = run(x.to_vec());
            let e = error(&first[3], label);
            let moved = |i: usize| x[i] + (0..4).map(|k| f[k * 6 + i] * e[k]).sum::<f32>();
            let second = run((0..6).map(moved).collect());
            for l in 0..3 {
                let delta: Vec<f32> = match l {
                    2 => error(&second[3], label),
                    _ => first[l + 1].iter().zip(&second[l + 1]).map(|(h, m)| h - m).collect(),
                };
                for (j, d) in delta.iter().enumerate() {
                    let d = d / batch.len() as f32;
                    expected[l][1][j] += d;
                    for (i, h) in second[l].iter().enumerate() {
                        expected[l][0][i * delta.len() + j] += d * h;
                    }
                }
            }
        }
        rule.step(&mut net, &batch, &mut sgd()).unwrap();
        for (l, params) in net.params().iter().enumerate() {
            for (p, after) in params.iter().map(floats).enumerate() {
                for (i, value) in after.iter().enumerate() {
                    let (moved, dw) = (before[l][p][i] - value, expected[l][p][i]);
                    assert!((moved - dw).abs() < 1e-5, "layer {l}, parameter {p}[{i}] moved by {moved}, not {dw}");
                }
            }
        }
    }

    #[test]
    fn without_a_projection_only_the_output_layer_moves() {
        let faint = PepitaConfig { projection_gain: 1e-30, ..Default::default() };
        for mut net in [laws::small_mlp(2), laws::small_cnn()] {
            let (before, batch) = (net.params(), laws::batch(&net, 0));
            let weights = |params: &[Vec<TensorData>]| params.iter().map(|p| p[0].clone()).collect::<Vec<_>>();
            faint.init(&net, 3).unwrap().step(&mut net, &batch, &mut sgd()).unwrap();
            let (a, b) = (weights(&before), weights(&net.params()));
            assert_eq!(a[..a.len() - 1], b[..b.len() - 1]);
            assert_ne!(a.last(), b.last());
        }
    }

    #[test]
    fn the_only_dense_layer_behind_convolutions_takes_the_first_error() {
        // Its bias moves by the mean error of one pass: the first's here, with a hidden dense layer the second's.
        for (dense, mut net) in [(false, laws::small_cnn()), (true, with_hidden_dense())] {
            let batch = laws::batch(&net, 0);
            let (start, output) = (net.duplicate(), net.depth() - 1);
            let mut rule = PepitaConfig { projection_gain: 20.0, ..Default::default() }.init(&net, 3).unwrap();
            let targets = batch.targets(4, &batch.x.device());
            let mean_error = |x: Tensor<2>| {
                let logits = start.forward_plain(0..output + 1, x, &batch.replay());
                let error = start.loss().evaluate(logits, targets.clone()).1;
                (error.clone(), laws::floats(error.mean_dim(0)))
            };
            let (error, first) = mean_error(batch.x.clone());
            let moved = laws::moved(&mut net, &mut rule, &batch);
            let change = batch.x.clone() + error.product(rule.projection.clone());
            // The second pass goes through hidden layers as they were before the step.
            let second = mean_error(change).1;
            let far = |expected: &[f32]| {
                let differ = moved[output][1].iter().zip(expected).map(|(a, b)| (a - b).abs());
                differ.fold(0f32, f32::max)
            };
            let (right, wrong) = if dense { (&second, &first) } else { (&first, &second) };
            assert!(far(right) < 1e-6 && far(wrong) > 1e-5, "dense {dense}: {} {}", far(right), far(wrong));
        }
    }

    /// Convolutions, then two dense layers.
    fn with_hidden_dense() -> Network {
        let spec = NetworkSpec { width: Some(8), ..NetworkSpec::named("cnn-small") };
        spec.build([1, 16, 16], 4, 5, &Device::flex()).unwrap()
    }

    #[test]
    fn light_memory_changes_no_bit() {
        laws::same_update(|| laws::small_mlp(2), LIGHT, PEPITA);
        laws::same_update(laws::small_cnn, LIGHT, PEPITA);
    }

    #[test]
    fn running_statistics_see_each_batch_once() {
        // With the same batch, they must be where a plain training pass leaves them in the first layer.
        laws::one_thread();
        let (mut net, plain) = (laws::small_cnn(), laws::small_cnn());
        let batch = laws::batch(&net, 0);
        PEPITA(&mut net).unwrap().step(&mut net, &batch, &mut sgd()).unwrap();
        drop(plain.forward(Tensor::from_inner(batch.x.clone()), &batch.pass()));
        let statistics = |net: &Network| net.params()[0][4..].to_vec();
        assert_ne!(statistics(&net), statistics(&laws::small_cnn()));
        assert_eq!(statistics(&net), statistics(&plain));
    }

    #[test]
    fn repeats_resumes_and_learns() {
        laws::repeats(|| laws::small_mlp(2), PEPITA);
        laws::resumes(|| laws::small_mlp(2), LIGHT);
        laws::resumes(laws::small_cnn, PEPITA);
        laws::learns(|| laws::small_mlp(2), PEPITA, 80);
    }

    #[test]
    fn costs_three_forward_passes_or_four_and_refuses_transformers() {
        let net = laws::small_mlp(2);
        let (f, out) = (12 * 16 + 16 * 16 + 16 * 4, 16 * 4);
        let cost = |memory| PepitaConfig { memory, ..Default::default() }.init(&net, 3).unwrap().cost(&net, 1).total();
        assert_eq!(cost(Memory::Standard), 3 * f + 4 * 12);
        assert_eq!(cost(Memory::Light), 4 * f - out + 4 * 12);
        let refused = PepitaConfig::default().init(&laws::small_vit(true), 3).err().unwrap().to_string();
        assert!(refused.contains("PEPITA") && refused.contains("MLP"), "{refused}");
        let faulty = PepitaConfig { projection_gain: 0.0, ..Default::default() };
        assert!(faulty.init(&net, 3).err().unwrap().to_string().contains("projection_gain"));
    }
}
