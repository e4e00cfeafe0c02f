//! TFF: the Trifecta (Dooms, Tsang & Oramas 2023), three changes to FF that let it train deep convolutional networks.
//!
//! ```text
//! L_l = mean softplus(-α (G_l⁺ - G_l⁻)),   G_l = mean over the map of h_l²    (SymBa; right and wrong label)
//! ```
//!
//! Batch norm stands in for length normalisation (give the network `batch_norm = "before"`, as the authors' has it),
//! and layers are trained in overlapping pairs (OLU): in even steps (1,2), (3,4), .., in odd ones (1), (2,3), (4,5), ..
//! A group has its last layer's loss alone, which reaches the first of a pair. A last layer without a partner rests, as
//! in the authors' code, where only a layer that detaches its output has a loss; a single hidden layer has its own in
//! every step. The authors keep two states of Adam a parameter, one for even and one for odd steps; here there is one.
//!
//! The label is a learned image a class, one more channel of the input (of a vector as many more features). The weights
//! that read it are the rule's own, and what they give is added to the first layer's pre-activation, which is
//! concatenation with the network left as it is. Label images move when the first layer is trained by its own loss, as
//! in the authors' code. Two layers' activations of `2b` rows are held. A class is chosen by `K` forward passes, by the
//! goodness of the last hidden layer.

use super::{goodness, units, untrained_output, wrong_labels};
use crate::facts::{Reach, Rule, Usual, Variant, Variants};
use burn::module::{Module, Param};
use burn::tensor::{Tensor, activation};
use serde::{Deserialize, Serialize};
use sll_core::layer::{Activation, BatchNormAt, Bias, Conv, ConvConfig, Dense, Hidden, Layer, Pool, Stages, Start};
use sll_core::learned::{Learned, Part, load_all};
use sll_core::op::Product;
use sll_core::op::inject;
use sll_core::optim::Updater;
use sll_core::rng::{Purpose, Stream, upload};
use sll_core::rule::{Batch, LearningRule, StepCost, StepReport};
use sll_core::{Cut, Error, Network, NetworkSpec, Pass, Result, Shape};
use std::ops::Range;

/// Settings of TFF.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TffConfig {
    /// Steepness `α` of SymBa (authors' code: 4).
    pub steepness: f64,
    /// Standard deviation of the initial label images.
    pub label_scale: f64,
    /// Overlapping pairs; without, each layer is trained alone.
    pub overlap: bool,
}

impl Default for TffConfig {
    fn default() -> Self {
        Self { steepness: 4.0, label_scale: 1.0, overlap: true }
    }
}

/// The rule, built for one network.
pub struct Tff {
    config: TffConfig,
    units: Vec<Range<usize>>,
    classes: usize,
    label: Learned<LabelChannel>,
}

/// Label images and the weights that read them.
#[derive(Module, Debug)]
struct LabelChannel {
    /// `[K, h w]`, of vectors `[K, n_0]`.
    images: Param<Tensor<2>>,
    /// From one channel to the first layer's.
    map: Option<Conv>,
    /// From as many features as an input has to the first layer's.
    row: Option<Dense>,
}

impl LabelChannel {
    fn new(net: &mut Network, scale: f64, seed: u64) -> Result<Self> {
        let device = net.device().clone();
        let inputs = net.weights()[0][0].rows().dims()[1];
        let stages = net.stages(0).expect("networks without stages are refused");
        let at = if stages.norms_input() { BatchNormAt::Before } else { BatchNormAt::None };
        let start = Start { bias: Bias::None, ..Start::default() };
        let hidden = Hidden { activation: Activation::None, batch_norm: at, start, dropout: 0.0 };
        let stream = &mut Stream::new(seed, Purpose::Learned, &[1]);
        let (values, map, row) = match (net.input(), stages.pre_activation_shape()) {
            (Shape::Map { c, h, w }, Shape::Map { c: channels, .. }) => {
                let side = (inputs / c).isqrt();
                let config = ConvConfig { input: [1, h, w], channels, side, hidden, pool: Pool::None };
                let conv = config.init(stream, &device)?;
                (h * w, Some(conv), None)
            }
            (input, output) => {
                (input.len(), None, Some(Dense::new(input.len(), output.len(), hidden, stream, &device)))
            }
        };
        let classes = net.classes();
        let images = Stream::new(seed, Purpose::Learned, &[0]).normal(classes * values, scale);
        let images = Param::from_tensor(upload(images, [classes, values], &device));
        Ok(Self { images, map, row })
    }

