//! DFA: direct feedback alignment (Nøkland 2016).
//!
//! `dh_l = B_l e` with the output error `e = softmax(z_L) - y` and fixed random `B_l`; `dz_l = dh_l (.) φ'(z_l)`,
//! `dW_l = dz_l h_{l-1}ᵀ`. The output layer gets its exact gradient.
//!
//! No signal passes from layer to layer, but the error is known only after the whole forward pass, so every layer's
//! activations are kept until then: memory grows with depth as BP's does. In a transformer a block is one layer.

use crate::direct::{self, Feedback, Layout};
use crate::facts::{EVERY, Reach, Rule, Usual, Variant, Variants};
use serde::{Deserialize, Serialize};
use sll_core::layer::Activation;
use sll_core::learned::Part;
use sll_core::memory::MemoryUse;
use sll_core::model::Pattern;
use sll_core::optim::{OptimizerConfig, Updater};
use sll_core::output::OutputLoss;
use sll_core::rule::{Batch, LearningRule, StepCost, StepReport};
use sll_core::{Cut, Error, Network, Result, is_default};
use std::ops::Range;

/// Settings of DFA.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DfaConfig {
    /// Factor on `B_l`, whose entries are `U(±1/√K)`: zero mean, as the rule needs.
    pub feedback_gain: f64,
    /// What of the error hidden layers see.
    #[serde(skip_serializing_if = "is_default")]
    pub error: ErrorSeen,
    /// Whether the positions of a map share their feedback.
    #[serde(skip_serializing_if = "is_default")]
    pub feedback: Layout,
}

/// What of the output's error hidden layers see.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ErrorSeen {
    /// `e`.
    #[default]
    Whole,
    /// `sign(e)`, which behind a softmax or sigmoids the label alone decides: DRTP is built on that. Refused where the
    /// output's loss is `mse`.
    Sign,
}

impl Default for DfaConfig {
    fn default() -> Self {
        Self { feedback_gain: 1.0, error: ErrorSeen::Whole, feedback: Layout::Dense }
    }
}

/// The rule, built for one network.
pub struct Dfa {
    error: ErrorSeen,
    units: Vec<Range<usize>>,
    /// `B_l`, one for each unit but the last.
    feedback: Vec<Feedback>,
}

impl Rule for DfaConfig {
    const VARIANTS: Variants<Self> = &[
        Variant {
            title: "DFA",
            equation: "dz_l = (B_l e) (.) phi'(z_l), B_l fixed random, e = softmax(z_L) - y",
            paper: "Nokland 2016",
            stores: "fixed: B, K n_l values a hidden layer",
            activations: EVERY,
            update_locked: "until the output",
            reach: Reach::Output,
            ..Variant::local(Self::default)
        },
        Variant {
            title: "sDFA",
            equation: "dz_l = (B_l sign(e)) (.) phi'(z_l), B_l fixed random, e = softmax(z_L) - y",
            paper: "control of Frenkel, Lefebvre & Bol 2021",
            stores: "fixed: B, K n_l values a hidden layer",
            activations: EVERY,
            update_locked: "until the output",
            reach: Reach::Own,
            ..Variant::local(|| Self { error: ErrorSeen::Sign, ..Self::default() })
        },
    ];

    fn build(&self, net: &mut Network, seed: u64) -> Result<Box<dyn LearningRule>> {
        Ok(Box::new(self.init(net, seed)?))
    }

    fn title(&self) -> String {
        let title = Self::VARIANTS[self.error as usize].title;
        if is_default(&self.feedback) { title.into() } else { format!("{title}, shared feedback") }
    }

    /// Every class but one errs upwards: the sign pushes rectified units down until they are silent.
    fn usual(&self) -> Usual {
        match self.error {
            ErrorSeen::Whole => Usual::default(),
            ErrorSeen::Sign => Usual { activation: Activation::Tanh, ..Usual::default() },
        }
    }
}

