//! FA: feedback alignment (Lillicrap, Cownden, Tweed & Akerman 2016).
//!
//! `dz_l = (B_{l+1} dz_{l+1}) (.) φ'(z_l)` with fixed random `B` in place of `Wᵀ`; `dW_l = dz_l h_{l-1}ᵀ` as in BP.
//!
//! Every weight matrix inside a layer gets its own `B`, drawn from the law of its initial weights, so FA runs on every
//! network; in a transformer block the residual and the attention keep their exact Jacobians. Memory as BP, plus `B`.
//!
//! `mode` gives `B` the signs that the weights have at the moment (Liao, Leibo & Poggio 2016): `B = s sign(W)` (uSF),
//! `|B_t| sign(W)` with `B_t` drawn anew in every step (brSF), `|B_0| sign(W)` (frSF). Or `B` learns to be `W` (Akrout,
//! Wilson, Humphreys, Lillicrap & Tweed 2019):
//!
//! ```text
//! Kolen-Pollack:  W <- (1 - λ) (W + ΔW),  B <- (1 - λ) (B + ΔW)           so that W - B shrinks by 1 - λ in every step
//! weight mirror:  B <- (1 - η) B + η mean over samples of ξ (W ξ)ᵀ          noise ξ ~ N(0, 1), whose mean product is W
//! ```
//!
//! With `constrain_weights` every weight matrix is brought back to its initial norm after each step (Moskovitz,
//! Litwin-Kumar & Abbott 2018).

use crate::bp::Bp;
use crate::facts::{EVERY, Reach, Rule, Variant, Variants};
use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};
use sll_core::layer::WeightSlot;
use sll_core::learned::{Learned, Matrix, Part, load_all};
use sll_core::memory::MemoryUse;
use sll_core::model::{LocalUnit, Pattern};
use sll_core::op::Product;
use sll_core::optim::{OptimizerConfig, Updater};
use sll_core::rng::{Purpose, Stream, upload};
use sll_core::rule::{Batch, LearningRule, StepCost, StepReport};
use sll_core::{Cut, Error, Network, Result, is_default};

/// Settings of FA.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FaConfig {
    /// Factor on `B`; 1 draws it from the law of the initial weights, or in uSF makes `s = √(2 / (fan-in + fan-out))`.
    pub feedback_gain: f64,
    /// Where the signs and sizes of `B` come from.
    #[serde(skip_serializing_if = "is_default")]
    pub mode: Mode,
    /// `λ`, what weights and feedback weights lose in a step of Kolen-Pollack, whatever the learning rate.
    #[serde(skip_serializing_if = "is_usual_decay")]
    pub feedback_decay: f64,
    /// `η`, how much of `B` a step of the weight mirror replaces. Its estimates are noisy: the mirror is as sharp as
    /// this is small, and as slow.
    #[serde(skip_serializing_if = "is_usual_rate")]
    pub mirror_rate: f64,
    /// Whether weights keep their initial norm, matrix by matrix.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub constrain_weights: bool,
}

/// Of [`FaConfig::feedback_decay`].
const DECAY: f64 = 1e-4;
/// Of [`FaConfig::mirror_rate`].
const RATE: f64 = 0.01;

fn is_usual_decay(decay: &f64) -> bool {
    *decay == DECAY
}

fn is_usual_rate(rate: &f64) -> bool {
    *rate == RATE
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
    /// Drawn once and then moved as the weights are, both decaying.
    #[serde(rename = "kolen-pollack")]
    KolenPollack,
    /// Drawn once and then learned from what the weights make of noise.
    #[serde(rename = "weight-mirror")]
    WeightMirror,
}

impl Mode {
    /// Whether feedback weights learn, so that they are part of a checkpoint.
    fn learns(self) -> bool {
        matches!(self, Self::KolenPollack | Self::WeightMirror)
    }
}

impl Default for FaConfig {
    fn default() -> Self {
        Self {
            feedback_gain: 1.0,
            mode: Mode::Fixed,
            feedback_decay: DECAY,
            mirror_rate: RATE,
            constrain_weights: false,
        }
    }
}

