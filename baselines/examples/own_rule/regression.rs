//! Local regression: each hidden layer is to tell the class through a fixed random matrix `R_l [n_l, K]`, by squares,
//!
//! ```text
//! L_l = |R_lᵀ h_l - y|² / 2,   dh_l = R_l (R_lᵀ h_l - y)
//! ```
//!
//! and the classifier learns by cross-entropy. What all rules of local objectives share is [`Local`]'s: it cuts the
//! network, runs a layer on its detached input, asks for `dh_l` and updates the layer. A rule that does more than that
//! implements `LearningRule` itself, as `dfa.rs` does.

use baselines::local::{Local, Objective, UnitObjective};
use baselines::{Rule, Variant, Variants};
use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};
use sll_core::learned::Part;
use sll_core::op::Product;
use sll_core::rng::{Purpose, Stream, upload};
use sll_core::rule::LearningRule;
use sll_core::{Cut, Error, Network, Result};

/// Settings, as a spec has them: `rule = { name = "regression", gain = 2.0 }`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RegressionConfig {
    /// Factor on `R_l`, whose entries are `N(0, 1/n_l)`.
    pub gain: f64,
}

impl Default for RegressionConfig {
    fn default() -> Self {
        Self { gain: 1.0 }
    }
}

/// What there is to know about the rule, for tables and `harness rules`.
impl Rule for RegressionConfig {
    const VARIANTS: Variants<Self> = &[Variant {
        title: "local regression",
        equation: "dh_l = R_l (R_l^T h_l - y), R_l fixed random",
        paper: "an example",
        stores: "fixed: R, K n_l values a hidden layer",
        ..Variant::local(Self::default)
    }];

    fn build(&self, net: &mut Network, seed: u64) -> Result<Box<dyn LearningRule>> {
        Error::check_gain("gain", self.gain)?;
        let (units, classes) = (net.units(Cut::EveryLayer)?, net.classes());
        let device = net.device().clone().inner();
        let draw = |(index, unit): (usize, &std::ops::Range<usize>)| {
            let n = net.output_of(unit.end - 1).len();
            // Each layer has a stream of its own: more layers above change nothing below.
            let mut stream = Stream::new(seed, Purpose::Projection, &[index as u64]);
            upload(stream.normal(n * classes, self.gain / (n as f64).sqrt()), [n, classes], &device)
        };
        let heads = units[..units.len() - 1].iter().enumerate().map(draw).collect();
        Ok(Box::new(Local::new(net, Regression { heads })?))
    }
}

/// The objective, built for one network.
struct Regression {
    /// `R_l`, one for each unit but the last.
    heads: Vec<Tensor<2>>,
}

impl Objective for Regression {
    fn units(&mut self) -> Vec<UnitObjective<'_>> {
        self.heads.iter().map(|head| signal(head.clone())).collect()
    }

    fn macs(&self, _batch: usize) -> u64 {
        self.heads.iter().map(|head| 2 * head.shape().num_elements() as u64).sum()
    }

    fn parts(&self) -> Vec<Part<'_>> {
        Part::fixed_list("heads", self.heads.iter().cloned())
    }
}

/// `dh_l` of the unit with the matrix `head`.
fn signal<'a>(head: Tensor<2>) -> UnitObjective<'a> {
    Box::new(move |h, batch, _updater| {
        let error = h.product(head.clone()) - batch.targets(head.dims()[1], &head.device());
        // The gradient of the batch's mean. `product` is `matmul` whose multiply-accumulates are counted.
        error.product(head.clone().transpose()) * batch.share()
    })
}

/// The laws that every rule goes through (`sll_core::laws`), and its own formula.
#[cfg(test)]
mod tests {
    use super::*;
    use sll_core::laws::{self, Build};
    use sll_core::optim::OptimizerConfig;

    const OWN: Build = &|net| RegressionConfig::default().build(net, 3);

    #[test]
    fn it_is_local_repeats_resumes_comes_back_and_learns() {
        laws::local(|| laws::small_mlp(2), || laws::small_mlp(4), 2, OWN);
        laws::repeats(|| laws::small_mlp(3), OWN);
        laws::resumes(|| laws::small_mlp(3), OWN);
        laws::comes_back_by_name(|| laws::small_mlp(3), OWN, 2);
        laws::learns(|| laws::small_mlp(2), OWN, 200);
    }

    #[test]
    fn the_signal_is_the_gradient_of_the_loss() {
        // Central differences of L(h) = Σ |h R - y|² / 2b.
        let net = laws::plain_mlp(6, 5, 4);
        let values = |seed, n: usize| Stream::new(seed, Purpose::Weights, &[]).normal(n, 1.0);
        let (r, h, batch) = (values(1, 20), values(2, 24 * 5), laws::batch(&net, 0));
        let loss = |h: &[f32]| -> f64 {
            let of = |s: usize, k: usize| {
                let v: f64 = (0..5).map(|i| f64::from(h[s * 5 + i]) * f64::from(r[i * 4 + k])).sum();
                (v - f64::from(u8::from(batch.labels[s] == k))).powi(2)
            };
            (0..24).flat_map(|s| (0..4).map(move |k| (s, k))).map(|(s, k)| of(s, k)).sum::<f64>() / 48.0
        };
        let device = net.device().clone().inner();
        let mut own = Regression { heads: vec![upload(r.clone(), [5, 4], &device)] };
        let mut updater = OptimizerConfig::default().init().unwrap();
        let signal = (own.units().swap_remove(0))(upload(h.clone(), [24, 5], &device), &batch, &mut updater);
        for (index, found) in laws::floats(signal).into_iter().enumerate() {
            let at = |step: f32| {
                let mut moved = h.clone();
                moved[index] += step;
                loss(&moved)
            };
            let expected = (at(1e-2) - at(-1e-2)) / 2e-2;
            assert!((f64::from(found) - expected).abs() < 1e-4, "dh[{index}] = {found}, by differences {expected}");
        }
    }
}
