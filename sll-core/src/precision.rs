//! The number format of what a network computes between a unit's input and its output.

use burn::tensor::{DType, Tensor};
use serde::{Deserialize, Serialize};

/// Parameters, their gradients, optimiser state, what passes from unit to unit and all that a rule computes itself
/// (logits, losses, signals, projections) are single precision in any case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// Single precision throughout.
    #[default]
    F32,
    /// Mixed precision: activations, and the factors of matrix products and convolutions, have 8 significant bits
    /// (bfloat16; 1 sign, 8 exponent, 7 fraction bits). Means and variances of norms, and what is added up over chunks
    /// of rows, are single precision. Layers of one's own have to take what comes: burn's `Linear` does not multiply
    /// bfloat16 by its own weights.
    Bf16,
}

impl Precision {
    /// Whether this is the default.
    pub fn is_single(&self) -> bool {
        *self == Precision::F32
    }

    /// A unit's input.
    pub(crate) fn enter(self, x: Tensor<2>) -> Tensor<2> {
        match self {
            Precision::F32 => x,
            Precision::Bf16 => x.cast(DType::BF16),
        }
    }

    /// A unit's output.
    pub(crate) fn leave(self, h: Tensor<2>) -> Tensor<2> {
        match self {
            Precision::F32 => h,
            Precision::Bf16 => h.cast(DType::F32),
        }
    }
}

/// A parameter beside values that may be of another type.
pub(crate) fn alike<const D: usize, const E: usize>(parameter: Tensor<D>, values: &Tensor<E>) -> Tensor<D> {
    match values.dtype() {
        DType::BF16 => parameter.cast(DType::BF16),
        _ => parameter,
    }
}
