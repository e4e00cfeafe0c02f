//! SGR: successive gradient reconciliation (Yang et al., ICML 2024, arXiv 2406.05222). **Reconstructed**: no code is
//! public, and of the regulariser only the idea was recovered, not its norm, scale or weight.
//!
//! Unit `k` with output `h_k` has a linear head `A_k` on the summary `s_k = S h_k`:
//!
//! ```text
//! L_k = mean CE(softmax(s_k A_k), y),   g_k^out = ∂L_k/∂h_k,   g_k^in = ∂L_k/∂h_{k-1}
//! unit k minimises  L_k + λ D(g_k^in, sg(g_{k-1}^out)),   k = 1, 2, ... in this order
//! ```
//!
//! Our choices:
//! - *Heads* are learned (the paper's local-BP setting) or fixed `N(0, 1/n)`; the last unit ends in the classifier.
//! - *Distance*, on the gradients `G = B g` of single samples, so that the batch size does not matter:
//!   l2 `Σ_i ‖G^in - G^out‖² / sg(Σ_i ‖G^in‖² + ‖G^out‖²)`, or cosine `mean_i 1 - cos(G^in, G^out)`. Both are 1 for
//!   orthogonal and 0 for equal gradients, so `λ` is of order 1.
//! - *Second derivatives* by central differences, since burn differentiates once: with `v = ∂D/∂g^in` held constant and
//!   `x± = h_{k-1} ± ε v`, `∂D/∂θ = ∂(g^in · v)/∂θ ≈ (∇L_k(x+) - ∇L_k(x-)) / 2ε`. `ε v` has `step` times the rms of the
//!   input. `∇L_k` itself is the mean of the same two, exact to `O(step²)`: one backward pass gives the sum.
//!
//! Memory: the largest unit's activations, twice for the two probes, and one gradient `[B, n_k]` at a boundary,
//! whatever the depth. About three times the work of local learning, where a double backward would need about two.

use crate::facts::{Rule, Variant, Variants};
use crate::local::Head;
use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};
use sll_core::divergence::cross_entropy;
use sll_core::learned::{Learned, Matrix, Part, load_all};
use sll_core::memory::gradients_gone;
use sll_core::op::Product;
use sll_core::op::{inject, inject_all};
use sll_core::optim::Updater;
use sll_core::rng::{Purpose, Stream};
use sll_core::rule::{Batch, LearningRule, StepCost, StepReport, UnitLoss};
use sll_core::summary::{MapSummary, Summary};
use sll_core::{Cut, Error, Network, NetworkSpec, Pass, Result, is_default};
use std::ops::Range;

/// How far a unit's gradient at its input is from what the unit below asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Distance {
    /// Squared difference, relative to the squared lengths of both over the batch.
    #[default]
    L2,
    /// One minus the cosine, per sample.
    Cosine,
}

/// What becomes of the local heads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Heads {
    /// Trained with their unit.
    #[default]
    Learned,
    /// Left as drawn; the draw is that of SLL's projections.
    Fixed,
}

/// Settings of SGR.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SgrConfig {
    /// Number of units; every layer is a unit when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub units: Option<usize>,
    /// Weight `λ` of the distance; 0 leaves local learning.
    pub weight: f64,
    /// The distance.
    pub distance: Distance,
    /// The local heads.
    pub heads: Heads,
    /// Length of the finite difference, relative to the input. Small ones round, large ones bend; at a ReLU's kinks a
    /// larger one averages over more of them.
    pub step: f64,
    /// How feature maps become vectors.
    pub summary: MapSummary,
    /// The local head: that on `summary`, or one on the whole output, as SLL reads it.
    #[serde(skip_serializing_if = "is_default")]
    pub head: Head,
}

impl Default for SgrConfig {
    fn default() -> Self {
        Self {
            units: None,
            weight: 1.0,
            distance: Distance::L2,
            heads: Heads::Learned,
            step: 1e-2,
            summary: MapSummary::Pool2,
            head: Head::Authors,
        }
    }
}

/// The rule, built for one network.
pub struct Sgr {
    config: SgrConfig,
    units: Vec<Range<usize>>,
    /// One for each unit but the last, `A_k [n, K]`.
    heads: Vec<(Summary, Learned<Matrix>)>,
}

