//! Affine maps: `y = x W + b`, whose backward pass may carry the signal through other weights than the forward pass
//! used (Lillicrap et al. 2016): `dW = xᵀ dy`, `db = Σ dy`, `dx = dy Fᵀ` with a feedback matrix `F`, which is `W` for
//! backpropagation. Only `x` is kept.

use super::count::{MatrixKernels, affine_rows, matrix_product, transposed};
use super::patches::Patches;
use super::rows::{accumulate, blank, put, single, take, typed};
use crate::memory::gradients_made;
use burn::backend::autodiff::{NodeId, grads::Gradients as Grads, ops::Backward, ops::Ops, ops::OpsKind};
use burn::backend::autodiff::{checkpoint::base::Checkpointer, checkpoint::strategy::CheckpointStrategy};
use burn::backend::{Autodiff, Backend, Dispatch, Flex, backend_extension};
use burn::backend::{TensorMetadata, tensor::FloatTensor};
use burn::tensor::Tensor;

/// Backend operations behind [`affine`] and [`patch_affine`].
#[backend_extension(Flex, LibTorch: cfg(feature = "tch"), Autodiff)]
pub trait AffineOps: MatrixKernels {
    /// `x W + b`.
    fn affine_with(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        _feedback: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        affine_rows::<Self>(x, weight, bias)
    }

    /// `patches(x) W + b`.
    fn patch_affine_with(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        _feedback: FloatTensor<Self>,
        patches: Patches,
    ) -> FloatTensor<Self> {
        patch_forward::<Self>(x, weight, bias, patches)
    }
}

impl AffineOps for Flex {}
#[cfg(feature = "tch")]
impl AffineOps for burn::backend::LibTorch {}

/// Hands a parameter its gradient.
pub(super) fn register_parameter<B: Backend>(grads: &mut Grads, node: Option<NodeId>, gradient: FloatTensor<B>) {
    if let Some(node) = node {
        gradients_made(gradient.shape().num_elements());
        grads.register::<B>(node, single::<B>(gradient));
    }
}

/// Hands parameters what a pass over all rows has summed up for them.
pub(super) fn register_sums<B: Backend, const N: usize>(
    grads: &mut Grads,
    sums: [(Option<NodeId>, Option<FloatTensor<B>>); N],
) {
    for (node, sum) in sums {
        if let Some(sum) = sum {
            register_parameter::<B>(grads, node, sum);
        }
    }
}

fn patch_forward<B: MatrixKernels>(
    x: FloatTensor<B>,
    weight: FloatTensor<B>,
    bias: FloatTensor<B>,
    patches: Patches,
) -> FloatTensor<B> {
    let (batch, features) = (x.shape()[0], weight.shape()[1]);
    let mut y = blank::<B>(batch * patches.count(), features, &x);
    let (weight, bias) = (typed::<B>(weight, &x), typed::<B>(bias, &x));
    for images in patches.images(batch) {
        let rows = patches.unfold::<B>(take::<B>(&x, &images));
        y = put::<B>(y, &patches.of_rows(&images), affine_rows::<B>(rows, weight.clone(), bias.clone()));
    }
    y
}

#[derive(Debug)]
struct Affine;

impl<B: MatrixKernels> Backward<B, 3> for Affine {
    /// The input, and the feedback where the input's gradient is wanted.
    type State = (FloatTensor<B>, Option<FloatTensor<B>>);

    fn backward(self, ops: Ops<Self::State, 3>, grads: &mut Grads, _: &mut Checkpointer) {
        let dy = grads.consume::<B>(&ops.node);
        let ([x_node, w_node, b_node], (x, feedback)) = (ops.parents.map(|p| p.map(|p| p.id)), ops.state);
        if w_node.is_some() {
            register_parameter::<B>(grads, w_node, matrix_product::<B>(transposed::<B>(x), dy.clone()));
        }
        if b_node.is_some() {
            register_parameter::<B>(grads, b_node, B::row_sums(dy.clone()));
        }
        if let (Some(node), Some(feedback)) = (x_node, feedback) {
            grads.register::<B>(node, matrix_product::<B>(dy, transposed::<B>(feedback)));
        }
    }
}

#[derive(Debug)]
struct PatchAffine;

impl<B: MatrixKernels> Backward<B, 3> for PatchAffine {
    type State = (FloatTensor<B>, Option<FloatTensor<B>>, Patches);

    fn backward(self, ops: Ops<Self::State, 3>, grads: &mut Grads, _: &mut Checkpointer) {
        let dy = grads.consume::<B>(&ops.node);
        let ([x_node, w_node, b_node], (x, feedback, patches)) = (ops.parents.map(|p| p.map(|p| p.id)), ops.state);
        let [batch, features] = [x.shape()[0], x.shape()[1]];
        let mut dx = x_node.as_ref().map(|_| blank::<B>(batch, features, &x));
        let (mut dw, feedback) = (None, feedback.map(|feedback| typed::<B>(feedback, &dy)));
        for images in patches.images(batch) {
            let dy = take::<B>(&dy, &patches.of_rows(&images));
            let rows = patches.unfold::<B>(take::<B>(&x, &images));
            accumulate::<B>(&mut dw, matrix_product::<B>(transposed::<B>(rows), dy.clone()));
            if let (Some(filled), Some(feedback)) = (dx.take(), &feedback) {
                let back = patches.fold::<B>(matrix_product::<B>(dy, transposed::<B>(feedback.clone())));
                dx = Some(put::<B>(filled, &images, back));
            }
        }
        register_sums::<B, 2>(grads, [(w_node, dw), (b_node, Some(B::row_sums(dy)))]);
        if let (Some(node), Some(dx)) = (x_node, dx) {
            grads.register::<B>(node, dx);
        }
    }
}