    /// What is added to the first layer's pre-activation, `[rows, units · positions]`; the images move if `moving`.
    fn pre_activation(&self, one_hot: Tensor<2>, moving: bool, pass: &Pass) -> Tensor<2> {
        let images = match self.images.val() {
            // `detach` would leave a gradient to be computed.
            images if !moving && images.is_autodiff() => Tensor::from_inner(images.inner()),
            images => images,
        };
        let shown = one_hot.product(images);
        match (&self.map, &self.row) {
            (Some(map), _) => map.pre_activation(shown, pass),
            (None, Some(row)) => row.pre_activation(shown, pass),
            (None, None) => unreachable!("one of the two reads the label"),
        }
    }

    /// MACs per row: of the reading, and of choosing an image.
    fn macs(&self) -> (u64, u64) {
        let layer = self.map.as_ref().map(Layer::cost).or(self.row.as_ref().map(Layer::cost));
        (layer.map_or(0, |cost| cost.forward), self.images.shape().num_elements() as u64)
    }
}

impl Rule for TffConfig {
    const VARIANTS: Variants<Self> = &[Variant {
        title: "TFF",
        equation: "L_l = softplus(-alpha (G_l of the right label - G_l of a wrong one)), overlapping pairs of layers",
        paper: "Dooms, Tsang & Oramas 2023",
        stores: "learned: an image a class, K values a pixel, and the weights that read it",
        activations: "two layers', twice",
        update_locked: "one layer",
        reach: Reach::Next,
        ..Variant::local(Self::default)
    }];

    fn build(&self, net: &mut Network, seed: u64) -> Result<Box<dyn LearningRule>> {
        Ok(Box::new(self.init(net, seed)?))
    }

    /// Batch norm stands in for length normalisation.
    fn usual(&self) -> Usual {
        Usual { batch_norm: BatchNormAt::Before, ..Usual::default() }
    }

    fn numerics(&self, _network: &NetworkSpec) -> u32 {
        // A last layer without a partner came to rest.
        10
    }
}

impl TffConfig {
    /// Draws the label images for `net` from `seed`.
    ///
    /// # Errors
    /// If a setting is out of its range, or the rule cannot run on `net`.
    pub fn init(&self, net: &mut Network, seed: u64) -> Result<Tff> {
        Error::check_gain("steepness", self.steepness)?;
        Error::check_gain("label_scale", self.label_scale)?;
        let (units, classes) = (units(net, "TFF")?, net.classes());
        untrained_output(net)?;
        let label = Learned::new(LabelChannel::new(net, self.label_scale, seed)?);
        Ok(Tff { config: *self, units, classes, label })
    }
}

/// SymBa's loss `[1]` and gradient `[2b, n]` for `b` positive rows followed by their negatives.
fn symba(h: Tensor<2>, alpha: f64) -> (Tensor<1>, Tensor<2>) {
    let ([rows, n], b) = (h.dims(), h.dims()[0] / 2);
    let g = goodness::of(h.clone());
    let margin = (g.clone().narrow(0, 0, b) - g.narrow(0, b, rows - b)) * -alpha;
    let loss = activation::softplus(margin.clone(), 1.0).mean();
    let slope = activation::sigmoid(margin) * (-alpha * 2.0 / n as f64 / b as f64);
    let slope = Tensor::cat(vec![slope.clone(), slope * -1.0], 0);
    (loss, h * slope)
}

