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

mod codes;
mod config;

pub use codes::Codes;
pub use config::{Parent, SllConfig};

use crate::error::Result;
use crate::learned::load_all;
use crate::memory::{LocalUnit, MemoryUse, Pattern};
use crate::named::Part;
use crate::network::{Cut, Network};
use crate::op::Product;
use crate::optim::{OptimizerConfig, Updater};
use crate::output::OutputLoss;
use crate::projection::{Projection, ProjectionConfig};
use crate::rule::{Batch, LearningRule, StepCost, StepReport, UnitLoss};
use crate::segments::Segments;
use crate::summary::Summary;
use burn::tensor::Tensor;
use codes::Labels;
use std::ops::Range;

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
    /// Of the units below the output.
    labels: Labels,
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
    /// Builds the rule for `net`; projections are drawn from `projection_seed`, or from `seed`.
    ///
    /// # Errors
    /// If a setting is out of its range, or the network cannot be cut into as many units.
    pub fn init(&self, net: &Network, seed: u64) -> Result<Sll> {
        OutputLoss::only_cross_entropy(net, "SLL")?;
        let classes = net.classes();
        let (projection, codes) = (self.validate(classes)?, self.number_of_codes(classes));
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
        let labels = Labels::new(self.codes, classes, codes, seed, &net.device().clone().inner());
        Ok(Sll { config: *self, units, segments, heads, input_head, labels })
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
        net.accept(batch)?;
        let last = self.units.len() - 1;
        let scale = batch.share();
        let mut losses = Vec::with_capacity(self.units.len());
        let mut x = plain(batch.x.clone());
        let mut parent = self.parent_of_input(batch);
        let mut waiting: Option<Pending> = None;

        for unit in 0..self.units.len() {
            let output = Segments::forward(net, &self.segments[unit], x, batch);
            x = output.output();
            let Projected { logits, matrix, parent: handed_on } = self.project(unit, x.clone(), batch.seed);
            let labels = if unit < last { &self.labels } else { &Labels::First };
            let (loss, log_q, mut signal) = labels.cross_entropy(logits, batch);
            if unit < last && self.config.likelihood_weight != 1.0 {
                signal = signal * self.config.likelihood_weight;
            }
            let mut divergence = None;
            if let (true, Some(log_p)) = (self.is_aligned(unit), parent.take()) {
                let weight = self.config.align_weight;
                let (value, child) = match &mut waiting {
                    Some(parent) => {
                        let diverged = self.config.divergence.evaluate(log_p, log_q.clone());
                        parent.from_child = Some(diverged.parent * (weight * scale));
                        (diverged.value, diverged.child)
                    }
                    None => self.config.divergence.of_child(log_p, log_q.clone()),
                };
                signal = signal + if weight == 1.0 { child } else { child * weight };
                divergence = Some(value.mean());
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
                Some((summary, projection)) => {
                    self.labels.of_classes(summary.forward(h.clone()).product(projection.clean()))
                }
                None => h.clone(),
            });
        }
        logits
    }

    fn cut(&self) -> Cut {
        self.config.cut()
    }

    fn cost(&self, net: &Network, _batch: usize) -> StepCost {
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

    fn memory(&self, net: &Network, batch: usize, optimizer: &OptimizerConfig) -> Option<MemoryUse> {
        // An open parent waits for its child; wide codes and noisy matrices are temporaries that are not followed.
        let SllConfig { stop_gradient, projection_dropout, regenerate, codes, .. } = self.config;
        let plain = stop_gradient && projection_dropout == 0.0 && !regenerate && codes.is_usual();
        let values = (self.fixed_values(net), self.learned_values());
        let pattern = Pattern::Local(self.segments.iter().cloned().map(LocalUnit::new).collect());
        plain.then(|| MemoryUse::of(net, batch, optimizer, &pattern, values)).flatten()
    }

    fn parts(&self) -> Vec<Part<'_>> {
        let heads = self.heads.iter().enumerate().map(|(unit, (_, r))| (format!("projections.{unit}"), r));
        let input = self.input_head.iter().map(|r| ("projections.input".to_string(), r));
        heads.chain(input).filter_map(|(name, r)| r.part(name)).collect()
    }

    fn load(&mut self, record: Vec<Vec<u8>>) -> Result<()> {
        load_all(self.heads.iter_mut().filter_map(|(_, r)| r.learned_mut()), record)
    }
}

fn plain(x: Tensor<2>) -> Tensor<2> {
    if x.is_autodiff() { x.inner() } else { x }
}
