//! FF: the forward-forward algorithm (Hinton 2022); LC-FF and TFF are built on its parts.
//!
//! ```text
//! h_l = f_l(x_l),   x_l = h_{l-1} / rms(h_{l-1}),   G_l = mean_j h_lj²
//! L_l = mean over positives of softplus(-s (G_l - θ)) + mean over negatives of softplus(s (G_l - θ))
//! ```
//!
//! A positive sample carries its own label inside the image, a negative one a wrong label ([`Labels`]). There is no
//! error signal at all: each layer is updated as soon as it has run, on `2b` rows, and one layer's activations are
//! held. The network's classifier takes no part unless `read_out` is `classifier`: a class is chosen by `K` forward
//! passes, one a label, by the goodness of the hidden layers.
//!
//! Some implementations rely on two extras: `peer_weight`, and units whose gradient passes where they are silent, which
//! is the network's `activation = "straight-through-relu"`.

mod collaboration;
mod goodness;
mod label;
mod peer;
mod trifecta;

pub use collaboration::{Lcff, LcffConfig, Others};
pub use goodness::{Goodness, normalise};
pub use label::Labels;
pub use trifecta::{Tff, TffConfig};

use self::peer::{Peer, Peers};
use crate::facts::{Rule, Variant, Variants};
use crate::local::train_classifier;
use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};
use sll_core::chain::{Chain, Handed, Link, in_order};
use sll_core::learned::Part;
use sll_core::op::inject;
use sll_core::optim::Updater;
use sll_core::rng::{Purpose, Stream};
use sll_core::rule::{Batch, LearningRule, StepCost, StepReport};
use sll_core::{Cut, Error, Network, NetworkSpec, Pass, Result, is_default};
use std::ops::Range;

/// How a class is read out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ReadOut {
    /// The label whose forward pass has the largest goodness: `K` passes.
    #[default]
    Goodness,
    /// The network's classifier on the last hidden layer, with a neutral label (`1/K` of each) in the image: one pass.
    /// It is trained by cross-entropy, which costs one more forward pass a step.
    Classifier,
}

/// Settings of FF.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FfConfig {
    /// Threshold `θ` on the mean of squares.
    pub threshold: f64,
    /// Factor `s` on goodness less threshold. A sum of squares in place of the mean is `s` times the width of the
    /// layer; of 4 and 20 neither is better at every size of the label (`sweep tune-ff`).
    pub steepness: f64,
    /// Size of the label in the image, in units of the normalised pixels: 10 in a vector and 1 on a map when absent,
    /// where the label lies over the whole image (`sweep tune-ff`, `sweep tune-ff-cnn`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label_scale: Option<f64>,
    /// How a class is read out.
    pub read_out: ReadOut,
    /// Leave the first hidden layer's goodness out when a class is chosen, as the paper does after its many epochs; a
    /// single hidden layer is always counted.
    pub skip_first: bool,
    /// Weight of peer normalisation (in the code of Löwe 2023: 0.03), which draws a unit's mean activity to its
    /// layer's.
    #[serde(skip_serializing_if = "is_default")]
    pub peer_weight: f64,
    /// Learning rate of the classifier over that of the hidden layers, where `read_out` is `classifier`.
    #[serde(skip_serializing_if = "is_one")]
    pub read_out_lr_factor: f64,
}

impl Default for FfConfig {
    fn default() -> Self {
        Self {
            threshold: 1.0,
            steepness: 4.0,
            label_scale: None,
            read_out: ReadOut::Goodness,
            skip_first: false,
            peer_weight: 0.0,
            read_out_lr_factor: 1.0,
        }
    }
}

/// The rule, built for one network.
pub struct Ff {
    read_out: ReadOut,
    read_out_lr_factor: f64,
    goodness: Goodness,
    labels: Labels,
    peers: Peers,
    units: Vec<Range<usize>>,
    /// The hidden units whose goodness chooses a class.
    counted: Range<usize>,
}

/// Of [`FfConfig::read_out_lr_factor`]: a run is named as before there was a choice.
fn is_one(factor: &f64) -> bool {
    *factor == 1.0
}

