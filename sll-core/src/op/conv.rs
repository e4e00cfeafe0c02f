//! Convolutions of stride 1 that keep the size, whose backward pass may carry the signal through other weights than the
//! forward pass used. Only the input is kept.

use super::affine::register_parameter;
use super::count::add_macs;
use super::rows::typed;
use burn::backend::autodiff::{checkpoint::base::Checkpointer, checkpoint::strategy::CheckpointStrategy};
use burn::backend::autodiff::{grads::Gradients as Grads, ops::Backward, ops::Ops, ops::OpsKind};
use burn::backend::{Autodiff, Backend, Dispatch, Flex, backend_extension};
use burn::backend::{TensorMetadata, tensor::FloatTensor};
use burn::tensor::{Shape, Tensor, ops::ConvOptions};

/// Backend operation behind [`conv2d`].
#[backend_extension(Flex, LibTorch: cfg(feature = "tch"), Autodiff)]
pub trait ConvOps: Backend {
    /// 2-D convolution of stride 1, `padding` zeros on each side.
    fn conv2d_with(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        _feedback: FloatTensor<Self>,
        padding: usize,
    ) -> FloatTensor<Self> {
        forward::<Self>(x, weight, bias, padding)
    }
}

impl ConvOps for Flex {}
#[cfg(feature = "tch")]
impl ConvOps for burn::backend::LibTorch {}

fn options(padding: usize) -> ConvOptions<2> {
    ConvOptions::new([1, 1], [padding, padding], [1, 1], 1)
}

/// MACs of one pass, forward or to either gradient: every weight at every position of the output.
fn macs(weight: &Shape, y: &Shape) -> usize {
    weight.num_elements() * y[0] * y[2] * y[3]
}

fn forward<B: Backend>(
    x: FloatTensor<B>,
    weight: FloatTensor<B>,
    bias: FloatTensor<B>,
    padding: usize,
) -> FloatTensor<B> {
    let shape = weight.shape();
    let (weight, bias) = (typed::<B>(weight, &x), typed::<B>(bias, &x));
    let y = B::conv2d(x, weight, Some(bias), options(padding));
    add_macs(macs(&shape, &y.shape()));
    y
}

#[derive(Debug)]
struct Conv;

#[derive(Clone, Debug)]
struct Kept<B: Backend> {
    x: FloatTensor<B>,
    weight: FloatTensor<B>,
    bias: FloatTensor<B>,
    feedback: FloatTensor<B>,
    padding: usize,
}

impl<B: Backend> Backward<B, 3> for Conv {
    type State = Kept<B>;

    fn backward(self, ops: Ops<Self::State, 3>, grads: &mut Grads, _: &mut Checkpointer) {
        let dy = grads.consume::<B>(&ops.node);
        let ([x_node, w_node, b_node], Kept { x, weight, bias, feedback, padding }) =
            (ops.parents.map(|p| p.map(|p| p.id)), ops.state);
        let macs = macs(&weight.shape(), &dy.shape());
        register_parameter::<B>(grads, b_node, B::conv2d_bias_backward(x.clone(), bias, dy.clone()));
        if let Some(node) = x_node {
            add_macs(macs);
            let feedback = typed::<B>(feedback, &dy);
            grads.register::<B>(node, B::conv2d_x_backward(x.clone(), feedback, dy.clone(), options(padding)));
        }
        add_macs(macs);
        let weight = typed::<B>(weight, &x);
        register_parameter::<B>(grads, w_node, B::conv2d_weight_backward(x, weight, dy, options(padding)));
    }
}

impl<B: ConvOps, C: CheckpointStrategy> ConvOps for Autodiff<B, C> {
    fn conv2d_with(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        feedback: FloatTensor<Self>,
        padding: usize,
    ) -> FloatTensor<Self> {
        let prep = Conv.prepare::<C>([x.node(), weight.node(), bias.node()]).compute_bound().stateful();
        let (x, weight, bias) = (x.into_primitive(), weight.into_primitive(), bias.into_primitive());
        let y = forward::<B>(x.clone(), weight.clone(), bias.clone(), padding);
        let feedback = feedback.into_primitive();
        match prep {
            OpsKind::Tracked(prep) => prep.finish(Kept { x, weight, bias, feedback, padding }, y),
            OpsKind::UnTracked(prep) => prep.finish(y),
        }
    }
}

/// 2-D convolution, stride 1, `padding` zeros on each side; the backward pass sends the signal through `feedback`.
///
/// # Shapes
/// `x [b, c, h, w]`, `weight` and `feedback [o, c, k, k]`, `bias [o]`: `[b, o, h, w]` for `padding = (k - 1) / 2`.
pub fn conv2d(x: Tensor<4>, weight: Tensor<4>, bias: Tensor<1>, feedback: Tensor<4>, padding: usize) -> Tensor<4> {
    Tensor::from_dispatch(<Dispatch as ConvOps>::conv2d_with(
        x.into_dispatch(),
        weight.into_dispatch(),
        bias.into_dispatch(),
        feedback.into_dispatch(),
        padding,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::{Device, Distribution, module};

    fn random<const D: usize>(shape: [usize; D]) -> Tensor<D> {
        Tensor::random(shape, Distribution::Default, &Device::flex().autodiff())
    }

    #[test]
    fn with_feedback_equal_to_the_weight_it_is_an_ordinary_convolution() {
        let (x, w) = (random([2, 3, 6, 6]).require_grad(), random([4, 3, 3, 3]).require_grad());
        let (b, dy) = (random([4]).require_grad(), random([2, 4, 6, 6]));
        let ordinary = module::conv2d(x.clone(), w.clone(), Some(b.clone()), options(1));
        let expected = (ordinary * dy.clone()).sum().backward();
        let found = (conv2d(x.clone(), w.clone(), b.clone(), w.clone().detach(), 1) * dy.clone()).sum().backward();
        for leaf in [&x, &w] {
            leaf.grad(&found).unwrap().into_data().assert_eq(&leaf.grad(&expected).unwrap().into_data(), true);
        }
        b.grad(&found).unwrap().into_data().assert_eq(&b.grad(&expected).unwrap().into_data(), true);
        // Other feedback changes the way to x and nothing else.
        let other = (conv2d(x.clone(), w.clone(), b, random([4, 3, 3, 3]), 1) * dy).sum().backward();
        w.grad(&other).unwrap().into_data().assert_eq(&w.grad(&expected).unwrap().into_data(), true);
        let (dx, ordinary) = (x.grad(&other).unwrap(), x.grad(&expected).unwrap());
        assert!((dx - ordinary).abs().max().into_scalar::<f32>() > 1e-3);
    }
}
