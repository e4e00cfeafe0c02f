//! What local rules share: each unit is trained at once by an objective on its own output, and then forgotten.
//!
//! ```text
//! h_l = f_l(sg(h_{l-1})),   dh_l = ∂L_l/∂h_l,   update unit l,   go on with sg(h_l)
//! ```
//!
//! The last unit ends in the network's classifier and is trained by the network's loss, cross-entropy if nothing else
//! is said. One unit's activations are held at a time, and layer `l`'s update depends on nothing above it.

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};
use sll_core::chain::{Chain, Handed, Link, in_order};
use sll_core::learned::Part;
use sll_core::memory::MemoryUse;
use sll_core::model::{LocalUnit, Pattern};
use sll_core::op::inject;
use sll_core::optim::{OptimizerConfig, Updater};
use sll_core::rule::{Batch, LearningRule, StepCost, StepReport};
use sll_core::summary::MapSummary;
use sll_core::{Cut, Error, Network, Pass, Result, Shape};
use std::ops::Range;

/// Whose local head an objective reads a unit by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Head {
    /// The one of the rule's authors.
    #[default]
    Authors,
    /// The same for all rules: the unit's whole output, as SLL reads it.
    Common,
}

impl Head {
    /// Whether it is the rule's own.
    pub fn is_authors(self) -> bool {
        self == Self::Authors
    }

    /// What it is given of `unit`: what [`inside`] says, or the unit's whole output.
    pub fn shape(self, net: &Network, unit: &Range<usize>) -> Shape {
        if self.is_authors() { inside(net, unit) } else { net.output_of(unit.end - 1) }
    }

    /// How maps are summarised: as `authors` do, or not at all.
    pub fn summary(self, authors: MapSummary) -> MapSummary {
        if self.is_authors() { authors } else { MapSummary::Flatten }
    }

    /// Refuses a `summary` that is not `default`, which the common head would not look at.
    ///
    /// # Errors
    /// [`Error::Setting`] if this is the common head and `summary` is another.
    pub fn check_summary<S: PartialEq + std::fmt::Debug>(self, summary: S, default: S) -> Result<()> {
        match self {
            Head::Authors => Ok(()),
            Head::Common => Error::check_idle("summary", summary, default, "with `head` = authors"),
        }
    }

    /// A rule's name in tables with this head.
    pub fn titled(self, title: &str) -> String {
        if self.is_authors() { title.into() } else { format!("{title}, common head") }
    }
}

/// What an objective that sees inside is given of `unit`: the shape before pooling, or of a unit that has no stages its
/// output's.
pub fn inside(net: &Network, unit: &Range<usize>) -> Shape {
    let stages = if unit.len() == 1 { net.stages(unit.start) } else { None };
    stages.map_or(net.output_of(unit.end - 1), |stages| stages.pre_activation_shape())
}

/// The signal `dL_l/dh_l [b, n_l]` (batch mean) of one unit's output `h_l [b, n_l]`. A head of its own that the
/// objective learns is moved here. Of the batch all holds but `x`, in whose place `h_l` is given.
pub type UnitObjective<'a> = Box<dyn FnMut(Tensor<2>, &Batch, &mut Updater) -> Tensor<2> + Send + 'a>;