/// What a unit's head makes of its output.
struct Judged {
    /// Cross-entropy, `[b, 1]`.
    loss: Tensor<2>,
    /// `s_k`.
    summary: Tensor<2>,
    /// Gradient of the batch mean at the logits.
    dv: Tensor<2>,
}

impl Rule for SgrConfig {
    const VARIANTS: Variants<Self> = &[Variant {
        title: "SGR",
        equation: "L_l + lambda dist(dL_l/dh_{l-1}, sg(dL_{l-1}/dh_{l-1})), L_l = CE of a local head",
        paper: "Yang et al. 2024, arXiv 2406.05222",
        stores: "learned: heads, K n_l values a module (settings: fixed heads, k modules)",
        activations: "one module's, and a gradient of its input",
        reconstructed: true,
        ..Variant::local(Self::default)
    }];

    fn build(&self, net: &mut Network, seed: u64) -> Result<Box<dyn LearningRule>> {
        Ok(Box::new(self.init(net, seed)?))
    }

    fn title(&self) -> String {
        self.head.titled(&self.units.map_or(Self::VARIANTS[0].title.into(), |i| format!("SGR{i}+")))
    }

    fn numerics(&self, network: &NetworkSpec) -> u32 {
        // The pooled cells of a map came to cover all of it.
        if network.has_maps() { 9 } else { 0 }
    }
}

impl SgrConfig {
    fn validate(&self) -> Result<()> {
        self.head.check_summary(self.summary, Self::default().summary)?;
        if !(self.weight.is_finite() && self.weight >= 0.0) {
            return Err(Error::setting("weight", self.weight, "must be 0 or positive (default 1)"));
        }
        if !(1e-5..=0.5).contains(&self.step) {
            return Err(Error::setting("step", self.step, "must lie between 1e-5 and 0.5 (default 0.01)"));
        }
        Ok(())
    }

    /// Builds the rule for `net`; heads are drawn from `seed`.
    ///
    /// # Errors
    /// If a setting is out of its range, or the network has fewer units than are asked for.
    pub fn init(&self, net: &Network, seed: u64) -> Result<Sgr> {
        self.validate()?;
        net.loss().only_cross_entropy("SGR")?;
        let (units, classes) = (net.units(self.units.map_or(Cut::EveryLayer, Cut::Units))?, net.classes());
        let purpose = if self.heads == Heads::Learned { Purpose::Learned } else { Purpose::Projection };
        let heads = units[..units.len() - 1].iter().enumerate().map(|(index, unit)| {
            let summary = Summary::new(net.output_of(unit.end - 1), self.head.summary(self.summary));
            let n = summary.len();
            let values = Stream::new(seed, purpose, &[index as u64 + 1]).normal(n * classes, 1.0 / (n as f64).sqrt());
            (summary, Learned::new(Matrix::new(values, [n, classes], net.device())))
        });
        let heads = heads.collect();
        Ok(Sgr { config: *self, units, heads })
    }
}

impl Distance {
    /// `D` as `[1]`, and `v = B ∂D/∂G^in`, which is `∂D/∂g^in` of batch-mean gradients; both from `G [b, n]`.
    fn evaluate(self, inner: Tensor<2>, outer: Tensor<2>) -> (Tensor<1>, Tensor<2>) {
        let samples = inner.dims()[0] as f64;
        let lengths = |g: &Tensor<2>| g.clone().square().sum_dim(1);
        match self {
            Distance::L2 => {
                let scale = (lengths(&inner) + lengths(&outer)).sum_dim(0) + 1e-30;
                let difference = (inner - outer) / scale.clone();
                ((difference.clone().square() * scale).sum(), difference * (2.0 * samples))
            }
            Distance::Cosine => {
                // A sample that is all but learned has no direction: lengths are floored at 1e-3 of the batch's.
                let norm = |g: &Tensor<2>| {
                    let squared = lengths(g);
                    (squared.clone() + squared.mean_dim(0) * 1e-6 + 1e-30).sqrt()
                };
                let length = norm(&inner);
                let (u, w) = (inner / length.clone(), outer.clone() / norm(&outer));
                let cos = (u.clone() * w.clone()).sum_dim(1);
                ((cos.clone() * -1.0 + 1.0).mean(), (u * cos - w) / length)
            }
        }
    }
}

