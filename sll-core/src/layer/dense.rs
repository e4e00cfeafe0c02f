//! Fully connected layers.

use super::{Affine, FeedbackSlot, Layer, LayerCost};
use crate::rng::{Stream, upload};
use crate::{pass::Pass, shape::Shape};
use burn::module::Module;
use burn::tensor::{Device, Tensor, activation};
use serde::{Deserialize, Serialize};

/// The pointwise function of a layer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Activation {
    /// `max(z, 0)`.
    #[default]
    Relu,
    /// `tanh z`.
    Tanh,
    /// `z`: a classifier's output.
    None,
}

impl Activation {
    /// Applies the function.
    pub fn forward<const D: usize>(self, z: Tensor<D>) -> Tensor<D> {
        match self {
            Activation::Relu => activation::relu(z),
            Activation::Tanh => z.tanh(),
            Activation::None => z,
        }
    }
}

/// `h = dropout(φ(x W + b))`.
#[derive(Module, Debug)]
pub struct Dense {
    affine: Affine,
    #[module(skip)]
    activation: Activation,
    dropout: f64,
}

impl Dense {
    /// A layer from `n` to `m` features; `dropout` is the probability of zeroing an output in training.
    pub fn new(n: usize, m: usize, activation: Activation, dropout: f64, stream: &mut Stream, device: &Device) -> Self {
        Self { affine: Affine::new(n, m, stream, device), activation, dropout }
    }
}

impl Layer for Dense {
    fn input(&self) -> Shape {
        Shape::Flat(self.affine.weight.dims()[0])
    }

    fn output(&self) -> Shape {
        Shape::Flat(self.affine.weight.dims()[1])
    }

    fn forward(&self, x: Tensor<2>, pass: &Pass) -> Tensor<2> {
        let h = self.activation.forward(self.affine.forward(x));
        drop_out(h, self.dropout, pass)
    }

    fn cost(&self) -> LayerCost {
        let macs = self.affine.macs();
        LayerCost { forward: macs, input_grad: macs, activations: self.output().len() as u64 }
    }

    fn feedback(&mut self) -> Vec<FeedbackSlot<'_>> {
        vec![FeedbackSlot::Matrix(&mut self.affine)]
    }

    fn name(&self) -> String {
        let [n, m] = self.affine.weight.dims();
        format!("dense {n} -> {m}")
    }
}

/// Inverted dropout: `h (.) M`, `M = 0` with probability `rate`, else `1 / (1 - rate)`; nothing in evaluation.
pub(super) fn drop_out(h: Tensor<2>, rate: f64, pass: &Pass) -> Tensor<2> {
    let [batch, n] = h.dims();
    match pass.mask(batch * n, rate) {
        Some(mask) => {
            let device = h.device();
            h * upload(mask, [batch, n], &device)
        }
        None => h,
    }
}
