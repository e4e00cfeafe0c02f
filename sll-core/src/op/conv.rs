//! Convolutions of stride 1 that keep the size, whose backward pass may carry the signal through other weights than the
//! forward pass used. Only the input is kept.

use super::affine::register_parameter;
use super::count::add_macs;
use super::flex::conv::{self as kernels, Sizes};
use super::flex::{contiguous, tensor, values};
use super::rows::typed;
use burn::backend::autodiff::{checkpoint::base::Checkpointer, checkpoint::strategy::CheckpointStrategy};
use burn::backend::autodiff::{grads::Gradients as Grads, ops::Backward, ops::Ops, ops::OpsKind};
use burn::backend::{Autodiff, Backend, Dispatch, Flex, backend_extension, ops::ModuleOps};
use burn::backend::{TensorMetadata, flex::FlexTensor, tensor::FloatTensor};
use burn::tensor::{Shape, Tensor, ops::ConvOptions};

/// What a convolution is made of, for backends without a graph.
pub trait ConvKernels: Backend {
    /// `y = conv(x) + b`.
    fn convolve(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        padding: usize,
    ) -> FloatTensor<Self> {
        Self::conv2d(x, weight, Some(bias), options(padding))
    }

    /// The gradient to `x`, through `weight`.
    fn convolve_back(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        dy: FloatTensor<Self>,
        padding: usize,
    ) -> FloatTensor<Self> {
        Self::conv2d_x_backward(x, weight, dy, options(padding))
    }

    /// The gradients to weight and bias.
    fn convolve_gradients(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        dy: FloatTensor<Self>,
        padding: usize,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        let db = Self::conv2d_bias_backward(x.clone(), bias, dy.clone());
        (Self::conv2d_weight_backward(x, weight, dy, options(padding)), db)
    }

    /// All gradients; that to `x` through `feedback`, if there is one.
    fn convolve_backward(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        feedback: Option<FloatTensor<Self>>,
        dy: FloatTensor<Self>,
        padding: usize,
    ) -> ConvGradients<Self> {
        let back = feedback.map(|feedback| Self::convolve_back(x.clone(), feedback, dy.clone(), padding));
        let (weight, bias) = Self::convolve_gradients(x, weight, bias, dy, padding);
        ConvGradients { x: back, weight, bias }
    }
}

/// Gradients of a convolution.
pub struct ConvGradients<B: Backend> {
    /// To the input, where it is wanted.
    pub x: Option<FloatTensor<B>>,
    /// To the weight.
    pub weight: FloatTensor<B>,
    /// To the bias.
    pub bias: FloatTensor<B>,
}

impl ConvKernels for Flex {
    fn convolve(x: FlexTensor, weight: FlexTensor, bias: FlexTensor, padding: usize) -> FlexTensor {
        let Some(sizes) = Sizes::of(&x, &weight, padding) else {
            return Self::conv2d(x, weight, Some(bias), options(padding));
        };
        let [x, weight, bias] = [x, weight, bias].map(contiguous);
        let y = kernels::forward(sizes, values(&x), values(&weight), values(&bias));
        tensor(y, [sizes.images, sizes.o, sizes.h, sizes.w])
    }

    fn convolve_back(x: FlexTensor, weight: FlexTensor, dy: FlexTensor, padding: usize) -> FlexTensor {
        let Some(sizes) = Sizes::of(&x, &weight, padding) else {
            return Self::conv2d_x_backward(x, weight, dy, options(padding));
        };
        let [weight, dy] = [weight, dy].map(contiguous);
        let dx = kernels::input_gradient(sizes, values(&weight), values(&dy));
        tensor(dx, [sizes.images, sizes.c, sizes.h, sizes.w])
    }

    fn convolve_gradients(
        x: FlexTensor,
        weight: FlexTensor,
        bias: FlexTensor,
        dy: FlexTensor,
        padding: usize,
    ) -> (FlexTensor, FlexTensor) {
        let Some(sizes) = Sizes::of(&x, &weight, padding) else {
            let db = Self::conv2d_bias_backward(x.clone(), bias, dy.clone());
            return (Self::conv2d_weight_backward(x, weight, dy, options(padding)), db);
        };
        let [x, dy] = [x, dy].map(contiguous);
        let (dw, db) = kernels::weight_gradients(sizes, values(&x), values(&dy));
        (tensor(dw, [sizes.o, sizes.c, sizes.k, sizes.k]), tensor(db, [sizes.o]))
    }
}

/// Backend operation behind [`conv2d`].
#[backend_extension(Flex, LibTorch: cfg(feature = "tch"), Autodiff)]
pub trait ConvOps: Backend {
    /// 2-D convolution of stride 1, `padding` zeros on each side.
    fn conv2d_with(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        feedback: FloatTensor<Self>,
        padding: usize,
    ) -> FloatTensor<Self>;
}

impl ConvOps for Flex {
    fn conv2d_with(x: FlexTensor, weight: FlexTensor, bias: FlexTensor, _: FlexTensor, padding: usize) -> FlexTensor {
        forward::<Self>(x, weight, bias, padding)
    }
}

