//! The paper's convolutional networks (Table A5): 3x3 convolutions, ReLU, 2x2 max pooling, then dense layers.

use super::Network;
use crate::error::{Error, Result};
use crate::layer::{Activation, Conv, Dense, Pool};
use crate::rng::{Purpose, Stream};
use crate::{layer::Layer, shape::Shape};
use burn::tensor::Device;

/// A convolutional plan: channels of each convolution, whether pooling follows, and widths of dense hidden layers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Channels and pooling of each convolution.
    pub convs: Vec<(usize, Pool)>,
    /// Widths of the hidden dense layers before the classifier.
    pub dense: Vec<usize>,
}

impl Plan {
    /// Row `1..=4` of Table A5.
    pub fn table_a5(row: usize) -> Self {
        let (n, m) = (Pool::None, Pool::Max2);
        let vgg = |tail: &[(usize, Pool)], dense: &[usize]| Plan {
            convs: [&[(64, m), (128, m), (256, n), (256, m), (512, m)], tail].concat(),
            dense: dense.to_vec(),
        };
        match row {
            1 => vgg(&[], &[]),
            2 => Plan {
                convs: vec![(256, m), (512, m), (512, n), (1024, m), (1024, m), (1024, n), (1024, n)],
                dense: vec![2048],
            },
            3 => vgg(&[(512, n), (1024, n)], &[]),
            _ => vgg(&[(512, n), (1024, n)], &[4096]),
        }
    }

    /// The small convolutional network of the LLS paper, which appendix A.2.1's rows use: 96-M-192-M-512, averages over
    /// 2x2 cells, one dense layer of 1024.
    pub fn small() -> Self {
        Plan { convs: vec![(96, Pool::Max2), (192, Pool::Max2), (512, Pool::Grid2)], dense: vec![1024] }
    }

    /// A chain of equal layers for measuring against depth: Table A5's first layer, 64-M, then 64 channels throughout
    /// on maps of half the image's side, so that every convolution but the first costs the same memory and work.
    pub fn equal() -> Self {
        let rest = [(64, Pool::None); 3];
        Plan { convs: [&[(64, Pool::Max2)], &rest[..]].concat(), dense: Vec::new() }
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
        self.convs.resize(depth, (last, Pool::None));
        self
    }
}

/// Builds `plan` for images `[c, h, w]`.
///
/// # Errors
/// If the plan does not fit the image, or two layers do not fit together.
pub fn cnn(
    [mut c, mut h, mut w]: [usize; 3],
    plan: &Plan,
    classes: usize,
    (activation, norm, dropout): (Activation, bool, f64),
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
        if pool == Pool::Max2 && (h < 2 || w < 2) {
            let pools = plan.convs.iter().filter(|(_, pool)| *pool == Pool::Max2).count();
            let side = 1usize << pools;
            let reason = format!("this network pools {pools} times and needs images of at least {side}x{side}");
            return Err(Error::setting("input", format!("{height}x{width}"), reason));
        }
        let conv = Conv::new([c, h, w], (channels, 3), pool, activation, norm, &mut next(), device);
        if let Shape::Map { c: channels, h: height, w: width } = conv.output() {
            (c, h, w) = (channels, height, width);
        }
        builder = builder.layer(conv);
    }
    let mut n = c * h * w;
    for &m in &plan.dense {
        builder = builder.layer(Dense::new(n, m, activation, dropout, &mut next(), device));
        n = m;
    }
    builder.layer(Dense::new(n, classes, Activation::None, 0.0, &mut next(), device)).build(device)
}
