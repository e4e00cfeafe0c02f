//! A gradient put in from outside.

use crate::memory::gradients_begin;
use burn::backend::autodiff::{checkpoint::base::Checkpointer, checkpoint::strategy::CheckpointStrategy};
use burn::backend::autodiff::{grads::Gradients as Grads, ops::Backward, ops::Ops, ops::OpsKind};
use burn::backend::{Autodiff, Backend, Dispatch, Flex, backend_extension};
use burn::backend::{TensorMetadata, tensor::FloatTensor};
use burn::tensor::{Gradients, Shape, Tensor};

/// Backend operation behind [`inject`].
#[backend_extension(Flex, LibTorch: cfg(feature = "tch"), Autodiff)]
pub trait InjectOps: Backend {
    /// A scalar that hands `signal` to `output` when it is differentiated. Its own value means nothing.
    fn inject_scalar(output: FloatTensor<Self>, signal: FloatTensor<Self>) -> FloatTensor<Self>;
}

impl InjectOps for Flex {
    fn inject_scalar(output: FloatTensor<Self>, _signal: FloatTensor<Self>) -> FloatTensor<Self> {
        output
    }
}

#[cfg(feature = "tch")]
impl InjectOps for burn::backend::LibTorch {
    fn inject_scalar(output: FloatTensor<Self>, _signal: FloatTensor<Self>) -> FloatTensor<Self> {
        output
    }
}

#[derive(Debug)]
struct Inject;

impl<B: Backend> Backward<B, 1> for Inject {
    type State = B::FloatTensorPrimitive;

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Grads, _: &mut Checkpointer) {
        grads.consume::<B>(&ops.node);
        if let [Some(parent)] = ops.parents {
            grads.register::<B>(parent.id, ops.state);
        }
    }
}

impl<B: InjectOps, C: CheckpointStrategy> InjectOps for Autodiff<B, C> {
    fn inject_scalar(output: FloatTensor<Self>, signal: FloatTensor<Self>) -> FloatTensor<Self> {
        // One element is enough for the root of a backward pass; the output's own values are let go here.
        let (device, dtype) = (output.primitive().device(), output.primitive().dtype().into());
        let root = B::float_zeros(Shape::from([1]), &device, dtype);
        match Inject.prepare::<C>([output.node()]).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish(signal.into_primitive(), root),
            OpsKind::UnTracked(prep) => prep.finish(root),
        }
    }
}

/// Differentiates the graph behind `output` as if `signal` were the loss gradient at `output`, and gives the gradients
/// of every parameter in that graph: `dθ = (∂output/∂θ)ᵀ signal`.
///
/// This is how every rule hands its signal to a unit. Nothing of `output`'s own size is made or kept for it, unlike the
/// usual `(output * signal).sum().backward()`.
///
/// # Shapes
/// `output` and `signal`: the same, any rank.
///
/// # Panics
/// If the shapes differ, or if `output` has no graph (an evaluation-mode network).
pub fn inject<const D: usize>(output: Tensor<D>, signal: Tensor<D>) -> Gradients {
    let root = root(output, signal);
    gradients_begin();
    root.backward()
}

/// [`inject`] at several places of one graph at once: `dθ = Σ_i (∂output_i/∂θ)ᵀ signal_i`.
///
/// # Panics
/// As [`inject`], and if there is no pair.
pub fn inject_all<const D: usize>(pairs: impl IntoIterator<Item = (Tensor<D>, Tensor<D>)>) -> Gradients {
    let roots = pairs.into_iter().map(|(output, signal)| root(output, signal));
    let root = roots.reduce(|a, b| a + b).expect("a pair of output and signal");
    gradients_begin();
    root.backward()
}

/// A scalar whose gradient at `output` is `signal`.
fn root<const D: usize>(output: Tensor<D>, signal: Tensor<D>) -> Tensor<1> {
    assert_eq!(output.dims(), signal.dims(), "the signal must have the shape of the output it trains");
    let signal = if signal.is_autodiff() { signal.detach() } else { Tensor::from_inner(signal) };
    Tensor::from_dispatch(<Dispatch as InjectOps>::inject_scalar(output.into_dispatch(), signal.into_dispatch()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::{Device, Distribution};

    #[test]
    fn equals_the_gradient_of_the_inner_product_with_the_signal() {
        let device = Device::flex().autodiff();
        let x = Tensor::<2>::random([5, 4], Distribution::Default, &device);
        let w = Tensor::<2>::random([4, 3], Distribution::Default, &device).require_grad();
        let signal = Tensor::<2>::random([5, 3], Distribution::Default, &device);
        let output = || x.clone().matmul(w.clone()).tanh();
        let expected = w.grad(&(output() * signal.clone()).sum().backward()).unwrap();
        let injected = w.grad(&inject(output(), signal.clone())).unwrap();
        injected.into_data().assert_eq(&expected.into_data(), true);
        let from_plain = w.grad(&inject(output(), signal.inner())).unwrap();
        assert_eq!(from_plain.dims(), [4, 3]);
    }

    #[test]
    fn several_places_add_up() {
        let device = Device::flex().autodiff();
        let w = Tensor::<2>::random([4, 3], Distribution::Default, &device).require_grad();
        let (s, t) = (Tensor::<2>::ones([4, 3], &device), Tensor::<2>::ones([4, 3], &device) * 2.0);
        let chain = || {
            let low = w.clone() * 2.0;
            (low.clone(), low.tanh())
        };
        let (low, high) = chain();
        let expected = w.grad(&((low * s.clone()).sum() + (high * t.clone()).sum()).backward()).unwrap();
        let (low, high) = chain();
        let found = w.grad(&inject_all([(low, s), (high, t)])).unwrap();
        found.into_data().assert_approx_eq::<f32>(&expected.into_data(), Default::default());
    }

    #[test]
    #[should_panic(expected = "shape of the output")]
    fn refuses_a_signal_of_another_shape() {
        let device = Device::flex().autodiff();
        let output = Tensor::<2>::ones([2, 3], &device).require_grad() * 2.0;
        inject(output, Tensor::<2>::ones([3, 2], &device));
    }
}