impl DfaConfig {
    /// Draws the feedback matrices for `net` from `seed`.
    ///
    /// # Errors
    /// If a setting is out of its range, or the error's sign is asked for of an output trained by squares.
    pub fn init(&self, net: &Network, seed: u64) -> Result<Dfa> {
        Error::check_gain("feedback_gain", self.feedback_gain)?;
        if self.error == ErrorSeen::Sign && net.loss() == OutputLoss::Mse {
            let reason = "behind a softmax or sigmoids the label alone decides the sign of the error, behind squares \
                the output does too; take `loss` = cross-entropy or bce, or DFA";
            return Err(Error::Unsupported { rule: "sDFA".into(), reason: reason.into() });
        }
        let feedback = Feedback::draw(net, self.feedback_gain, self.feedback, seed)?;
        Ok(Dfa { error: self.error, units: net.units(Cut::EveryLayer)?, feedback })
    }
}

impl LearningRule for Dfa {
    fn step(&mut self, net: &mut Network, batch: &Batch, updater: &mut Updater) -> Result<StepReport> {
        let (feedback, seen) = (&self.feedback, self.error);
        direct::step(&self.units, net, batch, updater, |index, _, error, _| {
            let seen = match seen {
                ErrorSeen::Whole => error,
                // Of the batch's mean, as the error is.
                ErrorSeen::Sign => error.sign() * batch.share(),
            };
            feedback[index].signal(seen)
        })
    }

    fn cut(&self) -> Cut {
        Cut::EveryLayer
    }

    fn cost(&self, net: &Network, _batch: usize) -> StepCost {
        StepCost { rule: self.fixed_values(net) as u64, ..StepCost::of_units(net, &self.units) }
    }

    fn memory(&self, net: &Network, batch: usize, optimizer: &OptimizerConfig) -> Option<MemoryUse> {
        let units = Pattern::Feedback(self.units.clone());
        MemoryUse::of(net, batch, optimizer, &units, (self.fixed_values(net), 0))
    }

