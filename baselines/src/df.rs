//! DF: Distance-Forward learning (Wu et al. 2024, arXiv 2408.14925). **Reconstructed**: the margin form, the N-pairs
//! and the two ways of coordination are known; the goodness, the constants and DF-R's feedback are ours.
//!
//! Unit `l` but the last judges its output by its distance to one anchor `E_c` a class:
//!
//! ```text
//! s = S h,   a = s/‖s‖,   g_c = cos(s, E_c)
//! L_l = mean over samples and N drawn wrong classes c of  max(m + g_c - g_y, 0) + λ g_c
//! da = Σ_c ∂L/∂g_c Ê_c,   ds = (da - a (a·da))/‖s‖,   dh = Sᵀ ds        Ê = E/‖E‖, its gradient likewise
//! ```
//!
//! The last unit is the classifier, with cross-entropy. Coordination adds to `dh`, over exactly one boundary:
//! - none: nothing;
//! - overlap (DF-O): `∂L_{l+1}/∂h_l`, through the unit above, as in overlapping blocks of two units;
//! - feedback (DF-R): `μ Sᵀ B_l ds_{l+1}` with `B_l ~ N(0, 1/n_l)` fixed, which keeps the length of `ds_{l+1}`; the
//!   classifier's summary is its logits. Nothing that `l+1` receives itself is handed down.
//!
//! Our choices: cosine goodness, so that `m` and `λ` are free of scale; anchors learned (initially `N(0, 1/n)`); wrong
//! classes without repetition, new ones each step. Memory: two neighbouring units, whatever the depth.

use crate::facts::{Reach, Rule, Variant, Variants};
use crate::local::Head;
use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};
use sll_core::divergence::cross_entropy;
use sll_core::learned::{Learned, Matrix, Part, load_all};
use sll_core::memory::gradients_gone;
use sll_core::op::{Product, inject};
use sll_core::optim::Updater;
use sll_core::rng::{Purpose, Stream, upload};
use sll_core::rule::{Batch, LearningRule, StepCost, StepReport, UnitLoss};
use sll_core::summary::{MapSummary, Summary};
use sll_core::{Cut, Error, Network, NetworkSpec, Pass, Result, is_default};
use std::ops::Range;

/// What a unit hears of the one above.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Coordination {
    /// Nothing.
    None,
    /// DF-O: its loss gradient.
    Overlap,
    /// DF-R: its signal through fixed random weights.
    #[default]
    Feedback,
}

/// Settings of DF.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DfConfig {
    /// What a unit hears of the one above.
    pub coordination: Coordination,
    /// Margin `m` between the goodness of the right class and of a wrong one; cosines differ by 2 at most.
    pub margin: f64,
    /// Weight `λ` of the wrong classes' goodness.
    pub pull: f64,
    /// Wrong classes drawn for each sample; all of them if there are no more.
    pub negatives: usize,
    /// Factor `μ` on DF-R's feedback.
    pub feedback_gain: f64,
    /// Whether the anchors are trained.
    pub learned_anchors: bool,
    /// How feature maps become vectors.
    pub summary: MapSummary,
    /// The local head: that on `summary`, or one on the whole output, as SLL reads it.
    #[serde(skip_serializing_if = "is_default")]
    pub head: Head,
}

impl Default for DfConfig {
    fn default() -> Self {
        Self {
            coordination: Coordination::Feedback,
            margin: 0.5,
            pull: 0.1,
            negatives: 4,
            feedback_gain: 0.1,
            learned_anchors: true,
            summary: MapSummary::Pool2,
            head: Head::Authors,
        }
    }
}

/// The rule, built for one network.
pub struct Df {
    config: DfConfig,
    units: Vec<Range<usize>>,
    /// One for each unit but the last, `E [K, n]`.
    anchors: Vec<(Summary, Learned<Matrix>)>,
    /// DF-R's `B_l` as `[n_{l+1}, n_l]`, one for each unit but the last.
    feedback: Vec<Tensor<2>>,
}

/// What a unit makes of its output.
struct Judged {
    /// Per sample, `[b, 1]`.
    loss: Tensor<2>,
    /// Gradient of the batch mean at the summary.
    ds: Tensor<2>,
    /// And at the anchors.
    anchors: Option<Tensor<2>>,
}