impl<B: AffineOps, C: CheckpointStrategy> AffineOps for Autodiff<B, C> {
    fn affine_with(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        feedback: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        let tracked = x.is_tracked();
        let prep = Affine.prepare::<C>([x.node(), weight.node(), bias.node()]).compute_bound().stateful();
        let (x, weight, bias) = (x.into_primitive(), weight.into_primitive(), bias.into_primitive());
        let y = affine_rows::<B>(x.clone(), weight, bias);
        match prep {
            OpsKind::Tracked(prep) => prep.finish((x, tracked.then(|| feedback.into_primitive())), y),
            OpsKind::UnTracked(prep) => prep.finish(y),
        }
    }

    fn patch_affine_with(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        feedback: FloatTensor<Self>,
        patches: Patches,
    ) -> FloatTensor<Self> {
        let tracked = x.is_tracked();
        let prep = PatchAffine.prepare::<C>([x.node(), weight.node(), bias.node()]).compute_bound().stateful();
        let (x, weight, bias) = (x.into_primitive(), weight.into_primitive(), bias.into_primitive());
        let y = patch_forward::<B>(x.clone(), weight, bias, patches);
        match prep {
            OpsKind::Tracked(prep) => prep.finish((x, tracked.then(|| feedback.into_primitive()), patches), y),
            OpsKind::UnTracked(prep) => prep.finish(y),
        }
    }
}

/// `y = x W + b`; the backward pass sends the signal through `feedback`.
///
/// # Shapes
/// `x [n, i]`, `weight` and `feedback [i, o]`, `bias [o]`: `[n, o]`.
pub fn affine(x: Tensor<2>, weight: Tensor<2>, bias: Tensor<1>, feedback: Tensor<2>) -> Tensor<2> {
    Tensor::from_dispatch(<Dispatch as AffineOps>::affine_with(
        x.into_dispatch(),
        weight.into_dispatch(),
        bias.into_dispatch(),
        feedback.into_dispatch(),
    ))
}

/// [`affine`] of every patch of every image. The patches are cut again for the backward pass, not kept.
///
/// # Shapes
/// `x [b, c h w]`, `weight` and `feedback [c p p, o]`, `bias [o]`: `[b rows columns, o]`.
pub fn patch_affine(
    x: Tensor<2>,
    weight: Tensor<2>,
    bias: Tensor<1>,
    feedback: Tensor<2>,
    patches: Patches,
) -> Tensor<2> {
    Tensor::from_dispatch(<Dispatch as AffineOps>::patch_affine_with(
        x.into_dispatch(),
        weight.into_dispatch(),
        bias.into_dispatch(),
        feedback.into_dispatch(),
        patches,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::{Device, Distribution, Tolerance};

    fn random<const D: usize>(shape: [usize; D]) -> Tensor<D> {
        Tensor::random(shape, Distribution::Default, &Device::flex().autodiff())
    }

    #[test]
    fn the_signal_goes_through_the_feedback_matrix_and_gradients_do_not() {
        let (x, w, b) = (random([5, 4]).require_grad(), random([4, 3]).require_grad(), random([3]).require_grad());
        let (f, dy) = (random([4, 3]), random([5, 3]));
        let grads = (affine(x.clone(), w.clone(), b.clone(), f.clone()) * dy.clone()).sum().backward();
        let dx = dy.clone().matmul(f.transpose()).inner();
        let dw = x.clone().detach().transpose().matmul(dy.clone()).inner();
        x.grad(&grads).unwrap().into_data().assert_eq(&dx.into_data(), true);
        w.grad(&grads).unwrap().into_data().assert_eq(&dw.into_data(), true);
        let db = dy.sum_dim(0).inner().reshape([3]);
        b.grad(&grads).unwrap().into_data().assert_approx_eq::<f32>(&db.into_data(), Tolerance::default());
    }

    /// Many images, so that they come in several chunks; patches cut with burn's own operations.
    #[test]
    fn patches_are_cut_and_put_back_as_the_formula_says() {
        let (n, patches) = (600, Patches { channels: 2, rows: 2, columns: 3, side: 2 });
        let (x, w, b) = (random([n, 48]).require_grad(), random([8, 5]).require_grad(), random([5]).require_grad());
        let dy = random([n * 6, 5]);
        let cut = x.clone().reshape([n, 2, 2, 2, 3, 2]).permute([0, 2, 4, 1, 3, 5]).reshape([n * 6, 8]);
        let expected = cut.matmul(w.clone()) + b.clone().unsqueeze();
        let found = patch_affine(x.clone(), w.clone(), b.clone(), w.clone().detach(), patches);
        let close = |a: Tensor<2>, b: Tensor<2>| {
            a.into_data().assert_approx_eq::<f32>(&b.into_data(), Tolerance::rel_abs(1e-4, 1e-4));
        };
        close(found.clone(), expected.clone());
        let (found, expected) = ((found * dy.clone()).sum().backward(), (expected * dy).sum().backward());
        close(x.grad(&found).unwrap(), x.grad(&expected).unwrap());
        close(w.grad(&found).unwrap(), w.grad(&expected).unwrap());
        close(b.grad(&found).unwrap().unsqueeze(), b.grad(&expected).unwrap().unsqueeze());
    }
}
