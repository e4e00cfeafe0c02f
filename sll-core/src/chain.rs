//! A training step as a chain of links: each trains a unit as soon as it has the unit's input, and hands on what the
//! next one needs. A rule that can be written so depends on nothing above a unit, and [`crate::pipeline`] may train its
//! units at once, on different batches.
//!
//! ```text
//! (x_l, beside_l, loss_l) -> train unit l -> (x_{l+1}, beside_{l+1}, loss_{l+1}),   x_{l+1} = sg(h_l)
//! ```
//!
//! The serial step of such a rule is its links run one after the other ([`in_order`]): the same code, so the same bits.

use crate::error::Result;
use crate::network::Network;
use crate::optim::Updater;
use crate::step::{Batch, StepReport, UnitLoss};
use burn::tensor::Tensor;
use std::ops::Range;

/// What a unit is handed by the one below it.
#[derive(Clone, Debug)]
pub struct Handed {
    /// The batch, whose `x` is the unit's input, without a graph; as many rows a sample as the rule runs.
    pub batch: Batch,
    /// What goes beside it: the posterior of the unit below, codes of the classes, a second stream of images.
    pub beside: Option<Tensor<2>>,
    /// The training loss, `[1]`, as far as it is known.
    pub loss: Option<Tensor<1>>,
    /// Objectives of the units below, in order, where the rule reports them.
    pub units: Vec<UnitLoss>,
}

impl Handed {
    /// What the first unit is handed.
    pub fn new(batch: Batch) -> Self {
        Self { batch, beside: None, loss: None, units: Vec::new() }
    }

    /// What the last unit leaves.
    ///
    /// # Panics
    /// If no link gave a loss.
    pub fn report(self) -> StepReport {
        StepReport { loss: self.loss.expect("the last link gives the loss"), units: self.units }
    }
}

/// One unit's part of a rule, with all that the rule keeps and learns for that unit.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use sll_core::chain::{Handed, Link, in_order};
/// use sll_core::divergence::cross_entropy;
/// use sll_core::op::inject;
/// use sll_core::optim::{OptimizerConfig, Updater};
/// use sll_core::rule::Batch;
/// use sll_core::{Network, NetworkSpec, Result};
/// use std::ops::Range;
///
/// /// The first K outputs of a layer are its class scores `v`: `dv = (softmax(v) - y) / b`.
/// struct Scores(Range<usize>);
///
/// impl Link for Scores {
///     fn layers(&self) -> Range<usize> {
///         self.0.clone()
///     }
///
///     fn step(&mut self, mut handed: Handed, net: &mut Network, updater: &mut Updater) -> Result<Handed> {
///         let (batch, classes) = (&handed.batch, net.classes());
///         let output = net.forward_range(self.layers(), Tensor::from_inner(batch.x.clone()), &batch.pass());
///         let h = output.clone().inner();
///         let v = h.clone().narrow(1, 0, classes);
///         let (loss, _, error) = cross_entropy(v, batch.targets(classes, &h.device()));
///         let rest = Tensor::zeros([h.dims()[0], h.dims()[1] - classes], &h.device());
///         let signal = if h.dims()[1] == classes { error } else { Tensor::cat(vec![error, rest], 1) };
///         updater.step(net, self.layers(), inject(output, signal * batch.share()));
///         (handed.batch.x, handed.loss) = (h, Some(loss.mean()));
///         Ok(handed)
///     }
/// }
///
/// let device = Device::flex();
/// let mut net = NetworkSpec { width: Some(8), ..NetworkSpec::named("mlp-2x800") }.build([1, 2, 2], 3, 0, &device)?;
/// let mut updater = OptimizerConfig::default().init()?;
/// updater.set_lr(0.1);
/// let batch = Batch::new(Tensor::ones([2, 4], &device), vec![1, 1], 0);
/// let mut loss = || {
///     let chain = (0..net.depth()).map(|layer| Box::new(Scores(layer..layer + 1)) as Box<dyn Link>);
///     Ok(in_order(chain, &mut net, &batch, &mut updater)?.loss.into_scalar::<f32>())
/// };
/// assert!(loss()? > loss()?);
/// # Ok::<(), sll_core::Error>(())
/// ```
pub trait Link: Send {
    /// The unit: the only layers that [`Link::step`] runs and moves.
    fn layers(&self) -> Range<usize>;

    /// Trains the unit on what it is handed, once, and gives what the next one is handed. Nothing of the batch is held
    /// afterwards.
    ///
    /// # Errors
    /// If the batch does not fit the unit.
    fn step(&mut self, handed: Handed, net: &mut Network, updater: &mut Updater) -> Result<Handed>;
}

/// A rule's links, from the first unit to the last; together they have every layer, each once and in order.
pub type Chain<'a> = Vec<Box<dyn Link + 'a>>;

/// One training step, link after link. Links that are made one by one leave nothing that grows with depth.
///
/// # Errors
/// If the batch does not fit the network.
pub fn in_order<'a>(
    chain: impl IntoIterator<Item = Box<dyn Link + 'a>>,
    net: &mut Network,
    batch: &Batch,
    updater: &mut Updater,
) -> Result<StepReport> {
    net.accept(batch)?;
    let step = |handed, mut link: Box<dyn Link + 'a>| link.step(handed, net, updater);
    Ok(chain.into_iter().try_fold(Handed::new(batch.clone()), step)?.report())
}
