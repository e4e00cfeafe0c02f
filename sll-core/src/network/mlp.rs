//! The paper's multi-layer perceptrons (appendix A.4.3): `depth` hidden ReLU layers of `width`, dropout after each.

use super::Network;
use crate::error::Result;
use crate::layer::{Activation, Dense};
use crate::rng::{Purpose, Stream};
use burn::tensor::Device;

/// `inputs - width x depth - classes`.
///
/// # Errors
/// Those of [`NetworkBuilder::build`](super::NetworkBuilder::build).
pub fn mlp(
    inputs: usize,
    (width, depth): (usize, usize),
    classes: usize,
    (activation, dropout): (Activation, f64),
    seed: u64,
    device: &Device,
) -> Result<Network> {
    let mut builder = Network::builder();
    let mut n = inputs;
    for layer in 0..depth {
        let mut stream = Stream::new(seed, Purpose::Weights, &[layer as u64]);
        builder = builder.layer(Dense::new(n, width, activation, dropout, &mut stream, device));
        n = width;
    }
    let mut stream = Stream::new(seed, Purpose::Weights, &[depth as u64]);
    builder.layer(Dense::new(n, classes, Activation::None, 0.0, &mut stream, device)).build(device)
}