/// The objective of the units below the last one.
///
/// ```
/// use baselines::local::{Local, Objective, UnitObjective};
/// use burn::tensor::{Device, Tensor};
/// use sll_core::optim::{OptimizerConfig, Updater};
/// use sll_core::rule::{Batch, LearningRule};
/// use sll_core::NetworkSpec;
///
/// /// Small outputs: `L_l = |h_l|² / 2`, so `dh_l = h_l / b`. (`examples/own_rule` learns something.)
/// struct Small;
///
/// impl Objective for Small {
///     fn units(&mut self) -> Vec<UnitObjective<'_>> {
///         let small = |h: Tensor<2>, batch: &Batch, _: &mut Updater| h * batch.share();
///         vec![Box::new(small), Box::new(small)]
///     }
///
///     fn macs(&self, _batch: usize) -> u64 {
///         0
///     }
/// }
///
/// let device = Device::flex();
/// let mut net = NetworkSpec { width: Some(8), ..NetworkSpec::named("mlp-2x800") }.build([1, 2, 2], 3, 0, &device)?;
/// let mut rule = Local::new(&net, Small)?;
/// let before = net.params();
/// let mut updater = OptimizerConfig::default().init()?;
/// updater.set_lr(0.1);
/// rule.step(&mut net, &Batch::new(Tensor::ones([2, 4], &device), vec![0, 2], 0), &mut updater)?;
/// assert!(net.params().iter().zip(&before).all(|(now, before)| now != before));
/// # Ok::<(), sll_core::Error>(())
/// ```
pub trait Objective: Send {
    /// The objectives of all units but the last, from the lowest on, each with what is kept for its unit alone: units
    /// may be trained at once, on different batches.
    fn units(&mut self) -> Vec<UnitObjective<'_>>;

    /// Whether it is given what a unit's activation gives, before dropout and pooling (see [`inside`]), in place of the
    /// unit's output.
    fn sees_inside(&self) -> bool {
        false
    }

    /// Logits `[b, K]` of a unit's own posterior; `None` where it has none.
    fn logits(&self, _unit: usize, _h: Tensor<2>) -> Option<Tensor<2>> {
        None
    }

    /// MACs per sample of all heads, both ways, without the units' own, in a batch of `batch` samples.
    fn macs(&self, batch: usize) -> u64;

    /// Values that the head of each unit but the last holds at the most while it makes the signal of `batch` samples,
    /// beside matrices `[b, K]`; `None` where that is not known.
    fn temporaries(&self, _batch: usize) -> Option<Vec<usize>> {
        None
    }

    /// See [`LearningRule::parts`].
    fn parts(&self) -> Vec<Part<'_>> {
        Vec::new()
    }

    /// See [`LearningRule::load`].
    ///
    /// # Errors
    /// If the parts are not those of this objective.
    fn load(&mut self, record: Vec<Vec<u8>>) -> Result<()> {
        sll_core::learned::load_all::<sll_core::learned::Matrix>([], record)
    }
}

/// A rule made of an [`Objective`].
pub struct Local<O> {
    units: Vec<Range<usize>>,
    objective: O,
}

impl<O: Objective> Local<O> {
    /// Cuts `net` at every layer.
    ///
    /// # Errors
    /// Those of [`Network::units`].
    pub fn new(net: &Network, objective: O) -> Result<Self> {
        Ok(Self { units: net.units(Cut::EveryLayer)?, objective })
    }

    fn links(&mut self) -> Chain<'_> {
        let (inside, last) = (self.objective.sees_inside(), self.units.len() - 1);
        let hidden = self.units[..last].iter().cloned().zip(self.objective.units());
        let trained =
            hidden.map(|(unit, objective)| -> Box<dyn Link> { Box::new(Trained { unit, inside, objective }) });
        trained.chain([Box::new(Classifier(self.units[last].clone())) as Box<dyn Link>]).collect()
    }

    /// The objective.
    pub fn objective(&self) -> &O {
        &self.objective
    }

    /// The objective, for another rule that builds on it.
    pub fn into_objective(self) -> O {
        self.objective
    }

    /// The objective.
    pub fn objective_mut(&mut self) -> &mut O {
        &mut self.objective
    }
}

/// What an objective is given of `unit`, inside of it if that is asked for and there is such a place, and whether
/// something is left to do until it is the unit's output.
fn run(net: &Network, unit: &Range<usize>, inside: bool, x: Tensor<2>, pass: &Pass) -> (Tensor<2>, bool) {
    let inside = inside && unit.len() == 1;
    let response = if inside { net.respond(unit.start, x.clone(), pass) } else { None };
    match response {
        Some(h) => (h, true),
        None => (net.forward_range(unit.clone(), x, pass), false),
    }
}

/// One unit below the last, with its objective.
struct Trained<'a> {
    unit: Range<usize>,
    inside: bool,
    objective: UnitObjective<'a>,
}

