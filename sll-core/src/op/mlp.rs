//! The second half of a transformer's encoder block: `y = x + gelu(norm(x) W₁ + b₁) W₂ + b₂` on rows of tokens.
//!
//! Kept for the backward pass: `x` and the pre-activations `norm(x) W₁ + b₁`. The norm and the gelu are made again, a
//! few rows at a time, and `dx` takes the place of `dy`.

use super::affine::register_sums;
use super::count::{product, transposed};
use super::gradients::Gradients;
use super::norm::{NormGradients, Normed};
use super::rows::{accumulate, add, add_row, blank, chunks, put, single, sum_rows, take, typed};
use crate::memory::{Category, scope};
use burn::backend::autodiff::{checkpoint::base::Checkpointer, checkpoint::strategy::CheckpointStrategy};
use burn::backend::autodiff::{grads::Gradients as Grads, ops::Backward, ops::Ops, ops::OpsKind};
use burn::backend::{Autodiff, Backend, Dispatch, Flex, backend_extension};
use burn::backend::{TensorMetadata, tensor::FloatTensor};
use burn::tensor::Tensor;

/// The block in both directions, as a backend does it.
pub trait MlpKernels: Backend {
    /// The output, and the pre-activations if they are to be kept.
    fn mlp_forward(
        x: &FloatTensor<Self>,
        p: &Values<Self>,
        keep: bool,
    ) -> (FloatTensor<Self>, Option<FloatTensor<Self>>) {
        forward::<Self>(x, p, keep)
    }

    /// From `dy` to `dx`, and the gradients.
    fn mlp_backward(kept: SavedMlp<Self>, dy: FloatTensor<Self>) -> (FloatTensor<Self>, Gradients<Self>) {
        backward::<Self>(kept, dy)
    }
}

// Never called: they hand on to the backends below them.
impl<B: Backend, C: CheckpointStrategy> MlpKernels for Autodiff<B, C> {}
impl MlpKernels for Dispatch {}

/// Backend operation behind [`mlp_block`].
#[backend_extension(Flex, LibTorch: cfg(feature = "tch"), Autodiff)]
pub trait MlpOps: MlpKernels {
    /// `x + gelu(norm(x) W₁ + b₁) W₂ + b₂`, parameters in the order of [`MlpWeights`].
    #[allow(clippy::too_many_arguments, reason = "burn's dispatch takes tensors one by one")]
    fn mlp_rows(
        x: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        w1: FloatTensor<Self>,
        b1: FloatTensor<Self>,
        w2: FloatTensor<Self>,
        b2: FloatTensor<Self>,
        _feedback1: FloatTensor<Self>,
        _feedback2: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        Self::mlp_forward(&x, &Values { gamma, beta, w1, b1, w2, b2 }, false).0
    }
}

impl MlpOps for Flex {}
#[cfg(feature = "tch")]
impl MlpOps for burn::backend::LibTorch {}

/// Parameters of the block.
pub struct Values<B: Backend> {
    pub(super) gamma: FloatTensor<B>,
    pub(super) beta: FloatTensor<B>,
    pub(super) w1: FloatTensor<B>,
    pub(super) b1: FloatTensor<B>,
    pub(super) w2: FloatTensor<B>,
    pub(super) b2: FloatTensor<B>,
}

/// The output, and the pre-activations if they are to be kept.
pub(super) fn forward<B: Backend>(
    x: &FloatTensor<B>,
    p: &Values<B>,
    keep: bool,
) -> (FloatTensor<B>, Option<FloatTensor<B>>) {
    let (shape, hidden) = (x.shape(), p.w1.shape()[1]);
    let mut y = blank::<B>(shape[0], shape[1], x);
    let mut kept = keep.then(|| blank::<B>(shape[0], hidden, x));
    let _temporaries = scope(Category::Workspace);
    let of = |values: &FloatTensor<B>| typed::<B>(values.clone(), x);
    let (w1, b1, w2, b2) = (of(&p.w1), of(&p.b1), of(&p.w2), of(&p.b2));
    for rows in chunks(shape[0], 1) {
        let x = take::<B>(x, &rows);
        let normed = typed::<B>(Normed::<B>::of(x.clone()).scaled(p.gamma.clone(), p.beta.clone()), &x);
        let z = add_row::<B>(product::<B>(normed, w1.clone()), b1.clone());
        kept = kept.map(|kept| put::<B>(kept, &rows, z.clone()));
        let out = add_row::<B>(product::<B>(B::gelu(z), w2.clone()), b2.clone());
        y = put::<B>(y, &rows, B::float_add(out, x));
    }
    (y, kept)
}

#[derive(Debug)]
struct Mlp;

/// What the way back needs.
#[derive(Clone, Debug)]
pub struct SavedMlp<B: Backend> {
    pub(super) x: FloatTensor<B>,
    pub(super) z: FloatTensor<B>,
    pub(super) gamma: FloatTensor<B>,
    pub(super) beta: FloatTensor<B>,
    pub(super) feedback1: FloatTensor<B>,
    pub(super) feedback2: FloatTensor<B>,
}

