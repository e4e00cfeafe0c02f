//! Affine maps whose backward pass carries the signal through other weights than the forward pass used.
//!
//! `y = x W`, `dW = xᵀ dy`, but `dx = dy Fᵀ` with a feedback matrix `F` in place of `W` (Lillicrap et al. 2016). Same
//! multiply-accumulates and same tape as the ordinary operation.

use burn::backend::autodiff::{checkpoint::base::Checkpointer, checkpoint::strategy::CheckpointStrategy};
use burn::backend::autodiff::{grads::Gradients as Grads, ops::Backward, ops::Ops, ops::OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, Flex, backend_extension};
use burn::tensor::{Tensor, ops::ConvOptions};

/// Backend operations behind [`feedback_matmul`] and [`feedback_conv2d`].
#[backend_extension(Flex, LibTorch: cfg(feature = "tch"), Autodiff)]
pub trait FeedbackOps: Backend {
    /// `x W`; its backward pass uses `feedback`.
    fn matmul_with(x: FloatTensor<Self>, weight: FloatTensor<Self>, feedback: FloatTensor<Self>) -> FloatTensor<Self>;
    /// 2-D convolution, stride 1, same padding on all sides; its backward pass uses `feedback`.
    fn conv2d_with(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        feedback: FloatTensor<Self>,
        padding: usize,
    ) -> FloatTensor<Self>;
}

macro_rules! forward_only {
    ($backend:ty) => {
        impl FeedbackOps for $backend {
            fn matmul_with(x: FloatTensor<Self>, weight: FloatTensor<Self>, _: FloatTensor<Self>) -> FloatTensor<Self> {
                Self::float_matmul(x, weight)
            }

            fn conv2d_with(
                x: FloatTensor<Self>,
                weight: FloatTensor<Self>,
                _: FloatTensor<Self>,
                padding: usize,
            ) -> FloatTensor<Self> {
                Self::conv2d(x, weight, None, options(padding))
            }
        }
    };
}

use burn::backend::ops::{FloatTensorOps, ModuleOps};
forward_only!(Flex);
#[cfg(feature = "tch")]
forward_only!(burn::backend::LibTorch);

fn options(padding: usize) -> ConvOptions<2> {
    ConvOptions::new([1, 1], [padding, padding], [1, 1], 1)
}

/// What both operations keep: the input, the forward weight (its shape) and the feedback weight.
type Kept<B> = (FloatTensor<B>, FloatTensor<B>, FloatTensor<B>, usize);

#[derive(Debug)]
struct Matmul;

impl<B: Backend> Backward<B, 2> for Matmul {
    type State = Kept<B>;

    fn backward(self, ops: Ops<Self::State, 2>, grads: &mut Grads, _: &mut Checkpointer) {
        let dy = grads.consume::<B>(&ops.node);
        let ([x_node, w_node], (x, _, feedback, _)) = (ops.parents, ops.state);
        if let Some(node) = x_node {
            grads.register::<B>(node.id, B::float_matmul(dy.clone(), B::float_transpose(feedback)));
        }
        if let Some(node) = w_node {
            grads.register::<B>(node.id, B::float_matmul(B::float_transpose(x), dy));
        }
    }
}

#[derive(Debug)]
struct Conv;

impl<B: Backend> Backward<B, 2> for Conv {
    type State = Kept<B>;

    fn backward(self, ops: Ops<Self::State, 2>, grads: &mut Grads, _: &mut Checkpointer) {
        let dy = grads.consume::<B>(&ops.node);
        let ([x_node, w_node], (x, weight, feedback, padding)) = (ops.parents, ops.state);
        if let Some(node) = x_node {
            grads.register::<B>(node.id, B::conv2d_x_backward(x.clone(), feedback, dy.clone(), options(padding)));
        }
        if let Some(node) = w_node {
            grads.register::<B>(node.id, B::conv2d_weight_backward(x, weight, dy, options(padding)));
        }
    }
}