impl Link for Trained<'_> {
    fn layers(&self) -> Range<usize> {
        self.unit.clone()
    }

    fn step(&mut self, mut handed: Handed, net: &mut Network, updater: &mut Updater) -> Result<Handed> {
        let pass = handed.batch.pass();
        let batch = &mut handed.batch;
        let (output, open) = run(net, &self.unit, self.inside, Tensor::from_inner(batch.x.clone()), &pass);
        batch.x = output.clone().inner();
        let signal = (self.objective)(batch.x.clone(), batch, updater);
        updater.step(net, self.unit.clone(), inject(output, signal));
        if open {
            batch.x = net.pass_on(self.unit.start, batch.x.clone(), &pass);
        }
        Ok(handed)
    }
}

/// The unit that ends in the network's classifier, trained by [`train_classifier`].
pub struct Classifier(pub Range<usize>);

impl Link for Classifier {
    fn layers(&self) -> Range<usize> {
        self.0.clone()
    }

    fn step(&mut self, mut handed: Handed, net: &mut Network, updater: &mut Updater) -> Result<Handed> {
        let batch = &handed.batch;
        handed.loss = Some(train_classifier(net, self.0.clone(), batch.x.clone(), batch, updater));
        Ok(handed)
    }
}

impl<O: Objective> LearningRule for Local<O> {
    fn step(&mut self, net: &mut Network, batch: &Batch, updater: &mut Updater) -> Result<StepReport> {
        in_order(self.links(), net, batch, updater)
    }

    fn chain(&mut self) -> Option<Chain<'_>> {
        Some(self.links())
    }

    fn unit_logits(&self, net: &Network, x: Tensor<2>) -> Vec<Tensor<2>> {
        let mut h = x;
        let mut logits = Vec::new();
        for (index, unit) in self.units.iter().enumerate() {
            if index + 1 == self.units.len() {
                logits.push(net.forward_range(unit.clone(), h, &Pass::Eval));
                break;
            }
            let (seen, open) = run(net, unit, self.objective.sees_inside(), h, &Pass::Eval);
            logits.extend(self.objective.logits(index, seen.clone()));
            h = if open { net.pass_on(unit.start, seen, &Pass::Eval) } else { seen };
        }
        if logits.len() == self.units.len() { logits } else { Vec::new() }
    }

    fn cut(&self) -> Cut {
        Cut::EveryLayer
    }

    fn cost(&self, net: &Network, batch: usize) -> StepCost {
        StepCost { rule: self.objective.macs(batch), ..StepCost::of_units(net, &self.units) }
    }

    fn memory(&self, net: &Network, batch: usize, optimizer: &OptimizerConfig) -> Option<MemoryUse> {
        let heads = self.objective.temporaries(batch)?.into_iter().chain([0]);
        let units = self
            .units
            .iter()
            .zip(heads)
            .map(|(unit, head)| LocalUnit { segments: vec![unit.clone()], head: head as u64 });
        let values = (self.fixed_values(net), self.learned_values());
        MemoryUse::of(net, batch, optimizer, &Pattern::Local(units.collect()), values)
    }

    fn parts(&self) -> Vec<Part<'_>> {
        self.objective.parts()
    }

    fn load(&mut self, record: Vec<Vec<u8>>) -> Result<()> {
        self.objective.load(record)
    }
}

/// Trains the unit that ends in the network's classifier by the network's loss on the detached input `h`; gives the
/// loss.
pub fn train_classifier(
    net: &mut Network,
    unit: Range<usize>,
    h: Tensor<2>,
    batch: &Batch,
    updater: &mut Updater,
) -> Tensor<1> {
    let output = net.forward_range(unit.clone(), Tensor::from_inner(h), &batch.pass());
    let logits = output.clone().inner();
    let targets = batch.targets(net.classes(), &logits.device());
    let (loss, error) = net.loss().evaluate(logits, targets);
    updater.step(net, unit, inject(output, error * batch.share()));
    loss.mean()
}