pub(super) fn backward<B: Backend>(kept: SavedMlp<B>, mut dy: FloatTensor<B>) -> (FloatTensor<B>, Gradients<B>) {
    let (mut dw1, mut db1, mut dw2, mut norm) = (None, None, None, NormGradients::default());
    let db2 = single::<B>(sum_rows::<B>(dy.clone()));
    let back = |feedback| transposed::<B>(typed::<B>(feedback, &dy));
    let (feedback1, feedback2) = (back(kept.feedback1), back(kept.feedback2));
    for rows in chunks(kept.x.shape()[0], 1) {
        let (x, z, signal) = (take::<B>(&kept.x, &rows), take::<B>(&kept.z, &rows), take::<B>(&dy, &rows));
        accumulate::<B>(&mut dw2, product::<B>(transposed::<B>(B::gelu(z.clone())), signal.clone()));
        let dh = product::<B>(signal.clone(), feedback2.clone());
        let dz = B::gelu_backward(z, dh);
        let normed = Normed::<B>::of(x);
        let n = typed::<B>(normed.scaled(kept.gamma.clone(), kept.beta.clone()), &signal);
        accumulate::<B>(&mut dw1, product::<B>(transposed::<B>(n), dz.clone()));
        accumulate::<B>(&mut db1, sum_rows::<B>(dz.clone()));
        let dn = product::<B>(dz, feedback1.clone());
        let dx = add::<B>(normed.backward(dn, kept.gamma.clone(), &mut norm), signal);
        dy = put::<B>(dy, &rows, dx);
    }
    (dy, Gradients { norm, first: [dw1, db1], second: [dw2, Some(db2)] })
}

impl<B: MlpKernels> Backward<B, 7> for Mlp {
    type State = SavedMlp<B>;

    fn backward(self, ops: Ops<Self::State, 7>, grads: &mut Grads, _: &mut Checkpointer) {
        let dy = grads.consume::<B>(&ops.node);
        let ([x_node, gamma_node, beta_node, w1_node, b1_node, w2_node, b2_node], kept) =
            (ops.parents.map(|p| p.map(|p| p.id)), ops.state);
        let (dx, sums) = B::mlp_backward(kept, dy);
        let ([dw1, db1], [dw2, db2]) = (sums.first, sums.second);
        let sums = [
            (b2_node, db2),
            (gamma_node, sums.norm.gamma),
            (beta_node, sums.norm.beta),
            (w1_node, dw1),
            (b1_node, db1),
            (w2_node, dw2),
        ];
        register_sums::<B, 6>(grads, sums);
        if let Some(node) = x_node {
            grads.register::<B>(node, dx);
        }
    }
}

impl<B: MlpOps, C: CheckpointStrategy> MlpOps for Autodiff<B, C> {
    fn mlp_rows(
        x: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        w1: FloatTensor<Self>,
        b1: FloatTensor<Self>,
        w2: FloatTensor<Self>,
        b2: FloatTensor<Self>,
        feedback1: FloatTensor<Self>,
        feedback2: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        let nodes = [x.node(), gamma.node(), beta.node(), w1.node(), b1.node(), w2.node(), b2.node()];
        let prep = Mlp.prepare::<C>(nodes).compute_bound().stateful();
        let x = x.into_primitive();
        let values = Values::<B> {
            gamma: gamma.into_primitive(),
            beta: beta.into_primitive(),
            w1: w1.into_primitive(),
            b1: b1.into_primitive(),
            w2: w2.into_primitive(),
            b2: b2.into_primitive(),
        };
        match prep {
            OpsKind::Tracked(prep) => {
                let (y, z) = B::mlp_forward(&x, &values, true);
                let z = z.expect("the pre-activations were asked for");
                let (feedback1, feedback2) = (feedback1.into_primitive(), feedback2.into_primitive());
                let Values { gamma, beta, .. } = values;
                prep.finish(SavedMlp { x, z, gamma, beta, feedback1, feedback2 }, y)
            }
            OpsKind::UnTracked(prep) => prep.finish(B::mlp_forward(&x, &values, false).0),
        }
    }
}

/// A norm, two affine maps, and what carries the signal back through each map: its own weight for backpropagation.
pub struct MlpWeights {
    /// `γ` and `β`, `[d]`.
    pub norm: (Tensor<1>, Tensor<1>),
    /// `W₁ [d, h]`, `b₁ [h]` and the feedback `[d, h]`.
    pub first: (Tensor<2>, Tensor<1>, Tensor<2>),
    /// `W₂ [h, d]`, `b₂ [d]` and the feedback `[h, d]`.
    pub second: (Tensor<2>, Tensor<1>, Tensor<2>),
}

/// `x + gelu(norm(x) W₁ + b₁) W₂ + b₂`.
///
/// # Shapes
/// `x [n, d]`: `[n, d]`.
pub fn mlp_block(x: Tensor<2>, weights: MlpWeights) -> Tensor<2> {
    let MlpWeights { norm: (gamma, beta), first: (w1, b1, f1), second: (w2, b2, f2) } = weights;
    Tensor::from_dispatch(<Dispatch as MlpOps>::mlp_rows(
        x.into_dispatch(),
        gamma.into_dispatch(),
        beta.into_dispatch(),
        w1.into_dispatch(),
        b1.into_dispatch(),
        w2.into_dispatch(),
        b2.into_dispatch(),
        f1.into_dispatch(),
        f2.into_dispatch(),
    ))
}
