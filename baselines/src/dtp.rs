//! TP: target propagation (Bengio 2014), and DTP: difference target propagation (Lee, Zhang, Fischer & Bengio 2015).
//!
//! Every hidden layer above the first has a learned inverse `g_l(h) = ψ(h Q_l + c_l)`, from `h_l` to `h_{l-1}`. With
//! `b` samples, per-sample loss `J`, step `β` and noise `σ`:
//!
//! ```text
//! t_{L-1} = h_{L-1} - β dJ/dh_{L-1}                 the last hidden layer's, through the output layer
//! TP:  t_{l-1} = g_l(t_l)
//! DTP: t_{l-1} = h_{l-1} + g_l(t_l) - g_l(h_l)      the difference cancels what g_l gets wrong at h_l
//! dh_l = 2 (h_l - t_l) / b                          of ||h_l - t_l||², t_l fixed; the output layer: its exact gradient
//! h~ = h_{l-1} + σ n,  dg = 2 (g_l(f_l(h~)) - h~) / b     to Q_l and c_l alone
//! ```
//!
//! `J` is one sample's loss, so that `β` does not depend on the batch size: a step along the gradient of the batch's
//! mean, as in the code of Lee et al., would be `b` times as long for the same `β`, and theirs of 0.2 is, in batches of
//! a hundred, 0.002 here. Inverses start by PyTorch's law, whatever `initial` and `bias` of the network say.
//!
//! All of it is computed at the weights before the step. Targets are known only after the whole forward pass, so every
//! layer's activations are kept until then, as in BP; `Q` and its optimiser state come on top, about as large as the
//! network above its first layer.

use crate::facts::{EVERY, Reach, Rule, Usual, Variant, Variants};
use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};
use sll_core::layer::{Activation, Dense, Hidden, Layer};
use sll_core::learned::{self, Learned, Part};
use sll_core::op::inject;
use sll_core::optim::Updater;
use sll_core::rng::{Purpose, Stream, upload};
use sll_core::rule::{Batch, LearningRule, StepCost, StepReport};
use sll_core::{Cut, Error, Network, Pass, Result, Shape};
use std::ops::Range;

/// Settings of TP and DTP.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DtpConfig {
    /// Whether targets carry the difference correction: DTP with it, TP without.
    pub difference: bool,
    /// `β`, the step from the last hidden activation to its target; one half makes its signal the loss gradient.
    pub target_step: f64,
    /// `σ`, the standard deviation of the noise around which inverses are learned.
    pub noise: f64,
    /// Factor on the learning rate of the inverses.
    pub inverse_lr_factor: f64,
    /// Epochs at the start that train the inverses alone.
    pub inverse_epochs: usize,
    /// `ψ`: the network's own function fits best, as its range is what inverses reproduce.
    pub inverse_activation: Activation,
}

impl Default for DtpConfig {
    fn default() -> Self {
        Self {
            difference: true,
            target_step: 0.2,
            noise: 0.1,
            inverse_lr_factor: 2.0,
            inverse_epochs: 0,
            inverse_activation: Activation::Tanh,
        }
    }
}

/// The rule, built for one network.
pub struct Dtp {
    config: DtpConfig,
    units: Vec<Range<usize>>,
    /// `g_l`, one for each hidden unit but the first.
    inverses: Vec<Learned<Dense>>,
}

impl Rule for DtpConfig {
    const VARIANTS: Variants<Self> = &[
        Variant {
            title: "TP",
            equation: "t_{l-1} = g_l(t_l), dh_l = 2 (h_l - t_l), g_l a learned inverse of f_l",
            paper: "Bengio 2014",
            stores: "learned: inverses, about one value a weight between hidden layers",
            activations: EVERY,
            update_locked: "yes",
            reach: Reach::All,
            ..Variant::local(Self::tp)
        },
        Variant {
            title: "DTP",
            equation: "t_{l-1} = h_{l-1} + g_l(t_l) - g_l(h_l), dh_l = 2 (h_l - t_l)",
            paper: "Lee, Zhang, Fischer & Bengio 2015",
            stores: "learned: inverses, about one value a weight between hidden layers",
            activations: EVERY,
            update_locked: "yes",
            reach: Reach::All,
            ..Variant::local(Self::default)
        },
    ];

    fn build(&self, net: &mut Network, seed: u64) -> Result<Box<dyn LearningRule>> {
        Ok(Box::new(self.init(net, seed)?))
    }

    fn title(&self) -> String {
        Self::VARIANTS[usize::from(self.difference)].title.into()
    }

