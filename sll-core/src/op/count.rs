//! Matrix products and convolutions, with every multiply-accumulate counted where it is done.

use super::rows::{add_row, sum_rows, typed};
use burn::backend::autodiff::{checkpoint::base::Checkpointer, checkpoint::strategy::CheckpointStrategy};
use burn::backend::autodiff::{grads::Gradients as Grads, ops::Backward, ops::Ops, ops::OpsKind};
use burn::backend::{Autodiff, Backend, Dispatch, Flex, backend_extension};
use burn::backend::{TensorMetadata, tensor::FloatTensor};
use burn::tensor::Tensor;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

static MACS: AtomicU64 = AtomicU64::new(0);

/// Multiply-accumulates (MACs) of all matrix products and convolutions that this process has done through this crate,
/// on every device, backward passes included.
pub fn macs() -> u64 {
    MACS.load(Relaxed)
}

pub(super) fn add_macs(macs: usize) {
    MACS.fetch_add(macs as u64, Relaxed);
}

/// `a b`, a matrix or a batch of matrices, in the type of `a`, counted.
pub(super) fn product<B: Backend>(a: FloatTensor<B>, b: FloatTensor<B>) -> FloatTensor<B> {
    let inner = a.shape()[a.rank() - 1];
    let b = typed::<B>(b, &a);
    let result = B::float_matmul(a, b);
    add_macs(result.shape().num_elements() * inner);
    result
}

/// Matrix products that a backend has a shorter way for than its general one.
pub trait MatrixKernels: Backend {
    /// `a b` of two matrices.
    fn matrix_product(a: FloatTensor<Self>, b: FloatTensor<Self>) -> FloatTensor<Self> {
        Self::float_matmul(a, b)
    }

    /// `x W + b`, the bias added to each row.
    fn affine_rows(x: FloatTensor<Self>, weight: FloatTensor<Self>, bias: FloatTensor<Self>) -> FloatTensor<Self> {
        add_row::<Self>(Self::float_matmul(x, weight), bias)
    }

    /// Sums over the rows: `[n, m]` to `[m]`.
    fn row_sums(matrix: FloatTensor<Self>) -> FloatTensor<Self> {
        sum_rows::<Self>(matrix)
    }
}

// Never called: they hand on to the backends below them.
impl<B: Backend, C: CheckpointStrategy> MatrixKernels for Autodiff<B, C> {}
impl MatrixKernels for Dispatch {}

/// `a b` of two matrices in the type of `a`, counted.
pub(super) fn matrix_product<B: MatrixKernels>(a: FloatTensor<B>, b: FloatTensor<B>) -> FloatTensor<B> {
    add_macs(a.shape().num_elements() * b.shape()[1]);
    let b = typed::<B>(b, &a);
    B::matrix_product(a, b)
}

/// `a b` of matrices or of batches of them.
fn any_product<B: MatrixKernels>(a: FloatTensor<B>, b: FloatTensor<B>) -> FloatTensor<B> {
    if a.rank() == 2 { matrix_product::<B>(a, b) } else { product::<B>(a, b) }
}

/// `x W + b` in the type of `x`, counted.
pub(super) fn affine_rows<B: MatrixKernels>(
    x: FloatTensor<B>,
    weight: FloatTensor<B>,
    bias: FloatTensor<B>,
) -> FloatTensor<B> {
    add_macs(x.shape().num_elements() * weight.shape()[1]);
    let (weight, bias) = (typed::<B>(weight, &x), typed::<B>(bias, &x));
    B::affine_rows(x, weight, bias)
}

/// `aᵀ`: the last two dimensions swapped.
pub(super) fn transposed<B: Backend>(a: FloatTensor<B>) -> FloatTensor<B> {
    B::float_transpose(a)
}

