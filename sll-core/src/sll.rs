//! Stochastic Layer-wise Learning, SLL and SLLi+ (the paper, sections 3.3 and 5.3).
//!
//! For unit `l` with output `h_l` (trained by backpropagation inside, `h_{l-1}` detached):
//!
//! ```text
//! v_l = R~_l S h_l,   q_l = softmax(v_l),   p_l = sg(q_{l-1})        R~ = R (.) M, R fixed, M multiplicative dropout
//! L_l = CE(q_l, y) + a D(p_l, q_l)
//! dv  = (q - y)/B + a ∂D/∂v /B,   dh = Sᵀ R~ᵀ dv
//! ```
//!
//! The last unit ends in the trainable classifier: `R = I`, cross-entropy alone. SLL makes every layer a unit, SLLi+
//! cuts the network into `i` units, and with one unit nothing is left but backpropagation.

use crate::divergence::{Divergence, cross_entropy};
use crate::error::{Error, Result};
use crate::learned::{Learned, load_all, record_all};
use crate::memory::{LocalUnit, MemoryModel, Pattern};
use crate::network::{Cut, Network};
use crate::op::Product;
use crate::optim::{OptimizerConfig, Updater};
use crate::projection::{Projection, ProjectionConfig, ProjectionLaw};
use crate::rule::{Batch, LearningRule, StepCost, StepReport, UnitLoss};
use crate::segments::Segments;
use crate::summary::{MapSummary, Summary};
use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// Which draw of the parent's projection mask its cached posterior carries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Parent {
    /// The posterior the parent was trained with, noise included: costs nothing.
    #[default]
    Reuse,
    /// A noiseless one: one more projection a unit.
    Clean,
}

/// Settings of SLL. Defaults are the paper's choices, or where its text leaves one open, ours.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SllConfig {
    /// Number of units of SLLi+; every layer is a unit when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub units: Option<usize>,
    /// Law of the fixed projections.
    pub projection: ProjectionLaw,
    /// Factor on the projections, the inverse temperature of the local posteriors.
    pub projection_gain: f64,
    /// Codes `d_o`; the number of classes when absent (paper, section 3.3). Codes beyond the classes are no labels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub projection_dim: Option<usize>,
    /// Probability of zeroing an entry of a projection in a step. The paper names the noise and gives no rate.
    pub projection_dropout: f64,
    /// Seed of the projections; the run's seed when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub projection_seed: Option<u64>,
    /// Divergence between neighbouring posteriors.
    pub divergence: Divergence,
    /// Weight `a` of the divergence; 0 leaves random-head cross-entropy.
    pub align_weight: f64,
    /// Weight of the hidden units' cross-entropy; 0 leaves alignment alone, with the label at the output only. (Unit 1 is
    /// then trained only if it is aligned.)
    #[serde(skip_serializing_if = "is_one")]
    pub likelihood_weight: f64,
    /// Whether projections are trained by their units' objectives instead of staying as drawn.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub learn_projection: bool,
    /// Whether the parent's posterior is a constant. If not, the divergence also trains the parent unit, which must
    /// then be held until its child has run: two units at a time in memory.
    pub stop_gradient: bool,
    /// First unit that is aligned with its parent, counted from 1; 1 projects the raw input as unit 1's parent.
    pub first_aligned: usize,
    /// Whether the output unit is aligned with its parent too (needs `d_o = K`).
    pub align_head: bool,
    /// Noise on the parent's posterior.
    pub parent: Parent,
    /// How feature maps become vectors.
    pub summary: MapSummary,
    /// Keep only the inputs of a unit's layers and run each again on the way back: one map a layer of the unit in memory, and
    /// the inside of one layer at a time, for one more forward pass (less the last layers').
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub recompute: bool,
    /// Draw projections from their seed whenever they are used, in place of keeping them.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub regenerate: bool,
}

impl Default for SllConfig {
    fn default() -> Self {
        Self {
            units: None,
            projection: ProjectionLaw::FanInNormal,
            projection_gain: 1.0,
            projection_dim: None,
            projection_dropout: 0.0,
            projection_seed: None,
            divergence: Divergence::Neg2LogBc,
            align_weight: 1.0,
            likelihood_weight: 1.0,
            learn_projection: false,
            stop_gradient: true,
            first_aligned: 2,
            align_head: false,
            parent: Parent::Reuse,
            summary: MapSummary::Flatten,
            recompute: false,
            regenerate: false,
        }
    }
}