impl Tff {
    /// The groups of hidden units trained together in a step, from the first unit up without a gap.
    fn groups(&self, step: u64) -> Vec<Range<usize>> {
        let hidden = self.units.len() - 1;
        if !self.config.overlap || hidden == 1 {
            return (0..hidden).map(|unit| unit..unit + 1).collect();
        }
        let first = usize::from(step % 2 == 1);
        let alone = (first == 1).then_some(0..1);
        let pairs = (first..hidden - 1).step_by(2).map(|unit| unit..unit + 2);
        alone.into_iter().chain(pairs).collect()
    }

    /// Whether the label images move with the first group: with the first layer's own loss alone.
    fn moves_images(group: &Range<usize>) -> bool {
        group.len() == 1
    }
}

/// The first layer's output from its pre-activation, the label's part included.
fn first_output(net: &Network, z: Tensor<2>, pass: &Pass) -> Tensor<2> {
    let stages = net.stages(0).expect("networks without stages are refused");
    stages.pool(stages.activate(z, pass))
}

fn first_pre_activation(net: &Network, x: Tensor<2>, pass: &Pass) -> Tensor<2> {
    net.stages(0).expect("networks without stages are refused").pre_activation(x, pass)
}

impl LearningRule for Tff {
    fn step(&mut self, net: &mut Network, batch: &Batch, updater: &mut Updater) -> Result<StepReport> {
        net.accept(batch)?;
        let labels = [batch.labels.clone(), wrong_labels(batch, self.classes)].concat();
        let x = Tensor::cat(vec![batch.x.clone(), batch.x.clone()], 0);
        let one_hot = Batch::new(x.clone(), labels, 0).targets(self.classes, &x.device());
        let first = batch.pass().at(0);
        let mut x = x;
        let mut loss: Option<Tensor<1>> = None;
        let groups = self.groups(batch.step);
        let losses = groups.len();
        for group in groups {
            let mut h = Tensor::from_inner(x);
            for unit in group.clone() {
                h = match unit {
                    0 => {
                        let one_hot = Tensor::from_inner(one_hot.clone());
                        let label = self.label.get().pre_activation(one_hot, Self::moves_images(&group), &first);
                        first_output(net, first_pre_activation(net, h, &first) + label, &first)
                    }
                    _ => net.forward_range(self.units[unit].clone(), h, &batch.pass()),
                };
            }
            x = h.clone().inner();
            let (value, signal) = symba(x.clone(), self.config.steepness);
            loss = Some(loss.map_or(value.clone(), |sum| sum + value));
            let mut grads = inject(h, signal);
            if group.start == 0 {
                self.label.update(&mut grads, updater, 1.0);
            }
            updater.step(net, self.units[group.start].start..self.units[group.end - 1].end, grads);
        }
        let loss = loss.expect("a hidden unit") / losses as f64;
        Ok(StepReport { loss, units: Vec::new() })
    }

    fn predict(&self, net: &Network, x: Tensor<2>) -> Tensor<2> {
        let (label, last) = (self.label.get().valid(), self.units.len() - 2);
        let (z, device) = (first_pre_activation(net, x, &Pass::Eval), net.device());
        let score = |class: usize| {
            let one_hot = upload((0..self.classes).map(|k| f32::from(k == class)).collect(), [1, self.classes], device);
            let shown = z.clone() + label.pre_activation(one_hot, false, &Pass::Eval);
            let h = first_output(net, shown, &Pass::Eval);
            goodness::of(net.forward_range(self.units[0].end..self.units[last].end, h, &Pass::Eval))
        };
        Tensor::cat((0..self.classes).map(score).collect(), 1)
    }

    fn cut(&self) -> Cut {
        Cut::EveryLayer
    }

