//! TFF: the Trifecta (Dooms, Tsang & Oramas 2023), three changes to FF that let it train deep convolutional networks.
//!
//! ```text
//! L_l = mean softplus(-α (G_l⁺ - G_l⁻)),   G_l = mean over the map of h_l²    (SymBa; one image, right and wrong
//! label)
//! ```
//!
//! Batch norm stands in for length normalisation (give the network `batch_norm = true`), and layers are trained in
//! overlapping pairs (OLU): in even steps (1,2), (3,4), .., in odd ones (2,3), (4,5), ..; a pair has the second layer's
//! loss alone, which reaches the first; a layer without a partner has its own. The label is a learned image a class;
//! the authors concatenate it as a channel, here it is added to the image, so that the network is everybody's. Two
//! layers' activations of `2b` rows are held. A class is chosen by `K` forward passes, by the goodness of the last
//! hidden layer.

use super::{contrastive_cost, goodness, layer_goodness, units, wrong_labels};
use crate::register::{Reach, Rule, Variant, Variants};
use burn::tensor::{Tensor, activation};
use serde::{Deserialize, Serialize};
use sll_core::learned::{Learned, Matrix, load_all, record_all};
use sll_core::op::Product;
use sll_core::op::inject;
use sll_core::optim::Updater;
use sll_core::rng::{Purpose, Stream};
use sll_core::rule::{Batch, LearningRule, StepCost, StepReport};
use sll_core::{Cut, Error, Network, NetworkSpec, Result};
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
    /// `[K, input]`.
    images: Learned<Matrix>,
}

impl Rule for TffConfig {
    const VARIANTS: Variants<Self> = &[Variant {
        title: "TFF",
        equation: "L_l = softplus(-alpha (G_l of the right label - G_l of a wrong one)), overlapping pairs of layers",
        paper: "Dooms, Tsang & Oramas 2023",
        stores: "learned: an image a class, K n_0 values",
        activations: "two layers', twice",
        update_locked: "one layer",
        reach: Reach::Next,
        ..Variant::local(Self::default)
    }];

    fn build(&self, net: &mut Network, seed: u64) -> Result<Box<dyn LearningRule>> {
        Ok(Box::new(self.init(net, seed)?))
    }

    fn numerics(&self, _network: &NetworkSpec) -> u32 {
        // A pair came to have one loss. Where pairs do not overlap, every layer has always had its own.
        if self.overlap { 8 } else { 0 }
    }
}

impl TffConfig {
    /// Draws the label images for `net` from `seed`.
    ///
    /// # Errors
    /// If a setting is out of its range, or the rule cannot run on `net`.
    pub fn init(&self, net: &Network, seed: u64) -> Result<Tff> {
        Error::check_gain("steepness", self.steepness)?;
        Error::check_gain("label_scale", self.label_scale)?;
        let (units, classes, n) = (units(net, "TFF")?, net.classes(), net.input().len());
        let values = Stream::new(seed, Purpose::Learned, &[0]).normal(classes * n, self.label_scale);
        let images = Learned::new(Matrix::new(values, [classes, n], net.device()));
        Ok(Tff { config: *self, units, classes, images })
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
    /// The groups of hidden units trained together in a step.
    fn groups(&self, step: u64) -> Vec<Range<usize>> {
        let hidden = self.units.len() - 1;
        if !self.config.overlap {
            return (0..hidden).map(|unit| unit..unit + 1).collect();
        }
        let first = usize::from(step % 2 == 1);
        let alone = (first == 1).then_some(0..1);
        alone.into_iter().chain((first..hidden).step_by(2).map(|unit| unit..(unit + 2).min(hidden))).collect()
    }
}

impl LearningRule for Tff {
    fn step(&mut self, net: &mut Network, batch: &Batch, updater: &mut Updater) -> Result<StepReport> {
        batch.check(net.classes())?;
        let labels = [batch.labels.clone(), wrong_labels(batch, self.classes)].concat();
        let x = Tensor::cat(vec![batch.x.clone(), batch.x.clone()], 0);
        let one_hot = Batch::new(x.clone(), labels, 0).targets(self.classes, &x.device());
        let mut x = x + one_hot.clone().product(self.images.get().plain());
        let mut loss: Option<Tensor<1>> = None;
        let groups = self.groups(batch.step);
        let losses = groups.len();
        for group in groups {
            let input = Tensor::from_inner(x);
            // The lowest layer's input gradient is the label images' signal.
            let input = if group.start == 0 { input.require_grad() } else { input };
            let mut h = input.clone();
            for unit in &self.units[group.clone()] {
                h = net.forward_range(unit.clone(), h, &batch.pass());
            }
            // A pair has one loss, its second layer's.
            x = h.clone().inner();
            let (value, signal) = symba(x.clone(), self.config.steepness);
            loss = Some(loss.map_or(value.clone(), |sum| sum + value));
            let grads = inject(h, signal);
            if let Some(dx) = input.grad(&grads) {
                self.images.descend(one_hot.clone().transpose().product(dx), updater, 1.0);
            }
            updater.step(net, self.units[group.start].start..self.units[group.end - 1].end, grads);
        }
        let loss = loss.expect("a hidden unit") / losses as f64;
        Ok(StepReport { loss, units: Vec::new() })
    }

    fn predict(&self, net: &Network, x: Tensor<2>) -> Tensor<2> {
        let (images, last) = (self.images.get().plain(), self.units.len() - 2);
        let score = |class: usize| {
            let labelled = x.clone() + images.clone().narrow(0, class, 1);
            layer_goodness(net, &self.units, labelled, |x| x, last..last + 1)
        };
        Tensor::cat((0..self.classes).map(score).collect(), 1)
    }

    fn cut(&self) -> Cut {
        Cut::EveryLayer
    }

    /// The mean of an even and an odd step; the lowest layer's input gradient is always needed.
    fn cost(&self, net: &Network) -> StepCost {
        let costs = net.costs();
        let of = |step: u64| {
            let inner = |group: Range<usize>| group.skip(1).map(|unit| costs[self.units[unit].start].input_grad);
            self.groups(step).into_iter().flat_map(inner).sum::<u64>()
        };
        let crossed = of(0) + of(1);
        let cost = contrastive_cost(net, &self.units, 0);
        let images = 2 * 2 * self.images.num_params() as u64;
        StepCost { backward: cost.backward + crossed + 2 * costs[0].input_grad, rule: images, ..cost }
    }

    fn fixed_values(&self, _net: &Network) -> usize {
        0
    }

    fn learned_values(&self) -> usize {
        self.images.num_params()
    }

    fn record(&self) -> Result<Vec<Vec<u8>>> {
        record_all([&self.images])
    }

    fn load(&mut self, record: Vec<Vec<u8>>) -> Result<()> {
        load_all([&mut self.images], record)
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
    fn pairs_alternate_and_cover_every_hidden_layer() {
        let net = laws::small_mlp(5);
        let tff = TffConfig::default().init(&net, 3).unwrap();
        assert_eq!(tff.groups(0), vec![0..2, 2..4, 4..5]);
        assert_eq!(tff.groups(1), vec![0..1, 1..3, 3..5]);
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
        laws::learns(laws::small_cnn, TFF, 60);
        let accuracy = laws::accuracy(laws::small_cnn, TFF, 100);
        assert!(accuracy > 60.0, "{accuracy} % of 4 classes");
    }
}
