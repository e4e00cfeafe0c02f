//! Layer norm (Ba, Kiros & Hinton 2016) of rows: `n = x̂ (.) γ + β`, `x̂ = (x - mean) / √(var + ε)`. Only `x` is kept;
//! `x̂` is made again on the way back, which reads one row at a time and multiplies no matrices.

use super::affine::register_sums;
use super::flex::{self, contiguous, is_single, values, values_mut};
use super::rows::{accumulate, as_row, blank, chunks, put, single, sum_rows, take};
use burn::backend::autodiff::{checkpoint::base::Checkpointer, checkpoint::strategy::CheckpointStrategy};
use burn::backend::autodiff::{grads::Gradients as Grads, ops::Backward, ops::Ops, ops::OpsKind};
use burn::backend::{Autodiff, Backend, Dispatch, Flex, backend_extension};
use burn::backend::{TensorMetadata, tensor::FloatTensor};
use burn::tensor::Tensor;

/// `ε`, PyTorch's default.
pub(super) const EPSILON: f64 = 1e-5;

/// Rows brought to mean 0 and variance 1.
pub(super) struct Normed<B: Backend> {
    /// `x̂ [n, d]`.
    pub unit: FloatTensor<B>,
    /// `1 / √(var + ε)`, `[n, 1]`.
    inverse: FloatTensor<B>,
}

impl<B: Backend> Normed<B> {
    /// In single precision whatever the type of `x`, as means and variances need.
    pub fn of(x: FloatTensor<B>) -> Self {
        let x = single::<B>(x);
        let centred = B::float_sub(x.clone(), B::float_mean_dim(x, 1));
        let variance = B::float_mean_dim(B::float_mul(centred.clone(), centred.clone()), 1);
        let inverse = B::float_recip(B::float_sqrt(B::float_add_scalar(variance, EPSILON.into())));
        Self { unit: B::float_mul(centred, inverse.clone()), inverse }
    }

    /// `x̂ (.) γ + β`.
    pub fn scaled(&self, gamma: FloatTensor<B>, beta: FloatTensor<B>) -> FloatTensor<B> {
        B::float_add(B::float_mul(self.unit.clone(), as_row::<B>(gamma)), as_row::<B>(beta))
    }

    /// From `dn` to `dx`, adding `Σ dn (.) x̂` and `Σ dn` to the gradients of `γ` and `β`.
    ///
    /// `dx = (g - mean(g) - x̂ mean(g (.) x̂)) / √(var + ε)` with `g = dn (.) γ`.
    pub fn backward(self, dn: FloatTensor<B>, gamma: FloatTensor<B>, sums: &mut NormGradients<B>) -> FloatTensor<B> {
        let dn = single::<B>(dn);
        let product = B::float_mul(dn.clone(), self.unit.clone());
        accumulate::<B>(&mut sums.gamma, sum_rows::<B>(product));
        accumulate::<B>(&mut sums.beta, sum_rows::<B>(dn.clone()));
        let g = B::float_mul(dn, as_row::<B>(gamma));
        let along = B::float_mean_dim(B::float_mul(g.clone(), self.unit.clone()), 1);
        let mean = B::float_mean_dim(g.clone(), 1);
        let inner = B::float_sub(B::float_sub(g, mean), B::float_mul(self.unit, along));
        B::float_mul(inner, self.inverse)
    }
}

/// Gradients of `γ` and `β` so far.
pub struct NormGradients<B: Backend> {
    /// `[d]`.
    pub gamma: Option<FloatTensor<B>>,
    /// `[d]`.
    pub beta: Option<FloatTensor<B>>,
}

impl<B: Backend> Default for NormGradients<B> {
    fn default() -> Self {
        Self { gamma: None, beta: None }
    }
}

/// The norm of rows in both directions, as a backend does it.
pub trait NormKernels: Backend {
    /// `x̂ (.) γ + β`.
    fn norm_forward(x: &FloatTensor<Self>, gamma: FloatTensor<Self>, beta: FloatTensor<Self>) -> FloatTensor<Self> {
        forward::<Self>(x, gamma, beta)
    }

    /// From `dn` to `dx`, and the gradients of `γ` and `β`.
    fn norm_backward(
        x: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        dn: FloatTensor<Self>,
    ) -> (FloatTensor<Self>, NormGradients<Self>) {
        backward::<Self>(&x, &gamma, dn)
    }
}

impl NormKernels for Flex {
    fn norm_forward(x: &FloatTensor<Self>, gamma: FloatTensor<Self>, beta: FloatTensor<Self>) -> FloatTensor<Self> {
        if !is_single(x) {
            return forward::<Self>(x, gamma, beta);
        }
        let [x, gamma, beta] = [x.clone(), gamma, beta].map(contiguous);
        let norm = flex::Norm { gamma: values(&gamma), beta: values(&beta), epsilon: EPSILON as f32 };
        let mut y = vec![0.0; values(&x).len()];
        flex::normalise(values(&x), norm, &mut y);
        flex::tensor(y, [x.shape()[0], x.shape()[1]])
    }

