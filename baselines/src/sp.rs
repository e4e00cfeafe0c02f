//! SP: signal propagation (Kohan, Rietman & Siegelmann 2023).
//!
//! The learning signal takes the forward path: beside the inputs, one code a class goes through every layer, and each
//! layer is trained to bring a sample's output near its class's.
//!
//! ```text
//! h_1 = f_1(x), t_1 = S (one row a class, learned);   h_l = f_l(sg(h_{l-1})), t_l = f_l(sg(t_{l-1}))
//! q_l = softmax(g ⟨h_l, t_l⟩ / √n_l),   L_l = CE(q_l, y),   trained through h_l and t_l
//! ```
//!
//! This is the paper's "input-label direct" form (its code's v1). With `loss` the code's others: each sample of the
//! batch is one of `b` alternatives and stands for its class's code, and the layer below says which of them a sample
//! belongs to, by the inner products of the codes that it gave,
//!
//! ```text
//! p_ij = softmax over samples j of g ⟨h_i, t_y(j)⟩ / √n,   L_l = mean_i Σ_j -w_ij ln p_ij
//! ```
//!
//! `w_ij` is 1 for all samples whose codes below are nearest to sample `i`'s (v9), for one of them (v14), or for the
//! `k` nearest samples (v15), else 0; below the first layer codes are one-hot labels. The output layer is trained by
//! cross-entropy. One layer's activations of both streams are held, and nothing waits for the output.

use crate::facts::{Rule, Variant, Variants};
use crate::local::Classifier;
use burn::tensor::{Tensor, activation};
use serde::{Deserialize, Serialize};
use sll_core::chain::{Chain, Handed, Link, in_order};
use sll_core::divergence::cross_entropy;
use sll_core::learned::{Learned, Matrix, Part, load_all};
use sll_core::op::Product;
use sll_core::op::inject_all;
use sll_core::optim::Updater;
use sll_core::rng::{Purpose, Stream, upload};
use sll_core::rule::{Batch, LearningRule, StepCost, StepReport, UnitLoss};
use sll_core::{Cut, Error, Network, NetworkSpec, Pass, Result, Shape, is_default};
use std::ops::Range;

/// Settings of SP.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SpConfig {
    /// Factor `g` on the scaled inner products, the inverse temperature of the local posteriors.
    pub gain: f64,
    /// Standard deviation of the signal layer's initial codes.
    pub signal_std: f64,
    /// Learning rate of the signal layer over that of the network; 0 keeps it fixed.
    pub signal_lr_factor: f64,
    /// What a layer's outputs are compared with.
    #[serde(skip_serializing_if = "is_default")]
    pub loss: Loss,
    /// `k` of v15 (authors' example: 6).
    #[serde(skip_serializing_if = "is_authors")]
    pub topk: usize,
}

/// Of [`SpConfig::topk`].
const AUTHORS: usize = 6;

fn is_authors(topk: &usize) -> bool {
    *topk == AUTHORS
}

/// The loss of a layer, by the names of the authors' code.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Loss {
    /// The right one of the classes.
    #[default]
    V1,
    /// All samples whose codes below are nearest.
    V9,
    /// One sample whose code below is nearest.
    V14,
    /// The `k` samples whose codes below are nearest.
    V15,
}

impl Default for SpConfig {
    fn default() -> Self {
        Self { gain: 3.0, signal_std: 1.0, signal_lr_factor: 1.0, loss: Loss::V1, topk: AUTHORS }
    }
}

/// The rule, built for one network.
pub struct Sp {
    config: SpConfig,
    units: Vec<Range<usize>>,
    classes: usize,
    /// `S [K, n_1]`.
    signal: Learned<Matrix>,
}

/// What the local loss of two streams gives.
struct Compared {
    loss: Tensor<1>,
    dh: Tensor<2>,
    dt: Tensor<2>,
}

/// SP itself; the other losses differ in what is right.
const PLAIN: Variant<fn() -> SpConfig> = Variant {
    title: "SP",
    equation: "t_1 = S, t_l = f_l(t_{l-1}); L_l = CE(softmax(g h_l t_l^T / sqrt(n_l)), y); on maps the mean over \
        positions",
    paper: "Kohan, Rietman & Siegelmann 2023",
    stores: "learned: S, K n_1 values",
    ..Variant::local(SpConfig::default)
};

