//! Kernels of the LibTorch backend: a call or two of LibTorch's own operators each, where the composed operations of
//! the kernels' traits take a dozen. On a card every call is at least one launch, and what one call does in one pass
//! over the values several do in several.

mod affine;
mod batch_norm;
mod conv;
mod encoder;
mod norm;
mod pool;
mod shim;
pub(super) mod update;

use burn::backend::libtorch::TchTensor;
use tch::{Kind, Tensor};

/// A tensor that owns all of its memory.
fn owned(tensor: Tensor) -> TchTensor {
    TchTensor::new(tensor)
}

/// Whether the values are single precision: others take the composed operations, which mind their types.
fn is_single(values: &TchTensor) -> bool {
    values.tensor.kind() == Kind::Float
}

/// The tensor to be written to: itself where nobody else holds it, else a copy.
fn writable(values: TchTensor) -> Tensor {
    if values.can_mut() { values.tensor } else { values.tensor.copy() }
}

/// Sums over the rows: `[n, m]` to `[m]`.
fn sum_rows(matrix: &Tensor) -> Tensor {
    matrix.sum_dim_intlist(Some([0].as_slice()), false, None)
}
