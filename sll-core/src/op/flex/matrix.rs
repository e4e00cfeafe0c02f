//! Matrix products into memory that nothing has written before, with the bias in the same pass. (Upstream: burn-flex
//! writes zeros first, and adds a bias in a pass of its own.)

use super::super::count::MatrixKernels;
use super::{Matrix, contiguous, is_single, multiply, product, tensor, values};
use burn::backend::Flex;
use burn::backend::flex::FlexTensor;
use burn::backend::ops::FloatTensorOps;

impl MatrixKernels for Flex {
    fn matrix_product(a: FlexTensor, b: FlexTensor) -> FlexTensor {
        match both(&a, &b) {
            Some((left, right)) => {
                let shape = [left.rows(), right.columns()];
                tensor(product(left, right, true), shape)
            }
            None => Flex::float_matmul(a, b),
        }
    }

    fn affine_rows(x: FlexTensor, weight: FlexTensor, bias: FlexTensor) -> FlexTensor {
        let bias = contiguous(bias);
        match both(&x, &weight) {
            Some((left, right)) => {
                let shape = [left.rows(), right.columns()];
                let mut y = values(&bias).repeat(shape[0]);
                multiply(left, right, &mut y, true, true);
                tensor(y, shape)
            }
            None => super::super::rows::add_row::<Flex>(Flex::float_matmul(x, weight), bias),
        }
    }
}

/// Two matrices as they lie, if the kernels serve them.
fn both<'a>(a: &'a FlexTensor, b: &'a FlexTensor) -> Option<(Matrix<'a>, Matrix<'a>)> {
    let matrices = [a, b].iter().all(|t| is_single(t) && t.layout().shape().num_dims() == 2);
    if matrices { Some((Matrix::of(a)?, Matrix::of(b)?)) } else { None }
}