impl Rule for SpConfig {
    const VARIANTS: Variants<Self> = &[
        PLAIN,
        Variant {
            title: "SP, v9",
            equation: "as SP; every sample of the batch is an alternative, right are all whose code below is nearest",
            settings: || Self { loss: Loss::V9, ..Self::default() },
            ..PLAIN
        },
        Variant {
            title: "SP, v14",
            equation: "as SP; every sample of the batch is an alternative, right is one whose code below is nearest",
            settings: || Self { loss: Loss::V14, ..Self::default() },
            ..PLAIN
        },
        Variant {
            title: "SP, v15",
            equation: "as SP; every sample of the batch is an alternative, right are the k whose code below is nearest",
            settings: || Self { loss: Loss::V15, ..Self::default() },
            ..PLAIN
        },
    ];

    fn build(&self, net: &mut Network, seed: u64) -> Result<Box<dyn LearningRule>> {
        Ok(Box::new(self.init(net, seed)?))
    }

    fn title(&self) -> String {
        Self::VARIANTS[self.loss as usize].title.into()
    }

    fn numerics(&self, network: &NetworkSpec) -> u32 {
        // On maps the mean over positions came to be compared, not the sum.
        if network.sees_vectors() { 0 } else { 8 }
    }
}

impl SpConfig {
    /// Draws the signal layer for `net` from `seed`.
    ///
    /// # Errors
    /// If a setting is out of its range.
    pub fn init(&self, net: &Network, seed: u64) -> Result<Sp> {
        Error::check_gain("gain", self.gain)?;
        Error::check_gain("signal_std", self.signal_std)?;
        if self.topk == 0 {
            return Err(Error::setting("topk", 0, "a sample needs at least one right one (default 6)"));
        }
        if self.loss != Loss::V15 {
            Error::check_idle("topk", self.topk, AUTHORS, "with `loss` = v15")?;
        }
        if !(self.signal_lr_factor.is_finite() && self.signal_lr_factor >= 0.0) {
            return Err(Error::setting("signal_lr_factor", self.signal_lr_factor, "must be 0 or positive (default 1)"));
        }
        let (units, classes) = (net.units(Cut::EveryLayer)?, net.classes());
        let n = net.output_of(units[0].end - 1).len();
        let codes = Stream::new(seed, Purpose::Learned, &[0]).normal(classes * n, self.signal_std);
        let signal = Learned::new(Matrix::new(codes, [classes, n], net.device()));
        Ok(Sp { config: *self, units, classes, signal })
    }

    /// What inner products of a layer's features are multiplied by: `g / √n`, and on a map, where the mean over
    /// positions is compared (as in the authors' code), `g / (√c · positions)`.
    fn scale(&self, features: Shape) -> f64 {
        match features {
            Shape::Map { c, h, w } => self.gain / (c as f64).sqrt() / (h * w) as f64,
            other => self.gain / (other.len() as f64).sqrt(),
        }
    }
}

fn logits(h: Tensor<2>, t: Tensor<2>, scale: f64) -> Tensor<2> {
    h.product(t.transpose()) * scale
}

/// What a layer's outputs are compared with.
struct Wanted {
    /// How many samples of its class `w_ij` is 1 for, `[b, K]`; of v1 the one-hot label.
    right: Tensor<2>,
    /// Logarithm of the number of samples of each class, `[1, K]`, where samples are the alternatives.
    counts: Option<Tensor<2>>,
}

/// How many samples of each class are right for a sample of class `own`, given how near the classes' codes are to its
/// own and how many samples each has.
fn right(loss: Loss, topk: usize, near: &[f32], counts: &[usize]) -> Vec<f32> {
    let present = |class: &usize| counts[*class] > 0;
    let mut order: Vec<usize> = (0..near.len()).filter(present).collect();
    order.sort_by(|&a, &b| near[b].total_cmp(&near[a]));
    let mut right = vec![0.0; near.len()];
    let nearest = order.first().map_or(0.0, |&class| near[class]);
    let mut left = match loss {
        Loss::V14 => 1,
        Loss::V15 => topk,
        Loss::V1 | Loss::V9 => usize::MAX,
    };
    for class in order {
        if loss == Loss::V9 && near[class] < nearest {
            break;
        }
        let taken = counts[class].min(left);
        right[class] = taken as f32;
        left -= taken;
    }
    right
}

