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
mod unit;

pub use codes::Codes;
pub use config::{Parent, SllConfig};

use self::unit::{Pending, Unit};
use crate::chain::{Chain, Handed, Link, in_order};
use crate::error::Result;
use crate::learned::{Part, load_all};
use crate::memory::MemoryUse;
use crate::model::{LocalUnit, Pattern};
use crate::network::{Cut, Network};
use crate::op::Product;
use crate::optim::{OptimizerConfig, Updater};
use crate::projection::{Projection, ProjectionConfig};
use crate::rule::{Batch, LearningRule, StepCost, StepReport};
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

impl SllConfig {
    /// Builds the rule for `net`; projections are drawn from `projection_seed`, or from `seed`.
    ///
    /// # Errors
    /// If a setting is out of its range, or the network cannot be cut into as many units.
    pub fn init(&self, net: &Network, seed: u64) -> Result<Sll> {
        net.loss().only_cross_entropy("SLL")?;
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

    /// Whether unit `unit` hands a noiseless posterior on, which then costs a projection of its own.
    fn hands_on_clean(&self, unit: usize) -> bool {
        let noisy = self.config.projection_dropout > 0.0;
        noisy && self.config.parent == Parent::Clean && unit + 1 < self.units.len() && self.is_aligned(unit + 1)
    }

    /// Each unit with what is kept for it, made when it is asked for.
    fn trained_units(&mut self) -> impl Iterator<Item = Unit<'_>> {
        let count = self.units.len();
        let facts = |unit| (self.is_aligned(unit), self.hands_on_clean(unit));
        let facts: Vec<_> = (0..count).map(facts).collect();
        let (config, labels) = (&self.config, &self.labels);
        let heads = self.heads.iter_mut().map(Some).chain([None]);
        let inputs = [self.input_head.as_ref()].into_iter().chain(std::iter::repeat(None));
        let units = self.segments.iter().map(Vec::as_slice).zip(heads).zip(inputs).zip(facts);
        let unit = move |(((segments, head), input_head), (aligned, clean))| Unit {
            config,
            labels,
            segments,
            head,
            input_head,
            count,
            aligned,
            clean,
        };
        units.map(unit)
    }

    /// Without stop-gradient a parent waits for its child, and the step is no chain.
    fn is_chain(&self) -> bool {
        self.config.stop_gradient || self.units.len() == 1
    }
}

/// A unit as a link of the rule's chain.
fn linked<'a>(unit: Unit<'a>) -> Box<dyn Link + 'a> {
    Box::new(unit)
}

impl LearningRule for Sll {
    fn step(&mut self, net: &mut Network, batch: &Batch, updater: &mut Updater) -> Result<StepReport> {
        if self.is_chain() {
            return in_order(self.trained_units().map(linked), net, batch, updater);
        }
        net.accept(batch)?;
        let mut handed = Handed::new(batch.clone());
        let mut waiting: Option<(Unit, Pending)> = None;
        for mut unit in self.trained_units() {
            let pending = unit.forward(&mut handed, net, waiting.as_mut().map(|(_, parent)| parent));
            if let Some((mut parent, pending)) = waiting.take() {
                parent.train(pending, net, batch, updater);
            }
            match unit.head {
                Some(_) => waiting = Some((unit, pending)),
                None => unit.train(pending, net, batch, updater),
            }
        }
        Ok(handed.report())
    }

    fn chain(&mut self) -> Option<Chain<'_>> {
        self.is_chain().then(|| self.trained_units().map(linked).collect())
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