impl Sgr {
    fn judge(&self, unit: usize, output: Tensor<2>, batch: &Batch) -> Judged {
        let (logits, summary) = match self.heads.get(unit) {
            Some((summary, head)) => {
                let s = summary.forward(output);
                (s.clone().product(head.get().plain()), s)
            }
            None => (output.clone(), output),
        };
        let targets = batch.targets(logits.dims()[1], &logits.device());
        let (loss, _, error) = cross_entropy(logits, targets);
        Judged { loss, summary, dv: error * batch.share() }
    }

    /// `dh = Sᵀ A dv`.
    fn signal(&self, unit: usize, dv: Tensor<2>) -> Tensor<2> {
        match self.heads.get(unit) {
            Some((summary, head)) => summary.adjoint(dv.product(head.get().plain().transpose())),
            None => dv,
        }
    }

    /// A learned head's gradient `sᵀ dv`; `None` where nothing is learned.
    fn head_gradient(&self, unit: usize, summary: Tensor<2>, dv: Tensor<2>) -> Option<Tensor<2>> {
        let learned = self.config.heads == Heads::Learned && unit < self.heads.len();
        learned.then(|| summary.transpose().product(dv))
    }

    fn train_head(&mut self, unit: usize, gradient: Option<Tensor<2>>, updater: &mut Updater) {
        if let (Some(gradient), Some((_, head))) = (gradient, self.heads.get_mut(unit)) {
            head.descend(gradient, updater, 1.0);
        }
    }
}

/// Root of the mean square of all entries, `[1, 1]`, at least `floor`.
fn rms(x: &Tensor<2>, floor: f64) -> Tensor<2> {
    (x.clone().square().mean_dim(1).mean_dim(0) + floor * floor).sqrt()
}

impl LearningRule for Sgr {
    fn step(&mut self, net: &mut Network, batch: &Batch, updater: &mut Updater) -> Result<StepReport> {
        net.accept(batch)?;
        let (last, samples, weight) = (self.units.len() - 1, batch.len() as f64, self.config.weight);
        let mut losses = Vec::with_capacity(self.units.len());
        let mut x = batch.x.clone();
        let mut from_below: Option<Tensor<2>> = None;
        for unit in 0..=last {
            let range = self.units[unit].clone();
            let input = Tensor::from_inner(x.clone());
            let input = if from_below.is_some() { input.require_grad() } else { input };
            let output = net.forward_range(range.clone(), input.clone(), &batch.pass());
            let h = output.clone().inner();
            let Judged { loss, summary, dv } = self.judge(unit, h.clone(), batch);
            let signal = self.signal(unit, dv.clone());
            let asked = (weight > 0.0 && unit < last).then(|| signal.clone());
            let mut divergence = None;
            let own = inject(output, signal);
            match from_below.take().zip(input.grad(&own)) {
                None => {
                    updater.step(net, range, own);
                    let gradient = self.head_gradient(unit, summary, dv);
                    self.train_head(unit, gradient, updater);
                }
                Some((asked, given)) => {
                    drop(own);
                    gradients_gone();
                    let (distance, v) = self.config.distance.evaluate(given * samples, asked * samples);
                    divergence = Some(distance);
                    let epsilon = rms(&x, 1e-3) / rms(&v, 1e-12) * self.config.step;
                    let (shift, slope) = (v * epsilon.clone(), epsilon.recip() * (weight / 2.0));
                    let probes = [1.0, -1.0].map(|sign| {
                        let moved = Tensor::from_inner(x.clone() + shift.clone() * sign);
                        let output = net.forward_range(range.clone(), moved, &batch.replay());
                        let Judged { summary, dv, .. } = self.judge(unit, output.clone().inner(), batch);
                        let dv = dv * (slope.clone() * sign + 0.5);
                        let signal = self.signal(unit, dv.clone());
                        (self.head_gradient(unit, summary, dv), (output, signal))
                    });
                    let [(plus, above), (minus, below)] = probes;
                    updater.step(net, range, inject_all([above, below]));
                    self.train_head(unit, plus.zip(minus).map(|(plus, minus)| plus + minus), updater);
                }
            }
            losses.push(UnitLoss { cross_entropy: loss.mean(), divergence });
            (x, from_below) = (h, asked);
        }
        Ok(StepReport { loss: losses[last].cross_entropy.clone(), units: losses })
    }

