//! Fully connected layers.

use super::batch_norm::{normalise, normalise_rectified};
use super::{Affine, BatchNormAt, Layer, LayerCost, Stages, Start, WeightSlot};
use crate::memory::{Category, LayerMemory, scope};
use crate::op::rectify;
use crate::rng::Stream;
use crate::{pass::Pass, shape::Shape};
use burn::module::Module;
use burn::nn::{BatchNorm, BatchNormConfig};
use burn::tensor::{Device, Tensor, activation};
use serde::{Deserialize, Serialize};

/// The pointwise function of a layer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Activation {
    /// `max(z, 0)`.
    #[default]
    Relu,
    /// `z` above 0, else `0.01 z`.
    LeakyRelu,
    /// `max(z, 0)` whose slope counts as 1 everywhere on the way back (forward-forward's in the code of Löwe 2023).
    #[serde(rename = "straight-through-relu")]
    StraightThroughRelu,
    /// `tanh z`.
    Tanh,
    /// `1 / (1 + exp(-z))`.
    Sigmoid,
    /// `max(z - mean of z over the units or channels, 0)` (Coates & Ng 2011; SoftHebb's).
    Triangle,
    /// `z`: a classifier's output.
    None,
}

/// The slope of a leaky ReLU below 0: PyTorch's default.
const LEAK: f64 = 0.01;

impl Activation {
    /// Applies the function.
    pub fn forward<const D: usize>(self, z: Tensor<D>) -> Tensor<D> {
        match self {
            Activation::Relu => rectify(z, None),
            Activation::LeakyRelu => activation::leaky_relu(z, LEAK),
            // What is added is without a graph, and both sums are exact.
            Activation::StraightThroughRelu => z.clone() + activation::relu(z.neg()).detach(),
            Activation::Tanh => z.tanh(),
            Activation::Sigmoid => activation::sigmoid(z),
            Activation::Triangle => activation::relu(z.clone() - z.mean_dim(1)),
            Activation::None => z,
        }
    }
}

/// What the hidden layers of a network have in common.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Hidden {
    /// The pointwise function.
    pub activation: Activation,
    /// Where batch norm stands.
    pub batch_norm: BatchNormAt,
    /// The probability of zeroing an output in training.
    pub dropout: f64,
    /// What the affine map starts with.
    pub start: Start,
}

/// `h = dropout(φ(batchnorm(x W + b)))`, batch norm and its place as options. Inverted dropout: `h (.) M`, `M = 0` with
/// probability `rate`, else `1 / (1 - rate)`, in training.
#[derive(Module, Debug)]
pub struct Dense {
    affine: Affine,
    norm: Option<BatchNorm>,
    #[module(skip)]
    norm_at: BatchNormAt,
    #[module(skip)]
    activation: Activation,
    dropout: f64,
}

impl Dense {
    /// A layer from `n` to `m` features.
    pub fn new(n: usize, m: usize, hidden: Hidden, stream: &mut Stream, device: &Device) -> Self {
        let normed = if hidden.batch_norm == BatchNormAt::Before { n } else { m };
        Self {
            affine: Affine::started(n, m, hidden.start, stream, device),
            norm: (!hidden.batch_norm.is_none()).then(|| BatchNormConfig::new(normed).init(device)),
            norm_at: hidden.batch_norm,
            activation: hidden.activation,
            dropout: hidden.dropout,
        }
    }

    /// A layer from `n` features to `m` logits or other plain sums.
    pub fn linear(n: usize, m: usize, start: Start, stream: &mut Stream, device: &Device) -> Self {
        Self::new(n, m, Hidden { activation: Activation::None, start, ..Hidden::default() }, stream, device)
    }

    /// The batch norm if it stands `at` this place.
    fn norm(&self, at: BatchNormAt) -> Option<&BatchNorm> {
        self.norm.as_ref().filter(|_| self.norm_at == at)
    }

    /// What norms make of rows: each feature is a channel of one position.
    fn normed(&self, at: BatchNormAt, rows: Tensor<2>, by: impl Fn(&BatchNorm, Tensor<4>) -> Tensor<4>) -> Tensor<2> {
        let Some(norm) = self.norm(at) else { return rows };
        let [b, n] = rows.dims();
        by(norm, rows.reshape([b, n, 1, 1])).reshape([b, n])
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
        self.activate(self.pre_activation(x, pass), pass)
    }

    fn stages(&self) -> Option<&dyn Stages> {
        Some(self)
    }

