//! Convolutional layers: convolution, batch norm, activation and the pooling behind it are one layer.

use super::batch_norm::{normalise, normalise_rectified};
use super::{Activation, BatchNormAt, Hidden, Kernel, Layer, LayerCost, Stages, WeightSlot};
use crate::error::{Error, Result};
use crate::memory::LayerMemory;
use crate::op::rectify_pool;
use crate::rng::Stream;
use crate::{pass::Pass, shape::Shape};
use burn::module::Module;
use burn::nn::{BatchNorm, BatchNormConfig};
use burn::tensor::module::{adaptive_avg_pool2d, max_pool2d};
use burn::tensor::{Device, Tensor, ops::MaxPoolOptions};

/// What follows a convolution's activation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pool {
    /// Nothing.
    None,
    /// The largest of each 2x2 square.
    Max2,
    /// Averages over a 2x2 grid of cells, whatever the size of the map.
    Grid2,
}

/// `h = pool(φ(batchnorm(conv(x))))`, batch norm, its place and pooling as options.
#[derive(Module, Debug)]
pub struct Conv {
    kernel: Kernel,
    norm: Option<BatchNorm>,
    #[module(skip)]
    norm_at: BatchNormAt,
    #[module(skip)]
    pool: Pool,
    #[module(skip)]
    activation: Activation,
    height: usize,
    width: usize,
}

/// What a [`Conv`] is made from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ConvConfig {
    /// Channels, height and width of the map that it takes.
    pub input: [usize; 3],
    /// Channels of the map that it gives.
    pub channels: usize,
    /// Side of the kernel, odd.
    pub side: usize,
    /// What it has in common with other hidden layers; it has no dropout.
    pub hidden: Hidden,
    /// Pooling behind that.
    pub pool: Pool,
}

impl ConvConfig {
    fn check(&self) -> Result<()> {
        let Self { input: [c, height, width], channels, side, pool, .. } = *self;
        if side % 2 == 0 {
            let reason = "a kernel that keeps the size of its map has a pixel in its middle; take an odd one, as 3";
            return Err(Error::setting("side", side, reason));
        }
        if channels == 0 {
            return Err(Error::setting("channels", 0, "a convolution gives at least 1"));
        }
        let least = if pool == Pool::Max2 { 2 } else { 1 };
        if c == 0 || height.min(width) < least {
            let reason = format!("it takes a channel or more of at least {least}x{least}; pool less before it");
            return Err(Error::setting("input", format!("{c} of {height}x{width}"), reason));
        }
        Ok(())
    }

    /// The layer, its weights drawn from `stream`.
    ///
    /// # Errors
    /// [`Error::Setting`] if the kernel has no middle, or there is nothing to convolve or to pool.
    pub fn init(&self, stream: &mut Stream, device: &Device) -> Result<Conv> {
        self.check()?;
        let Self { input: [c, height, width], channels, side, hidden, pool } = *self;
        let normed = if hidden.batch_norm == BatchNormAt::Before { c } else { channels };
        Ok(Conv {
            kernel: Kernel::new(c, channels, side, hidden.start, stream, device),
            norm: (!hidden.batch_norm.is_none()).then(|| BatchNormConfig::new(normed).init(device)),
            norm_at: hidden.batch_norm,
            pool,
            activation: hidden.activation,
            height,
            width,
        })
    }
}

impl Conv {
    /// The batch norm if it stands `at` this place.
    fn norm(&self, at: BatchNormAt) -> Option<&BatchNorm> {
        self.norm.as_ref().filter(|_| self.norm_at == at)
    }

    fn map(&self, x: Tensor<2>, channels: usize) -> Tensor<4> {
        x.reshape([-1, channels as i32, self.height as i32, self.width as i32])
    }

    // Maps stay maps from here to the pooling: a backend may have its own order for them in memory.
    fn convolved(&self, x: Tensor<2>, pass: &Pass) -> Tensor<4> {
        let x = self.map(x, self.kernel.weight.dims()[1]);
        self.kernel.forward(match self.norm(BatchNormAt::Before) {
            Some(norm) => normalise(norm, x, pass),
            None => x,
        })
    }