    fn unit_logits(&self, net: &Network, x: Tensor<2>) -> Vec<Tensor<2>> {
        let mut h = x;
        let logits = self.units.iter().enumerate().map(|(unit, range)| {
            h = net.forward_range(range.clone(), h.clone(), &Pass::Eval);
            match self.heads.get(unit) {
                Some((summary, head)) => summary.forward(h.clone()).product(head.get().plain()),
                None => h.clone(),
            }
        });
        logits.collect()
    }

    fn cut(&self) -> Cut {
        self.config.units.map_or(Cut::EveryLayer, Cut::Units)
    }

    fn cost(&self, net: &Network, _batch: usize) -> StepCost {
        let costs = net.costs();
        let mut cost = StepCost::of_units(net, &self.units);
        let head = |unit: usize| self.heads.get(unit).map_or(0, |(_, head)| head.num_params() as u64);
        let trained = if self.config.heads == Heads::Learned { 3 } else { 2 };
        for (unit, range) in self.units.iter().enumerate() {
            // A reconciled unit goes there and back for its input's gradient, and twice more for its parameters'.
            if self.config.weight > 0.0 && unit > 0 {
                let forward: u64 = costs[range.clone()].iter().map(|c| c.forward).sum();
                let again: u64 = costs[range.clone()].iter().map(|c| c.again).sum();
                let unneeded = costs[range.start].input_grad;
                cost.rule += 2 * forward + 2 * (2 * forward + again - unneeded) + unneeded + (2 + trained) * head(unit);
            }
            cost.rule += trained * head(unit);
        }
        cost
    }

