//! The paper's multi-layer perceptrons (appendix A.4.3): `depth` hidden ReLU layers of `width`, dropout after each.

use super::Network;
use crate::error::{Error, Result};
use crate::layer::{Dense, Hidden, Start};
use crate::rng::{Purpose, Stream};
use burn::tensor::Device;

/// `inputs - width x depth - classes`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MlpConfig {
    /// Features of an input.
    pub inputs: usize,
    /// Units of a hidden layer.
    pub width: usize,
    /// Hidden layers.
    pub depth: usize,
    /// Classes.
    pub classes: usize,
    /// What hidden layers have in common.
    pub hidden: Hidden,
    /// What the classifier starts with.
    pub output: Start,
}

impl MlpConfig {
    /// The network, its weights drawn from `seed`.
    ///
    /// # Errors
    /// If a size is 0, and those of [`NetworkBuilder::build`](super::NetworkBuilder::build).
    pub fn init(&self, seed: u64, device: &Device) -> Result<Network> {
        let Self { inputs, width, depth, classes, hidden, output } = *self;
        if let Some((key, _)) = [("inputs", inputs), ("width", width), ("classes", classes)].iter().find(|of| of.1 == 0)
        {
            return Err(Error::setting(key, 0, "must be at least 1"));
        }
        let mut builder = Network::builder();
        let mut n = inputs;
        for layer in 0..depth {
            let mut stream = Stream::new(seed, Purpose::Weights, &[layer as u64]);
            builder = builder.layer(Dense::new(n, width, hidden, &mut stream, device));
            n = width;
        }
        let mut stream = Stream::new(seed, Purpose::Weights, &[depth as u64]);
        builder.layer(Dense::linear(n, classes, output, &mut stream, device)).build(device)
    }
}
