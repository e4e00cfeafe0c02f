//! The paper's convolutional networks (Table A5): 3x3 convolutions, ReLU, 2x2 max pooling, then dense layers.

use super::Network;
use crate::error::{Error, Result};
use crate::layer::{Activation, Conv, Dense};
use crate::rng::{Purpose, Stream};
use burn::tensor::Device;

/// A convolutional plan: channels of each convolution, whether pooling follows, and widths of dense hidden layers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Channels and pooling of each convolution.
    pub convs: Vec<(usize, bool)>,
    /// Widths of the hidden dense layers before the classifier.
    pub dense: Vec<usize>,
}

impl Plan {
    /// Row `1..=4` of Table A5.
    pub fn table_a5(row: usize) -> Self {
        let vgg = |tail: &[(usize, bool)], dense: &[usize]| Plan {
            convs: [&[(64, true), (128, true), (256, false), (256, true), (512, true)], tail].concat(),
            dense: dense.to_vec(),
        };
        match row {
            1 => vgg(&[], &[]),
            2 => Plan {
                convs: vec![
                    (256, true),
                    (512, true),
                    (512, false),
                    (1024, true),
                    (1024, true),
                    (1024, false),
                    (1024, false),
                ],
                dense: vec![2048],
            },
            3 => vgg(&[(512, false), (1024, false)], &[]),
            _ => vgg(&[(512, false), (1024, false)], &[4096]),
        }
    }

    /// The plan with its first layer `width` channels wide and every other layer scaled alike.
    #[must_use]
    pub fn with_width(mut self, width: usize) -> Self {
        let base = self.convs[0].0;
        let scaled = |n: usize| (n * width / base).max(1);
        self.convs.iter_mut().for_each(|(channels, _)| *channels = scaled(*channels));
        self.dense.iter_mut().for_each(|n| *n = scaled(*n));
        self
    }

    /// The plan with `depth` convolutions: the first ones, or the last one repeated without pooling.
    #[must_use]
    pub fn with_depth(mut self, depth: usize) -> Self {
        let last = self.convs[self.convs.len() - 1].0;
        self.convs.resize(depth, (last, false));
        self
    }
}

/// Builds `plan` for images `[c, h, w]`.
pub fn cnn(
    [mut c, mut h, mut w]: [usize; 3],
    plan: &Plan,
    classes: usize,
    (norm, dropout): (bool, f64),
    seed: u64,
    device: &Device,
) -> Result<Network> {
    let mut builder = Network::builder();
    let mut index = 0u64;
    let mut next = || {
        index += 1;
        Stream::new(seed, Purpose::Weights, &[index - 1])
    };
    let [height, width] = [h, w];
    for &(channels, pool) in &plan.convs {
        if pool && (h < 2 || w < 2) {
            let pools = plan.convs.iter().filter(|(_, pool)| *pool).count();
            let side = 1usize << pools;
            let reason = format!("this network pools {pools} times and needs images of at least {side}x{side}");
            return Err(Error::setting("input", format!("{height}x{width}"), reason));
        }
        builder = builder.layer(Conv::new([c, h, w], channels, 3, pool, norm, &mut next(), device));
        (c, h, w) = if pool { (channels, h / 2, w / 2) } else { (channels, h, w) };
    }
    let mut n = c * h * w;
    for &m in &plan.dense {
        builder = builder.layer(Dense::new(n, m, Activation::Relu, dropout, &mut next(), device));
        n = m;
    }
    builder.layer(Dense::new(n, classes, Activation::None, 0.0, &mut next(), device)).build(device)
}
