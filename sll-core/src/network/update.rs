//! A step of the network's parameters.

use super::Network;
use crate::memory::gradients_gone;
use crate::optim::Updater;
use burn::tensor::Gradients;
use std::ops::Range;

impl Updater {
    /// Moves the layers `range` by one step, taking their gradients out of `grads` layer by layer.
    pub fn step(&mut self, net: &mut Network, range: Range<usize>, mut grads: Gradients) {
        for index in range.rev() {
            net.layers[index - net.first].update(&mut grads, self);
        }
        // Two passes through one unit make each gradient twice, and leave their sum.
        drop(grads);
        gradients_gone();
    }
}
