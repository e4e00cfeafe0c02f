//! The first half of a transformer's encoder block: `y = x + attention(norm(x) W + b) P + c` on rows of tokens, with
//! `attention = softmax(q kᵀ / √(d/heads)) v` head by head (Vaswani et al. 2017).
//!
//! Kept for the backward pass: `x`, the queries, keys and values, and the heads' outputs. The attention weights, `heads
//! t²` values an image, are made again for a few images at a time (one product `q kᵀ` more), and `dx` takes the place
//! of `dy`.

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
use burn::tensor::{Shape, Tensor};

/// How rows are images and columns are heads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heads {
    /// Tokens an image.
    pub tokens: usize,
    /// Heads; they divide the width of a token.
    pub heads: usize,
}

/// The block in both directions, as a backend does it.
pub trait AttentionKernels: Backend {
    /// The output; queries, keys and values and the heads' outputs if they are to be kept.
    fn attention_forward(x: &FloatTensor<Self>, p: &Values<Self>, heads: Heads, keep: bool) -> Rows<Self> {
        forward::<Self>(x, p, heads, keep)
    }

    /// From `dy` to `dx`, and the gradients.
    fn attention_backward(kept: SavedAttention<Self>, dy: FloatTensor<Self>) -> (FloatTensor<Self>, Gradients<Self>) {
        backward::<Self>(kept, dy)
    }
}

// Never called: they hand on to the backends below them.
impl<B: Backend, C: CheckpointStrategy> AttentionKernels for Autodiff<B, C> {}
impl AttentionKernels for Dispatch {}

/// Backend operation behind [`attention_block`].
#[backend_extension(Flex, LibTorch: cfg(feature = "tch"), Autodiff)]
pub trait AttentionOps: AttentionKernels {
    /// `x + attention(norm(x) W + b) P + c`.
    #[allow(clippy::too_many_arguments, reason = "burn's dispatch takes tensors one by one")]
    fn attention_rows(
        x: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        qkv: FloatTensor<Self>,
        qkv_bias: FloatTensor<Self>,
        proj: FloatTensor<Self>,
        proj_bias: FloatTensor<Self>,
        _qkv_feedback: FloatTensor<Self>,
        _proj_feedback: FloatTensor<Self>,
        heads: Heads,
    ) -> FloatTensor<Self> {
        Self::attention_forward(&x, &Values { gamma, beta, qkv, qkv_bias, proj, proj_bias }, heads, false).0
    }
}

impl AttentionOps for Flex {}
#[cfg(feature = "tch")]
impl AttentionOps for burn::backend::LibTorch {}

/// Parameters of the block.
pub struct Values<B: Backend> {
    pub(super) gamma: FloatTensor<B>,
    pub(super) beta: FloatTensor<B>,
    pub(super) qkv: FloatTensor<B>,
    pub(super) qkv_bias: FloatTensor<B>,
    pub(super) proj: FloatTensor<B>,
    pub(super) proj_bias: FloatTensor<B>,
}

impl Heads {
    /// Columns `part d .. (part + 1) d` of rows as `[images, heads, tokens, d / heads]`.
    fn split<B: Backend>(self, rows: &FloatTensor<B>, part: usize, parts: usize) -> FloatTensor<B> {
        let shape = rows.shape();
        let (images, dh) = (shape[0] / self.tokens, shape[1] / parts / self.heads);
        let rows = B::float_reshape(rows.clone(), Shape::from([images, self.tokens, parts, self.heads, dh]));
        let rows = B::float_permute(rows, &[2, 0, 3, 1, 4]);
        let slices = [burn::tensor::Slice::new(part as isize, Some(part as isize + 1), 1)];
        let rows = B::float_slice(rows, &slices);
        B::float_reshape(rows, Shape::from([images, self.heads, self.tokens, dh]))
    }

    /// `[images, heads, tokens, d / heads]` as rows `[images tokens, d]`.
    fn join<B: Backend>(self, parts: FloatTensor<B>) -> FloatTensor<B> {
        let shape = parts.shape();
        let rows = B::float_permute(parts, &[0, 2, 1, 3]);
        B::float_reshape(rows, Shape::from([shape[0] * self.tokens, self.heads * shape[3]]))
    }

    /// `softmax(q kᵀ / √dh)`.
    fn weights<B: Backend>(self, q: FloatTensor<B>, k: FloatTensor<B>) -> FloatTensor<B> {
        let scale = self.scale(q.shape()[3]);
        B::softmax(B::float_mul_scalar(product::<B>(q, transposed::<B>(k)), scale.into()), 3)
    }

    fn scale(self, dh: usize) -> f64 {
        1.0 / (dh as f64).sqrt()
    }
}

/// The output, and what is kept.
pub type Rows<B> = (FloatTensor<B>, Option<(FloatTensor<B>, FloatTensor<B>)>);

