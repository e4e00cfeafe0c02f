//! FA: feedback alignment (Lillicrap, Cownden, Tweed & Akerman 2016).
//!
//! `dz_l = (B_{l+1} dz_{l+1}) (.) φ'(z_l)` with fixed random `B` in place of `Wᵀ`; `dW_l = dz_l h_{l-1}ᵀ` as in BP.
//!
//! Every weight matrix inside a layer gets its own `B`, drawn from the law of its initial weights, so FA runs on every
//! network; in a transformer block the residual and the attention keep their exact Jacobians. Memory as BP, plus `B`.
//!
//! `mode` gives `B` the signs that the weights have at the moment (Liao, Leibo & Poggio 2016): `B = s sign(W)` (uSF),
//! `|B_t| sign(W)` with `B_t` drawn anew in every step (brSF), `|B_0| sign(W)` (frSF).

use crate::bp::Bp;
use crate::register::{EVERY, Reach, Rule, Variant, Variants};
use serde::{Deserialize, Serialize};
use sll_core::layer::WeightSlot;
use sll_core::memory::{LocalUnit, MemoryUse, Pattern};
use sll_core::optim::{OptimizerConfig, Updater};
use sll_core::rng::{Purpose, Stream};
use sll_core::rule::{Batch, LearningRule, StepCost, StepReport};
use sll_core::{Cut, Error, Network, Result};

/// Settings of FA.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FaConfig {
    /// Factor on `B`; 1 draws it from the law of the initial weights, or in uSF makes `s = √(2 / (fan-in + fan-out))`.
    pub feedback_gain: f64,
    /// Where the signs and sizes of `B` come from.
    #[serde(skip_serializing_if = "Mode::is_fixed")]
    pub mode: Mode,
}

/// Where the signs and sizes of the feedback weights come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Both drawn once.
    #[default]
    Fixed,
    /// The weights' signs, one size for all.
    Usf,
    /// The weights' signs, sizes drawn in every step.
    Brsf,
    /// The weights' signs, sizes drawn once.
    Frsf,
}

impl Mode {
    fn is_fixed(&self) -> bool {
        *self == Self::Fixed
    }
}

impl Default for FaConfig {
    fn default() -> Self {
        Self { feedback_gain: 1.0, mode: Mode::Fixed }
    }
}

/// The rule; its feedback weights live inside the layers they belong to.
pub struct Fa {
    values: usize,
    config: FaConfig,
}

/// FA itself; what it says of itself holds for the others too, but for where `B` comes from.
const PLAIN: Variant<fn() -> FaConfig> = Variant {
    title: "FA",
    equation: "dz_l = (B_{l+1} dz_{l+1}) (.) phi'(z_l), B fixed random",
    paper: "Lillicrap et al. 2016",
    stores: "fixed: B, one value a weight above the first layer",
    activations: EVERY,
    update_locked: "yes",
    reach: Reach::All,
    ..Variant::local(FaConfig::default)
};

/// The paper of the others.
const CONCORDANT: &str = "Liao, Leibo & Poggio 2016";

/// The feedback weights of every affine map of `net` but its first, which has no gradient to send on, and where they
/// are.
fn carriers(net: &mut Network) -> impl Iterator<Item = ([u64; 2], WeightSlot<'_>)> {
    let all = net.weights().into_iter().enumerate();
    let slots = all.flat_map(|(layer, slots)| {
        slots.into_iter().enumerate().map(move |(index, slot)| ([layer as u64, index as u64], slot))
    });
    slots.filter(|(place, _)| *place != [0, 0])
}

impl Rule for FaConfig {
    const VARIANTS: Variants<Self> = &[
        PLAIN,
        Variant {
            title: "uSF",
            equation: "as FA; B_l = s sign(W_l^T), s one value a matrix",
            settings: || Self { mode: Mode::Usf, ..Self::default() },
            paper: CONCORDANT,
            ..PLAIN
        },
        Variant {
            title: "brSF",
            equation: "as FA; B_l = |B_l,t| sign(W_l^T), B_l,t random, drawn anew in every step t",
            settings: || Self { mode: Mode::Brsf, ..Self::default() },
            paper: CONCORDANT,
            ..PLAIN
        },
        Variant {
            title: "frSF",
            equation: "as FA; B_l = |B_l,0| sign(W_l^T), B_l,0 fixed random",
            settings: || Self { mode: Mode::Frsf, ..Self::default() },
            paper: CONCORDANT,
            ..PLAIN
        },
    ];

    fn build(&self, net: &mut Network, seed: u64) -> Result<Box<dyn LearningRule>> {
        Ok(Box::new(self.init(net, seed)?))
    }

    fn title(&self) -> String {
        Self::VARIANTS[self.mode as usize].title.into()
    }
}

impl FaConfig {
    /// Installs feedback weights drawn from `seed` in every layer of `net` but the first, which sends nothing on.
    ///
    /// # Errors
    /// If a setting is out of its range.
    pub fn init(&self, net: &mut Network, seed: u64) -> Result<Fa> {
        Error::check_gain("feedback_gain", self.feedback_gain)?;
        let device = net.device().clone();
        let mut values = 0;
        for (place, slot) in carriers(net) {
            values += slot.values();
            match self.mode {
                Mode::Usf => slot.level(self.feedback_gain, &device),
                _ => slot.randomise(self.feedback_gain, &mut Stream::new(seed, Purpose::Feedback, &place), &device),
            }
        }
        Ok(Fa { values, config: *self })
    }
}

impl Fa {
    /// Gives the feedback weights the signs that the weights have now.
    fn concord(&self, net: &mut Network, batch: &Batch) {
        let device = net.device().clone();
        for (place, mut slot) in carriers(net) {
            if self.config.mode == Mode::Brsf {
                let mut stream = Stream::new(batch.seed, Purpose::Feedback, &place);
                slot.by_ref().randomise(self.config.feedback_gain, &mut stream, &device);
            }
            slot.concord();
        }
    }
}