/// The rule; its feedback weights live inside the layers they belong to.
pub struct Fa {
    values: usize,
    config: FaConfig,
    /// `B`, where it is learned: what the layers send their signals through.
    learned: Vec<Learned<Matrix>>,
    /// `[1, 1]`: the initial norms of all weights, where they are kept.
    norms: Vec<Tensor<2>>,
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

/// The paper of those with the weights' signs.
const CONCORDANT: &str = "Liao, Leibo & Poggio 2016";
/// The paper of those that learn the weights.
const LEARNED: &str = "Akrout et al. 2019";

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
        Variant {
            title: "Kolen-Pollack",
            equation: "as FA; B_l moves as W_l^T does, and both decay",
            settings: || Self { mode: Mode::KolenPollack, ..Self::default() },
            paper: LEARNED,
            stores: "learned: B, one value a weight above the first layer",
            ..PLAIN
        },
        Variant {
            title: "weight mirror",
            equation: "as FA; B_l <- (1 - eta) B_l + eta mean(xi (W_l xi)^T), xi noise",
            settings: || Self { mode: Mode::WeightMirror, ..Self::default() },
            paper: LEARNED,
            stores: "learned: B, one value a weight above the first layer",
            ..PLAIN
        },
    ];

    fn build(&self, net: &mut Network, seed: u64) -> Result<Box<dyn LearningRule>> {
        Ok(Box::new(self.init(net, seed)?))
    }

    fn title(&self) -> String {
        let title = Self::VARIANTS[self.mode as usize].title;
        if self.constrain_weights { format!("{title}, constrained weights") } else { title.into() }
    }
}

impl FaConfig {
    /// Installs feedback weights drawn from `seed` in every layer of `net` but the first, which sends nothing on.
    ///
    /// # Errors
    /// If a setting is out of its range.
    pub fn init(&self, net: &mut Network, seed: u64) -> Result<Fa> {
        Error::check_gain("feedback_gain", self.feedback_gain)?;
        if !(0.0..1.0).contains(&self.feedback_decay) {
            return Err(Error::setting("feedback_decay", self.feedback_decay, "must lie in [0, 1) (default 1e-4)"));
        }
        if !(self.mirror_rate > 0.0 && self.mirror_rate <= 1.0) {
            return Err(Error::setting("mirror_rate", self.mirror_rate, "must lie in (0, 1] (default 0.01)"));
        }
        if self.mode != Mode::KolenPollack {
            Error::check_idle("feedback_decay", self.feedback_decay, DECAY, "with `mode` = kolen-pollack")?;
        }
        if self.mode != Mode::WeightMirror {
            Error::check_idle("mirror_rate", self.mirror_rate, RATE, "with `mode` = weight-mirror")?;
        }
        let device = net.device().clone();
        let mut values = 0;
        for (place, slot) in carriers(net) {
            values += slot.values();
            match self.mode {
                Mode::Usf => slot.level(self.feedback_gain, &device),
                _ => slot.randomise(self.feedback_gain, &mut Stream::new(seed, Purpose::Feedback, &place), &device),
            }
        }
        let learned = |(_, slot): ([u64; 2], WeightSlot)| {
            Learned::new(Matrix::from_plain(slot.feedback().expect("every carrier has feedback by now")))
        };
        let learned = if self.mode.learns() { carriers(net).map(learned).collect() } else { Vec::new() };
        let mut all = || net.weights().into_iter().flatten().map(|slot| norm(slot.matrix())).collect();
        let norms: Vec<Tensor<2>> = if self.constrain_weights { all() } else { Vec::new() };
        if norms.iter().any(|norm| norm.clone().into_scalar::<f32>() == 0.0) {
            let reason = "would hold at 0 a layer that starts at 0 (`network.output_initial`); leave one of them out";
            return Err(Error::setting("constrain_weights", true, reason));
        }
        Ok(Fa { values, config: *self, learned, norms })
    }
}

/// `[1, 1]`.
fn norm(matrix: Tensor<2>) -> Tensor<2> {
    matrix.square().sum().sqrt().reshape([1, 1])
}

impl Fa {
    /// Has the layers send their signals through what has been learned.
    fn install(&self, net: &mut Network) {
        for ((_, mut slot), learned) in carriers(net).zip(&self.learned) {
            slot.set_feedback(learned.get().plain());
        }
    }

    /// Moves the feedback weights as the weights have moved since they were `before`, and lets both decay.
    fn follow(&mut self, net: &mut Network, before: Vec<Tensor<2>>) {
        let kept = 1.0 - self.config.feedback_decay;
        for (((_, mut slot), learned), before) in carriers(net).zip(&mut self.learned).zip(before) {
            let after = slot.matrix();
            let moved = learned.get().plain() + after.clone() - before;
            *learned.get_mut() = Matrix::from_plain(moved * kept);
            slot.set_matrix(after * kept);
        }
    }