/// The output; queries, keys and values and the heads' outputs if they are to be kept.
pub(super) fn forward<B: Backend>(x: &FloatTensor<B>, p: &Values<B>, heads: Heads, keep: bool) -> Rows<B> {
    let (n, d) = (x.shape()[0], x.shape()[1]);
    let mut y = blank::<B>(n, d, x);
    let mut kept = keep.then(|| (blank::<B>(n, 3 * d, x), blank::<B>(n, d, x)));
    let _temporaries = scope(Category::Workspace);
    let of = |values: &FloatTensor<B>| typed::<B>(values.clone(), x);
    let (w, b, proj, proj_bias) = (of(&p.qkv), of(&p.qkv_bias), of(&p.proj), of(&p.proj_bias));
    for rows in chunks(n, heads.tokens) {
        let x = take::<B>(x, &rows);
        let normed = typed::<B>(Normed::<B>::of(x.clone()).scaled(p.gamma.clone(), p.beta.clone()), &x);
        let qkv = add_row::<B>(product::<B>(normed, w.clone()), b.clone());
        let [q, k, v] = [0, 1, 2].map(|part| heads.split::<B>(&qkv, part, 3));
        let mixed = heads.join::<B>(product::<B>(heads.weights::<B>(q, k), v));
        kept = kept.map(|(all, outputs)| (put::<B>(all, &rows, qkv), put::<B>(outputs, &rows, mixed.clone())));
        let out = add_row::<B>(product::<B>(mixed, proj.clone()), proj_bias.clone());
        y = put::<B>(y, &rows, B::float_add(out, x));
    }
    (y, kept)
}

#[derive(Debug)]
struct Attention;

/// What the way back needs.
#[derive(Clone, Debug)]
pub struct SavedAttention<B: Backend> {
    pub(super) x: FloatTensor<B>,
    pub(super) qkv: FloatTensor<B>,
    pub(super) mixed: FloatTensor<B>,
    pub(super) gamma: FloatTensor<B>,
    pub(super) beta: FloatTensor<B>,
    pub(super) qkv_feedback: FloatTensor<B>,
    pub(super) proj_feedback: FloatTensor<B>,
    pub(super) heads: Heads,
}

/// From the signal at the heads' outputs to that at queries, keys and values, for whole images:
/// `dV = Aᵀ dO`, `dA = dO Vᵀ`, `dS = A (.) (dA - Σ dO (.) O)`, `dQ = dS K / √dh`, `dK = dSᵀ Q / √dh`.
fn heads_backward<B: Backend>(
    qkv: FloatTensor<B>,
    mixed: FloatTensor<B>,
    signal: FloatTensor<B>,
    heads: Heads,
) -> FloatTensor<B> {
    let [q, k, v] = [0, 1, 2].map(|part| heads.split::<B>(&qkv, part, 3));
    let (o, d_o) = (heads.split::<B>(&mixed, 0, 1), heads.split::<B>(&signal, 0, 1));
    let weights = heads.weights::<B>(q.clone(), k.clone());
    let dv = product::<B>(transposed::<B>(weights.clone()), d_o.clone());
    let along = B::float_sum_dim(B::float_mul(d_o.clone(), o), 3);
    let da = product::<B>(d_o, transposed::<B>(v));
    let scale = heads.scale(q.shape()[3]);
    let ds = B::float_mul_scalar(B::float_mul(B::float_sub(da, along), weights), scale.into());
    let dk = product::<B>(transposed::<B>(ds.clone()), q);
    let dq = product::<B>(ds, k);
    B::float_cat([dq, dk, dv].map(|part| heads.join::<B>(part)).to_vec(), 1)
}

pub(super) fn backward<B: Backend>(kept: SavedAttention<B>, mut dy: FloatTensor<B>) -> (FloatTensor<B>, Gradients<B>) {
    let (mut dqkv, mut dqkv_bias, mut dproj, mut norm) = (None, None, None, NormGradients::default());
    let dproj_bias = single::<B>(sum_rows::<B>(dy.clone()));
    let back = |feedback| transposed::<B>(typed::<B>(feedback, &dy));
    let (qkv_feedback, proj_feedback) = (back(kept.qkv_feedback), back(kept.proj_feedback));
    for rows in chunks(kept.x.shape()[0], kept.heads.tokens) {
        let (x, signal) = (take::<B>(&kept.x, &rows), take::<B>(&dy, &rows));
        let (qkv, mixed) = (take::<B>(&kept.qkv, &rows), take::<B>(&kept.mixed, &rows));
        accumulate::<B>(&mut dproj, product::<B>(transposed::<B>(mixed.clone()), signal.clone()));
        let d_mixed = product::<B>(signal.clone(), proj_feedback.clone());
        let dz = heads_backward::<B>(qkv, mixed, d_mixed, kept.heads);
        let normed = Normed::<B>::of(x);
        let n = typed::<B>(normed.scaled(kept.gamma.clone(), kept.beta.clone()), &signal);
        accumulate::<B>(&mut dqkv, product::<B>(transposed::<B>(n), dz.clone()));
        accumulate::<B>(&mut dqkv_bias, sum_rows::<B>(dz.clone()));
        let dn = product::<B>(dz, qkv_feedback.clone());
        let dx = add::<B>(normed.backward(dn, kept.gamma.clone(), &mut norm), signal);
        dy = put::<B>(dy, &rows, dx);
    }
    (dy, Gradients { norm, first: [dqkv, dqkv_bias], second: [dproj, Some(dproj_bias)] })
}

