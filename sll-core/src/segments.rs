//! A run of layers trained by backpropagation of which only each segment's input is kept (Chen, Xu, Zhang & Guestrin
//! 2016): the backward pass runs a segment again before it differentiates it. One segment is ordinary backpropagation.

use crate::network::Network;
use crate::op::inject;
use crate::optim::Updater;
use crate::rule::Batch;
use burn::tensor::Tensor;
use std::ops::Range;

/// Segments that have run forward and wait for the signal at their output.
pub struct Segments {
    ranges: Vec<Range<usize>>,
    /// Plain inputs of all segments but the last.
    inputs: Vec<Tensor<2>>,
    /// Input and output of the last segment, with their graph.
    last: (Tensor<2>, Tensor<2>),
}

impl Segments {
    /// Runs `ranges`, which follow on each other, on the plain `x [b, features]` in the batch's training pass.
    ///
    /// # Panics
    /// If there is no range.
    pub fn forward(net: &Network, ranges: &[Range<usize>], x: Tensor<2>, batch: &Batch) -> Self {
        let (last, before) = ranges.split_last().expect("at least one segment");
        let (mut inputs, mut x) = (Vec::with_capacity(before.len()), x);
        for range in before {
            let output = net.forward_plain(range.clone(), x.clone(), &batch.pass());
            inputs.push(std::mem::replace(&mut x, output));
        }
        let input = tracked(x, !before.is_empty());
        let output = net.forward_range(last.clone(), input.clone(), &batch.pass());
        Self { ranges: ranges.to_vec(), inputs, last: (input, output) }
    }

    /// The output of the last segment, without its graph.
    pub fn output(&self) -> Tensor<2> {
        self.last.1.clone().inner()
    }

    /// Differentiates the segments, from the last to the first, with `signal` as the gradient at the output, and moves
    /// each before the one below it runs again. Everything they held is gone when this returns.
    pub fn train(self, signal: Tensor<2>, net: &mut Network, batch: &Batch, updater: &mut Updater) {
        let Self { ranges, mut inputs, last: (input, output) } = self;
        let mut signal = step(ranges[ranges.len() - 1].clone(), input, output, signal, net, updater);
        for range in ranges[..ranges.len() - 1].iter().rev() {
            let (Some(x), Some(down)) = (inputs.pop(), signal.take()) else { break };
            let input = tracked(x, !inputs.is_empty());
            let output = net.forward_range(range.clone(), input.clone(), &batch.replay());
            signal = step(range.clone(), input, output, down, net, updater);
        }
    }
}

/// A plain `x` on the training device, with a gradient if `needed`.
fn tracked(x: Tensor<2>, needed: bool) -> Tensor<2> {
    let x = Tensor::from_inner(x);
    if needed { x.require_grad() } else { x }
}

/// Moves one segment and gives the signal at its input, if that has a gradient.
fn step(
    range: Range<usize>,
    input: Tensor<2>,
    output: Tensor<2>,
    signal: Tensor<2>,
    net: &mut Network,
    updater: &mut Updater,
) -> Option<Tensor<2>> {
    let mut grads = inject(output, signal);
    let down = input.grad_remove(&mut grads);
    drop(input);
    updater.step(net, range, grads);
    down
}
