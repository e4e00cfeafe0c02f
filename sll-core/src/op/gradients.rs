//! Gradients of half an encoder block.

use super::flex::{encoder, tensor};
use super::norm::NormGradients;
use burn::backend::{Backend, Flex, tensor::FloatTensor};

/// Gradients of the norm, and of weight and bias of either map.
pub struct Gradients<B: Backend> {
    pub(super) norm: NormGradients<B>,
    pub(super) first: [Option<FloatTensor<B>>; 2],
    pub(super) second: [Option<FloatTensor<B>>; 2],
}

impl Gradients<Flex> {
    /// From the sums for a norm of `d` values and maps `[d, first]` and `[second, d]`.
    pub(super) fn of(sums: encoder::Gradients, [d, first, second]: [usize; 3], second_bias: Vec<f32>) -> Self {
        let vector = |sum: Vec<f32>| {
            let len = sum.len();
            Some(tensor(sum, [len]))
        };
        Self {
            norm: NormGradients { gamma: vector(sums.gamma), beta: vector(sums.beta) },
            first: [Some(tensor(sums.first, [d, first])), vector(sums.first_bias)],
            second: [Some(tensor(sums.second, [second, d])), vector(second_bias)],
        }
    }
}