fn compare(h: Tensor<2>, t: Tensor<2>, scale: f64, wanted: Wanted) -> Compared {
    let b = h.dims()[0];
    let z = logits(h.clone(), t.clone(), scale);
    let (loss, error) = match wanted.counts {
        None => {
            let (loss, _, error) = cross_entropy(z, wanted.right);
            (loss, error)
        }
        Some(counts) => {
            // Samples of a class have the same logit: their number is a summand of the class's.
            let log_q = activation::log_softmax(z + counts.clone(), 1);
            let loss = (wanted.right.clone() * (counts - log_q.clone())).sum_dim(1);
            let all = wanted.right.clone().sum_dim(1);
            (loss, log_q.exp() * all - wanted.right)
        }
    };
    let dlogits = error * (scale / b as f64);
    Compared { loss: loss.mean(), dh: dlogits.clone().product(t), dt: dlogits.transpose().product(h) }
}

impl SpConfig {
    /// What outputs of this batch are compared with, one of `classes` each; `below` are the codes that the layer below
    /// gave, none below the first.
    fn wanted(&self, below: Option<Tensor<2>>, batch: &Batch, classes: usize) -> Wanted {
        let device = batch.x.device();
        if self.loss == Loss::V1 {
            return Wanted { right: batch.targets(classes, &device), counts: None };
        }
        let near: Vec<f32> = match below {
            Some(codes) => {
                let near = codes.clone().product(codes.transpose());
                near.into_data().try_to_vec().expect("inner products are f32")
            }
            None => (0..classes * classes).map(|i| f32::from(i / classes == i % classes)).collect(),
        };
        let mut counts = vec![0; classes];
        batch.labels.iter().for_each(|&label| counts[label] += 1);
        let of_class: Vec<Vec<f32>> =
            near.chunks(classes).map(|near| right(self.loss, self.topk, near, &counts)).collect();
        let rows = batch.labels.iter().flat_map(|&label| of_class[label].iter().copied()).collect();
        // A class without samples is no alternative.
        let log = |&count: &usize| if count > 0 { (count as f32).ln() } else { ABSENT };
        Wanted {
            right: upload(rows, [batch.len(), classes], &device),
            counts: Some(upload(counts.iter().map(log).collect(), [1, classes], &device)),
        }
    }
}

/// Logarithm of the number of samples of a class that has none: small enough to be nothing, and finite, since it is
/// multiplied by 0.
const ABSENT: f32 = -1e30;

/// One hidden unit, with the signal layer where it is the first.
struct Unit<'a> {
    config: SpConfig,
    classes: usize,
    layers: Range<usize>,
    signal: Option<&'a mut Learned<Matrix>>,
}

impl Link for Unit<'_> {
    fn layers(&self) -> Range<usize> {
        self.layers.clone()
    }

    /// Beside the inputs go the codes that the unit below gave.
    fn step(&mut self, mut handed: Handed, net: &mut Network, updater: &mut Updater) -> Result<Handed> {
        let (batch, below) = (&mut handed.batch, handed.beside.take());
        let output = net.forward_range(self.layers.clone(), Tensor::from_inner(batch.x.clone()), &batch.pass());
        batch.x = output.clone().inner();
        let wanted = self.config.wanted(below.clone(), batch, self.classes);
        let scale = self.config.scale(net.output_of(self.layers.end - 1));
        let compared = |t: Tensor<2>| compare(batch.x.clone(), t, scale, wanted);
        let (loss, grads) = match (below, self.signal.as_deref_mut()) {
            (Some(t), _) => {
                let carried = net.forward_range(self.layers.clone(), Tensor::from_inner(t), &batch.replay());
                let t = carried.clone().inner();
                handed.beside = Some(t.clone());
                let Compared { loss, dh, dt } = compared(t);
                (loss, inject_all([(output, dh), (carried, dt)]))
            }
            (None, Some(signal)) => {
                let t = signal.get().plain();
                handed.beside = Some(t.clone());
                let Compared { loss, dh, dt } = compared(t);
                if self.config.signal_lr_factor > 0.0 {
                    signal.descend(dt, updater, self.config.signal_lr_factor);
                }
                (loss, inject_all([(output, dh)]))
            }
            (None, None) => unreachable!("the first unit has the signal layer, and hands codes on"),
        };
        handed.units.push(UnitLoss { cross_entropy: loss, divergence: None });
        updater.step(net, self.layers.clone(), grads);
        Ok(handed)
    }
}