/// A unit that has run and waits for what the unit above tells it.
struct Pending {
    unit: usize,
    output: Tensor<2>,
    signal: Tensor<2>,
    anchors: Option<Tensor<2>>,
}

impl Rule for DfConfig {
    const VARIANTS: Variants<Self> = &[
        Variant {
            title: "DF-R",
            equation: "L_l = max(m + g_c - g_y, 0) + lambda g_c over wrong c, g the cosine to anchors E; dh_l += mu \
                B_l ds_{l+1}",
            paper: "Wu et al. 2024, arXiv 2408.14925",
            stores: "learned: anchors, K n_l values; fixed: B, n_l n_{l+1} values between hidden layers",
            activations: "two layers'",
            update_locked: "one layer",
            reconstructed: true,
            reach: Reach::Next,
            ..Variant::local(|| Self { coordination: Coordination::Feedback, ..Self::default() })
        },
        Variant {
            title: "DF-O",
            equation: "as DF-R; in place of B, the gradient of the next layer's loss",
            paper: "Wu et al. 2024, arXiv 2408.14925",
            stores: "learned: anchors, K n_l values",
            activations: "two layers'",
            update_locked: "one layer",
            reconstructed: true,
            reach: Reach::Next,
            ..Variant::local(|| Self { coordination: Coordination::Overlap, ..Self::default() })
        },
    ];

    fn build(&self, net: &mut Network, seed: u64) -> Result<Box<dyn LearningRule>> {
        Ok(Box::new(self.init(net, seed)?))
    }

    fn title(&self) -> String {
        self.head.titled(match self.coordination {
            Coordination::None => "DF",
            Coordination::Feedback => Self::VARIANTS[0].title,
            Coordination::Overlap => Self::VARIANTS[1].title,
        })
    }

    fn numerics(&self, network: &NetworkSpec) -> u32 {
        // The pooled cells of a map came to cover all of it.
        if network.has_maps() { 9 } else { 0 }
    }
}

impl DfConfig {
    fn validate(&self) -> Result<()> {
        self.head.check_summary(self.summary, Self::default().summary)?;
        if self.coordination != Coordination::Feedback {
            let usual = Self::default().feedback_gain;
            Error::check_idle("feedback_gain", self.feedback_gain, usual, "with `coordination` = feedback")?;
        }
        let checks =
            [("margin", self.margin, 0.5), ("pull", self.pull, 0.1), ("feedback_gain", self.feedback_gain, 0.1)];
        for (key, value, default) in checks {
            if !(value.is_finite() && value >= 0.0) {
                return Err(Error::setting(key, value, format!("must be 0 or positive (default {default})")));
            }
        }
        match self.negatives {
            0 => Err(Error::setting("negatives", 0, "a sample needs a wrong class to differ from (default 4)")),
            _ => Ok(()),
        }
    }

    /// Builds the rule for `net`; anchors and feedback are drawn from `seed`.
    ///
    /// # Errors
    /// If a setting is out of its range, or the rule cannot run on `net`.
    pub fn init(&self, net: &Network, seed: u64) -> Result<Df> {
        self.validate()?;
        net.loss().only_cross_entropy("DF")?;
        let (units, classes) = (net.units(Cut::EveryLayer)?, net.classes());
        if classes < 2 {
            return Err(Error::Unsupported { rule: "DF".into(), reason: "it needs two classes; use BP".into() });
        }
        let summaries: Vec<_> =
            units.iter().map(|u| Summary::new(net.output_of(u.end - 1), self.head.summary(self.summary))).collect();
        let normal = |purpose, index: usize, [rows, n]: [usize; 2], fan: usize| {
            Stream::new(seed, purpose, &[index as u64 + 1]).normal(rows * n, 1.0 / (fan as f64).sqrt())
        };
        let hidden = summaries[..units.len() - 1].iter().enumerate();
        let anchors = hidden.map(|(index, summary)| {
            let shape = [classes, summary.len()];
            let values = normal(Purpose::Learned, index, shape, summary.len());
            (*summary, Learned::new(Matrix::new(values, shape, net.device())))
        });
        let pairs = summaries.windows(2).enumerate().filter(|_| self.coordination == Coordination::Feedback);
        let feedback = pairs.map(|(index, pair)| {
            let shape = [pair[1].len(), pair[0].len()];
            upload(normal(Purpose::Feedback, index, shape, shape[1]), shape, &net.device().clone().inner())
        });
        let (anchors, feedback) = (anchors.collect(), feedback.collect());
        Ok(Df { config: *self, units, anchors, feedback })
    }
}