    fn activated(&self, z: Tensor<4>, pass: &Pass) -> Tensor<4> {
        let h = match (self.norm(BatchNormAt::Between), self.activation) {
            (Some(norm), Activation::Relu) => normalise_rectified(norm, z, pass, false),
            (Some(norm), activation) => activation.forward(normalise(norm, z, pass)),
            (None, activation) => activation.forward(z),
        };
        match self.norm(BatchNormAt::After) {
            Some(norm) => normalise(norm, h, pass),
            None => h,
        }
    }

    fn pooled(&self, h: Tensor<4>) -> Tensor<4> {
        match self.pool {
            Pool::None => h,
            Pool::Max2 => max_pool2d(h, MaxPoolOptions::new([2, 2])),
            Pool::Grid2 => adaptive_avg_pool2d(h, [2, 2]),
        }
    }
}

impl Layer for Conv {
    fn input(&self) -> Shape {
        Shape::Map { c: self.kernel.weight.dims()[1], h: self.height, w: self.width }
    }

    fn output(&self) -> Shape {
        let (h, w) = match self.pool {
            Pool::None => (self.height, self.width),
            Pool::Max2 => (self.height / 2, self.width / 2),
            Pool::Grid2 => (2, 2),
        };
        Shape::Map { c: self.kernel.weight.dims()[0], h, w }
    }

    fn forward(&self, x: Tensor<2>, pass: &Pass) -> Tensor<2> {
        let z = self.convolved(x, pass);
        let h = match (self.norm(BatchNormAt::Between), self.activation, self.pool) {
            (Some(norm), Activation::Relu, Pool::Max2) => normalise_rectified(norm, z, pass, true),
            (None, Activation::Relu, Pool::Max2) if self.norm_at != BatchNormAt::After => rectify_pool(z),
            _ => self.pooled(self.activated(z, pass)),
        };
        h.flatten(1, 3)
    }

    fn stages(&self) -> Option<&dyn Stages> {
        Some(self)
    }

    fn cost(&self) -> LayerCost {
        let positions = (self.height * self.width) as u64;
        let channels = self.kernel.weight.dims()[0] as u64;
        let macs = self.kernel.macs_per_position() * positions;
        // Before batch norm, and before a pooling that does not rectify as well.
        let pooled_alone = match self.activation {
            Activation::Relu if self.norm_at != BatchNormAt::After => self.pool == Pool::Grid2,
            _ => self.pool != Pool::None,
        };
        let before = self.norm_at == BatchNormAt::Before;
        let maps = u64::from(self.norm.is_some() && !before) + u64::from(pooled_alone);
        let normed = if before { self.input().len() as u64 } else { 0 };
        let activations = channels * positions * maps + self.output().len() as u64 + normed;
        // A batch norm before the map has parameters that need the signal at its input.
        LayerCost { forward: macs, input_grad: if before { 0 } else { macs }, again: 0, activations }
    }

    /// What any implementation has to hold. What a library's convolution needs for itself, like unfolded maps, is not
    /// in it.
    fn memory(&self, batch: usize) -> Option<LayerMemory> {
        if self.norm.is_some() || self.activation != Activation::Relu {
            return None;
        }
        let [o, ..] = self.kernel.weight.dims();
        let (full, output) = ((batch * o * self.height * self.width) as u64, (batch * self.output().len()) as u64);
        // The map before it is pooled by averages; of one whose largest are taken, where they were, one byte each.
        let kept = match self.pool {
            Pool::None => 0,
            Pool::Max2 => output.div_ceil(4),
            Pool::Grid2 => full,
        };
        Some(LayerMemory {
            output,
            kept,
            // The map before its rectification, beside it where that is a map of its own.
            forward: match self.pool {
                Pool::None | Pool::Grid2 => (2 * full).saturating_sub(output + kept),
                Pool::Max2 => full,
            },
            // The signal at the map, and for averages the same before its rectification.
            backward: match self.pool {
                Pool::None | Pool::Max2 => full,
                Pool::Grid2 => full.max((2 * full).saturating_sub(2 * output)),
            },
            early_gradients: 0,
            in_place: false,
            frees_input: false,
        })
    }

