//! Layer norm's parameters.

use super::affine::beside;
use crate::op::layer_norm;
use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};

/// `n = x̂ (.) γ + β` for each row, `x̂` the row at mean 0 and variance 1.
#[derive(Module, Debug)]
pub struct Norm {
    /// `γ [d]`, 1 at the start.
    gamma: Param<Tensor<1>>,
    /// `β [d]`, 0 at the start.
    beta: Param<Tensor<1>>,
}

impl Norm {
    /// A norm of rows of `d` values.
    pub fn new(d: usize, device: &Device) -> Self {
        let gamma = Param::from_tensor(Tensor::ones([d], device));
        Self { gamma, beta: Param::from_tensor(Tensor::zeros([d], device)) }
    }

    /// `[n, d]` to `[n, d]`.
    pub fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        let (gamma, beta) = self.beside(&x);
        layer_norm(x, gamma, beta)
    }

    /// `γ` and `β` as they can be combined with `x`.
    pub(super) fn beside(&self, x: &Tensor<2>) -> (Tensor<1>, Tensor<1>) {
        (beside(&self.gamma, x), beside(&self.beta, x))
    }
}