impl<B: AttentionKernels> Backward<B, 7> for Attention {
    type State = SavedAttention<B>;

    fn backward(self, ops: Ops<Self::State, 7>, grads: &mut Grads, _: &mut Checkpointer) {
        let dy = grads.consume::<B>(&ops.node);
        let ([x_node, gamma_node, beta_node, qkv_node, qkv_bias_node, proj_node, proj_bias_node], kept) =
            (ops.parents.map(|p| p.map(|p| p.id)), ops.state);
        let (dx, sums) = B::attention_backward(kept, dy);
        let ([dqkv, dqkv_bias], [dproj, dproj_bias]) = (sums.first, sums.second);
        let sums = [
            (proj_bias_node, dproj_bias),
            (gamma_node, sums.norm.gamma),
            (beta_node, sums.norm.beta),
            (qkv_node, dqkv),
            (qkv_bias_node, dqkv_bias),
            (proj_node, dproj),
        ];
        register_sums::<B, 6>(grads, sums);
        if let Some(node) = x_node {
            grads.register::<B>(node, dx);
        }
    }
}

impl<B: AttentionOps, C: CheckpointStrategy> AttentionOps for Autodiff<B, C> {
    fn attention_rows(
        x: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        qkv: FloatTensor<Self>,
        qkv_bias: FloatTensor<Self>,
        proj: FloatTensor<Self>,
        proj_bias: FloatTensor<Self>,
        qkv_feedback: FloatTensor<Self>,
        proj_feedback: FloatTensor<Self>,
        heads: Heads,
    ) -> FloatTensor<Self> {
        let nodes = [x.node(), gamma.node(), beta.node(), qkv.node(), qkv_bias.node(), proj.node(), proj_bias.node()];
        let prep = Attention.prepare::<C>(nodes).compute_bound().stateful();
        let x = x.into_primitive();
        let values = Values::<B> {
            gamma: gamma.into_primitive(),
            beta: beta.into_primitive(),
            qkv: qkv.into_primitive(),
            qkv_bias: qkv_bias.into_primitive(),
            proj: proj.into_primitive(),
            proj_bias: proj_bias.into_primitive(),
        };
        match prep {
            OpsKind::Tracked(prep) => {
                let (y, kept) = B::attention_forward(&x, &values, heads, true);
                let (qkv, mixed) = kept.expect("they were asked for");
                let (qkv_feedback, proj_feedback) = (qkv_feedback.into_primitive(), proj_feedback.into_primitive());
                let Values { gamma, beta, .. } = values;
                prep.finish(SavedAttention { x, qkv, mixed, gamma, beta, qkv_feedback, proj_feedback, heads }, y)
            }
            OpsKind::UnTracked(prep) => prep.finish(B::attention_forward(&x, &values, heads, false).0),
        }
    }
}

/// A norm, two affine maps, and what carries the signal back through each map: its own weight for backpropagation.
pub struct AttentionWeights {
    /// `γ` and `β`, `[d]`.
    pub norm: (Tensor<1>, Tensor<1>),
    /// `W [d, 3 d]` (queries, keys, values), `b [3 d]` and the feedback `[d, 3 d]`.
    pub qkv: (Tensor<2>, Tensor<1>, Tensor<2>),
    /// `P [d, d]`, `c [d]` and the feedback `[d, d]`.
    pub proj: (Tensor<2>, Tensor<1>, Tensor<2>),
}

/// `x + attention(norm(x) W + b) P + c`.
///
/// # Shapes
/// `x [images tokens, d]`: the same.
pub fn attention_block(x: Tensor<2>, weights: AttentionWeights, heads: Heads) -> Tensor<2> {
    let AttentionWeights { norm: (gamma, beta), qkv: (w, b, f), proj: (p, c, g) } = weights;
    Tensor::from_dispatch(<Dispatch as AttentionOps>::attention_rows(
        x.into_dispatch(),
        gamma.into_dispatch(),
        beta.into_dispatch(),
        w.into_dispatch(),
        b.into_dispatch(),
        p.into_dispatch(),
        c.into_dispatch(),
        f.into_dispatch(),
        g.into_dispatch(),
        heads,
    ))
}