    /// Learns the feedback weights from noise, as many samples of it as the batch has.
    fn mirror(&mut self, net: &mut Network, batch: &Batch) {
        let (rate, b) = (self.config.mirror_rate, batch.len());
        for ((place, slot), learned) in carriers(net).zip(&mut self.learned) {
            let matrix = slot.matrix();
            // Of a convolution each row is a unit, of an affine map each column.
            let by_rows = matches!(slot, WeightSlot::Kernel(_));
            let inputs = matrix.dims()[usize::from(by_rows)];
            let noise = Stream::new(batch.seed, Purpose::Noise, &place).normal(b * inputs, 1.0);
            let noise = upload(noise, [b, inputs], &matrix.device());
            let units =
                |noise: Tensor<2>| noise.product(if by_rows { matrix.clone().transpose() } else { matrix.clone() });
            let estimate = match by_rows {
                true => units(noise.clone()).transpose().product(noise),
                false => noise.clone().transpose().product(units(noise)),
            };
            let mixed = learned.get().plain() * (1.0 - rate) + estimate * (rate / b as f64);
            *learned.get_mut() = Matrix::from_plain(mixed);
        }
    }

    /// Brings weights back to their initial norms.
    fn constrain(&self, net: &mut Network) {
        for (mut slot, initial) in net.weights().into_iter().flatten().zip(&self.norms) {
            let matrix = slot.matrix();
            let factor = initial.clone() / (norm(matrix.clone()) + 1e-30);
            slot.set_matrix(matrix * factor);
        }
    }

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
        match self.config.mode {
            Mode::Fixed | Mode::KolenPollack => {}
            Mode::Usf | Mode::Brsf | Mode::Frsf => self.concord(net, batch),
            Mode::WeightMirror => self.mirror(net, batch),
        }
        self.install(net);
        let follows = self.config.mode == Mode::KolenPollack;
        let before: Vec<_> = if follows { carriers(net).map(|(_, slot)| slot.matrix()).collect() } else { Vec::new() };
        let report = Bp.step(net, batch, updater)?;
        if follows {
            self.follow(net, before);
            // Or the layers would hold what it was until the next step.
            self.install(net);
        }
        self.constrain(net);
        Ok(report)
    }

    fn cut(&self) -> Cut {
        Cut::Whole
    }

    fn cost(&self, net: &Network, batch: usize) -> StepCost {
        // Noise goes there once and its products are summed.
        let mirrored = if self.config.mode == Mode::WeightMirror { 2 * self.values as u64 } else { 0 };
        StepCost { rule: mirrored, ..Bp.cost(net, batch) }
    }

    fn memory(&self, net: &Network, batch: usize, optimizer: &OptimizerConfig) -> Option<MemoryUse> {
        if self.config != (FaConfig { feedback_gain: self.config.feedback_gain, ..FaConfig::default() }) {
            return None;
        }
        let whole = Pattern::Local(vec![LocalUnit::whole(0..net.depth())]);
        MemoryUse::of(net, batch, optimizer, &whole, (self.values, 0))
    }

    fn fixed_values(&self, _net: &Network) -> usize {
        if self.config.mode.learns() { 0 } else { self.values }
    }

    fn parts(&self) -> Vec<Part<'_>> {
        Part::learned_list("learned_feedback", &self.learned)
    }

    fn load(&mut self, record: Vec<Vec<u8>>) -> Result<()> {
        load_all(&mut self.learned, record)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;
    use sll_core::NetworkSpec;
    use sll_core::laws::{self, Build};
    use sll_core::layer::Initial;

    const FA: Build = &|net| Ok(Box::new(FaConfig::default().init(net, 3)?));

    #[test]
    fn with_feedback_equal_to_the_weights_it_is_bp() {
        // One step: the copy is of the weights before it, as BP's backward pass uses them.
        let tied: Build = &|net| {
            net.weights().into_iter().flatten().for_each(sll_core::layer::WeightSlot::tie);
            Ok(Box::new(Fa { values: 0, config: FaConfig::default(), learned: vec![], norms: vec![] }))
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
    fn feedback_is_random_behind_a_classifier_that_starts_at_zero() {
        let spec =
            NetworkSpec { width: Some(8), output_initial: Some(Initial::Zero), ..NetworkSpec::named("mlp-2x800") };
        let build = || spec.build([1, 4, 4], 4, 1, &Device::flex()).unwrap();
        for mode in [Mode::Fixed, Mode::Brsf, Mode::Frsf] {
            let mut net = build();
            FaConfig { mode, ..FaConfig::default() }.init(&mut net, 3).unwrap();
            let mut sizes = carriers(&mut net).map(|(_, slot)| norm(slot.feedback().unwrap()).into_scalar::<f32>());
            assert!(sizes.all(|size| size > 0.1), "{mode:?}");
        }
        let held = FaConfig { constrain_weights: true, ..FaConfig::default() }.init(&mut build(), 3);
        assert!(held.err().unwrap().to_string().contains("output_initial"));
    }

    #[test]
    fn settings_without_an_effect_are_refused() {
        let refused = |config: FaConfig| config.init(&mut laws::small_mlp(1), 3).err().map(|error| error.to_string());
        let decaying = FaConfig { feedback_decay: 0.01, ..FaConfig::default() };
        assert!(refused(decaying).unwrap().contains("`feedback_decay` = 0.01: it has no effect here"));
        assert!(refused(FaConfig { mode: Mode::KolenPollack, ..decaying }).is_none());
        let mirrored = FaConfig { mirror_rate: 0.5, ..FaConfig::default() };
        assert!(refused(mirrored).unwrap().contains("only with `mode` = weight-mirror"));
        assert!(refused(FaConfig { mode: Mode::WeightMirror, ..mirrored }).is_none());
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

    /// Weights and feedback weights of everything that carries a signal.
    fn both(net: &mut Network, fa: &Fa) -> Vec<(Vec<f32>, Vec<f32>)> {
        let pairs = carriers(net).zip(&fa.learned);
        pairs.map(|((_, slot), b)| (laws::floats(slot.matrix()), laws::floats(b.get().plain()))).collect()
    }

    #[test]
    fn with_kolen_pollack_the_difference_of_weights_and_feedback_shrinks_alike_in_every_step() {
        for mut net in [laws::small_mlp(2), laws::small_cnn()] {
            let config = FaConfig { feedback_decay: 0.2, ..mode(Mode::KolenPollack) };
            let mut fa = config.init(&mut net, 3).unwrap();
            let differences = |net: &mut Network, fa: &Fa| -> Vec<f32> {
                both(net, fa).into_iter().flat_map(|(w, b)| w.into_iter().zip(b).map(|(w, b)| w - b)).collect()
            };
            let start = differences(&mut net, &fa);
            for step in 0..3 {
                let batch = laws::batch(&net, step);
                laws::moved(&mut net, &mut fa, &batch);
            }
            for (start, end) in start.iter().zip(differences(&mut net, &fa)) {
                assert!((start * 0.8f32.powi(3) - end).abs() < 1e-5, "{start} became {end}");
            }
        }
    }

    #[test]
    fn the_mirror_learns_the_weights_from_noise_alone() {
        for mut net in [laws::small_mlp(2), laws::small_cnn()] {
            let mut fa = FaConfig { mirror_rate: 0.02, ..mode(Mode::WeightMirror) }.init(&mut net, 3).unwrap();
            for step in 0..400 {
                let batch = laws::batch(&net, step);
                fa.mirror(&mut net, &batch);
            }
            for (w, b) in both(&mut net, &fa) {
                let inner = |x: &[f32], y: &[f32]| x.iter().zip(y).map(|(x, y)| f64::from(x * y)).sum::<f64>();
                let (cosine, size) =
                    (inner(&w, &b) / (inner(&w, &w) * inner(&b, &b)).sqrt(), inner(&w, &b) / inner(&w, &w));
                assert!(cosine > 0.9 && (size - 1.0).abs() < 0.2, "cosine {cosine}, size {size}");
            }
        }
    }

    #[test]
    fn constrained_weights_keep_their_norms() {
        let mut net = laws::small_cnn();
        let norms = |net: &mut Network| -> Vec<f32> {
            net.weights().into_iter().flatten().flat_map(|slot| laws::floats(norm(slot.matrix()))).collect()
        };
        let start = norms(&mut net);
        let mut fa = FaConfig { constrain_weights: true, ..FaConfig::default() }.init(&mut net, 3).unwrap();
        for step in 0..3 {
            let batch = laws::batch(&net, step);
            laws::moved(&mut net, &mut fa, &batch);
        }
        assert!(start.iter().zip(norms(&mut net)).all(|(a, b)| (a / b - 1.0).abs() < 1e-4));
    }

    #[test]
    fn learned_feedback_repeats_resumes_and_learns() {
        let constrained = FaConfig { constrain_weights: true, ..FaConfig::default() };
        for config in [mode(Mode::KolenPollack), mode(Mode::WeightMirror), constrained] {
            let build: Build = &|net| Ok(Box::new(config.init(net, 3)?));
            laws::repeats(|| laws::small_mlp(2), build);
            laws::resumes(laws::small_cnn, build);
            laws::learns(|| laws::small_mlp(2), build, 160);
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