/// The units of a network whose layers all are an affine map and what follows it; others have no goodness.
fn units(net: &Network, rule: &str) -> Result<Vec<Range<usize>>> {
    let units = net.units(Cut::EveryLayer)?;
    if (0..net.depth()).any(|layer| net.stages(layer).is_none()) {
        let reason = "a transformer's tokens have no goodness of their own; use an MLP or a convolutional network";
        return Err(Error::Unsupported { rule: rule.into(), reason: reason.into() });
    }
    if net.classes() < 2 {
        let reason = "a wrong label needs a second class";
        return Err(Error::Unsupported { rule: rule.into(), reason: reason.into() });
    }
    if units.len() < 2 {
        let reason = "it trains hidden layers and this network has none; use a deeper one";
        return Err(Error::Unsupported { rule: rule.into(), reason: reason.into() });
    }
    Ok(units)
}

/// Refuses a loss of an output that is not trained.
fn untrained_output(net: &Network) -> Result<()> {
    match is_default(&net.loss()) {
        true => Ok(()),
        false => {
            let reason = "classes are read out by goodness and the output is not trained; leave it out";
            Err(Error::setting("loss", format!("{:?}", net.loss()), reason))
        }
    }
}

/// For each sample a class that is not its own, each with the same probability.
fn wrong_labels(batch: &Batch, classes: usize) -> Vec<usize> {
    let shifts = Stream::new(batch.seed, Purpose::Negative, &[]).below(batch.len(), classes - 1);
    batch.labels.iter().zip(shifts).map(|(label, shift)| (label + 1 + shift) % classes).collect()
}

impl Rule for FfConfig {
    const VARIANTS: Variants<Self> = &[
        Variant {
            title: "FF",
            equation: "L_l = softplus(-s (G_l - theta)) of a right label, softplus(s (G_l - theta)) of a wrong one, \
                G_l = mean h_l^2",
            paper: "Hinton 2022 (on conv nets, labels as waves: Scodellaro et al. 2023)",
            stores: "fixed: labels, (K + 1) n_0 values",
            activations: "one layer's, twice",
            ..Variant::local(Self::default)
        },
        Variant {
            title: "FF, linear read-out",
            equation: "as FF; read out by a linear classifier in one pass",
            paper: "Hinton 2022",
            stores: "fixed: labels, (K + 1) n_0 values",
            activations: "one layer's, twice",
            ..Variant::local(|| Self { read_out: ReadOut::Classifier, ..Self::default() })
        },
    ];

    fn build(&self, net: &mut Network, _seed: u64) -> Result<Box<dyn LearningRule>> {
        Ok(Box::new(self.init(net)?))
    }

    fn title(&self) -> String {
        Self::VARIANTS[self.read_out as usize].title.into()
    }

    fn numerics(&self, network: &NetworkSpec) -> u32 {
        // Labels on maps became orthogonal waves.
        if network.sees_vectors() { 0 } else { 8 }
    }
}

impl FfConfig {
    /// Checks the settings and builds the rule for `net`. Nothing is drawn at random beforehand.
    ///
    /// # Errors
    /// If a setting is out of its range, or the rule cannot run on `net`.
    pub fn init(&self, net: &Network) -> Result<Ff> {
        let units = units(net, "FF")?;
        if self.read_out == ReadOut::Goodness {
            untrained_output(net)?;
        }
        let goodness = Goodness::new(self.threshold, self.steepness)?;
        let labels = Labels::new(net, self.label_scale, "FF")?;
        Error::check_gain("read_out_lr_factor", self.read_out_lr_factor)?;
        if self.read_out == ReadOut::Goodness && !is_one(&self.read_out_lr_factor) {
            let reason = "classes are read out by goodness and no classifier is trained; leave it out";
            return Err(Error::setting("read_out_lr_factor", self.read_out_lr_factor, reason));
        }
        let hidden = units.len() - 1;
        let counted = usize::from(self.skip_first && hidden > 1)..hidden;
        let peers = Peers::new(net, &units, self.peer_weight)?;
        let Self { read_out, read_out_lr_factor, .. } = *self;
        Ok(Ff { read_out, read_out_lr_factor, goodness, labels, peers, units, counted })
    }
}