    fn weights(&mut self) -> Vec<WeightSlot<'_>> {
        vec![WeightSlot::Kernel(&mut self.kernel)]
    }

    fn name(&self) -> String {
        let [o, c, k, _] = self.kernel.weight.dims();
        let norm = self.norm_at.words();
        let pool = match self.pool {
            Pool::None => "",
            Pool::Max2 => " maxpool2",
            Pool::Grid2 => " avgpool to 2x2",
        };
        format!("conv{k}x{k} {c} -> {o}{norm}{pool}")
    }
}

impl Stages for Conv {
    fn pre_activation(&self, x: Tensor<2>, pass: &Pass) -> Tensor<2> {
        self.convolved(x, pass).flatten(1, 3)
    }

    fn respond(&self, z: Tensor<2>, pass: &Pass) -> Tensor<2> {
        self.activated(self.map(z, self.kernel.weight.dims()[0]), pass).flatten(1, 3)
    }

    fn pool(&self, h: Tensor<2>) -> Tensor<2> {
        match self.pool {
            Pool::None => h,
            _ => self.pooled(self.map(h, self.kernel.weight.dims()[0])).flatten(1, 3),
        }
    }

    fn norms_input(&self) -> bool {
        self.norm_at == BatchNormAt::Before
    }

    fn pre_activation_shape(&self) -> Shape {
        Shape::Map { c: self.kernel.weight.dims()[0], h: self.height, w: self.width }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Purpose, upload};

    #[test]
    fn what_cannot_be_convolved_is_named() {
        let good = ConvConfig { input: [2, 3, 3], channels: 4, side: 3, hidden: Hidden::default(), pool: Pool::Max2 };
        let error = |config: ConvConfig| {
            let mut stream = Stream::new(3, Purpose::Weights, &[]);
            config.init(&mut stream, &Device::flex()).err().unwrap().to_string()
        };
        assert!(error(ConvConfig { side: 4, ..good }).contains("`side` = 4") && good.check().is_ok());
        assert!(error(ConvConfig { side: 0, ..good }).contains("take an odd one"));
        assert!(error(ConvConfig { channels: 0, ..good }).contains("`channels` = 0"));
        assert!(error(ConvConfig { input: [2, 1, 3], ..good }).contains("`input` = 2 of 1x3"));
        assert!(error(ConvConfig { input: [0, 3, 3], ..good }).contains("a channel or more"));
    }

    #[test]
    fn a_layer_is_convolution_relu_and_the_largest_of_four() {
        let (c, o, side) = (2, 3, 4usize);
        let device = Device::flex();
        let mut stream = Stream::new(3, Purpose::Weights, &[]);
        let config =
            ConvConfig { input: [c, side, side], channels: o, side: 3, hidden: Hidden::default(), pool: Pool::Max2 };
        let layer = config.init(&mut stream, &device).unwrap();
        let image = stream.normal(c * side * side, 1.0);
        let out = layer.forward(upload(image.clone(), [1, c * side * side], &device), &Pass::Eval);
        let out = out.into_data().try_to_vec::<f32>().unwrap();
        let w = layer.kernel.weight.val().into_data().try_to_vec::<f32>().unwrap();
        let b = layer.kernel.bias.val().into_data().try_to_vec::<f32>().unwrap();
        let z = |k: usize, y: usize, x: usize| {
            let mut sum = b[k];
            for (ch, i, j) in (0..c).flat_map(|ch| (0..3).flat_map(move |i| (0..3).map(move |j| (ch, i, j)))) {
                let (row, column) = ((y + i).wrapping_sub(1), (x + j).wrapping_sub(1));
                if row < side && column < side {
                    sum += image[(ch * side + row) * side + column] * w[((k * c + ch) * 3 + i) * 3 + j];
                }
            }
            sum.max(0.0)
        };
        for (k, y, x) in (0..o).flat_map(|k| (0..2).flat_map(move |y| (0..2).map(move |x| (k, y, x)))) {
            let corners = [(0, 0), (0, 1), (1, 0), (1, 1)].map(|(i, j)| z(k, 2 * y + i, 2 * x + j));
            let expected = corners.into_iter().fold(0.0, f32::max);
            assert!((out[(k * 2 + y) * 2 + x] - expected).abs() < 1e-5, "channel {k}, {y}, {x}");
        }
    }
}
