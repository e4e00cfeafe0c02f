//! DKP: direct Kolen-Pollack learning (Webster, Choi & Ahn 2021).
//!
//! DFA whose feedback is learned: `dh_l = B_lᵀ e`, and
//!
//! ```text
//! dB_l = e h_lᵀ,   B_l ← (1 - λ) (B_l - step(dB_l))        B_l [K, n_l], e = (softmax(z_L) - y)/b
//! ```
//!
//! which is the increment a linear read-out from layer `l` to the output would get: with matching decay, `B_{L-1}` and
//! the output weights grow alike (Kolen & Pollack 1994). Memory as DFA, plus the optimiser's state for `B`.

use crate::direct;
use crate::register::{EVERY, Reach, Rule, Variant, Variants};
use serde::{Deserialize, Serialize};
use sll_core::learned::{Learned, Matrix, load_all};
use sll_core::named::Part;
use sll_core::op::Product;
use sll_core::optim::Updater;
use sll_core::rule::{Batch, LearningRule, StepCost, StepReport};
use sll_core::{Cut, Error, Network, Result};
use std::ops::Range;

/// Settings of DKP.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DkpConfig {
    /// Factor on the initial `B_l`, whose entries are `U(±1/√K)`: small, so that what `B` learns soon outweighs it.
    pub feedback_gain: f64,
    /// Learning rate of `B` over that of the network. Kolen & Pollack's argument needs equal increments, 1; a public
    /// re-implementation has 0.1, with which `B` hardly moves in a few thousand steps.
    pub feedback_lr_factor: f64,
    /// Decay `λ` of `B` in a step (public re-implementation: 1e-6), on top of the recipe's weight decay, which `B`
    /// shares.
    pub feedback_decay: f64,
}

impl Default for DkpConfig {
    fn default() -> Self {
        Self { feedback_gain: 0.1, feedback_lr_factor: 1.0, feedback_decay: 1e-6 }
    }
}

/// The rule, built for one network.
pub struct Dkp {
    config: DkpConfig,
    units: Vec<Range<usize>>,
    /// `B_l` as `[K, n_l]`, one for each unit but the last.
    feedback: Vec<Learned<Matrix>>,
}

impl Rule for DkpConfig {
    const VARIANTS: Variants<Self> = &[Variant {
        title: "DKP",
        equation: "as DFA; B_l <- (1 - lambda) (B_l - step(h_l e^T))",
        paper: "Webster, Choi & Ahn 2021",
        stores: "learned: B, K n_l values a hidden layer",
        activations: EVERY,
        update_locked: "until the output",
        reach: Reach::Output,
        ..Variant::local(Self::default)
    }];

    fn build(&self, net: &mut Network, seed: u64) -> Result<Box<dyn LearningRule>> {
        Ok(Box::new(self.init(net, seed)?))
    }
}

impl DkpConfig {
    /// Draws the first feedback matrices for `net` from `seed`.
    ///
    /// # Errors
    /// If a setting is out of its range.
    pub fn init(&self, net: &Network, seed: u64) -> Result<Dkp> {
        Error::check_gain("feedback_gain", self.feedback_gain)?;
        Error::check_gain("feedback_lr_factor", self.feedback_lr_factor)?;
        if !(0.0..1.0).contains(&self.feedback_decay) {
            return Err(Error::setting("feedback_decay", self.feedback_decay, "must lie in [0, 1) (default 1e-6)"));
        }
        let drawn = direct::feedback(net, self.feedback_gain, seed)?;
        let feedback = drawn.into_iter().map(|b| Learned::new(Matrix::from_plain(b))).collect();
        Ok(Dkp { config: *self, units: net.units(Cut::EveryLayer)?, feedback })
    }
}

impl LearningRule for Dkp {
    fn step(&mut self, net: &mut Network, batch: &Batch, updater: &mut Updater) -> Result<StepReport> {
        let (feedback, config) = (&mut self.feedback, self.config);
        direct::step(&self.units, net, batch, updater, |index, h, error, updater| {
            let b = &mut feedback[index];
            let signal = error.clone().product(b.get().plain());
            b.descend(error.transpose().product(h), updater, config.feedback_lr_factor);
            if config.feedback_decay > 0.0 {
                b.get_mut().scale(1.0 - config.feedback_decay);
            }
            signal
        })
    }

    fn cut(&self) -> Cut {
        Cut::EveryLayer
    }

    fn cost(&self, net: &Network, _batch: usize) -> StepCost {
        StepCost { rule: 2 * self.learned_values() as u64, ..StepCost::of_units(net, &self.units) }
    }

