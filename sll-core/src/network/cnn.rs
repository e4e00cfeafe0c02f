//! The paper's convolutional networks (Table A5): 3x3 convolutions, ReLU, 2x2 max pooling, then dense layers.

use super::Network;
use crate::error::{Error, Result};
use crate::layer::{BatchNormAt, ConvConfig, Dense, Hidden, Pool, Start};
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
    /// What rows 1, 3 and 4 of Table A5 begin with, and `rest`.
    fn vgg(rest: &[(usize, Pool)], dense: &[usize]) -> Self {
        let first = [(64, Pool::Max2), (128, Pool::Max2), (256, Pool::None), (256, Pool::Max2), (512, Pool::Max2)];
        Plan { convs: [&first, rest].concat(), dense: dense.to_vec() }
    }

    /// Table A5, row 1.
    pub fn row_1() -> Self {
        Self::vgg(&[], &[])
    }

    /// Table A5, row 2.
    pub fn row_2() -> Self {
        let (n, m) = (Pool::None, Pool::Max2);
        let convs = vec![(256, m), (512, m), (512, n), (1024, m), (1024, m), (1024, n), (1024, n)];
        Plan { convs, dense: vec![2048] }
    }

    /// Table A5, row 3.
    pub fn row_3() -> Self {
        Self::vgg(&[(512, Pool::None), (1024, Pool::None)], &[])
    }

    /// Table A5, row 4.
    pub fn row_4() -> Self {
        Self::vgg(&[(512, Pool::None), (1024, Pool::None)], &[4096])
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

    /// A plan without a convolution has none to be changed by `key`.
    fn without_convolutions(key: &'static str, value: usize) -> Error {
        Error::setting(key, value, "this plan has no convolution; give it one, or take an MLP (`mlp-2x800`)")
    }

    /// The plan with its first layer `width` channels wide and every other layer scaled alike.
    ///
    /// # Errors
    /// [`Error::Setting`] if there is no convolution, or the first one has no channel.
    pub fn with_width(mut self, width: usize) -> Result<Self> {
        let base = match self.convs.first() {
            Some(&(channels, _)) if channels > 0 => channels,
            _ => return Err(Self::without_convolutions("width", width)),
        };
        let scaled = |n: usize| (n * width / base).max(1);
        self.convs.iter_mut().for_each(|(channels, _)| *channels = scaled(*channels));
        self.dense.iter_mut().for_each(|n| *n = scaled(*n));
        Ok(self)
    }

    /// The plan with `depth` convolutions: the first ones, or the last one repeated without pooling.
    ///
    /// # Errors
    /// [`Error::Setting`] if there is no convolution.
    pub fn with_depth(mut self, depth: usize) -> Result<Self> {
        let Some(&(last, _)) = self.convs.last() else { return Err(Self::without_convolutions("depth", depth)) };
        self.convs.resize(depth, (last, Pool::None));
        Ok(self)
    }
}

/// A plan for images and classes.
#[derive(Clone, Debug, PartialEq)]
pub struct CnnConfig<'a> {
    /// Channels, height and width of an image.
    pub input: [usize; 3],
    /// Its layers.
    pub plan: &'a Plan,
    /// Classes.
    pub classes: usize,
    /// What hidden layers have in common; convolutions alone have batch norm, dense layers alone dropout.
    pub hidden: Hidden,
    /// What the classifier starts with.
    pub output: Start,
}

impl CnnConfig<'_> {
    /// The network, its weights drawn from `seed`.
    ///
    /// # Errors
    /// If the plan does not fit the image, or two layers do not fit together.
    pub fn init(&self, seed: u64, device: &Device) -> Result<Network> {
        let Self { input: [mut c, mut h, mut w], plan, classes, hidden, output } = *self;
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
            let config = ConvConfig { input: [c, h, w], channels, side: 3, hidden, pool };
            let conv = config.init(&mut next(), device)?;
            if let Shape::Map { c: channels, h: height, w: width } = conv.output() {
                (c, h, w) = (channels, height, width);
            }
            builder = builder.layer(conv);
        }
        let mut n = c * h * w;
        let dense = Hidden { batch_norm: BatchNormAt::None, ..hidden };
        for &m in &plan.dense {
            builder = builder.layer(Dense::new(n, m, dense, &mut next(), device));
            n = m;
        }
        builder.layer(Dense::linear(n, classes, output, &mut next(), device)).build(device)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_without_convolutions_builds_and_cannot_be_scaled() {
        let plan = Plan { convs: Vec::new(), dense: vec![5] };
        let device = Device::flex().autodiff();
        let (hidden, output) = (Hidden::default(), Start::default());
        let config = CnnConfig { input: [1, 2, 2], plan: &plan, classes: 3, hidden, output };
        assert_eq!(config.init(1, &device).unwrap().num_params(), 4 * 5 + 5 + 5 * 3 + 3);
        let wide = plan.clone().with_width(8).unwrap_err().to_string();
        assert!(wide.contains("`width` = 8") && wide.contains("take an MLP"), "{wide}");
        let deep = plan.with_depth(2).unwrap_err().to_string();
        assert!(deep.contains("`depth` = 2"), "{deep}");
    }
}
