//! A layer: one link of the chain, any burn module with a forward pass on rows of features.

mod affine;
mod batch_norm;
mod block;
mod conv;
mod dense;
mod erased;
mod head;
mod norm;
mod patch;
mod start;

pub use affine::{Affine, Kernel, WeightSlot};
pub use batch_norm::BatchNormAt;
pub use block::{EncoderBlock, EncoderBlockConfig};
pub use conv::{Conv, ConvConfig, Pool};
pub use dense::{Activation, Dense, Hidden};
pub(crate) use erased::{DynLayer, Slot};
pub use head::TokenHead;
pub use norm::Norm;
pub use patch::{PatchEmbedding, PatchEmbeddingConfig};
pub use start::{Bias, Fans, Initial, Start};

use crate::memory::LayerMemory;
use crate::{pass::Pass, shape::Shape};
use burn::module::Module;
use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

/// One link of the chain. A burn module becomes a layer with three functions; see `examples/own_layers.rs`.
///
/// ```
/// use burn::module::{Module, Param};
/// use burn::tensor::{Device, Tensor};
/// use sll_core::{Network, Pass, Shape, layer::Layer};
///
/// /// `h = x (.) a`.
/// #[derive(Module, Debug)]
/// struct Scale {
///     a: Param<Tensor<1>>,
/// }
///
/// impl Layer for Scale {
///     fn input(&self) -> Shape {
///         Shape::Flat(self.a.dims()[0])
///     }
///
///     fn output(&self) -> Shape {
///         self.input()
///     }
///
///     fn forward(&self, x: Tensor<2>, _pass: &Pass) -> Tensor<2> {
///         let a = if x.is_autodiff() { self.a.val() } else { self.a.val().inner() };
///         x * a.unsqueeze()
///     }
/// }
///
/// let device = Device::flex().autodiff();
/// let net = Network::builder().layer(Scale { a: Param::from_tensor(Tensor::ones([3], &device)) }).build(&device)?;
/// assert_eq!((net.classes(), net.num_params()), (3, 3));
/// # Ok::<(), sll_core::Error>(())
/// ```
pub trait Layer: Module {
    /// What one sample looks like on the way in.
    fn input(&self) -> Shape;

    /// What one sample looks like on the way out.
    fn output(&self) -> Shape;

    /// `[batch, input().len()]` to `[batch, output().len()]`.
    fn forward(&self, x: Tensor<2>, pass: &Pass) -> Tensor<2>;

    /// Work and memory of one sample. By default that of a dense layer of the same parameters.
    fn cost(&self) -> LayerCost {
        let weights = self.num_params() as u64;
        LayerCost {
            forward: weights,
            input_grad: weights,
            activations: self.output().len() as u64,
            ..LayerCost::default()
        }
    }

    /// What a training step of `batch` samples holds of this layer; `None` where that is not modelled.
    fn memory(&self, _batch: usize) -> Option<LayerMemory> {
        None
    }

    /// The layer as one affine map and what follows it, for rules whose update is written in pre-activations; `None`
    /// where it is more than that, as a transformer's block is.
    fn stages(&self) -> Option<&dyn Stages> {
        None
    }

    /// The weights of its affine maps, through which feedback rules send their signal and which Hebbian rules change;
    /// none means that the exact Jacobian is used.
    fn weights(&mut self) -> Vec<WeightSlot<'_>> {
        Vec::new()
    }

    /// Whether a cut may never fall between this layer and a neighbour.
    fn joins(&self) -> Joins {
        Joins::None
    }

    /// A short name with sizes, for people.
    fn name(&self) -> String {
        format!("{} -> {}", self.input(), self.output())
    }
}

/// `forward = pool(drop(respond(pre_activation(x))))`, taken one by one.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use sll_core::{NetworkSpec, Pass};
///
/// let device = Device::flex();
/// let net = NetworkSpec { width: Some(4), ..NetworkSpec::named("cnn-1") }.build([1, 16, 16], 3, 0, &device)?.valid();
/// let (x, stages) = (Tensor::ones([2, 256], &device), net.stages(0).expect("a convolution"));
/// let h = stages.pool(stages.activate(stages.pre_activation(x.clone(), &Pass::Eval), &Pass::Eval));
/// assert_eq!(h.into_data(), net.forward_range(0..1, x, &Pass::Eval).into_data());
/// # Ok::<(), sll_core::Error>(())
/// ```
pub trait Stages {
    /// `z = x W + b`, or the convolution, flattened: `[b, input]` to `[b, units · positions]`. Batch norm of the input,
    /// where the layer has it there, is part of it.
    fn pre_activation(&self, x: Tensor<2>, pass: &Pass) -> Tensor<2>;

    /// `φ(z)` with the batch norms around it, of the shape of `z`.
    fn respond(&self, z: Tensor<2>, pass: &Pass) -> Tensor<2>;

    /// Dropout; the identity where there is none.
    fn drop(&self, h: Tensor<2>, _pass: &Pass) -> Tensor<2> {
        h
    }

    /// `h = drop(respond(z))`, of the shape of `z`.
    fn activate(&self, z: Tensor<2>, pass: &Pass) -> Tensor<2> {
        self.drop(self.respond(z, pass), pass)
    }

    /// The pooling behind the activation; the identity where there is none.
    fn pool(&self, h: Tensor<2>) -> Tensor<2>;

    /// Whether batch norm of the input is part of the pre-activation.
    fn norms_input(&self) -> bool {
        false
    }

    /// What one sample's `z` looks like.
    fn pre_activation_shape(&self) -> Shape;
}

/// Which neighbour a layer can never be cut from: a patch embedding belongs to the first encoder block's unit, a
/// classification head on tokens to the last one's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Joins {
    /// A unit of its own is fine.
    None,
    /// Always in the same unit as the next layer.
    Next,
    /// Always in the same unit as the layer before.
    Previous,
}

/// Analytic work of one layer for one sample, in multiply-accumulates (MACs), and the floats its backward pass keeps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayerCost {
    /// MACs of the forward pass. A full backward pass costs twice that.
    pub forward: u64,
    /// The part of the backward pass that only serves the gradient of the layer's input, and is saved when the layer is
    /// the first of its unit; 0 where parameters inside, like a norm's, need it too.
    pub input_grad: u64,
    /// MACs that a backward pass does again in place of keeping their results, on top of twice the forward pass.
    pub again: u64,
    /// Outputs of this layer, inner ones included, that a backward pass over it reads.
    pub activations: u64,
}