#[cfg(feature = "tch")]
impl ConvOps for burn::backend::LibTorch {
    fn conv2d_with(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        _: FloatTensor<Self>,
        padding: usize,
    ) -> FloatTensor<Self> {
        forward::<Self>(x, weight, bias, padding)
    }
}

fn options(padding: usize) -> ConvOptions<2> {
    ConvOptions::new([1, 1], [padding, padding], [1, 1], 1)
}

/// MACs of one pass, forward or to either gradient: every weight at every position of the output.
fn macs(weight: &Shape, y: &Shape) -> usize {
    weight.num_elements() * y[0] * y[2] * y[3]
}

fn forward<B: ConvKernels>(
    x: FloatTensor<B>,
    weight: FloatTensor<B>,
    bias: FloatTensor<B>,
    padding: usize,
) -> FloatTensor<B> {
    let shape = weight.shape();
    let (weight, bias) = (typed::<B>(weight, &x), typed::<B>(bias, &x));
    let y = B::convolve(x, weight, bias, padding);
    add_macs(macs(&shape, &y.shape()));
    y
}

#[derive(Debug)]
struct Conv;

#[derive(Clone, Debug)]
struct SavedConv<B: Backend> {
    x: FloatTensor<B>,
    weight: FloatTensor<B>,
    bias: FloatTensor<B>,
    feedback: FloatTensor<B>,
    padding: usize,
}

impl<B: ConvKernels> Backward<B, 3> for Conv {
    type State = SavedConv<B>;

    fn backward(self, ops: Ops<Self::State, 3>, grads: &mut Grads, _: &mut Checkpointer) {
        let dy = grads.consume::<B>(&ops.node);
        let ([x_node, w_node, b_node], SavedConv { x, weight, bias, feedback, padding }) =
            (ops.parents.map(|p| p.map(|p| p.id)), ops.state);
        let macs = macs(&weight.shape(), &dy.shape());
        add_macs(if x_node.is_some() { 2 * macs } else { macs });
        let feedback = x_node.is_some().then(|| typed::<B>(feedback, &dy));
        let weight = typed::<B>(weight, &x);
        let found = B::convolve_backward(x, weight, bias, feedback, dy, padding);
        if let (Some(node), Some(dx)) = (x_node, found.x) {
            grads.register::<B>(node, dx);
        }
        register_parameter::<B>(grads, b_node, found.bias);
        register_parameter::<B>(grads, w_node, found.weight);
    }
}

impl<B: ConvKernels, C: CheckpointStrategy> ConvOps for Autodiff<B, C> {
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
            OpsKind::Tracked(prep) => prep.finish(SavedConv { x, weight, bias, feedback, padding }, y),
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
    use burn::tensor::{Device, Distribution, Tolerance, module};

    fn random<const D: usize>(shape: [usize; D]) -> Tensor<D> {
        Tensor::random(shape, Distribution::Default, &Device::flex().autodiff())
    }

    fn close<const D: usize>(found: Tensor<D>, expected: Tensor<D>) {
        found.into_data().assert_approx_eq::<f32>(&expected.into_data(), Tolerance::absolute(1e-4));
    }

    #[test]
    fn with_feedback_equal_to_the_weight_it_is_an_ordinary_convolution() {
        let (x, w) = (random([2, 3, 6, 6]).require_grad(), random([4, 3, 3, 3]).require_grad());
        let (b, dy) = (random([4]).require_grad(), random([2, 4, 6, 6]));
        let ordinary = module::conv2d(x.clone(), w.clone(), Some(b.clone()), options(1));
        let expected = (ordinary.clone() * dy.clone()).sum().backward();
        let own = conv2d(x.clone(), w.clone(), b.clone(), w.clone().detach(), 1);
        close(own.clone(), ordinary);
        let found = (own * dy.clone()).sum().backward();
        for leaf in [&x, &w] {
            close(leaf.grad(&found).unwrap(), leaf.grad(&expected).unwrap());
        }
        close(b.grad(&found).unwrap(), b.grad(&expected).unwrap());
        // Other feedback changes the way to x and nothing else.
        let other = (conv2d(x.clone(), w.clone(), b, random([4, 3, 3, 3]), 1) * dy).sum().backward();
        w.grad(&other).unwrap().into_data().assert_eq(&w.grad(&found).unwrap().into_data(), true);
        let (dx, ordinary) = (x.grad(&other).unwrap(), x.grad(&expected).unwrap());
        assert!((dx - ordinary).abs().max().into_scalar::<f32>() > 1e-3);
    }

    #[test]
    fn a_view_and_a_padding_that_the_kernels_do_not_serve_are_convolved_all_the_same() {
        let (x, w, b) = (random([2, 6, 5, 3]), random([4, 3, 3, 3]), random([4]));
        let turned = x.swap_dims(1, 3);
        for padding in [0, 1] {
            let ordinary = module::conv2d(turned.clone(), w.clone(), Some(b.clone()), options(padding));
            close(conv2d(turned.clone(), w.clone(), b.clone(), w.clone(), padding), ordinary);
        }
    }
}