    /// The mean of an even and an odd step, each of two rows a sample.
    fn cost(&self, net: &Network, _batch: usize) -> StepCost {
        let costs = net.costs();
        let (mut forward, mut backward) = (0, 0);
        for group in [0, 1].into_iter().flat_map(|step| self.groups(step)) {
            for unit in group.clone() {
                let cost = &costs[self.units[unit].start];
                forward += cost.forward;
                backward += 2 * cost.forward - if unit == group.start { cost.input_grad } else { 0 };
            }
        }
        let (reading, images) = self.label.get().macs();
        // Of two rows a sample: the label is shown and read, and the weights that read it have a gradient; the images
        // have one, through the reading, in one step of two, or in every step.
        let moved = [0, 1].map(|step| u64::from(Self::moves_images(&self.groups(step)[0]))).iter().sum::<u64>();
        let rule = 2 * (images + 2 * reading) + moved * (images + reading);
        StepCost { forward, backward, rule }
    }

    fn parts(&self) -> Vec<Part<'_>> {
        vec![Part::learned("label", &self.label)]
    }

    fn load(&mut self, record: Vec<Vec<u8>>) -> Result<()> {
        load_all([&mut self.label], record)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sll_core::laws::{self, Build, floats};

    const TFF: Build = &|net| Ok(Box::new(TffConfig::default().init(net, 3)?));

    #[test]
    fn symba_is_the_logistic_loss_on_the_difference_of_goodness() {
        // Central differences of mean log(1 + exp(-α (G⁺ - G⁻))), in f64.
        let h = Stream::new(1, Purpose::Noise, &[]).normal(4 * 3, 1.0);
        let loss = |h: &[f64]| -> f64 {
            let g = |row: usize| h[row * 3..row * 3 + 3].iter().map(|v| v * v).sum::<f64>() / 3.0;
            (0..2).map(|s| (-4.0 * (g(s) - g(s + 2))).exp().ln_1p()).sum::<f64>() / 2.0
        };
        let wide: Vec<f64> = h.iter().map(|&v| f64::from(v)).collect();
        let (value, signal) = symba(sll_core::rng::upload(h, [4, 3], &burn::tensor::Device::flex()), 4.0);
        assert!((f64::from(floats(value)[0]) - loss(&wide)).abs() < 1e-5);
        for (i, found) in floats(signal).into_iter().enumerate() {
            let at = |by: f64| {
                let mut h = wide.clone();
                h[i] += by;
                loss(&h)
            };
            let slope = (at(1e-5) - at(-1e-5)) / 2e-5;
            assert!((slope - f64::from(found)).abs() < 1e-4, "h[{i}]: {slope} against {found}");
        }
    }

    #[test]
    fn pairs_alternate_and_a_last_layer_without_a_partner_rests() {
        let groups = |depth: usize| {
            let tff = TffConfig::default().init(&mut laws::small_mlp(depth), 3).unwrap();
            [tff.groups(0), tff.groups(1)]
        };
        assert_eq!(groups(5), [vec![0..2, 2..4], vec![0..1, 1..3, 3..5]]);
        assert_eq!(groups(4), [vec![0..2, 2..4], vec![0..1, 1..3]]);
        let alone = |groups: &Vec<Range<usize>>| groups.len() == 1 && groups[0] == (0..1);
        assert!(groups(1).iter().all(alone), "there is nobody to train a single layer but itself");
    }

    #[test]
    fn a_resting_layer_is_left_as_it_is() {
        // Of three hidden layers the last has no partner in even steps, of four in odd ones.
        for (depth, rests) in [(3, 0), (4, 1)] {
            let mut net = laws::small_mlp(depth);
            let mut tff = TffConfig::default().init(&mut net, 3).unwrap();
            for step in 0..4 {
                let batch = laws::batch(&net, step);
                let moved = laws::moved(&mut net, &mut tff, &batch);
                let still = moved[depth - 1].iter().flatten().all(|&v| v == 0.0);
                assert_eq!(still, step % 2 == rests, "{depth} hidden layers, step {step}");
                assert!(moved[0].iter().flatten().any(|&v| v != 0.0), "the first layer always learns");
            }
        }
    }

    /// A network with batch norm before its maps.
    fn normed_before() -> Network {
        let mut toy = sll_core::toy::cnn(true);
        toy.spec.batch_norm = BatchNormAt::Before;
        toy.build(&burn::tensor::Device::flex()).unwrap()
    }

    #[test]
    fn the_label_is_a_channel_beside_the_images() {
        // The first layer with weights of its own for the label is one layer that reads image and label together, also
        // where batch norm comes first.
        let (mut net, device) = (normed_before(), burn::tensor::Device::flex());
        let tff = TffConfig::default().init(&mut net, 3).unwrap();
        let batch = laws::batch(&net, 1);
        let one_hot = batch.targets(4, &device);
        let label = tff.label.get();
        let Shape::Map { h, w, .. } = net.input() else { panic!("a map") };
        let (pass, b) = (Pass::Train { seed: 1 }, batch.len());
        let shown = one_hot.clone().product(label.images.val().inner());
        let both = Tensor::cat(vec![batch.x.clone(), shown], 1);
        let hidden = Hidden { batch_norm: BatchNormAt::Before, ..Hidden::default() };
        let stream = &mut Stream::new(9, Purpose::Weights, &[]);
        let config = ConvConfig { input: [2, h, w], channels: 4, side: 3, hidden, pool: Pool::None };
        let mut whole = config.init(stream, net.device()).unwrap();
        let own = net.weights()[0][0].rows();
        let read = label.map.clone().unwrap().weights()[0].rows();
        let rows = Tensor::cat(vec![own, read], 1);
        let bias = net.params()[0][1].clone();
        let zero = Tensor::<2>::zeros([b, 2 * h * w], &device);
        whole.weights().swap_remove(0).set_rows(rows);
        let whole_bias = whole.pre_activation(zero, &Pass::Eval).narrow(0, 0, 1);
        let expected = whole.pre_activation(both, &pass) - whole_bias;
        let own_bias: Tensor<1> = Tensor::from_data(bias, &device);
        let own_bias = own_bias.reshape([1, 4, 1]).expand([1, 4, (h * w) as i32 as usize]).reshape([1, 4 * h * w]);
        let x = first_pre_activation(&net, batch.x, &pass);
        let found = x + label.pre_activation(one_hot, false, &pass) - own_bias;
        found.into_data().assert_approx_eq::<f32>(&expected.into_data(), burn::tensor::Tolerance::absolute(1e-4));
    }

    #[test]
    fn label_images_move_with_the_first_layers_own_loss_alone() {
        let mut net = laws::small_cnn();
        let mut tff = TffConfig::default().init(&mut net, 3).unwrap();
        for (step, moves) in [(0, false), (1, true)] {
            let before = tff.label.get().images.val().into_data();
            let weights = tff.label.get().map.clone().unwrap().weights()[0].rows().into_data();
            laws::moved(&mut net, &mut tff, &laws::batch(&laws::small_cnn(), step));
            assert_eq!(before != tff.label.get().images.val().into_data(), moves, "step {step}");
            assert_ne!(weights, tff.label.get().map.clone().unwrap().weights()[0].rows().into_data());
        }
    }

    #[test]
    fn a_layer_is_reached_by_its_partner_alone() {
        laws::reaches(|| laws::small_mlp(4), 1, 1, 0, 1, TFF);
        laws::reaches(|| laws::small_mlp(4), 2, 0, 0, 1, TFF);
        let alone: Build = &|net| Ok(Box::new(TffConfig { overlap: false, ..TffConfig::default() }.init(net, 3)?));
        laws::local(|| laws::small_mlp(2), || laws::small_mlp(4), 2, alone);
    }

    #[test]
    fn repeats_resumes_and_learns() {
        laws::repeats(|| laws::small_mlp(3), TFF);
        laws::resumes(|| laws::small_mlp(3), TFF);
        laws::resumes(normed_before, TFF);
        laws::learns(normed_before, TFF, 60);
        laws::learns(laws::small_cnn, TFF, 60);
        let accuracy = laws::accuracy(laws::small_cnn, TFF, 100);
        assert!(accuracy > 60.0, "{accuracy} % of 4 classes");
    }
}