    fn preparation(&self) -> (&'static str, usize) {
        ("inverse_epochs", self.inverse_epochs)
    }

    fn usual(&self) -> Usual {
        Usual { activation: Activation::Tanh, ..Usual::default() }
    }
}

impl DtpConfig {
    /// TP. Without the difference correction nothing works before the inverses do, and a small step drowns in what they
    /// get wrong (results/tune_dtp).
    pub fn tp() -> Self {
        Self { difference: false, inverse_epochs: 1, target_step: 50.0, ..Self::default() }
    }

    fn validate(&self) -> Result<()> {
        let positive = |value: f64| value.is_finite() && value > 0.0;
        if !positive(self.target_step) {
            return Err(Error::setting("target_step", self.target_step, "must be a positive number (default 0.2)"));
        }
        if !(self.noise == 0.0 || positive(self.noise)) {
            return Err(Error::setting("noise", self.noise, "must be 0 or positive (default 0.1)"));
        }
        if !positive(self.inverse_lr_factor) {
            let reason = "must be a positive number (default 2)";
            return Err(Error::setting("inverse_lr_factor", self.inverse_lr_factor, reason));
        }
        Ok(())
    }

    /// Draws the inverses for `net` from `seed`.
    ///
    /// # Errors
    /// If a setting is out of its range, or the rule cannot run on `net`.
    pub fn init(&self, net: &Network, seed: u64) -> Result<Dtp> {
        self.validate()?;
        let units = net.units(Cut::EveryLayer)?;
        let shapes: Vec<Shape> = units.iter().map(|unit| net.output_of(unit.end - 1)).collect();
        if let Some(shape) = shapes.iter().find(|shape| !matches!(shape, Shape::Flat(_))) {
            let reason = format!(
                "its inverses are dense, and one that gives back {shape} from as many features would hold {} weights; \
                 use an MLP, or dfa, whose feedback fits any layer",
                shape.len().pow(2)
            );
            return Err(Error::Unsupported { rule: "DTP".into(), reason });
        }
        let hidden = &shapes[..shapes.len() - 1];
        let inverse = Hidden { activation: self.inverse_activation, ..Hidden::default() };
        let inverses = hidden.windows(2).enumerate().map(|(index, pair)| {
            let mut stream = Stream::new(seed, Purpose::Learned, &[index as u64]);
            let (n, m) = (pair[1].len(), pair[0].len());
            Learned::new(Dense::new(n, m, inverse, &mut stream, net.device()))
        });
        Ok(Dtp { config: *self, inverses: inverses.collect(), units })
    }
}

impl Dtp {
    /// The target of the hidden unit below that of inverse `index`, from its own output `below` and from the output
    /// and the target above.
    fn target(&self, index: usize, below: Tensor<2>, output: Tensor<2>, target: Tensor<2>) -> Tensor<2> {
        let inverse = self.inverses[index].get();
        let g = |h| inverse.forward(h, &Pass::Eval);
        match self.config.difference {
            true => below + g(target) - g(output),
            false => g(target),
        }
    }

    /// Trains inverse `index` around the activation `below` that it gives back.
    fn learn_inverse(&mut self, index: usize, below: Tensor<2>, net: &Network, batch: &Batch, updater: &mut Updater) {
        let ([b, n], device) = (below.dims(), below.device());
        let noise = Stream::new(batch.seed, Purpose::Noise, &[index as u64]).normal(b * n, self.config.noise);
        let noisy = below + upload(noise, [b, n], &device);
        // Replayed, so that the masks are those of the activations that targets pass through. No graph leaves f.
        let unit = self.units[index + 1].clone();
        let image = net.forward_plain(unit, noisy.clone(), &batch.replay());
        let inverse = &mut self.inverses[index];
        let guess = inverse.get().forward(Tensor::from_inner(image), &Pass::Eval);
        let signal = (guess.clone().inner() - noisy) * (2.0 / b as f64);
        inverse.update(&mut inject(guess, signal), updater, self.config.inverse_lr_factor);
    }
}

impl Dtp {
    /// A step of the early epochs: the inverses learn around activations that stay as they are.
    fn learn_inverses(&mut self, net: &Network, batch: &Batch, updater: &mut Updater) -> StepReport {
        let mut h = batch.x.clone();
        for unit in 0..self.units.len() {
            let below = h;
            h = net.forward_plain(self.units[unit].clone(), below.clone(), &batch.pass());
            if (1..=self.inverses.len()).contains(&unit) {
                self.learn_inverse(unit - 1, below, net, batch, updater);
            }
        }
        let (loss, _) = net.loss().evaluate(h, batch.targets(net.classes(), &batch.x.device()));
        StepReport { loss: loss.mean(), units: Vec::new() }
    }
}