/// The rule, built for one network.
pub struct Sll {
    config: SllConfig,
    units: Vec<Range<usize>>,
    /// What of each unit is differentiated at once.
    segments: Vec<Vec<Range<usize>>>,
    /// One for each unit but the last.
    heads: Vec<(Summary, Projection)>,
    /// The projection of the raw input, where unit 1 is aligned.
    input_head: Option<Projection>,
}

/// A unit that has run and waits for its signal.
struct Pending {
    unit: usize,
    output: Segments,
    /// `dv`, `[b, codes]`.
    signal: Tensor<2>,
    /// The matrix that made the logits of `signal`.
    matrix: Option<Tensor<2>>,
    /// Without stop-gradient: the child's gradient at the logits of the posterior that was handed on.
    from_child: Option<Tensor<2>>,
}

/// What a unit's head makes of its output.
struct Projected {
    logits: Tensor<2>,
    matrix: Option<Tensor<2>>,
    /// Logits of the posterior to hand on, where it is not the one trained with.
    parent: Option<Tensor<2>>,
}

impl SllConfig {
    /// Where the network is cut.
    pub fn cut(&self) -> Cut {
        self.units.map_or(Cut::EveryLayer, Cut::Units)
    }

    fn codes(&self, classes: usize) -> usize {
        self.projection_dim.unwrap_or(classes)
    }

    fn validate(&self, classes: usize) -> Result<ProjectionConfig> {
        let projection = ProjectionConfig {
            law: self.projection,
            gain: self.projection_gain,
            dropout: self.projection_dropout,
            learned: self.learn_projection,
            regenerated: self.regenerate,
        };
        projection.validate()?;
        if self.codes(classes) < classes {
            let reason = format!("must be at least the number of classes, {classes}");
            return Err(Error::setting("projection_dim", self.codes(classes), reason));
        }
        if !(self.align_weight.is_finite() && self.align_weight >= 0.0) {
            return Err(Error::setting("align_weight", self.align_weight, "must be 0 or positive (default 1)"));
        }
        if !(self.likelihood_weight.is_finite() && self.likelihood_weight >= 0.0) {
            let reason = "must be 0 or positive (default 1)";
            return Err(Error::setting("likelihood_weight", self.likelihood_weight, reason));
        }
        if self.likelihood_weight == 0.0 && self.align_weight == 0.0 {
            let reason = "nothing would train the hidden units; give one of it and align_weight a positive value";
            return Err(Error::setting("likelihood_weight", 0, reason));
        }
        if self.learn_projection && self.regenerate {
            let reason = "a learned projection has to be kept; leave one of it and learn_projection out";
            return Err(Error::setting("regenerate", true, reason));
        }
        if self.first_aligned == 0 {
            return Err(Error::setting("first_aligned", 0, "units are counted from 1; 1 aligns with the raw input"));
        }
        if self.align_head && self.codes(classes) != classes {
            let reason = format!("needs projection_dim = {classes}, the number of classes");
            return Err(Error::setting("align_head", true, reason));
        }
        Ok(projection)
    }

    /// Builds the rule for `net`; projections are drawn from `projection_seed`, or from `seed`.
    pub fn init(&self, net: &Network, seed: u64) -> Result<Sll> {
        let classes = net.classes();
        let (projection, codes) = (self.validate(classes)?, self.codes(classes));
        let (units, seed) = (net.units(self.cut())?, self.projection_seed.unwrap_or(seed));
        let heads = units[..units.len() - 1].iter().enumerate().map(|(index, unit)| {
            let summary = Summary::new(net.output_of(unit.end - 1), self.summary);
            (summary, projection.init(summary.len(), codes, seed, index + 1, net.device()))
        });
        let heads = heads.collect();
        // Raw pixels' code trains no unit of its own: it stays fixed.
        let projection = ProjectionConfig { learned: false, ..projection };
        let input_head = (self.first_aligned == 1 && self.align_weight > 0.0 && units.len() > 1)
            .then(|| projection.init(net.input().len(), codes, seed, 0, net.device()));
        let places = net.units(Cut::EveryLayer)?;
        let segments = units.iter().map(|unit| match self.recompute {
            true => places.iter().filter(|place| unit.contains(&place.start)).cloned().collect(),
            false => vec![unit.clone()],
        });
        let segments = segments.collect();
        Ok(Sll { config: *self, units, segments, heads, input_head })
    }
}