impl LearningRule for Fa {
    fn step(&mut self, net: &mut Network, batch: &Batch, updater: &mut Updater) -> Result<StepReport> {
        if self.config.mode != Mode::Fixed {
            self.concord(net, batch);
        }
        Bp.step(net, batch, updater)
    }

    fn cut(&self) -> Cut {
        Cut::Whole
    }

    fn cost(&self, net: &Network) -> StepCost {
        Bp.cost(net)
    }

    fn memory(&self, net: &Network, batch: usize, optimizer: &OptimizerConfig) -> Option<MemoryUse> {
        let whole = Pattern::Local(vec![LocalUnit::whole(0..net.depth())]);
        MemoryUse::of(net, batch, optimizer, &whole, (self.values, 0))
    }

    fn fixed_values(&self, _net: &Network) -> usize {
        self.values
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sll_core::laws::{self, Build};

    const FA: Build = &|net| Ok(Box::new(FaConfig::default().init(net, 3)?));

    #[test]
    fn with_feedback_equal_to_the_weights_it_is_bp() {
        // One step: the copy is of the weights before it, as BP's backward pass uses them.
        let tied: Build = &|net| {
            net.weights().into_iter().flatten().for_each(sll_core::layer::WeightSlot::tie);
            Ok(Box::new(Fa { values: 0, config: FaConfig::default() }))
        };
        laws::close_update(|| laws::small_mlp(3), tied, &|_| Ok(Box::new(Bp)), 1e-6);
        laws::close_update(laws::small_cnn, tied, &|_| Ok(Box::new(Bp)), 1e-6);
        laws::close_update(|| laws::small_vit(true), tied, &|_| Ok(Box::new(Bp)), 1e-6);
    }

    #[test]
    fn random_feedback_changes_every_layer_but_the_last() {
        let train = |build| laws::train(&mut laws::small_mlp(2), build, 0..1);
        let (fa, bp) = (train(FA), train(&|_| Ok(Box::new(Bp))));
        assert_eq!(fa[2], bp[2], "the output layer sees its own error in both");
        assert_ne!(fa[1], bp[1]);
        assert_ne!(fa[0], bp[0]);
    }

    #[test]
    fn keeps_one_feedback_weight_a_weight_above_the_first_layer() {
        let mut net = laws::small_mlp(2);
        let fa = FaConfig::default().init(&mut net, 3).unwrap();
        assert_eq!(fa.fixed_values(&net), 16 * 16 + 16 * 4);
    }

    fn mode(mode: Mode) -> FaConfig {
        FaConfig { mode, ..FaConfig::default() }
    }

    #[test]
    fn feedback_has_the_weights_signs_and_sizes_of_its_own() {
        let mut net = laws::small_mlp(2);
        let sizes = |net: &mut Network| -> Vec<f32> {
            let signs_are_equal = |slot: WeightSlot| {
                let (weights, feedback) = (laws::floats(slot.rows()), laws::floats(slot.feedback_rows().unwrap()));
                assert!(weights.iter().zip(&feedback).all(|(w, b)| w.is_sign_positive() == b.is_sign_positive()));
                feedback.into_iter().map(f32::abs).collect::<Vec<_>>()
            };
            carriers(net).flat_map(|(_, slot)| signs_are_equal(slot)).collect()
        };
        for (kind, constant, one) in [(Mode::Usf, true, true), (Mode::Brsf, false, false), (Mode::Frsf, true, false)] {
            let mut fa = mode(kind).init(&mut net, 3).unwrap();
            let mut seen = Vec::new();
            for step in 0..2 {
                let batch = laws::batch(&net, step);
                fa.concord(&mut net, &batch);
                seen.push(sizes(&mut net));
                laws::moved(&mut net, &mut fa, &batch);
            }
            assert_eq!(seen[0] == seen[1], constant, "{kind:?}");
            assert_eq!(seen[0][..256].iter().all(|size| *size == seen[0][0]), one, "{kind:?}");
        }
    }

    #[test]
    fn of_weights_of_one_size_usf_is_bp() {
        // Then `s sign(W)` is `W`, where `s` is that size.
        let flat = |depth: usize| {
            let mut net = laws::small_mlp(depth);
            for (_, slot) in carriers(&mut net) {
                let rows = slot.rows();
                let [m, n] = rows.dims();
                let size = (2.0 / (m + n) as f64).sqrt();
                let up = rows.clone().greater_equal_elem(0.0).float();
                slot.set_rows((up * 2.0 - 1.0) * size);
            }
            net
        };
        let usf: Build = &|net| Ok(Box::new(mode(Mode::Usf).init(net, 3)?));
        laws::close_update(|| flat(3), usf, &|_| Ok(Box::new(Bp)), 1e-6);
    }

    #[test]
    fn sign_concordant_feedback_repeats_and_resumes() {
        for kind in [Mode::Usf, Mode::Brsf, Mode::Frsf] {
            let build: Build = &|net| Ok(Box::new(mode(kind).init(net, 3)?));
            laws::repeats(|| laws::small_mlp(2), build);
            laws::resumes(laws::small_cnn, build);
            laws::learns(|| laws::small_mlp(2), build, 120);
        }
    }

    #[test]
    fn repeats_resumes_and_learns() {
        laws::repeats(|| laws::small_mlp(2), FA);
        laws::resumes(|| laws::small_mlp(2), FA);
        laws::learns(|| laws::small_mlp(2), FA, 240);
        laws::learns(|| laws::small_vit(false), FA, 120);
    }
}