    fn parts(&self) -> Vec<Part<'_>> {
        Part::fixed_list("feedback", self.feedback.iter().map(|feedback| feedback.matrix.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bp::Bp;
    use burn::tensor::{Device, Tensor};
    use sll_core::laws::{self, Build};

    const DFA: Build = &|net| Ok(Box::new(DfaConfig::default().init(net, 3)?));

    #[test]
    fn on_one_hidden_layer_with_feedback_equal_to_the_output_weights_it_is_bp() {
        let tied: Build = &|net| {
            let mut dfa = DfaConfig::default().init(net, 3)?;
            let output = net.params()[1][0].clone();
            dfa.feedback[0].matrix = Tensor::<2>::from_data(output, &Device::flex()).transpose();
            Ok(Box::new(dfa))
        };
        for loss in [OutputLoss::CrossEntropy, OutputLoss::Bce, OutputLoss::Mse] {
            laws::close_update(|| laws::small_mlp(1).trained_by(loss), tied, &|_| Ok(Box::new(Bp)), 1e-5);
        }
    }

    #[test]
    fn the_update_is_the_closed_form() {
        // dW_1 = xᵀ ((e B) (.) 1[z > 0]) in plain loops.
        let mut net = laws::plain_mlp(6, 5, 4);
        let mut dfa = DfaConfig::default().init(&net, 3).unwrap();
        let (batch, floats) = (laws::batch(&net, 1), laws::floats);
        let (h, b) = (floats(laws::hidden(&net, 1, &batch)), floats(dfa.feedback[0].matrix.clone()));
        let q = floats(laws::posterior(&net, &batch));
        let (x, moved) = (floats(batch.x.clone()), laws::moved(&mut net, &mut dfa, &batch));
        let n = batch.len();
        for (i, j) in (0..6).flat_map(|i| (0..5).map(move |j| (i, j))) {
            let dh = |s: usize| -> f32 {
                (0..4).map(|k| (q[s * 4 + k] - f32::from(batch.labels[s] == k)) / n as f32 * b[k * 5 + j]).sum()
            };
            let dw: f32 = (0..n).filter(|s| h[s * 5 + j] > 0.0).map(|s| x[s * 6 + i] * dh(s)).sum();
            let found = moved[0][0][i * 5 + j];
            assert!((found - dw).abs() < 1e-5, "w[{i}][{j}] moved by {found}, closed form {dw}");
        }
    }

    #[test]
    fn of_the_error_sdfa_sends_the_sign() {
        // As in `the_update_is_the_closed_form`: every class but the right one errs upwards.
        let mut net = laws::plain_mlp(6, 5, 4);
        let mut dfa = DfaConfig { error: ErrorSeen::Sign, ..DfaConfig::default() }.init(&net, 3).unwrap();
        let (batch, floats) = (laws::batch(&net, 1), laws::floats);
        let (h, b) = (floats(laws::hidden(&net, 1, &batch)), floats(dfa.feedback[0].matrix.clone()));
        let (x, moved) = (floats(batch.x.clone()), laws::moved(&mut net, &mut dfa, &batch));
        let n = batch.len();
        for (i, j) in (0..6).flat_map(|i| (0..5).map(move |j| (i, j))) {
            let sign = |s: usize, k: usize| if batch.labels[s] == k { -1.0 } else { 1.0 };
            let dh = |s: usize| -> f32 { (0..4).map(|k| sign(s, k) / n as f32 * b[k * 5 + j]).sum() };
            let dw: f32 = (0..n).filter(|s| h[s * 5 + j] > 0.0).map(|s| x[s * 6 + i] * dh(s)).sum();
            assert!((moved[0][0][i * 5 + j] - dw).abs() < 1e-5, "w[{i}][{j}]");
        }
    }

    #[test]
    fn the_sign_of_an_error_that_the_output_decides_is_refused() {
        let sign = DfaConfig { error: ErrorSeen::Sign, ..DfaConfig::default() };
        let squares = laws::small_mlp(1).trained_by(OutputLoss::Mse);
        let error = sign.init(&squares, 3).err().unwrap().to_string();
        assert!(error.contains("sDFA cannot run") && error.contains("`loss`"), "{error}");
        assert!(sign.init(&laws::small_mlp(1).trained_by(OutputLoss::Bce), 3).is_ok());
        assert!(DfaConfig::default().init(&squares, 3).is_ok());
    }

    #[test]
    fn shared_feedback_is_the_same_at_every_position_of_a_map() {
        // Dense feedback whose values repeat over the positions gives the same update.
        let shared = DfaConfig { feedback: Layout::Shared, ..DfaConfig::default() };
        let build: Build = &|net| Ok(Box::new(shared.init(net, 3)?));
        let repeated: Build = &|net| {
            let (few, mut dfa) = (shared.init(net, 3)?, DfaConfig::default().init(net, 3)?);
            for (dense, few) in dfa.feedback.iter_mut().zip(&few.feedback) {
                let ([k, n], [_, c]) = (dense.matrix.dims(), few.matrix.dims());
                dense.matrix = few.matrix.clone().reshape([k, c, 1]).expand([k, c, n / c]).reshape([k, n]);
            }
            Ok(Box::new(dfa))
        };
        laws::close_update(laws::small_cnn, build, repeated, 1e-4);
        let net = laws::small_cnn();
        // Channels of the four convolutions behind pooling, times 4 classes.
        let channels: usize = (0..net.depth() - 1)
            .map(|layer| match net.output_of(layer) {
                sll_core::Shape::Map { c, .. } => c,
                other => other.len(),
            })
            .sum();
        assert_eq!(shared.init(&net, 3).unwrap().fixed_values(&net), 4 * channels);
        laws::learns(laws::small_cnn, build, 80);
    }

    #[test]
    fn repeats_resumes_and_learns() {
        laws::repeats(|| laws::small_mlp(3), DFA);
        laws::resumes(|| laws::small_mlp(3), DFA);
        laws::learns(|| laws::small_mlp(2), DFA, 80);
        laws::learns(|| laws::small_vit(true), DFA, 60);
    }
}