    fn cost(&self) -> LayerCost {
        let (macs, output) = (self.affine.macs(), self.output().len() as u64);
        let normed = match self.norm_at {
            BatchNormAt::None => 0,
            BatchNormAt::Before => self.input().len() as u64,
            BatchNormAt::Between | BatchNormAt::After => output,
        };
        // A batch norm before the map has parameters that need the signal at its input.
        let input_grad = if self.norm_at == BatchNormAt::Before { 0 } else { macs };
        LayerCost { forward: macs, input_grad, again: 0, activations: output + normed }
    }

    fn memory(&self, batch: usize) -> Option<LayerMemory> {
        if self.norm.is_some() {
            return None;
        }
        let [n, m] = self.affine.weight.dims().map(|side| side as u64);
        let (output, dropped) = (batch as u64 * m, self.dropout > 0.0);
        // Rectified units are their own mask; other functions keep it, and what they gave before it.
        let kept = match (self.activation, dropped) {
            (Activation::Relu, _) | (Activation::Tanh | Activation::None, false) => 0,
            (Activation::Tanh, true) => 2 * output,
            (
                Activation::LeakyRelu | Activation::StraightThroughRelu | Activation::Sigmoid | Activation::Triangle,
                _,
            )
            | (Activation::None, true) => return None,
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
        format!("dense {n} -> {m}{}", self.norm_at.words())
    }
}

impl Stages for Dense {
    fn pre_activation(&self, x: Tensor<2>, pass: &Pass) -> Tensor<2> {
        self.affine.forward(self.normed(BatchNormAt::Before, x, |norm, x| normalise(norm, x, pass)))
    }

    fn respond(&self, z: Tensor<2>, pass: &Pass) -> Tensor<2> {
        let h = match self.activation {
            Activation::Relu if self.norm_at == BatchNormAt::Between => {
                self.normed(BatchNormAt::Between, z, |norm, z| normalise_rectified(norm, z, pass, false))
            }
            activation => activation.forward(self.normed(BatchNormAt::Between, z, |norm, z| normalise(norm, z, pass))),
        };
        self.normed(BatchNormAt::After, h, |norm, h| normalise(norm, h, pass))
    }

    fn drop(&self, h: Tensor<2>, pass: &Pass) -> Tensor<2> {
        match pass.mask(&h, self.dropout) {
            Some(mask) => h * mask,
            None => h,
        }
    }

    /// Rectified and dropped at once where nothing stands between the two.
    fn activate(&self, z: Tensor<2>, pass: &Pass) -> Tensor<2> {
        if self.norm.is_some() && self.norm_at != BatchNormAt::Before {
            return self.drop(self.respond(z, pass), pass);
        }
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

    fn norms_input(&self) -> bool {
        self.norm_at == BatchNormAt::Before
    }

    fn pre_activation_shape(&self) -> Shape {
        self.output()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sigmoid_units_have_their_value_and_slope() {
        let z = Tensor::<2>::from_floats([[-2.0, 0.0, 3.0]], &Device::flex().autodiff()).require_grad();
        let h = Activation::Sigmoid.forward(z.clone());
        let values = |tensor: Tensor<2>| tensor.into_data().try_to_vec::<f32>().unwrap();
        let slopes = values(Tensor::from_inner(z.grad(&h.clone().sum().backward()).unwrap()));
        for ((z, h), slope) in [-2.0f64, 0.0, 3.0].into_iter().zip(values(h)).zip(slopes) {
            let expected = 1.0 / (1.0 + (-z).exp());
            assert!(
                (f64::from(h) - expected).abs() < 1e-6 && (f64::from(slope) - expected * (1.0 - expected)).abs() < 1e-6
            );
        }
    }

    #[test]
    fn rectifiers_differ_below_zero_alone() {
        let device = Device::flex().autodiff();
        for (activation, below, slope) in [
            (Activation::Relu, 0.0, 0.0),
            (Activation::LeakyRelu, -0.02, 0.01),
            (Activation::StraightThroughRelu, 0.0, 1.0),
        ] {
            let z = Tensor::<2>::from_floats([[-2.0, 3.0]], &device).require_grad();
            let h = activation.forward(z.clone());
            let found = h.clone().into_data().try_to_vec::<f32>().unwrap();
            assert_eq!(found, [below, 3.0], "{activation:?}");
            let gradient = z.grad(&h.sum().backward()).unwrap().into_data().try_to_vec::<f32>().unwrap();
            assert_eq!(gradient, [slope, 1.0], "{activation:?}");
        }
    }
}