impl LearningRule for Dtp {
    fn step(&mut self, net: &mut Network, batch: &Batch, updater: &mut Updater) -> Result<StepReport> {
        net.accept(batch)?;
        let (pass, last, b) = (batch.pass(), self.units.len() - 1, batch.len() as f64);
        if batch.epoch < self.config.inverse_epochs {
            return Ok(self.learn_inverses(net, batch, updater));
        }
        let mut outputs = Vec::with_capacity(last);
        let mut x = Tensor::from_inner(batch.x.clone());
        for unit in &self.units[..last] {
            let output = net.forward_range(unit.clone(), x, &pass);
            x = output.clone().detach();
            outputs.push(output);
        }
        let top = x.require_grad();
        let logits = net.forward_range(self.units[last].clone(), top.clone(), &pass);
        let targets = batch.targets(net.classes(), &batch.x.device());
        let (loss, error) = net.loss().evaluate(logits.clone().inner(), targets);
        let mut grads = inject(logits, error * (1.0 / b));
        let gradient = top.grad_remove(&mut grads).expect("the output layer reads the last hidden layer");
        let mut target = top.inner() - gradient * (self.config.target_step * b);
        updater.step(net, self.units[last].clone(), grads);
        while let Some(output) = outputs.pop() {
            let (unit, h, t) = (outputs.len(), output.clone().inner(), target.clone());
            if let Some(below) = outputs.last().map(|below| below.clone().inner()) {
                target = self.target(unit - 1, below.clone(), h.clone(), t.clone());
                self.learn_inverse(unit - 1, below, net, batch, updater);
            }
            updater.step(net, self.units[unit].clone(), inject(output, (h - t) * (2.0 / b)));
        }
        Ok(StepReport { loss: loss.mean(), units: Vec::new() })
    }

    fn cut(&self) -> Cut {
        Cut::EveryLayer
    }

    fn cost(&self, net: &Network, _batch: usize) -> StepCost {
        // g(t), g(f(h~)) and dQ, and g(h) for the difference; f(h~).
        let passes = 3 + u64::from(self.config.difference);
        let forward = |unit: &Range<usize>| net.costs()[unit.clone()].iter().map(|c| c.forward).sum::<u64>();
        let inverses = self.inverses.iter().zip(&self.units[1..]);
        let rule = inverses.map(|(g, unit)| passes * g.get().cost().forward + forward(unit)).sum();
        let last = &self.units[self.units.len() - 1];
        // Unlike the other units', the output's input gradient is needed.
        let local = StepCost::of_units(net, &self.units);
        StepCost { rule, backward: local.backward + net.costs()[last.start].input_grad, ..local }
    }