/// One hidden unit.
struct Unit<'a> {
    layers: Range<usize>,
    goodness: Goodness,
    /// Labels, where it is the first.
    labels: Option<&'a Labels>,
    peer: Peer<'a>,
    /// Whether images with a neutral label go beside the pairs, for the classifier.
    neutral: bool,
}

impl Link for Unit<'_> {
    fn layers(&self) -> Range<usize> {
        self.layers.clone()
    }

    fn step(&mut self, mut handed: Handed, net: &mut Network, updater: &mut Updater) -> Result<Handed> {
        let b = handed.batch.len();
        let batch = &mut handed.batch;
        if let Some(labels) = self.labels {
            handed.beside = self.neutral.then(|| labels.neutral(batch.x.clone()));
            batch.x = labels.pairs(batch);
        }
        let input = Tensor::from_inner(normalise(batch.x.clone()));
        let output = net.forward_range(self.layers.clone(), input, &batch.pass());
        batch.x = output.clone().inner();
        let (loss, signal) = self.goodness.evaluate(batch.x.clone(), b, None);
        let signal = self.peer.pull(&batch.x, b, signal);
        updater.step(net, self.layers.clone(), inject(output, signal));
        handed.loss = Some(handed.loss.map_or(loss.clone(), |sum| sum + loss));
        // What the classifier learns from has gone through units that have learned in this step.
        let replayed = |x| net.forward_plain(self.layers.clone(), normalise(x), &batch.replay());
        handed.beside = handed.beside.take().map(replayed);
        Ok(handed)
    }
}

/// The output unit, which is trained where it is read out; of the loss it makes the mean over hidden units.
struct Output {
    layers: Range<usize>,
    hidden: usize,
    lr_factor: f64,
}

impl Link for Output {
    fn layers(&self) -> Range<usize> {
        self.layers.clone()
    }

    fn step(&mut self, mut handed: Handed, net: &mut Network, updater: &mut Updater) -> Result<Handed> {
        if let Some(h) = handed.beside.take() {
            let lr = updater.lr();
            updater.set_lr(lr * self.lr_factor);
            train_classifier(net, self.layers.clone(), normalise(h), &handed.batch, updater);
            updater.set_lr(lr);
        }
        handed.loss = handed.loss.map(|sum| sum / self.hidden as f64);
        Ok(handed)
    }
}

impl LearningRule for Ff {
    fn step(&mut self, net: &mut Network, batch: &Batch, updater: &mut Updater) -> Result<StepReport> {
        in_order(self.links(), net, batch, updater)
    }

    fn chain(&mut self) -> Option<Chain<'_>> {
        Some(self.links())
    }

    fn predict(&self, net: &Network, x: Tensor<2>) -> Tensor<2> {
        match self.read_out {
            ReadOut::Goodness => {
                self.labels.scores(x, |x| layer_goodness(net, &self.units, x, normalise, self.counted.clone()))
            }
            ReadOut::Classifier => {
                let h = self.hidden(net, self.labels.neutral(x), &Pass::Eval);
                net.forward_range(self.units[self.units.len() - 1].clone(), h, &Pass::Eval)
            }
        }
    }

    fn cut(&self) -> Cut {
        Cut::EveryLayer
    }

    fn cost(&self, net: &Network, _batch: usize) -> StepCost {
        let hidden = contrastive_cost(net, &self.units, self.labels.macs());
        let costs = net.costs();
        let all: u64 = costs.iter().map(|c| c.forward).sum();
        let classifier: u64 = costs[self.units[self.units.len() - 1].clone()].iter().map(|c| c.forward).sum();
        match self.read_out {
            ReadOut::Goodness => hidden,
            // One more forward pass, and the classifier's weight gradient.
            ReadOut::Classifier => StepCost { rule: hidden.rule + all + classifier, ..hidden },
        }
    }

    fn parts(&self) -> Vec<Part<'_>> {
        self.labels.parts().into_iter().chain(self.peers.parts()).collect()
    }

    fn load(&mut self, record: Vec<Vec<u8>>) -> Result<()> {
        self.peers.load(record)
    }
}