    fn norm_backward(
        x: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        dn: FloatTensor<Self>,
    ) -> (FloatTensor<Self>, NormGradients<Self>) {
        if !is_single(&x) {
            return backward::<Self>(&x, &gamma, dn);
        }
        let [x, gamma, mut dx] = [x, gamma, dn].map(contiguous);
        let norm = flex::Norm { gamma: values(&gamma), beta: &[], epsilon: EPSILON as f32 };
        let columns = norm.gamma.len();
        let (mut dgamma, mut dbeta) = (vec![0.0; columns], vec![0.0; columns]);
        flex::normalise_backward(values(&x), norm, values_mut(&mut dx), None, (&mut dgamma, &mut dbeta));
        let [gamma, beta] = [dgamma, dbeta].map(|sum| Some(flex::tensor(sum, [columns])));
        (dx, NormGradients { gamma, beta })
    }
}

// Never called: they hand on to the backends below them.
impl<B: Backend, C: CheckpointStrategy> NormKernels for Autodiff<B, C> {}
impl NormKernels for Dispatch {}

/// Backend operation behind [`layer_norm`].
#[backend_extension(Flex, LibTorch: cfg(feature = "tch"), Autodiff)]
pub trait NormOps: NormKernels {
    /// `x̂ (.) γ + β`.
    fn layer_norm_rows(x: FloatTensor<Self>, gamma: FloatTensor<Self>, beta: FloatTensor<Self>) -> FloatTensor<Self> {
        Self::norm_forward(&x, gamma, beta)
    }
}

impl NormOps for Flex {}
#[cfg(feature = "tch")]
impl NormOps for burn::backend::LibTorch {}

pub(super) fn forward<B: Backend>(x: &FloatTensor<B>, gamma: FloatTensor<B>, beta: FloatTensor<B>) -> FloatTensor<B> {
    let shape = x.shape();
    let mut y = blank::<B>(shape[0], shape[1], x);
    for rows in chunks(shape[0], 1) {
        let normed = Normed::<B>::of(take::<B>(x, &rows)).scaled(gamma.clone(), beta.clone());
        y = put::<B>(y, &rows, normed);
    }
    y
}

pub(super) fn backward<B: Backend>(
    x: &FloatTensor<B>,
    gamma: &FloatTensor<B>,
    mut dy: FloatTensor<B>,
) -> (FloatTensor<B>, NormGradients<B>) {
    let mut sums = NormGradients::default();
    for rows in chunks(x.shape()[0], 1) {
        let dn = take::<B>(&dy, &rows);
        let dx = Normed::<B>::of(take::<B>(x, &rows)).backward(dn, gamma.clone(), &mut sums);
        dy = put::<B>(dy, &rows, dx);
    }
    (dy, sums)
}

#[derive(Debug)]
struct Norm;

impl<B: NormKernels> Backward<B, 3> for Norm {
    type State = (FloatTensor<B>, FloatTensor<B>);

    fn backward(self, ops: Ops<Self::State, 3>, grads: &mut Grads, _: &mut Checkpointer) {
        let dy = grads.consume::<B>(&ops.node);
        let ([x_node, gamma_node, beta_node], (x, gamma)) = (ops.parents.map(|p| p.map(|p| p.id)), ops.state);
        let (dx, sums) = B::norm_backward(x, gamma, dy);
        register_sums::<B, 2>(grads, [(gamma_node, sums.gamma), (beta_node, sums.beta)]);
        if let Some(node) = x_node {
            grads.register::<B>(node, dx);
        }
    }
}

impl<B: NormOps, C: CheckpointStrategy> NormOps for Autodiff<B, C> {
    fn layer_norm_rows(x: FloatTensor<Self>, gamma: FloatTensor<Self>, beta: FloatTensor<Self>) -> FloatTensor<Self> {
        let prep = Norm.prepare::<C>([x.node(), gamma.node(), beta.node()]).compute_bound().stateful();
        let (x, gamma, beta) = (x.into_primitive(), gamma.into_primitive(), beta.into_primitive());
        let y = B::norm_forward(&x, gamma.clone(), beta);
        match prep {
            OpsKind::Tracked(prep) => prep.finish((x, gamma), y),
            OpsKind::UnTracked(prep) => prep.finish(y),
        }
    }
}

/// Layer norm of each row of `x`.
///
/// # Shapes
/// `x [n, d]`, `gamma` and `beta [d]`: `[n, d]`.
pub fn layer_norm(x: Tensor<2>, gamma: Tensor<1>, beta: Tensor<1>) -> Tensor<2> {
    Tensor::from_dispatch(<Dispatch as NormOps>::layer_norm_rows(
        x.into_dispatch(),
        gamma.into_dispatch(),
        beta.into_dispatch(),
    ))
}
