//! DRTP: direct random target projection (Frenkel, Lefebvre & Bol 2021).
//!
//! `dh_l = -B_l y` with the one-hot target `y` in place of DFA's output error and fixed random `B_l`:
//! `dz_l = dh_l (.) φ'(z_l)`, `dW_l = dz_l h_{l-1}ᵀ`. The output layer gets its exact gradient. (Of the error `q - y`
//! only the label's part, whose sign is known beforehand, is kept.)
//!
//! Nothing waits for the output: a layer is updated as soon as it has run, and one layer's activations are held.

use crate::facts::{Rule, Usual, Variant, Variants};
use crate::local::{Local, Objective, UnitObjective};
use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};
use sll_core::layer::Activation;
use sll_core::learned::Part;
use sll_core::op::Product;
use sll_core::rule::LearningRule;
use sll_core::{Error, Network, Result};

/// Settings of DRTP.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DrtpConfig {
    /// Factor on `B_l`, whose entries are `U(±1/√K)`.
    pub feedback_gain: f64,
}

impl Default for DrtpConfig {
    fn default() -> Self {
        Self { feedback_gain: 1.0 }
    }
}

/// The signals of the hidden units.
pub struct Targets {
    /// `B_l` as `[K, n_l]`.
    feedback: Vec<Tensor<2>>,
}

/// The rule.
pub type Drtp = Local<Targets>;

impl Rule for DrtpConfig {
    const VARIANTS: Variants<Self> = &[Variant {
        title: "DRTP",
        equation: "dz_l = -(B_l y) (.) phi'(z_l), B_l fixed random",
        paper: "Frenkel, Lefebvre & Bol 2021",
        stores: "fixed: B, K n_l values a hidden layer",
        ..Variant::local(Self::default)
    }];

    fn build(&self, net: &mut Network, seed: u64) -> Result<Box<dyn LearningRule>> {
        Ok(Box::new(self.init(net, seed)?))
    }

    fn usual(&self) -> Usual {
        Usual { activation: Activation::Tanh, ..Usual::default() }
    }
}

impl DrtpConfig {
    /// Draws the feedback matrices for `net` from `seed`.
    ///
    /// # Errors
    /// If a setting is out of its range.
    pub fn init(&self, net: &Network, seed: u64) -> Result<Drtp> {
        Error::check_gain("feedback_gain", self.feedback_gain)?;
        Local::new(net, Targets { feedback: crate::direct::feedback(net, self.feedback_gain, seed)? })
    }
}

impl Objective for Targets {
    fn units(&mut self) -> Vec<UnitObjective<'_>> {
        let unit = |feedback: &Tensor<2>| -> UnitObjective {
            let feedback = feedback.clone();
            Box::new(move |h, batch, _| {
                let targets = batch.targets(feedback.dims()[0], &h.device());
                targets.product(feedback.clone()) * -batch.share()
            })
        };
        self.feedback.iter().map(unit).collect()
    }

    fn macs(&self, _batch: usize) -> u64 {
        self.feedback.iter().map(|b| b.shape().num_elements() as u64).sum()
    }

    fn parts(&self) -> Vec<Part<'_>> {
        Part::fixed_list("feedback", self.feedback.iter().cloned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sll_core::laws::{self, Build};

    const DRTP: Build = &|net| Ok(Box::new(DrtpConfig::default().init(net, 3)?));

    #[test]
    fn the_update_is_the_closed_form() {
        // dW_1 = xᵀ ((-y B / b) (.) 1[z > 0]) in plain loops.
        let mut net = laws::plain_mlp(6, 5, 4);
        let mut rule = DrtpConfig::default().init(&net, 3).unwrap();
        let (batch, floats) = (laws::batch(&net, 1), laws::floats);
        let (h, b) = (floats(laws::hidden(&net, 1, &batch)), floats(rule.objective().feedback[0].clone()));
        let (x, moved) = (floats(batch.x.clone()), laws::moved(&mut net, &mut rule, &batch));
        for (i, j) in (0..6).flat_map(|i| (0..5).map(move |j| (i, j))) {
            let dw: f32 = (0..batch.len())
                .filter(|s| h[s * 5 + j] > 0.0)
                .map(|s| -x[s * 6 + i] * b[batch.labels[s] * 5 + j] / batch.len() as f32)
                .sum();
            assert!((moved[0][0][i * 5 + j] - dw).abs() < 1e-5, "w[{i}][{j}] moved by {}", moved[0][0][i * 5 + j]);
        }
    }

    #[test]
    fn is_local_repeats_resumes_and_learns() {
        laws::local(|| laws::small_mlp(2), || laws::small_mlp(4), 2, DRTP);
        laws::repeats(|| laws::small_mlp(3), DRTP);
        laws::resumes(|| laws::small_mlp(3), DRTP);
        for accuracy in
            [laws::accuracy(|| laws::small_mlp(2), DRTP, 200), laws::accuracy(|| laws::small_vit(true), DRTP, 120)]
        {
            assert!(accuracy > 60.0, "{accuracy} % of 4 classes");
        }
    }
}
