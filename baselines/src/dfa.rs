//! DFA: direct feedback alignment (Nøkland 2016).
//!
//! `dh_l = B_l e` with the output error `e = softmax(z_L) - y` and fixed random `B_l`; `dz_l = dh_l (.) φ'(z_l)`,
//! `dW_l = dz_l h_{l-1}ᵀ`. The output layer gets its exact gradient.
//!
//! No signal passes from layer to layer, but the error is known only after the whole forward pass, so every layer's
//! activations are kept until then: memory grows with depth as BP's does. In a transformer a block is one layer.

use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};
use sll_core::divergence::cross_entropy;
use sll_core::op::inject;
use sll_core::optim::Updater;
use sll_core::rng::{Purpose, Stream, upload};
use sll_core::rule::{Batch, LearningRule, StepCost, StepReport};
use sll_core::{Cut, Error, Network, Result};
use std::ops::Range;

/// Settings of DFA.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DfaConfig {
    /// Factor on `B_l`, whose entries are `U(±1/√K)`: zero mean, as the rule needs.
    pub feedback_gain: f64,
}

impl Default for DfaConfig {
    fn default() -> Self {
        Self { feedback_gain: 1.0 }
    }
}

/// The rule, built for one network.
pub struct Dfa {
    units: Vec<Range<usize>>,
    /// `B_l` as `[K, n_l]`, one for each unit but the last.
    feedback: Vec<Tensor<2>>,
}

impl DfaConfig {
    /// Draws the feedback matrices for `net` from `seed`.
    pub fn init(&self, net: &Network, seed: u64) -> Result<Dfa> {
        Error::check_gain("feedback_gain", self.feedback_gain)?;
        let (units, classes) = (net.units(Cut::EveryLayer)?, net.classes());
        let device = net.device().clone().inner();
        let bound = self.feedback_gain / (classes as f64).sqrt();
        let draw = |index: usize, n: usize, device: &Device| {
            let mut stream = Stream::new(seed, Purpose::Feedback, &[index as u64]);
            upload(stream.uniform(classes * n, bound), [classes, n], device)
        };
        let hidden = units[..units.len() - 1].iter().enumerate();
        let feedback = hidden.map(|(i, unit)| draw(i, net.output_of(unit.end - 1).len(), &device)).collect();
        Ok(Dfa { units, feedback })
    }
}

impl LearningRule for Dfa {
    fn step(&mut self, net: &mut Network, batch: &Batch, updater: &mut Updater) -> Result<StepReport> {
        batch.check(net.classes())?;
        let pass = batch.pass();
        let mut outputs = Vec::with_capacity(self.units.len());
        let mut x = Tensor::from_inner(batch.x.clone());
        for unit in &self.units {
            let output = net.forward_range(unit.clone(), x, &pass);
            x = output.clone().detach();
            outputs.push(output);
        }
        let (loss, _, error) = cross_entropy(x.inner(), batch.targets(net.classes(), &batch.x.device()));
        let error = error * (1.0 / batch.len() as f64);
        for (index, unit) in self.units.iter().enumerate().rev() {
            let Some(output) = outputs.pop() else { break };
            let signal = match self.feedback.get(index) {
                Some(feedback) => error.clone().matmul(feedback.clone()),
                None => error.clone(),
            };
            updater.step(net, unit.clone(), inject(output, signal));
        }
        Ok(StepReport { loss: loss.mean(), units: Vec::new() })
    }

    fn cut(&self) -> Cut {
        Cut::EveryLayer
    }

    fn cost(&self, net: &Network) -> StepCost {
        StepCost { rule: self.fixed_values(net) as u64, ..StepCost::of_units(net, &self.units) }
    }

    fn fixed_values(&self, _net: &Network) -> usize {
        self.feedback.iter().map(|b| b.dims()[0] * b.dims()[1]).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bp::Bp;
    use sll_core::laws::{self, Build};

    const DFA: Build = &|net| Ok(Box::new(DfaConfig::default().init(net, 3)?));

    #[test]
    fn on_one_hidden_layer_with_feedback_equal_to_the_output_weights_it_is_bp() {
        let tied: Build = &|net| {
            let mut dfa = DfaConfig::default().init(net, 3)?;
            let output = net.params()[1][0].clone();
            dfa.feedback[0] = Tensor::<2>::from_data(output, &Device::flex()).transpose();
            Ok(Box::new(dfa))
        };
        laws::close_update(|| laws::small_mlp(1), tied, &|_| Ok(Box::new(Bp)), 1e-5);
    }

    #[test]
    fn the_update_is_the_closed_form() {
        // dW_1 = xᵀ ((e B) (.) 1[z > 0]) in plain loops, for a 12-16-16-4 network without dropout's scale on kept units.
        laws::one_thread();
        let spec = sll_core::NetworkSpec { width: Some(5), ..sll_core::NetworkSpec::named("mlp-2x800") };
        let mut net = spec.build([1, 3, 2], 4, 2, &Device::flex()).unwrap();
        let mut dfa = DfaConfig::default().init(&net, 3).unwrap();
        let batch = laws::batch(&net, 1);
        let valid = net.valid();
        let floats = |t: Tensor<2>| t.into_data().try_to_vec::<f32>().unwrap();
        let h1 = floats(valid.forward_range(0..1, batch.x.clone(), &sll_core::Pass::Eval));
        let probabilities = burn::tensor::activation::softmax(valid.forward(batch.x.clone(), &sll_core::Pass::Eval), 1);
        let (q, b, x) = (floats(probabilities), floats(dfa.feedback[0].clone()), floats(batch.x.clone()));
        let before = net.params()[0][0].clone().try_to_vec::<f32>().unwrap();
        let kind = sll_core::optim::OptimizerKind::Sgd;
        let mut updater = sll_core::optim::OptimizerConfig { kind, ..Default::default() }.init().unwrap();
        updater.set_lr(1.0);
        dfa.step(&mut net, &batch, &mut updater).unwrap();
        let after = net.params()[0][0].clone().try_to_vec::<f32>().unwrap();
        let n = batch.len();
        for i in 0..6 {
            for j in 0..5 {
                let mut dw = 0.0f32;
                for s in 0..n {
                    let dh: f32 = (0..4)
                        .map(|k| (q[s * 4 + k] - f32::from(batch.labels[s] == k)) / n as f32 * b[k * 5 + j])
                        .sum();
                    dw += x[s * 6 + i] * if h1[s * 5 + j] > 0.0 { dh } else { 0.0 };
                }
                let moved = before[i * 5 + j] - after[i * 5 + j];
                assert!((moved - dw).abs() < 1e-5, "w[{i}][{j}] moved by {moved}, closed form {dw}");
            }
        }
    }

    #[test]
    fn repeats_resumes_and_learns() {
        laws::repeats(|| laws::small_mlp(3), DFA);
        laws::resumes(|| laws::small_mlp(3), DFA);
        laws::learns(|| laws::small_mlp(2), DFA, 80);
        laws::learns(|| laws::small_vit(true), DFA, 60);
    }
}
