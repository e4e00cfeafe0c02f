//! Fully connected layers.

use super::{Affine, Layer, LayerCost, Stages, WeightSlot};
use crate::memory::{Category, LayerMemory, scope};
use crate::op::rectify;
use crate::rng::Stream;
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
    /// `max(z - mean of z over the units or channels, 0)` (Coates & Ng 2011; SoftHebb's).
    Triangle,
    /// `z`: a classifier's output.
    None,
}

impl Activation {
    /// Applies the function.
    pub fn forward<const D: usize>(self, z: Tensor<D>) -> Tensor<D> {
        match self {
            Activation::Relu => rectify(z, None),
            Activation::Tanh => z.tanh(),
            Activation::Triangle => activation::relu(z.clone() - z.mean_dim(1)),
            Activation::None => z,
        }
    }
}

/// `h = dropout(φ(x W + b))`, inverted dropout: `h (.) M`, `M = 0` with probability `rate`, else `1 / (1 - rate)`, in
/// training.
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
        self.activate(self.affine.forward(x), pass)
    }

    fn stages(&self) -> Option<&dyn Stages> {
        Some(self)
    }

    fn cost(&self) -> LayerCost {
        let macs = self.affine.macs();
        LayerCost { forward: macs, input_grad: macs, again: 0, activations: self.output().len() as u64 }
    }

    fn memory(&self, batch: usize) -> Option<LayerMemory> {
        let [n, m] = self.affine.weight.dims().map(|side| side as u64);
        let (output, dropped) = (batch as u64 * m, self.dropout > 0.0);
        // Rectified units are their own mask; other functions keep it, and what they gave before it.
        let kept = match (self.activation, dropped) {
            (Activation::Relu, _) | (Activation::Tanh | Activation::None, false) => 0,
            (Activation::Tanh, true) => 2 * output,
            (Activation::Triangle, _) | (Activation::None, true) => return None,
        };
        Some(LayerMemory {
            output,
            kept,
            // The mask.
            forward: if dropped { output } else { 0 },
            // The weight's gradient while it is made.
            backward: n * m,
            early_gradients: 0,
            in_place: false,
            frees_input: false,
        })
    }

    fn weights(&mut self) -> Vec<WeightSlot<'_>> {
        vec![WeightSlot::Matrix(&mut self.affine)]
    }

    fn name(&self) -> String {
        let [n, m] = self.affine.weight.dims();
        format!("dense {n} -> {m}")
    }
}

impl Stages for Dense {
    fn pre_activation(&self, x: Tensor<2>) -> Tensor<2> {
        self.affine.forward(x)
    }

    fn activate(&self, z: Tensor<2>, pass: &Pass) -> Tensor<2> {
        let mask = {
            let _temporary = scope(Category::Workspace);
            pass.mask(&z, self.dropout)
        };
        match (self.activation, mask) {
            (Activation::Relu, mask) => rectify(z, mask.map(|mask| (mask, 1.0 / (1.0 - self.dropout)))),
            (activation, Some(mask)) => activation.forward(z) * mask,
            (activation, None) => activation.forward(z),
        }
    }

    fn pool(&self, h: Tensor<2>) -> Tensor<2> {
        h
    }

    fn pre_activation_shape(&self) -> Shape {
        self.output()
    }
}