impl Sp {
    fn links(&mut self) -> Chain<'_> {
        let (config, classes, last) = (self.config, self.classes, self.units.len() - 1);
        let signals = std::iter::once(Some(&mut self.signal)).chain(std::iter::repeat_with(|| None));
        let unit = |(layers, signal): (&Range<usize>, _)| Unit { config, classes, layers: layers.clone(), signal };
        let hidden = self.units[..last].iter().zip(signals).map(|pair| Box::new(unit(pair)) as Box<dyn Link>);
        hidden.chain([Box::new(Classifier(self.units[last].clone())) as Box<dyn Link>]).collect()
    }
}

impl LearningRule for Sp {
    fn step(&mut self, net: &mut Network, batch: &Batch, updater: &mut Updater) -> Result<StepReport> {
        in_order(self.links(), net, batch, updater)
    }

    fn chain(&mut self) -> Option<Chain<'_>> {
        Some(self.links())
    }

    fn unit_logits(&self, net: &Network, x: Tensor<2>) -> Vec<Tensor<2>> {
        let (mut h, mut t) = (x, self.signal.get().plain());
        let mut found = Vec::new();
        for (index, unit) in self.units.iter().enumerate() {
            h = net.forward_range(unit.clone(), h, &Pass::Eval);
            if index + 1 == self.units.len() {
                found.push(h.clone());
            } else {
                if index > 0 {
                    t = net.forward_range(unit.clone(), t, &Pass::Eval);
                }
                let scale = self.config.scale(net.output_of(unit.end - 1));
                found.push(logits(h.clone(), t.clone(), scale));
            }
        }
        found
    }

    fn cut(&self) -> Cut {
        Cut::EveryLayer
    }

    /// The samples of a batch share the codes' own pass: `3 K / b` of the hidden layers' forward work.
    fn cost(&self, net: &Network, batch: usize) -> StepCost {
        let hidden = &self.units[..self.units.len() - 1];
        let products: usize = hidden.iter().map(|unit| 3 * self.classes * net.output_of(unit.end - 1).len()).sum();
        let costs = net.costs();
        // The signals, one a class, run through all hidden units but the first, there and back.
        let run = |unit: &Range<usize>| {
            let there: u64 = costs[unit.clone()].iter().map(|c| 3 * c.forward + c.again).sum();
            there - costs[unit.start].input_grad
        };
        let carried: u64 = hidden.iter().skip(1).map(run).sum();
        let compared = match self.config.loss {
            Loss::V1 => 0,
            // Codes with codes, in every hidden unit but the first.
            _ => {
                hidden.iter().rev().skip(1).map(|unit| self.classes * net.output_of(unit.end - 1).len()).sum::<usize>()
            }
        };
        let shared = (carried + compared as u64) * self.classes as u64 / batch.max(1) as u64;
        StepCost { rule: products as u64 + shared, ..StepCost::of_units(net, &self.units) }
    }

    fn parts(&self) -> Vec<Part<'_>> {
        vec![Part::learned("signal", &self.signal)]
    }

    fn load(&mut self, record: Vec<Vec<u8>>) -> Result<()> {
        load_all([&mut self.signal], record)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sll_core::laws::{self, Build, floats};

    const SP: Build = &|net| Ok(Box::new(SpConfig::default().init(net, 3)?));

    #[test]
    fn signals_of_both_streams_are_the_gradients_of_the_loss() {
        // Central differences of -mean log softmax(g h tᵀ / √n)[y], in f64.
        let (b, n, k, labels) = (3, 4, 2, [0, 1, 1]);
        let scale = SpConfig { gain: 1.7, ..SpConfig::default() }.scale(Shape::Flat(n));
        let mut stream = Stream::new(1, Purpose::Noise, &[]);
        let (h, t) = (stream.normal(b * n, 1.0), stream.normal(k * n, 1.0));
        let loss = |h: &[f64], t: &[f64]| -> f64 {
            let row = |s: usize| {
                let logit =
                    |c: usize| (0..n).map(|i| h[s * n + i] * t[c * n + i]).sum::<f64>() * 1.7 / (n as f64).sqrt();
                (0..k).map(|c| logit(c).exp()).sum::<f64>().ln() - logit(labels[s])
            };
            (0..b).map(row).sum::<f64>() / b as f64
        };
        let wide = |v: &[f32]| v.iter().map(|&v| f64::from(v)).collect::<Vec<_>>();
        let device = burn::tensor::Device::flex();
        let upload = |v: &[f32], shape| sll_core::rng::upload(v.to_vec(), shape, &device);
        let batch = Batch::new(upload(&h, [b, n]), labels.to_vec(), 0);
        let found = compare(
            upload(&h, [b, n]),
            upload(&t, [k, n]),
            scale,
            Wanted { right: batch.targets(k, &device), counts: None },
        );
        let (dh, dt, step) = (floats(found.dh), floats(found.dt), 1e-5);
        assert!((f64::from(floats(found.loss)[0]) - loss(&wide(&h), &wide(&t))).abs() < 1e-5);
        let nudged = |v: &[f32], i: usize, by: f64| {
            let mut v = wide(v);
            v[i] += by;
            v
        };
        for (i, found) in dh.iter().enumerate() {
            let slope = (loss(&nudged(&h, i, step), &wide(&t)) - loss(&nudged(&h, i, -step), &wide(&t))) / (2.0 * step);
            assert!((slope - f64::from(*found)).abs() < 1e-5);
        }
        for (i, found) in dt.iter().enumerate() {
            let slope = (loss(&wide(&h), &nudged(&t, i, step)) - loss(&wide(&h), &nudged(&t, i, -step))) / (2.0 * step);
            assert!((slope - f64::from(*found)).abs() < 1e-5);
        }
    }

    #[test]
    fn other_losses_are_the_authors_over_the_samples_of_a_batch() {
        // Every sample by itself, in f64: y_ij = scale h_i · t_y(j), targets from the codes below, soft cross-entropy.
        let (n, k, labels, scale) = (3, 4, [0, 1, 1, 3, 0, 1], 0.7);
        let b = labels.len();
        let mut stream = Stream::new(1, Purpose::Noise, &[]);
        let (h, t, below) = (stream.normal(b * n, 1.0), stream.normal(k * n, 1.0), stream.normal(k * n, 1.0));
        let dot = |a: &[f64], i: usize, c: &[f64], j: usize| (0..n).map(|l| a[i * n + l] * c[j * n + l]).sum::<f64>();
        let wide = |v: &[f32]| v.iter().map(|&v| f64::from(v)).collect::<Vec<_>>();
        let codes = wide(&below);
        let wanted = |loss: Loss, i: usize| -> Vec<f64> {
            let near: Vec<f64> = (0..b).map(|j| dot(&codes, labels[i], &codes, labels[j])).collect();
            let mut order: Vec<usize> = (0..b).collect();
            order.sort_by(|&a, &b| near[b].total_cmp(&near[a]));
            let most = near[order[0]];
            let rank = |j: usize| order.iter().position(|&other| other == j).unwrap();
            let of = |j: usize| match loss {
                Loss::V9 => near[j] == most,
                Loss::V14 => rank(j) == 0,
                _ => rank(j) < 4,
            };
            (0..b).map(|j| f64::from(of(j))).collect()
        };
        let value = |loss: Loss, h: &[f64], t: &[f64]| -> f64 {
            let row = |i: usize| {
                let y: Vec<f64> = (0..b).map(|j| scale * dot(h, i, t, labels[j])).collect();
                let log = y.iter().map(|y| y.exp()).sum::<f64>().ln();
                wanted(loss, i).iter().zip(&y).map(|(w, y)| w * (log - y)).sum::<f64>()
            };
            (0..b).map(row).sum::<f64>() / b as f64
        };
        let device = burn::tensor::Device::flex();
        let rows = |v: &[f32], rows| upload(v.to_vec(), [rows, n], &device);
        let batch = Batch::new(rows(&h, b), labels.to_vec(), 0);
        for loss in [Loss::V9, Loss::V14, Loss::V15] {
            let net = laws::small_mlp(2);
            let topk = if loss == Loss::V15 { 4 } else { SpConfig::default().topk };
            let sp = SpConfig { loss, topk, ..SpConfig::default() }.init(&net, 3).unwrap();
            let found =
                compare(rows(&h, b), rows(&t, k), scale, sp.config.wanted(Some(rows(&below, k)), &batch, sp.classes));
            let (h, t) = (wide(&h), wide(&t));
            assert!((f64::from(floats(found.loss)[0]) - value(loss, &h, &t)).abs() < 1e-5, "{loss:?}");
            let nudged = |v: &[f64], i: usize, by: f64| {
                let mut v = v.to_vec();
                v[i] += by;
                v
            };
            for (i, found) in floats(found.dh).into_iter().enumerate() {
                let slope = (value(loss, &nudged(&h, i, 1e-5), &t) - value(loss, &nudged(&h, i, -1e-5), &t)) / 2e-5;
                assert!((slope - f64::from(found)).abs() < 1e-5, "{loss:?} h[{i}]: {slope}, {found}");
            }
            for (i, found) in floats(found.dt).into_iter().enumerate() {
                let slope = (value(loss, &h, &nudged(&t, i, 1e-5)) - value(loss, &h, &nudged(&t, i, -1e-5))) / 2e-5;
                assert!((slope - f64::from(found)).abs() < 1e-5, "{loss:?} t[{i}]: {slope}, {found}");
            }
        }
    }

    #[test]
    fn other_losses_are_local_resume_and_learn() {
        for loss in [Loss::V9, Loss::V14, Loss::V15] {
            let build: Build = &|net| Ok(Box::new(SpConfig { loss, ..SpConfig::default() }.init(net, 3)?));
            laws::local(|| laws::small_mlp(2), || laws::small_mlp(4), 2, build);
            laws::resumes(|| laws::small_mlp(3), build);
            laws::learns(|| laws::small_mlp(2), build, 160);
            laws::learns(laws::small_cnn, build, 80);
        }
    }

    #[test]
    fn on_maps_the_mean_over_positions_is_compared() {
        // Authors' code: the mean over positions of the sum over channels of `h t`.
        let map = Shape::Map { c: 4, h: 3, w: 5 };
        let scale = SpConfig { gain: 2.0, ..SpConfig::default() }.scale(map);
        assert!((scale * 60.0 - 2.0 / 2.0 * 4.0).abs() < 1e-12, "{scale}");
    }

    #[test]
    fn is_local_repeats_resumes_and_learns() {
        laws::local(|| laws::small_mlp(2), || laws::small_mlp(4), 2, SP);
        laws::repeats(|| laws::small_mlp(3), SP);
        laws::resumes(|| laws::small_mlp(3), SP);
        laws::learns(|| laws::small_mlp(2), SP, 160);
        laws::learns(laws::small_cnn, SP, 80);
        laws::learns(|| laws::small_vit(false), SP, 120);
    }

    #[test]
    fn bad_settings_are_named() {
        let error = |config: SpConfig| config.init(&laws::small_mlp(1), 0).err().unwrap().to_string();
        assert!(error(SpConfig { signal_std: -1.0, ..SpConfig::default() }).contains("signal_std"));
        assert!(error(SpConfig { gain: f64::NAN, ..SpConfig::default() }).contains("gain"));
        for loss in [Loss::V1, Loss::V9, Loss::V14] {
            let idle = SpConfig { topk: 3, loss, ..SpConfig::default() };
            assert!(error(idle).contains("`topk` = 3: it has no effect here, only with `loss` = v15"));
        }
    }
}
