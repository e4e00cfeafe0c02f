//! Convolutional layers: convolution, batch norm, ReLU and the pooling behind it are one layer.

use super::{FeedbackSlot, Kernel, Layer, LayerCost};
use crate::rng::Stream;
use crate::{pass::Pass, shape::Shape};
use burn::module::Module;
use burn::nn::{BatchNorm, BatchNormConfig};
use burn::tensor::{Device, Tensor, activation::relu, module::max_pool2d, ops::MaxPoolOptions};

/// `h = maxpool(relu(batchnorm(conv(x))))`, batch norm and 2x2 pooling as options.
#[derive(Module, Debug)]
pub struct Conv {
    kernel: Kernel,
    norm: Option<BatchNorm>,
    pool: bool,
    height: usize,
    width: usize,
}

impl Conv {
    /// A `k x k` convolution from a `[c, h, w]` map to `channels` channels, then 2x2 max pooling if `pool`.
    pub fn new(
        [c, h, w]: [usize; 3],
        channels: usize,
        k: usize,
        pool: bool,
        norm: bool,
        stream: &mut Stream,
        device: &Device,
    ) -> Self {
        Self {
            kernel: Kernel::new(c, channels, k, stream, device),
            norm: norm.then(|| BatchNormConfig::new(channels).init(device)),
            pool,
            height: h,
            width: w,
        }
    }
}

impl Layer for Conv {
    fn input(&self) -> Shape {
        Shape::Map { c: self.kernel.weight.dims()[1], h: self.height, w: self.width }
    }

    fn output(&self) -> Shape {
        let by = if self.pool { 2 } else { 1 };
        Shape::Map { c: self.kernel.weight.dims()[0], h: self.height / by, w: self.width / by }
    }

    fn forward(&self, x: Tensor<2>, _pass: &Pass) -> Tensor<2> {
        let [_, c, _, _] = self.kernel.weight.dims();
        let x = x.reshape([-1, c as i32, self.height as i32, self.width as i32]);
        let mut z = self.kernel.forward(x);
        if let Some(norm) = &self.norm {
            z = norm.forward(z);
        }
        let mut h = relu(z);
        if self.pool {
            h = max_pool2d(h, MaxPoolOptions::new([2, 2]));
        }
        h.flatten(1, 3)
    }

    fn cost(&self) -> LayerCost {
        let positions = (self.height * self.width) as u64;
        let channels = self.kernel.weight.dims()[0] as u64;
        let macs = self.kernel.macs_per_position() * positions;
        let kept = channels * positions * (1 + u64::from(self.norm.is_some()));
        let pooled = if self.pool { self.output().len() as u64 } else { 0 };
        LayerCost { forward: macs, input_grad: macs, activations: kept + pooled }
    }

    fn feedback(&mut self) -> Vec<FeedbackSlot<'_>> {
        vec![FeedbackSlot::Kernel(&mut self.kernel)]
    }

    fn name(&self) -> String {
        let [o, c, k, _] = self.kernel.weight.dims();
        let norm = if self.norm.is_some() { " batchnorm" } else { "" };
        let pool = if self.pool { " maxpool2" } else { "" };
        format!("conv{k}x{k} {c} -> {o}{norm}{pool}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Purpose, upload};

    #[test]
    fn a_layer_is_convolution_relu_and_the_largest_of_four() {
        let (c, o, side) = (2, 3, 4usize);
        let device = Device::flex();
        let mut stream = Stream::new(3, Purpose::Weights, &[]);
        let layer = Conv::new([c, side, side], o, 3, true, false, &mut stream, &device);
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
