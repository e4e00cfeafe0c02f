//! One unit of SLL: it runs, makes its signal from its head and its parent's posterior, and is trained.

use super::codes::Labels;
use super::{Parent, SllConfig};
use crate::chain::{Handed, Link};
use crate::error::Result;
use crate::network::Network;
use crate::op::Product;
use crate::optim::Updater;
use crate::projection::Projection;
use crate::rule::{Batch, UnitLoss};
use crate::segments::Segments;
use crate::summary::Summary;
use burn::tensor::{Tensor, activation::log_softmax};
use std::ops::Range;

/// A unit with what is kept for it.
pub(super) struct Unit<'a> {
    pub config: &'a SllConfig,
    /// Of hidden units' posteriors.
    pub labels: &'a Labels,
    /// What of it is differentiated at once.
    pub segments: &'a [Range<usize>],
    /// None of the last unit, whose output are the logits.
    pub head: Option<&'a mut (Summary, Projection)>,
    /// The projection of the raw input, where the first unit is aligned.
    pub input_head: Option<&'a Projection>,
    /// How many units there are.
    pub count: usize,
    /// Whether it is aligned with its parent.
    pub aligned: bool,
    /// Whether it hands a noiseless posterior on.
    pub clean: bool,
}

/// A unit that has run and waits for its signal.
pub(super) struct Pending {
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

impl Unit<'_> {
    fn parent_of_input(&self, batch: &Batch) -> Option<Tensor<2>> {
        let head = self.input_head?;
        let matrix = if self.config.parent == Parent::Clean { head.clean() } else { head.noisy(batch.seed) };
        Some(log_softmax(batch.x.clone().product(matrix), 1))
    }

    fn project(&self, output: Tensor<2>, seed: u64) -> Projected {
        let Some((summary, projection)) = self.head.as_deref() else {
            return Projected { logits: output, matrix: None, parent: None };
        };
        let (s, matrix) = (summary.forward(output), projection.noisy(seed));
        let parent = self.clean.then(|| s.clone().product(projection.clean()));
        Projected { logits: s.product(matrix.clone()), matrix: Some(matrix), parent }
    }

    /// Runs the unit and leaves in `handed` what the next one is handed. Without stop-gradient its `parent` waits, and
    /// is given the child's gradient.
    pub fn forward(&mut self, handed: &mut Handed, net: &Network, parent: Option<&mut Pending>) -> Pending {
        if handed.batch.x.is_autodiff() {
            handed.batch.x = handed.batch.x.clone().inner();
        }
        let log_p = self.parent_of_input(&handed.batch).or_else(|| handed.beside.take());
        let batch = &mut handed.batch;
        let scale = batch.share();
        let output = Segments::forward(net, self.segments, batch.x.clone(), batch);
        batch.x = output.output();
        let Projected { logits, matrix, parent: handed_on } = self.project(batch.x.clone(), batch.seed);
        let labels = if self.head.is_some() { self.labels } else { &Labels::First };
        let (loss, log_q, mut signal) = labels.cross_entropy(logits, batch);
        if self.head.is_some() && self.config.likelihood_weight != 1.0 {
            signal = signal * self.config.likelihood_weight;
        }
        let mut divergence = None;
        if let (true, Some(log_p)) = (self.aligned, log_p) {
            let weight = self.config.align_weight;
            let (value, child) = match parent {
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
        let loss = UnitLoss { cross_entropy: loss.mean(), divergence };
        handed.loss = Some(loss.cross_entropy.clone());
        // No more room than is needed: a step's memory does not jump where a list would double.
        handed.units.reserve_exact(self.count - handed.units.len());
        handed.units.push(loss);
        let posterior = handed_on.map(|v| log_softmax(v, 1));
        handed.beside = self.head.is_some().then(|| posterior.unwrap_or(log_q));
        Pending { output, signal: signal * scale, matrix, from_child: None }
    }

    /// Sends the unit its signal and updates it. Everything it held is gone when this returns.
    pub fn train(&mut self, pending: Pending, net: &mut Network, batch: &Batch, updater: &mut Updater) {
        let Pending { output, signal, matrix, from_child } = pending;
        let signal = match (matrix, self.head.as_deref_mut()) {
            (Some(matrix), Some((summary, projection))) => {
                let handed_on = if self.clean { projection.clean() } else { matrix.clone() };
                let own = signal.clone().product(matrix.transpose());
                let ds = match from_child.clone() {
                    Some(from_child) => own + from_child.product(handed_on.transpose()),
                    None => own,
                };
                if projection.learned().is_some() {
                    // A child's gradient belongs to the logits that were handed on: the noisy ones, or clean ones.
                    let (noisy, noiseless) = match (from_child, self.clean) {
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

impl Link for Unit<'_> {
    fn layers(&self) -> Range<usize> {
        self.segments[0].start..self.segments[self.segments.len() - 1].end
    }

    fn step(&mut self, mut handed: Handed, net: &mut Network, updater: &mut Updater) -> Result<Handed> {
        let pending = self.forward(&mut handed, net, None);
        self.train(pending, net, &handed.batch, updater);
        Ok(handed)
    }
}