impl Ff {
    fn links(&mut self) -> Chain<'_> {
        let (goodness, neutral) = (self.goodness, self.read_out == ReadOut::Classifier);
        let (hidden, output) = (self.units.len() - 1, self.units[self.units.len() - 1].clone());
        let labels = std::iter::once(Some(&self.labels)).chain(std::iter::repeat(None));
        let units = self.units[..hidden].iter().zip(labels).zip(self.peers.units());
        let unit = |((layers, labels), peer): ((&Range<usize>, _), _)| -> Box<dyn Link> {
            Box::new(Unit { layers: layers.clone(), goodness, labels, peer, neutral })
        };
        units
            .map(unit)
            .chain([Box::new(Output { layers: output, hidden, lr_factor: self.read_out_lr_factor }) as Box<dyn Link>])
            .collect()
    }

    /// The normalised output of the last hidden unit, without a graph.
    fn hidden(&self, net: &Network, x: Tensor<2>, pass: &Pass) -> Tensor<2> {
        let hidden = &self.units[..self.units.len() - 1];
        hidden.iter().fold(normalise(x), |x, unit| normalise(net.forward_plain(unit.clone(), x, pass)))
    }
}

/// Sum of the goodness of the hidden units `counted`, `[b, 1]`, of an evaluation-mode network; `between` is what
/// happens to a unit's input.
fn layer_goodness(
    net: &Network,
    units: &[Range<usize>],
    x: Tensor<2>,
    between: impl Fn(Tensor<2>) -> Tensor<2>,
    counted: Range<usize>,
) -> Tensor<2> {
    let mut x = x;
    let mut sum: Option<Tensor<2>> = None;
    for (index, unit) in units[..counted.end].iter().enumerate() {
        x = net.forward_range(unit.clone(), between(x), &Pass::Eval);
        if counted.contains(&index) {
            let goodness = goodness::of(x.clone());
            sum = Some(sum.map_or(goodness.clone(), |sum| sum + goodness));
        }
    }
    sum.expect("a hidden unit is counted")
}