/// Backend operation behind [`Product`].
#[backend_extension(Flex, LibTorch: cfg(feature = "tch"), Autodiff)]
pub trait ProductOps: MatrixKernels {
    /// `a b`.
    fn counted_product(a: FloatTensor<Self>, b: FloatTensor<Self>) -> FloatTensor<Self> {
        any_product::<Self>(a, b)
    }
}

impl ProductOps for Flex {}
#[cfg(feature = "tch")]
impl ProductOps for burn::backend::LibTorch {}

#[derive(Debug)]
struct Multiply;

impl<B: MatrixKernels> Backward<B, 2> for Multiply {
    type State = (Option<FloatTensor<B>>, Option<FloatTensor<B>>);

    fn backward(self, ops: Ops<Self::State, 2>, grads: &mut Grads, _: &mut Checkpointer) {
        let dy = grads.consume::<B>(&ops.node);
        let ([a_node, b_node], (a, b)) = (ops.parents, ops.state);
        if let (Some(node), Some(b)) = (a_node, b) {
            grads.register::<B>(node.id, any_product::<B>(dy.clone(), transposed::<B>(b)));
        }
        if let (Some(node), Some(a)) = (b_node, a) {
            grads.register::<B>(node.id, any_product::<B>(transposed::<B>(a), dy));
        }
    }
}

impl<B: ProductOps, C: CheckpointStrategy> ProductOps for Autodiff<B, C> {
    fn counted_product(a: FloatTensor<Self>, b: FloatTensor<Self>) -> FloatTensor<Self> {
        let (a_tracked, b_tracked) = (a.is_tracked(), b.is_tracked());
        let prep = Multiply.prepare::<C>([a.node(), b.node()]).compute_bound().stateful();
        let (a, b) = (a.into_primitive(), b.into_primitive());
        let y = any_product::<B>(a.clone(), b.clone());
        match prep {
            OpsKind::Tracked(prep) => prep.finish((b_tracked.then_some(a), a_tracked.then_some(b)), y),
            OpsKind::UnTracked(prep) => prep.finish(y),
        }
    }
}

/// Matrix products that are counted in [`macs`], as their backward passes are. Rules multiply matrices with this.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use sll_core::op::{Product, macs};
///
/// let a = Tensor::<2>::ones([2, 3], &Device::flex());
/// let before = macs();
/// assert_eq!(a.clone().product(a.transpose()).into_data().iter::<f32>().collect::<Vec<_>>(), [3.0; 4]);
/// assert_eq!(macs() - before, 2 * 3 * 2);
/// ```
pub trait Product {
    /// `a b`.
    ///
    /// # Shapes
    /// `a [.., n, k]`, `b [.., k, m]`, the same leading dimensions: `[.., n, m]`.
    #[must_use]
    fn product(self, b: Self) -> Self;
}

impl<const D: usize> Product for Tensor<D> {
    fn product(self, b: Self) -> Self {
        Tensor::from_dispatch(<Dispatch as ProductOps>::counted_product(self.into_dispatch(), b.into_dispatch()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::{Device, Distribution};

    #[test]
    fn counts_and_differentiates_like_the_ordinary_product() {
        let device = Device::flex().autodiff();
        let random = |shape| Tensor::<2>::random(shape, Distribution::Default, &device);
        let (a, b, dy) = (random([5, 4]).require_grad(), random([4, 3]).require_grad(), random([5, 3]));
        let expected = (a.clone().matmul(b.clone()) * dy.clone()).sum().backward();
        let before = macs();
        let found = (a.clone().product(b.clone()) * dy.clone()).sum().backward();
        // Other tests of this process multiply too: at least these three products.
        assert!(macs() - before >= 3 * 5 * 4 * 3);
        for leaf in [&a, &b] {
            leaf.grad(&found).unwrap().into_data().assert_eq(&leaf.grad(&expected).unwrap().into_data(), true);
        }
        let constant = (a.detach().product(b.clone()) * dy).sum().backward();
        b.grad(&constant).unwrap().into_data().assert_eq(&b.grad(&expected).unwrap().into_data(), true);
    }
}