impl Sll {
    /// The units, as ranges of layers.
    pub fn units(&self) -> &[Range<usize>] {
        &self.units
    }

    /// The fixed matrix of each unit but the last, `[n, d_o]` row by row.
    pub fn projections(&self) -> Vec<Vec<f32>> {
        let values = |r: &Projection| r.clean().into_data().try_to_vec::<f32>().expect("projections are f32");
        self.heads.iter().map(|(_, r)| values(r)).collect()
    }

    fn is_aligned(&self, unit: usize) -> bool {
        let last = unit + 1 == self.units.len();
        self.config.align_weight > 0.0 && unit + 1 >= self.config.first_aligned && (!last || self.config.align_head)
    }

    fn parent_of_input(&self, batch: &Batch) -> Option<Tensor<2>> {
        let head = self.input_head.as_ref()?;
        let x = plain(batch.x.clone());
        let matrix = if self.config.parent == Parent::Clean { head.clean() } else { head.noisy(batch.seed) };
        Some(burn::tensor::activation::log_softmax(x.product(matrix), 1))
    }

    /// Whether unit `unit` hands a noiseless posterior on, which then costs a projection of its own.
    fn hands_on_clean(&self, unit: usize) -> bool {
        let noisy = self.config.projection_dropout > 0.0;
        noisy && self.config.parent == Parent::Clean && unit + 1 < self.units.len() && self.is_aligned(unit + 1)
    }

    fn project(&self, unit: usize, output: Tensor<2>, seed: u64) -> Projected {
        let Some((summary, projection)) = self.heads.get(unit) else {
            return Projected { logits: output, matrix: None, parent: None };
        };
        let (s, matrix) = (summary.forward(output), projection.noisy(seed));
        let parent = self.hands_on_clean(unit).then(|| s.clone().product(projection.clean()));
        Projected { logits: s.product(matrix.clone()), matrix: Some(matrix), parent }
    }

    /// Sends a unit its signal and updates it. Everything it held is gone when this returns.
    fn train(&mut self, pending: Pending, net: &mut Network, batch: &Batch, updater: &mut Updater) {
        let Pending { unit, output, signal, matrix, from_child } = pending;
        let clean = self.hands_on_clean(unit);
        let signal = match (matrix, self.heads.get_mut(unit)) {
            (Some(matrix), Some((summary, projection))) => {
                let handed_on = if clean { projection.clean() } else { matrix.clone() };
                let own = signal.clone().product(matrix.transpose());
                let ds = match from_child.clone() {
                    Some(from_child) => own + from_child.product(handed_on.transpose()),
                    None => own,
                };
                if projection.learned().is_some() {
                    // A child's gradient belongs to the logits that were handed on: the noisy ones, or clean ones.
                    let (noisy, noiseless) = match (from_child, clean) {
                        (Some(child), false) => (signal + child, None),
                        (child, _) => (signal, child),
                    };
                    let s = summary.forward(output.output());
                    projection.train(s, noisy, noiseless, batch.seed, updater);
                }
                summary.adjoint(ds)
            }
            _ => signal,
        };
        output.train(signal, net, batch, updater);
    }
}