    fn parts(&self) -> Vec<Part<'_>> {
        Part::learned_list("inverses", &self.inverses)
    }

    fn load(&mut self, record: Vec<Vec<u8>>) -> Result<()> {
        learned::load_all(&mut self.inverses, record)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bp::Bp;
    use burn::tensor::{Device, TensorData};
    use sll_core::NetworkSpec;
    use sll_core::laws::{self, Build};
    use sll_core::optim::{OptimizerConfig, OptimizerKind};

    const DTP: Build = &|net| Ok(Box::new(DtpConfig::default().init(net, 3)?));
    const TP: Build = &|net| Ok(Box::new(DtpConfig { difference: false, ..DtpConfig::default() }.init(net, 3)?));

    /// `12 - width x depth - 4`.
    fn mlp(depth: usize, width: usize, activation: Activation, dropout: f64) -> Network {
        let (depth, width) = (Some(depth), Some(width));
        let spec = NetworkSpec { depth, width, dropout, activation, ..NetworkSpec::named("mlp-2x800") };
        spec.build([3, 2, 2], 4, 5, &Device::flex()).unwrap()
    }

    fn sgd(lr: f64) -> Updater {
        let config = OptimizerConfig { kind: OptimizerKind::Sgd, ..Default::default() };
        let mut updater = config.init().unwrap();
        updater.set_lr(lr);
        updater
    }

    fn floats(data: &TensorData) -> Vec<f64> {
        data.clone().convert::<f64>().try_to_vec().unwrap()
    }

    /// `aᵀ b` of `[b, n]` and `[b, m]`: a weight gradient.
    fn outer(a: &[f64], b: &[f64], rows: usize) -> Vec<f64> {
        let (n, m) = (a.len() / rows, b.len() / rows);
        let entry = |i: usize, j: usize| (0..rows).map(|s| a[s * n + i] * b[s * m + j]).sum();
        (0..n * m).map(|k| entry(k / m, k % m)).collect()
    }

    /// `φ(x W + b)` of `[rows, n]`.
    fn affine(x: &[f64], layer: &[TensorData], rows: usize, phi: fn(f64) -> f64) -> Vec<f64> {
        let (w, bias) = (floats(&layer[0]), floats(&layer[1]));
        let (n, m) = (x.len() / rows, bias.len());
        let z = |s: usize, j: usize| (0..n).map(|i| x[s * n + i] * w[i * m + j]).sum::<f64>() + bias[j];
        (0..rows * m).map(|k| phi(z(k / m, k % m))).collect()
    }

    fn zip(a: &[f64], b: &[f64], f: impl Fn(f64, f64) -> f64) -> Vec<f64> {
        a.iter().zip(b).map(|(&a, &b)| f(a, b)).collect()
    }

    fn check_one_step(difference: bool) {
        laws::one_thread();
        let mut net = mlp(2, 5, Activation::Tanh, 0.0);
        let config = DtpConfig { difference, noise: 0.3, inverse_lr_factor: 0.5, ..DtpConfig::default() };
        let mut rule = config.init(&net, 3).unwrap();
        let batch = laws::batch(&net, 1);
        let (before, inverse) = (net.params(), rule.inverses[0].params());
        rule.step(&mut net, &batch, &mut sgd(1.0)).unwrap();

        let (n, tanh): (_, fn(f64) -> f64) = (batch.len(), f64::tanh);
        let (b, slope) = (n as f64, |dh: &[f64], h: &[f64]| zip(dh, h, |dh, h| dh * (1.0 - h * h)));
        let g = |h: &[f64]| affine(h, &inverse, n, tanh);
        let x = floats(&batch.x.to_data());
        let h1 = affine(&x, &before[0], n, tanh);
        let h2 = affine(&h1, &before[1], n, tanh);
        let exps = affine(&h2, &before[2], n, f64::exp);
        let total = |s: usize| exps[s * 4..s * 4 + 4].iter().sum::<f64>();
        let e: Vec<f64> =
            (0..n * 4).map(|k| exps[k] / total(k / 4) - f64::from(u8::from(batch.labels[k / 4] == k % 4))).collect();
        let w = floats(&before[2][0]);
        let dh = |k: usize| (0..4).map(|c| e[k / 5 * 4 + c] * w[k % 5 * 4 + c]).sum::<f64>();
        let t2: Vec<f64> = (0..n * 5).map(|k| h2[k] - config.target_step * dh(k)).collect();
        let mut t1 = g(&t2);
        if difference {
            t1 = zip(&zip(&h1, &t1, |h, t| h + t), &g(&h2), |sum, g| sum - g);
        }
        let local = |h: &[f64], t: &[f64]| slope(&zip(h, t, |h, t| 2.0 * (h - t) / b), h);
        let drawn = Stream::new(batch.seed, Purpose::Noise, &[0]).normal(n * 5, config.noise);
        let noisy: Vec<f64> = h1.iter().zip(drawn).map(|(h, d)| h + f64::from(d)).collect();
        let image = affine(&noisy, &before[1], n, tanh);
        let guess = g(&image);
        let dg = slope(&zip(&guess, &noisy, |g, h| 2.0 * (g - h) / b * config.inverse_lr_factor), &guess);

        let signals = [local(&h1, &t1), local(&h2, &t2), e.iter().map(|e| e / b).collect(), dg];
        let moved = net.params().into_iter().chain([rule.inverses[0].params()]);
        let old = before.into_iter().chain([inverse]);
        for (layer, (((new, old), input), signal)) in moved.zip(old).zip([x, h1, h2, image]).zip(signals).enumerate() {
            for (slot, expected) in [outer(&input, &signal, n), outer(&vec![1.0; n], &signal, n)].iter().enumerate() {
                let moved = zip(&floats(&old[slot]), &floats(&new[slot]), |old, new| old - new);
                assert!(zip(&moved, expected, |m, e| (m - e).abs()).iter().all(|d| *d < 2e-6), "layer {layer}");
                assert!(expected.iter().any(|d| d.abs() > 1e-4), "layer {layer} was not tested");
            }
        }
    }

    #[test]
    fn the_update_is_the_closed_form() {
        check_one_step(true);
        check_one_step(false);
    }

    /// A cyclic signed permutation: orthogonal, and not its own inverse.
    fn orthogonal(n: usize) -> Tensor<2> {
        let sign = |i: usize| if i.is_multiple_of(2) { 1.0 } else { -1.0 };
        let entry = |k: usize| if (k / n + 1) % n == k % n { sign(k / n) } else { 0.0 };
        upload((0..n * n).map(entry).collect(), [n, n], &Device::flex())
    }

    fn linear_net() -> Network {
        let mut net = mlp(3, 7, Activation::None, 0.0);
        net.weights().into_iter().take(3).skip(1).flatten().for_each(|slot| slot.set_rows(orthogonal(7)));
        net
    }

    /// Inverses that are exact but for their random bias, which the difference cancels.
    fn exact(net: &Network, target_step: f64) -> Dtp {
        let config = DtpConfig { target_step, inverse_activation: Activation::None, ..DtpConfig::default() };
        let mut rule = config.init(net, 3).unwrap();
        let slots = rule.inverses.iter_mut().flat_map(|inverse| inverse.get_mut().weights());
        slots.for_each(|slot| slot.set_rows(orthogonal(7).transpose()));
        rule
    }

    #[test]
    fn an_exact_inverse_gives_the_exact_target() {
        let draw = |i| upload(Stream::new(i, Purpose::Noise, &[]).normal(21, 1.0), [3, 7], &Device::flex());
        let (net, below, output, target) = (linear_net(), draw(1), draw(2), draw(3));
        let found = exact(&net, 0.2).target(0, below.clone(), output.clone(), target.clone());
        // z = h Pᵀ, so that P⁻¹ acts on rows as a product with P.
        let expected = below + (target - output).matmul(orthogonal(7));
        found.into_data().assert_approx_eq::<f32>(&expected.into_data(), Default::default());
    }

    #[test]
    fn with_exact_inverses_of_orthogonal_layers_it_is_bp() {
        let half: Build = &|net| Ok(Box::new(exact(net, 0.5)));
        laws::close_update(linear_net, half, &|_| Ok(Box::new(Bp)), 1e-5);
    }

    #[test]
    fn early_epochs_train_the_inverses_alone() {
        let mut net = mlp(3, 8, Activation::Tanh, 0.2);
        let mut rule = DtpConfig { inverse_epochs: 1, ..DtpConfig::default() }.init(&net, 3).unwrap();
        let (layers, first) = (net.params(), rule.inverses[1].params());
        let batch = laws::batch(&net, 0);
        rule.step(&mut net, &batch, &mut sgd(0.1)).unwrap();
        assert_eq!(net.params(), layers);
        assert_ne!(rule.inverses[1].params(), first);
        rule.step(&mut net, &Batch { epoch: 1, ..batch }, &mut sgd(0.1)).unwrap();
        assert_ne!(net.params()[0], layers[0]);
    }

    #[test]
    fn counts_its_work_and_what_it_learns() {
        let net = mlp(2, 5, Activation::Tanh, 0.0);
        let rule = DtpConfig::default().init(&net, 3).unwrap();
        let expected = StepCost { forward: 60 + 25 + 20, backward: 60 + 25 + 2 * 20, rule: 4 * 25 + 25 };
        assert_eq!(rule.cost(&net, 1), expected);
        assert_eq!(rule.learned_values(), 25 + 5);
    }

    #[test]
    fn wrong_settings_and_networks_are_errors() {
        let default = DtpConfig::default();
        for (key, config) in [
            ("target_step", DtpConfig { target_step: 0.0, ..default }),
            ("noise", DtpConfig { noise: -1.0, ..default }),
            ("inverse_lr_factor", DtpConfig { inverse_lr_factor: f64::NAN, ..default }),
        ] {
            let error = config.init(&laws::small_mlp(2), 3).err().expect("an error");
            assert!(matches!(error, Error::Setting { key: found, .. } if found == key), "{error}");
        }
        for net in [laws::small_cnn(), laws::small_vit(true)] {
            let error = default.init(&net, 3).err().expect("an error").to_string();
            assert!(error.contains("DTP cannot run") && error.contains("use an MLP"), "{error}");
        }
    }

    #[test]
    fn repeats_resumes_and_learns() {
        for build in [DTP, TP] {
            laws::repeats(|| mlp(3, 16, Activation::Tanh, 0.2), build);
            laws::resumes(|| mlp(3, 16, Activation::Tanh, 0.2), build);
            laws::learns(|| mlp(2, 16, Activation::Tanh, 0.2), build, 400);
        }
        laws::learns(|| laws::small_mlp(2), DTP, 400);
    }
}