    fn parts(&self) -> Vec<Part<'_>> {
        let heads = self.heads.iter().map(|(_, head)| head);
        match self.config.heads {
            Heads::Learned => Part::learned_list("heads", heads),
            Heads::Fixed => Part::fixed_list("heads", heads.map(|head| head.get().plain())),
        }
    }

    fn load(&mut self, record: Vec<Vec<u8>>) -> Result<()> {
        let learned = self.config.heads == Heads::Learned;
        load_all(self.heads.iter_mut().map(|(_, head)| head).filter(|_| learned), record)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::{Device, TensorData};
    use sll_core::NetworkSpec;
    use sll_core::laws::{self, Build};
    use sll_core::optim::{OptimizerConfig, OptimizerKind};
    use sll_core::sll::SllConfig;

    const SGR: Build = &|net| Ok(Box::new(SgrConfig::default().init(net, 3)?));

    /// Rows in f64, and the few operations of the closed form.
    type Rows = Vec<Vec<f64>>;

    fn rows(data: TensorData, columns: usize) -> Rows {
        let values = data.try_to_vec::<f32>().unwrap();
        values.chunks(columns).map(|row| row.iter().map(|&v| f64::from(v)).collect()).collect()
    }

    fn transpose(a: &Rows) -> Rows {
        (0..a[0].len()).map(|j| a.iter().map(|row| row[j]).collect()).collect()
    }

    fn product(a: &Rows, b: &Rows) -> Rows {
        let columns = transpose(b);
        let dot = |x: &[f64], y: &[f64]| x.iter().zip(y).map(|(x, y)| x * y).sum();
        a.iter().map(|row| columns.iter().map(|column| dot(row, column)).collect()).collect()
    }

    fn zip(a: &Rows, b: &Rows, f: impl Fn(f64, f64) -> f64) -> Rows {
        a.iter().zip(b).map(|(a, b)| a.iter().zip(b).map(|(a, b)| f(*a, *b)).collect()).collect()
    }

    fn dot(a: &[f64], b: &[f64]) -> f64 {
        a.iter().zip(b).map(|(a, b)| a * b).sum()
    }

    fn norm(a: &Rows) -> f64 {
        a.iter().map(|row| dot(row, row)).sum::<f64>().sqrt()
    }

    /// `h = relu(x W + b)`, and with the head `A`: `q`, `e = (q - y)/B` and `δ = (e Aᵀ) (.) 1[h > 0]`.
    fn layer(x: &Rows, w: &Rows, b: &[f64], a: &Rows, labels: &[usize]) -> [Rows; 4] {
        let mut h = product(x, w);
        h.iter_mut().for_each(|row| row.iter_mut().zip(b).for_each(|(h, b)| *h = (*h + b).max(0.0)));
        let mut q = product(&h, a);
        for row in &mut q {
            let total: f64 = row.iter().map(|v| v.exp()).sum();
            row.iter_mut().for_each(|v| *v = v.exp() / total);
        }
        let mut e = q.clone();
        for (row, &label) in e.iter_mut().zip(labels) {
            row[label] -= 1.0;
            row.iter_mut().for_each(|e| *e /= labels.len() as f64);
        }
        let delta = zip(&product(&e, &transpose(a)), &h, |d, h| if h > 0.0 { d } else { 0.0 });
        [h, q, e, delta]
    }

    /// `B ∂D/∂G` from per-sample gradients.
    fn distance(kind: Distance, inner: &Rows, outer: &Rows) -> Rows {
        let scale = norm(inner).powi(2) + norm(outer).powi(2);
        let row = |(g, o): (&Vec<f64>, &Vec<f64>)| -> Vec<f64> {
            let (r, s) = (dot(g, g).sqrt(), dot(o, o).sqrt());
            let cos = dot(g, o) / (r * s);
            let entry = |(g, o): (&f64, &f64)| match kind {
                Distance::L2 => 2.0 * inner.len() as f64 * (g - o) / scale,
                Distance::Cosine => (cos * g / r - o / s) / r,
            };
            g.iter().zip(o).map(entry).collect()
        };
        inner.iter().zip(outer).map(row).collect()
    }

    fn agrees_with_the_closed_form(kind: Distance, weight: f64, tolerance: f64) {
        laws::one_thread();
        let spec = NetworkSpec { depth: Some(2), width: Some(8), dropout: 0.0, ..NetworkSpec::named("mlp-2x800") };
        let mut net = spec.build([1, 2, 3], 4, 5, &Device::flex()).unwrap();
        let config = SgrConfig { weight, distance: kind, step: 2e-4, ..SgrConfig::default() };
        let mut sgr = config.init(&net, 3).unwrap();
        let batch = laws::batch(&net, 0);
        let parameters = |net: &Network, sgr: &Sgr| {
            let [below, own] = [0, 1].map(|l| net.params()[l].clone());
            let heads = [0, 1].map(|l| rows(sgr.heads[l].1.get().plain().into_data(), 4));
            (
                rows(below[0].clone(), 8),
                rows(below[1].clone(), 8),
                rows(own[0].clone(), 8),
                rows(own[1].clone(), 8),
                heads,
            )
        };
        let (w0, b0, w, b, [a0, a]) = parameters(&net, &sgr);
        let input = rows(batch.x.clone().into_data(), 6);
        let [x, _, e0, _] = layer(&input, &w0, &b0[0], &a0, &batch.labels);
        let [h, q, e, delta] = layer(&x, &w, &b[0], &a, &batch.labels);
        let samples = batch.len() as f64;
        let each = |g: Rows| zip(&g, &g, |g, _| g * samples);
        let v = distance(kind, &each(product(&delta, &transpose(&w))), &each(product(&e0, &transpose(&a0))));

        // ∂(g^in · v)/∂θ, with u = (v W) (.) 1[h > 0] and J = diag(q) - q qᵀ.
        let u = zip(&product(&v, &w), &h, |u, h| if h > 0.0 { u } else { 0.0 });
        let mut ju = product(&u, &a);
        for (ju, q) in ju.iter_mut().zip(&q) {
            let mean = dot(ju, q);
            ju.iter_mut().zip(q).for_each(|(j, q)| *j = q * (*j - mean) / samples);
        }
        let back = zip(&product(&ju, &transpose(&a)), &h, |d, h| if h > 0.0 { d } else { 0.0 });
        let sum = |a: Rows, b: Rows| zip(&a, &b, |a, b| a + b);
        let ones: Rows = vec![vec![1.0; batch.len()]];
        let local = [product(&transpose(&x), &delta), product(&ones, &delta), product(&transpose(&h), &e)];
        let reconciled = [
            sum(product(&transpose(&v), &delta), product(&transpose(&x), &back)),
            product(&ones, &back),
            sum(product(&transpose(&u), &e), product(&transpose(&h), &ju)),
        ];

        let mut updater = OptimizerConfig { kind: OptimizerKind::Sgd, ..Default::default() }.init().unwrap();
        updater.set_lr(1.0);
        sgr.step(&mut net, &batch, &mut updater).unwrap();
        let (_, _, w1, b1, [_, a1]) = parameters(&net, &sgr);
        let moved = [(w, w1), (b, b1), (a, a1)].map(|(before, after)| zip(&before, &after, |x, y| x - y));
        for (part, (moved, (local, reconciled))) in moved.iter().zip(local.iter().zip(&reconciled)).enumerate() {
            let rest = zip(moved, local, |m, l| m - l);
            let error = norm(&zip(&rest, reconciled, |r, c| r - weight * c));
            let size = if weight > 0.0 { weight * norm(reconciled) } else { norm(local) };
            assert!(error < tolerance * size, "part {part} of {kind:?}: off by {error} of {size}");
        }
    }

    #[test]
    fn a_dense_relu_layer_moves_by_the_closed_form() {
        agrees_with_the_closed_form(Distance::L2, 0.0, 1e-5);
        agrees_with_the_closed_form(Distance::L2, 1.0, 1e-2);
        agrees_with_the_closed_form(Distance::Cosine, 1.0, 1e-2);
    }

    #[test]
    fn without_weight_it_is_local_learning() {
        let fixed: Build = &|net| {
            let config =
                SgrConfig { weight: 0.0, heads: Heads::Fixed, summary: MapSummary::Flatten, ..SgrConfig::default() };
            Ok(Box::new(config.init(net, 3)?))
        };
        let sll: Build = &|net| Ok(Box::new(SllConfig { align_weight: 0.0, ..SllConfig::default() }.init(net, 3)?));
        laws::same_update(|| laws::small_mlp(3), fixed, sll);
        laws::same_update(laws::small_cnn, fixed, sll);
        // The probes' mean stands for the gradient itself, masks and batch statistics included. A short step, since a
        // longer one changes which of four near-equal values a max-pool lets through.
        let with = |weight| {
            move |net: &mut Network| -> Result<Box<dyn LearningRule>> {
                Ok(Box::new(SgrConfig { weight, step: 1e-5, ..SgrConfig::default() }.init(net, 3)?))
            }
        };
        for net in [|| laws::small_mlp(3), laws::small_cnn, || laws::small_vit(true)] {
            laws::close_update(net, &with(1e-9), &with(0.0), 1e-2);
        }
    }

    #[test]
    fn a_unit_depends_on_nothing_above_it_and_on_what_the_unit_below_asks() {
        laws::local(|| laws::small_mlp(2), || laws::small_mlp(4), 2, SGR);
        let local: Build = &|net| Ok(Box::new(SgrConfig { weight: 0.0, ..SgrConfig::default() }.init(net, 3)?));
        let train = |build| laws::train(&mut laws::small_mlp(2), build, 0..1);
        let (with, without) = (train(SGR), train(local));
        assert_eq!(with[0], without[0]);
        assert_ne!(with[1], without[1]);
    }

    #[test]
    fn settings_and_costs() {
        let net = laws::small_mlp(2);
        let wrong = |config: SgrConfig| config.init(&net, 3).map(|_| ()).unwrap_err().to_string();
        assert!(wrong(SgrConfig { weight: -1.0, ..SgrConfig::default() }).contains("`weight`"));
        assert!(wrong(SgrConfig { step: 0.0, ..SgrConfig::default() }).contains("`step`"));
        assert!(wrong(SgrConfig { units: Some(9), ..SgrConfig::default() }).contains("`units`"));
        let idle = SgrConfig { head: Head::Common, summary: MapSummary::Pool4, ..SgrConfig::default() };
        assert!(wrong(idle).contains("`summary` = Pool4: it has no effect here, only with `head` = authors"));
        let sgr = SgrConfig::default().init(&net, 3).unwrap();
        assert_eq!((sgr.learned_values(), sgr.fixed_values(&net)), (2 * 16 * 4, 0));
        // 12-16-16-4: three times 16·16 and 16·4 more there and back, less two input gradients; heads 3, and 2 + 2·3.
        let (hidden, output, head) = (16 * 16, 16 * 4, 16 * 4);
        assert_eq!(sgr.cost(&net, 1).rule, 5 * (hidden + output) + 3 * head + 8 * head);
    }

    #[test]
    fn repeats_resumes_and_learns() {
        laws::repeats(|| laws::small_mlp(3), SGR);
        laws::resumes(|| laws::small_mlp(3), SGR);
        laws::resumes(laws::small_cnn, SGR);
        laws::learns(|| laws::small_mlp(2), SGR, 80);
        laws::learns(laws::small_cnn, SGR, 60);
        laws::learns(|| laws::small_vit(true), SGR, 60);
    }
}