impl LearningRule for Sll {
    fn step(&mut self, net: &mut Network, batch: &Batch, updater: &mut Updater) -> Result<StepReport> {
        batch.check(net.classes())?;
        let last = self.units.len() - 1;
        let scale = 1.0 / batch.len() as f64;
        let mut losses = Vec::with_capacity(self.units.len());
        let mut x = plain(batch.x.clone());
        let mut parent = self.parent_of_input(batch);
        let mut waiting: Option<Pending> = None;

        for unit in 0..self.units.len() {
            let output = Segments::forward(net, &self.segments[unit], x, batch);
            x = output.output();
            let Projected { logits, matrix, parent: handed_on } = self.project(unit, x.clone(), batch.seed);
            let targets = batch.targets(logits.dims()[1], &logits.device());
            let (loss, log_q, mut signal) = cross_entropy(logits, targets);
            if unit < last && self.config.likelihood_weight != 1.0 {
                signal = signal * self.config.likelihood_weight;
            }
            let mut divergence = None;
            if let (true, Some(log_p)) = (self.is_aligned(unit), parent.take()) {
                let diverged = self.config.divergence.evaluate(log_p, log_q.clone());
                signal = signal + diverged.child * self.config.align_weight;
                divergence = Some(diverged.value.mean());
                if let Some(parent) = &mut waiting {
                    parent.from_child = Some(diverged.parent * (self.config.align_weight * scale));
                }
            }
            losses.push(UnitLoss { cross_entropy: loss.mean(), divergence });
            let posterior = handed_on.map(|v| burn::tensor::activation::log_softmax(v, 1));
            parent = (unit < last).then(|| posterior.unwrap_or(log_q));
            if let Some(previous) = waiting.take() {
                self.train(previous, net, batch, updater);
            }
            let pending = Pending { unit, output, signal: signal * scale, matrix, from_child: None };
            if self.config.stop_gradient || unit == last {
                self.train(pending, net, batch, updater);
            } else {
                waiting = Some(pending);
            }
        }
        let loss = losses[last].cross_entropy.clone();
        Ok(StepReport { loss, units: losses })
    }

    fn unit_logits(&self, net: &Network, x: Tensor<2>) -> Vec<Tensor<2>> {
        let mut h = x;
        let mut logits = Vec::with_capacity(self.units.len());
        for (unit, range) in self.units.iter().enumerate() {
            h = net.forward_range(range.clone(), h, &crate::pass::Pass::Eval);
            logits.push(match self.heads.get(unit) {
                Some((summary, projection)) => summary.forward(h.clone()).product(projection.clean()),
                None => h.clone(),
            });
        }
        logits
    }

    fn cut(&self) -> Cut {
        self.config.cut()
    }

    fn cost(&self, net: &Network) -> StepCost {
        // Per head the projection and its way back; one more each for a noiseless posterior and for a child's gradient.
        let heads = self.heads.iter().enumerate().map(|(unit, (_, r))| {
            let to_child = !self.config.stop_gradient && self.is_aligned(unit + 1);
            let learned = usize::from(r.learned().is_some());
            let clean = usize::from(self.hands_on_clean(unit));
            let child = usize::from(to_child) * (1 + learned * clean);
            (2 + learned + clean + child) * r.features() * r.codes()
        });
        let input = self.input_head.iter().map(|r| r.features() * r.codes());
        let costs = net.costs();
        let again = self.segments.iter().flat_map(|s| &s[..s.len() - 1]).flat_map(|range| &costs[range.clone()]);
        let rule = heads.chain(input).sum::<usize>() as u64 + again.map(|c| c.forward).sum::<u64>();
        StepCost { rule, ..StepCost::of_units(net, &self.units) }
    }

    fn memory(&self, net: &Network, batch: usize, optimizer: &OptimizerConfig) -> Option<MemoryModel> {
        // An open parent waits for its child; wide codes and noisy matrices are temporaries that are not followed.
        let plain = self.config.stop_gradient && self.config.projection_dropout == 0.0 && !self.config.regenerate;
        let values = (self.fixed_values(net), self.learned_values());
        let pattern = Pattern::Local(self.segments.iter().cloned().map(LocalUnit::new).collect());
        plain.then(|| MemoryModel::of(net, batch, optimizer, &pattern, values)).flatten()
    }

    fn fixed_values(&self, _net: &Network) -> usize {
        let heads = self.heads.iter().map(|(_, r)| r);
        let fixed = heads.chain(&self.input_head).filter(|r| r.is_stored());
        fixed.map(|r| r.features() * r.codes()).sum()
    }

    fn learned_values(&self) -> usize {
        self.heads.iter().filter_map(|(_, r)| r.learned()).map(Learned::num_params).sum()
    }

    fn record(&self) -> Result<Vec<Vec<u8>>> {
        record_all(self.heads.iter().filter_map(|(_, r)| r.learned()))
    }

    fn load(&mut self, record: Vec<Vec<u8>>) -> Result<()> {
        load_all(self.heads.iter_mut().filter_map(|(_, r)| r.learned_mut()), record)
    }
}

fn is_one(weight: &f64) -> bool {
    *weight == 1.0
}

fn plain(x: Tensor<2>) -> Tensor<2> {
    if x.is_autodiff() { x.inner() } else { x }
}
