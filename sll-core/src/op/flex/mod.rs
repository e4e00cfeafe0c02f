//! Kernels of the flex backend: loops over `f32` slices and matrix products, for what burn's general operations do in
//! several passes or with copies. Each has a test against plain loops or against the composed operation, and says what
//! upstream would need for it to go.

mod attention;
pub(super) mod batch_norm;
mod columns;
pub(super) mod conv;
mod conv_gradient;
mod encoder;
mod gelu;
mod gemm;
mod halves;
mod lanes;
mod matrix;
mod norm;
mod parts;
pub(super) mod pool;
mod update;
mod values;

pub(super) use gemm::{Matrix, multiply, multiply_rows, product};
pub(super) use norm::{Norm, normalise, normalise_backward};
pub(super) use values::{contiguous, is_single, tensor, values, values_mut};