impl Df {
    /// `1/N` at the wrong classes that each sample is compared with, `[b, K]`.
    fn negatives(&self, unit: usize, batch: &Batch, classes: usize) -> Tensor<2> {
        let count = self.config.negatives.min(classes - 1);
        let mut stream = Stream::new(batch.seed, Purpose::Negative, &[unit as u64]);
        let mut weights = vec![0.0; batch.len() * classes];
        for (row, &label) in weights.chunks_mut(classes).zip(&batch.labels) {
            let mut wrong: Vec<usize> = (0..classes).filter(|&c| c != label).collect();
            for drawn in 0..count {
                let other = drawn + stream.below(1, wrong.len() - drawn)[0];
                wrong.swap(drawn, other);
                row[wrong[drawn]] = 1.0 / count as f32;
            }
        }
        upload(weights, [batch.len(), classes], &batch.x.device())
    }

    fn judge(&self, unit: usize, output: Tensor<2>, batch: &Batch) -> Judged {
        let scale = batch.share();
        let Some((summary, anchors)) = self.anchors.get(unit) else {
            let targets = batch.targets(output.dims()[1], &output.device());
            let (loss, _, error) = cross_entropy(output, targets);
            return Judged { loss, ds: error * scale, anchors: None };
        };
        let (a, length) = normalise(summary.forward(output));
        let (e, lengths) = normalise(anchors.get().plain());
        let goodness = a.clone().product(e.clone().transpose());
        let classes = goodness.dims()[1];
        let (y, wrong) = (batch.targets(classes, &goodness.device()), self.negatives(unit, batch, classes));
        let right = (goodness.clone() * y.clone()).sum_dim(1);
        let violation = (goodness.clone() - right + self.config.margin).clamp_min(0.0);
        let pushed = violation.clone().greater_elem(0.0).float() * wrong.clone();
        let loss = (wrong.clone() * (violation + goodness * self.config.pull)).sum_dim(1);
        let dg = (pushed.clone() + wrong * self.config.pull - y * pushed.sum_dim(1)) * scale;
        let (da, de) = (dg.clone().product(e.clone()), dg.transpose().product(a.clone()));
        Judged { loss, ds: through_norm(da, a, length), anchors: Some(through_norm(de, e, lengths)) }
    }

    /// `dh = Sᵀ ds`.
    fn signal(&self, unit: usize, ds: Tensor<2>) -> Tensor<2> {
        self.anchors.get(unit).map_or(ds.clone(), |(summary, _)| summary.adjoint(ds))
    }

    /// Updates a unit with its own signal and what comes from above. All it held is gone when this returns.
    fn train(&mut self, pending: Pending, above: Option<Tensor<2>>, net: &mut Network, updater: &mut Updater) {
        let Pending { unit, output, signal, anchors } = pending;
        let signal = match above {
            Some(above) => signal + above,
            None => signal,
        };
        updater.step(net, self.units[unit].clone(), inject(output, signal));
        if let (true, Some(gradient)) = (self.config.learned_anchors, anchors) {
            self.anchors[unit].1.descend(gradient, updater, 1.0);
        }
    }

    fn anchor_values(&self) -> usize {
        self.anchors.iter().map(|(_, e)| e.num_params()).sum()
    }
}

/// Rows of length 1, and their lengths `[b, 1]`; a row of zeros stays one.
fn normalise(x: Tensor<2>) -> (Tensor<2>, Tensor<2>) {
    let length = (x.clone().square().sum_dim(1) + 1e-12).sqrt();
    (x / length.clone(), length)
}