/// Forward and backward of the hidden units on two rows a sample.
fn contrastive_cost(net: &Network, units: &[Range<usize>], labels: u64) -> StepCost {
    let (costs, hidden) = (net.costs(), 0..units[units.len() - 1].start);
    let forward: u64 = costs[hidden].iter().map(|c| c.forward).sum();
    let unneeded: u64 = units[..units.len() - 1].iter().map(|unit| costs[unit.start].input_grad).sum();
    StepCost { forward: 2 * forward, backward: 2 * (2 * forward - unneeded), rule: 2 * labels }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sll_core::laws::{self, Build, floats};

    const FF: Build = &|net| Ok(Box::new(FfConfig::default().init(net)?));

    #[test]
    fn the_update_is_the_closed_form() {
        // dW = mean over positives and negatives of x ∂softplus(∓ s (G - θ))/∂h (.) 1[z > 0] with ∂G/∂h = 2h/n, in
        // plain loops.
        let mut net = laws::plain_mlp(6, 5, 4);
        let config = FfConfig { steepness: 2.0, threshold: 0.3, ..FfConfig::default() };
        let mut rule = config.init(&net).unwrap();
        let batch = laws::batch(&net, 1);
        let b = batch.len();
        let x = normalise(rule.labels.pairs(&batch));
        let h = net.valid().forward_range(0..1, x.clone(), &Pass::Eval);
        let (x, h) = (floats(x), floats(h));
        let moved = laws::moved(&mut net, &mut rule, &batch);
        for (i, j) in (0..6).flat_map(|i| (0..5).map(move |j| (i, j))) {
            let mut dw = 0.0;
            for s in 0..2 * b {
                let g = (0..5).map(|j| h[s * 5 + j].powi(2)).sum::<f32>() / 5.0;
                let sign = if s < b { -1.0 } else { 1.0 };
                let slope = sign * 2.0 / (1.0 + (-sign * 2.0 * (g - 0.3)).exp());
                dw += x[s * 6 + i] * slope * 2.0 * h[s * 5 + j] / 5.0 / b as f32;
            }
            assert!((moved[0][0][i * 5 + j] - dw).abs() < 1e-5, "w[{i}][{j}]: {} against {dw}", moved[0][0][i * 5 + j]);
        }
        assert!(moved[1][0].iter().all(|&v| v == 0.0), "the classifier takes no part");
    }

    #[test]
    fn negatives_are_wrong_and_of_every_other_class() {
        let net = laws::small_mlp(1);
        let mut seen = [[false; 4]; 4];
        for step in 0..20 {
            let batch = laws::batch(&net, step);
            for (right, wrong) in batch.labels.iter().zip(wrong_labels(&batch, 4)) {
                seen[*right][wrong] = true;
            }
        }
        assert!((0..16).all(|i| seen[i / 4][i % 4] == (i / 4 != i % 4)), "{seen:?}");
    }

    #[test]
    fn is_local_repeats_resumes_and_learns() {
        laws::local(|| laws::small_mlp(2), || laws::small_mlp(4), 2, FF);
        laws::repeats(|| laws::small_mlp(3), FF);
        laws::resumes(|| laws::small_mlp(3), FF);
        laws::learns(|| laws::small_mlp(2), FF, 200);
    }

    #[test]
    fn both_read_outs_choose_the_right_class_of_a_learnable_task() {
        for read_out in [ReadOut::Goodness, ReadOut::Classifier] {
            let build: Build = &|net| Ok(Box::new(FfConfig { read_out, ..FfConfig::default() }.init(net)?));
            let accuracy = laws::accuracy(|| laws::small_mlp(2), build, 200);
            assert!(accuracy > 60.0, "{read_out:?}: {accuracy} % of 4 classes");
        }
    }

    #[test]
    fn the_classifiers_learning_rate_is_its_own() {
        let step = |read_out_lr_factor: f64| {
            let mut net = laws::small_mlp(2);
            let config = FfConfig { read_out: ReadOut::Classifier, read_out_lr_factor, ..FfConfig::default() };
            let (mut rule, batch) = (config.init(&net).unwrap(), laws::batch(&net, 0));
            laws::moved(&mut net, &mut rule, &batch)
        };
        let (once, thrice) = (step(1.0), step(3.0));
        assert_eq!(once[..2], thrice[..2], "hidden layers have the recipe's");
        let moved = once[2].iter().flatten().zip(thrice[2].iter().flatten());
        assert!(moved.clone().any(|(one, _)| *one != 0.0));
        moved.for_each(|(one, three)| assert!((three - 3.0 * one).abs() < 1e-5, "{three} is not three times {one}"));
        let idle = FfConfig { read_out_lr_factor: 3.0, ..FfConfig::default() }.init(&laws::small_mlp(2));
        assert!(idle.err().unwrap().to_string().contains("read_out_lr_factor"));
    }

    #[test]
    fn peers_are_kept_in_checkpoints_and_silent_units_can_learn() {
        let peers: Build = &|net| Ok(Box::new(FfConfig { peer_weight: 0.03, ..FfConfig::default() }.init(net)?));
        laws::resumes(|| laws::small_mlp(3), peers);
        laws::learns(|| laws::small_mlp(2), peers, 200);
        let mut toy = sll_core::toy::mlp(2);
        toy.spec.activation = sll_core::layer::Activation::StraightThroughRelu;
        laws::learns(|| toy.build(&burn::tensor::Device::flex()).unwrap(), FF, 200);
    }

    #[test]
    fn networks_without_goodness_are_refused() {
        let error = FfConfig::default().init(&laws::small_vit(true)).err().unwrap().to_string();
        assert!(error.contains("FF cannot run") && error.contains("MLP"), "{error}");
        let squared = laws::small_mlp(2).trained_by(sll_core::output::OutputLoss::Mse);
        let error = FfConfig::default().init(&squared).err().unwrap().to_string();
        assert!(error.contains("`loss` = Mse"), "{error}");
        assert!(FfConfig { read_out: ReadOut::Classifier, ..FfConfig::default() }.init(&squared).is_ok());
        let config = FfConfig { threshold: -1.0, ..FfConfig::default() };
        assert!(config.init(&laws::small_mlp(2)).err().unwrap().to_string().contains("threshold"));
    }
}