impl<B: FeedbackOps, C: CheckpointStrategy> FeedbackOps for Autodiff<B, C> {
    fn matmul_with(x: FloatTensor<Self>, weight: FloatTensor<Self>, feedback: FloatTensor<Self>) -> FloatTensor<Self> {
        let prep = Matmul.prepare::<C>([x.node(), weight.node()]).compute_bound().stateful();
        let (x, weight, feedback) = (x.into_primitive(), weight.into_primitive(), feedback.into_primitive());
        let y = B::float_matmul(x.clone(), weight.clone());
        match prep {
            OpsKind::Tracked(prep) => prep.finish((x, weight, feedback, 0), y),
            OpsKind::UnTracked(prep) => prep.finish(y),
        }
    }

    fn conv2d_with(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        feedback: FloatTensor<Self>,
        padding: usize,
    ) -> FloatTensor<Self> {
        let prep = Conv.prepare::<C>([x.node(), weight.node()]).compute_bound().stateful();
        let (x, weight, feedback) = (x.into_primitive(), weight.into_primitive(), feedback.into_primitive());
        let y = B::conv2d(x.clone(), weight.clone(), None, options(padding));
        match prep {
            OpsKind::Tracked(prep) => prep.finish((x, weight, feedback, padding), y),
            OpsKind::UnTracked(prep) => prep.finish(y),
        }
    }
}

/// `x W` forward; backward `dW = xᵀ dy` and `dx = dy Fᵀ`.
///
/// # Shapes
/// `x [b, n]`, `weight` and `feedback` `[n, m]`, result `[b, m]`.
pub fn feedback_matmul(x: Tensor<2>, weight: Tensor<2>, feedback: Tensor<2>) -> Tensor<2> {
    let y = <Dispatch as FeedbackOps>::matmul_with(x.into_dispatch(), weight.into_dispatch(), feedback.into_dispatch());
    Tensor::from_dispatch(y)
}

/// Convolution forward; backward as an ordinary convolution's, but with kernel `feedback` on the way to `x`.
///
/// # Shapes
/// `x [b, c, h, w]`, `weight` and `feedback` `[o, c, k, k]`, result `[b, o, h + 2 padding - k + 1, ..]`.
pub fn feedback_conv2d(x: Tensor<4>, weight: Tensor<4>, feedback: Tensor<4>, padding: usize) -> Tensor<4> {
    let (x, w, f) = (x.into_dispatch(), weight.into_dispatch(), feedback.into_dispatch());
    Tensor::from_dispatch(<Dispatch as FeedbackOps>::conv2d_with(x, w, f, padding))
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::{Device, Distribution, module::conv2d};

    fn random<const D: usize>(shape: [usize; D]) -> Tensor<D> {
        Tensor::random(shape, Distribution::Default, &Device::flex().autodiff())
    }

    #[test]
    fn matmul_sends_the_signal_through_the_feedback_matrix() {
        let (x, w, f) = (random([5, 4]).require_grad(), random([4, 3]).require_grad(), random([4, 3]));
        let dy = random([5, 3]);
        let grads = (feedback_matmul(x.clone(), w.clone(), f.clone()) * dy.clone()).sum().backward();
        let dx = dy.clone().matmul(f.transpose()).inner();
        let dw = x.clone().detach().transpose().matmul(dy).inner();
        x.grad(&grads).unwrap().into_data().assert_eq(&dx.into_data(), true);
        w.grad(&grads).unwrap().into_data().assert_eq(&dw.into_data(), true);
    }

    #[test]
    fn with_feedback_equal_to_the_weight_it_is_an_ordinary_convolution() {
        let (x, w) = (random([2, 3, 6, 6]).require_grad(), random([4, 3, 3, 3]).require_grad());
        let dy = random([2, 4, 6, 6]);
        let ordinary = conv2d(x.clone(), w.clone(), None, options(1));
        let expected = (ordinary * dy.clone()).sum().backward();
        let y = feedback_conv2d(x.clone(), w.clone(), w.clone().detach(), 1);
        let grads = (y * dy).sum().backward();
        for (a, b) in [(x.grad(&grads), x.grad(&expected)), (w.grad(&grads), w.grad(&expected))] {
            a.unwrap().into_data().assert_eq(&b.unwrap().into_data(), true);
        }
    }
}
