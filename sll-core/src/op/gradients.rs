//! Gradients of half an encoder block.

use super::norm::NormGradients;
use burn::backend::{Backend, tensor::FloatTensor};

/// Gradients of the norm, and of weight and bias of either map.
pub struct Gradients<B: Backend> {
    pub(super) norm: NormGradients<B>,
    pub(super) first: [Option<FloatTensor<B>>; 2],
    pub(super) second: [Option<FloatTensor<B>>; 2],
}
