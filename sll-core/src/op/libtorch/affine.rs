//! Affine maps: the bias is added by the product.

use super::super::count::MatrixKernels;
use super::super::rows;
use super::{is_single, owned, sum_rows};
use burn::backend::LibTorch;
use burn::backend::libtorch::TchTensor;

impl MatrixKernels for LibTorch {
    fn affine_rows(x: TchTensor, weight: TchTensor, bias: TchTensor) -> TchTensor {
        owned(bias.tensor.addmm(&x.tensor, &weight.tensor))
    }

    fn row_sums(matrix: TchTensor) -> TchTensor {
        if is_single(&matrix) { owned(sum_rows(&matrix.tensor)) } else { rows::sum_rows::<Self>(matrix) }
    }
}