/// The gradient at `x`, from the one at `unit = x / length`.
fn through_norm(gradient: Tensor<2>, unit: Tensor<2>, length: Tensor<2>) -> Tensor<2> {
    let along = (gradient.clone() * unit.clone()).sum_dim(1);
    (gradient - unit * along) / length
}

impl LearningRule for Df {
    fn step(&mut self, net: &mut Network, batch: &Batch, updater: &mut Updater) -> Result<StepReport> {
        net.accept(batch)?;
        let last = self.units.len() - 1;
        let mut losses = Vec::with_capacity(self.units.len());
        let mut x = batch.x.clone();
        let mut waiting: Option<Pending> = None;
        for unit in 0..=last {
            let range = self.units[unit].clone();
            let overlaps = self.config.coordination == Coordination::Overlap && unit > 0;
            let input = Tensor::from_inner(x.clone());
            let input = if overlaps { input.require_grad() } else { input };
            let mut output = net.forward_range(range.clone(), input.clone(), &batch.pass());
            let h = output.clone().inner();
            let Judged { loss, ds, anchors } = self.judge(unit, h.clone(), batch);
            let signal = self.signal(unit, ds.clone());
            losses.push(UnitLoss { cross_entropy: loss.mean(), divergence: None });
            if let Some(below) = waiting.take() {
                let mut above = self
                    .feedback
                    .get(below.unit)
                    .map(|b| self.signal(below.unit, ds.product(b.clone()) * self.config.feedback_gain));
                if overlaps {
                    // A graph is differentiated once, and this unit's own update waits for the unit above.
                    above = input.grad(&inject(output, signal.clone()));
                    gradients_gone();
                    output = net.forward_range(range.clone(), Tensor::from_inner(x), &batch.replay());
                }
                self.train(below, above, net, updater);
            }
            waiting = Some(Pending { unit, output, signal, anchors });
            if unit == last || self.config.coordination == Coordination::None {
                waiting.take().into_iter().for_each(|ready| self.train(ready, None, net, updater));
            }
            x = h;
        }
        Ok(StepReport { loss: losses[last].cross_entropy.clone(), units: losses })
    }

    fn unit_scores(&self, net: &Network, x: Tensor<2>) -> Vec<Tensor<2>> {
        let mut h = x;
        let scores = self.units.iter().enumerate().map(|(unit, range)| {
            h = net.forward_range(range.clone(), h.clone(), &Pass::Eval);
            match self.anchors.get(unit) {
                Some((summary, anchors)) => {
                    let (e, _) = normalise(anchors.get().plain());
                    normalise(summary.forward(h.clone())).0.product(e.transpose())
                }
                None => h.clone(),
            }
        });
        scores.collect()
    }

    fn cut(&self) -> Cut {
        Cut::EveryLayer
    }

    fn cost(&self, net: &Network, _batch: usize) -> StepCost {
        // Goodness, its way back, and the anchors' gradient; with overlap each unit above the first runs there and back
        // once more, its input's gradient included.
        let anchors = (2 + u64::from(self.config.learned_anchors)) * self.anchor_values() as u64;
        let again = self.units[1..].iter().filter(|_| self.config.coordination == Coordination::Overlap);
        let costs = net.costs();
        let overlap: u64 = again.flat_map(|range| &costs[range.clone()]).map(|c| 3 * c.forward + c.again).sum();
        let feedback: u64 = self.feedback.iter().map(|b| (b.dims()[0] * b.dims()[1]) as u64).sum();
        StepCost { rule: anchors + overlap + feedback, ..StepCost::of_units(net, &self.units) }
    }

