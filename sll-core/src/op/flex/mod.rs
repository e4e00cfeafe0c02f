//! Kernels of the flex backend: loops over `f32` slices and matrix products, for what burn's general operations do in several
//! passes or with copies. Each has a test against plain loops or against the composed operation, and says what upstream
//! would need for it to go.

#![allow(dead_code, unused_imports)] // until every operation has moved here

mod attention;
mod encoder;
mod gelu;
mod gemm;
mod halves;
mod lanes;
mod norm;
mod values;

pub(super) use gemm::{Matrix, multiply, product};
pub(super) use norm::{Norm, normalise, normalise_backward};
pub(super) use values::{contiguous, is_single, made, tensor, values, values_mut};