    fn parts(&self) -> Vec<Part<'_>> {
        Part::learned_list("feedback", &self.feedback)
    }

    fn load(&mut self, record: Vec<Vec<u8>>) -> Result<()> {
        load_all(&mut self.feedback, record)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bp::Bp;
    use burn::tensor::Tensor;
    use sll_core::laws::{self, Build};

    const DKP: Build = &|net| Ok(Box::new(DkpConfig::default().init(net, 3)?));

    /// DKP whose `B` starts as the output weights and learns as they do.
    fn mirrored(net: &mut Network) -> Dkp {
        let config = DkpConfig { feedback_lr_factor: 1.0, feedback_decay: 0.0, ..DkpConfig::default() };
        let mut dkp = config.init(net, 3).unwrap();
        let output = Tensor::<2>::from_data(net.params()[1][0].clone(), &net.device().clone().inner());
        dkp.feedback[0] = Learned::new(Matrix::from_plain(output.transpose()));
        dkp
    }

    #[test]
    fn started_at_the_output_weights_it_stays_there_and_is_bp() {
        let tied: Build = &|net| Ok(Box::new(mirrored(net)));
        laws::close_update(|| laws::small_mlp(1), tied, &|_| Ok(Box::new(Bp)), 1e-5);
        // Three more steps: the mirror holds because both get the same increments.
        let mut net = laws::small_mlp(1);
        let mut dkp = mirrored(&mut net);
        for step in 0..3 {
            let batch = laws::batch(&net, step);
            laws::moved(&mut net, &mut dkp, &batch);
        }
        let output = net.params()[1][0].clone();
        let b = dkp.feedback[0].get().plain().transpose().into_data();
        b.assert_approx_eq::<f32>(&output, burn::tensor::Tolerance::absolute(1e-5));
    }

    #[test]
    fn the_feedback_moves_by_the_outer_product_of_error_and_activation() {
        let mut net = laws::plain_mlp(6, 5, 4);
        let config = DkpConfig { feedback_lr_factor: 0.5, feedback_decay: 0.1, ..DkpConfig::default() };
        let mut dkp = config.init(&net, 3).unwrap();
        let (batch, floats) = (laws::batch(&net, 1), laws::floats);
        let (h, q) = (floats(laws::hidden(&net, 1, &batch)), floats(laws::posterior(&net, &batch)));
        let before = floats(dkp.feedback[0].get().plain());
        laws::moved(&mut net, &mut dkp, &batch);
        let after = floats(dkp.feedback[0].get().plain());
        for (k, j) in (0..4).flat_map(|k| (0..5).map(move |j| (k, j))) {
            let outer: f32 = (0..batch.len())
                .map(|s| (q[s * 4 + k] - f32::from(batch.labels[s] == k)) * h[s * 5 + j] / batch.len() as f32)
                .sum();
            let expected = (before[k * 5 + j] - 0.5 * outer) * 0.9;
            assert!((after[k * 5 + j] - expected).abs() < 1e-5, "{k} {j}");
        }
    }

    #[test]
    fn from_its_random_start_the_feedback_turns_towards_the_weights() {
        let mut net = laws::plain_mlp(6, 16, 4);
        let mut dkp = DkpConfig::default().init(&net, 3).unwrap();
        let cosine = |net: &Network, dkp: &Dkp| {
            let w: Vec<f32> = net.params()[1][0].clone().try_to_vec().unwrap();
            let b = laws::floats(dkp.feedback[0].get().plain().transpose());
            let dot = |x: &[f32], y: &[f32]| x.iter().zip(y).map(|(x, y)| f64::from(x * y)).sum::<f64>();
            dot(&w, &b) / (dot(&w, &w) * dot(&b, &b)).sqrt()
        };
        let before = cosine(&net, &dkp);
        for step in 0..200 {
            let batch = laws::batch(&net, step);
            laws::moved(&mut net, &mut dkp, &batch);
        }
        let after = cosine(&net, &dkp);
        assert!(before.abs() < 0.5 && after > 0.8, "{before} to {after}");
    }

    #[test]
    fn repeats_resumes_and_learns() {
        laws::repeats(|| laws::small_mlp(3), DKP);
        laws::resumes(|| laws::small_mlp(3), DKP);
        laws::learns(|| laws::small_mlp(2), DKP, 80);
    }

    #[test]
    fn bad_settings_are_named() {
        let error = |config: DkpConfig| config.init(&laws::small_mlp(1), 0).err().unwrap().to_string();
        assert!(error(DkpConfig { feedback_decay: 1.0, ..DkpConfig::default() }).contains("feedback_decay"));
        assert!(error(DkpConfig { feedback_lr_factor: 0.0, ..DkpConfig::default() }).contains("feedback_lr_factor"));
    }
}