    fn parts(&self) -> Vec<Part<'_>> {
        let anchors = self.anchors.iter().map(|(_, e)| e);
        let mut parts = match self.config.learned_anchors {
            true => Part::learned_list("anchors", anchors),
            false => Part::fixed_list("anchors", anchors.map(|e| e.get().plain())),
        };
        parts.extend(Part::fixed_list("feedback", self.feedback.iter().cloned()));
        parts
    }

    fn load(&mut self, record: Vec<Vec<u8>>) -> Result<()> {
        let learned = self.config.learned_anchors;
        load_all(self.anchors.iter_mut().map(|(_, e)| e).filter(|_| learned), record)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sll_core::laws::{self, Build};

    const NONE: Build = &|net| build(net, Coordination::None);
    const OVERLAP: Build = &|net| build(net, Coordination::Overlap);
    const FEEDBACK: Build = &|net| build(net, Coordination::Feedback);

    fn build(net: &Network, coordination: Coordination) -> Result<Box<dyn LearningRule>> {
        Ok(Box::new(DfConfig { coordination, negatives: 2, ..DfConfig::default() }.init(net, 3)?))
    }

    /// The loss of a batch in plain loops: from summaries `[b, n]`, anchors `[K, n]` and the drawn classes' weights.
    fn loss(s: &[f64], e: &[f64], wrong: &[f32], labels: &[usize], n: usize, config: &DfConfig) -> f64 {
        let cos = |i: usize, c: usize| {
            let (s, e) = (&s[i * n..(i + 1) * n], &e[c * n..(c + 1) * n]);
            let dot = |x: &[f64], y: &[f64]| x.iter().zip(y).map(|(x, y)| x * y).sum::<f64>();
            dot(s, e) / (dot(s, s) * dot(e, e)).sqrt()
        };
        let mut total = 0.0;
        for (i, &label) in labels.iter().enumerate() {
            for c in 0..4 {
                let hinge = (config.margin + cos(i, c) - cos(i, label)).max(0.0);
                total += f64::from(wrong[i * 4 + c]) * (hinge + config.pull * cos(i, c));
            }
        }
        total / labels.len() as f64
    }

    #[test]
    fn loss_and_gradients_are_those_of_plain_loops() {
        let net = laws::small_mlp(2);
        let config = DfConfig { negatives: 2, ..DfConfig::default() };
        let df = config.init(&net, 3).unwrap();
        let (batch, n) = (laws::batch(&net, 1), 16);
        let s = Stream::new(1, Purpose::Noise, &[]).normal(batch.len() * n, 1.0);
        let floats = |t: Tensor<2>| t.into_data().try_to_vec::<f32>().unwrap();
        let judged = df.judge(0, upload(s.clone(), [batch.len(), n], &batch.x.device()), &batch);
        let wrong = floats(df.negatives(0, &batch, 4));
        for (row, &label) in wrong.chunks(4).zip(&batch.labels) {
            assert!(row[label] == 0.0 && row.iter().filter(|&&w| w == 0.5).count() == 2, "{row:?} of class {label}");
        }
        let s: Vec<f64> = s.into_iter().map(f64::from).collect();
        let e: Vec<f64> = floats(df.anchors[0].1.get().plain()).into_iter().map(f64::from).collect();
        let of = |s: &[f64], e: &[f64]| loss(s, e, &wrong, &batch.labels, n, &config);
        let found = f64::from(floats(judged.loss).iter().sum::<f32>()) / batch.len() as f64;
        assert!((found - of(&s, &e)).abs() < 1e-5);
        let slope = |at: &[f64], f: &dyn Fn(&[f64]) -> f64, i: usize| {
            let moved =
                |by: f64| at.iter().enumerate().map(|(j, v)| v + if i == j { by } else { 0.0 }).collect::<Vec<_>>();
            (f(&moved(1e-6)) - f(&moved(-1e-6))) / 2e-6
        };
        for (i, found) in floats(judged.ds).into_iter().enumerate() {
            let expected = slope(&s, &|s| of(s, &e), i);
            assert!((f64::from(found) - expected).abs() < 1e-5, "ds[{i}] = {found}, slope {expected}");
        }
        for (i, found) in floats(judged.anchors.unwrap()).into_iter().enumerate() {
            let expected = slope(&e, &|e| of(&s, e), i);
            assert!((f64::from(found) - expected).abs() < 1e-5, "dE[{i}] = {found}, slope {expected}");
        }
    }

    #[test]
    fn under_a_classifier_coordination_without_a_loss_of_its_own_is_bp() {
        let silent = |coordination| {
            move |net: &mut Network| -> Result<Box<dyn LearningRule>> {
                let mut config = DfConfig { coordination, margin: 0.0, pull: 0.0, ..DfConfig::default() };
                if coordination == Coordination::Feedback {
                    config.feedback_gain = 1.0;
                }
                let mut df = config.init(net, 3)?;
                df.anchors[0].1 = Learned::new(Matrix::new(vec![0.0; 4 * 16], [4, 16], net.device()));
                let output = Tensor::<2>::from_data(net.params()[1][0].clone(), &net.device().clone().inner());
                df.feedback.iter_mut().for_each(|b| *b = output.clone().transpose());
                Ok(Box::new(df))
            }
        };
        for coordination in [Coordination::Overlap, Coordination::Feedback] {
            laws::close_update(|| laws::small_mlp(1), &silent(coordination), &|_| Ok(Box::new(crate::bp::Bp)), 1e-5);
        }
    }

    #[test]
    fn a_unit_hears_of_the_next_one_and_of_no_other() {
        let first = |build, scaled: Option<usize>| {
            let net = || {
                let mut net = laws::small_mlp(3);
                if let Some(layer) = scaled {
                    let slot = net.weights().remove(layer).remove(0);
                    let rows = slot.rows() * 1.5;
                    slot.set_rows(rows);
                }
                net
            };
            laws::train(&mut net(), build, 0..1).remove(0)
        };
        for rule in [NONE, OVERLAP, FEEDBACK] {
            assert_eq!(first(rule, None), first(rule, Some(2)), "a layer two above is felt");
        }
        assert_eq!(first(NONE, None), first(NONE, Some(1)));
        for rule in [OVERLAP, FEEDBACK] {
            assert_ne!(first(rule, None), first(rule, Some(1)), "the next layer is not felt");
            assert_ne!(first(rule, None), first(NONE, None));
        }
    }

    #[test]
    fn settings_and_costs() {
        let net = laws::small_mlp(2);
        let wrong = |config: DfConfig| config.init(&net, 3).map(|_| ()).unwrap_err().to_string();
        assert!(wrong(DfConfig { margin: -1.0, ..DfConfig::default() }).contains("`margin`"));
        assert!(wrong(DfConfig { pull: f64::NAN, ..DfConfig::default() }).contains("`pull`"));
        assert!(wrong(DfConfig { negatives: 0, ..DfConfig::default() }).contains("`negatives`"));
        assert!(wrong(DfConfig { feedback_gain: -1.0, ..DfConfig::default() }).contains("`feedback_gain`"));
        let gained = DfConfig { feedback_gain: 0.3, ..DfConfig::default() };
        for coordination in [Coordination::None, Coordination::Overlap] {
            assert!(wrong(DfConfig { coordination, ..gained }).contains("only with `coordination` = feedback"));
        }
        assert!(gained.init(&net, 3).is_ok());
        let idle = DfConfig { head: Head::Common, summary: MapSummary::Pool4, ..DfConfig::default() };
        assert!(wrong(idle).contains("`summary`"));
        let rule = |coordination| DfConfig { coordination, ..DfConfig::default() }.init(&net, 3).unwrap();
        let (anchors, hidden, output) = (2 * 16 * 4, 16 * 16, 16 * 4);
        assert_eq!(rule(Coordination::None).cost(&net, 1).rule, 3 * anchors);
        assert_eq!(rule(Coordination::Feedback).cost(&net, 1).rule, 3 * anchors + hidden + output);
        assert_eq!(rule(Coordination::Overlap).cost(&net, 1).rule, 3 * anchors + 3 * (hidden + output));
        let df = rule(Coordination::Feedback);
        assert_eq!((df.fixed_values(&net), df.learned_values()), ((hidden + output) as usize, anchors as usize));
    }

    #[test]
    fn repeats_resumes_and_learns() {
        for rule in [NONE, OVERLAP, FEEDBACK] {
            laws::repeats(|| laws::small_mlp(3), rule);
            laws::resumes(|| laws::small_mlp(3), rule);
            laws::learns(|| laws::small_mlp(2), rule, 160);
            laws::learns(laws::small_cnn, rule, 60);
            laws::learns(|| laws::small_vit(true), rule, 60);
        }
    }
}
